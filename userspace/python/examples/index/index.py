#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An index of the Python standard library's sources, which processes share.

Several workers build it, and it can be asked while they do: which files have a word,
where a function or class is, who calls it and what it calls.

    ./index.py build --workers 4
    ./index.py words shared memory
    ./index.py symbols '*Decoder'
    ./index.py callers json.loads
    ./index.py callees json.decoder.JSONDecoder.decode
    ./index.py stats
    ./index.py drop
    ./index.py compare

The store behind it is a named heap of refstore, or, with --store, a multiprocessing
Manager or Redis, for which build starts a server and drop ends it. compare builds the
index in all three, one after the other, and shows what each takes.
"""

import argparse
import fnmatch
import os
import sys
import sysconfig
import tempfile
import time

import sources
from build import build
from stores import DONE, STORES


def default_place(kind):
    """Where the store is, if nobody says: for servers, a socket nobody else can use."""
    if kind == "refstore":
        return "/run/refstore/index"
    folder = os.path.expanduser("~/.cache/refstore-index")
    os.makedirs(folder, 0o700, exist_ok=True)
    return os.path.join(folder, kind)


def matching(store, table, pattern):
    """Keys that a pattern of the shell's matches; without wildcards, it is the key."""
    if not any(c in pattern for c in "*?["):
        return [pattern]
    return fnmatch.filter(store.keys(table), pattern)


def show_progress(done, number):
    if sys.stderr.isatty():
        print(f"\r{done} of {number} files", end="\n" * (done == number), flush=True,
              file=sys.stderr)


def run_build(args):
    start = time.monotonic()
    files = sources.files(args.sources)
    try:
        store = build(args.store, args.at, args.sources, files, args.workers,
                      show_progress)
    except KeyboardInterrupt:
        sys.exit("\nstopped; another build goes on from here")
    print(f"{len(files)} files in {time.monotonic() - start:.1f} s")
    store.close()


def run_words(store, args):
    """Files that have all the words; those first that have them most often."""
    found = [store.get("words", word.lower()) for word in args.words]
    files = set.intersection(*map(set, found))
    times = {file: sum(entries[file] for entries in found) for file in files}
    for file in sorted(files, key=lambda file: (-times[file], file))[:20]:
        print(f"{times[file]:6} {file}")


def run_symbols(store, args):
    for name in sorted(matching(store, "symbols", args.name)):
        for full_name, (kind, file, line) in sorted(store.get("symbols", name).items()):
            print(f"{kind:8} {full_name}  {file}:{line}")


def run_calls(store, args):
    for name in sorted(matching(store, args.command, args.name)):
        for other, times in sorted(store.get(args.command, name).items()):
            print(f"{times:6} {other}")


def run_stats(store, args):
    states = list(store.files().values())
    print(f"files    {states.count(DONE):9,} of {len(states):,}")
    for table in sources.TABLES:
        print(f"{table:8} {len(store.keys(table)):9,}")
    print(f"memory   {store.memory():9,} bytes")


def contents(store):
    """The whole index, as plain dicts."""
    return {table: {key: store.get(table, key) for key in store.keys(table)}
            for table in sources.TABLES}


def measure(kind, place, args):
    """Builds the index and asks it; returns what is in it."""
    start = time.monotonic()
    store = build(kind, place, args.sources, sources.files(args.sources), args.workers,
                  show_progress)
    built = time.monotonic()
    found = contents(store)
    asked = time.monotonic()
    number = sum(map(len, found.values()))
    print(f"{kind:9} {built - start:7.1f} s {(asked - built) / number * 1e6:9.1f} us "
          f"{store.memory() / 2**20:8.1f} MiB", flush=True)
    store.drop()
    return found


def run_compare(args):
    print(f"{'':9} {'build':>9} {'a query':>12} {'memory':>12}")
    with tempfile.TemporaryDirectory() as folder:
        results = [
            measure(kind, f"/run/refstore/index-{os.getpid()}" if kind == "refstore"
                    else os.path.join(folder, kind), args)
            for kind in STORES
        ]
    if any(result != results[0] for result in results):
        sys.exit("the indexes differ")
    print("all three indexes are equal")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=STORES, default="refstore",
                        help="what keeps the index")
    parser.add_argument("--at", metavar="PATH", help="the heap's name, or a socket")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in "build", "compare":
        command = commands.add_parser(name)
        command.add_argument("--workers", type=int, default=os.cpu_count())
        command.add_argument("--sources", metavar="FOLDER",
                             default=sysconfig.get_path("stdlib"))
    commands.add_parser("words").add_argument("words", nargs="+")
    for name in "symbols", "callers", "callees":
        commands.add_parser(name).add_argument("name")
    commands.add_parser("stats")
    commands.add_parser("drop")
    return parser.parse_args()


def main():
    args = parse_arguments()
    args.at = args.at or default_place(args.store)
    if args.command == "build":
        run_build(args)
        return
    if args.command == "compare":
        run_compare(args)
        return
    if not os.path.exists(args.at):
        sys.exit(f"{args.at}: there is no index; build one")
    store = STORES[args.store](args.at)
    if args.command == "drop":
        store.drop()
        return
    {"words": run_words, "symbols": run_symbols, "callers": run_calls,
     "callees": run_calls, "stats": run_stats}[args.command](store, args)
    store.close()


if __name__ == "__main__":
    main()
