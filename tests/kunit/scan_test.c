// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cycle scanner on graphs that hold still: what nobody can reach goes at
 * the first scan, and nothing else.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

/*
 * Shapes. Each builds a graph, leaves held what the test keeps, and returns how
 * many objects are garbage then.
 */

static u32 shape_nothing(struct rst_graph *g)
{
	return 0;
}

static u32 shape_self_loop(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 1);

	rst_link(g, a, 0, a);
	rst_release(g, a);
	return 1;
}

static u32 shape_self_loops(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 20);
	u32 i;

	for (i = 0; i < 20; i++)
		rst_link(g, a, i, a);
	rst_release(g, a);
	return 1;
}

static u32 shape_pair(struct rst_graph *g)
{
	rst_release(g, rst_ring(g, 2));
	return 2;
}

static u32 shape_triangle(struct rst_graph *g)
{
	rst_release(g, rst_ring(g, 3));
	return 3;
}

static u32 shape_ring(struct rst_graph *g)
{
	rst_release(g, rst_ring(g, 1000));
	return 1000;
}

static u32 shape_live_ring(struct rst_graph *g)
{
	struct rs_object *ring = rst_ring(g, 10);

	rst_hold(g, ring);
	rst_release(g, ring);
	return 0;
}

/* Each refers to the other several times. */
static u32 shape_multiple_edges(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 5), *b = rst_new(g, 5);
	u32 i;

	for (i = 0; i < 5; i++)
		rst_link(g, a, i, b);
	for (i = 1; i < 4; i++)
		rst_link(g, b, i, a);
	rst_release(g, a);
	rst_release(g, b);
	return 2;
}

static u32 shape_dead_to_dead(struct rst_graph *g)
{
	struct rs_object *a = rst_ring(g, 5), *b = rst_ring(g, 7);

	rst_link(g, a, 1, b);
	rst_release(g, a);
	rst_release(g, b);
	return 12;
}

static u32 shape_dead_to_live(struct rst_graph *g)
{
	struct rs_object *a = rst_ring(g, 5), *b = rst_ring(g, 7);

	rst_link(g, a, 1, b);
	rst_release(g, a);
	return 5;
}

static u32 shape_live_to_dead(struct rst_graph *g)
{
	struct rs_object *a = rst_ring(g, 5), *b = rst_ring(g, 7);

	rst_link(g, a, 1, b);
	rst_release(g, b);
	return 0;
}

/* Rings in a row, each of which refers to the next; the middle one is held. */
static u32 shape_row_of_rings(struct rst_graph *g)
{
	struct rs_object *ring[9];
	u32 i;

	for (i = 0; i < 9; i++) {
		ring[i] = rst_ring(g, 3);
		if (i)
			rst_link(g, ring[i - 1], 1, ring[i]);
	}
	for (i = 0; i < 9; i++)
		if (i != 4)
			rst_release(g, ring[i]);
	return 12;
}

static u32 shape_cycle_off_live(struct rst_graph *g)
{
	struct rs_object *live = rst_new(g, 2), *ring = rst_ring(g, 5);

	rst_link(g, live, 0, ring);
	rst_release(g, ring);
	return 0;
}

/* The edge that kept a cycle alive goes. */
static u32 shape_cycle_cut_off(struct rst_graph *g)
{
	struct rs_object *live = rst_new(g, 2), *ring = rst_ring(g, 5);

	rst_link(g, live, 0, ring);
	rst_release(g, ring);
	rst_link(g, live, 0, NULL);
	return 5;
}

static u32 shape_live_off_cycle(struct rst_graph *g)
{
	struct rs_object *live = rst_new(g, 2), *ring = rst_ring(g, 5);

	rst_link(g, ring, 1, live);
	rst_release(g, ring);
	return 5;
}

