// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cycle scanner: when it runs, what it leaves alone, what it has done.
 */
#include <string.h>

#include "session.h"

int refstore_collect(struct refstore *store, uint32_t generation,
		     struct refstore_collect *result)
{
	struct refstore_collect args = {
		.size = sizeof(args),
		.generation = generation,
	};
	int ret = refstore_call_once(store, REFSTORE_COLLECT, &args);

	if (!ret && result)
		*result = args;
	return ret;
}

int refstore_gc_tune(struct refstore *store, struct refstore_tune *tune)
{
	struct refstore_tune args = *tune;
	int ret;

	args.size = sizeof(args);
	ret = refstore_call(store, REFSTORE_TUNE, &args);
	if (!ret)
		*tune = args;
	return ret;
}

static int set_automatic(struct refstore *store, bool automatic)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_AUTOMATIC,
		.automatic = automatic,
	};

	return refstore_gc_tune(store, &tune);
}

int refstore_gc_enable(struct refstore *store)
{
	return set_automatic(store, true);
}

int refstore_gc_disable(struct refstore *store)
{
	return set_automatic(store, false);
}

int refstore_gc_is_enabled(struct refstore *store)
{
	struct refstore_tune tune = {};
	int ret = refstore_gc_tune(store, &tune);

	return ret ? ret : (int)tune.automatic;
}

int refstore_gc_set_threshold(struct refstore *store,
			      const uint32_t threshold[REFSTORE_GENERATIONS])
{
	struct refstore_tune tune = { .flags = REFSTORE_TUNE_THRESHOLD };

	memcpy(tune.threshold, threshold, sizeof(tune.threshold));
	return refstore_gc_tune(store, &tune);
}

int refstore_gc_get_threshold(struct refstore *store,
			      uint32_t threshold[REFSTORE_GENERATIONS])
{
	struct refstore_tune tune = {};
	int ret = refstore_gc_tune(store, &tune);

	if (!ret)
		memcpy(threshold, tune.threshold, sizeof(tune.threshold));
	return ret;
}

int refstore_gc_set_delay(struct refstore *store,
			  const uint32_t delay[REFSTORE_GENERATIONS])
{
	struct refstore_tune tune = { .flags = REFSTORE_TUNE_DELAY };

	memcpy(tune.delay, delay, sizeof(tune.delay));
	return refstore_gc_tune(store, &tune);
}

int refstore_gc_get_delay(struct refstore *store,
			  uint32_t delay[REFSTORE_GENERATIONS])
{
	struct refstore_tune tune = {};
	int ret = refstore_gc_tune(store, &tune);

	if (!ret)
		memcpy(delay, tune.delay, sizeof(tune.delay));
	return ret;
}

int refstore_gc_stats(struct refstore *store, uint32_t generation,
		      struct refstore_generation *stats)
{
	struct refstore_generation args = {
		.size = sizeof(args),
		.generation = generation,
	};
	int ret = refstore_call(store, REFSTORE_GENERATION, &args);

	if (!ret)
		*stats = args;
	return ret;
}

int refstore_gc_get_count(struct refstore *store,
			  uint64_t count[REFSTORE_GENERATIONS])
{
	uint64_t counts[REFSTORE_GENERATIONS];
	struct refstore_generation stats;
	uint32_t i;
	int ret;

	for (i = 0; i < REFSTORE_GENERATIONS; i++) {
		ret = refstore_gc_stats(store, i, &stats);
		if (ret)
			return ret;
		counts[i] = stats.count;
	}
	memcpy(count, counts, sizeof(counts));
	return 0;
}

static int freeze(struct refstore *store, uint32_t flags, uint64_t *frozen)
{
	struct refstore_freeze args = {
		.size = sizeof(args),
		.flags = flags,
	};
	int ret = refstore_call(store, REFSTORE_FREEZE, &args);

	if (!ret && frozen)
		*frozen = args.frozen;
	return ret;
}

int refstore_gc_freeze(struct refstore *store, uint64_t *frozen)
{
	return freeze(store, REFSTORE_FREEZE_ALL, frozen);
}

int refstore_gc_unfreeze(struct refstore *store, uint64_t *thawed)
{
	return freeze(store, REFSTORE_FREEZE_NONE, thawed);
}

int refstore_gc_freeze_count(struct refstore *store, uint64_t *frozen)
{
	return freeze(store, 0, frozen);
}

int refstore_gc_set_save_all(struct refstore *store, int save)
{
	struct refstore_tune tune = {
		.flags = REFSTORE_TUNE_SAVE,
		.save = save != 0,
	};

	return refstore_gc_tune(store, &tune);
}

int refstore_gc_get_save_all(struct refstore *store)
{
	struct refstore_tune tune = {};
	int ret = refstore_gc_tune(store, &tune);

	return ret ? ret : (int)tune.save;
}

int refstore_gc_drop_garbage(struct refstore *store, uint64_t *dropped)
{
	struct refstore_drop_saved args = { .size = sizeof(args) };
	int ret = refstore_call_once(store, REFSTORE_DROP_SAVED, &args);

	if (!ret && dropped)
		*dropped = args.dropped;
	return ret;
}

int refstore_gc_is_tracked(struct refstore *store, uint64_t object)
{
	struct refstore_stat stat;
	int ret = refstore_stat(store, object, &stat);

	return ret ? ret : !!(stat.state & REFSTORE_STATE_SLOTTED);
}
