// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaiming: what nobody refers to any more goes at once, in bounded slices.
 */
#include <linux/sched.h>

#include "candidate.h"
#include "data.h"
#include "graph.h"
#include "limit.h"
#include "reclaim.h"
#include "slot.h"

#define RST_DEEP	RST_COUNT(1000000, 4000)
#define RST_WIDE	RST_COUNT(200000, 4000)

/* A chain; returns its head, which alone is held. */
static struct rs_object *rst_chain(struct rst_graph *g, u32 count)
{
	struct rs_object *head = NULL, *obj;

	while (count--) {
		obj = rst_new(g, 1);
		if (head)
			rst_give(g, obj, 0, head);
		head = obj;
		if (count % RS_SLICE == 0)
			cond_resched();
	}
	return head;
}

/* One object that refers to @count others, slotted ones and leaves. */
static struct rs_object *rst_star(struct rst_graph *g, u32 count)
{
	struct rs_object *hub = rst_new(g, count), *obj;
	u32 i;

	for (i = 0; i < count; i++) {
		obj = rst_make(g, i % 2 ? U32_MAX : 0, 0);
		rs_slots_fill(hub, i, obj);
		if (i % RS_SLICE == 0)
			cond_resched();
	}
	return hub;
}

/* A tree with 20 branches at each fork; its root is held. */
static struct rs_object *rst_tree(struct rst_graph *g, u32 count)
{
	struct rs_object **node, *root = rst_new(g, 20);
	u32 i;

	node = kvmalloc_array(count, sizeof(*node), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, node);
	node[0] = root;
	for (i = 0; i < count - 1; i++) {
		node[i + 1] = rst_make(g, 20, 0);
		rs_slots_fill(node[i / 20], i % 20, node[i + 1]);
		if (i % RS_SLICE == 0)
			cond_resched();
	}
	kvfree(node);
	return root;
}

/*
 * Keeps the backlog's work from running until rst_backlog_go(), on a machine
 * with more than one processor too.
 */
static void rst_backlog_stop(struct rst_graph *g)
{
	disable_work_sync(&g->heap->reap_work);
}

static void rst_backlog_go(struct rst_graph *g)
{
	enable_work(&g->heap->reap_work);
	spin_lock(&g->heap->backlog_lock);
	if (queue_work(rs_queue, &g->heap->reap_work))
		rs_heap_begin_reap(g->heap);
	spin_unlock(&g->heap->backlog_lock);
}

/* The last put of something large: a slice in the caller, the rest later. */
static void rst_expect_slices(struct rst_graph *g, struct rs_object *obj)
{
	u64 objects = g->heap->objects;

	rst_backlog_stop(g);
	rst_release(g, obj);
	KUNIT_EXPECT_GE(g->test, g->heap->objects, objects - RS_SLICE - 1);
	KUNIT_EXPECT_LT(g->test, g->heap->objects, objects);
	KUNIT_EXPECT_GT(g->test, rs_reap_backlog(g->heap), 0);
	KUNIT_EXPECT_NOT_NULL(g->test, g->heap->backlog);
	rst_backlog_go(g);
	KUNIT_EXPECT_EQ(g->test, rs_reap_wait(g->heap), 0);
	KUNIT_EXPECT_EQ(g->test, g->heap->objects, 0);
	KUNIT_EXPECT_EQ(g->test, rst_audit(g).objects, 0);
}

static void reclaim_chain(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rst_expect_slices(g, rst_chain(g, RST_DEEP));
}

static void reclaim_star(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rst_expect_slices(g, rst_star(g, RST_WIDE));
}

static void reclaim_tree(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rst_expect_slices(g, rst_tree(g, RST_WIDE));
}

/* The budget is one of objects and slots together. */
static void reclaim_budget(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_reap reap = { .heap = g->heap };
	struct rs_object *head = rst_chain(g, 5000);
	u32 calls = 0;
	u64 before;

	rst_disown(g, head);
	rs_reap_put(&reap, head);
	do {
		before = reap.freed;
		calls++;
	} while (!rs_reap_run(&reap, 100) && reap.freed - before <= 100);
	KUNIT_EXPECT_NULL(test, reap.first);
	KUNIT_EXPECT_EQ(test, reap.count, 0);
	KUNIT_EXPECT_EQ(test, reap.freed, 5000);
	KUNIT_EXPECT_GE(test, calls, 100U);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* Several that die while the backlog is not empty; one wait for them all. */
static void reclaim_backlogs(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 i;

	for (i = 0; i < 20; i++)
		rst_chain(g, 2000);
	rst_backlog_stop(g);
	for (i = 0; i < 20; i++)
		rst_release(g, g->held[0]);
	KUNIT_EXPECT_EQ(test, rs_reap_backlog(g->heap), 20);
	rst_backlog_go(g);
	KUNIT_EXPECT_EQ(test, rs_reap_wait(g->heap), 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* A leaf goes with its last reference, wherever that was. */
static void reclaim_leaf(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 2), *leaf = rst_leaf(g);

	rst_link(g, obj, 0, leaf);
	rst_link(g, obj, 1, leaf);
	rst_release(g, leaf);
	rst_link(g, obj, 0, NULL);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 2);
	rst_link(g, obj, 1, NULL);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 1);
	rst_release(g, obj);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* What is referred to twice dies with the second reference only. */
static void reclaim_shared(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *top = rst_new(g, 2), *left = rst_new(g, 1);
	struct rs_object *right = rst_new(g, 1), *bottom = rst_new(g, 0);

	rst_link(g, top, 0, left);
	rst_link(g, top, 1, right);
	rst_link(g, left, 0, bottom);
	rst_link(g, right, 0, bottom);
	rst_release(g, left);
	rst_release(g, bottom);
	rst_release(g, top);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 2);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&bottom->ref), 1);
	rst_release(g, right);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* The last put takes a candidate out of the queue (rule R1). */
