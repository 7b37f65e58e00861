/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share: a wrapper for each command, which returns 0 or a
 * negative errno, operations of a batch, and the building of larger graphs.
 *
 * The wrappers add nothing to the calls: no retries, no checks. A test that
 * wants an argument which they do not offer fills in the struct by itself.
 */
#ifndef REFSTORE_UTIL_H
#define REFSTORE_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/refstore.h>

#include "kselftest_harness.h"

/*
 * Seconds for one test. A checking kernel under emulation is fifty times slower
 * than a bare machine.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 150
/* For those that run as long as they are told. */
#define RS_TIMEOUT_LONG 3600

#define RS_DEVICE "/dev/refstore"

static inline __u64 rs_ptr(const void *pointer)
{
	return (uintptr_t)pointer;
}

/* A positive answer is passed on: no call may give one. */
static inline int rs_call(int fd, unsigned long command, void *arg)
{
	int ret = ioctl(fd, command, arg);

	return ret < 0 ? -errno : ret;
}

static inline int rs_open(void)
{
	int fd = open(RS_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* --- A wrapper for each command --------------------------------------- */

static inline int rs_query(int fd, struct refstore_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	return rs_call(fd, REFSTORE_QUERY, query);
}

static inline int rs_create(int fd, struct refstore_create *create)
{
	create->size = sizeof(*create);
	return rs_call(fd, REFSTORE_CREATE, create);
}

static inline int rs_dup(int fd, __u64 object, __u64 *result)
{
	struct refstore_dup dup = { .size = sizeof(dup), .object = object };
	int ret = rs_call(fd, REFSTORE_DUP, &dup);

	*result = dup.result;
	return ret;
}

static inline int rs_release(int fd, __u64 object)
{
	struct refstore_release release = {
		.size = sizeof(release),
		.object = object,
	};

	return rs_call(fd, REFSTORE_RELEASE, &release);
}

/* @create: what is asked for; its @done says how many there are then */
static inline int rs_create_many(int fd, struct refstore_create_many *create)
{
	create->size = sizeof(*create);
	return rs_call(fd, REFSTORE_CREATE_MANY, create);
}

static inline int rs_release_many(int fd, const __u64 *handles, __u32 count,
				  __u32 *done)
{
	struct refstore_release_many release = {
		.size = sizeof(release),
		.handles = rs_ptr(handles),
		.count = count,
	};
	int ret = rs_call(fd, REFSTORE_RELEASE_MANY, &release);

	if (done)
		*done = release.done;
	return ret;
}

static inline int rs_get_slot(int fd, __u64 object, __u32 index, __u64 *result)
{
	struct refstore_get_slot get = {
		.size = sizeof(get),
		.object = object,
		.index = index,
	};
	int ret = rs_call(fd, REFSTORE_GET_SLOT, &get);

	*result = get.result;
	return ret;
}

/* The id of what a slot refers to; with REFSTORE_SLOT_MATCH if it is *id. */
static inline int rs_peek_slot(int fd, __u64 object, __u32 index, __u32 flags,
			       __u64 *id)
{
	struct refstore_get_slot get = {
		.size = sizeof(get),
		.flags = REFSTORE_SLOT_PEEK | flags,
		.object = object,
		.index = index,
		.result = ~0ULL,
		.id = *id,
	};
	int ret = rs_call(fd, REFSTORE_GET_SLOT, &get);

	if (!ret && get.result)
		return -EBADMSG;
	*id = get.id;
	return ret;
}

/* A handle, if the slot refers to the object @id. */
static inline int rs_match_slot(int fd, __u64 object, __u32 index, __u64 id,
				__u64 *result)
{
	struct refstore_get_slot get = {
		.size = sizeof(get),
		.flags = REFSTORE_SLOT_MATCH,
		.object = object,
		.index = index,
		.id = id,
	};
	int ret = rs_call(fd, REFSTORE_GET_SLOT, &get);

	*result = get.result;
	return ret;
}

static inline int rs_set_slot(int fd, __u64 object, __u32 index, __u64 value)
{
	struct refstore_set_slot set = {
		.size = sizeof(set),
		.object = object,
		.value = value,
		.index = index,
	};

	return rs_call(fd, REFSTORE_SET_SLOT, &set);
}

static inline int rs_cas_slot(int fd, __u64 object, __u32 index,
			      __u64 expected, __u64 value)
{
	struct refstore_cas_slot cas = {
		.size = sizeof(cas),
		.object = object,
		.value = value,
		.expected = expected,
		.index = index,
	};

	return rs_call(fd, REFSTORE_CAS_SLOT, &cas);
}

static inline int rs_slots(int fd, unsigned long command, __u32 flags,
			   __u64 object, __u32 first, __u32 count,
			   const __u64 *handles, __u32 *done)
{
	struct refstore_slots slots = {
		.size = sizeof(slots),
		.flags = flags,
		.object = object,
		.handles = rs_ptr(handles),
		.first = first,
		.count = count,
	};
	int ret = rs_call(fd, command, &slots);

	if (done)
		*done = slots.done;
	return ret;
}

static inline int rs_read_slots(int fd, __u64 object, __u32 first, __u32 count,
				__u64 *handles, __u32 *done)
{
	return rs_slots(fd, REFSTORE_READ_SLOTS, 0, object, first, count,
			handles, done);
}

static inline int rs_peek_slots(int fd, __u64 object, __u32 first, __u32 count,
				__u64 *ids, __u32 *done)
{
	return rs_slots(fd, REFSTORE_READ_SLOTS, REFSTORE_SLOT_PEEK, object,
			first, count, ids, done);
}

static inline int rs_write_slots(int fd, __u64 object, __u32 first, __u32 count,
				 const __u64 *handles, __u32 *done)
{
	return rs_slots(fd, REFSTORE_WRITE_SLOTS, 0, object, first, count,
			handles, done);
}

static inline int rs_copy_slots(int fd, __u64 object, __u32 first, __u64 source,
				__u32 source_first, __u32 count)
{
	struct refstore_copy_slots copy = {
		.size = sizeof(copy),
		.object = object,
		.source = source,
		.first = first,
		.source_first = source_first,
		.count = count,
	};

	return rs_call(fd, REFSTORE_COPY_SLOTS, &copy);
}

static inline int rs_cas_many(int fd, const struct refstore_cas_entry *entries,
			      __u32 count)
{
	struct refstore_cas_many cas = {
		.size = sizeof(cas),
		.entries = rs_ptr(entries),
		.count = count,
	};

	return rs_call(fd, REFSTORE_CAS_MANY, &cas);
}

static inline int rs_resize(int fd, __u64 object, __u32 nr_slots)
{
	struct refstore_resize_slots resize = {
		.size = sizeof(resize),
		.object = object,
		.nr_slots = nr_slots,
	};

	return rs_call(fd, REFSTORE_RESIZE_SLOTS, &resize);
}

static inline int rs_data(int fd, unsigned long command, __u64 object,
			  __u64 offset, __u32 length, const void *buffer,
			  __u32 *done)
{
	struct refstore_data data = {
		.size = sizeof(data),
		.object = object,
		.buffer = rs_ptr(buffer),
		.offset = offset,
		.length = length,
	};
	int ret = rs_call(fd, command, &data);

	if (done)
		*done = data.done;
	return ret;
}

static inline int rs_read(int fd, __u64 object, __u64 offset, __u32 length,
			  void *buffer, __u32 *done)
{
	return rs_data(fd, REFSTORE_READ, object, offset, length, buffer, done);
}

static inline int rs_write(int fd, __u64 object, __u64 offset, __u32 length,
			   const void *buffer, __u32 *done)
{
	return rs_data(fd, REFSTORE_WRITE, object, offset, length, buffer,
		       done);
}

static inline int rs_seal(int fd, __u64 object, __u32 flags)
{
	struct refstore_seal seal = {
		.size = sizeof(seal),
		.flags = flags,
		.object = object,
	};

	return rs_call(fd, REFSTORE_SEAL, &seal);
}

static inline int rs_stat(int fd, __u64 object, struct refstore_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->size = sizeof(*stat);
	stat->object = object;
	return rs_call(fd, REFSTORE_STAT, stat);
}

static inline int rs_get_root(int fd, __u64 *result)
{
	struct refstore_get_root get = { .size = sizeof(get) };
	int ret = rs_call(fd, REFSTORE_GET_ROOT, &get);

	*result = get.result;
	return ret;
}

static inline int rs_set_root(int fd, __u64 value)
{
	struct refstore_set_root set = { .size = sizeof(set), .value = value };

	return rs_call(fd, REFSTORE_SET_ROOT, &set);
}

static inline int rs_cas_root(int fd, __u64 expected, __u64 value)
{
	struct refstore_set_root set = {
		.size = sizeof(set),
		.expected = expected,
		.value = value,
	};

	return rs_call(fd, REFSTORE_CAS_ROOT, &set);
}

/* The new descriptor, or a negative errno. */
static inline int rs_session_new(int fd, __u32 flags)
{
	struct refstore_session_new session = {
		.size = sizeof(session),
		.flags = flags,
		.fd = -1,
	};
	int ret = rs_call(fd, REFSTORE_SESSION_NEW, &session);

	return ret ? ret : session.fd;
}

/* Gives up all rights but these. */
static inline int rs_restrict(int fd, __u64 rights)
{
	struct refstore_restrict args = {
		.size = sizeof(args),
		.rights = rights,
	};

	return rs_call(fd, REFSTORE_RESTRICT, &args);
}

/* The new descriptor, or a negative errno. */
static inline int rs_export(int fd, __u64 object, __u64 rights)
{
	struct refstore_export args = {
		.size = sizeof(args),
		.object = object,
		.rights = rights,
		.fd = -1,
	};
	int ret = rs_call(fd, REFSTORE_EXPORT, &args);

	return ret ? ret : args.fd;
}

static inline int rs_import(int fd, int export, __u64 *result)
{
	struct refstore_import args = { .size = sizeof(args), .fd = export };
	int ret = rs_call(fd, REFSTORE_IMPORT, &args);

	*result = args.result;
	return ret;
}

/* The new session's descriptor, or a negative errno. */
static inline int rs_open_export(int export, __u64 *object)
{
	struct refstore_open_export args = { .size = sizeof(args), .fd = -1 };
	int ret = rs_call(export, REFSTORE_OPEN_EXPORT, &args);

	*object = args.object;
	return ret ? ret : args.fd;
}

/* Makes a large value of a memfd, which stays the caller's. */
static inline int rs_adopt(int fd, int memfd, __u32 type, __u64 *result)
{
	struct refstore_adopt args = {
		.size = sizeof(args),
		.fd = memfd,
		.type = type,
	};
	int ret = rs_call(fd, REFSTORE_ADOPT, &args);

	*result = args.result;
	return ret;
}

/* The new descriptor, or a negative errno. */
static inline int rs_map(int fd, __u64 object, __u32 flags)
{
	struct refstore_map args = {
		.size = sizeof(args),
		.flags = flags,
		.object = object,
		.fd = -1,
	};
	int ret = rs_call(fd, REFSTORE_MAP, &args);

	return ret ? ret : args.fd;
}

static inline int rs_limit(int fd, __u32 number, struct refstore_limit *limit)
{
	limit->size = sizeof(*limit);
	limit->flags = 0;
	limit->limit = number;
	return rs_call(fd, REFSTORE_LIMIT, limit);
}

static inline int rs_type_register(int fd, const char *name, __u32 *type)
{
	struct refstore_type reg = { .size = sizeof(reg) };
	size_t length = strlen(name);
	int ret;

	memcpy(reg.name, name,
	       length < sizeof(reg.name) ? length : sizeof(reg.name));
	ret = rs_call(fd, REFSTORE_TYPE_REGISTER, &reg);
	*type = reg.type;
	return ret;
}

/* @name: room for REFSTORE_TYPE_NAME_MAX bytes */
static inline int rs_type_name(int fd, __u32 type, char *name)
{
	struct refstore_type get = { .size = sizeof(get), .type = type };
	int ret = rs_call(fd, REFSTORE_TYPE_NAME, &get);

	memcpy(name, get.name, sizeof(get.name));
	return ret;
}

static inline int rs_collect_generation(int fd, __u32 generation,
					struct refstore_collect *collect)
{
	struct refstore_collect unwanted;

	collect = collect ?: &unwanted;
	memset(collect, 0, sizeof(*collect));
	collect->size = sizeof(*collect);
	collect->generation = generation;
	return rs_call(fd, REFSTORE_COLLECT, collect);
}

static inline int rs_collect(int fd, struct refstore_collect *collect)
{
	return rs_collect_generation(fd, REFSTORE_GENERATIONS - 1, collect);
}

/* @tune: what its flags say is set; then the settings in force. */
static inline int rs_tune(int fd, struct refstore_tune *tune)
{
	tune->size = sizeof(*tune);
	return rs_call(fd, REFSTORE_TUNE, tune);
}

/* The figures of a generation. */
static inline int rs_generation(int fd, __u32 generation,
				struct refstore_generation *figures)
{
	memset(figures, 0, sizeof(*figures));
	figures->size = sizeof(*figures);
	figures->generation = generation;
	return rs_call(fd, REFSTORE_GENERATION, figures);
}

static inline int rs_freeze(int fd, __u32 flags, __u64 *frozen)
{
	struct refstore_freeze freeze = {
		.size = sizeof(freeze),
		.flags = flags,
	};
	int ret = rs_call(fd, REFSTORE_FREEZE, &freeze);

	if (frozen)
		*frozen = freeze.frozen;
	return ret;
}

static inline int rs_drop_saved(int fd, __u64 *dropped)
{
	struct refstore_drop_saved drop = { .size = sizeof(drop) };
	int ret = rs_call(fd, REFSTORE_DROP_SAVED, &drop);

	if (dropped)
		*dropped = drop.dropped;
	return ret;
}

/* @object: a handle of either kind */
static inline int rs_weak(int fd, __u64 object, __u32 flags, __u64 cookie,
			  __u64 *result)
{
	struct refstore_weak weak = {
		.size = sizeof(weak),
		.flags = flags,
		.object = object,
		.cookie = cookie,
	};
	int ret = rs_call(fd, REFSTORE_WEAK, &weak);

	*result = weak.result;
	return ret;
}

static inline int rs_upgrade(int fd, __u64 weak, __u64 *result)
{
	struct refstore_upgrade upgrade = {
		.size = sizeof(upgrade),
		.weak = weak,
	};
	int ret = rs_call(fd, REFSTORE_UPGRADE, &upgrade);

	*result = upgrade.result;
	return ret;
}

/* How many events were read, at most @room, or a negative errno. */
static inline int rs_read_events(int fd, struct refstore_event *events,
				 size_t room)
{
	ssize_t ret = read(fd, events, room * sizeof(*events));

	if (ret < 0)
		return -errno;
	return ret % sizeof(*events) ? -EPROTO : (int)(ret / sizeof(*events));
}

static inline int rs_walk(int fd, struct refstore_walk *walk)
{
	walk->size = sizeof(*walk);
	return rs_call(fd, REFSTORE_WALK, walk);
}

static inline int rs_batch(int fd, __u32 flags, struct refstore_op *ops,
			   __u32 nr_ops, struct refstore_batch *batch)
{
	struct refstore_batch unwanted;

	batch = batch ?: &unwanted;
	memset(batch, 0, sizeof(*batch));
	batch->size = sizeof(*batch);
	batch->flags = flags;
	batch->ops = rs_ptr(ops);
	batch->nr_ops = nr_ops;
	batch->op_size = sizeof(*ops);
	return rs_call(fd, REFSTORE_BATCH, batch);
}

/* --- What most tests ask for ------------------------------------------ */

/* An object without slots, its data copied from @data or zeroes. */
static inline int rs_leaf(int fd, const void *data, __u32 length, __u64 *handle)
{
	struct refstore_create create = {
		.data = rs_ptr(data),
		.data_len = length,
	};
	int ret = rs_create(fd, &create);

	*handle = create.result;
	return ret;
}

/* An object with slots, copied from @slots or empty. Not a leaf, ever. */
static inline int rs_node(int fd, __u32 nr_slots, const __u64 *slots,
			  __u64 *handle)
{
	struct refstore_create create = {
		.flags = REFSTORE_CREATE_SLOTTED,
		.nr_slots = nr_slots,
		.slots = rs_ptr(slots),
	};
	int ret = rs_create(fd, &create);

	*handle = create.result;
	return ret;
}

/* A memfd that can be adopted: all of it a hole, of a size for good. */
static inline int rs_memfd(off_t length)
{
	int fd = memfd_create("refstore", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, length) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* References to an object, or a negative errno. */
static inline long rs_refs(int fd, __u64 object)
{
	struct refstore_stat stat;
	int ret = rs_stat(fd, object, &stat);

	return ret ? ret : (long)stat.refs;
}

/* An object's id; 0, which none has, if the handle is not valid. */
static inline __u64 rs_id(int fd, __u64 object)
{
	struct refstore_stat stat;

	return rs_stat(fd, object, &stat) ? 0 : stat.id;
}

/* Whether the object of a weak handle lives; a negative errno. */
static inline int rs_alive(int fd, __u64 weak)
{
	__u64 handle;
	int ret = rs_upgrade(fd, weak, &handle);

	if (ret || !handle)
		return ret;
	return rs_release(fd, handle) ?: 1;
}

/* Scans run when they are asked for, and not otherwise. */
static inline int rs_manual(int fd)
{
	struct refstore_tune tune = { .flags = REFSTORE_TUNE_AUTOMATIC };

	return rs_tune(fd, &tune);
}

/* What scans find is saved, or freed. */
static inline int rs_save(int fd, bool save)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_SAVE,
		.save = save,
	};

	return rs_tune(fd, &tune);
}

/* Whether this session is told of scans. */
static inline int rs_watch_scans(int fd, bool watch)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_EVENTS,
		.events = watch,
	};

	return rs_tune(fd, &tune);
}

