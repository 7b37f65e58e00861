// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"

PyObject *error_base;
PyObject *error_limit;
PyObject *error_corrupt;

static PyObject *make(PyObject *module, const char *name, PyObject *bases,
		      const char *doc)
{
	const char *plain = strrchr(name, '.') + 1;
	PyObject *error = PyErr_NewExceptionWithDoc(name, doc, bases, NULL);

	if (error && PyModule_AddObjectRef(module, plain, error))
		Py_CLEAR(error);
	return error;
}

int error_init(PyObject *module)
{
	error_base = make(module, "refstore.Error", PyExc_OSError,
			  "A call of the store failed; errno says why.");
	if (!error_base)
		return -1;
	error_limit = make(module, "refstore.LimitError", error_base,
			   "A limit is reached; Heap.limit() tells which.");
	error_corrupt = make(module, "refstore.CorruptError", PyExc_ValueError,
			     "An object is not what this package writes.");
	return error_limit && error_corrupt ? 0 : -1;
}

/**
 * error_set_os() - raise an OSError, or the subclass that Python has for its errno
 * @type: OSError or a class that derives from it
 * @error: the errno
 * @why: what it means
 * @path: of the file that it concerns; NULL: none
 *
 * Return: NULL.
 */
PyObject *error_set_os(PyObject *type, int error, const char *why,
		       const char *path)
{
	PyObject *value = path ?
		PyObject_CallFunction(type, "iss", error, why, path) :
		PyObject_CallFunction(type, "is", error, why);

	if (value)
		PyErr_SetObject((PyObject *)Py_TYPE(value), value);
	Py_XDECREF(value);
	return NULL;
}

static PyObject *set_errno(PyObject *type, int error)
{
	return error_set_os(type, error, strerror(error), NULL);
}

/**
 * error_set() - raise what an error of the library means
 * @error: a negative errno
 *
 * Return: NULL.
 */
PyObject *error_set(int error)
{
	switch (error) {
	case -ENOMEM:
		return PyErr_NoMemory();
	case -EDQUOT:
		return set_errno(error_limit, EDQUOT);
	case -EACCES:
	case -EPERM:
		return set_errno(PyExc_PermissionError, -error);
	case -EINTR:
		if (PyErr_CheckSignals())
			return NULL;
		break;
	}
	return set_errno(error_base, -error);
}

PyObject *error_set_corrupt(const char *what)
{
	PyErr_SetString(error_corrupt, what);
	return NULL;
}
