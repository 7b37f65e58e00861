// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call: how operations find their operands and hand out their results.
 */
#include "call.h"
#include "reclaim.h"

/*
 * What the user is told of an error. Where there is no memory, garbage may be
 * what fills it.
 */
int rs_call_failed(struct rs_call *call, int err)
{
	u32 limit = rs_refused_by(err);

	if (limit)
		WRITE_ONCE(call->session->refused_by, limit);
	if (err == -ENOMEM)
		rs_trigger_press(call->heap);
	return rs_errno(err);
}

/* What an operation before this one made: in this chunk, or by its handle. */
static struct rs_object *rs_call_earlier(struct rs_call *call, u64 n)
{
	if (n >= (u64)call->base + call->pos)
		return NULL;
	if (n >= call->base) {
		n = array_index_nospec(n - call->base, call->pos);
		return rs_immortal_untag(call->results[n].ref);
	}
	n = array_index_nospec(n, call->base);
	return rs_handle_lookup(&call->session->handles, call->earlier[n]);
}

/* What an operand stands for, counted or weak; 0 or -EBADF. */
int rs_call_any(struct rs_call *call, u64 handle, struct rs_object **ref)
{
	lockdep_assert_held(&call->session->lock);
	if (unlikely(handle & RS_RESULT_BIT))
		*ref = rs_call_earlier(call, handle & ~RS_RESULT_BIT);
	else
		*ref = rs_handle_lookup(&call->session->handles, handle);
	return *ref ? 0 : -EBADF;
}

/**
 * rs_call_object - what an operand stands for, which must be counted
 * @call: the call
 * @handle: a handle, or REFSTORE_RESULT()
 * @obj: where the object goes; kept while the session's lock is held
 *
 * Return: 0 or -EBADF.
 */
int rs_call_object(struct rs_call *call, u64 handle, struct rs_object **obj)
{
	int err = rs_call_any(call, handle, obj);

	return unlikely(rs_is_weak(*obj)) ? -EBADF : err;
}

/* The same for one that must be weak. */
int rs_call_weak(struct rs_call *call, u64 handle, struct rs_weak **weak)
{
	struct rs_object *ref;
	int err = rs_call_any(call, handle, &ref);

	*weak = rs_weak_untag(ref);
	return rs_is_weak(ref) ? err : -EBADF;
}

/* The same; 0 stands for no object. */
int rs_call_object_or_null(struct rs_call *call, u64 handle,
			   struct rs_object **obj)
{
	*obj = NULL;
	return handle ? rs_call_object(call, handle, obj) : 0;
}

/**
 * rs_call_result - reserve a handle for what an operation made
 * @call: the call
 * @ref: the reference, counted or weak, or rs_immortal_tag() of a counted one; the
 *       caller's no more, in any case
 * @handle: where the handle goes
 *
 * Return: 0, a refusal, -ENOMEM or -EINTR.
 */
int rs_call_result(struct rs_call *call, struct rs_object *ref, u64 *handle)
{
	struct rs_result *result = &call->results[call->pos];
	int err = rs_handle_reserve(&call->session->handles, handle);

	if (err) {
		*handle = 0;
		rs_handle_drop(call->heap, rs_immortal_untag(ref));
		return err;
	}
	result->handle = *handle;
	result->ref = ref;
	return 0;
}

/* Takes back the handle of an operation's result, before it is installed. */
static struct rs_object *rs_call_revoke(struct rs_call *call,
					struct rs_result *result)
{
	struct rs_object *ref = rs_immortal_untag(result->ref);

	rs_handle_cancel(&call->session->handles, result->handle);
	result->ref = NULL;
	result->handle = 0;
	return ref;
}

/* rs_call_take() for REFSTORE_RESULT(n). */
struct rs_object *rs_call_take_earlier(struct rs_call *call, u64 n)
{
	struct rs_result *result;

	if (!rs_call_earlier(call, n))
		return NULL;
	if (n >= call->base) {
		n = array_index_nospec(n - call->base, call->pos);
		result = &call->results[n];
		/* As it would be, had its handle been there before */
		if ((unsigned long)result->ref & RS_IMMORTAL_TAG)
			rs_object_immortalize(call->heap,
					      rs_immortal_untag(result->ref));
		return rs_call_revoke(call, result);
	}
	n = array_index_nospec(n, call->base);
	return rs_handle_take(&call->session->handles, call->earlier[n]);
}

/* The same as rs_result_install(), for what is weak or shall be immortal. */
void rs_result_install_special(struct rs_call *call,
			       const struct rs_result *result)
{
	struct rs_object *ref = rs_immortal_untag(result->ref);

	rs_handle_install(&call->session->handles, result->handle, ref);
	if (rs_is_weak(ref))
		rs_weak_arm(call->heap, rs_weak_untag(ref));
	else
		rs_object_immortalize(call->heap, ref);
}

/* The answers of the chunk's first @count operations are out: now it counts. */
void rs_call_install(struct rs_call *call, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		rs_result_install(call, &call->results[i]);
}

/* They could not be copied out: takes back what they made. */
void rs_call_cancel(struct rs_call *call, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (call->results[i].ref)
			rs_handle_drop(call->heap,
				       rs_call_revoke(call,
						      &call->results[i]));
}
