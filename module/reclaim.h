/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reclaiming: what happens when a count falls.
 */
#ifndef RS_RECLAIM_H
#define RS_RECLAIM_H

#include "heap.h"

struct rs_session;

/**
 * struct rs_reap - dying objects that one thread works on
 * @heap: their heap
 * @first: the objects, linked through @next; NULL when there are none
 * @last: the last of them
 * @count: how many
 * @freed: objects that were taken out of everything so far
 * @bytes: memory of these
 */
struct rs_reap {
	struct rs_heap *heap;
	struct rs_object *first;
	struct rs_object *last;
	long count;
	u64 freed;
	u64 bytes;
};

void rs_put(struct rs_heap *heap, struct rs_object *obj);
void rs_put_many(struct rs_heap *heap, struct rs_object **objs, u32 nr);
void rs_reap_put(struct rs_reap *reap, struct rs_object *obj);
void rs_reap_finish(struct rs_reap *reap);
bool rs_reap_run(struct rs_reap *reap, u32 budget);
void rs_reap_run_all(struct rs_reap *reap);
void rs_reap_work(struct work_struct *work);
void rs_reap_leave_session(struct rs_session *session);
void rs_reap_leave_file(struct rs_heap *heap, struct list_head *file);
u64 rs_reap_backlog(struct rs_heap *heap);
int rs_reap_wait(struct rs_heap *heap);
bool rs_reap_defer_slots(struct rs_heap *heap, struct rs_slots *slots);
void rs_reap_deferred(struct rs_heap *heap);

#endif /* RS_RECLAIM_H */
