// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "number.h"
#include "object.h"
#include "out.h"
#include "sessions.h"
#include "target.h"

/* Nobody tells of sessions: they are looked at so often, in milliseconds. */
#define SESSIONS_PERIOD 1000

/* Objects whose death is of interest; and how many events to wait for. */
static uint64_t *ids;
static size_t nr_ids;
static uint64_t wanted = UINT64_MAX;
static bool tell_sessions;

enum {
	OPTION_COUNT = OPTION_FIRST,
	OPTION_DEATH,
	OPTION_SESSIONS,
};

static const struct option options[] = {
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "death", required_argument, NULL, OPTION_DEATH },
	{ "sessions", no_argument, NULL, OPTION_SESSIONS },
	{},
};

static bool take(int option, const char *argument)
{
	uint64_t *more;

	if (option == OPTION_COUNT)
		return number_take("--count", argument, 1, INT64_MAX, &wanted);
	if (option == OPTION_SESSIONS) {
		tell_sessions = true;
		return true;
	}
	more = reallocarray(ids, nr_ids + 1, sizeof(*ids));
	if (!more)
		err(STATUS_FAILED, "--death");
	ids = more;
	return number_take("--death", argument, 1, INT64_MAX, &ids[nr_ids++]);
}

/**
 * struct watcher - a heap being watched
 * @store: a session on the heap
 * @alive: number of objects whose death is yet to be told
 * @sessions: the sessions that there were when these were last looked at
 * @own: the number of @store's session, which is not told of
 * @next: when to look at them again, on CLOCK_MONOTONIC, in milliseconds
 */
struct watcher {
	struct refstore *store;
	size_t alive;
	struct sessions sessions;
	uint64_t own;
	uint64_t next;
};

/*
 * Printing
 */

/* The time is now: those of events are not known. */
static void begin_line(void)
{
	struct timespec now;
	char text[40] = "";
	struct tm broken;

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &broken))
		strftime(text, sizeof(text), "%F %T", &broken);
	out_open_object(NULL);
	out_json_number("time", (uint64_t)now.tv_sec * 1000000000 +
				(uint64_t)now.tv_nsec);
	out_text("%s.%06ld ", text, now.tv_nsec / 1000);
}

static void end_line(void)
{
	out_text("\n");
	out_close_object();
	/* For who does not get it, nothing is wanted any more */
	wanted = fflush(stdout) ? 0 : wanted - 1;
}

static void print_death(const struct refstore_event *event)
{
	out_json_string("event", "death");
	out_number("id", "object %" PRIu64 " is dead", event->id);
}

static void print_scan(const struct refstore_event *event)
{
	bool end = event->kind == REFSTORE_EVENT_SCAN_END;

	out_json_string("event", end ? "stop" : "start");
	out_number("scan", "scan %" PRIu64, event->id);
	out_number("generation", " of generation %" PRIu64, event->generation);
	out_text(end ? " ends" : " begins");
	if (end) {
		out_count("visited", ": visited ", event->visited, "object");
		out_number("reclaimed", ", reclaimed %" PRIu64,
			   event->reclaimed);
		out_number("nanoseconds", "; %" PRIu64 " ns",
			   event->nanoseconds);
	}
	if (event->lost)
		out_count("lost", "; before it, lost ", event->lost, "event");
}

static void print_event(struct watcher *watcher,
			const struct refstore_event *event)
{
	begin_line();
	if (event->kind == REFSTORE_EVENT_DEATH) {
		print_death(event);
		watcher->alive--;
	} else {
		print_scan(event);
	}
	end_line();
}

static void print_session(const struct watcher *watcher,
			  struct refstore_walk_session *session, bool begins)
{
	if (session->session == watcher->own || !wanted)
		return;
	begin_line();
	out_json_string("event", begins ? "open" : "close");
	out_number("session", "session %" PRIu64, session->session);
	out_json_truth("exported", session->exported);
	out_text("%s %s: ", session->exported ? " (an export)" : "",
		 begins ? "begins" : "ends");
	object_print_owner(session);
	end_line();
}

/*
 * Sessions
 */

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Those that are in one list only. A number is not given again so soon. */
static void compare_sessions(const struct watcher *watcher,
			     const struct sessions *before,
			     const struct sessions *after)
{
	size_t i = 0, j = 0;

	while (i < before->count || j < after->count) {
		struct refstore_walk_session *old = &before->list[i];
		struct refstore_walk_session *new = &after->list[j];

		if (j == after->count ||
		    (i < before->count && old->session < new->session)) {
			print_session(watcher, old, false);
			i++;
		} else if (i == before->count || new->session < old->session) {
			print_session(watcher, new, true);
			j++;
		} else {
			i++;
			j++;
		}
	}
}

