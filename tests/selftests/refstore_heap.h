/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a heap holds, as REFSTORE_WALK and /proc/refstore tell it, so that tests
 * can compare it with what it should hold or with what it held before.
 */
#ifndef REFSTORE_HEAP_H
#define REFSTORE_HEAP_H

#include <inttypes.h>

#include "refstore_util.h"

/* --- /proc/refstore --------------------------------------------------- */

#define RS_PROC "/proc/refstore/"

/* A heap's line in /proc/refstore/heaps, in the order of its columns. */
struct rs_figures {
	__u64 heap, uid, sessions, handles, objects, bytes;
	__u64 candidates, backlog, scans, reclaimed;
	char label[4 * REFSTORE_LABEL_MAX];
	__u64 large, large_bytes;
};

#define RS_HEAPS_COLUMNS \
	"# heap uid sessions handles objects bytes candidates backlog scans " \
	"reclaimed label large large_bytes"

static inline bool rs_parse_figures(const char *line, struct rs_figures *f)
{
	int end = -1;

	static const char format[] = "%llu %llu %llu %llu %llu "
				     "%llu %llu %llu %llu %llu "
				     "%127s %llu %llu%n";

	return sscanf(line, format, &f->heap, &f->uid, &f->sessions,
		      &f->handles, &f->objects, &f->bytes, &f->candidates,
		      &f->backlog, &f->scans, &f->reclaimed, f->label,
		      &f->large, &f->large_bytes, &end) == 13 &&
	       end >= 0 && line[end] == '\n' && !line[end + 1];
}

/* The line of a heap; -ENOENT if it is not (or no longer) listed. */
static inline int rs_figures(__u64 heap, struct rs_figures *figures)
{
	FILE *file = fopen(RS_PROC "heaps", "re");
	char line[512];
	int ret = -ENOENT;

	if (!file)
		return -errno;
	while (ret && fgets(line, sizeof(line), file))
		if (rs_parse_figures(line, figures) && figures->heap == heap)
			ret = 0;
	fclose(file);
	return ret;
}

/* The figures of a session's heap. */
static inline int rs_heap_figures(int fd, struct rs_figures *figures)
{
	struct refstore_query query;
	int ret = rs_query(fd, &query);

	return ret ? ret : rs_figures(query.heap, figures);
}

/* ~0, which is never right, if there are no figures. */
static inline __u64 rs_objects(int fd)
{
	struct rs_figures figures;

	return rs_heap_figures(fd, &figures) ? ~0ULL : figures.objects;
}

static inline __u64 rs_handles(int fd)
{
	struct rs_figures figures;

	return rs_heap_figures(fd, &figures) ? ~0ULL : figures.handles;
}

/* Whether a heap has ended. */
static inline bool rs_heap_gone(__u64 heap)
{
	struct rs_figures figures;

	return rs_figures(heap, &figures) == -ENOENT;
}

static inline __u64 rs_heap_number(int fd)
{
	struct refstore_query query;

	return rs_query(fd, &query) ? 0 : query.heap;
}

/* A value of /proc/refstore/stats, or ~0. */
static inline __u64 rs_stats_value(const char *name)
{
	FILE *file = fopen(RS_PROC "stats", "re");
	__u64 value, found = ~0ULL;
	char line[512], word[64];

	if (!file)
		return found;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %llu", word, &value) == 2 &&
		    !strcmp(word, name))
			found = value;
	fclose(file);
	return found;
}

/* A line of /proc/refstore/scans, in the order of its columns. */
struct rs_scan_line {
	__u64 heap, scan;
	char trigger[16];
	__u64 visited, reclaimed, bytes, aborted, nanoseconds, ended;
	__u64 generation;
};

/* Scans of a heap that are listed, the oldest first; how many. */
static inline size_t rs_scan_lines(__u64 heap, struct rs_scan_line *lines,
				   size_t room)
{
	FILE *file = fopen(RS_PROC "scans", "re");
	struct rs_scan_line line;
	char text[512];
	size_t n = 0;

	if (!file)
		return 0;
	while (n < room && fgets(text, sizeof(text), file)) {
		if (sscanf(text, "%llu %llu %15s %llu %llu %llu %llu %llu %llu "
			   "%llu", &line.heap, &line.scan, line.trigger,
			   &line.visited, &line.reclaimed, &line.bytes,
			   &line.aborted, &line.nanoseconds, &line.ended,
			   &line.generation) == 10 && line.heap == heap)
			lines[n++] = line;
	}
	fclose(file);
	return n;
}

