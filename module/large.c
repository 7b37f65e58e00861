// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large values: leaves whose data is a memfd.
 *
 * The object holds a file, opened anew when the memfd is adopted: so nobody can
 * change its flags, and it is for reading alone if the memfd was sealed already.
 * This is the one file that an object holds, and it refers to nothing that could
 * lead back to a heap, so no cycle goes through it.
 *
 * The file is set before the object is published, and never changes. When the object
 * leaves the table, its last reference being gone, the file goes to the heap's
 * backlog, and heap->reap_work drops it: a task would close it on its way back to
 * user mode, which whoever stops it there can put off for ever. Until the object's
 * is closed the heap stays charged; a MAP that runs meanwhile may have the inode for
 * longer, as any other descriptor has. Of the file are used:
 *
 *   - its size, which cannot change, as the inode has the seals against that;
 *   - the seals, which are only ever added, under the inode's lock;
 *   - its pages, by who has a reference to the object.
 *
 * What keeps a reader from SIGBUS: all pages are there when the memfd is adopted;
 * and again when the value is sealed, from when on nobody can punch holes any more.
 * There means that they are dirty, or in the swap: a clean page of a memfd is a
 * hole to the kernel, which drops it when memory is short. RS_SEALED_DATA says that
 * both have happened, F_SEAL_WRITE and then the look at all pages. So it is that
 * flag which counts, and not the seal alone.
 *
 * Nothing of the size that a user chose is done under a spinlock. Of mutexes it is
 * the session's alone that is held, and by writes the inode's, as by any other.
 * What is read or written goes through a buffer: who reads into memory that
 * somebody is in no haste to provide would hold a page meanwhile, and with it keep
 * others from sealing; and who writes so the inode's lock.
 *
 * An open file is something that the system has few of. So a value is charged for
 * REFSTORE_MIN_LARGE at least, and whoever may have few bytes may have few files.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <uapi/linux/fcntl.h>

#include "call.h"
#include "large.h"
#include "limit.h"
#include "reclaim.h"
#include "trace.h"

/**
 * struct rs_large - what stands behind a large value
 * @node: in heap->files, when the object is dead
 * @file: the memfd, opened for the object; a reference
 */
struct rs_large {
	struct list_head node;
	struct file *file;
};

#define RS_LARGE_SLICE	SZ_64K	/* bytes copied at a time */
#define RS_MAX_LARGE	BIT_ULL(47)	/* more than that nobody can map */
#define RS_FIXED_SIZE	(F_SEAL_SHRINK | F_SEAL_GROW)

static struct rs_large *rs_large(const struct rs_object *obj)
{
	return container_of(obj, struct rs_leaf_block, obj)->large;
}

static struct file *rs_large_file(const struct rs_object *obj)
{
	return rs_large(obj)->file;
}

/* Bytes of data; for good. */
u64 rs_large_len(const struct rs_object *obj)
{
	return i_size_read(file_inode(rs_large_file(obj)));
}

static u64 rs_file_bytes(const struct file *file)
{
	return max_t(u64, PAGE_ALIGN(i_size_read(file_inode(file))),
		     REFSTORE_MIN_LARGE);
}

/* What it is charged for, but for its cell. */
size_t rs_large_bytes(const struct rs_object *obj)
{
	return rs_file_bytes(rs_large_file(obj));
}

u64 rs_large_inode(const struct rs_object *obj)
{
	return file_inode(rs_large_file(obj))->i_ino;
}

static u32 rs_memfd_seals(const struct file *file)
{
	/*
	 * Who sees F_SEAL_WRITE sees every hole that was punched before it: a seal
	 * is set under the inode's lock, which is let go after a hole
	 */
	return smp_load_acquire(&SHMEM_I(file_inode(file))->seals);
}

/* --- Making one ---------------------------------------------------------- */

/* Unless a hole was punched where it was. Our reference keeps it till then. */
static void rs_memfd_dirty(struct address_space *mapping, struct folio *folio)
{
	if (folio_test_dirty(folio))
		return;
	folio_lock(folio);
	if (folio->mapping == mapping)
		folio_mark_dirty(folio);
	folio_unlock(folio);
}

/*
 * What is there, or in the swap, costs next to nothing. For a page that has to be
 * made nobody is killed.
 */
