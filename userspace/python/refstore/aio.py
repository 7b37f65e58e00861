# SPDX-License-Identifier: LGPL-2.1-or-later
"""What heaps have to tell, in programs that use asyncio.

    from refstore import aio, weakref

    async def main(heap):
        with aio.attach(heap):
            job = weakref.ref(heap.root["job"])
            await aio.gone(job)

attach() has the functions of refstore.weakref and refstore.gc called in the running
loop, instead of a thread. gone() and events() work without it as well, for several
heaps in any number of loops.
"""

import asyncio
import collections
import contextlib
import select
import threading

from . import _notices, weakref
from ._notices import Scan

__all__ = ["Attachment", "Scan", "attach", "events", "gone"]

_MAX_EVENTS = 64


class Attachment:
    """A heap's functions are called in a loop: from attach(), until detach().

    It is detached, too, when the heap is closed, by whatever thread, when another
    attach() or Heap.notice_fd() takes the heap, and in a child of fork(). Then, or when
    the loop has been closed, a thread calls the functions again, from the next one on
    that comes.
    """

    def __init__(self, heap):
        self._notices = heap._notices
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        # The heap may be closed by another thread, and its descriptor be another
        # file's before the loop hears of that. This one is closed by the loop's.
        self._poll = select.epoll()
        try:
            self._poll.register(heap.fileno(), select.EPOLLIN)
            self._loop.add_reader(self._poll.fileno(), self._dispatch)
        except BaseException:
            self._poll.close()
            raise
        self._notices.take(self)

    def detach(self):
        """Have a thread call the functions."""
        self._notices.give_back(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.detach()

    def _dispatch(self):
        # Another thread may have closed it just now.
        with contextlib.suppress(ValueError):
            self._notices.dispatch()

    # For Notices.

    def alive(self):
        return not self._loop.is_closed()

    def add(self, notices):
        pass

    def remove(self, notices):
        if threading.get_ident() == self._thread:
            self._remove()
            return
        try:
            self._loop.call_soon_threadsafe(self._remove)
        except RuntimeError:
            self._poll.close()

    def _remove(self):
        if not self._poll.closed:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._poll.fileno())
            self._poll.close()

    def forked(self, notices):
        self._poll.close()
        notices.start()


def attach(heap):
    """Have a heap's functions called in the running loop; returns an Attachment."""
    return Attachment(heap)


class _Listener:
    """Somebody who waits in the running loop for what happens to a heap."""

    def __init__(self, notices, scans):
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._notices = notices
        notices.listen(self, scans)

    def wake(self):
        """From any thread."""
        # A loop that is closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self):
        await self._event.wait()
        self._event.clear()

    def scanned(self, scan):
        pass

    def heap_closed(self):
        self.wake()


class _Death(_Listener):
    """The death of an object."""

    def __init__(self, reference):
        self.dead = False
        notices = _notices.of(reference._weak._session)
        super().__init__(notices, scans=False)
        self._reference = weakref.ref(reference, self._died)

    def _died(self, reference):
        self.dead = True
        self.wake()

    async def wait(self):
        while not self.dead:
            if self._notices.closed:
                raise ValueError("the heap is closed")
            await super().wait()


async def gone(reference):
    """Wait until the object of a weak reference is dead.

    reference is a refstore.weakref.ref: a proxy would keep the object. ValueError if
    the heap is closed, before or meanwhile.
    """
    if not isinstance(reference, weakref.ref):
        raise TypeError("a refstore.weakref.ref is needed")
    await _Death(reference).wait()


class events(_Listener):
    """events(heap): an asynchronous iterator over the scans of a heap, from now on.

    Each is a Scan: phase ("start" or "stop"), number, generation, visited, collected,
    seconds, and lost, how many before it were not told: up to 64 wait to be taken. The
    iterator ends when the heap is closed, or aclose() is called. It is for the loop
    that runs when it is made.
    """

    def __init__(self, heap):
        self._scans = collections.deque()
        self._lost = 0
        self._ended = False
        super().__init__(heap._notices, scans=True)

    def scanned(self, scan):
        if len(self._scans) >= _MAX_EVENTS:
            self._lost += 1 + scan.lost
            return
        self._scans.append(scan._replace(lost=scan.lost + self._lost))
        self._lost = 0
        self.wake()

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._scans:
            if self._ended or self._notices.closed:
                raise StopAsyncIteration
            await self.wait()
        return self._scans.popleft()

    async def aclose(self):
        """Take no more."""
        self._ended = True
        self._notices.ignore(self)
        self._scans.clear()
        self.wake()
