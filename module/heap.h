/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heaps, and how everything in refstore is protected.
 *
 * A heap is a set of objects that may refer to each other: the unit of
 * collection, accounting and permission.
 *
 * Where references are, and what protects each kind of cell (invariant I2: to
 * read a reference out of a cell, hold the cell's lock across the load and the
 * get; there is no other way, but for rs_object_tryget() under the table's
 * lock):
 *
 *   a slot              the owner's slot lock (one of RS_SLOT_LOCKS spinlocks,
 *                       by the owner's index), taken by a holder of the owner
 *   a handle's entry    the session's mutex
 *   the root            heap->root_lock
 *   the table           heap->table_lock; its cells are not counted, an object
 *                       leaves the table before anything of it goes
 *   a queue             heap->queue_lock; not counted either
 *   a weak reference    the object's slot lock; not counted (weak.c)
 *
 * The table's lock keeps memory: an object that is seen in the table, or in any
 * counted cell, by a holder of table_lock is not freed before that is dropped,
 * since its last put goes through table_lock after it emptied the cell and
 * before it frees.
 *
 * Lock order, outermost first. Each spinlock is held for a bounded number of
 * steps.
 *
 *   session->lock        mutex: a chunk of a batch, copies from and to the user
 *                        included; so nobody but the session's own users may
 *                        wait for it (no /proc file, no other session, no work
 *                        item does)
 *     a memfd's inode    (i_rwsem) writing a large value
 *     heap->resize_lock  mutex: resizing slots
 *     heap->grow_lock    mutex: growing the arrays
 *     heap->types_lock   mutex: registering types, making the table of interned
 *                        objects
 *     rs_heaps_lock      mutex: the list of heaps, for /proc, which holds it for
 *                        a few steps a heap
 *       heap->sessions   (xa_lock) the sessions by number
 *         heap->table_lock   the table, ids, counters of objects and types
 *           slot lock        slots, data, seals and weak references of one
 *                            object; never two but in cas.c, in the order of
 *                            the array
 *             events->lock   a session's events
 *           heap->queue_lock candidates
 *             heap->report_lock  figures of the scans, who waits for one, and
 *                            when the next one runs
 *           heap->backlog_lock   dying objects, files and sessions that wait
 *                            for the queue
 *       heap->deferred_lock  memory that waits for the end of a scan
 *       heap->root_lock      the root
 *
 * Under all of them: an account's lock (account.h), and its mutex rs_accounts_lock
 * under all that one can sleep under.
 *
 * Elsewhere: events->read_lock, a mutex that readers of a session's events hold
 * around events->lock; the locks of heap->weak, of
 * heap->labels and of the ring of last scans,
 * under which nothing else is taken.
 *
 * The scanner holds none of them for longer than RS_SLICE objects, and no mutex
 * but grow_lock, between two scans, for one page at a time; so no mutator waits
 * for a scan, if one may wait for a page.
 *
 * Where READ_ONCE() and WRITE_ONCE() stand and nothing is said there, the access
 * is of one of these kinds, and orders nothing:
 *
 *   - written under the lock that the field's comment names, and read without
 *     it as a figure (/proc, REFSTORE_GENERATION), or as a hint that is looked
 *     at again under the lock or costs no more than a scan too many or too late:
 *     lengths of queues, place and age of a candidate, times, thresholds and
 *     factors of generations, the number of handles, bytes and objects;
 *   - module parameters and settings, which count from some time soon;
 *   - asked again and again until they say so: scan_stop, dying;
 *   - an object's epoch and edges, the scanner's: puts read edges as a hint, and
 *     of an epoch only whether the object was born in the scan that runs, which
 *     rs_object_expose() takes back, a full barrier before the scanner can see
 *     the object;
 *   - an object's flags, shape and slots, written under its slot lock as long as
 *     anybody has a reference to it: what the scanner reads without it is checked
 *     by its compare-and-swaps (R3, R8); pointer and length go together by the
 *     acquire in rs_slots_peek();
 *   - cells (an entry of a table of handles, the root), written under their own
 *     lock, and seen by walks under table_lock, which keeps what they see there.
 *
 * How an object dies. The memory of a slotted object that a running scan may
 * have seen is kept until that has ended, see reclaim.c.
 *
 *   - its count falls to zero (rs_reap_put): the putter takes it out of queue
 *     and table, after its weak references, drops what its slots held, and
 *     frees it. What is more than a bounded slice goes to heap->backlog and
 *     heap->reap_work;
 *   - a scan condemns it (scan.c): the scanner does the same for the whole
 *     component;
 *   - its heap dies (rs_heap_free_objects): nobody is left to see it, and
 *     everything in the table is freed without counting.
 *
 * How a heap dies (invariant I4): each session holds a reference on it, that of an
 * exported object, too, and the inode of a named heap, as long as it is linked or
 * open. The last one to go queues heap->free_work, which stops the scanner, works
 * off the backlog and frees the rest. It waits for works of the other queues, so
 * it has a queue of its own: where all places of one are taken by those who wait
 * for what stands behind them, nobody gets on. The module's exit destroys the
 * workqueues, and so waits for it; an open session pins the module through its
 * file, a mount through its file system.
 */
