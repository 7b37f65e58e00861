/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events: what a session is told through read(2).
 */
#ifndef RS_EVENT_H
#define RS_EVENT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct iov_iter;
struct rs_heap;
struct rs_scan;
struct rs_scan_events;
struct rs_session;

/**
 * struct rs_event - one event; embedded in what it is about, so that telling
 * never needs memory
 * @node: in events->list, while it is queued
 * @seq: its number in the session, from 1
 * @kind: REFSTORE_EVENT_*
 * @queued: in events->list; under events->lock
 */
struct rs_event {
	struct list_head node;
	u64 seq;
	u32 kind;
	bool queued;
};

/**
 * struct rs_events - the events of a session
 * @lock: protects the next four, and the members of events in @list
 * @list: to be read, in order
 * @last: number of the newest
 * @unread: those in @list whose weak handle was released; read without the lock
 * @scans: what scans are reported with; NULL until that is asked for
 * @wait: who waits for an event
 * @read_lock: one reader at a time
 * @wanted: some event was asked for; set once
 */
struct rs_events {
	spinlock_t lock;	/* @list to @scans */
	struct list_head list;
	u64 last;
	u32 unread;
	struct rs_scan_events *scans;
	wait_queue_head_t wait;
	struct mutex read_lock;	/* one reader */
	bool wanted;
};

void rs_events_init(struct rs_events *events);
void rs_events_end(struct rs_events *events);
bool rs_events_discard(struct rs_events *events, u32 count);
void rs_events_add(struct rs_events *events, struct rs_event *event);
ssize_t rs_events_read(struct rs_events *events, struct iov_iter *to,
		       bool wait);
__poll_t rs_events_poll(struct rs_events *events, struct file *file,
			poll_table *table);

int rs_events_watch_scans(struct rs_session *session, bool watch);
void rs_events_ignore_scans(struct rs_session *session);
bool rs_events_watches_scans(struct rs_session *session);
void rs_events_scan(struct rs_scan *scan, u32 kind);

#endif /* RS_EVENT_H */
