#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Say what was run, and list what was not, with the reasons.

usage: list.py PERCENT INFO [UNCOVERED]

INFO is a tracefile of lcov(1). UNCOVERED has a line for each function in which something
is not run: its name, and why. One that is missing there fails, as do fewer lines than
PERCENT; one that is there for nothing is told, as it may depend on who is faster. Without
it, only the sums are told.
"""

import bisect
import collections
import sys


class File:
    """What a tracefile says of a source file."""

    def __init__(self, name):
        self.name = name
        self.functions = []     # (line, name)
        self.lines = {}         # count, by line
        self.branches = {}      # whether it was taken

    def function(self, line):
        at = bisect.bisect(self.functions, (line, "\uffff")) - 1
        return self.functions[at][1] if at >= 0 else "-"


def read(name):
    """The files of a tracefile."""
    files = []
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            key, _, rest = line.strip().partition(":")
            word = rest.split(",")
            if key == "SF":
                files.append(File(rest))
            elif key == "FN":
                files[-1].functions.append((int(word[0]), word[-1]))
            elif key == "DA":
                number = int(word[0])
                files[-1].lines[number] = (files[-1].lines.get(number, 0) +
                                           int(word[1]))
            elif key == "BRDA":
                place = tuple(word[:3])
                files[-1].branches[place] = (files[-1].branches.get(place, False) or
                                             word[3] not in ("-", "0"))
    for file in files:
        file.functions.sort()
    return files


def reasons(name):
    """Why functions are not run, by their names."""
    found = {}
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                function, why = line.split(maxsplit=1)
                found[function] = why.strip()
    return found


def percent(part, all_):
    return 100 * part / all_ if all_ else 100


def explain(files, why):
    """List what is not run, with the reasons; whether all of these are right."""
    missing = collections.defaultdict(list)
    for file in files:
        for line, count in sorted(file.lines.items()):
            if not count:
                missing[file.function(line)].append(
                    f"{file.name.rpartition('/')[2]}:{line}")
    for function, lines in sorted(missing.items()):
        print(f"# {function}: {', '.join(lines)}: {why.get(function, 'why?')}")
    for function in sorted(set(why) - set(missing)):
        print(f"# {function}: all of it is run")
    return set(missing) <= set(why)


def main():
    """Returns the status."""
    wanted, info, *uncovered = float(sys.argv[1]), *sys.argv[2:]
    files = read(info)
    well = all([explain(files, reasons(name)) for name in uncovered])
    lines = [count > 0 for file in files for count in file.lines.values()]
    branches = [taken for file in files for taken in file.branches.values()]
    share = percent(sum(lines), len(lines))
    print(f"coverage: {sum(lines)} of {len(lines)} lines ({share:.1f} %), "
          f"{sum(branches)} of {len(branches)} branches "
          f"({percent(sum(branches), len(branches)):.1f} %)")
    return int(share < wanted or not well)


if __name__ == "__main__":
    sys.exit(main())