/* Prints what has changed since the last time, unless there was none. */
static int look_at_sessions(struct watcher *watcher)
{
	struct sessions sessions = {};
	int ret = sessions_read(&sessions, watcher->store);

	if (!ret && watcher->next)
		compare_sessions(watcher, &watcher->sessions, &sessions);
	sessions_free(&watcher->sessions);
	watcher->sessions = sessions;
	watcher->next = milliseconds() + SESSIONS_PERIOD;
	return ret;
}

static int begin_sessions(struct watcher *watcher)
{
	struct refstore_query query;
	int ret = refstore_query(watcher->store, &query);

	watcher->own = query.session;
	if (!ret)
		ret = look_at_sessions(watcher);
	if (ret)
		warnx("cannot list sessions: %s", strerror(-ret));
	return ret;
}

/*
 * Scans and deaths
 */

/* The weak handle goes with the session. */
static int watch(struct refstore *store, uint64_t id)
{
	uint64_t object, weak;
	int ret = refstore_find(store, id, &object);

	if (!ret && !object)
		ret = -ENOENT;
	if (ret)
		return ret;
	ret = refstore_weak_notify(store, object, 0, &weak);
	refstore_release(store, object);
	return ret;
}

/* Of the objects' deaths if there are some, else of scans. */
static int begin_events(struct watcher *watcher)
{
	size_t i;
	int ret;

	if (!nr_ids) {
		ret = refstore_watch_scans(watcher->store, 1);
		if (ret)
			warnx("cannot watch: %s", strerror(-ret));
		return ret;
	}
	for (i = 0; i < nr_ids; i++) {
		ret = watch(watcher->store, ids[i]);
		if (ret == -ENOENT)
			warnx("no object %" PRIu64, ids[i]);
		else if (ret)
			warnx("object %" PRIu64 ": %s", ids[i],
			      strerror(-ret));
		if (ret)
			return ret;
	}
	watcher->alive = nr_ids;
	return 0;
}

/* How long to wait for an event: until sessions are looked at again. */
static int timeout(const struct watcher *watcher)
{
	uint64_t now = milliseconds();

	if (!tell_sessions)
		return -1;
	return now < watcher->next ? (int)(watcher->next - now) : 0;
}

static int wait_and_print(struct watcher *watcher)
{
	struct refstore_event event;
	ssize_t ret = refstore_read_events(watcher->store, &event, 1,
					   timeout(watcher));

	if (ret == 1)
		print_event(watcher, &event);
	if (ret < 0 && ret != -EINTR)
		return (int)ret;
	if (tell_sessions && milliseconds() >= watcher->next)
		return look_at_sessions(watcher);
	return 0;
}

static int show(struct watcher *watcher)
{
	int ret = 0;

	while (!ret && wanted && (!nr_ids || watcher->alive))
		ret = wait_and_print(watcher);
	if (!ret)
		return STATUS_OK;
	warnx("cannot read events: %s", strerror(-ret));
	return STATUS_FAILED;
}

static int run_watch(const struct arguments *arguments)
{
	struct watcher watcher = {};
	int status = STATUS_FAILED;

	if (target_open(arguments, &watcher.store))
		return STATUS_FAILED;
	if (!begin_events(&watcher) &&
	    (!tell_sessions || !begin_sessions(&watcher)))
		status = show(&watcher);
	refstore_close(watcher.store);
	sessions_free(&watcher.sessions);
	free(ids);
	return status;
}

const struct command command_watch = {
	.name = "watch",
	.alias = "events",
	.usage = "",
	.summary = "Tell when a heap's scans begin and end, or objects die",
	.help = "A line for each event, as it comes, in JSON, too, with the\n"
		"time at which it was read. Meanwhile the heap lives, even if\n"
		"nobody else has a session on it. 'refstore events' is the\n"
		"same command.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --count N       end after N events; otherwise go on\n"
		"                      until a signal ends it\n"
		"      --death ID      tell when this object dies; more than\n"
		"                      once: each of them. Ends when all are\n"
		"                      dead; scans are not told of\n"
		"      --sessions      tell of sessions and exports, too, that\n"
		"                      begin and end: they are listed once a\n"
		"                      second, so some may escape\n",
	.take = take,
	.run = run_watch,
};
