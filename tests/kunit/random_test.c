// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations drawn at random, and a model that knows what must come of them.
 *
 * The model has a node for each object, with its slots and the references that
 * the test holds. It knows what can be reached, and so what must be there; what
 * can no longer be reached may be there or not, until a scan that was left
 * alone has taken it. Only held objects are worked on, as users do it, and
 * whatever is found in the table.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "data.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

#define RST_MAX_NODES	2048
#define RST_NODE_SLOTS	48
#define RST_MAX_INDEX	(8 * RST_MAX_NODES)

static unsigned long rst_seed = 20261120;
module_param_named(test_seed, rst_seed, ulong, 0444);
MODULE_PARM_DESC(test_seed, "Seed of the random tests");

static unsigned long rst_operations = RST_COUNT(1000000, 25000);
module_param_named(test_operations, rst_operations, ulong, 0444);
MODULE_PARM_DESC(test_operations, "Operations of the random tests");

/**
 * struct rst_node - an object as it should be
 * @obj: the object; NULL for a node that stands for none
 * @id: its id
 * @index: its place in the table
 * @held: references that the test has
 * @leaf: it has no slots
 * @reached: it can be reached; up to date after rst_model_reach()
 * @nr: number of slots
 * @slot: what they refer to
 */
struct rst_node {
	struct rs_object *obj;
	u64 id;
	u32 index;
	u32 held;
	bool leaf;
	bool reached;
	u32 nr;
	struct rst_node *slot[RST_NODE_SLOTS];
};

/**
 * struct rst_model - a heap as it should be
 * @g: the real one
 * @rnd: the generator
 * @node: nodes
 * @size: how many nodes are in use at the most, about
 * @by_index: the node whose object has, or had last, a place in the table
 * @root: the root
 * @nr_nodes: nodes that stand for an object
 * @nr_held: references held in all
 * @created: objects ever made
 * @upgrades: objects that nobody held and that were found in the table
 */
struct rst_model {
	struct rst_graph *g;
	struct rnd_state rnd;
	struct rst_node *node;
	u32 size;
	struct rst_node **by_index;
	struct rst_node *root;
	u32 nr_nodes;
	u32 nr_held;
	u64 created;
	u64 upgrades;
};

static u32 rst_draw(struct rst_model *m, u32 below)
{
	return prandom_u32_state(&m->rnd) % below;
}

static bool rst_failed(struct rst_model *m)
{
	return READ_ONCE(m->g->test->status) == KUNIT_FAILURE;
}

/* So that what nobody holds, but slots, is not the exception. */
static u32 rst_most_held(struct rst_model *m)
{
	return 4 + m->size / 4;
}

static struct rs_object *rst_node_object(struct rst_node *node)
{
	return node ? node->obj : NULL;
}

/* A node that the test holds; NULL if there is none, or by chance. */
static struct rst_node *rst_pick(struct rst_model *m)
{
	u32 i, at = rst_draw(m, RST_MAX_NODES);

	for (i = 0; i < RST_MAX_NODES; i++) {
		struct rst_node *node = &m->node[(at + i) % RST_MAX_NODES];

		if (node->held)
			return node;
	}
	return NULL;
}

static struct rst_node *rst_pick_or_null(struct rst_model *m)
{
	return rst_draw(m, 5) ? rst_pick(m) : NULL;
}

/* A held node with slots; NULL if the first one is none. */
static struct rst_node *rst_pick_slotted(struct rst_model *m)
{
	struct rst_node *node = rst_pick(m);

	return node && node->nr ? node : NULL;
}

static void rst_node_hold(struct rst_model *m, struct rst_node *node)
{
	node->held++;
	m->nr_held++;
}

/*
 * What can be reached.
 */

static void rst_node_reach(struct rst_node *node, struct rst_node **todo,
			   u32 *nr)
{
	if (!node || node->reached)
		return;
	node->reached = true;
	todo[(*nr)++] = node;
}

