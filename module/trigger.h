/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When scans run, and which generations they look at.
 */
#ifndef RS_TRIGGER_H
#define RS_TRIGGER_H

#include "heap.h"

/* Why a scan ran. */
enum rs_trigger {
	RS_TRIGGER_NONE,
	RS_TRIGGER_THRESHOLD,
	RS_TRIGGER_DELAY,
	RS_TRIGGER_COLLECT,
	RS_TRIGGER_PRESSURE,
};

int rs_trigger_init(void);
void rs_trigger_exit(void);

void rs_trigger_init_heap(struct rs_heap *heap);
void rs_trigger_candidate(struct rs_heap *heap, struct rs_queue *queue);
u64 rs_trigger_ask(struct rs_heap *heap, u32 generation,
		   struct rs_scan_figures *before);
bool rs_trigger_wanted(const struct rs_heap *heap);
enum rs_trigger rs_trigger_take(struct rs_heap *heap, u32 *generation);
void rs_trigger_report(struct rs_heap *heap, u32 generation,
		       const struct rs_scan_figures *figures);
void rs_trigger_next(struct rs_heap *heap);
void rs_trigger_press(struct rs_heap *heap);

#endif /* RS_TRIGGER_H */
