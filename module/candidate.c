// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of candidates: objects whose count fell, but not to zero. Only
 * there can a cycle have become garbage.
 *
 * Rule R1: the bit in the word and the place in the queue change together,
 * under the queue's lock, by somebody who holds a reference, or
 * (rs_candidate_add() for the scanner) only while the count is above zero. The
 * last put of an object takes it out. So what is in the queue is alive, or its
 * last putter waits for the lock, and its memory stays as long as we hold that.
 *
 * The queue is an array without holes: the last candidate takes the place of
 * one that leaves. It has room for every slotted object, reserved when these
 * were made (rs_heap_insert()), so that nothing here allocates.
 */
#include "candidate.h"
#include "scan.h"
#include "trace.h"

static struct rs_object **rs_candidate_at(struct rs_heap *heap, u32 pos)
{
	return rs_vec_at_locked(&heap->queue, pos, sizeof(struct rs_object *));
}

/* Sets the bit if the object lives and has it not yet. */
static bool rs_candidate_mark(struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);

	do {
		if (!rs_word_alive(word) || word & RS_REF_CANDIDATE)
			return false;
	} while (!rs_ref_cmpxchg(&obj->ref, &word, word | RS_REF_CANDIDATE));
	return true;
}

/**
 * rs_candidate_add - let the scanner look at an object
 * @heap: its heap
 * @obj: a slotted object; the caller has a reference, or is the scanner, which
 *       keeps the memory of what it captured
 */
void rs_candidate_add(struct rs_heap *heap, struct rs_object *obj)
{
	u32 len = 0;

	spin_lock(&heap->queue_lock);
	if (rs_candidate_mark(obj)) {
		obj->queue_pos = heap->queue_len;
		*rs_candidate_at(heap, heap->queue_len) = obj;
		len = heap->queue_len + 1;
		WRITE_ONCE(heap->queue_len, len);
		/* Here, as the last put waits for the lock */
		trace_refstore_candidate(heap, obj);
	}
	spin_unlock(&heap->queue_lock);
	if (len)
		rs_scan_kick(heap, len);
}

static void rs_candidate_unlink(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_object *last;

	lockdep_assert_held(&heap->queue_lock);
	last = *rs_candidate_at(heap, heap->queue_len - 1);
	*rs_candidate_at(heap, obj->queue_pos) = last;
	last->queue_pos = obj->queue_pos;
	WRITE_ONCE(heap->queue_len, heap->queue_len - 1);
}

/* Takes out an object that nobody can make a candidate again: dying or dead. */
void rs_candidate_remove(struct rs_heap *heap, struct rs_object *obj)
{
	spin_lock(&heap->queue_lock);
	rs_candidate_unlink(heap, obj);
	atomic64_andnot(RS_REF_CANDIDATE, &obj->ref.word);
	spin_unlock(&heap->queue_lock);
}

/* Rule R2: one read-modify-write clears the bit and captures the word. */
static bool rs_candidate_capture(struct rs_slotted *slotted)
{
	u64 word = rs_ref_read(&slotted->obj.ref);

	do {
		if (!rs_word_alive(word))
			return false;
	} while (!rs_ref_cmpxchg(&slotted->obj.ref, &word,
				 word & ~RS_REF_CANDIDATE));
	slotted->capture = word & ~RS_REF_CANDIDATE;
	return true;
}

/**
 * rs_candidate_take - take the candidate at a place, for the scanner
 * @heap: the heap, whose queue_lock the caller holds
 * @pos: a place in the queue
 *
 * An object that was made during this scan stays (rule R18), and one that is
 * dying is left to its putter.
 *
 * Return: the object, out of the queue, its word captured; or NULL.
 */
struct rs_object *rs_candidate_take(struct rs_heap *heap, u32 pos)
{
	struct rs_object *obj = *rs_candidate_at(heap, pos);
	struct rs_slotted *slotted = rs_slotted(obj);

	lockdep_assert_held(&heap->queue_lock);
	if (READ_ONCE(slotted->epoch) == rs_scan_birth(heap))
		return NULL;
	if (!rs_candidate_capture(slotted))
		return NULL;
	rs_candidate_unlink(heap, obj);
	return obj;
}

u32 rs_candidates(struct rs_heap *heap)
{
	return READ_ONCE(heap->queue_len);
}
