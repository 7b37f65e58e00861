// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: stores, their counts, and arrays that change their size and place
 * while they are read and written.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "graph.h"
#include "limit.h"
#include "reclaim.h"
#include "slot.h"

static void rst_seal(struct rst_graph *g, struct rs_object *obj)
{
	spin_lock(rs_slot_lock(g->heap, obj));
	obj->flags |= RS_SEALED_SLOTS;
	spin_unlock(rs_slot_lock(g->heap, obj));
}

/* Replaces the count; returns the word from before. */
static u64 rst_forge_count(struct rs_object *obj, u32 count)
{
	u64 word = rs_ref_read(&obj->ref);

	atomic64_set(&obj->ref.word, (word & ~RS_REF_COUNT_MASK) | count);
	return word;
}

/* Fills @nr slots from @first on with objects of their own, and returns them. */
static struct rs_object **rst_fill(struct rst_graph *g, struct rs_object *obj,
				   u32 first, u32 nr)
{
	struct rs_object **values;
	u32 i;

	values = kunit_kcalloc(g->test, nr, sizeof(*values), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, values);
	for (i = 0; i < nr; i++) {
		values[i] = rst_make(g, i % 3 ? 0 : U32_MAX, 0);
		rst_link(g, obj, first + i, values[i]);
		rs_put(g->heap, values[i]);
	}
	return values;
}

static void rst_expect_slots(struct rst_graph *g, struct rs_object *obj,
			     struct rs_object **values, u32 nr)
{
	u32 i, wrong = 0;

	for (i = 0; i < nr; i++)
		wrong += rst_slot(g, obj, i) != values[i];
	for (; i < rs_slots_nr(obj); i++)
		wrong += !!rst_slot(g, obj, i);
	KUNIT_EXPECT_EQ(g->test, wrong, 0);
}

static void slot_set(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 2), *a = rst_new(g, 0);
	struct rs_object *leaf = rst_leaf(g);

	rst_link(g, obj, 0, a);
	rst_link(g, obj, 1, leaf);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 2);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&leaf->ref), 2);
	KUNIT_EXPECT_PTR_EQ(test, rst_slot(g, obj, 0), a);
	KUNIT_EXPECT_PTR_EQ(test, rst_slot(g, obj, 1), leaf);
	rst_link(g, obj, 0, leaf);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 1);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&leaf->ref), 3);
	rst_link(g, obj, 0, NULL);
	KUNIT_EXPECT_NULL(test, rst_slot(g, obj, 0));
	rst_audit(g);
}

/* The new target is counted before the old one is dropped. */
static void slot_set_same(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *a = rst_new(g, 0);
	u64 version;

	rst_link(g, obj, 0, a);
	rst_release(g, a);
	version = rst_version(a);
	rst_link(g, obj, 0, a);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 1);
	KUNIT_EXPECT_NE(test, rst_version(a), version);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 2);
	rst_link(g, obj, 0, NULL);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
}

/* A store that fails takes nothing and changes nothing. */
static void slot_set_errors(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 3), *leaf = rst_leaf(g);
	struct rs_object *a = rst_new(g, 0);
	u64 word;

	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, leaf, 0, a), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, obj, 3, a), -ERANGE);
	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, obj, U32_MAX, a), -ERANGE);
	word = rst_forge_count(a, RS_REF_MAX);
	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, obj, 0, a), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), RS_REF_MAX);
	atomic64_set(&a->ref.word, word);
	rst_link(g, obj, 1, a);
	rst_seal(g, obj);
	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, obj, 0, a), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_slot_set(g->heap, obj, 1, NULL), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(g->heap, obj, 1, a, NULL), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 2);
	rst_audit(g);
}

static void slot_cas(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1), *a = rst_new(g, 0);
	struct rs_object *leaf = rst_leaf(g);
	struct rs_heap *heap = g->heap;

	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, a, leaf), -EAGAIN);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, NULL, leaf), 0);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, NULL, a), -EAGAIN);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, a, NULL), -EAGAIN);
	KUNIT_EXPECT_PTR_EQ(test, rst_slot(g, obj, 0), leaf);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, leaf, a), 0);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, a, a), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&leaf->ref), 1);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 2);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(heap, obj, 0, a, NULL), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 1);
	rst_audit(g);
}

