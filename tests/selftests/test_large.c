// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large values: memfds that the store has adopted. What can be one and what it is
 * charged for; who reads and writes it, by calls and mapped; when it is sealed and
 * who has it then; and that its memory goes with it.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "refstore_heap.h"

#define PLACE	"/tmp/refstore-large"
#define CGROUP	RS_CGROUPS "refstore_large/"
#define SOMEBODY	12345

#define CELL	40	/* bytes of the object itself */
#define PAGE	4096
#define LENGTH	300000	/* bytes of most values: no whole pages */
#define MUCH	(32 << 20)	/* bytes: nothing else in the system makes such a step */

/* Of no period that a page, or a slice that the kernel copies, is a multiple of. */
static char pattern(size_t at)
{
	return at * 7 + at / 1021;
}

static void write_pattern(char *data, size_t from, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		data[i] = pattern(from + i);
}

static bool is_pattern(const char *data, size_t from, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (data[i] != pattern(from + i))
			return false;
	return true;
}

static char *map_for_writing(int fd, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* With the pattern in it; or a negative errno. */
static int make_memfd(size_t length)
{
	int fd = rs_memfd(length);
	char *map;

	if (fd < 0)
		return fd;
	map = map_for_writing(fd, length);
	if (map == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	write_pattern(map, 0, length);
	munmap(map, length);
	return fd;
}

/* Has a memfd adopted, and closes it. */
static int adopt_and_close(int fd, int memfd, __u64 *value)
{
	int ret = rs_adopt(fd, memfd, REFSTORE_TYPE_BYTES, value);

	close(memfd);
	return ret;
}

/* All of a value, from a descriptor that is closed again; or MAP_FAILED. */
static char *map_value(int fd, __u64 value, __u32 flags, size_t length)
{
	int mapped = rs_map(fd, value, flags);
	char *map;

	if (mapped < 0)
		return MAP_FAILED;
	map = flags ? map_for_writing(mapped, length) :
		      mmap(NULL, length, PROT_READ, MAP_SHARED, mapped, 0);
	close(mapped);
	return map;
}

static bool maps_pattern(int fd, __u64 value, size_t length)
{
	char *map = map_value(fd, value, 0, length);
	bool is = map != MAP_FAILED && is_pattern(map, 0, length);

	if (map != MAP_FAILED)
		munmap(map, length);
	return is;
}

static bool reads_pattern(int fd, __u64 value, size_t from, size_t length)
{
	char *data = malloc(length);
	__u32 done;
	bool is;

	is = data && !rs_read(fd, value, from, length, data, &done) &&
	     done == length && is_pattern(data, from, length);
	free(data);
	return is;
}

/* Memory of a memfd, in bytes. */
static __u64 there(int fd)
{
	struct stat file;

	return fstat(fd, &file) ? ~0ULL : file.st_blocks * 512ULL;
}

static int punch(int fd, off_t from, off_t length)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
			 length) ? -errno : 0;
}

static int add_seals(int fd, int seals)
{
	return fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0;
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* What all memfds take, in bytes. */
static __u64 shmem(void)
{
	char text[4096];
	const char *line;

	if (rs_read_file("/proc/meminfo", text, sizeof(text)))
		return ~0ULL;
	line = strstr(text, "\nShmem:");
	return line ? strtoull(line + 7, NULL, 10) * 1024 : ~0ULL;
}

/*
 * @MUCH has gone from what they took when they took @held. It is told in steps,
 * as each processor keeps account of some pages. What they took before is not
 * asked: memory of tests before this one may have been about to go.
 */
#define EXPECT_FREED(held) \
	EXPECT_TRUE(rs_wait_until(shmem() + MUCH / 4 * 3 < (held), RS_SOON))

static __u64 large_values(int fd)
{
	struct rs_figures figures;

	return rs_heap_figures(fd, &figures) ? ~0ULL : figures.large;
}

FIXTURE(large)
{
	int fd;
	__u64 heap;
	int memfd;	/* LENGTH bytes of the pattern */
	__u64 value;	/* what has adopted it */
};

FIXTURE_SETUP(large)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	self->memfd = make_memfd(LENGTH);
	ASSERT_LE(0, self->memfd);
	ASSERT_EQ(0, rs_adopt(self->fd, self->memfd, REFSTORE_TYPE_BYTES,
			      &self->value));
}

