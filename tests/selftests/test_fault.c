// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations and copies that fail: each one in turn, in every command.
 *
 * The kernel counts down /proc/self/fail-nth at each place where a fault can be
 * injected (slab and page allocations, copies from and to the caller) and lets
 * the one that gets to zero fail. A call is made again and again, each time on
 * a heap of its own, until it has run out of such places. Each time it must say
 * ENOMEM or EFAULT and have changed nothing, or have coped; and the heap must
 * end without a trace.
 *
 * What one part of a call does, the next does as well: of many places, the later
 * ones are tried more thinly, but with REFSTORE_LONG=1.
 */
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "refstore_heap.h"

/* More than this many places in one call are a loop. */
#define MOST 2000

/* So many first places are tried one by one. */
#define FIRST 5

#define DEBUGFS "/sys/kernel/debug"

/* Where heaps with names are. */
#define PLACE "/tmp/refstore-fault"
#define NAMED PLACE "/heap"
#define RENAMED PLACE "/renamed"
#define FOLDER PLACE "/folder"

/* A user who has nothing else of refstore. */
#define ANOTHER 12347

static void write_file(const char *directory, const char *file,
		       const char *value)
{
	char name[400];
	int fd;

	snprintf(name, sizeof(name), DEBUGFS "/%s/%s", directory, file);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(name);
	close(fd);
}

