# SPDX-License-Identifier: LGPL-2.1-or-later
from collections.abc import Callable
from typing import Final, NamedTuple

PATIENCE: Final = 10

class Ticket(NamedTuple):
    address: bytes
    secret: bytes
    def detach(self) -> int: ...

class Counter:
    def __init__(self) -> None: ...
    def offer(self, make: Callable[[], int]) -> Ticket: ...
    def leave(self) -> None: ...

def offer(make: Callable[[], int]) -> Ticket: ...
