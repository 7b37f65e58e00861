// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scanner: what nobody can reach goes, all of it, and nothing else.
 */
#include <sys/time.h>

#include "refstore_heap.h"

FIXTURE(collect)
{
	int fd;
	__u64 heap;
	/* What keeps a test's garbage-to-be alive, and everything else. */
	__u64 *pins;
	size_t nr_pins;
	struct rs_figures before;
};

FIXTURE_SETUP(collect)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	self->pins = calloc(100000, sizeof(*self->pins));
	ASSERT_NE(NULL, self->pins);
}

/* Whatever a test did, all counts are right, and all of it goes at the end. */
FIXTURE_TEARDOWN(collect)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
	free(self->pins);
}

static __u64 node(struct __test_metadata *_metadata, int fd, __u32 nr_slots)
{
	__u64 handle;

	ASSERT_EQ(0, rs_node(fd, nr_slots, NULL, &handle));
	return handle;
}

#define NODE(nr_slots) node(_metadata, self->fd, nr_slots)
#define LINK(from, index, to) \
	ASSERT_EQ(0, rs_set_slot(self->fd, from, index, to))
#define PIN(handle) (self->pins[self->nr_pins++] = (handle))

/* What is built is in place; candidates from the building are no more. */
static void built(struct __test_metadata *_metadata,
		  FIXTURE_DATA(collect) *self)
{
	ASSERT_EQ(0, rs_settle(self->fd));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &self->before));
}

/*
 * Lets go of what is pinned. Then @at_least to @at_most objects were found by
 * scans, @freed objects went in all, and COLLECT's figures say so.
 *
 * A scan may start by itself between the release and the call. Then COLLECT
 * does not know of what that one did, but the heap's figures do.
 */
static void expect_garbage(struct __test_metadata *_metadata,
			   FIXTURE_DATA(collect) *self, __u64 at_least,
			   __u64 at_most, __u64 freed)
{
	struct refstore_collect collect;
	struct rs_figures now;
	__u64 reclaimed;

	ASSERT_EQ(0, rs_release_all(self->fd, self->pins, self->nr_pins));
	self->nr_pins = 0;
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &now));
	EXPECT_EQ(self->before.objects - freed, now.objects);
	EXPECT_EQ(0, now.backlog);
	EXPECT_LE(1, collect.scans);
	/* Leaves go with the rest, and nobody needs to look at them. */
	if (at_least == at_most)
		EXPECT_LE(collect.reclaimed, collect.visited);
	EXPECT_LE(self->before.scans + collect.scans, now.scans);
	reclaimed = now.reclaimed - self->before.reclaimed;
	EXPECT_LE(at_least, reclaimed);
	EXPECT_GE(at_most, reclaimed);
	EXPECT_GE(reclaimed, collect.reclaimed);
	if (now.scans == self->before.scans + collect.scans) {
		EXPECT_EQ(reclaimed, collect.reclaimed);
		EXPECT_EQ(at_least == at_most && at_least == freed ?
			  self->before.bytes - now.bytes : collect.bytes,
			  collect.bytes);
	}
	if (collect.reclaimed) {
		EXPECT_NE(0, collect.nanoseconds);
		EXPECT_NE(0, collect.bytes);
	}
}

#define EXPECT_GARBAGE(count) \
	expect_garbage(_metadata, self, count, count, count)
#define EXPECT_GARBAGE_BETWEEN(at_least, at_most) \
	expect_garbage(_metadata, self, at_least, at_most, at_most)

/* --- Shapes ----------------------------------------------------------- */

TEST_F(collect, nothing)
{
	built(_metadata, self);
	EXPECT_GARBAGE(0);
	NODE(0);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &self->before));
	EXPECT_GARBAGE(0);
}

TEST_F(collect, self_loop)
{
	__u64 a = PIN(NODE(1));

	LINK(a, 0, a);
	built(_metadata, self);
	EXPECT_GARBAGE(1);
}

