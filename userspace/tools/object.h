/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands on one object, and what several commands print of objects.
 */
#ifndef REFSTORE_TOOLS_OBJECT_H
#define REFSTORE_TOOLS_OBJECT_H

#include <refstore.h>

#include "command.h"

/*
 * Prints an object, within a JSON object that has its id already. Returns 0, a
 * negative errno, or STATUS_FAILED after it has said on stderr what was wrong.
 */
typedef int object_print(struct refstore *store,
			 const struct refstore_walk_object *object);

/**
 * object_run() - run a command that takes an ID
 * @arguments: what it was given
 * @name: the command's name
 * @print: what it does with the object
 *
 * Return: STATUS_*, after it has said on stderr what was wrong.
 */
int object_run(const struct arguments *arguments, const char *name,
	       object_print *print);

/* Words for REFSTORE_STATE_*, between commas, "-" for none; the array "state". */
void object_print_states(uint32_t state);

/* The object's label on a line, if it has one. Returns 0 or a negative errno. */
int object_print_label(struct refstore *store, uint64_t id);

/* A slot, and what it refers to, on a line: an entry of an array. */
void object_print_slot(const struct refstore_walk_edge *edge);

/*
 * The process of a session, user, rights and label. What others have chosen of it
 * is made harmless.
 */
void object_print_owner(struct refstore_walk_session *session);

/*
 * A session and how many handles of an object it has, on a line: an entry of an
 * array.
 */
void object_print_holder(struct refstore_walk_session *session,
			 uint64_t handles);

#endif /* REFSTORE_TOOLS_OBJECT_H */
