// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All of a map: its only top, or those of all its buckets.
 */
#include <errno.h>

#include "error.h"
#include "map.h"
#include "transaction.h"

_Static_assert(MAP_BUCKETS <= REFSTORE_MAX_COPY,
	       "the buckets' slots are not read at one moment");

/* Whether a map, as this thread sees it, is known to be wide. */
static bool *wide_of(struct map *map)
{
	struct shadow *shadow = transaction_shadow(&map->object);

	return shadow ? &shadow->wide : &map->wide;
}

/* Where a key of this hash is looked for. */
static uint32_t slot_of(struct map *map, uint64_t hash)
{
	return *wide_of(map) ? 1 + (uint32_t)(hash >> MAP_SHIFT) : 0;
}

/**
 * map_open() - look at the part of a map where a hash is
 * @view: out: to be closed, if this returns 0
 * @map: which one
 * @hash: the hash
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int map_open(struct view *view, struct map *map, uint64_t hash)
{
	int ret = view_open(view, &map->object, slot_of(map, hash), true);

	if (ret != VIEW_WIDE)
		return ret;
	*wide_of(map) = true;
	ret = view_open(view, &map->object, slot_of(map, hash), true);
	if (ret != VIEW_WIDE)
		return ret;
	error_set_corrupt("a bucket of a map is no bucket");
	return -1;
}

/* Notes what a view's slot refers to. */
void map_remember(const struct view *view, const struct map *map)
{
	struct recent *recent = session_recent(view->session, map->object.id,
					       view->slot);

	*recent = (struct recent){
		.container = map->object.id, .slot = view->slot,
		.top = view->seen,
	};
}

/**
 * map_open_recent() - as map_open(), without asking the kernel, if it can be
 * @view: out: perhaps not of what the map has now: for changes, which find that out
 * @map: which one
 * @hash: the hash
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int map_open_recent(struct view *view, struct map *map, uint64_t hash)
{
	struct session *session = map->object.session;
	uint32_t slot = slot_of(map, hash);
	const struct recent *recent = session_recent(session, map->object.id,
						     slot);

	*view = (struct view){
		.session = session, .slot = slot, .keyed = true,
	};
	if (recent->container == map->object.id && recent->slot == slot &&
	    !transaction_holder(&map->object, slot, 1, &view->holder) &&
	    !view_open_at(view, recent->top))
		return 0;
	if (PyErr_Occurred())
		PyErr_Clear();
	return map_open(view, map, hash);
}

/*
 * An object of ours, whose slots refer to all tops as they were at one moment. *@holder
 * is what has them, and then this. Who may only read has none: pin_each() is for them.
 */
static int pin_buckets(struct map_views *views, uint64_t *holder)
{
	struct session *session = views->map->object.session;
	struct refstore_spec spec = { .nr_slots = MAP_BUCKETS };
	int ret;

	if (session_kind(session, KIND_NODE, &spec.type))
		return -1;
	ret = refstore_create(session->store, &spec, &views->pin, NULL);
	if (ret) {
		views->pin = 0;
		if (ret == -EACCES)
			return 0;
		error_set(ret);
		return -1;
	}
	ret = refstore_copy_slots(session->store, views->pin, 0, *holder, 1,
				  MAP_BUCKETS);
	if (!ret) {
		*holder = views->pin;
		return 0;
	}
	error_set(ret);
	return -1;
}

/* Ids of what all buckets' slots refer to. */
static int peek_buckets(const struct map_views *views, uint64_t holder,
			uint64_t *ids)
{
	int ret = refstore_peek_slots(views->map->object.session->store, holder,
				      views->pin ? 0 : 1, ids, MAP_BUCKETS);

	if (!ret)
		return 0;
	error_set(ret);
	return -1;
}

/* Each top by itself; of one moment if none is another afterwards. */
static int pin_each(struct map_views *views, uint64_t holder,
		    const uint64_t *ids)
{
	uint64_t again[MAP_BUCKETS];
	uint32_t i;
	int ret = 0;

	for (i = 0; i < views->nr && !ret; i++)
		ret = view_pin(&views->view[i]);
	if (!ret)
		ret = peek_buckets(views, holder, again);
	if (!ret && memcmp(ids, again, sizeof(again)))
		ret = VIEW_LATE;
	return ret;
}

