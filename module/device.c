// SPDX-License-Identifier: GPL-2.0-only
/*
 * The character device: how calls come in.
 *
 * open makes a private heap and a session on it; ioctl copies a command's
 * struct in, runs it, copies the answer out, and only then publishes what was
 * made.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "compat.h"
#include "device.h"
#include "user.h"

union rs_body {
	u32 size;
	u64 words[16];
	struct refstore_query query;
	struct refstore_create create;
	struct refstore_slots slots;
	struct refstore_data data;
	struct refstore_stat stat;
	struct refstore_type type;
	struct refstore_collect collect;
	struct refstore_walk walk;
	struct refstore_batch batch;
	struct refstore_weak weak;
	struct refstore_upgrade upgrade;
	struct refstore_tune tune;
	struct refstore_generation generation;
	struct refstore_freeze freeze;
	struct refstore_drop_saved drop_saved;
	struct refstore_restrict restriction;
	struct refstore_export export;
	struct refstore_import import;
	struct refstore_open_export open_export;
	struct refstore_limit limit;
	struct refstore_label label;
	struct refstore_adopt adopt;
	struct refstore_map map;
};

/* A struct of another size than ours. */
static int rs_body_get_sized(const struct rs_command *command,
			     union rs_body *body, const void __user *from)
{
	u32 size;
	int err;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < command->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(body, command->size, from, size);
	if (err)
		return err;
	/* The user may have changed it since; we work with what we checked */
	body->size = size;
	return rs_command_check(command, body);
}

static int rs_body_get(const struct rs_command *command, union rs_body *body,
		       const void __user *from)
{
	BUILD_BUG_ON(sizeof(union rs_body) > 128);
	if (!rs_words_get(body->words, from, command->size / sizeof(u64)) &&
	    likely(body->size == command->size))
		return rs_command_check(command, body);
	return rs_body_get_sized(command, body, from);
}

static int rs_body_put(const struct rs_command *command,
		       const union rs_body *body, void __user *to)
{
	size_t size = min_t(size_t, body->size, command->size);

	if (likely(size == command->size))
		return rs_words_put(to, body->words, command->out);
	return copy_to_user(to, body, size) ? -EFAULT : 0;
}

/* A command that works on objects: under the session's lock to the end. */
static int rs_run_locked(const struct rs_command *command, struct rs_call *call,
			 union rs_body *body, void __user *user)
{
	struct rs_result result = {};
	int err;

	call->results = &result;
	if (mutex_lock_interruptible(&call->session->lock))
		return -EINTR;
	err = rs_command_run(command, call, body);
	if (!err && command->out)
		err = rs_body_put(command, body, user);
	if (err)
		rs_call_cancel(call, 1);
	else
		rs_result_install(call, &result);
	mutex_unlock(&call->session->lock);
	return err;
}

static int rs_run(const struct rs_command *command, struct rs_call *call,
		  union rs_body *body, void __user *user)
{
	int err = rs_command_run(command, call, body);

	if (!err && command->out)
		err = rs_body_put(command, body, user);
	if (!call->file)
		return err;
	if (err) {
		put_unused_fd(call->fd);
		fput(call->file);
	} else {
		fd_install(call->fd, call->file);
	}
	return err;
}

/* For a single operation; batches have more to say. */
static void rs_call_init(struct rs_call *call, struct rs_session *session)
{
	call->session = session;
	call->heap = session->heap;
	call->earlier = NULL;
	call->base = 0;
	call->pos = 0;
	call->file = NULL;
}

static long rs_ioctl(struct file *file, unsigned int nr, unsigned long arg)
{
	struct rs_session *session = file->private_data;
	void __user *user = (void __user *)arg;
	const struct rs_command *command;
	/* All that is used of them is written first: no need to zero them */
	union rs_body body __uninitialized;
	struct rs_call call __uninitialized;
	int err;

	if (_IOC_TYPE(nr) != REFSTORE_IOC_MAGIC || nr != _IO(_IOC_TYPE(nr),
							     _IOC_NR(nr)))
		return -ENOTTY;
	rs_call_init(&call, session);
	if (!rs_command_find(_IOC_NR(nr), &command) ||
	    (unlikely(session->exported) && !command->exported))
		return -ENOTTY;
	err = rs_body_get(command, &body, user);
	if (!err && command->probe)
		err = rs_body_put(command, &body, user);
	if (err)
		return err;
	if (command->batch || command->locked)
		err = rs_run_locked(command, &call, &body, user);
	else
		err = rs_run(command, &call, &body, user);
	/* Nothing was done: without a handler, it is done after the signal */
	return err == -EINTR ? -ERESTARTSYS : err;
}

