/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: a thread that does nothing but own what this process has locked.
 *
 * When a thread ends, however, the kernel looks at its list of robust futexes, and marks
 * those that the thread owns and wakes somebody who waits; see set_robust_list(2). The
 * C library has such mutexes, but they keep the list's pointers, which it follows and
 * writes through, beside the futex: in memory that other processes write. And they
 * belong to a thread. So this has a list of its own, whose links are in private memory,
 * at one fixed distance below the futexes, in the name of one thread that lives as long
 * as the process. Whatever others write, it is never more than the value of a futex.
 *
 * All is used under the interpreter's lock. A child of fork() has no keeper until it
 * starts its own, and owns nothing of its parent's.
 */
#ifndef REFSTORE_PYTHON_KEEPER_H
#define REFSTORE_PYTHON_KEEPER_H

#include <linux/futex.h>

#include "python.h"

/**
 * struct keeper_node - a futex that this process may own
 * @list: the kernel's: the next one; NULL: it is not in the list
 * @previous: what refers to this one
 *
 * The futex is a page after it. A node may be in the list before the futex has the
 * keeper's number, and after it: the kernel looks.
 */
struct keeper_node {
	struct robust_list list;
	struct robust_list *previous;
};

bool keeper_is_full(void);
uint32_t keeper_start(void);
uint32_t keeper_number(void);
void keeper_add(struct keeper_node *node);
void keeper_remove(struct keeper_node *node);
void keeper_begin_release(struct keeper_node *node);
void keeper_end_release(void);
size_t keeper_page(void);

static inline bool keeper_has(const struct keeper_node *node)
{
	return node->list.next;
}

#endif /* REFSTORE_PYTHON_KEEPER_H */
