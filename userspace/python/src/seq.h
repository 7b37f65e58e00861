/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sequences: what lists are made of.
 */
#ifndef REFSTORE_PYTHON_SEQ_H
#define REFSTORE_PYTHON_SEQ_H

#include "view.h"

PyObject *seq_take_value(struct view *view, struct path *path);
uint64_t seq_length_of(const struct view *view);
int seq_check_count(const struct view *view, uint64_t count);
bool seq_path_ends(const struct path *path);
int seq_open_pinned(struct view *view, struct object *seq);

int seq_init(PyObject *module);
int seq_iter_init(PyObject *module);
PyObject *seq_iter_new(struct object *seq);

#endif /* REFSTORE_PYTHON_SEQ_H */
