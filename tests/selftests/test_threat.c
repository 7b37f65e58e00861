// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one user could do to others, or to the machine, and that is not the business of
 * another program here: names of every byte, floods, descriptors that are kept for ever
 * or go round in circles, what could be read between the lines, and a module that is
 * removed under its users.
 */
#include <ctype.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "refstore_heap.h"

#define PLACE	"/tmp/refstore-threat"
#define ALICE	12351
#define BOB	12352

FIXTURE(threat)
{
	int fd;
	int ends[2];
	__u64 heap;
	mode_t mode;
};

FIXTURE_SETUP(threat)
{
	struct stat device;

	ASSERT_EQ(0, stat(RS_DEVICE, &device));
	self->mode = device.st_mode;
	ASSERT_EQ(0, chmod(RS_DEVICE, 0666));
	/* What is mounted here is nobody else's. */
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_TRUE(!mkdir(PLACE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->ends));
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
}

FIXTURE_TEARDOWN(threat)
{
	umount2(PLACE, MNT_DETACH);
	close(self->fd);
	close(self->ends[0]);
	close(self->ends[1]);
	EXPECT_EQ(0, chmod(RS_DEVICE, self->mode & 07777));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

static pid_t fork_as(uid_t uid)
{
	pid_t child = rs_fork();

	if (!child && (setgid(uid) || setuid(uid)))
		_exit(255);
	return child;
}

/* Kills it in whatever it does. */
static bool kill_child(pid_t child)
{
	return !kill(child, SIGKILL) && rs_wait_child(child) == -1;
}

/* --- Names ------------------------------------------------------------- */

/* No control character, nor anything that ends a word; beyond ASCII all will do. */
static bool is_text(const char *word)
{
	while (isgraph((unsigned char)*word) || *word & 0x80)
		word++;
	return !*word;
}

/* Whether each line of a file has so many words. */
static bool is_table(const char *name, unsigned int words)
{
	FILE *file = fopen(name, "re");
	char line[1024], *at;
	bool sound = file;
	unsigned int n;

	while (sound && fgets(line, sizeof(line), file)) {
		if (*line == '#' || !strncmp(line, "refstore-", 9))
			continue;
		for (n = 0, at = strtok(line, " \n"); at && sound;
		     at = strtok(NULL, " \n"), n++)
			sound = is_text(at);
		sound = sound && n == words;
	}
	if (file)
		fclose(file);
	return sound;
}

static int label_heap(int fd, const char *text)
{
	struct refstore_label args = {
		.size = sizeof(args),
		.what = REFSTORE_LABEL_HEAP,
	};

	strcpy(args.label, text);
	return rs_call(fd, REFSTORE_LABEL, &args);
}

/* Of a label or a type: it is taken, or it is EINVAL; the tables stay tables. */
TEST_F(threat, words_of_every_byte)
{
	char text[4] = "aaa";
	__u32 type;
	__u64 leaf;
	int byte, ret;

	for (byte = 1; byte < 256; byte++) {
		text[1] = (char)byte;
		ret = label_heap(self->fd, text);
		ASSERT_TRUE(!ret || ret == -EINVAL);
		EXPECT_TRUE(is_table(RS_PROC "heaps", 13))
			TH_LOG("a label with byte %d", byte);
		ret = rs_type_register(self->fd, text, &type);
		ASSERT_TRUE(!ret || ret == -EINVAL || ret == -ENOSPC);
		if (ret)
			continue;
		struct refstore_create create = { .type = type, .data_len = 1 };

		ASSERT_EQ(0, rs_create(self->fd, &create));
		leaf = create.result;
		EXPECT_TRUE(is_table(RS_PROC "types", 5))
			TH_LOG("a type with byte %d", byte);
		ASSERT_EQ(0, rs_release(self->fd, leaf));
	}
}

/* A heap whose name nobody would give it is a heap; and goes like one. */
static bool heap_comes_and_goes(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	__u64 heap, leaf;
	bool done;

	if (fd < 0)
		return false;
	heap = rs_heap_number(fd);
	done = !rs_leaf(fd, "x", 1, &leaf) && !rs_set_root(fd, leaf) &&
	       !rename(name, PLACE "/other") && !rename(PLACE "/other", name);
	close(fd);
	return done && !rs_heap_gone(heap) && !unlink(name) &&
	       rs_wait_until(rs_heap_gone(heap), RS_SOON);
}

TEST_F(threat, names_of_every_byte)
{
	static const char place[] = PLACE "/";
	char name[sizeof(place) + NAME_MAX + 1] = PLACE "/a";
	char *end = name + strlen(name);
	int byte;

	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, NULL));
	for (byte = 1; byte < 256; byte++) {
		if (byte == '/')
			continue;
		end[0] = (char)byte;
		EXPECT_TRUE(heap_comes_and_goes(name)) TH_LOG("byte %d", byte);
	}
	memset(name + strlen(place), 0xff, NAME_MAX);
	EXPECT_TRUE(heap_comes_and_goes(name));
	memset(name + strlen(place), 0xff, NAME_MAX + 1);
	EXPECT_EQ(-1, open(name, O_RDWR | O_CREAT, 0600));
	EXPECT_EQ(ENAMETOOLONG, errno);
}

