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

/* An object that the test knows by name, and need not hold. */
struct rst_name {
	u32 index;
	u64 id;
};

/**
 * struct rst_scene - a graph, and what happens to it
 * @g: the graph
 * @live: held; its first slots refer to a ring and to @spare, others are empty
 * @spare: held
 * @border: a member of a ring that only our reference keeps alive; held
 * @bush: a tree of many objects; held
 * @dead: a member of a ring that is garbage, and refers to a ring of garbage and
 *        to @live's ring
 * @below: a member of the former
 * @step: when something happens
 * @change: what
 * @at_border: to whom: to @border, or to @dead
 * @late: only after the suspects were found to have been touched, so that they
 *        are decided in components
 * @touched: that is so
 * @fired: it happened
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

static struct rst_name rst_name(const struct rs_object *obj)
{
	return (struct rst_name) { .index = obj->index, .id = obj->id };
}

static struct rs_object *rst_find(struct rst_graph *g, struct rst_name name)
{
	return rst_upgrade(g, name.index, name.id);
}

/* A reference from a slot to one that the test holds, until the scan is over. */
static struct rs_object *rst_read(struct rst_graph *g, struct rs_object *obj,
				  u32 index)
{
	struct rs_object *value;

	KUNIT_EXPECT_EQ(g->test, rs_slots_read(g->heap, obj, index, 1, &value),
			1);
	if (value)
		rst_adopt(g, value);
	return value;
}

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
		obj = rst_find(g, scene->dead);
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
	struct rs_object *obj = rst_find(scene->g, scene->below);

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

/* Every change between any two steps. */
static const void *race_gen_params(const void *prev, char *desc)
{
	const u32 changes = ARRAY_SIZE(rst_changes);
	unsigned long n = (unsigned long)prev;

	if (n == changes * ARRAY_SIZE(rst_steps))
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s",
		 rst_steps[n / changes], rst_changes[n % changes].name);
	return (void *)(n + 1);
}

static void rst_race(struct kunit *test, bool at_border, bool late)
{
	u32 n = (unsigned long)test->param_value - 1, variant;
	enum rs_scan_step step = n / ARRAY_SIZE(rst_changes);

	if (late && step < RS_STEP_COUNTED)
		return;
	for (variant = 0; variant < 8; variant++) {
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
	mod_delayed_work(rs_queue, &scene.g->heap->scan_work, 0);
	flush_workqueue(rs_queue);
	KUNIT_EXPECT_TRUE(test, scene.fired);
	flush_workqueue(rs_queue);
}

/*
 * A scan that is asked to stop gives up, says so, and loses nothing: the next
 * one finds what this one has left (rules R12, R17).
 */
static void rst_stop_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (step == scene->step && !scene->fired) {
		scene->fired = true;
		WRITE_ONCE(g->heap->scan_stop, true);
	}
}

static void race_stop(struct kunit *test)
{
	struct rst_scene scene = { .step = rst_step(test) };
	struct rs_scan_figures figures;
	u64 limit;

	rst_scene_init(&scene, test, 0);
	scene.reachable = rst_reachable(scene.g);
	scene.g->hook = rst_stop_hook;
	figures = rst_collect(scene.g);
	limit = scene.g->heap->deferred_limit;
	KUNIT_EXPECT_TRUE(test, scene.fired);
	/* Decided garbage is decided; a scan that gave up took nothing */
	if (scene.step <= RS_STEP_COUNTED) {
		KUNIT_EXPECT_EQ(test, figures.reclaimed, 0);
		KUNIT_EXPECT_EQ(test, figures.stopped, 1);
		KUNIT_EXPECT_GE(test, limit, 32U << 20);
	} else {
		KUNIT_EXPECT_EQ(test, figures.stopped, 0);
	}
	rst_scene_check(&scene);
}

/* Memory that waits for a scan: more than a bound, and the scan gives up. */
static void rst_flood_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_scene *scene = g->priv;

	if (step != scene->step || scene->fired)
		return;
	scene->fired = true;
	rst_release(g, scene->bush);
	KUNIT_EXPECT_EQ(g->test, rs_reap_wait(g->heap), 0);
	KUNIT_EXPECT_GT(g->test, g->heap->deferred_bytes, 20U << 20);
	KUNIT_EXPECT_TRUE(g->test, g->heap->scan_stop);
}

