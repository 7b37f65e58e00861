/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Labels: names that people give to sessions, heaps and objects.
 */
#ifndef RS_LABEL_H
#define RS_LABEL_H

#include <linux/refstore.h>

struct rs_heap;
struct rs_object;

/**
 * struct rs_label - an object's label, in heap->labels
 * @text: with a zero at the end; under the lock of heap->labels
 */
struct rs_label {
	char text[REFSTORE_LABEL_MAX];
};

void rs_label_read(struct rs_heap *heap, const struct rs_object *obj,
		   char *text);
void rs_label_forget(struct rs_heap *heap, const struct rs_object *obj);
void rs_labels_end(struct rs_heap *heap);

#endif /* RS_LABEL_H */
