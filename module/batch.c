// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches: an array of operations in one call.
 *
 * They run in chunks. Of each, the operations are copied in; then, under one
 * hold of the session's lock, they run, the answers are copied out, and the
 * handles that were made are installed: reserve, do all that can fail, publish
 * last.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "call.h"
#include "user.h"

/**
 * struct rs_batch - a batch that runs
 * @args: the user's struct
 * @handles: what the operations of earlier chunks made; NULL if there is one
 *           only
 * @results: what the operations of a chunk made; behind these, in the same memory
 * @answers: bits of the words of each that the user gets back; likewise
 * @ops: one chunk of operations
 *
 * All for as many operations as there are, or a chunk has: most batches have few, and
 * where kernels zero what they allocate, a whole chunk would cost more than these.
 */
struct rs_batch {
	struct refstore_batch *args;
	u64 *handles;
	struct rs_result *results;
	u16 *answers;
	struct refstore_op ops[];
};

#define RS_OP_WORDS	(sizeof(struct refstore_op) / sizeof(u64))
#define RS_OP_ERROR	BIT(offsetof(struct refstore_op, error) / sizeof(u64))
#define RS_OP_BODY	(offsetof(struct refstore_op, create) / sizeof(u64))

static int rs_ops_get(struct refstore_op *ops,
		      const struct refstore_op __user *from, u32 count)
{
	int err = 0;
	u32 i;

	if (!user_read_access_begin(from, count * sizeof(*from)))
		return -EFAULT;
	for (i = 0; i < count && !err; i++)
		err = rs_unsafe_get((u64 *)&ops[i],
				    (const u64 __user *)&from[i], RS_OP_WORDS);
	user_read_access_end();
	return err;
}

