/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that refstore builds for (6.1 and 6.12).
 * Nothing outside this file looks at a kernel version.
 */
#ifndef RS_COMPAT_H
#define RS_COMPAT_H

#include <linux/version.h>
#include <linux/fs.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

/* no_llseek became the default for a missing llseek, and went, in 6.12 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define RS_NO_LLSEEK .llseek = no_llseek,
#else
#define RS_NO_LLSEEK
#endif

/* Came with 6.9, and to some earlier ones */
#ifndef __uninitialized
#define __uninitialized
#endif

/* Id mappings of mounts got a type of their own in 6.3 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define RS_IDMAP struct user_namespace
#else
#define RS_IDMAP struct mnt_idmap
#endif

static inline void rs_inode_init_owner(struct inode *inode,
				       const struct inode *dir, umode_t mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	inode_init_owner(&init_user_ns, inode, dir, mode);
#else
	inode_init_owner(&nop_mnt_idmap, inode, dir, mode);
#endif
}

/* Times of an inode went behind functions in 6.6 and 6.7 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline void rs_inode_init_times(struct inode *inode)
{
	inode->i_atime = current_time(inode);
	inode->i_mtime = inode->i_atime;
	inode->i_ctime = inode->i_atime;
}

static inline void rs_inode_touch(struct inode *inode)
{
	inode->i_mtime = current_time(inode);
	inode->i_ctime = inode->i_mtime;
}
#else
static inline void rs_inode_init_times(struct inode *inode)
{
	simple_inode_init_ts(inode);
}

static inline void rs_inode_touch(struct inode *inode)
{
	inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
}
#endif

/* The mask came with 6.6 */
static inline void rs_fillattr(RS_IDMAP *idmap, u32 mask, struct inode *inode,
			       struct kstat *stat)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	generic_fillattr(idmap, inode, stat);
#else
	generic_fillattr(idmap, mask, inode, stat);
#endif
}

typedef unsigned long rs_shrink_fn(struct shrinker *shrinker,
				   struct shrink_control *control);

/* Shrinkers are allocated by the kernel since 6.7 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *rs_shrinker_create(rs_shrink_fn *count,
						  rs_shrink_fn *scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (!register_shrinker(shrinker, "refstore"))
		return shrinker;
	kfree(shrinker);
	return NULL;
}

static inline void rs_shrinker_destroy(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#else
static inline struct shrinker *rs_shrinker_create(rs_shrink_fn *count,
						  rs_shrink_fn *scan)
{
	struct shrinker *shrinker = shrinker_alloc(0, "refstore");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void rs_shrinker_destroy(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

#endif /* RS_COMPAT_H */
