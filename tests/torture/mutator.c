// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that does what it likes with the heap, most of it in batches, until
 * somebody kills it.
 */
#include "torture.h"

static struct plan plan;

static __u32 below(__u32 bound)
{
	return rs_below(plan.seed, bound);
}

/* --- Parts of batches -------------------------------------------------- */

static const __u32 lengths[] = {
	0, sizeof(struct identity), 40, 56, 100, 250, IDENTITY, 5000,
};

static __u32 any_length(void)
{
	return lengths[below(ARRAY_SIZE(lengths))];
}

static void add_leaf(void)
{
	__u32 flags = below(4) ? 0 : REFSTORE_SEAL_DATA, length = any_length();
	__u64 tag = tag_new();
	int leaf = plan_create(&plan, tag, flags, 0, length);

	plan.outcomes[leaf].after = KEEP;
	/* What is long is blank until it is written. */
	if (length > IDENTITY && !flags) {
		identity_fill(plan.data[plan.nr], tag, 1, length);
		plan_add(&plan, op_data(REFSTORE_CMD_WRITE,
					REFSTORE_RESULT(leaf), 0, IDENTITY,
					plan.data[plan.nr]));
	}
	if (below(4) == 0)
		plan_weak(&plan, plan_result(&plan, leaf));
}

static void add_node(void)
{
	__u32 nr = below(16) ? below(ARRAY) : 60, i;
	__u32 flags = REFSTORE_CREATE_SLOTTED;
	int node;

	if (below(8) == 0)
		flags |= REFSTORE_SEAL_SLOTS;
	for (i = 0; i < nr && i < ARRAY; i++)
		plan.arrays[plan.nr][i] = plan_held(&plan).handle;
	node = plan_create(&plan, tag_new(), flags, nr,
			   any_length() % (IDENTITY + 1));
	plan.outcomes[node].after = KEEP;
	if (below(4) == 0)
		plan_weak(&plan, plan_result(&plan, node));
	if (plan.session->board && below(2))
		plan_add(&plan, op_set_slot(plan.session->board, below(PLACES),
					    REFSTORE_RESULT(node)));
}

/* The members of a ring, the last one first. Returns the last one. */
static int add_members(__u32 members, __u64 tag)
{
	__u32 i, at;
	int last = 0, n;

	for (i = 0; i < members; i++) {
		at = plan.nr;
		plan.arrays[at][0] = i ? REFSTORE_RESULT(at - 1) : 0;
		plan.arrays[at][1] = below(4) ? 0 : plan_held(&plan).handle;
		n = plan_create(&plan, tag_ring(tag, members, members - 1 - i),
				0, 2, lengths[1 + below(5)]);
		plan.outcomes[n].after = KEEP;
		plan.outcomes[n].drop = true;
		last = i ? last : n;
	}
	return last;
}

/*
 * A ring, with a weak handle or two, whose handles are given back at once, but
 * for one at times: what upgrades and scans fight for.
 */
static void add_ring(void)
{
	__u32 members = below(8) ? 1 + below(5) : 1 + below(RING_MAX), i;
	int last = add_members(members, tag_new());
	bool keep = below(3) == 0;

	plan_add(&plan, op_set_slot(REFSTORE_RESULT(last), 0,
				    REFSTORE_RESULT(last + members - 1)));
	for (i = 0; i < members; i++) {
		struct refstore_op seal = {
			.command = REFSTORE_CMD_SEAL,
			.seal = {
				.size = sizeof(struct refstore_seal),
				.flags = REFSTORE_SEAL_SLOTS,
				.object = REFSTORE_RESULT(last + i),
			},
		};

		plan_add(&plan, seal);
		plan.outcomes[last + i].known.sealed = true;
	}
	for (i = below(3); i; i--)
		plan_weak(&plan, plan_result(&plan, last + below(members)));
	if (plan.session->board && below(4) == 0)
		plan_add(&plan, op_set_slot(plan.session->board, below(PLACES),
					    REFSTORE_RESULT(last)));
	for (i = keep; i < members; i++)
		plan_add(&plan, op_release(REFSTORE_RESULT(last + i)));
	plan.outcomes[last].drop = !keep;
}