/* Reading waits for no event from now on, or does. */
static inline int rs_nonblock(int fd, bool on)
{
	return fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0) ? -errno : 0;
}

/* The id of what a slot refers to; 0 if it is empty or cannot be read. */
static inline __u64 rs_slot_id(int fd, __u64 object, __u32 index)
{
	__u64 handle, id;

	if (rs_get_slot(fd, object, index, &handle) || !handle)
		return 0;
	id = rs_id(fd, handle);
	rs_release(fd, handle);
	return id;
}

/* --- Operations of a batch -------------------------------------------- */

static inline struct refstore_op op_create(__u32 nr_slots, const __u64 *slots)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_CREATE,
		.create = {
			.size = sizeof(struct refstore_create),
			.flags = REFSTORE_CREATE_SLOTTED,
			.nr_slots = nr_slots,
			.slots = rs_ptr(slots),
		},
	};
}

static inline struct refstore_op op_dup(__u64 object)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_DUP,
		.dup = {
			.size = sizeof(struct refstore_dup),
			.object = object,
		},
	};
}

static inline struct refstore_op op_release(__u64 object)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_RELEASE,
		.release = {
			.size = sizeof(struct refstore_release),
			.object = object,
		},
	};
}

/* Objects with slots, all empty. */
static inline struct refstore_op op_create_many(__u32 count, __u32 nr_slots,
						const __u64 *handles)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_CREATE_MANY,
		.create_many = {
			.size = sizeof(struct refstore_create_many),
			.flags = REFSTORE_CREATE_SLOTTED,
			.handles = rs_ptr(handles),
			.count = count,
			.nr_slots = nr_slots,
		},
	};
}

