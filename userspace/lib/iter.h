/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of an iterator.
 */
#ifndef LIBREFSTORE_ITER_H
#define LIBREFSTORE_ITER_H

#include "session.h"

/* Some hundreds of entries: the cost of a call is small beside theirs. */
#define ITER_BUFFER_SIZE 65536

/* The kind of an iterator over holders, which is no REFSTORE_WALK_*. */
#define ITER_HOLDERS UINT32_MAX

/**
 * struct refstore_iter - a walk over a heap
 * @store: the session
 * @kind: what it was made for: REFSTORE_WALK_*, or ITER_HOLDERS
 * @walk: the walk, as the kernel left it
 * @next: the first entry of the buffer that was not given out
 * @matches: chooses entries; NULL: all of them
 * @key: what it looks for
 * @phase: of holders: which walk it is, see holders.c
 * @counts: of holders: tree of how many handles sessions have
 * @objects: the buffer, as what @walk.what says
 * @edges: the same
 * @handles: the same
 * @sessions: the same
 * @labels: the same
 */
struct refstore_iter {
	struct refstore *store;
	uint32_t kind;
	struct refstore_walk walk;
	uint32_t next;
	bool (*matches)(const struct refstore_iter *iter, uint32_t place);
	uint64_t key;
	size_t phase;
	void *counts;
	union {
		struct refstore_walk_object objects[0];
		struct refstore_walk_edge edges[0];
		struct refstore_walk_handle handles[0];
		struct refstore_walk_session sessions[0];
		struct refstore_walk_label labels[0];
	};
};

/* An iterator over all of what REFSTORE_WALK lists: 0 or -ENOMEM. */
int refstore_iter_new(struct refstore *store, unsigned int what,
		      size_t entry_size, struct refstore_iter **result);

/* Has it walk over this, from the beginning. */
void refstore_iter_begin(struct refstore_iter *iter, unsigned int what,
			 size_t entry_size);

/*
 * Makes &refstore_iter.next an entry that can be given out: 1, or 0 at the end, or
 * a negative errno.
 */
int refstore_iter_advance(struct refstore_iter *iter);

/* Of edges, those that lead to the object. */
bool refstore_iter_is_to(const struct refstore_iter *iter, uint32_t place);

/* Frees what it has of holders. */
void refstore_iter_holders_end(struct refstore_iter *iter);

#endif /* LIBREFSTORE_ITER_H */
