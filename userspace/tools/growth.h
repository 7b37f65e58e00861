/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What grew between two snapshots of a heap.
 */
#ifndef REFSTORE_GROWTH_H
#define REFSTORE_GROWTH_H

#include "snapshot.h"

/**
 * growth_read() - read a snapshot from a file
 * @snapshot: out: to be freed with snapshot_free(), even if this fails
 * @name: the file's name
 *
 * Return: 0, or -1 after it has said on stderr what was wrong.
 */
int growth_read(struct snapshot *snapshot, const char *name);

/*
 * Whether two snapshots are of the same heap, the first one first: 0, or -1 after
 * it has said on stderr what was wrong.
 */
int growth_check(const struct snapshot *before, const struct snapshot *after);

/*
 * Prints what there is more or less of, by type and label: in JSON an object of
 * this name, or NULL. Returns 0 or -ENOMEM.
 */
int growth_print(const char *name, const struct snapshot *before,
		 const struct snapshot *after);

#endif /* REFSTORE_GROWTH_H */
