// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking a heap: its objects, their slots, and who has handles.
 *
 * The table's lock, held for a bounded number of steps, keeps whatever is seen
 * in any counted cell (see heap.h), so objects are looked at without counting
 * anything. What a walk was asked to mint handles of goes through
 * rs_object_tryget().
 */
#include <linux/cred.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "candidate.h"
#include "reclaim.h"
#include "scan.h"
#include "slot.h"

#define RS_WALK_CHUNK	64	/* entries between two copies */
#define RS_WALK_STEPS	BIT(16)	/* chunks of one call, at most */

union rs_walk_entry {
	struct refstore_walk_object object;
	struct refstore_walk_edge edge;
	struct refstore_walk_handle handle;
	struct refstore_walk_session session;
	struct refstore_walk_label label;
};

/**
 * struct rs_walk - a walk that runs
 * @call: the call
 * @args: the user's struct
 * @max: how many entries of this chunk the user has room for
 * @count: entries of this chunk
 * @minted: references for the handles of this chunk
 * @entries: the chunk; entries are as large as their own struct
 */
struct rs_walk {
	struct rs_call *call;
	struct refstore_walk *args;
	u32 max;
	u32 count;
	struct rs_object *minted[RS_WALK_CHUNK];
	u8 entries[RS_WALK_CHUNK * sizeof(union rs_walk_entry)];
};

static void rs_walk_object(struct rs_walk *walk, struct rs_object *obj)
{
	struct refstore_walk_object *entry = (void *)walk->entries;
	int err;

	entry += walk->count;
	if (walk->args->flags & REFSTORE_WALK_MINT) {
		err = rs_object_tryget(walk->call->heap, obj);
		if (err == -ENOENT)
			return;
		/* One that has all the references that it can have gets none */
		walk->minted[walk->count] = err ? NULL : obj;
	}
	*entry = (struct refstore_walk_object) {
		.id = obj->id,
		.bytes = rs_object_bytes(obj),
		.type = obj->type,
		.state = rs_object_state(walk->call->heap, obj),
		.nr_slots = rs_slots_nr(obj),
		.data_len = rs_object_data_len(obj),
		.refs = rs_ref_count(&obj->ref),
		.generation = rs_object_tracked(obj) ?
			      rs_candidate_age(obj) : 0,
	};
	walk->count++;
}

/* cursor[0]: index in the table */
static int rs_walk_objects(struct rs_walk *walk)
{
	struct rs_heap *heap = walk->call->heap;
	u64 *cursor = walk->args->cursor;
	struct rs_object *obj;
	u32 n;

	spin_lock(&heap->table_lock);
	for (n = 0; n < RS_SLICE && walk->count < walk->max; n++) {
		if (cursor[0] >= heap->table_used) {
			walk->args->end = 1;
			break;
		}
		obj = rs_heap_at(heap, cursor[0]);
		if (obj)
			rs_walk_object(walk, obj);
		cursor[0]++;
	}
	spin_unlock(&heap->table_lock);
	return 0;
}

/*
 * A part of one object's slots, of which *budget may be looked at; true when the
 * object is done.
 */
static bool rs_walk_slots(struct rs_walk *walk, struct rs_object *obj,
			  u32 *budget)
{
	struct refstore_walk_edge *entry = (void *)walk->entries;
	struct rs_heap *heap = walk->call->heap;
	u64 *slot = &walk->args->cursor[1];
	struct rs_object *to;
	bool done;

	spin_lock(rs_slot_lock(heap, obj));
	while (*slot < rs_slots_nr(obj) && walk->count < walk->max &&
	       *budget) {
		--*budget;
		to = rs_slot_object(rs_slot_peek_locked(obj, *slot));
		if (to)
			entry[walk->count++] = (struct refstore_walk_edge) {
				.from = obj->id,
				.to = to->id,
				.index = *slot,
			};
		++*slot;
	}
	done = *slot >= rs_slots_nr(obj);
	spin_unlock(rs_slot_lock(heap, obj));
	return done;
}

/* cursor[0]: index in the table; cursor[1]: slot */
static int rs_walk_edges(struct rs_walk *walk)
{
	struct rs_heap *heap = walk->call->heap;
	u64 *cursor = walk->args->cursor;
	u32 n, budget = RS_SLICE;
	struct rs_object *obj;

	spin_lock(&heap->table_lock);
	for (n = 0; n < RS_WALK_CHUNK && walk->count < walk->max; n++) {
		if (cursor[0] >= heap->table_used) {
			walk->args->end = 1;
			break;
		}
		obj = rs_heap_at(heap, cursor[0]);
		if (obj && !rs_walk_slots(walk, obj, &budget))
			break;
		cursor[0]++;
		cursor[1] = 0;
	}
	spin_unlock(&heap->table_lock);
	return 0;
}

