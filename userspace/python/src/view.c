// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "transaction.h"
#include "view.h"

#define FIRST_READ 4096	/* bytes: most nodes are shorter */

void path_clear(struct path *path)
{
	while (path->length)
		node_put(path->nodes[--path->length]);
}

static void path_push(struct path *path, struct node *node)
{
	path->nodes[path->length] = node_get(node);
	path->index[path->length++] = 0;
}

/**
 * view_again() - whether to begin anew
 * @ret: in: what was returned; out: -1, if a signal's handler raised an exception
 *
 * Return: whether it was VIEW_LATE; then other threads have had their turn.
 */
bool view_again(int *ret)
{
	if (*ret != VIEW_LATE)
		return false;
	Py_BEGIN_ALLOW_THREADS
	Py_END_ALLOW_THREADS
	if (PyErr_CheckSignals())
		*ret = -1;
	return *ret == VIEW_LATE;
}

/* --- Getting at nodes ---------------------------------------------------- */

/**
 * struct chain - handles of the nodes of a path, in a batch
 * @builder: the batch
 * @handles: REFSTORE_RESULT() of each, but for that of view->work
 * @nr: how many
 */
struct chain {
	struct refstore_builder *builder;
	uint64_t handles[NODE_LEVELS + 1];
	unsigned int nr;
};

static void chain_add(struct chain *chain, uint64_t from, size_t slot,
		      uint64_t id)
{
	ssize_t op = refstore_builder_match_slot(chain->builder, from, slot, id);

	chain->handles[chain->nr++] = REFSTORE_RESULT((uint64_t)op);
}

/* The nodes of a path, and then, of the last one, what it is at. */
static int chain_begin(struct chain *chain, struct view *view,
		       const struct path *path, bool beyond)
{
	unsigned int i, n = path->length;

	chain->nr = 0;
	chain->builder = session_take_builder(view->session);
	if (!chain->builder)
		return -1;
	if (view->work)
		chain->handles[chain->nr++] = view->work;
	else
		chain_add(chain, view->holder, view->slot, view->seen);
	for (i = 0; i + !beyond < n; i++)
		chain_add(chain, chain->handles[i], path->index[i],
			  path->nodes[i]->ids[path->index[i]]);
	return 0;
}

/* Gives back all handles but the last. */
static void chain_release(struct chain *chain, const struct view *view)
{
	unsigned int first = view->work ? 1 : 0;

	if (chain->nr - first > 1)
		refstore_builder_release_many(chain->builder,
					      chain->handles + first,
					      chain->nr - first - 1);
}

/* What made a handle and did not come to release it. */
static void release_results(struct session *session,
			    const struct refstore_builder *builder)
{
	size_t i, done = refstore_builder_done(builder);
	uint64_t handle;

	for (i = 0; i < done; i++) {
		handle = refstore_builder_result(builder, i);
		if (handle && !refstore_builder_error(builder, i))
			refstore_release(session->store, handle);
	}
}

/*
 * Runs a batch: 0, VIEW_LATE if something was not what it was expected to be, or -1.
 * Then it has left nothing behind.
 */
int view_run(struct session *session, struct refstore_builder *builder)
{
	ssize_t failed = session_submit(session, builder, 0);
	int error;

	if (!failed)
		return 0;
	error = failed < 0 ? (int)failed :
		refstore_builder_error(builder,
				       refstore_builder_done(builder) - 1);
	release_results(session, builder);
	if (error == -EAGAIN)
		return VIEW_LATE;
	error_set(error);
	return -1;
}

static int read_rest(struct session *session, uint64_t handle,
		     struct node *node, const void *first, size_t had)
{
	ssize_t n = 0;
	int ret = 0;

	memcpy(node->data, first, had);
	if (node->length > had)
		n = refstore_read(session->store, handle, had,
				  node->data + had, node->length - had);
	if (n >= 0 && node->nr_slots)
		ret = refstore_peek_slots(session->store, handle, 0, node->ids,
					  node->nr_slots);
	if (n >= 0 && !ret)
		return 0;
	error_set(n < 0 ? (int)n : ret);
	return -1;
}

