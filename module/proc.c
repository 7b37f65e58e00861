// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/refstore: what there is, and what scans did.
 *
 * Each file begins with its name and version; columns are only ever added, at
 * the end. A reader sees the heaps of its own user; with CAP_SYS_PTRACE in the
 * initial namespace, all of them.
 *
 * Nothing here waits for a session's lock, which its users can hold for long;
 * counters are read as they are.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "candidate.h"
#include "limit.h"
#include "proc.h"
#include "reclaim.h"
#include "scan.h"
#include "session.h"

#define RS_SCANS_KEPT	64

/**
 * struct rs_scan_record - a scan that ended
 * @heap: number of its heap
 * @owner: whose that is
 * @number: of the scan in its heap
 * @generation: of the scan
 * @trigger: why it ran
 * @ended: CLOCK_MONOTONIC, in ns
 * @figures: what it did
 */
struct rs_scan_record {
	u64 heap;
	kuid_t owner;
	u32 number;
	u32 generation;
	enum rs_trigger trigger;
	u64 ended;
	struct rs_scan_figures figures;
};

static struct rs_scan_record rs_scans[RS_SCANS_KEPT];
static u64 rs_scans_seen;
static DEFINE_SPINLOCK(rs_scans_lock);	/* protects the two above */

/*
 * Of heaps that are gone: so that totals never fall. Protected by
 * rs_heaps_lock.
 */
static struct rs_scan_figures rs_past;
static u64 rs_past_created;
static u64 rs_past_saturated;
static u64 rs_past_most_objects;
static u64 rs_past_most_bytes;

static const char *const rs_triggers[] = {
	[RS_TRIGGER_THRESHOLD]	= "threshold",
	[RS_TRIGGER_DELAY]	= "delay",
	[RS_TRIGGER_COLLECT]	= "collect",
	[RS_TRIGGER_PRESSURE]	= "pressure",
};

static bool rs_may_see(struct seq_file *m, kuid_t owner)
{
	return uid_eq(m->file->f_cred->fsuid, owner) ||
	       file_ns_capable(m->file, &init_user_ns, CAP_SYS_PTRACE);
}

/* Remembers a scan for /proc/refstore/scans. */
void rs_proc_add_scan(const struct rs_scan *scan, enum rs_trigger trigger)
{
	struct rs_scan_record *record;

	spin_lock(&rs_scans_lock);
	record = &rs_scans[rs_scans_seen++ % RS_SCANS_KEPT];
	record->heap = scan->heap->number;
	record->owner = rs_heap_owner(scan->heap);
	record->number = scan->number;
	record->generation = scan->generation;
	record->trigger = trigger;
	record->ended = ktime_get_ns();
	record->figures = scan->figures;
	spin_unlock(&rs_scans_lock);
}

/* Remembers the totals of a heap that goes; the caller holds rs_heaps_lock. */
void rs_proc_add_heap(struct rs_heap *heap)
{
	lockdep_assert_held(&rs_heaps_lock);
	rs_figures_add(&rs_past, &heap->figures);
	rs_past_created += heap->created;
	rs_past_saturated += atomic64_read(&heap->saturated);
	rs_past_most_objects = max(rs_past_most_objects, heap->most_objects);
	rs_past_most_bytes = max(rs_past_most_bytes, heap->most_bytes);
}

/* Counters of one heap, or of several. */
struct rs_heap_state {
	u64 heaps;
	u64 sessions;
	u64 handles;
	u64 objects;
	u64 bytes;
	u64 candidates;
	u64 backlog;
	u64 created;
	u64 saturated;
	u64 deferred;
	u64 large;
	u64 large_bytes;
	struct rs_scan_figures figures;
	struct rs_scan_figures last_found;
	u64 most_objects;
	u64 most_bytes;
};

static void rs_sessions_read(struct rs_heap *heap, struct rs_heap_state *state)
{
	struct rs_session *session;
	unsigned long number = 0;
	u32 n;

	do {
		xa_lock(&heap->sessions);
		for (n = 0; n < RS_SLICE; n++) {
			session = xa_find(&heap->sessions, &number, ULONG_MAX,
					  XA_PRESENT);
			if (!session)
				break;
			state->sessions++;
			state->handles += READ_ONCE(session->handles.nr);
			number++;
		}
		xa_unlock(&heap->sessions);
		cond_resched();
	} while (session);
}

