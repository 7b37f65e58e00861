// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations beside a model of what they should do: after every so many
 * the whole heap must be what the model says, object by object.
 *
 * REFSTORE_OPS: operations in each test (20000).
 * REFSTORE_SEED: where the random numbers start; printed.
 */
#include "refstore_heap.h"

enum {
	SESSIONS = 2,
	HANDLES = 300,		/* of a session, at most */
	OBJECTS = 4096,		/* at most, dead ones included */
	SLOTS = 48,		/* of an object, at most; some have many more */
	WIDE = 700,
	DATA = 120,
	MANY = 12,		/* slots read or written, objects made at once */
	OPS = 150,		/* of a batch, at most */
	COMPARE = 1000,		/* operations between comparisons */
};

struct object {
	bool used;
	bool marked;
	__u64 id;
	bool slotted;
	__u32 seals;
	__u32 nr_slots, data_len;
	struct object *slots[WIDE];
	unsigned char data[DATA];
	unsigned int refs;	/* worked out anew for each comparison */
};

struct handle {
	__u64 value;
	struct object *object;
	bool pending;		/* its value is known after the batch only */
};

struct session {
	int fd;
	__u64 number;
	struct handle handles[HANDLES];
	size_t nr_handles;
	__u64 stale[16];	/* released ones, to be tried again */
};

/* What is to be filled in when a batch has run. */
struct outcome {
	int error;
	struct object *created;
	struct object *made[MANY];	/* by one that makes many */
	struct handle **minted;
	size_t nr_minted;
	unsigned char data[DATA];	/* expected of a read */
	__u32 done;
};

FIXTURE(random)
{
	struct session sessions[SESSIONS];
	struct object *objects, *root;
	__u64 seed, last_id;

	/* The batch that is being put together, and its session. */
	struct session *session;
	struct refstore_op ops[OPS];
	struct outcome outcomes[OPS];
	__u64 arrays[OPS][MANY];
	struct handle *minted[OPS][MANY];
	unsigned char buffers[OPS][DATA];
	unsigned int nr_ops;
};

/* Operations that are put into one call, at most. */
FIXTURE_VARIANT(random)
{
	unsigned int ops;
};

FIXTURE_VARIANT_ADD(random, single)
{
	.ops = 1,
};
FIXTURE_VARIANT_ADD(random, batches)
{
	.ops = OPS,
};

FIXTURE_SETUP(random)
{
	struct refstore_query query;
	int i;

	self->seed = rs_env("REFSTORE_SEED", 1 + time(NULL));
	TH_LOG("REFSTORE_SEED=%llu", self->seed);
	self->seed |= 1ULL << 50;
	self->objects = calloc(OBJECTS, sizeof(*self->objects));
	ASSERT_NE(NULL, self->objects);
	for (i = 0; i < SESSIONS; i++) {
		self->sessions[i].fd = i ?
			rs_session_new(self->sessions[0].fd, 0) : rs_open();
		ASSERT_LE(0, self->sessions[i].fd);
		ASSERT_EQ(0, rs_query(self->sessions[i].fd, &query));
		self->sessions[i].number = query.session;
	}
}

FIXTURE_TEARDOWN(random)
{
	__u64 heap = rs_heap_number(self->sessions[0].fd);
	int i;

	for (i = 0; i < SESSIONS; i++)
		close(self->sessions[i].fd);
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(heap), RS_SOON));
	free(self->objects);
}

#define RANDOM FIXTURE_DATA(random)

static __u32 below(RANDOM *self, __u32 bound)
{
	return rs_below(&self->seed, bound);
}

/* --- The model -------------------------------------------------------- */

static struct object *new_object(RANDOM *self)
{
	size_t i;

	for (i = 0; i < OBJECTS; i++) {
		if (self->objects[i].used)
			continue;
		memset(&self->objects[i], 0, sizeof(self->objects[i]));
		self->objects[i].used = true;
		return &self->objects[i];
	}
	return NULL;
}

static struct handle *new_handle(struct session *session, __u64 value,
				 struct object *object)
{
	struct handle *handle = &session->handles[session->nr_handles++];

