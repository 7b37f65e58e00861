// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects: their memory, and references to what may be dead.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "candidate.h"
#include "graph.h"
#include "reclaim.h"
#include "slot.h"

static struct rs_object *rst_alloc(struct kunit *test,
				   const struct rs_spec *spec)
{
	struct rs_object *obj = rs_object_alloc(spec);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	return obj;
}

static bool rst_is_array(const struct rs_object *obj)
{
	return obj->shape & RS_SHAPE_ARRAY;
}

/* What is charged is what there must be, and not much more. */
static void rst_expect_bytes(struct kunit *test, const struct rs_spec *spec,
			     struct rs_object *obj)
{
	size_t need = sizeof(struct rs_object) + spec->data_len;
	size_t bytes = rs_object_bytes(obj);

	if (spec->slotted)
		need += sizeof(struct rs_slotted) - sizeof(struct rs_object) +
			spec->nr_slots * sizeof(long);
	KUNIT_EXPECT_GE(test, bytes, need);
	KUNIT_EXPECT_LE(test, bytes, need < 4096 ? 2 * need : need + 256);
}

/*
 * An object is what was asked for, and all its data and slots can be written
 * (what they write over, KASAN sees).
 */
static void rst_try_spec(struct kunit *test, const struct rs_spec *spec)
{
	struct rs_object *obj = rst_alloc(test, spec);
	u32 i;

	rst_expect_bytes(test, spec, obj);
	KUNIT_EXPECT_EQ(test, rs_object_data_len(obj), spec->data_len);
	KUNIT_EXPECT_EQ(test, rs_slots_nr(obj), spec->nr_slots);
	if (spec->data_len)
		memset(rs_object_data(obj), 0xa5, spec->data_len);
	for (i = 0; i < spec->nr_slots; i++) {
		KUNIT_EXPECT_EQ(test, rs_slot_peek_locked(obj, i), 0);
		rs_slots_fill(obj, i, NULL);
	}
	if (spec->data_len)
		KUNIT_EXPECT_NULL(test, memchr_inv(rs_object_data(obj), 0xa5,
						   spec->data_len));
	rs_object_free(obj);
}

static void object_leaf_sizes(struct kunit *test)
{
	const u32 stride = RST_COUNT(7, 211);
	struct rst_graph *g = rst_graph(test);
	struct rs_spec spec = { .heap = g->heap };

	for (; spec.data_len < 4200; spec.data_len++)
		rst_try_spec(test, &spec);
	for (; spec.data_len <= RS_MAX_DATA; spec.data_len += stride) {
		rst_try_spec(test, &spec);
		cond_resched();
	}
	spec.data_len = RS_MAX_DATA;
	rst_try_spec(test, &spec);
}

static void object_slotted_sizes(struct kunit *test)
{
	static const u32 data[] = { 0, 1, 8, 100, 4096, RS_MAX_DATA };
	struct rst_graph *g = rst_graph(test);
	struct rs_spec spec = { .heap = g->heap, .slotted = true };
	u32 i, nr;

	for (i = 0; i < ARRAY_SIZE(data); i++) {
		spec.data_len = data[i];
		for (nr = 0; nr <= 100; nr++) {
			spec.nr_slots = nr;
			rst_try_spec(test, &spec);
		}
		for (; nr < RS_MAX_SLOTS; nr = nr * 3 + 1) {
			spec.nr_slots = nr;
			rst_try_spec(test, &spec);
		}
	}
	spec.nr_slots = RS_MAX_SLOTS;
	rst_try_spec(test, &spec);
}

/* As few bytes as the table in object.h says. */
static void object_bytes(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);

	rst_adopt(g, rst_make(g, U32_MAX, 0));
	KUNIT_EXPECT_EQ(test, rs_object_bytes(g->held[0]), 32);
	rst_adopt(g, rst_make(g, U32_MAX, 8));
	KUNIT_EXPECT_EQ(test, rs_object_bytes(g->held[1]), 40);
	rst_adopt(g, rst_make(g, U32_MAX, 4096 - 32));
	KUNIT_EXPECT_EQ(test, rs_object_bytes(g->held[2]), 4096);
	rst_adopt(g, rst_make(g, 2, 0));
	KUNIT_EXPECT_EQ(test, rs_object_bytes(g->held[3]), 64);
	KUNIT_EXPECT_EQ(test, g->heap->bytes, 32 + 40 + 4096 + 64);
}

