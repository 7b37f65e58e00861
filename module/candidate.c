// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queues of candidates: objects whose count fell, but not to zero. Only
 * there can a cycle have become garbage.
 *
 * There is a queue for each generation. A candidate that a scan takes grows
 * older, up to RS_GENERATIONS - 1; if it survives that and becomes one again, it
 * goes to the queue of its age, and those of higher ages are looked at less often
 * (trigger.c). So an object that is taken and released all day does not cause a
 * walk of all that it reaches each time.
 *
 * But what was used long may become garbage in the end, and should not wait for
 * long then. The scanner leaves in @edges how many references to the object it
 * found inside of what it looked at. As long as a put leaves more, somebody
 * outside has one. A put that leaves no more than that may have dropped the
 * last one from outside: then the object is young again. That is a guess, which
 * decides when a scan looks, not what it does; where it was wrong once (the
 * object survived) it is not made again. While a scan counts edges (counting),
 * what it took and what comes back waits in the youngest queue until it has.
 *
 * Rule R1: the bit in the word (RS_REF_CANDIDATE in the youngest queue,
 * RS_REF_OLD in the one of the object's age; both in that, where no put shall
 * look at @edges) and the place in the queue change together, under the queue's
 * lock, by somebody who holds a reference, or (for the scanner) only while the
 * count is above zero. The last put of an object takes it out. So what is in a
 * queue is alive, or its last putter waits for the lock, and its memory stays as
 * long as we hold that. No put lowers a count to non-zero but from a word with
 * one of the bits set.
 *
 * A queue is an array without holes: the last candidate takes the place of one
 * that leaves. The youngest has room for every slotted object, reserved when
 * these were made (rs_heap_insert()), so that nothing here allocates. The
 * others get room from the scanner; until then, old candidates become young.
 */
#include "candidate.h"
#include "scan.h"
#include "trace.h"
#include "trigger.h"

static struct rs_object **rs_candidate_at(struct rs_queue *queue, u32 pos)
{
	return rs_vec_at_locked(&queue->vec, pos, sizeof(struct rs_object *));
}

static void rs_candidate_set_pos(struct rs_object *obj, u32 pos)
{
	WRITE_ONCE(obj->queue_pos, (obj->queue_pos & ~RS_POS_MASK) | pos);
}

static void rs_candidate_set_age(struct rs_object *obj, u32 age)
{
	WRITE_ONCE(obj->queue_pos, (obj->queue_pos & RS_POS_MASK) |
		   age << RS_AGE_SHIFT);
}

/* In which queue an object is whose word is @word. */
static struct rs_queue *rs_candidate_queue(struct rs_heap *heap,
					   struct rs_object *obj, u64 word)
{
	return &heap->queue[word & RS_REF_OLD ? rs_candidate_age(obj) : 0];
}

static void rs_candidate_link(struct rs_queue *queue, struct rs_object *obj)
{
	rs_candidate_set_pos(obj, queue->len);
	*rs_candidate_at(queue, queue->len) = obj;
	WRITE_ONCE(queue->len, queue->len + 1);
}

static void rs_candidate_unlink(struct rs_queue *queue, struct rs_object *obj)
{
	u32 pos = obj->queue_pos & RS_POS_MASK;
	struct rs_object *last;

	last = *rs_candidate_at(queue, queue->len - 1);
	*rs_candidate_at(queue, pos) = last;
	rs_candidate_set_pos(last, pos);
	WRITE_ONCE(queue->len, queue->len - 1);
}

/* Whether the scan that runs has taken an object from its queue. */
static bool rs_candidate_taken(const struct rs_heap *heap,
			       struct rs_object *obj)
{
	u32 epoch = READ_ONCE(rs_slotted(obj)->epoch);

	return epoch >> RS_EPOCH_SHIFT == READ_ONCE(heap->scan) &&
	       epoch & RS_EPOCH_DRAINED;
}

/* The bits for an object whose word is @word, and which keeps @left references. */
static u64 rs_candidate_bits(struct rs_heap *heap, struct rs_object *obj,
			     u64 word, u32 left)
{
	struct rs_queue *queue = &heap->queue[rs_candidate_age(obj)];
	bool misled = rs_candidate_misled(obj);

	if (queue == heap->queue)
		return RS_REF_CANDIDATE;
	if (heap->counting && rs_candidate_taken(heap, obj))
		return RS_REF_CANDIDATE;
	if (!misled && left <= READ_ONCE(rs_slotted(obj)->edges))
		return RS_REF_CANDIDATE;
	if (word & RS_REF_OLD || queue->len < rs_vec_len(&queue->vec))
		return misled ? RS_REF_LINKED : RS_REF_OLD;
	WRITE_ONCE(queue->wants_room, true);
	rs_candidate_set_age(obj, 0);
	return RS_REF_CANDIDATE;
}