	*handle = (struct handle){ .value = value, .object = object };
	return handle;
}

/* The last one takes the place of the one that goes. */
static void drop_handle(RANDOM *self, struct handle *handle)
{
	struct session *session = self->session;
	struct handle *last = &session->handles[--session->nr_handles];
	unsigned int i, j;

	session->stale[below(self, ARRAY_SIZE(session->stale))] = handle->value;
	*handle = *last;
	/* Who waits for a value waits where the handle is now. */
	for (i = 0; i < self->nr_ops; i++) {
		for (j = 0; j < MANY; j++) {
			if (self->minted[i][j] == handle)
				self->minted[i][j] = NULL;
			else if (self->minted[i][j] == last)
				self->minted[i][j] = handle;
		}
	}
}

/* A handle whose value is known; NULL if there is none at hand. */
static struct handle *any_handle(RANDOM *self)
{
	struct session *session = self->session;
	struct handle *handle;
	int tries;

	for (tries = 0; session->nr_handles && tries < 5; tries++) {
		handle = &session->handles[below(self, session->nr_handles)];
		if (!handle->pending)
			return handle;
	}
	return NULL;
}

/*
 * What an operation refers to: mostly a handle, sometimes nothing, sometimes
 * what is no handle. Returns whether it is good where nothing is good, too.
 */
static bool any_value(RANDOM *self, __u64 *value, struct object **object)
{
	struct handle *handle = any_handle(self);
	__u32 dice = below(self, 100);

	*object = NULL;
	*value = 0;
	if (dice < 2) {
		*value = rs_random(&self->seed) | 1;
		/* Never a result, which might be one in this batch. */
		*value &= ~(1ULL << 63);
		return false;
	}
	if (dice < 10 || !handle)
		return true;
	*value = handle->value;
	*object = handle->object;
	return true;
}

/* --- Operations, as the kernel is told and as the model does them ----- */

static struct refstore_op *next_op(RANDOM *self, struct outcome **outcome)
{
	*outcome = &self->outcomes[self->nr_ops];
	memset(*outcome, 0, sizeof(**outcome));
	memset(self->minted[self->nr_ops], 0, sizeof(self->minted[0]));
	return &self->ops[self->nr_ops];
}

/* The operation's result is a handle of this object; 0 if there is none. */
static void mints(RANDOM *self, struct object *object)
{
	if (object)
		self->minted[self->nr_ops][0] =
			new_handle(self->session, REFSTORE_RESULT(self->nr_ops),
				   object);
}

static void do_create(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	__u64 *array = self->arrays[self->nr_ops];
	unsigned char *data = self->buffers[self->nr_ops];
	struct object *object = new_object(self), *value;
	bool good = true;
	__u32 i, n = below(self, 4) ? below(self, MANY) : 0;

	if (!object)
		return;
	object->slotted = below(self, 4) != 0;
	object->nr_slots = object->slotted ? n : 0;
	object->data_len = below(self, 3) ? 0 : below(self, DATA);
	if (below(self, 20) == 0)
		object->seals = REFSTORE_SEAL_SLOTS;
	for (i = 0; i < object->data_len; i++)
		object->data[i] = data[i] = rs_random(&self->seed);
	for (i = 0; i < object->nr_slots; i++) {
		good &= any_value(self, &array[i], &value);
		object->slots[i] = value;
	}
	*op = op_create(object->nr_slots, array);
	op->create.flags = object->seals;
	if (object->slotted)
		op->create.flags |= REFSTORE_CREATE_SLOTTED;
	op->create.type = below(self, REFSTORE_TYPE_OBJECT + 1);
	op->create.data = rs_ptr(data);
	op->create.data_len = object->data_len;
	if (good) {
		outcome->created = object;
		mints(self, object);
	} else {
		outcome->error = -EBADF;
		object->used = false;
	}
	self->nr_ops++;
}

static void do_dup(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);

	if (!handle)
		return;
	*op = op_dup(handle->value);
	mints(self, handle->object);
	self->nr_ops++;
}

