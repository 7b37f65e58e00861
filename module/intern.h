/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interning: sealed leaves of equal type and data are one object.
 */
#ifndef RS_INTERN_H
#define RS_INTERN_H

#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>

struct rs_heap;
struct rs_object;

/**
 * struct rs_intern - an interned object's entry in its heap's table
 * @node: in heap->interned
 * @hash: of the object's type and data
 * @obj: the object, not counted
 * @rcu: the table is resized without our lock
 */
struct rs_intern {
	struct rhash_head node;
	u32 hash;
	struct rs_object *obj;
	struct rcu_head rcu;
};

/*
 * What it costs: its share of the table's buckets as well, which no memory cgroup
 * is charged for.
 */
#define RS_INTERN_BYTES	(sizeof(struct rs_intern) + 4 * sizeof(void *))

void rs_intern_init(void);
int rs_intern(struct rs_heap *heap, struct rs_object *obj,
	      struct rs_object **interned);
void rs_intern_forget(struct rs_heap *heap, struct rs_object *obj);
void rs_intern_end(struct rs_heap *heap);
bool rs_intern_lives_for_ever(const struct rs_object *obj);

#endif /* RS_INTERN_H */
