// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects passed as descriptors: what they keep, who can take them, and with
 * which rights.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "refstore_heap.h"

#define PLACE	"/tmp/refstore-export"

FIXTURE(export)
{
	int fd;
	__u64 heap;
	__u64 leaf, node;	/* the node's only slot refers to the leaf */
	int ends[2];
};

FIXTURE_SETUP(export)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, &self->leaf, &self->node));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->ends));
}

FIXTURE_TEARDOWN(export)
{
	close(self->fd);
	close(self->ends[0]);
	close(self->ends[1]);
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

static bool reads(int fd, __u64 leaf, const char *expected)
{
	char data[4] = "";

	return !rs_read(fd, leaf, 0, 4, data, NULL) &&
	       !memcmp(data, expected, 4);
}

/* A handle of its own each time, which is a reference of its own. */
TEST_F(export, imported)
{
	int export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	__u64 first, second;

	ASSERT_LE(0, export);
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, rs_import(self->fd, export, &first));
	ASSERT_EQ(0, rs_import(self->fd, export, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(rs_id(self->fd, self->leaf), rs_id(self->fd, first));
	EXPECT_EQ(5, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, close(export));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 4, RS_SOON));
	EXPECT_TRUE(reads(self->fd, second, "data"));
	EXPECT_EQ(0, rs_release(self->fd, first));
	EXPECT_EQ(0, rs_release(self->fd, second));
}

/* What is exported holds what it refers to, when nobody else does. */
TEST_F(export, keeps)
{
	int export = rs_export(self->fd, self->node, REFSTORE_RIGHTS);
	__u64 node, leaf;

	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_release(self->fd, self->node));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(2, rs_objects(self->fd));
	ASSERT_EQ(0, rs_import(self->fd, export, &node));
	ASSERT_EQ(0, rs_get_slot(self->fd, node, 0, &leaf));
	EXPECT_TRUE(reads(self->fd, leaf, "data"));
	ASSERT_EQ(0, rs_release(self->fd, node));
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	ASSERT_EQ(0, close(export));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
}

/* A cycle that only an export held is garbage when that is gone. */
TEST_F(export, cycle)
{
	struct refstore_collect collect;
	__u64 ring;
	int export;

	ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &ring));
	export = rs_export(self->fd, ring, REFSTORE_RIGHTS);
	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	ASSERT_EQ(0, close(export));
	EXPECT_TRUE(rs_wait_until(!rs_collect(self->fd, &collect) &&
				  rs_objects(self->fd) == 2, RS_SOON));
}

/* Nobody but the socket has it: neither its sender nor another session. */
TEST_F(export, in_flight)
{
	int export = rs_export(self->fd, self->node, REFSTORE_RIGHTS), fd;
	__u64 node, leaf;

	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_send_fd(self->ends[0], export));
	ASSERT_EQ(0, close(export));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_FALSE(rs_heap_gone(self->heap));
	export = rs_receive_fd(self->ends[1]);
	ASSERT_LE(0, export);
	fd = rs_open_export(export, &node);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_get_slot(fd, node, 0, &leaf));
	EXPECT_TRUE(reads(fd, leaf, "data"));
	EXPECT_EQ(0, close(export));
	self->fd = fd;
}

/* It is killed before anybody has received what it sent. */
TEST_F(export, outlives_its_sender)
{
	int export, fd;
	__u64 leaf;
	pid_t child = rs_fork();

	if (!child) {
		fd = rs_open();
		if (fd < 0 || rs_leaf(fd, "sent", 4, &leaf))
			_exit(1);
		export = rs_export(fd, leaf, REFSTORE_RIGHTS);
		if (export < 0 || rs_send_fd(self->ends[0], export))
			_exit(2);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	export = rs_receive_fd(self->ends[1]);
	ASSERT_LE(0, export);
	fd = rs_open_export(export, &leaf);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(reads(fd, leaf, "sent"));
	EXPECT_EQ(2, rs_refs(fd, leaf));
	EXPECT_EQ(0, close(export));
	EXPECT_EQ(0, close(fd));
}

/* Both ends die, and with them what was on its way. */
TEST_F(export, both_ends_die)
{
	int export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);

	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_send_fd(self->ends[0], export));
	ASSERT_EQ(0, close(export));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	ASSERT_EQ(0, close(self->ends[0]));
	ASSERT_EQ(0, close(self->ends[1]));
	self->ends[0] = -1;
	self->ends[1] = -1;
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 2, RS_SOON));
}

