// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "take.h"

/**
 * struct place - where a value is that is being taken
 * @view: in this version
 * @path: to the entry
 * @late: the version is gone
 */
struct place {
	struct view *view;
	struct path *path;
	bool late;
};

static PyObject *resolve(void *context, uint32_t slot)
{
	struct place *place = context;
	struct path *path = place->path;
	const struct node *leaf = path->nodes[path->length - 1];
	PyObject *known;
	uint64_t handle;
	int ret;

	if (slot >= leaf->nr_slots || !leaf->ids[slot])
		return error_set_corrupt("an entry lacks what it refers to");
	known = session_known(place->view->session, leaf->ids[slot]);
	if (known || PyErr_Occurred())
		return known;
	ret = view_object(place->view, path, slot, &handle);
	if (!ret)
		return session_adopt(place->view->session, handle);
	if (ret == VIEW_LATE) {
		place->late = true;
		error_set_corrupt("the version is gone");
	}
	return NULL;
}

/**
 * take_value() - a value that is in an entry
 * @view: in this version
 * @path: to the entry
 * @reader: the value's place in the entry
 *
 * Return: a new reference; NULL with an exception, or without one if the version is
 * gone.
 */
PyObject *take_value(struct view *view, struct path *path,
		     struct reader reader)
{
	unsigned int last = path->length - 1;
	struct place place = { .view = view, .path = path };
	struct unpacker unpacker = {
		.reader = reader,
		.slot = node_slot(path->nodes[last], path->index[last]),
		.resolve = resolve,
		.context = &place,
	};
	PyObject *value = unpacker_take(&unpacker);

	if (!value && place.late)
		PyErr_Clear();
	return value;
}
