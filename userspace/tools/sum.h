/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a heap has changed.
 */
#ifndef REFSTORE_SUM_H
#define REFSTORE_SUM_H

#include <refstore.h>

/**
 * sum_heap() - a number for what a heap contains
 * @store: a session on the heap
 * @sum: out: the same as before if there are the same objects with the same
 *       slots, counts, handles and root, else most certainly another one
 *
 * The data of objects has no part in it.
 * Return: 0 or a negative errno.
 */
int sum_heap(struct refstore *store, uint64_t *sum);

#endif /* REFSTORE_SUM_H */
