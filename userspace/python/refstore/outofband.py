# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pickles whose large parts stay in a heap, where nobody copies them.

    buffers = outofband.Buffers(heap)
    data = pickle.dumps(array, protocol=5, buffer_callback=buffers.append)
    heap.root["job"] = data, buffers.parts

and in another process

    data, parts = heap.root["job"]
    array = pickle.loads(data, buffers=outofband.views(parts))

The other's array is in the same memory. It is pickle that makes an object of the data
there: do that only with data of whom you trust. This package never does.
"""

from . import _buffer, _store
from ._store import CorruptError


class Buffers:
    """Collects the buffers of a pickle in a heap.

    What already lies in a Buffer of the heap, a NumPy array on one, is taken as it is;
    all else is copied into a Buffer, once. parts is a tuple, for views(), and a value
    that the heap takes.
    """

    def __init__(self, heap):
        self._session = heap._session
        self.parts = ()

    def append(self, buffer):
        """Take a pickle.PickleBuffer. A BufferError if it is not contiguous."""
        with memoryview(buffer.raw()) as view:
            self.parts += self._place(view),

    def _place(self, view):
        found = _store.Large._find(self._session, view) if view.nbytes else None
        if found is None:
            return _buffer.make(self._session, view), 0, view.nbytes
        buffer, start = found
        return buffer, start, start + view.nbytes


def views(parts):
    """What pickle.loads() takes as buffers, of what Buffers has put together."""
    return [_view(*part) for part in parts]


def _view(buffer, start, stop):
    if not isinstance(buffer, _buffer.Buffer) or not 0 <= start <= stop <= len(buffer):
        raise CorruptError("no part of a buffer")
    return memoryview(buffer)[start:stop]
