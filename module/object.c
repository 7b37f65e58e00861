// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects: their layout, making and unmaking them. See object.h.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "heap.h"
#include "intern.h"
#include "label.h"
#include "large.h"
#include "object.h"
#include "slot.h"
#include "scan.h"
#include "weak.h"

/*
 * Sizes of the leaf caches, header included, and words of tail of the others.
 */
static const u16 rs_leaf_sizes[] = {
	32, 40, 48, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096,
};

static const u8 rs_tail_words[] = { 1, 2, 3, 4, 6, 8, 12, 18, 26 };

#define RS_LEAF_CLASSES		ARRAY_SIZE(rs_leaf_sizes)
#define RS_BLOCK_CLASS		RS_LEAF_CLASSES
#define RS_SLOTTED_CLASS	(RS_BLOCK_CLASS + 1)
#define RS_CLASSES		(RS_SLOTTED_CLASS + ARRAY_SIZE(rs_tail_words))
#define RS_MAX_LEAF_DATA	(4096 - sizeof(struct rs_object))
#define RS_DATA_WORDS		2

static struct kmem_cache *rs_caches[RS_CLASSES] __ro_after_init;
u16 rs_class_bytes[RS_CLASSES] __ro_after_init;
static u8 rs_leaf_class[RS_MAX_LEAF_DATA / 8 + 2] __ro_after_init;
static u8 rs_tail_class[RS_MAX_TAIL + 1] __ro_after_init;

static void __init rs_object_init_classes(void)
{
	u32 i, class = 0;

	for (i = 0; i <= RS_MAX_LEAF_DATA / 8; i++) {
		if (sizeof(struct rs_object) + i * 8 > rs_leaf_sizes[class])
			class++;
		rs_leaf_class[i] = class;
	}
	for (i = 1, class = 0; i <= RS_MAX_TAIL; i++) {
		if (i > rs_tail_words[class])
			class++;
		rs_tail_class[i] = RS_SLOTTED_CLASS + class;
	}
}

static void __init rs_object_init_bytes(void)
{
	u32 i;

	for (i = 0; i < RS_LEAF_CLASSES; i++)
		rs_class_bytes[i] = rs_leaf_sizes[i];
	rs_class_bytes[RS_BLOCK_CLASS] = sizeof(struct rs_leaf_block);
	for (i = 0; i < ARRAY_SIZE(rs_tail_words); i++)
		rs_class_bytes[RS_SLOTTED_CLASS + i] =
			sizeof(struct rs_slotted) +
			rs_tail_words[i] * sizeof(long);
}

/* A leaf's data, and nothing else of any object, may be copied to users. */
static struct kmem_cache * __init rs_object_create_cache(u32 class)
{
	const char *kind = class == RS_BLOCK_CLASS ? "block" : "slotted";
	u32 head = sizeof(struct rs_object), size = rs_class_bytes[class];
	u32 window = 0;
	char name[24];

	if (class < RS_LEAF_CLASSES) {
		kind = "leaf";
		window = size - head;
	}
	snprintf(name, sizeof(name), "refstore_%s_%u", kind, size);
	return kmem_cache_create_usercopy(name, size, 8, SLAB_ACCOUNT,
					  window ? head : 0, window, NULL);
}

void rs_object_destroy_caches(void)
{
	u32 class;

	for (class = 0; class < RS_CLASSES; class++)
		kmem_cache_destroy(rs_caches[class]);
}

int __init rs_object_init_caches(void)
{
	u32 class;

	BUILD_BUG_ON(RS_CLASSES > U8_MAX);
	BUILD_BUG_ON(RS_MAX_INTERNED > RS_MAX_LEAF_DATA);
	rs_object_init_classes();
	rs_object_init_bytes();
	for (class = 0; class < RS_CLASSES; class++) {
		rs_caches[class] = rs_object_create_cache(class);
		if (!rs_caches[class]) {
			rs_object_destroy_caches();
			return -ENOMEM;
		}
	}
	return 0;
}

static u32 rs_spec_words(const struct rs_spec *spec)
{
	return spec->nr_slots + (spec->data_len ? RS_DATA_WORDS : 0);
}

