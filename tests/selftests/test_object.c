// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects: what they are made with, their data, seals, and types.
 */
#include "refstore_heap.h"

FIXTURE(object)
{
	int fd;
	struct refstore_query limits;
};

FIXTURE_SETUP(object)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_query(self->fd, &self->limits));
}

FIXTURE_TEARDOWN(object)
{
	EXPECT_EQ(0, close(self->fd));
}

/* Byte @i of the data of object number @n: no two neighbours are alike. */
static unsigned char pattern(unsigned int n, size_t i)
{
	return n * 31 + i + (i >> 8) * 7;
}

/* --- Data ------------------------------------------------------------- */

/* Makes an object with data of one length and reads it back, whole. */
static void try_length(struct __test_metadata *_metadata, int fd,
		       unsigned int length, unsigned int nr_slots)
{
	unsigned char *data = malloc(length + 1), *found = malloc(length + 1);
	struct refstore_create create = {
		.data = rs_ptr(data),
		.data_len = length,
		.nr_slots = nr_slots,
	};
	struct refstore_stat stat;
	size_t i;
	__u32 done;

	for (i = 0; i < length; i++)
		data[i] = pattern(length, i);
	memset(found, 0x5a, length + 1);
	ASSERT_EQ(0, rs_create(fd, &create)) {
		TH_LOG("%u bytes, %u slots", length, nr_slots);
	}
	EXPECT_EQ(0, rs_stat(fd, create.result, &stat));
	EXPECT_EQ(create.id, stat.id);
	EXPECT_EQ(length, stat.data_len);
	EXPECT_EQ(nr_slots, stat.nr_slots);
	EXPECT_LE(length + 8ULL * nr_slots, stat.bytes);
	EXPECT_EQ(0, rs_read(fd, create.result, 0, length + 1, found, &done));
	EXPECT_EQ(length, done);
	EXPECT_EQ(0, memcmp(data, found, length));
	EXPECT_EQ(0x5a, found[length]);
	EXPECT_EQ(0, rs_release(fd, create.result));
	free(data);
	free(found);
}

/* Around every power of two, and around it less what a header may take. */
TEST_F(object, lengths)
{
	unsigned int power, near;

	for (power = 16; power <= self->limits.max_data; power *= 2) {
		for (near = power - 72; (int)near <= (int)power + 8; near += 8)
			if ((int)near >= 0 && near <= self->limits.max_data)
				try_length(_metadata, self->fd, near, 0);
		try_length(_metadata, self->fd, power - 1, 0);
		if (power < self->limits.max_data)
			try_length(_metadata, self->fd, power + 1, 0);
	}
	for (near = 0; near < 200; near++)
		try_length(_metadata, self->fd, near, 0);
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* Data and slots of the same object keep out of each other's way. */
TEST_F(object, data_and_slots)
{
	static const unsigned int numbers[] = { 1, 2, 3, 4, 8, 100, 5000 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		for (j = 0; j < ARRAY_SIZE(numbers); j++)
			try_length(_metadata, self->fd, numbers[i], numbers[j]);
	try_length(_metadata, self->fd, self->limits.max_data, 1);
	EXPECT_EQ(0, rs_objects(self->fd));
}

TEST_F(object, too_long)
{
	static const __u32 more[] = { 1, 2, 1 << 20 };
	struct refstore_create create = {};
	char *data = calloc(1, self->limits.max_data + (1 << 20));
	size_t i;

	ASSERT_GE(UINT32_MAX, self->limits.max_data);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		create.data = 0;
		create.data_len = self->limits.max_data + more[i];
		EXPECT_EQ(-E2BIG, rs_create(self->fd, &create));
		create.data = rs_ptr(data);
		EXPECT_EQ(-E2BIG, rs_create(self->fd, &create));
		create.nr_slots = 1;
		EXPECT_EQ(-E2BIG, rs_create(self->fd, &create));
		create.nr_slots = 0;
	}
	create.data = 0;
	create.data_len = UINT32_MAX;
	EXPECT_EQ(-E2BIG, rs_create(self->fd, &create));
	EXPECT_EQ(0, rs_objects(self->fd));
	free(data);
}

/* Nothing of an earlier object, or of the kernel, is seen in a new one. */
TEST_F(object, zeroes)
{
	static const unsigned int lengths[] = { 1, 8, 60, 500, 4000, 60000 };
	static unsigned char data[60000];
	__u64 handles[16];
	size_t i, j, k;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(data, 0xaa, sizeof(data));
		for (j = 0; j < 16; j++) {
			ASSERT_EQ(0, rs_leaf(self->fd, data, lengths[i],
					     &handles[j]));
		}
		for (j = 0; j < 16; j++) {
			ASSERT_EQ(0, rs_release(self->fd, handles[j]));
		}
		for (j = 0; j < 16; j++) {
			ASSERT_EQ(0, rs_leaf(self->fd, NULL, lengths[i],
					     &handles[j]));
			memset(data, 0xaa, sizeof(data));
			ASSERT_EQ(0, rs_read(self->fd, handles[j], 0,
					     lengths[i], data, NULL));
			for (k = 0; k < lengths[i]; k++) {
				ASSERT_EQ(0, data[k]);
			}
		}
		for (j = 0; j < 16; j++) {
			ASSERT_EQ(0, rs_release(self->fd, handles[j]));
		}
	}
}