/* Each reference that is read is counted. */
static void slot_read(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *values[RS_SLOT_CHUNK];
	struct rs_object *obj = rst_new(g, 100), **filled;
	int i;

	filled = rst_fill(g, obj, 0, 60);
	KUNIT_ASSERT_EQ(test, rs_slots_read(g->heap, obj, 50, 40, values), 40);
	for (i = 0; i < 40; i++) {
		KUNIT_EXPECT_PTR_EQ(test, values[i],
				    i < 10 ? filled[50 + i] : NULL);
		if (values[i])
			rst_adopt(g, values[i]);
	}
	rst_audit(g);
}

static void slot_read_errors(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *values[RS_SLOT_CHUNK];
	struct rs_object *obj = rst_new(g, 10), *leaf = rst_leaf(g);
	struct rs_heap *heap = g->heap;

	KUNIT_EXPECT_EQ(test, rs_slots_read(heap, leaf, 0, 1, values),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, rs_slots_read(heap, obj, 10, 1, values), -ERANGE);
	KUNIT_EXPECT_EQ(test, rs_slots_read(heap, obj, 9, 2, values), -ERANGE);
	KUNIT_EXPECT_EQ(test, rs_slots_read(heap, obj, U32_MAX, 2, values),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, rs_slots_check(obj, 0, 10), 0);
	KUNIT_EXPECT_EQ(test, rs_slots_check(obj, 10, 0), 0);
	KUNIT_EXPECT_EQ(test, rs_slots_check(obj, 1, U32_MAX), -ERANGE);
}

/* An object at its limit ends a read early; an error is only for the first. */
static void slot_read_overflow(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *values[RS_SLOT_CHUNK];
	struct rs_object *obj = rst_new(g, 3), *a = rst_new(g, 0);
	struct rs_object *b = rst_new(g, 0);
	u64 word;

	rst_link(g, obj, 0, a);
	rst_link(g, obj, 1, b);
	word = rst_forge_count(b, RS_REF_MAX);
	KUNIT_EXPECT_EQ(test, rs_slots_read(g->heap, obj, 0, 3, values), 1);
	KUNIT_EXPECT_PTR_EQ(test, values[0], a);
	rst_adopt(g, a);
	KUNIT_EXPECT_EQ(test, rs_slots_read(g->heap, obj, 1, 2, values),
			-EOVERFLOW);
	atomic64_set(&b->ref.word, word);
	rst_audit(g);
}

/* What is cut off is dropped, what is added is empty, in tail and array. */
static void slot_resize(struct kunit *test)
{
	static const u32 sizes[] = {
		26, 8, 3, 0, 26, 27, 26, 4, 300, 1000, 257, 256, 255, 700, 0,
		1, 5000, 3,
	};
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 26), **values;
	u32 i, old = 26, keep;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		values = rst_fill(g, obj, 0, old);
		keep = min(old, sizes[i]);
		KUNIT_ASSERT_EQ(test, rs_slots_resize(g->heap, obj, sizes[i]),
				0);
		KUNIT_EXPECT_EQ(test, rs_slots_nr(obj), sizes[i]);
		rst_expect_slots(g, obj, values, keep);
		KUNIT_EXPECT_EQ(test, rst_audit(g).objects, keep + 1);
		old = sizes[i];
	}
}

/* Resizing changes the word: what a scan has read of the slots is outdated. */
static void slot_resize_moves_version(struct kunit *test)
{
	static const u32 sizes[] = { 2, 4, 50, 40, 60, 0 };
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 3);
	u64 version;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		version = rst_version(obj);
		KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj, sizes[i]),
				0);
		KUNIT_EXPECT_NE(test, rst_version(obj), version);
	}
}