#define RS_SCAN_LINES 64	/* that are kept, of all heaps together */

/* How many scans of a heap for a reason are listed. */
static inline size_t rs_triggered(__u64 heap, const char *trigger)
{
	struct rs_scan_line lines[RS_SCAN_LINES];
	size_t n = rs_scan_lines(heap, lines, RS_SCAN_LINES), found = 0;

	while (n--)
		found += !strcmp(lines[n].trigger, trigger);
	return found;
}

/* --- Walks ------------------------------------------------------------ */

static const size_t rs_entry_size[] = {
	[REFSTORE_WALK_OBJECTS] = sizeof(struct refstore_walk_object),
	[REFSTORE_WALK_EDGES] = sizeof(struct refstore_walk_edge),
	[REFSTORE_WALK_HANDLES] = sizeof(struct refstore_walk_handle),
	[REFSTORE_WALK_ROOTS] = sizeof(struct refstore_walk_handle),
};

/*
 * A whole walk with @capacity entries in each call. *@entries is the caller's
 * to free, and is never NULL after success.
 */
static inline int rs_walk_all(int fd, __u32 what, __u32 flags, __u32 capacity,
			      void *entries, size_t *count)
{
	size_t size = rs_entry_size[what], room = capacity;
	struct refstore_walk walk = {
		.flags = flags,
		.what = what,
		.capacity = capacity,
	};
	char *all = malloc(room * size), *more;
	int ret;

	*count = 0;
	while (all) {
		walk.entries = rs_ptr(all + *count * size);
		ret = rs_walk(fd, &walk);
		if (!ret && walk.count > capacity)
			ret = -EPROTO;
		if (ret) {
			free(all);
			return ret;
		}
		*count += walk.count;
		if (walk.end) {
			memcpy(entries, &all, sizeof(all));
			return 0;
		}
		if (*count + capacity <= room)
			continue;
		room = 2 * room + capacity;
		more = realloc(all, room * size);
		if (!more)
			free(all);
		all = more;
	}
	return -ENOMEM;
}

/* All of a heap, sorted. */
struct rs_heap {
	struct refstore_walk_object *objects;
	struct refstore_walk_edge *edges;
	struct refstore_walk_handle *handles;
	struct refstore_walk_handle *roots;
	size_t nr_objects, nr_edges, nr_handles, nr_roots;
};

#define RS_COMPARE(a, b) do {		\
	if ((a) != (b))			\
		return (a) < (b) ? -1 : 1; \
} while (0)

static inline int rs_compare_objects(const void *a, const void *b)
{
	const struct refstore_walk_object *x = a, *y = b;

	RS_COMPARE(x->id, y->id);
	return 0;
}

static inline int rs_compare_edges(const void *a, const void *b)
{
	const struct refstore_walk_edge *x = a, *y = b;

	RS_COMPARE(x->from, y->from);
	RS_COMPARE(x->index, y->index);
	return 0;
}

static inline int rs_compare_handles(const void *a, const void *b)
{
	const struct refstore_walk_handle *x = a, *y = b;

	RS_COMPARE(x->session, y->session);
	RS_COMPARE(x->id, y->id);
	return 0;
}

static inline int rs_compare_words(const void *a, const void *b)
{
	RS_COMPARE(*(const __u64 *)a, *(const __u64 *)b);
	return 0;
}

/* The id that two of the words share, or 0. Sorts them. */
static inline __u64 rs_repeated(__u64 *words, size_t count)
{
	size_t i;

	qsort(words, count, sizeof(*words), rs_compare_words);
	for (i = 1; i < count; i++)
		if (words[i] == words[i - 1])
			return words[i];
	return 0;
}

static inline void rs_heap_free(struct rs_heap *heap)
{
	free(heap->objects);
	free(heap->edges);
	free(heap->handles);
	free(heap->roots);
	memset(heap, 0, sizeof(*heap));
}