static inline struct refstore_op op_release_many(__u32 count,
						 const __u64 *handles)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_RELEASE_MANY,
		.release_many = {
			.size = sizeof(struct refstore_release_many),
			.handles = rs_ptr(handles),
			.count = count,
		},
	};
}

static inline struct refstore_op op_get_slot(__u64 object, __u32 index)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_GET_SLOT,
		.get_slot = {
			.size = sizeof(struct refstore_get_slot),
			.object = object,
			.index = index,
		},
	};
}

static inline struct refstore_op op_copy_slots(__u64 object, __u32 first,
					       __u64 source, __u32 source_first,
					       __u32 count)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_COPY_SLOTS,
		.copy_slots = {
			.size = sizeof(struct refstore_copy_slots),
			.object = object,
			.source = source,
			.first = first,
			.source_first = source_first,
			.count = count,
		},
	};
}

static inline struct refstore_op op_cas_many(
	const struct refstore_cas_entry *entries, __u32 count)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_CAS_MANY,
		.cas_many = {
			.size = sizeof(struct refstore_cas_many),
			.entries = rs_ptr(entries),
			.count = count,
		},
	};
}

static inline struct refstore_op op_set_slot(__u64 object, __u32 index,
					     __u64 value)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_SET_SLOT,
		.set_slot = {
			.size = sizeof(struct refstore_set_slot),
			.object = object,
			.value = value,
			.index = index,
		},
	};
}