static int rs_ops_put(struct refstore_op __user *to,
		      const struct refstore_op *ops, const u16 *answers,
		      u32 count)
{
	int err = 0;
	u32 i;

	if (!user_write_access_begin(to, count * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < count && !err; i++)
		err = rs_unsafe_put((u64 __user *)&to[i],
				    (const u64 *)&ops[i], answers[i]);
	user_write_access_end();
	return err;
}

/* An operation's struct, as if it were as large as we know it. */
static int rs_op_check(const struct rs_command *command, struct refstore_op *op)
{
	u32 size = op->create.size;	/* the first field of each */
	void *body = &op->create;

	if (likely(size == command->size))
		return rs_command_check(command, body);
	if (size < command->min_size)
		return -EINVAL;
	if (size > sizeof(op->room))
		return -E2BIG;
	if (size > command->size &&
	    memchr_inv(body + command->size, 0, size - command->size))
		return -E2BIG;
	if (size < command->size)
		memset(body + size, 0, command->size - size);
	return rs_command_check(command, body);
}

static int rs_op_try(struct rs_call *call, const struct rs_command *command,
		     struct refstore_op *op)
{
	int err;

	if (!command->batch)
		return -EOPNOTSUPP;
	err = rs_op_check(command, op);
	return err ? err : rs_command_run(command, call, &op->create);
}

/* Runs an operation; returns in which of its words there is an answer. */
static u32 rs_op_run(struct rs_call *call, struct refstore_op *op)
{
	const struct rs_command *command;
	u32 words;

	if (unlikely(!rs_command_find(op->command, &command))) {
		op->error = -ENOTTY;
		return RS_OP_ERROR;
	}
	op->error = rs_op_try(call, command, op);
	if (op->error)
		return RS_OP_ERROR;
	/* No further than the user's struct goes */
	words = min_t(u32, op->create.size, command->size) / sizeof(u64);
	return RS_OP_ERROR |
	       (command->out & GENMASK(words - 1, 0)) << RS_OP_BODY;
}

/* Runs a chunk; returns how many operations were begun. */
static u32 rs_chunk_run(struct rs_call *call, struct rs_batch *batch, u32 count)
{
	bool go_on = batch->args->flags & REFSTORE_BATCH_CONTINUE;
	struct refstore_op *op;

	for (call->pos = 0; call->pos < count; call->pos++) {
		op = &batch->ops[call->pos];
		batch->results[call->pos].handle = 0;
		batch->results[call->pos].ref = NULL;
		batch->answers[call->pos] = rs_op_run(call, op);
		/* It changed nothing: the batch ends before it */
		if (unlikely(op->error == -EINTR))
			return call->pos;
		if (unlikely(op->error)) {
			batch->args->failed++;
			if (!go_on)
				return call->pos + 1;
		}
		/* What does much ends early then, and others rely on it */
		if (unlikely(signal_pending(current)))
			return call->pos + 1;
	}
	return count;
}

/* Copies the answers out and installs, or takes back, what they name. */
static int rs_chunk_finish(struct rs_call *call, struct rs_batch *batch,
			   u32 count)
{
	struct refstore_op __user *to = u64_to_user_ptr(batch->args->ops);
	u32 i;

	if (rs_ops_put(to + call->base, batch->ops, batch->answers, count)) {
		rs_call_cancel(call, count);
		return -EFAULT;
	}
	rs_call_install(call, count);
	for (i = 0; batch->handles && i < count; i++)
		batch->handles[call->base + i] = batch->results[i].handle;
	return 0;
}

static int rs_chunk(struct rs_call *call, struct rs_batch *batch, u32 count,
		    u32 *begun)
{
	struct refstore_batch *args = batch->args;
	struct refstore_op __user *from = u64_to_user_ptr(args->ops);
	int err;

	call->base = args->done;
	if (rs_ops_get(batch->ops, from + call->base, count))
		return -EFAULT;
	if (mutex_lock_interruptible(&call->session->lock))
		return -EINTR;
	*begun = rs_chunk_run(call, batch, count);
	err = rs_chunk_finish(call, batch, *begun);
	mutex_unlock(&call->session->lock);
	/* Then the chunk's effects are unknown to the user: say so */
	if (err)
		args->done = 0;
	if (!err && !*begun)
		err = -EINTR;
	return err;
}

static int rs_batch_run(struct rs_call *call, struct rs_batch *batch)
{
	struct refstore_batch *args = batch->args;
	u32 count, begun;
	int err;

	do {
		count = min_t(u32, args->nr_ops - args->done, RS_BATCH_CHUNK);
		err = rs_chunk(call, batch, count, &begun);
		if (err)
			return args->done ? 0 : err;
		args->done += begun;
	} while (begun == count && rs_call_goes_on(args->done, args->nr_ops) &&
		 (!args->failed || args->flags & REFSTORE_BATCH_CONTINUE));
	return 0;
}

static struct rs_batch *rs_batch_alloc(struct refstore_batch *args)
{
	u32 room = min_t(u32, args->nr_ops, RS_BATCH_CHUNK);
	struct rs_batch *batch;

	batch = kmalloc(struct_size(batch, ops, room) +
			room * (sizeof(*batch->results) +
				sizeof(*batch->answers)), RS_GFP);
	if (!batch)
		return NULL;
	batch->args = args;
	batch->handles = NULL;
	batch->results = (struct rs_result *)&batch->ops[room];
	batch->answers = (u16 *)&batch->results[room];
	if (args->nr_ops <= RS_BATCH_CHUNK)
		return batch;
	batch->handles = kvmalloc_array(args->nr_ops, sizeof(u64),
					RS_GFP);
	if (!batch->handles) {
		kfree(batch);
		return NULL;
	}
	return batch;
}

/* REFSTORE_BATCH */
int rs_batch(struct rs_call *call, void *body)
{
	struct refstore_batch *args = body;
	struct rs_batch *batch;
	int err;

	if (args->op_size != sizeof(struct refstore_op) || !args->nr_ops)
		return -EINVAL;
	if (args->nr_ops > RS_MAX_BATCH)
		return -E2BIG;
	batch = rs_batch_alloc(args);
	if (!batch)
		return -ENOMEM;
	args->done = 0;
	args->failed = 0;
	call->results = batch->results;
	call->earlier = batch->handles;
	err = rs_batch_run(call, batch);
	kvfree(batch->handles);
	kfree(batch);
	return err;
}
