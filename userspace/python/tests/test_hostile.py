# SPDX-License-Identifier: LGPL-2.1-or-later
"""What somebody else has written into a heap: whatever it is, a reader raises at worst.

The other one writes through the library, past this package.
"""

import contextlib
import copy
import ctypes
import os
import random
import resource
import signal
import struct
import unittest

import refstore
from refstore import _store
from support import TestCase, fork, wait

SEED = int(os.environ.get("REFSTORE_SEED", "0")) or random.randrange(1 << 32)
ROUNDS = int(os.environ.get("REFSTORE_ROUNDS", "40"))

SEAL_DATA, SEAL_SLOTS = 1, 2
TUPLE, OBJECT = 8, 9    # see value.h
DEPTH = 64              # of tuples in each other
BUCKETS = 64            # see map.h


class Spec(ctypes.Structure):
    """struct refstore_spec"""

    _fields_ = [("type", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("data", ctypes.c_char_p), ("data_len", ctypes.c_size_t),
                ("slots", ctypes.POINTER(ctypes.c_uint64)),
                ("nr_slots", ctypes.c_size_t)]


class Writer:
    """Somebody who writes objects of any type, with any data."""

    def __init__(self, path):
        self._library = ctypes.CDLL("librefstore.so.0")
        self._store = ctypes.c_void_p()
        self._call("open_heap", path.encode(), os.O_RDWR, 0,
                   ctypes.byref(self._store))

    def _call(self, name, *args):
        ret = getattr(self._library, f"refstore_{name}")(*args)
        if ret < 0:
            raise OSError(-ret, os.strerror(-ret))

    def close(self):
        self._library.refstore_close(self._store)

    def root(self):
        """A handle of the root."""
        handle = ctypes.c_uint64()
        self._call("get_root", self._store, ctypes.byref(handle))
        return handle.value

    def make(self, type_, data, slots=(), seal=True):
        """An object; a handle of it."""
        number, handle = ctypes.c_uint32(), ctypes.c_uint64()
        self._call("type_register", self._store, type_.encode(),
                   ctypes.byref(number))
        flags = SEAL_DATA | (SEAL_SLOTS if slots else 0) if seal else 0
        spec = Spec(number.value, flags, data or None, len(data),
                    (ctypes.c_uint64 * len(slots))(*slots) if slots else None,
                    len(slots))
        self._call("create", self._store, ctypes.byref(spec),
                   ctypes.byref(handle), None)
        return handle.value

    def make_large(self, type_, data):
        """The same, a large value."""
        number, handle = ctypes.c_uint32(), ctypes.c_uint64()
        fd = ctypes.c_int()
        self._call("type_register", self._store, type_.encode(),
                   ctypes.byref(number))
        self._call("large_new", self._store, number, ctypes.c_size_t(len(data)),
                   ctypes.byref(handle), ctypes.byref(fd))
        with open(fd.value, "wb") as file:
            file.write(data)
        self._call("seal", self._store, handle, SEAL_DATA)
        return handle.value

    def find(self, id_):
        """A handle of the object that has an id."""
        handle = ctypes.c_uint64()
        self._call("find", self._store, ctypes.c_uint64(id_), ctypes.byref(handle))
        return handle.value

    def set_slot(self, object_, index, value):
        self._call("set_slot", self._store, ctypes.c_uint64(object_),
                   ctypes.c_size_t(index), ctypes.c_uint64(value))

    def set_root(self, value):
        self._call("set_root", self._store, ctypes.c_uint64(value))


def leaf(entries, hashes=None, slots=None):
    """The data of a leaf.

    slots  how many are an entry's and those before it; of nothing that they refer to
    """
    ends, at = b"", 0
    for entry in entries:
        at += len(entry)
        ends += struct.pack("<I", at)
    numbers = b"".join(struct.pack("<Q", number) for number in hashes or ())
    return (struct.pack("<BBHB3x", 1, 0, len(entries), hashes is not None) +
            numbers + ends + struct.pack(f"<{len(entries)}H",
                                         *slots or [0] * len(entries)) +
            b"".join(entries))


def inner(level, counts, hashes=None):
    """The data of a node that has children."""
    numbers = [*counts]
    if hashes is not None:
        numbers += [*hashes, *[1] * len(counts)]
    return (struct.pack("<BBHB3x", 1, level, len(counts), hashes is not None) +
            b"".join(struct.pack("<Q", number) for number in numbers))


class Case(TestCase):
    def setUp(self):
        super().setUp()
        self.writer = Writer(self.path)
        self.addCleanup(self.writer.close)

    def list_of(self, node):
        """A list that consists of what somebody has written."""
        self.named.root = []
        self.writer.set_slot(self.writer.root(), 0, node)
        return self.named.root

    def dict_of(self, node):
        self.named.root = {}
        self.writer.set_slot(self.writer.root(), 0, node)
        return self.named.root

    def refused(self, function, *args):
        with self.assertRaises(refstore.CorruptError):
            function(*args)


class Hostile(Case):
    def test_as_it_should_be(self):
        """That what follows is refused for what is wrong with it alone."""
        one = self.writer.make("py-node", leaf([b"\x03\x02", b"\x03\x04"]))
        two = self.writer.make("py-node", leaf([b"\x03\x06"]))
        top = self.writer.make("py-node", inner(1, [2, 1]), [one, two])
        values = self.list_of(top)
        self.assertEqual(values, [1, 2, 3])
        values.append(4)
        self.assertEqual(values, [1, 2, 3, 4])

    def test_fewer_entries_than_it_says(self):
        short = self.writer.make("py-node", leaf([b"\x03\x02"]))
        top = self.writer.make("py-node", inner(1, [2]), [short])
        for what in (lambda values: values[1], lambda values: values.pop(1),
                     lambda values: values[0:2:2], list, copy.copy,
                     lambda values: values.__setitem__(1, 5),
                     lambda values: values.__delitem__(slice(0, 2)),
                     lambda values: values.insert(2, 7)):
            self.refused(what, self.list_of(top))

    def test_nodes_that_are_there_several_times(self):
        """Few bytes, that stand for more entries than any memory holds."""
        node, count = self.writer.make("py-node", leaf([b"\x03\x02"] * 64)), 64
        for level in range(1, 6):
            node = self.writer.make("py-node", inner(level, [count] * 64),
                                    [node] * 64)
            count *= 64
        values = self.list_of(node)
        self.assertEqual(len(values), count)
        self.assertEqual(values[count - 1], 1)
        for what in (list, copy.copy, lambda values: values[:],
                     lambda values: values[::2], sorted,
                     lambda values: values.sort(),
                     lambda values: values.__delitem__(slice(None)),
                     lambda values: values.__setitem__(slice(1, None), [5])):
            self.refused(what, values)

    def test_keys_that_are_there_several_times(self):
        key = b"\0" * 9 + b"\x06\x01a" + b"\x03\x02"
        node = self.writer.make("py-node", leaf([key], [7]))
        count = 1
        for level in range(1, 7):
            node = self.writer.make(
                "py-node", inner(level, [count] * 64, [7] * 64), [node] * 64)
            count *= 64
        for what in (list, lambda d: d.copy(), lambda d: d.__setitem__("x", 1),
                     lambda d: d.update(a=1)):
            # Who asks for memory for all entries gets none.
            with self.assertRaises((refstore.CorruptError, MemoryError)):
                what(self.dict_of(node))

    def test_more_keys_than_can_be_counted(self):
        """What the buckets of a dict say, added up, is below 0, or 0 anew."""
        self.named.root = dict.fromkeys(range(300))
        node = self.writer.make("py-node", leaf([b"\0" * 9 + b"\x03\x02\0"], [0]))
        for number in (1 << 63) // (BUCKETS << 48), (1 << 64) // (BUCKETS << 48):
            top = self.writer.make("py-node", inner(1, [1 << 48] * number,
                                                    [0] * number), [node] * number)
            for bucket in range(BUCKETS):
                self.writer.set_slot(self.writer.root(), 1 + bucket, top)
            for what in len, bool, list, copy.copy:
                self.refused(what, self.named.root)

    def test_entries_without_slots(self):
        """A value that refers to what is not its entry's: no walk just ends there."""
        text = self.writer.make("str", b"text")
        keys = [b"\0" * 9 + b"\x06\x01" + key + bytes([OBJECT]) for key in (b"a", b"b")]
        node = self.writer.make("py-node", leaf(keys, [1, 2], [0, 1]), [text])
        top = self.writer.make("py-node", inner(1, [2], [1]), [node])
        for what in (copy.copy, lambda d: list(d.values()), lambda d: list(d.items())):
            self.refused(what, self.dict_of(top))

    def nodes(self):
        """Ids of all nodes in the heap."""
        session, cursor, ids = self.named._session, (0, 0), []
        types = {number for number, name in _store.types(session).items()
                 if name == "py-node"}
        while cursor:
            found, cursor = _store.walk_ids(session, cursor, None, types)
            ids += found
        return ids

    def test_what_an_iterator_keeps(self):
        """What it walks over is taken away from it: it does not just end, either."""
        self.named.root = {i: [i] for i in range(300)}
        values = iter(self.named.root.values())
        # What was made last is what keeps the version.
        keeper = self.writer.find(max(self.nodes()))
        for bucket in range(BUCKETS):
            self.writer.set_slot(keeper, bucket, 0)
        self.refused(list, values)

    def test_deep(self):
        """As many levels as can be, and one more."""
        node = self.writer.make("py-node", leaf([b"\x03\x02"]))
        for level in range(1, 12):
            node = self.writer.make("py-node", inner(level, [1]), [node])
        values = self.list_of(node)
        values.extend(range(1000))
        self.assertEqual(len(values), 1001)
        node = self.writer.make("py-node", inner(12, [1]), [node])
        self.refused(len, self.list_of(node))

    def test_wrong_levels(self):
        node = self.writer.make("py-node", leaf([b"\x03\x02"]))
        self.refused(list, self.list_of(
            self.writer.make("py-node", inner(3, [1]), [node])))

    def test_other_kinds(self):
        """A list's nodes in a dict, nodes that can be changed, and no nodes."""
        node = self.writer.make("py-node", leaf([b"\x03\x02"]))
        self.refused(list, self.dict_of(node))
        self.refused(list, self.list_of(
            self.writer.make("py-node", leaf([b"\x03\x02"]), seal=False)))
        self.refused(list, self.list_of(self.writer.make("other", b"data")))

    def test_values_of_themselves(self):
        """A tuple of itself, many times over, would never end."""
        data = bytes([TUPLE, 10]) + bytes([OBJECT]) * 10
        value = self.writer.make("py-value", data, [0] * 10, seal=False)
        for i in range(10):
            self.writer.set_slot(value, i, value)
        self.writer.set_root(value)
        self.refused(lambda: self.named.root)

    def test_values_of_values(self):
        """Levels of tuples, each of which is there ten times in the next."""
        value = self.writer.make("py-value", b"\x03\x02")
        for _ in range(20):
            value = self.writer.make(
                "py-value", bytes([TUPLE, 10]) + bytes([OBJECT]) * 10, [value] * 10)
        self.writer.set_root(value)
        self.refused(lambda: self.named.root)

    def test_tuples_that_claim_everything(self):
        """Each of many in each other says that all the rest is its own."""
        data, size = bytearray(), 4 << 20
        for _ in range(DEPTH):
            number = size - len(data) - 5
            data += bytes([TUPLE, *(number >> shift & 0x7f | 0x80
                                    for shift in (0, 7, 14)), number >> 21])
        self.writer.set_root(self.writer.make_large("py-value", data.ljust(size, b"\0")))

        def read():
            with open("/proc/self/statm") as file:
                pages = int(file.read().split()[0])
            most = pages * resource.getpagesize() + (256 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            self.refused(lambda: self.named.root)

        self.assertEqual(wait(fork(read)), 0)

    def test_large_values_of_values(self):
        """Those that this package packs are none."""
        self.writer.set_root(self.writer.make("py-value", b"\x03\x02"))
        self.assertEqual(self.named.root, 1)
        self.writer.set_root(self.writer.make_large("py-value",
                                                    b"\x03\x02".ljust(70000)))
        self.refused(lambda: self.named.root)

    def test_classes_nobody_knows(self):
        for name in ("py-nothing", "os.system", "class", "py-node"):
            self.writer.set_root(self.writer.make(name, b"data", [0]))
            self.refused(lambda: self.named.root)

    def test_parts(self):
        """Objects that consist of others, but of the wrong ones."""
        for name in ("py-condition", "py-queue"):
            leaf_ = self.writer.make("str", b"no lock")
            for slots in ([leaf_], [leaf_] * 2, [leaf_] * 5):
                self.writer.set_root(self.writer.make(name, b"", slots))
                for method in ("acquire", "get_nowait", "qsize", "notify"):
                    if hasattr(type(self.named.root), method):
                        self.refused(getattr(self.named.root, method))

    def test_locks_without_memory(self):
        for name in ("py-lock", "py-rlock", "py-event", "py-buffer"):
            self.writer.set_root(self.writer.make(name, b"", [0]))
            value = self.named.root
            with self.assertRaises((refstore.CorruptError, refstore.Error)):
                bytes(value) if name == "py-buffer" else (
                    value.acquire(False) if hasattr(value, "acquire") else
                    value.is_set())


def use(value):
    """Does with a container what can be done with it, whatever comes of it."""
    for what in (len, repr, list, copy.copy, copy.deepcopy,
                 lambda v: v == v.copy(), lambda v: v[0], lambda v: v["a"],
                 lambda v: v[::-1], lambda v: v.append(1),
                 lambda v: v.__setitem__("k", "v"), lambda v: v.pop(),
                 lambda v: v.popitem(), lambda v: v.insert(1, 2),
                 lambda v: v.sort(), lambda v: v.update(a=3),
                 lambda v: v.__delitem__(slice(1, 3)), lambda v: v.clear()):
        with contextlib.suppress(Exception):
            what(value)


class Garbage(Case):
    """Nodes as they should be, but for some bytes."""

    def damage(self, data, random_):
        data = bytearray(data)
        for _ in range(random_.randrange(1, 5)):
            data[random_.randrange(len(data))] = random_.choice(
                (0, 1, 2, 8, 9, 0x7f, 0x80, 0xff, random_.randrange(256)))
        return bytes(data)

    def node(self, random_, keyed):
        """A handle of a top, any part of which may be damaged."""
        entries = []
        for i in range(random_.randrange(1, 6)):
            value = random_.choice((b"\x03\x02", b"\x06\x01a", b"\x08\x02\x00\x01",
                                    b"\x07\x03abc", b"\x04\x09" + b"\xff" * 9))
            entries.append(b"\0" * 8 + b"\0\x06\x01" + bytes([97 + i]) + value
                           if keyed else value)
        hashes = list(range(len(entries))) if keyed else None
        data = leaf(entries, hashes)
        if random_.random() < 0.5:
            data = self.damage(data, random_)
        bottom = self.writer.make("py-node", data)
        data = inner(1, [len(entries)], [0] if keyed else None)
        if random_.random() < 0.5:
            data = self.damage(data, random_)
        return random_.choice((bottom, self.writer.make("py-node", data, [bottom])))

    def use_many(self, random_):
        # What has no end would be seen by the one who waits.
        signal.alarm(600)
        for i in range(5 * ROUNDS):
            node = self.node(random_, i % 2)
            use((self.dict_of if i % 2 else self.list_of)(node))

    def test_random(self):
        """Whoever uses them goes on living."""
        pid = fork(self.use_many, random.Random(SEED))
        self.assertEqual(wait(pid), 0, f"REFSTORE_SEED={SEED}")


if __name__ == "__main__":
    unittest.main()
