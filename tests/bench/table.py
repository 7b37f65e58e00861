#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Puts what was measured side by side: a table, and a list for programs.

usage: table.py FIGURES... JSON

Each file of figures holds lines "NAME VALUE"; other lines are passed over, and
so is "refstore_bench: " before a name, which is the kernel's. Those names get a
"native_". "# measured: WHAT" tells what was measured with.
"""
import json
import re
import sys

LINE = re.compile(r"(refstore_bench: )?([a-z]\w*) ([0-9.]+)")
NOTE = re.compile(r"# measured: (.*)")
# The kernel's own, which bear the same name everywhere.
NOT_OURS = {"slab_pair"}

PER_PAIR, PER_OBJECT, PER_CALL = (
    "instructions/pair", "instructions/object", "instructions/call")
PER_VALUE = "instructions/value"
PER_ACCESS, PER_HANDOVER = "instructions/access", "instructions/four processes"
NS_PAIR, NS_OBJECT, NS, NS_COLLECTION = (
    "ns/pair", "ns/object", "ns/operation", "ns/collection")

CALLS = ("add_key_unlink", "memfd_close", "eventfd_close", "getppid")


def calls_memcg():
    return tuple(f"{name}_memcg" for name in CALLS)


def on_servers(name):
    """What the Python package stands beside."""
    return f"manager_{name}", f"redis_{name}"


# name, unit, aim, peers
ROWS = (
    ("create_release_64b", PER_PAIR, 2500, CALLS),
    ("batch_create_release_64b", PER_OBJECT, 300, CALLS),
    ("many_create_release_64b", PER_OBJECT, 300, CALLS),
    ("create_release_64b_memcg", PER_PAIR, None, calls_memcg()),
    ("batch_create_release_64b_memcg", PER_OBJECT, None, calls_memcg()),
    ("many_create_release_64b_memcg", PER_OBJECT, None, calls_memcg()),
    ("get_slot_release", PER_PAIR, None, ("getppid",)),
    ("batch_get_slot_release", PER_PAIR, None, ("getppid",)),
    ("set_slot", PER_CALL, None, ("getppid",)),
    ("batch_set_slot", "instructions/operation", None, ("getppid",)),
    ("read_64b", PER_CALL, None, ("getppid",)),
    ("batch_read_64b", "instructions/operation", None, ("getppid",)),
    ("ioctl_refused", PER_CALL, None, ("getppid",)),
    ("large_1m", PER_VALUE, None, ("memfd_1m", "memfd_sealed_1m")),
    ("large_unsealed_1m", PER_VALUE, None, ("memfd_1m",)),
    ("large_to_memfd", "large/memfd", 1.2, ()),
    ("large_pages", "pages/MiB", 256, ()),
    ("large_gigabyte_page_tables", "KiB/process", None, ()),
    ("native_create_release_64b", NS_PAIR, 60,
     ("slab_pair", "cpython_instance")),
    ("native_get_slot", NS, 30, ("slab_pair", "cpython_get_slot")),
    ("native_set_slot", NS, 30, ("slab_pair", "cpython_set_slot")),
    ("native_scan_live_1m", NS_OBJECT, 25,
     ("slab_pair", "cpython_scan_live_1m")),
    ("native_scan_live_1m_shuffled", NS_OBJECT, 30,
     ("slab_pair", "cpython_scan_live_1m_shuffled")),
    ("native_scan_dead_1m", NS_OBJECT, 30,
     ("slab_pair", "cpython_scan_dead_1m")),
    ("native_scan_dead_1m_shuffled", NS_OBJECT, 100,
     ("slab_pair", "cpython_scan_dead_1m_shuffled")),
    ("native_scan_dead_pairs_1m", NS_OBJECT, 30,
     ("slab_pair", "cpython_scan_dead_pairs_1m")),
    ("native_scan_live_1m_from_one", NS_OBJECT, None,
     ("cpython_scan_live_1m",)),
    ("native_scan_live_1m_from_one_shuffled", NS_OBJECT, None,
     ("cpython_scan_live_1m_shuffled",)),
    ("native_scan_live_10m", NS_OBJECT, None, ("native_scan_live_1m",)),
    ("native_scan_dead_1m_from_one", NS_OBJECT, None,
     ("cpython_scan_dead_1m",)),
    ("native_scan_dead_1m_from_one_shuffled", NS_OBJECT, None,
     ("cpython_scan_dead_1m_shuffled",)),
    ("native_chain_release_1m", NS_OBJECT, 18,
     ("slab_pair", "cpython_chain_release_1m")),
    ("native_gc_collect", NS_COLLECTION, 60000, ("cpython_gc_collect",)),
    ("native_gc_traversal", NS_COLLECTION, 600000, ("cpython_gc_traversal",)),
    ("scan_mutator_instructions", "busy/idle", 1.2, ()),
    ("scan_mutator_busy", "instructions/4 calls", None,
     ("scan_mutator_idle",)),
    ("scan_p99", "busy/idle", 1.2, ()),
    ("scan_p999", "busy/idle", None, ()),
    ("scan_p99_microseconds", "us/operation", None, ()),
    ("scan_max_microseconds", "us/operation", None, ()),
    ("python_dict_get", PER_ACCESS, None, on_servers("dict_get")),
    ("python_dict_get_below_manager", "manager/ours", 20, ()),
    ("python_dict_get_below_redis", "redis/ours", 5, ()),
    ("python_dict_set", PER_ACCESS, None, on_servers("dict_set")),
    ("python_dict_set_below_manager", "manager/ours", 10, ()),
    ("python_dict_set_below_redis", "redis/ours", 5, ()),
    ("python_list", PER_HANDOVER, None, ("manager_list", "pipe_list")),
    ("python_array", PER_HANDOVER, None, ("shared_memory_array", "pipe_array")),
    ("python_million", "MiB/four processes", None, ("copies_million",)),
    ("python_million_heap", "MiB", None, ()),
) + tuple(
    (f"python_{name}", "us/operation", None, on_servers(name))
    for name in (f"dict_{what}_us_{place}" for what in ("get", "set")
                 for place in ("q1", "median", "q3"))
)

PEERS = {
    "add_key_unlink": "add_key(2) of 64 bytes and keyctl(KEYCTL_UNLINK)",
    "memfd_close": "memfd_create(2) and close(2), nothing written",
    "eventfd_close": "eventfd(2) and close(2)",
    "getppid": "getppid(2): what any system call costs",
    "..._memcg": "the same in a memory cgroup, where memory is charged",
    "memfd_1m": "a memfd of 1 MiB made, filled, sent, mapped and read by another "
                "process; ours: as a large value, by a slot",
    "memfd_sealed_1m": "the same with all seals, as ours has them",
    "slab_pair": "kmem_cache_alloc() and kmem_cache_free() of 96 bytes",
    "cpython_instance": "an instance with two slots, made and dropped",
    "cpython_get_slot": "node.slot, with the interpreter's share",
    "cpython_set_slot": "node.slot = value, likewise",
    "cpython_scan_live_1m": "gc.collect() on a ring of a million instances",
    "..._from_one": "ours from a single candidate; else each object is one",
    "cpython_scan_dead_1m": "the same, which nobody refers to any more",
    "cpython_..._shuffled": "linked in random order",
    "cpython_scan_dead_pairs_1m": "half a million rings of two",
    "cpython_chain_release_1m": "del of the head of a chain of a million",
    "cpython_gc_collect": "pyperformance's: 100 dead cycles of 21",
    "cpython_gc_traversal": "pyperformance's: 1000 live lists, half a million "
                            "references",
    "scan_mutator_idle": "get, set, create, release without a scan; busy: with "
                         "one half done",
    "scan_p99": "the same four, their 99th percentile with scans back to back "
                "to that without",
    "manager_...": "multiprocessing.Manager(); ours: the Python package",
    "redis_...": "python3-redis on a UNIX socket",
    "..._us_q1": "wall time, two processors: quartiles and median of 11 runs",
    "..._list": "100,000 integers, given to four processes, each of which adds them",
    "..._array": "64 MiB of NumPy, given to four processes, each of which reads it",
    "pipe_...": "pickled, through a pipe to each",
    "shared_memory_array": "multiprocessing.shared_memory",
    "copies_million": "a dict of a million in each of four; ours: the heap, and what "
                      "four processes have beside it",
}

HEADS = ("name", "value", "unit", "aim", "peer", "peer value", "ratio")


def read_line(line, figures, notes):
    note = NOTE.fullmatch(line)
    if note:
        notes.append(note.group(1))
    match = LINE.fullmatch(line)
    if match:
        kernel, name, value = match.groups()
        if kernel and name not in NOT_OURS:
            name = "native_" + name
        figures[name] = float(value)


def read_figures(paths):
    figures, notes = {}, []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                read_line(line.strip(), figures, notes)
    return figures, notes


def entry(name, value, unit, peer=None, peer_value=None):
    ratio = round(value / peer_value, 4) if peer_value else None
    return {"name": name, "value": value, "unit": unit, "peer": peer,
            "peer_value": peer_value, "ratio": ratio}


def unit_of_peer(name, unit):
    """A peer's own unit, from the first row that it stands in."""
    if name.startswith("getppid"):
        return PER_CALL
    if unit in (PER_VALUE, PER_ACCESS, PER_HANDOVER):
        return unit
    if unit.startswith("instructions"):
        return PER_PAIR
    return NS_PAIR if name in ("slab_pair", "cpython_instance") else unit


