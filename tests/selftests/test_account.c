// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users may, over all heaps: who is charged for what, who is not refused, and
 * what is told of it. Each test runs as users whom limits are for, in processes of
 * their own; a machine without other users of refstore is assumed.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "refstore_heap.h"

#define PLACE	"/tmp/refstore-account"
#define ALICE	12345
#define BOB	12346

/* In a process of another user: what fails is told, and ends it. */
#define NEED(condition) do {						\
	if (!(condition)) {						\
		printf("# line %d: %s\n", __LINE__, #condition);	\
		return 1;						\
	}								\
} while (0)

static const char *const limits[] = {
	"max_user_objects", "max_user_bytes", "max_user_handles",
	"max_user_weak", "max_user_heaps",
};

/* A user's line in /proc/refstore/users: objects, bytes, heaps; or false. */
static bool users_line(uid_t uid, __u64 *objects, __u64 *bytes, __u64 *heaps)
{
	FILE *file = fopen("/proc/refstore/users", "re");
	char line[512];
	unsigned int user;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line,
			       "%u %llu %*u %llu %*u %*u %*u %*u %*u %llu",
			       &user, objects, bytes, heaps) == 4 &&
			user == uid;
	if (file)
		fclose(file);
	return found;
}

static bool has_line(uid_t uid)
{
	__u64 objects, bytes, heaps;

	return users_line(uid, &objects, &bytes, &heaps);
}

FIXTURE(account)
{
	char old[ARRAY_SIZE(limits)][32];
	mode_t mode;
};

FIXTURE_SETUP(account)
{
	struct stat device;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		ASSERT_EQ(0, rs_read_parameter(limits[i], self->old[i],
					       sizeof(self->old[i])));
	ASSERT_EQ(0, stat(RS_DEVICE, &device));
	self->mode = device.st_mode;
	ASSERT_EQ(0, chmod(RS_DEVICE, 0666));
	/* Nothing is left of the test before. */
	ASSERT_TRUE(rs_wait_until(!has_line(ALICE) && !has_line(BOB), RS_SOON));
}

FIXTURE_TEARDOWN(account)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		EXPECT_EQ(0, rs_write_parameter(limits[i], self->old[i]));
	EXPECT_EQ(0, chmod(RS_DEVICE, self->mode & 07777));
}

/* What a process inherits that runs as another user. */
static int inherited;

static pid_t start_as(uid_t uid, int (*run)(void))
{
	pid_t child = rs_fork();

	if (!child) {
		if (setgid(uid) || setuid(uid))
			_exit(2);
		_exit(run());
	}
	return child;
}

/* Runs something as another user; 0 if nothing failed. */
static int run_as(uid_t uid, int (*run)(void))
{
	return rs_wait_child(start_as(uid, run));
}

/* The refusal that a session met last. */
static bool refused(int fd, __u32 by, uid_t uid, __u64 used, __u64 max)
{
	struct refstore_limit limit;
	int ret = rs_limit(fd, 0, &limit);

	if (!ret && limit.limit == by && limit.uid == uid &&
	    limit.used == used && limit.max == max)
		return true;
	printf("# %d: limit %u, user %u, %llu of %llu\n", ret, limit.limit,
	       limit.uid, limit.used, limit.max);
	return false;
}

/* As many leaves as can be made; the last error goes to @error. */
static int fill(int fd, int *error)
{
	__u64 leaf;
	int n = 0;

	while (!(*error = rs_leaf(fd, "x", 1, &leaf)))
		n++;
	return n;
}

static __u64 used_now(int fd, __u32 what)
{
	struct refstore_limit limit;

	return rs_limit(fd, what, &limit) ? ~0ULL : limit.used;
}