/*
 * Sets the bits if the object lives and has them not yet. Returns the bits, and
 * the word from before; or 0.
 */
static u64 rs_candidate_mark(struct rs_heap *heap, struct rs_object *obj,
			     u64 *word)
{
	u64 bits;

	*word = rs_ref_read(&obj->ref);
	do {
		if (!rs_word_alive(*word) || *word & RS_REF_CANDIDATE)
			return 0;
		bits = rs_candidate_bits(heap, obj, *word,
					 rs_word_count(*word) - 1);
		if (*word & bits)
			return 0;
	} while (!rs_ref_cmpxchg(&obj->ref, word,
				 (*word & ~RS_REF_LINKED) | bits));
	return bits;
}

static void rs_candidate_add_locked(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_queue *queue;
	u64 word, bits = rs_candidate_mark(heap, obj, &word);

	if (!bits)
		return;
	if (word & RS_REF_OLD)
		rs_candidate_unlink(rs_candidate_queue(heap, obj, word), obj);
	queue = rs_candidate_queue(heap, obj, bits);
	rs_candidate_link(queue, obj);
	rs_trigger_candidate(heap, queue);
	/* Here, as the last put waits for the lock */
	trace_refstore_candidate(heap, obj);
}

/**
 * rs_candidate_add - let the scanner look at an object
 * @heap: its heap
 * @obj: a slotted object that the caller is about to put
 */
void rs_candidate_add(struct rs_heap *heap, struct rs_object *obj)
{
	spin_lock(&heap->queue_lock);
	rs_candidate_add_locked(heap, obj);
	spin_unlock(&heap->queue_lock);
}

/* Moves an object, whose word says so already, from one queue to another. */
static void rs_candidate_relink(struct rs_heap *heap, struct rs_object *obj,
				struct rs_queue *from, struct rs_queue *to)
{
	rs_candidate_unlink(from, obj);
	rs_candidate_link(to, obj);
	rs_trigger_candidate(heap, to);
}

/* Makes an object young that is linked among the old ones. */
static void rs_candidate_rejuvenate(struct rs_heap *heap, struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);

	do {
		if (!rs_word_alive(word))
			return;
	} while (!rs_ref_cmpxchg(&obj->ref, &word, (word & ~RS_REF_LINKED) |
						   RS_REF_CANDIDATE));
	rs_candidate_relink(heap, obj, rs_candidate_queue(heap, obj, word),
			    heap->queue);
	rs_candidate_set_age(obj, 0);
}

static void rs_candidate_renew_locked(struct rs_heap *heap,
				      struct rs_object *obj)
{
	if (rs_ref_read(&obj->ref) & RS_REF_OLD)
		rs_candidate_rejuvenate(heap, obj);
	else
		rs_candidate_set_age(obj, 0);
}

/* What a scan took is young as before: it was not found alive. */
void rs_candidate_renew(struct rs_heap *heap, struct rs_object *obj)
{
	spin_lock(&heap->queue_lock);
	rs_candidate_renew_locked(heap, obj);
	spin_unlock(&heap->queue_lock);
}

/*
 * Rule R12: what a scan took from its queue and gave up is a candidate again,
 * and young. The caller is the scanner, which keeps the memory of what it
 * captured; or thaws the object, and has a reference.
 */
void rs_candidate_again(struct rs_heap *heap, struct rs_object *obj)
{
	spin_lock(&heap->queue_lock);
	rs_candidate_renew_locked(heap, obj);
	rs_candidate_add_locked(heap, obj);
	spin_unlock(&heap->queue_lock);
}

/* Takes out an object that nobody can make a candidate again: dying or dead. */
void rs_candidate_remove(struct rs_heap *heap, struct rs_object *obj)
{
	u64 word;

	spin_lock(&heap->queue_lock);
	word = rs_ref_read(&obj->ref);
	rs_candidate_unlink(rs_candidate_queue(heap, obj, word), obj);
	atomic64_andnot(RS_REF_LINKED, &obj->ref.word);
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
				 word & ~RS_REF_LINKED));
	slotted->capture = word & ~RS_REF_LINKED;
	return true;
}

