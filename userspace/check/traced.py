# SPDX-License-Identifier: GPL-2.0-only
"""What is traced: traced.py LIBRARY WAIT

By the session of $REFSTORE_FD, in whose heap no scan comes by itself, makes 12
objects: 7 strings, of which 3 are released and 2 are labelled, "left"; 5 lists, of
which 2 refer to each other, are released, wait so many seconds, and are collected.
Releases a handle that there is not. What is left at the end is the session's.
"""
import ctypes
import errno
import os
import struct
import sys
import time

library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
zero = ctypes.c_size_t(0)


def create(kind, slots):
    spec = struct.pack("IIQQQQ", kind, 0, 0, 0, 0, slots)
    handle = ctypes.c_uint64()
    assert not library.refstore_create(store, spec, ctypes.byref(handle), None)
    return handle


def release(*handles):
    for handle in handles:
        assert not library.refstore_release(store, handle)


fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
assert not library.refstore_gc_disable(store)
strings = [create(4, 0) for _ in range(7)]
lists = [create(7, 1) for _ in range(5)]
for string in strings[:2]:
    assert not library.refstore_label(store, 2, string, b"left")
release(*strings[4:])
assert not library.refstore_set_slot(store, lists[0], zero, lists[1])
assert not library.refstore_set_slot(store, lists[1], zero, lists[0])
release(*lists[:2])
assert library.refstore_release(store, ctypes.c_uint64(1)) == -errno.EBADF
time.sleep(float(sys.argv[2]))
assert not library.refstore_collect(store, 2, None)
