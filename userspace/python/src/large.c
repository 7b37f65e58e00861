// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "large.h"

/**
 * struct large - refstore._store.Large: bytes of a fixed number, shared
 * @object: the large value; of no bytes, an object without data
 * @data: where they are mapped, or NULL
 * @length: how many; of meaning once they have been mapped
 * @writable: they are mapped to be written
 * @exports: buffers of Python's that refer to @data
 * @next: the next one that is mapped
 * @link: what refers to this one
 */
struct large {
	struct object object;
	char *data;
	size_t length;
	bool writable;
	size_t exports;
	struct large *next;
	struct large **link;
};

static PyTypeObject *large_type;
static struct large *mapped;	/* all of them, for large_find() */
static char nothing[1];		/* what a buffer of no bytes refers to */

/* --- Where it is mapped --------------------------------------------------- */

static void unmap(struct large *large)
{
	if (!large->data)
		return;
	if (large->length)
		munmap(large->data, large->length);
	large->data = NULL;
	*large->link = large->next;
	if (large->next)
		large->next->link = large->link;
}

static void note_mapped(struct large *large, char *data, size_t length)
{
	large->data = data;
	large->length = length;
	large->next = mapped;
	large->link = &mapped;
	if (mapped)
		mapped->link = &large->next;
	mapped = large;
}

static int map_descriptor(struct large *large, int fd, size_t length,
			  bool writable)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	char *data = mmap(NULL, length, prot, MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		return -errno;
	large->writable = writable;
	note_mapped(large, data, length);
	return 0;
}

/* To be written, or, if it is sealed, to be read. */
static int open_descriptor(struct large *large, size_t *length, bool *writable)
{
	struct refstore *store = large->object.session->store;
	uint64_t handle = large->object.handle;
	int fd = refstore_map(store, handle, REFSTORE_MAP_WRITE, length);

	*writable = fd >= 0;
	if (fd == -EPERM || fd == -EACCES)
		fd = refstore_map(store, handle, 0, length);
	return fd;
}

/* An object of this type that is no large value has no bytes, if it is one of ours. */
static int map_nothing(struct large *large)
{
	struct refstore_stat stat;
	int ret = refstore_stat(large->object.session->store,
				large->object.handle, &stat);

	if (ret) {
		error_set(ret);
		return -1;
	}
	if (stat.data_len || stat.nr_slots) {
		error_set_corrupt("a buffer is no large value");
		return -1;
	}
	note_mapped(large, nothing, 0);
	large->writable = !(stat.state & REFSTORE_STATE_SEALED_DATA);
	return 0;
}

static int set_map_error(int error)
{
	if (error == -EACCES)
		PyErr_SetString(PyExc_BufferError,
				"the buffer is not sealed: it can only be copied");
	else
		error_set(error);
	return -1;
}

/* Maps it, if it is not; 0, or -1 with an exception. */
static int map(struct large *large)
{
	bool writable;
	size_t length;
	int fd, ret;

	if (object_check(&large->object))
		return -1;
	if (large->data)
		return 0;
	fd = open_descriptor(large, &length, &writable);
	if (fd == -EOPNOTSUPP)
		return map_nothing(large);
	if (fd < 0)
		return set_map_error(fd);
	ret = map_descriptor(large, fd, length, writable);
	close(fd);
	return ret ? set_map_error(ret) : 0;
}

