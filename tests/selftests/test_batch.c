// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches: many operations in one call, which may use each other's results.
 */
#include <sys/time.h>

#include "refstore_heap.h"

/* The kernel works through a batch in parts of so many operations. */
#define PART 64

FIXTURE(batch)
{
	int fd;
	__u64 node, leaf;
	__u32 max;			/* operations that a batch can have */
	__u32 many;			/* and with which time is not lost */
	struct refstore_op *ops;	/* room for one more than the most */
	struct refstore_batch batch;
};

FIXTURE_SETUP(batch)
{
	struct refstore_query query;

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_query(self->fd, &query));
	ASSERT_LE(4 * PART, query.max_batch);
	ASSERT_GT(1 << 24, query.max_batch);
	self->max = query.max_batch;
	self->many = self->max < 2000 ? self->max : rs_size(2000);
	self->ops = calloc(self->max + 1, sizeof(*self->ops));
	ASSERT_NE(NULL, self->ops);
	ASSERT_EQ(0, rs_node(self->fd, 4, NULL, &self->node));
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
}

/* Whatever a batch did, all counts are right, and all of it goes at the end. */
FIXTURE_TEARDOWN(batch)
{
	__u64 number = rs_heap_number(self->fd);
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(number), RS_SOON));
	free(self->ops);
}

/* Runs the first @nr of self->ops. */
#define RUN(flags, nr) \
	rs_batch(self->fd, flags, self->ops, nr, &self->batch)

/* All of them are begun, and @nr_failed of them fail. */
#define EXPECT_RUN(flags, nr, nr_failed) do {				\
	ASSERT_EQ(0, RUN(flags, nr));					\
	EXPECT_EQ(nr, self->batch.done);				\
	EXPECT_EQ(nr_failed, self->batch.failed);			\
} while (0)

/* --- Whole graphs ----------------------------------------------------- */

/* Objects that refer to earlier ones by arrays of results, in one call. */
TEST_F(batch, graph)
{
	__u32 n = self->many < 1000 ? self->many : 1000, i;
	__u64 (*slots)[3] = calloc(n, sizeof(*slots));
	struct rs_heap heap;
	size_t edge = 0;

	for (i = 0; i < n; i++) {
		if (i) {
			slots[i][0] = REFSTORE_RESULT(i - 1);
			slots[i][1] = REFSTORE_RESULT(i / 2);
		}
		slots[i][2] = self->leaf;
		self->ops[i] = op_create(3, slots[i]);
	}
	EXPECT_RUN(0, n, 0);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, self->ops[i].error);
		ASSERT_EQ(self->ops[i].create.id,
			  rs_id(self->fd, self->ops[i].create.result));
	}
	ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
	ASSERT_EQ(n + 2, heap.nr_objects);
	ASSERT_EQ(n + 2, heap.nr_handles);
	ASSERT_EQ(3 * n - 2, heap.nr_edges);
	/* Ids are in the order of the batch, so edges are, too. */
	for (i = 0; i < n; i++) {
		struct refstore_walk_edge *e = &heap.edges[edge];

		if (i) {
			ASSERT_EQ(self->ops[i].create.id, e[0].from);
			ASSERT_EQ(self->ops[i - 1].create.id, e[0].to);
			ASSERT_EQ(self->ops[i / 2].create.id, e[1].to);
			edge += 2;
		}
		ASSERT_EQ(self->ops[i].create.id, heap.edges[edge].from);
		ASSERT_EQ(rs_id(self->fd, self->leaf), heap.edges[edge].to);
		ASSERT_EQ(2, heap.edges[edge].index);
		edge++;
	}
	EXPECT_EQ(1 + n, rs_refs(self->fd, self->leaf));
	rs_heap_free(&heap);
	free(slots);
}

/* A ring, its handles given back, and all of it in one call. */
TEST_F(batch, ring)
{
	__u32 n = self->many / 3, i, op = 0;

	for (i = 0; i < n; i++)
		self->ops[op++] = op_create(1, NULL);
	for (i = 0; i < n; i++)
		self->ops[op++] = op_set_slot(REFSTORE_RESULT(i), 0,
					      REFSTORE_RESULT((i + 1) % n));
	for (i = 0; i < n; i++)
		self->ops[op++] = op_release(REFSTORE_RESULT(i));
	EXPECT_RUN(0, op, 0);
	EXPECT_EQ(2, rs_handles(self->fd));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(2, rs_objects(self->fd));
}

