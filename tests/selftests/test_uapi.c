// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that hold for every command: what is done with pointers, sizes,
 * flags and reserved fields, and that a call which failed changed nothing.
 *
 * Each command is a variant, for which all rules are tried.
 */
#include <limits.h>

#include "refstore_heap.h"

/* The layout is the same for 32-bit and 64-bit callers, for ever. */
#define SIZE_IS(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type " has a new size")
SIZE_IS(refstore_walk_object, 56);
SIZE_IS(refstore_walk_edge, 24);
SIZE_IS(refstore_walk_handle, 16);
SIZE_IS(refstore_walk_session, 80);
SIZE_IS(refstore_walk_label, 40);
SIZE_IS(refstore_op, 72);
SIZE_IS(refstore_event, 64);
_Static_assert(offsetof(struct refstore_op, create) == 8, "union moved");
_Static_assert(REFSTORE_QUERY == 0xbc40, "command has a new number");
_Static_assert(REFSTORE_TYPE_NAME == 0xbc56, "command has a new number");
_Static_assert(REFSTORE_DROP_SAVED == 0xbc5c, "command has a new number");
_Static_assert(REFSTORE_RELEASE_MANY == 0xbc5e, "command has a new number");
_Static_assert(REFSTORE_OPEN_EXPORT == 0xbc62, "command has a new number");
_Static_assert(REFSTORE_LABEL == 0xbc64, "command has a new number");
_Static_assert(REFSTORE_MAP == 0xbc66, "command has a new number");

#define MAGIC REFSTORE_IOC_MAGIC
#define FIRST REFSTORE_CMD_QUERY
#define LAST REFSTORE_CMD_CAS_MANY
#define LARGEST 4096	/* bytes of any struct: a page */

union argument {
	__u32 size;
	struct refstore_query query;
	struct refstore_create create;
	struct refstore_dup dup;
	struct refstore_release release;
	struct refstore_get_slot get_slot;
	struct refstore_set_slot set_slot;
	struct refstore_cas_slot cas_slot;
	struct refstore_slots slots;
	struct refstore_copy_slots copy_slots;
	struct refstore_cas_many cas_many;
	struct refstore_resize_slots resize_slots;
	struct refstore_data data;
	struct refstore_seal seal;
	struct refstore_stat stat;
	struct refstore_get_root get_root;
	struct refstore_set_root set_root;
	struct refstore_session_new session_new;
	struct refstore_type type;
	struct refstore_collect collect;
	struct refstore_walk walk;
	struct refstore_batch batch;
	struct refstore_weak weak;
	struct refstore_upgrade upgrade;
	struct refstore_tune tune;
	struct refstore_generation generation;
	struct refstore_freeze freeze;
	struct refstore_drop_saved drop_saved;
	struct refstore_create_many create_many;
	struct refstore_release_many release_many;
	struct refstore_restrict restriction;
	struct refstore_export export;
	struct refstore_import import;
	struct refstore_open_export open_export;
	struct refstore_limit limit;
	struct refstore_label label;
	struct refstore_adopt adopt;
	struct refstore_map map;
	char bytes[LARGEST + 8];
};

enum answers {
	NO_ANSWER,	/* the command has no out fields */
	UNDONE,		/* an answer that cannot be given undoes the call */
	STANDS,		/* what the call did stands */
};

FIXTURE(uapi)
{
	int fd;
	int export;		/* of leaf */
	int memfd;		/* of 16 bytes */
	int target;		/* what the command is called on */
	__u64 node;		/* 4 slots; the root; slot 0 refers to leaf */
	__u64 leaf;		/* 16 bytes of data */
	__u64 handles[4];
	char data[16];
	struct refstore_walk_object entries[8];
	struct refstore_op ops[2];
	struct refstore_cas_entry cas[2];
	union argument arg;
	struct rs_before before;
};

FIXTURE_VARIANT(uapi)
{
	unsigned int command;	/* REFSTORE_CMD_* */
	unsigned int first;	/* size of the struct's first version */
	unsigned int now;	/* and of the newest, if that is larger */
	unsigned int flags;	/* all that are known */
	unsigned int reserved;	/* a field's offset, or 0 */
	unsigned int reserved_bytes;
	enum answers answers;
	bool in_batch;
	void (*fill)(FIXTURE_DATA(uapi) *self);
};

/*
 * A valid call, with everything in it that goes in. What comes out is left as
 * it is: garbage.
 */
#define FILL(name) static void fill_##name(FIXTURE_DATA(uapi) *self)

FILL(query)
{
	self->arg.query.flags = 0;
}

FILL(create)
{
	struct refstore_create *create = &self->arg.create;

	self->handles[0] = self->leaf;
	self->handles[1] = 0;
	create->flags = 0;
	create->data = rs_ptr(self->data);
	create->type = REFSTORE_TYPE_LIST;
	create->nr_slots = 2;
	create->data_len = sizeof(self->data);
	create->reserved = 0;
	create->slots = rs_ptr(self->handles);
}

FILL(dup)
{
	self->arg.dup.flags = 0;
	self->arg.dup.object = self->leaf;
}

FILL(release)
{
	__u64 handle = 0;

	rs_dup(self->fd, self->leaf, &handle);
	self->arg.release.flags = 0;
	self->arg.release.object = handle;
}

FILL(get_slot)
{
	self->arg.get_slot.flags = 0;
	self->arg.get_slot.object = self->node;
	self->arg.get_slot.index = 0;
	self->arg.get_slot.reserved = 0;
}

FILL(set_slot)
{
	self->arg.set_slot.flags = 0;
	self->arg.set_slot.object = self->node;
	self->arg.set_slot.value = self->leaf;
	self->arg.set_slot.index = 1;
	self->arg.set_slot.reserved = 0;
}

FILL(cas_slot)
{
	self->arg.cas_slot.flags = 0;
	self->arg.cas_slot.object = self->node;
	self->arg.cas_slot.value = self->node;
	self->arg.cas_slot.expected = self->leaf;
	self->arg.cas_slot.index = 0;
	self->arg.cas_slot.reserved = 0;
	rs_set_slot(self->fd, self->node, 0, self->leaf);
}

FILL(read_slots)
{
	self->arg.slots.flags = 0;
	self->arg.slots.object = self->node;
	self->arg.slots.handles = rs_ptr(self->handles);
	self->arg.slots.first = 0;
	self->arg.slots.count = 4;
	self->arg.slots.reserved = 0;
}

FILL(write_slots)
{
	fill_read_slots(self);
	self->handles[0] = self->node;
	self->handles[1] = 0;
	self->handles[2] = self->leaf;
	self->handles[3] = self->leaf;
}

FILL(copy_slots)
{
	self->arg.copy_slots.flags = 0;
	self->arg.copy_slots.object = self->node;
	self->arg.copy_slots.source = self->node;
	self->arg.copy_slots.first = 2;
	self->arg.copy_slots.source_first = 0;
	self->arg.copy_slots.count = 2;
	self->arg.copy_slots.reserved = 0;
}

