# SPDX-License-Identifier: GPL-2.0-only
# Judges what module.sh has had printed: judge.py FILE. A request is a line, QUESTION
# ARGUMENT..., and a question a function below; what there is to say goes to FILE, and
# "yes" or "no" is printed.

import json, re, sys, traceback

def read(path):
    with open(path) as file:
        return file.read()

# gives EXPRESSION-FILE JSON-FILE: the expression of v, the value, is true.
def gives(expression, path):
    v = json.loads(read(path))
    print(v)
    ages = v["generations"] if "generations" in v else []
    return eval("(" + read(expression) + ")", {"v": v, "ages": ages})

# A dump with ids as they come in, and without an order of its lines.
def shape(path):
    lines = [json.loads(line) for line in read(path).splitlines()]
    root = lines[-1]["root"]
    objects = {o["id"]: o for o in lines[1:-1]}
    names, todo = {}, [root] if root else []
    while todo:
        id = todo.pop()
        if id in names:
            continue
        names[id] = len(names) + 1
        todo += [slot for slot in objects[id].get("slots", []) if slot]
    for id, name in names.items():
        o = objects[id]
        o["id"] = name
        if "slots" in o:
            o["slots"] = [slot and names[slot] for slot in o["slots"]]
    return {names[id]: objects[id] for id in names}, len(objects)

# same REACHABLE DUMP DUMP: that is all of the second one, and looks the same.
def same(reachable, before, after):
    (wanted, _), (found, count) = shape(before), shape(after)
    print("of", count, "reachable", len(found))
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            print(wanted.get(name), "is now", found.get(name))
            return False
    return len(found) == count == int(reachable)

# Of scans; the first event may be the end of one that ran already.
def paired(path):
    events = [json.loads(line) for line in read(path).splitlines()]
    print(events)
    assert len(events) == 4
    for one, next in zip(events, events[1:]):
        assert one["generation"] == 1
        assert 1700000000 * 10**9 < one["time"] <= next["time"]
        if one["event"] == "start":
            assert next["event"] == "stop"
            assert next["scan"] == one["scan"]
            assert next["visited"] == 0
        else:
            assert next["event"] == "start"
    return True

# A session of the process begins, then ends; what is not told is the watcher's.
def came_and_went(path, pid, watcher):
    events = [json.loads(line) for line in read(path).splitlines()]
    print(events)
    theirs = [e for e in events if e.get("pid") == int(pid)]
    assert not [e for e in events if e.get("pid") == int(watcher)]
    assert [e["event"] for e in theirs] == ["open", "close"]
    assert theirs[0]["session"] == theirs[1]["session"]
    return theirs[0]["time"] < theirs[1]["time"]

# The text format of Prometheus, strictly: {metric: {labels: value}}.
def exposition(text):
    assert text.endswith("\n")
    name, kind, all = None, "", {}
    for line in text[:-1].split("\n"):
        words = line.split(" ")
        if words[:2] == ["#", "HELP"]:
            assert kind is not None and words[3], line
            assert re.fullmatch("[a-z][a-z0-9_]*", words[2]), line
            assert words[2] not in all, "again: " + line
            name, kind = words[2], None
            all[name] = {}
        elif words[:2] == ["#", "TYPE"]:
            assert kind is None and words[2] == name, line
            kind, = words[3:]
            assert kind == ("counter" if name.endswith("_total") else "gauge")
        else:
            found = re.fullmatch(r"([a-z0-9_]+)(\{(.+)\})? (\d+(\.\d+)?)", line)
            assert found and found[1] == name and kind, line
            labels, rest = {}, found[3] or ""
            while rest:
                label = re.match(
                    r'([a-z]+)="((?:[^"\\]|\\[\\"n])*)"(,(?=.)|$)', rest)
                assert label and label[1] not in labels, line
                labels[label[1]] = re.sub(r"\\(.)", r"\1", label[2])
                rest = rest[label.end():]
            key = tuple(sorted(labels.items()))
            assert key not in all[name], "again: " + line
            all[name][key] = found[4]
    assert kind and {} not in all.values()
    return all

# metrics FILE STATS HEAPS USERS LABEL: the same figures, and all of them.
def metrics(path, stats, heaps, users, label):
    wanted = {}
    for line in read(stats).splitlines()[1:]:
        source, value = line.split()
        name = {"created": "objects_created_total", "scans": "scans_total",
                "freed": "objects_freed_total", "saturated": "saturated_total",
                "scan_bytes": "scan_reclaimed_bytes_total",
                "scan_nanoseconds": "scan_seconds_total"}.get(source, source)
        if source == "scan_nanoseconds":
            value = "%d.%09d" % divmod(int(value), 10 ** 9)
        if source.startswith("scan_") and not name.endswith("_total"):
            name += "_total"
        wanted["refstore_" + name] = {(): value}
    for file, about, names in ((heaps, "heap", ("heap", "uid", "label")),
                               (users, "user", ("uid",))):
        lines = read(file).splitlines()[1:]
        titles = lines[0].split()[1:]
        for line in lines[1:]:
            row = dict(zip(titles, line.split()))
            if "label" in row:
                row["label"] = read(label)
            key = tuple(sorted((n, row.pop(n)) for n in names))
            for title, value in row.items():
                name = {"scans": "scans_total", "weak": "weak_handles",
                        "reclaimed": "scan_reclaimed_total",
                        "max_weak": "max_weak_handles"}.get(title, title)
                if name.startswith("max_"):
                    name = name[4:] + "_limit"
                name = "refstore_%s_%s" % (about, name)
                wanted.setdefault(name, {})[key] = value
    found = exposition(read(path))
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            print(name, wanted.get(name), "is", found.get(name))
    return wanted == found

answers = sys.stdout
for line in sys.stdin:
    with open(sys.argv[1], "w") as sys.stdout:
        try:
            question, *arguments = line.split()
            verdict = globals()[question](*arguments)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            verdict = False
    print("yes" if verdict else "no", file=answers, flush=True)