/* As many references to itself as it has slots, in a block of their own too. */
TEST_F(collect, many_self_loops)
{
	static const __u32 slots[] = { 1, 2, 3, 8, 100, 3000 };
	size_t i;
	__u32 j;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		__u64 a = PIN(NODE(slots[i]));

		for (j = 0; j < slots[i]; j++) {
			LINK(a, j, a);
		}
	}
	built(_metadata, self);
	EXPECT_GARBAGE(ARRAY_SIZE(slots));
}

TEST_F(collect, small_rings)
{
	size_t length, garbage = 0;

	for (length = 2; length < 12; length++) {
		ASSERT_EQ(0, rs_ring(self->fd, length, 2,
				     &self->pins[self->nr_pins++]));
		garbage += length;
	}
	built(_metadata, self);
	EXPECT_GARBAGE(garbage);
}

/* Each of them alone, one after the other. */
TEST_F(collect, one_after_the_other)
{
	size_t length;

	for (length = 1; length < 12; length++) {
		ASSERT_EQ(0, rs_ring(self->fd, length, 1,
				     &self->pins[self->nr_pins++]));
		built(_metadata, self);
		EXPECT_GARBAGE(length);
	}
}

FIXTURE(joined)
{
	struct _test_data_collect collect;
};

/* Two rings and an edge from the first to the second. */
FIXTURE_VARIANT(joined)
{
	bool drop_first, drop_second;
	bool edge_back;
	size_t garbage;		/* in rings */
};

FIXTURE_VARIANT_ADD(joined, both_dropped)
{
	.drop_first = true,
	.drop_second = true,
	.garbage = 2,
};
FIXTURE_VARIANT_ADD(joined, first_dropped)
{
	.drop_first = true,
	.garbage = 1,
};
FIXTURE_VARIANT_ADD(joined, second_dropped)
{
	.drop_second = true,
};
FIXTURE_VARIANT_ADD(joined, both_ways_both_dropped)
{
	.drop_first = true,
	.drop_second = true,
	.edge_back = true,
	.garbage = 2,
};
FIXTURE_VARIANT_ADD(joined, both_ways_first_dropped)
{
	.drop_first = true,
	.edge_back = true,
};

FIXTURE_SETUP(joined)
{
	collect_setup(_metadata, &self->collect, NULL);
}

FIXTURE_TEARDOWN(joined)
{
	collect_teardown(_metadata, &self->collect, NULL);
}

TEST_F(joined, rings)
{
	struct _test_data_collect *collect = &self->collect;
	__u64 first, second;

	ASSERT_EQ(0, rs_ring(collect->fd, 5, 2, &first));
	ASSERT_EQ(0, rs_ring(collect->fd, 5, 2, &second));
	ASSERT_EQ(0, rs_set_slot(collect->fd, first, 1, second));
	if (variant->edge_back)
		ASSERT_EQ(0, rs_set_slot(collect->fd, second, 1, first));
	built(_metadata, collect);
	if (variant->drop_first)
		collect->pins[collect->nr_pins++] = first;
	if (variant->drop_second)
		collect->pins[collect->nr_pins++] = second;
	expect_garbage(_metadata, collect, 5 * variant->garbage,
		       5 * variant->garbage, 5 * variant->garbage);
	EXPECT_EQ(!variant->drop_first, rs_id(collect->fd, first) != 0);
	EXPECT_EQ(!variant->drop_second, rs_id(collect->fd, second) != 0);
}

/* Kept by an object that is alive, and let go by it. */
TEST_F(collect, cycle_hangs_off_live)
{
	__u64 live = NODE(1), ring;

	ASSERT_EQ(0, rs_ring(self->fd, 7, 2, &ring));
	LINK(live, 0, ring);
	built(_metadata, self);
	PIN(ring);
	EXPECT_GARBAGE(0);
	EXPECT_EQ(8, rs_objects(self->fd));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &self->before));
	LINK(live, 0, 0);
	EXPECT_GARBAGE(7);
}

