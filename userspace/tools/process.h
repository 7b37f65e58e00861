/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc tells of processes.
 */
#ifndef REFSTORE_PROCESS_H
#define REFSTORE_PROCESS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * process_each() - do something to each process
 * @look: what
 * @data: for @look
 *
 * Return: 0 or a negative errno.
 */
int process_each(void (*look)(pid_t pid, void *data), void *data);

/*
 * Opens /proc/PID/@name, fd or fdinfo; or where the main thread has ended, the same
 * of one that has not, below /proc/PID/task. NULL: errno is EACCES, or the process
 * has ended.
 */
DIR *process_open(pid_t pid, const char *name);

/**
 * struct process_session - what a descriptor is of
 * @heap: number of the heap
 * @session: number of the session
 * @exported: it is no session that could be used, but an exported object's
 */
struct process_session {
	uint64_t heap;
	uint64_t session;
	bool exported;
};

/**
 * process_read_session() - what a process's descriptor is of
 * @fdinfo: from process_open()
 * @name: the descriptor's name there
 * @session: out
 *
 * Sessions say so there: where they were opened, as a device or by a heap's name,
 * says nothing.
 *
 * Return: false if it is neither a session nor an exported object, or if it
 * cannot be read.
 */
bool process_read_session(DIR *fdinfo, const char *name,
			  struct process_session *session);

#endif /* REFSTORE_PROCESS_H */
