// SPDX-License-Identifier: GPL-2.0-only
/*
 * When scans run, what they look at, what they tell, and what is kept out of
 * their sight.
 *
 * Nothing here is timed but from below: what the kernel does by itself is
 * waited for as long as it takes, and what it shall not do has had its chance.
 */
#include <poll.h>
#include <pthread.h>

#include "refstore_heap.h"

#define DAY REFSTORE_MAX_DELAY

FIXTURE(tune)
{
	int fd;
	__u64 heap;
};

static int set_delays(int fd, __u32 youngest, __u32 middle, __u32 oldest)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_DELAY,
		.delay = { youngest, middle, oldest },
	};

	return rs_tune(fd, &tune);
}

static int set_thresholds(int fd, __u32 youngest, __u32 middle, __u32 oldest)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_THRESHOLD,
		.threshold = { youngest, middle, oldest },
	};

	return rs_tune(fd, &tune);
}

static int set_automatic(int fd, bool on)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_AUTOMATIC,
		.automatic = on,
	};

	return rs_tune(fd, &tune);
}

/* Scans may run by themselves, but nothing starts one. */
FIXTURE_SETUP(tune)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, set_thresholds(self->fd, 0, 0, 0));
	ASSERT_EQ(0, set_delays(self->fd, DAY, DAY, DAY));
}

FIXTURE_TEARDOWN(tune)
{
	struct rs_heap heap;

	EXPECT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	rs_heap_free(&heap);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
}

/* A generation's figures; scans is ~0 if there are none. */
static struct refstore_generation figures_of(int fd, __u32 generation)
{
	struct refstore_generation figures;

	if (rs_generation(fd, generation, &figures))
		figures.scans = ~0ULL;
	return figures;
}

/* Of all generations together. */
static struct refstore_generation all_figures(int fd)
{
	struct refstore_generation sum = figures_of(fd, 0), one;
	__u32 age;

	for (age = 1; age < REFSTORE_GENERATIONS; age++) {
		one = figures_of(fd, age);
		sum.candidates += one.candidates;
		sum.scans += one.scans;
		sum.visited += one.visited;
		sum.reclaimed += one.reclaimed;
		sum.bytes += one.bytes;
		sum.saved += one.saved;
		sum.aborted += one.aborted;
		sum.nanoseconds += one.nanoseconds;
	}
	return sum;
}

static __u64 scans(int fd)
{
	return all_figures(fd).scans;
}

/* Garbage: so many objects that refer to themselves. */
static int make_garbage(int fd, unsigned int count)
{
	struct refstore_op ops[3];
	struct refstore_batch batch;

	ops[0] = op_create(1, NULL);
	ops[1] = op_set_slot(REFSTORE_RESULT(0), 0, REFSTORE_RESULT(0));
	ops[2] = op_release(REFSTORE_RESULT(0));
	while (count--) {
		int ret = rs_batch(fd, 0, ops, 3, &batch);

		if (ret || batch.failed)
			return ret ? ret : -EPROTO;
	}
	return 0;
}

/* Makes a candidate of an object that lives. */
static int touch(int fd, __u64 handle)
{
	__u64 again;
	int ret = rs_dup(fd, handle, &again);

	return ret ? ret : rs_release(fd, again);
}

static int make_live(int fd, unsigned int count)
{
	__u64 handle;
	int ret = 0;

	while (count-- && !ret) {
		ret = rs_node(fd, 1, NULL, &handle);
		if (!ret)
			ret = touch(fd, handle);
	}
	return ret;
}

/* What would come by itself had time to. */
static void give_it_a_chance(void)
{
	usleep(300000);
}

/* --- When scans run --------------------------------------------------- */

/* Nothing but a request starts one. */
TEST_F(tune, not_automatic)
{
	struct refstore_collect collect;

	ASSERT_EQ(0, set_automatic(self->fd, false));
	ASSERT_EQ(0, set_thresholds(self->fd, 1, 1, 1));
	ASSERT_EQ(0, set_delays(self->fd, 0, 0, 0));
	ASSERT_EQ(0, make_garbage(self->fd, 300));
	ASSERT_EQ(0, make_live(self->fd, 300));
	give_it_a_chance();
	EXPECT_EQ(0, scans(self->fd));
	EXPECT_EQ(600, rs_objects(self->fd));
	EXPECT_EQ(600, figures_of(self->fd, 0).candidates);
	EXPECT_EQ(600, figures_of(self->fd, 0).count);
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(1, collect.scans);
	EXPECT_EQ(300, collect.reclaimed);
	EXPECT_EQ(600, collect.visited);
	EXPECT_EQ(1, scans(self->fd));
	EXPECT_EQ(1, rs_triggered(self->heap, "collect"));
	/* When they may, what is due comes without anything else. */
	ASSERT_EQ(0, make_garbage(self->fd, 10));
	give_it_a_chance();
	EXPECT_EQ(1, scans(self->fd));
	ASSERT_EQ(0, set_automatic(self->fd, true));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 300, RS_SOON));
}

