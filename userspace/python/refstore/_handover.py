# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors on their way to other processes.

A pickle cannot carry a descriptor. So who pickles one keeps ready what makes it, and
the pickle carries a ticket: the name of a socket, and a secret. Who has the ticket
connects, shows the secret, and is sent the descriptor, once; a thread sees to that.
Only processes of the same user are answered, or of root.

What nobody fetches is kept until the process ends, however it does.
"""

import multiprocessing
import os
import secrets
import signal
import socket
import struct
import threading
import time
import typing

#: How many seconds a process that multiprocessing has started waits at its end for
#: others to fetch what it has handed over.
PATIENCE = 10

_SECRET = 16
_CREDENTIALS = struct.Struct("3i")


class Ticket(typing.NamedTuple):
    """What a pickle carries for a descriptor."""

    address: bytes
    secret: bytes

    def detach(self):
        """The descriptor, the caller's; LookupError if it is not to be had."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.address)
                connection.sendall(self.secret)
                _, fds, _, _ = socket.recv_fds(connection, 1, 1)
            except ConnectionError:
                fds = []
        if not fds:
            raise LookupError(self)
        os.set_inheritable(fds[0], False)
        return fds[0]


def _is_trusted(connection):
    """Whether the other side belongs to the same user."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED,
                                 _CREDENTIALS.size)
    return _CREDENTIALS.unpack(data)[1] in (0, os.geteuid())


def _receive(connection):
    """A secret; less if the other side has nothing more to say."""
    connection.settimeout(PATIENCE)
    return connection.recv(_SECRET, socket.MSG_WAITALL)


class Counter:
    """Where a process hands things over: what waits there, and who serves it."""

    def __init__(self):
        self._changed = threading.Condition()
        self._waiting = {}
        self._socket = None

    def offer(self, make):
        """Keep a function ready that makes a descriptor; returns the Ticket for it."""
        secret = secrets.token_bytes(_SECRET)
        with self._changed:
            if self._socket is None:
                self._open()
            self._waiting[secret] = make
            return Ticket(self._socket.getsockname(), secret)

    def _open(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(b"\0refstore-" + secrets.token_hex(_SECRET).encode())
        listener.listen()
        self._socket = listener
        threading.Thread(target=self._serve, name="refstore handover",
                         daemon=True).start()
        if multiprocessing.parent_process() is not None:
            # No daemon: the process ends after it. What atexit and the like call
            # comes before the threads of queues, which may have to pickle still.
            threading.Thread(target=self._see_off, name="refstore see-off",
                             daemon=False).start()

    def _serve(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                time.sleep(0.1)     # no descriptor is free, or no memory
                continue
            with connection:
                try:
                    self._answer(connection)
                except (OSError, ValueError):
                    pass            # they are gone, or the heap is: they will know

    def _answer(self, connection):
        if not _is_trusted(connection):
            return
        secret = _receive(connection)
        make = self._waiting.get(secret)
        if make is None:
            return
        try:
            fd = make()
            try:
                socket.send_fds(connection, [b"\0"], [fd])
            finally:
                os.close(fd)
        finally:
            with self._changed:
                del self._waiting[secret]
                self._changed.notify_all()

    def _see_off(self):
        threading.main_thread().join()
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, PATIENCE)

    def leave(self):
        """In the child of a fork(): leave all to the parent."""
        if self._socket is not None:
            self._socket.close()
        self.__init__()


_counter = Counter()


def offer(make):
    """Keep a function ready that makes a descriptor; returns the Ticket for it."""
    return _counter.offer(make)


os.register_at_fork(after_in_child=_counter.leave)
