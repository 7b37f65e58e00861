// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "limit.h"
#include "number.h"
#include "object.h"
#include "out.h"
#include "target.h"
#include "text.h"

static const struct {
	uint32_t state;
	const char *word;
} states[] = {
	{ REFSTORE_STATE_SLOTTED, "tracked" },
	{ REFSTORE_STATE_LARGE, "large" },
	{ REFSTORE_STATE_CANDIDATE, "candidate" },
	{ REFSTORE_STATE_FROZEN, "frozen" },
	{ REFSTORE_STATE_SAVED, "saved" },
	{ REFSTORE_STATE_WEAK, "weak" },
	{ REFSTORE_STATE_SATURATED, "saturated" },
	{ REFSTORE_STATE_IMMORTAL, "immortal" },
	{ REFSTORE_STATE_INTERNED, "interned" },
	{ REFSTORE_STATE_SEALED_DATA, "sealed-data" },
	{ REFSTORE_STATE_SEALED_SLOTS, "sealed-slots" },
};

void object_print_states(uint32_t state)
{
	const char *before = "";
	size_t i;

	out_open_array("state");
	for (i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!(state & states[i].state))
			continue;
		out_json_string(NULL, states[i].word);
		out_text("%s%s", before, states[i].word);
		before = ",";
	}
	out_close_array();
	out_text("%s", *before ? "" : "-");
}

int object_print_label(struct refstore *store, uint64_t id)
{
	struct refstore_walk_label label = { 0 };
	struct refstore_iter *iter;
	int ret = refstore_iter_labels(store, &iter);

	if (ret)
		return ret;
	do {
		ret = refstore_iter_next_label(iter, &label);
	} while (ret == 1 && label.id != id);
	refstore_iter_free(iter);
	if (ret == 1 && *label.label)
		out_string("label", "'%s'\n", text_harmless(label.label));
	return ret < 0 ? ret : 0;
}

void object_print_slot(const struct refstore_walk_edge *edge)
{
	out_open_object(NULL);
	out_number("slot", "slot %" PRIu64, edge->index);
	out_number("object", ": object %" PRIu64 "\n", edge->to);
	out_close_object();
}

void object_print_owner(struct refstore_walk_session *session)
{
	out_number("pid", "process %" PRIu64, session->pid);
	out_string("command", " (%s)", text_harmless(session->comm));
	out_number("uid", ", user %" PRIu64, session->uid);
	out_number("rights", ", rights %#" PRIx64, session->rights);
	if (*session->label)
		out_string("label", ", '%s'", text_harmless(session->label));
}

void object_print_holder(struct refstore_walk_session *session,
			 uint64_t handles)
{
	out_open_object(NULL);
	out_count("handles", "", handles, "handle");
	out_number("session",
		   session->exported ? " of session %" PRIu64 " (an export): " :
				       " of session %" PRIu64 ": ",
		   session->session);
	out_json_truth("exported", session->exported);
	object_print_owner(session);
	out_text("\n");
	out_close_object();
}

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

static int show(struct refstore *store, uint64_t id, object_print *print)
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
	if (ret < 0)
		warnx("cannot walk: %s", limit_describe(store, ret));
	return ret ? STATUS_FAILED : STATUS_OK;
}

int object_run(const struct arguments *arguments, const char *name,
	       object_print *print)
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