static u32 rst_model_reach(struct rst_model *m)
{
	struct rst_node **todo, *node;
	u32 i, nr = 0, done;

	todo = kvcalloc(RST_MAX_NODES, sizeof(*todo), GFP_KERNEL);
	if (!todo)
		return 0;
	for (i = 0; i < RST_MAX_NODES; i++)
		m->node[i].reached = false;
	for (i = 0; i < RST_MAX_NODES; i++)
		if (m->node[i].held)
			rst_node_reach(&m->node[i], todo, &nr);
	rst_node_reach(m->root, todo, &nr);
	for (done = 0; done < nr; done++) {
		node = todo[done];
		for (i = 0; i < node->nr; i++)
			rst_node_reach(node->slot[i], todo, &nr);
	}
	kvfree(todo);
	return nr;
}

/*
 * Operations.
 */

static struct rst_node *rst_node_new(struct rst_model *m)
{
	u32 i, at = rst_draw(m, RST_MAX_NODES);

	for (i = 0; i < RST_MAX_NODES; i++) {
		struct rst_node *node = &m->node[(at + i) % RST_MAX_NODES];

		if (!node->obj) {
			memset(node, 0, sizeof(*node));
			return node;
		}
	}
	return NULL;
}

/* Most objects are small; some have their slots in an array, from the start. */
static u32 rst_draw_slots(struct rst_model *m)
{
	return rst_draw(m, 10) ? rst_draw(m, 5) : rst_draw(m, RST_NODE_SLOTS);
}

static void rst_node_init(struct rst_model *m, struct rst_node *node,
			  struct rs_object *obj)
{
	KUNIT_EXPECT_LT(m->g->test, obj->index, (u32)RST_MAX_INDEX);
	m->by_index[obj->index % RST_MAX_INDEX] = node;
	node->obj = obj;
	node->id = obj->id;
	node->index = obj->index;
	m->nr_nodes++;
	m->created++;
	rst_node_hold(m, node);
}

/* Slots of a new object are filled before anybody sees it. */
static void rst_node_fill(struct rst_model *m, struct rst_node *node,
			  struct rs_object *obj)
{
	u32 i;

	for (i = 0; i < node->nr; i++) {
		node->slot[i] = rst_pick_or_null(m);
		if (!node->slot[i])
			continue;
		KUNIT_EXPECT_EQ(m->g->test,
				rs_ref_get(&node->slot[i]->obj->ref), 0);
		rs_slots_fill(obj, i, node->slot[i]->obj);
	}
}

static void op_create(struct rst_model *m)
{
	struct rs_spec spec = { .heap = m->g->heap };
	struct rst_node *node;
	struct rs_object *obj;
	int err;

	if (m->nr_nodes >= m->size)
		return;
	node = rst_node_new(m);
	node->leaf = !rst_draw(m, 6);
	node->nr = node->leaf ? 0 : rst_draw_slots(m);
	spec.slotted = !node->leaf;
	spec.nr_slots = node->nr;
	spec.data_len = rst_draw(m, 4) ? 0 : rst_draw(m, 5000);
	obj = rs_object_create(&spec, NULL, &err);
	KUNIT_EXPECT_NOT_NULL(m->g->test, obj);
	if (!obj)
		return;
	if (rst_draw(m, 2))
		rst_node_fill(m, node, obj);
	KUNIT_EXPECT_EQ(m->g->test, rs_heap_insert(m->g->heap, obj), 0);
	rst_node_init(m, node, obj);
}

static void op_get(struct rst_model *m)
{
	struct rst_node *node = rst_pick(m);

	if (!node || m->nr_held > rst_most_held(m))
		return;
	KUNIT_EXPECT_EQ(m->g->test, rs_ref_get(&node->obj->ref), 0);
	rst_node_hold(m, node);
}

