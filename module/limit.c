// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: what a heap may hold, by its own and by those of who pays for it. See
 * limit.h and account.h.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>

#include "call.h"
#include "limit.h"

static unsigned long rs_heap_limit[RS_HEAP_ITEMS];
static unsigned long rs_user_limit[RS_ITEMS];

/* How much a heap takes ahead at most */
static const u32 rs_most_ahead[RS_HEAP_ITEMS] = {
	[RS_OBJECTS] = 256,
	[RS_BYTES] = SZ_64K,
};

u64 rs_user_max(enum rs_item item)
{
	return READ_ONCE(rs_user_limit[item]);
}

u64 rs_heap_max(const struct rs_heap *heap, enum rs_item item)
{
	return min_t(u64, READ_ONCE(rs_heap_limit[item]), heap->max[item]);
}

static u64 rs_heap_holds(const struct rs_heap *heap, enum rs_item item)
{
	return item == RS_OBJECTS ? heap->objects : heap->bytes;
}

/* What is charged, of which so much was taken ahead. */
static void rs_heap_set_charged(struct rs_heap *heap, enum rs_item item,
				u64 charged, u64 ahead)
{
	heap->charged[item] = charged;
	heap->floor[item] = charged - ahead;
}

/* But for @spare; and next time, when there is @ahead of it. */
static void rs_heap_give_back_item(struct rs_heap *heap, enum rs_item item,
				   u64 spare, u64 ahead)
{
	u64 keep = rs_heap_holds(heap, item) + spare;

	if (heap->charged[item] > keep) {
		rs_payer_uncharge(&heap->payer, item,
				  heap->charged[item] - keep);
		heap->charged[item] = keep;
		heap->ceiling[item] = min(heap->ceiling[item], keep);
	}
	rs_heap_set_charged(heap, item, heap->charged[item],
			    min(ahead, heap->charged[item]));
}

/* Uncharges what a heap took ahead and does not use, but for some of it. */
void rs_heap_give_back(struct rs_heap *heap)
{
	u64 ahead;
	u32 item;

	for (item = 0; item < RS_HEAP_ITEMS; item++) {
		ahead = heap->charged[item] - heap->floor[item];
		rs_heap_give_back_item(heap, item, ahead / 2, ahead);
	}
}

/*
 * How much to take ahead. Nothing when more than half of what there may be is
 * charged: so at least half is there for who really needs it.
 */
static u64 rs_heap_ahead(const struct rs_heap *heap, enum rs_item item,
			 u64 most)
{
	u64 max = rs_user_max(item);
	u64 ahead = min3((u64)rs_most_ahead[item], max / 64, most);

	return rs_payer_used(&heap->payer, item) + ahead <= max / 2 ? ahead : 0;
}

static int rs_heap_raise_charge(struct rs_heap *heap, enum rs_item item,
				u64 want, u64 max)
{
	u64 more = want - heap->charged[item];
	u64 ahead = rs_heap_ahead(heap, item, max - want);
	int err = rs_payer_charge(&heap->payer, item, more + ahead);

	if (err && ahead) {
		ahead = 0;
		err = rs_payer_charge(&heap->payer, item, more);
	}
	if (err)
		return err;
	rs_heap_set_charged(heap, item, want + ahead, ahead);
	return 0;
}

static int rs_heap_raise_item(struct rs_heap *heap, enum rs_item item, u64 more)
{
	u64 want = rs_heap_holds(heap, item) + more;
	u64 max = rs_heap_max(heap, item);
	int err = 0;

	if (!more || want <= heap->ceiling[item])
		return 0;
	if (want > max)
		return rs_refusal(REFSTORE_LIMIT_HEAP_OBJECTS + item);
	if (want > heap->charged[item])
		err = rs_heap_raise_charge(heap, item, want, max);
	if (!err)
		heap->ceiling[item] = min(heap->charged[item], max);
	return err;
}

