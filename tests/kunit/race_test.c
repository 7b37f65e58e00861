// SPDX-License-Identifier: GPL-2.0-only
/*
 * A graph that changes while the scanner works on it.
 *
 * The scanner calls a hook between its steps; there the graph is changed as
 * users change it. Whatever was changed, and when: what can be reached stays,
 * every count is right, and a scan that is left alone finds the rest.
 */
#include <linux/sched.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

/**
 * struct rst_scene - a graph, and what happens to it
 * @g: the graph
 * @live: held; its first slots refer to a ring and to @spare, others are empty
 * @spare: held
 * @border: a member of a ring that only our reference keeps alive; held
 * @bush: a tree of many objects; held
 * @dead: a member of a ring that is garbage, and refers to another one that is,
 *        and to @live's ring
 * @below: a member of the former
 * @step: when something happens
 * @change: what
 * @at_border: to whom: to @border, or to @dead
 * @late: only after the suspects were found to have been touched, so that they
 *        are decided in components
 * @touched: that is so
 * @fired: it happened
 * @stops: and the scan has to give up for it
 * @limits: what memory may wait for the scan: of the one that is stopped, and of
 *          the next
 * @queued: candidates when the scan began
 * @reachable: objects that can be reached since
 */
struct rst_scene {
	struct rst_graph *g;
	struct rs_object *live;
	struct rs_object *spare;
	struct rs_object *border;
	struct rs_object *bush;
	struct rst_name dead;
	struct rst_name below;
	enum rs_scan_step step;
	const struct rst_change *change;
	bool at_border;
	bool late;
	bool touched;
	bool fired;
	bool stops;
	u64 limits[2];
	u64 queued;
	u64 reachable;
};

/**
 * struct rst_change - something that users do
 * @name: what
 * @run: does it to @obj, on which it has a reference
 */
struct rst_change {
	const char *name;
	void (*run)(struct rst_scene *scene, struct rs_object *obj);
};

/*
 * Changes.
 */

static void change_read(struct rst_scene *scene, struct rs_object *obj)
{
	rst_read(scene->g, obj, 0);
}

static void change_set(struct rst_scene *scene, struct rs_object *obj)
{
	rst_link(scene->g, obj, 0, scene->spare);
}

static void change_clear(struct rst_scene *scene, struct rs_object *obj)
{
	rst_link(scene->g, obj, 0, NULL);
}

static void change_cas(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;

	KUNIT_EXPECT_EQ(g->test, rs_slot_cas(g->heap, obj, 0,
					     rst_slot(g, obj, 0),
					     scene->live), 0);
}

/* From one slot to another, by way of a handle. */
static void change_move(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;
	struct rs_object *value = rst_read(g, obj, 0);

	rst_link(g, scene->live, 2, value);
	rst_link(g, obj, 0, NULL);
	rst_release(g, value);
}

/* To another place in the same object: nothing has changed, but everything. */
static void change_move_within(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;
	struct rs_object *value = rst_read(g, obj, 0);

	rst_link(g, obj, 0, NULL);
	rst_link(g, obj, 0, value);
	rst_release(g, value);
}

static void change_touch(struct rst_scene *scene, struct rs_object *obj)
{
	rst_hold(scene->g, obj);
	rst_release(scene->g, obj);
}

static void change_hold(struct rst_scene *scene, struct rs_object *obj)
{
	rst_hold(scene->g, obj);
}

static void change_drop_border(struct rst_scene *scene, struct rs_object *obj)
{
	rst_release(scene->g, scene->border);
}

static void change_shrink(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;

	KUNIT_EXPECT_EQ(g->test, rs_slots_resize(g->heap, obj, 0), 0);
}

/* Out of the tail, and then from array to array. */
static void change_grow(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;

	KUNIT_EXPECT_EQ(g->test, rs_slots_resize(g->heap, obj, 300), 0);
	KUNIT_EXPECT_EQ(g->test, rs_slots_resize(g->heap, obj, 20), 0);
}

static void change_create(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;
	struct rs_object *new = rst_new(g, 2);

	rst_link(g, new, 0, obj);
	rst_link(g, obj, 1, new);
	rst_release(g, new);
}

/* What is made during a scan, and in no slot, need not wait for its end. */
static void change_churn(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;
	u64 deferred = g->heap->deferred_bytes;
	struct rs_object *new;
	u32 i;

	for (i = 0; i < 100; i++) {
		new = rst_new(g, 2);
		rst_link(g, new, 0, obj);
		rst_hold(g, new);
		rst_release(g, new);
		rst_release(g, new);
	}
	KUNIT_EXPECT_EQ(g->test, g->heap->deferred_bytes, deferred);
}

