// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many keys at once: all of them in a version that nobody sees before it is whole.
 */
#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "map.h"

/**
 * struct pair - a key and its value
 * @key: the key
 * @value: the value; empty in sets
 * @serial: in what order they came
 */
struct pair {
	struct map_key key;
	struct packer value;
	uint64_t serial;
};

/**
 * struct pairs - what a map is updated with
 * @all: all of them
 * @nr: how many
 */
struct pairs {
	struct pair *all;
	size_t nr;
};

static void pairs_free(struct pairs *pairs)
{
	size_t i;

	for (i = 0; i < pairs->nr; i++) {
		map_key_free(&pairs->all[i].key);
		packer_free(&pairs->all[i].value);
	}
	PyMem_Free(pairs->all);
}

static int pack_pair(struct map *map, struct pair *pair, PyObject *item)
{
	struct packer *value = &pair->value;

	value->adapt = session_adapt;
	value->context = map->object.session;
	if (map_key_init(map, &pair->key, PyTuple_GetItem(item, 0)))
		return -1;
	return PyTuple_Size(item) > 1 ?
	       packer_add(value, PyTuple_GetItem(item, 1)) : 0;
}

static bool is_pair(PyObject *item)
{
	if (item && PyTuple_Check(item) && PyTuple_Size(item) > 0)
		return true;
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_TypeError, "a list of pairs is needed");
	return false;
}

/* To be freed, whatever is returned. */
static int pairs_init(struct pairs *pairs, struct map *map, PyObject *list)
{
	Py_ssize_t n = PyList_Size(list);
	size_t i;

	*pairs = (struct pairs){};
	if (n < 0)
		return -1;
	pairs->all = PyMem_Calloc((size_t)n + 1, sizeof(*pairs->all));
	if (!pairs->all) {
		PyErr_NoMemory();
		return -1;
	}
	for (i = 0; i < (size_t)n; i++) {
		/* In the order in which they are here */
		PyObject *item = PyList_GetItem(list, (Py_ssize_t)i);

		pairs->nr = i + 1;
		pairs->all[i].serial = map_next_serial(map->object.session);
		if (!is_pair(item) || pack_pair(map, &pairs->all[i], item))
			return -1;
	}
	return 0;
}

static int compare_hashes(const void *a, const void *b)
{
	const struct pair *one = a, *other = b;

	if (one->key.hash != other->key.hash)
		return one->key.hash < other->key.hash ? -1 : 1;
	return (one->serial > other->serial) - (one->serial < other->serial);
}

static int compare_serials(const void *a, const void *b)
{
	const struct pair *one = a, *other = b;

	return (one->serial > other->serial) - (one->serial < other->serial);
}

/* One after the other, where they belong; nobody sees them yet. */
static int put_each(struct map_views *views, const struct pairs *pairs)
{
	struct path path;
	struct view *view;
	bool found;
	size_t i;
	int ret = 0;

	for (i = 0; i < pairs->nr && !ret; i++) {
		const struct pair *pair = &pairs->all[i];

		view = map_views_find(views, pair->key.hash);
		ret = map_find(view, &path, &pair->key);
		found = !ret;
		if (!ret || ret == -ENOENT)
			ret = map_put(view, &path, found, &pair->key,
				      &pair->value, false);
		path_clear(&path);
		if (!ret && PyErr_CheckSignals())
			ret = -1;
	}
	return ret;
}

/**
 * struct chunk - entries of some pairs
 * @entries: them
 * @bytes: what they are, one after the other
 */
struct chunk {
	struct entry entries[SPLICE_MAX];
	struct buffer bytes[SPLICE_MAX];
};

