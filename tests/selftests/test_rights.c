// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rights: what a session that gave some up can still do, and that there is no way
 * to get one back.
 */
#include "refstore_heap.h"

/*
 * A heap, to which @full has all rights; and what calls are tried on. @fd is the
 * session that is tried.
 */
FIXTURE(rights)
{
	int full;
	int fd;
	__u64 node;	/* the root; one slot */
	__u64 leaf;	/* one byte */
};

static int begin(FIXTURE_DATA(rights) *self)
{
	int ret;

	self->full = rs_open();
	ret = self->full < 0 ? self->full : rs_manual(self->full);
	if (!ret)
		ret = rs_leaf(self->full, "x", 1, &self->leaf);
	if (!ret)
		ret = rs_node(self->full, 1, &self->leaf, &self->node);
	if (!ret)
		ret = rs_set_root(self->full, self->node);
	if (ret)
		return ret;
	self->fd = rs_session_new(self->full, REFSTORE_SESSION_CLONE);
	return self->fd < 0 ? self->fd : 0;
}

static int end(FIXTURE_DATA(rights) *self)
{
	return close(self->fd) || close(self->full);
}

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, begin(self));
}

FIXTURE_TEARDOWN(rights)
{
	EXPECT_EQ(0, end(self));
}

/* --- What needs which right ----------------------------------------------- */

#define TRY(name)							\
	static int try_##name(int fd, __attribute__((unused))		\
			      const FIXTURE_DATA(rights) *self)

TRY(create)
{
	__u64 leaf;

	return rs_leaf(fd, "x", 1, &leaf);
}

TRY(create_many)
{
	__u64 handles[2];
	struct refstore_create_many create = {
		.size = sizeof(create),
		.type = REFSTORE_TYPE_OBJECT,
		.handles = rs_ptr(handles),
		.count = 2,
	};

	return rs_create_many(fd, &create);
}

TRY(create_in_batch)
{
	struct refstore_op op = op_create(0, NULL);
	int ret = rs_batch(fd, 0, &op, 1, NULL);

	return ret ? ret : op.error;
}

TRY(register)
{
	__u32 type;

	return rs_type_register(fd, "a.type", &type);
}

TRY(write)
{
	return rs_write(fd, self->leaf, 0, 1, "y", NULL);
}

TRY(seal_data)
{
	return rs_seal(fd, self->leaf, REFSTORE_SEAL_DATA);
}

TRY(set_slot)
{
	return rs_set_slot(fd, self->node, 0, self->leaf);
}

TRY(set_slot_in_batch)
{
	struct refstore_op op = op_set_slot(self->node, 0, self->leaf);
	int ret = rs_batch(fd, 0, &op, 1, NULL);

	return ret ? ret : op.error;
}

TRY(cas_slot)
{
	return rs_cas_slot(fd, self->node, 0, self->leaf, self->leaf);
}

TRY(write_slots)
{
	return rs_write_slots(fd, self->node, 0, 1, &self->leaf, NULL);
}

TRY(copy_slots)
{
	return rs_copy_slots(fd, self->node, 0, self->node, 0, 1);
}

TRY(cas_many)
{
	struct refstore_cas_entry entry = {
		.object = self->node,
		.value = self->leaf,
		.expected = rs_slot_id(self->fd, self->node, 0),
	};

	return rs_cas_many(fd, &entry, 1);
}

TRY(resize)
{
	return rs_resize(fd, self->node, 1);
}

TRY(seal_slots)
{
	return rs_seal(fd, self->node, REFSTORE_SEAL_SLOTS);
}

TRY(set_root)
{
	return rs_set_root(fd, self->node);
}

TRY(cas_root)
{
	return rs_cas_root(fd, self->node, self->node);
}

TRY(collect)
{
	return rs_collect(fd, NULL);
}

TRY(tune)
{
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_SAVE,
	};

	return rs_tune(fd, &tune);
}

