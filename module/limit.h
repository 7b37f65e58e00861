/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits: what a heap may hold, by its own and by those of who pays for it.
 *
 * heap->charged is what the payer is charged for: what the heap holds, and some
 * more, so that most calls need not ask. That is a 64th of the user's limit at
 * most, and nothing when more than half of that is charged: what idle heaps keep is
 * never more than half. heap->ceiling is how far the heap can go without asking:
 * heap->charged, or less where a limit was lowered. Below heap->floor, which is as
 * much below heap->charged as was taken ahead at the last time, it gives back. So
 * nearly every call compares numbers of its own heap, and nothing goes beyond any
 * limit.
 *
 * All that is under table_lock.
 */
#ifndef RS_LIMIT_H
#define RS_LIMIT_H

#include "account.h"
#include "heap.h"

u64 rs_user_max(enum rs_item item);
u64 rs_heap_max(const struct rs_heap *heap, enum rs_item item);
int rs_heap_raise(struct rs_heap *heap, u64 objects, u64 bytes);
void rs_heap_give_back(struct rs_heap *heap);
int rs_heap_pay(struct rs_heap *heap, const struct rs_payer *payer);
void rs_heap_unpay(struct rs_heap *heap);
void rs_heap_settle(struct rs_heap *heap);
void rs_heap_begin_reap(struct rs_heap *heap);
void rs_heap_end_reap(struct rs_heap *heap);
int rs_heap_change_owner(struct rs_heap *heap, kuid_t uid);
int rs_heap_wait_payer(struct rs_heap *heap, struct rs_patience *patience,
		       int err);
void rs_limit_init(void);

/**
 * rs_heap_reserve - ask whether a heap may hold more
 * @heap: the heap, whose table_lock the caller holds
 * @objects: how many objects more
 * @bytes: and how many bytes
 *
 * Return: 0, and the caller accounts for them before it drops the lock; or a
 * refusal.
 */
static inline int rs_heap_reserve(struct rs_heap *heap, u64 objects, u64 bytes)
{
	if (likely(heap->objects + objects <= heap->ceiling[RS_OBJECTS] &&
		   heap->bytes + bytes <= heap->ceiling[RS_BYTES]))
		return 0;
	return rs_heap_raise(heap, objects, bytes);
}

/* The heap, whose table_lock the caller holds, holds less than before. */
static inline void rs_heap_trim(struct rs_heap *heap)
{
	if (unlikely(heap->objects < heap->floor[RS_OBJECTS] ||
		     heap->bytes < heap->floor[RS_BYTES]))
		rs_heap_give_back(heap);
}

#endif /* RS_LIMIT_H */
