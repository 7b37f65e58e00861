/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The selftests' wrappers want a harness, which can be in one file of a program
 * only, and this program has no use for. What they need of it is here.
 */
#ifndef TORTURE_HARNESS_H
#define TORTURE_HARNESS_H

#include <linux/types.h>

#include <kselftest.h>

#endif /* TORTURE_HARNESS_H */
