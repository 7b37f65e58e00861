// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "text.h"

static bool json;
/* Nothing was written yet since the innermost bracket was opened. */
static bool first = true;
static unsigned int depth;

void out_start(bool as_json)
{
	json = as_json;
}

bool out_is_json(void)
{
	return json;
}

void out_text(const char *format, ...)
{
	va_list args;

	if (json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

/* What goes before a value: a comma, and its name. */
static void begin(const char *name)
{
	if (!first)
		putchar(',');
	first = false;
	if (name) {
		text_write_json(stdout, name, strlen(name));
		putchar(':');
	}
}

static void open_bracket(const char *name, char bracket)
{
	if (!json)
		return;
	begin(name);
	putchar(bracket);
	first = true;
	depth++;
}

static void close_bracket(char bracket)
{
	if (!json)
		return;
	putchar(bracket);
	first = false;
	if (--depth)
		return;
	putchar('\n');
	/* Another value may follow, on a line of its own. */
	first = true;
}

void out_open_object(const char *name)
{
	open_bracket(name, '{');
}

void out_close_object(void)
{
	close_bracket('}');
}

void out_open_array(const char *name)
{
	open_bracket(name, '[');
}

void out_close_array(void)
{
	close_bracket(']');
}

void out_json_number(const char *name, uint64_t number)
{
	if (!json)
		return;
	begin(name);
	printf("%" PRIu64, number);
}

void out_json_string(const char *name, const char *string)
{
	if (!json)
		return;
	begin(name);
	text_write_json(stdout, string, strlen(string));
}

void out_count(const char *name, const char *before, uint64_t number,
	       const char *noun)
{
	out_json_number(name, number);
	out_text("%s%" PRIu64 " %s%s", before, number, noun,
		 number == 1 ? "" : "s");
}

void out_json_truth(const char *name, bool truth)
{
	if (!json)
		return;
	begin(name);
	fputs(truth ? "true" : "false", stdout);
}

void out_truth(const char *name, bool truth)
{
	out_json_truth(name, truth);
	out_text("%s", truth ? "yes" : "no");
}

void out_number(const char *name, const char *format, uint64_t number)
{
	if (json)
		out_json_number(name, number);
	else
		printf(format, number);
}

void out_change(const char *name, const char *format, int64_t number)
{
	if (json) {
		begin(name);
		printf("%" PRId64, number);
	} else {
		printf(format, number);
	}
}

void out_string(const char *name, const char *format, const char *string)
{
	if (json)
		out_json_string(name, string);
	else
		printf(format, string);
}

void out_digits(const char *name, int width, const char *digits)
{
	if (json) {
		begin(name);
		fputs(digits, stdout);
	} else {
		printf("%*s", width, digits);
	}
}

void out_cell(const char *name, int width, const char *string)
{
	if (json)
		out_json_string(name, string);
	else
		printf("%-*s", width, string);
}
