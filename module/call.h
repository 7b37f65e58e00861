/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call: how operations find their operands and hand out their results.
 *
 * An operation runs under its session's lock. What its handles name stays as
 * long as that is held. A handle that it makes is reserved, and installed only
 * after the answer was copied out; if that fails it is taken back.
 */
#ifndef RS_CALL_H
#define RS_CALL_H

#include <linux/nospec.h>
#include <linux/sched/signal.h>

#include "session.h"
#include "trigger.h"

#define RS_BATCH_CHUNK	64	/* operations between two copies */
#define RS_MAX_BATCH	BIT(16)
#define RS_RESULT_BIT	BIT_ULL(63)

/**
 * struct rs_result - a handle that is not installed yet
 * @handle: reserved in the session; 0 for none
 * @ref: what it will name, counted or weak; ours until it is installed. Bit 1
 *       says that it shall be immortal then
 */
struct rs_result {
	u64 handle;
	struct rs_object *ref;
};

#define RS_IMMORTAL_TAG	2UL

static inline struct rs_object *rs_immortal_tag(struct rs_object *obj)
{
	return (struct rs_object *)((unsigned long)obj | RS_IMMORTAL_TAG);
}

static inline struct rs_object *rs_immortal_untag(struct rs_object *ref)
{
	return (struct rs_object *)((unsigned long)ref & ~RS_IMMORTAL_TAG);
}

/**
 * struct rs_call - operations that run under one hold of the session's lock
 * @session: the session
 * @heap: its heap
 * @results: of the operations of this chunk
 * @earlier: handles of the operations before this chunk; NULL if there are none
 * @base: number of the chunk's first operation
 * @pos: which operation of the chunk runs
 * @file: of commands that return a descriptor: to be installed as @fd
 * @fd: reserved descriptor
 */
struct rs_call {
	struct rs_session *session;
	struct rs_heap *heap;
	struct rs_result *results;
	const u64 *earlier;
	u32 base;
	u32 pos;
	struct file *file;
	int fd;
};

/**
 * struct rs_command - how a command is run
 * @run: does it; @body is the command's struct, in kernel memory
 * @size: of the struct
 * @min_size: of its first version
 * @flags: those that the command knows
 * @rights: that the session needs
 * @reserved: offset of a __u32 that must be zero; 0 if there is none
 * @out: bits of the words of the struct that have an answer in them
 * @batch: it may be part of a batch, and runs under the session's lock
 * @locked: it is no part of a batch, and runs under the session's lock all the same
 * @probe: it cannot be undone when the answer cannot be copied out, so that is
 *         tried first
 * @exported: it works on the descriptor of an exported object, too
 */
struct rs_command {
	int (*run)(struct rs_call *call, void *body);
	u16 size;
	u16 min_size;
	u32 flags;
	u32 rights;
	u16 reserved;
	u16 out;
	bool batch;
	bool locked;
	bool probe;
	bool exported;
};

#define RS_NR_COMMANDS	(REFSTORE_CMD_CAS_MANY - REFSTORE_CMD_QUERY + 1)

extern const struct rs_command rs_commands[RS_NR_COMMANDS];

/* The command of a number; false if there is none. */
static inline bool rs_command_find(u32 number,
				   const struct rs_command **command)
{
	u32 i = number - REFSTORE_CMD_QUERY;

	if (i >= RS_NR_COMMANDS)
		return false;
	*command = &rs_commands[array_index_nospec(i, RS_NR_COMMANDS)];
	/* Else it is worked out from the index again, for each of its fields */
	OPTIMIZER_HIDE_VAR(*command);
	return true;
}

int rs_call_failed(struct rs_call *call, int err);

/*
 * Those that run under the session's lock look at its rights under it, so that
 * REFSTORE_RESTRICT can be sure of them.
 */
static inline int rs_command_run(const struct rs_command *command,
				 struct rs_call *call, void *body)
{
	int err = rs_session_may(call->session, command->rights);

	if (likely(!err))
		err = command->run(call, body);
	return likely(!err) ? 0 : rs_call_failed(call, err);
}

/* What every command asks of its struct; 0 or -EINVAL. */
static inline int rs_command_check(const struct rs_command *command,
				   const void *body)
{
	const u32 *words = body;	/* size, flags, and the rest */
	u32 reserved = command->reserved / sizeof(u32);

	if (words[1] & ~command->flags)
		return -EINVAL;
	return reserved && words[reserved] ? -EINVAL : 0;
}

/* Whether a call that does much in chunks goes on after one of them. */
static inline bool rs_call_goes_on(u32 done, u32 count)
{
	cond_resched();
	return done < count && !signal_pending(current);
}

int rs_call_object(struct rs_call *call, u64 handle, struct rs_object **obj);
int rs_call_object_or_null(struct rs_call *call, u64 handle,
			   struct rs_object **obj);
int rs_call_any(struct rs_call *call, u64 handle, struct rs_object **ref);
int rs_call_weak(struct rs_call *call, u64 handle, struct rs_weak **weak);
int rs_call_result(struct rs_call *call, struct rs_object *ref, u64 *handle);
struct rs_object *rs_call_take_earlier(struct rs_call *call, u64 n);
void rs_call_install(struct rs_call *call, u32 count);
void rs_call_cancel(struct rs_call *call, u32 count);

/**
 * rs_call_take - take a reference out of its handle
 * @call: the call
 * @handle: one that is installed, or REFSTORE_RESULT()
 *
 * Return: the reference, counted or weak, which is the caller's now; NULL if the
 * handle names none.
 */
static inline struct rs_object *rs_call_take(struct rs_call *call, u64 handle)
{
	if (unlikely(handle & RS_RESULT_BIT))
		return rs_call_take_earlier(call, handle & ~RS_RESULT_BIT);
	return rs_handle_take(&call->session->handles, handle);
}

void rs_result_install_special(struct rs_call *call,
			       const struct rs_result *result);

/* The answer is out: what an operation made gets its handle. */
static inline void rs_result_install(struct rs_call *call,
				     const struct rs_result *result)
{
	if (!result->ref)
		return;
	if (unlikely((unsigned long)result->ref &
		     (RS_WEAK_TAG | RS_IMMORTAL_TAG)))
		rs_result_install_special(call, result);
	else
		rs_handle_install(&call->session->handles, result->handle,
				  result->ref);
}

int rs_batch(struct rs_call *call, void *body);
int rs_read_slots(struct rs_call *call, void *body);
int rs_write_slots(struct rs_call *call, void *body);
int rs_cas_many(struct rs_call *call, void *body);
int rs_create_many(struct rs_call *call, void *body);
int rs_release_many(struct rs_call *call, void *body);
int rs_walk(struct rs_call *call, void *body);
int rs_tune(struct rs_call *call, void *body);
int rs_generation_query(struct rs_call *call, void *body);
int rs_freeze(struct rs_call *call, void *body);
int rs_drop_saved(struct rs_call *call, void *body);
int rs_session_new(struct rs_call *call, void *body);
int rs_restrict(struct rs_call *call, void *body);
int rs_export(struct rs_call *call, void *body);
int rs_import(struct rs_call *call, void *body);
int rs_open_export(struct rs_call *call, void *body);
int rs_limit(struct rs_call *call, void *body);
int rs_label(struct rs_call *call, void *body);

#endif /* RS_CALL_H */
