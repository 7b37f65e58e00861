/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SipHash-1-3: a hash of bytes that who does not know the key cannot make collide.
 *
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, with
 * one round for each word and three at the end, as Python itself has it since 3.11.
 * Its own is not to be had with the stable interface, and has another key in each
 * process.
 */
#ifndef REFSTORE_PYTHON_SIPHASH_H
#define REFSTORE_PYTHON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct siphash_key - 128 random bits
 */
struct siphash_key {
	uint64_t word[2];
};

uint64_t siphash(const struct siphash_key *key, const unsigned char *data,
		 size_t length);

#endif /* REFSTORE_PYTHON_SIPHASH_H */
