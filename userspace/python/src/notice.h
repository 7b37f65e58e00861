/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel tells a session.
 */
#ifndef REFSTORE_PYTHON_NOTICE_H
#define REFSTORE_PYTHON_NOTICE_H

#include "session.h"

int notice_init(PyObject *module);

#endif /* REFSTORE_PYTHON_NOTICE_H */
