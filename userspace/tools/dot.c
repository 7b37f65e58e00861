// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap as a graph for Graphviz.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "labels.h"
#include "nodes.h"
#include "number.h"
#include "target.h"
#include "text.h"

#define MOST_OBJECTS 1000000

static bool dot;
static uint64_t limit = 500;

enum {
	OPTION_DOT = OPTION_FIRST,
	OPTION_LIMIT,
};

static const struct option options[] = {
	{ "dot", no_argument, NULL, OPTION_DOT },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{},
};

static bool take(int option, const char *argument)
{
	if (option == OPTION_LIMIT)
		return number_take("--limit", argument, 1, MOST_OBJECTS,
				   &limit);
	dot = true;
	return true;
}

/**
 * struct drawing - a graph being written
 * @store: a session on the heap
 * @nodes: the heap; its handles are those that are drawn
 * @labels: labels of objects
 * @drawn: nodes that are drawn, by component, then by rank
 * @nr_drawn: number of nodes
 * @left_sessions: sessions that are not drawn, though their objects are
 */
struct drawing {
	struct refstore *store;
	struct nodes nodes;
	struct labels labels;
	struct node **drawn;
	size_t nr_drawn;
	size_t left_sessions;
};

/* In a label: Graphviz knows escape sequences there, and HTML's entities. */
static void write_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
		if (*text == '&')
			fputs("amp;", stdout);
	}
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/*
 * What is drawn
 */

static bool is_drawn(const struct drawing *drawing, size_t node)
{
	return drawing->nodes.nodes[node].rank < drawing->nr_drawn;
}

static int compare_drawn(const void *one, const void *other)
{
	const struct node *a = *(struct node *const *)one;
	const struct node *b = *(struct node *const *)other;

	if (a->component != b->component)
		return a->component < b->component ? -1 : 1;
	return (a->rank > b->rank) - (a->rank < b->rank);
}

static int choose_nodes(struct drawing *drawing)
{
	struct nodes *nodes = &drawing->nodes;
	size_t i;

	drawing->nr_drawn = nodes->nr_nodes < limit ? nodes->nr_nodes :
						      (size_t)limit;
	drawing->drawn = calloc(drawing->nr_drawn + 1,
				sizeof(*drawing->drawn));
	if (!drawing->drawn)
		return -ENOMEM;
	for (i = 0; i < drawing->nr_drawn; i++)
		drawing->drawn[i] = &nodes->nodes[nodes->order[i]];
	qsort(drawing->drawn, drawing->nr_drawn, sizeof(*drawing->drawn),
	      compare_drawn);
	return 0;
}

/* Those of objects that are drawn, of as many sessions as there may be objects. */
static void choose_handles(struct drawing *drawing)
{
	struct nodes *nodes = &drawing->nodes;
	size_t i, chosen = 0, sessions = 0;
	uint64_t session = 0;

	for (i = 0; i < nodes->nr_handles; i++) {
		if (!is_drawn(drawing, nodes->handles[i].node))
			continue;
		if (nodes->handles[i].session != session)
			sessions++;
		session = nodes->handles[i].session;
		if (sessions <= limit)
			nodes->handles[chosen++] = nodes->handles[i];
	}
	nodes->nr_handles = chosen;
	if (sessions > limit)
		drawing->left_sessions = sessions - (size_t)limit;
}

/*
 * Objects
 */

static int write_node(const struct drawing *drawing, const struct node *node)
{
	const char *label = labels_find(&drawing->labels, node->id);
	char type[REFSTORE_TYPE_NAME_MAX];
	int ret = refstore_type_name(drawing->store, node->type, type);

	if (ret)
		return ret;
	printf("\tn%" PRIu64 " [label=\"", node->id);
	write_text(type);
	printf(" %" PRIu64, node->id);
	if (*label) {
		fputs("\\n", stdout);
		write_text(label);
	}
	putchar('"');
	if (node->rank >= drawing->nodes.nr_kept)
		fputs(",fillcolor=lightcoral", stdout);
	if (node->state & (NODES_KEPT | REFSTORE_STATE_FROZEN))
		fputs(",peripheries=2", stdout);
	puts("];");
	return 0;
}

