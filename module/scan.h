/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cycle scanner. The protocol is described at the head of scan.c.
 */
#ifndef RS_SCAN_H
#define RS_SCAN_H

#include "heap.h"

/*
 * An object's epoch: the number of the scan that wrote it, and what that scan
 * knows of the object. It proves nothing alone (rule R16): only what is on the
 * scan's list is ever condemned.
 */
#define RS_EPOCH_STATE		0x3U
#define RS_EPOCH_CAPTURED	0x0U	/* not known to be alive */
#define RS_EPOCH_LIVE		0x1U	/* alive, or touched by somebody */
#define RS_EPOCH_KEPT		0x2U	/* touched: given up */
#define RS_EPOCH_BORN		0x3U	/* in this scan, in no slot yet */
#define RS_EPOCH_DRAINED	0x4U	/* was taken from the queue */
#define RS_EPOCH_FOLLOWED	0x8U	/* alive, and what it refers to as well */
#define RS_EPOCH_SHIFT		4
#define RS_SCAN_NUMBERS		(1U << (32 - RS_EPOCH_SHIFT))

/* Steps between which KUnit tests can change the graph. */
enum rs_scan_step {
	RS_STEP_BEGIN,
	RS_STEP_DRAINED,
	RS_STEP_TRACING,	/* after each slice */
	RS_STEP_TRACED,
	RS_STEP_DEDUCED,
	RS_STEP_COUNTED,	/* the edges inside a component */
	RS_STEP_SUSPECTED,	/* every compare-and-swap done, not committed */
	RS_STEP_COMMITTED,
	RS_STEP_DECIDED,	/* every component */
	RS_STEP_END,
	RS_STEP_PAUSE,		/* within any of them */
};

/* The descriptor: its generation, and the state of the component in hand. */
enum rs_desc_state {
	RS_DESC_NONE,
	RS_DESC_PENDING,
	RS_DESC_COMMITTED,
	RS_DESC_ABORTED,
	RS_DESC_STATE = 3,
	RS_DESC_GENERATION = 4,
};

/*
 * Older than this, a scan gives up: a version might have wrapped (R6).
 */
#define RS_SCAN_MAX_NS	(25 * NSEC_PER_SEC)

/**
 * struct rs_scan - a scan that runs; its thread's alone
 * @heap: the heap
 * @number: of the scan, in epochs
 * @generation: candidates up to this age are looked at
 * @frozen: objects with an id up to this one are not looked at
 * @save: what is found is saved, not condemned
 * @len: entries of heap->work in use: captured objects; later the suspects
 * @live: those of them that are known to be alive
 * @followed: and whose slots were followed
 * @spent: steps since others could run
 * @stop: it gives up
 * @full: because there was no room on the list
 * @open: captured objects to which not all references were found, at least
 * @whole: all that was captured are suspects
 * @closed: all that slots refer to was captured; later, the condemned refer to
 *          each other and to nothing else
 * @dead: blocks of weak references of the condemned, with notices to be sent
 * @started: before the first capture, in ns
 * @figures: what it did
 */
struct rs_scan {
	struct rs_heap *heap;
	u32 number;
	u32 generation;
	u64 frozen;
	bool save;
	u32 len;
	u32 live;
	u32 followed;
	u32 spent;
	u32 open;
	bool stop;
	bool full;
	bool whole;
	bool closed;
	struct list_head dead;
	u64 started;
	struct rs_scan_figures figures;
};

bool rs_capture(struct rs_scan *scan);
bool rs_deduce(struct rs_scan *scan);
bool rs_decide(struct rs_scan *scan);

void rs_scan_work(struct work_struct *work);
int rs_scan_collect(struct rs_heap *heap, u32 generation,
		    struct rs_scan_figures *figures);
void rs_figures_add(struct rs_scan_figures *sum,
		    const struct rs_scan_figures *figures);

#ifdef REFSTORE_KUNIT
static inline void rs_scan_step(struct rs_scan *scan, enum rs_scan_step step)
{
	if (scan->heap->hook)
		scan->heap->hook(scan->heap, step);
}

/* How often the scanner comes to an object between two pauses. */
static inline void rs_scan_touch(struct rs_scan *scan)
{
	scan->heap->touched++;
}

static inline u64 rs_scan_max_ns(const struct rs_scan *scan)
{
	u64 most = READ_ONCE(scan->heap->max_scan_ns);

	return most ? most : RS_SCAN_MAX_NS;
}

static inline bool rs_scan_starved(const struct rs_heap *heap)
{
	return READ_ONCE(heap->starved);
}
#else
static inline void rs_scan_step(struct rs_scan *scan, enum rs_scan_step step)
{
}

static inline void rs_scan_touch(struct rs_scan *scan)
{
}

static inline u64 rs_scan_max_ns(const struct rs_scan *scan)
{
	return RS_SCAN_MAX_NS;
}

static inline bool rs_scan_starved(const struct rs_heap *heap)
{
	return false;
}
#endif

static inline struct rs_slotted **rs_scan_at(struct rs_scan *scan, u32 i)
{
	rs_scan_touch(scan);
	return rs_vec_at(&scan->heap->work, i, sizeof(struct rs_slotted *));
}

/*
 * Cache misses rule a scan. Whoever goes through the list fetches the header of
 * an object that is some way ahead, and for one nearer, whose header is here by
 * then, those that its first slots refer to.
 */
#define RS_AHEAD_HEADER	16
#define RS_AHEAD_SLOTS	8

bool rs_scan_too_old(struct rs_scan *scan);
bool rs_scan_pause(struct rs_scan *scan);

/*
 * A scan has done some steps: objects or slots. Now and then it lets others
 * run, and looks whether it shall give up; then this is false, and stays so.
 * What has to be done to the end does not care.
 */
static inline bool rs_scan_spend(struct rs_scan *scan, u32 steps)
{
	scan->spent += steps;
	if (unlikely(scan->spent >= RS_SLICE))
		return rs_scan_pause(scan);
	return !scan->stop;
}

static inline u32 rs_epoch(struct rs_scan *scan, u32 state)
{
	return scan->number << RS_EPOCH_SHIFT | state;
}

/* Whether this scan captured @slotted, and @slotted is in @state. */
static inline bool rs_scan_is(struct rs_scan *scan, struct rs_slotted *slotted,
			      u32 state)
{
	u32 epoch = READ_ONCE(slotted->epoch);

	epoch &= ~(RS_EPOCH_DRAINED | RS_EPOCH_FOLLOWED);
	return epoch == rs_epoch(scan, state);
}

static inline void rs_scan_set(struct rs_slotted *slotted, u32 state)
{
	WRITE_ONCE(slotted->epoch,
		   (slotted->epoch & ~RS_EPOCH_STATE) | state);
}

/* Whether the scanner does not look at an object. */
static inline bool rs_scan_frozen(const struct rs_scan *scan,
				  const struct rs_object *obj)
{
	if (likely(!scan->frozen))
		return false;
	/* One that is dying has something else here: then it does not matter */
	return data_race(READ_ONCE(obj->id)) <= scan->frozen;
}

/* The epoch of an object that is being made. */
static inline u32 rs_scan_birth(const struct rs_heap *heap)
{
	u32 scan = READ_ONCE(heap->scan);

	return scan ? scan << RS_EPOCH_SHIFT | RS_EPOCH_BORN : 0;
}

#endif /* RS_SCAN_H */
