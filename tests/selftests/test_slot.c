// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: references between objects, counted one by one.
 */
#include "refstore_heap.h"

FIXTURE(slot)
{
	int fd;
	__u32 n;		/* slots of the node */
	__u64 node, a, b, leaf;
};

/* Slots in the object itself, and in a block of their own. */
FIXTURE_VARIANT(slot)
{
	__u32 nr_slots;
};

FIXTURE_VARIANT_ADD(slot, one)
{
	.nr_slots = 1,
};
FIXTURE_VARIANT_ADD(slot, two)
{
	.nr_slots = 2,
};
FIXTURE_VARIANT_ADD(slot, five)
{
	.nr_slots = 5,
};
FIXTURE_VARIANT_ADD(slot, hundred)
{
	.nr_slots = 100,
};
FIXTURE_VARIANT_ADD(slot, thousands)
{
	.nr_slots = 5000,
};

FIXTURE_SETUP(slot)
{
	self->n = variant->nr_slots;
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_node(self->fd, self->n, NULL, &self->node));
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &self->a));
	ASSERT_EQ(0, rs_node(self->fd, 0, NULL, &self->b));
	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &self->leaf));
}

/* Whatever a test did, all counts are right at its end. */
FIXTURE_TEARDOWN(slot)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
}

TEST_F(slot, get_and_set)
{
	__u32 i, last = self->n - 1;
	__u64 found;

	for (i = 0; i < self->n; i = i ? i * 2 : 1) {
		EXPECT_EQ(0, rs_get_slot(self->fd, self->node, i, &found));
		EXPECT_EQ(0, found);
	}
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, last, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	ASSERT_EQ(0, rs_get_slot(self->fd, self->node, last, &found));
	EXPECT_NE(self->a, found);
	EXPECT_EQ(3, rs_refs(self->fd, self->a));
	EXPECT_EQ(rs_id(self->fd, self->a), rs_id(self->fd, found));
	EXPECT_EQ(0, rs_release(self->fd, found));
	/* Another value: the old one's reference goes. */
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, last, self->leaf));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	/* The same value: no change. */
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, last, self->leaf));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, last, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, last, 0));
}

/* A slot keeps what it refers to; with the last reference that goes at once. */
TEST_F(slot, keeps)
{
	__u64 found, id = rs_id(self->fd, self->leaf);
	char data[4];

	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, self->leaf));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(4, rs_objects(self->fd));
	ASSERT_EQ(0, rs_get_slot(self->fd, self->node, 0, &found));
	EXPECT_EQ(id, rs_id(self->fd, found));
	EXPECT_EQ(0, rs_read(self->fd, found, 0, 4, data, NULL));
	EXPECT_EQ(0, memcmp(data, "leaf", 4));
	ASSERT_EQ(0, rs_release(self->fd, found));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, self->a));
	EXPECT_EQ(3, rs_objects(self->fd));
}

TEST_F(slot, cas)
{
	__u64 again;
	__u32 i = self->n / 2;

	EXPECT_EQ(-EAGAIN, rs_cas_slot(self->fd, self->node, i, self->a,
				       self->b));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_cas_slot(self->fd, self->node, i, 0, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	EXPECT_EQ(-EAGAIN, rs_cas_slot(self->fd, self->node, i, 0, self->b));
	EXPECT_EQ(-EAGAIN, rs_cas_slot(self->fd, self->node, i, self->b,
				       self->b));
	EXPECT_EQ(-EAGAIN, rs_cas_slot(self->fd, self->node, i, self->leaf, 0));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	/* Objects are compared, not handles. */
	ASSERT_EQ(0, rs_dup(self->fd, self->a, &again));
	ASSERT_EQ(0, rs_cas_slot(self->fd, self->node, i, again, self->b));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	/* To itself, and to nothing. */
	ASSERT_EQ(0, rs_cas_slot(self->fd, self->node, i, self->b, self->b));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_cas_slot(self->fd, self->node, i, self->b, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_cas_slot(self->fd, self->node, i, 0, 0));
	EXPECT_EQ(0, rs_slot_id(self->fd, self->node, i));
}

/* Ids are told, no handle is made, and nothing is counted. */
TEST_F(slot, peek)
{
	__u64 id = 0, a = rs_id(self->fd, self->a), b = rs_id(self->fd, self->b);
	__u32 i = self->n - 1;
	struct rs_before before;

	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, self->a));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	ASSERT_EQ(0, rs_peek_slot(self->fd, self->node, i, 0, &id));
	EXPECT_EQ(a, id);
	EXPECT_EQ(0, rs_peek_slot(self->fd, self->node, i, REFSTORE_SLOT_MATCH,
				  &id));
	EXPECT_EQ(a, id);
	id = b;
	EXPECT_EQ(-EAGAIN, rs_peek_slot(self->fd, self->node, i,
					REFSTORE_SLOT_MATCH, &id));
	id = 0;
	EXPECT_EQ(-EAGAIN, rs_peek_slot(self->fd, self->node, i,
					REFSTORE_SLOT_MATCH, &id));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, 0));
	id = a;
	EXPECT_EQ(0, rs_peek_slot(self->fd, self->node, i, 0, &id));
	EXPECT_EQ(0, id);
	EXPECT_EQ(0, rs_peek_slot(self->fd, self->node, i, REFSTORE_SLOT_MATCH,
				  &id));
	EXPECT_EQ(-ERANGE, rs_peek_slot(self->fd, self->node, self->n, 0, &id));
	EXPECT_EQ(-EOPNOTSUPP, rs_peek_slot(self->fd, self->leaf, 0, 0, &id));
}

