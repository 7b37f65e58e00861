/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Monitors: a page that processes share, with a lock, some numbers, and places for who
 * waits to be told something. Locks, conditions and the like are made of them.
 *
 * The lock, and each place, is a robust futex that the process owns, see keeper.h: when
 * a process ends, what it has locked is free, and nobody tells it anything any more.
 *
 * Others can write the page as they like. What this process does because of that is to
 * wait for ever, not to wait, or to read other numbers; no address and no length is ever
 * taken from there.
 */
#ifndef REFSTORE_PYTHON_MONITOR_H
#define REFSTORE_PYTHON_MONITOR_H

#include "keeper.h"
#include "session.h"

int monitor_init(PyObject *module);

#endif /* REFSTORE_PYTHON_MONITOR_H */
