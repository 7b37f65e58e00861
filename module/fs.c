// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file system: heaps with names.
 *
 * A regular file is a heap, and opening it gives a session. Names, owners, modes,
 * links and directories are the VFS's business, and no second copy of it is kept:
 * inode->i_private is the heap, on which the inode holds a reference, as each
 * session does. So the heap lives while it is linked or open. The dentry of
 * whatever is linked is pinned, as in ramfs.
 *
 * Each mount makes an instance of its own, which bind mounts share. It cannot be
 * mounted in a user namespace other than the first: who may make heaps is decided
 * by who may write to a directory.
 *
 * Locks: none of our own. A heap's owner follows that of its inode, under the
 * inode's lock; who owns it pays for it (account.h), so chown(2) can fail.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>

#include "compat.h"
#include "device.h"
#include "fs.h"
#include "heap.h"
#include "limit.h"

#define RS_FS_MODE	0755

/**
 * struct rs_fs - an instance
 * @mode: of its root directory
 * @uid: its owner
 * @gid: its group
 * @max_bytes: of a heap that is made in it, at most
 * @max_objects: likewise
 * @max_heaps: how many names there may be at a time, of heaps and directories,
 *             which all take memory that is not their user's
 * @names: how many there are, but for the root
 *
 * Limits are read without a lock, and written by whoever mounts it anew.
 */
struct rs_fs {
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	u64 max_bytes;
	u64 max_objects;
	u32 max_heaps;
	atomic_t names;
};

static const struct inode_operations rs_fs_dir_ops;
static const struct inode_operations rs_fs_file_ops;

/* --- Heaps --------------------------------------------------------------- */

/* There may be more already than may be now: a mount can lower the limit. */
static int rs_fs_reserve(struct rs_fs *fs)
{
	if ((u32)atomic_inc_return(&fs->names) <= READ_ONCE(fs->max_heaps))
		return 0;
	atomic_dec(&fs->names);
	return -EDQUOT;
}

/* A heap for a new inode, which gets the reference. */
static int rs_fs_make_heap(struct inode *inode)
{
	struct rs_fs *fs = inode->i_sb->s_fs_info;
	struct rs_payer payer;
	struct rs_heap *heap;
	int err = rs_payer_init(&payer, inode->i_uid, rs_payer_exempt());

	if (err)
		return err;
	heap = rs_heap_create(&payer);
	rs_payer_put(&payer);
	if (IS_ERR(heap))
		return rs_errno(PTR_ERR(heap));
	heap->max[RS_OBJECTS] = READ_ONCE(fs->max_objects);
	heap->max[RS_BYTES] = READ_ONCE(fs->max_bytes);
	inode->i_private = heap;
	return 0;
}

static void rs_fs_evict(struct inode *inode)
{
	clear_inode(inode);
	if (inode->i_private)
		rs_heap_put(inode->i_private);
}

/* --- Inodes -------------------------------------------------------------- */

static struct inode *rs_fs_inode(struct super_block *sb, struct inode *dir,
				 umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	rs_inode_init_owner(inode, dir, mode);
	rs_inode_init_times(inode);
	if (S_ISDIR(mode)) {
		inode->i_op = &rs_fs_dir_ops;
		inode->i_fop = &simple_dir_operations;
		inc_nlink(inode);	/* "." */
	} else {
		inode->i_op = &rs_fs_file_ops;
		inode->i_fop = &rs_named_fops;
	}
	return inode;
}

/* Gives a name to an inode, whose reference it takes. */
static void rs_fs_name(struct inode *dir, struct dentry *dentry,
		       struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		inc_nlink(dir);
	d_instantiate(dentry, inode);
	dget(dentry);	/* as long as it is linked */
	rs_inode_touch(dir);
}

static int rs_fs_add(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct rs_fs *fs = dir->i_sb->s_fs_info;
	struct inode *inode;
	int err = rs_fs_reserve(fs);

	if (err)
		return err;
	inode = rs_fs_inode(dir->i_sb, dir, mode);
	if (!inode)
		err = -ENOMEM;
	else if (S_ISREG(mode))
		err = rs_fs_make_heap(inode);
	if (!err) {
		rs_fs_name(dir, dentry, inode);
		return 0;
	}
	iput(inode);
	atomic_dec(&fs->names);
	return err;
}

static int rs_fs_create(RS_IDMAP *idmap, struct inode *dir,
			struct dentry *dentry, umode_t mode, bool excl)
{
	return rs_fs_add(dir, dentry, mode | S_IFREG);
}

static int rs_fs_mkdir(RS_IDMAP *idmap, struct inode *dir,
		       struct dentry *dentry, umode_t mode)
{
	return rs_fs_add(dir, dentry, mode | S_IFDIR);
}