/*
 * Who drops a reference makes a candidate first and then drops it; a scan that
 * comes in between finds it alive. So the last one before a scan, which that
 * very one starts, may be left for the next.
 */
TEST_F(tune, threshold)
{
	ASSERT_EQ(0, set_thresholds(self->fd, 100, 0, 0));
	ASSERT_EQ(0, make_garbage(self->fd, 99));
	give_it_a_chance();
	EXPECT_EQ(0, scans(self->fd));
	ASSERT_EQ(0, make_garbage(self->fd, 1));
	EXPECT_TRUE(rs_wait_until(scans(self->fd) == 1, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) <= 1, RS_SOON));
	EXPECT_EQ(1, figures_of(self->fd, 0).scans);
	EXPECT_LE(99, figures_of(self->fd, 0).reclaimed);
	EXPECT_EQ(1, rs_triggered(self->heap, "threshold"));
	/* Lowered below what is there, it is reached. */
	ASSERT_EQ(0, make_garbage(self->fd, 50));
	give_it_a_chance();
	EXPECT_EQ(1, scans(self->fd));
	ASSERT_EQ(0, set_thresholds(self->fd, 50, 0, 0));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_triggered(self->heap, "threshold") == 2,
				  RS_SOON));
}

/* Candidates that bring nothing count less, an eighth at last. */
TEST_F(tune, threshold_adapts)
{
	int turn;

	ASSERT_EQ(0, set_thresholds(self->fd, 100, 0, 0));
	for (turn = 0; turn < 4; turn++) {
		ASSERT_EQ(0, make_live(self->fd, (100 << turn) - 40));
		give_it_a_chance();
		EXPECT_EQ(turn, scans(self->fd));
		ASSERT_EQ(0, make_live(self->fd, 40));
		EXPECT_TRUE(rs_wait_until(scans(self->fd) == turn + 1ULL,
					  RS_SOON));
		EXPECT_TRUE(rs_wait_until(rs_triggered(self->heap,
						       "threshold") ==
					  turn + 1U, RS_SOON));
	}
	/* Eight times is the most; and garbage makes it one again. */
	ASSERT_EQ(0, make_garbage(self->fd, 800));
	EXPECT_TRUE(rs_wait_until(scans(self->fd) == 5, RS_SOON));
	EXPECT_LE(750, figures_of(self->fd, 0).reclaimed);
	ASSERT_EQ(0, make_garbage(self->fd, 100));
	EXPECT_TRUE(rs_wait_until(scans(self->fd) == 6, RS_SOON));
}

TEST_F(tune, delay)
{
	__u64 before;

	ASSERT_EQ(0, set_delays(self->fd, 100, DAY, DAY));
	ASSERT_EQ(0, make_garbage(self->fd, 1));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
	EXPECT_TRUE(rs_wait_until(rs_triggered(self->heap, "delay"), RS_SOON));
	EXPECT_TRUE(rs_wait_until(figures_of(self->fd, 0).scans, RS_SOON));
	/* No candidates, no scans. */
	before = scans(self->fd);
	give_it_a_chance();
	EXPECT_EQ(before, scans(self->fd));
	/* A shorter one counts for what waits already. */
	ASSERT_EQ(0, set_delays(self->fd, DAY, DAY, DAY));
	ASSERT_EQ(0, make_garbage(self->fd, 1));
	give_it_a_chance();
	EXPECT_EQ(1, rs_objects(self->fd));
	ASSERT_EQ(0, set_delays(self->fd, 0, DAY, DAY));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
}

/* Each candidate that is alive grows older with a scan; a new one is young. */
static __u32 age_of(int fd, __u64 handle)
{
	struct refstore_walk_object *objects = NULL;
	__u32 age = ~0U;
	size_t count;
	__u64 id = rs_id(fd, handle);

	if (rs_walk_all(fd, REFSTORE_WALK_OBJECTS, 0, 64, &objects, &count))
		return age;
	while (count--)
		if (objects[count].id == id)
			age = objects[count].generation;
	free(objects);
	return age;
}

TEST_F(tune, ages)
{
	__u64 node, leaf;
	__u32 age;

	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &node));
	EXPECT_EQ(0, age_of(self->fd, node));
	/* Who is no candidate is not looked at, and does not age. */
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, age_of(self->fd, node));
	for (age = 0; age < REFSTORE_GENERATIONS + 1; age++) {
		ASSERT_EQ(0, touch(self->fd, node));
		EXPECT_EQ(1, all_figures(self->fd).candidates);
		EXPECT_EQ(age < REFSTORE_GENERATIONS ? age :
			  REFSTORE_GENERATIONS - 1, age_of(self->fd, node));
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
		EXPECT_EQ(0, all_figures(self->fd).candidates);
	}
	EXPECT_EQ(0, age_of(self->fd, leaf));
}

