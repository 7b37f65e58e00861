// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the suites share. See graph.h.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "call.h"
#include "candidate.h"
#include "data.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"
#include "trigger.h"

/* Asks for a scan, and does not wait for it. */
void rst_start_scan(struct rst_graph *g)
{
	struct rs_scan_figures before;

	rs_trigger_ask(g->heap, RS_GENERATIONS - 1, &before);
}

/* Waits for all work that is queued now, and then for what that has queued. */
void rst_flush(void)
{
	flush_workqueue(rs_scan_queue);
	flush_workqueue(rs_queue);
	flush_workqueue(rs_free_queue);
}

static void rst_hook(struct rs_heap *heap, int step)
{
	struct rst_graph *g = heap->hook_data;

	if (g->hook)
		g->hook(g, step);
}

/**
 * rst_end - give up the heap, and wait until it is gone with all it holds
 * @g: the graph
 */
void rst_end(struct rst_graph *g)
{
	if (!g->heap)
		return;
	g->heap->hook = NULL;
	rs_heap_put(g->heap);
	g->heap = NULL;
	rst_flush();
}

static void rst_graph_free(void *data)
{
	struct rst_graph *g = data;

	rst_end(g);
	kvfree(g->held);
	kfree(g);
}

/* It pays by itself. */
static struct rs_heap *rst_heap(struct kunit *test)
{
	struct rs_payer payer;
	struct rs_heap *heap;

	KUNIT_ASSERT_EQ(test, rs_payer_init(&payer, GLOBAL_ROOT_UID, true), 0);
	heap = rs_heap_create(&payer);
	rs_payer_put(&payer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	return heap;
}

/**
 * rst_graph - an empty graph, on a heap of its own
 * @test: the test, at whose end it goes
 */
struct rst_graph *rst_graph(struct kunit *test)
{
	struct rst_graph *g = kzalloc(sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, rst_graph_free,
							g), 0);
	g->test = test;
	g->held = kvcalloc(RST_MAX_HELD, sizeof(g->held[0]), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->held);
	g->heap = rst_heap(test);
	g->heap->hook_data = g;
	g->heap->hook = rst_hook;
	/* Scans run when a test asks for one, and take as long as it wants */
	g->heap->automatic = false;
	g->heap->max_scan_ns = U64_MAX;
	return g;
}

/**
 * rst_make - an object in the heap; the reference is the caller's
 * @g: the graph
 * @nr_slots: number of slots; U32_MAX for a leaf
 * @data_len: bytes of data, all zero
 */
struct rs_object *rst_make(struct rst_graph *g, u32 nr_slots, u32 data_len)
{
	bool leaf = nr_slots == U32_MAX;
	struct rs_spec spec = {
		.heap = g->heap,
		.type = leaf ? REFSTORE_TYPE_STR : REFSTORE_TYPE_LIST,
		.nr_slots = leaf ? 0 : nr_slots,
		.data_len = data_len,
		.slotted = !leaf,
	};
	struct rs_object *obj;
	int err;

	obj = rs_object_create(&spec, NULL, &err);
	KUNIT_ASSERT_NOT_NULL(g->test, obj);
	KUNIT_ASSERT_EQ(g->test, rs_heap_insert(g->heap, obj), 0);
	return obj;
}

/* Takes over a reference that the caller has. */
void rst_adopt(struct rst_graph *g, struct rs_object *obj)
{
	KUNIT_ASSERT_LT(g->test, g->nr_held, (u32)RST_MAX_HELD);
	g->held[g->nr_held++] = obj;
}

/* Gives a held reference to the caller. */
void rst_disown(struct rst_graph *g, struct rs_object *obj)
{
	u32 i = g->nr_held;

	while (i--) {
		if (g->held[i] == obj) {
			g->held[i] = g->held[--g->nr_held];
			return;
		}
	}
	KUNIT_FAIL(g->test, "a reference that is not held");
}

