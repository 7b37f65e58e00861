// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits on objects, bytes and handles: reached exactly, told by EDQUOT, and
 * never in the way of what makes room.
 *
 * They are module parameters. The tests set them to something small, and back.
 */
#include "refstore_heap.h"

FIXTURE(limit)
{
	int fd;
	char old[32];
	bool set;
	__u64 node, leaf;	/* the root, and what its slot 0 refers to */
	struct rs_before before;
};

FIXTURE_VARIANT(limit)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(limit, objects)
{
	.name = "max_objects",
};
FIXTURE_VARIANT_ADD(limit, bytes)
{
	.name = "max_bytes",
};
FIXTURE_VARIANT_ADD(limit, handles)
{
	.name = "max_handles",
};

FIXTURE_SETUP(limit)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 100, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 2, (__u64[]){ self->leaf, 0 },
			     &self->node));
	ASSERT_EQ(0, rs_set_root(self->fd, self->node));
	ASSERT_EQ(0, rs_read_parameter(variant->name, self->old,
				    sizeof(self->old)));
}

FIXTURE_TEARDOWN(limit)
{
	if (self->set)
		EXPECT_EQ(0, rs_write_parameter(variant->name, self->old));
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
}

/* Returns false if this user must not. */
static bool set_limit(struct __test_metadata *_metadata,
		      FIXTURE_DATA(limit) *self,
		      const FIXTURE_VARIANT(limit) *variant, __u64 limit)
{
	char text[32];
	int ret;

	snprintf(text, sizeof(text), "%llu", limit);
	ret = rs_write_parameter(variant->name, text);
	if (ret == -EACCES || ret == -EROFS)
		return false;
	ASSERT_EQ(0, ret);
	self->set = true;
	return true;
}

#define SET_LIMIT(limit) do {						\
	if (!set_limit(_metadata, self, variant, limit))		\
		SKIP(return, "%s cannot be written", variant->name);	\
} while (0)

/* The heap's use of what is limited. */
static __u64 used(FIXTURE_DATA(limit) *self, char what)
{
	struct rs_figures figures;

	if (rs_heap_figures(self->fd, &figures))
		return ~0ULL;
	return what == 'o' ? figures.objects :
	       what == 'b' ? figures.bytes : figures.handles;
}

#define IS(kind) (variant->name[4] == (kind))

/* What REFSTORE_QUERY tells is what is in force. */
TEST_F(limit, query)
{
	struct refstore_query query;

	SET_LIMIT(12345);
	ASSERT_EQ(0, rs_query(self->fd, &query));
	EXPECT_EQ(IS('o'), query.max_objects == 12345);
	EXPECT_EQ(IS('b'), query.max_bytes == 12345);
	EXPECT_EQ(IS('h'), query.max_handles == 12345);
}

/* As many as the limit says and not one more, and all of it back. */
TEST_F(limit, exactly)
{
	__u64 handles[64], size, limit;
	char kind = variant->name[4];
	int i, ret = 0;

	size = used(self, kind);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 100, &handles[0]));
	size = used(self, kind) - size;
	limit = used(self, kind) + 10 * size;
	SET_LIMIT(limit);
	for (i = 1; i < 64 && !ret; i++)
		ret = rs_leaf(self->fd, NULL, 100, &handles[i]);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(12, i);
	EXPECT_EQ(limit, used(self, kind));
	/* Each that goes makes room for one, at once. */
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, rs_release(self->fd, handles[i]));
		ASSERT_EQ(0, rs_leaf(self->fd, NULL, 100, &handles[i]));
		EXPECT_EQ(-EDQUOT, rs_leaf(self->fd, NULL, 100, &handles[63]));
	}
}

