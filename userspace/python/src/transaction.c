// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "transaction.h"
#include "view.h"

#define MAX_SHADOWS	REFSTORE_MAX_CAS_OBJECTS

/**
 * struct transaction - refstore._store.Transaction
 * @session: a reference; NULL when it has ended
 * @next: another of the session, of another thread
 * @thread: whose it is
 * @serial: no other one of the session has this
 * @shadows: @nr shadows
 * @nr: how many
 */
struct transaction {
	PyObject_HEAD
	struct session *session;
	struct transaction *next;
	unsigned long thread;
	uint64_t serial;
	struct shadow *shadows[MAX_SHADOWS];
	uint32_t nr;
};

static PyTypeObject *transaction_type;

/* The one in which this thread is, or NULL. */
static struct transaction *current_of(const struct session *session)
{
	struct transaction *transaction = session->transactions;
	unsigned long thread;

	if (!transaction)
		return NULL;
	thread = PyThread_get_thread_ident();
	while (transaction && transaction->thread != thread)
		transaction = transaction->next;
	return transaction;
}

/* What containers that this thread makes now note as the transaction they are of. */
uint64_t transaction_serial(const struct session *session)
{
	const struct transaction *transaction = current_of(session);

	return transaction ? transaction->serial : 0;
}

static struct shadow *find(const struct transaction *transaction,
			   const struct object *container)
{
	uint32_t i;

	for (i = 0; i < transaction->nr; i++)
		if (transaction->shadows[i]->container->id == container->id)
			return transaction->shadows[i];
	return NULL;
}

/* What this thread sees of a container, if it has a shadow of it; or NULL. */
struct shadow *transaction_shadow(const struct object *container)
{
	const struct transaction *transaction = current_of(container->session);

	return transaction ? find(transaction, container) : NULL;
}

/* --- Shadows ------------------------------------------------------------- */

static void shadow_free(struct shadow *shadow)
{
	struct session *session = shadow->container->session;

	if (shadow->handle && session->store)
		refstore_release(session->store, shadow->handle);
	Py_DECREF((PyObject *)shadow->container);
	PyMem_Free(shadow);
}

/*
 * Slot 0 by itself: as long as a map is narrow, it has all; and what is in it when a
 * map is wide stays.
 */
static int shadow_fill(struct shadow *shadow)
{
	struct object *container = shadow->container;
	struct refstore *store = container->session->store;
	int ret = refstore_copy_slots(store, shadow->handle, 0,
				      container->handle, 0, 1);

	if (!ret)
		ret = refstore_copy_slots(store, shadow->handle, 1,
					  container->handle, 1, shadow->nr - 1);
	if (!ret)
		ret = refstore_peek_slots(store, shadow->handle, 0,
					  shadow->seen, shadow->nr);
	return ret;
}

/* How many of a container's slots a shadow has; 0, or a negative errno. */
static int count_slots(const struct object *container, uint32_t *nr)
{
	struct refstore_stat stat;
	int ret = refstore_stat(container->session->store, container->handle,
				&stat);

	*nr = ret ? 0 : stat.nr_slots;
	if (*nr > SHADOW_SLOTS)
		*nr = SHADOW_SLOTS;
	return ret;
}

/* A map that becomes wide meanwhile has more slots then than the shadow. */
static int shadow_try(struct shadow *shadow, struct refstore_spec *spec)
{
	struct object *container = shadow->container;
	struct refstore *store = container->session->store;
	uint32_t nr;
	int ret;

	if (shadow->handle)
		refstore_release(store, shadow->handle);
	shadow->handle = 0;
	ret = count_slots(container, &shadow->nr);
	spec->nr_slots = shadow->nr;
	if (!ret)
		ret = refstore_create(store, spec, &shadow->handle, NULL);
	if (!ret)
		ret = shadow_fill(shadow);
	if (!ret)
		ret = count_slots(container, &nr);
	return ret ? ret : nr == shadow->nr ? 0 : -EAGAIN;
}

/* That happens once to a map; to other objects, whatever somebody wants. */
#define SHADOW_TRIES	4

static int shadow_make(struct shadow *shadow)
{
	struct refstore_spec spec = {};
	int ret = -EAGAIN, tries = SHADOW_TRIES;

	if (session_kind(shadow->container->session, KIND_NODE, &spec.type))
		return -1;
	while (ret == -EAGAIN && tries--)
		ret = shadow_try(shadow, &spec);
	if (!ret)
		return 0;
	error_set(ret);
	return -1;
}

static struct shadow *shadow_new(struct object *container)
{
	struct shadow *shadow = PyMem_Calloc(1, sizeof(*shadow));

