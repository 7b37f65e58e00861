// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands that show what the kernel tells of all heaps.
 */
#include "command.h"
#include "out.h"
#include "table.h"

static int run_stat(const struct arguments *arguments)
{
	struct table stats, heaps;

	(void)arguments;
	if (table_open(&stats, "stats"))
		return STATUS_FAILED;
	if (table_open(&heaps, "heaps")) {
		table_free(&stats);
		return STATUS_FAILED;
	}
	out_open_object(NULL);
	table_print_values(&stats, "stats");
	out_text("\n");
	table_print(&heaps, "heaps");
	out_close_object();
	table_free(&stats);
	table_free(&heaps);
	return STATUS_OK;
}

static int run_table(const char *name)
{
	struct table table;

	if (table_open(&table, name))
		return STATUS_FAILED;
	table_print(&table, NULL);
	table_free(&table);
	return STATUS_OK;
}

static int run_types(const struct arguments *arguments)
{
	(void)arguments;
	return run_table("types");
}

static int run_scans(const struct arguments *arguments)
{
	(void)arguments;
	return run_table("scans");
}

static int run_users(const struct arguments *arguments)
{
	(void)arguments;
	return run_table("users");
}

const struct command command_stat = {
	.name = "stat",
	.usage = "",
	.summary = "Show totals, and the heaps",
	.help = "What the kernel lets you see: your own heaps, or all of\n"
		"them. Sizes are in bytes, times in nanoseconds.\n",
	.run = run_stat,
};

const struct command command_types = {
	.name = "types",
	.usage = "",
	.summary = "Show how many objects and bytes each heap has of each type",
	.help = "A line for each type of each heap that has objects of it.\n",
	.run = run_types,
};

const struct command command_users = {
	.name = "users",
	.usage = "",
	.summary = "Show what users hold, and how much they may",
	.help = "A line for each user who has something. 'objects' and\n"
		"'bytes' are those of the heaps that belong to the user, and\n"
		"what these have taken ahead; 'handles' is room in the tables\n"
		"of the sessions that the user opened. Each is followed by\n"
		"its limit, which is set in /sys/module/refstore/parameters.\n",
	.run = run_users,
};

const struct command command_scans = {
	.name = "scans",
	.usage = "",
	.summary = "Show the last scans of the cycle collector",
	.help = "Oldest first. 'trigger' is why the scan ran; 'visited'\n"
		"counts the objects with slots that it looked at; 'reclaimed'\n"
		"those it freed, leaves too, and 'bytes' their size;\n"
		"'aborted' the groups of objects that were in use after all.\n"
		"'ended' is a time of CLOCK_MONOTONIC, in nanoseconds.\n",
	.run = run_scans,
};