/* For one from the queue of age @from, in case that it survives. */
static void rs_candidate_grow_older(struct rs_object *obj, u32 from)
{
	u32 age = rs_candidate_age(obj);

	if (rs_candidate_misled(obj))
		return;
	if (!from && age)
		age = RS_AGE_MISLED;
	else if (age < RS_GENERATIONS - 1)
		age++;
	rs_candidate_set_age(obj, age);
}

/**
 * rs_candidate_take - take the candidate at a place, for the scanner
 * @heap: the heap, whose queue_lock the caller holds
 * @age: which queue
 * @pos: a place in it
 *
 * One that this scan has captured before, and that was put since, stays for the
 * next scan: what was captured holds no more, and the bit is not cleared after a
 * capture (rule R2). So does one that was made during this scan and was never
 * stored in a slot (rule R18); one that is dying is left to its putter.
 *
 * Return: the object, out of the queue, its word captured; or NULL.
 */
struct rs_object *rs_candidate_take(struct rs_heap *heap, u32 age, u32 pos)
{
	struct rs_queue *queue = &heap->queue[age];
	struct rs_object *obj = *rs_candidate_at(queue, pos);
	struct rs_slotted *slotted = rs_slotted(obj);

	lockdep_assert_held(&heap->queue_lock);
	if (pos >= RS_AHEAD_HEADER)
		prefetchw(*rs_candidate_at(queue, pos - RS_AHEAD_HEADER));
	if (READ_ONCE(slotted->epoch) >> RS_EPOCH_SHIFT == heap->scan)
		return NULL;
	if (!rs_candidate_capture(slotted))
		return NULL;
	rs_candidate_unlink(queue, obj);
	rs_candidate_grow_older(obj, age);
	return obj;
}

/**
 * rs_candidate_settle - give what came back while a scan counted edges its place
 * @heap: the heap, whose queue_lock the caller holds
 * @pos: a place in the youngest queue
 *
 * What is used all the time comes back each time, and would never grow old. One
 * that has no more references than the scan found inside may be garbage by now:
 * it stays young, if that guess was not wrong before.
 */
void rs_candidate_settle(struct rs_heap *heap, u32 pos)
{
	struct rs_object *obj = *rs_candidate_at(heap->queue, pos);
	u64 bits, word = rs_ref_read(&obj->ref);

	lockdep_assert_held(&heap->queue_lock);
	if (pos >= RS_AHEAD_HEADER)
		prefetchw(*rs_candidate_at(heap->queue, pos - RS_AHEAD_HEADER));
	if (!rs_candidate_taken(heap, obj))
		return;
	do {
		if (!rs_word_alive(word))
			return;
		bits = rs_candidate_bits(heap, obj, word, rs_word_count(word));
		if (bits == RS_REF_CANDIDATE)
			return;
	} while (!rs_ref_cmpxchg(&obj->ref, &word,
				 (word & ~RS_REF_LINKED) | bits));
	rs_candidate_relink(heap, obj, heap->queue,
			    rs_candidate_queue(heap, obj, bits));
}

/*
 * Gives old queues their first room, and doubles it where it was too little.
 * For the scanner, which alone does this; without memory, old candidates become
 * young.
 */
void rs_candidates_make_room(struct rs_heap *heap)
{
	struct rs_queue *queue;
	u32 want;

	for (queue = &heap->queue[1]; queue < &heap->queue[RS_GENERATIONS];
	     queue++) {
		if (queue->vec.len && !READ_ONCE(queue->wants_room))
			continue;
		WRITE_ONCE(queue->wants_room, false);
		want = queue->vec.len * 2 + 1;
		while (queue->vec.len < want && !READ_ONCE(heap->dying) &&
		       !rs_vec_grow(&queue->vec, sizeof(struct rs_object *)))
			cond_resched();
	}
}

/* Candidates of an age. */
u32 rs_candidates_of(const struct rs_heap *heap, u32 age)
{
	return READ_ONCE(heap->queue[age].len);
}

u64 rs_candidates(const struct rs_heap *heap)
{
	u64 sum = 0;
	u32 age;

	for (age = 0; age < RS_GENERATIONS; age++)
		sum += rs_candidates_of(heap, age);
	return sum;
}
