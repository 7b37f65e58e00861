#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes the object graph of the interpreter that runs this, with a large part
of the standard library imported, and says what must be left of it.

    graph.py GRAPH EXPECTED

GRAPH becomes a dump as "refstore load" reads it. Its root is a tuple of a few
objects that are worth keeping. EXPECTED becomes lines of a word and a number:
how much there is, how much of it those objects reach, and the id of each object
that they reach. That is found out here, from Python's own objects, with nothing
of refstore involved.
"""
import base64
import collections
import errno
import gc
import html.entities
import importlib
import json
import os
import sys
import time
import types

# Whatever a version of Python does not have is left out.
MODULES = """
    asyncio http.client http.server http.cookiejar json.tool xml.dom.minidom
    xml.etree.ElementTree xml.sax unittest.mock email.mime.multipart
    email.parser email.policy logging.config logging.handlers decimal
    argparse ast bz2 calendar cmd code codecs concurrent.futures
    configparser contextlib cProfile csv ctypes.util curses.textpad dataclasses
    datetime dbm.dumb difflib dis doctest encodings.idna enum filecmp fileinput
    fractions ftplib getpass gettext glob graphlib gzip hashlib heapq hmac
    html.parser imaplib importlib.metadata importlib.resources inspect
    ipaddress locale lzma mailbox mimetypes modulefinder multiprocessing.pool
    multiprocessing.shared_memory netrc optparse pathlib pdb pickletools pkgutil
    platform plistlib poplib pprint profile pstats pydoc queue random
    readline rlcompleter runpy sched secrets selectors shelve shlex shutil
    smtplib socketserver sqlite3 ssl statistics string subprocess symtable
    sysconfig tabnanny tarfile tempfile textwrap timeit trace tracemalloc
    turtle typing unittest uuid venv wave wsgiref.simple_server
    xmlrpc.client xmlrpc.server zipapp zipfile zoneinfo
    urllib.request urllib.robotparser
""".split()

# Whose functions go into the call graph.
PACKAGES = {"asyncio", "decimal", "email", "http", "json", "logging", "unittest",
            "urllib", "xml"}

# What the store takes, see REFSTORE_QUERY and REFSTORE_TYPE_NAME_MAX.
MOST_DATA = 65536
LONGEST_NAME = 31

# Less than this is no demonstration.
LEAST_OBJECTS = 50_000
LEAST_REFERENCES = 150_000

# Of a type's __flags__: instances can be part of cycles; made at run time.
HAVE_GC = 1 << 14
HEAPTYPE = 1 << 9

# As refstore's types are called, where Python has another name.
BUILTIN_NAMES = {"NoneType": "none"}


def say(text):
    """Prints a line of the transcript."""
    print(f"    {text}", flush=True)


def import_library():
    """Imports what there is; returns how many modules that brought."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    return len(sys.modules)


# --- What is kept ------------------------------------------------------------

def functions_of(module):
    """The functions that are defined in a module, methods included."""
    found = {}
    places = [vars(module)]
    places += [vars(value) for value in vars(module).values()
               if isinstance(value, type)
               and value.__module__ == module.__name__]
    for place in places:
        for value in place.values():
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if (isinstance(value, types.FunctionType)
                    and value.__module__ == module.__name__):
                found[id(value)] = value
    return list(found.values())


def add_calls(module, graph):
    """Adds a module's functions, and which of them mention which."""
    by_name = collections.defaultdict(list)
    for function in functions_of(module):
        node = {"name": function.__qualname__, "code": function.__code__,
                "calls": [], "called by": []}
        by_name[function.__name__].append(node)
        graph.append(node)
    for nodes in list(by_name.values()):
        for node in nodes:
            for name in node["code"].co_names:
                for target in by_name.get(name, ()):
                    node["calls"].append(target)
                    target["called by"].append(node)


def call_graph():
    """A list of functions that refer to each other, in dicts and lists alone:
    a function itself would lead to all of the interpreter."""
    graph = []
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES:
            add_calls(module, graph)
    return graph


# --- The graph ---------------------------------------------------------------

def take_graph():
    """All objects that the collector knows or that these refer to, for each the
    places of what it refers to, and by id their own. What is made here is not
    part of it."""
    objects, references, places = [], [], {}
    gc.collect()
    objects.extend(gc.get_objects())
    own = {id(objects), id(references), id(places)}
    objects[:] = [each for each in objects if id(each) not in own]
    for place, each in enumerate(objects):
        places[id(each)] = place
    # Grows while it is gone through.
    for each in objects:
        found = []
        for target in gc.get_referents(each):
            if id(target) in own:
                continue
            place = places.get(id(target))
            if place is None:
                place = places[id(target)] = len(objects)
                objects.append(target)
            found.append(place)
        references.append(found)
    return objects, references, places


def reach(references, starts):
    """The places that can be reached from some, these included."""
    seen = set(starts)
    todo = list(seen)
    while todo:
        for place in references[todo.pop()]:
            if place not in seen:
                seen.add(place)
                todo.append(place)
    return seen