/* Leaves of a cycle's own go with it; one that is held as well does not. */
static u32 shape_leaves(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 4), *b = rst_new(g, 4);
	struct rs_object *leaf = rst_leaf(g), *held = rst_leaf(g);

	rst_link(g, a, 0, b);
	rst_link(g, b, 0, a);
	rst_link(g, a, 1, leaf);
	rst_link(g, b, 1, leaf);
	rst_link(g, a, 2, held);
	rst_link(g, b, 3, held);
	rst_release(g, leaf);
	rst_release(g, a);
	rst_release(g, b);
	return 3;
}

/* A chain that hangs off a cycle dies by counts when the cycle is reclaimed. */
static u32 shape_chain_off_cycle(struct rst_graph *g)
{
	struct rs_object *ring = rst_ring(g, 3), *last = ring, *next;
	u32 i;

	for (i = 0; i < 1000; i++) {
		next = rst_new(g, 2);
		rst_link(g, last, 1, next);
		rst_release(g, last);
		last = next;
	}
	rst_link(g, last, 1, rst_leaf(g));
	rst_release(g, g->held[g->nr_held - 1]);
	rst_release(g, last);
	return 1004;
}

static u32 shape_clique(struct rst_graph *g)
{
	struct rs_object **member = g->held + g->nr_held;
	u32 i, j;

	for (i = 0; i < 200; i++)
		rst_new(g, 200);
	for (i = 0; i < 200; i++)
		for (j = 0; j < 200; j++)
			rst_link(g, member[i], j, member[j]);
	while (i--)
		rst_release(g, member[i]);
	return 200;
}

/* Of two cliques that are joined by one edge, one is held by one member. */
static u32 shape_two_cliques(struct rst_graph *g)
{
	struct rs_object *member[20];
	u32 i, j;

	for (i = 0; i < 20; i++)
		member[i] = rst_new(g, 12);
	for (i = 0; i < 20; i++)
		for (j = 0; j < 10; j++)
			rst_link(g, member[i], j, member[i / 10 * 10 + j]);
	rst_link(g, member[3], 11, member[17]);
	for (i = 0; i < 20; i++)
		if (i != 12)
			rst_release(g, member[i]);
	return 10;
}

static u32 shape_root(struct rst_graph *g)
{
	struct rs_object *ring = rst_ring(g, 4), *other = rst_ring(g, 4);

	rst_link(g, other, 1, ring);
	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, ring), 0);
	rst_release(g, ring);
	rst_release(g, other);
	return 4;
}

static u32 shape_former_root(struct rst_graph *g)
{
	struct rs_object *ring = rst_ring(g, 4);

	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, ring), 0);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, NULL), 0);
	return 4;
}

/* A lattice: long ways and short ones lead to each object, and back. */
static u32 shape_lattice(struct rst_graph *g)
{
	struct rs_object **node = g->held + g->nr_held;
	u32 i;

	for (i = 0; i < 400; i++)
		rst_new(g, 3);
	for (i = 0; i < 400; i++) {
		rst_link(g, node[i], 0, node[(i + 1) % 400]);
		rst_link(g, node[i], 1, node[(i + 20) % 400]);
		rst_link(g, node[i], 2, node[(i * 7) % 400]);
	}
	while (i--)
		rst_release(g, node[i]);
	return 400;
}

/* Empty lists, and slots that were never stored. */
static u32 shape_empty(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 0), *b = rst_new(g, 5);

	rst_hold(g, a);
	rst_release(g, a);
	rst_hold(g, b);
	rst_release(g, b);
	return 0;
}

