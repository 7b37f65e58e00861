# SPDX-License-Identifier: LGPL-2.1-or-later
"""References to objects of a heap that do not keep them.

    from refstore import weakref

    user = weakref.ref(heap.root["user"], lambda ref: print("the user is gone"))
    user()          # the object, or None

Any process may hold the last reference. An object dies when no process has it and no
other object refers to it, however that came: a process that is killed lets go of what
it had, and cycles that nobody reaches are found by the heap's scans. Python's own
weakref.ref, of a proxy, tells only when this process is done with the proxy.

When an object is dead, functions that wait for that are called soon after, in a thread
of the package; or in Heap.dispatch(), for who has asked for Heap.notice_fd(); or in an
event loop, see refstore.aio. All weak references to an object, and to what a scan freed
together with it, are dead by then. What functions raise goes to sys.unraisablehook.
They are called in no order. When a heap is closed, they are called no more.

A child of fork() has all weak references of its parent, and its functions are called in
the child as well, but for those of finalize(), which are the parent's alone. Who forks
and wants no other thread then, of which Python 3.12 and later warn, asks for
Heap.notice_fd() before it has functions called.

A weak reference takes one handle of the session. To make one, to ask it, and to drop it
takes one call of the kernel each.
"""

import atexit
import collections.abc
import itertools
import sys
import threading
import types
import weakref as _weakref

from . import _notices, _store

__all__ = ["WeakSet", "WeakValueDictionary", "finalize", "ref"]


class ref:
    """ref(object, callback=None): a weak reference to an object of a heap.

    Calling it gives the object, or None when it is dead; ValueError if the heap is
    closed. callback(ref) is called once, when the object is dead, if the reference is
    still there.

    Two references are equal if they are to the same object, dead or alive, and can be
    hashed. (Python's compare what they refer to, as long as that lives; containers of a
    heap are compared by their contents, which change.)
    """

    __slots__ = "__weakref__", "_weak", "_callback"
    __class_getitem__ = classmethod(types.GenericAlias)

    def __init__(self, target, callback=None):
        if isinstance(target, ref):
            target = target._weak
        elif not isinstance(target, _store.Object):
            raise TypeError("cannot create weak reference to "
                            f"{type(target).__name__!r} object")
        self._weak = None
        self._callback = callback
        if callback is None:
            self._weak = _store.weak(target)
        else:
            self._weak = _notices.of(target._session).watch(self, target)

    @property
    def __callback__(self):
        """The function that is to be called, or None."""
        return self._callback

    def __call__(self):
        return self._weak.upgrade()

    def __eq__(self, other):
        if not isinstance(other, ref):
            return NotImplemented
        return self._weak.identity == other._weak.identity

    def __hash__(self):
        return hash(self._weak.identity)

    def __repr__(self):
        heap, number = self._weak.identity
        return f"<refstore.weakref.ref to object {number} of heap {heap}>"

    def died(self):
        callback, self._callback = self._callback, None
        callback(self)

    def watch_again(self, cookie):
        if self._weak is not None:
            self._weak = _store.weak(self._weak, cookie)


class _KeyedRef(ref):
    __slots__ = "key",

    def __init__(self, key, target, callback):
        self.key = key
        super().__init__(target, callback)


# It is held for moments only, in which keys may be hashed and compared.
_lock = threading.RLock()


class WeakValueDictionary(collections.abc.MutableMapping):
    """A dict of this process, whose values are objects of a heap.

    An entry goes when its object is dead: it is not found any more at once, and not
    counted by len() from when that was told. Keys are any that a dict can have.
    """

    def __init__(self, other=(), /, **more):
        self._refs = {}
        self_ref = _weakref.ref(self)

        def remove(reference):
            self = self_ref()
            if self is not None:
                self._remove(reference)

        self._forget = remove
        self.update(other, **more)

    def _remove(self, reference):
        with _lock:
            if self._refs.get(reference.key) is reference:
                del self._refs[reference.key]

    def _alive(self):
        """Pairs of key and value, of what was there at the start."""
        for key, reference in list(self._refs.items()):
            value = reference()
            if value is not None:
                yield key, value

    def __getitem__(self, key):
        value = self._refs[key]()
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key, value):
        reference = _KeyedRef(key, value, self._forget)
        with _lock:
            self._refs[key] = reference

    def __delitem__(self, key):
        with _lock:
            del self._refs[key]

    def __iter__(self):
        for key, _ in self._alive():
            yield key

    def __len__(self):
        return len(self._refs)

    def keys(self):
        """The keys, of what was there at the start: an iterator."""
        return iter(self)

    def values(self):
        """The values: an iterator."""
        for _, value in self._alive():
            yield value

    def items(self):
        """Pairs of key and value: an iterator."""
        return self._alive()

    def valuerefs(self):
        """Weak references to the values: a list."""
        return list(self._refs.values())

    def itervaluerefs(self):
        """Weak references to the values: an iterator."""
        return iter(self.valuerefs())

    def popitem(self):
        """Remove an entry, the last one that came; KeyError if there is none."""
        while True:
            with _lock:
                key, reference = self._refs.popitem()
            value = reference()
            if value is not None:
                return key, value

    def clear(self):
        """Remove all entries."""
        with _lock:
            self._refs.clear()

    def copy(self):
        """Another one, with the same entries."""
        return type(self)(dict(self._alive()))

    __copy__ = copy

    def __or__(self, other):
        if not isinstance(other, collections.abc.Mapping):
            return NotImplemented
        result = self.copy()
        result.update(other)
        return result

    def __ror__(self, other):
        if not isinstance(other, collections.abc.Mapping):
            return NotImplemented
        return type(self)(other) | self

    def __ior__(self, other):
        self.update(other)
        return self

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x}>"