/* All but the sessions, of which there may be very many. */
static void rs_heap_read(struct rs_heap *heap, struct rs_heap_state *state)
{
	state->heaps++;
	spin_lock(&heap->table_lock);
	state->objects += heap->objects;
	state->bytes += heap->bytes;
	state->created += heap->created;
	state->large += heap->large;
	state->large_bytes += heap->large_bytes;
	spin_unlock(&heap->table_lock);
	spin_lock(&heap->report_lock);
	rs_figures_add(&state->figures, &heap->figures);
	rs_figures_add(&state->last_found, &heap->last_found);
	state->most_objects = max(state->most_objects, heap->most_objects);
	state->most_bytes = max(state->most_bytes, heap->most_bytes);
	spin_unlock(&heap->report_lock);
	state->deferred += READ_ONCE(heap->deferred_bytes);
	state->candidates += rs_candidates(heap);
	state->backlog += rs_reap_backlog(heap);
	state->saturated += atomic64_read(&heap->saturated);
}

static void rs_stats_past(struct seq_file *m, struct rs_heap_state *state)
{
	if (!file_ns_capable(m->file, &init_user_ns, CAP_SYS_PTRACE))
		return;
	rs_figures_add(&state->figures, &rs_past);
	state->created += rs_past_created;
	state->saturated += rs_past_saturated;
	state->most_objects = max(state->most_objects, rs_past_most_objects);
	state->most_bytes = max(state->most_bytes, rs_past_most_bytes);
}

/*
 * The first heap after @pos that a reader may see, pinned: it stays in the list
 * until rs_heap_unpin(), though it may be dying. Under rs_heaps_lock.
 */
static struct rs_heap *rs_heap_pin_after(struct seq_file *m,
					 struct list_head *pos)
{
	struct rs_heap *heap;

	lockdep_assert_held(&rs_heaps_lock);
	for (pos = pos->next; pos != &rs_heaps; pos = pos->next) {
		heap = list_entry(pos, struct rs_heap, node);
		if (rs_may_see(m, rs_heap_owner(heap))) {
			WRITE_ONCE(heap->readers, heap->readers + 1);
			return heap;
		}
	}
	return NULL;
}

/* From one heap to the next; from none to the first. */
static struct rs_heap *rs_heap_step(struct seq_file *m, struct rs_heap *heap)
{
	struct rs_heap *next;

	mutex_lock(&rs_heaps_lock);
	next = rs_heap_pin_after(m, heap ? &heap->node : &rs_heaps);
	if (heap)
		rs_heap_unpin(heap);
	mutex_unlock(&rs_heaps_lock);
	return next;
}

static int rs_stats_show(struct seq_file *m, void *v)
{
	struct rs_heap_state state = {};
	struct rs_heap *heap;

	/* In one go, with those that are gone: so that totals never fall */
	mutex_lock(&rs_heaps_lock);
	list_for_each_entry(heap, &rs_heaps, node)
		if (rs_may_see(m, rs_heap_owner(heap)))
			rs_heap_read(heap, &state);
	rs_stats_past(m, &state);
	mutex_unlock(&rs_heaps_lock);
	for (heap = rs_heap_step(m, NULL); heap; heap = rs_heap_step(m, heap))
		rs_sessions_read(heap, &state);

	seq_puts(m, "refstore-stats 1\n");
	seq_printf(m, "heaps %llu\n", state.heaps);
	seq_printf(m, "sessions %llu\n", state.sessions);
	seq_printf(m, "handles %llu\n", state.handles);
	seq_printf(m, "objects %llu\n", state.objects);
	seq_printf(m, "bytes %llu\n", state.bytes);
	seq_printf(m, "candidates %llu\n", state.candidates);
	seq_printf(m, "backlog %llu\n", state.backlog);
	seq_printf(m, "created %llu\n", state.created);
	seq_printf(m, "freed %llu\n", state.created - state.objects);
	seq_printf(m, "saturated %llu\n", state.saturated);
	seq_printf(m, "scans %llu\n", state.figures.scans);
	seq_printf(m, "scan_visited %llu\n", state.figures.visited);
	seq_printf(m, "scan_reclaimed %llu\n", state.figures.reclaimed);
	seq_printf(m, "scan_bytes %llu\n", state.figures.bytes);
	seq_printf(m, "scan_aborted %llu\n", state.figures.aborted);
	seq_printf(m, "scan_stopped %llu\n", state.figures.stopped);
	seq_printf(m, "scan_nanoseconds %llu\n", state.figures.nanoseconds);
	seq_printf(m, "scan_saved %llu\n", state.figures.saved);
	seq_printf(m, "floating_objects %llu\n", state.last_found.reclaimed);
	seq_printf(m, "floating_bytes %llu\n", state.last_found.bytes);
	seq_printf(m, "floating_peak_objects %llu\n", state.most_objects);
	seq_printf(m, "floating_peak_bytes %llu\n", state.most_bytes);
	seq_printf(m, "deferred_bytes %llu\n", state.deferred);
	seq_printf(m, "large %llu\n", state.large);
	seq_printf(m, "large_bytes %llu\n", state.large_bytes);
	return 0;
}

