// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <time.h>

#include "error.h"
#include "map.h"
#include "take.h"

static PyTypeObject *map_type;

/* --- Keys ---------------------------------------------------------------- */

static int read_hash_key(struct map *map)
{
	struct object *object = &map->object;
	unsigned char bytes[16];
	ssize_t n;

	if (object_check(object))
		return -1;
	if (map->key.word[0] | map->key.word[1])
		return 0;
	n = refstore_read(object->session->store, object->handle, 0, bytes,
			  sizeof(bytes));
	if (n == sizeof(bytes)) {
		map->key.word[0] = load64(bytes);
		map->key.word[1] = load64(bytes + 8);
		return 0;
	}
	if (n < 0)
		error_set((int)n);
	else
		error_set_corrupt("a container has no key of its hashes");
	return -1;
}

/* Whether all keys that equal it look the same. */
static bool is_canonical(PyObject *key)
{
	return PyUnicode_Check(key) || PyBytes_Check(key) || key == Py_None ||
	       (PyLong_Check(key) && !PyBool_Check(key));
}

/**
 * map_key_init() - make a key of a value
 * @map: where it is to be looked for
 * @key: out: the key, to be freed with map_key_free(), whatever is returned
 * @value: the value
 *
 * Return: 0, or -1 with an exception: TypeError for what cannot be a key.
 */
int map_key_init(struct map *map, struct map_key *key, PyObject *value)
{
	memset(key, 0, sizeof(*key));
	if (read_hash_key(map) || packer_add_key(&key->bytes, value))
		return -1;
	key->hash = siphash(&map->key, key->bytes.bytes.data,
			    key->bytes.bytes.length);
	if (is_canonical(value))
		return 0;
	if (packer_add(&key->given, value))
		return -1;
	if (key->given.bytes.length == key->bytes.bytes.length &&
	    !memcmp(key->given.bytes.data, key->bytes.bytes.data,
		    key->bytes.bytes.length))
		packer_free(&key->given);
	return 0;
}

void map_key_free(struct map_key *key)
{
	packer_free(&key->bytes);
	packer_free(&key->given);
}

/* --- Entries ------------------------------------------------------------- */

/* The serial number, and whether the key stands there as it was given, too. */
static int take_head(struct reader *reader, uint64_t *serial,
		     unsigned char *given)
{
	const unsigned char *bytes;

	if (reader_take(reader, 9, &bytes))
		return -1;
	*serial = load64(bytes);
	*given = bytes[8];
	return *given > 1 ? -1 : 0;
}

static bool has_key(const struct node *node, uint32_t entry,
		    const struct buffer *key)
{
	struct reader reader = node_entry(node, entry);
	unsigned char given;
	uint64_t serial;

	return !take_head(&reader, &serial, &given) &&
	       (size_t)(reader.end - reader.at) >= key->length &&
	       !memcmp(reader.at, key->data, key->length);
}

/**
 * map_find() - look for a key
 * @view: in this version
 * @path: out: to its entry, or to where it would be; to be cleared
 * @key: the key
 *
 * Return: 0, VIEW_LATE, -ENOENT if it is not there, or -1 with an exception.
 */
int map_find(struct view *view, struct path *path, const struct map_key *key)
{
	int ret = view_find_hash(view, path, key->hash);
	const struct node *leaf;
	uint32_t *entry;

	if (ret || !path->length)
		return ret ? ret : -ENOENT;
	leaf = path->nodes[path->length - 1];
	entry = &path->index[path->length - 1];
	while (*entry < leaf->nr && node_hash(leaf, *entry) == key->hash) {
		if (has_key(leaf, *entry, &key->bytes.bytes))
			return 0;
		++*entry;
	}
	return -ENOENT;
}

static PyObject *no_object(void *context, uint32_t slot)
{
	(void)context;
	(void)slot;
	return error_set_corrupt("a key refers to an object");
}

