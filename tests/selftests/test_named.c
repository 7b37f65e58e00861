// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named heaps: files of the file system refstore, which do with names, owners and
 * modes what files do, and whose content is objects.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "refstore_heap.h"

#define PLACE	"/tmp/refstore-named"
#define OTHER	"/tmp/refstore-other"
#define A	PLACE "/a"
#define B	PLACE "/b"
#define NOBODY	65534

static int mount_at(const char *place, const char *options)
{
	if (mkdir(place, 0755) && errno != EEXIST)
		return -errno;
	return mount("none", place, "refstore", 0, options) ? -errno : 0;
}

/* The number of a heap, by name; 0 if it cannot be opened. */
static __u64 number_of(const char *path)
{
	int fd = open(path, O_RDONLY);
	__u64 number = fd < 0 ? 0 : rs_heap_number(fd);

	close(fd);
	return number;
}

/* Makes a heap of one object, and closes it. */
static int make_heap(const char *path, __u64 *number)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	__u64 node;
	int ret;

	if (fd < 0)
		return -errno;
	*number = rs_heap_number(fd);
	ret = rs_node(fd, 1, NULL, &node);
	if (!ret)
		ret = rs_set_root(fd, node);
	close(fd);
	return ret;
}

static bool has_objects(__u64 heap, __u64 objects)
{
	struct rs_figures figures;

	return !rs_figures(heap, &figures) && figures.objects == objects;
}

/* Runs as another user; returns what open() of a path said. */
static int open_as(uid_t uid, const char *path, int flags)
{
	pid_t child = rs_fork();

	if (!child) {
		if (setgid(uid) || setuid(uid))
			_exit(255);
		_exit(open(path, flags, 0600) < 0 ? errno : 0);
	}
	return rs_wait_child(child);
}

FIXTURE(named)
{
	__u64 a;
};

FIXTURE_SETUP(named)
{
	/* What is mounted here is nobody else's. */
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount_at(PLACE, NULL));
	ASSERT_EQ(0, make_heap(A, &self->a));
}

FIXTURE_TEARDOWN(named)
{
	umount2(PLACE, MNT_DETACH);
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->a), RS_SOON));
}

TEST_F(named, kept_by_its_name)
{
	__u64 root;
	int fd;

	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->a, 0), RS_SOON));
	EXPECT_TRUE(has_objects(self->a, 1));
	fd = open(A, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->a, rs_heap_number(fd));
	ASSERT_EQ(0, rs_get_root(fd, &root));
	EXPECT_NE(0, root);
	EXPECT_EQ(0, close(fd));
}

TEST_F(named, kept_by_who_has_it_open)
{
	int fd = open(A, O_RDWR);
	__u64 root;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, unlink(A));
	EXPECT_EQ(-1, open(A, O_RDWR));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(0, rs_get_root(fd, &root));
	EXPECT_FALSE(rs_heap_gone(self->a));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->a), RS_SOON));
}

/* Two processes that know nothing of each other but the name. */
TEST_F(named, shared)
{
	__u64 root, leaf;
	char data[4];
	pid_t child = rs_fork();
	int fd;

	ASSERT_LE(0, child);
	if (!child) {
		fd = open(A, O_RDWR);
		_exit(fd < 0 || rs_get_root(fd, &root) ||
		      rs_leaf(fd, "data", 4, &leaf) ||
		      rs_set_slot(fd, root, 0, leaf));
	}
	EXPECT_EQ(0, rs_wait_child(child));
	fd = open(A, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_get_root(fd, &root));
	ASSERT_EQ(0, rs_get_slot(fd, root, 0, &leaf));
	ASSERT_EQ(0, rs_read(fd, leaf, 0, 4, data, NULL));
	EXPECT_EQ(0, memcmp(data, "data", 4));
	EXPECT_EQ(0, close(fd));
}

