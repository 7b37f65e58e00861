# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opening heaps, and what one is told when that fails."""

import errno
import os
import tempfile
import unittest

import refstore
from support import TestCase

DEVICE = "/dev/refstore"


class Opening(TestCase):
    def refused(self, *args, **kwargs):
        with self.assertRaises(OSError) as caught:
            refstore.open(*args, **kwargs)
        return caught.exception

    def test_no_module(self):
        os.rename(DEVICE, DEVICE + "-away")
        self.addCleanup(os.rename, DEVICE + "-away", DEVICE)
        error = self.refused()
        self.assertEqual((type(error), error.filename), (FileNotFoundError, DEVICE))

    def test_no_heap(self):
        error = self.refused(self.path + "-not")
        self.assertEqual((type(error), error.filename),
                         (FileNotFoundError, self.path + "-not"))

    def test_elsewhere(self):
        """Where no heap can be, none is made, and no empty file either."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "app")
            for relative in (path, os.path.relpath(path)):
                error = self.refused(relative, create=True)
                self.assertEqual((error.errno, error.filename), (errno.ENOTTY, path))
                self.assertIn("file system of refstore", str(error))
            self.assertEqual(os.listdir(directory), [])
            with open(path, "w"):
                pass
            self.assertEqual(self.refused(path, create=True).errno, errno.ENOTTY)
            self.assertEqual(self.refused(path).errno, errno.ENOTTY)

    def test_link_from_elsewhere(self):
        with tempfile.TemporaryDirectory() as directory:
            link = os.path.join(directory, "link")
            os.symlink(self.path, link)
            self.named.root = 5
            with refstore.open(link, create=True) as heap:
                self.assertEqual(heap.root, 5)

    def write(self, path, text):
        with open(path, "w") as file:
            file.write(text)

    def as_user(self):
        """Not root, who has no limits."""
        self.addCleanup(os.chmod, DEVICE, os.stat(DEVICE).st_mode)
        os.chmod(DEVICE, 0o666)
        os.seteuid(2001)
        self.addCleanup(os.seteuid, 0)

    def test_limit(self):
        parameter = "/sys/module/refstore/parameters/max_user_heaps"
        with open(parameter) as file:
            self.addCleanup(self.write, parameter, file.read())
        self.write(parameter, "0")
        self.as_user()
        error = self.refused()
        self.assertEqual((type(error), error.filename), (refstore.LimitError, DEVICE))


if __name__ == "__main__":
    unittest.main()
