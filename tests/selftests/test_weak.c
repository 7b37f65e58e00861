// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weak handles: they keep nothing, never reach another object, and tell of a
 * death exactly once, after all that died with it is dead.
 */
#include <poll.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "refstore_heap.h"

FIXTURE(weak)
{
	int fd;
	__u64 heap;
	__u64 leaf, node;	/* with a handle each */
};

FIXTURE_SETUP(weak)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &self->node));
}

FIXTURE_TEARDOWN(weak)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

static __u64 weak_of(struct __test_metadata *_metadata, int fd, __u64 object,
		     __u32 flags, __u64 cookie)
{
	__u64 weak;

	ASSERT_EQ(0, rs_weak(fd, object, flags, cookie, &weak));
	ASSERT_NE(0, weak);
	return weak;
}

#define WEAK(object) weak_of(_metadata, self->fd, object, 0, 0)
#define NOTIFY(object, cookie) \
	weak_of(_metadata, self->fd, object, REFSTORE_WEAK_NOTIFY, cookie)
#define ALIVE(weak) rs_alive(self->fd, weak)

/* No event is there to be read. */
static bool nothing(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct refstore_event event;
	int ret;

	if (poll(&poll_fd, 1, 0) != 0 || rs_nonblock(fd, true))
		return false;
	ret = rs_read_events(fd, &event, 1);
	return !rs_nonblock(fd, false) && ret == -EAGAIN;
}

/* Whether a process sleeps. */
static bool asleep(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

/* The next event is there, and is this death. */
static void expect_death(struct __test_metadata *_metadata, int fd, __u64 seq,
			 __u64 cookie, __u64 id)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct refstore_event event, expected = {
		.seq = seq,
		.cookie = cookie,
		.id = id,
		.kind = REFSTORE_EVENT_DEATH,
	};

	ASSERT_EQ(1, poll(&poll_fd, 1, 1000 * RS_SOON));
	EXPECT_EQ(POLLIN, poll_fd.revents);
	ASSERT_EQ(1, rs_read_events(fd, &event, 1));
	EXPECT_EQ(seq, event.seq);
	EXPECT_EQ(cookie, event.cookie);
	EXPECT_EQ(id, event.id);
	EXPECT_EQ(0, memcmp(&expected, &event, sizeof(event)));
}

#define EXPECT_DEATH(seq, cookie, id) \
	expect_death(_metadata, self->fd, seq, cookie, id)

/* --- What a weak handle is -------------------------------------------- */

TEST_F(weak, upgrade)
{
	__u64 weak = WEAK(self->leaf), strong;
	struct refstore_stat stat;
	char data[4];

	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	ASSERT_NE(0, strong);
	EXPECT_NE(weak, strong);
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_stat(self->fd, strong, &stat));
	EXPECT_EQ(rs_id(self->fd, self->leaf), stat.id);
	EXPECT_EQ(REFSTORE_STATE_WEAK, stat.state);
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_read(self->fd, strong, 0, 4, data, NULL));
	EXPECT_EQ(0, memcmp(data, "leaf", 4));
	EXPECT_EQ(1, ALIVE(weak));
	ASSERT_EQ(0, rs_release(self->fd, strong));
	/* It is dead for good, and stays a weak handle. */
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	EXPECT_EQ(0, strong);
	EXPECT_EQ(0, ALIVE(weak));
	EXPECT_EQ(1, rs_objects(self->fd));
	EXPECT_EQ(0, rs_release(self->fd, weak));
	EXPECT_EQ(-EBADF, ALIVE(weak));
}

/* Where an object is needed, a weak handle is none. */
TEST_F(weak, not_an_object)
{
	__u64 weak = WEAK(self->node), result, slots[2] = { self->node, weak };
	struct refstore_create create = { .nr_slots = 2, .slots = rs_ptr(slots) };
	struct refstore_stat stat;
	struct rs_before before;
	__u32 done;
	char byte;
	int fd = self->fd;

	ASSERT_EQ(0, rs_set_root(fd, self->node));
	ASSERT_EQ(0, rs_before(fd, &before));
#define EXPECT_BAD(call) EXPECT_EQ(-EBADF, call)
	EXPECT_BAD(rs_create(fd, &create));
	EXPECT_BAD(rs_dup(fd, weak, &result));
	EXPECT_BAD(rs_get_slot(fd, weak, 0, &result));
	EXPECT_BAD(rs_set_slot(fd, weak, 0, self->leaf));
	EXPECT_BAD(rs_set_slot(fd, self->node, 0, weak));
	EXPECT_BAD(rs_cas_slot(fd, weak, 0, 0, self->leaf));
	EXPECT_BAD(rs_cas_slot(fd, self->node, 0, 0, weak));
	EXPECT_BAD(rs_cas_slot(fd, self->node, 0, weak, self->leaf));
	EXPECT_BAD(rs_read_slots(fd, weak, 0, 2, slots, &done));
	EXPECT_BAD(rs_write_slots(fd, weak, 0, 1, slots, &done));
	EXPECT_BAD(rs_write_slots(fd, self->node, 0, 1, &weak, &done));
	EXPECT_BAD(rs_resize(fd, weak, 3));
	EXPECT_BAD(rs_read(fd, weak, 0, 1, &byte, NULL));
	EXPECT_BAD(rs_write(fd, weak, 0, 1, &byte, NULL));
	EXPECT_BAD(rs_seal(fd, weak, REFSTORE_SEAL_DATA));
	EXPECT_BAD(rs_stat(fd, weak, &stat));
	EXPECT_BAD(rs_set_root(fd, weak));
	EXPECT_BAD(rs_cas_root(fd, weak, self->leaf));
	EXPECT_BAD(rs_cas_root(fd, self->node, weak));
	EXPECT_TRUE(rs_unchanged(fd, &before));
	rs_before_free(&before);
}

