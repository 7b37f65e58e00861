/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the cycle scanner and of the sessions that run beside it.
 *
 * Three objects of two slots, sessions of which two are in a call at a time, each
 * call one step at a time, a scan that comes when it likes, memory that is used
 * again at once. In the beginning there is one of the graphs at the end of this
 * file, and then OPS operations are done, by whom and when the checker likes.
 *
 *   here               in module/                       rules
 *   -----------------  -------------------------------  -------------------
 *   ref_get            rs_ref_get()                     R4
 *   drop               rs_reap_drop(), rs_ref_put()     R1
 *   link               rs_candidate_add()               R1, R12
 *   bury               rs_reap_bury()                   R9, R11
 *   reap               rs_reap_slots(), rs_slots_pop()  R3
 *   reap_free, push    rs_reap_free(), rs_reap_defer()  R13, R14, R17, R18
 *   GET, SET, expose,  rs_slots_read(), rs_slot_set(),  R3, R5, R18
 *   store              rs_object_expose()
 *   RELEASE            rs_call_take(), rs_put(), or of
 *                      more than one rs_session_drop()
 *   CREATE             rs_object_create()               R18
 *   UPGRADE, try,      rs_object_tryget(),              R10, R11
 *   check, abort       rs_suspect_alive()
 *   begin              rs_scan_begin()                  R13, R16
 *   drain              rs_drain(), rs_candidate_take()  R2, R15, R18
 *   peek, child        rs_trace(), rs_slots_peek()      R3, R15, R16
 *   GIVE_UP            rs_scan_pause()                  R12, R17
 *   deduce             rs_deduce()                      a filter, see R8
 *   split, pick        rs_tarjan_run(),                 R7
 *                      rs_decide_components()
 *   count_edge         rs_component_count()             R8
 *   mark               rs_component_suspect()           R4
 *   commit             rs_desc_commit()                 R6, R10
 *   clear              rs_component_clear()             R10
 *   kill, tell         rs_component_kill(), later       R11
 *                      rs_scan_run()
 *   credit_one         rs_component_credit()            R8
 *   find, save_one     rs_component_commit(),           R10
 *                      rs_member_save()
 *   age, move          rs_settle(),                     R1
 *                      rs_candidate_settle()
 *   requeue            rs_scan_sort()                   R12
 *   scan_end           rs_reap_deferred()               R13, R14
 *   reclaim            rs_scan_reclaim()                R7
 *
 *   weak, found        heap->weak, rs_weak_kill(),      R11
 *                      rs_weak_upgrade()
 *   MAY_LINK, older    rs_put_queues(),                 R1
 *                      rs_candidate_bits()
 *   DROP_SAVED         rs_drop_saved(),
 *                      rs_saved_look()
 *   FREEZES            rs_freeze_all(), rs_unfreeze()
 *   candidate_again    rs_thaw_look(),                  R1, R12
 *                      rs_candidate_again()
 *   FROZEN, skips      rs_drain_one(), rs_scan_frozen()
 *
 * And what is nowhere here:
 *
 *   rs_weak_release()  a weak reference with a notice that is given up when its
 *                      component is committed and not yet cleared sends the notice
 *                      at once: upgrades fail from the commit on
 *   rs_put_many()      several last puts before one burial
 *   rs_slots_retire()  resizing: a second thing whose memory waits, as that of an
 *                      object does, by the same number and list (R13, R14)
 *   rs_scan_forget()   numbers begin anew with each scan here, see below; without
 *                      that R16 is left out
 *
 * What needs a word more:
 *
 *   - weak references: each object has one block that refers back to it (weak).
 *     An upgrade holds the block's lock, which is the object's slot lock, from
 *     the load of the object's address to the end of its try; the last putter
 *     and the scanner take that lock to clear the block. A walk through the
 *     table, which has a lock of its own, is the same for the model, so an
 *     object may be tried twice at a time.
 *   - with GENERATIONS, two queues: a put may link an object in the older one,
 *     with OLD in its word in place of CANDIDATE, and young scans leave that
 *     queue alone. Which queue is free choice here, also where the scanner moves
 *     what came back while it ran; the module decides by age and by edges, and so
 *     may decide as it likes. That both bits may stand in the word for the older
 *     queue is the same to whoever looks at them.
 *   - with SAVE, scans save what they find, or some do: then the heap has a
 *     reference on each member, which DROP_SAVED drops, of any of them at a time.
 *   - with FREEZE, objects are frozen and thawed; in the beginning all are, or the
 *     eldest, or none. Each is made a candidate and put before the next one is
 *     looked at, as where the module's chunks end; within one it holds them
 *     longer. What is frozen is read and cleared in one step: F2.
 *   - where all that was captured is one component, the edges that the capture
 *     counted are those inside (WHOLE); else they are counted anew.
 *
 * What must hold:
 *
 *   - nothing that somebody can reach is condemned, at the commit, or dies of
 *     its count;
 *   - nothing that was freed is touched, and no memory that the scanner has a
 *     pointer to is freed;
 *   - an upgrade reports only what nobody can reach as dead, and succeeds on
 *     nothing that a death notice may have been read of; such notices come when
 *     the weak references to all of a component are cleared;
 *   - what is garbage when a scan (of both queues) starts, and nobody touches,
 *     that scan frees, or saves, unless it gives up, or frozen objects reach it;
 *   - what is saved was garbage when the scan had marked it, or something that
 *     it saved before, and lives;
 *   - whenever nobody is in a call and no scan runs: counts are exact; each
 *     object that nobody can reach is reached by some candidate, for the next
 *     scan, or is frozen, or reached by what is; the queues are what the words
 *     say; nothing waits for a scan's end;
 *   - memory waits beyond the bound only until the scanner looks next (BOUND).
 *
 * A rule is left out with -DNO_Rn; then one of these must fail. R3B: writers
 * store the slot before they put the old target, R3C: dying objects do; R7B:
 * reclaiming starts after the last decision; R8B: only where all that was
 * captured is one component has the capture counted its edges; R10B: descriptors
 * carry a generation; R11B: a weak reference is cleared before the memory is
 * freed; R11C: notices come after all of a component's are cleared; G1: a drain
 * clears no bit without its link; G2: a put looks at both bits when it drops, not
 * before; G3: the scanner moves only what is linked; S1: the scanner reads the
 * descriptor before it saves; S2: it saves nothing that died meanwhile; S3: saved
 * components give credits; F1: objects are not frozen any more before they are
 * candidates again; F2: and nobody freezes others between the two halves of that
 * look; TURNS: locks are handed on in turn.
 *
 * One step is one access to memory that others write, or several that nobody
 * could come between, or would notice if he did:
 *
 *   - what is done under a lock that everybody takes who could see the middle;
 *   - what only its thread can see: a handle under its session's lock, a new
 *     object before it is in the table, what was captured, an edge to a captured
 *     object, the slots of an object that dies and that the scanner does not
 *     know, or was condemned;
 *   - a compare-and-swap with the load whose value it expects: if it succeeds,
 *     the value was there, and if not, nothing happened;
 *   - the look at the scan's number without the lock and the one with it: only
 *     what the last one saw counts;
 *   - PENDING with the first mark, NONE with the last mark that goes: who reads
 *     the descriptor does so between two equal looks at a marked word.
 *
 * And some things stand for others:
 *
 *   - versions: "touched" says that the word differs from the captured one. It
 *     does if and only if it was changed: every increment changes the version,
 *     decrements alone the count, and nobody clears CANDIDATE but a scan. A
 *     version that wraps at once (WRAPS) compares what is left, without it;
 *   - handles: hands counts them, whosever they are. So this is about any number
 *     of sessions, two of them in a call; those are alike, and sort() makes one
 *     state of two that differ in who is who. An object has at most two handles;
 *   - generations of the descriptor: "stale" says that what an upgrade read of
 *     it was another component's;
 *   - the numbers of scans: epochs begin anew with each, and without R16 not.
 */

#ifndef OPS
#define OPS	4	/* operations, all together */
#endif
#ifndef SCANS
#define SCANS	1	/* scans beside them */
#endif
#ifndef MOST
#define MOST	2	/* handles of an object */
#endif
#ifndef CELLS
#define CELLS	3	/* that objects can be made in */
#endif

/* Where words have to be compared, and not just known to be touched. */
#if defined(WRAPS) || defined(NO_R3) || defined(NO_R4)
#define VALUES
#endif

#define N	3	/* objects */
#define NIL	N
#define BIT(o)	(1 << (o))
#define SCANNER	2	/* the third one who puts */

mtype = { FREE, USED, DEFERRED };	/* memory */
mtype = { UNSEEN, CAPTURED, KEPT, BORN };	/* epoch: what the scan knows */
mtype = { NONE, PENDING, COMMITTED, ABORTED };	/* descriptor */
mtype = { YOUNG, OLDER };			/* queue, or NONE */

