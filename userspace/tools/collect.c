// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "out.h"
#include "target.h"

static void print_result(const struct refstore_collect *result)
{
	out_open_object(NULL);
	out_count("scans", "", result->scans, "scan");
	out_count("visited", " visited ", result->visited, "object");
	out_number("reclaimed", ", reclaimed %" PRIu64, result->reclaimed);
	out_count("bytes", " of ", result->bytes, "byte");
	out_number("aborted", ", aborted %" PRIu64, result->aborted);
	out_number("nanoseconds", "; %" PRIu64 " ns\n", result->nanoseconds);
	out_close_object();
}

static int run_collect(const struct arguments *arguments)
{
	struct refstore_collect result;
	struct refstore *store;
	int ret;

	if (target_open(arguments, &store))
		return STATUS_FAILED;
	ret = refstore_collect(store, REFSTORE_OLDEST, &result);
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
	.help = "Waits until everything that was unreachable has been freed.\n"
		"'aborted' counts groups of objects that were touched\n"
		"meanwhile and kept.\n",
	.session = true,
	.run = run_collect,
};