FILL(cas_many)
{
	memset(self->cas, 0, sizeof(self->cas));
	self->cas[0].object = self->node;
	self->cas[0].value = self->node;
	self->cas[0].expected = rs_slot_id(self->fd, self->node, 0);
	self->cas[1].object = self->node;
	self->cas[1].expected = rs_slot_id(self->fd, self->node, 1);
	self->cas[1].value = self->leaf;
	self->cas[1].index = 1;
	self->arg.cas_many.flags = 0;
	self->arg.cas_many.entries = rs_ptr(self->cas);
	self->arg.cas_many.count = 2;
	self->arg.cas_many.reserved = 0;
}

FILL(resize_slots)
{
	rs_resize(self->fd, self->node, 4);
	self->arg.resize_slots.flags = 0;
	self->arg.resize_slots.object = self->node;
	self->arg.resize_slots.nr_slots = 9;
	self->arg.resize_slots.reserved = 0;
}

FILL(data)
{
	self->arg.data.flags = 0;
	self->arg.data.object = self->leaf;
	self->arg.data.buffer = rs_ptr(self->data);
	self->arg.data.offset = 0;
	self->arg.data.length = sizeof(self->data);
}

/* A large value, which has the memory that others adopted. */
static __u64 large_value(FIXTURE_DATA(uapi) *self)
{
	__u64 handle = 0;

	rs_adopt(self->fd, self->memfd, REFSTORE_TYPE_BYTES, &handle);
	return handle;
}

FILL(large_data)
{
	fill_data(self);
	self->arg.data.object = large_value(self);
}

FILL(seal)
{
	__u64 handle = 0;

	rs_leaf(self->fd, NULL, 1, &handle);
	self->arg.seal.flags = REFSTORE_SEAL_DATA;
	self->arg.seal.object = handle;
}

FILL(stat)
{
	self->arg.stat.flags = 0;
	self->arg.stat.object = self->node;
}

FILL(get_root)
{
	self->arg.get_root.flags = 0;
	self->arg.get_root.reserved = 0;
}

FILL(set_root)
{
	rs_set_root(self->fd, self->node);
	self->arg.set_root.flags = 0;
	self->arg.set_root.expected = 0;
	self->arg.set_root.value = self->leaf;
}

FILL(cas_root)
{
	fill_set_root(self);
	self->arg.set_root.expected = self->node;
}

FILL(session_new)
{
	self->arg.session_new.flags = 0;
	self->arg.session_new.reserved = 0;
}

FILL(type_register)
{
	static const char name[REFSTORE_TYPE_NAME_MAX] = "selftest";

	self->arg.type.flags = 0;
	self->arg.type.reserved = 0;
	memcpy(self->arg.type.name, name, sizeof(name));
}

FILL(type_name)
{
	self->arg.type.flags = 0;
	self->arg.type.type = REFSTORE_TYPE_DICT;
	self->arg.type.reserved = 0;
}

FILL(collect)
{
	self->arg.collect.flags = 0;
	self->arg.collect.generation = 0;
	self->arg.collect.reserved = 0;
}

FILL(walk)
{
	self->arg.walk.flags = REFSTORE_WALK_MINT;
	self->arg.walk.what = REFSTORE_WALK_OBJECTS;
	self->arg.walk.capacity = 8;
	self->arg.walk.entries = rs_ptr(self->entries);
	self->arg.walk.cursor[0] = 0;
	self->arg.walk.cursor[1] = 0;
}

FILL(batch)
{
	self->ops[0] = op_create(1, NULL);
	self->ops[1] = op_release(REFSTORE_RESULT(0));
	self->arg.batch.flags = 0;
	self->arg.batch.ops = rs_ptr(self->ops);
	self->arg.batch.nr_ops = 2;
	self->arg.batch.op_size = sizeof(self->ops[0]);
}

/* Not the object's first one: what that costs is not given back. */
FILL(weak)
{
	__u64 weak = 0;

	rs_weak(self->fd, self->node, 0, 0, &weak);
	self->arg.weak.flags = REFSTORE_WEAK_NOTIFY;
	self->arg.weak.object = self->node;
	self->arg.weak.cookie = ~0ULL;
}

FILL(upgrade)
{
	__u64 weak = 0;

	rs_weak(self->fd, self->leaf, 0, 0, &weak);
	self->arg.upgrade.flags = 0;
	self->arg.upgrade.weak = weak;
}

/* All settings are others than those in force. */
FILL(tune)
{
	struct refstore_tune now = {}, *tune = &self->arg.tune;
	int i;

	rs_tune(self->fd, &now);
	tune->flags = REFSTORE_TUNE_AUTOMATIC | REFSTORE_TUNE_SAVE |
		      REFSTORE_TUNE_EVENTS | REFSTORE_TUNE_THRESHOLD |
		      REFSTORE_TUNE_DELAY;
	tune->automatic = !now.automatic;
	tune->save = !now.save;
	tune->events = !now.events;
	tune->reserved = 0;
	for (i = 0; i < REFSTORE_GENERATIONS; i++) {
		tune->threshold[i] = now.threshold[i] + 1;
		tune->delay[i] = now.delay[i] + 1;
	}
}

FILL(generation)
{
	self->arg.generation.flags = 0;
	self->arg.generation.generation = REFSTORE_GENERATIONS - 1;
	self->arg.generation.reserved = 0;
}

/* There is something new to be frozen. */
FILL(freeze)
{
	__u64 handle = 0;

	rs_node(self->fd, 1, NULL, &handle);
	self->arg.freeze.flags = REFSTORE_FREEZE_ALL;
}

/* There is something saved. */
FILL(drop_saved)
{
	__u64 ring = 0;

	rs_manual(self->fd);
	rs_ring(self->fd, 3, 1, &ring);
	rs_release(self->fd, ring);
	rs_save(self->fd, true);
	rs_collect(self->fd, NULL);
	rs_save(self->fd, false);
	self->arg.drop_saved.flags = 0;
}

FILL(create_many)
{
	struct refstore_create_many *create = &self->arg.create_many;

	create->flags = 0;
	create->data = rs_ptr(self->data);
	create->handles = rs_ptr(self->handles);
	create->type = REFSTORE_TYPE_LIST;
	create->count = 4;
	create->data_len = sizeof(self->data) / 4;
	create->nr_slots = 2;
	create->reserved = 0;
}

FILL(release_many)
{
	struct refstore_release_many *release = &self->arg.release_many;

	rs_dup(self->fd, self->leaf, &self->handles[0]);
	self->handles[1] = 0;
	rs_dup(self->fd, self->node, &self->handles[2]);
	release->flags = 0;
	release->handles = rs_ptr(self->handles);
	release->count = 3;
}

FILL(restriction)
{
	self->arg.restriction.flags = 0;
	self->arg.restriction.rights = REFSTORE_RIGHTS;
}

FILL(export)
{
	self->arg.export.flags = 0;
	self->arg.export.object = self->leaf;
	self->arg.export.rights = REFSTORE_RIGHTS;
	self->arg.export.reserved = 0;
}

