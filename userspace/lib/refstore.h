/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * librefstore: reference-counted objects, shared by processes.
 *
 * The library puts functions on the calls of <linux/refstore.h>, which says
 * what objects, slots, heaps, sessions, roots and handles are. It adds
 * transfers that go on after a signal, batches of any length, iterators, the
 * passing of sessions to other processes, the making of large values, callbacks
 * for deaths and scans, and sessions that survive fork().
 *
 *	struct refstore *store;
 *	struct refstore_spec spec = {
 *		.type = REFSTORE_TYPE_STR, .data = "hello", .data_len = 5,
 *	};
 *	uint64_t hello;
 *	int ret = refstore_open(&store);
 *
 *	if (!ret)
 *		ret = refstore_create(store, &spec, &hello, NULL);
 *	if (!ret)
 *		ret = refstore_set_root(store, hello);
 *
 * Functions are named after the command that they give the kernel, REFSTORE_CREATE
 * is refstore_create(); but for these:
 *
 *   REFSTORE_RESIZE_SLOTS  refstore_resize()
 *   REFSTORE_BATCH         refstore_builder_submit()
 *   REFSTORE_TUNE          refstore_gc_tune()
 *   REFSTORE_GENERATION    refstore_gc_stats()
 *   REFSTORE_FREEZE        refstore_gc_freeze()
 *   REFSTORE_DROP_SAVED    refstore_gc_drop_garbage()
 *
 * Errors
 * ------
 * Functions return 0 or what they say, or a negative errno; errno itself is of
 * no meaning. Results are written on success only. The names in a function's
 * "Errors" line are what it is likely to meet, with the meaning that
 * <linux/refstore.h> gives them; beside these, any function may return
 *
 *   -EACCES  the session lacks a right that the call needs, REFSTORE_RIGHT_*;
 *   -EBADF   the session is dead (see below), or a handle is stale;
 *   -ENOMEM  no memory, here or in the kernel.
 *
 * Handles
 * -------
 * A handle is a uint64_t, one reference that a session holds; 0 stands for no
 * object. A function that gives out a handle gives it to the caller, who gives
 * it back with refstore_release(). A function that takes a handle only uses it:
 * the caller keeps it, but for refstore_release() itself. Whatever is still
 * held when the session ends is released by the kernel.
 *
 * Weak handles are the caller's and are released just so, but they keep no
 * object. They are taken where it is said, elsewhere the answer is -EBADF.
 *
 * Threads
 * -------
 * All functions may run beside each other, on the same session or not, but for
 * these:
 *
 *   - refstore_close() comes after all other calls on its session, and after its
 *     iterators have been freed.
 *   - A builder is for one thread at a time; so is an iterator. Several of them may
 *     work on one session at once. Those functions that only look at a builder
 *     after its submission may run beside each other.
 *
 * A call that uses a handle which another thread gives back meanwhile comes before
 * that, or fails with -EBADF. Calls on one session that have to do with objects wait
 * for each other in the kernel, those on different sessions do not: threads that
 * shall not wait have a session each, see refstore_session_new().
 *
 * Callbacks run in the thread that calls refstore_dispatch(), without any lock of
 * the library. Several threads may call it; each event comes to one of them, in an
 * order that nobody keeps between threads. A function for a death is called once,
 * one for scans may run in several threads at once, for different events. Either may
 * still be running in another thread when it was withdrawn, by refstore_unwatch() or
 * refstore_gc_remove_callback(): what it uses must be there until that thread has
 * returned from refstore_dispatch().
 *
 * Signals
 * -------
 * After a signal, functions go on, but those whose "Errors" line names -EINTR;
 * when they return it, nothing was done and the call can be repeated.
 *
 * fork()
 * ------
 * The child of a fork() gets sessions of its own: clones, behind the same
 * struct refstore and the same descriptor number, close-on-exec if that was so in
 * the parent, with the same handles, each counted anew. What the child releases or
 * closes is nothing to the parent, and the other way round. Handles that other
 * threads obtain or release while the fork runs may be on either side of it; the
 * child must not rely on them. The child has the weak handles, too, but is told
 * nothing until it asks: no notice that its parent asked for comes to it, and of
 * scans it hears when it calls refstore_watch_scans() or adds a callback; then those
 * that its parent had added are called in it as well.
 *
 * Cloning takes time in proportion to the session's handles, even when the
 * child executes another program at once: posix_spawn() and vfork() do not
 * clone, and their child must not call the library. Where a session cannot be
 * cloned (no descriptor, no memory, or one of its objects has as many
 * references as it can have), it is dead in the child: each call returns
 * -EBADF, refstore_fd() too, and refstore_close() is still needed. Descriptors
 * outside of a struct refstore are shared between parent and child, like all.
 * A child that one thread forks while another makes a session may have one more
 * of these, of a session that nobody else uses, and that holds what the new one
 * was to hold as long as the child lives; it is close-on-exec.
 *
 * Handlers of pthread_atfork(3) may use sessions: those for before the fork run
 * before the library clones, those for after it find the child's own ones. For
 * that the library registers its handlers when it is loaded. So handlers that
 * were registered before that, as they can be where it is loaded by dlopen(3),
 * must use no session: before the fork they would wait for ever, and in the
 * child they would find the parent's.
 */
#ifndef LIBREFSTORE_H
#define LIBREFSTORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/refstore.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct refstore - a session on a heap
 */
struct refstore;

/* Where refstore_open() finds the kernel. */
#define REFSTORE_DEVICE "/dev/refstore"

/*
 * Sessions
 */

/**
 * refstore_open() - make a private heap and a session on it
 * @store: out: the session, to be closed with refstore_close()
 *
 * The heap lives as long as it has a session, or an exported object.
 * Errors: -ENOENT, -ENODEV (no such module), -EACCES, -EDQUOT (the user has as many
 * heaps as max_user_heaps allows), -EMFILE, -ENFILE.
 */
int refstore_open(struct refstore **store);

/**
 * refstore_open_path() - the same, by another name of the device; or a session on
 * a named heap that is there, to read and to write
 * @path: the file to open
 * @store: out: the session
 *
 * Errors: as for refstore_open(), and the others of open(2); -ENOTTY if the
 * file is something else.
 */
int refstore_open_path(const char *path, struct refstore **store);

/**
 * refstore_open_heap() - a session on a named heap
 * @path: a file of a file system of type refstore
 * @flags: as for open(2): O_RDWR; or O_RDONLY for a session with
 *         REFSTORE_RIGHTS_READ; with O_CREAT the heap is made if it is not there,
 *         with O_EXCL it must not have been there
 * @mode: the file's permissions where it is made, less the umask
 * @store: out: the session
 *
 * The heap lives while its file has a name, or it has a session or an exported
 * object. Where others make heaps, too (a directory with the sticky bit), only who
 * makes it should give O_CREAT: see fs.protected_regular in proc(5).
 * Errors: those of open(2); -EDQUOT (the file system has as many names as it may
 * have, or the user as many heaps); -EACCES (O_WRONLY, too); -EPERM (O_TRUNC);
 * -ENOTTY if the file is something else, or O_CREAT is to make one where no such
 * file system is mounted, which makes none.
 */
int refstore_open_heap(const char *path, int flags, mode_t mode,
		       struct refstore **store);

