// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what a session is told through read(2).
 *
 * Notices of deaths are never lost: the memory of each is the weak reference
 * that it was asked for with (weak.c). What scans report may come faster than
 * it is read; there is room for RS_SCAN_EVENTS, and the next one that finds
 * room says how many did not.
 *
 * Events come from any thread, under other spinlocks. Readers take turns, by
 * @read_lock, and look at the first event under the spinlock; it stays in the
 * list until it was copied out, so an address that cannot be written loses
 * nothing.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "scan.h"
#include "session.h"
#include "weak.h"

#define RS_SCAN_EVENTS	64

/* In heap->sessions: those that want to hear of scans. */
#define RS_WATCHES_SCANS	XA_MARK_1

/**
 * struct rs_scan_event - what is told of a scan
 * @event: in the session's list, or in scans->idle
 * @number: of the scan
 * @generation: that it looked at
 * @visited: figures; 0 when it begins
 * @reclaimed: as above
 * @nanoseconds: as above
 * @lost: events that found no room before this one
 */
struct rs_scan_event {
	struct rs_event event;
	u32 number;
	u32 generation;
	u64 visited;
	u64 reclaimed;
	u64 nanoseconds;
	u64 lost;
};

/**
 * struct rs_scan_events - room for events; protected by events->lock
 * @idle: those not in use
 * @lost: events that found none
 * @room: all of them
 */
struct rs_scan_events {
	struct list_head idle;
	u64 lost;
	struct rs_scan_event room[RS_SCAN_EVENTS];
};

void rs_events_init(struct rs_events *events)
{
	spin_lock_init(&events->lock);
	INIT_LIST_HEAD(&events->list);
	init_waitqueue_head(&events->wait);
	mutex_init(&events->read_lock);
}

static void rs_events_add_locked(struct rs_events *events,
				 struct rs_event *event)
{
	event->seq = ++events->last;
	event->queued = true;
	list_add_tail(&event->node, &events->list);
	wake_up_poll(&events->wait, EPOLLIN | EPOLLRDNORM);
}

/* Queues an event, whose node is in no list. */
void rs_events_add(struct rs_events *events, struct rs_event *event)
{
	spin_lock(&events->lock);
	rs_events_add_locked(events, event);
	spin_unlock(&events->lock);
}

static void rs_event_describe_scan(struct rs_event *event,
				   struct refstore_event *record)
{
	struct rs_scan_event *scan = container_of(event, struct rs_scan_event,
						  event);

	record->id = scan->number;
	record->generation = scan->generation;
	record->visited = scan->visited;
	record->reclaimed = scan->reclaimed;
	record->nanoseconds = scan->nanoseconds;
	record->lost = scan->lost;
}

static void rs_event_describe(struct rs_event *event,
			      struct refstore_event *record)
{
	struct rs_weak *weak;

	memset(record, 0, sizeof(*record));
	record->seq = event->seq;
	record->kind = event->kind;
	if (event->kind != REFSTORE_EVENT_DEATH) {
		rs_event_describe_scan(event, record);
		return;
	}
	weak = container_of(event, struct rs_weak, event);
	record->cookie = weak->cookie;
	record->id = weak->block->id;
}

/* The oldest event, which stays where it is; NULL if there is none. */
static struct rs_event *rs_events_peek(struct rs_events *events,
				       struct refstore_event *record)
{
	struct rs_event *event;

	spin_lock(&events->lock);
	event = list_first_entry_or_null(&events->list, struct rs_event, node);
	if (event)
		rs_event_describe(event, record);
	spin_unlock(&events->lock);
	return event;
}

/* Takes the oldest event out; it goes to where it came from. */
static void rs_events_drop(struct rs_events *events, struct rs_event *event)
{
	struct rs_weak *gone = NULL;

	spin_lock(&events->lock);
	list_del(&event->node);
	event->queued = false;
	if (event->kind != REFSTORE_EVENT_DEATH) {
		list_add(&event->node, &events->scans->idle);
	} else {
		gone = container_of(event, struct rs_weak, event);
		if (gone->released)
			WRITE_ONCE(events->unread, events->unread - 1);
		else
			gone = NULL;
	}
	spin_unlock(&events->lock);
	if (gone)
		rs_weak_free(gone);
}

static bool rs_events_ready(struct rs_events *events)
{
	return !list_empty_careful(&events->list);
}

/* Nobody will read: drops up to @count events; true if none are left. */
bool rs_events_discard(struct rs_events *events, u32 count)
{
	struct refstore_event record;
	struct rs_event *event;

	for (; count; count--) {
		event = rs_events_peek(events, &record);
		if (!event)
			break;
		rs_events_drop(events, event);
	}
	return !rs_events_ready(events);
}

/* The session ends, and all its events were discarded. */
void rs_events_end(struct rs_events *events)
{
	kvfree(events->scans);
}

