// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: how they come, how they travel, and that whatever one held is given
 * back when its last descriptor is gone, whoever had that and however it went.
 */
#include <sys/resource.h>

#include "refstore_heap.h"

FIXTURE(session)
{
	int fd;
	__u64 heap;
	__u64 leaf, node;
};

FIXTURE_SETUP(session)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_NE(0, self->heap);
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 2, (__u64[]){ self->leaf, 0 },
			     &self->node));
	ASSERT_EQ(0, rs_set_root(self->fd, self->node));
}

FIXTURE_TEARDOWN(session)
{
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

TEST_F(session, fresh)
{
	int other = rs_session_new(self->fd, 0);
	__u64 root;

	ASSERT_LE(0, other);
	EXPECT_EQ(self->heap, rs_heap_number(other));
	EXPECT_EQ(-EBADF, rs_refs(other, self->leaf));
	ASSERT_EQ(0, rs_get_root(other, &root));
	EXPECT_EQ(rs_id(self->fd, self->node), rs_id(other, root));
	EXPECT_EQ(3, rs_refs(other, root));
	/* The heap's figures know both. */
	EXPECT_TRUE(rs_has_sessions(self->heap, 2));
	EXPECT_EQ(0, close(other));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->node) == 2, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
}

/* The same handles, each counted anew, each the clone's own. */
TEST_F(session, clone)
{
	__u64 stale, again;
	int other;

	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &again));
	ASSERT_EQ(0, rs_dup(self->fd, self->leaf, &stale));
	ASSERT_EQ(0, rs_release(self->fd, stale));
	other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	ASSERT_LE(0, other);
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(other, self->leaf));
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(other, again));
	EXPECT_EQ(rs_id(self->fd, self->node), rs_id(other, self->node));
	EXPECT_EQ(3, rs_refs(other, self->node));
	EXPECT_EQ(5, rs_refs(other, self->leaf));
	EXPECT_EQ(-EBADF, rs_refs(other, stale));
	/* What one releases, the other still has. */
	ASSERT_EQ(0, rs_release(other, self->leaf));
	EXPECT_EQ(-EBADF, rs_refs(other, self->leaf));
	EXPECT_EQ(4, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_release(self->fd, again));
	EXPECT_EQ(-EBADF, rs_refs(self->fd, again));
	EXPECT_EQ(3, rs_refs(other, again));
	ASSERT_EQ(0, close(other));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 2, RS_SOON));
	EXPECT_EQ(rs_id(self->fd, self->leaf),
		  rs_slot_id(self->fd, self->node, 0));
}

/* What the two mint after the cloning is theirs alone. */
TEST_F(session, clones_apart)
{
	int other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	enum { MANY = 300 };
	__u64 ours[MANY], theirs[MANY], mixed;
	int i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_repeat(self->fd, op_create(0, NULL), MANY, ours));
	ASSERT_EQ(0, rs_repeat(other, op_create(0, NULL), MANY, theirs));
	for (i = 0; i < MANY; i++) {
		/* Not another object by the same handle. */
		mixed = rs_id(other, ours[i]);
		EXPECT_NE(mixed, rs_id(self->fd, ours[i]));
		EXPECT_EQ(0, mixed);
		EXPECT_EQ(0, rs_id(self->fd, theirs[i]));
	}
	EXPECT_EQ(0, close(other));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == MANY + 2, RS_SOON));
}

TEST_F(session, clone_many)
{
	const long many = rs_size(20000) & ~1UL;
	__u64 *handles = calloc(many, sizeof(*handles));
	int other;
	long i;

	ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), many, handles));
	for (i = 0; i < many; i += 2) {
		ASSERT_EQ(0, rs_release(self->fd, handles[i]));
	}
	other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	ASSERT_LE(0, other);
	EXPECT_EQ(many + 3, rs_refs(self->fd, self->leaf));
	for (i = 0; i < many; i += 17) {
		ASSERT_EQ(i % 2, rs_id(other, handles[i]) != 0);
	}
	/* The first one ends, the clone does not mind. */
	ASSERT_EQ(0, close(self->fd));
	self->fd = other;
	EXPECT_TRUE(rs_wait_until(rs_refs(other, self->leaf) == many / 2 + 2,
				  RS_SOON));
	for (i = 1; i < many; i += 34) {
		ASSERT_EQ(0, rs_release(other, handles[i]));
	}
	free(handles);
}

