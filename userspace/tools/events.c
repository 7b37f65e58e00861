// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "out.h"
#include "target.h"

/* Objects whose death is of interest; and how many events to wait for. */
static uint64_t *ids;
static size_t nr_ids;
static uint64_t wanted = UINT64_MAX;

enum {
	OPTION_COUNT = OPTION_FIRST,
	OPTION_DEATH,
};

static const struct option options[] = {
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "death", required_argument, NULL, OPTION_DEATH },
	{},
};

static bool take(int option, const char *argument)
{
	uint64_t *more;

	if (option == OPTION_COUNT)
		return number_take("--count", argument, 1, INT64_MAX, &wanted);
	more = reallocarray(ids, nr_ids + 1, sizeof(*ids));
	if (!more)
		err(STATUS_FAILED, "--death");
	ids = more;
	return number_take("--death", argument, 1, INT64_MAX, &ids[nr_ids++]);
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
	out_text("\n");
}

static void print_event(const struct refstore_event *event)
{
	out_open_object(NULL);
	if (event->kind == REFSTORE_EVENT_DEATH) {
		out_json_string("event", "death");
		out_number("id", "object %" PRIu64 " is dead\n", event->id);
	} else {
		print_scan(event);
	}
	out_close_object();
	fflush(stdout);
}

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
static int begin(struct refstore *store)
{
	size_t i;
	int ret;

	if (!nr_ids) {
		ret = refstore_watch_scans(store, 1);
		if (ret)
			warnx("cannot watch: %s", strerror(-ret));
		return ret;
	}
	for (i = 0; i < nr_ids; i++) {
		ret = watch(store, ids[i]);
		if (ret == -ENOENT)
			warnx("no object %" PRIu64, ids[i]);
		else if (ret)
			warnx("object %" PRIu64 ": %s", ids[i],
			      strerror(-ret));
		if (ret)
			return ret;
	}
	if (wanted > nr_ids)
		wanted = nr_ids;
	return 0;
}

static int show(struct refstore *store)
{
	struct refstore_event event;
	ssize_t ret;

	while (wanted) {
		ret = refstore_read_events(store, &event, 1, -1);
		if (ret == -EINTR)
			continue;
		if (ret < 0) {
			warnx("cannot read events: %s", strerror((int)-ret));
			return STATUS_FAILED;
		}
		print_event(&event);
		wanted--;
	}
	return STATUS_OK;
}

static int run_events(const struct arguments *arguments)
{
	struct refstore *store;
	int status = STATUS_FAILED;

	if (target_open(arguments, &store))
		return STATUS_FAILED;
	if (!begin(store))
		status = show(store);
	refstore_close(store);
	free(ids);
	return status;
}

const struct command command_events = {
	.name = "events",
	.usage = "",
	.summary = "Tell when a heap's scans begin and end, or objects die",
	.help = "A line for each event, in JSON, too. Meanwhile the heap\n"
		"lives, even if nobody else has a session on it.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --count N       end after N events; otherwise go on\n"
		"                      until a signal ends it\n"
		"      --death ID      tell when this object dies; more than\n"
		"                      once: each of them. Ends when all are\n"
		"                      dead; scans are not told of\n",
	.take = take,
	.run = run_events,
};
