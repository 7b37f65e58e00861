// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver: demo GRAPH EXPECTED REFSTORE [LOOK]. The module is there, mounted,
 * and nobody else uses it. REFSTORE is the command that verifies. LOOK is a program
 * that is run twice, with the heap's path: LOOK HEAP built, and LOOK HEAP collected.
 */
#include <err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"

/* Seconds without any change after which nothing more is awaited. */
#define PATIENCE 30

/* When /proc/refstore/stats was read. */
enum moment {
	MOMENT_BEGIN,
	MOMENT_BUILT,
	MOMENT_COLLECTED,
	MOMENT_END,
	NR_MOMENTS,
};

static const char *const moments[] = {
	"before", "built", "collected", "after"
};

/**
 * struct demo - the demonstration
 * @input: the graph
 * @stats: at the moments
 * @builder: process A
 * @keeper: process B
 * @orders: socket to B
 * @failed: something did not agree
 */
struct demo {
	struct input input;
	struct stats stats[NR_MOMENTS];
	pid_t builder;
	pid_t keeper;
	int orders;
	bool failed;
};

/* Prints what is expected and what is, and remembers if they differ. */
static void expect(struct demo *demo, const char *what, uint64_t expected,
		   uint64_t found)
{
	bool same = expected == found;

	say("  %-13s expected %10s, found %10s: %s", what, grouped(expected),
	    grouped(found), same ? "agrees" : "DOES NOT AGREE");
	if (!same)
		demo->failed = true;
}

static void expect_totals(struct demo *demo, const struct totals *expected,
			  const struct totals *found)
{
	expect(demo, "objects", expected->objects, found->objects);
	expect(demo, "references", expected->references, found->references);
	expect(demo, "bytes of data", expected->bytes, found->bytes);
}

/* Tells B what to do; ends if B cannot. */
static struct answer order(struct demo *demo, enum order order)
{
	struct answer answer;

	if (write(demo->orders, &order, sizeof(order)) != sizeof(order) ||
	    read(demo->orders, &answer, sizeof(answer)) != sizeof(answer))
		errx(EXIT_FAILURE, "B has failed");
	if (!answer.agreed)
		demo->failed = true;
	return answer;
}

