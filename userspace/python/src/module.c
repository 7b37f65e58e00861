// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * refstore._store: what the classes of the package are made of. It is theirs alone, and
 * changes with them.
 */
#include "error.h"
#include "gc.h"
#include "group.h"
#include "large.h"
#include "map.h"
#include "monitor.h"
#include "notice.h"
#include "seq.h"
#include "set.h"
#include "transaction.h"
#include "walk.h"
#include "weak.h"

static int add_constants(PyObject *module)
{
	static const struct {
		const char *name;
		long value;
	} constants[] = {
		{ "KIND_DICT", KIND_DICT },
		{ "KIND_SET", KIND_SET },
		{ "KIND_LIST", KIND_LIST },
		{ "KIND_BUFFER", KIND_BUFFER },
		{ "RIGHTS", REFSTORE_RIGHTS },
		{ "RIGHTS_READ", REFSTORE_RIGHTS_READ },
		{ "TYPE_STR", REFSTORE_TYPE_STR },
		{ "TYPE_BYTES", REFSTORE_TYPE_BYTES },
		{}
	};
	int i;

	for (i = 0; constants[i].name; i++)
		if (PyModule_AddIntConstant(module, constants[i].name,
					    constants[i].value))
			return -1;
	return 0;
}

/* Types are there once: for one interpreter, and for as long as the process lives. */
static int init(PyObject *module)
{
	static bool begun;

	if (begun) {
		PyErr_SetString(PyExc_ImportError, "refstore is imported once in a process");
		return -1;
	}
	begun = true;
	if (error_init(module) || session_init(module) || object_init(module) ||
	    map_init(module) || map_iter_init(module) || set_init(module) ||
	    seq_init(module) || seq_iter_init(module) || large_init(module) ||
	    monitor_init(module) || group_init(module) ||
	    transaction_init(module) || weak_init(module) ||
	    notice_init(module) || gc_init(module) || walk_init(module))
		return -1;
	return add_constants(module);
}

static PyModuleDef_Slot slots[] = {
	{ Py_mod_exec, init },
	{}
};

static PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "refstore._store",
	.m_slots = slots,
};

PyMODINIT_FUNC PyInit__store(void)
{
	return PyModuleDef_Init(&definition);
}