#ifndef RS_HEAP_H
#define RS_HEAP_H

#include <linux/mutex.h>
#include <linux/prefetch.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "account.h"
#include "intern.h"
#include "label.h"
#include "object.h"
#include "type.h"
#include "vec.h"

#define RS_INDEX_MAX	BIT_ULL(30)	/* objects of a heap, at the most */
#define RS_SLOT_LOCKS	64
#define RS_SLICE	256	/* objects or slots between two chances */
#define RS_GENERATIONS	REFSTORE_GENERATIONS

/**
 * struct rs_scan_figures - what scans did
 * @scans: how many
 * @visited: objects that they captured
 * @reclaimed: objects that they condemned
 * @bytes: memory of these
 * @saved: objects that they found unreachable and saved
 * @aborted: components that were touched and kept
 * @stopped: scans that gave up
 * @nanoseconds: how long they took
 */
struct rs_scan_figures {
	u64 scans;
	u64 visited;
	u64 reclaimed;
	u64 bytes;
	u64 saved;
	u64 aborted;
	u64 stopped;
	u64 nanoseconds;
};

/**
 * struct rs_queue - candidates of an age; protected by the heap's queue_lock
 * @vec: the candidates; of the youngest, grown under @grow_lock; of the others
 *       by the scanner
 * @len: how many
 * @since: when the oldest of them came, at the latest; in jiffies. Written by the
 *         scanner under @report_lock, too: a hint
 * @wants_room: one did not fit @vec; cleared by the scanner before it grows that
 */
struct rs_queue {
	struct rs_vec vec;
	u32 len;
	unsigned long since;
	bool wants_room;
};

/**
 * struct rs_generation - when a generation is scanned; see trigger.c
 * @threshold: candidates, or scans of the next younger one, that start a scan;
 *             0: no number does
 * @delay: how long a candidate waits at most, in ms
 * @count: scans of the next younger one since the last of this one
 * @factor: of @threshold and of the time between two scans
 * @rest: not before this time, in jiffies
 * @figures: of all its scans
 */
struct rs_generation {
	u32 threshold;
	u32 delay;
	u32 count;
	u32 factor;
	unsigned long rest;
	struct rs_scan_figures figures;
};

