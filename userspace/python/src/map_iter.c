// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Walks over maps: what was there when they began, in the order in which it came.
 *
 * The version is pinned as long as the iterator lives, and its leaves are in our memory;
 * so nothing of what is walked can go meanwhile.
 */
#include <stdlib.h>

#include "error.h"
#include "map.h"

enum { ITER_KEYS, ITER_VALUES, ITER_ITEMS };

/**
 * struct spot - where an entry is
 * @serial: its serial number
 * @leaf: in this node, which the iterator keeps
 * @entry: which one
 */
struct spot {
	uint64_t serial;
	struct node *leaf;
	uint32_t entry;
};

/**
 * struct map_iter - an iterator
 * @map: over what; a reference
 * @views: its version, pinned
 * @what: ITER_*
 * @spots: of the entries in their order
 * @nr: how many
 * @at: the next one
 */
struct map_iter {
	PyObject_HEAD
	struct map *map;
	struct map_views views;
	int what;
	struct spot *spots;
	size_t nr;
	size_t at;
};

static PyTypeObject *map_iter_type;

static int compare_spots(const void *a, const void *b)
{
	const struct spot *one = a, *other = b;

	return (one->serial > other->serial) - (one->serial < other->serial);
}

/* Of no more entries than the top says there are. */
static void add_leaf(struct map_iter *iter, struct node *leaf, size_t total)
{
	uint32_t i;

	for (i = 0; i < leaf->nr && iter->nr < total; i++)
		iter->spots[iter->nr++] = (struct spot){
			.serial = map_serial(leaf, i),
			.leaf = node_get(leaf), .entry = i,
		};
}

static int find_spots_in(struct map_iter *iter, struct view *view, size_t total)
{
	struct path path;
	int ret = view_find_place(view, &path, 0);

	while (!ret && path.length) {
		add_leaf(iter, path.nodes[path.length - 1], total);
		ret = PyErr_CheckSignals() ? -1 : view_next_leaf(view, &path);
	}
	path_clear(&path);
	return ret;
}

static int find_spots(struct map_iter *iter)
{
	uint64_t total = map_views_total(&iter->views);
	uint32_t i;
	int ret = 0;

	if (total >= SIZE_MAX / sizeof(*iter->spots)) {
		error_set_corrupt("a container has more entries than can be");
		return -1;
	}
	iter->spots = PyMem_Malloc((total + 1) * sizeof(*iter->spots));
	if (!iter->spots) {
		PyErr_NoMemory();
		return -1;
	}
	for (i = 0; i < iter->views.nr && !ret; i++)
		ret = find_spots_in(iter, &iter->views.view[i], total);
	qsort(iter->spots, iter->nr, sizeof(*iter->spots), compare_spots);
	return ret;
}

PyObject *map_iter_new(struct map *map, int what)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(map_iter_type, Py_tp_alloc);
	struct map_iter *iter;
	int ret;

	if (object_check(&map->object))
		return NULL;
	iter = (struct map_iter *)alloc(map_iter_type, 0);
	if (!iter)
		return NULL;
	iter->map = (struct map *)Py_NewRef((PyObject *)map);
	iter->what = what;
	/* Making it may have run Python, and closed the heap */
	if (session_begin(map->object.session)) {
		Py_DECREF((PyObject *)iter);
		return NULL;
	}
	ret = map_views_open(&iter->views, map, true) || find_spots(iter);
	session_end(map->object.session);
	if (!ret)
		return (PyObject *)iter;
	Py_DECREF((PyObject *)iter);
	if (!PyErr_Occurred())
		error_set_corrupt("a version that is kept is gone");
	return NULL;
}

static void iter_dealloc(PyObject *self)
{
	struct map_iter *iter = (struct map_iter *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
	size_t i;

	PyObject_GC_UnTrack(self);
	for (i = 0; i < iter->nr; i++)
		node_put(iter->spots[i].leaf);
	PyMem_Free(iter->spots);
	/* Of a session that was closed meanwhile, only memory is left */
	if (iter->views.nr)
		map_views_close(&iter->views);
	Py_XDECREF((PyObject *)iter->map);
	free(self);
	Py_DECREF(type);
}

static int iter_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct map_iter *)self)->map);
	return 0;
}

