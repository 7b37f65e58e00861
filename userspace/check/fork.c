// SPDX-License-Identifier: GPL-2.0-only
/*
 * The child of a fork has sessions of its own, behind the same descriptors, or
 * dead ones; the parent has what it had.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

/* The handle of what is exported. */
#define OBJECT 5

static int clone_error;
static int clones;
static bool slow;
static volatile sig_atomic_t ticks;

static int64_t milliseconds(void)
{
	struct timespec time;

	CHECK(!clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* A clone that takes some time, during which no signal must come. */
static int clone_slowly(void)
{
	int64_t end = milliseconds() + 200;
	int before = ticks;

	while (milliseconds() < end)
		if (ticks != before)
			return -EINTR;
	return 0;
}

static ino_t file_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) ? 0 : status.st_ino;
}

/*
 * Making a session hangs, the first time.
 */

static __thread bool hangs;
static sem_t begun, forked;
static int made;
static ino_t made_first;

/* The descriptor of a new session. */
static int make_fd(void)
{
	int fd = new_session_fd();

	if (!hangs || made++)
		return fd;
	made_first = file_of(fd);
	CHECK(!sem_post(&begun) && !sem_wait(&forked));
	return fd;
}

static int open_export(struct refstore_open_export *args)
{
	args->fd = make_fd();
	args->object = OBJECT;
	return 0;
}

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_session_new *new = args;

	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	if (command == REFSTORE_QUERY)
		return 0;
	if (command == REFSTORE_OPEN_EXPORT)
		return open_export(args);
	CHECK(command == REFSTORE_SESSION_NEW);
	CHECK(new->flags == REFSTORE_SESSION_CLONE);
	clones++;
	/* The first try is interrupted. */
	if (clones % 2)
		return -EINTR;
	if (clone_error)
		return clone_error;
	if (slow && clone_slowly())
		return -EINTR;
	new->fd = make_fd();
	return 0;
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
			/* The program has changed that of the second one */
			CHECK(fcntl(fds[i], F_GETFD) == (i ? 0 : FD_CLOEXEC));
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
	CHECK(!fcntl(fds[1], F_SETFD, 0));
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

static void on_tick(int signal)
{
	(void)signal;
	ticks++;
}

/* A periodic timer does not keep a fork from coming to its end. */
static void check_timer(void)
{
	const struct itimerval often = { .it_value = { .tv_usec = 50000 },
					 .it_interval = { .tv_usec = 50000 } };
	const struct itimerval never = {};
	/* waitpid() goes on by itself; the kernel that we play does not */
	struct sigaction action = {
		.sa_handler = on_tick,
		.sa_flags = SA_RESTART,
	};
	sigset_t mask;

	slow = true;
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	check_fork();
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	CHECK(signal(SIGALRM, SIG_DFL) == on_tick);
	CHECK(ticks);
	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, &mask));
	CHECK(!sigismember(&mask, SIGALRM));
	slow = false;
}

/*
 * Handlers of the program, which were there before the first session.
 */

static struct refstore *used;
static ino_t used_file;

static void use_before(void)
{
	struct refstore *other;

	if (!used)
		return;
	used_file = file_of(refstore_fd(used));
	CHECK(!refstore_open_fd(new_session_fd(), &other));
	refstore_close(other);
}

static void use_in_child(void)
{
	CHECK(!used || file_of(refstore_fd(used)) != used_file);
}

static void check_handlers(void)
{
	pid_t child;
	int status;

	CHECK(!refstore_open_fd(new_session_fd(), &used));
	alarm(60);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(0);
	alarm(0);
	CHECK(waitpid(child, &status, 0) == child && !status);
	refstore_close(used);
	used = NULL;
}

/*
 * A descriptor that is not taken stays as it was.
 */

static bool no_random;

ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned int flags);

ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned int flags)
{
	(void)flags;
	if (no_random) {
		errno = EIO;
		return -1;
	}
	memset(buffer, 1, length);
	return (ssize_t)length;
}

static void check_refused(void)
{
	struct refstore *store;
	int fd = new_session_fd();

	CHECK(!fcntl(fd, F_SETFD, 0));
	no_random = true;
	CHECK(refstore_open_fd(fd, &store) == -EIO);
	no_random = false;
	CHECK(fcntl(fd, F_GETFD) == 0);
	CHECK(!refstore_open_fd(fd, &store));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	refstore_close(store);
}

/*
 * No fork waits for a session that is being made.
 */

int __wrap_open(const char *path, int flags, ...);

int __real_open(const char *path, int flags, ...);

/* Whatever else is opened is not the library's: what counts the lines that are run. */
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	if (strcmp(path, "slow")) {
		va_start(arguments, flags);
		if (flags & O_CREAT)
			mode = va_arg(arguments, mode_t);
		va_end(arguments);
		return __real_open(path, flags, mode);
	}
	CHECK(flags == (O_RDWR | O_CLOEXEC));
	return make_fd();
}

static void *open_slowly(void *store)
{
	hangs = true;
	CHECK(!refstore_open_path("slow", store));
	return NULL;
}

static void *mint_slowly(void *store)
{
	hangs = true;
	CHECK(!refstore_session_new(used, REFSTORE_SESSION_CLONE, store));
	return NULL;
}

static void *open_export_slowly(void *store)
{
	uint64_t object;

	hangs = true;
	CHECK(!refstore_open_export(refstore_fd(used), store, &object));
	CHECK(object == OBJECT);
	return NULL;
}

/* No child shares what is made, either. */
static void check_making(void *(*make)(void *store))
{
	int status, before = count_fds();
	struct refstore *store;
	pthread_t thread;
	pid_t child;

	made = 0;
	CHECK(!sem_init(&begun, 0, 0) && !sem_init(&forked, 0, 0));
	CHECK(!pthread_create(&thread, NULL, make, &store));
	CHECK(!sem_wait(&begun));
	alarm(60);
	child = fork();
	alarm(0);
	CHECK(child >= 0);
	if (!child)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && !status);
	CHECK(!sem_post(&forked));
	CHECK(!pthread_join(thread, NULL));
	CHECK(made == 2 && file_of(refstore_fd(store)) != made_first);
	CHECK(count_fds() == before + 1);
	refstore_close(store);
	CHECK(count_fds() == before);
}

static void check_all_making(void)
{
	CHECK(!refstore_open_fd(new_session_fd(), &used));
	check_making(open_slowly);
	check_making(mint_slowly);
	check_making(open_export_slowly);
	refstore_close(used);
	used = NULL;
}

int main(void)
{
	CHECK(!pthread_atfork(use_before, NULL, use_in_child));
	check_fork();
	CHECK(clones == 4);
	check_handlers();
	check_timer();
	check_refused();
	check_all_making();
	clone_error = -EMFILE;
	check_fork();
	return 0;
}
