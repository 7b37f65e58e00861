/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps: what dicts and sets, and the attributes of records, are made of.
 *
 * A map is narrow at first: its slot 0 refers to the top of all its entries. Where there
 * are many, each change would copy what leads to its leaf; so with MAP_WIDEN entries it
 * becomes wide, for good: slot 0 refers to a mark, the same in all maps of the heap, and
 * MAP_BUCKETS further slots to a top each, of the entries whose hashes begin with the
 * slot's number. Who changes one key changes one of these, beside others who change
 * other ones; what concerns all is read and written at one moment, by the kernel's
 * commands for many slots.
 *
 * An entry's serial number is the time when its key came, so that one map has an order
 * of all its keys without a place where all would have to meet.
 */
#ifndef REFSTORE_PYTHON_MAP_H
#define REFSTORE_PYTHON_MAP_H

#include "siphash.h"
#include "view.h"

#define MAP_BUCKETS	64
#define MAP_SHIFT	58	/* of a hash, for its bucket */
#define MAP_WIDEN	256

/**
 * struct map - refstore._store.Map: a container whose entries have keys
 * @object: the container
 * @key: of the hashes of its keys; all zero: not read yet
 * @wide: it is known to be wide
 */
struct map {
	struct object object;
	struct siphash_key key;
	bool wide;
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

/**
 * struct map_views - all of a map at one moment
 * @map: which one; a reference of its user's
 * @view: of the only top, or of each bucket's
 * @nr: how many
 * @pin: handle of an object that keeps all buckets' tops, or 0
 */
struct map_views {
	struct map *map;
	struct view view[MAP_BUCKETS];
	uint32_t nr;
	uint64_t pin;
};

extern const bool map_views_all[MAP_BUCKETS];

int map_key_init(struct map *map, struct map_key *key, PyObject *value);
void map_key_free(struct map_key *key);

int map_open(struct view *view, struct map *map, uint64_t hash);
int map_open_recent(struct view *view, struct map *map, uint64_t hash);
void map_remember(const struct view *view, const struct map *map);
int map_views_open(struct map_views *views, struct map *map, bool pin);
struct view *map_views_find(struct map_views *views, uint64_t hash);
uint64_t map_views_total(const struct map_views *views);
int map_views_run(struct map *map,
		  int (*run)(struct map_views *views, PyObject **result),
		  PyObject **result);
int map_views_publish(struct map_views *views, const bool *touched);
int map_views_clear(struct map_views *views);
void map_views_close(struct map_views *views);
bool map_can_widen(struct map *map);
int map_widen(struct map *map, struct view *view);

int map_find(struct view *view, struct path *path, const struct map_key *key);
uint64_t map_serial(const struct node *leaf, uint32_t entry);
uint64_t map_next_serial(struct session *session);
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