/* What was there before the scan waits for its end. */
static void change_fell(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;

	rst_release(g, scene->bush);
	KUNIT_EXPECT_EQ(g->test, rs_reap_wait(g->heap), 0);
	KUNIT_EXPECT_EQ(g->test, !!g->heap->scan, !!g->heap->deferred);
}

static void change_root(struct rst_scene *scene, struct rs_object *obj)
{
	struct rst_graph *g = scene->g;

	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, obj), 0);
}

static const struct rst_change rst_changes[] = {
	{ "a slot is read", change_read },
	{ "a slot is set", change_set },
	{ "a slot is cleared", change_clear },
	{ "a slot is exchanged", change_cas },
	{ "a reference moves", change_move },
	{ "a reference moves back", change_move_within },
	{ "an object is touched", change_touch },
	{ "an object is held", change_hold },
	{ "the last reference is dropped", change_drop_border },
	{ "slots are cut off", change_shrink },
	{ "slots are added", change_grow },
	{ "an object is made", change_create },
	{ "objects come and go", change_churn },
	{ "many objects die", change_fell },
	{ "the root is set", change_root },
};

static const char *const rst_steps[] = {
	[RS_STEP_BEGIN]		= "begin",
	[RS_STEP_DRAINED]	= "drained",
	[RS_STEP_TRACING]	= "tracing",
	[RS_STEP_TRACED]	= "traced",
	[RS_STEP_DEDUCED]	= "deduced",
	[RS_STEP_COUNTED]	= "counted",
	[RS_STEP_SUSPECTED]	= "suspected",
	[RS_STEP_COMMITTED]	= "committed",
	[RS_STEP_DECIDED]	= "decided",
	[RS_STEP_END]		= "end",
};

/*
 * The scene.
 */

static struct rs_object *rst_bush(struct rst_graph *g)
{
	struct rs_object *root = rst_new(g, 20), *obj;
	u32 i;

	for (i = 0; i < 20; i++) {
		obj = rst_new(g, 2);
		rst_give(g, obj, 1, rst_new(g, 0));
		rst_give(g, root, i, obj);
	}
	return root;
}

static void rst_scene_garbage(struct rst_scene *scene)
{
	struct rst_graph *g = scene->g;
	struct rs_object *dead = rst_ring(g, 4), *below = rst_ring(g, 3);
	struct rs_object *leaf = rst_leaf(g), *other = rst_ring(g, 2);

	scene->dead = rst_name(dead);
	scene->below = rst_name(below);
	rst_link(g, dead, 1, below);
	rst_link(g, rst_slot(g, dead, 0), 1, rst_slot(g, scene->live, 0));
	rst_link(g, below, 1, leaf);
	rst_release(g, leaf);
	rst_release(g, dead);
	rst_release(g, below);
	rst_release(g, other);
}

static void rst_scene_init(struct rst_scene *scene, struct kunit *test,
			   u32 variant)
{
	struct rst_graph *g = rst_graph(test);

	g->variant = variant;
	g->priv = scene;
	scene->g = g;
	scene->live = rst_new(g, 4);
	scene->spare = rst_new(g, 1);
	rst_give(g, scene->live, 0, rst_ring(g, 3));
	rst_link(g, scene->live, 1, scene->spare);
	scene->bush = rst_bush(g);
	rst_release(g, rst_ring(g, 2));
	rst_scene_garbage(scene);
	scene->border = rst_ring(g, 3);
	rst_link(g, rst_slot(g, scene->border, 0), 1, scene->spare);
	rst_hold(g, scene->border);
	rst_release(g, scene->border);
}

static void rst_scene_change(struct rst_scene *scene)
{
	struct rst_graph *g = scene->g;
	struct rs_object *obj;

	scene->fired = true;
	if (scene->at_border) {
		scene->change->run(scene, scene->border);
	} else {
		obj = rst_upgrade(g, scene->dead);
		if (!scene->late)
			KUNIT_EXPECT_EQ(g->test, !obj,
					scene->step >= RS_STEP_COMMITTED);
		if (!obj)
			return;
		scene->change->run(scene, obj);
		rst_release(g, obj);
	}
	scene->reachable = rst_reachable(g);
}

