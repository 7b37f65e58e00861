// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deciding about suspects: the second half of a scan. See scan.c.
 *
 * A component is condemned in these steps, each of which may find that somebody
 * has touched it, and then keeps it:
 *
 *   count    each member's slots are read once, and the edges inside of the
 *            component counted; where all that was captured is one component,
 *            the capture did just that (see rs_component_count())
 *   suspect  the descriptor says pending. Each member's captured count must be
 *            the edges to it from inside, and the credits that condemned
 *            components before this one gave (rule R8); then its word goes, by
 *            compare-and-swap, from the captured one to the same with SUSPECT.
 *            So nobody has taken a reference since the capture, and nobody
 *            outside holds one
 *   commit   the descriptor goes from pending to committed, unless somebody who
 *            needed to know has aborted it. This is the one point at which all
 *            members die
 *   death    SUSPECT becomes DEAD in each, it leaves the table, and then the
 *            descriptor is retired (R11); who asked for a notice is told when
 *            memory does not wait for the scan any more (rs_scan_run())
 *
 * First all suspects are taken for one component: that is enough when nobody
 * touches garbage, which is the rule, and needs no more than the list. Only
 * after that was touched are strong components worked out (tarjan.c). They come
 * referred-to first, and are decided in the reverse order (R7), so that all
 * credits of a component are known before it.
 */
#include <linux/prefetch.h>

#include "candidate.h"
#include "compat.h"
#include "object.h"
#include "scan.h"
#include "slot.h"
#include "tarjan.h"
#include "trace.h"
#include "weak.h"

#define RS_KILL_SLICE	64U	/* members that die under one lock */

/**
 * struct rs_component - suspects that live or die together
 * @scan: the scan
 * @tarjan: NULL if they are all the suspects
 * @whole: they are all that was captured
 * @first: the first of them in the list, or in @tarjan's order
 * @end: behind the last of them
 */
struct rs_component {
	struct rs_scan *scan;
	struct rs_tarjan *tarjan;
	bool whole;
	u32 first;
	u32 end;
};

static inline struct rs_slotted *rs_member(struct rs_component *comp, u32 i)
{
	if (comp->tarjan)
		i = comp->tarjan->order[i];
	return *rs_scan_at(comp->scan, i);
}

static void rs_member_prefetch(struct rs_component *comp, u32 i)
{
	if (i + RS_AHEAD_SLOTS < comp->end)
		rs_slots_prefetch(rs_member(comp, i + RS_AHEAD_SLOTS));
	if (i + RS_AHEAD_HEADER < comp->end)
		prefetchw(rs_member(comp, i + RS_AHEAD_HEADER));
}

/*
 * How many references to a member are not accounted for yet. In the beginning
 * those that it had when it was captured, less the credits; each edge inside of
 * the component takes one off. Where all suspects are one component, there are no
 * credits, and edges has the number already, by rs_keep_suspects(). Where that is
 * all that was captured, edges are those found, see rs_accounted().
 */
static u32 *rs_missing(struct rs_component *comp, struct rs_slotted *slotted)
{
	struct rs_tarjan *tarjan = comp->tarjan;

	return tarjan ? &tarjan->low[slotted->edges] : &slotted->edges;
}

static void rs_missing_init(struct rs_component *comp)
{
	struct rs_tarjan *tarjan = comp->tarjan;
	struct rs_slotted *slotted;
	u32 i;

	for (i = comp->first; i < comp->end; i++) {
		slotted = rs_member(comp, i);
		tarjan->low[slotted->edges] =
			rs_word_count(slotted->capture) -
			tarjan->credit[slotted->edges];
		rs_scan_spend(comp->scan, 1);
	}
}

static bool rs_inside(struct rs_component *comp, struct rs_slotted *from,
		      struct rs_slotted *to)
{
	const u32 *of = comp->tarjan ? comp->tarjan->comp : NULL;

	return !of || of[from->edges] == of[to->edges];
}

static void rs_count_edges_of(struct rs_component *comp,
			      struct rs_slotted *slotted)
{
	unsigned long buf[RS_PEEK] __uninitialized;
	const unsigned long *slots;
	struct rs_slotted *child;
	u32 i, n, first = 0, *missing;

	do {
		n = rs_slots_peek(slotted, first, buf, &slots);
		for (i = 0; i < n; i++) {
			child = rs_suspect(comp->scan, READ_ONCE(slots[i]));
			if (!child || !rs_inside(comp, slotted, child))
				continue;
			missing = rs_missing(comp, child);
			/* Putters look at it, see rs_put_queues() */
			WRITE_ONCE(*missing, *missing - 1);
		}
		first += n;
		rs_scan_spend(comp->scan, n);
	} while (n >= RS_PEEK);
}