/* Where a weak handle is needed, others are none. */
TEST_F(weak, not_weak)
{
	__u64 weak = WEAK(self->node), result;
	int other = rs_session_new(self->fd, 0), fd = self->fd;

	ASSERT_LE(0, other);
	EXPECT_BAD(rs_upgrade(fd, self->node, &result));
	EXPECT_BAD(rs_upgrade(fd, 0, &result));
	EXPECT_BAD(rs_upgrade(fd, weak + (1ULL << 26), &result));
	EXPECT_BAD(rs_upgrade(fd, weak ^ (1ULL << 62), &result));
	EXPECT_BAD(rs_upgrade(fd, REFSTORE_RESULT(0), &result));
	EXPECT_BAD(rs_upgrade(other, weak, &result));
	EXPECT_BAD(rs_weak(other, weak, 0, 0, &result));
	EXPECT_BAD(rs_weak(fd, 0, 0, 0, &result));
	EXPECT_BAD(rs_weak(fd, ~0ULL >> 1, 0, 0, &result));
	ASSERT_EQ(0, rs_release(fd, weak));
	EXPECT_BAD(rs_upgrade(fd, weak, &result));
	EXPECT_BAD(rs_weak(fd, weak, 0, 0, &result));
	EXPECT_BAD(rs_release(fd, weak));
	EXPECT_EQ(1, rs_refs(fd, self->node));
	EXPECT_EQ(0, close(other));
}

/* A weak handle of a weak one's object; each is for itself. */
TEST_F(weak, of_weak)
{
	__u64 first = WEAK(self->leaf), second = WEAK(first), third;

	EXPECT_NE(first, second);
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_release(self->fd, first));
	EXPECT_EQ(1, ALIVE(second));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(0, ALIVE(second));
	third = WEAK(second);
	EXPECT_EQ(0, ALIVE(third));
	EXPECT_EQ(4, rs_handles(self->fd) + 1);
}

/* The place of a dead object is another's, its weak handles are not. */
TEST_F(weak, place_used_again)
{
	enum { MANY = 200 };
	__u64 weak[MANY], next[MANY], handle, id;
	int turn, i;

	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < MANY; i++) {
			ASSERT_EQ(0, rs_leaf(self->fd, &i, sizeof(i), &handle));
			weak[i] = WEAK(handle);
			ASSERT_EQ(0, rs_release(self->fd, handle));
		}
		for (i = 0; i < MANY; i++) {
			ASSERT_EQ(0, rs_leaf(self->fd, NULL, 8, &next[i]));
			id = rs_id(self->fd, next[i]);
			handle = WEAK(next[i]);
			EXPECT_EQ(0, ALIVE(weak[i]));
			EXPECT_EQ(1, ALIVE(handle));
			ASSERT_EQ(0, rs_release(self->fd, weak[i]));
			ASSERT_EQ(0, rs_upgrade(self->fd, handle, &weak[i]));
			EXPECT_EQ(id, rs_id(self->fd, weak[i]));
			ASSERT_EQ(0, rs_release(self->fd, handle));
		}
		ASSERT_EQ(0, rs_release_all(self->fd, weak, MANY));
		ASSERT_EQ(0, rs_release_all(self->fd, next, MANY));
	}
	EXPECT_EQ(2, rs_objects(self->fd));
}

static __u64 heap_bytes(int fd)
{
	struct rs_figures figures;

	return rs_heap_figures(fd, &figures) ? ~0ULL : figures.bytes;
}

/*
 * An object's first weak handle costs its heap something, once; and that goes
 * with the object.
 */
TEST_F(weak, bytes)
{
	__u64 before = heap_bytes(self->fd), with, weak, again;
	struct refstore_stat stat, now;

	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &stat));
	EXPECT_EQ(0, stat.state & REFSTORE_STATE_WEAK);
	weak = WEAK(self->leaf);
	with = heap_bytes(self->fd);
	EXPECT_LT(before, with);
	EXPECT_GE(before + 64, with);
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &now));
	EXPECT_EQ(with - before, now.bytes - stat.bytes);
	again = WEAK(self->leaf);
	EXPECT_EQ(with, heap_bytes(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, weak));
	ASSERT_EQ(0, rs_release(self->fd, again));
	again = WEAK(self->leaf);
	EXPECT_EQ(with, heap_bytes(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(before - stat.bytes, heap_bytes(self->fd));
	EXPECT_EQ(0, ALIVE(again));
}

/* --- Limits ----------------------------------------------------------- */

#define MAX_HANDLES "/sys/module/refstore/parameters/max_handles"

/* Returns the limit from before, or 0. */
static unsigned long set_max_handles(unsigned long limit)
{
	FILE *file = fopen(MAX_HANDLES, "r+e");
	unsigned long old = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &old) == 1) {
		rewind(file);
		fprintf(file, "%lu", limit);
	}
	fclose(file);
	return old;
}

/* A weak handle is one of the session's handles. */
TEST_F(weak, handle_limit)
{
	__u64 weak = WEAK(self->leaf), dead, handle;
	unsigned long old = set_max_handles(5);

	if (!old)
		SKIP(return, "the limit cannot be set");
	dead = NOTIFY(self->leaf, 1);
	EXPECT_EQ(0, rs_upgrade(self->fd, weak, &handle));
	EXPECT_EQ(-EDQUOT, rs_weak(self->fd, self->node, REFSTORE_WEAK_NOTIFY,
				   2, &handle));
	EXPECT_EQ(-EDQUOT, rs_weak(self->fd, weak, REFSTORE_WEAK_NOTIFY, 3,
				   &handle));
	EXPECT_EQ(-EDQUOT, rs_upgrade(self->fd, weak, &handle));
	EXPECT_EQ(5, rs_handles(self->fd));
	/* That an object is dead needs no room. */
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	set_max_handles(2);
	EXPECT_EQ(-EDQUOT, rs_upgrade(self->fd, weak, &handle));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(old, set_max_handles(old) ? old : 0);
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &handle));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(1, ALIVE(dead));
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(weak, dead_at_the_limit)
{
	__u64 weak = WEAK(self->leaf), handle;
	unsigned long old;
	int ret;

	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	old = set_max_handles(2);
	if (!old)
		SKIP(return, "the limit cannot be set");
	ret = rs_upgrade(self->fd, weak, &handle);
	set_max_handles(old);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, handle);
}

/* --- Sessions --------------------------------------------------------- */

/* A clone has the handle, counted anew, but was never told. */
TEST_F(weak, clone)
{
	__u64 weak = NOTIFY(self->leaf, 7), id = rs_id(self->fd, self->leaf);
	struct refstore_event event;
	int other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	__u64 again;

	ASSERT_LE(0, other);
	EXPECT_EQ(1, rs_alive(other, weak));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(1, rs_alive(other, weak));
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(other, self->leaf));
	EXPECT_EQ(0, rs_alive(other, weak));
	EXPECT_DEATH(1, 7, id);
	EXPECT_TRUE(nothing(self->fd));
	EXPECT_EQ(0, rs_read_events(other, &event, 1));
	/* What the clone asks for itself, it is told, with its own numbers. */
	ASSERT_EQ(0, rs_weak(other, weak, REFSTORE_WEAK_NOTIFY, 8, &again));
	expect_death(_metadata, other, 1, 8, id);
	ASSERT_EQ(0, rs_release(self->fd, weak));
	EXPECT_EQ(0, rs_alive(other, weak));
	EXPECT_EQ(0, close(other));
}

