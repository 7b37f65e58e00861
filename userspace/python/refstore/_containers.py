# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers of a heap: Dict, List and Set.

Each is one reference to a version, a tree of small immutable objects. A change makes
the few that differ, and lets the container refer to the new version at one moment; so
a method is seen whole or not at all, an iterator walks what was there when it began, and
old versions free themselves. With n entries:

    len(), d[k], k in d, l[i]               O(log n); one call of the kernel, if nobody
                                            has changed the container since
    d[k] = v, del d[k], l[i] = v,
    l.append(v), l.insert(i, v), l.pop(i)   O(log n), two calls of the kernel
    iteration, ==, repr(), in of a list     O(n)
    sort(), reverse(), remove(), slices
    with a step                             O(n), and again if somebody else was faster
"""

import collections.abc
import reprlib

from . import _store

_KEYS, _VALUES, _ITEMS = range(3)


class _KeysView(collections.abc.KeysView):
    def __iter__(self):
        return self._mapping._iter(_KEYS)

    def __reversed__(self):
        return reversed(self._mapping._iter(_KEYS))


class _ValuesView(collections.abc.ValuesView):
    def __iter__(self):
        return self._mapping._iter(_VALUES)

    def __contains__(self, value):
        return any(v is value or v == value for v in self)

    def __reversed__(self):
        return reversed(self._mapping._iter(_VALUES))


class _ItemsView(collections.abc.ItemsView):
    def __iter__(self):
        return self._mapping._iter(_ITEMS)

    def __reversed__(self):
        return reversed(self._mapping._iter(_ITEMS))


class Dict(_store.Map):
    """A dict that processes share.

    Keys are str, bytes, int, float, bool, None, and tuples of these; values are whatever
    a heap takes. d[k] += 1 is two calls, between which others may change d[k]:
    d.update_key(k, lambda v: v + 1) is one.
    """

    __slots__ = ()
    __hash__ = None

    @classmethod
    def _make(cls, session):
        return session.container(cls, _store.KIND_DICT)

    def _fill(self, mapping):
        self._update(list(mapping.items()))

    def __iter__(self):
        return self._iter(_KEYS)

    def __reversed__(self):
        return reversed(self._iter(_KEYS))

    def keys(self):
        """A view of the keys."""
        return _KeysView(self)

    def values(self):
        """A view of the values."""
        return _ValuesView(self)

    def items(self):
        """A view of pairs of key and value."""
        return _ItemsView(self)

    def update(self, other=(), /, **more):
        """Set keys, all at once."""
        self._update(list(dict(other, **more).items()))

    def copy(self):
        """A dict of Python's, with the same values."""
        return dict(self._iter(_ITEMS))

    __copy__ = copy

    def __deepcopy__(self, memo):
        copy = memo[id(self)] = {}
        copy.update(_deep_copies(self._iter(_ITEMS), memo))
        return copy

    def __eq__(self, other):
        if not isinstance(other, (Dict, dict)):
            return NotImplemented
        return self is other or self.copy() == _plain(other)

    def __or__(self, other):
        if not isinstance(other, (Dict, dict)):
            return NotImplemented
        return self.copy() | _plain(other)

    def __ror__(self, other):
        if not isinstance(other, (Dict, dict)):
            return NotImplemented
        return _plain(other) | self.copy()

    def __ior__(self, other):
        self.update(other)
        return self

    @reprlib.recursive_repr("{...}")
    def __repr__(self):
        return repr(self.copy())


class Set(_store.Map):
    """A set that processes share. Its elements are what keys of a Dict can be."""

    __slots__ = ()
    __hash__ = None

    @classmethod
    def _make(cls, session):
        return session.container(cls, _store.KIND_SET)

    def _fill(self, values):
        self._update([(value,) for value in values])

    def __iter__(self):
        return self._iter(_KEYS)

    def add(self, value):
        """Add an element, if it is not there."""
        self._add(value)

    def discard(self, value):
        """Remove an element, if it is there."""
        self._discard(value)

    def remove(self, value):
        """Remove an element."""
        if not self._discard(value):
            raise KeyError(value)

    def copy(self):
        """A set of Python's, with the same elements."""
        return set(self._iter(_KEYS))

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def __repr__(self):
        return repr(self.copy())


class List(_store.Seq):
    """A list that processes share."""

    __slots__ = ()
    __hash__ = None

    @classmethod
    def _make(cls, session):
        return session.container(cls, _store.KIND_LIST)

    def _fill(self, values):
        self.extend(values)

    def copy(self):
        """A list of Python's, with the same values."""
        return list(self)

    __copy__ = copy

    def __deepcopy__(self, memo):
        copy = memo[id(self)] = []
        copy.extend(_deep_copies(self, memo))
        return copy

    def clear(self):
        """Remove all values."""
        self._assign(())

    def index(self, value, *limits):
        """The first place of a value."""
        return self.copy().index(value, *limits)

    def count(self, value):
        """How often a value is there."""
        return self.copy().count(value)

    def remove(self, value):
        """Remove the first that equals a value."""
        def change(values):
            values.remove(value)
            return values
        self._transform(change)

    def reverse(self):
        """Turn the order round."""
        self._transform(lambda values: values[::-1])

    def sort(self, *, key=None, reverse=False):
        """Put the values in order."""
        self._transform(lambda values: sorted(values, key=key, reverse=reverse))

    def __contains__(self, value):
        return any(v is value or v == value for v in self)

    def __reversed__(self):
        return reversed(self.copy())

    def __add__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self.copy() + list(other)

    def __radd__(self, other):
        if not isinstance(other, list):
            return NotImplemented
        return other + self.copy()

    def __iadd__(self, other):
        self.extend(other)
        return self

    def __mul__(self, number):
        return self.copy() * number

    __rmul__ = __mul__

    def __imul__(self, number):
        self._transform(lambda values: values * number)
        return self

    def __eq__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self is other or self.copy() == list(other)

    def __lt__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self.copy() < list(other)

    def __le__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self.copy() <= list(other)

    def __gt__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self.copy() > list(other)

    def __ge__(self, other):
        if not isinstance(other, (List, list)):
            return NotImplemented
        return self.copy() >= list(other)

    @reprlib.recursive_repr("[...]")
    def __repr__(self):
        return repr(self.copy())


def _plain(value):
    return value.copy() if isinstance(value, _store.Object) else value


def _deep_copies(values, memo):
    import copy
    return (copy.deepcopy(value, memo) for value in values)


#: What is copied into a heap when it is assigned, and what it becomes there.
COPIED = (
    (dict, Dict),
    (list, List),
    ((set, frozenset), Set),
)

collections.abc.MutableMapping.register(Dict)
collections.abc.MutableSequence.register(List)
collections.abc.MutableSet.register(Set)
