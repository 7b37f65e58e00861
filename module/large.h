/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Large values: leaves whose data is a memfd.
 */
#ifndef RS_LARGE_H
#define RS_LARGE_H

#include "heap.h"
#include "object.h"

struct rs_call;

u64 rs_large_len(const struct rs_object *obj);
size_t rs_large_bytes(const struct rs_object *obj);
u64 rs_large_inode(const struct rs_object *obj);
void rs_large_free(struct rs_object *obj);
void rs_large_forget(struct rs_heap *heap, struct rs_object *obj);
void rs_large_finish_all(struct rs_heap *heap, struct list_head *files);
int rs_large_read(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		  u32 length, void __user *buffer);
int rs_large_write(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		   u32 length, const void __user *buffer);
int rs_large_may_seal(struct rs_heap *heap, struct rs_object *obj);
int rs_adopt(struct rs_call *call, void *body);
int rs_map(struct rs_call *call, void *body);

static inline bool rs_object_large(const struct rs_object *obj)
{
	return READ_ONCE(obj->flags) & RS_LARGE;
}

#endif /* RS_LARGE_H */
