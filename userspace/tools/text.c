// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <string.h>

#include "text.h"

/* Of a sequence's first byte: how long it is; 0 if none begins so. */
static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

/* The character of a sequence, or UINT32_MAX if it is malformed. */
static uint32_t decode(const unsigned char *bytes, size_t length)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t character = bytes[0];
	size_t i;

	if (length > 1)
		character &= 0x7fu >> length;
	for (i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < smallest[length] || character > 0x10ffff)
		return UINT32_MAX;
	if (character >= 0xd800 && character <= 0xdfff)
		return UINT32_MAX;
	return character;
}

static bool character_is_printable(uint32_t character)
{
	if (character == '\t' || character == '\n')
		return true;
	if (character < 0x20 || character == UINT32_MAX)
		return false;
	return character < 0x7f || character > 0x9f;
}

bool text_is_printable(const void *data, size_t length)
{
	const unsigned char *bytes = data;

	while (length) {
		size_t size = sequence_length(*bytes);

		if (!size || size > length ||
		    !character_is_printable(decode(bytes, size)))
			return false;
		bytes += size;
		length -= size;
	}
	return true;
}

const char *text_harmless(char *text)
{
	bool ascii = !text_is_printable(text, strlen(text));
	char *byte;

	for (byte = text; *byte; byte++)
		if ((unsigned char)*byte < ' ' ||
		    (ascii && (unsigned char)*byte > '~'))
			*byte = '?';
	return text;
}

static void write_json_byte(FILE *file, unsigned char byte)
{
	switch (byte) {
	case '"':
	case '\\':
		fputc('\\', file);
		fputc(byte, file);
		break;
	case '\n':
		fputs("\\n", file);
		break;
	case '\t':
		fputs("\\t", file);
		break;
	default:
		if (byte < 0x20)
			fprintf(file, "\\u%04x", byte);
		else
			fputc(byte, file);
	}
}

void text_write_json(FILE *file, const char *text, size_t length)
{
	size_t i;

	fputc('"', file);
	for (i = 0; i < length; i++)
		write_json_byte(file, (unsigned char)text[i]);
	fputc('"', file);
}

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes as four characters. */
static void write_group(FILE *file, const unsigned char *bytes, size_t count)
{
	uint32_t group = (uint32_t)bytes[0] << 16;
	size_t i;

	if (count > 1)
		group |= (uint32_t)bytes[1] << 8;
	if (count > 2)
		group |= bytes[2];
	for (i = 0; i < 4; i++)
		fputc(i > count ? '=' : digits[group >> (18 - 6 * i) & 63],
		      file);
}

void text_write_base64(FILE *file, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	while (length) {
		size_t count = length < 3 ? length : 3;

		write_group(file, bytes, count);
		bytes += count;
		length -= count;
	}
}

/* Four characters, @count + 1 of them digits; the bits left over must be 0. */
static bool read_group(const char *text, size_t count, unsigned char *bytes)
{
	uint32_t group = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		const char *digit = digits;

		if (i <= count)
			digit = memchr(digits, text[i], sizeof(digits) - 1);
		else if (text[i] != '=')
			return false;
		if (!digit)
			return false;
		group = group << 6 | (uint32_t)(digit - digits);
	}
	for (i = 0; i < count; i++)
		bytes[i] = (unsigned char)(group >> (16 - 8 * i));
	return !(group & (0xffffffu >> (8 * count)));
}

bool text_read_base64(const char *text, size_t length, unsigned char *bytes,
		      size_t *decoded)
{
	*decoded = 0;
	if (length % 4)
		return false;
	for (; length; text += 4, length -= 4) {
		size_t count = 3;

		if (length == 4 && text[3] == '=')
			count = text[2] == '=' ? 1 : 2;
		if (!read_group(text, count, bytes + *decoded))
			return false;
		*decoded += count;
	}
	return true;
}
