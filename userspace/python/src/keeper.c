// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "keeper.h"

#define STACK (PTHREAD_STACK_MIN + (16 << 10))

/* The kernel follows no more than ROBUST_LIST_LIMIT, 2048, when a thread ends. */
#define MAX_NODES 2000

static struct robust_list_head head = { .list.next = &head.list };
static uint32_t number;		/* of the thread; 0: there is none */
static size_t nr_nodes;		/* in the list */
static sem_t started;

static struct keeper_node *node_of(struct robust_list *list)
{
	return (struct keeper_node *)list;
}

/* The page that is between a node and its futex. */
size_t keeper_page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *keep(void *unused)
{
	(void)unused;
	head.futex_offset = (long)keeper_page();
	syscall(SYS_set_robust_list, &head, sizeof(head));
	number = (uint32_t)gettid();
	sem_post(&started);
	for (;;)
		pause();
	return NULL;
}

/* In the child of a fork(), which has neither the thread nor what it owned. */
static void forget(void)
{
	struct robust_list *at = head.list.next, *next;

	for (; at != &head.list; at = next) {
		next = at->next;
		at->next = NULL;
	}
	head.list.next = &head.list;
	head.list_op_pending = NULL;
	number = 0;
	nr_nodes = 0;
}

static int create_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &attr, keep, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

/* Then it can own nothing more until something is given back. */
bool keeper_is_full(void)
{
	return nr_nodes >= MAX_NODES;
}

/**
 * keeper_start() - start the keeper, if there is none
 *
 * Return: its number, which stands in what it owns; 0 with an exception, which is a
 * RuntimeError if it owns as much as it can.
 */
uint32_t keeper_start(void)
{
	static bool prepared;
	int ret = 0;

	if (keeper_is_full()) {
		PyErr_SetString(PyExc_RuntimeError, "too many locks are locked");
		return 0;
	}
	if (number)
		return number;
	if (!prepared)
		ret = -pthread_atfork(NULL, NULL, forget);
	prepared = !ret;
	if (!ret && sem_init(&started, 0, 0))
		ret = -errno;
	if (!ret)
		ret = create_thread();
	if (ret) {
		error_set(ret);
		return 0;
	}
	while (sem_wait(&started))
		;
	return number;
}

/* 0 if there is none: then this process owns nothing. */
uint32_t keeper_number(void)
{
	return number;
}

/* Whenever the process is killed, the list can be followed. */
void keeper_add(struct keeper_node *node)
{
	struct robust_list *next = head.list.next;

	nr_nodes++;
	node->previous = &head.list;
	node->list.next = next;
	if (next != &head.list)
		node_of(next)->previous = &node->list;
	__atomic_store_n(&head.list.next, &node->list, __ATOMIC_RELEASE);
}

void keeper_remove(struct keeper_node *node)
{
	struct robust_list *next = node->list.next;

	nr_nodes--;
	__atomic_store_n(&node->previous->next, next, __ATOMIC_RELEASE);
	if (next != &head.list)
		node_of(next)->previous = node->previous;
	node->list.next = NULL;
}

/*
 * Between these, a futex that is 0 has its waiters woken, even if the process is killed
 * before it does that itself.
 */
void keeper_begin_release(struct keeper_node *node)
{
	__atomic_store_n(&head.list_op_pending, &node->list, __ATOMIC_SEQ_CST);
}

void keeper_end_release(void)
{
	__atomic_store_n(&head.list_op_pending, NULL, __ATOMIC_SEQ_CST);
}
