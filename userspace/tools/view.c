// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

/* What one looks for first is what a narrow terminal has room for. */
const struct view_format view_heaps = {
	.columns = {
		{ "heap", 'n', VIEW_NAME, "heap" },
		{ "uid", 'u', VIEW_NAME, "uid" },
		{ "objects", 'o', VIEW_AMOUNT, "objects" },
		{ "+objects", 'O', VIEW_GROWTH, "objects" },
		{ "bytes", 'b', VIEW_AMOUNT, "bytes" },
		{ "+bytes", 'B', VIEW_GROWTH, "bytes" },
		{ "handles", 'h', VIEW_AMOUNT, "handles" },
		{ "sessions", 'e', VIEW_AMOUNT, "sessions" },
		{ "candidates", 'c', VIEW_AMOUNT, "candidates" },
		{ "backlog", 'k', VIEW_AMOUNT, "backlog" },
		{ "scans", 's', VIEW_AMOUNT, "scans" },
		{ "scans/s", 'S', VIEW_RATE, "scans" },
		{ "reclaimed", 'r', VIEW_AMOUNT, "reclaimed" },
		{ "freed/s", 'R', VIEW_RATE, "reclaimed" },
		{ "label", 'l', VIEW_TEXT, "label" },
	},
	.nr_columns = 15,
	.file = "heaps",
	.sort = 'b',
};

const struct view_format view_types = {
	.columns = {
		{ "type", 'n', VIEW_NAME, "type" },
		{ "objects", 'o', VIEW_AMOUNT, "objects" },
		{ "+objects", 'O', VIEW_GROWTH, "objects" },
		{ "bytes", 'b', VIEW_AMOUNT, "bytes" },
		{ "+bytes", 'B', VIEW_GROWTH, "bytes" },
		{ "name", 'l', VIEW_TEXT, "name" },
	},
	.nr_columns = 6,
	.file = "types",
	.heap = true,
	.sort = 'b',
};

/*
 * Readings
 */

