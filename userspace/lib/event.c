// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: what the kernel tells a session, and who is called for it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "watch.h"

/* Events that are handled between two looks for more. */
#define CHUNK 16

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

/* 1 if something may have come, 0 if the time is over, or a negative errno. */
static int await(struct refstore *store, int timeout)
{
	struct pollfd pollfd = { .fd = store->fd, .events = POLLIN };
	int ret = poll(&pollfd, 1, timeout);

	if (ret < 0)
		return -errno;
	return ret && pollfd.revents & POLLNVAL ? -EBADF : ret;
}

ssize_t refstore_read_events(struct refstore *store,
			     struct refstore_event *events, size_t count,
			     int timeout)
{
	ssize_t ret = set_nonblock(store);

	if (ret)
		return ret;
	ret = read_now(store, events, count);
	while (ret == -EAGAIN) {
		int ready = timeout ? await(store, timeout) : 0;

		if (ready <= 0)
			return ready;
		ret = read_now(store, events, count);
	}
	return ret;
}

/**
 * struct gc_callback - a callback for scans
 * @next: the next one
 * @call: the callback
 * @data: for the callback
 */
struct gc_callback {
	struct gc_callback *next;
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

/* The n-th callback; false if there are not so many. */
static bool nth_callback(struct watches *watches, size_t n,
			 struct gc_callback *result)
{
	struct gc_callback *callback;

	pthread_mutex_lock(&watches->lock);
	callback = watches->gc;
	while (callback && n--)
		callback = callback->next;
	if (callback)
		*result = *callback;
	pthread_mutex_unlock(&watches->lock);
	return callback;
}

static bool is_nth(struct watches *watches, size_t n,
		   const struct gc_callback *callback)
{
	struct gc_callback nth;

	return nth_callback(watches, n, &nth) && nth.call == callback->call &&
	       nth.data == callback->data;
}

/*
 * No lock is held while a callback runs: it may call whatever it likes. It may
 * remove itself: then the next one has taken its place.
 */
static void call_for_scan(struct refstore *store,
			  const struct refstore_event *event)
{
	struct watches *watches = &store->watches;
	struct gc_callback callback;
	size_t n = 0;

	while (nth_callback(watches, n, &callback)) {
		callback.call(store, event, callback.data);
		n += is_nth(watches, n, &callback);
	}
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