static inline struct refstore_op op_cas_slot(__u64 object, __u32 index,
					     __u64 expected, __u64 value)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_CAS_SLOT,
		.cas_slot = {
			.size = sizeof(struct refstore_cas_slot),
			.object = object,
			.value = value,
			.expected = expected,
			.index = index,
		},
	};
}

/* @command: REFSTORE_CMD_READ_SLOTS or REFSTORE_CMD_WRITE_SLOTS */
static inline struct refstore_op op_slots(__u32 command, __u64 object,
					  __u32 first, __u32 count,
					  const __u64 *handles)
{
	return (struct refstore_op){
		.command = command,
		.slots = {
			.size = sizeof(struct refstore_slots),
			.object = object,
			.handles = rs_ptr(handles),
			.first = first,
			.count = count,
		},
	};
}

static inline struct refstore_op op_resize(__u64 object, __u32 nr_slots)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_RESIZE_SLOTS,
		.resize_slots = {
			.size = sizeof(struct refstore_resize_slots),
			.object = object,
			.nr_slots = nr_slots,
		},
	};
}

/* @command: REFSTORE_CMD_READ or REFSTORE_CMD_WRITE */
static inline struct refstore_op op_data(__u32 command, __u64 object,
					 __u64 offset, __u32 length,
					 const void *buffer)
{
	return (struct refstore_op){
		.command = command,
		.data = {
			.size = sizeof(struct refstore_data),
			.object = object,
			.buffer = rs_ptr(buffer),
			.offset = offset,
			.length = length,
		},
	};
}

