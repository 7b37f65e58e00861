// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps: a table of objects, what is accounted, and the root. See heap.h.
 */
#include <linux/memcontrol.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "candidate.h"
#include "heap.h"
#include "large.h"
#include "limit.h"
#include "proc.h"
#include "reclaim.h"
#include "scan.h"
#include "slot.h"
#include "trace.h"
#include "trigger.h"
#include "weak.h"

/* A free cell holds an index and a bit */
static_assert(BITS_PER_LONG == 64);

#define RS_TABLE_PAGE	((u32)(PAGE_SIZE / sizeof(unsigned long)))	/* cells */

LIST_HEAD(rs_heaps);
DEFINE_MUTEX(rs_heaps_lock);	/* protects rs_heaps and rs_last_heap */

static DECLARE_WAIT_QUEUE_HEAD(rs_heaps_gone);
static struct kmem_cache *rs_heap_cache __ro_after_init;
struct workqueue_struct *rs_queue __ro_after_init;
struct workqueue_struct *rs_scan_queue __ro_after_init;
struct workqueue_struct *rs_free_queue __ro_after_init;
static u64 rs_last_heap;	/* its number */

/*
 * The cell of an index below table.len; under the table's lock, or at the end.
 */
static unsigned long *rs_table_cell(struct rs_heap *heap, u32 index)
{
	return rs_vec_at_locked(&heap->table, index, sizeof(unsigned long));
}

/* The page of cells that an index is in, likewise. */
static unsigned long *rs_table_page(struct rs_heap *heap, u32 index)
{
	return rs_table_cell(heap, index & ~(RS_TABLE_PAGE - 1));
}

/**
 * rs_heap_at - the object at an index
 * @heap: the heap, whose table_lock the caller holds
 * @index: any number
 *
 * Return: the object, kept by the lock, not counted; NULL if there is none.
 */
struct rs_object *rs_heap_at(struct rs_heap *heap, u32 index)
{
	unsigned long cell;

	lockdep_assert_held(&heap->table_lock);
	if (index >= heap->table_used)
		return NULL;
	index = array_index_nospec(index, heap->table_used);
	cell = *rs_table_cell(heap, index);
	return cell & 1 ? NULL : (struct rs_object *)cell;
}

/* How many objects more the arrays have room for, of up to @nr. */
static u32 rs_heap_room(struct rs_heap *heap, bool tracked, u32 nr)
{
	if (heap->table_free == RS_NO_INDEX &&
	    heap->table_used == rs_vec_len(&heap->table))
		return 0;
	if (!tracked)
		return nr;
	nr = min_t(u64, nr, rs_vec_len(&heap->queue[0].vec) - heap->slotted);
	return min_t(u64, nr, rs_vec_len(&heap->work) - heap->slotted);
}

static int rs_heap_grow_vec(struct rs_heap *heap, struct rs_vec *vec, u64 used)
{
	return used < vec->len ? 0 : rs_vec_grow(vec, sizeof(unsigned long));
}

/*
 * Grows the arrays for one more object: its place in the table, and in those of
 * candidates and of the scanner, which must not allocate when they need it.
 */
static int rs_heap_grow(struct rs_heap *heap, bool tracked)
{
	u64 slotted = READ_ONCE(heap->slotted);
	int err = 0;

	if (mutex_lock_killable(&heap->grow_lock))
		return -EINTR;
	if (READ_ONCE(heap->table_free) == RS_NO_INDEX)
		err = rs_heap_grow_vec(heap, &heap->table,
				       READ_ONCE(heap->table_used));
	if (!err && tracked)
		err = rs_heap_grow_vec(heap, &heap->queue[0].vec, slotted);
	if (!err && tracked)
		err = rs_heap_grow_vec(heap, &heap->work, slotted);
	mutex_unlock(&heap->grow_lock);
	return err;
}

/*
 * Gives the scanner's list the room that it lacked beyond that of every object.
 * For the scanner, which does not wait for the lock, as its holder may wait for
 * memory.
 */
