/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has a memfd.
 */
#ifndef REFSTORE_MEMFD_H
#define REFSTORE_MEMFD_H

#include <stdint.h>

/**
 * memfd_print_users() - print which processes have a memfd
 * @inode: the number of its inode
 *
 * Two arrays: "descriptors", and "mappings". This process is none of them. Those
 * that may not be looked into, or end meanwhile, are left out.
 * Return: 0 or a negative errno.
 */
int memfd_print_users(uint64_t inode);

#endif /* REFSTORE_MEMFD_H */
