// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: each stands for one reference in one session, and whatever else a
 * caller takes for a handle never reaches an object.
 */
#include "refstore_heap.h"

FIXTURE(handle)
{
	int fd;
	__u64 leaf, node;
	__u64 stale;
};

FIXTURE_SETUP(handle)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &self->node));
	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &self->stale));
	ASSERT_EQ(0, rs_release(self->fd, self->stale));
}

FIXTURE_TEARDOWN(handle)
{
	EXPECT_EQ(0, close(self->fd));
}

/*
 * Uses a handle in every place where a command takes one. Returns how many of
 * the calls did not say EBADF.
 */
static int accepted(FIXTURE_DATA(handle) *self, int fd, __u64 bad,
		    __u64 good)
{
	struct refstore_stat stat;
	__u64 value, id = 0, bads[2] = { good, bad };
	char byte;
	__u32 done;
	int n = 0;

	(void)self;
	n += rs_dup(fd, bad, &value) != -EBADF;
	n += rs_release(fd, bad) != -EBADF;
	n += rs_get_slot(fd, bad, 0, &value) != -EBADF;
	n += rs_set_slot(fd, bad, 0, good) != -EBADF;
	n += rs_cas_slot(fd, bad, 0, 0, good) != -EBADF;
	n += rs_read_slots(fd, bad, 0, 1, &value, &done) != -EBADF;
	n += rs_write_slots(fd, bad, 0, 1, &good, &done) != -EBADF;
	n += rs_peek_slot(fd, bad, 0, 0, &id) != -EBADF;
	n += rs_peek_slots(fd, bad, 0, 1, &id, &done) != -EBADF;
	n += rs_copy_slots(fd, bad, 0, good, 0, 1) != -EBADF;
	n += rs_copy_slots(fd, good, 0, bad, 0, 1) != -EBADF;
	n += rs_resize(fd, bad, 3) != -EBADF;
	n += rs_read(fd, bad, 0, 1, &byte, &done) != -EBADF;
	n += rs_write(fd, bad, 0, 1, "x", &done) != -EBADF;
	n += rs_seal(fd, bad, REFSTORE_SEAL_DATA) != -EBADF;
	n += rs_stat(fd, bad, &stat) != -EBADF;
	/* As a value zero is good. */
	if (!bad)
		return n;
	n += rs_set_slot(fd, good, 0, bad) != -EBADF;
	n += rs_cas_slot(fd, good, 0, 0, bad) != -EBADF;
	n += rs_cas_slot(fd, good, 0, bad, good) != -EBADF;
	n += rs_write_slots(fd, good, 0, 1, &bad, &done) != -EBADF;
	n += rs_node(fd, 2, bads, &value) != -EBADF;
	n += rs_set_root(fd, bad) != -EBADF;
	n += rs_cas_root(fd, bad, good) != -EBADF;
	n += rs_cas_root(fd, 0, bad) != -EBADF;
	return n;
}

#define EXPECT_BAD(handle) do {						\
	struct rs_before before;					\
									\
	ASSERT_EQ(0, rs_before(self->fd, &before));			\
	EXPECT_EQ(0, accepted(self, self->fd, handle, self->node));	\
	EXPECT_TRUE(rs_unchanged(self->fd, &before));			\
	rs_before_free(&before);					\
} while (0)

TEST_F(handle, zero)
{
	EXPECT_BAD(0);
}

TEST_F(handle, stale)
{
	EXPECT_BAD(self->stale);
}

/* A result is of use in its batch only; no handle looks like one. */
TEST_F(handle, result)
{
	EXPECT_BAD(REFSTORE_RESULT(0));
	EXPECT_BAD(REFSTORE_RESULT(self->leaf));
	EXPECT_EQ(0, self->leaf >> 63);
	EXPECT_EQ(0, self->node >> 63);
}

