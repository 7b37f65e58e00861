/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzing: short programs of calls, which several processes make at once. A program
 * that gets to where none was before, which the kernel tells (KCOV), is kept, and new
 * ones are made of those that are.
 *
 *   fuzz.c      the controller: has programs run, settles, reports
 *   corpus.c    the programs that are kept, and how new ones are made
 *   process.c   a process: its part of each program
 *   command.c   calls that are ioctls: what is in their structs
 *   action.c    all others: files, sockets, maps, names, the end
 *   coverage.c  where the kernel was
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../selftests/refstore_heap.h"

enum {
	PROCESSES = 3,		/* the last one is nobody's */
	TURN = 16,		/* programs that are run at a time, at most */
	CALLS = 48,		/* of a program, at most */
	COMMANDS = 6,		/* of so many calls, all but one are ioctls */
	ARGS = 8,		/* of a call */
	FILES = 16,		/* a process has, besides its own */
	HANDLES = 64,		/* it remembers */
	ARENA = 1 << 17,	/* bytes that pointers point to */
	POINTS = 1 << 20,	/* bytes of the module's text, at most */
	EDGES = 1 << 18,	/* pairs of points, hashed */
	LASTS = 4,		/* turns with the same files and handles */
	ENDS = 32,		/* turns, in one of which processes may end */
	PATIENCE = 180,		/* seconds without progress */
};

#define PLACE "/tmp/refstore-fuzz"
#define NOBODY 65534

/* How a call is odd; most of them are not: any other number. */
enum twist {
	TWIST_SIZE = 0xe0,	/* the struct says that it has another size */
	TWIST_RESERVED,		/* what is not used is not zero */
	TWIST_FLAGS,		/* unknown flags */
	TWIST_EDGE,		/* the struct ends where no memory is */
	TWIST_READ_ONLY,	/* it cannot be written */
	TWIST_FAR,		/* pointers are of the kernel's memory */
	TWIST_NULL,
	TWIST_SHORT,		/* they point to just before where no memory is */
	TWIST_COMMAND,		/* the ioctl has another number */
	TWIST_SIGNAL,		/* a signal comes soon */
	TWIST_FOREIGN,		/* handles are made up */
};

/**
 * struct call - a call
 * @what: which one, see run_call()
 * @place: whose, and which of its files
 * @twist: see enum twist
 * @seed: what arrays are filled with
 * @arg: the arguments, as the call takes them
 */
struct call {
	__u8 what;
	__u8 place;
	__u8 twist;
	__u8 seed;
	__u16 arg[ARGS];
};

/**
 * struct program - calls, each of which is one process's
 * @nr: how many
 * @calls: them
 */
struct program {
	__u32 nr;
	struct call calls[CALLS];
};

/**
 * struct fuzz - what all processes share
 * @turn: number of the turn; a futex
 * @ended: processes that have ended a turn; a futex
 * @finished: the last turn that each process has ended
 * @nr: how many programs the turn has
 * @programs: them
 * @news: pairs of points that were new, by program
 * @calls: that were made
 * @base: where the module's text is
 * @points: bits: which were reached
 * @edges: bits: which pairs of points
 */
struct fuzz {
	__u32 turn;
	__u32 ended;
	__u32 finished[PROCESSES];
	__u32 nr;
	struct program programs[TURN];
	__u64 news[TURN];
	__u64 calls;
	__u64 base;
	__u64 points[POINTS / 64];
	__u64 edges[EDGES / 64];
};

extern struct fuzz *fuzz;

#define load(word)	__atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define store(word, n)	__atomic_store_n(&(word), n, __ATOMIC_SEQ_CST)
#define add(word, n)	__atomic_fetch_add(&(word), n, __ATOMIC_SEQ_CST)

/**
 * struct process - a process that runs its parts of programs
 * @number: which one
 * @program: which of the turn's it is at
 * @files: descriptors, some of which are sessions; -1: none
 * @next_file: the place that the next one gets
 * @handles: that calls have returned
 * @next_handle: likewise
 * @ids: of objects
 * @post: where it is sent descriptors
 * @arena: memory; before it a page that cannot be written, after it none
 * @cover: what KCOV writes; NULL: nothing
 */
struct process {
	unsigned int number;
	unsigned int program;
	int files[FILES];
	unsigned int next_file;
	__u64 handles[HANDLES];
	unsigned int next_handle;
	__u64 ids[HANDLES];
	int post;
	char *arena;
	__u64 *cover;
};

/* Sockets for each process's post: to be read, to be written. */
extern int post[PROCESSES][2];

/*
 * A number for an argument: small as a rule, @bound now and then, or one of those that
 * are said to be difficult.
 */
__u64 argument(__u16 arg, __u64 bound);

int process_file(const struct process *process, unsigned int n);
void process_keep_file(struct process *process, int fd);
__u64 process_handle(const struct process *process, __u16 arg, bool foreign);
void process_keep_handle(struct process *process, __u64 handle);
void process_run(unsigned int number);

unsigned int command_run(struct process *process, const struct program *program,
			 unsigned int at);
void action_run(struct process *process, const struct call *call);

__u64 coverage_base(void);
void coverage_open(struct process *process);
void coverage_begin(struct process *process);
void coverage_end(struct process *process);
__u64 coverage_points(void);

int corpus_load(const char *name);
void corpus_add(const struct program *program);
const struct program *corpus_get(size_t n);
void corpus_clear(void);
size_t corpus_size(void);
void corpus_make(struct program *program, __u64 *seed);
void corpus_print(void);

#endif /* FUZZ_H */
