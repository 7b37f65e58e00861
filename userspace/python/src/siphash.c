// SPDX-License-Identifier: LGPL-2.1-or-later
#include "buffer.h"
#include "siphash.h"

static inline uint64_t rotate(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	round_of(v);
	v[0] ^= word;
}

/* What does not fill a word, and the length. */
static uint64_t last_word(const unsigned char *data, size_t length)
{
	uint64_t word = (uint64_t)length << 56;
	size_t i;

	for (i = 0; i < length % 8; i++)
		word |= (uint64_t)data[i] << 8 * i;
	return word;
}

uint64_t siphash(const struct siphash_key *key, const unsigned char *data,
		 size_t length)
{
	const unsigned char *end = data + length - length % 8;
	uint64_t v[4] = {
		key->word[0] ^ 0x736f6d6570736575,
		key->word[1] ^ 0x646f72616e646f6d,
		key->word[0] ^ 0x6c7967656e657261,
		key->word[1] ^ 0x7465646279746573,
	};
	const unsigned char *at;
	int i;

	for (at = data; at < end; at += 8)
		absorb(v, load64(at));
	absorb(v, last_word(end, length));
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
