// SPDX-License-Identifier: GPL-2.0-only
/*
 * A batch means the same, however the kernel cuts it. Random batches run twice:
 * at once, and in small parts that signals end early. What the kernel gets to
 * see, with REFSTORE_RESULT() resolved, must be the same.
 */
#include <stdio.h>
#include <string.h>

#include "kernel.h"

#define MAX_OPS 300

/* What the kernel was asked: commands and operands, and what it answered. */
struct record {
	uint64_t words[MAX_OPS * 16];
	size_t nr_words;
	size_t nr_ops;
};

static struct record *record;
static uint64_t max_batch;
static int interrupt;
static uint64_t results[MAX_OPS];

static void note(uint64_t word)
{
	record->words[record->nr_words++] = word;
}

/* An operand, resolved within the batch; 0 and EBADF where there is none. */
static int operand(uint64_t handle, size_t index)
{
	uint64_t n = handle & ~REFSTORE_RESULT(0);

	if (handle & REFSTORE_RESULT(0)) {
		handle = n < index ? results[n] : 0;
		if (!handle) {
			note(~0ULL);
			return -EBADF;
		}
	}
	note(handle);
	return 0;
}

static int operands(const uint64_t *handles, size_t count, size_t index)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (operand(handles[i], index))
			ret = -EBADF;
	return ret;
}

static int run_op(struct refstore_op *op, size_t index, uint64_t *result)
{
	/* The same in both runs, and never that of a handle in the batch. */
	uint64_t fresh = 1000 + record->nr_ops;

	note(op->command);
	if (record->nr_ops % 13 == 5)
		return -EDQUOT;
	switch (op->command) {
	case REFSTORE_CMD_CREATE:
		*result = op->create.result = fresh;
		return operands((void *)(uintptr_t)op->create.slots,
				op->create.nr_slots, index);
	case REFSTORE_CMD_GET_SLOT:
		*result = op->get_slot.result = fresh % 3 ? fresh : 0;
		note(op->get_slot.flags);
		note(op->get_slot.id);
		return operand(op->get_slot.object, index);
	case REFSTORE_CMD_WRITE_SLOTS:
		CHECK(op->slots.count);
		return operand(op->slots.object, index) |
		       operands((void *)(uintptr_t)op->slots.handles,
				op->slots.count, index);
	case REFSTORE_CMD_CAS_SLOT:
		return operand(op->cas_slot.object, index) |
		       operand(op->cas_slot.value, index) |
		       operand(op->cas_slot.expected, index);
	case REFSTORE_CMD_CAS_MANY:
		CHECK(op->cas_many.count);
		return operands((void *)(uintptr_t)op->cas_many.entries,
				op->cas_many.count * 4U, index);
	case REFSTORE_CMD_COPY_SLOTS:
		CHECK(op->copy_slots.count);
		return operand(op->copy_slots.object, index) |
		       operand(op->copy_slots.source, index);
	case REFSTORE_CMD_WEAK:
		*result = op->weak.result = fresh;
		note(op->weak.cookie);
		return operand(op->weak.object, index);
	case REFSTORE_CMD_UPGRADE:
		*result = op->upgrade.result = fresh % 3 ? fresh : 0;
		return operand(op->upgrade.weak, index);
	case REFSTORE_CMD_IMPORT:
		*result = op->import.result = fresh;
		note((uint64_t)op->import.fd);
		return 0;
	case REFSTORE_CMD_LABEL:
		note((unsigned char)*op->label.label);
		return operand(op->label.object, index);
	case REFSTORE_CMD_RELEASE_MANY:
		op->release_many.done = op->release_many.count;
		CHECK(op->release_many.count);
		return operands((void *)(uintptr_t)op->release_many.handles,
				op->release_many.count, index);
	case REFSTORE_CMD_RELEASE:
		return operand(op->release.object, index);
	default:
		return -EINVAL;
	}
}

