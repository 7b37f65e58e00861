/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays that grow.
 */
#ifndef REFSTORE_ARRAY_H
#define REFSTORE_ARRAY_H

#include <stddef.h>

/**
 * array_reserve() - make room in an array
 * @array: from malloc(), or NULL
 * @room: number of elements that it has room for
 * @needed: number that it is to have room for, at least
 * @size: bytes of an element
 *
 * Return: the array, which may have moved, and which is not NULL even if nothing
 * is needed; or NULL if there is not enough memory: then nothing has changed.
 */
void *array_reserve(void *array, size_t *room, size_t needed, size_t size);

#endif /* REFSTORE_ARRAY_H */