class WeakSet(collections.abc.MutableSet):
    """A set of this process, whose elements are objects of a heap.

    An element goes when the object is dead. What is in it is that very object, not one
    that equals it.
    """

    def __init__(self, values=()):
        self._values = WeakValueDictionary()
        self.update(values)

    def add(self, value):
        """Add an object, if it is not there."""
        if value not in self:
            self._values[_store.identity(value)] = value

    def discard(self, value):
        """Remove an object, if it is there."""
        self._values.pop(_store.identity(value), None)

    def update(self, values):
        """Add several."""
        for value in values:
            self.add(value)

    def copy(self):
        """Another one, with the same elements."""
        return type(self)(self)

    __copy__ = copy

    def clear(self):
        """Remove all."""
        self._values.clear()

    def __contains__(self, value):
        return (isinstance(value, _store.Object) and
                _store.identity(value) in self._values)

    def __iter__(self):
        return self._values.values()

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x}>"


class _Info:
    """What a finalizer that is alive is to do."""

    __slots__ = "reference", "function", "args", "kwargs", "atexit", "index"


class finalize:
    """finalize(object, function, *args, **kwargs): call it when the object is dead.

    It stays until then by itself. Calling it before calls the function at once, for
    the last time, and gives what that returns; None when it was called before.

    What is still alive when the program exits is called then, the youngest first,
    unless its atexit was set to False. A child of fork() does not inherit it: of all
    processes, the one that has made it calls the function.
    """

    __slots__ = "__weakref__",

    _registry = {}
    _count = itertools.count()
    _at_exit = False
    _made = False
    _over = False

    def __init__(self, target, function, /, *args, **kwargs):
        cls = type(self)
        if not finalize._at_exit:
            atexit.register(cls._exit)
            finalize._at_exit = True
        info = _Info()
        info.function = function
        info.args = args
        info.kwargs = kwargs
        info.atexit = True
        info.index = next(self._count)
        # Before it can be called.
        self._registry[self] = info
        finalize._made = True
        try:
            info.reference = ref(target, self)
        except BaseException:
            self._registry.pop(self, None)
            raise

    def __call__(self, reference=None):
        info = self._registry.pop(self, None)
        if info is None or self._over:
            return None
        return info.function(*info.args, **info.kwargs)

    def _take(self, info):
        value = info and info.reference()
        if value is None:
            return None
        return value, info.function, info.args, info.kwargs

    def peek(self):
        """(object, function, args, kwargs) if it is alive; else None."""
        return self._take(self._registry.get(self))

    def detach(self):
        """The same, and it is dead from now on."""
        taken = self.peek()
        if taken is None or self._registry.pop(self, None) is None:
            return None
        return taken

    @property
    def alive(self):
        """Whether its function may still be called."""
        return self in self._registry

    @property
    def atexit(self):
        """Whether its function is called when the program exits, if not before."""
        info = self._registry.get(self)
        return info is not None and info.atexit

    @atexit.setter
    def atexit(self, value):
        info = self._registry.get(self)
        if info is not None:
            info.atexit = bool(value)

    def __repr__(self):
        state = "alive" if self.alive else "dead"
        return f"<refstore.weakref.finalize at {id(self):#x}; {state}>"

    @classmethod
    def _exit(cls):
        waiting = []
        try:
            while True:
                # Functions may make others, which are the youngest then.
                if finalize._made:
                    finalize._made = False
                    waiting = sorted((info.index, finalizer) for finalizer, info
                                     in list(cls._registry.items()) if info.atexit)
                if not waiting:
                    break
                try:
                    waiting.pop()[1]()
                except Exception:
                    sys.excepthook(*sys.exc_info())
        finally:
            finalize._over = True


def _after_fork():
    global _lock
    _lock = threading.RLock()
    finalize._registry.clear()


_notices.at_fork(_after_fork)