/* Leaves @unpacker behind the key; returns it as it was given, or NULL. */
static PyObject *take_key(struct unpacker *unpacker)
{
	unsigned char given;
	uint64_t serial;

	if (take_head(&unpacker->reader, &serial, &given) ||
	    (given && unpacker_skip(unpacker)))
		return error_set_corrupt("an entry has no key");
	return unpacker_take(unpacker);
}

/* The key of an entry, as a new reference, or NULL with an exception. */
PyObject *map_take_key(const struct node *node, uint32_t entry)
{
	struct unpacker unpacker = {
		.reader = node_entry(node, entry), .resolve = no_object,
	};

	return take_key(&unpacker);
}

/**
 * map_take_value() - the value of an entry
 * @view: in this version
 * @path: to the entry
 *
 * Return: a new reference; NULL with an exception, or without one if the version is
 * gone.
 */
PyObject *map_take_value(struct view *view, struct path *path)
{
	unsigned int last = path->length - 1;
	struct unpacker unpacker = {
		.reader = node_entry(path->nodes[last], path->index[last]),
	};
	unsigned char given;
	uint64_t serial;

	if (take_head(&unpacker.reader, &serial, &given) ||
	    unpacker_skip(&unpacker) || (given && unpacker_skip(&unpacker)))
		return error_set_corrupt("an entry has no key");
	return take_value(view, path, unpacker.reader);
}

/* The serial number of an entry. */
uint64_t map_serial(const struct node *leaf, uint32_t entry)
{
	struct reader reader = node_entry(leaf, entry);
	unsigned char given;
	uint64_t serial;

	return take_head(&reader, &serial, &given) ? 0 : serial;
}

/* --- Operations ---------------------------------------------------------- */

/**
 * struct operation - what is done with a key
 * @map: with which one
 * @run: does it in a view; 0, VIEW_LATE, or -1 with an exception
 * @key: the key
 * @value: what is to be its value, packed
 * @guess: the outcome is published, so it may begin with what the map had lately
 * @missing: whether to leave the value as it is where the key is there
 * @name: the key, as it was given
 * @function: what makes a new value of the old one
 * @instead: what it gets where there is none, or NULL
 * @found: out: whether the key was there
 * @result: out: what its value was; a reference, or NULL
 */
struct operation {
	struct map *map;
	int (*run)(struct view *view, struct operation *operation);
	struct map_key key;
	struct packer value;
	bool guess;
	bool missing;
	PyObject *name;
	PyObject *function;
	PyObject *instead;
	bool found;
	PyObject *result;
};

/* Until nobody else is faster. */
static int run(struct map *map, struct operation *operation)
{
	bool guess = operation->guess;
	struct view view;
	int ret;

	if (object_check(&map->object))
		return -1;
	session_begin(map->object.session);
	operation->map = map;
	do {
		Py_CLEAR(operation->result);
		ret = (guess ? map_open_recent : map_open)(
			&view, map, operation->key.hash);
		guess = false;
		if (ret)
			continue;
		ret = operation->run(&view, operation);
		if (!ret)
			map_remember(&view, map);
		view_close(&view);
	} while (view_again(&ret));
	session_end(map->object.session);
	return ret;
}

static void operation_free(struct operation *operation)
{
	map_key_free(&operation->key);
	packer_free(&operation->value);
	Py_CLEAR(operation->result);
}

/* Finds the key; operation->found says whether it is there. */
static int find(struct view *view, struct path *path,
		struct operation *operation)
{
	int ret = map_find(view, path, &operation->key);

	operation->found = !ret;
	return ret == -ENOENT ? 0 : ret;
}

static int take(struct view *view, struct path *path,
		struct operation *operation)
{
	operation->result = map_take_value(view, path);
	if (operation->result)
		return 0;
	return PyErr_Occurred() ? -1 : VIEW_LATE;
}

static int run_get(struct view *view, struct operation *operation)
{
	struct path path;
	int ret = find(view, &path, operation);

	if (!ret && operation->found)
		ret = take(view, &path, operation);
	path_clear(&path);
	return ret;
}

static int run_contains(struct view *view, struct operation *operation)
{
	struct path path;
	int ret = find(view, &path, operation);

	path_clear(&path);
	return ret;
}

