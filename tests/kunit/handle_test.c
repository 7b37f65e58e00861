// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: a handle names its object while it is installed, and never another.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "graph.h"
#include "handle.h"
#include "reclaim.h"
#include "session.h"

#define RST_REUSES	RST_COUNT(5000, 500)
#define RST_TAG_MASK	GENMASK_ULL(62, RS_HANDLE_INDEX_BITS)

/* A table, and who pays for it. */
struct rst_handles {
	struct rs_handles handles;
	struct rs_payer payer;
};

static void rst_handles_free(void *data)
{
	struct rst_handles *table = data;

	rs_handles_free(&table->handles);
	rs_payer_put(&table->payer);
}

static struct rs_handles *rst_handles(struct kunit *test)
{
	struct rst_handles *table;

	table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, rs_payer_init(&table->payer, GLOBAL_ROOT_UID,
					    true), 0);
	rs_handles_init(&table->handles, &table->payer);
	KUNIT_ASSERT_EQ(test, kunit_add_action(test, rst_handles_free, table),
			0);
	return &table->handles;
}

/* A handle of @obj, whose reference it takes over. */
static u64 rst_handle(struct kunit *test, struct rs_handles *handles,
		      struct rs_object *obj)
{
	u64 handle = 0;

	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	rs_handle_install(handles, handle, obj);
	return handle;
}

static u64 rst_counted_handle(struct rst_graph *g, struct rs_handles *handles,
			      struct rs_object *obj)
{
	KUNIT_EXPECT_EQ(g->test, rs_ref_get(&obj->ref), 0);
	return rst_handle(g->test, handles, obj);
}

/* Until it is installed a handle names nothing; so does it when it is gone. */
static void handle_life(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 handle;

	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	KUNIT_EXPECT_NE(test, handle, 0);
	KUNIT_EXPECT_EQ(test, handle >> 63, 0);
	KUNIT_EXPECT_EQ(test, handles->nr, 1);
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, handle));
	rs_handle_install(handles, handle, obj);
	KUNIT_EXPECT_PTR_EQ(test, rs_handle_lookup(handles, handle), obj);
	KUNIT_EXPECT_PTR_EQ(test, rs_handle_take(handles, handle), obj);
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, handle));
	KUNIT_EXPECT_NULL(test, rs_handle_take(handles, handle));
	KUNIT_EXPECT_EQ(test, handles->nr, 0);
}

/* What was reserved and is not wanted after all leaves nothing behind. */
static void handle_unreserve(struct kunit *test)
{
	struct rs_handles *handles = rst_handles(test);
	u64 handle, next;

	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	KUNIT_EXPECT_NULL(test, rs_handle_take(handles, handle));
	KUNIT_EXPECT_EQ(test, handles->nr, 1);
	rs_handle_cancel(handles, handle);
	KUNIT_EXPECT_EQ(test, handles->nr, 0);
	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &next), 0);
	KUNIT_EXPECT_NE(test, next, handle);
	KUNIT_EXPECT_EQ(test, handles->used, 1);
}

/* Numbers that were never handles, some of them nearly. */
static void handle_wild(struct kunit *test)
{
	struct rs_handles *handles = rst_handles(test);
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 handle;
	u32 i;

	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, 0));
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, U64_MAX));
	handle = rst_handle(test, handles, obj);
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, 0));
	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, handle ^
							 BIT_ULL(i)));
	KUNIT_EXPECT_PTR_EQ(test, rs_handle_lookup(handles, handle), obj);
}

/* The number that an entry will have next names nothing, and takes nothing. */
static void handle_guessed(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 handle, next;

	handle = rst_handle(test, handles, obj);
	rs_handle_take(handles, handle);
	next = rs_handle_at(handles, 0)->tag & RST_TAG_MASK;
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, next));
	KUNIT_EXPECT_NULL(test, rs_handle_take(handles, next));
	KUNIT_EXPECT_EQ(test, handles->nr, 0);
	KUNIT_EXPECT_EQ(test, rst_handle(test, handles, obj), next);
	KUNIT_EXPECT_NE(test, rst_handle(test, handles, obj), next);
	KUNIT_EXPECT_EQ(test, handles->used, 2);
}

