/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Torture: processes that do what they like with one heap, scans without pause,
 * kills at any moment, and an oracle that now and then makes all of them hold
 * still and counts the heap once more.
 *
 *   torture.c   the controller: starts, kills and starts again; reports
 *   oracle.c    what must be true of a heap that holds still
 *   museum.c    what the controller keeps itself, and knows all about
 *   mutator.c   what a process does with its sessions
 *   session.c   one of these, and the notices that come to it
 *   crowd.c     many objects with one call
 *   sharing.c   exports, restricted sessions, large values
 *   plan.c      batches, and what is to be done with their results
 *   identity.c  who an object is, by its data
 *   collector.c scans without pause
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdarg.h>

#include "../selftests/refstore_heap.h"

enum {
	SEATS = 64,		/* mutators and collectors, at most */
	SESSIONS = 3,		/* of a mutator, at most */
	HELD = 96,		/* handles of a session, about as many */
	WEAK = 64,		/* weak ones */
	PLACES = 128,		/* slots of the board */
	RINGS = 8,		/* in the museum */
	WATCHES = 96,
	RING_MAX = 16,		/* members of a ring */
	IDENTITY = 512,		/* bytes of data that say who an object is */
	PLAN = 256,		/* operations in a batch */
	ARRAY = 8,		/* handles in an operation, at most */
	PATIENCE = 120,		/* seconds without progress */
};

/* --- What all processes share ----------------------------------------- */

/* The oracle's wish, and how far a process has complied. */
enum phase { RUN, QUIET, AUDIT };

/**
 * struct seat - a place for a process, which may be killed and replaced
 * @pid: who sits there; 0: nobody. The controller's
 * @collector: scans, instead of changing the heap
 * @killed: it was told to end; the controller's
 * @phase: how far it has complied
 * @sessions: that it holds, since it is quiet
 * @ops: operations, of all who sat there
 */
struct seat {
	pid_t pid;
	bool collector;
	bool killed;
	__u32 phase;
	__u32 sessions;
	__u64 ops;
};

/**
 * struct torture - what all processes share
 * @phase: enum phase, for all
 * @purge: grows when the heap is too full
 * @errors: found so far
 * @bases: objects' numbers given out; see identity.c
 * @reads: data of objects that was compared
 * @upgrades: weak handles that became handles
 * @deaths: that did not
 * @notices: read
 * @sessions: opened by mutators
 * @twins: mutators that were forked by mutators
 * @refused: calls for which there was no memory or no room
 * @sent: exports that went to the post
 * @received: and came out
 * @adopted: large values
 * @mapped: descriptors of them
 * @seats: see struct seat
 */
struct torture {
	__u32 phase;
	__u32 purge;
	__u64 errors;
	__u64 bases;
	__u64 reads;
	__u64 upgrades;
	__u64 deaths;
	__u64 notices;
	__u64 sessions;
	__u64 twins;
	__u64 refused;
	__u64 sent;
	__u64 received;
	__u64 adopted;
	__u64 mapped;
	struct seat seats[SEATS];
};

extern struct torture *torture;

#define add(counter, n)	__atomic_fetch_add(&(counter), n, __ATOMIC_SEQ_CST)
#define load(word)	__atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define store(word, n)	__atomic_store_n(&(word), n, __ATOMIC_SEQ_CST)

/* Something is wrong: says so, and ends the run soon. Returns false. */
bool __attribute__((format(printf, 1, 2))) complain(const char *format, ...);

/* Whether a call did not fail; for want of memory or room it may. */
bool tolerable(int ret, const char *what);

/* --- Objects ---------------------------------------------------------- */

/**
 * struct known - what is known of an object
 * @handle: a handle
 * @id: its id; 0: not known yet
 * @tag: who it is, see identity.c; 0: likewise
 * @length: of its data, if @tag is known
 * @sealed: its slots
 */
struct known {
	__u64 handle;
	__u64 id;
	__u64 tag;
	__u32 length;
	bool sealed;
};

/**
 * struct identity - how an object's data begins
 * @tag: who it is
 * @serial: changes with each write
 * @length: of the data
 * @type: the object's type
 * @sum: of these; the rest of the data is derived from it
 */
struct identity {
	__u64 tag;
	__u64 serial;
	__u32 length;
	__u32 type;
	__u64 sum;
};

__u64 tag_new(void);
__u64 tag_ring(__u64 tag, __u32 members, __u32 place);
__u64 tag_next(__u64 tag);
__u32 tag_type(__u64 tag);
void identity_fill(void *data, __u64 tag, __u64 serial, __u32 length);
bool identity_read(const void *data, __u32 done, struct identity *identity);

/* --- Mutators --------------------------------------------------------- */

/**
 * struct weak - a weak handle
 * @known: the object; @known.handle is the weak handle
 * @cookie: what the notice says; 0: none was asked for
 * @noticed: the notice was read
 * @dead: the object could not be reached any more
 */
struct weak {
	struct known known;
	__u64 cookie;
	bool noticed;
	bool dead;
};

