/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions: changes of several containers that others see at one moment.
 *
 * A thread that is in a transaction has a shadow of each container that it looks at: an
 * object of its own, whose slots refer to what the container's did then. Whatever reads
 * or changes a container asks transaction_holder() where its slots are, and so does it
 * with the shadow. When the transaction ends, one command of the kernel lets the
 * containers have what the shadows have, if all slots that were looked at refer to what
 * they did; else nothing was done, and all begins anew. So what a transaction has read
 * is what there was when it ended.
 *
 * Containers that were made in the transaction are nobody else's yet, and need none.
 */
#ifndef REFSTORE_PYTHON_TRANSACTION_H
#define REFSTORE_PYTHON_TRANSACTION_H

#include "session.h"

#define SHADOW_SLOTS	65	/* more than containers have */

/**
 * struct shadow - what a thread sees of a container
 * @container: a reference
 * @handle: of the shadow
 * @nr: its slots, the first ones of the container
 * @seen: ids of what these referred to
 * @touched: which of them the transaction has looked at
 * @wide: see &struct map
 */
struct shadow {
	struct object *container;
	uint64_t handle;
	uint32_t nr;
	uint64_t seen[SHADOW_SLOTS];
	bool touched[SHADOW_SLOTS];
	bool wide;
};

struct transaction;

int transaction_holder(struct object *container, uint32_t first, uint32_t nr,
		       uint64_t *holder);
struct shadow *transaction_shadow(const struct object *container);
uint64_t transaction_serial(const struct session *session);
void transaction_forked(struct session *session);

int transaction_init(PyObject *module);

#endif /* REFSTORE_PYTHON_TRANSACTION_H */