/*
 * The list of heaps, for the files with a line or more for each. Where a read
 * begins it is looked for again, as the list may have changed; the one that is
 * shown is pinned, and nobody waits for us.
 */
static void *rs_heaps_start(struct seq_file *m, loff_t *pos)
{
	struct rs_heap *heap;
	loff_t n = *pos;

	if (!n)
		return SEQ_START_TOKEN;
	for (heap = rs_heap_step(m, NULL); heap && --n;)
		heap = rs_heap_step(m, heap);
	return heap;
}

static void *rs_heaps_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return rs_heap_step(m, v == SEQ_START_TOKEN ? NULL : v);
}

static void rs_heaps_stop(struct seq_file *m, void *v)
{
	if (!v || v == SEQ_START_TOKEN)
		return;
	mutex_lock(&rs_heaps_lock);
	rs_heap_unpin(v);
	mutex_unlock(&rs_heaps_lock);
}

/* One word: what would make more of it is written as \\ooo; - is no label. */
static void rs_heap_label_show(struct seq_file *m, struct rs_heap *heap)
{
	char label[REFSTORE_LABEL_MAX];

	spin_lock(&heap->table_lock);
	memcpy(label, heap->label, sizeof(label));
	spin_unlock(&heap->table_lock);
	seq_escape(m, *label ? label : "-", " \\");
}

static int rs_heaps_show(struct seq_file *m, void *v)
{
	struct rs_heap *heap = v;
	struct rs_heap_state state = {};

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "refstore-heaps 1\n");
		seq_puts(m, "# heap uid sessions handles objects bytes candidates backlog scans reclaimed label large large_bytes\n");
		return 0;
	}
	rs_heap_read(heap, &state);
	rs_sessions_read(heap, &state);
	seq_printf(m, "%llu %u %llu %llu %llu %llu %llu %llu %llu %llu ",
		   heap->number,
		   from_kuid_munged(seq_user_ns(m), rs_heap_owner(heap)),
		   state.sessions, state.handles, state.objects, state.bytes,
		   state.candidates, state.backlog, state.figures.scans,
		   state.figures.reclaimed);
	rs_heap_label_show(m, heap);
	seq_printf(m, " %llu %llu\n", state.large, state.large_bytes);
	return 0;
}

static void rs_type_show(struct seq_file *m, struct rs_heap *heap, u32 number)
{
	struct rs_type type;

	spin_lock(&heap->table_lock);
	type = heap->types.type[number];
	spin_unlock(&heap->table_lock);
	if (type.objects)
		seq_printf(m, "%llu %u %s %llu %llu\n", heap->number, number,
			   type.name, type.objects, type.bytes);
}

static int rs_types_show(struct seq_file *m, void *v)
{
	struct rs_heap *heap = v;
	u32 i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "refstore-types 1\n");
		seq_puts(m, "# heap type name objects bytes\n");
		return 0;
	}
	for (i = 0; i < READ_ONCE(heap->types.nr); i++) {
		rs_type_show(m, heap, i);
		cond_resched();
	}
	return 0;
}

static void *rs_scans_start(struct seq_file *m, loff_t *pos)
{
	return *pos <= RS_SCANS_KEPT ? pos : NULL;
}

static void *rs_scans_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return rs_scans_start(m, pos);
}

