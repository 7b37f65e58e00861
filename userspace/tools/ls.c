// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "object.h"
#include "out.h"
#include "target.h"

#define ANY_GENERATION REFSTORE_GENERATIONS

static uint64_t generation = ANY_GENERATION;
static bool garbage;

enum {
	OPTION_GENERATION = OPTION_FIRST,
	OPTION_GARBAGE,
};

static const struct option options[] = {
	{ "generation", required_argument, NULL, OPTION_GENERATION },
	{ "garbage", no_argument, NULL, OPTION_GARBAGE },
	{},
};

static bool take(int option, const char *argument)
{
	if (option == OPTION_GARBAGE)
		garbage = true;
	else if (!number_take("--generation", argument, 0, REFSTORE_OLDEST,
			      &generation))
		return false;
	if (!garbage || generation == ANY_GENERATION)
		return true;
	warnx("either --generation or --garbage");
	return false;
}

static void print_object(const struct refstore_walk_object *object,
			 const char *type)
{
	out_open_object(NULL);
	out_number("id", "%10" PRIu64, object->id);
	/* Leaves have no age. */
	if (object->state & REFSTORE_STATE_SLOTTED)
		out_number("generation", "  %3" PRIu64, object->generation);
	else
		out_text("    -");
	out_number("refs", "  %8" PRIu64, object->refs);
	out_number("slots", "  %8" PRIu64, object->nr_slots);
	out_number("data", "  %10" PRIu64, object->data_len);
	out_number("bytes", "  %10" PRIu64, object->bytes);
	out_text("  ");
	out_cell("type", 12, type);
	out_text("  ");
	object_print_states(object->state);
	out_text("\n");
	out_close_object();
}

static void print_heading(void)
{
	out_text("%10s  %3s  %8s  %8s  %10s  %10s  %-12s  %s\n", "id", "gen",
		 "refs", "slots", "data", "bytes", "type", "state");
}

static int begin(struct refstore *store, struct refstore_iter **iter)
{
	if (garbage)
		return refstore_iter_garbage(store, 0, iter);
	if (generation == ANY_GENERATION)
		return refstore_iter_objects(store, 0, iter);
	return refstore_iter_generation(store, (uint32_t)generation, 0, iter);
}

static int list(struct refstore *store)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = begin(store, &iter);

	if (ret)
		return ret;
	print_heading();
	out_open_array(NULL);
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		char type[REFSTORE_TYPE_NAME_MAX];

		ret = refstore_type_name(store, object.type, type);
		if (ret)
			break;
		print_object(&object, type);
	}
	out_close_array();
	refstore_iter_free(iter);
	return ret;
}

static int run_ls(const struct arguments *arguments)
{
	struct refstore *store;
	int ret;

	if (target_open(arguments, &store))
		return STATUS_FAILED;
	ret = list(store);
	refstore_close(store);
	if (!ret)
		return STATUS_OK;
	warnx("cannot list: %s", strerror(-ret));
	return STATUS_FAILED;
}

const struct command command_ls = {
	.name = "ls",
	.usage = "",
	.summary = "List a heap's objects",
	.help = "A line for each object: its id, its age if it has slots, the\n"
		"references to it, the number of its slots, the bytes of its\n"
		"data, the bytes that it takes, its type, and words for its\n"
		"state: 'tracked' (it is no leaf), 'large' (its data is a\n"
		"memfd), 'candidate' (a scan of its age begins at it),\n"
		"'frozen', 'saved' (garbage that was kept), 'weak' (it has, or\n"
		"had, weak handles), 'saturated' (its count was wrong, and it\n"
		"is never freed), 'immortal' (never freed, as was asked for),\n"
		"'interned' (of its type and data there is no other),\n"
		"'sealed-data', 'sealed-slots'. The references to one that is\n"
		"never freed are not counted.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --generation N  only objects of this age, 0 to 2, that\n"
		"                      are not frozen\n"
		"      --garbage       only what scans have kept, see\n"
		"                      'refstore gc --save-all'\n",
	.take = take,
	.run = run_ls,
};
