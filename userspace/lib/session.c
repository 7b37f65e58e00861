// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fork.h"
#include "watch.h"

static int set_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* With the lock of fork.h. Takes the descriptor over on success only. */
static int adopt(int fd, struct refstore **result)
{
	struct refstore_query query;
	struct refstore *store;
	int ret;

	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->fd = fd;
	store->clone = -1;
	pthread_mutex_init(&store->watches.lock, NULL);
	ret = refstore_query(store, &query);
	if (!ret)
		ret = set_cloexec(fd);
	if (ret) {
		free(store);
		return ret;
	}
	store->max_batch = query.max_batch;
	refstore_fork_add(store);
	*result = store;
	return 0;
}

/* The same for a descriptor that nobody else knows yet, or a failed one. */
static int adopt_new(int fd, struct refstore **result)
{
	int ret = fd < 0 ? fd : adopt(fd, result);

	if (ret && fd >= 0)
		close(fd);
	return ret;
}

int refstore_open(struct refstore **store)
{
	return refstore_open_path(REFSTORE_DEVICE, store);
}

int refstore_open_path(const char *path, struct refstore **store)
{
	int ret = refstore_fork_lock();
	int fd;

	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CLOEXEC);
	ret = adopt_new(fd < 0 ? -errno : fd, store);
	refstore_fork_unlock();
	return ret;
}

int refstore_open_fd(int fd, struct refstore **store)
{
	int ret = refstore_fork_lock();

	if (ret)
		return ret;
	ret = adopt(fd, store);
	refstore_fork_unlock();
	return ret;
}

void refstore_close(struct refstore *store)
{
	if (!store)
		return;
	/* Cannot fail: the session was opened under it. */
	refstore_fork_lock();
	refstore_fork_del(store);
	if (store->fd >= 0)
		close(store->fd);
	refstore_fork_unlock();
	refstore_watch_end(&store->watches);
	refstore_gc_callbacks_end(&store->watches);
	free(store);
}

int refstore_fd(const struct refstore *store)
{
	return store->fd >= 0 ? store->fd : -EBADF;
}

int refstore_session_fd(struct refstore *store, unsigned int flags)
{
	struct refstore_session_new args = {
		.size = sizeof(args),
		.flags = flags,
		.fd = -1,
	};
	int ret;

	/* Cloning takes long, and begins anew each time. */
	if (flags & REFSTORE_SESSION_CLONE)
		ret = refstore_call_once(store, REFSTORE_SESSION_NEW, &args);
	else
		ret = refstore_call(store, REFSTORE_SESSION_NEW, &args);
	return ret ? ret : args.fd;
}

int refstore_session_new(struct refstore *store, unsigned int flags,
			 struct refstore **result)
{
	int ret = refstore_fork_lock();

	if (ret)
		return ret;
	ret = adopt_new(refstore_session_fd(store, flags), result);
	refstore_fork_unlock();
	return ret;
}

int refstore_query(struct refstore *store, struct refstore_query *query)
{
	struct refstore_query args = { .size = sizeof(args) };
	int ret = refstore_call(store, REFSTORE_QUERY, &args);

	if (!ret)
		*query = args;
	return ret;
}