/* NULL, or why faults cannot be injected. */
static const char *set_up_faults(void)
{
	DIR *debugfs = opendir(DEBUGFS);
	struct dirent *entry;

	if (access("/proc/self/fail-nth", R_OK | W_OK))
		return "the kernel has no /proc/self/fail-nth";
	if (!debugfs || access(DEBUGFS "/failslab/ignore-gfp-wait", W_OK)) {
		if (debugfs)
			closedir(debugfs);
		return "no " DEBUGFS "/failslab/ignore-gfp-wait";
	}
	write_file("failslab", "ignore-gfp-wait", "N");
	write_file("failslab", "cache-filter", "N");
	write_file("fail_page_alloc", "ignore-gfp-wait", "N");
	write_file("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_file("fail_page_alloc", "min-order", "0");
	/* The log is for what goes wrong. */
	while ((entry = readdir(debugfs)))
		if (!strncmp(entry->d_name, "fail", 4))
			write_file(entry->d_name, "verbose", "0");
	closedir(debugfs);
	return NULL;
}

enum { SLOTS = 700, MANY = 200, LONG = 20000, CHAIN = 100, PART = 64 };

/* Of a large value: it takes some pages, and no end of places. */
enum { LARGE = 5 * 4096 };

FIXTURE(fault)
{
	int nth_fd;
	__u64 objects, handles, bytes, heaps, sessions;

	/* Made anew for each try. */
	int fd, other, opened, export, memfd, mapped;
	__u64 heap;
	__u64 node, leaf, wide, chain, ring, weak, large;
	__u32 done;
	__u64 slots[SLOTS];
	struct refstore_op ops[MANY];
	struct refstore_walk_object entries[50];
	char data[LONG];
};

FIXTURE_VARIANT(fault)
{
	int (*call)(FIXTURE_DATA(fault) *self);
	/* What must have been done before; NULL: nothing. */
	int (*prepare)(FIXTURE_DATA(fault) *self);
	/*
	 * What was done before an answer could not be given stands; and no
	 * handle is one that the caller was not told.
	 */
	bool stands;
};

#define CALL(name) static int call_##name(FIXTURE_DATA(fault) *self)

CALL(open)
{
	self->opened = rs_open();
	return self->opened < 0 ? self->opened : 0;
}

CALL(query)
{
	struct refstore_query query;

	return rs_query(self->fd, &query);
}

CALL(create_leaf)
{
	return rs_leaf(self->fd, self->data, 40, &self->slots[0]);
}

CALL(create_long)
{
	return rs_leaf(self->fd, self->data, LONG, &self->slots[0]);
}

CALL(create_node)
{
	__u64 slots[3] = { self->leaf, 0, self->node };

	return rs_node(self->fd, 3, slots, &self->slots[0]);
}

CALL(create_wide)
{
	struct refstore_create create = {
		.data = rs_ptr(self->data),
		.data_len = LONG,
		.nr_slots = SLOTS,
		.slots = rs_ptr(self->slots),
	};

	return rs_create(self->fd, &create);
}

/* As a program that was built when the struct was shorter does it. */
CALL(query_older)
{
	struct refstore_query query = {
		.size = offsetof(struct refstore_query, rights),
	};

	return ioctl(self->fd, REFSTORE_QUERY, &query) ? -errno : 0;
}

CALL(dup)
{
	return rs_dup(self->fd, self->leaf, &self->slots[0]);
}

/* Enough for the table of handles to grow. */
CALL(dup_many)
{
	struct refstore_batch batch;
	int i;

	for (i = 0; i < MANY; i++)
		self->ops[i] = op_dup(self->leaf);
	return rs_batch(self->fd, 0, self->ops, MANY, &batch);
}

CALL(release)
{
	return rs_release(self->fd, self->leaf);
}

CALL(release_chain)
{
	return rs_release(self->fd, self->chain);
}

/* Makes a candidate for the scanner. */
CALL(release_ring)
{
	return rs_release(self->fd, self->ring);
}

CALL(get_slot)
{
	return rs_get_slot(self->fd, self->node, 0, &self->slots[0]);
}

CALL(set_slot)
{
	return rs_set_slot(self->fd, self->node, 0, self->node);
}

CALL(cas_slot)
{
	return rs_cas_slot(self->fd, self->node, 0, self->leaf, self->ring);
}

CALL(read_slots)
{
	return rs_read_slots(self->fd, self->wide, 0, SLOTS, self->slots,
			     &self->done);
}

CALL(write_slots)
{
	return rs_write_slots(self->fd, self->wide, 0, SLOTS, self->slots,
			      &self->done);
}

CALL(peek_slots)
{
	return rs_peek_slots(self->fd, self->wide, 0, SLOTS, self->slots,
			     &self->done);
}

CALL(copy_slots)
{
	return rs_copy_slots(self->fd, self->wide, SLOTS / 2, self->wide, 0,
			     REFSTORE_MAX_COPY);
}

CALL(cas_many)
{
	struct refstore_cas_entry entries[] = {
		{ .object = self->node, .value = self->node,
		  .expected = rs_slot_id(self->fd, self->node, 0), },
		{ .object = self->wide, .value = self->node,
		  .expected = rs_slot_id(self->fd, self->wide, 0), },
	};

	return rs_cas_many(self->fd, entries, ARRAY_SIZE(entries));
}

/* More than the kernel has room for on its stack. */
CALL(cas_more)
{
	struct refstore_cas_entry entries[20];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = (struct refstore_cas_entry){
			.object = self->wide,
			.value = self->node,
			.index = i,
			.expected = rs_slot_id(self->fd, self->wide, i),
		};
	return rs_cas_many(self->fd, entries, ARRAY_SIZE(entries));
}

CALL(resize_up)
{
	return rs_resize(self->fd, self->node, SLOTS);
}

CALL(resize_down)
{
	return rs_resize(self->fd, self->wide, 2);
}

CALL(read)
{
	return rs_read(self->fd, self->leaf, 0, LONG, self->data, &self->done);
}

CALL(prepare_sealed)
{
	return rs_seal(self->fd, self->leaf, REFSTORE_SEAL_DATA);
}

CALL(read_sealed)
{
	return call_read(self);
}

CALL(write)
{
	return rs_write(self->fd, self->leaf, 0, LONG, self->data, &self->done);
}

CALL(seal)
{
	return rs_seal(self->fd, self->node, REFSTORE_SEAL_SLOTS);
}

CALL(stat)
{
	struct refstore_stat stat;

	return rs_stat(self->fd, self->node, &stat);
}

CALL(get_root)
{
	return rs_get_root(self->fd, &self->slots[0]);
}

CALL(set_root)
{
	return rs_set_root(self->fd, self->leaf);
}

CALL(cas_root)
{
	return rs_cas_root(self->fd, self->node, self->leaf);
}

CALL(session_new)
{
	self->opened = rs_session_new(self->fd, 0);
	return self->opened < 0 ? self->opened : 0;
}

CALL(clone)
{
	self->opened = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
	return self->opened < 0 ? self->opened : 0;
}

CALL(close)
{
	int fd = self->other;

	self->other = -1;
	return close(fd) ? -errno : 0;
}

CALL(type_register)
{
	__u32 type;

	return rs_type_register(self->fd, "some-type", &type);
}

CALL(type_name)
{
	char name[REFSTORE_TYPE_NAME_MAX];

	return rs_type_name(self->fd, REFSTORE_TYPE_LIST, name);
}

CALL(collect)
{
	struct refstore_collect collect;

	return rs_collect(self->fd, &collect);
}

CALL(walk)
{
	struct refstore_walk walk = {
		.what = REFSTORE_WALK_EDGES,
		.capacity = 50,
		.entries = rs_ptr(self->entries),
	};

	return rs_walk(self->fd, &walk);
}

CALL(walk_mint)
{
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.what = REFSTORE_WALK_OBJECTS,
		.capacity = 50,
		.entries = rs_ptr(self->entries),
	};

	return rs_walk(self->fd, &walk);
}