	if (!shadow) {
		PyErr_NoMemory();
		return NULL;
	}
	shadow->container = (struct object *)Py_NewRef((PyObject *)container);
	if (!shadow_make(shadow))
		return shadow;
	shadow_free(shadow);
	return NULL;
}

static struct shadow *find_or_make(struct transaction *transaction,
				   struct object *container)
{
	struct shadow *shadow = find(transaction, container);

	if (shadow)
		return shadow;
	if (transaction->nr == MAX_SHADOWS) {
		error_set(-E2BIG);
		return NULL;
	}
	shadow = shadow_new(container);
	if (shadow)
		transaction->shadows[transaction->nr++] = shadow;
	return shadow;
}

/**
 * transaction_holder() - what has the slots of a container, for this thread
 * @container: an open one
 * @first: the first slot that is going to be looked at
 * @nr: how many
 * @holder: out: a handle, not the caller's: the container's, or that of a shadow
 *
 * Return: 0, or -1 with an exception.
 */
int transaction_holder(struct object *container, uint32_t first, uint32_t nr,
		       uint64_t *holder)
{
	struct transaction *transaction = current_of(container->session);
	struct shadow *shadow;

	*holder = container->handle;
	if (!transaction || container->born == transaction->serial)
		return 0;
	shadow = find_or_make(transaction, container);
	if (!shadow)
		return -1;
	*holder = shadow->handle;
	for (; nr && first < shadow->nr; nr--)
		shadow->touched[first++] = true;
	return 0;
}

/* --- The end ------------------------------------------------------------- */

/* Whether slots that were looked at are as they were: 0, VIEW_LATE, or -1. */
static int shadow_validate(const struct shadow *shadow)
{
	struct object *container = shadow->container;
	uint64_t ids[SHADOW_SLOTS];
	uint32_t i;
	int ret = refstore_peek_slots(container->session->store,
				      container->handle, 0, ids, shadow->nr);

	if (ret) {
		error_set(ret);
		return -1;
	}
	for (i = 0; i < shadow->nr; i++)
		if (shadow->touched[i] && ids[i] != shadow->seen[i])
			return VIEW_LATE;
	return 0;
}

/*
 * Versions do not come again, but that a slot is empty does. So if each slot is as it was
 * when it was read, and none was empty, there was a moment, before the first of these
 * looks, when all were.
 */
static int validate(const struct transaction *transaction)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < transaction->nr && !ret; i++)
		ret = shadow_validate(transaction->shadows[i]);
	return ret;
}

/**
 * struct changes - what containers are to have
 * @entries: the slots
 * @nr: how many; if it is REFSTORE_MAX_CAS + 1, there are more
 * @changed: one of them is to refer to something else than before
 * @empty: one of them is empty
 */
struct changes {
	struct refstore_cas_entry entries[REFSTORE_MAX_CAS + 1];
	size_t nr;
	bool changed;
	bool empty;
};

/* Adds slots that were looked at; those of @handles are the changes' then. */
static void add_slots(struct changes *changes, const struct shadow *shadow,
		      const uint64_t *ids, uint64_t *handles)
{
	uint32_t i;

	for (i = 0; i < shadow->nr; i++) {
		if (!shadow->touched[i])
			continue;
		changes->changed |= ids[i] != shadow->seen[i];
		changes->empty |= !shadow->seen[i];
		if (changes->nr > REFSTORE_MAX_CAS)
			continue;
		changes->entries[changes->nr++] = (struct refstore_cas_entry){
			.object = shadow->container->handle,
			.value = handles[i],
			.expected = shadow->seen[i],
			.index = i,
		};
		handles[i] = 0;
	}
}

static int add_shadow(struct changes *changes, const struct shadow *shadow)
{
	struct refstore *store = shadow->container->session->store;
	uint64_t ids[SHADOW_SLOTS], handles[SHADOW_SLOTS];
	int ret = refstore_peek_slots(store, shadow->handle, 0, ids,
				      shadow->nr);

	if (!ret)
		ret = refstore_read_slots(store, shadow->handle, 0, handles,
					  shadow->nr);
	if (ret)
		return ret;
	add_slots(changes, shadow, ids, handles);
	return refstore_release_many(store, handles, shadow->nr);
}

/*
 * All at one moment; also if nothing is to change, where that alone says that there was
 * such a moment, and we may, and it is not too much.
 */
static int set_changes(const struct transaction *transaction,
		       const struct changes *changes)
{
	int ret;

	if (!changes->changed && (changes->nr < 2 || !changes->empty))
		return validate(transaction);
	ret = refstore_cas_many(transaction->session->store, changes->entries,
				changes->nr);
	if (!ret || ret == -EAGAIN)
		return ret ? VIEW_LATE : 0;
	if (!changes->changed && (ret == -EACCES || ret == -E2BIG))
		return validate(transaction);
	error_set(ret);
	return -1;
}

