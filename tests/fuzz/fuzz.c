// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: has programs run, keeps those that reach something new, begins anew
 * now and then, when nothing may be left, and says what it has seen.
 *
 * usage: fuzz SECONDS [CORPUS]; REFSTORE_SEED=N repeats its choices.
 */
#include <linux/futex.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "fuzz.h"

enum {
	PROGRAMS = 20000,	/* between two times when nothing may be left */
	REPORT = 30,		/* seconds between two lines */
};

/**
 * struct control - what only the controller knows
 * @pids: of the processes
 * @seed: of its choices
 * @programs: that were run
 * @ends: processes that had to be replaced
 * @findings: what should not be
 */
static struct {
	pid_t pids[PROCESSES];
	__u64 seed;
	__u64 programs;
	__u64 ends;
	__u64 findings;
} control;

struct fuzz *fuzz;

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void found(const char *what)
{
	control.findings++;
	printf("fuzz: finding: %s\n", what);
	fflush(stdout);
}

/* --- Processes --------------------------------------------------------- */

static void start(unsigned int number)
{
	fflush(stdout);
	control.pids[number] = fork();
	if (!control.pids[number])
		process_run(number);
	if (control.pids[number] < 0) {
		perror("fuzz: fork");
		exit(2);
	}
}

/* The end of one that was told to is expected; any other is not. */
static void replace(unsigned int number, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		found("a process ended by itself");
	control.ends++;
	start(number);
}

static void replace_dead(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < PROCESSES; i++)
		if (waitpid(control.pids[i], &status, WNOHANG) > 0)
			replace(i, status);
}

static void stop_all(void)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		kill(control.pids[i], SIGKILL);
		waitpid(control.pids[i], NULL, 0);
	}
}

static void start_all(void)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		start(i);
}

/* --- Programs ---------------------------------------------------------- */

static bool all_finished(void)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		if (load(fuzz->finished[i]) != fuzz->turn)
			return false;
	return true;
}

static void wait_for_end(__u32 seen)
{
	struct timespec soon = { .tv_nsec = 20000000 };

	syscall(SYS_futex, &fuzz->ended, FUTEX_WAIT, seen, &soon, NULL, 0);
}

static void keep_new(void)
{
	unsigned int i;

	for (i = 0; i < fuzz->nr; i++)
		if (load(fuzz->news[i]))
			corpus_add(&fuzz->programs[i]);
}

/* Runs what is in fuzz->programs. False if it has stalled. */
static bool run(unsigned int nr)
{
	time_t end = now() + PATIENCE;
	__u32 seen;

	fuzz->nr = nr;
	memset(fuzz->news, 0, sizeof(fuzz->news));
	add(fuzz->turn, 1);
	syscall(SYS_futex, &fuzz->turn, FUTEX_WAKE, PROCESSES, NULL, NULL, 0);
	for (;;) {
		seen = load(fuzz->ended);
		if (all_finished())
			break;
		wait_for_end(seen);
		replace_dead();
		if (now() > end) {
			found("a program has stalled");
			return false;
		}
	}
	control.programs += nr;
	keep_new();
	return true;
}

/* --- Beginning anew ---------------------------------------------------- */

static void drain_post(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < PROCESSES; i++)
		while ((fd = rs_receive_fd(post[i][0])) >= 0)
			close(fd);
}

static const char *const left_over[] = {
	"objects", "handles", "sessions", "heaps", "bytes", "large",
};

static bool nothing_left(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(left_over); i++)
		if (rs_stats_value(left_over[i]))
			return false;
	return true;
}

static void show_left_over(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(left_over); i++)
		printf("fuzz: %llu %s are left\n", rs_stats_value(left_over[i]),
		       left_over[i]);
}

static bool mount_heaps(void)
{
	return !mount("none", PLACE, "refstore", 0,
		      "mode=1777,size=64m,nr_objects=100000,max_heaps=64");
}

/* All that was made must end with those who had it. */
static bool settle(void)
{
	stop_all();
	drain_post();
	if (umount2(PLACE, 0)) {
		found("a file system cannot be unmounted");
		return false;
	}
	if (!rs_wait_until(nothing_left(), PATIENCE)) {
		show_left_over();
		found("something is left");
		return false;
	}
	if (!mount_heaps())
		return false;
	start_all();
	return true;
}

/* --- Reports ----------------------------------------------------------- */

static void report(void)
{
	printf("fuzz: %llu calls, %llu programs, %zu kept, %llu ends, %llu points, %llu findings\n",
	       load(fuzz->calls), control.programs, corpus_size(), control.ends,
	       coverage_points(), control.findings);
	fflush(stdout);
}

/* --- The run ----------------------------------------------------------- */

/* Those of a file that reach nothing which the ones before do not are left out. */
static bool run_corpus(const char *name)
{
	struct program *all;
	size_t n, i, nr;
	bool going = true;
	int ret = corpus_load(name);

	if (ret) {
		fprintf(stderr, "fuzz: %s: %s\n", name, strerror(-ret));
		return false;
	}
	n = corpus_size();
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return false;
	for (i = 0; i < n; i++)
		all[i] = *corpus_get(i);
	corpus_clear();
	for (i = 0; i < n && going; i += nr) {
		nr = n - i < TURN ? n - i : TURN;
		memcpy(fuzz->programs, &all[i], nr * sizeof(*all));
		going = run((unsigned int)nr);
	}
	free(all);
	return going;
}

static void fuzz_for(time_t seconds)
{
	time_t end = now() + seconds, next = now();
	__u64 settle_at = PROGRAMS;
	bool going = true;
	unsigned int i;

	while (going && now() < end) {
		for (i = 0; i < TURN; i++)
			corpus_make(&fuzz->programs[i], &control.seed);
		going = run(TURN);
		if (control.programs >= settle_at) {
			going = going && settle();
			settle_at += PROGRAMS;
		}
		if (now() >= next) {
			report();
			next = now() + REPORT;
		}
	}
	if (going)
		settle();
}

static bool set_up(void)
{
	unsigned int i;

	fuzz = mmap(NULL, sizeof(*fuzz), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < PROCESSES; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, post[i]))
			return false;
	if (fuzz == MAP_FAILED || (mkdir(PLACE, 0755) && errno != EEXIST))
		return false;
	fuzz->base = coverage_base();
	return mount_heaps();
}

int main(int argc, char **argv)
{
	const char *seed = getenv("REFSTORE_SEED");

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: fuzz SECONDS [CORPUS]\n");
		return 2;
	}
	control.seed = seed ? strtoull(seed, NULL, 0) : (__u64)time(NULL);
	printf("fuzz: seed %llu\n", control.seed);
	if (!set_up()) {
		perror("fuzz");
		return 2;
	}
	start_all();
	if (argc < 3 || run_corpus(argv[2]))
		fuzz_for(atoi(argv[1]));
	stop_all();
	drain_post();
	umount2(PLACE, 0);
	corpus_print();
	report();
	return control.findings ? 1 : 0;
}