/* What the scanner may change at any time is left out of the objects' state. */
static inline int rs_heap_walk(int fd, struct rs_heap *heap)
{
	const __u32 capacity = 1024;
	size_t i;
	int ret;

	memset(heap, 0, sizeof(*heap));
	ret = rs_walk_all(fd, REFSTORE_WALK_OBJECTS, 0, capacity,
			  &heap->objects, &heap->nr_objects);
	if (!ret)
		ret = rs_walk_all(fd, REFSTORE_WALK_EDGES, 0, capacity,
				  &heap->edges, &heap->nr_edges);
	if (!ret)
		ret = rs_walk_all(fd, REFSTORE_WALK_HANDLES, 0, capacity,
				  &heap->handles, &heap->nr_handles);
	if (!ret)
		ret = rs_walk_all(fd, REFSTORE_WALK_ROOTS, 0, capacity,
				  &heap->roots, &heap->nr_roots);
	if (ret) {
		rs_heap_free(heap);
		return ret;
	}
	for (i = 0; i < heap->nr_objects; i++) {
		heap->objects[i].state &= ~REFSTORE_STATE_CANDIDATE;
		heap->objects[i].generation = 0;
	}
	qsort(heap->objects, heap->nr_objects, sizeof(*heap->objects),
	      rs_compare_objects);
	qsort(heap->edges, heap->nr_edges, sizeof(*heap->edges),
	      rs_compare_edges);
	qsort(heap->handles, heap->nr_handles, sizeof(*heap->handles),
	      rs_compare_handles);
	return 0;
}

static inline struct refstore_walk_object *rs_find(struct rs_heap *heap,
						   __u64 id)
{
	struct refstore_walk_object key = { .id = id };

	return bsearch(&key, heap->objects, heap->nr_objects, sizeof(key),
		       rs_compare_objects);
}

/*
 * Whether each object has as many references as there are slots, handles and
 * roots that refer to it, and the heap's if it is saved, and all of these refer
 * to objects. Says what is not so.
 */
static inline bool rs_heap_sound(struct rs_heap *heap)
{
	struct refstore_walk_object *object;
	bool sound = true;
	__u32 *counts;
	size_t i;

	counts = calloc(heap->nr_objects + 1, sizeof(*counts));
#define RS_COUNT(id, what) do {						\
	object = rs_find(heap, id);					\
	if (object)							\
		counts[object - heap->objects]++;			\
	else								\
		ksft_print_msg("a %s to %llu, which is no object\n",	\
			       what, (id));				\
	sound &= !!object;						\
} while (0)
	for (i = 0; i < heap->nr_edges; i++)
		RS_COUNT(heap->edges[i].to, "slot");
	for (i = 0; i < heap->nr_handles; i++)
		RS_COUNT(heap->handles[i].id, "handle");
	for (i = 0; i < heap->nr_roots; i++)
		RS_COUNT(heap->roots[i].id, "root");
#undef RS_COUNT
	for (i = 0; i < heap->nr_objects; i++) {
		object = &heap->objects[i];
		counts[i] += !!(object->state & REFSTORE_STATE_SAVED);
		if (counts[i] == object->refs ||
		    object->state & REFSTORE_STATE_IMMORTAL)
			continue;
		ksft_print_msg("object %llu: %u references found, says %u\n",
			       object->id, counts[i], object->refs);
		sound = false;
	}
	free(counts);
	return sound;
}

static inline bool rs_same(const char *what, const void *a, size_t nr_a,
			   const void *b, size_t nr_b, size_t size)
{
	if (nr_a == nr_b && !memcmp(a, b, nr_a * size))
		return true;
	ksft_print_msg("%s differ (%zu, %zu)\n", what, nr_a, nr_b);
	return false;
}

/* Says how the first object that differs does. */
static inline void rs_tell_objects(const struct rs_heap *a,
				   const struct rs_heap *b)
{
	const struct refstore_walk_object *x, *y;
	size_t i;

	for (i = 0; i < a->nr_objects && i < b->nr_objects; i++) {
		x = &a->objects[i];
		y = &b->objects[i];
		if (!memcmp(x, y, sizeof(*x)))
			continue;
		ksft_print_msg("object %llu: %u refs, state %u, %u slots, "
			       "%llu + %llu bytes\n", x->id, x->refs, x->state,
			       x->nr_slots, x->data_len, x->bytes);
		ksft_print_msg("object %llu: %u refs, state %u, %u slots, "
			       "%llu + %llu bytes\n", y->id, y->refs, y->state,
			       y->nr_slots, y->data_len, y->bytes);
		return;
	}
}