static int rs_memfd_fill_one(struct address_space *mapping, pgoff_t *index)
{
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_RETRY_MAYFAIL |
		    __GFP_NOWARN;
	struct folio *folio;
	struct page *page;

	if (xa_is_value(xa_load(&mapping->i_pages, *index))) {
		++*index;
		return 0;
	}
	page = shmem_read_mapping_page_gfp(mapping, *index, gfp);
	if (IS_ERR(page))
		return PTR_ERR(page) == -EIO ? -EIO : -ENOMEM;
	folio = page_folio(page);
	rs_memfd_dirty(mapping, folio);
	*index = folio->index + folio_nr_pages(folio);
	folio_put(folio);
	return 0;
}

/*
 * Lets all pages of a part of a memfd be there. Only a signal that ends the process
 * ends it: one that comes again and again would have it begin again and again.
 */
static int rs_memfd_fill(const struct file *file, u64 offset, u64 length)
{
	pgoff_t end = PAGE_ALIGN(offset + length) >> PAGE_SHIFT;
	pgoff_t index = offset >> PAGE_SHIFT;
	int err = 0;

	while (index < end && !err) {
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		err = rs_memfd_fill_one(file->f_mapping, &index);
	}
	return err;
}

/*
 * The same, where dead values that are not closed yet may be what fills the memory
 * cgroup: before there is no memory, we wait for these.
 */
static int rs_large_fill(struct rs_heap *heap, const struct file *file,
			 u64 offset, u64 length)
{
	int err = rs_memfd_fill(file, offset, length);

	if (err != -ENOMEM)
		return err;
	err = rs_reap_wait(heap);
	return err ? err : rs_memfd_fill(file, offset, length);
}

/* Whether a file can be adopted: 0, -EINVAL, -E2BIG, or -EBADF. */
static int rs_memfd_check(struct file *file)
{
	fmode_t mode = FMODE_READ;

	if (!shmem_file(file))
		return -EINVAL;
	if ((rs_memfd_seals(file) & RS_FIXED_SIZE) != RS_FIXED_SIZE ||
	    !i_size_read(file_inode(file)))
		return -EINVAL;
	if (i_size_read(file_inode(file)) > RS_MAX_LARGE)
		return -E2BIG;
	/* Who could not write it must not be able to by us */
	if (!(rs_memfd_seals(file) & F_SEAL_WRITE))
		mode |= FMODE_WRITE;
	return (file->f_mode & mode) == mode ? 0 : -EBADF;
}

/* Does not wait for who has a lease: -EBUSY, as for who executes it. */
static struct file *rs_memfd_open(struct file *memfd, bool write)
{
	int flags = (write ? O_RDWR : O_RDONLY) | O_LARGEFILE | O_NONBLOCK;
	struct file *file = dentry_open(&memfd->f_path, flags, current_cred());

	if (file == ERR_PTR(-EWOULDBLOCK) || file == ERR_PTR(-ETXTBSY))
		return ERR_PTR(-EBUSY);
	/* Nobody else has it yet */
	if (!IS_ERR(file))
		file->f_flags &= ~O_NONBLOCK;
	return file;
}

/* A memfd opened anew, or an error as a pointer. */
static struct rs_large *rs_large_open(struct file *memfd, bool write)
{
	struct rs_large *large = kmalloc(sizeof(*large), RS_GFP);
	int err;

	if (!large)
		return ERR_PTR(-ENOMEM);
	large->file = rs_memfd_open(memfd, write);
	if (!IS_ERR(large->file))
		return large;
	err = PTR_ERR(large->file);
	kfree(large);
	return ERR_PTR(err);
}

/* Closes it; a task does so on its way back to user mode. */
static void rs_large_close(struct rs_large *large)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(large->file);
	else
		fput(large->file);
	kfree(large);
}

/* The object for a memfd, in no table yet, and pages may be missing. */
static struct rs_object *rs_large_create(struct rs_heap *heap, u32 type,
					 struct file *memfd)
{
	bool sealed = rs_memfd_seals(memfd) & F_SEAL_WRITE;
	struct rs_spec spec = {
		.heap = heap,
		.type = type,
		.seals = RS_LARGE | (sealed ? RS_SEALED_DATA : 0),
	};
	struct rs_large *large = rs_large_open(memfd, !sealed);
	struct rs_object *obj;

	if (IS_ERR(large))
		return ERR_CAST(large);
	obj = rs_object_alloc_large(&spec, large);
	if (obj)
		return obj;
	rs_large_close(large);
	return ERR_PTR(-ENOMEM);
}

/* Asks whether the heap would take it, before any page is made. */
static int rs_large_ask(struct rs_heap *heap, struct rs_object *obj)
{
	int err = rs_heap_reserve(heap, 1, rs_object_bytes(obj));

	rs_heap_trim(heap);
	return err;
}