static void do_release(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);

	if (!handle)
		return;
	*op = op_release(handle->value);
	drop_handle(self, handle);
	self->nr_ops++;
}

/* Alike, and all of the same data and seals. */
static void shape_many(RANDOM *self, struct object **objects, __u32 count,
		       const struct refstore_create_many *create,
		       const unsigned char *data)
{
	__u32 i;

	(void)self;
	for (i = 0; i < count; i++) {
		objects[i]->slotted = create->nr_slots ||
				      create->flags & REFSTORE_CREATE_SLOTTED;
		objects[i]->nr_slots = create->nr_slots;
		objects[i]->data_len = create->data_len;
		objects[i]->seals = create->flags & REFSTORE_SEAL_SLOTS;
		memcpy(objects[i]->data, data + i * create->data_len,
		       create->data_len);
	}
}

/* Their handles are known after the batch only. */
static void do_create_many(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	__u64 *array = self->arrays[self->nr_ops];
	unsigned char *data = self->buffers[self->nr_ops];
	__u32 i, count = 1 + below(self, MANY);
	struct handle *minted;

	if (self->session->nr_handles + MANY > HANDLES)
		return;
	*op = op_create_many(count, below(self, 2) ? below(self, 5) : 0, array);
	if (below(self, 2))
		op->create_many.flags = below(self, 4) ? 0 :
					REFSTORE_SEAL_SLOTS;
	op->create_many.data_len = below(self, DATA / count + 1);
	for (i = 0; i < DATA; i++)
		data[i] = below(self, 3) ? rs_random(&self->seed) : 0;
	op->create_many.data = rs_ptr(data);
	for (i = 0; i < count; i++) {
		outcome->made[i] = new_object(self);
		if (!outcome->made[i])
			break;
	}
	if (i < count || below(self, 30) == 0) {
		while (i--)
			outcome->made[i]->used = false;
		op->create_many.type = ~0U;
		outcome->error = -EINVAL;
		self->nr_ops++;
		return;
	}
	shape_many(self, outcome->made, count, &op->create_many, data);
	outcome->done = count;
	for (i = 0; i < count; i++) {
		minted = new_handle(self->session, 0, outcome->made[i]);
		minted->pending = true;
		self->minted[self->nr_ops][i] = minted;
	}
	self->nr_ops++;
}

/* Handles, and now and then nothing, or what ends it there. */
static void do_release_many(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	__u64 *array = self->arrays[self->nr_ops];
	__u32 i, count = 1 + below(self, MANY);
	struct handle *handle;
	bool ended = false;

	for (i = 0; i < count; i++) {
		handle = any_handle(self);
		array[i] = 0;
		if (below(self, 40) == 0) {
			array[i] = self->session->stale[below(self, 16)];
			array[i] = array[i] >> 63 ? 0 : array[i];
			ended |= array[i] != 0;
		} else if (handle && below(self, 8)) {
			array[i] = handle->value;
			if (!ended)
				drop_handle(self, handle);
		}
		outcome->done += !ended;
	}
	*op = op_release_many(count, array);
	if (!outcome->done)
		outcome->error = -EBADF;
	self->nr_ops++;
}

/* What was released once is refused for ever. */
static void do_stale(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	__u64 stale = self->session->stale[below(self, 16)];

	/* A result in this batch is another matter: it may be a new one. */
	if (stale >> 63)
		return;
	*op = below(self, 2) ? op_dup(stale) : op_release(stale);
	outcome->error = -EBADF;
	self->nr_ops++;
}

/* What a slot operation says before it looks at values; 0 if nothing. */
static int slot_error(struct object *object, __u32 first, __u32 count)
{
	if (!object->slotted)
		return -EOPNOTSUPP;
	if (first >= object->nr_slots || count > object->nr_slots - first)
		return -ERANGE;
	return 0;
}

static __u32 any_index(RANDOM *self, struct object *object)
{
	return below(self, 20) ? below(self, object->nr_slots + 1) :
				 rs_random(&self->seed);
}

