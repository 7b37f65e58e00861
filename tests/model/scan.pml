/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the cycle scanner and of the sessions that run beside it.
 *
 * Objects with two slots each, two sessions whose calls run one step at a time, a
 * scan that comes when it likes and a last one when the sessions are through,
 * memory that is used again at once. A step is what the code does between two
 * looks at memory that others write; what is one step here happens in the code
 * under a lock that all take who could see the middle of it, or is private.
 *
 *   here            in module/                       rules
 *   --------------  -------------------------------  --------------------
 *   REF_GET         rs_ref_get()                     R4
 *   put_all         rs_reap_drop(), rs_reap_bury(),  R1, R3, R9, R13, R14
 *                   rs_slots_pop(), rs_reap_free()
 *   CANDIDATE_ADD   rs_candidate_add()               R1
 *   session, store  rs_slots_read(), rs_slot_set(),  R3, R5, R18
 *                   rs_object_expose(), rs_cmd_*()
 *   upgrade         rs_object_tryget()               R10, R11
 *   drain           rs_drain(), rs_candidate_take()  R2, R15, R18
 *   follow          rs_trace(), rs_slots_peek()      R3, R15, R16
 *   deduce          rs_deduce()                      a filter, see R8
 *   components      rs_tarjan_run()                  R7
 *   condemn         rs_component_condemn()           R4, R6, R8, R10, R11
 *   requeue         rs_scan_sort()                   R12
 *   reclaim         rs_scan_reclaim()                R7
 *   scan_end        rs_reap_deferred()               R13, R14
 *
 * What must hold:
 *
 *   - nothing that somebody can reach is condemned, at the commit;
 *   - nothing that was freed is touched, and no memory that the scanner has a
 *     pointer to is freed;
 *   - an upgrade reports only what nobody can reach as dead;
 *   - what is garbage when a scan starts, and nobody touches, that scan frees,
 *     unless it gives up (R17: it may, wherever nothing is in hand);
 *   - after the last scan counts are exact, whatever nobody can reach is free,
 *     and the queue is what the words say.
 *
 * A rule is left out with -DNO_Rn; then one of these must fail.
 */

#ifndef OPS0
#define OPS0	1	/* operations of one session */
#endif
#ifndef OPS1
#define OPS1	1	/* and of the other one */
#endif
#ifndef VERSIONS
#define VERSIONS 16	/* where a version wraps */
#endif
#ifndef INIT
#define INIT	0	/* the graph in the beginning */
#endif

#define N	3	/* objects */
#define NIL	N
#define BIT(o)	(1 << (o))
#define SCANNER	2	/* the third one who puts */

mtype = { FREE, USED, DEFERRED };	/* memory */
mtype = { OLD, CAPTURED, KEPT, BORN };	/* what the running scan knows */
mtype = { NONE, PENDING, COMMITTED, ABORTED };	/* descriptor */

typedef object {
	mtype mem = FREE;
	byte count;		/* the word: to dead */
	byte version;
	bit candidate;
	bit suspect;
	bit dead;
	byte slot[2] = NIL;
	bit table;
	bit queue;
	mtype state = OLD;	/* epoch */
	byte epoch;
};

object c[N];
bit h[2 * N];			/* handles: session * N + object */
byte held[2] = NIL;		/* a reference of an operation in flight */
byte put[3] = NIL;		/* a reference that is being dropped */
byte dying[3];			/* objects whose slots are being dropped */
bit ended[2];
byte table_lock = NIL;		/* who holds it: an upgrade */

byte scan;			/* number of the running scan, or 0 */
mtype desc = NONE;
byte generation;
byte deferred;			/* memory that waits for the scan's end */
#if VERSIONS < 16
byte ticks;			/* increments since the scan began */
#endif

/* What is known from outside of the model's world. */
byte list;			/* what the scanner has captured */
byte looks = NIL;		/* where it is about to look */
byte garbage;			/* when it began, and not touched since */
hidden byte R;			/* what somebody can reach */
hidden byte g;

#define ROOT(o)	(h[o] || h[N + (o)] || held[0] == o || held[1] == o || \
		 put[0] == o || put[1] == o || put[2] == o)
