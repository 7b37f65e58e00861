// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Changes: new nodes, from a leaf to the top, in one batch.
 *
 * Level by level, what the new nodes of it consist of is listed as items: entries or
 * children, of the old nodes or new ones. A list that is too long for a node is cut; one
 * that is too short takes in the neighbour's, as far as that is at hand. Slots that are
 * as they were are copied from the old nodes in the kernel, so no handles are needed for
 * what they refer to.
 */
#include <errno.h>

#include "error.h"
#include "view.h"

#define LEAF_BYTES	2048	/* of entries, unless one alone has more */
#define LEAF_KEYS	32
#define LEAF_PLACES	128
#define CHILDREN	64
#define FEW		4	/* what is less than this part of a node's is too short */
#define RELEASED	64	/* handles at once */

/**
 * struct slot - what a slot of a new node shall refer to
 * @handle: this; or 0
 * @id: its id; if it is new as well, REFSTORE_RESULT() of what makes it
 * @from: else: handle of an old node
 * @index: and which slot of that
 */
struct slot {
	uint64_t handle;
	uint64_t id;
	uint64_t from;
	uint32_t index;
};

/**
 * struct item - an entry, or a child
 * @hash: of the entry, or the lowest below the child
 * @count: how many entries are below the child
 * @serial: larger than all serial numbers below the child
 * @data: the entry
 * @length: its bytes
 * @slot: the first of its slots
 * @nr_slots: how many
 */
struct item {
	uint64_t hash;
	uint64_t count;
	uint64_t serial;
	const unsigned char *data;
	size_t length;
	size_t slot;
	size_t nr_slots;
};

/**
 * struct level - what new nodes consist of
 * @items: all items in their order
 * @nr: how many
 * @room: items that fit
 * @slots: those of all items
 * @nr_slots: how many
 * @slots_room: slots that fit
 */
struct level {
	struct item *items;
	size_t nr;
	size_t room;
	struct slot *slots;
	size_t nr_slots;
	size_t slots_room;
};

/**
 * struct work - a change that is being made
 * @view: of what
 * @builder: the batch
 * @old: handles of the old nodes of the path, from the top on
 * @type: of nodes
 * @level: what the nodes of the level consist of that is being made
 * @made: the new nodes of the level below, as items of this
 * @nodes: new nodes, their id being what makes them as long as they have none
 * @nr_nodes: how many
 * @nodes_room: nodes that fit
 * @neighbours: of nodes of the path, references, where their items were taken in
 * @top: what stands for the handle of the new top; 0: there is none
 * @results: handles that the batch makes
 * @nr_results: how many
 * @results_room: results that fit
 */
struct work {
	struct view *view;
	struct refstore_builder *builder;
	uint64_t old[NODE_LEVELS];
	uint32_t type;
	struct level level;
	struct level made;
	struct node **nodes;
	size_t nr_nodes;
	size_t nodes_room;
	struct node *neighbours[NODE_LEVELS];
	uint64_t top;
	uint64_t *results;
	size_t nr_results;
	size_t results_room;
};

/* --- Lists --------------------------------------------------------------- */

static int make_room(void **array, size_t *room, size_t nr, size_t size)
{
	size_t wanted = *room ? 2 * *room : 64;
	void *larger;

	if (nr < *room)
		return 0;
	larger = PyMem_Realloc(*array, wanted * size);
	if (!larger) {
		PyErr_NoMemory();
		return -1;
	}
	*array = larger;
	*room = wanted;
	return 0;
}

static int add_slot(struct level *level, const struct slot *slot)
{
	if (make_room((void **)&level->slots, &level->slots_room,
		      level->nr_slots, sizeof(*slot)))
		return -1;
	level->slots[level->nr_slots++] = *slot;
	return 0;
}

