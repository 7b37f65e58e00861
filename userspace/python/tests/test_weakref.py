# SPDX-License-Identifier: LGPL-2.1-or-later
"""Weak references to objects that any process may let go of last."""

import contextlib
import gc
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
import unittest.mock

import refstore
from refstore import weakref
from support import fork, wait


class TestCase(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)
        self.heap.root = {"a": [1], "b": [2], "c": {}}
        self.root = self.heap.root

    def watch(self, proxy):
        """A weak reference, and an event that its callback sets."""
        died = threading.Event()
        return weakref.ref(proxy, lambda reference: died.set()), died

    def dispatch(self, number):
        """Until so many notices have come; after Heap.notice_fd()."""
        fd = self.heap.notice_fd()
        while number > 0:
            select.select([fd], [], [])
            number -= self.heap.dispatch()
        self.assertEqual(number, 0)


class Ref(TestCase):
    def test_call(self):
        reference = weakref.ref(self.root["a"])
        self.assertEqual(reference(), [1])
        proxy = reference()
        self.assertIs(reference(), proxy)
        self.assertIs(self.root["a"], proxy)
        del proxy
        gc.collect()
        self.assertEqual(reference(), [1])
        del self.root["a"]
        self.assertIsNone(reference())

    def test_proxy_keeps(self):
        proxy = self.root["a"]
        reference = weakref.ref(proxy)
        del self.root["a"]
        self.assertIs(reference(), proxy)
        del proxy
        self.assertIsNone(reference())

    def test_callback(self):
        calls = []
        self.heap.notice_fd()
        reference = weakref.ref(self.root["a"], calls.append)
        self.assertTrue(callable(reference.__callback__))
        del self.root["a"]
        self.dispatch(1)
        self.assertEqual(len(calls), 1)
        self.assertIs(calls[0], reference)
        self.assertIsNone(reference.__callback__)
        self.assertEqual(self.heap.dispatch(), 0)

    def test_callback_in_thread(self):
        """Nobody need do anything for it."""
        reference, died = self.watch(self.root["a"])
        del self.root["a"]
        died.wait()
        self.assertIsNone(reference())

    def test_dropped_reference(self):
        """Who has dropped the reference is not told."""
        calls = []
        one = weakref.ref(self.root["a"], calls.append)
        other = weakref.ref(self.root["a"], calls.append)
        self.heap.notice_fd()
        del one
        del self.root["a"]
        self.dispatch(1)
        self.assertEqual(len(calls), 1)
        self.assertIs(calls[0], other)

    def test_equality(self):
        one = weakref.ref(self.root["a"])
        same = weakref.ref(self.root["a"], print)
        # Equal, but another object.
        self.root["b"] = [1]
        other = weakref.ref(self.root["b"])
        self.assertEqual(one, same)
        self.assertEqual(hash(one), hash(same))
        self.assertNotEqual(one, other)
        self.assertEqual(len({one, same, other}), 2)
        del self.root["a"]
        self.assertIsNone(one())
        self.assertEqual(one, same)
        self.assertNotEqual(one, 1)

    def test_types(self):
        for value in 1, "a", [], None, self.heap, unittest:
            self.assertRaises(TypeError, weakref.ref, value)
        self.assertIsNone(weakref.ref(self.root["a"]).__callback__)
        self.assertIn("to object", repr(weakref.ref(self.root["a"])))

    def test_exceptions(self):
        """They go to sys.unraisablehook; those after it are called."""
        seen = []

        def fail(reference):
            raise SystemExit("no")

        self.heap.notice_fd()
        references = [weakref.ref(self.root["a"], fail) for _ in range(2)]
        with unittest.mock.patch("sys.unraisablehook", seen.append):
            del self.root["a"]
            self.dispatch(2)
        self.assertEqual([args.exc_type for args in seen], [SystemExit] * 2)
        self.assertEqual(len(references), 2)

    def test_cycle(self):
        """Collected by the heap: all references are dead when the first is told."""
        self.root["a"].append(self.root["c"])
        self.root["c"]["a"] = self.root["a"]
        one = weakref.ref(self.root["a"])
        other, died = self.watch(self.root["c"])
        del self.root["a"], self.root["c"]
        from refstore import gc as heap_gc
        heap_gc.collect(self.heap)
        died.wait()
        self.assertIsNone(one())
        self.assertIsNone(other())

    def test_many(self):
        self.heap.root = [[i] for i in range(1000)]
        calls = []
        references = [weakref.ref(value, calls.append) for value in self.heap.root]
        self.heap.notice_fd()
        self.heap.root = None
        self.dispatch(1000)
        self.assertEqual(set(map(id, calls)), set(map(id, references)))


