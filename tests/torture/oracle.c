// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must be true of a heap in which nobody does anything: each object has as
 * many references as there are slots, handles, roots and the heap's own (of what
 * it saved) that refer to it, all of these refer to objects, and the kernel's
 * totals add up. After two full scans nothing is left that cannot be reached,
 * and all that should be there is.
 */
#include <sys/wait.h>

#include "torture.h"

#define REFSTORE "build/userspace/tools/refstore"

enum { LOOKS = 20 };

/* --- Walks ------------------------------------------------------------- */

/* A heap that was the same twice: what was under way by itself has ended. */
static bool walk(int fd, struct rs_heap *heap)
{
	struct rs_heap again;
	bool same = false;
	int looks, ret;

	ret = rs_heap_walk(fd, heap);
	for (looks = 0; !ret && !same && looks < LOOKS; looks++) {
		ret = rs_heap_walk(fd, &again);
		if (ret)
			break;
		same = heap->nr_objects == again.nr_objects &&
		       heap->nr_edges == again.nr_edges &&
		       heap->nr_handles == again.nr_handles &&
		       rs_heap_same(heap, &again);
		rs_heap_free(heap);
		*heap = again;
	}
	return same || complain("the heap does not come to rest: %d", ret);
}

static void count_to(struct rs_heap *heap, __u32 *counts, const char *what,
		     __u64 from, __u64 to)
{
	struct refstore_walk_object *object = rs_find(heap, to);

	if (object)
		counts[object - heap->objects]++;
	else
		complain("a %s of %llu refers to %llu, which is no object",
			 what, from, to);
}

static void check_counts(struct rs_heap *heap, __u32 *counts)
{
	struct refstore_walk_object *object;
	__u32 saved;
	size_t i;

	for (i = 0; i < heap->nr_edges; i++)
		count_to(heap, counts, "slot", heap->edges[i].from,
			 heap->edges[i].to);
	for (i = 0; i < heap->nr_handles; i++)
		count_to(heap, counts, "handle", heap->handles[i].session,
			 heap->handles[i].id);
	for (i = 0; i < heap->nr_roots; i++)
		count_to(heap, counts, "root", 0, heap->roots[i].id);
	for (i = 0; i < heap->nr_objects; i++) {
		object = &heap->objects[i];
		saved = !!(object->state & REFSTORE_STATE_SAVED);
		if (counts[i] + saved != object->refs)
			complain("object %llu, state %#x: %u references "
				 "found, %u saved, says %u", object->id,
				 object->state, counts[i], saved,
				 object->refs);
	}
}

/* What /proc/refstore/heaps says. Weak handles are among the handles. */
static void check_totals(int fd, struct rs_heap *heap)
{
	struct rs_figures figures;
	__u64 bytes = 0;
	size_t i;

	for (i = 0; i < heap->nr_objects; i++)
		bytes += heap->objects[i].bytes;
	if (rs_heap_figures(fd, &figures))
		complain("the heap is not listed");
	else if (figures.objects != heap->nr_objects ||
		 figures.bytes != bytes || figures.handles < heap->nr_handles)
		complain("%llu objects of %llu bytes, %llu handles; found %zu "
			 "of %llu, %zu", figures.objects, figures.bytes,
			 figures.handles, heap->nr_objects, bytes,
			 heap->nr_handles);
}

static void check_heap(int fd, struct rs_heap *heap)
{
	__u32 *counts = calloc(heap->nr_objects + 1, sizeof(*counts));
	size_t i;

	check_counts(heap, counts);
	check_totals(fd, heap);
	for (i = 0; i < heap->nr_edges; i++)
		if (!rs_find(heap, heap->edges[i].from))
			complain("a slot of %llu, which is no object",
				 heap->edges[i].from);
	free(counts);
}

/* --- What can be reached ----------------------------------------------- */

/**
 * struct reach - a search through a heap
 * @heap: the heap
 * @reached: of each object, in the order of @heap
 * @stack: places of objects whose slots are to be followed
 * @nr: their number
 */
