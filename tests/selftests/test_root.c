// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root: the one reference that a heap keeps by itself.
 */
#include "refstore_heap.h"

FIXTURE(root)
{
	int fd;
	__u64 a, b;
};

FIXTURE_SETUP(root)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &self->a));
	ASSERT_EQ(0, rs_leaf(self->fd, "b", 1, &self->b));
}

FIXTURE_TEARDOWN(root)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
}

/* The id of a heap's root; 0 if there is none. */
static __u64 root_id(int fd)
{
	__u64 handle, id;

	if (rs_get_root(fd, &handle) || !handle)
		return 0;
	id = rs_id(fd, handle);
	rs_release(fd, handle);
	return id;
}

TEST_F(root, none_at_first)
{
	__u64 handle = 1;

	EXPECT_EQ(0, rs_get_root(self->fd, &handle));
	EXPECT_EQ(0, handle);
	EXPECT_EQ(0, rs_set_root(self->fd, 0));
}

TEST_F(root, get_and_set)
{
	__u64 first, second;

	ASSERT_EQ(0, rs_set_root(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	ASSERT_EQ(0, rs_get_root(self->fd, &first));
	ASSERT_EQ(0, rs_get_root(self->fd, &second));
	EXPECT_NE(first, second);
	EXPECT_NE(first, self->a);
	EXPECT_EQ(4, rs_refs(self->fd, self->a));
	EXPECT_EQ(rs_id(self->fd, self->a), rs_id(self->fd, second));
	/* Another: the old one's reference goes. The same: no change. */
	ASSERT_EQ(0, rs_set_root(self->fd, self->b));
	EXPECT_EQ(3, rs_refs(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_set_root(self->fd, self->b));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	EXPECT_EQ(rs_id(self->fd, self->b), root_id(self->fd));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
	EXPECT_EQ(0, root_id(self->fd));
}

/* It keeps what it refers to, and what that refers to; cleared, both go. */
TEST_F(root, keeps)
{
	__u64 id = rs_id(self->fd, self->a);

	ASSERT_EQ(0, rs_set_slot(self->fd, self->a, 0, self->b));
	ASSERT_EQ(0, rs_set_root(self->fd, self->a));
	ASSERT_EQ(0, rs_release(self->fd, self->a));
	ASSERT_EQ(0, rs_release(self->fd, self->b));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(2, rs_objects(self->fd));
	EXPECT_EQ(id, root_id(self->fd));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	EXPECT_EQ(0, rs_objects(self->fd));
}

TEST_F(root, cas)
{
	__u64 again;

	EXPECT_EQ(-EAGAIN, rs_cas_root(self->fd, self->a, self->b));
	ASSERT_EQ(0, rs_cas_root(self->fd, 0, 0));
	ASSERT_EQ(0, rs_cas_root(self->fd, 0, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	EXPECT_EQ(-EAGAIN, rs_cas_root(self->fd, 0, self->b));
	EXPECT_EQ(-EAGAIN, rs_cas_root(self->fd, self->b, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
	/* Objects are compared, not handles. */
	ASSERT_EQ(0, rs_dup(self->fd, self->a, &again));
	ASSERT_EQ(0, rs_cas_root(self->fd, again, self->b));
	EXPECT_EQ(2, rs_refs(self->fd, self->a));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_cas_root(self->fd, self->b, self->b));
	EXPECT_EQ(2, rs_refs(self->fd, self->b));
	ASSERT_EQ(0, rs_cas_root(self->fd, self->b, 0));
	EXPECT_EQ(1, rs_refs(self->fd, self->b));
}

/* The heap's own: it outlives the session that set it. */
TEST_F(root, outlives_session)
{
	int other = rs_session_new(self->fd, 0);
	__u64 heap = rs_heap_number(self->fd), handle, id;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_leaf(other, "root", 4, &handle));
	ASSERT_EQ(0, rs_set_root(other, handle));
	id = rs_id(other, handle);
	ASSERT_EQ(0, close(other));
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(heap, 1), RS_SOON));
	EXPECT_EQ(id, root_id(self->fd));
	EXPECT_EQ(3, rs_objects(self->fd));
}

/* A cycle that only the root keeps is garbage when the root lets go. */
TEST_F(root, of_a_cycle)
{
	ASSERT_EQ(0, rs_set_slot(self->fd, self->a, 0, self->a));
	ASSERT_EQ(0, rs_set_root(self->fd, self->a));
	ASSERT_EQ(0, rs_release(self->fd, self->a));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(2, rs_objects(self->fd));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(1, rs_objects(self->fd));
}

enum { TAKERS = 3, TURNS = 600 };

/* Puts objects of its own there, and reads whatever is there. */
static int exchange(int fd)
{
	__u64 mine, seen;
	int i, ret;

	for (i = 0; i < TURNS; i++) {
		if (rs_node(fd, 0, NULL, &mine))
			return 1;
		if (rs_get_root(fd, &seen) || !seen || !rs_id(fd, seen))
			return 2;
		ret = i % 2 ? rs_set_root(fd, mine) :
			      rs_cas_root(fd, seen, mine);
		if (ret && ret != -EAGAIN)
			return 3;
		if (rs_release(fd, mine) || rs_release(fd, seen))
			return 4;
	}
	return 0;
}

/* Several at the same time: what is read is always an object, none leaks. */
TEST_F(root, contended)
{
	pid_t children[TAKERS];
	int i;

	ASSERT_EQ(0, rs_set_root(self->fd, self->a));
	for (i = 0; i < TAKERS; i++) {
		children[i] = rs_fork_session(&self->fd);
		if (!children[i])
			_exit(exchange(self->fd));
	}
	for (i = 0; i < TAKERS; i++) {
		EXPECT_EQ(0, rs_wait_child(children[i]));
	}
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_EQ(3, rs_objects(self->fd));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	EXPECT_EQ(2, rs_objects(self->fd));
}

TEST_HARNESS_MAIN
