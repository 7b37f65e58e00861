// SPDX-License-Identifier: GPL-2.0-only
/*
 * In steps over all objects: create them, with a handle each; let their slots
 * refer to each other; seal them; and, when the root is set, let them go. A
 * step runs in batches, cut so that they are small beside the graph. Large objects
 * are created and sealed before, one by one, as that takes several calls each.
 * Objects that are immortal would stay if something failed: of those that are
 * created in batches, they are the last.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "restore.h"

/* Operations, or slots, after which a batch is submitted. */
#define BATCH_OPS 4096
#define BATCH_SLOTS 65536

/**
 * struct restore - a graph on its way into a heap
 * @store: a session on the heap
 * @graph: the graph
 * @types: numbers of the graph's types
 * @handles: handles of its objects
 * @values: room for the handles in the slots of one object
 * @builder: the batch
 * @objects: for each operation of the batch, the object's place
 * @nr_ops: number of operations in the batch
 * @nr_slots: number of slots that it writes
 */
struct restore {
	struct refstore *store;
	const struct graph *graph;
	uint32_t *types;
	uint64_t *handles;
	uint64_t *values;
	struct refstore_builder *builder;
	uint64_t objects[BATCH_OPS];
	size_t nr_ops;
	size_t nr_slots;
};

/**
 * struct step - what is done to each object
 * @what: the same in words
 * @add: adds the operation to the batch, if this object needs one; says so
 * @finish: looks at an operation that was done; returns a negative errno if it
 *          is not all right; or NULL
 */
struct step {
	const char *what;
	bool (*add)(struct restore *restore, uint64_t place);
	int (*finish)(struct restore *restore, size_t index);
};

/* REFSTORE_SEAL_* of what is sealed. */
static unsigned int seals_of(const struct graph_object *object)
{
	unsigned int seals = 0;

	if (object->flags & GRAPH_SEALED_DATA)
		seals |= REFSTORE_SEAL_DATA;
	if (object->flags & GRAPH_SEALED_SLOTS)
		seals |= REFSTORE_SEAL_SLOTS;
	return seals;
}

static int create_large(struct restore *restore, uint64_t place)
{
	const struct graph *graph = restore->graph;
	const struct graph_object *object = &graph->objects[place];
	uint64_t *handle = &restore->handles[place];
	unsigned int seals = seals_of(object);
	int fd, ret;

	ret = refstore_large_new(restore->store, restore->types[object->type],
				 object->data_len, handle, &fd);
	if (ret)
		return ret;
	close(fd);
	ret = refstore_write(restore->store, *handle, 0,
			     graph->data + object->data, object->data_len);
	if (!ret && seals)
		ret = refstore_seal(restore->store, *handle, seals);
	return ret;
}

static unsigned int create_flags(const struct graph_object *object)
{
	unsigned int flags = 0;

	if (object->flags & GRAPH_SLOTTED)
		flags |= REFSTORE_CREATE_SLOTTED;
	if (object->flags & GRAPH_INTERNED)
		flags |= REFSTORE_CREATE_INTERN;
	if (object->flags & GRAPH_IMMORTAL)
		flags |= REFSTORE_CREATE_IMMORTAL;
	return flags;
}

static void create(struct restore *restore, const struct graph_object *object)
{
	struct refstore_spec spec = {
		.type = restore->types[object->type],
		.flags = create_flags(object),
		.nr_slots = object->nr_slots,
	};

	if (object->data_len) {
		spec.data = restore->graph->data + object->data;
		spec.data_len = object->data_len;
	}
	refstore_builder_create(restore->builder, &spec);
}

static bool add_create(struct restore *restore, uint64_t place)
{
	const struct graph_object *object = &restore->graph->objects[place];

	if (object->flags & (GRAPH_LARGE | GRAPH_IMMORTAL))
		return false;
	create(restore, object);
	return true;
}

