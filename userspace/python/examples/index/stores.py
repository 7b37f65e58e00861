# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the index is: the same few methods on refstore, a Manager, and Redis.

    prepare(files)      make the tables; list the files that are not yet listed
    files()             {file: TODO, DONE, or the number of the process that has it}
    take(worker)        a file that is to be done, for a process; None if there is none
    finish(file)        it is done
    give_back(worker)   what a process has taken is to be done again
    add(facts)          what sources.facts() returned; adding it twice is no harm
    keys(table)         all keys
    get(table, key)     its entries, as a dict; empty if there is no such key
    memory()            bytes
    close()
    drop()              close, and remove all

A worker may be killed at any moment: its file is then done again by another one, and as
entries have names of their own, those that are there already are only written anew.
"""

import contextlib
import json
import multiprocessing.managers
import os
import subprocess
import sys
import time

import sources

TODO, DONE = 0, -1


class RefstoreStore:
    """A named heap: no server, and nothing to start.

    The root is a dict of dicts of dicts, just as it reads. Whoever opens the heap in a
    shell sees the same, even while it is being built:

        refstore.open("/run/refstore/index").root["words"]["abstract"]

    No lock is needed: taking a file is one update_key(), and each dict of entries is
    shared by all workers, which change it in place. A worker keeps those that it has
    met, so that it need not look for them again.
    """

    def __init__(self, path):
        import refstore
        self._heap = refstore.open(path, create=True)
        self._root = self._heap.root
        self._known = {}

    def prepare(self, files):
        if self._root is None:
            self._heap.root = {name: {} for name in ("files",) + sources.TABLES}
            self._root = self._heap.root
        listed = self._root["files"].copy()
        self._root["files"].update({f: TODO for f in files if f not in listed})

    def files(self):
        return self._root["files"].copy()

    def take(self, worker):
        files = self._root["files"]
        for file, state in files.items():
            if state == TODO and worker == files.update_key(
                    file, lambda now: worker if now == TODO else now):
                return file
        return None

    def finish(self, file):
        self._root["files"][file] = DONE

    def give_back(self, worker):
        files = self._root["files"]
        files.update({f: TODO for f, state in files.items() if state == worker})

    def add(self, facts):
        for name, keys in facts.items():
            table = self._root[name]
            for key, entries in keys.items():
                there = self._known.get((name, key))
                if there is None:
                    there = table.get(key)
                if there is None:
                    # These, or what somebody else has put in meanwhile.
                    there = table.setdefault(key, entries)
                self._known[name, key] = there
                there.update(entries)

    def keys(self, table):
        return list(self._root[table])

    def get(self, table, key):
        entries = self._root[table].get(key)
        return {} if entries is None else entries.copy()

    def memory(self):
        return os.stat(self._heap.path).st_size

    def close(self):
        self._known.clear()
        self._heap.close()

    def drop(self):
        os.unlink(self._heap.path)
        self.close()


class _Manager(multiprocessing.managers.BaseManager):
    """The server's end: tables that are there as long as it runs, and one lock."""


def _serve_manager(path):
    import threading
    tables = {name: {} for name in ("files",) + sources.TABLES}
    lock = threading.Lock()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)     # of a server that was killed
    _Manager.register("table", tables.get, multiprocessing.managers.DictProxy)
    _Manager.register("lock", lambda: lock, multiprocessing.managers.AcquirerProxy)
    _Manager.register("number", os.getpid)
    _Manager(path, b"index").get_server().serve_forever()


for _name, _proxy in (("table", multiprocessing.managers.DictProxy),
                      ("lock", multiprocessing.managers.AcquirerProxy),
                      ("number", None)):
    _Manager.register(_name, proxytype=_proxy)


