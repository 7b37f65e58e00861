# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manager() as that of multiprocessing, but without a server.

A manager is a heap, and what it makes are objects of that. Processes work on these
directly, at the same time, and go on when any of the others ends. What differs:

  - A list or dict in another is shared as well, where multiprocessing has a copy of the
    value: m.list([[1]])[0].append(2) takes effect.
  - Values are those that a heap takes, not all that can be pickled.
  - An iterator walks what was there when it began.
  - There is no Pool, no address to connect to, and nothing to register: other processes
    open the manager's path, Manager("/run/refstore/app"), and find what stands in heap.

Manager() takes a heap without a name, for this process and those that it forks or hands
objects to.
"""

from . import _heap, sync
from ._values import Array, Namespace, Value

__all__ = ["Array", "Manager", "Namespace", "SyncManager", "Value"]


class SyncManager:
    """A heap, with methods that make objects in it.

    path    a file below where a file system of type refstore is mounted, which is made
            if it is not there; None: a heap without a name
    """

    def __init__(self, path=None):
        self._path = path
        self.heap = None

    def start(self):
        """Open the heap."""
        if self.heap is not None:
            raise ValueError("the manager has been started")
        self.heap = _heap.Heap(self._path, create=self._path is not None)

    def shutdown(self):
        """Close the heap: its objects are of no use any more in this process."""
        if self.heap is not None:
            self.heap.close()

    def join(self, timeout=None):
        """Nothing: there is no process to wait for."""

    def __enter__(self):
        if self.heap is None:
            self.start()
        return self

    def __exit__(self, *exception):
        self.shutdown()

    def list(self, *args):
        """A List."""
        return self.heap._object(list(*args))

    def dict(self, *args, **kwargs):
        """A Dict."""
        return self.heap._object(dict(*args, **kwargs))

    def Namespace(self, /, **values):
        """A Namespace."""
        return Namespace(self.heap, **values)

    def Value(self, typecode, value, lock=True):
        """A Value."""
        return Value(self.heap, typecode, value, lock)

    def Array(self, typecode, sequence, lock=True):
        """An Array."""
        return Array(self.heap, typecode, sequence, lock)

    def Lock(self):
        """A sync.Lock."""
        return sync.Lock(self.heap)

    def RLock(self):
        """A sync.RLock."""
        return sync.RLock(self.heap)

    def Semaphore(self, value=1):
        """A sync.Semaphore."""
        return sync.Semaphore(self.heap, value)

    def BoundedSemaphore(self, value=1):
        """A sync.BoundedSemaphore."""
        return sync.BoundedSemaphore(self.heap, value)

    def Condition(self, lock=None):
        """A sync.Condition."""
        return sync.Condition(self.heap, lock)

    def Event(self):
        """A sync.Event."""
        return sync.Event(self.heap)

    def Barrier(self, parties, action=None, timeout=None):
        """A sync.Barrier."""
        return sync.Barrier(self.heap, parties, action, timeout)

    def Queue(self, maxsize=0):
        """A sync.Queue."""
        return sync.Queue(self.heap, maxsize)

    JoinableQueue = Queue


def Manager(path=None):
    """A SyncManager that has been started."""
    manager = SyncManager(path)
    manager.start()
    return manager

