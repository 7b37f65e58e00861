// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's calls for the scanner, weak handles and events, on the real
 * kernel. Needs the module.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <refstore.h>

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			errx(1, "%s:%d: " #condition, __FILE__, __LINE__); \
	} while (0)

/* For ever, but for a test that hangs. */
#define LONG 60000

static struct refstore *store;

/* Each check has a heap of its own, in which no scan comes by itself. */
static void open_heap(void)
{
	CHECK(!refstore_open(&store));
	CHECK(!refstore_gc_disable(store));
}

static uint64_t create(void)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_LIST, .nr_slots = 1,
	};
	uint64_t handle;

	CHECK(!refstore_create(store, &spec, &handle, NULL));
	return handle;
}

static uint64_t create_leaf(void)
{
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_INT };
	uint64_t handle;

	CHECK(!refstore_create(store, &spec, &handle, NULL));
	return handle;
}

static uint64_t id_of(uint64_t object)
{
	struct refstore_stat stat;

	CHECK(!refstore_stat(store, object, &stat));
	return stat.id;
}

/* Two objects that refer to each other. Returns a handle of the first one. */
static uint64_t create_pair(void)
{
	uint64_t one = create(), other = create();

	CHECK(!refstore_set_slot(store, one, 0, other));
	CHECK(!refstore_set_slot(store, other, 0, one));
	CHECK(!refstore_release(store, other));
	return one;
}

static uint64_t collect(uint32_t generation)
{
	struct refstore_collect result;

	CHECK(!refstore_collect(store, generation, &result));
	return result.reclaimed;
}

/* How many objects an iterator meets; frees it. */
static uint64_t count(struct refstore_iter *iter)
{
	struct refstore_walk_object object;
	uint64_t number = 0;
	int ret;

	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		number++;
		if (object.handle)
			CHECK(!refstore_release(store, object.handle));
	}
	CHECK(!ret);
	refstore_iter_free(iter);
	return number;
}

static uint64_t count_objects(void)
{
	struct refstore_iter *iter;

	CHECK(!refstore_iter_objects(store, 0, &iter));
	return count(iter);
}

static uint64_t count_handles(void)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	uint64_t number = 0;
	int ret;

	CHECK(!refstore_iter_handles(store, &iter));
	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1)
		number++;
	CHECK(!ret);
	refstore_iter_free(iter);
	return number;
}

static void check_settings(void)
{
	struct refstore_tune tune = { .flags = REFSTORE_TUNE_SAVE, .save = 2 };
	uint32_t three[3], wanted[3] = { 7, 0, 4000000000U };
	const uint32_t delays[3] = { 0, 5, REFSTORE_MAX_DELAY };
	const uint32_t longer[3] = { 0, 0, REFSTORE_MAX_DELAY + 1 };

	open_heap();
	CHECK(refstore_gc_is_enabled(store) == 0);
	CHECK(!refstore_gc_enable(store));
	CHECK(refstore_gc_is_enabled(store) == 1);
	CHECK(!refstore_gc_get_threshold(store, three));
	CHECK(three[0] && three[1] == 10 && three[2] == 10);
	CHECK(!refstore_gc_set_threshold(store, wanted));
	CHECK(!refstore_gc_get_threshold(store, three));
	CHECK(!memcmp(three, wanted, sizeof(three)));
	CHECK(!refstore_gc_get_delay(store, three));
	CHECK(three[1] == 8 * three[0] && three[2] == 64 * three[0]);
	CHECK(!refstore_gc_set_delay(store, delays));
	CHECK(refstore_gc_set_delay(store, longer) == -EINVAL);
	CHECK(!refstore_gc_get_delay(store, three));
	CHECK(!memcmp(three, delays, sizeof(three)));
	CHECK(refstore_gc_get_save_all(store) == 0);
	CHECK(!refstore_gc_set_save_all(store, -1));
	CHECK(refstore_gc_get_save_all(store) == 1);
	CHECK(refstore_gc_tune(store, &tune) == -EINVAL);
	tune.save = 0;
	CHECK(!refstore_gc_tune(store, &tune) && tune.automatic == 1);
	CHECK(tune.threshold[0] == 7 && tune.delay[1] == 5 && !tune.save);
	refstore_close(store);
}

