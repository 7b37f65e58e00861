// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of /proc/refstore in the text format of Prometheus.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "table.h"

#define PREFIX "refstore_"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/**
 * struct metric - a metric
 * @source: the name of the value, or the column, that it is
 * @name: its own, after PREFIX and what its file is about
 * @help: what it is
 * @nanoseconds: that is what the source has; metrics have seconds
 *
 * Those that end in "_total" are counters, the others gauges.
 */
struct metric {
	const char *source;
	const char *name;
	const char *help;
	bool nanoseconds;
};

static const struct metric totals[] = {
	{ .source = "heaps", .name = "heaps", .help = "Heaps." },
	{ .source = "sessions", .name = "sessions", .help = "Sessions." },
	{ .source = "handles", .name = "handles",
	  .help = "Handles, weak ones too." },
	{ .source = "objects", .name = "objects", .help = "Objects." },
	{ .source = "bytes", .name = "bytes",
	  .help = "Bytes that objects take." },
	{ .source = "candidates", .name = "candidates",
	  .help = "Objects that scans begin at." },
	{ .source = "backlog", .name = "backlog",
	  .help = "What waits to be taken apart by a work item." },
	{ .source = "created", .name = "objects_created_total",
	  .help = "Objects that were made." },
	{ .source = "freed", .name = "objects_freed_total",
	  .help = "Objects that were freed." },
	{ .source = "saturated", .name = "saturated_total",
	  .help = "Objects that leak because their count was wrong." },
	{ .source = "scans", .name = "scans_total", .help = "Scans." },
	{ .source = "scan_visited", .name = "scan_visited_total",
	  .help = "Objects that scans looked at." },
	{ .source = "scan_reclaimed", .name = "scan_reclaimed_total",
	  .help = "Objects that scans freed." },
	{ .source = "scan_bytes", .name = "scan_reclaimed_bytes_total",
	  .help = "Bytes that scans freed." },
	{ .source = "scan_aborted", .name = "scan_aborted_total",
	  .help = "Groups of objects that were in use after all." },
	{ .source = "scan_stopped", .name = "scan_stopped_total",
	  .help = "Scans that gave up." },
	{ .source = "scan_nanoseconds", .name = "scan_seconds_total",
	  .help = "Time that scans took.", .nanoseconds = true },
	{ .source = "scan_saved", .name = "scan_saved_total",
	  .help = "Objects that scans kept though they were garbage." },
	{ .source = "floating_objects", .name = "floating_objects",
	  .help = "Garbage that the last scans found: objects." },
	{ .source = "floating_bytes", .name = "floating_bytes",
	  .help = "Garbage that the last scans found: bytes." },
	{ .source = "floating_peak_objects", .name = "floating_peak_objects",
	  .help = "Most garbage that a scan found: objects." },
	{ .source = "floating_peak_bytes", .name = "floating_peak_bytes",
	  .help = "Most garbage that a scan found: bytes." },
	{ .source = "deferred_bytes", .name = "deferred_bytes",
	  .help = "Bytes of the dead that wait for a scan to end." },
	{ .source = "large", .name = "large", .help = "Large values." },
	{ .source = "large_bytes", .name = "large_bytes",
	  .help = "Bytes of large values." },
};

static const struct metric of_heap[] = {
	{ .source = "sessions", .name = "sessions",
	  .help = "Sessions on the heap." },
	{ .source = "handles", .name = "handles",
	  .help = "Handles of these, weak ones too." },
	{ .source = "objects", .name = "objects",
	  .help = "Objects of the heap." },
	{ .source = "bytes", .name = "bytes",
	  .help = "Bytes that these take." },
	{ .source = "candidates", .name = "candidates",
	  .help = "Objects of the heap that scans begin at." },
	{ .source = "backlog", .name = "backlog",
	  .help = "What waits to be taken apart by a work item." },
	{ .source = "scans", .name = "scans_total",
	  .help = "Scans of the heap." },
	{ .source = "reclaimed", .name = "scan_reclaimed_total",
	  .help = "Objects that these freed." },
	{ .source = "large", .name = "large",
	  .help = "Large values of the heap." },
	{ .source = "large_bytes", .name = "large_bytes",
	  .help = "Bytes of these." },
};