/* Slots in the tail have room there, or are in an array; never both. */
static void object_tail_room(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_spec spec = { .heap = g->heap, .slotted = true };
	struct rs_object *obj;

	for (; spec.nr_slots < 60; spec.nr_slots++) {
		spec.data_len = spec.nr_slots % 2;
		obj = rst_alloc(test, &spec);
		KUNIT_EXPECT_GE(test, rs_object_tail_room(obj), 1U);
		if (!rst_is_array(obj))
			KUNIT_EXPECT_GE(test, rs_object_tail_room(obj),
					spec.nr_slots);
		else
			KUNIT_EXPECT_GT(test, spec.nr_slots + 2 * spec.data_len,
					(u32)RS_MAX_TAIL);
		rs_object_free(obj);
	}
}

/* Every way out of the tail, from every size of it, with data and without. */
static void object_leaves_tail(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	u32 i, nr;

	for (i = 0; i < 60; i++) {
		obj = rst_make(g, i / 2, i % 2 * 50);
		rst_adopt(g, obj);
		for (nr = i / 2; nr < 40; nr++)
			KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj,
							      nr), 0);
		KUNIT_EXPECT_TRUE(test, rst_is_array(obj));
		rst_audit(g);
	}
}

static void object_init(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_spec spec = {
		.heap = g->heap,
		.type = REFSTORE_TYPE_SET,
		.slotted = true,
		.nr_slots = 1,
		.seals = RS_SEALED_DATA,
	};
	struct rs_object *obj = rst_alloc(test, &spec);

	KUNIT_EXPECT_EQ(test, rs_ref_read(&obj->ref), 1 | RS_REF_TRACKED);
	KUNIT_EXPECT_EQ(test, obj->id, 0);
	KUNIT_EXPECT_EQ(test, obj->index, RS_NO_INDEX);
	KUNIT_EXPECT_EQ(test, obj->type, REFSTORE_TYPE_SET);
	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, obj),
			REFSTORE_STATE_SLOTTED | RS_SEALED_DATA);
	KUNIT_EXPECT_EQ(test, rs_slotted(obj)->epoch, 0);
	rs_object_free(obj);
}

static void object_state(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *leaf = rst_leaf(g);
	u64 word;

	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, leaf), 0);
	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, obj),
			REFSTORE_STATE_SLOTTED);
	rs_candidate_add(g->heap, obj);
	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, obj),
			REFSTORE_STATE_SLOTTED | REFSTORE_STATE_CANDIDATE);
	rst_seal_all(g);
	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, leaf), RS_SEALED_SLOTS);
	word = rs_ref_read(&leaf->ref);
	atomic64_or(RS_REF_SATURATED, &leaf->ref.word);
	KUNIT_EXPECT_EQ(test, rs_object_state(g->heap, leaf), RS_SEALED_SLOTS |
			REFSTORE_STATE_SATURATED);
	atomic64_set(&leaf->ref.word, word);
}

/* A slot says whether it refers to a leaf, without a look at that. */
static void object_slot_value(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *leaf = rst_leaf(g);

	KUNIT_EXPECT_EQ(test, rs_slot_make(NULL), 0);
	KUNIT_EXPECT_EQ(test, rs_slot_make(obj), (unsigned long)obj);
	KUNIT_EXPECT_EQ(test, rs_slot_make(leaf), (unsigned long)leaf | 1);
	KUNIT_EXPECT_PTR_EQ(test, rs_slot_object(rs_slot_make(leaf)), leaf);
	KUNIT_EXPECT_PTR_EQ(test, rs_slot_object(rs_slot_make(obj)), obj);
}