/* Another session's, on the same heap and on another one. */
TEST_F(handle, foreign)
{
	int session = rs_session_new(self->fd, 0), heap = rs_open();
	__u64 good;

	ASSERT_LE(0, session);
	ASSERT_LE(0, heap);
	ASSERT_EQ(0, rs_node(session, 2, NULL, &good));
	EXPECT_EQ(0, accepted(self, session, self->node, good));
	EXPECT_EQ(0, accepted(self, session, self->leaf, good));
	EXPECT_BAD(good);
	EXPECT_EQ(0, close(session));
	EXPECT_BAD(good);
	ASSERT_EQ(0, rs_node(heap, 2, NULL, &good));
	EXPECT_EQ(0, accepted(self, heap, self->node, good));
	EXPECT_BAD(good);
	EXPECT_EQ(0, close(heap));
}

TEST_F(handle, dup)
{
	__u64 again, third;

	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &again));
	ASSERT_EQ(0, rs_dup(self->fd, again, &third));
	EXPECT_NE(0, again);
	EXPECT_NE(self->leaf, again);
	EXPECT_NE(again, third);
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(self->fd, third));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	/* Each is as good as the others, and goes for itself alone. */
	EXPECT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(-EBADF, rs_release(self->fd, self->leaf));
	EXPECT_EQ(2, rs_refs(self->fd, again));
	EXPECT_EQ(0, rs_release(self->fd, third));
	EXPECT_EQ(1, rs_refs(self->fd, again));
	EXPECT_EQ(0, rs_release(self->fd, again));
	EXPECT_EQ(-EBADF, rs_refs(self->fd, again));
}

/* With the last reference the object goes, before the call returns. */
TEST_F(handle, release)
{
	struct rs_figures before, now;
	__u64 handle;

	ASSERT_EQ(0, rs_heap_figures(self->fd, &before));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1000, &handle));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &now));
	EXPECT_EQ(before.objects + 1, now.objects);
	EXPECT_LE(before.bytes + 1000, now.bytes);
	EXPECT_EQ(before.handles + 1, now.handles);
	EXPECT_EQ(0, rs_release(self->fd, handle));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &now));
	EXPECT_EQ(before.objects, now.objects);
	EXPECT_EQ(before.bytes, now.bytes);
	EXPECT_EQ(before.handles, now.handles);
}

TEST_F(handle, release_twice)
{
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_BAD(self->leaf);
}

/* However often its place was taken by others, an old handle stays stale. */
TEST_F(handle, reused)
{
	const long rounds = rs_size(5000);
	__u64 *old = calloc(rounds, sizeof(*old)), handle;
	long i;

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &old[i]));
		ASSERT_EQ(0, rs_release(self->fd, old[i]));
	}
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &handle));
	EXPECT_EQ(-EBADF, rs_refs(self->fd, self->stale));
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(-EBADF, rs_release(self->fd, old[i]));
	}
	EXPECT_EQ(0, rs_repeated(old, rounds));
	EXPECT_EQ(1, rs_refs(self->fd, handle));
	free(old);
}

/*
 * Who has seen two generations of a place may guess the next, which is not
 * minted yet. Guessing right is no better than guessing wrong.
 */
TEST_F(handle, not_yet_minted)
{
	__u64 first, second, next, minted;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &first));
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &second));
	ASSERT_EQ(0, rs_release(self->fd, second));
	next = (second + (second - first)) & ~(1ULL << 63);
	EXPECT_BAD(next);
	EXPECT_BAD(next | 1ULL << 63);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &minted));
	EXPECT_EQ(1, rs_refs(self->fd, minted));
	if (minted != next)
		TH_LOG("guessed %#llx, is %#llx", next, minted);
}

#define LIVE 1000

static bool is_live(const __u64 *sorted, __u64 word)
{
	return bsearch(&word, sorted, LIVE, sizeof(word), rs_compare_words);
}

static void make_live(struct __test_metadata *_metadata,
		      FIXTURE_DATA(handle) *self, __u64 *live)
{
	live[0] = self->leaf;
	live[1] = self->node;
	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), LIVE - 2,
			       live + 2));
	ASSERT_EQ(0, rs_repeated(live, LIVE));
}

