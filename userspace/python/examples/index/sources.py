# SPDX-License-Identifier: LGPL-2.1-or-later
"""What there is to know of a source file: its words, its symbols, its calls."""

import ast
import builtins
import collections
import os
import re

WORD = re.compile(r"[A-Za-z]{2,}")
LEFT_OUT = {"__pycache__", "dist-packages", "site-packages", "test", "tests"}

#: What an index consists of. Each table has keys, and each key has entries:
#:
#: words    a word             {file: how often}
#: symbols  a name             {its full name: (kind, file, line)}
#: callers  what is called     {the function that calls it: how often}
#: callees  a function         {what it calls: how often}
TABLES = ("words", "symbols", "callers", "callees")


def files(folder):
    """The Python files below a folder, as paths relative to it, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        found += [os.path.relpath(os.path.join(place, name), folder)
                  for name in names if name.endswith(".py")]
    return sorted(found)


def facts(folder, file):
    """What one file adds to each table: {table: {key: {entry: value}}}."""
    with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as source:
        text = source.read()
    found = {table: collections.defaultdict(dict) for table in TABLES}
    for word, times in collections.Counter(WORD.findall(text.lower())).items():
        found["words"][word][file] = times
    try:
        tree = ast.parse(text)
    except SyntaxError:     # a file that is there to be wrong
        return found
    reader = _Reader(file)
    reader.read(tree)
    for full_name, place in reader.symbols.items():
        found["symbols"][full_name.rpartition(".")[2]][full_name] = place
    for (caller, callee), times in reader.calls.items():
        found["callers"][callee][caller] = times
        found["callees"][caller][callee] = times
    return found


def _module(file):
    parts = file.removesuffix(".py").split(os.sep)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


class _Reader(ast.NodeVisitor):
    """Walks through a file and collects symbols and calls.

    Nothing is executed, so who is called is a guess: names that the file imports or
    defines get their full names, methods of whatever object stay ".name".
    """

    def __init__(self, file):
        self.file = file
        self.symbols = {}
        self.calls = collections.Counter()
        self.names = {}
        self.scope = [_module(file)]
        self.classes = []

    def read(self, tree):
        for node in tree.body:
            if hasattr(node, "name"):
                self.names[node.name] = f"{self.scope[0]}.{node.name}"
        self.visit(tree)

    def visit_Import(self, node):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.names[name] = alias.name if alias.asname else name

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if node.level:
            above = self.scope[0].split(".")
            if not self.file.endswith("__init__.py"):
                above.pop()
            above = above[:len(above) - node.level + 1]
            module = ".".join(above + [module] * bool(module))
        for alias in node.names:
            self.names[alias.asname or alias.name] = f"{module}.{alias.name}"

    def visit_ClassDef(self, node):
        methods = {child.name for child in node.body if hasattr(child, "name")}
        self._enter(node, "class", (".".join(self.scope + [node.name]), methods))

    def visit_FunctionDef(self, node):
        self._enter(node, "function", None)

    visit_AsyncFunctionDef = visit_FunctionDef

    def _enter(self, node, kind, class_):
        self.scope.append(node.name)
        self.symbols[".".join(self.scope)] = kind, self.file, node.lineno
        if class_:
            self.classes.append(class_)
        self.generic_visit(node)
        if class_:
            self.classes.pop()
        self.scope.pop()

    def visit_Call(self, node):
        callee = self._callee(node.func)
        if callee:
            self.calls[".".join(self.scope), callee] += 1
        self.generic_visit(node)

    def _callee(self, node):
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            if node.id in self.names:
                return ".".join([self.names[node.id]] + attributes)
            if not attributes:
                known = hasattr(builtins, node.id)
                return f"builtins.{node.id}" if known else f".{node.id}"
            if node.id in ("self", "cls") and self.classes:
                name, methods = self.classes[-1]
                if attributes[0] in methods and len(attributes) == 1:
                    return f"{name}.{attributes[0]}"
        return f".{attributes[-1]}" if attributes else None
