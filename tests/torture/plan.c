// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches. Whoever adds an operation says what is to be done with its result;
 * what is known of an object, from whatever time, is compared with whatever is
 * learnt of it. A handle that is given back leaves its place when the batch is
 * put together, so that no later operation uses it: an EBADF that does not come
 * from an earlier operation's failure is an error of the store.
 */
#include "torture.h"

void plan_begin(struct plan *plan, struct session *session, __u64 *seed)
{
	__u32 i;

	plan->session = session;
	plan->seed = seed;
	plan->nr = 0;
	for (i = 0; i < session->nr_dropped && plan->nr < PLAN / 2; i++)
		plan_add(plan, op_release(session->dropped[i]));
	session->nr_dropped -= i;
	memmove(session->dropped, session->dropped + i,
		session->nr_dropped * sizeof(session->dropped[0]));
}

/* What it is the result of, if of anything; what it is, as far as is known. */
static const struct subject nothing = { .of = -1, .place = -1 };

/* A handle, or 0. */
struct subject plan_held(struct plan *plan)
{
	struct subject subject = nothing;

	subject.place = rs_below(plan->seed, HELD);
	subject.known = plan->session->held[subject.place];
	subject.handle = subject.known.handle;
	return subject;
}

struct subject plan_result(struct plan *plan, int op)
{
	struct subject subject = nothing;

	subject.of = op;
	subject.handle = REFSTORE_RESULT(op);
	subject.known = plan->outcomes[op].known;
	return subject;
}

struct outcome *plan_add(struct plan *plan, struct refstore_op op)
{
	struct outcome *outcome = &plan->outcomes[plan->nr];

	memset(outcome, 0, sizeof(*outcome));
	outcome->subject = nothing;
	plan->ops[plan->nr++] = op;
	return outcome;
}

/* Its number in the batch. Slots come from the array of that number. */
int plan_create(struct plan *plan, __u64 tag, __u32 flags, __u32 nr_slots,
		__u32 length)
{
	__u32 n = plan->nr;
	struct refstore_op op = op_create(nr_slots, NULL);
	struct outcome *outcome = plan_add(plan, op);
	struct refstore_create *create = &plan->ops[n].create;

	create->flags = flags;
	create->type = tag_type(tag);
	create->data_len = length;
	if (nr_slots && nr_slots <= ARRAY)
		create->slots = rs_ptr(plan->arrays[n]);
	if (length && length <= IDENTITY) {
		identity_fill(plan->data[n], tag, n, length);
		create->data = rs_ptr(plan->data[n]);
	}
	outcome->known.tag = create->data ? tag : 0;
	outcome->known.length = length;
	outcome->known.sealed = flags & REFSTORE_SEAL_SLOTS;
	return n;
}

/* Looks at an object's state and data. */
void plan_learn(struct plan *plan, struct subject subject)
{
	struct outcome *outcome = plan_add(plan, op_stat(subject.handle));

	outcome->after = LEARN_STAT;
	outcome->subject = subject;
	outcome = plan_add(plan, op_data(REFSTORE_CMD_READ, subject.handle, 0,
					 IDENTITY, plan->data[plan->nr]));
	outcome->after = LEARN_DATA;
	outcome->subject = subject;
}

/* A step to the object that slot 0 refers to, which is known in a ring. */
void plan_learn_next(struct plan *plan, struct subject subject)
{
	int next = plan->nr;
	struct outcome *outcome;

	outcome = plan_add(plan, op_get_slot(subject.handle, 0));
	outcome->after = KEEP;
	outcome = plan_add(plan, op_data(REFSTORE_CMD_READ,
					 REFSTORE_RESULT(next), 0, IDENTITY,
					 plan->data[plan->nr]));
	outcome->after = LEARN_NEXT;
	outcome->subject = subject;
	outcome->next = next;
}

/* A weak handle, with a notice or without, in a place of its own. */
void plan_weak(struct plan *plan, struct subject subject)
{
	struct session *session = plan->session;
	__u32 place = rs_below(plan->seed, WEAK);
	struct outcome *outcome;
	struct refstore_op op = {
		.command = REFSTORE_CMD_WEAK,
		.weak = {
			.size = sizeof(struct refstore_weak),
			.object = subject.handle,
		},
	};

	if (session->weak[place].known.handle)
		return;
	if (rs_below(plan->seed, 2)) {
		op.weak.flags = REFSTORE_WEAK_NOTIFY;
		op.weak.cookie = ++session->cookies * WEAK + place;
	}
	outcome = plan_add(plan, op);
	outcome->after = KEEP_WEAK;
	outcome->subject = subject;
	outcome->weak = place;
	outcome->cookie = op.weak.cookie;
}