static int pack_chunk(struct chunk *chunk, const struct pair *pairs, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct buffer *value = &pairs[i].value.bytes;
		struct buffer *bytes = &chunk->bytes[i];

		if (map_pack_key(bytes, pairs[i].serial, &pairs[i].key) ||
		    buffer_add(bytes, value->data, value->length))
			return -1;
		chunk->entries[i] = (struct entry){
			.hash = pairs[i].key.hash,
			.data = bytes->data, .length = bytes->length,
			.objects = pairs[i].value.objects,
		};
	}
	return 0;
}

/* Adds pairs whose hashes are not below those that are there. */
static int append_chunk(struct view *view, struct chunk *chunk,
			const struct pair *pairs, size_t nr)
{
	struct path path;
	const struct splice splice = {
		.path = &path, .entries = chunk->entries,
		.nr_entries = (uint32_t)nr,
	};
	size_t i;
	int ret;

	memset(chunk, 0, sizeof(*chunk));
	ret = pack_chunk(chunk, pairs, nr);
	if (!ret) {
		ret = view_find_place(view, &path, view->top ?
				      node_total(view->top) : 0);
		if (!ret)
			ret = view_splice(view, &splice);
		path_clear(&path);
	}
	for (i = 0; i < nr; i++)
		buffer_free(&chunk->bytes[i]);
	return ret;
}

/* How many of the pairs from the first on are for one view, and fit a chunk. */
static size_t count_chunk(struct map_views *views, const struct pair *pairs,
			  size_t left)
{
	const struct view *view = map_views_find(views, pairs->key.hash);
	size_t nr = 1;

	while (nr < left && nr < SPLICE_MAX &&
	       map_views_find(views, pairs[nr].key.hash) == view)
		nr++;
	return nr;
}

/* All of them into an empty map, by their hashes. */
static int put_all(struct map_views *views, const struct pairs *pairs)
{
	struct chunk *chunk = PyMem_Malloc(sizeof(*chunk));
	struct pair *pair = pairs->all;
	size_t i, nr;
	int ret = 0;

	if (!chunk) {
		PyErr_NoMemory();
		return -1;
	}
	qsort(pair, pairs->nr, sizeof(*pair), compare_hashes);
	for (i = 0; i < pairs->nr && !ret; i += nr) {
		nr = count_chunk(views, pair + i, pairs->nr - i);
		ret = append_chunk(map_views_find(views, pair[i].key.hash),
				   chunk, pair + i, nr);
		if (!ret && PyErr_CheckSignals())
			ret = -1;
	}
	qsort(pair, pairs->nr, sizeof(*pair), compare_serials);
	PyMem_Free(chunk);
	return ret;
}

/* A narrow map that gets many entries becomes wide before. */
static int make_wide(struct map *map, struct map_views *views, size_t nr)
{
	int ret;

	if (!map_can_widen(map) || map_views_total(views) + nr < MAP_WIDEN)
		return 0;
	ret = map_widen(map, &views->view[0]);
	return ret ? ret : VIEW_LATE;
}

static int update_once(struct map *map, const struct pairs *pairs)
{
	static const bool none[MAP_BUCKETS];
	struct map_views views;
	int ret;

	if (map_views_open(&views, map, false))
		return -1;
	ret = make_wide(map, &views, pairs->nr);
	if (!ret)
		ret = (map_views_total(&views) ? put_each : put_all)(&views,
								     pairs);
	if (!ret)
		ret = map_views_publish(&views, none);
	map_views_close(&views);
	return ret;
}

/*
 * _update(pairs): a list of tuples of a key, of which no two are equal, and, but in
 * sets, a value.
 */
PyObject *map_update(PyObject *self, PyObject *list)
{
	struct map *map = (struct map *)self;
	struct pairs pairs;
	int ret;

	if (object_check(&map->object) || session_begin(map->object.session))
		return NULL;
	ret = pairs_init(&pairs, map, list);
	if (!ret && pairs.nr)
		do {
			ret = update_once(map, &pairs);
		} while (view_again(&ret));
	pairs_free(&pairs);
	session_end(map->object.session);
	return ret ? NULL : Py_NewRef(Py_None);
}
