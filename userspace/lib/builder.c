// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Batches of any length.
 *
 * The kernel takes a limited number of operations at once, and a signal may end
 * a batch early. So the operations go to it in parts, and an operation that
 * uses the result of an earlier one may find it in an earlier part: then the
 * handle itself takes the place of REFSTORE_RESULT(n). In the same part, n must
 * count from the part's beginning.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "label.h"
#include "session.h"

/* Names no result: an operand for which there is no handle ends in EBADF. */
#define NO_RESULT REFSTORE_RESULT(~0ULL)

#define FIRST_ROOM 64

/**
 * struct refstore_builder - a batch being put together, or done
 * @ops: the operations; a pointer to handles to be read is, until the batch is
 *       submitted, 1 plus their place in @handles, which may yet move
 * @nr_ops: number of operations
 * @room: number of operations that @ops has room for
 * @handles: copies of all arrays of handles, one after the other
 * @nr_handles: number of handles in there
 * @handles_room: number of handles that there is room for
 * @done: number of operations that the kernel began
 * @error: the first error in adding an operation
 * @submitted: nothing can be added any more
 */
struct refstore_builder {
	struct refstore_op *ops;
	size_t nr_ops;
	size_t room;
	uint64_t *handles;
	size_t nr_handles;
	size_t handles_room;
	size_t done;
	int error;
	bool submitted;
};

/*
 * Where the operations have handles: offsets in struct refstore_op, 0 for none.
 */
struct shape {
	uint8_t operands[3];
	uint8_t result;
	uint8_t array;
	uint8_t array_count;
	uint8_t array_words;
};

#define AT(field) offsetof(struct refstore_op, field)

static const struct shape shapes[] = {
	[REFSTORE_CMD_CREATE] = {
		.result = AT(create.result),
		.array = AT(create.slots),
		.array_count = AT(create.nr_slots),
	},
	[REFSTORE_CMD_DUP] = {
		.operands = { AT(dup.object) },
		.result = AT(dup.result),
	},
	[REFSTORE_CMD_RELEASE] = { .operands = { AT(release.object) } },
	[REFSTORE_CMD_GET_SLOT] = {
		.operands = { AT(get_slot.object) },
		.result = AT(get_slot.result),
	},
	[REFSTORE_CMD_SET_SLOT] = {
		.operands = { AT(set_slot.object), AT(set_slot.value) },
	},
	[REFSTORE_CMD_CAS_SLOT] = {
		.operands = { AT(cas_slot.object), AT(cas_slot.value),
			      AT(cas_slot.expected) },
	},
	[REFSTORE_CMD_READ_SLOTS] = { .operands = { AT(slots.object) } },
	[REFSTORE_CMD_WRITE_SLOTS] = {
		.operands = { AT(slots.object) },
		.array = AT(slots.handles),
		.array_count = AT(slots.count),
	},
	[REFSTORE_CMD_RESIZE_SLOTS] = {
		.operands = { AT(resize_slots.object) },
	},
	[REFSTORE_CMD_READ] = { .operands = { AT(data.object) } },
	[REFSTORE_CMD_WRITE] = { .operands = { AT(data.object) } },
	[REFSTORE_CMD_SEAL] = { .operands = { AT(seal.object) } },
	[REFSTORE_CMD_STAT] = { .operands = { AT(stat.object) } },
	[REFSTORE_CMD_GET_ROOT] = { .result = AT(get_root.result) },
	[REFSTORE_CMD_SET_ROOT] = { .operands = { AT(set_root.value) } },
	[REFSTORE_CMD_CAS_ROOT] = {
		.operands = { AT(set_root.value), AT(set_root.expected) },
	},
	[REFSTORE_CMD_WEAK] = {
		.operands = { AT(weak.object) },
		.result = AT(weak.result),
	},
	[REFSTORE_CMD_UPGRADE] = {
		.operands = { AT(upgrade.weak) },
		.result = AT(upgrade.result),
	},
	[REFSTORE_CMD_CREATE_MANY] = { .result = 0 },
	[REFSTORE_CMD_RELEASE_MANY] = {
		.array = AT(release_many.handles),
		.array_count = AT(release_many.count),
	},
	[REFSTORE_CMD_IMPORT] = { .result = AT(import.result) },
	[REFSTORE_CMD_LABEL] = { .operands = { AT(label.object) } },
	[REFSTORE_CMD_CAS_MANY] = {
		.array = AT(cas_many.entries),
		.array_count = AT(cas_many.count),
		.array_words = sizeof(struct refstore_cas_entry) /
			       sizeof(__u64),
	},
	[REFSTORE_CMD_COPY_SLOTS] = {
		.operands = { AT(copy_slots.object), AT(copy_slots.source) },
	},
};

