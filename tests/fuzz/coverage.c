// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel was: Documentation/dev-tools/kcov.rst. Only the module is built so
 * that it tells, so nothing else is among what comes.
 */
#include "fuzz.h"

#define KCOV "/sys/kernel/debug/kcov"
#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define KCOV_TRACE_PC	0
#define ENTRIES		(1 << 16)	/* of a call; what is beyond is lost */

/* Where the module's text is; 0: it is not there. */
__u64 coverage_base(void)
{
	FILE *file = fopen("/sys/module/refstore/sections/.text", "re");
	unsigned long long base = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llx", &base) != 1)
		base = 0;
	fclose(file);
	return base;
}

/* For this process, from now on; without KCOV, nothing is ever new. */
void coverage_open(struct process *process)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *cover = MAP_FAILED;

	process->cover = NULL;
	if (fd < 0)
		return;
	if (!ioctl(fd, KCOV_INIT_TRACE, ENTRIES))
		cover = mmap(NULL, ENTRIES * sizeof(__u64),
			     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover != MAP_FAILED && !ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		process->cover = cover;
	/* It stays enabled for as long as the process lives. */
}

void coverage_begin(struct process *process)
{
	if (process->cover)
		store(process->cover[0], 0);
}

/* Sets a bit; true if it was not set. */
static bool mark(__u64 *bits, __u64 n)
{
	__u64 bit = 1ULL << (n % 64);

	if (bits[n / 64] & bit)
		return false;
	return !(__atomic_fetch_or(&bits[n / 64], bit, __ATOMIC_RELAXED) & bit);
}

void coverage_end(struct process *process)
{
	__u64 i, n, point, before = 0, news = 0;

	if (!process->cover)
		return;
	n = load(process->cover[0]);
	for (i = 1; i <= n && i < ENTRIES; i++) {
		point = process->cover[i] - fuzz->base;
		if (point >= POINTS)
			continue;
		mark(fuzz->points, point);
		news += mark(fuzz->edges, (before * 31 + point) % EDGES);
		before = point;
	}
	if (news)
		add(fuzz->news[process->program], news);
}

__u64 coverage_points(void)
{
	__u64 n = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuzz->points); i++)
		n += (__u64)__builtin_popcountll(fuzz->points[i]);
	return n;
}
