// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "number.h"
#include "out.h"
#include "screen.h"
#include "summary.h"
#include "target.h"
#include "view.h"

#define NSEC_PER_SEC 1000000000ULL
#define LONGEST_DELAY 86400

static uint64_t delay = 3;
static bool once;
static char sort_key;

static const struct option options[] = {
	{ "delay", required_argument, NULL, 'd' },
	{ "once", no_argument, NULL, 'o' },
	{ "sort", required_argument, NULL, 's' },
	{},
};

static bool take(int option, const char *argument)
{
	switch (option) {
	case 'd':
		return number_take("--delay", argument, 1, LONGEST_DELAY,
				   &delay);
	case 'o':
		once = true;
		return true;
	default:
		sort_key = *argument;
		if (*argument && !argument[1])
			return true;
		warnx("--sort takes one of the keys below, not '%s'", argument);
		return false;
	}
}

/**
 * struct top - what is shown
 * @heaps: a row for each heap
 * @types: a row for each type of the heap @types.heap
 * @shown: one of these two
 * @summary: the lines above
 * @time: when that was read, in nanoseconds; 0: nothing was
 * @selected: number of the heap that is marked
 * @left: columns that are left out
 */
struct top {
	struct view heaps;
	struct view types;
	struct view *shown;
	struct summary summary;
	uint64_t time;
	uint64_t selected;
	size_t left;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

/*
 * Reading
 */

/* The files, in the order in which they are read. */
enum { STATS, USERS, HEAPS, TYPES, NR_FILES };

static const char *const files[] = { "stats", "users", "heaps", "types" };

static void free_files(struct table *tables)
{
	size_t i;

	for (i = 0; i < NR_FILES; i++)
		table_free(&tables[i]);
}

static int take_over(struct top *top, const struct table *tables)
{
	uint64_t time = now(), passed = top->time ? time - top->time : 0;
	int ret = view_update(&top->heaps, &tables[HEAPS], passed);

	if (!ret)
		ret = view_update(&top->types, &tables[TYPES], passed);
	if (ret)
		return ret;
	summary_update(&top->summary, &tables[STATS], &tables[USERS], passed);
	top->time = time;
	return 0;
}

/* Returns 0 or a negative errno; @failed: out: the file that could not be read. */
static int read_files(struct table *tables, const char **failed)
{
	size_t i;
	int ret = 0;

	memset(tables, 0, NR_FILES * sizeof(*tables));
	for (i = 0; !ret && i < NR_FILES; i++) {
		*failed = files[i];
		ret = table_load(&tables[i], files[i]);
	}
	return ret;
}

static int update(struct top *top, const char **failed)
{
	struct table tables[NR_FILES];
	int ret = read_files(tables, failed);

	if (!ret)
		ret = take_over(top, tables);
	free_files(tables);
	return ret;
}

/*
 * Once
 */

static void print_cell(const struct view *view, size_t row, size_t column)
{
	const struct view_column *what = &view->format->columns[column];
	char text[TABLE_TEXT_MAX];

	view_cell(view, row, column, text);
	if (what->kind == VIEW_TEXT)
		out_string(what->title, "%s", text);
	else
		out_digits(what->title, view_width(view, column), text);
}

/* What grew, and how fast, takes two readings to tell. */
static void print_row(const struct view *view, size_t row)
{
	const struct view_format *format = view->format;
	size_t i;

	out_open_object(NULL);
	for (i = 0; i < format->nr_columns; i++) {
		if (view_takes_time(&format->columns[i]))
			continue;
		out_text("%s", i ? "  " : "");
		print_cell(view, row, i);
	}
	out_text("\n");
	out_close_object();
}

static void print_heading(const struct view *view)
{
	size_t i;

	for (i = 0; i < view->format->nr_columns; i++) {
		const struct view_column *column = &view->format->columns[i];
		int width = view_width(view, i);

		if (!view_takes_time(column))
			out_text("%s%*s", i ? "  " : "",
				 column->kind == VIEW_TEXT ? -width : width,
				 column->title);
	}
	out_text("\n");
}

static void print_view(const struct view *view)
{
	size_t i;

	print_heading(view);
	out_open_array(view->format->file);
	for (i = 0; i < view->nr_rows; i++)
		print_row(view, i);
	out_close_array();
}

static int run_once(struct top *top)
{
	struct table tables[NR_FILES];
	const char *failed;
	int ret = read_files(tables, &failed);
	size_t i;

	if (!ret)
		ret = take_over(top, tables);
	if (ret) {
		table_warn(failed, ret);
		free_files(tables);
		return STATUS_FAILED;
	}
	out_open_object(NULL);
	if (out_is_json()) {
		table_print_values(&tables[STATS], "stats");
		table_print(&tables[USERS], "users");
	}
	for (i = 0; i < SUMMARY_LINES; i++)
		out_text("%s\n", top->summary.lines[i]);
	out_text("\n");
	print_view(top->shown);
	out_close_object();
	free_files(tables);
	return STATUS_OK;
}

/*
 * Live
 */

/* Where the marked heap is; the first one, if it is gone. */
static size_t find_selected(const struct view *view, uint64_t heap)
{
	size_t i;

	for (i = 0; i < view->nr_rows; i++)
		if (view->order[i]->heap == heap)
			return i;
	return 0;
}

static void draw(struct top *top)
{
	const char *lines[SUMMARY_LINES + 1];
	const struct view *view = top->shown;
	struct screen_table table = {
		.view = view,
		.left = top->left,
		.empty = "none",
	};
	char what[160];
	size_t i;

	for (i = 0; i < SUMMARY_LINES; i++)
		lines[i] = top->summary.lines[i];
	if (view == &top->types) {
		snprintf(what, sizeof(what), "types of heap %" PRIu64
			 ", by %s; t: all heaps, q: end", view->heap,
			 view->format->columns[view->sort].title);
	} else {
		snprintf(what, sizeof(what),
			 "heaps, by %s; up, down, t: types of one, q: end",
			 view->format->columns[view->sort].title);
		table.selected = find_selected(view, top->selected);
	}
	lines[i++] = what;
	screen_draw(lines, i, &table);
}

static void select_heap(struct top *top, size_t row)
{
	if (row < top->heaps.nr_rows)
		top->selected = top->heaps.order[row]->heap;
}

static void toggle_types(struct top *top)
{
	top->left = 0;
	if (top->shown == &top->types) {
		top->shown = &top->heaps;
		return;
	}
	if (!top->heaps.nr_rows)
		return;
	select_heap(top, find_selected(&top->heaps, top->selected));
	top->types.heap = top->selected;
	view_sort(&top->types);
	top->shown = &top->types;
}

static void press_sort(struct top *top, int key)
{
	size_t column = view_find_key(top->shown->format, key);

	if (column == VIEW_COLUMNS)
		return;
	top->shown->sort = column;
	view_sort(top->shown);
}

static void press(struct top *top, int key)
{
	size_t row = find_selected(&top->heaps, top->selected);

	switch (key) {
	case 't':
	case SCREEN_ENTER:
		toggle_types(top);
		break;
	case SCREEN_UP:
		select_heap(top, row ? row - 1 : 0);
		break;
	case SCREEN_DOWN:
		select_heap(top, row + 1);
		break;
	case SCREEN_LEFT:
		top->left -= top->left > 0;
		break;
	case SCREEN_RIGHT:
		top->left += top->left + 2 < top->shown->format->nr_columns;
		break;
	default:
		press_sort(top, key);
	}
}

/* Until the next reading is due, or it is to end: then false. */
static bool serve(struct top *top)
{
	uint64_t due = top->time + delay * NSEC_PER_SEC, time;
	int key;

	while ((time = now()) < due) {
		key = screen_wait(due - time);
		if (key == 'q' || key == SCREEN_END)
			return false;
		if (key == ' ')
			return true;
		if (key == SCREEN_NOTHING)
			continue;
		press(top, key);
		draw(top);
	}
	return true;
}

static int run_live(struct top *top)
{
	const char *failed;
	int ret = update(top, &failed);

	if (!ret) {
		if (screen_begin())
			return STATUS_FAILED;
		do {
			draw(top);
		} while (serve(top) && !(ret = update(top, &failed)));
		screen_end();
	}
	if (!ret)
		return STATUS_OK;
	/* When the terminal is as it was: a message would be wiped out there */
	table_warn(failed, ret);
	return STATUS_FAILED;
}

/*
 * The command
 */

/* The number of the heap that the arguments name; its session is given back. */
static int find_heap(const struct arguments *arguments, uint64_t *heap)
{
	struct refstore_query query;
	struct refstore *store;
	int ret;

	if (target_open(arguments, &store))
		return -1;
	ret = refstore_query(store, &query);
	refstore_close(store);
	if (ret) {
		warnx("cannot query: %s", strerror(-ret));
		return -1;
	}
	*heap = query.heap;
	return 0;
}

/* Sorts it as was asked for. */
static bool set_sort(struct view *view)
{
	size_t column = view_find_key(view->format, sort_key);

	if (!sort_key)
		return true;
	if (column == VIEW_COLUMNS ||
	    (once && view_takes_time(&view->format->columns[column]))) {
		warnx("--sort: no column here has the key '%c'", sort_key);
		return false;
	}
	view->sort = column;
	return true;
}

static int run_top(const struct arguments *arguments)
{
	struct top top = {
		.heaps = { .format = &view_heaps },
		.types = { .format = &view_types },
	};
	int status;

	once |= out_is_json();
	top.shown = target_is_named(arguments) ? &top.types : &top.heaps;
	top.heaps.sort = view_find_key(&view_heaps, view_heaps.sort);
	top.types.sort = view_find_key(&view_types, view_types.sort);
	if (!set_sort(top.shown))
		return STATUS_USAGE;
	if (top.shown == &top.types && find_heap(arguments, &top.types.heap))
		return STATUS_FAILED;
	top.selected = top.types.heap;
	status = once ? run_once(&top) : run_live(&top);
	view_free(&top.heaps);
	view_free(&top.types);
	return status;
}

const struct command command_top = {
	.name = "top",
	.usage = "",
	.summary = "Show heaps, or a heap's types, again and again",
	.help = "Above are totals, scans, and the user who is nearest to a\n"
		"limit. Below is a line for each heap that you may see, or, if\n"
		"one is given, for each type of its objects. What has a '+' is\n"
		"the growth since the start; '/s' is a second, since the\n"
		"last time. Keys to sort:\n"
		"\n"
		"  n number     o objects     O their growth   b bytes\n"
		"  B their growth             l label, or name of the type\n"
		"  u user       h handles     e sessions       c candidates\n"
		"  k backlog    s scans       S scans a second\n"
		"  r reclaimed  R reclaimed a second\n"
		"\n"
		"Up and down mark a heap; Enter or t shows its types, and then\n"
		"all heaps again; left and right move the columns; the space\n"
		"bar reads anew; q ends it, as signals do.\n",
	.session = true,
	.options = options,
	.brief = "d:os:",
	.options_help =
		"  -d, --delay SECONDS read every SECONDS, 1 to 86400 (3)\n"
		"  -o, --once          print it once, without a terminal, and\n"
		"                      without growth; so does --json\n"
		"  -s, --sort KEY      sort by the column with this key (b)\n",
	.take = take,
	.run = run_top,
};