/* Every command that can be part of a batch, and what it answers. */
TEST_F(batch, every_command)
{
	__u64 write[2] = { self->leaf, REFSTORE_RESULT(0) };
	__u64 read[4] = { 1, 1, 1, 1 };
	struct refstore_op *ops = self->ops;
	char data[8] = "";
	__u32 n = 0;

	ops[n++] = op_create(2, NULL);				/* 0 */
	ops[0].create.data_len = 8;
	ops[n++] = op_dup(REFSTORE_RESULT(0));			/* 1 */
	ops[n++] = op_set_slot(REFSTORE_RESULT(0), 0, self->leaf);
	ops[n++] = op_get_slot(REFSTORE_RESULT(1), 0);		/* 3 */
	ops[n++] = op_cas_slot(REFSTORE_RESULT(1), 0, REFSTORE_RESULT(3),
			       REFSTORE_RESULT(0));
	ops[n++] = op_slots(REFSTORE_CMD_WRITE_SLOTS, self->node, 1, 2, write);
	ops[n++] = op_slots(REFSTORE_CMD_READ_SLOTS, self->node, 0, 4, read);
	ops[n++] = op_resize(REFSTORE_RESULT(0), 5);		/* 7 */
	ops[n++] = op_data(REFSTORE_CMD_WRITE, REFSTORE_RESULT(0), 0, 8,
			   "12345678");
	ops[n++] = op_data(REFSTORE_CMD_READ, REFSTORE_RESULT(0), 4, 8, data);
	ops[n++] = op_root(REFSTORE_CMD_SET_ROOT, 0, self->node); /* 10 */
	ops[n++] = op_root(REFSTORE_CMD_CAS_ROOT, self->node,
			   REFSTORE_RESULT(0));
	ops[n++] = op_get_root();				/* 12 */
	ops[n] = op_stat(REFSTORE_RESULT(12));			/* 13 */
	n++;
	ops[n++] = (struct refstore_op){
		.command = REFSTORE_CMD_SEAL,
		.seal = {
			.size = sizeof(struct refstore_seal),
			.flags = REFSTORE_SEAL_DATA,
			.object = REFSTORE_RESULT(12),
		},
	};
	ops[n++] = op_release(REFSTORE_RESULT(3));		/* 15 */
	EXPECT_RUN(0, n, 0);

	EXPECT_EQ(2, ops[5].slots.done);
	EXPECT_EQ(4, ops[6].slots.done);
	EXPECT_EQ(0, read[0]);
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(self->fd, read[1]));
	EXPECT_EQ(ops[0].create.id, rs_id(self->fd, read[2]));
	EXPECT_EQ(0, read[3]);
	EXPECT_EQ(8, ops[8].data.done);
	EXPECT_EQ(4, ops[9].data.done);
	EXPECT_EQ(0, memcmp(data, "5678", 4));
	EXPECT_EQ(ops[0].create.id, ops[13].stat.id);
	EXPECT_EQ(5, ops[13].stat.nr_slots);
	/* Handles 0, 1, 12, read[2]; slots of itself and the node; the root. */
	EXPECT_EQ(7, rs_refs(self->fd, ops[0].create.result));
	EXPECT_EQ(-EPERM, rs_write(self->fd, read[2], 0, 1, "x", NULL));
	EXPECT_EQ(-EBADF, rs_refs(self->fd, ops[3].get_slot.result));
	EXPECT_EQ(7, rs_handles(self->fd));
}

/* --- Errors ----------------------------------------------------------- */

static void fill_with_errors(FIXTURE_DATA(batch) *self)
{
	memset(self->ops, 0xff, 6 * sizeof(*self->ops));
	self->ops[0] = op_create(1, NULL);
	self->ops[1] = op_get_slot(self->leaf, 0);
	self->ops[2] = op_create(1, NULL);
	self->ops[3] = op_get_slot(self->node, 4);
	self->ops[4] = op_dup(REFSTORE_RESULT(1));
	self->ops[5] = op_dup(REFSTORE_RESULT(2));
	/* What the kernel says goes over whatever was there. */
	self->ops[0].error = self->ops[1].error = 12345;
}