/* A tail has room for an array's address at least: slots may move there. */
static u8 rs_spec_class(const struct rs_spec *spec)
{
	u32 least = spec->data_len ? RS_DATA_WORDS + 1 : 1;
	u32 words = rs_spec_words(spec);

	if (!spec->slotted && spec->data_len > RS_MAX_LEAF_DATA)
		return RS_BLOCK_CLASS;
	if (!spec->slotted) {
		words = DIV_ROUND_UP(spec->data_len, 8);
		words = array_index_nospec(words, ARRAY_SIZE(rs_leaf_class));
		return rs_leaf_class[words];
	}
	if (words < least || words > RS_MAX_TAIL)
		words = least;
	return rs_tail_class[array_index_nospec(words, RS_MAX_TAIL + 1)];
}

static size_t rs_array_bytes(u32 nr_slots)
{
	return struct_size((struct rs_slots *)NULL, slot, nr_slots);
}

/* What users may know of an object's state: REFSTORE_STATE_*. */
u32 rs_object_state(const struct rs_heap *heap, const struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);
	u64 frozen = READ_ONCE(heap->frozen);
	u32 flags = READ_ONCE(obj->flags);
	u32 state = flags & (RS_SEALED_DATA | RS_SEALED_SLOTS);

	if (word & RS_REF_TRACKED)
		state |= REFSTORE_STATE_SLOTTED;
	if (word & RS_REF_LINKED)
		state |= REFSTORE_STATE_CANDIDATE;
	if (word & RS_REF_WEAK)
		state |= REFSTORE_STATE_WEAK;
	if (rs_word_count(word) == RS_REF_SATURATED)
		state |= flags & RS_IMMORTAL ? REFSTORE_STATE_IMMORTAL :
					       REFSTORE_STATE_SATURATED;
	if (flags & RS_INTERNED)
		state |= REFSTORE_STATE_INTERNED;
	if (flags & RS_SAVED)
		state |= REFSTORE_STATE_SAVED;
	if (flags & RS_LARGE)
		state |= REFSTORE_STATE_LARGE;
	if (frozen && obj->id <= frozen)
		state |= REFSTORE_STATE_FROZEN;
	return state;
}

/* Slots that fit the tail. */
u32 rs_object_tail_room(const struct rs_object *obj)
{
	u32 words = rs_tail_words[obj->class - RS_SLOTTED_CLASS];

	return words - (READ_ONCE(obj->flags) & RS_BLOCK_DATA ?
			RS_DATA_WORDS : 0);
}

/* Memory of an object that is not all in its cell. */
size_t rs_object_bytes_apart(struct rs_object *obj)
{
	size_t bytes = rs_class_bytes[obj->class];

	if (READ_ONCE(obj->flags) & RS_BLOCK_DATA)
		bytes += rs_object_data_len(obj);
	if (rs_object_large(obj))
		bytes += rs_large_bytes(obj);
	if (READ_ONCE(obj->flags) & RS_INTERNED)
		bytes += RS_INTERN_BYTES;
	if (READ_ONCE(obj->flags) & RS_LABELLED)
		bytes += sizeof(struct rs_label);
	if (rs_ref_read(&obj->ref) & RS_REF_WEAK)
		bytes += sizeof(struct rs_weak_block);
	if (rs_object_tracked(obj) && READ_ONCE(obj->shape) & RS_SHAPE_ARRAY)
		bytes += rs_array_bytes(READ_ONCE(obj->shape) & RS_SHAPE_NR);
	return bytes;
}

u64 rs_object_data_len(const struct rs_object *obj)
{
	const struct rs_slotted *slotted;

	if (unlikely(rs_object_large(obj)))
		return rs_large_len(obj);
	if (!rs_object_tracked(obj))
		return obj->data_len;
	if (!(READ_ONCE(obj->flags) & RS_BLOCK_DATA))
		return 0;
	slotted = container_of(obj, struct rs_slotted, obj);
	return slotted->tail[1];
}