/* Upgrades a weak handle and looks whether that is the object that it was of. */
static void add_upgrade(void)
{
	__u32 place = below(WEAK);
	struct weak *weak = &plan.session->weak[place];
	struct outcome *outcome;
	int n = plan.nr;
	struct refstore_op op = {
		.command = REFSTORE_CMD_UPGRADE,
		.upgrade = {
			.size = sizeof(struct refstore_upgrade),
			.weak = weak->known.handle,
		},
	};

	if (!weak->known.handle)
		return;
	if (weak->dead && (weak->noticed || !weak->cookie || !below(64))) {
		plan_add(&plan, op_release(weak->known.handle));
		memset(weak, 0, sizeof(*weak));
		return;
	}
	outcome = plan_add(&plan, op);
	outcome->after = UPGRADED;
	outcome->weak = place;
	outcome->known = weak->known;
	plan_learn(&plan, plan_result(&plan, n));
	if (below(2))
		plan_learn_next(&plan, plan_result(&plan, n));
	outcome->drop = below(4);
	if (outcome->drop)
		plan_add(&plan, op_release(REFSTORE_RESULT(n)));
}

static void add_weak(void)
{
	struct subject subject = plan_held(&plan);

	if (subject.handle)
		plan_weak(&plan, subject);
}

static void add_look(void)
{
	struct subject subject = plan_held(&plan);

	if (subject.handle)
		plan_learn(&plan, subject);
}

static void add_step(void)
{
	struct subject subject = plan_held(&plan);

	if (!subject.handle)
		return;
	plan_learn(&plan, subject);
	plan_learn_next(&plan, subject);
	/* The only handle may move on along the ring. */
	if (below(2)) {
		plan_add(&plan, op_release(subject.handle));
		plan.session->held[subject.place].handle = 0;
	}
}

static void add_get(void)
{
	int n = plan.nr;

	if (!plan.session->board)
		return;
	plan_add(&plan, op_get_slot(plan.session->board, below(PLACES)))
		->after = KEEP;
	plan_learn(&plan, plan_result(&plan, n));
}

static void add_set(void)
{
	struct subject subject = plan_held(&plan);

	if (below(2) && plan.session->board)
		plan_add(&plan, op_set_slot(plan.session->board, below(PLACES),
					    subject.handle));
	else if (subject.handle)
		plan_add(&plan, op_set_slot(subject.handle, below(4),
					    plan_held(&plan).handle));
}

static void add_cas(void)
{
	struct subject a = plan_held(&plan), b = plan_held(&plan);

	if (below(2) && plan.session->board)
		plan_add(&plan, op_cas_slot(plan.session->board, below(PLACES),
					    a.handle, b.handle));
	else if (a.handle)
		plan_add(&plan, op_cas_slot(a.handle, below(4), 0, b.handle));
}

static void add_dup(void)
{
	struct subject subject = plan_held(&plan);
	struct outcome *outcome;

	if (!subject.handle)
		return;
	outcome = plan_add(&plan, op_dup(subject.handle));
	outcome->after = KEEP;
	outcome->known = subject.known;
}

static void add_release(void)
{
	struct subject subject = plan_held(&plan);

	if (!subject.handle)
		return;
	plan_add(&plan, op_release(subject.handle));
	plan.session->held[subject.place].handle = 0;
}

static void add_resize(void)
{
	struct subject subject = plan_held(&plan);

	if (subject.handle)
		plan_add(&plan, op_resize(subject.handle,
					  below(4) ? below(12) : below(200)));
}

static void add_root(void)
{
	struct subject subject = plan_held(&plan);
	int n = plan.nr;

	switch (below(4)) {
	case 0:
	case 1:
		plan_add(&plan, op_get_root())->after = KEEP;
		plan_learn(&plan, plan_result(&plan, n));
		break;
	case 2:
		plan_add(&plan, op_root(REFSTORE_CMD_SET_ROOT, 0,
					subject.handle));
		break;
	case 3:
		plan_add(&plan, op_root(REFSTORE_CMD_CAS_ROOT,
					plan.session->board, subject.handle));
		break;
	}
}

static void add_write(void)
{
	struct subject subject = plan_held(&plan);
	__u32 length = subject.known.length;
	char *data = plan.data[plan.nr];

	if (!subject.handle || !subject.known.tag)
		return;
	identity_fill(data, subject.known.tag, below(~0U), length);
	plan_add(&plan, op_data(REFSTORE_CMD_WRITE, subject.handle, 0,
				length < IDENTITY ? length : IDENTITY, data));
}

