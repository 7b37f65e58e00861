// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storms: processes that do what they like with one heap and are killed at any
 * moment. What they held is given back, what they left behind is found, and
 * what others hold is untouched.
 *
 * REFSTORE_KILLS: how many are killed in each test (50).
 * REFSTORE_SEED: of the parent's choices; children draw their own from it.
 */
#include "refstore_heap.h"

enum { WORKERS = 4, PLACES = 64, HELD = 40, SEALED = 16 };

/* How a child comes to its session. */
enum sessions { FRESH, CLONE, MIXED };

FIXTURE(storm)
{
	int fd;
	__u64 heap, seed;
	__u64 board;			/* where children exchange objects */
	__u64 sealed[SEALED];		/* a chain that nobody can change */
	pid_t workers[WORKERS];
	unsigned int kills;
	__u64 objects, bytes, handles, sessions, heaps;
};

FIXTURE_VARIANT(storm)
{
	enum sessions sessions;
	unsigned int pause;	/* microseconds between kills, at most */
};

FIXTURE_VARIANT_ADD(storm, fresh)
{
	.sessions = FRESH,
	.pause = 20000,
};
FIXTURE_VARIANT_ADD(storm, clones)
{
	.sessions = CLONE,
	.pause = 20000,
};
FIXTURE_VARIANT_ADD(storm, at_once)
{
	.sessions = MIXED,
	.pause = 500,
};

FIXTURE_SETUP(storm)
{
	struct refstore_create create = {
		.flags = REFSTORE_SEAL_DATA | REFSTORE_SEAL_SLOTS,
		.data = rs_ptr("sealed"),
		.data_len = 6,
		.nr_slots = 1,
	};
	int i;

	self->objects = rs_stats_value("objects");
	self->bytes = rs_stats_value("bytes");
	self->handles = rs_stats_value("handles");
	self->sessions = rs_stats_value("sessions");
	self->heaps = rs_stats_value("heaps");
	self->kills = rs_env("REFSTORE_KILLS", rs_size(50));
	self->seed = rs_env("REFSTORE_SEED", 20240229) | 1ULL << 40;
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	self->heap = rs_heap_number(self->fd);
	ASSERT_EQ(0, rs_node(self->fd, PLACES, NULL, &self->board));
	ASSERT_EQ(0, rs_set_root(self->fd, self->board));
	for (i = 0; i < SEALED; i++) {
		create.slots = i ? rs_ptr(&self->sealed[i - 1]) : 0;
		ASSERT_EQ(0, rs_create(self->fd, &create));
		self->sealed[i] = create.result;
	}
}

