// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "gc.h"

/* For "O&": an open session. */
static int take_session(PyObject *value, void *result)
{
	struct session **session = result;

	if (!PyObject_TypeCheck(value, session_type)) {
		PyErr_SetString(PyExc_TypeError, "this is no session");
		return 0;
	}
	*session = (struct session *)value;
	return !session_check(*session);
}

static PyObject *nothing(int ret)
{
	if (ret)
		return error_set(ret);
	Py_RETURN_NONE;
}

/*
 * After a call that a signal may have ended: 1 to call again, 0, or -1 with an exception.
 * The signal's handler may have closed the session.
 */
static int interrupted(struct session *session, int ret)
{
	if (ret != -EINTR)
		return 0;
	return PyErr_CheckSignals() || session_check(session) ? -1 : 1;
}

/* collect(session, generation): how many objects were freed, and how many saved. */
static PyObject *gc_collect(PyObject *module, PyObject *args)
{
	struct refstore_collect result;
	struct session *session;
	unsigned int generation;
	int ret, again;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&I:collect", take_session, &session,
			      &generation))
		return NULL;
	do {
		struct refstore *store = session->store;

		session->calls++;
		Py_BEGIN_ALLOW_THREADS
		ret = refstore_collect(store, generation, &result);
		Py_END_ALLOW_THREADS
		session->calls--;
		again = interrupted(session, ret);
	} while (again > 0);
	if (again)
		return NULL;
	return ret ? error_set(ret) :
		     Py_BuildValue("KK", result.reclaimed, result.saved);
}

/* Settings that are set, if there is a second argument, and told. */
static int run_tune(PyObject *args, uint32_t flag, struct refstore_tune *tune)
{
	struct session *session;
	int set = -1, ret;

	if (!PyArg_ParseTuple(args, "O&|p", take_session, &session, &set))
		return -1;
	if (set >= 0)
		tune->flags = flag;
	tune->automatic = set > 0;
	tune->save = set > 0;
	ret = refstore_gc_tune(session->store, tune);
	if (ret)
		error_set(ret);
	return ret;
}

/* automatic(session[, set]): whether scans run by themselves. */
static PyObject *gc_automatic(PyObject *module, PyObject *args)
{
	struct refstore_tune tune = {};

	(void)module;
	return run_tune(args, REFSTORE_TUNE_AUTOMATIC, &tune) ?
	       NULL : PyBool_FromLong(tune.automatic);
}

/* save_all(session[, set]): whether what scans find is kept. */
static PyObject *gc_save_all(PyObject *module, PyObject *args)
{
	struct refstore_tune tune = {};

	(void)module;
	return run_tune(args, REFSTORE_TUNE_SAVE, &tune) ?
	       NULL : PyBool_FromLong(tune.save);
}

/* threshold(session): three numbers. */
static PyObject *gc_threshold(PyObject *module, PyObject *args)
{
	uint32_t threshold[REFSTORE_GENERATIONS];
	struct session *session;
	int ret;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&:threshold", take_session, &session))
		return NULL;
	ret = refstore_gc_get_threshold(session->store, threshold);
	return ret ? error_set(ret) :
		     Py_BuildValue("III", threshold[0], threshold[1],
				   threshold[2]);
}

/* For "O&": a number of 32 bits. */
static int take_number(PyObject *value, void *result)
{
	unsigned long number = PyLong_AsUnsignedLong(value);

	if (PyErr_Occurred())
		return 0;
	*(uint32_t *)result = (uint32_t)number;
	if (number == (uint32_t)number)
		return 1;
	PyErr_SetString(PyExc_OverflowError, "a threshold has 32 bits");
	return 0;
}

static PyObject *gc_set_threshold(PyObject *module, PyObject *args)
{
	uint32_t threshold[REFSTORE_GENERATIONS];
	struct session *session;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&O&O&O&:set_threshold", take_session,
			      &session, take_number, &threshold[0], take_number,
			      &threshold[1], take_number, &threshold[2]))
		return NULL;
	return nothing(refstore_gc_set_threshold(session->store, threshold));
}

