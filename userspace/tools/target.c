// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "target.h"

/*
 * A session of one's own on the heap of the session that @fd is; @fd is closed.
 * What a command holds for a moment must not end up in the target's session.
 */
static int mint(int fd, struct refstore **store)
{
	struct refstore *theirs;
	int ret = refstore_open_fd(fd, &theirs);

	if (ret) {
		close(fd);
		return ret;
	}
	ret = refstore_session_new(theirs, 0, store);
	refstore_close(theirs);
	return ret;
}

static const char *describe(int error)
{
	return error == -ENOTTY ? "not a session of refstore" :
				  strerror(-error);
}

static int open_inherited(int fd, struct refstore **store)
{
	/* A copy: the descriptor itself stays, it may keep the heap alive. */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int ret = copy < 0 ? -errno : mint(copy, store);

	if (!ret)
		return 0;
	warnx("descriptor %d: %s", fd, describe(ret));
	return -1;
}

static int open_variable(struct refstore **store)
{
	const char *text = getenv(TARGET_VARIABLE);
	char *end;
	long fd;

	if (!text || !*text) {
		warnx("no heap: give --heap, --pid or --fd, or set $"
		      TARGET_VARIABLE);
		return -1;
	}
	fd = strtol(text, &end, 10);
	if (*end || end == text || fd < 0 || fd > INT_MAX) {
		warnx("$" TARGET_VARIABLE ": '%s' is no descriptor", text);
		return -1;
	}
	return open_inherited((int)fd, store);
}

/*
 * Another process
 */

/* A session on the heap of the session that is descriptor @fd over there. */
static int open_theirs(int pidfd, int fd, struct refstore **store)
{
	long copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : mint((int)copy, store);
}

/**
 * struct search - a process being searched for sessions
 * @pid: the process
 * @pidfd: the same
 * @store: a session on the heap of the first one that was found, or NULL
 * @fd: the descriptor of that one
 * @heap: the number of its heap
 */
struct search {
	pid_t pid;
	int pidfd;
	struct refstore *store;
	int fd;
	uint64_t heap;
};

/* Takes the session @store, of descriptor @fd. A second heap is an error. */
static int add_session(struct search *search, int fd, struct refstore *store)
{
	struct refstore_query query;
	int ret = refstore_query(store, &query);

	if (!ret && !search->store) {
		search->store = store;
		search->fd = fd;
		search->heap = query.heap;
		return 0;
	}
	refstore_close(store);
	if (ret || query.heap == search->heap)
		return ret;
	warnx("process %d: descriptor %d is a session on heap %" PRIu64
	      ", descriptor %d on heap %" PRIu64 ": choose with --session-fd",
	      (int)search->pid, search->fd, search->heap, fd,
	      (uint64_t)query.heap);
	return -ENOTUNIQ;
}

static int try_descriptor(struct search *search, int fd)
{
	struct refstore *store;
	int ret = open_theirs(search->pidfd, fd, &store);

	if (!ret)
		return add_session(search, fd, store);
	/* What has gone meanwhile, or only looks like one, is no session. */
	return ret == -EBADF || ret == -ENOTTY || ret == -ESRCH ? 0 : ret;
}

static int search_directory(struct search *search, DIR *fdinfo)
{
	struct process_session session;
	struct dirent *entry;
	int ret = 0;

	while (!ret && (entry = readdir(fdinfo)))
		if (process_read_session(fdinfo, entry->d_name, &session) &&
		    !session.exported)
			ret = try_descriptor(search, atoi(entry->d_name));
	if (!ret && !search->store)
		ret = -ENOENT;
	if (ret)
		refstore_close(search->store);
	return ret;
}

static int search(pid_t pid, int pidfd, struct refstore **store)
{
	struct search search = { .pid = pid, .pidfd = pidfd };
	DIR *fdinfo = process_open(pid, "fdinfo");
	int ret;

	if (!fdinfo)
		return -errno;
	ret = search_directory(&search, fdinfo);
	closedir(fdinfo);
	*store = search.store;
	return ret;
}

/* The descriptor that the user chose. */
static int open_chosen(pid_t pid, int pidfd, int fd, struct refstore **store)
{
	int ret = open_theirs(pidfd, fd, store);

	if (ret)
		warnx("process %d, descriptor %d: %s", (int)pid, fd,
		      describe(ret));
	return ret;
}

/* The one that there is. */
static int open_found(pid_t pid, int pidfd, struct refstore **store)
{
	int ret = search(pid, pidfd, store);

	if (ret == -ENOENT)
		warnx("process %d: no session there", (int)pid);
	else if (ret && ret != -ENOTUNIQ)
		warnx("process %d: %s", (int)pid, strerror(-ret));
	return ret;
}

static int open_process(const struct arguments *arguments,
			struct refstore **store)
{
	pid_t pid = arguments->pid;
	int fd = arguments->session_fd;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int ret;

	if (pidfd < 0) {
		warn("process %d", (int)pid);
		return -1;
	}
	if (fd >= 0)
		ret = open_chosen(pid, pidfd, fd, store);
	else
		ret = open_found(pid, pidfd, store);
	close(pidfd);
	return ret ? -1 : 0;
}

/*
 * A heap with a name
 */

/*
 * What is no file is not opened: the device would make a heap, and a pipe may
 * have nobody at its other end.
 */
static int open_heap(const char *path, int flags, struct refstore **store)
{
	struct stat stat_buf;

	if (stat(path, &stat_buf))
		return -errno;
	if (!S_ISREG(stat_buf.st_mode))
		return -ENOTTY;
	return refstore_open_heap(path, flags, 0, store);
}

static int open_named(const char *path, int flags, struct refstore **store)
{
	int ret = open_heap(path, flags, store);

	if (!ret)
		return 0;
	if (ret == -ENOTTY)
		warnx("%s: not a heap of refstore", path);
	else if (ret == -EACCES && flags == O_RDWR)
		warnx("%s: %s; it takes the right to read and write it", path,
		      strerror(-ret));
	else
		warnx("%s: %s", path, strerror(-ret));
	return -1;
}

bool target_is_named(const struct arguments *arguments)
{
	const char *variable = getenv(TARGET_VARIABLE);

	return arguments->heap || arguments->pid || arguments->fd >= 0 ||
	       (variable && *variable);
}

static int open_any(const struct arguments *arguments, int flags,
		    struct refstore **store)
{
	if (arguments->heap)
		return open_named(arguments->heap, flags, store);
	if (arguments->pid)
		return open_process(arguments, store);
	if (arguments->fd >= 0)
		return open_inherited(arguments->fd, store);
	return open_variable(store);
}

int target_open(const struct arguments *arguments, struct refstore **store)
{
	return open_any(arguments, O_RDONLY, store);
}

int target_open_writable(const struct arguments *arguments,
			 struct refstore **store)
{
	return open_any(arguments, O_RDWR, store);
}
