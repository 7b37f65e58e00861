// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a dump, line by line: each becomes a JSON value, which goes as soon
 * as its content is in the graph. Slots hold ids until everything is read, and
 * are places from then on.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/refstore.h>

#include "array.h"
#include "graph.h"
#include "idmap.h"
#include "lines.h"
#include "text.h"

/* A line is an object that contains arrays, and those nothing deeper. */
#define MAX_DEPTH 4

/* The parser counts its bytes in an int. */
#define MAX_LINE (INT_MAX - 1)

/**
 * struct reader - a dump being read
 * @graph: what is read so far
 * @limits: what is too much
 * @lines: the dump
 * @version: of the dump
 * @ids: places of objects
 * @objects_room: room in @graph->objects
 * @slots_room: room in @graph->slots
 * @data_room: room in @graph->data
 * @ended: the last line was read
 */
struct reader {
	struct graph *graph;
	const struct graph_limits *limits;
	struct lines lines;
	int version;
	struct idmap ids;
	size_t objects_room;
	size_t slots_room;
	size_t data_room;
	bool ended;
};

/* Says what is wrong with the current line; returns -1. */
#define fail(reader, ...) lines_fail(&(reader)->lines, __VA_ARGS__)

/* @array with room for @needed elements at least, or NULL: nothing changed. */
static void *reserve(struct reader *reader, void *array, size_t *room,
		     size_t needed, size_t size)
{
	void *grown = array_reserve(array, room, needed, size);

	if (!grown)
		fail(reader, "not enough memory");
	return grown;
}

/*
 * What the keys of an object's line mean. What they add to the graph's arrays
 * before the line is found to be wrong goes with the graph.
 */

/* An id, or null where that is allowed, which is 0 then. */
static int take_id(struct reader *reader, struct json_object *value,
		   bool or_null, uint64_t *id)
{
	if (!value && or_null) {
		*id = 0;
		return 0;
	}
	/* Numbers beyond 64 bits come out as the largest or smallest one. */
	if (!json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) <= 0 ||
	    json_object_get_int64(value) == INT64_MAX)
		return fail(reader, "an id is a number from 1 to 2^63 - 2%s",
			    or_null ? ", or null" : "");
	*id = (uint64_t)json_object_get_int64(value);
	return 0;
}

static int take_object_id(struct reader *reader, struct graph_object *object,
			  struct json_object *value)
{
	size_t place = reader->graph->nr_objects;

	if (take_id(reader, value, false, &object->id))
		return -1;
	switch (idmap_add(&reader->ids, object->id, place)) {
	case 0:
		return 0;
	case -EEXIST:
		return fail(reader, "id %" PRIu64 " was given on line %zu",
			    object->id,
			    idmap_find(&reader->ids, object->id) + 2);
	default:
		return fail(reader, "not enough memory");
	}
}

static bool is_type_name(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return length > 0 && length < REFSTORE_TYPE_NAME_MAX;
}

static int add_type(struct reader *reader, const char *name)
{
	struct graph *graph = reader->graph;
	char **types;

	if (graph->nr_types >= reader->limits->types)
		return fail(reader, "more than %" PRIu64 " types",
			    reader->limits->types);
	types = reallocarray(graph->types, graph->nr_types + 1,
			     sizeof(*types));
	if (!types)
		return fail(reader, "not enough memory");
	graph->types = types;
	types[graph->nr_types] = strdup(name);
	if (!types[graph->nr_types])
		return fail(reader, "not enough memory");
	graph->nr_types++;
	return 0;
}

static int take_type(struct reader *reader, struct graph_object *object,
		     struct json_object *value)
{
	const struct graph *graph = reader->graph;
	const char *name;
	uint32_t i;

	if (!json_object_is_type(value, json_type_string))
		return fail(reader, "a type is a string");
	name = json_object_get_string(value);
	if (!is_type_name(name, (size_t)json_object_get_string_len(value)))
		return fail(reader, "a type is 1 to %d printable ASCII "
			    "characters without blanks",
			    REFSTORE_TYPE_NAME_MAX - 1);
	for (i = 0; i < graph->nr_types; i++)
		if (!strcmp(graph->types[i], name))
			break;
	object->type = i;
	return i < graph->nr_types ? 0 : add_type(reader, name);
}

static int take_slots(struct reader *reader, struct graph_object *object,
		      struct json_object *value)
{
	struct graph *graph = reader->graph;
	size_t count, i;
	uint64_t *slots;

