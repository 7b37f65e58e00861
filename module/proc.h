/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/refstore: what there is, and what scans did.
 */
#ifndef RS_PROC_H
#define RS_PROC_H

#include "heap.h"

/* Why a scan ran. */
enum rs_trigger {
	RS_TRIGGER_THRESHOLD,
	RS_TRIGGER_DELAY,
	RS_TRIGGER_COLLECT,
};

int rs_proc_init(void);
void rs_proc_exit(void);
void rs_proc_add_scan(struct rs_heap *heap,
		      const struct rs_scan_figures *figures, u32 number,
		      enum rs_trigger trigger);
void rs_proc_add_heap(struct rs_heap *heap);

#endif /* RS_PROC_H */
