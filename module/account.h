/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounts: what users hold, over all heaps, and how much they may.
 *
 * Each user, by its number in the initial namespace, has one account as long as
 * any heap or session is charged to it. Who is charged:
 *
 *   objects, bytes, heaps    a heap's owner: the opener of a private heap, the
 *                            owner of a named one's inode
 *   handles, weak handles    who opened the session, or had it minted: whoever
 *                            made its file (f_cred). So it does not matter who
 *                            uses it, and nobody else is charged for the sessions
 *                            that come of one that was passed on
 *
 * Who asks for more than the limit is refused, but where the opener was capable
 * of CAP_SYS_RESOURCE in the initial namespace: that one is charged all the same.
 * A user namespace makes nobody another user.
 *
 * A session is charged for its table of handles page by page, and a heap takes
 * objects and bytes ahead of what it needs (limit.h), so that what most calls
 * touch is theirs alone.
 *
 * Before a call on a session is refused, it waits for what the same user let go of
 * and the kernel has not freed yet, see rs_payer_wait(). Nobody waits who opens or
 * makes a file, or changes its owner: the kernel holds locks of everybody's there.
 * So a heap is no longer charged for as such when nobody has it any more; only
 * that no more than RS_DYING_HEAPS of a user beyond its limit can be dying.
 *
 * Locks: rs_accounts_lock, a mutex under any other lock that one can sleep under;
 * account->lock, under all spinlocks.
 *
 * A refusal is an error of its own for each limit, rs_refusal(), from where it is
 * found to where the call ends; there it is noted in the session, for
 * REFSTORE_LIMIT, and becomes EDQUOT.
 */
#ifndef RS_ACCOUNT_H
#define RS_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/refstore.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>

#define RS_DYING_HEAPS	1024

/* What is charged. The order is that of REFSTORE_LIMIT_USER_OBJECTS and on. */
enum rs_item {
	RS_OBJECTS,
	RS_BYTES,
	RS_HEAP_ITEMS,	/* those that a heap has limits on itself */
	RS_HANDLES = RS_HEAP_ITEMS,
	RS_WEAK,
	RS_HEAPS,
	RS_ITEMS
};

/**
 * struct rs_account - a user's account
 * @node: in the table of accounts; rs_accounts_lock
 * @list: in the list of accounts, for /proc; rs_accounts_lock
 * @refs: payers; the last one goes under rs_accounts_lock
 * @uid: the user
 * @used: what it is charged for, by item
 * @dying: heaps that nobody has any more, and that are not freed
 * @lock: protects the next three
 * @freeing: what is being freed, in the order in which that began
 * @begun: number of the last of these
 * @ended: how many of them have ended; read without the lock
 * @waiters: for @ended
 */
struct rs_account {
	struct hlist_node node;
	struct list_head list;
	refcount_t refs;
	kuid_t uid;
	atomic64_t used[RS_ITEMS];
	atomic_t dying;
	spinlock_t lock;	/* @freeing to @ended */
	struct list_head freeing;
	u64 begun;
	u64 ended;
	wait_queue_head_t waiters;
};

/**
 * struct rs_payer - who pays for a heap, or for a session
 * @account: a reference
 * @exempt: it is charged, but never refused
 */
struct rs_payer {
	struct rs_account *account;
	bool exempt;
};

/**
 * struct rs_freeing - something that an account is charged for and that is being
 * freed
 * @node: in account->freeing, or empty
 * @number: in the order of the account's
 */
struct rs_freeing {
	struct list_head node;
	u64 number;
};

/**
 * struct rs_patience - how long to wait before something is refused
 * @asked: the next ones are set
 * @uid: whose account is waited for
 * @until: number of the last thing whose freeing is waited for
 * @seen: how many had ended when a charge was last tried
 */
struct rs_patience {
	bool asked;
	kuid_t uid;
	u64 until;
	u64 seen;
};

int rs_payer_init(struct rs_payer *payer, kuid_t uid, bool exempt);
int rs_payer_init_current(struct rs_payer *payer);
void rs_payer_copy(struct rs_payer *to, const struct rs_payer *from);
void rs_payer_put(struct rs_payer *payer);
int rs_payer_charge(const struct rs_payer *payer, enum rs_item item, u64 n);
int rs_payer_charge_patiently(const struct rs_payer *payer, enum rs_item item,
			      u64 n);
void rs_payer_uncharge(const struct rs_payer *payer, enum rs_item item, u64 n);
void rs_payer_begin(const struct rs_payer *payer, struct rs_freeing *freeing);
void rs_payer_end(const struct rs_payer *payer, struct rs_freeing *freeing);
void rs_payer_wake(const struct rs_payer *payer);
int rs_payer_wait(const struct rs_payer *payer, struct rs_patience *patience,
		  int err);

void *rs_accounts_start(loff_t pos, kuid_t uid);
void *rs_accounts_next(void *v, loff_t *pos, kuid_t uid);
void rs_accounts_stop(void);
const struct rs_account *rs_accounts_at(void *v);

/* Whether limits are not for whoever opens or makes something now. */
static inline bool rs_payer_exempt(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
}

static inline u64 rs_payer_used(const struct rs_payer *payer, enum rs_item item)
{
	return atomic64_read(&payer->account->used[item]);
}

/* Above the kernel's own, and an error to IS_ERR() still. */
#define RS_REFUSED	4000

/* The error of a refusal by a limit, REFSTORE_LIMIT_*. */
static inline int rs_refusal(u32 limit)
{
	return -(int)(RS_REFUSED + limit);
}

/* The limit, if an error is a refusal; else 0. */
static inline u32 rs_refused_by(int err)
{
	return err < -RS_REFUSED ? -err - RS_REFUSED : 0;
}

/* What users are told of an error. */
static inline int rs_errno(int err)
{
	return rs_refused_by(err) ? -EDQUOT : err;
}

#endif /* RS_ACCOUNT_H */