/* Releasing it in one takes no notice from the other. */
TEST_F(weak, clone_released)
{
	__u64 weak = NOTIFY(self->leaf, 7), id = rs_id(self->fd, self->leaf);
	int other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_release(other, weak));
	EXPECT_EQ(1, ALIVE(weak));
	EXPECT_EQ(0, close(other));
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_DEATH(1, 7, id);
}

/* Sessions that are told, and end before they read it, or before it comes. */
TEST_F(weak, closed_with_notices)
{
	int other, turn;
	__u64 leaf, weak;

	for (turn = 0; turn < 20; turn++) {
		ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &leaf));
		other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
		ASSERT_LE(0, other);
		ASSERT_EQ(0, rs_weak(other, self->node, REFSTORE_WEAK_NOTIFY,
				     1, &weak));
		if (turn % 2)
			ASSERT_EQ(0, rs_weak(other, leaf, REFSTORE_WEAK_NOTIFY,
					     2, &weak));
		if (turn % 4 == 3) {
			ASSERT_EQ(0, rs_release(self->fd, self->leaf));
			ASSERT_EQ(0, rs_release(self->fd, leaf));
			ASSERT_EQ(0, rs_release(other, self->leaf));
			ASSERT_EQ(0, rs_release(other, leaf));
			ASSERT_EQ(0, rs_leaf(self->fd, NULL, 9, &self->leaf));
			if (turn % 8 == 7)
				ASSERT_EQ(0, rs_release(other, weak));
		} else {
			ASSERT_EQ(0, rs_release(self->fd, leaf));
		}
		EXPECT_EQ(0, close(other));
	}
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_EQ(1, rs_refs(self->fd, self->node));
	EXPECT_EQ(2, rs_objects(self->fd));
}

/* --- Batches ---------------------------------------------------------- */

TEST_F(weak, batched)
{
	struct refstore_op ops[] = {
		op_create(1, NULL),
		op_weak(REFSTORE_RESULT(0), 0, 0),
		op_upgrade(REFSTORE_RESULT(1)),
		op_weak(REFSTORE_RESULT(1), REFSTORE_WEAK_NOTIFY, 5),
		op_set_slot(REFSTORE_RESULT(2), 0, self->leaf),
		op_release(REFSTORE_RESULT(0)),
		op_upgrade(REFSTORE_RESULT(3)),
		op_release(REFSTORE_RESULT(2)),
		op_release(REFSTORE_RESULT(6)),
		op_upgrade(REFSTORE_RESULT(3)),	/* 0 */
		op_stat(REFSTORE_RESULT(9)),	/* EBADF */
		op_upgrade(REFSTORE_RESULT(0)),	/* EBADF: released */
		op_stat(REFSTORE_RESULT(1)),	/* EBADF: weak */
		op_release(REFSTORE_RESULT(1)),
		op_upgrade(REFSTORE_RESULT(1)),	/* EBADF */
		op_weak(REFSTORE_RESULT(3), 0, 0),
		op_upgrade(self->node),		/* EBADF */
		op_weak(REFSTORE_RESULT(9), 0, 0), /* EBADF */
	};
	static const int failing[] = { 10, 11, 12, 14, 16, 17 };
	struct refstore_batch batch;
	__u64 handles = rs_handles(self->fd);
	int i, n = 0;

	ASSERT_EQ(0, rs_batch(self->fd, REFSTORE_BATCH_CONTINUE, ops,
			      ARRAY_SIZE(ops), &batch));
	ASSERT_EQ(ARRAY_SIZE(ops), batch.done);
	EXPECT_EQ(ARRAY_SIZE(failing), batch.failed);
	for (i = 0; i < (int)ARRAY_SIZE(ops); i++) {
		bool fails = n < (int)ARRAY_SIZE(failing) && failing[n] == i;

		n += fails;
		EXPECT_EQ(fails ? -EBADF : 0, ops[i].error) {
			TH_LOG("operation %d", i);
		}
	}
	EXPECT_EQ(0, ops[9].upgrade.result);
	EXPECT_EQ(2, rs_objects(self->fd));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	/* Left are those of the operations 3 and 15. */
	EXPECT_EQ(handles + 2, rs_handles(self->fd));
	EXPECT_EQ(0, ALIVE(ops[3].weak.result));
	EXPECT_EQ(0, ALIVE(ops[15].weak.result));
	EXPECT_DEATH(1, 5, ops[0].create.id);
	EXPECT_TRUE(nothing(self->fd));
}

/* Results of an earlier part of a long batch. */
TEST_F(weak, batched_far)
{
	struct refstore_op ops[200];
	struct refstore_batch batch;
	int i;

	ops[0] = op_weak(self->leaf, 0, 0);
	for (i = 1; i < 199; i++)
		ops[i] = i % 2 ? op_upgrade(REFSTORE_RESULT(0)) :
				 op_release(REFSTORE_RESULT(i - 1));
	ops[199] = op_release(REFSTORE_RESULT(0));
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, 200, &batch));
	EXPECT_EQ(200, batch.done);
	EXPECT_EQ(0, batch.failed);
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(2, rs_handles(self->fd));
}

/* What a batch could not tell was never asked for. */
TEST_F(weak, batch_undone)
{
	struct refstore_op *ops = (void *)rs_fenced(1);
	__u64 handles = rs_handles(self->fd), id;
	struct refstore_event event;

	ASSERT_NE(MAP_FAILED, (void *)ops);
	id = rs_id(self->fd, self->leaf);
	ops[0] = op_weak(self->leaf, REFSTORE_WEAK_NOTIFY, 1);
	ops[1] = op_upgrade(REFSTORE_RESULT(0));
	ops[2] = op_weak(self->node, REFSTORE_WEAK_NOTIFY, 2);
	ASSERT_EQ(0, mprotect(ops, sysconf(_SC_PAGESIZE), PROT_READ));
	EXPECT_EQ(-EFAULT, rs_batch(self->fd, 0, ops, 3, NULL));
	EXPECT_EQ(handles, rs_handles(self->fd));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	/* Not even that any was. */
	EXPECT_EQ(0, rs_read_events(self->fd, &event, 1));
	NOTIFY(self->leaf, 3);
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_DEATH(1, 3, id);
	EXPECT_TRUE(nothing(self->fd));
}