/**
 * rst_new - a slotted object, held
 * @g: the graph
 * @nr_slots: number of slots, at least
 */
struct rs_object *rst_new(struct rst_graph *g, u32 nr_slots)
{
	u32 data_len = g->variant & RST_DATA ? 100 : 0;
	struct rs_object *obj = rst_make(g, nr_slots, data_len);

	nr_slots += RS_MAX_TAIL;
	if (g->variant & RST_ARRAYS)
		KUNIT_EXPECT_EQ(g->test,
				rs_slots_resize(g->heap, obj, nr_slots), 0);
	rst_adopt(g, obj);
	if (g->variant & RST_CANDIDATES) {
		rst_hold(g, obj);
		rst_release(g, obj);
	}
	return obj;
}

struct rs_object *rst_leaf(struct rst_graph *g)
{
	struct rs_object *obj = rst_make(g, U32_MAX, 10);

	rst_adopt(g, obj);
	return obj;
}

/* One more reference, to an object to which the test has one already. */
void rst_hold(struct rst_graph *g, struct rs_object *obj)
{
	KUNIT_EXPECT_EQ(g->test, rs_ref_get(&obj->ref), 0);
	rst_adopt(g, obj);
}

void rst_release(struct rst_graph *g, struct rs_object *obj)
{
	rst_disown(g, obj);
	rs_put(g->heap, obj);
}

void rst_release_all(struct rst_graph *g)
{
	while (g->nr_held)
		rs_put(g->heap, g->held[--g->nr_held]);
}

void rst_link(struct rst_graph *g, struct rs_object *from, u32 index,
	      struct rs_object *to)
{
	KUNIT_EXPECT_EQ(g->test, rs_slot_set(g->heap, from, index, to), 0);
}

/**
 * rst_give - let a held reference become a slot's
 * @g: the graph, of which no scan runs
 * @from: an object with an empty slot at @index
 * @index: the slot
 * @to: held
 *
 * No count falls, so nothing becomes a candidate.
 */
void rst_give(struct rst_graph *g, struct rs_object *from, u32 index,
	      struct rs_object *to)
{
	rst_disown(g, to);
	rs_slots_fill(from, index, to);
}

/* What a slot refers to; not counted. */
struct rs_object *rst_slot(struct rst_graph *g, struct rs_object *obj,
			   u32 index)
{
	unsigned long slot;

	spin_lock(rs_slot_lock(g->heap, obj));
	slot = rs_slot_peek_locked(obj, index);
	spin_unlock(rs_slot_lock(g->heap, obj));
	return rs_slot_object(slot);
}

/**
 * rst_ring - objects, the first slot of each of which refers to the next
 * @g: the graph
 * @count: how many; they have two slots each
 *
 * Return: one of them, which alone is held.
 */
struct rs_object *rst_ring(struct rst_graph *g, u32 count)
{
	struct rs_object *first = rst_new(g, 2), *last = first, *next;
	u32 i;

	for (i = 1; i < count; i++) {
		next = rst_new(g, 2);
		rst_give(g, last, 0, next);
		last = next;
		if (i % RS_SLICE == 0)
			cond_resched();
	}
	rst_link(g, last, 0, first);
	return first;
}

/* The object at an index; nobody else changes the heap. */
struct rs_object *rst_at(struct rs_heap *heap, u32 index)
{
	struct rs_object *obj;

	spin_lock(&heap->table_lock);
	obj = rs_heap_at(heap, index);
	spin_unlock(&heap->table_lock);
	return obj;
}

struct rst_name rst_name(const struct rs_object *obj)
{
	return (struct rst_name) { .index = obj->index, .id = obj->id };
}

/**
 * rst_upgrade - a held reference to an object that nobody need hold
 * @g: the graph
 * @name: the object's
 *
 * What enumerations do, and what weak references will.
 *
 * Return: the object, or NULL if it is dead.
 */
struct rs_object *rst_upgrade(struct rst_graph *g, struct rst_name name)
{
	struct rs_object *obj;

