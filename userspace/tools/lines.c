// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "lines.h"
#include "text.h"

int lines_fail(struct lines *lines, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(lines->error->text, sizeof(lines->error->text), format, args);
	va_end(args);
	text_harmless(lines->error->text);
	return -1;
}

int lines_begin(struct lines *lines, FILE *file, int depth, size_t longest,
		struct lines_error *error)
{
	*error = (struct lines_error){};
	*lines = (struct lines){
		.file = file,
		.tokener = json_tokener_new_ex(depth),
		.longest = longest,
		.error = error,
	};
	if (!lines->tokener)
		return lines_fail(lines, "not enough memory");
	json_tokener_set_flags(lines->tokener, JSON_TOKENER_STRICT |
			       JSON_TOKENER_VALIDATE_UTF8);
	return 0;
}

static int add_byte(struct lines *lines, char byte)
{
	char *line;

	if (lines->length == lines->longest)
		return lines_fail(lines, "a line of more than %zu bytes",
				  lines->longest);
	line = array_reserve(lines->line, &lines->room, lines->length + 2, 1);
	if (!line)
		return lines_fail(lines, "not enough memory");
	lines->line = line;
	line[lines->length++] = byte;
	line[lines->length] = '\0';
	return 0;
}

/* The last line need not have a newline. */
int lines_read(struct lines *lines)
{
	int byte;

	errno = 0;
	lines->length = 0;
	lines->error->line++;
	while ((byte = getc_unlocked(lines->file)) != EOF && byte != '\n')
		if (add_byte(lines, (char)byte))
			return -1;
	if (ferror(lines->file))
		return lines_fail(lines, "cannot read: %s", strerror(errno));
	return byte == '\n' || lines->length;
}

int lines_parse(struct lines *lines, struct json_object **value)
{
	enum json_tokener_error problem;

	json_tokener_reset(lines->tokener);
	*value = json_tokener_parse_ex(lines->tokener,
				       lines->length ? lines->line : "",
				       (int)lines->length);
	problem = json_tokener_get_error(lines->tokener);
	if (problem == json_tokener_continue)
		return lines_fail(lines, "an incomplete line");
	if (problem != json_tokener_success)
		return lines_fail(lines, "no JSON: %s",
				  json_tokener_error_desc(problem));
	if (json_tokener_get_parse_end(lines->tokener) == lines->length)
		return 0;
	json_object_put(*value);
	return lines_fail(lines, "something after the JSON value");
}

void lines_free(struct lines *lines)
{
	json_tokener_free(lines->tokener);
	free(lines->line);
}
