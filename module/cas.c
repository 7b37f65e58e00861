// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many slots, of several objects, compared and set at one moment.
 *
 * The slot locks of all owners are held together, the only place where more than one
 * is. They are taken in the order of the heap's array of them, so nobody waits for us
 * who holds one that we want; and no more of them than RS_CAS_LOCKS at a time, as that
 * many others may wait for. Under them, first everything is compared, then everything
 * is stored; what can fail or sleep is done before, and what was there is put after.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "reclaim.h"
#include "slot.h"
#include "trace.h"

#define RS_CAS_LOCKS	REFSTORE_MAX_CAS_OBJECTS

/**
 * struct rs_cas - a slot that is to be compared and set
 * @obj: its owner, which the call's session keeps
 * @value: what it shall refer to, or NULL; counted. Afterwards what it referred to
 * @expected: id of what it must refer to, or 0
 * @index: which slot
 */
struct rs_cas {
	struct rs_object *obj;
	struct rs_object *value;
	u64 expected;
	u32 index;
};

/**
 * struct rs_cas_list - a call's slots
 * @heap: the heap
 * @entries: @nr of them
 * @nr: how many have been prepared
 * @locks: bits of the slot locks of all owners
 */
struct rs_cas_list {
	struct rs_heap *heap;
	struct rs_cas *entries;
	u32 nr;
	u64 locks;
};

/* Nested below the session's lock: lockdep is told that somebody keeps order. */
static void rs_cas_lock(struct rs_cas_list *list, struct rs_session *session)
{
	u32 i;

	for (i = 0; i < RS_SLOT_LOCKS; i++) {
		if (!(list->locks & BIT_ULL(i)))
			continue;
		spin_lock_nest_lock(&list->heap->slot_lock[i], &session->lock);
		__release(&list->heap->slot_lock[i]);
	}
}

static void rs_cas_unlock(struct rs_cas_list *list)
{
	u32 i;

	for (i = 0; i < RS_SLOT_LOCKS; i++) {
		if (!(list->locks & BIT_ULL(i)))
			continue;
		__acquire(&list->heap->slot_lock[i]);
		spin_unlock(&list->heap->slot_lock[i]);
	}
}

/* Whether all slots are there, can be written, and refer to what they must. */
static int rs_cas_compare(const struct rs_cas_list *list)
{
	const struct rs_cas *entry;
	struct rs_object *found;
	int err = 0;
	u32 i;

	for (i = 0; i < list->nr && !err; i++) {
		entry = &list->entries[i];
		err = rs_slots_check_write(entry->obj, entry->index);
		if (err)
			break;
		found = rs_slot_object(rs_slot_peek_locked(entry->obj,
							   entry->index));
		if ((found ? found->id : 0) != entry->expected)
			err = -EAGAIN;
	}
	return err;
}

static void rs_cas_store(struct rs_cas_list *list)
{
	struct rs_cas *entry;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		entry = &list->entries[i];
		rs_slot_swap(list->heap, entry->obj, entry->index,
			     &entry->value);
	}
}

static int rs_cas_run(struct rs_cas_list *list, struct rs_session *session)
{
	int err;

	rs_cas_lock(list, session);
	err = rs_cas_compare(list);
	if (!err)
		rs_cas_store(list);
	rs_cas_unlock(list);
	return err;
}

/* Puts what slots referred to, or, if nothing was done, what they were to. */
static void rs_cas_finish(struct rs_cas_list *list, bool done)
{
	struct rs_cas *entry;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		entry = &list->entries[i];
		if (!entry->value)
			continue;
		if (done)
			trace_refstore_unlink(list->heap, entry->obj,
					      entry->index, entry->value);
		rs_put(list->heap, entry->value);
		cond_resched();
	}
}

static int rs_cas_prepare(struct rs_call *call, struct rs_cas_list *list,
			  const struct refstore_cas_entry *from)
{
	struct rs_cas *entry = &list->entries[list->nr];
	int err = rs_call_object(call, from->object, &entry->obj);

	if (!err)
		err = rs_call_object_or_null(call, from->value, &entry->value);
	if (!err && from->reserved)
		err = -EINVAL;
	if (!err)
		err = rs_slots_check(entry->obj, from->index, 1);
	if (!err)
		err = rs_slot_prepare(entry->value);
	if (err)
		return err;
	entry->expected = from->expected;
	entry->index = from->index;
	list->nr++;
	list->locks |= BIT_ULL(entry->obj->index % RS_SLOT_LOCKS);
	return hweight64(list->locks) > RS_CAS_LOCKS ? -E2BIG : 0;
}

static int rs_cas_do(struct rs_call *call, struct rs_cas_list *list,
		     const struct refstore_cas_entry *from, u32 count)
{
	int err = 0;
	u32 i;

	for (i = 0; i < count && !err; i++)
		err = rs_cas_prepare(call, list, &from[i]);
	if (!err)
		err = rs_cas_run(list, call->session);
	rs_cas_finish(list, !err);
	return err;
}

/* REFSTORE_CAS_MANY */
int rs_cas_many(struct rs_call *call, void *body)
{
	struct refstore_cas_many *cas = body;
	struct rs_cas_list list = { .heap = call->heap };
	struct refstore_cas_entry *from;
	int err = -ENOMEM;

	if (!cas->count)
		return -EINVAL;
	if (cas->count > REFSTORE_MAX_CAS)
		return -E2BIG;
	from = vmemdup_array_user(u64_to_user_ptr(cas->entries), cas->count,
				  sizeof(*from));
	if (IS_ERR(from))
		return PTR_ERR(from);
	list.entries = kvmalloc_array(cas->count, sizeof(*list.entries),
				      RS_GFP);
	if (list.entries)
		err = rs_cas_do(call, &list, from, cas->count);
	kvfree(list.entries);
	kvfree(from);
	return err;
}
