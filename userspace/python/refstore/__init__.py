# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live data structures that processes share.

    import refstore

    with refstore.open("/run/refstore/app", create=True) as heap:
        heap.root = {"users": ["ann", "bob"]}

Another process that opens the same path uses the same dict and the same list. What is
changed by one is seen by all, each method call is done whole or not at all, whoever is
killed at whatever moment, and what nobody refers to any more is freed, cycles included.

int, float, str, bytes, bool, None and tuples are values: they come back as Python's own.
list, dict and set become objects of the heap, which come back as List, Dict and Set;
bytearray, and what else has the buffer protocol, as Buffer.
Assigning one of Python's copies it; assigning one of the heap's shares it.
Objects of users' own classes do the same, if those are registered: see register().

Objects of a heap, and heaps, can be passed to other processes by multiprocessing and
concurrent.futures, as arguments, in queues and pipes, as results. What arrives is the
object itself; help("refstore._pickle") tells more.
"""

from ._buffer import Buffer
from ._heap import Heap, open
from ._containers import Dict, List, Set
from ._records import NotRegisteredError, Record, register
from ._store import CorruptError, Error, LimitError

__all__ = [
    "Buffer",
    "CorruptError",
    "Dict",
    "Error",
    "Heap",
    "LimitError",
    "List",
    "NotRegisteredError",
    "Record",
    "Set",
    "open",
    "register",
]