FIXTURE_TEARDOWN(large)
{
	close(self->memfd);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* --- What it is ------------------------------------------------------- */

TEST_F(large, adopted)
{
	int mapped = rs_map(self->fd, self->value, 0);
	struct refstore_stat value;
	struct stat file;

	ASSERT_LE(0, mapped);
	EXPECT_TRUE(reads_pattern(self->fd, self->value, 0, LENGTH));
	EXPECT_TRUE(maps_pattern(self->fd, self->value, LENGTH));
	ASSERT_EQ(0, rs_stat(self->fd, self->value, &value));
	EXPECT_EQ(REFSTORE_TYPE_BYTES, value.type);
	EXPECT_EQ(REFSTORE_STATE_LARGE, value.state);
	EXPECT_EQ(0, value.nr_slots);
	EXPECT_EQ(1, value.refs);
	EXPECT_EQ(LENGTH, value.data_len);
	EXPECT_EQ((LENGTH + PAGE - 1) / PAGE * PAGE + CELL, value.bytes);
	ASSERT_EQ(0, fstat(mapped, &file));
	EXPECT_EQ(LENGTH, file.st_size);
	EXPECT_EQ(file.st_ino, value.inode);
	ASSERT_EQ(0, fstat(self->memfd, &file));
	EXPECT_EQ(file.st_ino, value.inode);
	EXPECT_EQ(0, close(mapped));
}

/* All that lists values tells the same of one, and nothing once it is gone. */
TEST_F(large, listed)
{
	__u64 large = rs_stats_value("large");
	__u64 bytes = rs_stats_value("large_bytes");
	struct refstore_walk_object *listed;
	struct refstore_stat stat;
	struct rs_before before;
	struct rs_figures figures;
	struct rs_heap heap;
	__u64 value;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	EXPECT_EQ(1, before.figures.large);
	ASSERT_EQ(0, adopt_and_close(self->fd, rs_memfd(1), &value));
	ASSERT_EQ(0, rs_stat(self->fd, value, &stat));
	EXPECT_EQ(1, stat.data_len);
	EXPECT_EQ(REFSTORE_MIN_LARGE + CELL, stat.bytes);
	ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
	listed = rs_find(&heap, stat.id);
	ASSERT_NE(NULL, listed);
	EXPECT_EQ(REFSTORE_STATE_LARGE, listed->state);
	EXPECT_EQ(1, listed->data_len);
	EXPECT_EQ(stat.bytes, listed->bytes);
	EXPECT_EQ(0, listed->reserved);
	rs_heap_free(&heap);

	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(2, figures.objects);
	EXPECT_EQ(2, figures.large);
	EXPECT_EQ(before.figures.bytes + stat.bytes, figures.bytes);
	EXPECT_EQ(before.figures.large_bytes + REFSTORE_MIN_LARGE,
		  figures.large_bytes);
	EXPECT_EQ(large + 1, rs_stats_value("large"));
	EXPECT_EQ(bytes + REFSTORE_MIN_LARGE, rs_stats_value("large_bytes"));
	ASSERT_EQ(0, rs_release(self->fd, value));
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	EXPECT_EQ(large, rs_stats_value("large"));
	EXPECT_EQ(bytes, rs_stats_value("large_bytes"));
	rs_before_free(&before);
}

/* It is a leaf among others: what refers to it keeps it, and nothing else does. */
TEST_F(large, kept_by_a_slot)
{
	__u64 id = rs_id(self->fd, self->value), node, value;
	struct refstore_stat stat;

	ASSERT_EQ(0, rs_node(self->fd, 1, &self->value, &node));
	ASSERT_EQ(0, rs_release(self->fd, self->value));
	EXPECT_EQ(1, large_values(self->fd));
	ASSERT_EQ(0, rs_get_slot(self->fd, node, 0, &value));
	ASSERT_EQ(0, rs_stat(self->fd, value, &stat));
	EXPECT_EQ(id, stat.id);
	EXPECT_EQ(2, stat.refs);
	EXPECT_TRUE(maps_pattern(self->fd, value, LENGTH));
	EXPECT_EQ(-EOPNOTSUPP, rs_set_slot(self->fd, value, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, rs_resize(self->fd, value, 1));
	ASSERT_EQ(0, rs_release(self->fd, value));
	EXPECT_EQ(1, large_values(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, node));
	EXPECT_EQ(0, large_values(self->fd));
}

static void produce(int fd)
{
	__u64 root, value;

	if (rs_get_root(fd, &root) ||
	    adopt_and_close(fd, make_memfd(MUCH), &value) ||
	    rs_set_slot(fd, root, 0, value))
		_exit(KSFT_FAIL);
	kill(getpid(), SIGKILL);
}

/* It is the heap's: that whoever made it is killed is nobody's loss. */
TEST_F(large, outlives_its_producer)
{
	__u64 held, root, value;
	int fd = self->fd, status;
	pid_t child;

	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &root));
	ASSERT_EQ(0, rs_set_root(self->fd, root));
	child = rs_fork_session(&fd);
	if (!child)
		produce(fd);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_get_slot(self->fd, root, 0, &value));
	EXPECT_TRUE(maps_pattern(self->fd, value, MUCH));
	ASSERT_EQ(0, rs_set_slot(self->fd, root, 0, 0));
	EXPECT_TRUE(maps_pattern(self->fd, value, MUCH));
	held = shmem();
	ASSERT_EQ(0, rs_release(self->fd, value));
	EXPECT_EQ(1, large_values(self->fd));
	EXPECT_FREED(held);
}

/* --- What is refused -------------------------------------------------- */

FIXTURE(refused)
{
	int fd;
	struct rs_before before;
};

FIXTURE_SETUP(refused)
{
	__u64 node;

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &node));
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
}

FIXTURE_TEARDOWN(refused)
{
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
}

/* And no object is made, and the heap charged for nothing. */
#define EXPECT_REFUSED(error, memfd, type) do {				\
	__u64 __value;							\
									\
	EXPECT_EQ(-(error), rs_adopt(self->fd, memfd, type, &__value)) { \
		TH_LOG("adopting " #memfd);				\
	}								\
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));		\
} while (0)

/* Sealed, and no hole: what could be adopted if its pages were smaller. */
static int huge_memfd(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING |
			      MFD_HUGETLB);

	if (fd < 0 || ftruncate(fd, 16 << 20) ||
	    add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW))
		return -errno;
	return fd;
}

/* Nor is a file of tmpfs one, which has pages of the same kind. */
TEST_F(refused, no_memfd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), huge = huge_memfd();
	int pipes[2], file, directory;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount("none", PLACE, "tmpfs", 0, NULL));
	file = open(PLACE "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, LENGTH));
	directory = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, directory);
	ASSERT_LE(0, null);
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_REFUSED(EINVAL, null, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, pipes[0], REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, pipes[1], REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, self->fd, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, file, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, directory, REFSTORE_TYPE_BYTES);
	if (huge >= 0)
		EXPECT_REFUSED(EINVAL, huge, REFSTORE_TYPE_BYTES);
	else
		TH_LOG("no huge pages here (%s)", strerror(-huge));
	EXPECT_REFUSED(EBADF, -1, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EBADF, 1 << 20, REFSTORE_TYPE_BYTES);
}

/* Whoever has it mapped must not find it shorter one day. */
TEST_F(refused, size_can_change)
{
	static const int seals[] = {
		0, F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW,
		F_SEAL_SHRINK | F_SEAL_WRITE, F_SEAL_GROW | F_SEAL_WRITE,
	};
	int memfd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(seals); i++) {
		memfd = memfd_create("refused", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ASSERT_LE(0, memfd);
		ASSERT_EQ(0, ftruncate(memfd, LENGTH));
		ASSERT_EQ(0, add_seals(memfd, seals[i]));
		EXPECT_REFUSED(EINVAL, memfd, REFSTORE_TYPE_BYTES);
		EXPECT_EQ(0, there(memfd));
		ASSERT_EQ(0, close(memfd));
	}
	memfd = memfd_create("refused", MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, LENGTH));
	EXPECT_REFUSED(EINVAL, memfd, REFSTORE_TYPE_BYTES);
	EXPECT_EQ(0, close(memfd));
}

