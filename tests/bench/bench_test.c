// SPDX-License-Identifier: GPL-2.0-only
/*
 * Native speed, kernel side: run on User Mode Linux with real lock prefixes, see
 * tests/vm/README.md. Each figure is the median of RUNS, printed as
 *
 *   refstore_bench: NAME NANOSECONDS
 *
 * in ns for one object, pair or operation. Nothing here can fail a test.
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

static void order_init(bool shuffled)
{
	u32 i, j;

	for (i = 0; i < MILLION; i++)
		order[i] = i;
	for (i = MILLION - 1; shuffled && i; i--) {
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

static void make_nodes(void)
{
	u32 i;

	for (i = 0; i < MILLION; i++)
		nodes[i] = make(2, 0);
}

/* A chain in @order; returns its head, which the caller has a reference to. */
static struct rs_object *make_chain(void)
{
	u32 i;

	make_nodes();
	for (i = 0; i < MILLION - 1; i++)
		hand_over(nodes[order[i]], nodes[order[i + 1]]);
	return nodes[order[0]];
}

static struct rs_object *make_ring(void)
{
	struct rs_object *head = make_chain();

	rs_slot_set(heap, nodes[order[MILLION - 1]], 0, head);
	return head;
}

/* Empties the queue of what building made candidates. */
static void settle(void)
{
	struct rs_scan_figures figures;

	rs_scan_collect(heap, &figures);
}

static u64 collect(u64 expected)
{
	struct rs_scan_figures figures;

	rs_scan_collect(heap, &figures);
	if (figures.reclaimed != expected)
		pr_warn("refstore_bench: %llu reclaimed, not %llu\n",
			figures.reclaimed, expected);
	return figures.nanoseconds * 1000 / MILLION;
}

static u64 scan_live_in(bool shuffled)
{
	struct rs_object *head;
	u64 ps;

	order_init(shuffled);
	head = make_ring();
	settle();
	if (!rs_ref_get(&head->ref))
		rs_put(heap, head);	/* a candidate */
	ps = collect(0);
	rs_put(heap, head);
	settle();
	return ps;
}

static u64 scan_live(void)
{
	return scan_live_in(false);
}

static u64 scan_live_shuffled(void)
{
	return scan_live_in(true);
}

static u64 scan_dead_in(bool shuffled)
{
	struct rs_object *head;

	order_init(shuffled);
	head = make_ring();
	settle();
	rs_put(heap, head);
	return collect(MILLION);
}

static u64 scan_dead(void)
{
	return scan_dead_in(false);
}

static u64 scan_dead_shuffled(void)
{
	return scan_dead_in(true);
}

static u64 scan_dead_pairs(void)
{
	u32 i;

	make_nodes();
	for (i = 0; i < MILLION; i += 2) {
		rs_slot_set(heap, nodes[i], 0, nodes[i + 1]);
		rs_slot_set(heap, nodes[i + 1], 0, nodes[i]);
	}
	settle();
	for (i = 0; i < MILLION; i++)
		rs_put(heap, nodes[i]);
	return collect(MILLION);
}

static u64 chain_release(void)
{
	struct rs_object *head;
	u64 start;

	order_init(false);
	head = make_chain();
	settle();
	start = ktime_get_ns();
	rs_put(heap, head);
	rs_reap_wait(heap);
	return per(start, ktime_get_ns(), MILLION);
}

static int bench_init(struct kunit *test)
{
	heap = rs_heap_create(GLOBAL_ROOT_UID);
	session = rs_session_create(heap);
	rs_heap_put(heap);
	nodes = vmalloc_array(MILLION, sizeof(*nodes));
	order = vmalloc_array(MILLION, sizeof(*order));
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
	measure("scan_dead_1m", scan_dead);
	measure("scan_dead_1m_shuffled", scan_dead_shuffled);
	measure("scan_dead_pairs_1m", scan_dead_pairs);
	measure("chain_release_1m", chain_release);
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
kunit_test_suite(bench_suite);