/* A handle is made if the slot refers to what was asked for. */
TEST_F(slot, match)
{
	__u64 found, a = rs_id(self->fd, self->a), b = rs_id(self->fd, self->b);
	__u32 i = self->n / 2;
	struct rs_before before;

	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, self->a));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	EXPECT_EQ(-EAGAIN, rs_match_slot(self->fd, self->node, i, b, &found));
	EXPECT_EQ(-EAGAIN, rs_match_slot(self->fd, self->node, i, 0, &found));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
	ASSERT_EQ(0, rs_match_slot(self->fd, self->node, i, a, &found));
	EXPECT_EQ(a, rs_id(self->fd, found));
	EXPECT_EQ(3, rs_refs(self->fd, self->a));
	ASSERT_EQ(0, rs_release(self->fd, found));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, 0));
	EXPECT_EQ(-EAGAIN, rs_match_slot(self->fd, self->node, i, a, &found));
	ASSERT_EQ(0, rs_match_slot(self->fd, self->node, i, 0, &found));
	EXPECT_EQ(0, found);
}

TEST_F(slot, ranges)
{
	static const __u32 more[] = { 0, 1, 100, 1U << 31 };
	__u64 found, *values = calloc(self->n + 2, sizeof(*values));
	struct rs_before before;
	__u32 index, done;
	size_t i;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		index = self->n + more[i];
		EXPECT_EQ(-ERANGE,
			  rs_get_slot(self->fd, self->node, index, &found));
		EXPECT_EQ(-ERANGE,
			  rs_set_slot(self->fd, self->node, index, self->a));
		EXPECT_EQ(-ERANGE,
			  rs_cas_slot(self->fd, self->node, index, 0, self->a));
		EXPECT_EQ(-ERANGE,
			  rs_read_slots(self->fd, self->node, index, 1, values,
					&done));
		EXPECT_EQ(-ERANGE,
			  rs_write_slots(self->fd, self->node, index, 1, values,
					 &done));
	}
	/* Not all of the slots exist; counts that would wrap. */
	values[0] = self->a;
	EXPECT_EQ(-ERANGE, rs_read_slots(self->fd, self->node, 0, self->n + 1,
					 values, &done));
	EXPECT_EQ(-ERANGE, rs_write_slots(self->fd, self->node, 0, self->n + 1,
					  values, &done));
	EXPECT_EQ(-ERANGE, rs_read_slots(self->fd, self->node, 1, UINT32_MAX,
					 values, &done));
	EXPECT_EQ(-ERANGE, rs_write_slots(self->fd, self->node, 1, UINT32_MAX,
					  values, &done));
	EXPECT_EQ(-ERANGE, rs_read_slots(self->fd, self->node, UINT32_MAX, 2,
					 values, &done));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
	free(values);
}