static int rs_leaf_init(struct rs_object *obj, const struct rs_spec *spec)
{
	struct rs_leaf_block *leaf;

	obj->data_len = spec->data_len;
	obj->queue_pos = 0;
	if (obj->class != RS_BLOCK_CLASS)
		return 0;
	leaf = container_of(obj, struct rs_leaf_block, obj);
	leaf->data = kvmalloc(spec->data_len, RS_GFP);
	if (!leaf->data)
		return -ENOMEM;
	obj->flags |= RS_BLOCK_DATA;
	return 0;
}

static int rs_slotted_init_array(struct rs_slotted *slotted, u32 nr,
				 unsigned long *where)
{
	struct rs_slots *slots = rs_slots_alloc(nr);

	if (!slots)
		return -ENOMEM;
	*where = (unsigned long)slots;
	slotted->obj.shape = RS_SHAPE_ARRAY | nr;
	return 0;
}

static int rs_slotted_init(struct rs_object *obj, const struct rs_spec *spec)
{
	struct rs_slotted *slotted = rs_slotted(obj);
	unsigned long *tail = slotted->tail;
	void *data = NULL;

	memset(&slotted->capture, 0,
	       rs_class_bytes[obj->class] - sizeof(struct rs_object));
	slotted->epoch = rs_scan_birth(spec->heap);
	obj->queue_pos = 0;
	obj->shape = spec->nr_slots;
	if (spec->data_len) {
		data = kvmalloc(spec->data_len, RS_GFP);
		if (!data)
			return -ENOMEM;
		obj->flags |= RS_BLOCK_DATA;
		*tail++ = (unsigned long)data;
		*tail++ = spec->data_len;
	}
	if (rs_spec_words(spec) <= RS_MAX_TAIL)
		return 0;
	if (rs_slotted_init_array(slotted, spec->nr_slots, tail)) {
		kvfree(data);
		return -ENOMEM;
	}
	return 0;
}

static void rs_object_init_header(struct rs_object *obj,
				  const struct rs_spec *spec, u8 class)
{
	rs_ref_init(&obj->ref, spec->slotted);
	obj->id = 0;
	obj->index = RS_NO_INDEX;
	obj->type = spec->type;
	obj->class = class;
	obj->flags = spec->seals;
}

/* Sets up a cell, all but its data. On an error it is a mere cell still. */
static int rs_object_init(struct rs_object *obj, const struct rs_spec *spec,
			  u8 class)
{
	rs_object_init_header(obj, spec, class);
	return spec->slotted ? rs_slotted_init(obj, spec) :
			       rs_leaf_init(obj, spec);
}

/**
 * rs_object_alloc - memory for an object, all but its data set up
 * @spec: what it shall be; its figures are within the limits
 *
 * The object has one reference, the caller's, empty slots and no id: it is in
 * no table yet. Undo with rs_object_free().
 *
 * Return: the object, or NULL.
 */
struct rs_object *rs_object_alloc(const struct rs_spec *spec)
{
	u8 class = rs_spec_class(spec);
	struct rs_object *obj;

	obj = kmem_cache_alloc(rs_caches[class], RS_GFP);
	if (!obj)
		return NULL;
	if (rs_object_init(obj, spec, class)) {
		kmem_cache_free(rs_caches[class], obj);
		return NULL;
	}
	return obj;
}

/**
 * rs_object_alloc_large - the same for a leaf whose data is a file's
 * @spec: what it shall be, with RS_LARGE, and no data of its own
 * @large: the file: the object's
 *
 * Return: the object, or NULL.
 */
struct rs_object *rs_object_alloc_large(const struct rs_spec *spec,
					struct rs_large *large)
{
	struct rs_leaf_block *leaf;

	leaf = kmem_cache_alloc(rs_caches[RS_BLOCK_CLASS], RS_GFP);
	if (!leaf)
		return NULL;
	rs_object_init_header(&leaf->obj, spec, RS_BLOCK_CLASS);
	leaf->obj.data_len = 0;
	leaf->obj.queue_pos = 0;
	leaf->large = large;
	return &leaf->obj;
}

