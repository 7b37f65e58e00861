/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values: how Python's plain ones lie in the data of objects.
 *
 * A value is a byte that says what it is, and what follows from that:
 *
 *	VALUE_NONE, VALUE_FALSE, VALUE_TRUE   nothing
 *	VALUE_INT     a number: twice the integer, or, where that is negative, twice
 *	              its complement and one
 *	VALUE_LONG    a number of bytes, and the integer in them, two's complement,
 *	              little endian: those that do not fit 64 bits
 *	VALUE_FLOAT   eight bytes, IEEE 754, little endian
 *	VALUE_STR     a number of bytes, and UTF-8, in which surrogates may stand alone
 *	VALUE_BYTES   a number of bytes, and these
 *	VALUE_TUPLE   a number of values, and these
 *	VALUE_OBJECT  nothing: the object in the next slot of those that belong to it
 *
 * A number takes seven bits of a byte, the lowest first, and as many bytes as it
 * needs; the eighth bit says that more come. What is not plain is an object of its own,
 * to which a slot refers; so are strings and bytes above VALUE_INLINE.
 *
 * Who reads trusts nothing: whatever the bytes are, the outcome is a value of these
 * kinds, or an error. Nothing is looked up, imported or called for what they say.
 */
#ifndef REFSTORE_PYTHON_VALUE_H
#define REFSTORE_PYTHON_VALUE_H

#include "buffer.h"

enum value_kind {
	VALUE_NONE,
	VALUE_FALSE,
	VALUE_TRUE,
	VALUE_INT,
	VALUE_LONG,
	VALUE_FLOAT,
	VALUE_STR,
	VALUE_BYTES,
	VALUE_TUPLE,
	VALUE_OBJECT,
};

#define VALUE_INLINE	256	/* bytes of a string or of bytes beside other values */
#define VALUE_DEPTH	64	/* tuples in each other */

/**
 * struct packer - values on their way to an object
 * @bytes: what they are
 * @objects: a list of those that slots shall refer to, in their order; NULL as long
 *           as there are none
 * @adapt: returns, for what is not plain, what is to stand in the list, as a new
 *         reference, or NULL with an exception; NULL where keys are added
 * @context: for @adapt
 * @depth: tuples that we are in
 */
struct packer {
	struct buffer bytes;
	PyObject *objects;
	PyObject *(*adapt)(void *context, PyObject *value);
	void *context;
	unsigned int depth;
};

/**
 * struct unpacker - values on their way from an object
 * @reader: what they are
 * @slot: the next slot
 * @resolve: returns a new reference on the value of a slot, or NULL with an exception
 * @context: for @resolve
 * @depth: tuples that we are in
 */
struct unpacker {
	struct reader reader;
	uint32_t slot;
	PyObject *(*resolve)(void *context, uint32_t slot);
	void *context;
	unsigned int depth;
};

int packer_add(struct packer *packer, PyObject *value);
int packer_add_key(struct packer *packer, PyObject *key);
void packer_free(struct packer *packer);

PyObject *unpacker_take(struct unpacker *unpacker);
int unpacker_skip(struct unpacker *unpacker);

#endif /* REFSTORE_PYTHON_VALUE_H */
