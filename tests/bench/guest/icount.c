// SPDX-License-Identifier: GPL-2.0-only
/*
 * What system calls cost, in instructions: for a guest that counts them as time
 * (tests/vm/run.sh --icount), where a nanosecond is an instruction.
 *
 *   icount [-s SUFFIX] [NAME...]
 *
 * prints "NAME INSTRUCTIONS" for each benchmark, or for those that are named.
 * It makes its calls itself, without the library: what is measured is what the
 * kernel costs, and a handful of instructions of the loop.
 */
#include <stdio.h>
#include <string.h>

#include <linux/keyctl.h>

#include "store.h"

#define ROUNDS	21
#define BATCH	256
#define KEYRING	KEY_SPEC_PROCESS_KEYRING

static char buffer[DATA];

static void read_data(void)
{
	struct refstore_data read = {
		.size = sizeof(read),
		.object = child,
		.buffer = address(buffer),
		.length = DATA,
	};

	call(REFSTORE_READ, &read);
}

static void create_release(void)
{
	release(create(0, DATA));
}

static void get_slot_release(void)
{
	release(get_slot());
}

/* Batches: made once, and run again and again, as a program would. */

static struct refstore_op creates[BATCH], releases[BATCH], gets[BATCH],
			  sets[BATCH], reads[BATCH];

static void prepare_batches(void)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		creates[i].command = REFSTORE_CMD_CREATE;
		creates[i].create.size = sizeof(creates[i].create);
		creates[i].create.type = REFSTORE_TYPE_OBJECT;
		creates[i].create.data = address(data);
		creates[i].create.data_len = DATA;
		releases[i].command = REFSTORE_CMD_RELEASE;
		releases[i].release.size = sizeof(releases[i].release);
		gets[i].command = REFSTORE_CMD_GET_SLOT;
		gets[i].get_slot.size = sizeof(gets[i].get_slot);
		gets[i].get_slot.object = parent;
		sets[i].command = REFSTORE_CMD_SET_SLOT;
		sets[i].set_slot.size = sizeof(sets[i].set_slot);
		sets[i].set_slot.object = parent;
		sets[i].set_slot.value = child;
		reads[i].command = REFSTORE_CMD_READ;
		reads[i].data.size = sizeof(reads[i].data);
		reads[i].data.object = child;
		reads[i].data.buffer = address(buffer);
		reads[i].data.length = DATA;
	}
}

static void run_batch(struct refstore_op *ops)
{
	struct refstore_batch batch = {
		.size = sizeof(batch),
		.ops = address(ops),
		.nr_ops = BATCH,
		.op_size = sizeof(*ops),
	};

	call(REFSTORE_BATCH, &batch);
	if (batch.done != BATCH || batch.failed)
		errx(1, "batch: %u done, %u failed", batch.done, batch.failed);
}

static void batch_create_release(void)
{
	int i;

	run_batch(creates);
	for (i = 0; i < BATCH; i++)
		releases[i].release.object = creates[i].create.result;
	run_batch(releases);
}

/* The same objects by the two calls that are for many alike. */
static void many_create_release(void)
{
	static __u64 handles[BATCH];
	static char many_data[BATCH * DATA];
	struct refstore_create_many create = {
		.size = sizeof(create),
		.type = REFSTORE_TYPE_OBJECT,
		.data = address(many_data),
		.data_len = DATA,
		.handles = address(handles),
		.count = BATCH,
	};
	struct refstore_release_many release = {
		.size = sizeof(release),
		.handles = address(handles),
		.count = BATCH,
	};

	call(REFSTORE_CREATE_MANY, &create);
	call(REFSTORE_RELEASE_MANY, &release);
	if (create.done != BATCH || release.done != BATCH)
		errx(1, "many: %u made, %u released", create.done,
		     release.done);
}

static void batch_get_slot_release(void)
{
	int i;

	run_batch(gets);
	for (i = 0; i < BATCH; i++)
		releases[i].release.object = gets[i].get_slot.result;
	run_batch(releases);
}

static void batch_set_slot(void)
{
	run_batch(sets);
}

static void batch_read(void)
{
	run_batch(reads);
}

/* What a user would use instead, and what any call costs. */

static void getppid_call(void)
{
	syscall(SYS_getppid);
}

/* As far as the module, and back. */
static void ioctl_refused(void)
{
	if (syscall(SYS_ioctl, store, _IO(0, 0), NULL) >= 0)
		errx(1, "a command that is none was taken");
}

static void add_key_unlink(void)
{
	long key = syscall(SYS_add_key, "user", "refstore_bench", data, DATA,
			   KEYRING);

	must(key, "add_key");
	must(syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEYRING), "keyctl");
}

static void memfd_close(void)
{
	long fd = syscall(SYS_memfd_create, "refstore_bench", 0);

	must(fd, "memfd_create");
	must(syscall(SYS_close, fd), "close");
}

static void eventfd_close(void)
{
	long fd = syscall(SYS_eventfd2, 0, 0);

	must(fd, "eventfd");
	must(syscall(SYS_close, fd), "close");
}

/*
 * A round should be shorter than a tick of the clock (4 ms, which are four
 * million instructions), so that most rounds see none.
 */
struct bench {
	const char *name;
	void (*run)(void);
	unsigned int runs;	/* in a round */
	unsigned int operations;	/* in a run */
};

static const struct bench benches[] = {
	{ "create_release_64b", create_release, 512, 1 },
	{ "batch_create_release_64b", batch_create_release, 8, BATCH },
	{ "many_create_release_64b", many_create_release, 16, BATCH },
	{ "get_slot_release", get_slot_release, 512, 1 },
	{ "batch_get_slot_release", batch_get_slot_release, 8, BATCH },
	{ "set_slot", set_slot, 512, 1 },
	{ "batch_set_slot", batch_set_slot, 8, BATCH },
	{ "read_64b", read_data, 512, 1 },
	{ "batch_read_64b", batch_read, 8, BATCH },
	{ "ioctl_refused", ioctl_refused, 1024, 1 },
	{ "getppid", getppid_call, 1024, 1 },
	{ "eventfd_close", eventfd_close, 128, 1 },
	{ "memfd_close", memfd_close, 64, 1 },
	{ "add_key_unlink", add_key_unlink, 64, 1 },
};

static double round_of(const struct bench *bench)
{
	uint64_t start = now();
	unsigned int i;

	for (i = 0; i < bench->runs; i++)
		bench->run();
	return (double)(now() - start) / bench->runs / bench->operations;
}

/* The first two rounds warm up and do not count. */
static void measure(const struct bench *bench, const char *suffix)
{
	double values[ROUNDS];
	unsigned int i;

	round_of(bench);
	round_of(bench);
	for (i = 0; i < ROUNDS; i++)
		values[i] = round_of(bench);
	printf("%s%s %.1f\n", bench->name, suffix, median(values, ROUNDS));
	fflush(stdout);
}

static int wanted(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const char *suffix = "";
	unsigned int i;
	int option;

	while ((option = getopt(argc, argv, "s:")) != -1) {
		if (option != 's')
			return 2;
		suffix = optarg;
	}
	open_store();
	prepare_batches();
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		if (wanted(benches[i].name, argv + optind))
			measure(&benches[i], suffix);
	return 0;
}
