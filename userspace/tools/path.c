// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why an object is alive: the shortest way to it from something that keeps it.
 *
 * The search goes breadth first, from the object to those that refer to it. The
 * walks come one after the other, and the heap may change between them: what one
 * of them meets that was not listed as an object is taken for one all the same,
 * of which no more is known.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "array.h"
#include "command.h"
#include "components.h"
#include "idmap.h"
#include "labels.h"
#include "object.h"
#include "out.h"
#include "sum.h"
#include "text.h"

#define NONE IDMAP_NONE

/**
 * struct node - an object
 * @id: its id
 * @type: its type
 * @state: REFSTORE_STATE_*
 * @listed: these two are known
 * @root: it is the heap's root
 * @rank: its place among those that lead to the object that is asked for, in
 *        the order in which they were reached; or NONE
 * @slot: the slot that leads there
 * @next: the node that this refers to, which is one step nearer
 * @session: a session that has handles of it
 * @handles: how many
 * @referrers: the first link to it, or NONE
 */
struct node {
	uint64_t id;
	uint32_t type;
	uint32_t state;
	bool listed;
	bool root;
	size_t rank;
	uint32_t slot;
	size_t next;
	uint64_t session;
	uint64_t handles;
	size_t referrers;
};

/**
 * struct link - a slot that refers to a node
 * @from: the node that has it
 * @slot: its number
 * @more: the next link to the same node, or NONE
 */
struct link {
	size_t from;
	uint32_t slot;
	size_t more;
};

/**
 * struct search - the search for what keeps an object
 * @store: a session on the heap, which holds nothing
 * @nodes: objects
 * @nr_nodes: number of nodes
 * @nodes_room: room in @nodes
 * @places: from ids to @nodes
 * @links: slots that are not empty
 * @nr_links: number of links
 * @links_room: room in @links
 * @labels: labels of objects
 * @queue: nodes in the order in which they were reached
 * @reached: how many these are
 * @target: the object
 * @keeper: the nearest node that something keeps, or NONE
 * @cycle: the node that the shortest cycle goes to from @target, or NONE
 * @cycle_slot: the slot by which it does
 * @in_use: nothing was found that keeps it, but the heap changed meanwhile
 */
struct search {
	struct refstore *store;
	struct node *nodes;
	size_t nr_nodes;
	size_t nodes_room;
	struct idmap places;
	struct link *links;
	size_t nr_links;
	size_t links_room;
	struct labels labels;
	size_t *queue;
	size_t reached;
	size_t target;
	size_t keeper;
	size_t cycle;
	uint32_t cycle_slot;
	bool in_use;
};

/*
 * Walking
 */