/* An item, whose slots were added before it. */
static int add_item(struct level *level, const struct item *item)
{
	struct item *added;

	if (make_room((void **)&level->items, &level->room, level->nr,
		      sizeof(*item)))
		return -1;
	added = &level->items[level->nr++];
	*added = *item;
	added->slot = level->nr_slots - item->nr_slots;
	return 0;
}

static void level_free(struct level *level)
{
	PyMem_Free(level->items);
	PyMem_Free(level->slots);
}

static int add_old_slots(struct level *level, const struct node *node,
			 uint64_t handle, uint32_t first, uint32_t end)
{
	for (; first < end; first++) {
		const struct slot slot = {
			.id = node->ids[first], .from = handle, .index = first,
		};

		if (add_slot(level, &slot))
			return -1;
	}
	return 0;
}

/* Entries of an old leaf. */
static int add_old_entries(struct level *level, const struct node *node,
			   uint64_t handle, uint32_t first, uint32_t end)
{
	for (; first < end; first++) {
		struct reader entry = node_entry(node, first);
		const struct item item = {
			.hash = node->keyed ? node_hash(node, first) : 0,
			.data = entry.at,
			.length = (size_t)(entry.end - entry.at),
			.nr_slots = node_slot(node, first + 1) -
				    node_slot(node, first),
		};

		if (add_old_slots(level, node, handle, node_slot(node, first),
				  node_slot(node, first + 1)) ||
		    add_item(level, &item))
			return -1;
	}
	return 0;
}

/* Children of another old node. */
static int add_old_children(struct level *level, const struct node *node,
			    uint64_t handle, uint32_t first, uint32_t end)
{
	for (; first < end; first++) {
		const struct item item = {
			.hash = node->keyed ? node_first_hash(node, first) : 0,
			.count = node_count(node, first),
			.serial = node->keyed ? node_serial(node, first) : 0,
			.nr_slots = 1,
		};

		if (add_old_slots(level, node, handle, first, first + 1) ||
		    add_item(level, &item))
			return -1;
	}
	return 0;
}

static int add_old(struct level *level, const struct node *node,
		   uint64_t handle, uint32_t first, uint32_t end)
{
	return (node->level ? add_old_children : add_old_entries)(
		level, node, handle, first, end);
}

static int add_entry(struct level *level, const struct entry *entry)
{
	Py_ssize_t i, n = entry->objects ? PyList_Size(entry->objects) : 0;
	const struct item item = {
		.hash = entry->hash, .data = entry->data,
		.length = entry->length, .nr_slots = (size_t)n,
	};

	for (i = 0; i < n; i++) {
		struct object *object =
			(struct object *)PyList_GetItem(entry->objects, i);
		const struct slot slot = {
			.handle = object->handle, .id = object->id,
		};

		if (add_slot(level, &slot))
			return -1;
	}
	return add_item(level, &item);
}

/* The new nodes of the level below. */
static int add_made(struct level *level, const struct level *made)
{
	size_t i;

	for (i = 0; i < made->nr; i++)
		if (add_slot(level, &made->slots[i]) ||
		    add_item(level, &made->items[i]))
			return -1;
	return 0;
}

static void level_empty(struct level *level)
{
	level->nr = 0;
	level->nr_slots = 0;
}

/* --- Nodes --------------------------------------------------------------- */

static void fill_header(struct node *node, unsigned int level, bool keyed,
			size_t nr)
{
	node->level = (uint8_t)level;
	node->keyed = keyed;
	node->nr = (uint16_t)nr;
	memset(node->data, 0, NODE_HEADER);
	node->data[0] = NODE_FORMAT;
	node->data[1] = (unsigned char)level;
	store16(node->data + 2, (uint16_t)nr);
	node->data[4] = keyed;
}