/* Two heaps share what their owner may have, to the last one. */
static int objects(void)
{
	int a = rs_open(), b = rs_open(), error, n;
	__u64 leaf;

	NEED(a >= 0 && b >= 0);
	NEED(!rs_leaf(a, "x", 1, &leaf));
	n = fill(b, &error);
	NEED(error == -EDQUOT);
	NEED(refused(b, REFSTORE_LIMIT_USER_OBJECTS, geteuid(), 100, 100));
	n += fill(a, &error);
	NEED(error == -EDQUOT);
	NEED(n == 99);
	/* Whoever makes room has it. */
	NEED(!rs_release(a, leaf));
	NEED(!rs_leaf(a, "x", 1, &leaf));
	NEED(rs_leaf(b, "x", 1, &leaf) == -EDQUOT);
	/* And all comes back with a heap. */
	NEED(!close(a));
	NEED(!rs_leaf(b, "x", 1, &leaf));
	NEED(!close(b));
	return 0;
}

TEST_F(account, objects)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "100"));
	EXPECT_EQ(0, run_as(ALICE, objects));
	EXPECT_EQ(0, run_as(BOB, objects));
}

static int hold_objects(void)
{
	int fd = rs_open(), error;
	char byte;

	NEED(fd >= 0);
	NEED(fill(fd, &error) == 100 && error == -EDQUOT);
	NEED(write(inherited, "", 1) == 1);
	NEED(read(inherited, &byte, 1) == 1);
	return 0;
}

/* One user's limit is nobody else's. */
TEST_F(account, of_each_user)
{
	int sockets[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "100"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	inherited = sockets[1];
	child = start_as(ALICE, hold_objects);
	ASSERT_EQ(0, close(sockets[1]));
	ASSERT_EQ(1, read(sockets[0], &byte, 1));
	EXPECT_EQ(0, run_as(BOB, objects));
	EXPECT_EQ(1, run_as(ALICE, objects));
	ASSERT_EQ(1, write(sockets[0], "", 1));
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_EQ(0, run_as(ALICE, objects));
}

/* Who may use more resources may have more objects. */
TEST_F(account, not_refused)
{
	int fd = rs_open(), i;
	__u64 leaf;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "10"));
	ASSERT_EQ(0, rs_write_parameter("max_user_handles", "10"));
	ASSERT_EQ(0, rs_write_parameter("max_user_weak", "1"));
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, rs_leaf(fd, "x", 1, &leaf));
	EXPECT_LE(1000, used_now(fd, REFSTORE_LIMIT_USER_OBJECTS));
	EXPECT_LE(1000, used_now(fd, REFSTORE_LIMIT_USER_HANDLES));
	EXPECT_EQ(0, rs_weak(fd, leaf, 0, 0, &leaf));
	EXPECT_EQ(0, rs_weak(fd, leaf, 0, 0, &leaf));
	EXPECT_EQ(0, close(fd));
}

/* Nothing was refused: there is nothing to tell. */
static int nothing_refused(void)
{
	int fd = rs_open();
	struct refstore_limit limit;
	__u32 i;

	NEED(fd >= 0);
	NEED(refused(fd, 0, 0, 0, 0));
	for (i = 1; i <= REFSTORE_LIMIT_USER_HEAPS; i++) {
		NEED(!rs_limit(fd, i, &limit));
		NEED(limit.limit == i && limit.uid == geteuid());
		NEED(limit.used <= 1 && limit.max > 100);
	}
	NEED(rs_limit(fd, i, &limit) == -EINVAL);
	return 0;
}

TEST_F(account, nothing_refused)
{
	EXPECT_EQ(0, run_as(ALICE, nothing_refused));
}

/* Of the heap and of the session, each says what it is. */
static int own_limits(void)
{
	int fd = rs_open(), error;

	NEED(fd >= 0);
	NEED(fill(fd, &error) == 50 && error == -EDQUOT);
	NEED(refused(fd, REFSTORE_LIMIT_HEAP_OBJECTS, geteuid(), 50, 50));
	return 0;
}

TEST_F(account, own_limits)
{
	char old[32];

	ASSERT_EQ(0, rs_read_parameter("max_objects", old, sizeof(old)));
	ASSERT_EQ(0, rs_write_parameter("max_objects", "50"));
	EXPECT_EQ(0, run_as(ALICE, own_limits));
	EXPECT_EQ(0, rs_write_parameter("max_objects", old));
}

