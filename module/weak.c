// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weak references: handles that do not keep their object.
 *
 * With the first weak reference an object gets a block, and its word the bit
 * RS_REF_WEAK, which stays. The heap finds the block by the object's index in
 * the table; weak handles refer to the block, never to the object. So one store
 * kills all weak references, however many there are: block->obj = NULL.
 *
 *   session's handle -> rs_weak -> block -> object    (not counted)
 *                                    ^         |
 *                                    +- index -+      (heap->weak)
 *
 * Who holds what. A block's references: one of each rs_weak, and one of
 * heap->weak, which whoever kills it takes over and drops when the notices are
 * sent. An rs_weak belongs to its handle; when that is released with a notice
 * still unread, to the session's list of events, and goes when that is read, or
 * with the session.
 *
 * The object's slot lock protects block->obj. It is what keeps the memory for
 * an upgrade (invariant I2: rs_object_tryget() under a lock that the memory
 * cannot go without): who frees an object has stored NULL under that lock
 * before. That store comes
 *
 *   - when the count fell to zero: from the last putter, before the object
 *     leaves the table, since then its index can be another's;
 *   - when a scan condemned it: from the scanner, after the commit and before
 *     the descriptor is retired (rule R11). Since upgrades hold the lock, they
 *     need not look at the block again after they have got a reference.
 *
 * Only then notices are sent; and those of a condemned component when all of
 * its blocks are dead. So whoever has read of a death finds that every weak
 * reference to what died with it is dead. Sending is no more than moving the
 * rs_weak from block->watchers to its session's events, under the slot lock and
 * then the events' lock; who releases an rs_weak, or closes the session, takes
 * it out of the first list under the slot lock, so a session in that list
 * exists.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "account.h"
#include "heap.h"
#include "object.h"
#include "weak.h"

/* Of the general caches, none comes near their size */
static struct kmem_cache *rs_weak_cache __ro_after_init;

int __init rs_weak_init(void)
{
	rs_weak_cache = KMEM_CACHE(rs_weak, SLAB_ACCOUNT);
	return rs_weak_cache ? 0 : -ENOMEM;
}

void rs_weak_exit(void)
{
	kmem_cache_destroy(rs_weak_cache);
}

static spinlock_t *rs_weak_lock(struct rs_heap *heap,
				const struct rs_weak_block *block)
{
	return &heap->slot_lock[block->index % RS_SLOT_LOCKS];
}

static void rs_weak_block_put(struct rs_weak_block *block)
{
	if (refcount_dec_and_test(&block->refs))
		kfree(block);
}

static struct rs_weak_block *rs_weak_block_alloc(struct rs_object *obj)
{
	struct rs_weak_block *block = kmalloc(sizeof(*block), RS_GFP);

	if (!block)
		return NULL;
	refcount_set(&block->refs, 1);
	block->index = obj->index;
	block->id = obj->id;
	block->obj = obj;
	INIT_LIST_HEAD(&block->watchers);
	return block;
}

/*
 * Gives an object its block, unless somebody else does. The bit comes last; we
 * hold a reference, so nobody misses it.
 */
static struct rs_weak_block *rs_weak_attach(struct rs_heap *heap,
					    struct rs_object *obj)
{
	struct rs_weak_block *block = rs_weak_block_alloc(obj), *old;
	int err;

	if (!block)
		return ERR_PTR(-ENOMEM);
	err = rs_heap_charge(heap, obj, sizeof(*block));
	if (err) {
		kfree(block);
		return ERR_PTR(err);
	}
	old = xa_cmpxchg(&heap->weak, obj->index, NULL, block, RS_GFP);
	if (!old) {
		atomic64_or(RS_REF_WEAK, &obj->ref.word);
		return block;
	}
	rs_heap_uncharge(heap, obj, sizeof(*block));
	kfree(block);
	return xa_is_err(old) ? ERR_PTR(xa_err(old)) : old;
}

static struct rs_weak *rs_weak_alloc(const struct rs_payer *payer,
				     struct rs_weak_block *block, bool patient)
{
	struct rs_weak *weak;
	int err;

	err = patient ? rs_payer_charge_patiently(payer, RS_WEAK, 1) :
			rs_payer_charge(payer, RS_WEAK, 1);
	if (err)
		return ERR_PTR(err);
	weak = kmem_cache_zalloc(rs_weak_cache, RS_GFP);
	if (!weak) {
		rs_payer_uncharge(payer, RS_WEAK, 1);
		return ERR_PTR(-ENOMEM);
	}
	weak->payer = payer;
	weak->event.kind = REFSTORE_EVENT_DEATH;
	weak->block = block;
	refcount_inc(&block->refs);
	return weak;
}

/**
 * rs_weak_create - a weak reference
 * @payer: who pays for it, as long as it is there
 * @heap: the heap
 * @obj: the object, on which the caller has a reference
 *
 * Return: the weak reference, or a refusal, -ENOMEM or -EINTR as a pointer. Undo
 * with rs_weak_release().
 */
struct rs_weak *rs_weak_create(const struct rs_payer *payer,
			       struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_weak_block *block = xa_load(&heap->weak, obj->index);

	if (!block)
		block = rs_weak_attach(heap, obj);
	if (IS_ERR(block))
		return ERR_CAST(block);
	return rs_weak_alloc(payer, block, true);
}

/*
 * Another one to the same object, dead or alive; without a notice. Likewise; it
 * waits before it refuses if the caller is @patient.
 */
struct rs_weak *rs_weak_copy(const struct rs_payer *payer,
			     const struct rs_weak *weak, bool patient)
{
	return rs_weak_alloc(payer, weak->block, patient);
}