static bool is_sealed(const struct refstore_stat *stat)
{
	uint32_t sealed = REFSTORE_STATE_SEALED_DATA |
			  (stat->nr_slots ? REFSTORE_STATE_SEALED_SLOTS : 0);

	return (stat->state & sealed) == sealed;
}

/* A node of what was read of an object, which is @handle. */
static struct node *make_node(struct session *session, uint64_t handle,
			      const struct refstore_stat *stat,
			      const void *first, size_t had)
{
	struct node *node;
	uint32_t type;

	if (session_kind(session, KIND_NODE, &type))
		return NULL;
	if (stat->type != type || !is_sealed(stat) ||
	    stat->nr_slots > UINT16_MAX || stat->data_len < had ||
	    stat->data_len > NODE_BYTES) {
		error_set_corrupt("a container refers to what is no node");
		return NULL;
	}
	node = node_new(NULL, stat->data_len, stat->nr_slots);
	if (!node)
		return NULL;
	node->id = stat->id;
	if (!read_rest(session, handle, node, first, had) && !node_check(node))
		return node;
	node_put(node);
	return NULL;
}

/* What is in slot 0 of containers that are wide: one object in each heap. */
static bool is_wide_mark(struct session *session,
			 const struct refstore_stat *stat)
{
	uint32_t type;

	if (session_kind(session, KIND_WIDE, &type)) {
		PyErr_Clear();
		return false;
	}
	if (stat->type != type || !(stat->state & REFSTORE_STATE_INTERNED))
		return false;
	session->wide = stat->id;
	return true;
}

/* Reads what is at the end of a chain; *@node is a new reference. */
static int chain_read(struct chain *chain, struct view *view,
		      struct node **node)
{
	struct session *session = view->session;
	uint64_t last = chain->handles[chain->nr - 1], handle;
	const struct refstore_stat *told;
	unsigned char first[FIRST_READ];
	ssize_t stat, read;
	int ret;

	stat = refstore_builder_stat(chain->builder, last);
	read = refstore_builder_read(chain->builder, last, 0, first,
				     sizeof(first));
	chain_release(chain, view);
	ret = view_run(session, chain->builder);
	if (ret)
		return ret;
	handle = refstore_builder_result(chain->builder,
					 last & ~REFSTORE_RESULT(0));
	told = &refstore_builder_op(chain->builder, stat)->stat;
	if (is_wide_mark(session, told))
		ret = VIEW_WIDE;
	else
		*node = make_node(session, handle, told, first,
				  refstore_builder_op(chain->builder,
						      read)->data.done);
	refstore_release(session->store, handle);
	return ret ? ret : *node ? 0 : -1;
}

/* What the last node of @path is at, or the top; *@node is a new reference. */
static int load(struct view *view, const struct path *path, uint64_t id,
		struct node **node)
{
	struct chain chain;
	int ret;

	*node = cache_find(&view->session->cache, id);
	if (*node) {
		node_get(*node);
		return 0;
	}
	if (chain_begin(&chain, view, path, true))
		return -1;
	ret = chain_read(&chain, view, node);
	session_give_builder(view->session, chain.builder);
	if (!ret && cache_add(&view->session->cache, *node)) {
		node_put(*node);
		ret = -1;
	}
	return ret;
}

/* --- Finding ------------------------------------------------------------- */

/**
 * view_open_at() - look at the version that a slot had
 * @view: in: all but @seen, @work and @top; to be closed, if this returns 0
 * @id: what the slot referred to then
 *
 * Return: 0, VIEW_LATE, VIEW_WIDE, or -1 with an exception.
 */