/* A pointer without a length is not looked at. */
TEST_F(object, pointers_without_length)
{
	struct refstore_create create = { .data = 8, .slots = 8 };

	EXPECT_EQ(0, rs_create(self->fd, &create));
}

TEST_F(object, read_and_write)
{
	unsigned char model[1000], found[1000], piece[300];
	__u64 handle, seed = 42;
	__u32 offset, length, done;
	int i, j;

	for (i = 0; i < 1000; i++)
		model[i] = i;
	ASSERT_EQ(0, rs_leaf(self->fd, model, 1000, &handle));
	for (i = 0; i < 300; i++) {
		offset = rs_below(&seed, 1000);
		length = 1 + rs_below(&seed, 300);
		if (offset + length > 1000)
			length = 1000 - offset;
		for (j = 0; j < (int)length; j++)
			piece[j] = rs_random(&seed);
		ASSERT_EQ(0, rs_write(self->fd, handle, offset, length, piece,
				      &done));
		EXPECT_EQ(length, done);
		memcpy(model + offset, piece, length);
		offset = rs_below(&seed, 1000);
		length = 1 + rs_below(&seed, 2000);
		memset(found, 0, sizeof(found));
		ASSERT_EQ(0, rs_read(self->fd, handle, offset, length, found,
				     &done));
		EXPECT_EQ(offset + length > 1000 ? 1000 - offset : length,
			  done);
		EXPECT_EQ(0, memcmp(found, model + offset, done));
	}
}

