/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes as text: UTF-8, JSON strings, base64.
 */
#ifndef REFSTORE_TEXT_H
#define REFSTORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Well-formed UTF-8 without control characters but tabs and newlines. */
bool text_is_printable(const void *data, size_t length);

/*
 * Makes a name that others have chosen one that moves no terminal's cursor.
 * Returns it.
 */
const char *text_harmless(char *text);

/* Writes a JSON string, with its quotes; the bytes are UTF-8. */
void text_write_json(FILE *file, const char *text, size_t length);

void text_write_base64(FILE *file, const void *data, size_t length);

/*
 * Decodes base64 with its padding, nothing else allowed. @bytes has room for
 * @length / 4 * 3 bytes. Returns false if it is none; @decoded: out: bytes.
 */
bool text_read_base64(const char *text, size_t length, unsigned char *bytes,
		      size_t *decoded);

#endif /* REFSTORE_TEXT_H */