TEST_F(slot, leaf)
{
	__u64 value = self->a;
	struct rs_before before;
	__u32 done;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	EXPECT_EQ(-EOPNOTSUPP, rs_get_slot(self->fd, self->leaf, 0, &value));
	EXPECT_EQ(-EOPNOTSUPP, rs_set_slot(self->fd, self->leaf, 0, self->a));
	EXPECT_EQ(-EOPNOTSUPP, rs_cas_slot(self->fd, self->leaf, 0, 0,
					   self->a));
	EXPECT_EQ(-EOPNOTSUPP, rs_read_slots(self->fd, self->leaf, 0, 1,
					     &value, &done));
	EXPECT_EQ(-EOPNOTSUPP, rs_write_slots(self->fd, self->leaf, 0, 1,
					      &value, &done));
	EXPECT_EQ(-EOPNOTSUPP, rs_resize(self->fd, self->leaf, 1));
	EXPECT_EQ(-EOPNOTSUPP, rs_resize(self->fd, self->leaf, 0));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
}

/* --- Many at once ----------------------------------------------------- */

TEST_F(slot, read_and_write_many)
{
	__u64 *in = calloc(self->n, sizeof(*in));
	__u64 *out = calloc(self->n, sizeof(*out));
	__u64 of[] = { self->a, 0, self->leaf, self->node };
	__u32 i, counts[4] = {}, done;

	for (i = 0; i < self->n; i++) {
		in[i] = of[i % 4];
		counts[i % 4]++;
	}
	ASSERT_EQ(0, rs_write_slots(self->fd, self->node, 0, self->n, in,
				    &done));
	ASSERT_EQ(self->n, done);
	EXPECT_EQ(1 + counts[0], rs_refs(self->fd, self->a));
	EXPECT_EQ(1 + counts[2], rs_refs(self->fd, self->leaf));
	EXPECT_EQ(1 + counts[3], rs_refs(self->fd, self->node));
	memset(out, 0xff, self->n * sizeof(*out));
	ASSERT_EQ(0, rs_read_slots(self->fd, self->node, 0, self->n, out,
				   &done));
	ASSERT_EQ(self->n, done);
	EXPECT_EQ(1 + 2 * counts[0], rs_refs(self->fd, self->a));
	for (i = 0; i < self->n; i++) {
		ASSERT_EQ(!in[i], !out[i]);
		if (in[i])
			ASSERT_EQ(rs_id(self->fd, in[i]),
				  rs_id(self->fd, out[i]));
		if (out[i])
			ASSERT_EQ(0, rs_release(self->fd, out[i]));
	}
	/* Emptied again, in two parts. */
	memset(in, 0, self->n * sizeof(*in));
	if (self->n > 1)
		ASSERT_EQ(0, rs_write_slots(self->fd, self->node, 1,
					    self->n - 1, in, &done));
	ASSERT_EQ(0, rs_write_slots(self->fd, self->node, 0, 1, in, &done));
	EXPECT_EQ(1, done);
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(1, rs_refs(self->fd, self->node));
	free(in);
	free(out);
}

/* Copies as many slots as there are, as many at a time as may be. */
static int copy_all(int fd, __u64 to, __u32 first, __u64 from, __u32 count)
{
	__u32 at, part;
	int ret = 0;

	for (at = 0; at < count && !ret; at += part) {
		part = count - at < REFSTORE_MAX_COPY ? count - at :
							REFSTORE_MAX_COPY;
		ret = rs_copy_slots(fd, to, first + at, from, at, part);
	}
	return ret;
}

TEST_F(slot, peek_and_copy_many)
{
	__u64 of[] = { self->a, 0, self->leaf, self->node };
	__u64 *in = calloc(self->n, sizeof(*in));
	__u64 *ids = calloc(self->n, sizeof(*ids));
	__u64 copy;
	__u32 i, done, refs;

	for (i = 0; i < self->n; i++)
		in[i] = of[i % 4];
	ASSERT_EQ(0, rs_write_slots(self->fd, self->node, 0, self->n, in,
				    NULL));
	refs = rs_refs(self->fd, self->a);
	ASSERT_EQ(0, rs_node(self->fd, self->n + 1, NULL, &copy));
	ASSERT_EQ(0, rs_set_slot(self->fd, copy, 1, self->b));
	ASSERT_EQ(0, copy_all(self->fd, copy, 1, self->node, self->n));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
	EXPECT_EQ(2 * refs - 1, rs_refs(self->fd, self->a));
	ASSERT_EQ(0, rs_peek_slots(self->fd, copy, 1, self->n, ids, &done));
	EXPECT_EQ(self->n, done);
	for (i = 0; i < self->n; i++)
		ASSERT_EQ(in[i] ? rs_id(self->fd, in[i]) : 0, ids[i]);
	EXPECT_EQ(0, rs_slot_id(self->fd, copy, 0));
	EXPECT_EQ(2 * refs - 1, rs_refs(self->fd, self->a));
	ASSERT_EQ(0, rs_release(self->fd, copy));
	EXPECT_TRUE(rs_wait_until(refs == (__u32)rs_refs(self->fd, self->a),
				  RS_SOON));
	free(in);
	free(ids);
}