/* By the path from the top; as map_take_value(). */
static PyObject *take_by_path(struct view *view, const struct spot *spot)
{
	struct path path;
	PyObject *value = NULL;
	int ret = view_find_hash(view, &path,
				 node_hash(spot->leaf, spot->entry));

	if (!ret && path.length &&
	    path.nodes[path.length - 1]->id == spot->leaf->id) {
		path.index[path.length - 1] = spot->entry;
		value = map_take_value(view, &path);
	} else if (!PyErr_Occurred()) {
		error_set_corrupt("the nodes of a container are in disorder");
	}
	path_clear(&path);
	return value;
}

/* The path to an entry is found again only if its value refers to objects. */
static PyObject *value_at(struct map_iter *iter, const struct spot *spot)
{
	struct path path = {
		.nodes = { spot->leaf }, .index = { spot->entry }, .length = 1,
	};
	struct view *view = map_views_find(&iter->views,
					   node_hash(spot->leaf, spot->entry));
	PyObject *value;

	if (node_slot(spot->leaf, spot->entry) ==
	    node_slot(spot->leaf, spot->entry + 1))
		value = map_take_value(view, &path);
	else
		value = take_by_path(view, spot);
	if (!value && !PyErr_Occurred())
		error_set_corrupt("a version that is kept is gone");
	return value;
}

static PyObject *item_at(struct map_iter *iter, const struct spot *spot)
{
	PyObject *key = map_take_key(spot->leaf, spot->entry), *value, *item;

	value = key ? value_at(iter, spot) : NULL;
	item = value ? PyTuple_Pack(2, key, value) : NULL;
	Py_XDECREF(key);
	Py_XDECREF(value);
	return item;
}

static PyObject *take_next(struct map_iter *iter)
{
	const struct spot *spot = iter->spots + iter->at++;

	switch (iter->what) {
	case ITER_KEYS:
		return map_take_key(spot->leaf, spot->entry);
	case ITER_VALUES:
		return value_at(iter, spot);
	default:
		return item_at(iter, spot);
	}
}

static PyObject *iter_next(PyObject *self)
{
	struct map_iter *iter = (struct map_iter *)self;
	struct session *session = iter->map->object.session;
	PyObject *value;

	if (iter->at == iter->nr || session_begin(session))
		return NULL;
	value = take_next(iter);
	session_end(session);
	return value;
}

static PyObject *iter_length_hint(PyObject *self, PyObject *unused)
{
	struct map_iter *iter = (struct map_iter *)self;

	(void)unused;
	return PyLong_FromSize_t(iter->nr - iter->at);
}

/* __reversed__(): of an iterator that has not begun, from the end. */
static PyObject *iter_reversed(PyObject *self, PyObject *unused)
{
	struct map_iter *iter = (struct map_iter *)self;
	size_t i, n = iter->nr;
	struct spot spot;

	(void)unused;
	for (i = 0; i < n / 2; i++) {
		spot = iter->spots[i];
		iter->spots[i] = iter->spots[n - 1 - i];
		iter->spots[n - 1 - i] = spot;
	}
	return Py_NewRef(self);
}

static PyMethodDef methods[] = {
	{ "__length_hint__", iter_length_hint, METH_NOARGS, NULL },
	{ "__reversed__", iter_reversed, METH_NOARGS, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_dealloc, iter_dealloc },
	{ Py_tp_traverse, iter_traverse },
	{ Py_tp_iter, PyObject_SelfIter },
	{ Py_tp_iternext, iter_next },
	{ Py_tp_methods, methods },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.MapIterator",
	.basicsize = sizeof(struct map_iter),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int map_iter_init(PyObject *module)
{
	map_iter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec,
								 NULL);
	return map_iter_type ? 0 : -1;
}
