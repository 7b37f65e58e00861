# SPDX-License-Identifier: LGPL-2.1-or-later
"""SharedMemory and ShareableList, as multiprocessing.shared_memory has them.

Each SharedMemory is a heap with a name, below /run/refstore or the directory that
REFSTORE_DIR names, and its root a Buffer. There is no resource tracker: the memory is
there until unlink() has removed the name and all have closed it, whoever is killed.
"""

import functools
import os
import secrets
import struct

from . import _buffer, _heap
from ._store import CorruptError

__all__ = ["SharedMemory", "ShareableList"]

_USE_POSIX = True
_SHM_NAME_PREFIX = "psm_"


def _directory():
    return os.environ.get("REFSTORE_DIR", "/run/refstore")


def _path(name):
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"{name!r} cannot be a name")
    return os.path.join(_directory(), name)


def _make_filename():
    return _SHM_NAME_PREFIX + secrets.token_hex(6)


def _create(path, size):
    """A new heap whose root is a Buffer: under its name only when it is complete."""
    unfinished = os.path.join(os.path.dirname(path), f".new-{secrets.token_hex(8)}")
    try:
        return _create_at(unfinished, path, size)
    except OSError as error:
        if error.filename != unfinished:
            raise
        raise OSError(error.errno, error.strerror, path) from None


def _create_at(unfinished, path, size):
    fd = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            heap = _heap.Heap(path, fd=fd)
        except BaseException:
            os.close(fd)
            raise
        try:
            heap.root = heap.buffer(size)
            os.link(unfinished, path)
        except BaseException:
            heap.close()
            raise
    finally:
        os.unlink(unfinished)
    return heap


class SharedMemory:
    """Memory that processes attach to by its name.

    name    of the memory; None, to create it: one that nobody has
    create  make it, a FileExistsError if it is there; else attach to what is there, a
            FileNotFoundError if it is not
    size    of what is made, in bytes
    """

    _flags = os.O_RDWR

    def __init__(self, name=None, create=False, size=0):
        self._heap = self._buf = None
        if size < 0:
            raise ValueError("'size' must be a positive integer")
        if create and not size:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        if create:
            self._create(name, size)
        else:
            self._name = name.removeprefix("/")
            self._heap = _heap.Heap(_path(self._name))
        buffer = self._heap.root
        if not isinstance(buffer, _buffer.Buffer):
            self.close()
            raise CorruptError(f"{name} is no shared memory")
        self._size = len(buffer)
        self._buf = memoryview(buffer)

    def _create(self, name, size):
        while self._heap is None:
            self._name = _make_filename() if name is None else name.removeprefix("/")
            try:
                self._heap = _create(_path(self._name), size)
            except FileExistsError:
                if name is not None:
                    raise

    @property
    def buf(self):
        """A memoryview of it; None once it is closed."""
        return self._buf

    @property
    def name(self):
        """Its name."""
        return self._name

    @property
    def size(self):
        """Its size in bytes."""
        return self._size

    def close(self):
        """Let go of it here. Who still has buf, an array on it, keeps the memory."""
        self._buf = None
        if self._heap is not None:
            self._heap.close()
            self._heap = None

    def unlink(self):
        """Remove the name, once; the memory is freed when all have closed it."""
        os.unlink(_path(self._name))

    def __reduce__(self):
        return type(self), (self.name, False, self.size)

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, size={self.size})"


# What is in a place of a ShareableList.
_NONE, _BOOL, _INT, _FLOAT, _STR, _BYTES = range(6)
_NUMBERS = {_BOOL: "?", _INT: "q", _FLOAT: "d"}
_FORMATS = {_NONE: "xxxxxx?x", _BOOL: "xxxxxxx?", _INT: "q", _FLOAT: "d"}
_TYPES = {type(None): _NONE, bool: _BOOL, int: _INT, float: _FLOAT, str: _STR,
          bytes: _BYTES}