/* Of many at once, those that there is room for, and no handles beyond. */
TEST_F(limit, many)
{
	static const __u32 rooms[] = { 1, 10, 63, 64, 65, 100, 128 };
	__u64 handles[300], refused[300], size;
	struct refstore_create_many create = { .data_len = 100 };
	char kind = variant->name[4];
	__u32 done;
	size_t i, j;

	size = used(self, kind);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 100, &handles[0]));
	size = used(self, kind) - size;
	ASSERT_EQ(0, rs_release(self->fd, handles[0]));
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		SET_LIMIT(used(self, kind) + rooms[i] * size);
		create.count = 300;
		create.handles = rs_ptr(handles);
		memset(handles, 0x55, sizeof(handles));
		ASSERT_EQ(0, rs_create_many(self->fd, &create));
		EXPECT_EQ(rooms[i], create.done);
		for (j = 0; j < 300; j++) {
			ASSERT_EQ(j < create.done ? 1 : -EBADF,
				  rs_refs(self->fd, handles[j]));
		}
		ASSERT_EQ(0, rs_before(self->fd, &self->before));
		create.handles = rs_ptr(refused);
		EXPECT_EQ(-EDQUOT, rs_create_many(self->fd, &create));
		create.count = 1;
		EXPECT_EQ(-EDQUOT, rs_create_many(self->fd, &create));
		EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
		rs_before_free(&self->before);
		/* They make room again, at once. */
		ASSERT_EQ(0, rs_release_many(self->fd, handles, rooms[i],
					     &done));
		EXPECT_EQ(rooms[i], done);
		create.count = rooms[i];
		ASSERT_EQ(0, rs_create_many(self->fd, &create));
		EXPECT_EQ(rooms[i], create.done);
		ASSERT_EQ(0, rs_release_many(self->fd, refused, rooms[i],
					     NULL));
	}
}

/* At the limit: what needs more of it is refused and changes nothing. */
TEST_F(limit, what_is_refused)
{
	int object = IS('o') || IS('b') ? -EDQUOT : 0;
	int handle = IS('h') ? -EDQUOT : 0;
	struct refstore_walk_object entries[2];
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.capacity = 2,
		.entries = rs_ptr(entries),
	};
	__u64 result, slots[2];
	struct refstore_op op = op_create(0, NULL);
	struct refstore_batch batch;

	SET_LIMIT(used(self, variant->name[4]));
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
	EXPECT_EQ(object ?: handle, rs_leaf(self->fd, NULL, 1, &result));
	EXPECT_EQ(object ?: handle, rs_node(self->fd, 50, NULL, &result));
	EXPECT_EQ(0, rs_batch(self->fd, 0, &op, 1, &batch));
	EXPECT_EQ(object ?: handle, op.error);
	if (IS('b'))
		EXPECT_EQ(-EDQUOT, rs_resize(self->fd, self->node, 1000));
	if (IS('h')) {
		EXPECT_EQ(-EDQUOT, rs_dup(self->fd, self->leaf, &result));
		EXPECT_EQ(-EDQUOT, rs_get_slot(self->fd, self->node, 0,
					       &result));
		EXPECT_EQ(-EDQUOT, rs_read_slots(self->fd, self->node, 0, 2,
						 slots, NULL));
		EXPECT_EQ(-EDQUOT, rs_get_root(self->fd, &result));
		EXPECT_EQ(-EDQUOT, rs_walk(self->fd, &walk));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));

	/* What needs none goes on, what gives back above all. */
	EXPECT_EQ(0, rs_get_slot(self->fd, self->node, 1, &result));
	EXPECT_EQ(0, rs_set_slot(self->fd, self->node, 1, self->node));
	EXPECT_EQ(0, rs_cas_slot(self->fd, self->node, 1, self->node, 0));
	EXPECT_EQ(0, rs_resize(self->fd, self->node, 1));
	EXPECT_EQ(0, rs_set_root(self->fd, self->leaf));
	EXPECT_EQ(0, rs_release(self->fd, self->node));
	EXPECT_EQ(0, rs_leaf(self->fd, NULL, 1, &result));
}

/* Below what is used already, too: nothing is taken away. */
TEST_F(limit, lowered)
{
	__u64 result;

	SET_LIMIT(1);
	EXPECT_EQ(-EDQUOT, rs_leaf(self->fd, NULL, 1, &result));
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(0, rs_release(self->fd, self->node));
	EXPECT_EQ(0, rs_set_root(self->fd, 0));
	EXPECT_EQ(1, rs_objects(self->fd));
}

/*
 * What was let go of is waited for before anything is refused: a chain that the
 * kernel is still taking apart is in nobody's way.
 */
TEST_F(limit, waits_for_what_goes)
{
	const __u64 length = rs_size(20000);
	__u64 first, last, base = used(self, variant->name[4]);
	int turn;

	ASSERT_EQ(0, rs_chain(self->fd, length, 1, &first, &last));
	ASSERT_EQ(0, rs_release(self->fd, first));
	SET_LIMIT(used(self, variant->name[4]));
	/* Handles are given back one by one, and need nobody's work. */
	for (turn = 0; turn < 3 && !IS('h'); turn++) {
		ASSERT_EQ(0, rs_release(self->fd, last));
		ASSERT_EQ(0, rs_chain(self->fd, length, 1, &first, &last));
		ASSERT_EQ(0, rs_release(self->fd, first));
	}
	ASSERT_EQ(0, rs_release(self->fd, last));
	ASSERT_TRUE(rs_wait_until(rs_no_backlog(self->fd), RS_SOON));
	EXPECT_EQ(base, used(self, variant->name[4]));
}