/**
 * struct rs_heap - a heap
 * @refs: sessions, and its inode
 * @node: in the list of heaps; rs_heaps_lock
 * @readers: of /proc, which look at it without the lock, and keep it in the list;
 *           rs_heaps_lock
 * @number: never reused
 * @owner: who opened it, or whose file it is: @payer, for those who have no lock
 * @memcg: whose memory the scanner takes for the heap's arrays: the opener's; a
 *         reference
 * @max: limits of its own, as those of its file system. Set before anybody has a
 *       session
 * @dying: no reference is left; set once
 *
 * @table_lock: protects the fields to @frozen, and @label
 * @table: objects by index: an address, or an odd number, see rs_table_link();
 *         grows under @grow_lock
 * @table_free: head of a page that has free cells, or RS_NO_INDEX
 * @table_used: indexes ever used
 * @next_id: id of the next object
 * @objects: in the table
 * @slotted: those of them that have slots
 * @bytes: memory of them, and of @files
 * @created: objects ever made
 * @large: those of the objects that are large values
 * @large_bytes: and what these are charged for
 * @types: types and their counters; see type.h
 * @payer: who pays for it; written under @backlog_lock, too
 * @charged: what that one is charged for, see limit.h
 * @ceiling: how far the heap can go without asking
 * @floor: where it gives back what was taken ahead
 * @types_lock: serializes registrations
 * @frozen: objects with an id up to this one are frozen; 0: none. Written under
 *          @queue_lock, too
 * @interns: @interned is there. Written under @types_lock, read without
 * @interned: interned objects, see intern.c
 * @label: its label
 * @labels: labels of objects, by index; its own lock
 * @weak: blocks of weakly referenced objects, by the object's index; its own
 *        lock
 * @grow_lock: protects the growth of @table, @queue[0] and @work
 * @resize_lock: lets one object of the heap be resized at a time
 *
 * @queue_lock: protects @queue and @counting
 * @queue: candidates, by age
 * @counting: the scan that runs is counting edges
 *
 * @work: the scanner's list; has room for every slotted object
 * @slack: and should have it for so many more, which die or are made during a
 *         scan; the scanner's
 * @scan: number of the running scan, or 0; written by the scanner, under
 *        @deferred_lock
 * @last_scan: number of the last one; the scanner's
 * @scan_stop: the scan shall give up
 * @desc: the descriptor of the component that is being decided, see scan.c
 * @deferred_lock: protects the next four
 * @deferred: memory that waits until the scan needs it no more: objects
 * @deferred_slots: and arrays of slots that were replaced
 * @deferred_bytes: how much
 * @deferred_limit: when to ask the scan to stop
 * @scan_work: runs scans
 * @report_lock: protects the fields to @most_bytes, and @dying
 * @scans_asked: number of the last scan that somebody waits for
 * @scans_begun: number of scans begun
 * @scans_ended: number of scans ended, figures and events included
 * @asked_generation: of the scan that somebody waits for
 * @automatic: scans run without being asked for
 * @save: what they find is saved, not freed
 * @armed: @scan_work will run
 * @pressed: memory is short
 * @armed_at: when, in jiffies
 * @generation: thresholds and figures by generation
 * @figures: of all scans
 * @last_found: of the last one that got to its end: what had been garbage for
 *              up to a period
 * @most_objects: garbage that one scan found, at most
 * @most_bytes: and its memory
 * @waiters: for the end of a scan, or of the backlog
 *
 * @backlog_lock: protects the next ten
 * @backlog: objects with count zero whose slots are not all dropped
 * @unsent: weak references' blocks with notices that are not sent
 * @closing: sessions that are closed and whose handles are not all dropped
 * @files: of large values that are dead
 * @backlog_in: how many of all these have ever come
 * @backlog_out: how many of these, the first ones, are done with
 * @reaping: that @reap_work is queued, or runs; for who waits, see account.h
 * @reaps_begun: how often it was queued
 * @reaps_ended: how often it ended
 * @ending: that the heap is being freed
 * @reap_work: works the backlog off
 *
 * @root_lock: protects @root
 * @root: a counted reference, or NULL
 * @sessions: by number; its own lock also keeps a session that is found there
 * @next_session: where to look for a number that is free
 * @saturated: objects whose count saturated
 * @free_work: frees the heap
 * @slot_lock: for slots and data
 * @hook: called between the steps of a scan, by the KUnit tests
 * @hook_data: for @hook
 * @touched: looks at the scanner's list, for the KUnit tests
 * @starved: the scanner gets no memory, for the KUnit tests
 * @max_scan_ns: how old a scan may be, for the KUnit tests; 0: RS_SCAN_MAX_NS
 */
struct rs_heap {
	refcount_t refs;
	struct list_head node;
	u32 readers;
	u64 number;
	kuid_t owner;
	struct mem_cgroup *memcg;
	u64 max[RS_HEAP_ITEMS];
	bool dying;

	spinlock_t table_lock;	/* @table to @frozen */
	struct rs_vec table;
	u32 table_free;
	u32 table_used;
	u64 next_id;
	u64 objects;
	u64 slotted;
	u64 bytes;
	u64 created;
	u64 large;
	u64 large_bytes;
	u64 charged[RS_HEAP_ITEMS];
	u64 ceiling[RS_HEAP_ITEMS];
	u64 floor[RS_HEAP_ITEMS];
	struct rs_payer payer;
	struct rs_types types;
	u64 frozen;
	bool interns;
	struct rhashtable interned;
	char label[REFSTORE_LABEL_MAX];
	struct xarray labels;
	struct xarray weak;
	struct mutex types_lock;	/* registrations */
	struct mutex grow_lock;		/* growth of arrays */
	struct mutex resize_lock;	/* one at a time */

	spinlock_t queue_lock;	/* @queue and @counting */
	struct rs_queue queue[RS_GENERATIONS];
	bool counting;

