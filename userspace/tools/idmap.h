/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the id of an object to its place in some array.
 */
#ifndef REFSTORE_IDMAP_H
#define REFSTORE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#define IDMAP_NONE SIZE_MAX

/**
 * struct idmap - a hash table, empty when it is all zeroes
 * @entries: open addressing, linear probing; an id of 0 is a free entry
 * @mask: number of entries, a power of two, less one
 * @count: number of ids
 */
struct idmap {
	struct idmap_entry {
		uint64_t id;
		size_t place;
	} *entries;
	size_t mask;
	size_t count;
};

/* 0; -EEXIST if the id is there already, -ENOMEM. An id is never 0. */
int idmap_add(struct idmap *map, uint64_t id, size_t place);

/* The place, or IDMAP_NONE. */
size_t idmap_find(const struct idmap *map, uint64_t id);

void idmap_free(struct idmap *map);

#endif /* REFSTORE_IDMAP_H */
