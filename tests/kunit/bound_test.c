// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounds: whatever the heap looks like, the scanner pauses after a bounded
 * number of steps, and holds no lock then: at each pause we do what users do,
 * in the scanner's own thread, which would wait for itself for ever. And
 * whatever users do, each scan ends, and does its work elsewhere.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "candidate.h"
#include "event.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"
#include "weak.h"

/* In a step it looks at its list once, and some times more to fetch ahead. */
#define RST_TOUCHES	(16 * RS_SLICE)

/* Each component begins with pauses; of so many we use some only. */
#define RST_PAUSES	20000
#define RST_PAUSE_STEP	64

#define RST_SMALL	5
#define RST_PATIENCE	(60 * HZ)

#define RST_RING	RST_COUNT(20000, 1500)
#define RST_LOOPS	RST_COUNT(15000, 800)
#define RST_CLIQUE	RST_COUNT(200, 50)
#define RST_SLOTS	RST_COUNT(100000, 4000)
#define RST_LONG_CHAIN	RST_COUNT(150000, 2000)
#define RST_MANY_LOOPS	RST_COUNT(150000, 2000)
#define RST_WATCHED	RST_COUNT(15000, 800)

/* What happens to a shape. */
#define RST_LIVE	BIT(0)	/* it is held */
#define RST_TOUCH_ONE	BIT(1)	/* somebody looks at one of it during the scan */
#define RST_TOUCH_HEAD	BIT(2)	/* at the one that was held before */
#define RST_SAVE	BIT(3)	/* it is saved */
#define RST_WATCH	BIT(4)	/* each of it has a weak reference with a notice */

#define RST_TOUCH	(RST_TOUCH_ONE | RST_TOUCH_HEAD)

/*
 * Shapes. Each returns an object that alone is held.
 */

/* Each is a component. */
static struct rs_object *rst_loops(struct rst_graph *g, u32 count)
{
	struct rs_object *obj = NULL;

	while (count--) {
		if (obj)
			rst_release(g, obj);
		obj = rst_new(g, 2);
		rst_link(g, obj, 0, obj);
		if (count % RS_SLICE == 0)
			cond_resched();
	}
	return obj;
}

/* So is each of these; the head refers to itself too. */
static struct rs_object *rst_chain(struct rst_graph *g, u32 count)
{
	struct rs_object *head = rst_new(g, 1), *obj;

	while (--count) {
		obj = rst_new(g, 2);
		rst_give(g, obj, 0, head);
		head = obj;
		if (count % RS_SLICE == 0)
			cond_resched();
	}
	rst_link(g, head, 1, head);
	return head;
}

/* Everybody refers to everybody. */
static struct rs_object *rst_clique(struct rst_graph *g, u32 count)
{
	struct rs_object **obj = g->held + g->nr_held;
	u32 i, j;

	for (i = 0; i < count; i++)
		rst_new(g, count);
	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++)
			rst_link(g, obj[i], j, obj[j]);
	while (--i)
		rst_release(g, obj[i]);
	return obj[0];
}

/* One with many slots, half of them its own. */
static struct rs_object *rst_star(struct rst_graph *g, u32 count)
{
	struct rs_object *obj = rst_new(g, count);
	u32 i;

	for (i = 0; i < count; i++)
		rst_link(g, obj, i, i % 2 ? obj : NULL);
	return obj;
}

/**
 * struct rst_bound - a shape, and what happens to it
 * @name: what it is called
 * @build: builds it
 * @count: how large
 * @mode: what happens: RST_LIVE and so on
 * @steps: how many a scan of it takes, at least
 */
struct rst_bound {
	const char *name;
	struct rs_object *(*build)(struct rst_graph *g, u32 count);
	u32 count;
	u32 mode;
	u32 steps;
};