CALL(batch)
{
	struct refstore_batch batch;
	unsigned int i;

	/* More than one part. */
	for (i = 0; i < 80; i += 4) {
		self->slots[i] = REFSTORE_RESULT(i);
		self->slots[i + 1] = self->leaf;
		self->ops[i] = op_create(1, &self->slots[i + 1]);
		self->ops[i + 1] = op_create(2, &self->slots[i]);
		self->ops[i + 2] = op_set_slot(REFSTORE_RESULT(i), 0,
					       REFSTORE_RESULT(i + 1));
		self->ops[i + 3] = op_release(REFSTORE_RESULT(i));
	}
	return rs_batch(self->fd, 0, self->ops, i, &batch);
}

/* In more than one part. */
CALL(create_many)
{
	struct refstore_create_many create = {
		.data = rs_ptr(self->data),
		.handles = rs_ptr(self->slots),
		.count = PART + 2,
		.data_len = 100,
		.nr_slots = 2,
	};

	return rs_create_many(self->fd, &create);
}

CALL(create_many_leaves)
{
	struct refstore_create_many create = {
		.data = rs_ptr(self->data),
		.handles = rs_ptr(self->slots),
		.count = PART + 2,
		.data_len = 40,
	};

	return rs_create_many(self->fd, &create);
}

/* The last ones take much with them, and make a candidate. */
CALL(prepare_release_many)
{
	self->slots[PART] = self->chain;
	self->slots[PART + 1] = self->wide;
	self->slots[PART + 2] = self->ring;
	return rs_repeat(self->fd, op_dup(self->leaf), PART, self->slots);
}

CALL(release_many)
{
	return rs_release_many(self->fd, self->slots, PART + 3, &self->done);
}

/* The object's first one, which costs the heap something even if it fails. */
CALL(weak_first)
{
	return rs_weak(self->fd, self->node, 0, 0, &self->slots[0]);
}

CALL(weak)
{
	return rs_weak(self->fd, self->leaf, 0, 0, &self->slots[0]);
}

CALL(weak_notify)
{
	return rs_weak(self->fd, self->weak, REFSTORE_WEAK_NOTIFY, 7,
		       &self->slots[0]);
}

CALL(upgrade)
{
	return rs_upgrade(self->fd, self->weak, &self->slots[0]);
}

/* A session's first wish to be told of scans needs room for events. */
CALL(watch_scans)
{
	return rs_watch_scans(self->fd, true);
}

CALL(tune)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_SAVE | REFSTORE_TUNE_EVENTS |
			 REFSTORE_TUNE_DELAY | REFSTORE_TUNE_THRESHOLD,
		.save = 1,
		.events = 1,
		.threshold = { 1000000, 100, 100 },
		.delay = { 1000000, 1000000, 1000000 },
	};

	return rs_tune(self->fd, &tune);
}

CALL(generation)
{
	struct refstore_generation figures;

	return rs_generation(self->fd, 1, &figures);
}

CALL(freeze)
{
	return rs_freeze(self->fd, REFSTORE_FREEZE_ALL, NULL);
}

CALL(unfreeze)
{
	return rs_freeze(self->fd, REFSTORE_FREEZE_NONE, NULL);
}

CALL(prepare_drop_saved)
{
	__u64 ring;

	return rs_save(self->fd, true) ?: rs_ring(self->fd, 100, 1, &ring) ?:
	       rs_release(self->fd, ring) ?: rs_collect(self->fd, NULL);
}

CALL(drop_saved)
{
	return rs_drop_saved(self->fd, NULL);
}

CALL(restrict)
{
	return rs_restrict(self->fd, REFSTORE_RIGHTS);
}

CALL(prepare_export)
{
	self->export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	return self->export < 0 ? self->export : 0;
}

CALL(export)
{
	self->opened = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	return self->opened < 0 ? self->opened : 0;
}

CALL(import)
{
	return rs_import(self->fd, self->export, &self->slots[0]);
}

CALL(open_export)
{
	__u64 object;

	self->opened = rs_open_export(self->export, &object);
	return self->opened < 0 ? self->opened : 0;
}

CALL(prepare_adopt)
{
	self->memfd = rs_memfd(LARGE);
	return self->memfd < 0 ? self->memfd : 0;
}

/* Pages that were made stay with the memfd, which nothing else looks at. */
CALL(adopt)
{
	return rs_adopt(self->fd, self->memfd, REFSTORE_TYPE_BYTES,
			&self->slots[0]);
}

