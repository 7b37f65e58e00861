// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of Python's own collector and weak references hold it to
 * (test_gc and test_weakref of CPython, by whose names the tests here go), for
 * what of it makes sense in a store without finalizers. Each says which
 * property it keeps.
 *
 * Python calls back while it collects. Here, whoever wants to act on a death or
 * on a scan reads an event and acts then, so that is what the tests do.
 */
#include <poll.h>

#include "refstore_heap.h"

FIXTURE(gc)
{
	int fd;
	__u64 heap;
};

/* As after gc.disable(): nothing is collected but on request. */
FIXTURE_SETUP(gc)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
}

FIXTURE_TEARDOWN(gc)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* An object of a type, with slots. */
static __u64 new_object(struct __test_metadata *_metadata, int fd, __u32 type,
			__u32 nr_slots)
{
	struct refstore_create create = {
		.flags = REFSTORE_CREATE_SLOTTED,
		.type = type,
		.nr_slots = nr_slots,
	};

	ASSERT_EQ(0, rs_create(fd, &create));
	return create.result;
}

#define OBJECT(type, nr_slots) \
	new_object(_metadata, self->fd, REFSTORE_TYPE_##type, nr_slots)
#define SET(from, index, to) \
	ASSERT_EQ(0, rs_set_slot(self->fd, from, index, to))
#define DEL(handle) ASSERT_EQ(0, rs_release(self->fd, handle))

static __u64 weak_of(struct __test_metadata *_metadata, int fd, __u64 handle,
		     __u32 flags, __u64 cookie)
{
	__u64 weak;

	ASSERT_EQ(0, rs_weak(fd, handle, flags, cookie, &weak));
	return weak;
}

#define REF(handle) weak_of(_metadata, self->fd, handle, 0, 0)
#define CALLBACK(handle, cookie) weak_of(_metadata, self->fd, handle, \
					 REFSTORE_WEAK_NOTIFY, cookie)

/* Objects that a collection of a generation frees; ~0 if that fails. */
static __u64 collect(int fd, __u32 generation)
{
	struct refstore_collect figures;

	return rs_collect_generation(fd, generation, &figures) ?
	       ~0ULL : figures.reclaimed;
}

/* gc.collect() */
#define COLLECT() collect(self->fd, REFSTORE_GENERATIONS - 1)

/* All of it goes at once; the second collection finds nothing. */
#define EXPECT_COLLECTS(count) do {					\
	EXPECT_EQ(count, COLLECT());					\
	EXPECT_EQ(0, COLLECT());					\
	EXPECT_EQ(0, rs_objects(self->fd));				\
} while (0)

/* Reads what there is, without waiting; how many events. */
static int events(int fd, struct refstore_event *events, int room)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 ? rs_read_events(fd, events, room) : 0;
}

/* --- Loops of one or two ---------------------------------------------- */

/* A list that contains itself. */
TEST_F(gc, test_list)
{
	__u64 list = OBJECT(LIST, 0);

	ASSERT_EQ(0, rs_resize(self->fd, list, 1));
	SET(list, 0, list);
	EXPECT_EQ(0, COLLECT());
	DEL(list);
	EXPECT_COLLECTS(1);
}

/* A dict that is its own value. */
TEST_F(gc, test_dict)
{
	__u64 dict = OBJECT(DICT, 2), key;

	ASSERT_EQ(0, rs_leaf(self->fd, "1", 1, &key));
	SET(dict, 0, key);
	SET(dict, 1, dict);
	DEL(key);
	EXPECT_EQ(0, COLLECT());
	DEL(dict);
	/* The key goes with it. */
	EXPECT_COLLECTS(2);
}

/* A tuple cannot contain itself, but a list that contains it: both go. */
TEST_F(gc, test_tuple)
{
	__u64 list = OBJECT(LIST, 1);
	struct refstore_create create = {
		.flags = REFSTORE_SEAL_SLOTS,
		.type = REFSTORE_TYPE_TUPLE,
		.nr_slots = 1,
		.slots = rs_ptr(&list),
	};

	ASSERT_EQ(0, rs_create(self->fd, &create));
	SET(list, 0, create.result);
	DEL(list);
	EXPECT_EQ(0, COLLECT());
	DEL(create.result);
	EXPECT_COLLECTS(2);
}

