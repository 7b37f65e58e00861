# SPDX-License-Identifier: LGPL-2.1-or-later
"""What README.md shows is what happens, in two terminals, that is, two processes."""

import doctest
import multiprocessing
import os
import re
import signal
import unittest

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
README = os.path.join(PYTHON, "README.md")
CONTROL = os.path.join(PYTHON, os.pardir, "packaging", "debian", "control")
BLOCK = re.compile(r"^```(\S+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

context = multiprocessing.get_context("spawn")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def terminal(pipe):
    """Runs blocks as they come, in one namespace; says what was not as shown."""
    names = {}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    while True:
        block = pipe.recv()
        test = parser.get_doctest(block, names, "block", README, 0)
        said = []
        failed, tried = runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
        pipe.send((tried, "".join(said) if failed else ""))


class Terminal:
    def __init__(self, test):
        self.test = test
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=terminal, args=(theirs,))
        self.process.start()
        theirs.close()
        test.addCleanup(self.pipe.close)    # It sees no end before it is killed.
        test.addCleanup(self.process.join)
        test.addCleanup(self.process.kill)

    def run(self, block):
        self.pipe.send(block)
        if "SIGKILL" in block:
            self.process.join()
            self.test.assertEqual(self.process.exitcode, -signal.SIGKILL)
            return
        tried, said = self.pipe.recv()
        self.test.assertGreater(tried, 0)
        self.test.assertEqual(said, "")


class Readme(unittest.TestCase):
    def setUp(self):
        self.blocks = BLOCK.findall(read(README))
        self.assertGreater(len(self.blocks), 10)

    def test_python(self):
        terminals = {name: Terminal(self) for name in ("first", "second")}
        for language, name, block in self.blocks:
            if language == "pycon":
                terminals[name].run(block)

    def test_shell(self):
        """Each package that is installed is one of ours, or Debian's headers."""
        ours = re.findall(r"^Package: (.*)$", read(CONTROL), re.MULTILINE)
        shell = [block for language, _, block in self.blocks if language == "sh"]
        names = re.findall(r"build/deb/(\S+?)_", "".join(shell))
        self.assertEqual(set(names) | {"librefstore-dev"}, set(ours))

    def test_nothing_else(self):
        self.assertLessEqual({language for language, _, _ in self.blocks},
                             {"pycon", "sh"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
