// SPDX-License-Identifier: GPL-2.0-only
/*
 * What passes between sessions: exported objects that travel through a socket
 * which all processes have, so that whoever sent one may be dead when it comes
 * out; sessions with fewer rights; and large values.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include "torture.h"

/* Both ends of the post. As many datagrams fit as the system lets wait: some 10. */
static int post[2];

/**
 * struct parcel - what is said of an export that travels
 * @id: the object's
 * @tag: who it is; 0: not known
 * @rights: of the export
 */
struct parcel {
	__u64 id;
	__u64 tag;
	__u64 rights;
};

/* Before there are any other processes. */
int sharing_open(void)
{
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0, post);
}

/* --- Rights ------------------------------------------------------------ */

/* An attempt that needs a right; it may fail for another reason then. */
static void attempt(const char *what, __u64 rights, __u64 right, int ret)
{
	if ((ret == -EACCES) == !(rights & right))
		return;
	complain("%s with rights %#llx: %s", what, rights,
		 ret < 0 ? strerror(-ret) : "done");
}

static int attempt_create(int fd)
{
	struct refstore_create create = {};
	int ret = rs_create(fd, &create);

	return ret ? ret : rs_release(fd, create.result);
}

static int attempt_export(int fd, __u64 object)
{
	int export = rs_export(fd, object, 0);

	if (export >= 0)
		close(export);
	return export;
}

static int attempt_walk(int fd)
{
	struct refstore_walk_object entry;
	struct refstore_walk walk = {
		.capacity = 1,
		.entries = rs_ptr(&entry),
	};

	return rs_walk(fd, &walk);
}

/* A session has these rights, and no others, and cannot get any. */
static void check_rights(int fd, __u64 object, __u64 rights)
{
	struct refstore_query query = {};
	__u32 done;

	rs_restrict(fd, REFSTORE_RIGHTS);
	if (rs_query(fd, &query) || query.rights != rights)
		complain("rights %#llx are %#llx", rights, query.rights);
	attempt("create", rights, REFSTORE_RIGHT_CREATE, attempt_create(fd));
	attempt("write", rights, REFSTORE_RIGHT_WRITE_DATA,
		rs_write(fd, object, 0, 0, NULL, &done));
	attempt("set slot", rights, REFSTORE_RIGHT_WRITE_SLOTS,
		rs_set_slot(fd, object, ~0U, 0));
	attempt("export", rights, REFSTORE_RIGHT_EXPORT,
		attempt_export(fd, object));
	attempt("walk", rights, REFSTORE_RIGHT_ENUMERATE, attempt_walk(fd));
}

/* A clone gives up rights; so has a clone of that. */
static __u32 pass_restricted(struct session *session, __u64 *seed)
{
	__u64 rights = rs_below(seed, REFSTORE_RIGHTS + 1);
	__u64 object = session->held[rs_below(seed, HELD)].handle;
	int fd, clone;

	if (!object)
		return 0;
	fd = rs_session_new(session->fd, REFSTORE_SESSION_CLONE);
	if (!tolerable(fd, "clone"))
		return 1;
	if (rs_restrict(fd, rights))
		complain("restrict: %m");
	clone = rs_session_new(fd, REFSTORE_SESSION_CLONE);
	close(fd);
	if (!tolerable(clone, "clone of a restricted session"))
		return 1;
	check_rights(clone, object, rights);
	close(clone);
	return 8;
}

/* --- Exports ----------------------------------------------------------- */

/* A datagram that does not fit is lost, and with it what it carries. */
static void send_parcel(const struct parcel *parcel, int fd)
{
	if (!rs_send_fd_with(post[0], fd, parcel, sizeof(*parcel)))
		add(torture->sent, 1);
}

/* The descriptor, or a negative errno if there is none. */
static int receive_parcel(struct parcel *parcel)
{
	int fd = rs_receive_fd_with(post[1], parcel, sizeof(*parcel));

	if (fd < 0 && fd != -EAGAIN)
		complain("a parcel: %s", strerror(-fd));
	return fd;
}

/* Throws away what is under way. */
void sharing_drain(void)
{
	struct parcel parcel;
	int fd;

	while ((fd = receive_parcel(&parcel)) >= 0)
		close(fd);
}

static __u32 pass_send(struct session *session, __u64 *seed)
{
	struct known *known = &session->held[rs_below(seed, HELD)];
	struct parcel parcel = {
		.tag = known->tag,
		.rights = rs_below(seed, 2) ? REFSTORE_RIGHTS :
			  rs_below(seed, REFSTORE_RIGHTS + 1),
	};
	int fd;

	if (!known->handle)
		return 0;
	parcel.id = rs_id(session->fd, known->handle);
	fd = rs_export(session->fd, known->handle, parcel.rights);
	if (!tolerable(fd, "export"))
		return 1;
	send_parcel(&parcel, fd);
	close(fd);
	return 3;
}

/* Sessions of mutators have all rights, so the export must give all. */
static void import(struct session *session, __u64 *seed, int fd,
		   const struct parcel *parcel)
{
	struct known known = { .id = parcel->id };
	int ret = rs_import(session->fd, fd, &known.handle);

	if (parcel->rights != REFSTORE_RIGHTS) {
		attempt("import", parcel->rights, 0, ret);
		return;
	}
	if (!tolerable(ret, "import"))
		return;
	if (rs_id(session->fd, known.handle) != parcel->id)
		complain("object %llu was sent, another one came", parcel->id);
	session_keep(session, seed, &known);
}

