/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits in words.
 */
#ifndef REFSTORE_TOOLS_LIMIT_H
#define REFSTORE_TOOLS_LIMIT_H

#include <refstore.h>

/*
 * What an error of a call on @store means; of -EDQUOT, which limit it was, and
 * whose. Valid until the next call.
 */
const char *limit_describe(struct refstore *store, int error);

#endif /* REFSTORE_TOOLS_LIMIT_H */