/* Who may only read sees all and changes nothing. */
TEST_F(named, read_only)
{
	struct refstore_collect collect;
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_SAVE,
	};
	int fd = open(A, O_RDONLY), minted;
	__u64 root, slot, leaf;
	__u32 type;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_get_root(fd, &root));
	EXPECT_EQ(0, rs_get_slot(fd, root, 0, &slot));
	EXPECT_EQ(1, rs_objects(fd));
	EXPECT_EQ(-EACCES, rs_leaf(fd, "x", 1, &leaf));
	EXPECT_EQ(-EACCES, rs_set_slot(fd, root, 0, root));
	EXPECT_EQ(-EACCES, rs_cas_slot(fd, root, 0, 0, root));
	EXPECT_EQ(-EACCES, rs_resize(fd, root, 5));
	EXPECT_EQ(-EACCES, rs_write(fd, root, 0, 1, "x", NULL));
	EXPECT_EQ(-EACCES, rs_seal(fd, root, REFSTORE_SEAL_SLOTS));
	EXPECT_EQ(-EACCES, rs_set_root(fd, 0));
	EXPECT_EQ(-EACCES, rs_cas_root(fd, root, 0));
	EXPECT_EQ(-EACCES, rs_type_register(fd, "a.type", &type));
	EXPECT_EQ(-EACCES, rs_collect(fd, &collect));
	EXPECT_EQ(-EACCES, rs_tune(fd, &tune));
	minted = rs_session_new(fd, REFSTORE_SESSION_CLONE);
	ASSERT_LE(0, minted);
	EXPECT_EQ(-EACCES, rs_set_slot(minted, root, 0, root));
	EXPECT_EQ(0, close(minted));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(has_objects(self->a, 1));
}

/* Each session can read: so nobody has one who may only write. */
TEST_F(named, write_only)
{
	EXPECT_EQ(-1, open(A, O_WRONLY));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, chmod(A, 0222));
	EXPECT_EQ(EACCES, open_as(NOBODY, A, O_WRONLY));
	EXPECT_EQ(EACCES, open_as(NOBODY, A, O_RDWR));
}

TEST_F(named, rename_over)
{
	__u64 b;

	ASSERT_EQ(0, make_heap(B, &b));
	ASSERT_EQ(0, rename(A, B));
	EXPECT_EQ(self->a, number_of(B));
	EXPECT_EQ(0, number_of(A));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(b), RS_SOON));
}

TEST_F(named, hard_link)
{
	struct stat stat;

	ASSERT_EQ(0, link(A, B));
	ASSERT_EQ(0, lstat(B, &stat));
	EXPECT_EQ(2, stat.st_nlink);
	ASSERT_EQ(0, unlink(A));
	EXPECT_EQ(self->a, number_of(B));
	ASSERT_EQ(0, unlink(B));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->a), RS_SOON));
}

TEST_F(named, truncate)
{
	int fd = open(A, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, open(A, O_RDWR | O_TRUNC));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, truncate(A, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, ftruncate(fd, 1 << 20));
	EXPECT_EQ(EPERM, errno);
	EXPECT_TRUE(has_objects(self->a, 1));
	EXPECT_EQ(0, close(fd));
}

/* A place and no session. */
TEST_F(named, path_only)
{
	int fd = open(A, O_PATH), opened;
	struct refstore_query query;
	char again[64];

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, rs_query(fd, &query));
	EXPECT_TRUE(rs_wait_until(rs_has_sessions(self->a, 0), RS_SOON));
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	opened = open(again, O_RDWR);
	ASSERT_LE(0, opened);
	EXPECT_EQ(self->a, rs_heap_number(opened));
	EXPECT_EQ(0, close(opened));
	EXPECT_EQ(0, close(fd));
}

/* Nothing hangs, and there are no bytes. */
TEST_F(named, cat_and_cp)
{
	struct stat stat;

	EXPECT_EQ(0, system("test -z \"$(timeout 60 cat " A ")\""));
	EXPECT_EQ(0, system("timeout 60 cp " A " /tmp/refstore-copy"));
	ASSERT_EQ(0, lstat("/tmp/refstore-copy", &stat));
	EXPECT_EQ(0, stat.st_size);
	EXPECT_EQ(0, unlink("/tmp/refstore-copy"));
}

TEST_F(named, stat)
{
	struct rs_figures figures;
	struct stat stat;
	struct statfs fs;

	ASSERT_EQ(0, lstat(A, &stat));
	ASSERT_EQ(0, rs_figures(self->a, &figures));
	EXPECT_TRUE(S_ISREG(stat.st_mode));
	EXPECT_EQ(0644, stat.st_mode & 07777);
	EXPECT_LT(0, figures.bytes);
	EXPECT_EQ(figures.bytes, stat.st_size);
	EXPECT_EQ((figures.bytes + 511) / 512, stat.st_blocks);
	ASSERT_EQ(0, statfs(PLACE, &fs));
	EXPECT_EQ(REFSTORE_SUPER_MAGIC, fs.f_type);
}

