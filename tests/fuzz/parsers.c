// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the command reads that others may have written, for libFuzzer: PARSER says which
 * of it. What is accepted must be the same when it is written and read again.
 */
#include <string.h>

#include "graph.h"
#include "snapshot.h"
#include "table.h"

static const struct graph_limits limits = {
	.objects = 1000, .slots = 1000, .data = 65536, .large = 1 << 20,
	.types = 100,
};

static uint64_t id_of(const struct graph *graph, uint64_t place)
{
	return place == GRAPH_NONE ? 0 : graph->objects[place].id;
}

static void write_object(FILE *file, const struct graph *graph,
			 const struct graph_object *object)
{
	uint64_t slots[1000];
	size_t i;

	for (i = 0; i < object->nr_slots; i++)
		slots[i] = id_of(graph, graph->slots[object->slots + i]);
	graph_write_object(file, object, graph->types[object->type],
			   object->label_len ?
				   (char *)graph->data + object->label : "",
			   slots, graph->data + object->data);
}

static void write_graph(FILE *file, const struct graph *graph)
{
	size_t i;

	graph_write_begin(file);
	for (i = 0; i < graph->nr_objects; i++)
		write_object(file, graph, &graph->objects[i]);
	graph_write_end(file, id_of(graph, graph->root), graph->nr_objects);
}

static bool has_large(const struct graph *graph)
{
	size_t i;

	for (i = 0; i < graph->nr_objects; i++)
		if (graph->objects[i].flags & GRAPH_LARGE)
			return true;
	return false;
}

static bool same_object(const struct graph *one, const struct graph *other,
			size_t i)
{
	const struct graph_object *a = &one->objects[i];
	const struct graph_object *b = &other->objects[i];

	return a->id == b->id && a->flags == b->flags &&
	       a->nr_slots == b->nr_slots && a->data_len == b->data_len &&
	       a->label_len == b->label_len &&
	       !strcmp(one->types[a->type], other->types[b->type]) &&
	       (!a->data_len || !memcmp(one->data + a->data,
					other->data + b->data, a->data_len)) &&
	       (!a->nr_slots || !memcmp(one->slots + a->slots,
					other->slots + b->slots,
					a->nr_slots * sizeof(*one->slots)));
}

static bool same_graph(const struct graph *one, const struct graph *other)
{
	size_t i;

	if (one->nr_objects != other->nr_objects || one->root != other->root)
		return false;
	for (i = 0; i < one->nr_objects; i++)
		if (!same_object(one, other, i))
			return false;
	return true;
}

/* Large values are written in parts, as the command comes by them. */
static void check_written(const struct graph *graph)
{
	struct lines_error error;
	struct graph again;
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	if (has_large(graph))
		return;
	file = open_memstream(&text, &size);
	write_graph(file, graph);
	fclose(file);
	file = fmemopen(text, size, "r");
	if (graph_read(&again, file, &limits, &error) ||
	    !same_graph(graph, &again))
		abort();
	fclose(file);
	graph_free(&again);
	free(text);
}

static void parse_dump(FILE *file)
{
	struct lines_error error;
	struct graph graph;

	if (graph_read(&graph, file, &limits, &error))
		return;
	check_written(&graph);
	graph_free(&graph);
}

static void parse_snapshot(FILE *file)
{
	struct lines_error error;
	struct snapshot snapshot;

	if (!snapshot_read(&snapshot, file, &error) && snapshot.nr_objects)
		if (snapshot_find(&snapshot, snapshot.objects[0].id))
			abort();
	snapshot_free(&snapshot);
}

static void parse_table(FILE *file)
{
	char text[TABLE_TEXT_MAX];
	struct table table;
	size_t row;

	if (!table_read(&table, file, "heaps"))
		for (row = 0; row < table.nr_rows; row++) {
			table_number(&table, row, "bytes");
			table_text(&table, row, "label", text);
			if (strlen(text) >= TABLE_TEXT_MAX)
				abort();
		}
	table_free(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file;

	if (!size)
		return 0;
	file = fmemopen((void *)data, size, "r");
	PARSER(file);
	fclose(file);
	return 0;
}