class Closing(TestCase):
    def test_close(self):
        """What is there still raises, and nobody is called."""
        calls = []
        reference = weakref.ref(self.root["a"], calls.append)
        values = weakref.WeakValueDictionary(a=self.root["a"])
        finalizer = weakref.finalize(self.root["a"], calls.append, 1)
        self.heap.close()
        self.assertRaises(ValueError, reference)
        self.assertRaises(ValueError, values.get, "a")
        self.assertRaises(ValueError, self.heap.dispatch)
        self.assertRaises(ValueError, self.heap.notice_fd)
        self.assertRaises(ValueError, weakref.ref, reference)
        self.assertIsInstance(hash(reference), int)
        self.assertTrue(finalizer.alive)
        del reference, values
        self.assertEqual(calls, [])
        finalizer()
        self.assertEqual(calls, [1])

    def test_other_heaps_go_on(self):
        """The thread serves all heaps, whichever are closed."""
        heaps = [refstore.open() for _ in range(4)]
        watched = []
        for heap in heaps:
            self.addCleanup(heap.close)
            heap.root = [[]]
            watched.append(self.watch(heap.root[0]))
        heaps[0].close()
        heaps[2].close()
        for i in 1, 3:
            heaps[i].root = None
            watched[i][1].wait()

    def test_dropped_heap(self):
        """A heap that nobody has any more goes, watched or not."""
        def polled():
            for name in os.listdir("/proc/self/fdinfo"):
                with contextlib.suppress(FileNotFoundError):
                    with open(f"/proc/self/fdinfo/{name}") as file:
                        yield from (line.split()[1] for line in file
                                    if line.startswith("tfd:"))

        heap = refstore.open()
        heap.root = [[]]
        reference, _ = self.watch(heap.root[0])
        fd = heap.fileno()
        # Who has got the descriptor keeps the session, but not for us.
        self.addCleanup(os.close, os.dup(fd))
        before = len(os.listdir("/proc/self/fd"))
        self.assertIn(str(fd), polled())
        del heap, reference, _
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before - 1)
        self.assertNotIn(str(fd), polled())

    def test_close_in_callback(self):
        closed = threading.Event()

        def close(reference):
            self.heap.close()
            closed.set()

        references = [weakref.ref(self.root["a"], close) for _ in range(3)]
        # This process is in no call meanwhile: it could not be closed.
        pid = fork(self.root.pop, "a")
        closed.wait()
        self.assertEqual(wait(pid), 0)
        self.assertRaises(ValueError, references[0])