/* A young scan does not look at old candidates, an old one does at young. */
TEST_F(tune, collect_generations)
{
	struct refstore_collect collect;
	__u64 node, spare;

	ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &node));
	ASSERT_EQ(0, rs_dup(self->fd, node, &spare));
	ASSERT_EQ(0, touch(self->fd, node));
	ASSERT_EQ(0, rs_collect_generation(self->fd, 0, NULL));
	ASSERT_EQ(1, age_of(self->fd, node));
	EXPECT_EQ(0, all_figures(self->fd).candidates);
	/* It becomes a cycle, and garbage, that no young scan looks for. */
	ASSERT_EQ(0, rs_set_slot(self->fd, node, 0, node));
	ASSERT_EQ(0, rs_release(self->fd, spare));
	ASSERT_EQ(0, rs_release(self->fd, node));
	EXPECT_EQ(0, figures_of(self->fd, 0).candidates);
	EXPECT_EQ(1, figures_of(self->fd, 1).candidates);
	ASSERT_EQ(0, rs_collect_generation(self->fd, 0, &collect));
	EXPECT_EQ(0, collect.visited);
	EXPECT_EQ(1, collect.scans);
	ASSERT_EQ(0, make_garbage(self->fd, 1));
	ASSERT_EQ(0, rs_collect_generation(self->fd, 1, &collect));
	EXPECT_EQ(2, collect.reclaimed);
	EXPECT_EQ(0, rs_objects(self->fd));
}

/* The generation of the next scan that ends; -1 if there is none. */
static int next_scan(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct refstore_event event;

	do
		if (poll(&poll_fd, 1, 1000 * RS_SOON) != 1 ||
		    rs_read_events(fd, &event, 1) != 1)
			return -1;
	while (event.kind != REFSTORE_EVENT_SCAN_END);
	return event.generation;
}

/* One scan, with candidates of each age before it. Returns its generation. */
static int one_scan(int fd, __u64 *nodes, unsigned int nr)
{
	unsigned int i;

	if (set_automatic(fd, false) || make_garbage(fd, 20))
		return -1;
	for (i = 0; i < nr; i++)
		if (touch(fd, nodes[i]))
			return -1;
	return set_automatic(fd, true) ? -1 : next_scan(fd);
}

/* So many scans of a generation, then one of the next older one. */
TEST_F(tune, older_after_younger)
{
	static const int expected[] = {
		0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 1, 2,
	};
	__u64 nodes[60];
	unsigned int i, nr;

	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	/* Some of each age, room for more, and scans that were worth it. */
	for (nr = 0; nr < 20; nr++) {
		ASSERT_EQ(0, make_garbage(self->fd, 20));
		ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &nodes[nr]));
		for (i = 0; i <= nr; i++) {
			ASSERT_EQ(0, touch(self->fd, nodes[i]));
		}
		ASSERT_EQ(0, rs_collect_generation(self->fd, nr % 3, NULL));
		EXPECT_EQ(nr % 3, next_scan(self->fd));
	}
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(2, next_scan(self->fd));
	ASSERT_EQ(0, set_thresholds(self->fd, 20, 3, 2));
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		/* One that is due for its count comes by itself, at once. */
		if (!expected[i]) {
			EXPECT_EQ(i % 9 % 4, figures_of(self->fd, 1).count);
			EXPECT_EQ(i % 9 / 4, figures_of(self->fd, 2).count);
		}
		ASSERT_EQ(0, rs_node(self->fd, 1, NULL, &nodes[nr++]));
		EXPECT_EQ(expected[i], expected[i] ? next_scan(self->fd) :
			  one_scan(self->fd, nodes, nr)) {
			TH_LOG("scan %u", i);
		}
	}
}

/* --- Figures ---------------------------------------------------------- */