static bool rs_count_edges(struct rs_component *comp)
{
	u32 i;

	if (comp->tarjan)
		rs_missing_init(comp);
	for (i = comp->first; i < comp->end; i++) {
		if (!rs_scan_spend(comp->scan, 1))
			return false;
		rs_member_prefetch(comp, i);
		rs_count_edges_of(comp, rs_member(comp, i));
	}
	return true;
}

/*
 * Reads each member's slots once (rule R8), unless the capture has done that;
 * false if the scan shall give up.
 *
 * Where all that was captured is one component, the edges that were found then
 * are those inside of it, and as many as each member's captured count. Are they
 * all of its references? Count and version say that what referred to a member
 * when it was captured does so still. So an edge from a slot that was read later
 * is one of these. Those from the slots among which a member was found were
 * read before, and may have gone until its word was captured, and be counted
 * for a reference that somebody holds. But who stored there held their owner,
 * which had been captured before: an edge to the owner, then, is counted for his
 * reference, and is again one of those among which the owner was found. And so
 * on, up to a candidate; but no candidate was found by an edge. (Slots of an
 * array that was replaced are read, too: but that touched their owner, before
 * anything was put, and so the owner fails.)
 */
static bool rs_component_count(struct rs_component *comp)
{
	/* Rule R17: before each component */
	if (!rs_scan_pause(comp->scan))
		return false;
	if (!comp->whole && !rs_count_edges(comp))
		return false;
	rs_scan_step(comp->scan, RS_STEP_COUNTED);
	return true;
}

/*
 * The descriptor. Its generation tells one component from the next (R10). Only
 * the scanner writes it, but for the one step from pending to aborted.
 */
static void rs_desc_set(struct rs_heap *heap, enum rs_desc_state state)
{
	s64 desc = atomic64_read(&heap->desc);

	if (state == RS_DESC_PENDING)
		desc += RS_DESC_GENERATION;
	/* A full barrier on either side: see rs_suspect_alive() */
	atomic64_xchg(&heap->desc, (desc & ~(s64)RS_DESC_STATE) | state);
}

static bool rs_desc_commit(struct rs_heap *heap)
{
	s64 desc = atomic64_read(&heap->desc);

	if ((desc & RS_DESC_STATE) != RS_DESC_PENDING)
		return false;
	return atomic64_cmpxchg(&heap->desc, desc, desc - RS_DESC_PENDING +
				RS_DESC_COMMITTED) == desc;
}

/* Whether all references to a member come from inside, or are credits. */
static bool rs_accounted(struct rs_component *comp, struct rs_slotted *slotted)
{
	if (comp->whole)
		return slotted->edges == rs_word_count(slotted->capture);
	return !*rs_missing(comp, slotted);
}

static bool rs_suspect_mark(struct rs_component *comp,
			    struct rs_slotted *slotted)
{
	u64 word = slotted->capture;

	if (!rs_accounted(comp, slotted))
		return false;
	/* The version moves on as well (R4) */
	if (!rs_ref_cmpxchg(&slotted->obj.ref, &word,
			    (word | RS_REF_SUSPECT) + RS_REF_VERSION_ONE))
		return false;
	/*
	 * What the word will be when the mark is taken back, if nobody touches
	 * it: then another attempt may mark it again.
	 */
	slotted->capture += RS_REF_VERSION_ONE;
	return true;
}

/*
 * Marks members, up to the first that was touched or to which there is a
 * reference from outside; returns where it came.
 */
static u32 rs_component_suspect(struct rs_component *comp)
{
	u32 i;

	if (!rs_scan_pause(comp->scan))
		return comp->first;
	for (i = comp->first; i < comp->end; i++) {
		if (!rs_scan_spend(comp->scan, 1))
			break;
		if (i + RS_AHEAD_HEADER < comp->end)
			prefetchw(rs_member(comp, i + RS_AHEAD_HEADER));
		if (!rs_suspect_mark(comp, rs_member(comp, i)))
			break;
	}
	return i;
}

