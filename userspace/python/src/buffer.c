// SPDX-License-Identifier: LGPL-2.1-or-later
#include "buffer.h"

int buffer_reserve(struct buffer *buffer, size_t length)
{
	size_t wanted = buffer->length + length;
	size_t room = buffer->room ? buffer->room : 64;
	unsigned char *data;

	if (wanted <= buffer->room)
		return 0;
	while (room < wanted)
		room *= 2;
	data = PyMem_Realloc(buffer->data, room);
	if (!data) {
		PyErr_NoMemory();
		return -1;
	}
	buffer->data = data;
	buffer->room = room;
	return 0;
}

int buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	if (buffer_reserve(buffer, length))
		return -1;
	if (length)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return 0;
}

int buffer_add_byte(struct buffer *buffer, unsigned char byte)
{
	return buffer_add(buffer, &byte, 1);
}

/* Seven bits in a byte, the lowest first; the eighth says that more come. */
int buffer_add_number(struct buffer *buffer, uint64_t number)
{
	unsigned char bytes[10];
	size_t n = 0;

	do {
		bytes[n] = (unsigned char)(number & 0x7f);
		number >>= 7;
		if (number)
			bytes[n] |= 0x80;
		n++;
	} while (number);
	return buffer_add(buffer, bytes, n);
}

void buffer_free(struct buffer *buffer)
{
	PyMem_Free(buffer->data);
	buffer->data = NULL;
	buffer->length = 0;
	buffer->room = 0;
}

int reader_take(struct reader *reader, size_t length,
		const unsigned char **data)
{
	if ((size_t)(reader->end - reader->at) < length)
		return -1;
	*data = reader->at;
	reader->at += length;
	return 0;
}

int reader_take_byte(struct reader *reader, unsigned char *byte)
{
	if (reader->at == reader->end)
		return -1;
	*byte = *reader->at++;
	return 0;
}

int reader_take_number(struct reader *reader, uint64_t *number)
{
	unsigned char byte;
	unsigned int shift;

	*number = 0;
	for (shift = 0; shift < 64; shift += 7) {
		if (reader_take_byte(reader, &byte))
			return -1;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return 0;
	}
	return -1;
}
