#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Keep what long tests have come to, and make the README's table of it.

usage: figures.py note WHAT NAME=NUMBER...
       figures.py table

The tests call the first when they have passed: it writes a line, with the date and the
commit, to build/figures. The second puts those lines to tests/figures, which is kept,
and writes the table in README.md anew: of each test the last run, and what all of its
runs have come to together.
"""

import datetime
import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent
NEW = PROJECT / "build" / "figures"
KEPT = PROJECT / "tests" / "figures"
README = PROJECT / "README.md"
BEGIN, END = "<!-- figures: made by make figures -->\n", "<!-- figures end -->\n"

#: For each test: its target, on what it runs, what the last run's figures say, and what is
#: summed up.
ROWS = {
    "faults": (
        "make faults", "checking kernel",
        "{points} points, at {sites} of the {all_sites} places where the module allocates or "
        "copies", ""),
    "coverage": (
        "make coverage", "User Mode Linux, checking kernel",
        "{lines} of {all_lines} lines of the module ({lines%} %), {branches} of "
        "{all_branches} branches ({branches%} %); {library} of {all_library} lines of "
        "the library ({library%} %)", ""),
    "fuzz": (
        "make fuzz", "checking kernel, with KCOV",
        "{calls} calls, {points} of {all_points} points of the module ({points%} %), "
        "{findings} findings", "{calls} calls"),
    "parsers": (
        "make fuzz-parsers", "ASan, UBSan", "{inputs} inputs to {parsers} parsers, no finding",
        "{inputs} inputs"),
    "soak": (
        "make soak", "6.12",
        "{operations} operations, {kills} kills, {scans} scans, nothing left over",
        "{operations} operations, {kills} kills, {scans} scans"),
    "torture": (
        "make torture", "checking kernel; 6.12 with KCSAN",
        "{operations} operations, {kills} kills, {scans} scans, no error",
        "{operations} operations, {kills} kills, {scans} scans"),
    "model": ("make model", "spin", "{states} states in {runs} runs", ""),
    "test": (
        "make test", "User Mode Linux with KASAN, checking kernel, 6.12, 6.1; ASan, UBSan, "
        "TSan", "{passed} passed, {failed} failed, {skipped} skipped", ""),
    "test-all": (
        "make test-all", "these; checking kernel of 6.1, KCSAN, 6.1 with full preemption, "
        "PREEMPT_RT",
        "{passed} passed, {failed} failed, {skipped} skipped", ""),
}


def grouped(number):
    """A number as people write it."""
    return f"{number:,}"


class Figures(dict):
    """Numbers by their names; "a%" is how many of a hundred of "all_a" "a" is."""

    def __missing__(self, name):
        part, whole = self.number(name[:-1]), self.number(f"all_{name[:-1]}")
        return f"{100 * part / whole:.1f}"

    def number(self, name):
        """A number by its name."""
        return int(self[name].replace(",", ""))

    @classmethod
    def read(cls, words):
        """Those of a line."""
        pairs = (word.split("=", 1) for word in words)
        return cls((name, grouped(int(number))) for name, number in pairs)


def note(what, words):
    """Writes a line to build/figures."""
    if what not in ROWS:
        sys.exit(f"figures.py: {what}: there is no such test")
    Figures.read(words)
    commit = subprocess.run(["git", "-C", PROJECT, "describe", "--always", "--dirty",
                             "--abbrev=10"],
                            capture_output=True, text=True, check=False).stdout.strip()
    commit = commit or "unknown"
    today = datetime.date.today().isoformat()
    NEW.parent.mkdir(exist_ok=True)
    with NEW.open("a", encoding="utf-8") as lines:
        print(today, commit, what, *words, file=lines)


def keep():
    """Moves the new lines to those that are kept; returns all, by their tests."""
    text = KEPT.read_text(encoding="utf-8")
    if NEW.exists():
        text += NEW.read_text(encoding="utf-8")
        KEPT.write_text(text, encoding="utf-8")
        NEW.unlink()
    runs = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            date, commit, what, *words = line.split()
            runs.setdefault(what, []).append((date, commit, Figures.read(words)))
    return runs


def row(what, runs):
    """A line of the table."""
    target, where, last, altogether = ROWS[what]
    date, commit, figures = runs[-1]
    total = Figures((name, grouped(sum(run.number(name) for _, _, run in runs)))
                    for name in figures)
    sums = f"{altogether.format_map(total)} ({len(runs)})" if altogether else ""
    return (f"| `{target}` | {where} | {date}, {commit} | {last.format_map(figures)} | "
            f"{sums} |\n")


def table():
    """Writes the README's table anew."""
    runs = keep()
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    lines = "| what | on | last run | its figures | all runs (how many) |\n"
    lines += "| --- | --- | --- | --- | --- |\n"
    lines += "".join(row(what, runs[what]) for what in ROWS if what in runs)
    README.write_text(before + BEGIN + lines + END + after, encoding="utf-8")


def main():
    """Does what it is called for."""
    match sys.argv[1:]:
        case ["note", what, *words]:
            note(what, words)
        case ["table"]:
            table()
        case _:
            sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    main()