/* What somebody is about to do next. */
mtype = { IDLE, EXPOSE, STORE, DROP, BURY, REAP, LOOK, CHECK, ABORT, MOVE,
	  LATE, PUSH, STORE_LATE, MELTING, THAW, AGAIN };
mtype = { RESTING, DRAIN, LATER_BITS, PEEK, SECOND, CHILD, DEDUCE, COUNT,
	  COUNT_SECOND, AGE, MARK, COMMIT, KILL, REFUSE, CLEAR, SPLIT, REQUEUE,
	  RECLAIM, EARLY, CREDIT, CREDIT_SECOND, SAVING };

typedef object {
	mtype mem = FREE;
	byte count;		/* the word: to dead */
	bit candidate;
	bit old;
	bit suspect;
	bit dead;
	bit touched;		/* since it was captured */
	byte slot[2] = NIL;
	bit weak;		/* its block refers to it */
	mtype queue = NONE;
	mtype state = UNSEEN;
};

typedef actor {
	mtype doing = IDLE;
	byte x = NIL;		/* owner of a slot; what is upgraded */
	byte y = NIL;		/* what is stored, and counted for that */
	bit k;			/* which slot */
	byte q = NIL;		/* a reference that is dropped */
	byte p = NIL;		/* whose slots are dropped */
	byte dying;		/* all of those that wait for that */
	byte close;		/* handles that are still to be dropped */
	mtype d = NONE;		/* the descriptor, as an upgrade saw it */
	bit stale;		/* of an earlier component */
	bit seen;		/* the word is still what the upgrade saw */
#ifdef FREEZE
	byte thaw;		/* what is still to be a candidate again */
#endif
};

object c[N];
actor a[3];
byte hands[N];			/* handles that refer to an object */
byte ops = OPS;
byte scans = SCANS;

bit scan;			/* runs */
bit both;			/* and drains both queues */
mtype desc = NONE;
byte deferred;			/* memory that waits for the scan's end */
bit stop;			/* it shall give up */
#ifdef WRAPS
bit ticked;			/* a version changed since the scan began */
#endif

#ifdef SAVE
bit save;			/* the scan saves what it finds */
byte saved;			/* what the heap has a reference on */
byte was;			/* unreachable when this scan found something */
#endif
#ifdef FREEZE
byte frozen;
byte skips;			/* what was frozen when the scan began */
#endif

/* What is known from outside of the model's world. */
byte list;			/* what the scanner has captured */
byte sees;			/* what else it has pointers to */
byte garbage;			/* when it began, and not touched since */
byte condemned;
byte told;			/* notices of these can be read */
bit past;			/* the bound was, and the scanner looked */

/* Never set: they stand in assertions, to say what it means that one fails. */
hidden byte a_live_object_dies, a_live_object_is_condemned;
hidden byte a_live_object_is_saved, a_dead_object_is_saved;
hidden byte a_live_object_is_called_dead, a_dead_object_is_found;
hidden byte a_freed_object_is_found, an_object_is_found_after_its_notice;
hidden byte a_notice_comes_too_early, a_freed_object_is_linked;
hidden byte freed_memory_is_read, freed_memory_is_written;
hidden byte garbage_is_left, garbage_is_lost, memory_is_lost;
hidden byte counts_are_wrong, the_queue_is_wrong, more_waits_than_may;

hidden byte R;			/* what somebody can reach */
hidden byte T;
hidden mtype D;

#define ALL(f)		(f(0) | f(1) | f(2))
#define TO(o, s)	(c[o].slot[s] == NIL -> 0 : BIT(c[o].slot[s]))
#define EDGES(o)	(TO(o, 0) | TO(o, 1))
#define IN_USE(o)	(c[o].mem == USED -> BIT(o) : 0)

/* A reference that was put already is in this slot still (without R3). */
#if defined(NO_R3B) || defined(NO_R3C)
#define STORES(me)	(a[me].x != NIL)
#define OLD_BY(me, o, s) (a[me].doing == STORE_LATE && a[me].x == o && \
			 a[me].k == s)
#define OLD_SLOT(o, s)	(OLD_BY(0, o, s) || OLD_BY(1, o, s) || OLD_BY(2, o, s))
#else
#define STORES(me)	false
#define OLD_SLOT(o, s)	false
#endif
#ifdef NO_R3B
#define STORES_LATE(me)	(a[me].doing == DROP || a[me].doing == STORE_LATE)
#else
#define STORES_LATE(me)	false
#endif

#define STORING(me, o)	((a[me].doing == EXPOSE || a[me].doing == STORE || \
			  a[me].doing == MOVE || STORES_LATE(me)) && \
			 a[me].x == o)
#define KEEPS(me, o)	(STORING(me, o) || a[me].y == o || \
			 (a[me].q == o && a[me].doing == DROP) || \
			 (a[me].close & BIT(o)))
#ifdef SAVE
#define SAVED(o)	((saved >> (o)) & 1)
#else
#define SAVED(o)	0
#endif
#define ROOT(o)		(hands[o] || SAVED(o) || KEEPS(0, o) || KEEPS(1, o) || \
			 KEEPS(2, o) -> BIT(o) : 0)
#define ONE(o, s)	(OLD_SLOT(o, s) -> 0 : TO(o, s))
#define NEXT(o)		((R & BIT(o)) -> ONE(o, 0) | ONE(o, 1) : 0)

/* R, and what that reaches; twice around is enough for three objects. */
inline spread()
{
	R = R | ALL(NEXT);
	R = R | ALL(NEXT)
}

inline reach()
{
	R = ALL(ROOT);
	spread()
}

#define LOST(o)		(c[o].mem != FREE && !(R & BIT(o)) -> BIT(o) : 0)

/* --- Counting ------------------------------------------------------------ */

#define TRYING(me, o)	(a[me].x == o && (a[me].doing == LOOK || \
			 a[me].doing == CHECK || a[me].doing == ABORT))
#define LOCKED(o)	(TRYING(0, o) || TRYING(1, o))
#define IN(o)		(list & BIT(o))

/* All of these are parts of steps. The word is another one now. */
inline changed(o)
{
	if
	:: TRYING(0, o) -> a[0].seen = 0
	:: else
	fi;
	if
	:: TRYING(1, o) -> a[1].seen = 0
	:: else
	fi
}

inline touch(o)
{
	changed(o);
	if
	:: IN(o) -> c[o].touched = 1
	:: else
	fi
}

inline ref_get(o)
{
	assert(c[o].mem == USED);
	c[o].count++;
	touch(o);
#ifdef WRAPS
	ticked = scan;
#endif
	garbage = garbage & ~BIT(o)
}

#define QUEUED(o)	(c[o].candidate || c[o].old)

/* Bit and link, under the queue's lock. */
inline link(o, which)
{
	assert(c[o].mem == USED || a_freed_object_is_linked);
	assert(c[o].queue == NONE || the_queue_is_wrong);
	c[o].candidate = (which == YOUNG);
	c[o].old = (which == OLDER);
	c[o].queue = which;
	touch(o)
}

inline free_memory(o)
{
	assert((c[o].mem != FREE && c[o].count == 0) || counts_are_wrong);
	assert(!c[o].weak || a_freed_object_is_found);
	assert((!(sees & BIT(o)) && !IN(o)) || freed_memory_is_read);
	assert(c[o].queue == NONE || a_freed_object_is_linked);
	c[o].mem = FREE;
	c[o].dead = 0;
	c[o].touched = 0;
	c[o].candidate = 0;
	c[o].old = 0;
#ifndef NO_R16
	c[o].state = UNSEEN;
#endif
#ifdef FREEZE
	/* Who is made here has an id of his own */
	frozen = frozen & ~BIT(o);
	skips = skips & ~BIT(o);
	a[0].thaw = a[0].thaw & ~BIT(o);
	a[1].thaw = a[1].thaw & ~BIT(o);
#endif
	garbage = garbage & ~BIT(o);
	told = told & ~BIT(o)
}

#define LOWEST(set)	((set) & 1 -> 0 : ((set) & 2 -> 1 : 2))

#ifdef FREEZE
#define THAWS(me)	a[me].thaw
#define SWAP_THAW	SWAP(thaw)
#else
#define THAWS(me)	0
#define SWAP_THAW	skip
#endif
#define RESTS(me)	(THAWS(me) -> THAW : IDLE)