TEST_F(batch, stops_at_error)
{
	fill_with_errors(self);
	ASSERT_EQ(0, RUN(0, 6));
	EXPECT_EQ(2, self->batch.done);
	EXPECT_EQ(1, self->batch.failed);
	EXPECT_EQ(0, self->ops[0].error);
	EXPECT_EQ(-EOPNOTSUPP, self->ops[1].error);
	EXPECT_EQ(3, rs_handles(self->fd));
	EXPECT_NE(0, rs_id(self->fd, self->ops[0].create.result));
}

TEST_F(batch, goes_on_after_errors)
{
	fill_with_errors(self);
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, 6, 3);
	EXPECT_EQ(0, self->ops[0].error);
	EXPECT_EQ(-EOPNOTSUPP, self->ops[1].error);
	EXPECT_EQ(0, self->ops[2].error);
	EXPECT_EQ(-ERANGE, self->ops[3].error);
	EXPECT_EQ(-EBADF, self->ops[4].error);
	EXPECT_EQ(0, self->ops[5].error);
	EXPECT_EQ(5, rs_handles(self->fd));
}

/* The same in a later part than the first. */
TEST_F(batch, late_error)
{
	__u32 bad, i;

	for (bad = PART - 1; bad <= 3 * PART; bad += PART / 2) {
		for (i = 0; i < 4 * PART; i++)
			self->ops[i] = op_create(0, NULL);
		self->ops[bad] = op_release(0);
		ASSERT_EQ(0, RUN(0, 4 * PART));
		EXPECT_EQ(bad + 1, self->batch.done);
		EXPECT_EQ(1, self->batch.failed);
		EXPECT_EQ(-EBADF, self->ops[bad].error);
		EXPECT_EQ(bad + 2, rs_handles(self->fd));
		for (i = 0; i < bad; i++) {
			ASSERT_EQ(0, rs_release(self->fd,
						self->ops[i].create.result));
		}
	}
}

TEST_F(batch, all_fail)
{
	__u32 i;

	for (i = 0; i < self->many; i++)
		self->ops[i] = op_release(i % 2 ? 0 : REFSTORE_RESULT(i));
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, self->many, self->many);
	for (i = 0; i < self->many; i++) {
		ASSERT_EQ(-EBADF, self->ops[i].error);
	}
	EXPECT_EQ(2, rs_handles(self->fd));
}

TEST_F(batch, counts)
{
	__u32 i;

	for (i = 0; i <= self->max; i++)
		self->ops[i] = op_stat(self->leaf);
	EXPECT_EQ(-EINVAL, RUN(0, 0));
	EXPECT_EQ(-E2BIG, RUN(0, self->max + 1));
	EXPECT_EQ(-E2BIG, RUN(0, UINT32_MAX));
	EXPECT_RUN(0, 1, 0);
	EXPECT_RUN(0, self->max, 0);
}

TEST_F(batch, op_size)
{
	static const __u32 wrong[] = { 0, 1, 8, 64, 71 };
	struct refstore_batch batch = {
		.size = sizeof(batch),
		.ops = rs_ptr(self->ops),
		.nr_ops = 1,
	};
	size_t i;

	self->ops[0] = op_create(1, NULL);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		batch.op_size = wrong[i];
		EXPECT_EQ(-EINVAL,
			  rs_call(self->fd, REFSTORE_BATCH, &batch));
	}
	/* One that is too large for this kernel, however it says so. */
	batch.op_size = 1 << 20;
	EXPECT_NE(0, rs_call(self->fd, REFSTORE_BATCH, &batch));
	EXPECT_EQ(2, rs_handles(self->fd));
}

