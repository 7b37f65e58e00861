// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap that its owner shapes so that scans of it are as bad as they can be,
 * and that he touches and scans without end. Whatever he does, it is his own
 * loss: another heap's garbage goes in one scan of that heap.
 *
 * Counts decide. Time does so only where a test would wait for ever.
 */
#include "refstore_heap.h"

enum { RING = 10 };	/* objects of small garbage */

/* What the hostile process tells, and is told. */
struct pulse {
	__u64 turns;
	bool stop;
};

FIXTURE(hostile)
{
	int fd;
	__u64 heap;
	struct pulse *pulse;
	pid_t child;
};

FIXTURE_VARIANT(hostile)
{
	/* Returns 0 and a handle that keeps all of it, or an error. */
	int (*build)(int fd, unsigned int size, __u64 *handle);
	unsigned int size;
};

/* Each refers to all. */
static int build_clique(int fd, unsigned int size, __u64 *handle)
{
	__u64 *all = calloc(size, sizeof(*all));
	int ret = rs_repeat(fd, op_create(size, NULL), size, all);
	unsigned int i;

	for (i = 0; !ret && i < size; i++)
		ret = rs_write_slots(fd, all[i], 0, size, all, NULL);
	if (!ret)
		ret = rs_release_all(fd, all + 1, size - 1);
	*handle = all[0];
	free(all);
	return ret;
}

/* As deep as can be. */
static int build_chain(int fd, unsigned int size, __u64 *handle)
{
	__u64 first;

	return rs_chain(fd, size, 2, &first, handle) ?: rs_release(fd, first);
}

/* As many components as objects. */
static int build_loops(int fd, unsigned int size, __u64 *handle)
{
	__u64 *all = calloc(size, sizeof(*all));
	int ret = rs_repeat(fd, op_create(1, NULL), size, all);
	unsigned int i;

	for (i = 0; !ret && i < size; i++)
		ret = rs_set_slot(fd, all[i], 0, all[i]);
	if (!ret)
		ret = rs_node(fd, size, all, handle);
	if (!ret)
		ret = rs_release_all(fd, all, size);
	free(all);
	return ret;
}

/* All of it one component. */
static int build_ring(int fd, unsigned int size, __u64 *handle)
{
	return rs_ring(fd, size, 1, handle);
}

FIXTURE_VARIANT_ADD(hostile, clique)
{
	.build = build_clique,
	.size = 200,
};
FIXTURE_VARIANT_ADD(hostile, chain)
{
	.build = build_chain,
	.size = 50000,
};
FIXTURE_VARIANT_ADD(hostile, loops)
{
	.build = build_loops,
	.size = 20000,
};
FIXTURE_VARIANT_ADD(hostile, busy)
{
	.build = build_ring,
	.size = 20000,
};

static int no_delay(int fd)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_DELAY | REFSTORE_TUNE_THRESHOLD,
		.threshold = { 1, 1, 1 },
	};

	return rs_tune(fd, &tune);
}

/* Walks along the first slots, with one handle at a time, @steps of them. */
static int walk_along(int fd, __u64 *handle, unsigned int steps)
{
	__u64 next;
	int ret;

	while (steps--) {
		ret = rs_get_slot(fd, *handle, 0, &next);
		if (ret || !next)
			return ret;
		ret = rs_release(fd, *handle);
		if (ret)
			return ret;
		*handle = next;
	}
	return 0;
}

/* Touches, lets go of and scans, without end. */
static int be_hostile(const FIXTURE_VARIANT(hostile) *variant,
		      struct pulse *pulse)
{
	unsigned int size = rs_size(variant->size);
	struct refstore_collect collect;
	__u64 kept, handle;
	int fd = rs_open(), ret;

	ret = fd < 0 ? fd : no_delay(fd);
	ret = ret ?: variant->build(fd, size, &kept);
	while (!ret) {
		ret = rs_dup(fd, kept, &handle);
		ret = ret ?: walk_along(fd, &handle, 20);
		ret = ret ?: rs_release(fd, handle);
		ret = ret ?: rs_collect(fd, &collect);
		__atomic_fetch_add(&pulse->turns, 1, __ATOMIC_RELAXED);
	}
	return 1;
}

FIXTURE_SETUP(hostile)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
	self->pulse = mmap(NULL, sizeof(*self->pulse), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->pulse);
}

