/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container as it was at one moment, and a change of it that nobody has seen yet.
 *
 * A view is opened at the version that the container has then. What is found in it is
 * of that version, whoever changes the container meanwhile; that the nodes which were
 * not read yet are still there is seen when they are: VIEW_LATE says that the version
 * is gone, and the caller opens the view anew.
 *
 * A change makes nodes, which the view refers to by a handle, and view_publish() makes
 * them the container's version; or the last change does both in one call. VIEW_LATE
 * then says that somebody else was faster, and nothing was changed.
 *
 * A view that is pinned keeps its version, for as long as it is open.
 */
#ifndef REFSTORE_PYTHON_VIEW_H
#define REFSTORE_PYTHON_VIEW_H

#include "session.h"

#define VIEW_LATE	1	/* beside 0, and -1 with an exception */
#define VIEW_WIDE	2	/* view_open(): the container is wide, see map.h */

/**
 * struct view - see above
 * @session: of what is looked at
 * @holder: handle of the object that has the slot, which stays
 * @slot: the slot that refers to the top
 * @keyed: entries have keys
 * @seen: id of what the slot referred to; 0: nothing
 * @work: handle of the top that we have made, or pinned; 0: there is none
 * @top: the top, a reference; NULL: it is empty
 */
struct view {
	struct session *session;
	uint64_t holder;
	uint32_t slot;
	bool keyed;
	uint64_t seen;
	uint64_t work;
	struct node *top;
};

/**
 * struct path - from the top of a view to a leaf
 * @nodes: the nodes, references, from the top on
 * @index: in each of them, the child that comes next; in the leaf, an entry
 * @length: how many
 */
struct path {
	struct node *nodes[NODE_LEVELS];
	uint32_t index[NODE_LEVELS];
	unsigned int length;
};

/**
 * struct entry - an entry on its way into a leaf
 * @hash: where there are keys
 * @data: @length bytes
 * @length: see above
 * @objects: a list of what its slots shall refer to, or NULL
 */
struct entry {
	uint64_t hash;
	const unsigned char *data;
	size_t length;
	PyObject *objects;
};

/**
 * struct splice - a change of one leaf
 * @path: to the leaf; of length 0 where there is none, in an empty container
 * @remove: how many entries go, from the path's on
 * @entries: what comes there
 * @nr_entries: how many
 * @publish: whether this is the last change
 */
struct splice {
	struct path *path;
	uint32_t remove;
	const struct entry *entries;
	uint32_t nr_entries;
	bool publish;
};

#define SPLICE_MAX 256	/* entries that come at once */

bool view_again(int *ret);
int view_run(struct session *session, struct refstore_builder *builder);
int view_open(struct view *view, struct object *container, uint32_t slot,
	      bool keyed);
int view_open_at(struct view *view, uint64_t id);
int view_pin(struct view *view);
int view_step(struct view *view, struct path *path, uint32_t index);
int view_find_hash(struct view *view, struct path *path, uint64_t hash);
int view_find_place(struct view *view, struct path *path, uint64_t place);
int view_find_last(struct view *view, struct path *path);
int view_next_leaf(struct view *view, struct path *path);
int view_object(struct view *view, struct path *path, uint32_t slot,
		uint64_t *handle);
void path_clear(struct path *path);

int view_splice(struct view *view, const struct splice *splice);
int view_publish(struct view *view);
void view_close(struct view *view);

#endif /* REFSTORE_PYTHON_VIEW_H */
