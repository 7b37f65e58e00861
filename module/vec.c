// SPDX-License-Identifier: GPL-2.0-only
/*
 * An array that grows in pages and never moves an entry.
 */
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vec.h"

#define RS_DIR_MIN	8
#define RS_VEC_SLICE	256	/* pages freed at a time */

static struct rs_dir *rs_dir_alloc(u32 room)
{
	struct rs_dir *dir;

	dir = kvmalloc(struct_size(dir, page, room), RS_GFP);
	if (dir)
		dir->room = room;
	return dir;
}

/* Makes the directory large enough for one page more than @pages. */
static struct rs_dir *rs_vec_widen(struct rs_vec *vec, u32 pages)
{
	struct rs_dir *old = rcu_dereference_protected(vec->dir, true);
	struct rs_dir *dir;

	if (old && pages < old->room)
		return old;
	dir = rs_dir_alloc(old ? old->room * 2 : RS_DIR_MIN);
	if (!dir)
		return NULL;
	if (old)
		memcpy(dir->page, old->page, pages * sizeof(old->page[0]));
	rcu_assign_pointer(vec->dir, dir);
	if (old)
		kvfree_rcu(old, rcu);
	return dir;
}

/**
 * rs_vec_grow - add a page of entries, all zero
 * @vec: the array; the caller holds the lock under which it grows
 * @entry_size: bytes of an entry
 *
 * Return: 0 or -ENOMEM.
 */
int rs_vec_grow(struct rs_vec *vec, size_t entry_size)
{
	u32 per_page = PAGE_SIZE / entry_size;
	u32 pages = vec->len / per_page;
	struct rs_dir *dir;
	void *page;

	page = (void *)get_zeroed_page(RS_GFP);
	if (!page)
		return -ENOMEM;
	dir = rs_vec_widen(vec, pages);
	if (!dir) {
		free_page((unsigned long)page);
		return -ENOMEM;
	}
	dir->page[pages] = page;
	/* Whoever sees the new length sees the page: pairs with rs_vec_len() */
	smp_store_release(&vec->len, vec->len + per_page);
	return 0;
}

/* Nobody uses @vec any more. */
void rs_vec_free(struct rs_vec *vec, size_t entry_size)
{
	struct rs_dir *dir = rcu_dereference_protected(vec->dir, true);
	u32 pages = vec->len / (PAGE_SIZE / entry_size);

	while (pages--) {
		free_page((unsigned long)dir->page[pages]);
		if (pages % RS_VEC_SLICE == 0)
			cond_resched();
	}
	kvfree(dir);
	RCU_INIT_POINTER(vec->dir, NULL);
	vec->len = 0;
}
