// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Weak handles, and callbacks for the deaths of objects.
 *
 * The notice of a death has a cookie, a number that was given with the request.
 * The library uses those with the highest bit for its callbacks, and counts
 * them up, so a notice never finds a callback that it was not meant for. Nor
 * does one that somebody else asked for, another process with a descriptor of
 * the same session or an earlier struct refstore on it: each begins to count at
 * random.
 */
#include <search.h>
#include <stdlib.h>
#include <sys/random.h>

#include "watch.h"

int refstore_watch_begin(struct watches *watches)
{
	uint64_t *first = &watches->last_cookie;

	/* Early in a boot, what is not quite random does as well. */
	if (getrandom(first, sizeof(*first), GRND_INSECURE) < 0)
		return -errno;
	pthread_mutex_init(&watches->lock, NULL);
	return 0;
}

static uint64_t next_cookie(struct watches *watches)
{
	return ++watches->last_cookie | ~REFSTORE_COOKIE_MAX;
}

static int new_weak(struct refstore *store, uint32_t flags, uint64_t object,
		    uint64_t cookie, uint64_t *weak)
{
	struct refstore_weak args = {
		.size = sizeof(args),
		.flags = flags,
		.object = object,
		.cookie = cookie,
	};
	int ret = refstore_call(store, REFSTORE_WEAK, &args);

	if (!ret)
		*weak = args.result;
	return ret;
}

int refstore_weak(struct refstore *store, uint64_t object, uint64_t *weak)
{
	return new_weak(store, 0, object, 0, weak);
}

int refstore_weak_notify(struct refstore *store, uint64_t object,
			 uint64_t cookie, uint64_t *weak)
{
	if (cookie > REFSTORE_COOKIE_MAX)
		return -EINVAL;
	return new_weak(store, REFSTORE_WEAK_NOTIFY, object, cookie, weak);
}

int refstore_upgrade(struct refstore *store, uint64_t weak, uint64_t *object)
{
	struct refstore_upgrade args = {
		.size = sizeof(args),
		.weak = weak,
	};
	int ret = refstore_call(store, REFSTORE_UPGRADE, &args);

	if (!ret)
		*object = args.result;
	return ret;
}

/**
 * struct watch - a callback for a death, in two trees
 * @cookie: what the notice says
 * @weak: the handle that it was asked for with
 * @death: the callback
 * @data: for the callback
 */
struct watch {
	uint64_t cookie;
	uint64_t weak;
	refstore_death_fn death;
	void *data;
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_cookie(const void *one, const void *other)
{
	const struct watch *a = one, *b = other;

	return compare(a->cookie, b->cookie);
}

static int by_weak(const void *one, const void *other)
{
	const struct watch *a = one, *b = other;

	return compare(a->weak, b->weak);
}

static struct watch *find(void *const *tree, const struct watch *key,
			  int (*order)(const void *one, const void *other))
{
	struct watch **node = tfind(key, tree, order);

	return node ? *node : NULL;
}

static void forget(struct watches *watches, struct watch *watch)
{
	tdelete(watch, &watches->by_cookie, by_cookie);
	tdelete(watch, &watches->by_weak, by_weak);
	free(watch);
}

/*
 * With the lock held all along: the notice may come before the call that asks
 * for it has returned, and whoever reads it must wait for the callback.
 */
static int add(struct refstore *store, uint64_t object, struct watch *watch)
{
	struct watches *watches = &store->watches;
	int ret;

	watch->cookie = next_cookie(watches);
	if (!tsearch(watch, &watches->by_cookie, by_cookie))
		return -ENOMEM;
	ret = new_weak(store, REFSTORE_WEAK_NOTIFY, object, watch->cookie,
		       &watch->weak);
	if (!ret && !tsearch(watch, &watches->by_weak, by_weak)) {
		refstore_release(store, watch->weak);
		ret = -ENOMEM;
	}
	if (ret)
		tdelete(watch, &watches->by_cookie, by_cookie);
	return ret;
}

int refstore_watch(struct refstore *store, uint64_t object,
		   refstore_death_fn death, void *data, uint64_t *weak)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (!watch)
		return -ENOMEM;
	watch->death = death;
	watch->data = data;
	pthread_mutex_lock(&store->watches.lock);
	ret = add(store, object, watch);
	if (!ret)
		*weak = watch->weak;
	pthread_mutex_unlock(&store->watches.lock);
	if (ret)
		free(watch);
	return ret;
}

int refstore_unwatch(struct refstore *store, uint64_t weak)
{
	const struct watch key = { .weak = weak };
	struct watches *watches = &store->watches;
	struct watch *watch;
	int ret;

	pthread_mutex_lock(&watches->lock);
	ret = refstore_release(store, weak);
	watch = ret ? NULL : find(&watches->by_weak, &key, by_weak);
	if (watch)
		forget(watches, watch);
	pthread_mutex_unlock(&watches->lock);
	return ret;
}

bool refstore_watch_call(struct refstore *store,
			 const struct refstore_event *event)
{
	const struct watch key = { .cookie = event->cookie };
	struct watches *watches = &store->watches;
	struct watch *watch, called;

	pthread_mutex_lock(&watches->lock);
	watch = find(&watches->by_cookie, &key, by_cookie);
	if (watch) {
		called = *watch;
		forget(watches, watch);
	}
	pthread_mutex_unlock(&watches->lock);
	if (!watch)
		return false;
	called.death(store, called.weak, event->id, called.data);
	return true;
}

static void keep(void *watch)
{
	(void)watch;
}

void refstore_watch_end(struct watches *watches)
{
	/* Each watch is in both trees: it goes with the second one. */
	tdestroy(watches->by_weak, keep);
	tdestroy(watches->by_cookie, free);
}