static void rs_scans_stop(struct seq_file *m, void *v)
{
}

/* The scan that is @back scans ago; false if there was none. */
static bool rs_scan_recall(u32 back, struct rs_scan_record *record)
{
	bool found = false;

	spin_lock(&rs_scans_lock);
	if (rs_scans_seen >= back) {
		*record = rs_scans[(rs_scans_seen - back) % RS_SCANS_KEPT];
		found = true;
	}
	spin_unlock(&rs_scans_lock);
	return found;
}

static int rs_scans_show(struct seq_file *m, void *v)
{
	u32 pos = *(loff_t *)v;
	struct rs_scan_record record;

	if (!pos) {
		seq_puts(m, "refstore-scans 1\n");
		seq_puts(m, "# heap scan trigger visited reclaimed bytes aborted nanoseconds ended generation\n");
		return 0;
	}
	if (!rs_scan_recall(RS_SCANS_KEPT + 1 - pos, &record) ||
	    !rs_may_see(m, record.owner))
		return 0;
	seq_printf(m, "%llu %u %s %llu %llu %llu %llu %llu %llu %u\n",
		   record.heap, record.number, rs_triggers[record.trigger],
		   record.figures.visited, record.figures.reclaimed,
		   record.figures.bytes, record.figures.aborted,
		   record.figures.nanoseconds, record.ended,
		   record.generation);
	return 0;
}

/* Whose account a reader may see; none is valid if that is all. */
static kuid_t rs_users_seen(struct seq_file *m)
{
	if (file_ns_capable(m->file, &init_user_ns, CAP_SYS_PTRACE))
		return INVALID_UID;
	return m->file->f_cred->fsuid;
}

static void *rs_users_start(struct seq_file *m, loff_t *pos)
{
	return rs_accounts_start(*pos, rs_users_seen(m));
}

static void *rs_users_next(struct seq_file *m, void *v, loff_t *pos)
{
	return rs_accounts_next(v, pos, rs_users_seen(m));
}

static void rs_users_stop(struct seq_file *m, void *v)
{
	rs_accounts_stop();
}

/* What users are charged for, and how much it may be. */
static int rs_users_show(struct seq_file *m, void *v)
{
	const struct rs_account *account = rs_accounts_at(v);
	u32 item;

	if (!account) {
		seq_puts(m, "refstore-users 1\n");
		seq_puts(m, "# uid objects max_objects bytes max_bytes handles max_handles weak max_weak heaps max_heaps\n");
		return 0;
	}
	seq_printf(m, "%u", from_kuid_munged(seq_user_ns(m), account->uid));
	for (item = 0; item < RS_ITEMS; item++)
		seq_printf(m, " %lld %llu", atomic64_read(&account->used[item]),
			   rs_user_max(item));
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations rs_heaps_ops = {
	.start = rs_heaps_start,
	.next = rs_heaps_next,
	.stop = rs_heaps_stop,
	.show = rs_heaps_show,
};

static const struct seq_operations rs_types_ops = {
	.start = rs_heaps_start,
	.next = rs_heaps_next,
	.stop = rs_heaps_stop,
	.show = rs_types_show,
};

static const struct seq_operations rs_scans_ops = {
	.start = rs_scans_start,
	.next = rs_scans_next,
	.stop = rs_scans_stop,
	.show = rs_scans_show,
};

static const struct seq_operations rs_users_ops = {
	.start = rs_users_start,
	.next = rs_users_next,
	.stop = rs_users_stop,
	.show = rs_users_show,
};

int __init rs_proc_init(void)
{
	struct proc_dir_entry *dir = proc_mkdir("refstore", NULL);

	if (!dir)
		return -ENOMEM;
	if (proc_create_single("stats", 0444, dir, rs_stats_show) &&
	    proc_create_seq("heaps", 0444, dir, &rs_heaps_ops) &&
	    proc_create_seq("types", 0444, dir, &rs_types_ops) &&
	    proc_create_seq("scans", 0444, dir, &rs_scans_ops) &&
	    proc_create_seq("users", 0444, dir, &rs_users_ops))
		return 0;
	proc_remove(dir);
	return -ENOMEM;
}

void rs_proc_exit(void)
{
	remove_proc_subtree("refstore", NULL);
}
