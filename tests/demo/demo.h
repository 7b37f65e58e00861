/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The demonstration: two processes and a driver.
 *
 *	driver	reads the graph and what is expected of it, starts the two,
 *		tells the keeper what to do next, kills the builder, watches
 *		/proc/refstore/stats
 *	builder	(process A) makes a heap, puts the graph into it, sends a session
 *		to the keeper, and holds a handle of each object until it dies
 *	keeper	(process B) takes handles to what it wants, clears the root,
 *		compares what is in the heap with the graph, lets go
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include <refstore.h>

#include "graph.h"

/**
 * struct totals - how much there is
 * @objects: objects
 * @references: slots that are not empty
 * @bytes: of data
 */
struct totals {
	uint64_t objects;
	uint64_t references;
	uint64_t bytes;
};

/**
 * struct input - what the driver has read, and both processes inherit
 * @graph: the graph
 * @all: what is in it, as graph.py has counted
 * @kept: what must be left, as graph.py has counted
 * @keep: for each object of the graph, whether it must be left
 */
struct input {
	struct graph graph;
	struct totals all;
	struct totals kept;
	bool *keep;
};

/* input.c */
void input_read(struct input *input, const char *graph, const char *expected);

/* The heap's name; refstore is mounted at its directory. */
#define DEMO_PLACE	"/run/refstore"
#define DEMO_HEAP	DEMO_PLACE "/demo"

/* builder.c: never returns; @socket leads to the keeper, @ready to the driver. */
__attribute__((noreturn))
void builder_run(const struct input *input, int socket, int ready);

/* What the keeper is told, each answered with a struct answer. */
enum order {
	ORDER_OPEN,		/* open the heap, by its name */
	ORDER_COMPARE_ALL,	/* everything that was built is there */
	ORDER_TAKE,		/* take handles of all in the root but the last
				 * one, clear the root
				 */
	ORDER_RECEIVE,		/* take that one from the socket */
	ORDER_COMPARE_KEPT,	/* what must be left is there, nothing else */
	ORDER_COLLECT,		/* nothing is left to be collected */
	ORDER_LET_GO,		/* release the handles, collect */
	ORDER_END,		/* close the session */
};

/**
 * struct answer - how it went
 * @agreed: all was as it should be
 * @found: what is in the heap
 */
struct answer {
	bool agreed;
	struct totals found;
};

/* keeper.c: never returns; @orders leads to the driver. */
__attribute__((noreturn))
void keeper_run(const struct input *input, int socket, int orders);

/* stats.c */

#define STATS_MOST 32

/**
 * struct stats - what /proc/refstore/stats says
 * @count: number of lines
 * @line: a name and a value each
 */
struct stats {
	unsigned int count;
	struct {
		char name[32];
		uint64_t value;
	} line[STATS_MOST];
};

void stats_read(struct stats *stats);
uint64_t stats_value(const struct stats *stats, const char *name);
/* Prints @count of them side by side, under @titles. */
void stats_print(const struct stats *stats, const char *const *titles,
		 unsigned int count);

/* report.c: the transcript. */

/* Prints a line. */
__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);
/* Prints a line that ends with the time since @start. */
__attribute__((format(printf, 2, 3)))
void say_timed(double start, const char *format, ...);
/* A number with its thousands set off, in a buffer that is soon used again. */
const char *grouped(uint64_t number);
/* Seconds, since whenever. */
double now(void);
/* Exits with what went wrong, if it is less than 0. */
void must(int ret, const char *what);

#endif /* DEMO_H */