/* Waits until nothing is left, but not for ever. */
static bool await_nothing(void)
{
	int tries = 1000;

	while (count_objects() && tries--)
		usleep(10000);
	return !count_objects();
}

/* Disabled, no scan comes; enabled, one does. */
static void check_automatic(void)
{
	const uint32_t at_once[3] = { 1, 1, 1 }, soon[3] = { 1, 1, 1 };

	open_heap();
	CHECK(!refstore_gc_set_threshold(store, at_once));
	CHECK(!refstore_gc_set_delay(store, soon));
	CHECK(!refstore_release(store, create_pair()));
	usleep(200000);
	CHECK(count_objects() == 2);
	CHECK(!refstore_gc_enable(store));
	CHECK(await_nothing());
	refstore_close(store);
}

static void check_generations(void)
{
	struct refstore_generation stats;
	struct refstore_iter *iter;
	uint64_t counts[3], pair, leaf;

	open_heap();
	pair = create_pair();
	leaf = create_leaf();
	CHECK(!refstore_gc_get_count(store, counts));
	/* Both are: a handle of each was released, or a slot taken away. */
	CHECK(counts[0] >= 1 && counts[1] == 0 && counts[2] == 0);
	CHECK(!refstore_iter_generation(store, 0, 0, &iter));
	CHECK(count(iter) == 2);
	CHECK(refstore_iter_generation(store, 3, 0, &iter) == -EINVAL);
	CHECK(refstore_iter_generation(store, 0, 4, &iter) == -EINVAL);
	CHECK(collect(0) == 0);
	CHECK(!refstore_iter_generation(store, 2, 0, &iter));
	CHECK(count(iter) == 0);
	CHECK(!refstore_gc_get_count(store, counts));
	CHECK(counts[0] == 0 && counts[1] == 1 && counts[2] == 0);
	CHECK(!refstore_iter_generation(store, 1, REFSTORE_WALK_MINT, &iter));
	CHECK(count(iter) >= 1 && count_handles() == 2);
	CHECK(!refstore_gc_stats(store, 0, &stats));
	CHECK(stats.scans == 1 && stats.visited == 2 && !stats.reclaimed);
	CHECK(!refstore_release(store, pair));
	CHECK(collect(1) == 2);
	CHECK(!refstore_gc_stats(store, 1, &stats));
	CHECK(stats.scans == 1 && stats.reclaimed == 2 && stats.bytes);
	CHECK(!stats.saturated && stats.nanoseconds);
	CHECK(!refstore_gc_stats(store, 2, &stats) && !stats.scans);
	CHECK(refstore_gc_stats(store, 3, &stats) == -EINVAL);
	CHECK(refstore_collect(store, 3, NULL) == -EINVAL);
	CHECK(!refstore_release(store, leaf));
	refstore_close(store);
}

static void check_tracked(void)
{
	uint64_t leaf, list;

	open_heap();
	leaf = create_leaf();
	list = create();
	CHECK(refstore_gc_is_tracked(store, leaf) == 0);
	CHECK(refstore_gc_is_tracked(store, list) == 1);
	CHECK(refstore_gc_is_tracked(store, 0) == -EBADF);
	refstore_close(store);
}

static void check_freeze(void)
{
	struct refstore_iter *iter;
	uint64_t pair, number;

	open_heap();
	CHECK(!refstore_gc_freeze_count(store, &number) && !number);
	pair = create_pair();
	create_leaf();
	CHECK(!refstore_gc_freeze(store, &number) && number == 2);
	CHECK(!refstore_gc_freeze(store, NULL));
	create();
	CHECK(!refstore_gc_freeze_count(store, &number) && number == 2);
	CHECK(!refstore_iter_generation(store, 0, 0, &iter));
	CHECK(count(iter) == 1);
	CHECK(!refstore_release(store, pair));
	CHECK(collect(REFSTORE_OLDEST) == 0);
	CHECK(!refstore_gc_unfreeze(store, &number) && number == 2);
	CHECK(!refstore_gc_unfreeze(store, &number) && number == 0);
	CHECK(!refstore_gc_unfreeze(store, NULL));
	CHECK(collect(REFSTORE_OLDEST) == 2);
	refstore_close(store);
}

