#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What CPython's own reference counting and cycle collector cost.

Prints "NAME NANOSECONDS" for an object, operation or collection: what refstore's native
figures stand beside. An object is an instance with two slots.
"""
import gc
import platform
import random
import statistics
import sys
import time
import timeit

RUNS = 5
MILLION = 1_000_000


class Node:
    """As large as an object of ours: a header and two references."""

    __slots__ = ("first", "second")

    def __init__(self):
        self.first = None
        self.second = None


class Plain:
    """Made and dropped, with nothing run in between."""

    __slots__ = ("first", "second")


def timed(statement, **names):
    """Nanoseconds of a million of a statement; the loop turns for ten."""
    statement = "; ".join([statement] * 10)
    seconds = timeit.timeit(statement, globals=names, number=MILLION // 10)
    return seconds * 1e9


def instance():
    return timed("Plain()", Plain=Plain)


def get_slot():
    return timed("node.first", node=Node())


def set_slot():
    """As the kernel's: two values take turns, each with a count to drop."""
    values = Node(), Node()
    return timed("node.first = a; node.first = b", node=Node(),
                 a=values[0], b=values[1]) / 2


def make_chain(shuffled):
    """The first and the last of a million, linked by their first slots."""
    nodes = [Node() for _ in range(MILLION)]
    if shuffled:
        random.shuffle(nodes)
    for i in range(MILLION - 1):
        nodes[i].first = nodes[i + 1]
    return nodes[0], nodes[-1]


def make_ring(shuffled):
    """One of a million in a ring."""
    head, last = make_chain(shuffled)
    last.first = head
    return head


def collect(expected):
    """Nanoseconds of a full collection, which finds that many."""
    start = time.perf_counter_ns()
    found = gc.collect()
    took = time.perf_counter_ns() - start
    if found != expected:
        print(f"{found} collected, not {expected}", file=sys.stderr)
    return took


def scan_live(shuffled=False):
    head = make_ring(shuffled)
    gc.collect()
    took = collect(0)
    head.first = None
    return took


def scan_dead(shuffled=False):
    head = make_ring(shuffled)
    gc.collect()
    del head
    return collect(MILLION)


def scan_dead_pairs():
    nodes = [Node() for _ in range(MILLION)]
    for i in range(0, MILLION, 2):
        nodes[i].first = nodes[i + 1]
        nodes[i + 1].first = nodes[i]
    gc.collect()
    del nodes
    return collect(MILLION)


def gc_collect():
    """As pyperformance's: 100 cycles of 21 nodes, linked both ways."""
    for _ in range(100):
        nodes = [Node() for _ in range(21)]
        for i, node in enumerate(nodes):
            node.first = nodes[(i + 1) % 21]
            node.second = nodes[i - 1]
    del nodes, node
    return collect(2100)


def gc_traversal():
    """As pyperformance's: the k-th of 1000 lists holds k times the last."""
    last = []
    for k in range(1, 1000):
        last = [last] * k
    return collect(0)


def chain_release():
    head, last = make_chain(False)
    del last
    gc.collect()
    start = time.perf_counter_ns()
    del head
    return time.perf_counter_ns() - start


BENCHES = {
    "cpython_instance": instance,
    "cpython_get_slot": get_slot,
    "cpython_set_slot": set_slot,
    "cpython_scan_live_1m": scan_live,
    "cpython_scan_live_1m_shuffled": lambda: scan_live(True),
    "cpython_scan_dead_1m": scan_dead,
    "cpython_scan_dead_1m_shuffled": lambda: scan_dead(True),
    "cpython_scan_dead_pairs_1m": scan_dead_pairs,
    "cpython_chain_release_1m": chain_release,
}

# Nanoseconds of a whole collection.
COLLECTIONS = {
    "cpython_gc_collect": gc_collect,
    "cpython_gc_traversal": gc_traversal,
}


def main():
    print(f"# measured: CPython {platform.python_version()}")
    gc.disable()
    # What the interpreter itself is made of is not looked at.
    gc.freeze()
    for name, function in BENCHES.items():
        took = statistics.median(function() for _ in range(RUNS))
        print(f"{name} {took / MILLION:.1f}", flush=True)
    for name, function in COLLECTIONS.items():
        took = statistics.median(function() for _ in range(RUNS))
        print(f"{name} {took:.0f}", flush=True)


if __name__ == "__main__":
    main()
