// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "process.h"
#include "sessions.h"

static int compare(const void *one, const void *other)
{
	const struct refstore_walk_session *a = one;
	const struct refstore_walk_session *b = other;

	return (a->session > b->session) - (a->session < b->session);
}

static int add(struct sessions *sessions,
	       const struct refstore_walk_session *session)
{
	struct refstore_walk_session *list =
		array_reserve(sessions->list, &sessions->room,
			      sessions->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	sessions->list = list;
	list[sessions->count++] = *session;
	return 0;
}

int sessions_read(struct sessions *sessions, struct refstore *store)
{
	struct refstore_walk_session session;
	struct refstore_iter *iter;
	int ret = refstore_iter_sessions(store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_session(iter, &session)) == 1) {
		ret = add(sessions, &session);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	if (sessions->count)
		qsort(sessions->list, sessions->count, sizeof(*sessions->list),
		      compare);
	return ret;
}

size_t sessions_find(const struct sessions *sessions, uint64_t session)
{
	const struct refstore_walk_session key = { .session = session };
	const struct refstore_walk_session *found = NULL;

	if (sessions->count)
		found = bsearch(&key, sessions->list, sessions->count,
				sizeof(*sessions->list), compare);
	return found ? (size_t)(found - sessions->list) : sessions->count;
}

void sessions_free(struct sessions *sessions)
{
	free(sessions->list);
}

/*
 * Who has them
 */

/* What is asked for, and what was found so far. */
struct search {
	const struct sessions *sessions;
	uint64_t heap;
	bool *open;
	size_t unseen;
};

static void look_at_descriptor(struct search *search, DIR *fdinfo,
			       const char *name)
{
	struct process_session session;
	size_t place;

	if (!process_read_session(fdinfo, name, &session) ||
	    session.heap != search->heap)
		return;
	place = sessions_find(search->sessions, session.session);
	if (place < search->sessions->count)
		search->open[place] = true;
}

static void look_at_process(pid_t pid, void *data)
{
	struct search *search = data;
	struct dirent *entry;
	DIR *fdinfo = process_open(pid, "fdinfo");

	if (!fdinfo) {
		/* If it has not just ended. */
		search->unseen += errno == EACCES || errno == EPERM;
		return;
	}
	while ((entry = readdir(fdinfo)))
		look_at_descriptor(search, fdinfo, entry->d_name);
	closedir(fdinfo);
}

int sessions_find_open(const struct sessions *sessions, uint64_t heap,
		       bool *open, size_t *unseen)
{
	struct search search = {
		.sessions = sessions,
		.heap = heap,
		.open = open,
	};
	int ret = process_each(look_at_process, &search);

	*unseen = search.unseen;
	return ret;
}
