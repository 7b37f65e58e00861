// SPDX-License-Identifier: GPL-2.0-only
/*
 * The graph, and what graph.py expects of it. Whatever is wrong with them ends
 * the program: the demonstration cannot begin.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

/* The store has limits of its own, which it enforces. */
static const struct graph_limits no_limits = {
	.objects = UINT32_MAX,
	.slots = UINT32_MAX,
	.data = UINT32_MAX,
	.large = UINT32_MAX,
	.types = UINT32_MAX,
};

static FILE *open_file(const char *name)
{
	FILE *file = fopen(name, "re");

	if (!file)
		err(EXIT_FAILURE, "%s", name);
	return file;
}

/* Where a word of the file goes; NULL if it is none of these. */
static uint64_t *number_called(struct input *input, const char *word)
{
	const struct {
		const char *word;
		uint64_t *number;
	} numbers[] = {
		{ "objects", &input->all.objects },
		{ "references", &input->all.references },
		{ "bytes", &input->all.bytes },
		{ "kept_objects", &input->kept.objects },
		{ "kept_references", &input->kept.references },
		{ "kept_bytes", &input->kept.bytes },
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(numbers[i].word, word))
			return numbers[i].number;
	return NULL;
}

static void read_expected(struct input *input, const char *name)
{
	FILE *file = open_file(name);
	uint64_t number;
	char word[32];

	while (fscanf(file, "%31s %" SCNu64, word, &number) == 2) {
		uint64_t *total = number_called(input, word);

		if (total)
			*total = number;
		else if (!strcmp(word, "keep") && number &&
			 number <= input->graph.nr_objects)
			input->keep[number - 1] = true;
		else
			errx(EXIT_FAILURE, "%s: %s %" PRIu64, name, word,
			     number);
	}
	if (!feof(file))
		errx(EXIT_FAILURE, "%s: not as expected", name);
	fclose(file);
}

/* The ids that the heap will give out are the graph's. */
static void check_ids(const struct graph *graph, const char *name)
{
	size_t i;

	for (i = 0; i < graph->nr_objects; i++)
		if (graph->objects[i].id != i + 1)
			errx(EXIT_FAILURE, "%s: ids are not in order", name);
	if (graph->root == GRAPH_NONE)
		errx(EXIT_FAILURE, "%s: no root", name);
}

void input_read(struct input *input, const char *graph, const char *expected)
{
	struct lines_error error;
	FILE *file = open_file(graph);

	if (graph_read(&input->graph, file, &no_limits, &error))
		errx(EXIT_FAILURE, "%s:%zu: %s", graph, error.line,
		     error.text);
	fclose(file);
	check_ids(&input->graph, graph);
	input->keep = calloc(input->graph.nr_objects, sizeof(*input->keep));
	if (!input->keep)
		err(EXIT_FAILURE, "%s", graph);
	read_expected(input, expected);
}
