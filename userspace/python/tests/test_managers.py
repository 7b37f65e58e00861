# SPDX-License-Identifier: LGPL-2.1-or-later
"""Locks and the like, and managers, of processes that end in whatever way."""

import gc
import multiprocessing
import os
import queue
import signal
import tempfile
import threading
import time
import unittest
import weakref

import refstore
from refstore import managers, sync
from support import fork, wait

DIRECTORY = "/run/refstore"
PROCESSES = 4
ROUNDS = int(os.environ.get("REFSTORE_ROUNDS", "200"))


class Pipe:
    """Lets one process wait for another, by nothing that is tested here."""

    def __init__(self):
        self.read, self.write = os.pipe()

    def tell(self):
        os.write(self.write, b"x")

    def wait(self):
        os.read(self.read, 1)

    def close(self):
        os.close(self.read)
        os.close(self.write)


def put_when_told(path):
    with managers.Manager(path) as manager:
        condition, values = manager.heap.root
        values.put("here")
        with condition:
            condition.wait()
            values.put("told")


def sleeping(pid):
    """Waits until the main thread of a process sleeps in a futex."""
    while True:
        with open(f"/proc/{pid}/syscall") as file:
            if file.read().split()[0] == "202":     # futex, on x86-64
                return


class TestCase(unittest.TestCase):
    def setUp(self):
        self.heap = refstore.open()
        self.addCleanup(self.heap.close)

    def pipe(self):
        pipe = Pipe()
        self.addCleanup(pipe.close)
        return pipe

    def hold_and_die(self, lock, how):
        """A child takes a lock, tells so, and ends when it is killed, or by itself."""
        taken = self.pipe()

        def hold():
            lock.acquire()
            taken.tell()
            if how is None:
                os._exit(0)
            signal.pause()

        pid = fork(hold)
        taken.wait()
        if how is not None:
            self.assertFalse(lock.acquire(False))
            os.kill(pid, how)
        wait(pid)