TEST_F(refused, size_or_type)
{
	int memfd = rs_memfd(LENGTH), empty = rs_memfd(0);
	int longest = rs_memfd((1LL << 47) + 1);

	ASSERT_LE(0, memfd);
	ASSERT_LE(0, empty);
	ASSERT_LE(0, longest);
	EXPECT_REFUSED(EINVAL, empty, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(E2BIG, longest, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EINVAL, memfd, rs_types(self->fd));
	EXPECT_REFUSED(EINVAL, memfd, ~0U);
	EXPECT_EQ(0, there(memfd));
	EXPECT_EQ(0, there(longest));
	EXPECT_EQ(0, close(memfd));
	EXPECT_EQ(0, close(empty));
	EXPECT_EQ(0, close(longest));
}

/* Who cannot write a memfd cannot have it adopted, and written for them. */
TEST_F(refused, not_open_for_that)
{
	int memfd = rs_memfd(LENGTH);
	int reading = reopen(memfd, O_RDONLY), writing = reopen(memfd, O_WRONLY);
	int path = reopen(memfd, O_PATH);

	ASSERT_LE(0, reading);
	ASSERT_LE(0, writing);
	ASSERT_LE(0, path);
	EXPECT_REFUSED(EBADF, reading, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EBADF, writing, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EBADF, path, REFSTORE_TYPE_BYTES);
	ASSERT_EQ(0, add_seals(memfd, F_SEAL_WRITE));
	EXPECT_REFUSED(EBADF, writing, REFSTORE_TYPE_BYTES);
	EXPECT_REFUSED(EBADF, path, REFSTORE_TYPE_BYTES);
	EXPECT_EQ(0, there(memfd));
	EXPECT_EQ(0, close(memfd));
}

/* Whoever has a lease on it is not waited for. */
TEST_F(refused, leased)
{
	int memfd = rs_memfd(LENGTH), reading = reopen(memfd, O_RDONLY);
	__u64 value;

	ASSERT_LE(0, reading);
	/* Its holder is told of the attempt. */
	ASSERT_NE(SIG_ERR, signal(SIGIO, SIG_IGN));
	ASSERT_EQ(0, fcntl(reading, F_SETLEASE, F_RDLCK));
	EXPECT_REFUSED(EBUSY, memfd, REFSTORE_TYPE_BYTES);
	EXPECT_EQ(0, there(memfd));
	ASSERT_EQ(0, fcntl(reading, F_SETLEASE, F_UNLCK));
	EXPECT_EQ(0, rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES, &value));
	EXPECT_EQ(0, close(reading));
	EXPECT_EQ(0, close(memfd));
}

TEST_F(refused, no_right)
{
	int memfd = rs_memfd(LENGTH);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, rs_restrict(self->fd,
				 REFSTORE_RIGHTS & ~REFSTORE_RIGHT_CREATE));
	EXPECT_REFUSED(EACCES, memfd, REFSTORE_TYPE_BYTES);
	EXPECT_EQ(0, there(memfd));
	EXPECT_EQ(0, close(memfd));
}

/* What the heap would not take costs no memory. */
TEST_F(refused, above_the_limit)
{
	int more = rs_memfd(1 << 20), fits = rs_memfd((1 << 20) - PAGE);
	int most = rs_memfd(1LL << 47);
	struct refstore_limit limit;
	char old[32];
	__u64 value;

	ASSERT_LE(0, more);
	ASSERT_LE(0, fits);
	ASSERT_LE(0, most);
	ASSERT_EQ(0, rs_read_parameter("max_bytes", old, sizeof(old)));
	ASSERT_EQ(0, rs_write_parameter("max_bytes", "1048576"));
	EXPECT_REFUSED(EDQUOT, more, REFSTORE_TYPE_BYTES);
	EXPECT_EQ(0, rs_limit(self->fd, 0, &limit));
	EXPECT_EQ(REFSTORE_LIMIT_HEAP_BYTES, limit.limit);
	EXPECT_EQ(1 << 20, limit.max);
	EXPECT_EQ(self->before.figures.bytes, limit.used);
	EXPECT_EQ(0, rs_adopt(self->fd, fits, REFSTORE_TYPE_BYTES, &value));
	EXPECT_EQ(-EDQUOT, rs_leaf(self->fd, NULL, 2 * PAGE, &value));
	EXPECT_EQ(0, rs_write_parameter("max_bytes", old));
	ASSERT_EQ(0, there(more));
	/* Else this would take all the memory that there is. */
	EXPECT_EQ(-EDQUOT, rs_adopt(self->fd, most, REFSTORE_TYPE_BYTES,
				    &value));
	EXPECT_EQ(0, there(most));
}

/* --- Its memory ------------------------------------------------------- */

/* Of a memfd that is all holes, but for some bytes, which stay. */
TEST_F(large, reserved)
{
	int memfd = rs_memfd(MUCH);
	char data[4], zeroes[4];
	__u64 value;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(4, pwrite(memfd, "data", 4, MUCH / 2 + 5));
	ASSERT_GE(MUCH / 2, there(memfd));
	ASSERT_EQ(0, rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES, &value));
	EXPECT_LE(MUCH, there(memfd));
	ASSERT_EQ(0, rs_read(self->fd, value, MUCH / 2 + 5, 4, data, NULL));
	EXPECT_EQ(0, memcmp("data", data, 4));
	ASSERT_EQ(0, rs_read(self->fd, value, MUCH / 2 + 1, 4, zeroes, NULL));
	EXPECT_EQ(0, memcmp("\0\0\0\0", zeroes, 4));
	EXPECT_EQ(0, close(memfd));
}

/* Reads all of a mapping: as many of its pages as can be are there then. */
static void touch(const volatile char *map, size_t length)
{
	size_t i;

	for (i = 0; i < length; i += PAGE)
		(void)map[i];
}

/* Bytes of a mapping that the kernel takes for as good as a hole; ~0: not known. */
static __u64 clean(const char *map)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	__u64 start, end, kilobytes, sum = 0;
	bool ours = false;
	char line[512];

	if (!smaps)
		return ~0ULL;
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			ours = start == rs_ptr(map);
		else if (ours && (sscanf(line, "Shared_Clean: %llu",
					 &kilobytes) == 1 ||
				  sscanf(line, "Private_Clean: %llu",
					 &kilobytes) == 1))
			sum += kilobytes * 1024;
	}
	fclose(smaps);
	return sum;
}

/*
 * A page that was only ever read is dropped when memory is short. None of those of
 * a value is one, whoever made it; and again when holes were punched since.
 */
