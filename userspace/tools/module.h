/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files that are there as long as the module is.
 */
#ifndef REFSTORE_MODULE_H
#define REFSTORE_MODULE_H

/* Says on stderr why a file could not be opened, and what may help. */
void module_warn(const char *path, int error);

#endif /* REFSTORE_MODULE_H */
