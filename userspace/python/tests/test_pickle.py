# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects and heaps that are pickled into other processes."""

import errno
import os
import pickle
import unittest

import refstore
from support import TestCase

RECEIVE = """
import pickle, sys, refstore
value = pickle.load(sys.stdin.buffer)
"""
CHANGE = RECEIVE + """
value["from"] = "there"
print(type(value).__name__, value["list"])
"""
SEND = """
import os, pickle, sys, refstore
heap = refstore.open()
heap.root = {"a": 1}
sys.stdout.buffer.write(pickle.dumps(heap.root))
"""


class Objects(TestCase):
    def talk(self, code, value, *args):
        """Pickle something into another process; returns what that prints."""
        process = self.python(code, *args)
        output, _ = process.communicate(pickle.dumps(value))
        self.assertEqual(process.returncode, 0)
        return output.decode().strip()

    def test_same_process(self):
        self.heap.root = {"dict": {}, "list": [], "set": set()}
        for value in self.heap.root.values():
            self.assertIs(pickle.loads(pickle.dumps(value)), value)

    def test_process_without_the_heap(self):
        for heap in self.heap, self.named:
            heap.root = {"list": [1, 2]}
            self.assertEqual(self.talk(CHANGE, heap.root), "Dict [1, 2]")
            self.assertEqual(heap.root["from"], "there")

    def test_process_with_the_heap(self):
        """It gets its own session's proxy."""
        self.named.root = {"list": []}
        code = ("import pickle, sys, refstore\n"
                "heap = refstore.open(sys.argv[1])\n"
                "value = pickle.load(sys.stdin.buffer)\n"
                "print(value is heap.root)\n")
        self.assertEqual(self.talk(code, self.named.root, self.path), "True")

    def test_several(self):
        """One object is one proxy, however often it comes."""
        code = RECEIVE + ("a, b, (c,) = value\n"
                          "print(a is b, a['c'] is c, c)\n")
        self.heap.root = {"c": [5]}
        d = self.heap.root
        self.assertEqual(self.talk(code, [d, d, (d["c"],)]), "True True [5]")

    def test_received_opens_one_session(self):
        code = RECEIVE + "print(value[0]._session is value[1]._session)\n"
        self.heap.root = [[1], [2]]
        self.assertEqual(self.talk(code, list(self.heap.root)), "True")

    def test_object_without_a_place(self):
        """The pickle keeps what nothing else does."""
        self.heap.root = [[7]]
        data = pickle.dumps(self.heap.root.pop())
        self.assertEqual(pickle.loads(data), [7])

    def test_nothing_is_left(self):
        self.heap.root = {"list": []}
        d = self.heap.root
        before = self.holders(d)
        self.talk(CHANGE, d)
        self.assertEqual(self.holders(d), before)
        self.command(self.heap, "verify")

    def test_only_once(self):
        self.heap.root = []
        data = pickle.dumps(self.heap.root)
        pickle.loads(data)
        with self.assertRaises(refstore.Error) as caught:
            pickle.loads(data)
        self.assertEqual(caught.exception.errno, errno.ESTALE)

    def test_sender_has_ended(self):
        process = self.python(SEND)
        data, _ = process.communicate()
        self.assertEqual(process.returncode, 0)
        with self.assertRaisesRegex(refstore.Error, "has ended"):
            pickle.loads(data)

    def test_heap_is_closed(self):
        heap = refstore.open()
        heap.root = []
        value = heap.root
        data = pickle.dumps(value)
        heap.close()
        with self.assertRaisesRegex(refstore.Error, "closed the heap"):
            pickle.loads(data)
        with self.assertRaises(ValueError):
            pickle.dumps(value)

    def test_other_users_get_nothing(self):
        self.heap.root = []
        data = pickle.dumps(self.heap.root)
        pid = os.fork()
        if not pid:
            os.setresuid(1000, 1000, 1000)
            try:
                pickle.loads(data)
            except refstore.Error:
                os._exit(0)
            os._exit(1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertIs(pickle.loads(data), self.heap.root)


class Rights(TestCase):
    def test_reader_gives_no_more_than_reading(self):
        self.named.root = {"a": 1}
        reader = refstore.open(self.path, readonly=True)
        self.addCleanup(reader.close)
        received = pickle.loads(pickle.dumps(reader.root))
        self.assertEqual(received, {"a": 1})
        with self.assertRaises(PermissionError):
            received["a"] = 2
        self.named.close()
        received = pickle.loads(pickle.dumps(reader.root))
        self.assertIs(received, reader.root)

    def test_reader_receives_for_reading(self):
        code = ("import pickle, sys, refstore\n"
                "heap = refstore.open(sys.argv[1], readonly=True)\n"
                "value = pickle.load(sys.stdin.buffer)\n"
                "assert value is heap.root\n"
                "try:\n"
                "    value['a'] = 2\n"
                "except PermissionError:\n"
                "    print('refused')\n")
        self.named.root = {"a": 1}
        process = self.python(code, self.path)
        output, _ = process.communicate(pickle.dumps(self.named.root))
        self.assertEqual(output, b"refused\n")

    def test_received_reader_stays_one(self):
        """Also when it passes on what it got."""
        code = RECEIVE + ("again = pickle.loads(pickle.dumps(value))\n"
                          "assert again is value\n"
                          "try:\n"
                          "    again['a'] = 2\n"
                          "except PermissionError:\n"
                          "    print('refused')\n")
        self.named.root = {"a": 1}
        with refstore.open(self.path, readonly=True) as reader:
            process = self.python(code)
            output, _ = process.communicate(pickle.dumps(reader.root))
        self.assertEqual(output, b"refused\n")


class Heaps(TestCase):
    def test_named(self):
        self.named.root = [1]
        self.assertIs(pickle.loads(pickle.dumps(self.named)), self.named)
        code = RECEIVE + "print(value.path, value.root)\nvalue.root.append(2)\n"
        process = self.python(code)
        output, _ = process.communicate(pickle.dumps(self.named))
        self.assertEqual(output.decode(), f"{self.path} [1]\n")
        self.assertEqual(self.named.root, [1, 2])

    def test_unnamed(self):
        self.heap.root = [1]
        self.assertIs(pickle.loads(pickle.dumps(self.heap)), self.heap)
        code = RECEIVE + "print(value.path)\nvalue.root.append(2)\n"
        process = self.python(code)
        output, _ = process.communicate(pickle.dumps(self.heap))
        self.assertEqual(output, b"None\n")
        self.assertEqual(self.heap.root, [1, 2])

    def test_reader(self):
        self.named.root = [1]
        with refstore.open(self.path, readonly=True) as reader:
            self.assertIs(pickle.loads(pickle.dumps(reader)), reader)
            data = pickle.dumps(reader)
        received = pickle.loads(data)
        self.addCleanup(received.close)
        with self.assertRaises(PermissionError):
            received.root.append(2)

    def test_another_heap_has_the_name(self):
        data = pickle.dumps(self.named)
        self.named.close()
        os.unlink(self.path)
        refstore.open(self.path, create=True).close()
        with self.assertRaisesRegex(refstore.Error, "another heap") as caught:
            pickle.loads(data)
        self.assertEqual(caught.exception.filename, self.path)

    def test_nobody_has_the_name(self):
        data = pickle.dumps(self.named)
        self.named.close()
        os.unlink(self.path)
        with self.assertRaises(FileNotFoundError):
            pickle.loads(data)

    def test_two_sessions_share_objects(self):
        """What one has can be assigned by the other."""
        with refstore.open(self.path) as other:
            self.named.root = {"a": [1]}
            inner = self.named.root["a"]
            other.root["b"] = inner
            inner.append(2)
            self.assertIs(other.root["a"], other.root["b"])
            self.assertEqual(other.root["b"], [1, 2])
            other.root = inner
            self.assertIs(self.named.root, inner)

    def test_other_heaps_do_not(self):
        self.named.root, self.heap.root = [], []
        with self.assertRaises(ValueError):
            self.named.root.append(self.heap.root)


if __name__ == "__main__":
    unittest.main()
