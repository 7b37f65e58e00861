// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many objects in one call: made alike, and given back.
 *
 * Calls go in parts, of 64 objects or handles; so counts here lie at both sides
 * of that. (Limits that are reached half way: test_limit. Memory that is not
 * there: test_uapi.)
 */
#include <sys/time.h>

#include "refstore_heap.h"

#define UNUSED 0x5555555555555555ULL

FIXTURE(many)
{
	int fd;
	__u64 heap;
	__u64 node, leaf;	/* with a handle each; the node has 4 slots */
	__u32 max_batch;
	struct rs_before before;
};

FIXTURE_SETUP(many)
{
	struct refstore_query query;

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_query(self->fd, &query));
	self->heap = query.heap;
	self->max_batch = query.max_batch;
	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 4, NULL, &self->node));
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
}

FIXTURE_TEARDOWN(many)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

#define EXPECT_UNCHANGED() EXPECT_TRUE(rs_unchanged(self->fd, &self->before))

/* --- What is made ----------------------------------------------------- */

FIXTURE(kind)
{
	struct _test_data_many many;
};

FIXTURE_VARIANT(kind)
{
	__u32 flags, nr_slots, data_len;
	bool data;		/* else it is zeroes */
};

#define KIND(name, ...) \
	FIXTURE_VARIANT_ADD(kind, name) { __VA_ARGS__ }
KIND(leaves, .data_len = 100, .data = true);
KIND(zeroes, .data_len = 100);
KIND(empty, .data = true);
KIND(slotted, .nr_slots = 3);
KIND(no_slots_yet, .flags = REFSTORE_CREATE_SLOTTED);
KIND(wide, .nr_slots = 700);
KIND(both, .nr_slots = 1, .data_len = 9, .data = true);
KIND(pages, .data_len = 9000, .data = true);
KIND(sealed_data, .data_len = 8, .data = true, .flags = REFSTORE_SEAL_DATA);
KIND(sealed_slots, .nr_slots = 2, .flags = REFSTORE_SEAL_SLOTS);
KIND(sealed, .nr_slots = 2, .data_len = 7,
     .flags = REFSTORE_SEAL_SLOTS | REFSTORE_SEAL_DATA);

FIXTURE_SETUP(kind)
{
	many_setup(_metadata, &self->many, NULL);
}

FIXTURE_TEARDOWN(kind)
{
	many_teardown(_metadata, &self->many, NULL);
}

/* What one of them is like; returns its bytes. */
static __u64 expect_object(struct __test_metadata *_metadata, int fd,
			   const FIXTURE_VARIANT(kind) *variant, __u64 handle,
			   const char *data, __u64 *last_id)
{
	struct refstore_stat stat;
	char found[9000];
	__u32 state = 0;

	if (variant->nr_slots || variant->flags & REFSTORE_CREATE_SLOTTED)
		state |= REFSTORE_STATE_SLOTTED;
	if (variant->flags & REFSTORE_SEAL_DATA)
		state |= REFSTORE_STATE_SEALED_DATA;
	if (variant->flags & REFSTORE_SEAL_SLOTS)
		state |= REFSTORE_STATE_SEALED_SLOTS;
	ASSERT_EQ(0, rs_stat(fd, handle, &stat));
	ASSERT_LT(*last_id, stat.id);
	*last_id = stat.id;
	ASSERT_EQ(REFSTORE_TYPE_DICT, stat.type);
	ASSERT_EQ(state, stat.state);
	ASSERT_EQ(variant->nr_slots, stat.nr_slots);
	ASSERT_EQ(variant->data_len, stat.data_len);
	ASSERT_EQ(1, stat.refs);
	ASSERT_EQ(0, rs_read(fd, handle, 0, variant->data_len, found, NULL));
	ASSERT_EQ(0, memcmp(data, found, variant->data_len));
	if (variant->nr_slots)
		ASSERT_EQ(0, rs_slot_id(fd, handle, variant->nr_slots - 1));
	return stat.bytes;
}

static char *random_bytes(size_t length)
{
	char *bytes = malloc(length + 1);
	__u64 seed = 1;
	size_t i;

	for (i = 0; i < length; i++)
		bytes[i] = rs_random(&seed);
	return bytes;
}