def own_entries(figures):
    """A row of ours for each peer that was measured; one without, if none."""
    for name, unit, _, peers in ROWS + new_rows(figures):
        if name not in figures:
            continue
        there = [peer for peer in peers if peer in figures]
        for peer in there or [None]:
            yield entry(name, figures[name], unit, peer, figures.get(peer))


def new_rows(figures):
    """What the kernel measures and nobody has put beside anything yet."""
    known = {name for name, *_ in ROWS}
    return tuple((name, NS, None, ("slab_pair",)) for name in figures
                 if name.startswith("native_") and name not in known)


def peer_entries(figures):
    seen = set()
    for _, unit, _, peers in ROWS:
        for peer in peers:
            if peer in figures and peer not in seen:
                seen.add(peer)
                yield entry(peer, figures[peer], unit_of_peer(peer, unit))


def cells(row, aims, before):
    """A row's columns; what the row before says already is left out."""
    value = f"{row['value']:,.{1 if row['value'] >= 10 else 2}f}"
    aim = aims.get(row["name"])
    head = [row["name"], value, row["unit"], f"{aim:,}" if aim else ""]
    if before and before["name"] == row["name"]:
        head = [""] * len(head)
    if row["peer"] is None:
        return head + ["", "", ""]
    return head + [row["peer"], f"{row['peer_value']:,.1f}",
                   f"{row['ratio']:.3f}"]


def print_table(rows):
    aims = {name: aim for name, _, aim, _ in ROWS}
    lines = [list(HEADS)]
    for before, row in zip([None] + rows, rows):
        lines.append(cells(row, aims, before))
    widths = [max(map(len, column)) for column in zip(*lines)]
    right = {1, 3, 5, 6}
    for line in lines:
        print("  ".join(
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths))).rstrip())


def print_peers(notes):
    print("\nThe peers (a ratio is ours to theirs; below 1 is less):")
    width = max(map(len, PEERS))
    for name, what in PEERS.items():
        print(f"  {name.ljust(width)}  {what}")
    print("\nMeasured with " + ", ".join(notes) + ".")


def print_missing(figures):
    missing = [name for name, *_ in ROWS if name not in figures]
    if missing:
        print("\nnot measured: " + ", ".join(missing), file=sys.stderr)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    figures, notes = read_figures(sys.argv[1:-1])
    rows = list(own_entries(figures)) + list(peer_entries(figures))
    with open(sys.argv[-1], "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
        out.write("\n")
    print_table(rows)
    print_peers(notes)
    print_missing(figures)


if __name__ == "__main__":
    main()
