// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "out.h"

static const struct command *const commands[] = {
	&command_stat,
	&command_types,
	&command_scans,
	&command_collect,
	&command_verify,
	&command_dump,
	&command_load,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char exit_status[] =
	"\n"
	"Exit status:\n"
	"  0  all went well\n"
	"  1  something failed, or a check found a disagreement\n"
	"  2  the command was not used as it must be\n";

static const char session_options[] =
	"  -f, --fd N          the session that this command inherited as\n"
	"                      descriptor N; otherwise $REFSTORE_FD names it\n"
	"  -p, --pid PID       a session of another process; you must be\n"
	"                      allowed to trace that\n"
	"  -s, --session-fd N  with --pid: its descriptor N; needed where it\n"
	"                      has sessions on several heaps\n";

static void help_all(void)
{
	size_t i;

	puts("Usage: refstore [--json] [COMMAND] [OPTION]...\n"
	     "Show, check, save and restore heaps of reference-counted objects."
	     "\n\n"
	     "Commands:");
	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "Without a command: stat. 'refstore COMMAND --help' tells more.");
	fputs(exit_status, stdout);
}

static void help_command(const struct command *command)
{
	printf("Usage: refstore %s [OPTION]...%s\n%s.\n\n%s\n"
	       "Options:\n"
	       "  -j, --json          print JSON\n"
	       "  -h, --help          print this\n",
	       command->name, command->usage, command->summary, command->help);
	if (command->session)
		fputs(session_options, stdout);
	fputs(exit_status, stdout);
}

__attribute__((noreturn))
static void hint(const struct command *command)
{
	fprintf(stderr, "Try 'refstore %s%s--help'.\n",
		command ? command->name : "", command ? " " : "");
	exit(STATUS_USAGE);
}

static int number(const struct command *command, const char *text, int smallest)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || end == text || value < smallest || value > INT_MAX) {
		warnx("%s: not a number that is possible here", text);
		hint(command);
	}
	return (int)value;
}

/* For all commands, and before them. */
static const char common_short[] = "+hj";
static const struct option common_long[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{},
};

/* For commands on a session. */
static const char session_short[] = "+hjf:p:s:";
static const struct option session_long[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "fd", required_argument, NULL, 'f' },
	{ "pid", required_argument, NULL, 'p' },
	{ "session-fd", required_argument, NULL, 's' },
	{},
};

/* Takes the options of a command, or, without one, those before it. */
static void take_options(const struct command *command,
			 struct arguments *arguments, int argc, char **argv)
{
	bool session = command && command->session;
	const char *brief = session ? session_short : common_short;
	const struct option *full = session ? session_long : common_long;
	int option;

	/* 0 starts getopt() anew. */
	optind = 0;
	while ((option = getopt_long(argc, argv, brief, full, NULL)) != -1) {
		switch (option) {
		case 'h':
			if (command)
				help_command(command);
			else
				help_all();
			exit(fflush(stdout) ? STATUS_FAILED : STATUS_OK);
		case 'j':
			out_start(true);
			break;
		case 'f':
			arguments->fd = number(command, optarg, 0);
			break;
		case 'p':
			arguments->pid = number(command, optarg, 1);
			break;
		case 's':
			arguments->session_fd = number(command, optarg, 0);
			break;
		default:
			hint(command);
		}
	}
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	warnx("%s: no such command", name);
	hint(NULL);
}

static void check_words(const struct command *command,
			const struct arguments *arguments)
{
	if (arguments->nr_words < command->min_words)
		warnx("%s: something is missing", command->name);
	else if (command->max_words >= 0 &&
		 arguments->nr_words > command->max_words)
		warnx("%s: too much", arguments->words[command->max_words]);
	else if (arguments->session_fd >= 0 && !arguments->pid)
		warnx("--session-fd goes with --pid");
	else if (arguments->fd >= 0 && arguments->pid)
		warnx("either --fd or --pid");
	else
		return;
	hint(command);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .fd = -1, .session_fd = -1 };
	const struct command *command = &command_stat;
	char *program = argv[0];
	int status;

	take_options(NULL, &arguments, argc, argv);
	argc -= optind;
	argv += optind;
	if (argc) {
		command = find_command(*argv);
		/* Its messages begin like those of getopt(). */
		*argv = program;
		take_options(command, &arguments, argc, argv);
		argc -= optind;
		argv += optind;
	}
	arguments.words = argv;
	arguments.nr_words = argc;
	check_words(command, &arguments);
	status = command->run(&arguments);
	if (fflush(stdout) || ferror(stdout)) {
		warn("cannot write");
		return STATUS_FAILED;
	}
	return status;
}
