// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/refstore and a session's fdinfo: the formats, which programs parse, and
 * that the figures are right and for the right eyes only.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "refstore_heap.h"

#define NOBODY 65534

/* Room for the largest of the files. */
#define ROOM (1 << 20)

static char *slurp(const char *name)
{
	FILE *file = fopen(name, "re");
	char *text = calloc(1, ROOM);
	size_t length;

	if (!file)
		return text;
	length = fread(text, 1, ROOM - 1, file);
	text[length] = 0;
	fclose(file);
	return text;
}

/* The next line of a text, cut out of it; NULL at its end. */
static char *next_line(char **text)
{
	char *line = *text, *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	*text = end ? end + 1 : line + strlen(line);
	return line;
}

FIXTURE(proc)
{
	int fd;
	struct refstore_query query;
	__u64 node, leaf, ring;
	char *text, *rest;
};

/*
 * A heap of 3 objects that are held, by 3 handles, and a ring of 4, which one
 * handle keeps.
 */
FIXTURE_SETUP(proc)
{
	struct refstore_create create = {
		.type = REFSTORE_TYPE_LIST,
		.nr_slots = 1,
		.data_len = 100,
	};

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_query(self->fd, &self->query));
	ASSERT_EQ(0, rs_create(self->fd, &create));
	self->node = create.result;
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 50, &self->leaf));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 60, &self->leaf));
	ASSERT_EQ(0, rs_ring(self->fd, 4, 1, &self->ring));
}

FIXTURE_TEARDOWN(proc)
{
	free(self->text);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->query.heap), RS_SOON));
}

/* Reads a file; its first lines are as given. */
#define EXPECT_HEAD(file, version, columns) do {			\
	self->text = self->rest = slurp(RS_PROC file);			\
	ASSERT_STREQ(version, next_line(&self->rest) ?: "");		\
	if (*columns)							\
		ASSERT_STREQ(columns, next_line(&self->rest) ?: "");	\
} while (0)

TEST_F(proc, files)
{
	static const char * const names[] = {
		"stats", "heaps", "types", "scans",
	};
	struct stat stat;
	char name[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), RS_PROC "%s", names[i]);
		ASSERT_EQ(0, lstat(name, &stat));
		EXPECT_EQ(S_IFREG | 0444, stat.st_mode);
	}
}

/* Each name once, in this order; new ones may come after these. */
TEST_F(proc, stats)
{
	static const char * const names[] = {
		"heaps", "sessions", "handles", "objects", "bytes",
		"candidates", "backlog", "created", "freed", "saturated",
		"scans", "scan_visited", "scan_reclaimed", "scan_bytes",
		"scan_aborted", "scan_stopped", "scan_nanoseconds",
		"scan_saved", "floating_objects", "floating_bytes",
		"floating_peak_objects", "floating_peak_bytes",
		"deferred_bytes", "large", "large_bytes",
	};
	__u64 values[ARRAY_SIZE(names)];
	char *line, name[64];
	size_t i;
	int end;

	EXPECT_HEAD("stats", "refstore-stats 1", "");
	for (i = 0; (line = next_line(&self->rest)); i++) {
		__u64 value;

		end = -1;
		ASSERT_EQ(2, sscanf(line, "%63s %llu%n", name, &value, &end));
		ASSERT_EQ(0, line[end]);
		if (i >= ARRAY_SIZE(names))
			continue;
		EXPECT_STREQ(names[i], name);
		values[i] = value;
	}
	ASSERT_LE(ARRAY_SIZE(names), i);
	EXPECT_LE(1, values[0]);
	EXPECT_LE(1, values[1]);
	EXPECT_LE(4, values[2]);
	EXPECT_LE(7, values[3]);
	EXPECT_LE(210, values[4]);
	EXPECT_LE(7, values[7]);
	/* What was made is there or was freed. */
	EXPECT_EQ(values[3], values[7] - values[8]);
	EXPECT_EQ(0, values[9]);
}

