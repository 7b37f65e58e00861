// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cycle scanner of a heap: its settings and what it did.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "out.h"
#include "table.h"
#include "target.h"

/* What was asked for; flags of @tune: which of its settings. */
static struct {
	struct refstore_tune tune;
	size_t thresholds;
	size_t delays;
	bool freeze;
	bool unfreeze;
	bool drop;
} asked;

enum {
	OPTION_ENABLE = OPTION_FIRST,
	OPTION_DISABLE,
	OPTION_THRESHOLD,
	OPTION_DELAY,
	OPTION_FREEZE,
	OPTION_UNFREEZE,
	OPTION_SAVE_ALL,
	OPTION_DROP_GARBAGE,
};

static const struct option options[] = {
	{ "enable", no_argument, NULL, OPTION_ENABLE },
	{ "disable", no_argument, NULL, OPTION_DISABLE },
	{ "threshold", required_argument, NULL, OPTION_THRESHOLD },
	{ "delay", required_argument, NULL, OPTION_DELAY },
	{ "freeze", no_argument, NULL, OPTION_FREEZE },
	{ "unfreeze", no_argument, NULL, OPTION_UNFREEZE },
	{ "save-all", required_argument, NULL, OPTION_SAVE_ALL },
	{ "drop-garbage", no_argument, NULL, OPTION_DROP_GARBAGE },
	{},
};

static bool take_automatic(uint32_t automatic)
{
	if (asked.tune.flags & REFSTORE_TUNE_AUTOMATIC &&
	    asked.tune.automatic != automatic) {
		warnx("either --enable or --disable");
		return false;
	}
	asked.tune.flags |= REFSTORE_TUNE_AUTOMATIC;
	asked.tune.automatic = automatic;
	return true;
}

static bool take_save(const char *argument)
{
	bool on = !strcmp(argument, "on");

	if (!on && strcmp(argument, "off")) {
		warnx("--save-all takes 'on' or 'off', not '%s'", argument);
		return false;
	}
	asked.tune.flags |= REFSTORE_TUNE_SAVE;
	asked.tune.save = on;
	return true;
}

static bool take_freeze(bool *which)
{
	*which = true;
	if (asked.freeze && asked.unfreeze)
		warnx("either --freeze or --unfreeze");
	return !asked.freeze || !asked.unfreeze;
}

static bool take(int option, const char *argument)
{
	switch (option) {
	case OPTION_ENABLE:
		return take_automatic(1);
	case OPTION_DISABLE:
		return take_automatic(0);
	case OPTION_THRESHOLD:
		asked.thresholds = number_take_list("--threshold", argument,
						    UINT32_MAX,
						    asked.tune.threshold);
		return asked.thresholds;
	case OPTION_DELAY:
		asked.delays = number_take_list("--delay", argument,
						REFSTORE_MAX_DELAY,
						asked.tune.delay);
		return asked.delays;
	case OPTION_FREEZE:
		return take_freeze(&asked.freeze);
	case OPTION_UNFREEZE:
		return take_freeze(&asked.unfreeze);
	case OPTION_SAVE_ALL:
		return take_save(argument);
	default:
		asked.drop = true;
		return true;
	}
}

/* Settings of generations that were not given stay as they are. */
static int tune(struct refstore *store, struct refstore_tune *now)
{
	struct refstore_tune *tune = &asked.tune;
	int ret = refstore_gc_tune(store, now);
	size_t i;

	if (ret)
		return ret;
	if (asked.thresholds)
		tune->flags |= REFSTORE_TUNE_THRESHOLD;
	if (asked.delays)
		tune->flags |= REFSTORE_TUNE_DELAY;
	for (i = asked.thresholds; i < REFSTORE_GENERATIONS; i++)
		tune->threshold[i] = now->threshold[i];
	for (i = asked.delays; i < REFSTORE_GENERATIONS; i++)
		tune->delay[i] = now->delay[i];
	*now = *tune;
	return refstore_gc_tune(store, now);
}

/**
 * struct state - what is printed
 * @heap: number of the heap
 * @tune: settings
 * @generations: figures
 * @frozen: objects
 * @saved: objects
 * @dropped: references that were dropped, if that was asked for
 */
struct state {
	uint64_t heap;
	struct refstore_tune tune;
	struct refstore_generation generations[REFSTORE_GENERATIONS];
	uint64_t frozen;
	uint64_t saved;
	uint64_t dropped;
};

static int set(struct refstore *store, struct state *state)
{
	int ret = tune(store, &state->tune);

	if (!ret && asked.freeze)
		ret = refstore_gc_freeze(store, NULL);
	if (!ret && asked.unfreeze)
		ret = refstore_gc_unfreeze(store, NULL);
	if (!ret && asked.drop)
		ret = refstore_gc_drop_garbage(store, &state->dropped);
	return ret;
}

static int count_saved(struct refstore *store, uint64_t *count)
{
	struct refstore_walk_object object;
	struct refstore_iter *iter;
	int ret = refstore_iter_garbage(store, 0, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_object(iter, &object)) == 1)
		++*count;
	refstore_iter_free(iter);
	return ret;
}