/* Numbers that no operation can have; the batch goes on. */
TEST_F(batch, unbatchable)
{
	static const __u32 commands[] = {
		REFSTORE_CMD_QUERY, REFSTORE_CMD_SESSION_NEW,
		REFSTORE_CMD_TYPE_REGISTER, REFSTORE_CMD_COLLECT,
		REFSTORE_CMD_WALK, REFSTORE_CMD_BATCH, REFSTORE_CMD_TYPE_NAME,
		REFSTORE_CMD_TUNE, REFSTORE_CMD_GENERATION,
		REFSTORE_CMD_FREEZE, REFSTORE_CMD_DROP_SAVED,
		REFSTORE_CMD_RESTRICT, REFSTORE_CMD_EXPORT,
		REFSTORE_CMD_OPEN_EXPORT, REFSTORE_CMD_LIMIT,
		REFSTORE_CMD_ADOPT, REFSTORE_CMD_MAP,
	};
	static const __u32 unknown[] = {
		0, 1, REFSTORE_CMD_QUERY - 1,
		REFSTORE_CMD_CAS_MANY + 1, 255,
		REFSTORE_CMD_CREATE + 256, REFSTORE_CREATE, UINT32_MAX,
	};
	const __u32 n = ARRAY_SIZE(commands), m = ARRAY_SIZE(unknown);
	__u32 i;

	for (i = 0; i < n + m; i++) {
		self->ops[i] = op_create(0, NULL);
		self->ops[i].command = i < n ? commands[i] : unknown[i - n];
	}
	self->ops[n + m] = op_dup(self->leaf);
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, n + m + 1, n + m);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(-EOPNOTSUPP, self->ops[i].error);
	}
	for (; i < n + m; i++) {
		EXPECT_EQ(-ENOTTY, self->ops[i].error);
	}
	EXPECT_EQ(0, self->ops[i].error);
	EXPECT_EQ(3, rs_handles(self->fd));
}

/* --- Results ---------------------------------------------------------- */

/* Nothing but an earlier operation that produced a handle. */
TEST_F(batch, bad_results)
{
	__u64 slots[2] = { self->leaf, REFSTORE_RESULT(0) };
	__u64 read[1];
	struct refstore_op *ops = self->ops;
	__u32 n = 0, i;

	ops[n++] = op_set_slot(self->node, 0, self->leaf);	/* no result */
	ops[n++] = op_dup(0);					/* fails */
	ops[n++] = op_slots(REFSTORE_CMD_READ_SLOTS, self->node, 0, 1, read);
	ops[n++] = op_get_slot(self->node, 1);			/* empty */
	EXPECT_EQ(4, n);
	ops[n++] = op_dup(REFSTORE_RESULT(0));
	ops[n++] = op_dup(REFSTORE_RESULT(1));
	ops[n++] = op_dup(REFSTORE_RESULT(2));
	ops[n++] = op_dup(REFSTORE_RESULT(3));
	ops[n] = op_dup(REFSTORE_RESULT(n));			/* itself */
	n++;
	ops[n] = op_dup(REFSTORE_RESULT(n + 1));		/* later */
	n++;
	ops[n++] = op_dup(REFSTORE_RESULT(1000));
	ops[n++] = op_dup(REFSTORE_RESULT(UINT32_MAX));
	ops[n++] = op_dup(REFSTORE_RESULT(1ULL << 32));
	ops[n++] = op_dup(REFSTORE_RESULT(1ULL << 62));
	ops[n++] = op_dup(~0ULL);
	/* In the arrays and the other fields as well. */
	ops[n++] = op_create(2, slots);
	ops[n++] = op_slots(REFSTORE_CMD_WRITE_SLOTS, self->node, 0, 1,
			    &slots[1]);
	ops[n++] = op_set_slot(self->node, 1, REFSTORE_RESULT(0));
	ops[n++] = op_cas_slot(self->node, 1, REFSTORE_RESULT(0), self->leaf);
	ops[n++] = op_cas_slot(self->node, 1, 0, REFSTORE_RESULT(0));
	ops[n++] = op_root(REFSTORE_CMD_SET_ROOT, 0, REFSTORE_RESULT(0));
	ops[n++] = op_root(REFSTORE_CMD_CAS_ROOT, REFSTORE_RESULT(0), 0);
	ops[n++] = op_release(REFSTORE_RESULT(0));
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, n, n - 3);
	for (i = 4; i < n; i++) {
		EXPECT_EQ(-EBADF, ops[i].error) {
			TH_LOG("operation %u", i);
		}
	}
	/* Those of the slot, the fixture and the handle that was read. */
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
}