static void do_get_slot(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	struct object *object;
	__u32 index;

	if (!handle)
		return;
	object = handle->object;
	index = any_index(self, object);
	*op = op_get_slot(handle->value, index);
	outcome->error = slot_error(object, index, 1);
	if (!outcome->error)
		mints(self, object->slots[index]);
	self->nr_ops++;
}

/*
 * When several things are wrong with a write, the header does not say which of
 * them is told. So no more than one is wrong here.
 */
static void do_set_slot(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	struct object *object, *value;
	__u32 index;
	__u64 word;

	if (!handle)
		return;
	object = handle->object;
	index = any_index(self, object);
	outcome->error = slot_error(object, index, 1);
	if (object->seals) {
		if (outcome->error)
			return;
		outcome->error = -EPERM;
	}
	if (!any_value(self, &word, &value)) {
		if (outcome->error)
			return;
		outcome->error = -EBADF;
	}
	*op = op_set_slot(handle->value, index, word);
	if (!outcome->error)
		object->slots[index] = value;
	self->nr_ops++;
}

static void do_cas_slot(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	struct object *object, *value, *expected = NULL;
	__u64 word, expected_word = 0;
	struct handle *other;
	__u32 index;

	if (!handle)
		return;
	object = handle->object;
	index = any_index(self, object);
	if (slot_error(object, index, 1) || object->seals ||
	    !any_value(self, &word, &value))
		return;
	/* Mostly what is there, as far as there is a handle for it. */
	other = any_handle(self);
	if (object->slots[index] && other) {
		size_t i;

		expected = other->object;
		expected_word = other->value;
		for (i = 0; i < self->session->nr_handles; i++) {
			other = &self->session->handles[i];
			if (other->object != object->slots[index] ||
			    other->pending)
				continue;
			expected = other->object;
			expected_word = other->value;
			break;
		}
	}
	*op = op_cas_slot(handle->value, index, expected_word, word);
	if (object->slots[index] == expected)
		object->slots[index] = value;
	else
		outcome->error = -EAGAIN;
	self->nr_ops++;
}

static void do_read_slots(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self), *minted;
	__u64 *array = self->arrays[self->nr_ops];
	__u32 i, first, count = 1 + below(self, MANY);
	struct object *object;

	if (!handle || self->session->nr_handles + MANY > HANDLES)
		return;
	object = handle->object;
	first = any_index(self, object);
	*op = op_slots(REFSTORE_CMD_READ_SLOTS, handle->value, first, count,
		       array);
	outcome->error = slot_error(object, first, count);
	outcome->done = count;
	for (i = 0; !outcome->error && i < count; i++) {
		if (!object->slots[first + i])
			continue;
		minted = new_handle(self->session, 0, object->slots[first + i]);
		minted->pending = true;
		self->minted[self->nr_ops][i] = minted;
	}
	self->nr_ops++;
}

static void do_write_slots(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	__u64 *array = self->arrays[self->nr_ops];
	__u32 i, first, count = 1 + below(self, MANY);
	struct object *object, *values[MANY];

	if (!handle || handle->object->seals)
		return;
	object = handle->object;
	first = any_index(self, object);
	for (i = 0; i < count; i++)
		if (!any_value(self, &array[i], &values[i]))
			return;
	*op = op_slots(REFSTORE_CMD_WRITE_SLOTS, handle->value, first, count,
		       array);
	outcome->error = slot_error(object, first, count);
	outcome->done = count;
	if (!outcome->error)
		memcpy(object->slots + first, values, count * sizeof(*values));
	self->nr_ops++;
}

static void do_copy_slots(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *to = any_handle(self), *from = any_handle(self);
	__u32 first, source_first, count = 1 + below(self, MANY);

	if (!to || !from || to->object == from->object || to->object->seals)
		return;
	first = any_index(self, to->object);
	source_first = any_index(self, from->object);
	*op = op_copy_slots(to->value, first, from->value, source_first, count);
	outcome->error = slot_error(from->object, source_first, count);
	if (!outcome->error)
		outcome->error = slot_error(to->object, first, count);
	if (!outcome->error)
		memcpy(to->object->slots + first,
		       from->object->slots + source_first,
		       count * sizeof(*to->object->slots));
	self->nr_ops++;
}