_COUNT = struct.Struct("<Q")
_PLACE = struct.Struct("<4Q")   # what, its bytes, where they are, their room


def _pack(value):
    """What is in a place, and its bytes."""
    for type_, kind in _TYPES.items():
        if isinstance(value, type_):
            break
    else:
        raise TypeError(f"{type(value).__name__} cannot be in a ShareableList")
    if kind == _NONE:
        return kind, b""
    if kind == _STR:
        return kind, value.encode()
    if kind == _BYTES:
        return kind, value
    return kind, struct.pack("<" + _NUMBERS[kind], value)


class ShareableList:
    """A list of a fixed length in shared memory: None, bool, int of 64 bits, float, str
    and bytes, which can be replaced by others of these.

    sequence    what is in it at first
    name        of the SharedMemory; without a sequence, attach to what is there

    A place has room for as many bytes as what was there at first took, in multiples of
    eight. Nothing is atomic.
    """

    def __init__(self, sequence=None, *, name=None):
        if sequence is None and name is not None:
            self.shm = SharedMemory(name)
            return
        values = [_pack(value) for value in sequence or ()]
        rooms = [max((len(data) + 7) // 8 * 8, 8) for _, data in values]
        start = _COUNT.size + len(values) * _PLACE.size
        self.shm = SharedMemory(name, create=True, size=start + sum(rooms))
        _COUNT.pack_into(self.shm.buf, 0, len(values))
        for i, ((kind, data), room) in enumerate(zip(values, rooms)):
            self._write(i, kind, data, start, room)
            start += room

    def _write(self, index, kind, data, start, room):
        self.shm.buf[start:start + len(data)] = data
        _PLACE.pack_into(self.shm.buf, _COUNT.size + index * _PLACE.size,
                         kind, len(data), start, room)

    def _place(self, index):
        """What is in a place, its bytes, where they are, and their room."""
        kind, length, start, room = _PLACE.unpack_from(
            self.shm.buf, _COUNT.size + index * _PLACE.size)
        if kind > _BYTES or length > room or start + room > self.shm.size:
            raise CorruptError("no place of a list")
        return kind, length, start, room

    def _index(self, position):
        length = len(self)
        if not -length <= position < length:
            raise IndexError("index out of range")
        return position % length

    def __len__(self):
        length = _COUNT.unpack_from(self.shm.buf, 0)[0]
        if length > (self.shm.size - _COUNT.size) // _PLACE.size:
            raise CorruptError("no list")
        return length

    def __getitem__(self, position):
        kind, length, start, _ = self._place(self._index(position))
        data = bytes(self.shm.buf[start:start + length])
        if kind == _NONE:
            return None
        if kind == _STR:
            return data.decode()
        if kind == _BYTES:
            return data
        form = struct.Struct("<" + _NUMBERS[kind])
        if length != form.size:
            raise CorruptError("no number in a list")
        return form.unpack(data)[0]

    def __setitem__(self, position, value):
        index = self._index(position)
        start, room = self._place(index)[2:]
        kind, data = _pack(value)
        if len(data) > room:
            raise ValueError("bytes/str item exceeds available storage")
        self._write(index, kind, data, start, room)

    def __reduce__(self):
        return functools.partial(type(self), name=self.shm.name), ()

    def __repr__(self):
        return f"{type(self).__name__}({list(self)}, name={self.shm.name!r})"

    def _get_packing_format(self, position):
        kind, _, _, room = self._place(self._index(position))
        return _FORMATS.get(kind) or f"{room}s"

    @property
    def format(self):
        """What its places have, as struct has it."""
        return "".join(self._get_packing_format(i) for i in range(len(self)))

    def count(self, value):
        """How often a value is there."""
        return sum(value == item for item in self)

    def index(self, value):
        """The first place of a value; a ValueError if it is not there."""
        for i, item in enumerate(self):
            if value == item:
                return i
        raise ValueError(f"{value!r} is not in the list")
