# SPDX-License-Identifier: LGPL-2.1-or-later
from typing import Any

from ._heap import Heap
from ._store import Object

def reduce_object(value: Object) -> tuple[Any, ...]: ...
def reduce_heap(heap: Heap) -> tuple[Any, ...]: ...
