// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps: the table of objects, what is accounted, the root, and the end.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/prandom.h>

#include "data.h"
#include "graph.h"
#include "limit.h"
#include "reclaim.h"
#include "slot.h"

static u64 rst_last_id(struct rst_graph *g)
{
	return g->held[g->nr_held - 1]->id;
}

/* Ids are given out in order and never again; indexes are used again. */
static void heap_ids(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	u32 i, used;

	for (i = 1; i <= 2000; i++) {
		rst_leaf(g);
		KUNIT_EXPECT_EQ(test, rst_last_id(g), i);
	}
	used = g->heap->table_used;
	/* And a cell in each page that is nobody's */
	KUNIT_EXPECT_EQ(test, used, 2004);
	rst_release_all(g);
	for (; i <= 4000; i++) {
		rst_new(g, 0);
		KUNIT_EXPECT_EQ(test, rst_last_id(g), i);
	}
	KUNIT_EXPECT_EQ(test, g->heap->table_used, used);
	KUNIT_EXPECT_EQ(test, g->heap->created, 4000);
	rst_audit(g);
}

static void heap_table(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 0);
	u32 index = obj->index;

	KUNIT_EXPECT_PTR_EQ(test, rst_at(g->heap, index), obj);
	KUNIT_EXPECT_NULL(test, rst_at(g->heap, index + 1));
	KUNIT_EXPECT_NULL(test, rst_at(g->heap, g->heap->table.len));
	KUNIT_EXPECT_NULL(test, rst_at(g->heap, RS_NO_INDEX));
	rst_release(g, obj);
	KUNIT_EXPECT_NULL(test, rst_at(g->heap, index));
}

/* Objects come and go in any order; the table is right at any time. */
static void heap_insert_and_remove(struct kunit *test)
{
	const u32 count = RST_COUNT(20000, 3000);
	struct rst_graph *g = rst_graph(test);
	struct rnd_state rnd;
	u32 i;

	prandom_seed_state(&rnd, 2);
	for (i = 0; i < count; i++) {
		if (!g->nr_held || (g->nr_held < 3000 &&
				    prandom_u32_state(&rnd) % 5 < 3))
			rst_adopt(g, rst_make(g, i % 2 ? U32_MAX : i % 40,
					      i % 70));
		else
			rst_release(g, g->held[prandom_u32_state(&rnd) %
					       g->nr_held]);
		if (i % 2000 == 0)
			rst_audit(g);
	}
	rst_audit(g);
	rst_release_all(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
	KUNIT_EXPECT_EQ(test, g->heap->bytes, 0);
}

/* Indexes that came free in any order are given out page by page. */
static void heap_neighbours(struct kunit *test)
{
	const u32 cells = PAGE_SIZE / sizeof(unsigned long);
	struct rst_graph *g = rst_graph(test);
	u32 i, page, before = 0, changes = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 3);
	for (i = 0; i < 4 * (cells - 1); i++)
		rst_leaf(g);
	while (g->nr_held)
		rst_release(g, g->held[prandom_u32_state(&rnd) % g->nr_held]);
	for (i = 0; i < 4 * (cells - 1); i++) {
		page = rst_leaf(g)->index / cells;
		changes += i && page != before;
		before = page;
	}
	KUNIT_EXPECT_EQ(test, changes, 3);
	KUNIT_EXPECT_EQ(test, g->heap->table_used, 4 * cells);
}

/* What the table holds can be had by its name, as long as it lives. */
static void heap_upgrade(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 0);
	struct rst_name name = rst_name(obj), other = name, none = name;

	other.id++;
	none.index++;
	KUNIT_EXPECT_PTR_EQ(test, rst_upgrade(g, name), obj);
	KUNIT_EXPECT_NULL(test, rst_upgrade(g, other));
	KUNIT_EXPECT_NULL(test, rst_upgrade(g, none));
	rst_release_all(g);
	KUNIT_EXPECT_NULL(test, rst_upgrade(g, name));
}

