/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The labels of a heap's objects.
 */
#ifndef REFSTORE_LABELS_H
#define REFSTORE_LABELS_H

#include <stddef.h>

#include <refstore.h>

#include "idmap.h"

/**
 * struct labels - labels, none if it is all zeroes
 * @places: from ids to @texts
 * @texts: the labels
 * @count: number of labels
 * @room: number that there is room for
 */
struct labels {
	struct idmap places;
	char (*texts)[REFSTORE_LABEL_MAX];
	size_t count;
	size_t room;
};

/**
 * labels_read() - read them, made harmless: see text_harmless()
 * @labels: none; out: to be freed with labels_free(), even if this fails
 * @store: a session on the heap
 *
 * Return: 0 or a negative errno.
 */
int labels_read(struct labels *labels, struct refstore *store);

/* The same, as they are: not for terminals. */
int labels_read_raw(struct labels *labels, struct refstore *store);

/* The label of an object, empty if it has none. */
const char *labels_find(const struct labels *labels, uint64_t id);

void labels_free(struct labels *labels);

#endif /* REFSTORE_LABELS_H */
