/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values out of leaves.
 */
#ifndef REFSTORE_PYTHON_TAKE_H
#define REFSTORE_PYTHON_TAKE_H

#include "view.h"

PyObject *take_value(struct view *view, struct path *path,
		     struct reader reader);

#endif /* REFSTORE_PYTHON_TAKE_H */