static inline const struct shape *shape_of(const struct refstore_op *op)
{
	return &shapes[op->command];
}

static inline __u64 *word_at(struct refstore_op *op, uint8_t offset)
{
	return (__u64 *)((char *)op + offset);
}

/* Words of the array that an operation reads. */
static inline size_t array_length(const struct refstore_op *op)
{
	const struct shape *shape = shape_of(op);
	size_t words = shape->array_words ? shape->array_words : 1;

	return words * *(const __u32 *)((const char *)op + shape->array_count);
}

int refstore_builder_new(struct refstore_builder **result)
{
	struct refstore_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	*result = builder;
	return 0;
}

void refstore_builder_free(struct refstore_builder *builder)
{
	if (!builder)
		return;
	free(builder->ops);
	free(builder->handles);
	free(builder);
}

void refstore_builder_reset(struct refstore_builder *builder)
{
	builder->nr_ops = 0;
	builder->nr_handles = 0;
	builder->done = 0;
	builder->error = 0;
	builder->submitted = false;
}

size_t refstore_builder_count(const struct refstore_builder *builder)
{
	return builder->nr_ops;
}

/*
 * Adding operations
 */

static ssize_t fail(struct refstore_builder *builder, int error)
{
	if (!builder->error && !builder->submitted)
		builder->error = error;
	return error;
}

/* Room for at least @needed elements, grown so that adding is cheap. */
static int reserve(void **array, size_t *room, size_t needed, size_t size)
{
	size_t wanted = *room ? *room : FIRST_ROOM;
	void *grown;

	if (needed <= *room)
		return 0;
	if (needed > SIZE_MAX / 2 / size)
		return -ENOMEM;
	while (wanted < needed)
		wanted *= 2;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

static ssize_t append(struct refstore_builder *builder,
		      const struct refstore_op *op)
{
	void *ops = builder->ops;

	if (builder->submitted)
		return fail(builder, -EBUSY);
	if (reserve(&ops, &builder->room, builder->nr_ops + 1, sizeof(*op)))
		return fail(builder, -ENOMEM);
	builder->ops = ops;
	builder->ops[builder->nr_ops] = *op;
	return (ssize_t)builder->nr_ops++;
}

/* The same, for an operation that reads an array of handles. */
static ssize_t append_array(struct refstore_builder *builder,
			    struct refstore_op *op, const void *handles)
{
	const struct shape *shape = shape_of(op);
	size_t count = array_length(op);
	void *copies = builder->handles;

	if (!handles || !count)
		return append(builder, op);
	if (count > SIZE_MAX / sizeof(*builder->handles) - builder->nr_handles)
		return fail(builder, -ENOMEM);
	if (reserve(&copies, &builder->handles_room,
		    builder->nr_handles + count, sizeof(*builder->handles)))
		return fail(builder, -ENOMEM);
	builder->handles = copies;
	memcpy(builder->handles + builder->nr_handles, handles,
	       count * sizeof(*builder->handles));
	*word_at(op, shape->array) = 1 + builder->nr_handles;
	builder->nr_handles += count;
	return append(builder, op);
}

static ssize_t append_release_many(struct refstore_builder *builder,
				   const uint64_t *handles, uint32_t count)
{
	struct refstore_op op = {
		.command = REFSTORE_CMD_RELEASE_MANY,
		.release_many = {
			.size = sizeof(op.release_many),
			.count = count,
		},
	};

	return append_array(builder, &op, handles);
}

/*
 * An operation on none. The kernel refuses to be called for nothing; but there
 * must be an operation that this one's index is of, and giving back no handle
 * always succeeds. Where transfers of slots have their @done, it has a zero.
 */
static ssize_t append_nothing(struct refstore_builder *builder)
{
	const uint64_t none = 0;

	return append_release_many(builder, &none, 1);
}

ssize_t refstore_builder_create(struct refstore_builder *builder,
				const struct refstore_spec *spec)
{
	struct refstore_op op = {
		.command = REFSTORE_CMD_CREATE,
		.create = {
			.size = sizeof(op.create),
			.flags = spec->flags,
			.data = refstore_pointer(spec->data),
			.type = spec->type,
			.nr_slots = (uint32_t)spec->nr_slots,
			.data_len = (uint32_t)spec->data_len,
		},
	};

	if (!refstore_fits(spec->data_len) || !refstore_fits(spec->nr_slots))
		return fail(builder, -E2BIG);
	return append_array(builder, &op, spec->slots);
}

ssize_t refstore_builder_create_many(struct refstore_builder *builder,
				     const struct refstore_spec *spec,
				     size_t count, uint64_t *handles)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_CREATE_MANY,
		.create_many = {
			.size = sizeof(op.create_many),
			.flags = spec->flags,
			.data = refstore_pointer(spec->data),
			.handles = refstore_pointer(handles),
			.type = spec->type,
			.count = (uint32_t)count,
			.data_len = (uint32_t)spec->data_len,
			.nr_slots = (uint32_t)spec->nr_slots,
		},
	};

	if (spec->slots)
		return fail(builder, -EINVAL);
	if (!refstore_fits(spec->data_len) || !refstore_fits(spec->nr_slots) ||
	    !refstore_fits(count))
		return fail(builder, -E2BIG);
	return count ? append(builder, &op) : append_nothing(builder);
}