class Processes(TestCase):
    def test_other_drops_last(self):
        """The last proxy is another process's, and then there is none."""
        reference, died = self.watch(self.root["a"])
        go, have = os.pipe(), os.pipe()

        def child():
            proxy = self.root["a"]
            os.write(have[1], b"x")
            os.read(go[0], 1)
            assert proxy == [1]
            del proxy

        pid = fork(child)
        os.read(have[0], 1)
        del self.root["a"]
        self.assertEqual(reference(), [1])
        os.write(go[1], b"x")
        died.wait()
        self.assertIsNone(reference())
        self.assertEqual(wait(pid), 0)

    def test_killed(self):
        """A killed process's references go."""
        reference, died = self.watch(self.root["a"])
        have = os.pipe()

        def child():
            proxy = self.root["a"]
            os.write(have[1], b"x")
            signal.pause()
            del proxy

        pid = fork(child)
        os.read(have[0], 1)
        del self.root["a"]
        self.assertEqual(reference(), [1])
        self.assertFalse(died.is_set())
        os.kill(pid, signal.SIGKILL)
        died.wait()
        self.assertIsNone(reference())
        self.assertEqual(wait(pid), -signal.SIGKILL)

    def test_child_is_told(self):
        """Of what its parent had asked for, and its parent is, too."""
        reference, died = self.watch(self.root["a"])
        ready = os.pipe()

        def child():
            os.write(ready[1], b"x")
            died.wait()
            assert reference() is None

        pid = fork(child)
        os.read(ready[0], 1)
        del self.root["a"]
        died.wait()
        self.assertEqual(wait(pid), 0)

    def test_child_is_told_of_before(self):
        """What died around the fork is no exception."""
        reference, died = self.watch(self.root["a"])
        # Its notice is not read yet.
        self.heap.notice_fd()
        del self.root["a"]

        def child():
            self.dispatch(1)
            assert died.is_set() and reference() is None

        self.assertEqual(wait(fork(child)), 0)
        self.assertFalse(died.is_set())
        self.dispatch(1)
        self.assertTrue(died.is_set())

    def test_child_of_child(self):
        reference, died = self.watch(self.root["a"])

        def grandchild():
            died.wait()

        def child():
            pid = fork(grandchild)
            del self.root["a"]
            died.wait()
            assert wait(pid) == 0

        self.assertEqual(wait(fork(child)), 0)
        died.wait()
        self.assertIsNone(reference())

    def test_child_closes(self):
        """Its own session, which is nothing to its parent."""
        reference, died = self.watch(self.root["a"])
        self.assertEqual(wait(fork(self.heap.close)), 0)
        del self.root["a"]
        died.wait()
        self.assertIsNone(reference())

    def test_other_program(self):
        """One that has opened the heap by its name."""
        with tempfile.TemporaryDirectory(dir="/run/refstore") as directory:
            path = os.path.join(directory, "heap")
            with refstore.open(path, create=True) as heap:
                heap.root = {"a": [1]}
                reference, died = self.watch(heap.root["a"])
                code = ("import sys, refstore; "
                        "refstore.open(sys.argv[1]).root.clear()")
                subprocess.run([sys.executable, "-c", code, path], check=True)
                died.wait()
                self.assertIsNone(reference())
                os.unlink(path)


class WeakValueDictionary(TestCase):
    def test_as_dict(self):
        d = weakref.WeakValueDictionary(self.root, x=self.root["a"])
        self.assertEqual(dict(d), {"a": [1], "b": [2], "c": {}, "x": [1]})
        self.assertEqual(list(d), ["a", "b", "c", "x"])
        self.assertEqual(sorted(d.keys()), ["a", "b", "c", "x"])
        self.assertEqual(list(d.values())[:2], [[1], [2]])
        self.assertIs(d["x"], self.root["a"])
        self.assertIn("a", d)
        self.assertNotIn("y", d)
        self.assertRaises(KeyError, d.__getitem__, "y")
        self.assertEqual(d.get("y", 5), 5)
        self.assertEqual(d.pop("x"), [1])
        self.assertEqual(d.popitem(), ("c", {}))
        self.assertEqual(d.setdefault("a", self.root["b"]), [1])
        self.assertEqual(d.copy(), d)
        self.assertEqual(len(d.valuerefs()), 2)
        self.assertEqual(dict(d | {"z": self.root["c"]})["z"], {})
        self.assertRaises(TypeError, d.__setitem__, "a", 1)
        d.clear()
        self.assertEqual(len(d), 0)
        self.assertRaises(KeyError, d.popitem)

    def test_entries_go(self):
        d = weakref.WeakValueDictionary(self.root)
        self.heap.notice_fd()
        del self.root["a"]
        # At once, as far as one can see.
        self.assertNotIn("a", d)
        self.assertEqual(list(d.items()), [("b", [2]), ("c", {})])
        self.dispatch(1)
        self.assertEqual(len(d), 2)

    def test_replaced(self):
        """The death of what was there before takes away nothing."""
        d = weakref.WeakValueDictionary(a=self.root["a"])
        self.heap.notice_fd()
        old = d.valuerefs()
        d["a"] = self.root["b"]
        del self.root["a"]
        self.dispatch(1)
        self.assertEqual(d["a"], [2])
        self.assertEqual(len(old), 1)

    def test_iteration(self):
        """What dies meanwhile does not disturb it."""
        d = weakref.WeakValueDictionary(self.root)
        it = iter(d.items())
        self.assertEqual(next(it)[0], "a")
        del self.root["b"]
        self.assertEqual(list(it), [("c", {})])

    def test_dropped(self):
        """The dictionary itself is freed, with its handles."""
        d = weakref.WeakValueDictionary(self.root)
        self.heap.notice_fd()
        del d
        self.heap.root = None
        self.root = None
        self.assertEqual(self.heap.dispatch(), 0)