/* What cannot be copied changes nothing. */
TEST_F(slot, copy_refused)
{
	__u64 copy, sealed, slots[] = { self->a, self->a };
	struct rs_before before;
	__u32 n = self->n;

	ASSERT_EQ(0, rs_node(self->fd, 2, slots, &copy));
	ASSERT_EQ(0, rs_node(self->fd, 2, slots, &sealed));
	ASSERT_EQ(0, rs_seal(self->fd, sealed, REFSTORE_SEAL_SLOTS));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	EXPECT_EQ(-EPERM, rs_copy_slots(self->fd, sealed, 0, copy, 0, 2));
	EXPECT_EQ(-EINVAL, rs_copy_slots(self->fd, copy, 0, self->node, 0, 0));
	EXPECT_EQ(-E2BIG, rs_copy_slots(self->fd, copy, 0, self->node, 0,
					REFSTORE_MAX_COPY + 1));
	EXPECT_EQ(-E2BIG, rs_copy_slots(self->fd, copy, 1, self->node, 1,
					UINT32_MAX));
	EXPECT_EQ(-ERANGE, rs_copy_slots(self->fd, copy, 2, self->node, 0, 1));
	EXPECT_EQ(-ERANGE, rs_copy_slots(self->fd, copy, 1, sealed, 0, 2));
	EXPECT_EQ(-ERANGE, rs_copy_slots(self->fd, copy, 0, self->node, n, 1));
	EXPECT_EQ(-ERANGE, rs_copy_slots(self->fd, copy, UINT32_MAX, self->node,
					 0, 1));
	EXPECT_EQ(-EOPNOTSUPP, rs_copy_slots(self->fd, self->leaf, 0, copy, 0,
					     1));
	EXPECT_EQ(-EOPNOTSUPP, rs_copy_slots(self->fd, copy, 0, self->leaf, 0,
					     1));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
	/* What is sealed can be read. */
	ASSERT_EQ(0, rs_set_slot(self->fd, copy, 0, 0));
	EXPECT_EQ(0, rs_copy_slots(self->fd, copy, 0, sealed, 1, 1));
	EXPECT_EQ(rs_id(self->fd, self->a), rs_slot_id(self->fd, copy, 0));
}

/* A bad handle in the middle: as far as the call says, and no further. */
TEST_F(slot, write_bad)
{
	__u64 *in = calloc(self->n, sizeof(*in));
	__u32 i, bad, done;
	int ret;

	for (bad = 0; bad < self->n; bad += 1 + bad) {
		for (i = 0; i < self->n; i++)
			in[i] = i == bad ? REFSTORE_RESULT(1) : self->leaf;
		done = ~0U;
		ret = rs_write_slots(self->fd, self->node, 0, self->n, in,
				     &done);
		if (ret) {
			EXPECT_EQ(-EBADF, ret);
			done = 0;
		} else {
			EXPECT_LT(0, done);
			EXPECT_GE(bad, done);
		}
		EXPECT_EQ(1 + done, rs_refs(self->fd, self->leaf));
		for (i = 0; i < self->n; i++) {
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, 0));
		}
	}
	free(in);
}

/* --- Resizing --------------------------------------------------------- */

