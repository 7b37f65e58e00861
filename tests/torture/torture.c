// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: starts processes, kills them, starts others, lets the oracle
 * look now and then, and says how it went.
 *
 * REFSTORE_SEED: of the choices; printed. What comes of them differs from run to
 * run all the same. REFSTORE_HEAP: the file that is to be the heap, beside which there
 * may be others.
 */
#include <sys/sysinfo.h>

#include "torture.h"

enum {
	COLLECTORS = 2,
	TELL = 10,		/* seconds between lines of progress */
	ERRORS = 20,		/* that are told of */
};

struct torture *torture;

/**
 * struct control - what the controller knows
 * @museum: see there
 * @heap: the heap's number
 * @seats: in use
 * @kills: so far
 * @oracles: so far
 * @began: when, in milliseconds
 * @end: likewise
 * @oracle_at: when the oracle looks next
 * @kill_at: when somebody is killed next
 * @tell_at: when a line is due
 * @bound: how many objects there may be, about
 * @most_objects: before all throw away what they have: @bound, or a part of it
 * @crowd_at: when they may be told so again
 */
struct control {
	struct museum museum;
	__u64 heap;
	__u32 seats;
	__u64 kills;
	__u64 oracles;
	__u64 began;
	__u64 end;
	__u64 oracle_at;
	__u64 kill_at;
	__u64 tell_at;
	__u64 bound;
	__u64 most_objects;
	__u64 crowd_at;
};

static struct control control;
static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

bool complain(const char *format, ...)
{
	__u64 before = add(torture->errors, 1);
	char line[400];
	va_list args;
	int length;

	if (before >= ERRORS)
		return false;
	length = snprintf(line, sizeof(line), "# ERROR (%d): ", getpid());
	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	/* At once and whole, though others write as well. */
	length = strlen(line);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, length) < 0)
		return false;
	return false;
}

bool tolerable(int ret, const char *what)
{
	if (ret >= 0)
		return true;
	if (ret == -ENOMEM || ret == -EDQUOT)
		add(torture->refused, 1);
	else
		complain("%s: %s", what, strerror(-ret));
	return false;
}

/* --- Progress ---------------------------------------------------------- */

static __u64 operations(void)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < control.seats; i++)
		sum += load(torture->seats[i].ops);
	return sum;
}

static void tell(void)
{
	struct rs_figures f = {};
	__u64 seconds = (rs_milliseconds() - control.began) / 1000;

	rs_figures(control.heap, &f);
	printf("# %llu s: %llu operations (%llu/s), %llu kills, %llu oracles, "
	       "%llu scans, %llu aborted, %llu reclaimed; %llu objects, "
	       "%llu handles, %llu sessions, backlog %llu\n", seconds,
	       operations(), operations() / (seconds ?: 1), control.kills,
	       control.oracles, f.scans, rs_stats_value("scan_aborted"),
	       f.reclaimed, f.objects, f.handles, f.sessions, f.backlog);
	fflush(stdout);
}

/* Where everybody is, in the kernel's log. */
static void tell_where(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	tell();
	if (fd >= 0 && write(fd, "t", 1) == 1)
		sleep(5);
	close(fd);
}

/**
 * struct progress - a number that should change
 * @what: of what
 * @value: when it was looked at
 * @since: when it changed
 */
struct progress {
	const char *what;
	__u64 value;
	__u64 since;
};

static bool stalls(struct progress *progress, __u64 value)
{
	__u64 now = rs_milliseconds();

	if (value != progress->value || !progress->since) {
		progress->value = value;
		progress->since = now;
	}
	if (now - progress->since < PATIENCE * 1000)
		return false;
	complain("%s: no progress in %d seconds", progress->what, PATIENCE);
	tell_where();
	return true;
}

/* A backlog must not only change, but be gone now and then. */
static void check_progress(void)
{
	static struct progress ops = { .what = "operations" };
	static struct progress scans = { .what = "scans" };
	static struct progress backlog = { .what = "backlog" };
	static __u64 empty;
	struct rs_figures figures;

	if (rs_figures(control.heap, &figures)) {
		complain("the heap is not listed");
		return;
	}
	empty += !figures.backlog;
	if (!stalls(&ops, operations()) && !stalls(&scans, figures.scans))
		stalls(&backlog, figures.backlog ? empty : ++empty);
}