static void reclaim_candidate(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *other = rst_new(g, 1);

	rst_hold(g, obj);
	rst_release(g, obj);
	rst_hold(g, other);
	rst_release(g, other);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 2);
	rst_release(g, obj);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 1);
	rst_release(g, other);
	KUNIT_EXPECT_EQ(test, rs_candidates(g->heap), 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* With the object its quota is back, before its memory and its slots'. */
static void reclaim_quota(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_make(g, 5000, 60000);
	struct rs_type *type = &g->heap->types.type[REFSTORE_TYPE_LIST];

	KUNIT_EXPECT_GT(test, g->heap->bytes, 100000);
	KUNIT_EXPECT_EQ(test, type->objects, 1);
	rs_put(g->heap, obj);
	KUNIT_EXPECT_EQ(test, g->heap->bytes, 0);
	KUNIT_EXPECT_EQ(test, type->objects, 0);
	KUNIT_EXPECT_EQ(test, type->bytes, 0);
	rst_audit(g);
}

/* Makes a large leaf; the error if that does not work. */
static int rst_try_leaf(struct rst_graph *g)
{
	struct rs_spec spec = { .heap = g->heap, .data_len = RS_MAX_DATA };
	struct rs_object *obj;
	int err;

	obj = rs_object_create(&spec, NULL, &err);
	if (!obj)
		return err;
	err = rs_heap_insert(g->heap, obj);
	if (err)
		rs_object_free(obj);
	else
		rst_adopt(g, obj);
	return err;
}

/* Who would get EDQUOT waits for the backlog first, and then there is room. */
static void reclaim_before_edquot(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_heap *heap = g->heap;
	u64 room;

	rst_chain(g, 10000);
	room = rs_heap_max(heap, RS_BYTES) - heap->bytes;
	heap->bytes += room;
	KUNIT_EXPECT_EQ(test, rst_try_leaf(g),
			rs_refusal(REFSTORE_LIMIT_HEAP_BYTES));
	rst_release_all(g);
	KUNIT_EXPECT_EQ(test, rst_try_leaf(g), 0);
	KUNIT_EXPECT_EQ(test, heap->objects, 1);
	KUNIT_EXPECT_EQ(test, rs_reap_backlog(heap), 0);
	heap->bytes -= room;
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
}

/* The same for slots that grow. */
static void reclaim_before_edquot_of_slots(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_heap *heap = g->heap;
	struct rs_object *obj = rst_new(g, 1);
	u64 room;

	rst_chain(g, 10000);
	room = rs_heap_max(heap, RS_BYTES) - heap->bytes;
	heap->bytes += room;
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, obj, 10000),
			rs_refusal(REFSTORE_LIMIT_HEAP_BYTES));
	rst_release(g, g->held[1]);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, obj, 10000), 0);
	KUNIT_EXPECT_EQ(test, heap->objects, 1);
	heap->bytes -= room;
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
}

/* A heap that ends takes its backlog along. */
static void reclaim_heap_death(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rst_chain(g, 20000);
	rst_ring(g, 1000);
	rst_star(g, 1000);
	rst_release(g, g->held[0]);
	rst_end(g);
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(reclaim_chain),
	KUNIT_CASE(reclaim_star),
	KUNIT_CASE(reclaim_tree),
	KUNIT_CASE(reclaim_budget),
	KUNIT_CASE(reclaim_backlogs),
	KUNIT_CASE(reclaim_leaf),
	KUNIT_CASE(reclaim_shared),
	KUNIT_CASE(reclaim_candidate),
	KUNIT_CASE(reclaim_quota),
	KUNIT_CASE(reclaim_before_edquot),
	KUNIT_CASE(reclaim_before_edquot_of_slots),
	KUNIT_CASE(reclaim_heap_death),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "refstore_reclaim",
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);
