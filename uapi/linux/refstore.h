/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * refstore: a store of reference-counted objects, shared by processes.
 *
 * An object has an identity (a 64-bit id, given out in order and never twice
 * in its heap), a type, data (bytes) and slots: an array of references to
 * objects of the same heap, or empty. An object that was created without slots
 * is a *leaf* and stays one; every other object can be resized.
 *
 * A heap is a set of objects that may refer to each other.
 * open("/dev/refstore") makes a private heap and a *session* on it (or fails
 * with EDQUOT or ENOMEM); REFSTORE_SESSION_NEW mints further sessions, to be passed to
 * other processes. A session ends with its last descriptor, and then gives back
 * whatever it held.
 *
 * In a file system of type "refstore" each file is a heap. Making the file makes
 * the heap (EDQUOT: there are as many names, or heaps of a user, as there may be;
 * it does not wait), opening it with
 * O_RDWR or O_RDONLY a session (EACCES: with O_WRONLY; EPERM: with O_TRUNC; ENOMEM),
 * as all commands are the same. A heap lives while it has a session, an exported
 * object, or a name.
 *
 * A *handle* stands for one reference, in one session. A *weak handle* stands
 * for a reference that does not keep its object: REFSTORE_UPGRADE makes a handle
 * of it, as long as the object lives. A handle is never zero; zero
 * stands for "no object" wherever that makes sense. Using a handle after its
 * release is an error and never reaches another object: a generation of 37 bits
 * in each handle says so. The first one is drawn at random for each session, so
 * a handle that another session minted is an error, too, but with a chance of
 * one in 2^37; a clone has the handles of the session that it was made of.
 *
 * What nobody can reach any more is freed: at once when its count falls to
 * zero, by the cycle scanner when it is part of a cycle. No call waits for the
 * scanner but REFSTORE_COLLECT. The scanner decides about *components*: objects
 * that reach each other.
 *
 * An object can be *sealed*: its data, its slots, or both cannot be written any
 * more, by nobody.
 *
 * A *large value* is a leaf whose data is a memfd, see memfd_create(2), which the
 * store has adopted (REFSTORE_ADOPT) and hands out descriptors of, to be mapped
 * (REFSTORE_MAP).
 *
 * What a session asked to be told it reads from its descriptor: struct
 * refstore_event.
 *
 * Calls
 * -----
 * Every call is ioctl(fd, REFSTORE_X, &x) with a struct that begins with its
 * own size. A larger struct than the kernel knows is taken if what it does not
 * know is zero; a smaller one, down to the first version of the struct, reads
 * as if the rest were zero. Each call returns 0, or -1 with one of these in
 * errno. A call that failed changed nothing, but where it says otherwise.
 *
 * Threads may use a session at the same time; its calls run one after the other,
 * those of different sessions beside each other. A call that would fail with
 * EDQUOT waits first for what the kernel is freeing already, in this heap and of
 * what the same user pays for; calls of the same session wait with it.
 *
 *   EACCES      The session has not got the right for that: REFSTORE_RIGHT_*.
 *   EAGAIN      A compare-and-set found something else than expected.
 *   EBUSY       A large value cannot be sealed, as somebody may have it mapped
 *               for writing.
 *   EBADF       A handle is zero where an object is needed, stale, another
 *               session's, or weak where a call does not say that it may be; or
 *               a REFSTORE_RESULT() names no earlier operation of the batch that
 *               produced a handle.
 *   E2BIG       A struct is larger than the kernel knows and its unknown part
 *               is not zero, or it is larger than a page (in a batch, than
 *               64 bytes); or data, slots, a batch or a count are larger than
 *               the limits that REFSTORE_QUERY tells.
 *   EDQUOT      A limit is reached, of the heap, the session, or the user who
 *               pays: REFSTORE_LIMIT tells which one. Dead cycles count until a
 *               scan has taken them: REFSTORE_COLLECT, and call again. Where
 *               scans come by themselves, ENOMEM and a full heap have one come
 *               soon.
 *   EFAULT      A pointer does not point to memory of the caller.
 *   EINTR       A signal with a handler came before anything was done: call
 *               again (with SA_RESTART, the system does so by itself).
 *   EINVAL      A size below the first version's, an unknown flag, a reserved
 *               field that is not zero, an unknown type, a count of zero where
 *               one is needed.
 *   EIO         Memory of a large value is broken.
 *   EMFILE, ENFILE   No descriptor, or no open file, to be had.
 *   ENOMEM      No memory, or the memory cgroup's limit; nobody is killed for it (but
 *               for what of a large value is in the swap).
 *   ENOTTY      No such command (in this version).
 *   EOPNOTSUPP  The object is a leaf and has no slots to read, write or resize;
 *               or the command cannot be part of a batch.
 *   EOVERFLOW   An object has as many references as it can have (2^24).
 *   EPERM       The part of the object that the call writes is sealed.
 *   ERANGE      A slot index or an offset is out of the object's range.
 *   ENOSPC      The table of types is full.
 *
 * Of several errors, which one is returned is not defined. Any call can return
 * EINTR or ENOMEM.
 *
 * EFAULT changes nothing either, as long as the memory that is given to a call
 * stays as it is until its end. If another thread takes it away meanwhile, then
 * what a call has written stays written, what it released stays released, a
 * registered type stays registered, and handles that REFSTORE_CREATE_MANY,
 * REFSTORE_READ_SLOTS or REFSTORE_WALK copied out stay valid if it was the
 * call's struct that could not be written, at the end; if it was the array of
 * handles, those of the part of it that failed are not.
 * (A batch is told of at struct refstore_batch.)
 *
 * The layout is the same for 32-bit and 64-bit callers.
 */
#ifndef _LINUX_REFSTORE_H
#define _LINUX_REFSTORE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of this interface; REFSTORE_QUERY tells the kernel's. */
#define REFSTORE_VERSION 1

/* The bit in &refstore_query.features of a command, REFSTORE_CMD_*. */
#define REFSTORE_FEATURE(command) (1ULL << ((command) - REFSTORE_CMD_QUERY))

#define REFSTORE_IOC_MAGIC 0xBC

/* What statfs(2) tells as the type of a file system of named heaps. */
#define REFSTORE_SUPER_MAGIC 0x72656673

enum {
	REFSTORE_CMD_QUERY = 0x40,
	REFSTORE_CMD_CREATE,
	REFSTORE_CMD_DUP,
	REFSTORE_CMD_RELEASE,
	REFSTORE_CMD_GET_SLOT,
	REFSTORE_CMD_SET_SLOT,
	REFSTORE_CMD_CAS_SLOT,
	REFSTORE_CMD_READ_SLOTS,
	REFSTORE_CMD_WRITE_SLOTS,
	REFSTORE_CMD_RESIZE_SLOTS,
	REFSTORE_CMD_READ,
	REFSTORE_CMD_WRITE,
	REFSTORE_CMD_SEAL,
	REFSTORE_CMD_STAT,
	REFSTORE_CMD_GET_ROOT,
	REFSTORE_CMD_SET_ROOT,
	REFSTORE_CMD_CAS_ROOT,
	REFSTORE_CMD_SESSION_NEW,
	REFSTORE_CMD_TYPE_REGISTER,
	REFSTORE_CMD_COLLECT,
	REFSTORE_CMD_WALK,
	REFSTORE_CMD_BATCH,
	REFSTORE_CMD_TYPE_NAME,
	REFSTORE_CMD_WEAK,
	REFSTORE_CMD_UPGRADE,
	REFSTORE_CMD_TUNE,
	REFSTORE_CMD_GENERATION,
	REFSTORE_CMD_FREEZE,
	REFSTORE_CMD_DROP_SAVED,
	REFSTORE_CMD_CREATE_MANY,
	REFSTORE_CMD_RELEASE_MANY,
	REFSTORE_CMD_RESTRICT,
	REFSTORE_CMD_EXPORT,
	REFSTORE_CMD_IMPORT,
	REFSTORE_CMD_OPEN_EXPORT,
	REFSTORE_CMD_LIMIT,
	REFSTORE_CMD_LABEL,
	REFSTORE_CMD_ADOPT,
	REFSTORE_CMD_MAP,
	REFSTORE_CMD_COPY_SLOTS,
	REFSTORE_CMD_CAS_MANY,
};

