/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands of refstore(1).
 */
#ifndef REFSTORE_COMMAND_H
#define REFSTORE_COMMAND_H

#include <getopt.h>
#include <stdbool.h>
#include <sys/types.h>

/* Exit codes of every command. */
enum {
	STATUS_OK,
	STATUS_FAILED,
	STATUS_USAGE,
	/* As env(1) and nohup(1) say that they cannot run a command. */
	STATUS_CANNOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

/**
 * struct arguments - what a command was given
 * @heap: --heap, or NULL
 * @fd: --fd, or -1
 * @pid: --pid, or 0
 * @session_fd: --session-fd, or -1
 * @words: what is left, ended by NULL
 */
struct arguments {
	const char *heap;
	int fd;
	pid_t pid;
	int session_fd;
	char **words;
};

/* Below are those that a character stands for. */
#define OPTION_FIRST 256

/**
 * struct command - a command
 * @name: its name
 * @alias: another one, or NULL
 * @usage: what comes after its name and the common options
 * @summary: what it does, in a line
 * @help: more of that; paragraphs
 * @session: it takes the options that name a heap, or a session on one
 * @operand: the word that it needs, after which it takes others; or NULL: it
 *           takes no words
 * @stops: the first word ends the options: what follows can be a command
 * @options: its own options, ended by one of zeroes; val from OPTION_FIRST on,
 *           or a character of @brief
 * @brief: those of them that a character stands for, as for getopt(), or NULL;
 *         it then stands for no other option
 * @options_help: what --help says of them
 * @take: takes one of them; false after it has said on stderr what was wrong
 * @run: does it; returns STATUS_*; before STATUS_USAGE it says on stderr what
 *       was wrong
 */
struct command {
	const char *name;
	const char *alias;
	const char *usage;
	const char *summary;
	const char *help;
	bool session;
	const char *operand;
	bool stops;
	const struct option *options;
	const char *brief;
	const char *options_help;
	bool (*take)(int option, const char *argument);
	int (*run)(const struct arguments *arguments);
};

extern const struct command command_stat;
extern const struct command command_types;
extern const struct command command_scans;
extern const struct command command_users;
extern const struct command command_collect;
extern const struct command command_gc;
extern const struct command command_ls;
extern const struct command command_show;
extern const struct command command_path;
extern const struct command command_who;
extern const struct command command_referrers;
extern const struct command command_referents;
extern const struct command command_watch;
extern const struct command command_dump;
extern const struct command command_restore;
extern const struct command command_load;
extern const struct command command_verify;
extern const struct command command_snapshot;
extern const struct command command_growth;
extern const struct command command_leaks;
extern const struct command command_graph;
extern const struct command command_top;
extern const struct command command_metrics;

#endif /* REFSTORE_COMMAND_H */
