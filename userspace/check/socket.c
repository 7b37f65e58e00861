// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors over sockets: one arrives, and nothing else is taken.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"

int kernel(int fd, unsigned long command, void *args)
{
	(void)fd;
	(void)command;
	(void)args;
	return -ENOTTY;
}

/* Sends @count times standard input. */
static void send_fds(int socket, size_t count)
{
	char byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
	};

	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memset(CMSG_DATA(&control.header), 0, count * sizeof(int));
	}
	CHECK(sendmsg(socket, &message, 0) == 1);
}

static void check_type(int type)
{
	int sockets[2], first, fd;
	struct stat sent, received;

	CHECK(!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets));
	CHECK(!refstore_send_fd(sockets[0], STDIN_FILENO));
	fd = refstore_recv_fd(sockets[1]);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(!fstat(fd, &received) && !fstat(STDIN_FILENO, &sent));
	CHECK(received.st_ino == sent.st_ino);
	close(fd);
	first = fd;

	for (fd = 0; fd <= 3; fd++) {
		send_fds(sockets[0], (size_t)fd);
		if (fd != 1)
			CHECK(refstore_recv_fd(sockets[1]) == -EBADMSG);
		else
			close(refstore_recv_fd(sockets[1]));
	}
	CHECK(recv(sockets[1], &fd, 1, MSG_DONTWAIT) < 0);
	/* Nothing was left open. */
	CHECK(fcntl(first, F_GETFD) < 0 && fcntl(first + 1, F_GETFD) < 0);
	CHECK(refstore_send_fd(sockets[0], 1000) == -EBADF);
	close(sockets[0]);
	if (type == SOCK_STREAM || type == SOCK_SEQPACKET) {
		CHECK(refstore_recv_fd(sockets[1]) == -ECONNRESET);
		CHECK(refstore_send_fd(sockets[1], 0) == -EPIPE);
	}
	close(sockets[1]);
}

int main(void)
{
	struct refstore *store;

	check_type(SOCK_STREAM);
	check_type(SOCK_SEQPACKET);
	check_type(SOCK_DGRAM);
	CHECK(refstore_open_fd(0, &store) == -ENOTTY);
	CHECK(refstore_open_path("/nowhere", &store) == -ENOENT);
	CHECK(refstore_open_path("/dev/null", &store) == -ENOTTY);
	return 0;
}
