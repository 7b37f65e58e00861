// SPDX-License-Identifier: GPL-2.0-only
/*
 * All memfds are on one device, and there the number of the inode tells which one
 * it is. In /proc there are the descriptors and the mappings of each process.
 */
/* Numbers of inodes may have 64 bits. */
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "memfd.h"
#include "out.h"
#include "process.h"
#include "text.h"

/* Linux has it since 6.3, glibc since 2.38. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

/* What links of /proc/PID/fd begin with. */
#define LINK_BEGIN "/memfd:"

/**
 * struct memfd - what to look for
 * @device: where memfds are
 * @inode: number of the inode
 */
struct memfd {
	dev_t device;
	uint64_t inode;
};

static int find_device(dev_t *device)
{
	int fd = memfd_create("refstore", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	struct stat stat;
	int ret;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("refstore", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fstat(fd, &stat) ? -errno : 0;
	*device = stat.st_dev;
	close(fd);
	return ret;
}

/* The name of what it runs, as /proc/PID/comm has it; "" if it has ended. */
static void read_command(pid_t pid, char *command, int size)
{
	char path[32];
	FILE *file;

	*command = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(command, size, file))
		command[strcspn(command, "\n")] = '\0';
	fclose(file);
}

static void print_process(pid_t pid)
{
	char command[64];

	read_command(pid, command, sizeof(command));
	out_number("pid", "process %" PRIu64, (uint64_t)pid);
	out_string("command", " (%s): ", text_harmless(command));
}

/*
 * Descriptors
 */

/* Looks at the link first: stat(2) may wait, for a server of files. */
static bool is_descriptor(const struct memfd *memfd, int directory,
			  const char *name)
{
	const size_t length = strlen(LINK_BEGIN);
	char target[sizeof(LINK_BEGIN)];
	struct stat stat;

	if (readlinkat(directory, name, target, length) != (ssize_t)length ||
	    memcmp(target, LINK_BEGIN, length))
		return false;
	return !fstatat(directory, name, &stat, 0) &&
	       stat.st_dev == memfd->device && stat.st_ino == memfd->inode;
}

/* The permissions of the link are what the descriptor is open for. */
static const char *mode_of(int directory, const char *name)
{
	static const char *const modes[] = { "-", "r", "w", "rw" };
	struct stat link;

	if (fstatat(directory, name, &link, AT_SYMLINK_NOFOLLOW))
		return modes[0];
	return modes[!!(link.st_mode & S_IRUSR) +
		     2 * !!(link.st_mode & S_IWUSR)];
}

static void print_descriptor(pid_t pid, int directory, const char *name)
{
	out_open_object(NULL);
	print_process(pid);
	out_number("fd", "descriptor %" PRIu64, strtoull(name, NULL, 10));
	out_string("mode", ", %s\n", mode_of(directory, name));
	out_close_object();
}

static void print_descriptors(const struct memfd *memfd, pid_t pid)
{
	DIR *directory = process_open(pid, "fd");
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (is_descriptor(memfd, dirfd(directory), entry->d_name))
			print_descriptor(pid, dirfd(directory), entry->d_name);
	closedir(directory);
}

/*
 * Mappings
 */

/* A line: BEGIN-END MODE OFFSET MAJOR:MINOR INODE NAME */
static void print_mapping(const struct memfd *memfd, pid_t pid,
			  const char *line)
{
	unsigned int major, minor;
	char addresses[40], mode[8];
	uint64_t inode;

	if (sscanf(line, "%39s %7s %*s %x:%x %" SCNu64, addresses, mode,
		   &major, &minor, &inode) != 5 ||
	    makedev(major, minor) != memfd->device || inode != memfd->inode)
		return;
	out_open_object(NULL);
	print_process(pid);
	out_string("addresses", "mapped at %s", addresses);
	out_string("mode", ", %s\n", mode);
	out_close_object();
}

/* Of a thread that has not ended, as it has the descriptors, too. */
static FILE *open_mappings(pid_t pid)
{
	DIR *directory = process_open(pid, "fd");
	int fd;

	if (!directory)
		return NULL;
	fd = openat(dirfd(directory), "../maps", O_RDONLY | O_CLOEXEC);
	closedir(directory);
	return fd < 0 ? NULL : fdopen(fd, "r");
}

static void print_mappings(const struct memfd *memfd, pid_t pid)
{
	FILE *file = open_mappings(pid);
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return;
	while (getline(&line, &room, file) > 0)
		print_mapping(memfd, pid, line);
	free(line);
	fclose(file);
}

/* An array: what is printed of each process. */
struct print {
	const struct memfd *memfd;
	void (*print)(const struct memfd *memfd, pid_t pid);
};

static void print_one(pid_t pid, void *data)
{
	const struct print *print = data;

	if (pid != getpid())
		print->print(print->memfd, pid);
}

static int print_array(const struct memfd *memfd, const char *name,
		       void (*print)(const struct memfd *memfd, pid_t pid))
{
	struct print what = { memfd, print };
	int ret;

	out_open_array(name);
	ret = process_each(print_one, &what);
	out_close_array();
	return ret;
}

int memfd_print_users(uint64_t inode)
{
	struct memfd memfd = { .inode = inode };
	int ret = find_device(&memfd.device);

	if (!ret)
		ret = print_array(&memfd, "descriptors", print_descriptors);
	if (!ret)
		ret = print_array(&memfd, "mappings", print_mappings);
	return ret;
}
