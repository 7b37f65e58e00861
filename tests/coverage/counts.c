// SPDX-License-Identifier: GPL-2.0-only
/*
 * In User Mode Linux, libgcov is to write down what was run when the program ends. Its
 * own end is in a section of a name (.fini_array.00100) that the kernel's linker script
 * does not know.
 */
#include <linux/init.h>

/* Of libgcov and of the C library. */
void __gcov_exit(void);
int atexit(void (*function)(void));

static int __init rs_counts_init(void)
{
	return atexit(__gcov_exit);
}
late_initcall(rs_counts_init);
