// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capturing what candidates reach, and deducing what of it may be garbage: the
 * first half of a scan. See scan.c.
 */
#include <linux/prefetch.h>
#include <linux/sched.h>

#include "candidate.h"
#include "compat.h"
#include "object.h"
#include "scan.h"
#include "slot.h"

/*
 * The list has room for every slotted object, but those that die stay on it, and
 * while some go others come: see rs_scan_set_slack().
 */
static bool rs_capture_full(struct rs_scan *scan)
{
	if (likely(scan->len < rs_vec_len(&scan->heap->work)))
		return false;
	scan->full = true;
	return true;
}

/*
 * Counts more edges to a captured object. Its references are all found when
 * there are as many edges as its count was, and no more; then it is no longer,
 * or not yet again, open.
 */
static void rs_capture_edges(struct rs_scan *scan, struct rs_slotted *slotted,
			     u32 edges)
{
	u32 count = rs_word_count(slotted->capture);

	if (slotted->edges == count)
		scan->open++;
	/* Putters look at it, see rs_put_queues() */
	WRITE_ONCE(slotted->edges, slotted->edges + edges);
	if (slotted->edges == count)
		scan->open--;
}

/* Puts a captured object on the list; false if that is full. */
static inline bool rs_capture_push(struct rs_scan *scan,
				   struct rs_slotted *slotted, u32 state,
				   u32 edges)
{
	u32 count = rs_word_count(slotted->capture);

	if (rs_capture_full(scan))
		return false;
	/* A count that saturated says nothing: such an object stays open */
	scan->open += (count != edges) + (count == RS_REF_SATURATED);
	WRITE_ONCE(slotted->epoch, rs_epoch(scan, state));
	WRITE_ONCE(slotted->edges, edges);
	*rs_scan_at(scan, scan->len++) = slotted;
	return true;
}

static bool rs_drain_one(struct rs_scan *scan, u32 age, u32 pos)
{
	struct rs_heap *heap = scan->heap;
	struct rs_object *obj;

	if (pos >= rs_candidates_of(heap, age))
		return true;
	if (rs_capture_full(scan))
		return false;
	obj = rs_candidate_take(heap, age, pos);
	/*
	 * What is frozen comes back when it is not: see rs_unfreeze(). Of what
	 * is dying by now, this may be something else; then it does not matter
	 */
	if (obj && data_race(READ_ONCE(obj->id)) > READ_ONCE(heap->frozen))
		rs_capture_push(scan, rs_slotted(obj),
				RS_EPOCH_CAPTURED | RS_EPOCH_DRAINED, 0);
	return true;
}

/*
 * Downwards: the last candidate takes the place of one that leaves, so what was
 * there when we began is taken or moves to a place that we have yet to come to.
 * So may what we took and what came back since; that is left alone.
 */
static bool rs_drain_queue(struct rs_scan *scan, u32 age)
{
	struct rs_heap *heap = scan->heap;
	u32 pos = rs_candidates_of(heap, age);
	bool room = true;
	u32 n;

	while (pos && room) {
		spin_lock(&heap->queue_lock);
		for (n = 0; n < RS_SLICE && pos && room; n++)
			room = rs_drain_one(scan, age, --pos);
		spin_unlock(&heap->queue_lock);
		if (!rs_scan_spend(scan, RS_SLICE))
			return false;
	}
	return room;
}

/* From now on, or no more, what we took waits until edges are counted. */
static void rs_set_counting(struct rs_scan *scan, bool counting)
{
	spin_lock(&scan->heap->queue_lock);
	scan->heap->counting = counting;
	spin_unlock(&scan->heap->queue_lock);
}

/*
 * Rule R15: every candidate of the scan's generation is drained before anything
 * is traced. Those of older ones stay linked, even if they are traced. The
 * oldest first: what becomes young meanwhile is found in the youngest queue.
 */
static bool rs_drain(struct rs_scan *scan)
{
	u32 age = scan->generation + 1;

	rs_set_counting(scan, true);
	while (age--)
		if (!rs_drain_queue(scan, age))
			return false;
	return true;
}

/*
 * Gives what came back while edges were counted its place. Downwards, as above;
 * what comes back from now on goes to its place at once.
 */
