# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dict, List and Set have what Python's own have, and it does the same."""

import collections.abc
import copy
import os
import random
import unittest

import refstore
from support import TestCase

SEED = int(os.environ.get("REFSTORE_SEED", "0")) or random.randrange(1 << 32)
ROUNDS = int(os.environ.get("REFSTORE_ROUNDS", "400"))

#: What the classes have beside what Python's own have.
MORE = {"update_key"}


class Api(TestCase):
    def public(self, value):
        return {name for name in dir(value)
                if hasattr(value, name) and getattr(value, name) is not None
                and (not name.startswith("_") or name.startswith("__"))}

    def compare(self, plain):
        self.heap.root = plain
        shared = self.heap.root
        missing = {name for name in dir(plain) if not hasattr(shared, name)}
        self.assertEqual(missing, set())
        more = {name for name in self.public(shared) - set(dir(plain))
                if not name.startswith("__")}
        self.assertLessEqual(more, MORE)

    def test_dict(self):
        self.compare({})

    def test_list(self):
        self.compare([])

    def test_set(self):
        self.compare(set())
        for what in (lambda: self.heap.root["a"], lambda: self.heap.root.get("a"),
                     lambda: self.heap.root.popitem()):
            with self.assertRaises((TypeError, AttributeError)):
                what()

    def test_abstract_classes(self):
        self.heap.root = [{}, [], set()]
        d, values, s = self.heap.root
        self.assertIsInstance(d, collections.abc.MutableMapping)
        self.assertIsInstance(values, collections.abc.MutableSequence)
        self.assertIsInstance(s, collections.abc.MutableSet)
        self.assertEqual(str(refstore.Dict[str, int]), "refstore._containers.Dict"
                         "[str, int]")

    def test_fromkeys(self):
        self.heap.root = {}
        self.assertEqual(self.heap.root.fromkeys("ab", 1), {"a": 1, "b": 1})

    def test_update_of_a_dict(self):
        """All ways to say it, and a Dict in both places."""
        self.heap.root = [{"a": 1}, {"b": 2}]
        one, other = self.heap.root
        one.update(other)
        one.update([("c", 3)], d=4)
        one |= [("e", 5)]
        one |= other
        self.assertEqual(one, {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})
        self.assertEqual(one | other, one)
        with self.assertRaises(TypeError):
            one | [("f", 1)]
        with self.assertRaises(TypeError):
            one.update(5)


def outcome(function):
    """What a function returns or raises, and of which type."""
    try:
        result = function()
    except Exception as error:
        return type(error)
    return result


