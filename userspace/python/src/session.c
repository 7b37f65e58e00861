// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

#include "error.h"
#include "large.h"
#include "share.h"
#include "transaction.h"

#define CACHE_LIMIT (64 << 20)	/* bytes */
#define FEW_OPERATIONS 8

PyTypeObject *session_type;

/* Names that our types have in a heap; see object_kind. */
static const char *const names[NR_KINDS] = {
	[KIND_NODE] = "py-node",
	[KIND_WIDE] = "py-wide",
	[KIND_VALUE] = "py-value",
	[KIND_DICT] = "py-dict",
	[KIND_SET] = "py-set",
	[KIND_LIST] = "py-list",
	[KIND_BUFFER] = "py-buffer",
};

/* --- What others of our files use ---------------------------------------- */

/* 0, or -1 with a ValueError if the session is closed. */
int session_check(struct session *session)
{
	if (session->store)
		return 0;
	PyErr_SetString(PyExc_ValueError, "the heap is closed");
	return -1;
}

/* What this thread has begun and not ended, of all sessions. */
static _Thread_local unsigned int begun;

/* Nobody closes the session until session_end(); 0, or -1 with a ValueError. */
int session_begin(struct session *session)
{
	if (session_check(session))
		return -1;
	session->calls++;
	begun++;
	return 0;
}

void session_end(struct session *session)
{
	session->calls--;
	begun--;
}

/*
 * In a child, where what other threads had under way never ends. What this one has does:
 * it may have forked in a function that we have called. If it is in the middle of
 * something with several heaps, that may be more than it is with this one; then the child
 * cannot close it, at worst.
 */
void session_forked(struct session *session)
{
	if (session->calls > begun)
		session->calls = begun;
}

/* Where it stands what a slot of a container referred to; or something else does. */
struct recent *session_recent(struct session *session, uint64_t container,
			      uint32_t slot)
{
	return &session->recent[(container * 67 + slot) % NR_RECENT];
}

/* Types that were registered since we looked: those among them that are ours. */
static void find_kinds(struct session *session)
{
	char found[REFSTORE_TYPE_NAME_MAX];
	int i;

	for (; !refstore_type_name(session->store, session->next_type, found);
	     session->next_type++)
		for (i = 0; i < NR_KINDS; i++)
			if (!strcmp(found, names[i]))
				session->types[i] = session->next_type;
}

/**
 * session_kind() - the number that one of our types has in the heap
 * @session: an open one
 * @kind: which type
 * @type: out: its number; UINT32_MAX, which no object has, as long as there is none and
 *        the session may not register one
 *
 * Return: 0, or -1 with an exception.
 */
int session_kind(struct session *session, enum object_kind kind,
		 uint32_t *type)
{
	uint32_t *known = &session->types[kind];
	int ret = 0;

	if (*known == UINT32_MAX) {
		ret = refstore_type_register(session->store, names[kind],
					     known);
		if (ret)
			*known = UINT32_MAX;
	}
	/* Who may not register types finds those of others */
	if (ret == -EACCES) {
		find_kinds(session);
		ret = 0;
	}
	if (ret) {
		error_set(ret);
		return -1;
	}
	*type = *known;
	return 0;
}

/* An empty batch, to be given back; or NULL with an exception. */
struct refstore_builder *session_take_builder(struct session *session)
{
	struct refstore_builder *builder = session->builder;
	int ret;

	session->builder = NULL;
	if (builder)
		return builder;
	ret = refstore_builder_new(&builder);
	if (!ret)
		return builder;
	error_set(ret);
	return NULL;
}

void session_give_builder(struct session *session,
			  struct refstore_builder *builder)
{
	if (session->builder) {
		refstore_builder_free(builder);
		return;
	}
	refstore_builder_reset(builder);
	session->builder = builder;
}

/*
 * refstore_builder_submit(), while other threads of the interpreter run; unless it is
 * short, and over before they would have begun, as nobody else has the session now.
 */
