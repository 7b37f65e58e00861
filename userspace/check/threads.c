// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads beside each other on one session, and on the list of sessions, watched
 * by ThreadSanitizer. The kernel is played without locks: what orders accesses of
 * the library's own memory must be the library's. The linker sends all read()
 * here; files can always be read, says poll().
 */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

#define ROUNDS 400
#define WATCHERS 2
#define WATCHES (WATCHERS * ROUNDS)

/* Relaxed: it orders nothing, and so hides no race. */
#define ADD(word) __atomic_fetch_add(&(word), 1, __ATOMIC_RELAXED)
#define TAKE(word) __atomic_exchange_n(&(word), 0, __ATOMIC_RELAXED)
#define SET(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#define GET(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

static struct refstore *store;
static uint64_t last_handle;

/* Cookies of objects that are dead at once; 0 when somebody has read of it. */
static uint64_t dead[WATCHES];
static size_t nr_dead;
static size_t nr_read;

static int make_weak(struct refstore_weak *weak)
{
	weak->result = 1 + ADD(last_handle);
	if (weak->flags & REFSTORE_WEAK_NOTIFY)
		SET(dead[ADD(nr_dead)], weak->cookie);
	return 0;
}

static int make_session(struct refstore_session_new *new)
{
	new->fd = new_session_fd();
	return 0;
}

/* One step of a walk lists one object, which is of no meaning. */
static int walk_one(struct refstore_walk *walk)
{
	memset((void *)(uintptr_t)walk->entries, 0,
	       sizeof(struct refstore_walk_object));
	walk->count = 1;
	walk->end = 1;
	return 0;
}

static int run_batch(struct refstore_batch *batch)
{
	batch->done = batch->nr_ops;
	return 0;
}

int kernel(int fd, unsigned long command, void *args)
{
	(void)fd;
	switch (command) {
	case REFSTORE_QUERY:
		((struct refstore_query *)args)->max_batch = 3;
		return 0;
	case REFSTORE_WEAK:
		return make_weak(args);
	case REFSTORE_SESSION_NEW:
		return make_session(args);
	case REFSTORE_WALK:
		return walk_one(args);
	case REFSTORE_BATCH:
		return run_batch(args);
	default:
		return 0;
	}
}

ssize_t __wrap_read(int fd, void *buffer, size_t size);

/* By turns the end of a scan and the death of an object, if there is one. */
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	struct refstore_event event = { .kind = REFSTORE_EVENT_SCAN_END };
	size_t i = ADD(nr_read) % 2 ? 0 : WATCHES;

	(void)fd;
	CHECK(size >= sizeof(event));
	for (; i < WATCHES && !event.cookie; i++)
		event.cookie = TAKE(dead[i]);
	if (event.cookie)
		event.kind = REFSTORE_EVENT_DEATH;
	memcpy(buffer, &event, sizeof(event));
	return sizeof(event);
}

/* What became of each request to be told of a death. */
static struct {
	unsigned int calls;
	unsigned int withdrawn;
} told[WATCHES];

static unsigned int scans;

static void on_death(struct refstore *session, uint64_t weak, uint64_t id,
		     void *data)
{
	(void)id;
	ADD(told[(size_t)data].calls);
	/* A notice can come before who asked for it knows; not the function. */
	CHECK(weak);
	CHECK(!refstore_unwatch(session, weak));
}

static void on_scan(struct refstore *session,
		    const struct refstore_event *event, void *data)
{
	(void)session;
	(void)data;
	CHECK(event->kind == REFSTORE_EVENT_SCAN_END);
	ADD(scans);
}

/* Every third request is taken back, when the function may run already. */
static void *watch(void *first)
{
	uint64_t weak;
	size_t i;

	for (i = (size_t)first; i < WATCHES; i += WATCHERS) {
		CHECK(!refstore_watch(store, 1, on_death, (void *)i, &weak));
		if (i % 3)
			continue;
		CHECK(!refstore_unwatch(store, weak));
		SET(told[i].withdrawn, 1);
	}
	return NULL;
}

