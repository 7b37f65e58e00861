# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stubs say what the package has, and a checker of types finds its way by them."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import refstore

# Functions in C have no signatures that Python can read, but for their names.
NOT_COMPARED = r"refstore\._store\.(Map|KeySet|Seq|Large)\..*"

GOOD = """\
import refstore
from refstore import aio, gc, managers, sync, weakref

@refstore.register("app.User")
class User(refstore.Record):
    def __init__(self, name: str) -> None:
        self.name = name

def rename(user: User, name: str) -> str:
    user.name, name = name, user.name
    return name

async def wait(reference: weakref.ref[User], heap: refstore.Heap) -> None:
    with aio.attach(heap):
        await aio.gone(reference)

with refstore.open("/run/refstore/app", create=True) as heap:
    if heap.root is None:
        heap.root = {"users": ["ann"]}
with refstore.open("/run/refstore/app") as heap:
    users: refstore.List = heap.root["users"]
    users.append("bob")
    users += ["eve"]
    plain: list[str] = users.copy()
    visits: refstore.Dict = heap.root
    visits.update_key("visits", lambda n: n + 1, 0)
    for key, value in visits.items():
        print(key, value)
    user = heap.new(User, "ann")
    for attempt in heap.transaction():
        with attempt:
            user.name = user.name.upper()
            users.append(user)
    old: str = heap.atomically(rename, user, "Ann")
    pixels = heap.buffer(4096)
    pixels[:5] = b"first"
    first: int = pixels[0]
    copy: bytes = pixels[:5]
    reference = weakref.ref(user, lambda ref: print(ref()))
    found: User | None = reference()
    with sync.Lock(heap):
        print(gc.collect(heap) + 1)
with managers.Manager() as manager:
    manager.dict(a=1).update_key("a", lambda n: n + 1)
"""

# What is wrong in it stands in the comments.
BAD = """\
import refstore

heap = refstore.open(5)             # arg-type
heap.rot = 1                        # attr-defined
values: refstore.List = heap.root
values.add(1)                       # attr-defined
values.sort(lambda v: v)            # misc
heap.buffer("text")                 # arg-type
"""


@unittest.skipUnless(shutil.which("stubtest"), "mypy is not there")
class Stubs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.environment = dict(
            os.environ, MYPYPATH=os.path.dirname(os.path.dirname(refstore.__file__)))

    def run_in_folder(self, *command):
        return subprocess.run(command, cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_package(self):
        """Each name, and each argument, is in both, or in neither."""
        self.write("allowed", NOT_COMPARED + "\n")
        run = self.run_in_folder("stubtest", "--concise", "--allowlist", "allowed",
                                 "--ignore-unused-allowlist", "refstore")
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_programs(self):
        """What is right, and what is wrong, in one run: a checker takes its time."""
        self.write("good.py", GOOD)
        self.write("bad.py", BAD)
        run = self.run_in_folder("mypy", "--strict", "good.py", "bad.py")
        found = re.findall(r"^(\w+\.py):(\d+): error: .*\[(.*)\]$", run.stdout,
                           re.MULTILINE)
        wrong = [("bad.py", str(number), line.partition("# ")[2])
                 for number, line in enumerate(BAD.splitlines(), 1) if "# " in line]
        self.assertEqual(found, wrong, run.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
