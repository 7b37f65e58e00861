/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An array that grows in pages and never moves an entry.
 *
 * A directory points to pages of entries. Growing adds pages, and replaces the
 * directory when that is full; the old one goes after an RCU grace period, so
 * readers need no lock. Whoever grows it holds the lock that its owner names.
 */
#ifndef RS_VEC_H
#define RS_VEC_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

/*
 * All memory that users make us take: theirs to pay for, and not worth killing
 * anyone. Where there is none, or their memory cgroup is full, they get ENOMEM.
 */
#define RS_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

struct rs_dir {
	struct rcu_head rcu;
	u32 room;		/* pointers that fit */
	void *page[];
};

/**
 * struct rs_vec - a growing array
 * @dir: the directory; replaced under the owner's lock, read under RCU
 * @len: entries that exist; written under the owner's lock, read by anyone
 */
struct rs_vec {
	struct rs_dir __rcu *dir;
	u32 len;
};

int rs_vec_grow(struct rs_vec *vec, size_t entry_size);
void rs_vec_free(struct rs_vec *vec, size_t entry_size);

/* How many entries there are; whoever sees that sees them. */
static inline u32 rs_vec_len(const struct rs_vec *vec)
{
	/* Pairs with the release in rs_vec_grow() */
	return smp_load_acquire(&vec->len);
}

/*
 * Both sizes are compile-time constants and powers of two: a shift and a mask.
 * The caller has compared @i with the length.
 */
static inline void *rs_dir_at(const struct rs_dir *dir, u32 i,
			      size_t entry_size)
{
	const u32 per_page = PAGE_SIZE / entry_size;

	return dir->page[i / per_page] + (i % per_page) * entry_size;
}

/*
 * For holders of the lock under which it grows, or of a spinlock, which keeps
 * the directory as rcu_read_lock() does. Pairs with rcu_assign_pointer() in
 * rs_vec_grow().
 */
static inline void *rs_vec_at_locked(const struct rs_vec *vec, u32 i,
				     size_t entry_size)
{
	return rs_dir_at(rcu_dereference_raw(vec->dir), i, entry_size);
}

static inline void *rs_vec_at(const struct rs_vec *vec, u32 i,
			      size_t entry_size)
{
	void *entry;

	rcu_read_lock();
	entry = rs_dir_at(rcu_dereference(vec->dir), i, entry_size);
	rcu_read_unlock();
	return entry;
}

#endif /* RS_VEC_H */