static void do_resize(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	__u32 n = below(self, below(self, 20) ? SLOTS : WIDE);
	struct object *object;

	if (!handle)
		return;
	object = handle->object;
	*op = op_resize(handle->value, n);
	if (!object->slotted && object->seals)
		return;
	if (!object->slotted)
		outcome->error = -EOPNOTSUPP;
	else if (object->seals)
		outcome->error = -EPERM;
	if (!outcome->error) {
		for (; object->nr_slots < n; object->nr_slots++)
			object->slots[object->nr_slots] = NULL;
		object->nr_slots = n;
	}
	self->nr_ops++;
}

static void do_write(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	unsigned char *data = self->buffers[self->nr_ops];
	struct object *object;
	__u32 i, offset, length;

	if (!handle)
		return;
	object = handle->object;
	offset = below(self, object->data_len + 1);
	length = below(self, DATA);
	for (i = 0; i < length; i++)
		data[i] = rs_random(&self->seed);
	*op = op_data(REFSTORE_CMD_WRITE, handle->value, offset, length, data);
	if (length > object->data_len - offset)
		outcome->error = -ERANGE;
	else
		memcpy(object->data + offset, data, length);
	outcome->done = length;
	self->nr_ops++;
}

static void do_read(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	struct object *object;
	__u32 offset, length;

	if (!handle)
		return;
	object = handle->object;
	offset = below(self, object->data_len + 1);
	length = below(self, DATA);
	*op = op_data(REFSTORE_CMD_READ, handle->value, offset, length,
		      self->buffers[self->nr_ops]);
	outcome->done = length < object->data_len - offset ?
			length : object->data_len - offset;
	memcpy(outcome->data, object->data + offset, outcome->done);
	self->nr_ops++;
}

static void do_root(RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op = next_op(self, &outcome);
	struct handle *handle = any_handle(self);
	struct object *object = handle ? handle->object : NULL;
	__u64 word = handle ? handle->value : 0;

	switch (below(self, 4)) {
	case 0:
		*op = op_root(REFSTORE_CMD_SET_ROOT, 0, word);
		self->root = object;
		break;
	case 1:
		/* The one expected is the one to be: right or wrong. */
		*op = op_root(REFSTORE_CMD_CAS_ROOT, word, word);
		if (self->root != object)
			outcome->error = -EAGAIN;
		break;
	default:
		*op = op_get_root();
		mints(self, self->root);
	}
	self->nr_ops++;
}

/* An operation or, if there is nothing to do it with, none. */
static void do_one(RANDOM *self)
{
	static void (* const operations[])(RANDOM *self) = {
		do_create, do_create, do_create, do_dup, do_release, do_release,
		do_release, do_release, do_release, do_stale, do_get_slot,
		do_get_slot, do_set_slot, do_set_slot, do_set_slot, do_set_slot,
		do_cas_slot, do_cas_slot, do_read_slots, do_write_slots,
		do_copy_slots, do_copy_slots, do_resize, do_write, do_read, do_root, do_create_many,
		do_release_many, do_release_many,
	};

	if (self->session->nr_handles > HANDLES - 20)
		do_release(self);
	else
		operations[below(self, ARRAY_SIZE(operations))](self);
}

/* --- Running them ----------------------------------------------------- */

/* One by its own call, or all by a batch. */
static int run(RANDOM *self)
{
	struct refstore_batch batch;
	struct refstore_op *op = self->ops;
	int ret;

	if (self->nr_ops == 1 && below(self, 4)) {
		op->error = rs_call(self->session->fd,
				    _IO(REFSTORE_IOC_MAGIC, op->command),
				    &op->create);
		return 0;
	}
	ret = rs_batch(self->session->fd, REFSTORE_BATCH_CONTINUE, op,
		       self->nr_ops, &batch);
	return ret ?: batch.done == self->nr_ops ? 0 : -EPROTO;
}

/* The handles that an operation wrote to its array are known now. */
static void learn_many(struct __test_metadata *_metadata, RANDOM *self,
		       unsigned int op)
{
	struct handle *minted;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		minted = self->minted[op][i];
		if (!minted)
			continue;
		ASSERT_NE(0, self->arrays[op][i]);
		minted->value = self->arrays[op][i];
		minted->pending = false;
	}
}