/* Several slots at once. */
static void add_slots(void)
{
	bool write = below(2);
	struct subject subject = plan_held(&plan);
	__u64 object = below(2) ? plan.session->board : subject.handle;
	__u32 count = 1 + below(ARRAY), i;
	__u32 first = object == subject.handle ? 0 : below(PLACES - ARRAY);

	if (!object)
		return;
	for (i = 0; write && i < count; i++)
		plan.arrays[plan.nr][i] = plan_held(&plan).handle;
	plan_add(&plan, op_slots(write ? REFSTORE_CMD_WRITE_SLOTS :
					 REFSTORE_CMD_READ_SLOTS,
				 object, first, count, plan.arrays[plan.nr]))
		->after = write ? FORGET : KEEP_ARRAY;
}

/* Lets places have what other ones have, or what an object of ours refers to. */
static void add_copy(void)
{
	__u32 count = 1 + below(ARRAY), from = below(PLACES / 2 - ARRAY);
	__u32 to = PLACES / 2 + below(PLACES / 2 - ARRAY);
	struct subject subject = plan_held(&plan);
	__u64 board = plan.session->board;

	if (!board)
		return;
	if (below(2))
		plan_add(&plan, op_copy_slots(board, to, board, from, count));
	else if (subject.handle)
		plan_add(&plan, op_copy_slots(board, to, subject.handle, 0,
					      1 + below(2)));
}

static const struct {
	__u32 weight;
	void (*compose)(void);
} parts[] = {
	{ 4, add_leaf }, { 4, add_node }, { 12, add_ring },
	{ 24, add_upgrade }, { 4, add_weak }, { 6, add_look },
	{ 8, add_step }, { 8, add_get }, { 6, add_set }, { 3, add_cas },
	{ 5, add_dup }, { 8, add_release }, { 2, add_resize },
	{ 2, add_root }, { 4, add_write }, { 3, add_slots },
	{ 3, add_copy },
};

static void add_part(void)
{
	__u32 sum = 0, i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		sum += parts[i].weight;
	sum = below(sum);
	for (i = 0; sum >= parts[i].weight; i++)
		sum -= parts[i].weight;
	parts[i].compose();
}

/* --- Single calls ------------------------------------------------------ */

static void count(struct mutator *mutator, __u64 operations)
{
	add(mutator->seat->ops, operations);
}

static void close_session(struct session *session)
{
	if (session->fd >= 0)
		close(session->fd);
	session->fd = -1;
}

static void do_batch(struct mutator *mutator, struct session *session)
{
	__u32 target = 16 + rs_below(&mutator->seed, 140);
	int done;

	plan_begin(&plan, session, &mutator->seed);
	/* Room for the longest part. */
	while (plan.nr < target && plan.nr < PLAN - 80)
		add_part();
	done = plan_run(&plan);
	/* What it holds is not known any more. */
	if (done < 0)
		close_session(session);
	else
		count(mutator, done);
}

/* The object that all meet at is the root, as a rule. */
static void find_board(struct session *session)
{
	char data[IDENTITY];
	struct identity identity;
	__u64 root;
	__u32 done;

	if (rs_get_root(session->fd, &root) || !root)
		return;
	if (!rs_read(session->fd, root, 0, IDENTITY, data, &done) &&
	    identity_read(data, done, &identity) && identity.tag == 1 << 16)
		session->board = root;
	else
		rs_release(session->fd, root);
}

/* A clone has the same handles, but its weak ones bring no notices. */
static void clone_session(struct session *session, const struct session *from)
{
	int i;

	memcpy(session->held, from->held, sizeof(session->held));
	memcpy(session->weak, from->weak, sizeof(session->weak));
	for (i = 0; i < WEAK; i++) {
		session->weak[i].cookie = 0;
		session->weak[i].noticed = false;
	}
	memcpy(session->dropped, from->dropped, sizeof(session->dropped));
	session->nr_dropped = from->nr_dropped;
	session->board = from->board;
}

static void open_session(struct session *session, const struct session *from,
			 bool clone)
{
	int fd = rs_session_new(from->fd, clone ? REFSTORE_SESSION_CLONE : 0);

	if (fd < 0) {
		complain("no new session: %s", strerror(-fd));
		return;
	}
	add(torture->sessions, 1);
	session_init(session, fd);
	if (clone)
		clone_session(session, from);
	else
		find_board(session);
}

/* Another session comes, or goes with all that it holds. */
static void do_session(struct mutator *mutator, struct session *session)
{
	struct session *other;

	other = &mutator->sessions[rs_below(&mutator->seed, SESSIONS)];
	if (other == session)
		return;
	if (other->fd >= 0)
		close_session(other);
	else
		open_session(other, session, rs_below(&mutator->seed, 2));
	count(mutator, 1);
}

