// SPDX-License-Identifier: GPL-2.0-only
/*
 * The growing array: it grows, and no entry moves.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "graph.h"
#include "vec.h"

#define RST_PER_PAGE	(PAGE_SIZE / sizeof(u64))

/* Fills pages of @vec from @first to @last with numbers of their own. */
static void rst_vec_fill(struct kunit *test, struct rs_vec *vec, u32 first,
			 u32 last)
{
	u32 i, page;
	u64 *entry;

	for (page = first; page < last; page++) {
		KUNIT_ASSERT_EQ(test, rs_vec_grow(vec, sizeof(u64)), 0);
		KUNIT_ASSERT_EQ(test, vec->len, (page + 1) * RST_PER_PAGE);
		for (i = 0; i < RST_PER_PAGE; i++) {
			entry = rs_vec_at(vec, page * RST_PER_PAGE + i,
					  sizeof(u64));
			KUNIT_EXPECT_EQ(test, *entry, 0);
			*entry = (unsigned long)entry;
		}
	}
}

/* Each entry is where it was when it was filled. */
static void rst_vec_check(struct kunit *test, struct rs_vec *vec)
{
	u32 i, wrong = 0;
	u64 *entry;

	for (i = 0; i < vec->len; i++) {
		entry = rs_vec_at(vec, i, sizeof(u64));
		wrong += *entry != (unsigned long)entry;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* The directory is replaced several times meanwhile. */
static void vec_grow(struct kunit *test)
{
	struct rs_vec vec = {};
	u32 pages;

	for (pages = 0; pages < 100; pages += 5) {
		rst_vec_fill(test, &vec, pages, pages + 5);
		rst_vec_check(test, &vec);
	}
	rs_vec_free(&vec, sizeof(u64));
	KUNIT_EXPECT_EQ(test, vec.len, 0);
}

static void vec_grow_again(struct kunit *test)
{
	struct rs_vec vec = {};

	rs_vec_free(&vec, sizeof(u64));
	rst_vec_fill(test, &vec, 0, 10);
	rs_vec_free(&vec, sizeof(u64));
	rst_vec_fill(test, &vec, 0, 3);
	rst_vec_check(test, &vec);
	rs_vec_free(&vec, sizeof(u64));
}

/* Entries of another size stand side by side, too. */
static void vec_entry_size(struct kunit *test)
{
	const size_t size = 16;
	struct rs_vec vec = {};
	void *first, *last;
	u32 i;

	for (i = 0; i < 20; i++)
		KUNIT_ASSERT_EQ(test, rs_vec_grow(&vec, size), 0);
	KUNIT_EXPECT_EQ(test, vec.len, 20 * PAGE_SIZE / size);
	for (i = 0; i < 20; i++) {
		first = rs_vec_at(&vec, i * PAGE_SIZE / size, size);
		last = rs_vec_at(&vec, (i + 1) * PAGE_SIZE / size - 1, size);
		KUNIT_EXPECT_PTR_EQ(test, last, first + PAGE_SIZE - size);
		memset(first, 0xff, PAGE_SIZE);
	}
	rs_vec_free(&vec, size);
}

/* A directory that was replaced can be read to the end of the grace period. */
static void vec_old_directory(struct kunit *test)
{
	struct rs_vec vec = {};
	struct rs_dir *old;

	rst_vec_fill(test, &vec, 0, 8);
	old = rcu_dereference_protected(vec.dir, true);
	rst_vec_fill(test, &vec, 8, 9);
	KUNIT_EXPECT_PTR_NE(test, rcu_dereference_protected(vec.dir, true),
			    old);
	KUNIT_EXPECT_PTR_EQ(test, rs_dir_at(old, 5, sizeof(u64)),
			    rs_vec_at(&vec, 5, sizeof(u64)));
	rs_vec_free(&vec, sizeof(u64));
}

static struct kunit_case vec_cases[] = {
	KUNIT_CASE(vec_grow),
	KUNIT_CASE(vec_grow_again),
	KUNIT_CASE(vec_entry_size),
	KUNIT_CASE(vec_old_directory),
	{}
};

static struct kunit_suite vec_suite = {
	.name = "refstore_vec",
	.test_cases = vec_cases,
};

kunit_test_suite(vec_suite);
