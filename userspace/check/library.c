// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library on the real kernel. Needs the module.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <refstore.h>

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			errx(1, "%s:%d: " #condition, __FILE__, __LINE__); \
	} while (0)

static struct refstore *store;

static uint64_t create(size_t nr_slots)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_LIST,
		.flags = REFSTORE_CREATE_SLOTTED,
		.nr_slots = nr_slots,
	};
	uint64_t handle;

	CHECK(!refstore_create(store, &spec, &handle, NULL));
	return handle;
}

static uint32_t refs(struct refstore *session, uint64_t object)
{
	struct refstore_stat stat;

	CHECK(!refstore_stat(session, object, &stat));
	return stat.refs;
}

/*
 * Waits until an object has so many references: the handles of a session that
 * was closed, or whose process ended, go soon after.
 */
static void await_refs(uint64_t object, uint32_t wanted)
{
	int tries = 1000;

	while (refs(store, object) != wanted && tries--)
		usleep(10000);
	CHECK(refs(store, object) == wanted);
}

static uint64_t count_objects(void)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	uint64_t count = 0;
	int ret;

	CHECK(!refstore_iter_objects(store, 0, &iter));
	while ((ret = refstore_iter_next_object(iter, &object)) == 1)
		count++;
	CHECK(!ret);
	refstore_iter_free(iter);
	return count;
}

static uint64_t count_handles(void)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	uint64_t count = 0;
	int ret;

	CHECK(!refstore_iter_handles(store, &iter));
	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1)
		count++;
	CHECK(!ret);
	refstore_iter_free(iter);
	return count;
}

static void check_objects(void)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_STR, .data = "hello", .data_len = 5,
	};
	struct refstore_stat stat;
	uint64_t leaf, again, id, none;
	char buffer[8];

	CHECK(!refstore_create(store, &spec, &leaf, &id));
	CHECK(!refstore_stat(store, leaf, &stat));
	CHECK(stat.id == id && stat.refs == 1 && stat.data_len == 5);
	CHECK(stat.type == REFSTORE_TYPE_STR && !stat.nr_slots);
	CHECK(refstore_read(store, leaf, 1, buffer, 8) == 4);
	CHECK(!memcmp(buffer, "ello", 4));
	CHECK(refstore_read(store, leaf, 5, buffer, 8) == 0);
	CHECK(refstore_read(store, leaf, 6, buffer, 8) == -ERANGE);
	CHECK(!refstore_write(store, leaf, 0, "J", 1));
	CHECK(refstore_write(store, leaf, 5, "J", 1) == -ERANGE);
	CHECK(!refstore_seal(store, leaf, REFSTORE_SEAL_DATA));
	CHECK(refstore_write(store, leaf, 0, "H", 1) == -EPERM);
	CHECK(!refstore_dup(store, leaf, &again) && again != leaf);
	CHECK(!refstore_release(store, leaf));
	CHECK(refstore_release(store, leaf) == -EBADF);
	CHECK(refs(store, again) == 1);
	CHECK(refstore_get_slot(store, again, 0, &none) == -EOPNOTSUPP);
	CHECK(!refstore_release(store, again));
}

#define LARGE 1000000

/* All of a value, mapped; the descriptor is not needed any more. */
static char *map_fd(int fd, int protection)
{
	void *data;

	CHECK(fd >= 0);
	data = mmap(NULL, LARGE, protection, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED && !close(fd));
	return data;
}

static uint64_t create_large(void)
{
	uint64_t value;
	char *data;
	int fd;

	CHECK(!refstore_large_new(store, REFSTORE_TYPE_BYTES, LARGE, &value,
				  &fd));
	data = map_fd(fd, PROT_READ | PROT_WRITE);
	memcpy(data + LARGE - 10, "0123456789", 10);
	CHECK(!munmap(data, LARGE));
	return value;
}

/* What is written in one way is read in the others. */
static void check_large(void)
{
	uint64_t value = create_large();
	struct refstore_stat stat;
	struct stat file;
	char buffer[8], *data;
	size_t length;
	int fd = refstore_map(store, value, REFSTORE_MAP_WRITE, &length);

	CHECK(fd >= 0 && length == LARGE && !fstat(fd, &file));
	CHECK(!refstore_stat(store, value, &stat));
	CHECK(stat.inode == file.st_ino && stat.data_len == LARGE);
	CHECK(stat.state & REFSTORE_STATE_LARGE && stat.bytes > LARGE);
	data = map_fd(fd, PROT_READ | PROT_WRITE);
	CHECK(!refstore_write(store, value, LARGE - 11, "x", 1));
	CHECK(!memcmp(data + LARGE - 11, "x0123", 5));
	data[0] = 'y';
	CHECK(refstore_read(store, value, 0, buffer, 2) == 2);
	CHECK(!memcmp(buffer, "y", 2));
	CHECK(refstore_read(store, value, LARGE - 4, buffer, 8) == 4);
	CHECK(!memcmp(buffer, "6789", 4));
	CHECK(refstore_read(store, value, LARGE + 1, buffer, 1) == -ERANGE);
	CHECK(refstore_write(store, value, LARGE, "x", 1) == -ERANGE);
	CHECK(refstore_read(store, value, 1ULL << 32, buffer, 1) == -ERANGE);
	CHECK(!munmap(data, LARGE) && !refstore_release(store, value));
	CHECK(count_objects() == 0);
}

