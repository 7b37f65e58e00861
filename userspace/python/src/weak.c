// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "weak.h"

/**
 * struct weak - refstore._store.Weak: a weak handle
 * @session: whose
 * @handle: ours to release, which takes back the request for a notice, too
 * @id: of the object
 */
struct weak {
	PyObject_HEAD
	struct session *session;
	uint64_t handle;
	uint64_t id;
};

static PyTypeObject *weak_type;

static PyObject *make(struct session *session, uint64_t handle, uint64_t id)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(weak_type, Py_tp_alloc);
	struct weak *weak = (struct weak *)alloc(weak_type, 0);

	if (!weak) {
		refstore_release(session->store, handle);
		return NULL;
	}
	weak->session = (struct session *)Py_NewRef((PyObject *)session);
	weak->handle = handle;
	weak->id = id;
	return (PyObject *)weak;
}

static int weak_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct weak *)self)->session);
	return 0;
}

/* The session stays: without it, nobody could release the handle. */
static void weak_dealloc(PyObject *self)
{
	struct weak *weak = (struct weak *)self;
	struct session *session = weak->session;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	if (session && session->store)
		refstore_release(session->store, weak->handle);
	Py_XDECREF((PyObject *)session);
	free(self);
	Py_DECREF(type);
}

/* upgrade(): the object; None if it is dead. */
static PyObject *weak_upgrade(PyObject *self, PyObject *unused)
{
	struct weak *weak = (struct weak *)self;
	uint64_t handle;
	int ret;

	(void)unused;
	if (session_check(weak->session))
		return NULL;
	ret = refstore_upgrade(weak->session->store, weak->handle, &handle);
	if (ret)
		return error_set(ret);
	if (!handle)
		Py_RETURN_NONE;
	return session_adopt(weak->session, handle);
}

static PyObject *weak_get_session(PyObject *self, void *unused)
{
	(void)unused;
	return Py_NewRef((PyObject *)((struct weak *)self)->session);
}

/* What an Object or a Weak is a handle of; 0, or -1 with an exception. */
static int look_at(PyObject *what, struct session **session, uint64_t *handle,
		   uint64_t *id)
{
	if (PyObject_TypeCheck(what, weak_type)) {
		struct weak *weak = (struct weak *)what;

		*session = weak->session;
		*handle = weak->handle;
		*id = weak->id;
		return 0;
	}
	if (PyObject_TypeCheck(what, object_type)) {
		struct object *object = (struct object *)what;

		*session = object->session;
		*handle = object->handle;
		*id = object->id;
		return object_check(object);
	}
	PyErr_Format(PyExc_TypeError, "%R is no object of a heap", what);
	return -1;
}

static PyObject *weak_get_identity(PyObject *self, void *unused)
{
	struct weak *weak = (struct weak *)self;

	(void)unused;
	return Py_BuildValue("KK", weak->session->heap, weak->id);
}

/* identity(what): two numbers, of its heap and of the object, which no other has. */
static PyObject *store_identity(PyObject *module, PyObject *what)
{
	struct session *session;
	uint64_t handle, id;

	(void)module;
	if (look_at(what, &session, &handle, &id))
		return NULL;
	return Py_BuildValue("KK", session->heap, id);
}

/* weak(what, cookie=None): a Weak of an Object, or of what a Weak is of. */
static PyObject *store_weak(PyObject *module, PyObject *args)
{
	PyObject *what, *cookie = Py_None;
	struct session *session;
	uint64_t handle, id, number = 0, weak;
	int ret;

	(void)module;
	if (!PyArg_ParseTuple(args, "O|O:weak", &what, &cookie) ||
	    look_at(what, &session, &handle, &id) || session_check(session))
		return NULL;
	if (cookie != Py_None) {
		number = PyLong_AsUnsignedLongLong(cookie);
		if (PyErr_Occurred())
			return NULL;
		ret = refstore_weak_notify(session->store, handle, number,
					   &weak);
	} else {
		ret = refstore_weak(session->store, handle, &weak);
	}
	return ret ? error_set(ret) : make(session, weak, id);
}

static PyMethodDef functions[] = {
	{ "identity", store_identity, METH_O, NULL },
	{ "weak", store_weak, METH_VARARGS, NULL },
	{}
};

static PyMethodDef methods[] = {
	{ "upgrade", weak_upgrade, METH_NOARGS, NULL },
	{}
};

static PyGetSetDef getset[] = {
	{ "_session", weak_get_session, NULL, "The session.", NULL },
	{ "identity", weak_get_identity, NULL, "As of identity().", NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A weak handle of an object of a heap." },
	{ Py_tp_dealloc, weak_dealloc },
	{ Py_tp_traverse, weak_traverse },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Weak",
	.basicsize = sizeof(struct weak),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int weak_init(PyObject *module)
{
	weak_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec,
							     NULL);
	if (!weak_type || PyModule_AddType(module, weak_type))
		return -1;
	return PyModule_AddFunctions(module, functions);
}