static void rs_settle(struct rs_scan *scan)
{
	struct rs_heap *heap = scan->heap;
	u32 pos = rs_candidates_of(heap, 0), n;

	while (pos) {
		spin_lock(&heap->queue_lock);
		pos = min(pos, rs_candidates_of(heap, 0));
		for (n = 0; n < RS_SLICE && pos; n++)
			rs_candidate_settle(heap, --pos);
		spin_unlock(&heap->queue_lock);
		rs_scan_spend(scan, RS_SLICE);
	}
}

/*
 * Captures the target of some slots. Its memory stays: it had a count when the
 * slots were read, so its last put comes after the scan's number was set (R13).
 * The word is captured before its own slots are read, which is when its turn on
 * the list comes (R3).
 */
static bool rs_trace_slot(struct rs_scan *scan, struct rs_slotted *parent,
			  unsigned long slot, u32 edges)
{
	struct rs_slotted *child;
	u64 word;

	if (!slot)
		return true;
	if (slot & RS_SLOT_LEAF) {
		scan->closed = false;
		return true;
	}
	child = rs_slotted(rs_slot_object(slot));
	if (READ_ONCE(child->epoch) >> RS_EPOCH_SHIFT == scan->number) {
		rs_capture_edges(scan, child, edges);
		return true;
	}
	if (rs_scan_frozen(scan, &child->obj)) {
		scan->closed = false;
		return true;
	}
	/*
	 * Before its slots are read, and after ours was: pairs with the full
	 * barrier of each put, before which its slots were stored (R3)
	 */
	word = atomic64_read_acquire(&child->obj.ref.word);
	if (!rs_word_alive(word)) {
		/* The slot was overwritten: somebody has the parent */
		rs_scan_set(parent, RS_EPOCH_KEPT);
		scan->open++;
		return true;
	}
	child->capture = word;
	return rs_capture_push(scan, child, RS_EPOCH_CAPTURED, edges);
}

/* How many slots, from the first on, refer to the same as that did. */
static u32 rs_slots_equal(const unsigned long *slots, u32 n,
			  unsigned long first)
{
	u32 i;

	for (i = 1; i < n && READ_ONCE(slots[i]) == first; i++)
		;
	return i;
}

static bool rs_trace_slots(struct rs_scan *scan, struct rs_slotted *slotted)
{
	unsigned long buf[RS_PEEK] __uninitialized, slot;
	const unsigned long *slots;
	u32 i, n, equal, first = 0;

	while ((n = rs_slots_peek(slotted, first, buf, &slots))) {
		for (i = 0; i < n; i += equal) {
			slot = READ_ONCE(slots[i]);
			equal = rs_slots_equal(&slots[i], n - i, slot);
			if (!rs_trace_slot(scan, slotted, slot, equal))
				return false;
		}
		first += n;
		if (!rs_scan_spend(scan, n))
			return false;
		if (n < RS_PEEK)
			break;
	}
	return true;
}

static void rs_trace_prefetch(struct rs_scan *scan, u32 i)
{
	if (i + RS_AHEAD_HEADER < scan->len)
		prefetchw(*rs_scan_at(scan, i + RS_AHEAD_HEADER));
	if (i + RS_AHEAD_SLOTS < scan->len)
		rs_slots_prefetch(*rs_scan_at(scan, i + RS_AHEAD_SLOTS));
}

/* Breadth first: the list is the queue. */
static bool rs_trace(struct rs_scan *scan)
{
	u32 i;

	for (i = 0; i < scan->len; i++) {
		if (i % RS_SLICE == 0) {
			rs_scan_step(scan, RS_STEP_TRACING);
			if (!rs_scan_pause(scan))
				return false;
		}
		rs_trace_prefetch(scan, i);
		if (!rs_trace_slots(scan, *rs_scan_at(scan, i)))
			return false;
	}
	return true;
}

/**
 * rs_capture - capture the candidates and everything that they reach
 * @scan: a scan that began
 *
 * Return: false if the scan must give up. What is on the list was captured in
 * either case.
 */
bool rs_capture(struct rs_scan *scan)
{
	bool done = rs_drain(scan);

	rs_scan_step(scan, RS_STEP_DRAINED);
	done = done && rs_trace(scan);
	rs_set_counting(scan, false);
	if (!done)
		return false;
	rs_settle(scan);
	rs_scan_step(scan, RS_STEP_TRACED);
	return true;
}

