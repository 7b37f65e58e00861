// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a heap has one of: a root, a table of types, limits.
 */
#include <string.h>

#include "session.h"

int refstore_get_root(struct refstore *store, uint64_t *result)
{
	struct refstore_get_root args = { .size = sizeof(args) };
	int ret = refstore_call(store, REFSTORE_GET_ROOT, &args);

	if (!ret)
		*result = args.result;
	return ret;
}

int refstore_set_root(struct refstore *store, uint64_t value)
{
	struct refstore_set_root args = {
		.size = sizeof(args),
		.value = value,
	};

	return refstore_call(store, REFSTORE_SET_ROOT, &args);
}

int refstore_cas_root(struct refstore *store, uint64_t expected, uint64_t value)
{
	struct refstore_set_root args = {
		.size = sizeof(args),
		.expected = expected,
		.value = value,
	};

	return refstore_call(store, REFSTORE_CAS_ROOT, &args);
}

int refstore_type_register(struct refstore *store, const char *name,
			   uint32_t *type)
{
	struct refstore_type args = { .size = sizeof(args) };
	size_t length = strlen(name);
	int ret;

	if (length >= sizeof(args.name))
		return -EINVAL;
	memcpy(args.name, name, length);
	ret = refstore_call(store, REFSTORE_TYPE_REGISTER, &args);
	if (!ret)
		*type = args.type;
	return ret;
}

int refstore_type_name(struct refstore *store, uint32_t type, char *name)
{
	struct refstore_type args = {
		.size = sizeof(args),
		.type = type,
	};
	int ret = refstore_call(store, REFSTORE_TYPE_NAME, &args);

	if (!ret)
		memcpy(name, args.name, sizeof(args.name));
	return ret;
}

int refstore_limit(struct refstore *store, struct refstore_limit *limit)
{
	limit->size = sizeof(*limit);
	limit->flags = 0;
	return refstore_call(store, REFSTORE_LIMIT, limit);
}
