// SPDX-License-Identifier: GPL-2.0-only
/*
 * Native speed, kernel side: run on User Mode Linux with real lock prefixes, see
 * tests/vm/README.md. Each figure is the median of RUNS, printed as
 *
 *   refstore_bench: NAME NANOSECONDS
 *
 * in ns for one object, pair, operation or collection. Nothing here can fail a
 * test.
 */
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "call.h"
#include "candidate.h"
#include "data.h"
#include "reclaim.h"
#include "scan.h"
#include "session.h"
#include "slot.h"

#define RUNS	5
#define MILLION	1000000U
#define MANY	(10 * MILLION)
#define BATCH	64U	/* operations under one hold of the session's lock */

static struct rs_heap *heap;
static struct rs_session *session;

static int by_value(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Runs @fn, which returns picoseconds for one operation, and prints. */
static void measure(const char *name, u64 (*fn)(void))
{
	u64 ps[RUNS];
	int i;

	for (i = 0; i < RUNS; i++) {
		ps[i] = fn();
		cond_resched();
	}
	sort(ps, RUNS, sizeof(ps[0]), by_value, NULL);
	pr_info("refstore_bench: %s %llu.%llu\n", name, ps[RUNS / 2] / 1000,
		ps[RUNS / 2] % 1000 / 100);
}

static u64 per(u64 start, u64 end, u64 operations)
{
	return (end - start) * 1000 / operations;
}

static u64 slab_pair(void)
{
	struct kmem_cache *cache;
	u64 start, end;
	u32 i;

	cache = kmem_cache_create("rs_bench", 96, 8, SLAB_ACCOUNT, NULL);
	start = ktime_get_ns();
	for (i = 0; i < MILLION; i++)
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	end = ktime_get_ns();
	kmem_cache_destroy(cache);
	return per(start, end, MILLION);
}

static struct rs_object *make(u32 nr_slots, u32 data_len)
{
	struct rs_spec spec = {
		.heap = heap,
		.type = REFSTORE_TYPE_OBJECT,
		.nr_slots = nr_slots,
		.data_len = data_len,
		.slotted = nr_slots,
	};
	struct rs_object *obj;
	int err;

	obj = rs_object_create(&spec, NULL, &err);
	if (!obj || rs_heap_insert(heap, obj))
		panic("out of memory");
	return obj;
}

static u64 handle_of(struct rs_object *obj)
{
	u64 handle;

	if (rs_handle_reserve(&session->handles, &handle))
		panic("out of memory");
	rs_handle_install(&session->handles, handle, obj);
	return handle;
}

static void release(u64 handle)
{
	rs_put(heap, rs_handle_take(&session->handles, handle));
}

static u64 create_release(void)
{
	u64 handles[BATCH], start, end;
	u32 i, j;

	start = ktime_get_ns();
	for (i = 0; i < MILLION / BATCH; i++) {
		mutex_lock(&session->lock);
		for (j = 0; j < BATCH; j++)
			handles[j] = handle_of(make(0, 64));
		mutex_unlock(&session->lock);
		mutex_lock(&session->lock);
		for (j = 0; j < BATCH; j++)
			release(handles[j]);
		mutex_unlock(&session->lock);
	}
	end = ktime_get_ns();
	return per(start, end, MILLION);
}

static u64 get_slot(void)
{
	u64 parent = handle_of(make(1, 0)), handles[BATCH], took = 0, start;
	struct rs_object *child = make(0, 8), *obj, *value;
	u32 i, j;

	rs_slot_set(heap, rs_handle_lookup(&session->handles, parent), 0,
		    child);
	for (i = 0; i < MILLION / BATCH; i++) {
		start = ktime_get_ns();
		mutex_lock(&session->lock);
		for (j = 0; j < BATCH; j++) {
			obj = rs_handle_lookup(&session->handles, parent);
			rs_slots_read(heap, obj, 0, 1, &value);
			handles[j] = handle_of(value);
		}
		mutex_unlock(&session->lock);
		took += ktime_get_ns() - start;
		for (j = 0; j < BATCH; j++)
			release(handles[j]);
	}
	rs_put(heap, child);
	release(parent);
	return per(0, took, MILLION);
}

static u64 set_slot(void)
{
	u64 parent = handle_of(make(1, 0)), start, end, values[2];
	struct rs_object *obj, *value;
	u32 i, j;

	values[0] = handle_of(make(1, 0));
	values[1] = handle_of(make(1, 0));
	start = ktime_get_ns();
	for (i = 0; i < MILLION / BATCH; i++) {
		mutex_lock(&session->lock);
		for (j = 0; j < BATCH; j++) {
			obj = rs_handle_lookup(&session->handles, parent);
			value = rs_handle_lookup(&session->handles,
						 values[j % 2]);
			rs_slot_set(heap, obj, 0, value);
		}
		mutex_unlock(&session->lock);
	}
	end = ktime_get_ns();
	release(parent);
	release(values[0]);
	release(values[1]);
	return per(start, end, MILLION);
}

static struct rs_object **nodes;
static u32 *order;

static void order_init(u32 count, bool shuffled)
{
	u32 i, j;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; shuffled && i; i--) {
		j = get_random_u32() % (i + 1);
		swap(order[i], order[j]);
	}
}