/* Garbage in cycles counts until it is collected. */
TEST_F(limit, collect_makes_room)
{
	__u64 ring, more;

	if (IS('h'))
		return;
	ASSERT_EQ(0, rs_ring(self->fd, 100, 1, &ring));
	SET_LIMIT(used(self, variant->name[4]));
	EXPECT_EQ(-EDQUOT, rs_leaf(self->fd, NULL, 1, &more));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, rs_leaf(self->fd, NULL, 1, &more));
}

/*
 * And a full heap has a scan come, also where a call made some of what it should.
 * No other scan comes for a day.
 */
TEST_F(limit, full_heap_is_scanned)
{
	struct refstore_create_many create = { .count = 300, .data_len = 100 };
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_DELAY,
		.delay = { REFSTORE_MAX_DELAY, REFSTORE_MAX_DELAY,
			   REFSTORE_MAX_DELAY },
	};
	__u64 ring, objects, handles[300];
	struct refstore_stat leaf;

	if (IS('h'))
		return;
	create.handles = rs_ptr(handles);
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &leaf));
	ASSERT_EQ(0, rs_tune(self->fd, &tune));
	ASSERT_EQ(0, rs_ring(self->fd, 100, 1, &ring));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	objects = rs_objects(self->fd);
	SET_LIMIT(used(self, variant->name[4]) +
		  (IS('o') ? 100 : 100 * leaf.bytes));
	ASSERT_EQ(0, rs_create_many(self->fd, &create));
	/* It may come during the call, and make room for more. */
	EXPECT_LE(100, create.done);
	objects += create.done - 100;
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == objects, RS_SOON));
}

/* Each session has handles of its own, all have the heap's objects. */
TEST_F(limit, of_whom)
{
	int other = rs_session_new(self->fd, 0);
	__u64 result;

	ASSERT_LE(0, other);
	SET_LIMIT(used(self, variant->name[4]));
	EXPECT_EQ(IS('h') ? 0 : -EDQUOT, rs_leaf(other, NULL, 1, &result));
	EXPECT_EQ(0, close(other));
}

#define CGROUP	RS_CGROUPS "refstore_limit/"

/* Makes objects in the cgroup until that is refused; exits with the errno. */
static void fill_cgroup(__u32 length, __u32 nr_slots)
{
	struct refstore_create create = {
		.data_len = length,
		.nr_slots = nr_slots,
	};
	int fd = rs_open(), ret;

	/* What it touches itself must not need memory at the end. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) ||
	    rs_write_file(CGROUP "cgroup.procs", "0"))
		_exit(255);
	do {
		ret = rs_create(fd, &create);
	} while (!ret);
	_exit(-ret);
}

/* A line of the cgroup's memory.stat, in bytes; or -1. */
static long memory_stat(const char *name)
{
	char stat[8192], start[32];
	const char *line;

	if (rs_read_file(CGROUP "memory.stat", stat, sizeof(stat)))
		return -1;
	snprintf(start, sizeof(start), "\n%s ", name);
	line = strstr(stat, start);
	return line ? atol(line + strlen(start)) : -1;
}

/* Each becomes a candidate. */
static int touch_all(int fd, const __u64 *handles, size_t count)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	size_t i, n = 0;
	int ret;

	for (i = 0; i < count; i++) {
		ops[n] = op_dup(handles[i]);
		ops[n + 1] = op_release(REFSTORE_RESULT(n));
		n += 2;
		if (n + 2 <= RS_CHUNK && i + 1 < count)
			continue;
		ret = rs_batch(fd, 0, ops, n, &batch);
		if (ret || batch.failed)
			return ret ? ret : -EPROTO;
		n = 0;
	}
	return 0;
}

/*
 * In the cgroup, a heap whose objects grow old: the queue that the scanner makes
 * for them is on the cgroup's account. 0, or what went wrong.
 */