TRY(freeze)
{
	return rs_freeze(fd, REFSTORE_FREEZE_NONE, NULL);
}

TRY(drop_saved)
{
	return rs_drop_saved(fd, NULL);
}

TRY(walk)
{
	struct refstore_walk_object objects[4];
	struct refstore_walk walk = {
		.size = sizeof(walk),
		.what = REFSTORE_WALK_OBJECTS,
		.entries = rs_ptr(objects),
		.capacity = ARRAY_SIZE(objects),
	};

	return rs_walk(fd, &walk);
}

/* What seals comes last: it works once. */
static const struct {
	const char *name;
	__u32 needs;
	int (*try)(int fd, const FIXTURE_DATA(rights) *self);
} calls[] = {
	{ "create", REFSTORE_RIGHT_CREATE, try_create },
	{ "create many", REFSTORE_RIGHT_CREATE, try_create_many },
	{ "create in a batch", REFSTORE_RIGHT_CREATE, try_create_in_batch },
	{ "register", REFSTORE_RIGHT_CREATE, try_register },
	{ "write", REFSTORE_RIGHT_WRITE_DATA, try_write },
	{ "set slot", REFSTORE_RIGHT_WRITE_SLOTS, try_set_slot },
	{ "set slot in a batch", REFSTORE_RIGHT_WRITE_SLOTS,
	  try_set_slot_in_batch },
	{ "cas slot", REFSTORE_RIGHT_WRITE_SLOTS, try_cas_slot },
	{ "write slots", REFSTORE_RIGHT_WRITE_SLOTS, try_write_slots },
	{ "copy slots", REFSTORE_RIGHT_WRITE_SLOTS, try_copy_slots },
	{ "cas many", REFSTORE_RIGHT_WRITE_SLOTS, try_cas_many },
	{ "resize", REFSTORE_RIGHT_WRITE_SLOTS, try_resize },
	{ "set root", REFSTORE_RIGHT_WRITE_SLOTS, try_set_root },
	{ "cas root", REFSTORE_RIGHT_WRITE_SLOTS, try_cas_root },
	{ "collect", REFSTORE_RIGHT_COLLECT, try_collect },
	{ "tune", REFSTORE_RIGHT_COLLECT, try_tune },
	{ "freeze", REFSTORE_RIGHT_COLLECT, try_freeze },
	{ "drop saved", REFSTORE_RIGHT_COLLECT, try_drop_saved },
	{ "walk", REFSTORE_RIGHT_ENUMERATE, try_walk },
	{ "seal slots", REFSTORE_RIGHT_WRITE_SLOTS, try_seal_slots },
	{ "seal data", REFSTORE_RIGHT_WRITE_DATA, try_seal_data },
};

/* The name of a call that a session with @rights could, or could not, wrongly. */
static const char *wrong(int fd, __u32 rights, const FIXTURE_DATA(rights) *self)
{
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ret = calls[i].try(fd, self);
		if (ret != (rights & calls[i].needs ? 0 : -EACCES))
			return calls[i].name;
	}
	return "none";
}

/* Each right alone, each missing alone, none and all. */
static const __u32 masks[] = {
	REFSTORE_RIGHTS,
	0,
	REFSTORE_RIGHTS_READ,
	REFSTORE_RIGHT_CREATE,
	REFSTORE_RIGHT_WRITE_DATA,
	REFSTORE_RIGHT_WRITE_SLOTS,
	REFSTORE_RIGHT_COLLECT,
	REFSTORE_RIGHT_ENUMERATE,
	REFSTORE_RIGHTS & ~REFSTORE_RIGHT_CREATE,
	REFSTORE_RIGHTS & ~REFSTORE_RIGHT_WRITE_DATA,
	REFSTORE_RIGHTS & ~REFSTORE_RIGHT_WRITE_SLOTS,
	REFSTORE_RIGHTS & ~REFSTORE_RIGHT_COLLECT,
	REFSTORE_RIGHTS & ~REFSTORE_RIGHT_ENUMERATE,
};

