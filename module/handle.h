/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handles: 64-bit names for counted references, valid in one session.
 */
#ifndef RS_HANDLE_H
#define RS_HANDLE_H

#include "heap.h"
#include "object.h"
#include "vec.h"

#define RS_HANDLE_INDEX_BITS	26
#define RS_HANDLE_INDEX_MASK	((1ULL << RS_HANDLE_INDEX_BITS) - 1)
#define RS_HANDLE_NONE		((u32)RS_HANDLE_INDEX_MASK)
#define RS_HANDLE_MAX		RS_HANDLE_NONE

/**
 * struct rs_handle - an entry of a session's table
 * @obj: a counted reference; NULL while free or reserved
 * @tag: generation (37 bits), shifted as in the handle; below it, while the
 *       entry is free, the index of the next free one
 */
struct rs_handle {
	struct rs_object *obj;
	u64 tag;
};

static_assert(sizeof(struct rs_handle) == 16);

/**
 * struct rs_handles - a session's table; protected by the session's lock
 * @vec: the entries
 * @used: entries ever used
 * @free: index of the first free entry, or RS_HANDLE_NONE
 * @nr: handles installed or reserved; read without the lock
 * @first_tag: the generation that entries begin with, and do not come back to
 * @stride: from one generation of an entry to the next; odd
 */
struct rs_handles {
	struct rs_vec vec;
	u32 used;
	u32 free;
	u32 nr;
	u64 first_tag;
	u64 stride;
};

void rs_handles_init(struct rs_handles *handles);
void rs_handles_free(struct rs_handles *handles);
u64 rs_handles_max(void);
struct rs_handle *rs_handle_at(struct rs_handles *handles, u32 index);
struct rs_object *rs_handle_lookup(struct rs_handles *handles, u64 handle);
int rs_handle_reserve(struct rs_handles *handles, u64 *handle);
void rs_handle_install(struct rs_handles *handles, u64 handle,
		       struct rs_object *obj);
struct rs_object *rs_handle_take(struct rs_handles *handles, u64 handle);
void rs_handle_cancel(struct rs_handles *handles, u64 handle);
int rs_handles_clone(struct rs_handles *to, struct rs_handles *from,
		     u32 first, u32 count);

#endif /* RS_HANDLE_H */