static void op_put(struct rst_model *m)
{
	struct rst_node *node = rst_pick(m);

	if (!node)
		return;
	node->held--;
	m->nr_held--;
	rs_put(m->g->heap, node->obj);
}

static void op_read(struct rst_model *m)
{
	struct rst_node *node = rst_pick_slotted(m);
	struct rs_object *value[4];
	u32 i, first, count;

	if (!node || m->nr_held > rst_most_held(m))
		return;
	first = rst_draw(m, node->nr);
	count = min(1 + rst_draw(m, 4), node->nr - first);
	KUNIT_EXPECT_EQ(m->g->test, rs_slots_read(m->g->heap, node->obj, first,
						  count, value), count);
	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_PTR_EQ(m->g->test, value[i],
				    rst_node_object(node->slot[first + i]));
		if (node->slot[first + i])
			rst_node_hold(m, node->slot[first + i]);
	}
}

static void op_set(struct rst_model *m)
{
	struct rst_node *node = rst_pick_slotted(m);
	struct rst_node *value = rst_pick_or_null(m);
	u32 i;

	if (!node)
		return;
	i = rst_draw(m, node->nr);
	KUNIT_EXPECT_EQ(m->g->test, rs_slot_set(m->g->heap, node->obj, i,
						rst_node_object(value)), 0);
	node->slot[i] = value;
}

/* With what is expected: right, or something that is held. */
static void op_cas(struct rst_model *m)
{
	struct rst_node *node = rst_pick_slotted(m);
	struct rst_node *value = rst_pick_or_null(m), *expected;
	int err;
	u32 i;

	if (!node)
		return;
	i = rst_draw(m, node->nr);
	expected = rst_draw(m, 4) ? node->slot[i] : rst_pick_or_null(m);
	err = expected == node->slot[i] ? 0 : -EAGAIN;
	KUNIT_EXPECT_EQ(m->g->test, rs_slot_cas(m->g->heap, node->obj, i,
						rst_node_object(expected),
						rst_node_object(value)), err);
	if (!err)
		node->slot[i] = value;
}

static void op_resize(struct rst_model *m)
{
	struct rst_node *node = rst_pick(m);
	u32 nr = rst_draw_slots(m);

	if (!node)
		return;
	KUNIT_EXPECT_EQ(m->g->test, rs_slots_resize(m->g->heap, node->obj, nr),
			node->leaf ? -EOPNOTSUPP : 0);
	if (node->leaf)
		return;
	for (; node->nr > nr; node->nr--)
		node->slot[node->nr - 1] = NULL;
	node->nr = nr;
}

/* From a slot to a slot, with no other reference in between than ours. */
static void op_move(struct rst_model *m)
{
	struct rst_node *from = rst_pick_slotted(m), *to = rst_pick_slotted(m);
	struct rs_object *value;
	u32 i, j;

	if (!from || !to)
		return;
	i = rst_draw(m, from->nr);
	j = rst_draw(m, to->nr);
	KUNIT_EXPECT_EQ(m->g->test, rs_slots_read(m->g->heap, from->obj, i, 1,
						  &value), 1);
	KUNIT_EXPECT_EQ(m->g->test, rs_slot_set(m->g->heap, to->obj, j, value),
			0);
	to->slot[j] = from->slot[i];
	KUNIT_EXPECT_EQ(m->g->test, rs_slot_set(m->g->heap, from->obj, i, NULL),
			0);
	from->slot[i] = NULL;
	if (value)
		rs_put(m->g->heap, value);
}

static void op_root(struct rst_model *m)
{
	struct rst_node *value = rst_pick_or_null(m), *expected = m->root;
	struct rs_object *root;
	int err;

	if (rst_draw(m, 4) == 0 && m->nr_held <= rst_most_held(m)) {
		KUNIT_EXPECT_EQ(m->g->test, rs_root_get(m->g->heap, &root), 0);
		KUNIT_EXPECT_PTR_EQ(m->g->test, root, rst_node_object(m->root));
		if (m->root)
			rst_node_hold(m, m->root);
		return;
	}
	if (rst_draw(m, 4) == 0)
		expected = rst_pick_or_null(m);
	err = expected == m->root ? 0 : -EAGAIN;
	KUNIT_EXPECT_EQ(m->g->test, rs_root_cas(m->g->heap,
						rst_node_object(expected),
						rst_node_object(value)), err);
	if (!err)
		m->root = value;
}