/* Generations, heap, COLLECT and the list of scans say the same. */
TEST_F(tune, figures)
{
	struct refstore_collect collect, sum = {};
	struct rs_scan_line lines[RS_SCAN_LINES];
	struct refstore_generation all, one;
	struct rs_figures figures;
	__u64 ring;
	size_t n;
	int turn;

	ASSERT_EQ(0, set_automatic(self->fd, false));
	for (turn = 0; turn < 12; turn++) {
		ASSERT_EQ(0, make_garbage(self->fd, 5 * turn));
		ASSERT_EQ(0, make_live(self->fd, turn));
		ASSERT_EQ(0, rs_ring(self->fd, 10, 2, &ring));
		ASSERT_EQ(0, rs_save(self->fd, turn == 7));
		ASSERT_EQ(0, rs_collect_generation(self->fd, turn % 3,
						   &collect));
		EXPECT_EQ(1, collect.scans);
		EXPECT_NE(0, collect.nanoseconds);
		EXPECT_EQ(turn == 7 ? 35 : 0, collect.saved);
		sum.visited += collect.visited;
		sum.reclaimed += collect.reclaimed;
		sum.bytes += collect.bytes;
		sum.saved += collect.saved;
		sum.aborted += collect.aborted;
		sum.nanoseconds += collect.nanoseconds;
		one = figures_of(self->fd, turn % 3);
		EXPECT_EQ(turn / 3 + 1, one.scans);
		EXPECT_EQ(0, one.saturated);
	}
	all = all_figures(self->fd);
	EXPECT_EQ(12, all.scans);
	EXPECT_EQ(sum.visited, all.visited);
	EXPECT_EQ(sum.reclaimed, all.reclaimed);
	EXPECT_EQ(5 * 66 - 35, all.reclaimed);
	EXPECT_EQ(sum.bytes, all.bytes);
	EXPECT_EQ(sum.saved, all.saved);
	EXPECT_EQ(sum.aborted, all.aborted);
	EXPECT_EQ(sum.nanoseconds, all.nanoseconds);
	ASSERT_EQ(0, rs_heap_figures(self->fd, &figures));
	EXPECT_EQ(12, figures.scans);
	EXPECT_EQ(sum.reclaimed, figures.reclaimed);
	EXPECT_EQ(all.candidates, figures.candidates);
	n = rs_scan_lines(self->heap, lines, RS_SCAN_LINES);
	ASSERT_EQ(12, n);
	while (n--) {
		EXPECT_EQ(n % 3, lines[n].generation);
		EXPECT_EQ(n + 1, lines[n].scan);
		EXPECT_EQ(0, strcmp("collect", lines[n].trigger));
		sum.visited -= lines[n].visited;
		sum.reclaimed -= lines[n].reclaimed;
		sum.bytes -= lines[n].bytes;
		sum.nanoseconds -= lines[n].nanoseconds;
	}
	EXPECT_EQ(0, sum.visited);
	EXPECT_EQ(0, sum.reclaimed);
	EXPECT_EQ(0, sum.bytes);
	EXPECT_EQ(0, sum.nanoseconds);
}

/* --- Freezing --------------------------------------------------------- */

static __u32 state_of(int fd, __u64 handle)
{
	struct refstore_stat stat;

	return rs_stat(fd, handle, &stat) ? ~0U : stat.state;
}

static __u64 frozen(int fd)
{
	__u64 count;

	return rs_freeze(fd, 0, &count) ? ~0ULL : count;
}

TEST_F(tune, freeze)
{
	__u64 before, during, after, leaf, half, count;
	struct refstore_collect collect;

	EXPECT_EQ(0, frozen(self->fd));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	ASSERT_EQ(0, rs_ring(self->fd, 10, 2, &before));
	ASSERT_EQ(0, rs_release(self->fd, before));
	ASSERT_EQ(0, rs_ring(self->fd, 100, 2, &during));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, &count));
	EXPECT_EQ(110, count);
	EXPECT_EQ(110, frozen(self->fd));
	EXPECT_NE(0, state_of(self->fd, during) & REFSTORE_STATE_FROZEN);

	/* What comes after it is as always. */
	ASSERT_EQ(0, rs_ring(self->fd, 1000, 2, &after));
	EXPECT_EQ(0, state_of(self->fd, after) & REFSTORE_STATE_FROZEN);
	EXPECT_EQ(110, frozen(self->fd));
	ASSERT_EQ(0, rs_release(self->fd, after));
	/* A frozen ring that is let go, and one that has a new member. */
	ASSERT_EQ(0, rs_node(self->fd, 1, &during, &half));
	ASSERT_EQ(0, rs_set_slot(self->fd, during, 1, half));
	ASSERT_EQ(0, rs_release(self->fd, half));
	ASSERT_EQ(0, rs_release(self->fd, during));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(1000, collect.reclaimed);
	EXPECT_GE(1001, collect.visited);
	EXPECT_EQ(112, rs_objects(self->fd));

	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, &count));
	EXPECT_EQ(110, count);
	EXPECT_EQ(0, frozen(self->fd));
	EXPECT_LE(110, figures_of(self->fd, 0).candidates);
	ASSERT_EQ(0, rs_collect_generation(self->fd, 0, &collect));
	EXPECT_EQ(111, collect.reclaimed);
	EXPECT_EQ(1, rs_objects(self->fd));
}

/* Frozen objects cost nothing, and go by their count. */
TEST_F(tune, frozen_costs_nothing)
{
	const unsigned int count = rs_size(5000);
	struct refstore_collect collect;
	__u64 ring, chain, first, node, frozen_now;

	ASSERT_EQ(0, rs_ring(self->fd, count, 1, &ring));
	ASSERT_EQ(0, rs_chain(self->fd, 100, 1, &first, &chain));
	ASSERT_EQ(0, rs_release(self->fd, first));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, &frozen_now));
	EXPECT_EQ(count + 100, frozen_now);
	ASSERT_EQ(0, rs_node(self->fd, 1, &ring, &node));
	ASSERT_EQ(0, touch(self->fd, ring));
	ASSERT_EQ(0, touch(self->fd, node));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(1, collect.visited);
	ASSERT_EQ(0, rs_release(self->fd, chain));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == count + 1, RS_SOON));
	EXPECT_EQ(count, frozen(self->fd));
	/* Again, with what has come since. */
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, &frozen_now));
	EXPECT_EQ(count + 1, frozen_now);
	EXPECT_EQ(count + 1, frozen(self->fd));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, NULL));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(count + 1, collect.visited);
	EXPECT_EQ(0, collect.reclaimed);
}

