// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users can set of the cycle scanner, ask of it, and keep out of its
 * sight.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>

#include "call.h"
#include "candidate.h"
#include "event.h"
#include "reclaim.h"
#include "slot.h"
#include "trigger.h"

#define RS_PUT_CHUNK	32	/* objects put at a time */

/* All but events are the heap's, and everybody's. */
static int rs_tune_check(const struct rs_session *session,
			 const struct refstore_tune *tune)
{
	u32 i;

	if (tune->flags & REFSTORE_TUNE_AUTOMATIC && tune->automatic > 1)
		return -EINVAL;
	if (tune->flags & REFSTORE_TUNE_SAVE && tune->save > 1)
		return -EINVAL;
	if (tune->flags & REFSTORE_TUNE_EVENTS && tune->events > 1)
		return -EINVAL;
	for (i = 0; tune->flags & REFSTORE_TUNE_DELAY && i < RS_GENERATIONS;
	     i++)
		if (tune->delay[i] > REFSTORE_MAX_DELAY)
			return -EINVAL;
	if (!(tune->flags & ~REFSTORE_TUNE_EVENTS))
		return 0;
	return rs_session_may(session, REFSTORE_RIGHT_COLLECT);
}

static void rs_tune_set(struct rs_heap *heap, const struct refstore_tune *tune)
{
	struct rs_generation *gen = heap->generation;
	u32 i;

	lockdep_assert_held(&heap->report_lock);
	if (tune->flags & REFSTORE_TUNE_AUTOMATIC)
		WRITE_ONCE(heap->automatic, tune->automatic);
	if (tune->flags & REFSTORE_TUNE_SAVE)
		WRITE_ONCE(heap->save, tune->save);
	for (i = 0; i < RS_GENERATIONS; i++) {
		if (tune->flags & REFSTORE_TUNE_THRESHOLD)
			WRITE_ONCE(gen[i].threshold, tune->threshold[i]);
		if (tune->flags & REFSTORE_TUNE_DELAY)
			WRITE_ONCE(gen[i].delay, tune->delay[i]);
	}
}

static void rs_tune_get(struct rs_heap *heap, struct refstore_tune *tune)
{
	struct rs_generation *gen = heap->generation;
	u32 i;

	lockdep_assert_held(&heap->report_lock);
	tune->automatic = heap->automatic;
	tune->save = heap->save;
	for (i = 0; i < RS_GENERATIONS; i++) {
		tune->threshold[i] = gen[i].threshold;
		tune->delay[i] = gen[i].delay;
	}
}

/* The part that is the session's. */
static int rs_tune_events(struct rs_session *session,
			  struct refstore_tune *tune)
{
	int err = 0;

	if (mutex_lock_interruptible(&session->lock))
		return -EINTR;
	if (tune->flags & REFSTORE_TUNE_EVENTS)
		err = rs_events_watch_scans(session, tune->events);
	tune->events = rs_events_watches_scans(session);
	mutex_unlock(&session->lock);
	return err;
}

/* REFSTORE_TUNE */
int rs_tune(struct rs_call *call, void *body)
{
	struct refstore_tune *tune = body;
	struct rs_heap *heap = call->heap;
	int err = rs_tune_check(call->session, tune);

	if (!err)
		err = rs_tune_events(call->session, tune);
	if (err)
		return err;
	spin_lock(&heap->report_lock);
	rs_tune_set(heap, tune);
	rs_tune_get(heap, tune);
	spin_unlock(&heap->report_lock);
	if (tune->flags)
		rs_trigger_next(heap);
	return 0;
}

/* REFSTORE_GENERATION */
int rs_generation_query(struct rs_call *call, void *body)
{
	struct refstore_generation *args = body;
	struct rs_heap *heap = call->heap;
	struct rs_generation *gen;
	u32 age = args->generation;

	if (age >= RS_GENERATIONS)
		return -EINVAL;
	age = array_index_nospec(age, RS_GENERATIONS);
	gen = &heap->generation[age];
	args->candidates = rs_candidates_of(heap, age);
	spin_lock(&heap->report_lock);
	args->count = age ? gen->count : args->candidates;
	args->scans = gen->figures.scans;
	args->visited = gen->figures.visited;
	args->reclaimed = gen->figures.reclaimed;
	args->bytes = gen->figures.bytes;
	args->saved = gen->figures.saved;
	args->aborted = gen->figures.aborted;
	args->nanoseconds = gen->figures.nanoseconds;
	spin_unlock(&heap->report_lock);
	args->saturated = atomic64_read(&heap->saturated);
	return 0;
}

/**
 * rs_table_walk - look at every object of a heap
 * @heap: the heap
 * @look: called under the table's lock for each object; false if no more shall
 *        be looked at under this hold of it
 * @data: for @look
 * @index: where to go on
 *
 * One hold of the lock: RS_SLICE objects at most.
 *
 * Return: true if there are more.
 */
static bool rs_table_walk(struct rs_heap *heap,
			  bool (*look)(struct rs_heap *heap,
				       struct rs_object *obj, void *data),
			  void *data, u32 *index)
{
	struct rs_object *obj;
	bool more, go_on = true;
	u32 n;

	spin_lock(&heap->table_lock);
	for (n = 0; go_on && n < RS_SLICE && *index < heap->table_used; n++) {
		obj = rs_heap_at(heap, (*index)++);
		if (obj)
			go_on = look(heap, obj, data);
	}
	more = *index < heap->table_used;
	spin_unlock(&heap->table_lock);
	cond_resched();
	return more;
}