/* Memory of slots counts with that of objects, of all heaps. */
static int bytes(void)
{
	int a = rs_open(), b = rs_open();
	__u64 node, other;

	NEED(a >= 0 && b >= 0);
	NEED(!rs_node(a, 50000, NULL, &node));
	NEED(!rs_node(b, 50000, NULL, &other));
	NEED(rs_node(b, 50000, NULL, &other) == -EDQUOT);
	NEED(refused(b, REFSTORE_LIMIT_USER_BYTES, geteuid(),
		     used_now(a, REFSTORE_LIMIT_USER_BYTES), 1 << 20));
	NEED(used_now(a, REFSTORE_LIMIT_USER_BYTES) > 800000);
	NEED(rs_resize(a, node, 100000) == -EDQUOT);
	NEED(!rs_resize(a, node, 10));
	NEED(!rs_node(b, 50000, NULL, &other));
	return 0;
}

TEST_F(account, bytes)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_bytes", "1048576"));
	EXPECT_EQ(0, run_as(ALICE, bytes));
}

/*
 * A large value takes an open file, of which the system has few: so the smallest is
 * charged for much, and nobody fills the system's table with them.
 */
static int large_values(void)
{
	const __u64 each = REFSTORE_MIN_LARGE + 40;
	int fd = rs_open(), memfd = rs_memfd(1), n = 0, ret;
	__u64 value;

	NEED(fd >= 0 && memfd >= 0);
	NEED(!used_now(fd, REFSTORE_LIMIT_USER_BYTES));
	while (!(ret = rs_adopt(fd, memfd, REFSTORE_TYPE_BYTES, &value))) {
		n++;
		NEED(used_now(fd, REFSTORE_LIMIT_USER_BYTES) >= n * each);
	}
	NEED(ret == -EDQUOT);
	NEED(n == (1 << 20) / each);
	NEED(refused(fd, REFSTORE_LIMIT_USER_BYTES, geteuid(), n * each,
		     1 << 20));
	return 0;
}

TEST_F(account, large_values)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_bytes", "1048576"));
	EXPECT_EQ(0, run_as(ALICE, large_values));
}

#define NODE_BYTES	56	/* of a node with one slot */

/*
 * What goes, in whatever heap of theirs, is waited for. A node takes as much as a
 * chain that is just being taken apart, by itself or with its heap.
 */
static int make_room(void)
{
	const __u64 length = rs_size(20000);
	unsigned long turns = rs_size(50);
	int a = rs_open(), b = rs_open();
	__u64 first, last, node;

	NEED(a >= 0 && b >= 0);
	while (turns--) {
		NEED(!rs_chain(a, length, 1, &first, &last));
		NEED(used_now(a, REFSTORE_LIMIT_USER_BYTES) >=
		     length * NODE_BYTES);
		NEED(!rs_release(a, first) && !rs_release(a, last));
		NEED(!rs_node(b, length * NODE_BYTES / 8, NULL, &node));
		NEED(!rs_release(b, node));
		NEED(!rs_chain(a, length, 1, &first, &last));
		NEED(!close(a));
		NEED(!rs_node(b, length * NODE_BYTES / 8, NULL, &node));
		NEED(!rs_release(b, node));
		a = rs_open();
		NEED(a >= 0);
	}
	return 0;
}

TEST_F_TIMEOUT(account, make_room, RS_TIMEOUT_LONG)
{
	char limit[32];

	snprintf(limit, sizeof(limit), "%lu",
		 (rs_size(20000) + 500) * NODE_BYTES);
	ASSERT_EQ(0, rs_write_parameter("max_user_bytes", limit));
	EXPECT_EQ(0, run_as(ALICE, make_room));
}