static const struct rst_bound rst_bounds[] = {
	{ "dead ring", rst_ring, RST_RING, 0, 3 * RST_RING },
	{ "live ring", rst_ring, RST_RING, RST_LIVE, RST_RING },
	{ "touched ring", rst_ring, RST_RING, RST_TOUCH_ONE, 5 * RST_RING },
	{ "saved ring", rst_ring, RST_RING, RST_SAVE, 3 * RST_RING },
	{ "watched ring", rst_ring, RST_WATCHED, RST_WATCH, 3 * RST_WATCHED },
	{ "loops", rst_loops, RST_LOOPS, 0, 3 * RST_LOOPS },
	{ "saved loops", rst_loops, RST_LOOPS, RST_SAVE, 3 * RST_LOOPS },
	{ "touched loops, saved", rst_loops, RST_LOOPS,
	  RST_TOUCH_ONE | RST_SAVE, 5 * RST_LOOPS },
	{ "touched loops, watched", rst_loops, RST_WATCHED,
	  RST_TOUCH_ONE | RST_WATCH, 5 * RST_WATCHED },
	{ "many touched loops", rst_loops, RST_MANY_LOOPS, RST_TOUCH_ONE,
	  5 * RST_MANY_LOOPS },
	{ "chain", rst_chain, RST_RING, 0, 3 * RST_RING },
	{ "chain with a touched head", rst_chain, RST_LOOPS, RST_TOUCH_HEAD,
	  5 * RST_LOOPS },
	{ "long touched chain", rst_chain, RST_LONG_CHAIN, RST_TOUCH_ONE,
	  5 * RST_LONG_CHAIN },
	{ "clique", rst_clique, RST_CLIQUE, 0, RST_CLIQUE * RST_CLIQUE },
	{ "touched clique", rst_clique, RST_CLIQUE, RST_TOUCH_ONE,
	  3 * RST_CLIQUE * RST_CLIQUE },
	{ "slots", rst_star, RST_SLOTS, 0, RST_SLOTS },
	{ "touched slots", rst_star, RST_SLOTS, RST_TOUCH_ONE, 3 * RST_SLOTS },
};

KUNIT_ARRAY_PARAM_DESC(rst_bound, rst_bounds, name);

/**
 * struct rst_pauses - what was done and seen while a shape was scanned
 * @shape: the shape
 * @size: objects of it
 * @member: one of them, to be touched
 * @watch: weak references to each of them
 * @events: where their notices go
 * @parent: an object that is used at each pause
 * @weak: a weak reference to it
 * @pauses: how many there were
 * @most: looks at the scanner's list between two of them, at most
 * @counted: components whose edges were counted
 */
struct rst_pauses {
	const struct rst_bound *shape;
	u32 size;
	struct rst_name member;
	struct rs_weak **watch;
	struct rs_events events;
	struct rs_object *parent;
	struct rs_weak *weak;
	u32 pauses;
	u32 most;
	u32 counted;
};

static void rst_pauses_use(struct rst_graph *g, struct rst_pauses *p)
{
	struct rs_object *obj = rst_make(g, 1, 0), *child, *parent;

	KUNIT_EXPECT_EQ(g->test, rs_slot_set(g->heap, p->parent, 0, obj), 0);
	KUNIT_EXPECT_EQ(g->test, rs_slots_read(g->heap, p->parent, 0, 1,
					       &child), 1);
	rs_put(g->heap, child);
	rs_put(g->heap, obj);
	KUNIT_EXPECT_EQ(g->test, rs_weak_upgrade(g->heap, p->weak, &parent), 0);
	rs_put(g->heap, parent);
	KUNIT_EXPECT_EQ(g->test, rs_root_set(g->heap, p->parent), 0);
}

/* Somebody finds it in an enumeration, and takes no interest. */
static void rst_touch(struct rst_graph *g, struct rst_name name)
{
	struct rs_object *obj = rst_upgrade(g, name);

	KUNIT_EXPECT_NOT_NULL(g->test, obj);
	if (obj)
		rst_release(g, obj);
}

static void rst_pauses_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_pauses *p = g->priv;

	/* All suspects at once come first; touched, they are components then */
	if (step == RS_STEP_COUNTED && !p->counted++ &&
	    p->shape->mode & RST_TOUCH)
		rst_touch(g, p->member);
	if (step != RS_STEP_PAUSE)
		return;
	p->most = max(p->most, g->heap->touched);
	g->heap->touched = 0;
	if (p->pauses++ < RST_PAUSES || p->pauses % RST_PAUSE_STEP == 0)
		rst_pauses_use(g, p);
}