	if (!json_object_is_type(value, json_type_array))
		return fail(reader, "\"slots\" is an array");
	count = json_object_array_length(value);
	if (count > reader->limits->slots)
		return fail(reader, "%zu slots, at most %" PRIu64
			    " are possible", count, reader->limits->slots);
	slots = reserve(reader, graph->slots, &reader->slots_room,
			graph->nr_slots + count, sizeof(*slots));
	if (!slots)
		return -1;
	graph->slots = slots;
	for (i = 0; i < count; i++)
		if (take_id(reader, json_object_array_get_idx(value, i), true,
			    &slots[graph->nr_slots + i]))
			return -1;
	object->flags |= GRAPH_SLOTTED;
	object->slots = graph->nr_slots;
	object->nr_slots = count;
	graph->nr_slots += count;
	return 0;
}

/* Room for more bytes behind all others, or NULL. */
static unsigned char *reserve_data(struct reader *reader, size_t length)
{
	struct graph *graph = reader->graph;
	unsigned char *data = reserve(reader, graph->data, &reader->data_room,
				      graph->data_len + length, 1);

	if (!data)
		return NULL;
	graph->data = data;
	return data + graph->data_len;
}

/* Puts a string, or what it is the base64 of, behind all data, and a zero. */
static int add_string(struct reader *reader, const char *key,
		      struct json_object *value, bool base64, size_t *length)
{
	const char *string = json_object_get_string(value);
	unsigned char *data;

	if (!json_object_is_type(value, json_type_string))
		return fail(reader, "\"%s\" is a string", key);
	*length = (size_t)json_object_get_string_len(value);
	data = reserve_data(reader, *length + 1);
	if (!data)
		return -1;
	if (!base64)
		memcpy(data, string, *length);
	else if (!text_read_base64(string, *length, data, length))
		return fail(reader, "\"%s\" is not base64", key);
	data[*length] = '\0';
	return 0;
}

static int add_data(struct reader *reader, struct graph_object *object,
		    const char *key, struct json_object *value, bool base64)
{
	if (object->data_len)
		return fail(reader, "both \"data\" and \"text\"");
	if (add_string(reader, key, value, base64, &object->data_len))
		return -1;
	object->data = reader->graph->data_len;
	reader->graph->data_len += object->data_len;
	return 0;
}

static int take_data(struct reader *reader, struct graph_object *object,
		     struct json_object *value)
{
	return add_data(reader, object, "data", value, true);
}

static int take_text(struct reader *reader, struct graph_object *object,
		     struct json_object *value)
{
	return add_data(reader, object, "text", value, false);
}

static bool is_label(const unsigned char *label, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (label[i] < ' ' || label[i] == 0x7f)
			return false;
	return length > 0 && length < REFSTORE_LABEL_MAX;
}

static int add_label(struct reader *reader, struct graph_object *object,
		     const char *key, struct json_object *value, bool base64)
{
	struct graph *graph = reader->graph;

	if (object->label_len)
		return fail(reader, "both \"label\" and \"label64\"");
	if (add_string(reader, key, value, base64, &object->label_len))
		return -1;
	if (!is_label(graph->data + graph->data_len, object->label_len))
		return fail(reader, "a label is 1 to %d bytes without control "
			    "characters", REFSTORE_LABEL_MAX - 1);
	object->label = graph->data_len;
	graph->data_len += object->label_len + 1;
	return 0;
}

static int take_label(struct reader *reader, struct graph_object *object,
		      struct json_object *value)
{
	return add_label(reader, object, "label", value, false);
}

static int take_label64(struct reader *reader, struct graph_object *object,
			struct json_object *value)
{
	return add_label(reader, object, "label64", value, true);
}

static int take_truth(struct reader *reader, struct graph_object *object,
		      const char *key, struct json_object *value, uint32_t flag)
{
	if (!json_object_is_type(value, json_type_boolean) ||
	    !json_object_get_boolean(value))
		return fail(reader, "\"%s\" is true, or is not there", key);
	object->flags |= flag;
	return 0;
}

static int take_large(struct reader *reader, struct graph_object *object,
		      struct json_object *value)
{
	return take_truth(reader, object, "large", value, GRAPH_LARGE);
}

static int take_interned(struct reader *reader, struct graph_object *object,
			 struct json_object *value)
{
	return take_truth(reader, object, "interned", value, GRAPH_INTERNED);
}

static int take_immortal(struct reader *reader, struct graph_object *object,
			 struct json_object *value)
{
	return take_truth(reader, object, "immortal", value, GRAPH_IMMORTAL);
}

static int take_sealed(struct reader *reader, struct graph_object *object,
		       struct json_object *value)
{
	size_t i;

	if (!json_object_is_type(value, json_type_array))
		return fail(reader, "\"sealed\" is an array");
	for (i = 0; i < json_object_array_length(value); i++) {
		const char *part = json_object_get_string(
			json_object_array_get_idx(value, i));

		if (part && !strcmp(part, "data"))
			object->flags |= GRAPH_SEALED_DATA;
		else if (part && !strcmp(part, "slots"))
			object->flags |= GRAPH_SEALED_SLOTS;
		else
			return fail(reader, "\"sealed\" contains something "
				    "else than \"data\" and \"slots\"");
	}
	return 0;
}

