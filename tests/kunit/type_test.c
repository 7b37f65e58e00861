// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types: numbers, names and counters.
 */
#include <linux/string.h>

#include "graph.h"
#include "reclaim.h"
#include "type.h"

/* Registers @name, which the rest of the field's bytes follow as zeroes. */
static int rst_register(struct rst_graph *g, const char *name, u32 *type)
{
	char field[REFSTORE_TYPE_NAME_MAX] = {};

	strscpy(field, name, sizeof(field));
	return rs_type_register(g->heap, field, type);
}

static void type_builtin(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	char name[REFSTORE_TYPE_NAME_MAX];
	u32 i, type;

	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, REFSTORE_TYPE_NONE, name),
			0);
	KUNIT_EXPECT_STREQ(test, name, "none");
	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, REFSTORE_TYPE_OBJECT,
					   name), 0);
	KUNIT_EXPECT_STREQ(test, name, "object");
	KUNIT_EXPECT_EQ(test, rst_register(g, "dict", &type), 0);
	KUNIT_EXPECT_EQ(test, type, REFSTORE_TYPE_DICT);
	for (i = 0; i <= REFSTORE_TYPE_USER + 1; i++)
		KUNIT_EXPECT_EQ(test, rs_type_valid(g->heap, i),
				i <= REFSTORE_TYPE_OBJECT);
}

static void type_register(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	char name[REFSTORE_TYPE_NAME_MAX];
	u32 type, again;

	KUNIT_EXPECT_EQ(test, rst_register(g, "node", &type), 0);
	KUNIT_EXPECT_EQ(test, type, REFSTORE_TYPE_USER);
	KUNIT_EXPECT_EQ(test, rst_register(g, "edge", &again), 0);
	KUNIT_EXPECT_EQ(test, again, REFSTORE_TYPE_USER + 1);
	KUNIT_EXPECT_EQ(test, rst_register(g, "node", &again), 0);
	KUNIT_EXPECT_EQ(test, again, type);
	KUNIT_EXPECT_TRUE(test, rs_type_valid(g->heap, type));
	KUNIT_EXPECT_FALSE(test, rs_type_valid(g->heap, type + 2));
	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, type, name), 0);
	KUNIT_EXPECT_STREQ(test, name, "node");
	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, type + 2, name), -EINVAL);
	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, U32_MAX, name), -EINVAL);
}

/* What is not the name of anything: in a list of types it could not be told. */
static void type_bad_names(struct kunit *test)
{
	static const char *const bad[] = {
		"", " ", "a b", "a\n", "\t", "\x7f", "caf\xc3\xa9",
	};
	struct rst_graph *g = rst_graph(test);
	char field[REFSTORE_TYPE_NAME_MAX];
	u32 i, type;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, rst_register(g, bad[i], &type), -EINVAL);
	memset(field, 'x', sizeof(field));
	KUNIT_EXPECT_EQ(test, rs_type_register(g->heap, field, &type),
			-EINVAL);
	field[5] = 0;
	KUNIT_EXPECT_EQ(test, rs_type_register(g->heap, field, &type),
			-EINVAL);
	memset(field, 'x', sizeof(field));
	field[REFSTORE_TYPE_NAME_MAX - 1] = 0;
	KUNIT_EXPECT_EQ(test, rs_type_register(g->heap, field, &type), 0);
	KUNIT_EXPECT_EQ(test, type, REFSTORE_TYPE_USER);
}

/* Numbers and counters stay when the table grows, to its end. */
static void type_many(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	char name[REFSTORE_TYPE_NAME_MAX];
	u32 i, type;

	rst_leaf(g);
	for (i = REFSTORE_TYPE_USER; i < RS_MAX_TYPES; i++) {
		snprintf(name, sizeof(name), "type_%u", i);
		KUNIT_ASSERT_EQ(test, rst_register(g, name, &type), 0);
		KUNIT_ASSERT_EQ(test, type, i);
	}
	KUNIT_EXPECT_EQ(test, rst_register(g, "more", &type), -ENOSPC);
	KUNIT_EXPECT_EQ(test, rst_register(g, "type_100", &type), 0);
	KUNIT_EXPECT_EQ(test, type, 100);
	KUNIT_EXPECT_EQ(test, rs_type_name(g->heap, 4095, name), 0);
	KUNIT_EXPECT_STREQ(test, name, "type_4095");
	KUNIT_EXPECT_EQ(test, g->heap->types.type[REFSTORE_TYPE_STR].objects,
			1);
	rst_audit(g);
}

static void rst_expect_type(struct rst_graph *g, u32 type, u64 objects,
			    u64 bytes)
{
	KUNIT_EXPECT_EQ(g->test, g->heap->types.type[type].objects, objects);
	KUNIT_EXPECT_EQ(g->test, g->heap->types.type[type].bytes, bytes);
}

static void type_counters(struct kunit *test)
{
	struct rst_graph *g = rst_graph(test);
	struct rs_object *list = rst_new(g, 2), *leaf = rst_leaf(g);
	u64 bytes = rs_object_bytes(list);

	rst_expect_type(g, REFSTORE_TYPE_LIST, 1, bytes);
	rst_expect_type(g, REFSTORE_TYPE_STR, 1, rs_object_bytes(leaf));
	rst_link(g, list, 0, leaf);
	rst_release(g, leaf);
	rst_expect_type(g, REFSTORE_TYPE_STR, 1, rs_object_bytes(leaf));
	rst_release(g, list);
	rst_expect_type(g, REFSTORE_TYPE_LIST, 0, 0);
	rst_expect_type(g, REFSTORE_TYPE_STR, 0, 0);
}

/* Types of one heap are not another's. */
static void type_per_heap(struct kunit *test)
{
	struct rst_graph *one = rst_graph(test), *two = rst_graph(test);
	u32 type;

	KUNIT_EXPECT_EQ(test, rst_register(one, "first", &type), 0);
	KUNIT_EXPECT_FALSE(test, rs_type_valid(two->heap, type));
	KUNIT_EXPECT_EQ(test, rst_register(two, "second", &type), 0);
	KUNIT_EXPECT_EQ(test, type, REFSTORE_TYPE_USER);
}

static struct kunit_case type_cases[] = {
	KUNIT_CASE(type_builtin),
	KUNIT_CASE(type_register),
	KUNIT_CASE(type_bad_names),
	KUNIT_CASE(type_many),
	KUNIT_CASE(type_counters),
	KUNIT_CASE(type_per_heap),
	{}
};

static struct kunit_suite type_suite = {
	.name = "refstore_type",
	.test_cases = type_cases,
};

kunit_test_suite(type_suite);