/* And the ids of what it made, each of which has its first handle. */
static void learn_ids(struct __test_metadata *_metadata, RANDOM *self,
		      struct outcome *outcome)
{
	__u64 *array = self->arrays[outcome - self->outcomes], id;
	unsigned int i;

	for (i = 0; i < outcome->done; i++) {
		id = rs_id(self->session->fd, array[i]);
		ASSERT_LT(self->last_id, id);
		self->last_id = id;
		outcome->made[i]->id = id;
	}
}

/* Compares the answers with the model's and learns what the handles are. */
static void check(struct __test_metadata *_metadata, RANDOM *self)
{
	struct outcome *outcome;
	struct refstore_op *op;
	unsigned int i;

	for (i = 0; i < self->nr_ops; i++) {
		op = &self->ops[i];
		outcome = &self->outcomes[i];
		ASSERT_EQ(outcome->error, op->error) {
			TH_LOG("command %#x, operation %u of %u", op->command,
			       i, self->nr_ops);
		}
		if (op->error)
			continue;
		if (outcome->created) {
			ASSERT_LT(self->last_id, op->create.id);
			self->last_id = op->create.id;
			outcome->created->id = op->create.id;
		}
		if (op->command == REFSTORE_CMD_RELEASE_MANY) {
			ASSERT_EQ(outcome->done, op->release_many.done);
			continue;
		}
		if (op->command == REFSTORE_CMD_CREATE_MANY) {
			ASSERT_EQ(outcome->done, op->create_many.done);
			learn_many(_metadata, self, i);
			learn_ids(_metadata, self, outcome);
			continue;
		}
		if (op->command == REFSTORE_CMD_READ_SLOTS) {
			ASSERT_EQ(outcome->done, op->slots.done);
			learn_many(_metadata, self, i);
			continue;
		}
		if (op->command == REFSTORE_CMD_WRITE_SLOTS)
			ASSERT_EQ(outcome->done, op->slots.done);
		if (op->command == REFSTORE_CMD_READ ||
		    op->command == REFSTORE_CMD_WRITE)
			ASSERT_EQ(outcome->done, op->data.done);
		if (op->command == REFSTORE_CMD_READ)
			ASSERT_EQ(0, memcmp(outcome->data, self->buffers[i],
					    outcome->done));
		if (self->minted[i][0]) {
			ASSERT_NE(0, op->dup.result);
			self->minted[i][0]->value = op->dup.result;
		}
	}
}

/* Results that were released are known by their values from now on. */
static void translate_stale(RANDOM *self)
{
	__u64 *stale;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(self->session->stale); i++) {
		stale = &self->session->stale[i];
		if (*stale >> 63)
			*stale = self->ops[*stale & 0xffff].dup.result;
	}
}

/* --- Comparing -------------------------------------------------------- */

static void mark(RANDOM *self)
{
	static struct object *stack[OBJECTS];
	struct object *object, *slot;
	size_t top = 0, i, j;
	int s;

#define MARK(what) do {				\
	slot = what;				\
	slot->refs++;				\
	if (!slot->marked) {			\
		slot->marked = true;		\
		stack[top++] = slot;		\
	}					\
} while (0)
	for (i = 0; i < OBJECTS; i++) {
		self->objects[i].marked = false;
		self->objects[i].refs = 0;
	}
	for (s = 0; s < SESSIONS; s++)
		for (i = 0; i < self->sessions[s].nr_handles; i++)
			MARK(self->sessions[s].handles[i].object);
	if (self->root)
		MARK(self->root);
	while (top) {
		object = stack[--top];
		for (j = 0; j < object->nr_slots; j++)
			if (object->slots[j])
				MARK(object->slots[j]);
	}
#undef MARK
	for (i = 0; i < OBJECTS; i++)
		self->objects[i].used = self->objects[i].marked;
}