/* What is not in the table must not be reachable. */
static void rst_expect_gone(struct rst_model *m, struct rst_node *node,
			    u32 index)
{
	if (!node || !node->obj || node->index != index)
		return;
	rst_model_reach(m);
	KUNIT_EXPECT_FALSE(m->g->test, node->reached);
}

/*
 * Looks for anything in the table. What is found, and nobody could reach any
 * more, is alive again with all that it reaches.
 */
static void op_upgrade(struct rst_model *m)
{
	struct rs_heap *heap = m->g->heap;
	struct rs_object *obj;
	struct rst_node *node;
	u32 index;

	if (!heap->table_used || m->nr_held > rst_most_held(m))
		return;
	index = rst_draw(m, heap->table_used);
	node = m->by_index[index];
	spin_lock(&heap->table_lock);
	obj = rs_heap_at(heap, index);
	if (obj && rs_object_tryget(heap, obj))
		obj = NULL;
	spin_unlock(&heap->table_lock);
	if (!obj) {
		rst_expect_gone(m, node, index);
		return;
	}
	KUNIT_EXPECT_PTR_EQ(m->g->test, obj, rst_node_object(node));
	if (!node)
		return;
	KUNIT_EXPECT_EQ(m->g->test, obj->id, node->id);
	m->upgrades += !node->held;
	rst_node_hold(m, node);
}

static void (*const rst_ops[])(struct rst_model *m) = {
	op_create, op_create, op_create, op_create,
	op_put, op_put, op_put, op_put, op_put, op_put, op_put, op_put,
	op_get, op_read, op_read, op_read,
	op_set, op_set, op_set, op_set, op_set, op_set, op_cas, op_cas,
	op_move, op_resize, op_root, op_upgrade,
};

static void rst_operate(struct rst_model *m)
{
	rst_ops[rst_draw(m, ARRAY_SIZE(rst_ops))](m);
}

/*
 * Scans.
 */

static void rst_random_hook(struct rst_graph *g, enum rs_scan_step step)
{
	struct rst_model *m = g->priv;
	u32 n = rst_draw(m, 2) ? 0 : rst_draw(m, 20);

	while (n-- && !rst_failed(m)) {
		if (rst_draw(m, 6))
			rst_operate(m);
		else
			op_upgrade(m);
	}
	if (!rst_draw(m, 200))
		WRITE_ONCE(g->heap->scan_stop, true);
}

/* A scan, with operations between any two of its steps. */
static void rst_scan_amid(struct rst_model *m)
{
	m->g->hook = rst_random_hook;
	rst_collect(m->g);
	m->g->hook = NULL;
}

/* The heap's objects, slots and numbers are the model's. */
static void rst_node_check(struct rst_model *m, struct rst_node *node)
{
	struct rst_graph *g = m->g;
	u32 i, wrong = 0;

	wrong += rst_at(g->heap, node->index) != node->obj;
	wrong += node->obj->id != node->id;
	wrong += rs_slots_nr(node->obj) != node->nr;
	for (i = 0; i < node->nr && !wrong; i++)
		wrong += rst_slot(g, node->obj, i) !=
			 rst_node_object(node->slot[i]);
	KUNIT_EXPECT_EQ(g->test, wrong, 0);
}

/* Tells the audit what the model holds. */
static void rst_lend_held(struct rst_model *m)
{
	u32 i, n;

	m->g->nr_held = 0;
	for (i = 0; i < RST_MAX_NODES; i++)
		for (n = 0; n < m->node[i].held; n++)
			rst_adopt(m->g, m->node[i].obj);
}

