# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects of users' own classes in a heap."""

import copy
import dataclasses
import functools
import gc
import os
import pickle
import random
import unittest

import refstore
from support import TestCase

INITIALISED = []


@refstore.register("test.User")
class User(refstore.Record):
    """A user."""

    admin = False
    kinds = ("user",)

    def __init__(self, name, **more):
        INITIALISED.append(name)
        self.name = name
        super().__init__(**more)

    def rename(self, name):
        old, self.name = self.name, name
        return old

    @property
    def shouted(self):
        return self.name.upper()

    @shouted.setter
    def shouted(self, value):
        self.name = value.lower()

    @classmethod
    def guest(cls):
        return cls("guest")

    @staticmethod
    def add(a, b):
        return a + b


@refstore.register("test.Admin")
class Admin(User):
    admin = True

    def rename(self, name):
        return super().rename(name + "!")


@refstore.register("test.Point")
@dataclasses.dataclass(order=True)
class Point(refstore.Record):
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list)


@refstore.register("test.Frozen")
@dataclasses.dataclass(frozen=True)
class Frozen(refstore.Record):
    x: int


@refstore.register("test.Fields")
class Fields(refstore.Record):
    """With names that containers use, too."""

    get = 5

    @functools.cached_property
    def cached(self):
        return self.pop

    def __getattr__(self, name):
        if name.startswith("any_"):
            return name[4:]
        raise AttributeError(name)


