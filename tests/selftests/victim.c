// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a large ring, says so, and has it scanned without end, to be killed
 * meanwhile: see tests/guest.sh.
 * usage: victim OBJECTS
 */
#include "refstore_util.h"

int main(int argc, char **argv)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_DELAY | REFSTORE_TUNE_THRESHOLD,
		.threshold = { 1, 1, 1 },
	};
	__u64 ring, again;
	int fd = rs_open();

	if (argc != 2 || fd < 0 || rs_tune(fd, &tune) ||
	    rs_ring(fd, strtoul(argv[1], NULL, 0), 1, &ring))
		return 1;
	printf("scanned\n");
	fflush(stdout);
	while (!rs_dup(fd, ring, &again) && !rs_release(fd, again) &&
	       !rs_collect(fd, NULL))
		;
	return 1;
}
