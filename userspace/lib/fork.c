// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What happens to sessions in a fork.
 *
 * A child inherits its parent's descriptors, and so would share its sessions:
 * whatever it released would be gone for the parent. So each session is cloned
 * before the fork, where failing is still possible, and the child puts the
 * clone in the place of what it inherited. In between nothing may be allocated:
 * the child of a process with threads must not. Locks are held from before the
 * fork till after it, so that in the child none is held by a thread that is not
 * there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "fork.h"
#include "session.h"

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct refstore *sessions;

static uint64_t forks;

static int handlers_error;

static void prepare(void)
{
	struct refstore *store;
	sigset_t all, before;

	pthread_mutex_lock(&sessions_lock);
	forks++;
	/*
	 * What waits for a session that is busy begins anew after each signal:
	 * with a periodic timer, it could wait for ever.
	 */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (store = sessions; store; store = store->next) {
		pthread_mutex_lock(&store->watches.lock);
		store->clone = refstore_session_fd(store,
						   REFSTORE_SESSION_CLONE);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void in_parent(void)
{
	struct refstore *store;

	for (store = sessions; store; store = store->next) {
		if (store->clone >= 0)
			close(store->clone);
		store->clone = -1;
		pthread_mutex_unlock(&store->watches.lock);
	}
	pthread_mutex_unlock(&sessions_lock);
}

static bool take_clone(struct refstore *store)
{
	int flags, ret;

	if (store->clone < 0)
		return false;
	/* The program may have made it one for what the child executes. */
	flags = fcntl(store->fd, F_GETFD) ? O_CLOEXEC : 0;
	do {
		ret = dup3(store->clone, store->fd, flags);
	} while (ret < 0 && errno == EINTR);
	close(store->clone);
	return ret >= 0;
}

static void in_child(void)
{
	struct refstore *store;

	for (store = sessions; store; store = store->next) {
		if (store->fd >= 0 && !take_clone(store)) {
			/* Better none than the parent's. */
			close(store->fd);
			store->fd = -1;
		}
		store->clone = -1;
		pthread_mutex_unlock(&store->watches.lock);
	}
	pthread_mutex_unlock(&sessions_lock);
}

/*
 * Before a fork, handlers are called in the opposite order of their
 * registration, after it in that order. Those of the program may use sessions,
 * so ours come first; before other constructors as well, where the library is a
 * part of the program.
 */
__attribute__((constructor(101)))
static void install_handlers(void)
{
	handlers_error = -pthread_atfork(prepare, in_parent, in_child);
}

int refstore_fork_lock(void)
{
	if (handlers_error)
		return handlers_error;
	pthread_mutex_lock(&sessions_lock);
	return 0;
}

uint64_t refstore_fork_count(void)
{
	return forks;
}

void refstore_fork_unlock(void)
{
	pthread_mutex_unlock(&sessions_lock);
}

void refstore_fork_add(struct refstore *store)
{
	store->next = sessions;
	sessions = store;
}

void refstore_fork_del(struct refstore *store)
{
	struct refstore **link = &sessions;

	while (*link != store)
		link = &(*link)->next;
	*link = store->next;
}
