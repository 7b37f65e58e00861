/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects: their layout, making and unmaking them.
 *
 * A leaf is a header and its data, from one of the leaf caches; data that does
 * not fit the largest is a block of its own; or it is a memfd, see large.c. A
 * slotted object is a longer header and a tail of words, from one of the slotted
 * caches; in the tail stand, in this order:
 *
 *   - if it has data: a pointer to it, and its length;
 *   - its slots; or, when they do not fit or were resized out of the tail, a
 *     pointer to a struct rs_slots.
 *
 *   byte   leaf              slotted
 *      0   ref               ref              the word
 *      8   id                id               (next, while dying)
 *     16   index             index            place in the heap's table
 *     20   data_len          shape            number of slots, where they are
 *     24   type              type
 *     26   class             class            cache
 *     27   flags             flags
 *     28   hash              queue_pos        place in a queue, and age; of an
 *                                             interned leaf, its hash
 *     32   data ...          capture          scanner: the word as captured
 *     40                     epoch            scanner: which scan, what of it
 *     44                     edges            scanner: edges counted
 *     48                     tail ...
 *
 * Who protects what: ref, itself. id, type, class and data_len never change
 * (id is reused when the object is out of the table). index and queue_pos, the
 * table's and the queue's lock. flags, shape, data and the slots are written
 * under the object's slot lock; the scanner reads shape and slots without it,
 * see rs_slots_peek(). capture, epoch and edges are the scanner's, but for
 * rs_object_expose(); what puts read of them, see heap.h.
 */
#ifndef RS_OBJECT_H
#define RS_OBJECT_H

#include <linux/build_bug.h>
#include <linux/types.h>
#include <linux/refstore.h>

#include "ref.h"

struct rs_large;
struct rs_heap;

#define RS_MAX_DATA	(64U << 10)
#define RS_MAX_SLOTS	BIT(20)
#define RS_MAX_INTERNED	REFSTORE_MAX_INTERNED	/* fits the largest leaf cache */
#define RS_MAX_TAIL	26	/* words of a slotted object's tail */
#define RS_BIN_SIZE	8	/* objects freed at a time */

/*
 * flags: the first two are the uAPI's; RS_BLOCK_DATA never changes, nor does RS_LARGE
 * before the object has left the table.
 */
#define RS_SEALED_DATA	REFSTORE_SEAL_DATA
#define RS_SEALED_SLOTS	REFSTORE_SEAL_SLOTS
#define RS_LARGE	0x4	/* see large.c */
#define RS_LABELLED	0x8	/* see label.c; never cleared */
#define RS_BLOCK_DATA	0x10	/* data is a block of its own */
#define RS_SAVED	0x20	/* a scan took a reference, for the heap */
#define RS_INTERNED	0x40	/* see intern.c; never changes */
#define RS_IMMORTAL	0x80	/* the word is saturated, and shall be */

/* shape: the number of slots, and where they are */
#define RS_SHAPE_NR	0x00ffffffU
#define RS_SHAPE_MOVING	0x40000000U /* between tail and struct rs_slots */
#define RS_SHAPE_ARRAY	0x80000000U /* in a struct rs_slots */

#define RS_NO_INDEX	U32_MAX	/* not in the table */

struct rs_object {
	struct rs_ref ref;
	union {
		u64 id;
		struct rs_object *next;
	};
	u32 index;
	union {
		u32 data_len;
		u32 shape;
	};
	u16 type;
	u8 class;
	u8 flags;
	u32 queue_pos;
};

static_assert(sizeof(struct rs_object) == 32);

struct rs_leaf {
	struct rs_object obj;
	u8 data[];
};

/* A leaf whose data does not fit any leaf cache, or is a file: RS_LARGE. */
struct rs_leaf_block {
	struct rs_object obj;
	union {
		void *data;
		struct rs_large *large;
	};
};

struct rs_slotted {
	struct rs_object obj;
	u64 capture;
	u32 epoch;
	u32 edges;
	unsigned long tail[];
};

static_assert(sizeof(struct rs_slotted) == 48);

/*
 * A reference in a slot: the object's address, with bit 0 set for a leaf, so
 * that the scanner need not touch leaves at all, nor keep their memory.
 */
#define RS_SLOT_LEAF	1UL

/**
 * struct rs_slots - slots outside of their object
 * @next: the array that replaces this one, while slots are copied to it; then,
 *        in heap->deferred_slots, the next one that was replaced
 * @copied: how many of them have been; with @next under the slot lock
 * @nr: number of slots
 * @slot: the slots
 */