/* After a scan that was left alone, exactly what can be reached is there. */
static void rst_model_check(struct rst_model *m)
{
	struct rst_graph *g = m->g;
	struct rst_census census;
	u32 i, reachable;

	rst_collect(g);
	reachable = rst_model_reach(m);
	rst_lend_held(m);
	census = rst_audit(g);
	g->nr_held = 0;
	KUNIT_EXPECT_EQ(g->test, census.objects, reachable);
	KUNIT_EXPECT_EQ(g->test, census.garbage, 0);
	KUNIT_EXPECT_EQ(g->test, g->heap->created, m->created);
	for (i = 0; i < RST_MAX_NODES && !rst_failed(m); i++) {
		if (m->node[i].reached)
			rst_node_check(m, &m->node[i]);
		else
			m->node[i].obj = NULL;
	}
	m->nr_nodes = reachable;
}

static void rst_model_free(void *data)
{
	struct rst_model *m = data;

	kvfree(m->node);
	kvfree(m->by_index);
}

static void rst_model_init(struct rst_model *m, struct kunit *test, u32 size)
{
	m->g = rst_graph(test);
	m->g->priv = m;
	m->size = size;
	prandom_seed_state(&m->rnd, rst_seed + size);
	m->node = kvcalloc(RST_MAX_NODES, sizeof(m->node[0]), GFP_KERNEL);
	m->by_index = kvcalloc(RST_MAX_INDEX, sizeof(m->by_index[0]),
			       GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, rst_model_free,
							m), 0);
	KUNIT_ASSERT_TRUE(test, m->node && m->by_index);
}

static void rst_model_end(struct rst_model *m)
{
	struct kunit *test = m->g->test;

	rst_model_check(m);
	rst_lend_held(m);
	KUNIT_EXPECT_EQ(test, rs_root_set(m->g->heap, NULL), 0);
	rst_release_all(m->g);
	rst_collect(m->g);
	KUNIT_EXPECT_EQ(test, rst_audit(m->g).objects, 0);
	kunit_info(test, "seed %lu: %llu objects, %llu found again, %llu scans: %llu reclaimed, %llu aborted, %llu stopped\n",
		   rst_seed, m->created, m->upgrades,
		   m->g->heap->figures.scans, m->g->heap->figures.reclaimed,
		   m->g->heap->figures.aborted, m->g->heap->figures.stopped);
}

static const struct rst_size {
	const char *name;
	u32 size;
} rst_sizes[] = {
	{ "10 objects", 10 },
	{ "60 objects", 60 },
	{ "300 objects", 300 },
	{ "1500 objects", 1500 },
};

KUNIT_ARRAY_PARAM_DESC(rst_size, rst_sizes, name);

static void random_operations(struct kunit *test)
{
	const struct rst_size *size = test->param_value;
	struct rst_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned long i, count = rst_operations / ARRAY_SIZE(rst_sizes);

	KUNIT_ASSERT_NOT_NULL(test, m);
	rst_model_init(m, test, size->size);
	for (i = 0; i < count && !rst_failed(m); i++) {
		rst_operate(m);
		if (!rst_draw(m, 200))
			rst_scan_amid(m);
		if (!rst_draw(m, 300))
			rst_start_scan(m->g);
		if (!rst_draw(m, m->nr_nodes < m->size ? 1000 : 200))
			rst_model_check(m);
		cond_resched();
	}
	if (rst_failed(m))
		kunit_info(test, "seed %lu: failed at operation %lu\n",
			   rst_seed, i);
	else
		rst_model_end(m);
}

static struct kunit_case random_cases[] = {
	KUNIT_CASE_PARAM(random_operations, rst_size_gen_params),
	{}
};

static struct kunit_suite random_suite = {
	.name = "refstore_random",
	.test_cases = random_cases,
};

kunit_test_suite(random_suite);