/* Whatever the bits, what was not minted is not taken. */
TEST_F(handle, random)
{
	struct refstore_stat stat;
	__u64 live[LIVE], seed = 4711, word;
	long i, count = rs_size(100000);

	make_live(_metadata, self, live);
	for (i = 0; i < count; i++) {
		word = rs_random(&seed);
		/* Small numbers, and those with few bits, as often as large. */
		if (i & 1)
			word >>= rs_random(&seed) % 64;
		if (i & 2)
			word &= rs_random(&seed);
		if (is_live(live, word))
			continue;
		stat = (struct refstore_stat){
			.size = sizeof(stat),
			.object = word,
		};
		ASSERT_EQ(-EBADF, rs_call(self->fd, REFSTORE_STAT, &stat)) {
			TH_LOG("%#llx", word);
		}
	}
	EXPECT_EQ(LIVE, rs_handles(self->fd));
}

/* What differs a little from a live one is another live one or none. */
TEST_F(handle, near_live)
{
	__u64 live[LIVE], word;
	int i, bit;

	make_live(_metadata, self, live);
	for (i = 0; i < LIVE; i += 13) {
		for (bit = 0; bit < 64; bit++) {
			word = live[i] ^ 1ULL << bit;
			ASSERT_EQ(is_live(live, word),
				  rs_id(self->fd, word) != 0);
			word = live[i] + (1ULL << bit);
			ASSERT_EQ(is_live(live, word),
				  rs_id(self->fd, word) != 0);
			word = live[i] - (1ULL << bit);
			ASSERT_EQ(is_live(live, word),
				  rs_id(self->fd, word) != 0);
		}
	}
}

/* The first generation is drawn at random: handles cannot be foretold. */
TEST(not_foretold)
{
	__u64 handle[8];
	int i, fd;

	for (i = 0; i < 8; i++) {
		fd = rs_open();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, rs_leaf(fd, NULL, 1, &handle[i]));
		ASSERT_EQ(0, close(fd));
	}
	EXPECT_EQ(0, rs_repeated(handle, 8));
}

TEST_F(handle, many)
{
	const long many = rs_size(100000) & ~1UL;
	__u64 *handles = calloc(many, sizeof(*handles)), id;
	long i;

	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), many, handles));
	EXPECT_EQ(many + 1, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(many + 2, rs_handles(self->fd));
	id = rs_id(self->fd, self->leaf);
	for (i = 0; i < many; i += 97) {
		ASSERT_EQ(id, rs_id(self->fd, handles[i]));
	}
	EXPECT_EQ(0, rs_repeated(handles, many));
	/* Half of them, then as many again: what is free is used again. */
	ASSERT_EQ(0, rs_release_all(self->fd, handles, many / 2));
	EXPECT_EQ(many / 2 + 1, rs_refs(self->fd, self->leaf));
	for (i = 0; i < many; i += 97) {
		ASSERT_EQ(i < many / 2 ? 0 : id, rs_id(self->fd, handles[i]));
	}
	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), many / 2,
			       handles));
	EXPECT_EQ(many + 2, rs_handles(self->fd));
	ASSERT_EQ(0, rs_release_all(self->fd, handles, many));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(2, rs_handles(self->fd));
	free(handles);
}

/* Closing gives back what is held, however much it is. */
TEST_F(handle, many_closed)
{
	const long many = rs_size(50000);
	__u64 *handles = calloc(many, sizeof(*handles)), root;
	int other = rs_session_new(self->fd, 0);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_set_root(self->fd, self->leaf));
	ASSERT_EQ(0, rs_get_root(other, &root));
	ASSERT_EQ(0, rs_repeat(other, op_dup(root), many, handles));
	EXPECT_EQ(many + 3, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, close(other));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 2, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_handles(self->fd) == 2, RS_SOON));
	free(handles);
}

TEST_HARNESS_MAIN
