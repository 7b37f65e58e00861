/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a graph in memory to a heap.
 */
#ifndef REFSTORE_RESTORE_H
#define REFSTORE_RESTORE_H

#include <refstore.h>

#include "graph.h"

/**
 * struct restore_error - what went wrong
 * @what: what was being done
 * @object: place of the object in the graph, or GRAPH_NONE
 */
struct restore_error {
	const char *what;
	uint64_t object;
};

/**
 * restore_graph() - put a graph into a heap and make its root the heap's
 * @store: a session on the heap
 * @graph: the graph
 * @error: out, if it failed
 *
 * On return nothing is held but the root and what is immortal: what these do not
 * reach is freed, or will be by the next scan.
 * After an error the session may hold handles: close it. What is immortal may stay.
 * Return: 0 or a negative errno.
 */
int restore_graph(struct refstore *store, const struct graph *graph,
		  struct restore_error *error);

#endif /* REFSTORE_RESTORE_H */
