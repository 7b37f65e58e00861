# SPDX-License-Identifier: LGPL-2.1-or-later
"""What several processes do at once, and what is left when they are killed."""

import itertools
import os
import random
import signal
import tempfile
import time
import unittest

import refstore
from support import fork, wait

PROCESSES = 4
ROUNDS = int(os.environ.get("REFSTORE_ROUNDS", "200"))
KILLS = int(os.environ.get("REFSTORE_KILLS", "20"))


class Together(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def run_all(self, function, *args):
        pids = [fork(function, i, *args) for i in range(PROCESSES)]
        self.assertEqual([wait(pid) for pid in pids], [0] * PROCESSES)

    def test_update_key(self):
        """No addition is lost, whether few keys are there or many."""
        for others in 0, 1000:
            self.heap.root = {f"other {i}": i for i in range(others)}
            d = self.heap.root
            d["n"] = 0

            def add(_):
                for _ in range(ROUNDS):
                    d.update_key("n", lambda n: n + 1)

            self.run_all(add)
            self.assertEqual(d["n"], PROCESSES * ROUNDS)
            self.assertEqual(len(d), others + 1)

    def test_own_keys(self):
        """All come, in an order in which each process's own are in theirs."""
        self.heap.root = {}
        d = self.heap.root

        def add(number):
            for i in range(ROUNDS):
                d[number, i] = i

        self.run_all(add)
        self.assertEqual(len(d), PROCESSES * ROUNDS)
        for number in range(PROCESSES):
            own = [i for n, i in d if n == number]
            self.assertEqual(own, list(range(ROUNDS)))

    def test_append(self):
        self.heap.root = []
        values = self.heap.root

        def add(number):
            for i in range(ROUNDS):
                values.append((number, i))

        self.run_all(add)
        self.assertEqual(len(values), PROCESSES * ROUNDS)
        for number in range(PROCESSES):
            self.assertEqual([i for n, i in values if n == number],
                             list(range(ROUNDS)))

    def test_updates_are_whole(self):
        """Whoever looks sees all keys of an update, or none."""
        keys = [f"key {i}" for i in range(500)]
        self.heap.root = dict.fromkeys(keys, 0)
        d = self.heap.root

        def write_or_read(number):
            for i in range(ROUNDS // 10):
                if number % 2:
                    d.update(dict.fromkeys(keys, (number, i)))
                else:
                    assert len(set(d.values())) == 1

        self.run_all(write_or_read)

    def test_closed_while_others_write(self):
        """By a signal's handler, which runs when what others changed is read anew."""
        keys = [f"key {i}" for i in range(500)]
        self.heap.root = dict.fromkeys(keys, 0)
        d = self.heap.root

        def write():
            for i in itertools.count():
                d.update(dict.fromkeys(random.sample(keys, 100), i))

        def count():
            signal.signal(signal.SIGALRM, lambda *_: self.heap.close())
            signal.setitimer(signal.ITIMER_REAL, random.random() / 50 + 1e-3)
            try:
                while True:
                    assert len(d) == 500
            except (RuntimeError, ValueError):
                pass

        pids = [fork(write) for _ in range(PROCESSES // 2)]
        try:
            for _ in range(30):
                self.assertEqual(wait(fork(count)), 0)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                wait(pid)


class Killed(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def work(self, number, log):
        """Counts up its own key, and notes each call that has returned."""
        d = self.heap.root
        n = d[number]
        while True:
            os.pwrite(log, n.to_bytes(8, "little"), 8 * number)
            n += 1
            d[number] = n

    def test_killed(self):
        """Of each call that has returned, the effect is there."""
        self.heap.root = dict.fromkeys(range(300), 0)
        d = self.heap.root
        with tempfile.TemporaryFile() as file:
            file.write(bytes(8 * PROCESSES))
            file.flush()
            pids = [fork(self.work, i, file.fileno()) for i in range(PROCESSES)]
            for _ in range(KILLS):
                time.sleep(random.random() / 20)
                number = random.randrange(PROCESSES)
                os.kill(pids[number], signal.SIGKILL)
                self.assertEqual(wait(pids[number]), -signal.SIGKILL)
                noted = int.from_bytes(os.pread(file.fileno(), 8, 8 * number),
                                       "little")
                self.assertIn(d[number], (noted, noted + 1))
                pids[number] = fork(self.work, number, file.fileno())
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                wait(pid)
        self.assertEqual(len(d), 300)
        self.assertEqual(list(d), list(range(300)))


if __name__ == "__main__":
    unittest.main()