ssize_t session_submit(struct session *session,
		       struct refstore_builder *builder, unsigned int flags)
{
	struct refstore *store = session->store;
	ssize_t ret;

	if (refstore_builder_count(builder) <= FEW_OPERATIONS &&
	    session->calls <= 1)
		return refstore_builder_submit(builder, store, flags);
	session->calls++;
	Py_BEGIN_ALLOW_THREADS
	ret = refstore_builder_submit(builder, store, flags);
	Py_END_ALLOW_THREADS
	session->calls--;
	return ret;
}

/**
 * session_adapt() - what a slot is to refer to for a value that is not plain
 * @context: the session
 * @value: the value
 *
 * Return: an Object of the same heap, as a new reference, or NULL with an exception.
 */
PyObject *session_adapt(void *context, PyObject *value)
{
	struct session *session = context;
	PyObject *object;

	if (PyObject_TypeCheck(value, object_type) &&
	    ((struct object *)value)->session == session)
		return Py_NewRef(value);
	object = PyObject_CallFunctionObjArgs(session->adapt, value, NULL);
	if (!object || (PyObject_TypeCheck(object, object_type) &&
			((struct object *)object)->session == session))
		return object;
	PyErr_Format(PyExc_TypeError, "%R is no object of this heap", object);
	Py_DECREF(object);
	return NULL;
}

/* The proxy that there is of an object, as a new reference; NULL if there is none. */
PyObject *session_known(struct session *session, uint64_t id)
{
	PyObject *key = PyLong_FromUnsignedLongLong(id), *weak, *proxy = NULL;

	weak = key ? PyDict_GetItemWithError(session->proxies, key) : NULL;
	if (weak) {
		proxy = PyWeakref_GetObject(weak);
		proxy = proxy && proxy != Py_None ? Py_NewRef(proxy) : NULL;
	}
	Py_XDECREF(key);
	return proxy;
}

/* The class that proxies of a type have, as a new reference. */
static PyObject *class_of(struct session *session, uint32_t type)
{
	char name[REFSTORE_TYPE_NAME_MAX];
	int ret = refstore_type_name(session->store, type, name);

	if (ret)
		return error_set(ret);
	return PyObject_CallFunction(session->wrap, "s", name);
}

/* The proxy of an object, which may be a new one; the handle is not the caller's. */
static PyObject *proxy_of(struct session *session, uint64_t handle)
{
	struct refstore_stat stat;
	int ret = refstore_stat(session->store, handle, &stat);
	PyObject *class = NULL, *object = NULL;

	if (ret)
		error_set(ret);
	else
		object = session_known(session, stat.id);
	if (!ret && !object && !PyErr_Occurred())
		class = class_of(session, stat.type);
	/* That was Python: another thread may have made it meanwhile */
	if (class)
		object = session_known(session, stat.id);
	if (class && !object && !PyErr_Occurred())
		object = object_new(session, (PyTypeObject *)class, handle,
				    stat.id);
	else
		refstore_release(session->store, handle);
	Py_XDECREF(class);
	return object;
}

/**
 * session_adopt() - the value that a handle stands for
 * @session: an open one
 * @handle: a handle, which is not the caller's any more
 *
 * Return: a proxy, or what else the class of the object's type makes of it.
 */
PyObject *session_adopt(struct session *session, uint64_t handle)
{
	PyObject *object, *value;

	if (session_begin(session))
		return NULL;
	object = proxy_of(session, handle);
	session_end(session);
	if (!object || !PyObject_HasAttrString((PyObject *)Py_TYPE(object),
					       "_value"))
		return object;
	value = PyObject_CallMethod(object, "_value", NULL);
	Py_DECREF(object);
	return value;
}

