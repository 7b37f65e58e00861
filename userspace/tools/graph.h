/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A graph of objects in memory, as read from a dump.
 *
 * A dump, version 2, is a text file of JSON values, one a line:
 *
 *	{"refstore":2}
 *	{"id":N,"type":"name","label":"...","slots":[N,null,...],"text":"...",
 *		"sealed":["data","slots"],"immortal":true}	(in one line)
 *	{"id":N,"type":"name","large":true,"data":"..."}
 *	{"id":N,"type":"name","text":"...","interned":true}
 *	...
 *	{"root":N,"objects":N}
 *
 * An object without "slots" is a leaf; its data is "text", or "data" in base64;
 * it is not sealed unless "sealed" says so. A leaf whose data is a memfd is
 * "large". Its label is "label", or "label64" in base64. "interned" is the one
 * leaf of its type and data. Ids are numbers from 1, each given once; slots may
 * refer to objects of later lines. "root" may be null; "objects" is the number of
 * lines between the first and the last.
 *
 * Version 1, which is read as well, had no labels, "interned" and "immortal", and
 * no "objects".
 */
#ifndef REFSTORE_GRAPH_H
#define REFSTORE_GRAPH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lines.h"

/* The version that is written, and the first one that is read. */
#define GRAPH_VERSION 2
#define GRAPH_FIRST_VERSION 1

/* In the place of an object: none. */
#define GRAPH_NONE UINT64_MAX

/*
 * The object is no leaf; its data, its slots are sealed; its data is a memfd; it is
 * interned; it is immortal.
 */
#define GRAPH_SLOTTED		(1U << 0)
#define GRAPH_SEALED_DATA	(1U << 1)
#define GRAPH_SEALED_SLOTS	(1U << 2)
#define GRAPH_LARGE		(1U << 3)
#define GRAPH_INTERNED		(1U << 4)
#define GRAPH_IMMORTAL		(1U << 5)

/**
 * struct graph_object - an object of a graph
 * @id: its id in the dump
 * @type: its type: a place in &graph.types
 * @flags: GRAPH_*
 * @slots: place of its first slot in &graph.slots
 * @nr_slots: number of slots
 * @data: place of its first byte in &graph.data
 * @data_len: bytes of data
 * @label: place of its label in &graph.data
 * @label_len: bytes of that, 0 if it has none; it is followed by a zero
 */
struct graph_object {
	uint64_t id;
	uint32_t type;
	uint32_t flags;
	size_t slots;
	size_t nr_slots;
	size_t data;
	size_t data_len;
	size_t label;
	size_t label_len;
};

/**
 * struct graph - a graph
 * @objects: its objects; the line of the n-th in the dump is n + 2
 * @nr_objects: number of objects
 * @slots: all slots: places in @objects, or GRAPH_NONE
 * @nr_slots: number of slots
 * @data: all data, and labels
 * @data_len: bytes of it
 * @types: names of types
 * @nr_types: number of types
 * @root: place in @objects, or GRAPH_NONE
 */
struct graph {
	struct graph_object *objects;
	size_t nr_objects;
	uint64_t *slots;
	size_t nr_slots;
	unsigned char *data;
	size_t data_len;
	char **types;
	size_t nr_types;
	uint64_t root;
};

/**
 * struct graph_limits - what a graph may be
 * @objects: number of objects
 * @slots: slots of an object
 * @data: bytes of an object
 * @large: the same of one that is large
 * @types: number of types
 */
struct graph_limits {
	uint64_t objects;
	uint64_t slots;
	uint64_t data;
	uint64_t large;
	uint64_t types;
};

/**
 * graph_read() - read a dump
 * @graph: out: the graph, to be freed with graph_free()
 * @file: the dump
 * @limits: what is too much
 * @error: out, if it failed
 *
 * Return: 0, or -1 if the file is no dump, or cannot be read.
 */
int graph_read(struct graph *graph, FILE *file,
	       const struct graph_limits *limits, struct lines_error *error);

void graph_free(struct graph *graph);

/**
 * graph_write_begin() - write a dump's first line
 * @file: the dump
 */
void graph_write_begin(FILE *file);

/**
 * graph_write_object() - write a dump's line of an object
 * @file: the dump
 * @object: the object; places in it are not looked at, nor is its label_len
 * @type: name of its type
 * @label: its label, or ""
 * @slots: ids that its slots refer to, or 0
 * @data: its data
 */
void graph_write_object(FILE *file, const struct graph_object *object,
			const char *type, const char *label,
			const uint64_t *slots, const void *data);

/**
 * graph_begin_large() - begin the line of a large object
 * @file: the dump
 * @object: the object
 * @type: name of its type
 * @label: its label, or ""
 *
 * Then come graph_add_large() for its data, and graph_end_large().
 */
void graph_begin_large(FILE *file, const struct graph_object *object,
		       const char *type, const char *label);

/**
 * graph_add_large() - write the next part of its data
 * @file: the dump
 * @data: the part
 * @length: bytes of it; of all parts but the last, a multiple of three
 */
void graph_add_large(FILE *file, const void *data, size_t length);

/**
 * graph_end_large() - end the line
 * @file: the dump
 * @object: the object
 */
void graph_end_large(FILE *file, const struct graph_object *object);

/**
 * graph_write_end() - write a dump's last line
 * @file: the dump
 * @root: id of the root, or 0
 * @objects: number of objects that were written
 */
void graph_write_end(FILE *file, uint64_t root, uint64_t objects);

#endif /* REFSTORE_GRAPH_H */