static void make_sockets(int sockets[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		err(EXIT_FAILURE, "socketpair");
}

/* A child that does not outlive the driver. */
static pid_t start(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(EXIT_FAILURE, "fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/*
 * A and B, joined by a socket, each with one to here. Nobody has an end that is
 * not its own, so that all notice when somebody fails. Returns A's.
 */
static int start_both(struct demo *demo)
{
	int between[2], ready[2], orders[2];

	make_sockets(between);
	make_sockets(ready);
	demo->builder = start();
	if (!demo->builder) {
		close(between[1]);
		close(ready[0]);
		builder_run(&demo->input, between[0], ready[1]);
	}
	close(between[0]);
	close(ready[1]);
	make_sockets(orders);
	demo->keeper = start();
	if (!demo->keeper) {
		close(ready[0]);
		close(orders[0]);
		keeper_run(&demo->input, between[1], orders[1]);
	}
	close(between[1]);
	close(orders[1]);
	demo->orders = orders[0];
	say("A is process %d, B is process %d; a socket is between them",
	    (int)demo->builder, (int)demo->keeper);
	return ready[0];
}

static void await_built(int ready)
{
	char byte;

	if (read(ready, &byte, 1) != 1)
		errx(EXIT_FAILURE, "A has failed");
	close(ready);
}

/* SIGKILL: nothing in A can run any more, the kernel finds what A held. */
static void kill_builder(struct demo *demo)
{
	int status;

	if (kill(demo->builder, SIGKILL) ||
	    waitpid(demo->builder, &status, 0) != demo->builder ||
	    !WIFSIGNALED(status))
		errx(EXIT_FAILURE, "cannot kill A");
	say("A is killed (SIGKILL), with its %s handles",
	    grouped(demo->input.all.objects));
}

/* Nobody asks for a scan: candidates alone start it. */
static void watch_scanner(struct demo *demo)
{
	uint64_t objects = demo->input.all.objects;
	double begin = now();
	double changed = begin;
	double told = begin;
	struct stats stats;

	while (objects > demo->input.kept.objects &&
	       now() - changed < PATIENCE) {
		usleep(20000);
		stats_read(&stats);
		if (stats_value(&stats, "objects") == objects)
			continue;
		objects = stats_value(&stats, "objects");
		changed = now();
		if (changed - told < 1)
			continue;
		told = changed;
		say_timed(begin, "   %s objects, %s candidates",
			  grouped(objects),
			  grouped(stats_value(&stats, "candidates")));
	}
	say_timed(begin, "the scanner, unasked, has left %s objects",
		  grouped(objects));
}

/* Runs the command and shows what it says; true if it succeeds. */
__attribute__((format(printf, 2, 3)))
static bool run_refstore(const char *command, const char *format, ...)
{
	char words[64], line[4096];
	va_list args;
	FILE *output;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	say("$ refstore %s", words);
	snprintf(line, sizeof(line), "%s %s 2>&1", command, words);
	output = popen(line, "r");
	if (!output)
		err(EXIT_FAILURE, "%s", command);
	while (fgets(line, sizeof(line), output))
		say("%.*s", (int)strcspn(line, "\n"), line);
	return !pclose(output);
}

/* Counts all references once more, on the heap of B's session. */
static void verify(struct demo *demo, const char *command)
{
	double begin = now();

	run_refstore(command, "scans");
	if (!run_refstore(command, "verify --pid %d", (int)demo->keeper))
		demo->failed = true;
	say_timed(begin, "both commands together");
}

static void end_keeper(struct demo *demo)
{
	const enum order order = ORDER_END;
	int status;

	if (write(demo->orders, &order, sizeof(order)) != sizeof(order) ||
	    waitpid(demo->keeper, &status, 0) != demo->keeper || status)
		errx(EXIT_FAILURE, "B has failed");
}

/* The last session is gone; the heap follows a moment later. */
static void await_no_heap(struct stats *stats)
{
	double begin = now();

	do {
		stats_read(stats);
		if (!stats_value(stats, "heaps"))
			break;
		usleep(10000);
	} while (now() - begin < PATIENCE);
}

/* For who wants to see what there is to see of such a heap. */
static void look(struct demo *demo, const char *program, const char *moment)
{
	int status;
	pid_t pid;

	if (!program)
		return;
	pid = start();
	if (!pid) {
		execl(program, program, DEMO_HEAP, moment, NULL);
		err(EXIT_FAILURE, "%s", program);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		demo->failed = true;
}

static void read_input(struct demo *demo, const char *graph,
		       const char *expected)
{
	double begin = now();

	input_read(&demo->input, graph, expected);
	say_timed(begin, "graph read: %s objects",
		  grouped(demo->input.graph.nr_objects));
}

static void build(struct demo *demo)
{
	struct answer answer;

	await_built(start_both(demo));
	stats_read(&demo->stats[MOMENT_BUILT]);
	order(demo, ORDER_OPEN);
	answer = order(demo, ORDER_COMPARE_ALL);
	expect_totals(demo, &demo->input.all, &answer.found);
	order(demo, ORDER_TAKE);
}

static void collect(struct demo *demo, const char *command)
{
	struct answer answer;

	kill_builder(demo);
	watch_scanner(demo);
	order(demo, ORDER_RECEIVE);
	order(demo, ORDER_COLLECT);
	answer = order(demo, ORDER_COMPARE_KEPT);
	expect_totals(demo, &demo->input.kept, &answer.found);
	verify(demo, command);
	stats_read(&demo->stats[MOMENT_COLLECTED]);
}

static void let_go(struct demo *demo)
{
	struct stats *stats = &demo->stats[MOMENT_END];

	order(demo, ORDER_LET_GO);
	stats_read(stats);
	expect(demo, "objects", 0, stats_value(stats, "objects"));
	expect(demo, "bytes", 0, stats_value(stats, "bytes"));
	end_keeper(demo);
	if (unlink(DEMO_HEAP))
		err(EXIT_FAILURE, DEMO_HEAP);
	say("B ends, and the heap's name is removed");
	await_no_heap(stats);
	expect(demo, "heaps", 0, stats_value(stats, "heaps"));
}

int main(int argc, char **argv)
{
	static struct demo demo;

	if (argc < 4 || argc > 5)
		errx(EXIT_FAILURE, "usage: demo GRAPH EXPECTED REFSTORE [LOOK]");
	stats_read(&demo.stats[MOMENT_BEGIN]);
	read_input(&demo, argv[1], argv[2]);
	build(&demo);
	look(&demo, argv[4], "built");
	collect(&demo, argv[3]);
	look(&demo, argv[4], "collected");
	let_go(&demo);
	stats_print(demo.stats, moments, NR_MOMENTS);
	return demo.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
