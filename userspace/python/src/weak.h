/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Weak handles: what refstore.weakref is made of.
 */
#ifndef REFSTORE_PYTHON_WEAK_H
#define REFSTORE_PYTHON_WEAK_H

#include "session.h"

int weak_init(PyObject *module);

#endif /* REFSTORE_PYTHON_WEAK_H */
