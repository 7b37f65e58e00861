# SPDX-License-Identifier: LGPL-2.1-or-later
from ._buffer import Buffer as Buffer
from ._containers import Dict as Dict, List as List, Set as Set
from ._heap import Heap as Heap, open as open
from ._records import (
    NotRegisteredError as NotRegisteredError,
    Record as Record,
    register as register,
)
from ._store import (
    CorruptError as CorruptError,
    Error as Error,
    LimitError as LimitError,
)

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
