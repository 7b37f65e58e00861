// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single rules of the scanner's protocol, each in a situation that is made for
 * it: where the rule is broken, the situation goes wrong.
 */
#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

/*
 * Somebody looks at one piece of garbage while it is decided about: that piece
 * may stay for another scan, and what it refers to; the others go. Each piece
 * in turn is the one, wherever it stands on the scanner's list.
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
	obj = rst_upgrade(g, p->name[p->touched]);
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

static void rule_touched_piece_alone_stays(struct kunit *test)
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
 * A row of pieces, each of which refers to the next: those before the one that
 * is touched are garbage still. Returns how many objects these are.
 */
static u32 rst_make_row(struct rst_graph *g, struct rst_pieces *p, bool up)
{
	const u32 nr = ARRAY_SIZE(p->name);
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
	return 3 * (up ? nr - 1 - p->touched : p->touched);
}

static void rst_touch_row(struct kunit *test, struct rst_pieces *p, bool up)
{
	struct rst_graph *g = rst_graph(test);
	u32 before = rst_make_row(g, p, up);

	KUNIT_EXPECT_EQ_MSG(test, rst_collect(g).reclaimed, before,
			    "piece %u at step %u", p->touched, p->step);
	rst_audit(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	rst_end(g);
}

/* The same where garbage is saved. */
static void rst_save_row(struct kunit *test, struct rst_pieces *p, bool up)
{
	struct rst_graph *g = rst_graph(test);
	u32 before = rst_make_row(g, p, up);

	g->heap->save = true;
	KUNIT_EXPECT_EQ_MSG(test, rst_collect(g).saved, before,
			    "piece %u at step %u", p->touched, p->step);
	rst_end(g);
}

static void rst_touch_rows(struct kunit *test,
			   void (*touch)(struct kunit *test,
					 struct rst_pieces *p, bool up))
{
	u32 i;

	for (i = 0; i < 28; i++) {
		struct rst_pieces p = {
			.touched = i / 4,
			.step = i % 2 ? RS_STEP_COUNTED : RS_STEP_SUSPECTED,
		};

		touch(test, &p, i & 2);
	}
}

static void rule_before_the_touched_goes(struct kunit *test)
{
	rst_touch_rows(test, rst_touch_row);
}

static void rule_before_the_touched_is_saved(struct kunit *test)
{
	rst_touch_rows(test, rst_save_row);
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

static void rule_carousel(struct kunit *test)
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

static void rule_newborn_in_a_slot(struct kunit *test)
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

static void rule_replaced_array(struct kunit *test)
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
	u32 i, room = g->heap->queue[0].vec.len;

	if (step == RS_STEP_DRAINED)
		rst_release_all(g);
	if (step != RS_STEP_DECIDED)
		return;
	for (i = 0; i < room; i++)
		rst_new(g, 1);
	for (i = 0; i < room && rs_candidates(g->heap) < room; i++) {
		rst_hold(g, g->held[i]);
		rst_release(g, g->held[i]);
	}
	KUNIT_EXPECT_EQ(g->test, i, room);
}

static void rule_queue_has_room(struct kunit *test)
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

static struct kunit_case rule_cases[] = {
	KUNIT_CASE(rule_touched_piece_alone_stays),
	KUNIT_CASE(rule_before_the_touched_goes),
	KUNIT_CASE(rule_before_the_touched_is_saved),
	KUNIT_CASE(rule_carousel),
	KUNIT_CASE(rule_newborn_in_a_slot),
	KUNIT_CASE(rule_replaced_array),
	KUNIT_CASE(rule_queue_has_room),
	{}
};

static struct kunit_suite rule_suite = {
	.name = "refstore_rule",
	.test_cases = rule_cases,
};

kunit_test_suite(rule_suite);