struct rs_slots {
	struct rs_slots *next;
	u32 copied;
	u32 nr;
	unsigned long slot[];
};

static inline bool rs_object_tracked(const struct rs_object *obj)
{
	return rs_ref_read(&obj->ref) & RS_REF_TRACKED;
}

static inline struct rs_slotted *rs_slotted(struct rs_object *obj)
{
	return container_of(obj, struct rs_slotted, obj);
}

/* Where the data is, for an object that has some. */
static inline void *rs_object_data(struct rs_object *obj)
{
	if (rs_object_tracked(obj))
		return (void *)rs_slotted(obj)->tail[0];
	if (READ_ONCE(obj->flags) & RS_BLOCK_DATA)
		return container_of(obj, struct rs_leaf_block, obj)->data;
	return container_of(obj, struct rs_leaf, obj)->data;
}

static inline unsigned long rs_slot_make(struct rs_object *obj)
{
	if (!obj)
		return 0;
	return (unsigned long)obj | (rs_object_tracked(obj) ? 0 : RS_SLOT_LEAF);
}

static inline struct rs_object *rs_slot_object(unsigned long slot)
{
	return (struct rs_object *)(slot & ~RS_SLOT_LEAF);
}

/**
 * struct rs_spec - an object to be made
 * @heap: where
 * @type: a type of @heap
 * @nr_slots: number of slots
 * @data_len: bytes of data
 * @slotted: whether it has, or may get, slots
 * @seals: REFSTORE_SEAL_*, RS_INTERNED, and RS_LARGE
 */
struct rs_spec {
	struct rs_heap *heap;
	u32 type;
	u32 nr_slots;
	u32 data_len;
	bool slotted;
	u32 seals;
};

extern u16 rs_class_bytes[];	/* sizes of cells */

int rs_object_init_caches(void);
void rs_object_destroy_caches(void);

/**
 * struct rs_bin - objects whose memory goes, some at a time
 * @nr: how many are in it
 * @class: theirs
 * @obj: the objects
 *
 * Made by rs_bin_init(), emptied by rs_bin_empty() before it goes.
 */
struct rs_bin {
	u32 nr;
	u8 class;
	void *obj[RS_BIN_SIZE];
};

static inline void rs_bin_init(struct rs_bin *bin)
{
	bin->nr = 0;
	bin->class = 0;
}

struct rs_object *rs_object_alloc(const struct rs_spec *spec);
struct rs_object *rs_object_alloc_large(const struct rs_spec *spec,
					struct rs_large *large);
void rs_object_free(struct rs_object *obj);
void rs_object_free_data(struct rs_object *obj);
int rs_objects_alloc(const struct rs_spec *spec, struct rs_object **objs,
		     u32 nr);
void rs_objects_free(struct rs_object **objs, u32 nr);
void rs_bin_add(struct rs_bin *bin, struct rs_object *obj);
void rs_bin_empty(struct rs_bin *bin);

u32 rs_object_state(const struct rs_heap *heap, const struct rs_object *obj);
u64 rs_object_data_len(const struct rs_object *obj);
u32 rs_object_tail_room(const struct rs_object *obj);
size_t rs_object_bytes_apart(struct rs_object *obj);
int rs_object_tryget(struct rs_heap *heap, struct rs_object *obj);
bool rs_object_dead(struct rs_heap *heap, struct rs_object *obj);
void rs_object_expose(struct rs_object *obj);
void rs_object_immortalize(struct rs_heap *heap, struct rs_object *obj);

/* Whether all of an object is in its cell, and nothing about it elsewhere. */
static __always_inline bool rs_object_simple(const struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);

	if (unlikely(READ_ONCE(obj->flags) &
		     (RS_LARGE | RS_BLOCK_DATA | RS_INTERNED | RS_LABELLED)))
		return false;
	if (unlikely(word & RS_REF_WEAK))
		return false;
	return !(word & RS_REF_TRACKED) ||
	       likely(!(READ_ONCE(obj->shape) & RS_SHAPE_ARRAY));
}

/* Memory of an object, in bytes; the caller holds the object or its lock. */
static inline size_t rs_object_bytes(struct rs_object *obj)
{
	if (unlikely(!rs_object_simple(obj)))
		return rs_object_bytes_apart(obj);
	return rs_class_bytes[obj->class];
}

#endif /* RS_OBJECT_H */
