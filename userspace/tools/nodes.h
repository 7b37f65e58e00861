/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects of a heap as the nodes of a graph.
 *
 * The walks that it is made from come one after the other: what refers to an
 * object that was not listed, or is in one, is not there.
 */
#ifndef REFSTORE_NODES_H
#define REFSTORE_NODES_H

#include <stdbool.h>
#include <stddef.h>

#include <refstore.h>

#include "idmap.h"

/* In the place of a node: none. */
#define NODES_NONE SIZE_MAX

/* An object that the heap itself keeps, whoever refers to it. */
#define NODES_KEPT (REFSTORE_STATE_SAVED | REFSTORE_STATE_SATURATED | \
		    REFSTORE_STATE_IMMORTAL)

/**
 * struct node - an object
 * @id: its id
 * @bytes: memory that it takes
 * @type: its type
 * @state: REFSTORE_STATE_*
 * @component: its strongly connected component
 * @rank: its place in &nodes.order
 */
struct node {
	uint64_t id;
	uint64_t bytes;
	uint32_t type;
	uint32_t state;
	size_t component;
	size_t rank;
};

/* A slot. */
struct nodes_edge {
	size_t from;
	size_t to;
	uint32_t index;
};

/* A handle. */
struct nodes_handle {
	uint64_t session;
	size_t node;
};

/* A strongly connected component. */
struct nodes_component {
	size_t size;
	bool loop;
};

/**
 * struct nodes - the graph, empty if it is all zeroes
 * @nodes: the objects, by id
 * @nr_nodes: number of objects
 * @nodes_room: number that there is room for
 * @places: from ids to @nodes
 * @edges: the slots that are not empty, by the nodes that they come from, then by
 *         those that they go to, then by index
 * @nr_edges: number of edges
 * @edges_room: number that there is room for
 * @handles: handles that are not weak, by session, then by node
 * @nr_handles: number of handles
 * @handles_room: number that there is room for
 * @root: the root, or NODES_NONE
 * @first: of each node the place of its first edge, and at the end @nr_edges
 * @components: the components
 * @order: all nodes: those that anything keeps, the nearest first to root, handles
 *         and what the heap keeps; then the garbage
 * @nr_kept: number of those that are no garbage
 */
struct nodes {
	struct node *nodes;
	size_t nr_nodes;
	size_t nodes_room;
	struct idmap places;
	struct nodes_edge *edges;
	size_t nr_edges;
	size_t edges_room;
	struct nodes_handle *handles;
	size_t nr_handles;
	size_t handles_room;
	size_t root;
	size_t *first;
	struct nodes_component *components;
	size_t *order;
	size_t nr_kept;
};

/**
 * nodes_read() - read a heap
 * @nodes: empty; out: to be freed with nodes_free(), even if this fails
 * @store: a session on the heap
 *
 * Return: 0 or a negative errno.
 */
int nodes_read(struct nodes *nodes, struct refstore *store);

/* Whether the objects of a component are on cycles: a loop, or two of them. */
bool nodes_is_cycle(const struct nodes_component *component);

/*
 * Whether the heap keeps an object. To be frozen keeps one that is on a cycle: at
 * others no scan looks either, but their counts fall to zero when their referrers
 * go, and so does that of what only cycles refer to that are not frozen.
 */
bool nodes_heap_keeps(const struct nodes *nodes, size_t node);

void nodes_free(struct nodes *nodes);

#endif /* REFSTORE_NODES_H */
