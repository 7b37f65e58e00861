/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that refstore builds for (6.1 to 6.12).
 * Nothing outside this file looks at a kernel version.
 */
#ifndef RS_COMPAT_H
#define RS_COMPAT_H

#include <linux/version.h>
#include <linux/fs.h>

/* no_llseek became the default for a missing llseek, and went, in 6.12 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define RS_NO_LLSEEK .llseek = no_llseek,
#else
#define RS_NO_LLSEEK
#endif

/* Came with 6.9, and to some earlier ones */
#ifndef __uninitialized
#define __uninitialized
#endif

#endif /* RS_COMPAT_H */
