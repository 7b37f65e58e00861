/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files in /proc/refstore: a line with a version, a line that names the
 * columns, a line for each row.
 */
#ifndef REFSTORE_TABLE_H
#define REFSTORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* More columns than any file has. */
#define TABLE_COLUMNS 32

/* Enough for the text of any cell, with the zero at its end. */
#define TABLE_TEXT_MAX 64

/**
 * struct table - a file of /proc/refstore
 * @names: names of the columns
 * @nr_columns: number of columns
 * @cells: rows of @nr_columns cells, one after the other
 * @nr_rows: number of rows
 * @room: number of cells that there is room for
 * @text: the text that @names and @cells point into
 */
struct table {
	const char *names[TABLE_COLUMNS];
	size_t nr_columns;
	const char **cells;
	size_t nr_rows;
	size_t room;
	char *text;
};

/**
 * table_read() - read a table
 * @table: out: the table, to be freed with table_free()
 * @file: where from
 * @what: the first word of its version line
 *
 * The one file without a line of names has rows of a name and a value, and gets
 * "name" and "value" as its columns.
 * Return: 0, or -1 if the file is something else, or there is no memory.
 */
int table_read(struct table *table, FILE *file, const char *what);

/**
 * table_load() - read a table from /proc/refstore
 * @table: out: the table, to be freed with table_free()
 * @name: name of the file
 *
 * Return: 0, or a negative errno for table_warn().
 */
int table_load(struct table *table, const char *name);

/* Says on stderr what was wrong with this file. */
void table_warn(const char *name, int error);

/**
 * table_open() - the same, with a message
 * @table: out: the table, to be freed with table_free()
 * @name: name of the file
 *
 * Return: 0, or -1 after it has said on stderr what was wrong.
 */
int table_open(struct table *table, const char *name);

void table_free(struct table *table);

/* A cell of a row; NULL if there is no such column. */
const char *table_cell(const struct table *table, size_t row, const char *name);

/*
 * A cell that is a name, as it was given: empty if there is none. It is harmless.
 * @text: TABLE_TEXT_MAX bytes. Returns it.
 */
const char *table_text(const struct table *table, size_t row, const char *name,
		       char *text);

/* A number in a row; 0 if there is no such column, or it is no number. */
uint64_t table_number(const struct table *table, size_t row, const char *name);

/* The value of this name, of a table of names and values; 0 if it has none. */
uint64_t table_value(const struct table *table, const char *name);

/* Prints a table: in JSON an array of objects with this name, or NULL. */
void table_print(const struct table *table, const char *name);

/* Prints a table of names and values: in JSON one object. */
void table_print_values(const struct table *table, const char *name);

#endif /* REFSTORE_TABLE_H */
