// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process: it waits for a program, makes those of its calls that are its own, and
 * lets go of all that it has come by.
 */
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "fuzz.h"

int post[PROCESSES][2];

__u64 argument(__u16 arg, __u64 bound)
{
	static const __u64 special[] = {
		~0ULL, ~0ULL - 1, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 32,
		~0U, 1U << 31, (1U << 31) - 1, 1 << 20, (1 << 20) + 1, 65536,
		65537, 4096, 4064, 0, 1,
	};

	if (arg >= 0xff00)
		return special[arg % ARRAY_SIZE(special)];
	if (arg >= 0xfe00)
		return bound + arg % 3 - 1;
	return arg % (bound + 1);
}

/* --- What a process has ------------------------------------------------ */

int process_file(const struct process *process, unsigned int n)
{
	return process->files[n % FILES];
}

/* In the place of the one that has been there longest; not the first two. */
void process_keep_file(struct process *process, int fd)
{
	unsigned int n = 2 + process->next_file++ % (FILES - 2);

	if (fd < 0)
		return;
	if (process->files[n] >= 0)
		close(process->files[n]);
	process->files[n] = fd;
	/* Nothing is waited for. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* The newest is the first; beyond those that there are: results, in a batch. */
__u64 process_handle(const struct process *process, __u16 arg, bool foreign)
{
	if (foreign)
		return arg * 0x10001ULL;
	if (arg % 80 >= HANDLES)
		return arg & 8 ? 0 : REFSTORE_RESULT(arg & 7);
	return process->handles[(process->next_handle - 1 - arg % 80) % HANDLES];
}

void process_keep_handle(struct process *process, __u64 handle)
{
	process->handles[process->next_handle++ % HANDLES] = handle;
}

/* The first two are a heap of its own and the one that all share. */
static void begin(struct process *process)
{
	memset(process->handles, 0, sizeof(process->handles));
	memset(process->ids, 0, sizeof(process->ids));
	process->next_handle = 0;
	process->next_file = 0;
	process->files[0] = open(RS_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	process->files[1] = open(PLACE "/shared",
				 O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
}

static void end(struct process *process)
{
	unsigned int i;

	for (i = 0; i < FILES; i++) {
		if (process->files[i] >= 0)
			close(process->files[i]);
		process->files[i] = -1;
	}
}

/* --- Signals ----------------------------------------------------------- */

static void on_alarm(int signal)
{
	(void)signal;
}

static void expect_alarms(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
}

static void set_alarm(suseconds_t microseconds)
{
	struct itimerval timer = { .it_value.tv_usec = microseconds };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* --- Programs ---------------------------------------------------------- */

/* Whether it is an ioctl: most are. */
static bool is_command(const struct call *call)
{
	return call->what % COMMANDS != 0;
}

static unsigned int run_call(struct process *process,
			     const struct program *program, unsigned int at)
{
	struct call call = program->calls[at];
	unsigned int nr = 1;

	coverage_begin(process);
	if (call.twist == TWIST_SIGNAL)
		set_alarm(20 + call.seed * 20);
	if (is_command(&call))
		nr = command_run(process, program, at);
	else
		action_run(process, &call);
	if (call.twist == TWIST_SIGNAL)
		set_alarm(0);
	coverage_end(process);
	return nr;
}

/* To begin anew takes long: what there is lasts for some turns. */
static void begin_now_and_then(struct process *process, __u32 turn)
{
	if (turn % LASTS && process->files[0] >= 0)
		return;
	end(process);
	begin(process);
}

static void run_program(struct process *process)
{
	const struct program *program = &fuzz->programs[process->program];
	unsigned int at = 0, nr, made = 0;

	while (at < program->nr) {
		nr = 1;
		if (program->calls[at].place % PROCESSES == process->number) {
			nr = run_call(process, program, at);
			made++;
		}
		at += nr;
	}
	add(fuzz->calls, made);
}

static void run_turn(struct process *process)
{
	for (process->program = 0; process->program < fuzz->nr;
	     process->program++)
		run_program(process);
}

/* --- The process ------------------------------------------------------- */

static void make_arena(struct process *process)
{
	char *map = mmap(NULL, ARENA + 2 * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED ||
	    mprotect(map, 4096, PROT_READ) ||
	    mprotect(map + 4096 + ARENA, 4096, PROT_NONE))
		_exit(3);
	process->arena = map + 4096;
}

static void become_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		_exit(3);
}

static void set_up(struct process *process)
{
	struct rlimit files = { 256, 256 };
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < FILES; i++)
		process->files[i] = -1;
	process->post = post[process->number][0];
	setrlimit(RLIMIT_NOFILE, &files);
	umask(0);
	make_arena(process);
	expect_alarms();
	coverage_open(process);
	if (process->number == PROCESSES - 1)
		become_nobody();
}

static void futex(__u32 *word, int op, __u32 value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* Never returns; it ends with the controller, or when a program says so. */
void process_run(unsigned int number)
{
	static struct process process;
	__u32 turn = load(fuzz->turn);

	process.number = number;
	set_up(&process);
	store(fuzz->finished[number], turn);
	for (;;) {
		while (load(fuzz->turn) == turn)
			futex(&fuzz->turn, FUTEX_WAIT, turn);
		turn = load(fuzz->turn);
		begin_now_and_then(&process, turn);
		run_turn(&process);
		store(fuzz->finished[number], turn);
		add(fuzz->ended, 1);
		futex(&fuzz->ended, FUTEX_WAKE, 1);
	}
}
