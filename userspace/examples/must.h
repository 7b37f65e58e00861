/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the examples deal with errors: a call that must succeed ends the program
 * if it does not, and says why.
 */
#ifndef EXAMPLES_MUST_H
#define EXAMPLES_MUST_H

#include <err.h>
#include <string.h>
#include <sys/types.h>

/* @ret is what a function of the library returned: negative, an errno. */
static inline ssize_t must(const char *what, ssize_t ret)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror((int)-ret));
	return ret;
}

#endif /* EXAMPLES_MUST_H */