static void rst_watch(struct rst_graph *g, struct rst_pauses *p, u32 i,
		      struct rs_object *obj)
{
	p->watch[i] = rs_weak_create(&g->heap->payer, g->heap, obj);
	KUNIT_ASSERT_FALSE(g->test, IS_ERR(p->watch[i]));
	rs_weak_watch(p->watch[i], &p->events, i);
	rs_weak_arm(g->heap, p->watch[i]);
}

/* A weak reference to each, which are all that is in the heap. */
static void rst_watch_all(struct rst_graph *g, struct rst_pauses *p)
{
	struct rs_object *obj;
	u32 i, n = 0;

	p->watch = kvcalloc(p->size, sizeof(p->watch[0]), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, p->watch);
	rs_events_init(&p->events);
	for (i = 0; i < g->heap->table_used; i++) {
		obj = rst_at(g->heap, i);
		if (obj)
			rst_watch(g, p, n++, obj);
	}
}

static void rst_watch_end(struct rst_graph *g, struct rst_pauses *p)
{
	u32 i;

	KUNIT_EXPECT_EQ(g->test, p->events.last, p->size);
	for (i = 0; i < p->size; i++)
		rs_weak_release(g->heap, p->watch[i]);
	KUNIT_EXPECT_TRUE(g->test, rs_events_discard(&p->events, U32_MAX));
	kvfree(p->watch);
}

/* Any object, about the middle of the table. */
static struct rs_object *rst_middle(struct rst_graph *g)
{
	u32 i = g->heap->table_used / 2;
	struct rs_object *obj;

	do
		obj = rst_at(g->heap, i++);
	while (!obj);
	return obj;
}

static void rst_pauses_begin(struct rst_graph *g, struct rst_pauses *p)
{
	const struct rst_bound *shape = p->shape;
	struct rs_object *obj = shape->build(g, shape->count);

	g->priv = p;
	p->size = g->heap->objects;
	p->member = rst_name(shape->mode & RST_TOUCH_HEAD ? obj :
			     rst_middle(g));
	if (shape->mode & RST_WATCH)
		rst_watch_all(g, p);
	if (shape->mode & RST_LIVE)
		rst_hold(g, obj);
	rst_release(g, obj);
	g->heap->save = shape->mode & RST_SAVE;
	p->parent = rst_new(g, 1);
	p->weak = rs_weak_create(&g->heap->payer, g->heap, p->parent);
	KUNIT_ASSERT_FALSE(g->test, IS_ERR(p->weak));
}

/* All is given up, and one scan takes all that the bounded one left. */
static void rst_pauses_end(struct rst_graph *g, struct rst_pauses *p)
{
	rs_weak_release(g->heap, p->weak);
	rs_root_set(g->heap, NULL);
	rst_release_all(g);
	KUNIT_EXPECT_EQ(g->test, rst_collect(g).aborted, 0);
	KUNIT_EXPECT_EQ(g->test, rst_audit(g).objects, 0);
	if (p->watch)
		rst_watch_end(g, p);
	rst_end(g);
}

static void rst_pauses_expect(struct rst_graph *g, struct rst_pauses *p,
			      const struct rs_scan_figures *figures)
{
	const struct rst_bound *shape = p->shape;
	bool touched = shape->mode & RST_TOUCH;

	KUNIT_EXPECT_GE(g->test, p->pauses, shape->steps / RS_SLICE / 2);
	KUNIT_EXPECT_LE(g->test, p->most, RST_TOUCHES);
	KUNIT_EXPECT_EQ(g->test, figures->scans, 1);
	KUNIT_EXPECT_EQ(g->test, figures->stopped, 0);
	KUNIT_EXPECT_EQ(g->test, figures->aborted > 0, touched);
	/* More than the first time, when all were one: they were searched */
	KUNIT_EXPECT_EQ(g->test, p->counted > 1, touched);
	KUNIT_EXPECT_EQ(g->test, figures->saved > 0, !!g->heap->save);
	if (g->heap->save)
		KUNIT_EXPECT_EQ(g->test, figures->reclaimed, 0);
}