TEST_F(large, no_page_is_dropped)
{
	const size_t length = 64 * PAGE;
	int memfd = rs_memfd(length), reading = reopen(memfd, O_RDONLY);
	__u64 value;
	char *map;

	ASSERT_LE(0, reading);
	map = mmap(NULL, length, PROT_READ, MAP_SHARED, reading, 0);
	ASSERT_NE(MAP_FAILED, map);
	touch(map, length / 2);
	if (clean(map) == ~0ULL)
		SKIP(return, "no /proc/self/smaps");
	ASSERT_LE(length / 2, clean(map));
	ASSERT_EQ(0, rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES, &value));
	touch(map, length);
	EXPECT_EQ(0, clean(map));
	ASSERT_EQ(0, punch(memfd, 0, length));
	touch(map, length / 2);
	ASSERT_LE(length / 2, clean(map));
	ASSERT_EQ(0, add_seals(memfd, F_SEAL_WRITE));
	ASSERT_EQ(0, rs_seal(self->fd, value, REFSTORE_SEAL_DATA));
	touch(map, length);
	EXPECT_EQ(0, clean(map));
	EXPECT_EQ(0, close(memfd));
	EXPECT_EQ(0, close(reading));
}

/* In a cgroup that has no room for all of it; 0, or what went wrong. */
static int adopt_too_much(void)
{
	int fd = rs_open(), much = rs_memfd(2 * MUCH), some = make_memfd(LENGTH);
	__u64 value;

	/* What it touches itself must not need memory in between. */
	if (fd < 0 || much < 0 || some < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;
	if (rs_write_file(CGROUP "cgroup.procs", "0"))
		return 2;
	if (rs_adopt(fd, much, REFSTORE_TYPE_BYTES, &value) != -ENOMEM)
		return 3;
	/* What was made of it is the memfd's, and goes with that. */
	if (!there(much) || there(much) > MUCH || close(much))
		return 4;
	if (rs_objects(fd) || large_values(fd))
		return 5;
	if (adopt_and_close(fd, some, &value) ||
	    adopt_and_close(fd, rs_memfd(4 << 20), &value))
		return 6;
	return large_values(fd) == 2 ? 0 : 7;
}

/* In the cgroup, where somebody punched holes and there is no memory for them. */
static int write_into_holes(void)
{
	static char data[1 << 20];
	const int length = 12 * sizeof(data);
	int fd = rs_open(), memfd = rs_memfd(length), ret = 0;
	__u64 value, other, offset;

	if (fd < 0 || memfd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;
	if (rs_write_file(CGROUP "cgroup.procs", "0"))
		return 2;
	if (rs_adopt(fd, memfd, REFSTORE_TYPE_BYTES, &value) ||
	    punch(memfd, 0, length) ||
	    adopt_and_close(fd, rs_memfd(length), &other))
		return 3;
	for (offset = 0; !ret && offset < (__u64)length; offset += sizeof(data))
		ret = rs_write(fd, value, offset, sizeof(data), data, NULL);
	if (ret != -ENOMEM)
		return 4;
	if (rs_release(fd, other))
		return 5;
	for (offset = 0; offset < (__u64)length; offset += sizeof(data))
		if (rs_write(fd, value, offset, sizeof(data), data, NULL))
			return 6;
	return 0;
}

/* A full memory cgroup refuses, and nobody is killed for it. */
TEST(memory_cgroup)
{
	static int (* const runs[])(void) = {
		adopt_too_much, write_into_holes,
	};
	char events[512];
	pid_t child;
	size_t i;

	if (!rs_have_memory_cgroups())
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, rs_make_cgroup(CGROUP, "16M"));
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		child = rs_fork();
		if (!child)
			_exit(runs[i]());
		EXPECT_EQ(0, rs_wait_child(child));
	}
	EXPECT_EQ(0, rs_read_file(CGROUP "memory.events", events,
				  sizeof(events)));
	EXPECT_NE(NULL, strstr(events, "oom_kill 0"));
	EXPECT_TRUE(rs_wait_until(!rmdir(CGROUP), RS_SOON));
}

static void ignore(int signal)
{
	(void)signal;
}

/* However long it takes, signals that do not end the process do not end it. */
TEST_F(large, signals)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = {
		.it_value.tv_usec = 700,
		.it_interval.tv_usec = 700,
	}, never = {};
	int memfd = rs_memfd(MUCH), ret;
	__u64 value;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES, &value);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, close(memfd));
}

/* A cycle that refers to it does not keep it. */
TEST_F(large, freed_with_garbage)
{
	__u64 held, node, value, weak;

	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, adopt_and_close(self->fd, make_memfd(MUCH), &value));
	ASSERT_EQ(0, rs_weak(self->fd, value, 0, 0, &weak));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &node));
	ASSERT_EQ(0, rs_set_slot(self->fd, node, 0, node));
	ASSERT_EQ(0, rs_set_slot(self->fd, node, 1, value));
	ASSERT_EQ(0, rs_release(self->fd, node));
	ASSERT_EQ(0, rs_release(self->fd, value));
	EXPECT_EQ(1, rs_alive(self->fd, weak));
	held = shmem();
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(1, large_values(self->fd));
	EXPECT_FREED(held);
}

/* A page of memory that is not there until userfaultfd, whose descriptor this is. */
static int missing_page(void **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	*page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = rs_ptr(*page);
	area.range.len = PAGE;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &area)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static bool is_waited_for(int uffd)
{
	struct uffd_msg message;

	return read(uffd, &message, sizeof(message)) == sizeof(message) &&
	       message.event == UFFD_EVENT_PAGEFAULT;
}

/* A batch that drops a value, and then reads @leaf into a page that is not there. */
struct staller {
	int fd;
	__u64 value;
	__u64 leaf;
	void *page;
	int ret;
};

static void *drop_and_stall(void *data)
{
	struct staller *staller = data;
	struct refstore_op ops[] = {
		op_release(staller->value),
		op_data(REFSTORE_CMD_READ, staller->leaf, 0, 4, staller->page),
	};

	staller->ret = rs_batch(staller->fd, 0, ops, ARRAY_SIZE(ops), NULL);
	return NULL;
}