/* A value that is all holes again, for its pages to be made by the call. */
CALL(prepare_large)
{
	int ret = call_prepare_adopt(self);

	if (!ret)
		ret = rs_adopt(self->fd, self->memfd, REFSTORE_TYPE_BYTES,
			       &self->large);
	if (ret)
		return ret;
	return fallocate(self->memfd, FALLOC_FL_PUNCH_HOLE |
			 FALLOC_FL_KEEP_SIZE, 0, LARGE) ? -errno : 0;
}

CALL(map)
{
	self->mapped = rs_map(self->fd, self->large, REFSTORE_MAP_WRITE);
	return self->mapped < 0 ? self->mapped : 0;
}

CALL(read_large)
{
	return rs_read(self->fd, self->large, LARGE - LONG, LONG, self->data,
		       &self->done);
}

CALL(write_large)
{
	return rs_write(self->fd, self->large, LARGE - LONG, LONG, self->data,
			&self->done);
}

CALL(seal_memfd)
{
	return fcntl(self->memfd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0;
}

CALL(prepare_seal_large)
{
	return call_prepare_large(self) ?: call_seal_memfd(self);
}

CALL(seal_large)
{
	return rs_seal(self->fd, self->large, REFSTORE_SEAL_DATA);
}

/* A place of our own; and what was there is in nobody's way. */
CALL(prepare_named)
{
	static bool mounted;

	(void)self;
	if (mounted)
		return 0;
	mkdir(PLACE, 0700);
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", PLACE, "refstore", 0, NULL))
		return -errno;
	mounted = true;
	return 0;
}

CALL(create_named)
{
	self->opened = open(NAMED, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return self->opened < 0 ? -errno : 0;
}

/* Somebody who has no account yet. */
CALL(open_as_another)
{
	setfsuid(ANOTHER);
	self->opened = rs_open();
	/* That can be what fails, and does not say so. */
	while (setfsuid(-1))
		setfsuid(0);
	return self->opened < 0 ? self->opened : 0;
}

CALL(prepare_open_as_another)
{
	(void)self;
	return chmod(RS_DEVICE, 0666) ? -errno : 0;
}

CALL(chown)
{
	(void)self;
	return chown(NAMED, ANOTHER, -1) ? -errno : 0;
}

CALL(prepare_chown)
{
	int ret = call_prepare_named(self);

	unlink(NAMED);
	return ret ? ret : call_create_named(self);
}

CALL(intern)
{
	struct refstore_create create = {
		.flags = REFSTORE_CREATE_INTERN,
		.type = REFSTORE_TYPE_NONE,
	};
	int ret = rs_create(self->fd, &create);

	self->slots[0] = create.result;
	return ret;
}

CALL(immortal)
{
	struct refstore_create create = {
		.flags = REFSTORE_CREATE_IMMORTAL,
		.nr_slots = 40,
	};
	int ret = rs_create(self->fd, &create);

	self->slots[0] = create.result;
	return ret;
}

CALL(label)
{
	struct refstore_label args = {
		.size = sizeof(args),
		.what = REFSTORE_LABEL_OBJECT,
		.object = self->leaf,
		.label = "a leaf",
	};

	return rs_call(self->fd, REFSTORE_LABEL, &args);
}

CALL(limit)
{
	struct refstore_limit limit;

	return rs_limit(self->fd, REFSTORE_LIMIT_USER_OBJECTS, &limit);
}

CALL(mount)
{
	(void)self;
	if (mount("none", PLACE, "refstore", 0, "size=1m,max_heaps=5"))
		return -errno;
	return umount(PLACE) ? -errno : 0;
}

/* Whatever the last try left there. */
CALL(prepare_names)
{
	int ret = call_prepare_named(self);

	unlink(NAMED);
	unlink(RENAMED);
	rmdir(FOLDER);
	return ret ? ret : call_create_named(self);
}

CALL(rename)
{
	(void)self;
	return rename(NAMED, RENAMED) ? -errno : 0;
}

CALL(link)
{
	(void)self;
	return link(NAMED, RENAMED) ? -errno : 0;
}

CALL(unlink)
{
	(void)self;
	return unlink(NAMED) ? -errno : 0;
}

CALL(mkdir)
{
	(void)self;
	return mkdir(FOLDER, 0700) ? -errno : 0;
}

CALL(list)
{
	DIR *directory = opendir(PLACE);
	int ret;

	(void)self;
	if (!directory)
		return -errno;
	do {
		errno = 0;
	} while (readdir(directory));
	ret = -errno;
	closedir(directory);
	return ret;
}

/* A folder of its own, as an unmounted file system is gone. */
CALL(prepare_unmount)
{
	int ret = call_prepare_names(self);

	if (ret || (mkdir(FOLDER, 0700) && errno != EEXIST))
		return ret ? ret : -errno;
	umount(FOLDER);
	return mount("none", FOLDER, "refstore", 0, NULL) ? -errno : 0;
}

CALL(unmount)
{
	(void)self;
	return umount(FOLDER) ? -errno : 0;
}

static int read_whole(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), ret = 0;
	char buffer[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buffer, sizeof(buffer));
		ret = n < 0 ? -errno : 0;
	} while (n > 0);
	close(fd);
	return ret;
}