/* What a dead cycle referred to and others hold loses a reference, no more. */
TEST_F(collect, live_hangs_off_cycle)
{
	__u64 live = NODE(1), leaf, ring;

	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &leaf));
	ASSERT_EQ(0, rs_ring(self->fd, 7, 3, &ring));
	LINK(ring, 1, live);
	LINK(ring, 2, leaf);
	LINK(live, 0, leaf);
	EXPECT_EQ(2, rs_refs(self->fd, live));
	EXPECT_EQ(3, rs_refs(self->fd, leaf));
	built(_metadata, self);
	PIN(ring);
	EXPECT_GARBAGE(7);
	EXPECT_EQ(1, rs_refs(self->fd, live));
	EXPECT_EQ(2, rs_refs(self->fd, leaf));
}

/* What only a dead cycle referred to goes with it: leaves, chains, trees. */
TEST_F(collect, dead_hangs_off_cycle)
{
	__u64 ring, first, last, leaf;

	ASSERT_EQ(0, rs_ring(self->fd, 7, 3, &ring));
	ASSERT_EQ(0, rs_chain(self->fd, 300, 2, &first, &last));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 5000, &leaf));
	LINK(ring, 1, last);
	LINK(ring, 2, leaf);
	LINK(first, 1, leaf);
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_release(self->fd, last));
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	built(_metadata, self);
	PIN(ring);
	EXPECT_GARBAGE_BETWEEN(7, 308);
}

TEST_F(collect, clique)
{
	enum { SIZE = 40 };
	int i, j;

	for (i = 0; i < SIZE; i++)
		PIN(NODE(SIZE));
	for (i = 0; i < SIZE; i++) {
		for (j = 0; j < SIZE; j++) {
			LINK(self->pins[i], j, self->pins[j]);
		}
	}
	built(_metadata, self);
	/* One handle keeps all of them. */
	self->nr_pins--;
	EXPECT_GARBAGE(0);
	EXPECT_EQ(SIZE + 1, rs_refs(self->fd, self->pins[SIZE - 1]));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &self->before));
	PIN(self->pins[SIZE - 1]);
	EXPECT_GARBAGE(SIZE);
}

/* A wide object, and as many that refer back to it. */
TEST_F(collect, hub)
{
	const __u32 nr = rs_size(10000);
	__u64 hub = NODE(nr), *spokes = calloc(nr, sizeof(*spokes));
	__u32 done, at;

	ASSERT_EQ(0, rs_repeat(self->fd, op_create(1, &hub), nr, spokes));
	for (at = 0; at < nr; at += done) {
		ASSERT_EQ(0, rs_write_slots(self->fd, hub, at, nr - at,
					    spokes + at, &done));
	}
	ASSERT_EQ(0, rs_release_all(self->fd, spokes, nr));
	free(spokes);
	built(_metadata, self);
	PIN(hub);
	EXPECT_GARBAGE(nr + 1);
}

/* A tree whose nodes know their parents. */
TEST_F(collect, tree)
{
	const int nr = rs_size(4095);
	__u64 *nodes = calloc(nr, sizeof(*nodes));
	int i;

	ASSERT_EQ(0, rs_repeat(self->fd, op_create(3, NULL), nr, nodes));
	for (i = 1; i < nr; i++) {
		LINK(nodes[i], 2, nodes[(i - 1) / 2]);
		LINK(nodes[(i - 1) / 2], i % 2, nodes[i]);
	}
	/* Any of its nodes keeps the whole. */
	ASSERT_EQ(0, rs_release_all(self->fd, nodes, nr - 1));
	built(_metadata, self);
	EXPECT_EQ(nr, rs_objects(self->fd));
	PIN(nodes[nr - 1]);
	free(nodes);
	EXPECT_GARBAGE(nr);
}

/* As long as it takes to run out of stack, for whoever recurses. */
TEST_F(collect, long_ring)
{
	const size_t length = rs_size(100000);
	__u64 ring;

	ASSERT_EQ(0, rs_ring(self->fd, length, 1, &ring));
	built(_metadata, self);
	EXPECT_EQ(length, rs_objects(self->fd));
	PIN(ring);
	EXPECT_GARBAGE(length);
}