#define TO(o, s) (c[o].slot[s] == NIL -> 0 : BIT(c[o].slot[s]))
#define NEXT(o)	((R & BIT(o)) -> TO(o, 0) | TO(o, 1) : 0)

/* R: what somebody can reach; twice around is enough for three objects. */
inline reach()
{
	R = (ROOT(0) -> 1 : 0) | (ROOT(1) -> 2 : 0) | (ROOT(2) -> 4 : 0);
	R = R | NEXT(0) | NEXT(1) | NEXT(2);
	R = R | NEXT(0) | NEXT(1) | NEXT(2)
}

/* --- Counting ------------------------------------------------------------ */

#define UP(version)	((version + 1) % VERSIONS)

/* All of these are parts of steps. A version says nothing without a scan. */
inline REF_GET(o)
{
	assert(c[o].mem == USED);
	c[o].count++;
#ifndef NO_R4
	c[o].version = (scan -> UP(c[o].version) : 0);
#endif
#if VERSIONS < 16
	ticks++;
#endif
	garbage = garbage & ~BIT(o)
}

inline CANDIDATE_ADD(o)
{
	if
	:: c[o].count && !c[o].dead && !c[o].candidate ->
		assert(c[o].mem == USED);
		c[o].candidate = 1;
		c[o].queue = 1
	:: else
	fi
}

inline FREE_MEMORY(o)
{
	assert(c[o].mem != FREE && c[o].count == 0);
	assert(looks != o && !(list & BIT(o)) && !c[o].queue);
	c[o].mem = FREE;
	garbage = garbage & ~BIT(o);
	c[o].version = 0;
	c[o].candidate = 0;
	c[o].dead = 0;
#ifndef NO_R16
	c[o].state = OLD;
	c[o].epoch = 0
#endif
}

#define BORN_NOW(o)	(c[o].state == BORN && c[o].epoch == scan)
#define LAST(o)		((dy & BIT(o)) && !(dy & (BIT(o) - 1)))
#define EMPTY(o)	(c[o].slot[0] == NIL && c[o].slot[1] == NIL)

inline DROP(me)
{
	assert(c[q].mem == USED && c[q].count);
	c[q].count--;
	p = q;
	q = NIL;
	put[me] = NIL;
	if
	:: c[p].count == 0 ->
		dy = dy | BIT(p);
		dying[me] = dy
	:: else
	fi
}

/* Drops the reference q, and what dies of it. */
inline put_all(me)
{
	do
	:: q != NIL ->
	   if
#ifndef NO_R1
	   :: d_step {
		c[q].count > 1 && !c[q].candidate ->
		CANDIDATE_ADD(q)
	      }
	   :: d_step {
		!(c[q].count > 1 && !c[q].candidate) ->
		DROP(me)
	      };
#else
	   :: d_step { DROP(me) };
	      if
	      :: (dy & BIT(p))
	      :: !(dy & BIT(p)) -> d_step {
			assert(c[p].mem == USED);
			CANDIDATE_ADD(p)
		 }
	      fi;
#endif
	      if
	      :: dy & BIT(p) -> d_step {
			table_lock == NIL ->
#ifndef NO_R9
			c[p].candidate = 0;
			c[p].queue = 0;
#endif
			c[p].table = 0;
			p = 0
		 }
	      :: !(dy & BIT(p)) -> p = 0
	      fi
	   fi
	:: q == NIL && dy ->
		p = (LAST(0) -> 0 : (LAST(1) -> 1 : 2));
		if
		:: !EMPTY(p) -> d_step {
			/* The slot before the put (R3) */
			if
			:: c[p].slot[1] != NIL ->
				q = c[p].slot[1];
				c[p].slot[1] = NIL
			:: else ->
				q = c[p].slot[0];
				c[p].slot[0] = NIL
			fi;
			put[me] = q
		   }
		:: EMPTY(p) && (!scan || BORN_NOW(p)) -> d_step {
			FREE_MEMORY(p);
			dy = dy & ~BIT(p);
			dying[me] = dy
		   }
		:: EMPTY(p) && scan && !BORN_NOW(p) ->
			/* Under the list's lock it looks again */
			d_step {
#ifndef NO_R14
				if
				:: scan ->
					c[p].mem = DEFERRED;
					deferred = deferred | BIT(p)
				:: else -> FREE_MEMORY(p)
				fi;
#else
				c[p].mem = DEFERRED;
				deferred = deferred | BIT(p);
#endif
				dy = dy & ~BIT(p);
				dying[me] = dy
			}
		fi;
		p = 0
	:: q == NIL && !dy -> break
	od
}

