// SPDX-License-Identifier: GPL-2.0-only
/*
 * What no program holds any more.
 *
 * Each object belongs to the first keeper in the list below from which a way leads
 * to it, so that none counts twice.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "growth.h"
#include "labels.h"
#include "nodes.h"
#include "object.h"
#include "out.h"
#include "sessions.h"
#include "target.h"
#include "text.h"

enum keeper {
	KEEPER_PROCESS, /* a handle of a session, or an export, that one has */
	KEEPER_ROOT,
	KEEPER_SESSION, /* one that no process has */
	KEEPER_EXPORT, /* likewise */
	KEEPER_HEAP,
	KEEPER_NONE,
	NR_KEEPERS,
};

static const char *const keeper_words[] = {
	[KEEPER_PROCESS] = "process",
	[KEEPER_ROOT] = "root",
	[KEEPER_SESSION] = "session",
	[KEEPER_EXPORT] = "export",
	[KEEPER_HEAP] = "heap",
	[KEEPER_NONE] = "garbage",
};

/* Some objects. */
struct amount {
	uint64_t objects;
	uint64_t bytes;
};

/* Those of a keeper, a type and a label. */
struct row {
	enum keeper keeper;
	uint32_t type;
	const char *label;
	char name[REFSTORE_TYPE_NAME_MAX];
	struct amount amount;
};

/**
 * struct search - the search for what no program holds
 * @store: a session on the heap
 * @heap: its number
 * @since: the snapshot that was given: objects that are in it are left out
 * @now: with one, another one
 * @sessions: sessions and exports
 * @open: of each of these, whether a process has it
 * @unseen: number of processes that may not be looked into
 * @labels: labels of objects
 * @nodes: the heap
 * @keepers: of each node, what keeps it
 * @queue: nodes in the order in which they were reached
 * @reached: how many these are
 * @kept: what each keeper keeps
 * @rows: the same by type and label, but of processes
 * @nr_rows: number of rows
 */
struct search {
	struct refstore *store;
	uint64_t heap;
	struct snapshot since;
	struct snapshot now;
	struct sessions sessions;
	bool *open;
	size_t unseen;
	struct labels labels;
	struct nodes nodes;
	enum keeper *keepers;
	size_t *queue;
	size_t reached;
	struct amount kept[NR_KEEPERS];
	struct row *rows;
	size_t nr_rows;
};

static const char *since_name;

enum {
	OPTION_SINCE = OPTION_FIRST,
};

static const struct option options[] = {
	{ "since", required_argument, NULL, OPTION_SINCE },
	{},
};

static bool take(int option, const char *argument)
{
	(void)option;
	since_name = argument;
	return true;
}

/*
 * Who keeps what
 */

/* Of one that has come since sessions were listed, somebody has a descriptor. */
static enum keeper keeper_of_session(const struct search *search,
				     uint64_t session)
{
	size_t place = sessions_find(&search->sessions, session);

	if (place == search->sessions.count || search->open[place])
		return KEEPER_PROCESS;
	return search->sessions.list[place].exported ? KEEPER_EXPORT :
						       KEEPER_SESSION;
}

static void reach(struct search *search, size_t node, enum keeper keeper)
{
	if (search->keepers[node] != KEEPER_NONE)
		return;
	search->keepers[node] = keeper;
	search->queue[search->reached++] = node;
}

/* What a keeper keeps itself. */
static void reach_first(struct search *search, enum keeper keeper)
{
	const struct nodes *nodes = &search->nodes;
	size_t i;

	if (keeper == KEEPER_ROOT && nodes->root != NODES_NONE)
		reach(search, nodes->root, keeper);
	for (i = 0; i < nodes->nr_handles; i++)
		if (keeper_of_session(search, nodes->handles[i].session) ==
		    keeper)
			reach(search, nodes->handles[i].node, keeper);
	for (i = 0; keeper == KEEPER_HEAP && i < nodes->nr_nodes; i++)
		if (nodes_heap_keeps(nodes, i))
			reach(search, i, keeper);
}

static void reach_all(struct search *search, enum keeper keeper)
{
	const struct nodes *nodes = &search->nodes;
	size_t i = search->reached, edge;

	reach_first(search, keeper);
	for (; i < search->reached; i++) {
		size_t node = search->queue[i];

		for (edge = nodes->first[node]; edge < nodes->first[node + 1];
		     edge++)
			reach(search, nodes->edges[edge].to, keeper);
	}
}

