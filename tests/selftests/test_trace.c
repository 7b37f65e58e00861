// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: each comes when what it is named after happens, and names the
 * heap.
 */
#include <sys/stat.h>

#include "refstore_heap.h"

#define INSTANCES "/sys/kernel/tracing/instances/"
#define INSTANCE INSTANCES "refstore_selftest/"
#define RECORD_CMD "/sys/kernel/tracing/options/record-cmd"

FIXTURE(trace)
{
	int fd;
	__u64 heap;
};

/*
 * It takes over that names of tasks are not taken down: for that the scheduler's
 * code would be patched, and an emulated processor beside has been seen to go on
 * with what was there before.
 */
static int make_instance(void)
{
	int ret = rs_write_file(RECORD_CMD, "0");

	if (ret)
		return ret;
	ret = mkdir(INSTANCE, 0700);
	return rs_write_file(RECORD_CMD, "1") ? -1 : ret;
}

/* An instance of its own, so that nobody else's trace is touched. */
FIXTURE_SETUP(trace)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
	if (access(INSTANCES, W_OK) || make_instance())
		SKIP(return, "no instances of tracefs");
	if (rs_write_file(INSTANCE "events/refstore/enable", "1"))
		SKIP(return, "the kernel traces no events of modules");
}

FIXTURE_TEARDOWN(trace)
{
	rs_write_file(INSTANCE "events/refstore/enable", "0");
	rmdir(INSTANCE);
	EXPECT_NE(0, access(INSTANCE, F_OK));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* How many lines of the trace say this of the heap. */
static unsigned int traced(__u64 heap, const char *event, const char *what)
{
	FILE *file = fopen(INSTANCE "trace", "re");
	char line[512], wanted[128];
	unsigned int found = 0;

	if (!file)
		return ~0U;
	snprintf(wanted, sizeof(wanted), " refstore_%s: heap=%llu %s", event,
		 heap, what);
	while (fgets(line, sizeof(line), file))
		found += strstr(line, wanted) != NULL;
	fclose(file);
	return found;
}

#define EXPECT_TRACED(count, event, what) \
	EXPECT_EQ(count, traced(self->heap, event, what)) { \
		TH_LOG(event " " what); \
	}

TEST_F(trace, each)
{
	__u64 nodes[2], leaf;

	/* Ids 1, 2 and 3. */
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &nodes[0]));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &nodes[1]));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	EXPECT_TRACED(3, "create", "");
	EXPECT_TRACED(1, "create", "id=3 type=0");
	ASSERT_EQ(0, rs_set_slot(self->fd, nodes[0], 0, nodes[1]));
	ASSERT_EQ(0, rs_set_slot(self->fd, nodes[1], 0, nodes[0]));
	ASSERT_EQ(0, rs_set_slot(self->fd, nodes[1], 1, leaf));
	EXPECT_TRACED(3, "link", "");
	EXPECT_TRACED(1, "link", "from=2 slot=1 to=3");
	EXPECT_TRACED(0, "unlink", "");
	ASSERT_EQ(0, rs_set_slot(self->fd, nodes[1], 1, 0));
	EXPECT_TRACED(1, "unlink", "from=2 slot=1 to=3");
	EXPECT_TRACED(0, "free", "");
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	EXPECT_TRACED(1, "free", "id=3 type=0");
	EXPECT_TRACED(0, "candidate", "");
	ASSERT_EQ(0, rs_release_many(self->fd, nodes, 2, NULL));
	EXPECT_TRACED(1, "candidate", "id=1 type=0");
	EXPECT_TRACED(1, "candidate", "id=2 type=0");
	EXPECT_TRACED(0, "scan_begin", "");
	ASSERT_EQ(0, rs_collect_generation(self->fd, 1, NULL));
	EXPECT_TRACED(1, "scan_begin", "scan=1 generation=1 trigger=collect");
	EXPECT_TRACED(1, "scan_commit", "scan=1 members=2");
	EXPECT_TRACED(0, "scan_abort", "");
	EXPECT_TRACED(1, "scan_end", "scan=1 generation=1 visited=2 reclaimed=2 aborted=0");
	EXPECT_TRACED(3, "free", "");
}

TEST_F(trace, many)
{
	__u64 handles[100];
	struct refstore_create_many create = {
		.handles = rs_ptr(handles),
		.count = 100,
		.type = REFSTORE_TYPE_SET,
	};

	ASSERT_EQ(0, rs_create_many(self->fd, &create));
	EXPECT_TRACED(100, "create", "");
	EXPECT_TRACED(1, "create", "id=100 type=9");
	ASSERT_EQ(0, rs_release_many(self->fd, handles, 100, NULL));
	EXPECT_TRACED(100, "free", "");
	EXPECT_TRACED(1, "free", "id=1 type=9");
}

/* Of objects alone. */
TEST_F(trace, label)
{
	struct refstore_label label = {
		.size = sizeof(label),
		.what = REFSTORE_LABEL_OBJECT,
		.label = "a b",
	};
	__u64 handle;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 0, &handle));
	label.object = handle;
	ASSERT_EQ(0, rs_call(self->fd, REFSTORE_LABEL, &label));
	EXPECT_TRACED(1, "label", "id=1 label=a b\n");
	label.object = 0;
	ASSERT_EQ(-EBADF, rs_call(self->fd, REFSTORE_LABEL, &label));
	label.what = REFSTORE_LABEL_HEAP;
	ASSERT_EQ(0, rs_call(self->fd, REFSTORE_LABEL, &label));
	EXPECT_TRACED(1, "label", "");
}

/* Moves the only handle of a ring on and on. */
static void wander(int fd, __u64 handle)
{
	__u64 next;

	for (;;) {
		if (rs_get_slot(fd, handle, 0, &next) || !next ||
		    rs_release(fd, handle))
			_exit(1);
		handle = next;
	}
}

/* What is touched while a scan decides about it is kept, and that is told. */
TEST_F(trace, abort)
{
	struct refstore_collect collect = {};
	__u64 ring;
	pid_t child;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one processor");
	/* Of objects, there would be too many to keep. */
	ASSERT_EQ(0, rs_write_file(INSTANCE "events/refstore/enable", "0"));
	ASSERT_EQ(0, rs_write_file(INSTANCE
				"events/refstore/refstore_scan_abort/enable",
				"1"));
	ASSERT_EQ(0, rs_ring(self->fd, 500, 1, &ring));
	child = rs_fork_session(&self->fd);
	if (!child)
		wander(self->fd, ring);
	ASSERT_EQ(0, rs_release(self->fd, ring));
	EXPECT_TRUE(rs_wait_until(!rs_collect(self->fd, &collect) &&
				  collect.aborted, RS_SOON));
	kill(child, SIGKILL);
	EXPECT_EQ(-1, rs_wait_child(child));
	EXPECT_EQ(collect.aborted, traced(self->heap, "scan_abort", ""));
}

TEST_HARNESS_MAIN
