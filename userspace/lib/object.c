// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Objects, their data, and handles of them.
 */
#include "large.h"

/* Bytes in a call, where there are too many for one: whole pages. */
#define TRANSFER_PART (1U << 31)

int refstore_create(struct refstore *store, const struct refstore_spec *spec,
		    uint64_t *handle, uint64_t *id)
{
	struct refstore_create args = {
		.size = sizeof(args),
		.flags = spec->flags,
		.data = refstore_pointer(spec->data),
		.type = spec->type,
		.nr_slots = (uint32_t)spec->nr_slots,
		.data_len = (uint32_t)spec->data_len,
		.slots = refstore_pointer(spec->slots),
	};
	int ret;

	if (!refstore_fits(spec->data_len) || !refstore_fits(spec->nr_slots))
		return -E2BIG;
	ret = refstore_call(store, REFSTORE_CREATE, &args);
	if (ret)
		return ret;
	*handle = args.result;
	if (id)
		*id = args.id;
	return 0;
}

/* One call: the next ones, with their data; adds to *done. */
static int create_part(struct refstore *store, const struct refstore_spec *spec,
		       size_t count, uint64_t *handles, size_t *done)
{
	const char *data = spec->data;
	struct refstore_create_many args = {
		.size = sizeof(args),
		.flags = spec->flags,
		.data = data ? refstore_pointer(data + *done * spec->data_len) :
			       0,
		.handles = refstore_pointer(handles + *done),
		.type = spec->type,
		.count = refstore_part(store, count - *done),
		.data_len = (uint32_t)spec->data_len,
		.nr_slots = (uint32_t)spec->nr_slots,
	};
	int ret = refstore_call(store, REFSTORE_CREATE_MANY, &args);

	if (!ret)
		*done += args.done;
	return ret;
}

int refstore_create_many(struct refstore *store,
			 const struct refstore_spec *spec, size_t count,
			 uint64_t *handles)
{
	size_t done = 0;
	int ret = 0;

	if (spec->slots)
		return -EINVAL;
	if (!refstore_fits(spec->data_len) || !refstore_fits(spec->nr_slots))
		return -E2BIG;
	while (!ret && done < count)
		ret = create_part(store, spec, count, handles, &done);
	if (ret)
		refstore_release_many(store, handles, done);
	return ret;
}

int refstore_dup(struct refstore *store, uint64_t object, uint64_t *result)
{
	struct refstore_dup args = {
		.size = sizeof(args),
		.object = object,
	};
	int ret = refstore_call(store, REFSTORE_DUP, &args);

	if (!ret)
		*result = args.result;
	return ret;
}

int refstore_release(struct refstore *store, uint64_t object)
{
	struct refstore_release args = {
		.size = sizeof(args),
		.object = object,
	};

	return refstore_call(store, REFSTORE_RELEASE, &args);
}

int refstore_release_many(struct refstore *store, const uint64_t *handles,
			  size_t count)
{
	size_t done = 0;

	while (done < count) {
		struct refstore_release_many args = {
			.size = sizeof(args),
			.handles = refstore_pointer(handles + done),
			.count = refstore_part(store, count - done),
		};
		int ret = refstore_call(store, REFSTORE_RELEASE_MANY, &args);

		if (ret)
			return ret;
		done += args.done;
	}
	return 0;
}

int refstore_stat(struct refstore *store, uint64_t object,
		  struct refstore_stat *stat)
{
	struct refstore_stat args = {
		.size = sizeof(args),
		.object = object,
	};
	int ret = refstore_call(store, REFSTORE_STAT, &args);

	if (!ret)
		*stat = args;
	return ret;
}

int refstore_seal(struct refstore *store, uint64_t object, unsigned int flags)
{
	struct refstore_seal args = {
		.size = sizeof(args),
		.flags = flags,
		.object = object,
	};
	int ret = refstore_call(store, REFSTORE_SEAL, &args);

	/* A large value: its memfd comes first. */
	if (ret != -EBUSY)
		return ret;
	ret = refstore_seal_memfd(store, object);
	return ret ? ret : refstore_call(store, REFSTORE_SEAL, &args);
}

/* A large value may take more than one call; data that ends needs no other. */
static ssize_t transfer(struct refstore *store, unsigned long command,
			uint64_t object, size_t offset, const void *buffer,
			size_t length)
{
	struct refstore_data args = {
		.size = sizeof(args),
		.object = object,
		.buffer = refstore_pointer(buffer),
		.offset = offset,
	};
	size_t left = length;
	int ret;

	do {
		args.length = refstore_fits(left) ? (uint32_t)left :
						    TRANSFER_PART;
		ret = refstore_call(store, command, &args);
		if (ret)
			return ret;
		args.buffer += args.done;
		args.offset += args.done;
		left -= args.done;
	} while (left && args.done == args.length);
	return (ssize_t)(length - left);
}

ssize_t refstore_read(struct refstore *store, uint64_t object, size_t offset,
		      void *buffer, size_t length)
{
	return transfer(store, REFSTORE_READ, object, offset, buffer, length);
}

int refstore_write(struct refstore *store, uint64_t object, size_t offset,
		   const void *buffer, size_t length)
{
	ssize_t ret = transfer(store, REFSTORE_WRITE, object, offset, buffer,
			       length);

	return ret < 0 ? (int)ret : 0;
}
