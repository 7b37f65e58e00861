# SPDX-License-Identifier: LGPL-2.1-or-later
"""Notices of heaps in programs that use asyncio."""

import asyncio
import gc as python_gc
import os
import signal
import threading
import unittest

import refstore
from refstore import aio, gc, weakref


class TestCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.heap = self.open()
        self.root = self.heap.root

    async def asyncSetUp(self):
        # No word of what takes long on a machine that is busy.
        asyncio.get_running_loop().set_debug(False)

    def open(self):
        heap = refstore.open()
        self.addCleanup(heap.close)
        heap.root = {"a": [1], "b": [2]}
        return heap

    def watch(self, proxy, loop):
        """A weak reference, and a future that gets the thread of its callback."""
        future = loop.create_future()

        def died(reference):
            thread = threading.get_ident()
            loop.call_soon_threadsafe(future.set_result, thread)

        return weakref.ref(proxy, died), future


class Attach(TestCase):
    async def test_loop_or_thread(self):
        """Functions are called in the loop, as long as the heap is attached."""
        loop = asyncio.get_running_loop()
        reference, future = self.watch(self.root["a"], loop)
        with aio.attach(self.heap):
            del self.root["a"]
            self.assertEqual(await future, threading.get_ident())
        self.assertIsNone(reference())
        reference, future = self.watch(self.root["b"], loop)
        del self.root["b"]
        self.assertNotEqual(await future, threading.get_ident())

    async def test_several_heaps(self):
        heaps = [self.open() for _ in range(3)]
        loop = asyncio.get_running_loop()
        watched = []
        for heap in heaps:
            aio.attach(heap)
            watched.append(self.watch(heap.root["a"], loop))
        heaps[1].close()
        for i in 2, 0:
            del heaps[i].root["a"]
            self.assertEqual(await watched[i][1], threading.get_ident())

    async def test_close(self):
        """The loop has no descriptors of it any more, also if another thread closes."""
        python_gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for closer in (lambda heap: heap.close(),
                       lambda heap: self.join(threading.Thread(target=heap.close))):
            heap = refstore.open()
            aio.attach(heap)
            aio.attach(heap)
            closer(heap)
            await asyncio.sleep(0)
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertRaises(ValueError, aio.attach, heap)

    def join(self, thread):
        thread.start()
        thread.join()

    async def test_detach_twice(self):
        """Who was attached before detaches nobody else."""
        loop = asyncio.get_running_loop()
        one = aio.attach(self.heap)
        other = aio.attach(self.heap)
        one.detach()
        reference, future = self.watch(self.root["a"], loop)
        del self.root["a"]
        self.assertEqual(await future, threading.get_ident())
        other.detach()
        other.detach()
        self.assertIsNone(reference())

    def test_loops_one_after_the_other(self):
        """When a loop is closed, the heap is not lost."""
        async def main(key):
            aio.attach(self.heap)
            reference, future = self.watch(self.root[key],
                                           asyncio.get_running_loop())
            del self.root[key]
            self.assertEqual(await future, threading.get_ident())
            self.assertIsNone(reference())

        asyncio.run(main("a"))
        asyncio.run(main("b"))
        self.root["c"] = []
        died = threading.Event()
        reference = weakref.ref(self.root["c"], lambda _: died.set())
        del self.root["c"]
        died.wait()
        self.assertIsNone(reference())

    def test_child(self):
        """A child uses a loop of its own; its parent's goes on."""
        async def main(key, fork):
            aio.attach(self.heap)
            pid = fork and os.fork()
            if fork and not pid:
                status = 1
                try:
                    thread = threading.Thread(target=asyncio.run,
                                              args=(main("b", False),))
                    thread.start()
                    thread.join()
                    status = "b" in self.root
                finally:
                    os._exit(status)
            reference = weakref.ref(self.root[key])
            self.root.pop(key)
            await aio.gone(reference)
            return pid

        pid = asyncio.run(main("a", True))
        self.assertEqual(os.waitpid(pid, 0)[1], 0)


class Gone(TestCase):
    async def test_attached(self):
        with aio.attach(self.heap):
            await self.check_gone()

    async def test_thread(self):
        await self.check_gone()

    async def check_gone(self):
        reference = weakref.ref(self.root["a"])
        task = asyncio.create_task(aio.gone(reference))
        await asyncio.sleep(0)
        self.assertFalse(task.done())
        del self.root["a"]
        await task
        self.assertIsNone(reference())
        # And when it is already.
        await aio.gone(reference)

    async def test_killed(self):
        """The last that has the object is another process, which is killed."""
        reference = weakref.ref(self.root["a"])
        have = os.pipe()
        pid = os.fork()
        if not pid:
            proxy = self.root["a"]
            os.write(have[1], b"x")
            while proxy:
                signal.pause()
        os.read(have[0], 1)
        del self.root["a"]
        with aio.attach(self.heap):
            task = asyncio.create_task(aio.gone(reference))
            await asyncio.sleep(0)
            self.assertEqual(reference(), [1])
            os.kill(pid, signal.SIGKILL)
            await task
        os.waitpid(pid, 0)

    async def test_closed(self):
        for attach in True, False:
            heap = self.open()
            if attach:
                aio.attach(heap)
            task = asyncio.create_task(aio.gone(weakref.ref(heap.root["a"])))
            await asyncio.sleep(0)
            heap.close()
            with self.assertRaises(ValueError):
                await task

    async def test_cancelled(self):
        reference = weakref.ref(self.root["a"])
        task = asyncio.create_task(aio.gone(reference))
        await asyncio.sleep(0)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        del self.root["a"]
        await aio.gone(reference)

    async def test_proxy(self):
        with self.assertRaises(TypeError):
            await aio.gone(self.root["a"])

    async def test_several_loops(self):
        """One heap, whose deaths are awaited in two loops."""
        reference = weakref.ref(self.root["a"])
        thread = threading.Thread(target=lambda: asyncio.run(aio.gone(reference)))
        with aio.attach(self.heap):
            thread.start()
            del self.root["a"]
            await aio.gone(reference)
            await asyncio.to_thread(thread.join)


class Events(TestCase):
    async def test_scans(self):
        events = aio.events(self.heap)
        gc.disable(self.heap)
        self.root["a"].append(self.root)
        del self.root
        self.heap.root = None
        number = await asyncio.to_thread(gc.collect, self.heap)
        found = []
        async for event in events:
            found.append(event)
            if event.phase == "stop" and event.collected:
                break
        self.assertEqual(found[0].phase, "start")
        self.assertEqual(found[-1].number, found[-2].number)
        self.assertEqual(found[-1].collected, number)
        await events.aclose()
        self.assertEqual([event async for event in events], [])

    async def test_lost(self):
        """Those that are not taken are counted."""
        with aio.attach(self.heap):
            events = aio.events(self.heap)
            gc.disable(self.heap)
            for _ in range(100):
                gc.collect(self.heap)
                await asyncio.sleep(0)
            self.heap.dispatch()
            for _ in range(64):
                last = await anext(events)
            gc.collect(self.heap)
            self.heap.dispatch()
            event = await anext(events)
            place = [2 * e.number + (e.phase == "stop") for e in (last, event)]
            self.assertGreater(event.lost, 0)
            self.assertEqual(event.lost, place[1] - place[0] - 1)

    async def test_close(self):
        """It ends the iterator."""
        events = aio.events(self.heap)
        task = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        self.heap.close()
        self.assertIsNone(await task)
        self.assertRaises(ValueError, aio.events, self.heap)


if __name__ == "__main__":
    unittest.main()