/* Its file is closed even if who dropped it never gets out of the kernel. */
TEST_F(large, dropped_by_who_stalls)
{
	int memfd = reopen(self->memfd, O_RDWR), uffd;
	struct staller staller = { .fd = self->fd, .value = self->value };
	struct uffdio_zeropage page = { .range.len = PAGE };
	pthread_t thread;

	ASSERT_LE(0, memfd);
	uffd = missing_page(&staller.page);
	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &staller.leaf));
	/* A lease for writing has who has it open alone */
	ASSERT_EQ(-1, fcntl(memfd, F_SETLEASE, F_WRLCK));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, pthread_create(&thread, NULL, drop_and_stall, &staller));
	EXPECT_TRUE(rs_wait_until(is_waited_for(uffd), RS_SOON));
	EXPECT_TRUE(rs_wait_until(!fcntl(memfd, F_SETLEASE, F_WRLCK), RS_SOON));
	EXPECT_EQ(0, fcntl(memfd, F_SETLEASE, F_UNLCK));
	page.range.start = rs_ptr(staller.page);
	EXPECT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, staller.ret);
	EXPECT_EQ(0, memcmp(staller.page, "leaf", 4));
	EXPECT_EQ(0, munmap(staller.page, PAGE));
	EXPECT_EQ(0, close(uffd));
	EXPECT_EQ(0, close(memfd));
}

/* All of them, however they are held. */
TEST(freed_with_heap)
{
	__u64 large = rs_stats_value("large"), held, node, value, heap;
	int fd = rs_open(), i;

	ASSERT_LE(0, fd);
	heap = rs_heap_number(fd);
	ASSERT_EQ(0, rs_node(fd, 4, NULL, &node));
	ASSERT_EQ(0, rs_set_root(fd, node));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, adopt_and_close(fd, rs_memfd(MUCH / 8), &value));
		if (i >= 4)
			continue;
		ASSERT_EQ(0, rs_set_slot(fd, node, i, value));
		ASSERT_EQ(0, rs_release(fd, value));
	}
	EXPECT_EQ(large + 8, rs_stats_value("large"));
	held = shmem();
	ASSERT_EQ(0, close(fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
	EXPECT_EQ(large, rs_stats_value("large"));
	EXPECT_FREED(held);
}

/* --- Reading and writing ---------------------------------------------- */

TEST_F(large, written_mapped)
{
	char *map = map_value(self->fd, self->value, REFSTORE_MAP_WRITE, LENGTH);
	char *again = map_value(self->fd, self->value, 0, LENGTH), data[4];
	__u32 done;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, again);
	memcpy(map + PAGE - 2, "MAP!", 4);
	ASSERT_EQ(0, rs_read(self->fd, self->value, PAGE - 2, 4, data, NULL));
	EXPECT_EQ(0, memcmp("MAP!", data, 4));
	EXPECT_EQ(0, memcmp("MAP!", again + PAGE - 2, 4));
	ASSERT_EQ(0, rs_write(self->fd, self->value, LENGTH - 4, 4, "CALL",
			      &done));
	EXPECT_EQ(4, done);
	EXPECT_EQ(0, memcmp("CALL", map + LENGTH - 4, 4));
	EXPECT_EQ(0, memcmp("CALL", again + LENGTH - 4, 4));
	EXPECT_EQ(0, munmap(map, LENGTH));
	EXPECT_EQ(0, munmap(again, LENGTH));
}

/* Writes a range, here and there; it is there, and nothing around it is new. */
static void write_range(struct __test_metadata *_metadata,
			FIXTURE_DATA(large) *self, char *expected,
			__u64 offset, __u32 length)
{
	char *data = malloc(LENGTH + 1), *map;
	__u32 done = ~0U, i;

	map = map_value(self->fd, self->value, 0, LENGTH);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < length; i++)
		expected[offset + i] ^= 0x55;
	ASSERT_EQ(0, rs_write(self->fd, self->value, offset, length,
			      expected + offset, &done));
	EXPECT_EQ(length, done);
	EXPECT_EQ(0, memcmp(expected, map, LENGTH));
	data[length] = 'x';
	ASSERT_EQ(0, rs_read(self->fd, self->value, offset, length, data,
			     &done));
	EXPECT_EQ(length, done);
	EXPECT_EQ(0, memcmp(expected + offset, data, length));
	EXPECT_EQ('x', data[length]);
	munmap(map, LENGTH);
	free(data);
}

TEST_F(large, ranges)
{
	static const struct {
		__u64 offset;
		__u32 length;
	} ranges[] = {
		{ 0, 0 }, { 0, 1 }, { 0, LENGTH }, { PAGE - 1, 2 },
		{ PAGE, PAGE }, { 100, 3 * PAGE }, { LENGTH - 1, 1 },
		{ LENGTH - 5000, 5000 }, { LENGTH, 0 },
	};
	char *expected = malloc(LENGTH), data[100];
	__u32 done;
	size_t i;

	write_pattern(expected, 0, LENGTH);
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		write_range(_metadata, self, expected, ranges[i].offset,
			    ranges[i].length);
	/* What is not there is not read, and cannot be written. */
	EXPECT_EQ(0, rs_read(self->fd, self->value, LENGTH - 10, 100, data,
			     &done));
	EXPECT_EQ(10, done);
	EXPECT_EQ(0, memcmp(expected + LENGTH - 10, data, 10));
	EXPECT_EQ(0, rs_read(self->fd, self->value, LENGTH, 100, data, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(-ERANGE, rs_write(self->fd, self->value, LENGTH - 10, 11,
				    data, NULL));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, self->value, LENGTH, 1, data,
				    NULL));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, self->value, 1, ~0U, data, NULL));
	write_range(_metadata, self, expected, 0, 0);
	free(expected);
}

/* Numbers that a narrower offset would make something else of. */
TEST_F(large, beyond_the_end)
{
	static const __u64 offsets[] = {
		LENGTH + 1, 1ULL << 31, 1ULL << 32, (1ULL << 32) + 2,
		1ULL << 63, ~0ULL,
	};
	__u64 values[2] = { self->value };
	char byte = 0;
	size_t i, j;

	ASSERT_EQ(0, rs_leaf(self->fd, "data", 4, &values[1]));
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (j = 0; j < 2; j++) {
			EXPECT_EQ(-ERANGE, rs_read(self->fd, values[j],
						   offsets[i], 1, &byte, NULL));
			EXPECT_EQ(-ERANGE, rs_read(self->fd, values[j],
						   offsets[i], 0, &byte, NULL));
			EXPECT_EQ(-ERANGE, rs_write(self->fd, values[j],
						    offsets[i], 1, "x", NULL));
			EXPECT_EQ(-ERANGE, rs_write(self->fd, values[j],
						    offsets[i], 0, "x", NULL));
		}
	}
	EXPECT_TRUE(reads_pattern(self->fd, self->value, 0, LENGTH));
}