static int find_keepers(struct search *search)
{
	size_t i, count = search->nodes.nr_nodes;
	enum keeper keeper;

	search->keepers = calloc(count + 1, sizeof(*search->keepers));
	search->queue = calloc(count + 1, sizeof(*search->queue));
	if (!search->keepers || !search->queue)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		search->keepers[i] = KEEPER_NONE;
	for (keeper = 0; keeper < KEEPER_NONE; keeper++)
		reach_all(search, keeper);
	return 0;
}

/*
 * Rows
 */

static int compare_kinds(const void *one, const void *other)
{
	const struct row *a = one;
	const struct row *b = other;

	if (a->keeper != b->keeper)
		return a->keeper < b->keeper ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return strcmp(a->label, b->label);
}

static int compare_amounts(const void *one, const void *other)
{
	const struct row *a = one;
	const struct row *b = other;

	if (a->amount.bytes != b->amount.bytes)
		return a->amount.bytes > b->amount.bytes ? -1 : 1;
	if (a->amount.objects != b->amount.objects)
		return a->amount.objects > b->amount.objects ? -1 : 1;
	return compare_kinds(one, other);
}

static void add_amount(struct amount *sum, const struct amount *more)
{
	sum->objects += more->objects;
	sum->bytes += more->bytes;
}

static bool is_left_out(const struct search *search, size_t node)
{
	return snapshot_find(&search->since, search->nodes.nodes[node].id) <
	       search->since.nr_objects;
}

/* A row for each object. */
static void fill_rows(struct search *search)
{
	size_t i;

	for (i = 0; i < search->nodes.nr_nodes; i++) {
		const struct node *node = &search->nodes.nodes[i];
		struct row row = {
			.keeper = search->keepers[i],
			.type = node->type,
			.label = labels_find(&search->labels, node->id),
			.amount = { 1, node->bytes },
		};

		if (is_left_out(search, i))
			continue;
		add_amount(&search->kept[row.keeper], &row.amount);
		if (row.keeper != KEEPER_PROCESS)
			search->rows[search->nr_rows++] = row;
	}
}

/* Makes one of those that are alike, which are sorted. */
static void merge_rows(struct search *search)
{
	struct row *rows = search->rows;
	size_t i, merged = 0;

	for (i = 0; i < search->nr_rows; i++) {
		if (!i || compare_kinds(&rows[merged - 1], &rows[i]))
			rows[merged++] = rows[i];
		else
			add_amount(&rows[merged - 1].amount, &rows[i].amount);
	}
	search->nr_rows = merged;
}

static int name_types(struct search *search)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < search->nr_rows; i++) {
		ret = refstore_type_name(search->store, search->rows[i].type,
					 search->rows[i].name);
		text_harmless(search->rows[i].name);
	}
	return ret;
}

static int make_rows(struct search *search)
{
	search->rows = calloc(search->nodes.nr_nodes + 1,
			      sizeof(*search->rows));
	if (!search->rows)
		return -ENOMEM;
	fill_rows(search);
	qsort(search->rows, search->nr_rows, sizeof(*search->rows),
	      compare_kinds);
	merge_rows(search);
	qsort(search->rows, search->nr_rows, sizeof(*search->rows),
	      compare_amounts);
	return name_types(search);
}

/*
 * Printing
 */

static void print_amount(const struct amount *amount)
{
	out_number("bytes", "%14" PRIu64, amount->bytes);
	out_number("objects", "  %10" PRIu64 "  ", amount->objects);
}

static void print_kept(const struct search *search)
{
	enum keeper keeper;

	out_text("%14s  %10s  %s\n", "bytes", "objects", "kept by");
	out_open_object("kept");
	for (keeper = 0; keeper < NR_KEEPERS; keeper++) {
		out_open_object(keeper_words[keeper]);
		print_amount(&search->kept[keeper]);
		out_text("%s\n", keeper_words[keeper]);
		out_close_object();
	}
	out_close_object();
}

static void print_rows(const struct search *search)
{
	size_t i;

	if (search->nr_rows)
		out_text("\n%14s  %10s  %-7s  %-12s  %s\n", "bytes", "objects",
			 "kept by", "type", "label");
	out_open_array("groups");
	for (i = 0; i < search->nr_rows; i++) {
		const struct row *row = &search->rows[i];

		out_open_object(NULL);
		print_amount(&row->amount);
		out_cell("keeper", 7, keeper_words[row->keeper]);
		out_text("  ");
		out_cell("type", 12, row->name);
		out_string("label", "  %s\n", row->label);
		out_close_object();
	}
	out_close_array();
}