static void rst_flood(struct kunit *test, struct rst_scene *scene)
{
	struct rs_scan_figures figures;

	scene->reachable = rst_reachable(scene->g) - 1 -
			   rs_slots_nr(scene->bush);
	scene->g->hook = rst_flood_hook;
	figures = rst_collect(scene->g);
	KUNIT_EXPECT_TRUE(test, scene->fired);
	KUNIT_EXPECT_EQ(test, figures.stopped, 1);
	KUNIT_EXPECT_EQ(test, figures.reclaimed, 0);
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
	struct rst_scene scene = { .step = RS_STEP_TRACING };
	u32 i;

	rst_scene_init(&scene, test, 0);
	rst_release(scene.g, scene.bush);
	scene.bush = rst_new(scene.g, 5);
	for (i = 0; i < 5; i++)
		rs_slots_fill(scene.bush, i,
			      rst_make(scene.g, RS_MAX_SLOTS, 0));
	rst_flood(test, &scene);
}

/*
 * Somebody looks at one piece of garbage while it is decided about: that piece
 * may stay for another scan, and what it refers to; the others go. Each piece in
 * turn is the one, wherever it stands on the scanner's list.
 */
struct rst_pieces {
	struct rst_name name[7];
	u32 touched;
	enum rs_scan_step step;
	bool fired;
};

static void rst_pieces_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_pieces *p = g->priv;
	struct rs_object *obj;

	if (step != p->step || p->fired)
		return;
	p->fired = true;
	obj = rst_find(g, p->name[p->touched]);
	KUNIT_EXPECT_NOT_NULL(g->test, obj);
	if (obj)
		rst_release(g, obj);
}

static void rst_touch_piece(struct kunit *test, struct rst_pieces *p)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(p->name); i++) {
		ring = rst_ring(g, 3);
		p->name[i] = rst_name(ring);
		rst_release(g, ring);
	}
	g->priv = p;
	g->hook = rst_pieces_hook;
	KUNIT_EXPECT_EQ_MSG(test, rst_collect(g).reclaimed, 18,
			    "piece %u at step %u", p->touched, p->step);
	KUNIT_EXPECT_TRUE(test, p->fired);
	rst_audit(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	rst_end(g);
}

static void race_touched_piece_alone_stays(struct kunit *test)
{
	u32 i;

	for (i = 0; i < 14; i++) {
		struct rst_pieces p = {
			.touched = i / 2,
			.step = i % 2 ? RS_STEP_COUNTED : RS_STEP_SUSPECTED,
		};

		rst_touch_piece(test, &p);
	}
}

/*
 * The same where pieces refer to the next: those before the one that is touched
 * go, those behind it stay.
 */
static void rst_touch_row(struct kunit *test, struct rst_pieces *p, bool up)
{
	const u32 nr = ARRAY_SIZE(p->name);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring[ARRAY_SIZE(p->name)];
	u32 i;

	for (i = 0; i < nr; i++) {
		ring[i] = rst_ring(g, 3);
		p->name[i] = rst_name(ring[i]);
	}
	for (i = 1; i < nr; i++)
		rst_link(g, ring[up ? i : i - 1], 1, ring[up ? i - 1 : i]);
	for (i = 0; i < nr; i++)
		rst_release(g, ring[i]);
	g->priv = p;
	g->hook = rst_pieces_hook;
	i = up ? nr - 1 - p->touched : p->touched;
	KUNIT_EXPECT_EQ_MSG(test, rst_collect(g).reclaimed, 3 * i,
			    "piece %u at step %u", p->touched, p->step);
	rst_audit(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	rst_end(g);
}

static void race_before_the_touched_goes(struct kunit *test)
{
	u32 i;

	for (i = 0; i < 28; i++) {
		struct rst_pieces p = {
			.touched = i / 4,
			.step = i % 2 ? RS_STEP_COUNTED : RS_STEP_SUSPECTED,
		};

		rst_touch_row(test, &p, i & 2);
	}
}

/*
 * A reference that goes around: whenever the scanner looks at an object its
 * holder has another, and each is captured, and found again later, with the
 * references from slots alone. Only the version tells (rules R3, R4).
 *
 *   top -> 300 others, x; x -> p; p -> x; all candidates but for top late ones
 *
 * The test holds p until the scanner has captured x, then x until it has
 * captured p and counted the edges, then p again, whose edge from x it drops.
 */
struct rst_carousel {
	struct rs_object *x;
	struct rs_object *p;
	u32 tracing;
};

static void rst_carousel_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_carousel *c = g->priv;

	if (step == RS_STEP_DRAINED) {
		rst_read(g, c->p, 0);
		rst_release(g, c->x);
		rst_hold(g, c->p);
		rst_release(g, c->p);
	} else if (step == RS_STEP_TRACING && ++c->tracing == 2) {
		rst_read(g, c->p, 0);
		rst_release(g, c->p);
	} else if (step == RS_STEP_COUNTED && c->tracing == 2) {
		c->tracing = 3;
		rst_read(g, c->x, 0);
		rst_link(g, c->x, 0, NULL);
		rst_release(g, c->x);
	}
}