CALL(read_proc)
{
	static const char *const files[] = {
		RS_PROC "stats", RS_PROC "heaps", RS_PROC "types",
		RS_PROC "scans", RS_PROC "users",
	};
	int ret = 0;
	size_t i;

	(void)self;
	for (i = 0; i < ARRAY_SIZE(files) && !ret; i++)
		ret = read_whole(files[i]);
	return ret;
}

/* Somebody waits to hear of a death, and reads of it. */
CALL(prepare_read_event)
{
	__u64 leaf, weak;

	return rs_leaf(self->fd, "x", 1, &leaf) ?:
	       rs_weak(self->fd, leaf, REFSTORE_WEAK_NOTIFY, 1, &weak) ?:
	       rs_release(self->fd, leaf);
}

CALL(read_event)
{
	struct refstore_event event;
	struct pollfd wait = { .fd = self->fd, .events = POLLIN };

	if (poll(&wait, 1, -1) < 0)
		return -errno;
	return read(self->fd, &event, sizeof(event)) < 0 ? -errno : 0;
}

#define VARIANT(name, ...)						\
	FIXTURE_VARIANT_ADD(fault, name) { .call = call_##name, __VA_ARGS__ }
VARIANT(open);
VARIANT(query);
VARIANT(query_older);
VARIANT(create_leaf);
VARIANT(create_long);
VARIANT(create_node);
VARIANT(create_wide);
VARIANT(dup);
VARIANT(dup_many, .stands = true);
VARIANT(release);
VARIANT(release_chain);
VARIANT(release_ring);
VARIANT(get_slot);
VARIANT(set_slot);
VARIANT(cas_slot);
VARIANT(read_slots, .stands = true);
VARIANT(write_slots, .stands = true);
VARIANT(peek_slots, .stands = true);
VARIANT(copy_slots);
VARIANT(cas_many);
VARIANT(cas_more);
VARIANT(resize_up);
VARIANT(resize_down);
VARIANT(read);
VARIANT(read_sealed, .prepare = call_prepare_sealed);
VARIANT(write);
VARIANT(seal);
VARIANT(stat);
VARIANT(get_root);
VARIANT(set_root);
VARIANT(cas_root);
VARIANT(session_new);
VARIANT(clone);
VARIANT(close);
VARIANT(type_register);
VARIANT(type_name);
VARIANT(collect);
VARIANT(walk);
VARIANT(walk_mint, .stands = true);
VARIANT(batch, .stands = true);
VARIANT(create_many, .stands = true);
VARIANT(create_many_leaves, .stands = true);
VARIANT(release_many, .prepare = call_prepare_release_many, .stands = true);
VARIANT(weak_first, .stands = true);
VARIANT(weak);
VARIANT(weak_notify);
VARIANT(upgrade);
VARIANT(watch_scans);
VARIANT(tune);
VARIANT(generation);
VARIANT(freeze);
VARIANT(unfreeze, .prepare = call_freeze);
VARIANT(drop_saved, .prepare = call_prepare_drop_saved);
VARIANT(restrict);
VARIANT(export);
VARIANT(import, .prepare = call_prepare_export);
VARIANT(open_export, .prepare = call_prepare_export);
VARIANT(adopt, .prepare = call_prepare_adopt);
VARIANT(map, .prepare = call_prepare_large);
VARIANT(read_large, .prepare = call_prepare_large);
VARIANT(write_large, .prepare = call_prepare_large);
VARIANT(seal_large, .prepare = call_prepare_seal_large);
VARIANT(create_named, .prepare = call_prepare_named);
VARIANT(chown, .prepare = call_prepare_chown);
VARIANT(open_as_another, .prepare = call_prepare_open_as_another);
VARIANT(limit);
VARIANT(label);
VARIANT(intern);
VARIANT(immortal);
VARIANT(mount, .prepare = call_prepare_named);
VARIANT(rename, .prepare = call_prepare_names);
VARIANT(link, .prepare = call_prepare_names);
VARIANT(unlink, .prepare = call_prepare_names);
VARIANT(mkdir, .prepare = call_prepare_names);
VARIANT(list, .prepare = call_prepare_names);
VARIANT(unmount, .prepare = call_prepare_unmount);
VARIANT(read_proc);
VARIANT(read_event, .prepare = call_prepare_read_event);

FIXTURE_SETUP(fault)
{
	self->nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth_fd);
	self->heaps = rs_stats_value("heaps");
	self->sessions = rs_stats_value("sessions");
	self->handles = rs_stats_value("handles");
	self->objects = rs_stats_value("objects");
	self->bytes = rs_stats_value("bytes");
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, close(self->nth_fd));
#define EXPECT_BACK(what) \
	EXPECT_TRUE(rs_wait_until(rs_stats_value(#what) == self->what, RS_SOON))
	EXPECT_BACK(heaps);
	EXPECT_BACK(sessions);
	EXPECT_BACK(handles);
	EXPECT_BACK(objects);
	EXPECT_BACK(bytes);
#undef EXPECT_BACK
}

/* The nth place from now on fails. */
static int arm(FIXTURE_DATA(fault) *self, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(self->nth_fd, text, length, 0) == length ? 0 : -errno;
}

/*
 * Whether a place failed since then. Reading that is one more of them: then no
 * place of the call was it.
 */
static bool disarm(FIXTURE_DATA(fault) *self)
{
	char text[16] = "";
	ssize_t length = pread(self->nth_fd, text, sizeof(text), 0);
	int tries;

	for (tries = 0; tries < 3; tries++)
		if (pwrite(self->nth_fd, "0", 1, 0) == 1)
			break;
	return length > 0 && !strcmp(text, "0\n");
}

/* The place to try after the nth, of which nr_tried were tried. */
static unsigned int next_place(unsigned int nth, unsigned int *nr_tried)
{
	++*nr_tried;
	return nth + (rs_env("REFSTORE_LONG", 0) ? 1 : 1 + nth / FIRST);
}

static void make_heap(struct __test_metadata *_metadata,
		      FIXTURE_DATA(fault) *self)
{
	__u64 first, handle;
	int i;

	self->opened = -1;
	self->export = -1;
	self->memfd = -1;
	self->mapped = -1;
	self->large = 0;
	memset(self->ops, 0, sizeof(self->ops));
	memset(self->entries, 0, sizeof(self->entries));
	memset(self->data, 0, sizeof(self->data));
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, LONG, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, &self->leaf, &self->node));
	ASSERT_EQ(0, rs_set_root(self->fd, self->node));
	for (i = 0; i < SLOTS; i++)
		self->slots[i] = i % 2 ? self->leaf : self->node;
	ASSERT_EQ(0, rs_node(self->fd, SLOTS, self->slots, &self->wide));
	ASSERT_EQ(0, rs_chain(self->fd, CHAIN, 2, &first, &self->chain));
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &self->ring));
	ASSERT_EQ(0, rs_weak(self->fd, self->leaf, 0, 0, &self->weak));
	self->other = rs_session_new(self->fd, 0);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, rs_leaf(self->other, NULL, 5000, &handle));
	ASSERT_EQ(0, rs_ring(self->other, 3, 1, &handle));
}

