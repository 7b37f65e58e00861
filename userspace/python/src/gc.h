/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cycle scanner: what refstore.gc is made of.
 */
#ifndef REFSTORE_PYTHON_GC_H
#define REFSTORE_PYTHON_GC_H

#include "session.h"

int gc_init(PyObject *module);

#endif /* REFSTORE_PYTHON_GC_H */