/* As if each had been made by itself: all of it is right, and goes again. */
static void expect_many(struct __test_metadata *_metadata,
			FIXTURE_DATA(many) *self,
			const FIXTURE_VARIANT(kind) *variant, __u32 count)
{
	struct refstore_create_many create = {
		.flags = variant->flags,
		.type = REFSTORE_TYPE_DICT,
		.count = count,
		.data_len = variant->data_len,
		.nr_slots = variant->nr_slots,
	};
	char *data = random_bytes((size_t)count * variant->data_len);
	__u64 *handles = calloc(count + 1, sizeof(*handles));
	__u64 bytes = self->before.figures.bytes, last_id = 0;
	struct rs_figures now;
	__u32 i, done;

	if (variant->data)
		create.data = rs_ptr(data);
	else
		memset(data, 0, count * variant->data_len);
	create.handles = rs_ptr(handles);
	handles[count] = UNUSED;
	ASSERT_EQ(0, rs_create_many(self->fd, &create));
	ASSERT_EQ(count, create.done);
	EXPECT_EQ(UNUSED, handles[count]);
	for (i = 0; i < count; i++)
		bytes += expect_object(_metadata, self->fd, variant, handles[i],
				       data + i * variant->data_len, &last_id);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &now));
	EXPECT_EQ(self->before.figures.objects + count, now.objects);
	EXPECT_EQ(self->before.figures.handles + count, now.handles);
	EXPECT_EQ(bytes, now.bytes);
	ASSERT_EQ(0, rs_release_many(self->fd, handles, count, &done));
	EXPECT_EQ(count, done);
	for (i = 0; i < count; i++) {
		ASSERT_EQ(-EBADF, rs_refs(self->fd, handles[i]));
	}
	/* Without anybody's help, as none of them refers to another. */
	EXPECT_UNCHANGED();
	free(handles);
	free(data);
}

TEST_F(kind, counts)
{
	static const __u32 counts[] = { 1, 63, 64, 65, 129 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		expect_many(_metadata, &self->many, variant, counts[i]);
	if (variant->data_len == 100)
		expect_many(_metadata, &self->many, variant, 1000);
}

/* As many as one call may make; on a checking kernel, a part of that. */
TEST_F(many, most)
{
	const __u32 count = access("/proc/lockdep", F_OK) ?
			    self->max_batch : rs_size(self->max_batch);
	struct refstore_create_many create = { .count = count };
	__u64 *handles = calloc(count, sizeof(*handles));
	__u32 done;

	create.handles = rs_ptr(handles);
	ASSERT_EQ(0, rs_create_many(self->fd, &create));
	EXPECT_EQ(count, create.done);
	EXPECT_EQ(2 + count, rs_objects(self->fd));
	EXPECT_EQ(1, rs_refs(self->fd, handles[count - 1]));
	ASSERT_EQ(0, rs_release_many(self->fd, handles, count, &done));
	EXPECT_EQ(count, done);
	EXPECT_EQ(0, rs_repeated(handles, count));
	EXPECT_UNCHANGED();
	free(handles);
}

/* --- What is refused -------------------------------------------------- */

/* Each is a good call but for one field. */
TEST_F(many, bad_create)
{
	static __u64 handles[4];
	struct refstore_query query;
	struct refstore_create_many create, good = {
		.type = REFSTORE_TYPE_LIST,
		.count = 4,
		.handles = rs_ptr(handles),
	};

	ASSERT_EQ(0, rs_query(self->fd, &query));
#define EXPECT_REFUSED(error, field, value) do {			\
	create = good;							\
	create.field = value;						\
	EXPECT_EQ(-(error), rs_create_many(self->fd, &create)) {	\
		TH_LOG(#field " = " #value);				\
	}								\
	EXPECT_UNCHANGED();						\
} while (0)
	EXPECT_REFUSED(EINVAL, count, 0);
	EXPECT_REFUSED(E2BIG, count, query.max_batch + 1);
	EXPECT_REFUSED(E2BIG, count, ~0U);
	EXPECT_REFUSED(EINVAL, type, REFSTORE_TYPE_OBJECT + 1);
	EXPECT_REFUSED(EINVAL, type, REFSTORE_TYPE_USER);
	EXPECT_REFUSED(EINVAL, type, ~0U);
	EXPECT_REFUSED(E2BIG, data_len, query.max_data + 1);
	EXPECT_REFUSED(E2BIG, data_len, ~0U);
	EXPECT_REFUSED(E2BIG, nr_slots, query.max_slots + 1);
	EXPECT_REFUSED(E2BIG, nr_slots, ~0U);
	EXPECT_REFUSED(EFAULT, handles, 0);
	EXPECT_REFUSED(EINVAL, flags, 0x8);
	EXPECT_REFUSED(EINVAL, flags, 1U << 31);
	EXPECT_REFUSED(EINVAL, reserved, 1);
	/* A pointer is looked at where there is data only. */
	create = good;
	create.data = 1;
	ASSERT_EQ(0, rs_create_many(self->fd, &create));
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 4, NULL));
	good.data_len = 1;
	EXPECT_REFUSED(EFAULT, data, 1);
	/* Nothing but a size. */
	create = (struct refstore_create_many){};
	EXPECT_EQ(-EINVAL, rs_create_many(self->fd, &create));
	EXPECT_UNCHANGED();
}

