# SPDX-License-Identifier: LGPL-2.1-or-later
"""Heaps, and which class stands for what in them."""

import os
import threading
import weakref

from . import (_buffer, _containers, _notices, _records, _store, _transaction,
               _values, sync)


class _Plain(_store.Object):
    """An object that is no container: its value is Python's own."""

    __slots__ = ()


class _Value(_Plain):
    __slots__ = ()
    _value = _store.Object._unpack


class _Str(_Plain):
    __slots__ = ()

    def _value(self):
        return self._read().decode("utf-8", "surrogatepass")


class _Bytes(_Plain):
    __slots__ = ()
    _value = _store.Object._read


_CLASSES = {
    "py-value": _Value,
    "str": _Str,
    "bytes": _Bytes,
    "py-dict": _containers.Dict,
    "py-list": _containers.List,
    "py-set": _containers.Set,
    "py-buffer": _buffer.Buffer,
    **sync.CLASSES,
    **_values.CLASSES,
}


#: All heaps of this process, weakly, the oldest first.
_heaps = []


def opened(number):
    """The heaps that are open and have a number, those that may do most first."""
    heaps = [ref() for ref in _heaps]
    _heaps[:] = [weakref.ref(heap) for heap in heaps if heap is not None]
    return sorted((heap for heap in heaps if heap is not None and heap._is(number)),
                  key=lambda heap: -heap._session.rights().bit_count())