/* As rs_heap_reserve(), for what is above the ceiling. */
int rs_heap_raise(struct rs_heap *heap, u64 objects, u64 bytes)
{
	int err = rs_heap_raise_item(heap, RS_OBJECTS, objects);

	lockdep_assert_held(&heap->table_lock);
	if (!err)
		err = rs_heap_raise_item(heap, RS_BYTES, bytes);
	/* The first may have gone well */
	if (err)
		rs_heap_give_back(heap);
	return err;
}

/* Whatever was taken ahead is asked for again, under the limits as they are. */
static void rs_heap_lower(struct rs_heap *heap)
{
	u32 item;

	spin_lock(&heap->table_lock);
	for (item = 0; item < RS_HEAP_ITEMS; item++) {
		rs_heap_give_back_item(heap, item, 0, 0);
		heap->ceiling[item] = 0;
	}
	spin_unlock(&heap->table_lock);
}

/**
 * rs_heap_pay - find somebody who pays for a heap
 * @heap: a new heap, empty
 * @payer: who shall
 *
 * Undo with rs_heap_unpay() and then rs_heap_settle().
 *
 * Return: 0 or a refusal.
 */
int rs_heap_pay(struct rs_heap *heap, const struct rs_payer *payer)
{
	u64 most = rs_user_max(RS_HEAPS) + RS_DYING_HEAPS;
	int err;

	if (!payer->exempt && atomic_read(&payer->account->dying) > most)
		return rs_refusal(REFSTORE_LIMIT_USER_HEAPS);
	err = rs_payer_charge(payer, RS_HEAPS, 1);
	if (!err)
		rs_payer_copy(&heap->payer, payer);
	return err;
}

/* Nobody has the heap any more: who pays can have another one. */
void rs_heap_unpay(struct rs_heap *heap)
{
	spin_lock(&heap->backlog_lock);
	rs_payer_begin(&heap->payer, &heap->ending);
	spin_unlock(&heap->backlog_lock);
	atomic_inc(&heap->payer.account->dying);
	rs_payer_uncharge(&heap->payer, RS_HEAPS, 1);
}

/* What it held is freed. */
void rs_heap_settle(struct rs_heap *heap)
{
	atomic_dec(&heap->payer.account->dying);
	rs_payer_uncharge(&heap->payer, RS_OBJECTS, heap->charged[RS_OBJECTS]);
	rs_payer_uncharge(&heap->payer, RS_BYTES, heap->charged[RS_BYTES]);
	rs_payer_end(&heap->payer, &heap->ending);
	rs_payer_wake(&heap->payer);
	rs_payer_put(&heap->payer);
}

/**
 * rs_heap_begin_reap - heap->reap_work is queued
 * @heap: the heap, whose backlog_lock the caller holds
 *
 * Who would be refused waits for it, see rs_payer_wait(). It can be queued again
 * while it runs, but no more than that; each time rs_heap_end_reap() follows.
 */
void rs_heap_begin_reap(struct rs_heap *heap)
{
	lockdep_assert_held(&heap->backlog_lock);
	rs_payer_begin(&heap->payer, &heap->reaping[heap->reaps_begun++ % 2]);
}

void rs_heap_end_reap(struct rs_heap *heap)
{
	struct rs_payer payer;

	spin_lock(&heap->backlog_lock);
	rs_payer_end(&heap->payer, &heap->reaping[heap->reaps_ended++ % 2]);
	rs_payer_copy(&payer, &heap->payer);
	spin_unlock(&heap->backlog_lock);
	rs_payer_wake(&payer);
	rs_payer_put(&payer);
}

static int rs_payer_charge_heap(const struct rs_payer *payer,
				const struct rs_heap *heap)
{
	int err = rs_payer_charge(payer, RS_HEAPS, 1);

	if (err)
		return err;
	err = rs_payer_charge(payer, RS_OBJECTS, heap->charged[RS_OBJECTS]);
	if (err)
		goto heaps;
	err = rs_payer_charge(payer, RS_BYTES, heap->charged[RS_BYTES]);
	if (err)
		goto objects;
	return 0;

objects:
	rs_payer_uncharge(payer, RS_OBJECTS, heap->charged[RS_OBJECTS]);
heaps:
	rs_payer_uncharge(payer, RS_HEAPS, 1);
	return err;
}