/* Closing the last session gives back all that the store took. */
FIXTURE_TEARDOWN(storm)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_TRUE(rs_wait_until(rs_heap_gone(self->heap), RS_SOON));
#define EXPECT_BACK(what) \
	EXPECT_TRUE(rs_wait_until(rs_stats_value(#what) == self->what, RS_SOON))
	EXPECT_BACK(heaps);
	EXPECT_BACK(sessions);
	EXPECT_BACK(handles);
	EXPECT_BACK(objects);
	EXPECT_BACK(bytes);
#undef EXPECT_BACK
}

/* --- What a child does ------------------------------------------------ */

struct worker {
	int fd;
	__u64 seed;
	__u64 board;
	__u64 held[HELD];	/* handles, or 0 */
};

static __u64 *any_place(struct worker *worker)
{
	return &worker->held[rs_below(&worker->seed, HELD)];
}

static __u64 any(struct worker *worker)
{
	return *any_place(worker);
}

/* Keeps a handle, in the place of another one. */
static void keep(struct worker *worker, __u64 handle)
{
	__u64 *place = any_place(worker);

	if (*place)
		rs_release(worker->fd, *place);
	*place = handle;
}

static void do_batch(struct worker *worker)
{
	__u64 slots[8][3];
	struct refstore_op ops[100];
	unsigned int n = 0, i, count = 1 + rs_below(&worker->seed, 8);
	struct refstore_batch batch;

	/* A ring, linked to what is held, put on the board. */
	for (i = 0; i < count; i++) {
		slots[i][0] = i ? REFSTORE_RESULT(i - 1) : 0;
		slots[i][1] = any(worker);
		slots[i][2] = any(worker);
		ops[n++] = op_create(3, slots[i]);
	}
	ops[n++] = op_set_slot(REFSTORE_RESULT(0), 0,
			       REFSTORE_RESULT(count - 1));
	ops[n++] = op_set_slot(worker->board, rs_below(&worker->seed, PLACES),
			       REFSTORE_RESULT(rs_below(&worker->seed, count)));
	for (i = 0; i < count; i++)
		ops[n++] = op_release(REFSTORE_RESULT(i));
	/* And enough of others for a second part. */
	while (n < 70)
		ops[n++] = op_stat(any(worker));
	rs_batch(worker->fd, REFSTORE_BATCH_CONTINUE, ops, n, &batch);
}

static void do_session(struct worker *worker)
{
	int other = rs_session_new(worker->fd,
				   rs_below(&worker->seed, 2) ?
				   REFSTORE_SESSION_CLONE : 0);
	__u64 root;

	if (other < 0)
		return;
	if (!rs_get_root(other, &root) && root)
		rs_set_slot(other, root, 0, root);
	close(other);
}

static void do_walk(struct worker *worker)
{
	struct refstore_walk_object objects[16];
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.capacity = ARRAY_SIZE(objects),
		.entries = rs_ptr(objects),
	};
	__u32 i;

	if (rs_walk(worker->fd, &walk))
		return;
	for (i = 0; i < walk.count; i++)
		keep(worker, objects[i].handle);
}

static void do_many_slots(struct worker *worker)
{
	__u64 handles[PLACES];
	__u32 first = rs_below(&worker->seed, PLACES), i, done;

	if (!rs_read_slots(worker->fd, worker->board, first, PLACES - first,
			   handles, &done)) {
		for (i = 0; i < done; i++)
			if (handles[i])
				keep(worker, handles[i]);
	}
	for (i = 0; i < 8; i++)
		handles[i] = any(worker);
	rs_write_slots(worker->fd, worker->board,
		       rs_below(&worker->seed, PLACES - 8), 8, handles, &done);
}

static void do_one(struct worker *worker)
{
	int fd = worker->fd;
	__u64 handle, slots[4], a = any(worker), b = any(worker);
	__u32 index = rs_below(&worker->seed, PLACES);
	char data[300];

	switch (rs_below(&worker->seed, 24)) {
	case 0 ... 3:
		slots[0] = a;
		slots[1] = b;
		slots[2] = slots[3] = 0;
		if (!rs_node(fd, rs_below(&worker->seed, 5), slots, &handle))
			keep(worker, handle);
		break;
	case 4:
		if (!rs_leaf(fd, NULL, rs_below(&worker->seed, 9000), &handle))
			keep(worker, handle);
		break;
	case 5:
	case 6:
		if (!rs_dup(fd, a, &handle))
			keep(worker, handle);
		break;
	case 7:
		keep(worker, 0);
		break;
	case 8 ... 10:
		if (!rs_get_slot(fd, worker->board, index, &handle) && handle)
			keep(worker, handle);
		break;
	case 11 ... 13:
		rs_set_slot(fd, worker->board, index, a);
		break;
	case 14:
		rs_cas_slot(fd, worker->board, index, a, b);
		break;
	case 15:
		rs_set_slot(fd, a, rs_below(&worker->seed, 4), b);
		break;
	case 16:
		rs_resize(fd, a, rs_below(&worker->seed, 40));
		break;
	case 17:
		rs_set_root(fd, rs_below(&worker->seed, 4) ? worker->board : a);
		break;
	case 18:
		rs_write(fd, a, 0, rs_below(&worker->seed, 300), data, NULL);
		rs_read(fd, b, 0, 300, data, NULL);
		break;
	case 19:
	case 20:
		do_batch(worker);
		break;
	case 21:
		do_many_slots(worker);
		break;
	case 22:
		if (rs_below(&worker->seed, 4) == 0)
			do_walk(worker);
		else
			rs_resize(fd, worker->board, PLACES);
		break;
	case 23:
		if (rs_below(&worker->seed, 4) == 0)
			rs_collect(fd, NULL);
		else
			do_session(worker);
		break;
	}
}

/* Never returns. Only a kill ends it, wherever it is. */
static void work(int fd, __u64 board, __u64 seed)
{
	struct worker worker = { .fd = fd, .seed = seed | 1 };

	/* In a clone the parent's handle is good; else there is one for it. */
	worker.board = board;
	memset(worker.held, 0, sizeof(worker.held));
	for (;;)
		do_one(&worker);
}

/* --- What the parent does --------------------------------------------- */

static void start_worker(struct __test_metadata *_metadata,
			 FIXTURE_DATA(storm) *self, enum sessions how,
			 pid_t *worker)
{
	__u64 seed = rs_random(&self->seed), board;
	int fd;

	if (how == MIXED)
		how = seed & 2 ? CLONE : FRESH;
	fd = rs_session_new(self->fd,
			    how == CLONE ? REFSTORE_SESSION_CLONE : 0);
	ASSERT_LE(0, fd);
	*worker = rs_fork();
	ASSERT_LE(0, *worker);
	if (!*worker) {
		close(self->fd);
		/* The root may be another one's by now: the walk finds it. */
		board = self->board;
		if (how == FRESH) {
			struct refstore_walk_object object;
			struct refstore_walk walk = {
				.flags = REFSTORE_WALK_MINT,
				.capacity = 1,
				.entries = rs_ptr(&object),
			};

			do {
				if (rs_walk(fd, &walk))
					_exit(1);
				if (walk.count && object.id != 1)
					rs_release(fd, object.handle);
			} while ((!walk.count || object.id != 1) && !walk.end);
			if (!walk.count || object.id != 1)
				_exit(2);
			board = object.handle;
		}
		work(fd, board, seed);
	}
	ASSERT_EQ(0, close(fd));
}

static void kill_worker(struct __test_metadata *_metadata, pid_t worker)
{
	int status = 0;

	ASSERT_EQ(0, kill(worker, SIGKILL));
	ASSERT_EQ(worker, waitpid(worker, &status, 0));
	/* It did not end by itself before. */
	EXPECT_TRUE(WIFSIGNALED(status)) {
		TH_LOG("a worker ended with status %#x", status);
	}
}

/* Exactly what the parent has: the board, the chain, a handle for each. */
static void check_what_is_left(struct __test_metadata *_metadata,
			       FIXTURE_DATA(storm) *self)
{
	struct refstore_query query;
	struct rs_heap heap;
	char data[6] = "";
	size_t i;

	ASSERT_EQ(0, rs_query(self->fd, &query));
	ASSERT_EQ(0, rs_heap_walk(self->fd, &heap));
	EXPECT_TRUE(rs_heap_sound(&heap));
	EXPECT_EQ(1 + SEALED, heap.nr_objects);
	EXPECT_EQ(1 + SEALED, heap.nr_handles);
	EXPECT_EQ(SEALED - 1, heap.nr_edges);
	EXPECT_EQ(0, heap.nr_roots);
	for (i = 0; i < heap.nr_handles; i++) {
		EXPECT_EQ(query.session, heap.handles[i].session);
	}
	rs_heap_free(&heap);
	EXPECT_EQ(1, rs_refs(self->fd, self->board));
	for (i = 0; i < SEALED; i++) {
		EXPECT_EQ(i == SEALED - 1 ? 1 : 2,
			  rs_refs(self->fd, self->sealed[i]));
		EXPECT_EQ(0, rs_read(self->fd, self->sealed[i], 0, 6, data,
				     NULL));
		EXPECT_EQ(0, memcmp(data, "sealed", 6));
	}
}

TEST_F_TIMEOUT(storm, kills, RS_TIMEOUT_LONG)
{
	unsigned int i, n;

	TH_LOG("REFSTORE_KILLS=%u", self->kills);
	for (i = 0; i < WORKERS; i++) {
		start_worker(_metadata, self, variant->sessions,
			     &self->workers[i]);
	}
	for (n = 0; n < self->kills; n++) {
		usleep(rs_below(&self->seed, variant->pause));
		i = rs_below(&self->seed, WORKERS);
		kill_worker(_metadata, self->workers[i]);
		start_worker(_metadata, self, variant->sessions,
			     &self->workers[i]);
	}
	/* All at the same time. */
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, kill(self->workers[i], SIGKILL));
	}
	for (i = 0; i < WORKERS; i++) {
		kill_worker(_metadata, self->workers[i]);
	}
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	ASSERT_EQ(0, rs_resize(self->fd, self->board, 0));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	ASSERT_TRUE(rs_wait_until(rs_no_backlog(self->fd), RS_SOON));
	ASSERT_EQ(0, rs_settle(self->fd));
	check_what_is_left(_metadata, self);
}