static const struct rst_shape {
	const char *name;
	u32 (*build)(struct rst_graph *g);
} rst_shapes[] = {
	{ "nothing", shape_nothing },
	{ "self loop", shape_self_loop },
	{ "self loops", shape_self_loops },
	{ "pair", shape_pair },
	{ "triangle", shape_triangle },
	{ "ring", shape_ring },
	{ "live ring", shape_live_ring },
	{ "multiple edges", shape_multiple_edges },
	{ "dead ring to dead ring", shape_dead_to_dead },
	{ "dead ring to live ring", shape_dead_to_live },
	{ "live ring to dead ring", shape_live_to_dead },
	{ "row of rings", shape_row_of_rings },
	{ "cycle off live", shape_cycle_off_live },
	{ "cycle cut off", shape_cycle_cut_off },
	{ "live off cycle", shape_live_off_cycle },
	{ "leaves", shape_leaves },
	{ "chain off cycle", shape_chain_off_cycle },
	{ "clique", shape_clique },
	{ "two cliques", shape_two_cliques },
	{ "root", shape_root },
	{ "former root", shape_former_root },
	{ "lattice", shape_lattice },
	{ "empty", shape_empty },
};

KUNIT_ARRAY_PARAM_DESC(rst_shape, rst_shapes, name);

/* One scan takes the garbage and no more; what is left has the right counts. */
static void rst_scan_shape(struct rst_graph *g, u32 garbage)
{
	u64 objects = g->heap->objects;
	struct rs_scan_figures figures;
	struct rst_census census = rst_audit(g);

	KUNIT_EXPECT_EQ(g->test, census.garbage, garbage);
	figures = rst_collect(g);
	KUNIT_EXPECT_EQ(g->test, figures.scans, 1);
	KUNIT_EXPECT_EQ(g->test, figures.reclaimed, garbage);
	KUNIT_EXPECT_EQ(g->test, figures.aborted, 0);
	KUNIT_EXPECT_EQ(g->test, figures.stopped, 0);
	census = rst_audit(g);
	KUNIT_EXPECT_EQ(g->test, census.objects, objects - garbage);
	KUNIT_EXPECT_EQ(g->test, census.garbage, 0);
}

static void rst_scan_rest(struct rst_graph *g)
{
	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, NULL), 0);
	rst_release_all(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(g->test, rst_audit(g).objects, 0);
	KUNIT_EXPECT_EQ(g->test, g->heap->bytes, 0);
}

static void rst_scan_variant(struct kunit *test, u32 variant, bool seal)
{
	const struct rst_shape *shape = test->param_value;
	struct rst_graph *g = rst_graph(test);
	u32 garbage;

	g->variant = variant;
	garbage = shape->build(g);
	if (seal)
		rst_seal_all(g);
	rst_scan_shape(g, garbage);
	rst_scan_rest(g);
}

static void scan_shape(struct kunit *test)
{
	rst_scan_variant(test, 0, false);
}

static void scan_shape_in_arrays(struct kunit *test)
{
	rst_scan_variant(test, RST_ARRAYS, false);
}

static void scan_shape_with_data(struct kunit *test)
{
	rst_scan_variant(test, RST_DATA, false);
}

static void scan_shape_of_candidates(struct kunit *test)
{
	rst_scan_variant(test, RST_CANDIDATES, false);
}

static void scan_shape_sealed(struct kunit *test)
{
	rst_scan_variant(test, RST_ARRAYS | RST_DATA, true);
}

/* All shapes in one heap, over and over. */
static void scan_all_shapes(struct kunit *test)
{
	const u32 rounds = RST_COUNT(3, 1);
	struct rst_graph *g = rst_graph(test);
	u32 i, garbage = 0;

	for (i = 0; i < rounds * ARRAY_SIZE(rst_shapes); i++) {
		g->variant = i % 8;
		garbage += rst_shapes[i % ARRAY_SIZE(rst_shapes)].build(g);
	}
	/* shape_root and shape_former_root free the former's ring by turns */
	KUNIT_EXPECT_EQ(test, rs_root_set(g->heap, NULL), 0);
	garbage = rst_audit(g).garbage;
	KUNIT_EXPECT_GT(test, garbage, 2000 * rounds);
	rst_scan_shape(g, garbage);
	rst_scan_rest(g);
}

/* No candidates, no work: what nobody touched is not looked at again. */
static void scan_again(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, 1000);

	rst_hold(g, ring);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rst_collect(g).visited, 1000);
	KUNIT_EXPECT_EQ(test, rst_collect(g).visited, 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1000);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 1000);
}

