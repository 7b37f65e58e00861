// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps from dumps: one that is there is filled, or a private one is made.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "limit.h"
#include "module.h"
#include "out.h"
#include "restore.h"
#include "target.h"

static int read_file(const char *name, const struct refstore_query *query,
		     struct graph *graph)
{
	const struct graph_limits limits = {
		.objects = query->max_objects,
		.slots = query->max_slots,
		.data = query->max_data,
		.large = query->max_bytes,
		.types = query->max_types,
	};
	struct lines_error error;
	FILE *file = stdin;
	int ret;

	if (strcmp(name, "-"))
		file = fopen(name, "re");
	if (!file) {
		warn("%s", name);
		return -1;
	}
	ret = graph_read(graph, file, &limits, &error);
	if (ret)
		warnx("%s:%zu: %s", name, error.line, error.text);
	if (file != stdin)
		fclose(file);
	return ret;
}

static int restore(const char *name, struct refstore *store,
		   const struct graph *graph)
{
	struct restore_error error;
	int ret = restore_graph(store, graph, &error);

	if (!ret)
		return 0;
	if (error.object == GRAPH_NONE)
		warnx("%s: cannot %s: %s", name, error.what,
		      limit_describe(store, ret));
	else
		warnx("%s:%" PRIu64 ": cannot %s object %" PRIu64 ": %s", name,
		      error.object + 2, error.what,
		      graph->objects[error.object].id,
		      limit_describe(store, ret));
	return -1;
}

/* Waits until what the root does not reach is gone. */
static int drop_garbage(struct refstore *store)
{
	int ret = refstore_collect(store, REFSTORE_OLDEST, NULL);

	if (ret)
		warnx("cannot collect: %s", strerror(-ret));
	return ret;
}

static int count_objects(struct refstore *store, uint64_t *count)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(store, 0, &iter);

	*count = 0;
	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1)
		++*count;
	refstore_iter_free(iter);
	return ret;
}

/* A dump may have more than one who restores it gets to see. */
static int tell_lost(const char *name, struct refstore *store, uint64_t all)
{
	uint64_t kept, lost;
	int ret = count_objects(store, &kept);

	if (ret) {
		warnx("cannot count: %s", strerror(-ret));
		return ret;
	}
	/* In a heap with a name, others may have made some meanwhile. */
	lost = kept < all ? all - kept : 0;
	if (lost)
		warnx("%s: %" PRIu64 " of %" PRIu64 " object%s %s not reachable"
		      " from the root and %s not kept", name, lost, all,
		      all == 1 ? "" : "s", lost == 1 ? "is" : "are",
		      lost == 1 ? "was" : "were");
	return 0;
}

/* Puts what the file's root reaches into the heap. */
static int fill(const char *name, struct refstore *store,
		struct refstore_query *query)
{
	struct graph graph;
	int ret = refstore_query(store, query);

	if (ret) {
		warnx("cannot query: %s", strerror(-ret));
		return ret;
	}
	ret = read_file(name, query, &graph);
	if (ret)
		return ret;
	ret = restore(name, store, &graph);
	if (!ret)
		ret = drop_garbage(store);
	if (!ret)
		ret = tell_lost(name, store, graph.nr_objects);
	graph_free(&graph);
	return ret;
}

/*
 * A heap that is there
 */

/* The root of one that is in use would be lost. */
static int check_empty(struct refstore *store)
{
	uint64_t count;
	int ret = count_objects(store, &count);

	if (ret)
		warnx("cannot count: %s", strerror(-ret));
	else if (count)
		warnx("the heap is not empty: it has %" PRIu64 " object%s",
		      count, count == 1 ? "" : "s");
	return ret || count ? -1 : 0;
}

static int run_restore(const struct arguments *arguments)
{
	const char *name = arguments->words[0];
	struct refstore_query query;
	struct refstore *store;
	int ret;

	if (arguments->words[1]) {
		warnx("restore takes one FILE: %s", arguments->words[1]);
		return STATUS_USAGE;
	}
	if (target_open_writable(arguments, &store))
		return STATUS_FAILED;
	ret = check_empty(store);
	if (!ret)
		ret = fill(name, store, &query);
	refstore_close(store);
	return ret ? STATUS_FAILED : STATUS_OK;
}

