// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: references from object to object.
 *
 * Whoever reads or writes slots holds a counted reference on their owner for
 * the whole of it (invariant I3), and the owner's slot lock across the load of
 * a reference and its get (I2), or across the exchange of one. A store counts
 * the new target, publishes it, and drops the old one after the lock is gone.
 *
 * The scanner reads slots without the lock, through rs_slots_peek(). What it
 * may see: the value of a slot before or after any store; for slots that are
 * being moved out of the tail, none at all, which only makes it keep what it
 * might have condemned. What it must not see is a word of the tail in its other
 * meaning, so moving goes through RS_SHAPE_MOVING: shape, then the tail's word,
 * then shape again, and the reader looks at the shape before and after.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "reclaim.h"
#include "scan.h"
#include "slot.h"
#include "trace.h"

/* An array of @nr empty slots, or NULL. */
struct rs_slots *rs_slots_alloc(u32 nr)
{
	struct rs_slots *slots;

	slots = kvzalloc(struct_size(slots, slot, nr), RS_GFP);
	if (slots)
		slots->nr = nr;
	return slots;
}

/* Number of slots; 0 for a leaf. */
u32 rs_slots_nr(const struct rs_object *obj)
{
	if (!rs_object_tracked(obj))
		return 0;
	return READ_ONCE(obj->shape) & RS_SHAPE_NR;
}

/* The same for slots outside; see rs_slots_peek(). */
u32 rs_slots_peek_array(struct rs_slotted *slotted, u32 first,
			const unsigned long **slots)
{
	/* A replaced array stays while we scan, see rs_slots_retire() */
	struct rs_slots *array = rs_slots_array(slotted);
	u32 nr = READ_ONCE(array->nr);

	if (first >= nr)
		return 0;
	*slots = array->slot + first;
	return min_t(u32, nr - first, RS_SLICE);
}

/**
 * rs_slots_fill - store the first reference in a slot of a new object
 * @obj: an object that nobody else has seen
 * @index: the slot
 * @value: its target, or NULL; the caller's reference to it moves to the slot
 */
void rs_slots_fill(struct rs_object *obj, u32 index, struct rs_object *value)
{
	if (value)
		rs_object_expose(value);
	rs_slots_base(obj)[index] = rs_slot_make(value);
}

/* The value of a slot; the caller holds the slot lock and checked the index. */
unsigned long rs_slot_peek_locked(struct rs_object *obj, u32 index)
{
	index = array_index_nospec(index, rs_slots_nr(obj));
	return rs_slots_base(obj)[index];
}

/**
 * rs_slots_check - whether an object has these slots
 * @obj: the object
 * @first: the first one
 * @count: how many
 *
 * Return: 0, -EOPNOTSUPP for a leaf, -ERANGE.
 */
int rs_slots_check(struct rs_object *obj, u32 first, u32 count)
{
	u32 nr = rs_slots_nr(obj);

	if (!rs_object_tracked(obj))
		return -EOPNOTSUPP;
	return first <= nr && count <= nr - first ? 0 : -ERANGE;
}

/* The same for a slot that is to be written, under its lock; or -EPERM. */
int rs_slots_check_write(struct rs_object *obj, u32 index)
{
	int err = rs_slots_check(obj, index, 1);

	if (!err && obj->flags & RS_SEALED_SLOTS)
		err = -EPERM;
	return err;
}

/*
 * Counts @value for a slot. Before the slot is stored: the scanner must find a
 * count for each reference that it sees.
 */
int rs_slot_prepare(struct rs_object *value)
{
	int err;

	if (!value)
		return 0;
	err = rs_ref_get(&value->ref);
	if (!err)
		rs_object_expose(value);
	return err;
}

/*
 * Stores in a slot, under its lock. The target was initialised and counted
 * before. A copy of the array that is being made gets the store as well.
 */
static void rs_slot_write(struct rs_object *obj, u32 index, unsigned long value)
{
	struct rs_slots *slots;

	/* Pairs with the address dependency in rs_trace_slot() */
	smp_store_release(&rs_slots_base(obj)[index], value);
	if (!(obj->shape & RS_SHAPE_ARRAY))
		return;
	slots = rs_slots_array(rs_slotted(obj));
	if (index < slots->copied)
		slots->next->slot[index] = value;
}

