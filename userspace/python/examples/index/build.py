# SPDX-License-Identifier: LGPL-2.1-or-later
"""Workers that fill an index, and who looks after them."""

import multiprocessing
import multiprocessing.connection
import os
import signal

import sources
from stores import DONE, STORES, TODO


def work(kind, place, folder):
    """Does files until there are none left, or SIGTERM asks to stop after this one."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = STORES[kind](place)
    while not stopped:
        file = store.take(os.getpid())
        if file is None:
            break
        store.add(sources.facts(folder, file))
        store.finish(file)
    store.close()


def build(kind, place, folder, files, workers, report):
    """Indexes files of a folder; what was done before is not done again.

    kind      refstore, manager or redis
    place     where the store is
    workers   how many processes
    report    called with how many files are done, and of how many, now and then

    A worker that is killed is replaced, and what it had taken is done by others. An
    exception in a worker ends the build with a RuntimeError. Returns the store, open.
    """
    store = STORES[kind](place)
    store.prepare(files)
    for number in set(store.files().values()) - {TODO, DONE}:
        if not _is_there(number):
            store.give_back(number)
    processes = []
    try:
        while True:
            states = list(store.files().values())
            report(states.count(DONE), len(states))
            if states.count(DONE) == len(states):
                return store
            while states.count(TODO) > len(processes) < workers:
                process = multiprocessing.Process(
                    target=work, args=(kind, place, folder))
                process.start()
                processes.append(process)
            multiprocessing.connection.wait(
                [process.sentinel for process in processes], 0.5)
            _bury(store, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
            store.give_back(process.pid)


def _bury(store, processes):
    """Gives back what processes had taken that have ended."""
    for process in list(processes):
        if process.exitcode is None:
            continue
        processes.remove(process)
        store.give_back(process.pid)
        if process.exitcode > 0:
            raise RuntimeError(f"worker {process.pid} has failed")


def _is_there(number):
    return os.path.exists(f"/proc/{number}")
