/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queues of candidates: objects whose count fell, but not to zero.
 */
#ifndef RS_CANDIDATE_H
#define RS_CANDIDATE_H

#include <linux/minmax.h>

#include "heap.h"

/* queue_pos: the place, and above it the object's age */
#define RS_POS_MASK	GENMASK(29, 0)
#define RS_AGE_SHIFT	30

/* As old as can be, and no more guesses about it (candidate.c). */
#define RS_AGE_MISLED	RS_GENERATIONS

/* An object's age: the generation to which it belongs. */
static inline u32 rs_candidate_age(const struct rs_object *obj)
{
	u32 age = READ_ONCE(obj->queue_pos) >> RS_AGE_SHIFT;

	return min_t(u32, age, RS_GENERATIONS - 1);
}

static inline bool rs_candidate_misled(const struct rs_object *obj)
{
	return READ_ONCE(obj->queue_pos) >> RS_AGE_SHIFT == RS_AGE_MISLED;
}

void rs_candidate_add(struct rs_heap *heap, struct rs_object *obj);
void rs_candidate_again(struct rs_heap *heap, struct rs_object *obj);
void rs_candidate_renew(struct rs_heap *heap, struct rs_object *obj);
void rs_candidate_remove(struct rs_heap *heap, struct rs_object *obj);
struct rs_object *rs_candidate_take(struct rs_heap *heap, u32 age, u32 pos);
void rs_candidate_settle(struct rs_heap *heap, u32 pos);
void rs_candidates_make_room(struct rs_heap *heap);
u32 rs_candidates_of(const struct rs_heap *heap, u32 age);
u64 rs_candidates(const struct rs_heap *heap);

#endif /* RS_CANDIDATE_H */