/* --- Processes --------------------------------------------------------- */

static void sit_down(struct seat *seat, int fd, const struct known *known,
		     __u32 count, __u64 seed)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	close(control.museum.fd);
	if (seat->collector)
		collector_run(seat, fd, seed);
	else
		mutator_run(seat, fd, known, count, seed);
}

/* Some have what the controller has, some find the root. */
static void start(struct seat *seat)
{
	bool clone = rs_below(&control.museum.seed, 2) && !seat->collector;
	__u64 seed = rs_random(&control.museum.seed);
	struct known known[RINGS];
	__u32 count = clone ? museum_known(&control.museum, known) : 0;
	pid_t pid;
	int fd;

	fd = rs_session_new(control.museum.fd,
			    clone ? REFSTORE_SESSION_CLONE : 0);
	if (fd < 0) {
		complain("no session for a process: %s", strerror(-fd));
		return;
	}
	seat->killed = false;
	store(seat->phase, RUN);
	pid = rs_fork();
	if (!pid)
		sit_down(seat, fd, known, count, seed);
	if (pid < 0)
		complain("no process: %m");
	/* Here alone: the child has the same seat. */
	seat->pid = pid;
	close(fd);
}

static struct seat *find_seat(pid_t pid)
{
	__u32 i;

	for (i = 0; i < control.seats; i++)
		if (torture->seats[i].pid == pid)
			return &torture->seats[i];
	return NULL;
}

/* Nobody ends by himself, but for twins, whose parents were killed. */
static void reap(void)
{
	struct seat *seat;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		seat = find_seat(pid);
		if (seat)
			seat->pid = 0;
		if (seat ? !seat->killed : WIFSIGNALED(status) &&
					   WTERMSIG(status) != SIGKILL)
			complain("process %d ended: status %#x", pid, status);
	}
}

static void fill_seats(void)
{
	__u32 i;

	for (i = 0; i < control.seats; i++)
		if (torture->seats[i].pid <= 0)
			start(&torture->seats[i]);
}

static void kill_seat(struct seat *seat)
{
	if (seat->pid <= 0 || seat->killed)
		return;
	seat->killed = true;
	kill(seat->pid, SIGKILL);
	control.kills++;
}

/* --- Quiet ------------------------------------------------------------- */

static bool all_are(enum phase phase)
{
	__u32 i;

	reap();
	for (i = 0; i < control.seats; i++)
		if (torture->seats[i].pid > 0 &&
		    load(torture->seats[i].phase) != phase)
			return false;
	return true;
}

/* Those of who was killed go a little later than he does; what he sent may too. */
static bool sessions_agree(void)
{
	__u64 sum = 1;
	__u32 i;

	sharing_drain();
	for (i = 0; i < control.seats; i++)
		if (torture->seats[i].pid > 0)
			sum += load(torture->seats[i].sessions);
	return rs_has_sessions(control.heap, sum);
}

static bool enter(enum phase phase)
{
	store(torture->phase, phase);
	if (rs_wait_until(all_are(phase), PATIENCE))
		return true;
	complain("not all processes come to rest");
	tell_where();
	return false;
}

static void consult(void)
{
	if (!enter(QUIET))
		return;
	if (!rs_wait_until(sessions_agree(), PATIENCE))
		complain("there are sessions that nobody has");
	else
		oracle(&control.museum);
	enter(AUDIT);
	enter(RUN);
	control.oracles++;
}

/* --- From beginning to end --------------------------------------------- */

/* Whether it is time; if so, it is again some milliseconds later. */
static bool due(__u64 *when, __u64 after)
{
	__u64 now = rs_milliseconds();

	if (now < *when)
		return false;
	*when = now + after;
	return true;
}

/* A large heap for a while, or a small one, of which there are more scans. */
static void choose_size(void)
{
	control.most_objects = control.bound >>
			       rs_below(&control.museum.seed, 5);
}

static void control_crowd(void)
{
	struct rs_figures figures;

	if (rs_figures(control.heap, &figures) ||
	    figures.objects < control.most_objects ||
	    !due(&control.crowd_at, 2000))
		return;
	museum_purge(&control.museum);
}