static int add_node(struct search *search, uint64_t id)
{
	struct node *nodes = array_reserve(search->nodes, &search->nodes_room,
					   search->nr_nodes + 1,
					   sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	search->nodes = nodes;
	nodes[search->nr_nodes] = (struct node){
		.id = id, .rank = NONE, .next = NONE, .referrers = NONE,
	};
	return idmap_add(&search->places, id, search->nr_nodes++);
}

/* The node of an id, which is made where there is none. */
static int find_node(struct search *search, uint64_t id, size_t *place)
{
	int ret;

	*place = idmap_find(&search->places, id);
	if (*place != NONE)
		return 0;
	ret = add_node(search, id);
	*place = search->nr_nodes - 1;
	return ret;
}

static int add_object(struct search *search,
		      const struct refstore_walk_object *object)
{
	size_t place;
	int ret = find_node(search, object->id, &place);

	if (ret)
		return ret;
	search->nodes[place].type = object->type;
	search->nodes[place].state = object->state;
	search->nodes[place].listed = true;
	return 0;
}

static int walk_objects(struct search *search)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(search->store, 0, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		ret = add_object(search, &object);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static int add_link(struct search *search,
		    const struct refstore_walk_edge *edge)
{
	struct link *links = array_reserve(search->links, &search->links_room,
					   search->nr_links + 1,
					   sizeof(*links));
	size_t from, to;
	int ret;

	if (!links)
		return -ENOMEM;
	search->links = links;
	ret = find_node(search, edge->from, &from);
	if (!ret)
		ret = find_node(search, edge->to, &to);
	if (ret)
		return ret;
	links[search->nr_links] = (struct link){
		.from = from,
		.slot = edge->index,
		.more = search->nodes[to].referrers,
	};
	search->nodes[to].referrers = search->nr_links++;
	return 0;
}

static int walk_edges(struct search *search)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret = refstore_iter_edges(search->store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		ret = add_link(search, &edge);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

/* A walk lists one session after the other: the first one's handles count. */
static int add_handle(struct search *search,
		      const struct refstore_walk_handle *handle)
{
	struct node *node;
	size_t place;
	int ret = find_node(search, handle->id, &place);

	if (ret)
		return ret;
	node = &search->nodes[place];
	if (!handle->session)
		node->root = true;
	else if (!node->handles)
		node->session = handle->session;
	node->handles += handle->session && handle->session == node->session;
	return 0;
}

/* Frees the iterator. */
static int walk_handles(struct search *search, struct refstore_iter *iter)
{
	struct refstore_walk_handle handle;
	int ret;

	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1) {
		ret = add_handle(search, &handle);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static int walk_roots_and_handles(struct search *search)
{
	struct refstore_iter *iter;
	int ret = refstore_iter_handles(search->store, &iter);

	if (!ret)
		ret = walk_handles(search, iter);
	if (!ret)
		ret = refstore_iter_roots(search->store, &iter);
	return ret ? ret : walk_handles(search, iter);
}

static int walk(struct search *search)
{
	int ret = walk_objects(search);

	if (!ret)
		ret = walk_edges(search);
	if (!ret)
		ret = walk_roots_and_handles(search);
	return ret ? ret : labels_read(&search->labels, search->store);
}

/*
 * Searching
 */

/* What keeps an object that neither the root nor a handle does. */
static const struct {
	uint32_t state;
	const char *word;
	const char *text;
} keepers[] = {
	{ REFSTORE_STATE_SAVED, "saved", "the heap, which has saved it" },
	{ REFSTORE_STATE_IMMORTAL, "immortal", "the heap: it is immortal" },
	{ REFSTORE_STATE_SATURATED, "saturated", "the heap: it is saturated" },
	{ REFSTORE_STATE_FROZEN, "frozen",
	  "nothing: it is frozen, and no scan looks at it" },
};

#define KEEPS (REFSTORE_STATE_SAVED | REFSTORE_STATE_IMMORTAL | \
	       REFSTORE_STATE_SATURATED)

static bool is_kept(const struct node *node)
{
	return node->root || node->handles || node->state & KEEPS;
}

static void reach(struct search *search, size_t place, size_t next,
		  uint32_t slot)
{
	struct node *node = &search->nodes[place];

	if (node->rank != NONE)
		return;
	node->rank = search->reached;
	node->next = next;
	node->slot = slot;
	search->queue[search->reached++] = place;
}

static void reach_referrers(struct search *search, size_t place)
{
	size_t i;

	for (i = search->nodes[place].referrers; i != NONE;
	     i = search->links[i].more) {
		const struct link *link = &search->links[i];

		/* Where it comes back to the object for the first time. */
		if (link->from == search->target && search->cycle == NONE) {
			search->cycle = place;
			search->cycle_slot = link->slot;
		}
		reach(search, link->from, place, link->slot);
	}
}

static void search_back(struct search *search)
{
	size_t i;

	reach(search, search->target, NONE, 0);
	for (i = 0; i < search->reached; i++) {
		size_t place = search->queue[i];

		if (is_kept(&search->nodes[place])) {
			search->keeper = place;
			return;
		}
		reach_referrers(search, place);
	}
}

/*
 * What is frozen
 *
 * Scans do not look at it. But it is freed when its count falls to zero, as that
 * of all falls in time to which no cycle leads; and cycles of objects none of
 * which is frozen a scan takes. So what keeps an object is a frozen one that is on
 * a cycle.
 */

static bool is_frozen(const struct search *search, size_t rank)
{
	return search->nodes[search->queue[rank]].state &
	       REFSTORE_STATE_FROZEN;
}

/* A graph of what was reached, by rank: edges from each node to its referrers. */
struct reached {
	size_t *first;
	size_t *to;
	size_t *component;
	size_t nr_components;
};

static bool begin_reached(const struct search *search, struct reached *reached)
{
	reached->first = calloc(search->reached + 1, sizeof(*reached->first));
	reached->to = calloc(search->nr_links + 1, sizeof(*reached->to));
	reached->component = calloc(search->reached + 1,
				    sizeof(*reached->component));
	return reached->first && reached->to && reached->component;
}

static void end_reached(struct reached *reached)
{
	free(reached->first);
	free(reached->to);
	free(reached->component);
}

/* Nothing keeps any of them: so all their referrers were reached, too. */
static void fill_reached(const struct search *search, struct reached *reached)
{
	size_t i, link, count = 0;

	for (i = 0; i < search->reached; i++) {
		const struct node *node = &search->nodes[search->queue[i]];

		reached->first[i] = count;
		for (link = node->referrers; link != NONE;
		     link = search->links[link].more)
			reached->to[count++] =
				search->nodes[search->links[link].from].rank;
	}
	reached->first[search->reached] = count;
}

/* Whether a node is on a cycle: a referrer is of the same component. */
static bool is_on_cycle(const struct reached *reached, size_t rank)
{
	size_t i;

	for (i = reached->first[rank]; i < reached->first[rank + 1]; i++)
		if (reached->component[reached->to[i]] ==
		    reached->component[rank])
			return true;
	return false;
}

/* The nearest one. */
static void find_frozen(struct search *search, const struct reached *reached)
{
	size_t i;

	for (i = 0; i < search->reached; i++) {
		if (!is_frozen(search, i) || !is_on_cycle(reached, i))
			continue;
		search->keeper = search->queue[i];
		return;
	}
}

static int search_frozen(struct search *search)
{
	struct reached reached = {};
	int ret = -ENOMEM;

	if (begin_reached(search, &reached)) {
		fill_reached(search, &reached);
		ret = components_find(search->reached, reached.first,
				      reached.to, reached.component,
				      &reached.nr_components);
	}
	if (!ret)
		find_frozen(search, &reached);
	end_reached(&reached);
	return ret;
}


static void search_begin(struct search *search, struct refstore *store)
{
	*search = (struct search){
		.store = store,
		.keeper = NONE,
		.cycle = NONE,
	};
}

static void search_end(struct search *search)
{
	free(search->nodes);
	free(search->links);
	labels_free(&search->labels);
	free(search->queue);
	idmap_free(&search->places);
}

/* -ENOENT: the object is not there any more. */
static int find_keeper(struct search *search, uint64_t id)
{
	int ret = walk(search);

	if (ret)
		return ret;
	search->target = idmap_find(&search->places, id);
	if (search->target == NONE || !search->nodes[search->target].listed)
		return -ENOENT;
	search->queue = calloc(search->nr_nodes, sizeof(*search->queue));
	if (!search->queue)
		return -ENOMEM;
	search_back(search);
	return search->keeper == NONE ? search_frozen(search) : 0;
}

/* What was not found in a heap in use may have been overlooked. */
static int find_again(struct search *search, uint64_t id)
{
	uint64_t before, after = 0;
	int ret = sum_heap(search->store, &before);

	if (!ret)
		ret = find_keeper(search, id);
	if (!ret)
		ret = sum_heap(search->store, &after);
	search->in_use = !ret && search->keeper == NONE && after != before;
	return ret;
}

/* Two sums take longer than a search, and what is alive needs none. */
static int find_keeper_or_none(struct search *search, uint64_t id)
{
	int ret = find_keeper(search, id);

	if (ret || search->keeper != NONE)
		return ret;
	search_end(search);
	search_begin(search, search->store);
	return find_again(search, id);
}

/*
 * Printing
 */

static int print_node(struct search *search, const struct node *node)
{
	const char *label = labels_find(&search->labels, node->id);
	char type[REFSTORE_TYPE_NAME_MAX];
	int ret;

	out_number("id", "object %" PRIu64, node->id);
	if (node->listed) {
		ret = refstore_type_name(search->store, node->type, type);
		if (ret)
			return ret;
		out_string("type", " (%s)", text_harmless(type));
	}
	if (*label)
		out_string("label", " '%s'", label);
	return 0;
}

/* A node, and the slot that leads to the next one. */
static int print_step(struct search *search, size_t place, uint32_t slot)
{
	int ret;

	out_open_object(NULL);
	ret = print_node(search, &search->nodes[place]);
	out_number("slot", ", slot %" PRIu64 "\n", slot);
	out_close_object();
	return ret;
}

static int print_target(struct search *search)
{
	int ret;

	out_open_object(NULL);
	ret = print_node(search, &search->nodes[search->target]);
	out_text("\n");
	out_close_object();
	return ret;
}

/* From a node to the object, which is left out. */
static int print_steps(struct search *search, size_t place)
{
	int ret = 0;

	while (!ret && place != search->target) {
		ret = print_step(search, place, search->nodes[place].slot);
		place = search->nodes[place].next;
	}
	return ret;
}

static int print_path(struct search *search)
{
	int ret;

	out_open_array("path");
	ret = print_steps(search, search->keeper);
	if (!ret)
		ret = print_target(search);
	out_close_array();
	return ret;
}

/* Of a session that has ended meanwhile, only the number is known. */
static int print_session(struct search *search, const struct node *node)
{
	struct refstore_walk_session session = {};
	struct refstore_iter *iter;
	int ret = refstore_iter_sessions(search->store, &iter);

	if (ret)
		return ret;
	do {
		ret = refstore_iter_next_session(iter, &session);
	} while (ret == 1 && session.session != node->session);
	refstore_iter_free(iter);
	if (!ret)
		session = (struct refstore_walk_session){
			.session = node->session,
		};
	out_json_string("keeper", "session");
	out_open_array("sessions");
	object_print_holder(&session, node->handles);
	out_close_array();
	return ret < 0 ? ret : 0;
}

static void print_state(const struct node *node)
{
	size_t i = 0;

	while (!(node->state & keepers[i].state))
		i++;
	out_json_string("keeper", keepers[i].word);
	out_text("%s\n", keepers[i].text);
}

static int print_keeper(struct search *search)
{
	const struct node *node = &search->nodes[search->keeper];

	if (node->root) {
		out_json_string("keeper", "root");
		out_text("the root\n");
		return 0;
	}
	if (node->handles)
		return print_session(search, node);
	print_state(node);
	return 0;
}

static int print_cycle(struct search *search)
{
	int ret;

	out_open_array("cycle");
	ret = print_step(search, search->target, search->cycle_slot);
	if (!ret)
		ret = print_steps(search, search->cycle);
	out_close_array();
	if (!ret)
		out_text("object %" PRIu64 ", again\n",
			 search->nodes[search->target].id);
	return ret;
}

static int print_garbage(struct search *search)
{
	bool cyclic = search->cycle != NONE;

	out_text("garbage: nothing keeps it%s; it waits for a scan\n",
		 cyclic ? " but a cycle" : "");
	return cyclic ? print_cycle(search) : 0;
}

static int print_found(struct search *search)
{
	bool garbage = search->keeper == NONE;
	int ret;

	out_json_truth("garbage", garbage);
	if (garbage)
		return print_garbage(search);
	ret = print_keeper(search);
	return ret ? ret : print_path(search);
}

static int search_and_print(struct search *search, uint64_t id)
{
	int ret = find_keeper_or_none(search, id);

	if (ret == -ENOENT) {
		warnx("object %" PRIu64 " is gone by now", id);
		return STATUS_FAILED;
	}
	if (!ret)
		ret = print_found(search);
	if (ret || !search->in_use)
		return ret;
	/* The warning is of what is above it. */
	fflush(stdout);
	warnx("the heap was in use meanwhile: what is above may be wrong");
	return STATUS_FAILED;
}

static int print_why(struct refstore *store,
		     const struct refstore_walk_object *object)
{
	struct search search;
	int ret;

	search_begin(&search, store);
	ret = search_and_print(&search, object->id);
	search_end(&search);
	return ret;
}

static int run_path(const struct arguments *arguments)
{
	return object_run(arguments, "path", print_why);
}

const struct command command_path = {
	.name = "path",
	.usage = " ID",
	.summary = "Show why an object is alive: the shortest way to it",
	.help = "First what keeps it, or keeps what leads to it: the root, a\n"
		"handle of a session, an export, the heap (objects that are\n"
		"saved, immortal or saturated), or if nothing else does, that\n"
		"an object is frozen that is on a cycle. Then the objects on\n"
		"the shortest way from there, each with the slot that refers\n"
		"to the next one.\n"
		"\n"
		"Of garbage, that is told, and the shortest cycle that it is\n"
		"on, if any. If the heap was in use meanwhile, that may be\n"
		"wrong: then the last line on standard error says so, and the\n"
		"exit status is 1. 'refstore ls' lists the ids.\n",
	.session = true,
	.operand = "ID",
	.run = run_path,
};
