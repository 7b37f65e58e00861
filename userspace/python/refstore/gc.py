# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cycle scanner of a heap: the counterpart of Python's gc.

What has no cycle is freed when the last reference goes. Cycles that nobody reaches are
found by scans, in the kernel, which stop nobody and run by themselves. Settings are the
heap's: what one process sets, all have.

    Python's                  here, with a heap
    enable(), disable(),      enable(heap), disable(heap), isenabled(heap): for all
    isenabled()               processes of the heap; disable() needs the right to
                              collect
    collect(generation=2)     collect(heap, generation=2): counts all objects that were
                              freed, and those that containers consist of are several.
                              Functions that wait for deaths are called soon after, see
                              refstore.weakref
    get_threshold(),          the same, with a heap; a scan also begins when a candidate
    set_threshold()           has waited for some time, so 0 does not turn scans off
    get_count()               get_count(heap): [0] counts candidates, objects that lost
                              a reference, not objects that were made
    get_stats()               get_stats(heap): with more figures; nothing is
                              uncollectable
    get_objects(generation)   get_objects(heap, generation=None): proxies of the
                              containers of all processes. A generation is how often an
                              object was a candidate and survived
    get_referrers(*objects)   the same: containers that refer to these objects. Which
                              processes have a proxy, "refstore holders" tells
    get_referents(*objects)   the same: containers, not plain values, which are a part
                              of what contains them
    is_tracked(object)        the same: True for containers
    is_finalized(object)      not here: objects of a heap have no finalizers
    freeze(), unfreeze(),     the same, with a heap; get_freeze_count() counts all
    get_freeze_count()        objects of which containers consist
    callbacks                 callbacks(heap): a list. Its functions are called after
                              the fact, as those of refstore.weakref are; nobody waits
                              for them. info has more figures, and lost: scans that were
                              not told as there were too many
    garbage                   garbage(heap): a new list, of what DEBUG_SAVEALL has kept;
                              drop_garbage(heap) lets it go
    set_debug(), get_debug()  the same, with a heap, and DEBUG_SAVEALL alone; statistics
                              are in /proc/refstore/scans