/* More than the kernel copies at a time, from no round number to another. */
TEST_F(large, at_length)
{
	const size_t length = (5 << 19) + 13;
	char *data = malloc(length);
	__u64 value;
	size_t i;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, adopt_and_close(self->fd, make_memfd(length), &value));
	EXPECT_TRUE(reads_pattern(self->fd, value, 0, length));
	EXPECT_TRUE(reads_pattern(self->fd, value, 5, length - 7));
	write_pattern(data, 1000, length);
	ASSERT_EQ(0, rs_write(self->fd, value, 5, length - 7, data, NULL));
	ASSERT_EQ(0, rs_read(self->fd, value, 0, length, data, NULL));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(pattern(i), data[i]);
	EXPECT_TRUE(is_pattern(data + 5, 1000, length - 7));
	EXPECT_TRUE(is_pattern(data + length - 2, length - 2, 2));
	free(data);
}

/* What lies in the buffer may have been written, and nothing else is new. */
TEST_F(large, torn_buffer)
{
	const size_t from = 2 * PAGE - 100, some = PAGE + 1000;
	char *end = rs_fenced(2), *map;
	size_t i;

	ASSERT_NE(MAP_FAILED, end);
	end += 2 * PAGE;
	map = map_value(self->fd, self->value, 0, LENGTH);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EFAULT, rs_read(self->fd, self->value, 100, 3 * PAGE,
				   end - some, NULL));
	for (i = 0; i < some; i++)
		end[i - some] = ~pattern(from + i);
	EXPECT_EQ(-EFAULT, rs_write(self->fd, self->value, from, 3 * PAGE,
				    end - some, NULL));
	EXPECT_TRUE(is_pattern(map, 0, from));
	for (i = from; i < from + some; i++)
		EXPECT_TRUE(map[i] == pattern(i) ||
			    map[i] == (char)~pattern(i));
	EXPECT_TRUE(is_pattern(map + i, i, LENGTH - i));
	EXPECT_EQ(0, munmap(map, LENGTH));
}

/*
 * The file that is written is the store's own: no flag that its adopter sets, nor
 * whoever got a descriptor later, has a write end up elsewhere.
 */
TEST_F(large, flags_of_others)
{
	int mapped = rs_map(self->fd, self->value, REFSTORE_MAP_WRITE);
	char data[4];

	ASSERT_LE(0, mapped);
	ASSERT_EQ(0, fcntl(self->memfd, F_SETFL, O_APPEND));
	ASSERT_EQ(0, fcntl(mapped, F_SETFL, O_APPEND));
	ASSERT_EQ(0, rs_write(self->fd, self->value, 10, 4, "here", NULL));
	ASSERT_EQ(0, rs_read(self->fd, self->value, 10, 4, data, NULL));
	EXPECT_EQ(0, memcmp("here", data, 4));
	EXPECT_EQ(0, lseek(self->memfd, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(mapped, 0, SEEK_CUR));
	ASSERT_EQ(0, close(self->memfd));
	ASSERT_EQ(0, close(mapped));
	self->memfd = -1;
	EXPECT_EQ(0, rs_write(self->fd, self->value, 10, 4, "gone", NULL));
	EXPECT_TRUE(reads_pattern(self->fd, self->value, 14, LENGTH - 14));
}

/* As any file: above the limit nothing is written, and whoever tried is told. */
TEST_F(large, file_size_limit)
{
	struct rlimit limit, old;

	ASSERT_NE(SIG_ERR, signal(SIGXFSZ, SIG_IGN));
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &old));
	limit = old;
	limit.rlim_cur = PAGE;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(0, rs_write(self->fd, self->value, PAGE - 1, 1, "x", NULL));
	EXPECT_EQ(-EFBIG, rs_write(self->fd, self->value, PAGE, 1, "x", NULL));
	EXPECT_EQ(-EFBIG, rs_write(self->fd, self->value, PAGE - 1, 2, "xx",
				   NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &old));
	EXPECT_TRUE(reads_pattern(self->fd, self->value, PAGE, LENGTH - PAGE));
}

/* --- Seals ------------------------------------------------------------ */

/* One descriptor that can write cannot, in no way. */
static bool cannot_write(int fd)
{
	return pwrite(fd, "x", 1, 0) == -1 && errno == EPERM &&
	       map_for_writing(fd, LENGTH) == MAP_FAILED && errno == EPERM &&
	       punch(fd, 0, PAGE) == -EPERM &&
	       ftruncate(fd, 0) == -1 && errno == EPERM;
}

static bool is_sealed(int fd, __u64 value)
{
	struct refstore_stat stat;

	return !rs_stat(fd, value, &stat) &&
	       stat.state & REFSTORE_STATE_SEALED_DATA;
}

/* What holds for any sealed value, whoever looks at it. */
static void expect_sealed(struct __test_metadata *_metadata, int fd, __u64 value)
{
	EXPECT_TRUE(is_sealed(fd, value));
	EXPECT_EQ(0, rs_seal(fd, value, REFSTORE_SEAL_DATA));
	EXPECT_EQ(-EPERM, rs_write(fd, value, 0, 1, "x", NULL));
	EXPECT_EQ(-EPERM, rs_map(fd, value, REFSTORE_MAP_WRITE));
	EXPECT_TRUE(maps_pattern(fd, value, LENGTH));
	EXPECT_TRUE(reads_pattern(fd, value, 0, LENGTH));
}