static inline struct refstore_op op_stat(__u64 object)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_STAT,
		.stat = {
			.size = sizeof(struct refstore_stat),
			.object = object,
		},
	};
}

static inline struct refstore_op op_get_root(void)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_GET_ROOT,
		.get_root = { .size = sizeof(struct refstore_get_root) },
	};
}

/* @command: REFSTORE_CMD_SET_ROOT (@expected is 0) or REFSTORE_CMD_CAS_ROOT */
static inline struct refstore_op op_root(__u32 command, __u64 expected,
					 __u64 value)
{
	return (struct refstore_op){
		.command = command,
		.set_root = {
			.size = sizeof(struct refstore_set_root),
			.expected = expected,
			.value = value,
		},
	};
}

static inline struct refstore_op op_weak(__u64 object, __u32 flags,
					 __u64 cookie)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_WEAK,
		.weak = {
			.size = sizeof(struct refstore_weak),
			.flags = flags,
			.object = object,
			.cookie = cookie,
		},
	};
}

static inline struct refstore_op op_upgrade(__u64 weak)
{
	return (struct refstore_op){
		.command = REFSTORE_CMD_UPGRADE,
		.upgrade = {
			.size = sizeof(struct refstore_upgrade),
			.weak = weak,
		},
	};
}

/* --- Larger graphs ---------------------------------------------------- */