static void open_parcel(int fd, const struct parcel *parcel)
{
	__u64 object;
	int session = rs_open_export(fd, &object);

	if (!tolerable(session, "open an export"))
		return;
	if (rs_id(session, object) != parcel->id)
		complain("object %llu was sent, another one came", parcel->id);
	check_rights(session, object, parcel->rights);
	close(session);
}

static __u32 pass_receive(struct session *session, __u64 *seed)
{
	struct parcel parcel;
	int fd = receive_parcel(&parcel);

	if (fd < 0)
		return 0;
	add(torture->received, 1);
	if (rs_below(seed, 2))
		import(session, seed, fd, &parcel);
	else
		open_parcel(fd, &parcel);
	close(fd);
	return 3;
}

/* --- Large values ------------------------------------------------------ */

/* A memfd with an identity at its beginning, sealed; or all zeroes, and not. */
static int make_memfd(__u64 tag, __u32 length, bool sealed)
{
	int memfd = rs_memfd(length);
	char data[IDENTITY];

	if (memfd < 0 || !sealed)
		return memfd;
	identity_fill(data, tag, 1, length);
	if (pwrite(memfd, data, IDENTITY, 0) != IDENTITY ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE))
		complain("memfd: %m");
	return memfd;
}

/* What is mapped is what is read; nobody can write what is sealed. */
static void check_map(struct session *session, __u64 object, int fd)
{
	struct identity identity;
	char data[IDENTITY];
	void *map = mmap(NULL, IDENTITY, PROT_READ, MAP_SHARED, fd, 0);
	__u32 done = 0;

	if (map == MAP_FAILED) {
		complain("map: %m");
		return;
	}
	add(torture->reads, 1);
	if (rs_read(session->fd, object, 0, IDENTITY, data, &done) ||
	    done != IDENTITY || memcmp(map, data, IDENTITY) ||
	    !identity_read(map, IDENTITY, &identity))
		complain("what is mapped is not what is read");
	munmap(map, IDENTITY);
}

/* Somebody else may have it mapped for writing, and then it stays as it is. */
static void seal_large(struct session *session, __u64 object, int fd)
{
	int ret;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)) {
		if (errno != EBUSY)
			complain("seal: %m");
		return;
	}
	ret = rs_seal(session->fd, object, REFSTORE_SEAL_DATA);
	tolerable(ret, "seal a large value");
}

/* Behind what says who it is. */
static void write_map(int fd)
{
	char *map = mmap(NULL, IDENTITY + 1, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	/* Somebody may have sealed it meanwhile */
	if (map == MAP_FAILED)
		return;
	map[IDENTITY] = 1;
	munmap(map, IDENTITY + 1);
}

/* Looks at a large value, writes to it, or seals it. Returns how many operations. */
static __u32 use_large(struct session *session, __u64 *seed, __u64 object)
{
	bool write = rs_below(seed, 4) == 0;
	int fd = rs_map(session->fd, object, write ? REFSTORE_MAP_WRITE : 0);

	if ((write && fd == -EPERM) || !tolerable(fd, "map"))
		return 1;
	add(torture->mapped, 1);
	check_map(session, object, fd);
	if (write)
		write_map(fd);
	if (write && rs_below(seed, 2))
		seal_large(session, object, fd);
	close(fd);
	return 3;
}

/* One that there is among some handles, wherever it came from. */
static __u32 pass_map(struct session *session, __u64 *seed)
{
	struct refstore_stat stat;
	__u64 object;
	__u32 i;

	for (i = 0; i < HELD; i++) {
		object = session->held[rs_below(seed, HELD)].handle;
		if (object && !rs_stat(session->fd, object, &stat) &&
		    stat.state & REFSTORE_STATE_LARGE)
			return i + use_large(session, seed, object);
	}
	return i;
}

/* It is kept, or goes to the board, where others find it. */
static __u32 pass_adopt(struct session *session, __u64 *seed)
{
	__u32 length = IDENTITY + rs_below(seed, 32 << 12);
	struct known known = { .tag = tag_new(), .length = length };
	bool sealed = rs_below(seed, 2);
	int memfd = make_memfd(known.tag, length, sealed), ret;

	if (memfd < 0)
		return 0;
	if (!sealed)
		known.tag = 0;
	ret = rs_adopt(session->fd, memfd, tag_type(known.tag), &known.handle);
	close(memfd);
	if (!tolerable(ret, "adopt"))
		return 1;
	add(torture->adopted, 1);
	/* Somebody may have cut the board short */
	if (session->board && rs_below(seed, 2))
		rs_set_slot(session->fd, session->board,
			    rs_below(seed, PLACES), known.handle);
	session_keep(session, seed, &known);
	return 2 + use_large(session, seed, known.handle);
}

/* --- All of it --------------------------------------------------------- */

/* Returns how many operations. */
__u32 sharing_pass(struct session *session, __u64 *seed)
{
	switch (rs_below(seed, 8)) {
	case 0:
		return pass_restricted(session, seed);
	case 1:
		return pass_adopt(session, seed);
	case 2 ... 3:
		return pass_map(session, seed);
	case 4 ... 5:
		return pass_send(session, seed);
	default:
		return pass_receive(session, seed);
	}
}
