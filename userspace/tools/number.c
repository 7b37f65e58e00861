// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>

#include "number.h"

/* Digits, up to @end; UINT64_MAX, which nobody takes, if there are too many. */
static bool read_number(const char *text, uint64_t *number, char **end)
{
	if (!isdigit((unsigned char)*text))
		return false;
	*number = strtoull(text, end, 10);
	return true;
}

bool number_take(const char *what, const char *text, uint64_t smallest,
		 uint64_t largest, uint64_t *number)
{
	char *end;

	if (read_number(text, number, &end) && !*end && *number >= smallest &&
	    *number <= largest)
		return true;
	warnx("%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
	      what, smallest, largest, text);
	return false;
}

size_t number_take_list(const char *what, const char *text, uint32_t largest,
			uint32_t numbers[3])
{
	const char *rest = text;
	size_t count = 0;
	uint64_t number;
	char *end;

	while (count < 3 && read_number(rest, &number, &end) &&
	       number <= largest) {
		numbers[count++] = (uint32_t)number;
		if (!*end)
			return count;
		if (*end != ',')
			break;
		rest = end + 1;
	}
	warnx("%s takes one to three numbers from 0 to %" PRIu32
	      ", with commas between them, not '%s'", what, largest, text);
	return 0;
}
