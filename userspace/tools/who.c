// SPDX-License-Identifier: GPL-2.0-only
/*
 * What refers to an object, and what an object refers to.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "out.h"
#include "target.h"

static int find(struct refstore *store, uint64_t id,
		struct refstore_walk_object *object)
{
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(store, 0, &iter);

	if (ret)
		return ret;
	do {
		ret = refstore_iter_next_object(iter, object);
	} while (ret == 1 && object->id != id);
	refstore_iter_free(iter);
	if (!ret)
		return -ENOENT;
	return ret < 0 ? ret : 0;
}

static void print_slot_of(const struct refstore_walk_edge *edge)
{
	out_open_object(NULL);
	out_number("slot", "slot %" PRIu64, edge->index);
	out_number("object", " of object %" PRIu64 "\n", edge->from);
	out_close_object();
}

static void print_slot_to(const struct refstore_walk_edge *edge)
{
	out_open_object(NULL);
	out_number("slot", "slot %" PRIu64, edge->index);
	out_number("object", ": object %" PRIu64 "\n", edge->to);
	out_close_object();
}

static int print_slots(struct refstore_iter *iter,
		       void (*print)(const struct refstore_walk_edge *edge))
{
	struct refstore_walk_edge edge;
	int ret;

	out_open_array("slots");
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1)
		print(&edge);
	out_close_array();
	refstore_iter_free(iter);
	return ret;
}

static void print_session(uint64_t session, uint64_t handles)
{
	if (!handles)
		return;
	out_open_object(NULL);
	out_count("handles", "", handles, "handle");
	out_number("session", " of session %" PRIu64 "\n", session);
	out_close_object();
}

/* A walk lists the handles of one session after the other. */
static int print_handles(struct refstore *store, uint64_t id)
{
	struct refstore_walk_handle handle;
	uint64_t session = 0, handles = 0;
	struct refstore_iter *iter;
	int ret = refstore_iter_handles(store, &iter);

	if (ret)
		return ret;
	out_open_array("handles");
	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1) {
		if (handle.id != id)
			continue;
		if (handle.session != session) {
			print_session(session, handles);
			handles = 0;
		}
		session = handle.session;
		handles++;
	}
	print_session(session, handles);
	out_close_array();
	refstore_iter_free(iter);
	return ret;
}

static int print_root(struct refstore *store, uint64_t id)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	int ret = refstore_iter_roots(store, &iter);
	bool root;

	if (ret)
		return ret;
	ret = refstore_iter_next_handle(iter, &handle);
	refstore_iter_free(iter);
	root = ret == 1 && handle.id == id;
	out_json_truth("root", root);
	if (root)
		out_text("the root\n");
	return ret < 0 ? ret : 0;
}

static void print_saved(const struct refstore_walk_object *object)
{
	bool saved = object->state & REFSTORE_STATE_SAVED;

	out_json_truth("saved", saved);
	if (saved)
		out_text("the heap, which has saved it\n");
}

static int print_referrers(struct refstore *store,
			   const struct refstore_walk_object *object)
{
	struct refstore_iter *iter;
	int ret = refstore_iter_referrers(store, object->id, &iter);

	if (!ret)
		ret = print_slots(iter, print_slot_of);
	if (!ret)
		ret = print_handles(store, object->id);
	if (!ret)
		ret = print_root(store, object->id);
	print_saved(object);
	return ret;
}

static int print_referents(struct refstore *store,
			   const struct refstore_walk_object *object)
{
	struct refstore_iter *iter;
	int ret = refstore_iter_referents(store, object->id, &iter);

	return ret ? ret : print_slots(iter, print_slot_to);
}

static int show(struct refstore *store, uint64_t id,
		int (*print)(struct refstore *store,
			     const struct refstore_walk_object *object))
{
	struct refstore_walk_object object;
	int ret = find(store, id, &object);

	if (ret == -ENOENT) {
		warnx("no object %" PRIu64, id);
		return STATUS_FAILED;
	}
	if (!ret) {
		out_open_object(NULL);
		out_json_number("id", id);
		ret = print(store, &object);
		out_close_object();
	}
	if (!ret)
		return STATUS_OK;
	warnx("cannot walk: %s", strerror(-ret));
	return STATUS_FAILED;
}

static int run(const struct arguments *arguments, const char *name,
	       int (*print)(struct refstore *store,
			    const struct refstore_walk_object *object))
{
	struct refstore *store;
	uint64_t id;
	int status;

	if (arguments->words[1]) {
		warnx("%s takes one ID: %s", name, arguments->words[1]);
		return STATUS_USAGE;
	}
	if (!number_take(name, arguments->words[0], 1, INT64_MAX, &id))
		return STATUS_USAGE;
	if (target_open(arguments, &store))
		return STATUS_FAILED;
	status = show(store, id, print);
	refstore_close(store);
	return status;
}

static int run_referrers(const struct arguments *arguments)
{
	return run(arguments, "referrers", print_referrers);
}

static int run_referents(const struct arguments *arguments)
{
	return run(arguments, "referents", print_referents);
}

const struct command command_referrers = {
	.name = "referrers",
	.usage = " ID",
	.summary = "Show what refers to an object: slots, handles, the root",
	.help = "'refstore ls' lists the ids. Sessions are those of\n"
		"/proc/PID/fdinfo/FD.\n",
	.session = true,
	.operand = "ID",
	.run = run_referrers,
};

const struct command command_referents = {
	.name = "referents",
	.usage = " ID",
	.summary = "Show what an object's slots refer to",
	.help = "Empty slots are left out. 'refstore ls' lists the ids.\n",
	.session = true,
	.operand = "ID",
	.run = run_referents,
};