/* --- Sessions --------------------------------------------------------------- */

#define HOLDS(o)	h[me * N + (o)]

/* A slot into a handle, under the owner's slot lock. */
#define GET(o, s)							\
	:: d_step {							\
		HOLDS(o) && c[o].slot[s] != NIL &&			\
		!HOLDS(c[o].slot[s]) ->					\
		x = c[o].slot[s];					\
		REF_GET(x);						\
		HOLDS(x) = 1;						\
		x = 0							\
	   }


/* Which slot shall refer to what: the target is counted before it is stored. */
#define SET(o, s)							\
	:: d_step { HOLDS(o) && c[o].slot[s] != NIL ->			\
		x = o; k = s; y = NIL; storing = 1 }			\
	SET_TO(o, s, 0)							\
	SET_TO(o, s, 1)							\
	SET_TO(o, s, 2)

#define SET_TO(o, s, t)							\
	:: d_step { HOLDS(o) && HOLDS(t) && c[o].slot[s] != t ->	\
		REF_GET(t); held[me] = t;				\
		x = o; k = s; y = t; storing = 1 }

#define RELEASE(o)							\
	:: d_step { HOLDS(o) ->						\
		HOLDS(o) = 0; q = o; put[me] = o }

#define CREATE(o)							\
	:: d_step {							\
		c[o].mem == FREE &&					\
		(o == 0 || c[0].mem != FREE) &&				\
		(o != 2 || c[1].mem != FREE) ->				\
		c[o].mem = USED;					\
		c[o].count = 1;						\
		BIRTH(o);						\
		c[o].table = 1;						\
		HOLDS(o) = 1						\
	   }

#ifndef NO_R16
#define BIRTH(o)	c[o].epoch = scan; c[o].state = (scan -> BORN : OLD)
#else
#define BIRTH(o)	skip
#endif

/* A weak upgrade, or a walk: an object found in the table, whose lock is held. */
#define UPGRADE(o)							\
	:: d_step { c[o].table && !HOLDS(o) && table_lock == NIL ->	\
		table_lock = me; x = o; upgrading = 1 }

inline upgrade()
{
	do
	:: upgrading -> d_step {
		assert(c[x].mem == USED);
		wc = c[x].count;
		wv = c[x].version;
		ws = c[x].suspect;
		if
		:: wc == 0 || c[x].dead ->
			reach();
			assert(!(R & BIT(x)));
			upgrading = 0
		:: else
		fi
	   };
#ifndef NO_R10
	   if
	   :: upgrading && ws ->
		/* The descriptor; then the word once more */
		d_step { d = desc; dg = generation };
		d_step {
			if
			:: c[x].count != wc || c[x].version != wv ||
			   c[x].suspect != ws || c[x].dead ->
				d = NONE;
				wc = 0
			:: else ->
				if
				:: d == COMMITTED ->
					reach();
					assert(!(R & BIT(x)));
					upgrading = 0
				:: else
				fi
			fi
		};
		if
		:: d == PENDING -> d_step {
			if
			:: desc == PENDING && generation == dg ->
				desc = ABORTED;
				/* That is touching, too */
				held[me] = x;
				reach();
				held[me] = NIL;
				garbage = garbage & ~R
			:: else
			fi;
			wc = 0
		   }
		:: d != PENDING
		fi
	   :: !upgrading || !ws
	   fi;
#endif
	   d_step {
		if
		:: upgrading && wc && c[x].count == wc &&
		   c[x].version == wv && c[x].suspect == ws && !c[x].dead ->
			REF_GET(x);
			HOLDS(x) = 1;
			/* It, and what it refers to, is not garbage now */
			reach();
			garbage = garbage & ~R;
			upgrading = 0
		:: else
		fi
	   }
	:: !upgrading -> break
	od;
	x = 0;
	d_step {
		table_lock = NIL;
		wc = 0;
		wv = 0;
		ws = 0;
		d = NONE;
		dg = 0
	}
}