TEST_F(slot, resize)
{
	static const __u32 sizes[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 2, 1000, 3, 70000, 5, 0, 1,
	};
	__u32 i, nr = self->n, kept;
	struct refstore_stat stat;
	size_t turn;

	for (turn = 0; turn < ARRAY_SIZE(sizes); turn++) {
		/* All slots that can be checked quickly refer to a. */
		for (i = 0; i < nr && i < 20; i++) {
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i,
						 self->a));
		}
		if (nr > 20)
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, nr - 1,
						 self->leaf));
		kept = nr < 20 ? nr : 20;
		kept = kept < sizes[turn] ? kept : sizes[turn];
		ASSERT_EQ(0, rs_resize(self->fd, self->node, sizes[turn]));
		ASSERT_EQ(0, rs_stat(self->fd, self->node, &stat));
		EXPECT_EQ(sizes[turn], stat.nr_slots);
		EXPECT_EQ(REFSTORE_STATE_SLOTTED,
			  stat.state & REFSTORE_STATE_SLOTTED);
		EXPECT_LE(8ULL * sizes[turn], stat.bytes);
		/* What was cut off has dropped its references. */
		EXPECT_EQ(1 + kept, rs_refs(self->fd, self->a));
		if (nr > 20 && sizes[turn] < nr)
			EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
		for (i = 0; i < kept; i++) {
			ASSERT_EQ(rs_id(self->fd, self->a),
				  rs_slot_id(self->fd, self->node, i));
		}
		/* What is new is empty. */
		for (i = nr; i < sizes[turn]; i += 1 + i / 4) {
			ASSERT_EQ(0, rs_slot_id(self->fd, self->node, i));
		}
		if (nr > 20 && sizes[turn] > nr)
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, nr - 1,
						 0));
		nr = sizes[turn];
	}
}

/* The memory that slots took is given back with them. */
TEST_F(slot, resize_bytes)
{
	struct refstore_stat before, stat;

	ASSERT_EQ(0, rs_stat(self->fd, self->node, &before));
	ASSERT_EQ(0, rs_resize(self->fd, self->node, self->n + 100000));
	ASSERT_EQ(0, rs_stat(self->fd, self->node, &stat));
	EXPECT_LE(before.bytes + 8 * 100000 - 64, stat.bytes);
	ASSERT_EQ(0, rs_resize(self->fd, self->node, self->n));
	ASSERT_EQ(0, rs_stat(self->fd, self->node, &stat));
	/* A block where there was none at first may stay. */
	EXPECT_GE(before.bytes + 8 * self->n + 64, stat.bytes);
}

TEST_F(slot, resize_limits)
{
	struct refstore_query query;
	struct rs_before before;

	ASSERT_EQ(0, rs_query(self->fd, &query));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, self->a));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	EXPECT_EQ(-E2BIG, rs_resize(self->fd, self->node,
				    query.max_slots + 1));
	EXPECT_EQ(-E2BIG, rs_resize(self->fd, self->node, UINT32_MAX));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	/* To the size that it has. */
	EXPECT_EQ(0, rs_resize(self->fd, self->node, self->n));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	EXPECT_EQ(0, rs_resize(self->fd, self->node, query.max_slots));
	EXPECT_EQ(0, rs_resize(self->fd, self->node, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
	rs_before_free(&before);
}

/* A list that grows and shrinks many times. */
TEST_F(slot, resize_often)
{
	__u64 seed = 99;
	__u32 nr, turn, top;

	for (turn = 0; turn < 300; turn++) {
		nr = 1 + rs_below(&seed, turn % 10 ? 20 : 3000);
		ASSERT_EQ(0, rs_resize(self->fd, self->node, nr));
		top = rs_below(&seed, nr);
		ASSERT_EQ(0, rs_set_slot(self->fd, self->node, top,
					 turn & 1 ? self->a : self->node));
	}
	ASSERT_EQ(0, rs_resize(self->fd, self->node, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->node));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
}

/* Every way of having slots and data, turned into every other. */
TEST(resize_with_data)
{
	static const __u32 sizes[] = {
		0, 1, 2, 5, 12, 23, 24, 25, 26, 27, 300,
	};
	static const __u32 lengths[] = { 0, 1, 40, 5000 };
	static char data[5000], found[5000];
	struct refstore_create create = { .flags = REFSTORE_CREATE_SLOTTED };
	struct refstore_stat stat;
	int fd = rs_open();
	size_t from, to, length;
	__u64 id;
	__u32 i;

	ASSERT_LE(0, fd);
	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + 1;
	create.data = rs_ptr(data);
	for (length = 0; length < ARRAY_SIZE(lengths); length++) {
		create.data_len = lengths[length];
		for (from = 0; from < ARRAY_SIZE(sizes); from++) {
			for (to = 0; to < ARRAY_SIZE(sizes); to++) {
				create.nr_slots = sizes[from];
				ASSERT_EQ(0, rs_create(fd, &create));
				id = create.result;
				for (i = 0; i < sizes[from]; i += 1 + i / 2) {
					ASSERT_EQ(0, rs_set_slot(fd, id, i,
								 id));
				}
				ASSERT_EQ(0, rs_resize(fd, id, sizes[to]));
				ASSERT_EQ(0, rs_resize(fd, id, sizes[to] + 1));
				ASSERT_EQ(0, rs_set_slot(fd, id, sizes[to],
							 id));
				for (i = 0; i < sizes[from] && i < sizes[to];
				     i += 1 + i / 2) {
					ASSERT_EQ(create.id,
						  rs_slot_id(fd, id, i));
				}
				ASSERT_EQ(0, rs_stat(fd, id, &stat));
				EXPECT_EQ(create.data_len, stat.data_len);
				ASSERT_EQ(0, rs_read(fd, id, 0, sizeof(found),
						     found, NULL));
				ASSERT_EQ(0, memcmp(found, data,
						    create.data_len));
				ASSERT_EQ(0, rs_resize(fd, id, 0));
				EXPECT_EQ(1, rs_refs(fd, id));
				ASSERT_EQ(0, rs_release(fd, id));
			}
		}
	}
	EXPECT_EQ(0, rs_objects(fd));
	EXPECT_EQ(0, close(fd));
}

/* --- Cycles, which only a scan can free; here they are opened by hand - */

TEST_F(slot, self_reference)
{
	__u64 found;

	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, self->node));
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
	ASSERT_EQ(0, rs_get_slot(self->fd, self->node, 0, &found));
	EXPECT_EQ(rs_id(self->fd, self->node), rs_id(self->fd, found));
	ASSERT_EQ(0, rs_release(self->fd, self->node));
	/* The handle that remains lets go of the object's own reference. */
	ASSERT_EQ(0, rs_set_slot(self->fd, found, 0, 0));
	EXPECT_EQ(1, rs_refs(self->fd, found));
	ASSERT_EQ(0, rs_release(self->fd, found));
	EXPECT_EQ(3, rs_objects(self->fd));
}

