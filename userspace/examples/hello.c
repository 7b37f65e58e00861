// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An object, shared with a child. It prints:
 *
 *	the child reads: hello
 *	the parent reads: hello
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <refstore.h>

#include "must.h"

static void read_and_print(struct refstore *store, uint64_t object,
			   const char *who)
{
	char text[16];
	ssize_t length = must("read", refstore_read(store, object, 0, text,
						    sizeof(text)));

	printf("the %s reads: %.*s\n", who, (int)length, text);
}

/*
 * The library has given the child a session of its own, with the same handles: what
 * it releases is its own reference, and the parent's stays.
 */
static void be_the_child(struct refstore *store, uint64_t hello)
{
	read_and_print(store, hello, "child");
	must("release", refstore_release(store, hello));
	refstore_close(store);
	exit(0);
}

int main(void)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_STR, .data = "hello", .data_len = 5,
	};
	struct refstore *store;
	uint64_t hello;
	int status;
	pid_t child;

	/* A heap of our own; it goes with its last session. */
	must("open", refstore_open(&store));
	must("create", refstore_create(store, &spec, &hello, NULL));

	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child)
		be_the_child(store, hello);
	if (waitpid(child, &status, 0) < 0)
		err(1, "waitpid");
	if (status)
		errx(1, "the child failed");

	read_and_print(store, hello, "parent");
	must("release", refstore_release(store, hello));
	refstore_close(store);
	return 0;
}