/* What is no option is refused, whatever is in it. */
TEST_F(threat, options_of_every_byte)
{
	static const char *const forms[] = {
		"%c", "size=%c", "size=1%c", "mode=7%c", "max_heaps=%c1", "x%c=1",
	};
	char options[32];
	size_t i;
	int byte;

	for (byte = 1; byte < 256; byte++)
		for (i = 0; i < ARRAY_SIZE(forms); i++) {
			snprintf(options, sizeof(options), forms[i], byte);
			errno = 0;
			if (!mount("none", PLACE, "refstore", 0, options)) {
				ASSERT_EQ(0, umount(PLACE));
				continue;
			}
			EXPECT_EQ(EINVAL, errno) TH_LOG("%zu, %d", i, byte);
		}
}

/* --- Floods and what is kept ------------------------------------------ */

/* Heaps, sessions and exports: half of them stay in a socket that nobody reads. */
static int flood(int told)
{
	struct rlimit files = { 600, 600 };
	unsigned int opened = 0, sent = 0;
	int ends[2], fd, export;
	__u64 leaf;

	if (setrlimit(RLIMIT_NOFILE, &files) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends))
		return 1;
	for (;;) {
		fd = rs_open();
		if (fd < 0)
			break;
		export = rs_leaf(fd, "x", 1, &leaf) ? -1 :
			 rs_export(fd, leaf, REFSTORE_RIGHTS);
		opened += 1 + (export >= 0);
		if (!rs_send_fd(ends[0], fd)) {
			close(fd);
			sent++;
		}
	}
	if (fd != -EMFILE && fd != -ENFILE && fd != -EDQUOT)
		return 1;
	if (write(told, &opened, sizeof(opened)) != sizeof(opened))
		return 1;
	for (;;)
		pause();
}

/* Another user notices nothing; and nothing is left. */
TEST_F(threat, flood_of_descriptors)
{
	__u64 sessions = rs_stats_value("sessions"), many[200];
	unsigned int opened = 0;
	pid_t child = fork_as(ALICE), other;
	int fd;

	if (!child)
		_exit(flood(self->ends[1]));
	ASSERT_EQ(sizeof(opened), read(self->ends[0], &opened,
				       sizeof(opened)));
	TH_LOG("%u descriptors", opened);
	EXPECT_LE(500, opened);
	other = fork_as(BOB);
	if (!other) {
		fd = rs_open();
		_exit(fd < 0 || rs_repeat(fd, op_create(1, NULL), 200, many) ||
		      rs_session_new(fd, 0) < 0);
	}
	EXPECT_EQ(0, rs_wait_child(other));
	EXPECT_TRUE(kill_child(child));
	EXPECT_TRUE(rs_wait_until(rs_stats_value("sessions") == sessions,
				  RS_SOON));
}

