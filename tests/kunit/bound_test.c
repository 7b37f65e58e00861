// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounds: whatever the heap looks like, the scanner pauses after a bounded
 * number of steps, and holds no lock then: at each pause we do what users do,
 * in the scanner's own thread, which would wait for itself for ever.
 */
#include <linux/sched.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"
#include "weak.h"

/* In a step it looks at its list once, and some times more to fetch ahead. */
#define RST_TOUCHES	(16 * RS_SLICE)

/**
 * struct rst_bounds - what was seen at pauses
 * @parent: an object that is used at each
 * @weak: a weak reference to it
 * @pauses: how many there were
 * @most: looks at the scanner's list between two of them, at most
 */
struct rst_bounds {
	struct rs_object *parent;
	struct rs_weak *weak;
	u32 pauses;
	u32 most;
};

static void rst_bounds_use(struct rst_graph *g, struct rst_bounds *b)
{
	struct rs_object *obj = rst_make(g, 1, 0), *child, *parent;

	KUNIT_EXPECT_EQ(g->test, rs_slot_set(g->heap, b->parent, 0, obj), 0);
	KUNIT_EXPECT_EQ(g->test, rs_slots_read(g->heap, b->parent, 0, 1,
					       &child), 1);
	rs_put(g->heap, child);
	rs_put(g->heap, obj);
	KUNIT_EXPECT_EQ(g->test, rs_weak_upgrade(g->heap, b->weak, &parent), 0);
	rs_put(g->heap, parent);
	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, b->parent), 0);
}

static void rst_bounds_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_bounds *b = g->priv;

	if (step != RS_STEP_PAUSE)
		return;
	b->most = max(b->most, g->heap->touched);
	g->heap->touched = 0;
	b->pauses++;
	rst_bounds_use(g, b);
}

static void rst_bounds_run(struct rst_graph *g, const char *shape, u64 steps)
{
	struct rst_bounds b = { .parent = rst_new(g, 1) };

	b.weak = rs_weak_create(g->heap, b.parent);
	KUNIT_ASSERT_FALSE(g->test, IS_ERR(b.weak));
	g->priv = &b;
	g->heap->touched = 0;
	g->hook = rst_bounds_hook;
	rst_collect(g);
	g->hook = NULL;
	KUNIT_EXPECT_GE_MSG(g->test, b.pauses, steps / RS_SLICE / 2, "%s",
			    shape);
	KUNIT_EXPECT_LE_MSG(g->test, b.most, RST_TOUCHES, "%s", shape);
	rs_weak_release(g->heap, b.weak);
	rs_root_set(g->heap, NULL);
	rst_release_all(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(g->test, rst_audit(g).objects, 0);
	rst_end(g);
}

static void bound_ring(struct kunit *test)
{
	const u32 count = RST_COUNT(200000, 10000);
	struct rst_graph *g = rst_graph(test);

	rst_release(g, rst_ring(g, count));
	rst_bounds_run(g, "a dead ring", 3 * count);
	g = rst_graph(test);
	rst_hold(g, rst_ring(g, count));
	rst_release(g, g->held[0]);
	rst_bounds_run(g, "a live ring", count);
}

/* Each is a component; the first to be touched makes the search of them run. */
static void bound_loops(struct kunit *test)
{
	const u32 count = RST_COUNT(100000, 5000);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	u32 i;

	for (i = 0; i < count; i++) {
		obj = rst_new(g, 2);
		rst_link(g, obj, 0, obj);
		rst_release(g, obj);
		if (i % RS_SLICE == 0)
			cond_resched();
	}
	rst_bounds_run(g, "loops", 3 * count);
}

/* Everybody refers to everybody. */
static void bound_clique(struct kunit *test)
{
	const u32 count = RST_COUNT(600, 100);
	struct rst_graph *g = rst_graph(test);
	struct rs_object **obj;
	u32 i, j;

	obj = kunit_kcalloc(test, count, sizeof(*obj), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	for (i = 0; i < count; i++)
		obj[i] = rst_new(g, count);
	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++)
			rst_link(g, obj[i], j, obj[j]);
	for (i = 0; i < count; i++)
		rst_release(g, obj[i]);
	rst_bounds_run(g, "a clique", (u64)count * count);
}

/* One with as many slots as there can be, all of them its own. */
static void bound_slots(struct kunit *test)
{
	const u32 count = RST_COUNT(RS_MAX_SLOTS, 20000);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, count);
	u32 i;

	for (i = 0; i < count; i++)
		rst_link(g, obj, i, i % 2 ? obj : NULL);
	rst_release(g, obj);
	rst_bounds_run(g, "slots", count);
}

static struct kunit_case bound_cases[] = {
	KUNIT_CASE(bound_ring),
	KUNIT_CASE(bound_loops),
	KUNIT_CASE(bound_clique),
	KUNIT_CASE(bound_slots),
	{}
};

static struct kunit_suite bound_suite = {
	.name = "refstore_bound",
	.test_cases = bound_cases,
};

kunit_test_suite(bound_suite);
