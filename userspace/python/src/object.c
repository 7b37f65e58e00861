// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stddef.h>

#include "error.h"
#include "session.h"
#include "share.h"

PyTypeObject *object_type;

/* Notes where a proxy is, for session_known(); 0, or -1 with an exception. */
static int remember(struct object *object)
{
	PyObject *key = PyLong_FromUnsignedLongLong(object->id);
	PyObject *weak = key ? PyWeakref_NewRef((PyObject *)object, NULL) : NULL;
	int ret = weak ? PyDict_SetItem(object->session->proxies, key, weak) :
			 -1;

	Py_XDECREF(key);
	Py_XDECREF(weak);
	return ret;
}

/* Unless there is another proxy by now. An exception that is raised stays. */
static void forget(struct object *object)
{
	PyObject *proxies = object->session->proxies, *key, *weak;
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	key = proxies ? PyLong_FromUnsignedLongLong(object->id) : NULL;
	weak = key ? PyDict_GetItemWithError(proxies, key) : NULL;
	if (weak && PyWeakref_GetObject(weak) == Py_None)
		PyDict_DelItem(proxies, key);
	Py_XDECREF(key);
	PyErr_Restore(type, value, traceback);
}

static PyObject *make(struct session *session, PyTypeObject *type,
		      uint64_t handle, uint64_t id)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct object *object = (struct object *)alloc(type, 0);

	if (!object) {
		refstore_release(session->store, handle);
		return NULL;
	}
	object->session = (struct session *)Py_NewRef((PyObject *)session);
	object->handle = handle;
	object->id = id;
	return (PyObject *)object;
}

/**
 * object_new() - an Object for a handle
 * @session: whose the handle is
 * @type: Object, or a class that is derived from it
 * @handle: not the caller's any more, whatever happens
 * @id: of the object
 *
 * Return: a new reference, or NULL with an exception.
 */
PyObject *object_new(struct session *session, PyTypeObject *type,
		     uint64_t handle, uint64_t id)
{
	PyObject *object = make(session, type, handle, id);

	if (!object || !remember((struct object *)object))
		return object;
	Py_DECREF(object);
	return NULL;
}

/* An Object for a handle, of which nobody shall know. */
PyObject *object_plain(struct session *session, uint64_t handle, uint64_t id)
{
	return make(session, object_type, handle, id);
}

/* 0, or -1 with an exception if its heap is closed, or it was never made by us. */
int object_check(struct object *object)
{
	if (object->session)
		return session_check(object->session);
	PyErr_SetString(PyExc_TypeError, "this is no object of a heap");
	return -1;
}

static int object_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct object *)self)->session);
	return 0;
}

/* The session stays: without it, nobody could release the handle. */
static void object_dealloc(PyObject *self)
{
	struct object *object = (struct object *)self;
	struct session *session = object->session;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	if (object->weakrefs)
		PyObject_ClearWeakRefs(self);
	if (session) {
		forget(object);
		if (session->store)
			refstore_release(session->store, object->handle);
	}
	Py_XDECREF((PyObject *)session);
	free(self);
	Py_DECREF(type);
}

static PyObject *object_get_id(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct object *)self)->id);
}

static PyObject *object_get_session(PyObject *self, void *unused)
{
	struct session *session = ((struct object *)self)->session;

	(void)unused;
	return Py_NewRef(session ? (PyObject *)session : Py_None);
}

static PyObject *read_data(struct object *object, size_t length)
{
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
	char *data = bytes ? PyBytes_AsString(bytes) : NULL;
	struct refstore *store = object->session->store;
	uint64_t handle = object->handle;
	ssize_t n;

	if (!bytes)
		return NULL;
	object->session->calls++;
	Py_BEGIN_ALLOW_THREADS
	n = refstore_read(store, handle, 0, data, length);
	Py_END_ALLOW_THREADS
	object->session->calls--;
	if (n == (ssize_t)length)
		return bytes;
	Py_DECREF(bytes);
	return n < 0 ? error_set((int)n) :
		       error_set_corrupt("an object is shorter than it says");
}

/* How many bytes of data there are; 0, or -1 with an exception. */
static int get_length(struct object *object, uint64_t *length)
{
	struct refstore_stat stat;
	int ret;

	if (object_check(object))
		return -1;
	ret = refstore_stat(object->session->store, object->handle, &stat);
	if (ret) {
		error_set(ret);
		return -1;
	}
	*length = stat.data_len;
	return 0;
}

/* read(): all of the data. */
static PyObject *object_read(PyObject *self, PyObject *unused)
{
	struct object *object = (struct object *)self;
	uint64_t length;

	(void)unused;
	if (get_length(object, &length))
		return NULL;
	if (length > PY_SSIZE_T_MAX)
		return PyErr_NoMemory();
	return read_data(object, (size_t)length);
}

/* What Session.value() has packed, which never makes a large value of it. */
static PyObject *read_packed(struct object *object)
{
	uint64_t length;

	if (get_length(object, &length))
		return NULL;
	if (length <= object->session->max_data)
		return read_data(object, (size_t)length);
	return error_set_corrupt("an object contains more than a value can");
}

/* Whether a handle is of a value that is itself unpacked, without end perhaps. */
static bool is_value(struct session *session, uint64_t handle)
{
	struct refstore_stat stat;
	uint32_t type;

	return session_kind(session, KIND_VALUE, &type) ||
	       refstore_stat(session->store, handle, &stat) ||
	       stat.type == type;
}

static PyObject *resolve_slot(void *context, uint32_t slot)
{
	struct object *object = context;
	struct session *session = object->session;
	uint64_t handle;
	int ret = object_check(object);

	if (ret)
		return NULL;
	ret = refstore_get_slot(session->store, object->handle, slot, &handle);
	if (ret)
		return error_set(ret);
	if (handle && !is_value(session, handle))
		return session_adopt(session, handle);
	if (handle)
		refstore_release(session->store, handle);
	return error_set_corrupt("an object lacks what it refers to");
}

/* unpack(): the value in the data, as Session.value() has put it there. */
static PyObject *object_unpack(PyObject *self, PyObject *unused)
{
	struct object *object = (struct object *)self;
	struct unpacker unpacker = {
		.resolve = resolve_slot, .context = object,
	};
	PyObject *bytes = read_packed(object), *value;

	(void)unused;
	if (!bytes)
		return NULL;
	unpacker.reader.at = (unsigned char *)PyBytes_AsString(bytes);
	unpacker.reader.end = unpacker.reader.at + PyBytes_Size(bytes);
	value = unpacker_take(&unpacker);
	Py_DECREF(bytes);
	return value;
}

static PyMethodDef methods[] = {
	{ "_read", object_read, METH_NOARGS, NULL },
	{ "_unpack", object_unpack, METH_NOARGS, NULL },
	{ "__reduce__", share_reduce, METH_NOARGS, NULL },
	{}
};

static PyGetSetDef getset[] = {
	{ "_id", object_get_id, NULL, "The id of the object in its heap.", NULL },
	{ "_session", object_get_session, NULL, "The session.", NULL },
	{}
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct object, weakrefs),
	  READONLY, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A reference to an object of a heap." },
	{ Py_tp_dealloc, object_dealloc },
	{ Py_tp_traverse, object_traverse },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Object",
	.basicsize = sizeof(struct object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int object_init(PyObject *module)
{
	object_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec,
							       NULL);
	return object_type ? PyModule_AddType(module, object_type) : -1;
}