/* A class: its dict, the tuple of its bases and itself refer to each other. */
TEST_F(gc, test_class)
{
	__u64 class = OBJECT(OBJECT, 2), dict = OBJECT(DICT, 2), mro;
	struct refstore_create create = {
		.flags = REFSTORE_SEAL_SLOTS,
		.type = REFSTORE_TYPE_TUPLE,
		.nr_slots = 1,
		.slots = rs_ptr(&class),
	};

	ASSERT_EQ(0, rs_create(self->fd, &create));
	mro = create.result;
	SET(class, 0, dict);
	SET(class, 1, mro);
	SET(dict, 1, class);
	DEL(mro);
	DEL(dict);
	EXPECT_EQ(0, COLLECT());
	DEL(class);
	EXPECT_COLLECTS(3);
}

/* An instance with itself as an attribute: it and its dict. Its class stays. */
TEST_F(gc, test_instance)
{
	__u64 class = OBJECT(OBJECT, 0), self_dict = OBJECT(DICT, 2);
	__u64 instance = OBJECT(OBJECT, 2);

	SET(instance, 0, class);
	SET(instance, 1, self_dict);
	SET(self_dict, 1, instance);
	DEL(self_dict);
	EXPECT_EQ(0, COLLECT());
	DEL(instance);
	EXPECT_EQ(2, COLLECT());
	EXPECT_EQ(0, COLLECT());
	EXPECT_EQ(1, rs_refs(self->fd, class));
	DEL(class);
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* --- What the module offers ------------------------------------------- */

/* With DEBUG_SAVEALL nothing is freed: it is in gc.garbage, once. */
TEST_F(gc, test_saveall)
{
	struct refstore_walk_object *objects = NULL;
	__u64 list = OBJECT(LIST, 1), id = rs_id(self->fd, list), dropped;
	struct refstore_collect figures;
	size_t count;

	EXPECT_EQ(0, COLLECT());
	SET(list, 0, list);
	ASSERT_EQ(0, rs_save(self->fd, true));
	DEL(list);
	ASSERT_EQ(0, rs_collect(self->fd, &figures));
	EXPECT_EQ(1, figures.saved);
	EXPECT_EQ(0, figures.reclaimed);
	ASSERT_EQ(0, rs_save(self->fd, false));
	/* It can be had from there, and is what it was. */
	ASSERT_EQ(0, rs_walk_all(self->fd, REFSTORE_WALK_OBJECTS,
				 REFSTORE_WALK_MINT, 8, &objects, &count));
	ASSERT_EQ(1, count);
	EXPECT_NE(0, objects[0].state & REFSTORE_STATE_SAVED);
	EXPECT_EQ(id, objects[0].id);
	EXPECT_EQ(id, rs_slot_id(self->fd, objects[0].handle, 0));
	DEL(objects[0].handle);
	free(objects);
	EXPECT_EQ(0, COLLECT());
	/* gc.garbage.clear() */
	ASSERT_EQ(0, rs_drop_saved(self->fd, &dropped));
	EXPECT_EQ(1, dropped);
	EXPECT_COLLECTS(1);
}

static __u64 count_of(int fd, __u32 generation)
{
	struct refstore_generation figures;

	return rs_generation(fd, generation, &figures) ? ~0ULL : figures.count;
}

/* gc.get_count() goes up with what may be garbage, and a collection resets. */
TEST_F(gc, test_get_count)
{
	__u64 list, again;

	EXPECT_EQ(0, COLLECT());
	EXPECT_EQ(0, count_of(self->fd, 0));
	EXPECT_EQ(0, count_of(self->fd, 1));
	EXPECT_EQ(0, count_of(self->fd, 2));
	list = OBJECT(LIST, 1);
	/* What only came, and was never let go of, cannot be garbage. */
	EXPECT_EQ(0, count_of(self->fd, 0));
	ASSERT_EQ(0, rs_dup(self->fd, list, &again));
	DEL(again);
	EXPECT_EQ(1, count_of(self->fd, 0));
	EXPECT_EQ(0, collect(self->fd, 0));
	EXPECT_EQ(0, count_of(self->fd, 0));
	EXPECT_EQ(1, count_of(self->fd, 1));
}

/* A collection counts for the next older generation, and resets younger. */
TEST_F(gc, test_collect_generations)
{
	EXPECT_EQ(0, COLLECT());
	EXPECT_EQ(0, collect(self->fd, 0));
	EXPECT_EQ(1, count_of(self->fd, 1));
	EXPECT_EQ(0, count_of(self->fd, 2));
	EXPECT_EQ(0, collect(self->fd, 0));
	EXPECT_EQ(2, count_of(self->fd, 1));
	EXPECT_EQ(0, collect(self->fd, 1));
	EXPECT_EQ(0, count_of(self->fd, 1));
	EXPECT_EQ(1, count_of(self->fd, 2));
	EXPECT_EQ(0, collect(self->fd, 2));
	EXPECT_EQ(0, count_of(self->fd, 1));
	EXPECT_EQ(0, count_of(self->fd, 2));
	EXPECT_EQ(-EINVAL, rs_collect_generation(self->fd, 3, NULL));
}

/*
 * gc.enable(), gc.disable(), gc.isenabled(): whether collections come by
 * themselves is what was set last, and can be asked.
 */
TEST_F(gc, test_enable_disable)
{
	struct refstore_tune tune = {};

	ASSERT_EQ(0, rs_tune(self->fd, &tune));
	EXPECT_EQ(0, tune.automatic);
	tune.flags = REFSTORE_TUNE_AUTOMATIC;
	tune.automatic = 1;
	ASSERT_EQ(0, rs_tune(self->fd, &tune));
	tune = (struct refstore_tune){};
	ASSERT_EQ(0, rs_tune(self->fd, &tune));
	EXPECT_EQ(1, tune.automatic);
}

/* gc.get_referents(): what an object refers to, as often as it does. */
TEST_F(gc, test_get_referents)
{
	__u64 list = OBJECT(LIST, 4), one, two, empty[4], slots[4];
	__u32 done, i;

	ASSERT_EQ(0, rs_leaf(self->fd, "1", 1, &one));
	ASSERT_EQ(0, rs_leaf(self->fd, "2", 1, &two));
	SET(list, 0, one);
	SET(list, 1, two);
	SET(list, 2, one);
	SET(list, 3, list);
	ASSERT_EQ(0, rs_read_slots(self->fd, list, 0, 4, slots, &done));
	ASSERT_EQ(4, done);
	EXPECT_EQ(rs_id(self->fd, one), rs_id(self->fd, slots[0]));
	EXPECT_EQ(rs_id(self->fd, two), rs_id(self->fd, slots[1]));
	EXPECT_EQ(rs_id(self->fd, one), rs_id(self->fd, slots[2]));
	EXPECT_EQ(rs_id(self->fd, list), rs_id(self->fd, slots[3]));
	for (i = 0; i < 4; i++) {
		DEL(slots[i]);
	}
	/* What has none to refer with says so. */
	EXPECT_EQ(-EOPNOTSUPP, rs_read_slots(self->fd, one, 0, 1, empty,
					     &done));
	DEL(one);
	DEL(two);
	DEL(list);
	EXPECT_COLLECTS(3);
}

/* gc.is_tracked(): what can refer to others is, and what cannot never is. */
TEST_F(gc, test_is_tracked)
{
	struct refstore_collect figures;
	__u64 leaf, list = OBJECT(LIST, 0), again;
	struct refstore_stat stat;
	int i;

	ASSERT_EQ(0, rs_leaf(self->fd, "atom", 4, &leaf));
	ASSERT_EQ(0, rs_stat(self->fd, leaf, &stat));
	EXPECT_EQ(0, stat.state & REFSTORE_STATE_SLOTTED);
	ASSERT_EQ(0, rs_stat(self->fd, list, &stat));
	EXPECT_NE(0, stat.state & REFSTORE_STATE_SLOTTED);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rs_dup(self->fd, i ? list : leaf, &again));
		DEL(again);
		ASSERT_EQ(0, rs_stat(self->fd, i ? list : leaf, &stat));
		EXPECT_EQ(i, !!(stat.state & REFSTORE_STATE_CANDIDATE));
		ASSERT_EQ(0, rs_collect(self->fd, &figures));
		EXPECT_EQ(i, figures.visited);
	}
}