/* All of an entry but the value; 0, or -1 with an exception. */
int map_pack_key(struct buffer *entry, uint64_t serial,
		 const struct map_key *key)
{
	const struct buffer *bytes = &key->bytes.bytes;
	const struct buffer *given = &key->given.bytes;
	unsigned char head[9];

	store64(head, serial);
	head[8] = given->length > 0;
	return buffer_add(entry, head, sizeof(head)) ||
	       buffer_add(entry, bytes->data, bytes->length) ||
	       buffer_add(entry, given->data, given->length) ? -1 : 0;
}

/* When a key comes: later than all before it, whichever process they came from. */
uint64_t map_next_serial(struct session *session)
{
	struct timespec now;
	uint64_t serial;

	clock_gettime(CLOCK_MONOTONIC, &now);
	serial = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (serial <= session->serial)
		serial = session->serial + 1;
	session->serial = serial;
	return serial;
}

/* The same, as it is in an entry that is there. */
static int copy_key(struct buffer *entry, const struct path *path)
{
	unsigned int last = path->length - 1;
	struct reader all = node_entry(path->nodes[last], path->index[last]);
	struct unpacker unpacker = { .reader = all };
	unsigned char given;
	uint64_t serial;

	if (take_head(&unpacker.reader, &serial, &given) ||
	    unpacker_skip(&unpacker) || (given && unpacker_skip(&unpacker))) {
		error_set_corrupt("an entry has no key");
		return -1;
	}
	return buffer_add(entry, all.at,
			  (size_t)(unpacker.reader.at - all.at));
}

/**
 * map_put() - let a key have a value
 * @view: the view
 * @path: from map_find()
 * @found: whether the key was there: then it stays as it is, and where it is
 * @key: the key
 * @value: the value
 * @publish: see &struct splice
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int map_put(struct view *view, struct path *path, bool found,
	    const struct map_key *key, const struct packer *value, bool publish)
{
	struct buffer bytes = {};
	struct entry entry = { .hash = key->hash, .objects = value->objects };
	const struct splice splice = {
		.path = path, .remove = found,
		.entries = &entry, .nr_entries = 1, .publish = publish,
	};
	int ret = found ? copy_key(&bytes, path) :
		  map_pack_key(&bytes, map_next_serial(view->session), key);

	if (!ret)
		ret = buffer_add(&bytes, value->bytes.data, value->bytes.length);
	if (!ret) {
		entry.data = bytes.data;
		entry.length = bytes.length;
		ret = view_splice(view, &splice);
	}
	buffer_free(&bytes);
	return ret;
}

static bool is_crowded(struct map *map, const struct view *view)
{
	return map_can_widen(map) && view->top && view->top->level &&
	       node_total(view->top) >= MAP_WIDEN;
}

static int put(struct view *view, struct path *path,
	       const struct operation *operation)
{
	int ret;

	if (is_crowded(operation->map, view)) {
		ret = map_widen(operation->map, view);
		return ret ? ret : VIEW_LATE;
	}
	return map_put(view, path, operation->found, &operation->key,
		       &operation->value, true);
}

static int run_set(struct view *view, struct operation *operation)
{
	struct path path;
	int ret = find(view, &path, operation);

	if (!ret && operation->found && operation->missing)
		ret = take(view, &path, operation);
	else if (!ret)
		ret = put(view, &path, operation);
	path_clear(&path);
	return ret;
}

/* The value of a key that goes is taken before. */
static int run_pop(struct view *view, struct operation *operation)
{
	struct path path;
	struct splice splice = { .path = &path, .remove = 1, .publish = true };
	int ret = find(view, &path, operation);

	if (!ret && operation->found && operation->missing)
		ret = take(view, &path, operation);
	if (!ret && operation->found)
		ret = view_splice(view, &splice);
	path_clear(&path);
	return ret;
}

/* Which view has the entry that came last; NULL if there is none. */
static struct view *find_last(struct map_views *views)
{
	struct view *view, *last = NULL;
	uint64_t serial, next = 0;
	uint32_t i;