/* What comes after a put: what died of it, or the next handle, or nothing. */
inline next(me)
{
	if
	:: a[me].dying ->
		if
		:: a[me].p == NIL -> a[me].p = LOWEST(a[me].dying)
		:: else
		fi;
		a[me].doing = REAP
	:: !a[me].dying && a[me].close ->
		a[me].q = LOWEST(a[me].close);
		a[me].close = a[me].close & ~BIT(a[me].q);
		a[me].doing = DROP
	:: else -> a[me].doing = RESTS(me)
	fi
}

/*
 * A put that sees a word without a bit makes the object a candidate first, by
 * when the other references may be gone; so it may do that with the last one.
 */
#ifndef NO_R1
#define MAY_LINK(o)	(!QUEUED(o))
#define MAY_DROP(o)	(QUEUED(o) || c[o].count == 1)
#else
#define MAY_LINK(o)	false
#define MAY_DROP(o)	true
#endif

inline drop(me)
{
	T = a[me].q;
	assert(c[T].mem == USED || freed_memory_is_written);
	assert(c[T].count || counts_are_wrong);
#ifdef NO_R1
	a[me].doing = (c[T].count > 1 && !QUEUED(T) -> LATE : DROP);
#endif
	c[T].count--;
	touch(T);
	if
	:: STORES(me) ->
		a[me].seen = (c[T].count == 0);
		a[me].doing = STORE_LATE
	:: !STORES(me) && c[T].count == 0 -> last(me)
	:: !STORES(me) && c[T].count && a[me].doing == LATE
	:: else ->
		a[me].q = NIL;
		next(me)
	fi
}

/* This was the last reference. */
inline last(me)
{
	a[me].doing = BURY;
	reach();
	assert(!(R & BIT(T)) || a_live_object_dies)
}

#if defined(NO_R3B) || defined(NO_R3C)
inline store_late(me)
{
	T = a[me].q;
	c[a[me].x].slot[a[me].k] = NIL;
	a[me].x = NIL;
	a[me].k = 0;
	if
	:: a[me].seen -> last(me)
	:: else ->
		a[me].q = NIL;
		next(me)
	fi;
	a[me].seen = 0
}
#endif

/* As the end of a step, where there is nothing to choose. */
inline drop_at_once(me)
{
#ifndef GENERATIONS
	if
	:: MAY_LINK(a[me].q) && !MAY_DROP(a[me].q) -> link(a[me].q, YOUNG)
	:: !MAY_LINK(a[me].q) && MAY_DROP(a[me].q) -> drop(me)
	:: else
	fi
#else
	skip
#endif
}

inline drop_late(me)
{
	T = a[me].q;
	assert(c[T].mem == USED || a_freed_object_is_linked);
	if
	:: c[T].count && !c[T].dead && c[T].queue == NONE -> link(T, YOUNG)
	:: else
	fi;
	a[me].q = NIL;
	next(me)
}

/* Out of everything; the weak reference first, and the notice after that. */
inline bury(me)
{
	T = a[me].q;
	c[T].weak = 0;
	told = told | BIT(T);
#ifndef NO_R9
	if
	:: QUEUED(T) ->
		c[T].queue = NONE;
		c[T].candidate = 0;
		c[T].old = 0;
		touch(T)
	:: else
	fi;
#endif
	a[me].dying = a[me].dying | BIT(T);
	a[me].q = NIL;
	next(me)
}

#define EMPTY(o)	(c[o].slot[0] == NIL && c[o].slot[1] == NIL)

/* The scanner will not look at the slots of an object that dies. */
#define UNKNOWN(o)	(!((list | sees) & BIT(o)))

/* The slot before the put (R3). */
inline reap(me)
{
	T = a[me].p;
#ifdef NO_R3C
	a[me].x = T;
	a[me].k = (c[T].slot[1] != NIL);
	a[me].q = c[T].slot[a[me].k];
#else
	if
	:: c[T].slot[1] != NIL ->
		a[me].q = c[T].slot[1];
		c[T].slot[1] = NIL
	:: else ->
		a[me].q = c[T].slot[0];
		c[T].slot[0] = NIL
	fi;
#endif
	a[me].doing = DROP;
	if
	:: UNKNOWN(T) -> drop_at_once(me)
	:: else
	fi
}

#define MANY(set)	(((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))

inline push(o)
{
	c[o].mem = DEFERRED;
	deferred = deferred | BIT(o);
#ifdef BOUND
	assert(!past || more_waits_than_may);
	if
	:: MANY(deferred) > BOUND ->
#ifndef NO_R17
		stop = 1
#else
		skip
#endif
	:: else
	fi
#endif
}

inline reap_end(me)
{
	a[me].dying = a[me].dying & ~BIT(a[me].p);
	a[me].p = NIL;
	next(me)
}

inline reap_free(me)
{
	T = a[me].p;
	if
	:: !scan || c[T].state == BORN ->
		free_memory(T);
		reap_end(me)
#ifndef NO_R14
	:: else ->
		push(T);
		reap_end(me)
#else
	:: else -> a[me].doing = PUSH
#endif
	fi
}

/* What goes on by itself once it was begun, for sessions and the scanner. */
#define PUTS(me)							\
	:: d_step { a[me].doing == BURY && !LOCKED(a[me].q) ->		\
		bury(me); sort() }					\
	:: d_step { a[me].doing == REAP && !EMPTY(a[me].p) ->		\
		reap(me); sort() }					\
	:: d_step { a[me].doing == REAP && EMPTY(a[me].p) ->		\
		reap_free(me); sort() }					\
	DROPS(me) LATES(me) PUSHES(me) STORES_OF(me)

#define LINKS(me, which)						\
	:: d_step { a[me].doing == DROP && MAY_LINK(a[me].q) LOOKS(me) -> \
		link(a[me].q, which); LOOKED_AT(me); sort() }

#ifndef GENERATIONS
#define DROPS(me)							\
	LINKS(me, YOUNG)						\
	:: d_step { a[me].doing == DROP && MAY_DROP(a[me].q) ->		\
		drop(me); sort() }
#define LOOKS(me)
#define LOOKED_AT(me)	skip
#elif !defined(NO_G2)
#define DROPS(me)							\
	LINKS(me, YOUNG) LINKS(me, OLDER)				\
	:: d_step { a[me].doing == DROP && c[a[me].q].old ->		\
		c[a[me].q].queue = NONE;				\
		link(a[me].q, YOUNG); sort() }				\
	:: d_step { a[me].doing == DROP && MAY_DROP(a[me].q) ->		\
		drop(me); sort() }
#define LOOKS(me)
#define LOOKED_AT(me)	skip
#else
/* It looks once, and not again when it drops. */
#define DROPS(me)							\
	LINKS(me, YOUNG) LINKS(me, OLDER)				\
	:: d_step { a[me].doing == DROP && MAY_DROP(a[me].q) LOOKS(me) -> \
		LOOKED_AT(me); sort() }					\
	:: d_step { a[me].doing == DROP && a[me].seen ->		\
		a[me].seen = 0; drop(me); sort() }
#define LOOKS(me)	&& !a[me].seen
#define LOOKED_AT(me)	a[me].seen = 1
#endif
#ifdef NO_R1
#define LATES(me)							\
	:: d_step { a[me].doing == LATE -> drop_late(me); sort() }
#else
#define LATES(me)
#endif
#ifdef NO_R14
#define PUSHES(me)							\
	:: d_step { a[me].doing == PUSH ->				\
		push(a[me].p); reap_end(me); sort() }
#else
#define PUSHES(me)
#endif
#if defined(NO_R3B) || defined(NO_R3C)
#define STORES_OF(me)							\
	:: d_step { a[me].doing == STORE_LATE -> store_late(me); sort() }
#else
#define STORES_OF(me)
#endif

/* --- Sessions --------------------------------------------------------------- */

#define KEY(me)		((((((((((a[me].doing * 4 + a[me].x) * 4 + a[me].y) * 4 + \
			 a[me].q) * 4 + a[me].p) * 8 + a[me].dying) * 8 + \
			 a[me].close) * 2 + a[me].stale) * 2 + a[me].k) * 2 + \
			 a[me].seen) * 8 + THAWS(me))
#define SWAP(field)	T = a[0].field; a[0].field = a[1].field; a[1].field = T

/* Who is in a call comes first, and of two, who has the greater key. */
inline sort()
{
#ifndef NO_SORT
	if
	:: a[1].doing != IDLE && (a[0].doing == IDLE || KEY(0) < KEY(1)) ->
		D = a[0].doing; a[0].doing = a[1].doing; a[1].doing = D;
		D = a[0].d; a[0].d = a[1].d; a[1].d = D;
		SWAP(x); SWAP(y); SWAP(k); SWAP(q); SWAP(p); SWAP(dying);
		SWAP(close); SWAP(stale); SWAP(seen); SWAP_THAW
	:: else
	fi
#else
	skip
#endif
}