/* --- The type ------------------------------------------------------------ */

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct session *session = (struct session *)alloc(type, 0);
	int i;

	(void)args;
	(void)kwds;
	if (!session)
		return NULL;
	for (i = 0; i < NR_KINDS; i++)
		session->types[i] = UINT32_MAX;
	session->next_type = REFSTORE_TYPE_USER;
	session->cache.limit = CACHE_LIMIT;
	session->proxies = PyDict_New();
	if (session->proxies)
		return (PyObject *)session;
	Py_DECREF(session);
	return NULL;
}

static int open_store(struct session *session, const char *path, int flags,
		      unsigned int mode, int fd)
{
	int ret;

	Py_BEGIN_ALLOW_THREADS
	if (fd >= 0)
		ret = share_open(fd, &session->store);
	else if (path)
		ret = refstore_open_heap(path, flags, mode, &session->store);
	else
		ret = refstore_open(&session->store);
	Py_END_ALLOW_THREADS
	return ret;
}

/* With the file's name; a heap without one is made by the device. */
static int set_open_error(int error, const char *path, int fd)
{
	PyObject *type = error == -EDQUOT ? error_limit : PyExc_OSError;
	const char *why = error == -ENOTTY ?
		"Not in a file system of refstore" : strerror(-error);

	if (!path && fd < 0)
		path = REFSTORE_DEVICE;
	error_set_os(type, -error, why, path);
	return -1;
}

static int session_init_(PyObject *self, PyObject *args, PyObject *kwds)
{
	static char *keywords[] = {
		"adapt", "wrap", "path", "flags", "mode", "fd", NULL
	};
	struct session *session = (struct session *)self;
	struct refstore_query query = { .size = sizeof(query) };
	PyObject *adapt, *wrap;
	const char *path = NULL;
	unsigned int mode = 0666;
	int flags = O_RDWR, fd = -1, ret;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|ziIi:Session",
					 keywords, &adapt, &wrap, &path, &flags,
					 &mode, &fd))
		return -1;
	if (session->store) {
		PyErr_SetString(PyExc_ValueError, "the session is open");
		return -1;
	}
	ret = open_store(session, path, flags, mode, fd);
	if (ret)
		return set_open_error(ret, path, fd);
	ret = refstore_query(session->store, &query);
	if (ret) {
		error_set(ret);
		return -1;
	}
	session->heap = query.heap;
	session->max_data = query.max_data;
	session->adapt = Py_NewRef(adapt);
	session->wrap = Py_NewRef(wrap);
	return 0;
}

static int session_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct session *session = (struct session *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(session->adapt);
	Py_VISIT(session->wrap);
	Py_VISIT(session->proxies);
	return 0;
}

static int session_clear(PyObject *self)
{
	struct session *session = (struct session *)self;

	Py_CLEAR(session->adapt);
	Py_CLEAR(session->wrap);
	Py_CLEAR(session->proxies);
	return 0;
}

static void close_store(struct session *session)
{
	struct refstore *store = session->store;

	session->store = NULL;
	cache_clear(&session->cache);
	refstore_builder_free(session->builder);
	session->builder = NULL;
	refstore_close(store);
}

static void session_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	session_clear(self);
	close_store((struct session *)self);
	free(self);
	Py_DECREF(type);
}

static PyObject *session_close(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (((struct session *)self)->calls) {
		PyErr_SetString(PyExc_RuntimeError,
				"the heap is in use");
		return NULL;
	}
	close_store((struct session *)self);
	Py_RETURN_NONE;
}

static PyObject *session_fd(PyObject *self, PyObject *unused)
{
	struct session *session = (struct session *)self;
	int fd;

	(void)unused;
	if (session_check(session))
		return NULL;
	fd = refstore_fd(session->store);
	return fd < 0 ? error_set(fd) : PyLong_FromLong(fd);
}

static PyObject *session_root(PyObject *self, PyObject *unused)
{
	struct session *session = (struct session *)self;
	uint64_t handle;
	int ret;

	(void)unused;
	if (session_check(session))
		return NULL;
	ret = refstore_get_root(session->store, &handle);
	if (ret)
		return error_set(ret);
	if (!handle)
		Py_RETURN_NONE;
	return session_adopt(session, handle);
}