/*
 * Rights of a session. The first one of a private heap has all of them, and so
 * has who opened a named one for writing; who did so for reading only has those
 * of REFSTORE_RIGHTS_READ. A session that another one mints has that one's
 * rights. They only ever shrink (REFSTORE_RESTRICT), and belong to the session,
 * whatever a handle was got from. Without the right that it needs a call fails
 * with EACCES.
 */
#define REFSTORE_RIGHT_CREATE		0x1 /* make objects, register types */
#define REFSTORE_RIGHT_WRITE_DATA	0x2 /* write and seal data */
#define REFSTORE_RIGHT_WRITE_SLOTS	0x4 /* write, resize and seal slots; root */
#define REFSTORE_RIGHT_EXPORT		0x8 /* hand objects on as descriptors */
#define REFSTORE_RIGHT_COLLECT		0x10 /* collect, set, freeze, drop saved */
#define REFSTORE_RIGHT_ENUMERATE	0x20 /* walk */
#define REFSTORE_RIGHTS			0x3f
#define REFSTORE_RIGHTS_READ \
	(REFSTORE_RIGHT_EXPORT | REFSTORE_RIGHT_ENUMERATE)

/*
 * Types. The first numbers are the same in every heap and say what a Python
 * programmer would expect; REFSTORE_TYPE_REGISTER gives out numbers from
 * REFSTORE_TYPE_USER on. The kernel attaches no meaning to any of them.
 */
enum {
	REFSTORE_TYPE_NONE,
	REFSTORE_TYPE_BOOL,
	REFSTORE_TYPE_INT,
	REFSTORE_TYPE_FLOAT,
	REFSTORE_TYPE_STR,
	REFSTORE_TYPE_BYTES,
	REFSTORE_TYPE_TUPLE,
	REFSTORE_TYPE_LIST,
	REFSTORE_TYPE_DICT,
	REFSTORE_TYPE_SET,
	REFSTORE_TYPE_OBJECT,
	REFSTORE_TYPE_USER = 16,
};

/* A type's name, with the final zero. */
#define REFSTORE_TYPE_NAME_MAX 32

/*
 * REFSTORE_RESULT - stands for the result of an earlier operation in a batch
 * @n: the operation's place in the batch, from 0
 *
 * Valid wherever an operation of a batch takes a handle, inside its arrays of
 * handles too. EBADF if the operation failed or its result is 0, even where a
 * handle may be 0; or if it has no @result, as REFSTORE_CREATE_MANY and
 * REFSTORE_READ_SLOTS: what these wrote to an array, later operations of the
 * batch can read there.
 */
#define REFSTORE_RESULT(n) ((1ULL << 63) | (n))

/**
 * struct refstore_query - ioctl(REFSTORE_QUERY)
 * @size: sizeof(struct refstore_query)
 * @flags: must be 0
 * @version: out: the kernel's REFSTORE_VERSION
 * @max_types: out: types of a heap, built-in ones included
 * @features: out: REFSTORE_FEATURE() of each command that the kernel has, so that a
 *            program on an older module learns what that lacks without trying;
 *            0 from modules before this was told
 * @max_data: out: bytes of data of an object
 * @max_slots: out: slots of an object
 * @max_batch: out: operations of a batch; objects of REFSTORE_CREATE_MANY and
 *             handles of REFSTORE_RELEASE_MANY, too
 * @max_refs: out: references to an object
 * @max_objects: out: objects of this heap
 * @max_bytes: out: bytes of this heap: of its objects, not of what the kernel
 *             needs to find them (up to 56 bytes an object, 16 a handle, 88 a
 *             weak handle), nor of those that died and wait for the end of a
 *             scan
 * @max_handles: out: handles of this session
 * @heap: out: number of the heap, as in /proc/refstore/heaps
 * @session: out: number of the session
 * @rights: out: REFSTORE_RIGHT_* of the session
 *
 * What the kernel supports, and the limits in force.
 */
struct refstore_query {
	__u32 size;
	__u32 flags;
	__u32 version;
	__u32 max_types;
	__aligned_u64 features;
	__aligned_u64 max_data;
	__aligned_u64 max_slots;
	__aligned_u64 max_batch;
	__aligned_u64 max_refs;
	__aligned_u64 max_objects;
	__aligned_u64 max_bytes;
	__aligned_u64 max_handles;
	__aligned_u64 heap;
	__aligned_u64 session;
	__aligned_u64 rights;
};

#define REFSTORE_QUERY _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_QUERY)

/* For REFSTORE_CREATE and REFSTORE_SEAL. */
#define REFSTORE_SEAL_DATA	0x1 /* data never changes again */
#define REFSTORE_SEAL_SLOTS	0x2 /* nor do slots, nor their number */
/* For REFSTORE_CREATE: no leaf, though it has no slots yet (an empty list). */
#define REFSTORE_CREATE_SLOTTED	0x4
/* The one object of this type and data that is interned in the heap. */
#define REFSTORE_CREATE_INTERN	0x8
/* It lives as long as its heap, whoever refers to it. */
#define REFSTORE_CREATE_IMMORTAL 0x10

/* The longest data of an interned object, in bytes. */
#define REFSTORE_MAX_INTERNED	4064

/**
 * struct refstore_create - ioctl(REFSTORE_CREATE)
 * @size: sizeof(struct refstore_create)
 * @flags: REFSTORE_CREATE_*; REFSTORE_SEAL_DATA and REFSTORE_SEAL_SLOTS seal the
 *         object from its birth
 * @data: pointer to @data_len bytes; 0: the data is zeroes
 * @result: out: a handle of the new object
 * @type: a type of the heap
 * @nr_slots: number of slots, at most &refstore_query.max_slots
 * @data_len: bytes of data, at most &refstore_query.max_data
 * @reserved: must be 0
 * @slots: pointer to @nr_slots handles (__u64), each of which may be 0; the new
 *         object's slots get references of their own. 0: all slots are empty
 * @id: out: the new object's id
 *
 * The length of the data is for good; the number of slots can be changed by
 * REFSTORE_RESIZE_SLOTS, unless the object is a leaf.
 *
 * With REFSTORE_CREATE_INTERN the object is a leaf, sealed, with no more data than
 * REFSTORE_MAX_INTERNED (E2BIG). If the heap has an interned object of the same
 * type and data, that is the result, and nothing is made. An interned object costs
 * the heap 72 bytes more, and is freed with its last reference, as any other; but
 * these are immortal from then on: REFSTORE_TYPE_NONE, REFSTORE_TYPE_BOOL and
 * REFSTORE_TYPE_INT with at most one byte, the empty REFSTORE_TYPE_STR,
 * REFSTORE_TYPE_BYTES and REFSTORE_TYPE_TUPLE.
 *
 * With REFSTORE_CREATE_IMMORTAL the object stays as long as its heap, and what its
 * slots refer to as long as they do. It counts against the limits all the time;
 * references to it do not count. It takes REFSTORE_RIGHT_WRITE_SLOTS as well
 * (EACCES). If the call fails with EFAULT, the object is not immortal.
 * E2BIG, EDQUOT, EINVAL (type; REFSTORE_CREATE_INTERN with slots), EBADF (a handle
 * in @slots), EFAULT, EOVERFLOW, ENOMEM.
 */
struct refstore_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 data;
	__aligned_u64 result;
	__u32 type;
	__u32 nr_slots;
	__u32 data_len;
	__u32 reserved;
	__aligned_u64 slots;
	__aligned_u64 id;
};

#define REFSTORE_CREATE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_CREATE)

/**
 * struct refstore_dup - ioctl(REFSTORE_DUP)
 * @size: sizeof(struct refstore_dup)
 * @flags: must be 0
 * @object: a handle
 * @result: out: another handle of the same object
 *
 * EBADF, EDQUOT, EOVERFLOW, ENOMEM.
 */
struct refstore_dup {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 result;
};

#define REFSTORE_DUP _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_DUP)