static bool add_immortal(struct restore *restore, uint64_t place)
{
	const struct graph_object *object = &restore->graph->objects[place];

	if (!(object->flags & GRAPH_IMMORTAL))
		return false;
	create(restore, object);
	return true;
}

static int finish_create(struct restore *restore, size_t index)
{
	restore->handles[restore->objects[index]] =
		refstore_builder_result(restore->builder, index);
	return 0;
}

/* Gathers in @values what an object's slots shall refer to: is it anything? */
static bool gather(struct restore *restore, const struct graph_object *object)
{
	const uint64_t *slots = restore->graph->slots + object->slots;
	bool any = false;
	size_t i;

	for (i = 0; i < object->nr_slots; i++) {
		uint64_t place = slots[i];
		bool empty = place == GRAPH_NONE;

		restore->values[i] = empty ? 0 : restore->handles[place];
		any |= !empty;
	}
	return any;
}

static bool add_slots(struct restore *restore, uint64_t place)
{
	const struct graph_object *object = &restore->graph->objects[place];

	if (!gather(restore, object))
		return false;
	refstore_builder_write_slots(restore->builder, restore->handles[place],
				     0, restore->values, object->nr_slots);
	restore->nr_slots += object->nr_slots;
	return true;
}

/* The kernel may have stopped within the slots of an object. */
static int finish_slots(struct restore *restore, size_t index)
{
	uint64_t place = restore->objects[index];
	const struct graph_object *object = &restore->graph->objects[place];
	const struct refstore_op *op =
		refstore_builder_op(restore->builder, index);
	size_t done = op->slots.done;

	if (done == object->nr_slots)
		return 0;
	gather(restore, object);
	return refstore_write_slots(restore->store, restore->handles[place],
				    done, restore->values + done,
				    object->nr_slots - done);
}

static bool add_seal(struct restore *restore, uint64_t place)
{
	const struct graph_object *object = &restore->graph->objects[place];
	unsigned int seals = seals_of(object);

	if (object->flags & GRAPH_LARGE || !seals)
		return false;
	refstore_builder_seal(restore->builder, restore->handles[place],
			      seals);
	return true;
}

static bool add_release(struct restore *restore, uint64_t place)
{
	refstore_builder_release(restore->builder, restore->handles[place]);
	return true;
}

static const struct step step_create = {
	"create", add_create, finish_create
};
static const struct step step_immortal = {
	"create", add_immortal, finish_create
};
static const struct step step_slots = {
	"write slots of", add_slots, finish_slots
};
static const struct step step_seal = { "seal", add_seal, NULL };
static const struct step step_release = { "release", add_release, NULL };

static int fail(struct restore_error *error, const char *what, uint64_t object,
		int ret)
{
	error->what = what;
	error->object = object;
	return ret;
}

/* Runs the batch. Where an operation fails, it is the last one. */
static int submit(struct restore *restore, const struct step *step,
		  struct restore_error *error)
{
	struct refstore_builder *builder = restore->builder;
	ssize_t failed = refstore_builder_submit(builder, restore->store, 0);
	size_t i;
	int ret;

	if (failed < 0)
		return fail(error, step->what, GRAPH_NONE, (int)failed);
	for (i = 0; i < restore->nr_ops; i++) {
		ret = refstore_builder_error(builder, i);
		if (!ret && step->finish)
			ret = step->finish(restore, i);
		if (ret)
			return fail(error, step->what, restore->objects[i],
				    ret);
	}
	refstore_builder_reset(builder);
	restore->nr_ops = 0;
	restore->nr_slots = 0;
	return 0;
}

static int take_step(struct restore *restore, const struct step *step,
		     struct restore_error *error)
{
	uint64_t i;
	int ret;

	for (i = 0; i < restore->graph->nr_objects; i++) {
		if (!step->add(restore, i))
			continue;
		restore->objects[restore->nr_ops++] = i;
		if (restore->nr_ops < BATCH_OPS &&
		    restore->nr_slots < BATCH_SLOTS)
			continue;
		ret = submit(restore, step, error);
		if (ret)
			return ret;
	}
	return restore->nr_ops ? submit(restore, step, error) : 0;
}