/* What was frozen keeps what it refers to; thawed by another session. */
TEST_F(tune, frozen_keeps)
{
	int other = rs_session_new(self->fd, 0);
	__u64 holder, ring;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &holder));
	ASSERT_EQ(0, rs_set_slot(self->fd, holder, 1, holder));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, NULL));
	ASSERT_EQ(0, rs_ring(self->fd, 10, 1, &ring));
	ASSERT_EQ(0, rs_set_slot(self->fd, holder, 0, ring));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_release(self->fd, holder));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(11, rs_objects(self->fd));
	ASSERT_EQ(0, rs_freeze(other, REFSTORE_FREEZE_NONE, NULL));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, rs_objects(self->fd));
	EXPECT_EQ(0, close(other));
}

/* Thawed garbage goes by itself, as young candidates do. */
TEST_F(tune, thawed)
{
	ASSERT_EQ(0, make_garbage(self->fd, 50));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, NULL));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(0, all_figures(self->fd).visited);
	EXPECT_EQ(50, rs_objects(self->fd));
	ASSERT_EQ(0, set_delays(self->fd, 10, DAY, DAY));
	give_it_a_chance();
	EXPECT_EQ(50, rs_objects(self->fd));
	ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, NULL));
	EXPECT_TRUE(rs_wait_until(rs_objects(self->fd) == 0, RS_SOON));
}

/* While others make objects, and scans run, nothing is lost in between. */
TEST_F(tune, freeze_beside_churn)
{
	pid_t child = rs_fork_session(&self->fd);
	int turn;

	while (!child)
		if (make_garbage(self->fd, 10))
			_exit(1);
	for (turn = 0; turn < 40; turn++) {
		ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL, NULL));
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
		ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, NULL));
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
	}
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ASSERT_TRUE(rs_wait_until(rs_alone(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	EXPECT_EQ(0, rs_objects(self->fd));
}

struct freezers {
	int fd[2];
	pthread_barrier_t barrier;
	unsigned int rounds;
	int failed[2];
};

/* Both begin each round at once, and neither goes on before both are done. */
static void freezer_round(struct freezers *freezers, int which)
{
	int fd = freezers->fd[which], ret = 0;

	pthread_barrier_wait(&freezers->barrier);
	if (which) {
		ret = rs_freeze(fd, REFSTORE_FREEZE_NONE, NULL);
		ret = ret ?: rs_collect_generation(fd, 0, NULL);
	} else {
		/* Thawed at last: thawing again would make up for a loss. */
		ret = rs_freeze(fd, REFSTORE_FREEZE_ALL, NULL);
		ret = ret ?: rs_freeze(fd, REFSTORE_FREEZE_NONE, NULL);
	}
	if (ret)
		freezers->failed[which] = ret;
	pthread_barrier_wait(&freezers->barrier);
}

static void *freezer(void *arg)
{
	struct freezers *freezers = arg;
	unsigned int round;

	for (round = 0; round < freezers->rounds; round++)
		freezer_round(freezers, 1);
	return NULL;
}

/*
 * Who freezes while another one thaws and scans run: whoever wins, all garbage
 * goes as soon as all is thawed.
 */
TEST_F(tune, freeze_beside_thaw)
{
	struct freezers freezers = { .rounds = rs_size(3000) };
	struct refstore_collect collect;
	__u64 first[16], live[500], ring;
	unsigned int round, lost = 0;
	pthread_t thread;

	freezers.fd[0] = self->fd;
	freezers.fd[1] = rs_session_new(self->fd, 0);
	ASSERT_LE(0, freezers.fd[1]);
	ASSERT_EQ(0, set_automatic(self->fd, false));
	/* Thawing comes to the garbage first, and has long to go then. */
	ASSERT_EQ(0, rs_repeat(self->fd, op_create(1, NULL), 16, first));
	ASSERT_EQ(0, rs_repeat(self->fd, op_create(1, NULL), 500, live));
	ASSERT_EQ(0, rs_release_all(self->fd, first, 16));
	ASSERT_EQ(0, pthread_barrier_init(&freezers.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, freezer, &freezers));
	for (round = 0; round < freezers.rounds; round++) {
		/* Old ones, frozen or not, and new ones. */
		ASSERT_EQ(0, rs_ring(self->fd, 5, 1, &ring));
		ASSERT_EQ(0, rs_release(self->fd, ring));
		if (round % 2)
			ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_ALL,
					       NULL));
		ASSERT_EQ(0, make_garbage(self->fd, 3));
		freezer_round(&freezers, 0);
		ASSERT_EQ(0, rs_freeze(self->fd, REFSTORE_FREEZE_NONE, NULL));
		ASSERT_EQ(0, rs_collect(self->fd, &collect));
		lost += rs_objects(self->fd) != 500;
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, freezers.failed[0]);
	EXPECT_EQ(0, freezers.failed[1]);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(500, rs_objects(self->fd));
	EXPECT_EQ(0, close(freezers.fd[1]));
}

