// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Walks over the whole heap are done in steps: each function does one, takes a cursor,
 * (0, 0) at first, and returns a list and the next cursor, or None at the end.
 */
#include <errno.h>

#include "error.h"
#include "walk.h"

#define STEP	256	/* entries in a step */
#define CHUNK	64	/* slots that are read at once */

/**
 * struct filter - what is wanted of a walk
 * @session: of what heap
 * @cursor: where the step begins
 * @ids: a set of ids, or None: any
 * @types: a set of types
 * @state: REFSTORE_STATE_* that it must have
 * @generation: or -1: any
 */
struct filter {
	struct session *session;
	uint64_t cursor[2];
	PyObject *ids;
	PyObject *types;
	uint32_t state;
	int generation;
};

static int check(struct session *session)
{
	if (PyObject_TypeCheck((PyObject *)session, session_type))
		return session_check(session);
	PyErr_SetString(PyExc_TypeError, "this is no session");
	return -1;
}

/* One step, again after signals; 0, or -1 with an exception. */
static int step(struct session *session, struct refstore_walk *walk)
{
	int ret;

	do {
		struct refstore *store = session->store;

		session->calls++;
		Py_BEGIN_ALLOW_THREADS
		ret = refstore_walk(store, walk);
		Py_END_ALLOW_THREADS
		session->calls--;
		if (ret == -EINTR && (PyErr_CheckSignals() ||
				      session_check(session)))
			return -1;
	} while (ret == -EINTR);
	if (!ret)
		return 0;
	error_set(ret);
	return -1;
}

/* The list, which is not the caller's any more, and where to go on. */
static PyObject *finish(PyObject *list, const struct refstore_walk *walk)
{
	if (walk->end)
		return Py_BuildValue("NO", list, Py_None);
	return Py_BuildValue("N(KK)", list, walk->cursor[0], walk->cursor[1]);
}

/* 1 if a number is in a set, 0, or -1 with an exception. */
static int is_in(PyObject *set, uint64_t number)
{
	PyObject *value = PyLong_FromUnsignedLongLong(number);
	int ret = value ? PySet_Contains(set, value) : -1;

	Py_XDECREF(value);
	return ret;
}

/* Appends a new reference, which may be NULL; 0, or -1 with an exception. */
static int append(PyObject *list, PyObject *value)
{
	int ret = value ? PyList_Append(list, value) : -1;

	Py_XDECREF(value);
	return ret;
}

/* A handle that is of no use; whatever Python has run meanwhile may have closed it. */
static void give_back(struct session *session, uint64_t handle)
{
	if (session->store)
		refstore_release(session->store, handle);
}

/* --- Edges ---------------------------------------------------------------- */

static int add_edge(PyObject *list, PyObject *ids,
		    const struct refstore_walk_edge *edge)
{
	int ret = is_in(ids, edge->to);

	return ret <= 0 ? ret :
	       append(list, PyLong_FromUnsignedLongLong(edge->from));
}

/* walk_edges(session, cursor, ids): ids of what refers to one of those. */
static PyObject *walk_edges(PyObject *module, PyObject *args)
{
	struct refstore_walk_edge edges[STEP];
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_EDGES, .capacity = STEP,
		.entries = (uintptr_t)edges,
	};
	unsigned long long cursor[2];
	struct session *session;
	PyObject *ids, *list;
	uint32_t i;

	(void)module;
	if (!PyArg_ParseTuple(args, "O(KK)O!", &session, &cursor[0], &cursor[1],
			      &PySet_Type, &ids) || check(session))
		return NULL;
	walk.cursor[0] = cursor[0];
	walk.cursor[1] = cursor[1];
	list = step(session, &walk) ? NULL : PyList_New(0);
	for (i = 0; list && i < walk.count; i++)
		if (add_edge(list, ids, &edges[i]))
			Py_CLEAR(list);
	return list ? finish(list, &walk) : NULL;
}

/* --- Objects -------------------------------------------------------------- */

/* 1 if an object is wanted, 0, or -1 with an exception. */
static int matches(const struct filter *filter,
		   const struct refstore_walk_object *object)
{
	int ret;

	if (!object->refs || filter->state & ~object->state)
		return 0;
	if (filter->generation >= 0 &&
	    (object->state & REFSTORE_STATE_FROZEN ||
	     object->generation != (uint32_t)filter->generation))
		return 0;
	ret = is_in(filter->types, object->type);
	if (ret <= 0 || filter->ids == Py_None)
		return ret;
	return is_in(filter->ids, object->id);
}