/* Somebody has a look at garbage: the suspects are no longer one component. */
static void rst_scene_touch(struct rst_scene *scene)
{
	struct rs_object *obj = rst_upgrade(scene->g, scene->below);

	scene->touched = true;
	KUNIT_EXPECT_NOT_NULL(scene->g->test, obj);
	if (obj)
		rst_release(scene->g, obj);
}

static void rst_scene_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (scene->late && !scene->touched) {
		if (step == RS_STEP_COUNTED)
			rst_scene_touch(scene);
	} else if (step == scene->step && !scene->fired) {
		rst_scene_change(scene);
	}
}

/*
 * After the scan that saw the change; then after one that sees none; and then
 * after everything was given up.
 */
static void rst_scene_check(struct rst_scene *scene)
{
	struct rst_graph *g = scene->g;
	struct kunit *test = g->test;
	struct rst_census census = rst_audit(g);

	KUNIT_EXPECT_EQ(test, census.objects - census.garbage,
			scene->reachable);
	g->hook = NULL;
	rst_collect(g);
	census = rst_audit(g);
	KUNIT_EXPECT_EQ(test, census.garbage, 0);
	KUNIT_EXPECT_EQ(test, census.objects, scene->reachable);
	KUNIT_EXPECT_EQ(test, rs_root_set(g->heap, NULL), 0);
	rst_release_all(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	KUNIT_EXPECT_EQ(test, g->heap->bytes, 0);
}

static void rst_scene_run(struct rst_scene *scene, struct kunit *test,
			  u32 variant)
{
	rst_scene_init(scene, test, variant);
	scene->reachable = rst_reachable(scene->g);
	scene->g->hook = rst_scene_hook;
	rst_collect(scene->g);
	KUNIT_EXPECT_TRUE(test, scene->fired);
	rst_scene_check(scene);
	rst_end(scene->g);
}

#define RST_VARIANTS	8

/*
 * Every change between any two steps, where that is quick; elsewhere each change
 * and each step a few times.
 */
#define RST_STRIDE	RST_COUNT(1, 4)

static const void *race_gen_params(const void *prev, char *desc)
{
	const u32 changes = ARRAY_SIZE(rst_changes);
	unsigned long n = prev ? (unsigned long)prev - 1 + RST_STRIDE : 0;

	BUILD_BUG_ON(ARRAY_SIZE(rst_changes) % 2 == 0);
	if (n >= changes * ARRAY_SIZE(rst_steps))
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s",
		 rst_steps[n / changes], rst_changes[n % changes].name);
	return (void *)(n + 1);
}

static void rst_race(struct kunit *test, bool at_border, bool late)
{
	u32 n = (unsigned long)test->param_value - 1, variant;
	enum rs_scan_step step = n / ARRAY_SIZE(rst_changes);
	/* All variants where that is quick; elsewhere one for each change */
	u32 first = RST_COUNT(0, n % RST_VARIANTS);
	u32 end = RST_COUNT(RST_VARIANTS, first + 1);

	if (late && step < RS_STEP_COUNTED)
		return;
	for (variant = first; variant < end; variant++) {
		struct rst_scene scene = {
			.step = step,
			.change = &rst_changes[n % ARRAY_SIZE(rst_changes)],
			.at_border = at_border,
			.late = late,
		};

		rst_scene_run(&scene, test, variant);
	}
}

static void race_live(struct kunit *test)
{
	rst_race(test, true, false);
	rst_race(test, true, true);
}

static void race_garbage(struct kunit *test)
{
	rst_race(test, false, false);
	rst_race(test, false, true);
}

/*
 * The last session goes, at any moment of a scan: the scan ends, and all is
 * freed.
 */
static const void *step_gen_params(const void *prev, char *desc)
{
	unsigned long n = (unsigned long)prev;

	if (n == ARRAY_SIZE(rst_steps))
		return NULL;
	strscpy(desc, rst_steps[n], KUNIT_PARAM_DESC_SIZE);
	return (void *)(n + 1);
}

static enum rs_scan_step rst_step(struct kunit *test)
{
	return (unsigned long)test->param_value - 1;
}

static void rst_death_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;
	struct rs_heap *heap = g->heap;

	if (!heap || step != scene->step)
		return;
	rst_release(g, scene->bush);
	scene->fired = true;
	g->heap = NULL;
	rs_heap_put(heap);
}