/* References that are to be put when no lock is held. */
struct rs_chunk {
	u32 count;
	struct rs_object *obj[RS_PUT_CHUNK];
};

static void rs_chunk_put(struct rs_heap *heap, struct rs_chunk *chunk)
{
	struct rs_reap reap = { .heap = heap };
	u32 i;

	for (i = 0; i < chunk->count; i++)
		rs_reap_put(&reap, chunk->obj[i]);
	rs_reap_finish(&reap);
	chunk->count = 0;
}

/**
 * struct rs_frozen - frozen objects
 * @last: the last id
 * @count: how many with slots were found
 * @chunk: those that are to be thawed
 */
struct rs_frozen {
	u64 last;
	u64 count;
	struct rs_chunk chunk;
};

static bool rs_frozen_look(struct rs_heap *heap, struct rs_object *obj,
			   void *data)
{
	struct rs_frozen *frozen = data;

	if (obj->id <= frozen->last && rs_object_tracked(obj))
		frozen->count++;
	return true;
}

/*
 * Takes a reference, so that nobody condemns the object meanwhile, and lets it
 * be a candidate. One with all the references that it can have has to wait
 * until one of them is dropped.
 */
static bool rs_thaw_look(struct rs_heap *heap, struct rs_object *obj,
			 void *data)
{
	struct rs_frozen *frozen = data;

	if (obj->id > frozen->last || !rs_object_tracked(obj))
		return true;
	frozen->count++;
	if (!rs_object_tryget(heap, obj)) {
		rs_candidate_again(heap, obj);
		frozen->chunk.obj[frozen->chunk.count++] = obj;
	}
	return frozen->chunk.count < RS_PUT_CHUNK;
}

/*
 * Everything now in the heap leaves the scanner's sight. Under both locks: the
 * first keeps ids, the second is what rs_unfreeze() and a scan's drain look
 * under.
 */
static u64 rs_freeze_all(struct rs_heap *heap)
{
	u64 count;

	spin_lock(&heap->table_lock);
	spin_lock(&heap->queue_lock);
	WRITE_ONCE(heap->frozen, heap->next_id - 1);
	spin_unlock(&heap->queue_lock);
	count = heap->slotted;
	spin_unlock(&heap->table_lock);
	return count;
}

/*
 * Meanwhile scans have dropped the candidates that were frozen: every object is
 * one again. First they are not frozen any more, under the lock under which a
 * scan looks: see rs_drain_one().
 */
static void rs_unfreeze(struct rs_heap *heap, struct rs_frozen *frozen)
{
	u32 index = 0, end;
	bool more;

	spin_lock(&heap->queue_lock);
	frozen->last = heap->frozen;
	WRITE_ONCE(heap->frozen, 0);
	spin_unlock(&heap->queue_lock);
	if (!frozen->last)
		return;
	/* What comes into new places of the table never was frozen */
	end = READ_ONCE(heap->table_used);
	do {
		more = rs_table_walk(heap, rs_thaw_look, frozen, &index);
		rs_chunk_put(heap, &frozen->chunk);
	} while (more && index < end);
}

static int rs_frozen_count(struct rs_heap *heap, struct rs_frozen *frozen)
{
	u32 index = 0;

	frozen->last = READ_ONCE(heap->frozen);
	while (frozen->last &&
	       rs_table_walk(heap, rs_frozen_look, frozen, &index))
		if (fatal_signal_pending(current))
			return -EINTR;
	return 0;
}

/* REFSTORE_FREEZE */
int rs_freeze(struct rs_call *call, void *body)
{
	struct refstore_freeze *args = body;
	struct rs_frozen frozen = {};
	int err = 0;

	if (args->flags == (REFSTORE_FREEZE_ALL | REFSTORE_FREEZE_NONE))
		return -EINVAL;
	if (args->flags)
		err = rs_session_may(call->session, REFSTORE_RIGHT_COLLECT);
	if (err)
		return err;
	if (args->flags == REFSTORE_FREEZE_ALL)
		frozen.count = rs_freeze_all(call->heap);
	else if (args->flags == REFSTORE_FREEZE_NONE)
		rs_unfreeze(call->heap, &frozen);
	else
		err = rs_frozen_count(call->heap, &frozen);
	args->frozen = frozen.count;
	return err;
}

static bool rs_saved_look(struct rs_heap *heap, struct rs_object *obj,
			  void *data)
{
	struct rs_chunk *chunk = data;

	spin_lock(rs_slot_lock(heap, obj));
	if (obj->flags & RS_SAVED) {
		WRITE_ONCE(obj->flags, obj->flags & ~RS_SAVED);
		chunk->obj[chunk->count++] = obj;
	}
	spin_unlock(rs_slot_lock(heap, obj));
	return chunk->count < RS_PUT_CHUNK;
}

/* REFSTORE_DROP_SAVED */
int rs_drop_saved(struct rs_call *call, void *body)
{
	struct refstore_drop_saved *args = body;
	struct rs_chunk chunk = {};
	u32 index = 0;
	bool more;

	args->dropped = 0;
	do {
		more = rs_table_walk(call->heap, rs_saved_look, &chunk, &index);
		args->dropped += chunk.count;
		rs_chunk_put(call->heap, &chunk);
	} while (more && !fatal_signal_pending(current) &&
		 !(args->dropped && signal_pending(current)));
	return more && !args->dropped ? -EINTR : 0;
}
