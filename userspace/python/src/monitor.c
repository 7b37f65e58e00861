// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "monitor.h"

#define PAGE		4096	/* of it, as much is used, where pages are larger, too */
#define NR_VALUES	5
#define NR_WAITERS	((PAGE - 64) / 16)
#define LONGEST		1e9	/* seconds, as good as for ever */

/*
 * A process that is killed wakes one of those who wait for its lock. If that one is
 * killed as well before it runs, nobody would know: so who waits looks again after so
 * many seconds.
 */
#define LOOK_AGAIN	1

enum waiter_state {
	WAITER_GONE,
	WAITER_WAITS,
	WAITER_TOLD,
};

/**
 * struct waiter - a place for who waits
 * @word: robust futex: who has the place
 * @state: enum waiter_state; a futex
 * @ticket: who has waited longest has the lowest
 */
struct waiter {
	uint32_t word;
	uint32_t state;
	uint64_t ticket;
};

/**
 * struct page - what is shared
 * @word: the lock, a robust futex
 * @tickets: the next ticket
 * @value: numbers
 * @waiter: places
 *
 * Where there are struct keeper_nodes for @word and those of @waiter, a page before
 * each, is room for one.
 */
struct page {
	uint32_t word;
	uint32_t reserved;
	uint64_t tickets;
	int64_t value[NR_VALUES];
	uint64_t reserved2;
	struct waiter waiter[NR_WAITERS];
};

_Static_assert(offsetof(struct page, waiter) == 64, "no place for the nodes");
_Static_assert(sizeof(struct page) == PAGE, "no page");
_Static_assert(sizeof(struct keeper_node) <= sizeof(struct waiter),
	       "no place for the nodes");

/**
 * struct monitor - refstore._store.Monitor
 * @object: a large value of one page
 * @page: where it is mapped, or NULL; the nodes are a page before
 * @kept: the lock's node is in the list, so this is kept, and is in the list of those
 * @next: the next one of these
 * @link: what refers to this one there
 * @thread: which one of this process has locked it
 * @depth: how often, where that one may do it again
 */
struct monitor {
	struct object object;
	struct page *page;
	bool kept;
	struct monitor *next;
	struct monitor **link;
	unsigned long thread;
	Py_ssize_t depth;
};

static PyTypeObject *monitor_type;

/* Those that are kept, and how many there may be before we look whether they must. */
static struct monitor *kept;
static size_t nr_kept;
static size_t enough = 64;

/* --- Futexes -------------------------------------------------------------- */

static struct keeper_node *node_of(uint32_t *word)
{
	return (struct keeper_node *)((char *)word - keeper_page());
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool change(uint32_t *word, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Waits while a word has a value; 0, or a negative errno: -EINTR after a signal. */
static int futex_wait(uint32_t *word, uint32_t value,
		      const struct timespec *deadline)
{
	long ret;

	Py_BEGIN_ALLOW_THREADS
	ret = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline, NULL,
		      FUTEX_BITSET_MATCH_ANY);
	if (ret < 0)
		ret = -errno;
	Py_END_ALLOW_THREADS
	return ret == -EAGAIN ? 0 : (int)ret;
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static struct timespec after(double seconds)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)seconds;
	at.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

static bool earlier(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec < other->tv_sec ||
	       (one->tv_sec == other->tv_sec && one->tv_nsec < other->tv_nsec);
}

/* What is free for one of us, with a number that the kernel may leave there. */
static bool word_free(uint32_t value)
{
	return !(value & FUTEX_TID_MASK);
}

static bool word_ours(uint32_t value)
{
	return !word_free(value) && (value & FUTEX_TID_MASK) == keeper_number();
}

/* Takes a word if it is free, with its node in the list before and as long as that. */
static bool word_take(uint32_t *word, uint32_t owner, uint32_t waiters)
{
	struct keeper_node *node = node_of(word);
	bool added = !keeper_has(node);
	uint32_t value = load(word);

	if (!word_free(value))
		return false;
	if (added)
		keeper_add(node);
	while (word_free(value)) {
		if (change(word, value,
			   owner | waiters | (value & FUTEX_WAITERS)))
			return true;
		value = load(word);
	}
	if (added)
		keeper_remove(node);
	return false;
}

/* Gives a word back, whoever has it, and wakes all who wait for it. */
static void word_give(uint32_t *word)
{
	struct keeper_node *node = node_of(word);

	keeper_begin_release(node);
	if (__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST) & FUTEX_WAITERS)
		futex_wake(word);
	if (keeper_has(node))
		keeper_remove(node);
	keeper_end_release();
}

