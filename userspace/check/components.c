// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two nodes are in the same component if each reaches the other, and only then.
 */
#include <stdbool.h>
#include <string.h>

#include "components.h"
#include "kernel.h"

#define MOST_NODES 9
#define MOST_EDGES 20
#define LONG 1000000

int kernel(int fd, unsigned long command, void *args)
{
	(void)fd;
	(void)command;
	(void)args;
	return -ENOTTY;
}

static size_t random_below(size_t limit)
{
	return (size_t)random() % limit;
}

/* By way of each node in turn. */
static void close_transitively(bool reaches[MOST_NODES][MOST_NODES], size_t n)
{
	size_t a, b, way;

	for (way = 0; way < n; way++)
		for (a = 0; a < n; a++)
			for (b = 0; b < n; b++)
				reaches[a][b] |= reaches[a][way] &&
						 reaches[way][b];
}

static void check_random(void)
{
	bool reaches[MOST_NODES][MOST_NODES] = {};
	size_t first[MOST_NODES + 1], to[MOST_EDGES];
	size_t component[MOST_NODES], nr_components, a, b;
	size_t n = 1 + random_below(MOST_NODES), edges = 0;
	size_t density = random_below(4);

	for (a = 0; a < n; a++) {
		reaches[a][a] = true;
		first[a] = edges;
		for (b = random_below(density + 1);
		     b && edges < MOST_EDGES; b--) {
			to[edges] = random_below(n);
			reaches[a][to[edges++]] = true;
		}
	}
	first[n] = edges;
	close_transitively(reaches, n);
	CHECK(!components_find(n, first, to, component, &nr_components));
	for (a = 0; a < n; a++) {
		CHECK(component[a] < nr_components);
		for (b = 0; b < n; b++)
			CHECK((component[a] == component[b]) ==
			      (reaches[a][b] && reaches[b][a]));
	}
}

/* A chain, of which the last node may refer to the first one. */
static void check_long(bool ring)
{
	size_t *first = calloc(LONG + 1, sizeof(*first));
	size_t *to = calloc(LONG, sizeof(*to));
	size_t *component = calloc(LONG, sizeof(*component));
	size_t i, nr_components;

	CHECK(first && to && component);
	for (i = 0; i < LONG; i++) {
		first[i] = i;
		to[i] = (i + 1) % LONG;
	}
	first[LONG] = ring ? LONG : LONG - 1;
	CHECK(!components_find(LONG, first, to, component, &nr_components));
	CHECK(nr_components == (ring ? 1 : LONG));
	free(first);
	free(to);
	free(component);
}

int main(void)
{
	size_t none = 0, nr_components = 1;
	int i;

	CHECK(!components_find(0, &none, NULL, NULL, &nr_components));
	CHECK(!nr_components);
	for (i = 0; i < 100000; i++)
		check_random();
	check_long(false);
	check_long(true);
	return 0;
}