/* gc.freeze(): out of sight of collections; gc.unfreeze() brings it back. */
TEST_F(gc, test_freeze)
{
	__u64 count, list = OBJECT(LIST, 1);

	SET(list, 0, list);
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, &count));
	EXPECT_EQ(1, count);
	ASSERT_EQ(0, rs_freeze(self->fd, 0, &count));
	EXPECT_EQ(1, count);
	DEL(list);
	EXPECT_EQ(0, COLLECT());
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, &count));
	ASSERT_EQ(0, rs_freeze(self->fd, 0, &count));
	EXPECT_EQ(0, count);
	EXPECT_COLLECTS(1);
}

/* Which generation an object is of; -1 if it is not listed. */
static int generation_of(int fd, __u64 id)
{
	struct refstore_walk_object *objects = NULL;
	int generation = -1;
	size_t count;

	if (rs_walk_all(fd, REFSTORE_WALK_OBJECTS, 0, 64, &objects, &count))
		return -1;
	while (count--)
		if (objects[count].id == id)
			generation = objects[count].generation;
	free(objects);
	return generation;
}

/* gc.get_objects(): each is of one generation, and moves on as it survives. */
TEST_F(gc, test_get_objects)
{
	__u64 list = OBJECT(LIST, 1), id = rs_id(self->fd, list), again;
	int age;

	for (age = 0; age < REFSTORE_GENERATIONS; age++) {
		EXPECT_EQ(age, generation_of(self->fd, id));
		ASSERT_EQ(0, rs_dup(self->fd, list, &again));
		DEL(again);
		EXPECT_EQ(0, COLLECT());
	}
	EXPECT_EQ(REFSTORE_GENERATIONS - 1, generation_of(self->fd, id));
	DEL(list);
	EXPECT_EQ(-1, generation_of(self->fd, id));
}