TEST_F(large, sealed)
{
	int mapped = rs_map(self->fd, self->value, REFSTORE_MAP_WRITE);

	ASSERT_LE(0, mapped);
	EXPECT_EQ(-EBUSY, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	EXPECT_FALSE(is_sealed(self->fd, self->value));
	EXPECT_EQ(0, rs_write(self->fd, self->value, 0, 1, "\0", NULL));
	/* By any descriptor for writing; and with that alone it is not done. */
	ASSERT_EQ(0, add_seals(mapped, F_SEAL_WRITE));
	EXPECT_FALSE(is_sealed(self->fd, self->value));
	EXPECT_EQ(-EPERM, rs_write(self->fd, self->value, 0, 1, "x", NULL));
	EXPECT_EQ(0, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	expect_sealed(_metadata, self->fd, self->value);
	EXPECT_TRUE(cannot_write(mapped));
	EXPECT_TRUE(cannot_write(self->memfd));
	EXPECT_TRUE(maps_pattern(self->fd, self->value, LENGTH));
	EXPECT_EQ(0, close(mapped));
}

/* Tells that something is done, and waits to be told to go on. */
static bool meet(int socket)
{
	char byte;

	return write(socket, "", 1) == 1 && read(socket, &byte, 1) == 1;
}

static int hold_mapping(int fd, __u64 value, int socket)
{
	char *map = map_value(fd, value, REFSTORE_MAP_WRITE, LENGTH);

	if (map == MAP_FAILED || !meet(socket))
		return 1;
	return munmap(map, LENGTH) || !meet(socket);
}

/* Nobody is surprised by what somebody else still writes. */
TEST_F(large, sealed_while_mapped)
{
	int sockets[2], fd = self->fd;
	pid_t child;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = rs_fork_session(&fd);
	if (!child)
		_exit(hold_mapping(fd, self->value, sockets[1]));
	ASSERT_EQ(0, close(sockets[1]));
	ASSERT_EQ(1, read(sockets[0], &byte, 1));
	EXPECT_EQ(-EBUSY, add_seals(self->memfd, F_SEAL_WRITE));
	EXPECT_EQ(-EBUSY, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	ASSERT_TRUE(meet(sockets[0]));
	ASSERT_EQ(0, add_seals(self->memfd, F_SEAL_WRITE));
	EXPECT_EQ(0, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	expect_sealed(_metadata, self->fd, self->value);
	ASSERT_EQ(1, write(sockets[0], "", 1));
	EXPECT_EQ(0, rs_wait_child(child));
}

/* Whoever reads what is sealed pays for nothing, and cannot be refused memory. */
TEST_F(large, sealed_without_holes)
{
	__u64 all = there(self->memfd);
	char zeroes[PAGE] = "", *map;

	ASSERT_LE(LENGTH, all);
	ASSERT_EQ(0, punch(self->memfd, 2 * PAGE, 10 * PAGE));
	EXPECT_EQ(all - 10 * PAGE, there(self->memfd));
	ASSERT_EQ(0, add_seals(self->memfd, F_SEAL_WRITE));
	ASSERT_EQ(0, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	EXPECT_EQ(all, there(self->memfd));
	map = map_value(self->fd, self->value, 0, LENGTH);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(is_pattern(map, 0, 2 * PAGE));
	EXPECT_EQ(0, memcmp(zeroes, map + 11 * PAGE, PAGE));
	EXPECT_TRUE(is_pattern(map + 12 * PAGE, 12 * PAGE, LENGTH - 12 * PAGE));
	EXPECT_EQ(0, munmap(map, LENGTH));
}

/* A memfd that nobody can write any more is sealed from the beginning. */
TEST_F(large, sealed_before)
{
	int memfd = make_memfd(LENGTH), reading = reopen(memfd, O_RDONLY);
	int holes = rs_memfd(LENGTH);
	__u64 value;

	ASSERT_LE(0, reading);
	ASSERT_LE(0, holes);
	ASSERT_EQ(0, add_seals(memfd, F_SEAL_WRITE));
	ASSERT_EQ(0, close(memfd));
	ASSERT_EQ(0, adopt_and_close(self->fd, reading, &value));
	expect_sealed(_metadata, self->fd, value);
	ASSERT_EQ(0, add_seals(holes, F_SEAL_WRITE));
	ASSERT_EQ(0, rs_adopt(self->fd, holes, REFSTORE_TYPE_BYTES, &value));
	EXPECT_TRUE(is_sealed(self->fd, value));
	EXPECT_LE(LENGTH, there(holes));
	EXPECT_EQ(0, close(holes));
}

/* --- Rights ----------------------------------------------------------- */

/*
 * Why there is no descriptor for who may not write: one for reading alone would be
 * one for writing to whoever opens it anew.
 */
TEST_F(large, read_only_descriptors)
{
	int reading = reopen(self->memfd, O_RDONLY), writing;
	char byte;

	ASSERT_LE(0, reading);
	EXPECT_EQ(-1, pwrite(reading, "x", 1, 7));
	EXPECT_EQ(EBADF, errno);
	writing = reopen(reading, O_RDWR);
	ASSERT_LE(0, writing);
	EXPECT_EQ(1, pwrite(writing, "x", 1, 7));
	ASSERT_EQ(0, rs_read(self->fd, self->value, 7, 1, &byte, NULL));
	EXPECT_EQ('x', byte);
	EXPECT_EQ(0, close(reading));
	EXPECT_EQ(0, close(writing));
}

/* No descriptor before the value is sealed; then one with which nothing is done. */
static void expect_reader(struct __test_metadata *_metadata, int reader,
			  __u64 theirs, int writer, __u64 value)
{
	int mapped = rs_map(writer, value, REFSTORE_MAP_WRITE), writing;

	ASSERT_LE(0, mapped);
	EXPECT_TRUE(reads_pattern(reader, theirs, 0, LENGTH));
	EXPECT_EQ(-EACCES, rs_map(reader, theirs, 0));
	EXPECT_EQ(-EACCES, rs_map(reader, theirs, REFSTORE_MAP_WRITE));
	EXPECT_EQ(-EACCES, rs_write(reader, theirs, 0, 1, "x", NULL));
	EXPECT_EQ(-EACCES, rs_seal(reader, theirs, REFSTORE_SEAL_DATA));
	/* It may have holes still. */
	ASSERT_EQ(0, add_seals(mapped, F_SEAL_WRITE));
	EXPECT_EQ(-EACCES, rs_map(reader, theirs, 0));
	ASSERT_EQ(0, close(mapped));
	ASSERT_EQ(0, rs_seal(writer, value, REFSTORE_SEAL_DATA));

	mapped = rs_map(reader, theirs, 0);
	ASSERT_LE(0, mapped);
	EXPECT_EQ(-EPERM, rs_map(reader, theirs, REFSTORE_MAP_WRITE));
	writing = reopen(mapped, O_RDWR);
	ASSERT_LE(0, writing);
	EXPECT_TRUE(cannot_write(writing));
	EXPECT_TRUE(maps_pattern(reader, theirs, LENGTH));
	EXPECT_EQ(0, close(writing));
	EXPECT_EQ(0, close(mapped));
}

TEST_F(large, restricted)
{
	int reader = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, rs_restrict(reader, REFSTORE_RIGHTS &
				 ~REFSTORE_RIGHT_WRITE_DATA));
	expect_reader(_metadata, reader, self->value, self->fd, self->value);
	EXPECT_EQ(0, close(reader));
}

TEST(named)
{
	int fd, reader;
	__u64 value, theirs;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, NULL));
	fd = open(PLACE "/heap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	reader = open(PLACE "/heap", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, reader);
	ASSERT_EQ(0, adopt_and_close(fd, make_memfd(LENGTH), &value));
	ASSERT_EQ(0, rs_set_root(fd, value));
	ASSERT_EQ(0, rs_get_root(reader, &theirs));
	expect_reader(_metadata, reader, theirs, fd, value);
	EXPECT_EQ(0, close(reader));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, umount(PLACE));
}

/* Small ones, each in a slot of one object. */
static int make_values(int fd, int nr, __u64 *node)
{
	__u64 value;
	int i, ret = rs_node(fd, nr, NULL, node);

	for (i = 0; !ret && i < nr; i++) {
		ret = adopt_and_close(fd, rs_memfd(PAGE), &value);
		ret = ret ?: rs_set_slot(fd, *node, i, value);
		ret = ret ?: rs_release(fd, value);
	}
	return ret;
}

/* Values that die, however many, leave room for others before anybody is refused. */
TEST(room_of_the_dead)
{
	const int nr = 600;
	__u64 node, value;
	int fd;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, "size=48M"));
	fd = open(PLACE "/heap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, make_values(fd, nr, &node));
	EXPECT_EQ(-EDQUOT, adopt_and_close(fd, rs_memfd(MUCH), &value));
	ASSERT_EQ(0, rs_release(fd, node));
	EXPECT_EQ(0, adopt_and_close(fd, rs_memfd(MUCH), &value));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, umount(PLACE));
}