/**
 * refstore_open_fd() - adopt a descriptor of a session
 * @fd: a descriptor that was received, inherited, or made by
 *      refstore_session_fd()
 * @store: out: the session
 *
 * On success the descriptor belongs to @store and is close-on-exec; on failure
 * it stays the caller's, as it was.
 * An exported object's descriptor is taken, too, but all calls but
 * refstore_query() and refstore_limit() fail with -ENOTTY on it; so try
 * refstore_open_export() first, which fails with -ENOTTY on a session's.
 * Errors: -EBADF (no descriptor), -ENOTTY (not a session's).
 */
int refstore_open_fd(int fd, struct refstore **store);

/**
 * refstore_close() - close a session
 * @store: the session, or NULL
 *
 * Releases all its handles, unless the session has other descriptors (dup(),
 * or a process that it was sent to); of very many, some soon after the call.
 * Never fails.
 */
void refstore_close(struct refstore *store);

/**
 * refstore_fd() - the session's descriptor
 * @store: the session, which keeps the descriptor
 *
 * To be sent with refstore_send_fd(), which shares this very session; to share
 * the heap alone, send what refstore_session_fd() returns.
 * Return: the descriptor, or -EBADF if the session is dead.
 */
int refstore_fd(const struct refstore *store);

/**
 * refstore_session_fd() - mint another session on the same heap
 * @store: a session on the heap
 * @flags: 0: the new session holds nothing;
 *         REFSTORE_SESSION_CLONE: it holds the same handles, each counted anew
 *
 * Return: a descriptor, the caller's, close-on-exec, to be sent to another
 * process or adopted with refstore_open_fd().
 * Errors: -EDQUOT (cloning), -EINVAL, -EMFILE, -ENFILE, -EOVERFLOW.
 */
int refstore_session_fd(struct refstore *store, unsigned int flags);

/**
 * refstore_session_new() - mint another session, for this process
 * @store: a session on the heap
 * @flags: as for refstore_session_fd()
 * @result: out: the new session, to be closed on its own
 *
 * Errors: as for refstore_session_fd().
 */
int refstore_session_new(struct refstore *store, unsigned int flags,
			 struct refstore **result);

/**
 * refstore_send_fd() - send a descriptor over a UNIX socket
 * @socket: a connected socket, of any type
 * @fd: the descriptor; it stays the caller's
 *
 * Sends one byte with it.
 * Errors: those of sendmsg(2), such as -EPIPE (no SIGPIPE is raised), -EAGAIN.
 */
int refstore_send_fd(int socket, int fd);

/**
 * refstore_recv_fd() - receive a descriptor that refstore_send_fd() sent
 * @socket: a connected socket
 *
 * Return: the descriptor, the caller's, close-on-exec. Whether it is a session
 * says refstore_open_fd().
 * Errors: -ECONNRESET (the peer is gone), -EBADMSG (a message without a
 * descriptor, or with several: these are closed), those of recvmsg(2).
 */
int refstore_recv_fd(int socket);

/**
 * refstore_query() - limits, version, numbers of heap and session
 * @store: the session
 * @query: out
 */
int refstore_query(struct refstore *store, struct refstore_query *query);

/**
 * refstore_limit() - what a limit is, and how much of it is used
 * @store: the session
 * @limit: in: @limit says which one, REFSTORE_LIMIT_*; 0: the one for which a
 *         call of this session, in any thread, failed with -EDQUOT last. Out: all
 *         of it; @limit is 0 if none failed
 *
 * Errors: -EINVAL (no such limit).
 */
int refstore_limit(struct refstore *store, struct refstore_limit *limit);

/*
 * Sharing
 *
 * A session, sent with refstore_send_fd(), gives its receiver all that the session
 * can do. An object can be passed alone, with as many rights as it should have
 * there: exported, as a descriptor.
 */

/**
 * refstore_label() - give something a name, for people who look at the heap
 * @store: the session
 * @what: REFSTORE_LABEL_SESSION, REFSTORE_LABEL_HEAP, REFSTORE_LABEL_OBJECT
 * @object: a handle of the object, with REFSTORE_LABEL_OBJECT; else 0
 * @label: up to REFSTORE_LABEL_MAX - 1 bytes without control characters, and a
 *         zero; "": none
 *
 * 'refstore who' shows them; refstore_iter_sessions() and refstore_iter_labels()
 * list them.
 * Errors: -EACCES (of an object, the right to write data; of a heap, slots),
 * -EDQUOT, -EINVAL.
 */
int refstore_label(struct refstore *store, unsigned int what, uint64_t object,
		   const char *label);

/**
 * refstore_restrict() - give up rights of a session, for good
 * @store: the session
 * @rights: REFSTORE_RIGHT_* that it keeps, of those that it has;
 *          &refstore_query.rights tells which these are
 *
 * Sessions that it mints later have no more than it has itself.
 * Errors: -EINVAL (a bit that is no right).
 */
int refstore_restrict(struct refstore *store, uint64_t rights);

/**
 * refstore_export() - make a descriptor that stands for an object
 * @store: a session, which has REFSTORE_RIGHT_EXPORT
 * @object: a handle of the object
 * @rights: REFSTORE_RIGHT_* that sessions can have which get at the object by the
 *          descriptor; of those that this session has
 *
 * To be sent with refstore_send_fd() or inherited. It holds a reference until all
 * its copies are closed, in flight as well, whatever becomes of this process.
 * Return: the descriptor, the caller's, close-on-exec.
 * Errors: -EACCES (a right that the session has not got), -EINVAL (a bit that is
 * no right), -EDQUOT, -EMFILE, -ENFILE, -EOVERFLOW.
 */
int refstore_export(struct refstore *store, uint64_t object, uint64_t rights);

/**
 * refstore_import() - take a handle of an exported object
 * @store: a session on the object's heap; all its rights must be among the
 *         export's
 * @fd: the descriptor, which stays the caller's
 * @result: out: a handle, the caller's to release
 *
 * Errors: -EACCES (the session has rights that the export has not), -EINVAL (@fd
 * is no export's), -EXDEV (its object is in another heap), -EDQUOT, -EOVERFLOW.
 */
int refstore_import(struct refstore *store, int fd, uint64_t *result);

/**
 * refstore_open_export() - a session that has what an export gives
 * @fd: the descriptor of an export, which stays the caller's
 * @store: out: a session on the object's heap, with the export's rights
 * @object: out: its handle of the object
 *
 * Errors: -ENOTTY (@fd is no export's), -EDQUOT, -EMFILE, -ENFILE, -EOVERFLOW.
 */
int refstore_open_export(int fd, struct refstore **store, uint64_t *object);

/*
 * Objects
 */

/**
 * struct refstore_spec - what a new object shall be
 * @type: REFSTORE_TYPE_*, or what refstore_type_register() gave
 * @flags: REFSTORE_CREATE_SLOTTED, REFSTORE_SEAL_DATA, REFSTORE_SEAL_SLOTS; to be
 *         made one by one, also REFSTORE_CREATE_INTERN, REFSTORE_CREATE_IMMORTAL
 * @data: @data_len bytes; NULL: zeroes
 * @data_len: bytes of data, for good
 * @slots: @nr_slots handles, each may be 0; NULL: empty slots
 * @nr_slots: number of slots. 0 makes a leaf, for good, unless
 *            REFSTORE_CREATE_SLOTTED is given
 */
