/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large values.
 */
#ifndef LIBREFSTORE_LARGE_H
#define LIBREFSTORE_LARGE_H

#include "session.h"

/*
 * Lets nobody write a large value's memfd any more, so that the value can be
 * sealed. -EBUSY if somebody may be writing it.
 */
int refstore_seal_memfd(struct refstore *store, uint64_t object);

#endif /* LIBREFSTORE_LARGE_H */