/* A view of each top; those that were opened are in @views, whatever is returned. */
static int open_each(struct map_views *views, uint64_t holder,
		     const uint64_t *ids)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < MAP_BUCKETS && !ret; i++) {
		struct view *view = &views->view[views->nr];

		*view = (struct view){
			.session = views->map->object.session,
			.holder = holder, .slot = views->pin ? i : 1 + i,
			.keyed = true,
		};
		ret = view_open_at(view, ids[i]);
		views->nr += !ret;
	}
	if (ret != VIEW_WIDE)
		return ret;
	error_set_corrupt("a bucket of a map is no bucket");
	return -1;
}

static int open_buckets(struct map_views *views, bool pin)
{
	uint64_t holder, ids[MAP_BUCKETS];
	int ret;

	if (transaction_holder(&views->map->object, 1, MAP_BUCKETS, &holder) ||
	    (pin && pin_buckets(views, &holder)) ||
	    peek_buckets(views, holder, ids))
		return -1;
	ret = open_each(views, holder, ids);
	if (!ret && pin && !views->pin)
		ret = pin_each(views, holder, ids);
	return ret;
}

static int open_all(struct map_views *views, bool pin)
{
	struct map *map = views->map;
	int ret = *wide_of(map) ? VIEW_WIDE :
		  view_open(&views->view[0], &map->object, 0, true);

	if (ret == VIEW_WIDE) {
		*wide_of(map) = true;
		return open_buckets(views, pin);
	}
	if (ret)
		return ret;
	views->nr = 1;
	return pin ? view_pin(&views->view[0]) : 0;
}

/**
 * map_views_open() - look at all of a map, as it was at one moment
 * @views: out: to be closed, if this returns 0
 * @map: which one
 * @pin: whether to keep this version
 *
 * Return: 0, or -1 with an exception.
 */
int map_views_open(struct map_views *views, struct map *map, bool pin)
{
	int ret;

	if (object_check(&map->object))
		return -1;
	do {
		views->map = map;
		views->nr = 0;
		views->pin = 0;
		ret = open_all(views, pin);
		if (ret)
			map_views_close(views);
	} while (view_again(&ret));
	return ret;
}

void map_views_close(struct map_views *views)
{
	struct session *session = views->map->object.session;
	uint32_t i;

	for (i = 0; i < views->nr; i++)
		view_close(&views->view[i]);
	if (views->pin && session->store)
		refstore_release(session->store, views->pin);
	views->pin = 0;
	views->nr = 0;
}

/* The view where a hash is. */
struct view *map_views_find(struct map_views *views, uint64_t hash)
{
	return &views->view[views->nr > 1 ? hash >> MAP_SHIFT : 0];
}

/*
 * How many entries there are; if tops say more than PY_SSIZE_T_MAX, some number above
 * that. One top alone says less than 2^62, so the sum does not begin anew at 0.
 */
uint64_t map_views_total(const struct map_views *views)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < views->nr && total <= PY_SSIZE_T_MAX; i++)
		if (views->view[i].top)
			total += node_total(views->view[i].top);
	return total;
}

/* Sets slots from what views saw to what they have made, all at one moment. */
static int cas_buckets(struct session *session,
		       const struct refstore_cas_entry *entries, size_t nr)
{
	int ret = refstore_cas_many(session->store, entries, nr);

	if (!ret || ret == -EAGAIN)
		return ret ? VIEW_LATE : 0;
	error_set(ret);
	return -1;
}

static bool is_changed(const struct view *view)
{
	return view->seen != (view->top ? view->top->id : 0);
}

/*
 * What a slot is to have: what was made; or what it had, for which there is a handle in
 * @there, if it is that still, and if not, the outcome is VIEW_LATE.
 */
static uint64_t value_of(const struct view *view, uint64_t there)
{
	if (is_changed(view))
		return view->work;
	return view->seen ? there : 0;
}

static int publish_with(struct map_views *views, const bool *touched,
			const uint64_t *there)
{
	struct refstore_cas_entry entries[MAP_BUCKETS];
	const struct view *view = views->view;
	size_t nr = 0;
	uint32_t i;

	for (i = 0; i < views->nr; i++, view++)
		if (touched[i] || is_changed(view))
			entries[nr++] = (struct refstore_cas_entry){
				.object = view->holder,
				.value = value_of(view, there[i]),
				.expected = view->seen,
				.index = view->slot,
			};
	return cas_buckets(views->map->object.session, entries, nr);
}

/* Everything that a map's outcome can depend on. */
const bool map_views_all[MAP_BUCKETS] = { [0 ... MAP_BUCKETS - 1] = true };

