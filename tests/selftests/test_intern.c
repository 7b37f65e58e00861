// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are one: interned ones, by type and data; and objects that live as
 * long as their heap.
 */
#include "refstore_heap.h"

FIXTURE(intern)
{
	int fd;
};

FIXTURE_SETUP(intern)
{
	self->fd = rs_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rs_manual(self->fd));
}

FIXTURE_TEARDOWN(intern)
{
	EXPECT_EQ(0, close(self->fd));
}

static int make(int fd, __u32 flags, __u32 type, const void *data, __u32 length,
		struct refstore_create *create)
{
	*create = (struct refstore_create){
		.flags = flags,
		.type = type,
		.data = rs_ptr(data),
		.data_len = length,
	};
	return rs_create(fd, create);
}

/* The id of the interned object; 0 if there is an error. */
static __u64 intern(int fd, __u32 type, const void *data, __u32 length)
{
	struct refstore_create create;

	if (make(fd, REFSTORE_CREATE_INTERN, type, data, length, &create))
		return 0;
	return create.id;
}

static __u32 state_of(int fd, __u64 handle)
{
	struct refstore_stat stat;

	return rs_stat(fd, handle, &stat) ? ~0U : stat.state;
}

TEST_F(intern, equal_is_the_same)
{
	const __u32 flags = REFSTORE_CREATE_INTERN;
	struct refstore_create a, b, other;
	char text[8] = "";

	ASSERT_EQ(0, make(self->fd, flags, REFSTORE_TYPE_STR, "word", 4, &a));
	ASSERT_EQ(0, make(self->fd, flags, REFSTORE_TYPE_STR, "word", 4, &b));
	EXPECT_EQ(a.id, b.id);
	EXPECT_NE(a.result, b.result);
	EXPECT_EQ(1, rs_objects(self->fd));
	EXPECT_EQ(2, rs_refs(self->fd, a.result));
	EXPECT_EQ(REFSTORE_STATE_INTERNED | REFSTORE_STATE_SEALED_DATA,
		  state_of(self->fd, a.result));
	EXPECT_EQ(-EPERM, rs_write(self->fd, b.result, 0, 1, "x", NULL));
	ASSERT_EQ(0, rs_read(self->fd, b.result, 0, 4, text, NULL));
	EXPECT_STREQ("word", text);

	/* Another type, length, byte; and one that is not interned. */
	EXPECT_NE(a.id, intern(self->fd, REFSTORE_TYPE_BYTES, "word", 4));
	EXPECT_NE(a.id, intern(self->fd, REFSTORE_TYPE_STR, "word", 3));
	EXPECT_NE(a.id, intern(self->fd, REFSTORE_TYPE_STR, "ward", 4));
	ASSERT_EQ(0, make(self->fd, REFSTORE_SEAL_DATA, REFSTORE_TYPE_STR,
			  "word", 4, &other));
	EXPECT_NE(a.id, other.id);
	EXPECT_EQ(5, rs_objects(self->fd));
}

/* It dies with its last reference; the next one is another. */
TEST_F(intern, not_for_ever)
{
	struct refstore_create a, b;
	__u64 weak, upgraded;

	ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR,
			  "word", 4, &a));
	ASSERT_EQ(0, rs_weak(self->fd, a.result, 0, 0, &weak));
	ASSERT_EQ(0, rs_release(self->fd, a.result));
	EXPECT_EQ(0, rs_objects(self->fd));
	ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR,
			  "word", 4, &b));
	EXPECT_LT(a.id, b.id);
	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &upgraded));
	EXPECT_EQ(0, upgraded);
	EXPECT_EQ(1, rs_refs(self->fd, b.result));
}

/* A cycle that refers to one does not keep it. */
TEST_F(intern, freed_with_garbage)
{
	struct refstore_create word;
	__u64 node;

	ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR,
			  "word", 4, &word));
	ASSERT_EQ(0, rs_node(self->fd, 2, NULL, &node));
	ASSERT_EQ(0, rs_set_slot(self->fd, node, 0, node));
	ASSERT_EQ(0, rs_set_slot(self->fd, node, 1, word.result));
	ASSERT_EQ(0, rs_release(self->fd, node));
	ASSERT_EQ(0, rs_release(self->fd, word.result));
	EXPECT_EQ(2, rs_objects(self->fd));
	EXPECT_EQ(word.id, intern(self->fd, REFSTORE_TYPE_STR, "word", 4));
	ASSERT_EQ(0, rs_collect(self->fd, NULL));
	EXPECT_EQ(1, rs_objects(self->fd));
}

