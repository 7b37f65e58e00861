// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "iter.h"

/* Handles that are given back in one call. */
#define RELEASE_CHUNK 64

int refstore_walk(struct refstore *store, struct refstore_walk *walk)
{
	walk->size = sizeof(*walk);
	return refstore_call_once(store, REFSTORE_WALK, walk);
}

void refstore_iter_begin(struct refstore_iter *iter, unsigned int what,
			 size_t entry_size)
{
	iter->next = 0;
	iter->walk = (struct refstore_walk){
		.what = what,
		.capacity = (uint32_t)(ITER_BUFFER_SIZE / entry_size),
		.entries = refstore_pointer(iter->objects),
	};
}

int refstore_iter_new(struct refstore *store, unsigned int what,
		      size_t entry_size, struct refstore_iter **result)
{
	struct refstore_iter *iter;

	iter = calloc(1, sizeof(*iter) + ITER_BUFFER_SIZE);
	if (!iter)
		return -ENOMEM;
	iter->store = store;
	iter->kind = what;
	refstore_iter_begin(iter, what, entry_size);
	*result = iter;
	return 0;
}

int refstore_iter_objects(struct refstore *store, unsigned int flags,
			  struct refstore_iter **iter)
{
	int ret;

	if (flags & ~REFSTORE_WALK_MINT)
		return -EINVAL;
	ret = refstore_iter_new(store, REFSTORE_WALK_OBJECTS,
				sizeof(struct refstore_walk_object), iter);
	if (!ret)
		(*iter)->walk.flags = flags;
	return ret;
}

int refstore_iter_edges(struct refstore *store, struct refstore_iter **iter)
{
	return refstore_iter_new(store, REFSTORE_WALK_EDGES,
				 sizeof(struct refstore_walk_edge), iter);
}

int refstore_iter_handles(struct refstore *store, struct refstore_iter **iter)
{
	return refstore_iter_new(store, REFSTORE_WALK_HANDLES,
				 sizeof(struct refstore_walk_handle), iter);
}

int refstore_iter_roots(struct refstore *store, struct refstore_iter **iter)
{
	return refstore_iter_new(store, REFSTORE_WALK_ROOTS,
				 sizeof(struct refstore_walk_handle), iter);
}

int refstore_iter_sessions(struct refstore *store, struct refstore_iter **iter)
{
	return refstore_iter_new(store, REFSTORE_WALK_SESSIONS,
				 sizeof(struct refstore_walk_session), iter);
}

int refstore_iter_labels(struct refstore *store, struct refstore_iter **iter)
{
	return refstore_iter_new(store, REFSTORE_WALK_LABELS,
				 sizeof(struct refstore_walk_label), iter);
}

/*
 * Iterators over a part.
 */

static bool is_of_generation(const struct refstore_iter *iter, uint32_t place)
{
	const struct refstore_walk_object *object = &iter->objects[place];

	return object->state & REFSTORE_STATE_SLOTTED &&
	       !(object->state & REFSTORE_STATE_FROZEN) &&
	       object->generation == iter->key;
}

static bool is_garbage(const struct refstore_iter *iter, uint32_t place)
{
	return iter->objects[place].state & REFSTORE_STATE_SAVED;
}

bool refstore_iter_is_to(const struct refstore_iter *iter, uint32_t place)
{
	return iter->edges[place].to == iter->key;
}

static bool is_from(const struct refstore_iter *iter, uint32_t place)
{
	return iter->edges[place].from == iter->key;
}

int refstore_iter_generation(struct refstore *store, uint32_t generation,
			     unsigned int flags, struct refstore_iter **iter)
{
	int ret;

	if (generation >= REFSTORE_GENERATIONS)
		return -EINVAL;
	ret = refstore_iter_objects(store, flags, iter);
	if (ret)
		return ret;
	(*iter)->matches = is_of_generation;
	(*iter)->key = generation;
	return 0;
}

int refstore_iter_garbage(struct refstore *store, unsigned int flags,
			  struct refstore_iter **iter)
{
	int ret = refstore_iter_objects(store, flags, iter);

	if (!ret)
		(*iter)->matches = is_garbage;
	return ret;
}

static int iter_edges_of(struct refstore *store, uint64_t id,
			 bool (*matches)(const struct refstore_iter *iter,
					 uint32_t place),
			 struct refstore_iter **iter)
{
	int ret = refstore_iter_edges(store, iter);

	if (ret)
		return ret;
	(*iter)->matches = matches;
	(*iter)->key = id;
	return 0;
}

int refstore_iter_referrers(struct refstore *store, uint64_t id,
			    struct refstore_iter **iter)
{
	return iter_edges_of(store, id, refstore_iter_is_to, iter);
}

int refstore_iter_referents(struct refstore *store, uint64_t id,
			    struct refstore_iter **iter)
{
	return iter_edges_of(store, id, is_from, iter);
}

/* The entries up to @end are not given out. */
static void skip_to(struct refstore_iter *iter, uint32_t end)
{
	uint64_t handles[RELEASE_CHUNK];
	uint32_t count = 0;

	if (!(iter->walk.flags & REFSTORE_WALK_MINT))
		iter->next = end;
	while (iter->next < end) {
		handles[count++] = iter->objects[iter->next++].handle;
		if (count < RELEASE_CHUNK && iter->next < end)
			continue;
		refstore_release_many(iter->store, handles, count);
		count = 0;
	}
}

