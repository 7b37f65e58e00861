// SPDX-License-Identifier: GPL-2.0-only
/*
 * When scans run, and which generations they look at. Nothing waits here, and
 * no scan runs: times are made up, and the timer is disabled, so that what it is
 * armed for stays to be looked at.
 */
#include <linux/jiffies.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "trigger.h"

#define RST_LONG	(1000 * HZ)	/* longer than any test */

static void rst_enable(void *data)
{
	struct rst_graph *g = data;

	enable_delayed_work(&g->heap->scan_work);
}

/* A heap in which nothing is due for a long time. */
static struct rst_graph *rst_still(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 age;

	disable_delayed_work_sync(&g->heap->scan_work);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, rst_enable, g),
			0);
	g->heap->automatic = true;
	for (age = 0; age < RS_GENERATIONS; age++)
		g->heap->generation[age].delay = jiffies_to_msecs(RST_LONG);
	return g;
}

/* Candidates of an age. */
static void rst_add(struct rst_graph *g, u32 age, u32 count)
{
	struct rs_object *obj;

	rs_candidates_make_room(g->heap);
	while (count--) {
		obj = rst_new(g, 0);
		obj->queue_pos = age << RS_AGE_SHIFT;
		/* Two references: a put does not leave the last one */
		rst_hold(g, obj);
		rs_candidate_add(g->heap, obj);
	}
}

/* What the timer runs for, now. */
static enum rs_trigger rst_due(struct rst_graph *g)
{
	u32 generation;

	return rs_trigger_take(g->heap, &generation);
}

/* And which generation is looked at; RS_GENERATIONS: nothing is due. */
static u32 rst_generation(struct rst_graph *g)
{
	u32 generation;

	if (rs_trigger_take(g->heap, &generation) == RS_TRIGGER_NONE)
		return RS_GENERATIONS;
	return generation;
}

/* The timer is armed for @at, or for up to @late after it. */
static void rst_expect_armed(struct rst_graph *g, unsigned long at, long late)
{
	long after = g->heap->armed_at - at;

	KUNIT_EXPECT_TRUE(g->test, g->heap->armed);
	KUNIT_EXPECT_GE(g->test, after, 0);
	KUNIT_EXPECT_LE(g->test, after, late);
}

/* A scan ended that looked at 1000 objects. */
static void rst_report(struct rst_graph *g, u32 age, u64 reclaimed, u64 took)
{
	const struct rs_scan_figures figures = {
		.scans = 1,
		.visited = 1000,
		.reclaimed = reclaimed,
		.nanoseconds = jiffies_to_nsecs(took),
	};

	rs_trigger_report(g->heap, age, &figures);
}

/* Scans that find little make themselves rare, those that find much do not. */
static void trigger_factor(struct kunit *test)
{
	static const struct {
		u64 reclaimed;
		u32 factor;
	} scans[] = {
		{ 0, 2 }, { 9, 4 }, { 0, 8 }, { 0, 8 }, { 10, 4 }, { 99, 2 },
		{ 99, 1 }, { 50, 1 }, { 9, 2 }, { 9, 4 }, { 100, 1 }, { 9, 2 },
		{ 1000, 1 },
	};
	struct rst_graph *g = rst_still(test);
	u32 age, i;

	for (age = 0; age < RS_GENERATIONS; age++) {
		for (i = 0; i < ARRAY_SIZE(scans); i++) {
			rst_report(g, age, scans[i].reclaimed, 0);
			KUNIT_EXPECT_EQ(test, g->heap->generation[age].factor,
					scans[i].factor);
		}
	}
}

/* A scan that had nothing to look at says nothing against the next one. */
static void trigger_factor_of_nothing(struct kunit *test)
{
	const struct rs_scan_figures figures = { .scans = 1 };
	struct rst_graph *g = rst_still(test);

	rst_report(g, 0, 0, 0);
	rst_report(g, 0, 0, 0);
	rs_trigger_report(g->heap, 0, &figures);
	KUNIT_EXPECT_EQ(test, g->heap->generation[0].factor, 1);
}