void rs_heap_grow_work(struct rs_heap *heap)
{
	u64 want = min_t(u64, READ_ONCE(heap->slotted) + heap->slack, S32_MAX);
	int err = 0;

	while (heap->slack && !err && rs_vec_len(&heap->work) < want &&
	       !READ_ONCE(heap->dying)) {
		if (!mutex_trylock(&heap->grow_lock))
			return;
		err = rs_vec_grow(&heap->work, sizeof(unsigned long));
		mutex_unlock(&heap->grow_lock);
		cond_resched();
	}
}

/*
 * Free cells. In each page of the table one cell is no object's, but heads a
 * list of the page's free cells, and links the pages that have some:
 *
 *    63           32 31             1 0
 *   +---------------+----------------+-+
 *   |   next head   |   free index   |1|
 *   +---------------+----------------+-+
 *
 * The head's own index ends a list of cells, RS_NO_INDEX that of pages. So
 * indexes that are given out in a row lie together, in whatever order they came
 * free.
 */
static unsigned long rs_table_link(u32 next_head, u32 index)
{
	return (unsigned long)next_head << 32 | index << 1 | 1;
}

/* The head of an index's page: not the same cell, nor cache set, in each. */
static u32 rs_table_head(u32 index)
{
	u32 page = index / RS_TABLE_PAGE;

	return page * RS_TABLE_PAGE + page * 8 % RS_TABLE_PAGE;
}

/* An index that was never used. */
static u32 rs_table_extend(struct rs_heap *heap)
{
	u32 head = rs_table_head(heap->table_used);

	if (heap->table_used % RS_TABLE_PAGE == 0)
		*rs_table_cell(heap, head) = rs_table_link(RS_NO_INDEX, head);
	if (heap->table_used == head)
		heap->table_used++;
	return heap->table_used++;
}

/* Gives out an index: its cell is @cell then. The table has room. */
static u32 rs_table_pop(struct rs_heap *heap, unsigned long cell)
{
	u32 head = heap->table_free, index, next;
	unsigned long *page, *first;

	if (head == RS_NO_INDEX) {
		index = rs_table_extend(heap);
		*rs_table_cell(heap, index) = cell;
		return index;
	}
	page = rs_table_page(heap, head);
	first = &page[head % RS_TABLE_PAGE];
	index = (u32)*first >> 1;
	next = (u32)page[index % RS_TABLE_PAGE] >> 1;
	page[index % RS_TABLE_PAGE] = cell;
	if (next == head)
		heap->table_free = *first >> 32;
	*first = rs_table_link(*first >> 32, next);
	return index;
}

static void rs_table_push(struct rs_heap *heap, u32 index)
{
	unsigned long *page = rs_table_page(heap, index);
	u32 head = rs_table_head(index);
	unsigned long *cell = &page[head % RS_TABLE_PAGE];
	u32 first = (u32)*cell >> 1, next = *cell >> 32;

	if (first == head) {
		next = heap->table_free;
		heap->table_free = head;
	}
	page[index % RS_TABLE_PAGE] = rs_table_link(0, first);
	*cell = rs_table_link(next, index);
}

static void rs_heap_account(struct rs_heap *heap, struct rs_object *obj,
			    s64 objects, s64 bytes)
{
	struct rs_type *type = &heap->types.type[obj->type];

	lockdep_assert_held(&heap->table_lock);
	WRITE_ONCE(heap->objects, heap->objects + objects);
	WRITE_ONCE(heap->bytes, heap->bytes + bytes);
	type->objects += objects;
	type->bytes += bytes;
	if (rs_object_tracked(obj))
		WRITE_ONCE(heap->slotted, heap->slotted + objects);
}

static void rs_table_store(struct rs_heap *heap, struct rs_object *obj)
{
	obj->id = heap->next_id++;
	obj->index = rs_table_pop(heap, (unsigned long)obj);
	heap->created++;
}

static __always_inline int rs_table_insert(struct rs_heap *heap,
					   struct rs_object *obj)
{
	size_t bytes = rs_object_bytes(obj);
	int err = rs_heap_reserve(heap, 1, bytes);

	if (unlikely(err))
		return err;
	if (unlikely(!rs_heap_room(heap, rs_object_tracked(obj), 1)))
		return -EAGAIN;
	rs_table_store(heap, obj);
	rs_heap_account(heap, obj, 1, bytes);
	return 0;
}