/* Exchanges a slot, under its lock; the old value is the caller's to put. */
static int rs_slot_exchange(struct rs_object *obj, u32 index,
			    const unsigned long *expected, unsigned long value,
			    struct rs_object **old)
{
	unsigned long *slot;
	int err = rs_slots_check_write(obj, index);

	if (err)
		return err;
	index = array_index_nospec(index, rs_slots_nr(obj));
	slot = rs_slots_base(obj) + index;
	if (expected && *slot != *expected)
		return -EAGAIN;
	*old = rs_slot_object(*slot);
	rs_slot_write(obj, index, value);
	return 0;
}

static int rs_slot_store(struct rs_heap *heap, struct rs_object *obj, u32 index,
			 const unsigned long *expected, struct rs_object *value)
{
	struct rs_object *old = NULL;
	int err = rs_slot_prepare(value);

	if (err)
		return err;
	spin_lock(rs_slot_lock(heap, obj));
	err = rs_slot_exchange(obj, index, expected, rs_slot_make(value), &old);
	spin_unlock(rs_slot_lock(heap, obj));
	if (err)
		old = value;
	else if (value)
		trace_refstore_link(heap, obj, index, value);
	if (!err && old)
		trace_refstore_unlink(heap, obj, index, old);
	if (old)
		rs_put(heap, old);
	return err;
}

/**
 * rs_slot_set - let a slot refer to something else
 * @heap: the heap
 * @obj: the owner, on which the caller has a reference
 * @index: the slot
 * @value: on which the caller has a reference, or NULL
 *
 * Return: 0, -EOPNOTSUPP, -ERANGE, -EPERM or -EOVERFLOW.
 */
int rs_slot_set(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *value)
{
	return rs_slot_store(heap, obj, index, NULL, value);
}

/* The same, if the slot refers to @expected; -EAGAIN if not. */
int rs_slot_cas(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *expected, struct rs_object *value)
{
	unsigned long want = rs_slot_make(expected);

	return rs_slot_store(heap, obj, index, &want, value);
}

/**
 * rs_slots_read - take references to what slots refer to
 * @heap: the heap
 * @obj: the owner, on which the caller has a reference
 * @first: the first slot
 * @count: how many, at most RS_SLOT_CHUNK
 * @values: where the references go, NULL for an empty slot
 *
 * Return: how many were read, at least one; or -EOPNOTSUPP, -ERANGE,
 * -EOVERFLOW.
 */
int rs_slots_read(struct rs_heap *heap, struct rs_object *obj, u32 first,
		  u32 count, struct rs_object **values)
{
	unsigned long *slot;
	u32 index, i = 0;
	int err;

	spin_lock(rs_slot_lock(heap, obj));
	err = rs_slots_check(obj, first, count);
	if (err)
		goto unlock;
	slot = rs_slots_base(obj);
	for (i = 0; i < count; i++) {
		index = array_index_nospec(first + i, rs_slots_nr(obj));
		values[i] = rs_slot_object(slot[index]);
		if (values[i])
			err = rs_ref_get(&values[i]->ref);
		if (err)
			break;
	}
unlock:
	spin_unlock(rs_slot_lock(heap, obj));
	return i ? i : err;
}

/*
 * Exchanges a slot, under its lock, for *@value, a reference that was prepared, which
 * goes there. What was there is the caller's instead.
 */
int rs_slot_swap(struct rs_heap *heap, struct rs_object *obj, u32 index,
		 struct rs_object **value)
{
	struct rs_object *new = *value;
	int err = rs_slot_exchange(obj, index, NULL, rs_slot_make(new), value);

	/* Under the lock: later, others may have put it */
	if (!err && new)
		trace_refstore_link(heap, obj, index, new);
	return err;
}

/*
 * Exchanges slots for @values, under one hold of the lock; the references go to the
 * slots, and those that were there are the caller's instead.
 */
