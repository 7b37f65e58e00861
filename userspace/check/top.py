# SPDX-License-Identifier: GPL-2.0-only
"""refstore top on a terminal: top.py TOOL LIBRARY SCENARIO

Has two heaps, runs top on a pseudo-terminal, presses keys, and looks at what is
on its screen. Needs the module, and root.
"""
import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

tool, library_path, scenario = sys.argv[1:]
library = ctypes.CDLL(library_path)


class Heap:
    """A heap with objects of types str and list."""

    def __init__(self, label):
        self.store = ctypes.c_void_p()
        assert not library.refstore_open(ctypes.byref(self.store))
        assert not library.refstore_label(self.store, 1, ctypes.c_uint64(0),
                                          label)

    def create(self, kind, count):
        spec = struct.pack("IIQQQQ", kind, 0, 0, 0, 0, 0)
        for _ in range(count):
            handle = ctypes.c_uint64()
            assert not library.refstore_create(self.store, spec,
                                               ctypes.byref(handle), None)

    def fd(self):
        return library.refstore_fd(self.store)

    def number(self):
        with open(f"/proc/self/fdinfo/{self.fd()}") as file:
            return int(re.search(r"^heap:\s*(\d+)$", file.read(), re.M)[1])


class Screen:
    """As much of a VT100 as ncurses uses of it."""

    sequence = re.compile(rb"\x1b\[([?\d;]*)([A-Za-z])|\x1b[()].|\x1b[=>78M]")

    def __init__(self, lines, columns):
        self.lines, self.columns = lines, columns
        self.cells = [[" "] * columns for _ in range(lines)]
        self.y = self.x = 0
        self.top, self.bottom = 0, lines - 1

    def text(self):
        return ["".join(line).rstrip() for line in self.cells]

    def scroll(self, up):
        blank = [" "] * self.columns
        if up:
            self.cells.insert(self.bottom + 1, blank)
            del self.cells[self.top]
        else:
            del self.cells[self.bottom]
            self.cells.insert(self.top, blank)

    def control(self, arguments, letter):
        numbers = [int(n) if n.isdigit() else 0 for n in arguments.split(";")]
        first = numbers[0]
        if letter == "H":
            self.y = min(max(first, 1), self.lines) - 1
            column = numbers[1] if len(numbers) > 1 else 1
            self.x = min(max(column, 1), self.columns) - 1
        elif letter == "r":
            last = numbers[1] if len(numbers) > 1 else self.lines
            self.top, self.bottom = max(first, 1) - 1, last - 1
            self.y = self.x = 0
        elif letter in "ABCD":
            dy, dx = {"A": (-1, 0), "B": (1, 0), "C": (0, 1),
                      "D": (0, -1)}[letter]
            self.y = min(max(self.y + dy * max(first, 1), 0), self.lines - 1)
            self.x = min(max(self.x + dx * max(first, 1), 0),
                         self.columns - 1)
        elif letter == "K":
            line = self.cells[self.y]
            begin = self.x if first == 0 else 0
            end = self.x + 1 if first == 1 else self.columns
            line[begin:end] = [" "] * (end - begin)
        elif letter == "J":
            self.control(arguments, "K")
            below = first != 1
            rows = range(self.y + 1, self.lines) if below else range(self.y)
            for y in rows:
                self.cells[y] = [" "] * self.columns
        else:
            assert letter in "mhl", f"what is {arguments}{letter}?"

    def character(self, byte):
        if byte == 8:
            self.x = max(self.x - 1, 0)
        elif byte == 13:
            self.x = 0
        elif byte == 10:
            if self.y == self.bottom:
                self.scroll(True)
            else:
                self.y += 1
        elif byte >= 32 and byte & 0xc0 != 0x80:
            self.cells[self.y][min(self.x, self.columns - 1)] = chr(byte)
            self.x = min(self.x + 1, self.columns)

    def feed(self, data):
        """Returns what is an incomplete sequence."""
        place = 0
        while place < len(data):
            if data[place] != 0x1b:
                self.character(data[place])
                place += 1
                continue
            match = self.sequence.match(data, place)
            if not match:
                return data[place:]
            if match[2]:
                self.control(match[1].decode(), match[2].decode())
            elif match[0] == b"\x1bM":
                self.scroll(False)
            place = match.end()
        return b""