	struct rs_vec work;
	u64 slack;
	u32 scan;
	u32 last_scan;
	bool scan_stop;
	atomic64_t desc;
	spinlock_t deferred_lock;	/* @deferred and its figures */
	struct rs_object *deferred;
	struct rs_slots *deferred_slots;
	u64 deferred_bytes;
	u64 deferred_limit;
	struct delayed_work scan_work;
	spinlock_t report_lock;	/* @scans_asked to @most_bytes */
	u64 scans_asked;
	u64 scans_begun;
	u64 scans_ended;
	u32 asked_generation;
	bool automatic;
	bool save;
	bool armed;
	bool pressed;
	unsigned long armed_at;
	struct rs_generation generation[RS_GENERATIONS];
	struct rs_scan_figures figures;
	struct rs_scan_figures last_found;
	u64 most_objects;
	u64 most_bytes;
	wait_queue_head_t waiters;

	spinlock_t backlog_lock;	/* @backlog to @ending */
	struct rs_object *backlog;
	struct list_head unsent;
	struct list_head closing;
	struct list_head files;
	u64 backlog_in;
	u64 backlog_out;
	struct rs_freeing reaping[2];
	u32 reaps_begun;
	u32 reaps_ended;
	struct rs_freeing ending;
	struct work_struct reap_work;

	spinlock_t root_lock;	/* @root */
	struct rs_object *root;
	struct xarray sessions;
	u32 next_session;
	atomic64_t saturated;
	struct work_struct free_work;
	spinlock_t slot_lock[RS_SLOT_LOCKS];	/* slots, data, seals */
#ifdef REFSTORE_KUNIT
	void (*hook)(struct rs_heap *heap, int step);
	void *hook_data;
	u32 touched;
	bool starved;
	u64 max_scan_ns;
#endif
};

/* What frees and closes; long scans; heaps, whose end waits for both. */
extern struct workqueue_struct *rs_queue, *rs_scan_queue, *rs_free_queue;
extern struct list_head rs_heaps;
extern struct mutex rs_heaps_lock;

int rs_heap_init(void);
void rs_heap_exit(void);

/**
 * struct rs_room - what a call has waited for, before it is refused
 * @backlog: for the heap's backlog
 * @patience: for what else is being freed
 */
struct rs_room {
	bool backlog;
	struct rs_patience patience;
};

struct rs_heap *rs_heap_create(const struct rs_payer *payer);
void rs_heap_get(struct rs_heap *heap);
void rs_heap_put(struct rs_heap *heap);
void rs_heap_unpin(struct rs_heap *heap);

int rs_heap_insert_locked(struct rs_heap *heap, struct rs_object *obj);
int rs_heap_make_room(struct rs_heap *heap, struct rs_object *obj, int err,
		      struct rs_room *room);
int rs_heap_insert(struct rs_heap *heap, struct rs_object *obj);
int rs_heap_insert_many(struct rs_heap *heap, struct rs_object **objs, u32 nr,
			u32 *done);
size_t rs_heap_remove_locked(struct rs_heap *heap, struct rs_object *obj);
size_t rs_heap_remove(struct rs_heap *heap, struct rs_object *obj);
void rs_heap_grow_work(struct rs_heap *heap);
int rs_heap_charge(struct rs_heap *heap, struct rs_object *obj, size_t bytes);
void rs_heap_uncharge(struct rs_heap *heap, struct rs_object *obj,
		      size_t bytes);
void rs_heap_release(struct rs_heap *heap, u64 bytes);
struct rs_object *rs_heap_at(struct rs_heap *heap, u32 index);

int rs_root_get(struct rs_heap *heap, struct rs_object **root);
int rs_root_set(struct rs_heap *heap, struct rs_object *value);
int rs_root_cas(struct rs_heap *heap, struct rs_object *expected,
		struct rs_object *value);

static inline kuid_t rs_heap_owner(const struct rs_heap *heap)
{
	return KUIDT_INIT(READ_ONCE(heap->owner.val));
}

/* Fetches the cell of an object that is going to leave the table. */
static inline void rs_heap_prefetch(struct rs_heap *heap,
				    const struct rs_object *obj)
{
	prefetchw(rs_vec_at(&heap->table, obj->index, sizeof(unsigned long)));
}

static inline spinlock_t *rs_slot_lock(struct rs_heap *heap,
				       const struct rs_object *obj)
{
	return &heap->slot_lock[obj->index % RS_SLOT_LOCKS];
}

#endif /* RS_HEAP_H */
