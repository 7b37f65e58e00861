# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several changes that are seen at one moment, or not at all."""

import random
import sys
import threading
import unittest

import refstore
from support import fork, wait
from test_processes import PROCESSES, ROUNDS


class Alone(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)
        self.heap.root = {"a": {"n": 1}, "b": {"n": 2}, "list": [1, 2, 3]}
        self.a, self.b = self.heap.root["a"], self.heap.root["b"]
        self.list = self.heap.root["list"]

    def elsewhere(self, function, *args):
        """Calls a function in another thread, which is in no transaction."""
        result = []
        thread = threading.Thread(
            target=lambda: result.append(function(*args)))
        thread.start()
        thread.join()
        return result[0]

    def test_seen_at_the_end(self):
        for attempt in self.heap.transaction():
            with attempt:
                self.a["n"] += 10
                self.b["n"] += 20
                self.list.append(4)
                self.assertEqual((self.a["n"], self.b["n"], self.list[-1]),
                                 (11, 22, 4))
                self.assertEqual(self.elsewhere(
                    lambda: (self.a["n"], self.b["n"], len(self.list))),
                    (1, 2, 3))
        self.assertEqual((self.a["n"], self.b["n"], self.list.copy()),
                         (11, 22, [1, 2, 3, 4]))

    def test_exception(self):
        with self.assertRaises(ZeroDivisionError):
            for attempt in self.heap.transaction():
                with attempt:
                    self.a["n"] = 5
                    self.b["new"] = 1 / 0
        self.assertEqual((self.a, self.b), ({"n": 1}, {"n": 2}))

    def test_entered_without_a_loop(self):
        with self.assertRaisesRegex(TypeError, "for attempt in"):
            with self.heap.transaction():
                self.fail("it must be tried")

    def test_outside_of_the_attempt(self):
        """That is no part of it, and is done, whatever comes of the rest."""
        with self.assertRaises(RuntimeError):
            for _ in self.heap.transaction():
                self.a["n"] = 5
        self.assertEqual(self.a, {"n": 5})

    def change_in(self, times, what):
        """A function that changes something, from outside, so many times."""
        left = [times]

        def interfere():
            if left[0]:
                left[0] -= 1
                self.elsewhere(what)
        return interfere

    def test_written_meanwhile(self):
        interfere = self.change_in(3, lambda: self.a.update_key(
            "n", lambda n: n + 100))
        tries = 0
        for attempt in self.heap.transaction():
            with attempt:
                tries += 1
                self.a["n"] += 1
                interfere()
        self.assertEqual((tries, self.a["n"]), (4, 302))

    def test_read_meanwhile(self):
        """What a change depends on is as it was read, too."""
        interfere = self.change_in(1, lambda: self.a.update({"n": 7}))
        for attempt in self.heap.transaction():
            with attempt:
                self.b["n"] = self.a["n"] * 2
                interfere()
        self.assertEqual(self.b["n"], 14)

    def test_only_read(self):
        interfere = self.change_in(2, lambda: self.a.update_key(
            "n", lambda n: n + 1))
        for attempt in self.heap.transaction():
            with attempt:
                one = self.a["n"]
                interfere()
                other = self.a["n"]
        self.assertEqual((one, other), (3, 3))

    def test_other_keys(self):
        """In a dict of many keys, others may change other ones."""
        self.heap.root = {i: 0 for i in range(1000)}
        many = self.heap.root
        tries = 0
        interfere = self.change_in(1, lambda: many.update({1: 1}))
        for attempt in self.heap.transaction():
            with attempt:
                tries += 1
                many[0] += 1
                interfere()
        self.assertLessEqual(tries, 2)
        self.assertEqual((many[0], many[1], len(many)), (1, 1, 1000))

    def test_exception_of_what_was_read(self):
        """What cannot be where nobody interferes is not raised."""
        def swap():
            self.a["n"] = self.b["n"] = 5

        interfere = self.change_in(1, swap)
        for attempt in self.heap.transaction():
            with attempt:
                one = self.a["n"]
                interfere()
                if one != 1 and self.b["n"] != one:
                    raise AssertionError
                if one == 1 and self.b["n"] != 2:
                    raise KeyError("of two moments")
        self.assertEqual((self.a["n"], self.b["n"]), (5, 5))

    def test_new_containers(self):
        """More than can be looked at; they are nobody else's."""
        for attempt in self.heap.transaction():
            with attempt:
                self.a["new"] = [{"i": i, "more": [i]} for i in range(100)]
                self.assertEqual(self.a["new"][99]["more"], [99])
        self.assertEqual(self.a["new"][50], {"i": 50, "more": [50]})

    def test_too_many(self):
        self.list.extend([[] for _ in range(20)])
        with self.assertRaises(refstore.Error):
            for attempt in self.heap.transaction():
                with attempt:
                    for inner in self.list[3:]:
                        inner.append(1)
        self.assertEqual([len(inner) for inner in self.list[3:]], [0] * 20)

    def test_many_keys(self):
        """A dict that gets many keys in a transaction, and then one more."""
        for attempt in self.heap.transaction():
            with attempt:
                for i in range(600):
                    self.a[i] = i
                self.assertEqual(len(self.a), 601)
                self.assertEqual(self.elsewhere(len, self.a), 1)
        self.a["last"] = 1
        self.assertEqual(list(self.a), ["n", *range(600), "last"])

    def test_very_many_keys(self):
        """All of them are there when the dict becomes wide, afterwards."""
        for attempt in self.heap.transaction():
            with attempt:
                self.a.update({i: i for i in range(20000)})
        self.a["last"] = 1
        self.assertEqual(len(self.a), 20002)
        self.assertTrue(all(self.a[i] == i for i in range(0, 20000, 7)))
        self.assertEqual(len(list(self.a)), 20002)

    def test_too_much_was_looked_at(self):
        """It is refused, and not half forgotten."""
        self.list.clear()
        self.list.extend([{i: i for i in range(300)} for _ in range(4)])
        wide = list(self.list)

        def count(dicts, n):
            for keys in dicts:
                len(keys)
            self.a["n"] = n

        self.heap.atomically(count, wide[:3], 4)
        with self.assertRaises(refstore.Error):
            self.heap.atomically(count, wide, 5)
        self.assertEqual(self.a["n"], 4)

    def test_becomes_wide_meanwhile(self):
        interfere = self.change_in(1, lambda: self.a.update(
            {i: i for i in range(500)}))
        for attempt in self.heap.transaction():
            with attempt:
                self.a["n"] += 1
                interfere()
                self.a["more"] = 1
        self.assertEqual((len(self.a), self.a["n"], self.a["more"]), (502, 2, 1))

    def unraisable(self):
        """A list of what is raised to nobody, from now on."""
        told = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda what: told.append(what.exc_type)
        return told

    def leave(self, way):
        """What is told of a transaction that is left when somebody was faster."""
        interfere = self.change_in(1, lambda: self.a.update({"n": 7}))
        told = self.unraisable()
        for attempt in self.heap.transaction():
            with attempt:
                self.a["n"] += 1
                interfere()
                if way == "break":
                    break
                raise KeyError("of two moments")
            break
        del attempt
        return told

    def test_left_before_it_was_done(self):
        """Who leaves by break or return is told that nothing was done."""
        self.assertEqual((self.leave("break"), self.a["n"]), ([RuntimeError], 7))

    def test_left_after_what_was_not_raised(self):
        """So is who leaves behind an exception that came of others' changes."""
        self.assertEqual((self.leave("raise"), self.a["n"]), ([RuntimeError], 7))

    def test_forked(self):
        """A child has no part in a transaction of another thread."""
        begun, end = threading.Event(), threading.Event()

        def begin():
            for attempt in self.heap.transaction():
                with attempt:
                    self.a["n"] += 1
                    begun.set()
                    end.wait()

        def use():
            threads = [threading.Thread(target=self.b.update, args=({i: i},))
                       for i in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        thread = threading.Thread(target=begin)
        thread.start()
        begun.wait()
        pid = fork(use)
        self.assertEqual(wait(pid), 0)
        end.set()
        thread.join()
        self.assertEqual((self.a["n"], len(self.b)), (2, 21))

    def test_iterators(self):
        """Walk on when the transaction has ended."""
        self.b.update({i: i for i in range(500)})
        for attempt in self.heap.transaction():
            with attempt:
                self.list.append(4)
                self.b[500] = 500
                values, keys = iter(self.list), iter(self.b)
                next(values), next(keys)
        self.list.clear()
        self.b.clear()
        self.assertEqual(list(values), [2, 3, 4])
        self.assertEqual(list(keys), list(range(501)))

    def test_misuse(self):
        with self.assertRaises(RuntimeError):
            for attempt in self.heap.transaction():
                pass
        with self.assertRaises(RuntimeError):
            for attempt in self.heap.transaction():
                with attempt:
                    self.heap.root = {}
        with self.assertRaises(RuntimeError):
            for attempt in self.heap.transaction():
                with attempt:
                    self.heap.atomically(len, self.list)
        self.assertEqual(self.heap.atomically(lambda n: n + self.a["n"], 1), 2)

    def test_close(self):
        with self.assertRaises(ValueError):
            for attempt in self.heap.transaction():
                with attempt:
                    self.a["n"] = 5
                    self.heap.close()


class Together(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def test_sum_stays(self):
        """Those who move amounts from place to place; and who adds all up."""
        self.heap.root = [{"amount": 100} for _ in range(6)]
        accounts = list(self.heap.root)

        def move(one, other, amount):
            one["amount"] -= amount
            other["amount"] += amount

        def work(number):
            rng = random.Random(number)
            for _ in range(ROUNDS // 2):
                one, other = rng.sample(accounts, 2)
                self.heap.atomically(move, one, other, rng.randrange(10))
                total = self.heap.atomically(
                    lambda: sum(account["amount"] for account in accounts))
                assert total == 600, total

        pids = [fork(work, i) for i in range(PROCESSES)]
        self.assertEqual([wait(pid) for pid in pids], [0] * PROCESSES)
        self.assertEqual(sum(a["amount"] for a in accounts), 600)


if __name__ == "__main__":
    unittest.main()
