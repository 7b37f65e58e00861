/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks that play the kernel: the linker sends all ioctl() here.
 */
#ifndef REFSTORE_CHECK_KERNEL_H
#define REFSTORE_CHECK_KERNEL_H

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <refstore.h>

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			errx(1, "%s:%d: " #condition, __FILE__, __LINE__); \
	} while (0)

/* What the check does in the kernel's place: 0 or a negative errno. */
int kernel(int fd, unsigned long command, void *args);

int __wrap_ioctl(int fd, unsigned long command, ...);

int __wrap_ioctl(int fd, unsigned long command, ...)
{
	va_list rest;
	int ret;

	va_start(rest, command);
	ret = kernel(fd, command, va_arg(rest, void *));
	va_end(rest);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

/* A session: the file is a stranger, but it can be told from others. */
static inline int new_session_fd(void)
{
	int fd = memfd_create("session", MFD_CLOEXEC);

	if (fd < 0)
		err(2, "memfd_create");
	return fd;
}

#endif /* REFSTORE_CHECK_KERNEL_H */
