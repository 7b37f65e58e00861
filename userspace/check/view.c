// SPDX-License-Identifier: GPL-2.0-only
/*
 * What top shows: growth, rates, order and text, of files that were read.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "summary.h"
#include "view.h"

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			errx(1, "%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

#define SECOND 1000000000ULL

#define HEAPS								\
	"refstore-heaps 1\n"						\
	"# heap uid sessions handles objects bytes candidates backlog "	\
	"scans reclaimed label large large_bytes\n"

static struct table read_table(char *text, const char *what)
{
	FILE *file = fmemopen(text, strlen(text), "r");
	struct table table;

	CHECK(file);
	CHECK(!table_read(&table, file, what));
	fclose(file);
	return table;
}

static void update(struct view *view, const char *text, uint64_t nanoseconds)
{
	char *copy = strdup(text), what[64];
	struct table table;

	snprintf(what, sizeof(what), "refstore-%s", view->format->file);
	CHECK(copy);
	table = read_table(copy, what);
	CHECK(!view_update(view, &table, nanoseconds));
	table_free(&table);
	free(copy);
}

/* The cell of the row that is shown at this place, in the column of this key. */
static int shows(const struct view *view, size_t row, char key,
		 const char *wanted)
{
	char text[TABLE_TEXT_MAX];
	size_t column = view_find_key(view->format, key);

	CHECK(column < VIEW_COLUMNS && row < view->nr_rows);
	view_cell(view, row, column, text);
	if (strcmp(text, wanted))
		warnx("row %zu, '%c': %s, not %s", row, key, text, wanted);
	return !strcmp(text, wanted);
}

static void sort(struct view *view, char key)
{
	view->sort = view_find_key(view->format, key);
	CHECK(view->sort < VIEW_COLUMNS);
	view_sort(view);
}

/* Rows with these numbers, a digit each, in this order. */
static int is_order(const struct view *view, const char *ids)
{
	size_t i;

	if (view->nr_rows != strlen(ids))
		return 0;
	for (i = 0; ids[i]; i++)
		if (view->order[i]->id != (uint64_t)(ids[i] - '0'))
			return 0;
	return 1;
}

static struct view new_view(const struct view_format *format)
{
	return (struct view){
		.format = format,
		.sort = view_find_key(format, format->sort),
	};
}

/* The second reading is two seconds after the first one. */
static void check_heaps(void)
{
	struct view view = new_view(&view_heaps);

	update(&view, HEAPS "7 0 1 2 10 1000 3 4 5 6 - 0 0\n"
	       "3 1000 1 2 20 500 3 4 5 6 a\\040b\\134\\1 0 0\n"
	       "4 5 1 2 1 500 3 4 5 6 b 0 0\n", 0);
	CHECK(is_order(&view, "734"));
	CHECK(shows(&view, 0, 'O', "+0") && shows(&view, 0, 'B', "+0"));
	CHECK(shows(&view, 0, 'S', "0.0") && shows(&view, 0, 'R', "0.0"));
	CHECK(shows(&view, 0, 'e', "1") && shows(&view, 0, 'h', "2"));
	CHECK(shows(&view, 0, 'c', "3") && shows(&view, 0, 'k', "4"));
	CHECK(shows(&view, 0, 's', "5") && shows(&view, 0, 'r', "6"));
	CHECK(shows(&view, 0, 'l', "") && shows(&view, 1, 'u', "1000"));
	CHECK(shows(&view, 1, 'l', "a b\\\\1"));

	update(&view, HEAPS "7 0 1 9 8 900 3 4 8 56 - 0 0\n"
	       "3 1000 1 2 20 1700 3 4 5 7 a 0 0\n"
	       "9 0 1 2 30 40 3 4 1 6 - 0 0\n", 2 * SECOND);
	CHECK(is_order(&view, "379"));
	CHECK(shows(&view, 0, 'B', "+1200") && shows(&view, 0, 'O', "+0"));
	CHECK(shows(&view, 1, 'B', "-100") && shows(&view, 1, 'O', "-2"));
	CHECK(shows(&view, 1, 'S', "1.5") && shows(&view, 1, 'R', "25.0"));
	CHECK(shows(&view, 0, 'S', "0.0") && shows(&view, 0, 'R', "0.5"));
	/* All of what is new has grown. */
	CHECK(shows(&view, 2, 'O', "+30") && shows(&view, 2, 'S', "0.5"));

	/* Growth is since the start, rates are since the last reading. */
	update(&view, HEAPS "7 0 1 9 18 900 3 4 8 56 - 0 0\n", SECOND);
	CHECK(shows(&view, 0, 'O', "+8") && shows(&view, 0, 'S', "0.0"));

	/* The module was loaded again. */
	update(&view, HEAPS "7 0 1 9 2 300 3 4 2 1 - 0 0\n", SECOND);
	CHECK(shows(&view, 0, 'S', "0.0") && shows(&view, 0, 'R', "0.0"));
	view_free(&view);
}

