# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a heap tells this process, and who calls the functions that want to know.

The kernel tells a session of deaths and of scans. Somebody must read that and call the
functions: a thread of this process, one for all heaps, which starts with the first
function that waits; or who asked for Heap.notice_fd(); or an event loop, see
refstore.aio. After a fork the child has all its parent's weak handles, but nothing is
told it until it asks anew, which happens before anything else is read.
"""

import collections
import contextlib
import itertools
import os
import select
import threading
import weakref

from . import _store

#: A scan of the cycle scanner. phase is "start" or "stop"; number counts the heap's
#: scans. At a stop: visited says how many objects with slots it looked at, collected
#: how many it freed, in seconds. lost: how many of these were not told, just before
#: this one.
Scan = collections.namedtuple(
    "Scan", "phase number generation visited collected seconds lost")


_lock = threading.RLock()
_all = weakref.WeakSet()
_at_fork = []


def at_fork(function):
    """Have a function called in each child, before anything is told there."""
    _at_fork.append(function)


def of(session):
    """The Notices of a session."""
    return _store.heap_of(session)._notices


class Notices:
    """What one session is told.

    A watcher has died(), for the death of what it watches, and watch_again(cookie), to
    ask for it in a child. A listener has scanned(scan) and heap_closed(). Both are held
    weakly. What they raise goes to sys.unraisablehook.

    inherited   this is a child, and nothing is told yet
    callbacks   the listener of refstore.gc, or None
    """

    def __init__(self, session):
        self._session = session
        # The numbers of notices begin anywhere: another process may be told things by
        # the same descriptor, or have been.
        self._watchers = weakref.WeakValueDictionary()
        self._cookies = itertools.count(int.from_bytes(os.urandom(7), "little"))
        self._listeners = weakref.WeakSet()
        self._events = collections.deque()
        self._scans = False
        self._closed = False
        self._driver = None
        self.inherited = False
        self.callbacks = None
        _all.add(self)

    def close(self):
        """Tell nothing any more: the session is closed, or nobody has it."""
        # Without the lock: the garbage collector calls this anywhere.
        if self._closed:
            return
        self._closed = True
        self._events.clear()
        self._drive(None)
        for listener in list(self._listeners):
            _store.call(listener.heap_closed)

    __del__ = close

    def fileno(self):
        return self._session.fd()

    @property
    def closed(self):
        return self._closed

    def watch(self, watcher, what):
        """A weak handle of an Object, or of what a Weak is of, and died() some day."""
        cookie = next(self._cookies)
        self._watchers[cookie] = watcher
        try:
            weak = _store.weak(what, cookie)
        except BaseException:
            self._watchers.pop(cookie, None)
            raise
        self.start()
        return weak

    def listen(self, listener, scans=True):
        """Have heap_closed() called, and scanned() if it is for scans."""
        if scans and not self._scans:
            _store.watch_scans(self._session)
            self._scans = True
        self._listeners.add(listener)
        self.start()
        if self._closed:
            raise ValueError("the heap is closed")

    def ignore(self, listener):
        self._listeners.discard(listener)

    def start(self):
        """See to it that somebody dispatches."""
        with _lock:
            driver = self._driver
            if not self._closed and (driver is None or not driver.alive()):
                self._drive(_Thread.get())

    def take(self, driver):
        """Let somebody else dispatch from now on."""
        with _lock:
            self._drive(driver)

    def give_back(self, driver):
        """Let the thread dispatch, if that one did."""
        with _lock:
            if self._driver is driver:
                self._drive(None if self._closed else _Thread.get())

    def _drive(self, driver):
        before, self._driver = self._driver, driver
        if before is not None:
            before.remove(self)
        if driver is not None:
            driver.add(self)

    def dispatch(self):
        """Call what is due. How many notices there were for somebody."""
        called = 0
        if self.inherited:
            self.ask_again()
        while True:
            # What was read, and not told when an exception came, is told the next time.
            if not self._events:
                self._events.extend(_store.read_events(self._session))
            if not self._events:
                break
            called += self._tell(*self._events.popleft())
            if self._closed:
                break
        return called

    def _tell(self, kind, cookie, number, generation, visited, collected,
              nanoseconds, lost):
        if kind == _store.EVENT_DEATH:
            watcher = self._watchers.pop(cookie, None)
            if watcher is None:
                return 0
            _store.call(watcher.died)
            return 1
        phase = "start" if kind == _store.EVENT_SCAN_BEGIN else "stop"
        scan = Scan(phase, number, generation, visited, collected,
                    nanoseconds / 1e9, lost)
        listeners = list(self._listeners)
        for listener in listeners:
            _store.call(listener.scanned, scan)
        return bool(listeners)

    def ask_again(self):
        """Ask in a child for what its parent had asked for."""
        self.inherited = False
        if self._scans:
            _store.watch_scans(self._session)
        for cookie, watcher in list(self._watchers.items()):
            _store.call(watcher.watch_again, cookie)

    def forked(self):
        """This is a child."""
        _store.forked(self._session)
        self._events.clear()
        driver, self._driver = self._driver, None
        if driver is not None and not self._closed:
            self.inherited = True
            driver.forked(self)


class Manual:
    """Somebody who waits for Heap.notice_fd() and calls Heap.dispatch()."""

    def alive(self):
        return True

    def add(self, notices):
        pass

    def remove(self, notices):
        pass

    def forked(self, notices):
        notices.take(self)
        notices.ask_again()


class _Thread:
    """The thread that dispatches for all heaps for which nobody else does."""

    current = None

    @classmethod
    def get(cls):
        """That of this process; with the lock held."""
        if cls.current is None:
            cls.current = cls()
        return cls.current

    def __init__(self):
        self._heaps = {}
        self._inherited = collections.deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._wake, select.EPOLLIN)
        threading.Thread(target=self._run, name="refstore notices",
                         daemon=True).start()

    def alive(self):
        return True

    def add(self, notices):
        fd = notices.fileno()
        self._heaps[fd] = weakref.ref(notices)
        self._poll.register(fd, select.EPOLLIN)
        if notices.inherited:
            self._inherited.append(notices)
            os.eventfd_write(self._wake, 1)

    def remove(self, notices):
        for fd, reference in list(self._heaps.items()):
            if reference() in (notices, None):
                del self._heaps[fd]
                with contextlib.suppress(OSError):
                    self._poll.unregister(fd)

    def forked(self, notices):
        notices.start()

    def end(self):
        """Give back what a child has of its parent's."""
        self._poll.close()
        os.close(self._wake)

    def _run(self):
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._wake:
                    os.eventfd_read(fd)
                    while self._inherited:
                        self._dispatch(self._inherited.popleft())
                else:
                    self._dispatch(self._heaps.get(fd, _nobody)())

    def _dispatch(self, notices):
        try:
            if notices is not None:
                notices.dispatch()
        except ValueError:
            # Somebody has closed it just now.
            pass
        except Exception as error:
            notices.take(None)
            _store.call(_fail, error)


def _nobody():
    return None


def _fail(error):
    raise error


def _after_fork():
    global _lock
    _lock = threading.RLock()
    thread, _Thread.current = _Thread.current, None
    if thread is not None:
        thread.end()
    for function in _at_fork:
        function()
    for notices in list(_all):
        # A session that could not be cloned is of no use, which its users will see.
        with contextlib.suppress(_store.Error):
            notices.forked()


os.register_at_fork(after_in_child=_after_fork)
