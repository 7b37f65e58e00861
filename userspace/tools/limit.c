// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits in words.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"

/* By the module's parameters, which set them. */
static const char *const names[] = {
	[REFSTORE_LIMIT_HEAP_OBJECTS] = "max_objects",
	[REFSTORE_LIMIT_HEAP_BYTES] = "max_bytes",
	[REFSTORE_LIMIT_SESSION_HANDLES] = "max_handles",
	[REFSTORE_LIMIT_USER_OBJECTS] = "max_user_objects",
	[REFSTORE_LIMIT_USER_BYTES] = "max_user_bytes",
	[REFSTORE_LIMIT_USER_HANDLES] = "max_user_handles",
	[REFSTORE_LIMIT_USER_WEAK] = "max_user_weak",
	[REFSTORE_LIMIT_USER_HEAPS] = "max_user_heaps",
};

const char *limit_describe(struct refstore *store, int error)
{
	struct refstore_limit limit = {};
	static char text[128];

	if (error != -EDQUOT || refstore_limit(store, &limit) || !limit.limit ||
	    limit.limit >= sizeof(names) / sizeof(names[0]))
		return strerror(-error);
	snprintf(text, sizeof(text),
		 "the limit %s of %" PRIu64 " is reached, of user %" PRIu32,
		 names[limit.limit], (uint64_t)limit.max, limit.uid);
	return text;
}
