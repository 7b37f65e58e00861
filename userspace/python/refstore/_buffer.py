# SPDX-License-Identifier: LGPL-2.1-or-later
"""Buffers: bytes that processes share in place."""

import numbers

from . import _store


class Buffer(_store.Large):
    """A fixed number of bytes that processes share, and write in place.

    Its memory is mapped into each process that uses it, and whatever takes the buffer
    protocol works on that without a copy: memoryview(b), numpy.frombuffer(b). Only of
    buffers is nothing atomic: what one process writes, others see as it comes. seal()
    ends all writing, for good.

    Indexing and assignment are those of a bytearray whose length is fixed; b[i:j] is
    bytes, a copy. What a view refers to stays mapped until the view is released,
    whatever becomes of the heap; but a new view of a closed heap's buffer is a
    ValueError.

    A session that is open for reading alone maps what is sealed. Of what is not, it can
    only have copies: bytes(b), b[i:j].

    Each takes 64 KiB of the heap's limit at least, and an open file of the system.
    len() and indexing take no call of the kernel, but for the first.
    """

    __slots__ = ()
    __hash__ = None

    def _copied(self):
        """What to read from: the memory, or a copy where it cannot be mapped."""
        try:
            return memoryview(self)
        except BufferError:
            return memoryview(self._read())

    def __getitem__(self, key):
        value = self._copied()[key]
        return value if isinstance(value, int) else bytes(value)

    def __setitem__(self, key, value):
        if isinstance(key, slice):
            value = flat(value)
        memoryview(self)[key] = value

    def __iter__(self):
        return iter(self._copied())

    def __bytes__(self):
        return bytes(self._copied())

    def copy(self):
        """A bytearray with the same bytes."""
        return bytearray(self._copied())

    __copy__ = copy

    def __deepcopy__(self, memo):
        copy = memo[id(self)] = self.copy()
        return copy

    def __eq__(self, other):
        try:
            return self is other or self._copied() == flat(other)
        except TypeError:
            return NotImplemented

    def __repr__(self):
        state = ", readonly" if self.readonly else ""
        return f"<refstore.Buffer of {len(self)} bytes{state}>"


def flat(value):
    """The bytes of what has the buffer protocol, in a row: a view, or else a copy."""
    if isinstance(value, Buffer):
        return value._copied()
    view = memoryview(value)
    if not view.nbytes:
        return b""
    return view.cast("B") if view.c_contiguous else view.tobytes()


def has_bytes(value):
    """Whether a value is bytes that others can use: it has the buffer protocol.

    Single numbers of NumPy have it as well, and arrays of references to objects.
    """
    try:
        with memoryview(value) as view:
            return getattr(value, "ndim", view.ndim) > 0 and "O" not in view.format
    except (TypeError, ValueError, BufferError):
        return False


def make(session, value):
    """A Buffer, of a length or of bytes that are there."""
    if isinstance(value, numbers.Integral):
        return Buffer._make(session, value)
    data = flat(value)
    buffer = Buffer._make(session, len(data))
    memoryview(buffer)[:] = data
    return buffer
