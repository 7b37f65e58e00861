// SPDX-License-Identifier: GPL-2.0-only
/*
 * What grew between two snapshots of a heap.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "growth.h"
#include "out.h"

/* Those of a type and a label that are in a snapshot. */
struct amount {
	uint64_t objects;
	uint64_t bytes;
};

/* The same, in both. */
struct row {
	const char *type;
	const char *label;
	struct amount before;
	struct amount after;
};

static bool list_new;

enum {
	OPTION_NEW = OPTION_FIRST,
};

static const struct option options[] = {
	{ "new", no_argument, NULL, OPTION_NEW },
	{},
};

static bool take(int option, const char *argument)
{
	(void)option;
	(void)argument;
	list_new = true;
	return true;
}

/*
 * By type and label
 */

static int compare_names(const void *one, const void *other)
{
	const struct row *a = one;
	const struct row *b = other;
	int order = strcmp(a->type, b->type);

	return order ? order : strcmp(a->label, b->label);
}

static int64_t change(uint64_t before, uint64_t after)
{
	return (int64_t)(after - before);
}

static int descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int compare_growth(const void *one, const void *other)
{
	const struct row *a = one;
	const struct row *b = other;
	int order = descending(change(a->before.bytes, a->after.bytes),
			       change(b->before.bytes, b->after.bytes));

	if (!order)
		order = descending(change(a->before.objects, a->after.objects),
				   change(b->before.objects, b->after.objects));
	return order ? order : compare_names(one, other);
}

static void add_amount(struct amount *sum, const struct amount *more)
{
	sum->objects += more->objects;
	sum->bytes += more->bytes;
}

/* A row for each group of either snapshot. */
static void fill_rows(struct row *rows, const struct snapshot *before,
		      const struct snapshot *after)
{
	const struct snapshot_group *group;
	size_t i;

	for (i = 0; i < before->nr_groups; i++) {
		group = &before->groups[i];
		*rows++ = (struct row){ group->type, group->label,
			.before = { group->objects, group->bytes } };
	}
	for (i = 0; i < after->nr_groups; i++) {
		group = &after->groups[i];
		*rows++ = (struct row){ group->type, group->label,
			.after = { group->objects, group->bytes } };
	}
}

/* Makes one of rows of the same names, which are sorted; returns how many. */
static size_t merge_rows(struct row *rows, size_t count)
{
	size_t i, merged = 0;

	for (i = 0; i < count; i++) {
		if (!i || compare_names(&rows[merged - 1], &rows[i])) {
			rows[merged++] = rows[i];
			continue;
		}
		add_amount(&rows[merged - 1].before, &rows[i].before);
		add_amount(&rows[merged - 1].after, &rows[i].after);
	}
	return merged;
}

static void print_change(const char *name, uint64_t before, uint64_t after)
{
	out_open_object(name);
	out_number("before", "%14" PRIu64, before);
	out_number("after", "  %14" PRIu64, after);
	out_change("change", "  %+14" PRId64, change(before, after));
	out_close_object();
}

static void print_row(const char *name, const struct row *row)
{
	out_open_object(name);
	print_change("bytes", row->before.bytes, row->after.bytes);
	out_text("  ");
	print_change("objects", row->before.objects, row->after.objects);
	out_text("  ");
	if (name) {
		out_text("(all)\n");
	} else {
		out_cell("type", 12, row->type);
		out_string("label", "  %s\n", row->label);
	}
	out_close_object();
}

static void print_rows(const struct row *rows, size_t count)
{
	struct row total = {};
	size_t i;

	out_text("%14s  %14s  %14s  %14s  %14s  %14s  %-12s  %s\n",
		 "bytes before", "bytes after", "change", "objects before",
		 "objects after", "change", "type", "label");
	out_open_array("groups");
	for (i = 0; i < count; i++) {
		add_amount(&total.before, &rows[i].before);
		add_amount(&total.after, &rows[i].after);
		if (memcmp(&rows[i].before, &rows[i].after,
			   sizeof(rows[i].before)))
			print_row(NULL, &rows[i]);
	}
	out_close_array();
	print_row("total", &total);
}

