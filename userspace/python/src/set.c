// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "map.h"
#include "set.h"

/**
 * struct change - what is done with many keys of a map
 * @map: which one
 * @run: does it in @views, which nobody sees; 0, VIEW_LATE, or -1 with an exception
 * @argument: for @run
 * @toggle: keys that are not there come
 * @views: all of the map
 * @touched: what the outcome depends on: must be as it was when it is published
 */
struct change {
	struct map *map;
	int (*run)(struct change *change);
	PyObject *argument;
	bool toggle;
	struct map_views views;
	bool touched[MAP_BUCKETS];
};

static int change_found(struct change *change, struct view *view,
			const struct map_key *key)
{
	static const struct packer nothing;
	struct path path;
	const struct splice splice = { .path = &path, .remove = 1 };
	int ret = map_find(view, &path, key);

	if (!ret)
		ret = view_splice(view, &splice);
	else if (ret == -ENOENT)
		ret = change->toggle ? map_put(view, &path, false, key, &nothing,
					       false) : 0;
	path_clear(&path);
	return ret;
}

static int change_key(struct change *change, PyObject *value)
{
	struct map_key key;
	struct view *view;
	int ret = map_key_init(change->map, &key, value);

	if (!ret) {
		view = map_views_find(&change->views, key.hash);
		change->touched[view - change->views.view] = true;
		ret = change_found(change, view, &key);
	}
	map_key_free(&key);
	return ret;
}

static int change_keys(struct change *change, PyObject *keys)
{
	Py_ssize_t i;
	int ret = 0;

	for (i = 0; i < PyList_Size(keys) && !ret; i++) {
		ret = change_key(change, PyList_GetItem(keys, i));
		if (!ret && PyErr_CheckSignals())
			ret = -1;
	}
	return ret;
}

/* A narrow map that may get many keys becomes wide before. */
static int run_keys(struct change *change)
{
	struct map_views *views = &change->views;
	size_t nr = (size_t)PyList_Size(change->argument);
	int ret;

	if (!change->toggle || !map_can_widen(change->map) ||
	    map_views_total(views) + nr < MAP_WIDEN)
		return change_keys(change, change->argument);
	ret = map_widen(change->map, &views->view[0]);
	return ret ? ret : VIEW_LATE;
}

/* Adds those keys of a leaf to a list that the function does not want. */
static int refuse(const struct node *leaf, PyObject *function, PyObject *keys)
{
	PyObject *key, *answer;
	int wanted, ret = 0;
	uint32_t i;

	for (i = 0; i < leaf->nr && !ret; i++) {
		key = map_take_key(leaf, i);
		answer = key ? PyObject_CallFunctionObjArgs(function, key, NULL) :
			       NULL;
		wanted = answer ? PyObject_IsTrue(answer) : -1;
		ret = wanted < 0 ? -1 : wanted ? 0 : PyList_Append(keys, key);
		Py_XDECREF(answer);
		Py_XDECREF(key);
	}
	return ret;
}

static int refuse_all(struct view *view, PyObject *function, PyObject *keys)
{
	struct path path;
	int ret = view_find_place(view, &path, 0);

	while (!ret && path.length) {
		ret = refuse(path.nodes[path.length - 1], function, keys);
		if (!ret)
			ret = view_next_leaf(view, &path);
	}
	path_clear(&path);
	return ret;
}

static int run_filter(struct change *change)
{
	PyObject *keys = PyList_New(0);
	int ret = keys ? 0 : -1;
	uint32_t i;

	for (i = 0; i < change->views.nr && !ret; i++) {
		change->touched[i] = true;
		ret = refuse_all(&change->views.view[i], change->argument, keys);
	}
	if (!ret)
		ret = change_keys(change, keys);
	Py_XDECREF(keys);
	return ret;
}

static int change_once(struct change *change)
{
	int ret;

	memset(change->touched, 0, sizeof(change->touched));
	if (map_views_open(&change->views, change->map, false))
		return -1;
	ret = change->run(change);
	if (!ret)
		ret = map_views_publish(&change->views, change->touched);
	map_views_close(&change->views);
	return ret;
}

/* Until nobody else is faster. */
static PyObject *change_all(struct change *change)
{
	struct object *object = &change->map->object;
	int ret;

	if (object_check(object) || session_begin(object->session))
		return NULL;
	do {
		ret = change_once(change);
	} while (view_again(&ret));
	session_end(object->session);
	return ret ? NULL : Py_NewRef(Py_None);
}

/* _discard_all(keys): a list of those that shall not be there. */
static PyObject *set_discard_all(PyObject *map, PyObject *keys)
{
	struct change change = {
		.map = (struct map *)map, .run = run_keys, .argument = keys,
	};

	return PyList_Size(keys) < 0 ? NULL : change_all(&change);
}

/*
 * _toggle_all(keys): a list of those, no two of them equal, that shall be there if they
 * are not, and the other way round.
 */
static PyObject *set_toggle_all(PyObject *map, PyObject *keys)
{
	struct change change = {
		.map = (struct map *)map, .run = run_keys, .argument = keys,
		.toggle = true,
	};

	return PyList_Size(keys) < 0 ? NULL : change_all(&change);
}

/* _filter(function): only those keys stay for which it returns something true. */
static PyObject *set_filter(PyObject *map, PyObject *function)
{
	struct change change = {
		.map = (struct map *)map, .run = run_filter,
		.argument = function,
	};

	return change_all(&change);
}

static struct view *find_any(struct map_views *views)
{
	uint32_t i;

	for (i = 0; i < views->nr; i++)
		if (views->view[i].top)
			return &views->view[i];
	return NULL;
}

static int pop_first(struct view *view, PyObject **key)
{
	struct path path;
	const struct splice splice = {
		.path = &path, .remove = 1, .publish = true,
	};
	int ret = view_find_place(view, &path, 0);

	*key = NULL;
	if (!ret) {
		*key = map_take_key(path.nodes[path.length - 1],
				    path.index[path.length - 1]);
		ret = *key ? view_splice(view, &splice) : -1;
	}
	path_clear(&path);
	if (ret)
		Py_CLEAR(*key);
	return ret;
}

static int pop(struct map_views *views, PyObject **key)
{
	struct view *view = find_any(views);

	if (view)
		return pop_first(view, key);
	PyErr_SetString(PyExc_KeyError, "pop from an empty set");
	return -1;
}

/* The key that is the easiest. */
static PyObject *set_pop(PyObject *map, PyObject *unused)
{
	PyObject *key = NULL;

	(void)unused;
	if (!map_views_run((struct map *)map, pop, &key))
		return key;
	Py_XDECREF(key);
	return NULL;
}

static PyMethodDef methods[] = {
	{ "pop", set_pop, METH_NOARGS,
	  "pop()\n--\n\nRemove an element, whichever, and return it." },
	{ "_discard_all", set_discard_all, METH_O, NULL },
	{ "_toggle_all", set_toggle_all, METH_O, NULL },
	{ "_filter", set_filter, METH_O, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A map whose entries have no values." },
	{ Py_tp_methods, methods },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.KeySet",
	.basicsize = sizeof(struct map),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

/* After map_init(). */
int set_init(PyObject *module)
{
	PyObject *base = PyObject_GetAttrString(module, "Map"), *type;
	int ret = -1;

	type = base ? PyType_FromModuleAndSpec(module, &spec, base) : NULL;
	if (type)
		ret = PyModule_AddType(module, (PyTypeObject *)type);
	Py_XDECREF(base);
	Py_XDECREF(type);
	return ret;
}