static void end_heap(struct __test_metadata *_metadata,
		     FIXTURE_DATA(fault) *self)
{
	EXPECT_EQ(0, close(self->fd));
	if (self->other >= 0)
		EXPECT_EQ(0, close(self->other));
	if (self->opened >= 0)
		EXPECT_EQ(0, close(self->opened));
	if (self->export >= 0)
		EXPECT_EQ(0, close(self->export));
	if (self->memfd >= 0)
		EXPECT_EQ(0, close(self->memfd));
	if (self->mapped >= 0)
		EXPECT_EQ(0, close(self->mapped));
	umount(FOLDER);
	rmdir(FOLDER);
	unlink(NAMED);
	unlink(RENAMED);
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* Handles that the caller can know of, from what it was answered so far. */
static size_t known_handles(FIXTURE_DATA(fault) *self)
{
	__u64 *words = calloc(SLOTS + MANY + ARRAY_SIZE(self->entries) + 5,
			      sizeof(*words));
	size_t nr = 0, known = 0, i;

	words[nr++] = self->node;
	words[nr++] = self->leaf;
	words[nr++] = self->wide;
	words[nr++] = self->chain;
	words[nr++] = self->ring;
	for (i = 0; i < SLOTS; i++)
		words[nr++] = self->slots[i];
	for (i = 0; i < MANY; i++)
		words[nr++] = self->ops[i].dup.result;
	for (i = 0; i < ARRAY_SIZE(self->entries); i++)
		words[nr++] = self->entries[i].handle;
	qsort(words, nr, sizeof(*words), rs_compare_words);
	for (i = 0; i < nr; i++)
		if ((!i || words[i] != words[i - 1]) &&
		    rs_id(self->fd, words[i]))
			known++;
	free(words);
	return known;
}

static void check_failure(struct __test_metadata *_metadata,
			  FIXTURE_DATA(fault) *self,
			  const FIXTURE_VARIANT(fault) *variant, int ret,
			  struct rs_before *before)
{
	struct rs_heap heap;

	/* What was made and had to be dropped again may be large. */
	ASSERT_TRUE(rs_wait_until(rs_no_backlog(self->fd), RS_SOON));
	if (ret) {
		EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT) {
			TH_LOG("%d: %s", ret, strerror(-ret));
		}
		if (!variant->stands)
			EXPECT_TRUE(rs_unchanged(self->fd, before));
	}
	ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	/* Two of the handles are the other session's. */
	if (variant->stands)
		EXPECT_EQ(2 + known_handles(self), heap.nr_handles);
	rs_heap_free(&heap);
}

