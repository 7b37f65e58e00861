/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exceptions.
 */
#ifndef REFSTORE_PYTHON_ERROR_H
#define REFSTORE_PYTHON_ERROR_H

#include "python.h"

extern PyObject *error_base;	/* refstore.Error, an OSError */
extern PyObject *error_limit;	/* refstore.LimitError: EDQUOT */
extern PyObject *error_corrupt;	/* refstore.CorruptError: what only others can write */

int error_init(PyObject *module);
PyObject *error_set(int error);
PyObject *error_set_os(PyObject *type, int error, const char *why,
		       const char *path);
PyObject *error_set_corrupt(const char *what);

#endif /* REFSTORE_PYTHON_ERROR_H */