/* --- Saving ----------------------------------------------------------- */

static unsigned int count_saved(int fd)
{
	struct refstore_walk_object *objects = NULL;
	unsigned int saved = 0;
	size_t count;

	if (rs_walk_all(fd, REFSTORE_WALK_OBJECTS, 0, 256, &objects, &count))
		return ~0U;
	while (count--)
		saved += !!(objects[count].state & REFSTORE_STATE_SAVED);
	free(objects);
	return saved;
}

TEST_F(tune, save)
{
	struct refstore_collect collect;
	__u64 ring, weak, strong, dropped, leaf;

	ASSERT_EQ(0, rs_save(self->fd, true));
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	ASSERT_EQ(0, rs_ring(self->fd, 300, 2, &ring));
	ASSERT_EQ(0, rs_set_slot(self->fd, ring, 1, leaf));
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	ASSERT_EQ(0, rs_weak(self->fd, ring, REFSTORE_WEAK_NOTIFY, 0, &weak));
	ASSERT_EQ(0, rs_release(self->fd, ring));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	EXPECT_EQ(300, collect.saved);
	EXPECT_EQ(301, rs_objects(self->fd));
	EXPECT_EQ(300, count_saved(self->fd));
	/* Saved once: then somebody has them, the heap. */
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.saved);
	EXPECT_EQ(1, rs_alive(self->fd, weak));
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &strong));
	EXPECT_EQ(3, rs_refs(self->fd, strong));
	EXPECT_NE(0, state_of(self->fd, strong) & REFSTORE_STATE_SAVED);
	ASSERT_EQ(0, rs_drop_saved(self->fd, &dropped));
	EXPECT_EQ(300, dropped);
	EXPECT_EQ(0, count_saved(self->fd));
	EXPECT_EQ(2, rs_refs(self->fd, strong));
	ASSERT_EQ(0, rs_drop_saved(self->fd, &dropped));
	EXPECT_EQ(0, dropped);
	/* Who was taken up again lives; then it is saved, or goes. */
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.saved);
	ASSERT_EQ(0, rs_release(self->fd, strong));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(300, collect.saved);
	ASSERT_EQ(0, rs_save(self->fd, false));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	ASSERT_EQ(0, rs_drop_saved(self->fd, &dropped));
	EXPECT_EQ(300, dropped);
	EXPECT_EQ(1, rs_alive(self->fd, weak));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(301, collect.reclaimed);
	EXPECT_EQ(0, rs_alive(self->fd, weak));
	EXPECT_EQ(0, rs_objects(self->fd));
	EXPECT_EQ(1, rs_read_events(self->fd, (struct refstore_event[2]){ },
				    2));
}

/* --- Events ----------------------------------------------------------- */

TEST_F(tune, events)
{
	struct refstore_collect collect;
	struct refstore_event events[4];
	int other = rs_session_new(self->fd, 0), i;
	__u64 seq = 0;

	ASSERT_LE(0, other);
	EXPECT_EQ(0, rs_read_events(self->fd, events, 1));
	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, make_garbage(self->fd, 10));
		ASSERT_EQ(0, rs_collect_generation(self->fd, i, &collect));
		ASSERT_EQ(2, rs_read_events(self->fd, events, 4));
		EXPECT_EQ(++seq, events[0].seq);
		EXPECT_EQ(REFSTORE_EVENT_SCAN_BEGIN, events[0].kind);
		EXPECT_EQ(i, events[0].generation);
		EXPECT_EQ(i + 1, events[0].id);
		EXPECT_EQ(0, events[0].visited);
		EXPECT_EQ(0, events[0].reclaimed);
		EXPECT_EQ(0, events[0].cookie);
		EXPECT_EQ(++seq, events[1].seq);
		EXPECT_EQ(REFSTORE_EVENT_SCAN_END, events[1].kind);
		EXPECT_EQ(i, events[1].generation);
		EXPECT_EQ(i + 1, events[1].id);
		EXPECT_EQ(collect.visited, events[1].visited);
		EXPECT_EQ(10, events[1].reclaimed);
		EXPECT_EQ(collect.nanoseconds, events[1].nanoseconds);
		EXPECT_EQ(0, events[1].lost);
	}
	/* Nobody else was told; who asks is, from then on. */
	EXPECT_EQ(0, rs_read_events(other, events, 1));
	ASSERT_EQ(0, rs_watch_scans(other, true));
	ASSERT_EQ(0, rs_collect(other, NULL));
	ASSERT_EQ(2, rs_read_events(other, events, 4));
	EXPECT_EQ(1, events[0].seq);
	EXPECT_EQ(4, events[0].id);
	/* Until it does not want to be. */
	ASSERT_EQ(0, rs_watch_scans(other, false));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	ASSERT_EQ(0, rs_nonblock(other, true));
	EXPECT_EQ(-EAGAIN, rs_read_events(other, events, 1));
	ASSERT_EQ(4, rs_read_events(self->fd, events, 4));
	EXPECT_EQ(seq + 4, events[3].seq);
	EXPECT_EQ(0, close(other));
}

