// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cycle scanner.
 *
 * It runs on an unbound workqueue, one scan of a heap at a time, and never
 * stops anybody. Mutators reach objects through handles only, so true garbage
 * can neither change nor be touched; the scanner captures what it sees, finds
 * out what of it nobody outside refers to, and then checks that what it
 * captured still holds, all at one instant. A live object that was moved about
 * meanwhile fails the check and is kept. The protocol is in the tradition of
 * Bacon and Rajan's concurrent cycle collection (2001).
 *
 *   queue     a put that leaves an object alive makes it a candidate
 *             (candidate.c): only there can a cycle have become garbage
 *   capture   candidates are drained; from them everything that they reach is
 *             captured: first the word, then the slots (capture.c)
 *   deduce    what is referred to from outside of the captured graph, or
 *             reachable from such, is alive: a filter (capture.c)
 *   decide    what is left is condemned, component by component, if it was not
 *             touched (component.c)
 *   reclaim   the condemned are taken out of everything and freed (here)
 *
 * Objects that are frozen it does not look at: what they refer to is referred
 * to from outside. If the heap saves what is found, the last step is another
 * one: where a component would be condemned, a reference is taken on each of
 * its members instead, for the heap, and the suspicion taken back.
 *
 * What a scan gives up by itself and had taken from the queue it puts back
 * (rule R12), so it can give up at any time: when its heap dies, when too much
 * memory waits for it (R17), when it is too old (R6), when it gets no memory.
 *
 * Memory of captured objects: heap->scan holds the number of the running scan,
 * and whoever drops the last reference to a slotted object meanwhile leaves its
 * memory, until the scanner has made its decisions (R13, R14; see reclaim.c).
 * So does who replaces an array of slots.
 */
#include <linux/prefetch.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/timekeeping.h>

#include "candidate.h"
#include "compat.h"
#include "event.h"
#include "limit.h"
#include "object.h"
#include "proc.h"
#include "reclaim.h"
#include "scan.h"
#include "slot.h"
#include "trace.h"
#include "trigger.h"
#include "weak.h"

#define RS_DEFERRED_MIN	(16ULL << 20)	/* bytes that may wait for a scan */
#define RS_COLLECT_TRIES 8

/* Rule R6: then the scan gives up. */
bool rs_scan_too_old(struct rs_scan *scan)
{
	if (ktime_get_ns() - scan->started <= rs_scan_max_ns(scan))
		return false;
	scan->stop = true;
	return true;
}

/* Lets others run; false if the scan shall give up. */
bool rs_scan_pause(struct rs_scan *scan)
{
	struct rs_heap *heap = scan->heap;

	scan->spent = 0;
	rs_scan_step(scan, RS_STEP_PAUSE);
	cond_resched();
	if (READ_ONCE(heap->scan_stop) || READ_ONCE(heap->dying) ||
	    rs_scan_too_old(scan))
		scan->stop = true;
	return !scan->stop;
}

/*
 * Numbers begin anew: none of the old ones may be left in an epoch (R16). No
 * scan runs, so nobody needs them.
 */
static void rs_scan_forget(struct rs_heap *heap)
{
	struct rs_object *obj;
	u32 i = 0, n;

	while (i < READ_ONCE(heap->table_used)) {
		spin_lock(&heap->table_lock);
		for (n = 0; n < RS_SLICE && i < heap->table_used; n++) {
			obj = rs_heap_at(heap, i++);
			if (obj && rs_object_tracked(obj))
				WRITE_ONCE(rs_slotted(obj)->epoch, 0);
		}
		spin_unlock(&heap->table_lock);
		cond_resched();
	}
}

/*
 * From here on, last puts leave memory to us. The barrier orders the number
 * before anything that we read of the graph, and pairs with every last put's
 * and with the one in rs_slots_retire().
 */
static void rs_scan_begin(struct rs_scan *scan)
{
	struct rs_heap *heap = scan->heap;
	u64 least = RS_DEFERRED_MIN + READ_ONCE(heap->bytes) / 8;

	if (++heap->last_scan == RS_SCAN_NUMBERS) {
		rs_scan_forget(heap);
		heap->last_scan = 1;
	}
	scan->number = heap->last_scan;
	scan->frozen = READ_ONCE(heap->frozen);
	scan->save = READ_ONCE(heap->save);
	INIT_LIST_HEAD(&scan->dead);
	scan->started = ktime_get_ns();
	spin_lock(&heap->deferred_lock);
	heap->deferred_limit = max(heap->deferred_limit, least);
	WRITE_ONCE(heap->scan_stop, false);
	WRITE_ONCE(heap->scan, scan->number);
	spin_unlock(&heap->deferred_lock);
	/* Pairs with every last put's, and with rs_slots_retire() */
	smp_mb();
	rs_scan_step(scan, RS_STEP_BEGIN);
}

static bool rs_dead(const struct rs_object *obj)
{
	return rs_ref_read(&obj->ref) & RS_REF_DEAD;
}

