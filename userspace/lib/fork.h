/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of all sessions of the process, which a fork has to clone.
 */
#ifndef LIBREFSTORE_FORK_H
#define LIBREFSTORE_FORK_H

#include <stdint.h>

struct refstore;

/*
 * No fork runs between these two, and each waits for the lock: what can take for
 * ever, as calls of the kernel can, must not be done under it. A descriptor must be
 * on the list before a fork, or the child would share its session with the parent:
 * refstore_fork_count() tells whether there was one since it was made.
 * refstore_fork_lock() returns 0, or a negative errno without the lock.
 */
int refstore_fork_lock(void);
void refstore_fork_unlock(void);

/* These with the lock held. */
uint64_t refstore_fork_count(void);	/* of forks so far */
void refstore_fork_add(struct refstore *store);
void refstore_fork_del(struct refstore *store);

#endif /* LIBREFSTORE_FORK_H */