struct refstore_spec {
	uint32_t type;
	uint32_t flags;
	const void *data;
	size_t data_len;
	const uint64_t *slots;
	size_t nr_slots;
};

/**
 * refstore_create() - create an object
 * @store: the session
 * @spec: what it shall be
 * @handle: out: a handle of it, the caller's
 * @id: out: its id in the heap; may be NULL
 *
 * Errors: -E2BIG, -EDQUOT, -EINVAL, -EOVERFLOW.
 */
int refstore_create(struct refstore *store, const struct refstore_spec *spec,
		    uint64_t *handle, uint64_t *id);

/**
 * refstore_create_many() - create objects that are alike
 * @store: the session
 * @spec: what each shall be; its @slots must be NULL. If its @data is not, it
 *        points to @count times @data_len bytes, one object's after another's
 * @count: how many; 0 does nothing
 * @handles: out: @count handles, the caller's
 *
 * Faster than one by one. All of them or an error, and then the caller got no
 * handle at all, and what @handles contains is of no meaning; but others may
 * have seen the first ones meanwhile, in a walk.
 * Errors: -E2BIG, -EDQUOT, -EINVAL.
 */
int refstore_create_many(struct refstore *store,
			 const struct refstore_spec *spec, size_t count,
			 uint64_t *handles);

/**
 * refstore_dup() - another handle of the same object
 * @store: the session
 * @object: a handle
 * @result: out: the new handle, the caller's
 *
 * Errors: -EDQUOT, -EOVERFLOW.
 */
int refstore_dup(struct refstore *store, uint64_t object, uint64_t *result);

/**
 * refstore_release() - give a handle back
 * @store: the session
 * @object: the handle, or weak handle, not the caller's any more
 */
int refstore_release(struct refstore *store, uint64_t object);

/**
 * refstore_release_many() - give handles back
 * @store: the session
 * @handles: @count handles, or weak handles, not the caller's any more; those
 *           that are 0 are passed over
 * @count: how many; 0 does nothing
 *
 * Faster than one by one. Releases in order and ends at the first handle that
 * it cannot release: those before it are released, it and those after it are
 * not. How far it came is not told; REFSTORE_RELEASE_MANY does that, in a builder
 * for example.
 * Errors: -EBADF.
 */
int refstore_release_many(struct refstore *store, const uint64_t *handles,
			  size_t count);

/**
 * refstore_stat() - what the kernel knows of an object
 * @store: the session
 * @object: a handle
 * @stat: out
 */
int refstore_stat(struct refstore *store, uint64_t object,
		  struct refstore_stat *stat);

/**
 * refstore_seal() - make data, slots or both immutable, for good
 * @store: the session
 * @object: a handle
 * @flags: REFSTORE_SEAL_DATA, REFSTORE_SEAL_SLOTS
 *
 * To seal the data of a large value, the library seals its memfd first: so nobody
 * may have it mapped for writing, this process included, or shared from a
 * descriptor that is open for writing, nor a device work on its pages. After -EIO
 * and -ENOMEM the memfd is sealed, the value is not: call again.
 * Errors: -EINVAL; of large values also -EBUSY (somebody has it mapped), -EIO
 * (broken memory), -EMFILE, -ENFILE, -EPERM (its memfd takes no more seals).
 */
int refstore_seal(struct refstore *store, uint64_t object, unsigned int flags);

/*
 * Data
 */

/**
 * refstore_read() - read from an object's data
 * @store: the session
 * @object: a handle
 * @offset: the first byte
 * @buffer: where to
 * @length: at most this many bytes
 *
 * Return: bytes read, less than @length where the data ends.
 * Errors: -EIO (broken memory of a large value), -ERANGE (@offset beyond the end).
 */
ssize_t refstore_read(struct refstore *store, uint64_t object, size_t offset,
		      void *buffer, size_t length);

/**
 * refstore_write() - write into an object's data
 * @store: the session
 * @object: a handle
 * @offset: the first byte
 * @buffer: what to write
 * @length: number of bytes, all of them within the data
 *
 * Writes everything or nothing, and readers see it so. Not so in a large value:
 * others may see parts, and after an error a part may have been written.
 * Errors: -EFBIG (RLIMIT_FSIZE) and -EIO (broken memory) of large values, -EPERM
 * (sealed), -ERANGE.
 */
int refstore_write(struct refstore *store, uint64_t object, size_t offset,
		   const void *buffer, size_t length);

/*
 * Large values: leaves whose data is a memfd, see memfd_create(2), which processes
 * map instead of copying it. All else is as with other leaves: what holds them,
 * rights, exports, weak handles, limits.
 *
 * A descriptor, or a mapping, keeps the memory, but not the object.
 */

/**
 * refstore_large_new() - make a large value, to be filled
 * @store: the session
 * @type: REFSTORE_TYPE_*, or what refstore_type_register() gave
 * @length: bytes of data, for good; at least 1
 * @handle: out: a handle of it, the caller's
 * @fd: out: a descriptor of its memfd for reading and writing, close-on-exec, the
 *      caller's
 *
 * All bytes are 0. They can be written with mmap(2) (MAP_SHARED) or write(2) on the
 * descriptor, and with refstore_write(). Until refstore_seal(), which wants it
 * unmapped, only sessions with REFSTORE_RIGHT_WRITE_DATA can map it.
 * All of the memory is taken in the call, in time in proportion to @length, and
 * charged to the caller's memory cgroup. The heap is charged for whole pages, and
 * for REFSTORE_MIN_LARGE at least.
 * Errors: -E2BIG (above 2^47 bytes), -EDQUOT, -EINVAL (@type; @length is 0), -EMFILE,
 * -ENFILE, those of memfd_create(2) and ftruncate(2).
 */
int refstore_large_new(struct refstore *store, uint32_t type, size_t length,
		       uint64_t *handle, int *fd);

/**
 * refstore_adopt() - make a large value of a memfd that is there
 * @store: the session
 * @fd: the memfd, which is not empty, has the seals F_SEAL_SHRINK and F_SEAL_GROW,
 *      and is open for reading and writing; with F_SEAL_WRITE, for reading. It
 *      stays the caller's
 * @type: as for refstore_large_new()
 * @handle: out: a handle of the value, the caller's
 * @id: out: its id in the heap; may be NULL
 *
 * With F_SEAL_WRITE, it is sealed at once. What of its memory is missing is taken,
 * as by refstore_large_new(), and stays with the memfd if the call fails.
 * Errors: -E2BIG (above 2^47 bytes), -EBADF (@fd is no descriptor, or not open for
 * that), -EBUSY (somebody has a lease on it, or executes it), -EDQUOT, -EINVAL (@fd
 * is no such memfd; @type), -EIO (broken memory), -ENFILE.
 */
int refstore_adopt(struct refstore *store, int fd, uint32_t type,
		   uint64_t *handle, uint64_t *id);

/**
 * refstore_map() - a descriptor of a large value, to be mapped
 * @store: the session
 * @object: a handle
 * @flags: 0: for reading; REFSTORE_MAP_WRITE: for writing, too
 * @length: out: bytes of data; may be NULL
 *
 * For mmap(2), or read(2) and its kin. Whoever has a handle of a sealed value gets
 * one for reading; of one that is not sealed, only a session with
 * REFSTORE_RIGHT_WRITE_DATA gets any, as it could be opened anew for writing.
 * Return: the descriptor, the caller's, close-on-exec, with a position of its own.
 * Errors: -EACCES (neither sealed nor has the session that right), -EBUSY (as for
 * refstore_adopt()), -EMFILE, -ENFILE, -EOPNOTSUPP (no large value), -EOVERFLOW
 * (@length is more than a size_t can be here), -EPERM (REFSTORE_MAP_WRITE: it is
 * sealed).
 */