/**
 * map_views_publish() - let a map have what its views have made
 * @views: not pinned
 * @touched: for each, whether it must be what the map has still, although it has not
 *           changed; those that have changed must be
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int map_views_publish(struct map_views *views, const bool *touched)
{
	struct refstore *store = views->map->object.session->store;
	const struct view *first = views->view;
	uint64_t there[MAP_BUCKETS] = {};
	bool changed = false, asked = false;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < views->nr; i++) {
		changed |= is_changed(&views->view[i]);
		asked |= touched[i] && !is_changed(&views->view[i]);
	}
	if (!changed)
		return 0;
	if (asked)
		ret = refstore_read_slots(store, first->holder, first->slot,
					  there, views->nr);
	if (ret) {
		error_set(ret);
		return -1;
	}
	ret = publish_with(views, touched, there);
	if (asked)
		refstore_release_many(store, there, views->nr);
	return ret;
}

/* Lets a map have no entries, none of those either that came meanwhile. */
int map_views_clear(struct map_views *views)
{
	struct refstore_cas_entry entries[MAP_BUCKETS];
	uint32_t i;

	for (i = 0; i < views->nr; i++)
		entries[i] = (struct refstore_cas_entry){
			.object = views->view[i].holder,
			.expected = views->view[i].seen,
			.index = views->view[i].slot,
		};
	return cas_buckets(views->map->object.session, entries, views->nr);
}

/**
 * map_views_run() - do something with all of a map, until nobody else is faster
 * @map: the map
 * @run: does it; 0, VIEW_LATE, or -1 with an exception
 * @result: for @run; a reference there goes before it is called again
 *
 * Return: 0, or -1 with an exception.
 */
int map_views_run(struct map *map,
		  int (*run)(struct map_views *views, PyObject **result),
		  PyObject **result)
{
	struct map_views views;
	int ret;

	if (object_check(&map->object))
		return -1;
	session_begin(map->object.session);
	do {
		if (result)
			Py_CLEAR(*result);
		ret = map_views_open(&views, map, false);
		if (ret)
			break;
		ret = run(&views, result);
		map_views_close(&views);
	} while (view_again(&ret));
	session_end(map->object.session);
	return ret;
}

/* --- Becoming wide ------------------------------------------------------- */

/* The mark, as a handle; or 0 with an exception. */
static uint64_t make_mark(struct session *session)
{
	struct refstore_spec spec = { .flags = REFSTORE_CREATE_INTERN };
	uint64_t handle, id;
	int ret;

	if (session_kind(session, KIND_WIDE, &spec.type))
		return 0;
	ret = refstore_create(session->store, &spec, &handle, &id);
	if (ret) {
		error_set(ret);
		return 0;
	}
	session->wide = id;
	return handle;
}

/* Slot 0 gets the mark, the others what the views have made. */
static int publish_wide(struct map *map, const struct view *old,
			struct view *buckets)
{
	struct session *session = map->object.session;
	struct refstore_cas_entry entries[MAP_BUCKETS + 1];
	uint64_t mark = make_mark(session);
	uint32_t i;
	int ret;

	if (!mark)
		return -1;
	entries[0] = (struct refstore_cas_entry){
		.object = old->holder, .value = mark, .expected = old->seen,
	};
	for (i = 0; i < MAP_BUCKETS; i++)
		entries[1 + i] = (struct refstore_cas_entry){
			.object = old->holder, .value = buckets[i].work,
			.index = 1 + i,
		};
	ret = cas_buckets(session, entries, MAP_BUCKETS + 1);
	refstore_release(session->store, mark);
	*wide_of(map) |= !ret;
	return ret;
}

/**
 * struct gathered - entries of a map that is to become wide
 * @entries: in the order of their hashes; their data and objects are ours
 * @nr: how many
 */
struct gathered {
	struct entry *entries;
	size_t nr;
};

static void gathered_free(struct gathered *gathered)
{
	size_t i;

	for (i = 0; i < gathered->nr; i++) {
		PyMem_Free((void *)gathered->entries[i].data);
		Py_XDECREF(gathered->entries[i].objects);
	}
	PyMem_Free(gathered->entries);
}

/* What slots of a leaf refer to, in a list. */
static int take_objects(struct view *view, struct path *path, uint32_t first,
			uint32_t end, PyObject **objects)
{
	struct session *session = view->session;
	const struct node *leaf = path->nodes[path->length - 1];
	PyObject *object;
	uint64_t handle;
	int ret = 0;

	*objects = first < end ? PyList_New(0) : NULL;
	if (first < end && !*objects)
		return -1;
	for (; first < end && !ret; first++) {
		object = session_known(session, leaf->ids[first]);
		if (!object && PyErr_Occurred())
			return -1;
		if (!object)
			ret = view_object(view, path, first, &handle);
		if (!object && !ret)
			object = object_plain(session, handle, leaf->ids[first]);
		if (!ret)
			ret = object ? PyList_Append(*objects, object) : -1;
		Py_XDECREF(object);
	}
	return ret;
}

