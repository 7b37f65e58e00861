// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: what users hold, over all heaps, and how much they may. See
 * account.h.
 */
#include <linux/cred.h>
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

static struct rs_account *rs_account_alloc(kuid_t uid)
{
	struct rs_account *account = kzalloc(sizeof(*account), RS_GFP);

	if (!account)
		return NULL;
	refcount_set(&account->refs, 1);
	account->uid = uid;
	spin_lock_init(&account->lock);
	INIT_LIST_HEAD(&account->freeing);
	init_waitqueue_head(&account->waiters);
	return account;
}

/* The account of a user, if there is one, with a reference. */
static struct rs_account *rs_account_get(kuid_t uid)
{
	struct rs_account *account;

	mutex_lock(&rs_accounts_lock);
	account = rs_account_find(uid);
	if (account)
		refcount_inc(&account->refs);
	mutex_unlock(&rs_accounts_lock);
	return account;
}

/* Makes a new account the user's, unless there is another one by now. */
static struct rs_account *rs_account_add(struct rs_account *new)
{
	struct rs_account *account;

	mutex_lock(&rs_accounts_lock);
	account = rs_account_find(new->uid);
	if (account) {
		refcount_inc(&account->refs);
	} else {
		hash_add(rs_accounts, &new->node, __kuid_val(new->uid));
		list_add_tail(&new->list, &rs_account_list);
	}
	mutex_unlock(&rs_accounts_lock);
	if (!account)
		return new;
	kfree(new);
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
	struct rs_account *account = rs_account_get(uid);

	if (!account) {
		account = rs_account_alloc(uid);
		if (!account)
			return -ENOMEM;
		account = rs_account_add(account);
	}
	payer->account = account;
	payer->exempt = exempt;
	return 0;
}

/* The same for whoever opens or makes something now. */
int rs_payer_init_current(struct rs_payer *payer)
{
	return rs_payer_init(payer, current_fsuid(), rs_payer_exempt());
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
		if (n && old + n > max)
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

/* The kernel begins to free something that a payer is charged for. */
void rs_payer_begin(const struct rs_payer *payer, struct rs_freeing *freeing)
{
	struct rs_account *account = payer->account;

	spin_lock(&account->lock);
	freeing->number = ++account->begun;
	list_add_tail(&freeing->node, &account->freeing);
	spin_unlock(&account->lock);
}

/* It is freed, and uncharged. To be followed by rs_payer_wake(). */
void rs_payer_end(const struct rs_payer *payer, struct rs_freeing *freeing)
{
	struct rs_account *account = payer->account;

	spin_lock(&account->lock);
	list_del_init(&freeing->node);
	/* Whoever sees it sees what was uncharged: pairs with rs_payer_ended() */
	smp_store_release(&account->ended, account->ended + 1);
	spin_unlock(&account->lock);
}

void rs_payer_wake(const struct rs_payer *payer)
{
	wake_up_all(&payer->account->waiters);
}

static u64 rs_payer_ended(const struct rs_payer *payer)
{
	/* Pairs with the release in rs_payer_end() */
	return smp_load_acquire(&payer->account->ended);
}

/* To be waited for: what is being freed now. */
static void rs_patience_begin(struct rs_patience *patience,
			      const struct rs_payer *payer)
{
	struct rs_account *account = payer->account;

	spin_lock(&account->lock);
	patience->asked = true;
	patience->uid = account->uid;
	patience->until = account->begun;
	patience->seen = account->ended;
	spin_unlock(&account->lock);
}

/* Whether any of that is left. */
static bool rs_patience_hopes(const struct rs_patience *patience,
			      const struct rs_payer *payer)
{
	struct rs_account *account = payer->account;
	struct rs_freeing *oldest;
	bool hopes;

	spin_lock(&account->lock);
	oldest = list_first_entry_or_null(&account->freeing, struct rs_freeing,
					  node);
	hopes = account->ended != patience->seen ||
		(oldest && oldest->number <= patience->until);
	spin_unlock(&account->lock);
	return hopes;
}

/**
 * rs_payer_wait - wait before something is refused
 * @payer: who would be refused
 * @patience: zero at first
 * @err: the refusal
 *
 * Waits until something ends that is being freed for this user: as long as
 * anything is left of what was being freed when we first came here.
 *
 * Return: -EAGAIN: try again; @err: there is no hope; -EINTR.
 */
int rs_payer_wait(const struct rs_payer *payer, struct rs_patience *patience,
		  int err)
{
	if (!patience->asked || !uid_eq(patience->uid, payer->account->uid)) {
		rs_patience_begin(patience, payer);
		/* Some may have ended since we were refused */
		return -EAGAIN;
	}
	if (!rs_patience_hopes(patience, payer))
		return err;
	if (wait_event_interruptible(payer->account->waiters,
				     rs_payer_ended(payer) != patience->seen))
		return -EINTR;
	patience->seen = rs_payer_ended(payer);
	return -EAGAIN;
}

/*
 * For /proc: the list, after its head, which is shown first; or of that the
 * account of @uid alone, if it is a user. Under the lock from start to stop.
 */
void *rs_accounts_start(loff_t pos, kuid_t uid)
{
	struct rs_account *account;

	mutex_lock(&rs_accounts_lock);
	if (!pos || !uid_valid(uid))
		return seq_list_start_head(&rs_account_list, pos);
	account = pos == 1 ? rs_account_find(uid) : NULL;
	return account ? &account->list : NULL;
}

void *rs_accounts_next(void *v, loff_t *pos, kuid_t uid)
{
	struct rs_account *account;

	if (!uid_valid(uid))
		return seq_list_next(v, &rs_account_list, pos);
	account = ++*pos == 1 ? rs_account_find(uid) : NULL;
	return account ? &account->list : NULL;
}

void rs_accounts_stop(void)
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