static void handle_many(struct kunit *test)
{
	const u32 count = 2000;
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	u64 *handle;
	u32 i;

	handle = kunit_kcalloc(test, count, sizeof(*handle), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, handle);
	for (i = 0; i < count; i++)
		handle[i] = rst_handle(test, handles, rst_new(g, 0));
	KUNIT_EXPECT_EQ(test, handles->nr, count);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_PTR_EQ(test, rs_handle_lookup(handles, handle[i]),
				    g->held[i]);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_PTR_EQ(test, rs_handle_take(handles, handle[i]),
				    g->held[i]);
	for (i = 0; i < count; i++)
		rst_handle(test, handles, g->held[i]);
	KUNIT_EXPECT_EQ(test, handles->used, count);
}

/* Thousands of handles of one entry: a stale one never comes to life again. */
static void handle_stale(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	struct rs_object *obj = rst_new(g, 1);
	u64 *stale;
	u32 i, j, alive = 0;

	stale = kunit_kcalloc(test, RST_REUSES, sizeof(*stale), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stale);
	for (i = 0; i < RST_REUSES; i++) {
		stale[i] = rst_handle(test, handles, obj);
		for (j = 0; j < i; j++)
			alive += !!rs_handle_lookup(handles, stale[j]);
		rs_handle_take(handles, stale[i]);
		alive += !!rs_handle_lookup(handles, stale[i]);
	}
	KUNIT_EXPECT_EQ(test, alive, 0);
	KUNIT_EXPECT_EQ(test, handles->used, 1);
}

/* Another session's handles are none, not even with the same indexes. */
static void handle_foreign(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *obj = rst_new(g, 1);
	struct rs_handles *other;
	u32 i;

	for (i = 0; i < 50; i++) {
		struct rs_handles *one = rst_handles(test);
		u64 handle = rst_handle(test, one, obj);

		other = rst_handles(test);
		rst_handle(test, other, obj);
		KUNIT_EXPECT_NULL(test, rs_handle_lookup(other, handle));
		KUNIT_EXPECT_NULL(test, rs_handle_take(other, handle));
	}
}

/*
 * An entry whose generations are used up is given up: it matches nothing, and
 * the next handle has another one.
 */
static void handle_retires(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	struct rs_object *obj = rst_new(g, 1);
	struct rs_handle *entry;
	u64 handle, next;

	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	entry = rs_handle_at(handles, 0);
	entry->tag = (handles->first_tag - handles->stride) & RST_TAG_MASK;
	if (!entry->tag)	/* no generation is zero */
		entry->tag = (entry->tag - handles->stride) & RST_TAG_MASK;
	handle = entry->tag;
	rs_handle_install(handles, handle, obj);
	KUNIT_EXPECT_PTR_EQ(test, rs_handle_take(handles, handle), obj);
	KUNIT_EXPECT_EQ(test, entry->tag, 0);
	KUNIT_EXPECT_EQ(test, handles->nr, 0);
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, handle));
	KUNIT_EXPECT_NULL(test, rs_handle_lookup(handles, 0));
	next = rst_handle(test, handles, obj);
	KUNIT_EXPECT_EQ(test, next & RS_HANDLE_INDEX_MASK, 1);
}

/* The generation after the last number is not zero: no handle ever is. */
static void handle_never_zero(struct kunit *test)
{
	struct rs_handles *handles = rst_handles(test);
	struct rs_handle *entry;
	u64 handle;

	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	entry = rs_handle_at(handles, 0);
	entry->tag = -handles->stride & RST_TAG_MASK;
	handles->first_tag = 0;		/* nowhere in the way */
	rs_handle_cancel(handles, entry->tag);
	KUNIT_ASSERT_EQ(test, rs_handle_reserve(handles, &handle), 0);
	KUNIT_EXPECT_EQ(test, handle, handles->stride);
}

/*
 * A walk through a small field with the same steps comes to every generation
 * before one comes again: the stride is odd.
 */
static void handle_stride(struct kunit *test)
{
	u32 i;

	for (i = 0; i < 100; i++) {
		struct rs_handles handles = {};

		rs_handles_init(&handles, NULL);
		KUNIT_EXPECT_TRUE(test, handles.stride &
				  BIT_ULL(RS_HANDLE_INDEX_BITS));
		KUNIT_EXPECT_EQ(test, handles.stride & ~RST_TAG_MASK, 0);
		KUNIT_EXPECT_EQ(test, handles.first_tag & ~RST_TAG_MASK, 0);
		KUNIT_EXPECT_NE(test, handles.first_tag, 0);
	}
}

