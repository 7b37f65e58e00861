// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each entry of each walk becomes a number that looks random. Those are added
 * up, as the order of a walk is of no meaning.
 */
#include <string.h>

#include "sum.h"

#define BUFFER_SIZE 65536
#define NR_WORDS (sizeof(struct refstore_walk_object) / sizeof(uint64_t))

/* Smaller ones end in words that are 0. */
union entry {
	struct refstore_walk_object object;
	struct refstore_walk_edge edge;
	struct refstore_walk_handle handle;
	uint64_t words[NR_WORDS];
};

static const size_t sizes[] = {
	[REFSTORE_WALK_OBJECTS] = sizeof(struct refstore_walk_object),
	[REFSTORE_WALK_EDGES] = sizeof(struct refstore_walk_edge),
	[REFSTORE_WALK_HANDLES] = sizeof(struct refstore_walk_handle),
	[REFSTORE_WALK_ROOTS] = sizeof(struct refstore_walk_handle),
};

/* One to one, and each bit changes about half of the others (murmur3). */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccdULL;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

static uint64_t sum_entry(uint32_t what, const char *bytes)
{
	union entry entry = {};
	uint64_t sum = what + 1;
	size_t i;

	memcpy(&entry, bytes, sizes[what]);
	/* The scanner's own marks, which change when it has looked. */
	if (what == REFSTORE_WALK_OBJECTS) {
		entry.object.state &= ~(uint32_t)REFSTORE_STATE_CANDIDATE;
		entry.object.generation = 0;
	}
	for (i = 0; i < NR_WORDS; i++)
		sum = mix(sum) ^ entry.words[i];
	return mix(sum);
}

static int sum_walk(struct refstore *store, uint32_t what, uint64_t *sum)
{
	static char buffer[BUFFER_SIZE];
	struct refstore_walk walk = {
		.what = what,
		.capacity = (uint32_t)(BUFFER_SIZE / sizes[what]),
		.entries = (uintptr_t)buffer,
	};
	uint32_t i;
	int ret;

	while (!walk.end) {
		ret = refstore_walk(store, &walk);
		if (ret)
			return ret;
		for (i = 0; i < walk.count; i++)
			*sum += sum_entry(what, buffer + i * sizes[what]);
	}
	return 0;
}

int sum_heap(struct refstore *store, uint64_t *sum)
{
	uint32_t what;
	int ret = 0;

	*sum = 0;
	for (what = REFSTORE_WALK_OBJECTS;
	     !ret && what <= REFSTORE_WALK_ROOTS; what++)
		ret = sum_walk(store, what, sum);
	return ret;
}