static int run_batch(struct refstore_batch *batch)
{
	struct refstore_op *ops = (void *)(uintptr_t)batch->ops;
	size_t i;

	CHECK(batch->nr_ops && batch->nr_ops <= max_batch);
	CHECK(batch->op_size == sizeof(*ops));
	if (interrupt && rand() % 4 == 0)
		return -EINTR;
	for (i = 0; i < batch->nr_ops; i++) {
		uint64_t result = 0;

		if (i && interrupt && rand() % 8 == 0)
			break;
		ops[i].error = run_op(&ops[i], i, &result);
		results[i] = ops[i].error ? 0 : result;
		note(ops[i].error < 0);
		record->nr_ops++;
		batch->done = i + 1;
		batch->failed += ops[i].error < 0;
		if (ops[i].error && !(batch->flags & REFSTORE_BATCH_CONTINUE))
			break;
	}
	return 0;
}

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_query *query = args;

	(void)fd;
	if (command == REFSTORE_BATCH)
		return run_batch(args);
	CHECK(command == REFSTORE_QUERY);
	query->max_batch = max_batch;
	return 0;
}

/* Any handle, or result; some that are none. */
static uint64_t random_operand(size_t count)
{
	if (rand() % 3)
		return REFSTORE_RESULT((uint64_t)rand() % (count + 2));
	return rand() % 40 ? (uint64_t)(rand() % 900) : REFSTORE_RESULT(~0ULL);
}

static ssize_t add_random(struct refstore_builder *builder, size_t count)
{
	uint64_t handles[5];
	size_t i;

	for (i = 0; i < 5; i++)
		handles[i] = random_operand(count);
	switch (rand() % 15) {
	case 0:
		return refstore_builder_create(builder, &(struct refstore_spec){
			.slots = handles, .nr_slots = (size_t)rand() % 5 });
	case 1:
		return refstore_builder_get_slot(builder, handles[0], 1);
	case 2:
		return refstore_builder_write_slots(builder, handles[4], 0,
						    handles, rand() % 5);
	case 3:
		return refstore_builder_cas_slot(builder, handles[0], 0,
						 handles[1], handles[2]);
	case 4:
		return refstore_builder_weak(builder, handles[0]);
	case 5:
		return refstore_builder_weak_notify(builder, handles[0], count);
	case 6:
		return refstore_builder_upgrade(builder, handles[0]);
	case 7:
		return refstore_builder_read_slots(builder, handles[0], 0,
						   handles, 0);
	case 8:
		return refstore_builder_release_many(builder, handles,
						     rand() % 5);
	case 9:
		return refstore_builder_import(builder, rand() % 9);
	case 10:
		return refstore_builder_label(builder, REFSTORE_LABEL_OBJECT,
					      handles[0], "label");
	case 11:
		return refstore_builder_match_slot(builder, handles[0], 1,
						   handles[1] & 7);
	case 12:
		return refstore_builder_cas_many(builder,
			&(struct refstore_cas_entry){ .object = handles[0],
						      .value = handles[1] },
			1);
	case 13:
		return refstore_builder_copy_slots(builder, handles[0], 1,
						   handles[1], 2, rand() % 5);
	default:
		return refstore_builder_release(builder, handles[0]);
	}
}

/* Runs a batch that the seed decides; returns what submit returned. */
static ssize_t run(unsigned int seed, struct refstore_builder *builder,
		   unsigned int flags)
{
	struct refstore *store;
	size_t count, i;
	ssize_t ret;

	srand(seed);
	count = 1 + (size_t)rand() % MAX_OPS;
	refstore_builder_reset(builder);
	for (i = 0; i < count; i++)
		CHECK(add_random(builder, i) == (ssize_t)i);
	CHECK(!refstore_open_fd(new_session_fd(), &store));
	*record = (struct record){};
	/* What is refused was not submitted. */
	CHECK(refstore_builder_submit(builder, store,
				      ~REFSTORE_BATCH_CONTINUE) == -EINVAL);
	CHECK(!record->nr_ops && !refstore_builder_done(builder));
	ret = refstore_builder_submit(builder, store, flags);
	CHECK(refstore_builder_done(builder) == record->nr_ops);
	CHECK(refstore_builder_submit(builder, store, flags) == -EBUSY);
	refstore_close(store);
	return ret;
}

static void compare(unsigned int seed, struct refstore_builder *builder,
		    unsigned int flags)
{
	static struct record whole, parts;
	ssize_t expected;

	record = &whole;
	max_batch = MAX_OPS;
	interrupt = 0;
	expected = run(seed, builder, flags);

	record = &parts;
	max_batch = 1 + seed % 17;
	interrupt = seed % 2;
	CHECK(run(seed, builder, flags) == expected);
	CHECK(whole.nr_words == parts.nr_words);
	CHECK(!memcmp(whole.words, parts.words,
		      whole.nr_words * sizeof(*whole.words)));
}

