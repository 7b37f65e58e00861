/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps without values: many keys that go, or come and go, at once.
 */
#ifndef REFSTORE_PYTHON_SET_H
#define REFSTORE_PYTHON_SET_H

#include "python.h"

int set_init(PyObject *module);

#endif /* REFSTORE_PYTHON_SET_H */
