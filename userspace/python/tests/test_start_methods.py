# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects and heaps in multiprocessing and concurrent.futures, all start methods."""

import concurrent.futures
import functools
import multiprocessing
import os
import signal
import time
import unittest

import refstore
from refstore import sync
from support import TestCase

METHODS = "fork", "spawn", "forkserver"


def each_method(test):
    """Run a test with the context of each start method."""
    @functools.wraps(test)
    def run(self):
        for method in METHODS:
            with self.subTest(method):
                test(self, multiprocessing.get_context(method))
    return run


@refstore.register("test.Job")
class Job(refstore.Record):
    def finish(self):
        self.done = os.getpid()


def change(d, heap=None):
    d["list"].append(os.getpid())
    if heap is not None:
        assert d is heap.root, "the heap's own proxy"


def append_from_queue(tasks, answers):
    for value in iter(tasks.get, None):
        value.append(os.getpid())
        answers.put(value)


def make_and_end(answers, heap):
    """Puts what nothing else refers to, and ends at once."""
    answers.put(heap.new(list, [os.getpid()]))


def double(value):
    value.append(value[0] * 2)
    return value


def finish(job):
    job.finish()
    return job


def look_into(nested):
    return [nested["a"][0][0], nested["t"][1].done, len(nested["s"])]


def answer(connection):
    value = connection.recv()
    value["answer"] = len(value)
    connection.send([value, value["inner"]])


def wait_with(connection, *values):
    """Says that it is ready, with what it has got, and waits for its end."""
    connection.send(values)
    connection.recv()


def pickle_and_wait(connection, heap):
    """Has an object of its own in flight, and says its id."""
    value = heap.new(list)
    data = multiprocessing.reduction.ForkingPickler.dumps(value)
    number = value._id
    del value
    connection.send((number, bytes(data)))
    connection.recv()


def append_pid(values):
    values.append(os.getpid())


def come_last(barrier):
    while not barrier.n_waiting:
        time.sleep(0.01)
    barrier.wait()


_global = None


def set_global(value):
    global _global
    _global = value


def add_to_global(n):
    return _global.update_key("sum", lambda old: old + n)


class StartMethods(TestCase):
    def start(self, context, function, *args):
        process = context.Process(target=function, args=args)
        process.start()
        return process

    def join(self, process):
        process.join()
        self.assertEqual(process.exitcode, 0)
        process.close()

    @each_method
    def test_arguments(self, context):
        for heap in self.heap, self.named:
            heap.root = {"list": []}
            d = heap.root
            process = self.start(context, change, d)
            pid = process.pid
            self.join(process)
            self.assertEqual(d["list"], [pid])

    @each_method
    def test_heap_and_object(self, context):
        for heap in self.heap, self.named:
            heap.root = {"list": []}
            self.join(self.start(context, change, heap.root, heap))
            self.assertEqual(len(heap.root["list"]), 1)

    @each_method
    def test_queue(self, context):
        tasks, answers = context.Queue(), context.Queue()
        self.heap.root = [[i] for i in range(20)]
        process = self.start(context, append_from_queue, tasks, answers)
        pid = process.pid
        for value in self.heap.root:
            tasks.put(value)
        for value in self.heap.root:
            self.assertIs(answers.get(), value)
            self.assertEqual(value[1], pid)
        tasks.put(None)
        self.join(process)

    @each_method
    def test_sender_ends_at_once(self, context):
        """It waits until what it has put is taken."""
        answers = context.Queue()
        for heap in self.heap, self.named:
            process = self.start(context, make_and_end, answers, heap)
            pid = process.pid
            self.assertEqual(answers.get(), [pid])
            self.join(process)

    @each_method
    def test_pipe(self, context):
        ours, theirs = context.Pipe()
        self.heap.root = {"inner": [1]}
        process = self.start(context, answer, theirs)
        ours.send(self.heap.root)
        value, inner = ours.recv()
        self.assertIs(value, self.heap.root)
        self.assertIs(inner, value["inner"])
        self.assertEqual(value["answer"], 1)
        self.join(process)

    @each_method
    def test_pool(self, context):
        self.heap.root = [[i] for i in range(100)]
        with context.Pool(2) as pool:
            for i, value in enumerate(pool.imap(double, self.heap.root)):
                self.assertEqual(value, [i, 2 * i])
            nested = {"a": [self.heap.root[7]], "s": {1, 2},
                      "t": (0, self.heap.new(Job, done=5))}
            self.assertEqual(pool.apply(look_into, [nested]), [7, 5, 2])

    @each_method
    def test_pool_with_initializer(self, context):
        self.heap.root = {"sum": 0}
        with context.Pool(2, set_global, (self.heap.root,)) as pool:
            results = pool.map(add_to_global, [1] * 50)
        self.assertEqual(sorted(results), list(range(1, 51)))
        self.assertEqual(self.heap.root["sum"], 50)

    @each_method
    def test_executor(self, context):
        self.named.root = [self.named.new(Job, n=i) for i in range(30)]
        with concurrent.futures.ProcessPoolExecutor(2, context) as executor:
            jobs = list(executor.map(finish, self.named.root))
        for job, own in zip(jobs, self.named.root):
            self.assertIs(job, own)
            self.assertNotEqual(job.done, os.getpid())


    @each_method
    def test_action_of_a_barrier(self, context):
        """Who comes last calls it, be it another process."""
        self.heap.root = []
        barrier = sync.Barrier(self.heap, 2,
                               functools.partial(append_pid, self.heap.root))
        process = self.start(context, come_last, barrier)
        barrier.wait()
        pid = process.pid
        self.join(process)
        self.assertEqual(self.heap.root, [pid])


