// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "notice.h"
#include "transaction.h"

#define MAX_EVENTS 16	/* that are read at once */

/* The open session that a function was called with; NULL with an exception. */
static struct session *take_session(PyObject *value)
{
	if (!PyObject_TypeCheck(value, session_type)) {
		PyErr_SetString(PyExc_TypeError, "this is no session");
		return NULL;
	}
	return session_check((struct session *)value) ?
	       NULL : (struct session *)value;
}

static PyObject *make_event(const struct refstore_event *event)
{
	return Py_BuildValue("IKKIKKKK", event->kind, event->cookie, event->id,
			     event->generation, event->visited,
			     event->reclaimed, event->nanoseconds, event->lost);
}

static PyObject *make_list(const struct refstore_event *events, ssize_t nr)
{
	PyObject *list = PyList_New(nr);
	ssize_t i;

	for (i = 0; list && i < nr; i++) {
		PyObject *event = make_event(&events[i]);

		if (!event || PyList_SetItem(list, i, event))
			Py_CLEAR(list);
	}
	return list;
}

/*
 * read_events(session): a list of some that there are; [] if there are none. Nobody
 * waits: so the interpreter's lock is kept, and @calls of the session need not change.
 */
static PyObject *read_events(PyObject *module, PyObject *value)
{
	struct session *session = take_session(value);
	struct refstore_event events[MAX_EVENTS];
	ssize_t nr;

	(void)module;
	if (!session)
		return NULL;
	nr = refstore_read_events(session->store, events, MAX_EVENTS, 0);
	if (nr == -ENODATA)
		nr = 0;
	return nr < 0 ? error_set((int)nr) : make_list(events, nr);
}

/* watch_scans(session): from now on there are events for them. */
static PyObject *watch_scans(PyObject *module, PyObject *value)
{
	struct session *session = take_session(value);
	int ret;

	(void)module;
	if (!session)
		return NULL;
	ret = refstore_watch_scans(session->store, 1);
	if (ret)
		return error_set(ret);
	Py_RETURN_NONE;
}

/* heap_of(session): the Heap that made it. */
static PyObject *heap_of(PyObject *module, PyObject *value)
{
	PyObject *adapt;

	(void)module;
	if (!PyObject_TypeCheck(value, session_type)) {
		PyErr_SetString(PyExc_TypeError, "this is no session");
		return NULL;
	}
	adapt = ((struct session *)value)->adapt;
	if (adapt)
		return PyObject_GetAttrString(adapt, "__self__");
	PyErr_SetString(PyExc_ValueError, "the session has no heap");
	return NULL;
}

/* forked(session): in a child, where threads that were using it are no more. */
static PyObject *forked(PyObject *module, PyObject *value)
{
	(void)module;
	if (!PyObject_TypeCheck(value, session_type)) {
		PyErr_SetString(PyExc_TypeError, "this is no session");
		return NULL;
	}
	session_forked((struct session *)value);
	transaction_forked((struct session *)value);
	Py_RETURN_NONE;
}

/* call(function, *args): what it raises is for sys.unraisablehook. */
static PyObject *call(PyObject *module, PyObject *args)
{
	PyObject *function, *rest, *result;

	(void)module;
	if (!PyTuple_Size(args)) {
		PyErr_SetString(PyExc_TypeError, "there is no function");
		return NULL;
	}
	function = PyTuple_GetItem(args, 0);
	rest = PyTuple_GetSlice(args, 1, PyTuple_Size(args));
	if (!rest)
		return NULL;
	result = PyObject_CallObject(function, rest);
	if (!result)
		PyErr_WriteUnraisable(function);
	Py_XDECREF(result);
	Py_DECREF(rest);
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{ "call", call, METH_VARARGS, NULL },
	{ "forked", forked, METH_O, NULL },
	{ "heap_of", heap_of, METH_O, NULL },
	{ "read_events", read_events, METH_O, NULL },
	{ "watch_scans", watch_scans, METH_O, NULL },
	{}
};

int notice_init(PyObject *module)
{
	if (PyModule_AddIntConstant(module, "EVENT_DEATH",
				    REFSTORE_EVENT_DEATH) ||
	    PyModule_AddIntConstant(module, "EVENT_SCAN_BEGIN",
				    REFSTORE_EVENT_SCAN_BEGIN))
		return -1;
	return PyModule_AddFunctions(module, functions);
}