/* Generations that there are not, and what else makes no sense. */
TEST_F(gc, test_get_objects_arguments)
{
	struct refstore_generation figures;
	struct refstore_walk walk = { .what = REFSTORE_WALK_OBJECTS };

	EXPECT_EQ(-EINVAL, rs_generation(self->fd, 1000, &figures));
	EXPECT_EQ(-EINVAL, rs_generation(self->fd, (__u32)-1000, &figures));
	EXPECT_EQ(-EINVAL, rs_generation(self->fd, REFSTORE_GENERATIONS,
					 &figures));
	EXPECT_EQ(-EINVAL, rs_walk(self->fd, &walk));
	EXPECT_EQ(0, rs_generation(self->fd, 0, &figures));
}

/* --- Deep structures -------------------------------------------------- */

FIXTURE(deep)
{
	struct _test_data_gc gc;
};

FIXTURE_VARIANT(deep)
{
	__u32 type, flags, slots;
	__u32 key;		/* objects that each level has besides */
};

FIXTURE_VARIANT_ADD(deep, list)
{
	.type = REFSTORE_TYPE_LIST, .slots = 1,
};
FIXTURE_VARIANT_ADD(deep, tuple)
{
	.type = REFSTORE_TYPE_TUPLE, .slots = 1, .flags = REFSTORE_SEAL_SLOTS,
};
FIXTURE_VARIANT_ADD(deep, dict)
{
	.type = REFSTORE_TYPE_DICT, .slots = 2, .key = 1,
};

FIXTURE_SETUP(deep)
{
	gc_setup(_metadata, &self->gc, NULL);
}

FIXTURE_TEARDOWN(deep)
{
	gc_teardown(_metadata, &self->gc, NULL);
}

/* Wraps what *@handle names so many times; the handle is the outermost's. */
static int wrap(int fd, const FIXTURE_VARIANT(deep) *variant,
		unsigned int depth, __u64 *handle)
{
	struct refstore_op ops[RS_CHUNK];
	struct refstore_batch batch;
	static __u64 slots[RS_CHUNK][2];
	unsigned int n, last = 0, key;
	__u64 inner;
	int ret;

	while (depth) {
		inner = *handle;
		for (n = 0; n + 4 <= RS_CHUNK && depth; depth--) {
			key = n;
			if (variant->key) {
				ops[n] = op_create(0, NULL);
				ops[n++].create.flags = 0;
			}
			slots[n][variant->slots - 1] = inner;
			if (variant->key)
				slots[n][0] = REFSTORE_RESULT(key);
			ops[n] = op_create(variant->slots, slots[n]);
			ops[n].create.type = variant->type;
			ops[n].create.flags |= variant->flags;
			last = n++;
			if (variant->key)
				ops[n++] = op_release(REFSTORE_RESULT(key));
			ops[n++] = op_release(inner);
			inner = REFSTORE_RESULT(last);
		}
		ret = rs_batch(fd, 0, ops, n, &batch);
		if (ret || batch.failed || batch.done != n)
			return ret ? ret : -EPROTO;
		*handle = ops[last].create.result;
	}
	return 0;
}