struct reach {
	struct rs_heap *heap;
	bool *reached;
	size_t *stack;
	size_t nr;
};

static void reach(struct reach *reach, __u64 id)
{
	struct refstore_walk_object *object = rs_find(reach->heap, id);
	size_t place;

	if (!object)
		return;
	place = object - reach->heap->objects;
	if (reach->reached[place])
		return;
	reach->reached[place] = true;
	reach->stack[reach->nr++] = place;
}

/* Where a search begins. Frozen objects the scanner does not look at. */
static void reach_roots(struct reach *r)
{
	const __u32 kept = REFSTORE_STATE_SAVED | REFSTORE_STATE_FROZEN;
	struct rs_heap *heap = r->heap;
	size_t i;

	for (i = 0; i < heap->nr_handles; i++)
		reach(r, heap->handles[i].id);
	for (i = 0; i < heap->nr_roots; i++)
		reach(r, heap->roots[i].id);
	for (i = 0; i < heap->nr_objects; i++)
		if (heap->objects[i].state & kept)
			reach(r, heap->objects[i].id);
}

/* The first edge of an object, in the sorted array. */
static size_t first_edge(struct rs_heap *heap, __u64 from)
{
	size_t low = 0, high = heap->nr_edges, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (heap->edges[middle].from < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void follow(struct reach *r)
{
	struct rs_heap *heap = r->heap;
	__u64 from;
	size_t i;

	while (r->nr) {
		from = heap->objects[r->stack[--r->nr]].id;
		for (i = first_edge(heap, from);
		     i < heap->nr_edges && heap->edges[i].from == from; i++)
			reach(r, heap->edges[i].to);
	}
}

static void check_reachable(struct rs_heap *heap)
{
	struct reach r = {
		.heap = heap,
		.reached = calloc(heap->nr_objects + 1, sizeof(bool)),
		.stack = calloc(heap->nr_objects + 1, sizeof(size_t)),
	};
	size_t i;

	reach_roots(&r);
	follow(&r);
	for (i = 0; i < heap->nr_objects; i++)
		if (!r.reached[i])
			complain("object %llu, state %#x, %u references, is "
				 "left though nobody can reach it",
				 heap->objects[i].id, heap->objects[i].state,
				 heap->objects[i].refs);
	free(r.reached);
	free(r.stack);
}

/* --- What objects say of themselves ------------------------------------ */

enum { CHUNK = 64 };

static void check_identity(struct rs_heap *heap, __u64 *tags,
			   const struct refstore_walk_object *object,
			   const struct refstore_op *read, const char *data)
{
	struct refstore_walk_object *listed = rs_find(heap, object->id);
	struct identity identity;

	if (!listed || read->error) {
		complain("object %llu: %s", object->id,
			 listed ? strerror(-read->error) : "not listed before");
		return;
	}
	add(torture->reads, 1);
	if (!identity_read(data, read->data.done, &identity) ||
	    (identity.tag && (identity.length != object->data_len ||
			      identity.type != object->type)))
		complain("object %llu: odd data", object->id);
	tags[listed - heap->objects] = identity.tag;
}

/* Reads the data of some objects, and gives their handles back. */
static void read_some(int fd, struct rs_heap *heap, __u64 *tags,
		      struct refstore_walk_object *objects, __u32 count)
{
	static char data[CHUNK][IDENTITY];
	struct refstore_op ops[2 * CHUNK];
	struct refstore_batch batch;
	__u32 i;

	for (i = 0; i < count; i++) {
		ops[i] = op_data(REFSTORE_CMD_READ, objects[i].handle, 0,
				 IDENTITY, data[i]);
		ops[count + i] = op_release(objects[i].handle);
	}
	if (rs_batch(fd, REFSTORE_BATCH_CONTINUE, ops, 2 * count, &batch) ||
	    batch.failed)
		complain("the oracle's batch: %u failed, %m", batch.failed);
	for (i = 0; i < count; i++)
		check_identity(heap, tags, &objects[i], &ops[i], data[i]);
}

static void read_tags(int fd, struct rs_heap *heap, __u64 *tags)
{
	struct refstore_walk_object objects[CHUNK];
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.capacity = CHUNK,
		.entries = rs_ptr(objects),
	};

	while (!walk.end) {
		if (rs_walk(fd, &walk)) {
			complain("walk: %m");
			return;
		}
		if (walk.count)
			read_some(fd, heap, tags, objects, walk.count);
	}
}

/* A ring's members refer to each other in their order, once sealed. */
static void check_edges(struct rs_heap *heap, const __u64 *tags)
{
	struct refstore_walk_object *from, *to;
	__u64 next;
	size_t i;

	for (i = 0; i < heap->nr_edges; i++) {
		from = rs_find(heap, heap->edges[i].from);
		to = rs_find(heap, heap->edges[i].to);
		if (!from || !to || heap->edges[i].index ||
		    !(from->state & REFSTORE_STATE_SEALED_SLOTS))
			continue;
		next = tag_next(tags[from - heap->objects]);
		if (next && next != tags[to - heap->objects])
			complain("object %llu refers to %llu", from->id,
				 to->id);
	}
}

static void check_identities(int fd, struct rs_heap *heap)
{
	__u64 *tags = calloc(heap->nr_objects + 1, sizeof(*tags));

	read_tags(fd, heap, tags);
	check_edges(heap, tags);
	free(tags);
}

/* --- All of it --------------------------------------------------------- */

static void tune(int fd, __u32 automatic)
{
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_AUTOMATIC | REFSTORE_TUNE_SAVE,
		.automatic = automatic,
	};

	if (rs_call(fd, REFSTORE_TUNE, &tune))
		complain("tune: %m");
}

