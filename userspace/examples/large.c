// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A large value goes from a producer to a consumer, over a UNIX socket: nothing of
 * it is copied, and the consumer can do nothing but read it. It prints:
 *
 *	the consumer has 1000000 bytes, which sum up to 127493856
 *	it may not make objects: Permission denied
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <refstore.h>

#include "must.h"

#define LENGTH 1000000

static void fill(int fd)
{
	unsigned char *bytes = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, 0);
	size_t i;

	if (bytes == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < LENGTH; i++)
		bytes[i] = (unsigned char)i;
	/* It can be sealed only when nobody has it mapped for writing. */
	munmap(bytes, LENGTH);
	close(fd);
}

static void produce(int socket)
{
	struct refstore *store;
	uint64_t value;
	int fd;

	must("open", refstore_open(&store));
	must("make", refstore_large_new(store, REFSTORE_TYPE_BYTES, LENGTH,
					&value, &fd));
	fill(fd);
	must("seal", refstore_seal(store, value, REFSTORE_SEAL_DATA));
	/* A descriptor that stands for the value, and gives no right at all. */
	fd = (int)must("export", refstore_export(store, value, 0));
	must("send", refstore_send_fd(socket, fd));
	close(fd);
	/* What is on its way, or has arrived, keeps the value. */
	refstore_close(store);
}

static void print_sum(int fd, size_t length)
{
	const unsigned char *bytes = mmap(NULL, length, PROT_READ, MAP_SHARED,
					  fd, 0);
	uint64_t sum = 0;
	size_t i;

	if (bytes == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < length; i++)
		sum += bytes[i];
	printf("the consumer has %zu bytes, which sum up to %" PRIu64 "\n",
	       length, sum);
}

static void consume(int socket)
{
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_NONE };
	int fd = (int)must("receive", refstore_recv_fd(socket));
	struct refstore *store;
	uint64_t value, own;
	size_t length;

	must("open", refstore_open_export(fd, &store, &value));
	close(fd);
	fd = (int)must("map", refstore_map(store, value, 0, &length));
	print_sum(fd, length);
	close(fd);
	printf("it may not make objects: %s\n",
	       strerror(-refstore_create(store, &spec, &own, NULL)));
	refstore_close(store);
}

int main(void)
{
	int sockets[2], status;
	pid_t consumer;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		err(1, "socketpair");
	consumer = fork();
	if (consumer < 0)
		err(1, "fork");
	close(sockets[!consumer]);
	if (!consumer) {
		consume(sockets[0]);
		return 0;
	}
	produce(sockets[1]);
	if (waitpid(consumer, &status, 0) < 0)
		err(1, "waitpid");
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
