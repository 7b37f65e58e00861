/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lines above the table of top: totals, scans, and the user who is nearest to
 * a limit.
 */
#ifndef REFSTORE_SUMMARY_H
#define REFSTORE_SUMMARY_H

#include <stdint.h>

#include "table.h"

#define SUMMARY_LINES 4

/**
 * struct summary - the lines; all zeroes: nothing was read yet
 * @lines: they, without newlines
 * @scans: scans, ever
 * @reclaimed: objects that these freed
 */
struct summary {
	char lines[SUMMARY_LINES][256];
	uint64_t scans;
	uint64_t reclaimed;
};

/**
 * summary_update() - make the lines
 * @summary: what they were; out
 * @stats: the file of that name
 * @users: likewise
 * @nanoseconds: since the last update; 0: there was none, so nothing is said of
 *               what happens a second
 */
void summary_update(struct summary *summary, const struct table *stats,
		    const struct table *users, uint64_t nanoseconds);

#endif /* REFSTORE_SUMMARY_H */
