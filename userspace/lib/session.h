/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a session, and the one way into the kernel.
 */
#ifndef LIBREFSTORE_SESSION_H
#define LIBREFSTORE_SESSION_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>

/* Everything is hidden but what the public header declares. */
#pragma GCC visibility push(default)
#include "refstore.h"
#pragma GCC visibility pop

struct gc_callback;

/**
 * struct watches - who is called for what the kernel tells
 * @lock: protects the others; no callback runs under it
 * @by_cookie: tree of callbacks for deaths, see weak.c
 * @by_weak: the same ones
 * @last_cookie: number of the newest one; the first is drawn at random
 * @gc: list of callbacks for scans, see event.c
 * @last_gc: number of the newest one, from 1
 */
struct watches {
	pthread_mutex_t lock;
	void *by_cookie;
	void *by_weak;
	uint64_t last_cookie;
	struct gc_callback *gc;
	uint64_t last_gc;
};

/**
 * struct refstore - a session
 * @fd: its descriptor; -1 if it died in a fork. Changes nowhere else, so calls
 *      read it without a lock
 * @max_batch: operations, or objects of one, that the kernel takes at once
 * @clone: while a fork runs: the child's descriptor, or -1
 * @next: the next one of all sessions, under the lock of fork.c
 * @watches: its callbacks
 */
struct refstore {
	int fd;
	uint64_t max_batch;
	int clone;
	struct refstore *next;
	struct watches watches;
};

/* One call of the kernel: 0 or a negative errno, -EINTR among them. */
static inline int refstore_call_once(const struct refstore *store,
				     unsigned long command, void *args)
{
	return ioctl(store->fd, command, args) < 0 ? -errno : 0;
}

/*
 * The same, again if a signal came before anything was done. Not for what waits
 * for others, or goes over the whole heap: whether that goes on after a signal
 * must be left to the caller.
 */
static inline int refstore_call(const struct refstore *store,
				unsigned long command, void *args)
{
	int ret;

	do {
		ret = refstore_call_once(store, command, args);
	} while (ret == -EINTR);
	return ret;
}

/* The kernel's sizes and indices have 32 bits, the library's what fits. */
static inline bool refstore_fits(size_t number)
{
	return (uint32_t)number == number;
}

/* How many of so many the kernel takes at once. */
static inline uint32_t refstore_part(const struct refstore *store, size_t count)
{
	return (uint32_t)(count < store->max_batch ? count : store->max_batch);
}

static inline uint64_t refstore_pointer(const void *pointer)
{
	return (uintptr_t)pointer;
}

#endif /* LIBREFSTORE_SESSION_H */
