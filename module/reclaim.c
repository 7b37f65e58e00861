// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaiming: what happens when a count falls.
 *
 * The thread whose put was the last one takes the object out of everything: the
 * queue of candidates, then the table (with that its quota is back, but for that of
 * a large value's file, see large.c). A leaf is freed at once. A slotted object goes
 * on the thread's list of dying ones, each of whose slots is emptied and its target
 * put, which may add to the list. There is no recursion, and no more than a slice of
 * the list is worked off in the caller; the rest is the heap's backlog, for
 * heap->reap_work.
 *
 * Memory and the scanner (rules R13, R14). A scan that runs may hold pointers
 * to objects that it captured, so the memory of a slotted object that dies
 * meanwhile waits for its end. The last putter reads the number of the running
 * scan after its own decrement to zero, which is a full barrier:
 *
 *   scanner                        last putter
 *     heap->scan = number            slot = NULL  (or queue: unlinked)
 *     full barrier                   word: count to zero, full barrier
 *     read slot, or drain            read heap->scan
 *
 * If the scanner saw the slot still set, the putter sees the number. If it sees
 * none, the scan that starts next cannot reach the object any more. Set, the
 * putter looks again under deferred_lock, where the scanner clears it; so
 * either the memory is on the list before the scanner empties that, or it is
 * freed by the putter after the scanner is done.
 *
 * An object that was made during the running scan and never stored in a slot is
 * unknown to the scanner and freed at once (R18). It loses that privilege before
 * it is first stored (rs_object_expose()), so the scanner never reads a newborn
 * that may be freed under it: no cache of ours has to be type-stable. Leaves the
 * scanner never looks at, as a reference in a slot says that it is one; nor at
 * data, which does not wait either.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "candidate.h"
#include "compat.h"
#include "large.h"
#include "limit.h"
#include "object.h"
#include "reclaim.h"
#include "scan.h"
#include "session.h"
#include "slot.h"
#include "trace.h"
#include "weak.h"

#define RS_SEND_SLICE	16	/* notices that a last put sends by itself */

static void rs_reap_push(struct rs_reap *reap, struct rs_object *obj)
{
	obj->next = reap->first;
	if (!reap->first)
		reap->last = obj;
	reap->first = obj;
	reap->count++;
}

static struct rs_object *rs_reap_pop(struct rs_reap *reap)
{
	struct rs_object *obj = reap->first;

	reap->first = obj->next;
	reap->count--;
	return obj;
}

/* Memory of an object whose slots were dropped, and with them its shape. */
static size_t rs_reap_bytes(struct rs_object *obj)
{
	size_t bytes = rs_object_bytes(obj);

	if (obj->shape & RS_SHAPE_ARRAY)
		bytes += rs_slots_array(rs_slotted(obj))->nr * sizeof(long);
	return bytes;
}

/* Rule R17: putters never wait, the scan gives up instead. */
static void rs_reap_deferred_add(struct rs_heap *heap, size_t bytes)
{
	WRITE_ONCE(heap->deferred_bytes, heap->deferred_bytes + bytes);
	if (heap->deferred_bytes > heap->deferred_limit)
		WRITE_ONCE(heap->scan_stop, true);
}

/* Returns false if no scan runs (any more): then the caller frees. */
static bool rs_reap_defer(struct rs_heap *heap, struct rs_object *obj)
{
	bool deferred;

	spin_lock(&heap->deferred_lock);
	deferred = READ_ONCE(heap->scan);
	if (deferred) {
		obj->next = heap->deferred;
		heap->deferred = obj;
		rs_reap_deferred_add(heap, rs_reap_bytes(obj));
	}
	spin_unlock(&heap->deferred_lock);
	return deferred;
}

/* The same for an array of slots that was replaced. */
bool rs_reap_defer_slots(struct rs_heap *heap, struct rs_slots *slots)
{
	bool deferred;

	spin_lock(&heap->deferred_lock);
	deferred = READ_ONCE(heap->scan);
	if (deferred) {
		slots->next = heap->deferred_slots;
		heap->deferred_slots = slots;
		rs_reap_deferred_add(heap, struct_size(slots, slot, slots->nr));
	}
	spin_unlock(&heap->deferred_lock);
	return deferred;
}

/* Frees a slotted object that was taken out of everything. */
static void rs_reap_free(struct rs_heap *heap, struct rs_bin *bin,
			 struct rs_object *obj)
{
	/*
	 * After the decrement to zero; see the head of the file. Where no scan
	 * runs, the branch orders what we free behind the release in
	 * rs_reap_deferred()
	 */
	u32 birth = rs_scan_birth(heap);

	if (birth && READ_ONCE(rs_slotted(obj)->epoch) != birth) {
		rs_object_free_data(obj);
		if (rs_reap_defer(heap, obj))
			return;
	}
	rs_bin_add(bin, obj);
}

static void rs_reap_free_objects(struct rs_object *obj)
{
	struct rs_object *next;
	struct rs_bin bin __uninitialized;
	u32 n = 0;

	rs_bin_init(&bin);
	for (; obj; obj = next) {
		next = obj->next;
		rs_bin_add(&bin, obj);
		if (++n % RS_SLICE == 0)
			cond_resched();
	}
	rs_bin_empty(&bin);
}

static void rs_reap_free_slots(struct rs_slots *slots)
{
	struct rs_slots *next;

	for (; slots; slots = next) {
		next = slots->next;
		kvfree(slots);
		cond_resched();
	}
}

/* Frees what waited for a scan: for the scanner, when it looks no more. */
void rs_reap_deferred(struct rs_heap *heap)
{
	struct rs_object *obj;
	struct rs_slots *slots;

	spin_lock(&heap->deferred_lock);
	/* Our last looks at the graph come before: pairs with rs_reap_free() */
	smp_store_release(&heap->scan, 0);
	obj = heap->deferred;
	slots = heap->deferred_slots;
	heap->deferred = NULL;
	heap->deferred_slots = NULL;
	WRITE_ONCE(heap->deferred_bytes, 0);
	spin_unlock(&heap->deferred_lock);
	rs_reap_free_objects(obj);
	rs_reap_free_slots(slots);
}

/* There is something in the backlog. */
static void rs_reap_queue(struct rs_heap *heap)
{
	if (queue_work(rs_queue, &heap->reap_work))
		rs_heap_begin_reap(heap);
}

/* Its weak references die first; then who asked for it is told. */
static noinline void rs_reap_weak(struct rs_heap *heap, struct rs_object *obj)
{
	LIST_HEAD(dead);

	rs_weak_kill(heap, obj, &dead);
	if (rs_weak_send(heap, &dead, RS_SEND_SLICE))
		return;
	spin_lock(&heap->backlog_lock);
	list_splice_tail(&dead, &heap->unsent);
	heap->backlog_in++;
	rs_reap_queue(heap);
	spin_unlock(&heap->backlog_lock);
}

/* The count of @obj is zero: takes it out of everything but the table. */
static inline void rs_reap_leave_queue(struct rs_heap *heap,
				       struct rs_object *obj, u64 word)
{
	trace_refstore_free(heap, obj);
	if (word & RS_REF_LINKED)
		rs_candidate_remove(heap, obj);
	if (unlikely(word & RS_REF_WEAK))
		rs_reap_weak(heap, obj);
}

/* And out of that. Returns the memory that was charged for it. */
static inline size_t rs_reap_bury(struct rs_heap *heap,
				  struct rs_object *obj, u64 word)
{
	rs_reap_leave_queue(heap, obj, word);
	return rs_heap_remove(heap, obj);
}

static void rs_reap_saturated(struct rs_heap *heap, struct rs_object *obj)
{
	atomic64_inc(&heap->saturated);
	WARN_ONCE(1, "refstore: a reference too many was dropped, object %llu of heap %llu leaks\n",
		  obj->id, heap->number);
}

/* Drops a reference; true if it was the last one, and then the word before. */
static __always_inline bool rs_reap_drop(struct rs_heap *heap,
					 struct rs_object *obj, u64 *word)
{
	const u32 *edges = &rs_slotted(obj)->edges;
	enum rs_put put = rs_ref_put(&obj->ref, edges, word);

	while (put == RS_PUT_QUEUE) {
		rs_candidate_add(heap, obj);
		put = rs_ref_put(&obj->ref, edges, word);
	}
	if (unlikely(put == RS_PUT_BAD))
		rs_reap_saturated(heap, obj);
	return put == RS_PUT_LAST;
}

/**
 * rs_reap_put - drop a reference
 * @reap: where to put what dies of it
 * @obj: the object; the caller's reference is gone afterwards
 */
void rs_reap_put(struct rs_reap *reap, struct rs_object *obj)
{
	u64 word;

	if (!rs_reap_drop(reap->heap, obj, &word))
		return;
	reap->bytes += rs_reap_bury(reap->heap, obj, word);
	reap->freed++;
	if (word & RS_REF_TRACKED)
		rs_reap_push(reap, obj);
	else
		rs_object_free(obj);
}

/* Drops what the slots of one object hold; false when the budget ran out. */
static bool rs_reap_slots(struct rs_reap *reap, struct rs_slotted *slotted,
			  u32 *budget)
{
	struct rs_object *child;

	while (slotted->obj.shape & RS_SHAPE_NR) {
		if (!*budget)
			return false;
		--*budget;
		child = rs_slots_pop(slotted);
		if (child)
			rs_reap_put(reap, child);
	}
	return true;
}

/**
 * rs_reap_run - work off dying objects
 * @reap: the objects
 * @budget: objects and slots at most
 *
 * Return: true if nothing is left.
 */
bool rs_reap_run(struct rs_reap *reap, u32 budget)
{
	struct rs_bin bin __uninitialized;
	struct rs_object *obj;

	rs_bin_init(&bin);
	while (reap->first && budget) {
		budget--;
		obj = rs_reap_pop(reap);
		if (rs_reap_slots(reap, rs_slotted(obj), &budget))
			rs_reap_free(reap->heap, &bin, obj);
		else
			rs_reap_push(reap, obj);
	}
	rs_bin_empty(&bin);
	return !reap->first;
}

/* Works all of them off: for workqueues. */
void rs_reap_run_all(struct rs_reap *reap)
{
	do
		cond_resched();
	while (!rs_reap_run(reap, RS_SLICE));
}

/* Leaves what is left to heap->reap_work. */
static void rs_reap_leave(struct rs_reap *reap)
{
	struct rs_heap *heap = reap->heap;

	spin_lock(&heap->backlog_lock);
	reap->last->next = heap->backlog;
	heap->backlog = reap->first;
	heap->backlog_in += reap->count;
	rs_reap_queue(heap);
	spin_unlock(&heap->backlog_lock);
}

/*
 * Leaves a session that is closed, with its handles, to heap->reap_work. Under
 * the lock, since the work may be running: as soon as that is gone it can take
 * the session, and with it the heap, which goes when the work is not queued any
 * more.
 */
void rs_reap_leave_session(struct rs_session *session)
{
	struct rs_heap *heap = session->heap;

	spin_lock(&heap->backlog_lock);
	list_add_tail(&session->node, &heap->closing);
	heap->backlog_in++;
	rs_payer_begin(&session->payer, &session->freeing);
	rs_reap_queue(heap);
	spin_unlock(&heap->backlog_lock);
}

/* Leaves the file of a dead large value to heap->reap_work. */
void rs_reap_leave_file(struct rs_heap *heap, struct list_head *file)
{
	spin_lock(&heap->backlog_lock);
	list_add_tail(file, &heap->files);
	heap->backlog_in++;
	rs_reap_queue(heap);
	spin_unlock(&heap->backlog_lock);
}

/* Works off a slice of what is dying, and leaves the rest to the queue. */
void rs_reap_finish(struct rs_reap *reap)
{
	if (reap->first && !rs_reap_run(reap, RS_SLICE))
		rs_reap_leave(reap);
}

/* Works off a slice of what hangs on an object that was buried. */
static noinline void rs_put_slotted(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_reap reap = { .heap = heap };

	rs_reap_push(&reap, obj);
	rs_reap_finish(&reap);
}

/**
 * rs_put - drop a reference, and a bounded part of what dies of it
 * @heap: the heap
 * @obj: the object
 */
void rs_put(struct rs_heap *heap, struct rs_object *obj)
{
	u64 word;

	if (!rs_reap_drop(heap, obj, &word))
		return;
	rs_reap_bury(heap, obj, word);
	if (word & RS_REF_TRACKED)
		rs_put_slotted(heap, obj);
	else
		rs_object_free(obj);
}

/* Takes dead objects out of the table together. */
static void rs_put_bury(struct rs_heap *heap, struct rs_object **objs, u32 nr)
{
	u32 i;

	spin_lock(&heap->table_lock);
	for (i = 0; i < nr; i++)
		rs_heap_remove_locked(heap, objs[i]);
	spin_unlock(&heap->table_lock);
}

/* How many leaves of one class come first. */
static u32 rs_put_run(struct rs_object **objs, u32 nr)
{
	u32 n = 0;

	if (rs_object_tracked(objs[0]))
		return 0;
	while (n < nr && objs[n]->class == objs[0]->class)
		n++;
	return n;
}

/* Works off a slice of what hangs on objects that were buried. */
static void rs_put_free(struct rs_heap *heap, struct rs_object **objs, u32 nr)
{
	struct rs_reap reap = { .heap = heap };
	u32 i = 0, leaves;

	while (i < nr) {
		leaves = rs_put_run(objs + i, nr - i);
		if (leaves)
			rs_objects_free(objs + i, leaves);
		else
			rs_reap_push(&reap, objs[i]);
		i += max(leaves, 1U);
	}
	rs_reap_finish(&reap);
}

/**
 * rs_put_many - drop references, and a bounded part of what dies of it
 * @heap: the heap
 * @objs: the objects, up to RS_SLICE; overwritten
 * @nr: how many
 *
 * As rs_put() for each, but the table's lock is taken once, and leaves are freed
 * together.
 */
void rs_put_many(struct rs_heap *heap, struct rs_object **objs, u32 nr)
{
	u32 i, dead = 0;
	u64 word;

	for (i = 0; i < nr; i++) {
		if (!rs_reap_drop(heap, objs[i], &word))
			continue;
		rs_reap_leave_queue(heap, objs[i], word);
		objs[dead++] = objs[i];
	}
	if (!dead)
		return;
	rs_put_bury(heap, objs, dead);
	rs_put_free(heap, objs, dead);
}

/**
 * struct rs_backlog - what heap->reap_work has taken
 * @reap: dying objects
 * @unsent: blocks with notices that are not sent
 * @sessions: that are closed
 * @last: number of the last thing
 */
struct rs_backlog {
	struct rs_reap reap;
	struct list_head unsent;
	struct list_head sessions;
	u64 last;
};

/* Takes the whole backlog, but for files. */
static void rs_reap_take(struct rs_heap *heap, struct rs_backlog *backlog)
{
	INIT_LIST_HEAD(&backlog->unsent);
	INIT_LIST_HEAD(&backlog->sessions);
	spin_lock(&heap->backlog_lock);
	backlog->reap.first = heap->backlog;
	heap->backlog = NULL;
	list_splice_init(&heap->unsent, &backlog->unsent);
	list_splice_init(&heap->closing, &backlog->sessions);
	backlog->last = heap->backlog_in;
	spin_unlock(&heap->backlog_lock);
}

/* Closes files, which includes those of what has just been worked off. */
static void rs_reap_close(struct rs_heap *heap)
{
	LIST_HEAD(files);

	spin_lock(&heap->backlog_lock);
	list_splice_init(&heap->files, &files);
	spin_unlock(&heap->backlog_lock);
	rs_large_finish_all(heap, &files);
}

static void rs_reap_done(struct rs_heap *heap, u64 last)
{
	spin_lock(&heap->backlog_lock);
	heap->backlog_out = last;
	spin_unlock(&heap->backlog_lock);
	wake_up_all(&heap->waiters);
}

/**
 * rs_reap_work - work a heap's backlog off
 * @work: the heap's reap_work
 *
 * All that is there when it begins, with everything below it. What comes
 * meanwhile queues the work again, behind that of other heaps: nobody can keep
 * the queue to himself.
 */
void rs_reap_work(struct work_struct *work)
{
	struct rs_heap *heap = container_of(work, struct rs_heap, reap_work);
	struct rs_backlog backlog = { .reap.heap = heap };
	struct rs_session *session, *next;

	rs_reap_take(heap, &backlog);
	while (!rs_weak_send(heap, &backlog.unsent, RS_SLICE))
		cond_resched();
	rs_reap_run_all(&backlog.reap);
	list_for_each_entry(session, &backlog.sessions, node)
		while (!rs_session_drop(session, &backlog.reap, RS_SLICE))
			rs_reap_run_all(&backlog.reap);
	rs_reap_run_all(&backlog.reap);
	rs_reap_close(heap);
	rs_reap_done(heap, backlog.last);
	/* The last one may take the heap along, when this work has ended */
	list_for_each_entry_safe(session, next, &backlog.sessions, node)
		rs_session_free(session);
	rs_heap_end_reap(heap);
}

/* What waits for heap->reap_work, or is in its hands: objects, files, sessions. */
u64 rs_reap_backlog(struct rs_heap *heap)
{
	u64 backlog;

	spin_lock(&heap->backlog_lock);
	backlog = heap->backlog_in - heap->backlog_out;
	spin_unlock(&heap->backlog_lock);
	return backlog;
}

static bool rs_reap_reached(struct rs_heap *heap, u64 last)
{
	bool reached;

	spin_lock(&heap->backlog_lock);
	reached = heap->backlog_out >= last;
	spin_unlock(&heap->backlog_lock);
	return reached;
}

/**
 * rs_reap_wait - wait until what is in the backlog now is worked off
 * @heap: the heap
 *
 * Not for what others add meanwhile, or nobody could tell how long that takes.
 *
 * Return: 0, or -EINTR.
 */
int rs_reap_wait(struct rs_heap *heap)
{
	u64 last;
	int err;

	spin_lock(&heap->backlog_lock);
	last = heap->backlog_in;
	spin_unlock(&heap->backlog_lock);
	err = wait_event_interruptible(heap->waiters,
				       rs_reap_reached(heap, last));
	return err ? -EINTR : 0;
}
