// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who an object is, by its data. A tag is given once:
 *
 *   bits 16 ...   a number of its own, which members of a ring share
 *   bits 8 ... 15 members of the ring; 0: it is of none
 *   bits 0 ... 7  place in the ring
 *
 * Slot 0 of a member whose slots are sealed refers to the next one, for ever.
 * The type follows from the tag, and each byte of the data from its beginning:
 * so what was another object's memory, or is half written, does not pass.
 */
#include "torture.h"

__u64 tag_new(void)
{
	return (add(torture->bases, 1) + 1) << 16;
}

__u64 tag_ring(__u64 tag, __u32 members, __u32 place)
{
	return (tag & ~0xffffULL) | members << 8 | place;
}

/* Of the object that slot 0 refers to; 0 if that can be any. */
__u64 tag_next(__u64 tag)
{
	__u32 members = tag >> 8 & 0xff, place = tag & 0xff;

	return members ? tag_ring(tag, members, (place + 1) % members) : 0;
}

__u32 tag_type(__u64 tag)
{
	return (tag >> 16) % REFSTORE_TYPE_OBJECT + 1;
}

static __u64 identity_sum(const struct identity *identity)
{
	__u64 sum = identity->tag * 0x9e3779b97f4a7c15ULL;

	sum ^= (identity->serial + identity->length) * 0xc2b2ae3d27d4eb4fULL;
	sum = (sum ^ sum >> 29 ^ identity->type) * 0x165667b19e3779f9ULL;
	return sum ^ sum >> 32;
}

static char filler(__u64 sum, __u32 place)
{
	return (sum >> place % 7 * 8) + place;
}

/* @data: room for @length bytes, or for IDENTITY if that is less */
void identity_fill(void *data, __u64 tag, __u64 serial, __u32 length)
{
	struct identity identity = {
		.tag = tag,
		.serial = serial,
		.length = length,
		.type = tag_type(tag),
	};
	char *bytes = data;
	__u32 i;

	identity.sum = identity_sum(&identity);
	memcpy(data, &identity, sizeof(identity));
	for (i = sizeof(identity); i < length && i < IDENTITY; i++)
		bytes[i] = filler(identity.sum, i);
}

/*
 * Whether that is what identity_fill() wrote. An object that its maker has not
 * written to yet, or that has no data, passes: its tag is 0.
 */
bool identity_read(const void *data, __u32 done, struct identity *identity)
{
	static const struct identity blank;
	const char *bytes = data;
	__u32 i;

	*identity = blank;
	if (done < sizeof(*identity))
		return !done;
	memcpy(identity, data, sizeof(*identity));
	if (!memcmp(identity, &blank, sizeof(blank)))
		return true;
	if (identity->sum != identity_sum(identity) ||
	    identity->type != tag_type(identity->tag))
		return false;
	for (i = sizeof(*identity); i < done && i < identity->length; i++)
		if (bytes[i] != filler(identity->sum, i))
			return false;
	return true;
}