/* Garbage can be looked at, and goes when it is dropped. */
static void check_garbage(void)
{
	struct refstore_walk_object object;
	struct refstore_collect result;
	struct refstore_iter *iter;
	uint64_t number;

	open_heap();
	CHECK(!refstore_gc_set_save_all(store, 1));
	create();
	CHECK(!refstore_release(store, create_pair()));
	CHECK(!refstore_collect(store, REFSTORE_OLDEST, &result));
	CHECK(result.saved == 2 && !result.reclaimed);
	CHECK(!refstore_iter_garbage(store, 0, &iter));
	CHECK(count(iter) == 2);
	CHECK(!refstore_iter_garbage(store, REFSTORE_WALK_MINT, &iter));
	CHECK(refstore_iter_next_object(iter, &object) == 1);
	CHECK(object.state & REFSTORE_STATE_SAVED);
	/* A slot, the heap's own, the handle. */
	CHECK(object.refs == 3 && object.handle);
	refstore_iter_free(iter);
	CHECK(count_handles() == 2);
	CHECK(refstore_iter_garbage(store, 8, &iter) == -EINVAL);
	CHECK(!refstore_gc_set_save_all(store, 0));
	CHECK(!refstore_gc_drop_garbage(store, &number) && number == 2);
	CHECK(!refstore_gc_drop_garbage(store, NULL));
	CHECK(!refstore_iter_garbage(store, 0, &iter));
	CHECK(count(iter) == 0 && count_objects() == 3);
	CHECK(!refstore_release(store, object.handle));
	CHECK(collect(REFSTORE_OLDEST) == 2);
	refstore_close(store);
}

/* The edges that an iterator meets, which all have these ends; 0: any. */
static uint64_t count_edges(struct refstore_iter *iter, uint64_t from,
			    uint64_t to)
{
	struct refstore_walk_edge edge;
	uint64_t number = 0;
	int ret;

	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		CHECK(!from || edge.from == from);
		CHECK(!to || edge.to == to);
		number++;
	}
	CHECK(!ret);
	refstore_iter_free(iter);
	return number;
}

static void check_references(void)
{
	uint64_t pair, third, found, id;
	struct refstore_iter *iter;
	size_t i;

	open_heap();
	for (i = 0; i < 200; i++)
		create_leaf();
	pair = create_pair();
	third = create();
	CHECK(!refstore_set_slot(store, third, 0, pair));
	id = id_of(pair);
	CHECK(!refstore_iter_referrers(store, id, &iter));
	CHECK(count_edges(iter, 0, id) == 2);
	CHECK(!refstore_iter_referents(store, id, &iter));
	CHECK(count_edges(iter, id, 0) == 1);
	CHECK(!refstore_iter_referrers(store, id_of(third), &iter));
	CHECK(count_edges(iter, 0, 0) == 0);
	CHECK(!refstore_find(store, id, &found) && found != pair);
	CHECK(id_of(found) == id && count_handles() == 203);
	CHECK(!refstore_release(store, found));
	CHECK(!refstore_find(store, id_of(third), &found));
	CHECK(id_of(found) == id_of(third));
	CHECK(!refstore_find(store, 1, &found) && id_of(found) == 1);
	CHECK(!refstore_find(store, 12345, &found) && !found);
	CHECK(!refstore_find(store, 0, &found) && !found);
	refstore_close(store);
}

static void check_weak(void)
{
	uint64_t object, weak, another, found = 1;

	open_heap();
	object = create_leaf();
	CHECK(!refstore_weak(store, object, &weak) && weak != object);
	CHECK(!refstore_weak(store, weak, &another) && another != weak);
	CHECK(refstore_upgrade(store, object, &found) == -EBADF);
	CHECK(!refstore_upgrade(store, weak, &found) && found);
	CHECK(id_of(found) == id_of(object) && count_handles() == 2);
	CHECK(!refstore_release(store, found));
	CHECK(refstore_get_slot(store, weak, 0, &found) == -EBADF);
	CHECK(refstore_weak(store, 0, &found) == -EBADF);
	CHECK(!refstore_release(store, weak));
	CHECK(refstore_upgrade(store, weak, &found) == -EBADF);
	CHECK(!refstore_release(store, object));
	CHECK(!refstore_upgrade(store, another, &found) && !found);
	CHECK(!refstore_weak(store, another, &weak));
	CHECK(!refstore_upgrade(store, weak, &found) && !found);
	refstore_close(store);
}