static void do_walk(struct mutator *mutator, struct session *session)
{
	struct refstore_walk_object objects[16];
	struct known known = {};
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.capacity = ARRAY_SIZE(objects),
		.entries = rs_ptr(objects),
	};
	__u32 i;

	if (rs_walk(session->fd, &walk))
		return;
	for (i = 0; i < walk.count; i++) {
		known.handle = objects[i].handle;
		known.id = objects[i].id;
		if (known.handle)
			session_keep(session, &mutator->seed, &known);
	}
	count(mutator, walk.count + 1);
}

static void do_collect(struct mutator *mutator, struct session *session)
{
	struct refstore_collect collect = {
		.size = sizeof(collect),
		.generation = rs_below(&mutator->seed, REFSTORE_GENERATIONS),
	};

	if (rs_call(session->fd, REFSTORE_COLLECT, &collect))
		complain("collect: %m");
	count(mutator, 1);
}

static void do_tune(struct mutator *mutator, struct session *session)
{
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_THRESHOLD | REFSTORE_TUNE_EVENTS,
		.threshold = {
			1 + rs_below(&mutator->seed, 200),
			1 + rs_below(&mutator->seed, 4),
			1 + rs_below(&mutator->seed, 4),
		},
		.events = rs_below(&mutator->seed, 2),
	};

	if (rs_call(session->fd, REFSTORE_TUNE, &tune))
		complain("tune: %m");
	count(mutator, 1);
}

/* Two calls by themselves, for what batches do not meet. */
static void do_single(struct mutator *mutator, struct session *session)
{
	struct known known = {};

	if (!session->board)
		find_board(session);
	if (!session->board)
		return;
	if (!rs_get_slot(session->fd, session->board,
			 rs_below(&mutator->seed, PLACES), &known.handle) &&
	    known.handle) {
		known.id = rs_id(session->fd, known.handle);
		session_keep(session, &mutator->seed, &known);
	}
	count(mutator, 2);
}

/* Handles of what some places have, if they still do. */
static int match_places(struct session *session, __u32 first, const __u64 *ids,
			__u64 *handles)
{
	int i, ret = 0;

	for (i = 0; i < ARRAY && !ret; i++)
		if (ids[i])
			ret = rs_match_slot(session->fd, session->board,
					    first + i, ids[i], &handles[i]);
	return ret;
}

/* Others may be faster, and may have made the board smaller, or sealed it. */
static void turned(int ret)
{
	if (ret != -EAGAIN && ret != -ERANGE && ret != -EPERM)
		tolerable(ret, "turn");
}

/* Lets each of some places have what the next one has, if it still has that. */
static void do_turn(struct mutator *mutator, struct session *session)
{
	__u32 first = rs_below(&mutator->seed, PLACES - ARRAY);
	struct refstore_cas_entry entries[ARRAY] = {};
	__u64 ids[ARRAY], handles[ARRAY] = {};
	int i, ret;

	if (!session->board)
		return;
	ret = rs_peek_slots(session->fd, session->board, first, ARRAY, ids,
			    NULL);
	if (!ret)
		ret = match_places(session, first, ids, handles);
	for (i = 0; i < ARRAY; i++) {
		entries[i].object = session->board;
		entries[i].index = first + i;
		entries[i].expected = ids[i];
		entries[i].value = handles[(i + 1) % ARRAY];
	}
	if (!ret)
		ret = rs_cas_many(session->fd, entries, ARRAY);
	turned(ret);
	for (i = 0; i < ARRAY; i++)
		if (handles[i])
			rs_release(session->fd, handles[i]);
	count(mutator, 3);
}

/* --- Twins ------------------------------------------------------------ */

static void mutate(struct mutator *mutator);

/* All that a twin has is a clone of one session. */
static void be_twin(struct mutator *mutator, struct session *clone)
{
	int i, rounds = 1 + rs_below(&mutator->seed, 300);

	for (i = 0; i < SESSIONS; i++)
		close_session(&mutator->sessions[i]);
	mutator->sessions[0] = *clone;
	mutator->is_twin = true;
	mutator->twin = 0;
	mutator->seed ^= 1ULL << 20;
	while (rounds-- && load(torture->phase) == RUN)
		mutate(mutator);
	_exit(0);
}

static void end_twin(struct mutator *mutator, int options)
{
	if (mutator->twin &&
	    waitpid(mutator->twin, NULL, options) == mutator->twin)
		mutator->twin = 0;
}

