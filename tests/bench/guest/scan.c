// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations cost while a scan of their heap runs.
 *
 *   scan instructions   in a guest that counts instructions as time, on one
 *                       processor: operations with a scan half done, and with
 *                       none
 *   scan latency        in a guest with more processors: the slowest operations
 *                       with scans back to back, and with none
 *   scan floating       how much garbage there is at a time, while rings are made
 *                       and dropped beside a live one
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "store.h"

#define OBJECTS	200000
#define CHUNK	256	/* objects made in a call */
#define ROUNDS	21
#define RUNS	64	/* of each operation in a round */
#define PAIRS	5
#define SAMPLES	100000
#define QUANTILES 200	/* of a distribution, as lines for the picture */
#define LIVE	1000	/* nodes of the live ring, while garbage is made */
#define RINGS	20000
#define RING	20

static __u64 head;
static __u64 kept[RUNS];
static double took[SAMPLES];

/* A chunk of a chain behind @after, or its beginning; returns its end. */
static __u64 make_chunk(__u64 after)
{
	static struct refstore_op ops[CHUNK];
	static __u64 slots[CHUNK];
	struct refstore_batch batch = {
		.size = sizeof(batch),
		.flags = 0,
		.ops = address(ops),
		.nr_ops = CHUNK,
		.op_size = sizeof(ops[0]),
	};
	int i;

	memset(ops, 0, sizeof(ops));
	for (i = 0; i < CHUNK; i++) {
		slots[i] = i ? REFSTORE_RESULT(i - 1) : after;
		ops[i].command = REFSTORE_CMD_CREATE;
		ops[i].create.size = sizeof(ops[i].create);
		ops[i].create.nr_slots = 1;
		ops[i].create.slots = address(&slots[i]);
	}
	call(REFSTORE_BATCH, &batch);
	if (batch.failed || batch.done != CHUNK)
		errx(1, "a batch failed");
	for (i = 0; i < CHUNK - 1; i++)
		release(ops[i].create.result);
	return ops[CHUNK - 1].create.result;
}

/* A ring that we hold by its head. */
static void make_ring(unsigned int objects)
{
	__u64 first = create(1, 0), next;
	unsigned int i;

	head = first;
	for (i = 1; i < objects; i += CHUNK) {
		next = make_chunk(head);
		if (head != first)
			release(head);
		head = next;
	}
	link_slot(first, 0, head);
	release(first);
}

static void tune(void)
{
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_AUTOMATIC | REFSTORE_TUNE_EVENTS,
		.events = 1,
	};

	call(REFSTORE_TUNE, &tune);
}

/* Makes the head a candidate, and scans what it reaches; returns how long. */
static __u64 collect(void)
{
	struct refstore_collect collect = {
		.size = sizeof(collect),
		.generation = REFSTORE_GENERATIONS - 1,
	};
	struct refstore_dup dup = { .size = sizeof(dup), .object = head };

	call(REFSTORE_DUP, &dup);
	release(dup.result);
	call(REFSTORE_COLLECT, &collect);
	if (collect.visited < OBJECTS)
		errx(1, "a scan saw %llu objects", collect.visited);
	return collect.nanoseconds;
}

/* How many events of a kind have come since the last look. */
static int events(__u32 kind)
{
	struct refstore_event event;
	int n = 0;

	while (read(store, &event, sizeof(event)) == sizeof(event))
		n += event.kind == kind;
	return n;
}

/* Get, set, create, release: instructions of one of each. */
static double run_operations(void)
{
	__u64 start = now();
	int i;

	for (i = 0; i < RUNS; i++)
		kept[i] = get_slot();
	for (i = 0; i < RUNS; i++)
		set_slot();
	for (i = 0; i < RUNS; i++)
		release(kept[i]);
	for (i = 0; i < RUNS; i++)
		kept[i] = create(1, DATA);
	for (i = 0; i < RUNS; i++)
		release(kept[i]);
	return (double)(now() - start) / RUNS;
}

static void wait_for(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0), "waitpid");
	if (status)
		errx(1, "the scanning process failed");
}

static void sleep_ns(__u64 ns)
{
	struct timespec time = { ns / 1000000000, ns % 1000000000 };

	nanosleep(&time, NULL);
}

/* With the scan that another process asks for half done; 0: it was not. */
static double run_while_scanned(__u64 takes)
{
	double value;
	pid_t pid;

	events(0);
	pid = fork();
	must(pid, "fork");
	if (!pid) {
		struct sched_param normal = {};

		must(sched_setscheduler(0, SCHED_OTHER, &normal), "scheduler");
		collect();
		_exit(0);
	}
	sleep_ns(takes / 2);
	if (!events(REFSTORE_EVENT_SCAN_BEGIN))
		value = 0;
	else
		value = run_operations();
	if (events(REFSTORE_EVENT_SCAN_END))
		value = 0;
	wait_for(pid);
	return value;
}

/* The scanner is not to run while we do: then we would count it, too. */
static int instructions(void)
{
	struct sched_param first = { .sched_priority = 1 };
	double idle[ROUNDS], busy[ROUNDS], with, without;
	__u64 takes = collect();
	int i, n = 0;

	must(sched_setscheduler(0, SCHED_FIFO, &first), "scheduler");
	for (i = 0; i < ROUNDS; i++) {
		idle[i] = run_operations();
		busy[n] = run_while_scanned(takes);
		n += busy[n] > 0;
	}
	if (n < ROUNDS / 2)
		errx(1, "%d of %d scans were half done when looked at", n,
		     ROUNDS);
	without = median(idle, ROUNDS);
	with = median(busy, n);
	printf("scan_mutator_idle %.1f\n", without);
	printf("scan_mutator_busy %.1f\n", with);
	printf("scan_mutator_instructions %.3f\n", with / without);
	return 0;
}

