// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types: numbers with names, and how many objects of each there are.
 *
 * The counters are kept by rs_heap_insert() and rs_heap_remove(), under the
 * table's lock, which is why the array is replaced under that.
 */
#include <linux/ctype.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "heap.h"
#include "type.h"

static const char *const rs_builtin_types[] = {
	[REFSTORE_TYPE_NONE]	= "none",
	[REFSTORE_TYPE_BOOL]	= "bool",
	[REFSTORE_TYPE_INT]	= "int",
	[REFSTORE_TYPE_FLOAT]	= "float",
	[REFSTORE_TYPE_STR]	= "str",
	[REFSTORE_TYPE_BYTES]	= "bytes",
	[REFSTORE_TYPE_TUPLE]	= "tuple",
	[REFSTORE_TYPE_LIST]	= "list",
	[REFSTORE_TYPE_DICT]	= "dict",
	[REFSTORE_TYPE_SET]	= "set",
	[REFSTORE_TYPE_OBJECT]	= "object",
};

int rs_types_init(struct rs_types *types)
{
	u32 i;

	types->room = 2 * REFSTORE_TYPE_USER;
	types->nr = REFSTORE_TYPE_USER;
	types->type = kvcalloc(types->room, sizeof(*types->type),
			       RS_GFP);
	if (!types->type)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(rs_builtin_types); i++)
		strscpy(types->type[i].name, rs_builtin_types[i],
			REFSTORE_TYPE_NAME_MAX);
	return 0;
}

void rs_types_free(struct rs_types *types)
{
	kvfree(types->type);
}

/* Numbers are only ever added, so the answer holds after the lock is gone. */
bool rs_type_valid(struct rs_heap *heap, u32 type)
{
	if (type < REFSTORE_TYPE_USER)
		return type < ARRAY_SIZE(rs_builtin_types);
	/* Pairs with the release in rs_type_add() */
	return type < smp_load_acquire(&heap->types.nr);
}

static bool rs_type_name_valid(const char *name)
{
	size_t i, len = strnlen(name, REFSTORE_TYPE_NAME_MAX);

	if (!len || len == REFSTORE_TYPE_NAME_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || !isgraph(name[i]))
			return false;
	return !memchr_inv(name + len, 0, REFSTORE_TYPE_NAME_MAX - len);
}

static int rs_types_widen(struct rs_heap *heap)
{
	struct rs_types *types = &heap->types;
	u32 room = min(types->room * 2, RS_MAX_TYPES);
	struct rs_type *old = types->type, *new;

	if (types->nr == RS_MAX_TYPES)
		return -ENOSPC;
	new = kvcalloc(room, sizeof(*new), RS_GFP);
	if (!new)
		return -ENOMEM;
	spin_lock(&heap->table_lock);
	memcpy(new, old, types->nr * sizeof(*new));
	types->type = new;
	spin_unlock(&heap->table_lock);
	types->room = room;
	kvfree(old);
	return 0;
}

static int rs_type_add(struct rs_heap *heap, const char *name, u32 *type)
{
	struct rs_types *types = &heap->types;
	int err;

	lockdep_assert_held(&heap->types_lock);
	if (types->nr == types->room) {
		err = rs_types_widen(heap);
		if (err)
			return err;
	}
	*type = types->nr;
	memcpy(types->type[*type].name, name, REFSTORE_TYPE_NAME_MAX);
	/* Its name is there: pairs with the acquire in rs_type_valid() */
	smp_store_release(&types->nr, *type + 1);
	return 0;
}

/**
 * rs_type_register - the number of a name, a new one if it has none
 * @heap: the heap
 * @name: REFSTORE_TYPE_NAME_MAX bytes, from the user
 * @type: where the number goes
 *
 * Return: 0, -EINVAL for a name that is none, -ENOSPC or -ENOMEM.
 */
int rs_type_register(struct rs_heap *heap, const char *name, u32 *type)
{
	struct rs_types *types = &heap->types;
	int err = 0;
	u32 i;

	if (!rs_type_name_valid(name))
		return -EINVAL;
	if (mutex_lock_interruptible(&heap->types_lock))
		return -EINTR;
	for (i = 0; i < types->nr; i++)
		if (!strcmp(types->type[i].name, name))
			break;
	if (i < types->nr)
		*type = i;
	else
		err = rs_type_add(heap, name, type);
	mutex_unlock(&heap->types_lock);
	return err;
}

int rs_type_name(struct rs_heap *heap, u32 type, char *name)
{
	if (!rs_type_valid(heap, type))
		return -EINVAL;
	type = array_index_nospec(type, READ_ONCE(heap->types.nr));
	spin_lock(&heap->table_lock);
	memcpy(name, heap->types.type[type].name, REFSTORE_TYPE_NAME_MAX);
	spin_unlock(&heap->table_lock);
	return 0;
}
