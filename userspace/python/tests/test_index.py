# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example that indexes sources: the same index on each store, whoever is killed."""

import collections
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import unittest

import refstore

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                      "examples", "index")
sys.path.insert(0, FOLDER)

import build    # noqa: E402
import index    # noqa: E402
import sources  # noqa: E402
import stores   # noqa: E402

SOURCES = sysconfig.get_path("stdlib")
# A dozen of them that are neither empty nor long.
FILES = [file for file in sources.files(SOURCES)
         if 500 < os.path.getsize(os.path.join(SOURCES, file)) < 2500][::5][:12]
HEAP = f"/run/refstore/test-index-{os.getpid()}"
WORKERS = 3


def without_processes():
    """What the index has to be."""
    tables = {table: collections.defaultdict(dict) for table in sources.TABLES}
    for file in FILES:
        for table, keys in sources.facts(SOURCES, file).items():
            for key, entries in keys.items():
                tables[table][key].update(entries)
    return tables


class Index(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected = without_processes()

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.progress = []

    def build(self, kind, place):
        store = build.build(kind, place, SOURCES, FILES, WORKERS,
                            lambda *done: self.progress.append(done))
        self.addCleanup(store.drop)
        self.assertEqual(self.progress[-1], (len(FILES), len(FILES)))
        self.assertEqual(self.differences(index.contents(store)), [])
        return store

    def differences(self, found):
        """Where an index is not what it has to be; of the whole, a diff takes minutes."""
        return [(table, key, found[table].get(key), keys.get(key))
                for table, keys in self.expected.items()
                for key in sorted(keys.keys() | found[table].keys())
                if found[table].get(key) != keys.get(key)]

    def test_refstore(self):
        self.build("refstore", HEAP)

    def test_manager(self):
        self.build("manager", os.path.join(self.folder, "manager"))

    @unittest.skipUnless(shutil.which("redis-server"), "there is no Redis")
    def test_redis(self):
        self.build("redis", os.path.join(self.folder, "redis"))

    def test_killed(self):
        """A worker dies when half of a file is in the index; another does the file."""
        killed = os.path.join(self.folder, "killed")
        add = stores.RefstoreStore.add

        def die_once(store, facts):
            if facts["callees"]:
                try:
                    os.close(os.open(killed, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    pass
                else:
                    add(store, {"words": facts["words"]})
                    os.kill(os.getpid(), signal.SIGKILL)
            add(store, facts)

        stores.RefstoreStore.add = die_once
        self.addCleanup(setattr, stores.RefstoreStore, "add", add)
        self.build("refstore", HEAP)
        self.assertTrue(os.path.exists(killed))

    def run_program(self, *args):
        return subprocess.run([sys.executable, os.path.join(FOLDER, "index.py"),
                               "--at", HEAP, *args], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def test_program(self):
        """One process builds, and others find what it has left."""
        self.run_program("build", "--workers", "2",
                         "--sources", os.path.join(SOURCES, "curses"))
        self.assertIn("textpad.py:", self.run_program("symbols", "Text*"))
        self.assertIn("textpad.py", self.run_program("words", "curses", "rectangle"))
        self.assertIn("5 of 5", self.run_program("stats"))
        with refstore.open(HEAP) as heap:
            self.assertIn("textpad.py", heap.root["words"]["rectangle"])
        self.run_program("drop")
        self.assertFalse(os.path.exists(HEAP))


if __name__ == "__main__":
    unittest.main(verbosity=2)
