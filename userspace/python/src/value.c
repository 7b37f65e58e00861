// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "value.h"

/* --- To an object -------------------------------------------------------- */

/*
 * Calls a method of int that takes signed=True beside what is in @args, which it frees:
 * not that of a class derived from it, which may do anything.
 */
static PyObject *call_signed(const char *name, PyObject *args)
{
	PyObject *method = PyObject_GetAttrString((PyObject *)&PyLong_Type, name);
	PyObject *value = NULL;
	PyObject *kwargs = Py_BuildValue("{sO}", "signed", Py_True);

	if (method && kwargs && args)
		value = PyObject_Call(method, args, kwargs);
	Py_XDECREF(method);
	Py_XDECREF(kwargs);
	Py_XDECREF(args);
	return value;
}

static int add_long(struct packer *packer, PyObject *value)
{
	PyObject *bits, *bytes;
	size_t length;
	int ret = -1;

	bits = PyObject_CallMethod((PyObject *)&PyLong_Type, "bit_length", "O",
				   value);
	if (!bits)
		return -1;
	length = PyLong_AsSize_t(bits) / 8 + 1;
	Py_DECREF(bits);
	bytes = call_signed("to_bytes", Py_BuildValue("Ons", value,
						      (Py_ssize_t)length,
						      "little"));
	if (!bytes)
		return -1;
	if (!buffer_add_byte(&packer->bytes, VALUE_LONG) &&
	    !buffer_add_number(&packer->bytes, length))
		ret = buffer_add(&packer->bytes, PyBytes_AsString(bytes), length);
	Py_DECREF(bytes);
	return ret;
}

static int add_int(struct packer *packer, PyObject *value)
{
	int overflow;
	long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
	uint64_t bits = (uint64_t)number << 1;

	if (overflow)
		return add_long(packer, value);
	if (number == -1 && PyErr_Occurred())
		return -1;
	if (number < 0)
		bits = ~bits;
	if (buffer_add_byte(&packer->bytes, VALUE_INT))
		return -1;
	return buffer_add_number(&packer->bytes, bits);
}

static int add_float(struct packer *packer, PyObject *value)
{
	double number = PyFloat_AsDouble(value);
	unsigned char bytes[9] = { VALUE_FLOAT };
	uint64_t bits;

	if (number == -1.0 && PyErr_Occurred())
		return -1;
	memcpy(&bits, &number, sizeof(bits));
	store64(bytes + 1, bits);
	return buffer_add(&packer->bytes, bytes, sizeof(bytes));
}

/* An object for a slot; the reference goes to the list. */
static int add_object(struct packer *packer, PyObject *object)
{
	int ret;

	if (!object)
		return -1;
	if (!packer->objects)
		packer->objects = PyList_New(0);
	ret = packer->objects ? PyList_Append(packer->objects, object) : -1;
	Py_DECREF(object);
	return ret ? ret : buffer_add_byte(&packer->bytes, VALUE_OBJECT);
}

static int add_adapted(struct packer *packer, PyObject *value)
{
	if (packer->adapt)
		return add_object(packer,
				  packer->adapt(packer->context, value));
	PyErr_Format(PyExc_TypeError, "%R cannot be a key in a heap",
		     Py_TYPE(value));
	return -1;
}

/* Keys are where they are looked for, whatever their length. */
static int add_bytes(struct packer *packer, PyObject *value, unsigned char kind,
		     const char *data, Py_ssize_t length)
{
	if (packer->adapt && length > VALUE_INLINE)
		return add_adapted(packer, value);
	if (buffer_add_byte(&packer->bytes, kind) ||
	    buffer_add_number(&packer->bytes, (uint64_t)length))
		return -1;
	return buffer_add(&packer->bytes, data, (size_t)length);
}

/* A string that has surrogates in it. */
static int add_broken_str(struct packer *packer, PyObject *value)
{
	PyObject *bytes;
	int ret;

	PyErr_Clear();
	bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
	if (!bytes)
		return -1;
	ret = add_bytes(packer, value, VALUE_STR, PyBytes_AsString(bytes),
			PyBytes_Size(bytes));
	Py_DECREF(bytes);
	return ret;
}

static int add_str(struct packer *packer, PyObject *value)
{
	Py_ssize_t length;
	const char *data = PyUnicode_AsUTF8AndSize(value, &length);

	if (data)
		return add_bytes(packer, value, VALUE_STR, data, length);
	if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
		return -1;
	return add_broken_str(packer, value);
}

