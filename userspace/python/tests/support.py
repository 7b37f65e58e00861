# SPDX-License-Identifier: LGPL-2.1-or-later
"""What several of the tests use."""

import itertools
import json
import os
import subprocess
import sys
import unittest

import refstore

#: Where a file system of type refstore is mounted.
MOUNT = os.environ.get("REFSTORE_MOUNT", "/run/refstore")
#: The command.
COMMAND = os.environ.get("REFSTORE", "refstore")

_numbers = itertools.count()


def fork(function, *args):
    """A child that does something, and ends with 0 if that went well."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*args)
        status = 0
    finally:
        os._exit(status)


def wait(pid):
    """What a child has ended with; the signal that has killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TestCase(unittest.TestCase):
    """With a heap that has a name, and one that has none."""

    def setUp(self):
        self.path = f"{MOUNT}/test-{os.getpid()}-{next(_numbers)}"
        self.named = refstore.open(self.path, create=True)
        self.addCleanup(self.unlink)
        self.addCleanup(self.named.close)
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def unlink(self):
        if os.path.exists(self.path):
            os.unlink(self.path)

    def command(self, heap, *args):
        """What the command says of a heap, as JSON."""
        fd = heap.fileno()
        done = subprocess.run([COMMAND, "--json", *args, "--fd", str(fd)],
                              pass_fds=[fd], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def holders(self, value):
        """How many handles and exports there are of an object, all told."""
        heap = next(heap for heap in (self.heap, self.named)
                    if heap._session is value._session)
        who = self.command(heap, "who", str(value._id))
        return sum(session["handles"] for session in who["sessions"])

    def python(self, code, *args, **kwargs):
        """Another Python that runs code: a Popen with pipes."""
        return subprocess.Popen([sys.executable, "-c", code, *args],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                **kwargs)
