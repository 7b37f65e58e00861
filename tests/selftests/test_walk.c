// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks: what a heap holds, listed in calls that each do a bounded amount.
 */
#include "refstore_heap.h"

FIXTURE(walk)
{
	int fd;
	size_t length;			/* of a chain */
	__u64 first, last, leaf;	/* the leaf is the root */
};

/* Entries that a call has room for. */
FIXTURE_VARIANT(walk)
{
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(walk, by_one)
{
	.capacity = 1,
};
FIXTURE_VARIANT_ADD(walk, by_seven)
{
	.capacity = 7,
};
FIXTURE_VARIANT_ADD(walk, by_thousands)
{
	.capacity = 5000,
};

FIXTURE_SETUP(walk)
{
	self->length = rs_size(700);
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_chain(self->fd, self->length, 3, &self->first,
			      &self->last));
	ASSERT_EQ(0, rs_leaf(self->fd, "leaf", 4, &self->leaf));
	ASSERT_EQ(0, rs_set_slot(self->fd, self->last, 2, self->leaf));
	ASSERT_EQ(0, rs_set_root(self->fd, self->leaf));
}

FIXTURE_TEARDOWN(walk)
{
	EXPECT_EQ(0, close(self->fd));
}

#define WALK(what, flags, entries, count) \
	rs_walk_all(self->fd, what, flags, variant->capacity, entries, count)

/* Each exactly once, and as REFSTORE_STAT tells it. */
TEST_F(walk, objects)
{
	struct refstore_walk_object *objects = NULL;
	struct refstore_stat stat;
	__u64 bytes = 0;
	struct rs_figures figures;
	size_t count, i;

	ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS, 0, &objects, &count));
	ASSERT_EQ(self->length + 1, count);
	qsort(objects, count, sizeof(*objects), rs_compare_objects);
	for (i = 0; i < count; i++) {
		ASSERT_EQ(i + 1, objects[i].id);
		ASSERT_EQ(0, objects[i].handle);
		ASSERT_EQ(0, objects[i].generation);
		bytes += objects[i].bytes;
	}
	ASSERT_EQ(0, rs_stat(self->fd, self->last, &stat));
	i = stat.id - 1;
	EXPECT_EQ(stat.bytes, objects[i].bytes);
	EXPECT_EQ(stat.type, objects[i].type);
	EXPECT_EQ(REFSTORE_STATE_SLOTTED,
		  objects[i].state & ~REFSTORE_STATE_CANDIDATE);
	EXPECT_EQ(3, objects[i].nr_slots);
	EXPECT_EQ(0, objects[i].data_len);
	EXPECT_EQ(1, objects[i].refs);
	i = rs_id(self->fd, self->leaf) - 1;
	EXPECT_EQ(0, objects[i].state);
	EXPECT_EQ(4, objects[i].data_len);
	EXPECT_EQ(3, objects[i].refs);
	/* What the heap is charged is what its objects take. */
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(bytes, figures.bytes);
	EXPECT_EQ(count, figures.objects);
	free(objects);
}

TEST_F(walk, edges)
{
	struct refstore_walk_edge *edges = NULL;
	__u64 leaf = rs_id(self->fd, self->leaf);
	size_t count, i;

	ASSERT_EQ(0, WALK(REFSTORE_WALK_EDGES, 0, &edges, &count));
	ASSERT_EQ(self->length, count);
	qsort(edges, count, sizeof(*edges), rs_compare_edges);
	for (i = 0; i + 1 < count; i++) {
		ASSERT_EQ(i + 2, edges[i].from);
		ASSERT_EQ(i + 1, edges[i].to);
		ASSERT_EQ(0, edges[i].index);
		ASSERT_EQ(0, edges[i].reserved);
	}
	EXPECT_EQ(rs_id(self->fd, self->last), edges[i].from);
	EXPECT_EQ(leaf, edges[i].to);
	EXPECT_EQ(2, edges[i].index);
	free(edges);
}