static int rs_slots_swap_values(struct rs_heap *heap, struct rs_object *obj,
				u32 first, struct rs_object **values, u32 count)
{
	u32 i;
	int err;

	for (i = 0; i < count; i++)
		if (values[i])
			rs_object_expose(values[i]);
	spin_lock(rs_slot_lock(heap, obj));
	err = rs_slots_check(obj, first, count);
	for (i = 0; i < count && !err; i++)
		err = rs_slot_swap(heap, obj, first + i, &values[i]);
	spin_unlock(rs_slot_lock(heap, obj));
	return err;
}

/**
 * rs_slots_transfer - let slots refer to what other slots do
 * @heap: the heap
 * @obj: the owner of the former, on which the caller has a reference
 * @first: the first of them
 * @source: the owner of the latter, likewise
 * @source_first: the first of them
 * @count: how many, at most RS_SLOT_CHUNK
 * @values: room for as many
 *
 * Return: 0, -EOPNOTSUPP, -ERANGE, -EPERM or -EOVERFLOW; then nothing was changed.
 */
int rs_slots_transfer(struct rs_heap *heap, struct rs_object *obj, u32 first,
		      struct rs_object *source, u32 source_first, u32 count,
		      struct rs_object **values)
{
	int n, err, i, nr = 0;

	n = rs_slots_read(heap, source, source_first, count, values);
	if (n < 0)
		return n;
	/* What has as many references as it can have is all that stops it early */
	err = n < count ? -EOVERFLOW :
	      rs_slots_swap_values(heap, obj, first, values, count);
	for (i = 0; i < n; i++) {
		if (!values[i])
			continue;
		if (!err)
			trace_refstore_unlink(heap, obj, first + i, values[i]);
		values[nr++] = values[i];
	}
	rs_put_many(heap, values, nr);
	return err;
}

/**
 * rs_slot_read_id - take a reference to what a slot refers to, if it is that
 * @heap: the heap
 * @obj: the owner, on which the caller has a reference
 * @index: which slot
 * @id: of what it must refer to, or 0
 * @value: where the reference goes, or NULL for an empty slot
 *
 * What does not match is not counted: who asks in vain makes no candidate.
 *
 * Return: 0, -EOPNOTSUPP, -ERANGE, -EAGAIN or -EOVERFLOW.
 */
int rs_slot_read_id(struct rs_heap *heap, struct rs_object *obj, u32 index,
		    u64 id, struct rs_object **value)
{
	int err;

	spin_lock(rs_slot_lock(heap, obj));
	err = rs_slots_check(obj, index, 1);
	if (err)
		goto unlock;
	*value = rs_slot_object(rs_slot_peek_locked(obj, index));
	if ((*value ? (*value)->id : 0) != id)
		err = -EAGAIN;
	else if (*value)
		err = rs_ref_get(&(*value)->ref);
unlock:
	spin_unlock(rs_slot_lock(heap, obj));
	return err;
}

/**
 * rs_slots_ids - the ids of what slots refer to
 * @heap: the heap
 * @obj: the owner, on which the caller has a reference
 * @first: the first slot
 * @count: how many, at most RS_SLOT_CHUNK
 * @ids: where they go, 0 for an empty slot
 *
 * Return: 0, -EOPNOTSUPP or -ERANGE.
 */
int rs_slots_ids(struct rs_heap *heap, struct rs_object *obj, u32 first,
		 u32 count, u64 *ids)
{
	struct rs_object *value;
	u32 i;
	int err;

	spin_lock(rs_slot_lock(heap, obj));
	err = rs_slots_check(obj, first, count);
	for (i = 0; i < count && !err; i++) {
		value = rs_slot_object(rs_slot_peek_locked(obj, first + i));
		ids[i] = value ? value->id : 0;
	}
	spin_unlock(rs_slot_lock(heap, obj));
	return err;
}

/*
 * Publishes an array of slots in place of the tail's; see the head of the file.
 */
static void rs_slots_move_out(struct rs_slotted *slotted,
			      struct rs_slots *slots)
{
	u32 shape = RS_SHAPE_ARRAY | slots->nr;