/* Nobody refers to it: no handle, no list. */
void rs_weak_free(struct rs_weak *weak)
{
	rs_payer_uncharge(weak->payer, RS_WEAK, 1);
	rs_weak_block_put(weak->block);
	kmem_cache_free(rs_weak_cache, weak);
}

/* Whether a notice is on its way, which whoever reads it frees. */
static bool rs_weak_queued(struct rs_weak *weak)
{
	bool queued;

	if (!weak->events)
		return false;
	spin_lock(&weak->events->lock);
	queued = weak->event.queued;
	weak->released = queued;
	if (queued)
		WRITE_ONCE(weak->events->unread, weak->events->unread + 1);
	spin_unlock(&weak->events->lock);
	return queued;
}

/*
 * Its handle is gone. If the object is dead, the notice can still be read; one
 * that was not sent yet is sent here, and now: every weak reference that dies
 * together with this one is dead, since its upgrades fail from the commit on.
 */
void rs_weak_release(struct rs_heap *heap, struct rs_weak *weak)
{
	struct rs_weak_block *block = weak->block;
	spinlock_t *lock = rs_weak_lock(heap, block);

	spin_lock(lock);
	if (weak->watching) {
		list_del(&weak->event.node);
		if (!block->obj || rs_object_dead(heap, block->obj))
			rs_events_add(weak->events, &weak->event);
	}
	weak->watching = false;
	spin_unlock(lock);
	if (!rs_weak_queued(weak))
		rs_weak_free(weak);
}

/**
 * rs_weak_watch - ask for a notice of the death
 * @weak: a weak reference that nobody else knows yet
 * @events: where the notice goes
 * @cookie: what it shall say
 *
 * Nothing comes of it before rs_weak_arm().
 */
void rs_weak_watch(struct rs_weak *weak, struct rs_events *events, u64 cookie)
{
	weak->events = events;
	weak->cookie = cookie;
}

/*
 * The handle is installed, so from now on the notice is sent, if one was asked
 * for: at once if the object is dead already.
 */
void rs_weak_arm(struct rs_heap *heap, struct rs_weak *weak)
{
	struct rs_weak_block *block = weak->block;

	if (!weak->events)
		return;
	WRITE_ONCE(weak->events->wanted, true);
	spin_lock(rs_weak_lock(heap, block));
	if (block->obj) {
		weak->watching = true;
		list_add_tail(&weak->event.node, &block->watchers);
	} else {
		rs_events_add(weak->events, &weak->event);
	}
	spin_unlock(rs_weak_lock(heap, block));
}

/**
 * rs_weak_upgrade - a counted reference from a weak one
 * @heap: the heap
 * @weak: the weak reference
 * @obj: where it goes; NULL if the object is dead
 *
 * Return: 0 or -EOVERFLOW.
 */
int rs_weak_upgrade(struct rs_heap *heap, struct rs_weak *weak,
		    struct rs_object **obj)
{
	struct rs_weak_block *block = weak->block;
	int err = 0;

	spin_lock(rs_weak_lock(heap, block));
	*obj = block->obj;
	if (*obj)
		err = rs_object_tryget(heap, *obj);
	spin_unlock(rs_weak_lock(heap, block));
	if (!err)
		return 0;
	*obj = NULL;
	return err == -ENOENT ? 0 : err;
}

/**
 * rs_weak_kill - an object dies: so do its weak references
 * @heap: the heap
 * @obj: an object whose word says that there are, or were, some; it is in the
 *       table still
 * @dead: where its block goes if there are notices to be sent
 */
void rs_weak_kill(struct rs_heap *heap, struct rs_object *obj,
		  struct list_head *dead)
{
	struct rs_weak_block *block = xa_erase(&heap->weak, obj->index);
	bool watched;

	spin_lock(rs_weak_lock(heap, block));
	block->obj = NULL;
	/* Nobody comes to watch any more */
	watched = !list_empty(&block->watchers);
	spin_unlock(rs_weak_lock(heap, block));
	if (watched)
		list_add_tail(&block->node, dead);
	else
		rs_weak_block_put(block);
}

/* Sends the notice of a block's first watcher; false if there is none left. */
static bool rs_weak_send_one(struct rs_heap *heap, struct rs_weak_block *block)
{
	struct rs_weak *weak;

	spin_lock(rs_weak_lock(heap, block));
	weak = list_first_entry_or_null(&block->watchers, struct rs_weak,
					event.node);
	if (weak) {
		list_del(&weak->event.node);
		weak->watching = false;
		rs_events_add(weak->events, &weak->event);
	}
	spin_unlock(rs_weak_lock(heap, block));
	return weak;
}

/**
 * rs_weak_send - send the notices of blocks that were killed
 * @heap: the heap
 * @dead: the blocks, of which those that are done leave the list
 * @budget: notices and blocks at most
 *
 * Return: true if none are left.
 */
bool rs_weak_send(struct rs_heap *heap, struct list_head *dead, u32 budget)
{
	struct rs_weak_block *block;

	while (budget-- && !list_empty(dead)) {
		block = list_first_entry(dead, struct rs_weak_block, node);
		if (rs_weak_send_one(heap, block))
			continue;
		list_del(&block->node);
		rs_weak_block_put(block);
	}
	return list_empty(dead);
}

/* The heap goes, no session is left: blocks are all that there is. */
void rs_weak_forget(struct rs_heap *heap)
{
	struct rs_weak_block *block;
	unsigned long index;

	/* One by one: xa_destroy() would free all of it with interrupts off */
	xa_for_each(&heap->weak, index, block) {
		xa_erase(&heap->weak, index);
		rs_weak_block_put(block);
		cond_resched();
	}
}