TEST_F(named, directories)
{
	__u64 c;

	ASSERT_EQ(0, mkdir(PLACE "/d", 0755));
	ASSERT_EQ(0, make_heap(PLACE "/d/c", &c));
	EXPECT_EQ(-1, rmdir(PLACE "/d"));
	EXPECT_EQ(ENOTEMPTY, errno);
	ASSERT_EQ(0, rename(A, PLACE "/d/a"));
	EXPECT_EQ(self->a, number_of(PLACE "/d/a"));
	ASSERT_EQ(0, rename(PLACE "/d", PLACE "/e"));
	EXPECT_EQ(c, number_of(PLACE "/e/c"));
	EXPECT_EQ(0, system("test \"$(ls " PLACE "/e | tr '\\n' ' ')\" = 'a c '"));
}

TEST_F(named, chown)
{
	struct rs_figures figures;

	ASSERT_EQ(0, chown(A, NOBODY, -1));
	ASSERT_EQ(0, rs_figures(self->a, &figures));
	EXPECT_EQ(NOBODY, figures.uid);
	ASSERT_EQ(0, mkdir(PLACE "/d", 0755));
	EXPECT_EQ(0, chown(PLACE "/d", NOBODY, NOBODY));
	EXPECT_EQ(0, chown(PLACE, NOBODY, NOBODY));
}

TEST_F(named, modes)
{
	EXPECT_EQ(0, open_as(NOBODY, A, O_RDONLY));
	EXPECT_EQ(EACCES, open_as(NOBODY, A, O_RDWR));
	ASSERT_EQ(0, chmod(A, 0600));
	EXPECT_EQ(EACCES, open_as(NOBODY, A, O_RDONLY));
	EXPECT_EQ(EACCES, open_as(NOBODY, B, O_RDWR | O_CREAT));
	ASSERT_EQ(0, chmod(PLACE, 01777));
	EXPECT_EQ(0, open_as(NOBODY, B, O_RDWR | O_CREAT));
}

TEST_F(named, unmount)
{
	int fd = open(A, O_RDWR);
	__u64 root;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, umount(PLACE));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, rs_get_root(fd, &root));
	ASSERT_EQ(0, umount2(PLACE, MNT_DETACH));
	EXPECT_EQ(0, rs_set_slot(fd, root, 0, root));
	EXPECT_FALSE(rs_heap_gone(self->a));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->a), RS_SOON));
}

TEST_F(named, bind)
{
	ASSERT_TRUE(!mkdir(OTHER, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount(PLACE, OTHER, NULL, MS_BIND, NULL));
	EXPECT_EQ(self->a, number_of(OTHER "/a"));
	ASSERT_EQ(0, umount(PLACE));
	EXPECT_EQ(self->a, number_of(OTHER "/a"));
	ASSERT_EQ(0, umount(OTHER));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->a), RS_SOON));
}

/* A second mount is another place. */
TEST_F(named, instances)
{
	ASSERT_EQ(0, mount_at(OTHER, "mode=0700,uid=1,gid=2"));
	EXPECT_EQ(0, number_of(OTHER "/a"));
	EXPECT_EQ(0, system("test \"$(stat -c '%a %u %g' " OTHER
			    ")\" = '700 1 2'"));
	ASSERT_EQ(0, umount(OTHER));
}

/* What /proc/mounts has is what it takes to mount it again. */
static bool shows(const char *options)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "grep -q ' %s refstore rw,relatime,%s 0 0$' /proc/mounts",
		 OTHER, options);
	return !system(command);
}

TEST_F(named, options_are_shown)
{
	ASSERT_EQ(0, mount_at(OTHER, "mode=0700,uid=1,gid=2,size=1m,"
				     "nr_objects=100,max_heaps=7"));
	EXPECT_TRUE(shows("mode=700,uid=1,gid=2,size=1048576,"
			  "nr_objects=100,max_heaps=7"));
	ASSERT_EQ(0, umount(OTHER));
	ASSERT_EQ(0, mount_at(OTHER, "max_heaps=5"));
	EXPECT_TRUE(shows("mode=755,max_heaps=5"));
	ASSERT_EQ(0, umount(OTHER));
}

/* How many heaps can be made, of up to so many; all that can be are removed. */
static int count_heaps(int most)
{
	char path[64];
	__u64 heap;
	int n, i;

	for (n = 0; n < most; n++) {
		snprintf(path, sizeof(path), OTHER "/%d", n);
		if (make_heap(path, &heap))
			break;
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), OTHER "/%d", i);
		unlink(path);
	}
	return n;
}

