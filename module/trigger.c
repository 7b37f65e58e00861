// SPDX-License-Identifier: GPL-2.0-only
/*
 * When scans run, and which generations they look at.
 *
 * A scan of a generation takes the candidates of that age and all younger ones.
 * It runs
 *
 *   - on request (REFSTORE_COLLECT), which says which generation;
 *   - when there are many candidates: the youngest generation when there are
 *     @threshold of them; an older one when there were @threshold scans of the
 *     next younger one since its last;
 *   - at the latest @delay after the first candidate of the generation came;
 *   - when memory is short: all generations.
 *
 * All but requests adapt to what scans cost and bring. @factor, from 1 to 8,
 * doubles when a scan found less than one object in 100 to be garbage, and is 1
 * when it was one in 10. Between two scans of a generation passes @factor - 1
 * times what the last one took, times four for each generation: so when scans
 * find nothing, those of the youngest take 13 % of a processor's time at most,
 * and those of the oldest 0.9 %; and as long as they find much, they need not
 * rest. @factor multiplies the threshold of the youngest, too: candidates of a
 * heap that has no garbage are no news.
 *
 * There is one timer, heap->scan_work. It is armed for the earliest thing that
 * is due; what is due is worked out anew when it fires. All of this is under
 * heap->report_lock, which nests in the queue's lock, but for the time when the
 * first candidate came.
 */
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/shrinker.h>

#include "candidate.h"
#include "compat.h"
#include "scan.h"
#include "trigger.h"

#define RS_FACTOR_MAX	8

static unsigned int rs_scan_threshold = 10000;
module_param_named(scan_threshold, rs_scan_threshold, uint, 0644);
MODULE_PARM_DESC(scan_threshold,
		 "Candidates that start a scan of a new heap at once (10000)");

static unsigned int rs_scan_delay = 1000;
module_param_named(scan_delay_ms, rs_scan_delay, uint, 0644);
MODULE_PARM_DESC(scan_delay_ms,
		 "Milliseconds from the first candidate of a new heap to a scan (1000; 8 and 64 times that for older ones)");

static const u32 rs_thresholds[RS_GENERATIONS] = { 0, 10, 10 };
static const u32 rs_delay_times[RS_GENERATIONS] = { 1, 8, 64 };

void rs_trigger_init_heap(struct rs_heap *heap)
{
	struct rs_generation *gen = heap->generation;
	u32 delay = min(READ_ONCE(rs_scan_delay), REFSTORE_MAX_DELAY / 64);
	u32 i;

	heap->automatic = true;
	for (i = 0; i < RS_GENERATIONS; i++) {
		gen[i].threshold = rs_thresholds[i];
		gen[i].delay = delay * rs_delay_times[i];
		gen[i].factor = 1;
		gen[i].rest = jiffies;
	}
	gen[0].threshold = READ_ONCE(rs_scan_threshold);
}

/* Sees to it that heap->scan_work runs at a time, or earlier. */
static void rs_trigger_arm_locked(struct rs_heap *heap, unsigned long at)
{
	unsigned long now = jiffies;

	lockdep_assert_held(&heap->report_lock);
	if (heap->dying || (heap->armed && !time_before(at, heap->armed_at)))
		return;
	WRITE_ONCE(heap->armed_at, at);
	/* Pairs with the acquire in rs_trigger_arm() */
	smp_store_release(&heap->armed, true);
	mod_delayed_work(rs_scan_queue, &heap->scan_work,
			 time_after(at, now) ? at - now : 0);
}

/* Whether somebody waits for a scan that has not begun. */
bool rs_trigger_wanted(const struct rs_heap *heap)
{
	return READ_ONCE(heap->scans_asked) > READ_ONCE(heap->scans_begun);
}

/*
 * The caller has seen a candidate, or has made one. If he finds the timer armed
 * though it has just fired, or that scans shall not come by themselves though
 * they just may, then whoever did that sees the candidate.
 */
static void rs_trigger_arm(struct rs_heap *heap, unsigned long at)
{
	/* Candidate, then timer and setting; pairs with rs_trigger_next() */
	smp_mb();
	/* Most of the time it is armed: then there is nothing to do */
	if (!READ_ONCE(heap->automatic) && !rs_trigger_wanted(heap))
		return;
	/* Pairs with the release in rs_trigger_arm_locked() */
	if (smp_load_acquire(&heap->armed) &&
	    !time_before(at, READ_ONCE(heap->armed_at)))
		return;
	spin_lock(&heap->report_lock);
	rs_trigger_arm_locked(heap, at);
	spin_unlock(&heap->report_lock);
}

static unsigned long rs_later(unsigned long a, unsigned long b)
{
	return time_after(a, b) ? a : b;
}

