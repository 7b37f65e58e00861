// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels, and who holds what: sessions with their processes, as walks list them.
 */
#include "refstore_heap.h"

FIXTURE(label)
{
	int fd;
	__u64 leaf, node;
};

FIXTURE_SETUP(label)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, &self->leaf, &self->node));
}

FIXTURE_TEARDOWN(label)
{
	EXPECT_EQ(0, close(self->fd));
}

static int label(int fd, __u32 what, __u64 object, const char *text)
{
	struct refstore_label args = {
		.size = sizeof(args),
		.what = what,
		.object = object,
	};

	strncpy(args.label, text, sizeof(args.label));
	return rs_call(fd, REFSTORE_LABEL, &args);
}

static int label_object(int fd, __u64 object, const char *text)
{
	return label(fd, REFSTORE_LABEL_OBJECT, object, text);
}

/* One call of a walk with room for all that the tests make. */
#define MOST 16

static int walk_labels(int fd, struct refstore_walk_label *labels)
{
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_LABELS,
		.capacity = MOST,
		.entries = rs_ptr(labels),
	};
	int ret = rs_walk(fd, &walk);

	return ret ? ret : (int)walk.count;
}

static int walk_sessions(int fd, struct refstore_walk_session *sessions)
{
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_SESSIONS,
		.capacity = MOST,
		.entries = rs_ptr(sessions),
	};
	int ret = rs_walk(fd, &walk);

	return ret ? ret : (int)walk.count;
}

static __u64 session_of(int fd)
{
	struct refstore_query query;

	return rs_query(fd, &query) ? 0 : query.session;
}

/* The entry of a session; false if it is not listed. */
static bool find_session(int fd, __u64 number,
			 struct refstore_walk_session *found)
{
	struct refstore_walk_session sessions[MOST];
	int count = walk_sessions(fd, sessions), i;

	for (i = 0; i < count; i++) {
		if (sessions[i].session == number) {
			*found = sessions[i];
			return true;
		}
	}
	return false;
}

TEST_F(label, objects)
{
	struct refstore_walk_label labels[MOST];
	struct refstore_stat before, after;
	struct rs_figures figures;

	EXPECT_EQ(0, walk_labels(self->fd, labels));
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &before));
	ASSERT_EQ(0, label_object(self->fd, self->leaf, "the leaf"));
	ASSERT_EQ(1, walk_labels(self->fd, labels));
	EXPECT_EQ(before.id, labels[0].id);
	EXPECT_STREQ("the leaf", labels[0].label);
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &after));
	EXPECT_EQ(before.bytes + 32, after.bytes);

	/* Again costs nothing, nor does taking it away give anything back. */
	ASSERT_EQ(0, label_object(self->fd, self->leaf, "another name"));
	ASSERT_EQ(1, walk_labels(self->fd, labels));
	EXPECT_STREQ("another name", labels[0].label);
	ASSERT_EQ(0, label_object(self->fd, self->leaf, ""));
	ASSERT_EQ(1, walk_labels(self->fd, labels));
	EXPECT_STREQ("", labels[0].label);
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &after));
	EXPECT_EQ(before.bytes + 32, after.bytes);

	/* It goes with the object, whose place another one may get. */
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, 0));
	ASSERT_EQ(0, rs_release(self->fd, self->leaf));
	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &self->leaf));
	EXPECT_EQ(0, walk_labels(self->fd, labels));
	EXPECT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(before.bytes + 56, figures.bytes);
}

/* Also of what a scan frees. */
TEST_F(label, garbage)
{
	struct refstore_walk_label labels[MOST];
	__u64 objects = rs_objects(self->fd), ring;
	struct rs_figures figures;

	ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &ring));
	ASSERT_EQ(0, label_object(self->fd, ring, "a ring"));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(objects, rs_objects(self->fd));
	EXPECT_EQ(0, walk_labels(self->fd, labels));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(40 + 56, figures.bytes);
}