/* --- How objects die -------------------------------------------------- */

/* By their count, in each of the places where a reference can be. */
TEST_F(weak, by_count)
{
	__u64 object, weak[4], id[4];
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &object));
		weak[i] = NOTIFY(object, 100 + i);
		id[i] = rs_id(self->fd, object);
		switch (i) {
		case 0:
			break;
		case 1:
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0,
						 object));
			break;
		case 2:
			ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 1,
						 object));
			break;
		case 3:
			ASSERT_EQ(0, rs_set_root(self->fd, object));
			break;
		}
		ASSERT_EQ(0, rs_release(self->fd, object));
		EXPECT_EQ(i > 0, ALIVE(weak[i]));
	}
	EXPECT_DEATH(1, 100, id[0]);
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_set_root(self->fd, self->leaf));
	EXPECT_EQ(0, ALIVE(weak[3]));
	EXPECT_DEATH(2, 103, id[3]);
	ASSERT_EQ(0, rs_resize(self->fd, self->node, 1));
	EXPECT_EQ(0, ALIVE(weak[2]));
	EXPECT_DEATH(3, 102, id[2]);
	ASSERT_EQ(0, rs_release(self->fd, self->node));
	EXPECT_EQ(0, ALIVE(weak[1]));
	EXPECT_DEATH(4, 101, id[1]);
	EXPECT_TRUE(nothing(self->fd));
}

/* The whole of a chain, from its end that was held; some by the kernel later. */
TEST_F(weak, by_cascade)
{
	const int length = rs_size(5000);
	struct refstore_event event;
	__u64 first, last, handle, next;
	int i;

	ASSERT_EQ(0, rs_chain(self->fd, length, 1, &first, &last));
	ASSERT_EQ(0, rs_dup(self->fd, last, &handle));
	for (i = 0; i < length; i++) {
		NOTIFY(handle, i);
		ASSERT_EQ(0, rs_get_slot(self->fd, handle, 0, &next));
		ASSERT_EQ(0, rs_release(self->fd, handle));
		handle = next;
	}
	ASSERT_EQ(0, handle);
	ASSERT_EQ(0, rs_release(self->fd, first));
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, last));
	for (i = 0; i < length; i++) {
		ASSERT_EQ(1, rs_read_events(self->fd, &event, 1));
		ASSERT_EQ(i, event.cookie);
		ASSERT_EQ(i + 1, event.seq);
	}
	EXPECT_TRUE(nothing(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 2, RS_SOON));
}

TEST_F(weak, by_scan)
{
	struct refstore_collect collect;
	__u64 ring, weak, id, strong;

	ASSERT_EQ(0, rs_ring(self->fd, 5, 2, &ring));
	weak = NOTIFY(ring, 9);
	id = rs_id(self->fd, ring);
	ASSERT_EQ(0, rs_release(self->fd, ring));
	EXPECT_EQ(1, ALIVE(weak));
	/* Taken up again before the scan: all of it stays. */
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	EXPECT_EQ(id, rs_id(self->fd, strong));
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, strong));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(5, collect.reclaimed);
	EXPECT_EQ(0, ALIVE(weak));
	EXPECT_DEATH(1, 9, id);
	EXPECT_TRUE(nothing(self->fd));
}

/* What hangs on a dead ring dies with the scan as well. */
TEST_F(weak, by_scan_below)
{
	__u64 ring, chain, first, weak[3];

	ASSERT_EQ(0, rs_ring(self->fd, 5, 3, &ring));
	ASSERT_EQ(0, rs_chain(self->fd, 10, 1, &first, &chain));
	ASSERT_EQ(0, rs_set_slot(self->fd, ring, 1, chain));
	ASSERT_EQ(0, rs_set_slot(self->fd, ring, 2, self->leaf));
	weak[0] = NOTIFY(ring, 0);
	weak[1] = NOTIFY(first, 1);
	weak[2] = NOTIFY(self->leaf, 2);
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_release(self->fd, chain));
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, ALIVE(weak[0]));
	EXPECT_EQ(0, ALIVE(weak[1]));
	EXPECT_EQ(0, ALIVE(weak[2]));
	EXPECT_EQ(3, rs_read_events(self->fd, (struct refstore_event[4]){}, 4));
	EXPECT_EQ(1, rs_objects(self->fd));
}