/* Takes the marks back: by an AND, since counts may have changed (R10). */
static void rs_component_clear(struct rs_component *comp, u32 end)
{
	u32 i;

	rs_desc_set(comp->scan->heap, RS_DESC_ABORTED);
	for (i = comp->first; i < end; i++) {
		atomic64_andnot(RS_REF_SUSPECT,
				&rs_member(comp, i)->obj.ref.word);
		rs_scan_spend(comp->scan, 1);
	}
	/* Before the descriptor is retired; pairs with rs_suspect_alive() */
	smp_mb__after_atomic();
	rs_desc_set(comp->scan->heap, RS_DESC_NONE);
}

/*
 * Takes a reference for the heap, which the next REFSTORE_DROP_SAVED drops.
 * Nobody had one a moment ago; but who upgrades a weak reference has one now,
 * and may have broken a cycle.
 */
static void rs_member_save(struct rs_scan *scan, struct rs_slotted *slotted)
{
	struct rs_heap *heap = scan->heap;
	struct rs_object *obj = &slotted->obj;

	spin_lock(rs_slot_lock(heap, obj));
	if (!(obj->flags & RS_SAVED) && !rs_object_tryget(heap, obj)) {
		WRITE_ONCE(obj->flags, obj->flags | RS_SAVED);
		scan->figures.saved++;
	}
	spin_unlock(rs_slot_lock(heap, obj));
	if (!(slotted->epoch & RS_EPOCH_DRAINED))
		return;
	/* Not given up, but garbage as soon as the heap drops it */
	WRITE_ONCE(slotted->epoch, slotted->epoch & ~RS_EPOCH_DRAINED);
	rs_candidate_renew(heap, obj);
}

static void rs_component_save(struct rs_component *comp)
{
	u32 i;

	for (i = comp->first; i < comp->end; i++) {
		rs_member_save(comp->scan, rs_member(comp, i));
		rs_scan_spend(comp->scan, 1);
	}
}

/*
 * From SUSPECT to DEAD, and out of the table; the caller holds its lock. A
 * plain store is enough: the component is committed, so nobody has a reference
 * to put or to copy, and who finds the member in the table, under the same
 * lock, leaves its word alone (R10).
 */
static void rs_member_kill(struct rs_scan *scan, struct rs_slotted *slotted)
{
	atomic64_t *word = &slotted->obj.ref.word;

	trace_refstore_free(scan->heap, &slotted->obj);
	atomic64_set(word, atomic64_read(word) ^
			   (RS_REF_SUSPECT | RS_REF_DEAD));
	scan->figures.bytes += rs_heap_remove_locked(scan->heap, &slotted->obj);
	scan->figures.reclaimed++;
}

/*
 * Takes members out of what is kept by their place in the table: their weak
 * references die, and a put may have made one a candidate after the drain and
 * before it was captured, or it is an old one. Out of the queue before it is
 * out of the table, since the queue has room for what is in there; nobody can
 * put it back.
 */
static void rs_members_unlink(struct rs_component *comp, u32 i, u32 end,
			      struct list_head *dead)
{
	struct rs_heap *heap = comp->scan->heap;
	struct rs_object *obj;
	u64 word;

	for (; i < end; i++) {
		if (i + RS_AHEAD_HEADER < comp->end)
			prefetchw(rs_member(comp, i + RS_AHEAD_HEADER));
		obj = &rs_member(comp, i)->obj;
		word = rs_ref_read(&obj->ref);
		rs_heap_prefetch(heap, obj);
		if (word & RS_REF_LINKED)
			rs_candidate_remove(heap, obj);
		if (word & RS_REF_WEAK)
			rs_weak_kill(heap, obj, dead);
	}
}

/*
 * Rule R11: all members and their weak references are dead before the
 * descriptor is retired, and that is before anybody is told.
 */
static void rs_component_kill(struct rs_component *comp)
{
	struct rs_heap *heap = comp->scan->heap;
	u32 i, end;

	for (i = comp->first; i < comp->end; ) {
		end = min(comp->end, i + RS_KILL_SLICE);
		rs_scan_spend(comp->scan, end - i);
		rs_members_unlink(comp, i, end, &comp->scan->dead);
		spin_lock(&heap->table_lock);
		for (; i < end; i++)
			rs_member_kill(comp->scan, rs_member(comp, i));
		spin_unlock(&heap->table_lock);
	}
	/* A full barrier comes first; pairs with rs_suspect_alive() */
	rs_desc_set(heap, RS_DESC_NONE);
}

/*
 * Each edge out of a condemned component, whose slots are frozen, is a credit; or
 * out of one that is saved. That one's slots may change from now on, but who
 * changes an edge changes the count or the version of what it refers to, which
 * then fails by itself.
 */