static int rst_try_insert(struct rst_graph *g)
{
	struct rs_spec spec = { .heap = g->heap, .data_len = 10 };
	struct rs_object *obj = rs_object_alloc(&spec);
	int err;

	KUNIT_ASSERT_NOT_NULL(g->test, obj);
	err = rs_heap_insert(g->heap, obj);
	if (err)
		rs_object_free(obj);
	else
		rst_adopt(g, obj);
	return err;
}

/* At a limit nothing is inserted and nothing is counted. */
static void heap_limits(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_heap *heap = g->heap;
	u64 room;

	rst_leaf(g);
	room = rs_heap_max(heap, RS_OBJECTS) - heap->objects;
	heap->objects += room;
	KUNIT_EXPECT_EQ(test, rst_try_insert(g),
			rs_refusal(REFSTORE_LIMIT_HEAP_OBJECTS));
	heap->objects--;
	KUNIT_EXPECT_EQ(test, rst_try_insert(g), 0);
	heap->objects -= room - 1;
	room = rs_heap_max(heap, RS_BYTES) - heap->bytes;
	heap->bytes += room;
	KUNIT_EXPECT_EQ(test, rst_try_insert(g),
			rs_refusal(REFSTORE_LIMIT_HEAP_BYTES));
	heap->bytes -= room;
	KUNIT_EXPECT_EQ(test, rst_try_insert(g), 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 3);
}

static void heap_charge(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 0);
	struct rs_heap *heap = g->heap;
	u64 before = heap->bytes, room = rs_heap_max(heap, RS_BYTES) - before;

	KUNIT_EXPECT_EQ(test, rs_heap_charge(heap, obj, room), 0);
	KUNIT_EXPECT_EQ(test, heap->bytes, rs_heap_max(heap, RS_BYTES));
	KUNIT_EXPECT_EQ(test, rs_heap_charge(heap, obj, 1),
			rs_refusal(REFSTORE_LIMIT_HEAP_BYTES));
	KUNIT_EXPECT_EQ(test, heap->bytes, rs_heap_max(heap, RS_BYTES));
	rs_heap_uncharge(heap, obj, room);
	KUNIT_EXPECT_EQ(test, heap->bytes, before);
	rst_audit(g);
}

static void heap_root(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *a = rst_new(g, 1), *leaf = rst_leaf(g), *root;
	struct rs_heap *heap = g->heap;

	KUNIT_EXPECT_EQ(test, rs_root_get(heap, &root), 0);
	KUNIT_EXPECT_NULL(test, root);
	KUNIT_EXPECT_EQ(test, rs_root_set(heap, a), 0);
	KUNIT_EXPECT_EQ(test, rs_root_get(heap, &root), 0);
	KUNIT_EXPECT_PTR_EQ(test, root, a);
	rst_adopt(g, root);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, rs_root_set(heap, leaf), 0);
	KUNIT_EXPECT_EQ(test, rs_root_set(heap, leaf), 0);
	rst_release_all(g);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 1);
	KUNIT_EXPECT_EQ(test, rs_root_set(heap, NULL), 0);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static void heap_root_cas(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *a = rst_new(g, 1), *b = rst_new(g, 1);
	struct rs_heap *heap = g->heap;

	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, a, b), -EAGAIN);
	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, NULL, a), 0);
	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, NULL, b), -EAGAIN);
	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, b, NULL), -EAGAIN);
	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, a, b), 0);
	KUNIT_EXPECT_PTR_EQ(test, heap->root, b);
	rst_audit(g);
	KUNIT_EXPECT_EQ(test, rs_root_cas(heap, b, NULL), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&b->ref), 1);
	rst_audit(g);
}

static void heap_root_overflow(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *a = rst_new(g, 1), *b = rst_new(g, 1), *root;
	u64 word;

	KUNIT_EXPECT_EQ(test, rs_root_set(g->heap, a), 0);
	word = rs_ref_read(&a->ref);
	atomic64_set(&a->ref.word, RS_REF_MAX | RS_REF_TRACKED);
	KUNIT_EXPECT_EQ(test, rs_root_get(g->heap, &root), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, rs_root_cas(g->heap, a, a), -EOVERFLOW);
	atomic64_set(&a->ref.word, word);
	word = rs_ref_read(&b->ref);
	atomic64_set(&b->ref.word, RS_REF_MAX | RS_REF_TRACKED);
	KUNIT_EXPECT_EQ(test, rs_root_set(g->heap, b), -EOVERFLOW);
	atomic64_set(&b->ref.word, word);
	KUNIT_EXPECT_PTR_EQ(test, g->heap->root, a);
	rst_audit(g);
}