static PyObject *session_set_root(PyObject *self, PyObject *object)
{
	struct session *session = (struct session *)self;
	uint64_t handle = 0;
	int ret;

	if (session_check(session))
		return NULL;
	if (transaction_serial(session)) {
		PyErr_SetString(PyExc_RuntimeError,
				"the root is set outside of transactions alone");
		return NULL;
	}
	if (object != Py_None) {
		if (!PyObject_TypeCheck(object, object_type)) {
			PyErr_SetString(PyExc_TypeError, "no object of a heap");
			return NULL;
		}
		handle = ((struct object *)object)->handle;
	}
	ret = refstore_set_root(session->store, handle);
	if (ret)
		return error_set(ret);
	Py_RETURN_NONE;
}

static PyObject *create_object(struct session *session, PyTypeObject *class,
			     struct refstore_spec *spec)
{
	uint64_t handle, id;
	int ret = refstore_create(session->store, spec, &handle, &id);

	return ret ? error_set(ret) : object_new(session, class, handle, id);
}

/* An empty container: 16 random bytes, the key of its hashes, and slot 0. */
static PyObject *create_container(struct session *session, PyTypeObject *class,
				  uint32_t type)
{
	unsigned char key[16];
	struct refstore_spec spec = {
		.type = type, .flags = REFSTORE_SEAL_DATA, .data = key,
		.data_len = sizeof(key), .nr_slots = 1,
	};
	PyObject *object;

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return error_set(-errno);
	object = create_object(session, class, &spec);
	if (object)
		((struct object *)object)->born = transaction_serial(session);
	return object;
}

/* container(class, kind): a new one of our own types. */
static PyObject *session_container(PyObject *self, PyObject *args)
{
	struct session *session = (struct session *)self;
	PyTypeObject *class;
	uint32_t type;
	int kind;

	if (!PyArg_ParseTuple(args, "O!i:container", &PyType_Type, &class,
			      &kind) || session_check(session))
		return NULL;
	if (kind < 0 || kind >= NR_KINDS ||
	    !PyType_IsSubtype(class, object_type)) {
		PyErr_SetString(PyExc_ValueError, "no kind of containers");
		return NULL;
	}
	if (session_kind(session, (enum object_kind)kind, &type))
		return NULL;
	return create_container(session, class, type);
}

/* record(class, type): a new container whose type has a name of the user's. */
static PyObject *session_record(PyObject *self, PyObject *args)
{
	struct session *session = (struct session *)self;
	PyTypeObject *class;
	unsigned int type;

	if (!PyArg_ParseTuple(args, "O!I:record", &PyType_Type, &class, &type) ||
	    session_check(session))
		return NULL;
	if (PyType_IsSubtype(class, object_type))
		return create_container(session, class, type);
	PyErr_SetString(PyExc_ValueError, "no class of proxies");
	return NULL;
}

/* type(name): the number that a name has in the heap, as long as that lives. */
static PyObject *session_type_number(PyObject *self, PyObject *args)
{
	struct session *session = (struct session *)self;
	const char *name;
	uint32_t type;
	int ret;

	if (!PyArg_ParseTuple(args, "s:type", &name) || session_check(session))
		return NULL;
	ret = refstore_type_register(session->store, name, &type);
	return ret ? error_set(ret) : PyLong_FromUnsignedLong(type);
}

/* Handles of objects, for as long as the list keeps them; or NULL. */
static uint64_t *handles_of(PyObject *objects, size_t *nr)
{
	Py_ssize_t i, n = objects ? PyList_Size(objects) : 0;
	uint64_t *handles = PyMem_Calloc((size_t)n + 1, sizeof(*handles));

	if (!handles) {
		PyErr_NoMemory();
		return NULL;
	}
	for (i = 0; i < n; i++)
		handles[i] = ((struct object *)PyList_GetItem(objects,
							      i))->handle;
	*nr = (size_t)n;
	return handles;
}

