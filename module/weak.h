/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weak references: handles that do not keep their object.
 */
#ifndef RS_WEAK_H
#define RS_WEAK_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "event.h"

struct rs_heap;
struct rs_object;
struct rs_payer;

/**
 * struct rs_weak_block - an object to which there are, or were, weak references
 * @refs: the object's own, while it lives, and one of each struct rs_weak
 * @index: the object's place in the table: says which slot lock is ours
 * @id: the object's
 * @obj: the object, not counted; NULL when it is dead. Under the slot lock
 * @watchers: struct rs_weak that want a notice. Under the slot lock
 * @node: in the list of whoever is sending the notices
 */
struct rs_weak_block {
	refcount_t refs;
	u32 index;
	u64 id;
	struct rs_object *obj;
	struct list_head watchers;
	struct list_head node;
};

/* What the header says that it costs */
static_assert(sizeof(struct rs_weak_block) == 56);

/**
 * struct rs_weak - a weak handle
 * @event: its notice; in block->watchers while the object lives
 * @block: what it refers to; holds a reference on it
 * @payer: who pays for it: its session's, which is there as long as it is
 * @events: where the notice goes; NULL if none was asked for
 * @cookie: the caller's
 * @watching: in block->watchers; under the slot lock
 * @released: the handle is gone, the notice is not read; under events->lock
 */
struct rs_weak {
	struct rs_event event;
	struct rs_weak_block *block;
	const struct rs_payer *payer;
	struct rs_events *events;
	u64 cookie;
	bool watching;
	bool released;
};

/*
 * Where a reference stands that may be counted or weak (a handle's entry, a
 * result), bit 0 says which: set for the address of a struct rs_weak.
 */
#define RS_WEAK_TAG	1UL

static inline bool rs_is_weak(const struct rs_object *ref)
{
	return (unsigned long)ref & RS_WEAK_TAG;
}

static inline struct rs_weak *rs_weak_untag(struct rs_object *ref)
{
	return (struct rs_weak *)((unsigned long)ref & ~RS_WEAK_TAG);
}

static inline struct rs_object *rs_weak_tag(struct rs_weak *weak)
{
	return (struct rs_object *)((unsigned long)weak | RS_WEAK_TAG);
}

/* What the header says that it costs, with its handle */
static_assert(sizeof(struct rs_weak) == 72);

int rs_weak_init(void);
void rs_weak_exit(void);

struct rs_weak *rs_weak_create(const struct rs_payer *payer,
			       struct rs_heap *heap, struct rs_object *obj);
struct rs_weak *rs_weak_copy(const struct rs_payer *payer,
			     const struct rs_weak *weak, bool patient);
void rs_weak_release(struct rs_heap *heap, struct rs_weak *weak);
void rs_weak_free(struct rs_weak *weak);
void rs_weak_watch(struct rs_weak *weak, struct rs_events *events, u64 cookie);
void rs_weak_arm(struct rs_heap *heap, struct rs_weak *weak);
int rs_weak_upgrade(struct rs_heap *heap, struct rs_weak *weak,
		    struct rs_object **obj);

void rs_weak_kill(struct rs_heap *heap, struct rs_object *obj,
		  struct list_head *dead);
bool rs_weak_send(struct rs_heap *heap, struct list_head *dead, u32 budget);
void rs_weak_forget(struct rs_heap *heap);

#endif /* RS_WEAK_H */
