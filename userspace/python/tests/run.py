# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests, all or those named: run.py [test_module[.Class[.test]]...]

Prints a line for each, in the form of the Test Anything Protocol. Needs the module, and
a file system of type refstore at /run/refstore; see guest.sh.
"""

import os
import sys
import time
import unittest


class Result(unittest.TestResult):
    """Tells of each test as soon as it has ended."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.skip = None
        self.errors_before = 0

    def startTest(self, test):
        super().startTest(test)
        self.number += 1
        self.skip = None
        self.errors_before = self.count()

    def count(self):
        return len(self.errors) + len(self.failures) + len(self.unexpectedSuccesses)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip = reason

    def stopTest(self, test):
        super().stopTest(test)
        failed = self.count() > self.errors_before
        if failed:
            for _, text in (self.errors + self.failures)[self.errors_before:]:
                self.explain(text)
        print("not ok" if failed else "ok", self.number, "-", test.id(), end="")
        print(f" # SKIP {self.skip}" if self.skip and not failed else "", flush=True)

    def addError(self, test, error):
        super().addError(test, error)
        if not hasattr(test, "_testMethodName"):
            # Not one test, but what goes before all of a class or a file.
            self.number += 1
            self.explain(self.errors[-1][1])
            print("not ok", self.number, "-", test.id(), flush=True)

    @staticmethod
    def explain(text):
        for line in text.splitlines():
            print("#", line)


def run(suite, skipped=()):
    """Run tests, and tell of those that are not run; 0 if none failed.

    skipped  a dict of their names, and of why
    """
    result = Result()
    started = time.monotonic()
    print("TAP version 13")
    suite.run(result)
    for name in skipped:
        result.number += 1
        print(f"ok {result.number} - {name} # SKIP {skipped[name]}")
    print(f"1..{result.number}")
    print(f"# --- Python: {time.monotonic() - started:.0f} s", flush=True)
    return 0 if result.wasSuccessful() else 1


def main(names):
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, folder)
    loader = unittest.TestLoader()
    return run(loader.loadTestsFromNames(names) if names else loader.discover(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
