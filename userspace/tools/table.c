// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "module.h"
#include "out.h"
#include "table.h"
#include "text.h"

#define PROC_DIRECTORY "/proc/refstore"

/* Columns whose cells are names, even if somebody's name is a number. */
static bool column_is_number(const char *name)
{
	return strcmp(name, "name") && strcmp(name, "trigger") &&
	       strcmp(name, "label");
}

/* Any version will do: later ones have more columns. */
static bool is_version(char *line, const char *what)
{
	char *word = strtok(line, " ");
	char *version = strtok(NULL, " ");

	return word && version && !strcmp(word, what) && atoi(version) > 0;
}

/* Cuts a line into words: their number, at most TABLE_COLUMNS. */
static size_t cut(char *line, const char **words)
{
	char *word = strtok(line, " \t");
	size_t count = 0;

	while (word && count < TABLE_COLUMNS) {
		words[count++] = word;
		word = strtok(NULL, " \t");
	}
	return count;
}

static int add_row(struct table *table, char *line)
{
	const char *words[TABLE_COLUMNS] = {};
	size_t count = cut(line, words);
	const char **cells;

	if (!table->nr_columns) {
		table->names[0] = "name";
		table->names[1] = "value";
		table->nr_columns = 2;
	}
	if (count != table->nr_columns)
		return -1;
	cells = array_reserve(table->cells, &table->room,
			      (table->nr_rows + 1) * count, sizeof(*cells));
	if (!cells)
		return -1;
	table->cells = cells;
	memcpy(cells + table->nr_rows * count, words, count * sizeof(*words));
	table->nr_rows++;
	return 0;
}

/* Before any row, and once: all have as many cells as there are names. */
static int read_names(struct table *table, char *line)
{
	if (table->nr_columns)
		return -1;
	table->nr_columns = cut(line, table->names);
	return table->nr_columns ? 0 : -1;
}

static int read_rows(struct table *table, char *rest)
{
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		if (*line == '#' ? read_names(table, line + 1) :
				   *line && add_row(table, line))
			return -1;
	}
	return 0;
}

int table_read(struct table *table, FILE *file, const char *what)
{
	size_t room = 0;
	char *rest;

	*table = (struct table){};
	/* Up to the end: there is no such character in the file. */
	if (getdelim(&table->text, &room, '\0', file) > 0 && !ferror(file)) {
		rest = table->text;
		if (is_version(strsep(&rest, "\n"), what) &&
		    !read_rows(table, rest))
			return 0;
	}
	table_free(table);
	return -1;
}

int table_load(struct table *table, const char *name)
{
	char path[64], what[64];
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), PROC_DIRECTORY "/%s", name);
	snprintf(what, sizeof(what), "refstore-%s", name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	ret = table_read(table, file, what) ? -EINVAL : 0;
	fclose(file);
	return ret;
}

void table_warn(const char *name, int error)
{
	char path[64];

	snprintf(path, sizeof(path), PROC_DIRECTORY "/%s", name);
	if (error == -EINVAL)
		warnx("%s: cannot read it, or not what it should be", path);
	else
		module_warn(path, -error);
}

int table_open(struct table *table, const char *name)
{
	int ret = table_load(table, name);

	if (!ret)
		return 0;
	table_warn(name, ret);
	return -1;
}

void table_free(struct table *table)
{
	free(table->text);
	free(table->cells);
	*table = (struct table){};
}

/* The place of a column, or -1. */
static int column_of(const struct table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->nr_columns; i++)
		if (!strcmp(table->names[i], name))
			return (int)i;
	return -1;
}

const char *table_cell(const struct table *table, size_t row, const char *name)
{
	int column = column_of(table, name);

	if (column < 0)
		return NULL;
	return table->cells[row * table->nr_columns + (size_t)column];
}

/* A backslash and three octal digits. */
static bool is_escape(const char *text)
{
	return *text == '\\' && strspn(text + 1, "01234567") >= 3;
}

/* Labels are one word in the file; without one, it is "-". */
const char *table_text(const struct table *table, size_t row, const char *name,
		       char *text)
{
	const char *cell = table_cell(table, row, name);
	size_t length = 0;

	if (!cell || !strcmp(cell, "-"))
		cell = "";
	while (*cell && length < TABLE_TEXT_MAX - 1) {
		if (is_escape(cell)) {
			text[length++] = (char)strtol((char[]){ cell[1],
				cell[2], cell[3], '\0' }, NULL, 8);
			cell += 4;
		} else {
			text[length++] = *cell++;
		}
	}
	text[length] = '\0';
	text_harmless(text);
	return text;
}

uint64_t table_number(const struct table *table, size_t row, const char *name)
{
	const char *cell = table_cell(table, row, name);

	return cell ? strtoull(cell, NULL, 10) : 0;
}

uint64_t table_value(const struct table *table, const char *name)
{
	size_t row;

	for (row = 0; row < table->nr_rows; row++)
		if (!strcmp(table_cell(table, row, "name"), name))
			return table_number(table, row, "value");
	return 0;
}

/* A cell as it is shown: labels are whatever somebody has chosen. */
static const char *shown(const struct table *table, size_t row, size_t column,
			 char *text)
{
	const char *name = table->names[column];

	if (!strcmp(name, "label"))
		return table_text(table, row, name, text);
	return table->cells[row * table->nr_columns + column];
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = strlen(table->names[column]);
	char text[TABLE_TEXT_MAX];
	size_t row;

	for (row = 0; row < table->nr_rows; row++) {
		size_t length = strlen(shown(table, row, column, text));

		if (length > width)
			width = length;
	}
	return (int)width;
}

static void print_cell(const char *name, int width, const char *cell)
{
	bool digits = strspn(cell, "0123456789") == strlen(cell);

	if (digits && column_is_number(name))
		out_digits(name, width, cell);
	else
		out_cell(name, width, cell);
}

static void print_row(const struct table *table, const int *widths, size_t row)
{
	char text[TABLE_TEXT_MAX];
	size_t i;

	for (i = 0; i < table->nr_columns; i++) {
		if (i)
			out_text("  ");
		print_cell(table->names[i], widths[i],
			   shown(table, row, i, text));
	}
	out_text("\n");
}

static void print_heading(const struct table *table, const int *widths)
{
	size_t i;

	for (i = 0; i < table->nr_columns; i++) {
		bool number = column_is_number(table->names[i]);

		out_text("%s%*s", i ? "  " : "",
			 number ? widths[i] : -widths[i], table->names[i]);
	}
	out_text("\n");
}

void table_print(const struct table *table, const char *name)
{
	int widths[TABLE_COLUMNS];
	size_t i;

	for (i = 0; i < table->nr_columns; i++)
		widths[i] = column_width(table, i);
	print_heading(table, widths);
	out_open_array(name);
	for (i = 0; i < table->nr_rows; i++) {
		out_open_object(NULL);
		print_row(table, widths, i);
		out_close_object();
	}
	out_close_array();
}

void table_print_values(const struct table *table, const char *name)
{
	size_t rows = table->nr_columns == 2 ? table->nr_rows : 0;
	int width = rows ? column_width(table, 0) : 0;
	size_t i;

	out_open_object(name);
	for (i = 0; i < rows; i++) {
		const char *const *cells = table->cells + 2 * i;

		out_text("%-*s  ", width, cells[0]);
		print_cell(cells[0], 0, cells[1]);
		out_text("\n");
	}
	out_close_object();
}