/*
 * However deep something is, it is freed without running out of stack: by its
 * count, and as what hangs on a cycle that is collected.
 */
TEST_F(deep, test_trashcan)
{
	const unsigned int depth = rs_size(40000);
	int fd = self->gc.fd;
	__u64 handle, first, loop;

	ASSERT_EQ(0, rs_node(fd, 0, NULL, &handle));
	ASSERT_EQ(0, wrap(fd, variant, depth, &handle));
	EXPECT_EQ(depth * (1 + variant->key) + 1, rs_objects(fd));
	ASSERT_EQ(0, rs_release(fd, handle));
	EXPECT_TRUE(rs_wait_until(rs_objects(fd) == 0, RS_SOON));

	ASSERT_EQ(0, rs_node(fd, 1, NULL, &first));
	ASSERT_EQ(0, rs_dup(fd, first, &handle));
	ASSERT_EQ(0, wrap(fd, variant, depth, &handle));
	loop = handle;
	ASSERT_EQ(0, rs_set_slot(fd, first, 0, loop));
	ASSERT_EQ(0, rs_release(fd, first));
	ASSERT_EQ(0, rs_release(fd, loop));
	EXPECT_EQ(depth * (1 + variant->key) + 1,
		  collect(fd, REFSTORE_GENERATIONS - 1));
	EXPECT_EQ(0, rs_objects(fd));
}

/* --- What acts while others are collected ----------------------------- */

/*
 * A collection's own effect breaks a cycle: a death is told, and who reads of
 * it lets the next cycle go. That one is collected next time, by count or scan.
 */
TEST_F(gc, test_boom)
{
	__u64 a = OBJECT(OBJECT, 2), b = OBJECT(OBJECT, 2), attr, bait;
	struct refstore_event event;

	/* a and b refer to each other, and each to something of its own. */
	SET(a, 0, b);
	SET(b, 0, a);
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &attr));
	SET(a, 1, attr);
	SET(b, 1, attr);
	DEL(attr);
	DEL(b);
	bait = OBJECT(LIST, 1);
	SET(bait, 0, bait);
	CALLBACK(bait, 1);
	CALLBACK(a, 2);
	DEL(bait);
	EXPECT_EQ(1, COLLECT());
	ASSERT_EQ(1, events(self->fd, &event, 1));
	EXPECT_EQ(1, event.cookie);
	/* The cycle breaks: the count alone frees it now. */
	SET(a, 0, 0);
	DEL(a);
	ASSERT_EQ(1, events(self->fd, &event, 1));
	EXPECT_EQ(2, event.cookie);
	EXPECT_COLLECTS(0);
}

/* A cycle that was let go of and taken up again before is not collected. */
TEST_F(gc, test_boom_resurrected)
{
	__u64 a = OBJECT(OBJECT, 1), b = OBJECT(OBJECT, 1), weak, strong;

	SET(a, 0, b);
	SET(b, 0, a);
	weak = REF(a);
	DEL(a);
	DEL(b);
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	ASSERT_NE(0, strong);
	EXPECT_EQ(0, COLLECT());
	EXPECT_EQ(2, rs_objects(self->fd));
	DEL(strong);
	EXPECT_COLLECTS(2);
}

/*
 * Two cycles that are garbage together, of which one refers to the other, with
 * references with and without callbacks to both. When the first callback comes,
 * nothing of either can be had any more.
 */
TEST_F(gc, test_bug1055820b)
{
	__u64 c1 = OBJECT(OBJECT, 1), c0 = OBJECT(OBJECT, 2), weak[3];
	struct refstore_event event;
	int i;

	SET(c1, 0, c1);
	SET(c0, 0, c1);
	SET(c0, 1, c0);
	weak[0] = REF(c1);
	weak[1] = CALLBACK(c1, 1);
	weak[2] = CALLBACK(c0, 2);
	DEL(c1);
	DEL(c0);
	EXPECT_EQ(2, COLLECT());
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, events(self->fd, &event, 1));
		EXPECT_EQ(i + 1, event.seq);
		EXPECT_EQ(0, rs_alive(self->fd, weak[0]));
		EXPECT_EQ(0, rs_alive(self->fd, weak[1]));
		EXPECT_EQ(0, rs_alive(self->fd, weak[2]));
	}
	EXPECT_EQ(0, events(self->fd, &event, 1));
	EXPECT_COLLECTS(0);
}

