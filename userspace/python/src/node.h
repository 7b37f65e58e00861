/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes: what containers consist of.
 *
 * The entries of a container are in the leaves of a B+ tree. What is put in order is
 * the hash of a key, in dicts and sets, or else the place. Its nodes are objects whose
 * data and slots are sealed, so each change makes new ones, from the leaf up to the
 * top, and publishes them by one compare-and-set of the container's slot 0: others see
 * all of it or nothing. Whoever still reads the old version may go on, and what no
 * version has any more frees itself.
 *
 * A node's data, all numbers little endian:
 *
 *	0	NODE_FORMAT
 *	1	level: 0 for leaves, that of its children and one for others
 *	2	number of entries, or of children: two bytes
 *	4	1 if entries have keys, or 0
 *	5	0, three times
 *	8	of a leaf, for each entry, where there are keys: its hash, eight bytes;
 *		then for each: where it ends, from the end of all this on, four bytes;
 *		then for each: how many slots are its own and those of the entries
 *		before it, two bytes; then the entries
 *	8	of others, for each child: how many entries are below it, eight bytes;
 *		then, where there are keys: the lowest hash, and what is larger than
 *		all serial numbers, likewise
 *
 * Slots: those of entries in their order, or the children.
 *
 * An entry is a value; see value.h. Where there are keys, it is a serial number, which
 * says in what order entries came, eight bytes, 0 or 1, one byte, the key as it was when it came, in the form
 * that all equal ones share, then, after 1, as it was given, then the value, or nothing
 * in sets.
 */
#ifndef REFSTORE_PYTHON_NODE_H
#define REFSTORE_PYTHON_NODE_H

#include "buffer.h"

#define NODE_FORMAT	1
#define NODE_HEADER	8
#define NODE_BYTES	65536	/* that objects can have */
#define NODE_LEVELS	12	/* with two children each, more than can be */

/**
 * struct node - a node as it was read, or written; it never changes
 * @users: references, under the interpreter's lock
 * @id: of the object
 * @next: in its chain of the cache
 * @used: since the cache last looked for what to throw out
 * @level: see above
 * @keyed: entries have keys
 * @nr: entries, or children
 * @nr_slots: slots
 * @length: bytes of data
 * @ids: ids of what the slots refer to; behind the data
 * @data: the data
 */
struct node {
	size_t users;
	uint64_t id;
	struct node *next;
	bool used;
	uint8_t level;
	bool keyed;
	uint16_t nr;
	uint32_t nr_slots;
	size_t length;
	uint64_t *ids;
	unsigned char data[];
};

struct node *node_new(const unsigned char *data, size_t length,
		      uint32_t nr_slots);
int node_check(struct node *node);
void node_put(struct node *node);

static inline struct node *node_get(struct node *node)
{
	node->users++;
	return node;
}

/* --- A leaf --- */

/* Numbers for each entry that stand before the entries. */
#define NODE_ENTRY(keyed) ((keyed) ? 14 : 6)

static inline const unsigned char *node_entries(const struct node *node)
{
	return node->data + NODE_HEADER +
	       (size_t)NODE_ENTRY(node->keyed) * node->nr;
}

static inline const unsigned char *node_ends(const struct node *node)
{
	return node->data + NODE_HEADER + (node->keyed ? 8 : 0) * node->nr;
}

static inline uint64_t node_hash(const struct node *node, uint32_t entry)
{
	return load64(node->data + NODE_HEADER + 8 * entry);
}

/* Where an entry begins, or, for the number of entries, the last one ends. */
static inline uint32_t node_offset(const struct node *node, uint32_t entry)
{
	return entry ? load32(node_ends(node) + 4 * (entry - 1)) : 0;
}

/* The first slot of an entry, or, for the number of entries, of none. */
static inline uint32_t node_slot(const struct node *node, uint32_t entry)
{
	return entry ? load16(node_ends(node) + 4 * node->nr +
			      2 * (entry - 1)) : 0;
}

/* The bytes of an entry. */
static inline struct reader node_entry(const struct node *node, uint32_t entry)
{
	return (struct reader){
		.at = node_entries(node) + node_offset(node, entry),
		.end = node_entries(node) + node_offset(node, entry + 1),
	};
}

/* --- Others --- */

#define NODE_CHILD(keyed) ((keyed) ? 24 : 8)

/* How many entries are below a child. */
static inline uint64_t node_count(const struct node *node, uint32_t child)
{
	return load64(node->data + NODE_HEADER + 8 * child);
}

static inline uint64_t node_first_hash(const struct node *node, uint32_t child)
{
	return load64(node->data + NODE_HEADER + 8 * (node->nr + child));
}

static inline uint64_t node_serial(const struct node *node, uint32_t child)
{
	return load64(node->data + NODE_HEADER + 8 * (2 * node->nr + child));
}

uint64_t node_total(const struct node *node);
uint64_t node_next_serial(const struct node *node);

#endif /* REFSTORE_PYTHON_NODE_H */
