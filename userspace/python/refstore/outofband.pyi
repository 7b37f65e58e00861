# SPDX-License-Identifier: LGPL-2.1-or-later
from collections.abc import Iterable
from pickle import PickleBuffer

from typing_extensions import TypeAlias

from ._buffer import Buffer
from ._heap import Heap
from ._store import CorruptError as CorruptError

_Part: TypeAlias = tuple[Buffer, int, int]

class Buffers:
    parts: tuple[_Part, ...]
    def __init__(self, heap: Heap) -> None: ...
    def append(self, buffer: PickleBuffer) -> None: ...

def views(parts: Iterable[_Part]) -> list[memoryview]: ...