/* With the session that had the last handle; here closed, there killed. */
TEST_F(weak, by_session)
{
	__u64 weak[2], id[2];
	int turn, other;
	pid_t child;

	weak[0] = NOTIFY(self->leaf, 0);
	weak[1] = NOTIFY(self->node, 1);
	id[0] = rs_id(self->fd, self->leaf);
	id[1] = rs_id(self->fd, self->node);
	for (turn = 0; turn < 2; turn++) {
		other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
		ASSERT_LE(0, other);
		ASSERT_EQ(0, rs_release(self->fd,
					turn ? self->node : self->leaf));
		EXPECT_EQ(1, ALIVE(weak[turn]));
		EXPECT_TRUE(nothing(self->fd));
		if (turn) {
			child = rs_fork();
			while (!child)
				pause();
			EXPECT_EQ(0, close(other));
			EXPECT_EQ(1, ALIVE(weak[turn]));
			kill(child, SIGKILL);
			EXPECT_EQ(-1, rs_wait_child(child));
		} else {
			EXPECT_EQ(0, close(other));
		}
		EXPECT_DEATH(turn + 1, turn, id[turn]);
		EXPECT_EQ(0, ALIVE(weak[turn]));
	}
	EXPECT_TRUE(nothing(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
}

/* --- Races ------------------------------------------------------------ */

enum { PLACES = 16, REFS = 64 };

struct content {
	__u64 magic, number;
};

/* Puts new objects, half of which are cycles, in the places of others. */
static int race_make(int fd, __u64 board, __u64 seed)
{
	struct content content;
	struct refstore_create create = {
		.flags = REFSTORE_SEAL_DATA,
		.nr_slots = 1,
		.data = rs_ptr(&content),
		.data_len = sizeof(content),
	};
	struct refstore_op op[4];
	struct refstore_batch batch;
	bool cycle = false;

	for (;;) {
		content.number = rs_random(&seed);
		content.magic = content.number ^ 0x5a5a5a5a5a5a5a5aULL;
		op[0] = (struct refstore_op){
			.command = REFSTORE_CMD_CREATE,
			.create = create,
		};
		op[0].create.size = sizeof(create);
		op[1] = op_set_slot(REFSTORE_RESULT(0), 0,
				    cycle ? REFSTORE_RESULT(0) : 0);
		op[2] = op_set_slot(board, rs_below(&seed, PLACES),
				    REFSTORE_RESULT(0));
		op[3] = op_release(REFSTORE_RESULT(0));
		if (rs_batch(fd, 0, op, 4, &batch) || batch.failed)
			return 1;
		cycle = !cycle;
	}
}

struct remembered {
	__u64 weak, id;
	struct content content;
	bool dead;
};

/* Looks at an object by a handle; false if it is not as it was. */
static bool race_look(int fd, __u64 handle, struct remembered *ref)
{
	struct content content;

	return rs_id(fd, handle) == ref->id &&
	       !rs_read(fd, handle, 0, sizeof(content), &content, NULL) &&
	       !memcmp(&content, &ref->content, sizeof(content)) &&
	       content.magic == (content.number ^ 0x5a5a5a5a5a5a5a5aULL);
}

static int race_remember(int fd, __u64 board, struct remembered *ref,
			 __u64 *seed)
{
	__u64 handle;

	if (rs_get_slot(fd, board, rs_below(seed, PLACES), &handle))
		return 1;
	if (!handle)
		return 0;
	ref->dead = false;
	ref->id = rs_id(fd, handle);
	if (rs_read(fd, handle, 0, sizeof(ref->content), &ref->content, NULL) ||
	    rs_weak(fd, handle, 0, 0, &ref->weak) || rs_release(fd, handle))
		return 2;
	return 0;
}

/* Keeps weak handles and tries them, so often. */
static int race_upgrade(int fd, __u64 board, __u64 seed, unsigned int upgrades)
{
	static struct remembered refs[REFS];
	unsigned int lives = 0, deaths = 0;
	struct remembered *ref;
	__u64 handle;
	int ret;

	while (lives + deaths < upgrades || !lives || !deaths) {
		ref = &refs[rs_below(&seed, REFS)];
		if (!ref->weak || (ref->dead && rs_below(&seed, 3) == 0)) {
			if (ref->weak && rs_release(fd, ref->weak))
				return 3;
			ref->weak = 0;
			ret = race_remember(fd, board, ref, &seed);
			if (ret)
				return ret;
			continue;
		}
		if (rs_upgrade(fd, ref->weak, &handle))
			return 4;
		if (!handle) {
			ref->dead = true;
			deaths++;
			continue;
		}
		/* No one comes back. */
		if (ref->dead)
			return 5;
		if (!race_look(fd, handle, ref))
			return 6;
		lives++;
		if (rs_release(fd, handle))
			return 7;
	}
	return 0;
}

/*
 * Upgrades meet the last release and the scan that condemns. What comes of an
 * upgrade is the object that it was, or nothing, and then for ever.
 */
TEST_F(weak, race)
{
	const unsigned int upgrades = rs_size(6000);
	enum { UPGRADERS = 2 };
	struct refstore_collect collect;
	__u64 board, reclaimed = 0, aborted = 0;
	int i, left = UPGRADERS, status;
	pid_t child, maker;

	ASSERT_EQ(0, rs_node(self->fd, PLACES, NULL, &board));
	maker = rs_fork_session(&self->fd);
	if (!maker)
		_exit(race_make(self->fd, board, 77));
	for (i = 0; i < UPGRADERS; i++) {
		child = rs_fork_session(&self->fd);
		if (!child)
			_exit(race_upgrade(self->fd, board, i + 1, upgrades));
	}
	while (left) {
		ASSERT_EQ(0, rs_collect(self->fd, &collect));
		reclaimed += collect.reclaimed;
		aborted += collect.aborted;
		child = waitpid(-1, &status, WNOHANG);
		if (child <= 0)
			continue;
		EXPECT_NE(maker, child);
		EXPECT_EQ(0, status);
		left--;
	}
	kill(maker, SIGKILL);
	EXPECT_EQ(-1, rs_wait_child(maker));
	TH_LOG("%llu reclaimed, %llu aborted", reclaimed, aborted);
	EXPECT_NE(0, reclaimed);
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_release(self->fd, board));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(2, rs_objects(self->fd));
}

/* --- Notices ---------------------------------------------------------- */

/* In the order of deaths, each once; several at a time, none cut. */
TEST_F(weak, order)
{
	enum { MANY = 50 };
	struct refstore_event events[MANY + 1];
	__u64 handles[MANY], ids[MANY];
	char *bytes = (char *)events;
	int i, n, done = 0;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &handles[i]));
		ids[i] = rs_id(self->fd, handles[i]);
		NOTIFY(handles[i], ~0ULL - i);
	}
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, rs_release(self->fd, handles[i * 7 % MANY]));
	}
	/* Room for less than one, for one and a half, for three, for more. */
	memset(events, 0x55, sizeof(events));
	errno = 0;
	EXPECT_EQ(-1, read(self->fd, events, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, events, sizeof(*events) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0x55, bytes[0]);
	EXPECT_EQ(sizeof(*events), read(self->fd, events,
					sizeof(*events) * 3 / 2));
	EXPECT_EQ(0x55, bytes[sizeof(*events)]);
	EXPECT_EQ(3 * sizeof(*events), read(self->fd, events + 1,
					    3 * sizeof(*events)));
	for (done = 4; done < MANY; done += n) {
		n = rs_read_events(self->fd, events + done, MANY + 1 - done);
		ASSERT_LE(1, n);
	}
	EXPECT_EQ(MANY, done);
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(i + 1, events[i].seq);
		EXPECT_EQ(~0ULL - i * 7 % MANY, events[i].cookie);
		EXPECT_EQ(ids[i * 7 % MANY], events[i].id);
		EXPECT_EQ(REFSTORE_EVENT_DEATH, events[i].kind);
		EXPECT_EQ(0, events[i].lost);
	}
	EXPECT_TRUE(nothing(self->fd));
}

/* Nothing to be told, ever: the end of the file. */
TEST_F(weak, never_asked)
{
	struct refstore_event event;
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	__u64 weak = WEAK(self->leaf);

	EXPECT_EQ(0, rs_read_events(self->fd, &event, 1));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_EQ(0, rs_read_events(self->fd, &event, 1));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	ASSERT_EQ(0, rs_release(self->fd, weak));
	/* Who has asked once may be told. */
	weak = NOTIFY(self->node, 1);
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, weak));
	EXPECT_TRUE(nothing(self->fd));
}