/* A part of one session's table; true when it is done. */
static bool rs_walk_table(struct rs_walk *walk, struct rs_session *session)
{
	struct refstore_walk_handle *entry = (void *)walk->entries;
	u64 *index = &walk->args->cursor[1];
	/* Pairs with the release in rs_handle_new() */
	u32 used = smp_load_acquire(&session->handles.used);
	struct rs_handle *entry_at;
	struct rs_object *obj;
	u32 n;

	spin_lock(&walk->call->heap->table_lock);
	for (n = 0; *index < used && walk->count < walk->max && n < RS_SLICE;
	     n++, ++*index) {
		entry_at = rs_handle_at(&session->handles,
					array_index_nospec(*index, used));
		obj = READ_ONCE(entry_at->ref);
		if (obj && !rs_is_weak(obj))
			entry[walk->count++] = (struct refstore_walk_handle) {
				.id = obj->id,
				.session = session->number,
			};
	}
	spin_unlock(&walk->call->heap->table_lock);
	return *index >= used;
}

/* cursor[0]: number of the session; cursor[1]: index in its table */
static int rs_walk_handles(struct rs_walk *walk)
{
	struct rs_heap *heap = walk->call->heap;
	u64 *cursor = walk->args->cursor;
	unsigned long number = cursor[0];
	struct rs_session *session;

	xa_lock(&heap->sessions);
	session = xa_find(&heap->sessions, &number, ULONG_MAX, XA_PRESENT);
	if (!session) {
		walk->args->end = 1;
	} else {
		if (number != cursor[0])
			cursor[1] = 0;
		cursor[0] = number;
		if (rs_walk_table(walk, session)) {
			cursor[0]++;
			cursor[1] = 0;
		}
	}
	xa_unlock(&heap->sessions);
	return 0;
}

static int rs_walk_roots(struct rs_walk *walk)
{
	struct refstore_walk_handle *entry = (void *)walk->entries;
	struct rs_heap *heap = walk->call->heap;
	struct rs_object *root;

	spin_lock(&heap->table_lock);
	root = READ_ONCE(heap->root);
	if (root && !walk->args->cursor[0])
		entry[walk->count++] = (struct refstore_walk_handle) {
			.id = root->id,
		};
	spin_unlock(&heap->table_lock);
	walk->args->cursor[0] = 1;
	walk->args->end = 1;
	return 0;
}

/* The number of a process, if it is there still and the caller can see it. */
static u32 rs_walk_pid(struct pid *pid)
{
	u32 number = 0;

	rcu_read_lock();
	if (pid_task(pid, PIDTYPE_TGID))
		number = pid_nr_ns(pid, task_active_pid_ns(current));
	rcu_read_unlock();
	return number;
}

/* The lock of heap->sessions keeps it. */
static void rs_walk_session(const struct rs_session *session,
			    struct refstore_walk_session *entry)
{
	kuid_t uid = session->payer.account->uid;
	struct pid_namespace *ns = task_active_pid_ns(current);

	*entry = (struct refstore_walk_session) {
		.session = session->number,
		.handles = READ_ONCE(session->handles.nr),
		.pid = rs_walk_pid(session->opener),
		.uid = from_kuid_munged(current_user_ns(), uid),
		.rights = rs_session_rights(session),
		.exported = !!READ_ONCE(session->exported),
	};
	/* Of a process that one cannot see, nothing; of one that is gone, this */
	if (pid_nr_ns(session->opener, ns))
		strscpy(entry->comm, session->comm, sizeof(entry->comm));
	memcpy(entry->label, session->label, sizeof(entry->label));
}

/* cursor[0]: number of the session */
static int rs_walk_sessions(struct rs_walk *walk)
{
	struct refstore_walk_session *entry = (void *)walk->entries;
	struct rs_heap *heap = walk->call->heap;
	u64 *cursor = walk->args->cursor;
	struct rs_session *session;
	unsigned long number;

	xa_lock(&heap->sessions);
	while (walk->count < walk->max) {
		number = cursor[0];
		session = xa_find(&heap->sessions, &number, ULONG_MAX,
				  XA_PRESENT);
		if (!session) {
			walk->args->end = 1;
			break;
		}
		rs_walk_session(session, &entry[walk->count++]);
		cursor[0] = number + 1;
	}
	xa_unlock(&heap->sessions);
	return 0;
}

/* cursor[0]: index in the table */
static int rs_walk_labels(struct rs_walk *walk)
{
	struct refstore_walk_label *entry = (void *)walk->entries;
	struct rs_heap *heap = walk->call->heap;
	u64 *cursor = walk->args->cursor;
	struct rs_object *obj;
	u32 n;

	spin_lock(&heap->table_lock);
	for (n = 0; n < RS_SLICE && walk->count < walk->max; n++) {
		if (cursor[0] >= heap->table_used) {
			walk->args->end = 1;
			break;
		}
		obj = rs_heap_at(heap, cursor[0]++);
		if (!obj || !(READ_ONCE(obj->flags) & RS_LABELLED))
			continue;
		entry[walk->count].id = obj->id;
		rs_label_read(heap, obj, entry[walk->count++].label);
	}
	spin_unlock(&heap->table_lock);
	return 0;
}