/**
 * struct refstore_release - ioctl(REFSTORE_RELEASE)
 * @size: sizeof(struct refstore_release)
 * @flags: must be 0
 * @object: the handle to give back, which may be a weak one; it is stale from
 *          then on
 *
 * Giving a weak handle back takes back the notice that was asked for with it,
 * unless the object is dead already: then it can still be read.
 *
 * If this was the last reference, the object is freed, and whatever it alone
 * referred to: a bounded part of that in the call, the rest by the kernel soon
 * after.
 * EBADF.
 */
struct refstore_release {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
};

#define REFSTORE_RELEASE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_RELEASE)

/**
 * struct refstore_create_many - ioctl(REFSTORE_CREATE_MANY)
 * @size: sizeof(struct refstore_create_many)
 * @flags: as in struct refstore_create, but for REFSTORE_CREATE_INTERN and
 *         REFSTORE_CREATE_IMMORTAL
 * @data: pointer to @count times @data_len bytes, one object's behind the
 *        other's; 0: all data is zeroes
 * @handles: pointer to @count handles (__u64), written: of the new objects
 * @type: a type of the heap
 * @count: number of objects, 1 to &refstore_query.max_batch
 * @data_len: bytes of data of each
 * @nr_slots: number of slots of each; all are empty
 * @done: out: number of objects that were made
 * @reserved: must be 0
 *
 * Objects that are alike, at a fraction of what it costs to make each by itself.
 * When something goes wrong, or a signal comes, after the first objects, the
 * call succeeds and @done says how far it came; 1 to @count. What @handles
 * contains beyond that is of no meaning. An error before that changed nothing.
 * Ids are not told: REFSTORE_STAT does that.
 * E2BIG, EDQUOT, EFAULT, EINVAL (type, @count), ENOMEM.
 */
struct refstore_create_many {
	__u32 size;
	__u32 flags;
	__aligned_u64 data;
	__aligned_u64 handles;
	__u32 type;
	__u32 count;
	__u32 data_len;
	__u32 nr_slots;
	__u32 done;
	__u32 reserved;
};

#define REFSTORE_CREATE_MANY _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_CREATE_MANY)

/**
 * struct refstore_release_many - ioctl(REFSTORE_RELEASE_MANY)
 * @size: sizeof(struct refstore_release_many)
 * @flags: must be 0
 * @handles: pointer to @count handles (__u64), weak ones among them; 0 stands
 *           for none and is passed over
 * @count: number of handles, 1 to &refstore_query.max_batch
 * @done: out: number of handles that were given back, those that are 0 included
 *
 * Gives handles back as REFSTORE_RELEASE does. When something goes wrong, or a
 * signal comes, after the first ones, the call succeeds and @done says how far
 * it came; 1 to @count. An error before that changed nothing.
 * EBADF, E2BIG, EFAULT, EINVAL (@count).
 */
struct refstore_release_many {
	__u32 size;
	__u32 flags;
	__aligned_u64 handles;
	__u32 count;
	__u32 done;
};

#define REFSTORE_RELEASE_MANY _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_RELEASE_MANY)

/* Flags for REFSTORE_GET_SLOT; the first for REFSTORE_READ_SLOTS as well. */
#define REFSTORE_SLOT_PEEK	0x1	/* make no handle: tell the id alone */
#define REFSTORE_SLOT_MATCH	0x2	/* only if it refers to the object @id */

/**
 * struct refstore_get_slot - ioctl(REFSTORE_GET_SLOT)
 * @size: sizeof(struct refstore_get_slot)
 * @flags: REFSTORE_SLOT_PEEK, REFSTORE_SLOT_MATCH
 * @object: a handle
 * @result: out: a new handle of what the slot refers to; 0 if it is empty, or with
 *          REFSTORE_SLOT_PEEK
 * @index: the slot, from 0
 * @reserved: must be 0
 * @id: in, with REFSTORE_SLOT_MATCH: id of the object that the slot must refer to,
 *      0 for an empty slot; out: id of what it refers to, 0 if it is empty
 *
 * An id is given once in a heap. So who has read what is sealed, and finds the same
 * id again, need not read it again; and who does so by REFSTORE_SLOT_PEEK neither
 * needs a handle for that nor keeps the object alive.
 * EAGAIN (REFSTORE_SLOT_MATCH: it refers to something else); EBADF, EOPNOTSUPP,
 * ERANGE, EDQUOT, EOVERFLOW, ENOMEM.
 */
struct refstore_get_slot {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 result;
	__u32 index;
	__u32 reserved;
	__aligned_u64 id;
};

#define REFSTORE_GET_SLOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_GET_SLOT)

/**
 * struct refstore_set_slot - ioctl(REFSTORE_SET_SLOT)
 * @size: sizeof(struct refstore_set_slot)
 * @flags: must be 0
 * @object: handle of the object whose slot is written
 * @value: handle of the object that the slot shall refer to, or 0; the slot
 *         gets a reference of its own
 * @index: the slot, from 0
 * @reserved: must be 0
 *
 * EBADF, EOPNOTSUPP, ERANGE, EPERM, EOVERFLOW.
 */
struct refstore_set_slot {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 value;
	__u32 index;
	__u32 reserved;
};

#define REFSTORE_SET_SLOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_SET_SLOT)

/**
 * struct refstore_cas_slot - ioctl(REFSTORE_CAS_SLOT)
 * @size: sizeof(struct refstore_cas_slot)
 * @flags: must be 0
 * @object: handle of the object whose slot is written
 * @value: handle of the object that the slot shall refer to, or 0
 * @expected: handle of the object that it must refer to now, or 0 for an empty
 *            slot; objects are compared, not handles
 * @index: the slot, from 0
 * @reserved: must be 0
 *
 * EAGAIN if the slot refers to something else; EBADF, EOPNOTSUPP, ERANGE,
 * EPERM, EOVERFLOW.
 */
struct refstore_cas_slot {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 value;
	__aligned_u64 expected;
	__u32 index;
	__u32 reserved;
};

#define REFSTORE_CAS_SLOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_CAS_SLOT)

/**
 * struct refstore_slots - ioctl(REFSTORE_READ_SLOTS),
 * ioctl(REFSTORE_WRITE_SLOTS)
 * @size: sizeof(struct refstore_slots)
 * @flags: of REFSTORE_READ_SLOTS: REFSTORE_SLOT_PEEK; else must be 0
 * @object: a handle
 * @handles: pointer to @count handles (__u64): written by REFSTORE_READ_SLOTS
 *           (a new handle for each slot, or the object's id with
 *           REFSTORE_SLOT_PEEK; 0 for an empty slot), read by
 *           REFSTORE_WRITE_SLOTS (0 empties a slot)
 * @first: the first slot, from 0
 * @count: number of slots, at least 1
 * @done: out: number of slots that were read or written
 * @reserved: must be 0
 *
 * Up to REFSTORE_MAX_COPY slots are read at one moment: of what REFSTORE_CAS_MANY or
 * REFSTORE_COPY_SLOTS sets in them, all is seen or nothing. Else each slot is read or
 * written atomically, all of them together are not. When something goes wrong, or a
 * signal comes, after the first slots, the call succeeds and @done says how far it
 * came; 1 to @count. An error before that changed nothing, and what it left in
 * @handles are no handles.
 * EINVAL (@count), EBADF, EOPNOTSUPP, ERANGE (not all of the slots exist), EPERM
 * (writing), EDQUOT, EOVERFLOW, EFAULT, ENOMEM.
 */
struct refstore_slots {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 handles;
	__u32 first;
	__u32 count;
	__u32 done;
	__u32 reserved;
};

#define REFSTORE_READ_SLOTS _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_READ_SLOTS)
#define REFSTORE_WRITE_SLOTS _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_WRITE_SLOTS)

/* Slots that REFSTORE_COPY_SLOTS copies, and REFSTORE_READ_SLOTS reads, at one moment. */
#define REFSTORE_MAX_COPY 64

/**
 * struct refstore_copy_slots - ioctl(REFSTORE_COPY_SLOTS)
 * @size: sizeof(struct refstore_copy_slots)
 * @flags: must be 0
 * @object: handle of the object whose slots are written
 * @source: handle of the object whose slots are read, which may be the same
 * @first: the first slot to be written, from 0
 * @source_first: the first slot to be read, from 0
 * @count: number of slots, 1 to REFSTORE_MAX_COPY
 * @reserved: must be 0
 *
 * For an object that is to be like another but for a few slots: lets slots refer to
 * what other slots do, without handles in between. All of them are read at one moment,
 * and all are written at one moment, after that. An error changed nothing.
 * EINVAL (@count is 0), E2BIG (it is larger), EBADF, EOPNOTSUPP, ERANGE (not all of the
 * slots exist), EPERM, EOVERFLOW.
 */