/* --- Results ---------------------------------------------------------- */

/* Where what is learnt of a subject is to be kept; NULL: nowhere. */
static struct known *plan_known(struct plan *plan,
				const struct subject *subject)
{
	struct known *held;

	if (subject->of >= 0)
		return &plan->outcomes[subject->of].known;
	if (subject->place < 0)
		return NULL;
	held = &plan->session->held[subject->place];
	return held->handle == subject->handle ? held : NULL;
}

/* What is known of a subject by now; it may have left its place. */
static struct known plan_recall(struct plan *plan, struct outcome *outcome)
{
	struct known *known = plan_known(plan, &outcome->subject);

	return known ? *known : outcome->subject.known;
}

static bool learn(struct plan *plan, struct outcome *outcome,
		  const struct known *now)
{
	struct known *keep = plan_known(plan, &outcome->subject);

	if (keep) {
		keep->id = now->id;
		keep->tag = now->tag;
		keep->length = now->length;
		keep->sealed = now->sealed;
	}
	return true;
}

static bool learn_stat(struct plan *plan, struct outcome *outcome,
		       const struct refstore_stat *stat)
{
	struct known known = plan_recall(plan, outcome);

	if (!stat->id || !stat->refs)
		return complain("id %llu, %u references", stat->id, stat->refs);
	if (known.id && known.id != stat->id)
		return complain("object %llu is object %llu now", known.id,
				stat->id);
	if (known.tag && (tag_type(known.tag) != stat->type ||
			  known.length != stat->data_len))
		return complain("object %llu: type %u, %llu bytes", stat->id,
				stat->type, stat->data_len);
	if (known.sealed && !(stat->state & REFSTORE_STATE_SEALED_SLOTS))
		return complain("object %llu: seal broken", stat->id);
	known.id = stat->id;
	known.sealed = stat->state & REFSTORE_STATE_SEALED_SLOTS;
	return learn(plan, outcome, &known);
}

static bool learn_data(struct plan *plan, struct outcome *outcome,
		       const void *data, __u32 done)
{
	struct known known = plan_recall(plan, outcome);
	struct identity found;

	add(torture->reads, 1);
	if (!identity_read(data, done, &found))
		return complain("object %llu, tag %llx: odd data, tag %llx",
				known.id, known.tag, found.tag);
	if (known.tag && known.tag != found.tag)
		return complain("object %llu, tag %llx: tag %llx now",
				known.id, known.tag, found.tag);
	known.tag = found.tag;
	known.length = found.length;
	return learn(plan, outcome, &known);
}

/* The next one in a ring, if its slots were sealed when we last looked. */
static bool learn_next(struct plan *plan, struct outcome *outcome,
		       const void *data, __u32 done)
{
	struct known known = plan_recall(plan, outcome), *next;
	struct identity found;
	__u64 tag = tag_next(known.tag);

	next = &plan->outcomes[outcome->next].known;
	add(torture->reads, 1);
	if (!identity_read(data, done, &found))
		return complain("object behind tag %llx: odd data, tag %llx",
				known.tag, found.tag);
	if (known.sealed && tag && tag != found.tag)
		return complain("behind tag %llx is tag %llx", known.tag,
				found.tag);
	next->tag = found.tag;
	next->length = found.length;
	return true;
}

static void keep(struct plan *plan, __u32 n)
{
	struct outcome *outcome = &plan->outcomes[n];

	outcome->known.handle = plan->ops[n].dup.result;
	if (!outcome->known.handle)
		return;
	if (!outcome->drop)
		session_keep(plan->session, plan->seed, &outcome->known);
}

static void keep_weak(struct plan *plan, __u32 n)
{
	struct outcome *outcome = &plan->outcomes[n];
	struct weak *weak = &plan->session->weak[outcome->weak];

	/* Its place was taken by another one of this batch. */
	if (weak->known.handle) {
		session_drop(plan->session, plan->ops[n].weak.result);
		return;
	}
	memset(weak, 0, sizeof(*weak));
	weak->known = plan_recall(plan, outcome);
	weak->known.handle = plan->ops[n].weak.result;
	weak->cookie = outcome->cookie;
}

