// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of candidates: bit and place change together (rule R1), and one
 * step takes both away and captures the word (R2).
 */
#include <linux/mm.h>
#include <linux/prandom.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "scan.h"

#define RST_QUEUED	1000

/* As scan 7, unless the test has begun another. */
static struct rs_object *rst_take(struct rst_graph *g, u32 pos)
{
	u32 scan = g->heap->scan;
	struct rs_object *obj;

	spin_lock(&g->heap->queue_lock);
	g->heap->scan = scan ? scan : 7;
	obj = rs_candidate_take(g->heap, 0, pos);
	g->heap->scan = scan;
	spin_unlock(&g->heap->queue_lock);
	return obj;
}

static bool rst_is_candidate(const struct rs_object *obj)
{
	return rs_ref_read(&obj->ref) & RS_REF_CANDIDATE;
}

static void candidate_add(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 word = rs_ref_read(&obj->ref);

	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&obj->ref), word | RS_REF_CANDIDATE);
	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 1);
	rst_audit(g);
}

/* A put that leaves an object alive makes it a candidate, before it drops. */
static void candidate_by_put(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *leaf = rst_leaf(g);

	rst_hold(g, obj);
	rst_hold(g, leaf);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	rst_release(g, leaf);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	rst_release(g, obj);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 1);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), 1);
	rst_audit(g);
}

/* What is dead or dying cannot become one. */
static void candidate_not_alive(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 word = rs_ref_read(&obj->ref);

	atomic64_set(&obj->ref.word, word - 1);
	rs_candidate_add(g->heap, obj);
	atomic64_set(&obj->ref.word, word | RS_REF_DEAD);
	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	KUNIT_EXPECT_FALSE(test, rst_is_candidate(obj));
	atomic64_set(&obj->ref.word, word);
}

/* They leave in any order; the queue has no holes. */
static void candidate_remove(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	struct rnd_state rnd;
	u32 i, n;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < RST_QUEUED; i++)
		rs_candidate_add(g->heap, rst_new(g, 0));
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), RST_QUEUED);
	for (n = RST_QUEUED; n; n--) {
		obj = g->held[prandom_u32_state(&rnd) % n];
		rs_candidate_remove(g->heap, obj);
		KUNIT_EXPECT_FALSE(test, rst_is_candidate(obj));
		KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), n - 1);
		rst_release(g, obj);
		if (n % 50 == 0)
			rst_audit(g);
	}
}

/* Bit and place go, the word as it is then is what was captured. */
static void candidate_take(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);

	rst_hold(g, obj);
	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_PTR_EQ(test, rst_take(g, 0), obj);
	KUNIT_EXPECT_FALSE(test, rst_is_candidate(obj));
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	KUNIT_EXPECT_EQ(test, rs_slotted(obj)->capture,
			rs_ref_read(&obj->ref));
	rst_audit(g);
}

/* Downwards, as the scanner does it, everything is taken once. */
static void candidate_take_all(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 i, taken = 0;

	for (i = 0; i < RST_QUEUED; i++)
		rs_candidate_add(g->heap, rst_new(g, 0));
	for (i = RST_QUEUED; i--;)
		taken += !!rst_take(g, i);
	KUNIT_EXPECT_EQ(test, taken, RST_QUEUED);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	rst_audit(g);
}

/* One whose last putter waits for the lock is left to that. */
static void candidate_take_dying(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);

	rs_candidate_add(g->heap, obj);
	atomic64_dec(&obj->ref.word);
	KUNIT_EXPECT_NULL(test, rst_take(g, 0));
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 1);
	KUNIT_EXPECT_TRUE(test, rst_is_candidate(obj));
	atomic64_inc(&obj->ref.word);
	rst_audit(g);
}

/* One that was made during the scan stays for the next (rule R18). */
static void candidate_take_newborn(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;

	g->heap->scan = 7;
	obj = rst_new(g, 1);
	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_NULL(test, rst_take(g, 0));
	KUNIT_EXPECT_TRUE(test, rst_is_candidate(obj));
	g->heap->scan = 8;
	KUNIT_EXPECT_PTR_EQ(test, rst_take(g, 0), obj);
	g->heap->scan = 0;
	rst_audit(g);
}

/* There is room for every object of the heap. */
static void candidate_room(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 i;

	g->variant = RST_CANDIDATES;
	for (i = 0; i < 3000; i++) {
		rst_new(g, 0);
		KUNIT_ASSERT_LE(test, g->heap->slotted,
				g->heap->queue[0].vec.len);
		KUNIT_ASSERT_LE(test, g->heap->slotted, g->heap->work.len);
	}
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 3000);
	rst_audit(g);
}

/* Somebody takes and gives back a reference. */
static void rst_use(struct rst_graph *g, struct rs_object *obj)
{
	rst_hold(g, obj);
	rst_release(g, obj);
}