/* Those that no process has. */
static void print_sessions(const struct search *search)
{
	bool any = false;
	size_t i;

	out_open_array("sessions");
	for (i = 0; i < search->sessions.count; i++) {
		struct refstore_walk_session *session =
			&search->sessions.list[i];

		if (search->open[i])
			continue;
		out_text("%s", any ? "" : "\n");
		object_print_holder(session, session->handles);
		any = true;
	}
	out_close_array();
}

static void print_unseen(const struct search *search)
{
	out_json_number("unseen", search->unseen);
	if (search->unseen)
		out_text("\n%zu process%s may not be looked into: a session "
			 "that only such have counts as nobody's\n",
			 search->unseen, search->unseen == 1 ? "" : "es");
}

static int print(const struct search *search)
{
	int ret = 0;

	out_open_object(NULL);
	out_json_number("heap", search->heap);
	print_kept(search);
	print_rows(search);
	print_sessions(search);
	print_unseen(search);
	if (since_name) {
		out_text("\n");
		ret = growth_print("growth", &search->since, &search->now);
	}
	out_close_object();
	return ret;
}

/*
 * All of it
 */

static int read_sessions(struct search *search)
{
	int ret = sessions_read(&search->sessions, search->store);

	if (ret)
		return ret;
	search->open = calloc(search->sessions.count + 1,
			      sizeof(*search->open));
	if (!search->open)
		return -ENOMEM;
	return sessions_find_open(&search->sessions, search->heap,
				  search->open, &search->unseen);
}

/* 0, a negative errno, or STATUS_FAILED after it has said what was wrong. */
static int read_since(struct search *search)
{
	int ret;

	if (!since_name)
		return 0;
	if (growth_read(&search->since, since_name))
		return STATUS_FAILED;
	ret = snapshot_take(&search->now, search->store);
	if (!ret && growth_check(&search->since, &search->now))
		ret = STATUS_FAILED;
	return ret;
}

static int search_heap(struct search *search)
{
	struct refstore_query query;
	int ret = refstore_query(search->store, &query);

	search->heap = query.heap;
	if (!ret)
		ret = read_since(search);
	if (!ret)
		ret = read_sessions(search);
	if (!ret)
		ret = labels_read(&search->labels, search->store);
	if (!ret)
		ret = nodes_read(&search->nodes, search->store);
	if (!ret)
		ret = find_keepers(search);
	return ret ? ret : make_rows(search);
}

static void search_end(struct search *search)
{
	refstore_close(search->store);
	snapshot_free(&search->since);
	snapshot_free(&search->now);
	sessions_free(&search->sessions);
	free(search->open);
	labels_free(&search->labels);
	nodes_free(&search->nodes);
	free(search->keepers);
	free(search->queue);
	free(search->rows);
}

static int run_leaks(const struct arguments *arguments)
{
	struct search search = {};
	int ret;

	if (target_open(arguments, &search.store))
		return STATUS_FAILED;
	ret = search_heap(&search);
	if (!ret)
		ret = print(&search);
	search_end(&search);
	if (ret < 0)
		warnx("cannot look for leaks: %s", strerror(-ret));
	return ret ? STATUS_FAILED : STATUS_OK;
}

const struct command command_leaks = {
	.name = "leaks",
	.usage = "",
	.summary = "Show what no program holds any more, by type and label",
	.help = "First how much each of these keeps; an object counts for the\n"
		"first of them from which a way leads to it:\n"
		"\n"
		"    process  a handle of a session that some process has a\n"
		"             descriptor of, or an export that one has\n"
		"    root     the heap's root: whoever opens the heap finds it\n"
		"    session  a session that no process has: its descriptor is\n"
		"             on its way through a socket, or lost there\n"
		"    export   likewise an exported object\n"
		"    heap     it is immortal, saved or saturated, or frozen and\n"
		"             on a cycle\n"
		"    garbage  nothing: it waits for a scan\n"
		"\n"
		"Then, of all but processes, a line for each type and label,\n"
		"most bytes first; and the sessions and exports that no process\n"
		"has, with the process that made them. Who may not look into\n"
		"all processes is told how many may not be: what only these\n"
		"hold counts as nobody's. In a heap that is in use, some may\n"
		"be missing, or seem to be garbage.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --since FILE    only objects that have come since this\n"
		"                      was written by 'refstore snapshot'; and\n"
		"                      last, of all objects, what grew since\n",
	.take = take,
	.run = run_leaks,
};
