// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
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
		.types = query->max_types,
	};
	struct graph_error error;
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
		warnx("%s: cannot %s: %s", name, error.what, strerror(-ret));
	else
		warnx("%s:%" PRIu64 ": cannot %s object %" PRIu64 ": %s", name,
		      error.object + 2, error.what,
		      graph->objects[error.object].id, strerror(-ret));
	return -1;
}

/* A session on a new heap with what the file contains. */
static struct refstore *load(const char *name, struct refstore_query *query)
{
	struct refstore *store;
	struct graph graph;
	int ret = refstore_open(&store);

	if (ret) {
		warnx(REFSTORE_DEVICE ": %s", strerror(-ret));
		return NULL;
	}
	ret = refstore_query(store, query);
	if (ret)
		warnx("cannot query: %s", strerror(-ret));
	if (!ret && !read_file(name, query, &graph)) {
		ret = restore(name, store, &graph);
		graph_free(&graph);
		if (!ret)
			return store;
	}
	refstore_close(store);
	return NULL;
}

/* Becomes the command, with the session under a number that it can find. */
static void execute(struct refstore *store, char **words)
{
	int fd = refstore_fd(store);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (fcntl(fd, F_SETFD, 0) || setenv(TARGET_VARIABLE, number, 1)) {
		warn("cannot pass the session");
		return;
	}
	execvp(*words, words);
	warn("%s", *words);
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
	fflush(stdout);
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static int run_load(const struct arguments *arguments)
{
	char **words = arguments->words;
	struct refstore_query query;
	struct refstore *store;
	sigset_t signals;
	int signal;

	if (words[1] && (strcmp(words[1], "--") || !words[2])) {
		warnx("%s: a command comes after '--'", words[1]);
		return STATUS_USAGE;
	}
	store = load(words[0], &query);
	if (!store)
		return STATUS_FAILED;
	if (words[1]) {
		execute(store, words + 2);
		refstore_close(store);
		return STATUS_FAILED;
	}
	/* Before anyone is told whom to signal. */
	block_signals(&signals);
	print_where(store, &query);
	sigwait(&signals, &signal);
	refstore_close(store);
	return STATUS_OK;
}

const struct command command_load = {
	.name = "load",
	.usage = " FILE [-- COMMAND [ARGUMENT]...]",
	.summary = "Make a private heap of a dump, for a command",
	.help = "Reads FILE ('-': standard input), which 'refstore dump'\n"
		"wrote, into a new heap. The root, and what it reaches, is\n"
		"kept.\n"
		"\n"
		"Then runs COMMAND, which inherits a session on the heap: the\n"
		"number of its descriptor is in $REFSTORE_FD, where the other\n"
		"commands look for it. The exit status is COMMAND's.\n"
		"\n"
		"    refstore load graph.jsonl -- refstore verify\n"
		"\n"
		"Without COMMAND, prints where the heap is, for 'refstore\n"
		"--pid', and keeps it until SIGINT, SIGTERM or SIGHUP.\n",
	.min_words = 1,
	.max_words = -1,
	.run = run_load,
};