/* A read is cut at the end of the data, a write must lie within. */
TEST_F(object, offsets)
{
	char buffer[64];
	__u64 handle;
	__u32 done;

	memset(buffer, 'x', sizeof(buffer));
	ASSERT_EQ(0, rs_leaf(self->fd, "0123456789", 10, &handle));
	EXPECT_EQ(0, rs_read(self->fd, handle, 9, 64, buffer, &done));
	EXPECT_EQ(1, done);
	EXPECT_EQ('9', buffer[0]);
	EXPECT_EQ('x', buffer[1]);
	EXPECT_EQ(0, rs_read(self->fd, handle, 10, 64, buffer, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(0, rs_read(self->fd, handle, 2, UINT32_MAX, buffer, &done));
	EXPECT_EQ(8, done);
	EXPECT_EQ(0, rs_read(self->fd, handle, 3, 0, buffer, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(-ERANGE, rs_read(self->fd, handle, 11, 1, buffer, &done));
	EXPECT_EQ(-ERANGE, rs_read(self->fd, handle, UINT32_MAX, 2, buffer,
				   &done));

	EXPECT_EQ(0, rs_write(self->fd, handle, 9, 1, "z", &done));
	EXPECT_EQ(1, done);
	EXPECT_EQ(0, rs_write(self->fd, handle, 10, 0, "z", &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, 9, 2, "ab", &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, 10, 1, "a", &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, 11, 0, "a", &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, 0, UINT32_MAX, buffer,
				    &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, UINT32_MAX, 2, "ab",
				    &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, handle, 5, UINT32_MAX - 2, buffer,
				    &done));
	EXPECT_EQ(0, rs_read(self->fd, handle, 0, 10, buffer, &done));
	EXPECT_EQ(0, memcmp(buffer, "012345678z", 10));
}

/* An object without data can be read: there is nothing. */
TEST_F(object, no_data)
{
	__u64 leaf, node;
	char byte;
	__u32 done;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 0, &leaf));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &node));
	EXPECT_EQ(0, rs_read(self->fd, leaf, 0, 1, &byte, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(0, rs_read(self->fd, node, 0, 1, &byte, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(-ERANGE, rs_read(self->fd, leaf, 1, 1, &byte, &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, leaf, 0, 1, &byte, &done));
	EXPECT_EQ(-ERANGE, rs_write(self->fd, node, 0, 1, &byte, &done));
}

/* --- Reads and writes at the same time -------------------------------- */

FIXTURE(whole)
{
	int fd;
	__u64 handle;
	unsigned char data[20000];
};

FIXTURE_VARIANT(whole)
{
	unsigned int length;
	unsigned int nr_slots;
};

FIXTURE_VARIANT_ADD(whole, word)
{
	.length = 8,
};
FIXTURE_VARIANT_ADD(whole, line)
{
	.length = 100,
};
FIXTURE_VARIANT_ADD(whole, line_and_slot)
{
	.length = 100,
	.nr_slots = 1,
};
FIXTURE_VARIANT_ADD(whole, pages)
{
	.length = 20000,
};

FIXTURE_SETUP(whole)
{
	struct refstore_create create = {
		.data_len = variant->length,
		.nr_slots = variant->nr_slots,
	};

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_create(self->fd, &create));
	self->handle = create.result;
}

FIXTURE_TEARDOWN(whole)
{
	EXPECT_EQ(0, close(self->fd));
}

/* A write is seen by any read whole or not at all. */
TEST_F(whole, writes)
{
	unsigned int i, turn, turns = rs_size(2000), torn = 0;
	__u32 done;
	pid_t writer = rs_fork_session(&self->fd);

	ASSERT_LE(0, writer);
	for (turn = 0; !writer; turn++) {
		memset(self->data, turn, variant->length);
		if (rs_write(self->fd, self->handle, 0, variant->length,
			     self->data, NULL))
			_exit(1);
	}
	for (turn = 0; turn < turns; turn++) {
		ASSERT_EQ(0, rs_read(self->fd, self->handle, 0,
				     variant->length, self->data, &done));
		ASSERT_EQ(variant->length, done);
		for (i = 1; i < variant->length; i++)
			torn += self->data[i] != self->data[0];
	}
	EXPECT_EQ(0, torn);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
}

/* --- Slots ------------------------------------------------------------ */

TEST_F(object, slot_counts)
{
	static const unsigned int numbers[] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64,
		65, 100, 255, 256, 257, 511, 512, 513, 1024, 4096, 65535, 65536,
		65537, 1000000,
	};
	struct refstore_stat stat;
	__u64 handle, found;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(0, rs_node(self->fd, numbers[i], NULL, &handle)) {
			TH_LOG("%u slots", numbers[i]);
		}
		ASSERT_EQ(0, rs_stat(self->fd, handle, &stat));
		EXPECT_EQ(numbers[i], stat.nr_slots);
		EXPECT_LE(8ULL * numbers[i], stat.bytes);
		EXPECT_EQ(0, rs_get_slot(self->fd, handle, numbers[i] - 1,
					 &found));
		EXPECT_EQ(0, found);
		EXPECT_EQ(-ERANGE, rs_get_slot(self->fd, handle, numbers[i],
					       &found));
		EXPECT_EQ(0, rs_release(self->fd, handle));
	}
	EXPECT_EQ(0, rs_objects(self->fd));
}

TEST_F(object, most_slots)
{
	__u64 handle;

	ASSERT_GT(UINT32_MAX, self->limits.max_slots);
	EXPECT_EQ(0, rs_node(self->fd, self->limits.max_slots, NULL, &handle));
	EXPECT_EQ(0, rs_release(self->fd, handle));
	EXPECT_EQ(-E2BIG, rs_node(self->fd, self->limits.max_slots + 1, NULL,
				  &handle));
	EXPECT_EQ(-E2BIG, rs_node(self->fd, UINT32_MAX, NULL, &handle));
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* The slots of a new object have references of their own. */
TEST_F(object, initial_slots)
{
	__u64 leaf, other, slots[5], handle;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 4, &leaf));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 4, &other));
	slots[0] = leaf;
	slots[1] = 0;
	slots[2] = other;
	slots[3] = leaf;
	slots[4] = 0;
	ASSERT_EQ(0, rs_node(self->fd, 5, slots, &handle));
	EXPECT_EQ(3, rs_refs(self->fd, leaf));
	EXPECT_EQ(2, rs_refs(self->fd, other));
	EXPECT_EQ(1, rs_refs(self->fd, handle));
	EXPECT_EQ(rs_id(self->fd, leaf), rs_slot_id(self->fd, handle, 0));
	EXPECT_EQ(0, rs_slot_id(self->fd, handle, 1));
	EXPECT_EQ(rs_id(self->fd, other), rs_slot_id(self->fd, handle, 2));
	EXPECT_EQ(rs_id(self->fd, leaf), rs_slot_id(self->fd, handle, 3));
	EXPECT_EQ(0, rs_slot_id(self->fd, handle, 4));
	EXPECT_EQ(0, rs_release(self->fd, handle));
	EXPECT_EQ(1, rs_refs(self->fd, leaf));
	EXPECT_EQ(1, rs_refs(self->fd, other));
}