/* A wide object's edges go over several calls. */
TEST_F(walk, wide)
{
	const size_t nr = 3 * rs_size(1000);
	__u64 wide, *slots = calloc(nr, sizeof(*slots));
	struct refstore_walk_edge *edges = NULL;
	size_t count, i, found = 0;

	for (i = 0; i < nr; i++)
		slots[i] = i % 3 ? self->leaf : 0;
	ASSERT_EQ(0, rs_node(self->fd, nr, slots, &wide));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_EDGES, 0, &edges, &count));
	ASSERT_EQ(self->length + 2 * nr / 3, count);
	qsort(edges, count, sizeof(*edges), rs_compare_edges);
	for (i = 0; i < count; i++) {
		if (edges[i].from != rs_id(self->fd, wide))
			continue;
		ASSERT_EQ(found / 2 * 3 + found % 2 + 1, edges[i].index);
		found++;
	}
	EXPECT_EQ(2 * nr / 3, found);
	free(edges);
	free(slots);
}

/* Those of every session, with its number. */
TEST_F(walk, handles)
{
	int other = rs_session_new(self->fd, 0);
	struct refstore_walk_handle *handles = NULL;
	struct refstore_query query, others;
	__u64 root, found, leaf = rs_id(self->fd, self->leaf);
	size_t count, i, ours = 0;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_query(self->fd, &query));
	ASSERT_EQ(0, rs_query(other, &others));
	ASSERT_EQ(0, rs_get_root(other, &root));
	ASSERT_EQ(0, rs_dup(other, root, &found));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_HANDLES, 0, &handles, &count));
	EXPECT_EQ(5, count);
	for (i = 0; i < count; i++) {
		if (handles[i].session == query.session) {
			ours++;
			continue;
		}
		EXPECT_EQ(others.session, handles[i].session);
		EXPECT_EQ(leaf, handles[i].id);
	}
	EXPECT_EQ(3, ours);
	free(handles);
	EXPECT_EQ(0, close(other));
}

TEST_F(walk, roots)
{
	struct refstore_walk_handle *roots = NULL;
	size_t count;

	ASSERT_EQ(0, WALK(REFSTORE_WALK_ROOTS, 0, &roots, &count));
	ASSERT_EQ(1, count);
	EXPECT_EQ(0, roots[0].session);
	EXPECT_EQ(rs_id(self->fd, self->leaf), roots[0].id);
	free(roots);
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_ROOTS, 0, &roots, &count));
	EXPECT_EQ(0, count);
	free(roots);
}

/* A handle for each object, as good as any, and counted. */
TEST_F(walk, mint)
{
	struct refstore_walk_object *objects = NULL;
	struct rs_before before;
	size_t count, i;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS, REFSTORE_WALK_MINT, &objects,
			  &count));
	ASSERT_EQ(self->length + 1, count);
	for (i = 0; i < count; i++) {
		ASSERT_NE(0, objects[i].handle);
		ASSERT_EQ(objects[i].id, rs_id(self->fd, objects[i].handle));
		ASSERT_EQ(objects[i].refs,
			  rs_refs(self->fd, objects[i].handle));
	}
	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, rs_release(self->fd, objects[i].handle));
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
	free(objects);
}

/* Minting reaches garbage, and makes it live again. */
TEST_F(walk, mint_garbage)
{
	struct refstore_walk_object *objects = NULL;
	__u64 ring, kept = 0;
	size_t count, i;

	ASSERT_EQ(0, rs_ring(self->fd, 5, 1, &ring));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS, REFSTORE_WALK_MINT, &objects,
			  &count));
	for (i = 0; i < count; i++) {
		if (objects[i].id > self->length + 1 && !kept) {
			kept = objects[i].handle;
			continue;
		}
		ASSERT_EQ(0, rs_release(self->fd, objects[i].handle));
	}
	free(objects);
	ASSERT_EQ(0, rs_settle(self->fd));
	/* The scan may have been there before the walk. */
	if (!kept)
		SKIP(return, "the garbage was gone before the walk");
	ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS, 0, &objects, &count));
	EXPECT_EQ(self->length + 1 + 5, count);
	free(objects);
	ASSERT_EQ(0, rs_release(self->fd, kept));
	ASSERT_EQ(0, rs_settle(self->fd));
	ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS, 0, &objects, &count));
	EXPECT_EQ(self->length + 1, count);
	free(objects);
}