static void bound_pauses(struct kunit *test)
{
	struct rst_pauses p = { .shape = test->param_value };
	struct rst_graph *g = rst_graph(test);
	struct rs_scan_figures figures;

	rst_pauses_begin(g, &p);
	g->heap->touched = 0;
	g->hook = rst_pauses_hook;
	figures = rst_collect(g);
	g->hook = NULL;
	rst_pauses_expect(g, &p, &figures);
	if (g->heap->save)
		KUNIT_EXPECT_EQ(test, rst_drop_saved(g), figures.saved);
	g->heap->save = false;
	rst_pauses_end(g, &p);
}

/*
 * A component that looks dead and is touched in every scan, for ever.
 */

#define RST_BUSY	10

/**
 * struct rst_busy - what is touched in every scan
 * @name: an object
 * @step: whenever a scan comes here
 * @touched: so often it was
 */
struct rst_busy {
	struct rst_name name;
	enum rs_scan_step step;
	u32 touched;
};

static void rst_busy_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_busy *busy = g->priv;

	if (step != busy->step)
		return;
	busy->touched++;
	rst_touch(g, busy->name);
}

/* Others that have nothing to do with it, and some that refer to it. */
static void rst_busy_garbage(struct rst_graph *g, struct rst_busy *busy)
{
	struct rs_object *ring = rst_ring(g, 5);
	struct rs_object *obj = rst_upgrade(g, busy->name);

	KUNIT_ASSERT_NOT_NULL(g->test, obj);
	rst_link(g, ring, 1, obj);
	rst_release(g, obj);
	rst_release(g, ring);
	rst_release(g, rst_loops(g, RST_COUNT(300, 20)));
	rst_release(g, rst_chain(g, 20));
	rst_release(g, rst_clique(g, 7));
}

/* Each scan ends, and takes all but what is busy. */
static void rst_busy_scan(struct rst_graph *g, struct rst_busy *busy)
{
	struct rs_scan_figures figures;
	struct rst_census census;
	u32 touched = busy->touched;

	rst_busy_garbage(g, busy);
	figures = rst_collect(g);
	KUNIT_EXPECT_GT(g->test, busy->touched, touched);
	KUNIT_EXPECT_EQ(g->test, figures.scans, 1);
	KUNIT_EXPECT_EQ(g->test, figures.stopped, 0);
	KUNIT_EXPECT_EQ(g->test, figures.aborted, 1);
	census = rst_audit(g);
	KUNIT_EXPECT_EQ(g->test, census.objects, RST_BUSY);
	KUNIT_EXPECT_EQ(g->test, census.garbage, RST_BUSY);
}

static void bound_busy(struct kunit *test, enum rs_scan_step step)
{
	struct rst_busy busy = { .step = step };
	struct rst_graph *g = rst_graph(test);
	struct rs_object *ring = rst_ring(g, RST_BUSY);
	struct rs_scan_figures figures;
	u32 i;

	busy.name = rst_name(ring);
	rst_release(g, ring);
	g->priv = &busy;
	g->hook = rst_busy_hook;
	for (i = 0; i < RST_COUNT(100, 10); i++)
		rst_busy_scan(g, &busy);
	g->hook = NULL;
	/* It is young still: the next scan takes it, whatever that looks at */
	KUNIT_EXPECT_EQ(test, rs_scan_collect(g->heap, 0, &figures), 0);
	KUNIT_EXPECT_EQ(test, figures.scans, 1);
	KUNIT_EXPECT_EQ(test, figures.reclaimed, RST_BUSY);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static void bound_busy_counted(struct kunit *test)
{
	bound_busy(test, RS_STEP_COUNTED);
}

static void bound_busy_suspected(struct kunit *test)
{
	bound_busy(test, RS_STEP_SUSPECTED);
}

/*
 * A chain that others come to at its tail, and leave at its head, as fast as a
 * scan follows it.
 */

#define RST_QUEUE	300	/* in it */
#define RST_PASSING	1200	/* that pass through it during a scan */

/**
 * struct rst_queue - such a chain
 * @head: held
 * @tail: held
 * @left: so many may come until the scan ends
 */
struct rst_queue {
	struct rs_object *head;
	struct rs_object *tail;
	u32 left;
};

static void rst_queue_push(struct rst_graph *g, struct rst_queue *queue)
{
	struct rs_object *obj = rst_new(g, 1);

	rst_link(g, queue->tail, 0, obj);
	rst_release(g, queue->tail);
	queue->tail = obj;
}

static void rst_queue_pop(struct rst_graph *g, struct rst_queue *queue)
{
	struct rs_object *next = rst_slot(g, queue->head, 0);

	rst_hold(g, next);
	rst_release(g, queue->head);
	queue->head = next;
}

/* Those leave that were followed before the last time. */
static void rst_queue_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_queue *queue = g->priv;
	u32 i;

	if (step == RS_STEP_BEGIN)
		queue->left = RST_PASSING + RS_SLICE;
	if (step != RS_STEP_TRACING || queue->left < RS_SLICE)
		return;
	queue->left -= RS_SLICE;
	for (i = 0; i < RS_SLICE; i++) {
		if (queue->left + RS_SLICE < RST_PASSING)
			rst_queue_pop(g, queue);
		rst_queue_push(g, queue);
	}
}

