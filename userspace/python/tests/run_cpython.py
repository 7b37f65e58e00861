# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPython's own tests of shared memory and managers, with the classes replaced.

    run_cpython.py [-k NAME]...

with REFSTORE_METHOD in the environment: fork, spawn or forkserver.

They are those of Debian's libpython3.11-testsuite, as they are. What of them is not run
stands in cpython-skips.txt, each with the reason; a name there of which there is no test
is an error.
"""

import argparse
import multiprocessing
import multiprocessing.managers
import os
import sys
import tempfile
import unittest

import refstore.managers
import refstore.shared_memory
import run

SKIPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cpython-skips.txt")

#: Classes of tests that are about what is replaced.
CLASSES = (
    "WithProcessesTestSharedMemory",
    "WithManagerTestContainers",
    "WithManagerTestLock",
    "WithManagerTestSemaphore",
    "WithManagerTestCondition",
    "WithManagerTestEvent",
    "WithManagerTestBarrier",
    "WithManagerTestQueue",
    "TestSyncManagerTypes",
)


class Manager(refstore.managers.SyncManager):
    """With what the tests ask of a manager's server before they shut it down."""

    def _number_of_objects(self):
        return 0


def start_manager():
    manager = Manager()
    manager.start()
    return manager


def replace():
    multiprocessing.Manager = start_manager
    multiprocessing.managers.SyncManager = Manager
    multiprocessing.managers.shared_memory = refstore.shared_memory
    multiprocessing.shared_memory = refstore.shared_memory
    sys.modules["multiprocessing.shared_memory"] = refstore.shared_memory


def read_skips():
    """The reason for each test that is not run."""
    skips = {}
    with open(SKIPS) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, reason = line.split(None, 1)
                skips[name] = reason.strip()
    return skips


replace()

from test import _test_multiprocessing      # noqa: E402

# A server that forks has loaded it before it came to this file.
_test_multiprocessing.shared_memory = refstore.shared_memory

# Children that are spawned import this file, and find the classes here.
METHOD = os.environ.setdefault("REFSTORE_METHOD", "fork")
_test_multiprocessing.install_tests_in_module_dict(globals(), METHOD)


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def short_name(test):
    return ".".join(test.id().split(".")[-2:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", action="append", dest="patterns")
    args = parser.parse_args()
    skips = read_skips()
    loader = unittest.TestLoader()
    loader.testNamePatterns = args.patterns and [f"*{p}*" for p in args.patterns]
    suite = unittest.TestSuite()
    skipped = {}
    for name in CLASSES:
        for test in tests_of(loader.loadTestsFromTestCase(globals()[name])):
            if short_name(test) in skips:
                skipped[short_name(test)] = skips[short_name(test)]
            else:
                suite.addTest(test)
    gone = set() if args.patterns else set(skips) - set(skipped)
    for name in gone:
        print(f"# {name} is skipped, but there is no such test")
    os.chdir(tempfile.gettempdir())     # Some make files where they are.
    return run.run(suite, skipped) or bool(gone)


if __name__ == "__main__":
    sys.exit(main())