class ManagerStore:
    """multiprocessing's Manager: dicts in a server process, and proxies of them.

    Entries are plain dicts in there: with a proxy for each, the server would keep
    several objects a word, and each would take several messages to make. So they are
    fetched, changed and put back, which needs a lock. (Who is killed while it has that
    lock takes it along: then the server has to be started anew.)
    """

    def __init__(self, path):
        self._manager = _Manager(path, b"index")
        _start([sys.executable, __file__, path], self._manager.connect,
               (FileNotFoundError, ConnectionRefusedError))
        self._tables = {name: self._manager.table(name)
                        for name in ("files",) + sources.TABLES}
        self._lock = self._manager.lock()

    def prepare(self, files):
        with self._lock:
            listed = self._tables["files"].copy()
            self._tables["files"].update({f: TODO for f in files if f not in listed})

    def files(self):
        return self._tables["files"].copy()

    def take(self, worker):
        with self._lock:
            for file, state in self._tables["files"].items():
                if state == TODO:
                    self._tables["files"][file] = worker
                    return file
        return None

    def finish(self, file):
        self._tables["files"][file] = DONE

    def give_back(self, worker):
        with self._lock:
            taken = [f for f, state in self.files().items() if state == worker]
            self._tables["files"].update(dict.fromkeys(taken, TODO))

    def add(self, facts):
        for name, keys in facts.items():
            table = self._tables[name]
            with self._lock:
                table.update({key: {**table.get(key, {}), **entries}
                              for key, entries in keys.items()})

    def keys(self, table):
        return self._tables[table].keys()

    def get(self, table, key):
        return self._tables[table].get(key, {})

    def memory(self):
        return _resident(self._manager.number()._getvalue())

    def close(self):
        self._tables = self._lock = None

    def drop(self):
        number = self._manager.number()._getvalue()
        self.close()
        _stop(number)
        os.unlink(self._manager.address)


class RedisStore:
    """Redis, on a UNIX socket: a hash for the entries of each key.

    Redis does each command whole, and HSETNX takes a file. What a file adds is sent as
    one pipeline. Keys and values are text: so values are JSON, and the keys of a table
    are listed in a set.
    """

    def __init__(self, path):
        import redis
        self._redis = redis.Redis(unix_socket_path=path, decode_responses=True)
        _start(["redis-server", "--port", "0", "--unixsocket", path,
                "--unixsocketperm", "700", "--save", "",
                "--dir", os.path.dirname(path)],
               self._redis.ping, redis.ConnectionError)

    def prepare(self, files):
        if files:
            self._redis.sadd("files", *files)

    def files(self):
        taken = self._redis.hgetall("taken")
        return {file: int(taken.get(file, TODO))
                for file in sorted(self._redis.smembers("files"))}

    def take(self, worker):
        for file, state in self.files().items():
            if state == TODO and self._redis.hsetnx("taken", file, worker):
                return file
        return None

    def finish(self, file):
        self._redis.hset("taken", file, DONE)

    def give_back(self, worker):
        for file, state in self.files().items():
            if state == worker:
                self._redis.hdel("taken", file)

    def add(self, facts):
        with self._redis.pipeline() as pipeline:
            for table, keys in facts.items():
                if keys:
                    pipeline.sadd(table, *keys)
                for key, entries in keys.items():
                    pipeline.hset(f"{table}:{key}", mapping={
                        name: json.dumps(value) for name, value in entries.items()})
            pipeline.execute()

    def keys(self, table):
        return list(self._redis.smembers(table))

    def get(self, table, key):
        return {name: _from_json(value) for name, value
                in self._redis.hgetall(f"{table}:{key}").items()}

    def memory(self):
        return self._redis.info("memory")["used_memory"]

    def close(self):
        self._redis.close()

    def drop(self):
        number = self._redis.info("server")["process_id"]
        self.close()
        _stop(number)


def _from_json(text):
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value


def _start(command, connect, not_there):
    """Connects to a server, which is started if it is not there."""
    try:
        connect()
        return
    except not_there:
        subprocess.run(["setsid", "--fork", *command], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True)
    for _ in range(600):
        try:
            connect()
            return
        except not_there:
            time.sleep(0.1)
    raise TimeoutError(f"{command[0]} does not answer")


def _stop(number):
    """Ends a server, and waits until it is gone."""
    descriptor = os.pidfd_open(number)
    os.kill(number, 15)
    multiprocessing.connection.wait([descriptor])
    os.close(descriptor)


def _resident(number):
    with open(f"/proc/{number}/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


STORES = {"refstore": RefstoreStore, "manager": ManagerStore, "redis": RedisStore}

if __name__ == "__main__":
    _serve_manager(sys.argv[1])