/* The heap's name is gone: what knows the object is the descriptor alone. */
TEST_F(export, without_a_name)
{
	int fd, export;
	__u64 leaf;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, NULL));
	fd = open(PLACE "/a", O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_leaf(fd, "name", 4, &leaf));
	export = rs_export(fd, leaf, REFSTORE_RIGHTS);
	ASSERT_LE(0, export);
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, unlink(PLACE "/a"));
	ASSERT_EQ(0, umount(PLACE));
	fd = rs_open_export(export, &leaf);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(reads(fd, leaf, "name"));
	EXPECT_EQ(0, close(export));
	EXPECT_EQ(0, close(fd));
}

/* --- Rights --------------------------------------------------------------- */

/* Into a session whose rights lie within the mask, and no other. */
TEST_F(export, mask)
{
	static const struct {
		__u32 mask, session;
		int ret;
	} cases[] = {
		{ REFSTORE_RIGHTS, REFSTORE_RIGHTS, 0 },
		{ REFSTORE_RIGHTS, 0, 0 },
		{ 0, 0, 0 },
		{ 0, REFSTORE_RIGHT_COLLECT, -EACCES },
		{ REFSTORE_RIGHTS_READ, REFSTORE_RIGHTS, -EACCES },
		{ REFSTORE_RIGHTS_READ, REFSTORE_RIGHTS_READ, 0 },
		{ REFSTORE_RIGHTS_READ, REFSTORE_RIGHT_EXPORT, 0 },
		{ REFSTORE_RIGHT_WRITE_DATA, REFSTORE_RIGHT_WRITE_SLOTS,
		  -EACCES },
	};
	int export, session;
	__u64 leaf;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		export = rs_export(self->fd, self->leaf, cases[i].mask);
		session = rs_session_new(self->fd, 0);
		ASSERT_LE(0, export);
		ASSERT_LE(0, session);
		ASSERT_EQ(0, rs_restrict(session, cases[i].session));
		EXPECT_EQ(cases[i].ret, rs_import(session, export, &leaf))
			TH_LOG("case %zu", i);
		ASSERT_EQ(0, close(session));
		ASSERT_EQ(0, close(export));
	}
}

/* A session opened through an export has its mask, and hands on no more. */
TEST_F(export, opened)
{
	const __u32 mask = REFSTORE_RIGHT_EXPORT | REFSTORE_RIGHT_WRITE_DATA;
	int export = rs_export(self->fd, self->node, mask), fd, again;
	struct refstore_query query;
	__u64 node, leaf, made;

	ASSERT_LE(0, export);
	fd = rs_open_export(export, &node);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_query(fd, &query));
	EXPECT_EQ(self->heap, query.heap);
	EXPECT_EQ(mask, query.rights);
	ASSERT_EQ(0, rs_get_slot(fd, node, 0, &leaf));
	EXPECT_EQ(0, rs_write(fd, leaf, 0, 4, "DATA", NULL));
	EXPECT_EQ(-EACCES, rs_set_slot(fd, node, 0, 0));
	EXPECT_EQ(-EACCES, rs_leaf(fd, "x", 1, &made));
	EXPECT_EQ(-EACCES, rs_export(fd, node, REFSTORE_RIGHTS));
	again = rs_export(fd, node, mask);
	ASSERT_LE(0, again);
	EXPECT_EQ(-EACCES, rs_import(self->fd, again, &made));
	EXPECT_EQ(0, rs_import(fd, again, &made));
	EXPECT_EQ(0, close(again));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(export));
	EXPECT_TRUE(reads(self->fd, self->leaf, "DATA"));
}

TEST_F(export, no_right)
{
	ASSERT_EQ(0, rs_restrict(self->fd,
				 REFSTORE_RIGHTS & ~REFSTORE_RIGHT_EXPORT));
	EXPECT_EQ(-EACCES, rs_export(self->fd, self->leaf, 0));
	EXPECT_EQ(2, rs_refs(self->fd, self->leaf));
}

/* --- What it is not ------------------------------------------------------- */