const struct command command_restore = {
	.name = "restore",
	.usage = " FILE",
	.summary = "Put a dump into a heap that is empty",
	.help = "Reads FILE ('-': standard input), which 'refstore dump'\n"
		"wrote, and first checks all of it: what is cut off, says what\n"
		"cannot be, or is of a version that is not known is refused,\n"
		"with the number of its line, and nothing is made. Then makes\n"
		"the objects, with new ids, and sets the root. What neither\n"
		"the root nor an immortal object reaches is collected, and its\n"
		"number is told on standard error.\n"
		"\n"
		"    : <> /run/refstore/app\n"
		"    refstore restore -H /run/refstore/app graph.jsonl\n"
		"\n"
		"If it fails after that, at a limit perhaps, what it has made\n"
		"goes, but for immortal objects: remove the heap.\n"
		"--json changes nothing.\n",
	.session = true,
	.operand = "FILE",
	.run = run_restore,
};

/*
 * A private one
 */

/* A session on a new heap with what the file contains. */
static struct refstore *load(const char *name, struct refstore_query *query)
{
	struct refstore *store;
	int ret = refstore_open(&store);

	if (ret) {
		module_warn(REFSTORE_DEVICE, -ret);
		return NULL;
	}
	if (!fill(name, store, query))
		return store;
	refstore_close(store);
	return NULL;
}

/*
 * Becomes the command, with the session under a number that it can find.
 * Returns STATUS_* if it cannot.
 */
static int execute(struct refstore *store, char **words)
{
	int fd = refstore_fd(store);
	char number[16];
	int status;

	snprintf(number, sizeof(number), "%d", fd);
	if (fcntl(fd, F_SETFD, 0) || setenv(TARGET_VARIABLE, number, 1)) {
		warn("cannot pass the session");
		return STATUS_FAILED;
	}
	execvp(*words, words);
	status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
	warn("%s", *words);
	return status;
}

static void print_where(struct refstore *store,
			const struct refstore_query *query)
{
	out_open_object(NULL);
	out_number("heap", "heap %" PRIu64, query->heap);
	out_number("pid", ": process %" PRIu64, (uint64_t)getpid());
	out_number("fd", ", descriptor %" PRIu64 "\n",
		   (uint64_t)refstore_fd(store));
	out_close_object();
}

/* But for those that are ignored, as SIGHUP below nohup: blocked, they would come. */
static void block_signals(sigset_t *signals)
{
	static const int wanted[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action;
	size_t i;

	sigemptyset(signals);
	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!sigaction(wanted[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(signals, wanted[i]);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/* Keeps the heap until a signal comes. */
static int wait_here(struct refstore *store, const struct refstore_query *query)
{
	sigset_t signals;
	int signal;

	/* Before anyone is told whom to signal. */
	block_signals(&signals);
	print_where(store, query);
	if (fflush(stdout))
		return STATUS_FAILED;
	sigwait(&signals, &signal);
	return STATUS_OK;
}

/* What follows FILE. */
static int check_rest(char **words)
{
	if (!*words)
		return 0;
	if (strcmp(*words, "--"))
		warnx("load: only '-- COMMAND' can follow FILE: %s", *words);
	else if (!words[1])
		warnx("load: a COMMAND must follow '--'");
	else
		return 0;
	return -1;
}

static int run_load(const struct arguments *arguments)
{
	char **words = arguments->words;
	struct refstore_query query;
	struct refstore *store;
	int status;

	if (check_rest(words + 1))
		return STATUS_USAGE;
	store = load(words[0], &query);
	if (!store)
		return STATUS_FAILED;
	if (words[1])
		status = execute(store, words + 2);
	else
		status = wait_here(store, &query);
	refstore_close(store);
	return status;
}

const struct command command_load = {
	.name = "load",
	.usage = " FILE [-- COMMAND [ARGUMENT]...]",
	.summary = "Make a private heap of a dump, for a command",
	.help = "Reads FILE as 'refstore restore' does, into a new heap.\n"
		"\n"
		"Then runs COMMAND, which inherits a session on the heap: the\n"
		"number of its descriptor is in $REFSTORE_FD, where the other\n"
		"commands look for it. The exit status is COMMAND's, 127 if\n"
		"there is no such COMMAND, 126 if it cannot be run.\n"
		"\n"
		"    refstore load graph.jsonl -- refstore verify\n"
		"\n"
		"Without COMMAND, prints where the heap is, for the option\n"
		"--pid of other commands, and keeps it until SIGINT, SIGTERM\n"
		"or SIGHUP. Only that line can be JSON: else --json changes\n"
		"nothing.\n",
	.operand = "FILE",
	.stops = true,
	.run = run_load,
};
