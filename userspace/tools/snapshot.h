/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a heap consisted of at some time.
 *
 * A snapshot, version 1, is a text file of JSON values, one a line:
 *
 *	{"refstore-snapshot":1,"heap":N,"boot":"UUID","time":N}
 *	{"type":"name","label":"...","objects":N,"bytes":N}
 *	...
 *	[ID,GROUP,BYTES]
 *	...
 *	{"complete":N}
 *
 * Objects of the same type and label are a group, which has a line before those of
 * its objects: groups count from 0. The ids of objects ascend. The time is in
 * nanoseconds since 1970, and the last line has the number of objects.
 */
#ifndef REFSTORE_SNAPSHOT_H
#define REFSTORE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <refstore.h>

#include "lines.h"

#define SNAPSHOT_VERSION 1

/* Of a boot's UUID, in text, with the final zero. */
#define SNAPSHOT_BOOT_MAX 37

/**
 * struct snapshot_group - the objects of a type and a label
 * @type: name of the type
 * @label: the label, harmless; empty if they have none
 * @objects: how many
 * @bytes: memory that they take together
 */
struct snapshot_group {
	char type[REFSTORE_TYPE_NAME_MAX];
	char label[REFSTORE_LABEL_MAX];
	uint64_t objects;
	uint64_t bytes;
};

/**
 * struct snapshot_object - an object
 * @id: its id
 * @bytes: memory that it takes
 * @group: place of its group
 */
struct snapshot_object {
	uint64_t id;
	uint64_t bytes;
	size_t group;
};

/**
 * struct snapshot - a snapshot
 * @heap: the heap's number
 * @time: when it was made
 * @boot: heaps count anew when the machine starts: which start that was
 * @groups: the groups
 * @nr_groups: number of groups
 * @groups_room: number that there is room for
 * @objects: the objects, their ids ascending
 * @nr_objects: number of objects
 * @objects_room: number that there is room for
 */
struct snapshot {
	uint64_t heap;
	uint64_t time;
	char boot[SNAPSHOT_BOOT_MAX];
	struct snapshot_group *groups;
	size_t nr_groups;
	size_t groups_room;
	struct snapshot_object *objects;
	size_t nr_objects;
	size_t objects_room;
};

/**
 * snapshot_read() - read a snapshot
 * @snapshot: out: to be freed with snapshot_free(), even if this fails
 * @file: the file
 * @error: out, if it failed
 *
 * All that the groups state is what their objects add up to.
 *
 * Return: 0, or -1 if the file is no snapshot, or cannot be read.
 */
int snapshot_read(struct snapshot *snapshot, FILE *file,
		  struct lines_error *error);

/**
 * snapshot_take() - make a snapshot of a heap
 * @snapshot: out: to be freed with snapshot_free(), even if this fails
 * @store: a session on the heap
 *
 * Return: 0 or a negative errno.
 */
int snapshot_take(struct snapshot *snapshot, struct refstore *store);

/* The place of an object, or @snapshot->nr_objects if it is not there. */
size_t snapshot_find(const struct snapshot *snapshot, uint64_t id);

/* Room for one more; -ENOMEM if there is none. */
int snapshot_reserve_group(struct snapshot *snapshot);
int snapshot_reserve_object(struct snapshot *snapshot);

void snapshot_free(struct snapshot *snapshot);

#endif /* REFSTORE_SNAPSHOT_H */
