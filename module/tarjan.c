// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strong components of a scan's suspects.
 *
 * By Tarjan's algorithm ("Depth-first search and linear graph algorithms",
 * 1972), made iterative, in arrays. It emits a component after all those that it
 * refers to. A filter, as all of deduction: slots are read here that somebody may
 * be writing, and what is decided does not rest on it (rule R8).
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "tarjan.h"

void rs_targets_init(struct rs_targets *targets, struct rs_scan *scan,
		     struct rs_slotted *slotted, u32 first)
{
	targets->scan = scan;
	targets->slotted = slotted;
	targets->next = first;
	targets->at = 0;
	targets->nr = 0;
}

/* The next suspect, or NULL. */
struct rs_slotted *rs_targets_next(struct rs_targets *targets)
{
	struct rs_slotted *target;
	unsigned long slot;

	for (;;) {
		while (targets->at < targets->nr) {
			rs_scan_spend(targets->scan, 1);
			slot = READ_ONCE(targets->slots[targets->at++]);
			target = rs_suspect(targets->scan, slot);
			if (target)
				return target;
		}
		targets->nr = rs_slots_peek(targets->slotted, targets->next,
					    targets->buf, &targets->slots);
		if (!targets->nr)
			return NULL;
		targets->next += targets->nr;
		targets->at = 0;
	}
}

/* The slot where a walk goes on. */
static u32 rs_targets_cursor(const struct rs_targets *targets)
{
	return targets->next - (targets->nr - targets->at);
}

/*
 * All zero, and charged to whoever made the heap; a scan that gets no memory keeps
 * what it has, and is tried again.
 */
static bool rs_tarjan_alloc(struct rs_scan *scan, struct rs_tarjan *tarjan)
{
	struct mem_cgroup *old = set_active_memcg(scan->heap->memcg);
	const u32 n = scan->len;

	tarjan->low = kvcalloc(n, sizeof(u32), RS_GFP);
	tarjan->comp = kvcalloc(n, sizeof(u32), RS_GFP);
	tarjan->parent = kvcalloc(n, sizeof(u32), RS_GFP);
	tarjan->cursor = kvcalloc(n, sizeof(u32), RS_GFP);
	tarjan->order = kvcalloc(n, sizeof(u32), RS_GFP);
	tarjan->credit = kvcalloc(n, sizeof(u32), RS_GFP);
	set_active_memcg(old);
	return tarjan->low && tarjan->comp && tarjan->parent &&
	       tarjan->cursor && tarjan->order && tarjan->credit &&
	       !rs_scan_starved(scan->heap);
}

static void rs_tarjan_visit(struct rs_tarjan *t, u32 size, u32 v, u32 parent)
{
	t->comp[v] = ++t->visits;
	t->low[v] = t->visits;
	t->parent[v] = parent;
	t->order[size - ++t->stacked] = v;
}

/* The next suspect that slots of @slotted refer to, from *@cursor on. */
static struct rs_slotted *rs_tarjan_next(struct rs_scan *scan,
					 struct rs_slotted *slotted,
					 u32 *cursor)
{
	struct rs_targets targets __uninitialized;
	struct rs_slotted *child;

	rs_targets_init(&targets, scan, slotted, *cursor);
	child = rs_targets_next(&targets);
	*cursor = rs_targets_cursor(&targets);
	return child;
}

/* @v is finished: if it is a component's root, that is on top of the stack. */
static void rs_tarjan_leave(struct rs_scan *scan, struct rs_tarjan *t, u32 v)
{
	u32 p = t->parent[v], w;

	if (p != U32_MAX)
		t->low[p] = min(t->low[p], t->low[v]);
	if (t->low[v] != t->comp[v])
		return;
	do {
		w = t->order[scan->len - t->stacked--];
		t->comp[w] = RS_DECIDED | t->comps;
		t->order[t->emitted++] = w;
		rs_scan_spend(scan, 1);
	} while (w != v);
	t->comps++;
}

static bool rs_tarjan_search(struct rs_scan *scan, struct rs_tarjan *t, u32 v)
{
	struct rs_slotted *child;
	u32 w;

	rs_tarjan_visit(t, scan->len, v, U32_MAX);
	while (v != U32_MAX) {
		if (!rs_scan_spend(scan, 1))
			return false;
		child = rs_tarjan_next(scan, *rs_scan_at(scan, v),
				       &t->cursor[v]);
		if (!child) {
			rs_tarjan_leave(scan, t, v);
			v = t->parent[v];
			continue;
		}
		w = child->edges;
		if (!t->comp[w]) {
			rs_tarjan_visit(t, scan->len, w, v);
			v = w;
		} else if (!(t->comp[w] & RS_DECIDED)) {
			t->low[v] = min(t->low[v], t->comp[w]);
		}
	}
	return true;
}

/**
 * rs_tarjan_run - find the strong components
 * @scan: a scan with its suspects on the list
 * @t: all zero
 *
 * From now on a suspect's @edges is its place on the list, until
 * rs_tarjan_end(), which is called in any case.
 *
 * Return: false if there is no memory, or the scan gives up.
 */
bool rs_tarjan_run(struct rs_scan *scan, struct rs_tarjan *t)
{
	u32 i;

	if (!rs_tarjan_alloc(scan, t))
		return false;
	for (i = 0; i < scan->len; i++) {
		WRITE_ONCE((*rs_scan_at(scan, i))->edges, i);
		if (!rs_scan_spend(scan, 1))
			return false;
	}
	for (i = 0; i < scan->len; i++) {
		if (!t->comp[i] && !rs_tarjan_search(scan, t, i))
			return false;
		if (!rs_scan_spend(scan, 1))
			return false;
	}
	return true;
}

static void rs_tarjan_free(struct rs_tarjan *tarjan)
{
	kvfree(tarjan->low);
	kvfree(tarjan->comp);
	kvfree(tarjan->parent);
	kvfree(tarjan->cursor);
	kvfree(tarjan->order);
	kvfree(tarjan->credit);
}

/*
 * Nobody needs the places any more that stand for edges: all references to a
 * suspect were found, and puts go by that again.
 */
static void rs_tarjan_restore(struct rs_scan *scan)
{
	struct rs_slotted *slotted;
	u32 i;

	for (i = 0; i < scan->len; i++) {
		slotted = *rs_scan_at(scan, i);
		WRITE_ONCE(slotted->edges, rs_word_count(slotted->capture));
		rs_scan_spend(scan, 1);
	}
}

/* Nothing is left of the search. */
void rs_tarjan_end(struct rs_scan *scan, struct rs_tarjan *t)
{
	rs_tarjan_restore(scan);
	rs_tarjan_free(t);
}
