/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots: references from object to object, and the object's data and seals,
 * which the same lock protects.
 */
#ifndef RS_SLOT_H
#define RS_SLOT_H

#include <linux/minmax.h>
#include <linux/prefetch.h>

#include "heap.h"
#include "object.h"

#define RS_PEEK		16	/* slots of a tail that the scanner reads at a time */
#define RS_SLOT_CHUNK	64	/* slots that a call handles at a time */
/* Slots of a chunk are read, and copied, at one moment: as many as uapi says */
static_assert(REFSTORE_MAX_COPY <= RS_SLOT_CHUNK);

struct rs_slots *rs_slots_alloc(u32 nr);
u32 rs_slots_nr(const struct rs_object *obj);
u32 rs_slots_peek_array(struct rs_slotted *slotted, u32 first,
			const unsigned long **slots);
void rs_slots_fill(struct rs_object *obj, u32 index, struct rs_object *value);

int rs_slot_set(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *value);
int rs_slot_cas(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *expected, struct rs_object *value);
int rs_slots_check(struct rs_object *obj, u32 first, u32 count);
int rs_slots_check_write(struct rs_object *obj, u32 index);
int rs_slot_prepare(struct rs_object *value);
int rs_slot_swap(struct rs_heap *heap, struct rs_object *obj, u32 index,
		 struct rs_object **value);
int rs_slots_read(struct rs_heap *heap, struct rs_object *obj, u32 first,
		  u32 count, struct rs_object **values);
int rs_slot_read_id(struct rs_heap *heap, struct rs_object *obj, u32 index,
		    u64 id, struct rs_object **value);
int rs_slots_transfer(struct rs_heap *heap, struct rs_object *obj, u32 first,
		      struct rs_object *source, u32 source_first, u32 count,
		      struct rs_object **values);
int rs_slots_ids(struct rs_heap *heap, struct rs_object *obj, u32 first,
		 u32 count, u64 *ids);
int rs_slots_resize(struct rs_heap *heap, struct rs_object *obj, u32 nr);
unsigned long rs_slot_peek_locked(struct rs_object *obj, u32 index);

/* The first word of the tail that belongs to slots. */
static inline unsigned long *rs_slots_tail(struct rs_slotted *slotted)
{
	return slotted->tail +
	       (READ_ONCE(slotted->obj.flags) & RS_BLOCK_DATA ? 2 : 0);
}

/* The array outside, of an object whose shape says that it has one. */
static inline struct rs_slots *rs_slots_array(struct rs_slotted *slotted)
{
	return (struct rs_slots *)READ_ONCE(*rs_slots_tail(slotted));
}

/*
 * The slots themselves; the caller holds the slot lock, or owns a new object.
 */
static inline unsigned long *rs_slots_base(struct rs_object *obj)
{
	struct rs_slotted *slotted = rs_slotted(obj);

	if (obj->shape & RS_SHAPE_ARRAY)
		return rs_slots_array(slotted)->slot;
	return rs_slots_tail(slotted);
}

static inline u32 rs_slots_copy(const unsigned long *slot, u32 first, u32 nr,
				unsigned long buf[RS_PEEK])
{
	u32 i, n;

	if (first >= nr)
		return 0;
	n = min_t(u32, nr - first, RS_PEEK);
	for (i = 0; i < n; i++)
		buf[i] = READ_ONCE(slot[first + i]);
	return n;
}

/**
 * rs_slots_peek - look at some slots, for the scanner
 * @slotted: an object whose memory the running scan keeps
 * @first: the first slot
 * @buf: where up to RS_PEEK references from a tail go
 * @slots: where they are then: @buf, or in an array, which the scan keeps, too,
 *         but others write. Each is to be read once, with READ_ONCE()
 *
 * Return: how many there are, up to RS_SLICE; less than RS_PEEK only if these are
 * the last, or if they are just being moved out: then somebody has touched it.
 */
static inline u32 rs_slots_peek(struct rs_slotted *slotted, u32 first,
				unsigned long buf[RS_PEEK],
				const unsigned long **slots)
{
	/* Pairs with the release in rs_slots_move_out() */
	u32 shape = smp_load_acquire(&slotted->obj.shape);
	u32 n;

	if (shape & RS_SHAPE_ARRAY)
		return rs_slots_peek_array(slotted, first, slots);
	*slots = buf;
	n = rs_slots_copy(rs_slots_tail(slotted), first, shape & RS_SHAPE_NR,
			  buf);
	/* Pairs with the smp_wmb() in rs_slots_move_out() */
	smp_rmb();
	shape = READ_ONCE(slotted->obj.shape);
	return shape & (RS_SHAPE_MOVING | RS_SHAPE_ARRAY) ? 0 : n;
}

/*
 * Fetches the headers that the first slots in the tail refer to, or the array.
 * A hint: what is read here may be anything, and is not followed.
 */
static inline void rs_slots_prefetch(struct rs_slotted *slotted)
{
	u32 shape = READ_ONCE(slotted->obj.shape);
	unsigned long *slot = rs_slots_tail(slotted);
	u32 i, n = min_t(u32, shape & RS_SHAPE_NR, RS_PEEK / 2);

	if (shape & RS_SHAPE_ARRAY)
		n = 1;
	for (i = 0; i < n; i++)
		prefetchw((void *)READ_ONCE(slot[i]));
}

/**
 * rs_slots_pop - take the last reference out of a dying object
 * @slotted: nobody else writes it; the scanner may read it
 *
 * The slot is stored before its target is put (rule R3).
 *
 * Return: the target, whose reference is the caller's now; NULL for an empty
 * slot. The caller looks at the number of slots first.
 */
static inline struct rs_object *rs_slots_pop(struct rs_slotted *slotted)
{
	struct rs_object *obj = &slotted->obj;
	unsigned long *slot = rs_slots_base(obj);
	u32 last = (obj->shape & RS_SHAPE_NR) - 1;
	unsigned long value = slot[last];

	WRITE_ONCE(slot[last], 0);
	WRITE_ONCE(obj->shape, obj->shape - 1);
	return rs_slot_object(value);
}

#endif /* RS_SLOT_H */