static int gather_entry(struct gathered *gathered, struct view *view,
			struct path *path, uint32_t i)
{
	const struct node *leaf = path->nodes[path->length - 1];
	struct entry *entry = &gathered->entries[gathered->nr];
	struct reader reader = node_entry(leaf, i);
	size_t length = (size_t)(reader.end - reader.at);
	void *data = PyMem_Malloc(length + 1);

	if (!data) {
		PyErr_NoMemory();
		return -1;
	}
	memcpy(data, reader.at, length);
	*entry = (struct entry){
		.hash = node_hash(leaf, i), .data = data, .length = length,
	};
	gathered->nr++;
	return take_objects(view, path, node_slot(leaf, i),
			    node_slot(leaf, i + 1), &entry->objects);
}

static int gather(struct gathered *gathered, struct view *view)
{
	uint64_t total = view->top ? node_total(view->top) : 0;
	struct path path;
	uint32_t i;
	int ret;

	gathered->nr = 0;
	gathered->entries = PyMem_Calloc(total + 1, sizeof(*gathered->entries));
	if (!gathered->entries) {
		PyErr_NoMemory();
		return -1;
	}
	ret = view_find_place(view, &path, 0);
	while (!ret && path.length) {
		const struct node *leaf = path.nodes[path.length - 1];

		for (i = 0; i < leaf->nr && !ret && gathered->nr < total; i++)
			ret = gather_entry(gathered, view, &path, i);
		if (!ret)
			ret = PyErr_CheckSignals() ? -1 :
			      view_next_leaf(view, &path);
	}
	path_clear(&path);
	return ret;
}

/* Adds entries, whose hashes are not below those that are there. */
static int fill_bucket(struct view *bucket, const struct entry *entries,
		       size_t nr)
{
	struct path path;
	const struct splice splice = {
		.path = &path, .entries = entries, .nr_entries = (uint32_t)nr,
	};
	int ret = view_find_place(bucket, &path, bucket->top ?
				  node_total(bucket->top) : 0);

	if (!ret)
		ret = view_splice(bucket, &splice);
	path_clear(&path);
	return ret;
}

/* Lets each bucket's view have its part of the entries. */
static int fill_buckets(struct view *buckets, const struct gathered *gathered)
{
	const struct entry *entries = gathered->entries;
	size_t first = 0, end;
	int ret = 0;

	for (; first < gathered->nr && !ret; first = end) {
		end = first + 1;
		while (end < gathered->nr && end - first < SPLICE_MAX &&
		       entries[end].hash >> MAP_SHIFT ==
		       entries[first].hash >> MAP_SHIFT)
			end++;
		ret = fill_bucket(&buckets[entries[first].hash >> MAP_SHIFT],
				  entries + first, end - first);
		if (!ret && PyErr_CheckSignals())
			ret = -1;
	}
	return ret;
}

static int widen(struct map *map, struct view *view, struct view *buckets)
{
	struct gathered gathered;
	int ret = gather(&gathered, view);

	if (!ret)
		ret = fill_buckets(buckets, &gathered);
	if (!ret)
		ret = publish_wide(map, view, buckets);
	gathered_free(&gathered);
	return ret;
}

/**
 * map_can_widen() - whether a map may become wide now
 * @map: which one
 *
 * In a transaction it may not: it would keep all keys from others till the end.
 */
bool map_can_widen(struct map *map)
{
	return !transaction_shadow(&map->object) && !map->wide;
}

/**
 * map_widen() - let a narrow map become wide
 * @map: which one
 * @view: of its only top
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int map_widen(struct map *map, struct view *view)
{
	struct view buckets[MAP_BUCKETS] = {};
	uint32_t i;
	int ret;

	ret = refstore_resize(view->session->store, view->holder,
			      MAP_BUCKETS + 1);
	if (ret) {
		error_set(ret);
		return -1;
	}
	for (i = 0; i < MAP_BUCKETS; i++)
		buckets[i] = (struct view){
			.session = view->session, .holder = view->holder,
			.slot = 1 + i, .keyed = true,
		};
	ret = widen(map, view, buckets);
	for (i = 0; i < MAP_BUCKETS; i++)
		view_close(&buckets[i]);
	return ret;
}