int refstore_map(struct refstore *store, uint64_t object, unsigned int flags,
		 size_t *length);

/*
 * Slots. Functions on a leaf return -EOPNOTSUPP.
 */

/**
 * refstore_get_slot() - what a slot refers to
 * @store: the session
 * @object: a handle
 * @index: the slot, from 0
 * @result: out: a new handle, the caller's; 0 if the slot is empty
 *
 * Errors: -EDQUOT, -EOPNOTSUPP, -EOVERFLOW, -ERANGE.
 */
int refstore_get_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t *result);

/**
 * refstore_match_slot() - the same, if the slot refers to what is expected
 * @store: the session
 * @object: a handle
 * @index: the slot, from 0
 * @id: id of the object that it must refer to; 0: it must be empty
 * @result: out: a new handle, the caller's; 0 if the slot is empty
 *
 * Errors: -EAGAIN (it refers to something else), and as refstore_get_slot().
 */
int refstore_match_slot(struct refstore *store, uint64_t object, size_t index,
			uint64_t id, uint64_t *result);

/**
 * refstore_peek_slot() - the id of what a slot refers to
 * @store: the session
 * @object: a handle
 * @index: the slot, from 0
 * @id: out: the id; 0 if the slot is empty
 *
 * The object may be dead when the call returns, but no other in the heap will ever
 * have its id: who keeps a copy of sealed data under it can tell so, for little,
 * whether the copy is still what the slot refers to.
 * Errors: -EOPNOTSUPP, -ERANGE.
 */
int refstore_peek_slot(struct refstore *store, uint64_t object, size_t index,
		       uint64_t *id);

/**
 * refstore_set_slot() - let a slot refer to an object
 * @store: the session
 * @object: handle of the object that has the slot
 * @index: the slot, from 0
 * @value: handle of the object to refer to, or 0 to empty the slot
 *
 * Errors: -EOPNOTSUPP, -EOVERFLOW, -EPERM, -ERANGE.
 */
int refstore_set_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t value);

/**
 * refstore_cas_slot() - the same, if it refers to what is expected
 * @store: the session
 * @object: handle of the object that has the slot
 * @index: the slot, from 0
 * @expected: any handle of the object that it must refer to, or 0
 * @value: handle of the object to refer to, or 0
 *
 * Errors: -EAGAIN (it refers to something else), and as refstore_set_slot().
 */
int refstore_cas_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t expected, uint64_t value);

/**
 * refstore_cas_many() - let many slots refer to objects, if all are as expected
 * @store: the session
 * @entries: @count slots: &refstore_cas_entry.expected is an id, not a handle, 0 for an
 *           empty slot; @reserved is 0
 * @count: up to REFSTORE_MAX_CAS; 0 does nothing
 *
 * All of them at one moment, or none. They may be those of REFSTORE_MAX_CAS_OBJECTS
 * objects.
 * Errors: -EAGAIN (one refers to something else), -E2BIG (more), -EINVAL, and as
 * refstore_set_slot().
 */
int refstore_cas_many(struct refstore *store,
		      const struct refstore_cas_entry *entries, size_t count);

/**
 * refstore_read_slots() - what many slots refer to
 * @store: the session
 * @object: a handle
 * @first: the first slot, from 0
 * @handles: out: @count new handles, the caller's; 0 for an empty slot
 * @count: number of slots; 0 does nothing
 *
 * All of them or an error, and then the caller got no handle at all, and what
 * @handles contains is of no meaning. Up to REFSTORE_MAX_COPY slots are read at one
 * moment; of more, each is read atomically, all together are not.
 * Errors: as for refstore_get_slot().
 */
int refstore_read_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t *handles, size_t count);

/**
 * refstore_peek_slots() - the ids of what many slots refer to
 * @store: the session
 * @object: a handle
 * @first: the first slot, from 0
 * @ids: out: @count ids; 0 for an empty slot. After an error they are of no meaning
 * @count: number of slots; 0 does nothing
 *
 * As refstore_peek_slot(), and at one moment as far as refstore_read_slots().
 * Errors: -EOPNOTSUPP, -ERANGE.
 */
int refstore_peek_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t *ids, size_t count);

/**
 * refstore_copy_slots() - let many slots refer to what other slots do
 * @store: the session
 * @object: handle of the object whose slots are written
 * @first: the first slot to be written, from 0
 * @source: handle of the object whose slots are read
 * @source_first: the first slot to be read, from 0
 * @count: number of slots; 0 does nothing
 *
 * Without handles in between: for an object that shall be like another but for a
 * few slots. Up to REFSTORE_MAX_COPY slots are read at one moment and written at one
 * moment; of more, after an error, some of the first may have been written. Slots of
 * one object can be copied, too, where the ranges do not overlap.
 * Errors: as for refstore_set_slot().
 */
int refstore_copy_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t source, size_t source_first, size_t count);

/**
 * refstore_write_slots() - let many slots refer to objects
 * @store: the session
 * @object: handle of the object that has the slots
 * @first: the first slot, from 0
 * @handles: @count handles, each may be 0
 * @count: number of slots; 0 does nothing
 *
 * Each slot is written atomically, all together are not. After an error some of
 * the first slots may have been written.
 * Errors: as for refstore_set_slot().
 */
int refstore_write_slots(struct refstore *store, uint64_t object, size_t first,
			 const uint64_t *handles, size_t count);

/**
 * refstore_resize() - change the number of slots
 * @store: the session
 * @object: a handle
 * @nr_slots: the new number; new slots are empty, those cut off let go
 *
 * Takes time in proportion to the slots: grow in steps.
 * Errors: -E2BIG, -EDQUOT, -EOPNOTSUPP, -EPERM.
 */
int refstore_resize(struct refstore *store, uint64_t object, size_t nr_slots);

/*
 * The root: one reference that the heap keeps itself.
 */

/**
 * refstore_get_root() - the heap's root
 * @store: the session
 * @result: out: a new handle, the caller's; 0 if there is no root
 *
 * Errors: -EDQUOT, -EOVERFLOW.
 */
int refstore_get_root(struct refstore *store, uint64_t *result);

/**
 * refstore_set_root() - set the heap's root
 * @store: the session
 * @value: handle of the object that shall be the root, or 0 for none
 *
 * Errors: -EOVERFLOW.
 */
int refstore_set_root(struct refstore *store, uint64_t value);

/**
 * refstore_cas_root() - the same, if the root is what is expected
 * @store: the session
 * @expected: any handle of the object that must be the root, or 0 for none
 * @value: handle of the object that shall be the root, or 0
 *
 * Errors: -EAGAIN (the root is something else), -EOVERFLOW.
 */
int refstore_cas_root(struct refstore *store, uint64_t expected,
		      uint64_t value);

/*
 * The heap
 */

/**
 * refstore_type_register() - the number of a type
 * @store: the session
 * @name: 1 to REFSTORE_TYPE_NAME_MAX - 1 printable ASCII characters, no blanks
 * @type: out: the number that the name has in this heap
 *
 * Errors: -EINVAL (no such name is possible), -ENOSPC (too many types).
 */