FILL(import)
{
	self->arg.import.flags = 0;
	self->arg.import.fd = self->export;
	self->arg.import.reserved = 0;
}

FILL(open_export)
{
	self->target = self->export;
	self->arg.open_export.flags = 0;
	self->arg.open_export.reserved = 0;
}

FILL(limit)
{
	self->arg.limit.flags = 0;
	self->arg.limit.limit = REFSTORE_LIMIT_HEAP_OBJECTS;
}

FILL(label)
{
	self->arg.label.flags = 0;
	self->arg.label.what = REFSTORE_LABEL_SESSION;
	self->arg.label.reserved = 0;
	self->arg.label.object = 0;
	memset(self->arg.label.label, 0, sizeof(self->arg.label.label));
}

FILL(adopt)
{
	self->arg.adopt.flags = 0;
	self->arg.adopt.fd = self->memfd;
	self->arg.adopt.type = REFSTORE_TYPE_BYTES;
}

FILL(map)
{
	self->arg.map.flags = REFSTORE_MAP_WRITE;
	self->arg.map.object = large_value(self);
	self->arg.map.reserved = 0;
}

#define RESERVED(struct_type, field)					\
	.reserved = offsetof(struct struct_type, field),		\
	.reserved_bytes = sizeof(((struct struct_type *)0)->field)

FIXTURE_VARIANT_ADD(uapi, query)
{
	.command = REFSTORE_CMD_QUERY, .first = 96, .now = 104,
	.fill = fill_query,
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, create)
{
	.command = REFSTORE_CMD_CREATE, .first = 56, .fill = fill_create,
	.flags = REFSTORE_CREATE_SLOTTED | REFSTORE_SEAL_DATA |
		 REFSTORE_SEAL_SLOTS | REFSTORE_CREATE_INTERN |
		 REFSTORE_CREATE_IMMORTAL,
	RESERVED(refstore_create, reserved),
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, dup)
{
	.command = REFSTORE_CMD_DUP, .first = 24, .fill = fill_dup,
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, release)
{
	.command = REFSTORE_CMD_RELEASE, .first = 16, .fill = fill_release,
	.in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, get_slot)
{
	.command = REFSTORE_CMD_GET_SLOT, .first = 32, .now = 40,
	.fill = fill_get_slot,
	.flags = REFSTORE_SLOT_PEEK | REFSTORE_SLOT_MATCH,
	RESERVED(refstore_get_slot, reserved),
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, set_slot)
{
	.command = REFSTORE_CMD_SET_SLOT, .first = 32, .fill = fill_set_slot,
	RESERVED(refstore_set_slot, reserved), .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, cas_slot)
{
	.command = REFSTORE_CMD_CAS_SLOT, .first = 40, .fill = fill_cas_slot,
	RESERVED(refstore_cas_slot, reserved), .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, read_slots)
{
	.command = REFSTORE_CMD_READ_SLOTS, .first = 40,
	.flags = REFSTORE_SLOT_PEEK, .fill = fill_read_slots, RESERVED(refstore_slots, reserved),
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, write_slots)
{
	.command = REFSTORE_CMD_WRITE_SLOTS, .first = 40,
	.fill = fill_write_slots, RESERVED(refstore_slots, reserved),
	.answers = STANDS, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, copy_slots)
{
	.command = REFSTORE_CMD_COPY_SLOTS, .first = 40,
	.fill = fill_copy_slots, RESERVED(refstore_copy_slots, reserved),
	.in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, cas_many)
{
	.command = REFSTORE_CMD_CAS_MANY, .first = 24, .fill = fill_cas_many,
	RESERVED(refstore_cas_many, reserved), .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, resize_slots)
{
	.command = REFSTORE_CMD_RESIZE_SLOTS, .first = 24,
	.fill = fill_resize_slots, RESERVED(refstore_resize_slots, reserved),
	.in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, read)
{
	.command = REFSTORE_CMD_READ, .first = 40, .fill = fill_data,
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, read_large)
{
	.command = REFSTORE_CMD_READ, .first = 40, .fill = fill_large_data,
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, write)
{
	.command = REFSTORE_CMD_WRITE, .first = 40, .fill = fill_data,
	.answers = STANDS, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, write_large)
{
	.command = REFSTORE_CMD_WRITE, .first = 40, .fill = fill_large_data,
	.answers = STANDS, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, seal)
{
	.command = REFSTORE_CMD_SEAL, .first = 16, .fill = fill_seal,
	.flags = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, stat)
{
	.command = REFSTORE_CMD_STAT, .first = 64, .fill = fill_stat,
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, get_root)
{
	.command = REFSTORE_CMD_GET_ROOT, .first = 24, .fill = fill_get_root,
	RESERVED(refstore_get_root, reserved),
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, set_root)
{
	.command = REFSTORE_CMD_SET_ROOT, .first = 24, .fill = fill_set_root,
	RESERVED(refstore_set_root, expected), .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, cas_root)
{
	.command = REFSTORE_CMD_CAS_ROOT, .first = 24, .fill = fill_cas_root,
	.in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, session_new)
{
	.command = REFSTORE_CMD_SESSION_NEW, .first = 16,
	.fill = fill_session_new, .flags = REFSTORE_SESSION_CLONE,
	RESERVED(refstore_session_new, reserved), .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, type_register)
{
	.command = REFSTORE_CMD_TYPE_REGISTER, .first = 48,
	.fill = fill_type_register, RESERVED(refstore_type, reserved),
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, type_name)
{
	.command = REFSTORE_CMD_TYPE_NAME, .first = 48,
	.fill = fill_type_name, RESERVED(refstore_type, reserved),
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, collect)
{
	.command = REFSTORE_CMD_COLLECT, .first = 72, .fill = fill_collect,
	RESERVED(refstore_collect, reserved),
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, walk)
{
	.command = REFSTORE_CMD_WALK, .first = 48, .fill = fill_walk,
	.flags = REFSTORE_WALK_MINT, .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, batch)
{
	.command = REFSTORE_CMD_BATCH, .first = 32, .fill = fill_batch,
	.flags = REFSTORE_BATCH_CONTINUE, .answers = UNDONE,
};

