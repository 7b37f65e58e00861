/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large values: bytes that processes map instead of copying them.
 *
 * A Large is one that is written in place, as long as it is not sealed; buffers are
 * made of them. Strings and bytes that are too long for an object's own data are large
 * values as well, sealed before anybody else has to do with them.
 */
#ifndef REFSTORE_PYTHON_LARGE_H
#define REFSTORE_PYTHON_LARGE_H

#include "session.h"

int large_create_sealed(struct session *session, uint32_t type,
			const Py_buffer *data, uint64_t *handle, uint64_t *id);

int large_init(PyObject *module);

#endif /* REFSTORE_PYTHON_LARGE_H */