/* gc.callbacks: one at the start and one at the end, with what was done. */
TEST_F(gc, test_collect)
{
	struct refstore_event seen[4];
	__u64 list = OBJECT(LIST, 1);

	SET(list, 0, list);
	DEL(list);
	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	EXPECT_EQ(1, COLLECT());
	ASSERT_EQ(2, events(self->fd, seen, 4));
	EXPECT_EQ(REFSTORE_EVENT_SCAN_BEGIN, seen[0].kind);
	EXPECT_EQ(REFSTORE_EVENT_SCAN_END, seen[1].kind);
	EXPECT_EQ(2, seen[0].generation);
	EXPECT_EQ(2, seen[1].generation);
	EXPECT_EQ(seen[0].id, seen[1].id);
	EXPECT_EQ(0, seen[0].reclaimed);
	EXPECT_EQ(1, seen[1].reclaimed);
}

/* What is told of a collection names the generation that was asked for. */
TEST_F(gc, test_collect_generation)
{
	struct refstore_event seen[4];

	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	EXPECT_EQ(0, collect(self->fd, 1));
	ASSERT_EQ(2, events(self->fd, seen, 4));
	EXPECT_EQ(1, seen[0].generation);
	EXPECT_EQ(1, seen[1].generation);
}

/* A death that a collection caused is told between its start and its end. */
TEST_F(gc, test_collect_garbage)
{
	struct refstore_event seen[4];
	__u64 list = OBJECT(LIST, 1);

	SET(list, 0, list);
	CALLBACK(list, 3);
	DEL(list);
	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	EXPECT_EQ(1, COLLECT());
	ASSERT_EQ(3, events(self->fd, seen, 4));
	EXPECT_EQ(REFSTORE_EVENT_SCAN_BEGIN, seen[0].kind);
	EXPECT_EQ(REFSTORE_EVENT_DEATH, seen[1].kind);
	EXPECT_EQ(3, seen[1].cookie);
	EXPECT_EQ(REFSTORE_EVENT_SCAN_END, seen[2].kind);
}

/* A collection may be asked for inside a callback; it is another one. */
TEST_F(gc, test_collect_in_callback)
{
	struct refstore_event event;
	__u64 list, next;
	int turn, other = rs_session_new(self->fd, 0);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	list = OBJECT(LIST, 1);
	SET(list, 0, list);
	DEL(list);
	EXPECT_EQ(1, collect(other, 2));
	for (turn = 1; turn < 6; turn++) {
		ASSERT_EQ(1, events(self->fd, &event, 1));
		ASSERT_EQ(REFSTORE_EVENT_SCAN_BEGIN, event.kind);
		EXPECT_EQ(turn, event.id);
		ASSERT_EQ(1, events(self->fd, &event, 1));
		ASSERT_EQ(REFSTORE_EVENT_SCAN_END, event.kind);
		EXPECT_EQ(1, event.reclaimed);
		/* It asks although nothing runs by itself. */
		next = OBJECT(LIST, 1);
		SET(next, 0, next);
		DEL(next);
		EXPECT_EQ(1, COLLECT());
	}
	EXPECT_EQ(0, rs_objects(self->fd));
	EXPECT_EQ(0, close(other));
}

/* --- test_weakref ----------------------------------------------------- */

/* A weak reference gives its object as long as that lives, then nothing. */
TEST_F(gc, test_basic_ref)
{
	__u64 object = OBJECT(OBJECT, 0), weak = REF(object), strong;

	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	EXPECT_EQ(rs_id(self->fd, object), rs_id(self->fd, strong));
	DEL(object);
	EXPECT_EQ(1, rs_alive(self->fd, weak));
	DEL(strong);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
}

/* The callback is called once, and the reference is dead by then. */
TEST_F(gc, test_basic_callback)
{
	__u64 object = OBJECT(OBJECT, 0), weak = CALLBACK(object, 42);
	struct refstore_event event;

	EXPECT_EQ(0, events(self->fd, &event, 1));
	DEL(object);
	ASSERT_EQ(1, events(self->fd, &event, 1));
	EXPECT_EQ(42, event.cookie);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(0, events(self->fd, &event, 1));
}