FIXTURE_VARIANT_ADD(uapi, weak)
{
	.command = REFSTORE_CMD_WEAK, .first = 32, .fill = fill_weak,
	.flags = REFSTORE_WEAK_NOTIFY, .answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, upgrade)
{
	.command = REFSTORE_CMD_UPGRADE, .first = 24, .fill = fill_upgrade,
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, tune)
{
	.command = REFSTORE_CMD_TUNE, .first = 48, .fill = fill_tune,
	.flags = REFSTORE_TUNE_AUTOMATIC | REFSTORE_TUNE_SAVE |
		 REFSTORE_TUNE_EVENTS | REFSTORE_TUNE_THRESHOLD |
		 REFSTORE_TUNE_DELAY,
	RESERVED(refstore_tune, reserved), .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, generation)
{
	.command = REFSTORE_CMD_GENERATION, .first = 96,
	.fill = fill_generation, RESERVED(refstore_generation, reserved),
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, freeze)
{
	.command = REFSTORE_CMD_FREEZE, .first = 16, .fill = fill_freeze,
	.flags = REFSTORE_FREEZE_ALL | REFSTORE_FREEZE_NONE, .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, drop_saved)
{
	.command = REFSTORE_CMD_DROP_SAVED, .first = 16,
	.fill = fill_drop_saved, .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, create_many)
{
	.command = REFSTORE_CMD_CREATE_MANY, .first = 48,
	.fill = fill_create_many,
	.flags = REFSTORE_CREATE_SLOTTED | REFSTORE_SEAL_DATA |
		 REFSTORE_SEAL_SLOTS,
	RESERVED(refstore_create_many, reserved),
	.answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, release_many)
{
	.command = REFSTORE_CMD_RELEASE_MANY, .first = 24,
	.fill = fill_release_many, .answers = UNDONE, .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, restriction)
{
	.command = REFSTORE_CMD_RESTRICT, .first = 16,
	.fill = fill_restriction,
};
FIXTURE_VARIANT_ADD(uapi, export)
{
	.command = REFSTORE_CMD_EXPORT, .first = 32, .fill = fill_export,
	RESERVED(refstore_export, reserved), .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, import)
{
	.command = REFSTORE_CMD_IMPORT, .first = 24, .fill = fill_import,
	RESERVED(refstore_import, reserved), .answers = UNDONE,
	.in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, open_export)
{
	.command = REFSTORE_CMD_OPEN_EXPORT, .first = 24,
	.fill = fill_open_export,
	RESERVED(refstore_open_export, reserved), .answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, limit)
{
	.command = REFSTORE_CMD_LIMIT, .first = 32, .fill = fill_limit,
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, label)
{
	.command = REFSTORE_CMD_LABEL, .first = 56, .fill = fill_label,
	RESERVED(refstore_label, reserved), .in_batch = true,
};
FIXTURE_VARIANT_ADD(uapi, adopt)
{
	.command = REFSTORE_CMD_ADOPT, .first = 32, .fill = fill_adopt,
	.answers = UNDONE,
};
FIXTURE_VARIANT_ADD(uapi, map)
{
	.command = REFSTORE_CMD_MAP, .first = 32, .fill = fill_map,
	.flags = REFSTORE_MAP_WRITE, RESERVED(refstore_map, reserved),
	.answers = UNDONE,
};

FIXTURE_SETUP(uapi)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, "0123456789abcdef", 16, &self->leaf));
	ASSERT_EQ(0, rs_node(self->fd, 4, NULL, &self->node));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->node, 0, self->leaf));
	ASSERT_EQ(0, rs_set_root(self->fd, self->node));
	self->export = rs_export(self->fd, self->leaf, REFSTORE_RIGHTS);
	ASSERT_LE(0, self->export);
	self->memfd = rs_memfd(16);
	ASSERT_LE(0, self->memfd);
	self->target = self->fd;
}

FIXTURE_TEARDOWN(uapi)
{
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
}

/* Fills in a valid call and notes how the heap is before it. */
static void prepare(struct __test_metadata *_metadata, FIXTURE_DATA(uapi) *self,
		    const FIXTURE_VARIANT(uapi) *variant)
{
	rs_before_free(&self->before);
	memset(&self->arg, 0xff, sizeof(self->arg));
	variant->fill(self);
	self->arg.size = variant->first;
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
}

#define RULE(name)							\
static void name(struct __test_metadata *_metadata,			\
		 FIXTURE_DATA(uapi) *self, const FIXTURE_VARIANT(uapi) *variant)

#define CALL(variant, pointer) \
	rs_call(self->target, _IO(MAGIC, (variant)->command), pointer)

/* The call fails with an error and changes nothing. */
#define EXPECT_FAILS(error, call) do {					\
	EXPECT_EQ(-(error), call);					\
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));		\
} while (0)

/*
 * What all the other tests lean on. What is in out fields is not looked at, and
 * the struct may lie anywhere.
 */
RULE(valid)
{
	char buffer[sizeof(self->arg) + 8];

	prepare(_metadata, self, variant);
	EXPECT_EQ(0, CALL(variant, &self->arg));
	EXPECT_EQ(variant->first, self->arg.size);
	prepare(_metadata, self, variant);
	memcpy(buffer + 3, &self->arg, variant->first);
	EXPECT_EQ(0, CALL(variant, buffer + 3));
}

