/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions: an open file on a heap, with its own table of handles.
 */
#ifndef RS_SESSION_H
#define RS_SESSION_H

#include <linux/mutex.h>
#include <linux/sched.h>

#include "account.h"
#include "event.h"
#include "handle.h"
#include "heap.h"
#include "slot.h"

struct rs_reap;

/**
 * struct rs_scratch - what a call that works in chunks keeps of one
 * @handles: from or for the user
 * @objs: what they name, or shall name
 *
 * As much would take a good part of a kernel stack.
 */
struct rs_scratch {
	u64 handles[RS_SLOT_CHUNK];
	struct rs_object *objs[RS_SLOT_CHUNK];
};

/**
 * struct rs_session - a session
 * @heap: its heap, on which it holds a reference
 * @payer: who pays for what is only its own
 * @lock: protects @handles, @scratch; held over a chunk of a batch
 * @handles: its handles
 * @scratch: of the call that runs; means nothing to the next
 * @events: what it is told; its own lock
 * @refused_by: REFSTORE_LIMIT_*: the last one that refused something; or 0
 * @number: in heap->sessions; reused after 2^32 sessions
 * @denied: REFSTORE_RIGHT_* that it has not got; only ever more, under @lock
 * @label: its label; under the lock of heap->sessions
 * @opener: the process that made it; a reference
 * @comm: which command that was
 * @exported: its only handle, if it is that of an exported object, which no call
 *            but REFSTORE_OPEN_EXPORT is made on; or 0
 * @node: in heap->closing, when many handles are left to be dropped
 * @closed: how many entries were dropped so far
 * @freeing: and that the rest is being dropped; for who waits, see account.h
 */
struct rs_session {
	struct rs_heap *heap;
	struct rs_payer payer;
	struct mutex lock;	/* @handles, @scratch */
	struct rs_handles handles;
	struct rs_scratch scratch;
	struct rs_events events;
	u32 refused_by;
	u32 number;
	u32 denied;
	char label[REFSTORE_LABEL_MAX];
	struct pid *opener;
	char comm[TASK_COMM_LEN];
	u64 exported;
	struct list_head node;
	u32 closed;
	struct rs_freeing freeing;
};

struct rs_session *rs_session_create(struct rs_heap *heap,
				     const struct rs_payer *payer, u32 rights);
struct rs_session *rs_session_clone(struct rs_session *session,
				    const struct rs_payer *payer);
struct rs_session *rs_session_export(struct rs_heap *heap,
				     const struct rs_payer *payer,
				     struct rs_object *obj, u32 rights);
void rs_session_close(struct rs_session *session);
bool rs_session_drop(struct rs_session *session, struct rs_reap *reap,
		     u32 count);
void rs_session_free(struct rs_session *session);
bool rs_session_notices_full(struct rs_session *session);

/* 0, or -EACCES where a session has not got all of some rights. */
static inline int rs_session_may(const struct rs_session *session, u32 rights)
{
	return likely(!(rights & READ_ONCE(session->denied))) ? 0 : -EACCES;
}

static inline u32 rs_session_rights(const struct rs_session *session)
{
	return REFSTORE_RIGHTS & ~READ_ONCE(session->denied);
}

#endif /* RS_SESSION_H */