	spin_lock(&g->heap->table_lock);
	obj = rs_heap_at(g->heap, name.index);
	if (obj && (obj->id != name.id || rs_object_tryget(g->heap, obj)))
		obj = NULL;
	spin_unlock(&g->heap->table_lock);
	if (obj)
		rst_adopt(g, obj);
	return obj;
}

/* A held reference to what a slot refers to; NULL for an empty one. */
struct rs_object *rst_read(struct rst_graph *g, struct rs_object *obj,
			   u32 index)
{
	struct rs_object *value = NULL;

	KUNIT_EXPECT_EQ(g->test,
			rs_slots_read(g->heap, obj, index, 1, &value), 1);
	if (value)
		rst_adopt(g, value);
	return value;
}

/* No slot of the heap changes any more. */
void rst_seal_all(struct rst_graph *g)
{
	struct rs_object *obj;
	u32 i;

	for (i = 0; i < g->heap->table_used; i++) {
		obj = rst_at(g->heap, i);
		if (obj)
			rs_data_seal(g->heap, obj, RS_SEALED_SLOTS);
	}
}

/* Waits until neither a scan nor the backlog's work runs. */
void rst_settle(struct rst_graph *g)
{
	flush_delayed_work(&g->heap->scan_work);
	/* It queues itself again for what it leaves to itself */
	while (flush_work(&g->heap->reap_work))
		continue;
}

/**
 * rst_collect - scan the heap now, once, and wait until all is settled
 * @g: the graph
 *
 * Return: what the scan did.
 */
struct rs_scan_figures rst_collect(struct rst_graph *g)
{
	struct rs_scan_figures figures = {};

	KUNIT_EXPECT_EQ(g->test, rs_scan_collect(g->heap, RS_GENERATIONS - 1,
						 &figures), 0);
	rst_settle(g);
	return figures;
}

/* Drops what the heap has saved; returns how many objects these were. */
u64 rst_drop_saved(struct rst_graph *g)
{
	struct rs_call call = { .heap = g->heap };
	struct refstore_drop_saved args = {};

	KUNIT_EXPECT_EQ(g->test, rs_drop_saved(&call, &args), 0);
	return args.dropped;
}

/*
 * The audit.
 */

/**
 * struct rst_audit - an audit that runs
 * @g: the graph
 * @size: indexes of the heap's table
 * @refs: for each index, references found
 * @reached: whether the object can be reached
 * @todo: indexes of objects that were reached, and whose slots were not yet
 *        followed
 * @nr_todo: how many
 * @nr_reached: objects reached
 * @objects: objects found
 * @slotted: those with slots
 * @candidates: those that say that they are in the queue
 * @bytes: memory of all
 * @wrong: complaints so far
 */
struct rst_audit {
	struct rst_graph *g;
	u32 size;
	u32 *refs;
	bool *reached;
	u32 *todo;
	u32 nr_todo;
	u64 nr_reached;
	u64 objects;
	u64 slotted;
	u64 candidates;
	u64 bytes;
	u64 wrong;
};

/* Says what is wrong with the first objects only: there may be a million. */
static void rst_complain(struct rst_audit *a, struct rs_object *obj,
			 const char *what)
{
	if (a->wrong++ < 5)
		KUNIT_FAIL(a->g->test,
			   "object %u: %s (word %016llx, %u references)\n",
			   obj->index, what, rs_ref_read(&obj->ref),
			   a->refs[obj->index]);
}

static void rst_count_ref(struct rst_audit *a, struct rs_object *obj)
{
	if (obj->index >= a->size || rst_at(a->g->heap, obj->index) != obj) {
		if (a->wrong++ < 5)
			KUNIT_FAIL(a->g->test,
				   "a reference to what is not in the heap\n");
		return;
	}
	a->refs[obj->index]++;
}