int growth_print(const char *name, const struct snapshot *before,
		 const struct snapshot *after)
{
	size_t count = before->nr_groups + after->nr_groups;
	struct row *rows = calloc(count + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	fill_rows(rows, before, after);
	qsort(rows, count, sizeof(*rows), compare_names);
	count = merge_rows(rows, count);
	qsort(rows, count, sizeof(*rows), compare_growth);
	out_open_object(name);
	out_json_number("heap", after->heap);
	out_json_number("nanoseconds", after->time - before->time);
	print_rows(rows, count);
	out_close_object();
	free(rows);
	return 0;
}

static int print_growth(const struct snapshot *before,
			const struct snapshot *after)
{
	int ret = growth_print(NULL, before, after);

	if (ret)
		warnx("cannot compare: %s", strerror(-ret));
	return ret ? STATUS_FAILED : STATUS_OK;
}

/*
 * Object by object
 */

static void print_object(const struct snapshot *snapshot,
			 const struct snapshot_object *object)
{
	const struct snapshot_group *group = &snapshot->groups[object->group];

	out_open_object(NULL);
	out_number("id", "%10" PRIu64, object->id);
	out_number("bytes", "  %10" PRIu64 "  ", object->bytes);
	out_cell("type", 12, group->type);
	out_string("label", "  %s\n", group->label);
	out_close_object();
}

/* The ids ascend in both. */
static int print_new(const struct snapshot *before,
		     const struct snapshot *after)
{
	size_t i, j = 0;

	out_text("%10s  %10s  %-12s  %s\n", "id", "bytes", "type", "label");
	out_open_array(NULL);
	for (i = 0; i < after->nr_objects; i++) {
		uint64_t id = after->objects[i].id;

		while (j < before->nr_objects && before->objects[j].id < id)
			j++;
		if (j == before->nr_objects || before->objects[j].id != id)
			print_object(after, &after->objects[i]);
	}
	out_close_array();
	return STATUS_OK;
}

/*
 * Files
 */

int growth_read(struct snapshot *snapshot, const char *name)
{
	FILE *file = fopen(name, "re");
	struct lines_error error;
	int ret;

	if (!file) {
		warn("%s", name);
		return -1;
	}
	ret = snapshot_read(snapshot, file, &error);
	if (ret)
		warnx("%s:%zu: %s", name, error.line, error.text);
	fclose(file);
	return ret;
}

/* An object that is in both; ids are never given twice, and types stay. */
static int check_types(const struct snapshot *before,
		       const struct snapshot *after)
{
	size_t i, j = 0;

	for (i = 0; i < before->nr_objects; i++) {
		uint64_t id = before->objects[i].id;
		const char *type, *other;

		while (j < after->nr_objects && after->objects[j].id < id)
			j++;
		if (j == after->nr_objects || after->objects[j].id != id)
			continue;
		type = before->groups[before->objects[i].group].type;
		other = after->groups[after->objects[j].group].type;
		if (!strcmp(type, other))
			continue;
		warnx("not the same heap: object %" PRIu64 " is of type %s, "
		      "then of type %s", id, type, other);
		return -1;
	}
	return 0;
}

int growth_check(const struct snapshot *before, const struct snapshot *after)
{
	if (before->heap != after->heap) {
		warnx("not the same heap: %" PRIu64 ", then %" PRIu64,
		      before->heap, after->heap);
		return -1;
	}
	if (strcmp(before->boot, after->boot)) {
		warnx("not the same heap: the machine was started in between");
		return -1;
	}
	if (before->time > after->time) {
		warnx("the first snapshot is the later one: exchange them");
		return -1;
	}
	return check_types(before, after);
}

static int compare(const char *const *names, struct snapshot *before,
		   struct snapshot *after)
{
	if (growth_read(before, names[0]) || growth_read(after, names[1]) ||
	    growth_check(before, after))
		return STATUS_FAILED;
	return list_new ? print_new(before, after) :
			  print_growth(before, after);
}

static int run_growth(const struct arguments *arguments)
{
	const char *const *names = (const char *const *)arguments->words;
	struct snapshot before = {}, after = {};
	int status;

	if (!names[1] || names[2]) {
		warnx("growth takes two files");
		return STATUS_USAGE;
	}
	status = compare(names, &before, &after);
	snapshot_free(&before);
	snapshot_free(&after);
	return status;
}

const struct command command_growth = {
	.name = "growth",
	.usage = " BEFORE AFTER",
	.summary = "Show what grew between two snapshots of a heap",
	.help = "A line for each type and label of which there is more or\n"
		"less, the largest growth in bytes first: bytes and objects in\n"
		"the file BEFORE, in the file AFTER, and the difference; then\n"
		"the same of all together. 'refstore snapshot' makes the files.\n",
	.operand = "BEFORE",
	.options = options,
	.options_help =
		"      --new           list the objects that are in AFTER and\n"
		"                      not in BEFORE; 'refstore who' takes ids\n",
	.take = take,
	.run = run_growth,
};
