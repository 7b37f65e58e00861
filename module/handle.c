// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: 64-bit names for counted or weak references, valid in one session.
 *
 *   63 62                        26 25                0
 *  +--+----------------------------+-------------------+
 *  | 0|         generation         |       index       |
 *  +--+----------------------------+-------------------+
 *
 * The table is an array of 16-byte entries. An entry's generation moves on when
 * its handle is released, so a stale handle does not match. Generations begin
 * at a number drawn for the session and go in strides that are drawn as well,
 * so that another session's handle does not match either, nor what a session
 * and its clone mint after they part. The stride is odd: all 2^37 generations
 * come before one comes again, and then the entry is not used any more.
 *
 * A handle that is being made is reserved first, shown to the user, and
 * installed last; until then it names nothing.
 *
 * Everything here is called under the session's lock. That lock is also what
 * makes looking up cheap: as long as it is held a handle keeps its object, so
 * no reference needs to be taken for an operation.
 */
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/sched/signal.h>

#include "handle.h"
#include "reclaim.h"

static unsigned long rs_max_handles = RS_HANDLE_MAX;
module_param_named(max_handles, rs_max_handles, ulong, 0644);
MODULE_PARM_DESC(max_handles, "Handles of a session at most (up to 2^26 - 1)");

#define RS_TAG_MASK	GENMASK_ULL(62, RS_HANDLE_INDEX_BITS)
#define RS_TAG_ONE	BIT_ULL(RS_HANDLE_INDEX_BITS)

u64 rs_handles_max(void)
{
	return min_t(u64, READ_ONCE(rs_max_handles), RS_HANDLE_MAX);
}

/* No generation is zero, so no handle is. */
static u64 rs_tag_next(const struct rs_handles *handles, u64 tag)
{
	tag = (tag + handles->stride) & RS_TAG_MASK;
	return tag ? tag : handles->stride;
}

void rs_handles_init(struct rs_handles *handles, const struct rs_payer *payer)
{
	handles->payer = payer;
	handles->free = RS_HANDLE_NONE;
	handles->stride = (get_random_u64() & RS_TAG_MASK) | RS_TAG_ONE;
	handles->first_tag = rs_tag_next(handles, get_random_u64());
}

void rs_handles_free(struct rs_handles *handles)
{
	rs_payer_uncharge(handles->payer, RS_HANDLES, handles->vec.len);
	rs_vec_free(&handles->vec, sizeof(struct rs_handle));
}

/* What a page of entries takes is paid for before it is used. */
static int rs_handles_grow(struct rs_handles *handles)
{
	const u32 per_page = PAGE_SIZE / sizeof(struct rs_handle);
	int err = rs_payer_charge_patiently(handles->payer, RS_HANDLES,
					    per_page);

	if (err)
		return err;
	err = rs_vec_grow(&handles->vec, sizeof(struct rs_handle));
	if (err)
		rs_payer_uncharge(handles->payer, RS_HANDLES, per_page);
	return err;
}

/**
 * rs_handles_make_room - let a table have so many entries at least
 * @handles: a table that nobody else uses yet
 * @count: how many
 *
 * Return: 0, a refusal, -ENOMEM or -EINTR.
 */
int rs_handles_make_room(struct rs_handles *handles, u32 count)
{
	int err = 0;

	while (!err && handles->vec.len < count) {
		err = rs_handles_grow(handles);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

static int rs_handle_new(struct rs_handles *handles, u32 *index)
{
	int err;

	if (handles->used == RS_HANDLE_MAX)
		return rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES);
	if (handles->used == handles->vec.len) {
		err = rs_handles_grow(handles);
		if (err)
			return err;
	}
	*index = handles->used;
	rs_handle_at(handles, *index)->tag = handles->first_tag;
	/* Pairs with the acquire in rs_walk_table() */
	smp_store_release(&handles->used, *index + 1);
	return 0;
}

/**
 * rs_handle_reserve - make a handle that names nothing yet
 * @handles: the session's table
 * @handle: where it goes
 *
 * Undo with rs_handle_cancel().
 *
 * Return: 0, a refusal, -ENOMEM or -EINTR.
 */
int rs_handle_reserve(struct rs_handles *handles, u64 *handle)
{
	struct rs_handle *entry;
	u32 index = handles->free;
	int err;

	if (unlikely(handles->nr >= rs_handles_max()))
		return rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES);
	if (index == RS_HANDLE_NONE) {
		err = rs_handle_new(handles, &index);
		if (err)
			return err;
		entry = rs_handle_at(handles, index);
	} else {
		entry = rs_handle_at(handles, index);
		handles->free = entry->tag & RS_HANDLE_INDEX_MASK;
	}
	WRITE_ONCE(handles->nr, handles->nr + 1);
	*handle = (entry->tag & RS_TAG_MASK) | index;
	return 0;
}