/* In a batch, weak handles are results like others. */
static void check_builder(void)
{
	struct refstore_builder *builder;
	struct refstore_event event;
	uint64_t object;

	open_heap();
	object = create_leaf();
	CHECK(!refstore_builder_new(&builder));
	CHECK(refstore_builder_weak(builder, object) == 0);
	CHECK(refstore_builder_upgrade(builder, REFSTORE_RESULT(0)) == 1);
	CHECK(refstore_builder_weak_notify(builder, object, 5) == 2);
	CHECK(refstore_builder_upgrade(builder, object) == 3);
	CHECK(refstore_builder_submit(builder, store,
				      REFSTORE_BATCH_CONTINUE) == 1);
	CHECK(refstore_builder_error(builder, 3) == -EBADF);
	CHECK(id_of(refstore_builder_result(builder, 1)) == id_of(object));
	CHECK(!refstore_release(store, refstore_builder_result(builder, 1)));
	CHECK(!refstore_release(store, object));
	CHECK(refstore_read_events(store, &event, 1, LONG) == 1);
	CHECK(event.cookie == 5);
	refstore_builder_reset(builder);
	CHECK(refstore_builder_weak_notify(builder, object,
					   REFSTORE_COOKIE_MAX + 1) == -EINVAL);
	CHECK(refstore_builder_submit(builder, store, 0) == -EINVAL);
	refstore_builder_free(builder);
	refstore_close(store);
}

static bool is_readable(void)
{
	struct pollfd pollfd = { .fd = refstore_fd(store), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

static void check_notices(void)
{
	uint64_t object, pair, id, weak, other;
	struct refstore_event events[4];

	open_heap();
	CHECK(refstore_read_events(store, events, 4, 0) == -ENODATA);
	CHECK(refstore_read_events(store, events, 4, LONG) == -ENODATA);
	object = create_leaf();
	id = id_of(object);
	CHECK(refstore_weak_notify(store, object, REFSTORE_COOKIE_MAX + 1,
				   &weak) == -EINVAL);
	CHECK(refstore_weak_notify(store, 0, 1, &weak) == -EBADF);
	CHECK(!refstore_weak_notify(store, object, REFSTORE_COOKIE_MAX, &weak));
	CHECK(!refstore_weak_notify(store, object, 8, &other));
	CHECK(refstore_read_events(store, events, 4, 0) == 0);
	CHECK(refstore_read_events(store, events, 4, 20) == 0);
	CHECK(refstore_read_events(store, events, 0, 0) == -EINVAL);
	CHECK(!is_readable());
	/* Released before the death: no notice. */
	CHECK(!refstore_release(store, other));
	CHECK(!refstore_release(store, object));
	CHECK(is_readable());
	CHECK(refstore_read_events(store, events, 4, LONG) == 1);
	CHECK(events[0].kind == REFSTORE_EVENT_DEATH && events[0].id == id);
	CHECK(events[0].cookie == REFSTORE_COOKIE_MAX && events[0].seq == 1);
	/* Of what is dead already, at once. */
	CHECK(!refstore_weak_notify(store, weak, 9, &other));
	CHECK(refstore_read_events(store, events, 4, 0) == 1);
	CHECK(events[0].cookie == 9 && events[0].seq == 2);
	/* Of what a scan finds. */
	pair = create_pair();
	CHECK(!refstore_weak_notify(store, pair, 10, &weak));
	CHECK(!refstore_release(store, pair) && collect(0) == 2);
	CHECK(refstore_read_events(store, events, 4, LONG) == 1);
	CHECK(events[0].cookie == 10);
	refstore_close(store);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A signal ends the wait, with SA_RESTART, too: poll(2) never goes on. */
static void check_signal(void)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 50000 },
					.it_interval = { .tv_usec = 50000 } };
	const struct itimerval never = {};
	struct sigaction action = { .sa_handler = on_alarm };
	struct refstore_event event;

	open_heap();
	CHECK(!refstore_watch_scans(store, 1));
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &soon, NULL));
	CHECK(refstore_read_events(store, &event, 1, -1) == -EINTR);
	CHECK(refstore_dispatch(store, -1) == -EINTR);
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	refstore_close(store);
}

#define ROUNDS 100
#define CROWD 2000

static bool worked;

