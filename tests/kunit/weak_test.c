// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weak references: when they die, and who is told.
 */
#include <linux/sched.h>

#include "event.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"
#include "weak.h"

#define RST_WEAK	6

/**
 * struct rst_watch - weak references to a ring, and what is told of it
 * @g: the graph
 * @events: where notices go
 * @weak: one to each member; the cookie is its place here
 * @step: when the first one is upgraded
 * @late: the ring was touched before, so that it is decided by components
 * @touched: that is so
 * @got: the object, if the upgrade gave it
 * @tried: it was tried
 * @told: notices that came
 */
struct rst_watch {
	struct rs_events events;
	struct rst_graph *g;
	struct rs_weak *weak[RST_WEAK];
	enum rs_scan_step step;
	bool late;
	bool touched;
	struct rs_object *got;
	bool tried;
	u32 told;
};

static struct rs_weak *rst_weak(struct rst_graph *g, struct rs_object *obj)
{
	struct rs_weak *weak = rs_weak_create(&g->heap->payer, g->heap, obj);

	KUNIT_ASSERT_FALSE(g->test, IS_ERR_OR_NULL(weak));
	return weak;
}

static struct rs_weak *rst_weak_copy(struct rst_graph *g,
				     const struct rs_weak *weak)
{
	return rs_weak_copy(&g->heap->payer, weak, true);
}

static struct rs_object *rst_weak_get(struct rst_graph *g, struct rs_weak *weak)
{
	struct rs_object *obj;

	KUNIT_EXPECT_EQ(g->test, rs_weak_upgrade(g->heap, weak, &obj), 0);
	if (obj)
		rst_adopt(g, obj);
	return obj;
}

static u32 rst_weak_alive(struct rst_watch *w)
{
	u32 i, alive = 0;

	for (i = 0; i < RST_WEAK; i++)
		alive += !!READ_ONCE(w->weak[i]->block->obj);
	return alive;
}

/* The notices that wait, in order; each says what it shall. */
static u32 rst_notices(struct rst_watch *w)
{
	struct rs_event *event;
	struct rs_weak *weak;
	u64 seq = 0;
	u32 n = 0;

	list_for_each_entry(event, &w->events.list, node) {
		weak = container_of(event, struct rs_weak, event);
		KUNIT_EXPECT_EQ(w->g->test, event->kind, REFSTORE_EVENT_DEATH);
		KUNIT_EXPECT_EQ(w->g->test, event->seq, ++seq);
		KUNIT_EXPECT_PTR_EQ(w->g->test, weak, w->weak[weak->cookie]);
		n++;
	}
	return n;
}

/* A ring that is garbage, with a weak reference to each member. */
static void rst_watch_ring(struct rst_watch *w, struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, RST_WEAK), *obj = ring;
	u32 i;

	g->priv = w;
	w->g = g;
	rs_events_init(&w->events);
	for (i = 0; i < RST_WEAK; i++) {
		w->weak[i] = rst_weak(g, obj);
		rs_weak_watch(w->weak[i], &w->events, i);
		rs_weak_arm(g->heap, w->weak[i]);
		obj = rst_slot(g, obj, 0);
	}
	rst_release(g, ring);
}

/* All handles are given back; then the session ends. */
static void rst_watch_end(struct rst_watch *w)
{
	u32 i;

	for (i = 0; i < RST_WEAK; i++)
		rs_weak_release(w->g->heap, w->weak[i]);
	rs_events_discard(&w->events, U32_MAX);
}

static void weak_upgrade(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *leaf = rst_leaf(g);
	struct rs_weak *weak = rst_weak(g, obj), *other = rst_weak(g, leaf);
	u64 bytes = g->heap->bytes;
	struct rs_weak *again = rst_weak(g, obj), *copy = rst_weak_copy(g, weak);

	KUNIT_EXPECT_EQ(test, g->heap->bytes, bytes);
	KUNIT_EXPECT_PTR_EQ(test, again->block, weak->block);
	KUNIT_EXPECT_PTR_EQ(test, copy->block, weak->block);
	KUNIT_EXPECT_PTR_EQ(test, rst_weak_get(g, weak), obj);
	KUNIT_EXPECT_PTR_EQ(test, rst_weak_get(g, other), leaf);
	rst_audit(g);
	rst_release_all(g);
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, weak));
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, again));
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, copy));
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, other));
	KUNIT_EXPECT_TRUE(test, xa_empty(&g->heap->weak));
	rs_weak_release(g->heap, weak);
	rs_weak_release(g->heap, again);
	rs_weak_release(g->heap, copy);
	rs_weak_release(g->heap, other);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* The next object at the same place has nothing to do with it. */
