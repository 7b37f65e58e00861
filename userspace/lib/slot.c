// SPDX-License-Identifier: LGPL-2.1-or-later
#include "session.h"

int refstore_get_slot(struct refstore *store, uint64_t object, size_t index,
		      uint64_t *result)
{
	struct refstore_get_slot args = {
		.size = sizeof(args),
		.object = object,
		.index = (uint32_t)index,
	};
	int ret;

	if (!refstore_fits(index))
		return -ERANGE;
	ret = refstore_call(store, REFSTORE_GET_SLOT, &args);
	if (!ret)
		*result = args.result;
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

/* All slots, or the error of the first that failed; *done were transferred. */
static int transfer(struct refstore *store, unsigned long command,
		    uint64_t object, size_t first, const uint64_t *handles,
		    size_t count, size_t *done)
{
	int ret;

	*done = 0;
	if (!refstore_fits(first) || !refstore_fits(count))
		return -ERANGE;
	while (*done < count) {
		struct refstore_slots args = {
			.size = sizeof(args),
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
	int ret = transfer(store, REFSTORE_READ_SLOTS, object, first, handles,
			   count, &done);

	if (ret)
		refstore_release_many(store, handles, done);
	return ret;
}

int refstore_write_slots(struct refstore *store, uint64_t object, size_t first,
			 const uint64_t *handles, size_t count)
{
	size_t done;

	return transfer(store, REFSTORE_WRITE_SLOTS, object, first, handles,
			count, &done);
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
