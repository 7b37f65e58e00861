/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions, and the objects that they have handles of.
 *
 * All of it is used under the interpreter's lock, which is let go around calls that may
 * wait. What a process knows of a heap is in its Session; a fork() leaves the child a
 * copy of that, and the library gives it a session of its own behind the same handles.
 */
#ifndef REFSTORE_PYTHON_SESSION_H
#define REFSTORE_PYTHON_SESSION_H

#include <refstore.h>

#include "cache.h"
#include "value.h"

/* Types of our own, which have names in the heap; see session.c. */
enum object_kind {
	KIND_NODE,
	KIND_WIDE,
	KIND_VALUE,
	KIND_DICT,
	KIND_SET,
	KIND_LIST,
	KIND_BUFFER,
	NR_KINDS,
};

#define NR_RECENT 1024

/**
 * struct recent - what a slot of a container referred to when we had to do with it last
 * @container: id of the container; 0: nothing is known
 * @slot: which slot
 * @top: id of what it referred to
 */
struct recent {
	uint64_t container;
	uint32_t slot;
	uint64_t top;
};

/**
 * struct session - refstore._store.Session
 * @store: the library's; NULL once it is closed
 * @cache: what was read
 * @types: numbers of our types in the heap; UINT32_MAX: not known yet
 * @next_type: the first number of a type whose name was not looked at
 * @adapt: called with what is not plain, returns an Object
 * @wrap: called with the name of a type, returns the class of its proxies
 * @proxies: objects that there are, by id, weakly: a dict of weak references
 * @heap: number of the heap, as the kernel counts them
 * @max_data: bytes of data of an object that is no large value
 * @wide: id of the mark of wide containers; 0: not known yet
 * @serial: the last serial number that was given to an entry
 * @recent: for who only has to guess right most of the time
 * @builder: an empty one, or NULL while somebody uses it
 * @calls: operations that are under way, which use @store while other threads, or
 *         other functions of Python, may run: until they end, it stays open
 * @transactions: that have begun, of one thread each; see transaction.h
 * @last_transaction: the serial number of the last one
 */
struct session {
	PyObject_HEAD
	struct refstore *store;
	struct cache cache;
	uint32_t types[NR_KINDS];
	uint32_t next_type;
	PyObject *adapt;
	PyObject *wrap;
	PyObject *proxies;
	uint64_t heap;
	uint64_t max_data;
	uint64_t wide;
	uint64_t serial;
	struct recent recent[NR_RECENT];
	struct refstore_builder *builder;
	unsigned int calls;
	struct transaction *transactions;
	uint64_t last_transaction;
};

/**
 * struct object - refstore._store.Object: a handle
 * @session: whose
 * @handle: ours to release
 * @id: of the object
 * @born: serial number of the transaction in which the object was made; or 0
 * @weakrefs: Python's, on this
 */
struct object {
	PyObject_HEAD
	struct session *session;
	uint64_t handle;
	uint64_t id;
	uint64_t born;
	PyObject *weakrefs;
};

extern PyTypeObject *session_type;
extern PyTypeObject *object_type;

int session_init(PyObject *module);
int object_init(PyObject *module);

int session_check(struct session *session);
int object_check(struct object *object);
struct recent *session_recent(struct session *session, uint64_t container,
			      uint32_t slot);
int session_kind(struct session *session, enum object_kind kind,
		 uint32_t *type);
struct refstore_builder *session_take_builder(struct session *session);
void session_give_builder(struct session *session,
			  struct refstore_builder *builder);
int session_begin(struct session *session);
void session_end(struct session *session);
void session_forked(struct session *session);
ssize_t session_submit(struct session *session,
		       struct refstore_builder *builder, unsigned int flags);

PyObject *session_adapt(void *session, PyObject *value);
PyObject *session_known(struct session *session, uint64_t id);
PyObject *session_adopt(struct session *session, uint64_t handle);

PyObject *object_new(struct session *session, PyTypeObject *type,
		     uint64_t handle, uint64_t id);
PyObject *object_plain(struct session *session, uint64_t handle, uint64_t id);

#endif /* REFSTORE_PYTHON_SESSION_H */
