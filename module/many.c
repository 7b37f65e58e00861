// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many slots, or many objects, in one call.
 *
 * Such a call goes in chunks, under the session's lock as other operations do,
 * and ends early, with what it has done, for an error or a signal. Each slot and
 * each object is as atomic as one by itself, the chunk is not, but that of slots
 * which are read: userspace relies on it. Of objects that are made or released
 * together, memory comes and goes in bulk, and the table's lock is taken for all
 * of a chunk.
 */
#include <linux/uaccess.h>

#include "call.h"
#include "compat.h"
#include "data.h"
#include "reclaim.h"
#include "slot.h"
#include "trace.h"

#define RS_MANY_BYTES	(256U << 10)	/* memory of a chunk of objects */

static void rs_slots_unread(struct rs_call *call, u32 reserved, u32 count)
{
	const struct rs_scratch *scratch = &call->session->scratch;
	u32 i;

	for (i = 0; i < reserved; i++)
		if (scratch->handles[i])
			rs_handle_cancel(&call->session->handles,
					 scratch->handles[i]);
	for (i = 0; i < count; i++)
		if (scratch->objs[i])
			rs_put(call->heap, scratch->objs[i]);
}

/* Reserves a handle for each of @count values that were read; 0 for none. */
static int rs_slots_reserve(struct rs_call *call, u32 count, u32 *reserved)
{
	struct rs_scratch *scratch = &call->session->scratch;
	int err = 0;
	u32 i;

	for (i = 0; i < count && !err; i++) {
		scratch->handles[i] = 0;
		if (scratch->objs[i])
			err = rs_handle_reserve(&call->session->handles,
						&scratch->handles[i]);
	}
	*reserved = i;
	return err;
}

/* Hands @count values that were read to the user. */
static int rs_slots_copy_out(struct rs_call *call, u64 __user *to, u32 count)
{
	const struct rs_scratch *scratch = &call->session->scratch;
	u32 i, reserved;
	int err = rs_slots_reserve(call, count, &reserved);

	if (!err && copy_to_user(to, scratch->handles, count * sizeof(u64)))
		err = -EFAULT;
	if (err) {
		rs_slots_unread(call, reserved, count);
		return err;
	}
	for (i = 0; i < count; i++)
		if (scratch->objs[i])
			rs_handle_install(&call->session->handles,
					  scratch->handles[i],
					  scratch->objs[i]);
	return 0;
}

static int rs_slots_read_chunk(struct rs_call *call, struct rs_object *obj,
			       const struct refstore_slots *slots)
{
	u64 __user *to = u64_to_user_ptr(slots->handles);
	u32 count = min_t(u32, slots->count - slots->done, RS_SLOT_CHUNK);
	int n, err;

	n = rs_slots_read(call->heap, obj, slots->first + slots->done, count,
			  call->session->scratch.objs);
	if (n < 0)
		return n;
	err = rs_slots_copy_out(call, to + slots->done, n);
	return err ? err : n;
}

/* The same for REFSTORE_SLOT_PEEK. */
static int rs_slots_peek_chunk(struct rs_call *call, struct rs_object *obj,
			       const struct refstore_slots *slots)
{
	u64 __user *to = u64_to_user_ptr(slots->handles);
	u32 count = min_t(u32, slots->count - slots->done, RS_SLOT_CHUNK);
	u64 *ids = call->session->scratch.handles;
	int err;

	err = rs_slots_ids(call->heap, obj, slots->first + slots->done, count,
			   ids);
	if (!err && copy_to_user(to + slots->done, ids, count * sizeof(u64)))
		err = -EFAULT;
	return err ? err : count;
}

