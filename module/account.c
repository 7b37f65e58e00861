// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: what users hold, over all heaps, and how much they may. See
 * account.h.
 */
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "account.h"
#include "limit.h"
#include "vec.h"

#define RS_ACCOUNT_BITS	8

static DEFINE_HASHTABLE(rs_accounts, RS_ACCOUNT_BITS);
static LIST_HEAD(rs_account_list);
static DEFINE_MUTEX(rs_accounts_lock);	/* protects both */

static struct rs_account *rs_account_find(kuid_t uid)
{
	struct rs_account *account;

	lockdep_assert_held(&rs_accounts_lock);
	hash_for_each_possible(rs_accounts, account, node, __kuid_val(uid))
		if (uid_eq(account->uid, uid))
			return account;
	return NULL;
}

static struct rs_account *rs_account_make(kuid_t uid)
{
	struct rs_account *account = kzalloc(sizeof(*account), RS_GFP);

	if (!account)
		return NULL;
	refcount_set(&account->refs, 1);
	account->uid = uid;
	init_waitqueue_head(&account->waiters);
	hash_add(rs_accounts, &account->node, __kuid_val(uid));
	list_add_tail(&account->list, &rs_account_list);
	return account;
}

/**
 * rs_payer_init - find who pays
 * @payer: the payer
 * @uid: the user that it is
 * @exempt: limits are not for it
 *
 * Undo with rs_payer_put().
 *
 * Return: 0 or -ENOMEM.
 */
int rs_payer_init(struct rs_payer *payer, kuid_t uid, bool exempt)
{
	mutex_lock(&rs_accounts_lock);
	payer->account = rs_account_find(uid);
	if (payer->account)
		refcount_inc(&payer->account->refs);
	else
		payer->account = rs_account_make(uid);
	mutex_unlock(&rs_accounts_lock);
	payer->exempt = exempt;
	return payer->account ? 0 : -ENOMEM;
}

/* Makes @to the same payer as @from. Undo with rs_payer_put(). */
void rs_payer_copy(struct rs_payer *to, const struct rs_payer *from)
{
	refcount_inc(&from->account->refs);
	*to = *from;
}

/* What was charged to it by whoever puts it was uncharged. */
void rs_payer_put(struct rs_payer *payer)
{
	struct rs_account *account = payer->account;

	if (!refcount_dec_and_mutex_lock(&account->refs, &rs_accounts_lock))
		return;
	hash_del(&account->node);
	list_del(&account->list);
	mutex_unlock(&rs_accounts_lock);
	kfree(account);
}

/**
 * rs_payer_charge - charge a payer for something
 * @payer: the payer
 * @item: what
 * @n: how much of it
 *
 * Return: 0, or a refusal.
 */
int rs_payer_charge(const struct rs_payer *payer, enum rs_item item, u64 n)
{
	u64 max = payer->exempt ? S64_MAX : rs_user_max(item);
	atomic64_t *used = &payer->account->used[item];
	s64 old = atomic64_read(used);

	do {
		if (old + n > max)
			return rs_refusal(REFSTORE_LIMIT_USER_OBJECTS + item);
	} while (!atomic64_try_cmpxchg(used, &old, old + n));
	return 0;
}

void rs_payer_uncharge(const struct rs_payer *payer, enum rs_item item, u64 n)
{
	atomic64_sub(n, &payer->account->used[item]);
}

/* The same as rs_payer_charge(), or -EINTR; waits before it refuses. */
int rs_payer_charge_patiently(const struct rs_payer *payer, enum rs_item item,
			      u64 n)
{
	struct rs_patience patience = {};
	int err;

	do {
		err = rs_payer_charge(payer, item, n);
		if (rs_refused_by(err))
			err = rs_payer_wait(payer, &patience, err);
	} while (err == -EAGAIN);
	return err;
}

/* The kernel begins to free what a payer is charged for: @n times. */
void rs_payer_begin(const struct rs_payer *payer, u64 n)
{
	atomic64_add(n, &payer->account->begun);
}

/* It has ended, and what came of it is no longer charged. */
void rs_payer_end(const struct rs_payer *payer, u64 n)
{
	/* Whoever sees it finds that uncharged: pairs with rs_payer_wait() */
	atomic64_add_return_release(n, &payer->account->ended);
	wake_up_all(&payer->account->waiters);
}

/**
 * rs_payer_wait - wait before something is refused
 * @payer: who would be refused
 * @patience: zero at first
 * @err: the refusal
 *
 * Waits until something ends that is being freed for this user. Not for longer
 * than for as many as had begun when we first came here, since others can always
 * begin more.
 *
 * Return: -EAGAIN: try again; @err: there is no hope; -EINTR.
 */
int rs_payer_wait(const struct rs_payer *payer, struct rs_patience *patience,
		  int err)
{
	struct rs_account *account = payer->account;
	/* Pairs with the release in rs_payer_end() */
	s64 ended = atomic64_read_acquire(&account->ended);

	if (!patience->asked) {
		patience->asked = true;
		patience->until = atomic64_read(&account->begun);
		/* It may have ended since we were refused */
		return -EAGAIN;
	}
	if (ended >= patience->until)
		return err;
	if (wait_event_interruptible(account->waiters,
				     atomic64_read_acquire(&account->ended) !=
				     ended))
		return -EINTR;
	return -EAGAIN;
}

/*
 * For /proc: the list, after its head, which is shown first; under the lock from
 * start to stop.
 */
void *rs_accounts_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&rs_accounts_lock);
	return seq_list_start_head(&rs_account_list, *pos);
}

void *rs_accounts_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &rs_account_list, pos);
}

void rs_accounts_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&rs_accounts_lock);
}

/* The account that is to be shown; NULL for the head. */
const struct rs_account *rs_accounts_at(void *v)
{
	if (v == &rs_account_list)
		return NULL;
	return list_entry(v, struct rs_account, list);
}
