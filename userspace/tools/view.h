/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What top shows: the rows of a file in /proc/refstore, what grew in them since
 * the first reading, and how fast since the last one. It knows no terminal.
 */
#ifndef REFSTORE_VIEW_H
#define REFSTORE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define VIEW_COLUMNS 16

enum view_kind {
	VIEW_NAME,	/* a number that names the row */
	VIEW_AMOUNT,
	VIEW_GROWTH,	/* since the first reading */
	VIEW_RATE,	/* a second, since the last one; in tenths */
	VIEW_TEXT,	/* the row's text */
};

/**
 * struct view_column - a column
 * @title: its name, in JSON, too
 * @key: what to press to sort by it
 * @kind: VIEW_*
 * @source: the file's column that it is made of
 */
struct view_column {
	const char *title;
	char key;
	enum view_kind kind;
	const char *source;
};

/**
 * struct view_format - the columns of a view
 * @columns: the columns; the first one has the number of the row
 * @nr_columns: number of columns
 * @file: the file's name
 * @heap: rows belong to heaps, and those of one are shown
 * @sort: the key of the column that they are sorted by at first
 */
struct view_format {
	struct view_column columns[VIEW_COLUMNS];
	size_t nr_columns;
	const char *file;
	bool heap;
	char sort;
};

/* Of the files "heaps" and "types". */
extern const struct view_format view_heaps;
extern const struct view_format view_types;

/**
 * struct view_row - a row
 * @heap: number of the heap that it is, or belongs to
 * @id: the number of the row in that
 * @read: of each column, the number that was read
 * @shown: what that is turned into, see VIEW_*
 * @text: the text, which is harmless
 */
struct view_row {
	uint64_t heap;
	uint64_t id;
	uint64_t read[VIEW_COLUMNS];
	int64_t shown[VIEW_COLUMNS];
	char text[TABLE_TEXT_MAX];
};

/* What was read at some time: rows by heap and id. */
struct view_reading {
	struct view_row *rows;
	size_t nr_rows;
};

/**
 * struct view - a view; with a format, a column to sort by and zeroes, nothing
 * was read yet
 * @format: its columns
 * @heap: the heap whose rows are shown, if the format wants one
 * @sort: place of the column that rows are sorted by
 * @first: the first reading
 * @last: the last one
 * @order: the rows of @last that are shown, in their order
 * @nr_rows: number of these
 */
struct view {
	const struct view_format *format;
	uint64_t heap;
	size_t sort;
	struct view_reading first;
	struct view_reading last;
	const struct view_row **order;
	size_t nr_rows;
};

/**
 * view_update() - take over a reading
 * @view: the view
 * @table: the file
 * @nanoseconds: since the last one; 0 if there was none
 *
 * Return: 0 or -ENOMEM: then nothing has changed.
 */
int view_update(struct view *view, const struct table *table,
		uint64_t nanoseconds);

/* Sorts what is shown: numbers descending, names ascending. */
void view_sort(struct view *view);

/* The place of the column with this key, or VIEW_COLUMNS. */
size_t view_find_key(const struct view_format *format, int key);

/* A column that one reading has nothing to say of. */
bool view_takes_time(const struct view_column *column);

/* A cell as text: TABLE_TEXT_MAX bytes. Returns it. */
const char *view_cell(const struct view *view, size_t row, size_t column,
		      char *text);

/* How wide a column is, with its title. */
int view_width(const struct view *view, size_t column);

void view_free(struct view *view);

#endif /* REFSTORE_VIEW_H */