static int take_filter(PyObject *args, struct filter *filter)
{
	unsigned long long cursor[2];

	filter->state = 0;
	filter->generation = -1;
	if (!PyArg_ParseTuple(args, "O(KK)OO!|Ii", &filter->session, &cursor[0],
			      &cursor[1], &filter->ids, &PySet_Type,
			      &filter->types, &filter->state,
			      &filter->generation) || check(filter->session))
		return -1;
	filter->state |= REFSTORE_STATE_SLOTTED;
	filter->cursor[0] = cursor[0];
	filter->cursor[1] = cursor[1];
	if (filter->ids == Py_None || PySet_Check(filter->ids))
		return 0;
	PyErr_SetString(PyExc_TypeError, "ids are a set, or None");
	return -1;
}

static int begin(const struct filter *filter, uint32_t flags,
		 struct refstore_walk_object *objects,
		 struct refstore_walk *walk)
{
	*walk = (struct refstore_walk){
		.what = REFSTORE_WALK_OBJECTS, .flags = flags, .capacity = STEP,
		.entries = (uintptr_t)objects,
		.cursor = { filter->cursor[0], filter->cursor[1] },
	};
	return step(filter->session, walk);
}

/* A list of the ids of what is wanted. */
static PyObject *list_ids(const struct filter *filter,
			  struct refstore_walk_object *objects,
			  struct refstore_walk *walk)
{
	PyObject *list = begin(filter, 0, objects, walk) ? NULL : PyList_New(0);
	uint32_t i;

	for (i = 0; list && i < walk->count; i++) {
		const struct refstore_walk_object *object = &objects[i];
		int ret = matches(filter, object);

		if (ret > 0)
			ret = append(list,
				     PyLong_FromUnsignedLongLong(object->id));
		if (ret)
			Py_CLEAR(list);
	}
	return list;
}

/* walk_ids(session, cursor, ids, types[, state[, generation]]): ids of objects with slots. */
static PyObject *walk_ids(PyObject *module, PyObject *args)
{
	struct refstore_walk_object objects[STEP];
	struct refstore_walk walk;
	struct filter filter;
	PyObject *list;

	(void)module;
	list = take_filter(args, &filter) ? NULL :
	       list_ids(&filter, objects, &walk);
	return list ? finish(list, &walk) : NULL;
}

/* The handle of an object that was listed goes, or becomes a proxy in the list. */
static int take_object(const struct filter *filter, PyObject *list,
		       const struct refstore_walk_object *object)
{
	struct session *session = filter->session;
	int ret = object->handle && list ? matches(filter, object) : 0;

	if (ret > 0)
		ret = session_check(session) ? -1 : 1;
	if (ret > 0)
		return append(list, session_adopt(session, object->handle));
	if (object->handle)
		give_back(session, object->handle);
	return ret;
}

/* What a step listed, with handles, which all go; or NULL with an exception. */
static PyObject *take_objects(const struct filter *filter,
			      const struct refstore_walk_object *objects,
			      uint32_t count)
{
	PyObject *list = PyList_New(0);
	uint32_t i;

	for (i = 0; i < count; i++)
		if (take_object(filter, list, &objects[i]))
			Py_CLEAR(list);
	return list;
}

/*
 * walk_objects(session, cursor, ids, types[, state[, generation]]): the same, but proxies.
 *
 * A walk with handles has one made for each object that it comes by, and giving these
 * back makes work for the scanner: so each step first looks whether it is worth it.
 */
static PyObject *walk_objects(PyObject *module, PyObject *args)
{
	struct refstore_walk_object objects[STEP];
	struct refstore_walk walk;
	struct filter filter;
	PyObject *list;

	(void)module;
	list = take_filter(args, &filter) ? NULL :
	       list_ids(&filter, objects, &walk);
	if (!list || !PyList_Size(list))
		return list ? finish(list, &walk) : NULL;
	Py_DECREF(list);
	if (begin(&filter, REFSTORE_WALK_MINT, objects, &walk))
		return NULL;
	list = take_objects(&filter, objects, walk.count);
	return list ? finish(list, &walk) : NULL;
}

/* --- Slots ---------------------------------------------------------------- */

/**
 * struct children - what an object refers to
 * @object: the object
 * @inner: a set of types
 * @outer: a set of types
 * @lists: for objects of these types, as they are and as proxies
 */
