/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps: what dicts and sets, and the attributes of records, are made of.
 */
#ifndef REFSTORE_PYTHON_MAP_H
#define REFSTORE_PYTHON_MAP_H

#include "siphash.h"
#include "view.h"

/**
 * struct map - refstore._store.Map: a container whose entries have keys
 * @object: the container
 * @key: of the hashes of its keys; all zero: not read yet
 */
struct map {
	struct object object;
	struct siphash_key key;
};

/**
 * struct map_key - a key, as it is looked for
 * @bytes: what all equal keys have in common
 * @given: how it was given, if that is something else; or empty
 * @hash: of @bytes
 */
struct map_key {
	struct packer bytes;
	struct packer given;
	uint64_t hash;
};

int map_key_init(struct map *map, struct map_key *key, PyObject *value);
void map_key_free(struct map_key *key);

int map_find(struct view *view, struct path *path, const struct map_key *key);
PyObject *map_take_key(const struct node *node, uint32_t entry);
PyObject *map_take_value(struct view *view, struct path *path);

int map_pack_key(struct buffer *entry, uint64_t serial,
		 const struct map_key *key);
int map_put(struct view *view, struct path *path, bool found,
	    const struct map_key *key, const struct packer *value, bool publish);
PyObject *map_update(PyObject *self, PyObject *pairs);

int map_init(PyObject *module);
int map_iter_init(PyObject *module);
PyObject *map_iter_new(struct map *map, int what);

#endif /* REFSTORE_PYTHON_MAP_H */
