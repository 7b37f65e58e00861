// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals: the kernel interrupts each call before anything was done, once.
 * Nobody hears of it but callers of what takes long, and no handle is lost.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel.h"

#define NR_SLOTS 10

static bool interrupted;
static uint64_t held;
static int read_error;

static uint64_t mint(void)
{
	held++;
	return held;
}

/* Reads some slots, and fails at the last one. */
static int read_slots(struct refstore_slots *slots)
{
	uint64_t *handles = (void *)(uintptr_t)slots->handles;
	uint32_t i;

	if (slots->first == NR_SLOTS - 1)
		return read_error;
	slots->done = slots->count > 4 ? 4 : slots->count - 1;
	for (i = 0; i < slots->done; i++)
		handles[i] = i % 2 ? mint() : 0;
	return 0;
}

static int walk(struct refstore_walk *args)
{
	struct refstore_walk_object *objects =
		(void *)(uintptr_t)args->entries;
	uint32_t i;

	args->count = args->capacity < NR_SLOTS ? args->capacity : NR_SLOTS;
	memset(objects, 0, args->count * sizeof(*objects));
	for (i = 0; i < args->count; i++) {
		objects[i].id = i + 1;
		objects[i].refs = 1;
		if (args->flags & REFSTORE_WALK_MINT)
			objects[i].handle = mint();
		if (i == NR_SLOTS - 2)
			objects[i].state = REFSTORE_STATE_SAVED;
	}
	args->end = 1;
	return 0;
}

static void release_many(struct refstore_release_many *args)
{
	const uint64_t *handles = (void *)(uintptr_t)args->handles;

	for (args->done = 0; args->done < args->count; args->done++)
		if (handles[args->done])
			CHECK(held--);
}

static int work(unsigned long command, void *args)
{
	switch (command) {
	case REFSTORE_READ_SLOTS:
		return read_slots(args);
	case REFSTORE_WALK:
		return walk(args);
	case REFSTORE_RELEASE:
		CHECK(held--);
		return 0;
	case REFSTORE_RELEASE_MANY:
		release_many(args);
		return 0;
	case REFSTORE_QUERY:
		((struct refstore_query *)args)->max_batch = NR_SLOTS / 2;
		return 0;
	case REFSTORE_SESSION_NEW:
		((struct refstore_session_new *)args)->fd = new_session_fd();
		return 0;
	default:
		return 0;
	}
}

int kernel(int fd, unsigned long command, void *args)
{
	(void)fd;
	interrupted = !interrupted;
	return interrupted ? -EINTR : work(command, args);
}

static void on_death(struct refstore *store, uint64_t weak, uint64_t id,
		     void *data)
{
	(void)store;
	(void)weak;
	(void)id;
	(void)data;
}

/* These go on. */
static void check_quiet(struct refstore *store)
{
	const struct refstore_spec spec = {};
	uint32_t delays[REFSTORE_GENERATIONS] = {};
	struct refstore *other;
	uint64_t handle = 1;

	CHECK(!refstore_create(store, &spec, &handle, NULL));
	CHECK(!refstore_dup(store, 1, &handle));
	CHECK(!refstore_get_slot(store, 1, 0, &handle));
	CHECK(!refstore_set_slot(store, 1, 0, 0));
	CHECK(!refstore_write(store, 1, 0, "", 1));
	CHECK(!refstore_set_root(store, 0));
	CHECK(!refstore_weak(store, 1, &handle));
	CHECK(!refstore_watch(store, 1, on_death, NULL, &handle));
	CHECK(!refstore_gc_disable(store));
	CHECK(refstore_gc_is_enabled(store) == 0);
	CHECK(!refstore_gc_set_delay(store, delays));
	CHECK(!refstore_watch_scans(store, 1));
	CHECK(!refstore_gc_freeze(store, NULL));
	CHECK(!refstore_gc_unfreeze(store, NULL));
	CHECK(!refstore_gc_freeze_count(store, &handle));
	CHECK(!refstore_session_new(store, REFSTORE_SESSION_CLONE, &other));
	refstore_close(other);
}

/* These tell, and go on when they are called again. */
static void check_told(struct refstore *store)
{
	struct refstore_walk_object object;
	struct refstore_walk step = {
		.capacity = 1, .entries = (uintptr_t)&object,
	};

	CHECK(refstore_collect(store, REFSTORE_OLDEST, NULL) == -EINTR);
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, NULL));
	CHECK(refstore_gc_drop_garbage(store, NULL) == -EINTR);
	CHECK(!refstore_gc_drop_garbage(store, NULL));
	CHECK(refstore_walk(store, &step) == -EINTR);
	CHECK(!refstore_walk(store, &step) && step.count == 1);
}

/* What the library gives back itself is given back. */
static void check_rollback(struct refstore *store)
{
	struct refstore_walk_object object;
	uint64_t handles[NR_SLOTS];
	struct refstore_iter *iter;

	held = 0;
	read_error = -EDQUOT;
	CHECK(refstore_read_slots(store, 1, 0, handles, NR_SLOTS) == -EDQUOT);
	CHECK(!held);

	CHECK(!refstore_iter_garbage(store, REFSTORE_WALK_MINT, &iter));
	CHECK(refstore_iter_next_object(iter, &object) == -EINTR);
	CHECK(refstore_iter_next_object(iter, &object) == 1);
	CHECK(object.id == NR_SLOTS - 1 && held == 2);
	refstore_iter_free(iter);
	CHECK(held == 1);
}

int main(void)
{
	struct refstore *store;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	check_quiet(store);
	check_told(store);
	check_rollback(store);
	refstore_close(store);
	return 0;
}