/* From its first slot on, an object made during a scan is like all others. */
static void object_expose(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj, *leaf;

	g->heap->scan = 9;
	obj = rst_new(g, 1);
	leaf = rst_leaf(g);
	KUNIT_EXPECT_EQ(test, rs_slotted(obj)->epoch,
			9 << RS_EPOCH_SHIFT | RS_EPOCH_BORN);
	rs_object_expose(obj);
	rs_object_expose(leaf);
	KUNIT_EXPECT_EQ(test, rs_slotted(obj)->epoch, 0);
	rs_slotted(obj)->epoch = 9 << RS_EPOCH_SHIFT | RS_EPOCH_LIVE;
	rs_object_expose(obj);
	KUNIT_EXPECT_EQ(test, rs_slotted(obj)->epoch,
			9 << RS_EPOCH_SHIFT | RS_EPOCH_LIVE);
	g->heap->scan = 0;
}

/*
 * Get unless zero or dead (invariant I2): words that may be met in the table,
 * with the state of the descriptor, and what becomes of them.
 */
static const struct rst_tryget {
	const char *name;
	u64 word;
	enum rs_desc_state desc;
	int err;
	enum rs_desc_state after;
} rst_trygets[] = {
	{ "alive", 1, RS_DESC_NONE, 0, RS_DESC_NONE },
	{ "candidate", 2 | RS_REF_CANDIDATE, RS_DESC_PENDING, 0,
	  RS_DESC_PENDING },
	{ "dying", 0, RS_DESC_NONE, -ENOENT, RS_DESC_NONE },
	{ "dead", 2 | RS_REF_DEAD, RS_DESC_NONE, -ENOENT, RS_DESC_NONE },
	{ "dead and pending", 2 | RS_REF_DEAD, RS_DESC_PENDING, -ENOENT,
	  RS_DESC_PENDING },
	{ "limit", RS_REF_MAX, RS_DESC_NONE, -EOVERFLOW, RS_DESC_NONE },
	{ "saturated", RS_REF_SATURATED, RS_DESC_NONE, 0, RS_DESC_NONE },
	{ "suspect, pending", 2 | RS_REF_SUSPECT, RS_DESC_PENDING, 0,
	  RS_DESC_ABORTED },
	{ "suspect, aborted", 2 | RS_REF_SUSPECT, RS_DESC_ABORTED, 0,
	  RS_DESC_ABORTED },
	{ "suspect, committed", 2 | RS_REF_SUSPECT, RS_DESC_COMMITTED,
	  -ENOENT, RS_DESC_COMMITTED },
	{ "suspect, retired", 2 | RS_REF_SUSPECT, RS_DESC_NONE, 0,
	  RS_DESC_NONE },
};

KUNIT_ARRAY_PARAM_DESC(rst_tryget, rst_trygets, name);

static void object_tryget(struct kunit *test)
{
	const struct rst_tryget *try = test->param_value;
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 word = rs_ref_read(&obj->ref), after;

	atomic64_set(&obj->ref.word, try->word | RS_REF_TRACKED);
	atomic64_set(&g->heap->desc, 5 * RS_DESC_GENERATION + try->desc);
	spin_lock(&g->heap->table_lock);
	KUNIT_EXPECT_EQ(test, rs_object_tryget(g->heap, obj), try->err);
	spin_unlock(&g->heap->table_lock);
	after = try->word | RS_REF_TRACKED;
	if (!try->err && rs_word_count(try->word) != RS_REF_SATURATED)
		after += 1 + RS_REF_VERSION_ONE;
	KUNIT_EXPECT_EQ(test, rs_ref_read(&obj->ref), after);
	KUNIT_EXPECT_EQ(test, atomic64_read(&g->heap->desc),
			5 * RS_DESC_GENERATION + try->after);
	atomic64_set(&g->heap->desc, 0);
	atomic64_set(&obj->ref.word, word);
}

static struct kunit_case object_cases[] = {
	KUNIT_CASE(object_leaf_sizes),
	KUNIT_CASE(object_slotted_sizes),
	KUNIT_CASE(object_bytes),
	KUNIT_CASE(object_tail_room),
	KUNIT_CASE(object_leaves_tail),
	KUNIT_CASE(object_init),
	KUNIT_CASE(object_state),
	KUNIT_CASE(object_slot_value),
	KUNIT_CASE(object_expose),
	KUNIT_CASE_PARAM(object_tryget, rst_tryget_gen_params),
	{}
};

static struct kunit_suite object_suite = {
	.name = "refstore_object",
	.test_cases = object_cases,
};

kunit_test_suite(object_suite);
