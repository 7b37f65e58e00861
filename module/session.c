// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: an open file on a heap, with its own table of handles.
 *
 * A session is made with its file and ends with it. Then its handles are
 * dropped: a slice of them by whoever closed the last descriptor, the rest with
 * the heap's backlog. It stays in its heap's list until they are all gone, so that /proc
 * and REFSTORE_WALK see who holds what to the end.
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "reclaim.h"
#include "session.h"

#define RS_CLOSE_SLICE	1024	/* entries that the closing thread drops */

/* Its handles are dropped. The heap goes with the last one and its name. */
void rs_session_free(struct rs_session *session)
{
	struct rs_heap *heap = session->heap;

	xa_erase(&heap->sessions, session->number);
	rs_events_end(&session->events);
	rs_handles_free(&session->handles);
	if (!list_empty(&session->freeing.node)) {
		rs_payer_end(&session->payer, &session->freeing);
		rs_payer_wake(&session->payer);
	}
	rs_payer_put(&session->payer);
	put_pid(session->opener);
	kfree(session);
	rs_heap_put(heap);
}

/**
 * rs_session_drop - drop handles and events of a session that is closed
 * @session: nobody else uses it
 * @reap: where what dies of it goes
 * @count: entries of its table, and events, at most
 *
 * Without handles no more notices come.
 *
 * Return: true if nothing is left.
 */
bool rs_session_drop(struct rs_session *session, struct rs_reap *reap,
		     u32 count)
{
	struct rs_handles *handles = &session->handles;
	struct rs_handle *entry;
	struct rs_object *ref;

	for (; count && session->closed < handles->used; count--) {
		entry = rs_handle_at(handles, session->closed++);
		ref = entry->ref;
		if (!ref)
			continue;
		WRITE_ONCE(entry->ref, NULL);
		WRITE_ONCE(handles->nr, handles->nr - 1);
		if (rs_is_weak(ref))
			rs_weak_release(session->heap, rs_weak_untag(ref));
		else
			rs_reap_put(reap, ref);
	}
	return session->closed == handles->used &&
	       rs_events_discard(&session->events, count);
}

/*
 * Whether a session has as many handles, and notices of weak handles that it
 * released and did not read, as it can have handles.
 */
bool rs_session_notices_full(struct rs_session *session)
{
	lockdep_assert_held(&session->lock);
	return (u64)session->handles.nr + READ_ONCE(session->events.unread) >=
	       rs_handles_max();
}

/* The last descriptor is gone, and with it everybody who could use @session. */
void rs_session_close(struct rs_session *session)
{
	struct rs_reap reap = { .heap = session->heap };
	bool done;

	rs_events_ignore_scans(session);
	done = rs_session_drop(session, &reap, RS_CLOSE_SLICE);
	rs_reap_finish(&reap);
	if (done)
		rs_session_free(session);
	else
		rs_reap_leave_session(session);
}

/**
 * rs_session_create - a session without handles
 * @heap: its heap, on which the caller holds a reference; the session takes one
 *        of its own
 * @payer: who pays for it
 * @rights: REFSTORE_RIGHT_*
 *
 * Return: the session, or NULL. Undo with rs_session_close().
 */
struct rs_session *rs_session_create(struct rs_heap *heap,
				     const struct rs_payer *payer, u32 rights)
{
	struct rs_session *session;

	session = kzalloc(sizeof(*session), RS_GFP);
	if (!session)
		return NULL;
	session->heap = heap;
	session->denied = REFSTORE_RIGHTS & ~rights;
	mutex_init(&session->lock);
	rs_payer_copy(&session->payer, payer);
	INIT_LIST_HEAD(&session->freeing.node);
	session->opener = get_pid(task_tgid(current));
	get_task_comm(session->comm, current->group_leader);
	rs_handles_init(&session->handles, &session->payer);
	rs_events_init(&session->events);
	/* From here on /proc and walks see it */
	if (xa_alloc_cyclic(&heap->sessions, &session->number, session,
			    XA_LIMIT(1, U32_MAX), &heap->next_session,
			    RS_GFP) < 0) {
		put_pid(session->opener);
		rs_payer_put(&session->payer);
		kfree(session);
		return NULL;
	}
	rs_heap_get(heap);
	return session;
}

static int rs_session_copy(struct rs_session *to, struct rs_session *from)
{
	u32 i, n, used = from->handles.used;
	int err = 0;

	for (i = 0; i < used && !err; i += n) {
		n = min_t(u32, used - i, RS_SLICE);
		err = rs_handles_clone(&to->handles, &from->handles, i, n);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/*
 * Takes a session's lock when the clone has room for its handles. Who waits for
 * that room does so without the lock, which others may want.
 */
static int rs_session_lock_for_clone(struct rs_session *session,
				     struct rs_session *clone)
{
	int err;

	for (;;) {
		err = rs_handles_make_room(&clone->handles,
					   READ_ONCE(session->handles.used));
		if (err)
			return err;
		if (mutex_lock_interruptible(&session->lock))
			return -EINTR;
		if (clone->handles.vec.len >= session->handles.used)
			return 0;
		mutex_unlock(&session->lock);
	}
}

/**
 * rs_session_clone - a session with the same handles, each counted anew
 * @session: the session
 * @payer: who pays for the clone
 *
 * Return: the clone; or a refusal, -ENOMEM, -EOVERFLOW or -EINTR as a pointer.
 */
struct rs_session *rs_session_clone(struct rs_session *session,
				    const struct rs_payer *payer)
{
	struct rs_session *clone;
	int err;

	clone = rs_session_create(session->heap, payer, 0);
	if (!clone)
		return ERR_PTR(-ENOMEM);
	err = rs_session_lock_for_clone(session, clone);
	if (!err) {
		WRITE_ONCE(clone->denied, session->denied);
		err = rs_session_copy(clone, session);
		mutex_unlock(&session->lock);
	}
	if (err) {
		rs_session_close(clone);
		return ERR_PTR(err);
	}
	return clone;
}

/**
 * rs_session_export - a session that holds an exported object, and does no more
 * @heap: the object's heap
 * @payer: who pays for it
 * @obj: the object; the caller's reference is the session's on success
 * @rights: of the sessions that get at it
 *
 * So an export is counted, found by walks, and ends as any session does.
 *
 * Return: the session; or a refusal, -ENOMEM or -EINTR as a pointer.
 */
struct rs_session *rs_session_export(struct rs_heap *heap,
				     const struct rs_payer *payer,
				     struct rs_object *obj, u32 rights)
{
	struct rs_session *session = rs_session_create(heap, payer, rights);
	u64 handle;
	int err;

	if (!session)
		return ERR_PTR(-ENOMEM);
	err = rs_handle_reserve(&session->handles, &handle);
	if (err) {
		rs_session_close(session);
		return ERR_PTR(err);
	}
	/* Walks see the session already */
	WRITE_ONCE(session->exported, handle);
	rs_handle_install(&session->handles, handle, obj);
	return session;
}