/* A result of another batch is none in this one. */
TEST_F(batch, old_results)
{
	self->ops[0] = op_create(0, NULL);
	EXPECT_RUN(0, 1, 0);
	self->ops[1] = op_dup(REFSTORE_RESULT(0));
	self->ops[0] = op_stat(self->ops[0].create.result);
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, 2, 1);
	EXPECT_EQ(-EBADF, self->ops[1].error);
}

/* Every distance between an operation and the one that uses its result. */
TEST_F(batch, results_across_parts)
{
	const __u32 n = 4 * PART;
	__u32 at, i;

	for (at = 0; at < n; at += 7) {
		for (i = 0; i < n; i++) {
			if (i == at)
				self->ops[i] = op_create(1, NULL);
			else if (i < at)
				self->ops[i] = op_stat(self->leaf);
			else
				self->ops[i] = op_stat(REFSTORE_RESULT(at));
		}
		EXPECT_RUN(0, n, 0);
		for (i = at + 1; i < n; i++) {
			ASSERT_EQ(self->ops[at].create.id,
				  self->ops[i].stat.id);
		}
		ASSERT_EQ(0, rs_release(self->fd,
					self->ops[at].create.result));
	}
}

/*
 * A result that the same batch releases, in the same part or a later one: it is
 * gone for what follows, and for the caller.
 */
TEST_F(batch, released_results)
{
	const __u32 n = 4 * PART;
	__u32 made, gone, i;

	for (made = 0; made < 2 * PART; made += 9) {
		for (gone = made + 1; gone < n - 1; gone += 31) {
			for (i = 0; i < n; i++)
				self->ops[i] = op_stat(self->leaf);
			self->ops[made] = op_create(1, NULL);
			self->ops[gone] = op_release(REFSTORE_RESULT(made));
			self->ops[gone + 1] = op_dup(REFSTORE_RESULT(made));
			if (gone + 2 < n)
				self->ops[gone + 2] =
					op_release(REFSTORE_RESULT(made));
			self->ops[n - 1] = op_dup(REFSTORE_RESULT(made));
			ASSERT_EQ(0, RUN(REFSTORE_BATCH_CONTINUE, n));
			EXPECT_EQ(n, self->batch.done);
			EXPECT_EQ(0, self->ops[gone].error);
			EXPECT_EQ(-EBADF, self->ops[gone + 1].error);
			if (gone + 2 < n)
				EXPECT_EQ(-EBADF, self->ops[gone + 2].error);
			EXPECT_EQ(-EBADF, self->ops[n - 1].error);
			EXPECT_EQ(0, rs_id(self->fd,
					   self->ops[made].create.result));
			ASSERT_EQ(2, rs_handles(self->fd));
			ASSERT_EQ(2, rs_objects(self->fd));
		}
	}
}

/* Made and released in turn: no handle's place is mixed up with another's. */
TEST_F(batch, churn)
{
	__u32 n = self->many / 4 * 4, i;

	for (i = 0; i < n; i += 4) {
		self->ops[i] = op_create(1, NULL);
		self->ops[i + 1] = op_create(1, NULL);
		self->ops[i + 2] = op_release(REFSTORE_RESULT(i));
		self->ops[i + 3] = op_stat(REFSTORE_RESULT(i + 1));
	}
	EXPECT_RUN(0, n, 0);
	for (i = 0; i < n; i += 4) {
		ASSERT_EQ(self->ops[i + 1].create.id, self->ops[i + 3].stat.id);
		ASSERT_EQ(0, rs_id(self->fd, self->ops[i].create.result));
		ASSERT_EQ(self->ops[i + 1].create.id,
			  rs_id(self->fd, self->ops[i + 1].create.result));
	}
	EXPECT_EQ(n / 4 + 2, rs_handles(self->fd));
	EXPECT_EQ(n / 4 + 2, rs_objects(self->fd));
}

