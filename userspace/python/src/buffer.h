/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that grow at the end, and a place in bytes that somebody else may have
 * written: nothing is read beyond their end.
 */
#ifndef REFSTORE_PYTHON_BUFFER_H
#define REFSTORE_PYTHON_BUFFER_H

#include "python.h"

/**
 * struct buffer - bytes that grow
 * @data: PyMem_Malloc()ed, or NULL
 * @length: bytes in use
 * @room: bytes there
 *
 * Functions that add return 0, or -1 with a MemoryError.
 */
struct buffer {
	unsigned char *data;
	size_t length;
	size_t room;
};

int buffer_reserve(struct buffer *buffer, size_t length);
int buffer_add(struct buffer *buffer, const void *data, size_t length);
int buffer_add_byte(struct buffer *buffer, unsigned char byte);
int buffer_add_number(struct buffer *buffer, uint64_t number);
void buffer_free(struct buffer *buffer);

/**
 * struct reader - a place in bytes
 * @at: the next byte
 * @end: after the last one
 *
 * Functions that take return 0, or -1, without an exception, if there is not as much.
 */
struct reader {
	const unsigned char *at;
	const unsigned char *end;
};

int reader_take(struct reader *reader, size_t length,
		const unsigned char **data);
int reader_take_byte(struct reader *reader, unsigned char *byte);
int reader_take_number(struct reader *reader, uint64_t *number);

/* Numbers of two, four and eight bytes, little endian, wherever they lie. */
static inline uint16_t load16(const unsigned char *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t load32(const unsigned char *at)
{
	return load16(at) | (uint32_t)load16(at + 2) << 16;
}

static inline uint64_t load64(const unsigned char *at)
{
	return load32(at) | (uint64_t)load32(at + 4) << 32;
}

static inline void store16(unsigned char *at, uint16_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

static inline void store32(unsigned char *at, uint32_t value)
{
	store16(at, (uint16_t)value);
	store16(at + 2, (uint16_t)(value >> 16));
}

static inline void store64(unsigned char *at, uint64_t value)
{
	store32(at, (uint32_t)value);
	store32(at + 4, (uint32_t)(value >> 32));
}

#endif /* REFSTORE_PYTHON_BUFFER_H */
