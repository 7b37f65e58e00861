/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strongly connected components.
 */
#ifndef REFSTORE_COMPONENTS_H
#define REFSTORE_COMPONENTS_H

#include <stddef.h>

/**
 * components_find() - find the components of a graph
 * @nr_nodes: number of nodes
 * @first: of each node the place of its first edge, and at the end the number of
 *         edges
 * @to: of each edge, by the nodes that they come from, the node that it goes to
 * @component: out: of each node, the number of its component, from 0
 * @nr_components: out
 *
 * Return: 0 or -ENOMEM.
 */
int components_find(size_t nr_nodes, const size_t *first, const size_t *to,
		    size_t *component, size_t *nr_components);

#endif /* REFSTORE_COMPONENTS_H */
