#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What shared structures cost in Python, beside what is used today.

    bench.py [--operations N] instructions | memory | wall

Prints "NAME VALUE", as the project's other measurements do, for tests/bench/table.py.

instructions   of the whole guest: for one whose clock counts them, a nanosecond each
               (tests/vm/run.sh --icount), with one processor
memory         of a dict that four processes share, in MiB, beside a copy in each
wall           microseconds, for a guest with several processors: the median and the
               quartiles of 11 runs of 1,000 operations
"""

import argparse
import contextlib
import multiprocessing
import os
import platform
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import refstore

KEYS = [f"key {i}" for i in range(1000)]
PROCESSES = 4
LIST = 100_000
ARRAY = 64 << 20
ENTRIES = 1_000_000
RUNS = 11

context = multiprocessing.get_context("fork")


def show(name, value):
    print(f"{name} {value:.3f}", flush=True)


# --- Dicts: what each offers is made to look like a dict ---


class Redis:
    """A hash of Redis, on a UNIX socket, as a dict of integers."""

    def __init__(self, path):
        import redis
        self._redis = redis.Redis(unix_socket_path=path)

    def __getitem__(self, key):
        return int(self._redis.hget("dict", key))

    def __setitem__(self, key, value):
        self._redis.hset("dict", key, value)

    def answers(self):
        import redis
        try:
            return self._redis.ping()
        except redis.ConnectionError:
            return False


@contextlib.contextmanager
def refstore_dict():
    with refstore.open() as heap:
        heap.root = {}
        yield heap.root


@contextlib.contextmanager
def manager_dict():
    with context.Manager() as manager:
        yield manager.dict()


@contextlib.contextmanager
def redis_dict():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "redis")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "",
             "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            redis = Redis(path)
            while not redis.answers():
                time.sleep(0.1)
            yield redis
        finally:
            server.terminate()
            server.wait()


def dicts():
    """Those that are there, by name."""
    found = {"python": refstore_dict, "manager": manager_dict}
    if shutil.which("redis-server"):
        found["redis"] = redis_dict
    return found


def nanoseconds(function, operations):
    """Of one operation, as function(KEYS) does them by the thousand."""
    start = time.perf_counter_ns()
    for _ in range(operations // len(KEYS)):
        function()
    return (time.perf_counter_ns() - start) / (operations // len(KEYS) * len(KEYS))


def measured(target, operations):
    """Nanoseconds of a get and of a set."""
    def get():
        for key in KEYS:
            target[key]

    def set_():
        for i, key in enumerate(KEYS):
            target[key] = i

    set_()
    return nanoseconds(get, operations), nanoseconds(set_, operations)


# --- Handing over: four processes wait, are given something, and answer ---


class Children:
    """Processes that each wait for a message and answer what a function makes of it."""

    def __init__(self, function):
        self._pipes = []
        self._processes = []
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=self._answer, args=(function, theirs))
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        self.ask(None)      # all have started

    @staticmethod
    def _answer(function, pipe):
        while True:
            message = pipe.recv()
            pipe.send(message if message is None else function(message))
            if message is not None:
                break

    def ask(self, message):
        """Sends it to all; what they answer."""
        for pipe in self._pipes:
            pipe.send(message)
        return [pipe.recv() for pipe in self._pipes]

    def end(self):
        for process in self._processes:
            process.join()


def handed_over(publish, take):
    """Nanoseconds until all have what publish() makes and take() gets.

    publish() returns a message; take() makes a number of it, which all must answer.
    """
    children = Children(take)
    start = time.perf_counter_ns()
    answers = children.ask(publish())
    took = time.perf_counter_ns() - start
    children.end()
    if len(set(answers)) != 1:
        raise RuntimeError(f"answers differ: {answers}")
    return took


def hand_over_list():
    data = list(range(LIST))

    with refstore.open() as heap:
        def share():
            heap.root = data
            return True

        show("python_list", handed_over(share, lambda _: sum(heap.root)))
    with context.Manager() as manager:
        show("manager_list", handed_over(
            lambda: manager.list(data), lambda proxy: sum(proxy[:])))
    show("pipe_list", handed_over(lambda: data, sum))


def hand_over_array():
    """An array is filled, and each of four processes looks at each of its pages."""
    import numpy
    from multiprocessing import shared_memory
    data = numpy.arange(ARRAY // 8, dtype=numpy.int64)

    def look(array):
        return int(array[::512].sum())

    if hasattr(refstore.Heap, "buffer"):
        with refstore.open() as heap:
            def share():
                buffer = heap.buffer(ARRAY)
                numpy.frombuffer(buffer, data.dtype)[:] = data
                heap.root = buffer
                return True

            show("python_array", handed_over(
                share, lambda _: look(numpy.frombuffer(heap.root, data.dtype))))

    block = shared_memory.SharedMemory(create=True, size=ARRAY)

    def share_block():
        numpy.frombuffer(block.buf, data.dtype)[:] = data
        return block.name

    def look_at_block(name):
        there = shared_memory.SharedMemory(name)
        try:
            return look(numpy.frombuffer(there.buf, data.dtype))
        finally:
            there.close()

    show("shared_memory_array", handed_over(share_block, look_at_block))
    block.close()
    block.unlink()
    show("pipe_array", handed_over(lambda: data, look))


def instructions(operations):
    taken = {}
    for name, make in dicts().items():
        with make() as target:
            taken[name] = measured(target, operations)
        show(f"{name}_dict_get", taken[name][0])
        show(f"{name}_dict_set", taken[name][1])
    for name in taken.keys() - {"python"}:
        for what, ours, theirs in zip(("get", "set"), taken["python"], taken[name]):
            show(f"python_dict_{what}_below_{name}", theirs / ours)
    hand_over_list()
    with contextlib.suppress(ImportError):
        hand_over_array()


# --- Memory ---


def private_bytes():
    """What this process alone would give back if it ended."""
    total = 0
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total


def grown(make):
    """By how much the process grows while it makes a dict and looks into it."""
    before = private_bytes()
    target = make()
    chosen = random.Random(1)
    for _ in range(1000):
        key = chosen.randrange(ENTRIES)
        if target[f"key {key}"] != key:
            raise RuntimeError("this is not what was put in")
    return private_bytes() - before


def entries():
    return {f"key {i}": i for i in range(ENTRIES)}


def in_processes(make):
    children = Children(lambda _: grown(make))
    sizes = children.ask(True)
    children.end()
    return sum(sizes)


def memory(_):
    """Who fills the dict is a fifth process, which is gone by then."""
    path = f"/run/refstore/bench-{os.getpid()}"

    def fill():
        with refstore.open(path, create=True) as heap:
            heap.root = entries()

    process = context.Process(target=fill)
    process.start()
    process.join()
    heap = os.stat(path).st_size
    processes = in_processes(lambda: refstore.open(path).root)
    os.unlink(path)
    show("python_million_heap", heap / 2**20)
    show("python_million", (heap + processes) / 2**20)
    show("copies_million", in_processes(entries) / 2**20)


# --- Wall time ---


def wall(_):
    for name, make in dicts().items():
        with make() as target:
            runs = [measured(target, len(KEYS)) for _ in range(RUNS)]
        for what, times in zip(("get", "set"), zip(*runs)):
            quartiles = statistics.quantiles(times, n=4)
            for place, value in zip(("q1", "median", "q3"), quartiles):
                show(f"{name}_dict_{what}_us_{place}", value / 1000)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=10_000, metavar="N",
                        help="on a dict of 1,000 keys, where instructions are counted "
                             "(10,000)")
    parser.add_argument("what", choices=("instructions", "memory", "wall"))
    args = parser.parse_args()
    print(f"# measured: refstore's package on Python {platform.python_version()}")
    globals()[args.what](args.operations)


if __name__ == "__main__":
    main()
