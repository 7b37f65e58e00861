// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "snapshot.h"
#include "text.h"

/* An object of numbers and strings. */
#define MAX_DEPTH 2

/* All characters of a type and a label could be written as \uXXXX. */
#define MAX_LINE 1024

/**
 * struct reader - a snapshot being read
 * @snapshot: what is read so far
 * @lines: the file
 * @left: of each group, what its objects have not added up to yet
 * @left_room: number of groups that there is room for in @left
 * @bytes: of all groups
 * @ended: the last line was read
 */
struct reader {
	struct snapshot *snapshot;
	struct lines lines;
	struct left {
		uint64_t objects;
		uint64_t bytes;
	} *left;
	size_t left_room;
	uint64_t bytes;
	bool ended;
};

int snapshot_reserve_group(struct snapshot *snapshot)
{
	void *groups = array_reserve(snapshot->groups, &snapshot->groups_room,
				     snapshot->nr_groups + 1,
				     sizeof(*snapshot->groups));

	if (!groups)
		return -ENOMEM;
	snapshot->groups = groups;
	return 0;
}

int snapshot_reserve_object(struct snapshot *snapshot)
{
	void *objects = array_reserve(snapshot->objects,
				      &snapshot->objects_room,
				      snapshot->nr_objects + 1,
				      sizeof(*snapshot->objects));

	if (!objects)
		return -ENOMEM;
	snapshot->objects = objects;
	return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->groups);
	free(snapshot->objects);
}

/* Says what is wrong with the current line; returns -1. */
#define fail(reader, ...) lines_fail(&(reader)->lines, __VA_ARGS__)

/*
 * Values
 */

static int take_number(struct reader *reader, struct json_object *line,
		       const char *name, int smallest, uint64_t *number)
{
	struct json_object *value = json_object_object_get(line, name);
	int64_t taken = json_object_get_int64(value);

	/* Numbers beyond 64 bits come out as the largest or smallest one. */
	if (!json_object_is_type(value, json_type_int) || taken < smallest ||
	    taken == INT64_MAX)
		return fail(reader, "%s is a number from %d to 2^63 - 2", name,
			    smallest);
	*number = (uint64_t)taken;
	return 0;
}

/* Harmless text of less than @size bytes, which it is copied to. */
static int take_text(struct reader *reader, struct json_object *line,
		     const char *name, char *text, size_t size)
{
	struct json_object *value = json_object_object_get(line, name);
	const char *string = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string))
		return fail(reader, "%s is a string", name);
	if (strlen(string) != (size_t)json_object_get_string_len(value) ||
	    strlen(string) >= size)
		return fail(reader, "%s is up to %zu bytes without zeroes",
			    name, size - 1);
	strcpy(text, string);
	if (strcmp(text_harmless(text), string))
		return fail(reader, "%s has control characters", name);
	return 0;
}

/*
 * Lines
 */

static int take_first(struct reader *reader, struct json_object *line)
{
	struct snapshot *snapshot = reader->snapshot;
	struct json_object *version;

	if (!json_object_object_get_ex(line, "refstore-snapshot", &version))
		return fail(reader, "not a snapshot");
	if (!json_object_is_type(version, json_type_int) ||
	    json_object_get_int64(version) != SNAPSHOT_VERSION)
		return fail(reader, "a snapshot of another version than %d",
			    SNAPSHOT_VERSION);
	if (take_number(reader, line, "heap", 1, &snapshot->heap) ||
	    take_number(reader, line, "time", 0, &snapshot->time))
		return -1;
	return take_text(reader, line, "boot", snapshot->boot,
			 sizeof(snapshot->boot));
}

/* Whatever is summed up from groups, or from two snapshots, fits into 64 bits. */
static int check_sum(struct reader *reader, const struct snapshot_group *group)
{
	if (group->bytes > INT64_MAX - reader->bytes)
		return fail(reader, "more than 2^63 bytes together");
	reader->bytes += group->bytes;
	return 0;
}

static int fill_group(struct reader *reader, struct json_object *line,
		      struct snapshot_group *group)
{
	if (take_text(reader, line, "type", group->type, sizeof(group->type)) ||
	    take_text(reader, line, "label", group->label,
		      sizeof(group->label)) ||
	    take_number(reader, line, "objects", 1, &group->objects) ||
	    take_number(reader, line, "bytes", 0, &group->bytes))
		return -1;
	return check_sum(reader, group);
}