class Records(TestCase):
    def user(self, *args, **kwargs):
        return self.heap.new(User, *args, **kwargs)

    def test_like_plain_python(self):
        for user in User("ann"), self.user("ann"):
            self.assertIsInstance(user, User)
            self.assertIs(user.__class__, User)
            self.assertEqual(user.name, "ann")
            self.assertEqual(user.rename("bob"), "ann")
            self.assertEqual(user.shouted, "BOB")
            user.shouted = "EVE"
            self.assertEqual(user.name, "eve")
            self.assertEqual(user.add(1, 2), 3)
            self.assertEqual(user.guest().name, "guest")
            self.assertIs(user.guest.__self__, User)
            self.assertIs(type(type(user)("joe")), User)
            self.assertIs(user.admin, False)
            user.admin = True
            self.assertIs(user.admin, True)
            self.assertIs(User.admin, False)
            del user.admin
            self.assertIs(user.admin, False)
            self.assertEqual(user.kinds, ("user",))
            with self.assertRaisesRegex(AttributeError,
                                        "'User' object has no attribute 'age'"):
                user.age
            with self.assertRaises(AttributeError):
                del user.age
            user.age = 3
            self.assertEqual(user.age, 3)
            self.assertTrue(hasattr(user, "age"))
            self.assertEqual(getattr(user, "other", 4), 4)
            self.assertEqual(vars(user), {"name": "eve", "age": 3})
            self.assertLessEqual({"name", "age", "rename", "admin"}, set(dir(user)))
            self.assertEqual(repr(user), "User(name='eve', age=3)")
            self.assertTrue(user)
            self.assertEqual(user.__doc__, "A user.")
            for what in (lambda: len(user), lambda: user["name"],
                         lambda: "name" in user, lambda: iter(user)):
                with self.assertRaises(TypeError):
                    what()
            del user.age, user.name
            self.assertEqual(vars(user), {})

    def test_attributes_are_in_the_heap(self):
        user = self.user("ann")
        self.heap.root = user
        pid = os.fork()
        if not pid:
            self.heap.root.rename("bob")
            self.heap.root.friends = ["eve"]
            os._exit(0)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(user.name, "bob")
        user.friends.append("joe")
        self.assertEqual(self.heap.root.friends, ["eve", "joe"])

    def test_assigning_copies_or_shares(self):
        plain = User("ann")
        plain.friend = plain
        self.heap.root = [plain, plain]
        plain.name = "changed"
        one, other = self.heap.root
        self.assertIs(one, other)
        self.assertIs(one.friend, one)
        self.assertEqual(one.name, "ann")
        self.heap.root.append(one)
        self.assertIs(self.heap.root[2], one)

    def test_init_runs_once(self):
        INITIALISED.clear()
        user = self.user("ann")
        self.heap.root = user
        del user
        gc.collect()
        self.assertEqual(self.heap.root.name, "ann")
        self.assertEqual(INITIALISED, ["ann"])

    def test_without_init(self):
        @refstore.register("test.Bare")
        class Bare(refstore.Record):
            pass

        bare = self.heap.new(Bare, a=1, b=[2])
        self.assertEqual((bare.a, bare.b), (1, [2]))
        with self.assertRaises(TypeError):
            Bare(1)

    def test_inheritance(self):
        admin = self.heap.new(Admin, "ann")
        self.assertIsInstance(admin, User)
        self.assertIs(admin.admin, True)
        admin.rename("bob")
        self.assertEqual(admin.name, "bob!")

    def test_update_is_whole(self):
        user = self.user("ann", a=0, b=0)
        pid = os.fork()
        if not pid:
            for i in range(200):
                user.update(a=i, b=i)
            os._exit(0)
        while not os.waitpid(pid, os.WNOHANG)[0]:
            found = vars(user)
            self.assertEqual(found["a"], found["b"])
        self.assertEqual((user.a, user.b), (199, 199))

    def test_update_key(self):
        for user in User("ann", n=1), self.user("ann", n=1):
            self.assertEqual(user.update_key("n", lambda n: n + 1), 2)
            self.assertEqual(user.update_key("admin", lambda old: (old, 1)),
                             (False, 1))
            self.assertEqual(user.update_key("m", lambda n: n + 1, 10), 11)
            with self.assertRaises(AttributeError):
                user.update_key("missing", lambda n: n)
        with self.assertRaises(AttributeError):
            user.update_key("rename", lambda n: n)

    def test_update_key_of_several(self):
        user = self.user("ann", n=0)
        pids = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                for _ in range(100):
                    user.update_key("n", lambda n: n + 1)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
        self.assertEqual(user.n, 300)

    def test_equality(self):
        one, other = self.user("ann"), self.user("ann")
        self.assertNotEqual(one, other)
        self.assertNotEqual(one, User("ann"))
        self.heap.root = one
        self.assertEqual(self.heap.root, one)
        self.assertEqual(len({one, other, self.heap.root}), 2)
        self.named.root = one = self.named.new(User, "ann")
        with refstore.open(self.path) as again:
            self.assertIsNot(again.root, one)
            self.assertEqual(again.root, one)
            self.assertEqual(hash(again.root), hash(one))

    def test_dataclass(self):
        self.heap.root = [Point(1, 2), Point(1)]
        one, other = self.heap.root
        self.assertEqual(one, Point(1, 2))
        self.assertNotEqual(one, other)
        self.assertGreater(one, other)
        self.assertEqual(repr(other), "Point(x=1, y=0, tags=[])")
        other.tags.append("a")
        self.assertEqual(other.tags, ["a"])
        self.assertEqual(one.tags, [])
        self.assertEqual(dataclasses.replace(one, y=5), Point(1, 5))
        frozen = self.heap.new(Frozen, 1)
        self.assertEqual(frozen, Frozen(1))
        self.assertEqual(hash(frozen), hash(Frozen(1)))
        with self.assertRaises(dataclasses.FrozenInstanceError):
            frozen.x = 2
        self.assertEqual(frozen.x, 1)

    def test_names_of_containers(self):
        """They are free for attributes."""
        plain = Fields(pop=1, clear=2, items=3, keys=4)
        self.assertEqual(plain.cached, 1)
        shared = self.heap.new(lambda: plain)
        self.assertEqual((shared.pop, shared.clear, shared.items, shared.keys),
                         (1, 2, 3, 4))
        self.assertEqual(shared.get, 5)
        shared.get = 6
        self.assertEqual((shared.get, Fields.get), (6, 5))
        self.assertEqual(shared.cached, 1)
        self.assertEqual(shared.any_thing, "thing")
        with self.assertRaises(AttributeError):
            shared.setdefault
        self.assertEqual(vars(shared), {"pop": 1, "clear": 2, "items": 3, "keys": 4,
                                        "get": 6})

    def test_what_cannot_be_set(self):
        user = self.user("ann")
        for name in "rename", "guest", "__class__", "__foo__", "_id", "_session":
            with self.assertRaises(AttributeError, msg=name):
                setattr(user, name, 1)
            with self.assertRaises(AttributeError, msg=name):
                user.update(name="x", **{name: 1})
        with self.assertRaises(TypeError):
            user.name = object()
        self.assertEqual(vars(user), {"name": "ann"})
        plain = User("ann")
        plain.rename = 5
        with self.assertRaises(AttributeError):
            self.heap.root = plain

    def test_private_names(self):
        user = self.user("ann")
        user._private = 1
        user._value = 2
        self.heap.root = user
        del user
        gc.collect()
        self.assertEqual((self.heap.root._private, self.heap.root._value), (1, 2))

    def test_copies(self):
        user = self.user("ann", friends=["bob"])
        user.me = user
        shallow, deep = copy.copy(user), copy.deepcopy(user)
        for plain in shallow, deep:
            self.assertIs(type(plain), User)
            self.assertNotIsInstance(plain, refstore._store.Object)
            self.assertEqual(plain.name, "ann")
        self.assertIs(shallow.me, user)
        self.assertIs(shallow.friends, user.friends)
        self.assertIs(deep.me, deep)
        self.assertIs(type(deep.friends), list)
        self.named.root = deep
        self.assertIs(self.named.root.me, self.named.root)

    def test_pickles(self):
        user = self.user("ann")
        self.assertIs(pickle.loads(pickle.dumps(user)), user)

    def test_random(self):
        """The same on a shared record as on a plain one."""
        seed = int(os.environ.get("REFSTORE_SEED", "0")) or random.randrange(1 << 32)
        rand = random.Random(seed)
        plain, shared = User("x"), self.user("x")
        names = ["name", "admin", "kinds", "a", "b", "pop", "get", "long" * 100]
        for _ in range(500):
            name, value = rand.choice(names), rand.choice([1, "a", None, (1, 2)])
            what = rand.randrange(4)
            results = []
            for user in plain, shared:
                try:
                    if what == 0:
                        setattr(user, name, value)
                        results.append(None)
                    elif what == 1:
                        delattr(user, name)
                        results.append(None)
                    elif what == 2:
                        results.append(getattr(user, name))
                    else:
                        user.update(**{name: value, "b": 1})
                        results.append(None)
                except AttributeError:
                    results.append(AttributeError)
            self.assertEqual(*results, (seed, what, name))
            self.assertEqual(vars(plain), vars(shared), seed)