struct latency {
	double p99;
	double p999;
	double most;
};

/* Each sample is one of four operations. */
static struct latency sample(void)
{
	struct latency latency;
	__u64 start, object = 0;
	int i;

	for (i = 0; i < SAMPLES; i++) {
		start = now();
		switch (i % 4) {
		case 0:
			object = create(1, DATA);
			break;
		case 1:
			set_slot();
			break;
		case 2:
			release(object);
			object = get_slot();
			break;
		default:
			release(object);
		}
		took[i] = now() - start;
	}
	qsort(took, SAMPLES, sizeof(took[0]), by_value);
	latency.p99 = took[SAMPLES / 100 * 99];
	latency.p999 = took[SAMPLES / 1000 * 999];
	latency.most = took[SAMPLES - 1];
	return latency;
}

static struct latency sample_while_scanned(void)
{
	struct latency latency;
	pid_t pid = fork();

	must(pid, "fork");
	while (!pid)
		collect();
	latency = sample();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return latency;
}

/* The distribution of the last sample: microseconds at even steps. */
static void print_distribution(const char *name)
{
	unsigned int i;

	for (i = 0; i < QUANTILES; i++)
		printf("# %s %.4f %.2f\n", name, (double)i / QUANTILES,
		       took[SAMPLES / QUANTILES * i] / 1000);
	for (i = 1; i <= 4; i++)
		printf("# %s %.4f %.2f\n", name, 1 - 0.004 + i * 0.00099,
		       took[SAMPLES - 1 - (4 - i) * SAMPLES / 1000] / 1000);
}

static int latency(void)
{
	double p99[PAIRS], p999[PAIRS], most[PAIRS], ratio[PAIRS];
	struct latency idle, busy;
	int i;

	sample();
	for (i = 0; i < PAIRS; i++) {
		idle = sample();
		if (!i)
			print_distribution("latency_idle");
		busy = sample_while_scanned();
		if (!i)
			print_distribution("latency_busy");
		ratio[i] = busy.p99 / idle.p99;
		p99[i] = busy.p99;
		p999[i] = busy.p999 / idle.p999;
		most[i] = busy.most / 1000;
	}
	printf("scan_p99 %.3f\n", median(ratio, PAIRS));
	printf("scan_p999 %.3f\n", median(p999, PAIRS));
	printf("scan_p99_microseconds %.1f\n", median(p99, PAIRS) / 1000);
	printf("scan_max_microseconds %.1f\n", median(most, PAIRS));
	return 0;
}

/* A figure of our heap, in /proc/refstore/heaps the only one. */
static unsigned long long objects_now(void)
{
	unsigned long long objects = 0;
	char line[256];
	FILE *file = fopen("/proc/refstore/heaps", "r");

	if (!file)
		err(1, "/proc/refstore/heaps");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "%*u %*u %*u %*u %llu", &objects);
	fclose(file);
	return objects;
}

static void make_garbage(void)
{
	static struct refstore_op ops[2 * RING + 1];
	static __u64 slots[RING];
	struct refstore_batch batch = {
		.size = sizeof(batch),
		.ops = address(ops),
		.nr_ops = ARRAY_SIZE(ops),
		.op_size = sizeof(ops[0]),
	};
	int i;

	memset(ops, 0, sizeof(ops));
	for (i = 0; i < RING; i++) {
		slots[i] = i ? REFSTORE_RESULT(i - 1) : 0;
		ops[i].command = REFSTORE_CMD_CREATE;
		ops[i].create.size = sizeof(ops[i].create);
		ops[i].create.nr_slots = 1;
		ops[i].create.slots = address(&slots[i]);
		ops[RING + 1 + i].command = REFSTORE_CMD_RELEASE;
		ops[RING + 1 + i].release.size = sizeof(ops[i].release);
		ops[RING + 1 + i].release.object = REFSTORE_RESULT(i);
	}
	ops[RING].command = REFSTORE_CMD_SET_SLOT;
	ops[RING].set_slot.size = sizeof(ops[i].set_slot);
	ops[RING].set_slot.object = REFSTORE_RESULT(0);
	ops[RING].set_slot.value = REFSTORE_RESULT(RING - 1);
	call(REFSTORE_BATCH, &batch);
	if (batch.failed || batch.done != ARRAY_SIZE(ops))
		errx(1, "a batch failed");
}

/* As it comes: scans start by themselves. */
static int floating(void)
{
	unsigned long long live = objects_now(), floats, most = 0;
	__u64 start = now();
	int i;

	for (i = 1; i <= RINGS; i++) {
		make_garbage();
		if (i % (RINGS / 400))
			continue;
		floats = objects_now() - live;
		most = floats > most ? floats : most;
		printf("# floating %.3f %llu\n", (now() - start) / 1e9, floats);
	}
	for (i = 0; i < 30 && objects_now() != live; i++) {
		sleep_ns(100000000);
		printf("# floating %.3f %llu\n", (now() - start) / 1e9,
		       objects_now() - live);
	}
	printf("floating_peak %llu\n", most);
	return objects_now() != live;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	open_store();
	if (!strcmp(what, "floating")) {
		make_ring(LIVE);
		return floating();
	}
	make_ring(OBJECTS);
	tune();
	must(fcntl(store, F_SETFL, O_NONBLOCK), "fcntl");
	if (!strcmp(what, "latency"))
		return latency();
	if (!strcmp(what, "instructions"))
		return instructions();
	errx(2, "usage: scan instructions|latency|floating");
}