#ifndef NO_SORT
#define FIRST_ONE	(me == 0 || a[0].doing != IDLE)
#else
#define FIRST_ONE	true
#endif
#ifndef FOREVER
#define START		(a[me].doing == IDLE && ops && FIRST_ONE)
#define BEGUN		ops--
#else
#define START		(a[me].doing == IDLE)
#define BEGUN		skip
#endif

/* Handles of an object that are not in use by a call. */
#define SPARE(o)	(hands[o] > STORING(0, o) + STORING(1, o))

/* A slot into a handle, under the owner's slot lock. */
#define GET(o, s)							\
	:: d_step {							\
		START && c[o].slot[s] != NIL && SPARE(o) &&		\
		hands[c[o].slot[s]] < MOST &&				\
		(s == 0 || c[o].slot[0] != c[o].slot[1]) ->		\
		BEGUN;							\
		T = c[o].slot[s];					\
		hands[T]++;						\
		ref_get(T)						\
	   }

#ifndef NO_R3B
#define EMPTIES(o, s)	c[o].slot[s] = NIL
#else
/* Later, with a handle of the owner that nobody else uses: MOST is 1. */
#define EMPTIES(o, s)	a[me].x = o; a[me].k = s
#endif

/* Which slot shall refer to what: the target is counted before it is stored. */
#define SET(o, s)							\
	:: d_step { START && c[o].slot[s] != NIL && SPARE(o) ->		\
		BEGUN;							\
		a[me].q = c[o].slot[s];					\
		EMPTIES(o, s);						\
		a[me].doing = DROP;					\
		sort() }						\
	SET_TO(o, s, 0)							\
	SET_TO(o, s, 1)							\
	SET_TO(o, s, 2)

#define SET_TO(o, s, t)							\
	:: d_step {							\
		START && c[o].slot[s] != t && SPARE(o) && SPARE(t) ->	\
		BEGUN;							\
		ref_get(t);						\
		a[me].x = o;						\
		a[me].k = s;						\
		a[me].y = t;						\
		a[me].doing = (EXPOSED(t) -> STORE : EXPOSE);		\
		sort() }

#ifndef NO_R18
#define EXPOSED(t)	(c[t].state != BORN)
#else
#define EXPOSED(t)	true
#endif

inline store(me)
{
	assert(c[a[me].x].mem == USED || freed_memory_is_written);
	a[me].q = c[a[me].x].slot[a[me].k];
	c[a[me].x].slot[a[me].k] = a[me].y;
	a[me].x = NIL;
	a[me].y = NIL;
	a[me].k = 0;
	a[me].doing = (a[me].q == NIL -> IDLE : DROP)
}

/* One handle, or a session with these. */
#define RELEASE(set)							\
	:: d_step { START && (!((set) & 1) || SPARE(0)) &&		\
		(!((set) & 2) || SPARE(1)) &&				\
		(!((set) & 4) || SPARE(2)) ->				\
		BEGUN;							\
		hands[0] = hands[0] - ((set) & 1);			\
		hands[1] = hands[1] - (((set) >> 1) & 1);		\
		hands[2] = hands[2] - (((set) >> 2) & 1);		\
		a[me].q = LOWEST(set);					\
		a[me].close = (set) & ~BIT(a[me].q);			\
		a[me].doing = DROP;					\
		drop_at_once(me);					\
		sort() }

#define CREATE(o)							\
	:: d_step {							\
		START && c[o].mem == FREE && o < CELLS &&		\
		(o == 0 || c[0].mem != FREE) &&				\
		(o != 2 || c[1].mem != FREE) ->				\
		BEGUN;							\
		c[o].mem = USED;					\
		c[o].count = 1;						\
		BIRTH(o);						\
		c[o].weak = 1;						\
		hands[o] = 1						\
	   }

#ifndef NO_R16
#define BIRTH(o)	c[o].state = (scan -> BORN : UNSEEN)
#else
#define BIRTH(o)	skip
#endif

#ifdef FREEZE
#if !defined(NO_F1) && !defined(NO_F2)
#define MELT		frozen = 0
#else
#define MELT		skip
#endif
#ifndef NO_F2
#define MELTED		THAW
#define MELTS(me)
#else
/* What is frozen was read; scans, which drain under the same lock, wait. */
#define MELTED		MELTING
#define MELTS(me)							\
	:: d_step { a[me].doing == MELTING ->				\
		frozen = 0;						\
		a[me].doing = THAW;					\
		sort() }
#endif

/* Of all that was frozen, one is done. */
inline thawed(me, o)
{
	a[me].thaw = a[me].thaw & ~BIT(o);
#ifdef NO_F1
	frozen = (a[me].thaw -> frozen : 0)
#else
	skip
#endif
}
#endif

/* A weak upgrade, or a walk: an object that was found, under the lock. */
#ifdef NO_R11B
#define MAY_TRY(o)	true
#elif !defined(FOREVER) || defined(NO_TURNS)
#define MAY_TRY(o)	(c[o].count && !c[o].dead)	/* else it is dead */
#else
/* Who waits for a lock comes before who came later. */
#define MAY_TRY(o)	(c[o].count && !c[o].dead && \
			 !(desc == COMMITTED && c[o].suspect))
#endif
#ifndef NO_UPGRADES
#define UPGRADE(o)							\
	:: d_step { START && c[o].weak && hands[o] < MOST && MAY_TRY(o) ->	\
		BEGUN;							\
		a[me].x = o;						\
		try(me);						\
		sort() }
#else
#define UPGRADE(o)
#endif

inline upgrade_end(me)
{
	a[me].doing = RESTS(me);
	a[me].x = NIL;
	a[me].d = NONE;
	a[me].stale = 0;
	a[me].seen = 0
}

/* It, and what it refers to, is not garbage now. */
inline upgrade_touch(o)
{
	R = BIT(o);
	spread();
	garbage = garbage & ~R
}

inline upgrade_get(me)
{
	T = a[me].x;
	assert(!(told & BIT(T)) || an_object_is_found_after_its_notice);
	assert(!(condemned & BIT(T)) || a_dead_object_is_found);
	ref_get(T);
	upgrade_touch(T);
	upgrade_end(me);
	if
	:: THAWS(me) ->
		a[me].y = T;
		a[me].doing = AGAIN
	:: else -> hands[T]++
	fi
}

inline upgrade_dead(me)
{
	reach();
	assert(!(R & BIT(a[me].x)) || a_live_object_is_called_dead);
#ifdef FREEZE
	thawed(me, a[me].x);
#endif
	upgrade_end(me)
}

inline try(me)
{
	T = a[me].x;
	assert(c[T].mem == USED || a_freed_object_is_found);
	if
	:: c[T].count == 0 || c[T].dead -> upgrade_dead(me)
#ifndef NO_R10
	:: c[T].count && !c[T].dead && c[T].suspect ->
		a[me].seen = 1;
		a[me].doing = LOOK
#endif
	:: else -> upgrade_get(me)
	fi
}

/* The descriptor was read; the word once more. */
inline check(me)
{
	if
	:: !a[me].seen ->
		a[me].d = NONE;
		a[me].stale = 0;
		try(me)
	:: a[me].seen && a[me].d == COMMITTED -> upgrade_dead(me)
	:: a[me].seen && a[me].d == PENDING -> a[me].doing = ABORT
	:: else -> upgrade_get(me)
	fi
}

#ifndef NO_R10B
#define STALE(me)	a[me].stale
#else
#define STALE(me)	false
#endif

inline abort(me)
{
	if
	:: desc == PENDING && !STALE(me) ->
		desc = ABORTED;
		upgrade_touch(a[me].x)	/* that is touching, too */
	:: else
	fi;
	a[me].d = NONE;
	a[me].stale = 0;
	a[me].doing = LOOK
}

/* What scans have saved: the marks are taken first, and then references put. */
#ifdef SAVE
#define DROP_SAVED(set)							\
	:: d_step { START && (saved & (set)) == (set) ->		\
		BEGUN;							\
		saved = saved & ~(set);					\
		a[me].q = LOWEST(set);					\
		a[me].close = (set) & ~BIT(a[me].q);			\
		a[me].doing = DROP;					\
		drop_at_once(me);					\
		sort() }
#else
#define DROP_SAVED(set)
#endif

#ifdef FREEZE
/* All that is there; and not any more, under the lock under which scans drain. */
#define FREEZES								\
	:: d_step { START && (ALL(IN_USE) & ~frozen) ->			\
		BEGUN;							\
		frozen = ALL(IN_USE);					\
		garbage = 0 }						\
	:: d_step { START && frozen ->					\
		BEGUN;							\
		a[me].thaw = frozen;					\
		MELT;							\
		a[me].doing = MELTED;					\
		sort() }						\
	MELTS(me)							\
	:: d_step { a[me].doing == THAW -> thaw_next(me); sort() }	\
	:: d_step { a[me].doing == AGAIN -> candidate_again(me); sort() }

