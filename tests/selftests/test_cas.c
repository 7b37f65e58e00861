// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many slots, compared and set at one moment.
 */
#include "refstore_heap.h"

enum {
	NODES = 64,		/* more than one call takes */
	SWAPPERS = 3,
	SWAPS = 300,
	PLACES = 8,
};

FIXTURE(cas)
{
	int fd;
	__u64 node[NODES];	/* each has REFSTORE_MAX_CAS + 1 slots */
	__u64 a, b;		/* leaves */
	__u64 a_id, b_id;
	struct refstore_cas_entry entries[REFSTORE_MAX_CAS + 1];
};

FIXTURE_SETUP(cas)
{
	int i;

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	for (i = 0; i < NODES; i++)
		ASSERT_EQ(0, rs_node(self->fd, REFSTORE_MAX_CAS + 1, NULL,
				     &self->node[i]));
	ASSERT_EQ(0, rs_leaf(self->fd, "a", 1, &self->a));
	ASSERT_EQ(0, rs_leaf(self->fd, "b", 1, &self->b));
	self->a_id = rs_id(self->fd, self->a);
	self->b_id = rs_id(self->fd, self->b);
}

/* Whatever a test did, all counts are right at its end. */
FIXTURE_TEARDOWN(cas)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
}

static struct refstore_cas_entry entry(__u64 object, __u32 index,
				       __u64 expected, __u64 value)
{
	return (struct refstore_cas_entry){
		.object = object,
		.value = value,
		.expected = expected,
		.index = index,
	};
}

TEST_F(cas, all)
{
	self->entries[0] = entry(self->node[0], 0, 0, self->a);
	self->entries[1] = entry(self->node[0], 7, 0, self->b);
	self->entries[2] = entry(self->node[1], 7, 0, self->a);
	ASSERT_EQ(0, rs_cas_many(self->fd, self->entries, 3));
	EXPECT_EQ(self->a_id, rs_slot_id(self->fd, self->node[0], 0));
	EXPECT_EQ(self->b_id, rs_slot_id(self->fd, self->node[0], 7));
	EXPECT_EQ(self->a_id, rs_slot_id(self->fd, self->node[1], 7));
	EXPECT_EQ(3, rs_refs(self->fd, self->a));
	/* What was there goes; an only reference takes the object along. */
	ASSERT_EQ(0, rs_release(self->fd, self->b));
	EXPECT_EQ(NODES + 2, rs_objects(self->fd));
	self->entries[0] = entry(self->node[0], 7, self->b_id, self->a);
	self->entries[1] = entry(self->node[1], 7, self->a_id, 0);
	ASSERT_EQ(0, rs_cas_many(self->fd, self->entries, 2));
	EXPECT_EQ(NODES + 1, rs_objects(self->fd));
	EXPECT_EQ(3, rs_refs(self->fd, self->a));
	EXPECT_EQ(0, rs_slot_id(self->fd, self->node[1], 7));
}

/* One that does not match, wherever it is, keeps all from being set. */
TEST_F(cas, none)
{
	struct rs_before before;
	int bad, i;

	ASSERT_EQ(0, rs_set_slot(self->fd, self->node[2], 2, self->a));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	for (bad = 0; bad < 5; bad++) {
		for (i = 0; i < 5; i++)
			self->entries[i] = entry(self->node[i], i,
						 i == 2 ? self->a_id : 0,
						 self->b);
		self->entries[bad].expected = self->b_id;
		EXPECT_EQ(-EAGAIN, rs_cas_many(self->fd, self->entries, 5));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
}

TEST_F(cas, refused)
{
	struct refstore_cas_entry *entries = self->entries;
	struct rs_before before;
	__u64 sealed;
	int i;

	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &sealed));
	ASSERT_EQ(0, rs_seal(self->fd, sealed, REFSTORE_SEAL_SLOTS));
	ASSERT_EQ(0, rs_before(self->fd, &before));
	for (i = 0; i <= REFSTORE_MAX_CAS; i++)
		entries[i] = entry(self->node[0], i, 0, self->a);
	EXPECT_EQ(-EINVAL, rs_cas_many(self->fd, entries, 0));
	EXPECT_EQ(-E2BIG, rs_cas_many(self->fd, entries,
				      REFSTORE_MAX_CAS + 1));
	EXPECT_EQ(-E2BIG, rs_cas_many(self->fd, entries, UINT32_MAX));
	EXPECT_EQ(-EFAULT, rs_cas_many(self->fd, NULL, 1));
