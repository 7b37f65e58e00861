// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that are no ioctls: of files and their descriptors, of names, of maps, and
 * the end of a process.
 */
#include <dirent.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "fuzz.h"

typedef void (*action)(struct process *process, const struct call *call);

static int file_of(const struct process *process, const struct call *call)
{
	return process_file(process, call->place / 4);
}

/* Whether a call that takes very long is to be left out. */
static bool is_too_long(const struct call *call)
{
	return call->seed >= 32;
}

static const char *const names[] = {
	PLACE "/shared", PLACE "/a", PLACE "/b", PLACE "/d", PLACE "/d/a",
	PLACE "/d/b", PLACE, PLACE "/d/",
};

static const char *name_of(__u16 arg)
{
	return names[arg % ARRAY_SIZE(names)];
}

static void open_device(struct process *process, const struct call *call)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_PATH };

	process_keep_file(process, open(RS_DEVICE, modes[call->arg[0] % 4] |
					O_CLOEXEC | O_NONBLOCK));
}

static void open_name(struct process *process, const struct call *call)
{
	static const int flags[] = {
		O_RDWR | O_CREAT, O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_TRUNC,
		O_RDWR | O_CREAT | O_EXCL, O_PATH, O_RDONLY | O_DIRECTORY,
		O_RDWR | O_TMPFILE, O_RDWR | O_APPEND, O_RDWR | O_DIRECT,
	};

	process_keep_file(process, open(name_of(call->arg[0]),
					flags[call->arg[1] % ARRAY_SIZE(flags)] |
					O_CLOEXEC | O_NONBLOCK, 0666));
}

static void close_file(struct process *process, const struct call *call)
{
	unsigned int n = call->place / 4 % FILES;

	if (process->files[n] >= 0)
		close(process->files[n]);
	process->files[n] = -1;
}

static void dup_file(struct process *process, const struct call *call)
{
	process_keep_file(process, dup(file_of(process, call)));
}

static void send_file(struct process *process, const struct call *call)
{
	rs_send_fd(post[call->arg[0] % PROCESSES][1], file_of(process, call));
}

static void receive_file(struct process *process, const struct call *call)
{
	(void)call;
	process_keep_file(process, rs_receive_fd(process->post));
}

/* Sessions have events to be read; nothing else is waited for. */
static void read_file(struct process *process, const struct call *call)
{
	struct pollfd wait = { .fd = file_of(process, call), .events = POLLIN };
	size_t length = argument(call->arg[0], 1024);

	if (poll(&wait, 1, 0) > 0 && length <= ARENA / 2)
		(void)!read(wait.fd, process->arena + ARENA / 2, length);
}

static void write_file(struct process *process, const struct call *call)
{
	(void)!pwrite(file_of(process, call), process->arena,
		      argument(call->arg[0], 4096) % ARENA,
		      (off_t)argument(call->arg[1], 4096));
}

/* To be adopted, if it cannot get smaller or larger any more. */
static void make_memfd(struct process *process, const struct call *call)
{
	int fd = memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	off_t size = (off_t)argument(call->arg[0], 1 << 18);

	if (fd < 0)
		return;
	if (call->arg[2] & 1)
		size = 65536 << call->arg[2] % 4;
	if (size < 1 << 20)
		(void)!ftruncate(fd, size);
	fcntl(fd, F_ADD_SEALS, call->arg[1] & 1 ?
	      F_SEAL_SHRINK | F_SEAL_GROW : call->arg[1] / 2 & 0x1f);
	process_keep_file(process, fd);
}

static void seal_file(struct process *process, const struct call *call)
{
	fcntl(file_of(process, call), F_ADD_SEALS, call->arg[0] & 0x1f);
}

static void resize_file(struct process *process, const struct call *call)
{
	(void)!ftruncate(file_of(process, call),
			 (off_t)argument(call->arg[0], 1 << 18) % (1 << 20));
}

static void allocate_file(struct process *process, const struct call *call)
{
	(void)!fallocate(file_of(process, call), call->arg[2] % 128,
			 (off_t)argument(call->arg[0], 1 << 18) % (1 << 20),
			 (off_t)argument(call->arg[1], 1 << 18) % (1 << 20));
}

/* It may stay mapped until the program ends; nothing of it is touched. */
static void map_file(struct process *process, const struct call *call)
{
	size_t length = 4096 * (1 + call->arg[0] % 16);
	void *map = mmap(NULL, length, 1 + call->arg[1] % 3,
			 call->arg[1] & 4 ? MAP_PRIVATE : MAP_SHARED,
			 file_of(process, call), 0);

	if (map == MAP_FAILED)
		return;
	if (call->arg[1] & 8)
		mprotect(map, length, PROT_READ | PROT_WRITE);
	if (call->arg[1] & 16)
		madvise(map, length, MADV_REMOVE);
	munmap(map, length);
}

