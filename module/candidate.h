/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue of candidates: objects whose count fell, but not to zero.
 */
#ifndef RS_CANDIDATE_H
#define RS_CANDIDATE_H

#include "heap.h"

void rs_candidate_add(struct rs_heap *heap, struct rs_object *obj);
void rs_candidate_remove(struct rs_heap *heap, struct rs_object *obj);
struct rs_object *rs_candidate_take(struct rs_heap *heap, u32 pos);
u32 rs_candidates(struct rs_heap *heap);

#endif /* RS_CANDIDATE_H */