static int add_items(struct packer *packer, PyObject *tuple,
		     int (*add)(struct packer *packer, PyObject *value))
{
	Py_ssize_t i, n = PyTuple_Size(tuple);

	if (packer->depth == VALUE_DEPTH) {
		PyErr_SetString(PyExc_ValueError, "too many tuples in each other");
		return -1;
	}
	if (buffer_add_byte(&packer->bytes, VALUE_TUPLE) ||
	    buffer_add_number(&packer->bytes, (uint64_t)n))
		return -1;
	packer->depth++;
	for (i = 0; i < n; i++)
		if (add(packer, PyTuple_GetItem(tuple, i)))
			return -1;
	packer->depth--;
	return 0;
}

/**
 * packer_add() - add a value
 * @packer: to what
 * @value: anything that is plain, or that @packer->adapt takes
 *
 * Return: 0, or -1 with an exception; then the packer is only to be freed.
 */
int packer_add(struct packer *packer, PyObject *value)
{
	if (PyUnicode_Check(value))
		return add_str(packer, value);
	if (value == Py_None)
		return buffer_add_byte(&packer->bytes, VALUE_NONE);
	if (PyBool_Check(value))
		return buffer_add_byte(&packer->bytes, value == Py_True ?
				       VALUE_TRUE : VALUE_FALSE);
	if (PyLong_Check(value))
		return add_int(packer, value);
	if (PyFloat_Check(value))
		return add_float(packer, value);
	if (PyBytes_Check(value))
		return add_bytes(packer, value, VALUE_BYTES,
				 PyBytes_AsString(value), PyBytes_Size(value));
	if (PyTuple_Check(value))
		return add_items(packer, value, packer_add);
	return add_adapted(packer, value);
}

/* An integer that equals a float, as a new reference; NULL if there is none. */
static PyObject *integral(PyObject *value)
{
	PyObject *number = PyObject_CallMethod(value, "is_integer", NULL);
	bool is = number == Py_True;

	Py_XDECREF(number);
	return is ? PyNumber_Long(value) : NULL;
}

static int add_float_key(struct packer *packer, PyObject *key)
{
	PyObject *number = integral(key);
	int ret;

	if (!number)
		return PyErr_Occurred() ? -1 : add_float(packer, key);
	ret = add_int(packer, number);
	Py_DECREF(number);
	return ret;
}

static int add_bool_key(struct packer *packer, PyObject *key)
{
	const unsigned char bytes[] = { VALUE_INT, key == Py_True ? 2 : 0 };

	return buffer_add(&packer->bytes, bytes, sizeof(bytes));
}

/**
 * packer_add_key() - add what all keys that equal a key have in common
 * @packer: to what; its @adapt must be NULL
 * @key: str, bytes, int, float, bool, None, or a tuple of these
 *
 * For Python, 1, 1.0 and True are one key.
 * Return: as packer_add(); a TypeError for what cannot be a key.
 */
int packer_add_key(struct packer *packer, PyObject *key)
{
	if (PyUnicode_Check(key))
		return add_str(packer, key);
	if (PyBool_Check(key))
		return add_bool_key(packer, key);
	if (PyFloat_Check(key))
		return add_float_key(packer, key);
	if (PyTuple_Check(key))
		return add_items(packer, key, packer_add_key);
	return packer_add(packer, key);
}

void packer_free(struct packer *packer)
{
	buffer_free(&packer->bytes);
	Py_CLEAR(packer->objects);
}

/* --- From an object ------------------------------------------------------ */

static PyObject *corrupt(void)
{
	if (!PyErr_Occurred())
		PyErr_SetString(error_corrupt, "an object contains no value");
	return NULL;
}

static PyObject *take_int(struct reader *reader)
{
	uint64_t bits;

	if (reader_take_number(reader, &bits))
		return corrupt();
	return PyLong_FromLongLong(bits & 1 ? ~(int64_t)(bits >> 1) :
				   (int64_t)(bits >> 1));
}

static int take_bytes(struct reader *reader, const char **data,
		      Py_ssize_t *length)
{
	const unsigned char *bytes;
	uint64_t n;

	if (reader_take_number(reader, &n) || n > PY_SSIZE_T_MAX ||
	    reader_take(reader, (size_t)n, &bytes))
		return -1;
	*data = (const char *)bytes;
	*length = (Py_ssize_t)n;
	return 0;
}

