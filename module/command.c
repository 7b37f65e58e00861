// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: what each does with its struct, and the table of them.
 *
 * Those that can be part of a batch run under the session's lock. A struct is
 * in kernel memory; its size, flags and reserved field were checked. What a
 * user gets to see of it is what a command writes to it.
 */
#include <linux/bits.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "call.h"
#include "data.h"
#include "large.h"
#include "limit.h"
#include "proc.h"
#include "reclaim.h"
#include "scan.h"
#include "slot.h"
#include "trace.h"

static_assert(RS_NR_COMMANDS <= 64);	/* bits of features */

static int rs_cmd_query(struct rs_call *call, void *body)
{
	struct refstore_query *query = body;

	query->version = REFSTORE_VERSION;
	query->max_types = RS_MAX_TYPES;
	query->features = GENMASK_ULL(RS_NR_COMMANDS - 1, 0);
	query->max_data = RS_MAX_DATA;
	query->max_slots = RS_MAX_SLOTS;
	query->max_batch = RS_MAX_BATCH;
	query->max_refs = RS_REF_MAX;
	query->max_objects = rs_heap_max(call->heap, RS_OBJECTS);
	query->max_bytes = rs_heap_max(call->heap, RS_BYTES);
	query->max_handles = rs_handles_max();
	query->heap = call->heap->number;
	query->session = call->session->number;
	query->rights = rs_session_rights(call->session);
	return 0;
}

