// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: they come to those that they are for, once, and are waited for no
 * longer than was said. The linker sends all read() here; files can always be
 * read, says poll().
 */
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

#define MANY 16

static struct refstore_event queue[MANY];
static size_t nr_queued;
static uint64_t cookies[MANY];
static size_t nr_cookies;

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_weak *weak = args;

	(void)fd;
	if (command != REFSTORE_WEAK)
		return 0;
	CHECK(weak->flags == REFSTORE_WEAK_NOTIFY && nr_cookies < MANY);
	cookies[nr_cookies++] = weak->cookie;
	weak->result = nr_cookies;
	return 0;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size);

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	size_t bytes = nr_queued * sizeof(*queue);

	(void)fd;
	if (!nr_queued) {
		errno = EAGAIN;
		return -1;
	}
	CHECK(size >= bytes);
	memcpy(buffer, queue, bytes);
	nr_queued = 0;
	return (ssize_t)bytes;
}

static void send_death(uint64_t cookie)
{
	queue[nr_queued++] = (struct refstore_event){
		.kind = REFSTORE_EVENT_DEATH, .cookie = cookie,
	};
}

static struct refstore *open_session(void)
{
	struct refstore *store;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	return store;
}

static void on_death(struct refstore *store, uint64_t weak, uint64_t id,
		     void *data)
{
	(void)store;
	(void)weak;
	(void)id;
	++*(int *)data;
}

/* Several struct refstore on one session: notices find those who asked. */
static void check_cookies(void)
{
	struct refstore *stores[4];
	int deaths[4] = {};
	uint64_t weak;
	size_t i;

	for (i = 0; i < 4; i++) {
		stores[i] = open_session();
		CHECK(!refstore_watch(stores[i], 1, on_death, &deaths[i],
				      &weak));
		CHECK(cookies[i] > REFSTORE_COOKIE_MAX);
	}
	CHECK(!refstore_watch(stores[0], 1, on_death, &deaths[0], &weak));
	CHECK(cookies[4] > REFSTORE_COOKIE_MAX && cookies[4] != cookies[0]);
	send_death(cookies[0]);
	send_death(cookies[1]);
	send_death(cookies[3]);
	CHECK(refstore_dispatch(stores[2], 0) == 3);
	CHECK(!deaths[0] && !deaths[1] && !deaths[2] && !deaths[3]);
	send_death(cookies[2]);
	CHECK(refstore_dispatch(stores[2], 0) == 1 && deaths[2] == 1);
	for (i = 0; i < 4; i++)
		refstore_close(stores[i]);
}

static int64_t milliseconds(void)
{
	struct timespec time;

	CHECK(!clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Whenever something is there, somebody else has taken it. */
static void check_timeout(void)
{
	struct refstore *store = open_session();
	int64_t begin = milliseconds();

	alarm(60);
	CHECK(refstore_dispatch(store, 200) == 0);
	CHECK(milliseconds() - begin >= 195);
	CHECK(refstore_dispatch(store, 0) == 0);
	alarm(0);
	refstore_close(store);
}

/* Which functions an event came to, in order. */
static char called[MANY];

static void note(const void *name)
{
	strncat(called, name, 1);
	CHECK(strlen(called) < MANY - 1);
}

static char names[] = "abcd";

static void on_scan(struct refstore *store, const struct refstore_event *event,
		    void *data)
{
	(void)store;
	(void)event;
	note(data);
}

static void remove_two(struct refstore *store,
		       const struct refstore_event *event, void *data)
{
	(void)event;
	note(data);
	CHECK(!refstore_gc_remove_callback(store, on_scan, &names[0]));
	CHECK(!refstore_gc_remove_callback(store, remove_two, data));
}

static void come_again(struct refstore *store,
		       const struct refstore_event *event, void *data)
{
	(void)event;
	note(data);
	CHECK(!refstore_gc_remove_callback(store, come_again, data));
	CHECK(!refstore_gc_add_callback(store, come_again, data));
}

static bool scan_calls(struct refstore *store, const char *wanted)
{
	called[0] = 0;
	queue[nr_queued++].kind = REFSTORE_EVENT_SCAN_END;
	CHECK(refstore_dispatch(store, 0) == 1);
	return !strcmp(called, wanted);
}

static void check_callbacks(void)
{
	struct refstore *store = open_session();

	CHECK(!refstore_gc_add_callback(store, on_scan, &names[0]));
	CHECK(!refstore_gc_add_callback(store, remove_two, &names[1]));
	CHECK(!refstore_gc_add_callback(store, on_scan, &names[2]));
	CHECK(!refstore_gc_add_callback(store, on_scan, &names[3]));
	CHECK(scan_calls(store, "abcd"));
	CHECK(scan_calls(store, "cd"));
	refstore_close(store);

	store = open_session();
	CHECK(!refstore_gc_add_callback(store, come_again, &names[0]));
	CHECK(!refstore_gc_add_callback(store, on_scan, &names[1]));
	CHECK(scan_calls(store, "ab"));
	CHECK(scan_calls(store, "ba"));
	refstore_close(store);
}

int main(void)
{
	check_cookies();
	check_timeout();
	check_callbacks();
	return 0;
}