ssize_t refstore_builder_dup(struct refstore_builder *builder, uint64_t object)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_DUP,
		.dup = { .size = sizeof(op.dup), .object = object },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_release(struct refstore_builder *builder,
				 uint64_t object)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_RELEASE,
		.release = { .size = sizeof(op.release), .object = object },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_release_many(struct refstore_builder *builder,
				      const uint64_t *handles, size_t count)
{
	if (!refstore_fits(count))
		return fail(builder, -E2BIG);
	if (!count)
		return append_nothing(builder);
	return append_release_many(builder, handles, (uint32_t)count);
}

static ssize_t append_get_slot(struct refstore_builder *builder, uint32_t flags,
			       uint64_t object, size_t index, uint64_t id)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_GET_SLOT,
		.get_slot = {
			.size = sizeof(op.get_slot),
			.flags = flags,
			.object = object,
			.index = (uint32_t)index,
			.id = id,
		},
	};

	if (!refstore_fits(index))
		return fail(builder, -ERANGE);
	return append(builder, &op);
}

ssize_t refstore_builder_get_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index)
{
	return append_get_slot(builder, 0, object, index, 0);
}

ssize_t refstore_builder_match_slot(struct refstore_builder *builder,
				    uint64_t object, size_t index, uint64_t id)
{
	return append_get_slot(builder, REFSTORE_SLOT_MATCH, object, index, id);
}

ssize_t refstore_builder_set_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index, uint64_t value)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_SET_SLOT,
		.set_slot = {
			.size = sizeof(op.set_slot),
			.object = object,
			.value = value,
			.index = (uint32_t)index,
		},
	};

	if (!refstore_fits(index))
		return fail(builder, -ERANGE);
	return append(builder, &op);
}

ssize_t refstore_builder_cas_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index,
				  uint64_t expected, uint64_t value)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_CAS_SLOT,
		.cas_slot = {
			.size = sizeof(op.cas_slot),
			.object = object,
			.value = value,
			.expected = expected,
			.index = (uint32_t)index,
		},
	};

	if (!refstore_fits(index))
		return fail(builder, -ERANGE);
	return append(builder, &op);
}

ssize_t refstore_builder_cas_many(struct refstore_builder *builder,
				  const struct refstore_cas_entry *entries,
				  size_t count)
{
	struct refstore_op op = {
		.command = REFSTORE_CMD_CAS_MANY,
		.cas_many = {
			.size = sizeof(op.cas_many),
			.count = (uint32_t)count,
		},
	};

	if (count > REFSTORE_MAX_CAS)
		return fail(builder, -E2BIG);
	if (!count)
		return append_nothing(builder);
	return append_array(builder, &op, entries);
}

static ssize_t append_read_slots(struct refstore_builder *builder,
				 uint32_t flags, uint64_t object, size_t first,
				 uint64_t *to, size_t count)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_READ_SLOTS,
		.slots = {
			.size = sizeof(op.slots),
			.flags = flags,
			.object = object,
			.handles = refstore_pointer(to),
			.first = (uint32_t)first,
			.count = (uint32_t)count,
		},
	};

	if (!refstore_fits(first) || !refstore_fits(count))
		return fail(builder, -ERANGE);
	return count ? append(builder, &op) : append_nothing(builder);
}

ssize_t refstore_builder_read_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t *handles, size_t count)
{
	return append_read_slots(builder, 0, object, first, handles, count);
}

ssize_t refstore_builder_peek_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t *ids, size_t count)
{
	return append_read_slots(builder, REFSTORE_SLOT_PEEK, object, first,
				 ids, count);
}