struct refstore_copy_slots {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 source;
	__u32 first;
	__u32 source_first;
	__u32 count;
	__u32 reserved;
};

#define REFSTORE_COPY_SLOTS _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_COPY_SLOTS)

/* Slots that REFSTORE_CAS_MANY sets at a time, and of how many objects. */
#define REFSTORE_MAX_CAS		256
#define REFSTORE_MAX_CAS_OBJECTS	16

/**
 * struct refstore_cas_entry - a slot for REFSTORE_CAS_MANY
 * @object: handle of the object whose slot is written
 * @value: handle of the object that the slot shall refer to, or 0
 * @expected: id of the object that it must refer to now, or 0 for an empty slot
 * @index: the slot, from 0
 * @reserved: must be 0
 */
struct refstore_cas_entry {
	__aligned_u64 object;
	__aligned_u64 value;
	__aligned_u64 expected;
	__u32 index;
	__u32 reserved;
};

/**
 * struct refstore_cas_many - ioctl(REFSTORE_CAS_MANY)
 * @size: sizeof(struct refstore_cas_many)
 * @flags: must be 0
 * @entries: pointer to @count struct refstore_cas_entry
 * @count: number of slots, 1 to REFSTORE_MAX_CAS
 * @reserved: must be 0
 *
 * Sets many slots at one moment, if all of them refer to what is expected: who reads
 * two of them by calls of his own may come in between, but who compares and sets them
 * by this command sees all of it or nothing. Up to REFSTORE_MAX_CAS_OBJECTS objects
 * may have the slots; of more, E2BIG. A slot that is named twice must refer
 * to both that are expected, and gets the last value. An error changed nothing.
 * EAGAIN if a slot refers to something else; EINVAL, E2BIG, EBADF, EOPNOTSUPP, ERANGE,
 * EPERM, EOVERFLOW, EFAULT, ENOMEM.
 */
struct refstore_cas_many {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 reserved;
};

#define REFSTORE_CAS_MANY _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_CAS_MANY)

/**
 * struct refstore_resize_slots - ioctl(REFSTORE_RESIZE_SLOTS)
 * @size: sizeof(struct refstore_resize_slots)
 * @flags: must be 0
 * @object: a handle
 * @nr_slots: the new number of slots; new ones are empty, the references in
 *            those cut off are dropped
 * @reserved: must be 0
 *
 * Costs time in proportion to the number of slots: grow in steps. Meanwhile both
 * the old slots and the new ones exist, and must be within the limits; when
 * their number falls, too.
 * EBADF, EOPNOTSUPP, E2BIG, EPERM, EDQUOT, ENOMEM.
 */
struct refstore_resize_slots {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__u32 nr_slots;
	__u32 reserved;
};

#define REFSTORE_RESIZE_SLOTS _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_RESIZE_SLOTS)

/**
 * struct refstore_data - ioctl(REFSTORE_READ), ioctl(REFSTORE_WRITE)
 * @size: sizeof(struct refstore_data)
 * @flags: must be 0
 * @object: a handle
 * @buffer: pointer to @length bytes
 * @offset: first byte of the object's data
 * @length: number of bytes; may be 0
 * @done: out: bytes read or written: less than @length when reading past the
 *        end of the data
 *
 * A write is seen by any read whole or not at all; it must lie within the data.
 * Not so in a large value, which is read and written as any file: others may see
 * parts, and if it fails a part may have been written. Writes to it wait for each
 * other, and for those that others make by descriptors of it, and nothing interrupts
 * that; they are subject to RLIMIT_FSIZE (EFBIG, and SIGXFSZ).
 * EBADF, ERANGE (writing: beyond the end; reading: @offset beyond the end),
 * EPERM (writing), EFAULT, EIO (large values: broken memory), ENOMEM.
 */
struct refstore_data {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 buffer;
	__aligned_u64 offset;
	__u32 length;
	__u32 done;
};

#define REFSTORE_READ _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_READ)
#define REFSTORE_WRITE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_WRITE)

/**
 * struct refstore_seal - ioctl(REFSTORE_SEAL)
 * @size: sizeof(struct refstore_seal)
 * @flags: REFSTORE_SEAL_DATA, REFSTORE_SEAL_SLOTS or both; at least one
 * @object: a handle
 *
 * For good; sealing again is no error. The data of a large value can be sealed when
 * its memfd has the seal F_SEAL_WRITE, which whoever has a descriptor for writing
 * can add with fcntl(2); that fails with EBUSY while anybody has the value mapped
 * for writing, or a device or io_uring works on its pages. It takes time in
 * proportion to the size, as all pages are looked for, and those made where holes
 * were punched; a signal that ends the process ends it. EBADF, EBUSY, EINTR, EINVAL,
 * EIO, ENOMEM.
 */
struct refstore_seal {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
};

#define REFSTORE_SEAL _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_SEAL)

/* What REFSTORE_STAT and REFSTORE_WALK tell of an object in their @state. */
#define REFSTORE_STATE_SEALED_DATA	0x1
#define REFSTORE_STATE_SEALED_SLOTS	0x2
#define REFSTORE_STATE_SLOTTED		0x4 /* not a leaf */
#define REFSTORE_STATE_CANDIDATE	0x8 /* the scanner will look */
#define REFSTORE_STATE_SATURATED	0x10 /* leaked, never freed */
#define REFSTORE_STATE_WEAK		0x20 /* has, or had, weak handles */
#define REFSTORE_STATE_FROZEN		0x40 /* the scanner does not look at it */
#define REFSTORE_STATE_SAVED		0x80 /* garbage, kept by the heap */
#define REFSTORE_STATE_INTERNED		0x100
#define REFSTORE_STATE_IMMORTAL		0x200
#define REFSTORE_STATE_LARGE		0x400 /* its data is a memfd */

/**
 * struct refstore_stat - ioctl(REFSTORE_STAT)
 * @size: sizeof(struct refstore_stat)
 * @flags: must be 0
 * @object: a handle
 * @id: out: the object's id in its heap, from 1
 * @type: out: its type
 * @state: out: REFSTORE_STATE_*
 * @nr_slots: out
 * @refs: out: references to it, the handle's own included; of no meaning with
 *        REFSTORE_STATE_SATURATED or REFSTORE_STATE_IMMORTAL
 * @data_len: out: bytes of data
 * @bytes: out: memory that it takes, in bytes, as charged to the heap
 * @inode: out: of a large value: the number of its memfd's inode, as stat(2) and
 *         /proc/PID/maps tell it of descriptors and mappings; else 0
 *
 * EBADF.
 */
struct refstore_stat {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 id;
	__u32 type;
	__u32 state;
	__u32 nr_slots;
	__u32 refs;
	__aligned_u64 data_len;
	__aligned_u64 bytes;
	__aligned_u64 inode;
};

#define REFSTORE_STAT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_STAT)

/**
 * struct refstore_get_root - ioctl(REFSTORE_GET_ROOT)
 * @size: sizeof(struct refstore_get_root)
 * @flags: must be 0
 * @reserved: must be 0
 * @result: out: a new handle of the heap's root; 0 if it has none
 *
 * EDQUOT, EOVERFLOW, ENOMEM.
 */
struct refstore_get_root {
	__u32 size;
	__u32 flags;
	__aligned_u64 reserved;
	__aligned_u64 result;
};

#define REFSTORE_GET_ROOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_GET_ROOT)

/**
 * struct refstore_set_root - ioctl(REFSTORE_SET_ROOT), ioctl(REFSTORE_CAS_ROOT)
 * @size: sizeof(struct refstore_set_root)
 * @flags: must be 0
 * @expected: REFSTORE_CAS_ROOT: handle of the object that must be the root now,
 *            or 0 for none; REFSTORE_SET_ROOT: must be 0
 * @value: handle of the object that shall be the root, or 0
 *
 * The root is a reference of the heap's own: it outlives this session, but not
 * the heap, which ends with its last session if it has no name.
 * EBADF, EOVERFLOW, EAGAIN (REFSTORE_CAS_ROOT).
 */