/* Operations in each of the batches that build and drop graphs. */
#define RS_CHUNK 256

/*
 * Makes @count handles by the operation @op, which has a result, in batches.
 */
static inline int rs_repeat(int fd, struct refstore_op op, size_t count,
			    __u64 *handles)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	size_t done, n, i;
	int ret;

	for (done = 0; done < count; done += n) {
		n = count - done < RS_CHUNK ? count - done : RS_CHUNK;
		for (i = 0; i < n; i++)
			ops[i] = op;
		ret = rs_batch(fd, 0, ops, n, &batch);
		if (ret)
			return ret;
		if (batch.failed)
			return ops[batch.done - 1].error;
		if (batch.done != n)
			return -EINTR;
		/* All results lie at the same place: dup.result's. */
		for (i = 0; i < n; i++)
			handles[done + i] = ops[i].dup.result;
	}
	return 0;
}

_Static_assert(offsetof(struct refstore_create, result) ==
	       offsetof(struct refstore_dup, result), "results lie together");

static inline int rs_release_all(int fd, const __u64 *handles, size_t count)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	size_t done, n, i;
	int ret;

	for (done = 0; done < count; done += n) {
		n = count - done < RS_CHUNK ? count - done : RS_CHUNK;
		for (i = 0; i < n; i++)
			ops[i] = op_release(handles[done + i]);
		ret = rs_batch(fd, 0, ops, n, &batch);
		if (ret)
			return ret;
		if (batch.failed)
			return ops[batch.done - 1].error;
		if (batch.done != n)
			return -EINTR;
	}
	return 0;
}