/* An object that is saturated is not freed, nor what it refers to. */
static void scan_saturated(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, 3);
	u64 word = rs_ref_read(&ring->ref);

	atomic64_or(RS_REF_SATURATED, &ring->ref.word);
	rs_candidate_add(g->heap, ring);
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 0);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 3);
	atomic64_set(&ring->ref.word, word | RS_REF_VERSION_ONE);
	rst_audit(g);
}

/* The number of a scan is never that of no scan. */
static void scan_number_wraps(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 i;

	g->heap->last_scan = RS_SCAN_NUMBERS - 3;
	for (i = 0; i < 6; i++) {
		rst_release(g, rst_ring(g, 5));
		KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 5);
		KUNIT_EXPECT_NE(test, g->heap->last_scan, 0);
	}
	KUNIT_EXPECT_EQ(test, g->heap->last_scan, 4);
}

/* Epochs that earlier scans left behind mean nothing (rule R16). */
static void scan_old_epochs(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	u32 state, i;

	for (state = 0; state < BIT(RS_EPOCH_SHIFT); state++) {
		rst_release(g, rst_ring(g, 5));
		/* The first cell of the table is nobody's */
		for (i = 1; i <= 5; i++) {
			obj = rst_at(g->heap, i);
			rs_slotted(obj)->epoch =
				g->heap->last_scan << RS_EPOCH_SHIFT | state;
		}
		KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 5);
	}
	rst_audit(g);
}

/* When numbers begin anew, what was left with them counts no more either. */
static void scan_old_epochs_after_wrap(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	u32 state, i;

	for (state = 0; state < BIT(RS_EPOCH_SHIFT); state++) {
		rst_release(g, rst_ring(g, 5));
		/* The first cell of the table is nobody's */
		for (i = 1; i <= 5; i++) {
			obj = rst_at(g->heap, i);
			rs_slotted(obj)->epoch = 1 << RS_EPOCH_SHIFT | state;
		}
		g->heap->last_scan = RS_SCAN_NUMBERS - 1;
		KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 5);
		KUNIT_EXPECT_EQ(test, g->heap->last_scan, 1);
	}
	rst_audit(g);
}

static void scan_ring_of_a_million(struct kunit *test)
{
	const u32 count = RST_COUNT(1000000, 4000);
	struct rst_graph *g = rst_graph(test);

	rst_release(g, rst_ring(g, count));
	rst_scan_shape(g, count);
}

/* Alive, they are no candidates any more, and nothing is due. */
static void rst_scan_nothing(struct rst_graph *g)
{
	g->heap->automatic = true;
	KUNIT_EXPECT_EQ(g->test, rst_collect(g).visited, 0);
	KUNIT_EXPECT_FALSE(g->test, delayed_work_pending(&g->heap->scan_work));
	KUNIT_EXPECT_FALSE(g->test, g->heap->armed);
	g->heap->automatic = false;
}

static void scan_live_ring(struct kunit *test)
{
	const u32 count = RST_COUNT(200000, 4000);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, count);

	rst_hold(g, ring);
	rst_release(g, ring);
	rst_scan_shape(g, 0);
	rst_scan_nothing(g);
	rst_end(g);
}

/* An object with as many slots as there can be, in cycles through each. */
static void scan_a_million_slots(struct kunit *test)
{
	const u32 count = RST_COUNT(RS_MAX_SLOTS, 20000);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *hub = rst_new(g, count), *obj;
	u32 i;

	for (i = 0; i < count; i++) {
		if (i % 1000) {
			rst_link(g, hub, i, hub);
			continue;
		}
		obj = rst_new(g, 1);
		rst_link(g, hub, i, obj);
		rst_link(g, obj, 0, hub);
		rst_release(g, obj);
		cond_resched();
	}
	rst_release(g, hub);
	rst_scan_shape(g, 1 + DIV_ROUND_UP(count, 1000));
}