/* Copies out what there is and fits; returns how many bytes, or an error. */
static ssize_t rs_events_copy(struct rs_events *events, struct iov_iter *to)
{
	struct refstore_event record;
	struct rs_event *event;
	ssize_t done = 0;

	while (iov_iter_count(to) >= sizeof(record)) {
		event = rs_events_peek(events, &record);
		if (!event)
			break;
		if (copy_to_iter(&record, sizeof(record), to) != sizeof(record))
			return done ? done : -EFAULT;
		rs_events_drop(events, event);
		done += sizeof(record);
		cond_resched();
		if (signal_pending(current))
			break;
	}
	return done;
}

/* Another reader may be held up by the memory that it reads to. */
static int rs_events_lock(struct rs_events *events, bool wait)
{
	if (!wait)
		return mutex_trylock(&events->read_lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&events->read_lock) ? -ERESTARTSYS : 0;
}

/**
 * rs_events_read - read events
 * @events: the session's
 * @to: where records go, whole ones
 * @wait: for the first event, if there is none
 *
 * Return: how many bytes were written; 0 if no event was ever asked for;
 * -EINVAL if there is not room for one, -EAGAIN, -ERESTARTSYS, -EFAULT.
 */
ssize_t rs_events_read(struct rs_events *events, struct iov_iter *to,
		       bool wait)
{
	ssize_t done;
	int err;

	if (!READ_ONCE(events->wanted))
		return 0;
	if (iov_iter_count(to) < sizeof(struct refstore_event))
		return -EINVAL;
	do {
		if (wait && wait_event_interruptible(events->wait,
						     rs_events_ready(events)))
			return -ERESTARTSYS;
		err = rs_events_lock(events, wait);
		if (err)
			return err;
		done = rs_events_copy(events, to);
		mutex_unlock(&events->read_lock);
	} while (!done && wait);	/* somebody else was faster */
	return done ? done : -EAGAIN;
}

__poll_t rs_events_poll(struct rs_events *events, struct file *file,
			poll_table *table)
{
	poll_wait(file, &events->wait, table);
	return rs_events_ready(events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct rs_scan_events *rs_scan_events_alloc(void)
{
	struct rs_scan_events *scans = kvzalloc(sizeof(*scans), RS_GFP);
	u32 i;

	if (!scans)
		return NULL;
	INIT_LIST_HEAD(&scans->idle);
	for (i = 0; i < RS_SCAN_EVENTS; i++)
		list_add_tail(&scans->room[i].event.node, &scans->idle);
	return scans;
}

/* Tells a session of its heap's scans no more. */
void rs_events_ignore_scans(struct rs_session *session)
{
	xa_clear_mark(&session->heap->sessions, session->number,
		      RS_WATCHES_SCANS);
}

/**
 * rs_events_watch_scans - tell a session of its heap's scans, or do not
 * @session: the session, whose lock the caller holds
 * @watch: which
 *
 * Return: 0 or -ENOMEM.
 */
int rs_events_watch_scans(struct rs_session *session, bool watch)
{
	struct xarray *sessions = &session->heap->sessions;
	struct rs_events *events = &session->events;

	lockdep_assert_held(&session->lock);
	if (!watch) {
		rs_events_ignore_scans(session);
		return 0;
	}
	if (!events->scans) {
		events->scans = rs_scan_events_alloc();
		if (!events->scans)
			return -ENOMEM;
	}
	WRITE_ONCE(events->wanted, true);
	/* Its lock lets whoever sees the mark see the room */
	xa_set_mark(sessions, session->number, RS_WATCHES_SCANS);
	return 0;
}

bool rs_events_watches_scans(struct rs_session *session)
{
	return xa_get_mark(&session->heap->sessions, session->number,
			   RS_WATCHES_SCANS);
}

static void rs_events_add_scan(struct rs_events *events, struct rs_scan *scan,
			       u32 kind)
{
	struct rs_scan_events *scans = events->scans;
	struct rs_scan_event *event;

	spin_lock(&events->lock);
	event = list_first_entry_or_null(&scans->idle, struct rs_scan_event,
					 event.node);
	if (event) {
		list_del(&event->event.node);
		event->event.kind = kind;
		event->number = scan->number;
		event->generation = scan->generation;
		event->visited = scan->figures.visited;
		event->reclaimed = scan->figures.reclaimed;
		event->nanoseconds = scan->figures.nanoseconds;
		event->lost = scans->lost;
		scans->lost = 0;
		rs_events_add_locked(events, &event->event);
	} else {
		scans->lost++;
	}
	spin_unlock(&events->lock);
}

/* Tells all sessions that want to know of a scan. */
void rs_events_scan(struct rs_scan *scan, u32 kind)
{
	struct xarray *sessions = &scan->heap->sessions;
	struct rs_session *session;
	unsigned long number = 0;
	u32 n;

	if (!xa_marked(sessions, RS_WATCHES_SCANS))
		return;
	do {
		xa_lock(sessions);
		for (n = 0; n < RS_SLICE; n++) {
			session = xa_find(sessions, &number, ULONG_MAX,
					  RS_WATCHES_SCANS);
			if (!session)
				break;
			rs_events_add_scan(&session->events, scan, kind);
			number++;
		}
		xa_unlock(sessions);
		cond_resched();
	} while (session);
}