TEST_F(many, bad_release)
{
	__u64 handles[4] = {};
	struct refstore_release_many release = {
		.size = sizeof(release),
		.flags = 1,
		.handles = rs_ptr(handles),
		.count = 1,
	};

	EXPECT_EQ(-EINVAL, rs_call(self->fd, REFSTORE_RELEASE_MANY, &release));
	EXPECT_EQ(-EINVAL, rs_release_many(self->fd, handles, 0, NULL));
	EXPECT_EQ(-EINVAL, rs_release_many(self->fd, NULL, 0, NULL));
	EXPECT_EQ(-EFAULT, rs_release_many(self->fd, NULL, 1, NULL));
	EXPECT_EQ(-E2BIG, rs_release_many(self->fd, handles,
					  self->max_batch + 1, NULL));
	EXPECT_EQ(-E2BIG, rs_release_many(self->fd, handles, ~0U, NULL));
	EXPECT_UNCHANGED();
}

/* What is no handle of this session's, wherever it stands. */
TEST_F(many, no_handles)
{
	int other = rs_session_new(self->fd, 0);
	__u64 stale, foreign, bad[5], handles[200], dups[200];
	__u32 at, done;
	size_t i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_leaf(other, NULL, 1, &foreign));
	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &stale));
	ASSERT_EQ(0, rs_release(self->fd, stale));
	bad[0] = stale;
	bad[1] = foreign;
	bad[2] = ~0ULL >> 1;
	bad[3] = REFSTORE_RESULT(0);
	bad[4] = self->leaf ^ 1ULL << 62;
	rs_before_free(&self->before);
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (at = 0; at < 200; at += at % 64 == 62 ? 1 : 31) {
			ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf),
					       200, dups));
			memcpy(handles, dups, sizeof(handles));
			handles[at] = bad[i];
			done = 0;
			EXPECT_EQ(at ? 0 : -EBADF,
				  rs_release_many(self->fd, handles, 200,
						  &done));
			EXPECT_EQ(at, done);
			/* Those behind it, and the one in its place. */
			EXPECT_EQ(0, rs_release_many(self->fd, dups + at,
						     200 - at, &done));
			EXPECT_EQ(200 - at, done);
			EXPECT_UNCHANGED();
		}
	}
	EXPECT_EQ(0, close(other));
}

/* --- What is given back ----------------------------------------------- */

