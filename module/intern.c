// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interning: sealed leaves of equal type and data are one object.
 *
 * Each heap has a table of its interned objects, by their type and data, which
 * never change. Its entries are no references: an object that nobody holds dies
 * as any other, and leaves the table with the heap's own. So it can be found while
 * it is dying; then whoever wants one takes its place (rs_intern_add()).
 *
 * The table is read and written under table_lock, which keeps what is found there
 * (heap.h); only its resizing has a lock of its own, and looks at entries, not at
 * objects. It is made with the first interned object, under types_lock.
 *
 * The hash is keyed: nobody can choose data that all falls into one chain.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "heap.h"
#include "intern.h"
#include "limit.h"

static siphash_key_t rs_intern_key __ro_after_init;

void __init rs_intern_init(void)
{
	get_random_bytes(&rs_intern_key, sizeof(rs_intern_key));
}

static u32 rs_intern_hash(const struct rs_object *obj)
{
	const struct rs_leaf *leaf = container_of(obj, struct rs_leaf, obj);

	return siphash(leaf->data, obj->data_len, &rs_intern_key) + obj->type;
}

/* A key is an entry, of an object that need not be in the table. */
static u32 rs_intern_key_hash(const void *data, u32 len, u32 seed)
{
	const struct rs_intern *entry = data;

	return jhash_1word(entry->hash, seed);
}

static int rs_intern_compare(struct rhashtable_compare_arg *arg,
			     const void *data)
{
	const struct rs_intern *key = arg->key, *entry = data;
	const struct rs_object *a = key->obj, *b = entry->obj;

	if (a == b)
		return 0;
	return key->hash != entry->hash || a->type != b->type ||
	       a->data_len != b->data_len ||
	       memcmp(container_of(a, struct rs_leaf, obj)->data,
		      container_of(b, struct rs_leaf, obj)->data, a->data_len);
}

static const struct rhashtable_params rs_intern_params = {
	.head_offset = offsetof(struct rs_intern, node),
	.hashfn = rs_intern_key_hash,
	.obj_hashfn = rs_intern_key_hash,
	.obj_cmpfn = rs_intern_compare,
	.automatic_shrinking = true,
};

/* Makes the table, unless there is one. */
static int rs_intern_begin(struct rs_heap *heap)
{
	int err = 0;

	/* Pairs with the release below */
	if (smp_load_acquire(&heap->interns))
		return 0;
	if (mutex_lock_killable(&heap->types_lock))
		return -EINTR;
	if (!heap->interns)
		err = rhashtable_init(&heap->interned, &rs_intern_params);
	if (!err)
		/* Who sees it sees the table: pairs with the acquire above */
		smp_store_release(&heap->interns, true);
	mutex_unlock(&heap->types_lock);
	return err;
}

static struct rs_intern *rs_intern_alloc(struct rs_object *obj)
{
	struct rs_intern *entry = kmalloc(sizeof(*entry), RS_GFP);

	if (!entry)
		return NULL;
	entry->hash = obj->queue_pos;
	entry->obj = obj;
	return entry;
}

/*
 * Publishes a new object and puts it in the table, in place of one that is dying
 * if @old is its entry.
 */
static int rs_intern_add(struct rs_heap *heap, struct rs_intern *entry,
			 struct rs_intern *old)
{
	struct rs_object *obj = entry->obj;
	int err = rs_heap_insert_locked(heap, obj);

	if (err)
		return err;
	if (old) {
		old->obj = obj;
		return 0;
	}
	err = rhashtable_insert_fast(&heap->interned, &entry->node,
				     rs_intern_params);
	if (!err)
		return 0;
	rs_heap_remove_locked(heap, obj);
	return -ENOMEM;
}

/* As rs_intern(), for as long as nothing has to be waited for. */
static int rs_intern_try(struct rs_heap *heap, struct rs_intern **entry,
			 struct rs_object **interned)
{
	struct rs_intern *old;
	int err;

	spin_lock(&heap->table_lock);
	old = rhashtable_lookup_fast(&heap->interned, *entry, rs_intern_params);
	if (old) {
		err = rs_object_tryget(heap, old->obj);
		*interned = old->obj;
		if (err != -ENOENT)
			goto unlock;
	}
	err = rs_intern_add(heap, *entry, old);
	if (err)
		goto unlock;
	*interned = (*entry)->obj;
	if (!old)
		*entry = NULL;
unlock:
	spin_unlock(&heap->table_lock);
	return err;
}

/**
 * rs_intern - publish a new object, unless there is an equal one
 * @heap: the heap
 * @obj: a leaf with the flags RS_SEALED_DATA and RS_INTERNED, complete, and with
 *       no more data than RS_MAX_INTERNED
 * @interned: where the object goes that is in the heap then: @obj, or another one,
 *            to which the caller has a reference now
 *
 * Return: 0, a refusal, -ENOMEM, -EOVERFLOW or -EINTR. With an error, and where
 * *@interned is another one, @obj is the caller's still.
 */
int rs_intern(struct rs_heap *heap, struct rs_object *obj,
	      struct rs_object **interned)
{
	int err = rs_intern_begin(heap);
	struct rs_room room = {};
	struct rs_intern *entry;

	if (err)
		return err;
	/* Leaves are in no queue */
	obj->queue_pos = rs_intern_hash(obj);
	entry = rs_intern_alloc(obj);
	if (!entry)
		return -ENOMEM;
	do {
		err = rs_intern_try(heap, &entry, interned);
		if (err != -EAGAIN && !rs_refused_by(err))
			break;
		err = rs_heap_make_room(heap, obj, err, &room);
	} while (!err);
	kfree(entry);
	return err;
}

/* An interned object leaves its heap's table; under table_lock. */
void rs_intern_forget(struct rs_heap *heap, struct rs_object *obj)
{
	struct rs_intern key = { .hash = obj->queue_pos, .obj = obj };
	struct rs_intern *entry;

	lockdep_assert_held(&heap->table_lock);
	entry = rhashtable_lookup_fast(&heap->interned, &key, rs_intern_params);
	/* Another one may have taken its place */
	if (!entry || entry->obj != obj)
		return;
	rhashtable_remove_fast(&heap->interned, &entry->node, rs_intern_params);
	kfree_rcu(entry, rcu);
}

static void rs_intern_free(void *entry, void *unused)
{
	kfree(entry);
}

/* The heap goes; nobody looks for anything any more. */
void rs_intern_end(struct rs_heap *heap)
{
	if (heap->interns)
		rhashtable_free_and_destroy(&heap->interned, rs_intern_free,
					    NULL);
}

/**
 * rs_intern_lives_for_ever - whether an interned object is immortal by itself
 * @obj: the object
 *
 * There is one of each that every program uses: none, the two bools, integers of
 * a byte, the empty string, the empty bytes, the empty tuple.
 */
bool rs_intern_lives_for_ever(const struct rs_object *obj)
{
	switch (obj->type) {
	case REFSTORE_TYPE_NONE:
	case REFSTORE_TYPE_BOOL:
	case REFSTORE_TYPE_INT:
		return obj->data_len <= 1;
	case REFSTORE_TYPE_STR:
	case REFSTORE_TYPE_BYTES:
	case REFSTORE_TYPE_TUPLE:
		return !obj->data_len;
	}
	return false;
}
