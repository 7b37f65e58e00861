// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fork.h"
#include "watch.h"

/* A session that is not on the list yet. */
static struct refstore *store_new(int fd)
{
	struct refstore *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->fd = fd;
	store->clone = -1;
	return store;
}

static int store_init(struct refstore *store)
{
	struct refstore_query query;
	int ret = refstore_query(store, &query);

	if (!ret)
		ret = refstore_watch_begin(&store->watches);
	if (!ret)
		store->max_batch = query.max_batch;
	return ret;
}

/* Takes the descriptor over on success only. */
static int wrap(int fd, struct refstore **result)
{
	struct refstore *store = store_new(fd);
	int ret = store ? store_init(store) : -ENOMEM;

	if (ret)
		free(store);
	else
		*result = store;
	return ret;
}

/* The same for a descriptor that nobody else knows yet, or a failed one. */
static int wrap_new(int fd, struct refstore **result)
{
	int ret = fd < 0 ? fd : wrap(fd, result);

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
	return refstore_open_heap(path, O_RDWR, 0, store);
}

static int count_forks(uint64_t *count)
{
	int ret = refstore_fork_lock();

	if (ret)
		return ret;
	*count = refstore_fork_count();
	refstore_fork_unlock();
	return 0;
}

/* Puts it on the list, unless there was a fork since they were counted. */
static bool add_unless_forked(struct refstore *store, uint64_t forks)
{
	bool forked;

	/* Cannot fail: they were counted under it. */
	refstore_fork_lock();
	forked = refstore_fork_count() != forks;
	if (!forked)
		refstore_fork_add(store);
	refstore_fork_unlock();
	return !forked;
}

/*
 * Making one can take for ever, as opening a path on some file system does, and
 * then no fork must wait for it; so it is made without the lock. A child that was
 * forked meanwhile has the descriptor, too: leave that session, and what it
 * holds, to the child, and make another one.
 */
static int make(int (*make_fd)(void *data), void *data,
		struct refstore **result)
{
	struct refstore *store;
	uint64_t forks;
	int ret;

	for (;;) {
		ret = count_forks(&forks);
		if (ret)
			return ret;
		ret = wrap_new(make_fd(data), &store);
		if (ret)
			return ret;
		if (add_unless_forked(store, forks))
			break;
		close(store->fd);
		free(store);
	}
	*result = store;
	return 0;
}

/* What open(2) takes. */
struct opening {
	const char *path;
	int flags;
	mode_t mode;
};

static int check_parent(const char *path)
{
	struct statfs parent;
	char *copy = strdup(path);
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	if (statfs(dirname(copy), &parent))
		ret = -errno;
	else if (parent.f_type != REFSTORE_SUPER_MAGIC)
		ret = -ENOTTY;
	free(copy);
	return ret;
}

static int open_file(struct opening *opening, int flags)
{
	int fd = open(opening->path, flags | O_CLOEXEC, opening->mode);

	return fd < 0 ? -errno : fd;
}

/*
 * What is there may lie anywhere, as by a link; but what is made elsewhere than in
 * a file system of heaps would be an empty file that nobody asked for.
 */
static int open_heap(void *data)
{
	struct opening *opening = data;
	int flags = opening->flags, fd = -ENOENT;

	if (!(flags & O_EXCL))
		fd = open_file(opening, flags & ~O_CREAT);
	if (fd == -ENOENT && flags & O_CREAT) {
		fd = check_parent(opening->path);
		if (!fd)
			fd = open_file(opening, flags);
	}
	/* A heap that this made is there if it has to be opened again. */
	if (fd >= 0)
		opening->flags &= ~O_EXCL;
	return fd;
}

int refstore_open_heap(const char *path, int flags, mode_t mode,
		       struct refstore **store)
{
	struct opening opening = { path, flags, mode };

	return make(open_heap, &opening, store);
}

static int set_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/*
 * The descriptor becomes ours: this comes last, or one that stays the caller's
 * would be changed.
 */
static int take_over(struct refstore *store)
{
	int ret = refstore_fork_lock();

	if (ret)
		return ret;
	ret = set_cloexec(store->fd);
	if (!ret)
		refstore_fork_add(store);
	refstore_fork_unlock();
	return ret;
}

/* A child that is forked meanwhile shares it as it did before the call. */
int refstore_open_fd(int fd, struct refstore **store)
{
	struct refstore *result;
	int ret = wrap(fd, &result);

	if (ret)
		return ret;
	ret = take_over(result);
	if (ret)
		free(result);
	else
		*store = result;
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
	int ret = refstore_call(store, REFSTORE_SESSION_NEW, &args);

	return ret ? ret : args.fd;
}

/* What refstore_session_fd() takes. */
struct minting {
	struct refstore *store;
	unsigned int flags;
};

static int mint(void *data)
{
	const struct minting *minting = data;

	return refstore_session_fd(minting->store, minting->flags);
}

int refstore_session_new(struct refstore *store, unsigned int flags,
			 struct refstore **result)
{
	struct minting minting = { store, flags };

	return make(mint, &minting, result);
}

/* An export's descriptor, and the handle that the new session has. */
struct export {
	int fd;
	uint64_t object;
};

static int open_export(void *data)
{
	struct refstore_open_export args = { .size = sizeof(args), .fd = -1 };
	struct export *export = data;
	const struct refstore theirs = { .fd = export->fd };
	int ret = refstore_call(&theirs, REFSTORE_OPEN_EXPORT, &args);

	export->object = args.object;
	return ret ? ret : args.fd;
}

int refstore_open_export(int fd, struct refstore **store, uint64_t *object)
{
	struct export export = { .fd = fd };
	int ret = make(open_export, &export, store);

	if (!ret)
		*object = export.object;
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
