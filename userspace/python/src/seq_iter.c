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
 * @path: to the next entry
 * @begun: @path is of meaning
 */
struct seq_iter {
	PyObject_HEAD
	struct object *seq;
	struct view view;
	struct path path;
	bool begun;
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

/* Goes on to where the next entry is; the path is empty if there is none. */
static int advance(struct seq_iter *iter)
{
	struct path *path = &iter->path;

	if (!iter->begun) {
		iter->begun = true;
		return view_find_place(&iter->view, path, 0);
	}
	if (!path->length ||
	    path->index[path->length - 1] < path->nodes[path->length - 1]->nr)
		return 0;
	return view_next_leaf(&iter->view, path);
}

static PyObject *iter_next(PyObject *self)
{
	struct seq_iter *iter = (struct seq_iter *)self;
	struct path *path = &iter->path;
	PyObject *value;

	if (object_check(iter->seq))
		return NULL;
	if (!advance(iter)) {
		if (!path->length)
			return NULL;
		value = seq_take_value(&iter->view, path);
		if (value)
			path->index[path->length - 1]++;
		if (value || PyErr_Occurred())
			return value;
	}
	return PyErr_Occurred() ? NULL :
	       error_set_corrupt("a version that is kept is gone");
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