static void rs_component_credit(struct rs_component *comp)
{
	struct rs_tarjan *t = comp->tarjan;
	struct rs_slotted *slotted, *child;
	struct rs_targets targets __uninitialized;
	u32 i;

	for (i = comp->first; i < comp->end; i++) {
		slotted = rs_member(comp, i);
		rs_targets_init(&targets, comp->scan, slotted, 0);
		while ((child = rs_targets_next(&targets)))
			if (t->comp[child->edges] != t->comp[slotted->edges])
				t->credit[child->edges]++;
		rs_scan_spend(comp->scan, 1);
	}
}

/* Whether nobody touched a component, all of whose members are suspects now. */
static bool rs_component_commit(struct rs_component *comp)
{
	struct rs_scan *scan = comp->scan;

	/* Rule R6: the clock is read after the last compare-and-swap */
	if (rs_scan_too_old(scan))
		return false;
	if (scan->save)
		return (atomic64_read(&scan->heap->desc) & RS_DESC_STATE) ==
		       RS_DESC_PENDING;
	return rs_desc_commit(scan->heap);
}

/*
 * Condemns a component, or saves it; false if it was touched, or the scan shall
 * give up.
 */
static bool rs_component_condemn(struct rs_component *comp)
{
	struct rs_scan *scan = comp->scan;
	u32 end;
	bool garbage;

	if (!rs_component_count(comp))
		return false;
	rs_desc_set(scan->heap, RS_DESC_PENDING);
	end = rs_component_suspect(comp);
	rs_scan_step(scan, RS_STEP_SUSPECTED);
	garbage = end == comp->end && rs_component_commit(comp);
	if (!garbage || scan->save)
		rs_component_clear(comp, end);
	if (!garbage)
		return false;
	if (comp->tarjan)
		rs_component_credit(comp);
	if (scan->save) {
		rs_component_save(comp);
		return true;
	}
	rs_scan_step(scan, RS_STEP_COMMITTED);
	rs_component_kill(comp);
	trace_refstore_scan_commit(scan->heap, scan->number,
				   comp->end - comp->first);
	return true;
}

static void rs_component_abort(struct rs_component *comp)
{
	struct rs_scan *scan = comp->scan;

	scan->figures.aborted++;
	trace_refstore_scan_abort(scan->heap, scan->number,
				  comp->end - comp->first);
}

/*
 * An aborted component gives no credit, so what it refers to fails by itself.
 */
static void rs_component_keep(struct rs_component *comp)
{
	u32 i;

	rs_component_abort(comp);
	for (i = comp->first; i < comp->end; i++) {
		rs_scan_set(rs_member(comp, i), RS_EPOCH_KEPT);
		rs_scan_spend(comp->scan, 1);
	}
}

/* Where the component begins that ends before @end, in the order of emission. */
static u32 rs_component_first(struct rs_scan *scan, const struct rs_tarjan *t,
			      u32 end)
{
	u32 at = end - 1;

	while (at && t->comp[t->order[at - 1]] == t->comp[t->order[at]]) {
		rs_scan_spend(scan, 1);
		at--;
	}
	return at;
}

static void rs_decide_components(struct rs_scan *scan, struct rs_tarjan *t)
{
	struct rs_component comp = { .scan = scan, .tarjan = t };

	for (comp.end = t->emitted; comp.end && !scan->stop;
	     comp.end = comp.first) {
		comp.first = rs_component_first(scan, t, comp.end);
		if (!rs_component_condemn(&comp))
			rs_component_keep(&comp);
	}
}

/**
 * rs_decide - condemn what of the suspects nobody refers to or has touched
 * @scan: a scan with its suspects on the list
 *
 * Those condemned are dead afterwards and in no table; their slots are as they
 * were.
 *
 * Return: false if the scan has given up, or there is no memory to search the
 * suspects for components; else all that was to be decided is.
 */
bool rs_decide(struct rs_scan *scan)
{
	struct rs_component all = {
		.scan = scan,
		.whole = scan->whole,
		.end = scan->len,
	};
	struct rs_tarjan tarjan = {};
	bool searched;

	if (!scan->len || rs_component_condemn(&all))
		return true;
	scan->closed = false;
	if (scan->stop)
		return false;
	searched = rs_tarjan_run(scan, &tarjan);
	if (searched)
		rs_decide_components(scan, &tarjan);
	else if (!scan->stop)
		rs_component_abort(&all);
	rs_tarjan_end(scan, &tarjan);
	return searched && !scan->stop;
}