struct refstore_set_root {
	__u32 size;
	__u32 flags;
	__aligned_u64 expected;
	__aligned_u64 value;
};

#define REFSTORE_SET_ROOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_SET_ROOT)
#define REFSTORE_CAS_ROOT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_CAS_ROOT)

/* For REFSTORE_SESSION_NEW: with the same handles, each counted anew. */
#define REFSTORE_SESSION_CLONE	0x1

/**
 * struct refstore_session_new - ioctl(REFSTORE_SESSION_NEW)
 * @size: sizeof(struct refstore_session_new)
 * @flags: 0 for a session without handles, or REFSTORE_SESSION_CLONE
 * @fd: out: descriptor of a new session on the same heap, close-on-exec
 * @reserved: must be 0
 *
 * Cloning takes time in proportion to the number of handles.
 * EDQUOT (cloning), EINTR, EMFILE, ENFILE, ENOMEM, EOVERFLOW (cloning).
 */
struct refstore_session_new {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

#define REFSTORE_SESSION_NEW _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_SESSION_NEW)

/**
 * struct refstore_restrict - ioctl(REFSTORE_RESTRICT)
 * @size: sizeof(struct refstore_restrict)
 * @flags: must be 0
 * @rights: REFSTORE_RIGHT_* that the session keeps, of those that it has
 *
 * Gives up the others, for good; nobody can give them back to this session. Calls
 * that other threads had begun may still come to their end with the rights that
 * they found, and return descriptors, but for those on objects that can be in a
 * batch: these have ended when it returns. Descriptors that it has got stay what they
 * are: sessions, exports, those of large values.
 *
 * EINVAL (a bit that is no right), EINTR.
 */
struct refstore_restrict {
	__u32 size;
	__u32 flags;
	__aligned_u64 rights;
};

#define REFSTORE_RESTRICT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_RESTRICT)

/**
 * struct refstore_export - ioctl(REFSTORE_EXPORT)
 * @size: sizeof(struct refstore_export)
 * @flags: must be 0
 * @object: the object
 * @rights: REFSTORE_RIGHT_* that sessions can have which get at the object by
 *          the descriptor; of those that this session has
 * @fd: out: a descriptor, close-on-exec, the caller's
 * @reserved: must be 0
 *
 * Makes a descriptor that stands for the object, to be sent over a UNIX socket or
 * inherited. Until it is closed, in flight, too, and whatever becomes of the
 * sender, it holds a reference, and keeps the heap. It is no session: it takes
 * REFSTORE_QUERY, REFSTORE_OPEN_EXPORT and REFSTORE_LIMIT alone (ENOTTY), and is
 * what REFSTORE_IMPORT takes. In walks it is a session with one handle.
 *
 * EACCES (REFSTORE_RIGHT_EXPORT; @rights that the session has not got), EBADF,
 * EDQUOT, EINTR, EINVAL (a bit that is no right), EMFILE, ENFILE, ENOMEM,
 * EOVERFLOW.
 */
struct refstore_export {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 rights;
	__s32 fd;
	__u32 reserved;
};

#define REFSTORE_EXPORT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_EXPORT)

/**
 * struct refstore_import - ioctl(REFSTORE_IMPORT)
 * @size: sizeof(struct refstore_import)
 * @flags: must be 0
 * @fd: a descriptor that REFSTORE_EXPORT made; it stays the caller's
 * @reserved: must be 0
 * @result: out: a new handle of the object, a reference of its own
 *
 * All rights that the session has must be among those of the export.
 *
 * EACCES (they are not), EBADF (@fd is no descriptor), EINVAL (it is another
 * one), EXDEV (the object is in another heap), EDQUOT, ENOMEM, EOVERFLOW.
 */
struct refstore_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
	__aligned_u64 result;
};

#define REFSTORE_IMPORT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_IMPORT)

/**
 * struct refstore_open_export - ioctl(REFSTORE_OPEN_EXPORT), on the descriptor of
 * an export
 * @size: sizeof(struct refstore_open_export)
 * @flags: must be 0
 * @object: out: the handle of the object in the new session
 * @fd: out: the new session's descriptor, close-on-exec, the caller's
 * @reserved: must be 0
 *
 * Makes a session on the object's heap, with the export's rights.
 *
 * ENOTTY (the descriptor is no export's), EDQUOT, EINTR, EMFILE, ENFILE, ENOMEM,
 * EOVERFLOW.
 */
struct refstore_open_export {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__s32 fd;
	__u32 reserved;
};

#define REFSTORE_OPEN_EXPORT \
	_IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_OPEN_EXPORT)

/**
 * struct refstore_type - ioctl(REFSTORE_TYPE_REGISTER),
 * ioctl(REFSTORE_TYPE_NAME)
 * @size: sizeof(struct refstore_type)
 * @flags: must be 0
 * @type: the type's number; out for REFSTORE_TYPE_REGISTER, in for
 *        REFSTORE_TYPE_NAME
 * @reserved: must be 0
 * @name: 1 to REFSTORE_TYPE_NAME_MAX - 1 characters, printable ASCII without
 *        blanks, then zeroes to the end; in for REFSTORE_TYPE_REGISTER, out for
 *        REFSTORE_TYPE_NAME
 *
 * A name has one number in a heap: registering it again, from any session,
 * gives the same number. Types live as long as their heap.
 * EINVAL (a name that is none; REFSTORE_TYPE_NAME: no such type), ENOSPC,
 * ENOMEM.
 */
struct refstore_type {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 reserved;
	char name[REFSTORE_TYPE_NAME_MAX];
};

#define REFSTORE_TYPE_REGISTER \
	_IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_TYPE_REGISTER)
#define REFSTORE_TYPE_NAME _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_TYPE_NAME)

/*
 * Generations. A candidate (an object with slots whose count fell, but not to
 * zero) is of the youngest generation, 0, and grows older when a scan takes it
 * from the queue and finds it alive. So an age says how often an object was a
 * candidate, not how many scans it has seen. A scan of a generation begins at the
 * candidates of that age and all younger ones, and looks at what these reach:
 * garbage with slots was always a candidate, or is reached by one.
 */
#define REFSTORE_GENERATIONS 3

/**
 * struct refstore_collect - ioctl(REFSTORE_COLLECT)
 * @size: sizeof(struct refstore_collect)
 * @flags: must be 0
 * @generation: 0 to REFSTORE_GENERATIONS - 1: begin at candidates of that age and
 *              younger ones; with the last one, at all of them
 * @reserved: must be 0
 * @visited: out: objects with slots that scans looked at
 * @reclaimed: out: objects found unreachable and freed, leaves included
 * @bytes: out: bytes that these took
 * @saved: out: objects found unreachable and saved (REFSTORE_TUNE_SAVE)
 * @aborted: out: components that were touched meanwhile and kept
 * @nanoseconds: out: time that scans took
 * @scans: out: number of scans
 *
 * Runs a scan of the heap that begins after the call, waits until it has ended
 * and until what became unreachable has been freed. The figures are those of
 * all scans of the heap that ended during the call. A signal ends the wait,
 * not the scan; if it has a handler, with EINTR even where SA_RESTART is set.
 * A scan gives up when others drop very much memory while it runs, or after 25
 * seconds; then the call tries again, up to eight times, and leaves the rest to
 * later scans. It succeeds then, too; scan_stopped in /proc/refstore/stats counts
 * scans that gave up.
 * EINTR, EINVAL.
 */
struct refstore_collect {
	__u32 size;
	__u32 flags;
	__u32 generation;
	__u32 reserved;
	__aligned_u64 visited;
	__aligned_u64 reclaimed;
	__aligned_u64 bytes;
	__aligned_u64 saved;
	__aligned_u64 aborted;
	__aligned_u64 nanoseconds;
	__aligned_u64 scans;
};

#define REFSTORE_COLLECT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_COLLECT)

/* For REFSTORE_TUNE: which settings to set. */
#define REFSTORE_TUNE_AUTOMATIC	0x1
#define REFSTORE_TUNE_SAVE	0x2
#define REFSTORE_TUNE_EVENTS	0x4
#define REFSTORE_TUNE_THRESHOLD	0x8
#define REFSTORE_TUNE_DELAY	0x10