/*
 * A chain of @count objects, each of which refers to the one before it by its
 * slot 0 of @nr_slots. Leaves two handles: of the first, which refers to
 * nothing, and of the last, which keeps all of them alive.
 */
static inline int rs_chain(int fd, size_t count, __u32 nr_slots, __u64 *first,
			   __u64 *last)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	size_t made = 1;
	unsigned int n;
	__u64 before;
	int ret;

	ret = rs_node(fd, nr_slots, NULL, first);
	if (!ret)
		ret = rs_dup(fd, *first, last);
	while (!ret && made < count) {
		before = *last;
		for (n = 0; n + 3 <= RS_CHUNK && made < count; n += 3) {
			ops[n] = op_create(nr_slots, NULL);
			ops[n + 1] = op_set_slot(REFSTORE_RESULT(n), 0, before);
			ops[n + 2] = op_release(before);
			before = REFSTORE_RESULT(n);
			made++;
		}
		ret = rs_batch(fd, 0, ops, n, &batch);
		if (!ret && batch.failed)
			ret = ops[batch.done - 1].error;
		else if (!ret && batch.done != n)
			ret = -EINTR;
		*last = ops[n - 3].create.result;
	}
	return ret;
}

/* A ring of @count objects with one handle on it. */
static inline int rs_ring(int fd, size_t count, __u32 nr_slots, __u64 *handle)
{
	__u64 last;
	int ret = rs_chain(fd, count, nr_slots, handle, &last);

	if (!ret)
		ret = rs_set_slot(fd, *handle, 0, last);
	if (!ret)
		ret = rs_release(fd, last);
	return ret;
}

/* --- The rest --------------------------------------------------------- */

/* With some bytes of data, at least one. */
static inline int rs_send_fd_with(int socket, int fd, const void *data,
				  size_t length)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static inline int rs_send_fd(int socket, int fd)
{
	return rs_send_fd_with(socket, fd, "", 1);
}