/* As rs_heap_insert(), under table_lock; -EAGAIN if the arrays have no room. */
int rs_heap_insert_locked(struct rs_heap *heap, struct rs_object *obj)
{
	return rs_table_insert(heap, obj);
}

static int rs_heap_try_insert(struct rs_heap *heap, struct rs_object *obj)
{
	int err;

	spin_lock(&heap->table_lock);
	err = rs_table_insert(heap, obj);
	spin_unlock(&heap->table_lock);
	return err;
}

/*
 * What waits in the backlog, or is being freed elsewhere, is still charged; so
 * before we refuse, we wait for that. And garbage may be what fills the heap.
 * Returns 0 to try again.
 */
static noinline int rs_heap_refuse(struct rs_heap *heap, int err,
				   struct rs_room *room)
{
	if (!room->backlog) {
		room->backlog = true;
		return rs_reap_wait(heap);
	}
	err = rs_heap_wait_payer(heap, &room->patience, err);
	if (err == -EAGAIN)
		return 0;
	if (rs_refused_by(err))
		rs_trigger_press(heap);
	return err;
}

/* The next one did not fit, or was refused: makes room for it. 0: try again. */
int rs_heap_make_room(struct rs_heap *heap, struct rs_object *obj, int err,
		      struct rs_room *room)
{
	if (err == -EAGAIN)
		return rs_heap_grow(heap, rs_object_tracked(obj));
	return rs_heap_refuse(heap, err, room);
}

/**
 * rs_heap_insert - publish a new object
 * @heap: the heap
 * @obj: complete: whoever looks at the table may see it
 *
 * Return: 0, a refusal, -ENOMEM or -EINTR; then the object is still the caller's.
 */
int rs_heap_insert(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_room room = {};
	int err;

	for (;;) {
		err = rs_heap_try_insert(heap, obj);
		if (likely(!err))
			return 0;
		err = rs_heap_make_room(heap, obj, err, &room);
		if (err)
			return err;
	}
}

/* As many as there is room for at once; *done of them are in then. */
static int rs_heap_try_insert_many(struct rs_heap *heap,
				   struct rs_object **objs, u32 nr,
				   size_t bytes, u32 *done)
{
	bool tracked = rs_object_tracked(objs[0]);
	u32 fit = nr - *done, room, i;
	int err = 0, refusal;

	spin_lock(&heap->table_lock);
	while (fit) {
		refusal = rs_heap_reserve(heap, fit, fit * bytes);
		if (!refusal)
			break;
		err = refusal;
		fit--;
	}
	room = rs_heap_room(heap, tracked, fit);
	for (i = 0; i < room && rs_heap_room(heap, false, 1); i++)
		rs_table_store(heap, objs[*done + i]);
	rs_heap_account(heap, objs[0], i, i * bytes);
	spin_unlock(&heap->table_lock);
	*done += i;
	if (*done == nr)
		return 0;
	return i < fit ? -EAGAIN : err;
}

/**
 * rs_heap_insert_many - publish new objects that are alike
 * @heap: the heap
 * @objs: as for rs_heap_insert(); of one type and size, with slots all or none
 * @nr: how many, 1 to RS_SLICE
 * @done: where goes how many were published, the first ones
 *
 * Return: as rs_heap_insert(); with an error, those that were not published are
 * still the caller's.
 */
int rs_heap_insert_many(struct rs_heap *heap, struct rs_object **objs, u32 nr,
			u32 *done)
{
	/* Of one that is published, others can change it */
	size_t bytes = rs_object_bytes(objs[0]);
	struct rs_room room = {};
	int err;

	*done = 0;
	for (;;) {
		err = rs_heap_try_insert_many(heap, objs, nr, bytes, done);
		if (likely(!err))
			return 0;
		err = rs_heap_make_room(heap, objs[0], err, &room);
		if (err)
			return err;
	}
}

/* What is known of it elsewhere goes with its index. Returns its bytes. */
static noinline size_t rs_table_forget(struct rs_heap *heap,
				       struct rs_object *obj)
{
	size_t bytes = rs_object_bytes_apart(obj);

