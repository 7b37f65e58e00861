// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <stdlib.h>

#include "array.h"

void *array_reserve(void *array, size_t *room, size_t needed, size_t size)
{
	size_t wanted = *room ? *room : 64;
	void *grown;

	if (array && needed <= *room)
		return array;
	if (needed > SIZE_MAX / 2 / size)
		return NULL;
	while (wanted < needed)
		wanted *= 2;
	grown = reallocarray(array, wanted, size);
	if (grown)
		*room = wanted;
	return grown;
}