/* One after the other, in the table; what is dying, or dead, needs nothing. */
inline thaw_next(me)
{
	T = (a[me].thaw -> LOWEST(a[me].thaw) : NIL);
	if
	:: T == NIL -> a[me].doing = IDLE
	:: T != NIL && c[T].weak && MAY_TRY(T) ->
		a[me].x = T;
		try(me)
	:: else -> thawed(me, T)
	fi
}

/* With a reference, which is put after that. */
inline candidate_again(me)
{
	T = a[me].y;
	if
	:: c[T].queue == NONE -> link(T, YOUNG)
	:: else
	fi;
	thawed(me, T);
	a[me].q = T;
	a[me].y = NIL;
	a[me].doing = DROP
}
#else
#define FREEZES
#endif

#ifdef NO_R5
/*
 * Holds o, which refers to t, and makes of that: holds t, which refers to o. No
 * count changes.
 */
#define MOVES(o, t)							\
	:: d_step { START && SPARE(o) && c[o].slot[0] == t &&		\
		c[t].slot[0] == NIL ->					\
		c[o].slot[0] = NIL;					\
		hands[t]++;						\
		a[me].x = o;						\
		a[me].doing = MOVE;					\
		sort() }						\
	:: d_step { a[me].doing == MOVE && a[me].x == o ->		\
		if							\
		:: c[t].slot[0] == NIL && hands[t] ->			\
			c[t].slot[0] = o; hands[o]--			\
		:: else							\
		fi;							\
		a[me].x = NIL;						\
		a[me].doing = IDLE;					\
		sort() }
#else
#define MOVES(o, t)
#endif

proctype session(byte me)
{
	do
	GET(0, 0) GET(1, 0) GET(2, 0)
	SET(0, 0) SET(1, 0) SET(2, 0)
#ifndef ONE_SLOT
	GET(0, 1) GET(1, 1) GET(2, 1)
	SET(0, 1) SET(1, 1) SET(2, 1)
#endif
	RELEASE(1) RELEASE(2) RELEASE(4)
#ifndef NO_CLOSE
	RELEASE(3) RELEASE(5) RELEASE(6) RELEASE(7)
#endif
	CREATE(0) CREATE(1) CREATE(2)
	UPGRADE(0) UPGRADE(1) UPGRADE(2)
	DROP_SAVED(1) DROP_SAVED(2) DROP_SAVED(4)
	DROP_SAVED(3) DROP_SAVED(5) DROP_SAVED(6) DROP_SAVED(7)
	FREEZES
	MOVES(0, 1) MOVES(1, 0)
	:: d_step { a[me].doing == EXPOSE ->
		if
		:: c[a[me].y].state == BORN -> c[a[me].y].state = UNSEEN
		:: else		/* somebody else was faster */
		fi;
		a[me].doing = STORE;
		sort() }
	:: d_step { a[me].doing == STORE -> store(me); sort() }
	:: d_step { a[me].doing == LOOK ->
		a[me].d = desc;
		a[me].doing = CHECK;
		sort() }
	:: d_step { a[me].doing == CHECK -> check(me); sort() }
	:: d_step { a[me].doing == ABORT -> abort(me); sort() }
	PUTS(me)
	od
}

/* --- The scanner ---------------------------------------------------------- */

inline capture(o, edges)
{
	list = list | BIT(o);
	c[o].state = CAPTURED;
	c[o].touched = 0;
	ext[o] = c[o].count - edges;
#ifdef VALUES
	cap_count[o] = c[o].count;
	cap_queued[o] = QUEUED(o);
#endif
	order[len_] = o;
	len_++
}

#define DYING(me)	a[me].dying | (a[me].doing == BURY -> BIT(a[me].q) : 0)
#define UNREACHED(o)	(c[o].mem == USED && c[o].count && !(R & BIT(o)) -> \
			 BIT(o) : 0)
#define YOUNG_ONE(o)	(c[o].queue == YOUNG -> BIT(o) : 0)
#define OLDER_ONE(o)	(c[o].queue == OLDER -> BIT(o) : 0)

/* What is frozen, or not yet a candidate again. */
#ifdef NO_F2
#define MAY_DRAIN	(a[0].doing != MELTING && a[1].doing != MELTING)
#else
#define MAY_DRAIN	true
#endif
#ifdef FREEZE
#define UNSEEN_BY_SCANS	(frozen | a[0].thaw | a[1].thaw)
#define FROZEN(o)	(frozen & BIT(o))
#else
#define UNSEEN_BY_SCANS	0
#define FROZEN(o)	false
#endif

inline begin()
{
#ifndef ALWAYS
	scans--;
#endif
	/* But for what the dying still refer to: their putters come */
	R = ALL(ROOT) | DYING(0) | DYING(1) | UNSEEN_BY_SCANS;
	spread();
#ifdef FREEZE
	skips = frozen;
#endif
	garbage = ALL(UNREACHED);
	todo = ALL(YOUNG_ONE);
	if
	:: both -> todo = todo | ALL(OLDER_ONE)
	:: else -> garbage = 0
	fi;
#ifdef FOREVER
	garbage = 0;		/* see the end of this file */
#endif
#ifdef WRAPS
	ticked = 0;
#endif
#ifndef NO_R13
	scan = 1;
#endif
	at = DRAIN
}

/* In a queue that is drained, and fit for it. */
#define MINE(o)		((c[o].queue == YOUNG || (both && c[o].queue == OLDER)) && \
			 c[o].state != BORN && c[o].count && !c[o].dead && \
			 !(passed & BIT(o)) && ONLY_ONE -> BIT(o) : 0)
#ifdef NO_R15
#define ONLY_ONE	(!list || again)
#else
#define ONLY_ONE	true
#endif

/* Bit and link, and with them the capture. */
inline take()
{
	o = LOWEST(ALL(MINE));
	assert(c[o].mem == USED || freed_memory_is_read);
	passed = passed | BIT(o);
	c[o].queue = NONE;
#ifndef NO_R2
	c[o].candidate = 0;
	c[o].old = 0;
#endif
	changed(o);
	if
	:: !IN(o) && !FROZEN(o) ->
		drained = drained | BIT(o);
		capture(o, 0)
	:: else
	fi;
#ifdef NO_G1
	/* All of the mask is cleared, wherever it is */
	c[o].old = 0;
#endif
	o = 0
}

/* What a slot of o refers to: the word before its slots, which come later. */
inline follow(v)
{
	assert(c[v].mem != FREE || freed_memory_is_read);
	if
	:: c[v].count == 0 || c[v].dead -> c[o].state = KEPT
	:: else ->
		capture(v, 1)
#ifdef NO_G1
		; c[v].old = 0
#endif
	fi;
	v = NIL
}

/* Edges to what is captured are the scanner's own business. */
inline absorb(v)
{
	if
	:: v != NIL && c[v].state != UNSEEN ->
		ext[v]--;
		v = NIL
#ifdef FREEZE
	:: v != NIL && c[v].state == UNSEEN && skips &&
	   ((skips & BIT(v)) || c[v].count == 0) ->
		/* Frozen; or dying, with anything in place of its id */
		assert(c[v].mem != FREE || freed_memory_is_read);
		v = NIL
#endif
	:: else
	fi
}

/* All edges were, and then what came back gets its place. */
#ifdef GENERATIONS
#define COUNTED		AGE
#else
#define COUNTED		DEDUCE
#endif

inline followed()
{
	absorb(v0);
	absorb(v1);
	sees = (v0 == NIL -> 0 : BIT(v0)) | (v1 == NIL -> 0 : BIT(v1));
	if
	:: sees -> at = CHILD
	:: else ->
		o = 0;
		i++;
		at = (i < len_ -> PEEK : COUNTED)
	fi
}

#define EXTERNAL(o)	(ext[o] || c[o].state == KEPT)
#define INTERNAL(o)	(IN(o) && !EXTERNAL(o) -> BIT(o) : 0)
#define LIVE_TO(o)	(IN(o) && !(suspects & BIT(o)) -> EDGES(o) : 0)

/*
 * Where all that was captured may be garbage, it is one component, and the
 * capture has read the slots of each once: see rs_component_count().
 */
#ifndef NO_R8B
#define WHOLE		(suspects == list)
#else
#define WHOLE		true
#endif

#ifdef GENERATIONS
#define MOVE_LINKED(o, which)	move(o, which)