class Locks(TestCase):
    def test_exclusive(self):
        """Nothing is done between what is done under a lock."""
        for make in sync.Lock, sync.RLock, sync.Semaphore, sync.Condition:
            self.heap.root = [make(self.heap), [0]]
            lock, counter = self.heap.root

            def count():
                for _ in range(ROUNDS):
                    with lock:
                        counter[0] = counter[0] + 1

            pids = [fork(count) for _ in range(PROCESSES)]
            self.assertEqual([wait(pid) for pid in pids], [0] * PROCESSES)
            self.assertEqual(counter[0], ROUNDS * PROCESSES)

    def test_holder_dies(self):
        for make in sync.Lock, sync.RLock, sync.Condition:
            for how in signal.SIGKILL, signal.SIGTERM, None:
                lock = make(self.heap)
                self.hold_and_die(lock, how)
                self.assertTrue(lock.acquire())
                self.assertFalse(self.try_elsewhere(lock))
                lock.release()
                self.assertTrue(self.try_elsewhere(lock))

    def try_elsewhere(self, lock):
        """Whether a child gets the lock, which gives it back."""
        def take():
            if not lock.acquire(False):
                os._exit(3)
            lock.release()
        return wait(fork(take)) == 0

    def test_waiters_when_holder_dies(self):
        """All who wait get it, one after the other, though some are killed too."""
        lock = sync.Lock(self.heap)
        taken = self.pipe()

        def hold():
            lock.acquire()
            taken.tell()
            signal.pause()

        def take():
            with lock:
                pass

        holder = fork(hold)
        taken.wait()
        waiters = [fork(take) for _ in range(6)]
        for pid in waiters:
            sleeping(pid)
        for pid in waiters[:3] + [holder]:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual([wait(pid) for pid in waiters[3:]], [0] * 3)
        for pid in waiters[:3] + [holder]:
            wait(pid)

    def test_killed_at_random(self):
        """Whoever is killed wherever, the lock goes on, and one at a time has it."""
        self.heap.root = [sync.Lock(self.heap), [0, 0]]
        lock, pair = self.heap.root

        def work():
            while True:
                with lock:
                    pair[0] += 1
                    pair[1] = pair[0]

        for _ in range(ROUNDS // 10):
            pids = [fork(work) for _ in range(3)]
            start = pair[0]
            while pair[0] < start + 5:
                os.sched_yield()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for pid in pids:
                wait(pid)
            with lock:
                self.assertIn(pair[0] - pair[1], (0, 1))
                pair[1] = pair[0]

    def test_errors(self):
        lock, again = sync.Lock(self.heap), sync.RLock(self.heap)
        for one in lock, again, sync.Condition(self.heap):
            with self.assertRaises(RuntimeError):
                one.release()
        with self.assertRaises(ValueError):
            lock.acquire(False, 1)
        with self.assertRaises(ValueError):
            lock.acquire(True, -2)
        with self.assertRaises(ValueError):
            sync.Semaphore(self.heap, -1)
        bounded = sync.BoundedSemaphore(self.heap, 1)
        with self.assertRaises(ValueError):
            bounded.release()
        self.assertEqual(bounded.get_value(), 1)
        with self.assertRaises(RuntimeError):
            sync.Condition(self.heap).wait(0)
        with self.assertRaises(TypeError):
            sync.Condition(self.heap, threading.Lock())

    def test_timeout(self):
        lock = sync.Lock(self.heap)
        self.assertTrue(lock.acquire(True, 0.1))
        self.assertTrue(lock.locked())
        self.assertFalse(lock.acquire(True, 0))
        self.assertFalse(lock.acquire(True, 0.05))
        lock.release()
        self.assertFalse(lock.locked())

    def test_recursive(self):
        lock = sync.RLock(self.heap)
        for _ in range(3):
            self.assertTrue(lock.acquire())
        results = []

        def other():
            results.append(lock.acquire(False))
            try:
                lock.release()
            except RuntimeError:
                results.append("refused")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        self.assertEqual(results, [False, "refused"])
        for _ in range(2):
            lock.release()
        self.assertFalse(wait(fork(lambda: os._exit(lock.acquire(False)))))
        lock.release()

    def test_released_elsewhere(self):
        """A Lock may be given back by anybody."""
        lock = sync.Lock(self.heap)
        lock.acquire()
        self.assertEqual(wait(fork(lock.release)), 0)
        self.assertTrue(lock.acquire(False))
        thread = threading.Thread(target=lock.release)
        thread.start()
        thread.join()
        self.assertFalse(lock.locked())

    def test_interrupted(self):
        """Who waits hears signals, and waits on if nothing is raised."""
        class Alarm(Exception):
            pass

        def raise_alarm(*args):
            raise Alarm

        lock = sync.Lock(self.heap)
        lock.acquire()
        semaphore, event = sync.Semaphore(self.heap, 0), sync.Event(self.heap)
        condition = sync.Condition(self.heap)

        def wait_condition():
            with condition:
                try:
                    condition.wait()
                finally:
                    condition._check()
        self.addCleanup(signal.signal, signal.SIGALRM,
                        signal.signal(signal.SIGALRM, raise_alarm))
        for use in lock.acquire, semaphore.acquire, event.wait, wait_condition:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with self.assertRaises(Alarm):
                use()
        heard = []
        signal.signal(signal.SIGALRM, lambda *args: heard.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        self.assertFalse(lock.acquire(True, 0.3))
        self.assertEqual(heard, [1])

    def test_interrupted_when_told(self):
        """Who is interrupted has the lock again, and gives back none but that."""
        class Alarm(Exception):
            pass

        def alarm(*args):
            raise Alarm

        condition = sync.Condition(self.heap, sync.Lock(self.heap))
        self.addCleanup(signal.signal, signal.SIGALRM,
                        signal.signal(signal.SIGALRM, alarm))
        locked = self.pipe()

        def hold():
            with condition:
                locked.tell()
                time.sleep(1)

        with self.assertRaises(Alarm):
            with condition:
                pid = fork(hold)
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                condition.wait()
        self.assertEqual(wait(pid), 0)
        self.assertFalse(condition._mutex.locked())

    def test_given_back_by_others(self):
        """Locks that others give back are not kept for ever."""
        self.heap.root = []
        locks = self.heap.root

        def give_back():
            for lock in locks:
                lock.release()

        def use():
            for _ in range(200):
                locks.append(sync.Lock(self.heap))
                locks[-1].acquire()
            assert wait(fork(give_back)) == 0
            locks.clear()
            for _ in range(300):
                sync.Lock(self.heap).acquire()
            gc.collect()
            kept = [o for o in gc.get_objects() if isinstance(o, sync.Lock)]
            assert len(kept) < 400, len(kept)

        self.assertEqual(wait(fork(use)), 0)

    def lock_until(self, done):
        """Locks others, until it is looked which ones were given back."""
        while not done:
            sync.Lock(self.heap).acquire()

    def test_released_when_another_goes(self):
        """What is called when one goes that others gave back may give back another."""
        def use():
            locks = [sync.Lock(self.heap) for _ in range(100)]
            for lock in locks:
                lock.acquire()
            ours, others = locks[::2], locks[1::2]
            assert wait(fork(lambda: [lock.release() for lock in others])) == 0
            gone = []

            def release(reference):
                gone.append(reference)
                ours.pop().release()

            references = [weakref.ref(lock, release) for lock in others]
            del locks, lock
            others.clear()
            self.lock_until(gone)
            assert len(gone) == len(references) and not ours

        self.assertEqual(wait(fork(use)), 0)

    def test_locked_when_another_goes(self):
        """It may even be the one that is being locked: that is not kept twice."""
        def use():
            first = sync.Lock(self.heap)
            first.acquire()
            assert wait(fork(first.release)) == 0
            locks, gone = [], []

            def lock_again(reference):
                locks[-1].release()
                locks[-1].acquire()
                gone.append(weakref.ref(locks[-1]))

            reference = weakref.ref(first, lock_again)
            del first
            while not gone:
                locks.append(sync.Lock(self.heap))
                locks[-1].acquire()
            assert reference() is None and locks[-1].locked()
            for lock in locks:
                lock.release()
            del lock
            locks.clear()
            assert gone[0]() is None

        self.assertEqual(wait(fork(use)), 0)

    def test_as_many_as_can_be(self):
        """Who has locked them can lock others when these are given back, by whomever."""
        def use():
            locks = []
            with self.assertRaises(RuntimeError):
                while len(locks) < 3000:
                    locks.append(sync.Lock(self.heap))
                    locks[-1].acquire()
            assert len(locks) == 2001 and not locks.pop().locked()
            assert wait(fork(lambda: [lock.release() for lock in locks])) == 0
            for _ in range(100):
                assert sync.Lock(self.heap).acquire()
            event = sync.Event(self.heap)
            assert not event.wait(0)

        self.assertEqual(wait(fork(use)), 0)

    def test_other_threads_run(self):
        """Who waits for a lock keeps no other thread from giving it back."""
        lock = sync.Lock(self.heap)
        lock.acquire()
        thread = threading.Timer(0.05, lock.release)
        thread.start()
        self.assertTrue(lock.acquire())
        thread.join()

    def test_hostile(self):
        """Whatever is written into its page, nobody crashes."""
        path = tempfile.mktemp(dir=DIRECTORY)
        with refstore.open(path, create=True) as heap:
            self.addCleanup(os.unlink, path)
            heap.root = [sync.Lock(heap), sync.RLock(heap), sync.Semaphore(heap),
                         sync.Event(heap), sync.Condition(heap), sync.Queue(heap)]
            raw = heap.buffer(0)
            for fill in b"\xff", b"\0", b"\1", b"\x40\0\0\x40":
                self.assertTrue(self.fuzz(heap, fill), fill)
            del raw

    def fuzz(self, heap, fill):
        def use():
            lock, again, semaphore, event, condition, values = heap.root
            for monitor in (lock, again, semaphore, event, condition._bell,
                            values._numbers):
                for index in range(5):
                    monitor[index] = int.from_bytes((fill * 8)[:8], "little",
                                                    signed=True)
            for call in (lambda: lock.acquire(timeout=0), lock.release,
                         lambda: again.acquire(timeout=0), again.release,
                         lambda: semaphore.acquire(timeout=0), semaphore.release,
                         event.set, event.clear, lambda: event.wait(0),
                         lambda: values.put_nowait(1), values.get_nowait):
                try:
                    call()
                except (ValueError, RuntimeError, OverflowError, queue.Full,
                        queue.Empty):
                    pass
        return wait(fork(use)) == 0


class Conditions(TestCase):
    def test_notify(self):
        """As many are woken as are told, those first who have waited longest."""
        condition = sync.Condition(self.heap)
        self.heap.root = []
        woken = self.heap.root
        waits = self.pipe()

        def wait_for_it(number):
            with condition:
                waits.tell()
                assert condition.wait()
                woken.append(number)

        pids = []
        for number in range(4):
            pids.append(fork(wait_for_it, number))
            waits.wait()
            with condition:     # so it waits by now
                pass
        for number in (0,), (1, 2):
            with condition:
                condition.notify(len(number))
            for i in number:
                self.assertEqual(wait(pids[i]), 0)
        self.assertEqual(sorted(woken[:]), [0, 1, 2])
        with condition:
            condition.notify_all()
        self.assertEqual(wait(pids[3]), 0)

    def test_told_after_others_died(self):
        """Who was killed while waiting is not told anything in place of others."""
        condition = sync.Condition(self.heap)
        waits = self.pipe()

        def wait_for_it():
            with condition:
                waits.tell()
                assert condition.wait()

        first = fork(wait_for_it)
        waits.wait()
        with condition:
            pass
        second = fork(wait_for_it)
        waits.wait()
        with condition:
            pass
        os.kill(first, signal.SIGKILL)
        wait(first)
        with condition:
            condition.notify()
        self.assertEqual(wait(second), 0)

    def test_who_tells_is_killed(self):
        """Before it has told anybody; what it did is seen all the same."""
        event, semaphore = sync.Event(self.heap), sync.Semaphore(self.heap, 0)
        pids = [fork(event.wait), fork(semaphore.acquire)]
        for pid in pids:
            sleeping(pid)
        event[0] = 1
        with sync._Waiters(semaphore):
            semaphore[0] += 1
        self.assertEqual([wait(pid) for pid in pids], [0, 0])

    def test_given_back_wholly(self):
        """An RLock that was locked several times is free for others meanwhile."""
        condition = sync.Condition(self.heap)

        def tell():
            with condition:
                condition.notify()

        with condition, condition:
            pid = fork(tell)
            self.assertTrue(condition.wait())
            self.assertEqual(wait(pid), 0)
        with self.assertRaises(RuntimeError):
            condition.release()

    def test_parts_that_are_there(self):
        """Who finds no parts is told why, although others have found them meanwhile."""
        path = tempfile.mktemp(dir=DIRECTORY)

        class Heap(refstore.Heap):
            failed = False

            def _wrap(self, name):
                class_ = super()._wrap(name)
                if name == "py-bell" and not self.failed:
                    self.failed = True
                    assert len(self.condition._parts) == 2
                    raise KeyError(name)
                return class_

        with refstore.open(path, create=True) as heap, Heap(path) as other:
            self.addCleanup(os.unlink, path)
            heap.root = sync.Condition(heap)
            other.condition = other.root
            with self.assertRaises(KeyError):
                other.condition.acquire()
            with other.condition:
                other.condition.notify()

    def test_event(self):
        event = sync.Event(self.heap)
        pids = [fork(event.wait) for _ in range(3)]
        event.set()
        self.assertEqual([wait(pid) for pid in pids], [0] * 3)
        event.clear()
        self.assertFalse(event.wait(0.01))


class Queues(TestCase):
    def test_producers_and_consumers(self):
        """All comes to somebody, once, in the order of each producer."""
        values = sync.Queue(self.heap, 5)
        self.heap.root = [[] for _ in range(2)]

        def produce(number):
            for i in range(ROUNDS // 4):
                values.put((number, i))

        def consume(number):
            own = self.heap.root[number]
            while True:
                value = values.get()
                if value is None:
                    break
                own.append(value)
                values.task_done()

        producers = [fork(produce, i) for i in range(2)]
        consumers = [fork(consume, i) for i in range(2)]
        self.assertEqual([wait(pid) for pid in producers], [0, 0])
        values.join()
        for _ in consumers:
            values.put(None)
        self.assertEqual([wait(pid) for pid in consumers], [0, 0])
        got = [own[:] for own in self.heap.root]
        self.assertEqual(sorted(got[0] + got[1]),
                         [(n, i) for n in range(2) for i in range(ROUNDS // 4)])
        for own in got:
            for number in range(2):
                mine = [i for n, i in own if n == number]
                self.assertEqual(mine, sorted(mine))

    def test_getter_killed(self):
        """What comes is for those who live."""
        values = sync.Queue(self.heap)
        pids = [fork(values.get) for _ in range(2)]
        for pid in pids:
            sleeping(pid)
        os.kill(pids[0], signal.SIGKILL)
        wait(pids[0])
        values.put(1)
        self.assertEqual(wait(pids[1]), 0)
        with self.assertRaises(queue.Empty):
            values.get_nowait()


class Managers(unittest.TestCase):
    def test_named(self):
        """Another process opens the path, and finds what is there."""
        path = tempfile.mktemp(dir=DIRECTORY)
        with managers.Manager(path) as manager:
            self.addCleanup(os.unlink, path)
            manager.heap.root = {
                "lock": manager.Lock(), "names": manager.Namespace(x=1),
                "value": manager.Value("i", 5), "array": manager.Array("d", [1, 2]),
                "queue": manager.Queue(), "event": manager.Event(),
                "condition": manager.Condition(), "barrier": manager.Barrier(2),
            }

            def use():
                with managers.Manager(path) as other:
                    root = other.heap.root
                    with root["lock"], root["condition"]:
                        root["names"].y = root["names"].x + 1
                        root["value"].value += 1
                        root["array"][1] = 0.5
                        root["queue"].put("done")
                        root["event"].set()
                    root["barrier"].wait()
            pid = fork(use)
            root = manager.heap.root
            root["barrier"].wait()
            self.assertEqual(wait(pid), 0)
            self.assertEqual(str(root["names"]), "Namespace(x=1, y=2)")
            self.assertEqual(root["value"].get(), 6)
            self.assertEqual(list(root["array"]), [1, 0.5])
            self.assertEqual(root["queue"].get(), "done")
            self.assertTrue(root["event"].is_set())

    def test_spawned(self):
        """So does one that was not forked."""
        path = tempfile.mktemp(dir=DIRECTORY)
        with managers.Manager(path) as manager:
            self.addCleanup(os.unlink, path)
            for method in multiprocessing.get_all_start_methods():
                manager.heap.root = [manager.Condition(), manager.Queue()]
                condition, values = manager.heap.root
                process = multiprocessing.get_context(method).Process(
                    target=put_when_told, args=(path,))
                with condition:
                    process.start()
                    values.get()
                    condition.notify()
                    # Until it waits, it is not told.
                    while not condition.wait_for(lambda: values.qsize(), 0.01):
                        condition.notify()
                process.join()
                self.assertEqual((process.exitcode, values.get()), (0, "told"))

    def test_values(self):
        with managers.Manager() as manager:
            values = manager.Array("i", range(5))
            values[1:3] = [7, 8]
            self.assertEqual(values[:].tolist(), [0, 7, 8, 3, 4])
            with self.assertRaises(ValueError):
                values[1:3] = [7]
            names = manager.Namespace(a=1)
            del names.a
            with self.assertRaises(AttributeError):
                names.a
            with self.assertRaises(AttributeError):
                del names.a
            names._own = 5
            self.assertEqual((names._own, repr(names)), (5, "Namespace()"))


if __name__ == "__main__":
    unittest.main()
