// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the controller keeps itself, so that it knows what must be there: rings
 * whose only lasting reference is a handle that moves from member to member,
 * while mutators come and go by way of the board; and weak handles of objects
 * that it lets go of at once, each of which must bring one notice.
 */
#include "torture.h"

static __u32 below(struct museum *museum, __u32 bound)
{
	return rs_below(&museum->seed, bound);
}

static int make(struct museum *museum, __u64 tag, __u32 nr_slots,
		const __u64 *slots, struct refstore_create *create)
{
	char data[IDENTITY];

	identity_fill(data, tag, 0, IDENTITY);
	*create = (struct refstore_create){
		.data = rs_ptr(data),
		.data_len = IDENTITY,
		.type = tag_type(tag),
		.nr_slots = nr_slots,
		.slots = rs_ptr(slots),
	};
	return rs_create(museum->fd, create);
}

/* The last member first, as each refers to the one after it. */
static int make_members(struct museum *museum, struct ring *ring,
			__u64 *handles)
{
	struct refstore_create create;
	__u64 slots[2] = {};
	__u32 i = ring->members;
	int ret = 0;

	while (!ret && i--) {
		ret = make(museum, tag_ring(ring->tag, ring->members, i), 2,
			   slots, &create);
		ring->ids[i] = create.id;
		handles[i] = slots[0] = create.result;
	}
	return ret;
}

static int make_ring(struct museum *museum, struct ring *ring)
{
	__u64 handles[RING_MAX] = {};
	__u32 i, n;
	int ret;

	ring->members = 1 + below(museum, RING_MAX);
	ring->tag = tag_ring(tag_new(), ring->members, 0);
	ret = make_members(museum, ring, handles);
	n = ring->members;
	if (!ret)
		ret = rs_set_slot(museum->fd, handles[n - 1], 0, handles[0]);
	for (i = 0; !ret && i < n; i++)
		ret = rs_seal(museum->fd, handles[i], REFSTORE_SEAL_SLOTS);
	for (i = 1; !ret && i < n; i++)
		ret = rs_release(museum->fd, handles[i]);
	ring->handle = handles[0];
	return ret;
}

/* What mutators know by its tag, the first one that is given out. */
static int make_board(struct museum *museum)
{
	struct refstore_create create;
	int ret;

	museum->board.tag = tag_new();
	ret = make(museum, museum->board.tag, PLACES, NULL, &create);
	museum->board.handle = create.result;
	museum->board.id = create.id;
	return ret ? ret : rs_set_root(museum->fd, create.result);
}