static const struct {
	const char *name;
	int since; /* version */
	int (*take)(struct reader *reader, struct graph_object *object,
		    struct json_object *value);
} keys[] = {
	{ "id", 1, take_object_id },
	{ "type", 1, take_type },
	{ "slots", 1, take_slots },
	{ "data", 1, take_data },
	{ "text", 1, take_text },
	{ "large", 1, take_large },
	{ "sealed", 1, take_sealed },
	{ "label", 2, take_label },
	{ "label64", 2, take_label64 },
	{ "interned", 2, take_interned },
	{ "immortal", 2, take_immortal },
};

#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static int take_key(struct reader *reader, struct graph_object *object,
		    const char *name, struct json_object *value)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].name, name) &&
		    keys[i].since <= reader->version)
			return keys[i].take(reader, object, value);
	return fail(reader, "unknown key \"%s\"", name);
}

/*
 * Lines
 */

/* What its keys say together, in whatever order they came. */
static int check_interned(struct reader *reader,
			  const struct graph_object *object)
{
	if (object->flags & GRAPH_SLOTTED)
		return fail(reader, "an interned object has no slots");
	if (object->data_len > REFSTORE_MAX_INTERNED)
		return fail(reader, "%zu bytes of data, at most %d of an "
			    "interned object are possible", object->data_len,
			    REFSTORE_MAX_INTERNED);
	return 0;
}

static int check_object(struct reader *reader,
			const struct graph_object *object)
{
	bool large = object->flags & GRAPH_LARGE;
	uint64_t most = large ? reader->limits->large : reader->limits->data;

	if (large && object->flags & GRAPH_SLOTTED)
		return fail(reader, "a large object has no slots");
	if (large && !object->data_len)
		return fail(reader, "a large object has data");
	if (large && object->flags & (GRAPH_INTERNED | GRAPH_IMMORTAL))
		return fail(reader, "a large object is neither interned nor "
			    "immortal");
	if (object->data_len > most)
		return fail(reader, "%zu bytes of data, at most %" PRIu64
			    " are possible", object->data_len, most);
	return object->flags & GRAPH_INTERNED ?
		       check_interned(reader, object) : 0;
}

static int take_object(struct reader *reader, struct json_object *line)
{
	struct graph *graph = reader->graph;
	struct graph_object object = {};
	struct graph_object *objects;

	json_object_object_foreach(line, name, value) {
		if (take_key(reader, &object, name, value))
			return -1;
	}
	if (!object.id || !json_object_object_get_ex(line, "type", NULL))
		return fail(reader, "an object needs \"id\" and \"type\"");
	if (check_object(reader, &object))
		return -1;
	if (graph->nr_objects >= reader->limits->objects)
		return fail(reader, "more than %" PRIu64 " objects",
			    reader->limits->objects);
	objects = reserve(reader, graph->objects, &reader->objects_room,
			  graph->nr_objects + 1, sizeof(*objects));
	if (!objects)
		return -1;
	graph->objects = objects;
	objects[graph->nr_objects++] = object;
	return 0;
}

static int take_first(struct reader *reader, struct json_object *line)
{
	struct json_object *version;
	int64_t number;

	if (!json_object_object_get_ex(line, "refstore", &version) ||
	    json_object_object_length(line) != 1)
		return fail(reader, "not a refstore dump");
	number = json_object_get_int64(version);
	if (!json_object_is_type(version, json_type_int) ||
	    number < GRAPH_FIRST_VERSION || number > GRAPH_VERSION)
		return fail(reader, "a dump of another version than %d to %d",
			    GRAPH_FIRST_VERSION, GRAPH_VERSION);
	reader->version = (int)number;
	return 0;
}

/* The number of objects, which version 1 does not state. */
static int check_count(struct reader *reader, struct json_object *line)
{
	struct json_object *count;

	if (!json_object_object_get_ex(line, "objects", &count))
		return fail(reader, "the last line states no \"objects\"");
	if (!json_object_is_type(count, json_type_int) ||
	    json_object_get_int64(count) < 0)
		return fail(reader, "\"objects\" is a number from 0 on");
	if ((uint64_t)json_object_get_int64(count) == reader->graph->nr_objects)
		return 0;
	return fail(reader, "%zu objects, not the %" PRId64
		    " that are stated", reader->graph->nr_objects,
		    json_object_get_int64(count));
}