static void race_heap_death(struct kunit *test)
{
	struct rst_scene scene = { .step = rst_step(test) };

	rst_scene_init(&scene, test, 0);
	scene.g->hook = rst_death_hook;
	rst_start_scan(scene.g);
	rst_flush();
	KUNIT_EXPECT_TRUE(test, scene.fired);
}

/*
 * A scan that is asked to stop gives up, says so, and loses nothing: the next
 * one, which a collection runs then, finds what this one has left and may keep
 * twice as much (rules R12, R17).
 */
static void rst_stop_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (step == RS_STEP_BEGIN)
		scene->limits[scene->fired] = g->heap->deferred_limit;
	if (step == scene->step && !scene->fired) {
		scene->fired = true;
		WRITE_ONCE(g->heap->scan_stop, true);
	}
}

/* Live and dead objects, so many that each step takes more than a slice. */
static void rst_scene_extend(struct rst_graph *g)
{
	const u32 count = RST_COUNT(2000, 3 * RS_SLICE / 2);
	struct rs_object *ring = rst_ring(g, count);

	rst_hold(g, ring);
	rst_release(g, ring);
	rst_release(g, rst_ring(g, count));
}

static void race_stop(struct kunit *test)
{
	struct rst_scene scene = { .step = rst_step(test) };
	struct rs_scan_figures figures;

	rst_scene_init(&scene, test, 0);
	rst_scene_extend(scene.g);
	scene.reachable = rst_reachable(scene.g);
	scene.g->hook = rst_stop_hook;
	figures = rst_collect(scene.g);
	KUNIT_EXPECT_TRUE(test, scene.fired);
	/* What is decided is decided */
	if (scene.step <= RS_STEP_COUNTED) {
		KUNIT_EXPECT_EQ(test, figures.scans, 2);
		KUNIT_EXPECT_EQ(test, figures.stopped, 1);
		KUNIT_EXPECT_EQ(test, scene.limits[1], 2 * scene.limits[0]);
	} else {
		KUNIT_EXPECT_EQ(test, figures.scans, 1);
		KUNIT_EXPECT_EQ(test, figures.stopped, 0);
	}
	KUNIT_EXPECT_EQ(test, rst_audit(scene.g).garbage, 0);
	rst_scene_check(&scene);
}

/*
 * A scan that is too old gives up (rule R6). What it has not decided is queued
 * again: all that it had taken, but for what it has seen to be alive by then.
 */
static void rst_old_end(struct rst_scene *scene)
{
	struct rs_heap *heap = scene->g->heap;

	heap->max_scan_ns = 0;
	if (heap->figures.scans != 1 || scene->late)
		return;
	if (scene->step < RS_STEP_DEDUCED)
		KUNIT_EXPECT_EQ(scene->g->test, rs_candidates(heap),
				scene->queued);
	if (scene->step < RS_STEP_COMMITTED)
		KUNIT_EXPECT_EQ(scene->g->test, heap->last_found.reclaimed, 0);
}

static void rst_old_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (step == RS_STEP_BEGIN && !scene->fired)
		scene->queued = rs_candidates(g->heap);
	if (scene->late && !scene->touched) {
		if (step == RS_STEP_COUNTED)
			rst_scene_touch(scene);
	} else if (step == scene->step && !scene->fired) {
		scene->fired = true;
		g->heap->max_scan_ns = 1;
	}
	if (step == RS_STEP_END)
		rst_old_end(scene);
}

/* Whether a scan that is too old at a step has something to decide yet. */
static bool rst_old_stops(const struct rst_scene *scene)
{
	return scene->step < RS_STEP_COMMITTED ||
	       (scene->late && scene->step == RS_STEP_COMMITTED);
}

static void rst_race_old(struct kunit *test, bool late)
{
	struct rst_scene scene = { .step = rst_step(test), .late = late };
	struct rs_scan_figures figures;
	u64 garbage;

	if (late && scene.step < RS_STEP_COUNTED)
		return;
	rst_scene_init(&scene, test, 0);
	rst_scene_extend(scene.g);
	scene.reachable = rst_reachable(scene.g);
	garbage = rst_audit(scene.g).garbage;
	scene.g->hook = rst_old_hook;
	figures = rst_collect(scene.g);
	KUNIT_EXPECT_TRUE(test, scene.fired);
	KUNIT_EXPECT_EQ(test, figures.stopped, rst_old_stops(&scene));
	KUNIT_EXPECT_EQ(test, figures.scans, 1 + figures.stopped);
	if (figures.stopped || !late)
		KUNIT_EXPECT_EQ(test, figures.reclaimed, garbage);
	rst_scene_check(&scene);
}