/* Puts back in the queue what was taken from it and is not condemned (R12). */
static void rs_scan_sort(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i, dead = 0;

	if (scan->figures.reclaimed == scan->len)
		return;
	for (i = 0; i < scan->len; i++) {
		slotted = *rs_scan_at(scan, i);
		if (rs_dead(&slotted->obj))
			*rs_scan_at(scan, dead++) = slotted;
		else if (slotted->epoch & RS_EPOCH_DRAINED)
			rs_candidate_again(scan->heap, &slotted->obj);
		rs_scan_spend(scan, 1);
	}
	scan->len = dead;
}

/*
 * Drops what the slots of a condemned object hold, but for other condemned
 * ones: all of these go, whatever their counts.
 */
static void rs_scan_drop_slots(struct rs_reap *reap, struct rs_slotted *slotted)
{
	struct rs_object *child;
	u32 n = 0;

	while (slotted->obj.shape & RS_SHAPE_NR) {
		child = rs_slots_pop(slotted);
		if (child && !(rs_object_tracked(child) && rs_dead(child)))
			rs_reap_put(reap, child);
		if (++n % RS_SLICE == 0) {
			rs_reap_run(reap, RS_SLICE);
			cond_resched();
		}
	}
	rs_reap_run(reap, RS_SLICE);
}

static void rs_scan_drop(struct rs_scan *scan, struct rs_reap *reap)
{
	u32 i;

	for (i = 0; i < scan->len; i++) {
		rs_scan_spend(scan, 1);
		if (i + RS_AHEAD_SLOTS < scan->len)
			rs_slots_prefetch(*rs_scan_at(scan, i + RS_AHEAD_SLOTS));
		if (i + RS_AHEAD_HEADER < scan->len)
			prefetchw(*rs_scan_at(scan, i + RS_AHEAD_HEADER));
		rs_scan_drop_slots(reap, *rs_scan_at(scan, i));
	}
	rs_reap_run_all(reap);
}

static void rs_scan_free(struct rs_scan *scan)
{
	struct rs_bin bin __uninitialized;
	u32 i;

	rs_bin_init(&bin);
	for (i = 0; i < scan->len; i++) {
		rs_scan_spend(scan, 1);
		if (i + RS_AHEAD_HEADER < scan->len)
			prefetchw(*rs_scan_at(scan, i + RS_AHEAD_HEADER));
		rs_bin_add(&bin, &(*rs_scan_at(scan, i))->obj);
	}
	rs_bin_empty(&bin);
}

/*
 * Frees the condemned, once every decision is made (rule R7). Their memory is
 * ours, and what else their slots refer to is counted: nobody need keep memory
 * for us any more. Slots first, and then memory (R11): they refer to each
 * other. If they refer to nothing else, there is nothing to drop.
 */
static void rs_scan_reclaim(struct rs_scan *scan)
{
	struct rs_reap reap = { .heap = scan->heap };

	if (!scan->closed)
		rs_scan_drop(scan, &reap);
	rs_scan_free(scan);
	scan->figures.reclaimed += reap.freed;
	scan->figures.bytes += reap.bytes;
}

/*
 * The list was full, of objects that died or were made while it was filled. The
 * next one shall have more than twice the room for such.
 */
static void rs_scan_set_slack(struct rs_scan *scan)
{
	struct rs_heap *heap = scan->heap;
	u64 slotted = READ_ONCE(heap->slotted);

	heap->slack = 2 * (rs_vec_len(&heap->work) - slotted) + RS_SLICE +
		      scan->figures.visited / 8;
}

/*
 * Rule R17: putters never wait; when too much memory waits for us we give up.
 * The next scan may keep twice as much, so that some scan gets through.
 */
static void rs_scan_set_limit(struct rs_scan *scan)
{
	struct rs_heap *heap = scan->heap;
	u64 most = rs_heap_max(heap, RS_BYTES) / 4;

	spin_lock(&heap->deferred_lock);
	heap->deferred_limit = scan->figures.stopped ?
			       min(heap->deferred_limit * 2, most) : 0;
	spin_unlock(&heap->deferred_lock);
}

void rs_figures_add(struct rs_scan_figures *sum,
		    const struct rs_scan_figures *figures)
{
	sum->scans += figures->scans;
	sum->visited += figures->visited;
	sum->reclaimed += figures->reclaimed;
	sum->bytes += figures->bytes;
	sum->saved += figures->saved;
	sum->aborted += figures->aborted;
	sum->stopped += figures->stopped;
	sum->nanoseconds += figures->nanoseconds;
}

static void rs_figures_subtract(struct rs_scan_figures *from,
				const struct rs_scan_figures *what)
{
	from->scans -= what->scans;
	from->visited -= what->visited;
	from->reclaimed -= what->reclaimed;
	from->bytes -= what->bytes;
	from->saved -= what->saved;
	from->aborted -= what->aborted;
	from->stopped -= what->stopped;
	from->nanoseconds -= what->nanoseconds;
}