static int rs_large_insert(struct rs_heap *heap, struct rs_object *obj)
{
	int err = rs_heap_insert_locked(heap, obj);

	if (!err) {
		heap->large++;
		heap->large_bytes += rs_large_bytes(obj);
	}
	return err;
}

/* One of the two, again until there is room: 0, a refusal, -ENOMEM or -EINTR. */
static int rs_large_try(struct rs_heap *heap, struct rs_object *obj,
			int (*try)(struct rs_heap *heap, struct rs_object *obj))
{
	struct rs_room room = {};
	int err;

	for (;;) {
		spin_lock(&heap->table_lock);
		err = try(heap, obj);
		spin_unlock(&heap->table_lock);
		if (!err)
			return 0;
		err = rs_heap_make_room(heap, obj, err, &room);
		if (err)
			return err;
	}
}

static int rs_large_publish(struct rs_heap *heap, struct rs_object *obj)
{
	int err = rs_large_try(heap, obj, rs_large_ask);

	if (!err)
		err = rs_large_fill(heap, rs_large_file(obj), 0,
				    rs_large_len(obj));
	if (!err)
		err = rs_large_try(heap, obj, rs_large_insert);
	return err;
}

static int rs_large_adopt(struct rs_call *call, struct refstore_adopt *args,
			  struct file *memfd)
{
	struct rs_object *obj;
	int err = rs_memfd_check(memfd);

	if (!err && !rs_type_valid(call->heap, args->type))
		err = -EINVAL;
	if (err)
		return err;
	obj = rs_large_create(call->heap, args->type, memfd);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	err = rs_large_publish(call->heap, obj);
	if (err) {
		rs_object_free(obj);
		return err;
	}
	args->id = obj->id;
	trace_refstore_create(call->heap, obj);
	return rs_call_result(call, obj, &args->result);
}

/* REFSTORE_ADOPT */
int rs_adopt(struct rs_call *call, void *body)
{
	struct refstore_adopt *args = body;
	struct file *memfd = fget(args->fd);
	int err;

	if (!memfd)
		return -EBADF;
	err = rs_large_adopt(call, args, memfd);
	fput(memfd);
	return err;
}

/* Nobody has ever seen the object, or its whole heap goes. */
void rs_large_free(struct rs_object *obj)
{
	rs_large_close(rs_large(obj));
}

/**
 * rs_large_forget - a large value leaves its heap's table
 * @heap: the heap, whose table_lock the caller holds
 * @obj: the value; an ordinary leaf without data afterwards
 *
 * What it was charged for is the heap's until the file is closed; the caller
 * uncharges the object for all of it.
 */
void rs_large_forget(struct rs_heap *heap, struct rs_object *obj)
{
	u64 bytes = rs_large_bytes(obj);

	heap->large--;
	heap->large_bytes -= bytes;
	WRITE_ONCE(heap->bytes, heap->bytes + bytes);
	/* Without its slot lock: nobody else can get at it any more */
	obj->flags &= ~RS_LARGE;
	rs_reap_leave_file(heap, &rs_large(obj)->node);
}

static void rs_large_finish(struct rs_heap *heap, struct rs_large *large)
{
	u64 bytes = rs_file_bytes(large->file);

	rs_large_close(large);
	rs_heap_release(heap, bytes);
}

/* Closes files from heap->files: for workqueues. */
void rs_large_finish_all(struct rs_heap *heap, struct list_head *files)
{
	struct rs_large *large, *next;

	list_for_each_entry_safe(large, next, files, node) {
		rs_large_finish(heap, large);
		cond_resched();
	}
}

/* --- Its data ------------------------------------------------------------ */

/* Whether its data can be sealed; -EBUSY if somebody may be writing it. */
int rs_large_may_seal(struct rs_heap *heap, struct rs_object *obj)
{
	const struct file *file = rs_large_file(obj);

	if (READ_ONCE(obj->flags) & RS_SEALED_DATA)
		return 0;
	if (!(rs_memfd_seals(file) & F_SEAL_WRITE))
		return -EBUSY;
	return rs_large_fill(heap, file, 0, rs_large_len(obj));
}

/**
 * struct rs_large_copy - a copy of data from or to a user
 * @heap: whose value it is
 * @file: the memfd
 * @pos: where in it
 * @slice: room for RS_LARGE_SLICE bytes, or for all if these are fewer
 */
struct rs_large_copy {
	struct rs_heap *heap;
	struct file *file;
	loff_t pos;
	void *slice;
};

static int rs_large_read_slice(struct rs_large_copy *copy, void __user *buffer,
			       size_t length)
{
	ssize_t ret = kernel_read(copy->file, copy->slice, length, &copy->pos);

	if (ret != length)
		return ret < 0 ? ret : -EIO;
	return copy_to_user(buffer, copy->slice, length) ? -EFAULT : 0;
}

