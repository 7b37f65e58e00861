// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tarjan's algorithm, with a stack of its own in place of recursion: chains are as
 * long as whoever builds them likes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "components.h"

#define NOWHERE SIZE_MAX

/**
 * struct visit - what is known of a node
 * @index: when it was met, from 1; 0: not yet
 * @low: the smallest index, of those on the stack, that it was seen to reach
 * @edge: the next edge to follow
 * @parent: the node from which it was met, or NOWHERE
 */
struct visit {
	size_t index;
	size_t low;
	size_t edge;
	size_t parent;
};

/**
 * struct search - a search for components
 * @first: see components_find()
 * @to: likewise
 * @component: likewise; NOWHERE: not known yet
 * @nr_components: so far
 * @visits: of each node
 * @nr_met: number of nodes that were met
 * @stack: nodes that were met, and whose component is not known yet
 * @nr_stack: how many
 */
struct search {
	const size_t *first;
	const size_t *to;
	size_t *component;
	size_t nr_components;
	struct visit *visits;
	size_t nr_met;
	size_t *stack;
	size_t nr_stack;
};

static void meet(struct search *search, size_t node, size_t parent)
{
	search->visits[node] = (struct visit){
		.index = ++search->nr_met,
		.low = search->nr_met,
		.edge = search->first[node],
		.parent = parent,
	};
	search->stack[search->nr_stack++] = node;
}

static void reach(struct visit *visit, size_t index)
{
	if (index < visit->low)
		visit->low = index;
}

/* Nothing before @node is reached from it: what is above is its component. */
static void close_component(struct search *search, size_t node)
{
	size_t member;

	do {
		member = search->stack[--search->nr_stack];
		search->component[member] = search->nr_components;
	} while (member != node);
	search->nr_components++;
}

/* All edges of @node were followed. Returns where to go on. */
static size_t leave(struct search *search, size_t node)
{
	const struct visit *visit = &search->visits[node];

	if (visit->low == visit->index)
		close_component(search, node);
	if (visit->parent != NOWHERE)
		reach(&search->visits[visit->parent], visit->low);
	return visit->parent;
}

/* Follows one edge of @node. Returns where to go on. */
static size_t step(struct search *search, size_t node)
{
	struct visit *visit = &search->visits[node];
	size_t to;

	if (visit->edge == search->first[node + 1])
		return leave(search, node);
	to = search->to[visit->edge++];
	if (!search->visits[to].index) {
		meet(search, to, node);
		return to;
	}
	if (search->component[to] == NOWHERE)
		reach(visit, search->visits[to].index);
	return node;
}

static void search_all(struct search *search, size_t nr_nodes)
{
	size_t start, node;

	for (node = 0; node < nr_nodes; node++)
		search->component[node] = NOWHERE;
	for (start = 0; start < nr_nodes; start++) {
		if (search->visits[start].index)
			continue;
		meet(search, start, NOWHERE);
		for (node = start; node != NOWHERE;)
			node = step(search, node);
	}
}

int components_find(size_t nr_nodes, const size_t *first, const size_t *to,
		    size_t *component, size_t *nr_components)
{
	struct search search = {
		.first = first,
		.to = to,
		.component = component,
		.visits = calloc(nr_nodes + 1, sizeof(*search.visits)),
		.stack = calloc(nr_nodes + 1, sizeof(*search.stack)),
	};
	int ret = -ENOMEM;

	if (search.visits && search.stack) {
		search_all(&search, nr_nodes);
		*nr_components = search.nr_components;
		ret = 0;
	}
	free(search.visits);
	free(search.stack);
	return ret;
}
