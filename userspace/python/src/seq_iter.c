// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Walks over sequences: what was there when they began.
 */
#include "error.h"
#include "seq.h"

/**
 * struct seq_iter - an iterator
 * @seq: over what; a reference
 * @view: its version, pinned
 * @place: of the next entry
 * @path: to that one, or empty; whoever takes a value, which may let other threads run,
 *        has taken it away
 */
struct seq_iter {
	PyObject_HEAD
	struct object *seq;
	struct view view;
	uint64_t place;
	struct path path;
};

static PyTypeObject *seq_iter_type;

PyObject *seq_iter_new(struct object *seq)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(seq_iter_type, Py_tp_alloc);
	struct seq_iter *iter = (struct seq_iter *)alloc(seq_iter_type, 0);

	if (!iter)
		return NULL;
	if (!seq_open_pinned(&iter->view, seq)) {
		iter->seq = (struct object *)Py_NewRef((PyObject *)seq);
		if (!seq_check_count(&iter->view, seq_length_of(&iter->view)))
			return (PyObject *)iter;
	}
	Py_DECREF((PyObject *)iter);
	return NULL;
}

static void iter_dealloc(PyObject *self)
{
	struct seq_iter *iter = (struct seq_iter *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	path_clear(&iter->path);
	if (iter->seq) {
		/* A session that was closed meanwhile has no handles any more */
		if (!iter->view.session->store)
			iter->view.work = 0;
		view_close(&iter->view);
	}
	Py_XDECREF((PyObject *)iter->seq);
	free(self);
	Py_DECREF(type);
}

static int iter_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT((PyObject *)((struct seq_iter *)self)->seq);
	return 0;
}

/* Lets a path be to the entry at a place; 0, or -1 with an exception. */
static int go_to(struct seq_iter *iter, struct path *path, uint64_t place)
{
	int ret = 0;

	if (path->length && seq_path_ends(path))
		ret = view_next_leaf(&iter->view, path);
	else if (!path->length)
		ret = view_find_place(&iter->view, path, place);
	if (!ret && path->length && !seq_path_ends(path))
		return 0;
	if (!PyErr_Occurred())
		error_set_corrupt(ret ? "a version that is kept is gone" :
				  "a container has fewer entries than it says");
	return -1;
}

/* Nobody has gone on meanwhile, so the path is to the next entry. */
static bool is_next(const struct seq_iter *iter, uint64_t place)
{
	return !iter->path.length && iter->place == place + 1;
}

static PyObject *take(struct seq_iter *iter, uint64_t place)
{
	struct path path = iter->path;
	PyObject *value = NULL;

	iter->path.length = 0;
	if (!go_to(iter, &path, place)) {
		value = seq_take_value(&iter->view, &path);
		if (!value && !PyErr_Occurred())
			error_set_corrupt("a version that is kept is gone");
	}
	if (!value || !is_next(iter, place)) {
		path_clear(&path);
		return value;
	}
	path.index[path.length - 1]++;
	iter->path = path;
	return value;
}

static PyObject *iter_next(PyObject *self)
{
	struct seq_iter *iter = (struct seq_iter *)self;
	struct session *session = iter->seq->session;
	PyObject *value;

	if (iter->place >= seq_length_of(&iter->view) || session_begin(session))
		return NULL;
	value = take(iter, iter->place++);
	session_end(session);
	return value;
}

static PyType_Slot slots[] = {
	{ Py_tp_dealloc, iter_dealloc },
	{ Py_tp_traverse, iter_traverse },
	{ Py_tp_iter, PyObject_SelfIter },
	{ Py_tp_iternext, iter_next },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.SeqIterator",
	.basicsize = sizeof(struct seq_iter),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int seq_iter_init(PyObject *module)
{
	seq_iter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec,
								 NULL);
	return seq_iter_type ? 0 : -1;
}