/* Unlinked and linked under one hold of the queue's lock. */
inline move(o, which)
{
	if
#ifndef NO_G3
	:: c[o].count && !c[o].dead && c[o].queue != NONE &&
	   c[o].queue != which ->
#else
	:: !c[o].dead && c[o].queue != which ->
#endif
		c[o].queue = NONE;
		link(o, which)
	:: else
	fi
}

/* What was taken, and may be a candidate again. */
inline age(which)
{
	T = LOWEST(drained & ~moved);
	moved = moved | BIT(T);
	move(T, which)
}
#else
#define MOVE_LINKED(o, which)	skip
#endif

/* A filter, so that it may as well see all slots at one instant. */
inline deduce()
{
	suspects = ALL(INTERNAL);
	if
	:: !(suspects & drained) -> suspects = 0
	:: else ->
		suspects = suspects & ~ALL(LIVE_TO);
		suspects = suspects & ~ALL(LIVE_TO)
	fi;
	drained = drained & suspects;
	members = suspects;
	i = 0;
	len_ = 0;
	order[0] = 0; order[1] = 0; order[2] = 0;
	ext[0] = 0; ext[1] = 0; ext[2] = 0;
	if
	:: suspects && WHOLE ->
		/* The capture has counted their edges: none is missing */
		all = 1;
		i = LOWEST(members);
		at = MARK
	:: suspects && !WHOLE ->
		all = 1;
		missing_init();
		at = COUNT
	:: else -> at = REQUEUE
	fi
}

#define MEMBER(o)	((members & BIT(o)) != 0)
#define AFTER(o)	(members & ~(BIT((o) + 1) - 1))

#ifdef VALUES
#define CAPTURED_COUNT(o)	cap_count[o]
#define SAME(o)		(c[o].count == cap_count[o] && \
			 QUEUED(o) == cap_queued[o])
#else
/* If it was touched the mark will fail, whatever is missing. */
#define CAPTURED_COUNT(o)	(c[o].touched -> credit[o] : c[o].count)
#define SAME(o)		(!c[o].touched)
#endif
#define MISSING(o)	(MEMBER(o) -> CAPTURED_COUNT(o) - credit[o] : 0)

inline missing_init()
{
	missing[0] = MISSING(0);
	missing[1] = MISSING(1);
	missing[2] = MISSING(2);
	i = LOWEST(members)
}

/* An edge inside of a component. */
inline count_edge(s)
{
	T = c[i].slot[s];
	if
	:: T != NIL && MEMBER(T) -> missing[T]--
	:: else
	fi
}

inline next_member()
{
	i = (AFTER(i) -> LOWEST(AFTER(i)) : N)
}

/* And the other half of a member's slots. */
inline count_second()
{
	count_edge(1);
#ifdef NO_R8
	missing[0] = 0; missing[1] = 0; missing[2] = 0;
#endif
	next_member();
	if
	:: i == N ->
		i = LOWEST(members);
		at = MARK
	:: else -> at = COUNT
	fi
}

#define CHECKING(me)	(a[me].doing == CHECK || a[me].doing == ABORT)

inline mark()
{
	if
	:: !marked ->
		/* With a new generation */
		desc = PENDING;
		a[0].stale = CHECKING(0);
		a[1].stale = CHECKING(1)
	:: else
	fi;
	if
	:: missing[i] == 0 && SAME(i) && !c[i].dead && !c[i].suspect ->
		assert(c[i].mem == USED || freed_memory_is_written);
		c[i].suspect = 1;
		changed(i);
		marked = marked | BIT(i);
		next_member();
		at = (i == N -> COMMIT : MARK)
	:: else ->
		bad = 1;
		if
		:: marked -> at = REFUSE
		:: else -> decided()
		fi
	fi
}

/* Edges out of a condemned component, whose slots are frozen, or a saved one. */
inline credit_one(o, s)
{
	if
	:: MEMBER(o) && c[o].slot[s] != NIL && !MEMBER(c[o].slot[s]) ->
		credit[c[o].slot[s]]++
	:: else
	fi
}

inline commit()
{
	desc = COMMITTED;
	reach();
	/* Here they die */
	assert(!(R & members) || a_live_object_is_condemned);
	condemned = condemned | members;
	drained = drained & ~members;
	if
	:: left ->
		credit_one(0, 0); credit_one(0, 1);
		credit_one(1, 0); credit_one(1, 1);
		credit_one(2, 0); credit_one(2, 1)
	:: else
	fi;
#ifdef NO_R11
	desc = NONE;
#endif
#ifdef NO_R11C
	tell();
#endif
	i = LOWEST(members);
	at = KILL
}

#define FOUND(o)	(MEMBER(o) && c[o].weak)

#ifdef SAVE
/*
 * Nobody has touched them, and so nobody could reach them; from now on he can.
 * The marks go, and then a reference is taken on each.
 */
inline find()
{
	reach();
	was = was | ALL(LOST);
	assert(!(members & ~was) || a_live_object_is_saved);
	saving = 1;
	at = REFUSE
}

/*
 * The slots of what is saved may change from now on. But who changes an edge
 * changes the count or the version of what it refers to, which then fails.
 */
inline credit_half(s)
{
	assert(c[i].mem != FREE || freed_memory_is_read);
	credit_one(i, s)
}

inline credit_second()
{
	credit_half(1);
	next_member();
	at = CREDIT;
	if
	:: i == N ->
		i = LOWEST(members);
		at = SAVING
	:: else
	fi
}

#ifndef NO_S2
#define MAY_SAVE(o)	(c[o].count && !c[o].dead)
#else
#define MAY_SAVE(o)	true
#endif

inline save_one()
{
	assert(c[i].mem != FREE || freed_memory_is_read);
	if
	:: !SAVED(i) && MAY_SAVE(i) ->
		assert(c[i].count || a_dead_object_is_saved);
		saved = saved | BIT(i);
		ref_get(i)
	:: else
	fi;
	if
	:: drained & BIT(i) -> MOVE_LINKED(i, YOUNG)
	:: else
	fi;
	drained = drained & ~BIT(i);
	next_member();
	if
	:: i == N ->
		saving = 0;
		decided()
	:: else
	fi
}
#endif

inline tell()
{
	assert(!ALL(FOUND) || a_notice_comes_too_early);
	told = told | members
}

inline kill()
{
	assert((c[i].mem == USED && c[i].suspect) || freed_memory_is_written);
	c[i].queue = NONE;
	c[i].candidate = 0;
	c[i].old = 0;
	c[i].suspect = 0;
	c[i].dead = 1;
	changed(i);
#ifndef NO_R11B
	c[i].weak = 0;
#endif
	next_member();
	if
	:: i == N ->
#if !defined(NO_R11C) && !defined(NO_R11B)
		tell();
#endif
#ifdef NO_R7B
		i = 0;
		at = EARLY
#else
		decided()
#endif
	:: else
	fi
}

#ifdef NO_R7B
/* What the slots of the condemned hold is dropped before the next decision. */
inline early()
{
	drop_slots();
	if
	:: a[SCANNER].q == NIL -> decided()
	:: else
	fi
}
#endif

#ifdef SAVE
#define SAVES		saving
#else
#define SAVES		false
#endif
#ifndef NO_S3
#define CREDITS		left
#else
#define CREDITS		false
#endif

/* An AND takes a mark back. */
inline clear()
{
	i = LOWEST(marked);
	c[i].suspect = 0;
	changed(i);
	marked = marked & ~BIT(i);
	if
	:: !marked && !SAVES -> decided()
	:: !marked && SAVES ->
		desc = NONE;
		i = LOWEST(members);
		at = (CREDITS -> CREDIT : SAVING)
	:: else
	fi
}

#define REACHES(o)	((suspects & BIT(o)) -> BIT(o) | (EDGES(o) & suspects) : 0)
#define WIDEN(o)	to[o] | ((to[o] & 1) -> to[0] : 0) | \
			((to[o] & 2) -> to[1] : 0) | ((to[o] & 4) -> to[2] : 0)
#define BOTH(o, t)	((to[o] & BIT(t)) && (to[t] & BIT(o)) -> BIT(t) : 0)

/* What reaches what; it may see the slots at one instant, for it decides nothing. */
inline split()
{
	to[0] = REACHES(0);
	to[1] = REACHES(1);
	to[2] = REACHES(2);
	to[0] = WIDEN(0);
	to[1] = WIDEN(1);
	to[2] = WIDEN(2);
	left = suspects;
	all = 0;
	pick()
}

/* Whether another component that is left reaches o's. */
#define REFERRED(o, t)	((left & BIT(t)) && (to[t] & BIT(o)) && !(to[o] & BIT(t)))
#define REFERS(o, t)	((left & BIT(t)) && (to[o] & BIT(t)) && !(to[t] & BIT(o)))
#ifndef NO_R7
#define LATER(o, t)	REFERRED(o, t)
#else
#define LATER(o, t)	REFERS(o, t)
#endif
#define FIRST(o)	((left & BIT(o)) && !LATER(o, 0) && !LATER(o, 1) && \
			 !LATER(o, 2))