/* A slot whose clearing frees the object that it would be read from next. */
TEST_F(slot, frees_a_chain)
{
	__u64 first, last;

	ASSERT_EQ(0, rs_chain(self->fd, 50, self->n, &first, &last));
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, last));
	ASSERT_EQ(0, rs_release(self->fd, last));
	EXPECT_EQ(54, rs_objects(self->fd));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, 0));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 4, RS_SOON));
}

/* --- Writers at the same time ----------------------------------------- */

enum { PUSHERS = 3, PUSHES = 400 };

/* Pushes objects on the list that starts in the root's slot 0. */
static int push(int fd, __u64 root)
{
	__u64 head, item;
	int i, ret;

	for (i = 0; i < PUSHES; i++) {
		if (rs_node(fd, 1, NULL, &item))
			return 1;
		do {
			if (rs_get_slot(fd, root, 0, &head) ||
			    rs_set_slot(fd, item, 0, head))
				return 2;
			ret = rs_cas_slot(fd, root, 0, head, item);
			if (head)
				rs_release(fd, head);
		} while (ret == -EAGAIN);
		if (ret || rs_release(fd, item))
			return 3;
	}
	return 0;
}

/* Whoever wins, none is lost and none is counted twice. */
TEST_F(slot, contended_cas)
{
	pid_t children[PUSHERS];
	int i;

	for (i = 0; i < PUSHERS; i++) {
		children[i] = rs_fork_session(&self->fd);
		if (!children[i])
			_exit(push(self->fd, self->node));
	}
	for (i = 0; i < PUSHERS; i++) {
		EXPECT_EQ(0, rs_wait_child(children[i]));
	}
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_EQ(4 + PUSHERS * PUSHES, rs_objects(self->fd));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, 0));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 4, RS_SOON));
}

/*
 * One resizes while others read and write: each call gives one of the answers
 * that it may, and nothing is leaked.
 */