/* Rest: the factor less one, times what the scan took, times four for each age. */
static void trigger_rest(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	unsigned long before, rest;
	u32 age, factor;

	for (age = 0; age < RS_GENERATIONS; age++) {
		for (factor = 2; factor <= 8; factor *= 2) {
			before = jiffies;
			rst_report(g, age, 0, RST_LONG);
			rest = g->heap->generation[age].rest - before;
			KUNIT_EXPECT_GE(test, rest,
					RST_LONG * (factor - 1) << 2 * age);
			KUNIT_EXPECT_LE(test, rest, jiffies - before +
					(RST_LONG * (factor - 1) << 2 * age));
		}
		before = jiffies;
		rst_report(g, age, 1000, RST_LONG);
		rest = g->heap->generation[age].rest - before;
		KUNIT_EXPECT_LE(test, rest, jiffies - before);
	}
}

/* So many candidates, and the youngest generation is due as soon as it may be. */
static void trigger_threshold(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_generation *gen = g->heap->generation;
	u32 factor;

	gen->threshold = 20;
	for (factor = 1; factor <= 8; factor *= 2) {
		gen->factor = factor;
		rst_add(g, 0, 20 * factor - 1 - rs_candidates(g->heap));
		KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
		rs_trigger_next(g->heap);
		rst_expect_armed(g, g->heap->queue[0].since + RST_LONG, 0);
		rst_add(g, 0, 1);
		rst_expect_armed(g, gen->rest, 0);
		KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_THRESHOLD);
		rs_trigger_next(g->heap);
		rst_expect_armed(g, gen->rest, 0);
	}
	gen->threshold = 0;
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
}

/* It may not be before it has rested. */
static void trigger_threshold_rests(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_generation *gen = g->heap->generation;

	gen->threshold = 20;
	gen->rest = jiffies + RST_LONG / 2;
	rst_add(g, 0, 20);
	rst_expect_armed(g, gen->rest, 0);
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	rs_trigger_next(g->heap);
	rst_expect_armed(g, gen->rest, 0);
	gen->rest = jiffies;
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_THRESHOLD);
}

/* One candidate waits as long as its generation lets it, and as that rests. */
static void trigger_delay(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	u32 age;

	for (age = 0; age < RS_GENERATIONS; age++) {
		struct rs_generation *gen = &g->heap->generation[age];
		struct rs_queue *queue = &g->heap->queue[age];

		rst_due(g);
		rst_add(g, age, 1);
		KUNIT_EXPECT_EQ(test, queue->len, 1);
		rst_expect_armed(g, g->heap->queue[0].since + RST_LONG,
				 age ? RST_LONG / 2 : 0);
		KUNIT_EXPECT_EQ(test, rst_generation(g), RS_GENERATIONS);
		queue->since = jiffies - RST_LONG;
		KUNIT_EXPECT_EQ(test, rst_generation(g), age);
		gen->rest = jiffies + RST_LONG / 2;
		KUNIT_EXPECT_EQ(test, rst_generation(g), RS_GENERATIONS);
		rs_trigger_next(g->heap);
		rst_expect_armed(g, gen->rest, 0);
		gen->rest = jiffies;
		KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_DELAY);
		queue->since = jiffies;
	}
}

/* Scans of the next younger generation, which make an older one due. */
static void trigger_older(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_generation *gen;
	u32 age, i;

	for (age = 1; age < RS_GENERATIONS; age++) {
		gen = &g->heap->generation[age];
		KUNIT_EXPECT_EQ(test, gen->threshold, 10);
		rst_add(g, age, 1);
		for (i = gen->count; i < 10; i++) {
			KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
			rst_report(g, age - 1, 1000, 0);
		}
		KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_THRESHOLD);
		KUNIT_EXPECT_EQ(test, rst_generation(g), age);
		rs_trigger_next(g->heap);
		rst_expect_armed(g, gen->rest, 0);
		rst_report(g, age, 1000, 0);
		KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	}
}

