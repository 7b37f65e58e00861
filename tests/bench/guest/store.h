/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmarks do to a store: the calls alone, without the library.
 */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/refstore.h>

#define DATA	64

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static int store;
static char data[DATA] = "sixty-four bytes";
static __u64 parent, child;

static inline __u64 address(const void *pointer)
{
	return (uintptr_t)pointer;
}

/*
 * A benchmark whose calls fail measures nothing. Inline, and without ioctl()'s
 * variable arguments, since it is measured too.
 */
static inline void must(long ret, const char *what)
{
	if (__builtin_expect(ret < 0, 0))
		err(1, "%s", what);
}

static inline void call(unsigned int command, void *arg)
{
	must(syscall(SYS_ioctl, store, command, arg), "ioctl");
}

static inline __u64 create(__u32 nr_slots, __u32 data_len)
{
	struct refstore_create create = {
		.size = sizeof(create),
		.type = REFSTORE_TYPE_OBJECT,
		.data = address(data),
		.data_len = data_len,
		.nr_slots = nr_slots,
	};

	call(REFSTORE_CREATE, &create);
	return create.result;
}

static inline void release(__u64 object)
{
	struct refstore_release release = {
		.size = sizeof(release),
		.object = object,
	};

	call(REFSTORE_RELEASE, &release);
}

static inline __u64 get_slot(void)
{
	struct refstore_get_slot get = {
		.size = sizeof(get),
		.object = parent,
	};

	call(REFSTORE_GET_SLOT, &get);
	return get.result;
}

static inline void link_slot(__u64 from, __u32 index, __u64 to)
{
	struct refstore_set_slot set = {
		.size = sizeof(set),
		.object = from,
		.value = to,
		.index = index,
	};

	call(REFSTORE_SET_SLOT, &set);
}

static inline void set_slot(void)
{
	link_slot(parent, 0, child);
}

static inline void open_store(void)
{
	store = open("/dev/refstore", O_RDWR | O_CLOEXEC);
	must(store, "/dev/refstore");
	parent = create(1, 0);
	child = create(0, DATA);
	set_slot();
}

static inline uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static inline double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(values[0]), by_value);
	return values[count / 2];
}

#endif /* BENCH_STORE_H */