What looks at the whole heap (get_objects, get_referrers, garbage) needs the right to
enumerate, takes time in proportion to all objects, and is for debugging: what others
change meanwhile may be missing. Records of classes that this process has not registered
are missing everywhere.
"""

from . import _notices, _records, _store

__all__ = [
    "DEBUG_SAVEALL", "callbacks", "collect", "disable", "drop_garbage", "enable",
    "freeze", "garbage", "get_count", "get_debug", "get_freeze_count", "get_objects",
    "get_referents", "get_referrers", "get_stats", "get_threshold", "is_tracked",
    "isenabled", "set_debug", "set_threshold", "unfreeze",
]

#: For set_debug(): what scans find is kept, not freed.
DEBUG_SAVEALL = 32

_GENERATIONS = 3

# What containers consist of, beside themselves, and refer to others by.
_INNER = frozenset(("py-node", "py-value"))


def enable(heap):
    """Let scans run by themselves, as they do at first."""
    _store.gc_automatic(heap._session, True)


def disable(heap):
    """Let no scan run but those of collect()."""
    _store.gc_automatic(heap._session, False)


def isenabled(heap):
    """Whether scans run by themselves."""
    return _store.gc_automatic(heap._session)


def collect(heap, generation=2):
    """Collect cycles now; how many objects were unreachable.

    With generation 2, all that was unreachable at the call is freed when it returns.
    """
    _check(generation)
    return sum(_store.gc_collect(heap._session, generation))


def get_threshold(heap):
    """Three numbers: after how many candidates, and scans of the next younger
    generation, a scan begins."""
    return _store.gc_threshold(heap._session)


def set_threshold(heap, threshold0, threshold1=None, threshold2=None):
    """Set these, or some of them. 0: no number begins one, only time."""
    numbers = threshold0, threshold1, threshold2
    _store.gc_set_threshold(heap._session, *(
        old if new is None else new
        for new, old in zip(numbers, get_threshold(heap))))


def get_count(heap):
    """Three numbers: what the thresholds are compared with."""
    return tuple(_store.gc_stats(heap._session, generation)["count"]
                 for generation in range(_GENERATIONS))


def get_stats(heap):
    """What scans of each generation did since the heap was made: a list of dicts."""
    result = []
    for generation in range(_GENERATIONS):
        stats = _store.gc_stats(heap._session, generation)
        result.append({
            "collections": stats["scans"],
            "collected": stats["reclaimed"],
            "uncollectable": 0,
            "visited": stats["visited"],
            "bytes": stats["bytes"],
            "saved": stats["saved"],
            "aborted": stats["aborted"],
            "seconds": stats["nanoseconds"] / 1e9,
        })
    return result


def freeze(heap):
    """Let scans leave alone all that is in the heap now."""
    _store.gc_freeze(heap._session)


def unfreeze(heap):
    """Let scans look at everything again."""
    _store.gc_unfreeze(heap._session)


def get_freeze_count(heap):
    """How many objects are frozen."""
    return _store.gc_freeze_count(heap._session)


def get_debug(heap):
    """DEBUG_SAVEALL or 0."""
    return DEBUG_SAVEALL if _store.gc_save_all(heap._session) else 0


def set_debug(heap, flags):
    """Keep what scans find, with DEBUG_SAVEALL, or free it, with 0 as at first."""
    if flags & ~DEBUG_SAVEALL:
        raise ValueError("there is no flag but DEBUG_SAVEALL")
    _store.gc_save_all(heap._session, bool(flags))


def garbage(heap):
    """The containers that were kept."""
    return _Walk(heap._session).objects(None, _store.STATE_SAVED)


def drop_garbage(heap):
    """Let go of what was kept; how many objects these were.

    What is on a cycle is garbage again, for the next scan.
    """
    return _store.gc_drop_garbage(heap._session)


def is_tracked(proxy):
    """Whether scans may have to do with an object."""
    return _store.gc_is_tracked(proxy)


def get_objects(heap, generation=None):
    """The containers of the heap, or those of a generation."""
    if generation is None:
        generation = -1
    else:
        _check(generation)
    return _Walk(heap._session).objects(None, 0, generation)


def get_referrers(*proxies):
    """The containers that refer to one of some objects."""
    result = []
    for session, ids in _by_session(proxies).items():
        walk = _Walk(session)
        result += walk.objects(walk.referrers(ids))
    return result


def get_referents(*proxies):
    """The containers to which some objects refer, each as often as that is."""
    result = []
    for proxy in proxies:
        if isinstance(proxy, _store.Object):
            result += _Walk(proxy._session).referents(proxy)
    return result


def callbacks(heap):
    """The functions that are called for each scan of the heap: a list, to be changed.

    Each is called with "start" or "stop", and a dict: generation, collected and
    uncollectable as in Python's; scan, visited, seconds, lost.

    Who asks for it is told of scans from then on, in a child of fork() as well.
    """
    notices = heap._notices
    if notices.callbacks is None:
        notices.callbacks = _Callbacks()
    notices.listen(notices.callbacks)
    return notices.callbacks.functions


class _Callbacks:
    def __init__(self):
        self.functions = []

    def scanned(self, scan):
        info = {
            "generation": scan.generation,
            "collected": scan.collected,
            "uncollectable": 0,
            "scan": scan.number,
            "visited": scan.visited,
            "seconds": scan.seconds,
            "lost": scan.lost,
        }
        for function in list(self.functions):
            _store.call(function, scan.phase, info)

    def heap_closed(self):
        pass


def _check(generation):
    if not 0 <= generation < _GENERATIONS:
        raise ValueError("invalid generation")


def _by_session(proxies):
    """The ids of objects, by their sessions."""
    result = {}
    for proxy in proxies:
        if isinstance(proxy, _store.Object):
            result.setdefault(proxy._session, set()).add(proxy._id)
    return result


class _Walk:
    """Looks at a heap as a user of the package knows it: as containers.

    inner     types of objects that containers consist of
    outer     types of objects that have proxies
    """

    def __init__(self, session):
        self._session = session
        heap = _store.heap_of(session)
        self._inner = set()
        self._outer = set()
        for number, name in _store.types(session).items():
            if name in _INNER:
                self._inner.add(number)
            elif _has_proxies(heap, name):
                self._outer.add(number)

    def _steps(self, function, *args):
        cursor = 0, 0
        while cursor is not None:
            found, cursor = function(self._session, cursor, *args)
            yield from found

    def objects(self, ids, state=0, generation=-1):
        """Proxies of what has one of some ids, or of all."""
        return list(self._steps(_store.walk_objects, ids, self._outer, state,
                                generation))

    def referrers(self, ids):
        """Ids of what refers to one of some objects, inner ones passed over.

        Each turn goes a level up. No container that is one has more levels.
        """
        found = set()
        seen = set()
        for _ in range(_store.NODE_LEVELS + 2):
            ids = set(self._steps(_store.walk_edges, ids))
            if not ids:
                break
            inner = set(self._steps(_store.walk_ids, ids, self._inner))
            found |= ids - inner
            ids = inner - seen
            seen |= inner
        return found

    def referents(self, proxy):
        """Proxies of what an object refers to, inner ones passed over."""
        found = []
        seen = set()
        waiting = [proxy]
        while waiting:
            inner, outer = _store.children(waiting.pop(), self._inner, self._outer)
            found += outer
            for child in inner:
                if child._id not in seen:
                    seen.add(child._id)
                    waiting.append(child)
        return found


def _has_proxies(heap, name):
    try:
        return not hasattr(heap._wrap(name), "_value")
    except (_store.CorruptError, _records.NotRegisteredError):
        return False