/* Linked in both directions. */
TEST_F(collect, double_chain)
{
	const int length = rs_size(20000);
	__u64 *nodes = calloc(length, sizeof(*nodes));
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	int i, n = 0;

	ASSERT_EQ(0, rs_repeat(self->fd, op_create(2, NULL), length, nodes));
	for (i = 1; i < length; i++) {
		ops[n++] = op_set_slot(nodes[i - 1], 1, nodes[i]);
		ops[n++] = op_set_slot(nodes[i], 0, nodes[i - 1]);
		if (n < RS_CHUNK && i < length - 1)
			continue;
		ASSERT_EQ(0, rs_batch(self->fd, 0, ops, n, &batch));
		ASSERT_EQ(0, batch.failed);
		n = 0;
	}
	ASSERT_EQ(0, rs_release_all(self->fd, nodes, length / 2));
	ASSERT_EQ(0, rs_release_all(self->fd, nodes + length / 2 + 1,
				    length - length / 2 - 1));
	built(_metadata, self);
	EXPECT_EQ(length, rs_objects(self->fd));
	PIN(nodes[length / 2]);
	free(nodes);
	EXPECT_GARBAGE(length);
}

TEST_F(collect, many_small_cycles)
{
	const size_t cycles = rs_size(4000);
	size_t i, garbage = 0;

	for (i = 0; i < cycles; i++) {
		ASSERT_EQ(0, rs_ring(self->fd, 1 + i % 3, 1, &self->pins[i]));
		garbage += 1 + i % 3;
	}
	self->nr_pins = cycles;
	built(_metadata, self);
	EXPECT_GARBAGE(garbage);
}

/* Cycles among which handles of another session, or the root, keep some. */
TEST_F(collect, kept_elsewhere)
{
	int other = rs_session_new(self->fd, 0), i;
	__u64 ring[3], handle;

	ASSERT_LE(0, other);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &ring[i]));
		PIN(ring[i]);
	}
	ASSERT_EQ(0, rs_set_root(self->fd, ring[0]));
	ASSERT_EQ(0, rs_get_root(other, &handle));
	ASSERT_EQ(0, rs_set_root(self->fd, ring[1]));
	built(_metadata, self);
	EXPECT_GARBAGE(3);
	EXPECT_EQ(6, rs_objects(self->fd));
	EXPECT_EQ(2, rs_refs(other, handle));
	ASSERT_EQ(0, rs_heap_figures(self->fd, &self->before));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	EXPECT_GARBAGE(3);
	EXPECT_EQ(0, close(other));
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* --- Random graphs ---------------------------------------------------- */

enum { NODES = 300, DEGREE = 4 };

struct graph {
	__u64 handles[NODES], ids[NODES];
	int edges[NODES][DEGREE];	/* or -1 */
	bool kept[NODES], seen[NODES];
};

/* Marks what can be reached from what is kept. Returns how many are not. */
static unsigned int unreachable(struct graph *graph)
{
	int stack[NODES * DEGREE + NODES], top = 0, i, j;
	unsigned int count = 0;

	memset(graph->seen, 0, sizeof(graph->seen));
	for (i = 0; i < NODES; i++)
		if (graph->kept[i])
			stack[top++] = i;
	while (top) {
		i = stack[--top];
		if (graph->seen[i])
			continue;
		graph->seen[i] = true;
		for (j = 0; j < DEGREE; j++)
			if (graph->edges[i][j] >= 0)
				stack[top++] = graph->edges[i][j];
	}
	for (i = 0; i < NODES; i++)
		count += !graph->seen[i];
	return count;
}