static int grow_old(void)
{
	const size_t count = rs_size(20000);
	__u64 *handles = calloc(count, sizeof(*handles));
	int fd, turn;
	long before;

	if (rs_write_file(CGROUP "cgroup.procs", "0"))
		return 1;
	fd = rs_open();
	if (fd < 0 || rs_manual(fd) ||
	    rs_repeat(fd, op_create(1, NULL), count, handles) ||
	    touch_all(fd, handles, count))
		return 2;
	before = memory_stat("kernel");
	if (before < 0)
		return 3;
	for (turn = 0; turn < 8; turn++)
		if (rs_collect_generation(fd, 0, NULL) ||
		    touch_all(fd, handles, count))
			return 4;
	return memory_stat("kernel") - before < (long)(count * sizeof(void *)) ? 5 : 0;
}

TEST(scanner_memory)
{
	pid_t child;

	if (!rs_have_memory_cgroups())
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, rs_make_cgroup(CGROUP, "max"));
	child = fork();
	if (!child)
		_exit(grow_old());
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_TRUE(rs_wait_until(!rmdir(CGROUP), RS_SOON));
}

/*
 * A full memory cgroup refuses, and nobody is killed for it; the memory comes
 * back with the session.
 */
TEST(memory_cgroup)
{
	static const struct { __u32 length, nr_slots; } shapes[] = {
		{ 60000, 0 }, { 3000, 0 }, { 0, 5000 },
	};
	char events[512];
	pid_t child;
	size_t i;

	if (!rs_have_memory_cgroups())
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, rs_make_cgroup(CGROUP, "16M"));
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		child = fork();
		if (!child)
			fill_cgroup(shapes[i].length, shapes[i].nr_slots);
		EXPECT_EQ(ENOMEM, rs_wait_child(child));
	}
	EXPECT_EQ(0, rs_read_file(CGROUP "memory.events", events,
			       sizeof(events)));
	EXPECT_NE(NULL, strstr(events, "oom_kill 0"));
	EXPECT_TRUE(rs_wait_until(!rmdir(CGROUP), RS_SOON));
}

#define OPS 8192

/* What one operation of a batch made, and is there still. */
static bool made_well(int fd, const struct refstore_op *op, __u32 number)
{
	__u32 data;

	return !op->error && rs_refs(fd, op->create.result) == 1 &&
	       !rs_read(fd, op->create.result, 0, sizeof(data), &data, NULL) &&
	       data == number;
}

/*
 * In the cgroup, a batch whose objects do not all fit. 0, or what is wrong.
 */
static int fill_in_a_batch(void)
{
	struct refstore_op *ops = calloc(OPS, sizeof(*ops));
	__u32 (*data)[1000] = calloc(OPS, sizeof(*data)), i, made;
	struct refstore_batch batch;
	int fd = rs_open(), turn;

	if (!ops || !data || fd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;
	for (i = 0; i < OPS; i++)
		data[i][0] = i;
	if (rs_write_file(CGROUP "cgroup.procs", "0"))
		return 2;
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < OPS; i++) {
			ops[i] = op_create(0, NULL);
			ops[i].create.flags = 0;
			ops[i].create.data = rs_ptr(data[i]);
			ops[i].create.data_len = sizeof(data[i]);
		}
		if (rs_batch(fd, 0, ops, OPS, &batch) || batch.failed != 1)
			return 3;
		made = batch.done - 1;
		if (ops[made].error != -ENOMEM || made < 100)
			return 4;
		for (i = 0; i < made; i++)
			if (!made_well(fd, &ops[i], i))
				return 5;
		if (rs_objects(fd) != made)
			return 6;
		for (i = 0; i < made; i++)
			if (rs_release(fd, ops[i].create.result))
				return 7;
		if (rs_objects(fd))
			return 8;
	}
	return 0;
}

/*
 * Whether no slab is charged any more, but for names of files that were looked up.
 * The limit has what processors had put aside given back.
 */
static bool no_slab_left(void)
{
	rs_write_file(CGROUP "memory.max", "0");
	return !memory_stat("slab_unreclaimable");
}

/*
 * The limit in the middle of a batch: what was made is there, what was not is
 * not, all of it works afterwards, and at the end nothing is charged.
 */
TEST(memory_cgroup_in_a_batch)
{
	pid_t child;

	if (!rs_have_memory_cgroups())
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, rs_make_cgroup(CGROUP, "16M"));
	child = fork();
	if (!child)
		_exit(fill_in_a_batch());
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_TRUE(rs_wait_until(no_slab_left(), RS_SOON));
	EXPECT_TRUE(rs_wait_until(!rmdir(CGROUP), RS_SOON));
}

TEST_HARNESS_MAIN
