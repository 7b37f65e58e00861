// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "components.h"
#include "nodes.h"

/*
 * Walking
 */

static int compare_ids(const void *one, const void *other)
{
	const struct node *a = one;
	const struct node *b = other;

	return (a->id > b->id) - (a->id < b->id);
}

static int compare_edges(const void *one, const void *other)
{
	const struct nodes_edge *a = one;
	const struct nodes_edge *b = other;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int compare_handles(const void *one, const void *other)
{
	const struct nodes_handle *a = one;
	const struct nodes_handle *b = other;

	if (a->session != b->session)
		return a->session < b->session ? -1 : 1;
	return (a->node > b->node) - (a->node < b->node);
}

static int add_node(struct nodes *nodes,
		    const struct refstore_walk_object *object)
{
	struct node *grown = array_reserve(nodes->nodes, &nodes->nodes_room,
					   nodes->nr_nodes + 1,
					   sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	nodes->nodes = grown;
	grown[nodes->nr_nodes++] = (struct node){
		.id = object->id,
		.bytes = object->bytes,
		.type = object->type,
		.state = object->state,
		.rank = NODES_NONE,
	};
	return 0;
}

static int list_objects(struct nodes *nodes, struct refstore *store)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(store, 0, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		ret = add_node(nodes, &object);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static int find_places(struct nodes *nodes)
{
	size_t i;
	int ret = 0;

	if (nodes->nr_nodes)
		qsort(nodes->nodes, nodes->nr_nodes, sizeof(*nodes->nodes),
		      compare_ids);
	for (i = 0; !ret && i < nodes->nr_nodes; i++)
		ret = idmap_add(&nodes->places, nodes->nodes[i].id, i);
	return ret;
}

static int add_edge(struct nodes *nodes, const struct refstore_walk_edge *edge)
{
	size_t from = idmap_find(&nodes->places, edge->from);
	size_t to = idmap_find(&nodes->places, edge->to);
	struct nodes_edge *edges;

	if (from == IDMAP_NONE || to == IDMAP_NONE)
		return 0;
	edges = array_reserve(nodes->edges, &nodes->edges_room,
			      nodes->nr_edges + 1, sizeof(*edges));
	if (!edges)
		return -ENOMEM;
	nodes->edges = edges;
	edges[nodes->nr_edges++] = (struct nodes_edge){ from, to, edge->index };
	return 0;
}

static int list_edges(struct nodes *nodes, struct refstore *store)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret = refstore_iter_edges(store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		ret = add_edge(nodes, &edge);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	if (nodes->nr_edges)
		qsort(nodes->edges, nodes->nr_edges, sizeof(*nodes->edges),
		      compare_edges);
	return ret;
}

static int add_handle(struct nodes *nodes,
		      const struct refstore_walk_handle *handle)
{
	size_t node = idmap_find(&nodes->places, handle->id);
	struct nodes_handle *handles;

	if (node == IDMAP_NONE)
		return 0;
	handles = array_reserve(nodes->handles, &nodes->handles_room,
				nodes->nr_handles + 1, sizeof(*handles));
	if (!handles)
		return -ENOMEM;
	nodes->handles = handles;
	handles[nodes->nr_handles++] =
		(struct nodes_handle){ handle->session, node };
	return 0;
}

static int list_handles(struct nodes *nodes, struct refstore *store)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	int ret = refstore_iter_handles(store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1) {
		ret = add_handle(nodes, &handle);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	if (nodes->nr_handles)
		qsort(nodes->handles, nodes->nr_handles,
		      sizeof(*nodes->handles), compare_handles);
	return ret;
}

static int find_root(struct nodes *nodes, struct refstore *store)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	int ret = refstore_iter_roots(store, &iter);

	nodes->root = NODES_NONE;
	if (ret)
		return ret;
	ret = refstore_iter_next_handle(iter, &handle);
	if (ret == 1)
		nodes->root = idmap_find(&nodes->places, handle.id);
	refstore_iter_free(iter);
	return ret < 0 ? ret : 0;
}

/*
 * Components
 */

static int find_first_edges(struct nodes *nodes)
{
	size_t i, edge = 0;

	nodes->first = calloc(nodes->nr_nodes + 1, sizeof(*nodes->first));
	if (!nodes->first)
		return -ENOMEM;
	for (i = 0; i <= nodes->nr_nodes; i++) {
		while (edge < nodes->nr_edges && nodes->edges[edge].from < i)
			edge++;
		nodes->first[i] = edge;
	}
	return 0;
}

static int describe_components(struct nodes *nodes, const size_t *component,
			       size_t nr_components)
{
	size_t i;

	nodes->components = calloc(nr_components + 1,
				   sizeof(*nodes->components));
	if (!nodes->components)
		return -ENOMEM;
	for (i = 0; i < nodes->nr_nodes; i++) {
		nodes->nodes[i].component = component[i];
		nodes->components[component[i]].size++;
	}
	for (i = 0; i < nodes->nr_edges; i++)
		if (nodes->edges[i].from == nodes->edges[i].to)
			nodes->components[component[nodes->edges[i].to]].loop =
				true;
	return 0;
}

static int find_components(struct nodes *nodes)
{
	size_t *to = calloc(nodes->nr_edges + 1, sizeof(*to));
	size_t *component = calloc(nodes->nr_nodes + 1, sizeof(*component));
	size_t i, nr_components;
	int ret = -ENOMEM;

	if (to && component) {
		for (i = 0; i < nodes->nr_edges; i++)
			to[i] = nodes->edges[i].to;
		ret = components_find(nodes->nr_nodes, nodes->first, to,
				      component, &nr_components);
	}
	if (!ret)
		ret = describe_components(nodes, component, nr_components);
	free(to);
	free(component);
	return ret;
}

bool nodes_is_cycle(const struct nodes_component *component)
{
	return component->size > 1 || component->loop;
}

bool nodes_heap_keeps(const struct nodes *nodes, size_t node)
{
	const struct node *kept = &nodes->nodes[node];

	if (kept->state & NODES_KEPT)
		return true;
	return kept->state & REFSTORE_STATE_FROZEN &&
	       nodes_is_cycle(&nodes->components[kept->component]);
}

/*
 * What is kept: breadth first, and @order is the queue.
 */

/* The next one, unless it has its place already. */
static void append(struct nodes *nodes, size_t node)
{
	if (nodes->nodes[node].rank != NODES_NONE)
		return;
	nodes->nodes[node].rank = nodes->nr_kept;
	nodes->order[nodes->nr_kept++] = node;
}

static void append_keepers(struct nodes *nodes)
{
	size_t i;

	if (nodes->root != NODES_NONE)
		append(nodes, nodes->root);
	for (i = 0; i < nodes->nr_handles; i++)
		append(nodes, nodes->handles[i].node);
	for (i = 0; i < nodes->nr_nodes; i++)
		if (nodes_heap_keeps(nodes, i))
			append(nodes, i);
}

static void append_reached(struct nodes *nodes)
{
	size_t i, edge;

	for (i = 0; i < nodes->nr_kept; i++) {
		size_t node = nodes->order[i];

		for (edge = nodes->first[node]; edge < nodes->first[node + 1];
		     edge++)
			append(nodes, nodes->edges[edge].to);
	}
}

static int find_order(struct nodes *nodes)
{
	size_t i, kept;

	nodes->order = calloc(nodes->nr_nodes + 1, sizeof(*nodes->order));
	if (!nodes->order)
		return -ENOMEM;
	append_keepers(nodes);
	append_reached(nodes);
	kept = nodes->nr_kept;
	for (i = 0; i < nodes->nr_nodes; i++)
		append(nodes, i);
	nodes->nr_kept = kept;
	return 0;
}

int nodes_read(struct nodes *nodes, struct refstore *store)
{
	int ret = list_objects(nodes, store);

	if (!ret)
		ret = find_places(nodes);
	if (!ret)
		ret = list_edges(nodes, store);
	if (!ret)
		ret = list_handles(nodes, store);
	if (!ret)
		ret = find_root(nodes, store);
	if (!ret)
		ret = find_first_edges(nodes);
	if (!ret)
		ret = find_components(nodes);
	return ret ? ret : find_order(nodes);
}

void nodes_free(struct nodes *nodes)
{
	free(nodes->nodes);
	idmap_free(&nodes->places);
	free(nodes->edges);
	free(nodes->handles);
	free(nodes->first);
	free(nodes->components);
	free(nodes->order);
}
