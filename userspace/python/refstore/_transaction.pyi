# SPDX-License-Identifier: LGPL-2.1-or-later
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn

from typing_extensions import Self

from ._store import Session

class Attempt:
    done: bool
    conflict: bool
    def __init__(self, session: Session) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type_: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool: ...

class Attempts:
    def __init__(self, session: Session) -> None: ...
    def __iter__(self) -> Iterator[Attempt]: ...
    def __enter__(self) -> NoReturn: ...
    def __exit__(self, *exception: object) -> None: ...
