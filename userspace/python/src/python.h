/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Python, by its stable interface alone: one file for 3.11 and all that come later.
 */
#ifndef REFSTORE_PYTHON_PYTHON_H
#define REFSTORE_PYTHON_PYTHON_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#endif /* REFSTORE_PYTHON_PYTHON_H */