/* Each reference has a callback of its own, and all references are dead. */
TEST_F(gc, test_multiple_callbacks)
{
	__u64 object = OBJECT(OBJECT, 0), weak[2];
	struct refstore_event event;
	int i;

	weak[0] = CALLBACK(object, 0);
	weak[1] = CALLBACK(object, 1);
	DEL(object);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, events(self->fd, &event, 1));
		EXPECT_EQ(i, event.cookie);
		EXPECT_EQ(0, rs_alive(self->fd, weak[0]));
		EXPECT_EQ(0, rs_alive(self->fd, weak[1]));
	}
	EXPECT_EQ(0, events(self->fd, &event, 1));
}

/* A callback that drops another reference to the same object, and its own. */
TEST_F(gc, test_multiple_selfref_callbacks)
{
	enum { MANY = 10 };
	__u64 object = OBJECT(OBJECT, 0), weak[MANY];
	struct refstore_event event;
	int i;

	for (i = 0; i < MANY; i++)
		weak[i] = CALLBACK(object, i);
	DEL(object);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, events(self->fd, &event, 1));
		EXPECT_EQ(i, event.cookie);
		/* Both what was told and what will be, in turns. */
		if (i % 2)
			continue;
		DEL(weak[i]);
		DEL(weak[i + 1]);
	}
	EXPECT_EQ(0, events(self->fd, &event, 1));
	EXPECT_EQ(0, rs_handles(self->fd));
}

/* An object with a callback that is part of a cycle: told when that goes. */
TEST_F(gc, test_callback_in_cycle)
{
	__u64 a = OBJECT(OBJECT, 1), b = OBJECT(OBJECT, 1), weak;
	struct refstore_event event;

	SET(a, 0, b);
	SET(b, 0, a);
	weak = CALLBACK(a, 1);
	DEL(a);
	DEL(b);
	EXPECT_EQ(0, events(self->fd, &event, 1));
	EXPECT_COLLECTS(2);
	ASSERT_EQ(1, events(self->fd, &event, 1));
	EXPECT_EQ(1, event.cookie);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(0, events(self->fd, &event, 1));
}

/* Who was to be called died first: then nobody is called, and nothing leaks. */
TEST_F(gc, test_callbacks_on_callback)
{
	int callback = rs_session_new(self->fd, 0);
	__u64 object = OBJECT(OBJECT, 1), weak, theirs;
	struct refstore_event event;

	ASSERT_LE(0, callback);
	SET(object, 0, object);
	ASSERT_EQ(0, rs_set_root(self->fd, object));
	ASSERT_EQ(0, rs_get_root(callback, &theirs));
	weak = weak_of(_metadata, callback, theirs, REFSTORE_WEAK_NOTIFY, 1);
	EXPECT_NE(0, weak);
	weak = CALLBACK(object, 2);
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	DEL(object);
	/* It is the callback that keeps the object, until it goes. */
	EXPECT_EQ(0, COLLECT());
	EXPECT_EQ(0, close(callback));
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_COLLECTS(1);
	ASSERT_EQ(1, events(self->fd, &event, 1));
	EXPECT_EQ(2, event.cookie);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(0, events(self->fd, &event, 1));
}

/* A collection in the middle of making references: each is sound or dead. */
TEST_F(gc, test_gc_during_ref_creation)
{
	const unsigned int turns = rs_size(1000);
	__u64 object, weak, strong, id;
	struct refstore_event event;
	unsigned int i;
	pid_t child;

	child = rs_fork_session(&self->fd);
	while (!child)
		if (rs_collect(self->fd, NULL))
			_exit(1);
	for (i = 0; i < turns; i++) {
		object = OBJECT(OBJECT, 1);
		SET(object, 0, object);
		id = rs_id(self->fd, object);
		if (i % 2)
			DEL(REF(object));
		weak = CALLBACK(object, i);
		DEL(object);
		ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
		if (strong) {
			ASSERT_EQ(id, rs_id(self->fd, strong));
			ASSERT_EQ(0, events(self->fd, &event, 1));
			SET(strong, 0, 0);
			DEL(strong);
		}
		/* By its count at the latest: and then it is told, once. */
		ASSERT_EQ(1, rs_read_events(self->fd, &event, 1));
		ASSERT_EQ(i, event.cookie);
		ASSERT_EQ(id, event.id);
		ASSERT_EQ(i + 1, event.seq);
		ASSERT_EQ(0, rs_alive(self->fd, weak));
		DEL(weak);
	}
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	EXPECT_EQ(0, rs_objects(self->fd));
}

TEST_HARNESS_MAIN