/* When the candidates of an age, of which there are some, are due. */
static unsigned long rs_trigger_delayed(const struct rs_heap *heap, u32 age)
{
	const struct rs_generation *gen = &heap->generation[age];
	unsigned long at = READ_ONCE(heap->queue[age].since);

	return rs_later(at + msecs_to_jiffies(READ_ONCE(gen->delay)),
			READ_ONCE(gen->rest));
}

/* Whether there are so many that a generation is due as soon as it may be. */
static bool rs_trigger_many(const struct rs_heap *heap, u32 age)
{
	const struct rs_generation *gen = &heap->generation[age];
	u32 threshold = READ_ONCE(gen->threshold);
	u32 candidates = rs_candidates_of(heap, age);

	if (!threshold || !candidates)
		return false;
	if (age)
		return READ_ONCE(gen->count) >= threshold;
	return candidates >= (u64)threshold * READ_ONCE(gen->factor);
}

/* A candidate came to a queue, whose lock the caller holds. */
void rs_trigger_candidate(struct rs_heap *heap, struct rs_queue *queue)
{
	u32 age = queue - heap->queue;

	if (queue->len == 1) {
		WRITE_ONCE(queue->since, jiffies);
		rs_trigger_arm(heap, rs_trigger_delayed(heap, age));
	}
	if (!age && rs_trigger_many(heap, age))
		rs_trigger_arm(heap, READ_ONCE(heap->generation[0].rest));
}

/* Asks for a scan that begins from now on; returns its number. */
u64 rs_trigger_ask(struct rs_heap *heap, u32 generation,
		   struct rs_scan_figures *before)
{
	u64 number;

	spin_lock(&heap->report_lock);
	number = heap->scans_begun + 1;
	if (!rs_trigger_wanted(heap))
		heap->asked_generation = 0;
	heap->asked_generation = max(heap->asked_generation, generation);
	WRITE_ONCE(heap->scans_asked, number);
	*before = heap->figures;
	rs_trigger_arm_locked(heap, jiffies);
	spin_unlock(&heap->report_lock);
	return number;
}

static enum rs_trigger rs_trigger_due(const struct rs_heap *heap, u32 age)
{
	const struct rs_generation *gen = &heap->generation[age];
	unsigned long now = jiffies;

	if (!rs_candidates_of(heap, age) || time_before(now, gen->rest))
		return RS_TRIGGER_NONE;
	if (rs_trigger_many(heap, age))
		return RS_TRIGGER_THRESHOLD;
	return time_before(now, rs_trigger_delayed(heap, age)) ?
	       RS_TRIGGER_NONE : RS_TRIGGER_DELAY;
}

/* The oldest generation that is due, if any. */
static enum rs_trigger rs_trigger_oldest(struct rs_heap *heap, u32 *generation)
{
	enum rs_trigger trigger;
	u32 age = RS_GENERATIONS;

	while (age--) {
		trigger = rs_trigger_due(heap, age);
		*generation = age;
		if (trigger)
			return trigger;
	}
	return RS_TRIGGER_NONE;
}

static enum rs_trigger rs_trigger_choose(struct rs_heap *heap, u32 *generation)
{
	if (rs_trigger_wanted(heap)) {
		*generation = heap->asked_generation;
		return RS_TRIGGER_COLLECT;
	}
	if (!heap->automatic)
		return RS_TRIGGER_NONE;
	if (heap->pressed && rs_candidates(heap)) {
		*generation = RS_GENERATIONS - 1;
		return RS_TRIGGER_PRESSURE;
	}
	/* Or the scan that ran when memory was short has left nothing to do */
	WRITE_ONCE(heap->pressed, false);
	return rs_trigger_oldest(heap, generation);
}

/**
 * rs_trigger_take - heap->scan_work runs: what for?
 * @heap: the heap
 * @generation: where the generation to be scanned goes
 *
 * Return: why, or RS_TRIGGER_NONE if nothing is to be done. Else a scan has
 * begun.
 */
enum rs_trigger rs_trigger_take(struct rs_heap *heap, u32 *generation)
{
	enum rs_trigger trigger;

	spin_lock(&heap->report_lock);
	WRITE_ONCE(heap->armed, false);
	trigger = rs_trigger_choose(heap, generation);
	if (trigger) {
		WRITE_ONCE(heap->scans_begun, heap->scans_begun + 1);
		if (*generation == RS_GENERATIONS - 1)
			WRITE_ONCE(heap->pressed, false);
	}
	spin_unlock(&heap->report_lock);
	return trigger;
}