/* Frees an entry: its generation moves on. */
static struct rs_object *rs_handle_clear(struct rs_handles *handles,
					 struct rs_handle *entry, u32 index)
{
	struct rs_object *ref = entry->ref;
	u64 tag = rs_tag_next(handles, entry->tag);

	WRITE_ONCE(entry->ref, NULL);
	WRITE_ONCE(handles->nr, handles->nr - 1);
	if (unlikely(tag == handles->first_tag)) {
		entry->tag = 0;	/* used up: matches no handle, is not free */
		return ref;
	}
	entry->tag = tag | handles->free;
	handles->free = index;
	return ref;
}

/**
 * rs_handle_take - take a reference out of its handle
 * @handles: the session's table
 * @handle: any number
 *
 * Return: the reference, which is the caller's now, see rs_handle_drop(); NULL
 * if the handle names none.
 */
struct rs_object *rs_handle_take(struct rs_handles *handles, u64 handle)
{
	struct rs_handle *entry = rs_handle_find(handles, handle);

	if (!entry || !entry->ref)
		return NULL;
	return rs_handle_clear(handles, entry, handle & RS_HANDLE_INDEX_MASK);
}

/* Gives up a reference that was taken out of a handle, or is to go in none. */
void rs_handle_drop(struct rs_heap *heap, struct rs_object *ref)
{
	if (unlikely(rs_is_weak(ref)))
		rs_weak_release(heap, rs_weak_untag(ref));
	else
		rs_put(heap, ref);
}

/* Takes back a handle that was reserved and names nothing. */
void rs_handle_cancel(struct rs_handles *handles, u64 handle)
{
	u32 index = handle & RS_HANDLE_INDEX_MASK;

	rs_handle_clear(handles, rs_handle_at(handles, index), index);
}

/* Another reference of the same kind; that of a weak one asks for no notice. */
static int rs_handle_copy(const struct rs_payer *payer, struct rs_object *ref,
			  struct rs_object **copy)
{
	struct rs_weak *weak;

	*copy = ref;
	if (!rs_is_weak(ref))
		return rs_ref_get(&ref->ref);
	weak = rs_weak_copy(payer, rs_weak_untag(ref), false);
	*copy = rs_weak_tag(weak);
	return PTR_ERR_OR_ZERO(weak);
}

static int rs_handle_clone(struct rs_handles *to, struct rs_handles *from,
			   u32 index)
{
	struct rs_handle *entry = rs_handle_at(from, index), *copy;
	struct rs_object *ref;
	u32 fresh;
	int err = rs_handle_new(to, &fresh);

	if (err)
		return err;
	copy = rs_handle_at(to, fresh);
	copy->tag = entry->tag;
	if (!entry->ref) {
		/* Free, and so it stays; or used up, then that stays too */
		if (entry->tag)
			copy->tag = rs_tag_next(to, entry->tag) |
				    (entry->tag & RS_HANDLE_INDEX_MASK);
		return 0;
	}
	err = rs_handle_copy(to->payer, entry->ref, &ref);
	if (err)
		return err;
	WRITE_ONCE(copy->ref, ref);
	WRITE_ONCE(to->nr, to->nr + 1);
	return 0;
}

/**
 * rs_handles_clone - copy a part of a table, each handle counted anew
 * @to: a table into which everything below @first was copied, and nothing else;
 *      it has room
 * @from: the table; its session's lock is held since the first part
 * @first: the first entry of the part
 * @count: how many entries
 *
 * Return: 0, a refusal, -ENOMEM, -EOVERFLOW or -EINTR.
 */
int rs_handles_clone(struct rs_handles *to, struct rs_handles *from,
		     u32 first, u32 count)
{
	u32 i;
	int err = 0;

	for (i = first; i < first + count && !err; i++)
		err = rs_handle_clone(to, from, i);
	to->free = from->free;
	return err;
}