static void weak_index_reused(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	struct rs_weak *weak = rst_weak(g, obj), *other;
	u32 index = obj->index;

	rst_release(g, obj);
	obj = rst_new(g, 1);
	KUNIT_ASSERT_EQ(test, obj->index, index);
	KUNIT_EXPECT_FALSE(test, rs_ref_read(&obj->ref) & RS_REF_WEAK);
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, weak));
	other = rst_weak(g, obj);
	KUNIT_EXPECT_PTR_NE(test, other->block, weak->block);
	KUNIT_EXPECT_PTR_EQ(test, rst_weak_get(g, other), obj);
	KUNIT_EXPECT_NULL(test, rst_weak_get(g, weak));
	rs_weak_release(g->heap, weak);
	rs_weak_release(g->heap, other);
}

/* A block whose object outlives the weak references goes with the heap. */
static void weak_heap_death(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rs_weak_release(g->heap, rst_weak(g, rst_new(g, 1)));
	rs_weak_release(g->heap, rst_weak(g, rst_leaf(g)));
	rst_release(g, rst_ring(g, 3));
	rst_end(g);
}

/* Released before the death, nobody is told; after it, somebody still is. */
static void weak_release(struct kunit *test)
{
	struct rst_watch w = {};
	struct rst_graph *g;

	rst_watch_ring(&w, test);
	g = w.g;
	rs_weak_release(g->heap, w.weak[0]);
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, RST_WEAK);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK - 1);
	rs_weak_release(g->heap, w.weak[1]);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK - 1);
	/* On one that is dead: at once */
	w.weak[0] = rst_weak_copy(w.g, w.weak[2]);
	rs_weak_watch(w.weak[0], &w.events, 0);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK - 1);
	rs_weak_arm(g->heap, w.weak[0]);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK);
	w.weak[1] = rst_weak_copy(w.g, w.weak[2]);
	rst_watch_end(&w);
}

/* At the commit, all upgrades fail, and no weak reference knows of it yet. */
static void rst_release_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_watch *w = g->priv;

	if (step != w->step)
		return;
	w->tried = true;
	KUNIT_EXPECT_EQ(g->test, rst_weak_alive(w), RST_WEAK);
	rs_weak_release(g->heap, w->weak[1]);
	w->told = rst_notices(w);
}

/* Who releases one then is told; who does so before the commit is not. */
static void weak_release_while_dying(struct kunit *test)
{
	static const enum rs_scan_step steps[] = {
		RS_STEP_SUSPECTED, RS_STEP_COMMITTED,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		struct rst_watch w = { .step = steps[i] };

		rst_watch_ring(&w, test);
		w.g->hook = rst_release_hook;
		KUNIT_EXPECT_EQ(test, rst_collect(w.g).reclaimed, RST_WEAK);
		w.g->hook = NULL;
		KUNIT_EXPECT_TRUE(test, w.tried);
		KUNIT_EXPECT_EQ(test, w.told, i);
		KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK - 1 + i);
		w.weak[1] = rst_weak_copy(w.g, w.weak[2]);
		rst_watch_end(&w);
	}
}

/* When everything is decided: nobody is told while memory waits for the scan. */
static void rst_untold_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_watch *w = g->priv;

	if (step != RS_STEP_DECIDED)
		return;
	w->tried = true;
	KUNIT_EXPECT_EQ(g->test, rst_weak_alive(w), 0);
	KUNIT_EXPECT_EQ(g->test, w->events.last, 0);
}

static void weak_told_at_the_end(struct kunit *test)
{
	struct rst_watch w = {};

	rst_watch_ring(&w, test);
	w.g->hook = rst_untold_hook;
	KUNIT_EXPECT_EQ(test, rst_collect(w.g).reclaimed, RST_WEAK);
	KUNIT_EXPECT_TRUE(test, w.tried);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK);
	rst_watch_end(&w);
}

/* More than a last put sends by itself: the rest is the backlog's. */
static void weak_many(struct kunit *test)
{
	const u32 count = RST_COUNT(20000, 3000);
	struct rst_graph *g = rst_graph(test);
	struct rs_weak **weak = kvcalloc(count, sizeof(*weak), GFP_KERNEL);
	struct rs_object *obj = rst_leaf(g);
	struct rs_events events;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, weak);
	rs_events_init(&events);
	for (i = 0; i < count; i++) {
		weak[i] = rst_weak(g, obj);
		rs_weak_watch(weak[i], &events, i);
		rs_weak_arm(g->heap, weak[i]);
	}
	rst_release(g, obj);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	KUNIT_EXPECT_EQ(test, events.last, count);
	KUNIT_EXPECT_EQ(test, READ_ONCE(weak[count - 1]->event.seq), count);
	for (i = 0; i < count; i++)
		rs_weak_release(g->heap, weak[i]);
	rs_events_discard(&events, U32_MAX);
	kvfree(weak);
}