int refstore_type_register(struct refstore *store, const char *name,
			   uint32_t *type);

/**
 * refstore_type_name() - the name of a type
 * @store: the session
 * @type: its number
 * @name: out: at least REFSTORE_TYPE_NAME_MAX characters; the name, terminated
 *
 * Errors: -EINVAL (no such type).
 */
int refstore_type_name(struct refstore *store, uint32_t type, char *name);

/*
 * The cycle scanner. It belongs to the heap: what one session sets, all have.
 * Python's module gc has the same calls under nearly the same names;
 * librefstore(3) has a table.
 */

/* The oldest generation: with it, a collection begins at all candidates. */
#define REFSTORE_OLDEST	(REFSTORE_GENERATIONS - 1)

/**
 * refstore_collect() - collect cycles now
 * @store: the session
 * @generation: the oldest generation to look at, up to REFSTORE_OLDEST
 * @result: out: what the scanner did; may be NULL
 *
 * Waits until what it found is freed: with REFSTORE_OLDEST, everything that was
 * unreachable at the call, but for what is frozen or to be saved, and what scans
 * left that gave up (see &struct refstore_collect).
 * Errors: -EINTR (the scan goes on without the caller), -EINVAL (no such
 * generation).
 */
int refstore_collect(struct refstore *store, uint32_t generation,
		     struct refstore_collect *result);

/**
 * refstore_gc_enable() - let scans run by themselves (they do at first)
 * @store: the session
 */
int refstore_gc_enable(struct refstore *store);

/**
 * refstore_gc_disable() - let no scan run but those of refstore_collect()
 * @store: the session
 *
 * Cycles that nobody reaches stay until somebody collects. What has no cycle is
 * freed all the same.
 */
int refstore_gc_disable(struct refstore *store);

/**
 * refstore_gc_is_enabled() - whether scans run by themselves
 * @store: the session
 *
 * Return: 1 or 0.
 */
int refstore_gc_is_enabled(struct refstore *store);

/**
 * refstore_gc_set_threshold() - after how much to scan
 * @store: the session
 * @threshold: [0]: candidates (objects with slots whose count fell, but not to
 *             zero) that start a scan of generation 0; others: scans of the
 *             next younger generation that start one of this. 0: no number does
 *
 * Where scans find little, threshold[0] counts up to eight times, and a generation
 * rests after a scan for up to 7, 28 or 112 times as long as that took, whatever
 * threshold and delay say. The module's parameter scan_threshold, 10 and 10 are
 * what a new heap has.
 */
int refstore_gc_set_threshold(struct refstore *store,
			      const uint32_t threshold[REFSTORE_GENERATIONS]);

/**
 * refstore_gc_get_threshold() - after how much scans run
 * @store: the session
 * @threshold: out
 */
int refstore_gc_get_threshold(struct refstore *store,
			      uint32_t threshold[REFSTORE_GENERATIONS]);

/**
 * refstore_gc_set_delay() - after how long to scan
 * @store: the session
 * @delay: milliseconds for each generation after which a candidate starts a scan,
 *         0 to REFSTORE_MAX_DELAY. 0: at once, not never; to leave it to
 *         thresholds, set REFSTORE_MAX_DELAY, a day
 *
 * Python has no such thing: there, garbage waits until enough is made. A
 * generation that rests after a scan waits longer, see
 * refstore_gc_set_threshold(). A new heap has the module's parameter scan_delay_ms,
 * and 8 and 64 times that.
 * Errors: -EINVAL (longer than REFSTORE_MAX_DELAY).
 */
int refstore_gc_set_delay(struct refstore *store,
			  const uint32_t delay[REFSTORE_GENERATIONS]);

/**
 * refstore_gc_get_delay() - how long candidates wait at most
 * @store: the session
 * @delay: out: milliseconds for each generation
 */
int refstore_gc_get_delay(struct refstore *store,
			  uint32_t delay[REFSTORE_GENERATIONS]);

/**
 * refstore_gc_tune() - all settings in one call
 * @store: the session
 * @tune: in and out, as <linux/refstore.h> says; the library sets @size. The
 *        settings that @flags names are set; all of them are told
 *
 * Errors: -EINVAL.
 */
int refstore_gc_tune(struct refstore *store, struct refstore_tune *tune);

/**
 * refstore_gc_get_count() - what the thresholds are compared with
 * @store: the session
 * @count: out: [0]: candidates of generation 0; others: scans of the next
 *         younger generation since the last of this one
 *
 * The numbers are read one after the other.
 */
int refstore_gc_get_count(struct refstore *store,
			  uint64_t count[REFSTORE_GENERATIONS]);

/**
 * refstore_gc_stats() - what the scans of a generation did
 * @store: the session
 * @generation: 0 to REFSTORE_OLDEST
 * @stats: out: sums since the heap was made
 *
 * Errors: -EINVAL (no such generation).
 */
int refstore_gc_stats(struct refstore *store, uint32_t generation,
		      struct refstore_generation *stats);

/**
 * refstore_gc_freeze() - take what is in the heap out of the scanner's sight
 * @store: the session
 * @frozen: out: objects with slots that are frozen now; may be NULL
 *
 * They cost scans nothing, and are freed only when their count falls to zero.
 * Takes no time. Calling it again freezes what has come since, too.
 */
int refstore_gc_freeze(struct refstore *store, uint64_t *frozen);

/**
 * refstore_gc_unfreeze() - let the scanner look at everything again
 * @store: the session
 * @thawed: out: objects with slots that were frozen; may be NULL
 *
 * They are candidates of generation 0 then. Takes time in proportion to the
 * number of objects.
 */
int refstore_gc_unfreeze(struct refstore *store, uint64_t *thawed);

/**
 * refstore_gc_freeze_count() - how many objects are frozen
 * @store: the session
 * @frozen: out: objects with slots
 *
 * Takes time in proportion to the number of objects.
 */
int refstore_gc_freeze_count(struct refstore *store, uint64_t *frozen);

/**
 * refstore_gc_set_save_all() - keep what scans find, or free it
 * @store: the session
 * @save: not 0: garbage is not freed; each object of it that has slots gets a
 *        reference of the heap's, and REFSTORE_STATE_SAVED, and its weak handles
 *        stay alive. refstore_iter_garbage() lists it,
 *        refstore_gc_drop_garbage() lets it go. 0, as at first: it is freed
 */
int refstore_gc_set_save_all(struct refstore *store, int save);

/**
 * refstore_gc_get_save_all() - whether what scans find is kept
 * @store: the session
 *
 * Return: 1 or 0.
 */
int refstore_gc_get_save_all(struct refstore *store);

/**
 * refstore_gc_drop_garbage() - drop the references on what scans have kept
 * @store: the session
 * @dropped: out: how many there were; may be NULL
 *
 * What is on a cycle is garbage again, for the next scan: turn
 * refstore_gc_set_save_all() off before, or it is kept again. A signal ends the
 * call early, with a part of them dropped.
 * Errors: -EINTR (none was dropped).
 */
int refstore_gc_drop_garbage(struct refstore *store, uint64_t *dropped);

/**
 * refstore_gc_is_tracked() - whether the scanner may have to do with an object
 * @store: the session
 * @object: a handle
 *
 * Return: 1 if it has slots, or can have some; 0 if it is a leaf.
 */