/* Of all calls, two; and it cannot be read, or opened anew. */
TEST_F(export, is_no_session)
{
	int export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	struct pollfd poll_fd = { .fd = export, .events = POLLIN };
	struct refstore_query query;
	char path[64], byte[64];
	__u64 handle;

	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_query(export, &query));
	EXPECT_EQ(self->heap, query.heap);
	EXPECT_EQ(-ENOTTY, rs_get_root(export, &handle));
	EXPECT_EQ(-ENOTTY, rs_leaf(export, "x", 1, &handle));
	EXPECT_EQ(-ENOTTY, rs_session_new(export, 0));
	EXPECT_EQ(-ENOTTY, rs_restrict(export, 0));
	EXPECT_EQ(-ENOTTY, rs_collect(export, NULL));
	EXPECT_EQ(-ENOTTY, rs_import(export, export, &handle));
	EXPECT_EQ(-ENOTTY, rs_open_export(self->fd, &handle));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	EXPECT_EQ(0, read(export, byte, sizeof(byte)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", export);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(0, close(export));
}

TEST_F(export, not_imported)
{
	int export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	int other = rs_open(), null = open("/dev/null", O_RDWR);
	int path = open("/dev/null", O_PATH);
	__u64 handle;

	ASSERT_LE(0, export);
	ASSERT_LE(0, other);
	EXPECT_EQ(-EXDEV, rs_import(other, export, &handle));
	EXPECT_EQ(-EINVAL, rs_import(self->fd, self->fd, &handle));
	EXPECT_EQ(-EINVAL, rs_import(self->fd, null, &handle));
	EXPECT_EQ(-EBADF, rs_import(self->fd, path, &handle));
	EXPECT_EQ(-EBADF, rs_import(self->fd, -1, &handle));
	EXPECT_EQ(-EBADF, rs_import(self->fd, 1 << 20, &handle));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(null));
	EXPECT_EQ(0, close(path));
	EXPECT_EQ(0, close(export));
}

TEST_F(export, not_exported)
{
	struct rlimit limit, old;
	__u64 weak;

	ASSERT_EQ(0, rs_weak(self->fd, self->leaf, 0, 0, &weak));
	EXPECT_EQ(-EBADF, rs_export(self->fd, weak, 0));
	EXPECT_EQ(-EBADF, rs_export(self->fd, 0, 0));
	EXPECT_EQ(-EBADF, rs_export(self->fd, self->leaf + (1ULL << 40), 0));
	EXPECT_EQ(-EINVAL, rs_export(self->fd, self->leaf,
				     REFSTORE_RIGHTS + 1));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, rs_export(self->fd, self->leaf, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 2, RS_SOON));
}

struct reopened {
	int fd, copy;
	atomic_bool stop;
};

/* Closes a descriptor and opens it again, until it is told to stop. */
static void *reopen(void *argument)
{
	struct reopened *reopened = argument;

	while (!atomic_load(&reopened->stop)) {
		close(reopened->fd);
		dup2(reopened->copy, reopened->fd);
	}
	return NULL;
}

/*
 * What is imported is there, or the descriptor is not; for long, if the other
 * thread is not run.
 */
TEST_F(export, closed_meanwhile)
{
	struct reopened reopened = {};
	int imported = 0, i, ret;
	pthread_t thread;
	__u64 leaf;

	reopened.fd = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	ASSERT_LE(0, reopened.fd);
	reopened.copy = dup(reopened.fd);
	ASSERT_LE(0, reopened.copy);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reopen, &reopened));
	for (i = 0; i < 2000 || !imported; i++) {
		ret = rs_import(self->fd, reopened.fd, &leaf);
		ASSERT_TRUE(!ret || ret == -EBADF);
		if (ret)
			continue;
		imported++;
		EXPECT_TRUE(reads(self->fd, leaf, "data"));
		EXPECT_EQ(0, rs_release(self->fd, leaf));
	}
	atomic_store(&reopened.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(3, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(0, close(reopened.fd));
	EXPECT_EQ(0, close(reopened.copy));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 2, RS_SOON));
}

/* Many at once, in a batch. */
TEST_F(export, imported_in_a_batch)
{
	int export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS), i;
	struct refstore_op ops[100] = {};
	struct refstore_batch batch;

	ASSERT_LE(0, export);
	for (i = 0; i < 100; i++) {
		ops[i].command = REFSTORE_CMD_IMPORT;
		ops[i].import.size = sizeof(ops[i].import);
		ops[i].import.fd = export;
	}
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, 100, &batch));
	EXPECT_EQ(100, batch.done);
	EXPECT_EQ(0, batch.failed);
	EXPECT_EQ(0, close(export));
	EXPECT_TRUE(rs_wait_until(rs_refs(self->fd, self->leaf) == 102,
				  RS_SOON));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, rs_release(self->fd, ops[i].import.result));
}

TEST_HARNESS_MAIN
