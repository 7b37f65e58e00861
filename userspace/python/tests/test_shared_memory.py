# SPDX-License-Identifier: LGPL-2.1-or-later
"""SharedMemory and ShareableList, of several processes that fork or spawn."""

import ctypes
import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import refstore
from refstore import shared_memory

DIRECTORY = "/run/refstore"


def fill(memory, byte):
    memory.buf[:] = bytes([byte]) * memory.size
    memory.close()


def fill_by_name(name, byte):
    fill(shared_memory.SharedMemory(name), byte)


class SharedMemory(unittest.TestCase):
    def create(self, size):
        memory = shared_memory.SharedMemory(create=True, size=size)
        self.addCleanup(memory.close)
        self.addCleanup(memory.unlink)
        return memory

    def test_processes(self):
        for method in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context(method)
            memory = self.create(5000)
            for byte, target, value in ((1, fill, memory),
                                        (2, fill_by_name, memory.name)):
                process = context.Process(target=target, args=(value, byte))
                process.start()
                process.join()
                self.assertEqual(process.exitcode, 0)
                self.assertEqual(bytes(memory.buf), bytes([byte]) * 5000)

    def test_creator_killed(self):
        """The memory is there until it is unlinked, whoever is killed."""
        code = ("import os; from refstore.shared_memory import SharedMemory;"
                "m = SharedMemory(create=True, size=100); m.buf[:3] = b'abc';"
                "print(m.name, flush=True); os.kill(os.getpid(), 9)")
        child = subprocess.run([sys.executable, "-c", code], capture_output=True,
                               text=True)
        self.assertEqual(child.returncode, -signal.SIGKILL)
        self.assertEqual(child.stderr, "")
        memory = shared_memory.SharedMemory(child.stdout.strip())
        self.addCleanup(memory.close)
        self.assertEqual(bytes(memory.buf[:3]), b"abc")
        memory.unlink()
        with self.assertRaises(FileNotFoundError):
            shared_memory.SharedMemory(memory.name)
        self.assertEqual(bytes(memory.buf[:3]), b"abc")

    def test_names(self):
        memory = self.create(10)
        with self.assertRaises(FileExistsError) as caught:
            shared_memory.SharedMemory(memory.name, create=True, size=10)
        self.assertEqual((caught.exception.filename, caught.exception.filename2),
                         (f"{DIRECTORY}/{memory.name}", None))
        for name in "", "a/b", "..", ".":
            with self.assertRaises(ValueError):
                shared_memory.SharedMemory(name, create=True, size=10)
        self.assertEqual([n for n in os.listdir(DIRECTORY) if n.startswith(".")], [])

    def test_elsewhere(self):
        """Where no heap can be, nothing is left."""
        with tempfile.TemporaryDirectory() as directory:
            with unittest.mock.patch.dict(os.environ, REFSTORE_DIR=directory):
                with self.assertRaises(OSError) as caught:
                    shared_memory.SharedMemory("wrong", create=True, size=10)
            self.assertEqual((caught.exception.errno, caught.exception.filename),
                             (errno.ENOTTY, f"{directory}/wrong"))
            self.assertEqual(os.listdir(directory), [])
        with unittest.mock.patch.dict(os.environ, REFSTORE_DIR=directory):
            with self.assertRaises(FileNotFoundError) as caught:
                shared_memory.SharedMemory("wrong", create=True, size=10)
        self.assertEqual(caught.exception.filename, f"{directory}/wrong")

    def test_no_memory(self):
        """Another heap is no shared memory."""
        path = tempfile.mktemp(dir=DIRECTORY)
        with refstore.open(path, create=True) as heap:
            self.addCleanup(os.unlink, path)
            for root in None, [], {"a": 1}:
                heap.root = root
                with self.assertRaises(refstore.CorruptError):
                    shared_memory.SharedMemory(os.path.basename(path))

    def test_closed_in_use(self):
        """Who has the memory keeps it, though it is closed."""
        memory = self.create(10)
        other = shared_memory.SharedMemory(memory.name)
        part = memory.buf[2:4]
        whole = (ctypes.c_char * 10).from_buffer(memory.buf)
        for _ in range(2):
            memory.close()
        self.assertIsNone(memory.buf)
        part[0], whole[5] = 1, b"x"
        self.assertEqual(bytes(other.buf), b"\0\0\1\0\0x\0\0\0\0")
        other.close()


class ShareableList(unittest.TestCase):
    def create(self, values):
        result = shared_memory.ShareableList(values)
        self.addCleanup(result.shm.close)
        self.addCleanup(result.shm.unlink)
        return result

    def test_values(self):
        values = [None, True, False, -2**63, 2**63 - 1, 1.5, "", "text", b"",
                  b"a\0b\0\0", "\0", "x" * 1000]
        shared = self.create(values)
        other = pickle.loads(pickle.dumps(shared))
        self.assertEqual(list(other), values)
        self.assertEqual([type(v) for v in other], [type(v) for v in values])
        other[7] = b"\0\0"
        self.assertEqual(shared[7], b"\0\0")
        other.shm.close()

    def test_refused(self):
        shared = self.create(["text", 1])
        for value, error in (("123456789", ValueError), (2**63, Exception),
                             ([], TypeError), ("\ud800", UnicodeEncodeError)):
            with self.assertRaises(error):
                shared[0] = value
        self.assertEqual(list(shared), ["text", 1])

    def test_hostile(self):
        """Whatever is written there, reading it does no more than raise."""
        shared = self.create(["text", 1, b"abc", None])
        good = bytes(shared.shm.buf)
        for at in range(len(good)):
            for byte in 0, 1, 5, 0x7f, 0xff:
                shared.shm.buf[:] = good
                shared.shm.buf[at] = byte
                try:
                    list(shared), shared.format
                except ValueError:
                    pass


if __name__ == "__main__":
    unittest.main()