int refstore_gc_is_tracked(struct refstore *store, uint64_t object);

/*
 * Weak handles: references that do not keep their object.
 */

/* The largest cookie; those beyond are the library's. */
#define REFSTORE_COOKIE_MAX (UINT64_MAX >> 1)

/**
 * refstore_weak() - a weak handle
 * @store: the session
 * @object: a handle, or a weak handle, whose object may be dead
 * @weak: out: a weak handle of the same object, the caller's
 *
 * The first one of an object costs the heap 56 bytes.
 * Errors: -EDQUOT.
 */
int refstore_weak(struct refstore *store, uint64_t object, uint64_t *weak);

/**
 * refstore_weak_notify() - the same, with a notice when the object dies
 * @store: the session
 * @object: a handle, or a weak handle
 * @cookie: a number that the notice shall have, up to REFSTORE_COOKIE_MAX
 * @weak: out: a weak handle, the caller's
 *
 * The notice is an event, for refstore_read_events(); refstore_dispatch() drops
 * it. It comes once, after all weak handles of the object, and of what a scan
 * condemned together with it, are dead; at once if the object is dead already.
 * Releasing @weak before takes the request back.
 * Errors: -EDQUOT, -EINVAL (@cookie).
 */
int refstore_weak_notify(struct refstore *store, uint64_t object,
			 uint64_t cookie, uint64_t *weak);

/**
 * refstore_upgrade() - a handle of what a weak handle refers to
 * @store: the session
 * @weak: a weak handle, which stays as it is
 * @object: out: a new handle, the caller's; 0 if the object is dead
 *
 * Errors: -EBADF (no weak handle), -EDQUOT, -EOVERFLOW.
 */
int refstore_upgrade(struct refstore *store, uint64_t weak, uint64_t *object);

/*
 * Events: what the kernel tells a session. To wait for them beside other
 * things, give refstore_fd() to poll(2); it is readable when there are some.
 */

/**
 * refstore_watch_scans() - have events when scans begin and end, or not
 * @store: the session
 * @watch: not 0: have them; 0, as at first: have none
 *
 * Up to 64 of them wait to be read; the next one tells how many did not fit.
 */
int refstore_watch_scans(struct refstore *store, int watch);

/**
 * refstore_read_events() - read events
 * @store: the session
 * @events: out: where to
 * @count: at most so many, at least 1
 * @timeout: milliseconds to wait for the first, however often other threads
 *           take what comes; 0: do not wait; -1: for ever
 *
 * The library sets O_NONBLOCK for the session's file, also where others share
 * it. Several threads may read; each event comes to one of them.
 * Return: how many; 0 if none came in time.
 * Errors: -EINTR (nothing was read), -EINVAL (@count), -ENODATA (the session
 * never asked to be told of anything).
 */
ssize_t refstore_read_events(struct refstore *store,
			     struct refstore_event *events, size_t count,
			     int timeout);

/**
 * refstore_death_fn - told that an object is dead
 * @store: the session
 * @weak: the weak handle that refstore_watch() gave, still the caller's
 * @id: the object's id
 * @data: what refstore_watch() was given
 */
typedef void (*refstore_death_fn)(struct refstore *store, uint64_t weak,
				  uint64_t id, void *data);

/**
 * refstore_watch() - have a function called when an object is dead
 * @store: the session
 * @object: a handle, or a weak handle; it may be dead already
 * @death: called once, by refstore_dispatch()
 * @data: for @death
 * @weak: out: a weak handle, the caller's, for refstore_unwatch()
 *
 * Errors: -EDQUOT.
 */
int refstore_watch(struct refstore *store, uint64_t object,
		   refstore_death_fn death, void *data, uint64_t *weak);

/**
 * refstore_unwatch() - give a weak handle back, and forget its function
 * @store: the session
 * @weak: from refstore_watch(), whose function was called or not; or any other
 *        handle, for which this is refstore_release()
 *
 * The function is not called from now on, but may be running in another thread, see
 * "Threads".
 * refstore_release() would forget it only when the session ends.
 */
int refstore_unwatch(struct refstore *store, uint64_t weak);

/**
 * refstore_gc_fn - told that a scan begins, or has ended
 * @store: the session
 * @event: its kind is REFSTORE_EVENT_SCAN_BEGIN or REFSTORE_EVENT_SCAN_END
 * @data: what refstore_gc_add_callback() was given
 */
typedef void (*refstore_gc_fn)(struct refstore *store,
			       const struct refstore_event *event, void *data);

/**
 * refstore_gc_add_callback() - have a function called for each scan
 * @store: the session
 * @call: called by refstore_dispatch(), after the functions added before it.
 *        The scan may be over already: nobody waits for it
 * @data: for @call
 *
 * Does what refstore_watch_scans() does. A function that is added while the
 * functions for an event are called is called from the next event on.
 */
int refstore_gc_add_callback(struct refstore *store, refstore_gc_fn call,
			     void *data);

/**
 * refstore_gc_remove_callback() - have it called no more
 * @store: the session
 * @call: as it was added
 * @data: the same
 *
 * With the last function, the events of scans end, too. Functions may remove
 * themselves and others; one that is removed may still be running in another thread,
 * see "Threads".
 * Errors: -ENOENT (it was not added).
 */
int refstore_gc_remove_callback(struct refstore *store, refstore_gc_fn call,
				void *data);

/**
 * refstore_dispatch() - read events and call the functions that they are for
 * @store: the session
 * @timeout: as for refstore_read_events()
 *
 * Handles what there is. Events that no function is for are dropped. Functions
 * may call everything but refstore_close().
 * Return: how many events there were, dropped ones included.
 * Errors: as for refstore_read_events().
 */
ssize_t refstore_dispatch(struct refstore *store, int timeout);

/*
 * Iterators: what a heap contains.
 *
 * What exists during the whole of a walk is met exactly once; what comes or
 * goes meanwhile may be missing. The order is of no meaning.
 *
 * Each refstore_iter_next_...() fills one entry and returns 1, returns 0 at the
 * end, or a negative errno: -EINTR and -ENOMEM leave the iterator where it was,
 * and the next call goes on from there. An iterator of another kind: -EINVAL.
 */

/**
 * struct refstore_iter - a walk over a heap
 */
struct refstore_iter;

/**
 * refstore_iter_objects() - begin a walk over the objects
 * @store: the session, which must outlive the iterator
 * @flags: REFSTORE_WALK_MINT, to get a handle of each object; or 0
 * @iter: out: the iterator, to be freed with refstore_iter_free()
 *
 * Handles belong to the caller once refstore_iter_next_object() has given them
 * out; the iterator releases those that it never gave out.
 * Errors: -EINVAL.
 */
int refstore_iter_objects(struct refstore *store, unsigned int flags,
			  struct refstore_iter **iter);

/**
 * refstore_iter_generation() - the same, over the objects of a generation
 * @store: the session, which must outlive the iterator
 * @generation: 0 to REFSTORE_OLDEST
 * @flags: as for refstore_iter_objects()
 * @iter: out: the iterator
 *
 * An age says how often an object was a candidate and survived, not how many scans
 * it lived through, as in Python. Leaves have none, and frozen objects count as
 * older than all: neither are met. This and the next three look at the whole heap,
 * and pass over the rest.
 * Errors: -EINVAL.
 */