/* Neither of these returns. */
static void send_sessions(int fd, int socket)
{
	int other;

	for (;;) {
		other = rs_session_new(fd, REFSTORE_SESSION_CLONE);
		if (rs_send_fd(socket, other))
			pause();
		close(other);
	}
}

static void receive_sessions(int socket)
{
	int fd;

	for (;;) {
		fd = rs_receive_fd(socket);
		if (fd >= 0)
			close(fd);
		else if (fd != -EPROTO)
			pause();
	}
}

/* Sessions that are sent and received while both sides are killed. */
TEST_F_TIMEOUT(storm, kills_in_flight, RS_TIMEOUT_LONG)
{
	pid_t sender, receiver;
	unsigned int n;
	int ends[2];

	for (n = 0; n < self->kills / 2; n++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		sender = rs_fork();
		if (!sender) {
			close(ends[1]);
			send_sessions(self->fd, ends[0]);
		}
		receiver = rs_fork();
		if (!receiver) {
			close(ends[0]);
			receive_sessions(ends[1]);
		}
		close(ends[0]);
		close(ends[1]);
		usleep(rs_below(&self->seed, variant->pause));
		kill_worker(_metadata, n % 2 ? sender : receiver);
		usleep(rs_below(&self->seed, 500));
		kill_worker(_metadata, n % 2 ? receiver : sender);
	}
	ASSERT_TRUE(rs_wait_until(rs_has_sessions(self->heap, 1), RS_SOON));
	ASSERT_EQ(0, rs_resize(self->fd, self->board, 0));
	ASSERT_EQ(0, rs_set_root(self->fd, 0));
	check_what_is_left(_metadata, self);
}

TEST_HARNESS_MAIN