/* The new descriptor does not leak into other programs. */
TEST_F(session, close_on_exec)
{
	int other = rs_session_new(self->fd, 0);
	int clone = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);

	ASSERT_LE(0, other);
	ASSERT_LE(0, clone);
	EXPECT_EQ(FD_CLOEXEC, fcntl(other, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(clone, F_GETFD));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(clone));
}

/* exec() ends a session whose only descriptor the process had. */
TEST_F(session, exec)
{
	int other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	pid_t child;

	ASSERT_LE(0, other);
	child = rs_fork();
	if (!child) {
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	ASSERT_EQ(0, close(other));
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
	/* It is still there: it was exec() and not exit(). */
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A session is its descriptors', not a process's: fork() shares it. */
TEST_F(session, fork_and_exit)
{
	__u64 minted = 0;
	int ends[2];
	pid_t child;

	ASSERT_EQ(0, pipe(ends));
	child = rs_fork();
	if (!child) {
		if (rs_dup(self->fd, self->leaf, &minted))
			_exit(1);
		if (write(ends[1], &minted, sizeof(minted)) < 0)
			_exit(2);
		_exit(rs_release(self->fd, self->node) ? 3 : 0);
	}
	ASSERT_EQ(0, rs_wait_child(child));
	ASSERT_EQ(sizeof(minted), read(ends[0], &minted, sizeof(minted)));
	/* What the child minted stays; what it released is gone. */
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(self->fd, minted));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(-EBADF, rs_refs(self->fd, self->node));
	EXPECT_TRUE(rs_has_sessions(self->heap, 1));
}

/* The last of several descriptors counts. */
TEST_F(session, duplicated)
{
	int again = dup(self->fd), third = dup(again);

	ASSERT_LE(0, third);
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_EQ(2, rs_refs(again, self->leaf));
	ASSERT_EQ(0, close(again));
	EXPECT_EQ(2, rs_refs(third, self->leaf));
	EXPECT_TRUE(rs_has_sessions(self->heap, 1));
	ASSERT_EQ(0, close(third));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* A heap lives while it has a session, whichever, and goes with the last. */
TEST_F(session, last_one)
{
	int other = rs_session_new(self->fd, 0), third;
	__u64 root;

	ASSERT_LE(0, other);
	third = rs_session_new(other, 0);
	ASSERT_LE(0, third);
	ASSERT_EQ(0, close(self->fd));
	ASSERT_EQ(0, close(other));
	self->fd = third;
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	ASSERT_EQ(0, rs_get_root(third, &root));
	EXPECT_EQ(2, rs_refs(third, root));
	EXPECT_EQ(2, rs_objects(third));
}

/* All that a session held goes with it: lists, cycles, long chains. */
TEST_F(session, close_frees_all)
{
	int other = rs_session_new(self->fd, 0);
	const size_t length = rs_size(20000);
	__u64 first, last, ring;
	int i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_chain(other, length, 1, &first, &last));
	ASSERT_EQ(0, rs_ring(other, 1000, 1, &ring));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, rs_leaf(other, NULL, 10000, &first));
	}
	EXPECT_EQ(length + 1102, rs_objects(self->fd));
	ASSERT_EQ(0, close(other));
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	ASSERT_TRUE(rs_wait_until(rs_no_backlog(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(2, rs_objects(self->fd));
}

/* A heap that ends takes its cycles along, and no scan is needed. */
TEST_F(session, heap_ends_with_cycles)
{
	__u64 objects = rs_stats_value("objects");
	__u64 bytes = rs_stats_value("bytes"), ring, heap;
	int fd = rs_open(), i;

	ASSERT_LE(0, fd);
	heap = rs_heap_number(fd);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, rs_ring(fd, 100, 2, &ring));
		if (i % 2 == 0)
			ASSERT_EQ(0, rs_release(fd, ring));
	}
	ASSERT_EQ(0, rs_set_root(fd, ring));
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_stats_value("objects") == objects,
				  RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_stats_value("bytes") == bytes, RS_SOON));
}

