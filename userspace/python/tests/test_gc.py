# SPDX-License-Identifier: LGPL-2.1-or-later
"""The counterpart of Python's gc, for what processes share."""

import ctypes
import os
import random
import signal
import tempfile
import threading
import unittest

import refstore
from refstore import _store, gc
from support import fork, wait


class TestCase(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def cycle(self):
        """A dict and a list that refer to each other, and are not referred to else."""
        self.heap.root = {"list": []}
        self.heap.root["list"].append(self.heap.root)
        self.heap.root = None


def same(proxies, others):
    """The same objects, in whatever order."""
    return sorted(map(_store.identity, proxies)) == sorted(map(_store.identity, others))


class Settings(TestCase):
    def test_enable(self):
        self.assertIs(gc.isenabled(self.heap), True)
        gc.disable(self.heap)
        self.assertIs(gc.isenabled(self.heap), False)
        gc.enable(self.heap)
        self.assertIs(gc.isenabled(self.heap), True)

    def test_threshold(self):
        old = gc.get_threshold(self.heap)
        self.assertEqual(len(old), 3)
        gc.set_threshold(self.heap, 5)
        self.assertEqual(gc.get_threshold(self.heap), (5, *old[1:]))
        gc.set_threshold(self.heap, 6, 7, 0)
        self.assertEqual(gc.get_threshold(self.heap), (6, 7, 0))
        self.assertRaises(OverflowError, gc.set_threshold, self.heap, -1)
        self.assertRaises(OverflowError, gc.set_threshold, self.heap, 1 << 32)
        self.assertRaises(TypeError, gc.set_threshold, self.heap, "a")

    def test_of_the_heap(self):
        """What one process sets, all have."""
        with tempfile.TemporaryDirectory(dir="/run/refstore") as directory:
            path = os.path.join(directory, "heap")
            with (refstore.open(path, create=True) as one,
                  refstore.open(path) as other,
                  refstore.open(path, readonly=True) as reader):
                gc.disable(one)
                self.assertFalse(gc.isenabled(other))
                self.assertFalse(gc.isenabled(reader))
                self.assertRaises(PermissionError, gc.enable, reader)
                self.assertRaises(PermissionError, gc.collect, reader)
            os.unlink(path)

    def test_closed(self):
        self.heap.close()
        for function in (gc.collect, gc.enable, gc.isenabled, gc.get_count,
                         gc.get_stats, gc.get_objects, gc.freeze, gc.unfreeze,
                         gc.get_freeze_count, gc.garbage, gc.callbacks,
                         gc.get_threshold):
            self.assertRaises(ValueError, function, self.heap)


class Collect(TestCase):
    def test_collect(self):
        gc.disable(self.heap)
        self.assertEqual(gc.collect(self.heap), 0)
        self.cycle()
        self.assertEqual(len(gc.get_objects(self.heap)), 2)
        # The two, and what they consist of.
        self.assertGreaterEqual(gc.collect(self.heap), 2)
        self.assertEqual(gc.get_objects(self.heap), [])
        self.assertEqual(gc.collect(self.heap, generation=0), 0)
        for generation in -1, 3:
            self.assertRaises(ValueError, gc.collect, self.heap, generation)

    def test_reachable(self):
        """Nothing goes that somebody has, be it another process."""
        gc.disable(self.heap)
        self.cycle()
        proxy = gc.get_objects(self.heap)[0]
        have, go = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            os.write(have[1], b"x")
            os.read(go[0], 1)
            os._exit(0)
        os.read(have[0], 1)
        del proxy
        self.assertEqual(gc.collect(self.heap), 0)
        os.write(go[1], b"x")
        os.waitpid(pid, 0)
        self.assertGreaterEqual(gc.collect(self.heap), 2)

    def test_stats(self):
        gc.disable(self.heap)
        before = gc.get_stats(self.heap)
        self.cycle()
        self.assertGreater(gc.get_count(self.heap)[0], 0)
        number = gc.collect(self.heap)
        after = gc.get_stats(self.heap)
        self.assertEqual(len(after), 3)
        self.assertEqual(sum(s["collected"] for s in after) -
                         sum(s["collected"] for s in before), number)
        self.assertGreater(sum(s["collections"] for s in after),
                           sum(s["collections"] for s in before))
        self.assertEqual(after[0]["uncollectable"], 0)

    def test_signals(self):
        """Signals are handled while it waits, and end it if their handler raises."""
        calls = []
        self.heap.root = [[i] for i in range(2000)]

        def again():
            signal.setitimer(signal.ITIMER_REAL, random.random() / 1000 + 1e-6)

        def fail(*_):
            raise KeyError("handler")

        old = signal.signal(signal.SIGALRM, fail)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        for _ in range(10):
            with self.assertRaises(KeyError):
                again()
                while True:
                    gc.collect(self.heap)
        signal.signal(signal.SIGALRM, lambda *_: calls.append(1))
        while len(calls) < 10:
            again()
            gc.collect(self.heap)

    def test_freeze(self):
        gc.disable(self.heap)
        self.cycle()
        self.assertEqual(gc.get_freeze_count(self.heap), 0)
        gc.freeze(self.heap)
        self.assertGreaterEqual(gc.get_freeze_count(self.heap), 2)
        self.assertEqual(gc.collect(self.heap), 0)
        gc.unfreeze(self.heap)
        self.assertEqual(gc.get_freeze_count(self.heap), 0)
        self.assertGreaterEqual(gc.collect(self.heap), 2)

    def test_save_all(self):
        gc.disable(self.heap)
        gc.set_debug(self.heap, gc.DEBUG_SAVEALL)
        self.assertEqual(gc.get_debug(self.heap), gc.DEBUG_SAVEALL)
        self.cycle()
        gc.collect(self.heap)
        garbage = gc.garbage(self.heap)
        self.assertEqual(sorted(type(value).__name__ for value in garbage),
                         ["Dict", "List"])
        del garbage
        gc.set_debug(self.heap, 0)
        self.assertGreaterEqual(gc.drop_garbage(self.heap), 2)
        self.assertGreaterEqual(gc.collect(self.heap), 2)
        self.assertEqual(gc.garbage(self.heap), [])
        self.assertRaises(ValueError, gc.set_debug, self.heap, 1)

    def test_callbacks(self):
        gc.disable(self.heap)
        calls = []
        done = threading.Event()
        functions = gc.callbacks(self.heap)
        self.assertIs(gc.callbacks(self.heap), functions)

        def note(phase, info):
            calls.append((phase, info))
            if phase == "stop" and info["collected"]:
                done.set()

        functions.append(note)
        self.cycle()
        number = gc.collect(self.heap)
        done.wait()
        functions.remove(note)
        self.assertEqual(calls[0][0], "start")
        stops = [info for phase, info in calls if phase == "stop"]
        self.assertLessEqual(sum(info["collected"] for info in stops), number)
        self.assertEqual(calls[0][1]["uncollectable"], 0)


class Graph(TestCase):
    def test_get_objects(self):
        """What others have made as well, and nothing that is inside."""
        gc.disable(self.heap)
        self.assertEqual(gc.get_objects(self.heap), [])
        self.heap.root = {"a": [1, ["x" * 1000]], "b": {2}, "c": (1, "y" * 1000)}
        root = self.heap.root
        pid = os.fork()
        if not pid:
            root["d"] = []
            os._exit(0)
        os.waitpid(pid, 0)
        self.assertTrue(same(gc.get_objects(self.heap),
                             [root, root["a"], root["a"][1], root["b"], root["d"]]))
        objects = [o for i in range(3) for o in gc.get_objects(self.heap, i)]
        self.assertTrue(same(objects, gc.get_objects(self.heap)))
        self.assertRaises(ValueError, gc.get_objects, self.heap, 3)

    def test_large(self):
        """Of each shape that containers have."""
        for number in 1, 100, 600:
            shared = f"shared {number}"
            self.heap.root = {
                "dict": {i: [i] for i in range(number)},
                "list": [[i] for i in range(number)],
                shared: ["shared"],
            }
            root = self.heap.root
            one, other, both = root["dict"], root["list"], root[shared]
            one["more"] = both
            one["tuple"] = 1, (both, 2)
            other.append(both)
            self.assertTrue(same(gc.get_referrers(both), [root, one, other]))
            self.assertTrue(same(gc.get_referrers(one, other), [root]))
            self.assertEqual(gc.get_referrers(root), [])
            self.assertTrue(same(gc.get_referents(root), [one, other, both]))
            found = gc.get_referents(one)
            self.assertEqual(len(found), number + 2)
            self.assertEqual(sum(value is both for value in found), 2)
            self.assertTrue(same(gc.get_referents(other), list(other)))
            self.assertEqual(gc.get_referents(both), [])
            self.assertEqual(len(gc.get_objects(self.heap)), 4 + 2 * number)

    def test_itself(self):
        self.heap.root = []
        root = self.heap.root
        root.append(root)
        self.assertTrue(same(gc.get_referrers(root), [root]))
        self.assertTrue(same(gc.get_referents(root), [root]))

    def test_classes_of_others(self):
        """Records whose class is known elsewhere alone are passed over, the rest not."""
        gc.disable(self.heap)
        self.heap.root = {"list": []}
        root, values = self.heap.root, self.heap.root["list"]

        def put():
            @refstore.register("test.gc.Elsewhere")
            class Elsewhere(refstore.Record):
                pass

            root["record"] = Elsewhere(values=values)
            assert len(gc.get_objects(self.heap)) == 3
            assert same(gc.get_referrers(values), [root, root["record"]])

        self.assertEqual(wait(fork(put)), 0)
        self.assertTrue(same(gc.get_objects(self.heap), [root, values]))
        self.assertTrue(same(gc.get_referrers(values), [root]))
        self.assertTrue(same(gc.get_referents(root), [values]))
        self.assertEqual(gc.garbage(self.heap), [])

    def test_plain(self):
        """What is no object of a heap has no part in it."""
        self.assertEqual(gc.get_referents(1, "a", []), [])
        self.assertEqual(gc.get_referrers(1, "a", []), [])
        self.assertFalse(gc.is_tracked(1))
        self.heap.root = []
        self.assertTrue(gc.is_tracked(self.heap.root))

    def test_two_heaps(self):
        with refstore.open() as other:
            other.root = [[]]
            self.heap.root = [[]]
            found = gc.get_referrers(other.root[0], self.heap.root[0])
            self.assertTrue(same(found, [other.root, self.heap.root]))


class Spec(ctypes.Structure):
    """struct refstore_spec"""

    _fields_ = [
        ("type", ctypes.c_uint32), ("flags", ctypes.c_uint32),
        ("data", ctypes.c_void_p), ("data_len", ctypes.c_size_t),
        ("slots", ctypes.c_void_p), ("nr_slots", ctypes.c_size_t),
    ]


class Hostile(unittest.TestCase):
    """A heap in which somebody else has written what he likes."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir="/run/refstore")
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "heap")
        self.heap = refstore.open(path, create=True)
        self.addCleanup(os.unlink, path)
        self.addCleanup(self.heap.close)
        self.library = ctypes.CDLL("librefstore.so.0")
        self.store = ctypes.c_void_p()
        self.call("open_heap", os.fsencode(path), os.O_RDWR, 0,
                  ctypes.byref(self.store))
        self.addCleanup(self.library.refstore_close, self.store)

    def call(self, name, *args):
        self.assertEqual(getattr(self.library, "refstore_" + name)(*args), 0, name)

    def create(self, name, nr_slots):
        type_, handle = ctypes.c_uint32(), ctypes.c_uint64()
        self.call("type_register", self.store, name, ctypes.byref(type_))
        spec = Spec(type=type_.value, nr_slots=nr_slots)
        self.call("create", self.store, ctypes.byref(spec), ctypes.byref(handle),
                  None)
        return handle

    def refer(self, holder, slot, handle):
        self.call("set_slot", self.store, holder, ctypes.c_size_t(slot), handle)

    def test_loops(self):
        """Nodes in a ring end nothing but the search."""
        self.heap.root = {"a": []}
        victim = self.heap.root["a"]
        handle = ctypes.c_uint64()
        self.call("find", self.store, ctypes.c_uint64(victim._id),
                  ctypes.byref(handle))
        nodes = [self.create(b"py-node", 200) for _ in range(100)]
        for node, following in zip(nodes, nodes[1:] + nodes[:1]):
            self.refer(node, 0, following)
            self.refer(node, 199, following)
        self.refer(nodes[0], 1, handle)
        self.assertTrue(same(gc.get_referrers(victim), [self.heap.root]))

        container = self.create(b"py-dict", 1)
        self.refer(container, 0, nodes[50])
        unknown = self.create(b"something-else", 2)
        self.refer(unknown, 0, handle)
        self.refer(unknown, 1, container)
        self.call("set_root", self.store, container)
        found = gc.get_objects(self.heap)
        self.assertEqual(len(found), 2)
        proxy = self.heap.root
        self.assertTrue(same(gc.get_referents(proxy), [victim]))
        self.assertEqual(gc.get_referrers(proxy), [])


if __name__ == "__main__":
    unittest.main()