/* A weak handle that goes before the object takes its notice along. */
TEST_F(weak, taken_back)
{
	__u64 first = NOTIFY(self->leaf, 1), second = NOTIFY(self->leaf, 2);
	__u64 third = NOTIFY(self->leaf, 3), id = rs_id(self->fd, self->leaf);

	ASSERT_EQ(0, rs_release(self->fd, second));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	EXPECT_DEATH(1, 1, id);
	/* After it, it does not. */
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_release(self->fd, third));
	EXPECT_DEATH(2, 3, id);
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(weak, asked_too_late)
{
	__u64 weak = WEAK(self->leaf), id = rs_id(self->fd, self->leaf), again;

	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	again = NOTIFY(weak, 1);
	EXPECT_DEATH(1, 1, id);
	ASSERT_EQ(0, rs_release(self->fd, weak));
	NOTIFY(again, 2);
	ASSERT_EQ(0, rs_release(self->fd, again));
	EXPECT_DEATH(2, 2, id);
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(weak, bad_address)
{
	char *end = rs_fenced(1);
	struct refstore_event *event;
	__u64 id = rs_id(self->fd, self->leaf);
	int i;

	ASSERT_NE(MAP_FAILED, end);
	end += sysconf(_SC_PAGESIZE);
	event = (struct refstore_event *)end - 1;
	for (i = 0; i < 3; i++) {
		NOTIFY(self->leaf, i);
	}
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_nonblock(self->fd, true));
	EXPECT_EQ(-EFAULT, rs_read_events(self->fd, (void *)end, 1));
	EXPECT_EQ(-EFAULT, rs_read_events(self->fd, (void *)end, 3));
	EXPECT_EQ(-EFAULT, rs_read_events(self->fd, (void *)(end - 8), 1));
	/* As many as there is memory for. */
	EXPECT_EQ(1, rs_read_events(self->fd, event, 3));
	EXPECT_EQ(1, event->seq);
	EXPECT_EQ(0, event->cookie);
	EXPECT_EQ(-EFAULT, rs_read_events(self->fd, (void *)end, 2));
	EXPECT_DEATH(2, 1, id);
	EXPECT_DEATH(3, 2, id);
	EXPECT_TRUE(nothing(self->fd));
}

/* An object that dies, and whose weak handle goes before its notice is read. */
static int leave_notice(int fd, __u64 cookie)
{
	__u64 leaf, weak;
	int ret = rs_leaf(fd, NULL, 1, &leaf);

	if (ret)
		return ret;
	ret = rs_weak(fd, leaf, REFSTORE_WEAK_NOTIFY, cookie, &weak);
	rs_release(fd, leaf);
	return ret ? ret : rs_release(fd, weak);
}

/*
 * Handles and what is unread of released ones together reach the limit, where a
 * notice is asked for; reading makes room.
 */
static void expect_notice_limit(struct __test_metadata *_metadata, int fd,
				__u64 kept)
{
	struct refstore_event events[20];
	struct refstore_op op;
	struct refstore_batch batch;
	__u64 weak;
	int n;

	/* 2 handles and a third for each that is left; the 18th has no room. */
	for (n = 0; n < 17; n++) {
		ASSERT_EQ(0, leave_notice(fd, n));
	}
	EXPECT_EQ(-EDQUOT, leave_notice(fd, n));
	ASSERT_EQ(0, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 100, &weak));
	EXPECT_EQ(-EDQUOT, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 101, &weak));
	EXPECT_EQ(-EDQUOT, rs_weak(fd, weak, REFSTORE_WEAK_NOTIFY, 101, &weak));
	op = op_weak(kept, REFSTORE_WEAK_NOTIFY, 101);
	ASSERT_EQ(0, rs_batch(fd, 0, &op, 1, &batch));
	EXPECT_EQ(-EDQUOT, op.error);
	/* What asks for none is a handle, and no more. */
	EXPECT_EQ(3, rs_handles(fd));
	EXPECT_EQ(0, rs_weak(fd, kept, 0, 0, &weak));
	EXPECT_EQ(0, rs_release(fd, weak));
	/* One for each that is read, and all of them. */
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(1, rs_read_events(fd, events, 1));
		EXPECT_EQ(n, events[0].cookie);
		EXPECT_EQ(0, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 102,
				     &weak));
		EXPECT_EQ(-EDQUOT, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 103,
					   &weak));
	}
	EXPECT_EQ(14, rs_read_events(fd, events, 20));
	for (n = 0; n < 14; n++) {
		EXPECT_EQ(0, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 102,
				     &weak));
	}
	EXPECT_EQ(-EDQUOT, rs_weak(fd, kept, REFSTORE_WEAK_NOTIFY, 103, &weak));
}

TEST_F(weak, unread_count)
{
	unsigned long old = set_max_handles(20);

	if (!old)
		SKIP(return, "the limit cannot be set");
	expect_notice_limit(_metadata, self->fd, self->node);
	EXPECT_EQ(20, set_max_handles(old));
	EXPECT_EQ(0, leave_notice(self->fd, 200));
}

/* A notice whose weak handle is there still counts once, as that handle. */
TEST_F(weak, unread_held)
{
	__u64 weak = NOTIFY(self->leaf, 1), again, id;
	unsigned long old;

	id = rs_id(self->fd, self->leaf);
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	old = set_max_handles(3);
	if (!old)
		SKIP(return, "the limit cannot be set");
	/* The node's, and this. */
	EXPECT_EQ(0, rs_weak(self->fd, self->node, REFSTORE_WEAK_NOTIFY, 2,
			     &again));
	EXPECT_EQ(0, rs_release(self->fd, again));
	/* Released, it counts as unread instead. */
	EXPECT_EQ(0, rs_release(self->fd, weak));
	EXPECT_EQ(0, rs_weak(self->fd, self->node, REFSTORE_WEAK_NOTIFY, 3,
			     &again));
	EXPECT_EQ(-EDQUOT, rs_weak(self->fd, self->node, REFSTORE_WEAK_NOTIFY,
				   4, &weak));
	EXPECT_EQ(3, set_max_handles(old));
	EXPECT_DEATH(1, 1, id);
	EXPECT_TRUE(nothing(self->fd));
}

/*
 * A death with many notices is told bit by bit. Whose weak handle is released
 * when the object is dead and the notice under way reads it all the same.
 */