static int rs_open_heap(struct rs_heap *heap, const struct rs_payer *payer,
			u32 rights, struct inode *inode, struct file *file)
{
	struct rs_session *session = rs_session_create(heap, payer, rights);

	if (!session)
		return -ENOMEM;
	file->private_data = session;
	return stream_open(inode, file);
}

/* The device: a heap of one's own. */
static int rs_open(struct inode *inode, struct file *file)
{
	struct rs_payer payer;
	struct rs_heap *heap;
	int err = rs_payer_init_current(&payer);

	if (err)
		return err;
	heap = rs_heap_create(&payer);
	if (!IS_ERR(heap)) {
		err = rs_open_heap(heap, &payer, REFSTORE_RIGHTS, inode, file);
		rs_heap_put(heap);
	} else {
		err = rs_errno(PTR_ERR(heap));
	}
	rs_payer_put(&payer);
	return err;
}

/*
 * A file of fs.c: the heap that it names, on which its inode has a reference. Every
 * session can read, so who must not read has none.
 */
static int rs_open_named(struct inode *inode, struct file *file)
{
	u32 rights = file->f_mode & FMODE_WRITE ? REFSTORE_RIGHTS :
						  REFSTORE_RIGHTS_READ;
	struct rs_payer payer;
	int err;

	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	err = rs_payer_init_current(&payer);
	if (err)
		return err;
	err = rs_open_heap(inode->i_private, &payer, rights, inode, file);
	rs_payer_put(&payer);
	return err;
}

static int rs_release(struct inode *inode, struct file *file)
{
	rs_session_close(file->private_data);
	return 0;
}

static ssize_t rs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct rs_session *session = iocb->ki_filp->private_data;

	return rs_events_read(&session->events, to,
			      !(iocb->ki_filp->f_flags & O_NONBLOCK ||
				iocb->ki_flags & IOCB_NOWAIT));
}

static __poll_t rs_poll(struct file *file, poll_table *table)
{
	struct rs_session *session = file->private_data;

	return rs_events_poll(&session->events, file, table);
}

static void rs_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct rs_session *session = file->private_data;

	seq_printf(m, "heap:\t%llu\n", session->heap->number);
	seq_printf(m, "session:\t%u\n", session->number);
	seq_printf(m, "handles:\t%u\n", READ_ONCE(session->handles.nr));
	seq_printf(m, "rights:\t%#x\n", rs_session_rights(session));
	if (session->exported)
		seq_puts(m, "exported:\t1\n");
}

#define RS_FILE_OPERATIONS(open_) {			\
	.owner = THIS_MODULE,				\
	.open = open_,					\
	.release = rs_release,				\
	.read_iter = rs_read_iter,			\
	.poll = rs_poll,				\
	.unlocked_ioctl = rs_ioctl,			\
	.compat_ioctl = compat_ptr_ioctl,		\
	.show_fdinfo = rs_show_fdinfo,			\
	RS_NO_LLSEEK					\
}

static const struct file_operations rs_fops = RS_FILE_OPERATIONS(rs_open);
const struct file_operations rs_named_fops = RS_FILE_OPERATIONS(rs_open_named);

/* A file for a session that was not opened by name; it closes the session. */
struct file *rs_device_file(struct rs_session *session)
{
	return anon_inode_getfile(session->exported ? "[refstore-object]" :
						      "[refstore]",
				  &rs_fops, session, O_RDWR);
}

/* The exported object's session of a file, as long as that stays; or NULL. */
struct rs_session *rs_device_export(const struct file *file)
{
	struct rs_session *session = file->private_data;

	return file->f_op == &rs_fops && session->exported ? session : NULL;
}

static struct miscdevice rs_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "refstore",
	.fops = &rs_fops,
};

int __init rs_device_init(void)
{
	return misc_register(&rs_device);
}

void rs_device_exit(void)
{
	misc_deregister(&rs_device);
}