	if (obj->flags & RS_INTERNED)
		rs_intern_forget(heap, obj);
	if (obj->flags & RS_LABELLED)
		rs_label_forget(heap, obj);
	if (obj->flags & RS_LARGE)
		rs_large_forget(heap, obj);
	return bytes;
}

static __always_inline size_t rs_table_remove(struct rs_heap *heap,
					      struct rs_object *obj)
{
	size_t bytes = likely(rs_object_simple(obj)) ?
		       rs_class_bytes[obj->class] : rs_table_forget(heap, obj);

	rs_table_push(heap, obj->index);
	rs_heap_account(heap, obj, -1, -(s64)bytes);
	rs_heap_trim(heap);
	return bytes;
}

/**
 * rs_heap_remove_locked - take an object out of the table: nobody finds it any
 * more
 * @heap: the heap, whose table_lock the caller holds
 * @obj: dying, or dead; its slots are all there still
 *
 * Return: the memory that was charged for it, in bytes.
 */
size_t rs_heap_remove_locked(struct rs_heap *heap, struct rs_object *obj)
{
	return rs_table_remove(heap, obj);
}

size_t rs_heap_remove(struct rs_heap *heap, struct rs_object *obj)
{
	size_t bytes;

	spin_lock(&heap->table_lock);
	bytes = rs_table_remove(heap, obj);
	spin_unlock(&heap->table_lock);
	return bytes;
}

static int rs_heap_try_charge(struct rs_heap *heap, struct rs_object *obj,
			      size_t bytes)
{
	int err;

	spin_lock(&heap->table_lock);
	err = rs_heap_reserve(heap, 0, bytes);
	if (!err)
		rs_heap_account(heap, obj, 0, bytes);
	spin_unlock(&heap->table_lock);
	return err;
}

/* Charges more memory of an object to its heap; 0, a refusal or -EINTR. */
int rs_heap_charge(struct rs_heap *heap, struct rs_object *obj, size_t bytes)
{
	struct rs_room room = {};
	int err;

	for (;;) {
		err = rs_heap_try_charge(heap, obj, bytes);
		if (!err)
			return 0;
		err = rs_heap_refuse(heap, err, &room);
		if (err)
			return err;
	}
}

void rs_heap_uncharge(struct rs_heap *heap, struct rs_object *obj,
		      size_t bytes)
{
	spin_lock(&heap->table_lock);
	rs_heap_account(heap, obj, 0, -(s64)bytes);
	rs_heap_trim(heap);
	spin_unlock(&heap->table_lock);
}

/* The same for memory that is no object's any more. */
void rs_heap_release(struct rs_heap *heap, u64 bytes)
{
	spin_lock(&heap->table_lock);
	WRITE_ONCE(heap->bytes, heap->bytes - bytes);
	rs_heap_trim(heap);
	spin_unlock(&heap->table_lock);
}

/*
 * The root: one counted reference, under root_lock.
 */

/**
 * rs_root_get - a reference to the root
 * @heap: the heap
 * @root: where it goes, NULL if there is none
 *
 * Return: 0 or -EOVERFLOW.
 */
int rs_root_get(struct rs_heap *heap, struct rs_object **root)
{
	int err = 0;

	spin_lock(&heap->root_lock);
	*root = heap->root;
	if (*root)
		err = rs_ref_get(&(*root)->ref);
	spin_unlock(&heap->root_lock);
	return err;
}

static int rs_root_store(struct rs_heap *heap, struct rs_object **expected,
			 struct rs_object *value)
{
	struct rs_object *drop;
	int err = value ? rs_ref_get(&value->ref) : 0;

	if (err)
		return err;
	spin_lock(&heap->root_lock);
	if (expected && heap->root != *expected) {
		err = -EAGAIN;
		drop = value;
	} else {
		drop = heap->root;
		WRITE_ONCE(heap->root, value);
	}
	spin_unlock(&heap->root_lock);
	if (drop)
		rs_put(heap, drop);
	return err;
}

/* Makes @value, on which the caller has a reference, or nothing, the root. */
int rs_root_set(struct rs_heap *heap, struct rs_object *value)
{
	return rs_root_store(heap, NULL, value);
}