static void rs_payer_uncharge_heap(const struct rs_payer *payer,
				   const struct rs_heap *heap)
{
	rs_payer_uncharge(payer, RS_BYTES, heap->charged[RS_BYTES]);
	rs_payer_uncharge(payer, RS_OBJECTS, heap->charged[RS_OBJECTS]);
	rs_payer_uncharge(payer, RS_HEAPS, 1);
}

/* What is being freed is the new one's to wait for. */
static void rs_heap_swap_payer(struct rs_heap *heap, struct rs_payer *payer)
{
	struct rs_freeing *freeing;
	u32 i;

	spin_lock(&heap->backlog_lock);
	rs_payer_uncharge_heap(&heap->payer, heap);
	for (i = heap->reaps_ended; i != heap->reaps_begun; i++) {
		freeing = &heap->reaping[i % 2];
		rs_payer_end(&heap->payer, freeing);
		rs_payer_begin(payer, freeing);
	}
	swap(heap->payer, *payer);
	spin_unlock(&heap->backlog_lock);
	/* Readers of /proc, and a scan that ends, see the old one or the new */
	WRITE_ONCE(heap->owner.val, heap->payer.account->uid.val);
}

/**
 * rs_heap_change_owner - let a heap be somebody else's, who pays for it
 * @heap: the heap
 * @uid: the user, to whom limits apply
 *
 * Nothing is waited for: the inode is locked.
 *
 * Return: 0, -ENOMEM, or a refusal: then nothing has changed.
 */
int rs_heap_change_owner(struct rs_heap *heap, kuid_t uid)
{
	struct rs_payer payer;
	int err;

	if (uid_eq(rs_heap_owner(heap), uid))
		return 0;
	err = rs_payer_init(&payer, uid, false);
	if (err)
		return err;
	spin_lock(&heap->table_lock);
	rs_heap_give_back_item(heap, RS_OBJECTS, 0, 0);
	rs_heap_give_back_item(heap, RS_BYTES, 0, 0);
	err = rs_payer_charge_heap(&payer, heap);
	if (!err)
		rs_heap_swap_payer(heap, &payer);
	spin_unlock(&heap->table_lock);
	rs_payer_wake(&payer);
	rs_payer_put(&payer);
	return err;
}

static void rs_heap_payer(struct rs_heap *heap, struct rs_payer *payer)
{
	spin_lock(&heap->table_lock);
	rs_payer_copy(payer, &heap->payer);
	spin_unlock(&heap->table_lock);
}

/* As rs_payer_wait(), for a heap that was refused something. */
int rs_heap_wait_payer(struct rs_heap *heap, struct rs_patience *patience,
		       int err)
{
	struct rs_payer payer;

	if (rs_refused_by(err) < REFSTORE_LIMIT_USER_OBJECTS)
		return err;
	rs_heap_payer(heap, &payer);
	err = rs_payer_wait(&payer, patience, err);
	rs_payer_put(&payer);
	return err;
}

/* --- What users are told ------------------------------------------------- */

/* Of the heap, and of its owner. */
static void rs_limit_of_heap(struct rs_heap *heap, struct refstore_limit *args)
{
	u32 user = args->limit - REFSTORE_LIMIT_USER_OBJECTS;
	u32 own = args->limit - REFSTORE_LIMIT_HEAP_OBJECTS;

	spin_lock(&heap->table_lock);
	if (own < RS_HEAP_ITEMS) {
		args->used = rs_heap_holds(heap, own);
		args->max = rs_heap_max(heap, own);
	} else {
		args->used = rs_payer_used(&heap->payer, user);
		args->max = rs_user_max(user);
	}
	spin_unlock(&heap->table_lock);
	args->uid = from_kuid_munged(current_user_ns(), rs_heap_owner(heap));
}

/* Of the session, and of who opened it. */
static void rs_limit_of_session(const struct rs_session *session,
				struct refstore_limit *args)
{
	u32 user = args->limit - REFSTORE_LIMIT_USER_OBJECTS;