/*
 * What left stays on the scanner's list, which has room for what there is at a
 * time: a scan gives up, but not one after the other.
 */
static void bound_queue(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_queue queue = {};
	struct rs_scan_figures figures;
	u32 i;

	queue.head = rst_new(g, 1);
	queue.tail = queue.head;
	rst_hold(g, queue.head);
	for (i = 1; i < RST_QUEUE; i++)
		rst_queue_push(g, &queue);
	rst_queue_pop(g, &queue);
	rst_release(g, rst_ring(g, 5));
	g->priv = &queue;
	g->hook = rst_queue_hook;
	figures = rst_collect(g);
	g->hook = NULL;
	KUNIT_EXPECT_GT(test, figures.stopped, 0);
	KUNIT_EXPECT_LE(test, figures.stopped, 3);
	KUNIT_EXPECT_EQ(test, rst_audit(g).garbage, 0);
	rst_release_all(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

/**
 * struct rst_beside - another heap, which is scanned while a scan stands still
 * @other: the heap
 * @done: its scan has ended
 * @scans: how many have
 * @stuck: one has not, in a time in which thousands could
 */
struct rst_beside {
	struct rst_graph *other;
	struct completion done;
	u32 scans;
	bool stuck;
};

static int rst_beside_collect(void *data)
{
	struct rst_beside *beside = data;
	struct rst_graph *other = beside->other;

	KUNIT_EXPECT_EQ(other->test, rst_collect(other).reclaimed, RST_SMALL);
	complete(&beside->done);
	return 0;
}

/* In the thread of the scan that stands still. */
static void rst_beside_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_beside *beside = g->priv;
	struct task_struct *task;

	if (step == RS_STEP_PAUSE || beside->stuck)
		return;
	rst_release(beside->other, rst_ring(beside->other, RST_SMALL));
	reinit_completion(&beside->done);
	task = kthread_run(rst_beside_collect, beside, "refstore_test");
	KUNIT_ASSERT_FALSE(g->test, IS_ERR(task));
	beside->stuck = !wait_for_completion_timeout(&beside->done,
						     RST_PATIENCE);
	beside->scans += !beside->stuck;
}

/* Between any two steps of a heap's scan, another heap's whole scan fits. */
static void bound_other_heap(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rst_beside beside = { .other = rst_graph(test) };

	init_completion(&beside.done);
	rst_release(g, rst_ring(g, RST_SMALL));
	g->priv = &beside;
	g->hook = rst_beside_hook;
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, RST_SMALL);
	g->hook = NULL;
	if (beside.stuck)
		wait_for_completion(&beside.done);
	KUNIT_EXPECT_FALSE(test, beside.stuck);
	KUNIT_EXPECT_GE(test, beside.scans, RS_STEP_END);
}

static struct kunit_case bound_cases[] = {
	KUNIT_CASE_PARAM(bound_pauses, rst_bound_gen_params),
	KUNIT_CASE(bound_busy_counted),
	KUNIT_CASE(bound_busy_suspected),
	KUNIT_CASE(bound_queue),
	KUNIT_CASE(bound_other_heap),
	{}
};

static struct kunit_suite bound_suite = {
	.name = "refstore_bound",
	.test_cases = bound_cases,
};

kunit_test_suite(bound_suite);
