# SPDX-License-Identifier: LGPL-2.1-or-later
"""Buffers, large strings and bytes, and pickles whose parts lie in a heap."""

import array
import copy
import gc
import os
import pickle
import tempfile
import unittest

import refstore
from refstore import outofband

try:
    import numpy
except ImportError:
    numpy = None

DIRECTORY = "/run/refstore"
SIZES = 1, 100, 4095, 4096, 4097, 65536, 1 << 20


def in_child(function, *args):
    """Calls a function in a child; whether that went well."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            function(*args)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def large_values():
    """How many large values there are, of all heaps."""
    with open("/proc/refstore/stats") as file:
        for line in file:
            name, *numbers = line.split()
            if name.rstrip(":") == "large":
                return int(numbers[0])
    raise AssertionError("nothing tells how many large values there are")


class TestCase(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def wait_for_large_values(self, number):
        """Their files are closed soon after they are gone, by the kernel."""
        while large_values() != number:
            os.sched_yield()


class Named(unittest.TestCase):
    """With a heap that has a name."""

    def setUp(self):
        self.path = tempfile.mktemp(dir=DIRECTORY)
        self.heap = refstore.open(self.path, create=True)
        self.addCleanup(self.heap.close)
        self.addCleanup(os.unlink, self.path)


class Buffers(TestCase):
    def test_sizes(self):
        for size in SIZES:
            b = self.heap.buffer(size)
            self.assertEqual(len(b), size)
            self.assertEqual(bytes(b), bytes(size))
            b[size - 1] = 7
            self.assertEqual(b[-1], 7)
            self.assertEqual(len(memoryview(b)), size)
            self.assertFalse(b.readonly)

    def test_empty(self):
        b = self.heap.buffer(0)
        self.assertEqual((len(b), bytes(b), b[:]), (0, b"", b""))
        self.assertEqual(len(memoryview(b)), 0)
        self.assertEqual(b, b"")
        with self.assertRaises(IndexError):
            b[0]
        b.seal()
        self.assertTrue(b.readonly)
        self.assertEqual(bytes(b), b"")

    def test_like_bytearray(self):
        model = bytearray(range(256))
        b = self.heap.buffer(model)
        for key in (0, -1, 255, slice(3, 9), slice(None, None, -3), slice(250, 900),
                    slice(9, 3), slice(-5, None)):
            self.assertEqual(b[key], model[key])
        b[3] = model[3] = 200
        b[10:20] = model[10:20] = b"0123456789"
        b[::2] = model[::2] = bytes(128)
        b[200:202] = model[200:202] = array.array("B", [8, 9])
        self.assertEqual(b, model)
        self.assertEqual(model, b)
        self.assertEqual(list(b), list(model))
        self.assertIn(200, b)
        self.assertEqual(copy.copy(b), model)
        self.assertIsInstance(copy.deepcopy(b), bytearray)
        for key, value, error in ((256, 1, IndexError), (0, 256, ValueError),
                                  (slice(0, 2), b"abc", ValueError),
                                  (slice(0, 2), 5, TypeError), (0, b"a", TypeError)):
            with self.assertRaises(error):
                b[key] = value
        with self.assertRaises((AttributeError, TypeError)):
            del b[0]
        self.assertEqual(b, model)
        self.assertNotEqual(b, model[1:])
        self.assertNotEqual(b, "text")
        self.assertNotEqual(b, self.heap.buffer(256))
        self.assertEqual(b, self.heap.buffer(b))
        self.assertLess(len(repr(b)), 80)
        with self.assertRaises(TypeError):
            hash(b)

    def test_no_length(self):
        for value, error in ((-1, ValueError), ("text", TypeError), (1.5, TypeError),
                             (1 << 60, (OSError, MemoryError)), (None, TypeError)):
            with self.assertRaises(error):
                self.heap.buffer(value)

    def test_assigned(self):
        """What has the buffer protocol becomes a Buffer; bytes stay what they are."""
        doubles = array.array("d", [1.5, -2.0])
        shared = bytearray(b"shared")
        self.heap.root = {
            "bytearray": bytearray(b"abc"), "view": memoryview(b"defg")[1:3],
            "array": doubles, "steps": memoryview(b"abcdef")[::2], "bytes": b"plain",
            "twice": [shared, shared],
        }
        root = self.heap.root
        self.assertEqual(root["bytearray"], b"abc")
        self.assertEqual(root["view"], b"ef")
        self.assertEqual(root["steps"], b"ace")
        self.assertEqual(list(memoryview(root["array"]).cast("d")), [1.5, -2.0])
        self.assertEqual(root["array"], doubles)
        for key in "bytearray", "view", "array", "steps":
            self.assertIs(type(root[key]), refstore.Buffer)
        self.assertIs(type(root["bytes"]), bytes)
        first, second = root["twice"]
        self.assertIs(first, second)

    def test_shared_by_processes(self):
        self.heap.root = {"b": self.heap.buffer(10000)}
        b = self.heap.root["b"]

        def write():
            self.heap.root["b"][9000:9005] = b"hello"
        self.assertTrue(in_child(write))
        self.assertEqual(b[9000:9005], b"hello")

    def test_view_outlives_heap(self):
        b = self.heap.buffer(b"abc")
        view = memoryview(b)
        self.heap.close()
        del b
        gc.collect()
        view[0] = 120
        self.assertEqual(bytes(view), b"xbc")

    def test_closed(self):
        b = self.heap.buffer(100)
        self.heap.close()
        for use in (lambda: memoryview(b), lambda: b[0], b.seal,
                    lambda: b.readonly):
            with self.assertRaises(ValueError):
                use()

    def test_memory_given_back(self):
        before = large_values()
        self.heap.root = [self.heap.buffer(1 << 20) for _ in range(5)]
        self.assertEqual(large_values(), before + 5)
        view = memoryview(self.heap.root[0])
        self.heap.root = None
        self.wait_for_large_values(before + 1)
        view.release()
        del view
        self.wait_for_large_values(before)


class Sealed(Named):
    def test_seal(self):
        b = self.heap.buffer(b"abc")
        with memoryview(b) as view:
            view[0] = 65
            with self.assertRaises(BufferError):
                b.seal()
            self.assertFalse(b.readonly)
        b.seal()
        b.seal()
        self.assertTrue(b.readonly)
        with memoryview(b) as view:
            self.assertTrue(view.readonly)
            b.seal()
            self.assertEqual(bytes(view), b"Abc")
        with self.assertRaises(TypeError):
            b[0] = 1
        self.assertEqual(b, b"Abc")

    def test_busy_elsewhere(self):
        """Who has it mapped elsewhere keeps it from being sealed; not for long."""
        self.heap.root = b = self.heap.buffer(b"abc")
        with refstore.open(self.path) as other:
            view = memoryview(other.root)
            with self.assertRaises(BufferError):
                b.seal()
            b[0] = 66
            view.release()
            del view
            gc.collect()
        b.seal()
        self.assertTrue(b.readonly)

    def test_readonly_heap(self):
        self.heap.root = [self.heap.buffer(b"open"), self.heap.buffer(b"sealed")]
        self.heap.root[1].seal()
        with refstore.open(self.path, readonly=True) as heap:
            unsealed, sealed = heap.root
            self.assertTrue(unsealed.readonly and sealed.readonly)
            with self.assertRaises(BufferError):
                memoryview(unsealed)
            self.assertEqual((bytes(unsealed), unsealed[1:3]), (b"open", b"pe"))
            self.assertEqual(unsealed, b"open")
            with self.assertRaises(BufferError):
                unsealed[0] = 1
            with memoryview(sealed) as view:
                self.assertTrue(view.readonly)
                self.assertEqual(view, b"sealed")
            with self.assertRaises((TypeError, PermissionError)):
                sealed[0] = 1
            with self.assertRaises(PermissionError):
                unsealed.seal()


class LargeValues(TestCase):
    def test_strings_and_bytes(self):
        values = [b"x" * 65536, b"y" * 65537, "z" * 65537, "\u00fc" * 40000,
                  "\ud800" * 30000, os.urandom(3 << 20)]
        self.heap.root = {"values": values, "tuple": (values[2], 1)}
        self.assertEqual(self.heap.root["values"], values)
        self.assertEqual(self.heap.root["tuple"], (values[2], 1))
        for value, kept in zip(values, self.heap.root["values"]):
            self.assertIs(type(kept), type(value))
        self.heap.root = values[1]
        self.assertEqual(self.heap.root, values[1])

    def test_given_back(self):
        before = large_values()
        self.heap.root = ["a" * 100000, b"b" * 100000]
        self.assertEqual(large_values(), before + 2)
        self.heap.root = None
        self.wait_for_large_values(before)


class Pickles(TestCase):
    def dumps(self, value):
        buffers = outofband.Buffers(self.heap)
        data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        self.heap.root = [data, buffers.parts]

    def loads(self):
        data, parts = self.heap.root
        return pickle.loads(data, buffers=outofband.views(parts))

    def test_bytearrays(self):
        values = [bytearray(b"x" * 100000), bytearray(b"")]
        self.dumps([pickle.PickleBuffer(value) for value in values])
        self.assertLess(len(self.heap.root[0]), 200)
        self.assertEqual(self.loads(), values)

    def test_part_of_buffer(self):
        """What lies in a Buffer is not copied, a part of one neither."""
        b = self.heap.buffer(10000)
        self.dumps(pickle.PickleBuffer(memoryview(b)[100:200]))
        b[150] = 9
        self.assertEqual(self.loads()[50], 9)
        self.assertEqual(self.heap.root[1], ((b, 100, 200),))

    def test_no_parts(self):
        b = self.heap.buffer(10)
        for part in ((b, 0, 11), (b, 5, 4), (b, -1, 5), ([], 0, 0)):
            with self.assertRaises(refstore.CorruptError):
                outofband.views([part])

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_numpy(self):
        values = numpy.arange(100000, dtype="f8")
        self.dumps(values)

        def change():
            other = self.loads()
            assert (other == values).all()
            other[5] = -1
        self.assertTrue(in_child(change))
        shared = self.loads()
        self.assertEqual(shared[5], -1)
        self.assertEqual(values[5], 5)
        # Now it lies in the heap, so it is handed on as it is.
        self.dumps(shared[10:20])
        shared[15] = 3.5
        self.assertEqual(self.loads()[5], 3.5)

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_numpy_scalars(self):
        self.heap.root = d = self.heap.new(dict, n=1)
        for value in (numpy.int64(3), numpy.int32(10**6), numpy.int64(-3),
                      numpy.float32(1.5), numpy.bool_(True),
                      numpy.datetime64("2026-11-30"), numpy.array(7),
                      numpy.array([d, "text"], dtype=object)):
            with self.assertRaisesRegex(TypeError, "cannot be kept in a heap"):
                d["n"] = value
            with self.assertRaises(TypeError):
                d["list"] = [value]
            with self.assertRaises(TypeError):
                d.update_key("n", lambda _, value=value: value)
        self.assertEqual(d, {"n": 1})
        d["n"] = numpy.float64(1.5)     # which is a float of Python's
        self.assertEqual(d, {"n": 1.5})

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_numpy_on_buffer(self):
        self.heap.root = self.heap.buffer(numpy.ones((4, 5), order="F"))
        b = self.heap.root
        self.assertEqual(len(b), 160)
        values = numpy.frombuffer(b)
        values[:] = 2
        self.assertTrue((numpy.frombuffer(self.heap.root) == 2).all())
        with self.assertRaises(BufferError):
            b.seal()
        del values
        b.seal()
        self.assertFalse(numpy.frombuffer(b).flags.writeable)


if __name__ == "__main__":
    unittest.main()
