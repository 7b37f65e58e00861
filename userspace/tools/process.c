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

static DIR *open_thread(pid_t pid, pid_t thread, const char *name)
{
	char path[60];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid,
		 (int)thread, name);
	return opendir(path);
}

/* Whether there is nothing but the folder itself and its parent. */
static bool is_empty(DIR *directory)
{
	struct dirent *entry;

	do {
		entry = readdir(directory);
	} while (entry && *entry->d_name == '.');
	rewinddir(directory);
	return !entry;
}

static DIR *open_full_thread(pid_t pid, pid_t thread, const char *name)
{
	DIR *directory = open_thread(pid, thread, name);

	if (!directory || !is_empty(directory))
		return directory;
	closedir(directory);
	return NULL;
}

/* The first one that is not empty, or NULL. */
static DIR *open_any_thread(pid_t pid, const char *name)
{
	struct dirent *entry;
	DIR *threads, *directory = NULL;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return NULL;
	while (!directory && (entry = readdir(threads)))
		directory = open_full_thread(pid, atoi(entry->d_name), name);
	closedir(threads);
	return directory;
}

/* A main thread that has ended has no descriptors, while the others have them. */
DIR *process_open(pid_t pid, const char *name)
{
	DIR *directory = open_thread(pid, pid, name), *other;

	if (!directory || !is_empty(directory))
		return directory;
	other = open_any_thread(pid, name);
	if (!other)
		return directory;
	closedir(directory);
	return other;
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
