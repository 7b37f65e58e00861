/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share: a heap for each test, objects and edges to build
 * graphs of, scans that run when they are told to, and an audit of all that a
 * heap counts.
 *
 * A reference that a test has for itself is *held*. The list of them is what an
 * audit needs to know beside the heap: the count of each object must be its
 * held references, the slots that refer to it, and the root.
 */
#ifndef RST_GRAPH_H
#define RST_GRAPH_H

#include <kunit/test.h>

#include "heap.h"
#include "object.h"
#include "scan.h"

/* Sizes of tests: emulated, a checking kernel is fifty times slower. */
#define RST_COUNT(uml, check)	(IS_ENABLED(CONFIG_UML) ? (uml) : (check))

#define RST_MAX_HELD	8192

/* How a graph's objects are made: what a test finds must not depend on it. */
#define RST_ARRAYS	BIT(0)	/* slots in an array, not in the tail */
#define RST_DATA	BIT(1)	/* with data */
#define RST_CANDIDATES	BIT(2)	/* in the scanner's queue from the beginning */

/**
 * struct rst_graph - a heap, and what a test holds in it
 * @test: the test
 * @heap: the heap; NULL when the test gave it up
 * @variant: RST_ARRAYS, RST_DATA, RST_CANDIDATES
 * @held: references of the test
 * @nr_held: how many
 * @hook: called between the steps of a scan; it may use expectations, but no
 *        assertions: it does not run in the test's thread
 * @priv: for @hook
 */
struct rst_graph {
	struct kunit *test;
	struct rs_heap *heap;
	u32 variant;
	struct rs_object **held;
	u32 nr_held;
	void (*hook)(struct rst_graph *g, enum rs_scan_step step);
	void *priv;
};

/**
 * struct rst_census - what an audit found
 * @objects: in the table
 * @garbage: those of them that nobody can reach
 */
struct rst_census {
	u64 objects;
	u64 garbage;
};

/**
 * struct rst_name - an object that a test knows and need not hold
 * @index: its place in the table
 * @id: its id
 */
struct rst_name {
	u32 index;
	u64 id;
};

struct rst_graph *rst_graph(struct kunit *test);
void rst_end(struct rst_graph *g);
void rst_flush(void);

struct rs_object *rst_make(struct rst_graph *g, u32 nr_slots, u32 data_len);
struct rs_object *rst_new(struct rst_graph *g, u32 nr_slots);
struct rs_object *rst_leaf(struct rst_graph *g);
void rst_adopt(struct rst_graph *g, struct rs_object *obj);
void rst_disown(struct rst_graph *g, struct rs_object *obj);
void rst_hold(struct rst_graph *g, struct rs_object *obj);
void rst_release(struct rst_graph *g, struct rs_object *obj);
void rst_release_all(struct rst_graph *g);

void rst_link(struct rst_graph *g, struct rs_object *from, u32 index,
	      struct rs_object *to);
void rst_give(struct rst_graph *g, struct rs_object *from, u32 index,
	      struct rs_object *to);
struct rs_object *rst_slot(struct rst_graph *g, struct rs_object *obj,
			   u32 index);
struct rs_object *rst_at(struct rs_heap *heap, u32 index);
struct rs_object *rst_ring(struct rst_graph *g, u32 count);
void rst_seal_all(struct rst_graph *g);

struct rst_name rst_name(const struct rs_object *obj);
struct rs_object *rst_upgrade(struct rst_graph *g, struct rst_name name);
struct rs_object *rst_read(struct rst_graph *g, struct rs_object *obj,
			   u32 index);

struct rs_scan_figures rst_collect(struct rst_graph *g);
u64 rst_drop_saved(struct rst_graph *g);
void rst_start_scan(struct rst_graph *g);
void rst_settle(struct rst_graph *g);
void rst_expect_counts(struct rst_graph *g);
u64 rst_reachable(struct rst_graph *g);
struct rst_census rst_audit(struct rst_graph *g);

static inline u64 rst_version(const struct rs_object *obj)
{
	return rs_ref_read(&obj->ref) / RS_REF_VERSION_ONE;
}

#endif /* RST_GRAPH_H */