TEST_F(weak, released_under_way)
{
	enum { MANY = 400 };
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	struct refstore_event events[MANY];
	__u64 weak[MANY];
	unsigned int i;
	__u32 done;
	int n = 0, got;

	for (i = 0; i < MANY; i++)
		weak[i] = NOTIFY(self->leaf, i);
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_release_many(self->fd, weak, MANY, &done));
	ASSERT_EQ(MANY, done);
	while (n < MANY && poll(&poll_fd, 1, 5000) == 1) {
		got = rs_read_events(self->fd, &events[n], MANY - n);
		ASSERT_LT(0, got);
		n += got;
	}
	EXPECT_EQ(MANY, n);
	EXPECT_TRUE(nothing(self->fd));
}

/* What nobody will read any more goes with the session, however much it is. */
TEST_F(weak, closed_with_many)
{
	const unsigned int many = rs_size(20000);
	__u64 bytes = heap_bytes(self->fd), leaf, *weak;
	unsigned int i;
	int other, turn;

	weak = calloc(many, sizeof(*weak));
	for (turn = 0; turn < 4; turn++) {
		other = rs_session_new(self->fd, 0);
		ASSERT_LE(0, other);
		ASSERT_EQ(0, rs_leaf(other, NULL, 1, &leaf));
		for (i = 0; i < many; i++)
			weak[i] = weak_of(_metadata, other, leaf,
					  REFSTORE_WEAK_NOTIFY, i);
		ASSERT_EQ(0, rs_release(other, leaf));
		/* All, half or none of the weak handles are there still. */
		if (turn % 2)
			ASSERT_EQ(0, rs_release_all(other, weak,
						    many / (turn > 1 ? 1 : 2)));
		if (turn == 3)
			ASSERT_EQ(1, rs_read_events(other,
				  (struct refstore_event[1]){}, 1));
		EXPECT_EQ(0, close(other));
		ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
		ASSERT_TRUE(rs_wait_until(rs_no_backlog(self->fd), RS_SOON));
		EXPECT_EQ(2, rs_objects(self->fd));
		EXPECT_EQ(2, rs_handles(self->fd));
		EXPECT_EQ(bytes, heap_bytes(self->fd));
	}
	free(weak);
}

/* Room for more does not make a call wait that has something to say. */
TEST_F(weak, in_pieces)
{
	struct refstore_event events[3];
	struct iovec pieces[] = {
		{ .iov_base = &events[0], .iov_len = sizeof(events[0]) },
		{ .iov_base = &events[1], .iov_len = sizeof(events[1]) },
	}, halves[] = {
		{ .iov_base = &events[0], .iov_len = 32 },
		{ .iov_base = &events[1], .iov_len = 48 },
		{ .iov_base = &events[2], .iov_len = 16 },
	};
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, leave_notice(self->fd, i));
		ASSERT_EQ(64, readv(self->fd, pieces, 2));
		EXPECT_EQ(i, events[0].cookie);
	}
	for (; i < 6; i++) {
		ASSERT_EQ(0, leave_notice(self->fd, i));
	}
	ASSERT_EQ(128, readv(self->fd, pieces, 2));
	EXPECT_EQ(3, events[0].cookie);
	EXPECT_EQ(4, events[1].cookie);
	/* One that lies in two of them. */
	ASSERT_EQ(64, readv(self->fd, halves, 3));
	EXPECT_EQ(6, events[0].seq);
	EXPECT_EQ(5, events[0].cookie);
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_nonblock(self->fd, true));
	EXPECT_EQ(-1, readv(self->fd, pieces, 2));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, readv(self->fd, halves, 1));
	EXPECT_EQ(EINVAL, errno);
}

/* Who does not want to wait does not, neither for an event nor for a reader. */
TEST_F(weak, without_waiting)
{
	struct refstore_event event;
	pid_t child;
	int turn;

	NOTIFY(self->node, 9);
	for (turn = 0; turn < 20; turn++) {
		child = rs_fork();
		if (!child)
			_exit(rs_read_events(self->fd, &event, 1) != 1);
		ASSERT_TRUE(rs_wait_until(asleep(child), RS_SOON));
		ASSERT_EQ(0, rs_nonblock(self->fd, true));
		EXPECT_EQ(-EAGAIN, rs_read_events(self->fd, &event, 1));
		ASSERT_EQ(0, rs_nonblock(self->fd, false));
		ASSERT_EQ(0, leave_notice(self->fd, turn));
		EXPECT_EQ(0, rs_wait_child(child));
	}
	ASSERT_EQ(0, rs_nonblock(self->fd, true));
	ASSERT_EQ(0, leave_notice(self->fd, turn));
	EXPECT_EQ(1, rs_read_events(self->fd, &event, 1));
	EXPECT_EQ(turn, event.cookie);
	EXPECT_EQ(-EAGAIN, rs_read_events(self->fd, &event, 1));
}