/* --- The page ------------------------------------------------------------- */

/* Two pages, the second one of a descriptor. */
static int map_pages(struct monitor *monitor, int fd)
{
	size_t page = keeper_page();
	char *base = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (base == MAP_FAILED)
		return -errno;
	if (mmap(base + page, page, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		ret = -errno;
		munmap(base, 2 * page);
		return ret;
	}
	monitor->page = (struct page *)(base + page);
	return 0;
}

static int map(struct monitor *monitor)
{
	size_t length;
	int fd, ret;

	if (monitor->page)
		return 0;
	if (object_check(&monitor->object))
		return -1;
	fd = refstore_map(monitor->object.session->store, monitor->object.handle,
			  REFSTORE_MAP_WRITE, &length);
	if (fd == -EOPNOTSUPP || (fd >= 0 && length < PAGE)) {
		error_set_corrupt("a lock has no memory");
		ret = -1;
	} else {
		ret = fd < 0 ? fd : map_pages(monitor, fd);
		if (ret) {
			error_set(ret);
			ret = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

static void unmap(struct monitor *monitor)
{
	size_t page = keeper_page();

	if (monitor->page)
		munmap((char *)monitor->page - page, 2 * page);
	monitor->page = NULL;
}

/* --- The lock ------------------------------------------------------------- */

static void unkeep(struct monitor *monitor)
{
	if (!monitor->kept)
		return;
	monitor->kept = false;
	nr_kept--;
	*monitor->link = monitor->next;
	if (monitor->next)
		monitor->next->link = monitor->link;
	Py_DECREF((PyObject *)monitor);
}

/* One that was locked here and given back by somebody else; or NULL. */
static struct monitor *find_other(void)
{
	struct monitor *monitor = kept;

	while (monitor && word_ours(load(&monitor->page->word)))
		monitor = monitor->next;
	return monitor;
}

/*
 * Where one goes, Python may run, and so may other threads, which keep and unkeep what
 * they like: so each search begins anew.
 */
static void unkeep_others(void)
{
	struct monitor *monitor;

	while ((monitor = find_other())) {
		struct keeper_node *node = node_of(&monitor->page->word);

		if (keeper_has(node))
			keeper_remove(node);
		unkeep(monitor);
	}
	enough = 2 * nr_kept + 64;
}

/* As keeper_start(); but where the keeper is full, what others gave back goes before. */
static uint32_t start_keeper(void)
{
	if (keeper_is_full())
		unkeep_others();
	return keeper_start();
}

/* What is locked must stay mapped, so that the kernel finds it. */
static void keep(struct monitor *monitor)
{
	if (!monitor->kept && nr_kept >= enough)
		unkeep_others();
	/* Meanwhile another thread may have locked it, too */
	if (monitor->kept)
		return;
	monitor->kept = true;
	monitor->next = kept;
	monitor->link = &kept;
	if (kept)
		kept->link = &monitor->next;
	kept = monitor;
	nr_kept++;
	Py_INCREF((PyObject *)monitor);
}

/* Waits for the lock, once; 0, -ETIMEDOUT or -EINTR. */
static int wait_for_lock(uint32_t *word, const struct timespec *deadline)
{
	struct timespec soon = after(LOOK_AGAIN);
	uint32_t value = load(word);
	int ret;

	if (word_free(value) || (!(value & FUTEX_WAITERS) &&
				 !change(word, value, value | FUTEX_WAITERS)))
		return 0;
	if (deadline && earlier(deadline, &soon))
		return futex_wait(word, value | FUTEX_WAITERS, deadline);
	ret = futex_wait(word, value | FUTEX_WAITERS, &soon);
	return ret == -ETIMEDOUT ? 0 : ret;
}

static int fail(int error)
{
	if (!PyErr_Occurred())
		error_set(error);
	return -1;
}

/* What is done while somebody else has a lock. */
enum wait {
	WAIT_NOT,
	WAIT,		/* signals' handlers may put an end to it */
	WAIT_ANYHOW,	/* they run afterwards */
};

/* 1: it is ours; 0: it was not to be had in time; -1 with an exception. */
static int lock(struct monitor *monitor, const struct timespec *deadline,
		int wait)
{
	uint32_t *word = &monitor->page->word, waiters = 0;
	uint32_t owner = start_keeper();
	int ret = 0;

	if (!owner)
		return -1;
	while (!word_take(word, owner, waiters)) {
		if (!wait || ret == -ETIMEDOUT)
			return 0;
		ret = wait_for_lock(word, deadline);
		if (ret == -EINTR ? wait == WAIT && PyErr_CheckSignals() :
				    ret && ret != -ETIMEDOUT)
			return fail(ret);
		waiters = FUTEX_WAITERS;
	}
	monitor->thread = PyThread_get_thread_ident();
	keep(monitor);
	return 1;
}

/* A timeout in seconds, or None; 0, 1 if there is none, or -1 with an exception. */
static int get_deadline(PyObject *timeout, struct timespec *deadline)
{
	double seconds;

	if (timeout == Py_None)
		return 1;
	seconds = PyFloat_AsDouble(timeout);
	if (seconds == -1.0 && PyErr_Occurred())
		return -1;
	if (!(seconds > 0))
		seconds = 0;
	*deadline = after(seconds < LONGEST ? seconds : LONGEST);
	return 0;
}

/* _lock(wait, timeout): whether it has the lock now; @wait is of enum wait. */
static PyObject *monitor_lock(PyObject *self, PyObject *args)
{
	struct monitor *monitor = (struct monitor *)self;
	struct timespec deadline;
	PyObject *timeout;
	int wait, none, ret;

	if (!PyArg_ParseTuple(args, "iO:_lock", &wait, &timeout))
		return NULL;
	none = get_deadline(timeout, &deadline);
	if (none < 0 || map(monitor))
		return NULL;
	ret = lock(monitor, none ? NULL : &deadline, wait);
	return ret < 0 ? NULL : PyBool_FromLong(ret);
}

/* _unlock(): whether it was locked, by whomever, who is killed now perhaps. */
static PyObject *monitor_unlock(PyObject *self, PyObject *unused)
{
	struct monitor *monitor = (struct monitor *)self;
	uint32_t value;

	(void)unused;
	if (map(monitor))
		return NULL;
	value = load(&monitor->page->word);
	if (word_free(value) && !(value & FUTEX_OWNER_DIED))
		Py_RETURN_FALSE;
	word_give(&monitor->page->word);
	unkeep(monitor);
	Py_RETURN_TRUE;
}

/* Whether this thread has the lock. */
static bool mine(const struct monitor *monitor)
{
	return word_ours(load(&monitor->page->word)) &&
	       monitor->thread == PyThread_get_thread_ident();
}

/* _lock_again(wait, timeout, depth): the same, and again by who has it. */
static PyObject *monitor_lock_again(PyObject *self, PyObject *args)
{
	struct monitor *monitor = (struct monitor *)self;
	struct timespec deadline;
	PyObject *timeout;
	Py_ssize_t depth;
	int wait, none, ret = 1;

	if (!PyArg_ParseTuple(args, "iOn:_lock_again", &wait, &timeout, &depth))
		return NULL;
	none = get_deadline(timeout, &deadline);
	if (none < 0 || map(monitor))
		return NULL;
	if (mine(monitor)) {
		monitor->depth += depth;
		Py_RETURN_TRUE;
	}
	ret = lock(monitor, none ? NULL : &deadline, wait);
	if (ret == 1)
		monitor->depth = depth;
	return ret < 0 ? NULL : PyBool_FromLong(ret);
}

/* _unlock_again(all): once, or all of it; returns how often that is. */
static PyObject *monitor_unlock_again(PyObject *self, PyObject *all)
{
	struct monitor *monitor = (struct monitor *)self;
	Py_ssize_t depth;

	if (map(monitor))
		return NULL;
	if (!mine(monitor)) {
		PyErr_SetString(PyExc_RuntimeError,
				"the lock is not this thread's");
		return NULL;
	}
	depth = all == Py_True ? monitor->depth : 1;
	monitor->depth -= depth;
	if (!monitor->depth) {
		word_give(&monitor->page->word);
		unkeep(monitor);
	}
	return PyLong_FromSsize_t(depth);
}

static PyObject *monitor_mine(PyObject *self, PyObject *unused)
{
	(void)unused;
	if (map((struct monitor *)self))
		return NULL;
	return PyBool_FromLong(mine((struct monitor *)self));
}

static PyObject *monitor_ours(PyObject *self, PyObject *unused)
{
	struct monitor *monitor = (struct monitor *)self;

	(void)unused;
	if (map(monitor))
		return NULL;
	return PyBool_FromLong(word_ours(load(&monitor->page->word)));
}

static PyObject *monitor_locked(PyObject *self, PyObject *unused)
{
	struct monitor *monitor = (struct monitor *)self;

	(void)unused;
	if (map(monitor))
		return NULL;
	return PyBool_FromLong(!word_free(load(&monitor->page->word)));
}

/* --- Who waits to be told ------------------------------------------------- */

static struct waiter *waiter_new(struct page *page)
{
	uint32_t owner = start_keeper();
	struct waiter *waiter = page->waiter;

	if (!owner)
		return NULL;
	for (; waiter < page->waiter + NR_WAITERS; waiter++)
		if (word_take(&waiter->word, owner, 0)) {
			waiter->ticket = __atomic_fetch_add(&page->tickets, 1,
							    __ATOMIC_SEQ_CST);
			__atomic_store_n(&waiter->state, WAITER_WAITS,
					 __ATOMIC_SEQ_CST);
			return waiter;
		}
	PyErr_SetString(PyExc_RuntimeError, "too many wait");
	return NULL;
}

/* Whether it was told something. */
static bool waiter_free(struct waiter *waiter)
{
	uint32_t state = __atomic_exchange_n(&waiter->state, WAITER_GONE,
					     __ATOMIC_SEQ_CST);

	word_give(&waiter->word);
	return state == WAITER_TOLD;
}

/*
 * 0, or -1 with an exception. Who told it something may have been killed before it could
 * wake us, so this looks, too.
 */
static int waiter_sleep(struct waiter *waiter, const struct timespec *deadline)
{
	struct timespec soon;
	bool last = false;
	int ret = 0;

	while (!last && load(&waiter->state) == WAITER_WAITS) {
		soon = after(LOOK_AGAIN);
		last = deadline && earlier(deadline, &soon);
		ret = futex_wait(&waiter->state, WAITER_WAITS,
				 last ? deadline : &soon);
		last &= ret == -ETIMEDOUT;
		if (ret == -EINTR ? PyErr_CheckSignals() :
				    ret && ret != -ETIMEDOUT)
			return fail(ret);
	}
	return 0;
}

/* Calls a method of the lock, whatever exception there is; that one stays. */
static PyObject *call_lock(PyObject *lock, const char *name, PyObject *state)
{
	PyObject *type, *value, *traceback, *result;

	PyErr_Fetch(&type, &value, &traceback);
	result = PyObject_CallMethod(lock, name, state ? "(O)" : NULL, state);
	if (result && type) {
		PyErr_Restore(type, value, traceback);
	} else {
		Py_XDECREF(type);
		Py_XDECREF(value);
		Py_XDECREF(traceback);
	}
	return result;
}

/* Between these two methods of it, the lock is given back. */
static int sleep_unlocked(struct monitor *monitor, PyObject *lock,
			  const struct timespec *deadline)
{
	struct waiter *waiter = waiter_new(monitor->page);
	PyObject *state, *result;
	int told = -1;

	if (!waiter)
		return -1;
	state = call_lock(lock, "_release_save", NULL);
	if (!state) {
		waiter_free(waiter);
		return -1;
	}
	if (waiter_sleep(waiter, deadline))
		waiter_free(waiter);
	else
		told = waiter_free(waiter);
	result = call_lock(lock, "_acquire_restore", state);
	Py_DECREF(state);
	Py_XDECREF(result);
	return result ? told : -1;
}

/* _sleep(lock, timeout): whether it was told something. */
static PyObject *monitor_sleep(PyObject *self, PyObject *args)
{
	struct monitor *monitor = (struct monitor *)self;
	struct timespec deadline;
	PyObject *lock, *timeout;
	int none, ret;

	if (!PyArg_ParseTuple(args, "OO:_sleep", &lock, &timeout))
		return NULL;
	none = get_deadline(timeout, &deadline);
	if (none < 0 || map(monitor))
		return NULL;
	ret = sleep_unlocked(monitor, lock, none ? NULL : &deadline);
	return ret < 0 ? NULL : PyBool_FromLong(ret);
}

static bool waits(const struct waiter *waiter)
{
	return !word_free(load(&waiter->word)) &&
	       load(&waiter->state) == WAITER_WAITS;
}

static struct waiter *first_waiter(struct page *page)
{
	struct waiter *waiter = page->waiter, *first = NULL;

	for (; waiter < page->waiter + NR_WAITERS; waiter++)
		if (waits(waiter) && (!first || waiter->ticket < first->ticket))
			first = waiter;
	return first;
}

/* _tell(number): tells those something who have waited longest. */
static PyObject *monitor_tell(PyObject *self, PyObject *number)
{
	struct monitor *monitor = (struct monitor *)self;
	Py_ssize_t n = PyNumber_AsSsize_t(number, NULL);
	struct waiter *waiter;
	int tries;

	if ((n == -1 && PyErr_Occurred()) || map(monitor))
		return NULL;
	/* Who has just had enough of waiting is none of those that are told */
	for (tries = 0; n > 0 && tries < 2 * NR_WAITERS; tries++) {
		waiter = first_waiter(monitor->page);
		if (!waiter)
			break;
		if (!change(&waiter->state, WAITER_WAITS, WAITER_TOLD))
			continue;
		futex_wake(&waiter->state);
		n--;
	}
	Py_RETURN_NONE;
}

/* --- Numbers -------------------------------------------------------------- */

static int64_t *get_value(struct monitor *monitor, Py_ssize_t index)
{
	if (index < 0 || index >= NR_VALUES) {
		PyErr_SetString(PyExc_IndexError, "no such number");
		return NULL;
	}
	return map(monitor) ? NULL : &monitor->page->value[index];
}

static PyObject *monitor_item(PyObject *self, Py_ssize_t index)
{
	int64_t *value = get_value((struct monitor *)self, index);

	if (!value)
		return NULL;
	return PyLong_FromLongLong(__atomic_load_n(value, __ATOMIC_SEQ_CST));
}

static int monitor_ass_item(PyObject *self, Py_ssize_t index, PyObject *object)
{
	int64_t *value = get_value((struct monitor *)self, index);
	long long number;

	if (!value || !object)
		return -1;
	number = PyLong_AsLongLong(object);
	if (number == -1 && PyErr_Occurred())
		return -1;
	__atomic_store_n(value, number, __ATOMIC_SEQ_CST);
	return 0;
}

/* --- The type ------------------------------------------------------------- */

/* _make(session, name): class method; one whose type has a name. */
static PyObject *monitor_make(PyObject *class, PyObject *args)
{
	struct session *session;
	struct refstore_stat stat;
	uint64_t handle;
	const char *name;
	uint32_t type;
	int fd, ret;

	if (!PyArg_ParseTuple(args, "O!s:_make", session_type, &session, &name) ||
	    session_check(session))
		return NULL;
	ret = refstore_type_register(session->store, name, &type);
	if (!ret)
		ret = refstore_large_new(session->store, type, keeper_page(),
					 &handle, &fd);
	if (ret)
		return error_set(ret);
	close(fd);
	ret = refstore_stat(session->store, handle, &stat);
	if (!ret)
		return object_new(session, (PyTypeObject *)class, handle, stat.id);
	refstore_release(session->store, handle);
	return error_set(ret);
}

static void monitor_dealloc(PyObject *self)
{
	unmap((struct monitor *)self);
	((destructor)PyType_GetSlot(object_type, Py_tp_dealloc))(self);
}

static PyMethodDef methods[] = {
	{ "_make", monitor_make, METH_VARARGS | METH_CLASS, NULL },
	{ "_lock", monitor_lock, METH_VARARGS, NULL },
	{ "_unlock", monitor_unlock, METH_NOARGS, NULL },
	{ "_lock_again", monitor_lock_again, METH_VARARGS, NULL },
	{ "_unlock_again", monitor_unlock_again, METH_O, NULL },
	{ "_mine", monitor_mine, METH_NOARGS, NULL },
	{ "_ours", monitor_ours, METH_NOARGS, NULL },
	{ "_locked", monitor_locked, METH_NOARGS, NULL },
	{ "_sleep", monitor_sleep, METH_VARARGS, NULL },
	{ "_tell", monitor_tell, METH_O, NULL },
	{}
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "A page with a lock, numbers, and places for who waits." },
	{ Py_tp_dealloc, monitor_dealloc },
	{ Py_tp_methods, methods },
	{ Py_sq_item, monitor_item },
	{ Py_sq_ass_item, monitor_ass_item },
	{}
};

static PyType_Spec spec = {
	.name = "refstore._store.Monitor",
	.basicsize = sizeof(struct monitor),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int monitor_init(PyObject *module)
{
	monitor_type = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)object_type);
	return monitor_type ? PyModule_AddType(module, monitor_type) : -1;
}
