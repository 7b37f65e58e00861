// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that the kernel states of a heap is counted once more, from what
 * it lists: references to each object, and the totals.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "command.h"
#include "idmap.h"
#include "out.h"
#include "sum.h"
#include "table.h"
#include "target.h"

/* How often to look whether a heap is in use that seems to be wrong. */
#define LOOKS 16

/**
 * struct found - what was found of an object
 * @id: its id
 * @stated: references, as the kernel says
 * @counted: references that were met
 * @nr_slots: number of its slots
 * @saturated: its count has been given up
 * @immortal: it has none
 */
struct found {
	uint64_t id;
	uint32_t stated;
	uint32_t counted;
	uint32_t nr_slots;
	bool saturated;
	bool immortal;
};

/**
 * struct total - objects and bytes, of a type or of the heap
 * @objects: how many
 * @bytes: how large they are together
 */
struct total {
	uint64_t objects;
	uint64_t bytes;
};

/**
 * struct verify - a heap being verified
 * @store: a session on it, which holds nothing
 * @heap: its number
 * @found: its objects
 * @nr_found: number of objects
 * @found_room: room in @found
 * @places: from ids to @found
 * @types: totals by type
 * @nr_types: number of types that there is room for
 * @total: of all objects
 * @large: of the data of large ones
 * @edges: slots that are not empty
 * @handles: handles of all sessions that are not weak
 * @weak: those that are: what the kernel states of handles, less these
 * @saved: references that the heap has on garbage
 * @saturated: objects that are saturated
 * @disagreements: so far
 * @sum: what it contained at first, see sum.h
 * @in_use: it changed meanwhile
 * @hidden: the kernel's totals of it are not shown to us
 */
struct verify {
	struct refstore *store;
	uint64_t heap;
	struct found *found;
	size_t nr_found;
	size_t found_room;
	struct idmap places;
	struct total *types;
	uint32_t nr_types;
	struct total total;
	struct total large;
	uint64_t edges;
	uint64_t handles;
	uint64_t weak;
	uint64_t saved;
	uint64_t saturated;
	uint64_t disagreements;
	uint64_t sum;
	bool in_use;
	bool hidden;
};

/*
 * Saying what disagrees: a subject, which is an object by its id, or a type by
 * its name, or the heap; what is said of it; and two numbers.
 */

static void open_finding(struct verify *verify, const char *what)
{
	verify->disagreements++;
	out_open_object(NULL);
	out_json_string("what", what);
}

static void close_finding(const char *what, uint64_t stated, uint64_t counted)
{
	out_text("%s: ", what);
	out_number("stated", "stated %" PRIu64, stated);
	out_number("counted", ", counted %" PRIu64 "\n", counted);
	out_close_object();
}

static void object_disagrees(struct verify *verify, uint64_t id,
			     const char *what, uint64_t stated,
			     uint64_t counted)
{
	open_finding(verify, what);
	out_number("id", "object %" PRIu64 ", ", id);
	close_finding(what, stated, counted);
}

static void check_heap_number(struct verify *verify, const char *what,
			      uint64_t stated, uint64_t counted)
{
	if (stated == counted)
		return;
	open_finding(verify, what);
	out_number("heap", "heap %" PRIu64 ", ", verify->heap);
	close_finding(what, stated, counted);
}

static void check_type_number(struct verify *verify, const char *type,
			      const char *what, uint64_t stated,
			      uint64_t counted)
{
	if (stated == counted)
		return;
	open_finding(verify, what);
	out_string("type", "type %s, ", type);
	close_finding(what, stated, counted);
}

/* A reference from or to something that is not there. */
static void reference_disagrees(struct verify *verify, const char *what,
				uint64_t from, uint64_t to)
{
	open_finding(verify, what);
	out_text("%s: ", what);
	out_number("from", "from %" PRIu64, from);
	out_number("to", " to object %" PRIu64 "\n", to);
	out_close_object();
}

/*
 * Walking
 */

static void add_total(struct total *total, uint64_t bytes)
{
	total->objects++;
	total->bytes += bytes;
}

static int add_type(struct verify *verify,
		    const struct refstore_walk_object *object)
{
	if (object->type >= verify->nr_types) {
		object_disagrees(verify, object->id, "number of its type",
				 object->type, verify->nr_types);
		return 0;
	}
	add_total(&verify->types[object->type], object->bytes);
	return 0;
}

/* The data of a large object is charged in pages, and for so much at least. */
static void add_large(struct verify *verify,
		      const struct refstore_walk_object *object)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes = (object->data_len + page - 1) / page * page;

	if (!(object->state & REFSTORE_STATE_LARGE))
		return;
	if (bytes < REFSTORE_MIN_LARGE)
		bytes = REFSTORE_MIN_LARGE;
	add_total(&verify->large, bytes);
}

