// SPDX-License-Identifier: LGPL-2.1-or-later
#include "session.h"

static int get_slot(struct refstore *store, uint64_t object, size_t index,
		    struct refstore_get_slot *args)
{
	if (!refstore_fits(index))
		return -ERANGE;
	args->size = sizeof(*args);
	args->object = object;
	args->index = (uint32_t)index;
	return refstore_call(store, REFSTORE_GET_SLOT, args);
}

int refstore_get_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t *result)
{
	struct refstore_get_slot args = {};
	int ret = get_slot(store, object, index, &args);

	if (!ret)
		*result = args.result;
	return ret;
}

int refstore_match_slot(struct refstore *store, uint64_t object, size_t index,
			uint64_t id, uint64_t *result)
{
	struct refstore_get_slot args = {
		.flags = REFSTORE_SLOT_MATCH,
		.id = id,
	};
	int ret = get_slot(store, object, index, &args);

	if (!ret)
		*result = args.result;
	return ret;
}

int refstore_peek_slot(struct refstore *store, uint64_t object, size_t index,
		       uint64_t *id)
{
	struct refstore_get_slot args = { .flags = REFSTORE_SLOT_PEEK };
	int ret = get_slot(store, object, index, &args);

	if (!ret)
		*id = args.id;
	return ret;
}

int refstore_set_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t value)
{
	struct refstore_set_slot args = {
		.size = sizeof(args),
		.object = object,
		.value = value,
		.index = (uint32_t)index,
	};

	if (!refstore_fits(index))
		return -ERANGE;
	return refstore_call(store, REFSTORE_SET_SLOT, &args);
}

int refstore_cas_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t expected, uint64_t value)
{
	struct refstore_cas_slot args = {
		.size = sizeof(args),
		.object = object,
		.value = value,
		.expected = expected,
		.index = (uint32_t)index,
	};

	if (!refstore_fits(index))
		return -ERANGE;
	return refstore_call(store, REFSTORE_CAS_SLOT, &args);
}

int refstore_cas_many(struct refstore *store,
		      const struct refstore_cas_entry *entries, size_t count)
{
	struct refstore_cas_many args = {
		.size = sizeof(args),
		.entries = refstore_pointer(entries),
		.count = (uint32_t)count,
	};

	if (count > REFSTORE_MAX_CAS)
		return -E2BIG;
	return count ? refstore_call(store, REFSTORE_CAS_MANY, &args) : 0;
}

/* All slots, or the error of the first that failed; *done were transferred. */
static int transfer(struct refstore *store, unsigned long command,
		    uint32_t flags, uint64_t object, size_t first,
		    const uint64_t *handles, size_t count, size_t *done)
{
	int ret;

	*done = 0;
	if (!refstore_fits(first) || !refstore_fits(count))
		return -ERANGE;
	while (*done < count) {
		struct refstore_slots args = {
			.size = sizeof(args),
			.flags = flags,
			.object = object,
			.handles = refstore_pointer(handles + *done),
			.first = (uint32_t)(first + *done),
			.count = (uint32_t)(count - *done),
		};

		ret = refstore_call(store, command, &args);
		if (ret)
			return ret;
		*done += args.done;
	}
	return 0;
}

int refstore_read_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t *handles, size_t count)
{
	size_t done;
	int ret = transfer(store, REFSTORE_READ_SLOTS, 0, object, first,
			   handles, count, &done);

	if (ret)
		refstore_release_many(store, handles, done);
	return ret;
}

int refstore_peek_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t *ids, size_t count)
{
	size_t done;

	return transfer(store, REFSTORE_READ_SLOTS, REFSTORE_SLOT_PEEK, object,
			first, ids, count, &done);
}

int refstore_write_slots(struct refstore *store, uint64_t object, size_t first,
			 const uint64_t *handles, size_t count)
{
	size_t done;

	return transfer(store, REFSTORE_WRITE_SLOTS, 0, object, first, handles,
			count, &done);
}

int refstore_copy_slots(struct refstore *store, uint64_t object, size_t first,
			uint64_t source, size_t source_first, size_t count)
{
	size_t done, part;
	int ret = 0;

	if (!refstore_fits(first) || !refstore_fits(source_first) ||
	    !refstore_fits(count))
		return -ERANGE;
	for (done = 0; done < count && !ret; done += part) {
		struct refstore_copy_slots args = {
			.size = sizeof(args),
			.object = object,
			.source = source,
			.first = (uint32_t)(first + done),
			.source_first = (uint32_t)(source_first + done),
		};

		part = count - done < REFSTORE_MAX_COPY ? count - done :
							  REFSTORE_MAX_COPY;
		args.count = (uint32_t)part;
		ret = refstore_call(store, REFSTORE_COPY_SLOTS, &args);
	}
	return ret;
}

int refstore_resize(struct refstore *store, uint64_t object, size_t nr_slots)
{
	struct refstore_resize_slots args = {
		.size = sizeof(args),
		.object = object,
		.nr_slots = (uint32_t)nr_slots,
	};

	if (!refstore_fits(nr_slots))
		return -E2BIG;
	return refstore_call(store, REFSTORE_RESIZE_SLOTS, &args);
}