static void rs_scan_report(struct rs_scan *scan, enum rs_trigger trigger)
{
	struct rs_scan_figures *figures = &scan->figures;

	figures->nanoseconds = ktime_get_ns() - scan->started;
	figures->scans = 1;
	rs_trigger_report(scan->heap, scan->generation, figures);
	rs_proc_add_scan(scan, trigger);
	trace_refstore_scan_end(scan->heap, scan->number, scan->generation,
				figures);
	rs_events_scan(scan, REFSTORE_EVENT_SCAN_END);
	/* Last: who has waited for the scan finds all of these */
	spin_lock(&scan->heap->report_lock);
	scan->heap->scans_ended++;
	spin_unlock(&scan->heap->report_lock);
}

/*
 * For the next scan: half of what was too little once may be enough. What the
 * list has it keeps.
 */
static void rs_scan_adapt(struct rs_scan *scan)
{
	if (scan->full)
		rs_scan_set_slack(scan);
	else
		scan->heap->slack /= 2;
}

/*
 * Room in the scanner's own arrays, at the cost of who opened the heap. Where
 * memory is short, old candidates become young for want of it; but a list that
 * was too short would stop the next scan again.
 */
static void rs_scan_make_room(struct rs_heap *heap, enum rs_trigger trigger)
{
	struct mem_cgroup *others;

	if (rs_scan_starved(heap))
		return;
	others = set_active_memcg(heap->memcg);
	if (trigger != RS_TRIGGER_PRESSURE)
		rs_candidates_make_room(heap);
	rs_heap_grow_work(heap);
	set_active_memcg(others);
}

static void rs_scan_run(struct rs_heap *heap, u32 generation,
			enum rs_trigger trigger)
{
	struct rs_scan scan = {
		.heap = heap,
		.generation = generation,
		.closed = true,
	};
	bool done;

	rs_scan_make_room(heap, trigger);
	rs_scan_begin(&scan);
	trace_refstore_scan_begin(heap, scan.number, generation, trigger);
	rs_events_scan(&scan, REFSTORE_EVENT_SCAN_BEGIN);
	done = rs_capture(&scan);
	scan.figures.visited = scan.len;
	done = done && rs_deduce(&scan) && rs_decide(&scan);
	scan.figures.stopped = !done;
	rs_scan_step(&scan, RS_STEP_DECIDED);
	rs_scan_sort(&scan);
	rs_scan_set_limit(&scan);
	rs_scan_adapt(&scan);
	rs_reap_deferred(heap);
	/* Not before: they may be many, and memory waited (rule R17) */
	while (!rs_weak_send(heap, &scan.dead, RS_SLICE))
		cond_resched();
	rs_scan_reclaim(&scan);
	rs_scan_report(&scan, trigger);
	rs_scan_step(&scan, RS_STEP_END);
}

/**
 * rs_scan_work - scan a heap, once, if that is due
 * @work: the heap's scan_work
 *
 * Who wants another scan finds it behind those of other heaps: nobody can keep
 * the queue to himself.
 */
void rs_scan_work(struct work_struct *work)
{
	struct rs_heap *heap = container_of(to_delayed_work(work),
					    struct rs_heap, scan_work);
	enum rs_trigger trigger;
	u32 generation;

	if (READ_ONCE(heap->dying))
		return;
	trigger = rs_trigger_take(heap, &generation);
	if (trigger != RS_TRIGGER_NONE) {
		rs_scan_run(heap, generation, trigger);
		wake_up_all(&heap->waiters);
	}
	rs_trigger_next(heap);
}

static bool rs_scan_ended(struct rs_heap *heap, u64 number)
{
	bool ended;

	spin_lock(&heap->report_lock);
	ended = heap->scans_ended >= number;
	spin_unlock(&heap->report_lock);
	return ended;
}

/* Waits for a scan that begins from now on, and adds what scans did to @sum. */
static int rs_scan_wait(struct rs_heap *heap, u32 generation,
			struct rs_scan_figures *sum)
{
	struct rs_scan_figures figures, before;
	u64 number = rs_trigger_ask(heap, generation, &before);

	if (wait_event_interruptible(heap->waiters,
				     rs_scan_ended(heap, number)))
		return -EINTR;
	spin_lock(&heap->report_lock);
	figures = heap->figures;
	spin_unlock(&heap->report_lock);
	rs_figures_subtract(&figures, &before);
	rs_figures_add(sum, &figures);
	return 0;
}

/**
 * rs_scan_collect - scan a heap now, and wait until that is done
 * @heap: the heap, on which the caller has a reference
 * @generation: candidates up to this age are looked at
 * @figures: what the scans that ended meanwhile did
 *
 * A scan that gives up is followed by another one, which may keep twice as much
 * memory and has more room; but not for ever.
 *
 * Return: 0 or -EINTR.
 */
int rs_scan_collect(struct rs_heap *heap, u32 generation,
		    struct rs_scan_figures *figures)
{
	int tries = RS_COLLECT_TRIES;
	u64 stopped;
	int err;

	memset(figures, 0, sizeof(*figures));
	err = rs_reap_wait(heap);
	do {
		stopped = figures->stopped;
		if (!err)
			err = rs_scan_wait(heap, generation, figures);
	} while (!err && figures->stopped > stopped && --tries);
	return err ? err : rs_reap_wait(heap);
}