class Top:
    """top, on a terminal."""

    def __init__(self, *arguments, term="vt100", size=(24, 160)):
        self.master, self.slave = pty.openpty()
        self.term, self.output, self.pending = term, b"", b""
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [tool, "top", *arguments], stdin=self.slave, stdout=self.slave,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"TERM": term, "LC_ALL": "C.UTF-8"})

    def resize(self, lines, columns):
        self.screen = Screen(lines, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        if select.select([self.master], [], [], 0.1)[0]:
            data = os.read(self.master, 65536)
            self.output += data
            if self.term == "vt100":
                self.pending = self.screen.feed(self.pending + data)

    def press(self, keys):
        os.write(self.master, keys)

    def wait(self, what):
        """Reads until this is true of the lines of the screen.

        These may be half of what is being drawn: what is not awaited may not
        be there yet.
        """
        end = time.monotonic() + 300
        while not what(self.screen.text()):
            if time.monotonic() > end or self.process.poll() is not None:
                print("\n".join(self.screen.text()))
                print(self.process.poll(), self.output[-500:])
                raise SystemExit("this has not been seen")
            self.read()

    def ends(self, status, message=b""):
        """It ends so, and leaves the terminal as it was."""
        errors = self.process.stderr.read()
        assert self.process.wait() == status, (self.process.wait(), errors)
        assert errors == message, errors
        while select.select([self.master], [], [], 0)[0]:
            self.read()
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)


def heading(lines):
    """Which line the heading is, and its words: none until it is there."""
    return next(((i, line.split()) for i, line in enumerate(lines)
                 if re.match(r" *(heap|type) +(uid|objects) ", line)),
                (len(lines), []))


def titles(lines):
    return heading(lines)[1]


def rows(lines):
    """The rows below the heading, as words."""
    at, words = heading(lines)
    return [dict(zip(words, line.split())) for line in lines[at + 1:] if line]


def column(lines, title):
    return [row.get(title) for row in rows(lines)]


one, other = Heap(b"one"), Heap(b"other")
one.create(4, 10)
other.create(4, 20)
other.create(7, 2)
numbers = [str(one.number()), str(other.number())]


def keys():
    top = Top("-d", "1")
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    top.wait(lambda lines: "heaps 2" in lines[0])
    top.wait(lambda lines: column(lines, "label") == ["other", "one"])
    top.wait(lambda lines: column(lines, "objects") == ["22", "10"])
    top.press(b"n")
    top.wait(lambda lines: column(lines, "heap") == numbers)
    top.press(b"h")
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    top.press(b"l")
    top.wait(lambda lines: column(lines, "label") == ["one", "other"])
    top.press(b"q")
    top.ends(0)


def growth():
    top = Top("-d", "1", "-s", "O")
    top.wait(lambda lines: column(lines, "+objects") == ["+0", "+0"])
    one.create(4, 7)
    top.wait(lambda lines: column(lines, "+objects") == ["+7", "+0"])
    top.wait(lambda lines: column(lines, "heap") == numbers)
    one.create(4, 5)
    other.create(7, 30)
    top.wait(lambda lines: column(lines, "+objects") == ["+30", "+12"])
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    library.refstore_collect(one.store, 2, None)
    top.wait(lambda lines: "1" in column(lines, "scans"))
    top.press(b"q")
    top.ends(0)


def types():
    top = Top("-d", "1", "--pid", str(os.getpid()), "--session-fd",
              str(other.fd()))
    top.wait(lambda lines: set(column(lines, "name")) == {"list", "str"})
    other.create(7, 3)
    top.wait(lambda lines: any(
        {"type": "7", "name": "list", "+objects": "+3"}.items() <= row.items()
        for row in rows(lines)))
    top.press(b"t")
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    top.press(b"\x1bOB")
    top.press(b"\r")
    top.wait(lambda lines: column(lines, "name") == ["str"])
    top.press(b"t")
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    top.press(b"\x1bOC")
    top.wait(lambda lines: titles(lines) and "uid" not in titles(lines))
    top.press(b"\x1bOD")
    top.wait(lambda lines: "uid" in titles(lines))
    top.press(b"q")
    top.ends(0)


def resize():
    top = Top("-d", "600")
    top.wait(lambda lines: "label" in titles(lines))
    top.resize(9, 40)
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    top.wait(lambda lines: titles(lines) and "label" not in titles(lines))
    top.resize(3, 10)
    top.wait(lambda lines: lines[0].startswith("heaps 2"))
    top.resize(24, 160)
    top.wait(lambda lines: column(lines, "label") == ["other", "one"])
    top.press(b"q")
    top.ends(0)


def signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGQUIT):
        top = Top("-d", "600", term="xterm")
        while b"other" not in top.output:
            top.read()
        assert b"\x1b[?1049h" in top.output
        assert termios.tcgetattr(top.slave) != top.before
        os.kill(top.process.pid, number)
        top.ends(0)
        assert b"\x1b[?1049l" in top.output.split(b"other")[-1]
    top = Top("-d", "600", term="nonsense")
    top.ends(1, b"refstore: top: no such terminal as $TERM says; --once does "
             b"without\n")


def gone():
    """Something else where the files were is like the module's being gone."""
    top = Top("-d", "1")
    top.wait(lambda lines: column(lines, "heap") == numbers[::-1])
    subprocess.run(["mount", "-t", "tmpfs", "none", "/proc/refstore"],
                   check=True)
    try:
        top.ends(1, b"refstore: /proc/refstore/stats: No such file or directo"
                 b"ry; is the module loaded? (modprobe refstore)\n")
    finally:
        subprocess.run(["umount", "/proc/refstore"], check=True)


globals()[scenario]()
