/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots: references from object to object, and the object's data and seals,
 * which the same lock protects.
 */
#ifndef RS_SLOT_H
#define RS_SLOT_H

#include "heap.h"
#include "object.h"

#define RS_PEEK		16	/* slots that the scanner reads at a time */
#define RS_SLOT_CHUNK	64	/* slots that a call handles at a time */

struct rs_slots *rs_slots_alloc(u32 nr);
u32 rs_slots_nr(const struct rs_object *obj);
u32 rs_slots_peek(struct rs_slotted *slotted, u32 first,
		  unsigned long buf[RS_PEEK]);
void rs_slots_prefetch(struct rs_slotted *slotted);
struct rs_object *rs_slots_pop(struct rs_slotted *slotted);
void rs_slots_fill(struct rs_object *obj, u32 index, struct rs_object *value);

int rs_slot_set(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *value);
int rs_slot_cas(struct rs_heap *heap, struct rs_object *obj, u32 index,
		struct rs_object *expected, struct rs_object *value);
int rs_slots_check(struct rs_object *obj, u32 first, u32 count);
int rs_slots_read(struct rs_heap *heap, struct rs_object *obj, u32 first,
		  u32 count, struct rs_object **values);
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

#endif /* RS_SLOT_H */
