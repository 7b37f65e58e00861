// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "idmap.h"

#define FIRST_ENTRIES 1024

/* Ids come in order, mostly: without mixing, their gaps would make clusters. */
static size_t mix(uint64_t id)
{
	id ^= id >> 32;
	id *= 0x9e3779b97f4a7c15;
	id ^= id >> 32;
	return (size_t)id;
}

static struct idmap_entry *entry_of(const struct idmap *map, uint64_t id)
{
	size_t i = mix(id) & map->mask;

	while (map->entries[i].id && map->entries[i].id != id)
		i = (i + 1) & map->mask;
	return &map->entries[i];
}

static int grow(struct idmap *map)
{
	size_t old_size = map->entries ? map->mask + 1 : 0;
	size_t size = old_size ? 2 * old_size : FIRST_ENTRIES;
	struct idmap bigger = { .mask = size - 1, .count = map->count };
	size_t i;

	bigger.entries = calloc(size, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (i = 0; i < old_size; i++)
		if (map->entries[i].id)
			*entry_of(&bigger, map->entries[i].id) =
				map->entries[i];
	free(map->entries);
	*map = bigger;
	return 0;
}

int idmap_add(struct idmap *map, uint64_t id, size_t place)
{
	struct idmap_entry *entry;

	/* At most three quarters full. */
	if (!map->entries || map->count >= map->mask / 4 * 3)
		if (grow(map))
			return -ENOMEM;
	entry = entry_of(map, id);
	if (entry->id)
		return -EEXIST;
	entry->id = id;
	entry->place = place;
	map->count++;
	return 0;
}

size_t idmap_find(const struct idmap *map, uint64_t id)
{
	const struct idmap_entry *entry;

	if (!map->entries || !id)
		return IDMAP_NONE;
	entry = entry_of(map, id);
	return entry->id ? entry->place : IDMAP_NONE;
}

void idmap_free(struct idmap *map)
{
	free(map->entries);
	*map = (struct idmap){};
}
