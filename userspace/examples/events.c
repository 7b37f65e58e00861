// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events in a loop that waits for other things, too: a pair of objects that refer
 * to each other is let go, and the loop is told of the scan that finds it, and of
 * the death of the one that is watched. It prints:
 *
 *	a scan begins
 *	object 1 is dead
 *	a scan has ended: 2 objects are freed
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <refstore.h>

#include "must.h"

/* Functions are called by refstore_dispatch(), in the thread that calls it. */
static void on_death(struct refstore *store, uint64_t weak, uint64_t id,
		     void *data)
{
	(void)data;
	printf("object %" PRIu64 " is dead\n", id);
	must("unwatch", refstore_unwatch(store, weak));
}

static void on_scan(struct refstore *store, const struct refstore_event *event,
		    void *done)
{
	(void)store;
	if (event->kind == REFSTORE_EVENT_SCAN_BEGIN) {
		puts("a scan begins");
		return;
	}
	printf("a scan has ended: %" PRIu64 " objects are freed\n",
	       (uint64_t)event->reclaimed);
	*(bool *)done = true;
}

static void make_garbage(struct refstore *store)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_LIST, .nr_slots = 1,
	};
	uint64_t one, other, weak;

	must("create", refstore_create(store, &spec, &one, NULL));
	must("create", refstore_create(store, &spec, &other, NULL));
	must("set a slot", refstore_set_slot(store, one, 0, other));
	must("set a slot", refstore_set_slot(store, other, 0, one));
	/* The weak handle keeps nothing; on_death() gives it back. */
	must("watch", refstore_watch(store, one, on_death, NULL, &weak));
	must("release", refstore_release(store, one));
	must("release", refstore_release(store, other));
}

static void loop(struct refstore *store, const bool *done)
{
	struct epoll_event event = { .events = EPOLLIN };
	int poll = epoll_create1(EPOLL_CLOEXEC);

	/* Sockets, timers and the like can be added beside it. */
	if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, refstore_fd(store),
				  &event) < 0)
		err(1, "epoll");
	while (!*done) {
		if (epoll_wait(poll, &event, 1, -1) < 0)
			err(1, "epoll_wait");
		/* Without waiting: all that there is. */
		must("dispatch", refstore_dispatch(store, 0));
	}
	close(poll);
}

int main(void)
{
	struct refstore *store;
	bool done = false;

	must("open", refstore_open(&store));
	/* Scans would come by themselves, a little later. */
	must("disable", refstore_gc_disable(store));
	must("callback", refstore_gc_add_callback(store, on_scan, &done));
	make_garbage(store);
	must("collect", refstore_collect(store, REFSTORE_OLDEST, NULL));
	loop(store, &done);
	refstore_close(store);
	return 0;
}