static int rs_fs_link(struct dentry *from, struct inode *dir,
		      struct dentry *dentry)
{
	struct rs_fs *fs = dir->i_sb->s_fs_info;
	int err = rs_fs_reserve(fs);

	if (err)
		return err;
	err = simple_link(from, dir, dentry);
	if (err)
		atomic_dec(&fs->names);
	return err;
}

static int rs_fs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct rs_fs *fs = dir->i_sb->s_fs_info;
	int err = simple_unlink(dir, dentry);

	if (!err)
		atomic_dec(&fs->names);
	return err;
}

static int rs_fs_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct rs_fs *fs = dir->i_sb->s_fs_info;
	int err = simple_rmdir(dir, dentry);

	if (!err)
		atomic_dec(&fs->names);
	return err;
}

/* What it replaces loses its name. */
static int rs_fs_rename(RS_IDMAP *idmap, struct inode *old_dir,
			struct dentry *old, struct inode *new_dir,
			struct dentry *new, unsigned int flags)
{
	struct rs_fs *fs = old_dir->i_sb->s_fs_info;
	bool over = d_really_is_positive(new) && !(flags & RENAME_EXCHANGE);
	int err = simple_rename(idmap, old_dir, old, new_dir, new, flags);

	if (!err && over)
		atomic_dec(&fs->names);
	return err;
}

/*
 * A heap has no end that could be moved: O_TRUNC and truncate(2) are refused.
 * Whom it belongs to is who pays for it.
 */
static int rs_fs_setattr(RS_IDMAP *idmap, struct dentry *dentry,
			 struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	if (attr->ia_valid & ATTR_SIZE)
		return -EPERM;
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_UID)
		err = rs_heap_change_owner(inode->i_private, attr->ia_uid);
	if (err)
		return rs_errno(err);
	setattr_copy(idmap, inode, attr);
	mark_inode_dirty(inode);
	return 0;
}

/* What du(1) and ls(1) show is its memory. */
static int rs_fs_getattr(RS_IDMAP *idmap, const struct path *path,
			 struct kstat *stat, u32 request_mask,
			 unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct rs_heap *heap = inode->i_private;

	rs_fillattr(idmap, request_mask, inode, stat);
	stat->size = READ_ONCE(heap->bytes);
	stat->blocks = DIV_ROUND_UP_ULL(stat->size, 512);
	return 0;
}

static const struct inode_operations rs_fs_file_ops = {
	.setattr = rs_fs_setattr,
	.getattr = rs_fs_getattr,
};

static const struct inode_operations rs_fs_dir_ops = {
	.create = rs_fs_create,
	.lookup = simple_lookup,
	.link = rs_fs_link,
	.unlink = rs_fs_unlink,
	.mkdir = rs_fs_mkdir,
	.rmdir = rs_fs_rmdir,
	.rename = rs_fs_rename,
};

/* --- Mounting ------------------------------------------------------------ */

static int rs_fs_show_options(struct seq_file *m, struct dentry *root)
{
	const struct rs_fs *fs = root->d_sb->s_fs_info;

	seq_printf(m, ",mode=%o", fs->mode);
	if (!uid_eq(fs->uid, GLOBAL_ROOT_UID))
		seq_printf(m, ",uid=%u", from_kuid_munged(&init_user_ns,
							  fs->uid));
	if (!gid_eq(fs->gid, GLOBAL_ROOT_GID))
		seq_printf(m, ",gid=%u", from_kgid_munged(&init_user_ns,
							  fs->gid));
	if (fs->max_bytes != U64_MAX)
		seq_printf(m, ",size=%llu", fs->max_bytes);
	if (fs->max_objects != RS_INDEX_MAX)
		seq_printf(m, ",nr_objects=%llu", fs->max_objects);
	seq_printf(m, ",max_heaps=%u", fs->max_heaps);
	return 0;
}

static const struct super_operations rs_fs_super_ops = {
	.statfs = simple_statfs,
	.drop_inode = generic_delete_inode,
	.evict_inode = rs_fs_evict,
	.show_options = rs_fs_show_options,
};

enum rs_fs_option {
	RS_FS_OPT_MODE,
	RS_FS_OPT_UID,
	RS_FS_OPT_GID,
	RS_FS_OPT_SIZE,
	RS_FS_OPT_NR_OBJECTS,
	RS_FS_OPT_MAX_HEAPS,
};

static const struct fs_parameter_spec rs_fs_parameters[] = {
	fsparam_u32oct("mode", RS_FS_OPT_MODE),
	fsparam_u32("uid", RS_FS_OPT_UID),
	fsparam_u32("gid", RS_FS_OPT_GID),
	fsparam_string("size", RS_FS_OPT_SIZE),
	fsparam_u64("nr_objects", RS_FS_OPT_NR_OBJECTS),
	fsparam_u32("max_heaps", RS_FS_OPT_MAX_HEAPS),
	{}
};