class WeakSet(TestCase):
    def test_as_set(self):
        a, b = self.root["a"], self.root["b"]
        s = weakref.WeakSet([a, b, a])
        self.assertEqual(len(s), 2)
        self.assertIn(a, s)
        self.assertNotIn(self.root["c"], s)
        self.assertNotIn(1, s)
        s.discard(b)
        s.discard(b)
        self.assertRaises(KeyError, s.remove, b)
        self.assertEqual([v for v in s], [[1]])
        self.assertRaises(TypeError, s.add, 1)
        self.assertEqual(len(s | weakref.WeakSet([b])), 2)

    def test_elements_go(self):
        s = weakref.WeakSet(self.root.values())
        self.heap.notice_fd()
        del self.root["a"]
        self.assertEqual(list(s), [[2], {}])
        self.dispatch(1)
        self.assertEqual(len(s), 2)


class Finalize(TestCase):
    def test_death(self):
        calls = []
        # It stays by itself.
        weakref.finalize(self.root["a"], lambda *a, **k: calls.append((a, k)), 1, x=2)
        finalizer = weakref.finalize(self.root["b"], calls.append, 3)
        self.heap.notice_fd()
        del self.root["a"]
        self.dispatch(1)
        self.assertEqual(calls, [((1,), {"x": 2})])
        self.assertTrue(finalizer.alive)
        finalizer.detach()

    def test_call(self):
        finalizer = weakref.finalize(self.root["a"], lambda: 7)
        self.assertTrue(finalizer.alive)
        self.assertEqual(finalizer(), 7)
        self.assertFalse(finalizer.alive)
        self.assertIsNone(finalizer())
        self.assertIsNone(finalizer.peek())
        self.assertIsNone(finalizer.detach())

    def test_detach(self):
        calls = []
        finalizer = weakref.finalize(self.root["a"], calls.append, 1)
        self.assertEqual(finalizer.peek(), ([1], calls.append, (1,), {}))
        self.assertTrue(finalizer.atexit)
        self.assertEqual(finalizer.detach(), ([1], calls.append, (1,), {}))
        self.assertFalse(finalizer.alive)
        self.assertFalse(finalizer.atexit)
        del self.root["a"]
        self.assertEqual(self.heap.dispatch(), 0)
        self.assertEqual(calls, [])

    def test_child(self):
        """Of all processes, the one that has made it calls the function."""
        calls = []
        finalizer = weakref.finalize(self.root["a"], calls.append, 1)

        def child():
            assert not finalizer.alive
            own = weakref.finalize(self.root["b"], calls.append, 2)
            del self.root["a"], self.root["b"]
            self.dispatch(1)
            assert calls == [2] and not own.alive

        self.heap.notice_fd()
        self.assertEqual(wait(fork(child)), 0)
        self.dispatch(1)
        self.assertEqual(calls, [1])

    def test_exit(self):
        """The youngest first, those that fail too; not those that shall not."""
        code = textwrap.dedent("""
            import os, refstore
            from refstore import weakref
            heap = refstore.open()
            heap.root = [[], [], [], []]

            def fail():
                print("c")
                raise ValueError("wrong")

            def more():
                print("d")
                weakref.finalize(heap.root[3], print, "e")

            weakref.finalize(heap.root[0], print, "a")
            weakref.finalize(heap.root[1], print, "b").atexit = False
            weakref.finalize(heap.root[2], fail)
            weakref.finalize(heap.root[3], more)
            """)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                              text=True)
        self.assertEqual(done.stdout.split(), ["d", "e", "c", "a"],
                         done.stderr)
        self.assertIn("ValueError: wrong", done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_exit_with_thread(self):
        """A program that leaves all open ends without a word."""
        code = textwrap.dedent("""
            import refstore
            from refstore import weakref
            heap = refstore.open()
            heap.root = [[]]
            reference = weakref.ref(heap.root[0], print)
            values = weakref.WeakValueDictionary(a=heap.root[0])
            """)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                              text=True)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("", "", 0))


if __name__ == "__main__":
    unittest.main()
