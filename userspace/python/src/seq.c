// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "seq.h"
#include "take.h"

#define MANY	100000	/* entries, of which is looked whether there can be so many */

static PyTypeObject *seq_type;

/* --- Reading ------------------------------------------------------------- */

uint64_t seq_length_of(const struct view *view)
{
	return view->top ? node_total(view->top) : 0;
}

/* The value of the entry that a path is to; as take_value(). */
PyObject *seq_take_value(struct view *view, struct path *path)
{
	unsigned int last = path->length - 1;

	return take_value(view, path,
			  node_entry(path->nodes[last], path->index[last]));
}

/* A view that is pinned; 0, or -1 with an exception. */
int seq_open_pinned(struct view *view, struct object *seq)
{
	int ret;

	if (object_check(seq))
		return -1;
	do {
		ret = view_open(view, seq, 0, false);
		if (ret)
			continue;
		ret = view_pin(view);
		if (ret)
			view_close(view);
	} while (view_again(&ret));
	return ret;
}

/* Whether a path is to an entry: behind the last one there is none. */
bool seq_path_ends(const struct path *path)
{
	const struct node *leaf = path->nodes[path->length - 1];

	return path->index[path->length - 1] >= leaf->nr;
}

static int check_entry(const struct path *path)
{
	if (path->length && !seq_path_ends(path))
		return 0;
	error_set_corrupt("a container has fewer entries than it says");
	return -1;
}

static int take_at(struct view *view, uint64_t place, PyObject **value)
{
	struct path path;
	int ret = view_find_place(view, &path, place);

	if (!ret)
		ret = check_entry(&path);
	if (!ret) {
		*value = seq_take_value(view, &path);
		ret = *value ? 0 : PyErr_Occurred() ? -1 : VIEW_LATE;
	}
	path_clear(&path);
	return ret;
}

/*
 * Looks whether there can be as many entries. Nodes that are there several times, which
 * ours never are, may say that there are more than any memory holds; of others, each
 * entry has bytes that the heap is charged for.
 */
int seq_check_count(const struct view *view, uint64_t count)
{
	struct refstore_limit limit = {
		.size = sizeof(limit), .limit = REFSTORE_LIMIT_HEAP_BYTES,
	};

	if (count < MANY)
		return 0;
	if (!refstore_limit(view->session->store, &limit) &&
	    count <= limit.used)
		return 0;
	error_set_corrupt("a container has more entries than can be");
	return -1;
}

/* Adds the values from a place on to a list, as many as are asked for. */
static int take_range(struct view *view, uint64_t place, uint64_t count,
		      PyObject *list)
{
	struct path path;
	PyObject *value;
	int ret;

	if (!count)
		return 0;
	if (seq_check_count(view, count))
		return -1;
	ret = view_find_place(view, &path, place);
	while (!ret && count && path.length) {
		struct node *leaf = path.nodes[path.length - 1];
		uint32_t *entry = &path.index[path.length - 1];

		for (; !ret && count && *entry < leaf->nr; ++*entry, count--) {
			value = seq_take_value(view, &path);
			ret = value ? PyList_Append(list, value) : -1;
			Py_XDECREF(value);
		}
		if (!ret && count)
			ret = PyErr_CheckSignals() ? -1 :
			      view_next_leaf(view, &path);
	}
	path_clear(&path);
	if (ret && !PyErr_Occurred())
		error_set_corrupt("a version that is kept is gone");
	return ret ? -1 : 0;
}

/* What a pinned view has, as a list. */
static PyObject *take_all(struct view *view)
{
	PyObject *list = PyList_New(0);

	if (list && take_range(view, 0, seq_length_of(view), list))
		Py_CLEAR(list);
	return list;
}

/* --- Changing ------------------------------------------------------------ */

/**
 * struct values - values on their way into a sequence
 * @packers: one for each
 * @entries: what they are
 * @nr: how many
 */
struct values {
	struct packer *packers;
	struct entry *entries;
	size_t nr;
};

static void values_free(struct values *values)
{
	size_t i;

	for (i = 0; values->packers && i < values->nr; i++)
		packer_free(&values->packers[i]);
	PyMem_Free(values->packers);
	PyMem_Free(values->entries);
}