static void race_too_old(struct kunit *test)
{
	rst_race_old(test, false);
	rst_race_old(test, true);
}

/*
 * Suspects were touched, and there is no memory to search them for components:
 * the scan gives up, and they are queued again. Nobody touches them in the next.
 */
static void race_no_memory(struct kunit *test)
{
	struct rst_scene scene = { .late = true, .fired = true };
	struct rs_scan_figures figures;
	u64 garbage;

	rst_scene_init(&scene, test, 0);
	rst_scene_extend(scene.g);
	scene.reachable = rst_reachable(scene.g);
	garbage = rst_audit(scene.g).garbage;
	scene.g->hook = rst_scene_hook;
	scene.g->heap->starved = true;
	figures = rst_collect(scene.g);
	KUNIT_EXPECT_TRUE(test, scene.touched);
	KUNIT_EXPECT_EQ(test, figures.scans, 2);
	KUNIT_EXPECT_EQ(test, figures.stopped, 1);
	KUNIT_EXPECT_EQ(test, figures.aborted, 1);
	KUNIT_EXPECT_EQ(test, figures.reclaimed, garbage);
	scene.g->heap->starved = false;
	rst_scene_check(&scene);
}

/*
 * Memory that waits for a scan: more than a bound, and the scan gives up. Data is
 * nothing that a scan looks at, and does not wait.
 */
static void rst_flood_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (step != scene->step || scene->fired)
		return;
	scene->fired = true;
	rst_release(g, scene->bush);
	KUNIT_EXPECT_EQ(g->test, rs_reap_wait(g->heap), 0);
	if (scene->stops)
		KUNIT_EXPECT_GT(g->test, g->heap->deferred_bytes, 20U << 20);
	else
		KUNIT_EXPECT_LT(g->test, g->heap->deferred_bytes, 1U << 20);
	KUNIT_EXPECT_EQ(g->test, g->heap->scan_stop, scene->stops);
}

static void rst_flood(struct kunit *test, struct rst_scene *scene)
{
	struct rs_scan_figures figures;

	rst_scene_extend(scene->g);
	scene->reachable = rst_reachable(scene->g) - 1 -
			   rs_slots_nr(scene->bush);
	scene->g->hook = rst_flood_hook;
	figures = rst_collect(scene->g);
	KUNIT_EXPECT_TRUE(test, scene->fired);
	KUNIT_EXPECT_EQ(test, figures.scans, 1 + scene->stops);
	KUNIT_EXPECT_EQ(test, figures.stopped, scene->stops);
	KUNIT_EXPECT_EQ(test, rst_audit(scene->g).garbage, 0);
	rst_scene_check(scene);
}

static void race_flood_of_data(struct kunit *test)
{
	struct rst_scene scene = { .step = RS_STEP_TRACING };
	u32 i;

	rst_scene_init(&scene, test, 0);
	rst_release(scene.g, scene.bush);
	scene.bush = rst_new(scene.g, 500);
	for (i = 0; i < 500; i++)
		rs_slots_fill(scene.bush, i,
			      rst_make(scene.g, 0, RS_MAX_DATA));
	rst_flood(test, &scene);
}

static void race_flood_of_slots(struct kunit *test)
{
	struct rst_scene scene = { .step = RS_STEP_TRACING, .stops = true };
	u32 i;

	rst_scene_init(&scene, test, 0);
	rst_release(scene.g, scene.bush);
	scene.bush = rst_new(scene.g, 3);
	for (i = 0; i < 3; i++)
		rs_slots_fill(scene.bush, i,
			      rst_make(scene.g, RS_MAX_SLOTS, 0));
	rst_flood(test, &scene);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE_PARAM(race_live, race_gen_params),
	KUNIT_CASE_PARAM(race_garbage, race_gen_params),
	KUNIT_CASE_PARAM(race_heap_death, step_gen_params),
	KUNIT_CASE_PARAM(race_stop, step_gen_params),
	KUNIT_CASE_PARAM(race_too_old, step_gen_params),
	KUNIT_CASE(race_no_memory),
	KUNIT_CASE(race_flood_of_data),
	KUNIT_CASE(race_flood_of_slots),
	{}
};

static struct kunit_suite race_suite = {
	.name = "refstore_race",
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