/* Keeps the session busy, for longer than somebody waits without sleeping. */
static void *crowd(void *unused)
{
	uint64_t handles[CROWD];
	const struct refstore_spec spec = { .type = REFSTORE_TYPE_INT };

	(void)unused;
	while (!__atomic_load_n(&worked, __ATOMIC_RELAXED)) {
		CHECK(!refstore_create_many(store, &spec, CROWD, handles));
		CHECK(!refstore_release_many(store, handles, CROWD));
	}
	return NULL;
}

/* In the main thread: it gets the signals. */
static void work(void)
{
	uint64_t object, weak;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		object = create();
		CHECK(!refstore_weak(store, object, &weak));
		CHECK(!refstore_gc_disable(store));
		CHECK(!refstore_release(store, weak));
		CHECK(!refstore_release(store, object));
	}
}

/* Threads that wait for each other, and signals all the time. */
static void check_interrupted(void)
{
	const struct itimerval often = { .it_value = { .tv_usec = 500 },
					 .it_interval = { .tv_usec = 500 } };
	const struct itimerval never = {};
	struct sigaction action = { .sa_handler = on_alarm };
	pthread_t threads[2];
	size_t i;

	open_heap();
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, crowd, NULL));
	work();
	__atomic_store_n(&worked, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	CHECK(count_handles() == 0 && count_objects() == 0);
	refstore_close(store);
}

static void check_scans(void)
{
	struct refstore_event events[4];

	open_heap();
	CHECK(!refstore_watch_scans(store, 1));
	CHECK(!refstore_release(store, create_pair()));
	CHECK(collect(1) == 2);
	CHECK(refstore_read_events(store, events, 1, LONG) == 1);
	CHECK(refstore_read_events(store, events + 1, 3, LONG) == 1);
	CHECK(events[0].kind == REFSTORE_EVENT_SCAN_BEGIN);
	CHECK(events[1].kind == REFSTORE_EVENT_SCAN_END);
	CHECK(events[0].generation == 1 && events[1].generation == 1);
	CHECK(!events[0].visited && events[1].visited == 2);
	CHECK(events[1].reclaimed == 2 && events[1].nanoseconds);
	CHECK(!refstore_watch_scans(store, 0));
	CHECK(collect(0) == 0);
	CHECK(refstore_read_events(store, events, 4, 0) == 0);
	refstore_close(store);
}

/* What callbacks were told. */
struct told {
	uint64_t weak;
	uint64_t id;
	unsigned int deaths;
	unsigned int begins;
	unsigned int ends;
	uint64_t reclaimed;
};

static void on_death(struct refstore *session, uint64_t weak, uint64_t id,
		     void *data)
{
	struct told *told = data;
	uint64_t object;

	CHECK(session == store);
	CHECK(!refstore_upgrade(store, weak, &object) && !object);
	told->weak = weak;
	told->id = id;
	told->deaths++;
}

static void on_scan(struct refstore *session,
		    const struct refstore_event *event, void *data)
{
	struct told *told = data;

	CHECK(session == store);
	if (event->kind == REFSTORE_EVENT_SCAN_BEGIN)
		told->begins++;
	else
		told->ends++;
	told->reclaimed += event->reclaimed;
}

static void check_watch(void)
{
	uint64_t object, id, weak, other, again;
	struct told told = {}, never = {};

	open_heap();
	CHECK(refstore_dispatch(store, 0) == -ENODATA);
	CHECK(refstore_watch(store, 0, on_death, &told, &weak) == -EBADF);
	object = create_leaf();
	id = id_of(object);
	CHECK(!refstore_watch(store, object, on_death, &told, &weak));
	CHECK(!refstore_watch(store, object, on_death, &never, &other));
	CHECK(!refstore_weak_notify(store, object, 1, &again));
	CHECK(!refstore_unwatch(store, other));
	CHECK(refstore_unwatch(store, other) == -EBADF);
	CHECK(refstore_dispatch(store, 0) == 0);
	CHECK(!refstore_release(store, object));
	/* The one with a cookie of our own has no function. */
	CHECK(refstore_dispatch(store, LONG) == 2);
	CHECK(told.deaths == 1 && told.weak == weak && told.id == id);
	CHECK(!never.deaths);
	/* Forgotten between death and dispatch. */
	CHECK(!refstore_watch(store, weak, on_death, &never, &other));
	CHECK(!refstore_unwatch(store, other));
	CHECK(refstore_dispatch(store, LONG) == 1 && !never.deaths);
	CHECK(!refstore_watch(store, weak, on_death, &told, &other));
	CHECK(refstore_dispatch(store, LONG) == 1 && told.deaths == 2);
	CHECK(told.weak == other);
	CHECK(!refstore_unwatch(store, other));
	CHECK(!refstore_unwatch(store, weak));
	/* Some are left when the session ends. */
	CHECK(!refstore_watch(store, again, on_death, &never, &other));
	refstore_close(store);
}