	for (i = 0; i < views->nr; i++) {
		view = &views->view[i];
		serial = view->top ? node_next_serial(view->top) : 0;
		if (serial > next) {
			next = serial;
			last = view;
		}
	}
	return last;
}

/* Leaves a path at the entry of its leaf that came last. */
static void find_last_entry(struct path *path)
{
	const struct node *leaf = path->nodes[path->length - 1];
	uint32_t *last = &path->index[path->length - 1], i;

	for (i = 1; i < leaf->nr; i++)
		if (map_serial(leaf, i) > map_serial(leaf, *last))
			*last = i;
}

static int pop_last(struct view *view, PyObject **item)
{
	struct path path;
	struct splice splice = { .path = &path, .remove = 1 };
	PyObject *key = NULL, *value = NULL;
	int ret = view_find_last(view, &path);

	if (!ret) {
		find_last_entry(&path);
		key = map_take_key(path.nodes[path.length - 1],
				   path.index[path.length - 1]);
		value = key ? map_take_value(view, &path) : NULL;
		ret = value ? view_splice(view, &splice) :
		      PyErr_Occurred() ? -1 : VIEW_LATE;
	}
	path_clear(&path);
	if (!ret) {
		*item = PyTuple_Pack(2, key, value);
		ret = *item ? 0 : -1;
	}
	Py_XDECREF(key);
	Py_XDECREF(value);
	return ret;
}

/* Calls operation->function with the value, or the default, for a new value. */
static int call_for_value(struct map *map, struct operation *operation)
{
	PyObject *old = operation->found ? operation->result :
					   operation->instead;
	PyObject *new;
	int ret;

	if (!old) {
		PyErr_SetObject(PyExc_KeyError, operation->name);
		return -1;
	}
	new = PyObject_CallFunctionObjArgs(operation->function, old, NULL);
	packer_free(&operation->value);
	operation->value.adapt = session_adapt;
	operation->value.context = map->object.session;
	ret = new ? packer_add(&operation->value, new) : -1;
	Py_XDECREF(operation->result);
	operation->result = new;
	return ret;
}

static int run_update_key(struct view *view, struct operation *operation)
{
	struct path path;
	int ret = find(view, &path, operation);

	if (!ret && operation->found)
		ret = take(view, &path, operation);
	if (!ret)
		ret = call_for_value(operation->map, operation);
	if (!ret)
		ret = put(view, &path, operation);
	path_clear(&path);
	return ret;
}

/* --- Methods ------------------------------------------------------------- */

static int prepare(PyObject *self, struct operation *operation, PyObject *key)
{
	return map_key_init((struct map *)self, &operation->key, key);
}

static int prepare_value(PyObject *self, struct operation *operation,
			 PyObject *value)
{
	operation->value.adapt = session_adapt;
	operation->value.context = ((struct object *)self)->session;
	return packer_add(&operation->value, value);
}

/* Runs what was prepared; returns 1 if the key was found, 0 if not, or -1. */
static int perform(PyObject *self, struct operation *operation)
{
	int ret = run((struct map *)self, operation);

	return ret ? -1 : operation->found;
}

static PyObject *get(PyObject *self, PyObject *key, PyObject *missing)
{
	struct operation operation = { .run = run_get };
	int found = prepare(self, &operation, key);
	PyObject *value;

	if (!found)
		found = perform(self, &operation);
	if (!found && !missing)
		PyErr_SetObject(PyExc_KeyError, key);
	value = found < 0 || (!found && !missing) ? NULL :
		Py_NewRef(found ? operation.result : missing);
	operation_free(&operation);
	return value;
}

static PyObject *map_subscript(PyObject *self, PyObject *key)
{
	return get(self, key, NULL);
}

/* get(key, default=None) */
static PyObject *map_get(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	if (n < 1 || n > 2) {
		PyErr_SetString(PyExc_TypeError,
				"get() takes a key and a default");
		return NULL;
	}
	return get(self, args[0], n > 1 ? args[1] : Py_None);
}