TEST_F_TIMEOUT(fault, each, RS_TIMEOUT_LONG)
{
	struct rs_before before;
	unsigned int nth, tried = 0, failed = 0;
	bool injected;
	int ret;

	for (nth = 1; nth < MOST; nth = next_place(nth, &tried)) {
		make_heap(_metadata, self);
		if (variant->prepare)
			ASSERT_EQ(0, variant->prepare(self));
		ASSERT_EQ(0, rs_before(self->fd, &before));
		ASSERT_EQ(0, arm(self, nth));
		ret = variant->call(self);
		injected = disarm(self);
		if (injected)
			check_failure(_metadata, self, variant, ret, &before);
		else
			EXPECT_EQ(0, ret);
		failed += injected && ret;
		rs_before_free(&before);
		end_heap(_metadata, self);
		if (!injected || _metadata->exit_code)
			break;
	}
	TH_LOG("%u of %u places, %u of them fatal", tried, nth - 1, failed);
	EXPECT_GT(MOST, nth);
}

/* --- All of it, from the opening to the closing ----------------------- */

static int (* const calls[])(FIXTURE_DATA(fault) *self) = {
	call_query, call_create_leaf, call_create_node, call_dup, call_get_slot,
	call_set_slot, call_cas_slot, call_resize_up, call_resize_down,
	call_read, call_write, call_seal, call_stat, call_get_root,
	call_set_root, call_cas_root, call_type_register, call_type_name,
	call_walk_mint, call_session_new, call_weak_first, call_weak_notify,
	call_upgrade, call_tune, call_generation, call_freeze,
	call_create_many, call_release_ring, call_collect, call_unfreeze,
	call_collect, call_drop_saved, call_release_many, call_prepare_export,
	call_import, call_prepare_large, call_map, call_read_large,
	call_write_large, call_seal_memfd, call_seal_large, call_restrict,
	call_release, call_close,
};

FIXTURE(scenario)
{
	FIXTURE_DATA(fault) fault;
};

FIXTURE_SETUP(scenario)
{
	fault_setup(_metadata, &self->fault, NULL);
}

FIXTURE_TEARDOWN(scenario)
{
	fault_teardown(_metadata, &self->fault, NULL);
}

/*
 * One after the other, whatever the one before it said: no failure leaves
 * something behind on which another command trips.
 */
TEST_F_TIMEOUT(scenario, all_commands, RS_TIMEOUT_LONG)
{
	FIXTURE_DATA(fault) *fault = &self->fault;
	struct rs_heap heap;
	unsigned int nth, tried = 0;
	bool injected;
	size_t i;

	for (nth = 1; nth < MOST; nth = next_place(nth, &tried)) {
		make_heap(_metadata, fault);
		ASSERT_EQ(0, arm(fault, nth));
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			calls[i](fault);
		injected = disarm(fault);
		ASSERT_TRUE(rs_wait_until(rs_no_backlog(fault->fd), RS_SOON));
		ASSERT_EQ(0, rs_heap_walk(fault->fd, &heap));
		EXPECT_TRUE(rs_heap_sound(&heap));
		rs_heap_free(&heap);
		end_heap(_metadata, fault);
		if (!injected || _metadata->exit_code)
			break;
	}
	TH_LOG("%u of %u places", tried, nth - 1);
	EXPECT_GT(MOST, nth);
}

/* --- The scanner ------------------------------------------------------- */

/*
 * It runs in one of the kernel's workers, and nobody knows in which: what tells it is
 * the function that it begins with, on the stack of who allocates.
 */
#define SCANNER "rs_scan_work"

static const char *const kinds[] = { "failslab", "fail_page_alloc" };

/* More than a page of references to it. */
enum { GARBAGE = 1200 };