static void fill_leaf(struct node *node, const struct item *items)
{
	unsigned char *hash = node->data + NODE_HEADER;
	unsigned char *end = hash + (node->keyed ? 8 : 0) * node->nr;
	unsigned char *slot = end + 4 * node->nr;
	unsigned char *entries = slot + 2 * node->nr, *at = entries;
	size_t slots = 0;
	uint32_t i;

	for (i = 0; i < node->nr; i++) {
		memcpy(at, items[i].data, items[i].length);
		at += items[i].length;
		slots += items[i].nr_slots;
		store32(end + 4 * i, (uint32_t)(at - entries));
		store16(slot + 2 * i, (uint16_t)slots);
		if (node->keyed)
			store64(hash + 8 * i, items[i].hash);
	}
}

static void fill_inner(struct node *node, const struct item *items)
{
	unsigned char *at = node->data + NODE_HEADER;
	uint32_t i, nr = node->nr;

	for (i = 0; i < nr; i++) {
		store64(at + 8 * i, items[i].count);
		if (!node->keyed)
			continue;
		store64(at + 8 * (nr + i), items[i].hash);
		store64(at + 8 * (2 * nr + i), items[i].serial);
	}
}

static size_t node_bytes(const struct item *items, size_t nr,
			 unsigned int level, bool keyed)
{
	size_t bytes = NODE_HEADER, i;

	if (level)
		return bytes + NODE_CHILD(keyed) * nr;
	for (i = 0; i < nr; i++)
		bytes += NODE_ENTRY(keyed) + items[i].length;
	return bytes;
}

/* Lets slots that are as they were be copied, run by run. */
static void copy_runs(struct refstore_builder *builder, uint64_t to,
		      const struct slot *slots, size_t nr)
{
	size_t i, n;

	for (i = 0; i < nr; i += n) {
		n = 1;
		if (slots[i].handle)
			continue;
		while (i + n < nr && n < REFSTORE_MAX_COPY &&
		       !slots[i + n].handle &&
		       slots[i + n].from == slots[i].from &&
		       slots[i + n].index == slots[i].index + n)
			n++;
		refstore_builder_copy_slots(builder, to, i, slots[i].from,
					    slots[i].index, n);
	}
}

/* What stands for the handle that an operation makes; 0 with an exception. */
static uint64_t add_result(struct work *work, ssize_t op)
{
	uint64_t result = REFSTORE_RESULT((uint64_t)op);

	if (op < 0) {
		error_set((int)op);
		return 0;
	}
	if (make_room((void **)&work->results, &work->results_room,
		      work->nr_results, sizeof(result)))
		return 0;
	work->results[work->nr_results++] = result;
	return result;
}

/* Has a node made in the batch; returns what stands for its handle, or 0. */
static uint64_t emit_with(struct work *work, struct node *node,
			  const uint64_t *handles, uint32_t seals)
{
	const struct refstore_spec spec = {
		.type = work->type,
		.flags = REFSTORE_SEAL_DATA | seals,
		.data = node->data,
		.data_len = node->length,
		.slots = handles,
		.nr_slots = node->nr_slots,
	};

	return add_result(work, refstore_builder_create(work->builder, &spec));
}

/* The same for one that refers to something, which it copies where it can. */
static uint64_t emit(struct work *work, struct node *node,
		     const struct slot *slots)
{
	uint64_t *handles = PyMem_Calloc(node->nr_slots + 1, sizeof(*handles));
	bool copies = false;
	uint64_t made;
	uint32_t i;

	if (!handles) {
		PyErr_NoMemory();
		return 0;
	}
	for (i = 0; i < node->nr_slots; i++) {
		handles[i] = slots[i].handle;
		node->ids[i] = slots[i].id;
		copies |= !slots[i].handle;
	}
	made = emit_with(work, node, handles,
			 copies || !node->nr_slots ? 0 : REFSTORE_SEAL_SLOTS);
	PyMem_Free(handles);
	if (!made)
		return 0;
	copy_runs(work->builder, made, slots, node->nr_slots);
	if (copies)
		refstore_builder_seal(work->builder, made, REFSTORE_SEAL_SLOTS);
	return made;
}