static void do_twin(struct mutator *mutator, struct session *session)
{
	static struct session clone;

	end_twin(mutator, WNOHANG);
	if (mutator->twin || mutator->is_twin)
		return;
	open_session(&clone, session, true);
	if (clone.fd < 0)
		return;
	mutator->twin = rs_fork();
	if (!mutator->twin)
		be_twin(mutator, &clone);
	close(clone.fd);
	if (mutator->twin < 0)
		mutator->twin = 0;
	else
		add(torture->twins, 1);
}

/* --- The process ------------------------------------------------------- */

static void purge_session(struct session *session, __u64 *seed)
{
	int i;

	plan_begin(&plan, session, seed);
	for (i = 0; i < HELD && plan.nr < PLAN - 4; i++) {
		__u64 handle = session->held[i].handle;

		if (!handle)
			continue;
		if (i % 2)
			plan_add(&plan, op_resize(handle, 0));
		plan_add(&plan, op_release(handle));
		session->held[i].handle = 0;
	}
	if (plan_run(&plan) < 0)
		close_session(session);
}

/* There is too much in the heap: lets go of it all. */
static void purge(struct mutator *mutator)
{
	int i;

	mutator->purge = load(torture->purge);
	for (i = 0; i < SESSIONS; i++)
		if (mutator->sessions[i].fd >= 0)
			purge_session(&mutator->sessions[i], &mutator->seed);
}

static struct session *any_session(struct mutator *mutator)
{
	struct session *session;

	do {
		session = &mutator->sessions[rs_below(&mutator->seed,
						      SESSIONS)];
	} while (session->fd < 0);
	return session;
}

/* One thing or another. */
static void mutate(struct mutator *mutator)
{
	struct session *session = any_session(mutator);

	if (load(torture->purge) != mutator->purge)
		purge(mutator);
	switch (rs_below(&mutator->seed, 1000)) {
	case 0 ... 19:
		do_session(mutator, session);
		break;
	case 20 ... 24:
		do_walk(mutator, session);
		break;
	case 25 ... 27:
		do_collect(mutator, session);
		break;
	case 28 ... 33:
		do_tune(mutator, session);
		break;
	case 34 ... 39:
		do_twin(mutator, session);
		break;
	case 40 ... 120:
		do_single(mutator, session);
		break;
	case 121 ... 140:
		do_turn(mutator, session);
		break;
	case 141 ... 300:
		session_notices(session);
		break;
	case 301 ... 380:
		count(mutator, crowd_pass(session, &mutator->seed));
		break;
	case 381 ... 520:
		count(mutator, sharing_pass(session, &mutator->seed));
		break;
	default:
		do_batch(mutator, session);
		break;
	}
}

static void audit(struct mutator *mutator)
{
	int i;

	for (i = 0; i < SESSIONS; i++)
		if (mutator->sessions[i].fd >= 0)
			session_audit(&mutator->sessions[i]);
}

static __u32 open_sessions(struct mutator *mutator)
{
	__u32 i, open = 0;

	for (i = 0; i < SESSIONS; i++)
		open += mutator->sessions[i].fd >= 0;
	return open;
}

/* Holds still until the oracle has seen enough. */
static void rest(struct mutator *mutator)
{
	struct seat *seat = mutator->seat;
	__u32 phase;

	end_twin(mutator, 0);
	store(seat->sessions, open_sessions(mutator));
	while ((phase = load(torture->phase)) != RUN) {
		if (phase == AUDIT && seat->phase != AUDIT)
			audit(mutator);
		store(seat->phase, phase);
		usleep(5000);
	}
	store(seat->phase, RUN);
}

/* Never returns. @known: handles of the session, if it is a clone. */
void mutator_run(struct seat *seat, int fd, const struct known *known,
		 __u32 count, __u64 seed)
{
	static struct mutator mutator;
	__u32 i;

	mutator.seat = seat;
	mutator.seed = seed | 1;
	mutator.purge = load(torture->purge);
	for (i = 0; i < SESSIONS; i++)
		session_init(&mutator.sessions[i], i ? -1 : fd);
	for (i = 0; i < count; i++)
		session_keep(&mutator.sessions[0], &mutator.seed, &known[i]);
	find_board(&mutator.sessions[0]);
	for (;;) {
		if (load(torture->phase) != RUN)
			rest(&mutator);
		mutate(&mutator);
	}
}
