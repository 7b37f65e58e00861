// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds an object is told, each holder once, in whatever order walks go, and
 * though signals end some of them early.
 */
#include "walk.h"

static struct refstore_walk_handle handles[] = {
	{ .id = 7, .session = 3 },
	{ .id = 9, .session = 3 },
	{ .id = 7, .session = 5 },
	{ .id = 7, .session = 3 },
	{ .id = 7, .session = 4 },
	{ .id = 8, .session = 6 },
};

/* Session 4 has ended meanwhile. */
static struct refstore_walk_session sessions[] = {
	{ .session = 6, .handles = 1, .pid = 60 },
	{ .session = 3, .handles = 3, .pid = 30, .label = "three" },
	{ .session = 5, .handles = 1, .pid = 50, .exported = 1 },
};

static struct refstore_walk_edge edges[] = {
	{ .from = 7, .to = 7, .index = 1 },
	{ .from = 7, .to = 8, .index = 2 },
	{ .from = 9, .to = 7, .index = 0 },
};

static struct refstore_walk_handle root = { .id = 7 };

static const struct played walks[] = {
	[REFSTORE_WALK_EDGES] = { edges, sizeof(*edges), 3 },
	[REFSTORE_WALK_HANDLES] = { handles, sizeof(*handles), 6 },
	[REFSTORE_WALK_ROOTS] = { &root, sizeof(root), 1 },
	[REFSTORE_WALK_SESSIONS] = { sessions, sizeof(*sessions), 3 },
};

static int backwards;
static unsigned int calls;

int kernel(int fd, unsigned long command, void *args)
{
	struct refstore_walk *walk = args;

	(void)fd;
	if (command != REFSTORE_WALK)
		return 0;
	if (calls++ % 3 == 1)
		return -EINTR;
	return play_walk(walk, &walks[walk->what], backwards);
}

static int next(struct refstore_iter *iter, struct refstore_holder *holder)
{
	int ret;

	do {
		ret = refstore_iter_next_holder(iter, holder);
	} while (ret == -EINTR);
	return ret;
}

static void check_session(const struct refstore_holder *holder)
{
	CHECK(holder->kind == REFSTORE_HOLDER_SESSION);
	CHECK(holder->handles == 2 && holder->session.pid == 30);
	CHECK(!strcmp(holder->session.label, "three"));
	CHECK(!holder->slot.to);
}

static void check_export(const struct refstore_holder *holder)
{
	CHECK(holder->kind == REFSTORE_HOLDER_EXPORT);
	CHECK(holder->handles == 1 && holder->session.pid == 50);
}

static void check_slot(const struct refstore_holder *holder, uint64_t from)
{
	CHECK(holder->kind == REFSTORE_HOLDER_SLOT);
	CHECK(holder->slot.from == from && holder->slot.to == 7);
	CHECK(holder->slot.index == (from == 7));
	CHECK(!holder->handles && !holder->session.session);
}

static void check_holders(struct refstore *store)
{
	struct refstore_holder holders[6];
	struct refstore_iter *iter;
	size_t i;

	CHECK(!refstore_iter_holders(store, 7, &iter));
	for (i = 0; i < 5; i++)
		CHECK(next(iter, &holders[i]) == 1);
	CHECK(!next(iter, &holders[5]) && !next(iter, &holders[5]));
	refstore_iter_free(iter);
	check_session(&holders[backwards]);
	check_export(&holders[!backwards]);
	check_slot(&holders[2], backwards ? 9 : 7);
	check_slot(&holders[3], backwards ? 7 : 9);
	CHECK(holders[4].kind == REFSTORE_HOLDER_ROOT);
}

/* Of what nobody holds, and of an iterator that ends early. */
static void check_others(struct refstore *store)
{
	struct refstore_walk_handle handle;
	struct refstore_holder holder;
	struct refstore_iter *iter;

	CHECK(!refstore_iter_holders(store, 10, &iter));
	CHECK(!next(iter, &holder));
	refstore_iter_free(iter);
	CHECK(!refstore_iter_holders(store, 7, &iter));
	CHECK(refstore_iter_next_handle(iter, &handle) == -EINVAL);
	CHECK(next(iter, &holder) == 1);
	refstore_iter_free(iter);
	CHECK(!refstore_iter_handles(store, &iter));
	CHECK(refstore_iter_next_holder(iter, &holder) == -EINVAL);
	refstore_iter_free(iter);
}

int main(void)
{
	struct refstore *store;

	CHECK(!refstore_open_fd(new_session_fd(), &store));
	for (backwards = 0; backwards < 2; backwards++)
		check_holders(store);
	check_others(store);
	refstore_close(store);
	return 0;
}
