// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a dump, and writes it as the tool would; or says what is wrong with it.
 */
#include <err.h>
#include <stdlib.h>

#include "graph.h"

static const struct graph_limits limits = {
	.objects = 1000,
	.slots = 5,
	.data = 40,
	.large = 60,
	.types = 3,
};

/* In parts of three bytes. */
static void write_large(const struct graph_object *object, const char *type,
			const unsigned char *data)
{
	size_t left = object->data_len;

	graph_begin_large(stdout, object, type);
	for (; left > 3; left -= 3, data += 3)
		graph_add_large(stdout, data, 3);
	graph_add_large(stdout, data, left);
	graph_end_large(stdout, object);
}

static void write_object(const struct graph *graph,
			 const struct graph_object *object)
{
	const char *type = graph->types[object->type];
	const unsigned char *data = graph->data + object->data;
	uint64_t slots[5] = {};
	size_t i;

	if (object->flags & GRAPH_LARGE) {
		write_large(object, type, data);
		return;
	}
	for (i = 0; i < object->nr_slots; i++) {
		uint64_t place = graph->slots[object->slots + i];

		if (place != GRAPH_NONE)
			slots[i] = graph->objects[place].id;
	}
	graph_write_object(stdout, object, type, slots, data);
}

int main(int argc, char **argv)
{
	struct lines_error error;
	struct graph graph;
	FILE *file;
	size_t i;

	if (argc != 2)
		errx(2, "which file?");
	file = fopen(argv[1], "re");
	if (!file)
		err(2, "%s", argv[1]);
	if (graph_read(&graph, file, &limits, &error)) {
		printf("%zu: %s\n", error.line, error.text);
		return 1;
	}
	fclose(file);
	graph_write_begin(stdout);
	for (i = 0; i < graph.nr_objects; i++)
		write_object(&graph, &graph.objects[i]);
	graph_write_end(stdout, graph.root == GRAPH_NONE ? 0 :
			graph.objects[graph.root].id);
	graph_free(&graph);
	return 0;
}
