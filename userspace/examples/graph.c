// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A graph in one call: a ring of days, each of which refers to the next and to its
 * name. It prints:
 *
 *	18 operations in one call
 *	Mon Tue Wed Thu Fri
 *	the ring is garbage: 10 objects are collected
 */
#include <inttypes.h>
#include <stdio.h>

#include <refstore.h>

#include "must.h"

#define DAYS 5

static const char names[DAYS][4] = { "Mon", "Tue", "Wed", "Thu", "Fri" };

/* The slots of a day. */
enum { NEXT, NAME, SLOTS };

/*
 * Adds operations to the builder; nothing is done yet. REFSTORE_RESULT() stands for
 * the handle that an operation will give. No call is checked: the builder keeps the
 * first error for the end.
 */
static void plan(struct refstore_builder *builder)
{
	uint64_t days[DAYS], texts[DAYS];
	size_t i;

	for (i = 0; i < DAYS; i++) {
		struct refstore_spec spec = {
			.type = REFSTORE_TYPE_STR,
			.data = names[i], .data_len = 3,
		};

		texts[i] = REFSTORE_RESULT(refstore_builder_count(builder));
		refstore_builder_create(builder, &spec);
		spec = (struct refstore_spec){
			.type = REFSTORE_TYPE_LIST, .nr_slots = SLOTS,
			.slots = (uint64_t[SLOTS]){ [NAME] = texts[i] },
		};
		days[i] = REFSTORE_RESULT(refstore_builder_count(builder));
		refstore_builder_create(builder, &spec);
	}
	for (i = 0; i < DAYS; i++)
		refstore_builder_set_slot(builder, days[i], NEXT,
					  days[(i + 1) % DAYS]);
	/* The root keeps Monday, which keeps the others: handles can go. */
	refstore_builder_set_root(builder, days[0]);
	refstore_builder_release_many(builder, days, DAYS);
	refstore_builder_release_many(builder, texts, DAYS);
}

static void build(struct refstore *store)
{
	struct refstore_builder *builder;

	must("builder", refstore_builder_new(&builder));
	plan(builder);
	if (must("submit", refstore_builder_submit(builder, store, 0)))
		errx(1, "operation %zu failed",
		     refstore_builder_done(builder) - 1);
	printf("%zu operations in one call\n", refstore_builder_done(builder));
	refstore_builder_free(builder);
}

/* Whoever has a session on the heap, in any process, starts at the root. */
static void walk(struct refstore *store)
{
	uint64_t slots[SLOTS], day;
	char text[4] = "";
	size_t i;

	must("get the root", refstore_get_root(store, &day));
	for (i = 0; i < DAYS; i++) {
		must("slots", refstore_read_slots(store, day, 0, slots, SLOTS));
		must("read", refstore_read(store, slots[NAME], 0, text, 3));
		printf("%s%s", i ? " " : "", text);
		must("release", refstore_release(store, slots[NAME]));
		must("release", refstore_release(store, day));
		day = slots[NEXT];
	}
	must("release", refstore_release(store, day));
	printf("\n");
}

int main(void)
{
	struct refstore_collect result;
	struct refstore *store;

	must("open", refstore_open(&store));
	/* So that this program alone collects, and can tell how much. */
	must("disable", refstore_gc_disable(store));
	build(store);
	walk(store);
	must("set the root", refstore_set_root(store, 0));
	must("collect", refstore_collect(store, REFSTORE_OLDEST, &result));
	printf("the ring is garbage: %" PRIu64 " objects are collected\n",
	       (uint64_t)result.reclaimed);
	refstore_close(store);
	return 0;
}