static void check_large_seal(void)
{
	uint64_t value = create_large(), small = create(0);
	char *data = map_fd(refstore_map(store, value, REFSTORE_MAP_WRITE,
					 NULL), PROT_WRITE);

	CHECK(refstore_map(store, small, 0, NULL) == -EOPNOTSUPP);
	CHECK(refstore_seal(store, value, REFSTORE_SEAL_DATA) == -EBUSY);
	CHECK(!refstore_seal(store, value, REFSTORE_SEAL_SLOTS));
	data[0] = 'y';
	CHECK(!munmap(data, LARGE));
	CHECK(!refstore_seal(store, value, REFSTORE_SEAL_DATA));
	CHECK(!refstore_seal(store, value, REFSTORE_SEAL_DATA));
	CHECK(refstore_write(store, value, 0, "x", 1) == -EPERM);
	CHECK(refstore_map(store, value, REFSTORE_MAP_WRITE, NULL) == -EPERM);
	data = map_fd(refstore_map(store, value, 0, NULL), PROT_READ);
	/* A mapping keeps the memory, whatever becomes of the value. */
	CHECK(!refstore_release(store, value) && count_objects() == 1);
	CHECK(data[0] == 'y' && !memcmp(data + LARGE - 10, "0123", 4));
	CHECK(!munmap(data, LARGE) && !refstore_release(store, small));
}

/* Who may not write a value can map it when nobody can write it any more. */
static void check_large_rights(void)
{
	uint64_t value = create_large(), none;
	struct refstore *reader;
	int fd;

	CHECK(!refstore_session_new(store, REFSTORE_SESSION_CLONE, &reader));
	CHECK(!refstore_restrict(reader, REFSTORE_RIGHTS_READ));
	CHECK(refstore_map(reader, value, 0, NULL) == -EACCES);
	CHECK(refstore_seal(reader, value, REFSTORE_SEAL_DATA) == -EACCES);
	CHECK(refstore_large_new(reader, REFSTORE_TYPE_BYTES, 1, &none, &fd) ==
	      -EACCES);
	CHECK(!refstore_seal(store, value, REFSTORE_SEAL_DATA));
	munmap(map_fd(refstore_map(reader, value, 0, NULL), PROT_READ), LARGE);
	refstore_close(reader);
	await_refs(value, 1);
	CHECK(!refstore_release(store, value));
}