ssize_t refstore_builder_copy_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t source, size_t source_first,
				    size_t count)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_COPY_SLOTS,
		.copy_slots = {
			.size = sizeof(op.copy_slots),
			.object = object,
			.source = source,
			.first = (uint32_t)first,
			.source_first = (uint32_t)source_first,
			.count = (uint32_t)count,
		},
	};

	if (!refstore_fits(first) || !refstore_fits(source_first) ||
	    !refstore_fits(count))
		return fail(builder, -ERANGE);
	return count ? append(builder, &op) : append_nothing(builder);
}

ssize_t refstore_builder_write_slots(struct refstore_builder *builder,
				     uint64_t object, size_t first,
				     const uint64_t *handles, size_t count)
{
	struct refstore_op op = {
		.command = REFSTORE_CMD_WRITE_SLOTS,
		.slots = {
			.size = sizeof(op.slots),
			.object = object,
			.first = (uint32_t)first,
			.count = (uint32_t)count,
		},
	};

	if (!refstore_fits(first) || !refstore_fits(count))
		return fail(builder, -ERANGE);
	if (!count)
		return append_nothing(builder);
	return append_array(builder, &op, handles);
}

ssize_t refstore_builder_resize(struct refstore_builder *builder,
				uint64_t object, size_t nr_slots)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_RESIZE_SLOTS,
		.resize_slots = {
			.size = sizeof(op.resize_slots),
			.object = object,
			.nr_slots = (uint32_t)nr_slots,
		},
	};

	if (!refstore_fits(nr_slots))
		return fail(builder, -E2BIG);
	return append(builder, &op);
}

static ssize_t append_data(struct refstore_builder *builder, uint32_t command,
			   uint64_t object, size_t offset, const void *buffer,
			   size_t length)
{
	const struct refstore_op op = {
		.command = command,
		.data = {
			.size = sizeof(op.data),
			.object = object,
			.buffer = refstore_pointer(buffer),
			.offset = offset,
			.length = (uint32_t)length,
		},
	};

	if (!refstore_fits(length))
		return fail(builder, -ERANGE);
	return append(builder, &op);
}

ssize_t refstore_builder_read(struct refstore_builder *builder, uint64_t object,
			      size_t offset, void *buffer, size_t length)
{
	return append_data(builder, REFSTORE_CMD_READ, object, offset, buffer,
			   length);
}

ssize_t refstore_builder_write(struct refstore_builder *builder,
			       uint64_t object, size_t offset,
			       const void *buffer, size_t length)
{
	return append_data(builder, REFSTORE_CMD_WRITE, object, offset, buffer,
			   length);
}

ssize_t refstore_builder_seal(struct refstore_builder *builder, uint64_t object,
			      unsigned int flags)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_SEAL,
		.seal = {
			.size = sizeof(op.seal),
			.flags = flags,
			.object = object,
		},
	};

	return append(builder, &op);
}

ssize_t refstore_builder_stat(struct refstore_builder *builder, uint64_t object)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_STAT,
		.stat = { .size = sizeof(op.stat), .object = object },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_get_root(struct refstore_builder *builder)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_GET_ROOT,
		.get_root = { .size = sizeof(op.get_root) },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_set_root(struct refstore_builder *builder,
				  uint64_t value)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_SET_ROOT,
		.set_root = { .size = sizeof(op.set_root), .value = value },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_cas_root(struct refstore_builder *builder,
				  uint64_t expected, uint64_t value)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_CAS_ROOT,
		.set_root = {
			.size = sizeof(op.set_root),
			.expected = expected,
			.value = value,
		},
	};

	return append(builder, &op);
}

ssize_t refstore_builder_weak(struct refstore_builder *builder,
			      uint64_t object)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_WEAK,
		.weak = { .size = sizeof(op.weak), .object = object },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_weak_notify(struct refstore_builder *builder,
				     uint64_t object, uint64_t cookie)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_WEAK,
		.weak = {
			.size = sizeof(op.weak),
			.flags = REFSTORE_WEAK_NOTIFY,
			.object = object,
			.cookie = cookie,
		},
	};

	if (cookie > REFSTORE_COOKIE_MAX)
		return fail(builder, -EINVAL);
	return append(builder, &op);
}

ssize_t refstore_builder_upgrade(struct refstore_builder *builder,
				 uint64_t weak)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_UPGRADE,
		.upgrade = { .size = sizeof(op.upgrade), .weak = weak },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_import(struct refstore_builder *builder, int fd)
{
	const struct refstore_op op = {
		.command = REFSTORE_CMD_IMPORT,
		.import = { .size = sizeof(op.import), .fd = fd },
	};

	return append(builder, &op);
}

ssize_t refstore_builder_label(struct refstore_builder *builder,
			       unsigned int what, uint64_t object,
			       const char *label)
{
	struct refstore_op op = { .command = REFSTORE_CMD_LABEL };
	int ret = refstore_label_init(&op.label, what, object, label);

	return ret ? fail(builder, ret) : append(builder, &op);
}

