// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to hand a value of a mebibyte over, in instructions of the whole
 * guest, which counts them as time: to make it, fill it, let another process have
 * it, read all of it there, and let it go. Once as a large value of the store, once
 * as a bare memfd whose descriptor is sent; and the same sealed, as whoever reads
 * what another one made would want it. Then what a shared gibibyte costs in page
 * tables, for each process that has it mapped.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "store.h"

#define ROUNDS	21
#define RUNS	4	/* in a round */
#define VALUE	(1UL << 20)
#define GIGABYTE (1UL << 30)
#define PROCESSES 4	/* that map the gibibyte */
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* One end is the producer's, the other the consumer's. */
static int sockets[2];

/* --- What is measured besides ------------------------------------------ */

/* A value of a file of lines "NAME: VALUE" or "NAME VALUE". */
static unsigned long value_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	unsigned long value = 0, found = 0;
	char line[256], word[64];

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^: ]%*[: \t]%lu", word, &value) == 2 &&
		    !strcmp(word, name))
			found = value;
	fclose(file);
	return found;
}

/* Each processor has some that it has not told of yet. */
static unsigned long shared_pages(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	must(fd, "stat_refresh");
	must(write(fd, "1", 1), "stat_refresh");
	close(fd);
	return value_in("/proc/vmstat", "nr_shmem");
}

/* --- The two processes ------------------------------------------------- */

static void *map(int fd, size_t length, int protection)
{
	void *start = mmap(NULL, length, protection, MAP_SHARED, fd, 0);

	if (start == MAP_FAILED)
		err(1, "mmap");
	return start;
}

static void fill(int fd, size_t length)
{
	void *start = map(fd, length, PROT_READ | PROT_WRITE);

	memset(start, 1, length);
	munmap(start, length);
}

/* Each word is looked at. */
static void read_all(int fd, size_t length)
{
	const uint64_t *word = map(fd, length, PROT_READ);
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < length / sizeof(*word); i++)
		sum += word[i];
	munmap((void *)word, length);
	if (sum != length / sizeof(*word) * 0x0101010101010101ULL)
		errx(1, "what was written is not what is read");
}

static int make(size_t length)
{
	int fd = memfd_create("refstore_bench", MFD_CLOEXEC |
						MFD_ALLOW_SEALING);

	must(fd, "memfd_create");
	must(ftruncate(fd, length), "ftruncate");
	fill(fd, length);
	return fd;
}

/* A byte, and a descriptor if there is one. */
static void send_value(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 1;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	must(sendmsg(sockets[0], &message, 0), "sendmsg");
}

/* False at the end. */
static int receive_value(int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	if (recvmsg(sockets[1], &message, 0) != 1)
		return 0;
	header = CMSG_FIRSTHDR(&message);
	*fd = -1;
	if (header)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return 1;
}

/* What the slot of @parent refers to, as a descriptor. */
static int map_value(__u64 object)
{
	struct refstore_map map = { .size = sizeof(map), .object = object };

	call(REFSTORE_MAP, &map);
	return map.fd;
}

/* By whatever way it came: by a descriptor, or by the slot. */
static void consume(int fd)
{
	__u64 object = fd < 0 ? get_slot() : 0;

	if (object) {
		fd = map_value(object);
		release(object);
	}
	read_all(fd, VALUE);
	close(fd);
}

/* A session of its own, in which handles have the same numbers. */
static int clone_session(void)
{
	struct refstore_session_new clone = {
		.size = sizeof(clone),
		.flags = REFSTORE_SESSION_CLONE,
	};

	call(REFSTORE_SESSION_NEW, &clone);
	return clone.fd;
}

static void be_consumer(int session)
{
	char byte = 1;
	int fd;

	close(store);
	store = session;
	close(sockets[0]);
	while (receive_value(&fd)) {
		consume(fd);
		must(write(sockets[1], &byte, 1), "write");
	}
	_exit(0);
}

static void await_consumer(void)
{
	char byte;

	if (read(sockets[0], &byte, 1) != 1)
		errx(1, "the consumer is gone");
}

/* --- The ways ---------------------------------------------------------- */

static void hand_over_memfd(int seals)
{
	int fd = make(VALUE);

	if (seals)
		must(fcntl(fd, F_ADD_SEALS, seals), "F_ADD_SEALS");
	send_value(fd);
	close(fd);
	await_consumer();
}