/* Lets slot 0 of @from refer to @to, whose creating reference moves there. */
static void hand_over(struct rs_object *from, struct rs_object *to)
{
	rs_slot_set(heap, from, 0, to);
	rs_put(heap, to);
}

static void make_nodes(u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		nodes[i] = make(2, 0);
}

/* A chain in @order; returns its head, which the caller has a reference to. */
static struct rs_object *make_chain(u32 count)
{
	u32 i;

	make_nodes(count);
	for (i = 0; i < count - 1; i++)
		hand_over(nodes[order[i]], nodes[order[i + 1]]);
	return nodes[order[0]];
}

static struct rs_object *make_ring(u32 count)
{
	struct rs_object *head = make_chain(count);

	rs_slot_set(heap, nodes[order[count - 1]], 0, head);
	return head;
}

/* Empties the queues of what building made candidates. */
static void settle(void)
{
	struct rs_scan_figures figures;

	rs_scan_collect(heap, RS_GENERATIONS - 1, &figures);
}

/* Returns picoseconds of a whole collection. */
static u64 collect(u64 expected)
{
	struct rs_scan_figures figures;

	rs_scan_collect(heap, RS_GENERATIONS - 1, &figures);
	if (figures.reclaimed != expected)
		pr_warn("refstore_bench: %llu reclaimed, not %llu\n",
			figures.reclaimed, expected);
	return figures.nanoseconds * 1000;
}

/*
 * Structures as their making leaves them: each of their objects is a candidate,
 * as each is on CPython's list. From @one, the head alone is: then whoever
 * scans must go from object to object.
 */
static u64 scan_live_in(u32 count, bool shuffled, bool one)
{
	struct rs_object *head;
	u64 ps;

	order_init(count, shuffled);
	head = make_ring(count);
	if (one)
		settle();
	if (!rs_ref_get(&head->ref))
		rs_put(heap, head);	/* a candidate */
	ps = collect(0);
	rs_put(heap, head);
	settle();
	return ps / count;
}

static u64 scan_live(void)
{
	return scan_live_in(MILLION, false, false);
}

static u64 scan_live_shuffled(void)
{
	return scan_live_in(MILLION, true, false);
}

static u64 scan_live_one(void)
{
	return scan_live_in(MILLION, false, true);
}

static u64 scan_live_one_shuffled(void)
{
	return scan_live_in(MILLION, true, true);
}

static u64 scan_live_many(void)
{
	return scan_live_in(MANY, false, false);
}

static u64 scan_dead_in(u32 count, bool shuffled, bool one)
{
	struct rs_object *head;

	order_init(count, shuffled);
	head = make_ring(count);
	if (one)
		settle();
	rs_put(heap, head);
	return collect(count) / count;
}

static u64 scan_dead(void)
{
	return scan_dead_in(MILLION, false, false);
}

static u64 scan_dead_shuffled(void)
{
	return scan_dead_in(MILLION, true, false);
}

static u64 scan_dead_one(void)
{
	return scan_dead_in(MILLION, false, true);
}

static u64 scan_dead_one_shuffled(void)
{
	return scan_dead_in(MILLION, true, true);
}

static u64 scan_dead_pairs(void)
{
	u32 i;

	make_nodes(MILLION);
	for (i = 0; i < MILLION; i += 2) {
		rs_slot_set(heap, nodes[i], 0, nodes[i + 1]);
		rs_slot_set(heap, nodes[i + 1], 0, nodes[i]);
	}
	settle();
	for (i = 0; i < MILLION; i++)
		rs_put(heap, nodes[i]);
	return collect(MILLION) / MILLION;
}

/*
 * pyperformance's gc_collect: 100 cycles of 21 nodes, each linked to the next
 * one and back, made and dropped. A collection in ns.
 */
