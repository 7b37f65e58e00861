// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has a memfd is found, with descriptors and mappings, with a main thread or
 * without; but who looks is not.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memfd.h"
#include "out.h"

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			errx(1, "%s:%d: " #condition, __FILE__, __LINE__); \
	} while (0)

/* Whole pages, whatever these are. */
#define LENGTH 65536

/* What a child prints of it, which has inherited all of it. */
static void ask(int fd, bool json, char *answer, size_t room)
{
	struct stat stat;
	int pipes[2], status;
	ssize_t length;
	pid_t child;

	CHECK(!fstat(fd, &stat) && !pipe(pipes));
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		CHECK(dup2(pipes[1], STDOUT_FILENO) == STDOUT_FILENO);
		out_start(json);
		out_open_object(NULL);
		CHECK(!memfd_print_users(stat.st_ino));
		out_close_object();
		CHECK(!fflush(stdout));
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	length = read(pipes[0], answer, room - 1);
	CHECK(length >= 0);
	answer[length] = '\0';
	close(pipes[0]);
	close(pipes[1]);
}

static void check_json(int fd, int reader, const char *data)
{
	char answer[1024], wanted[1024];
	int pid = getpid();

	snprintf(wanted, sizeof(wanted), "{\"descriptors\":["
		 "{\"pid\":%d,\"command\":\"memfd\",\"fd\":%d,\"mode\":\"rw\"},"
		 "{\"pid\":%d,\"command\":\"memfd\",\"fd\":%d,\"mode\":\"r\"}],"
		 "\"mappings\":[{\"pid\":%d,\"command\":\"memfd\","
		 "\"addresses\":\"%08lx-%08lx\",\"mode\":\"r--s\"}]}\n",
		 pid, fd, pid, reader, pid, (unsigned long)data,
		 (unsigned long)data + LENGTH);
	ask(fd, true, answer, sizeof(answer));
	if (strcmp(answer, wanted))
		errx(1, "%s and not %s", answer, wanted);
}

static void check_text(int fd)
{
	char answer[1024], wanted[1024];

	snprintf(wanted, sizeof(wanted),
		 "process %d (memfd): descriptor %d, rw\n", (int)getpid(), fd);
	ask(fd, false, answer, sizeof(answer));
	if (strcmp(answer, wanted))
		errx(1, "%s and not %s", answer, wanted);
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* A process that has ended its main thread, but not the other one. */
static pid_t fork_headless(void)
{
	pthread_t thread;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	CHECK(!pthread_create(&thread, NULL, wait_for_ever, NULL));
	pthread_exit(NULL);
}

/* Once it has, this says nothing of what the process runs. */
static void await_headless(pid_t pid)
{
	char path[32], name[8];
	int tries = 1000;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	while (readlink(path, name, sizeof(name)) >= 0 && tries--)
		usleep(10000);
	CHECK(tries > 0);
}

static void check_headless(int fd, const char *data)
{
	char answer[2048], wanted[128];
	pid_t child = fork_headless();

	await_headless(child);
	ask(fd, false, answer, sizeof(answer));
	snprintf(wanted, sizeof(wanted),
		 "process %d (memfd): descriptor %d, rw\n", (int)child, fd);
	CHECK(strstr(answer, wanted));
	snprintf(wanted, sizeof(wanted),
		 "process %d (memfd): mapped at %08lx-%08lx, r--s\n",
		 (int)child, (unsigned long)data, (unsigned long)data + LENGTH);
	CHECK(strstr(answer, wanted));
	CHECK(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
}

int main(void)
{
	int fd = memfd_create("one", 0), other = memfd_create("other", 0);
	char path[32];
	int reader;
	char *data;

	CHECK(fd >= 0 && other >= 0 && !ftruncate(fd, LENGTH));
	data = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(reader >= 0);
	check_json(fd, reader, data);
	check_text(other);
	check_headless(fd, data);
	return 0;
}