static int keep_node(struct work *work, struct node *node)
{
	if (make_room((void **)&work->nodes, &work->nodes_room, work->nr_nodes,
		      sizeof(node)))
		return -1;
	work->nodes[work->nr_nodes++] = node;
	return 0;
}

/* Adds a node to what was made. */
static int add_node(struct level *made, const struct node *node,
		    const struct item *first, uint64_t handle)
{
	const struct slot slot = { .handle = handle, .id = handle };
	const struct item item = {
		.hash = first->hash,
		.count = node_total(node),
		.serial = node->keyed ? node_next_serial(node) : 0,
		.nr_slots = 1,
	};

	return add_slot(made, &slot) || add_item(made, &item) ? -1 : 0;
}

/* A node of items of work->level. */
static int make_node(struct work *work, struct level *made, size_t first,
		     size_t nr, unsigned int level)
{
	const struct item *items = work->level.items + first;
	const struct item *last = items + nr - 1;
	bool keyed = work->view->keyed;
	size_t nr_slots = last->slot + last->nr_slots - items->slot;
	size_t length = node_bytes(items, nr, level, keyed);
	struct node *node;

	if (level >= NODE_LEVELS) {
		error_set_corrupt("a container has more levels than can be");
		return -1;
	}
	if (nr_slots > UINT16_MAX || length > NODE_BYTES) {
		PyErr_SetString(PyExc_ValueError,
				"a key or a tuple is too large for a heap");
		return -1;
	}
	node = node_new(NULL, length, (uint32_t)nr_slots);
	if (!node)
		return -1;
	if (keep_node(work, node)) {
		node_put(node);
		return -1;
	}
	fill_header(node, level, keyed, nr);
	(level ? fill_inner : fill_leaf)(node, items);
	node->id = emit(work, node, work->level.slots + items->slot);
	return node->id ? add_node(made, node, items, node->id) : -1;
}

/* --- Cutting a list ------------------------------------------------------ */

static size_t most_items(const struct work *work, unsigned int level)
{
	if (level)
		return CHILDREN;
	return work->view->keyed ? LEAF_KEYS : LEAF_PLACES;
}

/* How many nodes a list needs; @items says how many each shall have at most. */
static size_t count_parts(const struct work *work, unsigned int level,
			  size_t *most)
{
	const struct level *list = &work->level;
	size_t bytes, parts;

	*most = most_items(work, level);
	parts = (list->nr + *most - 1) / *most;
	bytes = level ? 0 : node_bytes(list->items, list->nr, 0, false);
	if (parts < (bytes + LEAF_BYTES - 1) / LEAF_BYTES)
		parts = (bytes + LEAF_BYTES - 1) / LEAF_BYTES;
	return parts > list->nr ? list->nr : parts;
}

/* As much of a part as a node takes; the first item in any case. */
static size_t fit_part(const struct work *work, unsigned int level,
		       size_t first, size_t end)
{
	const struct item *items = work->level.items;
	size_t bytes = NODE_HEADER, slots = 0, i;

	if (level)
		return end;
	for (i = first; i < end; i++) {
		bytes += NODE_ENTRY(work->view->keyed) + items[i].length;
		slots += items[i].nr_slots;
		if (i > first && (bytes > NODE_BYTES || slots > UINT16_MAX))
			break;
	}
	return i;
}

/* Entries of one hash stay together. */
static size_t extend_part(const struct work *work, unsigned int level,
			  size_t end)
{
	const struct level *list = &work->level;

	if (level || !work->view->keyed)
		return end;
	while (end < list->nr &&
	       list->items[end].hash == list->items[end - 1].hash)
		end++;
	return end;
}

/*
 * Makes nodes of a list. Parts are equal; but where something was added at the end,
 * which often goes on, as many as possible are full.
 */
