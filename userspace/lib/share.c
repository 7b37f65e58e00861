// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rights, objects that are passed as descriptors, and labels.
 */
#include <string.h>

#include "label.h"

int refstore_restrict(struct refstore *store, uint64_t rights)
{
	struct refstore_restrict args = {
		.size = sizeof(args),
		.rights = rights,
	};

	return refstore_call(store, REFSTORE_RESTRICT, &args);
}

int refstore_export(struct refstore *store, uint64_t object, uint64_t rights)
{
	struct refstore_export args = {
		.size = sizeof(args),
		.object = object,
		.rights = rights,
		.fd = -1,
	};
	int ret = refstore_call(store, REFSTORE_EXPORT, &args);

	return ret ? ret : args.fd;
}

int refstore_import(struct refstore *store, int fd, uint64_t *result)
{
	struct refstore_import args = { .size = sizeof(args), .fd = fd };
	int ret = refstore_call(store, REFSTORE_IMPORT, &args);

	if (!ret)
		*result = args.result;
	return ret;
}

int refstore_label_init(struct refstore_label *args, unsigned int what,
			uint64_t object, const char *label)
{
	size_t length = strlen(label);

	if (length >= sizeof(args->label))
		return -EINVAL;
	*args = (struct refstore_label){
		.size = sizeof(*args),
		.what = what,
		.object = object,
	};
	memcpy(args->label, label, length);
	return 0;
}

int refstore_label(struct refstore *store, unsigned int what, uint64_t object,
		   const char *label)
{
	struct refstore_label args;
	int ret = refstore_label_init(&args, what, object, label);

	return ret ? ret : refstore_call(store, REFSTORE_LABEL, &args);
}