static int pack_value(struct values *values, size_t i, struct object *seq,
		      PyObject *value)
{
	struct packer *packer = &values->packers[i];

	packer->adapt = session_adapt;
	packer->context = seq->session;
	if (!value || packer_add(packer, value))
		return -1;
	values->entries[i] = (struct entry){
		.data = packer->bytes.data,
		.length = packer->bytes.length,
		.objects = packer->objects,
	};
	return 0;
}

static int values_alloc(struct values *values, size_t nr)
{
	values->packers = PyMem_Calloc(nr + 1, sizeof(*values->packers));
	values->entries = PyMem_Calloc(nr + 1, sizeof(*values->entries));
	values->nr = nr;
	if (values->packers && values->entries)
		return 0;
	PyErr_NoMemory();
	return -1;
}

/* Packs what is in a list; NULL is an empty one. To be freed, whatever is returned. */
static int values_init(struct values *values, struct object *seq,
		       PyObject *list)
{
	Py_ssize_t i, n = list ? PySequence_Size(list) : 0;
	PyObject *value;
	int ret;

	*values = (struct values){};
	if (n < 0 || values_alloc(values, (size_t)n))
		return -1;
	for (i = 0; i < n; i++) {
		value = PySequence_GetItem(list, i);
		ret = pack_value(values, (size_t)i, seq, value);
		Py_XDECREF(value);
		if (ret)
			return -1;
	}
	return 0;
}

/* As much of a change as one leaf takes; says how much that was. */
static int splice_at(struct view *view, uint64_t place, uint64_t *remove,
		     const struct entry *entries, size_t *nr)
{
	struct path path;
	struct splice splice = { .path = &path, .entries = entries };
	uint32_t there;
	int ret = view_find_place(view, &path, place);

	if (!ret && *remove)
		ret = check_entry(&path);
	if (!ret) {
		there = path.length ? path.nodes[path.length - 1]->nr -
				      path.index[path.length - 1] : 0;
		splice.remove = *remove < there ? (uint32_t)*remove : there;
		if (splice.remove == *remove)
			splice.nr_entries = *nr < SPLICE_MAX ? (uint32_t)*nr :
							       SPLICE_MAX;
		splice.publish = splice.remove == *remove &&
				 splice.nr_entries == *nr;
		*remove -= splice.remove;
		*nr -= splice.nr_entries;
		ret = view_splice(view, &splice);
	}
	path_clear(&path);
	return ret;
}

/**
 * replace() - put values in the place of others
 * @view: of the sequence
 * @place: of the first
 * @remove: how many go
 * @values: what comes
 *
 * Return: 0, when it is the sequence's version; VIEW_LATE, or -1 with an exception.
 */
static int replace(struct view *view, uint64_t place, uint64_t remove,
		   const struct values *values)
{
	const struct entry *entries = values->entries;
	size_t left = values->nr, before;
	int ret = 0;

	if (!left && !remove)
		return 0;
	if (seq_check_count(view, remove))
		return -1;
	do {
		before = left;
		ret = splice_at(view, place, &remove, entries, &left);
		entries += before - left;
		place += before - left;
		if (!ret && PyErr_CheckSignals())
			ret = -1;
	} while (!ret && (left || remove));
	return ret;
}

/* The same for all that is there. */
static int replace_all(struct view *view, const struct values *values)
{
	node_put(view->top);
	view->top = NULL;
	if (view->work)
		refstore_release(view->session->store, view->work);
	view->work = 0;
	return values->nr ? replace(view, 0, 0, values) : view_publish(view);
}

/**
 * struct change - what is done with a sequence
 * @run: does it in a view; 0, VIEW_LATE, or -1 with an exception
 * @index: a place, as Python counts them
 * @slice: or a range of them
 * @values: what comes there
 * @result: what went, if somebody wants to have it
 */
struct change {
	int (*run)(struct view *view, struct change *change);
	Py_ssize_t index;
	PyObject *slice;
	struct values values;
	PyObject *result;
};