static int get(struct refstore *store, struct state *state)
{
	struct refstore_query query;
	int ret = refstore_query(store, &query);
	uint32_t i;

	for (i = 0; !ret && i < REFSTORE_GENERATIONS; i++)
		ret = refstore_gc_stats(store, i, &state->generations[i]);
	if (!ret)
		ret = refstore_gc_freeze_count(store, &state->frozen);
	if (!ret)
		ret = count_saved(store, &state->saved);
	if (!ret)
		state->heap = query.heap;
	return ret;
}

static void print_number(const char *name, uint64_t number)
{
	out_text("%-9s  ", name);
	out_number(name, "%" PRIu64 "\n", number);
}

static void print_truth(const char *name, bool truth)
{
	out_text("%-9s  ", name);
	out_truth(name, truth);
	out_text("\n");
}

#define NR_COLUMNS 12

static const struct table columns = {
	.names = {
		"generation", "threshold", "delay", "count", "candidates",
		"scans", "visited", "reclaimed", "bytes", "saved", "aborted",
		"nanoseconds",
	},
	.nr_columns = NR_COLUMNS,
};

static void print_generations(const struct state *state)
{
	char digits[REFSTORE_GENERATIONS * NR_COLUMNS][24];
	const char *cells[REFSTORE_GENERATIONS * NR_COLUMNS];
	struct table table = columns;
	size_t i, n, count = 0;

	for (i = 0; i < REFSTORE_GENERATIONS; i++) {
		const struct refstore_generation *gen = &state->generations[i];
		const uint64_t row[NR_COLUMNS] = {
			i, state->tune.threshold[i], state->tune.delay[i],
			gen->count, gen->candidates, gen->scans, gen->visited,
			gen->reclaimed, gen->bytes, gen->saved, gen->aborted,
			gen->nanoseconds,
		};

		for (n = 0; n < NR_COLUMNS; n++) {
			cells[count] = digits[count];
			snprintf(digits[count++], sizeof(*digits), "%" PRIu64,
				 row[n]);
		}
	}
	table.cells = cells;
	table.nr_rows = REFSTORE_GENERATIONS;
	table_print(&table, "generations");
}

static void print_state(const struct state *state)
{
	out_open_object(NULL);
	print_number("heap", state->heap);
	print_truth("enabled", state->tune.automatic);
	print_truth("save_all", state->tune.save);
	print_number("frozen", state->frozen);
	print_number("saved", state->saved);
	print_number("saturated", state->generations[0].saturated);
	if (asked.drop)
		print_number("dropped", state->dropped);
	out_text("\n");
	print_generations(state);
	out_close_object();
}

static bool changes_something(void)
{
	return asked.tune.flags || asked.thresholds || asked.delays ||
	       asked.freeze || asked.unfreeze || asked.drop;
}

static int run_gc(const struct arguments *arguments)
{
	struct state state = {};
	struct refstore *store;
	int ret;

	if (changes_something())
		ret = target_open_writable(arguments, &store);
	else
		ret = target_open(arguments, &store);
	if (ret)
		return STATUS_FAILED;
	ret = set(store, &state);
	if (!ret)
		ret = get(store, &state);
	refstore_close(store);
	if (ret) {
		warnx("cannot ask the scanner: %s", strerror(-ret));
		return STATUS_FAILED;
	}
	print_state(&state);
	return STATUS_OK;
}

const struct command command_gc = {
	.name = "gc",
	.usage = "",
	.summary = "Show and set how a heap's cycles are collected",
	.help = "Does what the options say, then shows the settings, what is\n"
		"frozen and saved, and for each generation its threshold and\n"
		"delay (milliseconds), what is compared with the threshold,\n"
		"its candidates, and what its scans did. The settings are the\n"
		"heap's. Python's module gc has the same; librefstore(3) says\n"
		"how they correspond.\n",
	.session = true,
	.options = options,
	.options_help =
		"      --enable, --disable\n"
		"                      let scans run by themselves, or only\n"
		"                      'refstore collect'\n"
		"      --threshold A[,B[,C]]\n"
		"                      scan generation 0 at A candidates, 1\n"
		"                      after B scans of 0, 2 after C of 1;\n"
		"                      0: at no number. Where scans find\n"
		"                      little, at up to 8 times A, and with\n"
		"                      rests between them\n"
		"      --delay A[,B[,C]]\n"
		"                      scan a generation when a candidate has\n"
		"                      waited so long, in milliseconds; 0: at\n"
		"                      once, not never\n"
		"      --freeze, --unfreeze\n"
		"                      take all objects out of the scanner's\n"
		"                      sight, or put them into it\n"
		"      --save-all on|off\n"
		"                      keep what scans find ('refstore ls\n"
		"                      --garbage' shows it), or free it\n"
		"      --drop-garbage  let go what was kept; the next scan frees\n"
		"                      it, if --save-all is off\n",
	.take = take,
	.run = run_gc,
};