/**
 * struct session - a session of a mutator
 * @fd: its descriptor; -1: there is none
 * @board: handle of the object where mutators meet; 0: not found
 * @held: handles
 * @weak: weak handles
 * @dropped: handles that the next batch releases
 * @nr_dropped: their number
 * @seq: number of the last event
 * @cookies: given out
 */
struct session {
	int fd;
	__u64 board;
	struct known held[HELD];
	struct weak weak[WEAK];
	__u64 dropped[2 * PLAN];
	__u32 nr_dropped;
	__u64 seq;
	__u64 cookies;
};

/**
 * struct mutator - a process
 * @seat: where it sits
 * @seed: of its choices
 * @sessions: its sessions
 * @twin: a process that it has forked; 0: none
 * @is_twin: it is one, and ends before the oracle comes
 * @purge: torture->purge when it last threw all away
 */
struct mutator {
	struct seat *seat;
	__u64 seed;
	struct session sessions[SESSIONS];
	pid_t twin;
	bool is_twin;
	__u32 purge;
};

void session_init(struct session *session, int fd);
void session_keep(struct session *session, __u64 *seed,
		  const struct known *known);
void session_drop(struct session *session, __u64 handle);
void session_notices(struct session *session);
void session_audit(struct session *session);

/**
 * struct subject - what an operation of a batch acts upon
 * @handle: a handle, or REFSTORE_RESULT()
 * @of: the operation that it is the result of; -1: of none
 * @place: in held[]; -1: in none
 * @known: what is known of it
 */
struct subject {
	__u64 handle;
	int of;
	int place;
	struct known known;
};

enum after { FORGET, KEEP, LEARN_STAT, LEARN_DATA, LEARN_NEXT, KEEP_WEAK,
	     UPGRADED, KEEP_ARRAY };

/**
 * struct outcome - what is to be done with an operation's result
 * @after: what
 * @drop: release it again, within the batch
 * @subject: what the operation acted upon
 * @known: what is known of its result
 * @next: the operation that got the handle whose data this is
 * @weak: the place of the weak handle
 * @cookie: that was asked for with it
 */
struct outcome {
	enum after after;
	bool drop;
	struct subject subject;
	struct known known;
	int next;
	__u32 weak;
	__u64 cookie;
};

/**
 * struct plan - a batch that is being put together
 * @session: whose
 * @seed: of choices
 * @nr: operations
 * @ops: the operations
 * @outcomes: one for each of them
 * @arrays: handles that they read or write
 * @data: bytes likewise
 */
struct plan {
	struct session *session;
	__u64 *seed;
	__u32 nr;
	struct refstore_op ops[PLAN];
	struct outcome outcomes[PLAN];
	__u64 arrays[PLAN][ARRAY];
	char data[PLAN][IDENTITY];
};

void plan_begin(struct plan *plan, struct session *session, __u64 *seed);
struct subject plan_held(struct plan *plan);
struct subject plan_result(struct plan *plan, int op);
struct outcome *plan_add(struct plan *plan, struct refstore_op op);
int plan_create(struct plan *plan, __u64 tag, __u32 flags, __u32 nr_slots,
		__u32 length);
void plan_learn(struct plan *plan, struct subject subject);
void plan_learn_next(struct plan *plan, struct subject subject);
void plan_weak(struct plan *plan, struct subject subject);
int plan_run(struct plan *plan);

__u32 crowd_pass(struct session *session, __u64 *seed);
__u32 sharing_pass(struct session *session, __u64 *seed);
int sharing_open(void);
void sharing_drain(void);

void mutator_run(struct seat *seat, int fd, const struct known *known,
		 __u32 count, __u64 seed);
void collector_run(struct seat *seat, int fd, __u64 seed);

/* --- The controller --------------------------------------------------- */

/**
 * struct ring - objects of the museum, each of which refers to the next
 * @members: how many
 * @at: which of them the handle is of
 * @handle: the only handle that the museum has
 * @tag: of the first
 * @ids: of all
 */
struct ring {
	__u32 members;
	__u32 at;
	__u64 handle;
	__u64 tag;
	__u64 ids[RING_MAX];
};

/**
 * struct watch - an object of which the museum wants to know when it dies
 * @handle: a weak handle; 0: free
 * @id: the object's
 * @notices: of its death
 */
struct watch {
	__u64 handle;
	__u64 id;
	__u32 notices;
};

/**
 * struct museum - what the controller keeps
 * @fd: its session
 * @seed: of its choices
 * @board: where mutators meet
 * @rings: see struct ring
 * @watches: see struct watch
 * @seq: number of the last event
 */
struct museum {
	int fd;
	__u64 seed;
	struct known board;
	struct ring rings[RINGS];
	struct watch watches[WATCHES];
	__u64 seq;
};

int museum_open(struct museum *museum, __u64 seed);
void museum_tend(struct museum *museum);
void museum_purge(struct museum *museum);
void museum_notices(struct museum *museum);
void museum_check(struct museum *museum, struct rs_heap *heap);
__u32 museum_known(struct museum *museum, struct known *known);

void oracle(struct museum *museum);

#endif /* TORTURE_H */
