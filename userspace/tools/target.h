/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The heap that a command works on.
 */
#ifndef REFSTORE_TARGET_H
#define REFSTORE_TARGET_H

#include <refstore.h>

#include "command.h"

/* Where a program finds the descriptor of a session that it inherited. */
#define TARGET_VARIABLE "REFSTORE_FD"

/* Whether the arguments, or the environment, name a heap. */
bool target_is_named(const struct arguments *arguments);

/**
 * target_open() - a session on the heap that the arguments name, to look at it
 * @arguments: the options --heap, --fd, --pid and --session-fd
 * @store: out: a fresh session, which holds nothing
 *
 * By --heap, it has the rights of who may read the file.
 * Return: 0, or -1 after it has said on stderr what was wrong.
 */
int target_open(const struct arguments *arguments, struct refstore **store);

/*
 * The same, to change it: by --heap, for who may read and write the file. Other
 * sessions have the rights that they have, with both.
 */
int target_open_writable(const struct arguments *arguments,
			 struct refstore **store);

#endif /* REFSTORE_TARGET_H */