/* An object loses its privilege, is stored, and what it replaces is dropped. */
inline store()
{
#ifndef NO_R18
	if
	:: d_step {
		y != NIL && c[y].state == BORN ->
		c[y].state = OLD;
		c[y].epoch = 0
	   }
	:: y == NIL || c[y].state != BORN
	fi;
#endif
	d_step {
		assert(c[x].mem == USED);
		q = c[x].slot[k];
		put[me] = q;
		c[x].slot[k] = y;
		held[me] = NIL;
		x = 0;
		y = 0;
		k = 0;
		storing = 0
	}
}

proctype session(byte me)
{
	byte n, x, y, k, p, dy, wc, wv, dg;
	byte q = NIL;
	bit ws, storing, upgrading;
	mtype d = NONE;

	do
	:: n < (me -> OPS1 : OPS0) ->
		n++;
		if
		GET(0, 0) GET(0, 1) GET(1, 0) GET(1, 1) GET(2, 0) GET(2, 1)
		SET(0, 0) SET(0, 1) SET(1, 0) SET(1, 1) SET(2, 0) SET(2, 1)
		RELEASE(0) RELEASE(1) RELEASE(2)
		CREATE(0) CREATE(1) CREATE(2)
#ifndef NO_UPGRADES
		UPGRADE(0) UPGRADE(1) UPGRADE(2)
#endif
		:: n = (me -> OPS1 : OPS0)
		fi;
		if
		:: storing -> store()
		:: upgrading -> upgrade()
		:: else
		fi;
		put_all(me)
	:: n == (me -> OPS1 : OPS0) -> break
	od;
	n = 0;
	/* It is closed, with all that it holds, or stays as it is */
	if
	:: true
	:: do
	   :: n < N ->
		d_step {
			if
			:: HOLDS(n) -> HOLDS(n) = 0; q = n; put[me] = n
			:: else
			fi;
			n++
		};
		put_all(me)
	   :: n == N -> break
	   od
	fi;
	n = 0;
	ended[me] = 1
}

#ifdef NO_R5
/*
 * Holds x, which refers to y, and makes of that: holds y, which refers to x. No
 * count changes.
 */
inline MOVE(x, y)
{
	d_step { h[x] && c[x].slot[0] == y -> c[x].slot[0] = NIL; h[y] = 1 };
	d_step { c[y].slot[0] = x; h[x] = 0 }
}

proctype mover()
{
	do
	:: h[0] -> MOVE(0, 1); skip
	:: h[1] -> MOVE(1, 0); skip
	:: ended[0] = 1; break
	od
}
#endif

/* --- The scanner ---------------------------------------------------------- */

inline CAPTURE(o, e)
{
	list = list | BIT(o);
	c[o].epoch = number;
	c[o].state = CAPTURED;
	edges[o] = e;
	cap_count[o] = c[o].count;
	cap_version[o] = c[o].version;
	order[len_] = o;
	len_++
}

#define IN(o)		(list & BIT(o))

/* Candidates, each under the queue's lock. */
inline drain()
{
	do
	:: i < N -> d_step {
		if
#ifdef NO_R15
		:: list -> skip		/* one, and the others later */
		:: !list &&
#else
		::
#endif
		   c[i].queue && !BORN_NOW(i) && c[i].count && !c[i].dead ->
			assert(c[i].mem == USED);
			c[i].queue = 0;
			cap_candidate[i] = 0;
			drained[i] = 1;
#ifndef NO_R2
			c[i].candidate = 0;
#endif
			CAPTURE(i, 0)
		:: else
		fi;
		i++
	   }
	:: i == N -> break
	od;
#ifdef NO_R2
	/* The bits go after the captures */
	i = 0;
	do
	:: i < N -> d_step {
		if
		:: list & BIT(i) -> c[i].candidate = 0
		:: else
		fi;
		i++
	   }
	:: i == N -> break
	od;
#endif
	i = 0
}

