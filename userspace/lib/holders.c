// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who holds an object: four walks, one after the other. Handles come first, to
 * be counted: which session has how many. Then the sessions are told of that have
 * some, then slots, then the root. No walk is relied on to go by any order.
 */
#include <search.h>
#include <stdlib.h>

#include "iter.h"

/* How many handles of the object a session has. */
struct count {
	uint64_t session;
	uint64_t handles;
};

static int by_session(const void *one, const void *other)
{
	const struct count *a = one, *b = other;

	return (a->session > b->session) - (a->session < b->session);
}

static struct count *find(const struct refstore_iter *iter, uint64_t session)
{
	const struct count key = { .session = session };
	struct count **node = tfind(&key, &iter->counts, by_session);

	return node ? *node : NULL;
}

static struct count *add(struct refstore_iter *iter, uint64_t session)
{
	struct count *count = calloc(1, sizeof(*count));

	if (!count)
		return NULL;
	count->session = session;
	if (tsearch(count, &iter->counts, by_session))
		return count;
	free(count);
	return NULL;
}

static bool is_of_object(const struct refstore_iter *iter, uint32_t place)
{
	return iter->handles[place].id == iter->key;
}

static bool has_handles(const struct refstore_iter *iter, uint32_t place)
{
	return find(iter, iter->sessions[place].session);
}

/*
 * What an entry tells: 1 if it is a holder, 0 if not, or a negative errno.
 */

static int take_handle(struct refstore_iter *iter,
		       struct refstore_holder *holder)
{
	uint64_t session = iter->handles[iter->next].session;
	struct count *count = find(iter, session);

	(void)holder;
	if (!count)
		count = add(iter, session);
	if (!count)
		return -ENOMEM;
	count->handles++;
	return 0;
}

static int take_session(struct refstore_iter *iter,
			struct refstore_holder *holder)
{
	holder->session = iter->sessions[iter->next];
	holder->handles = find(iter, holder->session.session)->handles;
	holder->kind = holder->session.exported ? REFSTORE_HOLDER_EXPORT :
						  REFSTORE_HOLDER_SESSION;
	return 1;
}

static int take_slot(struct refstore_iter *iter, struct refstore_holder *holder)
{
	holder->kind = REFSTORE_HOLDER_SLOT;
	holder->slot = iter->edges[iter->next];
	return 1;
}

static int take_root(struct refstore_iter *iter, struct refstore_holder *holder)
{
	(void)iter;
	holder->kind = REFSTORE_HOLDER_ROOT;
	return 1;
}

static const struct phase {
	uint32_t what;
	size_t entry_size;
	bool (*matches)(const struct refstore_iter *iter, uint32_t place);
	int (*take)(struct refstore_iter *iter, struct refstore_holder *holder);
} phases[] = {
	{ REFSTORE_WALK_HANDLES, sizeof(struct refstore_walk_handle),
	  is_of_object, take_handle },
	{ REFSTORE_WALK_SESSIONS, sizeof(struct refstore_walk_session),
	  has_handles, take_session },
	{ REFSTORE_WALK_EDGES, sizeof(struct refstore_walk_edge),
	  refstore_iter_is_to, take_slot },
	{ REFSTORE_WALK_ROOTS, sizeof(struct refstore_walk_handle),
	  is_of_object, take_root },
};

#define LAST_PHASE (sizeof(phases) / sizeof(*phases) - 1)

int refstore_iter_holders(struct refstore *store, uint64_t id,
			  struct refstore_iter **iter)
{
	int ret = refstore_iter_new(store, phases->what, phases->entry_size,
				    iter);

	if (ret)
		return ret;
	(*iter)->kind = ITER_HOLDERS;
	(*iter)->matches = phases->matches;
	(*iter)->key = id;
	return 0;
}

static void begin_next_phase(struct refstore_iter *iter)
{
	const struct phase *phase = &phases[++iter->phase];

	refstore_iter_begin(iter, phase->what, phase->entry_size);
	iter->matches = phase->matches;
}

/* The next entry of any phase: 1, 0 if there is none, or a negative errno. */
static int advance(struct refstore_iter *iter)
{
	int ret;

	for (;;) {
		ret = refstore_iter_advance(iter);
		if (ret || iter->phase == LAST_PHASE)
			return ret;
		begin_next_phase(iter);
	}
}

int refstore_iter_next_holder(struct refstore_iter *iter,
			      struct refstore_holder *holder)
{
	struct refstore_holder found = {};
	int ret;

	if (iter->kind != ITER_HOLDERS)
		return -EINVAL;
	do {
		ret = advance(iter);
		if (ret != 1)
			return ret;
		ret = phases[iter->phase].take(iter, &found);
		if (ret >= 0)
			iter->next++;
	} while (!ret);
	if (ret == 1)
		*holder = found;
	return ret;
}

void refstore_iter_holders_end(struct refstore_iter *iter)
{
	tdestroy(iter->counts, free);
}
