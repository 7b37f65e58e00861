// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "session.h"

/* Some hundreds of entries: the cost of a call is small beside theirs. */
#define BUFFER_SIZE 65536

/**
 * struct refstore_iter - a walk over a heap
 * @store: the session
 * @walk: the walk, as the kernel left it
 * @next: the first entry of the buffer that was not given out
 * @objects: the buffer, as what @walk.what says
 * @edges: the same
 * @handles: the same
 */
struct refstore_iter {
	struct refstore *store;
	struct refstore_walk walk;
	uint32_t next;
	union {
		struct refstore_walk_object objects[0];
		struct refstore_walk_edge edges[0];
		struct refstore_walk_handle handles[0];
	};
};

int refstore_walk(struct refstore *store, struct refstore_walk *walk)
{
	walk->size = sizeof(*walk);
	return refstore_call(store, REFSTORE_WALK, walk);
}

static int iter_new(struct refstore *store, unsigned int what,
		    unsigned int flags, size_t entry_size,
		    struct refstore_iter **result)
{
	struct refstore_iter *iter;

	if (flags & ~REFSTORE_WALK_MINT)
		return -EINVAL;
	iter = calloc(1, sizeof(*iter) + BUFFER_SIZE);
	if (!iter)
		return -ENOMEM;
	iter->store = store;
	iter->walk.flags = flags;
	iter->walk.what = what;
	iter->walk.capacity = (uint32_t)(BUFFER_SIZE / entry_size);
	iter->walk.entries = refstore_pointer(iter->objects);
	*result = iter;
	return 0;
}

int refstore_iter_objects(struct refstore *store, unsigned int flags,
			  struct refstore_iter **iter)
{
	return iter_new(store, REFSTORE_WALK_OBJECTS, flags,
			sizeof(struct refstore_walk_object), iter);
}

int refstore_iter_edges(struct refstore *store, struct refstore_iter **iter)
{
	return iter_new(store, REFSTORE_WALK_EDGES, 0,
			sizeof(struct refstore_walk_edge), iter);
}

int refstore_iter_handles(struct refstore *store, struct refstore_iter **iter)
{
	return iter_new(store, REFSTORE_WALK_HANDLES, 0,
			sizeof(struct refstore_walk_handle), iter);
}

int refstore_iter_roots(struct refstore *store, struct refstore_iter **iter)
{
	return iter_new(store, REFSTORE_WALK_ROOTS, 0,
			sizeof(struct refstore_walk_handle), iter);
}

/* 1 when there is an entry to give out, 0 at the end, or a negative errno. */
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

int refstore_iter_next_object(struct refstore_iter *iter,
			      struct refstore_walk_object *object)
{
	int ret;

	if (iter->walk.what != REFSTORE_WALK_OBJECTS)
		return -EINVAL;
	ret = fill(iter);
	if (ret == 1)
		*object = iter->objects[iter->next++];
	return ret;
}

int refstore_iter_next_edge(struct refstore_iter *iter,
			    struct refstore_walk_edge *edge)
{
	int ret;

	if (iter->walk.what != REFSTORE_WALK_EDGES)
		return -EINVAL;
	ret = fill(iter);
	if (ret == 1)
		*edge = iter->edges[iter->next++];
	return ret;
}

int refstore_iter_next_handle(struct refstore_iter *iter,
			      struct refstore_walk_handle *handle)
{
	int ret;

	if (iter->walk.what != REFSTORE_WALK_HANDLES &&
	    iter->walk.what != REFSTORE_WALK_ROOTS)
		return -EINVAL;
	ret = fill(iter);
	if (ret == 1)
		*handle = iter->handles[iter->next++];
	return ret;
}

void refstore_iter_free(struct refstore_iter *iter)
{
	if (!iter)
		return;
	if (iter->walk.flags & REFSTORE_WALK_MINT) {
		uint32_t i;

		for (i = iter->next; i < iter->walk.count; i++)
			refstore_release(iter->store, iter->objects[i].handle);
	}
	free(iter);
}