/* --- How it is made ------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t length)
{
	ssize_t n;

	while (length) {
		n = write(fd, data, length);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static int get_id(struct refstore *store, uint64_t handle, uint64_t *id)
{
	struct refstore_stat stat;
	int ret = refstore_stat(store, handle, &stat);

	if (!ret)
		*id = stat.id;
	return ret;
}

static int create_sealed(struct refstore *store, uint32_t type,
			 const Py_buffer *data, uint64_t *handle, uint64_t *id)
{
	int fd, ret;

	ret = refstore_large_new(store, type, (size_t)data->len, handle, &fd);
	if (ret)
		return ret;
	ret = write_all(fd, data->buf, (size_t)data->len);
	close(fd);
	if (!ret)
		ret = refstore_seal(store, *handle, REFSTORE_SEAL_DATA);
	if (!ret)
		ret = get_id(store, *handle, id);
	if (ret)
		refstore_release(store, *handle);
	return ret;
}

/**
 * large_create_sealed() - make a large value of bytes that are there
 * @session: an open one
 * @type: of the object
 * @data: the bytes, one at least
 * @handle: out: a handle, the caller's
 * @id: out: its id
 *
 * Return: 0, or a negative errno.
 */
int large_create_sealed(struct session *session, uint32_t type,
			const Py_buffer *data, uint64_t *handle, uint64_t *id)
{
	struct refstore *store = session->store;
	int ret;

	session->calls++;
	Py_BEGIN_ALLOW_THREADS
	ret = create_sealed(store, type, data, handle, id);
	Py_END_ALLOW_THREADS
	session->calls--;
	return ret;
}

static int create_empty(struct session *session, uint32_t type,
			uint64_t *handle, uint64_t *id)
{
	struct refstore_spec spec = { .type = type };

	return refstore_create(session->store, &spec, handle, id);
}

static int create_zeroed(struct refstore *store, uint32_t type, size_t length,
			 uint64_t *handle, uint64_t *id)
{
	int fd, ret;

	ret = refstore_large_new(store, type, length, handle, &fd);
	if (ret)
		return ret;
	close(fd);
	ret = get_id(store, *handle, id);
	if (ret)
		refstore_release(store, *handle);
	return ret;
}

static int large_create_zeroed(struct session *session, uint32_t type,
			       size_t length, uint64_t *handle, uint64_t *id)
{
	struct refstore *store = session->store;
	int ret;

	session->calls++;
	Py_BEGIN_ALLOW_THREADS
	ret = create_zeroed(store, type, length, handle, id);
	Py_END_ALLOW_THREADS
	session->calls--;
	return ret;
}

/* _make(session, length): class method; bytes that are all 0. */
static PyObject *large_make(PyObject *class, PyObject *args)
{
	struct session *session;
	uint64_t handle, id;
	Py_ssize_t length;
	uint32_t type;
	int ret;

	if (!PyArg_ParseTuple(args, "O!n:_make", session_type, &session,
			      &length) ||
	    session_check(session) || session_kind(session, KIND_BUFFER, &type))
		return NULL;
	if (length < 0) {
		PyErr_SetString(PyExc_ValueError, "a negative length");
		return NULL;
	}
	if (length)
		ret = large_create_zeroed(session, type, (size_t)length, &handle,
					  &id);
	else
		ret = create_empty(session, type, &handle, &id);
	if (ret)
		return error_set(ret);
	return object_new(session, (PyTypeObject *)class, handle, id);
}

/* --- What Python does with it --------------------------------------------- */

static int large_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	struct large *large = (struct large *)self;

	view->obj = NULL;
	if (map(large) ||
	    PyBuffer_FillInfo(view, self, large->data, (Py_ssize_t)large->length,
			      !large->writable, flags))
		return -1;
	large->exports++;
	return 0;
}

static void large_releasebuffer(PyObject *self, Py_buffer *view)
{
	(void)view;
	((struct large *)self)->exports--;
}

static int large_stat(struct large *large, struct refstore_stat *stat)
{
	int ret;

	if (object_check(&large->object))
		return -1;
	ret = refstore_stat(large->object.session->store, large->object.handle,
			    stat);
	if (!ret)
		return 0;
	error_set(ret);
	return -1;
}

static Py_ssize_t large_length(PyObject *self)
{
	struct large *large = (struct large *)self;
	struct refstore_stat stat;

	if (large->data)
		return (Py_ssize_t)large->length;
	return large_stat(large, &stat) ? -1 : (Py_ssize_t)stat.data_len;
}