	WRITE_ONCE(slotted->obj.shape, RS_SHAPE_MOVING | slotted->obj.shape);
	/* Pairs with the smp_rmb() in rs_slots_peek() */
	smp_wmb();
	WRITE_ONCE(*rs_slots_tail(slotted), (unsigned long)slots);
	/* Pairs with the acquire in rs_slots_peek() */
	smp_store_release(&slotted->obj.shape, shape);
}

/* Publishes an array in place of another; the old one is the caller's. */
static void rs_slots_swap(struct rs_slotted *slotted, struct rs_slots *slots)
{
	/* Pairs with the dependency in rs_slots_peek_array() */
	smp_store_release(rs_slots_tail(slotted), (unsigned long)slots);
	WRITE_ONCE(slotted->obj.shape, RS_SHAPE_ARRAY | slots->nr);
}

/*
 * Copies a slice of the slots that both arrays have. Stores that come meanwhile
 * go to both, see rs_slot_write(). Returns true when all are copied.
 */
static bool rs_slots_copy_slice(struct rs_slots *old, struct rs_slots *new)
{
	u32 common = min(old->nr, new->nr);
	u32 n = min_t(u32, common - old->copied, RS_SLICE);

	memcpy(new->slot + old->copied, old->slot + old->copied,
	       n * sizeof(new->slot[0]));
	old->copied += n;
	return old->copied == common;
}

/* Puts what @count slots from @slot on hold; they are the caller's alone. */
static void rs_slots_put_range(struct rs_heap *heap, unsigned long *slot,
			       u32 count)
{
	struct rs_reap reap = { .heap = heap };
	u32 i;

	for (i = 0; i < count; i++) {
		if (slot[i])
			rs_reap_put(&reap, rs_slot_object(slot[i]));
		if (i % RS_SLICE == RS_SLICE - 1)
			cond_resched();
	}
	rs_reap_finish(&reap);
}

/*
 * Frees an array that was replaced. A scan that runs may be reading it. The
 * barrier orders the publication of the new array before the look at the scan's
 * number, and pairs with the one in rs_scan_begin(): a scan that we do not see
 * reads the new array.
 */
static void rs_slots_retire(struct rs_heap *heap, struct rs_slots *slots)
{
	/* Pairs with the one in rs_scan_begin() */
	smp_mb();
	if (READ_ONCE(heap->scan) && rs_reap_defer_slots(heap, slots))
		return;
	kvfree(slots);
}

/* Resizes where both numbers of slots fit the tail. */
static int rs_slots_resize_tail(struct rs_heap *heap, struct rs_object *obj,
				u32 nr)
{
	unsigned long cut[RS_MAX_TAIL];
	unsigned long *slot;
	u32 i, n = 0;
	int err = 0;

	spin_lock(rs_slot_lock(heap, obj));
	if (obj->flags & RS_SEALED_SLOTS) {
		err = -EPERM;
	} else {
		slot = rs_slots_base(obj);
		for (i = nr; i < obj->shape; i++) {
			cut[n++] = slot[i];
			WRITE_ONCE(slot[i], 0);
		}
		WRITE_ONCE(obj->shape, nr);
		rs_ref_touch(&obj->ref);
	}
	spin_unlock(rs_slot_lock(heap, obj));
	rs_slots_put_range(heap, cut, n);
	return err;
}

/* Moves the slots out of the tail, at most RS_MAX_TAIL of them. */
static int rs_slots_leave_tail(struct rs_heap *heap, struct rs_object *obj,
			       struct rs_slots *new)
{
	int err = 0;

	spin_lock(rs_slot_lock(heap, obj));
	if (obj->flags & RS_SEALED_SLOTS) {
		err = -EPERM;
	} else {
		memcpy(new->slot, rs_slots_base(obj),
		       obj->shape * sizeof(new->slot[0]));
		rs_slots_move_out(rs_slotted(obj), new);
		rs_ref_touch(&obj->ref);
	}
	spin_unlock(rs_slot_lock(heap, obj));
	return err;
}

/* One step of a copy; 0 when @new is published, -EAGAIN when more is to do. */
static int rs_slots_copy_step(struct rs_heap *heap, struct rs_object *obj,
			      struct rs_slots *old, struct rs_slots *new)
{
	int err = -EAGAIN;