static void check_adopt(void)
{
	int fd = memfd_create("value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const uint32_t type = REFSTORE_TYPE_BYTES;
	struct refstore_stat stat;
	uint64_t value, id;

	CHECK(fd >= 0 && !ftruncate(fd, LARGE));
	CHECK(refstore_adopt(store, fd, type, &value, &id) == -EINVAL);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK(refstore_adopt(store, fd, 999999, &value, &id) == -EINVAL);
	CHECK(refstore_adopt(store, -1, type, &value, &id) == -EBADF);
	CHECK(refstore_adopt(store, refstore_fd(store), type, &value, &id) ==
	      -EINVAL);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK(!refstore_adopt(store, fd, type, &value, &id));
	CHECK(!refstore_stat(store, value, &stat) && stat.id == id);
	CHECK(stat.state & REFSTORE_STATE_SEALED_DATA);
	CHECK(!close(fd) && !refstore_release(store, value));
	CHECK(refstore_large_new(store, type, 0, &value, &fd) == -EINVAL);
	CHECK(count_objects() == 0);
}

static void check_slots(void)
{
	uint64_t list = create(100), other = create(0), handles[100], found;
	size_t i;

	CHECK(!refstore_set_slot(store, list, 99, list));
	CHECK(!refstore_get_slot(store, list, 99, &found));
	CHECK(found && found != list && refs(store, list) == 3);
	CHECK(!refstore_cas_slot(store, list, 99, found, other));
	CHECK(refstore_cas_slot(store, list, 99, found, 0) == -EAGAIN);
	CHECK(!refstore_release(store, found));
	CHECK(!refstore_get_slot(store, list, 0, &found) && !found);
	for (i = 0; i < 100; i++)
		handles[i] = i % 2 ? other : 0;
	CHECK(!refstore_write_slots(store, list, 0, handles, 100));
	CHECK(refs(store, other) == 51);
	CHECK(!refstore_read_slots(store, list, 10, handles, 90));
	CHECK(!handles[0] && handles[1] && refs(store, other) == 96);
	for (i = 0; i < 90; i++)
		CHECK(!handles[i] || !refstore_release(store, handles[i]));
	CHECK(refstore_read_slots(store, list, 50, handles, 51) == -ERANGE);
	CHECK(!refstore_read_slots(store, list, 1000, handles, 0));
	CHECK(refs(store, other) == 51);
	CHECK(!refstore_resize(store, list, 2) && refs(store, other) == 2);
	CHECK(!refstore_release(store, list) && refs(store, other) == 1);
	CHECK(!refstore_release(store, other));
}

static void check_cas_many(uint64_t one, uint64_t two, uint64_t id)
{
	struct refstore_cas_entry entries[] = {
		{ .object = one, .index = 0, .expected = id },
		{ .object = two, .index = 0, .expected = id, .value = one },
	};
	struct refstore_builder *builder;
	uint64_t found;

	CHECK(refstore_cas_many(store, entries, 2) == -EAGAIN);
	CHECK(!refstore_peek_slot(store, one, 0, &found) && found == id);
	entries[1].expected = 0;
	CHECK(!refstore_cas_many(store, entries, 2) && refs(store, one) == 2);
	CHECK(!refstore_peek_slot(store, one, 0, &found) && !found);
	CHECK(refstore_cas_many(store, entries, 257) == -E2BIG);
	CHECK(!refstore_cas_many(store, entries, 0));
	CHECK(!refstore_builder_new(&builder));
	refstore_builder_dup(builder, two);
	entries[0].object = REFSTORE_RESULT(0);
	entries[0].expected = 0;
	entries[0].index = 4;
	entries[0].value = REFSTORE_RESULT(0);
	refstore_builder_cas_many(builder, entries, 1);
	refstore_builder_release(builder, REFSTORE_RESULT(0));
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	CHECK(refs(store, two) == 2 && !refstore_set_slot(store, two, 4, 0));
	refstore_builder_free(builder);
}

/* Ids in place of handles, and slots that are copied. */
static void check_ids(void)
{
	uint64_t list = create(200), copy = create(201), other = create(0);
	uint64_t ids[200] = {}, found, id;
	struct refstore_builder *builder;
	size_t i;

	for (i = 0; i < 200; i += 2)
		CHECK(!refstore_set_slot(store, list, i, other));
	CHECK(!refstore_peek_slot(store, list, 2, &id) && id);
	CHECK(!refstore_peek_slot(store, list, 3, &found) && !found);
	CHECK(refstore_match_slot(store, list, 3, id, &found) == -EAGAIN);
	CHECK(!refstore_match_slot(store, list, 3, 0, &found) && !found);
	CHECK(!refstore_match_slot(store, list, 2, id, &found) && found);
	CHECK(!refstore_release(store, found) && refs(store, other) == 101);
	CHECK(!refstore_copy_slots(store, copy, 1, list, 0, 200));
	CHECK(refs(store, other) == 201);
	CHECK(!refstore_peek_slots(store, copy, 1, ids, 200));
	for (i = 0; i < 200; i++)
		CHECK(ids[i] == (i & 1 ? 0 : id));
	CHECK(refstore_copy_slots(store, copy, 2, list, 0, 200) == -ERANGE);
	CHECK(!refstore_copy_slots(store, copy, 900, list, 0, 0));

	CHECK(!refstore_builder_new(&builder));
	refstore_builder_match_slot(builder, list, 0, id);
	refstore_builder_copy_slots(builder, copy, 0, list, 1, 64);
	refstore_builder_peek_slots(builder, copy, 0, ids, 3);
	refstore_builder_release(builder, REFSTORE_RESULT(0));
	refstore_builder_copy_slots(builder, copy, 0, list, 0, 65);
	CHECK(refstore_builder_submit(builder, store, 0) == 1);
	CHECK(refstore_builder_error(builder, 4) == -E2BIG);
	CHECK(!ids[0] && ids[1] == id && !ids[2]);
	refstore_builder_free(builder);
	check_cas_many(list, copy, id);
	CHECK(!refstore_release(store, list) && !refstore_release(store, copy));
	await_refs(other, 1);
	CHECK(!refstore_release(store, other));
}

static void check_heap(void)
{
	char name[REFSTORE_TYPE_NAME_MAX];
	struct refstore_collect collected;
	uint32_t type, again;
	uint64_t cell = create(1), root;

	CHECK(!refstore_get_root(store, &root) && !root);
	CHECK(!refstore_cas_root(store, 0, cell));
	CHECK(refstore_cas_root(store, 0, cell) == -EAGAIN);
	CHECK(!refstore_get_root(store, &root) && root);
	CHECK(!refstore_cas_root(store, root, 0));
	CHECK(!refstore_set_root(store, root) && !refstore_set_root(store, 0));
	CHECK(!refstore_release(store, root));

	CHECK(!refstore_type_register(store, "point", &type));
	CHECK(!refstore_type_register(store, "point", &again));
	CHECK(type == again && type >= REFSTORE_TYPE_USER);
	CHECK(!refstore_type_name(store, type, name));
	CHECK(!strcmp(name, "point"));
	CHECK(refstore_type_name(store, 999999, name) == -EINVAL);
	CHECK(refstore_type_register(store, "two words", &type) == -EINVAL);
	CHECK(refstore_type_register(store, "0123456789012345678901234567890x",
				     &type) == -EINVAL);

	CHECK(!refstore_set_slot(store, cell, 0, cell));
	CHECK(!refstore_release(store, cell) && count_objects() == 1);
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, &collected));
	CHECK(collected.reclaimed == 1 && collected.scans >= 1);
	CHECK(count_objects() == 0);
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL));
}