static int take_group(struct reader *reader, struct json_object *line)
{
	struct snapshot *snapshot = reader->snapshot;
	struct snapshot_group *group;
	struct left *left = array_reserve(reader->left, &reader->left_room,
					  snapshot->nr_groups + 1,
					  sizeof(*left));

	if (!left)
		return fail(reader, "not enough memory");
	reader->left = left;
	if (snapshot_reserve_group(snapshot))
		return fail(reader, "not enough memory");
	group = &snapshot->groups[snapshot->nr_groups];
	if (fill_group(reader, line, group))
		return -1;
	left += snapshot->nr_groups++;
	left->objects = group->objects;
	left->bytes = group->bytes;
	return 0;
}

/* Digits, and what comes after them; returns what is next, or NULL. */
static const char *read_number(const char *text, char after, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return NULL;
	*number = strtoull(text, &end, 10);
	return *end == after && *number < INT64_MAX ? end + 1 : NULL;
}

/* By hand: there are so many of them that they are to be read fast. */
static int fill_object(struct reader *reader, struct snapshot_object *object)
{
	const char *text = reader->lines.line + 1;
	uint64_t group = 0;

	text = read_number(text, ',', &object->id);
	if (text)
		text = read_number(text, ',', &group);
	if (text)
		text = read_number(text, ']', &object->bytes);
	if (!text || text != reader->lines.line + reader->lines.length)
		return fail(reader, "not [ID,GROUP,BYTES], numbers up to "
			    "2^63 - 2");
	if (group >= reader->snapshot->nr_groups)
		return fail(reader, "no group %" PRIu64, group);
	object->group = (size_t)group;
	return 0;
}

static int add_to_group(struct reader *reader,
			const struct snapshot_object *object)
{
	struct left *left = &reader->left[object->group];

	if (!left->objects || left->bytes < object->bytes)
		return fail(reader, "more in group %zu than it states",
			    object->group);
	left->objects--;
	left->bytes -= object->bytes;
	return 0;
}

static int take_object(struct reader *reader)
{
	struct snapshot *snapshot = reader->snapshot;
	struct snapshot_object *object;
	uint64_t last = 0;

	if (snapshot_reserve_object(snapshot))
		return fail(reader, "not enough memory");
	object = &snapshot->objects[snapshot->nr_objects];
	if (fill_object(reader, object))
		return -1;
	if (snapshot->nr_objects++)
		last = object[-1].id;
	if (object->id <= last)
		return fail(reader, "id %" PRIu64 " is not above %" PRIu64,
			    object->id, last);
	return add_to_group(reader, object);
}

static int take_last(struct reader *reader, struct json_object *line)
{
	const struct snapshot *snapshot = reader->snapshot;
	uint64_t objects = 0;
	size_t i;

	if (take_number(reader, line, "complete", 0, &objects))
		return -1;
	if (objects != snapshot->nr_objects)
		return fail(reader, "%zu objects, not %" PRIu64,
			    snapshot->nr_objects, objects);
	for (i = 0; i < snapshot->nr_groups; i++)
		if (reader->left[i].objects || reader->left[i].bytes)
			return fail(reader, "less in group %zu than it states",
				    i);
	reader->ended = true;
	return 0;
}

static int take_value(struct reader *reader, struct json_object *line)
{
	if (!json_object_is_type(line, json_type_object))
		return fail(reader, "neither an object nor an array of JSON");
	if (reader->lines.error->line == 1)
		return take_first(reader, line);
	if (json_object_object_get_ex(line, "complete", NULL))
		return take_last(reader, line);
	return take_group(reader, line);
}

static int take_line(struct reader *reader)
{
	struct json_object *line;
	int ret;

	if (reader->ended)
		return fail(reader, "a line after the last one");
	if (reader->lines.length && *reader->lines.line == '[')
		return reader->lines.error->line == 1 ?
			fail(reader, "not a snapshot") : take_object(reader);
	ret = lines_parse(&reader->lines, &line);
	if (ret)
		return ret;
	ret = take_value(reader, line);
	json_object_put(line);
	return ret;
}

int snapshot_read(struct snapshot *snapshot, FILE *file,
		  struct lines_error *error)
{
	struct reader reader = { .snapshot = snapshot };
	int ret = lines_begin(&reader.lines, file, MAX_DEPTH, MAX_LINE, error);

	*snapshot = (struct snapshot){};
	while (!ret && (ret = lines_read(&reader.lines)) == 1)
		ret = take_line(&reader);
	if (!ret && !reader.ended)
		ret = fail(&reader, "the file ends without \"complete\"");
	lines_free(&reader.lines);
	free(reader.left);
	return ret;
}