RULE(no_memory)
{
	size_t page = sysconf(_SC_PAGESIZE), there;
	char *end = rs_fenced(1);

	ASSERT_NE(MAP_FAILED, end);
	end += page;
	prepare(_metadata, self, variant);
	EXPECT_EQ(-EFAULT, CALL(variant, NULL));
	EXPECT_EQ(-EFAULT, CALL(variant, end));
	EXPECT_EQ(-EFAULT, CALL(variant, (void *)-4096L));
	/* The half of the address space that is the kernel's. */
	EXPECT_EQ(-EFAULT, CALL(variant, (void *)LONG_MIN));
	/* Whatever part of it is there. */
	for (there = 1; there < variant->first; there++) {
		memcpy(end - there, &self->arg, there);
		EXPECT_EQ(-EFAULT, CALL(variant, end - there));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
	/* All of it. */
	memcpy(end - variant->first, &self->arg, variant->first);
	EXPECT_EQ(0, CALL(variant, end - variant->first));
}

/*
 * An answer that cannot be copied out makes nothing that the caller does not
 * know of: no object, no handle, no session.
 */
RULE(read_only)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *memory = rs_fenced(1);
	int ret;

	ASSERT_NE(MAP_FAILED, memory);
	prepare(_metadata, self, variant);
	memcpy(memory, &self->arg, variant->first);
	ASSERT_EQ(0, mprotect(memory, page, PROT_READ));
	ret = CALL(variant, memory);
	switch (variant->answers) {
	case NO_ANSWER:
		EXPECT_TRUE(ret == 0 || ret == -EFAULT);
		break;
	case UNDONE:
		EXPECT_FAILS(EFAULT, ret);
		break;
	case STANDS:
		EXPECT_EQ(-EFAULT, ret);
		break;
	}
	if (ret && variant->answers != STANDS)
		EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

RULE(small_size)
{
	unsigned int size;

	prepare(_metadata, self, variant);
	for (size = 0; size < variant->first; size++) {
		self->arg.size = size;
		EXPECT_EQ(-EINVAL, CALL(variant, &self->arg));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

/* A newer program that uses nothing which this kernel does not know. */
RULE(large_size_unused)
{
	static const unsigned int more[] = { 1, 4, 8, 24, 100, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		prepare(_metadata, self, variant);
		memset(self->arg.bytes + variant->first, 0, more[i]);
		self->arg.size = variant->first + more[i];
		EXPECT_EQ(0, CALL(variant, &self->arg));
	}
	prepare(_metadata, self, variant);
	memset(self->arg.bytes + variant->first, 0, LARGEST - variant->first);
	self->arg.size = LARGEST;
	EXPECT_EQ(0, CALL(variant, &self->arg));
}

/* A newer program that uses what this kernel does not know. */
RULE(large_size_used)
{
	unsigned int first = variant->now ?: variant->first, at;
	char *end = rs_fenced(1);

	ASSERT_NE(MAP_FAILED, end);
	end += sysconf(_SC_PAGESIZE);
	prepare(_metadata, self, variant);
	memset(self->arg.bytes + first, 0, LARGEST - first);
	self->arg.size = LARGEST;
	for (at = first; at < LARGEST; at = at < first + 16 ? at + 1 : at * 2) {
		self->arg.bytes[at] = 1;
		EXPECT_EQ(-E2BIG, CALL(variant, &self->arg));
		self->arg.bytes[at] = 0;
	}
	self->arg.bytes[LARGEST - 1] = (char)0x80;
	EXPECT_EQ(-E2BIG, CALL(variant, &self->arg));
	/* More than a page is too much, whatever is in it. */
	memset(self->arg.bytes + first, 0, sizeof(self->arg) - first);
	self->arg.size = LARGEST + 1;
	EXPECT_EQ(-E2BIG, CALL(variant, &self->arg));
	self->arg.size = UINT32_MAX;
	EXPECT_EQ(-E2BIG, CALL(variant, &self->arg));
	/* A size that promises more memory than there is. */
	self->arg.size = first + 8;
	memcpy(end - first, &self->arg, first);
	EXPECT_FAILS(EFAULT, CALL(variant, end - first));
}

/* Every bit that has no meaning yet must be zero. */
RULE(unknown_bits)
{
	__u32 *flags = &self->arg.create.flags, valid;
	unsigned char *reserved;
	unsigned int bit;

	prepare(_metadata, self, variant);
	valid = *flags;
	for (bit = 0; bit < 32; bit++) {
		if (variant->flags & (1U << bit))
			continue;
		*flags = valid | 1U << bit;
		EXPECT_EQ(-EINVAL, CALL(variant, &self->arg));
	}
	*flags = valid;
	reserved = (unsigned char *)self->arg.bytes + variant->reserved;
	for (bit = 0; bit < 8 * variant->reserved_bytes; bit++) {
		reserved[bit / 8] = 1 << bit % 8;
		EXPECT_EQ(-EINVAL, CALL(variant, &self->arg));
		reserved[bit / 8] = 0;
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

/* One operation; its error, or the call's. */
static int batch_one(FIXTURE_DATA(uapi) *self,
		     const FIXTURE_VARIANT(uapi) *variant)
{
	struct refstore_op op = { .command = variant->command };
	struct refstore_batch batch;
	int ret;

	memcpy(op.room, &self->arg, sizeof(op.room));
	ret = rs_batch(self->fd, 0, &op, 1, &batch);
	if (ret)
		return ret;
	return batch.done == 1 && batch.failed == !!op.error ? op.error :
							       -EPROTO;
}

/* The same rules hold for an operation of a batch. */
RULE(batched)
{
	const unsigned int room = sizeof(((struct refstore_op *)0)->room);
	unsigned int bit, size, first = variant->first;
	struct refstore_create *arg = &self->arg.create;
	__u32 valid;

	prepare(_metadata, self, variant);
	if (!variant->in_batch) {
		EXPECT_FAILS(EOPNOTSUPP, batch_one(self, variant));
		return;
	}
	for (size = 0; size < first; size += 4) {
		arg->size = size;
		EXPECT_EQ(-EINVAL, batch_one(self, variant));
	}
	arg->size = first;
	valid = arg->flags;
	for (bit = 0; bit < 32; bit++) {
		if (variant->flags & (1U << bit))
			continue;
		arg->flags = valid | 1U << bit;
		EXPECT_EQ(-EINVAL, batch_one(self, variant));
	}
	arg->flags = valid;
	if (variant->reserved) {
		self->arg.bytes[variant->reserved] = 1;
		EXPECT_EQ(-EINVAL, batch_one(self, variant));
		self->arg.bytes[variant->reserved] = 0;
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
	EXPECT_EQ(0, batch_one(self, variant));

	/* An operation has room for more than this kernel knows, no more. */
	first = variant->now ?: first;
	if (first == room)
		return;
	prepare(_metadata, self, variant);
	memset(self->arg.bytes + first, 0, LARGEST - first);
	self->arg.size = room;
	self->arg.bytes[first] = 1;
	EXPECT_FAILS(E2BIG, batch_one(self, variant));
	self->arg.bytes[first] = 0;
	self->arg.bytes[room - 1] = 1;
	EXPECT_FAILS(E2BIG, batch_one(self, variant));
	self->arg.bytes[room - 1] = 0;
	EXPECT_EQ(0, batch_one(self, variant));
	/* No struct of this size is in an operation of this size. */
	prepare(_metadata, self, variant);
	self->arg.size = room + 1;
	EXPECT_NE(0, batch_one(self, variant));
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

/* In one process, since two for each of them are what takes the time. */
TEST_F(uapi, rules)
{
	static const struct {
		void (*follow)(struct __test_metadata *_metadata,
			       FIXTURE_DATA(uapi) *self,
			       const FIXTURE_VARIANT(uapi) *variant);
		const char *name;
	} rules[] = {
		{ valid, "valid" },
		{ no_memory, "no_memory" },
		{ read_only, "read_only" },
		{ small_size, "small_size" },
		{ large_size_unused, "large_size_unused" },
		{ large_size_used, "large_size_used" },
		{ unknown_bits, "unknown_bits" },
		{ batched, "batched" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules) && __test_passed(_metadata); i++) {
		rules[i].follow(_metadata, self, variant);
		if (!__test_passed(_metadata))
			TH_LOG("the rule is %s", rules[i].name);
	}
}

/* --- Numbers that are no commands ------------------------------------- */

FIXTURE(numbers)
{
	int fd;
	struct rs_before before;
};

FIXTURE_SETUP(numbers)
{
	__u64 handle;

	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &handle));
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
}

FIXTURE_TEARDOWN(numbers)
{
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
}

/* The number is looked at before the pointer. */
TEST_F(numbers, unknown)
{
	unsigned int nr;
	__u32 size = 64;

	for (nr = 0; nr < 256; nr++) {
		if (nr >= FIRST && nr <= LAST)
			continue;
		EXPECT_EQ(-ENOTTY, rs_call(self->fd, _IO(MAGIC, nr), &size));
		EXPECT_EQ(-ENOTTY, rs_call(self->fd, _IO(MAGIC, nr), NULL));
	}
}

TEST_F(numbers, other_magic)
{
	static const unsigned char magic[] = { 0, ';', 'U', 0xbb, 0xbd, 0xff };
	struct refstore_get_root get = { .size = sizeof(get) };
	unsigned int nr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(magic); i++) {
		for (nr = FIRST; nr <= LAST; nr++) {
			EXPECT_EQ(-ENOTTY,
				  rs_call(self->fd, _IO(magic[i], nr), &get));
		}
	}
}

/* Direction and size are part of the number, and none of ours has them. */
TEST_F(numbers, direction_and_size)
{
	struct refstore_query query = { .size = sizeof(query) };
	unsigned int nr;

	for (nr = FIRST; nr <= LAST; nr++) {
		EXPECT_EQ(-ENOTTY,
			  rs_call(self->fd, _IOR(MAGIC, nr, __u64), &query));
		EXPECT_EQ(-ENOTTY,
			  rs_call(self->fd, _IOWR(MAGIC, nr, __u32), &query));
		EXPECT_EQ(-ENOTTY,
			  rs_call(self->fd, _IOW(MAGIC, nr, char), &query));
	}
}

/* --- Memory that other fields point to -------------------------------- */

FIXTURE(pointers)
{
	int fd;
	char *end;		/* what lies before it is there */
	__u64 node, leaf, large;
	struct rs_before before;
};

/* Where a buffer that is @needed bytes long lies. */
FIXTURE_VARIANT(pointers)
{
	bool straddles;		/* half of it is there */
	__u64 address;		/* else: at this address */
};

FIXTURE_VARIANT_ADD(pointers, fence)
{
	.straddles = true,
};
FIXTURE_VARIANT_ADD(pointers, page_zero)
{
	.address = 8,
};
FIXTURE_VARIANT_ADD(pointers, kernel)
{
	.address = 0xffff888000000000ULL,
};
FIXTURE_VARIANT_ADD(pointers, wraps)
{
	.address = 0xfffffffffffffff8ULL,
};
/* To a 32-bit caller too, a pointer has 64 bits. */
FIXTURE_VARIANT_ADD(pointers, beyond_32_bits)
{
	.address = 0x7ff000000008ULL,
};

#define NR_SLOTS 100
#define NR_BYTES 9000

FIXTURE_SETUP(pointers)
{
	int memfd = rs_memfd(NR_BYTES), i;
	char data[NR_BYTES];

	ASSERT_LE(0, memfd);
	memset(data, 'a', sizeof(data));
	self->end = rs_fenced(4);
	ASSERT_NE(MAP_FAILED, self->end);
	self->end += 4 * sysconf(_SC_PAGESIZE);
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_leaf(self->fd, data, NR_BYTES, &self->leaf));
	ASSERT_EQ(0, rs_adopt(self->fd, memfd, REFSTORE_TYPE_BYTES,
			      &self->large));
	ASSERT_EQ(0, close(memfd));
	ASSERT_EQ(0, rs_node(self->fd, NR_SLOTS, NULL, &self->node));
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_EQ(0, rs_set_slot(self->fd, self->node, i, self->leaf));
	}
	ASSERT_EQ(0, rs_before(self->fd, &self->before));
}

FIXTURE_TEARDOWN(pointers)
{
	rs_before_free(&self->before);
	EXPECT_EQ(0, close(self->fd));
}

static __u64 place(FIXTURE_DATA(pointers) *self,
		   const FIXTURE_VARIANT(pointers) *variant, size_t needed)
{
	if (variant->straddles)
		return rs_ptr(self->end - needed / 2);
	return variant->address;
}

TEST_F(pointers, create)
{
	struct refstore_create create = { .data_len = NR_BYTES };
	__u64 *slots = (__u64 *)self->end;
	int i;

	create.data = place(self, variant, NR_BYTES);
	EXPECT_FAILS(EFAULT, rs_create(self->fd, &create));
	for (i = 1; i <= NR_SLOTS / 2; i++)
		slots[-i] = self->leaf;
	create = (struct refstore_create){ .nr_slots = NR_SLOTS };
	create.slots = place(self, variant, NR_SLOTS * sizeof(*slots));
	EXPECT_FAILS(EFAULT, rs_create(self->fd, &create));
}

TEST_F(pointers, read)
{
	struct refstore_data data = {
		.size = sizeof(data),
		.object = self->leaf,
		.buffer = place(self, variant, NR_BYTES),
		.length = NR_BYTES,
	};

	EXPECT_FAILS(EFAULT, rs_call(self->fd, REFSTORE_READ, &data));
}

/* Written whole or not at all. */
TEST_F(pointers, write)
{
	struct refstore_data data = {
		.size = sizeof(data),
		.object = self->leaf,
		.buffer = place(self, variant, NR_BYTES),
		.length = NR_BYTES,
	};
	char found[NR_BYTES];
	int i;

	EXPECT_FAILS(EFAULT, rs_call(self->fd, REFSTORE_WRITE, &data));
	ASSERT_EQ(0, rs_read(self->fd, self->leaf, 0, NR_BYTES, found, NULL));
	for (i = 0; i < NR_BYTES; i++) {
		ASSERT_EQ('a', found[i]);
	}
}

/* A large value's data may have been written in part. */
TEST_F(pointers, large)
{
	struct refstore_data data = {
		.size = sizeof(data),
		.object = self->large,
		.buffer = place(self, variant, NR_BYTES),
		.length = NR_BYTES,
	};

	EXPECT_FAILS(EFAULT, rs_call(self->fd, REFSTORE_READ, &data));
	EXPECT_FAILS(EFAULT, rs_call(self->fd, REFSTORE_WRITE, &data));
}

/* As many handles are valid as the call says, and none that it does not. */
TEST_F(pointers, read_slots)
{
	struct refstore_slots slots = {
		.size = sizeof(slots),
		.object = self->node,
		.handles = place(self, variant, NR_SLOTS * sizeof(__u64)),
		.count = NR_SLOTS,
	};
	struct rs_figures figures;
	__u64 *handles = (__u64 *)self->end - NR_SLOTS / 2;
	__u32 i;
	int ret;

	ret = rs_call(self->fd, REFSTORE_READ_SLOTS, &slots);
	if (ret || !variant->straddles) {
		EXPECT_FAILS(EFAULT, ret);
		return;
	}
	EXPECT_LE(1, slots.done);
	ASSERT_GE(NR_SLOTS / 2, slots.done);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(self->before.figures.handles + slots.done, figures.handles);
	for (i = 0; i < slots.done; i++) {
		EXPECT_EQ(0, rs_release(self->fd, handles[i]));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

TEST_F(pointers, write_slots)
{
	struct refstore_slots slots = {
		.size = sizeof(slots),
		.object = self->node,
		.handles = place(self, variant, NR_SLOTS * sizeof(__u64)),
		.count = NR_SLOTS,
	};
	__u64 *handles = (__u64 *)self->end;
	struct rs_heap heap;
	__u32 i;
	int ret;

	for (i = 1; i <= NR_SLOTS / 2; i++)
		handles[-(int)i] = self->node;
	ret = rs_call(self->fd, REFSTORE_WRITE_SLOTS, &slots);
	if (ret || !variant->straddles) {
		EXPECT_FAILS(EFAULT, ret);
		return;
	}
	EXPECT_LE(1, slots.done);
	ASSERT_GE(NR_SLOTS / 2, slots.done);
	/* The first @done refer to the node now, the others do not. */
	ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	ASSERT_EQ(NR_SLOTS, heap.nr_edges);
	for (i = 0; i < NR_SLOTS; i++) {
		EXPECT_EQ(i < slots.done,
			  heap.edges[i].to == heap.edges[i].from);
	}
	rs_heap_free(&heap);
}

/* As many objects are there as the call says, and none that it does not. */
static void expect_made(struct __test_metadata *_metadata,
			FIXTURE_DATA(pointers) *self,
			struct refstore_create_many *create, __u64 *handles,
			__u32 most)
{
	struct rs_figures figures;
	__u32 i;
	int ret = rs_create_many(self->fd, create);

	if (ret || !most) {
		EXPECT_FAILS(EFAULT, ret);
		return;
	}
	EXPECT_LE(1, create->done);
	ASSERT_GE(most, create->done);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(self->before.figures.handles + create->done, figures.handles);
	EXPECT_EQ(self->before.figures.objects + create->done, figures.objects);
	for (i = 0; i < create->done; i++) {
		EXPECT_EQ(1, rs_refs(self->fd, handles[i]));
		EXPECT_EQ(0, rs_release(self->fd, handles[i]));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

static const __u32 counts[] = { 1, 7, 63, 64, 65, 200, 1000 };

TEST_F(pointers, create_many)
{
	static __u64 handles[1000];
	struct refstore_create_many create;
	__u32 count, most;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		count = counts[i];
		most = variant->straddles ? count / 2 : 0;
		create = (struct refstore_create_many){
			.count = count,
			.handles = place(self, variant,
					 count / 2 * 2 * sizeof(*handles)),
		};
		expect_made(_metadata, self, &create,
			    (__u64 *)self->end - most, most);
		create = (struct refstore_create_many){
			.count = count,
			.handles = rs_ptr(handles),
			.data_len = 10,
			.data = place(self, variant, count / 2 * 2 * 10),
		};
		expect_made(_metadata, self, &create, handles, most);
	}
}

/* As many handles are stale as the call says, and the others are not. */
TEST_F(pointers, release_many)
{
	struct refstore_release_many release = { .size = sizeof(release) };
	static __u64 dups[1000];
	__u32 count, most, j;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		count = counts[i];
		most = variant->straddles ? count / 2 : 0;
		ASSERT_EQ(0, rs_repeat(self->fd, op_dup(self->leaf), count,
				       dups));
		memcpy((__u64 *)self->end - most, dups, most * sizeof(*dups));
		release.handles = place(self, variant, 2 * most * sizeof(*dups));
		release.count = count;
		ret = rs_call(self->fd, REFSTORE_RELEASE_MANY, &release);
		if (ret) {
			EXPECT_EQ(-EFAULT, ret);
			release.done = 0;
		} else {
			EXPECT_LE(1, release.done);
			EXPECT_GE(most, release.done);
		}
		for (j = 0; j < count; j++) {
			EXPECT_EQ(j < release.done ? -EBADF : 0,
				  rs_release(self->fd, dups[j]));
		}
		EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
	}
}

/* Handles that could not be told are not minted. */
TEST_F(pointers, walk)
{
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.what = REFSTORE_WALK_OBJECTS,
		.capacity = 2,
		.entries = place(self, variant,
				 2 * sizeof(struct refstore_walk_object)),
	};
	unsigned int what;

	EXPECT_FAILS(EFAULT, rs_walk(self->fd, &walk));
	for (what = REFSTORE_WALK_OBJECTS; what <= REFSTORE_WALK_HANDLES;
	     what++) {
		walk = (struct refstore_walk){
			.what = what,
			.capacity = 2,
			.entries = place(self, variant,
					 2 * rs_entry_size[what]),
		};
		EXPECT_FAILS(EFAULT, rs_walk(self->fd, &walk));
	}
}

TEST_F(pointers, batch)
{
	struct refstore_op *ops = (struct refstore_op *)self->end;
	struct refstore_batch batch = {
		.size = sizeof(batch),
		.ops = place(self, variant, 2 * sizeof(*ops)),
		.nr_ops = 2,
		.op_size = sizeof(*ops),
	};

	ops[-1] = op_create(1, NULL);
	EXPECT_FAILS(EFAULT, rs_call(self->fd, REFSTORE_BATCH, &batch));
}

/* The same inside a batch is an operation that failed. */
TEST_F(pointers, batched)
{
	__u64 slots = place(self, variant, NR_SLOTS * sizeof(__u64));
	__u64 bytes = place(self, variant, NR_BYTES);
	struct refstore_op ops[] = {
		op_create(NR_SLOTS, NULL),
		op_data(REFSTORE_CMD_READ, self->leaf, 0, NR_BYTES, NULL),
		op_data(REFSTORE_CMD_WRITE, self->leaf, 0, NR_BYTES, NULL),
	};
	struct refstore_batch batch;
	size_t i;

	ops[0].create.slots = slots;
	ops[1].data.buffer = bytes;
	ops[2].data.buffer = bytes;
	EXPECT_EQ(0, rs_batch(self->fd, REFSTORE_BATCH_CONTINUE, ops,
			      ARRAY_SIZE(ops), &batch));
	EXPECT_EQ(ARRAY_SIZE(ops), batch.done);
	EXPECT_EQ(ARRAY_SIZE(ops), batch.failed);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EFAULT, ops[i].error);
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &self->before));
}