/* A bad handle, wherever it stands, and none of the good ones was counted. */
TEST_F(object, bad_initial_slots)
{
	static const unsigned int counts[] = { 1, 2, 3, 10, 600, 5000 };
	__u64 leaf, stale, handle, *slots;
	unsigned int i, n, at;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 4, &leaf));
	ASSERT_EQ(0, rs_dup(self->fd, leaf, &stale));
	ASSERT_EQ(0, rs_release(self->fd, stale));
	slots = calloc(5000, sizeof(*slots));
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		for (n = 0; n < counts[i]; n++)
			slots[n] = leaf;
		for (at = 0; at < counts[i]; at += 1 + at / 2) {
			slots[at] = at & 1 ? REFSTORE_RESULT(0) : stale;
			EXPECT_EQ(-EBADF, rs_node(self->fd, counts[i], slots,
						  &handle));
			slots[at] = leaf;
		}
		slots[counts[i] - 1] = stale;
		EXPECT_EQ(-EBADF, rs_node(self->fd, counts[i], slots, &handle));
		EXPECT_EQ(1, rs_refs(self->fd, leaf));
		EXPECT_EQ(1, rs_objects(self->fd));
	}
	free(slots);
}

/* Without slots an object is a leaf, unless it asks not to be one. */
TEST_F(object, leaf_or_not)
{
	struct refstore_stat stat;
	__u64 leaf, node, list;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &node));
	ASSERT_EQ(0, rs_node(self->fd, 0, NULL, &list));
	ASSERT_EQ(0, rs_stat(self->fd, leaf, &stat));
	EXPECT_EQ(0, stat.state & REFSTORE_STATE_SLOTTED);
	ASSERT_EQ(0, rs_stat(self->fd, node, &stat));
	EXPECT_EQ(REFSTORE_STATE_SLOTTED, stat.state & REFSTORE_STATE_SLOTTED);
	ASSERT_EQ(0, rs_stat(self->fd, list, &stat));
	EXPECT_EQ(REFSTORE_STATE_SLOTTED, stat.state & REFSTORE_STATE_SLOTTED);
	EXPECT_EQ(0, stat.nr_slots);
}

/* --- Identity --------------------------------------------------------- */

/* From 1, in order, and never twice, whatever was freed in between. */
TEST_F(object, ids)
{
	struct refstore_create create = { .data_len = 8 };
	__u64 last = 0;
	int i;

	for (i = 0; i < 2000; i++) {
		create.nr_slots = i % 3;
		ASSERT_EQ(0, rs_create(self->fd, &create));
		if (!i)
			EXPECT_EQ(1, create.id);
		ASSERT_LT(last, create.id);
		last = create.id;
		if (i % 7)
			ASSERT_EQ(0, rs_release(self->fd, create.result));
	}
}