static void check_iterators(void)
{
	const size_t count = 5000;
	struct refstore_walk_object object;
	struct refstore_walk_handle handle;
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	uint64_t list = create(count), leaf = create(0);
	size_t i;
	int ret;

	for (i = 0; i < count; i++)
		CHECK(!refstore_set_slot(store, list, i, leaf));
	CHECK(!refstore_set_root(store, list));
	CHECK(!refstore_iter_edges(store, &iter));
	CHECK(refstore_iter_next_handle(iter, &handle) == -EINVAL);
	for (i = 0; (ret = refstore_iter_next_edge(iter, &edge)) == 1; i++)
		CHECK(edge.from != edge.to && edge.index < count);
	CHECK(!ret && i == count);
	CHECK(refstore_iter_next_edge(iter, &edge) == 0);
	refstore_iter_free(iter);

	CHECK(!refstore_iter_roots(store, &iter));
	CHECK(refstore_iter_next_handle(iter, &handle) == 1);
	CHECK(!handle.session);
	CHECK(refstore_iter_next_handle(iter, &handle) == 0);
	refstore_iter_free(iter);

	/* Of two minted handles one is never given out. */
	CHECK(refstore_iter_objects(store, 2, &iter) == -EINVAL);
	CHECK(!refstore_iter_objects(store, REFSTORE_WALK_MINT, &iter));
	CHECK(refstore_iter_next_object(iter, &object) == 1);
	CHECK(object.handle && refs(store, object.handle) == object.refs);
	refstore_iter_free(iter);
	CHECK(count_handles() == 3);
	CHECK(!refstore_release(store, object.handle));

	CHECK(!refstore_set_root(store, 0));
	CHECK(!refstore_release(store, list) && !refstore_release(store, leaf));
	/* So many slots are let go after the call; this waits for it. */
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL));
	CHECK(count_objects() == 0 && count_handles() == 0);
}

#define MANY 70000

/* More than the kernel takes in one call, and what they are. */
static void check_many(void)
{
	static uint64_t handles[MANY];
	struct refstore_spec spec = {
		.type = REFSTORE_TYPE_LIST, .nr_slots = 1,
	};
	struct refstore_query query;
	struct refstore_stat stat;
	size_t i;

	CHECK(!refstore_query(store, &query) && query.max_batch < MANY);
	CHECK(!refstore_create_many(store, &spec, MANY, handles));
	CHECK(count_objects() == MANY && count_handles() == MANY);
	for (i = 0; i < MANY; i += 999) {
		CHECK(!refstore_stat(store, handles[i], &stat));
		CHECK(stat.refs == 1 && stat.nr_slots == 1);
		CHECK(!refstore_release(store, handles[i]));
		handles[i] = 0;
	}
	CHECK(!refstore_weak(store, handles[1], &handles[0]));
	CHECK(!refstore_release_many(store, handles, MANY));
	CHECK(count_handles() == 0);
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL));
	CHECK(count_objects() == 0);
	CHECK(refstore_upgrade(store, handles[0], &handles[2]) == -EBADF);
}

static void check_many_data(void)
{
	struct refstore_spec spec = {
		.type = REFSTORE_TYPE_STR, .data = "onetwosix", .data_len = 3,
		.flags = REFSTORE_SEAL_DATA,
	};
	uint64_t handles[3], left;
	char buffer[4];
	size_t i;

	CHECK(!refstore_create_many(store, &spec, 3, handles));
	for (i = 0; i < 3; i++) {
		CHECK(refstore_read(store, handles[i], 0, buffer, 4) == 3);
		CHECK(!memcmp(buffer, (const char *)spec.data + 3 * i, 3));
		CHECK(refstore_write(store, handles[i], 0, "x", 1) == -EPERM);
	}
	/* Up to the bad one. */
	left = handles[2];
	CHECK(!refstore_release(store, handles[1]));
	CHECK(refstore_release_many(store, handles, 3) == -EBADF);
	CHECK(refstore_release(store, handles[0]) == -EBADF);
	CHECK(!refstore_release(store, left));
	CHECK(!refstore_release_many(store, handles, 0));
	spec.type = 12345;
	CHECK(refstore_create_many(store, &spec, 3, handles) == -EINVAL);
	CHECK(!refstore_create_many(store, &spec, 0, handles));
	CHECK(count_handles() == 0 && count_objects() == 0);
}