static int run(struct object *seq, struct change *change)
{
	struct view view;
	int ret;

	if (object_check(seq))
		return -1;
	session_begin(seq->session);
	do {
		Py_CLEAR(change->result);
		ret = view_open(&view, seq, 0, false);
		if (ret)
			continue;
		ret = change->run(&view, change);
		view_close(&view);
	} while (view_again(&ret));
	session_end(seq->session);
	return ret;
}

/* A place that must be there. */
static int find_index(const struct view *view, Py_ssize_t index,
		      uint64_t *place)
{
	Py_ssize_t length = (Py_ssize_t)seq_length_of(view);

	if (index < 0)
		index += length;
	if (index < 0 || index >= length) {
		PyErr_SetString(PyExc_IndexError, "list index out of range");
		return -1;
	}
	*place = (uint64_t)index;
	return 0;
}

static int run_get(struct view *view, struct change *change)
{
	uint64_t place;
	int ret = find_index(view, change->index, &place);

	return ret ? ret : take_at(view, place, &change->result);
}

static int run_set(struct view *view, struct change *change)
{
	uint64_t place;
	int ret = find_index(view, change->index, &place);

	return ret ? ret : replace(view, place, 1, &change->values);
}

static int run_pop(struct view *view, struct change *change)
{
	uint64_t place;
	int ret;

	if (!seq_length_of(view)) {
		PyErr_SetString(PyExc_IndexError, "pop from empty list");
		return -1;
	}
	ret = find_index(view, change->index, &place);
	if (!ret)
		ret = take_at(view, place, &change->result);
	return ret ? ret : replace(view, place, 1, &change->values);
}

/* Where insert() puts something, whatever the number. */
static int run_insert(struct view *view, struct change *change)
{
	Py_ssize_t length = (Py_ssize_t)seq_length_of(view), index = change->index;

	if (index < 0)
		index += length;
	if (index < 0)
		index = 0;
	if (index > length)
		index = length;
	return replace(view, (uint64_t)index, 0, &change->values);
}

static int find_slice(const struct view *view, PyObject *slice,
		      Py_ssize_t *start, Py_ssize_t *step, Py_ssize_t *count)
{
	Py_ssize_t stop;

	if (PySlice_Unpack(slice, start, &stop, step))
		return -1;
	*count = PySlice_AdjustIndices((Py_ssize_t)seq_length_of(view), start,
				       &stop, *step);
	return 0;
}

static int run_set_slice(struct view *view, struct change *change)
{
	Py_ssize_t start, step, count;

	if (find_slice(view, change->slice, &start, &step, &count))
		return -1;
	return replace(view, (uint64_t)start, (uint64_t)count, &change->values);
}

static int run_assign(struct view *view, struct change *change)
{
	return replace_all(view, &change->values);
}

/* --- Methods ------------------------------------------------------------- */

static void change_free(struct change *change)
{
	values_free(&change->values);
	Py_CLEAR(change->result);
}

/* Packs one value. */
static int prepare(PyObject *self, struct change *change, PyObject *value)
{
	if (values_alloc(&change->values, 1))
		return -1;
	return pack_value(&change->values, 0, (struct object *)self, value);
}

static Py_ssize_t seq_length(PyObject *self)
{
	struct object *seq = (struct object *)self;
	struct view view;
	Py_ssize_t length;
	int ret;

	if (object_check(seq))
		return -1;
	do {
		ret = view_open(&view, seq, 0, false);
	} while (view_again(&ret));
	if (ret)
		return -1;
	length = (Py_ssize_t)seq_length_of(&view);
	view_close(&view);
	return length;
}

/* As take_range(), of places that are not beside each other. */
static int take_steps(struct view *view, Py_ssize_t start, Py_ssize_t step,
		      Py_ssize_t count, PyObject *list)
{
	PyObject *value;
	int ret = seq_check_count(view, (uint64_t)count);

	for (; !ret && count--; start += step) {
		value = NULL;
		ret = take_at(view, (uint64_t)start, &value);
		if (!ret && (PyList_Append(list, value) || PyErr_CheckSignals()))
			ret = -1;
		Py_XDECREF(value);
	}
	if (ret && !PyErr_Occurred())
		error_set_corrupt("a version that is kept is gone");
	return ret ? -1 : 0;
}

