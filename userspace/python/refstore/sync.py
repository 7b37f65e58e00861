# SPDX-License-Identifier: LGPL-2.1-or-later
"""Locks and the like, which processes share.

    lock = sync.Lock(heap)
    heap.root["lock"] = lock

and in any process that has the heap

    with heap.root["lock"]:
        ...

They are objects of the heap, and behave as those of threading and queue that have their
names, over all processes and their threads. To take a lock that is free, and to give one
back for which nobody waits, takes no call of the kernel. Who waits lets other threads
run, and is interrupted by signals.

When a process ends, in whatever way, what it has locked is free: the next one gets it,
and finds what the lock guards as the other has left it. Who was killed while waiting is
not told anything any more. Who was killed when it was about to tell others has not told
them: those that wait for an Event, a Semaphore, a Queue or with wait_for() see within a
second what it did before. What it took from a Semaphore is lost, though, and a Barrier
in which it waited lets nobody pass any more, but for a timeout.

Each of them is memory that all who may write the heap can write. Whatever they write
there, a process waits for ever at worst, or not at all, or reads other numbers; it
accesses no memory but that. Against those who write the heap, locks protect nothing.
(They can also give the page back to the system; if that has none left when a process
needs it again, the process gets a SIGBUS.)

Who has locked them is known by a number of the process; so processes that share locks
must be in one PID namespace, as those of one container are.

Each takes 64 KiB of the heap's limit, a page of memory, and an open file of the system.
250 can wait for one of them to tell them something; any number for locks. A process can
have 2,000 of them locked. The first starts a thread in it, which sleeps as long as the
process lives.
"""

import math
import queue
import threading
import time

from . import _containers, _store
from ._store import CorruptError

__all__ = ["Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "Queue",
           "RLock", "Semaphore"]


def _timeout(blocking, timeout):
    """A timeout as threading's locks take it, and None."""
    if timeout is None or timeout == -1:
        return None
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    return timeout


#: How to wait for a lock without which one cannot go on: handlers of signals come later.
_ANYHOW = 2

#: Seconds after which who waits looks by itself: who would tell it may have been killed.
_LOOK_AGAIN = 1


class _Monitor(_store.Monitor):
    """With methods that Condition wants of a lock."""

    __slots__ = ()

    def __new__(cls, heap):
        return cls._make(heap._session, cls._NAME)

    def _is_owned(self):
        return self._ours()

    def _release_save(self):
        self._unlock()

    def _acquire_restore(self, state):
        self._lock(_ANYHOW, None)

    def __repr__(self):
        return f"<refstore.sync.{type(self).__name__} {self._id}>"


class Lock(_Monitor):
    """As threading.Lock: any thread of any process may give it back."""

    __slots__ = ()
    _NAME = "py-lock"

    def acquire(self, blocking=True, timeout=None):
        """Lock it; False if it was not to be had, at once or in as many seconds."""
        return self._lock(bool(blocking), _timeout(blocking, timeout))

    def release(self):
        """Give it back. A RuntimeError if it is not locked."""
        if not self._unlock():
            raise RuntimeError("release unlocked lock")

    def locked(self):
        """Whether anybody has it."""
        return self._locked()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.release()


class RLock(_Monitor):
    """As threading.RLock: the thread that has it can lock it again."""

    __slots__ = ()
    _NAME = "py-rlock"

    def acquire(self, blocking=True, timeout=None):
        """Lock it; False if it was not to be had, at once or in as many seconds."""
        return self._lock_again(bool(blocking), _timeout(blocking, timeout), 1)

    def release(self):
        """Give it back once. A RuntimeError if this thread has not locked it."""
        self._unlock_again(False)

    def _is_owned(self):
        return self._mine()

    def _release_save(self):
        return self._unlock_again(True)

    def _acquire_restore(self, state):
        self._lock_again(_ANYHOW, None, state)

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.release()


class _Telling:
    """What a condition does with its lock, _mutex, and those who wait, at _bell."""

    __slots__ = ()

    def _check(self):
        if not self._mutex._is_owned():
            raise RuntimeError("the lock is not locked here")

    def wait(self, timeout=None):
        """Wait to be told something, without the lock; False after as many seconds."""
        self._check()
        return self._bell._sleep(self._mutex, timeout)

    def wait_for(self, predicate, timeout=None):
        """Wait until a function says so; its last answer, after as many seconds too."""
        self._check()
        end = math.inf if timeout is None else time.monotonic() + timeout
        result = predicate()
        while not result and (left := end - time.monotonic()) > 0:
            self._bell._sleep(self._mutex, min(left, _LOOK_AGAIN))
            result = predicate()
        return result

    def notify(self, n=1):
        """Tell those something who have waited longest, as many as there are."""
        self._check()
        self._bell._tell(n)

    def notify_all(self):
        """Tell all something."""
        self._check()
        self._bell._tell(1 << 20)


class _Waiters(_Telling):
    """A condition that is a monitor with its own lock; it tells all of them.

    So it does not matter if one is killed after it was told something. Those who wait
    ask themselves again what for, whether they were told something or not.
    """

    __slots__ = ("_mutex", "_bell")

    def __init__(self, monitor):
        self._mutex = self._bell = monitor

    def __enter__(self):
        self._mutex._lock(True, None)

    def __exit__(self, *exception):
        self._mutex._unlock()

    def wait(self, timeout=None):
        self._check()
        return self._bell._sleep(self._mutex, _LOOK_AGAIN if timeout is None else
                                 min(timeout, _LOOK_AGAIN))

    def notify(self, n=1):
        self.notify_all()


class _Bell(_Monitor):
    __slots__ = ()
    _NAME = "py-bell"