static u64 rst_collect_age(struct rst_graph *g, u32 age)
{
	struct rs_scan_figures figures;

	KUNIT_EXPECT_EQ(g->test, rs_scan_collect(g->heap, age, &figures), 0);
	return figures.visited;
}

/* A ring that was found alive twice; somebody holds it. */
static struct rs_object *rst_old_ring(struct rst_graph *g, u32 count)
{
	struct rs_object *ring = rst_ring(g, count);
	u32 i;

	for (i = 0; i < 4; i++) {
		rst_use(g, ring);
		rst_collect_age(g, RS_GENERATIONS - 1);
	}
	KUNIT_EXPECT_EQ(g->test, rs_candidate_age(ring), RS_GENERATIONS - 1);
	return ring;
}

/* An old object that is used does not make young scans look at it. */
static void candidate_grows_old(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_old_ring(g, 100);

	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 0);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 0);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 1), 0);
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 2), 100);
	rst_audit(g);
}

/*
 * As long as there is no memory for the queues of old ones, they are in the
 * youngest: not forgotten, but looked at more often.
 */
static void candidate_no_room(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, 100);
	u32 i;

	g->heap->starved = true;
	for (i = 0; i < 5; i++) {
		rst_use(g, ring);
		KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 1);
		rst_audit(g);
		KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 100);
	}
	g->heap->starved = false;
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 100);
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 0);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 0);
	rst_release(g, ring);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* The last reference from outside goes: that is news, whatever its age. */
static void candidate_young_again(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_old_ring(g, 100);

	rst_use(g, ring);
	rst_hold(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 0);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 1);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 100);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/*
 * A reference from a slot of an object that the last scan looked at, too, counts
 * as one inside; so the guess is wrong. Once.
 */
static void candidate_misleads_once(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *owner = rst_old_ring(g, 1), *ring = rst_ring(g, 10);

	rst_give(g, owner, 1, ring);
	while (rs_candidate_age(ring) < RS_GENERATIONS - 1) {
		rst_use(g, ring);
		rst_collect_age(g, 2);
	}
	rst_use(g, owner);
	rst_collect_age(g, 2);
	KUNIT_EXPECT_EQ(test, rs_slotted(ring)->edges, 2);
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 10);
	KUNIT_EXPECT_TRUE(test, rs_candidate_misled(ring));
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 0);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 0);
	rst_audit(g);
	/* Nor after a scan that counted anew */
	rst_use(g, owner);
	rst_collect_age(g, 2);
	KUNIT_EXPECT_EQ(test, rs_slotted(ring)->edges, 2);
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 0);
	rst_link(g, owner, 1, NULL);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 0);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 2), 10);
	rst_audit(g);
}

/* Garbage that only an old candidate leads to waits for its generation. */
static void candidate_waits_for_age(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_old_ring(g, 50);
	struct rs_object *other = rst_slot(g, ring, 0);

	/* One reference more than a scan has seen, in a slot of the ring */
	rst_link(g, rst_slot(g, other, 0), 1, ring);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 1), 0);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 2), 50);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* An old candidate that dies, by count or found from a young one. */
static void candidate_old_dies(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *lone = rst_new(g, 1), *ring = rst_old_ring(g, 5);
	struct rs_object *young = rst_slot(g, ring, 0);
	u32 i;

	for (i = 0; i < 3; i++) {
		rst_use(g, lone);
		rst_collect_age(g, 2);
	}
	rst_hold(g, lone);
	rst_release(g, lone);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	rst_release(g, lone);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);

	rst_link(g, rst_slot(g, young, 0), 1, ring);
	rst_release(g, ring);
	rst_use(g, young);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 5);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
}

/* What a hook puts while the scanner drains: see candidate_not_twice(). */
struct rst_drain {
	struct rs_object *last;
	struct rs_object *first;
};

static void rst_drain_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_drain *drain = g->priv;

	if (step != RS_STEP_PAUSE || !drain->first)
		return;
	rs_put(g->heap, drain->last);
	rs_put(g->heap, drain->first);
	drain->first = NULL;
}

/*
 * What a scan took, and what was put since, it does not take again (R2). More
 * candidates than it drains at a time, the one of a ring behind the others: it
 * is taken first. Before the rest is, a put lets it come back to the end, and
 * the candidate at the beginning dies, whose place it gets.
 */
static void candidate_not_twice(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_drain drain = { .first = rst_new(g, 1) };
	u32 i;

	rst_use(g, drain.first);
	for (i = 0; i < RS_SLICE + 10; i++)
		rst_use(g, rst_new(g, 1));
	drain.last = rst_ring(g, 2);
	rst_use(g, drain.last);
	rst_disown(g, drain.last);
	rst_disown(g, drain.first);
	g->priv = &drain;
	g->hook = rst_drain_hook;
	rst_collect(g);
	g->hook = NULL;
	KUNIT_EXPECT_NULL(test, drain.first);
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 2);
	rst_audit(g);
}