/* The same if @expected is the root now; -EAGAIN if not. */
int rs_root_cas(struct rs_heap *heap, struct rs_object *expected,
		struct rs_object *value)
{
	return rs_root_store(heap, &expected, value);
}

/*
 * Nobody is left: frees every object, whatever its count. What is in the table
 * is complete, and slots are all that objects hold.
 */
static void rs_heap_free_objects(struct rs_heap *heap)
{
	unsigned long cell;
	u32 i;

	for (i = 0; i < heap->table_used; i++) {
		cell = *rs_table_cell(heap, i);
		if (!(cell & 1))
			rs_object_free((struct rs_object *)cell);
		if (i % RS_SLICE == RS_SLICE - 1)
			cond_resched();
	}
}

static void rs_heap_free(struct rs_heap *heap)
{
	u32 age;

	rs_weak_forget(heap);
	rs_intern_end(heap);
	rs_labels_end(heap);
	rs_vec_free(&heap->table, sizeof(unsigned long));
	for (age = 0; age < RS_GENERATIONS; age++)
		rs_vec_free(&heap->queue[age].vec, sizeof(unsigned long));
	rs_vec_free(&heap->work, sizeof(unsigned long));
	rs_types_free(&heap->types);
	xa_destroy(&heap->sessions);
	rs_heap_settle(heap);
	mem_cgroup_put(heap->memcg);
	kmem_cache_free(rs_heap_cache, heap);
}

/* A reader of /proc is done with it; under rs_heaps_lock. */
void rs_heap_unpin(struct rs_heap *heap)
{
	lockdep_assert_held(&rs_heaps_lock);
	WRITE_ONCE(heap->readers, heap->readers - 1);
	if (!heap->readers)
		wake_up_all(&rs_heaps_gone);
}

/* Takes it out of the list, unless somebody reads it. */
static bool rs_heap_unlist(struct rs_heap *heap)
{
	bool unread;

	mutex_lock(&rs_heaps_lock);
	unread = !heap->readers;
	if (unread) {
		list_del(&heap->node);
		rs_proc_add_heap(heap);
	}
	mutex_unlock(&rs_heaps_lock);
	return unread;
}

/*
 * The last reference is gone. No scan is armed any more, since the heap is dying;
 * the last one may have left something to the backlog.
 */
static void rs_heap_free_work(struct work_struct *work)
{
	struct rs_heap *heap = container_of(work, struct rs_heap, free_work);

	cancel_delayed_work_sync(&heap->scan_work);
	/* It queues itself again for what it leaves to itself */
	while (flush_work(&heap->reap_work))
		continue;
	while (!rs_heap_unlist(heap))
		wait_event(rs_heaps_gone, !READ_ONCE(heap->readers));
	wake_up_all(&rs_heaps_gone);
	rs_heap_free_objects(heap);
	rs_heap_free(heap);
}

static void rs_heap_init_scan(struct rs_heap *heap)
{
	spin_lock_init(&heap->queue_lock);
	spin_lock_init(&heap->deferred_lock);
	spin_lock_init(&heap->report_lock);
	INIT_DELAYED_WORK(&heap->scan_work, rs_scan_work);
	init_waitqueue_head(&heap->waiters);
	rs_trigger_init_heap(heap);
	spin_lock_init(&heap->backlog_lock);
	INIT_LIST_HEAD(&heap->unsent);
	INIT_LIST_HEAD(&heap->closing);
	INIT_LIST_HEAD(&heap->files);
	INIT_WORK(&heap->reap_work, rs_reap_work);
	INIT_WORK(&heap->free_work, rs_heap_free_work);
}