def _part(group, index, class_):
    parts = group._parts
    if index < len(parts) and isinstance(parts[index], class_):
        return parts[index]
    raise CorruptError("an object has not the parts that it should have")


class Condition(_Telling, _store.Group):
    """As threading.Condition, with a Lock or an RLock; its own is an RLock."""

    __slots__ = ()

    def __new__(cls, heap, lock=None):
        lock = RLock(heap) if lock is None else lock
        if not isinstance(lock, (Lock, RLock)):
            raise TypeError("a Lock or an RLock of the heap is needed")
        return cls._make(heap._session, "py-condition", (lock, _Bell(heap)))

    @property
    def _mutex(self):
        return _part(self, 0, (Lock, RLock))

    @property
    def _bell(self):
        return _part(self, 1, _Bell)

    def acquire(self, blocking=True, timeout=None):
        """Lock it; False if it was not to be had, at once or in as many seconds."""
        return self._mutex.acquire(blocking, timeout)

    def release(self):
        """Give the lock back."""
        self._mutex.release()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.release()

    __repr__ = _Monitor.__repr__


class Semaphore(_Monitor):
    """As threading.Semaphore."""

    __slots__ = ()
    _NAME = "py-semaphore"

    def __new__(cls, heap, value=1):
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self = super().__new__(cls, heap)
        self[0] = self[1] = value
        return self

    def acquire(self, blocking=True, timeout=None):
        """Take one; False if none was to be had, at once or in as many seconds."""
        timeout = _timeout(blocking, timeout) if blocking else 0
        waiters = _Waiters(self)
        with waiters:
            if not waiters.wait_for(lambda: self[0] > 0, timeout):
                return False
            self[0] -= 1
            return True

    def release(self, n=1):
        """Give some back."""
        if n < 1:
            raise ValueError("n must be one or more")
        waiters = _Waiters(self)
        with waiters:
            self._check_release(n)
            self[0] += n
            waiters.notify_all()

    def _check_release(self, n):
        pass

    def get_value(self):
        """How many there are now."""
        return self[0]

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.release()


class BoundedSemaphore(Semaphore):
    """As threading.BoundedSemaphore: it has never more than at first."""

    __slots__ = ()
    _NAME = "py-bounded"

    def _check_release(self, n):
        if self[0] + n > self[1]:
            raise ValueError("Semaphore released too many times")


class Event(_Monitor):
    """As threading.Event."""

    __slots__ = ()
    _NAME = "py-event"

    def is_set(self):
        """Whether it is set."""
        return bool(self[0])

    def set(self):
        """Set it, and wake all who wait for that."""
        waiters = _Waiters(self)
        with waiters:
            self[0] = 1
            waiters.notify_all()

    def clear(self):
        """Let it not be set."""
        self[0] = 0

    def wait(self, timeout=None):
        """Wait until it is set; False if it is not after as many seconds."""
        waiters = _Waiters(self)
        with waiters:
            return bool(waiters.wait_for(self.is_set, timeout))


class _Number:
    """An attribute that is one of the numbers of a monitor."""

    def __init__(self, index):
        self._index = index

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return instance._numbers[self._index]

    def __set__(self, instance, value):
        instance._numbers[self._index] = value


class Barrier(threading.Barrier, _Monitor):
    """As threading.Barrier. The action is not in the heap, but in the process: it is
    called if the one who comes last has it, as he has made the barrier, or is a child of
    his that was forked, or has got the barrier as a pickle, which the action is in."""

    _NAME = "py-barrier"
    _action = None
    _parties, _state, _count, _microseconds = map(_Number, range(4))

    def __new__(cls, heap, parties, action=None, timeout=None):
        if parties < 1:
            raise ValueError("parties must be > 0")
        self = _Monitor.__new__(cls, heap)
        self._action = action
        self._parties = parties
        self._microseconds = -1 if timeout is None else int(timeout * 1e6)
        return self

    def __init__(self, *args, **kwargs):
        pass    # All is in the heap.

    def __reduce__(self):
        return *super().__reduce__(), self._action

    def __setstate__(self, action):
        if self._action is None:
            self._action = action

    __repr__ = _Monitor.__repr__

    @property
    def _numbers(self):
        return self

    @property
    def _cond(self):
        return _Waiters(self)

    @property
    def _timeout(self):
        return None if self._microseconds < 0 else self._microseconds / 1e6


class _QueueMonitor(_Monitor):
    __slots__ = ()
    _NAME = "py-queue-lock"


class Queue(queue.Queue, _store.Group):
    """As queue.Queue, of values that a heap takes."""

    unfinished_tasks, maxsize, is_shutdown = map(_Number, range(3))

    def __new__(cls, heap, maxsize=0):
        values = _containers.List._make(heap._session)
        self = cls._make(heap._session, "py-queue", (values, _QueueMonitor(heap)))
        self.maxsize = maxsize
        return self

    def __init__(self, *args, **kwargs):
        pass    # All is in the heap.

    __repr__ = _Monitor.__repr__

    @property
    def queue(self):
        """The List of what is in it."""
        return _part(self, 0, _containers.List)

    @property
    def _numbers(self):
        return _part(self, 1, _QueueMonitor)

    @property
    def mutex(self):
        """The lock on all of it, which tells who waits."""
        return _Waiters(self._numbers)

    not_empty = not_full = all_tasks_done = mutex

    def _get(self):
        return self.queue.pop(0)


#: Types of objects and their classes.
CLASSES = {
    "py-lock": Lock,
    "py-rlock": RLock,
    "py-condition": Condition,
    "py-bell": _Bell,
    "py-semaphore": Semaphore,
    "py-bounded": BoundedSemaphore,
    "py-event": Event,
    "py-barrier": Barrier,
    "py-queue": Queue,
    "py-queue-lock": _QueueMonitor,
}