/* Sets the limit of handles; returns the old one. */
static uint64_t set_max_handles(uint64_t limit)
{
	FILE *file = fopen("/sys/module/refstore/parameters/max_handles", "r+");
	uint64_t old;
	int ret;

	CHECK(file);
	ret = fscanf(file, "%" SCNu64, &old);
	CHECK(ret == 1);
	rewind(file);
	fprintf(file, "%" PRIu64 "\n", limit);
	ret = fclose(file);
	CHECK(!ret);
	return old;
}

/* Where the limit is met half way, nothing is left. */
static void check_limit(void)
{
	static uint64_t handles[MANY];
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_INT };
	uint64_t list = create(5000), leaf = create(0), before;
	struct refstore_limit limit = {};
	size_t i;

	for (i = 0; i < 5000; i++)
		handles[i] = leaf;
	CHECK(!refstore_write_slots(store, list, 0, handles, 5000));
	before = set_max_handles(3000);
	CHECK(refstore_create_many(store, &spec, MANY, handles) == -EDQUOT);
	CHECK(refstore_read_slots(store, list, 0, handles, 5000) == -EDQUOT);
	CHECK(!refstore_limit(store, &limit));
	CHECK(limit.limit == REFSTORE_LIMIT_SESSION_HANDLES);
	CHECK(limit.used == 2 && limit.max == 3000 && !limit.uid);
	set_max_handles(before);
	CHECK(count_handles() == 2 && count_objects() == 2);
	CHECK(!refstore_release(store, list) && !refstore_release(store, leaf));
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL));
}

/* In a batch, what one operation made another one gives back. */
static void check_builder_many(void)
{
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_INT };
	struct refstore_builder *builder;
	uint64_t handles[10], two[2] = { REFSTORE_RESULT(1), 0 };

	CHECK(!refstore_builder_new(&builder));
	CHECK(refstore_builder_create_many(builder, &spec, 10, handles) == 0);
	CHECK(refstore_builder_create(builder, &spec) == 1);
	CHECK(refstore_builder_release_many(builder, two, 2) == 2);
	CHECK(refstore_builder_release_many(builder, NULL, 0) == 3);
	CHECK(refstore_builder_read_slots(builder, 0, 7, NULL, 0) == 4);
	CHECK(refstore_builder_write_slots(builder, 0, 7, NULL, 0) == 5);
	CHECK(refstore_builder_create(builder, &spec) == 6);
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	CHECK(refstore_builder_op(builder, 0)->create_many.done == 10);
	CHECK(refstore_builder_op(builder, 2)->release_many.done == 2);
	CHECK(!refstore_builder_op(builder, 4)->slots.done);
	CHECK(count_handles() == 11);
	CHECK(!refstore_release_many(store, handles, 10));
	CHECK(!refstore_release(store, refstore_builder_result(builder, 6)));
	CHECK(count_objects() == 0);
	refstore_builder_free(builder);
}

/* In a batch, the root and data of what it makes. */
static void check_builder_data(void)
{
	const struct refstore_spec list = {
		.type = REFSTORE_TYPE_LIST, .nr_slots = 1,
	};
	const struct refstore_spec bytes = {
		.type = REFSTORE_TYPE_BYTES, .data = "abc", .data_len = 3,
	};
	struct refstore_builder *builder;
	struct refstore_stat stat, stat_of_root;
	uint64_t root, made;
	char data[3] = "";

	CHECK(!refstore_builder_new(&builder));
	CHECK(refstore_builder_create(builder, &list) == 0);
	CHECK(refstore_builder_resize(builder, REFSTORE_RESULT(0), 3) == 1);
	CHECK(refstore_builder_create(builder, &bytes) == 2);
	CHECK(refstore_builder_write(builder, REFSTORE_RESULT(2), 1, "XY",
				     2) == 3);
	CHECK(refstore_builder_read(builder, REFSTORE_RESULT(2), 0, data,
				    3) == 4);
	CHECK(refstore_builder_cas_root(builder, 0, REFSTORE_RESULT(0)) == 5);
	CHECK(refstore_builder_cas_root(builder, 0, 0) == 6);
	CHECK(refstore_builder_submit(builder, store,
				      REFSTORE_BATCH_CONTINUE) == 1);
	CHECK(refstore_builder_error(builder, 6) == -EAGAIN);
	CHECK(!memcmp(data, "aXY", 3));
	made = refstore_builder_result(builder, 0);
	CHECK(!refstore_stat(store, made, &stat) && stat.nr_slots == 3);
	CHECK(!refstore_get_root(store, &root));
	CHECK(!refstore_stat(store, root, &stat_of_root));
	CHECK(stat_of_root.id == stat.id);
	CHECK(!refstore_set_root(store, 0));
	CHECK(!refstore_release(store, root));
	CHECK(!refstore_release(store, made));
	CHECK(!refstore_release(store, refstore_builder_result(builder, 2)));
	refstore_builder_free(builder);
}

