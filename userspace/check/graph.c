// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a dump, and writes it as the tool would; or says what is wrong with it.
 * With "cut", what is left of it when it ends early must be refused, wherever that
 * is, with the line where it ends; with "flip", what another byte in any place
 * makes of it must be refused, or be a dump that is written as it is read.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static const struct graph_limits limits = {
	.objects = 1000,
	.slots = 5,
	.data = 40,
	.large = 60,
	.types = 3,
};

/* In parts of three bytes. */
static void write_large(FILE *file, const struct graph_object *object,
			const char *type, const char *label,
			const unsigned char *data)
{
	size_t left = object->data_len;

	graph_begin_large(file, object, type, label);
	for (; left > 3; left -= 3, data += 3)
		graph_add_large(file, data, 3);
	graph_add_large(file, data, left);
	graph_end_large(file, object);
}

static void write_object(FILE *file, const struct graph *graph,
			 const struct graph_object *object)
{
	const char *type = graph->types[object->type];
	const char *label = object->label_len ?
		(const char *)graph->data + object->label : "";
	const unsigned char *data = graph->data + object->data;
	uint64_t slots[5] = {};
	size_t i;

	if (object->flags & GRAPH_LARGE) {
		write_large(file, object, type, label, data);
		return;
	}
	for (i = 0; i < object->nr_slots; i++) {
		uint64_t place = graph->slots[object->slots + i];

		if (place != GRAPH_NONE)
			slots[i] = graph->objects[place].id;
	}
	graph_write_object(file, object, type, label, slots, data);
}

static void write_graph(FILE *file, const struct graph *graph)
{
	size_t i;

	graph_write_begin(file);
	for (i = 0; i < graph->nr_objects; i++)
		write_object(file, graph, &graph->objects[i]);
	graph_write_end(file, graph->root == GRAPH_NONE ? 0 :
			graph->objects[graph->root].id, graph->nr_objects);
}

/* A text in memory. */
struct text {
	char *bytes;
	size_t length;
};

static int read_text(struct graph *graph, const struct text *text,
		     struct lines_error *error)
{
	FILE *file = fmemopen(text->bytes, text->length, "r");
	int ret;

	if (!file)
		err(2, "fmemopen");
	ret = graph_read(graph, file, &limits, error);
	fclose(file);
	return ret;
}

static void write_text(const struct graph *graph, struct text *text)
{
	FILE *file = open_memstream(&text->bytes, &text->length);

	if (!file)
		err(2, "open_memstream");
	write_graph(file, graph);
	if (fclose(file))
		err(2, "open_memstream");
}

static size_t count_lines(const struct text *text)
{
	size_t i, count = 0;

	for (i = 0; i < text->length; i++)
		count += text->bytes[i] == '\n';
	return count;
}

/*
 * The line that is refused is the last one, or if all of that is there, the next.
 * The newline at the end of the dump need not be there.
 */
static void cut(const struct text *whole)
{
	struct text part = *whole;
	struct lines_error error;
	struct graph graph;

	for (part.length = 1; part.length < whole->length - 1; part.length++) {
		if (!read_text(&graph, &part, &error))
			errx(1, "%zu bytes of it are a dump", part.length);
		if (error.line != count_lines(&part) + 1 +
				  (whole->bytes[part.length] == '\n'))
			errx(1, "%zu bytes: refused is line %zu: %s",
			     part.length, error.line, error.text);
	}
}

/* What is read is written, and what is written is read, as the same. */
static void check_stable(const struct graph *graph, size_t place)
{
	struct text once, twice;
	struct lines_error error;
	struct graph again;

	write_text(graph, &once);
	if (read_text(&again, &once, &error))
		errx(1, "byte %zu: written, it is refused: %zu: %s", place,
		     error.line, error.text);
	write_text(&again, &twice);
	if (once.length != twice.length ||
	    memcmp(once.bytes, twice.bytes, once.length))
		errx(1, "byte %zu: written twice, it is not the same", place);
	graph_free(&again);
	free(once.bytes);
	free(twice.bytes);
}

static void flip(const struct text *whole)
{
	size_t place, lines = count_lines(whole);
	struct lines_error error;
	struct graph graph;
	int change;

	for (place = 0; place < whole->length; place++) {
		for (change = 1; change < 256; change++) {
			whole->bytes[place] ^= (char)change;
			if (read_text(&graph, whole, &error)) {
				if (!error.line || error.line > lines + 1)
					errx(1, "byte %zu: refused is line %zu",
					     place, error.line);
			} else {
				check_stable(&graph, place);
				graph_free(&graph);
			}
			whole->bytes[place] ^= (char)change;
		}
	}
}

static void rewrite(const struct text *whole)
{
	struct lines_error error;
	struct graph graph;

	if (read_text(&graph, whole, &error)) {
		printf("%zu: %s\n", error.line, error.text);
		exit(1);
	}
	write_graph(stdout, &graph);
	graph_free(&graph);
}

static void read_whole(const char *name, struct text *text)
{
	FILE *file = fopen(name, "re");
	static char bytes[1 << 16];

	if (!file)
		err(2, "%s", name);
	text->bytes = bytes;
	text->length = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file) || text->length == sizeof(bytes))
		errx(2, "%s: cannot read it, or it is too long", name);
	fclose(file);
}

int main(int argc, char **argv)
{
	struct text text;

	if (argc < 2)
		errx(2, "which file?");
	read_whole(argv[1], &text);
	if (argc == 2)
		rewrite(&text);
	else if (!strcmp(argv[2], "cut"))
		cut(&text);
	else
		flip(&text);
	return 0;
}