/* Bytes, with a suffix if need be, as in tmpfs. */
static int rs_fs_parse_size(struct fs_context *fc, const char *string,
			    u64 *size)
{
	char *rest;

	*size = memparse(string, &rest);
	if (!isdigit(*string) || *rest || !*size || *size > LLONG_MAX)
		return invalfc(fc, "size: %s is no number of bytes", string);
	return 0;
}

static int rs_fs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct rs_fs *fs = fc->s_fs_info;
	struct fs_parse_result result;
	int opt = fs_parse(fc, rs_fs_parameters, param, &result);

	switch (opt) {
	case RS_FS_OPT_MODE:
		fs->mode = result.uint_32 & S_IALLUGO;
		return 0;
	case RS_FS_OPT_UID:
		fs->uid = make_kuid(fc->user_ns, result.uint_32);
		return uid_valid(fs->uid) ? 0 : invalfc(fc, "no such uid");
	case RS_FS_OPT_GID:
		fs->gid = make_kgid(fc->user_ns, result.uint_32);
		return gid_valid(fs->gid) ? 0 : invalfc(fc, "no such gid");
	case RS_FS_OPT_SIZE:
		return rs_fs_parse_size(fc, param->string, &fs->max_bytes);
	case RS_FS_OPT_NR_OBJECTS:
		fs->max_objects = min(result.uint_64, RS_INDEX_MAX);
		return 0;
	case RS_FS_OPT_MAX_HEAPS:
		fs->max_heaps = result.uint_32;
		return 0;
	}
	return opt;
}

static int rs_fs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct rs_fs *fs = sb->s_fs_info;
	struct inode *root;

	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = REFSTORE_SUPER_MAGIC;
	sb->s_op = &rs_fs_super_ops;
	sb->s_time_gran = 1;
	root = rs_fs_inode(sb, NULL, S_IFDIR | fs->mode);
	if (!root)
		return -ENOMEM;
	root->i_uid = fs->uid;
	root->i_gid = fs->gid;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int rs_fs_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, rs_fs_fill_super);
}

static void rs_fs_free_context(struct fs_context *fc)
{
	kfree(fc->s_fs_info);
}

/* What is limited can change; whose the root directory is, chown(2) tells it. */
static int rs_fs_reconfigure(struct fs_context *fc)
{
	struct rs_fs *fs = fc->root->d_sb->s_fs_info;
	const struct rs_fs *new = fc->s_fs_info;

	if (new->mode != fs->mode || !uid_eq(new->uid, fs->uid) ||
	    !gid_eq(new->gid, fs->gid))
		return invalfc(fc, "mode, uid and gid cannot be changed");
	WRITE_ONCE(fs->max_bytes, new->max_bytes);
	WRITE_ONCE(fs->max_objects, new->max_objects);
	WRITE_ONCE(fs->max_heaps, new->max_heaps);
	return 0;
}

static const struct fs_context_operations rs_fs_context_ops = {
	.reconfigure = rs_fs_reconfigure,
	.free = rs_fs_free_context,
	.parse_param = rs_fs_parse_param,
	.get_tree = rs_fs_get_tree,
};

static void rs_fs_defaults(struct rs_fs *fs)
{
	fs->mode = RS_FS_MODE;
	fs->uid = GLOBAL_ROOT_UID;
	fs->gid = GLOBAL_ROOT_GID;
	fs->max_bytes = U64_MAX;
	fs->max_objects = RS_INDEX_MAX;
	fs->max_heaps = min_t(unsigned long, totalram_pages() / 16, INT_MAX);
}

static int rs_fs_init_context(struct fs_context *fc)
{
	struct rs_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return -ENOMEM;
	if (fc->root)
		*fs = *(struct rs_fs *)fc->root->d_sb->s_fs_info;
	else
		rs_fs_defaults(fs);
	fc->s_fs_info = fs;
	fc->ops = &rs_fs_context_ops;
	return 0;
}

static void rs_fs_kill_super(struct super_block *sb)
{
	struct rs_fs *fs = sb->s_fs_info;

	kill_litter_super(sb);
	kfree(fs);
}

static struct file_system_type rs_fs_type = {
	.owner = THIS_MODULE,
	.name = "refstore",
	.init_fs_context = rs_fs_init_context,
	.parameters = rs_fs_parameters,
	.kill_sb = rs_fs_kill_super,
};

MODULE_ALIAS_FS("refstore");

int __init rs_fs_init(void)
{
	return register_filesystem(&rs_fs_type);
}

void rs_fs_exit(void)
{
	unregister_filesystem(&rs_fs_type);
}