static int make_nodes(struct work *work, struct level *made, unsigned int level,
		      bool at_end)
{
	size_t most, parts = count_parts(work, level, &most), first = 0, end;
	size_t nr = work->level.nr;

	at_end = at_end && parts == (nr + most - 1) / most;
	level_empty(made);
	while (first < nr) {
		end = first + (nr - first + parts - 1) / parts;
		if (at_end)
			end = first + most < nr ? first + most : nr;
		end = extend_part(work, level,
				  fit_part(work, level, first, end));
		if (make_node(work, made, first, end - first, level))
			return -1;
		first = end;
		parts -= parts > 1;
	}
	return 0;
}

/* --- From the leaf to the top -------------------------------------------- */

/**
 * struct span - entries or children of an old node, in place of which new ones come
 * @first: the first
 * @count: how many
 */
struct span {
	uint32_t first;
	uint32_t count;
};

/* The neighbour of a node of the path, if it is at hand; or NULL. */
static struct node *find_neighbour(struct work *work, const struct path *path,
				   unsigned int depth, uint32_t index)
{
	struct node *parent = path->nodes[depth - 1], *node;

	node = cache_find(&work->view->session->cache, parent->ids[index]);
	if (!node || node->level + 1 != parent->level ||
	    node->keyed != parent->keyed)
		return NULL;
	work->neighbours[depth] = node_get(node);
	return node;
}

/*
 * Adds all of a neighbour. In the parent, the span grows by it. Returns 1 if it is not
 * at hand.
 */
static int add_neighbour(struct work *work, const struct path *path,
			 unsigned int depth, uint32_t index)
{
	struct node *node = find_neighbour(work, path, depth, index);
	uint64_t handle;

	if (!node)
		return 1;
	handle = add_result(work, refstore_builder_match_slot(
			work->builder, work->old[depth - 1], index, node->id));
	return handle ? add_old(&work->level, node, handle, 0, node->nr) : -1;
}

/* Which neighbour of too short a list is to be taken in: its index, or -1. */
static int choose_neighbour(const struct work *work, const struct path *path,
			    unsigned int depth, size_t nr)
{
	uint32_t index;

	if (!depth || !nr || path->nodes[depth - 1]->nr < 2 ||
	    nr >= most_items(work, path->nodes[depth]->level) / FEW)
		return -1;
	index = path->index[depth - 1];
	return (int)(index ? index - 1 : index + 1);
}

/* What comes in place of a span: entries in a leaf, or else what was made below. */
static int add_new(struct work *work, const struct splice *splice, bool leaf)
{
	uint32_t i;

	if (!leaf)
		return add_made(&work->level, &work->made);
	for (i = 0; i < splice->nr_entries; i++)
		if (add_entry(&work->level, &splice->entries[i]))
			return -1;
	return 0;
}

static int add_own(struct work *work, const struct splice *splice,
		   const struct node *node, unsigned int depth,
		   const struct span *span)
{
	uint64_t handle = work->old[depth];
	struct level *level = &work->level;

	if (add_old(level, node, handle, 0, span->first) ||
	    add_new(work, splice, !node->level))
		return -1;
	return add_old(level, node, handle, span->first + span->count,
		       node->nr);
}

/*
 * Lists what becomes of the path's node at @depth when what is new comes in place of
 * @span, which is that of the parent then.
 */
static int list_level(struct work *work, const struct splice *splice,
		      unsigned int depth, struct span *span)
{
	const struct path *path = splice->path;
	const struct node *node = path->nodes[depth];
	size_t nr = node->nr - span->count +
		    (node->level ? work->made.nr : splice->nr_entries);
	int neighbour = choose_neighbour(work, path, depth, nr), ret = 1;
	uint32_t own = depth ? path->index[depth - 1] : 0;
	bool before = neighbour >= 0 && (uint32_t)neighbour < own;

	level_empty(&work->level);
	if (before)
		ret = add_neighbour(work, path, depth, (uint32_t)neighbour);
	if (ret < 0 || add_own(work, splice, node, depth, span))
		return -1;
	if (neighbour >= 0 && !before)
		ret = add_neighbour(work, path, depth, (uint32_t)neighbour);
	span->first = before && !ret ? own - 1 : own;
	span->count = ret ? 1 : 2;
	return ret < 0 ? -1 : 0;
}