/* What a hook uses, or lets go, when a scan has taken it: see below. */
struct rst_taken {
	struct rs_object *used;
	struct rs_object *released;
};

static void rst_taken_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_taken *taken = g->priv;

	if (step != RS_STEP_DRAINED)
		return;
	if (taken->used)
		rst_use(g, taken->used);
	if (taken->released)
		rst_release(g, taken->released);
	taken->released = NULL;
}

/* A scan in which that happens; returns what it visited. */
static u64 rst_collect_taken(struct rst_graph *g, struct rst_taken *taken,
			     u32 age)
{
	u64 visited;

	g->priv = taken;
	g->hook = rst_taken_hook;
	visited = rst_collect_age(g, age);
	g->hook = NULL;
	return visited;
}

/* What is used in each scan grows old all the same. */
static void candidate_used_in_scans(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_taken taken = { .used = rst_ring(g, 10) };

	rst_use(g, taken.used);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 0), 10);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 1), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 0), 0);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 1), 10);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 2), 10);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 1);
	rst_audit(g);
}

/*
 * And where a guess about it was wrong, that is not made again: its owner, which
 * it refers to, counts as inside.
 */
static void candidate_misled_in_scans(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *owner = rst_new(g, 2);
	struct rst_taken taken = { .used = rst_new(g, 1) };
	u32 i;

	rst_link(g, taken.used, 0, owner);
	rst_give(g, owner, 0, taken.used);
	for (i = 0; i < 3; i++) {
		rst_use(g, taken.used);
		rst_collect_taken(g, &taken, 2);
	}
	KUNIT_EXPECT_TRUE(test, rs_candidate_misled(taken.used));
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 0), 0);
	rst_audit(g);
}

/* Garbage that is saved was not found alive: it is young when it is dropped. */
static void candidate_saved(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *live = rst_ring(g, 3);
	u32 i;

	rst_release(g, rst_ring(g, 10));
	g->heap->save = true;
	for (i = 0; i < 3; i++) {
		/* Beside something alive, or alone */
		if (i)
			rst_use(g, live);
		KUNIT_EXPECT_EQ(test, rst_collect(g).saved, 10);
		KUNIT_EXPECT_EQ(test, rst_drop_saved(g), 10);
		KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 10);
	}
	g->heap->save = false;
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 10);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 3);
}

/*
 * Two references from outside, one of which goes while the scan counts edges,
 * and one thereafter: garbage that the next scan of the youngest finds.
 */
static void candidate_let_go_in_scan(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_taken taken = { .released = rst_old_ring(g, 10) };
	struct rs_object *ring = taken.released;

	rst_hold(g, ring);
	rst_use(g, ring);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 2), 10);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 2), 1);
	rst_release(g, ring);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 10);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* The only one goes while the scan counts: edges did not say so. */
static void candidate_gone_in_scan(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_taken taken = { .released = rst_old_ring(g, 10) };

	rst_use(g, taken.released);
	KUNIT_EXPECT_EQ(test, rst_collect_taken(g, &taken, 2), 10);
	KUNIT_EXPECT_EQ(test, rs_candidates_of(g->heap, 0), 1);
	KUNIT_EXPECT_EQ(test, rst_collect_age(g, 0), 10);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static struct kunit_case candidate_cases[] = {
	KUNIT_CASE(candidate_add),
	KUNIT_CASE(candidate_by_put),
	KUNIT_CASE(candidate_not_alive),
	KUNIT_CASE(candidate_remove),
	KUNIT_CASE(candidate_take),
	KUNIT_CASE(candidate_take_all),
	KUNIT_CASE(candidate_take_dying),
	KUNIT_CASE(candidate_take_newborn),
	KUNIT_CASE(candidate_room),
	KUNIT_CASE(candidate_grows_old),
	KUNIT_CASE(candidate_no_room),
	KUNIT_CASE(candidate_young_again),
	KUNIT_CASE(candidate_misleads_once),
	KUNIT_CASE(candidate_waits_for_age),
	KUNIT_CASE(candidate_old_dies),
	KUNIT_CASE(candidate_not_twice),
	KUNIT_CASE(candidate_used_in_scans),
	KUNIT_CASE(candidate_misled_in_scans),
	KUNIT_CASE(candidate_saved),
	KUNIT_CASE(candidate_let_go_in_scan),
	KUNIT_CASE(candidate_gone_in_scan),
	{}
};

static struct kunit_suite candidate_suite = {
	.name = "refstore_candidate",
	.test_cases = candidate_cases,
};

kunit_test_suite(candidate_suite);
