// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that are ioctls of refstore: for each command, what the fields of its struct
 * are. What goes where is known, so that most calls get beyond the first check; the
 * twists are for the checks.
 */
#include "fuzz.h"

enum kind {
	NONE,
	NUMBER,		/* see argument() */
	FLAGS,		/* some of them */
	HANDLE,
	ID,
	FD,
	BYTES,		/* a pointer to bytes */
	TEXT,		/* a name, in the struct */
	OBJECTS,	/* a pointer to handles */
	ENTRIES,	/* a pointer to struct refstore_cas_entry */
	OUT_HANDLE,
	OUT_ID,
	OUT_FD,
};

struct field {
	__u8 kind;
	__u8 offset;
	__u8 size;
	__u64 bound;
};

enum { FIELDS = 9, BODY = 128 };

struct command {
	__u32 number;
	__u32 size;
	__u64 flags;
	struct field fields[FIELDS];
};

#define F(type, member, kind, bound)					\
	{ kind, offsetof(struct refstore_##type, member),		\
	  sizeof(((struct refstore_##type *)NULL)->member), bound }

#define C(command, type, flags, ...)					\
	{ REFSTORE_##command, sizeof(struct refstore_##type), flags,	\
	  { __VA_ARGS__ } }

static const struct command commands[] = {
	C(QUERY, query, 0),
	C(CREATE, create, 0x1f,
	  F(create, data_len, NUMBER, 300), F(create, nr_slots, NUMBER, 12),
	  F(create, type, NUMBER, 20), F(create, data, BYTES, 0),
	  F(create, slots, OBJECTS, 0), F(create, result, OUT_HANDLE, 0),
	  F(create, id, OUT_ID, 0)),
	C(DUP, dup, 0, F(dup, object, HANDLE, 0),
	  F(dup, result, OUT_HANDLE, 0)),
	C(RELEASE, release, 0, F(release, object, HANDLE, 0)),
	C(CREATE_MANY, create_many, 0x1f,
	  F(create_many, count, NUMBER, 70), F(create_many, data_len, NUMBER, 40),
	  F(create_many, nr_slots, NUMBER, 3), F(create_many, type, NUMBER, 20),
	  F(create_many, data, BYTES, 0), F(create_many, handles, OBJECTS, 0)),
	C(RELEASE_MANY, release_many, 0,
	  F(release_many, count, NUMBER, 70),
	  F(release_many, handles, OBJECTS, 0)),
	C(GET_SLOT, get_slot, 3, F(get_slot, object, HANDLE, 0),
	  F(get_slot, index, NUMBER, 12), F(get_slot, id, ID, 0),
	  F(get_slot, result, OUT_HANDLE, 0)),
	C(SET_SLOT, set_slot, 0, F(set_slot, object, HANDLE, 0),
	  F(set_slot, value, HANDLE, 0), F(set_slot, index, NUMBER, 12)),
	C(CAS_SLOT, cas_slot, 0, F(cas_slot, object, HANDLE, 0),
	  F(cas_slot, value, HANDLE, 0), F(cas_slot, expected, ID, 0),
	  F(cas_slot, index, NUMBER, 12)),
	C(READ_SLOTS, slots, 3, F(slots, object, HANDLE, 0),
	  F(slots, first, NUMBER, 12), F(slots, count, NUMBER, 12),
	  F(slots, handles, OBJECTS, 0)),
	C(WRITE_SLOTS, slots, 3, F(slots, object, HANDLE, 0),
	  F(slots, first, NUMBER, 12), F(slots, count, NUMBER, 12),
	  F(slots, handles, OBJECTS, 0)),
	C(COPY_SLOTS, copy_slots, 0, F(copy_slots, object, HANDLE, 0),
	  F(copy_slots, source, HANDLE, 0), F(copy_slots, first, NUMBER, 12),
	  F(copy_slots, source_first, NUMBER, 12),
	  F(copy_slots, count, NUMBER, REFSTORE_MAX_COPY)),
	C(CAS_MANY, cas_many, 0, F(cas_many, count, NUMBER, 20),
	  F(cas_many, entries, ENTRIES, 0)),
	C(RESIZE_SLOTS, resize_slots, 0, F(resize_slots, object, HANDLE, 0),
	  F(resize_slots, nr_slots, NUMBER, 200)),
	C(READ, data, 0, F(data, object, HANDLE, 0), F(data, buffer, BYTES, 0),
	  F(data, offset, NUMBER, 300), F(data, length, NUMBER, 300)),
	C(WRITE, data, 0, F(data, object, HANDLE, 0), F(data, buffer, BYTES, 0),
	  F(data, offset, NUMBER, 300), F(data, length, NUMBER, 300)),
	C(SEAL, seal, 3, F(seal, object, HANDLE, 0)),
	C(STAT, stat, 0, F(stat, object, HANDLE, 0), F(stat, id, OUT_ID, 0)),
	C(GET_ROOT, get_root, 0, F(get_root, result, OUT_HANDLE, 0)),
	C(SET_ROOT, set_root, 0, F(set_root, value, HANDLE, 0)),
	C(CAS_ROOT, set_root, 0, F(set_root, value, HANDLE, 0),
	  F(set_root, expected, ID, 0)),
	C(SESSION_NEW, session_new, 1, F(session_new, fd, OUT_FD, 0)),
	C(RESTRICT, restrict, 0, F(restrict, rights, NUMBER, 0x7f)),
	C(EXPORT, export, 0, F(export, object, HANDLE, 0),
	  F(export, rights, NUMBER, 0x7f), F(export, fd, OUT_FD, 0)),
	C(IMPORT, import, 0, F(import, fd, FD, 0),
	  F(import, result, OUT_HANDLE, 0)),
	C(OPEN_EXPORT, open_export, 0, F(open_export, fd, OUT_FD, 0),
	  F(open_export, object, OUT_HANDLE, 0)),
	C(TYPE_REGISTER, type, 0, F(type, name, TEXT, 0)),
	C(TYPE_NAME, type, 0, F(type, type, NUMBER, 20)),
	C(COLLECT, collect, 0, F(collect, generation, NUMBER, 3)),
	C(TUNE, tune, 0x1f, F(tune, automatic, NUMBER, 1),
	  F(tune, save, NUMBER, 1), F(tune, events, NUMBER, 1),
	  F(tune, threshold[0], NUMBER, 50), F(tune, threshold[1], NUMBER, 5),
	  F(tune, delay[0], NUMBER, 100), F(tune, delay[2], NUMBER, 100)),
	C(GENERATION, generation, 0, F(generation, generation, NUMBER, 3)),
	C(FREEZE, freeze, 3),
	C(DROP_SAVED, drop_saved, 0),
	C(WEAK, weak, 1, F(weak, object, HANDLE, 0), F(weak, cookie, NUMBER, 9),
	  F(weak, result, OUT_HANDLE, 0)),
	C(UPGRADE, upgrade, 0, F(upgrade, weak, HANDLE, 0),
	  F(upgrade, result, OUT_HANDLE, 0)),
	C(LABEL, label, 0, F(label, what, NUMBER, 3),
	  F(label, object, HANDLE, 0), F(label, label, TEXT, 0)),
	C(ADOPT, adopt, 0, F(adopt, fd, FD, 0), F(adopt, type, NUMBER, 20),
	  F(adopt, result, OUT_HANDLE, 0), F(adopt, id, OUT_ID, 0)),
	C(MAP, map, 1, F(map, object, HANDLE, 0), F(map, fd, OUT_FD, 0)),
	C(WALK, walk, 1, F(walk, what, NUMBER, 6), F(walk, capacity, NUMBER, 60),
	  F(walk, cursor[0], NUMBER, 4), F(walk, cursor[1], NUMBER, 4),
	  F(walk, entries, BYTES, 0)),
	C(LIMIT, limit, 0),
	C(BATCH, batch, 1, F(batch, nr_ops, NUMBER, 8)),
};

/* --- What goes in ------------------------------------------------------- */

/* Where in the arena things are. */
enum {
	AT_BODY = 256,
	AT_OPS = 4096,
	AT_ARRAYS = 16384,
	ARRAY_BYTES = 4096,
};

/* Pointers of the calls of a batch do not overlap. */
static char *array_of(struct process *process, unsigned int op)
{
	return process->arena + AT_ARRAYS + (op % 8) * ARRAY_BYTES;
}

static __u64 twisted_pointer(const struct process *process,
			     const struct call *call, char *pointer)
{
	switch (call->twist) {
	case TWIST_FAR:
		return 0xffff888000000000ULL + call->seed * 4096ULL;
	case TWIST_NULL:
		return call->seed & 7;
	case TWIST_SHORT:
		return rs_ptr(process->arena + ARENA - 1 - call->seed);
	case TWIST_READ_ONLY:
		return rs_ptr(process->arena - 4096);
	default:
		return rs_ptr(pointer);
	}
}

static void fill_handles(struct process *process, const struct call *call,
			 __u64 *handles)
{
	__u64 seed = call->seed;
	unsigned int i;

	for (i = 0; i < 80; i++)
		handles[i] = process_handle(process,
					    (__u16)rs_below(&seed, HANDLES + 8),
					    false);
}

static void fill_entries(struct process *process, const struct call *call,
			 struct refstore_cas_entry *entries)
{
	__u64 seed = call->seed;
	unsigned int i;

	for (i = 0; i < 24; i++) {
		__u16 object = (__u16)rs_below(&seed, HANDLES);
		__u16 value = (__u16)rs_below(&seed, HANDLES + 8);
		__u32 id = rs_below(&seed, 2 * HANDLES);

		entries[i] = (struct refstore_cas_entry){
			.object = process_handle(process, object, false),
			.value = process_handle(process, value, false),
			.expected = id < HANDLES ? process->ids[id] : 0,
			.index = rs_below(&seed, 8),
		};
	}
}

static void fill_text(char *text, size_t size, __u16 arg)
{
	static const char letters[] = "ab\t/\xff\n%";
	size_t i;

	for (i = 0; i < size; i++)
		text[i] = i < arg % (size + 1) ? letters[(arg + i) % 7] : 0;
}

static __u64 value(struct process *process, const struct call *call,
		   const struct field *field, __u16 arg, char *array)
{
	switch (field->kind) {
	case NUMBER:
		return argument(arg, field->bound);
	case HANDLE:
		return process_handle(process, arg,
				      call->twist == TWIST_FOREIGN);
	case ID:
		return process->ids[arg % HANDLES];
	case FD:
		return (__u64)process_file(process, arg);
	case BYTES:
		return twisted_pointer(process, call, array);
	case OBJECTS:
		fill_handles(process, call, (__u64 *)array);
		return twisted_pointer(process, call, array);
	case ENTRIES:
		fill_entries(process, call,
			     (struct refstore_cas_entry *)array);
		return twisted_pointer(process, call, array);
	default:
		return ~0ULL;
	}
}

static void fill(struct process *process, const struct command *command,
		 const struct call *call, char *body, char *array)
{
	__u32 size = command->size, flags = call->arg[ARGS - 1];
	const struct field *field = command->fields;
	unsigned int i;
	__u64 v;

	memset(body, call->twist == TWIST_RESERVED ? call->seed : 0, BODY);
	for (i = 0; i < FIELDS && field->kind; i++, field++) {
		if (field->kind == TEXT) {
			fill_text(body + field->offset, field->size,
				  call->arg[i % ARGS]);
			continue;
		}
		v = value(process, call, field, call->arg[i % ARGS], array);
		memcpy(body + field->offset, &v, field->size);
	}
	if (call->twist != TWIST_FLAGS)
		flags &= (__u32)command->flags;
	if (call->twist == TWIST_SIZE)
		size = (__u32)argument(call->arg[ARGS - 2], BODY);
	memcpy(body, &size, sizeof(size));
	memcpy(body + sizeof(size), &flags, sizeof(flags));
}

/* --- What comes out ----------------------------------------------------- */

static void keep_some(struct process *process, const __u64 *handles)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (handles[i])
			process_keep_handle(process, handles[i]);
}

static void keep(struct process *process, const struct command *command,
		 const char *body, const char *array)
{
	const struct field *field = command->fields;
	unsigned int i;
	__u64 v = 0;
	__s32 fd;

	for (i = 0; i < FIELDS && field->kind; i++, field++) {
		memcpy(&v, body + field->offset,
		       field->size < 8 ? 0 : sizeof(v));
		memcpy(&fd, body + field->offset, sizeof(fd));
		if (field->kind == OUT_HANDLE && v && v != ~0ULL)
			process_keep_handle(process, v);
		if (field->kind == OUT_ID)
			process->ids[v % HANDLES] = v;
		if (field->kind == OUT_FD)
			process_keep_file(process, fd);
		if (field->kind == OBJECTS)
			keep_some(process, (const __u64 *)array);
	}
}

/* --- Calls -------------------------------------------------------------- */

static const struct command *command_of(const struct call *call)
{
	return &commands[call->what % ARRAY_SIZE(commands)];
}

/* Of the calls that follow, which are taken; how many. */
static unsigned int fill_batch(struct process *process,
			       const struct program *program, unsigned int at,
			       char *body)
{
	struct refstore_op *ops = (void *)(process->arena + AT_OPS);
	struct refstore_batch *batch = (void *)body;
	const struct call *call;
	unsigned int i;

	for (i = 0; i < batch->nr_ops && i < 8 && at + i < program->nr; i++) {
		char op[BODY];

		call = &program->calls[at + i];
		fill(process, command_of(call), call, op,
		     array_of(process, i + 1));
		memset(&ops[i], 0, sizeof(ops[i]));
		ops[i].command = command_of(call)->number & 0xff;
		memcpy(ops[i].room, op, sizeof(ops[i].room));
	}
	batch->ops = twisted_pointer(process, &program->calls[at - 1],
				     (char *)ops);
	batch->op_size = sizeof(*ops);
	return i;
}

static void keep_batch(struct process *process, const struct program *program,
		       unsigned int at, unsigned int nr)
{
	const struct refstore_op *ops = (void *)(process->arena + AT_OPS);
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!ops[i].error)
			keep(process, command_of(&program->calls[at + i]),
			     (const char *)ops[i].room,
			     array_of(process, i + 1));
}

/* Where the struct is, for the kernel. */
static char *place_body(struct process *process, const struct call *call,
			const char *body, __u32 size)
{
	char *place = process->arena + AT_BODY;

	if (call->twist == TWIST_EDGE)
		place = process->arena + ARENA - call->seed % (size + 1);
	if (call->twist == TWIST_READ_ONLY && call->seed & 1)
		return process->arena - 4096;
	memcpy(place, body, place + BODY < process->arena + ARENA ? BODY :
	       (size_t)(process->arena + ARENA - place));
	return place;
}

/* Makes a call; returns how many of the program's it was. */
unsigned int command_run(struct process *process, const struct program *program,
			 unsigned int at)
{
	const struct call *call = &program->calls[at];
	const struct command *command = command_of(call);
	bool batch = command->number == REFSTORE_BATCH;
	unsigned long number = command->number;
	char body[BODY], *place;
	unsigned int nr = 0;
	int ret;

	fill(process, command, call, body, array_of(process, 0));
	if (batch)
		nr = fill_batch(process, program, at + 1, body);
	if (call->twist == TWIST_COMMAND)
		number ^= 1UL << call->seed % 32;
	place = place_body(process, call, body, command->size);
	ret = ioctl(process_file(process, call->place / 4), number, place);
	if (!ret && batch)
		keep_batch(process, program, at + 1, nr);
	if (!ret && place == process->arena + AT_BODY)
		keep(process, command, place, array_of(process, 0));
	return 1 + nr;
}
