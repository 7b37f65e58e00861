// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dump is written while the objects are walked, so that only the edges are in
 * memory. They are listed first: of a heap that changes meanwhile, the dump is
 * given up, and its missing last line says so to who reads it.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "command.h"
#include "graph.h"
#include "idmap.h"
#include "labels.h"
#include "limit.h"
#include "sum.h"
#include "target.h"

/* So much of a large object's data is read at a time; threes become fours. */
#define LARGE_PART (3U << 18)

/**
 * struct dump - a dump being written
 * @store: a session on the heap
 * @edges: all edges, in the order of their slots
 * @nr_edges: number of edges
 * @edges_room: room in @edges
 * @labels: labels of objects
 * @ids: objects that were written
 * @slots: room for the slots of an object
 * @slots_room: number of slots that there is room for
 * @data: room for the data of an object, or a part of it
 * @data_room: bytes that there is room for
 * @root: id of the root, or 0
 * @sum: what the heap contained at first
 */
struct dump {
	struct refstore *store;
	struct refstore_walk_edge *edges;
	size_t nr_edges;
	size_t edges_room;
	struct labels labels;
	struct idmap ids;
	uint64_t *slots;
	size_t slots_room;
	void *data;
	size_t data_room;
	uint64_t root;
	uint64_t sum;
};

static int add_edge(struct dump *dump, const struct refstore_walk_edge *edge)
{
	struct refstore_walk_edge *edges =
		array_reserve(dump->edges, &dump->edges_room,
			      dump->nr_edges + 1, sizeof(*edges));

	if (!edges)
		return -ENOMEM;
	dump->edges = edges;
	edges[dump->nr_edges++] = *edge;
	return 0;
}