/* The counts of scans begin anew with a scan of the generation or an older one. */
static void trigger_counts(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_generation *gen = g->heap->generation;

	rst_report(g, 0, 0, 0);
	rst_report(g, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, gen[1].count, 2);
	KUNIT_EXPECT_EQ(test, gen[2].count, 0);
	rst_report(g, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, gen[1].count, 0);
	KUNIT_EXPECT_EQ(test, gen[2].count, 1);
	rst_report(g, 0, 0, 0);
	rst_report(g, 2, 0, 0);
	KUNIT_EXPECT_EQ(test, gen[1].count, 0);
	KUNIT_EXPECT_EQ(test, gen[2].count, 0);
}

/* Nobody scans a generation that has no candidates, however due that is. */
static void trigger_empty(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	u32 age;

	for (age = 0; age < RS_GENERATIONS; age++) {
		g->heap->generation[age].threshold = 1;
		g->heap->generation[age].count = 1;
		g->heap->queue[age].since = jiffies - 2 * RST_LONG;
	}
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	rs_trigger_next(g->heap);
	KUNIT_EXPECT_FALSE(test, g->heap->armed);
}

/* Of several that are due the oldest is scanned, and with it all. */
static void trigger_oldest(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	u32 age;

	for (age = 0; age < RS_GENERATIONS; age++) {
		rst_add(g, age, 1);
		g->heap->queue[age].since = jiffies - RST_LONG;
		KUNIT_EXPECT_EQ(test, rst_generation(g), age);
	}
	/* What comes meanwhile waits as long again, in all that were scanned */
	rst_report(g, 1, 1000, 0);
	KUNIT_EXPECT_EQ(test, rst_generation(g), 2);
	rst_report(g, 2, 1000, 0);
	KUNIT_EXPECT_EQ(test, rst_generation(g), RS_GENERATIONS);
	rs_trigger_next(g->heap);
	rst_expect_armed(g, g->heap->queue[0].since + RST_LONG, 0);
}

/* The timer is set for the earliest thing; later ones do not put it off. */
static void trigger_arm(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_generation *gen = g->heap->generation;

	gen[0].delay = jiffies_to_msecs(3 * RST_LONG);
	gen[1].delay = jiffies_to_msecs(RST_LONG);
	gen[2].delay = jiffies_to_msecs(2 * RST_LONG);
	rst_add(g, 0, 1);
	rst_expect_armed(g, g->heap->queue[0].since + 3 * RST_LONG, 0);
	rst_add(g, 1, 1);
	rst_expect_armed(g, g->heap->queue[1].since + RST_LONG, 0);
	rst_add(g, 2, 1);
	rst_expect_armed(g, g->heap->queue[1].since + RST_LONG, 0);
	rst_due(g);
	KUNIT_EXPECT_FALSE(test, g->heap->armed);
	rs_trigger_next(g->heap);
	rst_expect_armed(g, g->heap->queue[1].since + RST_LONG, 0);
}

/* Not by themselves, and not for a heap that goes. */
static void trigger_not_armed(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_heap *heap = g->heap;

	heap->automatic = false;
	heap->generation[0].threshold = 1;
	rst_add(g, 0, 1);
	rs_trigger_next(heap);
	KUNIT_EXPECT_FALSE(test, heap->armed);
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	heap->automatic = true;
	heap->dying = true;
	rs_trigger_next(heap);
	KUNIT_EXPECT_FALSE(test, heap->armed);
	heap->dying = false;
	rs_trigger_next(heap);
	KUNIT_EXPECT_TRUE(test, heap->armed);
}