static int use_while_resized(int fd, __u64 node, __u64 value, __u64 seed)
{
	__u64 found[8];
	__u32 i, done, index;
	int ret, turn;

	for (turn = 0; turn < 1500; turn++) {
		index = rs_below(&seed, 40);
		switch (turn % 4) {
		case 0:
			ret = rs_set_slot(fd, node, index, value);
			break;
		case 1:
			ret = rs_get_slot(fd, node, index, &found[0]);
			if (!ret && found[0])
				ret = rs_release(fd, found[0]);
			break;
		case 2:
			ret = rs_cas_slot(fd, node, index, value, 0);
			if (ret == -EAGAIN)
				ret = 0;
			break;
		default:
			ret = rs_read_slots(fd, node, index, 8, found, &done);
			for (i = 0; !ret && i < done; i++)
				if (found[i])
					ret = rs_release(fd, found[i]);
		}
		if (ret && ret != -ERANGE)
			return turn % 4 + 1;
	}
	return 0;
}

TEST_F(slot, contended_resize)
{
	pid_t children[2];
	__u64 seed = 5;
	int i, status, left = 2;

	for (i = 0; i < 2; i++) {
		children[i] = rs_fork_session(&self->fd);
		if (!children[i])
			_exit(use_while_resized(self->fd, self->node, self->a,
						i + 1));
	}
	while (left) {
		ASSERT_EQ(0, rs_resize(self->fd, self->node,
				       rs_below(&seed, 40)));
		for (i = 0; i < 2; i++) {
			if (!children[i] ||
			    waitpid(children[i], &status, WNOHANG) <= 0)
				continue;
			EXPECT_EQ(0, status);
			children[i] = 0;
			left--;
		}
	}
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_resize(self->fd, self->node, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
}

enum { KEPT = 20000, STORES = 6000 };

/* The only one who stores, in slots all over a wide object; it remembers. */
static int store_and_look(int fd, __u64 wide, const __u64 *values)
{
	static unsigned char stored[KEPT];
	__u64 ids[3], id, seed = 77;
	__u32 index, turn, value;

	for (value = 1; value < 3; value++)
		ids[value] = rs_id(fd, values[value]);
	for (turn = 0; turn < STORES; turn++) {
		index = rs_below(&seed, KEPT);
		value = rs_below(&seed, 3);
		if (rs_set_slot(fd, wide, index, values[value]))
			return 1;
		stored[index] = value;
	}
	for (index = 0; index < KEPT; index++) {
		if (!stored[index] && index % 16)
			continue;
		id = rs_slot_id(fd, wide, index);
		if (id != (stored[index] ? ids[stored[index]] : 0))
			return 2;
	}
	return 0;
}

/* What is stored while slots move to another place moves along. */
TEST(stores_while_resized)
{
	int status = 0, turn = 0, fd = rs_open();
	__u64 wide, values[3] = {};
	pid_t child;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_node(fd, KEPT, NULL, &wide));
	ASSERT_EQ(0, rs_node(fd, 0, NULL, &values[1]));
	ASSERT_EQ(0, rs_leaf(fd, NULL, 1, &values[2]));
	child = rs_fork_session(&fd);
	if (!child)
		_exit(store_and_look(fd, wide, values));
	while (waitpid(child, &status, WNOHANG) == 0) {
		ASSERT_EQ(0, rs_resize(fd, wide, KEPT + turn % 3 * 2000));
		turn++;
	}
	EXPECT_EQ(0, status);
	EXPECT_LT(0, turn);
	ASSERT_TRUE(rs_wait_until(rs_alone(fd), RS_SOON));
	ASSERT_EQ(0, rs_release(fd, wide));
	EXPECT_TRUE(rs_wait_until(rs_refs(fd, values[1]) == 1, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_refs(fd, values[2]) == 1, RS_SOON));
	EXPECT_EQ(0, close(fd));
}

/* --- The most references that an object can have ---------------------- */

static int fill(int fd, __u64 node, __u32 count, const __u64 *values)
{
	__u32 at, done;
	int ret;

	for (at = 0; at < count; at += done) {
		ret = rs_write_slots(fd, node, at, count - at, values, &done);
		if (ret)
			return ret;
	}
	return 0;
}

FIXTURE(many)
{
};

FIXTURE_SETUP(many)
{
}

FIXTURE_TEARDOWN(many)
{
}