static void rst_watch_touch(struct rst_watch *w)
{
	struct rs_object *obj = rst_weak_get(w->g, w->weak[3]);

	w->touched = true;
	KUNIT_EXPECT_NOT_NULL(w->g->test, obj);
	if (obj)
		rst_release(w->g, obj);
}

static void rst_watch_try(struct rst_watch *w)
{
	w->tried = true;
	w->got = rst_weak_get(w->g, w->weak[0]);
	/* One that was touched is kept, and so are those below it */
	if (!w->late)
		KUNIT_EXPECT_EQ(w->g->test, !w->got,
				w->step >= RS_STEP_COMMITTED);
}

/*
 * Notices come when all weak references are dead, and not before. After the
 * commit, and before any of them was cleared, none gives an object.
 */
static void rst_watch_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_watch *w = g->priv;

	if (rst_notices(w))
		KUNIT_EXPECT_EQ(g->test, rst_weak_alive(w), 0);
	if (step == RS_STEP_COMMITTED)
		KUNIT_EXPECT_EQ(g->test, rst_weak_alive(w), RST_WEAK);
	if (w->late && !w->touched && step == RS_STEP_COUNTED)
		rst_watch_touch(w);
	else if (step == w->step && !w->tried && (!w->late || w->touched))
		rst_watch_try(w);
}

static void rst_watch_run(struct kunit *test, enum rs_scan_step step, bool late)
{
	struct rst_watch w = { .step = step, .late = late };
	bool alive;

	rst_watch_ring(&w, test);
	w.g->hook = rst_watch_hook;
	rst_collect(w.g);
	w.g->hook = NULL;
	alive = w.got;
	if (!late)
		KUNIT_EXPECT_TRUE(test, w.tried);
	if (w.tried) {
		KUNIT_EXPECT_EQ(test, rst_weak_alive(&w), alive ? RST_WEAK : 0);
		KUNIT_EXPECT_EQ(test, rst_notices(&w), alive ? 0 : RST_WEAK);
	}
	if (w.got)
		rst_release(w.g, w.got);
	rst_collect(w.g);
	KUNIT_EXPECT_EQ(test, rst_weak_alive(&w), 0);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK);
	KUNIT_EXPECT_EQ(test, rst_audit(w.g).objects, 0);
	rst_watch_end(&w);
	rst_end(w.g);
}

static void weak_at_each_step(struct kunit *test)
{
	enum rs_scan_step step;

	for (step = RS_STEP_BEGIN; step <= RS_STEP_END; step++) {
		rst_watch_run(test, step, false);
		rst_watch_run(test, step, true);
	}
}

/* What a heap saves is found once, counted, and goes when it is given up. */
static void weak_saved(struct kunit *test)
{
	struct rst_watch w = {};
	struct rs_scan_figures figures;
	struct rs_object *obj;
	u32 i;

	rst_watch_ring(&w, test);
	w.g->heap->save = true;
	figures = rst_collect(w.g);
	KUNIT_EXPECT_EQ(test, figures.saved, RST_WEAK);
	KUNIT_EXPECT_EQ(test, figures.reclaimed, 0);
	KUNIT_EXPECT_EQ(test, rst_collect(w.g).saved, 0);
	KUNIT_EXPECT_EQ(test, rst_weak_alive(&w), RST_WEAK);
	w.g->heap->save = false;
	for (i = 0; i < RST_WEAK; i++) {
		obj = w.weak[i]->block->obj;
		KUNIT_EXPECT_TRUE(test, obj->flags & RS_SAVED);
		KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), 2);
		obj->flags &= ~RS_SAVED;
		rs_put(w.g->heap, obj);
	}
	KUNIT_EXPECT_EQ(test, rst_collect(w.g).reclaimed, RST_WEAK);
	KUNIT_EXPECT_EQ(test, rst_notices(&w), RST_WEAK);
	rst_watch_end(&w);
}

static struct kunit_case weak_cases[] = {
	KUNIT_CASE(weak_upgrade),
	KUNIT_CASE(weak_index_reused),
	KUNIT_CASE(weak_heap_death),
	KUNIT_CASE(weak_release),
	KUNIT_CASE(weak_release_while_dying),
	KUNIT_CASE(weak_told_at_the_end),
	KUNIT_CASE(weak_many),
	KUNIT_CASE(weak_at_each_step),
	KUNIT_CASE(weak_saved),
	{}
};

static struct kunit_suite weak_suite = {
	.name = "refstore_weak",
	.test_cases = weak_cases,
};

kunit_test_suite(weak_suite);
