/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a session, and the one way into the kernel.
 */
#ifndef LIBREFSTORE_SESSION_H
#define LIBREFSTORE_SESSION_H

#include <errno.h>
#include <stdbool.h>
#include <sys/ioctl.h>

/* Everything is hidden but what the public header declares. */
#pragma GCC visibility push(default)
#include "refstore.h"
#pragma GCC visibility pop

/**
 * struct refstore - a session
 * @fd: its descriptor; -1 if it died in a fork. Changes nowhere else, so calls
 *      read it without a lock
 * @max_batch: operations that the kernel takes at once
 * @clone: while a fork runs: the child's descriptor, or -1
 * @next: the next one of all sessions, under the lock of fork.c
 */
struct refstore {
	int fd;
	uint64_t max_batch;
	int clone;
	struct refstore *next;
};

/* One call of the kernel: 0 or a negative errno. */
static inline int refstore_call(const struct refstore *store,
				unsigned long command, void *args)
{
	return ioctl(store->fd, command, args) < 0 ? -errno : 0;
}

/* The kernel's sizes and indices have 32 bits, the library's what fits. */
static inline bool refstore_fits(size_t number)
{
	return (uint32_t)number == number;
}

static inline uint64_t refstore_pointer(const void *pointer)
{
	return (uintptr_t)pointer;
}

#endif /* LIBREFSTORE_SESSION_H */