static int own_word(int fd, __u64 id)
{
	struct refstore_create create;

	if (make(fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR, "word", 4,
		 &create))
		return 1;
	return create.id == id ? 0 : 2;
}

/* In all sessions of the heap; and of no other. */
TEST_F(intern, in_the_heap)
{
	__u64 word = intern(self->fd, REFSTORE_TYPE_STR, "word", 4);
	int fd = self->fd, other = rs_open();
	pid_t child;

	ASSERT_LE(0, other);
	ASSERT_NE(0, word);
	child = rs_fork_session(&fd);
	if (!child)
		_exit(own_word(fd, word));
	EXPECT_EQ(0, rs_wait_child(child));
	EXPECT_NE(0, intern(other, REFSTORE_TYPE_STR, "word", 4));
	EXPECT_EQ(1, rs_objects(other));
	EXPECT_EQ(0, close(other));
}

TEST_F(intern, limits)
{
	const __u32 flags = REFSTORE_CREATE_INTERN;
	struct refstore_create create = {
		.flags = flags,
		.nr_slots = 1,
	};
	struct refstore_stat stat;
	char *data = calloc(1, REFSTORE_MAX_INTERNED + 1);

	ASSERT_NE(NULL, data);
	EXPECT_EQ(-EINVAL, rs_create(self->fd, &create));
	create.nr_slots = 0;
	create.flags = flags | REFSTORE_CREATE_SLOTTED;
	EXPECT_EQ(-EINVAL, rs_create(self->fd, &create));
	EXPECT_EQ(-E2BIG, make(self->fd, flags, 0, data,
			       REFSTORE_MAX_INTERNED + 1, &create));
	EXPECT_EQ(0, rs_objects(self->fd));
	ASSERT_EQ(0, make(self->fd, flags, 0, data, REFSTORE_MAX_INTERNED,
			  &create));
	EXPECT_EQ(create.id, intern(self->fd, 0, data, REFSTORE_MAX_INTERNED));
	ASSERT_EQ(0, rs_stat(self->fd, create.result, &stat));
	EXPECT_EQ(4096 + 72, stat.bytes);
	data[REFSTORE_MAX_INTERNED - 1] = 1;
	EXPECT_NE(create.id, intern(self->fd, 0, data, REFSTORE_MAX_INTERNED));
	free(data);
}

/* An answer that cannot be given leaves nothing, nor anything for ever. */
TEST_F(intern, not_told)
{
	struct refstore_create *create;
	size_t page = sysconf(_SC_PAGESIZE);
	struct refstore_create word;

	create = mmap(NULL, page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, create);
	*create = (struct refstore_create){
		.size = sizeof(*create),
		.flags = REFSTORE_CREATE_IMMORTAL,
	};
	ASSERT_EQ(0, mprotect(create, page, PROT_READ));
	EXPECT_EQ(-EFAULT, rs_call(self->fd, REFSTORE_CREATE, create));
	EXPECT_EQ(0, rs_objects(self->fd));
	ASSERT_EQ(0, mprotect(create, page, PROT_READ | PROT_WRITE));
	create->flags = REFSTORE_CREATE_INTERN;
	create->type = REFSTORE_TYPE_NONE;
	ASSERT_EQ(0, mprotect(create, page, PROT_READ));
	EXPECT_EQ(-EFAULT, rs_call(self->fd, REFSTORE_CREATE, create));
	EXPECT_EQ(0, rs_objects(self->fd));
	ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_NONE,
			  NULL, 0, &word));
	EXPECT_EQ(1, rs_objects(self->fd));
}

static const struct {
	__u32 type, length;
} singletons[] = {
	{ REFSTORE_TYPE_NONE, 0 }, { REFSTORE_TYPE_BOOL, 1 },
	{ REFSTORE_TYPE_INT, 0 }, { REFSTORE_TYPE_INT, 1 },
	{ REFSTORE_TYPE_STR, 0 }, { REFSTORE_TYPE_BYTES, 0 },
	{ REFSTORE_TYPE_TUPLE, 0 },
};

