// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "summary.h"

/* What users have limits of, as the file "users" calls it. */
static const struct item {
	const char *used;
	const char *max;
} items[] = {
	{ "objects", "max_objects" },
	{ "bytes", "max_bytes" },
	{ "handles", "max_handles" },
	{ "weak", "max_weak" },
	{ "heaps", "max_heaps" },
};

#define NR_ITEMS (sizeof(items) / sizeof(items[0]))
/* So many of them are in the first line, which is for narrow terminals. */
#define ITEMS_OF_FIRST 2

/* What fits. */
__attribute__((format(printf, 2, 3)))
static void append(char line[256], const char *format, ...)
{
	size_t length = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + length, 256 - length, format, args);
	va_end(args);
}

static void make_totals(char line[256], const struct table *stats)
{
	static const char *const names[] = {
		"heaps", "sessions", "handles", "objects", "bytes",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		append(line, "%s%s %" PRIu64, i ? ", " : "", names[i],
		       table_value(stats, names[i]));
}

static void append_rate(char line[256], uint64_t before, uint64_t now,
			uint64_t nanoseconds)
{
	if (nanoseconds && now >= before)
		append(line, ", %.1f/s", (double)(now - before) * 1e9 /
					 (double)nanoseconds);
}

static void make_scans(struct summary *summary, const struct table *stats,
		       uint64_t nanoseconds)
{
	uint64_t scans = table_value(stats, "scans");
	uint64_t reclaimed = table_value(stats, "scan_reclaimed");
	char *line = summary->lines[1];

	append(line, "scans %" PRIu64, scans);
	append_rate(line, summary->scans, scans, nanoseconds);
	append(line, "; freed %" PRIu64, reclaimed);
	append_rate(line, summary->reclaimed, reclaimed, nanoseconds);
	append(line, "; candidates %" PRIu64 ", backlog %" PRIu64,
	       table_value(stats, "candidates"), table_value(stats, "backlog"));
	summary->scans = scans;
	summary->reclaimed = reclaimed;
}

/* How much of a limit is used; all of a limit of nothing. */
static double share(const struct table *users, size_t user,
		    const struct item *item)
{
	uint64_t used = table_number(users, user, item->used);
	uint64_t max = table_number(users, user, item->max);

	if (!max)
		return used ? 1 : 0;
	return (double)used / (double)max;
}

static size_t nearest_user(const struct table *users)
{
	size_t user, i, nearest = 0;
	double most = 0;

	for (user = 0; user < users->nr_rows; user++) {
		for (i = 0; i < NR_ITEMS; i++) {
			if (share(users, user, &items[i]) <= most)
				continue;
			most = share(users, user, &items[i]);
			nearest = user;
		}
	}
	return nearest;
}

static void make_limits(struct summary *summary, const struct table *users)
{
	size_t user = nearest_user(users), i;

	if (!users->nr_rows)
		return;
	append(summary->lines[2], "user %s: ", table_cell(users, user, "uid"));
	for (i = 0; i < NR_ITEMS; i++) {
		char *line = summary->lines[i < ITEMS_OF_FIRST ? 2 : 3];

		append(line, "%s%s %" PRIu64 " of %" PRIu64 " (%.1f %%)",
		       i && i != ITEMS_OF_FIRST ? ", " : "",
		       items[i].used,
		       table_number(users, user, items[i].used),
		       table_number(users, user, items[i].max),
		       100 * share(users, user, &items[i]));
	}
}

void summary_update(struct summary *summary, const struct table *stats,
		    const struct table *users, uint64_t nanoseconds)
{
	memset(summary->lines, 0, sizeof(summary->lines));
	make_totals(summary->lines[0], stats);
	make_scans(summary, stats, nanoseconds);
	make_limits(summary, users);
}