/* A part that can be written is; what is in the way of the rest is told then. */
static int rs_large_write_all(struct rs_large_copy *copy, size_t length)
{
	ssize_t ret;
	size_t done;

	for (done = 0; done < length; done += ret) {
		ret = kernel_write(copy->file, copy->slice + done,
				   length - done, &copy->pos);
		if (!ret || ret == -ENOSPC)
			return -ENOMEM;
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Others may have punched holes: nobody is killed for these either. */
static int rs_large_write_slice(struct rs_large_copy *copy,
				void __user *buffer, size_t length)
{
	int err;

	if (copy_from_user(copy->slice, buffer, length))
		return -EFAULT;
	err = rs_large_fill(copy->heap, copy->file, copy->pos, length);
	return err ? err : rs_large_write_all(copy, length);
}

/* All of it, slice by slice. */
static int rs_large_transfer(struct rs_heap *heap, struct rs_object *obj,
			     u64 offset, u32 length, void __user *buffer,
			     int (*run)(struct rs_large_copy *copy,
					void __user *buffer, size_t length))
{
	u32 most = min_t(u32, length, RS_LARGE_SLICE), done, part;
	struct rs_large_copy copy = {
		.heap = heap,
		.file = rs_large_file(obj),
		.pos = offset,
	};
	int err = 0;

	copy.slice = kvmalloc(most, RS_GFP);
	if (!copy.slice)
		return -ENOMEM;
	for (done = 0; done < length && !err; done += part) {
		cond_resched();
		part = min(length - done, most);
		err = fatal_signal_pending(current) ? -EINTR :
		      run(&copy, buffer + done, part);
	}
	kvfree(copy.slice);
	return err;
}

/* What is read is within the data: 0, -EFAULT, -EINTR, -EIO or -ENOMEM. */
int rs_large_read(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		  u32 length, void __user *buffer)
{
	if (!length)
		return 0;
	return rs_large_transfer(heap, obj, offset, length, buffer,
				 rs_large_read_slice);
}

/* What is written, too: the same, -EPERM, or -EFBIG. */
int rs_large_write(struct rs_heap *heap, struct rs_object *obj, u64 offset,
		   u32 length, const void __user *buffer)
{
	if (READ_ONCE(obj->flags) & RS_SEALED_DATA)
		return -EPERM;
	if (!length)
		return 0;
	return rs_large_transfer(heap, obj, offset, length,
				 (void __user *)buffer, rs_large_write_slice);
}

/* --- Handing it out ------------------------------------------------------ */

/*
 * Who may not write a value gets no descriptor of it as long as that could be
 * opened anew for writing: until it is sealed.
 */
static int rs_map_check(struct rs_call *call, u32 flags, struct rs_object *obj)
{
	bool sealed = READ_ONCE(obj->flags) & RS_SEALED_DATA;

	if (!rs_object_large(obj))
		return -EOPNOTSUPP;
	if (!sealed)
		return rs_session_may(call->session, REFSTORE_RIGHT_WRITE_DATA);
	return flags & REFSTORE_MAP_WRITE ? -EPERM : 0;
}

/* The file of a value that the session may map, or an error as a pointer. */
static struct file *rs_map_get(struct rs_call *call,
			       const struct refstore_map *args)
{
	struct file *file;
	struct rs_object *obj;
	int err;

	if (mutex_lock_interruptible(&call->session->lock))
		return ERR_PTR(-EINTR);
	err = rs_call_object(call, args->object, &obj);
	if (!err)
		err = rs_map_check(call, args->flags, obj);
	file = err ? ERR_PTR(err) : get_file(rs_large_file(obj));
	mutex_unlock(&call->session->lock);
	return file;
}

/* REFSTORE_MAP; the caller of ours installs the descriptor, after the answer. */
int rs_map(struct rs_call *call, void *body)
{
	struct refstore_map *args = body;
	struct file *value = rs_map_get(call, args), *file;

	if (IS_ERR(value))
		return PTR_ERR(value);
	args->length = i_size_read(file_inode(value));
	call->fd = get_unused_fd_flags(O_CLOEXEC);
	if (call->fd < 0) {
		fput(value);
		return call->fd;
	}
	file = rs_memfd_open(value, args->flags & REFSTORE_MAP_WRITE);
	fput(value);
	if (IS_ERR(file)) {
		put_unused_fd(call->fd);
		return PTR_ERR(file);
	}
	call->file = file;
	args->fd = call->fd;
	return 0;
}