/* Numbers descend, names ascend, and equals are in the order of their numbers. */
static void check_order(void)
{
	struct view view = new_view(&view_heaps);

	update(&view, HEAPS "3 9 1 4 2 10 7 0 5 0 b 0 0\n"
	       "1 8 2 4 3 9 8 3 2 0 c 0 0\n"
	       "2 9 2 5 1 9 9 0 9 18446744073709551615 a 0 0\n", 0);
	CHECK(is_order(&view, "312"));
	sort(&view, 'n');
	CHECK(is_order(&view, "123"));
	sort(&view, 'u');
	CHECK(is_order(&view, "123"));
	sort(&view, 'o');
	CHECK(is_order(&view, "132"));
	sort(&view, 'h');
	CHECK(is_order(&view, "213"));
	sort(&view, 'e');
	CHECK(is_order(&view, "123"));
	sort(&view, 'c');
	CHECK(is_order(&view, "213"));
	sort(&view, 'k');
	CHECK(is_order(&view, "123"));
	sort(&view, 's');
	CHECK(is_order(&view, "231"));
	sort(&view, 'l');
	CHECK(is_order(&view, "231"));
	CHECK(shows(&view, 0, 'r', "18446744073709551615"));
	CHECK(view_width(&view, view_find_key(&view_heaps, 'r')) == 20);
	CHECK(view_width(&view, view_find_key(&view_heaps, 'c')) == 10);
	CHECK(view_find_key(&view_heaps, 'q') == VIEW_COLUMNS);
	CHECK(view_find_key(&view_heaps, 't') == VIEW_COLUMNS);
	view_free(&view);
}

#define TYPES "refstore-types 1\n# heap type name objects bytes\n"

/* Types of another heap are not shown, but remembered. */
static void check_types(void)
{
	struct view view = new_view(&view_types);

	view.heap = 2;
	update(&view, TYPES "1 4 str 10 400\n2 4 str 5 100\n"
	       "2 7 - 6 600\n", 0);
	CHECK(is_order(&view, "74"));
	CHECK(shows(&view, 0, 'l', ""));
	update(&view, TYPES "1 4 str 13 700\n1 7 list 1 64\n2 4 str 6 100\n",
	       SECOND);
	CHECK(is_order(&view, "4"));
	CHECK(shows(&view, 0, 'O', "+1") && shows(&view, 0, 'l', "str"));
	view.heap = 1;
	sort(&view, 'B');
	CHECK(is_order(&view, "47"));
	CHECK(shows(&view, 0, 'B', "+300") && shows(&view, 1, 'O', "+1"));
	view.heap = 3;
	view_sort(&view);
	CHECK(!view.nr_rows);
	view_free(&view);
}

static int is_line(const struct summary *summary, size_t line,
		   const char *wanted)
{
	if (strcmp(summary->lines[line], wanted))
		warnx("line %zu: %s", line, summary->lines[line]);
	return !strcmp(summary->lines[line], wanted);
}

static void check_summary(void)
{
	char stats_text[] = "refstore-stats 1\nheaps 2\nsessions 3\n"
		"handles 40\nobjects 50\nbytes 6000\ncandidates 7\n"
		"backlog 8\nscans 9\nscan_reclaimed 100\n";
	char users_text[] = "refstore-users 1\n# uid objects max_objects "
		"bytes max_bytes handles max_handles weak max_weak heaps "
		"max_heaps\n0 500 1000 1 10 2 20 3 30 4 40\n"
		"5 1 1000 1 10 16 20 0 0 4 40\n";
	char nobody_text[] = "refstore-users 1\n# uid objects\n";
	struct table stats = read_table(stats_text, "refstore-stats");
	struct table users = read_table(users_text, "refstore-users");
	struct table nobody = read_table(nobody_text, "refstore-users");
	struct summary summary = {};

	summary_update(&summary, &stats, &users, 0);
	CHECK(is_line(&summary, 0, "heaps 2, sessions 3, handles 40, "
		      "objects 50, bytes 6000"));
	CHECK(is_line(&summary, 1, "scans 9; freed 100; candidates 7, "
		      "backlog 8"));
	CHECK(is_line(&summary, 2, "user 5: objects 1 of 1000 (0.1 %), "
		      "bytes 1 of 10 (10.0 %)"));
	CHECK(is_line(&summary, 3, "handles 16 of 20 (80.0 %), "
		      "weak 0 of 0 (0.0 %), heaps 4 of 40 (10.0 %)"));
	summary.scans = 4;
	summary.reclaimed = 0;
	summary_update(&summary, &stats, &nobody, 2 * SECOND);
	CHECK(is_line(&summary, 1, "scans 9, 2.5/s; freed 100, 50.0/s; "
		      "candidates 7, backlog 8"));
	CHECK(is_line(&summary, 2, "") && is_line(&summary, 3, ""));
	table_free(&stats);
	table_free(&users);
	table_free(&nobody);
}

int main(void)
{
	check_heaps();
	check_order();
	check_types();
	check_summary();
	return 0;
}
