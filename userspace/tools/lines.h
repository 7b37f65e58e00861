/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of JSON values, one a line.
 */
#ifndef REFSTORE_LINES_H
#define REFSTORE_LINES_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>

/**
 * struct lines_error - what is wrong with a file
 * @line: where, from 1
 * @text: what
 */
struct lines_error {
	size_t line;
	char text[200];
};

/**
 * struct lines - a file being read
 * @file: the file
 * @tokener: parser of lines
 * @longest: bytes that a line may have
 * @line: the current line, without its newline, and with a zero at the end
 * @length: bytes of it, without that zero; it may have zeroes of its own
 * @room: bytes that @line has room for
 * @error: where to say what is wrong; its line is the current one
 */
struct lines {
	FILE *file;
	struct json_tokener *tokener;
	size_t longest;
	char *line;
	size_t length;
	size_t room;
	struct lines_error *error;
};

/**
 * lines_begin() - begin to read a file
 * @lines: out: to be freed with lines_free(), even if this fails
 * @file: the file
 * @depth: how deeply values may be nested
 * @longest: bytes that a line may have, below INT_MAX
 * @error: out, if this or anything later fails
 *
 * Return: 0, or -1.
 */
int lines_begin(struct lines *lines, FILE *file, int depth, size_t longest,
		struct lines_error *error);

/* Reads the next line to @lines->line: 1, 0 at the end of the file, or -1. */
int lines_read(struct lines *lines);

/**
 * lines_parse() - parse the line that was read last
 * @lines: the file
 * @value: out: what it contains, to be given to json_object_put()
 *
 * Return: 0, or -1.
 */
int lines_parse(struct lines *lines, struct json_object **value);

/* Says what is wrong with the current line; returns -1. */
__attribute__((format(printf, 2, 3)))
int lines_fail(struct lines *lines, const char *format, ...);

void lines_free(struct lines *lines);

#endif /* REFSTORE_LINES_H */