	if (args->limit == REFSTORE_LIMIT_SESSION_HANDLES) {
		args->used = (u64)READ_ONCE(session->handles.nr) +
			     READ_ONCE(session->events.unread);
		args->max = rs_handles_max();
	} else {
		args->used = rs_payer_used(&session->payer, user);
		args->max = rs_user_max(user);
	}
	args->uid = from_kuid_munged(current_user_ns(),
				     session->payer.account->uid);
}

/* REFSTORE_LIMIT */
int rs_limit(struct rs_call *call, void *body)
{
	struct refstore_limit *args = body;

	if (args->limit > REFSTORE_LIMIT_USER_HEAPS)
		return -EINVAL;
	if (!args->limit)
		args->limit = READ_ONCE(call->session->refused_by);
	switch (args->limit) {
	case 0:
		args->uid = 0;
		args->used = 0;
		args->max = 0;
		break;
	case REFSTORE_LIMIT_SESSION_HANDLES:
	case REFSTORE_LIMIT_USER_HANDLES:
	case REFSTORE_LIMIT_USER_WEAK:
		rs_limit_of_session(call->session, args);
		break;
	default:
		rs_limit_of_heap(call->heap, args);
	}
	return 0;
}

/* --- Parameters ---------------------------------------------------------- */

static int rs_limit_set(const char *value, const struct kernel_param *param)
{
	int err = param_set_ulong(value, param);
	struct rs_heap *heap;

	if (err)
		return err;
	mutex_lock(&rs_heaps_lock);
	list_for_each_entry(heap, &rs_heaps, node)
		rs_heap_lower(heap);
	mutex_unlock(&rs_heaps_lock);
	return 0;
}

static const struct kernel_param_ops rs_limit_ops = {
	.set = rs_limit_set,
	.get = param_get_ulong,
};

module_param_cb(max_objects, &rs_limit_ops, &rs_heap_limit[RS_OBJECTS], 0644);
MODULE_PARM_DESC(max_objects,
		 "Objects of a heap at most (as many as 128 bytes fit memory)");
module_param_cb(max_bytes, &rs_limit_ops, &rs_heap_limit[RS_BYTES], 0644);
MODULE_PARM_DESC(max_bytes,
		 "Bytes of a heap at most (half of the memory)");
module_param_cb(max_user_objects, &rs_limit_ops, &rs_user_limit[RS_OBJECTS],
		0644);
MODULE_PARM_DESC(max_user_objects,
		 "Objects of a user's heaps at most (as max_objects)");
module_param_cb(max_user_bytes, &rs_limit_ops, &rs_user_limit[RS_BYTES], 0644);
MODULE_PARM_DESC(max_user_bytes,
		 "Bytes of a user's heaps at most (as max_bytes)");
module_param_named(max_user_handles, rs_user_limit[RS_HANDLES], ulong, 0644);
MODULE_PARM_DESC(max_user_handles,
		 "Handles of a user at most (as many as 64 bytes fit memory)");
module_param_named(max_user_weak, rs_user_limit[RS_WEAK], ulong, 0644);
MODULE_PARM_DESC(max_user_weak,
		 "Weak handles of a user at most (as many as 512 bytes fit memory)");
module_param_named(max_user_heaps, rs_user_limit[RS_HEAPS], ulong, 0644);
MODULE_PARM_DESC(max_user_heaps,
		 "Heaps of a user at most (as many as 64 KiB fit memory)");

/* What nobody has set grows with the size of the machine. */
void __init rs_limit_init(void)
{
	static const u32 share[RS_ITEMS] __initconst = {
		[RS_OBJECTS] = 128,
		[RS_BYTES] = 2,
		[RS_HANDLES] = 64,
		[RS_WEAK] = 512,
		[RS_HEAPS] = SZ_64K,
	};
	u64 memory = (u64)totalram_pages() << PAGE_SHIFT;
	u32 item;

	for (item = 0; item < RS_ITEMS; item++) {
		if (!rs_user_limit[item])
			rs_user_limit[item] = memory / share[item];
		if (item < RS_HEAP_ITEMS && !rs_heap_limit[item])
			rs_heap_limit[item] = memory / share[item];
	}
}