/* Fills slots of a new object from an array of handles in user memory. */
static int rs_create_fill(struct rs_call *call, struct rs_object *obj,
			  const u64 __user *handles, u32 first, u32 count)
{
	u64 *chunk = call->session->scratch.handles;
	struct rs_object *value;
	int err = 0;
	u32 i;

	if (copy_from_user(chunk, handles + first, count * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < count && !err; i++) {
		err = rs_call_object_or_null(call, chunk[i], &value);
		if (!err && value)
			err = rs_ref_get(&value->ref);
		if (!err)
			rs_slots_fill(obj, first + i, value);
	}
	return err;
}

static int rs_create_slots(struct rs_call *call, struct rs_object *obj,
			   const struct refstore_create *create)
{
	const u64 __user *handles = u64_to_user_ptr(create->slots);
	u32 i, n;
	int err = 0;

	for (i = 0; i < create->nr_slots && !err; i += n) {
		n = min_t(u32, create->nr_slots - i, RS_SLOT_CHUNK);
		err = rs_create_fill(call, obj, handles, i, n);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* Undoes an object that is in no table yet. */
static void rs_create_undo(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_object *child;
	u32 n = 0;

	while (rs_slots_nr(obj)) {
		child = rs_slots_pop(rs_slotted(obj));
		if (child)
			rs_put(heap, child);
		if (++n % RS_SLICE == 0)
			cond_resched();
	}
	rs_object_free(obj);
}

/* Whether such an object can be interned; 0, -E2BIG or -EINVAL. */
static int rs_create_check_intern(struct rs_spec *spec)
{
	if (spec->slotted)
		return -EINVAL;
	spec->seals = RS_SEALED_DATA | RS_INTERNED;
	return spec->data_len > RS_MAX_INTERNED ? -E2BIG : 0;
}

/*
 * Publishes a new object; or drops it, if there is an equal one among the interned,
 * which *@obj is then.
 */
static int rs_create_publish(struct rs_heap *heap, struct rs_object **obj)
{
	struct rs_object *new = *obj;
	int err;

	if (new->flags & RS_INTERNED)
		err = rs_intern(heap, new, obj);
	else
		err = rs_heap_insert(heap, new);
	if (err || *obj != new)
		rs_create_undo(heap, new);
	else
		trace_refstore_create(heap, new);
	return err;
}

/* An object that shall be interned, or live for ever: not before it is told of. */
static noinline int rs_create_special(struct rs_call *call,
				      struct refstore_create *create,
				      struct rs_spec *spec)
{
	bool immortal = create->flags & REFSTORE_CREATE_IMMORTAL;
	bool intern = create->flags & REFSTORE_CREATE_INTERN;
	struct rs_object *obj;
	int err = 0;

	/* What stays for ever is as good as in the root */
	if (immortal)
		err = rs_session_may(call->session, REFSTORE_RIGHT_WRITE_SLOTS);
	if (!err && intern)
		err = rs_create_check_intern(spec);
	if (err)
		return err;
	obj = rs_object_create(spec, u64_to_user_ptr(create->data), &err);
	if (!obj)
		return err;
	if (create->slots)
		err = rs_create_slots(call, obj, create);
	if (err)
		rs_create_undo(call->heap, obj);
	else
		err = rs_create_publish(call->heap, &obj);
	if (err)
		return err;
	create->id = obj->id;
	if (immortal || (intern && rs_intern_lives_for_ever(obj)))
		obj = rs_immortal_tag(obj);
	return rs_call_result(call, obj, &create->result);
}

static int rs_cmd_create(struct rs_call *call, void *body)
{
	struct refstore_create *create = body;
	struct rs_spec spec = {
		.heap = call->heap,
		.type = create->type,
		.nr_slots = create->nr_slots,
		.data_len = create->data_len,
		.slotted = create->nr_slots ||
			   create->flags & REFSTORE_CREATE_SLOTTED,
		.seals = create->flags & (RS_SEALED_DATA | RS_SEALED_SLOTS),
	};
	struct rs_object *obj;
	int err = rs_spec_check(&spec);

	if (err)
		return err;
	if (unlikely(create->flags &
		     (REFSTORE_CREATE_INTERN | REFSTORE_CREATE_IMMORTAL)))
		return rs_create_special(call, create, &spec);
	obj = rs_object_create(&spec, u64_to_user_ptr(create->data), &err);
	if (!obj)
		return err;
	if (create->slots)
		err = rs_create_slots(call, obj, create);
	if (!err)
		err = rs_heap_insert(call->heap, obj);
	if (err) {
		rs_create_undo(call->heap, obj);
		return err;
	}
	create->id = obj->id;
	trace_refstore_create(call->heap, obj);
	return rs_call_result(call, obj, &create->result);
}

static int rs_cmd_dup(struct rs_call *call, void *body)
{
	struct refstore_dup *dup = body;
	struct rs_object *obj;
	int err = rs_call_object(call, dup->object, &obj);

	if (!err)
		err = rs_ref_get(&obj->ref);
	if (err)
		return err;
	return rs_call_result(call, obj, &dup->result);
}

static int rs_cmd_release(struct rs_call *call, void *body)
{
	struct refstore_release *release = body;
	struct rs_object *ref = rs_call_take(call, release->object);

	if (!ref)
		return -EBADF;
	rs_handle_drop(call->heap, ref);
	return 0;
}

static int rs_get_slot_peek(struct rs_call *call, struct rs_object *obj,
			    struct refstore_get_slot *get)
{
	u64 id;
	int err = rs_slots_ids(call->heap, obj, get->index, 1, &id);

	if (!err && get->flags & REFSTORE_SLOT_MATCH && get->id != id)
		err = -EAGAIN;
	if (err)
		return err;
	get->result = 0;
	get->id = id;
	return 0;
}

static int rs_get_slot_read(struct rs_call *call, struct rs_object *obj,
			    struct refstore_get_slot *get)
{
	struct rs_object *value;
	int err;

	if (get->flags & REFSTORE_SLOT_MATCH)
		err = rs_slot_read_id(call->heap, obj, get->index, get->id,
				      &value);
	else
		err = rs_slots_read(call->heap, obj, get->index, 1, &value);
	if (err < 0)
		return err;
	get->result = 0;
	get->id = value ? value->id : 0;
	return value ? rs_call_result(call, value, &get->result) : 0;
}

static int rs_cmd_get_slot(struct rs_call *call, void *body)
{
	struct refstore_get_slot *get = body;
	struct rs_object *obj;
	int err = rs_call_object(call, get->object, &obj);

	if (err)
		return err;
	return get->flags & REFSTORE_SLOT_PEEK ?
	       rs_get_slot_peek(call, obj, get) :
	       rs_get_slot_read(call, obj, get);
}

static int rs_cmd_set_slot(struct rs_call *call, void *body)
{
	struct refstore_set_slot *set = body;
	struct rs_object *obj, *value;
	int err = rs_call_object(call, set->object, &obj);

	if (!err)
		err = rs_call_object_or_null(call, set->value, &value);
	if (err)
		return err;
	return rs_slot_set(call->heap, obj, set->index, value);
}

static int rs_cmd_cas_slot(struct rs_call *call, void *body)
{
	struct refstore_cas_slot *cas = body;
	struct rs_object *obj, *value, *expected;
	int err = rs_call_object(call, cas->object, &obj);

	if (!err)
		err = rs_call_object_or_null(call, cas->value, &value);
	if (!err)
		err = rs_call_object_or_null(call, cas->expected, &expected);
	if (err)
		return err;
	return rs_slot_cas(call->heap, obj, cas->index, expected, value);
}

static int rs_cmd_copy_slots(struct rs_call *call, void *body)
{
	struct refstore_copy_slots *copy = body;
	struct rs_object *obj, *source;
	int err = rs_call_object(call, copy->object, &obj);

	if (!err)
		err = rs_call_object(call, copy->source, &source);
	if (err)
		return err;
	if (!copy->count)
		return -EINVAL;
	if (copy->count > REFSTORE_MAX_COPY)
		return -E2BIG;
	return rs_slots_transfer(call->heap, obj, copy->first, source,
				 copy->source_first, copy->count,
				 call->session->scratch.objs);
}

static int rs_cmd_resize_slots(struct rs_call *call, void *body)
{
	struct refstore_resize_slots *resize = body;
	struct rs_object *obj;
	int err = rs_call_object(call, resize->object, &obj);

	return err ? err : rs_slots_resize(call->heap, obj, resize->nr_slots);
}

static int rs_cmd_read(struct rs_call *call, void *body)
{
	struct refstore_data *data = body;
	struct rs_object *obj;
	int err = rs_call_object(call, data->object, &obj);

	if (err)
		return err;
	return rs_data_read(call->heap, obj, data->offset, data->length,
			    u64_to_user_ptr(data->buffer), &data->done);
}

static int rs_cmd_write(struct rs_call *call, void *body)
{
	struct refstore_data *data = body;
	struct rs_object *obj;
	int err = rs_call_object(call, data->object, &obj);

	if (!err)
		err = rs_data_write(call->heap, obj, data->offset,
				    data->length,
				    u64_to_user_ptr(data->buffer));
	if (!err)
		data->done = data->length;
	return err;
}

/* To seal something is to write it, for the last time. */
static u32 rs_seal_rights(u32 flags)
{
	return (flags & RS_SEALED_DATA ? REFSTORE_RIGHT_WRITE_DATA : 0) |
	       (flags & RS_SEALED_SLOTS ? REFSTORE_RIGHT_WRITE_SLOTS : 0);
}

static int rs_cmd_seal(struct rs_call *call, void *body)
{
	struct refstore_seal *seal = body;
	struct rs_object *obj;
	int err = rs_call_object(call, seal->object, &obj);

	if (!err && !seal->flags)
		err = -EINVAL;
	if (!err)
		err = rs_session_may(call->session,
				     rs_seal_rights(seal->flags));
	if (!err)
		err = rs_data_seal(call->heap, obj, seal->flags);
	return err;
}

static int rs_cmd_stat(struct rs_call *call, void *body)
{
	struct refstore_stat *stat = body;
	struct rs_object *obj;
	int err = rs_call_object(call, stat->object, &obj);

	if (err)
		return err;
	stat->id = obj->id;
	stat->type = obj->type;
	stat->state = rs_object_state(call->heap, obj);
	stat->nr_slots = rs_slots_nr(obj);
	stat->data_len = rs_object_data_len(obj);
	stat->refs = rs_ref_count(&obj->ref);
	stat->bytes = rs_object_bytes(obj);
	stat->inode = rs_object_large(obj) ? rs_large_inode(obj) : 0;
	return 0;
}

static int rs_cmd_get_root(struct rs_call *call, void *body)
{
	struct refstore_get_root *get = body;
	struct rs_object *root;
	int err;

	if (get->reserved)
		return -EINVAL;
	err = rs_root_get(call->heap, &root);
	if (err)
		return err;
	get->result = 0;
	return root ? rs_call_result(call, root, &get->result) : 0;
}

static int rs_cmd_set_root(struct rs_call *call, void *body)
{
	struct refstore_set_root *set = body;
	struct rs_object *value;
	int err = rs_call_object_or_null(call, set->value, &value);

	if (!err && set->expected)
		err = -EINVAL;
	return err ? err : rs_root_set(call->heap, value);
}

static int rs_cmd_cas_root(struct rs_call *call, void *body)
{
	struct refstore_set_root *set = body;
	struct rs_object *expected, *value;
	int err = rs_call_object_or_null(call, set->value, &value);

	if (!err)
		err = rs_call_object_or_null(call, set->expected, &expected);
	return err ? err : rs_root_cas(call->heap, expected, value);
}

static int rs_cmd_type_register(struct rs_call *call, void *body)
{
	struct refstore_type *type = body;

	return rs_type_register(call->heap, type->name, &type->type);
}

static int rs_cmd_type_name(struct rs_call *call, void *body)
{
	struct refstore_type *type = body;

	return rs_type_name(call->heap, type->type, type->name);
}

static int rs_cmd_collect(struct rs_call *call, void *body)
{
	struct refstore_collect *collect = body;
	struct rs_scan_figures figures;
	int err;

	if (collect->generation >= REFSTORE_GENERATIONS)
		return -EINVAL;
	err = rs_scan_collect(call->heap, collect->generation, &figures);
	/* To begin again for each signal of a timer would be without end */
	if (err == -EINTR)
		return -ERESTARTNOHAND;
	if (err)
		return err;
	collect->visited = figures.visited;
	collect->reclaimed = figures.reclaimed;
	collect->bytes = figures.bytes;
	collect->saved = figures.saved;
	collect->aborted = figures.aborted;
	collect->nanoseconds = figures.nanoseconds;
	collect->scans = figures.scans;
	return 0;
}

/* A weak reference to what a handle of either kind stands for. */
static struct rs_weak *rs_weak_from(struct rs_call *call, u64 handle)
{
	const struct rs_payer *payer = &call->session->payer;
	struct rs_object *ref;

	if (rs_call_any(call, handle, &ref))
		return ERR_PTR(-EBADF);
	if (!rs_is_weak(ref))
		return rs_weak_create(payer, call->heap, ref);
	return rs_weak_copy(payer, rs_weak_untag(ref), true);
}

static int rs_cmd_weak(struct rs_call *call, void *body)
{
	struct refstore_weak *args = body;
	struct rs_weak *weak;

	if (args->flags & REFSTORE_WEAK_NOTIFY &&
	    rs_session_notices_full(call->session))
		return rs_refusal(REFSTORE_LIMIT_SESSION_HANDLES);
	weak = rs_weak_from(call, args->object);
	if (IS_ERR(weak))
		return PTR_ERR(weak);
	if (args->flags & REFSTORE_WEAK_NOTIFY)
		rs_weak_watch(weak, &call->session->events, args->cookie);
	return rs_call_result(call, rs_weak_tag(weak), &args->result);
}

static int rs_cmd_upgrade(struct rs_call *call, void *body)
{
	struct refstore_upgrade *upgrade = body;
	struct rs_object *obj;
	struct rs_weak *weak;
	int err = rs_call_weak(call, upgrade->weak, &weak);

	if (!err)
		err = rs_weak_upgrade(call->heap, weak, &obj);
	if (err)
		return err;
	upgrade->result = 0;
	return obj ? rs_call_result(call, obj, &upgrade->result) : 0;
}

#define RS_COMMAND(name, struct_name, last, known_flags, in_batch)	\
	.run = name,							\
	.size = sizeof(struct struct_name),				\
	.min_size = offsetofend(struct struct_name, last),		\
	.flags = known_flags,						\
	.batch = in_batch

#define RS_RESERVED(struct_name)					\
	.reserved = offsetof(struct struct_name, reserved) +		\
		BUILD_BUG_ON_ZERO(sizeof_field(struct struct_name,	\
					       reserved) != sizeof(u32))

/* The word of a struct that a field of the answer is in; or all of them. */
#define RS_OUT(struct_name, field)					\
	BIT(offsetof(struct struct_name, field) / sizeof(u64))
#define RS_OUT_ALL(struct_name)						\
	GENMASK(sizeof(struct struct_name) / sizeof(u64) - 1, 0)

const struct rs_command rs_commands[RS_NR_COMMANDS] = {
	[REFSTORE_CMD_QUERY - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_query, refstore_query, session, 0, false),
		.exported = true,
		.out = RS_OUT_ALL(refstore_query),
	},
	[REFSTORE_CMD_CREATE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_create, refstore_create, id,
			   REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS |
			   REFSTORE_CREATE_SLOTTED | REFSTORE_CREATE_INTERN |
			   REFSTORE_CREATE_IMMORTAL, true),
		.rights = REFSTORE_RIGHT_CREATE,
		RS_RESERVED(refstore_create),
		.out = RS_OUT(refstore_create, result) |
		       RS_OUT(refstore_create, id),
	},
	[REFSTORE_CMD_DUP - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_dup, refstore_dup, result, 0, true),
		.out = RS_OUT(refstore_dup, result),
	},
	[REFSTORE_CMD_RELEASE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_release, refstore_release, object, 0, true),
	},
	[REFSTORE_CMD_GET_SLOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_get_slot, refstore_get_slot, reserved,
			   REFSTORE_SLOT_PEEK | REFSTORE_SLOT_MATCH, true),
		RS_RESERVED(refstore_get_slot),
		.out = RS_OUT(refstore_get_slot, result) |
		       RS_OUT(refstore_get_slot, id),
	},
	[REFSTORE_CMD_SET_SLOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_set_slot, refstore_set_slot, reserved, 0,
			   true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_set_slot),
	},
	[REFSTORE_CMD_CAS_SLOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_cas_slot, refstore_cas_slot, reserved, 0,
			   true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_cas_slot),
	},
	[REFSTORE_CMD_READ_SLOTS - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_read_slots, refstore_slots, reserved,
			   REFSTORE_SLOT_PEEK, true),
		RS_RESERVED(refstore_slots),
		.probe = true,
		.out = RS_OUT_ALL(refstore_slots),
	},
	[REFSTORE_CMD_WRITE_SLOTS - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_write_slots, refstore_slots, reserved, 0,
			   true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_slots),
		.probe = true,
		.out = RS_OUT_ALL(refstore_slots),
	},
	[REFSTORE_CMD_RESIZE_SLOTS - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_resize_slots, refstore_resize_slots,
			   reserved, 0, true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_resize_slots),
	},
	[REFSTORE_CMD_READ - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_read, refstore_data, done, 0, true),
		.probe = true,
		.out = RS_OUT_ALL(refstore_data),
	},
	[REFSTORE_CMD_WRITE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_write, refstore_data, done, 0, true),
		.rights = REFSTORE_RIGHT_WRITE_DATA,
		.probe = true,
		.out = RS_OUT_ALL(refstore_data),
	},
	[REFSTORE_CMD_SEAL - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_seal, refstore_seal, object,
			   REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS, true),
	},
	[REFSTORE_CMD_STAT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_stat, refstore_stat, inode, 0, true),
		.out = RS_OUT_ALL(refstore_stat),
	},
	[REFSTORE_CMD_GET_ROOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_get_root, refstore_get_root, result, 0,
			   true),
		.out = RS_OUT(refstore_get_root, result),
	},
	[REFSTORE_CMD_SET_ROOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_set_root, refstore_set_root, value, 0, true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
	},
	[REFSTORE_CMD_CAS_ROOT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_cas_root, refstore_set_root, value, 0, true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
	},
	[REFSTORE_CMD_SESSION_NEW - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_session_new, refstore_session_new, reserved,
			   REFSTORE_SESSION_CLONE, false),
		RS_RESERVED(refstore_session_new),
		.out = RS_OUT_ALL(refstore_session_new),
	},
	[REFSTORE_CMD_TYPE_REGISTER - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_type_register, refstore_type, name, 0,
			   false),
		.rights = REFSTORE_RIGHT_CREATE,
		RS_RESERVED(refstore_type),
		.probe = true,
		.out = RS_OUT_ALL(refstore_type),
	},
	[REFSTORE_CMD_COLLECT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_collect, refstore_collect, scans, 0, false),
		.rights = REFSTORE_RIGHT_COLLECT,
		RS_RESERVED(refstore_collect),
		.out = RS_OUT_ALL(refstore_collect),
	},
	[REFSTORE_CMD_WALK - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_walk, refstore_walk, end, REFSTORE_WALK_MINT,
			   false),
		.rights = REFSTORE_RIGHT_ENUMERATE,
		.probe = true,
		.out = RS_OUT_ALL(refstore_walk),
	},
	[REFSTORE_CMD_BATCH - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_batch, refstore_batch, failed,
			   REFSTORE_BATCH_CONTINUE, false),
		.probe = true,
		.out = RS_OUT_ALL(refstore_batch),
	},
	[REFSTORE_CMD_TYPE_NAME - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_type_name, refstore_type, name, 0, false),
		RS_RESERVED(refstore_type),
		.out = RS_OUT_ALL(refstore_type),
	},
	[REFSTORE_CMD_WEAK - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_weak, refstore_weak, result,
			   REFSTORE_WEAK_NOTIFY, true),
		/* The object keeps its block */
		.probe = true,
		.out = RS_OUT(refstore_weak, result),
	},
	[REFSTORE_CMD_UPGRADE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_upgrade, refstore_upgrade, result, 0, true),
		.out = RS_OUT(refstore_upgrade, result),
	},
	[REFSTORE_CMD_TUNE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_tune, refstore_tune, delay,
			   REFSTORE_TUNE_AUTOMATIC | REFSTORE_TUNE_SAVE |
			   REFSTORE_TUNE_EVENTS | REFSTORE_TUNE_THRESHOLD |
			   REFSTORE_TUNE_DELAY, false),
		RS_RESERVED(refstore_tune),
		.probe = true,
		.out = RS_OUT_ALL(refstore_tune),
	},
	[REFSTORE_CMD_GENERATION - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_generation_query, refstore_generation, saturated,
			   0, false),
		RS_RESERVED(refstore_generation),
		.out = RS_OUT_ALL(refstore_generation),
	},
	[REFSTORE_CMD_FREEZE - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_freeze, refstore_freeze, frozen,
			   REFSTORE_FREEZE_ALL | REFSTORE_FREEZE_NONE, false),
		.probe = true,
		.out = RS_OUT_ALL(refstore_freeze),
	},
	[REFSTORE_CMD_DROP_SAVED - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_drop_saved, refstore_drop_saved, dropped, 0,
			   false),
		.rights = REFSTORE_RIGHT_COLLECT,
		.probe = true,
		.out = RS_OUT_ALL(refstore_drop_saved),
	},
	[REFSTORE_CMD_CREATE_MANY - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_create_many, refstore_create_many, reserved,
			   REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS |
			   REFSTORE_CREATE_SLOTTED, true),
		.rights = REFSTORE_RIGHT_CREATE,
		RS_RESERVED(refstore_create_many),
		.probe = true,
		.out = RS_OUT_ALL(refstore_create_many),
	},
	[REFSTORE_CMD_RELEASE_MANY - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_release_many, refstore_release_many, done, 0,
			   true),
		.probe = true,
		.out = RS_OUT_ALL(refstore_release_many),
	},
	[REFSTORE_CMD_RESTRICT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_restrict, refstore_restrict, rights, 0, false),
	},
	[REFSTORE_CMD_EXPORT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_export, refstore_export, reserved, 0, false),
		RS_RESERVED(refstore_export),
		.out = RS_OUT_ALL(refstore_export),
	},
	[REFSTORE_CMD_IMPORT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_import, refstore_import, result, 0, true),
		RS_RESERVED(refstore_import),
		.out = RS_OUT(refstore_import, result),
	},
	[REFSTORE_CMD_OPEN_EXPORT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_open_export, refstore_open_export, reserved, 0,
			   false),
		RS_RESERVED(refstore_open_export),
		.exported = true,
		.out = RS_OUT_ALL(refstore_open_export),
	},
	[REFSTORE_CMD_LIMIT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_limit, refstore_limit, max, 0, false),
		.exported = true,
		.out = RS_OUT_ALL(refstore_limit),
	},
	[REFSTORE_CMD_LABEL - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_label, refstore_label, label, 0, true),
		RS_RESERVED(refstore_label),
	},
	[REFSTORE_CMD_ADOPT - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_adopt, refstore_adopt, id, 0, false),
		.locked = true,
		.rights = REFSTORE_RIGHT_CREATE,
		.out = RS_OUT(refstore_adopt, result) |
		       RS_OUT(refstore_adopt, id),
	},
	[REFSTORE_CMD_MAP - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_map, refstore_map, reserved, REFSTORE_MAP_WRITE,
			   false),
		RS_RESERVED(refstore_map),
		.out = RS_OUT_ALL(refstore_map),
	},
	[REFSTORE_CMD_COPY_SLOTS - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cmd_copy_slots, refstore_copy_slots, reserved, 0,
			   true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_copy_slots),
	},
	[REFSTORE_CMD_CAS_MANY - REFSTORE_CMD_QUERY] = {
		RS_COMMAND(rs_cas_many, refstore_cas_many, reserved, 0, true),
		.rights = REFSTORE_RIGHT_WRITE_SLOTS,
		RS_RESERVED(refstore_cas_many),
	},
};
