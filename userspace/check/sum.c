// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap's sum is another one when anything in it is, and only then.
 */
#include "kernel.h"
#include "sum.h"
#include "walk.h"

static struct refstore_walk_object objects[] = {
	{ .id = 1, .bytes = 64, .nr_slots = 2, .refs = 1 },
	{ .id = 2, .bytes = 64, .nr_slots = 2, .refs = 3 },
	{ .id = 3, .bytes = 96, .type = 5, .refs = 1 },
};

static struct refstore_walk_edge edges[] = {
	{ .from = 1, .to = 2, .index = 1 },
	{ .from = 2, .to = 2, .index = 0 },
	{ .from = 2, .to = 3, .index = 1 },
};

static struct refstore_walk_handle handles[] = {
	{ .id = 2, .session = 1 },
	{ .id = 1, .session = 2 },
};

static struct refstore_walk_handle root = { .id = 1 };

static const struct played walks[] = {
	[REFSTORE_WALK_OBJECTS] = { objects, sizeof(*objects), 3 },
	[REFSTORE_WALK_EDGES] = { edges, sizeof(*edges), 3 },
	[REFSTORE_WALK_HANDLES] = { handles, sizeof(*handles), 2 },
	[REFSTORE_WALK_ROOTS] = { &root, sizeof(root), 1 },
};

/* Lists the last entries first. */
static int backwards;

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_walk *walk = args;

	(void)fd;
	if (command == REFSTORE_WALK)
		return play_walk(walk, &walks[walk->what], backwards);
	CHECK(command == REFSTORE_QUERY);
	return 0;
}

static struct refstore *store;

static uint64_t sum(void)
{
	uint64_t sum;

	CHECK(!sum_heap(store, &sum));
	return sum;
}

/* The one word that the scanner changes by itself: the age. */
static int is_age(uint32_t what, size_t word)
{
	const size_t words = sizeof(*objects) / sizeof(uint32_t);

	return what == REFSTORE_WALK_OBJECTS &&
	       word % words == offsetof(struct refstore_walk_object,
					generation) / sizeof(uint32_t);
}

/* Whatever word of whatever entry differs, the sum does. */
static void check_words(uint32_t what)
{
	size_t count = walks[what].count * walks[what].size / sizeof(uint32_t);
	uint32_t *words = walks[what].entries;
	uint64_t before = sum();
	size_t i;

	for (i = 0; i < count; i++) {
		words[i] ^= 1U << 31;
		CHECK((sum() == before) == is_age(what, i));
		words[i] ^= 1U << 31;
	}
	CHECK(sum() == before);
}

/* Two handles that change places are others. */
static void check_swap(void)
{
	uint64_t before = sum();

	handles[0].session = 2;
	handles[1].session = 1;
	CHECK(sum() != before);
}

int main(void)
{
	uint64_t before;
	uint32_t what;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	before = sum();
	backwards = 1;
	CHECK(sum() == before);
	objects[0].state = REFSTORE_STATE_CANDIDATE;
	CHECK(sum() == before);
	for (what = REFSTORE_WALK_OBJECTS; what <= REFSTORE_WALK_ROOTS; what++)
		check_words(what);
	check_swap();
	refstore_close(store);
	return 0;
}
