/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks over a heap that a check plays.
 */
#ifndef REFSTORE_CHECK_WALK_H
#define REFSTORE_CHECK_WALK_H

#include <string.h>

#include "kernel.h"

/* What a walk lists. */
struct played {
	void *entries;
	size_t size;
	uint32_t count;
};

/* One entry at a time, as if there was no room for more. */
static inline int play_walk(struct refstore_walk *walk,
			    const struct played *played, int backwards)
{
	const char *entries = played->entries;
	uint32_t count = played->count;
	uint64_t n = walk->cursor[0]++;

	CHECK(walk->capacity && !walk->flags && n <= count);
	walk->end = n == count;
	walk->count = !walk->end;
	if (!walk->count)
		return 0;
	if (backwards)
		n = count - 1 - n;
	memcpy((void *)(uintptr_t)walk->entries, entries + n * played->size,
	       played->size);
	return 0;
}

#endif /* REFSTORE_CHECK_WALK_H */
