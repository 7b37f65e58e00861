# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects and heaps in pickles: for other processes, while this one lives.

What a pickle carries is no copy, but a claim on the object itself, for one process: for
the child that is being started, or for whoever is the first to unpickle it. It works
with all of multiprocessing and concurrent.futures, whatever the start method, and with
other channels between processes of the same user. The receiver must unpickle while the
sender lives and has the heap open. A process of multiprocessing that ends waits for
that, ten seconds at most. What nobody unpickles is kept until the sender ends, or, of a
child that was being started, until its Process is closed or gone. A pickle that is in a
file is of no use once its writer has ended: to keep what an object contains, pickle
copy.deepcopy(object).

The receiver gets the proxy that its own session on the heap has; if it has none, a
session with the rights that the sender has. In a session whose rights are more than the
sender's, nothing is received: a read-only sender gives a read-only proxy.
"""

import errno
import os
import threading
import weakref
from multiprocessing import context, reduction

from . import _handover, _heap, _store

_lock = threading.Lock()

#: What closes the descriptors that children are being started with.
_inherited = set()


def _after_fork():
    global _lock
    _lock = threading.Lock()
    for close in _inherited:
        close()
    _inherited.clear()


os.register_at_fork(after_in_child=_after_fork)


def _keep(popen, fd):
    """Close a descriptor when the object goes that has started a process with it."""
    global _inherited
    _inherited = {close for close in _inherited if close.alive}
    _inherited.add(weakref.finalize(popen, os.close, fd))


def _hand_over(make):
    """What a pickle carries for a descriptor that a function makes."""
    popen = context.get_spawning_popen()
    if popen is None:
        return _handover.offer(make)
    fd = make()
    _keep(popen, fd)
    return reduction.DupFd(fd)


def _receive(source):
    try:
        return source.detach()
    except LookupError as error:
        raise _store.Error(
            errno.ESTALE, "what was pickled is not to be had any more: its sender has "
            "ended or closed the heap, or it was received before") from error


def reduce_object(value):
    """Of an object of a heap."""
    session = value._session
    return _load_object, (_hand_over(lambda: session.export(value)), session.heap())


def _load_object(source, number):
    fd = _receive(source)
    try:
        with _lock:
            return _import(fd, number)
    finally:
        os.close(fd)


def _import(fd, number):
    for heap in _heap.opened(number):
        try:
            return heap._session.import_(fd)
        except PermissionError:
            pass    # it may do more than the sender
    return _heap.Heap(fd=fd)._session.import_(fd)


def reduce_heap(heap):
    """Of a heap: by its name if it has one, else as a session."""
    session = heap._session
    number, rights = session.heap(), session.rights()
    if heap.path is not None and rights in (_store.RIGHTS, _store.RIGHTS_READ):
        return _load_named, (heap.path, number, rights)
    return _load_unnamed, (_hand_over(session.mint), number, rights)


def _find(number, rights):
    """A heap that is open here and may do the same."""
    for heap in _heap.opened(number):
        if heap._session.rights() == rights:
            return heap
    return None


def _load_named(path, number, rights):
    with _lock:
        heap = _find(number, rights)
        if heap is not None:
            return heap
        heap = _heap.open(path, readonly=rights == _store.RIGHTS_READ)
    if heap._session.heap() == number:
        return heap
    heap.close()
    raise _store.Error(errno.ESTALE, "another heap has that name by now", path)


def _load_unnamed(source, number, rights):
    fd = _receive(source)
    with _lock:
        heap = _find(number, rights)
        if heap is None:
            return _heap.Heap(fd=fd)
    os.close(fd)
    return heap