/* --- What the kernel says it can do ----------------------------------- */

/* A command that has its bit is there, and no other. */
TEST(features)
{
	struct refstore_query query;
	int fd = rs_open(), ret;
	unsigned int bit;
	__u32 none = 0;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_query(fd, &query));
	EXPECT_EQ(1, REFSTORE_FEATURE(REFSTORE_CMD_QUERY));
	for (bit = 0; bit < 64; bit++) {
		ret = rs_call(fd, _IO(MAGIC, FIRST + bit), &none);
		EXPECT_EQ(query.features & (1ULL << bit) ? -EINVAL : -ENOTTY,
			  ret) TH_LOG("command %u", FIRST + bit);
	}
	EXPECT_EQ(0, close(fd));
}

TEST(limits)
{
	struct refstore_query query, again;
	int fd = rs_open(), other;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_query(fd, &query));
	EXPECT_EQ(REFSTORE_VERSION, query.version);
	EXPECT_LT(REFSTORE_TYPE_USER, query.max_types);
	EXPECT_LE(1 << 16, query.max_data);
	EXPECT_LE(1000000, query.max_slots);
	EXPECT_LE(256, query.max_batch);
	EXPECT_EQ(1 << 24, query.max_refs);
	EXPECT_LE(1000000, query.max_objects);
	EXPECT_LE(1 << 24, query.max_bytes);
	EXPECT_LE(1000000, query.max_handles);
	EXPECT_NE(0, query.heap);
	EXPECT_NE(0, query.session);

	/* The same heap, another session; another heap. */
	other = rs_session_new(fd, 0);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_query(other, &again));
	EXPECT_EQ(query.heap, again.heap);
	EXPECT_NE(query.session, again.session);
	EXPECT_EQ(0, close(other));
	other = rs_open();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_query(other, &again));
	EXPECT_NE(query.heap, again.heap);
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(fd));
}