/* Who asks gets a scan, at once, of the oldest generation that anyone wants. */
static void trigger_ask(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_scan_figures before;
	struct rs_heap *heap = g->heap;
	unsigned long now = jiffies;
	u64 number;

	heap->automatic = false;
	heap->generation[1].rest = jiffies + RST_LONG;
	KUNIT_EXPECT_FALSE(test, rs_trigger_wanted(heap));
	number = rs_trigger_ask(heap, 0, &before);
	KUNIT_EXPECT_EQ(test, rs_trigger_ask(heap, 1, &before), number);
	KUNIT_EXPECT_EQ(test, rs_trigger_ask(heap, 0, &before), number);
	KUNIT_EXPECT_TRUE(test, rs_trigger_wanted(heap));
	rst_expect_armed(g, now, jiffies - now);
	KUNIT_EXPECT_EQ(test, rst_generation(g), 1);
	KUNIT_EXPECT_EQ(test, heap->scans_begun, number);
	KUNIT_EXPECT_FALSE(test, rs_trigger_wanted(heap));
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	/* One that has begun is not the one that is asked for */
	KUNIT_EXPECT_EQ(test, rs_trigger_ask(heap, 0, &before), number + 1);
	KUNIT_EXPECT_EQ(test, rst_generation(g), 0);
}

/* Asked for while the timer's work ran: the next one is due at once. */
static void trigger_ask_meanwhile(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);
	struct rs_scan_figures before;
	unsigned long now;

	rs_trigger_ask(g->heap, 0, &before);
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_COLLECT);
	rs_trigger_ask(g->heap, 2, &before);
	g->heap->armed = false;
	now = jiffies;
	rs_trigger_next(g->heap);
	rst_expect_armed(g, now, jiffies - now);
	KUNIT_EXPECT_EQ(test, rst_generation(g), 2);
}

/* Where memory is short, all is scanned; once. */
static void trigger_pressure(struct kunit *test)
{
	struct rst_graph *g = rst_still(test);

	g->heap->pressed = true;
	g->heap->automatic = false;
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	g->heap->automatic = true;
	/* The scan that ran when memory was short has left no candidate */
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	KUNIT_EXPECT_FALSE(test, g->heap->pressed);
	rst_add(g, 0, 1);
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	g->heap->pressed = true;
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_PRESSURE);
	KUNIT_EXPECT_EQ(test, rst_due(g), RS_TRIGGER_NONE);
	g->heap->pressed = true;
	KUNIT_EXPECT_EQ(test, rst_generation(g), RS_GENERATIONS - 1);
}

/* Sums, the last scan, and the one that found most. */
static void trigger_figures(struct kunit *test)
{
	const struct rs_scan_figures most = { .scans = 1, .bytes = 500 };
	const struct rs_scan_figures last = { .scans = 1, .bytes = 20 };
	struct rst_graph *g = rst_still(test);
	struct rs_heap *heap = g->heap;

	rs_trigger_report(heap, 1, &most);
	rs_trigger_report(heap, 2, &last);
	KUNIT_EXPECT_EQ(test, heap->figures.scans, 2);
	KUNIT_EXPECT_EQ(test, heap->figures.bytes, 520);
	KUNIT_EXPECT_EQ(test, heap->generation[0].figures.scans, 0);
	KUNIT_EXPECT_EQ(test, heap->generation[1].figures.bytes, 500);
	KUNIT_EXPECT_EQ(test, heap->generation[2].figures.bytes, 20);
	KUNIT_EXPECT_EQ(test, heap->last_found.bytes, 20);
	KUNIT_EXPECT_EQ(test, heap->most_bytes, 500);
}

static struct kunit_case trigger_cases[] = {
	KUNIT_CASE(trigger_factor),
	KUNIT_CASE(trigger_factor_of_nothing),
	KUNIT_CASE(trigger_rest),
	KUNIT_CASE(trigger_threshold),
	KUNIT_CASE(trigger_threshold_rests),
	KUNIT_CASE(trigger_delay),
	KUNIT_CASE(trigger_older),
	KUNIT_CASE(trigger_counts),
	KUNIT_CASE(trigger_empty),
	KUNIT_CASE(trigger_oldest),
	KUNIT_CASE(trigger_arm),
	KUNIT_CASE(trigger_not_armed),
	KUNIT_CASE(trigger_ask),
	KUNIT_CASE(trigger_ask_meanwhile),
	KUNIT_CASE(trigger_pressure),
	KUNIT_CASE(trigger_figures),
	{}
};

static struct kunit_suite trigger_suite = {
	.name = "refstore_trigger",
	.test_cases = trigger_cases,
};

kunit_test_suite(trigger_suite);
