/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was read of sealed objects, by their ids.
 *
 * An id is given once in a heap, and what is sealed never changes: so what is here is
 * right for ever, whether the object still lives or not, and keeps nothing alive.
 */
#ifndef REFSTORE_PYTHON_CACHE_H
#define REFSTORE_PYTHON_CACHE_H

#include "node.h"

/**
 * struct cache - nodes, in chains
 * @chains: 1 << @bits of them, or NULL as long as there is nothing
 * @bits: see above
 * @nr: nodes
 * @bytes: that they take
 * @limit: above which some are thrown out, those first that were not used lately
 * @hand: the chain where it was looked for such ones last
 */
struct cache {
	struct node **chains;
	unsigned int bits;
	size_t nr;
	size_t bytes;
	size_t limit;
	size_t hand;
};

struct node *cache_find(struct cache *cache, uint64_t id);
int cache_add(struct cache *cache, struct node *node);
void cache_drop(struct cache *cache, uint64_t id);
void cache_clear(struct cache *cache);

#endif /* REFSTORE_PYTHON_CACHE_H */
