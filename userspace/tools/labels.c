// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "labels.h"
#include "text.h"

static int add(struct labels *labels, const struct refstore_walk_label *label)
{
	void *texts = array_reserve(labels->texts, &labels->room,
				    labels->count + 1, sizeof(*labels->texts));

	if (!texts)
		return -ENOMEM;
	labels->texts = texts;
	strcpy(labels->texts[labels->count], label->label);
	return idmap_add(&labels->places, label->id, labels->count++);
}

int labels_read_raw(struct labels *labels, struct refstore *store)
{
	struct refstore_walk_label label;
	struct refstore_iter *iter;
	int ret = refstore_iter_labels(store, &iter);

	if (ret)
		return ret;
	while ((ret = refstore_iter_next_label(iter, &label)) == 1) {
		ret = add(labels, &label);
		if (ret)
			break;
	}
	refstore_iter_free(iter);
	return ret;
}

int labels_read(struct labels *labels, struct refstore *store)
{
	int ret = labels_read_raw(labels, store);
	size_t i;

	for (i = 0; i < labels->count; i++)
		text_harmless(labels->texts[i]);
	return ret;
}

const char *labels_find(const struct labels *labels, uint64_t id)
{
	size_t place = idmap_find(&labels->places, id);

	return place == IDMAP_NONE ? "" : labels->texts[place];
}

void labels_free(struct labels *labels)
{
	idmap_free(&labels->places);
	free(labels->texts);
}