#define EXPECT_REFUSED(error, ...) do {					\
	entries[1] = entry(__VA_ARGS__);				\
	EXPECT_EQ(-(error), rs_cas_many(self->fd, entries, 3));		\
} while (0)
	EXPECT_REFUSED(EBADF, 0, 0, 0, self->a);
	EXPECT_REFUSED(EBADF, 12345, 0, 0, self->a);
	EXPECT_REFUSED(EBADF, self->node[0], 1, 0, 12345);
	EXPECT_REFUSED(EOPNOTSUPP, self->a, 0, 0, self->a);
	EXPECT_REFUSED(ERANGE, self->node[0], REFSTORE_MAX_CAS + 1, 0, self->a);
	EXPECT_REFUSED(ERANGE, self->node[0], UINT32_MAX, 0, self->a);
	EXPECT_REFUSED(EPERM, sealed, 0, 0, self->a);
	EXPECT_REFUSED(EAGAIN, self->node[0], 1, ~0ULL, self->a);
	entries[1] = entry(self->node[0], 1, 0, self->a);
	entries[1].reserved = 1;
	EXPECT_EQ(-EINVAL, rs_cas_many(self->fd, entries, 3));
	for (i = 0; i < NODES; i++)
		entries[i] = entry(self->node[i], 0, 0, self->a);
	EXPECT_EQ(-E2BIG, rs_cas_many(self->fd, entries, NODES));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
}

/* Of one object more than can be, whichever they are. */
TEST_F(cas, too_many_objects)
{
	const __u32 most = REFSTORE_MAX_CAS_OBJECTS;
	__u32 i;

	for (i = 0; i <= most; i++)
		self->entries[i] = entry(self->node[i * 3], 0, 0, self->a);
	EXPECT_EQ(-E2BIG, rs_cas_many(self->fd, self->entries, most + 1));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
	self->entries[most].object = self->node[0];
	self->entries[most].index = 1;
	EXPECT_EQ(0, rs_cas_many(self->fd, self->entries, most + 1));
	EXPECT_EQ(2 + most, rs_refs(self->fd, self->a));
}

static bool is_candidate(int fd, __u64 object)
{
	struct refstore_stat stat;

	return rs_stat(fd, object, &stat) ||
	       stat.state & REFSTORE_STATE_CANDIDATE;
}

/* Who asks in vain, however often, gives the scanner nothing to do. */
TEST_F(cas, in_vain)
{
	__u64 value = self->node[1], found;

	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node[0], 0, value));
	ASSERT_FALSE(is_candidate(self->fd, value));
	EXPECT_EQ(-EAGAIN, rs_match_slot(self->fd, self->node[0], 0, self->a_id,
					 &found));
	self->entries[0] = entry(self->node[2], 0, 0, value);
	self->entries[1] = entry(self->node[0], 0, self->a_id, value);
	EXPECT_EQ(-EAGAIN, rs_cas_many(self->fd, self->entries, 2));
	EXPECT_FALSE(is_candidate(self->fd, value));
	ASSERT_EQ(0, rs_match_slot(self->fd, self->node[0], 0,
				   rs_id(self->fd, value), &found));
	ASSERT_EQ(0, rs_release(self->fd, found));
	EXPECT_TRUE(is_candidate(self->fd, value));
}

/* As many as can be, and of as many objects. */
TEST_F(cas, most)
{
	const __u32 each = REFSTORE_MAX_CAS / REFSTORE_MAX_CAS_OBJECTS;
	__u32 i;

	for (i = 0; i < REFSTORE_MAX_CAS; i++)
		self->entries[i] = entry(self->node[i / each], i, 0, self->a);
	ASSERT_EQ(0, rs_cas_many(self->fd, self->entries, REFSTORE_MAX_CAS));
	EXPECT_EQ(1 + REFSTORE_MAX_CAS, rs_refs(self->fd, self->a));
	for (i = 0; i < REFSTORE_MAX_CAS; i++)
		self->entries[i] = entry(self->node[i / each], i, self->a_id,
					 0);
	ASSERT_EQ(0, rs_cas_many(self->fd, self->entries, REFSTORE_MAX_CAS));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
}