int view_open_at(struct view *view, uint64_t id)
{
	static const struct path nowhere;
	int ret;

	view->seen = id;
	view->work = 0;
	view->top = NULL;
	if (!id)
		return 0;
	if (id == view->session->wide)
		return VIEW_WIDE;
	ret = load(view, &nowhere, id, &view->top);
	if (ret)
		view->top = NULL;
	if (ret || view->top->keyed == view->keyed)
		return ret;
	error_set_corrupt("a container has nodes of another kind");
	view_close(view);
	return -1;
}

/**
 * view_open() - look at what a slot of a container refers to
 * @view: out: to be closed, if this returns 0
 * @container: a handle of it, which must stay
 * @slot: the slot
 * @keyed: whether its entries have keys
 *
 * Return: 0, VIEW_LATE, VIEW_WIDE, or -1 with an exception.
 */
int view_open(struct view *view, struct object *container, uint32_t slot,
	      bool keyed)
{
	uint64_t id;
	int ret;

	*view = (struct view){
		.session = container->session, .slot = slot, .keyed = keyed,
	};
	if (session_check(view->session) ||
	    transaction_holder(container, slot, 1, &view->holder))
		return -1;
	ret = refstore_peek_slot(view->session->store, view->holder, slot, &id);
	if (!ret)
		return view_open_at(view, id);
	error_set(ret);
	return -1;
}

/**
 * view_pin() - keep the version of a view
 * @view: one that has not been changed
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_pin(struct view *view)
{
	int ret;

	if (!view->seen)
		return 0;
	ret = refstore_match_slot(view->session->store, view->holder,
				  view->slot, view->seen, &view->work);
	if (!ret)
		return 0;
	view->work = 0;
	if (ret == -EAGAIN)
		return VIEW_LATE;
	error_set(ret);
	return -1;
}

void view_close(struct view *view)
{
	if (view->work && view->session->store)
		refstore_release(view->session->store, view->work);
	view->work = 0;
	node_put(view->top);
	view->top = NULL;
}

/* Whether a child is what its parent says of it. */
static bool is_child(const struct node *node, uint32_t index,
		     const struct node *child)
{
	return child->level + 1 == node->level && child->keyed == node->keyed &&
	       node_total(child) == node_count(node, index);
}

/* Goes on from the last node of a path to one of its children. */
int view_step(struct view *view, struct path *path, uint32_t index)
{
	struct node *node = path->nodes[path->length - 1], *child;
	int ret;

	path->index[path->length - 1] = index;
	ret = load(view, path, node->ids[index], &child);
	if (ret)
		return ret;
	if (is_child(node, index, child)) {
		path_push(path, child);
	} else {
		error_set_corrupt("the nodes of a container are in disorder");
		ret = -1;
	}
	node_put(child);
	return ret;
}