class Heap:
    """A heap, and this process's session on it.

    root is what everything begins with: any value, or None. Closing a heap gives back
    all that the process has of it; its proxies are of no use then. A named heap and what
    its root refers to live on until the file is removed.
    """

    def __init__(self, path=None, *, create=False, readonly=False, mode=0o666,
                 fd=-1):
        flags = os.O_RDONLY if readonly else os.O_RDWR
        if create:
            flags |= os.O_CREAT
        self.path = None if path is None else os.path.abspath(path)
        self._building = threading.local()
        self._session = _store.Session(self._adapt, self._wrap, self.path,
                                       flags, mode, fd)
        self._types = {}
        self._notices = _notices.Notices(self._session)
        _heaps.append(weakref.ref(self))

    def _is(self, number):
        try:
            return self._session.heap() == number
        except ValueError:
            return False    # it is closed

    def __reduce__(self):
        from . import _pickle
        return _pickle.reduce_heap(self)

    def close(self):
        """Give back all that this process has of the heap."""
        self._session.close()
        self._notices.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def fileno(self):
        """The descriptor of the session, as for select()."""
        return self._session.fd()

    def notice_fd(self):
        """A descriptor that is readable when dispatch() has something to do.

        From then on, functions that wait for the death of objects, or for scans, are
        called in dispatch() alone; before, in a thread of the package. The descriptor
        is the session's own: it must not be closed.
        """
        self._notices.take(_notices.Manual())
        return self.fileno()

    def dispatch(self):
        """Call the functions that are due, without waiting; see refstore.weakref.

        How many notices there were for somebody. What functions raise goes to
        sys.unraisablehook.
        """
        return self._notices.dispatch()

    def __repr__(self):
        return f"<refstore.Heap {self.path or 'without a name'}>"

    @property
    def root(self):
        """What everything begins with."""
        return self._session.root()

    @root.setter
    def root(self, value):
        if value is None:
            self._session.set_root(None)
        else:
            self._session.set_root(self._object(value))

    def transaction(self):
        """Try until it is done: several changes that others see at one moment.

            for attempt in heap.transaction():
                with attempt:
                    accounts["ann"] -= 10
                    accounts["bob"] += 10

        What is read and written below with is as if nobody else did anything
        meanwhile; if somebody did, nothing was changed, and it is tried again. An
        exception changes nothing, ends the tries and is raised.

        A transaction is of one thread, may look at up to 16 containers that were there
        before it, and must not have effects that cannot be had twice. It costs a few
        calls of the kernel for each container. The root of a heap is no part of it.

        One that changes something may look at up to 256 places. A container is one; a
        Dict or Set that has had 256 keys at once is 65. Of these, a key takes two, but
        len(), iteration, update(), popitem() and whatever else concerns the whole take
        all. So it can do that with three of them; with a fourth, it ends with an Error.

        What the loop has outside of with is part of nothing: it is done at once, and
        again with each try.

        The block below with must come to its end: who leaves it by return, break or
        continue of an outer loop leaves the tries, too, done or not. A function that
        returns something is for atomically().
        """
        return _transaction.Attempts(self._session)

    def atomically(self, function, *args):
        """Call a function in a transaction, again until it is done; its result."""
        for attempt in self.transaction():
            with attempt:
                result = function(*args)
        return result

    def buffer(self, value):
        """A new Buffer: of a length, all of it 0, or with a copy of bytes.

        value  a number of bytes, or anything that has the buffer protocol
        """
        return _buffer.make(self._session, value)

    def new(self, class_, /, *args, **kwargs):
        """Make an object and copy it in: heap.new(list), heap.new(User, name="ann").

        Returns the object of the heap. As long as nothing in the heap refers to it, it
        lives as long as somebody uses it.
        """
        value = class_(*args, **kwargs)
        shared = self._object(value)
        return value if isinstance(shared, _Plain) else shared

    def _object(self, value):
        """An object of the heap for a value of any kind."""
        if isinstance(value, (bool, int, float, tuple)):
            return self._session.value(_Value, value)
        if isinstance(value, (str, bytes)):
            return self._leaf(value)
        if isinstance(value, _store.Object) and value._session is self._session:
            return value
        return self._adapt(value)

    def _leaf(self, value):
        if isinstance(value, str):
            return self._session.leaf(_Str, _store.TYPE_STR,
                                      value.encode("utf-8", "surrogatepass"))
        return self._session.leaf(_Bytes, _store.TYPE_BYTES, value)

    def _adapt(self, value):
        """What a slot is to refer to for what is not plain: a copy, made whole.

        What it contains several times, itself perhaps, is copied once.
        """
        if isinstance(value, (str, bytes)):
            return self._leaf(value)
        if isinstance(value, _store.Object):
            return self._take_over(value)
        if hasattr(self._building, "copies"):
            return self._copy(value)
        self._building.copies = {}
        try:
            return self._copy(value)
        finally:
            del self._building.copies

    def _take_over(self, value):
        """The same object in our session, if another one of the heap has it."""
        if not self._is(value._session.heap()):
            raise ValueError("an object of another heap must be copied: deepcopy()")
        fd = value._session.export(value)
        try:
            return self._session.import_(fd)
        finally:
            os.close(fd)

    def _copy(self, value):
        copies = self._building.copies
        known = copies.get(id(value))
        if known is not None:
            return known[1]
        for type_, class_ in _containers.COPIED:
            if isinstance(value, type_):
                copy = class_._make(self._session)
                copies[id(value)] = value, copy
                copy._fill(value)
                return copy
        if _buffer.has_bytes(value):
            copy = _buffer.make(self._session, value)
            copies[id(value)] = value, copy
            return copy
        class_ = _records.shared(type(value))
        if class_ is not None:
            copy = self._session.record(class_, self._type(class_._type_name))
            copies[id(value)] = value, copy
            copy._fill(value)
            return copy
        raise TypeError(f"{type(value).__name__} cannot be kept in a heap: its class is "
                        "neither plain nor registered")

    def _type(self, name):
        """The number that the type of a record has in the heap."""
        number = self._types.get(name)
        if number is None:
            number = self._types[name] = self._session.type(name)
        return number

    def _wrap(self, name):
        """The class of proxies for objects of a type."""
        if name.startswith(_records.PREFIX):
            return _records.find(name)
        try:
            return _CLASSES[name]
        except KeyError:
            raise _store.CorruptError(f"no class is known for {name!r}") from None


def open(path=None, *, create=False, readonly=False, mode=0o666):
    """Open the heap that has a name, or make one that has none.

    path      a file below where a file system of type refstore is mounted, such as
              /run/refstore; None: a heap of this process and those that it forks
    create    make it if it is not there
    readonly  to read alone; who may not write the file must say so
    mode      permissions of a file that is made, less the umask

    Raises OSError as open() does: FileNotFoundError, PermissionError and so on, with
    the name of the file, which is the device's for a heap that has none; one with
    ENOTTY where the file is no heap, or none can be made.
    """
    return Heap(path, create=create, readonly=readonly, mode=mode)
