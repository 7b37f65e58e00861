// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data: the bytes of an object.
 *
 * A write is atomic, and none comes after a seal: data is copied under the
 * object's slot lock, at most RS_MAX_DATA of it. Users' memory cannot be
 * touched there, so it goes through a buffer; but for data that is sealed,
 * which can be copied out as it is.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "data.h"
#include "large.h"
#include "slot.h"
#include "user.h"

#define RS_SMALL_DATA	128	/* goes through the stack */

struct rs_bounce {
	void *data;
	u8 small[RS_SMALL_DATA];
};

static int rs_bounce_init(struct rs_bounce *bounce, u32 length)
{
	bounce->data = bounce->small;
	if (length > sizeof(bounce->small))
		bounce->data = kvmalloc(length, RS_GFP);
	return bounce->data ? 0 : -ENOMEM;
}

static void rs_bounce_free(struct rs_bounce *bounce)
{
	if (bounce->data != bounce->small)
		kvfree(bounce->data);
}

static int rs_data_get(void *to, const void __user *from, u32 length)
{
	if (length <= RS_SMALL_DATA && !(length % sizeof(u64)))
		return rs_words_get(to, from, length / sizeof(u64));
	return copy_from_user(to, from, length) ? -EFAULT : 0;
}

/* The first data of an object; @data may be NULL for zeroes. */
static int rs_data_fill(struct rs_object *obj, const void __user *data, u32 len)
{
	if (!len)
		return 0;
	if (data)
		return rs_data_get(rs_object_data(obj), data, len);
	memset(rs_object_data(obj), 0, len);
	return 0;
}

/**
 * rs_object_create - make an object with its data, in no table yet
 * @spec: what it shall be; its figures are within the limits
 * @data: the data, or NULL for zeroes
 * @err: where -ENOMEM or -EFAULT goes
 *
 * Return: the object, or NULL.
 */
struct rs_object *rs_object_create(const struct rs_spec *spec,
				   const void __user *data, int *err)
{
	struct rs_object *obj;

	obj = rs_object_alloc(spec);
	if (!obj) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = rs_data_fill(obj, data, spec->data_len);
	if (likely(!*err))
		return obj;
	rs_object_free(obj);
	return NULL;
}

/**
 * rs_objects_create - the same for several objects that are alike
 * @spec: what each shall be
 * @data: the data of all, one's behind the other's, or NULL for zeroes
 * @objs: where the objects go
 * @nr: how many, at least one
 *
 * Return: 0, -ENOMEM or -EFAULT.
 */
int rs_objects_create(const struct rs_spec *spec, const void __user *data,
		      struct rs_object **objs, u32 nr)
{
	u32 i, step = data ? spec->data_len : 0;
	int err = rs_objects_alloc(spec, objs, nr);

	if (err)
		return err;
	for (i = 0; i < nr && !err; i++)
		err = rs_data_fill(objs[i], data + (size_t)i * step,
				   spec->data_len);
	if (err)
		rs_objects_free(objs, nr);
	return err;
}

static int rs_data_copy_out(struct rs_heap *heap, struct rs_object *obj,
			    u32 offset, u32 length, void __user *buffer)
{
	struct rs_bounce bounce;
	int err = rs_bounce_init(&bounce, length);

	if (err)
		return err;
	spin_lock(rs_slot_lock(heap, obj));
	memcpy(bounce.data, rs_object_data(obj) + offset, length);
	spin_unlock(rs_slot_lock(heap, obj));
	if (copy_to_user(buffer, bounce.data, length))
		err = -EFAULT;
	rs_bounce_free(&bounce);
	return err;
}

/**
 * rs_data_read - read data
 * @heap: the heap
 * @obj: the object, on which the caller has a reference
 * @offset: first byte
 * @length: number of bytes; those behind the end are left out
 * @buffer: where they go
 * @done: where the number of bytes read goes
 *
 * Return: 0, -ERANGE, -EFAULT or -ENOMEM; as rs_large_read() for large values.
 */
int rs_data_read(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		 u32 length, void __user *buffer, u32 *done)
{
	u64 size = rs_object_data_len(obj);
	int err = 0;
	bool sealed;

	if (offset > size)
		return -ERANGE;
	offset = array_index_nospec(offset, size + 1);
	length = min_t(u64, length, size - offset);
	if (unlikely(rs_object_large(obj))) {
		err = rs_large_read(heap, obj, offset, length, buffer);
		goto out;
	}
	/* Pairs with the release in rs_data_seal() */
	sealed = smp_load_acquire(&obj->flags) & RS_SEALED_DATA;
	if (length && sealed) {
		if (copy_to_user(buffer, rs_object_data(obj) + offset, length))
			err = -EFAULT;
	} else if (length) {
		err = rs_data_copy_out(heap, obj, offset, length, buffer);
	}
out:
	if (!err)
		*done = length;
	return err;
}

/**
 * rs_data_write - write data
 * @heap: the heap
 * @obj: the object, on which the caller has a reference
 * @offset: first byte
 * @length: number of bytes
 * @buffer: where they come from
 *
 * Return: 0, -ERANGE, -EPERM, -EFAULT or -ENOMEM; as rs_large_write() for large
 * values.
 */
int rs_data_write(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		  u32 length, const void __user *buffer)
{
	u64 size = rs_object_data_len(obj);
	struct rs_bounce bounce;
	int err;

	if (offset > size || length > size - offset)
		return -ERANGE;
	offset = array_index_nospec(offset, size + 1);
	if (unlikely(rs_object_large(obj)))
		return rs_large_write(heap, obj, offset, length, buffer);
	err = rs_bounce_init(&bounce, length);
	if (err)
		return err;
	if (copy_from_user(bounce.data, buffer, length)) {
		rs_bounce_free(&bounce);
		return -EFAULT;
	}
	spin_lock(rs_slot_lock(heap, obj));
	if (obj->flags & RS_SEALED_DATA)
		err = -EPERM;
	else if (length)
		memcpy(rs_object_data(obj) + offset, bounce.data, length);
	spin_unlock(rs_slot_lock(heap, obj));
	rs_bounce_free(&bounce);
	return err;
}

/* Seals for good; of large values, if they let it be: rs_large_may_seal(). */
int rs_data_seal(struct rs_heap *heap, struct rs_object *obj, u32 seals)
{
	int err = 0;

	if (unlikely(rs_object_large(obj)) && seals & RS_SEALED_DATA)
		err = rs_large_may_seal(heap, obj);
	if (err)
		return err;
	spin_lock(rs_slot_lock(heap, obj));
	/* What was written before is seen: pairs with rs_data_read() */
	smp_store_release(&obj->flags, obj->flags | seals);
	spin_unlock(rs_slot_lock(heap, obj));
	return 0;
}