static void handle_limit(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *handles = rst_handles(test);
	u64 handle = rst_handle(test, handles, rst_new(g, 0)), more = 0;

	handles->nr = rs_handles_max();
	KUNIT_EXPECT_EQ(test, rs_handle_reserve(handles, &more),
			rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES));
	KUNIT_EXPECT_EQ(test, handles->nr, rs_handles_max());
	rs_handle_take(handles, handle);
	KUNIT_EXPECT_EQ(test, rs_handle_reserve(handles, &more), 0);
	KUNIT_EXPECT_EQ(test, rs_handle_reserve(handles, &handle),
			rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES));
}

/* Entries that are used up count no more as handles, but have their indexes. */
static void handle_indexes_run_out(struct kunit *test)
{
	struct rs_handles *handles = rst_handles(test);
	const u32 pages = RS_HANDLE_MAX * sizeof(struct rs_handle) / PAGE_SIZE;
	struct rs_dir *dir;
	u64 handle = 0;

	dir = kvzalloc(struct_size(dir, page, pages + 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dir);
	dir->room = pages + 1;
	dir->page[pages] = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	RCU_INIT_POINTER(handles->vec.dir, dir);
	handles->vec.len = (pages + 1) * (PAGE_SIZE / sizeof(struct rs_handle));
	handles->used = RS_HANDLE_MAX;
	KUNIT_EXPECT_EQ(test, rs_handle_reserve(handles, &handle),
			rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES));
	KUNIT_EXPECT_EQ(test, handles->used, RS_HANDLE_MAX);
	RCU_INIT_POINTER(handles->vec.dir, NULL);
	handles->vec.len = 0;
	kvfree(dir);
}

/* A table with @count handles of @obj, every third of them removed again. */
static u64 *rst_some_handles(struct rst_graph *g, struct rs_handles *handles,
			     struct rs_object *obj, u32 count)
{
	u64 *handle;
	u32 i;

	handle = kunit_kcalloc(g->test, count, sizeof(*handle), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, handle);
	for (i = 0; i < count; i++)
		handle[i] = rst_counted_handle(g, handles, obj);
	for (i = 0; i < count; i += 3)
		rs_put(g->heap, rs_handle_take(handles, handle[i]));
	return handle;
}

static struct rs_handles *rst_clone(struct kunit *test, struct rs_handles *from)
{
	struct rs_handles *to = rst_handles(test);
	u32 i, n;

	for (i = 0; i < from->used; i += n) {
		n = min(from->used - i, 100U);
		KUNIT_ASSERT_EQ(test, rs_handles_clone(to, from, i, n), 0);
	}
	return to;
}

/* The same handles are valid in both, and each has a reference of its own. */
static void handle_clone(struct kunit *test)
{
	const u32 count = 1000;
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *from = rst_handles(test), *to;
	struct rs_object *obj = rst_new(g, 0);
	u64 *handle = rst_some_handles(g, from, obj, count);
	u32 i, refs = rs_ref_count(&obj->ref);

	to = rst_clone(test, from);
	KUNIT_EXPECT_EQ(test, to->nr, from->nr);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), refs + from->nr);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_PTR_EQ(test, rs_handle_lookup(to, handle[i]),
				    i % 3 ? obj : NULL);
	for (i = 0; i < count; i++)
		if (i % 3)
			rs_put(g->heap, rs_handle_take(to, handle[i]));
	KUNIT_EXPECT_EQ(test, to->nr, 0);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), refs);
}

/* Removes and makes handles of every entry, and of new ones. */
static u32 rst_mint(struct rst_graph *g, struct rs_handles *handles,
		    struct rs_object *obj, u64 *inherited, u32 count, u64 *mint)
{
	struct rs_object *taken;
	u32 i, n = 0;

	for (i = 0; i < count; i++) {
		if (i % 3 == 0)
			continue;
		taken = rs_handle_take(handles, inherited[i]);
		KUNIT_EXPECT_PTR_EQ(g->test, taken, obj);
		rs_put(g->heap, taken);
	}
	for (i = 0; i < 2 * count; i++)
		mint[n++] = rst_counted_handle(g, handles, obj);
	return n;
}

/* What either of them mints after they part is not valid in the other. */
static void handle_clone_parts(struct kunit *test)
{
	const u32 count = 600;
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *from = rst_handles(test), *to;
	struct rs_object *obj = rst_new(g, 0);
	u64 *handle = rst_some_handles(g, from, obj, count);
	u64 *mint = kunit_kcalloc(test, 2 * count, sizeof(*mint), GFP_KERNEL);
	u32 i, n, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, mint);
	to = rst_clone(test, from);
	n = rst_mint(g, from, obj, handle, count, mint);
	for (i = 0; i < n; i++)
		wrong += !!rs_handle_lookup(to, mint[i]);
	n = rst_mint(g, to, obj, handle, count, mint);
	for (i = 0; i < n; i++)
		wrong += !!rs_handle_lookup(from, mint[i]);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* An entry that is used up is so in the clone. */
