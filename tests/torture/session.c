// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session of a mutator: its handles, and the notices that come to it.
 */
#include <poll.h>

#include "torture.h"

void session_init(struct session *session, int fd)
{
	memset(session, 0, sizeof(*session));
	session->fd = fd;
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

/* A handle that the next batch gives back. */
void session_drop(struct session *session, __u64 handle)
{
	if (session->nr_dropped < ARRAY_SIZE(session->dropped))
		session->dropped[session->nr_dropped++] = handle;
	else if (rs_release(session->fd, handle))
		complain("a handle cannot be given back");
}

/* Keeps a handle, in the place of another one. */
void session_keep(struct session *session, __u64 *seed,
		  const struct known *known)
{
	struct known *place = &session->held[rs_below(seed, HELD)];

	if (place->handle)
		session_drop(session, place->handle);
	*place = *known;
}

/* The handle that asked for it may have been given back meanwhile. */
static void session_death(struct session *session,
			  const struct refstore_event *event)
{
	struct weak *weak = &session->weak[event->cookie % WEAK];

	add(torture->notices, 1);
	if (!event->cookie || event->cookie / WEAK > session->cookies)
		complain("a notice that nobody asked for: %llx", event->cookie);
	if (weak->cookie != event->cookie)
		return;
	if (weak->noticed)
		complain("object %llu: two notices", event->id);
	if (weak->known.id && weak->known.id != event->id)
		complain("object %llu: notice says %llu", weak->known.id,
			 event->id);
	weak->noticed = true;
}

static void session_event(struct session *session,
			  const struct refstore_event *event)
{
	if (event->seq != ++session->seq)
		complain("event %llu is missing: %llu", session->seq,
			 event->seq);
	session->seq = event->seq;
	if (event->kind == REFSTORE_EVENT_DEATH)
		session_death(session, event);
}

/* Reads all that there is to read, without waiting. */
void session_notices(struct session *session)
{
	struct pollfd wait = { .fd = session->fd, .events = POLLIN };
	struct refstore_event events[16];
	ssize_t count, i;

	while (poll(&wait, 1, 0) > 0 && wait.revents & POLLIN) {
		count = read(session->fd, events, sizeof(events));
		if (count < 0)
			complain("read: %m");
		if (count <= 0)
			return;
		for (i = 0; i < count / (ssize_t)sizeof(*events); i++)
			session_event(session, &events[i]);
	}
}

static void audit_held(struct session *session, const struct known *known)
{
	__u64 id = rs_id(session->fd, known->handle);

	if (!id || (known->id && known->id != id))
		complain("a handle of object %llu is one of %llu now",
			 known->id, id);
}

/* All is quiet: whose object died, has its notice. */
static void audit_weak(struct session *session, struct weak *weak)
{
	struct refstore_upgrade upgrade = {
		.size = sizeof(upgrade),
		.weak = weak->known.handle,
	};

	if (rs_call(session->fd, REFSTORE_UPGRADE, &upgrade))
		complain("a weak handle is none: %m");
	if (weak->cookie && weak->noticed != !upgrade.result)
		complain("object %llu: %s, %s", weak->known.id,
			 weak->noticed ? "noticed" : "not noticed",
			 upgrade.result ? "alive" : "dead");
	if (!upgrade.result)
		return;
	if (weak->dead)
		complain("object %llu is alive again", weak->known.id);
	if (weak->known.id && rs_id(session->fd, upgrade.result) !=
			      weak->known.id)
		complain("object %llu is another one", weak->known.id);
	rs_release(session->fd, upgrade.result);
}

void session_audit(struct session *session)
{
	int i;

	session_notices(session);
	for (i = 0; i < HELD; i++)
		if (session->held[i].handle)
			audit_held(session, &session->held[i]);
	for (i = 0; i < WEAK; i++)
		if (session->weak[i].known.handle)
			audit_weak(session, &session->weak[i]);
}