/* Flags that depend on other fields. */
TEST(dependent_fields)
{
	struct refstore_walk_handle entry;
	struct refstore_walk walk = {
		.capacity = 1,
		.entries = rs_ptr(&entry),
	};
	int fd = rs_open();
	__u64 handle, value;
	__u32 done;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_node(fd, 1, NULL, &handle));
	/* One seal at least. */
	EXPECT_EQ(-EINVAL, rs_seal(fd, handle, 0));
	/* One slot at least. */
	EXPECT_EQ(-EINVAL, rs_read_slots(fd, handle, 0, 0, &value, &done));
	EXPECT_EQ(-EINVAL, rs_write_slots(fd, handle, 0, 0, &value, &done));
	/* One entry at least; only objects have handles to mint. */
	walk.what = REFSTORE_WALK_HANDLES;
	walk.flags = REFSTORE_WALK_MINT;
	EXPECT_EQ(-EINVAL, rs_walk(fd, &walk));
	walk.flags = 0;
	walk.capacity = 0;
	EXPECT_EQ(-EINVAL, rs_walk(fd, &walk));
	walk.capacity = 1;
	walk.what = REFSTORE_WALK_LABELS + 1;
	EXPECT_EQ(-EINVAL, rs_walk(fd, &walk));
	walk.what = ~0U;
	EXPECT_EQ(-EINVAL, rs_walk(fd, &walk));
	/* No such generation. */
	EXPECT_EQ(-EINVAL, rs_collect_generation(fd, REFSTORE_GENERATIONS,
						 NULL));
	EXPECT_EQ(-EINVAL, rs_collect_generation(fd, ~0U, NULL));
	EXPECT_EQ(-EINVAL, rs_generation(fd, REFSTORE_GENERATIONS,
					 &(struct refstore_generation){}));
	EXPECT_EQ(-EINVAL, rs_generation(fd, ~0U,
					 &(struct refstore_generation){}));
	/* Not both. */
	EXPECT_EQ(-EINVAL, rs_freeze(fd, REFSTORE_FREEZE_ALL |
				     REFSTORE_FREEZE_NONE, NULL));
	EXPECT_EQ(0, close(fd));
}