static int map_as_somebody(int fd, __u64 value, size_t length)
{
	if (setgid(SOMEBODY) || setuid(SOMEBODY))
		return 1;
	return maps_pattern(fd, value, length) ? 0 : 2;
}

/* Handles and rights say who has a value, and not whose file it once was. */
TEST_F(large, of_another_user)
{
	pid_t child;

	ASSERT_EQ(0, fchmod(self->memfd, 0600));
	ASSERT_EQ(0, add_seals(self->memfd, F_SEAL_WRITE));
	ASSERT_EQ(0, rs_seal(self->fd, self->value, REFSTORE_SEAL_DATA));
	child = rs_fork();
	if (!child)
		_exit(map_as_somebody(self->fd, self->value, LENGTH));
	EXPECT_EQ(0, rs_wait_child(child));
}

/* --- Descriptors ------------------------------------------------------ */

TEST_F(large, descriptors)
{
	struct refstore_map map = {
		.size = sizeof(map),
		.object = self->value,
	};
	int other = rs_map(self->fd, self->value, REFSTORE_MAP_WRITE);
	char data[100], *mapped;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_call(self->fd, REFSTORE_MAP, &map));
	EXPECT_EQ(LENGTH, map.length);
	EXPECT_EQ(FD_CLOEXEC, fcntl(map.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(other, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(map.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(O_RDWR, fcntl(other, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, fcntl(map.fd, F_GETFL) & (O_NONBLOCK | O_APPEND));
	EXPECT_EQ(0, fcntl(other, F_GETFL) & (O_NONBLOCK | O_APPEND));
	/* Each has a position of its own. */
	ASSERT_EQ(100, read(map.fd, data, 100));
	EXPECT_TRUE(is_pattern(data, 0, 100));
	EXPECT_EQ(100, lseek(map.fd, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(other, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(self->memfd, 0, SEEK_CUR));
	/* And keeps the memory, but not the value. */
	ASSERT_EQ(0, close(self->memfd));
	self->memfd = -1;
	ASSERT_EQ(0, close(other));
	ASSERT_EQ(0, rs_release(self->fd, self->value));
	EXPECT_EQ(0, rs_objects(self->fd));
	EXPECT_EQ(0, large_values(self->fd));
	mapped = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, map.fd, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	EXPECT_TRUE(is_pattern(mapped, 0, LENGTH));
	EXPECT_EQ(0, munmap(mapped, LENGTH));
	EXPECT_EQ(0, close(map.fd));
}

/* The number that the next descriptor gets. */
static int next_number(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

TEST_F(large, not_mapped)
{
	struct refstore_map *map = (void *)rs_fenced(1);
	__u64 leaf, node, weak;
	int next;

	ASSERT_NE(MAP_FAILED, (void *)map);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 60000, &leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, &self->value, &node));
	ASSERT_EQ(0, rs_weak(self->fd, self->value, 0, 0, &weak));
	next = next_number();
	EXPECT_EQ(-EOPNOTSUPP, rs_map(self->fd, leaf, 0));
	EXPECT_EQ(-EOPNOTSUPP, rs_map(self->fd, node, REFSTORE_MAP_WRITE));
	EXPECT_EQ(-EBADF, rs_map(self->fd, weak, 0));
	EXPECT_EQ(-EBADF, rs_map(self->fd, 0, 0));
	EXPECT_EQ(-EBADF, rs_map(self->fd, self->value + (1ULL << 40), 0));
	/* One whose number could not be told is not there. */
	*map = (struct refstore_map){
		.size = sizeof(*map),
		.object = self->value,
	};
	ASSERT_EQ(0, mprotect(map, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, rs_call(self->fd, REFSTORE_MAP, map));
	EXPECT_EQ(next, next_number());
}

/* Adopting takes none. */
TEST_F(large, no_more_descriptors)
{
	int memfd = rs_memfd(1);
	struct rlimit limit, old;
	__u64 value;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, rs_map(self->fd, self->value, 0));
	EXPECT_EQ(0, rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES, &value));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_TRUE(maps_pattern(self->fd, self->value, LENGTH));
	EXPECT_EQ(0, close(memfd));
}

TEST_HARNESS_MAIN