/* The nodes from @first on that are of the same component; returns how many. */
static size_t count_members(const struct drawing *drawing, size_t first)
{
	size_t i = first + 1;

	while (i < drawing->nr_drawn &&
	       drawing->drawn[i]->component == drawing->drawn[first]->component)
		i++;
	return i - first;
}

static int write_component(const struct drawing *drawing, size_t first,
			   size_t count)
{
	size_t number = drawing->drawn[first]->component;
	const struct nodes_component *component =
		&drawing->nodes.components[number];
	size_t i;
	int ret = 0;

	if (nodes_is_cycle(component))
		printf("\tsubgraph cluster_%zu {\n\tlabel=\"component of "
		       "%zu object%s\";\n", number, component->size,
		       plural(component->size));
	for (i = first; !ret && i < first + count; i++)
		ret = write_node(drawing, drawing->drawn[i]);
	if (nodes_is_cycle(component))
		puts("\t}");
	return ret;
}

static int write_nodes(const struct drawing *drawing)
{
	size_t i, count;
	int ret = 0;

	for (i = 0; !ret && i < drawing->nr_drawn; i += count) {
		count = count_members(drawing, i);
		ret = write_component(drawing, i, count);
	}
	return ret;
}

/* All slots of an object that refer to the same one. */
static void write_edge(const struct nodes *nodes, const struct nodes_edge *edge,
		       size_t count)
{
	printf("\tn%" PRIu64 " -> n%" PRIu64 " [label=\"",
	       nodes->nodes[edge->from].id, nodes->nodes[edge->to].id);
	if (count == 1)
		printf("%" PRIu32 "\"];\n", edge->index);
	else
		printf("%zu slots\"];\n", count);
}

static void write_edges(const struct drawing *drawing)
{
	const struct nodes *nodes = &drawing->nodes;
	size_t i, count;

	for (i = 0; i < nodes->nr_edges; i += count) {
		const struct nodes_edge *edge = &nodes->edges[i];

		count = 1;
		while (i + count < nodes->nr_edges &&
		       edge[count].from == edge->from &&
		       edge[count].to == edge->to)
			count++;
		if (is_drawn(drawing, edge->from) &&
		    is_drawn(drawing, edge->to))
			write_edge(nodes, edge, count);
	}
}

/*
 * Who keeps them
 */

static void write_root(const struct drawing *drawing)
{
	const struct nodes *nodes = &drawing->nodes;

	if (nodes->root != NODES_NONE && is_drawn(drawing, nodes->root))
		printf("\troot [shape=box];\n\troot -> n%" PRIu64 ";\n",
		       nodes->nodes[nodes->root].id);
}

/* All handles that a session has of an object. */
static void write_handle(const struct nodes *nodes,
			 const struct nodes_handle *handle, size_t count)
{
	printf("\ts%" PRIu64 " -> n%" PRIu64, handle->session,
	       nodes->nodes[handle->node].id);
	if (count > 1)
		printf(" [label=\"%zu handles\"]", count);
	puts(";");
}

/* What else there is to say of a session comes when these are listed. */
static void write_handles(const struct nodes *nodes)
{
	uint64_t session = 0;
	size_t i, count;

	for (i = 0; i < nodes->nr_handles; i += count) {
		const struct nodes_handle *handle = &nodes->handles[i];

		if (handle->session != session)
			printf("\ts%" PRIu64 " [shape=box,label=\"session "
			       "%" PRIu64 "\"];\n", handle->session,
			       handle->session);
		session = handle->session;
		count = 1;
		while (i + count < nodes->nr_handles &&
		       handle[count].session == session &&
		       handle[count].node == handle->node)
			count++;
		write_handle(nodes, handle, count);
	}
}

static int compare_session(const void *key, const void *member)
{
	const uint64_t *session = key;
	const struct nodes_handle *handle = member;

	return (*session > handle->session) - (*session < handle->session);
}

static void write_session(const struct nodes *nodes,
			  struct refstore_walk_session *session)
{
	uint64_t number = session->session;

