// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many slots, of several objects, compared and set at one moment.
 *
 * The slot locks of all owners are held together, the only place where more than one
 * is. They are taken in the order of the heap's array of them, so nobody waits for us
 * who holds one that we want; and of no more owners than RS_CAS_OWNERS, as others may
 * wait for each. Under them, first everything is compared, then everything is stored;
 * what can fail or sleep is done before, and what was there is put after. All is
 * compared before as well, owner by owner: what is refused counts nothing, and what
 * is read below the locks is in the cache by then.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "reclaim.h"
#include "slot.h"
#include "trace.h"

#define RS_CAS_OWNERS	REFSTORE_MAX_CAS_OBJECTS
#define RS_CAS_FEW	4	/* slots for which nothing is allocated */
#define RS_CAS_PUTS	32	/* references that are put at a time */

static_assert(RS_SLOT_LOCKS <= 64);
static_assert(RS_CAS_OWNERS <= RS_SLOT_CHUNK);
static_assert(RS_CAS_PUTS <= RS_SLOT_CHUNK);

/**
 * struct rs_cas - a slot that is to be compared and set
 * @obj: its owner, which the call's session keeps
 * @value: what it shall refer to, or NULL. Afterwards what it referred to
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
 * @nr: how many have been found
 * @counted: of how many the value is counted; the first ones
 * @owners: @nr_owners objects that have the slots, in the session's scratch
 * @nr_owners: how many
 * @locks: bits of the slot locks of all owners
 */
struct rs_cas_list {
	struct rs_heap *heap;
	struct rs_cas *entries;
	u32 nr;
	u32 counted;
	struct rs_object **owners;
	u32 nr_owners;
	u64 locks;
};

/* Nested below the session's lock: lockdep is told that somebody keeps order. */
static void rs_cas_lock(struct rs_cas_list *list, struct rs_session *session)
{
	spinlock_t *locks = list->heap->slot_lock;
	u64 left;

	for (left = list->locks; left; left &= left - 1) {
		spin_lock_nest_lock(&locks[__ffs64(left)], &session->lock);
		__release(&locks[__ffs64(left)]);
	}
}

static void rs_cas_unlock(struct rs_cas_list *list)
{
	spinlock_t *locks = list->heap->slot_lock;
	u64 left;

	for (left = list->locks; left; left &= left - 1) {
		__acquire(&locks[__ffs64(left)]);
		spin_unlock(&locks[__ffs64(left)]);
	}
}

/* Whether a slot is there, can be written, and refers to what it must. */
static int rs_cas_compare(const struct rs_cas *entry)
{
	struct rs_object *found;
	int err = rs_slots_check_write(entry->obj, entry->index);

	if (err)
		return err;
	found = rs_slot_object(rs_slot_peek_locked(entry->obj, entry->index));
	return (found ? found->id : 0) == entry->expected ? 0 : -EAGAIN;
}

static int rs_cas_compare_all(const struct rs_cas_list *list)
{
	int err = 0;
	u32 i;

	for (i = 0; i < list->nr && !err; i++)
		err = rs_cas_compare(&list->entries[i]);
	return err;
}

/* The same, for a first look, under one lock at a time. */
static int rs_cas_look(const struct rs_cas_list *list)
{
	const struct rs_cas *entry;
	int err = 0;
	u32 i;

	for (i = 0; i < list->nr && !err; i++) {
		entry = &list->entries[i];
		spin_lock(rs_slot_lock(list->heap, entry->obj));
		err = rs_cas_compare(entry);
		spin_unlock(rs_slot_lock(list->heap, entry->obj));
	}
	return err;
}

/* It was compared: no slot that is to be set can be refused now. */
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
	err = rs_cas_compare_all(list);
	if (!err)
		rs_cas_store(list);
	rs_cas_unlock(list);
	return err;
}

/*
 * Puts what slots referred to, or, if nothing was done, what they were to. The owners
 * do not matter any more: their room is for what is put together.
 */
static void rs_cas_finish(struct rs_cas_list *list, bool done)
{
	struct rs_object **objs = list->owners;
	struct rs_cas *entry;
	u32 i, n = 0;

	for (i = 0; i < list->counted; i++) {
		entry = &list->entries[i];
		if (!entry->value)
			continue;
		if (done)
			trace_refstore_unlink(list->heap, entry->obj,
					      entry->index, entry->value);
		objs[n++] = entry->value;
		if (n < RS_CAS_PUTS)
			continue;
		rs_put_many(list->heap, objs, n);
		n = 0;
		cond_resched();
	}
	rs_put_many(list->heap, objs, n);
}

static int rs_cas_count(struct rs_cas_list *list)
{
	int err = 0;

	while (list->counted < list->nr && !err) {
		err = rs_slot_prepare(list->entries[list->counted].value);
		if (!err)
			list->counted++;
	}
	return err;
}

static int rs_cas_add_owner(struct rs_cas_list *list, struct rs_object *obj)
{
	u32 i;

	for (i = 0; i < list->nr_owners; i++)
		if (list->owners[i] == obj)
			return 0;
	if (list->nr_owners == RS_CAS_OWNERS)
		return -E2BIG;
	list->owners[list->nr_owners++] = obj;
	list->locks |= BIT_ULL(obj->index % RS_SLOT_LOCKS);
	return 0;
}

static int rs_cas_find(struct rs_call *call, struct rs_cas_list *list,
		       const struct refstore_cas_entry *from)
{
	struct rs_cas *entry = &list->entries[list->nr];
	int err = rs_call_object(call, from->object, &entry->obj);

	if (!err)
		err = rs_call_object_or_null(call, from->value, &entry->value);
	if (!err && from->reserved)
		err = -EINVAL;
	if (!err)
		err = rs_cas_add_owner(list, entry->obj);
	if (err)
		return err;
	entry->expected = from->expected;
	entry->index = from->index;
	list->nr++;
	return 0;
}

static int rs_cas_find_all(struct rs_call *call, struct rs_cas_list *list,
			   const struct refstore_cas_entry __user *from,
			   u32 count)
{
	struct refstore_cas_entry entry;
	int err = 0;
	u32 i;

	for (i = 0; i < count && !err; i++) {
		if (copy_from_user(&entry, from + i, sizeof(entry)))
			return -EFAULT;
		err = rs_cas_find(call, list, &entry);
	}
	return err;
}

static int rs_cas_do(struct rs_call *call, struct rs_cas_list *list,
		     const struct refstore_cas_many *cas)
{
	int err = rs_cas_find_all(call, list, u64_to_user_ptr(cas->entries),
				  cas->count);

	if (!err)
		err = rs_cas_look(list);
	if (!err)
		err = rs_cas_count(list);
	if (!err)
		err = rs_cas_run(list, call->session);
	rs_cas_finish(list, !err);
	return err;
}

/* REFSTORE_CAS_MANY */
int rs_cas_many(struct rs_call *call, void *body)
{
	struct refstore_cas_many *cas = body;
	struct rs_cas few[RS_CAS_FEW] __uninitialized;
	struct rs_cas_list list = {
		.heap = call->heap,
		.entries = few,
		.owners = call->session->scratch.objs,
	};
	int err;

	if (!cas->count)
		return -EINVAL;
	if (cas->count > REFSTORE_MAX_CAS)
		return -E2BIG;
	if (cas->count > RS_CAS_FEW)
		list.entries = kvmalloc_array(cas->count, sizeof(*list.entries),
					      RS_GFP);
	if (!list.entries)
		return -ENOMEM;
	err = rs_cas_do(call, &list, cas);
	if (list.entries != few)
		kvfree(list.entries);
	return err;
}
