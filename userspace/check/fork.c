// SPDX-License-Identifier: GPL-2.0-only
/*
 * The child of a fork has sessions of its own, behind the same descriptors, or
 * dead ones; the parent has what it had.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

static int clone_error;
static int clones;

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_session_new *new = args;

	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	if (command == REFSTORE_QUERY)
		return 0;
	CHECK(command == REFSTORE_SESSION_NEW);
	CHECK(new->flags == REFSTORE_SESSION_CLONE);
	clones++;
	/* The first try is interrupted. */
	if (clones % 2)
		return -EINTR;
	if (clone_error)
		return clone_error;
	new->fd = new_session_fd();
	return 0;
}

static ino_t file_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) ? 0 : status.st_ino;
}

static int count_fds(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void check_child(struct refstore *const *stores, const int *fds,
			const ino_t *files)
{
	struct refstore_query query;
	int i;

	for (i = 0; i < 2; i++) {
		if (clone_error) {
			CHECK(refstore_fd(stores[i]) == -EBADF);
			CHECK(refstore_query(stores[i], &query) == -EBADF);
			CHECK(fcntl(fds[i], F_GETFD) < 0);
		} else {
			CHECK(refstore_fd(stores[i]) == fds[i]);
			CHECK(!refstore_query(stores[i], &query));
			CHECK(file_of(fds[i]) != files[i]);
			CHECK(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		}
	}
	CHECK(clone_error || file_of(fds[0]) != file_of(fds[1]));
	refstore_close(stores[0]);
	refstore_close(stores[1]);
}

static void check_fork(void)
{
	struct refstore *stores[2];
	ino_t files[2];
	int fds[2], before, status, i;
	pid_t child;

	for (i = 0; i < 2; i++) {
		fds[i] = new_session_fd();
		files[i] = file_of(fds[i]);
		CHECK(!refstore_open_fd(fds[i], &stores[i]));
	}
	before = count_fds();
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		CHECK(count_fds() == (clone_error ? before - 2 : before));
		check_child(stores, fds, files);
		_exit(0);
	}
	CHECK(count_fds() == before);
	CHECK(waitpid(child, &status, 0) == child && !status);
	for (i = 0; i < 2; i++) {
		CHECK(file_of(fds[i]) == files[i]);
		refstore_close(stores[i]);
		CHECK(fcntl(fds[i], F_GETFD) < 0);
	}
}

int main(void)
{
	check_fork();
	CHECK(clones == 4);
	clone_error = -EMFILE;
	check_fork();
	return 0;
}