/* Data stands beside the slots in the tail, and does not move with them. */
static void slot_resize_with_data(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_make(g, 5, 200), **values;
	void *data = rs_object_data(obj);

	rst_adopt(g, obj);
	memset(data, 0x5a, 200);
	values = rst_fill(g, obj, 0, 5);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj, 6), 0);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj, 600), 0);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj, 20), 0);
	rst_expect_slots(g, obj, values, 5);
	KUNIT_EXPECT_PTR_EQ(test, rs_object_data(obj), data);
	KUNIT_EXPECT_EQ(test, rs_object_data_len(obj), 200);
	KUNIT_EXPECT_NULL(test, memchr_inv(data, 0x5a, 200));
	rst_audit(g);
}

static void slot_resize_errors(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 3), *leaf = rst_leaf(g);
	struct rs_object *array = rst_new(g, 40);
	struct rs_heap *heap = g->heap;

	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, leaf, 1), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, obj, RS_MAX_SLOTS + 1),
			-E2BIG);
	rst_seal(g, obj);
	rst_seal(g, array);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, obj, 2), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, obj, 200), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_slots_resize(heap, array, 20), -EPERM);
	KUNIT_EXPECT_EQ(test, rs_slots_nr(obj), 3);
	KUNIT_EXPECT_EQ(test, rs_slots_nr(array), 40);
	KUNIT_EXPECT_NULL(test, rs_slots_array(rs_slotted(array))->next);
	rst_audit(g);
}

/* Without quota the slots stay as they are. */
static void slot_resize_quota(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 40), **values;
	u64 room = rs_heap_max(g->heap, RS_BYTES) - g->heap->bytes;

	values = rst_fill(g, obj, 0, 40);
	g->heap->bytes += room;
	KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, obj, 4000),
			rs_refusal(REFSTORE_LIMIT_HEAP_BYTES));
	g->heap->bytes -= room;
	rst_expect_slots(g, obj, values, 40);
	rst_audit(g);
}

/*
 * A resize that is half done, by hand: what is copied already is stored in both
 * arrays, what is not only in the old one.
 */
static void slot_set_while_copied(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 600), *a = rst_new(g, 0);
	struct rs_slots *old = rs_slots_array(rs_slotted(obj));
	struct rs_slots *new = rs_slots_alloc(1000);

	KUNIT_ASSERT_NOT_NULL(test, new);
	old->next = new;
	old->copied = 256;
	rst_link(g, obj, 0, a);
	rst_link(g, obj, 255, a);
	rst_link(g, obj, 256, a);
	rst_link(g, obj, 599, a);
	KUNIT_EXPECT_PTR_EQ(test, rs_slot_object(new->slot[0]), a);
	KUNIT_EXPECT_PTR_EQ(test, rs_slot_object(new->slot[255]), a);
	KUNIT_EXPECT_EQ(test, new->slot[256], 0);
	KUNIT_EXPECT_EQ(test, new->slot[599], 0);
	KUNIT_EXPECT_EQ(test, rs_slot_cas(g->heap, obj, 0, a, NULL), 0);
	KUNIT_EXPECT_EQ(test, new->slot[0], 0);
	old->next = NULL;
	old->copied = 0;
	kvfree(new);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&a->ref), 4);
	rst_audit(g);
}

/* The scanner sees all slots, in pieces, and which of them are leaves. */
static void slot_peek(struct kunit *test)
{
	static const u32 sizes[] = { 0, 1, 15, 16, 17, 26, 27, 32, 600 };
	struct rst_graph *g = rst_graph(test);
	unsigned long buf[RS_PEEK];
	const unsigned long *slots;
	struct rs_object *obj, **values;
	u32 i, j, n, first;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = rst_new(g, sizes[i]);
		values = rst_fill(g, obj, 0, sizes[i]);
		for (first = 0; (n = rs_slots_peek(rs_slotted(obj), first, buf,
						   &slots)); first += n)
			for (j = 0; j < n; j++)
				KUNIT_EXPECT_EQ(test, slots[j],
						rs_slot_make(values[first + j]));
		KUNIT_EXPECT_EQ(test, first, sizes[i]);
	}
}

