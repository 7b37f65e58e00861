// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: what the kernel tells a session, and who is called for it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

/* Events that are handled between two looks for more. */
#define CHUNK 16

#define MSEC_PER_SEC 1000
#define NSEC_PER_MSEC 1000000

int refstore_watch_scans(struct refstore *store, int watch)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_EVENTS,
		.events = watch != 0,
	};

	return refstore_gc_tune(store, &tune);
}

/*
 * Between poll() and read(), somebody else may take the event; so read() must
 * not wait. Of the file, nothing else that we use looks at the flag.
 */
static int set_nonblock(struct refstore *store)
{
	int flags = fcntl(store->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) &&
	    fcntl(store->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* What there is, or -EAGAIN. */
static ssize_t read_now(struct refstore *store, struct refstore_event *events,
			size_t count)
{
	ssize_t ret = read(store->fd, events, count * sizeof(*events));

	if (ret < 0)
		return -errno;
	return ret ? ret / (ssize_t)sizeof(*events) : -ENODATA;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * MSEC_PER_SEC +
	       time.tv_nsec / NSEC_PER_MSEC;
}

/* How long to wait still; a timeout without an end has no deadline. */
static int time_left(int timeout, int64_t deadline)
{
	int64_t left;

	if (timeout <= 0)
		return timeout;
	left = deadline - now();
	return left > 0 ? (int)left : 0;
}

/* 1 if something may have come, 0 if the time is over, or a negative errno. */
static int await(struct refstore *store, int timeout)
{
	struct pollfd pollfd = { .fd = store->fd, .events = POLLIN };
	int ret = timeout ? poll(&pollfd, 1, timeout) : 0;

	if (ret < 0)
		return -errno;
	return ret && pollfd.revents & POLLNVAL ? -EBADF : ret;
}

ssize_t refstore_read_events(struct refstore *store,
			     struct refstore_event *events, size_t count,
			     int timeout)
{
	ssize_t ret = set_nonblock(store);
	int64_t deadline;

	if (ret)
		return ret;
	ret = read_now(store, events, count);
	deadline = timeout > 0 ? now() + timeout : 0;
	/* Again and again, if others take what comes. */
	while (ret == -EAGAIN) {
		int ready = await(store, time_left(timeout, deadline));

		if (ready <= 0)
			return ready;
		ret = read_now(store, events, count);
	}
	return ret;
}

/**
 * struct gc_callback - a callback for scans
 * @next: the next one, with a higher number
 * @number: counts those that were ever added
 * @call: the callback
 * @data: for the callback
 */
struct gc_callback {
	struct gc_callback *next;
	uint64_t number;
	refstore_gc_fn call;
	void *data;
};

static struct gc_callback **find(struct watches *watches, refstore_gc_fn call,
				 const void *data)
{
	struct gc_callback **link = &watches->gc;

	while (*link && ((*link)->call != call || (*link)->data != data))
		link = &(*link)->next;
	return link;
}

int refstore_gc_add_callback(struct refstore *store, refstore_gc_fn call,
			     void *data)
{
	struct gc_callback *callback = calloc(1, sizeof(*callback));
	struct watches *watches = &store->watches;
	struct gc_callback **link;
	int ret;

	if (!callback)
		return -ENOMEM;
	callback->call = call;
	callback->data = data;
	pthread_mutex_lock(&watches->lock);
	ret = refstore_watch_scans(store, 1);
	if (!ret) {
		for (link = &watches->gc; *link; link = &(*link)->next)
			;
		callback->number = ++watches->last_gc;
		*link = callback;
	}
	pthread_mutex_unlock(&watches->lock);
	if (ret)
		free(callback);
	return ret;
}

int refstore_gc_remove_callback(struct refstore *store, refstore_gc_fn call,
				void *data)
{
	struct watches *watches = &store->watches;
	struct gc_callback **link, *callback;
	int ret = 0;

	pthread_mutex_lock(&watches->lock);
	link = find(watches, call, data);
	callback = *link;
	if (!callback)
		ret = -ENOENT;
	else if (callback == watches->gc && !callback->next)
		ret = refstore_watch_scans(store, 0);
	if (!ret)
		*link = callback->next;
	pthread_mutex_unlock(&watches->lock);
	if (!ret)
		free(callback);
	return ret;
}

static uint64_t last_number(struct watches *watches)
{
	uint64_t last;

	pthread_mutex_lock(&watches->lock);
	last = watches->last_gc;
	pthread_mutex_unlock(&watches->lock);
	return last;
}

/* The first callback after that number; false if there is none. */
static bool next_callback(struct watches *watches, uint64_t number,
			  struct gc_callback *result)
{
	struct gc_callback *callback;

	pthread_mutex_lock(&watches->lock);
	callback = watches->gc;
	while (callback && callback->number <= number)
		callback = callback->next;
	if (callback)
		*result = *callback;
	pthread_mutex_unlock(&watches->lock);
	return callback;
}

/*
 * No lock is held while a callback runs: it may call whatever it likes, and
 * remove any. What it adds is not for this event, or one that adds itself again
 * would be called for ever.
 */
static void call_for_scan(struct refstore *store,
			  const struct refstore_event *event)
{
	struct watches *watches = &store->watches;
	uint64_t last = last_number(watches);
	struct gc_callback callback = {};

	while (next_callback(watches, callback.number, &callback) &&
	       callback.number <= last)
		callback.call(store, event, callback.data);
}

static void dispatch(struct refstore *store, const struct refstore_event *event)
{
	if (event->kind == REFSTORE_EVENT_DEATH)
		refstore_watch_call(store, event);
	else
		call_for_scan(store, event);
}

ssize_t refstore_dispatch(struct refstore *store, int timeout)
{
	struct refstore_event events[CHUNK];
	ssize_t i, count, total = 0;

	do {
		count = refstore_read_events(store, events, CHUNK, timeout);
		for (i = 0; i < count; i++)
			dispatch(store, &events[i]);
		total += count > 0 ? count : 0;
		timeout = 0;
	} while (count == CHUNK);
	return total ? total : count;
}

void refstore_gc_callbacks_end(struct watches *watches)
{
	struct gc_callback *callback;

	while ((callback = watches->gc)) {
		watches->gc = callback->next;
		free(callback);
	}
}