static int create_all_large(struct restore *restore,
			    struct restore_error *error)
{
	const struct graph *graph = restore->graph;
	uint64_t i;
	int ret;

	for (i = 0; i < graph->nr_objects; i++) {
		if (!(graph->objects[i].flags & GRAPH_LARGE))
			continue;
		ret = create_large(restore, i);
		if (ret)
			return fail(error, step_create.what, i, ret);
	}
	return 0;
}

static int label_all(struct restore *restore, struct restore_error *error)
{
	const struct graph *graph = restore->graph;
	uint64_t i;
	int ret;

	for (i = 0; i < graph->nr_objects; i++) {
		if (!graph->objects[i].label_len)
			continue;
		ret = refstore_label(restore->store, REFSTORE_LABEL_OBJECT,
				     restore->handles[i],
				     (const char *)graph->data +
				     graph->objects[i].label);
		if (ret)
			return fail(error, "label", i, ret);
	}
	return 0;
}

static int register_types(struct restore *restore, struct restore_error *error)
{
	const struct graph *graph = restore->graph;
	size_t i;
	int ret;

	for (i = 0; i < graph->nr_types; i++) {
		ret = refstore_type_register(restore->store, graph->types[i],
					     &restore->types[i]);
		if (ret)
			return fail(error, "register a type", GRAPH_NONE, ret);
	}
	return 0;
}

static int set_root(struct restore *restore, struct restore_error *error)
{
	uint64_t root = restore->graph->root;
	int ret;

	if (root == GRAPH_NONE)
		return 0;
	/* Somebody else may have given an empty heap one by now */
	ret = refstore_cas_root(restore->store, 0, restore->handles[root]);
	if (ret == -EAGAIN)
		ret = -EBUSY;
	return ret ? fail(error, "set the root to", root, ret) : 0;
}

static int take_steps(struct restore *restore, struct restore_error *error)
{
	int ret = register_types(restore, error);

	if (!ret)
		ret = create_all_large(restore, error);
	if (!ret)
		ret = take_step(restore, &step_create, error);
	if (!ret)
		ret = take_step(restore, &step_immortal, error);
	if (!ret)
		ret = label_all(restore, error);
	if (!ret)
		ret = take_step(restore, &step_slots, error);
	if (!ret)
		ret = take_step(restore, &step_seal, error);
	if (!ret)
		ret = set_root(restore, error);
	if (!ret)
		ret = take_step(restore, &step_release, error);
	return ret;
}

static size_t most_slots(const struct graph *graph)
{
	size_t most = 0;
	size_t i;

	for (i = 0; i < graph->nr_objects; i++)
		if (graph->objects[i].nr_slots > most)
			most = graph->objects[i].nr_slots;
	return most;
}

/* An array of at least one element: NULL is no memory. */
static void *array_of(size_t count, size_t size)
{
	return calloc(count ? count : 1, size);
}

int restore_graph(struct refstore *store, const struct graph *graph,
		  struct restore_error *error)
{
	struct restore *restore = calloc(1, sizeof(*restore));
	int ret = -ENOMEM;

	if (!restore)
		return fail(error, "begin", GRAPH_NONE, ret);
	restore->store = store;
	restore->graph = graph;
	restore->types = array_of(graph->nr_types, sizeof(*restore->types));
	restore->handles = array_of(graph->nr_objects,
				    sizeof(*restore->handles));
	restore->values = array_of(most_slots(graph),
				   sizeof(*restore->values));
	if (restore->types && restore->handles && restore->values &&
	    !refstore_builder_new(&restore->builder))
		ret = take_steps(restore, error);
	else
		fail(error, "begin", GRAPH_NONE, ret);
	refstore_builder_free(restore->builder);
	free(restore->values);
	free(restore->handles);
	free(restore->types);
	free(restore);
	return ret;
}
