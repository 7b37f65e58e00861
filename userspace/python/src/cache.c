// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cache.h"

#define FIRST_BITS 6

static size_t size_of(const struct node *node)
{
	return sizeof(*node) + node->length +
	       node->nr_slots * sizeof(*node->ids);
}

/* Ids are given in order: their lowest bits are as good as any. */
static struct node **chain_of(const struct cache *cache, uint64_t id)
{
	return &cache->chains[id & (((size_t)1 << cache->bits) - 1)];
}

/* A node, which the caller must get to keep it; NULL if there is none. */
struct node *cache_find(struct cache *cache, uint64_t id)
{
	struct node *node;

	if (!cache->chains)
		return NULL;
	for (node = *chain_of(cache, id); node; node = node->next)
		if (node->id == id)
			break;
	if (node)
		node->used = true;
	return node;
}

/* Nodes that were not used since the hand came by last go. */
static void sweep_chain(struct cache *cache, struct node **at)
{
	struct node *node;

	while ((node = *at)) {
		if (node->used) {
			node->used = false;
			at = &node->next;
			continue;
		}
		*at = node->next;
		node->next = NULL;
		cache->nr--;
		cache->bytes -= size_of(node);
		node_put(node);
	}
}

static void make_room(struct cache *cache)
{
	size_t mask = ((size_t)1 << cache->bits) - 1, turns = 2 * mask + 2;

	while (cache->bytes > cache->limit && turns--)
		sweep_chain(cache, &cache->chains[cache->hand++ & mask]);
}

static void move_chain(struct cache *to, struct node *node)
{
	struct node *next, **chain;

	for (; node; node = next) {
		next = node->next;
		chain = chain_of(to, node->id);
		node->next = *chain;
		*chain = node;
	}
}

static int grow(struct cache *cache)
{
	struct cache old = *cache;
	size_t i;

	cache->bits = old.chains ? old.bits + 1 : FIRST_BITS;
	cache->chains = PyMem_Calloc((size_t)1 << cache->bits,
				     sizeof(*cache->chains));
	if (!cache->chains) {
		*cache = old;
		PyErr_NoMemory();
		return -1;
	}
	for (i = 0; old.chains && i < (size_t)1 << old.bits; i++)
		move_chain(cache, old.chains[i]);
	PyMem_Free(old.chains);
	return 0;
}

/* Keeps a reference of its own; 0, or -1 with a MemoryError. */
int cache_add(struct cache *cache, struct node *node)
{
	struct node **chain;

	if (cache_find(cache, node->id))
		return 0;
	if ((!cache->chains || cache->nr >> cache->bits) && grow(cache))
		return -1;
	chain = chain_of(cache, node->id);
	node->next = *chain;
	node->used = true;
	*chain = node_get(node);
	cache->nr++;
	cache->bytes += size_of(node);
	make_room(cache);
	return 0;
}

/* Gives up a node, if it is there. */
void cache_drop(struct cache *cache, uint64_t id)
{
	struct node **at, *node;

	if (!cache->chains)
		return;
	for (at = chain_of(cache, id); *at && (*at)->id != id;)
		at = &(*at)->next;
	node = *at;
	if (!node)
		return;
	*at = node->next;
	node->next = NULL;
	cache->nr--;
	cache->bytes -= size_of(node);
	node_put(node);
}

void cache_clear(struct cache *cache)
{
	size_t i;

	for (i = 0; cache->chains && i < (size_t)1 << cache->bits; i++)
		while (cache->chains[i]) {
			struct node *node = cache->chains[i];

			cache->chains[i] = node->next;
			node_put(node);
		}
	PyMem_Free(cache->chains);
	cache->chains = NULL;
	cache->nr = 0;
	cache->bytes = 0;
}