FIXTURE(scanner)
{
	FIXTURE_DATA(fault) fault;
	unsigned long begin, end;
	/* Of each kind, how often the kernel has counted. */
	unsigned long count[ARRAY_SIZE(kinds)];
};

/* Where the scanner's function is, and the next one. */
static bool find_scanner(FIXTURE_DATA(scanner) *self)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long address;
	char line[300], name[200];

	self->begin = 0;
	self->end = -1UL;
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %*c %199s", &address, name) == 2 &&
		    !strcmp(name, SCANNER))
			self->begin = address;
	if (file)
		rewind(file);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx", &address) == 1 &&
		    address > self->begin && address < self->end)
			self->end = address;
	if (file)
		fclose(file);
	return self->begin;
}

static void write_number(const char *kind, const char *file,
			 unsigned long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%#lx", number);
	write_file(kind, file, text);
}

/*
 * The kernel lets each interval-th place fail, counted from its start; nobody but this
 * test makes it count, once in a boot. So the interval is to be what that count will be
 * at the nth place from now.
 */
static void arm_scanner(FIXTURE_DATA(scanner) *self, size_t kind,
			unsigned int nth)
{
	write_number(kinds[kind], "require-start", self->begin);
	write_number(kinds[kind], "require-end", self->end);
	write_file(kinds[kind], "stacktrace-depth", "32");
	write_number(kinds[kind], "interval", self->count[kind] + nth);
	write_file(kinds[kind], "times", "1");
	write_file(kinds[kind], "probability", "100");
}

/* Whether a place failed since then. */
static bool disarm_scanner(FIXTURE_DATA(scanner) *self, size_t kind,
			   unsigned int nth)
{
	char name[100], text[16] = "";
	bool injected;

	write_file(kinds[kind], "probability", "0");
	snprintf(name, sizeof(name), DEBUGFS "/%s/times", kinds[kind]);
	rs_read_file(name, text, sizeof(text));
	injected = !atoi(text);
	/* It does not count for an interval of 1. */
	if (injected && self->count[kind] + nth > 1)
		self->count[kind] += nth;
	write_file(kinds[kind], "interval", "1");
	write_file(kinds[kind], "times", "1");
	write_file(kinds[kind], "require-start", "0");
	write_number(kinds[kind], "require-end", -1UL);
	return injected;
}

FIXTURE_SETUP(scanner)
{
	memset(self, 0, sizeof(*self));
	if (access(DEBUGFS "/failslab/require-start", W_OK))
		SKIP(return, "the kernel cannot tell who allocates");
	ASSERT_TRUE(find_scanner(self));
	fault_setup(_metadata, &self->fault, NULL);
}

FIXTURE_TEARDOWN(scanner)
{
	if (!self->begin)
		return;
	fault_teardown(_metadata, &self->fault, NULL);
}

/* Whatever a scan lacked, it said so, and the next one finds what it did not. */
static bool scan_without(struct __test_metadata *_metadata,
			 FIXTURE_DATA(scanner) *self, size_t kind,
			 unsigned int nth)
{
	FIXTURE_DATA(fault) *fault = &self->fault;
	__u64 ring, objects;
	bool injected;
	int ret;

	make_heap(_metadata, fault);
	objects = rs_stats_value("objects");
	EXPECT_EQ(0, rs_ring(fault->fd, GARBAGE, 1, &ring));
	EXPECT_EQ(0, rs_release(fault->fd, ring));
	arm_scanner(self, kind, nth);
	ret = rs_collect(fault->fd, NULL);
	injected = disarm_scanner(self, kind, nth);
	EXPECT_TRUE(!ret || (injected && ret == -ENOMEM)) {
		TH_LOG("%d: %s", ret, strerror(-ret));
	}
	EXPECT_EQ(0, rs_collect(fault->fd, NULL));
	EXPECT_TRUE(rs_wait_until(rs_stats_value("objects") == objects,
				  RS_SOON));
	end_heap(_metadata, fault);
	return injected;
}

TEST_F_TIMEOUT(scanner, each, RS_TIMEOUT_LONG)
{
	unsigned int nth, places = 0;
	size_t kind;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (nth = 1; nth < MOST && !_metadata->exit_code; nth++)
			if (!scan_without(_metadata, self, kind, nth))
				break;
		TH_LOG("%s: %u places", kinds[kind], nth - 1);
		EXPECT_GT(MOST, nth);
		places += nth - 1;
	}
	/* A scan of that much needs memory. */
	EXPECT_LT(0, places);
}

int main(int argc, char **argv)
{
	const char *why = set_up_faults();

	if (why) {
		ksft_print_header();
		ksft_exit_skip("%s\n", why);
	}
	return test_harness_run(argc, argv);
}