#ifdef NO_R15
/* What has been met on the way by now is only taken from the queue. */
inline drain_rest()
{
	do
	:: i < N -> d_step {
		if
		:: c[i].queue && IN(i) -> c[i].queue = 0; c[i].candidate = 0
		:: c[i].queue && !IN(i) && !BORN_NOW(i) && c[i].count &&
		   !c[i].dead ->
			c[i].queue = 0;
			c[i].candidate = 0;
			cap_candidate[i] = 0;
			drained[i] = 1;
			CAPTURE(i, 0)
		:: else
		fi;
		i++
	   }
	:: i == N -> break
	od;
	i = 0
}
#endif

/* What a slot of o refers to: the word before the slots, which come later. */
inline follow_one(o, v)
{
	assert(c[v].mem != FREE);
	if
	:: c[v].epoch == number && c[v].state != OLD -> edges[v]++
	:: else ->
		if
		:: c[v].count == 0 || c[v].dead -> c[o].state = KEPT
		:: else ->
			cap_candidate[v] = c[v].candidate;
			drained[v] = 0;
			CAPTURE(v, 1)
		fi
	fi;
	v = NIL
}

inline NEXT_ONE()
{
	looks = NIL;
	o = 0;
	i++
}

inline follow()
{
	do
	:: i < len_ -> d_step {
		o = order[i];
#ifdef NO_R3
		/* The slots before the word */
		v1 = c[o].slot[1];
#endif
		v0 = c[o].slot[0];
		looks = v0
	   };
	   d_step {
#ifndef NO_R3
		v1 = c[o].slot[1]
#else
		cap_count[o] = c[o].count;
		cap_version[o] = c[o].version;
		cap_candidate[o] = c[o].candidate
#endif
	   };
	   if
	   :: v0 != NIL -> d_step { follow_one(o, v0); looks = v1 }
	   :: v0 == NIL -> d_step { looks = v1 }
	   fi;
	   if
	   :: v1 != NIL -> d_step { follow_one(o, v1); NEXT_ONE() }
	   :: v1 == NIL -> d_step { NEXT_ONE() }
	   fi
	:: i >= len_ -> break
	od;
	i = 0;
	d_step { v0 = 0; v1 = 0 }
}

#define EXTERNAL(o)	(cap_count[o] != edges[o] || c[o].state == KEPT)
#define LIVE_TO(o)	(IN(o) && !(suspects & BIT(o)) -> TO(o, 0) | TO(o, 1) : 0)

/* A filter, so that it may as well see all slots at one instant. */
inline deduce()
{
	d_step {
		suspects = (IN(0) && !EXTERNAL(0) -> 1 : 0) |
			   (IN(1) && !EXTERNAL(1) -> 2 : 0) |
			   (IN(2) && !EXTERNAL(2) -> 4 : 0);
		suspects = suspects & ~(LIVE_TO(0) | LIVE_TO(1) | LIVE_TO(2));
		suspects = suspects & ~(LIVE_TO(0) | LIVE_TO(1) | LIVE_TO(2))
	}
}

#define MEMBER(o)	((members & BIT(o)) != 0)

/* The edges inside of a component: each member's slots are read once. */
inline count_edges()
{
	do
	:: i < N && MEMBER(i) ->
		d_step { v0 = c[i].slot[0] };
		d_step {
			v1 = c[i].slot[1];
			if
			:: v0 != NIL && MEMBER(v0) -> missing[v0]--
			:: else
			fi;
			if
			:: v1 != NIL && MEMBER(v1) -> missing[v1]--
			:: else
			fi;
			i++
		}
	:: i < N && !MEMBER(i) -> i++
	:: i == N -> break
	od;
	i = 0;
	d_step { v0 = 0; v1 = 0 }
}

inline MARK(o)
{
	if
	:: missing[o] == 0 &&
	   c[o].count == cap_count[o] && c[o].version == cap_version[o] &&
	   c[o].candidate == cap_candidate[o] && !c[o].dead && !c[o].suspect ->
		assert(c[o].mem == USED);
		c[o].suspect = 1;
#ifndef NO_R4
		c[o].version = UP(c[o].version);
		cap_version[o] = c[o].version
#endif
	:: else -> good = 0
	fi
}