TEST_F(walk, empty)
{
	struct refstore_walk_object *entries;
	size_t count;
	__u32 what;
	int fd = rs_open();

	ASSERT_LE(0, fd);
	for (what = 0; what <= REFSTORE_WALK_ROOTS; what++) {
		ASSERT_EQ(0, rs_walk_all(fd, what, 0, variant->capacity,
					 &entries, &count));
		EXPECT_EQ(0, count);
		free(entries);
	}
	EXPECT_EQ(0, close(fd));
}

/* What was not written is not touched. */
TEST_F(walk, writes_what_it_says)
{
	/* For the longest of them. */
	const size_t size = (self->length + 10) *
			    sizeof(struct refstore_walk_object);
	char *room = malloc(size);
	struct refstore_walk walk = {
		.capacity = self->length + 10,
		.entries = rs_ptr(room),
	};
	size_t i;

	for (walk.what = 0; walk.what <= REFSTORE_WALK_ROOTS; walk.what++) {
		memset(room, 0x5a, size);
		walk.cursor[0] = walk.cursor[1] = 0;
		ASSERT_EQ(0, rs_walk(self->fd, &walk));
		ASSERT_GE(walk.capacity, walk.count);
		for (i = walk.count * rs_entry_size[walk.what]; i < size; i++) {
			ASSERT_EQ(0x5a, room[i]);
		}
	}
	free(room);
}

/* A cursor that no call gave is refused or leads somewhere, without harm. */
TEST_F(walk, wild_cursors)
{
	struct refstore_walk_object entries[4];
	struct rs_before before;
	struct refstore_walk walk;
	__u64 seed = 31415;
	__u32 i;
	int turn, turns = rs_size(3000), ret;

	ASSERT_EQ(0, rs_before(self->fd, &before));
	for (turn = 0; turn < turns; turn++) {
		walk = (struct refstore_walk){
			.what = turn % 4,
			.flags = turn % 8 ? 0 : REFSTORE_WALK_MINT,
			.capacity = 4,
			.entries = rs_ptr(entries),
			.cursor = {
				rs_random(&seed) >> rs_below(&seed, 64),
				rs_random(&seed) >> rs_below(&seed, 64),
			},
		};
		ret = rs_walk(self->fd, &walk);
		ASSERT_TRUE(ret == 0 || ret == -EINVAL);
		for (i = 0; !ret && walk.flags && i < walk.count; i++) {
			ASSERT_EQ(0, rs_release(self->fd, entries[i].handle));
		}
	}
	EXPECT_TRUE(rs_unchanged(self->fd, &before));
	rs_before_free(&before);
}

/*
 * What is there all the time is listed exactly once, whatever comes and goes
 * beside it.
 */
TEST_F(walk, while_others_come_and_go)
{
	struct refstore_walk_object *objects = NULL;
	size_t count, i, there;
	__u64 *ids, handle, own[20] = {}, seed;
	pid_t child = rs_fork_session(&self->fd);
	int turn;

	for (seed = 7; !child;) {
		i = rs_below(&seed, 20);
		if (own[i] && rs_release(self->fd, own[i]))
			_exit(1);
		if (rs_node(self->fd, rs_below(&seed, 4), NULL, &handle))
			_exit(2);
		own[i] = handle;
	}
	for (turn = 0; turn < 10; turn++) {
		ASSERT_EQ(0, WALK(REFSTORE_WALK_OBJECTS,
				  turn % 2 ? REFSTORE_WALK_MINT : 0, &objects,
				  &count));
		ids = calloc(count + 1, sizeof(*ids));
		for (i = there = 0; i < count; i++) {
			ids[i] = objects[i].id;
			there += ids[i] <= self->length + 1;
			if (turn % 2) {
				ASSERT_EQ(0, rs_release(self->fd,
							objects[i].handle));
			}
		}
		EXPECT_EQ(self->length + 1, there);
		EXPECT_EQ(0, rs_repeated(ids, count));
		free(ids);
		free(objects);
	}
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_HARNESS_MAIN