struct children {
	struct object *object;
	PyObject *inner;
	PyObject *outer;
	PyObject *lists[2];
};

/* The handle goes. 0, or -1 with an exception. */
static int add_child(struct children *children, uint64_t handle)
{
	struct session *session = children->object->session;
	struct refstore_stat stat;
	int ret = refstore_stat(session->store, handle, &stat);

	if (ret)
		error_set(ret);
	ret = ret ? -1 : is_in(children->inner, stat.type);
	if (ret > 0)
		return append(children->lists[0],
			      object_plain(session, handle, stat.id));
	if (!ret)
		ret = is_in(children->outer, stat.type);
	if (ret > 0)
		return append(children->lists[1],
			      session_adopt(session, handle));
	give_back(session, handle);
	return ret;
}

static int add_chunk(struct children *children, uint32_t first, uint32_t nr)
{
	struct session *session = children->object->session;
	uint64_t handles[CHUNK];
	int ret = refstore_read_slots(session->store, children->object->handle,
				      first, handles, nr);
	uint32_t i;

	if (ret) {
		error_set(ret);
		return -1;
	}
	for (i = 0; i < nr; i++) {
		if (!handles[i])
			continue;
		if (!ret)
			ret = session_check(session);
		if (!ret)
			ret = add_child(children, handles[i]);
		else
			give_back(session, handles[i]);
	}
	return ret;
}

static int add_children(struct children *children)
{
	struct object *object = children->object;
	struct refstore_stat stat;
	uint32_t first, nr;
	int ret = refstore_stat(object->session->store, object->handle, &stat);

	if (ret) {
		error_set(ret);
		return -1;
	}
	for (first = 0; first < stat.nr_slots; first += nr) {
		nr = stat.nr_slots - first;
		nr = nr < CHUNK ? nr : CHUNK;
		if (PyErr_CheckSignals() || object_check(object) ||
		    add_chunk(children, first, nr))
			return -1;
	}
	return 0;
}

/* children(object, inner, outer): two lists, see struct children. */
static PyObject *list_children(PyObject *module, PyObject *args)
{
	struct children all;
	PyObject *result = NULL;

	(void)module;
	if (!PyArg_ParseTuple(args, "O!O!O!", object_type, &all.object,
			      &PySet_Type, &all.inner, &PySet_Type,
			      &all.outer) || object_check(all.object))
		return NULL;
	all.lists[0] = PyList_New(0);
	all.lists[1] = PyList_New(0);
	if (all.lists[0] && all.lists[1] && !add_children(&all))
		result = PyTuple_Pack(2, all.lists[0], all.lists[1]);
	Py_XDECREF(all.lists[0]);
	Py_XDECREF(all.lists[1]);
	return result;
}

static int add_type(PyObject *types, uint32_t type, const char *name)
{
	PyObject *key = PyLong_FromUnsignedLong(type);
	PyObject *value = key ? PyUnicode_FromString(name) : NULL;
	int ret = value ? PyDict_SetItem(types, key, value) : -1;

	Py_XDECREF(key);
	Py_XDECREF(value);
	return ret;
}

/* types(session): names of the types that were registered, by their numbers. */
static PyObject *list_types(PyObject *module, PyObject *value)
{
	struct session *session = (struct session *)value;
	char name[REFSTORE_TYPE_NAME_MAX];
	uint32_t type = REFSTORE_TYPE_USER;
	PyObject *types;

	(void)module;
	if (check(session))
		return NULL;
	types = PyDict_New();
	while (types && !refstore_type_name(session->store, type, name)) {
		if (add_type(types, type, name))
			Py_CLEAR(types);
		type++;
	}
	return types;
}

static PyMethodDef functions[] = {
	{ "children", list_children, METH_VARARGS, NULL },
	{ "types", list_types, METH_O, NULL },
	{ "walk_edges", walk_edges, METH_VARARGS, NULL },
	{ "walk_ids", walk_ids, METH_VARARGS, NULL },
	{ "walk_objects", walk_objects, METH_VARARGS, NULL },
	{}
};

int walk_init(PyObject *module)
{
	if (PyModule_AddIntConstant(module, "NODE_LEVELS", NODE_LEVELS) ||
	    PyModule_AddIntConstant(module, "STATE_SAVED",
				    REFSTORE_STATE_SAVED))
		return -1;
	return PyModule_AddFunctions(module, functions);
}
