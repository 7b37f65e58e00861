/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints. Objects are named by heap and id, never by address. Links and
 * unlinks are stores in slots; what an object is born with, and what goes with
 * it or is cut off, is not told one by one.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM refstore

#if !defined(RS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define RS_TRACE_H

#include <linux/tracepoint.h>

#include "heap.h"

DECLARE_EVENT_CLASS(refstore_object,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *obj),
	TP_ARGS(heap, obj),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, id)
		__field(u32, type)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->id = obj->id;
		__entry->type = obj->type;
	),
	TP_printk("heap=%llu id=%llu type=%u",
		  __entry->heap, __entry->id, __entry->type)
);

DEFINE_EVENT(refstore_object, refstore_create,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *obj),
	TP_ARGS(heap, obj));

DEFINE_EVENT(refstore_object, refstore_free,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *obj),
	TP_ARGS(heap, obj));

DEFINE_EVENT(refstore_object, refstore_candidate,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *obj),
	TP_ARGS(heap, obj));

TRACE_EVENT(refstore_label,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *obj,
		 const char *label),
	TP_ARGS(heap, obj, label),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, id)
		__array(char, label, REFSTORE_LABEL_MAX)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->id = obj->id;
		memcpy(__entry->label, label, REFSTORE_LABEL_MAX);
	),
	TP_printk("heap=%llu id=%llu label=%s",
		  __entry->heap, __entry->id, __entry->label)
);

DECLARE_EVENT_CLASS(refstore_edge,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *from,
		 u32 slot, const struct rs_object *to),
	TP_ARGS(heap, from, slot, to),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u64, from)
		__field(u64, to)
		__field(u32, slot)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->from = from->id;
		__entry->to = to->id;
		__entry->slot = slot;
	),
	TP_printk("heap=%llu from=%llu slot=%u to=%llu",
		  __entry->heap, __entry->from, __entry->slot, __entry->to)
);

DEFINE_EVENT(refstore_edge, refstore_link,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *from,
		 u32 slot, const struct rs_object *to),
	TP_ARGS(heap, from, slot, to));

DEFINE_EVENT(refstore_edge, refstore_unlink,
	TP_PROTO(const struct rs_heap *heap, const struct rs_object *from,
		 u32 slot, const struct rs_object *to),
	TP_ARGS(heap, from, slot, to));

TRACE_EVENT(refstore_scan_begin,
	TP_PROTO(const struct rs_heap *heap, u32 scan, u32 generation,
		 u32 trigger),
	TP_ARGS(heap, scan, generation, trigger),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u32, scan)
		__field(u32, generation)
		__field(u32, trigger)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->scan = scan;
		__entry->generation = generation;
		__entry->trigger = trigger;
	),
	TP_printk("heap=%llu scan=%u generation=%u trigger=%s",
		  __entry->heap, __entry->scan, __entry->generation,
		  __print_symbolic(__entry->trigger,
				   { 1, "threshold" }, { 2, "delay" },
				   { 3, "collect" }, { 4, "pressure" }))
);

DECLARE_EVENT_CLASS(refstore_component,
	TP_PROTO(const struct rs_heap *heap, u32 scan, u32 members),
	TP_ARGS(heap, scan, members),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u32, scan)
		__field(u32, members)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->scan = scan;
		__entry->members = members;
	),
	TP_printk("heap=%llu scan=%u members=%u",
		  __entry->heap, __entry->scan, __entry->members)
);

DEFINE_EVENT(refstore_component, refstore_scan_commit,
	TP_PROTO(const struct rs_heap *heap, u32 scan, u32 members),
	TP_ARGS(heap, scan, members));

DEFINE_EVENT(refstore_component, refstore_scan_abort,
	TP_PROTO(const struct rs_heap *heap, u32 scan, u32 members),
	TP_ARGS(heap, scan, members));

TRACE_EVENT(refstore_scan_end,
	TP_PROTO(const struct rs_heap *heap, u32 scan, u32 generation,
		 const struct rs_scan_figures *figures),
	TP_ARGS(heap, scan, generation, figures),
	TP_STRUCT__entry(
		__field(u64, heap)
		__field(u32, scan)
		__field(u32, generation)
		__field(u64, visited)
		__field(u64, reclaimed)
		__field(u64, aborted)
		__field(u64, nanoseconds)
	),
	TP_fast_assign(
		__entry->heap = heap->number;
		__entry->scan = scan;
		__entry->generation = generation;
		__entry->visited = figures->visited;
		__entry->reclaimed = figures->reclaimed;
		__entry->aborted = figures->aborted;
		__entry->nanoseconds = figures->nanoseconds;
	),
	TP_printk("heap=%llu scan=%u generation=%u visited=%llu reclaimed=%llu aborted=%llu ns=%llu",
		  __entry->heap, __entry->scan, __entry->generation,
		  __entry->visited, __entry->reclaimed, __entry->aborted,
		  __entry->nanoseconds)
);

#endif /* RS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
