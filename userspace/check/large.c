// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large values, with a kernel that has one: what the library gives it to adopt,
 * how it seals it, and in how many calls it reads and writes. Each call is
 * interrupted before anything was done, once.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"

#define HANDLE 7
#define LENGTH 100000

/* Of the data that is read and written: more than one call takes. */
#define GIB (1ULL << 30)
#define DATA_LEN (9 * GIB + 5)

static bool interrupted;
static int adopt_error;

/* The value, and that somebody else seals it before we can. */
static int memfd = -1;
static bool sealed;
static bool overtaken;

/* What was transferred, and by how many calls. */
static uint64_t buffer_begin;
static uint64_t first;
static uint64_t done;
static unsigned int calls;

static bool has_seals(int fd, int seals)
{
	return (fcntl(fd, F_GET_SEALS) & seals) == seals;
}

static int adopt(struct refstore_adopt *args)
{
	struct stat stat;

	CHECK(args->size == sizeof(*args) && !args->flags);
	if (adopt_error)
		return adopt_error;
	if (fstat(args->fd, &stat))
		return -EBADF;
	if (!stat.st_size || !has_seals(args->fd, F_SEAL_SHRINK | F_SEAL_GROW))
		return -EINVAL;
	close(memfd);
	memfd = fcntl(args->fd, F_DUPFD_CLOEXEC, 100);
	sealed = has_seals(memfd, F_SEAL_WRITE);
	args->result = HANDLE;
	args->id = 1;
	return 0;
}

static int map(struct refstore_map *args)
{
	bool writes = args->flags & REFSTORE_MAP_WRITE;
	char path[32];

	CHECK(args->size == sizeof(*args) && args->object == HANDLE);
	sealed |= overtaken;
	if (writes && sealed)
		return -EPERM;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	args->fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	args->length = LENGTH;
	return args->fd < 0 ? -errno : 0;
}

static int seal(const struct refstore_seal *args)
{
	CHECK(args->object == HANDLE && args->flags == REFSTORE_SEAL_DATA);
	sealed |= has_seals(memfd, F_SEAL_WRITE);
	return sealed ? 0 : -EBUSY;
}

/* Each part must go on where the one before ended. */
static int transfer(struct refstore_data *args, bool writes)
{
	uint64_t left = DATA_LEN - args->offset;

	CHECK(args->size == sizeof(*args) && args->object == HANDLE);
	if (args->offset > DATA_LEN || (writes && args->length > left))
		return -ERANGE;
	if (!calls++)
		first = args->offset;
	CHECK(args->offset == first + done);
	CHECK(args->buffer == buffer_begin + done);
	args->done = left < args->length ? (uint32_t)left : args->length;
	done += args->done;
	return 0;
}

static int work(unsigned long command, void *args)
{
	switch (command) {
	case REFSTORE_ADOPT:
		return adopt(args);
	case REFSTORE_MAP:
		return map(args);
	case REFSTORE_SEAL:
		return seal(args);
	case REFSTORE_READ:
	case REFSTORE_WRITE:
		return transfer(args, command == REFSTORE_WRITE);
	default:
		CHECK(command == REFSTORE_QUERY);
		return 0;
	}
}

int kernel(int fd, unsigned long command, void *args)
{
	(void)fd;
	interrupted = !interrupted;
	return interrupted ? -EINTR : work(command, args);
}

/* The number that the next descriptor gets: the same if none was left open. */
static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

static void check_new(struct refstore *store)
{
	int before = next_fd(), fd = -1;
	uint64_t handle = 0;
	struct stat stat;

	adopt_error = -EDQUOT;
	CHECK(refstore_large_new(store, 1, LENGTH, &handle, &fd) == -EDQUOT);
	adopt_error = 0;
	CHECK(refstore_large_new(store, 1, 0, &handle, &fd) == -EINVAL);
	CHECK(refstore_large_new(store, 1, SIZE_MAX, &handle, &fd) == -EINVAL);
	CHECK(fd == -1 && !handle && next_fd() == before);
	CHECK(!refstore_large_new(store, 1, LENGTH, &handle, &fd));
	CHECK(fd == before && handle == HANDLE);
	CHECK(!fstat(fd, &stat) && stat.st_size == LENGTH);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(!has_seals(fd, F_SEAL_WRITE) && !has_seals(fd, F_SEAL_SEAL));
	close(fd);
}