/* An only child that is new is as good as its parent. */
static bool is_only_child(const struct work *work, unsigned int depth,
			  unsigned int level)
{
	return !depth && level && work->level.nr == 1 &&
	       work->level.slots[0].handle;
}

static bool ends_there(const struct path *path, const struct span *span,
		       unsigned int depth)
{
	unsigned int i;

	for (i = 0; i < depth; i++)
		if (path->index[i] + 1U < path->nodes[i]->nr)
			return false;
	return span->first + span->count == path->nodes[depth]->nr;
}

/* Makes new nodes for those of the path, from the leaf up. */
static int climb(struct work *work, const struct splice *splice)
{
	const struct path *path = splice->path;
	unsigned int depth = path->length, level = 0;
	struct span span = { .count = splice->remove };
	bool at_end;

	if (depth)
		span.first = path->index[depth - 1];
	while (depth--) {
		level = path->nodes[depth]->level;
		at_end = ends_there(path, &span, depth);
		if (list_level(work, splice, depth, &span))
			return -1;
		if (!is_only_child(work, depth, level) &&
		    make_nodes(work, &work->made, level, at_end))
			return -1;
	}
	return 0;
}

/* Where there was no leaf. */
static int plant(struct work *work, const struct splice *splice)
{
	level_empty(&work->level);
	if (add_new(work, splice, true))
		return -1;
	return make_nodes(work, &work->made, 0, true);
}

/* Makes nodes of what was made until there is but one. */
static int grow(struct work *work)
{
	struct level swap;
	size_t last;

	while (work->made.nr > 1) {
		last = work->nr_nodes - 1;
		swap = work->level;
		work->level = work->made;
		work->made = swap;
		if (make_nodes(work, &work->made,
			       work->nodes[last]->level + 1U, true))
			return -1;
	}
	return 0;
}

/* --- The batch ----------------------------------------------------------- */

/* Handles of the nodes of the path; of the leaf only if slots of it are copied. */
static int add_path(struct work *work, const struct path *path)
{
	struct view *view = work->view;
	unsigned int i;

	if (view->work)
		work->old[0] = view->work;
	else if (view->seen)
		work->old[0] = add_result(work, refstore_builder_match_slot(
				work->builder, view->holder, view->slot,
				view->seen));
	for (i = 1; i < path->length; i++) {
		if (!path->nodes[i]->nr_slots)
			break;
		work->old[i] = add_result(work, refstore_builder_match_slot(
				work->builder, work->old[i - 1],
				path->index[i - 1], path->nodes[i]->id));
	}
	return PyErr_Occurred() ? -1 : 0;
}

static int add_publication(struct work *work, uint64_t top)
{
	const struct view *view = work->view;
	const struct refstore_cas_entry entry = {
		.object = view->holder, .value = top, .expected = view->seen,
		.index = view->slot,
	};
	ssize_t op = refstore_builder_cas_many(work->builder, &entry, 1);

	if (op >= 0)
		return 0;
	error_set((int)op);
	return -1;
}

/* All handles go but that of the top, and with them our last change. */
static void add_release(struct work *work, uint64_t keep)
{
	size_t i, n = 0;

	for (i = 0; i < work->nr_results; i++)
		if (work->results[i] != keep)
			work->results[n++] = work->results[i];
	/* For one, that which takes many costs more; a signal does not cut few short */
	for (i = 0; n > 1 && i < n; i += RELEASED)
		refstore_builder_release_many(work->builder, work->results + i,
					      n - i < RELEASED ? n - i : RELEASED);
	if (n == 1)
		refstore_builder_release(work->builder, work->results[0]);
	if (work->view->work)
		refstore_builder_release(work->builder, work->view->work);
}

static uint64_t id_of(const struct work *work, uint64_t result)
{
	return refstore_builder_op(work->builder, result &
				   ~REFSTORE_RESULT(0))->create.id;
}

