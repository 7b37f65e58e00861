// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
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
	&command_users,
	&command_collect,
	&command_gc,
	&command_ls,
	&command_show,
	&command_path,
	&command_who,
	&command_referrers,
	&command_referents,
	&command_watch,
	&command_verify,
	&command_dump,
	&command_restore,
	&command_load,
	&command_snapshot,
	&command_growth,
	&command_leaks,
	&command_graph,
	&command_top,
	&command_metrics,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char common_options[] =
	"  -j, --json          print JSON\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n";

static const char exit_status[] =
	"\n"
	"Exit status:\n"
	"  0  all went well\n"
	"  1  something failed, or a check found a disagreement\n"
	"  2  the command was not used as it must be\n";

static const char session_options[] =
	"  -H, --heap PATH     the heap that is this file, in a mounted\n"
	"                      file system of type refstore\n"
	"  -f, --fd N          the session that this command inherited as\n"
	"                      descriptor N; otherwise $REFSTORE_FD names it\n"
	"  -p, --pid PID       a session of another process; you must be\n"
	"                      allowed to trace that\n"
	"  %s--session-fd N  with --pid: its descriptor N; needed where it\n"
	"                      has sessions on several heaps\n";

static void help_all(void)
{
	size_t i;

	puts("Usage: refstore [OPTION]... [COMMAND [OPTION]...]\n"
	     "Show, check, save and restore heaps of reference-counted objects."
	     "\n\n"
	     "Commands:");
	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-9s  %s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "Without a command: stat. 'refstore COMMAND --help' tells more.\n"
	     "\n"
	     "Options:");
	fputs(common_options, stdout);
	fputs(exit_status, stdout);
}

/* The character stands for an option of the command's own. */
static bool owns(const struct command *command, int option)
{
	return command && command->brief && option < OPTION_FIRST &&
	       option != ':' && strchr(command->brief, option);
}

static void help_command(const struct command *command)
{
	printf("Usage: refstore %s [OPTION]...%s\n%s.\n\n%s\nOptions:\n%s",
	       command->name, command->usage, command->summary, command->help,
	       common_options);
	if (command->options)
		fputs(command->options_help, stdout);
	if (command->session)
		printf(session_options, owns(command, 's') ? "    " : "-s, ");
	fputs(exit_status, stdout);
}

/* The status, if what was asked for could be printed. */
static int finish(int status)
{
	bool failed = ferror(stdout);

	/* Of what went wrong before, the number is not known any more. */
	errno = 0;
	if (!fclose(stdout) && !failed)
		return status;
	warnx("cannot write%s%s", errno ? ": " : "",
	      errno ? strerror(errno) : "");
	return STATUS_FAILED;
}

__attribute__((noreturn))
static void help(const struct command *command)
{
	if (command)
		help_command(command);
	else
		help_all();
	exit(finish(STATUS_OK));
}

__attribute__((noreturn))
static void version(void)
{
	puts("refstore " VERSION);
	exit(finish(STATUS_OK));
}

__attribute__((noreturn))
static void hint(const struct command *command)
{
	fprintf(stderr, "Try 'refstore %s%s--help'.\n",
		command ? command->name : "", command ? " " : "");
	exit(STATUS_USAGE);
}

/* The argument that getopt() found at an option. */
static int take_number(const struct command *command, const char *option,
		       int smallest)
{
	char *end;
	long value = strtol(optarg, &end, 10);

	if (*end || end == optarg || value < smallest || value > INT_MAX) {
		warnx("%s takes a number from %d to %d, not '%s'", option,
		      smallest, INT_MAX, optarg);
		hint(command);
	}
	return (int)value;
}

/* Its character, -s, is something else where a command has that. */
#define OPTION_SESSION_FD 0x1000

/* For all commands, and before them. */
static const struct option common_long[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "version", no_argument, NULL, 'V' },
	{},
};