/* What the model says that the walks should say. */
static void model_heap(RANDOM *self, struct rs_heap *heap)
{
	size_t edges = 0, i, j, s;
	struct object *object;

	memset(heap, 0, sizeof(*heap));
	for (i = 0; i < OBJECTS; i++) {
		object = &self->objects[i];
		heap->nr_objects += object->used;
		edges += object->used ? object->nr_slots : 0;
	}
	heap->objects = calloc(heap->nr_objects + 1, sizeof(*heap->objects));
	heap->edges = calloc(edges + 1, sizeof(*heap->edges));
	heap->handles = calloc(SESSIONS * HANDLES, sizeof(*heap->handles));
	heap->roots = calloc(1, sizeof(*heap->roots));
	heap->nr_objects = 0;
	for (i = 0; i < OBJECTS; i++) {
		object = &self->objects[i];
		if (!object->used)
			continue;
		heap->objects[heap->nr_objects++] =
			(struct refstore_walk_object){
				.id = object->id,
				.nr_slots = object->nr_slots,
				.data_len = object->data_len,
				.refs = object->refs,
			};
		for (j = 0; j < object->nr_slots; j++) {
			if (!object->slots[j])
				continue;
			heap->edges[heap->nr_edges++] =
				(struct refstore_walk_edge){
					.from = object->id,
					.to = object->slots[j]->id,
					.index = j,
				};
		}
	}
	for (s = 0; s < SESSIONS; s++)
		for (i = 0; i < self->sessions[s].nr_handles; i++)
			heap->handles[heap->nr_handles++] =
				(struct refstore_walk_handle){
					.id = self->sessions[s].handles[i]
					      .object->id,
					.session = self->sessions[s].number,
				};
	if (self->root)
		heap->roots[heap->nr_roots++].id = self->root->id;
	qsort(heap->objects, heap->nr_objects, sizeof(*heap->objects),
	      rs_compare_objects);
	qsort(heap->edges, heap->nr_edges, sizeof(*heap->edges),
	      rs_compare_edges);
	qsort(heap->handles, heap->nr_handles, sizeof(*heap->handles),
	      rs_compare_handles);
}

static void compare(struct __test_metadata *_metadata, RANDOM *self)
{
	struct rs_heap expected, found;
	size_t i;

	mark(self);
	model_heap(self, &expected);
	ASSERT_EQ(0, rs_settle(self->sessions[0].fd));
	ASSERT_EQ(0, rs_heap_walk(self->sessions[0].fd, &found));
	/* What the model does not know is of no interest here. */
	for (i = 0; i < found.nr_objects; i++) {
		found.objects[i].bytes = 0;
		found.objects[i].type = 0;
		found.objects[i].state = 0;
	}
	ASSERT_TRUE(rs_heap_same(&expected, &found));
	rs_heap_free(&expected);
	rs_heap_free(&found);
}

TEST_F_TIMEOUT(random, operations, RS_TIMEOUT_LONG)
{
	unsigned long ops = rs_env("REFSTORE_OPS", rs_size(20000)), done = 0;
	unsigned long next = COMPARE;
	unsigned int room;
	int i;

	while (done < ops) {
		self->session = &self->sessions[below(self, SESSIONS)];
		self->nr_ops = 0;
		room = 1 + below(self, variant->ops);
		for (i = 0; self->nr_ops < room && i < 2 * OPS; i++)
			do_one(self);
		if (!self->nr_ops)
			continue;
		ASSERT_EQ(0, run(self));
		check(_metadata, self);
		translate_stale(self);
		done += self->nr_ops;
		if (done >= next) {
			compare(_metadata, self);
			next += COMPARE;
		}
	}
	compare(_metadata, self);
	/* Without handles and without a root nothing remains. */
	for (i = 0; i < SESSIONS; i++) {
		self->session = &self->sessions[i];
		while (self->session->nr_handles) {
			self->nr_ops = 0;
			do_release(self);
			ASSERT_EQ(0, run(self));
			check(_metadata, self);
		}
	}
	ASSERT_EQ(0, rs_set_root(self->sessions[0].fd, 0));
	self->root = NULL;
	compare(_metadata, self);
}

TEST_HARNESS_MAIN
