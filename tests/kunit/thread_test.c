// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads that work on one graph while it is scanned over and over.
 * There is no model: at the end every count must be right, and what can be
 * reached be there. What was freed too early, KASAN sees. On User Mode Linux
 * threads take turns at cond_resched() only; it is with processors of their own
 * that they race.
 */
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "data.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

#define RST_THREADS		4
#define RST_THREAD_HELD		32

struct rst_thread {
	struct rst_graph *g;
	struct task_struct *task;
	struct rnd_state rnd;
	struct rs_object *held[RST_THREAD_HELD];
};

static u32 rst_thread_draw(struct rst_thread *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* What is in the hand goes; what is taken comes there. */
static void rst_thread_take(struct rst_thread *t, struct rs_object *obj)
{
	struct rs_object **hand = &t->held[rst_thread_draw(t,
							   RST_THREAD_HELD)];

	if (*hand)
		rs_put(t->g->heap, *hand);
	*hand = obj;
}

static struct rs_object *rst_thread_find(struct rst_thread *t)
{
	struct rs_heap *heap = t->g->heap;
	struct rs_object *obj;

	spin_lock(&heap->table_lock);
	obj = rs_heap_at(heap, rst_thread_draw(t, heap->table_used + 1));
	if (obj && rs_object_tryget(heap, obj))
		obj = NULL;
	spin_unlock(&heap->table_lock);
	return obj;
}

static struct rs_object *rst_thread_new(struct rst_thread *t)
{
	struct rs_spec spec = {
		.heap = t->g->heap,
		.nr_slots = rst_thread_draw(t, 6),
		.slotted = rst_thread_draw(t, 8),
	};
	struct rs_object *obj;
	int err;

	if (!spec.slotted)
		spec.nr_slots = 0;
	obj = rs_object_create(&spec, NULL, &err);
	if (obj && rs_heap_insert(t->g->heap, obj)) {
		rs_object_free(obj);
		return NULL;
	}
	return obj;
}

static struct rs_object *rst_thread_read(struct rst_thread *t,
					 struct rs_object *from)
{
	struct rs_object *value;

	if (rs_slots_read(t->g->heap, from, rst_thread_draw(t, 6), 1,
			  &value) != 1)
		return NULL;
	return value;
}

static void rst_thread_resize(struct rst_thread *t, struct rs_object *obj)
{
	u32 nr = rst_thread_draw(t, 20) ? rst_thread_draw(t, 6) :
					  rst_thread_draw(t, 600);

	rs_slots_resize(t->g->heap, obj, nr);
}

/* On @obj and @value, both of which are held. */
static void rst_thread_change(struct rst_thread *t, struct rs_object *obj,
			      struct rs_object *value)
{
	struct rs_heap *heap = t->g->heap;
	u32 slot = rst_thread_draw(t, 6);

	switch (rst_thread_draw(t, 8)) {
	case 0:
		rst_thread_take(t, rst_thread_read(t, obj));
		break;
	case 1:
		rst_thread_resize(t, obj);
		break;
	case 2:
		rs_slot_cas(heap, obj, slot, NULL, value);
		break;
	case 3:
		rs_slot_cas(heap, obj, slot, value, NULL);
		break;
	case 4:
		rs_root_set(heap, value);
		break;
	default:
		rs_slot_set(heap, obj, slot, value);
	}
}

static void rst_thread_step(struct rst_thread *t)
{
	struct rs_object *obj = t->held[rst_thread_draw(t, RST_THREAD_HELD)];
	struct rs_object *value = t->held[rst_thread_draw(t, RST_THREAD_HELD)];
	struct rs_object *root;

	if (obj && value && rst_thread_draw(t, 3))
		rst_thread_change(t, obj, value);
	else if (!rst_thread_draw(t, 4))
		rst_thread_take(t, NULL);
	else if (!rst_thread_draw(t, 3))
		rst_thread_take(t, rst_thread_find(t));
	else if (rst_thread_draw(t, 10))
		rst_thread_take(t, rst_thread_new(t));
	else if (!rs_root_get(t->g->heap, &root))
		rst_thread_take(t, root);
}

static int rst_thread_run(void *data)
{
	struct rst_thread *t = data;

	while (!kthread_should_stop()) {
		rst_thread_step(t);
		cond_resched();
	}
	return 0;
}

static void rst_thread_start(struct kunit *test, struct rst_thread *t,
			     struct rst_graph *g, u32 number)
{
	t->g = g;
	prandom_seed_state(&t->rnd, number);
	t->task = kthread_run(rst_thread_run, t, "refstore_test/%u", number);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->task));
}

static void rst_thread_stop(struct rst_thread *t)
{
	u32 i;

	kthread_stop(t->task);
	for (i = 0; i < RST_THREAD_HELD; i++)
		if (t->held[i])
			rst_adopt(t->g, t->held[i]);
}

static void thread_operations(struct kunit *test)
{
	const u32 scans = RST_COUNT(300, 100);
	struct rst_graph *g = rst_graph(test);
	struct rst_thread *t;
	u32 i;

	t = kunit_kcalloc(test, RST_THREADS, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < RST_THREADS; i++)
		rst_thread_start(test, &t[i], g, i);
	for (i = 0; i < scans; i++) {
		rst_collect(g);
		schedule_timeout_uninterruptible(1);
	}
	for (i = 0; i < RST_THREADS; i++)
		rst_thread_stop(&t[i]);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).garbage, 0);
	kunit_info(test, "%llu objects made, %llu reclaimed by %llu scans, %llu aborted\n",
		   g->heap->created, g->heap->figures.reclaimed,
		   g->heap->figures.scans, g->heap->figures.aborted);
	KUNIT_EXPECT_EQ(test, rs_root_set(g->heap, NULL), 0);
	rst_release_all(g);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/* Makes chains that leave work behind when they are dropped, and drops them. */
static int rst_feeder_run(void *data)
{
	struct rs_heap *heap = data;
	struct rs_spec spec = { .heap = heap, .nr_slots = 1, .slotted = true };
	struct rs_object *head, *obj;
	u32 i;
	int err;

	while (!kthread_should_stop()) {
		head = NULL;
		for (i = 0; i < 2 * RS_SLICE; i++) {
			obj = rs_object_create(&spec, NULL, &err);
			if (!obj)
				break;
			rs_slots_fill(obj, 0, head);
			head = obj;
			if (rs_heap_insert(heap, obj))
				break;
		}
		rs_put(heap, head);
		cond_resched();
	}
	return 0;
}

/* Who waits for the backlog does not wait for what others add meanwhile. */
static void thread_backlog(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct task_struct *feeder;
	u32 i;

	feeder = kthread_run(rst_feeder_run, g->heap, "refstore_feeder");
	KUNIT_ASSERT_FALSE(test, IS_ERR(feeder));
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(test, rs_reap_wait(g->heap), 0);
		cond_resched();
	}
	kthread_stop(feeder);
	KUNIT_EXPECT_EQ(test, rs_reap_wait(g->heap), 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static struct kunit_case thread_cases[] = {
	KUNIT_CASE(thread_operations),
	KUNIT_CASE(thread_backlog),
	{}
};

static struct kunit_suite thread_suite = {
	.name = "refstore_thread",
	.test_cases = thread_cases,
};

kunit_test_suite(thread_suite);