TEST_F(many, nothing)
{
	__u64 handles[200] = {};
	__u32 done, count;

	for (count = 1; count <= 200; count += 33) {
		EXPECT_EQ(0, rs_release_many(self->fd, handles, count, &done));
		EXPECT_EQ(count, done);
	}
	/* What is passed over counts, in front of what is refused, too. */
	handles[1] = UNUSED;
	EXPECT_EQ(0, rs_release_many(self->fd, handles, 200, &done));
	EXPECT_EQ(1, done);
	handles[1] = self->leaf;
	handles[150] = self->node;
	EXPECT_EQ(0, rs_release_many(self->fd, handles, 200, &done));
	EXPECT_EQ(200, done);
	EXPECT_EQ(0, rs_handles(self->fd));
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* The same one twice: the second is stale. */
TEST_F(many, twice)
{
	__u64 handles[100];
	__u32 done, at;

	for (at = 1; at < 100; at += 7) {
		ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), 100,
				       handles));
		ASSERT_EQ(0, rs_release(self->fd, handles[at]));
		handles[at] = handles[at - 1];
		EXPECT_EQ(0, rs_release_many(self->fd, handles, 100, &done));
		EXPECT_EQ(at, done);
		EXPECT_EQ(-EBADF, rs_release_many(self->fd, handles + at,
						  100 - at, NULL));
		if (at == 99)
			continue;
		EXPECT_EQ(0, rs_release_many(self->fd, handles + at + 1,
					     99 - at, &done));
		EXPECT_EQ(99 - at, done);
	}
	EXPECT_UNCHANGED();
}

/* Many handles of one object, its last one among them. */
TEST_F(many, of_one)
{
	__u64 handles[1000], weak, id = rs_id(self->fd, self->node);
	struct refstore_event event;
	__u32 done;

	ASSERT_EQ(0, rs_weak(self->fd, self->node, REFSTORE_WEAK_NOTIFY, 7,
			     &weak));
	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->node), 1000, handles));
	EXPECT_EQ(1001, rs_refs(self->fd, self->node));
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 1000, &done));
	EXPECT_EQ(1000, done);
	EXPECT_EQ(1, rs_refs(self->fd, self->node));
	EXPECT_EQ(1, rs_alive(self->fd, weak));
	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->node), 999, handles));
	handles[999] = self->node;
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 1000, &done));
	EXPECT_EQ(1000, done);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(1, rs_objects(self->fd));
	ASSERT_EQ(1, rs_read_events(self->fd, &event, 1));
	EXPECT_EQ(7, event.cookie);
	EXPECT_EQ(id, event.id);
}

/* Weak ones keep nothing, and take back the notices that did not come yet. */
TEST_F(many, weak)
{
	struct refstore_event events[200];
	__u64 handles[200], leaves[100];
	__u32 done, i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaves[i]));
	}
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, rs_weak(self->fd, i % 2 ? leaves[i / 2] :
				     self->leaf, REFSTORE_WEAK_NOTIFY, i,
				     &handles[i]));
	}
	ASSERT_EQ(0, rs_release_many(self->fd, leaves, 100, NULL));
	/* The notices of these have come. */
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 200, &done));
	EXPECT_EQ(200, done);
	EXPECT_EQ(-EBADF, rs_alive(self->fd, handles[199]));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(100, rs_read_events(self->fd, events, 200));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(2 * i + 1, events[i].cookie);
	}
	EXPECT_EQ(1, rs_handles(self->fd));
}

/* Handles of either kind in turn. */
TEST_F(many, of_both_kinds)
{
	__u64 handles[200];
	__u32 done, i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, rs_dup(self->fd, self->node, &handles[2 * i]));
		ASSERT_EQ(0, rs_weak(self->fd, self->node, 0, 0,
				     &handles[2 * i + 1]));
	}
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 200, &done));
	EXPECT_EQ(200, done);
	EXPECT_EQ(1, rs_refs(self->fd, self->node));
	EXPECT_EQ(2, rs_handles(self->fd));
}

/* What else goes with them goes; cycles are found. */
TEST_F(many, chains_and_rings)
{
	const __u32 length = rs_size(1000);
	struct refstore_collect collect;
	__u64 handles[130], first;
	__u32 i, done;

	for (i = 0; i < 130; i++) {
		if (i % 2) {
			ASSERT_EQ(0, rs_ring(self->fd, 10, 1, &handles[i]));
			continue;
		}
		ASSERT_EQ(0, rs_chain(self->fd, length, 2, &first,
				      &handles[i]));
		ASSERT_EQ(0, rs_release(self->fd, first));
	}
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 130, &done));
	EXPECT_EQ(130, done);
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 2 + 65 * 10,
				  RS_SOON));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(65 * 10, collect.reclaimed);
	EXPECT_UNCHANGED();
}