int refstore_iter_generation(struct refstore *store, uint32_t generation,
			     unsigned int flags, struct refstore_iter **iter);

/**
 * refstore_iter_garbage() - the same, over the objects that scans have kept
 * @store: the session, which must outlive the iterator
 * @flags: as for refstore_iter_objects()
 * @iter: out: the iterator
 *
 * See refstore_gc_set_save_all().
 * Errors: -EINVAL.
 */
int refstore_iter_garbage(struct refstore *store, unsigned int flags,
			  struct refstore_iter **iter);

/**
 * refstore_iter_referrers() - begin a walk over the slots that hold an object
 * @store: the session, which must outlive the iterator
 * @id: the object's id, see refstore_stat()
 * @iter: out: the iterator, for refstore_iter_next_edge()
 *
 * refstore_find() makes handles of what it meets. Handles and the root can
 * refer to the object, too: refstore_iter_holders().
 */
int refstore_iter_referrers(struct refstore *store, uint64_t id,
			    struct refstore_iter **iter);

/**
 * refstore_iter_referents() - begin a walk over the slots of an object
 * @store: the session, which must outlive the iterator
 * @id: the object's id
 * @iter: out: the iterator, for refstore_iter_next_edge()
 *
 * Who has a handle of it gets handles of what it refers to, in less time, from
 * refstore_read_slots().
 */
int refstore_iter_referents(struct refstore *store, uint64_t id,
			    struct refstore_iter **iter);

/**
 * refstore_iter_edges() - begin a walk over the slots that are not empty
 * @store: the session, which must outlive the iterator
 * @iter: out: the iterator
 */
int refstore_iter_edges(struct refstore *store, struct refstore_iter **iter);

/**
 * refstore_iter_handles() - begin a walk over the handles of all sessions
 * @store: the session, which must outlive the iterator
 * @iter: out: the iterator
 */
int refstore_iter_handles(struct refstore *store, struct refstore_iter **iter);

/**
 * refstore_iter_roots() - begin a walk over the heap's roots: none, or one
 * @store: the session, which must outlive the iterator
 * @iter: out: the iterator
 */
int refstore_iter_roots(struct refstore *store, struct refstore_iter **iter);

/* What holds an object. */
enum {
	REFSTORE_HOLDER_SESSION,	/* handles of a session */
	REFSTORE_HOLDER_EXPORT,		/* the descriptor of its export */
	REFSTORE_HOLDER_SLOT,		/* a slot */
	REFSTORE_HOLDER_ROOT,		/* the heap, of which it is the root */
};

/**
 * struct refstore_holder - one of those that hold an object
 * @kind: REFSTORE_HOLDER_*
 * @handles: of a session: how many it has of the object, the caller's own
 *           included; of an export: 1
 * @session: of a session or an export: which one, and whose
 * @slot: of a slot: which one, of what object
 *
 * What is not of the kind is 0.
 */
struct refstore_holder {
	uint32_t kind;
	uint64_t handles;
	struct refstore_walk_session session;
	struct refstore_walk_edge slot;
};

/**
 * refstore_iter_holders() - begin a walk over all that holds an object
 * @store: the session, which must outlive the iterator
 * @id: the object's id, see refstore_stat()
 * @iter: out: the iterator, for refstore_iter_next_holder()
 *
 * Sessions and exports come first, then slots, then the root; it looks at the whole
 * heap for that. Weak handles hold nothing. That the heap keeps an object which is
 * immortal, or saved by a scan, is in its REFSTORE_STATE_*.
 */
int refstore_iter_holders(struct refstore *store, uint64_t id,
			  struct refstore_iter **iter);

/**
 * refstore_iter_next_holder() - the next one that holds the object
 * @iter: from refstore_iter_holders()
 * @holder: out
 *
 * Errors: -EINTR.
 */
int refstore_iter_next_holder(struct refstore_iter *iter,
			      struct refstore_holder *holder);

/**
 * refstore_iter_next_object() - the next object
 * @iter: from refstore_iter_objects(), refstore_iter_generation() or
 *        refstore_iter_garbage()
 * @object: out
 *
 * Errors: -EDQUOT, -EINTR.
 */
int refstore_iter_next_object(struct refstore_iter *iter,
			      struct refstore_walk_object *object);

/**
 * refstore_iter_sessions() - begin a walk over the sessions of the heap
 * @store: the session, which must outlive the iterator
 * @iter: out: the iterator, for refstore_iter_next_session()
 */
int refstore_iter_sessions(struct refstore *store, struct refstore_iter **iter);

/**
 * refstore_iter_labels() - begin a walk over the objects that have a label
 * @store: the session, which must outlive the iterator
 * @iter: out: the iterator, for refstore_iter_next_label()
 */
int refstore_iter_labels(struct refstore *store, struct refstore_iter **iter);

/**
 * refstore_iter_next_session() - the next session, or exported object
 * @iter: from refstore_iter_sessions()
 * @session: out
 *
 * Errors: -EINTR.
 */
int refstore_iter_next_session(struct refstore_iter *iter,
			       struct refstore_walk_session *session);

/**
 * refstore_iter_next_label() - the next label
 * @iter: from refstore_iter_labels()
 * @label: out
 *
 * Errors: -EINTR.
 */
int refstore_iter_next_label(struct refstore_iter *iter,
			     struct refstore_walk_label *label);

/**
 * refstore_iter_next_edge() - the next edge
 * @iter: from refstore_iter_edges(), refstore_iter_referrers() or
 *        refstore_iter_referents()
 * @edge: out
 *
 * Errors: -EINTR.
 */
int refstore_iter_next_edge(struct refstore_iter *iter,
			    struct refstore_walk_edge *edge);

/**
 * refstore_iter_next_handle() - the next handle, or root
 * @iter: from refstore_iter_handles() or refstore_iter_roots()
 * @handle: out
 *
 * Errors: -EINTR.
 */
int refstore_iter_next_handle(struct refstore_iter *iter,
			      struct refstore_walk_handle *handle);

/**
 * refstore_iter_free() - end a walk, at any time
 * @iter: the iterator, or NULL
 */
void refstore_iter_free(struct refstore_iter *iter);

/**
 * refstore_find() - a handle of an object whose id is known
 * @store: the session
 * @id: the id
 * @object: out: a handle, the caller's; 0 if there is no such object
 *
 * Takes time in proportion to the number of objects.
 * Errors: -EDQUOT, -EINTR, -EOVERFLOW.
 */
int refstore_find(struct refstore *store, uint64_t id, uint64_t *object);

/**
 * refstore_walk() - one step of a walk, for callers with buffers of their own
 * @store: the session
 * @walk: in and out, as <linux/refstore.h> says; the library sets @size. To go
 *        on, pass it again as it came back; to go on later, keep its cursor
 *
 * Errors: -EDQUOT, -EINTR, -EINVAL.
 */
int refstore_walk(struct refstore *store, struct refstore_walk *walk);

/*
 * Batches: many operations in few calls of the kernel.
 *
 * The functions that add an operation return its index, from 0, and
 * REFSTORE_RESULT(index) stands for its handle in the operations after it,
 * inside arrays of handles too. There is no limit on the operations: the
 * library cuts what is longer than the kernel takes. When one of these
 * functions fails, the builder remembers, and refstore_builder_submit() returns
 * that error and does nothing; so one check at the end is enough.
 *
 * Arrays of handles that are read are copied. Everything else that is pointed
 * to (data that is written, and where handles and data shall go) is the caller's
 * and must stay valid until the batch has been submitted.
 */