/* Twice the same slot: both must match, the last value stays. */
TEST_F(cas, twice)
{
	self->entries[0] = entry(self->node[0], 0, 0, self->a);
	self->entries[1] = entry(self->node[0], 0, 0, self->b);
	ASSERT_EQ(0, rs_cas_many(self->fd, self->entries, 2));
	EXPECT_EQ(self->b_id, rs_slot_id(self->fd, self->node[0], 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	EXPECT_EQ(-EAGAIN, rs_cas_many(self->fd, self->entries, 2));
}

/* What a batch makes, it can set. */
TEST_F(cas, in_batch)
{
	struct refstore_op ops[] = {
		op_create(0, NULL),
		op_cas_many(self->entries, 2),
		op_release(REFSTORE_RESULT(0)),
	};
	struct refstore_batch batch;

	self->entries[0] = entry(self->node[0], 0, 0, REFSTORE_RESULT(0));
	self->entries[1] = entry(self->node[1], 0, 0, REFSTORE_RESULT(0));
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(3, batch.done);
	EXPECT_EQ(0, batch.failed);
	EXPECT_EQ(ops[0].create.id, rs_slot_id(self->fd, self->node[0], 0));
	EXPECT_EQ(ops[0].create.id, rs_slot_id(self->fd, self->node[1], 0));
}

/* Exchanges what two places have; 0, -EAGAIN if others were faster. */
static int swap(int fd, const __u64 *node, __u32 one, __u32 other)
{
	__u64 ids[2], handles[2];
	struct refstore_cas_entry entries[2];
	int ret;

	ids[0] = rs_slot_id(fd, node[one], 0);
	ids[1] = rs_slot_id(fd, node[other], 0);
	if (rs_match_slot(fd, node[one], 0, ids[0], &handles[0]))
		return -EAGAIN;
	if (rs_match_slot(fd, node[other], 0, ids[1], &handles[1])) {
		rs_release(fd, handles[0]);
		return -EAGAIN;
	}
	entries[0] = entry(node[one], 0, ids[0], handles[1]);
	entries[1] = entry(node[other], 0, ids[1], handles[0]);
	ret = rs_cas_many(fd, entries, 2);
	return rs_release(fd, handles[0]) ?: rs_release(fd, handles[1]) ?: ret;
}

static int swap_often(int fd, const __u64 *node, __u64 seed)
{
	__u32 one, other;
	int done = 0, ret;

	while (done < SWAPS) {
		one = rs_below(&seed, PLACES);
		other = rs_below(&seed, PLACES);
		if (one == other)
			continue;
		ret = swap(fd, node, one, other);
		if (ret && ret != -EAGAIN)
			return 1;
		done += !ret;
	}
	return 0;
}

/* Each place refers to something of which it has the only reference. */
static int fill_places(int fd, const __u64 *node, bool slotted, __u64 *ids)
{
	__u64 value;
	int i, ret = 0;

	for (i = 0; i < PLACES && !ret; i++) {
		ret = slotted ? rs_node(fd, 1, NULL, &value) :
				rs_leaf(fd, "x", 1, &value);
		if (!ret && slotted)
			ret = rs_set_slot(fd, value, 0, value);
		if (ret)
			break;
		ids[i] = rs_id(fd, value);
		ret = rs_set_slot(fd, node[i], 0, value) ?:
		      rs_release(fd, value);
	}
	return ret;
}

/* In how many places something is. */
static int times_found(int fd, const __u64 *node, __u64 id)
{
	int i, times = 0;

	for (i = 0; i < PLACES; i++)
		times += rs_slot_id(fd, node[i], 0) == id;
	return times;
}

/* Those who exchange things at the same time lose none, and make none of two. */
TEST_F(cas, contended)
{
	pid_t children[SWAPPERS];
	__u64 ids[PLACES];
	int i;

	ASSERT_EQ(0, fill_places(self->fd, self->node, false, ids));
	for (i = 0; i < SWAPPERS; i++) {
		children[i] = rs_fork_session(&self->fd);
		if (!children[i])
			_exit(swap_often(self->fd, self->node, 1000 + i));
	}
	for (i = 0; i < SWAPPERS; i++)
		EXPECT_EQ(0, rs_wait_child(children[i]));
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	for (i = 0; i < PLACES; i++)
		EXPECT_EQ(1, times_found(self->fd, self->node, ids[i]));
}

/* Copies what places have to where nobody else looks, and takes it away again. */
static int copy_often(int fd, const __u64 *node, __u64 seed)
{
	int i, ret = 0;

	for (i = 0; i < 3 * SWAPS && !ret; i++)
		ret = rs_copy_slots(fd, node[PLACES], rs_below(&seed, PLACES),
				    node[rs_below(&seed, PLACES)],
				    rs_below(&seed, 2), 1);
	return ret;
}

/*
 * Nor does a scan that looks meanwhile lose what is moved from place to place,
 * with not one reference more than that which is moved.
 */
TEST_F(cas, scanned)
{
	pid_t swapper, copier;
	__u64 ids[PLACES];
	int i;

	ASSERT_EQ(0, fill_places(self->fd, self->node, true, ids));
	swapper = rs_fork_session(&self->fd);
	if (!swapper)
		_exit(swap_often(self->fd, self->node, 2000));
	copier = rs_fork_session(&self->fd);
	if (!copier)
		_exit(copy_often(self->fd, self->node, 3000));
	while (!rs_alone(self->fd))
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, rs_wait_child(swapper));
	EXPECT_EQ(0, rs_wait_child(copier));
	for (i = 0; i < PLACES; i++)
		EXPECT_EQ(1, times_found(self->fd, self->node, ids[i]));
}

TEST_HARNESS_MAIN