static int take_last(struct reader *reader, struct json_object *line)
{
	bool counted = reader->version >= 2;
	struct json_object *root;

	if (counted && check_count(reader, line))
		return -1;
	if (json_object_object_length(line) != 1 + counted)
		return fail(reader, "more than \"root\"%s on the last line",
			    counted ? " and \"objects\"" : "");
	json_object_object_get_ex(line, "root", &root);
	reader->ended = true;
	return take_id(reader, root, true, &reader->graph->root);
}

static int take_line(struct reader *reader, struct json_object *line)
{
	if (!json_object_is_type(line, json_type_object))
		return fail(reader, "not a JSON object");
	if (reader->lines.error->line == 1)
		return take_first(reader, line);
	if (reader->ended)
		return fail(reader, "a line after the last one");
	if (json_object_object_get_ex(line, "root", NULL))
		return take_last(reader, line);
	return take_object(reader, line);
}

static int read_lines(struct reader *reader)
{
	struct json_object *line;
	int ret;

	while ((ret = lines_read(&reader->lines)) == 1) {
		ret = lines_parse(&reader->lines, &line);
		if (ret)
			break;
		ret = take_line(reader, line);
		json_object_put(line);
		if (ret)
			break;
	}
	if (!ret && !reader->ended)
		ret = fail(reader, "the file ends without \"root\"");
	return ret;
}

/*
 * From ids to places
 */

static int resolve(struct reader *reader, uint64_t *slot, const char *what)
{
	uint64_t id = *slot;
	size_t place = idmap_find(&reader->ids, id);

	*slot = place == IDMAP_NONE ? GRAPH_NONE : place;
	if (!id || place != IDMAP_NONE)
		return 0;
	return fail(reader, "%s refers to object %" PRIu64
		    ", which is not there", what, id);
}

static int resolve_all(struct reader *reader)
{
	struct graph *graph = reader->graph;
	size_t last = reader->lines.error->line - 1;
	size_t i, j;

	for (i = 0; i < graph->nr_objects; i++) {
		const struct graph_object *object = &graph->objects[i];

		reader->lines.error->line = i + 2;
		for (j = 0; j < object->nr_slots; j++)
			if (resolve(reader, &graph->slots[object->slots + j],
				    "a slot"))
				return -1;
	}
	reader->lines.error->line = last;
	return resolve(reader, &graph->root, "the root");
}

/*
 * Interned objects are one of a kind
 */

static int compare_interned(const void *one, const void *other, void *context)
{
	const struct graph *graph = context;
	const struct graph_object *a = *(struct graph_object *const *)one;
	const struct graph_object *b = *(struct graph_object *const *)other;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->data_len != b->data_len)
		return a->data_len < b->data_len ? -1 : 1;
	return a->data_len ? memcmp(graph->data + a->data,
				    graph->data + b->data, a->data_len) : 0;
}

/* All that are interned, sorted, so that equal ones are neighbours; or NULL. */
static struct graph_object **sort_interned(struct graph *graph, size_t *count)
{
	struct graph_object **interned =
		calloc(graph->nr_objects + 1, sizeof(*interned));
	size_t i;

	*count = 0;
	if (!interned)
		return NULL;
	for (i = 0; i < graph->nr_objects; i++)
		if (graph->objects[i].flags & GRAPH_INTERNED)
			interned[(*count)++] = &graph->objects[i];
	qsort_r(interned, *count, sizeof(*interned), compare_interned, graph);
	return interned;
}

static int fail_equal(struct reader *reader, const struct graph_object *one,
		      const struct graph_object *other)
{
	const struct graph_object *later = one > other ? one : other;
	const struct graph_object *first = one > other ? other : one;

	reader->lines.error->line =
		(size_t)(later - reader->graph->objects) + 2;
	return fail(reader, "the same is interned on line %zu",
		    (size_t)(first - reader->graph->objects) + 2);
}

static int check_all_interned(struct reader *reader)
{
	struct graph *graph = reader->graph;
	size_t i, count;
	struct graph_object **interned = sort_interned(graph, &count);
	int ret = 0;

	if (!interned)
		return fail(reader, "not enough memory");
	for (i = 1; !ret && i < count; i++)
		if (!compare_interned(&interned[i - 1], &interned[i], graph))
			ret = fail_equal(reader, interned[i - 1], interned[i]);
	free(interned);
	return ret;
}

int graph_read(struct graph *graph, FILE *file,
	       const struct graph_limits *limits, struct lines_error *error)
{
	struct reader reader = { .graph = graph, .limits = limits };
	int ret = lines_begin(&reader.lines, file, MAX_DEPTH, MAX_LINE, error);

	*graph = (struct graph){};
	if (!ret)
		ret = read_lines(&reader);
	if (!ret)
		ret = resolve_all(&reader);
	if (!ret)
		ret = check_all_interned(&reader);
	if (ret)
		graph_free(graph);
	lines_free(&reader.lines);
	idmap_free(&reader.ids);
	return ret;
}