/* Each nests otherwise, and xa_init_flags() makes them one to lockdep. */
static void rs_heap_init_xarrays(struct rs_heap *heap)
{
	static struct lock_class_key sessions, weak, labels;

	xa_init_flags(&heap->sessions, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	lockdep_set_class(&heap->sessions.xa_lock, &sessions);
	xa_init_flags(&heap->weak, XA_FLAGS_ACCOUNT);
	lockdep_set_class(&heap->weak.xa_lock, &weak);
	xa_init_flags(&heap->labels, XA_FLAGS_ACCOUNT);
	lockdep_set_class(&heap->labels.xa_lock, &labels);
}

static void rs_heap_init_locks(struct rs_heap *heap)
{
	int i;

	spin_lock_init(&heap->table_lock);
	mutex_init(&heap->types_lock);
	mutex_init(&heap->grow_lock);
	mutex_init(&heap->resize_lock);
	spin_lock_init(&heap->root_lock);
	for (i = 0; i < RS_SLOT_LOCKS; i++)
		spin_lock_init(&heap->slot_lock[i]);
}

static int rs_heap_begin_life(struct rs_heap *heap,
			      const struct rs_payer *payer)
{
	int err = rs_types_init(&heap->types);

	if (err)
		return err;
	err = rs_heap_pay(heap, payer);
	if (err)
		rs_types_free(&heap->types);
	return err;
}

/**
 * rs_heap_create - an empty heap
 * @payer: whose it is
 *
 * Return: the heap, with one reference, the caller's; or a refusal or -ENOMEM as a
 * pointer.
 */
struct rs_heap *rs_heap_create(const struct rs_payer *payer)
{
	struct rs_heap *heap = kmem_cache_zalloc(rs_heap_cache, RS_GFP);
	int err = heap ? rs_heap_begin_life(heap, payer) : -ENOMEM;

	if (err) {
		if (heap)
			kmem_cache_free(rs_heap_cache, heap);
		return ERR_PTR(err);
	}
	refcount_set(&heap->refs, 1);
	heap->owner = payer->account->uid;
	heap->max[RS_OBJECTS] = RS_INDEX_MAX;
	heap->max[RS_BYTES] = U64_MAX;
	heap->memcg = get_mem_cgroup_from_mm(current->mm);
	heap->table_free = RS_NO_INDEX;
	heap->next_id = 1;
	rs_heap_init_xarrays(heap);
	rs_heap_init_locks(heap);
	rs_heap_init_scan(heap);
	mutex_lock(&rs_heaps_lock);
	heap->number = ++rs_last_heap;
	list_add_tail(&heap->node, &rs_heaps);
	mutex_unlock(&rs_heaps_lock);
	return heap;
}

void rs_heap_get(struct rs_heap *heap)
{
	refcount_inc(&heap->refs);
}

void rs_heap_put(struct rs_heap *heap)
{
	if (!refcount_dec_and_test(&heap->refs))
		return;
	/* From here on nobody arms a scan */
	spin_lock(&heap->report_lock);
	WRITE_ONCE(heap->dying, true);
	spin_unlock(&heap->report_lock);
	WRITE_ONCE(heap->scan_stop, true);
	rs_heap_unpay(heap);
	queue_work(rs_free_queue, &heap->free_work);
}

int __init rs_heap_init(void)
{
	rs_limit_init();
	rs_heap_cache = KMEM_CACHE(rs_heap, SLAB_ACCOUNT);
	if (!rs_heap_cache)
		return -ENOMEM;
	rs_queue = alloc_workqueue("refstore", WQ_UNBOUND, 0);
	if (!rs_queue)
		goto cache;
	rs_scan_queue = alloc_workqueue("refstore_scan", WQ_UNBOUND, 0);
	if (!rs_scan_queue)
		goto queue;
	rs_free_queue = alloc_workqueue("refstore_free", WQ_UNBOUND, 0);
	if (!rs_free_queue)
		goto scan_queue;
	return 0;

scan_queue:
	destroy_workqueue(rs_scan_queue);
queue:
	destroy_workqueue(rs_queue);
cache:
	kmem_cache_destroy(rs_heap_cache);
	return -ENOMEM;
}

/*
 * No session is left. Waits for the heaps that are being freed: first until
 * none has a timer that could still queue a scan, then for the work itself.
 */
void rs_heap_exit(void)
{
	wait_event(rs_heaps_gone, list_empty(&rs_heaps));
	destroy_workqueue(rs_free_queue);
	destroy_workqueue(rs_scan_queue);
	destroy_workqueue(rs_queue);
	kmem_cache_destroy(rs_heap_cache);
}
