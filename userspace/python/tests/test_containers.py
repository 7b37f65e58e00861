# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dict, List and Set behave as Python's own do."""

import concurrent.futures
import copy
import os
import random
import threading
import unittest

import refstore
from support import wait

SEED = int(os.environ.get("REFSTORE_SEED", "0")) or random.randrange(1 << 32)

VALUES = [
    None, True, False, 0, 1, -1, 63, 64, -64, -65, 2**31, 2**63 - 1, -2**63,
    2**63, -2**63 - 1, 2**200, -2**200, 10**100, 0.0, -0.0, 1.5, -1e308,
    float("inf"), "", "a", "grün", "\0", "\U0001f600", "\ud800", "x" * 255,
    "x" * 256, "x" * 257, "y" * 5000, b"", b"\0\xff", b"z" * 300, (), (1,),
    (1, ("a", (None, b"b"))), ("x" * 300, 2), tuple(range(200)),
]
KEYS = [
    None, True, 0, 2, -5, 2**70, 1.5, 3.0, -0.0, "", "a", "grün", "\ud800",
    b"", b"a", (), (1, "a"), (1.0, True), "k" * 3000,
]


class TestCase(unittest.TestCase):
    """With a heap, which is empty afterwards."""

    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def dict(self, *args, **kwargs):
        self.heap.root = dict(*args, **kwargs)
        return self.heap.root

    def list(self, *args):
        self.heap.root = list(*args)
        return self.heap.root

    def set(self, *args):
        self.heap.root = set(*args)
        return self.heap.root