static inline bool rs_heap_same(const struct rs_heap *a,
				const struct rs_heap *b)
{
	bool same;

#define RS_SAME(what) rs_same(#what, a->what, a->nr_##what, b->what, \
			      b->nr_##what, sizeof(*a->what))
	same = RS_SAME(objects);
	if (!same)
		rs_tell_objects(a, b);
	return same & RS_SAME(edges) & RS_SAME(handles) & RS_SAME(roots);
#undef RS_SAME
}

/* --- Before and after ------------------------------------------------- */

/* A heap that should not change, and how it was. */
struct rs_before {
	struct rs_heap heap;
	struct rs_figures figures;
	struct refstore_tune tune;
	__u64 frozen;
	__u32 types;
};

/* The number after that of the last type. */
static inline __u32 rs_types(int fd)
{
	char name[REFSTORE_TYPE_NAME_MAX];
	__u32 type = REFSTORE_TYPE_USER;

	while (!rs_type_name(fd, type, name))
		type++;
	return type;
}

static inline int rs_before(int fd, struct rs_before *before)
{
	int ret = rs_heap_figures(fd, &before->figures);

	before->types = rs_types(fd);
	memset(&before->tune, 0, sizeof(before->tune));
	if (!ret)
		ret = rs_tune(fd, &before->tune);
	if (!ret)
		ret = rs_freeze(fd, 0, &before->frozen);
	return ret ? ret : rs_heap_walk(fd, &before->heap);
}

static inline bool rs_no_backlog(int fd)
{
	struct rs_figures figures;

	return !rs_heap_figures(fd, &figures) && !figures.backlog;
}

/*
 * Whether objects, slots, handles, roots, types, settings and the heap's
 * figures are as they were, when what waits for a work item is done.
 */
static inline bool rs_unchanged(int fd, struct rs_before *before)
{
	struct rs_before now;
	bool same;

	if (!rs_wait_until(rs_no_backlog(fd), RS_SOON) || rs_before(fd, &now))
		return false;
	same = rs_heap_same(&before->heap, &now.heap) &&
	       before->types == now.types &&
	       !memcmp(&before->tune, &now.tune, sizeof(now.tune)) &&
	       before->frozen == now.frozen;
#define RS_FIGURE(what) do {						\
	if (before->figures.what != now.figures.what) {			\
		ksft_print_msg("heap's " #what ": %llu, was %llu\n",	\
			       now.figures.what, before->figures.what);	\
		same = false;						\
	}								\
} while (0)
	RS_FIGURE(sessions);
	RS_FIGURE(handles);
	RS_FIGURE(objects);
	RS_FIGURE(bytes);
	RS_FIGURE(large);
	RS_FIGURE(large_bytes);
#undef RS_FIGURE
	rs_heap_free(&now.heap);
	return same;
}

static inline void rs_before_free(struct rs_before *before)
{
	rs_heap_free(&before->heap);
}

/* --- Waiting for what the kernel does by itself ----------------------- */

/*
 * Until all that is unreachable now has been freed: what a long cascade drops
 * may be a cycle, which is seen by a scan after it.
 */
static inline int rs_settle(int fd)
{
	int ret = rs_collect(fd, NULL);

	if (ret)
		return ret;
	if (!rs_wait_until(rs_no_backlog(fd), RS_SOON))
		return -ETIMEDOUT;
	return rs_collect(fd, NULL);
}

static inline bool rs_has_sessions(__u64 heap, __u64 sessions)
{
	struct rs_figures figures;

	return !rs_figures(heap, &figures) && figures.sessions == sessions;
}

/* Whether there is no other session (any more). */
static inline bool rs_alone(int fd)
{
	struct rs_figures figures;

	return !rs_heap_figures(fd, &figures) && figures.sessions == 1;
}

#endif /* REFSTORE_HEAP_H */