static const struct option session_long[] = {
	{ "heap", required_argument, NULL, 'H' },
	{ "fd", required_argument, NULL, 'f' },
	{ "pid", required_argument, NULL, 'p' },
	{ "session-fd", required_argument, NULL, OPTION_SESSION_FD },
	{},
};

#define LONG_OPTIONS 24

static void append_options(struct option *all, const struct option *more)
{
	while (all->name)
		all++;
	while (more && more->name)
		*all++ = *more++;
	*all = (struct option){};
}

/*
 * The options of a command that a character stands for. Without the '+', words
 * may come before options.
 */
static const char *short_options(const struct command *command)
{
	static char brief[32];

	snprintf(brief, sizeof(brief), "%shjV%s%s",
		 command && !command->stops ? "" : "+",
		 command && command->brief ? command->brief : "",
		 command && command->session ? "H:f:p:s:" : "");
	return brief;
}

/* And those that a word stands for. */
static void fill_long_options(const struct command *command,
			      struct option *full)
{
	append_options(full, common_long);
	if (!command)
		return;
	if (command->session)
		append_options(full, session_long);
	append_options(full, command->options);
}

/* Takes the options of a command, or, without one, those before it. */
static void take_options(const struct command *command,
			 struct arguments *arguments, int argc, char **argv)
{
	const char *brief = short_options(command);
	struct option full[LONG_OPTIONS] = {};
	int option;

	fill_long_options(command, full);
	/* 0 starts getopt() anew. */
	optind = 0;
	while ((option = getopt_long(argc, argv, brief, full, NULL)) != -1) {
		if (owns(command, option)) {
			if (!command->take(option, optarg))
				hint(command);
			continue;
		}
		switch (option) {
		case 'h':
			help(command);
		case 'V':
			version();
		case 'j':
			out_start(true);
			break;
		case 'H':
			arguments->heap = optarg;
			break;
		case 'f':
			arguments->fd = take_number(command, "--fd", 0);
			break;
		case 'p':
			arguments->pid = take_number(command, "--pid", 1);
			break;
		case 's':
		case OPTION_SESSION_FD:
			arguments->session_fd =
				take_number(command, "--session-fd", 0);
			break;
		default:
			if (option >= OPTION_FIRST &&
			    command->take(option, optarg))
				break;
			if (!command)
				fputs("Options of a command come after it. ",
				      stderr);
			hint(command);
		}
	}
}

static bool is_called(const struct command *command, const char *name)
{
	return !strcmp(command->name, name) ||
	       (command->alias && !strcmp(command->alias, name));
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (is_called(commands[i], name))
			return commands[i];
	warnx("%s: no such command", name);
	hint(NULL);
}

static void check_words(const struct command *command,
			const struct arguments *arguments)
{
	const char *word = arguments->words[0];

	if (command->operand && !word)
		warnx("%s: %s is missing", command->name, command->operand);
	else if (!command->operand && word)
		warnx("%s takes no argument: %s", command->name, word);
	else if (arguments->session_fd >= 0 && !arguments->pid)
		warnx("--session-fd goes with --pid");
	else if (arguments->fd >= 0 && arguments->pid)
		warnx("either --fd or --pid");
	else if (arguments->heap && (arguments->fd >= 0 || arguments->pid))
		warnx("either --heap or --fd or --pid");
	else
		return;
	hint(command);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .fd = -1, .session_fd = -1 };
	const struct command *command = &command_stat;
	int status;

	/* So that getopt() begins its messages like warn(). */
	argv[0] = program_invocation_short_name;
	take_options(NULL, &arguments, argc, argv);
	argc -= optind;
	argv += optind;
	if (argc) {
		command = find_command(*argv);
		*argv = program_invocation_short_name;
		take_options(command, &arguments, argc, argv);
		argv += optind;
	}
	arguments.words = argv;
	check_words(command, &arguments);
	status = command->run(&arguments);
	if (status == STATUS_USAGE)
		hint(command);
	return finish(status);
}