/* Where nobody reads, 64 are kept, and then it is told how many were lost. */
TEST_F(tune, events_lost)
{
	struct refstore_event events[80];
	__u64 leaf, weak;
	int i;

	ASSERT_EQ(0, rs_watch_scans(self->fd, true));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, rs_collect(self->fd, NULL));
	}
	/* A death is never lost. */
	ASSERT_EQ(0, rs_leaf(self->fd, NULL, 1, &leaf));
	ASSERT_EQ(0, rs_weak(self->fd, leaf, REFSTORE_WEAK_NOTIFY, 5, &weak));
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	ASSERT_EQ(65, rs_read_events(self->fd, events, 80));
	for (i = 0; i < 65; i++) {
		EXPECT_EQ(i + 1, events[i].seq);
		EXPECT_EQ(0, events[i].lost);
		if (i < 64)
			EXPECT_EQ(i / 2 + 1, events[i].id);
	}
	EXPECT_EQ(REFSTORE_EVENT_DEATH, events[64].kind);
	EXPECT_EQ(5, events[64].cookie);
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	ASSERT_EQ(2, rs_read_events(self->fd, events, 80));
	EXPECT_EQ(66, events[0].seq);
	EXPECT_EQ(41, events[0].id);
	EXPECT_EQ(16, events[0].lost);
	EXPECT_EQ(67, events[1].seq);
	EXPECT_EQ(0, events[1].lost);
}

/* --- What it costs ---------------------------------------------------- */

/* Until a heap has no candidates at all. */
static bool calm(int fd)
{
	return !rs_collect(fd, NULL) && !all_figures(fd).candidates;
}

/* A heap in which nothing happens is not looked at, however large it is. */
TEST_F(tune, idle_heap)
{
	const unsigned int count = rs_size(20000);
	struct refstore_generation before, now;
	int busy = rs_open(), turn;
	__u64 ring, first, last;

	ASSERT_LE(0, busy);
	ASSERT_EQ(0, rs_ring(self->fd, count, 1, &ring));
	ASSERT_EQ(0, rs_chain(self->fd, 100, 2, &first, &last));
	ASSERT_TRUE(rs_wait_until(calm(self->fd), RS_SOON));
	ASSERT_EQ(0, set_thresholds(self->fd, 1, 1, 1));
	ASSERT_EQ(0, set_delays(self->fd, 0, 0, 0));
	ASSERT_EQ(0, set_delays(busy, 0, 0, 0));
	before = all_figures(self->fd);
	for (turn = 0; turn < 30; turn++) {
		ASSERT_EQ(0, make_garbage(busy, 10));
		ASSERT_EQ(0, make_live(busy, 10));
		ASSERT_EQ(0, rs_collect(busy, NULL));
	}
	give_it_a_chance();
	now = all_figures(self->fd);
	EXPECT_EQ(before.scans, now.scans);
	EXPECT_EQ(before.visited, now.visited);
	EXPECT_EQ(0, now.candidates);
	EXPECT_LE(30, scans(busy));
	/* Not even by one who asks. */
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(before.visited, all_figures(self->fd).visited);
	EXPECT_EQ(0, close(busy));
}

FIXTURE(hot)
{
	struct _test_data_tune tune;
};

FIXTURE_VARIANT(hot)
{
	unsigned int deep;	/* how far from the root others go */
};

FIXTURE_VARIANT_ADD(hot, root)
{
	.deep = 0,
};
FIXTURE_VARIANT_ADD(hot, path)
{
	.deep = 3,
};

FIXTURE_SETUP(hot)
{
	tune_setup(_metadata, &self->tune, NULL);
}

FIXTURE_TEARDOWN(hot)
{
	tune_teardown(_metadata, &self->tune, NULL);
}

/* Takes the root and what comes after it, and lets go. */
static int visit(int fd, unsigned int deep)
{
	__u64 handles[8];
	unsigned int n = 1;

	if (rs_get_root(fd, &handles[0]))
		return -1;
	while (n <= deep) {
		if (rs_get_slot(fd, handles[n - 1], 0, &handles[n]))
			return -1;
		n++;
	}
	return rs_release_all(fd, handles, n);
}

