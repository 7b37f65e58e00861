// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels: names that people give to sessions, heaps and objects.
 *
 * A session's is in the session, under the lock of heap->sessions, as walks read
 * it under that. A heap's is in the heap, under table_lock. An object's is found
 * by the object's index, in heap->labels, under whose lock its text is written and
 * read; once an object has one, it keeps its memory, and leaves the table with it.
 */
#include <linux/ctype.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "call.h"
#include "label.h"
#include "trace.h"

static bool rs_label_valid(const char *text)
{
	size_t length = strnlen(text, REFSTORE_LABEL_MAX), i;

	for (i = 0; i < length; i++)
		if (iscntrl(text[i]))
			return false;
	return length < REFSTORE_LABEL_MAX &&
	       !memchr_inv(text + length, 0, REFSTORE_LABEL_MAX - length);
}

static void rs_label_session(struct rs_session *session, const char *text)
{
	xa_lock(&session->heap->sessions);
	memcpy(session->label, text, REFSTORE_LABEL_MAX);
	xa_unlock(&session->heap->sessions);
}

static void rs_label_heap(struct rs_heap *heap, const char *text)
{
	spin_lock(&heap->table_lock);
	memcpy(heap->label, text, REFSTORE_LABEL_MAX);
	spin_unlock(&heap->table_lock);
}

/* Replaces the label of an object that has one. */
static bool rs_label_replace(struct rs_heap *heap, const struct rs_object *obj,
			     const char *text)
{
	struct rs_label *label;

	xa_lock(&heap->labels);
	label = xa_load(&heap->labels, obj->index);
	if (label)
		memcpy(label->text, text, REFSTORE_LABEL_MAX);
	xa_unlock(&heap->labels);
	return label;
}

/* Gives an object its first label, unless somebody else does meanwhile. */
static int rs_label_add(struct rs_heap *heap, struct rs_object *obj,
			struct rs_label *label)
{
	struct rs_label *old;
	int err = rs_heap_charge(heap, obj, sizeof(*label));

	if (err)
		return err;
	old = xa_cmpxchg(&heap->labels, obj->index, NULL, label, RS_GFP);
	if (old) {
		rs_heap_uncharge(heap, obj, sizeof(*label));
		return xa_is_err(old) ? xa_err(old) : -EEXIST;
	}
	spin_lock(rs_slot_lock(heap, obj));
	WRITE_ONCE(obj->flags, obj->flags | RS_LABELLED);
	spin_unlock(rs_slot_lock(heap, obj));
	return 0;
}

/* The caller has a reference to the object. */
static int rs_label_object(struct rs_heap *heap, struct rs_object *obj,
			   const char *text)
{
	struct rs_label *label;
	int err;

	if (rs_label_replace(heap, obj, text))
		return 0;
	label = kmalloc(sizeof(*label), RS_GFP);
	if (!label)
		return -ENOMEM;
	memcpy(label->text, text, REFSTORE_LABEL_MAX);
	err = rs_label_add(heap, obj, label);
	if (err)
		kfree(label);
	if (err == -EEXIST) {
		rs_label_replace(heap, obj, text);
		err = 0;
	}
	return err;
}

/* The label of an object, which table_lock keeps; REFSTORE_LABEL_MAX bytes. */
void rs_label_read(struct rs_heap *heap, const struct rs_object *obj,
		   char *text)
{
	struct rs_label *label;

	xa_lock(&heap->labels);
	label = xa_load(&heap->labels, obj->index);
	if (label)
		memcpy(text, label->text, REFSTORE_LABEL_MAX);
	else
		memset(text, 0, REFSTORE_LABEL_MAX);
	xa_unlock(&heap->labels);
}

/* A labelled object leaves its heap's table; under table_lock. */
void rs_label_forget(struct rs_heap *heap, const struct rs_object *obj)
{
	kfree(xa_erase(&heap->labels, obj->index));
}

/* The heap goes. */
void rs_labels_end(struct rs_heap *heap)
{
	struct rs_label *label;
	unsigned long index;

	/* One by one, as in rs_weak_forget() */
	xa_for_each(&heap->labels, index, label) {
		kfree(xa_erase(&heap->labels, index));
		cond_resched();
	}
}

static int rs_label_handle(struct rs_call *call, u64 handle, const char *text)
{
	struct rs_object *obj;
	int err = rs_session_may(call->session, REFSTORE_RIGHT_WRITE_DATA);

	if (!err)
		err = rs_call_object(call, handle, &obj);
	if (!err)
		err = rs_label_object(call->heap, obj, text);
	if (!err)
		trace_refstore_label(call->heap, obj, text);
	return err;
}

/* REFSTORE_LABEL */
int rs_label(struct rs_call *call, void *body)
{
	struct refstore_label *args = body;
	int err;

	if (!rs_label_valid(args->label))
		return -EINVAL;
	if (args->what == REFSTORE_LABEL_OBJECT)
		return rs_label_handle(call, args->object, args->label);
	if (args->object)
		return -EINVAL;
	switch (args->what) {
	case REFSTORE_LABEL_SESSION:
		rs_label_session(call->session, args->label);
		return 0;
	case REFSTORE_LABEL_HEAP:
		err = rs_session_may(call->session, REFSTORE_RIGHT_WRITE_SLOTS);
		if (!err)
			rs_label_heap(call->heap, args->label);
		return err;
	}
	return -EINVAL;
}
