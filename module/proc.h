/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/refstore: what there is, and what scans did.
 */
#ifndef RS_PROC_H
#define RS_PROC_H

#include "heap.h"
#include "trigger.h"

struct rs_scan;

int rs_proc_init(void);
void rs_proc_exit(void);
void rs_proc_add_scan(const struct rs_scan *scan, enum rs_trigger trigger);
void rs_proc_add_heap(struct rs_heap *heap);

#endif /* RS_PROC_H */