/* 1 when there is an entry in the buffer, 0 at the end, or a negative errno. */
static int fill(struct refstore_iter *iter)
{
	while (iter->next == iter->walk.count) {
		int ret;

		if (iter->walk.end)
			return 0;
		/* So that a failed step leaves an empty buffer behind. */
		iter->next = 0;
		iter->walk.count = 0;
		ret = refstore_walk(iter->store, &iter->walk);
		if (ret)
			return ret;
	}
	return 1;
}

/* The first entry in the buffer to give out, or the buffer's end. */
static uint32_t next_match(const struct refstore_iter *iter)
{
	uint32_t place = iter->next;

	while (iter->matches && place < iter->walk.count &&
	       !iter->matches(iter, place))
		place++;
	return place;
}

int refstore_iter_advance(struct refstore_iter *iter)
{
	int ret;

	do {
		ret = fill(iter);
		if (ret == 1)
			skip_to(iter, next_match(iter));
	} while (ret == 1 && iter->next == iter->walk.count);
	return ret;
}

int refstore_iter_next_object(struct refstore_iter *iter,
			      struct refstore_walk_object *object)
{
	int ret;

	if (iter->kind != REFSTORE_WALK_OBJECTS)
		return -EINVAL;
	ret = refstore_iter_advance(iter);
	if (ret == 1)
		*object = iter->objects[iter->next++];
	return ret;
}

int refstore_iter_next_edge(struct refstore_iter *iter,
			    struct refstore_walk_edge *edge)
{
	int ret;

	if (iter->kind != REFSTORE_WALK_EDGES)
		return -EINVAL;
	ret = refstore_iter_advance(iter);
	if (ret == 1)
		*edge = iter->edges[iter->next++];
	return ret;
}

int refstore_iter_next_handle(struct refstore_iter *iter,
			      struct refstore_walk_handle *handle)
{
	int ret;

	if (iter->kind != REFSTORE_WALK_HANDLES &&
	    iter->kind != REFSTORE_WALK_ROOTS)
		return -EINVAL;
	ret = refstore_iter_advance(iter);
	if (ret == 1)
		*handle = iter->handles[iter->next++];
	return ret;
}

int refstore_iter_next_session(struct refstore_iter *iter,
			       struct refstore_walk_session *session)
{
	int ret;

	if (iter->kind != REFSTORE_WALK_SESSIONS)
		return -EINVAL;
	ret = refstore_iter_advance(iter);
	if (ret == 1)
		*session = iter->sessions[iter->next++];
	return ret;
}

int refstore_iter_next_label(struct refstore_iter *iter,
			     struct refstore_walk_label *label)
{
	int ret;

	if (iter->kind != REFSTORE_WALK_LABELS)
		return -EINVAL;
	ret = refstore_iter_advance(iter);
	if (ret == 1)
		*label = iter->labels[iter->next++];
	return ret;
}

void refstore_iter_free(struct refstore_iter *iter)
{
	if (!iter)
		return;
	skip_to(iter, iter->walk.count);
	refstore_iter_holders_end(iter);
	free(iter);
}

/*
 * Looking for an object: the walk mints a handle for each object that it lists,
 * and giving that back makes work for the scanner. So the walk goes ahead
 * without handles, and once more for the one that was found.
 */

#define FIND_CHUNK 64

/*
 * One step. Tells in @place which entry it is, or that it is not there: nor is
 * what is just going.
 */
static int look(struct refstore *store, struct refstore_walk *walk, uint64_t id,
		uint32_t *place)
{
	struct refstore_walk_object objects[FIND_CHUNK];
	int ret;

	walk->entries = refstore_pointer(objects);
	ret = refstore_walk(store, walk);
	for (*place = 0; !ret && *place < walk->count; ++*place)
		if (objects[*place].id == id && objects[*place].refs)
			return 0;
	*place = FIND_CHUNK;
	return ret;
}

/* The next object, with a handle; 0 if it is another one by now. */
static int take(struct refstore *store, struct refstore_walk *walk, uint64_t id,
		uint64_t *handle)
{
	struct refstore_walk_object object = { 0 };
	int ret = 0;

	*handle = 0;
	walk->flags = REFSTORE_WALK_MINT;
	walk->capacity = 1;
	walk->entries = refstore_pointer(&object);
	while (!ret && !walk->end && !walk->count)
		ret = refstore_walk(store, walk);
	if (ret || !walk->count)
		return ret;
	if (object.id != id) {
		refstore_release(store, object.handle);
		return 0;
	}
	*handle = object.handle;
	return object.handle ? 0 : -EOVERFLOW;
}

/* Entry @place of the step that begins at @walk. */
static int mint(struct refstore *store, struct refstore_walk walk, uint64_t id,
		uint32_t place, uint64_t *handle)
{
	uint32_t passed;
	int ret = 0;

	walk.capacity = place;
	if (place)
		ret = look(store, &walk, id, &passed);
	walk.count = 0;
	return ret ? ret : take(store, &walk, id, handle);
}

int refstore_find(struct refstore *store, uint64_t id, uint64_t *object)
{
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_OBJECTS,
		.capacity = FIND_CHUNK,
	};
	uint64_t handle = 0;

	while (!walk.end && !handle) {
		struct refstore_walk before = walk;
		uint32_t place;
		int ret = look(store, &walk, id, &place);

		if (!ret && place < FIND_CHUNK) {
			ret = mint(store, before, id, place, &handle);
			/* What was found there has moved: look again. */
			walk = before;
		}
		if (ret)
			return ret;
	}
	*object = handle;
	return 0;
}