/**
 * struct refstore_builder - a batch being put together, or done
 */
struct refstore_builder;

/**
 * refstore_builder_new() - an empty batch
 * @builder: out: to be freed with refstore_builder_free()
 */
int refstore_builder_new(struct refstore_builder **builder);

/**
 * refstore_builder_free() - free a batch
 * @builder: the batch, or NULL. Handles in its results stay the caller's
 */
void refstore_builder_free(struct refstore_builder *builder);

/**
 * refstore_builder_reset() - empty a batch, to be used again
 * @builder: the batch; its memory is kept for the next operations
 */
void refstore_builder_reset(struct refstore_builder *builder);

/**
 * refstore_builder_count() - number of operations so far
 * @builder: the batch
 */
size_t refstore_builder_count(const struct refstore_builder *builder);

/*
 * Adding an operation: arguments are those of the function of the same name
 * without "builder_"; results are to be had from the builder later.
 * Return: the index, or -E2BIG, -ENOMEM, -ERANGE (a number beyond 32 bits, but for
 * offsets), -EBUSY (already submitted and not reset), -EINVAL (slots for many
 * objects).
 * A @count of 0 makes an operation that does nothing and succeeds, whose @done is
 * of no meaning.
 */
ssize_t refstore_builder_create(struct refstore_builder *builder,
				const struct refstore_spec *spec);
ssize_t refstore_builder_dup(struct refstore_builder *builder, uint64_t object);
ssize_t refstore_builder_release(struct refstore_builder *builder,
				 uint64_t object);
/*
 * These two take as many at once as the kernel takes, &refstore_query.max_batch
 * (-E2BIG when they run), and may end early, as they may in the kernel:
 * refstore_builder_op()->create_many.done, release_many.done.
 */
ssize_t refstore_builder_create_many(struct refstore_builder *builder,
				     const struct refstore_spec *spec,
				     size_t count, uint64_t *handles);
ssize_t refstore_builder_release_many(struct refstore_builder *builder,
				      const uint64_t *handles, size_t count);
ssize_t refstore_builder_get_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index);
ssize_t refstore_builder_match_slot(struct refstore_builder *builder,
				    uint64_t object, size_t index, uint64_t id);
ssize_t refstore_builder_set_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index,
				  uint64_t value);
ssize_t refstore_builder_cas_slot(struct refstore_builder *builder,
				  uint64_t object, size_t index,
				  uint64_t expected, uint64_t value);
/* The entries are copied, and may contain results. */
ssize_t refstore_builder_cas_many(struct refstore_builder *builder,
				  const struct refstore_cas_entry *entries,
				  size_t count);
/*
 * The three transfers of handles and ids may end early, as they may in the kernel:
 * refstore_builder_op()->slots.done says how far they came. That of slots to slots
 * takes REFSTORE_MAX_COPY at most (-E2BIG when it runs), and all or none.
 */
ssize_t refstore_builder_read_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t *handles, size_t count);
ssize_t refstore_builder_peek_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t *ids, size_t count);
ssize_t refstore_builder_write_slots(struct refstore_builder *builder,
				     uint64_t object, size_t first,
				     const uint64_t *handles, size_t count);
ssize_t refstore_builder_copy_slots(struct refstore_builder *builder,
				    uint64_t object, size_t first,
				    uint64_t source, size_t source_first,
				    size_t count);
ssize_t refstore_builder_resize(struct refstore_builder *builder,
				uint64_t object, size_t nr_slots);
ssize_t refstore_builder_read(struct refstore_builder *builder, uint64_t object,
			      size_t offset, void *buffer, size_t length);
ssize_t refstore_builder_write(struct refstore_builder *builder,
			       uint64_t object, size_t offset,
			       const void *buffer, size_t length);
/* -EBUSY for a large value whose memfd is not sealed: refstore_seal() does that. */
ssize_t refstore_builder_seal(struct refstore_builder *builder, uint64_t object,
			      unsigned int flags);
/* The answer is refstore_builder_op()->stat. */
ssize_t refstore_builder_stat(struct refstore_builder *builder,
			      uint64_t object);
ssize_t refstore_builder_get_root(struct refstore_builder *builder);
ssize_t refstore_builder_set_root(struct refstore_builder *builder,
				  uint64_t value);
ssize_t refstore_builder_cas_root(struct refstore_builder *builder,
				  uint64_t expected, uint64_t value);
ssize_t refstore_builder_weak(struct refstore_builder *builder,
			      uint64_t object);
/* -EINVAL, too, for a cookie beyond REFSTORE_COOKIE_MAX. */
ssize_t refstore_builder_weak_notify(struct refstore_builder *builder,
				     uint64_t object, uint64_t cookie);
ssize_t refstore_builder_upgrade(struct refstore_builder *builder,
				 uint64_t weak);
/* The descriptor is looked up when the batch runs: it must be open until then. */
ssize_t refstore_builder_import(struct refstore_builder *builder, int fd);
/* The label is copied; -EINVAL, too, if it is too long. */
ssize_t refstore_builder_label(struct refstore_builder *builder,
			       unsigned int what, uint64_t object,
			       const char *label);

/**
 * refstore_builder_submit() - run the operations, in order
 * @builder: the batch
 * @store: the session
 * @flags: REFSTORE_BATCH_CONTINUE to go on after an operation that failed;
 *         0 to stop after it
 *
 * Each operation is as atomic as the function of the same name, the batch is
 * not. A batch runs once: to run it again, reset it and fill it again. Results
 * stay until then.
 *
 * Return: how many operations failed (so 0: all went well), or a negative
 * errno when the batch could not be run to its end. What
 * refstore_builder_done() counts was done then, and stays.
 * Errors: -EBUSY (already submitted), -EINVAL (@flags; then the batch is not
 * submitted yet), and those that adding operations met.
 */
ssize_t refstore_builder_submit(struct refstore_builder *builder,
				struct refstore *store, unsigned int flags);

/**
 * refstore_builder_done() - how many operations were begun
 * @builder: a batch that was submitted
 *
 * Return: their number, failed ones included.
 */
size_t refstore_builder_done(const struct refstore_builder *builder);

/**
 * refstore_builder_error() - how an operation ended
 * @builder: a batch that was submitted
 * @index: the operation
 *
 * Return: 0 or its negative errno; -ECANCELED if it was never begun.
 */
int refstore_builder_error(const struct refstore_builder *builder,
			   size_t index);

/**
 * refstore_builder_result() - the handle that an operation gave
 * @builder: a batch that was submitted
 * @index: the operation
 *
 * Return: the handle, the caller's; 0 if it failed, found nothing, or is of a
 * kind that gives none.
 */
uint64_t refstore_builder_result(const struct refstore_builder *builder,
				 size_t index);

/**
 * refstore_builder_op() - an operation with all its answers
 * @builder: a batch that was submitted
 * @index: the operation, below refstore_builder_count()
 *
 * Return: the operation, valid until the batch is reset or freed. Of use are
 * the fields that <linux/refstore.h> calls "out", if the operation succeeded.
 */
const struct refstore_op *
refstore_builder_op(const struct refstore_builder *builder, size_t index);

#ifdef __cplusplus
}
#endif

#endif /* LIBREFSTORE_H */