/* The longest delay, in milliseconds: a day. */
#define REFSTORE_MAX_DELAY 86400000U

/**
 * struct refstore_tune - ioctl(REFSTORE_TUNE)
 * @size: sizeof(struct refstore_tune)
 * @flags: REFSTORE_TUNE_*: the settings that are set; 0: none
 * @automatic: 1: scans run by themselves (the default); 0: only when
 *             REFSTORE_COLLECT asks
 * @save: 1: what scans find unreachable is not freed, but gets a reference of
 *        the heap's and REFSTORE_STATE_SAVED; 0 (the default): it is freed
 * @events: 1: this session is told when scans begin and end; 0 (the default):
 *          not. The other settings are the heap's
 * @reserved: must be 0
 * @threshold: [0]: number of candidates that start a scan of generation 0.
 *             Others: number of scans of the next younger generation that start
 *             one of this generation. 0: no number does
 * @delay: milliseconds after which a candidate of the generation starts a scan, up
 *         to REFSTORE_MAX_DELAY. 0: at once, not never
 *
 * On return the settings are those in force. As long as scans find little to
 * free, threshold[0] counts up to eight times, and between two scans of a
 * generation passes a multiple of the time that the last one took: up to 7
 * times, for older generations 28 and 112 times.
 * EINVAL, EINTR, ENOMEM (events).
 */
struct refstore_tune {
	__u32 size;
	__u32 flags;
	__u32 automatic;
	__u32 save;
	__u32 events;
	__u32 reserved;
	__u32 threshold[REFSTORE_GENERATIONS];
	__u32 delay[REFSTORE_GENERATIONS];
};

#define REFSTORE_TUNE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_TUNE)

/**
 * struct refstore_generation - ioctl(REFSTORE_GENERATION)
 * @size: sizeof(struct refstore_generation)
 * @flags: must be 0
 * @generation: 0 to REFSTORE_GENERATIONS - 1
 * @reserved: must be 0
 * @candidates: out: candidates of this age, now
 * @count: out: what &refstore_tune.threshold (of generation 0, up to eight times
 *         that) is compared with: of generation 0 the candidates, else scans of
 *         the next younger generation since the last of this one
 * @scans: out: scans of this generation; the next ones are sums over these
 * @visited: out: objects with slots that they looked at
 * @reclaimed: out: objects that they freed, leaves included
 * @bytes: out: bytes that these took
 * @saved: out: objects that they saved
 * @aborted: out: components that were touched and kept
 * @nanoseconds: out: time that they took
 * @saturated: out: objects of the heap, of any age, that can never be freed though
 *             they are not immortal
 *
 * EINVAL.
 */
struct refstore_generation {
	__u32 size;
	__u32 flags;
	__u32 generation;
	__u32 reserved;
	__aligned_u64 candidates;
	__aligned_u64 count;
	__aligned_u64 scans;
	__aligned_u64 visited;
	__aligned_u64 reclaimed;
	__aligned_u64 bytes;
	__aligned_u64 saved;
	__aligned_u64 aborted;
	__aligned_u64 nanoseconds;
	__aligned_u64 saturated;
};

#define REFSTORE_GENERATION _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_GENERATION)

/* For REFSTORE_FREEZE, one or none of: */
#define REFSTORE_FREEZE_ALL	0x1 /* freeze what is in the heap now */
#define REFSTORE_FREEZE_NONE	0x2 /* thaw everything */

/**
 * struct refstore_freeze - ioctl(REFSTORE_FREEZE)
 * @size: sizeof(struct refstore_freeze)
 * @flags: REFSTORE_FREEZE_ALL, REFSTORE_FREEZE_NONE, or 0
 * @frozen: out: objects with slots that are frozen now; with
 *          REFSTORE_FREEZE_NONE, that were
 *
 * Scans do not look at frozen objects: they cost nothing, and are freed only
 * when their count falls to zero. Thawed objects are candidates of generation
 * 0. Freezing again freezes what has come since, too. It takes no time;
 * thawing and counting take time in proportion to the number of objects, and
 * are not interrupted by signals that have a handler; thawing by none.
 * EINVAL.
 */
struct refstore_freeze {
	__u32 size;
	__u32 flags;
	__aligned_u64 frozen;
};

#define REFSTORE_FREEZE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_FREEZE)

/**
 * struct refstore_drop_saved - ioctl(REFSTORE_DROP_SAVED)
 * @size: sizeof(struct refstore_drop_saved)
 * @flags: must be 0
 * @dropped: out: how many references
 *
 * Drops the references that the heap has on saved objects (see
 * &refstore_tune.save); REFSTORE_WALK_OBJECTS tells which these are. A signal
 * ends it early, with a part of them dropped.
 * EINTR (nothing was dropped).
 */
struct refstore_drop_saved {
	__u32 size;
	__u32 flags;
	__aligned_u64 dropped;
};

#define REFSTORE_DROP_SAVED _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_DROP_SAVED)

/* For REFSTORE_WEAK: send a notice when the object dies. */
#define REFSTORE_WEAK_NOTIFY	0x1

/**
 * struct refstore_weak - ioctl(REFSTORE_WEAK)
 * @size: sizeof(struct refstore_weak)
 * @flags: REFSTORE_WEAK_NOTIFY, or 0
 * @object: a handle, or a weak handle
 * @cookie: any number, for the notice
 * @result: out: a new weak handle of the same object
 *
 * A weak handle counts as a handle of its session; where a notice is asked for, so
 * do those that were released with a notice that nobody has read yet. The first
 * one of an object costs the heap 56 bytes, even if the call fails afterwards. A
 * clone of the session has it as well, but gets no notice.
 * A notice that was asked for is never lost, nor does it come twice; when the
 * object of a weak handle is dead already, it comes at once. It comes after
 * every weak handle of the object is dead, and if a scan found the object, every
 * weak handle of all that the scan decided to free together with it.
 * EBADF, EDQUOT, EINTR, ENOMEM.
 */
struct refstore_weak {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 cookie;
	__aligned_u64 result;
};

#define REFSTORE_WEAK _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_WEAK)

/**
 * struct refstore_upgrade - ioctl(REFSTORE_UPGRADE)
 * @size: sizeof(struct refstore_upgrade)
 * @flags: must be 0
 * @weak: a weak handle, which stays as it is
 * @result: out: a new handle of its object; 0 if that is dead
 *
 * EBADF (no weak handle), EDQUOT, EOVERFLOW, ENOMEM.
 */
struct refstore_upgrade {
	__u32 size;
	__u32 flags;
	__aligned_u64 weak;
	__aligned_u64 result;
};

#define REFSTORE_UPGRADE _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_UPGRADE)

/* What an event tells. */
enum {
	REFSTORE_EVENT_DEATH = 1,	/* asked for with REFSTORE_WEAK_NOTIFY */
	REFSTORE_EVENT_SCAN_BEGIN,	/* asked for with REFSTORE_TUNE_EVENTS */
	REFSTORE_EVENT_SCAN_END,
};

/**
 * struct refstore_event - what read(2) on a session returns, one or more
 * @seq: number of the event in its session, from 1, without gaps
 * @cookie: of a death: &refstore_weak.cookie
 * @id: of a death: the object's id; else the number of the scan
 * @kind: REFSTORE_EVENT_*
 * @generation: of a scan
 * @visited: at the end of a scan: objects with slots that it looked at
 * @reclaimed: and objects that it freed
 * @nanoseconds: and the time that it took
 * @lost: of a scan: events of scans that found no room just before this one; up
 *        to 64 wait to be read
 *
 * Read at least sizeof(struct refstore_event) bytes (EINVAL); only whole events
 * are read, in order. If there is none, the call waits, or with O_NONBLOCK
 * fails with EAGAIN; poll(2) says POLLIN when there is one. As long as a session
 * has asked for none, reading returns 0. A signal ends the wait with EINTR; what
 * could not be written for EFAULT is still there to be read.
 */