/* Heaps, directories and links are names. */
TEST_F(named, limit_of_names)
{
	__u64 heap;

	ASSERT_EQ(0, mount_at(OTHER, "max_heaps=3"));
	EXPECT_EQ(3, count_heaps(10));
	EXPECT_EQ(3, count_heaps(10));
	ASSERT_EQ(0, mkdir(OTHER "/d", 0700));
	ASSERT_EQ(0, make_heap(OTHER "/a", &heap));
	ASSERT_EQ(0, link(OTHER "/a", OTHER "/b"));
	EXPECT_EQ(-EDQUOT, make_heap(OTHER "/c", &heap));
	EXPECT_EQ(-1, mkdir(OTHER "/e", 0700));
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_EQ(-1, link(OTHER "/a", OTHER "/f"));
	EXPECT_EQ(EDQUOT, errno);
	ASSERT_EQ(0, rename(OTHER "/d", OTHER "/e"));
	EXPECT_EQ(0, count_heaps(1));
	ASSERT_EQ(0, rmdir(OTHER "/e"));
	EXPECT_EQ(1, count_heaps(2));
	ASSERT_EQ(0, make_heap(OTHER "/c", &heap));
	ASSERT_EQ(0, rename(OTHER "/c", OTHER "/b"));
	EXPECT_EQ(1, count_heaps(2));
	/* A heap that is open, and has no name, is not counted. */
	ASSERT_EQ(0, unlink(OTHER "/a"));
	ASSERT_EQ(0, unlink(OTHER "/b"));
	EXPECT_EQ(3, count_heaps(10));
	ASSERT_EQ(0, umount(OTHER));
}

TEST_F(named, limits)
{
	static char data[60000];
	int fd, i, ret = 0;
	__u64 leaf;

	ASSERT_EQ(0, mount_at(OTHER, "nr_objects=10,size=64k"));
	fd = open(OTHER "/a", O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	for (i = 0; !ret; i++)
		ret = rs_leaf(fd, NULL, 0, &leaf);
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(11, i);
	EXPECT_EQ(0, close(fd));
	fd = open(OTHER "/b", O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rs_leaf(fd, data, sizeof(data), &leaf));
	EXPECT_EQ(-EDQUOT, rs_leaf(fd, data, sizeof(data), &leaf));
	EXPECT_EQ(0, close(fd));
	ASSERT_EQ(0, umount(OTHER));
}

/* Limits can change, for heaps that are made then, and for names. */
TEST_F(named, remount)
{
	int flags = MS_REMOUNT;
	__u64 heap;

	ASSERT_EQ(0, mount_at(OTHER, "max_heaps=2,mode=0700"));
	ASSERT_EQ(0, mount("none", OTHER, NULL, flags, "max_heaps=4"));
	EXPECT_EQ(4, count_heaps(10));
	ASSERT_EQ(0, mount("none", OTHER, NULL, flags, "max_heaps=1,mode=0700"));
	EXPECT_EQ(1, count_heaps(10));
	/* Fewer than there are, too */
	ASSERT_EQ(0, mount("none", OTHER, NULL, flags, "max_heaps=3"));
	ASSERT_EQ(0, make_heap(OTHER "/a", &heap));
	ASSERT_EQ(0, make_heap(OTHER "/b", &heap));
	ASSERT_EQ(0, mount("none", OTHER, NULL, flags, "max_heaps=1"));
	EXPECT_EQ(-EDQUOT, make_heap(OTHER "/c", &heap));
	EXPECT_EQ(-1, mount("none", OTHER, NULL, flags, "mode=0755"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mount("none", OTHER, NULL, flags, "uid=5"));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, umount(OTHER));
}

TEST_F(named, bad_options)
{
	static const char * const options[] = {
		"size=x", "size=12q", "mode=9", "uid=-1", "max_heaps=many",
		"unknown", "nr_objects=", "size=k", "size=0",
		"size=17179869184g",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		EXPECT_EQ(-EINVAL, mount_at(OTHER, options[i]))
			TH_LOG("option %zu", i);
}

/* Who is root of a user namespace only does not mount it. */
TEST_F(named, user_namespace)
{
	pid_t child = rs_fork();
	int ret;

	if (!child) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			_exit(KSFT_SKIP);
		_exit(mount_at(OTHER, NULL) != -EPERM);
	}
	ret = rs_wait_child(child);
	if (ret == KSFT_SKIP)
		SKIP(return, "there are no user namespaces");
	EXPECT_EQ(0, ret);
}

TEST_HARNESS_MAIN