static int map_contains(PyObject *self, PyObject *key)
{
	struct operation operation = { .run = run_contains };
	int found = prepare(self, &operation, key);

	if (!found)
		found = perform(self, &operation);
	operation_free(&operation);
	return found;
}

/* What a slot is to refer to, as it comes back from a heap. */
static PyObject *resolve_packed(void *context, uint32_t slot)
{
	const struct packer *packer = context;
	PyObject *object = PyList_GetItem(packer->objects, slot);

	if (!object || !PyObject_HasAttrString((PyObject *)Py_TYPE(object),
					       "_value"))
		return Py_XNewRef(object);
	return PyObject_CallMethod(object, "_value", NULL);
}

/* A value that was packed as @given, as whoever asks for it gets it. */
static PyObject *packed_value(struct packer *packer, PyObject *given)
{
	struct unpacker unpacker = {
		.reader = {
			.at = packer->bytes.data,
			.end = packer->bytes.data + packer->bytes.length,
		},
		.resolve = resolve_packed, .context = packer,
	};

	return packer->objects ? unpacker_take(&unpacker) : Py_NewRef(given);
}

/* A value of NULL stands for none, in sets. */
static int set(PyObject *self, PyObject *key, PyObject *value, bool missing,
	       PyObject **result)
{
	struct operation operation = {
		.run = run_set, .guess = !missing && value, .missing = missing,
	};
	int found = prepare(self, &operation, key);

	if (!found && value)
		found = prepare_value(self, &operation, value);
	if (!found)
		found = perform(self, &operation);
	if (found >= 0 && result)
		*result = found ? Py_XNewRef(operation.result) :
			  packed_value(&operation.value, value);
	operation_free(&operation);
	return found;
}

static int del(PyObject *self, PyObject *key, PyObject **value)
{
	struct operation operation = { .run = run_pop, .missing = value };
	int found = prepare(self, &operation, key);

	if (!found)
		found = perform(self, &operation);
	if (found > 0 && value)
		*value = Py_NewRef(operation.result);
	operation_free(&operation);
	return found;
}

static int map_ass_subscript(PyObject *self, PyObject *key, PyObject *value)
{
	int found;

	if (value)
		return set(self, key, value, false, NULL) < 0 ? -1 : 0;
	found = del(self, key, NULL);
	if (!found)
		PyErr_SetObject(PyExc_KeyError, key);
	return found > 0 ? 0 : -1;
}

/* setdefault(key, default=None) */
static PyObject *map_setdefault(PyObject *self, PyObject *const *args,
				Py_ssize_t n)
{
	PyObject *result;

	if (n < 1 || n > 2) {
		PyErr_SetString(PyExc_TypeError,
				"setdefault() takes a key and a default");
		return NULL;
	}
	if (set(self, args[0], n > 1 ? args[1] : Py_None, true, &result) < 0)
		return NULL;
	return result;
}

/* pop(key[, default]) */
static PyObject *map_pop(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	PyObject *value;
	int found;

	if (n < 1 || n > 2) {
		PyErr_SetString(PyExc_TypeError,
				"pop() takes a key and a default");
		return NULL;
	}
	found = del(self, args[0], &value);
	if (found > 0)
		return value;
	if (!found && n > 1)
		return Py_NewRef(args[1]);
	if (!found)
		PyErr_SetObject(PyExc_KeyError, args[0]);
	return NULL;
}

/* _add(key): of sets; whether it was not there before. */
static PyObject *map_add(PyObject *self, PyObject *key)
{
	int found = set(self, key, NULL, false, NULL);

	return found < 0 ? NULL : PyBool_FromLong(!found);
}

/* _discard(key): whether it was there. */
static PyObject *map_discard(PyObject *self, PyObject *key)
{
	int found = del(self, key, NULL);

	return found < 0 ? NULL : PyBool_FromLong(found);
}

/* That it is the last one depends on all that there is. */
static int popitem(struct map_views *views, PyObject **item)
{
	struct view *last = find_last(views);
	int ret;

	if (!last) {
		PyErr_SetString(PyExc_KeyError, "the dict is empty");
		return -1;
	}
	ret = pop_last(last, item);
	return ret ? ret : map_views_publish(views, map_views_all);
}

