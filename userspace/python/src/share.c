// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "share.h"

/**
 * share_open() - a session that somebody has passed on
 * @fd: the descriptor of a session, which is @store's afterwards; or of an export,
 *      which stays the caller's, and gives a session that holds nothing yet
 * @store: out
 *
 * Return: 0, or a negative errno.
 */
int share_open(int fd, struct refstore **store)
{
	uint64_t handle;
	int ret = refstore_open_export(fd, store, &handle);

	if (ret == -ENOTTY)
		return refstore_open_fd(fd, store);
	if (!ret)
		refstore_release(*store, handle);
	return ret;
}

/* 0, or -1 with an exception. */
static int query(PyObject *self, struct refstore_query *answer)
{
	struct session *session = (struct session *)self;
	int ret;

	if (session_check(session))
		return -1;
	ret = refstore_query(session->store, answer);
	if (!ret)
		return 0;
	error_set(ret);
	return -1;
}

static PyObject *return_fd(int fd)
{
	return fd < 0 ? error_set(fd) : PyLong_FromLong(fd);
}

/* export(object): a descriptor that stands for it, with all rights of the session. */
PyObject *share_export(PyObject *self, PyObject *object)
{
	struct session *session = (struct session *)self;
	struct refstore_query answer;

	if (!PyObject_TypeCheck(object, object_type) ||
	    ((struct object *)object)->session != session) {
		PyErr_SetString(PyExc_TypeError, "no object of this session");
		return NULL;
	}
	if (query(self, &answer))
		return NULL;
	return return_fd(refstore_export(session->store,
					 ((struct object *)object)->handle,
					 answer.rights));
}

/* import_(fd): the object that a descriptor stands for, which stays the caller's. */
PyObject *share_import(PyObject *self, PyObject *fd)
{
	struct session *session = (struct session *)self;
	int number = PyObject_AsFileDescriptor(fd), ret;
	uint64_t handle;

	if (number < 0 || session_check(session))
		return NULL;
	ret = refstore_import(session->store, number, &handle);
	return ret ? error_set(ret) : session_adopt(session, handle);
}

/* mint(): the descriptor of another session on the heap, with the same rights. */
PyObject *share_mint(PyObject *self, PyObject *unused)
{
	struct session *session = (struct session *)self;

	(void)unused;
	if (session_check(session))
		return NULL;
	return return_fd(refstore_session_fd(session->store, 0));
}

/* heap(): the number of the heap, which no other one ever has. */
PyObject *share_heap(PyObject *self, PyObject *unused)
{
	struct session *session = (struct session *)self;

	(void)unused;
	return session_check(session) ? NULL :
	       PyLong_FromUnsignedLongLong(session->heap);
}

/* rights(): REFSTORE_RIGHT_* that the session has. */
PyObject *share_rights(PyObject *self, PyObject *unused)
{
	struct refstore_query answer;

	(void)unused;
	return query(self, &answer) ? NULL :
	       PyLong_FromUnsignedLongLong(answer.rights);
}

/* __reduce__() of all objects: see _pickle.py. */
PyObject *share_reduce(PyObject *object, PyObject *unused)
{
	PyObject *module = PyImport_ImportModule("refstore._pickle"), *result;

	(void)unused;
	if (!module)
		return NULL;
	result = PyObject_CallMethod(module, "reduce_object", "O", object);
	Py_DECREF(module);
	return result;
}