/* Of every density, from scattered chains to one large component. */
TEST_F(collect, random_graphs)
{
	static struct graph graph;
	__u64 seed = 1234567, freed = 0;
	struct rs_heap heap;
	unsigned int turn, left, i, j, step = rs_size(100) < 100 ? 4 : 1;

	for (turn = 0; turn < 24; turn += step) {
		ASSERT_EQ(0, rs_repeat(self->fd, op_create(DEGREE, NULL), NODES,
				       graph.handles));
		for (i = 0; i < NODES; i++) {
			graph.ids[i] = rs_id(self->fd, graph.handles[i]);
			graph.kept[i] = rs_below(&seed, 100) < turn;
			for (j = 0; j < DEGREE; j++) {
				graph.edges[i][j] = -1;
				if (rs_below(&seed, 24) > turn + 1)
					continue;
				graph.edges[i][j] = rs_below(&seed, NODES);
				LINK(graph.handles[i], j,
				     graph.handles[graph.edges[i][j]]);
			}
		}
		for (i = 0; i < NODES; i++) {
			if (!graph.kept[i])
				ASSERT_EQ(0, rs_release(self->fd,
							graph.handles[i]));
		}
		freed = unreachable(&graph);
		ASSERT_EQ(0, rs_settle(self->fd));
		ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
		EXPECT_EQ(NODES - freed, heap.nr_objects);
		EXPECT_TRUE(rs_heap_sound(&heap));
		for (i = 0; i < NODES; i++) {
			EXPECT_EQ(graph.seen[i],
				  !!rs_find(&heap, graph.ids[i]));
		}
		rs_heap_free(&heap);
		/* The rest goes too, by hand and by scan. */
		for (i = 0, left = 0; i < NODES; i++)
			if (graph.kept[i])
				graph.handles[left++] = graph.handles[i];
		ASSERT_EQ(0, rs_release_all(self->fd, graph.handles, left));
		ASSERT_EQ(0, rs_settle(self->fd));
		ASSERT_EQ(0, rs_objects(self->fd));
	}
}

/* --- By itself -------------------------------------------------------- */

/* A bounded while after it came to be, with nothing else going on. */
TEST_F(collect, after_a_delay)
{
	__u64 live, ring;

	ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &live));
	ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &ring));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 3, RS_SOON));
	EXPECT_EQ(2, rs_refs(self->fd, live));
}

/* While there is more and more of it, without end. */
TEST_F(collect, under_load)
{
	__u64 ring, most = 0, made = 0, now, end;
	int i;

	end = rs_milliseconds() + RS_SOON * 1000;
	do {
		for (i = 0; i < 100; i++) {
			ASSERT_EQ(0, rs_ring(self->fd, 3, 1, &ring));
			ASSERT_EQ(0, rs_release(self->fd, ring));
			made += 3;
		}
		now = rs_objects(self->fd);
		most = now > most ? now : most;
	} while (now == made && rs_milliseconds() < end);
	/* Some of it went before COLLECT was asked for. */
	EXPECT_GT(made, now);
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
}

