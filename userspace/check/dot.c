// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws a heap that there is none of: with names that mean something to Graphviz,
 * and with references from, to and of objects that are not listed.
 */
#include <stdio.h>

#include "command.h"
#include "walk.h"

static struct refstore_walk_object objects[] = {
	{ .id = 1, .type = 1 }, { .id = 2 }, { .id = 3 },
	{ .id = 4 }, { .id = 5 }, { .id = 6 },
	{ .id = 7, .state = REFSTORE_STATE_SAVED }, { .id = 8 },
	{ .id = 9 }, { .id = 10, .state = REFSTORE_STATE_FROZEN },
	{ .id = 11, .state = REFSTORE_STATE_FROZEN },
};

static struct refstore_walk_edge edges[] = {
	{ .from = 1, .to = 2, .index = 3 },	/* 1: the root */
	{ .from = 1, .to = 3, .index = 0 },
	{ .from = 1, .to = 2, .index = 7 },
	{ .from = 3, .to = 3, .index = 0 },	/* a loop */
	{ .from = 4, .to = 5, .index = 0 },	/* a cycle that is held */
	{ .from = 5, .to = 4, .index = 1 },
	{ .from = 6, .to = 9, .index = 0 },	/* garbage */
	{ .from = 9, .to = 6, .index = 0 },
	{ .from = 6, .to = 1, .index = 1 },
	{ .from = 7, .to = 8, .index = 0 },	/* 7: saved */
	{ .from = 10, .to = 10, .index = 0 },	/* frozen, a loop */
	{ .from = 6, .to = 11, .index = 2 },	/* frozen, no loop */
	{ .from = 1, .to = 99, .index = 9 },
	{ .from = 98, .to = 6, .index = 0 },
};

static struct refstore_walk_handle handles[] = {
	{ .id = 4, .session = 7 }, { .id = 97, .session = 7 },
	{ .id = 4, .session = 7 }, { .id = 5, .session = 11 },
	{ .id = 2, .session = 12 }, { .id = 97, .session = 13 },
	{ .id = 1, .session = 11 }, { .id = 1, .session = 12 },
};

static struct refstore_walk_handle root = { .id = 1 };

static struct refstore_walk_session sessions[] = {
	{ .session = 7, .pid = 70, .comm = "a\033\"b\\", .label = "\\N&<" },
	{ .session = 11, .pid = 71, .exported = 1, .comm = "c" },
	{ .session = 13, .pid = 72, .comm = "d" },
};

static struct refstore_walk_label labels[] = {
	{ .id = 2, .label = "\"];x[&lt;\\" }, { .id = 97, .label = "no" },
	{ .id = 4, .label = "gr\303\274n" }, { .id = 5, .label = "\377\n" },
	{ .id = 6 },
};

#define WALK(array) { array, sizeof(*(array)), sizeof(array) / sizeof(*(array)) }

static const struct played walks[] = {
	[REFSTORE_WALK_OBJECTS] = WALK(objects),
	[REFSTORE_WALK_EDGES] = WALK(edges),
	[REFSTORE_WALK_HANDLES] = WALK(handles),
	[REFSTORE_WALK_ROOTS] = { &root, sizeof(root), 1 },
	[REFSTORE_WALK_SESSIONS] = WALK(sessions),
	[REFSTORE_WALK_LABELS] = WALK(labels),
};

static int name_type(struct refstore_type *type)
{
	strcpy(type->name, type->type ? "a\"\\" : "list");
	return 0;
}

static int make_session(struct refstore_session_new *session)
{
	session->fd = new_session_fd();
	return 0;
}

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_walk *walk = args;

	(void)fd;
	switch (command) {
	case REFSTORE_WALK:
		return play_walk(walk, &walks[walk->what], 1);
	case REFSTORE_TYPE_NAME:
		return name_type(args);
	case REFSTORE_SESSION_NEW:
		return make_session(args);
	default:
		CHECK(command == REFSTORE_QUERY);
		return 0;
	}
}

/* As many objects as the argument says. */
int main(int argc, char **argv)
{
	struct arguments arguments = { .fd = new_session_fd() };
	const struct option *option = command_graph.options;

	CHECK(argc == 2);
	CHECK(!strcmp(option[0].name, "dot") &&
	      !strcmp(option[1].name, "limit"));
	CHECK(command_graph.take(option[0].val, NULL) &&
	      command_graph.take(option[1].val, argv[1]));
	return command_graph.run(&arguments);
}
