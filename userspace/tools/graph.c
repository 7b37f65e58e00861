// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "text.h"

void graph_free(struct graph *graph)
{
	size_t i;

	for (i = 0; i < graph->nr_types; i++)
		free(graph->types[i]);
	free(graph->types);
	free(graph->objects);
	free(graph->slots);
	free(graph->data);
	*graph = (struct graph){};
}

void graph_write_begin(FILE *file)
{
	fprintf(file, "{\"refstore\":%d}\n", GRAPH_VERSION);
}

static void write_id(FILE *file, uint64_t id)
{
	if (id)
		fprintf(file, "%" PRIu64, id);
	else
		fputs("null", file);
}

static void write_slots(FILE *file, const uint64_t *slots, size_t count)
{
	size_t i;

	fputs(",\"slots\":[", file);
	for (i = 0; i < count; i++) {
		if (i)
			fputc(',', file);
		write_id(file, slots[i]);
	}
	fputc(']', file);
}

/* As text by the one name, or if it is none, in base64 by the other. */
static void write_bytes(FILE *file, const char *text, const char *base64,
			const void *data, size_t length)
{
	if (text_is_printable(data, length)) {
		fprintf(file, ",\"%s\":", text);
		text_write_json(file, data, length);
	} else {
		fprintf(file, ",\"%s\":\"", base64);
		text_write_base64(file, data, length);
		fputc('"', file);
	}
}

static void write_sealed(FILE *file, uint32_t flags)
{
	bool data = flags & GRAPH_SEALED_DATA;
	bool slots = flags & GRAPH_SEALED_SLOTS;

	fprintf(file, ",\"sealed\":[%s%s%s]", data ? "\"data\"" : "",
		data && slots ? "," : "", slots ? "\"slots\"" : "");
}

static void begin_object(FILE *file, const struct graph_object *object,
			 const char *type, const char *label)
{
	fprintf(file, "{\"id\":%" PRIu64 ",\"type\":", object->id);
	text_write_json(file, type, strlen(type));
	if (*label)
		write_bytes(file, "label", "label64", label, strlen(label));
}

static void end_object(FILE *file, const struct graph_object *object)
{
	if (object->flags & (GRAPH_SEALED_DATA | GRAPH_SEALED_SLOTS))
		write_sealed(file, object->flags);
	if (object->flags & GRAPH_INTERNED)
		fputs(",\"interned\":true", file);
	if (object->flags & GRAPH_IMMORTAL)
		fputs(",\"immortal\":true", file);
	fputs("}\n", file);
}

void graph_write_object(FILE *file, const struct graph_object *object,
			const char *type, const char *label,
			const uint64_t *slots, const void *data)
{
	begin_object(file, object, type, label);
	if (object->flags & GRAPH_SLOTTED)
		write_slots(file, slots, object->nr_slots);
	if (object->data_len)
		write_bytes(file, "text", "data", data, object->data_len);
	end_object(file, object);
}

/* In base64, whatever it is: nobody has looked at all of it before. */
void graph_begin_large(FILE *file, const struct graph_object *object,
		       const char *type, const char *label)
{
	begin_object(file, object, type, label);
	fputs(",\"large\":true,\"data\":\"", file);
}

void graph_add_large(FILE *file, const void *data, size_t length)
{
	text_write_base64(file, data, length);
}

void graph_end_large(FILE *file, const struct graph_object *object)
{
	fputc('"', file);
	end_object(file, object);
}

void graph_write_end(FILE *file, uint64_t root, uint64_t objects)
{
	fputs("{\"root\":", file);
	write_id(file, root);
	fprintf(file, ",\"objects\":%" PRIu64 "}\n", objects);
}