/* An id is the object's, whichever handle is asked. */
TEST_F(object, id_by_any_handle)
{
	__u64 handle, again, third;
	int other;

	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &handle));
	ASSERT_EQ(0, rs_dup(self->fd, handle, &again));
	ASSERT_EQ(0, rs_set_root(self->fd, handle));
	other = rs_session_new(self->fd, 0);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_get_root(other, &third));
	EXPECT_EQ(rs_id(self->fd, handle), rs_id(self->fd, again));
	EXPECT_EQ(rs_id(self->fd, handle), rs_id(other, third));
	EXPECT_EQ(0, close(other));
}

TEST_F(object, stat_fields)
{
	struct refstore_create create = {
		.type = REFSTORE_TYPE_TUPLE,
		.data_len = 33,
		.nr_slots = 3,
	};
	struct refstore_stat stat;
	struct rs_figures figures;

	memset(&stat, 0xff, sizeof(stat));
	ASSERT_EQ(0, rs_create(self->fd, &create));
	stat.size = sizeof(stat);
	stat.flags = 0;
	stat.object = create.result;
	ASSERT_EQ(0, rs_call(self->fd, REFSTORE_STAT, &stat));
	EXPECT_EQ(create.id, stat.id);
	EXPECT_EQ(REFSTORE_TYPE_TUPLE, stat.type);
	EXPECT_EQ(REFSTORE_STATE_SLOTTED, stat.state);
	EXPECT_EQ(3, stat.nr_slots);
	EXPECT_EQ(33, stat.data_len);
	EXPECT_EQ(1, stat.refs);
	EXPECT_EQ(0, stat.inode);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(figures.bytes, stat.bytes);
}

/* --- Seals ------------------------------------------------------------ */

FIXTURE(seal)
{
	int fd;
	__u64 handle, leaf;
};

FIXTURE_VARIANT(seal)
{
	__u32 seals;
	bool from_birth;
};

FIXTURE_VARIANT_ADD(seal, none)
{
	.seals = 0,
	.from_birth = true,
};
FIXTURE_VARIANT_ADD(seal, data_only)
{
	.seals = REFSTORE_SEAL_DATA,
};
FIXTURE_VARIANT_ADD(seal, slots_only)
{
	.seals = REFSTORE_SEAL_SLOTS,
};
FIXTURE_VARIANT_ADD(seal, both)
{
	.seals = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS,
};
FIXTURE_VARIANT_ADD(seal, data_from_birth)
{
	.seals = REFSTORE_SEAL_DATA,
	.from_birth = true,
};
FIXTURE_VARIANT_ADD(seal, slots_from_birth)
{
	.seals = REFSTORE_SEAL_SLOTS,
	.from_birth = true,
};
FIXTURE_VARIANT_ADD(seal, both_from_birth)
{
	.seals = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS,
	.from_birth = true,
};

FIXTURE_SETUP(seal)
{
	struct refstore_create create = {
		.flags = variant->from_birth ? variant->seals : 0,
		.data = rs_ptr("data"),
		.data_len = 4,
		.nr_slots = 2,
		.slots = rs_ptr((__u64[]){ 0, 0 }),
	};

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &self->leaf));
	create.slots = rs_ptr((__u64[]){ self->leaf, 0 });
	ASSERT_EQ(0, rs_create(self->fd, &create));
	self->handle = create.result;
	if (!variant->from_birth)
		ASSERT_EQ(0, rs_seal(self->fd, self->handle, variant->seals));
}

FIXTURE_TEARDOWN(seal)
{
	EXPECT_EQ(0, close(self->fd));
}

TEST_F(seal, what_is_sealed)
{
	int data = variant->seals & REFSTORE_SEAL_DATA ? -EPERM : 0;
	int slots = variant->seals & REFSTORE_SEAL_SLOTS ? -EPERM : 0;
	__u64 none = 0, handle = self->handle, leaf = self->leaf;
	struct refstore_stat stat;
	char found[4] = "";

	EXPECT_EQ(data, rs_write(self->fd, handle, 0, 1, "d", NULL));
	EXPECT_EQ(slots, rs_set_slot(self->fd, handle, 0, leaf));
	EXPECT_EQ(slots, rs_cas_slot(self->fd, handle, 0, leaf, leaf));
	EXPECT_EQ(slots, rs_write_slots(self->fd, handle, 1, 1, &none, NULL));
	EXPECT_EQ(slots, rs_resize(self->fd, handle, 3));
	EXPECT_EQ(slots, rs_resize(self->fd, handle, 2));

	/* Reading is not touched by seals. */
	EXPECT_EQ(0, rs_read(self->fd, handle, 0, 4, found, NULL));
	EXPECT_EQ(0, memcmp(found, "data", 4));
	EXPECT_EQ(rs_id(self->fd, leaf), rs_slot_id(self->fd, handle, 0));
	EXPECT_EQ(2, rs_refs(self->fd, leaf));

	ASSERT_EQ(0, rs_stat(self->fd, handle, &stat));
	EXPECT_EQ(!!data, !!(stat.state & REFSTORE_STATE_SEALED_DATA));
	EXPECT_EQ(!!slots, !!(stat.state & REFSTORE_STATE_SEALED_SLOTS));
	EXPECT_EQ(2, stat.nr_slots);
}