static PyObject *slice_of(struct view *view, PyObject *slice)
{
	Py_ssize_t start, step, count;
	PyObject *list;
	int ret;

	if (find_slice(view, slice, &start, &step, &count))
		return NULL;
	list = PyList_New(0);
	if (!list)
		return NULL;
	if (step == 1)
		ret = take_range(view, (uint64_t)start, (uint64_t)count, list);
	else
		ret = take_steps(view, start, step, count, list);
	if (ret)
		Py_CLEAR(list);
	return list;
}

static PyObject *get_slice(PyObject *self, PyObject *slice)
{
	struct object *seq = (struct object *)self;
	PyObject *list = NULL;
	struct view view;

	if (object_check(seq) || session_begin(seq->session))
		return NULL;
	if (!seq_open_pinned(&view, seq)) {
		list = slice_of(&view, slice);
		view_close(&view);
	}
	session_end(seq->session);
	return list;
}

static PyObject *seq_subscript(PyObject *self, PyObject *index)
{
	struct change change = { .run = run_get };
	PyObject *value;

	if (PySlice_Check(index))
		return get_slice(self, index);
	change.index = PyNumber_AsSsize_t(index, PyExc_IndexError);
	if (change.index == -1 && PyErr_Occurred())
		return NULL;
	value = run((struct object *)self, &change) ? NULL :
		Py_NewRef(change.result);
	change_free(&change);
	return value;
}

static int set_item(PyObject *self, PyObject *index, PyObject *value)
{
	struct change change = { .run = value ? run_set : run_pop };
	int ret;

	change.index = PyNumber_AsSsize_t(index, PyExc_IndexError);
	if (change.index == -1 && PyErr_Occurred())
		return -1;
	ret = value ? prepare(self, &change, value) : 0;
	if (!ret)
		ret = run((struct object *)self, &change);
	change_free(&change);
	return ret;
}

static PyObject *insert(PyObject *self, Py_ssize_t index, PyObject *value)
{
	struct change change = { .run = run_insert, .index = index };
	int ret = prepare(self, &change, value);

	if (!ret)
		ret = run((struct object *)self, &change);
	change_free(&change);
	return ret ? NULL : Py_NewRef(Py_None);
}

static PyObject *seq_append(PyObject *self, PyObject *value)
{
	return insert(self, PY_SSIZE_T_MAX, value);
}

static PyObject *seq_insert(PyObject *self, PyObject *args)
{
	Py_ssize_t index;
	PyObject *value;

	if (!PyArg_ParseTuple(args, "nO:insert", &index, &value))
		return NULL;
	return insert(self, index, value);
}

static PyObject *seq_extend(PyObject *self, PyObject *values)
{
	struct change change = { .run = run_insert, .index = PY_SSIZE_T_MAX };
	PyObject *list = PySequence_List(values);
	int ret = -1;

	if (list && !values_init(&change.values, (struct object *)self, list))
		ret = run((struct object *)self, &change);
	Py_XDECREF(list);
	change_free(&change);
	return ret ? NULL : Py_NewRef(Py_None);
}

static PyObject *seq_pop(PyObject *self, PyObject *args)
{
	struct change change = { .run = run_pop, .index = -1 };
	PyObject *value;

	if (!PyArg_ParseTuple(args, "|n:pop", &change.index))
		return NULL;
	value = run((struct object *)self, &change) ? NULL :
		Py_NewRef(change.result);
	change_free(&change);
	return value;
}

static PyObject *seq_assign(PyObject *self, PyObject *values)
{
	struct change change = { .run = run_assign };
	PyObject *list = PySequence_List(values);
	int ret = -1;

	if (list && !values_init(&change.values, (struct object *)self, list))
		ret = run((struct object *)self, &change);
	Py_XDECREF(list);
	change_free(&change);
	return ret ? NULL : Py_NewRef(Py_None);
}

/**
 * struct edit - what is done with a list of all values
 * @run: does it: returns the list that takes its place, as a new reference, or NULL
 * @function: what is called with the list
 * @slice: a range of it
 * @value: what comes there; NULL: nothing
 */
