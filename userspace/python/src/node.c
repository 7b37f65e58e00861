// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "node.h"

#define MAX_ENTRIES	(1ULL << 48)

/**
 * node_new() - a node of bytes, which node_check() has to look at
 * @data: @length bytes, or NULL to leave them to the caller
 * @length: how many, NODE_HEADER at least
 * @nr_slots: its slots
 *
 * Return: the node, with a reference, or NULL with an exception.
 */
struct node *node_new(const unsigned char *data, size_t length,
		      uint32_t nr_slots)
{
	size_t place = (length + 7) & ~(size_t)7;
	struct node *node = PyMem_Malloc(sizeof(*node) + place +
					 nr_slots * sizeof(*node->ids));

	if (!node) {
		PyErr_NoMemory();
		return NULL;
	}
	memset(node, 0, sizeof(*node));
	node->users = 1;
	node->length = length;
	node->nr_slots = nr_slots;
	node->ids = (uint64_t *)(node->data + place);
	if (data)
		memcpy(node->data, data, length);
	return node;
}

void node_put(struct node *node)
{
	if (node && !--node->users)
		PyMem_Free(node);
}

/* Ends of entries, and of their slots, must not fall. */
static bool leaf_is_sound(const struct node *node)
{
	size_t before = NODE_HEADER + (size_t)NODE_ENTRY(node->keyed) * node->nr;
	uint32_t i;

	if (node->length < before)
		return false;
	for (i = 0; i < node->nr; i++)
		if (node_offset(node, i + 1) < node_offset(node, i) ||
		    node_slot(node, i + 1) < node_slot(node, i))
			return false;
	return node_offset(node, node->nr) == node->length - before &&
	       node_slot(node, node->nr) == node->nr_slots;
}

static bool inner_is_sound(const struct node *node)
{
	size_t length = NODE_HEADER + (size_t)NODE_CHILD(node->keyed) * node->nr;
	uint32_t i;

	if (node->length != length || node->nr_slots != node->nr)
		return false;
	for (i = 0; i < node->nr; i++)
		if (!node->ids[i] || !node_count(node, i) ||
		    node_count(node, i) > MAX_ENTRIES)
			return false;
	return true;
}

/**
 * node_check() - look at a node that was read, and fill in what its header says
 * @node: with data and ids
 *
 * Return: 0, or -1 with a CorruptError. Nothing that is in a sound node makes the
 * functions for nodes read beyond it.
 */
int node_check(struct node *node)
{
	const unsigned char *data = node->data;
	bool sound = node->length >= NODE_HEADER && data[0] == NODE_FORMAT &&
		     data[1] < NODE_LEVELS && data[4] <= 1;

	if (sound) {
		node->level = data[1];
		node->nr = load16(data + 2);
		node->keyed = data[4];
		sound = node->nr && (node->level ? inner_is_sound(node) :
						   leaf_is_sound(node));
	}
	if (sound)
		return 0;
	error_set_corrupt("a node of a container is broken");
	return -1;
}

/* Entries in a node and all that is below it. */
uint64_t node_total(const struct node *node)
{
	uint64_t total = 0;
	uint32_t i;

	if (!node->level)
		return node->nr;
	for (i = 0; i < node->nr; i++)
		total += node_count(node, i);
	return total;
}

static uint64_t entry_serial(const struct node *node, uint32_t entry)
{
	struct reader reader = node_entry(node, entry);
	const unsigned char *bytes;

	return reader_take(&reader, 8, &bytes) ? 0 : load64(bytes);
}

/* What is larger than the serial numbers of all entries that have keys. */
uint64_t node_next_serial(const struct node *node)
{
	uint64_t next = 0, serial;
	uint32_t i;

	for (i = 0; i < node->nr; i++) {
		serial = node->level ? node_serial(node, i) :
				       entry_serial(node, i) + 1;
		if (serial > next)
			next = serial;
	}
	return next;
}