/* Tables of handles, page by page. */
static int handles(void)
{
	__u64 leaf, handle;
	int a = rs_open(), b, i;

	NEED(a >= 0);
	NEED(!rs_leaf(a, "x", 1, &leaf));
	for (i = 1; i < 512; i++)
		NEED(!rs_dup(a, leaf, &handle));
	NEED(rs_dup(a, leaf, &handle) == -EDQUOT);
	NEED(refused(a, REFSTORE_LIMIT_USER_HANDLES, geteuid(), 512, 600));
	/* Nor for another session, or an object in flight. */
	b = rs_session_new(a, 0);
	NEED(b >= 0);
	NEED(rs_leaf(b, "x", 1, &handle) == -EDQUOT);
	NEED(rs_session_new(a, REFSTORE_SESSION_CLONE) == -EDQUOT);
	NEED(rs_export(a, leaf, 0) == -EDQUOT);
	NEED(!rs_release(a, leaf));
	NEED(!rs_leaf(a, "x", 1, &leaf));
	return 0;
}

TEST_F(account, handles)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_handles", "600"));
	EXPECT_EQ(0, run_as(ALICE, handles));
}

/* A session that ends makes room for the next one, at once. */
static int close_sessions(void)
{
	const size_t count = 20 * 256;
	__u64 *made = calloc(count, sizeof(*made)), leaf;
	unsigned long turns = rs_size(50);
	int fd = rs_open(), other;

	NEED(made && fd >= 0);
	NEED(!rs_leaf(fd, "x", 1, &leaf));
	while (turns--) {
		other = rs_session_new(fd, 0);
		NEED(other >= 0);
		NEED(!rs_repeat(other, op_create(0, NULL), count, made));
		NEED(rs_repeat(other, op_create(0, NULL), 256, made) == -EDQUOT);
		NEED(!close(other));
	}
	return 0;
}

TEST_F(account, close_sessions)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_handles", "5400"));
	EXPECT_EQ(0, run_as(ALICE, close_sessions));
}

static int weak_handles(void)
{
	int fd = rs_open(), clone, i;
	__u64 leaf, weak[10], more;

	NEED(fd >= 0);
	NEED(!rs_leaf(fd, "x", 1, &leaf));
	for (i = 0; i < 10; i++)
		NEED(!rs_weak(fd, leaf, i ? 0 : REFSTORE_WEAK_NOTIFY, 0,
			      &weak[i]));
	NEED(rs_weak(fd, leaf, 0, 0, &more) == -EDQUOT);
	NEED(refused(fd, REFSTORE_LIMIT_USER_WEAK, geteuid(), 10, 10));
	NEED(rs_session_new(fd, REFSTORE_SESSION_CLONE) == -EDQUOT);
	for (i = 5; i < 10; i++)
		NEED(!rs_release(fd, weak[i]));
	NEED(used_now(fd, REFSTORE_LIMIT_USER_WEAK) == 5);
	clone = rs_session_new(fd, REFSTORE_SESSION_CLONE);
	NEED(clone >= 0);
	NEED(used_now(fd, REFSTORE_LIMIT_USER_WEAK) == 10);
	NEED(!close(clone));
	NEED(rs_wait_until(used_now(fd, REFSTORE_LIMIT_USER_WEAK) == 5,
			   RS_SOON));
	/* A notice that nobody has read counts. */
	NEED(!rs_release(fd, leaf));
	for (i = 0; i < 5; i++)
		NEED(!rs_release(fd, weak[i]));
	NEED(used_now(fd, REFSTORE_LIMIT_USER_WEAK) == 1);
	NEED(read(fd, &(struct refstore_event){},
		  sizeof(struct refstore_event)) > 0);
	NEED(used_now(fd, REFSTORE_LIMIT_USER_WEAK) == 0);
	return 0;
}

TEST_F(account, weak_handles)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_weak", "10"));
	EXPECT_EQ(0, run_as(ALICE, weak_handles));
}

static int heaps(void)
{
	int fds[4], i;

	for (i = 0; i < 3; i++) {
		fds[i] = rs_open();
		NEED(fds[i] >= 0);
	}
	NEED(rs_open() == -EDQUOT);
	NEED(used_now(fds[0], REFSTORE_LIMIT_USER_HEAPS) == 3);
	for (i = 0; i < 100; i++) {
		NEED(!close(fds[2]));
		fds[2] = rs_open();
		NEED(fds[2] >= 0);
	}
	return 0;
}