/* A weak handle whose number was not told asks for no notice. */
TEST(weak_undone)
{
	struct refstore_weak *weak = (void *)rs_fenced(1);
	int fd = rs_open();
	__u64 handle;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, (void *)weak);
	ASSERT_EQ(0, rs_leaf(fd, NULL, 1, &handle));
	*weak = (struct refstore_weak){
		.size = sizeof(*weak),
		.flags = REFSTORE_WEAK_NOTIFY,
		.object = handle,
	};
	ASSERT_EQ(0, mprotect(weak, sysconf(_SC_PAGESIZE), PROT_READ));
	EXPECT_EQ(-EFAULT, rs_call(fd, REFSTORE_WEAK, weak));
	EXPECT_EQ(1, rs_handles(fd));
	ASSERT_EQ(0, rs_release(fd, handle));
	EXPECT_EQ(0, rs_read_events(fd, &(struct refstore_event){}, 1));
	EXPECT_EQ(0, close(fd));
}

/* A setting that is not set is not looked at; what is set is told. */
TEST(settings)
{
	struct refstore_tune now = {}, tune, other;
	int fd = rs_open(), i;
	__u32 flag;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_tune(fd, &now));
	EXPECT_EQ(1, now.automatic);
	EXPECT_EQ(0, now.save);
	EXPECT_EQ(0, now.events);
	for (flag = 1; flag <= REFSTORE_TUNE_DELAY; flag *= 2) {
		memset(&tune, 0xff, sizeof(tune));
		tune.flags = flag;
		tune.reserved = 0;
		if (flag == REFSTORE_TUNE_AUTOMATIC)
			now.automatic = tune.automatic = 0;
		if (flag == REFSTORE_TUNE_SAVE)
			now.save = tune.save = 1;
		if (flag == REFSTORE_TUNE_EVENTS)
			now.events = tune.events = 1;
		for (i = 0; i < REFSTORE_GENERATIONS; i++) {
			if (flag == REFSTORE_TUNE_THRESHOLD)
				now.threshold[i] = tune.threshold[i] = ~0U - i;
			if (flag == REFSTORE_TUNE_DELAY)
				now.delay[i] = tune.delay[i] =
					REFSTORE_MAX_DELAY - i;
		}
		ASSERT_EQ(0, rs_tune(fd, &tune));
		tune.flags = 0;
		EXPECT_EQ(0, memcmp(&now, &tune, sizeof(now)));
	}
	other = (struct refstore_tune){};
	ASSERT_EQ(0, rs_tune(fd, &other));
	EXPECT_EQ(0, memcmp(&now, &other, sizeof(now)));
	EXPECT_EQ(0, close(fd));
}

/* A value out of bounds sets nothing, the other settings neither. */
TEST(settings_refused)
{
	static const struct refstore_tune bad[] = {
		{ .flags = REFSTORE_TUNE_AUTOMATIC, .automatic = 2 },
		{ .flags = REFSTORE_TUNE_AUTOMATIC, .automatic = ~0U },
		{ .flags = REFSTORE_TUNE_SAVE, .save = 2 },
		{ .flags = REFSTORE_TUNE_EVENTS, .events = 1U << 31 },
		{
			.flags = REFSTORE_TUNE_DELAY,
			.delay = { REFSTORE_MAX_DELAY + 1, 1, 1 },
		},
		{
			.flags = REFSTORE_TUNE_DELAY,
			.delay = { 1, ~0U, 1 },
		},
		{
			.flags = REFSTORE_TUNE_DELAY,
			.delay = { 1, 1, REFSTORE_MAX_DELAY + 1 },
		},
	};
	struct refstore_tune now = {}, tune;
	int fd = rs_open();
	size_t i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rs_tune(fd, &now));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tune = bad[i];
		tune.flags |= REFSTORE_TUNE_THRESHOLD;
		EXPECT_EQ(-EINVAL, rs_tune(fd, &tune));
		if (!(bad[i].flags & REFSTORE_TUNE_AUTOMATIC)) {
			tune = bad[i];
			tune.flags |= REFSTORE_TUNE_AUTOMATIC;
			EXPECT_EQ(-EINVAL, rs_tune(fd, &tune));
		}
		tune = (struct refstore_tune){};
		ASSERT_EQ(0, rs_tune(fd, &tune));
		EXPECT_EQ(0, memcmp(&now, &tune, sizeof(now)));
	}
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
