// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A heap with a name, for processes that know nothing of each other: one writes,
 * and is gone when the other one reads. The heap is a file in a file system of
 * type refstore:
 *
 *   mkdir -p /run/refstore	as root, where nothing has done so
 *   mount -t refstore none /run/refstore -o mode=1777	likewise
 *   named write /run/refstore/greeting
 *   named read /run/refstore/greeting
 *   rm /run/refstore/greeting
 *
 * It prints:
 *
 *	the writer leaves a greeting, and ends
 *	the reader finds: good morning
 *	the reader may not write: Permission denied
 */
#include <fcntl.h>
#include <stdio.h>

#include <refstore.h>

#include "must.h"

static void write_greeting(const char *path)
{
	const struct refstore_spec spec = {
		.type = REFSTORE_TYPE_STR,
		.data = "good morning",
		.data_len = 12,
	};
	struct refstore *store;
	uint64_t greeting;

	must(path, refstore_open_heap(path, O_RDWR | O_CREAT | O_EXCL, 0644,
				      &store));
	must("create", refstore_create(store, &spec, &greeting, NULL));
	/* The handle ends with the session, the root stays with the heap. */
	must("set the root", refstore_set_root(store, greeting));
	refstore_close(store);
	puts("the writer leaves a greeting, and ends");
}

static void read_greeting(const char *path)
{
	struct refstore *store;
	uint64_t greeting;
	char text[32];
	ssize_t length;
	int ret;

	must(path, refstore_open_heap(path, O_RDONLY, 0, &store));
	must("get the root", refstore_get_root(store, &greeting));
	if (!greeting)
		errx(1, "%s: nobody has set a root", path);
	length = must("read", refstore_read(store, greeting, 0, text,
					    sizeof(text)));
	printf("the reader finds: %.*s\n", (int)length, text);

	/* Who opens a heap for reading has a session without rights to write. */
	ret = refstore_write(store, greeting, 0, "G", 1);
	printf("the reader may %s: %s\n", ret ? "not write" : "write",
	       strerror(-ret));
	refstore_close(store);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "write"))
		write_greeting(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "read"))
		read_greeting(argv[2]);
	else
		errx(2, "usage: named write|read PATH");
	return 0;
}