static void drop_saved(int fd)
{
	struct refstore_drop_saved drop = { .size = sizeof(drop) };

	if (rs_call(fd, REFSTORE_DROP_SAVED, &drop))
		complain("drop saved: %m");
}

/* Sometimes what is frozen stays so. */
static void thaw(struct museum *museum)
{
	struct refstore_freeze freeze = {
		.size = sizeof(freeze),
		.flags = REFSTORE_FREEZE_NONE,
	};

	if (rs_below(&museum->seed, 4) &&
	    rs_call(museum->fd, REFSTORE_FREEZE, &freeze))
		complain("freeze: %m");
}

static void settle(int fd)
{
	if (rs_collect(fd, NULL))
		complain("collect: %m");
	if (!rs_wait_until(rs_no_backlog(fd), PATIENCE))
		complain("the backlog does not go down");
}

/* As it is found, with what has been saved and cannot be reached. */
static void look_first(struct museum *museum)
{
	struct rs_heap heap;

	settle(museum->fd);
	if (!walk(museum->fd, &heap))
		return;
	check_heap(museum->fd, &heap);
	rs_heap_free(&heap);
}

/* Then after two full scans. */
static void look_again(struct museum *museum)
{
	struct rs_heap heap;

	drop_saved(museum->fd);
	thaw(museum);
	settle(museum->fd);
	settle(museum->fd);
	if (!walk(museum->fd, &heap))
		return;
	check_heap(museum->fd, &heap);
	check_reachable(&heap);
	check_identities(museum->fd, &heap);
	museum_check(museum, &heap);
	rs_heap_free(&heap);
}

/* The command counts, too, by ways of its own, and has to agree. */
static void verify(int fd)
{
	int inherited = dup(fd), status = -1;
	pid_t child = fork();
	char number[16];

	if (!child) {
		snprintf(number, sizeof(number), "%d", inherited);
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execl(REFSTORE, REFSTORE, "verify", "--fd", number, NULL);
		_exit(127);
	}
	close(inherited);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		complain("refstore verify: status %#x", status);
}

/* Nobody else does anything. */
void oracle(struct museum *museum)
{
	tune(museum->fd, 0);
	look_first(museum);
	look_again(museum);
	verify(museum->fd);
	tune(museum->fd, 1);
}