enum { YOUNG = 50, MIDDLE = 400, OLD = 3200, WATCHED = 4000 };

/* The generation of the scan that freed so many objects; -1 if none did. */
static int freed_by(__u64 heap, __u64 objects)
{
	struct rs_scan_line lines[RS_SCAN_LINES];
	size_t n = rs_scan_lines(heap, lines, RS_SCAN_LINES);

	while (n--)
		if (lines[n].reclaimed >= objects)
			return lines[n].generation;
	return -1;
}

/*
 * What is used all the time, and lives, must not cost a walk of all that it
 * reaches in each period. But when it is let go at last, it is as young as
 * anything else.
 *
 * What is taken from a slot inside of the graph and let go again leaves no more
 * references than are inside, so it may have been the last one from outside. For
 * each object that guess is wrong once, and not made again (candidate.c).
 */
TEST_F(hot, used_all_the_time)
{
	const unsigned int count = rs_size(20000);
	int fd = self->tune.fd, other = rs_session_new(fd, 0);
	struct refstore_generation before, now;
	__u64 ring, start, elapsed, visited, most, rounds = 0;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rs_ring(fd, count, 1, &ring));
	ASSERT_EQ(0, rs_set_root(fd, ring));
	ASSERT_EQ(0, rs_release(fd, ring));
	ASSERT_TRUE(rs_wait_until(calm(fd), RS_SOON));
	before = all_figures(fd);
	ASSERT_EQ(0, set_delays(fd, YOUNG, MIDDLE, OLD));
	start = rs_milliseconds();
	do {
		ASSERT_EQ(0, visit(other, variant->deep));
		rounds++;
		elapsed = rs_milliseconds() - start;
	} while (elapsed < WATCHED);
	now = all_figures(fd);
	visited = now.visited - before.visited;
	most = elapsed / OLD + 5 + variant->deep;
	TH_LOG("%llu ms, %llu rounds: %llu scans visited %llu objects, at most %llu; in every period it would have been %llu",
	       elapsed, rounds, now.scans - before.scans, visited,
	       most * count, elapsed / YOUNG * count);
	EXPECT_LT(before.scans, now.scans);
	EXPECT_GE(most * count, visited);
	EXPECT_LE(count, visited);
	EXPECT_EQ(count, rs_objects(fd));
	/* Only a young scan can come now. */
	ASSERT_EQ(0, set_delays(fd, YOUNG, DAY, DAY));
	ASSERT_EQ(0, rs_set_root(fd, 0));
	EXPECT_TRUE(rs_wait_until(rs_objects(fd) == 0, RS_SOON));
	EXPECT_TRUE(rs_wait_until(freed_by(self->tune.heap, count) == 0,
				  RS_SOON));
	EXPECT_EQ(0, close(other));
}

/* --- Memory gets short ------------------------------------------------ */

#define DROP_CACHES "/proc/sys/vm/drop_caches"

/* Asks all caches of kernel objects to shrink. */
static bool press(void)
{
	int fd = open(DROP_CACHES, O_WRONLY | O_CLOEXEC);
	bool pressed;

	if (fd < 0)
		return false;
	pressed = write(fd, "2\n", 2) == 2;
	close(fd);
	return pressed;
}

/* Then all that has candidates is scanned, old and young. */
TEST_F(tune, pressure)
{
	struct rs_scan_line lines[RS_SCAN_LINES];
	int idle = rs_open(), manual = rs_open();

	ASSERT_LE(0, idle);
	ASSERT_LE(0, manual);
	if (!press())
		SKIP(return, "caches cannot be dropped");
	ASSERT_EQ(0, rs_manual(manual));
	ASSERT_EQ(0, make_garbage(manual, 100));
	ASSERT_EQ(0, make_garbage(self->fd, 1000));
	give_it_a_chance();
	EXPECT_EQ(0, scans(self->fd));
	/* Who reads the list of heaps may be in the way for a moment. */
	EXPECT_TRUE(rs_wait_until(press() && rs_objects(self->fd) == 0,
				  RS_SOON));
	ASSERT_TRUE(rs_wait_until(rs_triggered(self->heap, "pressure"),
				  RS_SOON));
	EXPECT_EQ(1, rs_scan_lines(self->heap, lines, RS_SCAN_LINES));
	EXPECT_EQ(REFSTORE_GENERATIONS - 1, lines[0].generation);
	EXPECT_EQ(1000, lines[0].reclaimed);
	/* Not where there are no candidates, or scans only on request. */
	EXPECT_EQ(0, scans(idle));
	EXPECT_EQ(0, scans(manual));
	EXPECT_EQ(100, rs_objects(manual));
	EXPECT_EQ(0, close(idle));
	EXPECT_EQ(0, close(manual));
}

TEST_HARNESS_MAIN
