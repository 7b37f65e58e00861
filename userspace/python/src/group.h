/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups: what consists of other objects, for good, as a condition of a lock and those
 * who wait. A group's slots are sealed.
 */
#ifndef REFSTORE_PYTHON_GROUP_H
#define REFSTORE_PYTHON_GROUP_H

#include "session.h"

int group_init(PyObject *module);

#endif /* REFSTORE_PYTHON_GROUP_H */