static void bare(void)
{
	hand_over_memfd(0);
}

static void sealed(void)
{
	hand_over_memfd(SEALS);
}

static __u64 adopt(int fd)
{
	struct refstore_adopt adopt = {
		.size = sizeof(adopt),
		.fd = fd,
		.type = REFSTORE_TYPE_BYTES,
	};

	call(REFSTORE_ADOPT, &adopt);
	return adopt.result;
}

static void hand_over_large(int seals)
{
	int fd = make(VALUE);
	__u64 object;

	must(fcntl(fd, F_ADD_SEALS, seals), "F_ADD_SEALS");
	object = adopt(fd);
	close(fd);
	link_slot(parent, 0, object);
	release(object);
	send_value(-1);
	await_consumer();
	link_slot(parent, 0, 0);
}

static void large(void)
{
	hand_over_large(SEALS);
}

static void large_unsealed(void)
{
	hand_over_large(SEALS & ~F_SEAL_WRITE);
}

static double round_of(void (*run)(void))
{
	uint64_t start = now();
	int i;

	for (i = 0; i < RUNS; i++)
		run();
	return (double)(now() - start) / RUNS;
}

static double measure(const char *name, void (*run)(void))
{
	double values[ROUNDS];
	int i;

	round_of(run);
	for (i = 0; i < ROUNDS; i++)
		values[i] = round_of(run);
	printf("%s %.1f\n", name, median(values, ROUNDS));
	fflush(stdout);
	return median(values, ROUNDS);
}

/* --- A gibibyte -------------------------------------------------------- */

/* Pages that there are of a value which two processes have mapped. */
static void count_pages(void)
{
	unsigned long before = shared_pages();
	int fd = make(VALUE), again;
	void *here, *there;
	__u64 object;

	must(fcntl(fd, F_ADD_SEALS, SEALS), "F_ADD_SEALS");
	object = adopt(fd);
	again = map_value(object);
	here = map(fd, VALUE, PROT_READ);
	there = map(again, VALUE, PROT_READ);
	if (memcmp(here, there, VALUE))
		errx(1, "two maps of a value differ");
	printf("large_pages %lu\n", shared_pages() - before);
	munmap(here, VALUE);
	munmap(there, VALUE);
	close(fd);
	close(again);
	release(object);
}

/* Maps all of it, looks at all of it, and tells what that took. */
static void be_reader(int fd, int out)
{
	unsigned long before, after;
	const char *start = map(fd, GIGABYTE, PROT_READ);
	volatile char byte;
	size_t at;

	before = value_in("/proc/self/status", "VmPTE");
	for (at = 0; at < GIGABYTE; at += 4096)
		byte = start[at];
	(void)byte;
	after = value_in("/proc/self/status", "VmPTE") - before;
	must(write(out, &after, sizeof(after)), "write");
	_exit(0);
}

static unsigned long page_tables(int fd)
{
	unsigned long sum = 0, one;
	int i, pipes[2];

	must(pipe(pipes), "pipe");
	for (i = 0; i < PROCESSES; i++)
		if (!fork())
			be_reader(fd, pipes[1]);
	for (i = 0; i < PROCESSES; i++) {
		if (read(pipes[0], &one, sizeof(one)) != sizeof(one))
			errx(1, "a reader is gone");
		sum += one;
		wait(NULL);
	}
	close(pipes[0]);
	close(pipes[1]);
	return sum / PROCESSES;
}

static void share_gigabyte(void)
{
	int fd = make(GIGABYTE), again;
	__u64 object;

	must(fcntl(fd, F_ADD_SEALS, SEALS), "F_ADD_SEALS");
	object = adopt(fd);
	close(fd);
	again = map_value(object);
	printf("large_gigabyte_page_tables %lu\n", page_tables(again));
	close(again);
	release(object);
}

int main(void)
{
	double ours;
	int session;

	open_store();
	session = clone_session();
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), "socketpair");
	if (!fork())
		be_consumer(session);
	close(session);
	close(sockets[1]);
	measure("large_unsealed_1m", large_unsealed);
	measure("memfd_sealed_1m", sealed);
	ours = measure("large_1m", large);
	printf("large_to_memfd %.3f\n", ours / measure("memfd_1m", bare));
	close(sockets[0]);
	wait(NULL);
	count_pages();
	share_gigabyte();
	return 0;
}