/* A ring of so many that the kernel cannot take them in one batch. */
static void check_builder(void)
{
	const size_t count = 40000;
	struct refstore_builder *builder;
	struct refstore_query query;
	struct refstore_spec spec = {
		.type = REFSTORE_TYPE_LIST, .nr_slots = 2,
	};
	uint64_t slots[2];
	size_t i;

	CHECK(!refstore_query(store, &query) && query.max_batch < 2 * count);
	CHECK(!refstore_builder_new(&builder));
	for (i = 0; i < count; i++) {
		slots[0] = i ? REFSTORE_RESULT(i - 1) : 0;
		slots[1] = slots[0];
		spec.slots = slots;
		CHECK(refstore_builder_create(builder, &spec) == (ssize_t)i);
	}
	CHECK(refstore_builder_set_slot(builder, REFSTORE_RESULT(0), 1,
					REFSTORE_RESULT(count - 1)) >= 0);
	for (i = 0; i < count; i++)
		refstore_builder_release(builder, REFSTORE_RESULT(i));
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	CHECK(refstore_builder_done(builder) == 2 * count + 1);
	CHECK(count_handles() == 0 && count_objects() == count);
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL) && count_objects() == 0);

	/* An operation that fails, and what depends on it. */
	refstore_builder_reset(builder);
	refstore_builder_get_slot(builder, 12345, 0);
	refstore_builder_stat(builder, REFSTORE_RESULT(0));
	refstore_builder_create(builder, &(struct refstore_spec){ .type = 1 });
	CHECK(refstore_builder_submit(builder, store,
				      REFSTORE_BATCH_CONTINUE) == 2);
	CHECK(refstore_builder_error(builder, 0) == -EBADF);
	CHECK(refstore_builder_error(builder, 1) == -EBADF);
	CHECK(!refstore_release(store, refstore_builder_result(builder, 2)));
	refstore_builder_reset(builder);
	refstore_builder_get_slot(builder, 12345, 0);
	refstore_builder_get_root(builder);
	CHECK(refstore_builder_submit(builder, store, 0) == 1);
	CHECK(refstore_builder_error(builder, 1) == -ECANCELED);
	refstore_builder_free(builder);
}

/* What a child does, in its clone and in what it closes, is its own affair. */
static void check_fork(void)
{
	uint64_t cell = create(1), kept = create(0);
	int fd = refstore_fd(store), status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		CHECK(refstore_fd(store) == fd);
		CHECK(refs(store, cell) == 2);
		CHECK(!refstore_release(store, cell));
		CHECK(!refstore_set_root(store, kept));
		refstore_close(store);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	await_refs(cell, 1);
	await_refs(kept, 2);
	CHECK(!refstore_set_root(store, 0));
	CHECK(!refstore_release(store, cell) && !refstore_release(store, kept));
}

/* A newcomer gets a session, and finds the root. */
static void check_socket(void)
{
	uint64_t cell = create(0), root;
	int sockets[2], fd, status;
	pid_t child;

	CHECK(!refstore_set_root(store, cell));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = fork();
	if (!child) {
		refstore_close(store);
		fd = refstore_recv_fd(sockets[1]);
		CHECK(fd >= 0 && !refstore_open_fd(fd, &store));
		CHECK(refstore_release(store, cell) == -EBADF);
		CHECK(!refstore_get_root(store, &root));
		await_refs(root, 3);
		/* And ends without a word: the kernel releases. */
		_exit(0);
	}
	fd = refstore_session_fd(store, 0);
	CHECK(fd >= 0 && !refstore_send_fd(sockets[0], fd));
	close(fd);
	CHECK(waitpid(child, &status, 0) == child && !status);
	CHECK(!refstore_set_root(store, 0));
	await_refs(cell, 1);
	CHECK(!refstore_release(store, cell));
	close(sockets[0]);
	close(sockets[1]);
}

static void check_sessions(void)
{
	struct refstore *clone, *fresh;
	uint64_t cell = create(0);

	CHECK(!refstore_session_new(store, REFSTORE_SESSION_CLONE, &clone));
	CHECK(!refstore_session_new(store, 0, &fresh));
	CHECK(refs(clone, cell) == 2);
	CHECK(refstore_release(fresh, cell) == -EBADF);
	refstore_close(clone);
	refstore_close(fresh);
	await_refs(cell, 1);
	CHECK(!refstore_release(store, cell));
	CHECK(refstore_session_fd(store, 1U << 31) == -EINVAL);
}