/* --- In batches ------------------------------------------------------- */

/* What one operation wrote to memory another one reads from there. */
TEST_F(many, through_memory)
{
	__u64 made[100], read[4];
	struct refstore_op ops[] = {
		op_create_many(100, 2, made),
		op_slots(REFSTORE_CMD_WRITE_SLOTS, self->node, 0, 4, made + 50),
		op_slots(REFSTORE_CMD_READ_SLOTS, self->node, 0, 4, read),
		op_create(4, made),
		op_release_many(100, made),
		op_release_many(4, read),
	};
	struct refstore_batch batch;
	__u32 i;

	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(ARRAY_SIZE(ops), batch.done);
	ASSERT_EQ(0, batch.failed);
	EXPECT_EQ(100, ops[0].create_many.done);
	EXPECT_EQ(100, ops[4].release_many.done);
	EXPECT_EQ(4, ops[5].release_many.done);
	/* Left are those in the slots of two objects. */
	EXPECT_EQ(2 + 4 + 5, rs_objects(self->fd));
	EXPECT_EQ(3, rs_handles(self->fd));
	for (i = 0; i < 4; i++) {
		EXPECT_NE(0, rs_slot_id(self->fd, self->node, i));
		EXPECT_EQ(rs_slot_id(self->fd, ops[3].create.result, 0) + 50 + i,
			  rs_slot_id(self->fd, self->node, i));
	}
	ASSERT_EQ(0, rs_release(self->fd, ops[3].create.result));
	ASSERT_EQ(0, rs_resize(self->fd, self->node, 0));
	ASSERT_EQ(0, rs_resize(self->fd, self->node, 4));
	EXPECT_UNCHANGED();
}