TEST_F(account, heaps)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_heaps", "3"));
	EXPECT_EQ(0, run_as(ALICE, heaps));
}

/* As root of a user namespace, who is the same user all the same. */
static int in_a_namespace(void)
{
	char map[64];
	int fd, error;

	snprintf(map, sizeof(map), "0 %d 1", geteuid());
	NEED(!unshare(CLONE_NEWUSER));
	NEED(!prctl(PR_SET_DUMPABLE, 1));
	NEED(!rs_write_file("/proc/self/uid_map", map));
	NEED(!geteuid());
	fd = rs_open();
	NEED(fd >= 0);
	NEED(fill(fd, &error) == 100 && error == -EDQUOT);
	NEED(refused(fd, REFSTORE_LIMIT_USER_OBJECTS, 0, 100, 100));
	NEED(rs_open() >= 0);
	NEED(rs_open() == -EDQUOT);
	return 0;
}

TEST_F(account, namespace_is_no_way_out)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "100"));
	ASSERT_EQ(0, rs_write_parameter("max_user_heaps", "2"));
	EXPECT_EQ(0, run_as(ALICE, in_a_namespace));
}

/* Uses a session that another user opened: at that one's expense. */
static int use_a_session(void)
{
	int own = rs_open(), fd = inherited, minted, export;
	__u64 leaf, handle, made[1000];

	minted = rs_session_new(fd, 0);
	NEED(own >= 0 && minted >= 0);
	NEED(!rs_leaf(fd, "x", 1, &leaf));
	NEED(!rs_leaf(minted, "x", 1, &handle));
	export = rs_export(fd, leaf, REFSTORE_RIGHTS);
	NEED(export >= 0);
	NEED(rs_repeat(fd, op_create(0, NULL), 1000, made) == -EDQUOT);
	NEED(refused(fd, REFSTORE_LIMIT_USER_HANDLES, ALICE, 768, 1000));
	/* What one makes of it oneself is one's own. */
	NEED(used_now(own, REFSTORE_LIMIT_USER_HANDLES) == 512);
	NEED(used_now(own, REFSTORE_LIMIT_USER_OBJECTS) == 0);
	NEED(used_now(own, REFSTORE_LIMIT_USER_HEAPS) == 1);
	return 0;
}

static int use_it_again(void)
{
	__u64 leaf;

	NEED(rs_leaf(inherited, "x", 1, &leaf) == -EDQUOT);
	NEED(refused(inherited, REFSTORE_LIMIT_USER_HANDLES, ALICE, 768, 1000));
	return 0;
}

static int pass_a_session(void)
{
	int fd = rs_open();
	char byte;

	NEED(fd >= 0);
	NEED(!rs_send_fd(inherited, fd));
	NEED(read(inherited, &byte, 1) == 1);
	return 0;
}

TEST_F(account, who_opened_it)
{
	int sockets[2], fd;
	pid_t child;

	ASSERT_EQ(0, rs_write_parameter("max_user_handles", "1000"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	inherited = sockets[1];
	child = start_as(ALICE, pass_a_session);
	fd = rs_receive_fd(sockets[0]);
	ASSERT_LE(0, fd);
	inherited = fd;
	EXPECT_EQ(0, run_as(BOB, use_a_session));
	ASSERT_EQ(1, write(sockets[0], "", 1));
	EXPECT_EQ(0, rs_wait_child(child));
	/* And so it is when whoever opened it is gone. */
	EXPECT_EQ(0, run_as(BOB, use_it_again));
	EXPECT_EQ(0, close(fd));
}

/* --- A named heap's owner pays ---------------------------------------- */

static void mount_heaps(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, NULL));
}