static const struct {
	int (*fill)(struct rs_walk *walk);
	size_t size;
} rs_walks[] = {
	[REFSTORE_WALK_OBJECTS] = {
		rs_walk_objects, sizeof(struct refstore_walk_object)
	},
	[REFSTORE_WALK_EDGES] = {
		rs_walk_edges, sizeof(struct refstore_walk_edge)
	},
	[REFSTORE_WALK_HANDLES] = {
		rs_walk_handles, sizeof(struct refstore_walk_handle)
	},
	[REFSTORE_WALK_ROOTS] = {
		rs_walk_roots, sizeof(struct refstore_walk_handle)
	},
	[REFSTORE_WALK_SESSIONS] = {
		rs_walk_sessions, sizeof(struct refstore_walk_session)
	},
	[REFSTORE_WALK_LABELS] = {
		rs_walk_labels, sizeof(struct refstore_walk_label)
	},
};

/*
 * Reserves a handle for each object of the chunk that a reference was taken
 * of.
 */
static int rs_walk_reserve(struct rs_walk *walk)
{
	struct refstore_walk_object *entry = (void *)walk->entries;
	struct rs_handles *handles = &walk->call->session->handles;
	int err = 0;
	u32 i;

	for (i = 0; i < walk->count && !err; i++)
		if (walk->minted[i])
			err = rs_handle_reserve(handles, &entry[i].handle);
	return err;
}

static void rs_walk_unmint(struct rs_walk *walk)
{
	struct refstore_walk_object *entry = (void *)walk->entries;
	struct rs_handles *handles = &walk->call->session->handles;
	u32 i;

	for (i = 0; i < walk->count; i++) {
		if (entry[i].handle)
			rs_handle_cancel(handles, entry[i].handle);
		if (walk->minted[i])
			rs_put(walk->call->heap, walk->minted[i]);
	}
}

static int rs_walk_copy_out(struct rs_walk *walk)
{
	size_t size = rs_walks[walk->args->what].size;
	void __user *to = u64_to_user_ptr(walk->args->entries);

	to += walk->args->count * size;
	return copy_to_user(to, walk->entries, walk->count * size) ?
	       -EFAULT : 0;
}

/* Reserve, copy out, publish; the session's lock is held. */
static int rs_walk_mint(struct rs_walk *walk)
{
	struct refstore_walk_object *entry = (void *)walk->entries;
	struct rs_handles *handles = &walk->call->session->handles;
	int err = rs_walk_reserve(walk);
	u32 i;

	if (!err)
		err = rs_walk_copy_out(walk);
	if (err) {
		rs_walk_unmint(walk);
		return err;
	}
	for (i = 0; i < walk->count; i++)
		if (walk->minted[i])
			rs_handle_install(handles, entry[i].handle,
					  walk->minted[i]);
	return 0;
}

static int rs_walk_chunk(struct rs_walk *walk)
{
	struct refstore_walk *args = walk->args;
	int err;

	walk->count = 0;
	walk->max = min_t(u32, args->capacity - args->count, RS_WALK_CHUNK);
	if (!(args->flags & REFSTORE_WALK_MINT)) {
		err = rs_walks[args->what].fill(walk);
		return err ? err : rs_walk_copy_out(walk);
	}
	if (mutex_lock_interruptible(&walk->call->session->lock))
		return -EINTR;
	rs_walk_objects(walk);
	err = rs_walk_mint(walk);
	mutex_unlock(&walk->call->session->lock);
	return err;
}

/* An error counts only before the first entry. */
static int rs_walk_run(struct rs_walk *walk)
{
	struct refstore_walk *args = walk->args;
	u64 cursor[2];
	u32 step;
	int err;

	for (step = 0; step < RS_WALK_STEPS; step++) {
		memcpy(cursor, args->cursor, sizeof(cursor));
		err = rs_walk_chunk(walk);
		if (err) {
			memcpy(args->cursor, cursor, sizeof(cursor));
			args->end = 0;
			return args->count ? 0 : err;
		}
		args->count += walk->count;
		if (args->end || args->count == args->capacity ||
		    signal_pending(current))
			break;
		cond_resched();
	}
	return 0;
}

static int rs_walk_check(struct refstore_walk *args)
{
	if (args->what >= ARRAY_SIZE(rs_walks) || !args->capacity)
		return -EINVAL;
	args->what = array_index_nospec(args->what, ARRAY_SIZE(rs_walks));
	if (args->flags && args->what != REFSTORE_WALK_OBJECTS)
		return -EINVAL;
	return 0;
}

/* REFSTORE_WALK */
int rs_walk(struct rs_call *call, void *body)
{
	struct refstore_walk *args = body;
	struct rs_walk *walk;
	int err = rs_walk_check(args);

	if (err)
		return err;
	walk = kmalloc(sizeof(*walk), RS_GFP);
	if (!walk)
		return -ENOMEM;
	walk->call = call;
	walk->args = args;
	args->count = 0;
	args->end = 0;
	err = rs_walk_run(walk);
	kfree(walk);
	return err;
}