static void turn(void)
{
	__u64 *seed = &control.museum.seed;

	reap();
	fill_seats();
	museum_tend(&control.museum);
	control_crowd();
	if (due(&control.kill_at, rs_below(seed, 500)))
		kill_seat(&torture->seats[rs_below(seed, control.seats)]);
	if (due(&control.oracle_at, 15000 + rs_below(seed, 15000))) {
		consult();
		choose_size();
	}
	if (due(&control.tell_at, TELL * 1000)) {
		tell();
		check_progress();
	}
	usleep(20000);
}

static void end_all(void)
{
	__u32 i;

	for (i = 0; i < control.seats; i++)
		kill_seat(&torture->seats[i]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (i = 0; i < control.seats; i++)
		torture->seats[i].pid = 0;
}

static bool nothing_left(void)
{
	static const char * const what[] = {
		"heaps", "sessions", "handles", "objects", "bytes", "backlog",
		"large", "large_bytes",
	};
	__u32 i;

	if (getenv("REFSTORE_HEAP"))
		return rs_heap_gone(control.heap);
	for (i = 0; i < ARRAY_SIZE(what); i++)
		if (rs_stats_value(what[i]))
			return false;
	return true;
}

/* Prints the line that counts. */
static void report(void)
{
	printf("# %llu reads compared, %llu upgrades, %llu found dead, "
	       "%llu notices, %llu sessions, %llu twins, %llu refused\n",
	       torture->reads, torture->upgrades, torture->deaths,
	       torture->notices, torture->sessions, torture->twins,
	       torture->refused);
	printf("# %llu exports sent, %llu received, %llu values adopted, "
	       "%llu mapped\n", torture->sent, torture->received,
	       torture->adopted, torture->mapped);
	printf("torture: %llu operations, %llu kills, %llu scans, %llu "
	       "aborted, %llu reclaimed, %llu oracles, %llu errors\n",
	       operations(), control.kills, rs_stats_value("scans"),
	       rs_stats_value("scan_aborted"),
	       rs_stats_value("scan_reclaimed"), control.oracles,
	       torture->errors);
	fflush(stdout);
}

static void finish(void)
{
	end_all();
	if (!torture->errors)
		consult();
	sharing_drain();
	if (getenv("REFSTORE_HEAP"))
		unlink(getenv("REFSTORE_HEAP"));
	close(control.museum.fd);
	if (!rs_wait_until(nothing_left(), PATIENCE))
		complain("%llu objects, %llu bytes, %llu sessions are left",
			 rs_stats_value("objects"), rs_stats_value("bytes"),
			 rs_stats_value("sessions"));
	report();
}

static void set_up(__u64 seconds, __u64 seed)
{
	__u32 i;

	torture = mmap(NULL, sizeof(*torture), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (torture == MAP_FAILED || sharing_open() ||
	    museum_open(&control.museum, seed)) {
		printf("Bail out! no store\n");
		exit(KSFT_FAIL);
	}
	control.heap = rs_heap_number(control.museum.fd);
	control.seats = COLLECTORS + 2 + 2 * get_nprocs();
	control.seats = control.seats < SEATS ? control.seats : SEATS;
	for (i = 0; i < COLLECTORS; i++)
		torture->seats[i].collector = true;
	control.bound = rs_env("REFSTORE_OBJECTS", 8000);
	choose_size();
	control.began = rs_milliseconds();
	control.end = control.began + seconds * 1000;
	control.oracle_at = control.began + 10000;
	/* Twins whose parent was killed come to us. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
}

int main(int argc, char **argv)
{
	__u64 seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 60;
	__u64 seed = rs_env("REFSTORE_SEED", time(NULL));

	printf("# REFSTORE_SEED=%llu, %llu s, %d processors\n", seed, seconds, get_nprocs());
	fflush(stdout);
	set_up(seconds, seed << 20);
	while (!interrupted && !load(torture->errors) &&
	       rs_milliseconds() < control.end)
		turn();
	finish();
	return torture->errors ? KSFT_FAIL : KSFT_PASS;
}