/* A heap has its own number, and is in the list until it is gone. */
static void heap_list(struct kunit *test)
{
	struct rst_graph *one = rst_graph(test), *two = rst_graph(test);
	struct rs_heap *heap;
	u32 found = 0;
	u64 number = one->heap->number;

	KUNIT_EXPECT_GT(test, two->heap->number, number);
	rst_end(one);
	mutex_lock(&rs_heaps_lock);
	list_for_each_entry(heap, &rs_heaps, node) {
		KUNIT_EXPECT_NE(test, heap->number, number);
		found += heap == two->heap;
	}
	mutex_unlock(&rs_heaps_lock);
	KUNIT_EXPECT_EQ(test, found, 1);
}

/* Whatever is in it when the last reference goes is freed, of all kinds. */
static void heap_death(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj;
	u32 i;

	for (i = 0; i < 2000; i++) {
		obj = rst_make(g, i % 3 ? 1 + i % 99 : U32_MAX, i * 7 % 6000);
		if (i % 3)
			rst_link(g, obj, 0, i % 5 ? obj : NULL);
		if (i % 7)
			rs_put(g->heap, obj);
	}
	rs_root_set(g->heap, obj);
	rst_ring(g, 100);
	rst_end(g);
}

static void heap_death_waits_for_references(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_heap *heap = g->heap;

	rst_ring(g, 10);
	rs_heap_get(heap);
	rst_end(g);
	KUNIT_EXPECT_EQ(test, heap->objects, 10);
	KUNIT_EXPECT_FALSE(test, heap->dying);
	rs_heap_put(heap);
	rst_flush();
}

static bool rst_listed(const struct rs_heap *wanted)
{
	struct rs_heap *heap;
	bool found = false;

	mutex_lock(&rs_heaps_lock);
	list_for_each_entry(heap, &rs_heaps, node)
		found |= heap == wanted;
	mutex_unlock(&rs_heaps_lock);
	return found;
}

/* A heap that a reader of /proc looks at is not freed, nor taken out of the list. */
static void heap_death_waits_for_readers(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_heap *heap = g->heap;

	mutex_lock(&rs_heaps_lock);
	heap->readers += 2;
	mutex_unlock(&rs_heaps_lock);
	/* Not rst_end(), which waits for the end */
	rs_heap_get(heap);
	rst_end(g);
	rs_heap_put(heap);
	msleep(50);
	KUNIT_EXPECT_TRUE(test, rst_listed(heap));
	mutex_lock(&rs_heaps_lock);
	rs_heap_unpin(heap);
	mutex_unlock(&rs_heaps_lock);
	msleep(50);
	KUNIT_EXPECT_TRUE(test, rst_listed(heap));
	mutex_lock(&rs_heaps_lock);
	rs_heap_unpin(heap);
	mutex_unlock(&rs_heaps_lock);
	rst_flush();
	KUNIT_EXPECT_FALSE(test, rst_listed(heap));
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE(heap_ids),
	KUNIT_CASE(heap_table),
	KUNIT_CASE(heap_insert_and_remove),
	KUNIT_CASE(heap_neighbours),
	KUNIT_CASE(heap_upgrade),
	KUNIT_CASE(heap_limits),
	KUNIT_CASE(heap_charge),
	KUNIT_CASE(heap_root),
	KUNIT_CASE(heap_root_cas),
	KUNIT_CASE(heap_root_overflow),
	KUNIT_CASE(heap_list),
	KUNIT_CASE(heap_death),
	KUNIT_CASE(heap_death_waits_for_references),
	KUNIT_CASE(heap_death_waits_for_readers),
	{}
};

static struct kunit_suite heap_suite = {
	.name = "refstore_heap",
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);