static void *dispatch(void *unused)
{
	size_t i;

	for (i = 0; i < 2 * WATCHES; i++)
		CHECK(refstore_dispatch(store, 0) == 1);
	return unused;
}

static void *change_callbacks(void *data)
{
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		CHECK(!refstore_gc_add_callback(store, on_scan, data));
		CHECK(!refstore_gc_remove_callback(store, on_scan, data));
	}
	return NULL;
}

/* A builder and an iterator of its own, on a session that all have. */
static void *build_and_walk(void *unused)
{
	struct refstore_walk_object object;
	struct refstore_builder *builder;
	struct refstore_iter *iter;
	size_t i;

	CHECK(!refstore_builder_new(&builder));
	for (i = 0; i < ROUNDS; i++) {
		refstore_builder_reset(builder);
		refstore_builder_get_root(builder);
		refstore_builder_release_many(builder, (uint64_t[]){ 1, 2 }, 2);
		CHECK(!refstore_builder_submit(builder, store, 0));
		CHECK(!refstore_iter_objects(store, 0, &iter));
		CHECK(refstore_iter_next_object(iter, &object) == 1);
		CHECK(refstore_iter_next_object(iter, &object) == 0);
		refstore_iter_free(iter);
	}
	refstore_builder_free(builder);
	return unused;
}

/* Sessions come and go beside each other, and beside forks. */
static void *open_and_close(void *unused)
{
	struct refstore *adopted, *minted;
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		CHECK(!refstore_open_fd(new_session_fd(), &adopted));
		CHECK(!refstore_session_new(store, 0, &minted));
		refstore_close(adopted);
		CHECK(refstore_fd(store) >= 0);
		refstore_close(minted);
	}
	return unused;
}

static void *fork_often(void *unused)
{
	int status;
	size_t i;
	pid_t child;

	for (i = 0; i < ROUNDS / 40; i++) {
		child = fork();
		CHECK(child >= 0);
		if (!child)
			_exit(refstore_fd(store) < 0);
		CHECK(waitpid(child, &status, 0) == child && !status);
	}
	return unused;
}

static const struct thread {
	void *(*run)(void *data);
	void *data;
} threads[] = {
	{ watch, (void *)0 },
	{ watch, (void *)1 },
	{ dispatch, NULL },
	{ dispatch, NULL },
	{ change_callbacks, &store },
	{ change_callbacks, &scans },
	{ build_and_walk, NULL },
	{ build_and_walk, NULL },
	{ open_and_close, NULL },
	{ open_and_close, NULL },
	{ fork_often, NULL },
};

#define NR_THREADS (sizeof(threads) / sizeof(*threads))

static pthread_barrier_t start;

/* All at once, or the first ones have ended before the last ones begin. */
static void *run(void *data)
{
	const struct thread *thread = data;

	pthread_barrier_wait(&start);
	return thread->run(thread->data);
}

static void run_all(void)
{
	pthread_t ids[NR_THREADS];
	size_t i;

	CHECK(!pthread_barrier_init(&start, NULL, NR_THREADS));
	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&ids[i], NULL, run,
				      (void *)&threads[i]));
	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_join(ids[i], NULL));
}

/* Once, or at most once if the request was taken back. */
static void check_told(void)
{
	size_t i;

	for (i = 0; i < WATCHES; i++)
		CHECK(told[i].calls == 1 ||
		      (told[i].withdrawn && !told[i].calls));
}

int main(void)
{
	CHECK(!refstore_open_fd(new_session_fd(), &store));
	CHECK(!refstore_gc_add_callback(store, on_scan, NULL));
	run_all();
	/* What was asked for after the dispatchers had ended. */
	dispatch(NULL);
	CHECK(!refstore_gc_remove_callback(store, on_scan, NULL));
	CHECK(GET(scans));
	check_told();
	refstore_close(store);
	return 0;
}