static void handle_clone_retired(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *from = rst_handles(test), *to;
	struct rs_object *obj = rst_new(g, 0);
	u64 handle;

	handle = rst_handle(test, from, obj);
	rs_handle_take(from, handle);
	from->free = RS_HANDLE_NONE;
	rs_handle_at(from, 0)->tag = 0;
	to = rst_clone(test, from);
	KUNIT_EXPECT_EQ(test, rs_handle_at(to, 0)->tag, 0);
	handle = rst_handle(test, to, obj);
	KUNIT_EXPECT_EQ(test, handle & RS_HANDLE_INDEX_MASK, 1);
}

static void handle_clone_overflow(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_handles *from = rst_handles(test), *to = rst_handles(test);
	struct rs_object *obj = rst_new(g, 0);
	u64 word = rs_ref_read(&obj->ref);

	rst_handle(test, from, obj);
	atomic64_set(&obj->ref.word, (word & ~RS_REF_COUNT_MASK) | RS_REF_MAX);
	KUNIT_EXPECT_EQ(test, rs_handles_clone(to, from, 0, 1), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, to->nr, 0);
	KUNIT_EXPECT_NULL(test, rs_handle_at(to, 0)->ref);
	atomic64_set(&obj->ref.word, word);
}

static struct rs_session *rst_session(struct rst_graph *g)
{
	return rs_session_create(g->heap, &g->heap->payer, REFSTORE_RIGHTS);
}

/* A session that ends gives back what it held, however much that is. */
static void session_close(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_session *session = rst_session(g);
	struct rs_object *obj = rst_new(g, 0);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, session);
	for (i = 0; i < 5000; i++)
		rst_counted_handle(g, &session->handles, obj);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), 5001);
	rs_session_close(session);
	rst_flush();
	KUNIT_EXPECT_EQ(test, rs_ref_count(&obj->ref), 1);
	KUNIT_EXPECT_TRUE(test, xa_empty(&g->heap->sessions));
	KUNIT_EXPECT_EQ(test, refcount_read(&g->heap->refs), 1);
	rst_audit(g);
}

/* What only a session holds lives as long as it, and then goes, cycles too. */
static void session_clone(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_session *session = rst_session(g), *clone;
	struct rs_object *ring = rst_ring(g, 10);
	u64 handle;

	KUNIT_ASSERT_NOT_NULL(test, session);
	handle = rst_counted_handle(g, &session->handles, ring);
	rst_release(g, ring);
	clone = rs_session_clone(session, &g->heap->payer);
	KUNIT_ASSERT_FALSE(test, IS_ERR(clone));
	KUNIT_EXPECT_NE(test, clone->number, session->number);
	rs_session_close(session);
	rst_collect(g);
	KUNIT_EXPECT_EQ(test, g->heap->objects, 10);
	KUNIT_EXPECT_PTR_EQ(test, rs_handle_lookup(&clone->handles, handle),
			    ring);
	rs_session_close(clone);
	KUNIT_EXPECT_EQ(test, rst_collect(g).reclaimed, 10);
	KUNIT_EXPECT_EQ(test, rst_audit(g).objects, 0);
}

static struct kunit_case handle_cases[] = {
	KUNIT_CASE(handle_life),
	KUNIT_CASE(handle_unreserve),
	KUNIT_CASE(handle_wild),
	KUNIT_CASE(handle_guessed),
	KUNIT_CASE(handle_many),
	KUNIT_CASE(handle_stale),
	KUNIT_CASE(handle_foreign),
	KUNIT_CASE(handle_retires),
	KUNIT_CASE(handle_never_zero),
	KUNIT_CASE(handle_stride),
	KUNIT_CASE(handle_limit),
	KUNIT_CASE(handle_indexes_run_out),
	KUNIT_CASE(handle_clone),
	KUNIT_CASE(handle_clone_parts),
	KUNIT_CASE(handle_clone_retired),
	KUNIT_CASE(handle_clone_overflow),
	KUNIT_CASE(session_close),
	KUNIT_CASE(session_clone),
	{}
};

static struct kunit_suite handle_suite = {
	.name = "refstore_handle",
	.test_cases = handle_cases,
};

kunit_test_suite(handle_suite);