class WhatIsLeft(TestCase):
    """Of children that end, or are killed, nothing is."""

    @each_method
    def test_end_releases_own_handles_only(self, context):
        self.heap.root = {"list": []}
        d, inner = self.heap.root, self.heap.root["list"]
        before = self.holders(d), self.holders(inner)
        ours, theirs = context.Pipe()
        process = context.Process(target=wait_with, args=(theirs, d, inner))
        process.start()
        values = ours.recv()
        self.assertIs(values[0], d)
        self.assertGreater(self.holders(d), before[0])
        ours.send(None)
        process.join()
        self.assertEqual(process.exitcode, 0)
        process.close()
        self.assertEqual((self.holders(d), self.holders(inner)), before)
        d["list"].append(1)
        self.assertEqual(inner, [1])
        self.command(self.heap, "verify")

    @each_method
    def test_killed_receiver(self, context):
        self.heap.root = {"list": []}
        d = self.heap.root
        before = self.holders(d)
        ours, theirs = context.Pipe()
        process = context.Process(target=wait_with, args=(theirs, d))
        process.start()
        ours.recv()
        process.kill()
        process.join()
        self.assertEqual(process.exitcode, -signal.SIGKILL)
        process.close()
        self.assertEqual(self.holders(d), before)
        self.command(self.heap, "verify")

    @each_method
    def test_killed_sender(self, context):
        """What it had in flight goes with it."""
        self.heap.root = []
        ours, theirs = context.Pipe()
        process = context.Process(target=pickle_and_wait, args=(theirs, self.heap))
        process.start()
        number, data = ours.recv()
        self.assertIn(number, self.ids())
        process.kill()
        process.join()
        process.close()
        self.assertNotIn(number, self.ids())
        with self.assertRaisesRegex(refstore.Error, "has ended"):
            multiprocessing.reduction.ForkingPickler.loads(data)
        self.command(self.heap, "verify")

    def ids(self):
        return {found["id"] for found in self.command(self.heap, "ls")}

    @each_method
    def test_child_that_does_not_start(self, context):
        """What it was to inherit is closed with its Process."""
        if context.get_start_method() == "fork":
            self.skipTest("nothing is pickled")
        self.heap.root = []
        before = self.holders(self.heap.root)
        with self.assertRaises(Exception):
            context.Process(target=double,
                            args=(self.heap.root, lambda: None)).start()
        self.assertEqual(self.holders(self.heap.root), before)


if __name__ == "__main__":
    unittest.main()
