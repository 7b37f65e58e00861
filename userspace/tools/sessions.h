/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sessions of a heap, and which of them processes have.
 */
#ifndef REFSTORE_SESSIONS_H
#define REFSTORE_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <refstore.h>

/**
 * struct sessions - sessions and exports, none if it is all zeroes
 * @list: the sessions, by number
 * @count: number of sessions
 * @room: number that there is room for
 */
struct sessions {
	struct refstore_walk_session *list;
	size_t count;
	size_t room;
};

/**
 * sessions_read() - list them
 * @sessions: none; out: to be freed with sessions_free(), even if this fails
 * @store: a session on the heap
 *
 * Return: 0 or a negative errno.
 */
int sessions_read(struct sessions *sessions, struct refstore *store);

/* The place of a session, or @sessions->count if it is not there. */
size_t sessions_find(const struct sessions *sessions, uint64_t session);

/**
 * sessions_find_open() - find out which of them processes have a descriptor of
 * @sessions: the sessions
 * @heap: number of their heap
 * @open: out: true in the place of each session that one has; all false before
 * @unseen: out: number of processes that may not be looked into
 *
 * A descriptor on its way through a socket is nobody's.
 * Return: 0 or a negative errno.
 */
int sessions_find_open(const struct sessions *sessions, uint64_t heap,
		       bool *open, size_t *unseen);

void sessions_free(struct sessions *sessions);

#endif /* REFSTORE_SESSIONS_H */
