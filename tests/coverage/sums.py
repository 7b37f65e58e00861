#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Say how many of the lines and branches were run. usage: sums.py PERCENT INFO

INFO is a tracefile of lcov(1). Fewer lines than PERCENT of them fail.
"""

import collections
import sys


def read(name):
    """How often each line was run, and whether each branch was taken, by their places."""
    lines, branches = collections.Counter(), collections.Counter()
    file = ""
    with open(name, encoding="utf-8") as tracefile:
        for line in tracefile:
            key, _, rest = line.strip().partition(":")
            word = rest.split(",")
            if key == "SF":
                file = rest
            elif key == "DA":
                lines[file, word[0]] += int(word[1])
            elif key == "BRDA":
                branches[file, *word[:3]] += word[3] not in ("-", "0")
    return lines, branches


def main():
    """Returns the status."""
    wanted, name = float(sys.argv[1]), sys.argv[2]
    sums = [(sum(count > 0 for count in counts.values()), len(counts))
            for counts in read(name)]
    share, taken = [100 * run / max(of, 1) for run, of in sums]
    print(f"# {sums[0][0]} of {sums[0][1]} lines ({share:.1f} %), {sums[1][0]} of "
          f"{sums[1][1]} branches ({taken:.1f} %)")
    return int(share < wanted)


if __name__ == "__main__":
    sys.exit(main())