/* What a scan brought decides how soon the next one comes. */
static void rs_generation_adapt(struct rs_generation *gen, u32 age,
				const struct rs_scan_figures *figures)
{
	u64 found = figures->reclaimed + figures->saved;
	u32 factor = max(gen->factor / 2, 1U);
	u64 rest;

	if (found * 100 < figures->visited)
		factor = min(gen->factor * 2, RS_FACTOR_MAX);
	else if (found * 10 >= figures->visited)
		factor = 1;
	/* Rounded up: many short scans are work, too */
	rest = figures->nanoseconds * (factor - 1) << 2 * age;
	WRITE_ONCE(gen->factor, factor);
	WRITE_ONCE(gen->rest, jiffies + nsecs_to_jiffies64(rest + TICK_NSEC - 1));
}

/* A scan of a generation has ended. */
void rs_trigger_report(struct rs_heap *heap, u32 generation,
		       const struct rs_scan_figures *figures)
{
	struct rs_generation *gen = &heap->generation[generation];
	u32 age;

	spin_lock(&heap->report_lock);
	rs_figures_add(&heap->figures, figures);
	rs_figures_add(&gen->figures, figures);
	if (!figures->stopped)
		heap->last_found = *figures;
	heap->most_objects = max(heap->most_objects, figures->reclaimed);
	heap->most_bytes = max(heap->most_bytes, figures->bytes);
	rs_generation_adapt(gen, generation, figures);
	for (age = 0; age <= generation; age++) {
		WRITE_ONCE(heap->generation[age].count, 0);
		/* What came meanwhile, or was put back: not at once */
		WRITE_ONCE(heap->queue[age].since, jiffies);
	}
	if (generation + 1 < RS_GENERATIONS)
		WRITE_ONCE(gen[1].count, gen[1].count + 1);
	spin_unlock(&heap->report_lock);
}

/* Arms the timer for what is due next. It has fired, or was set anew. */
void rs_trigger_next(struct rs_heap *heap)
{
	u32 age;

	/* Timer or setting, then candidates; pairs with rs_trigger_arm() */
	smp_mb();
	if (rs_trigger_wanted(heap) || READ_ONCE(heap->pressed))
		rs_trigger_arm(heap, jiffies);
	for (age = 0; age < RS_GENERATIONS; age++) {
		if (!rs_candidates_of(heap, age))
			continue;
		rs_trigger_arm(heap, rs_trigger_delayed(heap, age));
		if (rs_trigger_many(heap, age))
			rs_trigger_arm(heap,
				       READ_ONCE(heap->generation[age].rest));
	}
}

/*
 * Memory is short: a scan of all generations, unless the last one was just now.
 * Nothing is allocated here, nor does such a scan need any, but where somebody
 * touched what it was going to condemn, and it searches that for components.
 */
void rs_trigger_press(struct rs_heap *heap)
{
	unsigned long rest =
		READ_ONCE(heap->generation[RS_GENERATIONS - 1].rest);

	if (!rs_candidates(heap) || time_before(jiffies, rest))
		return;
	spin_lock(&heap->report_lock);
	if (heap->automatic) {
		WRITE_ONCE(heap->pressed, true);
		rs_trigger_arm_locked(heap, jiffies);
	}
	spin_unlock(&heap->report_lock);
}

/*
 * Objects with slots of heaps that have candidates: how many of them are garbage
 * nobody knows, but that many a scan looks at. We do not wait for the list of
 * heaps: who holds its lock may be waiting for memory.
 */
static unsigned long rs_shrink_count(struct shrinker *shrinker,
				     struct shrink_control *control)
{
	struct rs_heap *heap;
	unsigned long sum = 0;

	if (!mutex_trylock(&rs_heaps_lock))
		return 0;
	list_for_each_entry(heap, &rs_heaps, node)
		if (rs_candidates(heap))
			sum += READ_ONCE(heap->slotted);
	mutex_unlock(&rs_heaps_lock);
	return sum ? sum : SHRINK_EMPTY;
}

static unsigned long rs_shrink_scan(struct shrinker *shrinker,
				    struct shrink_control *control)
{
	struct rs_heap *heap;

	if (!mutex_trylock(&rs_heaps_lock))
		return SHRINK_STOP;
	list_for_each_entry(heap, &rs_heaps, node)
		rs_trigger_press(heap);
	mutex_unlock(&rs_heaps_lock);
	/* What comes of it, and when, we do not know */
	return SHRINK_STOP;
}

static struct shrinker *rs_shrinker;

int __init rs_trigger_init(void)
{
	rs_shrinker = rs_shrinker_create(rs_shrink_count, rs_shrink_scan);
	return rs_shrinker ? 0 : -ENOMEM;
}

void rs_trigger_exit(void)
{
	rs_shrinker_destroy(rs_shrinker);
}