/* A handle from before that a batch releases is stale within the batch. */
TEST_F(batch, release_older)
{
	__u64 old;

	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &old));
	self->ops[0] = op_stat(old);
	self->ops[1] = op_release(old);
	self->ops[2] = op_stat(old);
	self->ops[3] = op_create(0, NULL);
	self->ops[4] = op_stat(old);
	EXPECT_RUN(REFSTORE_BATCH_CONTINUE, 5, 2);
	EXPECT_EQ(0, self->ops[0].error);
	EXPECT_EQ(-EBADF, self->ops[2].error);
	EXPECT_EQ(-EBADF, self->ops[4].error);
}

/* --- Memory that is not there ----------------------------------------- */

FIXTURE(torn)
{
	int fd;
	size_t page;
	char *end;
	__u64 heap;
};

/* How many of the operations lie in memory that is as it should be. */
FIXTURE_VARIANT(torn)
{
	__u32 there;
};

FIXTURE_VARIANT_ADD(torn, after_1)
{
	.there = 1,
};
FIXTURE_VARIANT_ADD(torn, after_63)
{
	.there = 63,
};
FIXTURE_VARIANT_ADD(torn, after_64)
{
	.there = 64,
};
FIXTURE_VARIANT_ADD(torn, after_65)
{
	.there = 65,
};
FIXTURE_VARIANT_ADD(torn, after_100)
{
	.there = 100,
};
FIXTURE_VARIANT_ADD(torn, after_128)
{
	.there = 128,
};
FIXTURE_VARIANT_ADD(torn, after_199)
{
	.there = 199,
};

enum { TORN = 200 };

FIXTURE_SETUP(torn)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->end = rs_fenced(8);
	ASSERT_NE(MAP_FAILED, self->end);
	self->end += 8 * self->page;
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
}

FIXTURE_TEARDOWN(torn)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/*
 * The heap has the handles that the caller can know of and no others. Without a
 * handle an object that the batch made is gone.
 */
static void check_torn(struct __test_metadata *_metadata,
		       FIXTURE_DATA(torn) *self, struct refstore_op *ops,
		       __u32 readable, int ret, __u32 done)
{
	__u32 i, valid = 0;

	for (i = 0; i < readable; i++) {
		bool is_valid = rs_id(self->fd, ops[i].create.result) != 0;

		valid += is_valid;
		if (!ret)
			ASSERT_EQ(i < done, is_valid);
	}
	/* Parts that were done are whole, but for the last operation's. */
	if (ret) {
		EXPECT_EQ(-EFAULT, ret);
		EXPECT_EQ(0, valid % PART);
	} else {
		EXPECT_LT(0, done);
		EXPECT_GE(readable, done);
	}
	EXPECT_EQ(valid, rs_handles(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == valid, RS_SOON));
}

TEST_F(torn, unmapped)
{
	struct refstore_op *ops = (struct refstore_op *)self->end;
	struct refstore_batch batch;
	__u32 i;
	int ret;

	ops -= variant->there;
	for (i = 0; i < variant->there; i++)
		ops[i] = op_create(1, NULL);
	ret = rs_batch(self->fd, 0, ops, TORN, &batch);
	check_torn(_metadata, self, ops, variant->there, ret, batch.done);
}

/* Read, run, and no place for the answers. */
TEST_F(torn, read_only)
{
	struct refstore_op *ops;
	struct refstore_batch batch;
	char *fence = self->end - 4 * self->page;
	__u32 i;
	int ret;

	ops = (struct refstore_op *)(fence - variant->there * sizeof(*ops));
	for (i = 0; i < TORN; i++)
		ops[i] = op_create(1, NULL);
	ASSERT_EQ(0, mprotect(fence, 4 * self->page, PROT_READ));
	ret = rs_batch(self->fd, 0, ops, TORN, &batch);
	check_torn(_metadata, self, ops, variant->there, ret, batch.done);
}