/* --- Between processes ------------------------------------------------ */

/* To a process that has nothing of ours but the socket. */
TEST_F(session, passed)
{
	int ends[2], other, fd;
	__u64 root, leaf, mine;
	char data[4] = "";
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	child = rs_fork();
	if (!child) {
		close(self->fd);
		fd = rs_receive_fd(ends[1]);
		if (fd < 0 || rs_get_root(fd, &root) || !root ||
		    rs_get_slot(fd, root, 0, &leaf) ||
		    rs_read(fd, leaf, 0, 4, data, NULL) ||
		    memcmp(data, "data", 4))
			_exit(1);
		if (rs_leaf(fd, "mine", 4, &mine) ||
		    rs_set_slot(fd, root, 1, mine))
			_exit(2);
		_exit(0);
	}
	other = rs_session_new(self->fd, 0);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_send_fd(ends[0], other));
	ASSERT_EQ(0, close(other));
	ASSERT_EQ(0, rs_wait_child(child));
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	/* What it left in the store is there; what it only held is not. */
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_get_slot(self->fd, self->node, 1, &mine));
	EXPECT_EQ(2, rs_refs(self->fd, mine));
	EXPECT_EQ(0, rs_read(self->fd, mine, 0, 4, data, NULL));
	EXPECT_EQ(0, memcmp(data, "mine", 4));
}

/* A session in flight is a session; never received, it ends with the socket. */
TEST_F(session, in_flight)
{
	int ends[2], other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ASSERT_EQ(0, rs_send_fd(ends[0], other));
	ASSERT_EQ(0, close(other));
	EXPECT_TRUE(rs_has_sessions(self->heap, 2));
	EXPECT_EQ(3, rs_refs(self->fd, self->node));
	ASSERT_EQ(0, close(ends[0]));
	ASSERT_EQ(0, close(ends[1]));
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
}

/* It sends a session on a heap that it made, and dies. */
TEST_F(session, outlives_its_maker)
{
	int ends[2], fd;
	__u64 root, heap;
	char data[5];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	child = rs_fork();
	if (!child) {
		fd = rs_open();
		if (fd < 0 || rs_leaf(fd, "child", 5, &root) ||
		    rs_set_root(fd, root) || rs_send_fd(ends[1], fd))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	fd = rs_receive_fd(ends[0]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	heap = rs_heap_number(fd);
	EXPECT_NE(self->heap, heap);
	ASSERT_EQ(0, rs_get_root(fd, &root));
	EXPECT_EQ(0, rs_read(fd, root, 0, 5, data, NULL));
	EXPECT_EQ(0, memcmp(data, "child", 5));
	EXPECT_EQ(3, rs_refs(fd, root));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
}

/* --- When there is no room -------------------------------------------- */

TEST_F(session, no_descriptor)
{
	struct rlimit limit;
	struct rs_before before;
	int fds[64], n, fd;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 32;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (n = 0; n < 64; n++) {
		fds[n] = dup(self->fd);
		if (fds[n] < 0)
			break;
	}
	ASSERT_GT(64, n);
	fd = rs_session_new(self->fd, 0);
	EXPECT_EQ(-EMFILE, fd);
	fd = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	EXPECT_EQ(-EMFILE, fd);
	while (n)
		close(fds[--n]);
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
}

TEST_F(session, many)
{
	enum { MANY = 100 };
	int fds[MANY], i;

	for (i = 0; i < MANY; i++) {
		fds[i] = rs_session_new(i ? fds[i - 1] : self->fd,
					i % 2 ? REFSTORE_SESSION_CLONE : 0);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_TRUE(rs_has_sessions(self->heap, MANY + 1));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, close(fds[i]));
	}
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	EXPECT_EQ(2, rs_refs(self->fd, self->node));
}

TEST_HARNESS_MAIN