TEST_F(label, refused)
{
	char longest[REFSTORE_LABEL_MAX + 1];
	struct refstore_label args = {
		.size = sizeof(args),
		.label = "a\0b",
	};
	__u64 weak;

	memset(longest, 'x', sizeof(longest));
	longest[REFSTORE_LABEL_MAX] = 0;
	EXPECT_EQ(-EINVAL, label_object(self->fd, self->leaf, longest));
	longest[REFSTORE_LABEL_MAX - 1] = 0;
	EXPECT_EQ(0, label_object(self->fd, self->leaf, longest));
	EXPECT_EQ(-EINVAL, label_object(self->fd, self->leaf, "a\nb"));
	EXPECT_EQ(-EINVAL, label_object(self->fd, self->leaf, "\177"));
	EXPECT_EQ(-EINVAL, rs_call(self->fd, REFSTORE_LABEL, &args));
	EXPECT_EQ(-EINVAL, label(self->fd, REFSTORE_LABEL_HEAP, self->leaf,
				 ""));
	EXPECT_EQ(-EINVAL, label(self->fd, REFSTORE_LABEL_OBJECT + 1, 0, ""));
	EXPECT_EQ(-EBADF, label_object(self->fd, 0, ""));
	ASSERT_EQ(0, rs_weak(self->fd, self->leaf, 0, 0, &weak));
	EXPECT_EQ(-EBADF, label_object(self->fd, weak, ""));
}

/* Who may write something may label it; itself, everybody. */
TEST_F(label, rights)
{
	int fd = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_restrict(fd, 0));
	EXPECT_EQ(-EACCES, label_object(fd, self->leaf, "x"));
	EXPECT_EQ(-EACCES, label(fd, REFSTORE_LABEL_HEAP, 0, "x"));
	EXPECT_EQ(0, label(fd, REFSTORE_LABEL_SESSION, 0, "x"));
	EXPECT_EQ(0, close(fd));
}

TEST_F(label, heap)
{
	struct rs_figures figures;

	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_STREQ("-", figures.label);
	ASSERT_EQ(0, label(self->fd, REFSTORE_LABEL_HEAP, 0, "my \\ heap"));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_STREQ("my\\040\\134\\040heap", figures.label);
}

TEST_F(label, sessions)
{
	struct refstore_walk_session found;
	int other = rs_session_new(self->fd, 0);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_restrict(other, REFSTORE_RIGHT_ENUMERATE));
	ASSERT_EQ(0, label(other, REFSTORE_LABEL_SESSION, 0, "the other"));
	ASSERT_TRUE(find_session(self->fd, session_of(other), &found));
	EXPECT_EQ(0, found.handles);
	EXPECT_EQ(getpid(), (pid_t)found.pid);
	EXPECT_EQ(getuid(), found.uid);
	EXPECT_EQ(REFSTORE_RIGHT_ENUMERATE, found.rights);
	EXPECT_EQ(0, found.exported);
	EXPECT_STREQ("test_label", found.comm);
	EXPECT_STREQ("the other", found.label);
	ASSERT_TRUE(find_session(other, session_of(self->fd), &found));
	EXPECT_EQ(2, found.handles);
	EXPECT_STREQ("", found.label);
	EXPECT_EQ(0, close(other));
	ASSERT_EQ(0, rs_restrict(self->fd, 0));
	EXPECT_EQ(-EACCES, walk_sessions(self->fd, &found));
}