/* stats(session, generation): a dict of what struct refstore_generation has. */
static PyObject *gc_stats(PyObject *module, PyObject *args)
{
	struct refstore_generation stats;
	struct session *session;
	unsigned int generation;
	int ret;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&I:stats", take_session, &session,
			      &generation))
		return NULL;
	ret = refstore_gc_stats(session->store, generation, &stats);
	if (ret)
		return error_set(ret);
	return Py_BuildValue("{sKsKsKsKsKsKsKsK}", "count", stats.count,
			     "scans", stats.scans, "visited", stats.visited,
			     "reclaimed", stats.reclaimed, "bytes", stats.bytes,
			     "saved", stats.saved, "aborted", stats.aborted,
			     "nanoseconds", stats.nanoseconds);
}

/* A call that takes its time, with a number as its result. */
static PyObject *run_count(PyObject *args,
			   int (*call)(struct refstore *store, uint64_t *nr))
{
	struct session *session;
	uint64_t nr;
	int ret, again;

	if (!PyArg_ParseTuple(args, "O&", take_session, &session))
		return NULL;
	do {
		struct refstore *store = session->store;

		session->calls++;
		Py_BEGIN_ALLOW_THREADS
		ret = call(store, &nr);
		Py_END_ALLOW_THREADS
		session->calls--;
		again = interrupted(session, ret);
	} while (again > 0);
	if (again)
		return NULL;
	return ret ? error_set(ret) : PyLong_FromUnsignedLongLong(nr);
}

static PyObject *gc_freeze(PyObject *module, PyObject *args)
{
	(void)module;
	return run_count(args, refstore_gc_freeze);
}

static PyObject *gc_unfreeze(PyObject *module, PyObject *args)
{
	(void)module;
	return run_count(args, refstore_gc_unfreeze);
}

static PyObject *gc_freeze_count(PyObject *module, PyObject *args)
{
	(void)module;
	return run_count(args, refstore_gc_freeze_count);
}

/* drop_garbage(session): how many objects the heap let go that it had saved. */
static PyObject *gc_drop_garbage(PyObject *module, PyObject *args)
{
	(void)module;
	return run_count(args, refstore_gc_drop_garbage);
}

/* is_tracked(object): whether it is no leaf. */
static PyObject *gc_is_tracked(PyObject *module, PyObject *value)
{
	struct object *object = (struct object *)value;
	int ret;

	(void)module;
	if (!PyObject_TypeCheck(value, object_type))
		Py_RETURN_FALSE;
	if (object_check(object))
		return NULL;
	ret = refstore_gc_is_tracked(object->session->store, object->handle);
	return ret < 0 ? error_set(ret) : PyBool_FromLong(ret);
}

static PyMethodDef functions[] = {
	{ "gc_automatic", gc_automatic, METH_VARARGS, NULL },
	{ "gc_collect", gc_collect, METH_VARARGS, NULL },
	{ "gc_drop_garbage", gc_drop_garbage, METH_VARARGS, NULL },
	{ "gc_freeze", gc_freeze, METH_VARARGS, NULL },
	{ "gc_freeze_count", gc_freeze_count, METH_VARARGS, NULL },
	{ "gc_is_tracked", gc_is_tracked, METH_O, NULL },
	{ "gc_save_all", gc_save_all, METH_VARARGS, NULL },
	{ "gc_set_threshold", gc_set_threshold, METH_VARARGS, NULL },
	{ "gc_stats", gc_stats, METH_VARARGS, NULL },
	{ "gc_threshold", gc_threshold, METH_VARARGS, NULL },
	{ "gc_unfreeze", gc_unfreeze, METH_VARARGS, NULL },
	{}
};

int gc_init(PyObject *module)
{
	return PyModule_AddFunctions(module, functions);
}
