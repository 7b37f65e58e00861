# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several changes at one moment."""

import random
import time

from . import _store

_LONGEST_PAUSE = 0.01   # seconds


class Attempt:
    """A try of a transaction, to be entered by with."""

    def __init__(self, session):
        self._session = session
        self._transaction = None
        self.done = False
        self.conflict = False

    def __enter__(self):
        self._transaction = _store.Transaction(self._session)
        return self

    def __exit__(self, type_, exception, traceback):
        if exception is None:
            self.done = self._transaction.commit()
            self.conflict = not self.done
            return False
        # What was raised may come from reading while others wrote: then try again.
        self.conflict = not self._transaction.abort() and isinstance(exception, Exception)
        return self.conflict


class Attempts:
    """Tries until one is done, to be gone through by for."""

    def __init__(self, session):
        self._session = session

    def __iter__(self):
        pause = 0.0001
        while True:
            attempt = Attempt(self._session)
            try:
                yield attempt
            except GeneratorExit:
                # By return or break, perhaps. Nobody is there to raise it to, but it is
                # said.
                if attempt.conflict:
                    raise RuntimeError(
                        "a transaction was left before it was done") from None
                raise
            if attempt.done:
                return
            if attempt._transaction is None:
                raise RuntimeError("an attempt is entered by with")
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def __enter__(self):
        raise TypeError("a transaction may have to be tried again: for attempt in "
                        "heap.transaction(): with attempt: ...")

    def __exit__(self, *exception):
        pass
