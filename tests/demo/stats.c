// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define STATS "/proc/refstore/stats"

void stats_read(struct stats *stats)
{
	FILE *file = fopen(STATS, "re");
	char line[80];

	if (!file)
		err(EXIT_FAILURE, STATS);
	*stats = (struct stats){};
	while (stats->count < STATS_MOST && fgets(line, sizeof(line), file)) {
		unsigned int n = stats->count++;

		if (sscanf(line, "%31s %" SCNu64, stats->line[n].name,
			   &stats->line[n].value) != 2)
			errx(EXIT_FAILURE, STATS ": %s", line);
	}
	fclose(file);
}

uint64_t stats_value(const struct stats *stats, const char *name)
{
	unsigned int i;

	for (i = 0; i < stats->count; i++)
		if (!strcmp(stats->line[i].name, name))
			return stats->line[i].value;
	errx(EXIT_FAILURE, STATS " has no %s", name);
}

void stats_print(const struct stats *stats, const char *const *titles,
		 unsigned int count)
{
	unsigned int i, j;

	printf("    %-16s", STATS);
	for (j = 0; j < count; j++)
		printf(" %13s", titles[j]);
	putchar('\n');
	/* The first line is the file's version. */
	for (i = 1; i < stats->count; i++) {
		printf("    %-20s", stats->line[i].name);
		for (j = 0; j < count; j++)
			printf(" %13s", grouped(stats[j].line[i].value));
		putchar('\n');
	}
	fflush(stdout);
}
