// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharing: how others come to a heap and its objects, and with which rights.
 *
 * A session is minted by another one and has that one's rights, or fewer. An
 * object is exported as a descriptor: its file is that of a session which holds
 * one handle, the object's, and does nothing. So it counts while it is in flight
 * and when its sender is dead, and it needs no other book than that of sessions.
 * It holds no file: no cycle goes through a socket.
 *
 * Rights only shrink. What an export can be used for is in its mask, which lies
 * within the exporter's rights: an importing session's rights lie within that, or
 * a session is opened through the export, which has those of the mask.
 */
#include <linux/file.h>

#include "call.h"
#include "device.h"
#include "reclaim.h"

/*
 * Lets a call return a descriptor of a session, which is the file's then, or
 * closed. The caller installs it, after the answer.
 */
static int rs_call_descriptor(struct rs_call *call, struct rs_session *session,
			      s32 *fd)
{
	struct file *file;
	int err;

	if (IS_ERR(session))
		return PTR_ERR(session);
	call->fd = get_unused_fd_flags(O_CLOEXEC);
	if (call->fd < 0) {
		err = call->fd;
		goto close;
	}
	file = rs_device_file(session);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto put_fd;
	}
	call->file = file;
	*fd = call->fd;
	return 0;

put_fd:
	put_unused_fd(call->fd);
close:
	rs_session_close(session);
	return err;
}

/* REFSTORE_SESSION_NEW */
int rs_session_new(struct rs_call *call, void *body)
{
	struct refstore_session_new *new = body;
	struct rs_session *session;
	struct rs_payer payer;
	int err = rs_payer_init_current(&payer);

	if (err)
		return err;
	if (new->flags & REFSTORE_SESSION_CLONE)
		session = rs_session_clone(call->session, &payer);
	else
		session = rs_session_create(call->heap, &payer,
					    rs_session_rights(call->session)) ?:
			  ERR_PTR(-ENOMEM);
	rs_payer_put(&payer);
	return rs_call_descriptor(call, session, &new->fd);
}

/*
 * REFSTORE_RESTRICT: what began on objects before has ended when we have the
 * session's lock.
 */
int rs_restrict(struct rs_call *call, void *body)
{
	struct refstore_restrict *args = body;
	struct rs_session *session = call->session;

	if (args->rights & ~(u64)REFSTORE_RIGHTS)
		return -EINVAL;
	if (mutex_lock_interruptible(&session->lock))
		return -EINTR;
	WRITE_ONCE(session->denied,
		   session->denied | (REFSTORE_RIGHTS & ~args->rights));
	mutex_unlock(&session->lock);
	return 0;
}

/* A reference to what a handle names, if the session has some rights. */
static int rs_export_get(struct rs_call *call, u64 handle, u32 rights,
			 struct rs_object **obj)
{
	int err;

	if (mutex_lock_interruptible(&call->session->lock))
		return -EINTR;
	err = rs_session_may(call->session, rights | REFSTORE_RIGHT_EXPORT);
	if (!err)
		err = rs_call_object(call, handle, obj);
	if (!err)
		err = rs_ref_get(&(*obj)->ref);
	mutex_unlock(&call->session->lock);
	return err;
}

/* REFSTORE_EXPORT */
int rs_export(struct rs_call *call, void *body)
{
	struct refstore_export *args = body;
	struct rs_session *session;
	struct rs_payer payer;
	struct rs_object *obj;
	int err;

	if (args->rights & ~(u64)REFSTORE_RIGHTS)
		return -EINVAL;
	err = rs_payer_init_current(&payer);
	if (err)
		return err;
	err = rs_export_get(call, args->object, args->rights, &obj);
	if (err)
		goto put_payer;
	session = rs_session_export(call->heap, &payer, obj, args->rights);
	if (IS_ERR(session))
		rs_put(call->heap, obj);
	err = rs_call_descriptor(call, session, &args->fd);
put_payer:
	rs_payer_put(&payer);
	return err;
}

/* The object's handle keeps it: nobody takes that out while the file stays. */
static int rs_import_from(struct rs_call *call, const struct rs_session *from,
			  u64 *result)
{
	struct rs_object *obj;
	int err;

	if (!from)
		return -EINVAL;
	if (from->heap != call->heap)
		return -EXDEV;
	err = rs_session_may(from, rs_session_rights(call->session));
	if (err)
		return err;
	obj = rs_handle_lookup(&from->handles, from->exported);
	err = rs_ref_get(&obj->ref);
	return err ? err : rs_call_result(call, obj, result);
}

/* REFSTORE_IMPORT */
int rs_import(struct rs_call *call, void *body)
{
	struct refstore_import *args = body;
	struct file *file = fget(args->fd);
	int err;

	if (!file)
		return -EBADF;
	err = rs_import_from(call, rs_device_export(file), &args->result);
	fput(file);
	return err;
}

/* REFSTORE_OPEN_EXPORT */
int rs_open_export(struct rs_call *call, void *body)
{
	struct refstore_open_export *args = body;
	struct rs_session *session;
	struct rs_payer payer;
	int err;

	if (!call->session->exported)
		return -ENOTTY;
	err = rs_payer_init_current(&payer);
	if (err)
		return err;
	args->object = call->session->exported;
	session = rs_session_clone(call->session, &payer);
	rs_payer_put(&payer);
	return rs_call_descriptor(call, session, &args->fd);
}