static void check_adopt(struct refstore *store)
{
	int fd = memfd_create("value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t handle, id;

	CHECK(fd >= 0 && !ftruncate(fd, LENGTH));
	CHECK(refstore_adopt(store, fd, 1, &handle, &id) == -EINVAL);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK(!refstore_adopt(store, fd, 1, &handle, NULL));
	CHECK(!refstore_adopt(store, fd, 1, &handle, &id));
	CHECK(handle == HANDLE && id == 1 && !close(fd));
	CHECK(refstore_adopt(store, fd, 1, &handle, &id) == -EBADF);
}

/* Of the value that was adopted last. */
static void check_seal(struct refstore *store)
{
	int before = next_fd(), fd = refstore_map(store, HANDLE,
						  REFSTORE_MAP_WRITE, NULL);
	size_t length = 0;
	void *data = mmap(NULL, LENGTH, PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(fd == before && data != MAP_FAILED && !close(fd));
	CHECK(refstore_seal(store, HANDLE, REFSTORE_SEAL_DATA) == -EBUSY);
	CHECK(!sealed && next_fd() == before && !munmap(data, LENGTH));
	CHECK(!refstore_seal(store, HANDLE, REFSTORE_SEAL_DATA) && sealed);
	CHECK(!refstore_seal(store, HANDLE, REFSTORE_SEAL_DATA));
	CHECK(refstore_map(store, HANDLE, REFSTORE_MAP_WRITE, &length) ==
	      -EPERM);
	CHECK(!length && next_fd() == before);
	CHECK(refstore_map(store, HANDLE, 0, &length) == before);
	CHECK(length == LENGTH && !close(before));
}

/* Somebody else does it, or nobody can. */
static void check_sealed_otherwise(struct refstore *store)
{
	int before = next_fd(), fd;
	uint64_t handle;

	CHECK(!refstore_large_new(store, 1, LENGTH, &handle, &fd));
	overtaken = true;
	CHECK(!refstore_seal(store, HANDLE, REFSTORE_SEAL_DATA));
	overtaken = false;
	CHECK(!close(fd));
	CHECK(!refstore_large_new(store, 1, LENGTH, &handle, &fd));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) && !close(fd));
	CHECK(refstore_seal(store, HANDLE, REFSTORE_SEAL_DATA) == -EPERM);
	CHECK(!sealed && next_fd() == before);
}

/* Nobody touches so much memory: addresses are all that is looked at. */
static ssize_t try_transfer(struct refstore *store, bool writes,
			    uint64_t offset, uint64_t length)
{
	void *buffer = (void *)(uintptr_t)(1ULL << 40);

	buffer_begin = (uintptr_t)buffer;
	done = 0;
	calls = 0;
	if (writes)
		return refstore_write(store, HANDLE, offset, buffer, length);
	return refstore_read(store, HANDLE, offset, buffer, length);
}

static void check_read(struct refstore *store)
{
	const uint64_t most = UINT32_MAX;

	CHECK(try_transfer(store, false, 8 * GIB, 100) == 100 && calls == 1);
	CHECK(try_transfer(store, false, DATA_LEN, 0) == 0 && calls == 1);
	CHECK(try_transfer(store, false, DATA_LEN - 3, 100) == 3 && calls == 1);
	CHECK(try_transfer(store, false, 1, most) == (ssize_t)most);
	CHECK(calls == 1);
	CHECK(try_transfer(store, false, 1, most + 1) == (ssize_t)most + 1);
	CHECK(calls == 2);
	CHECK(try_transfer(store, false, 0, 99 * GIB) == (ssize_t)DATA_LEN);
	CHECK(calls == 5);
	CHECK(try_transfer(store, false, DATA_LEN + 1, 1) == -ERANGE);
}

static void check_write(struct refstore *store)
{
	CHECK(!try_transfer(store, true, 8 * GIB, 100));
	CHECK(calls == 1 && done == 100);
	CHECK(!try_transfer(store, true, 5, 9 * GIB));
	CHECK(calls == 4 && done == 9 * GIB);
	CHECK(try_transfer(store, true, DATA_LEN, 1) == -ERANGE && !done);
}

int main(void)
{
	struct refstore *store;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	check_new(store);
	check_adopt(store);
	check_seal(store);
	check_sealed_otherwise(store);
	check_read(store);
	check_write(store);
	refstore_close(store);
	return 0;
}