/* More than one chunk, all with a death of their own. */
static void check_many(void)
{
	uint64_t objects[100], weak[100];
	struct told told[100] = {};
	size_t i;

	open_heap();
	for (i = 0; i < 100; i++) {
		objects[i] = create_leaf();
		CHECK(!refstore_watch(store, objects[i], on_death, &told[i],
				      &weak[i]));
	}
	for (i = 100; i--; )
		CHECK(!refstore_release(store, objects[i]));
	CHECK(refstore_dispatch(store, LONG) == 100);
	for (i = 0; i < 100; i++)
		CHECK(told[i].deaths == 1 && told[i].weak == weak[i]);
	refstore_close(store);
}

#define DEATHS 2000

static void count_death(struct refstore *session, uint64_t weak, uint64_t id,
			void *data)
{
	unsigned int *deaths = data;

	(void)id;
	__atomic_add_fetch(deaths, 1, __ATOMIC_RELAXED);
	CHECK(!refstore_unwatch(session, weak));
}

/* Dispatches until all deaths were told of. */
static void *dispatch_all(void *data)
{
	unsigned int *deaths = data;
	int idle = 0;
	ssize_t ret;

	while (__atomic_load_n(deaths, __ATOMIC_RELAXED) < DEATHS) {
		ret = refstore_dispatch(store, 100);
		CHECK(ret >= 0 || ret == -ENODATA);
		if (ret == -ENODATA)
			usleep(100000);
		idle = ret > 0 ? 0 : idle + 1;
		CHECK(idle < 300);
	}
	return NULL;
}

/* A notice that comes before its request has returned finds its function. */
static void check_threads(void)
{
	pthread_t threads[2];
	unsigned int deaths = 0;
	uint64_t object, dead, weak;
	size_t i;

	open_heap();
	object = create_leaf();
	CHECK(!refstore_weak(store, object, &dead));
	CHECK(!refstore_release(store, object));
	for (i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, dispatch_all,
				      &deaths));
	for (i = 0; i < DEATHS; i++)
		CHECK(!refstore_watch(store, dead, count_death, &deaths,
				      &weak));
	for (i = 0; i < 2; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(deaths == DEATHS);
	refstore_close(store);
}

static void remove_itself(struct refstore *session,
			  const struct refstore_event *event, void *data)
{
	on_scan(session, event, data);
	CHECK(!refstore_gc_remove_callback(store, remove_itself, data));
}

static void check_callbacks(void)
{
	struct told first = {}, second = {}, third = {};

	open_heap();
	CHECK(refstore_gc_remove_callback(store, on_scan, &first) == -ENOENT);
	CHECK(!refstore_gc_add_callback(store, remove_itself, &first));
	CHECK(!refstore_gc_add_callback(store, on_scan, &second));
	CHECK(!refstore_gc_add_callback(store, on_scan, &third));
	CHECK(!refstore_gc_remove_callback(store, on_scan, &third));
	CHECK(!refstore_release(store, create_pair()));
	CHECK(collect(0) == 2);
	CHECK(refstore_dispatch(store, LONG) >= 1);
	while (!second.ends)
		CHECK(refstore_dispatch(store, LONG) >= 1);
	CHECK(first.begins == 1 && !first.ends);
	CHECK(second.begins == 1 && second.ends == 1 && second.reclaimed == 2);
	CHECK(!third.begins && !third.ends);
	/* With the last one, the events end. */
	CHECK(!refstore_gc_remove_callback(store, on_scan, &second));
	CHECK(collect(0) == 0);
	CHECK(refstore_dispatch(store, 0) == 0);
	CHECK(!refstore_gc_add_callback(store, on_scan, &third));
	refstore_close(store);
}

/*
 * Callbacks that change what they are told of, as those of Python's tests do.
 */

