/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types: numbers with names, and how many objects of each there are.
 */
#ifndef RS_TYPE_H
#define RS_TYPE_H

#include <linux/types.h>
#include <linux/refstore.h>

struct rs_heap;

#define RS_MAX_TYPES	4096U

/**
 * struct rs_type - a type of a heap
 * @name: with its final zero; an empty one is a number not given out
 * @objects: objects of the type
 * @bytes: memory of these
 */
struct rs_type {
	char name[REFSTORE_TYPE_NAME_MAX];
	u64 objects;
	u64 bytes;
};

/**
 * struct rs_types - the types of a heap
 * @type: by number; replaced under the heap's table_lock
 * @nr: numbers given out; only grows
 * @room: how many fit @type; the heap's types_lock
 */
struct rs_types {
	struct rs_type *type;
	u32 nr;
	u32 room;
};

int rs_types_init(struct rs_types *types);
void rs_types_free(struct rs_types *types);
bool rs_type_valid(struct rs_heap *heap, u32 type);
int rs_type_register(struct rs_heap *heap, const char *name, u32 *type);
int rs_type_name(struct rs_heap *heap, u32 type, char *name);

#endif /* RS_TYPE_H */