def same(one, other):
    """Equal, and of the same type, all through."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


class Values(TestCase):
    def test_root(self):
        self.assertIsNone(self.heap.root)
        for value in VALUES[1:]:
            self.heap.root = value
            self.assertTrue(same(self.heap.root, value), value)

    def test_in_containers(self):
        plain = self.list(VALUES)
        for value, other in zip(VALUES, plain):
            self.assertTrue(same(value, other), value)
        d = self.dict(enumerate(VALUES))
        for i, value in enumerate(VALUES):
            self.assertTrue(same(d[i], value), value)

    def test_largest(self):
        """A tuple takes what one object does, and is none if it takes more."""
        most = (None,) * (65536 - 4)
        self.heap.root = most
        self.assertEqual(self.heap.root, most)
        with self.assertRaises(refstore.Error):
            self.heap.root = most + (None,)
        self.assertEqual(self.heap.root, most)

    def test_what_cannot_be_kept(self):
        d = self.dict()
        for value in object(), len, 1j, self, type:
            with self.assertRaises(TypeError):
                d["a"] = value
        self.assertEqual(len(d), 0)

    def test_deep_tuples(self):
        deep = ()
        for _ in range(63):
            deep = (deep,)
        d = self.dict(a=deep)
        self.assertEqual(d["a"], deep)
        with self.assertRaises(ValueError):
            d["b"] = (deep,)
        self.assertEqual(list(d), ["a"])


class Dicts(TestCase):
    def test_keys(self):
        d, plain = self.dict(), {}
        for i, key in enumerate(KEYS):
            d[key] = plain[key] = i
            self.assertEqual(d[key], i)
        self.assertEqual(len(d), len(plain))
        for one, other in zip(d, plain):
            self.assertTrue(same(one, other), one)
        for key in KEYS:
            self.assertIn(key, d)

    def test_equal_keys(self):
        d = self.dict()
        d[1] = "a"
        d[True] = "b"
        d[1.0] = "c"
        self.assertEqual(d, {1: "c"})
        self.assertTrue(same(list(d)[0], 1))
        d[(1, 2.0)] = 1
        d[(True, 2)] = 2
        self.assertEqual(len(d), 2)
        self.assertTrue(same(list(d)[1], (1, 2.0)))

    def test_what_cannot_be_a_key(self):
        d = self.dict()
        for key in [], {}, object(), ([],), d:
            with self.assertRaises(TypeError):
                d[key] = 1
        with self.assertRaises(ValueError):
            d["x" * 70000] = 1
        self.assertEqual(len(d), 0)

    def test_methods(self):
        d = self.dict(a=1, b=2)
        self.assertEqual(d.get("a"), 1)
        self.assertIsNone(d.get("c"))
        self.assertEqual(d.get("c", 3), 3)
        with self.assertRaises(KeyError):
            d["c"]
        with self.assertRaises(KeyError):
            del d["c"]
        with self.assertRaises(KeyError):
            d.pop("c")
        self.assertEqual(d.pop("c", 4), 4)
        self.assertEqual(d.setdefault("a", 5), 1)
        self.assertEqual(d.setdefault("c", 5), 5)
        self.assertEqual(d.popitem(), ("c", 5))
        self.assertEqual(d.pop("a"), 1)
        self.assertEqual(d, {"b": 2})
        d.update({"b": 3}, e=4)
        self.assertEqual(list(d.items()), [("b", 3), ("e", 4)])
        self.assertEqual(list(reversed(d)), ["e", "b"])
        d |= {"f": 5}
        self.assertEqual(d | {"g": 1}, {"b": 3, "e": 4, "f": 5, "g": 1})
        self.assertEqual({"g": 1} | d, {"g": 1, "b": 3, "e": 4, "f": 5})
        self.assertEqual(repr(d), "{'b': 3, 'e': 4, 'f': 5}")
        self.assertEqual(d.keys() & {"b", "x"}, {"b"})
        self.assertIn(("b", 3), d.items())
        self.assertIn(5, d.values())
        d.clear()
        self.assertEqual(len(d), 0)
        with self.assertRaises(KeyError):
            d.popitem()
        with self.assertRaises(TypeError):
            hash(d)

    def test_what_is_put_in_is_returned(self):
        """So that it can be changed where it is."""
        d = self.dict({})
        d.setdefault("list", []).append(1)
        d.setdefault("list", []).append(2)
        self.assertEqual(d["list"], [1, 2])
        self.assertIs(d.setdefault("inner", {}), d["inner"])
        self.assertIs(d.update_key("list", lambda _: [3]), d["list"])
        pair = d.setdefault("pair", ("x", [1]))
        pair[1].append(2)
        self.assertEqual(d["pair"], ("x", [1, 2]))
        self.assertEqual(d.setdefault("long", "x" * 1000), "x" * 1000)

    def test_update_key(self):
        d = self.dict(n=1)
        self.assertEqual(d.update_key("n", lambda n: n + 1), 2)
        self.assertEqual(d.update_key("m", lambda n: n + 1, 10), 11)
        with self.assertRaises(KeyError):
            d.update_key("x", lambda n: n)
        with self.assertRaises(ZeroDivisionError):
            d.update_key("n", lambda n: 1 // 0)
        self.assertEqual(d, {"n": 2, "m": 11})

    def test_iterators_are_snapshots(self):
        d = self.dict((i, [i]) for i in range(1000))
        keys, values = iter(d), iter(d.values())
        next(keys)
        d.clear()
        d["new"] = 1
        self.assertEqual(list(keys), list(range(1, 1000)))
        self.assertEqual([list(v) for v in values],
                         [[i] for i in range(1000)])

    def test_random(self):
        random.seed(SEED)
        d, plain = self.dict(), {}
        for n in range(3000):
            key = random.choice([int, str, float])(random.randrange(400))
            choice = random.randrange(10)
            if choice < 5:
                d[key] = plain[key] = random.choice(VALUES)
            elif choice < 7:
                self.assertEqual(d.pop(key, None), plain.pop(key, None))
            elif choice < 8:
                self.assertEqual(d.get(key, self), plain.get(key, self))
            elif choice < 9 and plain:
                self.assertEqual(d.popitem(), plain.popitem())
            elif n % 50 == 0:
                more = {random.randrange(10**6): 1 for _ in range(100)}
                d.update(more)
                plain.update(more)
            self.assertEqual(len(d), len(plain))
            if n % 100 == 0:
                self.assertEqual(list(d.items()), list(plain.items()), SEED)
        for key in list(plain):
            del d[key], plain[key]
        self.assertEqual(len(d), 0)

    def test_large(self):
        plain = {f"key {i}": i for i in range(20000)}
        d = self.dict(plain)
        self.assertEqual(len(d), 20000)
        self.assertEqual(d["key 12345"], 12345)
        self.assertEqual(list(d.items()), list(plain.items()))
        d["one more"] = 1
        self.assertEqual(len(d), 20001)


class Lists(TestCase):
    def test_methods(self):
        values = self.list([3, 1, 2])
        values.append(5)
        values.insert(0, 4)
        values.insert(-1, 6)
        values.insert(100, 7)
        self.assertEqual(values, [4, 3, 1, 2, 6, 5, 7])
        self.assertEqual(values[0], 4)
        self.assertEqual(values[-1], 7)
        for index in 7, -8:
            with self.assertRaises(IndexError):
                values[index]
            with self.assertRaises(IndexError):
                values[index] = 1
            with self.assertRaises(IndexError):
                del values[index]
        self.assertEqual(values.pop(), 7)
        self.assertEqual(values.pop(0), 4)
        values.sort()
        self.assertEqual(values, [1, 2, 3, 5, 6])
        values.sort(key=lambda v: -v)
        values.reverse()
        values.remove(3)
        with self.assertRaises(ValueError):
            values.remove(3)
        self.assertEqual(values.index(5), 2)
        self.assertEqual(values.count(5), 1)
        self.assertIn(6, values)
        self.assertNotIn(3, values)
        self.assertEqual(values + [1], [1, 2, 5, 6, 1])
        self.assertEqual([1] + values, [1, 1, 2, 5, 6])
        self.assertEqual(values * 2, [1, 2, 5, 6, 1, 2, 5, 6])
        values += (8, 9)
        values *= 2
        self.assertEqual(values, [1, 2, 5, 6, 8, 9] * 2)
        self.assertLess(values, [2])
        self.assertGreater(values, [1, 2])
        self.assertEqual(repr(values[:2]), "[1, 2]")
        self.assertEqual(list(reversed(values))[:2], [9, 8])
        values.clear()
        self.assertEqual(values, [])
        with self.assertRaises(IndexError):
            values.pop()

    def test_slices(self):
        for start in None, 0, 3, -4, 300, -300:
            for stop in None, 0, 7, -2, 300, -300:
                for step in None, 1, 2, -1, -3:
                    self.one_slice(slice(start, stop, step))

    def one_slice(self, where):
        plain = list(range(20))
        values = self.list(plain)
        self.assertEqual(values[where], plain[where])
        new = ["n"] * len(plain[where])
        values[where] = new
        plain[where] = new
        self.assertEqual(values, plain)
        del values[where]
        del plain[where]
        self.assertEqual(values, plain)

    def test_random(self):
        random.seed(SEED)
        values, plain = self.list(), []
        for n in range(3000):
            i = random.randrange(len(plain) + 1)
            j = i + random.randrange(400)
            choice = random.randrange(12)
            if choice < 4:
                value = random.choice(VALUES)
                values.insert(i, value)
                plain.insert(i, value)
            elif choice < 6:
                values.append(n)
                plain.append(n)
            elif choice < 8 and i < len(plain):
                values[i] = plain[i] = n
            elif choice < 10 and i < len(plain):
                self.assertEqual(values.pop(i), plain.pop(i))
            elif choice == 10:
                new = range(random.randrange(600))
                values[i:j] = new
                plain[i:j] = new
            elif n % 3 == 0:
                del values[i:j]
                del plain[i:j]
            self.assertEqual(len(values), len(plain))
            if n % 100 == 0:
                self.assertEqual(values.copy(), plain, SEED)
        self.assertEqual(values.copy(), plain, SEED)

    def test_iterators_are_snapshots(self):
        values = self.list(range(1000))
        walk = iter(values)
        next(walk)
        values.clear()
        values.append("new")
        self.assertEqual(list(walk), list(range(1, 1000)))


class Sets(TestCase):
    def test_methods(self):
        values = self.set([1, "a", None])
        values.add(2)
        values.add(1)
        self.assertEqual(len(values), 4)
        self.assertIn("a", values)
        values.discard("b")
        values.remove("a")
        with self.assertRaises(KeyError):
            values.remove("a")
        self.assertEqual(set(values), {1, None, 2})


class Strange(TestCase):
    """Values and functions that do what nobody expects."""

    def test_closed_inside(self):
        """A heap stays open as long as something is done with it."""
        values = self.list([2, 1])
        with self.assertRaises(RuntimeError):
            values.sort(key=lambda value: self.heap.close() or 0)
        keys = self.dict(a=1)
        with self.assertRaises(RuntimeError):
            keys.update_key("a", lambda value: self.heap.close() or value)
        self.assertEqual(keys, {"a": 1})
        self.heap.close()
        with self.assertRaises(ValueError):
            keys["a"]

    def fork_inside(self, use):
        """What a child ends with that is forked by a function which is called."""
        pids = []

        def inside(value):
            if not pids:
                pids.append(os.fork())
                if not pids[0]:
                    self.assertRaises(RuntimeError, self.heap.close)
            return value

        status = 1
        try:
            use(inside)
            if pids == [0]:
                self.heap.close()
            status = 0
        finally:
            if pids == [0]:
                os._exit(status)
        return wait(pids[0])

    def test_forked_inside(self):
        """A child is in the middle of it as well, but of nothing other threads do."""
        d = self.dict(keys={"n": 1}, values=[2, 1], set={1, 2}, other={"n": 1})
        keys, values, set_ = d["keys"], d["values"], d["set"]
        begun, end = threading.Event(), threading.Event()

        def wait_inside(value):
            begun.set()
            end.wait()
            return value

        thread = threading.Thread(target=d["other"].update_key, args=("n", wait_inside))
        thread.start()
        begun.wait()
        try:
            for use in (lambda inside: keys.update_key("n", lambda n: inside(n) + 1),
                        lambda inside: values.sort(key=inside),
                        lambda inside: set_._filter(inside)):
                self.assertEqual(self.fork_inside(use), 0)
        finally:
            end.set()
            thread.join()
        self.assertEqual((keys, values, set_), ({"n": 3}, [1, 2], {1, 2}))
        self.heap.close()

    def test_closed_by_what_is_copied(self):
        closing = self.heap

        class Closing(dict):
            def items(self):
                closing.close()
                return super().items()

        values = self.list([])
        with self.assertRaises(ValueError):
            values.append((1, Closing(a=1), 2))

    def test_integers(self):
        """Of a class derived from int, the number counts."""
        class Odd(int):
            def bit_length(self):
                return 1 << 20

            def to_bytes(self, *args, **kwargs):
                return None

        values = self.list([Odd(2**70), Odd(5)])
        self.assertEqual(values[:], [2**70, 5])

    def test_large_neighbours(self):
        """What is small enough alone is so beside others."""
        large = tuple("x" * 250 for _ in range(130))
        values = self.list([1] * 40)
        values[20:20] = [large, large]
        self.assertEqual(values[:], [1] * 20 + [large] * 2 + [1] * 20)

    def test_shared_iterator(self):
        """Threads that share an iterator get each value once."""
        values = self.list(["x" * 300 + str(i) for i in range(400)])
        iterator, got = iter(values), []

        def take():
            got.extend(iterator)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(got), sorted(values[:]))

    def test_copied_by_threads(self):
        """Each thread's value is copied by itself, whatever others copy."""
        keys = self.dict()
        shared = [[i, ["x" * 300]] for i in range(30)]
        failed = []

        def copy_in(number):
            try:
                keys[number] = shared
                assert keys[number] == shared
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=copy_in, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_one_proxy(self):
        """Threads that meet an object for the first time meet the same."""
        for _ in range(20):
            self.heap.root = [[1]]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda _: self.heap.root[0], range(8)))
            self.assertEqual(len(set(map(id, found))), 1)