/* Now that their ids are known, nodes are as if they were read; or will be read. */
static void settle_nodes(struct work *work)
{
	struct node *node;
	size_t i;
	uint32_t k;

	for (i = 0; i < work->nr_nodes; i++) {
		node = work->nodes[i];
		node->id = id_of(work, node->id);
		for (k = 0; k < node->nr_slots; k++)
			if (node->ids[k] & REFSTORE_RESULT(0))
				node->ids[k] = id_of(work, node->ids[k]);
		if (cache_add(&work->view->session->cache, node))
			PyErr_Clear();
	}
}

/* The change is made: the view is of it. */
static void settle_view(struct work *work, uint64_t top, bool publish)
{
	struct view *view = work->view;
	size_t i;

	node_put(view->top);
	view->top = NULL;
	view->work = 0;
	for (i = 0; top && i < work->nr_nodes; i++)
		if (work->nodes[i]->id == top)
			view->top = node_get(work->nodes[i]);
	if (top && !publish)
		view->work = refstore_builder_result(work->builder,
						     top & ~REFSTORE_RESULT(0));
	if (publish)
		view->seen = top ? id_of(work, top) : 0;
}

/*
 * Most changes are of one entry in a leaf that is the top, where nothing refers to
 * objects and there is room: then its bytes are put together from those of the old one.
 */
static bool is_simple(const struct work *work, const struct splice *splice)
{
	const struct node *leaf = work->view->top;
	size_t nr;

	if (splice->path->length != 1 || leaf->level || leaf->nr_slots ||
	    splice->nr_entries != 1 || splice->entries->objects)
		return false;
	nr = leaf->nr - splice->remove + 1U;
	return nr <= most_items(work, 0) &&
	       leaf->length + splice->entries->length <= LEAF_BYTES;
}

/**
 * struct patch - a leaf of which one entry is another
 * @old: the leaf as it was
 * @entry: which entry
 * @remove: how many go there
 * @new: what comes
 */
struct patch {
	const struct node *old;
	uint32_t entry;
	uint32_t remove;
	const struct entry *new;
};

/* Copies numbers of @size bytes for each entry but the one that is new. */
static unsigned char *copy_around(const struct patch *patch, unsigned char *to,
				  const unsigned char *from, size_t size)
{
	size_t before = size * patch->entry;
	size_t gone = size * (patch->entry + patch->remove);

	memcpy(to, from, before);
	memcpy(to + before + size, from + gone, size * patch->old->nr - gone);
	return to + before;
}

static void patch_entries(const struct patch *patch, struct node *node)
{
	const unsigned char *from = node_entries(patch->old);
	uint32_t first = node_offset(patch->old, patch->entry);
	uint32_t gone = node_offset(patch->old, patch->entry + patch->remove);
	uint32_t end = node_offset(patch->old, patch->old->nr);
	unsigned char *to = (unsigned char *)node_entries(node);
	unsigned char *ends = (unsigned char *)node_ends(node);
	uint32_t length = (uint32_t)patch->new->length, i;
	uint32_t shift = first + length - gone;

	memcpy(to, from, first);
	memcpy(to + first, patch->new->data, length);
	memcpy(to + first + length, from + gone, end - gone);
	copy_around(patch, ends, node_ends(patch->old), 4);
	store32(ends + 4 * patch->entry, first + length);
	for (i = patch->entry + 1; shift && i < node->nr; i++)
		store32(ends + 4 * i, load32(ends + 4 * i) + shift);
	memset(ends + 4 * node->nr, 0, 2 * node->nr);
}

static struct node *patched(const struct patch *patch)
{
	const struct node *old = patch->old;
	uint32_t nr = old->nr - patch->remove + 1;
	size_t length = NODE_HEADER + (size_t)NODE_ENTRY(old->keyed) * nr +
			node_offset(old, old->nr) + patch->new->length -
			(node_offset(old, patch->entry + patch->remove) -
			 node_offset(old, patch->entry));
	struct node *node = node_new(NULL, length, 0);
	unsigned char *hash;