/*
 * Whether an object is referred to from outside of what was captured, or was
 * changed while that was done. It is alive, then, and so is what it reaches.
 */
static bool rs_external(struct rs_scan *scan, struct rs_slotted *slotted)
{
	u32 count = rs_word_count(slotted->capture);

	return count != slotted->edges || count == RS_REF_SATURATED ||
	       rs_scan_is(scan, slotted, RS_EPOCH_KEPT);
}

enum rs_verdict {
	RS_ALL_LIVE,
	RS_ALL_DEAD,
	RS_MIXED,
	RS_GIVE_UP,
};

/*
 * Often nothing needs to be propagated. If all references to all captured
 * objects were found, everything may be dead. If every candidate is referred to
 * from outside, everything is alive, since candidates reach it all; they stand
 * first on the list.
 */
static enum rs_verdict rs_deduce_quickly(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i;

	if (!rs_scan_pause(scan))
		return RS_GIVE_UP;
	if (!scan->open)
		return RS_ALL_DEAD;
	for (i = 0; i < scan->len; i++) {
		if (!rs_scan_spend(scan, 1))
			return RS_GIVE_UP;
		if (i + RS_AHEAD_HEADER < scan->len)
			prefetch(*rs_scan_at(scan, i + RS_AHEAD_HEADER));
		slotted = *rs_scan_at(scan, i);
		if (!(slotted->epoch & RS_EPOCH_DRAINED))
			break;
		if (!rs_external(scan, slotted))
			return RS_MIXED;
	}
	return RS_ALL_LIVE;
}

/* Somebody can reach an object: what it refers to is to be followed. */
static void rs_restore_mark(struct rs_scan *scan, struct rs_slotted *slotted)
{
	rs_scan_set(slotted, RS_EPOCH_LIVE);
	scan->live++;
}

/* And is still to be. */
static bool rs_restore_marked(struct rs_scan *scan, struct rs_slotted *slotted)
{
	return (READ_ONCE(slotted->epoch) & ~RS_EPOCH_DRAINED) ==
	       rs_epoch(scan, RS_EPOCH_LIVE);
}

/*
 * A stack of marked objects, linked through their capture, which nobody needs of
 * a live object any more.
 */
static void rs_restore_push(struct rs_slotted **stack,
			    struct rs_slotted *slotted)
{
	slotted->capture = (u64)(unsigned long)*stack;
	*stack = slotted;
}

/* Marks what an object refers to, and pushes that, where there is a stack. */
static bool rs_restore_follow(struct rs_scan *scan, struct rs_slotted **stack,
			      struct rs_slotted *slotted)
{
	unsigned long buf[RS_PEEK] __uninitialized, slot;
	const unsigned long *slots;
	struct rs_slotted *child;
	u32 i, n, first = 0;

	WRITE_ONCE(slotted->epoch, slotted->epoch | RS_EPOCH_FOLLOWED);
	scan->followed++;
	while ((n = rs_slots_peek(slotted, first, buf, &slots))) {
		for (i = 0; i < n;
		     i += rs_slots_equal(&slots[i], n - i, slot)) {
			slot = READ_ONCE(slots[i]);
			if (!slot || slot & RS_SLOT_LEAF)
				continue;
			child = rs_slotted(rs_slot_object(slot));
			if (!rs_scan_is(scan, child, RS_EPOCH_CAPTURED) &&
			    !rs_scan_is(scan, child, RS_EPOCH_KEPT))
				continue;
			rs_restore_mark(scan, child);
			if (stack)
				rs_restore_push(stack, child);
		}
		first += n;
		if (!rs_scan_spend(scan, n))
			return false;
		if (n < RS_PEEK)
			break;
	}
	return true;
}

/*
 * Marks what is referred to from outside, and follows what is marked, to the end
 * of the list, or until nothing more comes of it.
 */