static int compare_ids(const void *one, const void *other)
{
	const struct view_row *a = one;
	const struct view_row *b = other;

	if (a->heap != b->heap)
		return a->heap < b->heap ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static void read_row(struct view_row *row, const struct view_format *format,
		     const struct table *table, size_t place)
{
	size_t i;

	*row = (struct view_row){};
	for (i = 0; i < format->nr_columns; i++) {
		const struct view_column *column = &format->columns[i];

		if (column->kind == VIEW_TEXT)
			table_text(table, place, column->source, row->text);
		else
			row->read[i] = table_number(table, place,
						    column->source);
	}
	row->heap = table_number(table, place, "heap");
	row->id = row->read[0];
}

static int read_rows(struct view_reading *reading,
		     const struct view_format *format,
		     const struct table *table)
{
	size_t i;

	reading->rows = calloc(table->nr_rows + 1, sizeof(*reading->rows));
	if (!reading->rows)
		return -ENOMEM;
	reading->nr_rows = table->nr_rows;
	for (i = 0; i < table->nr_rows; i++)
		read_row(&reading->rows[i], format, table, i);
	qsort(reading->rows, reading->nr_rows, sizeof(*reading->rows),
	      compare_ids);
	return 0;
}

/* The same row, earlier: if it was not there, one of zeroes. */
static const struct view_row *find_row(const struct view_reading *reading,
				       const struct view_row *row)
{
	static const struct view_row nothing;
	const struct view_row *found = NULL;

	if (reading->nr_rows)
		found = bsearch(row, reading->rows, reading->nr_rows,
				sizeof(*row), compare_ids);
	return found ? found : &nothing;
}

/* Tenths a second; what falls is counted anew: the module was loaded again. */
static int64_t rate(uint64_t before, uint64_t now, uint64_t nanoseconds)
{
	if (!nanoseconds || now < before)
		return 0;
	return (int64_t)((double)(now - before) * 1e10 /
			 (double)nanoseconds + 0.5);
}

static void show_row(const struct view *view, struct view_row *row,
		     const struct view_reading *first, uint64_t nanoseconds)
{
	const struct view_row *then = find_row(first, row);
	const struct view_row *before = find_row(&view->last, row);
	size_t i;

	for (i = 0; i < view->format->nr_columns; i++) {
		switch (view->format->columns[i].kind) {
		case VIEW_GROWTH:
			row->shown[i] = (int64_t)(row->read[i] - then->read[i]);
			break;
		case VIEW_RATE:
			row->shown[i] = rate(before->read[i], row->read[i],
					     nanoseconds);
			break;
		default:
			row->shown[i] = (int64_t)row->read[i];
		}
	}
}

/* The readings after this; rows in @now get what is shown of them. */
static void replace(struct view *view, struct view_reading *now,
		    uint64_t nanoseconds)
{
	const struct view_reading *first = &view->first;
	size_t i;

	if (!first->rows)
		first = now;
	for (i = 0; i < now->nr_rows; i++)
		show_row(view, &now->rows[i], first, nanoseconds);
	if (!view->first.rows)
		view->first = *now;
	else if (view->last.rows != view->first.rows)
		free(view->last.rows);
	view->last = *now;
}

int view_update(struct view *view, const struct table *table,
		uint64_t nanoseconds)
{
	const struct view_row **order;
	struct view_reading now;
	int ret = read_rows(&now, view->format, table);

	if (ret)
		return ret;
	order = reallocarray(view->order, now.nr_rows + 1, sizeof(*order));
	if (!order) {
		free(now.rows);
		return -ENOMEM;
	}
	view->order = order;
	replace(view, &now, nanoseconds);
	view_sort(view);
	return 0;
}

void view_free(struct view *view)
{
	if (view->last.rows != view->first.rows)
		free(view->last.rows);
	free(view->first.rows);
	free(view->order);
}

/*
 * Order
 */

static int compare(const void *one, const void *other, void *context)
{
	const struct view_row *a = *(const struct view_row *const *)one;
	const struct view_row *b = *(const struct view_row *const *)other;
	const struct view *view = context;
	enum view_kind kind = view->format->columns[view->sort].kind;
	int64_t x = a->shown[view->sort];
	int64_t y = b->shown[view->sort];
	int order = (x < y) - (x > y);

	if (kind == VIEW_TEXT)
		order = strcmp(a->text, b->text);
	else if (kind == VIEW_NAME)
		order = -order;
	return order ? order : compare_ids(a, b);
}

void view_sort(struct view *view)
{
	size_t i;

	view->nr_rows = 0;
	for (i = 0; i < view->last.nr_rows; i++) {
		const struct view_row *row = &view->last.rows[i];

		if (!view->format->heap || row->heap == view->heap)
			view->order[view->nr_rows++] = row;
	}
	qsort_r(view->order, view->nr_rows, sizeof(*view->order), compare,
		view);
}

bool view_takes_time(const struct view_column *column)
{
	return column->kind == VIEW_GROWTH || column->kind == VIEW_RATE;
}

size_t view_find_key(const struct view_format *format, int key)
{
	size_t i;

	for (i = 0; i < format->nr_columns; i++)
		if (format->columns[i].key == key)
			return i;
	return VIEW_COLUMNS;
}

/*
 * Text
 */

const char *view_cell(const struct view *view, size_t row, size_t column,
		      char *text)
{
	int64_t shown = view->order[row]->shown[column];

	switch (view->format->columns[column].kind) {
	case VIEW_TEXT:
		return strcpy(text, view->order[row]->text);
	case VIEW_GROWTH:
		snprintf(text, TABLE_TEXT_MAX, "%+" PRId64, shown);
		break;
	case VIEW_RATE:
		snprintf(text, TABLE_TEXT_MAX, "%" PRId64 ".%" PRId64,
			 shown / 10, shown % 10);
		break;
	default:
		snprintf(text, TABLE_TEXT_MAX, "%" PRIu64, (uint64_t)shown);
	}
	return text;
}

int view_width(const struct view *view, size_t column)
{
	size_t width = strlen(view->format->columns[column].title), row;
	char text[TABLE_TEXT_MAX];

	for (row = 0; row < view->nr_rows; row++) {
		size_t length = strlen(view_cell(view, row, column, text));

		if (length > width)
			width = length;
	}
	return (int)width;
}