/* Who is dead stays dead; and is, when its notice has been read. */
static void upgraded(struct plan *plan, __u32 n)
{
	struct outcome *outcome = &plan->outcomes[n];
	struct weak *weak = &plan->session->weak[outcome->weak];
	struct refstore_upgrade *upgrade = &plan->ops[n].upgrade;

	if (upgrade->result)
		add(torture->upgrades, 1);
	else
		add(torture->deaths, 1);
	keep(plan, n);
	/* It may have been given back within the batch. */
	if (weak->known.handle != upgrade->weak)
		return;
	if (upgrade->result && (weak->dead || weak->noticed))
		complain("object %llu, tag %llx is alive again",
			 weak->known.id, weak->known.tag);
	weak->dead = !upgrade->result;
}

static void keep_array(struct plan *plan, __u32 n)
{
	struct known known = {};
	__u32 i;

	for (i = 0; i < plan->ops[n].slots.done; i++) {
		known.handle = plan->arrays[n][i];
		if (known.handle)
			session_keep(plan->session, plan->seed, &known);
	}
}

/* Looks at a result. What is kept comes later: more may be learnt of it. */
static void look(struct plan *plan, __u32 n)
{
	struct outcome *outcome = &plan->outcomes[n];
	struct refstore_op *op = &plan->ops[n];

	if (op->command == REFSTORE_CMD_CREATE)
		outcome->known.id = op->create.id;
	switch (outcome->after) {
	case LEARN_STAT:
		learn_stat(plan, outcome, &op->stat);
		break;
	case LEARN_DATA:
		learn_data(plan, outcome, plan->data[n], op->data.done);
		break;
	case LEARN_NEXT:
		learn_next(plan, outcome, plan->data[n], op->data.done);
		break;
	default:
		break;
	}
}

static void take(struct plan *plan, __u32 n)
{
	switch (plan->outcomes[n].after) {
	case KEEP:
		keep(plan, n);
		break;
	case KEEP_WEAK:
		keep_weak(plan, n);
		break;
	case UPGRADED:
		upgraded(plan, n);
		break;
	case KEEP_ARRAY:
		keep_array(plan, n);
		break;
	default:
		break;
	}
}

/* Whether a result is one that REFSTORE_RESULT() cannot stand for. */
static bool hollow(const struct refstore_op *op)
{
	switch (op->command) {
	case REFSTORE_CMD_GET_SLOT:
	case REFSTORE_CMD_GET_ROOT:
	case REFSTORE_CMD_UPGRADE:
		return op->error || !op->dup.result;
	case REFSTORE_CMD_CREATE:
	case REFSTORE_CMD_DUP:
		return op->error;
	}
	return false;
}

static bool op_tolerable(const struct refstore_op *op, bool excuse)
{
	switch (-op->error) {
	case ENOMEM:
	case EDQUOT:
		add(torture->refused, 1);
		return true;
	case EBADF:
		return excuse;
	case EAGAIN:
		return op->command == REFSTORE_CMD_CAS_SLOT ||
		       op->command == REFSTORE_CMD_CAS_ROOT;
	case EOPNOTSUPP:
	case ERANGE:
	case EPERM:
		return (op->command >= REFSTORE_CMD_GET_SLOT &&
			op->command <= REFSTORE_CMD_WRITE) ||
		       op->command == REFSTORE_CMD_COPY_SLOTS;
	}
	return false;
}

static void plan_results(struct plan *plan)
{
	bool excuse = false;
	__u32 i;

	for (i = 0; i < plan->nr; i++) {
		struct refstore_op *op = &plan->ops[i];

		excuse |= hollow(op);
		if (!op->error)
			look(plan, i);
		else if (!op_tolerable(op, excuse))
			complain("operation %u of %u, command %#x: %s", i,
				 plan->nr, op->command, strerror(-op->error));
	}
	for (i = 0; i < plan->nr; i++)
		if (!plan->ops[i].error)
			take(plan, i);
}

/* Operations that were done; a negative errno if that is not known. */
int plan_run(struct plan *plan)
{
	struct refstore_batch batch;
	int ret;

	if (!plan->nr)
		return 0;
	ret = rs_batch(plan->session->fd, REFSTORE_BATCH_CONTINUE, plan->ops,
		       plan->nr, &batch);
	if (ret == -ENOMEM) {
		add(torture->refused, 1);
		return ret;
	}
	if (ret || batch.done != plan->nr) {
		complain("batch: %s, %u of %u done", strerror(-ret),
			 batch.done, plan->nr);
		return ret ?: -EPROTO;
	}
	plan_results(plan);
	return plan->nr;
}
