// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Large values: leaves whose data is a memfd.
 */
/* Of more than 2 GiB, too, where a long has 32 bits. */
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "large.h"

/* Linux has it since 6.3, glibc since 2.38. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

int refstore_adopt(struct refstore *store, int fd, uint32_t type,
		   uint64_t *handle, uint64_t *id)
{
	struct refstore_adopt args = {
		.size = sizeof(args),
		.fd = fd,
		.type = type,
	};
	int ret = refstore_call(store, REFSTORE_ADOPT, &args);

	if (ret)
		return ret;
	*handle = args.result;
	if (id)
		*id = args.id;
	return 0;
}

int refstore_map(struct refstore *store, uint64_t object, unsigned int flags,
		 size_t *length)
{
	struct refstore_map args = {
		.size = sizeof(args),
		.flags = flags,
		.object = object,
		.fd = -1,
	};
	int ret = refstore_call(store, REFSTORE_MAP, &args);

	if (ret)
		return ret;
	if (length && (size_t)args.length != args.length) {
		close(args.fd);
		return -EOVERFLOW;
	}
	if (length)
		*length = (size_t)args.length;
	return args.fd;
}

/* Data is not to be executed: that is sealed, too, where the kernel can. */
static int memfd_new(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("refstore", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("refstore", flags);
	return fd < 0 ? -errno : fd;
}

static int set_length(int fd, size_t length)
{
	if (ftruncate(fd, (off_t)length) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return 0;
}

int refstore_large_new(struct refstore *store, uint32_t type, size_t length,
		       uint64_t *handle, int *result)
{
	int fd = memfd_new(), ret;

	if (fd < 0)
		return fd;
	ret = set_length(fd, length);
	if (!ret)
		ret = refstore_adopt(store, fd, type, handle, NULL);
	if (ret)
		close(fd);
	else
		*result = fd;
	return ret;
}

int refstore_seal_memfd(struct refstore *store, uint64_t object)
{
	int fd = refstore_map(store, object, REFSTORE_MAP_WRITE, NULL);
	int ret = 0;

	/* Somebody else has sealed the value meanwhile. */
	if (fd == -EPERM)
		return 0;
	if (fd < 0)
		return fd;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		ret = -errno;
	close(fd);
	return ret;
}
