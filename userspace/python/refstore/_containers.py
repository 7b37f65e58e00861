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
    s |= t, s -= t, s ^= t                  O(log n) for each element of t
    iteration, ==, repr(), in of a list     O(n)
    sort(), reverse(), remove(), slices
    with a step, s &= t                     O(n), and again if somebody else was faster
"""

import collections.abc
import reprlib
import types

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


class _Absent:
    """A method that the base class has and the class has not."""

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, container, owner=None):
        raise AttributeError(f"{owner.__name__!r} object has no attribute "
                             f"{self._name!r}")


class Dict(_store.Map):
    """A dict that processes share.

    Keys are str, bytes, int, float, bool, None, and tuples of these; values are whatever
    a heap takes. d[k] += 1 is two calls, between which others may change d[k]:
    d.update_key(k, lambda v: v + 1) is one.
    """

    __slots__ = ()
    __hash__ = None
    __class_getitem__ = classmethod(types.GenericAlias)

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

    @staticmethod
    def fromkeys(keys, value=None, /):
        """A dict of Python's, in which all keys have one value."""
        return dict.fromkeys(keys, value)

    def update(self, other=(), /, **more):
        """Set keys, all at once."""
        self._update(list(dict(_plain(other), **more).items()))

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


class Set(_store.KeySet):
    """A set that processes share. Its elements are what keys of a Dict can be.

    What makes a new set makes one of Python's. What changes this one changes it at one
    moment, whatever how many elements come and go.
    """

    __slots__ = ()
    __hash__ = None
    __class_getitem__ = classmethod(types.GenericAlias)
    __getitem__ = __setitem__ = __delitem__ = None
    get = _Absent()
    popitem = _Absent()
    setdefault = _Absent()
    update_key = _Absent()

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

    def union(self, *others):
        """A set of Python's, of what is in this or another one."""
        return self.copy().union(*others)

    def intersection(self, *others):
        """A set of Python's, of what is in this and all others."""
        return self.copy().intersection(*others)

    def difference(self, *others):
        """A set of Python's, of what is in this and in no other."""
        return self.copy().difference(*others)

    def symmetric_difference(self, other):
        """A set of Python's, of what is in one of both alone."""
        return self.copy().symmetric_difference(other)

    def update(self, *others):
        """Add elements, all at once."""
        self._update([(value,) for value in set().union(*others)])

    def intersection_update(self, *others):
        """Remove, at once, what is not in all others."""
        if others:
            self._filter(set(others[0]).intersection(*others[1:]).__contains__)

    def difference_update(self, *others):
        """Remove, at once, what is in another one."""
        self._discard_all(list(set().union(*others)))

    def symmetric_difference_update(self, other):
        """Remove, at once, what is in the other, and add what was only there."""
        self._toggle_all(list(set(other)))

    def isdisjoint(self, other):
        """Whether nothing is in both."""
        return self.copy().isdisjoint(other)

    def issubset(self, other):
        """Whether all is in the other, too."""
        return self.copy().issubset(other)

    def issuperset(self, other):
        """Whether all of the other is in this, too."""
        return self.copy().issuperset(other)

    def __or__(self, other):
        return self.copy() | _plain(other) if _is_set(other) else NotImplemented

    def __and__(self, other):
        return self.copy() & _plain(other) if _is_set(other) else NotImplemented

    def __sub__(self, other):
        return self.copy() - _plain(other) if _is_set(other) else NotImplemented

    def __xor__(self, other):
        return self.copy() ^ _plain(other) if _is_set(other) else NotImplemented

    __ror__ = __or__
    __rand__ = __and__
    __rxor__ = __xor__

    def __rsub__(self, other):
        return other - self.copy() if _is_set(other) else NotImplemented

    def __ior__(self, other):
        if not _is_set(other):
            return NotImplemented
        self.update(other)
        return self

    def __iand__(self, other):
        if not _is_set(other):
            return NotImplemented
        self.intersection_update(other)
        return self

    def __isub__(self, other):
        if not _is_set(other):
            return NotImplemented
        self.difference_update(other)
        return self

    def __ixor__(self, other):
        if not _is_set(other):
            return NotImplemented
        self.symmetric_difference_update(other)
        return self

    def __eq__(self, other):
        if not _is_set(other):
            return NotImplemented
        return self is other or self.copy() == _plain(other)

    def __le__(self, other):
        return self.copy() <= _plain(other) if _is_set(other) else NotImplemented

    def __lt__(self, other):
        return self.copy() < _plain(other) if _is_set(other) else NotImplemented

    def __ge__(self, other):
        return self.copy() >= _plain(other) if _is_set(other) else NotImplemented

    def __gt__(self, other):
        return self.copy() > _plain(other) if _is_set(other) else NotImplemented

    def __repr__(self):
        return repr(self.copy())


class List(_store.Seq):
    """A list that processes share."""

    __slots__ = ()
    __hash__ = None
    __class_getitem__ = classmethod(types.GenericAlias)

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


def _is_set(value):
    return isinstance(value, (Set, set, frozenset))


def _plain(value):
    return value.copy() if isinstance(value, (Dict, Set)) else value


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