/* Under the table's lock, so that an upgrade sees it all, or nothing. */
inline KILL(o)
{
	if
	:: MEMBER(o) ->
		assert(c[o].mem == USED && c[o].suspect);
		c[o].candidate = 0;
		c[o].queue = 0;
		c[o].suspect = 0;
		c[o].dead = 1;
		c[o].table = 0
	:: else
	fi
}

/* Edges out of a condemned component, whose slots are frozen. */
inline CREDIT(o, s)
{
	if
	:: MEMBER(o) && c[o].slot[s] != NIL && !MEMBER(c[o].slot[s]) ->
		credit[c[o].slot[s]]++
	:: else
	fi
}

/*
 * Condemns members; good says whether it could. Where they are all that was
 * captured, the capture has counted the edges inside.
 */
inline condemn(whole)
{
	d_step {
		good = 1;
		missing[0] = cap_count[0] - credit[0];
		missing[1] = cap_count[1] - credit[1];
		missing[2] = cap_count[2] - credit[2]
	};
#ifndef NO_R8
	if
	:: whole -> d_step {
		missing[0] = MEMBER(0) * (cap_count[0] - edges[0]);
		missing[1] = MEMBER(1) * (cap_count[1] - edges[1]);
		missing[2] = MEMBER(2) * (cap_count[2] - edges[2])
	   }
	:: !(whole) -> count_edges()
	fi;
#else
	d_step { missing[0] = 0; missing[1] = 0; missing[2] = 0 };
#endif
	d_step { desc = PENDING; generation = (generation + 1) % 4 };
	do
	:: good && i < N && MEMBER(i) -> d_step { MARK(i); i++ }
	:: good && i < N && !MEMBER(i) -> i++
	:: !good || i == N -> break
	od;
	i = 0;
#if VERSIONS < 16 && !defined(NO_R6)
	d_step {
		if
		:: ticks >= VERSIONS -> good = 0; stopped = 1
		:: else
		fi
	};
#endif
	if
	:: d_step {
		good && desc == PENDING ->
		desc = COMMITTED;
		reach();
		/* Here they die */
		assert(!(R & members))
	   };
	   d_step {
		CREDIT(0, 0); CREDIT(0, 1);
		CREDIT(1, 0); CREDIT(1, 1);
		CREDIT(2, 0); CREDIT(2, 1)
	   };
#ifdef NO_R11
	   desc = NONE;
#endif
	   d_step { table_lock == NIL -> KILL(0); KILL(1); KILL(2) };
	   d_step { desc = NONE; condemned = condemned | members }
	:: d_step { !good || desc != PENDING -> good = 0; desc = ABORTED };
	   d_step {
		if
		:: MEMBER(0) -> c[0].suspect = 0
		:: else
		fi;
		if
		:: MEMBER(1) -> c[1].suspect = 0
		:: else
		fi;
		if
		:: MEMBER(2) -> c[2].suspect = 0
		:: else
		fi
	   };
	   desc = NONE
	fi
}

#define AMONG(o)	((suspects & BIT(o)) != 0)
#define REACHES(o)	(AMONG(o) -> BIT(o) | ((TO(o, 0) | TO(o, 1)) & suspects) : 0)
#define WIDEN(o)	to[o] | ((to[o] & 1) -> to[0] : 0) | \
			((to[o] & 2) -> to[1] : 0) | ((to[o] & 4) -> to[2] : 0)
#define BOTH(o, t)	((to[o] & BIT(t)) && (to[t] & BIT(o)) -> BIT(t) : 0)

