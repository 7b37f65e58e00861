#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compare where the module allocates with where that was seen to fail.

usage: sites.py refstore.ko UNREACHED OUTPUT LOG

Where it allocates is what its relocations say: each call of a function whose name is
in CALLS. Where that failed is what the guest has printed (see guest.sh), and, of what was
done while the module was inserted, what the kernel's log says.

UNREACHED lists those that are not expected, a line each: the function that calls, the
one that is called, and why; # begins a comment. Another one, or one there that did fail,
is an error. Prints TAP.
"""

import bisect
import re
import subprocess
import sys

#: What can be refused for want of memory, or of a page of the user's.
CALLS = re.compile(
    r"_noprof$|^_copy_(from|to)_(user|iter)$|^(__)?(kv?|v)[mz]alloc|^__kmalloc"
    r"|^kmem_cache_alloc|^__kmem_cache_create|^kmem_cache_create|^kmemdup|^memdup_user"
    r"|^strndup_user|^_?_?alloc_|^get_unused_fd|^get_zeroed_page|^__get_free_pages"
    r"|^shmem_(file_setup|read_mapping)|^anon_inode_get|^dentry_open|^d_make_root"
    r"|^new_inode|^get_tree|^rhashtable_(init|insert_slow)|^rht_bucket_nested_insert"
    r"|^__percpu_counter_init|^shrinker_alloc|^register_shrinker|^prealloc_shrinker"
    r"|^(single|seq)_open|^proc_(create|mkdir)|^misc_register"
    r"|^__?xa_(alloc|cmpxchg|store|insert)|^xa_(store|insert|cmpxchg)$|^kernel_(read|write)$"
    r"|^vfs_fallocate")

FRAME = re.compile(r"\] +([a-z_][\w.]*)\+0x([0-9a-f]+)/0x[0-9a-f]+ \[refstore\]")
PLACE = re.compile(r"# failed: ([\w.]+)\+0x([0-9a-f]+)/")


def tool(*arguments):
    """The lines that a program prints."""
    return subprocess.run(arguments, check=True, capture_output=True,
                          text=True).stdout.splitlines()


def sections(module):
    """Names of the sections that hold text, by their numbers."""
    found = {}
    for line in tool("readelf", "-SW", module):
        match = re.match(r"\s*\[\s*(\d+)\] (\.(?:init|exit)?\.?text\S*)\s", line)
        if match:
            found[int(match[1])] = match[2]
    return found


def functions(module, texts):
    """For each section, starts of functions and their names, in order."""
    found = {name: [] for name in texts.values()}
    for line in tool("readelf", "-sW", module):
        word = line.split()
        if len(word) == 8 and word[3] == "FUNC" and word[6].isdigit():
            section = texts.get(int(word[6]))
            if section:
                found[section].append((int(word[1], 16), word[7]))
    return {section: sorted(names) for section, names in found.items()}


def sites(module):
    """Where it allocates: (function, offset behind the call) to what is called."""
    texts = sections(module)
    starts = functions(module, texts)
    found, section = {}, None
    for line in tool("readelf", "-rW", module):
        match = re.match(r"Relocation section '\.rela(\S+)'", line)
        if match:
            section = match[1]
            continue
        word = line.split()
        if section not in starts or len(word) < 5 or "PLT32" not in word[2]:
            continue
        if CALLS.search(word[4]):
            behind = int(word[0], 16) + 4
            at = bisect.bisect(starts[section], (behind, "")) - 1
            start, name = starts[section][at]
            found[name, behind - start] = word[4]
    return found


def printed(output):
    """Where something failed, as the guest has printed it."""
    with open(output, encoding="utf-8", errors="replace") as lines:
        places = [PLACE.match(line) for line in lines]
    return {(place[1], int(place[2], 16)) for place in places if place}


def logged(log):
    """The same, as the log says: the first frame of the module below each failure."""
    found, waiting = set(), False
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            waiting |= "forcing a failure" in line
            frame = FRAME.search(line) if waiting else None
            if frame:
                found.add((frame[1], int(frame[2], 16)))
                waiting = False
    return found


def reasons(name):
    """What need not fail: (function, what it calls) to why."""
    found = {}
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            word = line.split(maxsplit=2)
            if word and not word[0].startswith("#"):
                found[word[0], word[1]] = word[2].strip()
    return found


def main():
    """Returns the status."""
    module, unreached, output, log = sys.argv[1:]
    there, excused = sites(module), reasons(unreached)
    seen = printed(output) | logged(log)
    missing = sorted((site, called) for site, called in there.items()
                     if site not in seen)
    unexpected = [entry for entry in missing if (entry[0][0], entry[1]) not in excused]
    open_ones = {(site[0], called) for site, called in missing}
    stale = [entry for entry in excused if entry not in open_ones]
    for (function, offset), called in missing:
        why = excused.get((function, called), "nobody knows why")
        print(f"# {function}+{offset:#x}: {called} never failed: {why}")
    for function, called in stale:
        print(f"# {function}: {called} did fail, or is not called")
    print(f"# {len(there) - len(missing)} of {len(there)} places where the module "
          f"allocates or copies have failed")
    bad = unexpected or stale or not there
    print(f"{'not ' if bad else ''}ok 1 - every place where the module allocates failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
