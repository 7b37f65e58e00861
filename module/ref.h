/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The word: an object's count, state and version in one 64-bit atomic.
 *
 *   63          31 30    29    28      27     26       25 24         0
 *  +--------------+-----+----+-------+------+-------+-----+-----------+
 *  |    version   | OLD |WEAK|TRACKED| DEAD |SUSPECT|CANDI|   count   |
 *  +--------------+-----+----+-------+------+-------+-----+-----------+
 *
 * Invariant I1: every change to the count is one read-modify-write of the whole
 * word, and every increment moves the version on in the same one. So a word
 * that is equal to one read before says that in between nobody took a
 * reference, and that as many are left as there were. That is all that the
 * scanner's compare-and-swap asks (rules R3, R4).
 *
 * A version of 33 bits wraps after at least 34 seconds of back to back
 * increments (4 ns each); a scan older than RS_SCAN_MAX_NS does not commit
 * (rule R6).
 *
 *   count:  0 ......... 1 ............. 2^24 ............ 2^25 - 1
 *           dead or     alive           RS_REF_MAX:       RS_REF_SATURATED:
 *           dying                       get refuses       never freed
 *
 * One change is none of these: an object is made immortal by setting all bits of
 * the count (rs_object_immortalize()). A captured word is never equal to that.
 *
 * As with refcount_t, a count that would leave its range (a put too many) is
 * set to RS_REF_SATURATED and stays there: the object leaks and is reported,
 * it is never freed early.
 *
 * Memory order: a get is relaxed, since its caller already owns or protects a
 * reference. Every put is a full barrier: what its caller did to the object,
 * and the slot that it emptied, come before it; freeing comes after (rule R13).
 */
#ifndef RS_REF_H
#define RS_REF_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/types.h>

#define RS_REF_COUNT_MASK	GENMASK_ULL(24, 0)
#define RS_REF_CANDIDATE	BIT_ULL(25)	/* linked among the candidates */
#define RS_REF_SUSPECT		BIT_ULL(26)	/* see the heap's descriptor */
#define RS_REF_DEAD		BIT_ULL(27)	/* condemned by a scan */
#define RS_REF_TRACKED		BIT_ULL(28)	/* has slots; never changes */
#define RS_REF_WEAK		BIT_ULL(29)	/* see weak.c; never cleared */
#define RS_REF_OLD		BIT_ULL(30)	/* linked among the old ones */
#define RS_REF_VERSION_ONE	BIT_ULL(31)

/* Linked in one of the heap's queues (candidate.c). */
#define RS_REF_LINKED		(RS_REF_CANDIDATE | RS_REF_OLD)

#define RS_REF_MAX		((u32)BIT(24))
#define RS_REF_SATURATED	((u32)RS_REF_COUNT_MASK)

struct rs_ref {
	atomic64_t word;
};

/**
 * enum rs_put - what a put did
 * @RS_PUT_ALIVE: dropped the reference, others are left
 * @RS_PUT_LAST: dropped the last one; the caller destroys the object
 * @RS_PUT_QUEUE: dropped nothing: first make the object a candidate (rule R1)
 * @RS_PUT_BAD: there was nothing to drop; the count is saturated now
 */
enum rs_put {
	RS_PUT_ALIVE,
	RS_PUT_LAST,
	RS_PUT_QUEUE,
	RS_PUT_BAD,
};

static inline u32 rs_word_count(u64 word)
{
	return word & RS_REF_COUNT_MASK;
}

static inline bool rs_word_alive(u64 word)
{
	return rs_word_count(word) && !(word & RS_REF_DEAD);
}

static inline u64 rs_ref_read(const struct rs_ref *ref)
{
	return atomic64_read(&ref->word);
}

static inline u32 rs_ref_count(const struct rs_ref *ref)
{
	return rs_word_count(rs_ref_read(ref));
}

/*
 * A new object: one reference, the creator's. A plain store of a word that begins
 * anew is no danger to the scanner, which R3 has in mind: memory that it captured
 * is not given out again before it is done.
 */
static inline void rs_ref_init(struct rs_ref *ref, bool tracked)
{
	atomic64_set(&ref->word, 1 | (tracked ? RS_REF_TRACKED : 0));
}

static inline bool rs_ref_cmpxchg(struct rs_ref *ref, u64 *old, u64 new)
{
	return atomic64_try_cmpxchg(&ref->word, (s64 *)old, new);
}

/**
 * rs_ref_get - count one more reference
 * @ref: of an object to which the caller has a reference, or whose cell it has
 *       locked (invariant I2)
 *
 * Return: 0, or -EOVERFLOW when there are RS_REF_MAX already.
 */
static inline int rs_ref_get(struct rs_ref *ref)
{
	u64 old = rs_ref_read(ref);

	do {
		if (unlikely(rs_word_count(old) >= RS_REF_MAX))
			return rs_word_count(old) == RS_REF_SATURATED ?
				0 : -EOVERFLOW;
	} while (!atomic64_try_cmpxchg_relaxed(&ref->word, (s64 *)&old,
					       old + 1 + RS_REF_VERSION_ONE));
	return 0;
}

/*
 * Whether a put that leaves @count references must first make the object a
 * candidate (rule R1): if it is in no queue, or in an old one though no more
 * references may be left than those that a scan found inside.
 */
static inline bool rs_put_queues(u64 word, u32 count, const u32 *edges)
{
	if (!(word & RS_REF_TRACKED) || word & RS_REF_CANDIDATE)
		return false;
	return !(word & RS_REF_OLD) || count <= READ_ONCE(*edges);
}

/**
 * rs_ref_put - drop a reference
 * @ref: of an object to which the caller has one, and gives it up
 * @edges: if it has slots, how many references a scan found inside; only a hint
 * @old: the word from before, for the caller of a last put
 *
 * Return: what it did, see enum rs_put.
 */
static inline enum rs_put rs_ref_put(struct rs_ref *ref, const u32 *edges,
				     u64 *old)
{
	u32 count;
	u64 new;

	*old = rs_ref_read(ref);
	do {
		count = rs_word_count(*old);
		if (unlikely(count == RS_REF_SATURATED))
			return RS_PUT_ALIVE;
		if (count > 1 && rs_put_queues(*old, count - 1, edges))
			return RS_PUT_QUEUE;
		new = likely(count) ? *old - 1 : *old | RS_REF_SATURATED;
	} while (!rs_ref_cmpxchg(ref, old, new));

	if (count > 1)
		return RS_PUT_ALIVE;
	return likely(count) ? RS_PUT_LAST : RS_PUT_BAD;
}

/* The number of slots changed: what a scan captured no longer holds. */
static inline void rs_ref_touch(struct rs_ref *ref)
{
	atomic64_add(RS_REF_VERSION_ONE, &ref->word);
}

#endif /* RS_REF_H */