/* As users make them: each with its own handle, which is released. */
static void rst_make_pair(struct rst_graph *g)
{
	struct rs_object *a = rst_new(g, 1), *b = rst_new(g, 1);

	rst_link(g, a, 0, b);
	rst_link(g, b, 0, a);
	rst_release(g, a);
	rst_release(g, b);
}

/* For a third of the time; returns how many objects there were at most. */
static u64 rst_make_pairs(struct rst_graph *g, u32 count)
{
	u64 most = 0, start = ktime_get_ns(), us;
	u32 i;

	for (i = 1; i <= count; i++) {
		rst_make_pair(g);
		most = max(most, READ_ONCE(g->heap->objects));
		cond_resched();
		if (i % (count / 20))
			continue;
		us = div_u64(ktime_get_ns() - start, NSEC_PER_USEC);
		usleep_range(3 * us / 2, 2 * us);
		start = ktime_get_ns();
	}
	return most;
}

/*
 * Cycles that are made without end: scans start by themselves, when there are
 * candidates enough, and keep up with somebody who leaves them the processor
 * most of the time. (Checkers make a scan several times as dear as what it
 * collects.)
 */
static void scan_continuous(struct kunit *test)
{
	const u32 count = RST_COUNT(60000, 5000);
	struct rst_graph *g = rst_graph(test);
	u64 most;

	g->heap->generation[0].threshold = count / 5;
	g->heap->automatic = true;
	most = rst_make_pairs(g, count);
	g->heap->automatic = false;
	rst_settle(g);
	kunit_info(test, "at most %llu objects, %llu scans, %llu ms\n", most,
		   g->heap->figures.scans,
		   g->heap->figures.nanoseconds / NSEC_PER_MSEC);
	KUNIT_EXPECT_GE(test, g->heap->figures.scans, 5);
	KUNIT_EXPECT_LT(test, most, count);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* The same, while the heap ends: what is left goes with it. */
static void scan_heap_death(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	g->heap->automatic = true;
	rst_make_pairs(g, RST_COUNT(30000, 2000));
	rst_ring(g, 1000);
	rst_start_scan(g);
	cond_resched();
	rst_end(g);
}

/* One candidate is enough for a scan, a while later; none, for none. */
static void scan_delayed(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 patience = 60000;

	g->heap->generation[0].delay = 10;
	g->heap->automatic = true;
	rst_release(g, rst_ring(g, 2));
	while (READ_ONCE(g->heap->objects) && patience--)
		msleep(1);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 0);
	flush_work(&g->heap->scan_work.work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&g->heap->scan_work));
}

static struct kunit_case scan_cases[] = {
	KUNIT_CASE_PARAM(scan_shape, rst_shape_gen_params),
	KUNIT_CASE_PARAM(scan_shape_in_arrays, rst_shape_gen_params),
	KUNIT_CASE_PARAM(scan_shape_with_data, rst_shape_gen_params),
	KUNIT_CASE_PARAM(scan_shape_of_candidates, rst_shape_gen_params),
	KUNIT_CASE_PARAM(scan_shape_sealed, rst_shape_gen_params),
	KUNIT_CASE(scan_all_shapes),
	KUNIT_CASE(scan_again),
	KUNIT_CASE(scan_saturated),
	KUNIT_CASE(scan_number_wraps),
	KUNIT_CASE(scan_old_epochs),
	KUNIT_CASE(scan_old_epochs_after_wrap),
	KUNIT_CASE(scan_ring_of_a_million),
	KUNIT_CASE(scan_live_ring),
	KUNIT_CASE(scan_a_million_slots),
	KUNIT_CASE(scan_continuous),
	KUNIT_CASE(scan_heap_death),
	KUNIT_CASE(scan_delayed),
	{}
};

static struct kunit_suite scan_suite = {
	.name = "refstore_scan",
	.test_cases = scan_cases,
};

kunit_test_suite(scan_suite);