/* What every program uses is there once, and stays. */
TEST_F(intern, singletons)
{
	struct refstore_create create;
	__u64 ids[ARRAY_SIZE(singletons)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(singletons); i++) {
		ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN,
				  singletons[i].type, "\1",
				  singletons[i].length, &create));
		EXPECT_TRUE(state_of(self->fd, create.result) &
			    REFSTORE_STATE_IMMORTAL);
		ASSERT_EQ(0, rs_release(self->fd, create.result));
		ids[i] = create.id;
	}
	EXPECT_EQ(ARRAY_SIZE(singletons), rs_objects(self->fd));
	for (i = 0; i < ARRAY_SIZE(singletons); i++)
		EXPECT_EQ(ids[i], intern(self->fd, singletons[i].type, "\1",
					 singletons[i].length));
	/* Longer ones go. */
	ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_INT,
			  "\1\1", 2, &create));
	EXPECT_FALSE(state_of(self->fd, create.result) &
		     REFSTORE_STATE_IMMORTAL);
	ASSERT_EQ(0, rs_release(self->fd, create.result));
	EXPECT_EQ(ARRAY_SIZE(singletons), rs_objects(self->fd));
}

/* Without anybody who holds it, with all that it refers to. */
TEST_F(intern, immortal)
{
	struct refstore_create create = {
		.flags = REFSTORE_CREATE_IMMORTAL,
		.nr_slots = 2,
	};
	__u64 leaf, weak, kept, upgraded, handle;
	struct refstore_collect collect;

	ASSERT_EQ(0, rs_leaf(self->fd, "kept", 4, &leaf));
	ASSERT_EQ(0, rs_create(self->fd, &create));
	EXPECT_EQ(REFSTORE_STATE_IMMORTAL | REFSTORE_STATE_SLOTTED,
		  state_of(self->fd, create.result));
	ASSERT_EQ(0, rs_set_slot(self->fd, create.result, 0, leaf));
	ASSERT_EQ(0, rs_set_slot(self->fd, create.result, 1, create.result));
	ASSERT_EQ(0, rs_weak(self->fd, create.result, 0, 0, &weak));
	ASSERT_EQ(0, rs_weak(self->fd, leaf, 0, 0, &kept));
	ASSERT_EQ(0, rs_release(self->fd, leaf));
	ASSERT_EQ(0, rs_release(self->fd, create.result));
	ASSERT_EQ(0, rs_collect(self->fd, &collect));
	EXPECT_EQ(0, collect.reclaimed);
	EXPECT_EQ(2, rs_objects(self->fd));

	ASSERT_EQ(0, rs_upgrade(self->fd, weak, &upgraded));
	ASSERT_NE(0, upgraded);
	ASSERT_EQ(0, rs_dup(self->fd, upgraded, &handle));
	ASSERT_EQ(0, rs_release(self->fd, handle));
	/* What it no longer refers to goes. */
	ASSERT_EQ(0, rs_set_slot(self->fd, upgraded, 0, 0));
	EXPECT_EQ(1, rs_objects(self->fd));
	ASSERT_EQ(0, rs_upgrade(self->fd, kept, &handle));
	EXPECT_EQ(0, handle);
}

/* Made so in a batch, and by an operation on what an earlier one made. */
TEST_F(intern, in_a_batch)
{
	struct refstore_op ops[3] = { op_create(0, NULL), op_create(1, NULL) };
	struct refstore_batch batch;

	ops[0].create.flags = REFSTORE_CREATE_INTERN;
	ops[0].create.type = REFSTORE_TYPE_NONE;
	ops[1].create.flags = REFSTORE_CREATE_IMMORTAL;
	ops[2] = op_set_slot(REFSTORE_RESULT(1), 0, REFSTORE_RESULT(0));
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, 3, &batch));
	ASSERT_EQ(0, batch.failed);
	EXPECT_TRUE(state_of(self->fd, ops[0].create.result) &
		    REFSTORE_STATE_IMMORTAL);
	EXPECT_TRUE(state_of(self->fd, ops[1].create.result) &
		    REFSTORE_STATE_IMMORTAL);
	/* Also what is released before its handle was ever seen. */
	ops[0] = op_create(1, NULL);
	ops[0].create.flags = REFSTORE_CREATE_IMMORTAL;
	ops[1] = op_release(REFSTORE_RESULT(0));
	ASSERT_EQ(0, rs_batch(self->fd, 0, ops, 2, &batch));
	ASSERT_EQ(0, batch.failed);
	EXPECT_EQ(3, rs_objects(self->fd));
}