def components(references):
    """The strongly connected components, by Tarjan's algorithm."""
    number, low, done, stack = {}, {}, set(), []
    for start in range(len(references)):
        if start in number:
            continue
        number[start] = low[start] = len(number)
        stack.append(start)
        path = [(start, iter(references[start]))]
        while path:
            place, targets = path[-1]
            for target in targets:
                if target not in number:
                    number[target] = low[target] = len(number)
                    stack.append(target)
                    path.append((target, iter(references[target])))
                    break
                if target not in done:
                    low[place] = min(low[place], low[target])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[place])
                if low[place] == number[place]:
                    group = [stack.pop()]
                    while group[-1] != place:
                        group.append(stack.pop())
                    done.update(group)
                    yield group


def sizes_of(objects):
    """Bytes that Python says each takes, as far as the store can hold them. To
    be asked once: they are in use."""
    return [min(sys.getsizeof(thing), MOST_DATA) for thing in objects]


# --- The dump ----------------------------------------------------------------

def type_name(kind, taken):
    """A type's name in the store; taken: types by the names given out."""
    name = kind.__qualname__
    if kind.__module__ == "builtins":
        name = BUILTIN_NAMES.get(name, name)
    else:
        name = f"{kind.__module__}.{name}"
    name = "".join(c if "!" <= c <= "~" else "?" for c in name)[-LONGEST_NAME:]
    count = 1
    while taken.setdefault(name, kind) is not kind:
        count += 1
        name = f"{name[:LONGEST_NAME - 4]}#{count}"
    return name


def content(thing):
    """Something to tell an object by: its value if it is a plain one, else its
    name. No code of the object's own is run."""
    kind = type(thing)
    if kind is str:
        return thing.encode("utf-8", "backslashreplace")
    if kind is bytes:
        return thing
    if kind in (int, float, complex, bool, type(None)):
        return repr(thing).encode()
    if kind is types.CodeType:
        return thing.co_qualname.encode()
    if kind in (types.FunctionType, types.BuiltinFunctionType, type):
        return thing.__qualname__.encode()
    return b""


def data_of(thing, size):
    """A dump's member that says what data an object has."""
    data = content(thing)[:size].ljust(size)
    try:
        return "text", data.decode()
    except UnicodeDecodeError:
        return "data", base64.b64encode(data).decode()


def is_container(thing):
    """Whether it can ever refer to something. Static types have the flag but
    the collector passes them by."""
    if isinstance(thing, type):
        return bool(thing.__flags__ & HEAPTYPE)
    return bool(type(thing).__flags__ & HAVE_GC)


def write_dump(file, objects, references, sizes, root):
    """Writes the graph; ids are places from 1."""
    names, taken = {}, {}
    write = json.JSONEncoder(separators=(",", ":")).encode
    file.write('{"refstore":1}\n')
    for place, thing in enumerate(objects):
        kind = type(thing)
        if kind not in names:
            names[kind] = type_name(kind, taken)
        line = {"id": place + 1, "type": names[kind]}
        if references[place] or is_container(thing):
            line["slots"] = [target + 1 for target in references[place]]
        member, data = data_of(thing, sizes[place])
        line[member] = data
        file.write(write(line) + "\n")
    file.write(f'{{"root":{root + 1}}}\n')


# --- What to expect ----------------------------------------------------------

def totals(references, sizes, places):
    """Objects, references and bytes of some places."""
    return (len(places), sum(len(references[place]) for place in places),
            sum(sizes[place] for place in places))


def write_expected(file, everything, kept, places):
    """Writes what demo.c reads."""
    for word, number in zip(("objects", "references", "bytes"), everything):
        file.write(f"{word} {number}\n")
    for word, number in zip(("objects", "references", "bytes"), kept):
        file.write(f"kept_{word} {number}\n")
    for place in sorted(places):
        file.write(f"keep {place + 1}\n")


def say_totals(numbers, groups):
    """Tells of some places, and of the cycles among them."""
    groups = sorted((len(group) for group in groups), reverse=True)
    say("    %s objects, %s references, %s bytes"
        % tuple(f"{number:,}" for number in numbers))
    say(f"    {sum(groups):,} objects are on cycles: {len(groups):,} groups, "
        f"the largest of {groups[0]:,}")


def main():
    """Does it all."""
    start = time.monotonic()
    modules = import_library()
    calls = call_graph()
    kept = (calls, html.entities.html5, errno.errorcode, os.stat_result)
    objects, references, places = take_graph()
    sizes = sizes_of(objects)
    keep = reach(references, [places[id(each)] for each in kept])
    groups = [group for group in components(references)
              if len(group) > 1 or group[0] in references[group[0]]]
    everything = totals(references, sizes, range(len(objects)))
    left = totals(references, sizes, keep)
    say(f"Python {sys.version.split()[0]} with {modules} modules:")
    say_totals(everything, groups)
    say("the root: (a call graph of %s functions, html.entities.html5,"
        % f"{len(calls):,}")
    say("    errno.errorcode, os.stat_result). What these four reach:")
    say_totals(left, [group for group in groups if group[0] in keep])
    with open(sys.argv[1], "w", encoding="ascii") as file:
        write_dump(file, objects, references, sizes, places[id(kept)])
        size = file.tell()
    with open(sys.argv[2], "w", encoding="ascii") as file:
        write_expected(file, everything, left, keep)
    say(f"as a dump: {size:,} bytes, in {time.monotonic() - start:.1f} s")
    if everything[0] < LEAST_OBJECTS or everything[1] < LEAST_REFERENCES:
        sys.exit("graph.py: that is less than this is meant to show")


if __name__ == "__main__":
    main()