/* As many as one likes on one object. */
TEST_F(weak, many)
{
	const unsigned int many = rs_size(100000);
	enum { ROOM = 512 };
	static struct refstore_event events[ROOM];
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	__u64 id = rs_id(self->fd, self->leaf);
	unsigned int n, i, done;
	int ret;

	for (done = 0; done < many; done += n) {
		n = many - done < RS_CHUNK ? many - done : RS_CHUNK;
		for (i = 0; i < n; i++)
			ops[i] = op_weak(self->leaf, REFSTORE_WEAK_NOTIFY,
					 done + i);
		ASSERT_EQ(0, rs_batch(self->fd, 0, ops, n, &batch));
		ASSERT_EQ(n, batch.done);
		ASSERT_EQ(0, batch.failed);
	}
	EXPECT_TRUE(nothing(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	/* Some come later. */
	for (done = 0; done < many; done += ret) {
		ret = rs_read_events(self->fd, events, ROOM);
		ASSERT_LE(1, ret);
		for (i = 0; i < (unsigned int)ret; i++) {
			ASSERT_EQ(done + i, events[i].cookie);
			ASSERT_EQ(done + i + 1, events[i].seq);
			ASSERT_EQ(id, events[i].id);
		}
	}
	EXPECT_EQ(many, done);
	EXPECT_TRUE(nothing(self->fd));
}

/* --- Waiting ---------------------------------------------------------- */

/* Who waits for an event is woken by a death in another process. */
TEST_F(weak, woken)
{
	__u64 id = rs_id(self->fd, self->node);
	struct refstore_event event;
	pid_t child, parent = getpid();
	int turn;

	for (turn = 0; turn < 2; turn++) {
		id = rs_id(self->fd, turn ? self->leaf : self->node);
		NOTIFY(turn ? self->leaf : self->node, turn);
		child = rs_fork_session(&self->fd);
		if (!child) {
			if (!rs_wait_until(asleep(parent), RS_SOON))
				_exit(1);
			/* Either way the object goes. */
			if (!turn)
				kill(getpid(), SIGKILL);
			_exit(rs_release(self->fd, self->leaf) ? 2 : 0);
		}
		ASSERT_EQ(0, rs_release(self->fd,
					turn ? self->leaf : self->node));
		ASSERT_EQ(1, rs_read_events(self->fd, &event, 1));
		EXPECT_EQ(turn + 1, event.seq);
		EXPECT_EQ(turn, event.cookie);
		EXPECT_EQ(id, event.id);
		EXPECT_EQ(turn ? 0 : -1, rs_wait_child(child));
	}
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(weak, polled)
{
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	__u64 id = rs_id(self->fd, self->node);
	pid_t child, parent = getpid();

	NOTIFY(self->node, 3);
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	child = rs_fork_session(&self->fd);
	if (!child)
		_exit(rs_wait_until(asleep(parent), RS_SOON) ? 0 : 1);
	ASSERT_EQ(0, rs_release(self->fd, self->node));
	EXPECT_EQ(1, poll(&poll_fd, 1, 1000 * RS_SOON));
	EXPECT_EQ(POLLIN, poll_fd.revents);
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_DEATH(1, 3, id);
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
}

static void ignore(int signal)
{
	(void)signal;
}

/* A signal ends the wait; with SA_RESTART, only the event does. */
TEST_F(weak, interrupted)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = {
		.it_value.tv_usec = 20000,
		.it_interval.tv_usec = 20000,
	}, never = {};
	struct refstore_event event;
	pid_t child;

	NOTIFY(self->node, 1);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(-EINTR, rs_read_events(self->fd, &event, 1));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	child = rs_fork_session(&self->fd);
	if (!child) {
		usleep(200000);
		_exit(0);
	}
	ASSERT_EQ(0, rs_release(self->fd, self->node));
	action.sa_flags = SA_RESTART;
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(1, rs_read_events(self->fd, &event, 1));
	EXPECT_EQ(1, event.cookie);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(0, rs_wait_child(child));
}

/* Several that read one session: each event goes to one of them. */
TEST_F(weak, readers)
{
	enum { MANY = 300, READERS = 3 };
	__u64 *seen = mmap(NULL, MANY * sizeof(*seen), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct refstore_event event;
	pid_t children[READERS];
	__u64 handle, weak;
	int i;

	ASSERT_NE(MAP_FAILED, (void *)seen);
	NOTIFY(self->leaf, MANY);
	for (i = 0; i < READERS; i++) {
		children[i] = rs_fork();
		while (!children[i]) {
			if (rs_read_events(self->fd, &event, 1) != 1)
				_exit(1);
			if (event.cookie == MANY)
				_exit(0);
			__atomic_fetch_add(&seen[event.cookie], event.seq,
					   __ATOMIC_RELAXED);
		}
	}
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &handle));
		weak = NOTIFY(handle, i);
		ASSERT_EQ(0, rs_release(self->fd, handle));
		ASSERT_EQ(0, rs_release(self->fd, weak));
	}
	/* The last one, for each of them. */
	for (i = 0; i < READERS - 1; i++) {
		NOTIFY(self->leaf, MANY);
	}
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	for (i = 0; i < READERS; i++) {
		EXPECT_EQ(0, rs_wait_child(children[i]));
	}
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(i + 1, seen[i]);
	}
	EXPECT_TRUE(nothing(self->fd));
}

/* --- All of a component ----------------------------------------------- */

/*
 * Builds a ring of @count objects and returns weak handles of all of them,
 * with notices, from a session that holds nothing else.
 */
static int weak_ring(int fd, unsigned int count, __u64 *weak)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	__u64 *handles = calloc(count, sizeof(*handles));
	unsigned int i, n, done;
	int ret = rs_repeat(fd, op_create(1, NULL), count, handles);

	for (done = 0; !ret && done < count; done += n) {
		for (i = 0, n = 0; n < RS_CHUNK / 2 && done + n < count; n++) {
			ops[i++] = op_set_slot(handles[done + n], 0,
					       handles[(done + n + 1) % count]);
			ops[i++] = op_weak(handles[done + n],
					   REFSTORE_WEAK_NOTIFY, done + n);
		}
		ret = rs_batch(fd, 0, ops, i, &batch);
		if (!ret && (batch.failed || batch.done != i))
			ret = -EPROTO;
		for (i = 0; !ret && i < n; i++)
			weak[done + i] = ops[2 * i + 1].weak.result;
	}
	if (!ret)
		ret = rs_release_all(fd, handles, count);
	free(handles);
	return ret;
}

/* How many of the weak handles, from the last one, are not dead. */
static int count_alive(int fd, const __u64 *weak, unsigned int count)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	unsigned int n, i;
	int alive = 0;

	while (count) {
		n = count < RS_CHUNK ? count : RS_CHUNK;
		for (i = 0; i < n; i++)
			ops[i] = op_upgrade(weak[--count]);
		if (rs_batch(fd, 0, ops, n, &batch) || batch.failed ||
		    batch.done != n)
			return -1;
		for (i = 0; i < n; i++)
			alive += ops[i].upgrade.result != 0;
	}
	return alive;
}

/* Reads all notices of a ring; when one is there, nothing of the ring is. */
static int read_ring(int fd, const __u64 *weak, unsigned int count)
{
	struct refstore_event event;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (rs_read_events(fd, &event, 1) != 1)
			return 1;
		if (event.cookie >= count)
			return 2;
		if ((i < 3 || i % (count / 8) == 0) &&
		    count_alive(fd, weak, count))
			return 3;
	}
	return 0;
}

/* Nothing of what died together can be had when the first of it is told. */
TEST_F(weak, all_at_once)
{
	const unsigned int count = rs_size(3000);
	__u64 *weak = calloc(count, sizeof(*weak));
	int other, turn;
	pid_t child;

	for (turn = 0; turn < 6; turn++) {
		other = rs_session_new(self->fd, 0);
		ASSERT_LE(0, other);
		ASSERT_EQ(0, weak_ring(other, count, weak));
		child = rs_fork();
		if (!child)
			_exit(read_ring(other, weak, count));
		ASSERT_TRUE(rs_wait_until(asleep(child), RS_SOON));
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
		EXPECT_EQ(0, rs_wait_child(child));
		EXPECT_TRUE(nothing(other));
		EXPECT_EQ(0, close(other));
	}
	free(weak);
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 2, RS_SOON));
}

TEST_HARNESS_MAIN