/* What is held is what was handed out, and what that refers to: nothing else. */
TEST_F(threat, held_for_ever)
{
	__u64 ring, other, held, heap = self->heap;
	struct refstore_collect collect;
	int export, fd;
	pid_t child;

	ASSERT_EQ(0, rs_ring(self->fd, 100, 1, &ring));
	ASSERT_EQ(0, rs_ring(self->fd, 30, 1, &other));
	export = rs_export(self->fd, other, REFSTORE_RIGHTS_READ);
	ASSERT_LE(0, export);
	child = fork_as(BOB);
	if (!child) {
		close(self->fd);
		fd = rs_open_export(export, &held);
		close(export);
		if (fd < 0 || write(self->ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(0, close(export));
	ASSERT_EQ(1, read(self->ends[0], &held, 1));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_release(self->fd, other));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(100, collect.reclaimed);
	EXPECT_EQ(30, rs_objects(self->fd));
	/* Its maker need not stay for it, nor wait; it ends with who has it. */
	ASSERT_EQ(0, close(self->fd));
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	EXPECT_FALSE(rs_heap_gone(heap));
	EXPECT_TRUE(kill_child(child));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
}

/* The kernel looks for such as a socket is closed. */
static bool gone_with_sockets(__u64 heap)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return false;
	close(ends[0]);
	close(ends[1]);
	return rs_heap_gone(heap);
}

/*
 * Each of two sockets has the other's end in it, and one of them a session, too, the
 * other an export: nobody can get at them, and no file is ever closed.
 */
TEST_F(threat, sockets_in_a_ring)
{
	__u64 ring, heap = self->heap;
	int other[2], export;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, other));
	ASSERT_EQ(0, rs_ring(self->fd, 50, 1, &ring));
	export = rs_export(self->fd, ring, REFSTORE_RIGHTS);
	ASSERT_LE(0, export);
	ASSERT_EQ(0, rs_send_fd(self->ends[0], self->fd));
	ASSERT_EQ(0, rs_send_fd(self->ends[0], other[1]));
	ASSERT_EQ(0, rs_send_fd(other[0], export));
	ASSERT_EQ(0, rs_send_fd(other[0], self->ends[1]));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(0, close(export));
	EXPECT_EQ(0, close(self->ends[1]));
	EXPECT_EQ(0, close(other[1]));
	EXPECT_FALSE(rs_heap_gone(heap));
	EXPECT_EQ(0, close(self->ends[0]));
	EXPECT_EQ(0, close(other[0]));
	EXPECT_TRUE(rs_wait_until(gone_with_sockets(heap), RS_SOON));
	self->fd = self->ends[0] = self->ends[1] = -1;
}

/* --- Between the lines ------------------------------------------------- */

/* Whether a text is all that there is in its room. */
static bool is_padded(const char *text, size_t room)
{
	size_t i = strnlen(text, room);

	if (i == room)
		return false;
	for (; i < room; i++)
		if (text[i])
			return false;
	return true;
}

/* A shorter text where a longer one was leaves nothing of that. */
TEST_F(threat, texts_are_padded)
{
	struct refstore_label args = {
		.size = sizeof(args),
		.what = REFSTORE_LABEL_OBJECT,
	};
	struct refstore_walk_session *session;
	struct refstore_walk_label *label;
	char name[REFSTORE_TYPE_NAME_MAX];
	static char room[8192];
	struct refstore_walk walk = {
		.capacity = 16,
		.entries = rs_ptr(room),
	};
	__u64 leaf;
	__u32 type;
	size_t n;

	ASSERT_EQ(0, rs_leaf(self->fd, "x", 1, &leaf));
	args.object = leaf;
	for (n = REFSTORE_LABEL_MAX - 1; n; n /= 2) {
		memset(args.label, 0, sizeof(args.label));
		memset(args.label, 'z', n);
		args.what = REFSTORE_LABEL_OBJECT;
		args.object = leaf;
		ASSERT_EQ(0, rs_call(self->fd, REFSTORE_LABEL, &args));
		args.what = REFSTORE_LABEL_SESSION;
		args.object = 0;
		ASSERT_EQ(0, rs_call(self->fd, REFSTORE_LABEL, &args));
		memset(room, 0x5a, sizeof(room));
		walk.what = REFSTORE_WALK_LABELS;
		walk.cursor[0] = walk.cursor[1] = 0;
		ASSERT_EQ(0, rs_walk(self->fd, &walk));
		ASSERT_EQ(1, walk.count);
		label = (void *)room;
		EXPECT_EQ(n, strnlen(label->label, sizeof(label->label)));
		EXPECT_TRUE(is_padded(label->label, sizeof(label->label)));
		walk.what = REFSTORE_WALK_SESSIONS;
		walk.cursor[0] = walk.cursor[1] = 0;
		ASSERT_EQ(0, rs_walk(self->fd, &walk));
		ASSERT_EQ(1, walk.count);
		session = (void *)room;
		EXPECT_TRUE(is_padded(session->label, sizeof(session->label)));
		EXPECT_TRUE(is_padded(session->comm, sizeof(session->comm)));
	}
	ASSERT_EQ(0, rs_type_register(self->fd, "t", &type));
	memset(name, 0x5a, sizeof(name));
	ASSERT_EQ(0, rs_type_name(self->fd, type, name));
	EXPECT_TRUE(is_padded(name, sizeof(name)));
}