/*
 * Running them
 */

/* Puts pointers in the place of places; nothing moves from here on. */
static void resolve_arrays(struct refstore_builder *builder)
{
	size_t i;

	for (i = 0; i < builder->nr_ops; i++) {
		struct refstore_op *op = &builder->ops[i];
		const struct shape *shape = shape_of(op);
		__u64 *array;

		if (!shape->array)
			continue;
		array = word_at(op, shape->array);
		if (*array)
			*array = refstore_pointer(builder->handles +
						  (*array - 1));
	}
}

/*
 * An operand of an operation in a part that begins at operation @to, where it
 * was written as if for one that begins at @from.
 */
static uint64_t rebased(const struct refstore_builder *builder,
			uint64_t operand, size_t from, size_t to)
{
	uint64_t n, handle;

	if (!(operand & REFSTORE_RESULT(0)))
		return operand;
	n = (operand & ~REFSTORE_RESULT(0)) + from;
	if (n >= to)
		return REFSTORE_RESULT(n - to);
	handle = refstore_builder_result(builder, n);
	return handle ? handle : NO_RESULT;
}

static void rebase(struct refstore_builder *builder, struct refstore_op *op,
		   size_t from, size_t to)
{
	const struct shape *shape = shape_of(op);
	uint64_t *handles;
	uint32_t count, i;

	for (i = 0; i < 3 && shape->operands[i]; i++) {
		__u64 *operand = word_at(op, shape->operands[i]);

		*operand = rebased(builder, *operand, from, to);
	}
	if (!shape->array || !*word_at(op, shape->array))
		return;
	handles = (uint64_t *)(uintptr_t)*word_at(op, shape->array);
	count = array_length(op);
	for (i = 0; i < count; i++)
		handles[i] = rebased(builder, handles[i], from, to);
}

/* One call of the kernel: the number of operations that failed, or -errno. */
static ssize_t run_part(struct refstore_builder *builder,
			struct refstore *store, unsigned int flags,
			size_t count)
{
	struct refstore_batch args = {
		.size = sizeof(args),
		.flags = flags,
		.ops = refstore_pointer(builder->ops + builder->done),
		.nr_ops = (uint32_t)count,
		.op_size = sizeof(*builder->ops),
	};
	int ret = refstore_call(store, REFSTORE_BATCH, &args);

	if (ret)
		return ret;
	builder->done += args.done;
	return args.failed;
}

static ssize_t run(struct refstore_builder *builder, struct refstore *store,
		   unsigned int flags)
{
	/* The end and the beginning of the part that was tried last. */
	size_t end = 0, begin = 0;
	ssize_t failed = 0;

	while (builder->done < builder->nr_ops) {
		size_t from = builder->done;
		size_t count = builder->nr_ops - from;
		ssize_t ret;
		size_t i;

		if (count > store->max_batch)
			count = store->max_batch;
		/* What a signal kept from running was rebased once already. */
		for (i = from; i < from + count; i++)
			rebase(builder, &builder->ops[i], i < end ? begin : 0,
			       from);
		begin = from;
		end = from + count;
		ret = run_part(builder, store, flags, count);
		if (ret < 0)
			return ret;
		failed += ret;
		if (failed && !(flags & REFSTORE_BATCH_CONTINUE))
			break;
	}
	return failed;
}

ssize_t refstore_builder_submit(struct refstore_builder *builder,
				struct refstore *store, unsigned int flags)
{
	if (builder->submitted)
		return -EBUSY;
	if (builder->error)
		return builder->error;
	/* Before anything changes: the caller may try again. */
	if (flags & ~REFSTORE_BATCH_CONTINUE)
		return -EINVAL;
	builder->submitted = true;
	resolve_arrays(builder);
	return run(builder, store, flags);
}

size_t refstore_builder_done(const struct refstore_builder *builder)
{
	return builder->done;
}

int refstore_builder_error(const struct refstore_builder *builder, size_t index)
{
	return index < builder->done ? builder->ops[index].error : -ECANCELED;
}

uint64_t refstore_builder_result(const struct refstore_builder *builder,
				 size_t index)
{
	uint8_t offset;

	if (refstore_builder_error(builder, index))
		return 0;
	offset = shape_of(&builder->ops[index])->result;
	return offset ? *word_at(&builder->ops[index], offset) : 0;
}

const struct refstore_op *
refstore_builder_op(const struct refstore_builder *builder, size_t index)
{
	return &builder->ops[index];
}