static int finish(const struct transaction *transaction,
		  struct changes *changes)
{
	int ret = 0;
	uint32_t i;

	for (i = 0; i < transaction->nr && !ret; i++)
		ret = add_shadow(changes, transaction->shadows[i]);
	if (ret) {
		error_set(ret);
		return -1;
	}
	return set_changes(transaction, changes);
}

/* Lets containers have what their shadows do: 0, VIEW_LATE, or -1. */
static int publish(const struct transaction *transaction)
{
	struct changes *changes = PyMem_Calloc(1, sizeof(*changes));
	size_t i;
	int ret;

	if (!changes) {
		PyErr_NoMemory();
		return -1;
	}
	ret = finish(transaction, changes);
	for (i = 0; i < changes->nr; i++)
		if (changes->entries[i].value)
			refstore_release(transaction->session->store,
					 changes->entries[i].value);
	PyMem_Free(changes);
	return ret;
}

static void end(struct transaction *transaction)
{
	struct session *session = transaction->session;
	struct transaction **link = &session->transactions;

	while (*link != transaction)
		link = &(*link)->next;
	*link = transaction->next;
	while (transaction->nr)
		shadow_free(transaction->shadows[--transaction->nr]);
	transaction->session = NULL;
	Py_DECREF((PyObject *)session);
}

/* In a child, threads of its parent are no more that were in one. */
void transaction_forked(struct session *session)
{
	struct transaction *transaction = session->transactions, *next;
	unsigned long thread = PyThread_get_thread_ident();

	for (; transaction; transaction = next) {
		next = transaction->next;
		if (transaction->thread != thread)
			end(transaction);
	}
}

/* --- The type ------------------------------------------------------------ */

static int check(const struct transaction *transaction)
{
	if (transaction->session &&
	    transaction->thread == PyThread_get_thread_ident())
		return session_check(transaction->session);
	PyErr_SetString(PyExc_RuntimeError, "the transaction has ended, or is "
			"that of another thread");
	return -1;
}

static PyObject *end_by(PyObject *self,
			int (*how)(const struct transaction *transaction))
{
	struct transaction *transaction = (struct transaction *)self;
	int ret = check(transaction) ? -1 : how(transaction);

	if (transaction->session)
		end(transaction);
	return ret < 0 ? NULL : PyBool_FromLong(!ret);
}

/* commit(): ends it; whether all was done. If not, nothing was. */
static PyObject *transaction_commit(PyObject *self, PyObject *unused)
{
	(void)unused;
	return end_by(self, publish);
}

/* abort(): ends it; whether what was read is what there is. */
static PyObject *transaction_abort(PyObject *self, PyObject *unused)
{
	(void)unused;
	return end_by(self, validate);
}

/* Transaction(session): begins one, for this thread. */
static PyObject *transaction_new(PyTypeObject *type, PyObject *args,
				 PyObject *kwds)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct transaction *transaction;
	struct session *session;

	(void)kwds;
	if (!PyArg_ParseTuple(args, "O!:Transaction", session_type, &session) ||
	    session_check(session))
		return NULL;
	if (current_of(session)) {
		PyErr_SetString(PyExc_RuntimeError,
				"this thread is in a transaction of the heap");
		return NULL;
	}
	transaction = (struct transaction *)alloc(type, 0);
	if (!transaction)
		return NULL;
	transaction->session = (struct session *)Py_NewRef((PyObject *)session);
	transaction->thread = PyThread_get_thread_ident();
	transaction->serial = ++session->last_transaction;
	transaction->next = session->transactions;
	session->transactions = transaction;
	return (PyObject *)transaction;
}

static void transaction_dealloc(PyObject *self)
{
	struct transaction *transaction = (struct transaction *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	if (transaction->session)
		end(transaction);
	free(self);
	Py_DECREF(type);
}

static PyMethodDef methods[] = {
	{ "commit", transaction_commit, METH_NOARGS, NULL },
	{ "abort", transaction_abort, METH_NOARGS, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A transaction of this thread, for refstore.Heap." },
	{ Py_tp_new, transaction_new },
	{ Py_tp_dealloc, transaction_dealloc },
	{ Py_tp_methods, methods },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Transaction",
	.basicsize = sizeof(struct transaction),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = slots,
};

int transaction_init(PyObject *module)
{
	transaction_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, NULL);
	return transaction_type ?
	       PyModule_AddType(module, transaction_type) : -1;
}