/* What else the operations of such a part did stands. */
TEST_F(torn, other_effects_stand)
{
	struct refstore_op *ops = (struct refstore_op *)self->end;
	struct refstore_batch batch;
	__u64 target, wide;
	__u32 i, set = 0;
	int ret;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &target));
	ASSERT_EQ(0, rs_node(self->fd, TORN, NULL, &wide));
	ops -= variant->there;
	for (i = 0; i < variant->there; i++)
		ops[i] = op_set_slot(wide, i, target);
	ret = rs_batch(self->fd, 0, ops, TORN, &batch);
	if (ret)
		EXPECT_EQ(-EFAULT, ret);
	for (i = 0; i < TORN; i++)
		set += rs_slot_id(self->fd, wide, i) != 0;
	EXPECT_EQ(1 + set, rs_refs(self->fd, target));
	if (!ret)
		EXPECT_EQ(batch.done, set);
}

/* Handles that were read into memory of their own: known, or not valid. */
TEST_F(torn, reads_of_many)
{
	struct refstore_op *ops;
	struct refstore_batch batch;
	char *fence = self->end - 4 * self->page;
	__u64 found[TORN][4] = {}, slots[4], node;
	__u32 i, j, valid = 0;
	int ret;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &slots[0]));
	slots[1] = slots[2] = slots[3] = slots[0];
	ASSERT_EQ(0, rs_node(self->fd, 4, slots, &node));
	ops = (struct refstore_op *)(fence - variant->there * sizeof(*ops));
	for (i = 0; i < TORN; i++)
		ops[i] = op_slots(REFSTORE_CMD_READ_SLOTS, node, 0, 4,
				  found[i]);
	ASSERT_EQ(0, mprotect(fence, 4 * self->page, PROT_READ));
	ret = rs_batch(self->fd, 0, ops, TORN, &batch);
	if (ret)
		EXPECT_EQ(-EFAULT, ret);
	for (i = 0; i < TORN; i++)
		for (j = 0; j < 4; j++)
			valid += rs_id(self->fd, found[i][j]) != 0;
	EXPECT_EQ(valid + 2, rs_handles(self->fd));
	EXPECT_EQ(valid + 5, rs_refs(self->fd, slots[0]));
}

/*
 * Answers that go over operations still to come: whatever comes of it, the
 * handles are the session's and nobody else's.
 */
TEST_F(batch, answers_over_operations)
{
	struct refstore_op *ops = self->ops;
	__u64 slots[4] = { self->leaf, self->leaf, self->leaf, self->leaf };
	__u32 i;

	ASSERT_EQ(0, rs_write_slots(self->fd, self->node, 0, 4, slots, NULL));
	for (i = 0; i < 2 * PART; i++) {
		ops[i] = op_slots(REFSTORE_CMD_READ_SLOTS, self->node, 0, 4,
				  NULL);
		ops[i].slots.handles = rs_ptr(&ops[(i * 37) % (2 * PART)]) +
				       i % 40;
	}
	EXPECT_EQ(0, RUN(REFSTORE_BATCH_CONTINUE, 2 * PART));
	EXPECT_EQ(5 + (rs_handles(self->fd) - 2),
		  rs_refs(self->fd, self->leaf));
}

/* --- Signals ---------------------------------------------------------- */

static void ignore(int signal)
{
	(void)signal;
}

/* As far as it says, and no further; or nothing at all. */
TEST_F(batch, signals)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = {
		.it_value.tv_usec = 700,
		.it_interval.tv_usec = 700,
	}, never = {};
	__u32 i, turn, early = 0, expected = 2;
	int ret;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	for (turn = 0; turn < 20; turn++) {
		for (i = 0; i < self->many; i++)
			self->ops[i] = op_create(0, NULL);
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
		ret = RUN(0, self->many);
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
		if (ret) {
			ASSERT_EQ(-EINTR, ret);
			self->batch.done = 0;
		} else {
			ASSERT_LT(0, self->batch.done);
			EXPECT_EQ(0, self->batch.failed);
		}
		ASSERT_GE(self->many, self->batch.done);
		early += self->batch.done < self->many;
		for (i = 0; i < self->many; i += 1 + i / 100) {
			ASSERT_EQ(i < self->batch.done,
				  rs_id(self->fd,
					self->ops[i].create.result) != 0);
		}
		expected += self->batch.done;
		ASSERT_EQ(expected, rs_handles(self->fd));
	}
	TH_LOG("%u of %u batches ended early", early, turn);
}

TEST_HARNESS_MAIN