/* A heap without a name, or the one that is asked for, which must not be there. */
static int open_heap(void)
{
	const char *name = getenv("REFSTORE_HEAP");
	int fd;

	if (!name)
		return rs_open();
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int museum_open(struct museum *museum, __u64 seed)
{
	int ret, i;

	memset(museum, 0, sizeof(*museum));
	museum->seed = seed | 1;
	museum->fd = open_heap();
	if (museum->fd < 0)
		return museum->fd;
	fcntl(museum->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	ret = make_board(museum);
	for (i = 0; !ret && i < RINGS; i++)
		ret = make_ring(museum, &museum->rings[i]);
	return ret;
}

/* Handles for a clone of the session: the rings'. */
__u32 museum_known(struct museum *museum, struct known *known)
{
	struct ring *ring;
	__u32 i;

	memset(known, 0, RINGS * sizeof(*known));
	for (i = 0; i < RINGS; i++) {
		ring = &museum->rings[i];
		known[i].handle = ring->handle;
		known[i].id = ring->ids[ring->at];
		known[i].tag = tag_ring(ring->tag, ring->members, ring->at);
		known[i].length = IDENTITY;
		known[i].sealed = true;
	}
	return RINGS;
}

/* --- While mutators are at it ------------------------------------------ */

static void move_ring(struct museum *museum, struct ring *ring, __u32 place)
{
	__u64 next;

	if (rs_get_slot(museum->fd, ring->handle, 0, &next) || !next) {
		complain("ring of object %llu is broken", ring->ids[0]);
		return;
	}
	rs_set_slot(museum->fd, museum->board.handle, place, next);
	rs_release(museum->fd, ring->handle);
	ring->handle = next;
	ring->at = (ring->at + 1) % ring->members;
	if (rs_id(museum->fd, next) != ring->ids[ring->at])
		complain("ring of object %llu: not object %llu", ring->ids[0],
			 ring->ids[ring->at]);
}

/* A ring of two, or a leaf, of which nothing stays but what others take. */
static int make_watched(struct museum *museum, __u64 *handle, __u64 *id)
{
	bool leaf = below(museum, 4) == 0;
	struct refstore_create one, two;
	int ret = make(museum, tag_new(), leaf ? 0 : 2, NULL, &one);

	*handle = one.result;
	*id = one.id;
	if (ret || leaf)
		return ret;
	ret = make(museum, tag_new(), 2, (__u64[]){ one.result, 0 }, &two);
	if (!ret)
		ret = rs_set_slot(museum->fd, one.result, 0, two.result);
	if (!ret)
		ret = rs_release(museum->fd, two.result);
	return ret;
}

static void make_watch(struct museum *museum, struct watch *watch)
{
	struct refstore_weak weak = {
		.size = sizeof(weak),
		.flags = REFSTORE_WEAK_NOTIFY,
		.cookie = watch - museum->watches,
	};

	memset(watch, 0, sizeof(*watch));
	if (make_watched(museum, &weak.object, &watch->id) ||
	    rs_call(museum->fd, REFSTORE_WEAK, &weak)) {
		complain("nothing to watch: %m");
		return;
	}
	watch->handle = weak.result;
	if (below(museum, 2))
		rs_set_slot(museum->fd, museum->board.handle,
			    below(museum, PLACES), weak.object);
	rs_release(museum->fd, weak.object);
}

/* Now and then: others may have changed the board, its size, and the root. */
void museum_tend(struct museum *museum)
{
	__u32 i;

	rs_resize(museum->fd, museum->board.handle, PLACES);
	rs_set_root(museum->fd, museum->board.handle);
	for (i = 0; i < RINGS; i++)
		move_ring(museum, &museum->rings[i], i);
	i = below(museum, WATCHES);
	if (!museum->watches[i].handle)
		make_watch(museum, &museum->watches[i]);
	museum_notices(museum);
}

/* There is too much in the heap. */
void museum_purge(struct museum *museum)
{
	rs_resize(museum->fd, museum->board.handle, 0);
	rs_resize(museum->fd, museum->board.handle, PLACES);
	add(torture->purge, 1);
}

static void museum_event(struct museum *museum,
			 const struct refstore_event *event)
{
	struct watch *watch = &museum->watches[event->cookie % WATCHES];

	if (event->seq != ++museum->seq)
		complain("the museum's event %llu is missing", museum->seq);
	if (event->kind != REFSTORE_EVENT_DEATH || event->cookie >= WATCHES)
		complain("an odd event: %u, %llu", event->kind, event->cookie);
	if (event->id != watch->id)
		complain("notice of object %llu says %llu", watch->id,
			 event->id);
	watch->notices++;
}

void museum_notices(struct museum *museum)
{
	struct refstore_event event;

	while (read(museum->fd, &event, sizeof(event)) == sizeof(event))
		museum_event(museum, &event);
}

/* --- While they hold still --------------------------------------------- */

static bool has_edge(struct rs_heap *heap, __u64 from, __u64 to)
{
	struct refstore_walk_edge key = { .from = from }, *edge;

	edge = bsearch(&key, heap->edges, heap->nr_edges, sizeof(key),
		       rs_compare_edges);
	return edge && edge->to == to;
}

static void check_ring(struct rs_heap *heap, const struct ring *ring)
{
	__u32 i, next;

	for (i = 0; i < ring->members; i++) {
		next = (i + 1) % ring->members;
		if (!rs_find(heap, ring->ids[i]))
			complain("object %llu of the museum is lost",
				 ring->ids[i]);
		else if (!has_edge(heap, ring->ids[i], ring->ids[next]))
			complain("object %llu of the museum has lost %llu",
				 ring->ids[i], ring->ids[next]);
	}
}

/* Dead, not listed, and noticed once; or nothing of that. */
static void check_watch(struct museum *museum, struct watch *watch,
			struct rs_heap *heap)
{
	struct refstore_upgrade upgrade = {
		.size = sizeof(upgrade),
		.weak = watch->handle,
	};
	bool alive;

	if (rs_call(museum->fd, REFSTORE_UPGRADE, &upgrade))
		complain("upgrade: %m");
	alive = upgrade.result;
	if (alive != !!rs_find(heap, watch->id) || watch->notices != !alive)
		complain("object %llu: %s, %s, %u notices", watch->id,
			 alive ? "upgraded" : "dead",
			 rs_find(heap, watch->id) ? "listed" : "not listed",
			 watch->notices);
	if (alive)
		rs_release(museum->fd, upgrade.result);
	else if (!rs_release(museum->fd, watch->handle))
		watch->handle = 0;
}

/* @heap is what is there now, after scans have found all there was to find. */
void museum_check(struct museum *museum, struct rs_heap *heap)
{
	int i;

	museum_notices(museum);
	for (i = 0; i < RINGS; i++)
		check_ring(heap, &museum->rings[i]);
	for (i = 0; i < WATCHES; i++)
		if (museum->watches[i].handle)
			check_watch(museum, &museum->watches[i], heap);
}