static u64 gc_collect(void)
{
	const u32 cycles = 100, length = 21;
	u32 i, j, first;

	make_nodes(cycles * length);
	for (i = 0; i < cycles; i++) {
		first = i * length;
		for (j = 0; j < length; j++) {
			rs_slot_set(heap, nodes[first + j], 0,
				    nodes[first + (j + 1) % length]);
			rs_slot_set(heap, nodes[first + j], 1,
				    nodes[first + (j + length - 1) % length]);
		}
	}
	for (i = 0; i < cycles * length; i++)
		rs_put(heap, nodes[i]);
	return collect(cycles * length);
}

/*
 * pyperformance's gc_traversal: 1000 lists, of which the k-th refers k times to
 * the one before. A collection, which finds nothing, in ns.
 */
static u64 gc_traversal(void)
{
	struct rs_object *list = make(1, 0), *before;
	u32 k, i;
	u64 ps;

	for (k = 1; k < 1000; k++) {
		before = list;
		list = make(k, 0);
		for (i = 0; i < k; i++)
			rs_slot_set(heap, list, i, before);
		rs_put(heap, before);
	}
	if (!rs_ref_get(&list->ref))
		rs_put(heap, list);
	ps = collect(0);
	rs_put(heap, list);
	rs_reap_wait(heap);
	return ps;
}

static u64 chain_release(void)
{
	struct rs_object *head;
	u64 start;

	order_init(MILLION, false);
	head = make_chain(MILLION);
	settle();
	start = ktime_get_ns();
	rs_put(heap, head);
	rs_reap_wait(heap);
	return per(start, ktime_get_ns(), MILLION);
}

static int bench_init(struct kunit *test)
{
	struct rs_payer payer;

	if (rs_payer_init(&payer, GLOBAL_ROOT_UID, true))
		return -ENOMEM;
	heap = rs_heap_create(&payer);
	session = rs_session_create(heap, &payer, REFSTORE_RIGHTS);
	rs_heap_put(heap);
	rs_payer_put(&payer);
	/* A scan runs when it is measured, not when it likes */
	heap->automatic = false;
	nodes = vmalloc_array(MANY, sizeof(*nodes));
	order = vmalloc_array(MANY, sizeof(*order));
	return nodes && order ? 0 : -ENOMEM;
}

static void bench_exit(struct kunit *test)
{
	rs_session_close(session);
	vfree(nodes);
	vfree(order);
}

static void bench_operations(struct kunit *test)
{
	measure("slab_pair", slab_pair);
	measure("create_release_64b", create_release);
	measure("get_slot", get_slot);
	measure("set_slot", set_slot);
}

static void bench_scans(struct kunit *test)
{
	measure("scan_live_1m", scan_live);
	measure("scan_live_1m_shuffled", scan_live_shuffled);
	measure("scan_live_1m_from_one", scan_live_one);
	measure("scan_live_1m_from_one_shuffled", scan_live_one_shuffled);
	measure("scan_live_10m", scan_live_many);
	measure("scan_dead_1m", scan_dead);
	measure("scan_dead_1m_shuffled", scan_dead_shuffled);
	measure("scan_dead_1m_from_one", scan_dead_one);
	measure("scan_dead_1m_from_one_shuffled", scan_dead_one_shuffled);
	measure("scan_dead_pairs_1m", scan_dead_pairs);
	measure("chain_release_1m", chain_release);
	measure("gc_collect", gc_collect);
	measure("gc_traversal", gc_traversal);
}

/* For a picture: a ring of so many objects, alive and then dead. */
static void bench_size(struct kunit *test)
{
	u32 count;

	for (count = 1000; count <= MANY; count *= 10) {
		pr_info("refstore_bench: size_live_%u %llu\n", count,
			scan_live_in(count, false, false));
		pr_info("refstore_bench: size_live_shuffled_%u %llu\n", count,
			scan_live_in(count, true, false));
		pr_info("refstore_bench: size_dead_%u %llu\n", count,
			scan_dead_in(count, false, false));
		pr_info("refstore_bench: size_dead_shuffled_%u %llu\n", count,
			scan_dead_in(count, true, false));
		cond_resched();
	}
}

static struct kunit_case bench_cases[] = {
	KUNIT_CASE(bench_operations),
	KUNIT_CASE_SLOW(bench_scans),
	{}
};

static struct kunit_suite bench_suite = {
	.name = "refstore_bench",
	.init = bench_init,
	.exit = bench_exit,
	.test_cases = bench_cases,
};

static struct kunit_case size_cases[] = {
	KUNIT_CASE_SLOW(bench_size),
	{}
};

static struct kunit_suite size_suite = {
	.name = "refstore_size",
	.init = bench_init,
	.exit = bench_exit,
	.test_cases = size_cases,
};

kunit_test_suites(&bench_suite, &size_suite);
