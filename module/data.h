/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data: the bytes of an object.
 */
#ifndef RS_DATA_H
#define RS_DATA_H

#include "heap.h"
#include "object.h"

/* Whether such an object can be made; 0, -E2BIG or -EINVAL. */
static inline int rs_spec_check(const struct rs_spec *spec)
{
	if (spec->nr_slots > RS_MAX_SLOTS || spec->data_len > RS_MAX_DATA)
		return -E2BIG;
	return rs_type_valid(spec->heap, spec->type) ? 0 : -EINVAL;
}

struct rs_object *rs_object_create(const struct rs_spec *spec,
				   const void __user *data, int *err);
int rs_objects_create(const struct rs_spec *spec, const void __user *data,
		      struct rs_object **objs, u32 nr);
int rs_data_read(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		 u32 length, void __user *buffer, u32 *done);
int rs_data_write(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		  u32 length, const void __user *buffer);
int rs_data_seal(struct rs_heap *heap, struct rs_object *obj, u32 seals);

#endif /* RS_DATA_H */