TEST_F_TIMEOUT(many, overflow, RS_TIMEOUT_LONG)
{
	__u64 target, wide, *wides, *values, found, left;
	struct refstore_walk_object *objects = NULL;
	struct refstore_query query;
	struct refstore_cas_entry entries[2] = {};
	__u32 nr, n, rest;
	int fd, clone;
	size_t count = 0;

	if (!rs_env("REFSTORE_LONG", 0) || rs_env("REFSTORE_SIZE", 100) < 100)
		SKIP(return, "16 million references: REFSTORE_LONG=1, where that is fast");
	fd = rs_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_query(fd, &query));
	ASSERT_EQ(0, rs_node(fd, 1, NULL, &target));
	values = calloc(query.max_slots, sizeof(*values));
	for (n = 0; n < query.max_slots; n++)
		values[n] = target;
	nr = query.max_refs / query.max_slots + 1;
	wides = calloc(nr, sizeof(*wides));
	/* All but two of the references, the handle's own being one. */
	left = query.max_refs - 3;
	for (n = 0; n < nr; n++) {
		rest = left < query.max_slots ? left : query.max_slots;
		ASSERT_EQ(0, rs_node(fd, query.max_slots, NULL, &wides[n]));
		ASSERT_EQ(0, fill(fd, wides[n], rest, values));
		left -= rest;
	}
	ASSERT_EQ(0, rs_node(fd, 10, NULL, &wide));
	ASSERT_EQ(0, rs_set_slot(fd, wide, 0, target));
	EXPECT_EQ(query.max_refs - 1, rs_refs(fd, target));
	EXPECT_EQ(0, rs_dup(fd, target, &found));
	EXPECT_EQ(query.max_refs, rs_refs(fd, target));

	/* One more is refused, wherever it would come from. */
	EXPECT_EQ(-EOVERFLOW, rs_dup(fd, target, &left));
	EXPECT_EQ(-EOVERFLOW, rs_get_slot(fd, wide, 0, &left));
	EXPECT_EQ(-EOVERFLOW, rs_read_slots(fd, wide, 0, 1, &left, NULL));
	EXPECT_EQ(-EOVERFLOW, rs_set_slot(fd, wide, 1, target));
	EXPECT_EQ(-EOVERFLOW, rs_cas_slot(fd, wide, 1, 0, target));
	EXPECT_EQ(-EOVERFLOW, rs_write_slots(fd, wide, 1, 2, values, NULL));
	EXPECT_EQ(-EOVERFLOW, rs_copy_slots(fd, wide, 1, wide, 0, 1));
	for (n = 0; n < 2; n++)
		entries[n] = (struct refstore_cas_entry){
			.object = wide, .index = n + 1,
			.value = n ? target : wides[0],
		};
	EXPECT_EQ(-EOVERFLOW, rs_cas_many(fd, entries, 2));
	EXPECT_EQ(1, rs_refs(fd, wides[0]));
	EXPECT_EQ(-EOVERFLOW, rs_node(fd, 2, values, &left));
	EXPECT_EQ(-EOVERFLOW, rs_set_root(fd, target));
	EXPECT_EQ(-EOVERFLOW, rs_cas_root(fd, 0, target));
	clone = rs_session_new(fd, REFSTORE_SESSION_CLONE);
	EXPECT_EQ(-EOVERFLOW, clone);
	/* A walk gives no handle of it, of it alone, and goes on after it. */
	EXPECT_EQ(0, rs_walk_all(fd, REFSTORE_WALK_OBJECTS, REFSTORE_WALK_MINT,
				 100, &objects, &count));
	EXPECT_EQ(nr + 2, count);
	for (n = 0; n < count; n++) {
		EXPECT_EQ(objects[n].id == rs_id(fd, target),
			  !objects[n].handle);
		if (objects[n].handle)
			EXPECT_EQ(0, rs_release(fd, objects[n].handle));
	}
	EXPECT_EQ(query.max_refs, rs_refs(fd, target));
	EXPECT_EQ(0, rs_slot_id(fd, wide, 1));

	/* It is no one-way street. */
	EXPECT_EQ(0, rs_release(fd, found));
	EXPECT_EQ(0, rs_set_root(fd, target));
	EXPECT_EQ(0, rs_set_root(fd, 0));
	for (n = 0; n < nr; n++) {
		EXPECT_EQ(0, rs_release(fd, wides[n]));
	}
	EXPECT_TRUE(rs_wait_until(rs_refs(fd, target) == 2, RS_SOON));
	EXPECT_EQ(0, close(fd));
	free(objects);
	free(values);
	free(wides);
}

TEST_HARNESS_MAIN