struct refstore_event {
	__aligned_u64 seq;
	__aligned_u64 cookie;
	__aligned_u64 id;
	__u32 kind;
	__u32 generation;
	__aligned_u64 visited;
	__aligned_u64 reclaimed;
	__aligned_u64 nanoseconds;
	__aligned_u64 lost;
};

/* What a label is of, and what it takes to set it. */
enum {
	REFSTORE_LABEL_SESSION,	/* the caller's own; nothing */
	REFSTORE_LABEL_HEAP,	/* REFSTORE_RIGHT_WRITE_SLOTS */
	REFSTORE_LABEL_OBJECT,	/* REFSTORE_RIGHT_WRITE_DATA */
};

/* A label, with the final zero. */
#define REFSTORE_LABEL_MAX 32

/**
 * struct refstore_label - ioctl(REFSTORE_LABEL)
 * @size: sizeof(struct refstore_label)
 * @flags: must be 0
 * @what: REFSTORE_LABEL_*
 * @reserved: must be 0
 * @object: a handle, with REFSTORE_LABEL_OBJECT; else 0
 * @label: text of up to REFSTORE_LABEL_MAX - 1 bytes, none of them an ASCII control
 *         character, and zeroes up to the end; may be empty
 *
 * Labels are for people: REFSTORE_WALK_SESSIONS and REFSTORE_WALK_LABELS list
 * them, and a heap's stands in /proc/refstore/heaps. A sealed object can be
 * labelled, too. The first label of an object, be it empty, costs the heap 32 bytes,
 * and has it listed, for as long as the object lives.
 * EBADF, EDQUOT, EINVAL (@what, @object, @label), ENOMEM.
 */
struct refstore_label {
	__u32 size;
	__u32 flags;
	__u32 what;
	__u32 reserved;
	__aligned_u64 object;
	char label[REFSTORE_LABEL_MAX];
};

#define REFSTORE_LABEL _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_LABEL)

/* What a large value is charged for at least, in bytes: it takes an open file. */
#define REFSTORE_MIN_LARGE	65536

/**
 * struct refstore_adopt - ioctl(REFSTORE_ADOPT)
 * @size: sizeof(struct refstore_adopt)
 * @flags: must be 0
 * @fd: descriptor of a memfd, open for reading and writing; of one that has the
 *      seal F_SEAL_WRITE, for reading. It stays the caller's, who can close it
 * @type: a type of the heap
 * @result: out: a handle of the new object
 * @id: out: the new object's id
 *
 * Makes a large value: a leaf whose data is the memfd, which must not be empty, and
 * must have the seals F_SEAL_SHRINK and F_SEAL_GROW, so that it does not end below
 * who has it mapped. Its pages are no huge ones of hugetlbfs.
 *
 * All of its memory is reserved when the call returns: what was not there is
 * charged to the caller's memory cgroup, as that of any memfd (but nobody is
 * killed for it: ENOMEM), and stays with the memfd if the call fails. The heap is
 * charged for its size in pages, and no less than REFSTORE_MIN_LARGE. It takes time
 * in proportion to the size; a signal that ends the process ends it.
 *
 * Who has the right to write data can write it, by REFSTORE_WRITE or mapped, until
 * it is sealed; the adopter's own descriptor can, too. So can whoever has such a
 * descriptor punch holes, for which others then pay; and add seals, F_SEAL_SEAL
 * among them, after which nobody can seal it. A sealed one has no holes: who reads
 * it is sent no SIGBUS but for broken memory or swap. With F_SEAL_WRITE, it is sealed
 * at once.
 *
 * The memory is freed when the object is and the last descriptor is closed. The
 * object's own is closed by a work item, soon after its last reference is gone;
 * until then the heap is charged. The call cannot be part of a batch.
 * EBADF (@fd is no descriptor, or is not open for that), EBUSY (somebody has a lease
 * on it, or executes it), E2BIG (above 2^47 bytes), EDQUOT, EINTR, EINVAL (@fd is no
 * such memfd; type), EIO (broken memory), ENFILE, ENOMEM.
 */
struct refstore_adopt {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 type;
	__aligned_u64 result;
	__aligned_u64 id;
};

#define REFSTORE_ADOPT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_ADOPT)

/* For REFSTORE_MAP: a descriptor for writing, too. */
#define REFSTORE_MAP_WRITE	0x1

/**
 * struct refstore_map - ioctl(REFSTORE_MAP)
 * @size: sizeof(struct refstore_map)
 * @flags: REFSTORE_MAP_WRITE, or 0
 * @object: a large value
 * @length: out: bytes of data
 * @fd: out: a descriptor of the memfd, close-on-exec, the caller's
 * @reserved: must be 0
 *
 * A fresh descriptor each time, with a position of its own, to be mapped with
 * mmap(2), or read, as that of any file. It keeps the memory, not the object.
 *
 * Of a sealed value anybody who has a handle gets one for reading. Before, only who
 * has REFSTORE_RIGHT_WRITE_DATA, as a descriptor of a memfd can be opened anew for
 * writing, in /proc/self/fd. What was handed out before the seal stays, and can
 * write no more. As long as anybody has the value mapped for writing, or shared
 * from a descriptor with REFSTORE_MAP_WRITE, nobody can seal it.
 * EACCES (REFSTORE_RIGHT_WRITE_DATA), EBADF, EBUSY (as for REFSTORE_ADOPT), EINTR,
 * EMFILE, ENFILE, ENOMEM, EOPNOTSUPP (no large value), EPERM (REFSTORE_MAP_WRITE: it
 * is sealed).
 */
struct refstore_map {
	__u32 size;
	__u32 flags;
	__aligned_u64 object;
	__aligned_u64 length;
	__s32 fd;
	__u32 reserved;
};

#define REFSTORE_MAP _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_MAP)

/* What REFSTORE_WALK lists. */
enum {
	REFSTORE_WALK_OBJECTS,	/* struct refstore_walk_object */
	REFSTORE_WALK_EDGES,	/* struct refstore_walk_edge */
	REFSTORE_WALK_HANDLES,	/* struct refstore_walk_handle */
	REFSTORE_WALK_ROOTS,	/* struct refstore_walk_handle, session 0 */
	REFSTORE_WALK_SESSIONS,	/* struct refstore_walk_session */
	REFSTORE_WALK_LABELS,	/* struct refstore_walk_label */
};

/* For REFSTORE_WALK_OBJECTS: mint a handle for each object. */
#define REFSTORE_WALK_MINT	0x1

/**
 * struct refstore_walk_object - an object of the heap
 * @id: its id
 * @handle: with REFSTORE_WALK_MINT, a handle, or 0 if the object has as many
 *          references as it can have; else 0
 * @bytes: memory that it takes
 * @data_len: bytes of data
 * @type: its type
 * @state: REFSTORE_STATE_*
 * @nr_slots: number of slots
 * @refs: references to it, @handle's included; 0 if it is just going; of no
 *        meaning with REFSTORE_STATE_SATURATED or REFSTORE_STATE_IMMORTAL
 * @generation: its age, if it has slots: 0 to REFSTORE_GENERATIONS - 1
 * @reserved: 0
 */
struct refstore_walk_object {
	__aligned_u64 id;
	__aligned_u64 handle;
	__aligned_u64 bytes;
	__aligned_u64 data_len;
	__u32 type;
	__u32 state;
	__u32 nr_slots;
	__u32 refs;
	__u32 generation;
	__u32 reserved;
};

/**
 * struct refstore_walk_edge - a slot that is not empty
 * @from: id of the object that has the slot
 * @to: id of the object that it refers to
 * @index: the slot, from 0
 * @reserved: 0
 */
struct refstore_walk_edge {
	__aligned_u64 from;
	__aligned_u64 to;
	__u32 index;
	__u32 reserved;
};

/**
 * struct refstore_walk_handle - a handle of any session of the heap that is not
 * weak, or the root
 * @id: the object's id
 * @session: number of the session, from 1; 0 for the root
 */
struct refstore_walk_handle {
	__aligned_u64 id;
	__aligned_u64 session;
};