static PyObject *take_long(struct reader *reader)
{
	const char *data;
	Py_ssize_t length;

	if (take_bytes(reader, &data, &length))
		return corrupt();
	return call_signed("from_bytes",
			   Py_BuildValue("y#s", data, length, "little"));
}

static PyObject *take_float(struct reader *reader)
{
	const unsigned char *bytes;
	uint64_t bits;
	double number;

	if (reader_take(reader, sizeof(bits), &bytes))
		return corrupt();
	bits = load64(bytes);
	memcpy(&number, &bits, sizeof(number));
	return PyFloat_FromDouble(number);
}

static PyObject *take_str(struct reader *reader)
{
	const char *data;
	Py_ssize_t length;

	if (take_bytes(reader, &data, &length))
		return corrupt();
	return PyUnicode_DecodeUTF8(data, length, "surrogatepass");
}

static PyObject *take_data(struct reader *reader)
{
	const char *data;
	Py_ssize_t length;

	if (take_bytes(reader, &data, &length))
		return corrupt();
	return PyBytes_FromStringAndSize(data, length);
}

/*
 * A value takes a byte at least, so a tuple takes no more memory than a pointer for each
 * byte that is left to be read. But of VALUE_DEPTH tuples in each other, all may say that
 * the rest is theirs: so what is read must be short, as what is in one object is.
 */
static PyObject *take_tuple(struct unpacker *unpacker)
{
	struct reader *reader = &unpacker->reader;
	PyObject *tuple, *item;
	uint64_t i, n;

	if (reader_take_number(reader, &n) ||
	    n > (uint64_t)(reader->end - reader->at) ||
	    unpacker->depth == VALUE_DEPTH)
		return corrupt();
	tuple = PyTuple_New((Py_ssize_t)n);
	unpacker->depth++;
	for (i = 0; tuple && i < n; i++) {
		item = unpacker_take(unpacker);
		if (!item || PyTuple_SetItem(tuple, (Py_ssize_t)i, item))
			Py_CLEAR(tuple);
	}
	unpacker->depth--;
	return tuple;
}

/**
 * unpacker_take() - take a value
 * @unpacker: from what
 *
 * Return: a new reference, or NULL with an exception.
 */
PyObject *unpacker_take(struct unpacker *unpacker)
{
	struct reader *reader = &unpacker->reader;
	unsigned char kind;

	if (reader_take_byte(reader, &kind))
		return corrupt();
	switch (kind) {
	case VALUE_NONE:
		return Py_NewRef(Py_None);
	case VALUE_FALSE:
		return Py_NewRef(Py_False);
	case VALUE_TRUE:
		return Py_NewRef(Py_True);
	case VALUE_INT:
		return take_int(reader);
	case VALUE_LONG:
		return take_long(reader);
	case VALUE_FLOAT:
		return take_float(reader);
	case VALUE_STR:
		return take_str(reader);
	case VALUE_BYTES:
		return take_data(reader);
	case VALUE_TUPLE:
		return take_tuple(unpacker);
	case VALUE_OBJECT:
		return unpacker->resolve(unpacker->context, unpacker->slot++);
	}
	return corrupt();
}

static int skip_tuple(struct unpacker *unpacker)
{
	uint64_t n;
	int ret = reader_take_number(&unpacker->reader, &n);

	if (ret || unpacker->depth == VALUE_DEPTH)
		return -1;
	unpacker->depth++;
	while (!ret && n--)
		ret = unpacker_skip(unpacker);
	unpacker->depth--;
	return ret;
}

/* Passes over a value; -1, without an exception, if there is none. */
int unpacker_skip(struct unpacker *unpacker)
{
	struct reader *reader = &unpacker->reader;
	const unsigned char *bytes;
	const char *data;
	Py_ssize_t length;
	unsigned char kind;
	uint64_t number;

	if (reader_take_byte(reader, &kind))
		return -1;
	switch (kind) {
	case VALUE_NONE:
	case VALUE_FALSE:
	case VALUE_TRUE:
		return 0;
	case VALUE_INT:
		return reader_take_number(reader, &number);
	case VALUE_FLOAT:
		return reader_take(reader, sizeof(number), &bytes);
	case VALUE_LONG:
	case VALUE_STR:
	case VALUE_BYTES:
		return take_bytes(reader, &data, &length);
	case VALUE_TUPLE:
		return skip_tuple(unpacker);
	case VALUE_OBJECT:
		unpacker->slot++;
		return 0;
	}
	return -1;
}