struct edit {
	PyObject *(*run)(const struct edit *edit, PyObject *list);
	PyObject *function;
	PyObject *slice;
	PyObject *value;
};

static PyObject *edit_by_function(const struct edit *edit, PyObject *list)
{
	return PyObject_CallFunctionObjArgs(edit->function, list, NULL);
}

static PyObject *edit_slice(const struct edit *edit, PyObject *list)
{
	int ret = edit->value ? PyObject_SetItem(list, edit->slice, edit->value) :
				PyObject_DelItem(list, edit->slice);

	return ret ? NULL : Py_NewRef(list);
}

static int edit_once(struct view *view, struct object *seq,
		     const struct edit *edit)
{
	PyObject *list = take_all(view);
	PyObject *new = list ? edit->run(edit, list) : NULL;
	struct values values = {};
	int ret = -1;

	if (new && !values_init(&values, seq, new))
		ret = replace_all(view, &values);
	values_free(&values);
	Py_XDECREF(list);
	Py_XDECREF(new);
	return ret;
}

/* Until nobody else is faster. */
static int edit_all(struct object *seq, const struct edit *edit)
{
	struct view view;
	int ret;

	if (object_check(seq))
		return -1;
	session_begin(seq->session);
	do {
		ret = seq_open_pinned(&view, seq);
		if (ret)
			continue;
		ret = edit_once(&view, seq, edit);
		view_close(&view);
	} while (view_again(&ret));
	session_end(seq->session);
	return ret;
}

/*
 * _transform(function): all values become those of the list that the function makes
 * of the list of them; it is called again when somebody else was faster.
 */
static PyObject *seq_transform(PyObject *self, PyObject *function)
{
	const struct edit edit = {
		.run = edit_by_function, .function = function,
	};

	return edit_all((struct object *)self, &edit) ? NULL :
	       Py_NewRef(Py_None);
}

/* Slices without steps are changed where they are, others with all of the list. */
static int set_slice(PyObject *self, PyObject *slice, PyObject *value)
{
	struct change change = { .run = run_set_slice, .slice = slice };
	Py_ssize_t start, stop, step;
	struct edit edit = { .run = edit_slice, .slice = slice };
	int ret = -1;

	if (PySlice_Unpack(slice, &start, &stop, &step))
		return -1;
	edit.value = value ? PySequence_List(value) : NULL;
	if (value && !edit.value)
		return -1;
	if (step != 1)
		ret = edit_all((struct object *)self, &edit);
	else if (!values_init(&change.values, (struct object *)self, edit.value))
		ret = run((struct object *)self, &change);
	Py_XDECREF(edit.value);
	change_free(&change);
	return ret;
}

static int seq_ass_subscript(PyObject *self, PyObject *index, PyObject *value)
{
	return (PySlice_Check(index) ? set_slice : set_item)(self, index, value);
}

static PyObject *seq_iter(PyObject *self)
{
	return seq_iter_new((struct object *)self);
}

static PyMethodDef methods[] = {
	{ "append", seq_append, METH_O,
	  "append(value)\n--\n\nAdd a value at the end." },
	{ "insert", seq_insert, METH_VARARGS,
	  "insert(index, value)\n--\n\nAdd a value before a place." },
	{ "extend", seq_extend, METH_O,
	  "extend(values)\n--\n\nAdd values at the end, all at once." },
	{ "pop", seq_pop, METH_VARARGS,
	  "pop(index=-1)\n--\n\nRemove a value and return it." },
	{ "_assign", seq_assign, METH_O, NULL },
	{ "_transform", seq_transform, METH_O, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A container whose entries have places." },
	{ Py_tp_methods, methods },
	{ Py_tp_iter, seq_iter },
	{ Py_mp_subscript, seq_subscript },
	{ Py_mp_ass_subscript, seq_ass_subscript },
	{ Py_mp_length, seq_length },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Seq",
	.basicsize = sizeof(struct object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int seq_init(PyObject *module)
{
	seq_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)object_type);
	return seq_type ? PyModule_AddType(module, seq_type) : -1;
}
