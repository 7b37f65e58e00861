// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that scans without pause, and at times lets the heap save what is
 * found, or keeps scans from looking at what there is.
 */
#include "torture.h"

static void tune_save(int fd, bool save)
{
	struct refstore_tune tune = {
		.size = sizeof(tune),
		.flags = REFSTORE_TUNE_SAVE,
		.save = save,
	};

	if (rs_call(fd, REFSTORE_TUNE, &tune))
		complain("tune: %m");
}

static void drop_saved(int fd)
{
	struct refstore_drop_saved drop = { .size = sizeof(drop) };

	if (rs_call(fd, REFSTORE_DROP_SAVED, &drop))
		complain("drop saved: %m");
}

static void freeze(int fd, __u32 flags)
{
	struct refstore_freeze freeze = {
		.size = sizeof(freeze),
		.flags = flags,
	};

	if (rs_call(fd, REFSTORE_FREEZE, &freeze))
		complain("freeze: %m");
}

static void change_settings(int fd, __u32 choice)
{
	switch (choice) {
	case 0:
		tune_save(fd, true);
		break;
	case 1 ... 4:
		tune_save(fd, false);
		break;
	case 5 ... 8:
		drop_saved(fd);
		break;
	case 9:
		freeze(fd, REFSTORE_FREEZE_ALL);
		break;
	case 10 ... 12:
		freeze(fd, REFSTORE_FREEZE_NONE);
		break;
	}
}

static void collect(int fd, __u32 generation)
{
	struct refstore_collect collect = {
		.size = sizeof(collect),
		.generation = generation,
	};

	if (rs_call(fd, REFSTORE_COLLECT, &collect))
		complain("collect: %m");
}

/* Never returns. */
void collector_run(struct seat *seat, int fd, __u64 seed)
{
	seed |= 1;
	store(seat->sessions, 1);
	for (;;) {
		store(seat->phase, load(torture->phase));
		if (seat->phase != RUN) {
			usleep(5000);
			continue;
		}
		collect(fd, rs_below(&seed, REFSTORE_GENERATIONS));
		change_settings(fd, rs_below(&seed, 200));
		add(seat->ops, 1);
	}
}