inline pick()
{
	i = (FIRST(0) -> 0 : (FIRST(1) -> 1 : 2));
	assert(FIRST(i));
	members = BOTH(i, 0) | BOTH(i, 1) | BOTH(i, 2);
	left = left & ~members;
	bad = 0;
	missing_init();
	if
	:: !left -> to[0] = 0; to[1] = 0; to[2] = 0
	:: else
	fi;
	at = COUNT
}

/* Its notes mean nothing any more, but for what goes back to the queue. */
inline give_up()
{
	members = 0;
	suspects = 0;
	left = 0;
	passed = 0;
	todo = 0;
	i = 0;
	len_ = 0;
	bad = 0;
	all = 0;
	order[0] = 0; order[1] = 0; order[2] = 0;
	ext[0] = 0; ext[1] = 0; ext[2] = 0;
	to[0] = 0; to[1] = 0; to[2] = 0;
	missing[0] = 0; missing[1] = 0; missing[2] = 0;
	credit[0] = 0; credit[1] = 0; credit[2] = 0;
	at = REQUEUE
}

/* One component is. If it was all of them, and failed, they are split. */
inline decided()
{
	desc = NONE;
	marked = 0;
	members = 0;
	missing[0] = 0; missing[1] = 0; missing[2] = 0;
	if
	:: left -> pick()
	:: !left && bad && all ->
		i = 0;
		at = SPLIT
	:: else -> give_up()
	fi
}

/* Where it looks whether it shall. */
#if defined(BOUND)
#define GIVE_UP		stop
#define GO_ON		!stop
#define LOOKED		past = (MANY(deferred) > BOUND)
#elif defined(NO_STOPS)
#define GIVE_UP		false
#define GO_ON		true
#define LOOKED		skip
#else
#define GIVE_UP		true
#define GO_ON		true
#define LOOKED		skip
#endif

#define SLOTS_OF(o)	((condemned & BIT(o)) && !EMPTY(o))

/*
 * The condemned are the scanner's alone. Drops what they refer to inside, up to
 * the first reference to something else.
 */
inline drop_slots()
{
	do
	:: a[SCANNER].q == NIL && (SLOTS_OF(0) || SLOTS_OF(1) || SLOTS_OF(2)) ->
		o = (SLOTS_OF(0) -> 0 : (SLOTS_OF(1) -> 1 : 2));
		i = (c[o].slot[0] == NIL);
		T = c[o].slot[i];
		c[o].slot[i] = NIL;
		if
		:: condemned & BIT(T) -> c[T].count--
		:: else ->
			a[SCANNER].q = T;
			a[SCANNER].doing = DROP
		fi
	:: else -> break
	od;
	o = 0;
	i = 0
}

/* Frees them when there is none. */
inline reclaim()
{
	drop_slots();
	if
	:: a[SCANNER].q == NIL ->
		do
		:: i < N ->
			if
			:: condemned & BIT(i) ->
				list = list & ~BIT(i);
#ifdef NO_R11B
				c[i].mem = FREE;
				c[i].dead = 0;
#else
				free_memory(i)
#endif
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		condemned = 0;
		/* What was garbage when this scan began, and still is, is gone */
		assert(!(garbage & ALL(IN_USE)) || garbage_is_left);
		garbage = 0;
		at = RESTING
	:: else -> at = RECLAIM
	fi
}

/*
 * The scanner has pointers to what it has condemned only; the number goes under
 * the deferred list's lock, and then that list is its own.
 */
inline scan_end()
{
	list = condemned;
#ifdef SAVE
	save = 0;
	was = 0;
#endif
#ifdef FREEZE
	skips = 0;
#endif
	scan = 0;
	stop = 0;
	past = 0;
	both = 0;
	i = 0;
	do
	:: i < N ->
		if
		:: deferred & BIT(i) -> free_memory(i)
		:: else
		fi;
		c[i].touched = 0;
#ifdef VALUES
		cap_count[i] = 0;
		cap_queued[i] = 0;
#endif
#ifndef NO_R16
		c[i].state = UNSEEN;
#endif
		i++
	:: else -> break
	od;
	deferred = 0;
	i = 0;
	reclaim()
}

#define IN_QUEUE(o)	(c[o].queue != NONE -> BIT(o) : 0)
#define SLOTS_TO(p, o)	(c[p].mem == USED -> (c[p].slot[0] == o) + \
			 (c[p].slot[1] == o) : 0)

#define REST		(a[0].doing == IDLE && a[1].doing == IDLE)

/* Nobody does anything. */
inline check_rest()
{
	i = 0;
	do
	:: i < N ->
		assert(c[i].mem != DEFERRED || memory_is_lost);
		assert(!c[i].suspect && !c[i].dead);
		assert((c[i].queue == YOUNG) == c[i].candidate ||
		       the_queue_is_wrong);
		assert((c[i].queue == OLDER) == c[i].old || the_queue_is_wrong);
		assert(c[i].count == hands[i] + SAVED(i) + SLOTS_TO(0, i) +
		       SLOTS_TO(1, i) + SLOTS_TO(2, i) || counts_are_wrong);
#ifndef NO_R11B
		assert(c[i].weak == (c[i].mem == USED));
#endif
#ifndef NO_R16
		assert(c[i].state == UNSEEN);
#endif
		i++
	:: else -> break
	od;
	i = 0;
	R = ALL(ROOT) | ALL(IN_QUEUE) | UNSEEN_BY_SCANS;
	spread();
	assert(!ALL(LOST) || garbage_is_lost)
}

inline requeue(which)
{
	T = LOWEST(drained);
	drained = drained & ~BIT(T);
#ifndef NO_R12
	if
	:: c[T].count && !c[T].dead && c[T].queue == NONE -> link(T, which)
	:: else -> MOVE_LINKED(T, which)
	fi
#else
	skip
#endif
}

/* Rule R6: the clock says that a version may have wrapped. */
#if defined(WRAPS) && !defined(NO_R6)
#define TOO_OLD		ticked
#else
#define TOO_OLD		false
#endif

#ifdef SAVE
#define TO_SAVE		save
#else
#define TO_SAVE		false
#endif
#ifndef NO_S1
#define UNTOUCHED	(desc == PENDING)
#else
#define UNTOUCHED	true
#endif

#if defined(NO_R2) || defined(NO_R13)
/* What comes too late without these rules. */
inline late_bits()
{
#ifdef NO_R2
	c[0].candidate = (c[0].queue == YOUNG);
	c[1].candidate = (c[1].queue == YOUNG);
	c[2].candidate = (c[2].queue == YOUNG);
#else
	scan = 1;
#endif
	if
	:: len_ -> at = PEEK
	:: else -> give_up()
	fi
}
#endif

#define DRAINED		(at == DRAIN && MAY_DRAIN && !ALL(MINE))
#if defined(NO_R2) || defined(NO_R13)
#define PEEKS		(at == PEEK)
#else
#define PEEKS		(at == PEEK || (DRAINED && i < len_))
#endif

inline peek()
{
	todo = 0;
	passed = 0;
	o = order[i];
#ifdef NO_R3
	/* The slots before the word */
	v1 = c[o].slot[1];
#endif
	v0 = c[o].slot[0];
	sees = (v0 == NIL -> 0 : BIT(v0)) | (v1 == NIL -> 0 : BIT(v1));
	at = SECOND
}

inline peek_second()
{
#ifdef NO_R3
	ext[o] = ext[o] + c[o].count - cap_count[o];
	cap_count[o] = c[o].count;
	cap_queued[o] = QUEUED(o);
	c[o].state = (c[o].count -> c[o].state : KEPT);
#else
	v1 = c[o].slot[1];
#endif
	followed()
}

#ifndef NO_R3
/* What one slot refers to is captured before the next one is read, or after. */
inline child_before_second()
{
	absorb(v0);
	if
	:: v0 != NIL -> follow(v0)
	:: else
	fi;
	sees = 0
}
#endif

inline child()
{
	if
	:: v0 != NIL -> follow(v0)
	:: else -> follow(v1)
	fi;
	followed()
}

#ifdef NO_R15
inline again_or_deduce()
{
	if
	:: again -> deduce()
	:: else ->
		again = 1;
		at = DRAIN
	fi
}
#endif