	spin_lock(rs_slot_lock(heap, obj));
	old->next = new;
	if (obj->flags & RS_SEALED_SLOTS) {
		err = -EPERM;
		old->next = NULL;
		old->copied = 0;
	} else if (rs_slots_copy_slice(old, new)) {
		rs_slots_swap(rs_slotted(obj), new);
		rs_ref_touch(&obj->ref);
		err = 0;
	}
	spin_unlock(rs_slot_lock(heap, obj));
	return err;
}

/* Replaces the array by @new, in slices; then *@old is the caller's. */
static int rs_slots_replace(struct rs_heap *heap, struct rs_object *obj,
			    struct rs_slots *new, struct rs_slots **old)
{
	struct rs_slots *array = rs_slots_array(rs_slotted(obj));
	int err;

	do {
		err = rs_slots_copy_step(heap, obj, array, new);
		cond_resched();
	} while (err == -EAGAIN);
	if (!err)
		*old = array;
	return err;
}

/* Drops what was cut off a replaced array, and the array. */
static void rs_slots_drop_old(struct rs_heap *heap, struct rs_object *obj,
			      struct rs_slots *old, u32 nr)
{
	u32 cut = old->nr - min(old->nr, nr);

	rs_slots_put_range(heap, old->slot + old->nr - cut, cut);
	rs_heap_uncharge(heap, obj, struct_size(old, slot, old->nr));
	rs_slots_retire(heap, old);
}

static int rs_slots_publish(struct rs_heap *heap, struct rs_object *obj,
			    struct rs_slots *new, u32 nr)
{
	struct rs_slots *old = NULL;
	int err;

	if (mutex_lock_interruptible(&heap->resize_lock))
		return -EINTR;
	if (obj->shape & RS_SHAPE_ARRAY)
		err = rs_slots_replace(heap, obj, new, &old);
	else
		err = rs_slots_leave_tail(heap, obj, new);
	mutex_unlock(&heap->resize_lock);
	if (old)
		rs_slots_drop_old(heap, obj, old, nr);
	return err;
}

/*
 * Charging may wait for the backlog, and so comes before the lock, for which
 * all who resize objects of the heap wait; what goes is dropped after it.
 */
static int rs_slots_resize_array(struct rs_heap *heap, struct rs_object *obj,
				 u32 nr)
{
	struct rs_slots *new;
	size_t bytes = struct_size(new, slot, nr);
	int err = rs_heap_charge(heap, obj, bytes);

	if (err)
		return err;
	new = rs_slots_alloc(nr);
	err = new ? rs_slots_publish(heap, obj, new, nr) : -ENOMEM;
	if (err) {
		kvfree(new);
		rs_heap_uncharge(heap, obj, bytes);
	}
	return err;
}

/**
 * rs_slots_resize - change the number of slots
 * @heap: the heap
 * @obj: the object, on which the caller has a reference
 * @nr: how many it shall have
 *
 * Resizes of a heap's objects come one after the other, so that shape changes
 * under the eyes of one only. The references that were cut off are dropped.
 *
 * Return: 0, -EOPNOTSUPP, -E2BIG, -EPERM, a refusal, -ENOMEM or -EINTR.
 */
int rs_slots_resize(struct rs_heap *heap, struct rs_object *obj, u32 nr)
{
	bool in_tail;
	int err = 0;

	if (!rs_object_tracked(obj))
		return -EOPNOTSUPP;
	if (nr > RS_MAX_SLOTS)
		return -E2BIG;
	if (nr > rs_object_tail_room(obj))
		return rs_slots_resize_array(heap, obj, nr);
	if (mutex_lock_interruptible(&heap->resize_lock))
		return -EINTR;
	in_tail = !(obj->shape & RS_SHAPE_ARRAY);
	if (in_tail)
		err = rs_slots_resize_tail(heap, obj, nr);
	mutex_unlock(&heap->resize_lock);
	/* Slots that have left the tail never come back */
	return in_tail ? err : rs_slots_resize_array(heap, obj, nr);
}
