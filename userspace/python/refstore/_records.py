# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records: objects of users' own classes.

    @refstore.register("app.User")
    class User(refstore.Record):
        admin = False

        def __init__(self, name):
            self.name = name

        def rename(self, name):
            self.name = name

    heap.root["ann"] = User("ann")
    heap.root["ann"].rename("Ann")

User("ann") is an object of this process, like any other. Assigning it copies it into
the heap, as with lists and dicts; what comes back is the shared one, which is a User,
too: its methods and properties are those of the class, and its attributes are in the
heap. To get or set one takes as long as with a key of a Dict, and is atomic; update()
sets several at once. heap.new(User, "ann") makes one and returns the shared one.

The heap knows the name that the class was registered by, and the attributes; no code.
Who meets a record whose name it has not registered gets a NotRegisteredError. __init__
runs where the object is made, nowhere else. A class attribute that is no method or the
like is a default: what the process's own class says, until the record has an attribute
of that name. Shared records are equal if they are the same object, unless the class
says otherwise. copy.copy() and copy.deepcopy() make an object of this process.
"""

import reprlib
from functools import cached_property

from . import _store

#: Before the name that a class is registered by, in the name of its records' type.
PREFIX = "py:"

_NAME_MAX = 31 - len(PREFIX)
_MISSING = object()

_shared = {}    # by the class that was registered
_by_name = {}   # by the type's name


class NotRegisteredError(_store.Error, LookupError):
    """A record is of a class that this process has not registered."""


class Record:
    """What classes derive from whose objects can live in a heap: see register().

    Without an __init__() of its own, a class takes keywords, which become attributes.
    """

    def __init__(self, /, **attributes):
        self.update(**attributes)

    def update(self, /, **attributes):
        """Set attributes; of a shared record, all at once."""
        for name, value in attributes.items():
            setattr(self, name, value)

    def update_key(self, name, function, /, *default):
        """Let a function make a new value of an attribute's old one, and return it.

        Of a shared record, nobody changes the attribute in between; the function is
        called again if somebody has. What is not there is the default, if one is given.
        """
        value = function(getattr(self, name, *default))
        setattr(self, name, value)
        return value

    @reprlib.recursive_repr()
    def __repr__(self):
        attributes = ", ".join(f"{name}={value!r}"
                               for name, value in vars(self).items())
        return f"{self.__class__.__qualname__}({attributes})"


class _Attribute:
    """What a shared record has in the heap although its class has the name, too."""

    def __init__(self, class_, name):
        self._class = class_
        self._name = name

    def __get__(self, record, owner=None):
        if record is not None:
            value = _store.Map.get(record, self._name, _MISSING)
            if value is not _MISSING:
                return value
        return getattr(self._class, self._name)

    def __set__(self, record, value):
        _store.Map.__setitem__(record, self._name, value)

    def __delete__(self, record):
        _delete(record, self._name)


class _Shared(Record):
    """What shared records have, behind the class itself and before _store.Map."""

    __slots__ = ()

    def __setattr__(self, name, value):
        if _is_stored(type(self), name):
            _store.Map.__setitem__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name):
        if _is_stored(type(self), name):
            _delete(self, name)
        else:
            super().__delattr__(name)

    def __dir__(self):
        return sorted({*dir(self.__class__), *vars(self)})

    def __eq__(self, other):
        if not isinstance(other, _Shared):
            return NotImplemented
        return self is other or (self._id == other._id and
                                 self._session.heap() == other._session.heap())

    def __hash__(self):
        return hash(self._id)

    def update(self, /, **attributes):
        _check_names(type(self), attributes)
        self._update(list(attributes.items()))

    def update_key(self, name, function, /, *default):
        def change(old):
            if old is _MISSING:
                raise AttributeError(_no_attribute(self, name), name=name, obj=self)
            return function(old)

        _check_names(type(self), (name,))
        if not default:
            default = getattr(self.__class__, name, _MISSING),
        return _store.Map.update_key(self, name, change, *default)

    def _fill(self, record):
        attributes = {
            name: value for name, value in vars(record).items()
            if not isinstance(_defined(type(record), name), cached_property)
        }
        _check_names(type(self), attributes)
        self._update(list(attributes.items()))


def _no_attribute(record, name):
    return f"{record.__class__.__name__!r} object has no attribute {name!r}"


def _delete(record, name):
    try:
        _store.Map.__delitem__(record, name)
    except KeyError:
        raise AttributeError(_no_attribute(record, name), name=name,
                             obj=record) from None


def _defined(class_, name):
    """What a class has by a name, as it stands there."""
    for base in class_.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _is_special(name):
    return name.startswith("__") and name.endswith("__")


def _is_stored(class_, name):
    """Whether the attributes of shared records by that name are in the heap.

    AttributeError if there can be none: for methods and the like, and what is special.
    """
    found = _defined(class_, name)
    if found is None or isinstance(found, _Attribute):
        if _is_special(name):
            raise AttributeError(f"{name!r} cannot be kept in a heap")
        return True
    if hasattr(type(found), "__set__") or hasattr(type(found), "__delete__"):
        return False
    raise AttributeError(f"{name!r} is what the class defines it to be")


def _check_names(class_, names):
    for name in names:
        if not _is_stored(class_, name):
            raise AttributeError(f"{name!r} is no attribute in the heap")


def _attributes(record):
    """All attributes of a shared record at one moment."""
    attributes = dict(record._iter(2))
    for name in attributes:
        if not isinstance(name, str) or _is_special(name):
            raise _store.CorruptError(f"no attribute can be called {name!r}")
    return attributes


def _plain(record, attributes):
    copy = record.__class__.__new__(record.__class__)
    copy.__dict__.update(attributes)
    return copy


def _copy(record):
    return _plain(record, _attributes(record))


def _deepcopy(record, memo):
    import copy
    new = memo[id(record)] = _plain(record, {})
    new.__dict__.update((name, copy.deepcopy(value, memo))
                        for name, value in _attributes(record).items())
    return new


def _getattr(class_):
    """A __getattr__() for shared records: asks the heap, then that of the class."""
    instead = getattr(class_, "__getattr__", None)

    def __getattr__(self, name):
        value = _MISSING
        if not _is_special(name):
            value = _store.Map.get(self, name, _MISSING)
        if value is not _MISSING:
            return value
        if instead is not None:
            return instead(self, name)
        raise AttributeError(_no_attribute(self, name), name=name, obj=self)

    return __getattr__


#: What containers have and records have not, unless their class defines it.
_HIDDEN = ("__len__", "__getitem__", "__setitem__", "__delitem__", "__contains__",
           "__iter__")

#: What the package needs of a record, for itself.
_RESERVED = {name for name in dir(_store.Map)
             if name.startswith("_") and not _is_special(name)}
_RESERVED |= {"_value", "_fill", "_type_name"}

#: What has no meaning where __init__() runs once and objects end in many processes.
_REFUSED = {"__new__", "__del__", "__class__"}


def _names(class_):
    """What a class defines, but for what is special."""
    return {name for base in class_.__mro__[:-1] for name in base.__dict__
            if not _is_special(name)}


def _stand_in(class_, name):
    """What shared records have instead of what their class defines; None: that."""
    found = _defined(class_, name)
    if isinstance(found, classmethod):
        return getattr(class_, name)    # of the class itself
    if not hasattr(type(found), "__get__"):
        return _Attribute(class_, name)
    return None


def _namespace(class_, type_name):
    """What the class of shared records has before all that the class itself has."""
    space = {
        "__slots__": (),
        "__module__": class_.__module__,
        "__qualname__": class_.__qualname__,
        "__doc__": class_.__doc__,
        "__class__": property(lambda self: class_),
        "__new__": lambda cls, /, *args, **kwargs: class_(*args, **kwargs),
        "__dict__": property(_attributes),
        "__getattr__": _getattr(class_),
        "__reduce__": _store.Object.__reduce__,
        "__reduce_ex__": object.__reduce_ex__,
        "_type_name": type_name,
    }
    for name in _names(class_):
        found = _stand_in(class_, name)
        if found is not None:
            space[name] = found
    for name in dir(_store.Map):
        if not name.startswith("_") and not hasattr(class_, name):
            space[name] = _Attribute(class_, name)
    for name in _HIDDEN:
        if not hasattr(class_, name):
            space[name] = None
    if not hasattr(class_, "__bool__") and not hasattr(class_, "__len__"):
        space["__bool__"] = lambda self: True
    for name, function in ("__copy__", _copy), ("__deepcopy__", _deepcopy):
        if not hasattr(class_, name):
            space[name] = function
    return space


def _check_class(class_):
    if not isinstance(class_, type) or not issubclass(class_, Record):
        raise TypeError("only classes that derive from refstore.Record are registered")
    for base in class_.__mro__:
        if base in (Record, object):
            continue
        if base.__dict__.get("__slots__"):
            raise TypeError("attributes are in the heap: __slots__ must be empty")
        bad = (_RESERVED | _REFUSED).intersection(base.__dict__)
        if bad:
            raise TypeError(f"a record cannot define {', '.join(sorted(bad))}")


def register(name):
    """Decorate a class, so that its objects can be in a heap.

    The class derives from Record. The name, of 1 to 28 printable ASCII characters
    without blanks, is what other processes register their class by, which should be the
    same one. Registering another class by the name takes its place in what is read
    afterwards. A heap can have about 4,000 names.
    """
    if not isinstance(name, str):
        raise TypeError('a name is needed, as in @refstore.register("app.User")')
    if not (0 < len(name) <= _NAME_MAX and name.isascii() and name.isprintable()
            and " " not in name):
        raise ValueError(f"1 to {_NAME_MAX} printable ASCII characters are needed, "
                         "without blanks")

    def decorate(class_):
        _check_class(class_)
        type_name = PREFIX + name
        new = type(class_.__name__, (class_, _Shared, _store.Map),
                   _namespace(class_, type_name))
        _shared[class_] = _by_name[type_name] = new
        return class_

    return decorate


def shared(class_):
    """The class of shared records for a class that is registered; or None."""
    return _shared.get(class_)


def find(type_name):
    """The class of shared records for a type's name."""
    try:
        return _by_name[type_name]
    except KeyError:
        raise NotRegisteredError("no class is registered as "
                                 f"{type_name[len(PREFIX):]!r}") from None
