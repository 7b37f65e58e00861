// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inserts the module again and again, each time with another allocation that fails,
 * until there are no more, or removes it likewise. Whatever fails, nothing of it stays.
 *
 * usage: insert inserted|removed refstore.ko
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than this many places are a loop. */
#define MOST 20000

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What there is while the module is inserted. */
static const char *const traces[] = {
	"/sys/module/refstore", "/dev/refstore", "/proc/refstore",
};

static int nth_fd;

static void arm(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, length, 0) != length)
		perror("fail-nth");
}

/* Whether a place failed since then; see test_fault.c. */
static bool disarm(void)
{
	char text[16] = "";
	ssize_t length = pread(nth_fd, text, sizeof(text) - 1, 0);
	int tries;

	for (tries = 0; tries < 3; tries++)
		if (pwrite(nth_fd, "0", 1, 0) == 1)
			break;
	return length > 0 && !strcmp(text, "0\n");
}

/*
 * Now and then the kernel allocates something in between, so that a place may be passed
 * over: with REFSTORE_LONG, all is gone through twice.
 */
static unsigned int nr_passes(void)
{
	return getenv("REFSTORE_LONG") ? 2 : 1;
}

/*
 * A cache of the slab allocator alone has some twenty places: the later ones are tried
 * more thinly, but with REFSTORE_LONG.
 */
static unsigned int next_place(unsigned int nth)
{
	return nth + (getenv("REFSTORE_LONG") ? 1 : 1 + nth / 50);
}

static int insert(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

static int take_out(void)
{
	return syscall(SYS_delete_module, "refstore", O_NONBLOCK) ? -errno : 0;
}

static bool is_registered(void)
{
	char line[128];
	FILE *file = fopen("/proc/filesystems", "re");
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= !!strstr(line, "\trefstore\n");
	if (file)
		fclose(file);
	return found;
}

/* Whether there is all of the module, or nothing. */
static bool check(bool inserted)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(traces); i++)
		if (!access(traces[i], F_OK) != inserted) {
			printf("# %s is %sthere\n", traces[i],
			       inserted ? "not " : "");
			return false;
		}
	if (is_registered() != inserted) {
		printf("# the file system is %sregistered\n",
		       inserted ? "not " : "");
		return false;
	}
	return true;
}

/* The directory of devices follows in its own time. */
static bool check_soon(bool inserted)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!access("/dev/refstore", F_OK) == inserted)
			break;
		usleep(20000);
	}
	return check(inserted);
}

/* Says what a sweep came to; returns whether that was right. */
static bool result(const char *name, unsigned int places, bool ok)
{
	printf("TAP version 13\n1..1\n# %u places\n%sok 1 %s\n", places,
	       ok ? "" : "not ", name);
	return ok;
}

/*
 * An insertion that succeeds although something failed is taken back. Returns how many
 * places there are; 0: something was wrong.
 */
static unsigned int insert_with_each(int fd)
{
	unsigned int nth;
	bool injected, ok = true;
	int ret;

	for (nth = 1; nth < MOST && ok; nth = next_place(nth)) {
		arm(nth);
		ret = insert(fd);
		injected = disarm();
		ok = check_soon(!ret) && (!ret || ret == -ENOMEM || injected);
		if (!injected)
			break;
		if (!ret)
			ok = ok && !take_out() && check_soon(false);
	}
	return ok && nth < MOST && !ret && !take_out() ? nth - 1 : 0;
}

static bool sweep_insert(int fd)
{
	unsigned int pass, found, places = 1;

	for (pass = 0, found = 0; pass < nr_passes() && places; pass++) {
		places = insert_with_each(fd);
		found += places;
	}
	return result("inserted", found, places);
}

/* It is inserted before each. */
static bool sweep_remove(int fd)
{
	unsigned int nth;
	bool injected, ok = true;
	int ret = 0;

	for (nth = 1; nth < MOST && ok; nth = next_place(nth)) {
		arm(nth);
		ret = take_out();
		injected = disarm();
		ok = check_soon(!!ret);
		if (!injected)
			break;
		if (!ret)
			ok = ok && !insert(fd);
	}
	return result("removed", nth - 1, ok && nth < MOST && !ret);
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;

	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0 || nth_fd < 0) {
		fprintf(stderr, "usage: insert inserted|removed refstore.ko\n");
		return 2;
	}
	if (!strcmp(argv[1], "inserted"))
		return !sweep_insert(fd);
	return insert(fd) || !sweep_remove(fd);
}