TEST_F(rights, calls)
{
	struct refstore_query query;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		ASSERT_EQ(0, end(self));
		ASSERT_EQ(0, begin(self));
		ASSERT_EQ(0, rs_restrict(self->fd, masks[i]));
		ASSERT_EQ(0, rs_query(self->fd, &query));
		EXPECT_EQ(masks[i], query.rights);
		EXPECT_STREQ("none", wrong(self->fd, masks[i], self));
	}
}

/*
 * A session that another one mints has no more; asking for more does not help; nor
 * does an object that a full session wrote, got through the root.
 */
TEST_F(rights, never_regained)
{
	int fresh, clone;
	__u64 root;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		int may = masks[i] & REFSTORE_RIGHT_WRITE_SLOTS ? 0 : -EACCES;

		ASSERT_EQ(0, end(self));
		ASSERT_EQ(0, begin(self));
		ASSERT_EQ(0, rs_restrict(self->fd, masks[i]));
		ASSERT_EQ(0, rs_restrict(self->fd, REFSTORE_RIGHTS));
		fresh = rs_session_new(self->fd, 0);
		ASSERT_LE(0, fresh);
		ASSERT_EQ(0, rs_get_root(fresh, &root));
		EXPECT_EQ(may, rs_set_slot(fresh, root, 0, 0));
		clone = rs_session_new(self->fd, REFSTORE_SESSION_CLONE);
		ASSERT_LE(0, clone);
		EXPECT_STREQ("none", wrong(clone, masks[i], self));
		EXPECT_EQ(0, close(clone));
		EXPECT_EQ(0, close(fresh));
	}
}

/* A descriptor of a session without a name cannot be opened anew. */
TEST_F(rights, not_reopened)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(ENXIO, errno);
}

/* What looks, and what concerns the session alone, needs no right. */
TEST_F(rights, needs_none)
{
	struct refstore_generation generation;
	struct refstore_tune tune = { .size = sizeof(tune) };
	struct refstore_stat stat;
	__u64 dup, weak, strong, frozen;
	char name[REFSTORE_TYPE_NAME_MAX];
	char byte;

	ASSERT_EQ(0, rs_restrict(self->fd, 0));
	EXPECT_EQ(0, rs_dup(self->fd, self->leaf, &dup));
	EXPECT_EQ(0, rs_release(self->fd, dup));
	EXPECT_EQ(0, rs_get_slot(self->fd, self->node, 0, &dup));
	EXPECT_EQ(0, rs_read(self->fd, self->leaf, 0, 1, &byte, NULL));
	EXPECT_EQ(0, rs_stat(self->fd, self->leaf, &stat));
	EXPECT_EQ(0, rs_weak(self->fd, self->leaf, 0, 0, &weak));
	EXPECT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	EXPECT_EQ(0, rs_type_name(self->fd, REFSTORE_TYPE_LIST, name));
	EXPECT_EQ(0, rs_tune(self->fd, &tune));
	EXPECT_EQ(0, rs_watch_scans(self->fd, true));
	EXPECT_EQ(0, rs_generation(self->fd, 0, &generation));
	EXPECT_EQ(0, rs_freeze(self->fd, 0, &frozen));
}

/* The one that was restricted, and no other. */
TEST_F(rights, of_one_session)
{
	ASSERT_EQ(0, rs_restrict(self->fd, 0));
	EXPECT_STREQ("none", wrong(self->full, REFSTORE_RIGHTS, self));
}

TEST_F(rights, unknown)
{
	EXPECT_EQ(-EINVAL, rs_restrict(self->fd, REFSTORE_RIGHTS + 1));
	EXPECT_EQ(-EINVAL, rs_restrict(self->fd, 1ULL << 63));
	EXPECT_STREQ("none", wrong(self->fd, REFSTORE_RIGHTS, self));
}

TEST_HARNESS_MAIN
