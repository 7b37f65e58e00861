/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data: the bytes of an object.
 */
#ifndef RS_DATA_H
#define RS_DATA_H

#include "heap.h"
#include "object.h"

struct rs_object *rs_object_create(const struct rs_spec *spec,
				   const void __user *data, int *err);
int rs_data_read(struct rs_heap *heap, struct rs_object *obj, u32 offset,
		 u32 length, void __user *buffer, u32 *done);
int rs_data_write(struct rs_heap *heap, struct rs_object *obj, u32 offset,
		  u32 length, const void __user *buffer);
void rs_data_seal(struct rs_heap *heap, struct rs_object *obj, u32 seals);

#endif /* RS_DATA_H */
