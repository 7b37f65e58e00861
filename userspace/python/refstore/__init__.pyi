# SPDX-License-Identifier: LGPL-2.1-or-later
from ._containers import Dict as Dict, List as List, Set as Set
from ._heap import Heap as Heap, open as open
from ._store import (
    CorruptError as CorruptError,
    Error as Error,
    LimitError as LimitError,
)

__all__ = [
    "CorruptError",
    "Dict",
    "Error",
    "Heap",
    "LimitError",
    "List",
    "Set",
    "open",
]