proctype scanner()
{
	mtype at = RESTING;
	byte i, o;
	byte v0 = NIL;
	byte v1 = NIL;
	byte order[N], ext[N], to[N], missing[N], credit[N];
#ifdef VALUES
	byte cap_count[N];
	bit cap_queued[N];
#endif
#ifdef GENERATIONS
	byte moved;
#endif
	byte len_, todo, passed, drained, suspects, members, left, marked;
	bit bad, all;
#ifdef SAVE
	bit saving;
#endif
#ifdef NO_R15
	bit again;
#endif

	do
#ifndef FOREVER
	:: d_step { at == RESTING && REST -> check_rest() }
#endif
#ifdef GENERATIONS
	:: d_step { at == RESTING && scans -> both = 0; begin() }
#endif
#if !defined(SAVE) || SCANS > 1
	:: d_step { at == RESTING && scans -> both = 1; begin() }
#endif
#ifdef SAVE
	:: d_step { at == RESTING && scans -> both = 1; save = 1; begin() }
#endif
	/* Candidates, each under the queue's lock; later ones it may miss */
	:: d_step { at == DRAIN && MAY_DRAIN && ALL(MINE) -> take() }
	:: d_step { at == DRAIN && (ALL(MINE) & ~todo) &&
		!(todo & BIT(LOWEST(ALL(MINE)))) ->
		passed = passed | BIT(LOWEST(ALL(MINE))) }
#if defined(NO_R2) || defined(NO_R13)
	:: d_step { DRAINED -> todo = 0; passed = 0; at = LATER_BITS }
	:: d_step { at == LATER_BITS -> late_bits() }
#else
	:: d_step { DRAINED && !len_ -> give_up() }
#endif
	:: d_step { PEEKS && GO_ON -> LOOKED; peek() }
	:: d_step { PEEKS && GIVE_UP -> garbage = 0; give_up() }
	:: d_step { at == SECOND -> peek_second() }
#ifndef NO_R3
	:: d_step { at == SECOND && v0 != NIL -> child_before_second() }
#endif
	:: d_step { at == CHILD -> child() }
#ifndef NO_R15
	:: d_step { at == DEDUCE -> deduce() }
#else
	:: d_step { at == DEDUCE -> again_or_deduce() }
	:: d_step { DRAINED && len_ && i >= len_ -> deduce() }
#endif
#ifdef GENERATIONS
	:: d_step { at == AGE && (drained & ~moved) -> age(YOUNG) }
	:: d_step { at == AGE && (drained & ~moved) -> age(OLDER) }
	:: d_step { at == AGE && !(drained & ~moved) -> moved = 0; at = DEDUCE }
#endif
	:: d_step { at == COUNT && GO_ON ->
		LOOKED; count_edge(0); at = COUNT_SECOND }
	:: d_step { at == COUNT && GIVE_UP -> garbage = 0; give_up() }
	:: d_step { at == COUNT_SECOND -> count_second() }
	:: d_step { at == MARK && GO_ON -> LOOKED; mark() }
	:: d_step { at == MARK && GIVE_UP && !marked ->
		garbage = 0; give_up() }
	:: d_step { at == MARK && GIVE_UP && marked ->
		garbage = 0; bad = 1; at = REFUSE }
#ifdef SAVE
	:: d_step { at == COMMIT && save && UNTOUCHED && !TOO_OLD -> find() }
	:: d_step { at == CREDIT -> credit_half(0); at = CREDIT_SECOND }
	:: d_step { at == CREDIT_SECOND -> credit_second() }
	:: d_step { at == SAVING && !LOCKED(i) -> save_one() }
#endif
	:: d_step { at == COMMIT && !TO_SAVE && desc == PENDING && !TOO_OLD ->
		commit() }
	:: d_step { at == COMMIT && (!(TO_SAVE && UNTOUCHED) &&
		    desc != PENDING || TOO_OLD) ->
		bad = 1;
#ifdef WRAPS
		garbage = (TOO_OLD -> 0 : garbage);
#endif
		at = REFUSE }
	:: d_step { at == KILL && !LOCKED(i) -> kill() }
#ifdef NO_R7B
	:: d_step { at == EARLY && a[SCANNER].doing == IDLE -> early() }
#endif
	:: d_step { at == REFUSE -> desc = ABORTED; at = CLEAR }
	:: d_step { at == CLEAR -> clear() }
	:: d_step { at == SPLIT -> split() }
	/* What was unqueued, is not known to be alive and is not condemned */
	:: d_step { at == REQUEUE && drained -> requeue(YOUNG) }
#ifdef GENERATIONS
	:: d_step { at == REQUEUE && drained -> requeue(OLDER) }
#endif
	:: d_step { at == REQUEUE && !drained -> scan_end() }
	:: d_step { at == RECLAIM && a[SCANNER].doing == IDLE -> reclaim() }
	PUTS(SCANNER)
	od
}

/* --- The beginning --------------------------------------------------------- */

inline MAKE(o, s0, s1, n)
{
	c[o].mem = USED;
	c[o].slot[0] = s0;
	c[o].slot[1] = s1;
	c[o].count = n;
	c[o].weak = 1
}

inline QUEUE(o)
{
	c[o].candidate = 1;
	c[o].queue = YOUNG
}

#ifdef FREEZE
inline UNQUEUE(o)
{
	c[o].candidate = 0;
	c[o].queue = NONE
}
#endif

#ifdef INIT
#define GRAPH(n)	:: INIT == n ->
#else
#define GRAPH(n)	:: true ->
#endif

init
{
	atomic {
		if
		GRAPH(0)	/* A ring of two, each of which has a handle */
			MAKE(0, 1, NIL, 2);
			MAKE(1, 0, NIL, 2);
			hands[0] = 1;
			hands[1] = 1
		GRAPH(1)	/* A ring of three, with a handle of a candidate */
			MAKE(0, 1, NIL, 2);
			MAKE(1, 2, NIL, 1);
			MAKE(2, 0, NIL, 1);
			QUEUE(0);
			hands[0] = 1
		GRAPH(2)	/* A garbage ring, and an object with two handles */
			MAKE(0, 1, NIL, 1);
			MAKE(1, 0, NIL, 1);
			QUEUE(0);
			MAKE(2, NIL, NIL, 2);
			hands[2] = 2
		GRAPH(3)	/* A ring with a handle, and a loop behind it */
			MAKE(0, 1, NIL, 2);
			MAKE(1, 0, 2, 1);
			MAKE(2, 2, NIL, 2);
			QUEUE(1);
			hands[0] = 1
		GRAPH(4)	/* Three garbage loops; one refers to another */
			MAKE(0, 0, 1, 1);
			MAKE(1, 1, NIL, 2);
			MAKE(2, 2, NIL, 1);
			QUEUE(0);
			QUEUE(1);
			QUEUE(2)
		GRAPH(5)	/* A chain of two, the head of which has a handle */
			MAKE(0, 1, NIL, 1);
			MAKE(1, NIL, NIL, 1);
			QUEUE(1);
			hands[0] = 1
		GRAPH(6)	/* A ring of two, with a handle of a candidate */
			MAKE(0, 1, NIL, 2);
			MAKE(1, 0, NIL, 1);
			QUEUE(0);
			hands[0] = 1
		fi;
#ifdef FREEZE
		/* Frozen or not, for so long that a scan has come or not */
		if
		:: true
		:: true -> frozen = ALL(IN_USE) & BIT(2)	/* the eldest */
		:: true -> frozen = ALL(IN_USE)
		:: true ->
			frozen = ALL(IN_USE);
			UNQUEUE(0); UNQUEUE(1); UNQUEUE(2)
		fi;
#endif
		run session(0);
#ifndef ONE_SESSION
		run session(1);
#endif
		run scanner()
	}
}

/*
 * What comes to pass in the end, where every thread goes on in the end (weak
 * fairness) and locks are handed on in turn. For two objects, whose sessions
 * never stop (FOREVER).
 */
#define SLOT_TO(p, o)	(c[p].slot[0] == o || c[p].slot[1] == o)
#define KEPT_BY(me, o)	(a[me].x == o || a[me].y == o || \
			 (a[me].q == o && a[me].doing == DROP))
#define HELD(o)		(hands[o] || KEPT_BY(0, o) || KEPT_BY(1, o) || \
			 KEPT_BY(2, o))
#define LIVE(o, p)	(HELD(o) || (HELD(p) && SLOT_TO(p, o)))
#define GARBAGE(o, p)	(c[o].mem == USED && c[o].count && !LIVE(o, p))

#if defined(SCANS_END)
ltl scans_end { [] (scan -> <> !scan) }
#elif defined(CALLS_END)
ltl calls_end { [] (a[0].doing != IDLE -> <> (a[0].doing == IDLE)) }
#elif defined(GARBAGE_GOES)
ltl garbage_goes { [] (GARBAGE(0, 1) -> <> !GARBAGE(0, 1)) }
#endif