/* An exported object is listed, with whoever exported it, as long as it lives. */
TEST_F(label, exports)
{
	struct refstore_walk_session sessions[MOST];
	int sockets[2], fd;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fd = self->fd;
	child = rs_fork_session(&fd);
	if (!child) {
		prctl(PR_SET_NAME, "exporter");
		_exit(rs_send_fd(sockets[1], rs_export(fd, self->leaf, 0x3)) ||
		      read(sockets[1], &fd, 1) != 1);
	}
	fd = rs_receive_fd(sockets[0]);
	ASSERT_LE(0, fd);
	/* The child's clone is the second one. */
	ASSERT_EQ(3, walk_sessions(self->fd, sessions));
	EXPECT_EQ(1, sessions[2].exported);
	EXPECT_EQ(1, sessions[2].handles);
	EXPECT_EQ(0x3, sessions[2].rights);
	EXPECT_EQ(child, (pid_t)sessions[2].pid);
	EXPECT_STREQ("exporter", sessions[2].comm);
	ASSERT_EQ(1, write(sockets[0], "", 1));
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_TRUE(rs_wait_until(walk_sessions(self->fd, sessions) == 2,
				  RS_SOON));
	EXPECT_EQ(1, sessions[1].exported);
	EXPECT_EQ(0, sessions[1].pid);
	EXPECT_STREQ("exporter", sessions[1].comm);
	EXPECT_EQ(0, close(fd));
}

/* More than one chunk of them, listed once each. */
TEST_F(label, many)
{
	const size_t count = 300;
	struct refstore_walk_session *sessions;
	struct refstore_walk_label *labels;
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_SESSIONS,
		.capacity = 1000,
	};
	char text[REFSTORE_LABEL_MAX];
	int fds[300];
	__u64 leaf;
	size_t i;

	sessions = calloc(1000, sizeof(*sessions));
	labels = calloc(1000, sizeof(*labels));
	ASSERT_TRUE(sessions && labels);
	for (i = 0; i < count; i++) {
		fds[i] = rs_session_new(self->fd, 0);
		ASSERT_LE(0, fds[i]);
		snprintf(text, sizeof(text), "number %zu", i);
		ASSERT_EQ(0, rs_leaf(self->fd, "x", 1, &leaf));
		ASSERT_EQ(0, label_object(self->fd, leaf, text));
	}
	walk.entries = rs_ptr(sessions);
	ASSERT_EQ(0, rs_walk(self->fd, &walk));
	ASSERT_EQ(count + 1, walk.count);
	for (i = 1; i <= count; i++)
		EXPECT_LT(sessions[i - 1].session, sessions[i].session);
	memset(&walk, 0, sizeof(walk));
	walk.what = REFSTORE_WALK_LABELS;
	walk.capacity = 1000;
	walk.entries = rs_ptr(labels);
	ASSERT_EQ(0, rs_walk(self->fd, &walk));
	ASSERT_EQ(count, walk.count);
	for (i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "number %zu", i);
		EXPECT_STREQ(text, labels[i].label);
		EXPECT_EQ(0, close(fds[i]));
	}
}

static int keep_labelling(int fd, __u64 object, unsigned long turns)
{
	char text[REFSTORE_LABEL_MAX];

	while (turns--) {
		memset(text, 'a' + turns % 26, sizeof(text));
		text[REFSTORE_LABEL_MAX - 1] = 0;
		if (label_object(fd, object, text))
			return 1;
	}
	return 0;
}

/* From two sessions at once: one label, and never a part of each. */
TEST_F(label, at_once)
{
	const unsigned long turns = rs_size(20000);
	struct refstore_walk_label labels[MOST];
	int fd = self->fd;
	pid_t child = rs_fork_session(&fd);
	unsigned long i;
	char text[REFSTORE_LABEL_MAX] = "";

	if (!child)
		_exit(keep_labelling(fd, self->leaf, turns));
	ASSERT_EQ(0, keep_labelling(self->fd, self->leaf, turns / 2));
	for (i = 0; i < turns / 10; i++) {
		ASSERT_EQ(1, walk_labels(self->fd, labels));
		memset(text, labels[0].label[0], REFSTORE_LABEL_MAX - 1);
		ASSERT_STREQ(text, labels[0].label);
	}
	EXPECT_EQ(0, rs_wait_child(child));
}

TEST_HARNESS_MAIN
