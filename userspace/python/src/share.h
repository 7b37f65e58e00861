/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Methods of sessions that hand objects, and sessions, to other processes.
 */
#ifndef REFSTORE_PYTHON_SHARE_H
#define REFSTORE_PYTHON_SHARE_H

#include "session.h"

int share_open(int fd, struct refstore **store);

PyObject *share_export(PyObject *self, PyObject *object);
PyObject *share_import(PyObject *self, PyObject *fd);
PyObject *share_mint(PyObject *self, PyObject *unused);
PyObject *share_heap(PyObject *self, PyObject *unused);
PyObject *share_rights(PyObject *self, PyObject *unused);

PyObject *share_reduce(PyObject *object, PyObject *unused);

#endif /* REFSTORE_PYTHON_SHARE_H */