static bool rs_restore_forwards(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i, idle = 0, open = scan->open;

	for (i = 0; i < scan->len && (open || idle < RS_SLICE); i++) {
		if (!rs_scan_spend(scan, 1))
			return false;
		rs_trace_prefetch(scan, i);
		slotted = *rs_scan_at(scan, i);
		if (!rs_scan_is(scan, slotted, RS_EPOCH_LIVE) &&
		    rs_external(scan, slotted)) {
			rs_restore_mark(scan, slotted);
			open--;
		}
		idle++;
		if (!rs_restore_marked(scan, slotted))
			continue;
		idle = 0;
		if (!rs_restore_follow(scan, NULL, slotted))
			return false;
	}
	return true;
}

static bool rs_restore_backwards(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i = scan->len;

	while (i-- && scan->followed < scan->live) {
		if (!rs_scan_spend(scan, 1))
			return false;
		if (i >= RS_AHEAD_HEADER)
			prefetchw(*rs_scan_at(scan, i - RS_AHEAD_HEADER));
		if (i >= RS_AHEAD_SLOTS)
			rs_slots_prefetch(*rs_scan_at(scan,
						      i - RS_AHEAD_SLOTS));
		slotted = *rs_scan_at(scan, i);
		if (rs_restore_marked(scan, slotted) &&
		    !rs_restore_follow(scan, NULL, slotted))
			return false;
	}
	return true;
}

static bool rs_restore_walk(struct rs_scan *scan, struct rs_slotted *slotted)
{
	struct rs_slotted *stack = NULL;

	rs_restore_push(&stack, slotted);
	while (stack) {
		slotted = stack;
		stack = (struct rs_slotted *)(unsigned long)slotted->capture;
		if (!rs_restore_follow(scan, &stack, slotted))
			return false;
	}
	return true;
}

/* Marks what live objects reach, whatever the order. */
static bool rs_restore_rest(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i;

	for (i = 0; i < scan->len && scan->followed < scan->live; i++) {
		if (!rs_scan_spend(scan, 1))
			return false;
		if (i + RS_AHEAD_HEADER < scan->len)
			prefetchw(*rs_scan_at(scan, i + RS_AHEAD_HEADER));
		slotted = *rs_scan_at(scan, i);
		if (rs_restore_marked(scan, slotted) &&
		    !rs_restore_walk(scan, slotted))
			return false;
	}
	return true;
}

/*
 * Marks what is alive. A walk from object to object waits for the memory of each.
 * Most structures are linked in the order in which their objects came to the list,
 * or against it: so it is gone through forwards and back first, where what comes
 * next can be fetched.
 */
static bool rs_restore(struct rs_scan *scan)
{
	return rs_restore_forwards(scan) && rs_restore_backwards(scan) &&
	       rs_restore_rest(scan);
}

/* Keeps on the list what is not known to be alive. */
static void rs_keep_suspects(struct rs_scan *scan)
{
	u32 i, n = 0;

	/* They may refer to what is alive */
	scan->closed = false;
	if (scan->live == scan->len)
		scan->len = 0; /* nothing, and no need to look */
	for (i = 0; i < scan->len; i++) {
		struct rs_slotted *slotted = *rs_scan_at(scan, i);

		if (rs_scan_is(scan, slotted, RS_EPOCH_CAPTURED)) {
			*rs_scan_at(scan, n++) = slotted;
			/* What rs_decide() starts from, see rs_missing() */
			WRITE_ONCE(slotted->edges,
				   rs_word_count(slotted->capture));
		}
		rs_scan_spend(scan, 1);
	}
	scan->len = n;
}

/**
 * rs_deduce - find out what of the captured objects may be garbage
 * @scan: a scan that captured
 *
 * A filter only: slots are read again here, and may have changed. Safety rests
 * on rs_decide() (rule R8).
 *
 * Return: false if the scan must give up; else the suspects alone are on the
 * list.
 */
bool rs_deduce(struct rs_scan *scan)
{
	switch (rs_deduce_quickly(scan)) {
	case RS_GIVE_UP:
		return false;
	case RS_ALL_LIVE:
		scan->len = 0;
		break;
	case RS_ALL_DEAD:
		scan->whole = true;
		break;
	case RS_MIXED:
		if (!rs_restore(scan))
			return false;
		rs_keep_suspects(scan);
	}
	rs_scan_step(scan, RS_STEP_DEDUCED);
	return true;
}