class Random(TestCase):
    """The same calls on a container of the heap and on a plain one."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def value(self):
        return self.random.choice([
            self.random.randrange(12), str(self.random.randrange(12)),
            None, True, 1.0, 2.5, b"x", (1, "a"), (), "long " * 90,
        ])

    def elements(self, limit=12):
        return {self.value() for _ in range(self.random.randrange(limit))}

    def both(self, name, *args):
        """Call a method on both; the arguments may contain either."""
        plain_args = [self.plain if arg is self.shared else arg for arg in args]
        one = outcome(lambda: getattr(self.shared, name)(*args))
        other = outcome(lambda: getattr(self.plain, name)(*plain_args))
        context = (SEED, name, args)
        if name.startswith("__i") and one is self.shared:
            one = self.plain    # it returns itself, as it shall
        self.assertEqual(one is NotImplemented, other is NotImplemented, context)
        if isinstance(one, type) or isinstance(other, type):
            self.assertIs(one, other, context)
        elif isinstance(other, (set, dict, list)):
            self.assertIs(type(one), type(other), context)
            self.assertEqual(one, other, context)
        else:
            self.assertEqual((one, type(one)), (other, type(other)), context)

    def test_set(self):
        calls = {
            "add": lambda: [self.value()],
            "discard": lambda: [self.value()],
            "remove": lambda: [self.value()],
            "__contains__": lambda: [self.value()],
            "clear": lambda: [],
            "copy": lambda: [],
            "__len__": lambda: [],
        }
        for name in ("union", "intersection", "difference", "update",
                     "intersection_update", "difference_update"):
            calls[name] = self.several
        for name in ("symmetric_difference", "symmetric_difference_update",
                     "isdisjoint", "issubset", "issuperset", "__or__", "__and__",
                     "__sub__", "__xor__", "__ror__", "__rand__", "__rsub__",
                     "__rxor__", "__ior__", "__iand__", "__isub__", "__ixor__",
                     "__le__", "__lt__", "__ge__", "__gt__", "__eq__", "__ne__"):
            calls[name] = self.one_set
        self.heap.root = set()
        self.shared, self.plain = self.heap.root, set()
        for _ in range(ROUNDS):
            name = self.random.choice(list(calls))
            if name == "clear" and self.random.random() < 0.8:
                continue
            self.both(name, *calls[name]())
            self.assertEqual(self.shared.copy(), self.plain, (SEED, name))
            self.assertEqual(len(self.shared), len(self.plain), (SEED, name))
        while self.plain:
            value = self.shared.pop()
            self.assertIn(value, self.plain)
            self.plain.remove(value)
        with self.assertRaises(KeyError):
            self.shared.pop()

    def one_set(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return [self.shared]
        if kind == 1:
            return [list(self.elements())]
        if kind == 2:
            return [self.plain.copy()]
        return [self.elements()]

    def several(self):
        return [self.one_set()[0] for _ in range(self.random.randrange(4))]

    def test_large_set(self):
        """As above, where there are enough elements for many buckets."""
        self.heap.root = set()
        self.shared, self.plain = self.heap.root, set()
        for _ in range(ROUNDS // 10):
            name = self.random.choice(["__ior__", "__ior__", "__ixor__", "__ixor__",
                                       "__iand__", "__isub__"])
            size = self.random.choice([3, 50, 900])
            other = set(self.random.choices(range(1000), k=size))
            self.both(name, other)
            self.assertEqual(self.shared.copy(), self.plain, (SEED, name))
        self.shared -= self.shared
        self.assertEqual(len(self.shared), 0)
        self.shared |= set(range(1000))
        self.shared &= {5, "no"}
        self.assertEqual(self.shared, {5})
        self.command(self.heap, "verify")

    def test_dict(self):
        calls = {
            "get": lambda: [self.value(), 7],
            "pop": lambda: [self.value()],
            "setdefault": lambda: [self.value(), self.value()],
            "popitem": lambda: [],
            "clear": lambda: [],
            "copy": lambda: [],
            "__contains__": lambda: [self.value()],
            "__getitem__": lambda: [self.value()],
            "__setitem__": lambda: [self.value(), self.value()],
            "__delitem__": lambda: [self.value()],
            "update": self.one_dict,
            "__or__": self.one_dict,
            "__ror__": self.one_dict,
            "__ior__": self.one_dict,
            "__eq__": self.one_dict,
            "__ne__": self.one_dict,
            "__lt__": self.one_dict,
        }
        self.heap.root = {}
        self.shared, self.plain = self.heap.root, {}
        for _ in range(ROUNDS):
            name = self.random.choice(list(calls))
            if name == "clear" and self.random.random() < 0.8:
                continue
            self.both(name, *calls[name]())
            self.assertEqual(list(self.shared.items()), list(self.plain.items()),
                             (SEED, name))
            self.assertEqual(list(reversed(self.shared)), list(reversed(self.plain)))
            self.assertEqual(repr(self.shared), repr(self.plain))

    def one_dict(self):
        if self.random.randrange(8) == 0:
            return [self.shared]
        return [{value: self.value() for value in self.elements()}]

    def test_list(self):
        calls = {
            "append": lambda: [self.value()],
            "insert": lambda: [self.index(), self.value()],
            "extend": self.one_list,
            "pop": lambda: [self.index()],
            "remove": lambda: [self.value()],
            "index": lambda: [self.value()],
            "count": lambda: [self.value()],
            "reverse": lambda: [],
            "sort": lambda: [],
            "clear": lambda: [],
            "copy": lambda: [],
            "__contains__": lambda: [self.value()],
            "__getitem__": lambda: [self.place()],
            "__delitem__": lambda: [self.place()],
            "__setitem__": lambda: [self.index(), self.value()],
            "__add__": self.one_list,
            "__iadd__": self.one_list,
            "__mul__": lambda: [self.random.randrange(-1, 3)],
            "__imul__": lambda: [self.random.randrange(-1, 3)],
            "__eq__": self.one_list,
            "__ne__": self.one_list,
            "__lt__": self.one_list,
            "__le__": self.one_list,
            "__gt__": self.one_list,
            "__ge__": self.one_list,
        }
        self.heap.root = []
        self.shared, self.plain = self.heap.root, []
        for _ in range(ROUNDS):
            name = self.random.choice(list(calls))
            if name == "clear" and self.random.random() < 0.8:
                continue
            if name == "__imul__" and len(self.plain) > 300:
                name = "clear"
            before = self.plain.copy()
            self.both(name, *calls[name]())
            if name == "sort" and self.shared == before:
                self.plain = before     # Python's own is half sorted if that failed
            self.assertEqual(self.shared.copy(), self.plain, (SEED, name))
            self.assertEqual(list(reversed(self.shared)), self.plain[::-1])
            self.assertEqual(repr(self.shared), repr(self.plain))

    def index(self):
        return self.random.randrange(-8, 8)

    def place(self):
        if self.random.random() < 0.5:
            return self.index()
        return slice(self.index(), self.index(), self.random.choice([None, 1, 2, -1]))

    def one_list(self):
        if self.random.randrange(8) == 0:
            return [self.shared]
        return [[self.value() for _ in range(self.random.randrange(6))]]


class Atomic(TestCase):
    """What a set does in place, others see whole."""

    def run_both(self, change, check):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                change()
                status = 0
            finally:
                os._exit(status)
        while True:
            check()
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.assertEqual(status, 0)
                break

    def test_changes_are_whole(self):
        ones, twos = set(range(600)), set(range(600, 1200))
        self.heap.root = ones
        s = self.heap.root

        def change():
            for _ in range(8):
                s.symmetric_difference_update(ones | twos)

        def check():
            self.assertIn(s.copy(), (ones, twos))

        self.run_both(change, check)
        self.assertEqual(s, ones)

    def test_each_toggle_counts(self):
        """Of toggles by two, none is lost."""
        self.heap.root = set()
        s = self.heap.root
        pids = []
        for _ in range(2):
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    for _ in range(101):
                        s ^= {1, 2, 3}
                    status = 0
                finally:
                    os._exit(status)
            pids.append(pid)
        for pid in pids:
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(len(s), 0)
        s ^= {1, 2, 3}
        self.assertEqual(s, {1, 2, 3})

    def test_what_comes_meanwhile(self):
        """What is kept is chosen among all that is there in the end."""
        with refstore.open(self.path) as other:
            for size in 10, 300, 301, 302, 303:
                self.named.root = set(range(size))
                others = other.root
                more = list(range(size, size + 8))

                def is_wanted(value):
                    if more:
                        others.update(more)
                        more.clear()
                    return 0 < value < size

                self.named.root._filter(is_wanted)
                self.assertEqual(self.named.root, set(range(1, size)))


class Copies(TestCase):
    def test_cycles_and_shared_objects(self):
        inner = [1]
        plain = {"a": inner, "b": inner, "set": {1}}
        plain["self"] = plain
        plain["list"] = [plain, inner]
        self.heap.root = plain
        deep = copy.deepcopy(self.heap.root)
        self.assertIs(type(deep), dict)
        self.assertIs(deep["self"], deep)
        self.assertIs(deep["list"][0], deep)
        self.assertIs(deep["a"], deep["b"])
        self.assertIs(deep["list"][1], deep["a"])
        self.assertEqual(deep["a"], [1])
        deep["a"].append(2)
        self.assertEqual(self.heap.root["a"], [1])

    def test_copies_go_into_other_heaps(self):
        self.heap.root = {"a": [1], "t": ([2], 3)}
        self.named.root = copy.deepcopy(self.heap.root)
        self.assertEqual(self.named.root, {"a": [1], "t": ([2], 3)})

    def test_shallow(self):
        self.heap.root = [[1], {"a": [2]}, {3}]
        shallow = copy.copy(self.heap.root)
        self.assertIs(type(shallow), list)
        self.assertIs(shallow[0], self.heap.root[0])
        self.assertIs(copy.copy(shallow[1])["a"], shallow[1]["a"])
        self.assertEqual(copy.copy(shallow[2]), {3})

    def test_large(self):
        """Objects that die while they are copied are not taken for others."""
        self.heap.root = [[i] for i in range(2000)]
        self.assertEqual(copy.deepcopy(self.heap.root), [[i] for i in range(2000)])


if __name__ == "__main__":
    unittest.main()