/* An object goes to a newcomer alone, with fewer rights. */
static void check_export(void)
{
	const uint64_t mask = REFSTORE_RIGHTS_READ;
	uint64_t cell = create(1), other = create(0), got;
	struct refstore *session;
	int fd = refstore_export(store, cell, mask);

	CHECK(fd >= 0);
	CHECK(refstore_import(store, fd, &got) == -EACCES);
	CHECK(!refstore_open_export(fd, &session, &got));
	CHECK(refstore_set_slot(session, got, 0, got) == -EACCES);
	CHECK(!refstore_import(session, fd, &got));
	CHECK(refs(session, got) == 4);
	CHECK(refstore_open_export(refstore_fd(store), &session, &got) ==
	      -ENOTTY);
	CHECK(refstore_open_export(-1, &session, &got) == -EBADF);
	CHECK(refstore_import(store, refstore_fd(store), &got) == -EINVAL);
	refstore_close(session);
	close(fd);
	await_refs(cell, 1);
	CHECK(!refstore_session_new(store, 0, &session));
	CHECK(!refstore_restrict(session, REFSTORE_RIGHT_EXPORT));
	CHECK(refstore_set_root(session, 0) == -EACCES);
	CHECK(refstore_restrict(session, 1ULL << 40) == -EINVAL);
	refstore_close(session);
	CHECK(!refstore_release(store, cell) && !refstore_release(store, other));
}

/* Names for people, and who has what. */
static void check_labels(void)
{
	struct refstore_walk_session session;
	struct refstore_walk_label label;
	struct refstore_iter *iter;
	uint64_t cell = create(1);

	CHECK(!refstore_label(store, REFSTORE_LABEL_SESSION, 0, "a session"));
	CHECK(!refstore_label(store, REFSTORE_LABEL_OBJECT, cell, "a cell"));
	CHECK(refstore_label(store, REFSTORE_LABEL_OBJECT, cell,
			     "more than there is room for in one") == -EINVAL);
	CHECK(!refstore_iter_sessions(store, &iter));
	CHECK(refstore_iter_next_session(iter, &session) == 1);
	CHECK(session.pid == (uint32_t)getpid() && session.handles == 1);
	CHECK(!strcmp(session.label, "a session"));
	CHECK(refstore_iter_next_session(iter, &session) == 0);
	CHECK(refstore_iter_next_label(iter, &label) == -EINVAL);
	refstore_iter_free(iter);
	CHECK(!refstore_iter_labels(store, &iter));
	CHECK(refstore_iter_next_label(iter, &label) == 1);
	CHECK(!strcmp(label.label, "a cell"));
	CHECK(refstore_iter_next_label(iter, &label) == 0);
	refstore_iter_free(iter);
	CHECK(!refstore_release(store, cell));
}

static void next_holder(struct refstore_iter *iter, uint32_t kind,
			struct refstore_holder *holder)
{
	CHECK(refstore_iter_next_holder(iter, holder) == 1);
	CHECK(holder->kind == kind);
}

/* All who hold an object, and nobody else. */
static void check_holders(void)
{
	uint64_t cell = create(2), again, weak;
	struct refstore_holder holder;
	struct refstore_iter *iter;
	struct refstore_stat stat;
	int fd = refstore_export(store, cell, 0);

	CHECK(fd >= 0 && !refstore_dup(store, cell, &again));
	CHECK(!refstore_weak(store, cell, &weak));
	CHECK(!refstore_set_slot(store, cell, 1, cell));
	CHECK(!refstore_set_root(store, cell));
	CHECK(!refstore_stat(store, cell, &stat));
	CHECK(!refstore_iter_holders(store, stat.id, &iter));
	next_holder(iter, REFSTORE_HOLDER_SESSION, &holder);
	CHECK(holder.handles == 2 && holder.session.handles == 3);
	CHECK(holder.session.pid == (uint32_t)getpid());
	next_holder(iter, REFSTORE_HOLDER_EXPORT, &holder);
	CHECK(holder.handles == 1 && !holder.session.rights);
	next_holder(iter, REFSTORE_HOLDER_SLOT, &holder);
	CHECK(holder.slot.from == stat.id && holder.slot.index == 1);
	next_holder(iter, REFSTORE_HOLDER_ROOT, &holder);
	CHECK(refstore_iter_next_holder(iter, &holder) == 0);
	refstore_iter_free(iter);
	close(fd);
	CHECK(!refstore_set_root(store, 0));
	CHECK(!refstore_set_slot(store, cell, 1, 0));
	await_refs(cell, 2);
	CHECK(!refstore_release(store, weak) && !refstore_release(store, again));
	CHECK(!refstore_release(store, cell));
}