/* Who may not put something in a slot or the root cannot make it stay. */
TEST_F(intern, rights)
{
	struct refstore_create create = { .flags = REFSTORE_CREATE_IMMORTAL };

	ASSERT_EQ(0, rs_restrict(self->fd, REFSTORE_RIGHT_CREATE));
	EXPECT_EQ(-EACCES, rs_create(self->fd, &create));
	EXPECT_EQ(0, rs_objects(self->fd));
	EXPECT_NE(0, intern(self->fd, REFSTORE_TYPE_NONE, NULL, 0));
}

/* A walk finds them, and gets handles of them. */
TEST_F(intern, walked)
{
	struct refstore_walk_object objects[4];
	struct refstore_walk walk = {
		.flags = REFSTORE_WALK_MINT,
		.capacity = 4,
		.entries = rs_ptr(objects),
	};
	struct refstore_create create = { .flags = REFSTORE_CREATE_IMMORTAL };

	ASSERT_EQ(0, rs_create(self->fd, &create));
	ASSERT_EQ(0, rs_walk(self->fd, &walk));
	ASSERT_EQ(1, walk.count);
	EXPECT_EQ(create.id, objects[0].id);
	EXPECT_TRUE(objects[0].state & REFSTORE_STATE_IMMORTAL);
	EXPECT_NE(0, objects[0].handle);
	EXPECT_EQ(0, rs_release(self->fd, objects[0].handle));
}

#define WORDS	16

/*
 * Interns, compares, releases: while it holds a word, there is no other such. A
 * number of words, so that each is often made and often freed.
 */
static int juggle(int fd, __u64 seed, unsigned long turns)
{
	struct refstore_create held[WORDS] = {}, again;
	char word[16] = "a word 0";
	__u32 i;

	while (turns--) {
		i = rs_below(&seed, WORDS);
		word[7] = 'a' + i;
		if (held[i].result && rs_release(fd, held[i].result))
			return 1;
		if (make(fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR, word,
			 8, &held[i]))
			return 2;
		if (make(fd, REFSTORE_CREATE_INTERN, REFSTORE_TYPE_STR, word,
			 8, &again))
			return 3;
		if (again.id != held[i].id)
			return 4;
		if (rs_release(fd, again.result))
			return 5;
		if (rs_below(&seed, 2)) {
			if (rs_release(fd, held[i].result))
				return 6;
			held[i].result = 0;
		}
	}
	return 0;
}

TEST_F(intern, many_at_once)
{
	const unsigned long turns = rs_size(20000);
	pid_t children[4];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(children); i++) {
		fd = self->fd;
		children[i] = rs_fork_session(&fd);
		if (!children[i])
			_exit(juggle(fd, i + 1, turns));
		ASSERT_LT(0, children[i]);
	}
	for (i = 0; i < ARRAY_SIZE(children); i++)
		EXPECT_EQ(0, rs_wait_child(children[i]));
	EXPECT_TRUE(rs_wait_until(!rs_objects(self->fd), RS_SOON));
}

/* Many words: the table grows and shrinks. */
TEST_F(intern, many_words)
{
	const unsigned long count = rs_size(50000);
	__u64 *handles = calloc(count, sizeof(*handles));
	struct refstore_create create;
	unsigned long i;

	ASSERT_NE(NULL, handles);
	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN,
				  REFSTORE_TYPE_INT, &i, sizeof(i), &create));
		handles[i] = create.result;
	}
	EXPECT_EQ(count, rs_objects(self->fd));
	for (i = 0; i < count; i += 7) {
		ASSERT_EQ(0, make(self->fd, REFSTORE_CREATE_INTERN,
				  REFSTORE_TYPE_INT, &i, sizeof(i), &create));
		ASSERT_EQ(2, rs_refs(self->fd, handles[i]));
	}
	EXPECT_EQ(count, rs_objects(self->fd));
	ASSERT_EQ(0, rs_release_all(self->fd, handles, count));
	EXPECT_EQ((count + 6) / 7, rs_objects(self->fd));
	free(handles);
}

TEST_HARNESS_MAIN
