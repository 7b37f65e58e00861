// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "out.h"
#include "target.h"

static uint64_t generation = REFSTORE_OLDEST;

enum {
	OPTION_GENERATION = OPTION_FIRST,
};

static const struct option options[] = {
	{ "generation", required_argument, NULL, OPTION_GENERATION },
	{},
};

static bool take(int option, const char *argument)
{
	(void)option;
	return number_take("--generation", argument, 0, REFSTORE_OLDEST,
			   &generation);
}

static void print_result(const struct refstore_collect *result)
{
	out_open_object(NULL);
	out_count("scans", "", result->scans, "scan");
	out_count("visited", " visited ", result->visited, "object");
	out_number("reclaimed", ", reclaimed %" PRIu64, result->reclaimed);
	out_count("bytes", " of ", result->bytes, "byte");
	out_number("saved", ", saved %" PRIu64, result->saved);
	out_number("aborted", ", aborted %" PRIu64, result->aborted);
	out_number("nanoseconds", "; %" PRIu64 " ns\n", result->nanoseconds);
	out_close_object();
}

static int run_collect(const struct arguments *arguments)
{
	struct refstore_collect result;
	struct refstore *store;
	int ret;

	if (target_open_writable(arguments, &store))
		return STATUS_FAILED;
	ret = refstore_collect(store, (uint32_t)generation, &result);
	refstore_close(store);
	if (ret) {
		warnx("cannot collect: %s", strerror(-ret));
		return STATUS_FAILED;
	}
	print_result(&result);
	return STATUS_OK;
}

const struct command command_collect = {
	.name = "collect",
	.usage = "",
	.summary = "Collect a heap's cycles now, and tell what that did",
	.help = "Waits until everything that was unreachable has been freed,\n"
		"or of a younger generation, what a scan of that finds; but\n"
		"for what is frozen or reached from that, what --save-all\n"
		"keeps, and what scans left that gave up (scan_stopped).\n"
		"'saved' counts objects that were kept, see 'refstore gc';\n"
		"'aborted' groups of objects that were touched meanwhile and\n"
		"kept.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --generation N  begin at candidates of generations 0 to N,\n"
		"                      at most 2; without it, at all of them\n",
	.take = take,
	.run = run_collect,
};