static PyObject *create_value(struct session *session, PyTypeObject *class,
			      const struct packer *packer)
{
	struct refstore_spec spec = {
		.flags = REFSTORE_SEAL_DATA,
		.data = packer->bytes.data, .data_len = packer->bytes.length,
	};
	PyObject *object = NULL;
	uint64_t *handles = handles_of(packer->objects, &spec.nr_slots);

	if (!handles)
		return NULL;
	if (spec.nr_slots)
		spec.flags |= REFSTORE_SEAL_SLOTS;
	spec.slots = handles;
	if (!session_kind(session, KIND_VALUE, &spec.type))
		object = create_object(session, class, &spec);
	PyMem_Free(handles);
	return object;
}

/* value(class, value): an object of its own for what is else a part of others. */
static PyObject *session_value(PyObject *self, PyObject *args)
{
	struct session *session = (struct session *)self;
	struct packer packer = { .adapt = session_adapt, .context = session };
	PyObject *value, *object = NULL;
	PyTypeObject *class;

	if (!PyArg_ParseTuple(args, "O!O:value", &PyType_Type, &class, &value) ||
	    session_check(session))
		return NULL;
	/* What adapts values may have closed the session */
	if (!packer_add(&packer, value) && !session_check(session))
		object = create_value(session, class, &packer);
	packer_free(&packer);
	return object;
}

static PyObject *create_large(struct session *session, PyTypeObject *class,
			      uint32_t type, const Py_buffer *data)
{
	uint64_t handle, id;
	int ret = large_create_sealed(session, type, data, &handle, &id);

	return ret ? error_set(ret) : object_new(session, class, handle, id);
}

/*
 * leaf(class, type, data): an object of one of the kernel's types, and bytes; those
 * that are more than an object takes are a large value.
 */
static PyObject *session_leaf(PyObject *self, PyObject *args)
{
	struct session *session = (struct session *)self;
	struct refstore_spec spec = { .flags = REFSTORE_SEAL_DATA };
	PyTypeObject *class;
	Py_buffer data;
	PyObject *object = NULL;

	if (!PyArg_ParseTuple(args, "O!Iy*:leaf", &PyType_Type, &class,
			      &spec.type, &data))
		return NULL;
	spec.data = data.buf;
	spec.data_len = (size_t)data.len;
	if (!session_check(session))
		object = spec.data_len > session->max_data ?
				 create_large(session, class, spec.type, &data) :
				 create_object(session, class, &spec);
	PyBuffer_Release(&data);
	return object;
}

static PyMethodDef methods[] = {
	{ "close", session_close, METH_NOARGS, NULL },
	{ "fd", session_fd, METH_NOARGS, NULL },
	{ "root", session_root, METH_NOARGS, NULL },
	{ "set_root", session_set_root, METH_O, NULL },
	{ "container", session_container, METH_VARARGS, NULL },
	{ "leaf", session_leaf, METH_VARARGS, NULL },
	{ "value", session_value, METH_VARARGS, NULL },
	{ "type", session_type_number, METH_VARARGS, NULL },
	{ "record", session_record, METH_VARARGS, NULL },
	{ "export", share_export, METH_O, NULL },
	{ "import_", share_import, METH_O, NULL },
	{ "mint", share_mint, METH_NOARGS, NULL },
	{ "heap", share_heap, METH_NOARGS, NULL },
	{ "rights", share_rights, METH_NOARGS, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A session on a heap, for the classes of refstore." },
	{ Py_tp_new, session_new },
	{ Py_tp_init, session_init_ },
	{ Py_tp_dealloc, session_dealloc },
	{ Py_tp_traverse, session_traverse },
	{ Py_tp_clear, session_clear },
	{ Py_tp_methods, methods },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Session",
	.basicsize = sizeof(struct session),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = slots,
};

int session_init(PyObject *module)
{
	session_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec,
								NULL);
	return session_type ? PyModule_AddType(module, session_type) : -1;
}
