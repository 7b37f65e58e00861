// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process B. It knows the graph from its file, and compares the heap with that:
 * what the store tells in a walk must be the same, object by object, slot by
 * slot.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

/* Disagreements that are told in full. */
#define TOLD 5

/* As REFSTORE_QUERY says. */
#define MOST_DATA 65536

/**
 * struct keeper - process B
 * @input: the graph, and what must be left
 * @socket: leads to A, which has sent an object
 * @store: its session
 * @handles: what it took
 * @nr_handles: how many
 * @disagreements: so far
 */
struct keeper {
	const struct input *input;
	int socket;
	struct refstore *store;
	uint64_t *handles;
	size_t nr_handles;
	uint64_t disagreements;
};

static void disagree(struct keeper *keeper, uint64_t id, const char *what)
{
	if (++keeper->disagreements <= TOLD)
		say("B: object %" PRIu64 ": %s", id, what);
}

/* The graph's object with that id; NULL if it should not be there. */
static const struct graph_object *
expected_object(const struct keeper *keeper, uint64_t id, bool all)
{
	const struct input *input = keeper->input;

	if (!id || id > input->graph.nr_objects)
		return NULL;
	return all || input->keep[id - 1] ? &input->graph.objects[id - 1] :
					    NULL;
}

/* It outlived who wrote it: is it still what that wrote? */
static bool same_data(struct keeper *keeper, uint64_t handle,
		      const struct graph_object *object)
{
	static unsigned char data[MOST_DATA];
	ssize_t length = refstore_read(keeper->store, handle, 0, data,
				       sizeof(data));

	must((int)length, "read data");
	return (size_t)length == object->data_len &&
	       !memcmp(data, keeper->input->graph.data + object->data,
		       object->data_len);
}

static bool same_type(struct keeper *keeper, uint32_t type, const char *name)
{
	char found[REFSTORE_TYPE_NAME_MAX];

	return !refstore_type_name(keeper->store, type, found) &&
	       !strcmp(found, name);
}

/* What is wrong with an object; NULL if nothing is. */
static const char *difference(struct keeper *keeper,
			      const struct refstore_walk_object *found,
			      bool all)
{
	const struct graph_object *object =
		expected_object(keeper, found->id, all);

	if (!object)
		return "should not be there";
	if (!same_type(keeper, found->type,
		       keeper->input->graph.types[object->type]))
		return "another type";
	if (found->nr_slots != object->nr_slots ||
	    !(found->state & REFSTORE_STATE_SLOTTED) !=
	    !(object->flags & GRAPH_SLOTTED))
		return "another number of slots";
	if (found->data_len != object->data_len)
		return "another length of data";
	if (found->handle && !same_data(keeper, found->handle, object))
		return "other data";
	return NULL;
}

static void compare_object(struct keeper *keeper,
			   const struct refstore_walk_object *found, bool all)
{
	const char *what = difference(keeper, found, all);

	if (what)
		disagree(keeper, found->id, what);
	if (found->handle)
		must(refstore_release(keeper->store, found->handle),
		     "release a handle");
}

static void compare_objects(struct keeper *keeper, struct totals *total,
			    bool all)
{
	/* A handle is for reading the data, which matters once A is dead. */
	const unsigned int flags = all ? 0 : REFSTORE_WALK_MINT;
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret;

	must(refstore_iter_objects(keeper->store, flags, &iter),
	     "walk objects");
	while ((ret = refstore_iter_next_object(iter, &object)) == 1) {
		total->objects++;
		total->bytes += object.data_len;
		compare_object(keeper, &object, all);
	}
	must(ret, "walk objects");
	refstore_iter_free(iter);
}

static void compare_edge(struct keeper *keeper,
			 const struct refstore_walk_edge *edge, bool all)
{
	const struct graph_object *object =
		expected_object(keeper, edge->from, all);
	const uint64_t *slots = keeper->input->graph.slots;

	if (!object || edge->index >= object->nr_slots)
		disagree(keeper, edge->from, "a slot that should not be there");
	else if (slots[object->slots + edge->index] != edge->to - 1)
		disagree(keeper, edge->from, "a slot refers to another object");
}

static void compare_edges(struct keeper *keeper, struct totals *total, bool all)
{
	struct refstore_walk_edge edge;
	struct refstore_iter *iter;
	int ret;

	must(refstore_iter_edges(keeper->store, &iter), "walk references");
	while ((ret = refstore_iter_next_edge(iter, &edge)) == 1) {
		total->references++;
		compare_edge(keeper, &edge, all);
	}
	must(ret, "walk references");
	refstore_iter_free(iter);
}

