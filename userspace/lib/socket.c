// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Descriptors, from process to process.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int refstore_send_fd(int socket, int fd)
{
	char byte = 'r';
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union control control = {
		.header = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret;

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	do {
		ret = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/*
 * The descriptors of a message: the number of them, at most two, as the room
 * is padded to hold a second one where words are long.
 */
static size_t take_fds(struct msghdr *message, int fds[2])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t bytes;

	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return 0;
	bytes = header->cmsg_len - CMSG_LEN(0);
	if (bytes > 2 * sizeof(int))
		bytes = 2 * sizeof(int);
	memcpy(fds, CMSG_DATA(header), bytes);
	return bytes / sizeof(int);
}

int refstore_recv_fd(int socket)
{
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union control control;
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[2];
	size_t count;
	ssize_t ret;

	do {
		ret = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	count = take_fds(&message, fds);
	if (count == 1 && !(message.msg_flags & MSG_CTRUNC))
		return fds[0];
	while (count)
		close(fds[--count]);
	return ret ? -EBADMSG : -ECONNRESET;
}