/* Sixteen hexadecimal digits that begin as the kernel's addresses do. */
static bool has_address(const char *text)
{
	for (; (text = strstr(text, "ffff")); text++)
		if (strspn(text, "0123456789abcdef") >= 16)
			return true;
	return false;
}

static bool file_has_address(const char *name)
{
	FILE *file = fopen(name, "re");
	char line[4096];
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= has_address(line);
	if (file)
		fclose(file);
	return found;
}

/* Handles are no addresses, either: their first bit is never set. */
static bool has_address_in(const void *data, size_t length)
{
	const __u64 *word = data;
	size_t i;

	for (i = 0; i < length / sizeof(*word); i++)
		if (word[i] >> 47 == 0x1ffff && ~word[i])
			return true;
	return false;
}

TEST_F(threat, no_addresses)
{
	static const char *const files[] = {
		"stats", "heaps", "types", "scans", "users",
	};
	static __u64 room[4096];
	struct refstore_walk walk = {
		.capacity = 100,
		.entries = rs_ptr(room),
	};
	struct refstore_stat stat;
	char name[64];
	__u64 ring;
	size_t i;

	ASSERT_EQ(0, rs_ring(self->fd, 20, 1, &ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(name, sizeof(name), RS_PROC "%s", files[i]);
		ASSERT_EQ(0, access(name, R_OK));
		EXPECT_FALSE(file_has_address(name)) TH_LOG("%s", name);
	}
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", self->fd);
	EXPECT_FALSE(file_has_address(name));
	ASSERT_EQ(0, rs_stat(self->fd, ring, &stat));
	EXPECT_FALSE(has_address_in(&stat, sizeof(stat)));
	for (walk.what = 0; walk.what <= REFSTORE_WALK_LABELS; walk.what++) {
		memset(room, 0, sizeof(room));
		walk.cursor[0] = walk.cursor[1] = 0;
		ASSERT_EQ(0, rs_walk(self->fd, &walk));
		EXPECT_FALSE(has_address_in(room, sizeof(room)));
		EXPECT_FALSE(has_address_in(walk.cursor, sizeof(walk.cursor)));
	}
}

/* --- Removal ----------------------------------------------------------- */

static int remove_module(void)
{
	return syscall(SYS_delete_module, "refstore", O_NONBLOCK) ? -errno : 0;
}

/* As long as somebody has something of it, in whatever form. */
TEST_F(threat, removed_under_users)
{
	int export, fd;
	__u64 leaf;

	EXPECT_EQ(-EAGAIN, remove_module());
	/* An export alone. */
	ASSERT_EQ(0, rs_leaf(self->fd, "x", 1, &leaf));
	export = rs_export(self->fd, leaf, REFSTORE_RIGHTS);
	ASSERT_LE(0, export);
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(-EAGAIN, remove_module());
	/* One that is on its way. */
	ASSERT_EQ(0, rs_send_fd(self->ends[0], export));
	ASSERT_EQ(0, close(export));
	EXPECT_EQ(-EAGAIN, remove_module());
	/* A file system without a heap, and the name of one on it. */
	ASSERT_EQ(0, mount("none", PLACE, "refstore", 0, NULL));
	export = rs_receive_fd(self->ends[1]);
	ASSERT_LE(0, export);
	ASSERT_EQ(0, close(export));
	ASSERT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
	EXPECT_EQ(-EAGAIN, remove_module());
	fd = open(PLACE "/a", O_RDONLY | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, umount2(PLACE, MNT_DETACH));
	EXPECT_EQ(-EAGAIN, remove_module());
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
