// SPDX-License-Identifier: GPL-2.0-only
/*
 * The word: count, state and version (invariant I1).
 */
#include "graph.h"
#include "ref.h"

#define RST_FLAGS	(RS_REF_CANDIDATE | RS_REF_SUSPECT | RS_REF_DEAD)

/* No scan has found a reference inside. */
static const u32 none;

static void rst_word_set(struct rs_ref *ref, u64 word)
{
	atomic64_set(&ref->word, word);
}

static u64 rst_word_version(u64 word)
{
	return word / RS_REF_VERSION_ONE;
}

static void ref_init(struct kunit *test)
{
	struct rs_ref ref;

	rs_ref_init(&ref, false);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), 1);
	rs_ref_init(&ref, true);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), 1 | RS_REF_TRACKED);
}

/* Whoever sees an equal word knows that nobody took a reference meanwhile. */
static void ref_get_moves_version(struct kunit *test)
{
	struct rs_ref ref;
	u64 old;
	u32 i;

	rs_ref_init(&ref, true);
	for (i = 1; i < 1000; i++) {
		old = rs_ref_read(&ref);
		KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
		KUNIT_EXPECT_EQ(test, rs_ref_count(&ref), i + 1);
		KUNIT_EXPECT_EQ(test, rst_word_version(rs_ref_read(&ref)),
				rst_word_version(old) + 1);
	}
}

static void ref_get_and_put_differ(struct kunit *test)
{
	struct rs_ref ref;
	u64 before, old;

	rs_ref_init(&ref, true);
	rst_word_set(&ref, rs_ref_read(&ref) | RS_REF_CANDIDATE);
	before = rs_ref_read(&ref);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&ref), 1);
	KUNIT_EXPECT_NE(test, rs_ref_read(&ref), before);
}

/* The version leaves the word at its upper end, and touches nothing else. */
static void ref_version_wraps(struct kunit *test)
{
	const u64 rest = 5 | RS_REF_TRACKED | RS_REF_CANDIDATE;
	struct rs_ref ref;

	rst_word_set(&ref, rest | ~(RS_REF_VERSION_ONE - 1));
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), rest + 1);
}

/* Mutators neither look at a scan's marks nor lose them (rule R10). */
static void ref_get_and_put_keep_flags(struct kunit *test)
{
	struct rs_ref ref;
	u64 old;

	rst_word_set(&ref, 3 | RS_REF_TRACKED | RST_FLAGS);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref) & RST_FLAGS, RST_FLAGS);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&ref), 1);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref) & RST_FLAGS, RST_FLAGS);
}

/* A user reaches the cap, and gets an error, long before a count saturates. */
static void ref_cap(struct kunit *test)
{
	struct rs_ref ref;
	u64 word, old;

	rst_word_set(&ref, (RS_REF_MAX - 1) | RS_REF_TRACKED |
		     RS_REF_CANDIDATE);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	word = rs_ref_read(&ref);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), word);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&ref), RS_REF_MAX);
}

/* Rule R1: the count does not fall before the object is in the queue. */
static void ref_put_asks_for_queue(struct kunit *test)
{
	struct rs_ref ref;
	u64 word, old;

	word = 2 | RS_REF_TRACKED;
	rst_word_set(&ref, word);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_QUEUE);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), word);
	rst_word_set(&ref, word | RS_REF_CANDIDATE);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref),
			1 | RS_REF_TRACKED | RS_REF_CANDIDATE);
}

/* A leaf is never in a cycle, and so never in the queue. */
static void ref_put_leaf(struct kunit *test)
{
	struct rs_ref ref;
	u64 old;

	rst_word_set(&ref, 2);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_LAST);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), 0);
}

/* The last put tells its caller whether the object is in the queue. */
static void ref_put_last(struct kunit *test)
{
	struct rs_ref ref;
	u64 old;

	rs_ref_init(&ref, true);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_LAST);
	KUNIT_EXPECT_EQ(test, old, 1 | RS_REF_TRACKED);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), RS_REF_TRACKED);
	rst_word_set(&ref, 1 | RS_REF_TRACKED | RS_REF_CANDIDATE);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_LAST);
	KUNIT_EXPECT_TRUE(test, old & RS_REF_CANDIDATE);
}

/* A put too many: the object leaks, whatever comes; it is not freed. */
static void ref_saturates(struct kunit *test)
{
	struct rs_ref ref;
	u64 word, old;
	u32 i;

	rst_word_set(&ref, RS_REF_TRACKED);
	KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_BAD);
	KUNIT_EXPECT_EQ(test, rs_ref_count(&ref), RS_REF_SATURATED);
	word = rs_ref_read(&ref);
	KUNIT_EXPECT_TRUE(test, word & RS_REF_TRACKED);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, rs_ref_put(&ref, &none, &old), RS_PUT_ALIVE);
		KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	}
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), word);
}

/* The same for an object that a get would take over the end of the field. */
static void ref_saturated_does_not_wrap(struct kunit *test)
{
	struct rs_ref ref;
	u64 word = RS_REF_SATURATED | RS_REF_TRACKED | RS_REF_VERSION_ONE;

	rst_word_set(&ref, word);
	KUNIT_EXPECT_EQ(test, rs_ref_get(&ref), 0);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), word);
}

static void ref_touch(struct kunit *test)
{
	const u64 word = 7 | RS_REF_TRACKED | RS_REF_CANDIDATE;
	struct rs_ref ref;

	rst_word_set(&ref, word);
	rs_ref_touch(&ref);
	KUNIT_EXPECT_EQ(test, rs_ref_read(&ref), word + RS_REF_VERSION_ONE);
}

static void ref_alive(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, rs_word_alive(1));
	KUNIT_EXPECT_TRUE(test, rs_word_alive(1 | RS_REF_SUSPECT));
	KUNIT_EXPECT_FALSE(test, rs_word_alive(1 | RS_REF_DEAD));
	KUNIT_EXPECT_FALSE(test, rs_word_alive(RS_REF_VERSION_ONE |
					       RS_REF_TRACKED));
}

static struct kunit_case ref_cases[] = {
	KUNIT_CASE(ref_init),
	KUNIT_CASE(ref_get_moves_version),
	KUNIT_CASE(ref_get_and_put_differ),
	KUNIT_CASE(ref_version_wraps),
	KUNIT_CASE(ref_get_and_put_keep_flags),
	KUNIT_CASE(ref_cap),
	KUNIT_CASE(ref_put_asks_for_queue),
	KUNIT_CASE(ref_put_leaf),
	KUNIT_CASE(ref_put_last),
	KUNIT_CASE(ref_saturates),
	KUNIT_CASE(ref_saturated_does_not_wrap),
	KUNIT_CASE(ref_touch),
	KUNIT_CASE(ref_alive),
	{}
};

static struct kunit_suite ref_suite = {
	.name = "refstore_ref",
	.test_cases = ref_cases,
};

kunit_test_suite(ref_suite);