static noinline void rs_object_free_apart(struct rs_object *obj)
{
	if (obj->flags & RS_LARGE)
		rs_large_free(obj);
	else
		kvfree(rs_object_data(obj));
}

static void rs_object_free_blocks(struct rs_object *obj)
{
	if (obj->flags & (RS_LARGE | RS_BLOCK_DATA))
		rs_object_free_apart(obj);
	if (rs_object_tracked(obj) && obj->shape & RS_SHAPE_ARRAY)
		kvfree(rs_slots_array(rs_slotted(obj)));
}

/*
 * Frees the data of an object with slots that is dead to everybody but the scanner,
 * which never looks at data.
 */
void rs_object_free_data(struct rs_object *obj)
{
	struct rs_slotted *slotted = rs_slotted(obj);

	if (!(obj->flags & RS_BLOCK_DATA))
		return;
	kvfree(rs_object_data(obj));
	slotted->tail[0] = 0;
	slotted->tail[1] = 0;
}

/* Frees the memory, whatever the slots hold: they were dropped before. */
void rs_object_free(struct rs_object *obj)
{
	rs_object_free_blocks(obj);
	kmem_cache_free(rs_caches[obj->class], obj);
}

/**
 * rs_objects_alloc - the same for several objects that are alike
 * @spec: what each shall be
 * @objs: where they go
 * @nr: how many, at least one
 *
 * Undo with rs_objects_free().
 *
 * Return: 0 or -ENOMEM.
 */
int rs_objects_alloc(const struct rs_spec *spec, struct rs_object **objs,
		     u32 nr)
{
	u8 class = rs_spec_class(spec);
	u32 i;

	if (!kmem_cache_alloc_bulk(rs_caches[class], RS_GFP, nr,
				   (void **)objs))
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		if (likely(!rs_object_init(objs[i], spec, class)))
			continue;
		while (i--)
			rs_object_free_blocks(objs[i]);
		kmem_cache_free_bulk(rs_caches[class], nr, (void **)objs);
		return -ENOMEM;
	}
	return 0;
}

/* Frees the memory of several objects that are alike. */
void rs_objects_free(struct rs_object **objs, u32 nr)
{
	u32 i;

	if (!nr)
		return;
	for (i = 0; i < nr; i++)
		rs_object_free_blocks(objs[i]);
	kmem_cache_free_bulk(rs_caches[objs[0]->class], nr, (void **)objs);
}

/* Frees it later: neighbours of one class are cheaper to free together. */
void rs_bin_add(struct rs_bin *bin, struct rs_object *obj)
{
	rs_object_free_blocks(obj);
	if (bin->nr == RS_BIN_SIZE || bin->class != obj->class)
		rs_bin_empty(bin);
	bin->class = obj->class;
	bin->obj[bin->nr++] = obj;
}

void rs_bin_empty(struct rs_bin *bin)
{
	if (bin->nr)
		kmem_cache_free_bulk(rs_caches[bin->class], bin->nr, bin->obj);
	bin->nr = 0;
}

/*
 * The word, the descriptor, the word again: if that is still the same, the
 * descriptor was this component's. Pairs with the full barriers of the scanner's
 * updates, which come in the order pending, suspects, commit, deaths, retirement.
 */
static bool rs_suspect_read(struct rs_heap *heap, struct rs_object *obj,
			    u64 word, s64 *desc)
{
	/* As above */
	smp_rmb();
	*desc = atomic64_read(&heap->desc);
	/* As above */
	smp_rmb();
	return rs_ref_read(&obj->ref) == word;
}

/*
 * Rule R10: a suspect is neither dead nor alive until its component's
 * descriptor says so. The scanner does not wait for us, nor we for it: a
 * component that is still pending is aborted. Returns true if the object was
 * alive as long as its word is @word.
 */
static bool rs_suspect_alive(struct rs_heap *heap, struct rs_object *obj,
			     u64 word)
{
	s64 desc;

	for (;;) {
		if (!rs_suspect_read(heap, obj, word, &desc))
			return true;	/* the caller's exchange will fail, or it
					 * is saturated, and never condemned
					 */
		if ((desc & RS_DESC_STATE) != RS_DESC_PENDING)
			return (desc & RS_DESC_STATE) != RS_DESC_COMMITTED;
		/* One of us wins: pairs with that in rs_desc_commit() */
		atomic64_cmpxchg(&heap->desc, desc,
				 desc - RS_DESC_PENDING + RS_DESC_ABORTED);
	}
}