/* Operations on none have a place, and do nothing. */
static void check_nothing(struct refstore_builder *builder)
{
	static struct record none;
	struct refstore *store;
	uint64_t handle = 1;
	ssize_t i;

	record = &none;
	max_batch = MAX_OPS;
	refstore_builder_reset(builder);
	CHECK(refstore_builder_read_slots(builder, 1, 9, &handle, 0) == 0);
	CHECK(refstore_builder_write_slots(builder, 1, 9, &handle, 0) == 1);
	CHECK(refstore_builder_release_many(builder, &handle, 0) == 2);
	CHECK(refstore_builder_create_many(builder, &(struct refstore_spec){},
					   0, &handle) == 3);
	CHECK(refstore_builder_cas_many(builder, NULL, 0) == 4);
	CHECK(!refstore_open_fd(new_session_fd(), &store));
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	for (i = 0; i < 5; i++)
		CHECK(!refstore_builder_error(builder, i) &&
		      !refstore_builder_result(builder, i));
	CHECK(!refstore_builder_op(builder, 0)->slots.done);
	CHECK(!refstore_builder_op(builder, 1)->slots.done);
	CHECK(!refstore_builder_op(builder, 3)->create_many.done);
	refstore_close(store);
}

/* What does not fit is refused at once, and the batch then, as it would be another one. */
static void check_refused(struct refstore_builder *builder)
{
	const size_t big = 1ULL << 32;
	static struct refstore_cas_entry entries[REFSTORE_MAX_CAS + 1];
	static struct record none;
	struct refstore *store;
	uint64_t one = 1;

	record = &none;
	CHECK(!refstore_open_fd(new_session_fd(), &store));

#define REFUSED(ERROR, FUNCTION, ...) do { \
	refstore_builder_reset(builder); \
	CHECK(refstore_builder_##FUNCTION(builder, __VA_ARGS__) == (ERROR)); \
	CHECK(refstore_builder_submit(builder, store, 0) == (ERROR)); \
} while (0)

	REFUSED(-ERANGE, get_slot, 1, big);
	REFUSED(-ERANGE, match_slot, 1, big, 1);
	REFUSED(-ERANGE, set_slot, 1, big, 1);
	REFUSED(-ERANGE, cas_slot, 1, big, 1, 1);
	REFUSED(-ERANGE, read_slots, 1, big, &one, 1);
	REFUSED(-ERANGE, peek_slots, 1, 0, &one, big);
	REFUSED(-ERANGE, write_slots, 1, big, &one, 1);
	REFUSED(-ERANGE, copy_slots, 1, big, 1, 0, 1);
	REFUSED(-ERANGE, read, 1, 0, &one, big);
	REFUSED(-ERANGE, write, 1, 0, &one, big);
	REFUSED(-E2BIG, resize, 1, big);
	REFUSED(-E2BIG, release_many, &one, big);
	REFUSED(-E2BIG, cas_many, entries, REFSTORE_MAX_CAS + 1);
	REFUSED(-E2BIG, create, &(struct refstore_spec){ .nr_slots = big });
	REFUSED(-E2BIG, create_many, &(struct refstore_spec){}, big, &one);
	REFUSED(-EINVAL, create_many,
		(&(struct refstore_spec){ .nr_slots = 1, .slots = &one }), 1,
		&one);
	CHECK(!none.nr_ops);
	refstore_builder_reset(builder);
	CHECK(refstore_builder_submit(builder, store, 0) == 0);
	CHECK(refstore_builder_get_root(builder) == -EBUSY);
	refstore_close(store);
}

int main(void)
{
	struct refstore_builder *builder;
	unsigned int seed;

	CHECK(!refstore_builder_new(&builder));
	for (seed = 0; seed < 2000; seed++) {
		compare(seed, builder, REFSTORE_BATCH_CONTINUE);
		compare(seed, builder, 0);
	}
	check_nothing(builder);
	check_refused(builder);
	refstore_builder_reset(builder);
	CHECK(refstore_builder_result(builder, 0) == 0);
	CHECK(refstore_builder_error(builder, 0) == -ECANCELED);
	refstore_builder_free(builder);
	return 0;
}