/* Objects that come and go meanwhile do not keep a scan from its end. */
TEST_F(collect, beside_churn)
{
	__u64 ring, own, keep = NODE(2);
	pid_t child;
	int turn;

	child = rs_fork_session(&self->fd);
	while (!child) {
		if (rs_node(self->fd, 1, &keep, &own) ||
		    rs_set_slot(self->fd, keep, 1, own) ||
		    rs_set_slot(self->fd, keep, 1, 0) ||
		    rs_release(self->fd, own))
			_exit(1);
	}
	for (turn = 0; turn < 10; turn++) {
		ASSERT_EQ(0, rs_ring(self->fd, 300, 1, &ring));
		LINK(keep, 0, ring);
		ASSERT_EQ(0, rs_release(self->fd, ring));
		LINK(keep, 0, 0);
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
		EXPECT_GT(100, rs_objects(self->fd));
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/*
 * Objects that are alive and never rest: now in a slot, now in a handle only.
 * None of them is ever taken for dead, though each is a cycle of its own.
 */
enum { TOKENS = 24, PLACES = 96 };

static int move_about(int fd, __u64 board, __u64 seed)
{
	__u64 token;
	__u32 from, to;

	for (;;) {
		from = rs_below(&seed, PLACES);
		if (rs_get_slot(fd, board, from, &token))
			return 1;
		if (!token)
			continue;
		if (rs_cas_slot(fd, board, from, token, 0)) {
			rs_release(fd, token);
			continue;
		}
		do
			to = rs_below(&seed, PLACES);
		while (rs_cas_slot(fd, board, to, 0, token));
		if (rs_release(fd, token))
			return 2;
	}
}

TEST_F(collect, live_moved_about)
{
	__u64 board = NODE(PLACES), token, ids[TOKENS], id;
	struct refstore_collect collect;
	__u64 visited = 0, aborted = 0;
	pid_t children[2];
	int i, found = 0, turn;

	for (i = 0; i < TOKENS; i++) {
		token = NODE(1);
		ids[i] = rs_id(self->fd, token);
		LINK(token, 0, token);
		LINK(board, i, token);
		ASSERT_EQ(0, rs_release(self->fd, token));
	}
	for (i = 0; i < 2; i++) {
		children[i] = rs_fork_session(&self->fd);
		if (!children[i])
			_exit(move_about(self->fd, board, i + 1));
	}
	for (turn = 0; turn < 150; turn++) {
		ASSERT_EQ(0, rs_collect(self->fd, &collect));
		EXPECT_EQ(0, collect.reclaimed);
		visited += collect.visited;
		aborted += collect.aborted;
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, waitpid(children[i], NULL, WNOHANG));
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	TH_LOG("%llu visited, %llu aborted", visited, aborted);
	/* Only what a child had in its hands went with the child. */
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	for (i = 0; i < PLACES; i++) {
		id = rs_slot_id(self->fd, board, i);
		if (!id)
			continue;
		found++;
		EXPECT_LE(ids[0], id);
		EXPECT_GE(ids[TOKENS - 1], id);
	}
	EXPECT_LE(TOKENS - 2, found);
	EXPECT_EQ(found + 1, rs_objects(self->fd));
}

/* Two that collect the same heap at the same time: both are answered. */
TEST_F(collect, at_the_same_time)
{
	__u64 ring;
	pid_t child;
	int turn;

	for (turn = 0; turn < 20; turn++) {
		ASSERT_EQ(0, rs_ring(self->fd, 50, 1, &ring));
		ASSERT_EQ(0, rs_release(self->fd, ring));
		child = rs_fork_session(&self->fd);
		if (!child)
			_exit(rs_collect(self->fd, NULL) ? 1 : 0);
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
		EXPECT_EQ(0, rs_objects(self->fd));
		EXPECT_EQ(0, rs_wait_child(child));
	}
}

/* --- Signals ---------------------------------------------------------- */

static void ignore(int signal)
{
	(void)signal;
}

/* A signal ends the wait, not the scan. */
TEST_F(collect, interrupted)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = {
		.it_value.tv_usec = 500,
		.it_interval.tv_usec = 500,
	}, never = {};
	__u64 ring, again, end = rs_milliseconds() + 15000;
	const unsigned int length = rs_size(20000);
	unsigned int turns = 0;
	int ret;

	ASSERT_EQ(0, rs_ring(self->fd, length, 1, &ring));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	do {
		/* Something to look at. */
		ASSERT_EQ(0, rs_dup(self->fd, ring, &again));
		ASSERT_EQ(0, rs_release(self->fd, again));
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
		ret = rs_collect(self->fd, NULL);
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
		ASSERT_TRUE(ret == 0 || ret == -EINTR);
		turns++;
	} while (!ret && rs_milliseconds() < end);
	EXPECT_EQ(length, rs_objects(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(0, rs_objects(self->fd));
	if (!ret)
		SKIP(return, "no signal came in time, in %u calls", turns);
}

/* Who is killed while waiting goes at once, and takes nothing along. */
TEST_F(collect, killed)
{
	const unsigned int length = rs_size(20000);
	__u64 ring, again;
	pid_t child;
	int turn;

	ASSERT_EQ(0, rs_ring(self->fd, length, 1, &ring));
	for (turn = 0; turn < 10; turn++) {
		child = rs_fork_session(&self->fd);
		while (!child) {
			rs_dup(self->fd, ring, &again);
			rs_release(self->fd, again);
			if (rs_collect(self->fd, NULL))
				_exit(1);
		}
		usleep(3000 * turn);
		kill(child, SIGKILL);
		EXPECT_EQ(-1, rs_wait_child(child));
	}
	EXPECT_EQ(length, rs_objects(self->fd));
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_EQ(2, rs_refs(self->fd, ring));
}

TEST_HARNESS_MAIN