	if (!node)
		return NULL;
	fill_header(node, 0, old->keyed, nr);
	if (old->keyed) {
		hash = copy_around(patch, node->data + NODE_HEADER,
				   old->data + NODE_HEADER, 8);
		store64(hash, patch->new->hash);
	}
	patch_entries(patch, node);
	return node;
}

static int build_simple(struct work *work, const struct splice *splice)
{
	const struct patch patch = {
		.old = work->view->top, .entry = splice->path->index[0],
		.remove = splice->remove, .new = splice->entries,
	};
	struct node *node = patched(&patch);

	if (!node || keep_node(work, node)) {
		node_put(node);
		return -1;
	}
	work->top = node->id = emit_with(work, node, NULL, 0);
	return work->top ? 0 : -1;
}

static int build(struct work *work, const struct splice *splice)
{
	if (session_kind(work->view->session, KIND_NODE, &work->type))
		return -1;
	if (is_simple(work, splice))
		return build_simple(work, splice);
	if (add_path(work, splice->path))
		return -1;
	if (splice->path->length ? climb(work, splice) : plant(work, splice))
		return -1;
	if (grow(work))
		return -1;
	work->top = work->made.nr ? work->made.slots[0].handle : 0;
	return 0;
}

/* Nobody looks for these nodes again, but who has an old version, and has them. */
static void forget_path(struct work *work, const struct path *path)
{
	unsigned int i;

	for (i = 0; i < path->length; i++)
		cache_drop(&work->view->session->cache, path->nodes[i]->id);
}

static int finish(struct work *work, const struct splice *splice)
{
	bool publish = splice->publish;
	uint64_t top = work->top;
	int ret;

	if (publish && add_publication(work, top))
		return -1;
	add_release(work, publish ? 0 : top);
	ret = view_run(work->view->session, work->builder);
	if (ret)
		return ret;
	settle_view(work, top, publish);
	settle_nodes(work);
	if (publish)
		forget_path(work, splice->path);
	return 0;
}

static void work_free(struct work *work)
{
	size_t i;

	for (i = 0; i < work->nr_nodes; i++)
		node_put(work->nodes[i]);
	for (i = 0; i < NODE_LEVELS; i++)
		node_put(work->neighbours[i]);
	PyMem_Free(work->nodes);
	PyMem_Free(work->results);
	level_free(&work->level);
	level_free(&work->made);
}

/**
 * view_splice() - change a leaf of a view
 * @view: the view, which is of the changed version afterwards
 * @splice: the change
 *
 * With @splice->publish, the slot refers to it then, too.
 * Return: 0, VIEW_LATE, or -1 with an exception; then nothing was changed.
 */
int view_splice(struct view *view, const struct splice *splice)
{
	struct work work = { .view = view };
	int ret;

	work.builder = session_take_builder(view->session);
	if (!work.builder)
		return -1;
	ret = build(&work, splice);
	if (!ret)
		ret = finish(&work, splice);
	session_give_builder(view->session, work.builder);
	work_free(&work);
	return ret;
}

/**
 * view_publish() - let the slot refer to the version of a view
 * @view: the view
 *
 * Return: 0, VIEW_LATE, or -1 with an exception.
 */
int view_publish(struct view *view)
{
	struct work work = { .view = view };
	uint64_t id = view->top ? view->top->id : 0;
	int ret;

	work.builder = session_take_builder(view->session);
	if (!work.builder)
		return -1;
	ret = add_publication(&work, view->work);
	if (!ret) {
		add_release(&work, 0);
		ret = view_run(view->session, work.builder);
	}
	if (!ret) {
		view->seen = id;
		view->work = 0;
	}
	session_give_builder(view->session, work.builder);
	work_free(&work);
	return ret;
}