/**
 * rs_object_tryget - a reference to an object that may be dead or dying
 * @heap: its heap
 * @obj: seen in the table, under the table's lock; or in its block, under its
 *       slot lock: then that cannot go without the lock. Or captured by the
 *       scanner, which has its slot lock, and for which memory is kept (R13)
 *
 * Rule R10. A suspect is neither dead nor alive until its component's
 * descriptor says so: the scanner does not wait, and nor do we, so we abort a
 * component that is still pending.
 *
 * Return: 0 if the caller has a reference now, -ENOENT if the object is dead or
 * dying, -EOVERFLOW if it has as many references as it can have.
 */
int rs_object_tryget(struct rs_heap *heap, struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);

	lockdep_assert(lockdep_is_held(&heap->table_lock) ||
		       lockdep_is_held(rs_slot_lock(heap, obj)));
	do {
		if (!rs_word_alive(word))
			return -ENOENT;
		if (word & RS_REF_SUSPECT && !rs_suspect_alive(heap, obj, word))
			return -ENOENT;
		if (rs_word_count(word) == RS_REF_SATURATED)
			return 0;
		if (rs_word_count(word) >= RS_REF_MAX)
			return -EOVERFLOW;
	} while (!rs_ref_cmpxchg(&obj->ref, &word,
				 word + 1 + RS_REF_VERSION_ONE));
	return 0;
}

/**
 * rs_object_dead - whether an upgrade would find an object dead
 * @heap: its heap
 * @obj: whose memory the caller's lock keeps, as for rs_object_tryget()
 *
 * A component that is pending is left alone, and its members are alive. Once
 * true, it stays so.
 */
bool rs_object_dead(struct rs_heap *heap, struct rs_object *obj)
{
	u64 word = rs_ref_read(&obj->ref);
	s64 desc;

	while (rs_word_alive(word) && word & RS_REF_SUSPECT) {
		if (rs_suspect_read(heap, obj, word, &desc))
			return (desc & RS_DESC_STATE) == RS_DESC_COMMITTED;
		word = rs_ref_read(&obj->ref);
	}
	return !rs_word_alive(word);
}

/**
 * rs_object_expose - before a reference to an object is stored in a slot
 * @obj: the object; the caller holds a reference
 *
 * An object that was made during a scan is freed at once when it dies, since
 * the scanner cannot have seen it (rule R18). From its first slot on the
 * scanner can, so it loses that privilege before. The compare-and-swap is a
 * full barrier: who reads the slot sees the new epoch.
 */
void rs_object_expose(struct rs_object *obj)
{
	struct rs_slotted *slotted;
	u32 epoch;

	if (!rs_object_tracked(obj))
		return;
	slotted = rs_slotted(obj);
	epoch = READ_ONCE(slotted->epoch);
	if ((epoch & RS_EPOCH_STATE) == RS_EPOCH_BORN)
		cmpxchg(&slotted->epoch, epoch, 0);
}

/**
 * rs_object_immortalize - let an object live as long as its heap
 * @heap: its heap
 * @obj: the object; the caller holds a reference
 *
 * From then on its word does not change any more when references come and go. To
 * a scan it is one that others hold: if it had captured the word before, that is
 * another one now; and the caller's reference keeps it from being condemned.
 */
void rs_object_immortalize(struct rs_heap *heap, struct rs_object *obj)
{
	if (READ_ONCE(obj->flags) & RS_IMMORTAL &&
	    rs_ref_count(&obj->ref) == RS_REF_SATURATED)
		return;
	spin_lock(rs_slot_lock(heap, obj));
	WRITE_ONCE(obj->flags, obj->flags | RS_IMMORTAL);
	spin_unlock(rs_slot_lock(heap, obj));
	atomic64_or(RS_REF_COUNT_MASK, &obj->ref.word);
}
