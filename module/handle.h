/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handles: 64-bit names for counted or weak references, valid in one session.
 */
#ifndef RS_HANDLE_H
#define RS_HANDLE_H

#include <linux/nospec.h>

#include "account.h"
#include "heap.h"
#include "object.h"
#include "vec.h"
#include "weak.h"

#define RS_HANDLE_INDEX_BITS	26
#define RS_HANDLE_INDEX_MASK	((1ULL << RS_HANDLE_INDEX_BITS) - 1)
#define RS_HANDLE_NONE		((u32)RS_HANDLE_INDEX_MASK)
#define RS_HANDLE_MAX		RS_HANDLE_NONE

/**
 * struct rs_handle - an entry of a session's table
 * @ref: a counted reference, or a weak one (rs_is_weak()); NULL while free or
 *       reserved
 * @tag: generation (37 bits), shifted as in the handle; below it, while the
 *       entry is free, the index of the next free one
 */
struct rs_handle {
	struct rs_object *ref;
	u64 tag;
};

static_assert(sizeof(struct rs_handle) == 16);

/**
 * struct rs_handles - a session's table; protected by the session's lock
 * @payer: who pays for @vec
 * @vec: the entries
 * @used: entries ever used
 * @free: index of the first free entry, or RS_HANDLE_NONE
 * @nr: handles installed or reserved; read without the lock
 * @first_tag: the generation that entries begin with, and do not come back to
 * @stride: from one generation of an entry to the next; odd
 */
struct rs_handles {
	const struct rs_payer *payer;
	struct rs_vec vec;
	u32 used;
	u32 free;
	u32 nr;
	u64 first_tag;
	u64 stride;
};

void rs_handles_init(struct rs_handles *handles, const struct rs_payer *payer);
void rs_handles_free(struct rs_handles *handles);
int rs_handles_make_room(struct rs_handles *handles, u32 count);
u64 rs_handles_max(void);
int rs_handle_reserve(struct rs_handles *handles, u64 *handle);
struct rs_object *rs_handle_take(struct rs_handles *handles, u64 handle);
void rs_handle_drop(struct rs_heap *heap, struct rs_object *ref);
void rs_handle_cancel(struct rs_handles *handles, u64 handle);
int rs_handles_clone(struct rs_handles *to, struct rs_handles *from,
		     u32 first, u32 count);

/* The entry at an index below @used; under the lock, or some spinlock. */
static inline struct rs_handle *rs_handle_at(const struct rs_handles *handles,
					     u32 index)
{
	return rs_vec_at_locked(&handles->vec, index, sizeof(struct rs_handle));
}

/* The entry that a handle matches, or NULL. */
static inline struct rs_handle *rs_handle_find(const struct rs_handles *handles,
					       u64 handle)
{
	u32 index = handle & RS_HANDLE_INDEX_MASK;
	struct rs_handle *entry;

	if (unlikely(index >= handles->used))
		return NULL;
	index = array_index_nospec(index, handles->used);
	entry = rs_handle_at(handles, index);
	return (entry->tag ^ handle) >> RS_HANDLE_INDEX_BITS ? NULL : entry;
}

/**
 * rs_handle_lookup - what a handle stands for
 * @handles: the session's table
 * @handle: any number
 *
 * Return: the reference, counted or weak, kept by the handle while the session's
 * lock is held; NULL for a handle that is stale, foreign or zero.
 */
static inline struct rs_object *
rs_handle_lookup(const struct rs_handles *handles, u64 handle)
{
	struct rs_handle *entry = rs_handle_find(handles, handle);

	return entry ? entry->ref : NULL;
}

/*
 * Lets a reserved handle name @ref; the caller's reference is the handle's
 * now.
 */
static inline void rs_handle_install(struct rs_handles *handles, u64 handle,
				     struct rs_object *ref)
{
	struct rs_handle *entry;

	entry = rs_handle_at(handles, handle & RS_HANDLE_INDEX_MASK);
	WRITE_ONCE(entry->ref, ref);
}

#endif /* RS_HANDLE_H */