static int seal(struct large *large)
{
	struct session *session = large->object.session;
	struct refstore *store = session->store;
	uint64_t handle = large->object.handle;
	int ret;

	unmap(large);
	session->calls++;
	Py_BEGIN_ALLOW_THREADS
	ret = refstore_seal(store, handle, REFSTORE_SEAL_DATA);
	Py_END_ALLOW_THREADS
	session->calls--;
	return ret;
}

static PyObject *large_seal(PyObject *self, PyObject *unused)
{
	struct large *large = (struct large *)self;
	int ret;

	(void)unused;
	if (object_check(&large->object))
		return NULL;
	if (large->exports)
		ret = large->writable ? -EBUSY : 0;
	else
		ret = seal(large);
	if (!ret)
		Py_RETURN_NONE;
	if (ret != -EBUSY)
		return error_set(ret);
	PyErr_SetString(PyExc_BufferError,
			large->exports ? "a view of the buffer is in use" :
			"another process or view has the buffer to be written");
	return NULL;
}

static PyObject *large_get_readonly(PyObject *self, void *unused)
{
	struct refstore_query query = { .size = sizeof(query) };
	struct large *large = (struct large *)self;
	struct refstore_stat stat;
	int ret;

	(void)unused;
	if (large_stat(large, &stat))
		return NULL;
	if (stat.state & REFSTORE_STATE_SEALED_DATA)
		Py_RETURN_TRUE;
	ret = refstore_query(large->object.session->store, &query);
	if (ret)
		return error_set(ret);
	return PyBool_FromLong(!(query.rights & REFSTORE_RIGHT_WRITE_DATA));
}

static struct large *find(struct session *session, const Py_buffer *view)
{
	uintptr_t at = (uintptr_t)view->buf, start;
	struct large *large;

	for (large = mapped; large; large = large->next) {
		start = (uintptr_t)large->data;
		if (large->object.session == session && at >= start &&
		    at - start < large->length &&
		    (size_t)view->len <= large->length - (at - start))
			return large;
	}
	return NULL;
}

/* _find(session, view): the one that a view is a part of, and where; or None. */
static PyObject *large_find(PyObject *class, PyObject *args)
{
	struct session *session;
	struct large *large;
	PyObject *result;
	Py_buffer view;

	(void)class;
	if (!PyArg_ParseTuple(args, "O!y*:_find", session_type, &session, &view))
		return NULL;
	large = find(session, &view);
	result = large ? Py_BuildValue("On", large,
				       (char *)view.buf - large->data) :
			 Py_NewRef(Py_None);
	PyBuffer_Release(&view);
	return result;
}

static void large_dealloc(PyObject *self)
{
	unmap((struct large *)self);
	((destructor)PyType_GetSlot(object_type, Py_tp_dealloc))(self);
}

static PyMethodDef methods[] = {
	{ "seal", large_seal, METH_NOARGS,
	  "seal()\n--\n\n"
	  "Let nobody write it any more; a BufferError while somebody can." },
	{ "_make", large_make, METH_VARARGS | METH_CLASS, NULL },
	{ "_find", large_find, METH_VARARGS | METH_STATIC, NULL },
	{}
};

static PyGetSetDef getset[] = {
	{ "readonly", large_get_readonly, NULL,
	  "Whether it is sealed, or the heap open for reading alone.", NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Bytes of a fixed number, shared." },
	{ Py_tp_dealloc, large_dealloc },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_sq_length, large_length },
	{ Py_bf_getbuffer, large_getbuffer },
	{ Py_bf_releasebuffer, large_releasebuffer },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Large",
	.basicsize = sizeof(struct large),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int large_init(PyObject *module)
{
	large_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)object_type);
	return large_type ? PyModule_AddType(module, large_type) : -1;
}
