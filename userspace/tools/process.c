// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

int process_each(void (*look)(pid_t pid, void *data), void *data)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	pid_t pid;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		pid = atoi(entry->d_name);
		if (pid)
			look(pid, data);
	}
	closedir(directory);
	return 0;
}

DIR *process_open(pid_t pid, const char *name)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return opendir(path);
}

/* As much as there is room for, which is more than those of refstore have. */
static bool read_text(DIR *directory, const char *name, char *text, size_t room)
{
	int fd = openat(dirfd(directory), name, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, room - 1);
	close(fd);
	if (length < 0)
		return false;
	text[length] = '\0';
	return true;
}

/* The number on the line that begins so, which is not the first one. */
static bool find_number(const char *text, const char *begin, uint64_t *number)
{
	const char *line = strstr(text, begin);

	return line && sscanf(line + strlen(begin), "%" SCNu64, number) == 1;
}

bool process_read_session(DIR *fdinfo, const char *name,
			  struct process_session *session)
{
	char text[1024];
	uint64_t exported = 0;

	if (!read_text(fdinfo, name, text, sizeof(text)) ||
	    !find_number(text, "\nheap:", &session->heap) ||
	    !find_number(text, "\nsession:", &session->session))
		return false;
	find_number(text, "\nexported:", &exported);
	session->exported = exported;
	return true;
}
