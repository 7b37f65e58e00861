/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that the user wrote.
 */
#ifndef REFSTORE_NUMBER_H
#define REFSTORE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * number_take() - a number
 * @what: where it was written, for the message
 * @text: what was written
 * @smallest: of the numbers that are possible
 * @largest: of them, below UINT64_MAX
 * @number: out
 *
 * Return: false after it has said on stderr that this is none.
 */
bool number_take(const char *what, const char *text, uint64_t smallest,
		 uint64_t largest, uint64_t *number);

/**
 * number_take_list() - one to three numbers, with commas between them
 * @what: where they were written, for the message
 * @text: what was written
 * @largest: of the numbers that are possible
 * @numbers: out; those that were not written stay as they are
 *
 * Return: how many; 0 after it has said on stderr that these are none.
 */
size_t number_take_list(const char *what, const char *text, uint32_t largest,
			uint32_t numbers[3]);

#endif /* REFSTORE_NUMBER_H */