	if (!nodes->nr_handles || !bsearch(&number, nodes->handles,
					   nodes->nr_handles,
					   sizeof(*nodes->handles),
					   compare_session))
		return;
	printf("\ts%" PRIu64 " [label=\"%s %" PRIu64 "\\nprocess %" PRIu32 " (",
	       number, session->exported ? "export" : "session", number,
	       session->pid);
	write_text(text_harmless(session->comm));
	putchar(')');
	if (*session->label) {
		fputs("\\n", stdout);
		write_text(text_harmless(session->label));
	}
	puts("\"];");
}

static int write_sessions(const struct drawing *drawing)
{
	struct refstore_walk_session session;
	struct refstore_iter *iter;
	int ret = refstore_iter_sessions(drawing->store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_session(iter, &session)) == 1)
		write_session(&drawing->nodes, &session);
	refstore_iter_free(iter);
	return ret;
}

/*
 * All of it
 */

static void write_left_out(const struct drawing *drawing)
{
	size_t kept = drawing->nodes.nr_kept;
	size_t left = drawing->nodes.nr_nodes - drawing->nr_drawn;
	size_t garbage = drawing->nodes.nr_nodes - kept;

	if (drawing->nr_drawn > kept)
		garbage = left;
	if (left)
		printf("\tleft [shape=note,label=\"%zu object%s left out, "
		       "%zu of them garbage\"];\n", left, plural(left),
		       garbage);
	if (drawing->left_sessions)
		printf("\tleft_sessions [shape=note,label=\"%zu session%s "
		       "left out\"];\n", drawing->left_sessions,
		       plural(drawing->left_sessions));
}

static int write_drawing(const struct drawing *drawing)
{
	int ret;

	puts("digraph refstore {\n"
	     "\tnode [style=filled,fillcolor=white];\n"
	     "\tgraph [style=filled,color=lightblue];");
	ret = write_nodes(drawing);
	if (ret)
		return ret;
	write_edges(drawing);
	write_root(drawing);
	write_handles(&drawing->nodes);
	ret = write_sessions(drawing);
	if (ret)
		return ret;
	write_left_out(drawing);
	puts("}");
	return 0;
}

static int draw(struct drawing *drawing)
{
	int ret = labels_read(&drawing->labels, drawing->store);

	if (!ret)
		ret = nodes_read(&drawing->nodes, drawing->store);
	if (!ret)
		ret = choose_nodes(drawing);
	if (ret)
		return ret;
	choose_handles(drawing);
	return write_drawing(drawing);
}

static int run_graph(const struct arguments *arguments)
{
	struct drawing drawing = {};
	int ret;

	if (!dot) {
		warnx("graph: --dot is missing: there is no other form");
		return STATUS_USAGE;
	}
	if (target_open(arguments, &drawing.store))
		return STATUS_FAILED;
	ret = draw(&drawing);
	refstore_close(drawing.store);
	labels_free(&drawing.labels);
	nodes_free(&drawing.nodes);
	free(drawing.drawn);
	if (!ret)
		return STATUS_OK;
	warnx("cannot draw: %s", strerror(-ret));
	return STATUS_FAILED;
}

const struct command command_graph = {
	.name = "graph",
	.usage = " --dot",
	.summary = "Draw a heap's objects, and what keeps them, for Graphviz",
	.help = "For example: refstore graph --dot -p PID | dot -Tsvg >heap.svg\n"
		"\n"
		"An object has its type, its id and its label; an edge, the\n"
		"number of the slot, or how many slots. Boxes are the root,\n"
		"sessions and exports, which point at what they hold. A blue box\n"
		"is a strongly connected component: objects that reach each\n"
		"other. Objects with two lines around them are frozen, saved, or\n"
		"never freed. What nothing keeps is red: garbage, if the heap\n"
		"was quiet. To be frozen keeps what is on a cycle.\n"
		"\n"
		"--json changes nothing.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --dot           in Graphviz's language; must be given\n"
		"      --limit N       only N objects, 500 if this is not given:\n"
		"                      the nearest to what keeps them first, the\n"
		"                      garbage last; a note tells of the others\n",
	.take = take,
	.run = run_graph,
};