/* A pair that is on no scan's way: it goes when its slot is emptied. */
static void break_pair(struct refstore *session, uint64_t weak, uint64_t id,
		       void *data)
{
	uint64_t *pair = data;

	(void)weak;
	(void)id;
	CHECK(count_objects() == 2);
	CHECK(!refstore_set_slot(session, *pair, 0, 0));
	CHECK(!refstore_release(session, *pair));
	*pair = 0;
}

static void break_before(struct refstore *session,
			 const struct refstore_event *event, void *data)
{
	uint64_t *pair = data;

	if (event->kind == REFSTORE_EVENT_SCAN_BEGIN && *pair) {
		CHECK(!refstore_set_slot(session, *pair, 0, 0));
		CHECK(!refstore_release(session, *pair));
		*pair = 0;
	}
}

static void dispatch_until_zero(const uint64_t *word)
{
	while (*word)
		CHECK(refstore_dispatch(store, LONG) >= 1);
}

/* Boom: what is left of the garbage's friends falls apart without a scan. */
static void check_boom(void)
{
	uint64_t pair, other, weak;

	open_heap();
	pair = create_pair();
	other = create_pair();
	CHECK(!refstore_watch(store, pair, break_pair, &other, &weak));
	CHECK(!refstore_release(store, pair));
	CHECK(collect(REFSTORE_OLDEST) == 2);
	dispatch_until_zero(&other);
	CHECK(count_objects() == 0 && collect(REFSTORE_OLDEST) == 0);
	CHECK(!refstore_unwatch(store, weak));

	pair = create_pair();
	CHECK(!refstore_gc_add_callback(store, break_before, &pair));
	CHECK(collect(REFSTORE_OLDEST) == 0);
	dispatch_until_zero(&pair);
	CHECK(count_objects() == 0 && count_handles() == 0);
	refstore_close(store);
}

#define RING 5

/* The watches of a ring, of which none was called yet; 0 for those gone. */
static uint64_t ring_weak[RING];

static void unwatch_all(struct refstore *session, uint64_t weak, uint64_t id,
			void *data)
{
	unsigned int *deaths = data;
	bool found = false;
	size_t i;

	(void)id;
	++*deaths;
	for (i = 0; i < RING; i++) {
		found |= ring_weak[i] == weak;
		CHECK(!refstore_unwatch(session, ring_weak[i]));
	}
	CHECK(found);
}

/* All die together; whoever hears of it first spares the others. */
static void check_unwatch_others(void)
{
	uint64_t ring[RING], next;
	unsigned int deaths = 0;
	ssize_t told = 0;
	size_t i;

	open_heap();
	for (i = 0; i < RING; i++)
		ring[i] = create();
	for (i = 0; i < RING; i++) {
		next = ring[(i + 1) % RING];
		CHECK(!refstore_set_slot(store, ring[i], 0, next));
		CHECK(!refstore_watch(store, ring[i], unwatch_all, &deaths,
				      &ring_weak[i]));
	}
	CHECK(!refstore_release_many(store, ring, RING));
	CHECK(collect(0) == RING);
	while (told < RING) {
		ssize_t ret = refstore_dispatch(store, LONG);

		CHECK(ret >= 1);
		told += ret;
	}
	CHECK(deaths == 1 && refstore_dispatch(store, 0) == 0);
	CHECK(count_objects() == 0);
	refstore_close(store);
}

static void collect_again(struct refstore *session,
			  const struct refstore_event *event, void *data)
{
	struct told *told = data;

	on_scan(session, event, data);
	if (event->kind != REFSTORE_EVENT_SCAN_END || told->ends > 1)
		return;
	CHECK(!refstore_release(session, create_pair()));
	CHECK(collect(REFSTORE_OLDEST) == 2);
	CHECK(count_objects() == 0);
}

/* A collection in the callback of one, with none that comes by itself. */
static void check_collect_inside(void)
{
	struct told told = {};

	open_heap();
	CHECK(refstore_gc_is_enabled(store) == 0);
	CHECK(!refstore_gc_add_callback(store, collect_again, &told));
	CHECK(!refstore_release(store, create_pair()));
	CHECK(collect(0) == 2);
	while (told.ends < 2)
		CHECK(refstore_dispatch(store, LONG) >= 1);
	CHECK(told.begins == 2 && told.reclaimed == 4);
	CHECK(refstore_dispatch(store, 0) == 0);
	refstore_close(store);
}