/* Slots on their way out of the tail: their words may be anything. */
static void slot_peek_moving(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 10);
	struct rs_slotted *slotted = rs_slotted(obj);
	unsigned long buf[RS_PEEK];
	const unsigned long *slots;

	rst_fill(g, obj, 0, 10);
	obj->shape |= RS_SHAPE_MOVING;
	KUNIT_EXPECT_EQ(test, rs_slots_peek(slotted, 0, buf, &slots), 0);
	obj->shape = RS_SHAPE_MOVING;
	KUNIT_EXPECT_EQ(test, rs_slots_peek(slotted, 0, buf, &slots), 0);
	obj->shape = 10;
	KUNIT_EXPECT_EQ(test, rs_slots_peek(slotted, 0, buf, &slots), 10);
}

/* A dying object's slots: the last first, each emptied before it is given. */
static void slot_pop(struct kunit *test)
{
	static const u32 sizes[] = { 5, 200 };
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj, **values;
	u32 i, nr;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = rst_new(g, sizes[i]);
		values = rst_fill(g, obj, 0, sizes[i] - 1);
		KUNIT_EXPECT_NULL(test, rs_slots_pop(rs_slotted(obj)));
		for (nr = sizes[i] - 1; nr--;) {
			rst_adopt(g, values[nr]);
			KUNIT_EXPECT_PTR_EQ(test, values[nr],
					    rs_slots_pop(rs_slotted(obj)));
			KUNIT_EXPECT_EQ(test, rs_slots_nr(obj), nr);
		}
	}
	rst_expect_counts(g);
	rst_release_all(g);
}

struct rst_writer {
	struct rst_graph *g;
	struct rs_object *obj;
	struct rs_object *value;
	u32 slots;
	u32 stores;
};

static int rst_write(void *data)
{
	struct rst_writer *w = data;
	u32 i;

	for (i = 0; !kthread_should_stop(); i++) {
		if (!rs_slot_set(w->g->heap, w->obj, i * 7 % w->slots,
				 i % 5 ? w->value : NULL))
			w->stores++;
		cond_resched();
	}
	return 0;
}

/* No store is lost, whatever a resize that runs meanwhile has copied then. */
static void slot_set_while_resized(struct kunit *test)
{
	const u32 rounds = RST_COUNT(2000, 100);
	struct rst_graph *g = rst_graph(test);
	struct rst_writer writer = { .g = g, .slots = 3000 };
	struct task_struct *task;
	u32 i;

	writer.obj = rst_new(g, 3000);
	writer.value = rst_new(g, 0);
	task = kthread_run(rst_write, &writer, "refstore_write");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < rounds; i++) {
		KUNIT_EXPECT_EQ(test, rs_slots_resize(g->heap, writer.obj,
						      i % 2 ? 3000 : 4000), 0);
		cond_resched();
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, writer.stores, 0);
	rst_audit(g);
}

static struct kunit_case slot_cases[] = {
	KUNIT_CASE(slot_set),
	KUNIT_CASE(slot_set_same),
	KUNIT_CASE(slot_set_errors),
	KUNIT_CASE(slot_cas),
	KUNIT_CASE(slot_read),
	KUNIT_CASE(slot_read_errors),
	KUNIT_CASE(slot_read_overflow),
	KUNIT_CASE(slot_resize),
	KUNIT_CASE(slot_resize_moves_version),
	KUNIT_CASE(slot_resize_with_data),
	KUNIT_CASE(slot_resize_errors),
	KUNIT_CASE(slot_resize_quota),
	KUNIT_CASE(slot_set_while_copied),
	KUNIT_CASE(slot_peek),
	KUNIT_CASE(slot_peek_moving),
	KUNIT_CASE(slot_pop),
	KUNIT_CASE(slot_set_while_resized),
	{}
};

static struct kunit_suite slot_suite = {
	.name = "refstore_slot",
	.test_cases = slot_cases,
};

kunit_test_suite(slot_suite);