static void rst_reach(struct rst_audit *a, struct rs_object *obj)
{
	if (obj->index >= a->size || a->reached[obj->index])
		return;
	a->reached[obj->index] = true;
	a->nr_reached++;
	a->todo[a->nr_todo++] = obj->index;
}

/* Calls @fn for each object that a slot of @obj refers to. */
static void rst_each_target(struct rst_audit *a, struct rs_object *obj,
			    void (*fn)(struct rst_audit *a,
				       struct rs_object *target))
{
	struct rs_object *target;
	u32 i, nr = rs_slots_nr(obj);

	for (i = 0; i < nr; i++) {
		target = rst_slot(a->g, obj, i);
		if (target)
			fn(a, target);
		if (i % RS_SLICE == RS_SLICE - 1)
			cond_resched();
	}
}

/* Calls @fn for each object that is referred to from outside of all slots. */
static void rst_each_outside(struct rst_audit *a,
			     void (*fn)(struct rst_audit *a,
					struct rs_object *target))
{
	u32 i;

	for (i = 0; i < a->g->nr_held; i++)
		fn(a, a->g->held[i]);
	if (a->g->heap->root)
		fn(a, a->g->heap->root);
}

static void rst_each_object(struct rst_audit *a,
			    void (*fn)(struct rst_audit *a,
				       struct rs_object *obj))
{
	struct rs_object *obj;
	u32 i;

	for (i = 0; i < a->size; i++) {
		obj = rst_at(a->g->heap, i);
		if (obj)
			fn(a, obj);
		if (i % RS_SLICE == RS_SLICE - 1)
			cond_resched();
	}
}

static void rst_count_slots(struct rst_audit *a, struct rs_object *obj)
{
	rst_each_target(a, obj, rst_count_ref);
}

static void rst_compare_count(struct rst_audit *a, struct rs_object *obj)
{
	if (rs_ref_count(&obj->ref) != a->refs[obj->index])
		rst_complain(a, obj, "the count is wrong");
}

static void rst_audit_begin(struct rst_audit *a, struct rst_graph *g)
{
	u32 room = max(g->heap->table_used, 1U);

	*a = (struct rst_audit) { .g = g, .size = g->heap->table_used };
	a->refs = kvcalloc(room, sizeof(a->refs[0]), GFP_KERNEL);
	a->reached = kvcalloc(room, sizeof(a->reached[0]), GFP_KERNEL);
	a->todo = kvcalloc(room, sizeof(a->todo[0]), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(g->test, a->refs && a->reached && a->todo);
}

static void rst_audit_end(struct rst_audit *a)
{
	KUNIT_EXPECT_EQ(a->g->test, a->wrong, 0);
	kvfree(a->refs);
	kvfree(a->reached);
	kvfree(a->todo);
}

static void rst_audit_counts(struct rst_audit *a)
{
	rst_each_object(a, rst_count_slots);
	rst_each_outside(a, rst_count_ref);
	rst_each_object(a, rst_compare_count);
}

/**
 * rst_expect_counts - every count is the number of references that there are
 * @g: the graph; nobody works on it, though a scan may be between two steps
 */
void rst_expect_counts(struct rst_graph *g)
{
	struct rst_audit a;

	rst_audit_begin(&a, g);
	rst_audit_counts(&a);
	rst_audit_end(&a);
}

static void rst_audit_reach(struct rst_audit *a)
{
	rst_each_outside(a, rst_reach);
	while (a->nr_todo)
		rst_each_target(a, rst_at(a->g->heap, a->todo[--a->nr_todo]),
				rst_reach);
}

/* How many objects can be reached; a scan may be between two steps. */
u64 rst_reachable(struct rst_graph *g)
{
	struct rst_audit a;

	rst_audit_begin(&a, g);
	rst_audit_reach(&a);
	rst_audit_end(&a);
	return a.nr_reached;
}

static void rst_audit_object(struct rst_audit *a, struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);

	a->objects++;
	a->bytes += rs_object_bytes(obj);
	a->slotted += !!(word & RS_REF_TRACKED);
	a->candidates += !!(word & RS_REF_LINKED);
	if (word & (RS_REF_SUSPECT | RS_REF_DEAD))
		rst_complain(a, obj, "no scan runs, and it is not alive");
	if ((word & RS_REF_LINKED) == RS_REF_LINKED && !rs_candidate_misled(obj))
		rst_complain(a, obj, "it says that it misled");
	if (word & RS_REF_LINKED && !(word & RS_REF_TRACKED))
		rst_complain(a, obj, "a leaf is a candidate");
}