static int compare_edges(const void *one, const void *other)
{
	const struct refstore_walk_edge *a = one;
	const struct refstore_walk_edge *b = other;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int list_edges(struct dump *dump)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret = refstore_iter_edges(dump->store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		ret = add_edge(dump, &edge);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	if (dump->nr_edges)
		qsort(dump->edges, dump->nr_edges, sizeof(*dump->edges),
		      compare_edges);
	return ret;
}

static int find_root(struct dump *dump)
{
	struct refstore_walk_handle handle;
	struct refstore_iter *iter;
	int ret = refstore_iter_roots(dump->store, &iter);

	if (ret)
		return ret;
	ret = refstore_iter_next_handle(iter, &handle);
	if (ret == 1)
		dump->root = handle.id;
	refstore_iter_free(iter);
	return ret < 0 ? ret : 0;
}

/* The first edge of an object, or where it would be. */
static size_t first_edge(const struct dump *dump, uint64_t id)
{
	size_t low = 0, high = dump->nr_edges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dump->edges[middle].from < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Puts what the object's slots refer to into @dump->slots. */
static int fill_slots(struct dump *dump,
		      const struct refstore_walk_object *object)
{
	uint64_t *slots = array_reserve(dump->slots, &dump->slots_room,
					object->nr_slots, sizeof(*slots));
	size_t i = first_edge(dump, object->id);

	if (!slots)
		return -ENOMEM;
	dump->slots = slots;
	memset(slots, 0, object->nr_slots * sizeof(*slots));
	for (; i < dump->nr_edges && dump->edges[i].from == object->id; i++) {
		if (dump->edges[i].index >= object->nr_slots)
			return -ESTALE;
		dump->slots[dump->edges[i].index] = dump->edges[i].to;
	}
	return 0;
}

/* Reads data to @dump->data: a negative errno, or the number of bytes. */
static ssize_t read_data(struct dump *dump,
			 const struct refstore_walk_object *object,
			 size_t offset, size_t length)
{
	if (length > dump->data_room) {
		free(dump->data);
		dump->data_room = 0;
		dump->data = malloc(length);
		if (!dump->data)
			return -ENOMEM;
		dump->data_room = length;
	}
	/* So many references that the walk could not take another one. */
	if (!object->handle)
		return -EOVERFLOW;
	return refstore_read(dump->store, object->handle, offset, dump->data,
			     length);
}

static int write_small(struct dump *dump,
		       const struct refstore_walk_object *object,
		       const struct graph_object *line, const char *type)
{
	ssize_t ret = fill_slots(dump, object);

	if (!ret && line->data_len)
		ret = read_data(dump, object, 0, line->data_len);
	if (ret < 0)
		return (int)ret;
	graph_write_object(stdout, line, type,
			   labels_find(&dump->labels, object->id), dump->slots,
			   dump->data);
	return 0;
}

/* There may be more of it than memory. */
static int write_large(struct dump *dump,
		       const struct refstore_walk_object *object,
		       const struct graph_object *line, const char *type)
{
	size_t done = 0;
	ssize_t ret;

	if (line->data_len != object->data_len)
		return -EFBIG;
	graph_begin_large(stdout, line, type,
			  labels_find(&dump->labels, object->id));
	while (done < line->data_len) {
		ret = read_data(dump, object, done, LARGE_PART);
		if (ret < 0)
			return (int)ret;
		graph_add_large(stdout, dump->data, (size_t)ret);
		done += (size_t)ret;
	}
	graph_end_large(stdout, line);
	return 0;
}

static uint32_t flags_of(uint32_t state)
{
	static const struct {
		uint32_t state;
		uint32_t flag;
	} pairs[] = {
		{ REFSTORE_STATE_SLOTTED, GRAPH_SLOTTED },
		{ REFSTORE_STATE_SEALED_DATA, GRAPH_SEALED_DATA },
		{ REFSTORE_STATE_SEALED_SLOTS, GRAPH_SEALED_SLOTS },
		{ REFSTORE_STATE_INTERNED, GRAPH_INTERNED },
		{ REFSTORE_STATE_IMMORTAL, GRAPH_IMMORTAL },
	};
	uint32_t flags = 0;
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (state & pairs[i].state)
			flags |= pairs[i].flag;
	return flags;
}

static int write_object(struct dump *dump,
			const struct refstore_walk_object *object)
{
	const struct graph_object line = {
		.id = object->id,
		.flags = flags_of(object->state),
		.nr_slots = object->nr_slots,
		.data_len = (size_t)object->data_len,
	};
	bool large = object->state & REFSTORE_STATE_LARGE;
	char type[REFSTORE_TYPE_NAME_MAX];
	int ret = refstore_type_name(dump->store, object->type, type);

	if (!ret)
		ret = large ? write_large(dump, object, &line, type) :
			      write_small(dump, object, &line, type);
	return ret ? ret : idmap_add(&dump->ids, object->id, 0);
}

static int write_objects(struct dump *dump)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(dump->store, REFSTORE_WALK_MINT,
					&iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		ret = write_object(dump, &object);
		refstore_release(dump->store, object.handle);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

/* Does everything refer to what was written? */
static int check_ids(const struct dump *dump)
{
	size_t i;

	for (i = 0; i < dump->nr_edges; i++)
		if (idmap_find(&dump->ids, dump->edges[i].to) == IDMAP_NONE ||
		    idmap_find(&dump->ids, dump->edges[i].from) == IDMAP_NONE)
			return -ESTALE;
	if (dump->root && idmap_find(&dump->ids, dump->root) == IDMAP_NONE)
		return -ESTALE;
	return 0;
}

/* Is it still what it was at the beginning? */
static int check_sum(const struct dump *dump)
{
	uint64_t sum;
	int ret = sum_heap(dump->store, &sum);

	return !ret && sum != dump->sum ? -ESTALE : ret;
}

static int write_dump(struct dump *dump)
{
	int ret = sum_heap(dump->store, &dump->sum);

	if (!ret)
		ret = list_edges(dump);
	if (!ret)
		ret = labels_read_raw(&dump->labels, dump->store);
	if (!ret)
		ret = find_root(dump);
	if (ret)
		return ret;
	graph_write_begin(stdout);
	ret = write_objects(dump);
	if (!ret)
		ret = check_ids(dump);
	if (!ret)
		ret = check_sum(dump);
	if (!ret)
		graph_write_end(stdout, dump->root, dump->ids.count);
	return ret;
}

static const char *describe(struct refstore *store, int error)
{
	switch (error) {
	case -ESTALE:
		return "the heap changed meanwhile";
	case -EOVERFLOW:
		return "an object has as many references as it can have";
	default:
		return limit_describe(store, error);
	}
}

static int run_dump(const struct arguments *arguments)
{
	struct dump dump = {};
	int ret;

	if (target_open(arguments, &dump.store))
		return STATUS_FAILED;
	ret = write_dump(&dump);
	if (ret)
		warnx("the dump is incomplete: %s", describe(dump.store, ret));
	refstore_close(dump.store);
	free(dump.edges);
	free(dump.slots);
	free(dump.data);
	labels_free(&dump.labels);
	idmap_free(&dump.ids);
	return ret ? STATUS_FAILED : STATUS_OK;
}

const struct command command_dump = {
	.name = "dump",
	.usage = "",
	.summary = "Write all objects of a heap to standard output",
	.help = "In lines of JSON, with or without --json: the first is\n"
		"{\"refstore\":2}, the last {\"root\":ID,\"objects\":N}, and\n"
		"between them there is one for each of the N objects:\n"
		"\n"
		"    {\"id\":3,\"type\":\"list\",\"label\":\"...\",\n"
		"     \"slots\":[7,null],\"text\":\"...\",\n"
		"     \"sealed\":[\"data\",\"slots\"],\"immortal\":true}\n"
		"\n"
		"in one line. Without slots it is a leaf; data that is no\n"
		"printable text is \"data\", in base64, and so is that of large\n"
		"values, which have \"large\":true; a label that is no text is\n"
		"\"label64\". What is interned says so. 'refstore restore' and\n"
		"'refstore load' read it back, but no line of more than 2 GiB:\n"
		"a large value of 1.5.\n"
		"\n"
		"The heap must be quiet: if it changes meanwhile, the last\n"
		"line may be missing, and the exit status is 1.\n",
	.session = true,
	.run = run_dump,
};