static void race_carousel(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *top = rst_new(g, 302);
	struct rst_carousel c = { .x = rst_new(g, 1), .p = rst_new(g, 1) };
	u32 i;

	for (i = 0; i < 300; i++)
		rs_slots_fill(top, i, rst_make(g, 0, 0));
	rst_link(g, c.p, 0, c.x);
	rst_link(g, c.x, 0, c.p);
	rst_give(g, top, 300, c.x);
	rst_link(g, top, 301, top);
	rst_release(g, top);
	g->priv = &c;
	g->hook = rst_carousel_hook;
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, c.tracing, 3);
	KUNIT_ASSERT_EQ(test, g->nr_held, 1);
	KUNIT_EXPECT_PTR_EQ(test, g->held[0], c.p);
	rst_audit(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 2);
}

/*
 * An object that was made during a scan loses, with its first slot, the
 * privilege that its memory does not wait (rule R18).
 */
static void rst_birth_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rs_object *live = g->priv, *new;

	if (step != RS_STEP_TRACED)
		return;
	new = rst_new(g, 1);
	KUNIT_EXPECT_EQ(g->test, rs_slotted(new)->epoch,
			rs_scan_birth(g->heap));
	rst_link(g, live, 0, new);
	rst_link(g, live, 0, NULL);
	rst_release(g, new);
	KUNIT_EXPECT_PTR_EQ(g->test, g->heap->deferred, new);
}

static void race_newborn_in_a_slot(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	g->priv = rst_new(g, 1);
	g->hook = rst_birth_hook;
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
}

/*
 * An array that is replaced during a scan stays a while, for the scanner may be
 * reading it: a grace period does not pass before we look.
 */
static void rst_array_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rs_object *obj = g->priv;
	struct rs_slots *old = rs_slots_array(rs_slotted(obj));

	if (step != RS_STEP_TRACED)
		return;
	KUNIT_EXPECT_EQ(g->test, rs_slots_resize(g->heap, obj, 50), 0);
	KUNIT_EXPECT_EQ(g->test, READ_ONCE(old->nr), 40);
	KUNIT_EXPECT_EQ(g->test, READ_ONCE(old->slot[39]), 0);
}

static void race_replaced_array(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	g->priv = rst_new(g, 40);
	g->hook = rst_array_hook;
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
}

/*
 * Candidates that are condemned leave the queue before others may take their
 * place: the queue has room for the objects that are in the table.
 */
static void rst_queue_hook(struct rst_graph *g, enum rs_scan_step step)
{
	u32 i, room = g->heap->queue.len;

	if (step == RS_STEP_DRAINED)
		rst_release_all(g);
	if (step != RS_STEP_DECIDED)
		return;
	for (i = 0; i < room; i++)
		rst_new(g, 1);
	for (i = 0; i < room && g->heap->queue_len < room; i++) {
		rst_hold(g, g->held[i]);
		rst_release(g, g->held[i]);
	}
	KUNIT_EXPECT_EQ(g->test, i, room);
}

static void race_queue_has_room(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *first = rst_ring(g, 500), *obj = first;

	while ((obj = rst_slot(g, obj, 0)) != first)
		rst_hold(g, obj);
	rst_release(g, first);
	g->hook = rst_queue_hook;
	rst_collect(g);
	g->hook = NULL;
	rst_audit(g);
	rst_release_all(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE_PARAM(race_live, race_gen_params),
	KUNIT_CASE_PARAM(race_garbage, race_gen_params),
	KUNIT_CASE_PARAM(race_heap_death, step_gen_params),
	KUNIT_CASE_PARAM(race_stop, step_gen_params),
	KUNIT_CASE(race_flood_of_data),
	KUNIT_CASE(race_flood_of_slots),
	KUNIT_CASE(race_touched_piece_alone_stays),
	KUNIT_CASE(race_before_the_touched_goes),
	KUNIT_CASE(race_carousel),
	KUNIT_CASE(race_newborn_in_a_slot),
	KUNIT_CASE(race_replaced_array),
	KUNIT_CASE(race_queue_has_room),
	{}
};

static struct kunit_suite race_suite = {
	.name = "refstore_race",
	.test_cases = race_cases,
};
kunit_test_suite(race_suite);