/* popitem(): of what came last. */
static PyObject *map_popitem(PyObject *self, PyObject *unused)
{
	PyObject *item = NULL;

	(void)unused;
	if (!map_views_run((struct map *)self, popitem, &item))
		return item;
	Py_XDECREF(item);
	return NULL;
}

static int clear(struct map_views *views, PyObject **unused)
{
	(void)unused;
	return map_views_clear(views);
}

static PyObject *map_clear(PyObject *self, PyObject *unused)
{
	(void)unused;
	return map_views_run((struct map *)self, clear, NULL) ?
	       NULL : Py_NewRef(Py_None);
}

/* update_key(key, function[, default]) */
static PyObject *map_update_key(PyObject *self, PyObject *const *args,
				Py_ssize_t n)
{
	struct operation operation = { .run = run_update_key };
	PyObject *value = NULL;

	if (n < 2 || n > 3) {
		PyErr_SetString(PyExc_TypeError, "update_key() takes a key, a "
				"function and a default");
		return NULL;
	}
	operation.name = args[0];
	operation.function = args[1];
	operation.instead = n > 2 ? args[2] : NULL;
	if (!prepare(self, &operation, args[0]) &&
	    perform(self, &operation) >= 0)
		value = packed_value(&operation.value, operation.result);
	operation_free(&operation);
	return value;
}

/* -1 with an exception if there are more than Python can count. */
static Py_ssize_t length_of(const struct map_views *views)
{
	uint64_t total = map_views_total(views);

	if (total <= PY_SSIZE_T_MAX)
		return (Py_ssize_t)total;
	error_set_corrupt("a container has more entries than can be");
	return -1;
}

static Py_ssize_t map_length(PyObject *self)
{
	struct map *map = (struct map *)self;
	struct map_views views;
	Py_ssize_t length = -1;

	if (object_check(&map->object) || session_begin(map->object.session))
		return -1;
	if (!map_views_open(&views, map, false)) {
		length = length_of(&views);
		map_views_close(&views);
	}
	session_end(map->object.session);
	return length;
}

/* _iter(what): an iterator over keys (0), values (1) or both (2). */
static PyObject *map_iter(PyObject *self, PyObject *what)
{
	long number = PyLong_AsLong(what);

	if (number == -1 && PyErr_Occurred())
		return NULL;
	return map_iter_new((struct map *)self, (int)number);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
	{ "get", FAST(map_get), METH_FASTCALL,
	  "get(key, default=None)\n--\n\nThe value of a key, or the default." },
	{ "pop", FAST(map_pop), METH_FASTCALL,
	  "pop(key[, default])\n--\n\nRemove a key and return its value." },
	{ "setdefault", FAST(map_setdefault), METH_FASTCALL,
	  "setdefault(key, default=None)\n--\n\n"
	  "The value of a key, which gets the default if it is not there." },
	{ "popitem", map_popitem, METH_NOARGS,
	  "popitem()\n--\n\nRemove the key that came last; a pair." },
	{ "clear", map_clear, METH_NOARGS,
	  "clear()\n--\n\nRemove all keys." },
	{ "update_key", FAST(map_update_key), METH_FASTCALL,
	  "update_key(key, function[, default])\n--\n\n"
	  "Let a function make a new value of the old one, and return it." },
	{ "_update", map_update, METH_O, NULL },
	{ "_add", map_add, METH_O, NULL },
	{ "_discard", map_discard, METH_O, NULL },
	{ "_iter", map_iter, METH_O, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A container whose entries have keys." },
	{ Py_tp_methods, methods },
	{ Py_mp_subscript, map_subscript },
	{ Py_mp_ass_subscript, map_ass_subscript },
	{ Py_mp_length, map_length },
	{ Py_sq_contains, map_contains },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Map",
	.basicsize = sizeof(struct map),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int map_init(PyObject *module)
{
	map_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)object_type);
	return map_type ? PyModule_AddType(module, map_type) : -1;
}
