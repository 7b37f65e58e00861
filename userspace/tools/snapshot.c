// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap's objects, counted by type and label, in a file.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "array.h"
#include "command.h"
#include "labels.h"
#include "snapshot.h"
#include "target.h"
#include "text.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* An object as it is listed. */
struct listed {
	uint64_t id;
	uint64_t bytes;
	uint32_t type;
	const char *label;
};

/**
 * struct taker - a snapshot being made
 * @store: a session on the heap
 * @snapshot: what is made
 * @labels: labels of objects
 * @listed: the objects
 * @nr_listed: number of objects
 * @listed_room: number that there is room for
 */
struct taker {
	struct refstore *store;
	struct snapshot snapshot;
	struct labels labels;
	struct listed *listed;
	size_t nr_listed;
	size_t listed_room;
};

static int read_boot(char boot[SNAPSHOT_BOOT_MAX])
{
	FILE *file = fopen(BOOT_ID, "re");
	int ret = 0;

	if (!file)
		return -errno;
	if (!fgets(boot, SNAPSHOT_BOOT_MAX, file))
		ret = -EIO;
	fclose(file);
	return ret;
}

static int fill_head(struct taker *taker)
{
	struct refstore_query query;
	struct timespec now;
	int ret = refstore_query(taker->store, &query);

	if (ret)
		return ret;
	clock_gettime(CLOCK_REALTIME, &now);
	taker->snapshot.heap = query.heap;
	taker->snapshot.time = (uint64_t)now.tv_sec * 1000000000 +
			       (uint64_t)now.tv_nsec;
	return read_boot(taker->snapshot.boot);
}

static int add_listed(struct taker *taker,
		      const struct refstore_walk_object *object)
{
	struct listed *listed = array_reserve(taker->listed,
					      &taker->listed_room,
					      taker->nr_listed + 1,
					      sizeof(*listed));

	if (!listed)
		return -ENOMEM;
	taker->listed = listed;
	listed[taker->nr_listed++] = (struct listed){
		.id = object->id,
		.bytes = object->bytes,
		.type = object->type,
		.label = labels_find(&taker->labels, object->id),
	};
	return 0;
}

static int list_objects(struct taker *taker)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(taker->store, 0, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		ret = add_listed(taker, &object);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static int compare_groups(const void *one, const void *other)
{
	const struct listed *a = one;
	const struct listed *b = other;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return strcmp(a->label, b->label);
}

static int compare_ids(const void *one, const void *other)
{
	const struct snapshot_object *a = one;
	const struct snapshot_object *b = other;

	return (a->id > b->id) - (a->id < b->id);
}

static int add_group(struct taker *taker, const struct listed *listed)
{
	struct snapshot *snapshot = &taker->snapshot;
	struct snapshot_group *group;
	int ret = snapshot_reserve_group(snapshot);

	if (ret)
		return ret;
	group = &snapshot->groups[snapshot->nr_groups++];
	*group = (struct snapshot_group){};
	strcpy(group->label, listed->label);
	return refstore_type_name(taker->store, listed->type, group->type);
}

/* Adds an object to the last group. */
static int add_object(struct snapshot *snapshot, const struct listed *listed)
{
	size_t last = snapshot->nr_groups - 1;
	int ret = snapshot_reserve_object(snapshot);

	if (ret)
		return ret;
	snapshot->groups[last].objects++;
	snapshot->groups[last].bytes += listed->bytes;
	snapshot->objects[snapshot->nr_objects++] = (struct snapshot_object){
		.id = listed->id,
		.bytes = listed->bytes,
		.group = last,
	};
	return 0;
}

/* Those of a group come one after the other. */
static int make_groups(struct taker *taker)
{
	const struct listed *listed = taker->listed;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < taker->nr_listed; i++) {
		if (!i || compare_groups(&listed[i - 1], &listed[i]))
			ret = add_group(taker, &listed[i]);
		if (!ret)
			ret = add_object(&taker->snapshot, &listed[i]);
	}
	return ret;
}

static int take(struct taker *taker)
{
	struct snapshot *snapshot = &taker->snapshot;
	int ret = fill_head(taker);

	if (!ret)
		ret = labels_read(&taker->labels, taker->store);
	if (!ret)
		ret = list_objects(taker);
	if (ret || !taker->nr_listed)
		return ret;
	qsort(taker->listed, taker->nr_listed, sizeof(*taker->listed),
	      compare_groups);
	ret = make_groups(taker);
	if (!ret)
		qsort(snapshot->objects, snapshot->nr_objects,
		      sizeof(*snapshot->objects), compare_ids);
	return ret;
}

int snapshot_take(struct snapshot *snapshot, struct refstore *store)
{
	struct taker taker = { .store = store };
	int ret = take(&taker);

	*snapshot = taker.snapshot;
	labels_free(&taker.labels);
	free(taker.listed);
	return ret;
}

size_t snapshot_find(const struct snapshot *snapshot, uint64_t id)
{
	const struct snapshot_object key = { .id = id };
	const struct snapshot_object *found = NULL;

	if (snapshot->nr_objects)
		found = bsearch(&key, snapshot->objects, snapshot->nr_objects,
				sizeof(*snapshot->objects), compare_ids);
	return found ? (size_t)(found - snapshot->objects) :
		       snapshot->nr_objects;
}

static void write_group(const struct snapshot_group *group)
{
	fputs("{\"type\":", stdout);
	text_write_json(stdout, group->type, strlen(group->type));
	fputs(",\"label\":", stdout);
	text_write_json(stdout, group->label, strlen(group->label));
	printf(",\"objects\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
	       group->objects, group->bytes);
}

static void write_snapshot(const struct snapshot *snapshot)
{
	size_t i;

	printf("{\"refstore-snapshot\":%d,\"heap\":%" PRIu64
	       ",\"boot\":\"%s\",\"time\":%" PRIu64 "}\n",
	       SNAPSHOT_VERSION, snapshot->heap, snapshot->boot,
	       snapshot->time);
	for (i = 0; i < snapshot->nr_groups; i++)
		write_group(&snapshot->groups[i]);
	for (i = 0; i < snapshot->nr_objects; i++)
		printf("[%" PRIu64 ",%zu,%" PRIu64 "]\n",
		       snapshot->objects[i].id, snapshot->objects[i].group,
		       snapshot->objects[i].bytes);
	printf("{\"complete\":%zu}\n", snapshot->nr_objects);
}

static int run_snapshot(const struct arguments *arguments)
{
	struct snapshot snapshot;
	struct refstore *store;
	int ret;

	if (target_open(arguments, &store))
		return STATUS_FAILED;
	ret = snapshot_take(&snapshot, store);
	if (!ret)
		write_snapshot(&snapshot);
	refstore_close(store);
	snapshot_free(&snapshot);
	if (!ret)
		return STATUS_OK;
	warnx("cannot take a snapshot: %s", strerror(-ret));
	return STATUS_FAILED;
}

const struct command command_snapshot = {
	.name = "snapshot",
	.usage = "",
	.summary = "Write what a heap consists of to standard output",
	.help = "In lines of JSON, with or without --json: which heap it is,\n"
		"and when; how many objects and bytes there are of each type\n"
		"and label, and then, for each object, its id, its type and\n"
		"label as the number of the line before, from 0, and the bytes\n"
		"that it takes. 'refstore growth' compares two of them. Data\n"
		"and slots are not in it: see 'refstore dump'.\n"
		"\n"
		"What comes and goes meanwhile may be missing.\n",
	.session = true,
	.run = run_snapshot,
};