/* What is made, freed and scanned is in the totals. */
TEST_F(proc, stats_move)
{
	__u64 created = rs_stats_value("created");
	__u64 freed = rs_stats_value("freed");
	__u64 scans = rs_stats_value("scans");
	__u64 visited = rs_stats_value("scan_visited");
	__u64 reclaimed = rs_stats_value("scan_reclaimed");
	__u64 bytes = rs_stats_value("scan_bytes");
	__u64 objects = rs_stats_value("objects");
	__u64 handle;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &handle));
	EXPECT_EQ(created + 1, rs_stats_value("created"));
	EXPECT_EQ(objects + 1, rs_stats_value("objects"));
	ASSERT_EQ(0, rs_release(self->fd, handle));
	EXPECT_EQ(freed + 1, rs_stats_value("freed"));
	EXPECT_EQ(objects, rs_stats_value("objects"));
	ASSERT_EQ(0, rs_release(self->fd, self->ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_LT(scans, rs_stats_value("scans"));
	EXPECT_LE(visited + 4, rs_stats_value("scan_visited"));
	EXPECT_EQ(reclaimed + 4, rs_stats_value("scan_reclaimed"));
	EXPECT_LT(bytes, rs_stats_value("scan_bytes"));
	EXPECT_EQ(freed + 5, rs_stats_value("freed"));
	EXPECT_EQ(objects - 4, rs_stats_value("objects"));
}

/*
 * What the last scan found. The highest it ever was is told of heaps that are
 * gone as well, so here it can only be bounded (but see look_around()).
 */
TEST_F(proc, floating)
{
	__u64 objects, bytes, peak, peak_bytes;
	struct refstore_collect collect;

	ASSERT_EQ(0, rs_manual(self->fd));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	objects = rs_stats_value("floating_objects");
	bytes = rs_stats_value("floating_bytes");
	peak = rs_stats_value("floating_peak_objects");
	peak_bytes = rs_stats_value("floating_peak_bytes");
	ASSERT_EQ(0, rs_release(self->fd, self->ring));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(4, collect.reclaimed);
	EXPECT_EQ(objects + 4, rs_stats_value("floating_objects"));
	EXPECT_EQ(bytes + collect.bytes, rs_stats_value("floating_bytes"));
	EXPECT_EQ(peak < 4 ? 4 : peak, rs_stats_value("floating_peak_objects"));
	EXPECT_EQ(peak_bytes < collect.bytes ? collect.bytes : peak_bytes,
		  rs_stats_value("floating_peak_bytes"));
	/* The next one finds nothing. */
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(objects, rs_stats_value("floating_objects"));
	EXPECT_EQ(bytes, rs_stats_value("floating_bytes"));
	EXPECT_EQ(peak < 4 ? 4 : peak, rs_stats_value("floating_peak_objects"));
}

TEST_F(proc, saved)
{
	__u64 saved = rs_stats_value("scan_saved");
	__u64 reclaimed = rs_stats_value("scan_reclaimed");

	ASSERT_EQ(0, rs_save(self->fd, true));
	ASSERT_EQ(0, rs_release(self->fd, self->ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(saved + 4, rs_stats_value("scan_saved"));
	EXPECT_EQ(reclaimed, rs_stats_value("scan_reclaimed"));
	ASSERT_EQ(0, rs_save(self->fd, false));
	ASSERT_EQ(0, rs_drop_saved(self->fd, NULL));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(saved + 4, rs_stats_value("scan_saved"));
	EXPECT_EQ(reclaimed + 4, rs_stats_value("scan_reclaimed"));
}

/* Drops objects with slots; true once their memory is seen to wait. */
static bool see_deferred(int fd)
{
	__u64 handles[50];
	struct refstore_create_many create = {
		.handles = rs_ptr(handles),
		.count = 50,
		.nr_slots = 100,
	};

	return !rs_create_many(fd, &create) &&
	       !rs_release_many(fd, handles, create.done, NULL) &&
	       rs_stats_value("deferred_bytes");
}

/* What is dropped while a scan runs waits for its end, and no longer. */
TEST_F(proc, deferred)
{
	const unsigned int count = rs_size(20000);
	__u64 ring, again;
	pid_t child;

	EXPECT_EQ(0, rs_stats_value("deferred_bytes"));
	ASSERT_EQ(0, rs_ring(self->fd, count, 1, &ring));
	child = rs_fork_session(&self->fd);
	while (!child)
		if (rs_dup(self->fd, ring, &again) ||
		    rs_release(self->fd, again) || rs_collect(self->fd, NULL))
			_exit(1);
	EXPECT_TRUE(rs_wait_until(see_deferred(self->fd), RS_SOON));
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(0, rs_stats_value("deferred_bytes"));
}

TEST_F(proc, heaps)
{
	struct rs_figures figures, found = {};
	char *line, with_end[600];
	int other = rs_session_new(self->fd, REFSTORE_SESSION_CLONE), lines = 0;
	struct refstore_stat node, leaf;
	__u64 last = 0;

	ASSERT_LE(0, other);
	EXPECT_HEAD("heaps", "refstore-heaps 1", RS_HEAPS_COLUMNS);
	while ((line = next_line(&self->rest))) {
		snprintf(with_end, sizeof(with_end), "%s\n", line);
		ASSERT_TRUE(rs_parse_figures(with_end, &figures)) {
			TH_LOG("%s", line);
		}
		EXPECT_NE(last, figures.heap);
		last = figures.heap;
		if (figures.heap == self->query.heap) {
			found = figures;
			lines++;
		}
	}
	ASSERT_EQ(1, lines);
	EXPECT_EQ(getuid(), found.uid);
	EXPECT_EQ(2, found.sessions);
	EXPECT_EQ(8, found.handles);
	EXPECT_EQ(7, found.objects);
	EXPECT_EQ(0, found.backlog);
	ASSERT_EQ(0, rs_stat(self->fd, self->node, &node));
	ASSERT_EQ(0, rs_stat(self->fd, self->leaf, &leaf));
	EXPECT_LT(node.bytes + leaf.bytes, found.bytes);
	EXPECT_EQ(0, close(other));
	/* The scans of this heap, and what they found. */
	ASSERT_EQ(0, rs_heap_figures(self->fd, &found));
	ASSERT_EQ(0, rs_release(self->fd, self->ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_LT(found.scans, figures.scans);
	EXPECT_EQ(found.reclaimed + 4, figures.reclaimed);
}

/* A candidate is one until a scan has looked. */
TEST_F(proc, candidates)
{
	struct rs_figures figures;

	ASSERT_EQ(0, rs_settle(self->fd));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(0, figures.candidates);
}

/* A line for each type of which there are objects. */
TEST_F(proc, types)
{
	struct refstore_create create = { .data_len = 7 };
	unsigned long long heap, type, objects, bytes;
	__u64 sum_objects = 0, sum_bytes = 0, of_list = 0, of_mine = 0;
	struct rs_figures figures;
	char *line, name[64], expected[REFSTORE_TYPE_NAME_MAX];
	int end, i;

	ASSERT_EQ(0, rs_type_register(self->fd, "mine", &create.type));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rs_create(self->fd, &create));
	}
	EXPECT_HEAD("types", "refstore-types 1",
		    "# heap type name objects bytes");
	while ((line = next_line(&self->rest))) {
		end = -1;
		ASSERT_EQ(5, sscanf(line, "%llu %llu %63s %llu %llu%n", &heap,
				    &type, name, &objects, &bytes, &end));
		ASSERT_EQ(0, line[end]);
		if (heap != self->query.heap)
			continue;
		ASSERT_EQ(0, rs_type_name(self->fd, type, expected));
		EXPECT_STREQ(expected, name);
		sum_objects += objects;
		sum_bytes += bytes;
		if (type == REFSTORE_TYPE_LIST)
			of_list += objects;
		if (type == create.type)
			of_mine += objects;
	}
	EXPECT_EQ(1, of_list);
	EXPECT_EQ(3, of_mine);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(figures.objects, sum_objects);
	EXPECT_EQ(figures.bytes, sum_bytes);
}

/* The last scans; the one that freed the ring is among them. */
TEST_F(proc, scans)
{
	static const char format[] = "%llu %llu %63s %llu %llu %llu %llu %llu "
				     "%llu %u%n";
	unsigned long long heap, scan, visited, reclaimed, bytes, aborted;
	unsigned long long nanoseconds, ended;
	unsigned int generation;
	char *line, trigger[64];
	__u64 found = 0;
	int end;

	ASSERT_EQ(0, rs_release(self->fd, self->ring));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_HEAD("scans", "refstore-scans 1",
		    "# heap scan trigger visited reclaimed bytes aborted "
		    "nanoseconds ended generation");
	while ((line = next_line(&self->rest))) {
		end = -1;
		ASSERT_EQ(10, sscanf(line, format, &heap, &scan, trigger,
				     &visited, &reclaimed, &bytes, &aborted,
				     &nanoseconds, &ended, &generation,
				     &end)) {
			TH_LOG("%s", line);
		}
		ASSERT_EQ(0, line[end]);
		if (heap != self->query.heap)
			continue;
		EXPECT_LE(reclaimed, visited);
		EXPECT_EQ(REFSTORE_GENERATIONS - 1, generation);
		found += reclaimed;
	}
	EXPECT_EQ(4, found);
}

/* Read by single bytes and in pieces a file is the same as at once. */
TEST_F(proc, read_in_pieces)
{
	char *whole, piece[7], *pieces = calloc(1, ROOM);
	int fd = open(RS_PROC "types", O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got;

	ASSERT_LE(0, fd);
	whole = slurp(RS_PROC "types");
	while ((got = read(fd, piece, sizeof(piece))) > 0) {
		memcpy(pieces + length, piece, got);
		length += got;
	}
	EXPECT_EQ(0, got);
	EXPECT_STREQ(whole, pieces);
	EXPECT_EQ(0, close(fd));
	free(whole);
	free(pieces);
}

/* Heaps that come and go while the files are read. */
TEST_F(proc, while_heaps_come_and_go)
{
	struct rs_figures figures;
	pid_t child = rs_fork();
	__u64 handle;
	int turn, fd;

	while (!child) {
		fd = rs_open();
		if (fd < 0 || rs_node(fd, 1, NULL, &handle) || close(fd))
			_exit(1);
	}
	for (turn = 0; turn < 200; turn++) {
		ASSERT_EQ(0, rs_figures(self->query.heap, &figures));
		EXPECT_EQ(7, figures.objects);
		free(slurp(RS_PROC "types"));
		free(slurp(RS_PROC "scans"));
		ASSERT_NE(~0ULL, rs_stats_value("objects"));
	}
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* --- fdinfo ----------------------------------------------------------- */

static __u64 fdinfo_value(int fd, const char *name)
{
	char path[64], *text, *rest, *line, word[64];
	__u64 value, found = ~0ULL;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	text = rest = slurp(path);
	while ((line = next_line(&rest)))
		if (sscanf(line, "%63s %llu", word, &value) == 2 &&
		    !strcmp(word, name))
			found = value;
	free(text);
	return found;
}

TEST_F(proc, fdinfo)
{
	struct refstore_query query;
	int other = rs_session_new(self->fd, 0);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_query(other, &query));
	EXPECT_EQ(self->query.heap, fdinfo_value(self->fd, "heap:"));
	EXPECT_EQ(self->query.session, fdinfo_value(self->fd, "session:"));
	EXPECT_EQ(4, fdinfo_value(self->fd, "handles:"));
	EXPECT_EQ(query.heap, fdinfo_value(other, "heap:"));
	EXPECT_EQ(query.session, fdinfo_value(other, "session:"));
	EXPECT_EQ(0, fdinfo_value(other, "handles:"));
	EXPECT_EQ(0, close(other));
}

/* --- Who may see what ------------------------------------------------- */

/* Another user, who may open the device whatever its mode is. */
static int become_nobody(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {};

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) ||
	    setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	data[0].effective = data[0].permitted = 1 << CAP_DAC_OVERRIDE;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/*
 * Of one's own heaps, what floated is known to the object: rings of four and of
 * two. Returns 0, or what is wrong.
 */
static int look_at_floating(int fd)
{
	struct refstore_collect four, two;
	__u64 ring;

	if (rs_manual(fd) || rs_ring(fd, 4, 1, &ring) || rs_release(fd, ring) ||
	    rs_collect(fd, &four) || four.reclaimed != 4)
		return 20;
	if (rs_stats_value("floating_objects") != 4 ||
	    rs_stats_value("floating_bytes") != four.bytes)
		return 21;
	if (rs_ring(fd, 2, 1, &ring) || rs_release(fd, ring) ||
	    rs_collect(fd, &two) || two.reclaimed != 2)
		return 22;
	if (rs_stats_value("floating_objects") != 2 ||
	    rs_stats_value("floating_bytes") != two.bytes)
		return 23;
	if (rs_stats_value("floating_peak_objects") != 4 ||
	    rs_stats_value("floating_peak_bytes") != four.bytes)
		return 24;
	return 0;
}

/* In a child: what that user sees. Returns 0, or what is wrong. */
static int look_around(int others_fd, __u64 others_heap)
{
	struct rs_figures figures;
	char *text, *rest, *line;
	unsigned long long heap;
	__u64 handle, own;
	int fd, ret = 0;

	if (become_nobody())
		return 1;
	fd = rs_open();
	if (fd < 0 || rs_leaf(fd, NULL, 10, &handle))
		return 2;
	own = rs_heap_number(fd);
	if (rs_figures(own, &figures) || figures.uid != NOBODY ||
	    figures.objects != 1)
		return 3;
	if (rs_figures(others_heap, &figures) != -ENOENT)
		return 4;
	/* One's own heaps only, in the totals and by type as well. */
	if (rs_stats_value("heaps") != 1 || rs_stats_value("objects") != 1 ||
	    rs_stats_value("handles") != 1)
		return 5;
	text = rest = slurp(RS_PROC "types");
	while ((line = next_line(&rest)))
		if (sscanf(line, "%llu", &heap) == 1 && heap != own)
			ret = 6;
	free(text);
	text = rest = slurp(RS_PROC "scans");
	while ((line = next_line(&rest)))
		if (sscanf(line, "%llu", &heap) == 1 && heap != own)
			ret = 7;
	free(text);
	/* A session that was handed over works all the same. */
	if (rs_leaf(others_fd, NULL, 1, &handle) ||
	    rs_release(others_fd, handle))
		ret = 8;
	return ret ? ret : look_at_floating(fd);
}

TEST_F(proc, other_users)
{
	struct rs_figures figures;
	pid_t child;

	if (geteuid())
		SKIP(return, "root only");
	/* A scan of ours, so that there is a line which is not to be seen. */
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	child = rs_fork();
	if (!child)
		_exit(look_around(self->fd, self->query.heap));
	EXPECT_EQ(0, rs_wait_child(child));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(0, figures.uid);
}

/* Root sees the heaps of all. */
TEST_F(proc, root_sees_all)
{
	struct rs_figures figures;
	__u64 heap = 0;
	int ends[2], back[2], fd;
	char byte = 0;
	pid_t child;

	if (geteuid())
		SKIP(return, "root only");
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, pipe(back));
	child = rs_fork();
	if (!child) {
		if (become_nobody())
			_exit(1);
		fd = rs_open();
		heap = rs_heap_number(fd);
		if (write(ends[1], &heap, sizeof(heap)) != sizeof(heap) ||
		    read(back[0], &byte, 1) != 1)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(sizeof(heap), read(ends[0], &heap, sizeof(heap)));
	ASSERT_EQ(0, rs_figures(heap, &figures));
	EXPECT_EQ(NOBODY, figures.uid);
	EXPECT_EQ(1, figures.sessions);
	ASSERT_EQ(1, write(back[1], &byte, 1));
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
}

TEST_HARNESS_MAIN