/* Who is in a queue says so in its word; as many say so as are there. */
static void rst_audit_queue(struct rst_audit *a, u32 age)
{
	struct rs_queue *queue = &a->g->heap->queue[age];
	u64 bit = age ? RS_REF_OLD : RS_REF_CANDIDATE;
	struct rs_object *obj;
	u32 i;

	for (i = 0; i < queue->len; i++) {
		obj = *(struct rs_object **)rs_vec_at(&queue->vec, i,
						      sizeof(obj));
		if ((obj->queue_pos & RS_POS_MASK) != i ||
		    (age && rs_candidate_age(obj) != age) ||
		    (!age && rs_ref_read(&obj->ref) & RS_REF_OLD) ||
		    !(rs_ref_read(&obj->ref) & bit))
			rst_complain(a, obj, "the queue is wrong");
	}
}

static void rst_audit_queues(struct rst_audit *a)
{
	u32 age;

	for (age = 0; age < RS_GENERATIONS; age++)
		rst_audit_queue(a, age);
	KUNIT_EXPECT_EQ(a->g->test, a->candidates, rs_candidates(a->g->heap));
}

static void rst_audit_totals(struct rst_audit *a)
{
	struct rs_heap *heap = a->g->heap;
	struct kunit *test = a->g->test;
	u64 objects = 0, bytes = 0;
	u32 i;

	for (i = 0; i < heap->types.nr; i++) {
		objects += heap->types.type[i].objects;
		bytes += heap->types.type[i].bytes;
	}
	KUNIT_EXPECT_EQ(test, a->objects, heap->objects);
	KUNIT_EXPECT_EQ(test, a->objects, objects);
	KUNIT_EXPECT_EQ(test, a->bytes, heap->bytes);
	KUNIT_EXPECT_EQ(test, a->bytes, bytes);
	KUNIT_EXPECT_EQ(test, a->slotted, heap->slotted);
}

/* No scan runs, and no memory waits for one, or for the queue. */
static void rst_audit_rest(struct rst_audit *a)
{
	struct rs_heap *heap = a->g->heap;
	struct kunit *test = a->g->test;

	KUNIT_EXPECT_EQ(test, heap->scan, 0);
	KUNIT_EXPECT_NULL(test, heap->deferred);
	KUNIT_EXPECT_NULL(test, heap->deferred_slots);
	KUNIT_EXPECT_EQ(test, heap->deferred_bytes, 0);
	KUNIT_EXPECT_NULL(test, heap->backlog);
	KUNIT_EXPECT_EQ(test, rs_reap_backlog(heap), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&heap->desc) & RS_DESC_STATE,
			RS_DESC_NONE);
}

/**
 * rst_audit - look through a heap at rest
 * @g: the graph
 *
 * Every count is right, every total is, the queue is, and nothing that can be
 * reached is gone: that would be a reference to what is not in the heap.
 */
struct rst_census rst_audit(struct rst_graph *g)
{
	struct rst_census census;
	struct rst_audit a;

	rst_settle(g);
	rst_audit_begin(&a, g);
	rst_audit_counts(&a);
	rst_each_object(&a, rst_audit_object);
	rst_audit_queues(&a);
	rst_audit_totals(&a);
	rst_audit_rest(&a);
	if (!a.wrong)
		rst_audit_reach(&a);
	census.objects = a.objects;
	census.garbage = a.objects - a.nr_reached;
	rst_audit_end(&a);
	return census;
}