static int add_object(struct verify *verify,
		      const struct refstore_walk_object *object)
{
	struct found *found;
	int ret;

	found = array_reserve(verify->found, &verify->found_room,
			      verify->nr_found + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	verify->found = found;
	ret = idmap_add(&verify->places, object->id, verify->nr_found);
	if (ret == -EEXIST) {
		object_disagrees(verify, object->id, "times listed", 1, 2);
		return 0;
	}
	if (ret)
		return ret;
	found[verify->nr_found++] = (struct found){
		.id = object->id,
		.stated = object->refs,
		/* Garbage that was kept: by a reference of the heap's own. */
		.counted = !!(object->state & REFSTORE_STATE_SAVED),
		.nr_slots = object->nr_slots,
		.saturated = object->state & REFSTORE_STATE_SATURATED,
		.immortal = object->state & REFSTORE_STATE_IMMORTAL,
	};
	verify->saved += !!(object->state & REFSTORE_STATE_SAVED);
	add_total(&verify->total, object->bytes);
	add_large(verify, object);
	return add_type(verify, object);
}

static int walk_objects(struct verify *verify)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_objects(verify->store, 0, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		ret = add_object(verify, &object);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

static struct found *find(const struct verify *verify, uint64_t id)
{
	size_t place = idmap_find(&verify->places, id);

	return place == IDMAP_NONE ? NULL : &verify->found[place];
}

static void add_edge(struct verify *verify,
		     const struct refstore_walk_edge *edge)
{
	const struct found *from = find(verify, edge->from);
	struct found *to = find(verify, edge->to);

	verify->edges++;
	if (!from)
		reference_disagrees(verify, "slot of no object", edge->from,
				    edge->to);
	else if (edge->index >= from->nr_slots)
		object_disagrees(verify, edge->from, "number of slots",
				 from->nr_slots, (uint64_t)edge->index + 1);
	if (to)
		to->counted++;
	else
		reference_disagrees(verify, "slot that refers to no object",
				    edge->from, edge->to);
}

static int walk_edges(struct verify *verify)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret = refstore_iter_edges(verify->store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1)
		add_edge(verify, &edge);
	refstore_iter_free(iter);
	return ret;
}

static int walk_handles(struct verify *verify, struct refstore_iter *iter,
			const char *what, uint64_t *count)
{
	struct refstore_walk_handle handle;
	int ret;

	while ((ret = refstore_iter_next_handle(iter, &handle)) == 1) {
		struct found *found = find(verify, handle.id);

		++*count;
		if (found)
			found->counted++;
		else
			reference_disagrees(verify, what, handle.session,
					    handle.id);
	}
	refstore_iter_free(iter);
	return ret;
}

static int walk_roots_and_handles(struct verify *verify)
{
	struct refstore_iter *iter;
	uint64_t roots = 0;
	int ret = refstore_iter_handles(verify->store, &iter);

	if (!ret)
		ret = walk_handles(verify, iter, "handle of no object",
				   &verify->handles);
	if (!ret)
		ret = refstore_iter_roots(verify->store, &iter);
	if (!ret)
		ret = walk_handles(verify, iter, "root that is no object",
				   &roots);
	return ret;
}

/*
 * Comparing
 */

static void check_references(struct verify *verify)
{
	size_t i;

	for (i = 0; i < verify->nr_found; i++) {
		const struct found *found = &verify->found[i];

		if (found->saturated)
			verify->saturated++;
		else if (!found->immortal && found->stated != found->counted)
			object_disagrees(verify, found->id, "references",
					 found->stated, found->counted);
	}
}

/* Weak handles are handles, but no walk lists them. */
static void check_handles(struct verify *verify, uint64_t stated)
{
	if (stated < verify->handles)
		check_heap_number(verify, "handles", stated, verify->handles);
	else
		verify->weak = stated - verify->handles;
}

static void check_totals(struct verify *verify, const struct table *heaps,
			 size_t row)
{
	check_heap_number(verify, "objects",
			  table_number(heaps, row, "objects"),
			  verify->total.objects);
	check_heap_number(verify, "bytes", table_number(heaps, row, "bytes"),
			  verify->total.bytes);
	check_heap_number(verify, "large objects",
			  table_number(heaps, row, "large"),
			  verify->large.objects);
	check_heap_number(verify, "bytes of large objects",
			  table_number(heaps, row, "large_bytes"),
			  verify->large.bytes);
	check_handles(verify, table_number(heaps, row, "handles"));
}

static int check_heap(struct verify *verify)
{
	struct table heaps;
	size_t i;

	if (table_open(&heaps, "heaps"))
		return -1;
	for (i = 0; i < heaps.nr_rows; i++)
		if (table_number(&heaps, i, "heap") == verify->heap)
			break;
	verify->hidden = i == heaps.nr_rows;
	if (!verify->hidden)
		check_totals(verify, &heaps, i);
	table_free(&heaps);
	return 0;
}

/* The total of a type in the file's rows; 0 where it has none. */
static struct total stated_total(const struct table *types, uint64_t heap,
				 uint32_t type)
{
	struct total total = {};
	size_t i;

	for (i = 0; i < types->nr_rows; i++) {
		if (table_number(types, i, "heap") != heap ||
		    table_number(types, i, "type") != type)
			continue;
		total.objects = table_number(types, i, "objects");
		total.bytes = table_number(types, i, "bytes");
		break;
	}
	return total;
}

static int check_types(struct verify *verify)
{
	struct table types;
	uint32_t i;

	if (table_open(&types, "types"))
		return -1;
	for (i = 0; i < verify->nr_types; i++) {
		char name[REFSTORE_TYPE_NAME_MAX];
		struct total stated;

		if (refstore_type_name(verify->store, i, name))
			continue;
		stated = stated_total(&types, verify->heap, i);
		check_type_number(verify, name, "objects", stated.objects,
				  verify->types[i].objects);
		check_type_number(verify, name, "bytes", stated.bytes,
				  verify->types[i].bytes);
	}
	table_free(&types);
	return 0;
}

static int begin(struct verify *verify)
{
	struct refstore_query query;
	int ret = refstore_query(verify->store, &query);

	if (ret)
		return ret;
	verify->heap = query.heap;
	verify->nr_types = query.max_types;
	verify->types = calloc(verify->nr_types, sizeof(*verify->types));
	if (!verify->types)
		return -ENOMEM;
	ret = refstore_collect(verify->store, REFSTORE_OLDEST, NULL);
	return ret ? ret : sum_heap(verify->store, &verify->sum);
}

/*
 * Has anything changed since? One look does where all agrees. Where something
 * does not, more are worth while: somebody who takes and gives back the same
 * handle again and again may leave all as it was at any single look.
 */
static int look_again(struct verify *verify)
{
	int looks = verify->disagreements ? LOOKS : 1;
	uint64_t sum;
	int ret = 0;

	while (!ret && !verify->in_use && looks--) {
		ret = sum_heap(verify->store, &sum);
		verify->in_use = !ret && sum != verify->sum;
	}
	return ret;
}

static int walk(struct verify *verify)
{
	int ret = walk_objects(verify);

	if (!ret)
		ret = walk_edges(verify);
	if (!ret)
		ret = walk_roots_and_handles(verify);
	return ret;
}

/* What the kernel states, against what was found. */
static int compare(struct verify *verify)
{
	int ret;

	check_references(verify);
	ret = check_heap(verify);
	if (!ret && verify->hidden)
		warnx("the heap is somebody else's, whose totals are not shown:"
		      " they were not compared");
	return ret || verify->hidden ? ret : check_types(verify);
}

static void print_totals(const struct verify *verify)
{
	out_count("objects", "", verify->total.objects, "object");
	out_count("bytes", " of ", verify->total.bytes, "byte");
	out_count("edges", ", ", verify->edges, "edge");
	out_count("handles", ", ", verify->handles, "handle");
	out_number("weak", ", %" PRIu64 " weak", verify->weak);
	out_number("saved", ", %" PRIu64 " saved", verify->saved);
	out_number("saturated", ", %" PRIu64 " saturated", verify->saturated);
	out_text(": %" PRIu64 " disagreement%s\n", verify->disagreements,
		 verify->disagreements == 1 ? "" : "s");
}

/* 0, or a negative number after it has said why it could not go on. */
static int verify_heap(struct verify *verify)
{
	int ret = begin(verify);

	out_open_object(NULL);
	out_json_number("heap", verify->heap);
	out_open_array("disagreements");
	if (!ret)
		ret = walk(verify);
	if (ret)
		warnx("cannot verify: %s", strerror(-ret));
	else
		ret = compare(verify);
	out_close_array();
	if (!ret)
		print_totals(verify);
	out_close_object();
	return ret;
}

/* Says so if the heap was in use, or if that could not be found out. */
static int warn_of_use(struct verify *verify)
{
	int ret = look_again(verify);

	/* The warning is of what is above it. */
	fflush(stdout);
	if (ret)
		warnx("cannot tell whether the heap was in use: %s",
		      strerror(-ret));
	else if (verify->in_use)
		warnx("the heap was in use meanwhile: what is above may be "
		      "wrong");
	return ret;
}

static int run_verify(const struct arguments *arguments)
{
	struct verify verify = {};
	int ret;

	if (target_open_writable(arguments, &verify.store))
		return STATUS_FAILED;
	ret = verify_heap(&verify);
	if (!ret)
		ret = warn_of_use(&verify);
	refstore_close(verify.store);
	free(verify.found);
	free(verify.types);
	idmap_free(&verify.places);
	return ret || verify.disagreements || verify.in_use ? STATUS_FAILED :
							      STATUS_OK;
}

const struct command command_verify = {
	.name = "verify",
	.usage = "",
	.summary = "Check a heap's counts against what it contains",
	.help = "Collects cycles, then counts the references to each object:\n"
		"slots, handles of all sessions, the root, the heap's own on\n"
		"saved garbage. Prints where that is not what the kernel\n"
		"states, and where objects, bytes, handles, types and large\n"
		"values add up to something else. Saturated objects have no\n"
		"exact count and are left out; handles that are not listed\n"
		"are weak ones. Totals are compared where they are shown: to\n"
		"the heap's owner and to root.\n"
		"\n"
		"The heap must be quiet. If it was in use meanwhile, what was\n"
		"printed may be wrong: then the last line on standard error\n"
		"says so, and the exit status is 1.\n",
	.session = true,
	.run = run_verify,
};