/* The descriptor, with so many bytes of data; or a negative errno. */
static inline int rs_receive_fd_with(int socket, void *data, size_t length)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = data, .iov_len = length };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int fd;

	if (received != (ssize_t)length)
		return received < 0 ? -errno : -ECONNRESET;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static inline int rs_receive_fd(int socket)
{
	char byte;

	return rs_receive_fd_with(socket, &byte, 1);
}

/* A number from the environment, or its default. */
static inline unsigned long rs_env(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

/*
 * A size as large as it is worth while on this kernel: REFSTORE_SIZE percent of
 * it. run.sh says less than 100 where everything is checked and slow.
 */
static inline unsigned long rs_size(unsigned long size)
{
	size = size * rs_env("REFSTORE_SIZE", 100) / 100;
	return size ? size : 1;
}

/* A child that does not outlive a test which fails. */
static inline pid_t rs_fork(void)
{
	pid_t parent = getpid(), child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(KSFT_FAIL);
	}
	return child;
}

/*
 * A child with a session of its own, a clone, in *@fd: calls on one session
 * take turns, and never meet.
 */
static inline pid_t rs_fork_session(int *fd)
{
	int clone = rs_session_new(*fd, REFSTORE_SESSION_CLONE);
	pid_t child;

	if (clone < 0)
		return clone;
	child = rs_fork();
	if (child) {
		close(clone);
	} else {
		close(*fd);
		*fd = clone;
	}
	return child;
}

/* The status that a child exits with; -1 if it was killed. */
static inline int rs_wait_child(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static inline __u64 rs_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Waits until @condition holds; false if it does not within @seconds. For what
 * the kernel does by itself, soon.
 */
#define rs_wait_until(condition, seconds)				\
({									\
	__u64 __end = rs_milliseconds() + (seconds) * 1000ULL;		\
	bool __holds;							\
									\
	while (!(__holds = (condition)) && rs_milliseconds() < __end)	\
		usleep(2000);						\
	__holds;							\
})

/* Replaces what is in a file. */
static inline int rs_write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* The first @size - 1 bytes of a file, at most, and a zero. */
static inline int rs_read_file(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, value, size - 1);
	close(fd);
	if (length < 0)
		return -errno;
	value[length] = 0;
	return 0;
}

#define RS_PARAMETERS "/sys/module/refstore/parameters/"

static inline int rs_write_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), RS_PARAMETERS "%s", name);
	return rs_write_file(path, value);
}

static inline int rs_read_parameter(const char *name, char *value, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), RS_PARAMETERS "%s", name);
	return rs_read_file(path, value, size);
}

#define RS_CGROUPS "/sys/fs/cgroup/"

static inline bool rs_have_memory_cgroups(void)
{
	char names[512];

	return !rs_read_file(RS_CGROUPS "cgroup.controllers", names,
			     sizeof(names)) && strstr(names, "memory");
}

/* @path: below RS_CGROUPS, with a slash at its end; @most: bytes of memory */
static inline int rs_make_cgroup(const char *path, const char *most)
{
	int ret = rs_write_file(RS_CGROUPS "cgroup.subtree_control", "+memory");
	char file[128];

	if (!ret && mkdir(path, 0755))
		ret = -errno;
	snprintf(file, sizeof(file), "%smemory.max", path);
	return ret ? ret : rs_write_file(file, most);
}

/* Long enough for whatever is done by a queue, on any machine. */
#define RS_SOON 60

/* xorshift: repeatable, and the same on every machine. Never seed with 0. */
static inline __u64 rs_random(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline __u32 rs_below(__u64 *state, __u32 bound)
{
	return (rs_random(state) >> 32) % bound;
}

/*
 * @pages readable and writable pages, then one without access. Returns the
 * first, or MAP_FAILED.
 */
static inline char *rs_fenced(size_t pages)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *start = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	/* Not unmapped: nothing else shall come to lie there. */
	if (start != MAP_FAILED)
		mprotect(start + pages * page, page, PROT_NONE);
	return start;
}

#endif /* REFSTORE_UTIL_H */
