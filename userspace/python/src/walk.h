/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a heap contains.
 */
#ifndef REFSTORE_PYTHON_WALK_H
#define REFSTORE_PYTHON_WALK_H

#include "session.h"

int walk_init(PyObject *module);

#endif /* REFSTORE_PYTHON_WALK_H */