/**
 * struct refstore_walk_session - a session of the heap, or an exported object
 * @session: its number
 * @handles: its handles, weak ones, too
 * @pid: the process that opened it, minted it, or exported the object, in the
 *       caller's namespace of processes; 0 if it is gone, or not there
 * @uid: the user who pays for it, in the caller's user namespace
 * @rights: REFSTORE_RIGHT_*; those that the export gives
 * @exported: 1: an exported object, whose only handle it has; 0: a session
 * @comm: the command that @pid was, with a zero at the end; empty if it is not in
 *        the caller's namespace
 * @label: its label, likewise
 *
 * Others may have the descriptor by now: /proc/PID/fdinfo/FD tells.
 */
struct refstore_walk_session {
	__aligned_u64 session;
	__aligned_u64 handles;
	__u32 pid;
	__u32 uid;
	__u32 rights;
	__u32 exported;
	char comm[16];
	char label[REFSTORE_LABEL_MAX];
};

/**
 * struct refstore_walk_label - an object's label
 * @id: the object's id
 * @label: with a zero at the end
 */
struct refstore_walk_label {
	__aligned_u64 id;
	char label[REFSTORE_LABEL_MAX];
};

/**
 * struct refstore_walk - ioctl(REFSTORE_WALK)
 * @size: sizeof(struct refstore_walk)
 * @flags: REFSTORE_WALK_MINT, or 0
 * @what: REFSTORE_WALK_*
 * @capacity: room at @entries, in entries, at least 1
 * @entries: pointer to an array of @capacity structs, as @what says
 * @cursor: in: where to go on, two words that are 0 at the start; out: where
 *          the next call goes on
 * @count: out: entries written
 * @end: out: 1 when there is nothing more, else 0 (then @count may be 0 too)
 *
 * What exists during the whole of a walk is listed exactly once; what comes or
 * goes meanwhile may be missing. The order is of no meaning. One call does a
 * bounded amount of work. When something goes wrong, or a signal comes, after
 * the first entries, the call succeeds with those in @count, and the next one
 * tells.
 * EINVAL (@what, @capacity of 0, REFSTORE_WALK_MINT with anything but
 * REFSTORE_WALK_OBJECTS), EFAULT, EINTR, ENOMEM; with REFSTORE_WALK_MINT also
 * EDQUOT.
 */
struct refstore_walk {
	__u32 size;
	__u32 flags;
	__u32 what;
	__u32 capacity;
	__aligned_u64 entries;
	__aligned_u64 cursor[2];
	__u32 count;
	__u32 end;
};

#define REFSTORE_WALK _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_WALK)

/**
 * struct refstore_op - one operation of a batch
 * @command: REFSTORE_CMD_CREATE to REFSTORE_CMD_CAS_ROOT, REFSTORE_CMD_WEAK,
 *           REFSTORE_CMD_UPGRADE, REFSTORE_CMD_CREATE_MANY,
 *           REFSTORE_CMD_RELEASE_MANY, REFSTORE_CMD_IMPORT, REFSTORE_CMD_LABEL,
 *           REFSTORE_CMD_COPY_SLOTS, REFSTORE_CMD_CAS_MANY
 * @error: out: 0, or a negative errno; of use only below &refstore_batch.done
 * @create: and the other members: what the command's own ioctl takes, its @size
 *          included; out fields are written likewise
 * @room: keeps the size of the struct
 */
struct refstore_op {
	__u32 command;
	__s32 error;
	union {
		struct refstore_create create;
		struct refstore_dup dup;
		struct refstore_release release;
		struct refstore_get_slot get_slot;
		struct refstore_set_slot set_slot;
		struct refstore_cas_slot cas_slot;
		struct refstore_slots slots;
		struct refstore_resize_slots resize_slots;
		struct refstore_data data;
		struct refstore_seal seal;
		struct refstore_stat stat;
		struct refstore_get_root get_root;
		struct refstore_set_root set_root;
		struct refstore_weak weak;
		struct refstore_upgrade upgrade;
		struct refstore_create_many create_many;
		struct refstore_release_many release_many;
		struct refstore_import import;
		struct refstore_label label;
		struct refstore_copy_slots copy_slots;
		struct refstore_cas_many cas_many;
		__u8 room[64];
	};
};

/* For REFSTORE_BATCH: go on after an operation that failed. */
#define REFSTORE_BATCH_CONTINUE	0x1

/**
 * struct refstore_batch - ioctl(REFSTORE_BATCH)
 * @size: sizeof(struct refstore_batch)
 * @flags: REFSTORE_BATCH_CONTINUE, or 0: stop after the first operation that
 *         failed
 * @ops: pointer to @nr_ops structs refstore_op, read and written
 * @nr_ops: number of operations, 1 to &refstore_query.max_batch
 * @op_size: must be sizeof(struct refstore_op)
 * @done: out: operations that were begun, the failed ones included: their
 *        @error is valid
 * @failed: out: how many of these failed
 *
 * Runs the operations in order. Each is as atomic as its own ioctl, the batch is
 * not; those with a @done of their own may end early in a batch, too, and have
 * not failed then. Any handle in an operation may be REFSTORE_RESULT(n), the
 * @result of operation n before it.
 * The call itself succeeds when operations failed: look at @failed. A signal,
 * or operations that cannot be read, end it early, with @done below @nr_ops; or
 * with EINTR or EFAULT if nothing was done. An operation that a signal
 * interrupted is not among those that were begun.
 * EFAULT while the answers are copied out, in parts of up to 64 operations:
 * that part, and those before it, have been done. The handles that the
 * operations of that part were to return are not valid, but for those that
 * REFSTORE_CMD_CREATE_MANY and REFSTORE_CMD_READ_SLOTS wrote to their arrays.
 * EINVAL (@nr_ops is 0; @op_size), E2BIG (@nr_ops), EFAULT, ENOMEM.
 */
struct refstore_batch {
	__u32 size;
	__u32 flags;
	__aligned_u64 ops;
	__u32 nr_ops;
	__u32 op_size;
	__u32 done;
	__u32 failed;
};

#define REFSTORE_BATCH _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_BATCH)

/*
 * Limits. Those of a heap and of a session are the same for all, or what the file
 * system says that a heap is in; those of a user count whatever it pays for, over
 * all heaps. A heap, its objects and their bytes are its owner's to pay for: of a
 * private heap, who opened the device; of a named one, the file's owner. Handles
 * and weak handles are paid for by who opened the session, minted it, or exported
 * the object. Who did so (of a named heap, made it) with CAP_SYS_RESOURCE in the
 * initial user namespace may go beyond a user's limits; a heap that was given to
 * somebody else with chown(2) may not.
 */
enum {
	REFSTORE_LIMIT_HEAP_OBJECTS = 1,
	REFSTORE_LIMIT_HEAP_BYTES,
	REFSTORE_LIMIT_SESSION_HANDLES,
	REFSTORE_LIMIT_USER_OBJECTS,	/* of all heaps, see below */
	REFSTORE_LIMIT_USER_BYTES,
	REFSTORE_LIMIT_USER_HANDLES,	/* in tables, a page (256) at a time */
	REFSTORE_LIMIT_USER_WEAK,	/* weak handles, and notices not yet read */
	REFSTORE_LIMIT_USER_HEAPS,
};

/**
 * struct refstore_limit - ioctl(REFSTORE_LIMIT)
 * @size: sizeof(struct refstore_limit)
 * @flags: must be 0
 * @limit: REFSTORE_LIMIT_*; 0: the one for which a call of this session failed
 *         with EDQUOT last. Out: which one it is; 0 if none failed
 * @uid: out: the user who pays, as the caller's user namespace calls it
 * @used: out: how much is used
 * @max: out: how much may be
 *
 * Of handles and weak handles it tells of who pays for this session; making
 * another session, or exporting, is charged to the caller, who may be somebody
 * else. A heap takes up to 256 objects and 64 KiB ahead, but no more than a 64th of what
 * a user may have, and nothing when the user has half of it; @used of a user counts
 * these. So whoever has a session on a heap sees how much its owner has in all.
 * EINVAL (@limit).
 */
struct refstore_limit {
	__u32 size;
	__u32 flags;
	__u32 limit;
	__u32 uid;
	__aligned_u64 used;
	__aligned_u64 max;
};

#define REFSTORE_LIMIT _IO(REFSTORE_IOC_MAGIC, REFSTORE_CMD_LIMIT)

#endif /* _LINUX_REFSTORE_H */
