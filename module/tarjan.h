/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strong components of a scan's suspects.
 */
#ifndef RS_TARJAN_H
#define RS_TARJAN_H

#include "object.h"
#include "scan.h"
#include "slot.h"

#define RS_DECIDED	BIT(31)	/* in comp[]: of a component, not a visit */

/**
 * struct rs_tarjan - strong components of the suspects
 * @low: least visit reachable; later see rs_missing()
 * @comp: number of the visit; then of the component, with RS_DECIDED
 * @parent: where the search came from
 * @cursor: the slot where it goes on
 * @order: from the front the members of finished components, one after the
 *         other; from the back the search's stack
 * @credit: edges from condemned components
 * @visits: visits so far
 * @comps: components so far
 * @emitted: entries in use at the front of @order
 * @stacked: and at its back
 *
 * All arrays are indexed by an object's place on the scan's list, which stands
 * in its @edges meanwhile.
 */
struct rs_tarjan {
	u32 *low;
	u32 *comp;
	u32 *parent;
	u32 *cursor;
	u32 *order;
	u32 *credit;
	u32 visits;
	u32 comps;
	u32 emitted;
	u32 stacked;
};

/* The suspect that a slot refers to, or NULL. */
static inline struct rs_slotted *rs_suspect(struct rs_scan *scan,
					    unsigned long slot)
{
	struct rs_slotted *child;

	if (!slot || slot & RS_SLOT_LEAF)
		return NULL;
	child = rs_slotted(rs_slot_object(slot));
	return rs_scan_is(scan, child, RS_EPOCH_CAPTURED) ? child : NULL;
}

/**
 * struct rs_targets - a walk through the suspects that slots refer to
 * @scan: the scan
 * @slotted: whose slots
 * @next: the slot after those in @slots
 * @at: the next one in @slots
 * @nr: how many are in @slots
 * @slots: some slots
 * @buf: for those of a tail
 */
struct rs_targets {
	struct rs_scan *scan;
	struct rs_slotted *slotted;
	u32 next;
	u32 at;
	u32 nr;
	const unsigned long *slots;
	unsigned long buf[RS_PEEK];
};

void rs_targets_init(struct rs_targets *targets, struct rs_scan *scan,
		     struct rs_slotted *slotted, u32 first);
struct rs_slotted *rs_targets_next(struct rs_targets *targets);

bool rs_tarjan_run(struct rs_scan *scan, struct rs_tarjan *t);
void rs_tarjan_end(struct rs_scan *scan, struct rs_tarjan *t);

#endif /* RS_TARJAN_H */