/* Results of the same batch, of its first part and of the same part. */
TEST_F(many, results)
{
	enum { OPS = 150 };
	struct refstore_op ops[OPS + 3];
	__u64 results[OPS + 1], wrong[] = {
		REFSTORE_RESULT(0), REFSTORE_RESULT(OPS),
		REFSTORE_RESULT(OPS + 1), REFSTORE_RESULT(1000000),
	};
	struct refstore_batch batch;
	__u32 i;

	for (i = 0; i < OPS; i++) {
		results[i] = REFSTORE_RESULT(i);
		ops[i] = i % 3 == 0 ? op_create(1, NULL) :
			 i % 3 == 1 ? op_dup(self->leaf) :
				      op_weak(REFSTORE_RESULT(i - 2), 0, 0);
	}
	results[OPS] = self->node;
	ops[OPS] = op_release_many(OPS + 1, results);
	ops[OPS + 1] = op_release_many(1, wrong);	/* released */
	ops[OPS + 2] = op_release_many(3, wrong + 1);	/* none, itself */
	ASSERT_EQ(0, rs_batch(self->fd, REFSTORE_BATCH_CONTINUE, ops,
			      ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(ARRAY_SIZE(ops), batch.done);
	EXPECT_EQ(2, batch.failed);
	EXPECT_EQ(0, ops[OPS].error);
	EXPECT_EQ(OPS + 1, ops[OPS].release_many.done);
	EXPECT_EQ(-EBADF, ops[OPS + 1].error);
	EXPECT_EQ(-EBADF, ops[OPS + 2].error);
	EXPECT_EQ(1, rs_objects(self->fd));
	EXPECT_EQ(1, rs_handles(self->fd));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	for (i = 0; i < OPS; i++) {
		EXPECT_EQ(-EBADF, rs_release(self->fd, ops[i].dup.result));
	}
}

/* How far it came is told of an operation as it is of a call. */
TEST_F(many, operation_stops)
{
	__u64 handles[] = { REFSTORE_RESULT(0), 0, REFSTORE_RESULT(0) }, made[4];
	struct refstore_op ops[] = {
		op_dup(self->leaf),
		op_release_many(3, handles),
		op_release_many(1, handles + 2),	/* EBADF */
		op_create_many(0, 1, made),		/* EINVAL */
		op_create_many(4, 1, NULL),		/* EFAULT */
		op_create_many(4, 1, made),
	};
	static const int errors[] = { 0, 0, -EBADF, -EINVAL, -EFAULT, 0 };
	struct refstore_batch batch;
	size_t i;

	ASSERT_EQ(0, rs_batch(self->fd, REFSTORE_BATCH_CONTINUE, ops,
			      ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(3, batch.failed);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(errors[i], ops[i].error);
	}
	EXPECT_EQ(2, ops[1].release_many.done);
	ASSERT_EQ(0, rs_release_many(self->fd, made, 4, NULL));
	EXPECT_UNCHANGED();
	/* The first that fails ends the batch. */
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(3, batch.done);
	EXPECT_EQ(1, batch.failed);
	EXPECT_UNCHANGED();
}

/* --- Signals and others ----------------------------------------------- */

static void ignore(int signal)
{
	(void)signal;
}

/* A signal ends a call early, with what it did, or before it did anything. */
TEST_F(many, signals)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = {
		.it_value.tv_usec = 500,
		.it_interval.tv_usec = 500,
	}, never = {};
	struct refstore_create_many create = {};
	__u64 *handles = calloc(self->max_batch, sizeof(*handles));
	__u32 early = 0, turn, done, left;
	int ret;

	create.handles = rs_ptr(handles);
	create.count = self->max_batch;
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	for (turn = 0; turn < 8; turn++) {
		ret = rs_create_many(self->fd, &create);
		if (ret) {
			ASSERT_EQ(-EINTR, ret);
			continue;
		}
		ASSERT_LE(1, create.done);
		ASSERT_GE(create.count, create.done);
		EXPECT_EQ(2 + create.done, rs_objects(self->fd));
		early += create.done < create.count;
		for (left = create.done; left; left -= done) {
			done = 0;
			ret = rs_release_many(self->fd,
					      handles + create.done - left,
					      left, &done);
			ASSERT_TRUE(!ret || ret == -EINTR);
			ASSERT_GE(left, done);
			early += done && done < left;
		}
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	TH_LOG("%u calls ended early", early);
	EXPECT_NE(0, early);
	EXPECT_UNCHANGED();
	free(handles);
}

/* Makes rings of random sizes and lets go of them. */
static int churn(int fd, __u64 seed, unsigned int turns)
{
	struct refstore_create_many create = {
		.flags = REFSTORE_CREATE_SLOTTED,
		.nr_slots = 1,
		.data_len = 5,
	};
	__u64 handles[300];
	__u32 done, i;

	create.handles = rs_ptr(handles);
	while (turns--) {
		create.count = 1 + rs_below(&seed, 300);
		if (rs_create_many(fd, &create) || create.done != create.count)
			return 1;
		for (i = 0; i < create.count; i += 1 + rs_below(&seed, 9))
			if (rs_set_slot(fd, handles[i], 0,
					handles[rs_below(&seed, create.count)]))
				return 2;
		if (rs_release_many(fd, handles, create.count, &done) ||
		    done != create.count)
			return 3;
	}
	return 0;
}

TEST_F(many, beside_scans)
{
	enum { CHILDREN = 3 };
	const unsigned int turns = rs_size(250);
	struct refstore_collect collect;
	__u64 reclaimed = 0;
	int i, left = CHILDREN, status;
	pid_t child;

	for (i = 0; i < CHILDREN; i++) {
		child = rs_fork_session(&self->fd);
		if (!child)
			_exit(churn(self->fd, i + 1, turns));
	}
	while (left) {
		ASSERT_EQ(0, rs_collect_generation(self->fd, left % 2,
						   &collect));
		reclaimed += collect.reclaimed;
		child = waitpid(-1, &status, WNOHANG);
		if (child <= 0)
			continue;
		EXPECT_EQ(0, status);
		left--;
	}
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	TH_LOG("%llu reclaimed meanwhile", reclaimed);
	EXPECT_NE(0, reclaimed);
	EXPECT_UNCHANGED();
}

TEST_HARNESS_MAIN
