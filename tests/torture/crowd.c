// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are made, and let go of, many with one call.
 */
#include "torture.h"

/* More than the module makes at a time. */
#define CROWD 150

static __u64 crowd[CROWD];
static char data[CROWD * IDENTITY];

/* Returns how many there are. */
static __u32 make(int fd, __u64 tag, __u32 count, __u32 length)
{
	struct refstore_create_many create = {
		.type = tag_type(tag),
		.data = rs_ptr(data),
		.handles = rs_ptr(crowd),
		.count = count,
		.data_len = length,
		.nr_slots = 2,
	};
	__u32 i;

	for (i = 0; i < count; i++)
		identity_fill(data + i * length, tag_ring(tag, count, i), i,
			      length);
	if (!tolerable(rs_create_many(fd, &create), "create many"))
		return 0;
	return create.done;
}

/* Some refer to any of them: chains, and cycles of all sizes. */
static __u32 join(int fd, __u64 *seed, __u32 count)
{
	__u32 i, links = 0;

	for (i = 0; i < count; i += 1 + rs_below(seed, 8)) {
		tolerable(rs_set_slot(fd, crowd[i], rs_below(seed, 2),
				      crowd[rs_below(seed, count)]), "join");
		links++;
	}
	return links;
}

static void look(int fd, __u64 handle, __u64 tag)
{
	struct identity found;
	char bytes[IDENTITY];
	__u32 done;

	add(torture->reads, 1);
	if (rs_read(fd, handle, 0, IDENTITY, bytes, &done) ||
	    !identity_read(bytes, done, &found) || found.tag != tag)
		complain("of many, tag %llx cannot be read, or is another",
			 tag);
}

/* Needs no memory. */
static void let_go(int fd, const __u64 *handles, __u32 count)
{
	__u32 done;

	for (; count; count -= done) {
		if (rs_release_many(fd, handles, count, &done)) {
			complain("release many: %m");
			return;
		}
		handles += done;
	}
}

/* Keeps a few, gives the other handles back. Returns how many operations. */
__u32 crowd_pass(struct session *session, __u64 *seed)
{
	__u32 wanted = 1 + rs_below(seed, CROWD), count, i, operations;
	struct known known = { .length = 40 + rs_below(seed, 200) };
	__u64 tag = tag_new();

	count = make(session->fd, tag, wanted, known.length);
	if (!count)
		return 1;
	operations = 2 * count + join(session->fd, seed, count);
	i = rs_below(seed, count);
	look(session->fd, crowd[i], tag_ring(tag, wanted, i));
	for (; i < count; i += 1 + rs_below(seed, 64)) {
		known.handle = crowd[i];
		known.tag = tag_ring(tag, wanted, i);
		session_keep(session, seed, &known);
		crowd[i] = 0;
	}
	let_go(session->fd, crowd, count);
	operations += session->nr_dropped;
	let_go(session->fd, session->dropped, session->nr_dropped);
	session->nr_dropped = 0;
	return operations;
}
