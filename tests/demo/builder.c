// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process A. Cycles make it two steps: all objects, with empty slots; then what
 * the slots refer to. Each step is a series of batches.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo.h"

/* Operations, or slots, of a batch. */
#define BATCH_OPS	4096
#define BATCH_SLOTS	65536

/**
 * struct build - a graph on its way into the heap
 * @store: the session
 * @graph: the graph
 * @types: numbers of the graph's types
 * @handles: handles of its objects
 * @values: room for what the slots of one object refer to
 * @batch: the batch
 * @places: for each operation of the batch, the object's place in the graph
 * @nr_ops: operations in the batch
 * @nr_slots: slots that it writes
 * @nr_batches: batches so far
 */
struct build {
	struct refstore *store;
	const struct graph *graph;
	uint32_t *types;
	uint64_t *handles;
	uint64_t *values;
	struct refstore_builder *batch;
	size_t places[BATCH_OPS];
	size_t nr_ops;
	size_t nr_slots;
	unsigned int nr_batches;
};

static void *array_of(size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	if (!array)
		err(EXIT_FAILURE, "no memory");
	return array;
}

static void begin(struct build *build, const struct graph *graph)
{
	size_t most = 0;
	size_t i;

	build->graph = graph;
	build->types = array_of(graph->nr_types, sizeof(*build->types));
	build->handles = array_of(graph->nr_objects, sizeof(*build->handles));
	for (i = 0; i < graph->nr_objects; i++)
		if (graph->objects[i].nr_slots > most)
			most = graph->objects[i].nr_slots;
	build->values = array_of(most, sizeof(*build->values));
	must(refstore_open_heap(DEMO_HEAP, O_RDWR | O_CREAT | O_EXCL, 0600,
				&build->store), "make " DEMO_HEAP);
	must(refstore_builder_new(&build->batch), "begin a batch");
}

static void register_types(struct build *build)
{
	size_t i;

	for (i = 0; i < build->graph->nr_types; i++)
		must(refstore_type_register(build->store,
					    build->graph->types[i],
					    &build->types[i]),
		     "register a type");
}

/* Runs the batch; @finish looks at each operation that was done. */
static void submit(struct build *build,
		   void (*finish)(struct build *build, size_t index))
{
	ssize_t failed = refstore_builder_submit(build->batch, build->store, 0);
	size_t i;

	must((int)failed, "run a batch");
	for (i = 0; i < build->nr_ops; i++) {
		must(refstore_builder_error(build->batch, i),
		     "run an operation of a batch");
		finish(build, i);
	}
	refstore_builder_reset(build->batch);
	build->nr_ops = 0;
	build->nr_slots = 0;
	build->nr_batches++;
}

static bool add_object(struct build *build, size_t place)
{
	const struct graph_object *object = &build->graph->objects[place];
	const struct refstore_spec spec = {
		.type = build->types[object->type],
		.flags = object->flags & GRAPH_SLOTTED ?
			 REFSTORE_CREATE_SLOTTED : 0,
		.data = build->graph->data + object->data,
		.data_len = object->data_len,
		.nr_slots = object->nr_slots,
	};

	refstore_builder_create(build->batch, &spec);
	return true;
}

static void finish_object(struct build *build, size_t index)
{
	size_t place = build->places[index];
	const struct refstore_op *op = refstore_builder_op(build->batch, index);

	build->handles[place] = op->create.result;
	/* So that the keeper can tell which object is which. */
	if (op->create.id != build->graph->objects[place].id)
		errx(EXIT_FAILURE, "ids are not given out in order");
}

static void gather(struct build *build, const struct graph_object *object)
{
	const uint64_t *slots = build->graph->slots + object->slots;
	size_t i;

	for (i = 0; i < object->nr_slots; i++)
		build->values[i] = slots[i] == GRAPH_NONE ?
				   0 : build->handles[slots[i]];
}

static bool add_slots(struct build *build, size_t place)
{
	const struct graph_object *object = &build->graph->objects[place];

	if (!object->nr_slots)
		return false;
	gather(build, object);
	refstore_builder_write_slots(build->batch, build->handles[place], 0,
				     build->values, object->nr_slots);
	build->nr_slots += object->nr_slots;
	return true;
}

/* The kernel may stop within the slots of an object. */
static void finish_slots(struct build *build, size_t index)
{
	size_t place = build->places[index];
	const struct graph_object *object = &build->graph->objects[place];
	size_t done = refstore_builder_op(build->batch, index)->slots.done;

	if (done == object->nr_slots)
		return;
	gather(build, object);
	must(refstore_write_slots(build->store, build->handles[place], done,
				  build->values + done,
				  object->nr_slots - done),
	     "write slots");
}

static void step(struct build *build,
		 bool (*add)(struct build *build, size_t place),
		 void (*finish)(struct build *build, size_t index))
{
	size_t i;

	build->nr_batches = 0;
	for (i = 0; i < build->graph->nr_objects; i++) {
		if (!add(build, i))
			continue;
		build->places[build->nr_ops++] = i;
		if (build->nr_ops == BATCH_OPS ||
		    build->nr_slots >= BATCH_SLOTS)
			submit(build, finish);
	}
	if (build->nr_ops)
		submit(build, finish);
}

static void build_graph(struct build *build, const struct totals *all)
{
	double start = now();

	register_types(build);
	step(build, add_object, finish_object);
	say_timed(start, "A: %s objects of %zu types, %s bytes, in %u batches",
		  grouped(all->objects), build->graph->nr_types,
		  grouped(all->bytes), build->nr_batches);
	start = now();
	step(build, add_slots, finish_slots);
	say_timed(start, "A: %s references, in %u batches",
		  grouped(all->references), build->nr_batches);
}

/* The last object in the root, all by itself. */
static void send_last(struct build *build, int socket)
{
	const struct graph *graph = build->graph;
	const struct graph_object *root = &graph->objects[graph->root];
	uint64_t last = graph->slots[root->slots + root->nr_slots - 1];
	int fd = refstore_export(build->store, build->handles[last],
				 REFSTORE_RIGHTS);

	must(fd, "export an object");
	must(refstore_send_fd(socket, fd), "send an object");
	close(fd);
}

void builder_run(const struct input *input, int socket, int ready)
{
	static struct build build;
	uint64_t root = input->graph.root;

	begin(&build, &input->graph);
	build_graph(&build, &input->all);
	must(refstore_set_root(build.store, build.handles[root]),
	     "set the root");
	send_last(&build, socket);
	say("A: makes the tuple the root, sends its last object to B, keeps its handles");
	if (write(ready, "", 1) != 1)
		err(EXIT_FAILURE, "cannot say that it is built");
	for (;;)
		pause();
}