class Nested(TestCase):
    def test_shared_and_copied(self):
        inner = [1]
        d = self.dict(a=inner, b=inner)
        inner.append(2)
        self.assertEqual(d, {"a": [1], "b": [1]})
        d["a"].append(3)
        self.assertEqual(d["b"], [1, 3])
        self.assertIs(d["a"], d["b"])
        d["c"] = d["a"]
        d["a"].append(4)
        self.assertEqual(d["c"], [1, 3, 4])

    def test_cycles(self):
        plain = {}
        plain["self"] = plain
        self.heap.root = plain
        d = self.heap.root
        self.assertIs(d["self"], d)
        self.assertEqual(repr(d), "{'self': {...}}")

    def test_copies(self):
        d = self.dict(a=[1, {"b": {2}}], t=([1], 2))
        shallow, deep = copy.copy(d), copy.deepcopy(d)
        self.assertIs(type(shallow), dict)
        self.assertIsInstance(shallow["a"], refstore.List)
        self.assertEqual(deep, {"a": [1, {"b": {2}}], "t": ([1], 2)})
        self.assertIs(type(deep["a"][1]["b"]), set)
        self.assertIs(type(deep["t"][0]), list)

    def test_many_objects(self):
        values = self.list([[i] for i in range(300)])
        self.assertEqual([v[0] for v in values], list(range(300)))
        del values[10:200]
        values[5] = {"a": 1}
        values.insert(7, "plain")
        self.assertEqual(values[5], {"a": 1})
        self.assertEqual(values[8], [7])
        self.assertEqual(len(values), 111)


class ReadOnly(unittest.TestCase):
    PATH = "/run/refstore/test_containers"

    def setUp(self):
        heap = refstore.open(self.PATH, create=True)
        self.addCleanup(os.unlink, self.PATH)
        self.addCleanup(heap.close)
        self.many = {i: [i] for i in range(1000)}
        heap.root = {"many": self.many, "few": {1: 2}, "list": [1, 2, 3]}
        self.heap = refstore.open(self.PATH, readonly=True)
        self.addCleanup(self.heap.close)

    def test_reads(self):
        root = self.heap.root
        self.assertEqual(root["many"], self.many)
        self.assertEqual(list(root["many"]), list(range(1000)))
        self.assertEqual((root["many"][7], len(root["many"])), ([7], 1000))
        self.assertEqual((root["few"], root["list"][1:]), ({1: 2}, [2, 3]))

    def test_writes(self):
        root = self.heap.root
        for change in (lambda: root["many"].update({1: 1}),
                       lambda: root["many"].__setitem__(1, 1),
                       root["many"].clear, root["list"].pop,
                       lambda: root.__delitem__("few")):
            with self.assertRaises(PermissionError):
                change()
        self.assertEqual(root["many"], self.many)


if __name__ == "__main__":
    unittest.main()