static bool compare(struct keeper *keeper, struct totals *found, bool all)
{
	double start = now();

	keeper->disagreements = 0;
	compare_objects(keeper, found, all);
	compare_edges(keeper, found, all);
	say_timed(start, "B: finds %s objects, %s references, %s bytes",
		  grouped(found->objects), grouped(found->references),
		  grouped(found->bytes));
	say("B: each compared with the file (%s): %s differences",
	    all ? "type, size, references" : "type, data, references",
	    grouped(keeper->disagreements));
	return !keeper->disagreements;
}

static bool open_heap(struct keeper *keeper)
{
	must(refstore_open_heap(DEMO_HEAP, O_RDWR, 0, &keeper->store),
	     "open " DEMO_HEAP);
	say("B: opens " DEMO_HEAP);
	return true;
}

/* All but the last one, which A has sent. */
static bool take(struct keeper *keeper)
{
	struct refstore_stat stat;
	uint64_t root;

	must(refstore_get_root(keeper->store, &root), "get the root");
	must(refstore_stat(keeper->store, root, &stat), "look at the root");
	keeper->nr_handles = stat.nr_slots;
	keeper->handles = calloc(stat.nr_slots, sizeof(*keeper->handles));
	if (!keeper->handles)
		err(EXIT_FAILURE, "no memory");
	must(refstore_read_slots(keeper->store, root, 0, keeper->handles,
				 stat.nr_slots - 1), "read the root's slots");
	must(refstore_release(keeper->store, root), "release the root");
	must(refstore_set_root(keeper->store, 0), "clear the root");
	say("B: takes handles to %zu of the %zu objects in the root, clears the root",
	    keeper->nr_handles - 1, keeper->nr_handles);
	return true;
}

/* It was on its way while A died. */
static bool receive(struct keeper *keeper)
{
	int fd = refstore_recv_fd(keeper->socket);

	must(fd, "receive an object");
	must(refstore_import(keeper->store, fd,
			     &keeper->handles[keeper->nr_handles - 1]),
	     "import an object");
	close(fd);
	say("B: takes the last one out of the socket, where A has left it");
	return true;
}

/* Of the first call's figures, some are those of the scan that ran before. */
static bool collect(struct keeper *keeper)
{
	struct refstore_collect result;
	double start;

	must(refstore_collect(keeper->store, REFSTORE_OLDEST, &result), "collect");
	start = now();
	must(refstore_collect(keeper->store, REFSTORE_OLDEST, &result), "collect");
	say_timed(start, "B: asks for another scan, which frees %s objects",
		  grouped(result.reclaimed));
	return !result.reclaimed;
}

static bool let_go(struct keeper *keeper)
{
	struct refstore_collect result;
	double start = now();
	size_t i;

	for (i = 0; i < keeper->nr_handles; i++)
		must(refstore_release(keeper->store, keeper->handles[i]),
		     "release a handle");
	must(refstore_collect(keeper->store, REFSTORE_OLDEST, &result), "collect");
	say_timed(start, "B: lets go of its handles, asks for a scan");
	return true;
}

static void obey(struct keeper *keeper, enum order order, struct answer *answer)
{
	switch (order) {
	case ORDER_OPEN:
		answer->agreed = open_heap(keeper);
		break;
	case ORDER_COMPARE_ALL:
		answer->agreed = compare(keeper, &answer->found, true);
		break;
	case ORDER_TAKE:
		answer->agreed = take(keeper);
		break;
	case ORDER_RECEIVE:
		answer->agreed = receive(keeper);
		break;
	case ORDER_COMPARE_KEPT:
		answer->agreed = compare(keeper, &answer->found, false);
		break;
	case ORDER_COLLECT:
		answer->agreed = collect(keeper);
		break;
	case ORDER_LET_GO:
		answer->agreed = let_go(keeper);
		break;
	case ORDER_END:
		refstore_close(keeper->store);
		exit(EXIT_SUCCESS);
	}
}

void keeper_run(const struct input *input, int socket, int orders)
{
	struct keeper keeper = { .input = input, .socket = socket };
	enum order order;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		struct answer answer = {};

		obey(&keeper, order, &answer);
		if (write(orders, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	/* The driver is gone. */
	exit(EXIT_FAILURE);
}
