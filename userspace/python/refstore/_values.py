# SPDX-License-Identifier: LGPL-2.1-or-later
"""Namespace, Value and Array, as managers of multiprocessing have them."""

import array

from . import _buffer, _containers, _store, sync
from ._store import CorruptError


class Namespace(_store.Group):
    """Attributes that processes share; those that begin with _ are this process's."""

    def __new__(cls, heap, /, **values):
        return cls._make(heap._session, "py-namespace", (heap._object(values),))

    @property
    def _dict(self):
        return sync._part(self, 0, _containers.Dict)

    def __getattr__(self, name):
        if not name.startswith("_"):
            try:
                return self._dict[name]
            except KeyError:
                pass
        raise AttributeError(f"the namespace has no attribute {name!r}")

    def __setattr__(self, name, value):
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._dict[name] = value

    def __delattr__(self, name):
        if name.startswith("_"):
            super().__delattr__(name)
        else:
            try:
                del self._dict[name]
            except KeyError:
                raise AttributeError(name) from None

    def __repr__(self):
        items = sorted((name, value) for name, value in self._dict.items()
                       if not str(name).startswith("_"))
        inner = ", ".join(f"{name}={value!r}" for name, value in items)
        return f"Namespace({inner})"


class Value(_store.Group):
    """One value. Its type code is kept, and means nothing, as in multiprocessing."""

    __slots__ = ()

    def __new__(cls, heap, typecode, value, lock=True):
        parts = heap._object([typecode, value]),
        return cls._make(heap._session, "py-cell", parts)

    @property
    def _list(self):
        return sync._part(self, 0, _containers.List)

    def get(self):
        """The value."""
        return self._list[1]

    def set(self, value):
        """Another value."""
        self._list[1] = value

    value = property(get, set)

    def __repr__(self):
        typecode, value = self._list
        return f"Value({typecode!r}, {value!r})"


class Array(_store.Group):
    """As array.array, of a fixed length; in a Buffer, so that nothing is copied.

    The type code is any of array's but "u". Slices are array.arrays, copies.
    """

    __slots__ = ("_memory",)

    def __new__(cls, heap, typecode, sequence, lock=True):
        values = array.array(typecode, sequence)
        if typecode == "u":
            raise ValueError("characters cannot be in an Array")
        parts = heap._object([typecode, values]),
        return cls._make(heap._session, "py-array", parts)

    def _view(self):
        try:
            return self._memory
        except AttributeError:
            pass
        typecode, buffer = sync._part(self, 0, _containers.List)
        if not isinstance(buffer, _buffer.Buffer) or not isinstance(typecode, str):
            raise CorruptError("an array is none")
        self._memory = memoryview(buffer).cast(typecode)
        return self._memory

    def __len__(self):
        return len(self._view())

    def __iter__(self):
        return iter(self._view())

    def __getitem__(self, key):
        value = self._view()[key]
        if isinstance(key, slice):
            return array.array(self._view().format, value.tolist())
        return value

    def __setitem__(self, key, value):
        if isinstance(key, slice):
            value = array.array(self._view().format, value)
        self._view()[key] = value

    def __repr__(self):
        return f"Array({self._view().format!r}, {self._view().tolist()!r})"


#: Types of objects and their classes.
CLASSES = {
    "py-namespace": Namespace,
    "py-cell": Value,
    "py-array": Array,
}