static void stat_file(struct process *process, const struct call *call)
{
	struct stat stat;
	struct statfs fs;

	fstat(file_of(process, call), &stat);
	fstatfs(file_of(process, call), &fs);
}

static void control_file(struct process *process, const struct call *call)
{
	static const int commands[] = {
		F_GETFD, F_GETFL, F_GETLK, F_GETOWN, F_GET_SEALS, F_GETLEASE,
		F_GETPIPE_SZ, F_DUPFD_CLOEXEC,
	};
	int fd = fcntl(file_of(process, call), commands[call->arg[0] % 8], 3);

	if (call->arg[0] % 8 == 7)
		process_keep_file(process, fd);
}

static void change_owner(struct process *process, const struct call *call)
{
	uid_t uid = call->arg[0] & 1 ? NOBODY : 0;

	if (call->arg[0] & 2)
		(void)!fchown(file_of(process, call), uid, uid);
	else
		(void)!chown(name_of(call->arg[1]), uid, uid);
}

static void change_mode(struct process *process, const struct call *call)
{
	(void)process;
	/* A folder that nobody can enter would end all. */
	chmod(name_of(call->arg[0] % 3), call->arg[1] & 07777);
}

static void rename_name(struct process *process, const struct call *call)
{
	(void)process;
	renameat2(AT_FDCWD, name_of(call->arg[0]), AT_FDCWD,
		  name_of(call->arg[1]), call->arg[2] & 7);
}

static void link_name(struct process *process, const struct call *call)
{
	(void)process;
	if (call->arg[2] & 1)
		(void)!symlink("a", name_of(call->arg[1]));
	else
		(void)!link(name_of(call->arg[0]), name_of(call->arg[1]));
}

static void remove_name(struct process *process, const struct call *call)
{
	(void)process;
	if (call->arg[1] & 1)
		rmdir(name_of(call->arg[0]));
	else
		unlink(name_of(call->arg[0]));
}

static void make_name(struct process *process, const struct call *call)
{
	static const mode_t kinds[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR };

	(void)process;
	if (call->arg[1] & 1)
		mkdir(name_of(call->arg[0]), 0777);
	else
		mknod(name_of(call->arg[0]),
		      kinds[call->arg[1] / 2 % 4] | 0666, 0);
}

static void list_names(struct process *process, const struct call *call)
{
	DIR *directory = opendir(name_of(call->arg[0]));

	(void)process;
	while (directory && readdir(directory))
		;
	if (directory)
		closedir(directory);
}

static void read_proc(struct process *process, const struct call *call)
{
	static const char *const files[] = {
		RS_PROC "stats", RS_PROC "heaps", RS_PROC "types",
		RS_PROC "scans", RS_PROC "users", "/proc/self/fdinfo/4",
	};
	int fd = open(files[call->arg[0] % ARRAY_SIZE(files)], O_RDONLY);

	if (fd < 0)
		return;
	(void)!pread(fd, process->arena + ARENA / 2,
		     argument(call->arg[1], 1024) % (ARENA / 2),
		     (off_t)argument(call->arg[2], 1024));
	close(fd);
}

static void mount_one(struct process *process, const struct call *call)
{
	static const char *const options[] = {
		"size=1m", "size=", "size=-1", "mode=1777", "mode=9", "uid=0",
		"uid=4294967295", "gid=%", "nr_objects=10", "nr_objects=k",
		"max_heaps=2", "max_heaps", "size=1g,size=2k", ",,", "other=1",
		"max_bytes=5",
	};
	char text[64];

	(void)process;
	if (is_too_long(call))
		return;
	snprintf(text, sizeof(text), "%s,%s", options[call->arg[0] % 16],
		 options[call->arg[1] % 16]);
	/* As a new one only: that of all must stay as it is. */
	if (!mount("none", PLACE "/d", "refstore", 0, text))
		umount2(PLACE "/d", MNT_DETACH);
}

/* A child has the descriptors for a moment. */
static void fork_child(struct process *process, const struct call *call)
{
	pid_t pid = is_too_long(call) ? -1 : fork();

	if (!pid) {
		if (call->arg[0] & 1)
			close(file_of(process, call));
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void end(struct process *process, const struct call *call)
{
	(void)process;
	if (!is_too_long(call) && fuzz->turn % ENDS == 0)
		kill(getpid(), SIGKILL);
}

static const action actions[] = {
	open_device, open_name, close_file, dup_file, send_file, receive_file,
	read_file, write_file, make_memfd, seal_file, resize_file,
	allocate_file, map_file, stat_file, control_file, change_owner,
	change_mode, rename_name, link_name, remove_name, make_name, list_names,
	read_proc, mount_one, fork_child, end, open_name, make_memfd,
};

void action_run(struct process *process, const struct call *call)
{
	actions[call->what / COMMANDS % ARRAY_SIZE(actions)](process, call);
}