class Registering(TestCase):
    def test_reader_without_the_class(self):
        self.named.root = {"user": User("ann"), "n": 1}
        code = ("import sys, refstore\n"
                "heap = refstore.open(sys.argv[1])\n"
                "assert heap.root['n'] == 1\n"
                "for error in LookupError, refstore.Error:\n"
                "    try:\n"
                "        heap.root['user']\n"
                "    except error as caught:\n"
                "        assert type(caught) is refstore.NotRegisteredError\n"
                "        print(caught)\n")
        process = self.python(code, self.path)
        output, _ = process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(output.decode(),
                         "no class is registered as 'test.User'\n" * 2)

    def test_reader_with_another_class(self):
        self.named.root = User("ann")
        code = ("import sys, refstore\n"
                "@refstore.register('test.User')\n"
                "class Person(refstore.Record):\n"
                "    def greet(self):\n"
                "        return 'hello ' + self.name\n"
                "print(refstore.open(sys.argv[1]).root.greet())\n")
        process = self.python(code, self.path)
        output, _ = process.communicate()
        self.assertEqual(output, b"hello ann\n")

    def test_not_registered(self):
        class Derived(User):
            pass

        with self.assertRaises(TypeError):
            self.heap.root = Derived("ann")

    def test_what_cannot_be_registered(self):
        class Plain:
            pass

        def make(**space):
            return type("Made", (refstore.Record,), space)

        for class_ in (Plain, 5, make(__slots__=("a",)), make(_update=1),
                       make(_id=property(id)), make(_value=1),
                       make(__new__=lambda cls: None), make(__del__=id)):
            with self.assertRaises(TypeError):
                refstore.register("test.Bad")(class_)
        for name in "", "two words", "x" * 29, "grün", "a\n":
            with self.assertRaises(ValueError):
                refstore.register(name)
        with self.assertRaisesRegex(TypeError, "a name is needed"):
            @refstore.register
            class Nameless(refstore.Record):
                pass
        refstore.register("x" * 28)(make(__slots__=()))

    def test_hostile_attributes(self):
        """Whatever is in the heap, no attribute takes the place of a method."""
        user = self.heap.new(User, "ann")
        put = refstore._store.Map.__setitem__
        put(user, "rename", "evil")
        put(user, "shouted", "evil")
        for name in "__class__", "__deepcopy__", "__dict__", 5:
            put(user, name, "evil")
            self.assertEqual(user.rename("bob"), "ann")
            self.assertEqual(user.shouted, "BOB")
            self.assertIs(user.__class__, User)
            for what in vars, copy.copy, copy.deepcopy, repr:
                with self.assertRaises(refstore.CorruptError, msg=name):
                    what(user)
            refstore._store.Map.__delitem__(user, name)
            user.name = "ann"


if __name__ == "__main__":
    unittest.main()