static const struct metric of_user[] = {
	{ .source = "objects", .name = "objects",
	  .help = "Objects that the user is charged for." },
	{ .source = "max_objects", .name = "objects_limit",
	  .help = "How many that may be." },
	{ .source = "bytes", .name = "bytes",
	  .help = "Bytes that the user is charged for." },
	{ .source = "max_bytes", .name = "bytes_limit",
	  .help = "How many that may be." },
	{ .source = "handles", .name = "handles",
	  .help = "Room for handles that the user is charged for." },
	{ .source = "max_handles", .name = "handles_limit",
	  .help = "How much that may be." },
	{ .source = "weak", .name = "weak_handles",
	  .help = "Weak handles that the user is charged for." },
	{ .source = "max_weak", .name = "weak_handles_limit",
	  .help = "How many that may be." },
	{ .source = "heaps", .name = "heaps",
	  .help = "Heaps of the user." },
	{ .source = "max_heaps", .name = "heaps_limit",
	  .help = "How many that may be." },
};

static void print_head(const struct metric *metric, const char *about)
{
	size_t length = strlen(metric->name), end = strlen("_total");
	bool counter = length > end &&
		       !strcmp(metric->name + length - end, "_total");

	printf("# HELP " PREFIX "%s%s %s\n", about, metric->name, metric->help);
	printf("# TYPE " PREFIX "%s%s %s\n", about, metric->name,
	       counter ? "counter" : "gauge");
}

static void print_value(const struct metric *metric, uint64_t value)
{
	if (metric->nanoseconds)
		printf(" %" PRIu64 ".%09" PRIu64 "\n", value / 1000000000,
		       value % 1000000000);
	else
		printf(" %" PRIu64 "\n", value);
}

static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

/**
 * struct group - the metrics of a file
 * @file: the file
 * @about: what comes after PREFIX
 * @metrics: they
 * @count: number of them
 * @labels: the columns that name a row, ended by NULL
 */
static const struct group {
	const char *file;
	const char *about;
	const struct metric *metrics;
	size_t count;
	const char *labels[4];
} groups[] = {
	{ "stats", "", totals, COUNT(totals), {} },
	{ "heaps", "heap_", of_heap, COUNT(of_heap),
	  { "heap", "uid", "label" } },
	{ "users", "user_", of_user, COUNT(of_user), { "uid" } },
};

static void print_labels(const struct group *group, const struct table *table,
			 size_t row)
{
	char text[TABLE_TEXT_MAX];
	size_t i;

	for (i = 0; group->labels[i]; i++) {
		putchar(i ? ',' : '{');
		print_label(group->labels[i],
			    table_text(table, row, group->labels[i], text));
	}
	if (i)
		putchar('}');
}

/* The one value of a total, if the module knows it. */
static void print_total(const struct metric *metric, const struct table *table)
{
	size_t row;

	for (row = 0; row < table->nr_rows; row++) {
		if (strcmp(table_cell(table, row, "name"), metric->source))
			continue;
		print_head(metric, "");
		fputs(PREFIX, stdout);
		fputs(metric->name, stdout);
		print_value(metric, table_number(table, row, "value"));
	}
}

/* A value for each row. */
static void print_rows(const struct group *group, const struct metric *metric,
		       const struct table *table)
{
	size_t row;

	if (!table->nr_rows || !table_cell(table, 0, metric->source))
		return;
	print_head(metric, group->about);
	for (row = 0; row < table->nr_rows; row++) {
		printf(PREFIX "%s%s", group->about, metric->name);
		print_labels(group, table, row);
		print_value(metric, table_number(table, row, metric->source));
	}
}

static void print_group(const struct group *group, const struct table *table)
{
	size_t i;

	for (i = 0; i < group->count; i++) {
		if (group->labels[0])
			print_rows(group, &group->metrics[i], table);
		else
			print_total(&group->metrics[i], table);
	}
}

/* All are read before anything is printed: there is no half of it. */
static int run_metrics(const struct arguments *arguments)
{
	struct table tables[COUNT(groups)] = {};
	int ret = 0;
	size_t i;

	(void)arguments;
	for (i = 0; !ret && i < COUNT(groups); i++)
		ret = table_open(&tables[i], groups[i].file);
	for (i = 0; !ret && i < COUNT(groups); i++)
		print_group(&groups[i], &tables[i]);
	for (i = 0; i < COUNT(groups); i++)
		table_free(&tables[i]);
	return ret ? STATUS_FAILED : STATUS_OK;
}

const struct command command_metrics = {
	.name = "metrics",
	.usage = "",
	.summary = "Print the figures for Prometheus",
	.help = "What the kernel lets you see of totals, heaps and users, in\n"
		"the text format of Prometheus, with or without --json: for\n"
		"node_exporter's textfile collector, for which the units\n"
		"refstore-metrics.service and .timer write it to a file. Run\n"
		"it as root: what others see of the totals can fall when a\n"
		"heap goes.\n",
	.run = run_metrics,
};