/* The last child that begins with a hash below, or the first one. */
static uint32_t child_of_hash(const struct node *node, uint64_t hash)
{
	uint32_t low = 0, high = node->nr, middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (node_first_hash(node, middle) <= hash)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first entry whose hash is not below; the number of entries if there is none. */
static uint32_t entry_of_hash(const struct node *node, uint64_t hash)
{
	uint32_t low = 0, high = node->nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (node_hash(node, middle) < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * view_find_hash() - the leaf where a hash is, or would be
 * @view: of a container whose entries have keys
 * @path: out: to the first entry that has this hash, or before which it would be;
 *        empty if the view is. To be cleared, whatever is returned
 * @hash: the hash
 *
 * Equal hashes are in one leaf.
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_find_hash(struct view *view, struct path *path, uint64_t hash)
{
	struct node *node = view->top;
	int ret = 0;

	path->length = 0;
	if (!node)
		return 0;
	path_push(path, node);
	while (!ret && node->level) {
		ret = view_step(view, path, child_of_hash(node, hash));
		node = path->nodes[path->length - 1];
	}
	path->index[path->length - 1] = node->level ? 0 :
					entry_of_hash(node, hash);
	return ret;
}

static uint32_t child_of_place(const struct node *node, uint64_t *place)
{
	uint32_t i;

	for (i = 0; i + 1 < node->nr && *place >= node_count(node, i); i++)
		*place -= node_count(node, i);
	return i;
}

/**
 * view_find_place() - the leaf where an entry is
 * @view: the view
 * @path: out: to the entry; for the number of entries, behind the last one. Empty if
 *        the view is. To be cleared, whatever is returned
 * @place: which one, from 0 to the number of entries
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_find_place(struct view *view, struct path *path, uint64_t place)
{
	struct node *node = view->top;
	int ret = 0;

	path->length = 0;
	if (!node)
		return 0;
	path_push(path, node);
	while (!ret && node->level) {
		ret = view_step(view, path, child_of_place(node, &place));
		node = path->nodes[path->length - 1];
	}
	if (!ret && place > node->nr) {
		error_set_corrupt("a container has fewer entries than it says");
		ret = -1;
	}
	path->index[path->length - 1] = (uint32_t)place;
	return ret;
}

/* Which child has the entry that came last below it. */
static uint32_t child_of_last(const struct node *node)
{
	uint32_t i, last = 0;

	for (i = 1; i < node->nr; i++)
		if (node_serial(node, i) > node_serial(node, last))
			last = i;
	return last;
}

/**
 * view_find_last() - the leaf with the entry that came last
 * @view: of a container whose entries have keys
 * @path: out: to the leaf; empty if the view is. To be cleared, whatever is returned
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_find_last(struct view *view, struct path *path)
{
	struct node *node = view->top;
	int ret = 0;

	path->length = 0;
	if (!node)
		return 0;
	path_push(path, node);
	while (!ret && node->level) {
		ret = view_step(view, path, child_of_last(node));
		node = path->nodes[path->length - 1];
	}
	return ret;
}

/*
 * Whether a leaf with keys comes after another one. Nodes that are there several times
 * would be walked over without end, as good as; those without keys, see seq.c.
 */
static bool is_after(const struct node *leaf, uint64_t hash)
{
	return !leaf->keyed || node_hash(leaf, 0) > hash;
}

static int step_to_leaf(struct view *view, struct path *path)
{
	int ret = view_step(view, path, path->index[path->length - 1] + 1);

	while (!ret && path->nodes[path->length - 1]->level)
		ret = view_step(view, path, 0);
	return ret;
}

/**
 * view_next_leaf() - go on to the leaf after that of a path
 * @view: the view
 * @path: in and out; to the leaf's first entry, or empty if there is none
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_next_leaf(struct view *view, struct path *path)
{
	struct node *node = path->nodes[path->length - 1];
	uint64_t hash = node->keyed ? node_hash(node, node->nr - 1U) : 0;
	int ret;

	do {
		node_put(path->nodes[--path->length]);
		if (!path->length)
			return 0;
		node = path->nodes[path->length - 1];
	} while (path->index[path->length - 1] + 1U >= node->nr);
	ret = step_to_leaf(view, path);
	if (ret || is_after(path->nodes[path->length - 1], hash))
		return ret;
	error_set_corrupt("the keys of a container are in disorder");
	return -1;
}

/**
 * view_object() - a handle of what a slot of a leaf refers to
 * @view: the view
 * @path: to the leaf
 * @slot: which slot
 * @handle: out: the caller's
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_object(struct view *view, struct path *path, uint32_t slot,
		uint64_t *handle)
{
	unsigned int last = path->length - 1;
	uint32_t index = path->index[last];
	struct chain chain;
	int ret;

	path->index[last] = slot;
	ret = chain_begin(&chain, view, path, true);
	path->index[last] = index;
	if (ret)
		return -1;
	chain_release(&chain, view);
	ret = view_run(view->session, chain.builder);
	if (!ret)
		*handle = refstore_builder_result(chain.builder,
				chain.handles[chain.nr - 1] & ~REFSTORE_RESULT(0));
	session_give_builder(view->session, chain.builder);
	return ret;
}
