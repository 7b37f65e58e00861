// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many objects at once: however a signal or a limit cuts the calls, all are
 * made, or none is left; all are given back, or those before the bad one.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel.h"

#define MAX 300
#define MAX_BATCH 7

/* Objects by their handles, from 1: whether there is one, and its data. */
static bool held[MAX + 1];
static uint32_t words[MAX + 1];
static uint64_t last;
static uint64_t limit;

/* How far a call comes that goes as far as @count. */
static uint32_t cut(uint32_t count)
{
	return rand() % 3 ? count : 1 + (uint32_t)rand() % count;
}

static int create_many(struct refstore_create_many *args)
{
	uint64_t *handles = (void *)(uintptr_t)args->handles;
	const uint32_t *data = (void *)(uintptr_t)args->data;
	uint32_t i, count = cut(args->count);

	CHECK(args->count && args->count <= MAX_BATCH);
	CHECK(args->size == sizeof(*args) && args->data_len == sizeof(*data));
	if (last == limit)
		return -EDQUOT;
	for (i = 0; i < count && last < limit; i++) {
		handles[i] = ++last;
		held[last] = true;
		words[last] = data ? data[i] : 0;
	}
	args->done = i;
	return 0;
}

static int release_many(struct refstore_release_many *args)
{
	const uint64_t *handles = (void *)(uintptr_t)args->handles;
	uint32_t i, count = cut(args->count);

	CHECK(args->count && args->count <= MAX_BATCH);
	CHECK(args->size == sizeof(*args));
	for (i = 0; i < count; i++) {
		if (handles[i] > MAX || (handles[i] && !held[handles[i]]))
			break;
		held[handles[i]] = false;
	}
	args->done = i;
	return i ? 0 : -EBADF;
}

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_query *query = args;

	(void)fd;
	if (rand() % 3 == 0)
		return -EINTR;
	if (command == REFSTORE_CREATE_MANY)
		return create_many(args);
	if (command == REFSTORE_RELEASE_MANY)
		return release_many(args);
	CHECK(command == REFSTORE_QUERY);
	query->max_batch = MAX_BATCH;
	return 0;
}

static size_t count_held(void)
{
	size_t i, count = 0;

	for (i = 1; i <= MAX; i++)
		count += held[i];
	return count;
}

static void reset(uint64_t new_limit)
{
	memset(held, 0, sizeof(held));
	last = 0;
	limit = new_limit;
}

static void check_create(struct refstore *store, size_t count, size_t room)
{
	uint64_t handles[MAX];
	uint32_t data[MAX];
	struct refstore_spec spec = {
		.data = data, .data_len = sizeof(*data),
	};
	int wanted = count > room ? -EDQUOT : 0;
	size_t i;

	for (i = 0; i < count; i++)
		data[i] = (uint32_t)rand();
	reset(room);
	CHECK(refstore_create_many(store, &spec, count, handles) == wanted);
	CHECK(count_held() == (wanted ? 0 : count));
	for (i = 0; !wanted && i < count; i++)
		CHECK(handles[i] == i + 1 && words[i + 1] == data[i]);
	spec.data = NULL;
	reset(room);
	CHECK(refstore_create_many(store, &spec, count, handles) == wanted);
	for (i = 0; !wanted && i < count; i++)
		CHECK(!words[handles[i]]);
}

/* One in three is 0; the bad one, if there is one, is the last to be tried. */
static void check_release(struct refstore *store, size_t count, size_t bad)
{
	uint64_t handles[MAX] = {};
	size_t i, left = 0;

	reset(0);
	for (i = 0; i < count; i++) {
		handles[i] = rand() % 3 ? i + 1 : 0;
		if (i == bad)
			handles[i] = MAX + 1;
		else if (handles[i])
			held[handles[i]] = true;
		left += i > bad && handles[i];
	}
	CHECK(refstore_release_many(store, handles, count) ==
	      (bad < count ? -EBADF : 0));
	CHECK(count_held() == left);
	for (i = 0; i < count && i < bad; i++)
		CHECK(!held[i + 1]);
}

static void check_refused(struct refstore *store)
{
	uint64_t handle = 1;
	struct refstore_spec spec = { .slots = &handle, .nr_slots = 1 };

	CHECK(refstore_create_many(store, &spec, 1, &handle) == -EINVAL);
	spec.slots = NULL;
	spec.nr_slots = 1UL << 33;
	CHECK(refstore_create_many(store, &spec, 1, &handle) == -E2BIG);
}

int main(void)
{
	struct refstore *store;
	int i;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	for (i = 0; i < 3000; i++) {
		size_t count = (size_t)rand() % MAX;

		check_create(store, count, (size_t)rand() % MAX);
		check_release(store, count, (size_t)rand() % (2 * MAX));
	}
	check_create(store, 0, 0);
	check_release(store, 0, 0);
	check_refused(store);
	refstore_close(store);
	return 0;
}
