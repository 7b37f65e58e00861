/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Callbacks of a session.
 */
#ifndef LIBREFSTORE_WATCH_H
#define LIBREFSTORE_WATCH_H

#include "session.h"

/*
 * Calls the callback that a death's event is for, if there is one, and forgets
 * it. Tells whether there was one.
 */
bool refstore_watch_call(struct refstore *store,
			 const struct refstore_event *event);

/* The session begins: 0 or a negative errno. */
int refstore_watch_begin(struct watches *watches);

/* The session ends. */
void refstore_watch_end(struct watches *watches);
void refstore_gc_callbacks_end(struct watches *watches);

#endif /* LIBREFSTORE_WATCH_H */