/* In a batch, what was handed on is taken, and gets its label. */
static void check_builder_share(void)
{
	uint64_t cell = create(0), got;
	int fd = refstore_export(store, cell, REFSTORE_RIGHTS);
	struct refstore_builder *builder;
	struct refstore_walk_label label;
	struct refstore_iter *iter;

	CHECK(fd >= 0 && !refstore_builder_new(&builder));
	CHECK(refstore_builder_import(builder, fd) == 0);
	CHECK(refstore_builder_label(builder, REFSTORE_LABEL_OBJECT,
				     REFSTORE_RESULT(0), "taken") == 1);
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	got = refstore_builder_result(builder, 0);
	CHECK(got && got != cell && refs(store, got) == 3);
	CHECK(!refstore_iter_labels(store, &iter));
	CHECK(refstore_iter_next_label(iter, &label) == 1);
	CHECK(!strcmp(label.label, "taken"));
	refstore_iter_free(iter);

	/* An error in adding is the batch's. */
	refstore_builder_reset(builder);
	CHECK(refstore_builder_label(builder, REFSTORE_LABEL_OBJECT, cell,
				     "more than there is room for in one") ==
	      -EINVAL);
	CHECK(refstore_builder_submit(builder, store, 0) == -EINVAL);
	refstore_builder_free(builder);
	close(fd);
	CHECK(!refstore_release(store, got) && !refstore_release(store, cell));
}

/* The same twice is one; what is immortal needs nobody. */
static void check_intern(void)
{
	struct refstore_spec spec = {
		.type = REFSTORE_TYPE_STR,
		.flags = REFSTORE_CREATE_INTERN,
		.data = "word",
		.data_len = 4,
	};
	uint64_t one, two, id, again;

	CHECK(!refstore_create(store, &spec, &one, &id));
	CHECK(!refstore_create(store, &spec, &two, &again));
	CHECK(id == again && one != two && refs(store, one) == 2);
	CHECK(!refstore_release(store, one) && !refstore_release(store, two));
}

/* A heap with a name; needs root, to mount. */
static void check_named(void)
{
	char place[] = "/tmp/refstore-XXXXXX", path[64];
	struct refstore *writer, *reader;
	uint64_t cell, root;
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_LIST };

	CHECK(mkdtemp(place));
	snprintf(path, sizeof(path), "%s/heap", place);
	CHECK(refstore_open_heap(path, O_RDWR | O_CREAT, 0600, &writer) ==
	      -ENOTTY);
	CHECK(access(path, F_OK) && errno == ENOENT);
	CHECK(refstore_open_heap("/tmp/missing/heap", O_RDWR | O_CREAT, 0600,
				 &writer) == -ENOENT);
	CHECK(!mount("none", place, "refstore", 0, NULL));
	CHECK(refstore_open_path(path, &writer) == -ENOENT);
	CHECK(!refstore_open_heap(path, O_RDWR | O_CREAT | O_EXCL, 0600,
				  &writer));
	CHECK(refstore_open_heap(path, O_RDWR | O_CREAT | O_EXCL, 0600,
				 &reader) == -EEXIST);
	CHECK(!refstore_create(writer, &spec, &cell, NULL));
	CHECK(!refstore_set_root(writer, cell));
	refstore_close(writer);
	CHECK(!refstore_open_heap(path, O_RDONLY | O_CREAT, 0, &reader));
	CHECK(!refstore_get_root(reader, &root) && root);
	CHECK(refstore_set_root(reader, 0) == -EACCES);
	refstore_close(reader);
	CHECK(refstore_open_heap(path, O_RDWR | O_TRUNC, 0, &writer) == -EPERM);
	CHECK(!refstore_open_path(path, &writer));
	CHECK(!refstore_set_root(writer, 0));
	refstore_close(writer);
	CHECK(!umount(place) && !rmdir(place));
}

int main(void)
{
	struct refstore_query query;
	int ret = refstore_open(&store);

	if (ret)
		errx(1, REFSTORE_DEVICE ": %s", strerror(-ret));
	CHECK(!refstore_query(store, &query));
	CHECK(query.version == REFSTORE_VERSION);
	check_objects();
	check_large();
	check_large_seal();
	check_large_rights();
	check_adopt();
	check_slots();
	check_ids();
	check_heap();
	check_iterators();
	check_many();
	check_many_data();
	check_limit();
	check_builder();
	check_builder_many();
	check_builder_data();
	check_sessions();
	check_fork();
	check_socket();
	check_export();
	check_labels();
	check_holders();
	check_builder_share();
	check_intern();
	check_named();
	CHECK(count_objects() == 0 && count_handles() == 0);
	refstore_close(store);
	return 0;
}
