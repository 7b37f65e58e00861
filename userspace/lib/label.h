/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Labels, as the kernel takes them.
 */
#ifndef LIBREFSTORE_LABEL_H
#define LIBREFSTORE_LABEL_H

#include "session.h"

/* What REFSTORE_LABEL takes: 0, or -EINVAL if the label is too long. */
int refstore_label_init(struct refstore_label *args, unsigned int what,
			uint64_t object, const char *label);

#endif /* LIBREFSTORE_LABEL_H */