static int rs_slots_write_chunk(struct rs_call *call, struct rs_object *obj,
				const struct refstore_slots *slots)
{
	const u64 __user *from = u64_to_user_ptr(slots->handles);
	u32 count = min_t(u32, slots->count - slots->done, RS_SLOT_CHUNK);
	u64 *handles = call->session->scratch.handles;
	struct rs_object *value;
	int err = 0;
	u32 i;

	if (copy_from_user(handles, from + slots->done, count * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < count; i++) {
		err = rs_call_object_or_null(call, handles[i], &value);
		if (!err)
			err = rs_slot_set(call->heap, obj,
					  slots->first + slots->done + i,
					  value);
		if (err)
			break;
	}
	return i ? i : err;
}

/* Many slots, in chunks; an error counts only before the first slot. */
static int rs_slots_run(struct rs_call *call, struct refstore_slots *slots,
			int (*chunk)(struct rs_call *call,
				     struct rs_object *obj,
				     const struct refstore_slots *slots))
{
	struct rs_object *obj;
	int n, err = rs_call_object(call, slots->object, &obj);

	if (!err && !slots->count)
		err = -EINVAL;
	if (!err)
		err = rs_slots_check(obj, slots->first, slots->count);
	if (err)
		return err;
	slots->done = 0;
	do {
		n = chunk(call, obj, slots);
		if (n <= 0)
			return slots->done ? 0 : n;
		slots->done += n;
	} while (rs_call_goes_on(slots->done, slots->count));
	return 0;
}

/* REFSTORE_READ_SLOTS */
int rs_read_slots(struct rs_call *call, void *body)
{
	const struct refstore_slots *slots = body;

	return rs_slots_run(call, body, slots->flags & REFSTORE_SLOT_PEEK ?
			    rs_slots_peek_chunk : rs_slots_read_chunk);
}

/* REFSTORE_WRITE_SLOTS */
int rs_write_slots(struct rs_call *call, void *body)
{
	return rs_slots_run(call, body, rs_slots_write_chunk);
}

/* As many of @nr handles as there are to be had; at least one, or an error. */
static int rs_many_reserve(struct rs_handles *table, u64 *handles, u32 nr)
{
	int err = 0;
	u32 i;

	for (i = 0; i < nr && !err; i++)
		err = rs_handle_reserve(table, &handles[i]);
	if (err)
		i--;
	return i ? i : err;
}

/* Lets the handles of what was published name it, and takes back the others. */
static void rs_many_install(struct rs_call *call, u32 made, u32 reserved)
{
	const struct rs_scratch *scratch = &call->session->scratch;
	struct rs_handles *table = &call->session->handles;
	u32 i;

	for (i = 0; i < made; i++) {
		trace_refstore_create(call->heap, scratch->objs[i]);
		rs_handle_install(table, scratch->handles[i],
				  scratch->objs[i]);
	}
	for (; i < reserved; i++)
		rs_handle_cancel(table, scratch->handles[i]);
}

/*
 * Publishes @nr objects under handles that go to @to before; returns how many, the
 * first ones, or an error if none.
 */
static int rs_many_publish(struct rs_call *call, u64 __user *to, u32 nr)
{
	struct rs_scratch *scratch = &call->session->scratch;
	int err, reserved;
	u32 made = 0;

	reserved = rs_many_reserve(&call->session->handles, scratch->handles,
				   nr);
	if (reserved < 0)
		return reserved;
	err = copy_to_user(to, scratch->handles, reserved * sizeof(u64)) ?
	      -EFAULT : 0;
	if (!err)
		err = rs_heap_insert_many(call->heap, scratch->objs, reserved,
					  &made);
	rs_many_install(call, made, reserved);
	return made ? made : err;
}

/* Objects of a chunk: no more memory at a time than one alone may take. */
static u32 rs_many_chunk(const struct rs_spec *spec, u32 left)
{
	size_t bytes = sizeof(struct rs_slotted) + spec->data_len +
		       spec->nr_slots * sizeof(long);

	return min_t(u32, left, clamp_t(size_t, RS_MANY_BYTES / bytes, 1,
					RS_SLOT_CHUNK));
}

/* Makes a chunk of objects; returns how many, or an error if none. */
static int rs_many_create(struct rs_call *call, const struct rs_spec *spec,
			  const struct refstore_create_many *many)
{
	const void __user *data = u64_to_user_ptr(many->data);
	u64 __user *to = u64_to_user_ptr(many->handles);
	u32 nr = rs_many_chunk(spec, many->count - many->done);
	struct rs_object **objs = call->session->scratch.objs;
	int made, err;

	if (data)
		data += (u64)many->done * many->data_len;
	err = rs_objects_create(spec, data, objs, nr);
	if (err)
		return err;
	made = rs_many_publish(call, to + many->done, nr);
	err = made;
	made = max(made, 0);
	rs_objects_free(objs + made, nr - made);
	return err;
}

static int rs_many_check(u32 count)
{
	if (count > RS_MAX_BATCH)
		return -E2BIG;
	return count ? 0 : -EINVAL;
}

/* REFSTORE_CREATE_MANY */
int rs_create_many(struct rs_call *call, void *body)
{
	struct refstore_create_many *many = body;
	struct rs_spec spec = {
		.heap = call->heap,
		.type = many->type,
		.nr_slots = many->nr_slots,
		.data_len = many->data_len,
		.slotted = many->nr_slots ||
			   many->flags & REFSTORE_CREATE_SLOTTED,
		.seals = many->flags & (RS_SEALED_DATA | RS_SEALED_SLOTS),
	};
	int n = rs_many_check(many->count);

	if (!n)
		n = rs_spec_check(&spec);
	if (n)
		return n;
	many->done = 0;
	do {
		n = rs_many_create(call, &spec, many);
		if (n <= 0)
			return many->done ? 0 : n;
		many->done += n;
	} while (rs_call_goes_on(many->done, many->count));
	return 0;
}

/* Releases some handles; returns how many, or an error if none. */
static int rs_many_drop(struct rs_call *call, const u64 *handles, u32 nr)
{
	struct rs_object **objs = call->session->scratch.objs;
	struct rs_object *ref;
	u32 i, counted = 0;

	for (i = 0; i < nr; i++) {
		if (!handles[i])
			continue;
		ref = rs_call_take(call, handles[i]);
		if (!ref)
			break;
		if (likely(!rs_is_weak(ref))) {
			objs[counted++] = ref;
			continue;
		}
		/* In order: a notice is for what was released before */
		rs_put_many(call->heap, objs, counted);
		counted = 0;
		rs_handle_drop(call->heap, ref);
	}
	rs_put_many(call->heap, objs, counted);
	return i ? i : -EBADF;
}

static int rs_many_release(struct rs_call *call,
			   const struct refstore_release_many *many)
{
	const u64 __user *from = u64_to_user_ptr(many->handles);
	u32 nr = min_t(u32, many->count - many->done, RS_SLOT_CHUNK);
	u64 *handles = call->session->scratch.handles;

	if (copy_from_user(handles, from + many->done, nr * sizeof(u64)))
		return -EFAULT;
	return rs_many_drop(call, handles, nr);
}

/* REFSTORE_RELEASE_MANY */
int rs_release_many(struct rs_call *call, void *body)
{
	struct refstore_release_many *many = body;
	int n = rs_many_check(many->count);

	if (n)
		return n;
	many->done = 0;
	do {
		n = rs_many_release(call, many);
		if (n <= 0)
			return many->done ? 0 : n;
		many->done += n;
	} while (rs_call_goes_on(many->done, many->count));
	return 0;
}