static void await_child(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && !status);
}

/* A child has the weak handles, and hears of nothing until it asks. */
static void check_fork(void)
{
	uint64_t object, weak, found;
	struct told told = {};
	pid_t child;

	open_heap();
	object = create_leaf();
	CHECK(!refstore_watch(store, object, on_death, &told, &weak));
	CHECK(!refstore_gc_add_callback(store, on_scan, &told));
	CHECK(refstore_dispatch(store, 0) == 0);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		CHECK(refstore_dispatch(store, 0) == -ENODATA);
		CHECK(!refstore_upgrade(store, weak, &found) && found);
		CHECK(!refstore_unwatch(store, weak));
		CHECK(!refstore_watch_scans(store, 1));
		CHECK(!refstore_release(store, create_pair()));
		CHECK(collect(0) == 2);
		while (!told.ends)
			CHECK(refstore_dispatch(store, LONG) >= 0);
		CHECK(told.begins == 1 && told.reclaimed == 2);
		refstore_close(store);
		_exit(0);
	}
	await_child(child);
	while (!told.ends)
		CHECK(refstore_dispatch(store, LONG) >= 0);
	CHECK(!told.deaths);
	CHECK(!refstore_release(store, object));
	while (!told.deaths)
		CHECK(refstore_dispatch(store, LONG) >= 0);
	CHECK(told.weak == weak);
	refstore_close(store);
}

/* A dead session: each call says so, and none hangs. */
static void check_dead(void)
{
	uint64_t word = 77, words[3];
	struct told told = {};
	struct refstore_event event;
	struct refstore_generation stats;
	uint32_t three[3] = {};

	open_heap();
	close(refstore_fd(store));
	CHECK(refstore_gc_enable(store) == -EBADF);
	CHECK(refstore_gc_disable(store) == -EBADF);
	CHECK(refstore_gc_is_enabled(store) == -EBADF);
	CHECK(refstore_gc_set_threshold(store, three) == -EBADF);
	CHECK(refstore_gc_get_threshold(store, three) == -EBADF);
	CHECK(refstore_gc_set_delay(store, three) == -EBADF);
	CHECK(refstore_gc_get_delay(store, three) == -EBADF);
	CHECK(refstore_gc_get_count(store, words) == -EBADF);
	CHECK(refstore_gc_stats(store, 0, &stats) == -EBADF);
	CHECK(refstore_gc_freeze(store, &word) == -EBADF);
	CHECK(refstore_gc_unfreeze(store, &word) == -EBADF);
	CHECK(refstore_gc_freeze_count(store, &word) == -EBADF);
	CHECK(refstore_gc_set_save_all(store, 1) == -EBADF);
	CHECK(refstore_gc_get_save_all(store) == -EBADF);
	CHECK(refstore_gc_drop_garbage(store, &word) == -EBADF);
	CHECK(refstore_watch_scans(store, 1) == -EBADF);
	CHECK(refstore_read_events(store, &event, 1, LONG) == -EBADF);
	CHECK(refstore_dispatch(store, LONG) == -EBADF);
	CHECK(refstore_gc_add_callback(store, on_scan, &told) == -EBADF);
	CHECK(refstore_gc_remove_callback(store, on_scan, &told) == -ENOENT);
	CHECK(refstore_find(store, 1, &word) == -EBADF);
	CHECK(refstore_weak(store, 1, &word) == -EBADF);
	CHECK(refstore_weak_notify(store, 1, 0, &word) == -EBADF);
	CHECK(refstore_upgrade(store, 1, &word) == -EBADF);
	CHECK(refstore_watch(store, 1, on_death, &told, &word) == -EBADF);
	CHECK(refstore_unwatch(store, 1) == -EBADF);
	/* Results are written on success only. */
	CHECK(word == 77);
	refstore_close(store);
}

int main(void)
{
	check_settings();
	check_automatic();
	check_generations();
	check_tracked();
	check_freeze();
	check_garbage();
	check_references();
	check_weak();
	check_builder();
	check_notices();
	check_signal();
	check_interrupted();
	check_scans();
	check_watch();
	check_many();
	check_threads();
	check_callbacks();
	check_boom();
	check_unwatch_others();
	check_collect_inside();
	check_fork();
	check_dead();
	return 0;
}