/* For good: neither a second seal nor another handle opens it again. */
TEST_F(seal, again)
{
	const __u32 both = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS;
	__u64 again;

	EXPECT_EQ(0, rs_seal(self->fd, self->handle, both));
	EXPECT_EQ(0, rs_seal(self->fd, self->handle, REFSTORE_SEAL_DATA));
	EXPECT_EQ(0, rs_seal(self->fd, self->handle, both));
	ASSERT_EQ(0, rs_dup(self->fd, self->handle, &again));
	EXPECT_EQ(-EPERM, rs_write(self->fd, again, 0, 1, "d", NULL));
	EXPECT_EQ(-EPERM, rs_set_slot(self->fd, again, 0, 0));
}

/* What a sealed object refers to goes with it all the same. */
TEST_F(seal, release)
{
	EXPECT_EQ(0, rs_release(self->fd, self->handle));
	EXPECT_EQ(1, rs_refs(self->fd, self->leaf));
	EXPECT_EQ(1, rs_objects(self->fd));
}

TEST_F(object, seal_leaf)
{
	__u64 leaf;

	ASSERT_EQ(0, rs_leaf(self->fd, "x", 1, &leaf));
	EXPECT_EQ(0, rs_seal(self->fd, leaf, REFSTORE_SEAL_SLOTS));
	EXPECT_EQ(0, rs_write(self->fd, leaf, 0, 1, "y", NULL));
	EXPECT_EQ(0, rs_seal(self->fd, leaf, REFSTORE_SEAL_DATA));
	EXPECT_EQ(-EPERM, rs_write(self->fd, leaf, 0, 1, "z", NULL));
}

/* --- Types ------------------------------------------------------------ */

TEST_F(object, builtin_types)
{
	struct refstore_create create = {};
	char name[REFSTORE_TYPE_NAME_MAX];
	struct refstore_stat stat;
	__u32 type, again;
	size_t i;

	for (type = 0; type <= REFSTORE_TYPE_OBJECT; type++) {
		create.type = type;
		ASSERT_EQ(0, rs_create(self->fd, &create));
		ASSERT_EQ(0, rs_stat(self->fd, create.result, &stat));
		EXPECT_EQ(type, stat.type);
		/* Each has a name, and that name is no other type's. */
		memset(name, 0xff, sizeof(name));
		ASSERT_EQ(0, rs_type_name(self->fd, type, name));
		ASSERT_NE(NULL, memchr(name, 0, sizeof(name)));
		EXPECT_LT(0, strlen(name));
		for (i = 0; i < sizeof(name); i++) {
			EXPECT_TRUE(i < strlen(name) ?
				    name[i] > ' ' && name[i] < 0x7f : !name[i]);
		}
		EXPECT_EQ(0, rs_type_register(self->fd, name, &again));
		EXPECT_EQ(type, again);
	}
}