/* What reaches what; it may see the slots at one instant, for it decides nothing. */
inline components()
{
	d_step {
		to[0] = REACHES(0);
		to[1] = REACHES(1);
		to[2] = REACHES(2);
		to[0] = WIDEN(0);
		to[1] = WIDEN(1);
		to[2] = WIDEN(2);
		left = suspects
	}
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

inline decide()
{
	d_step {
		credit[0] = 0;
		credit[1] = 0;
		credit[2] = 0;
		members = suspects
	};
	condemn(members == list);
	if
	:: good
	:: !good ->
		components();
		do
		:: left ->
			d_step {
				i = (FIRST(0) -> 0 : (FIRST(1) -> 1 : 2));
				assert(FIRST(i));
				members = BOTH(i, 0) | BOTH(i, 1) | BOTH(i, 2);
				left = left & ~members;
				i = 0
			};
			condemn(0)
		:: !left -> break
		od
	fi;
	members = 0;
	d_step {
		good = 0;
		to[0] = 0;
		to[1] = 0;
		to[2] = 0;
		missing[0] = 0;
		missing[1] = 0;
		missing[2] = 0;
		credit[0] = 0;
		credit[1] = 0;
		credit[2] = 0
	}
}

/*
 * What was taken from the queue, is not known to be alive and is not condemned
 * goes back.
 */
inline requeue()
{
	do
	:: i < N -> d_step {
		if
		:: ((stopped -> list : suspects) & ~condemned & BIT(i)) &&
		   drained[i] ->
#ifndef NO_R12
			CANDIDATE_ADD(i)
#else
			skip
#endif
		:: else
		fi;
		i++
	   }
	:: i == N -> break
	od;
	i = 0
}

inline reclaim()
{
	do
	:: i < 2 * N -> d_step {
		o = i / 2;
		if
		:: (condemned & BIT(o)) && c[o].slot[i % 2] != NIL ->
			v0 = c[o].slot[i % 2];
			c[o].slot[i % 2] = NIL;
			if
			:: condemned & BIT(v0) -> c[v0].count--
			:: else -> q = v0; put[SCANNER] = v0
			fi;
			v0 = 0
		:: else
		fi;
		o = 0;
		i++
	   };
	   put_all(SCANNER)
	:: i == 2 * N -> break
	od;
	i = 0;
	d_step {
		do
		:: i < N ->
			if
			:: condemned & BIT(i) ->
				list = list & ~BIT(i);
				FREE_MEMORY(i)
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

/*
 * The scanner has pointers to what it has condemned only; the number goes under
 * the deferred list's lock, and then that list is its own.
 */
inline scan_end()
{
	list = condemned;
	d_step {
		scan = 0;
		o = deferred;
		deferred = 0;
		i = 0;
		do
		:: i < N ->
			c[i].version = 0;
#ifndef NO_R16
			c[i].epoch = 0;
			c[i].state = OLD;
#endif
			i++
		:: else -> break
		od;
		i = 0
	};
	d_step {
		do
		:: i < N ->
			if
			:: o & BIT(i) -> FREE_MEMORY(i)
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		o = 0
	}
}

/* Its notes mean nothing any more. */
inline forget()
{
	d_step {
		suspects = 0;
		condemned = 0;
		len_ = 0;
		i = 0;
		do
		:: i < N ->
			order[i] = 0;
			edges[i] = 0;
			cap_count[i] = 0;
			cap_version[i] = 0;
			cap_candidate[i] = 0;
			drained[i] = 0;
			i++
		:: else -> break
		od;
		i = 0;
		/* What was garbage when this scan began, and still is, is gone */
		assert(stopped || !(garbage & (
			(c[0].mem == USED -> 1 : 0) |
			(c[1].mem == USED -> 2 : 0) |
			(c[2].mem == USED -> 4 : 0))));
		garbage = 0;
		stopped = 0
	}
}

#define UNREACHED(o)	(c[o].mem == USED && c[o].count && !(R & BIT(o)) -> \
			 BIT(o) : 0)

inline begin()
{
	d_step {
		reach();
		/* But for what the dying still refer to: their putters come */
		garbage = (dying[0] | dying[1] -> 0 :
			   UNREACHED(0) | UNREACHED(1) | UNREACHED(2));
#if VERSIONS < 16
		ticks = 0;
#endif
#ifndef NO_R13
		scan = number
#endif
	}
}

inline one_scan()
{
#ifndef NO_R16
	number++;
#else
	number = 1;
#endif
	begin();
	drain();
#ifdef NO_R13
	/* The number comes after the first looks */
	scan = number;
#endif
	follow();
#ifdef NO_R15
	drain_rest();
	follow();
#endif
	if
	:: true
	:: !last -> stopped = 1		/* R17 */
	fi;
	if
	:: !stopped ->
		deduce();
		if
		:: suspects -> decide()
		:: !suspects
		fi
	:: stopped
	fi;
	requeue();
	scan_end();
	reclaim();
	forget()
}

#define HELD(o)		(h[o] + h[N + (o)])
#define EDGES(p, o)	(c[p].mem == USED -> (c[p].slot[0] == o) + \
			 (c[p].slot[1] == o) : 0)

inline check_end()
{
	d_step {
		reach();
		i = 0;
		do
		:: i < N ->
			assert(!c[i].suspect && c[i].mem != DEFERRED);
			assert(c[i].queue == c[i].candidate);
			assert(c[i].mem == FREE ||
			       ((R & BIT(i)) && !c[i].dead && c[i].table));
			assert(c[i].count == HELD(i) + EDGES(0, i) +
			       EDGES(1, i) + EDGES(2, i));
			i++
		:: else -> break
		od
	}
}

proctype scanner()
{
	byte i, o, v0, v1, p, dy, number;
	byte q = NIL;
	byte order[N], edges[N], to[N], missing[N], credit[N];
	byte cap_count[N], cap_version[N];
	bit cap_candidate[N], drained[N];
	byte len_, suspects, members, left, condemned;
	bit good, stopped, last;

	if
	:: true -> one_scan()
	:: true
	fi;
	(ended[0] && ended[1]);
	/* Without a scan nothing waits for the end of one */
	assert(!deferred);
	last = 1;
	one_scan();
	check_end()
}

/* --- The beginning --------------------------------------------------------- */

inline MAKE(o, a, b, n)
{
	c[o].mem = USED;
	c[o].slot[0] = a;
	c[o].slot[1] = b;
	c[o].count = n;
	c[o].table = 1
}

inline QUEUE(o)
{
	c[o].candidate = 1;
	c[o].queue = 1
}

init
{
	atomic {
#if INIT == 0
		/* A ring of two, of which each session holds one */
		MAKE(0, 1, NIL, 2);
		MAKE(1, 0, NIL, 2);
		h[0] = 1;
		h[N + 1] = 1;
#elif INIT == 1
		/* A ring of three, of which one session holds a candidate */
		MAKE(0, 1, NIL, 2);
		MAKE(1, 2, NIL, 1);
		MAKE(2, 0, NIL, 1);
		QUEUE(0);
		h[0] = 1;
#elif INIT == 2
		/* A ring that is garbage, and an object that both hold */
		MAKE(0, 1, NIL, 1);
		MAKE(1, 0, NIL, 1);
		QUEUE(0);
		MAKE(2, NIL, NIL, 2);
		h[2] = 1;
		h[N + 2] = 1;
#elif INIT == 3
		/* A ring that one session holds, and a loop behind it */
		MAKE(0, 1, NIL, 2);
		MAKE(1, 0, 2, 1);
		MAKE(2, 2, NIL, 2);
		QUEUE(1);
		h[0] = 1;
#elif INIT == 4
		/* Three loops that are garbage; one refers to another */
		MAKE(0, 0, 1, 1);
		MAKE(1, 1, NIL, 2);
		MAKE(2, 2, NIL, 1);
		QUEUE(0);
		QUEUE(1);
		QUEUE(2);
#elif INIT == 6
		/* A ring of two, of which one session holds a candidate */
		MAKE(0, 1, NIL, 2);
		MAKE(1, 0, NIL, 1);
		QUEUE(0);
		h[0] = 1;
#elif INIT == 5
		/* A chain of two, the head of which one session holds */
		MAKE(0, 1, NIL, 1);
		MAKE(1, NIL, NIL, 1);
		QUEUE(1);
		h[0] = 1;
#endif
#ifdef NO_R5
		run mover();
#else
		run session(0);
#endif
		run session(1);
		run scanner()
	}
}