FIXTURE_TEARDOWN(hostile)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
	munmap(self->pulse, sizeof(*self->pulse));
}

static __u64 pulse(struct pulse *pulse)
{
	return __atomic_load_n(&pulse->turns, __ATOMIC_RELAXED);
}

/* Goes on, and has gone on since it was there so often. */
static bool still_goes_on(pid_t child, struct pulse *p, __u64 since)
{
	return rs_wait_until(pulse(p) > since, RS_SOON) &&
	       !waitpid(child, NULL, WNOHANG);
}

/* A small ring that nobody has. */
static int make_ring(int fd)
{
	__u64 ring;

	return rs_ring(fd, RING, 1, &ring) ?: rs_release(fd, ring);
}

/* The same, so often; each goes in one scan. */
static void expect_own_garbage_goes(struct __test_metadata *_metadata, int fd,
				    unsigned int times, __u64 *aborted)
{
	struct refstore_collect collect;
	unsigned int i;

	*aborted = 0;
	for (i = 0; i < times; i++) {
		ASSERT_EQ(0, make_ring(fd));
		ASSERT_EQ(0, rs_collect(fd, &collect));
		ASSERT_EQ(1, collect.scans);
		ASSERT_EQ(RING, collect.reclaimed);
		*aborted += collect.aborted;
	}
}

/* Another heap notices nothing of it. */
TEST_F_TIMEOUT(hostile, other_heap, 600)
{
	const unsigned int times = rs_size(200);
	__u64 begun, ended, aborted;
	pid_t child = rs_fork();

	if (!child)
		_exit(be_hostile(variant, self->pulse));
	ASSERT_TRUE(rs_wait_until(pulse(self->pulse) >= 2, 300));
	begun = pulse(self->pulse);
	expect_own_garbage_goes(_metadata, self->fd, times, &aborted);
	ended = pulse(self->pulse);
	EXPECT_EQ(0, aborted);
	EXPECT_EQ(0, rs_objects(self->fd));
	TH_LOG("%llu scans there during %u here", ended - begun, times);
	EXPECT_TRUE(still_goes_on(child, self->pulse, ended));
	kill(child, SIGKILL);
	EXPECT_EQ(-1, rs_wait_child(child));
}

/* --- In the same heap ------------------------------------------------- */

/*
 * The one reference from outside is at another place of the ring whenever a scan
 * looks, so that there is never a moment at which it was seen.
 */
static int keep_busy(int fd, __u64 handle, struct pulse *pulse)
{
	while (!__atomic_load_n(&pulse->stop, __ATOMIC_RELAXED)) {
		if (walk_along(fd, &handle, 100))
			return 1;
		__atomic_fetch_add(&pulse->turns, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/*
 * What is kept busy for ever stays; what else is garbage in its heap does not.
 * And it goes itself, at once, when nobody touches it any more. How often it was
 * busy in the very moment of a scan is luck; KUnit has each such moment.
 */
TEST(busy_component)
{
	const unsigned int size = rs_size(500), times = rs_size(1000);
	struct pulse *shared = mmap(NULL, sizeof(*shared),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct refstore_collect collect;
	__u64 aborted, ring, begun;
	int fd = rs_open();
	pid_t child;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, rs_manual(fd));
	ASSERT_EQ(0, rs_ring(fd, size, 1, &ring));
	child = rs_fork_session(&fd);
	if (!child)
		_exit(keep_busy(fd, ring, shared));
	ASSERT_EQ(0, rs_release(fd, ring));
	ASSERT_TRUE(rs_wait_until(pulse(shared) >= 2, RS_SOON));
	begun = pulse(shared);
	expect_own_garbage_goes(_metadata, fd, times, &aborted);
	EXPECT_TRUE(still_goes_on(child, shared, begun));
	EXPECT_EQ(size, rs_objects(fd));
	TH_LOG("%llu times in %u scans it was touched", aborted, times);
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	EXPECT_EQ(0, rs_wait_child(child));
	ASSERT_TRUE(rs_wait_until(rs_alone(fd), RS_SOON));
	ASSERT_EQ(0, rs_collect(fd, &collect));
	EXPECT_EQ(1, collect.scans);
	EXPECT_EQ(size, collect.reclaimed);
	EXPECT_EQ(0, rs_objects(fd));
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