TEST_F(object, unknown_types)
{
	static const __u32 unknown[] = {
		REFSTORE_TYPE_OBJECT + 1, REFSTORE_TYPE_USER - 1,
		REFSTORE_TYPE_USER, REFSTORE_TYPE_USER + 1, 1000, UINT32_MAX,
	};
	char name[REFSTORE_TYPE_NAME_MAX];
	struct refstore_create create = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		create.type = unknown[i];
		EXPECT_EQ(-EINVAL, rs_create(self->fd, &create));
		EXPECT_EQ(-EINVAL, rs_type_name(self->fd, unknown[i], name));
	}
	create.type = self->limits.max_types;
	EXPECT_EQ(-EINVAL, rs_create(self->fd, &create));
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* A name has one number in a heap, whichever session asks; none in another. */
TEST_F(object, register_type)
{
	struct refstore_create create = {};
	char name[REFSTORE_TYPE_NAME_MAX];
	__u32 first, second, again;
	int session = rs_session_new(self->fd, 0), heap = rs_open();

	ASSERT_LE(0, session);
	ASSERT_LE(0, heap);
	ASSERT_EQ(0, rs_type_register(self->fd, "point", &first));
	EXPECT_EQ(REFSTORE_TYPE_USER, first);
	ASSERT_EQ(0, rs_type_register(session, "Point", &second));
	EXPECT_EQ(REFSTORE_TYPE_USER + 1, second);
	EXPECT_EQ(0, rs_type_register(session, "point", &again));
	EXPECT_EQ(first, again);
	EXPECT_EQ(0, rs_type_name(session, first, name));
	EXPECT_STREQ("point", name);
	create.type = second;
	EXPECT_EQ(0, rs_create(self->fd, &create));
	EXPECT_EQ(-EINVAL, rs_create(heap, &create));
	EXPECT_EQ(-EINVAL, rs_type_name(heap, first, name));
	/* Types live as long as their heap. */
	EXPECT_EQ(0, close(session));
	EXPECT_EQ(0, rs_type_name(self->fd, second, name));
	EXPECT_STREQ("Point", name);
	EXPECT_EQ(0, close(heap));
}

TEST_F(object, type_names)
{
	struct refstore_type reg = { .size = sizeof(reg) };
	__u32 type;
	int c;

	EXPECT_EQ(-EINVAL, rs_type_register(self->fd, "", &type));
	/* As long as a name can be; and without the final zero. */
	EXPECT_EQ(0, rs_type_register(self->fd,
				      "1234567890123456789012345678901",
				      &type));
	EXPECT_EQ(-EINVAL, rs_type_register(self->fd,
					    "12345678901234567890123456789012",
					    &type));
	for (c = 1; c < 256; c++) {
		bool good = c > ' ' && c < 0x7f;

		memset(reg.name, 0, sizeof(reg.name));
		reg.name[0] = 'a';
		reg.name[1] = c;
		reg.name[2] = 'b';
		if (good && c % 16)
			continue;
		EXPECT_EQ(good ? 0 : -EINVAL,
			  rs_call(self->fd, REFSTORE_TYPE_REGISTER, &reg)) {
			TH_LOG("character %#x", c);
		}
	}
	/* Zeroes to the end. */
	for (c = 2; c < REFSTORE_TYPE_NAME_MAX; c++) {
		memset(reg.name, 0, sizeof(reg.name));
		reg.name[0] = 'a';
		reg.name[c] = 'b';
		EXPECT_EQ(-EINVAL,
			  rs_call(self->fd, REFSTORE_TYPE_REGISTER, &reg));
	}
}

/* The table ends where the kernel says, and what is in it stays. */
TEST_F(object, type_table)
{
	__u32 type, last = REFSTORE_TYPE_USER - 1, max = self->limits.max_types;
	char name[REFSTORE_TYPE_NAME_MAX], found[REFSTORE_TYPE_NAME_MAX];
	unsigned int n;
	int ret = 0;

	ASSERT_GT(1 << 20, max);
	for (n = 0; n <= max; n++) {
		snprintf(name, sizeof(name), "type-%u", n);
		ret = rs_type_register(self->fd, name, &type);
		if (ret)
			break;
		ASSERT_EQ(last + 1, type);
		last = type;
	}
	EXPECT_EQ(-ENOSPC, ret);
	/* Built-in ones included: the numbers below 16 may count whole. */
	EXPECT_GE(max, n + REFSTORE_TYPE_OBJECT + 1);
	EXPECT_LE(max, n + REFSTORE_TYPE_USER);
	EXPECT_EQ(0, rs_type_register(self->fd, "type-0", &type));
	EXPECT_EQ(REFSTORE_TYPE_USER, type);
	EXPECT_EQ(0, rs_type_name(self->fd, last, found));
	snprintf(name, sizeof(name), "type-%u", n - 1);
	EXPECT_STREQ(name, found);
	EXPECT_EQ(-EINVAL, rs_type_name(self->fd, last + 1, found));
}

TEST_HARNESS_MAIN
