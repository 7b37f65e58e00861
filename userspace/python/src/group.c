// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "group.h"

#define NR_PARTS 4

/**
 * struct group - refstore._store.Group
 * @object: the object
 * @parts: a tuple of what it consists of, or NULL
 */
struct group {
	struct object object;
	PyObject *parts;
};

static PyTypeObject *group_type;

static int create(struct session *session, const char *name, PyObject *parts,
		  uint64_t *handle, uint64_t *id)
{
	uint64_t handles[NR_PARTS];
	struct refstore_spec spec = {
		.flags = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS,
		.slots = handles, .nr_slots = (size_t)PyTuple_Size(parts),
	};
	size_t i;
	int ret;

	for (i = 0; i < spec.nr_slots; i++)
		handles[i] = ((struct object *)PyTuple_GetItem(
				      parts, (Py_ssize_t)i))->handle;
	ret = refstore_type_register(session->store, name, &spec.type);
	return ret ? ret : refstore_create(session->store, &spec, handle, id);
}

/* Whether all are objects of a session; false with an exception. */
static bool check_parts(struct session *session, PyObject *parts)
{
	Py_ssize_t i, n = PyTuple_Size(parts);
	PyObject *part;

	for (i = 0; i < n && n <= NR_PARTS; i++) {
		part = PyTuple_GetItem(parts, i);
		if (!PyObject_TypeCheck(part, object_type) ||
		    ((struct object *)part)->session != session)
			break;
	}
	if (n && i == n)
		return true;
	PyErr_SetString(PyExc_ValueError, "no parts for an object of this heap");
	return false;
}

/* _make(session, name, parts): class method; one whose type has a name. */
static PyObject *group_make(PyObject *class, PyObject *args)
{
	struct session *session;
	PyObject *parts, *group;
	uint64_t handle, id;
	const char *name;
	int ret;

	if (!PyArg_ParseTuple(args, "O!sO!:_make", session_type, &session, &name,
			      &PyTuple_Type, &parts) ||
	    session_check(session) || !check_parts(session, parts))
		return NULL;
	ret = create(session, name, parts, &handle, &id);
	if (ret)
		return error_set(ret);
	group = object_new(session, (PyTypeObject *)class, handle, id);
	if (group)
		((struct group *)group)->parts = Py_NewRef(parts);
	return group;
}

static PyObject *take_part(struct object *object, size_t index)
{
	uint64_t handle;
	int ret = refstore_get_slot(object->session->store, object->handle,
				    index, &handle);

	if (ret)
		return error_set(ret);
	if (!handle)
		return error_set_corrupt("an object lacks a part");
	return session_adopt(object->session, handle);
}

static PyObject *take_parts(struct object *object)
{
	struct refstore_stat stat;
	PyObject *parts, *part;
	uint32_t i;
	int ret = refstore_stat(object->session->store, object->handle, &stat);

	if (ret)
		return error_set(ret);
	if (stat.nr_slots > NR_PARTS)
		return error_set_corrupt("an object has too many parts");
	parts = PyTuple_New(stat.nr_slots);
	for (i = 0; parts && i < stat.nr_slots; i++) {
		part = take_part(object, i);
		if (!part || PyTuple_SetItem(parts, i, part))
			Py_CLEAR(parts);
	}
	return parts;
}

/* _parts: what it consists of. */
static PyObject *group_get_parts(PyObject *self, void *unused)
{
	struct group *group = (struct group *)self;
	PyObject *parts;

	(void)unused;
	if (group->parts)
		return Py_NewRef(group->parts);
	if (session_begin(group->object.session))
		return NULL;
	parts = take_parts(&group->object);
	session_end(group->object.session);
	/* Another thread may have been faster */
	if (parts && group->parts)
		Py_DECREF(parts);
	else if (parts)
		group->parts = parts;
	return parts ? Py_NewRef(group->parts) : NULL;
}

static int group_traverse(PyObject *self, visitproc visit, void *arg)
{
	traverseproc base = (traverseproc)PyType_GetSlot(object_type,
							 Py_tp_traverse);

	Py_VISIT(((struct group *)self)->parts);
	return base(self, visit, arg);
}

static int group_clear(PyObject *self)
{
	Py_CLEAR(((struct group *)self)->parts);
	return 0;
}

static void group_dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	group_clear(self);
	((destructor)PyType_GetSlot(object_type, Py_tp_dealloc))(self);
}

static PyMethodDef methods[] = {
	{ "_make", group_make, METH_VARARGS | METH_CLASS, NULL },
	{}
};

static PyGetSetDef getset[] = {
	{ "_parts", group_get_parts, NULL, "What it consists of.", NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "What consists of other objects." },
	{ Py_tp_dealloc, group_dealloc },
	{ Py_tp_traverse, group_traverse },
	{ Py_tp_clear, group_clear },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Group",
	.basicsize = sizeof(struct group),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int group_init(PyObject *module)
{
	group_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)object_type);
	return group_type ? PyModule_AddType(module, group_type) : -1;
}
