// SPDX-License-Identifier: GPL-2.0-only
/*
 * What refers to an object, what an object refers to, and who holds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>

#include "command.h"
#include "memfd.h"
#include "object.h"
#include "out.h"

static void print_slot_of(const struct refstore_walk_edge *edge)
{
	out_open_object(NULL);
	out_number("slot", "slot %" PRIu64, edge->index);
	out_number("object", " of object %" PRIu64 "\n", edge->from);
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

static void print_is_root(bool root)
{
	out_json_truth("root", root);
	if (root)
		out_text("the root\n");
}

static int print_root(struct refstore *store, uint64_t id)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	int ret = refstore_iter_roots(store, &iter);

	if (ret)
		return ret;
	ret = refstore_iter_next_handle(iter, &handle);
	refstore_iter_free(iter);
	print_is_root(ret == 1 && handle.id == id);
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

/* The inode of a large value's memfd; 0 if the value is gone. */
static int find_inode(struct refstore *store, uint64_t id, uint64_t *inode)
{
	struct refstore_stat stat = {};
	uint64_t handle;
	int ret = refstore_find(store, id, &handle);

	if (!ret && handle) {
		ret = refstore_stat(store, handle, &stat);
		refstore_release(store, handle);
	}
	*inode = stat.inode;
	return ret;
}

/* Of a large value, who can get at its memory without the store. */
static int print_memfd(struct refstore *store,
		       const struct refstore_walk_object *object)
{
	uint64_t inode;
	int ret;

	if (!(object->state & REFSTORE_STATE_LARGE))
		return 0;
	ret = find_inode(store, object->id, &inode);
	return ret ? ret : memfd_print_users(inode);
}

/* The holders of some kinds; @ret and @holder are the next one's. */
static int print_sessions(struct refstore_iter *iter, int ret,
			  struct refstore_holder *holder)
{
	out_open_array("sessions");
	while (ret == 1 && (holder->kind == REFSTORE_HOLDER_SESSION ||
			    holder->kind == REFSTORE_HOLDER_EXPORT)) {
		object_print_holder(&holder->session, holder->handles);
		ret = refstore_iter_next_holder(iter, holder);
	}
	out_close_array();
	return ret;
}

static int print_holding_slots(struct refstore_iter *iter, int ret,
			       struct refstore_holder *holder)
{
	out_open_array("slots");
	while (ret == 1 && holder->kind == REFSTORE_HOLDER_SLOT) {
		print_slot_of(&holder->slot);
		ret = refstore_iter_next_holder(iter, holder);
	}
	out_close_array();
	return ret;
}

static int print_holders(struct refstore *store, uint64_t id)
{
	struct refstore_holder holder;
	struct refstore_iter *iter;
	int ret = refstore_iter_holders(store, id, &iter);

	if (ret)
		return ret;
	ret = refstore_iter_next_holder(iter, &holder);
	ret = print_sessions(iter, ret, &holder);
	ret = print_holding_slots(iter, ret, &holder);
	refstore_iter_free(iter);
	if (ret >= 0)
		print_is_root(ret == 1);
	return ret < 0 ? ret : 0;
}

static int print_who(struct refstore *store,
		     const struct refstore_walk_object *object)
{
	int ret = object_print_label(store, object->id);

	if (!ret)
		ret = print_holders(store, object->id);
	print_saved(object);
	return ret ? ret : print_memfd(store, object);
}

static int print_referents(struct refstore *store,
			   const struct refstore_walk_object *object)
{
	struct refstore_iter *iter;
	int ret = refstore_iter_referents(store, object->id, &iter);

	return ret ? ret : print_slots(iter, object_print_slot);
}

static int run_referrers(const struct arguments *arguments)
{
	return object_run(arguments, "referrers", print_referrers);
}

static int run_who(const struct arguments *arguments)
{
	return object_run(arguments, "who", print_who);
}

static int run_referents(const struct arguments *arguments)
{
	return object_run(arguments, "referents", print_referents);
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

const struct command command_who = {
	.name = "who",
	.usage = " ID",
	.summary = "Show who holds an object: processes, exports, slots, the root",
	.help = "For each session that has handles of it: the process that\n"
		"opened the session, or exported the object, with its command,\n"
		"the user who pays, and the session's rights and label.\n"
		"Process 0 is gone, or not to be seen from here; who has a\n"
		"session's descriptor now, /proc/PID/fdinfo/FD tells. Slots\n"
		"follow, and the root. 'refstore ls' lists the ids.\n"
		"\n"
		"Of a large value, processes come last that have descriptors\n"
		"of its memory, or have it mapped: these keep the memory, not\n"
		"the object, and cannot be seen in the counts. Processes that\n"
		"you may not look into, as other users' are, are left out.\n",
	.session = true,
	.operand = "ID",
	.run = run_who,
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
