// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that there is to say of one object, and the beginning of what is in it.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "command.h"
#include "object.h"
#include "out.h"
#include "text.h"

/* So many slots are shown to people, and so many bytes of data to all. */
#define SHOWN_SLOTS 20
#define SHOWN_TEXT 1024
#define SHOWN_BYTES 64

#define BYTES_IN_LINE 16

/* The name of a line of the text. */
static void print_name(const char *name)
{
	out_text("%-10s  ", name);
}

static void print_number(const char *name, uint64_t number)
{
	print_name(name);
	out_number(name, "%" PRIu64 "\n", number);
}

/*
 * Slots
 */

/* What the slots of an object refer to. */
struct slots {
	struct refstore_walk_edge *edges;
	size_t count;
	size_t room;
};

static int add_slot(struct slots *slots, const struct refstore_walk_edge *edge)
{
	struct refstore_walk_edge *edges =
		array_reserve(slots->edges, &slots->room, slots->count + 1,
			      sizeof(*edges));

	if (!edges)
		return -ENOMEM;
	slots->edges = edges;
	edges[slots->count++] = *edge;
	return 0;
}

static int list_slots(struct refstore *store, uint64_t id, struct slots *slots)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret = refstore_iter_referents(store, id, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		ret = add_slot(slots, &edge);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static int compare_slots(const void *one, const void *other)
{
	const struct refstore_walk_edge *a = one, *b = other;

	return (a->index > b->index) - (a->index < b->index);
}

/* A walk may list them in any order. */
static void print_sorted(struct slots *slots)
{
	size_t shown = slots->count, i;

	if (!out_is_json() && shown > SHOWN_SLOTS)
		shown = SHOWN_SLOTS;
	if (shown)
		qsort(slots->edges, slots->count, sizeof(*slots->edges),
		      compare_slots);
	out_open_array("slots");
	for (i = 0; i < shown; i++) {
		out_text("  ");
		object_print_slot(&slots->edges[i]);
	}
	out_close_array();
	if (shown < slots->count)
		out_text("  %zu more\n", slots->count - shown);
}

static int print_slots(struct refstore *store,
		       const struct refstore_walk_object *object)
{
	struct slots slots = {};
	int ret = 0;

	print_name("slots");
	out_number("nr_slots", "%" PRIu64 "\n", object->nr_slots);
	if (object->nr_slots)
		ret = list_slots(store, object->id, &slots);
	if (!ret)
		print_sorted(&slots);
	free(slots.edges);
	return ret;
}

/*
 * Data
 */

/* Indented, so that no line of it looks like one of ours. */
static void print_text(const char *text)
{
	out_json_string("text", text);
	while (*text) {
		size_t length = strcspn(text, "\n");

		out_text("  %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/* As xxd(1) does. */
static void print_line(size_t offset, const unsigned char *bytes, size_t length)
{
	size_t i;

	out_text("  %08zx:", offset);
	for (i = 0; i < BYTES_IN_LINE; i++) {
		out_text("%s", i % 2 ? "" : " ");
		if (i < length)
			out_text("%02x", bytes[i]);
		else
			out_text("  ");
	}
	out_text("  ");
	for (i = 0; i < length; i++)
		out_text("%c", isascii(bytes[i]) && isprint(bytes[i]) ?
				       bytes[i] : '.');
	out_text("\n");
}

static void print_bytes(const unsigned char *bytes, size_t length)
{
	char digits[2 * SHOWN_BYTES + 1];
	size_t i;

	for (i = 0; i < length; i++)
		snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	out_json_string("hex", digits);
	for (i = 0; i < length; i += BYTES_IN_LINE)
		print_line(i, bytes + i,
			   length - i < BYTES_IN_LINE ? length - i :
							BYTES_IN_LINE);
}

/* How much of it to show, if it is text: no part of a character. */
static size_t text_length(const char *data, size_t length)
{
	size_t shown;

	if (length <= SHOWN_TEXT)
		return length;
	/* A character has up to four bytes. */
	shown = SHOWN_TEXT;
	while (shown > SHOWN_TEXT - 3 && (data[shown] & 0xc0) == 0x80)
		shown--;
	return shown;
}

/* @data: the first bytes of @all, with room for one more. */
static void print_first(char *data, size_t length, uint64_t all)
{
	size_t shown = text_length(data, length);

	if (text_is_printable(data, shown)) {
		data[shown] = '\0';
		print_text(data);
	} else {
		shown = length < SHOWN_BYTES ? length : SHOWN_BYTES;
		print_bytes((unsigned char *)data, shown);
	}
	if (shown < all) {
		out_count("more", "  ", all - shown, "more byte");
		out_text("\n");
	}
}

/* Of one that has gone meanwhile, nothing. */
static ssize_t read_data(struct refstore *store, uint64_t id, char *data,
			 size_t room)
{
	uint64_t handle;
	ssize_t ret = refstore_find(store, id, &handle);

	if (ret || !handle)
		return ret;
	ret = refstore_read(store, handle, 0, data, room);
	refstore_release(store, handle);
	return ret;
}

static int print_data(struct refstore *store,
		      const struct refstore_walk_object *object)
{
	/* The byte after what is shown tells whether a character ends there. */
	char data[SHOWN_TEXT + 2];
	ssize_t length;

	print_number("data", object->data_len);
	if (!object->data_len)
		return 0;
	length = read_data(store, object->id, data, SHOWN_TEXT + 1);
	if (length > 0)
		print_first(data, (size_t)length, object->data_len);
	return length < 0 ? (int)length : 0;
}

static int print_type(struct refstore *store, uint32_t type)
{
	char name[REFSTORE_TYPE_NAME_MAX];
	int ret = refstore_type_name(store, type, name);

	if (ret)
		return ret;
	print_name("type");
	out_string("type", "%s\n", text_harmless(name));
	return 0;
}

static int print_object(struct refstore *store,
			const struct refstore_walk_object *object)
{
	int ret = object_print_label(store, object->id);

	if (!ret)
		ret = print_type(store, object->type);
	if (ret)
		return ret;
	print_name("state");
	object_print_states(object->state);
	out_text("\n");
	print_number("refs", object->refs);
	/* Leaves have no age. */
	if (object->state & REFSTORE_STATE_SLOTTED)
		print_number("generation", object->generation);
	print_number("bytes", object->bytes);
	ret = print_slots(store, object);
	return ret ? ret : print_data(store, object);
}

static int run_show(const struct arguments *arguments)
{
	return object_run(arguments, "show", print_object);
}

const struct command command_show = {
	.name = "show",
	.usage = " ID",
	.summary = "Show an object: type, state, references, slots, data",
	.help = "As 'refstore ls' does, which lists the ids, with its label\n"
		"before, if it has one; and what its slots refer to, empty\n"
		"ones left out: the first 20, or with --json all. Last comes\n"
		"its data: up to 1024 bytes of it, if that is printable text,\n"
		"else 64, in hex. To read it, takes a handle for a moment.\n",
	.session = true,
	.operand = "ID",
	.run = run_show,
};
