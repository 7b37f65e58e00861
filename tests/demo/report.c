// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "demo.h"

/* Wide enough for most lines, so that times stand in a column. */
#define WIDTH 67

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("    ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	fflush(stdout);
}

void say_timed(double start, const char *format, ...)
{
	double seconds = now() - start;
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("%-*s %6.2f s", WIDTH, text, seconds);
}

const char *grouped(uint64_t number)
{
	static char buffers[8][32];
	static unsigned int next;
	char *to = buffers[next++ % 8];
	char *start = to;
	char digits[24];
	int left = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	const char *from = digits;

	while (left) {
		*to++ = *from++;
		if (--left && left % 3 == 0)
			*to++ = ',';
	}
	*to = '\0';
	return start;
}

void must(int ret, const char *what)
{
	if (ret < 0)
		errx(EXIT_FAILURE, "cannot %s: %s", what, strerror(-ret));
}