TEST_F(account, chown)
{
	__u64 objects, bytes, heaps, leaf;
	struct stat file;
	int fd, i;

	mount_heaps(_metadata);
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "100"));
	fd = open(PLACE "/heap", O_RDWR | O_CREAT, 0666);
	ASSERT_LE(0, fd);
	for (i = 0; i < 90; i++)
		ASSERT_EQ(0, rs_leaf(fd, "x", 1, &leaf));
	EXPECT_FALSE(has_line(ALICE));

	ASSERT_EQ(0, chown(PLACE "/heap", ALICE, -1));
	ASSERT_TRUE(users_line(ALICE, &objects, &bytes, &heaps));
	EXPECT_EQ(90, objects);
	EXPECT_EQ(90 * 40, bytes);
	EXPECT_EQ(1, heaps);
	/* Limits hold now, whoever uses the heap. */
	EXPECT_EQ(10, fill(fd, &i));
	EXPECT_EQ(-EDQUOT, i);
	EXPECT_TRUE(refused(fd, REFSTORE_LIMIT_USER_OBJECTS, ALICE, 100, 100));

	/* Who may not have that much is not given it. */
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "50"));
	EXPECT_EQ(-1, chown(PLACE "/heap", BOB, -1));
	EXPECT_EQ(EDQUOT, errno);
	ASSERT_EQ(0, stat(PLACE "/heap", &file));
	EXPECT_EQ(ALICE, file.st_uid);
	EXPECT_FALSE(has_line(BOB));
	ASSERT_TRUE(users_line(ALICE, &objects, &bytes, &heaps));
	EXPECT_EQ(100, objects);

	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, umount(PLACE));
	EXPECT_TRUE(rs_wait_until(!has_line(ALICE), RS_SOON));
}

/* Sessions that end, on a heap that is not their user's. */
static int close_sessions_of_another(void)
{
	const size_t count = 20 * 256;
	__u64 *made = calloc(count, sizeof(*made));
	unsigned long turns = rs_size(50);
	int fd;

	NEED(made);
	while (turns--) {
		fd = open(PLACE "/heap", O_RDWR);
		NEED(fd >= 0);
		NEED(!rs_repeat(fd, op_create(0, NULL), count, made));
		NEED(!close(fd));
	}
	return 0;
}

TEST_F(account, heap_of_another)
{
	int fd;

	mount_heaps(_metadata);
	ASSERT_EQ(0, rs_write_parameter("max_user_handles", "5400"));
	fd = open(PLACE "/heap", O_RDWR | O_CREAT, 0666);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchmod(fd, 0666));
	EXPECT_EQ(0, run_as(BOB, close_sessions_of_another));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, umount(PLACE));
}

/*
 * What idle heaps have taken ahead keeps nobody from half of what there may be. As
 * many objects as a heap takes ahead come and go in each.
 */
static int idle_heaps(void)
{
	__u64 made[200];
	int fd, i, error;

	for (i = 0; i < 100; i++) {
		fd = rs_open();
		NEED(fd >= 0);
		NEED(!rs_repeat(fd, op_create(0, NULL), 200, made));
		NEED(!rs_release_all(fd, made, 200));
	}
	NEED(fill(fd, &error) >= 3200);
	NEED(error == -EDQUOT);
	return 0;
}

TEST_F(account, idle_heaps)
{
	ASSERT_EQ(0, rs_write_parameter("max_user_objects", "6400"));
	EXPECT_EQ(0, run_as(ALICE, idle_heaps));
}

/* Nobody sees what others have. */
static int look(void)
{
	__u64 objects, bytes, heaps;
	int fd;

	NEED(!has_line(geteuid()));
	fd = rs_open();
	NEED(fd >= 0);
	NEED(users_line(geteuid(), &objects, &bytes, &heaps));
	NEED(heaps == 1 && objects == 0);
	NEED(!has_line(0));
	return 0;
}

TEST_F(account, users)
{
	__u64 objects, bytes, heaps;
	int fd = rs_open();

	ASSERT_LE(0, fd);
	EXPECT_TRUE(users_line(0, &objects, &bytes, &heaps));
	EXPECT_EQ(0, run_as(ALICE, look));
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
