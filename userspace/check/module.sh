#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What needs the kernel module, loaded, and root: module.sh BUILD-DIRECTORY
# The output is TAP.
set -u

build=$(cd "$1" && pwd)
here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
hyphen=
# shellcheck source=userspace/check/tap.sh
. "$here/tap.sh"
# shellcheck source=userspace/check/examples.sh
. "$here/examples.sh"
PATH=$build/tools:$PATH
make_work
unset REFSTORE_FD

# ends STATUS COMMAND...: succeeds if the command ends so.
ends() {
	wanted=$1
	shift
	"$@"
	[ $? -eq "$wanted" ]
}

# says TEXT COMMAND...: succeeds if the command fails and says just that.
says() {
	wanted=$1
	shift
	printed=$("$@" 2>&1)
	[ $? -eq 1 ] && echo "$printed" && [ "$printed" = "refstore: $wanted" ]
}

# prints TEXT COMMAND...: succeeds if the command does and prints just that.
prints() {
	wanted=$1
	shift
	printed=$("$@") && echo "$printed" && [ "$printed" = "$wanted" ]
}

# chain N, ring N, tree N, web N: a dump of N objects.
objects() {
	awk -v n="$2" -v kind="$1" 'BEGIN {
		print "{\"refstore\":1}"
		srand(1)
		for (i = 1; i <= n; i++) {
			a = i < n ? i + 1 : "null"
			b = "null"
			if (kind == "ring" && i == n)
				a = 1
			if (kind == "tree") {
				a = 2 * i <= n ? 2 * i : "null"
				b = 2 * i + 1 <= n ? 2 * i + 1 : "null"
			}
			if (kind == "web")
				b = 1 + int(rand() * n)
			printf "{\"id\":%d,\"type\":\"node\",", i
			printf "\"slots\":[%s,%s],\"text\":\"%d\"}\n", a, b, i
		}
		print "{\"root\":1}"
	}'
}

# Judges what is printed as JSON, in one process for all of it: where processors
# are emulated, Python takes longer to start than the rest of a check. A request
# is a line; what there is to say goes to a file, and "yes" or "no" comes back.
cat >"$work/judge.py" <<'EOF'
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
EOF
mkfifo "$work/ask" "$work/answer"
python3 -IS "$work/judge.py" "$work/said" <"$work/ask" >"$work/answer" &
exec 5>"$work/ask" 6<"$work/answer"

# Ends what may still run, and takes away what it is run with.
leave() {
	jobs -p >"$work/jobs"
	while read -r job; do
		kill "$job" 2>/dev/null
	done <"$work/jobs"
	umount -l "$work"/*/ ${shared:+"$shared"} 2>"$work/out"
	remove_work
}

shared=
at_end leave

# judge QUESTION ARGUMENT...: asks, tells what is said, succeeds if it is "yes".
judge() {
	echo "$@" >&5
	read -r verdict <&6
	cat "$work/said"
	[ "$verdict" = yes ]
}

# gives EXPRESSION COMMAND...: of v, the JSON value that it prints.
gives() {
	echo "$1" >"$work/expression"
	shift
	"$@" --json >"$work/json" && judge gives "$work/expression" "$work/json"
}

# as_said NAME COMMAND...: the command prints what its source says that it does.
as_said() {
	sed -n '/^ \* .*prints:/,/^ \*\//s/^ \*\t//p' \
		"$here/../examples/$1.c" >"$work/wanted"
	shift
	"$@" >"$work/text" && [ -s "$work/wanted" ] &&
		diff "$work/wanted" "$work/text"
}

# Two processes, of which the first has ended; and a heap that only the name keeps.
named() {
	mount -t refstore none "$work/named" &&
		"$build/examples/named" write "$work/named/greeting" &&
		"$build/examples/named" read "$work/named/greeting" &&
		rm "$work/named/greeting" && umount "$work/named"
}

for name in hello graph events large; do
	check "the example $name.c prints what it says" \
		as_said "$name" "$build/examples/$name"
done
mkdir "$work/named"
check 'the example named.c prints what it says' as_said named named
check 'the library works' "$build/check/library"
check 'so it does from C++' \
	env LD_LIBRARY_PATH="$build/lib" "$build/check/cplusplus"
check 'so do its calls for the scanner, weak handles and events' \
	"$build/check/gc"
# The examples of the manual pages, which run.sh has taken from there.
examples=$build/check/man
for source in "$examples"/*.c; do
	program=${source%.c}
	[ ! -e "$program.out" ] || check "the example ${program##*/} is right" \
		prints "$(cat "$program.out")" \
		env LD_LIBRARY_PATH="$build/lib" "$program"
done
check 'stat' refstore
check 'stat in JSON' gives 'v["stats"]["heaps"] == 0' refstore
check 'types' refstore types
check 'types in JSON' gives 'v == []' refstore types
check 'scans' refstore scans
check 'scans in JSON' gives 'isinstance(v, list)' refstore scans

for kind in chain ring tree web; do
	objects "$kind" 3000 >"$work/$kind"
	check "a $kind is loaded and verified" \
		refstore load "$work/$kind" -- refstore verify
	refstore load "$work/$kind" -- refstore dump >"$work/again"
	check "a $kind is dumped as it was loaded" \
		judge same 3000 "$work/$kind" "$work/again"
done

printf '%s\n' '{"refstore":1}' \
	'{"id":1,"type":"list","slots":[2,3,4,5],"sealed":["slots"]}' \
	'{"id":2,"type":"str","text":"\"grün\"\n","sealed":["data"]}' \
	'{"id":3,"type":"list","slots":[]}' '{"id":4,"type":"none"}' \
	'{"id":5,"type":"x","data":"AAH/","sealed":["data","slots"]}' \
	'{"id":6,"type":"list","slots":[6]}' '{"id":7,"type":"list","slots":[1]}' \
	'{"root":1}' >"$work/odd"
refstore load "$work/odd" -- refstore dump >"$work/again" 2>"$work/err"
check 'seals, leaves, bytes and garbage' \
	judge same 5 "$work/odd" "$work/again"
lost='not reachable from the root'
echo "refstore: $work/odd: 2 of 7 objects are $lost and were not kept" \
	>"$work/told"
check 'load tells what it did not keep' diff "$work/told" "$work/err"
# Labels, and what is interned or immortal; what is immortal keeps itself, and
# what it refers to.
printf '%s\n' '{"refstore":2}' \
	'{"id":1,"type":"list","label":"grün","slots":[2,3,4,5,6,8]}' \
	'{"id":2,"type":"str","text":"x","sealed":["data"],"interned":true}' \
	'{"id":3,"type":"none","sealed":["data"],"interned":true,'\
'"immortal":true}' \
	'{"id":4,"type":"list","label64":"/yI=","slots":[null]}' \
	'{"id":5,"type":"str","text":"x","immortal":true}' \
	'{"id":6,"type":"own","slots":[7],"immortal":true}' \
	'{"id":7,"type":"str","label":"7"}' \
	'{"id":8,"type":"str","label":"8","large":true,"data":"aGVsbG8="}' \
	'{"root":1,"objects":8}' >"$work/marked"
refstore load "$work/marked" -- refstore dump >"$work/again"
check 'labels, and what is interned or immortal' \
	judge same 8 "$work/marked" "$work/again"
sed 's/"root":1/"root":null/' "$work/marked" >"$work/rootless"
check 'without a root, what is immortal stays' gives '
	sorted((o["type"], "immortal" in o["state"], "interned" in o["state"])
	       for o in v) == [("none", True, True), ("own", True, False),
	("str", False, False), ("str", True, False)]' \
	refstore load "$work/rootless" -- refstore ls
check 'and is verified' refstore load "$work/rootless" -- refstore verify
echo '{"refstore":1}
{"root":null}' >"$work/empty"
check 'an empty heap' refstore load "$work/empty" -- refstore verify --json

# Large values: one is more than is read at a time, another is less than a page.
data=$(head -c 800001 /dev/urandom | base64 -w 0)
printf '%s\n' '{"refstore":1}' '{"id":1,"type":"list","slots":[2,3,4]}' \
	'{"id":2,"type":"bytes","large":true,"data":"'"$data"'"}' \
	'{"id":3,"type":"str","large":true,"data":"aGVsbG8=","sealed":["data"]}' \
	'{"id":4,"type":"str","text":"hello"}' '{"root":1}' >"$work/large"
refstore load "$work/large" -- refstore dump >"$work/again"
check 'large values are dumped as they were loaded' \
	judge same 4 "$work/large" "$work/again"
check 'large values are verified' \
	refstore load "$work/large" -- refstore verify
check 'ls tells of large values' gives '
	sorted((o["data"], "sealed-data" in o["state"]) for o in v
	       if "large" in o["state"]) == [(5, True), (800001, False)]' \
	refstore load "$work/large" -- refstore ls

# full COMMAND...: it notices that what it prints comes to nothing.
full() {
	refstore load "$work/tree" -- refstore "$@" >/dev/full 2>"$work/err"
	[ $? -eq 1 ] && grep 'cannot write' "$work/err"
}

for command in stat types scans ls dump snapshot metrics verify; do
	check "a full disk does not escape $command" full "$command"
done

# Somebody's label is no order to a terminal, and no reason to print what is no JSON.
cat >"$work/label" <<'EOF'
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(os.dup(fd), ctypes.byref(store))
assert not library.refstore_label(store, 1, ctypes.c_uint64(0),
                                  b"\xc2\x9b2J\xff a\\")
os.execvp("refstore", ["refstore", "stat"] + sys.argv[2:])
EOF
check 'labels of heaps are text' gives '
	all(" " <= c < "\x7f" or c >= "\xa0" for c in v["heaps"][0]["label"])
	and " a" in v["heaps"][0]["label"]' \
	refstore load "$work/empty" -- python3 -IS "$work/label" \
	"$build/lib/librefstore.so.0"
# shellcheck disable=SC2016
check 'for people, too' sh -c '! refstore load "$1" -- python3 -IS "$2" "$3" |
	tee /dev/stderr | LC_ALL=C grep "$(printf "\302\233")"' \
	sh "$work/empty" "$work/label" "$build/lib/librefstore.so.0"

# One object: slots and data, all of it or the beginning.
awk 'BEGIN {
	print "{\"refstore\":1}"
	printf "{\"id\":1,\"type\":\"list\",\"slots\":[2,null,3,4,5,6"
	for (i = 0; i < 20; i++)
		printf ",1"
	print "],\"sealed\":[\"slots\"],\"text\":\"one\\ntwo\"}"
	print "{\"id\":2,\"type\":\"bytes\",\"data\":\"AGhlbGxv/w==\"}"
	for (i = 0; i < 1023; i++)
		x = x "x"
	print "{\"id\":3,\"type\":\"str\",\"text\":\"" x "üx\"}"
	for (i = 0; i < 500; i++)
		y = y "gICA"
	print "{\"id\":4,\"type\":\"bytes\",\"data\":\"" y "\"}"
	print "{\"id\":5,\"type\":\"str\",\"text\":\"x" x "\"}"
	print "{\"id\":6,\"type\":\"none\"}"
	print "{\"root\":1}"
}' >"$work/shown"

# shown ID: one of these objects.
shown() {
	refstore load "$work/shown" -- refstore show "$@"
}

echo 'type        list
state       tracked,candidate,sealed-slots
refs        21
generation  0
bytes       384
slots       26
  slot 0: object 2
  slot 2: object 3
  slot 3: object 4
  slot 4: object 5
  slot 5: object 6' >"$work/wanted"
for slot in $(seq 6 20); do
	echo "  slot $slot: object 1" >>"$work/wanted"
done
echo '  5 more
data        7
  one
  two' >>"$work/wanted"
shown 1 | sed 's/candidate,//; s/^bytes .*/bytes/; s/^gen.*/gen/' >"$work/text"
sed -i 's/candidate,//; s/^bytes .*/bytes/; s/^gen.*/gen/' "$work/wanted"
check 'an object is shown to people' diff "$work/wanted" "$work/text"
check 'and all of its slots in JSON' gives 'v["nr_slots"] == 26 and
	v["slots"][:2] == [{"slot": 0, "object": 2}, {"slot": 2, "object": 3}]
	and [s["slot"] for s in v["slots"][5:]] == list(range(6, 26)) and
	v["id"] == 1 and v["text"].split() == ["one", "two"] and
	v["data"] == 7 and
	v["refs"] == 21 and v["type"] == "list" and "more" not in v and
	"sealed-slots" in v["state"] and v["generation"] in range(3) and
	v["bytes"] > 200' shown 1
echo '  00000000: 0068 656c 6c6f ff                        .hello.' \
	>"$work/wanted"
shown 2 | tail -n 1 >"$work/text"
check 'bytes are shown in hex' diff "$work/wanted" "$work/text"
check 'and in JSON' gives 'v["hex"] == "0068656c6c6fff" and
	"text" not in v and "more" not in v and "generation" not in v and
	v["slots"] == [] and v["nr_slots"] == 0' shown 2
check 'long text is cut between characters' gives \
	'v["text"] == 1023 * "x" and v["more"] == 3 and v["data"] == 1026' \
	shown 3
check 'text that just fits is not' gives \
	'v["text"] == 1024 * "x" and "more" not in v' shown 5
check 'the beginning of long bytes is shown' gives \
	'v["hex"] == 64 * "80" and v["more"] == 1436' shown 4
check 'nothing is shown of no data' gives \
	'v["data"] == 0 and "text" not in v and "hex" not in v' shown 6
check 'an object that is not there is not shown' says 'no object 7' shown 7
check 'a large value is shown' gives 'v["data"] == 800001 and
	len(v["hex"]) == 128 and v["more"] == 799937 and "large" in v["state"]' \
	refstore load "$work/large" -- refstore show 1

# What the root does not reach is gone before the command begins; one and many.
printf '%s\n' '{"refstore":1}' '{"id":1,"type":"list","slots":[1]}' \
	'{"id":2,"type":"list","slots":[3]}' \
	'{"id":3,"type":"list","slots":[2]}' '{"root":1}' >"$work/cycles"
left='1 object of [0-9]* bytes, 1 edge, 0 handles, 0 weak, 0 saved'
# shellcheck disable=SC2016
check 'cycles without the root are collected' \
	sh -c 'refstore load "$1" -- refstore verify | tee /dev/stderr |
	grep -x "$2, 0 saturated: 0 disagreements"' sh "$work/cycles" "$left"
printf '%s\n' '{"refstore":1}' '{"id":1,"type":"list"}' \
	'{"id":2,"type":"list"}' '{"root":1}' >"$work/two"
refstore load "$work/two" -- true 2>"$work/err"
echo "refstore: $work/two: 1 of 2 objects is $lost and was not kept" \
	>"$work/told"
check 'load tells of one' diff "$work/told" "$work/err"
refstore load "$work/web" -- true 2>"$work/err"
check 'load says nothing if all is kept' [ ! -s "$work/err" ]

head -n 5 "$work/marked" >"$work/short"
check 'a short dump is refused, with its line' \
	says "$work/short:6: the file ends without \"root\"" \
	refstore load "$work/short" -- true
check 'the status is that of the command' \
	ends 42 refstore load "$work/odd" -- sh -c 'exit 42'
check 'the command is missing' ends 127 refstore load "$work/odd" -- /nowhere
check 'the command is no program' \
	ends 126 refstore load "$work/odd" -- "$work/odd"

# Another process's heap.
mkfifo "$work/fifo"
refstore load "$work/web" >"$work/fifo" &
loader=$!
read -r where <"$work/fifo"
check "of another process: $where" refstore verify --pid "$loader"
check 'its descriptor is the one' refstore verify -j --pid "$loader" \
	--session-fd "${where##* }"
check 'another descriptor is not' \
	says "process $loader, descriptor 0: not a session of refstore" \
	refstore verify --pid "$loader" -s 0
check 'nor is one that does not exist' \
	says "process $loader, descriptor 99: Bad file descriptor" \
	refstore verify --pid "$loader" -s 99
limit=/sys/module/refstore/parameters/max_handles
before=$(cat "$limit")
echo 10 >"$limit"
incomplete='the dump is incomplete'
# shellcheck disable=SC2016
check 'a dump needs handles' \
	says "$incomplete: the limit max_handles of 10 is reached, of user 0" \
	sh -c 'refstore dump --pid "$1" >/dev/null' sh "$loader"
which='the limit max_handles of 10 is reached, of user 0'
check 'so does load' \
	says "$work/web:12: cannot create object 11: $which" \
	refstore load "$work/web" -- true
echo "$before" >"$limit"
check 'it can be collected' refstore collect --pid "$loader" --json
check 'its types' sh -c 'refstore types | grep node'
kill "$loader"
wait "$loader"
check 'it ends well when asked to' [ $? -eq 0 ]
check 'and its heap is gone' soon grep -qx 'objects 0' /proc/refstore/stats

# Sessions on two heaps: one that load inherits, one of its own.
refstore load "$work/tree" -- refstore load "$work/web" >"$work/fifo" &
loader=$!
read -r where <"$work/fifo"
own=${where##* }
heap=${where%%:*}
message="refstore: process $loader: descriptor [0-9]* is a session on"
message="$message heap [0-9]*, descriptor $own on $heap: choose with"
# shellcheck disable=SC2016
check 'of two heaps, one must be chosen' \
	sh -c 'refstore verify -p "$1" 2>&1 | tee /dev/stderr | grep -x "$2"' \
	sh "$loader" "$message --session-fd"
check 'one can be' refstore verify --pid "$loader" --session-fd "$own"
kill "$loader"
wait "$loader"

# Makes five more objects with a label that is no text, and lets the session that
# it inherited keep them.
cat >"$work/grow" <<'EOF'
import ctypes, os, struct, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
spec = struct.pack("IIQQQQ", 4, 0, 0, 0, 0, 0)
object = ctypes.c_uint64()
for i in range(5):
    assert not library.refstore_create(store, spec, ctypes.byref(object), None)
    assert not library.refstore_label(store, 2, object, b'"\xff<\\N>&\\')
EOF
# shellcheck disable=SC2016
check 'two snapshots are taken' \
	refstore load "$work/web" -- sh -c 'refstore snapshot >"$1/before" &&
	python3 -IS "$1/grow" "$2" && refstore snapshot >"$1/after" &&
	refstore verify >"$1/totals"' \
	sh "$work" "$build/lib/librefstore.so.0"
check 'growth shows what was made' gives '
	[(g["type"], g["label"], g["objects"]["change"]) for g in v["groups"]]
	== [("str", "\"?<%cN>&%c" % (92, 92), 5)] and v["total"]["objects"] ==
	{"before": 3000, "after": 3005, "change": 5}' \
	refstore growth "$work/before" "$work/after"
sed 's/^\([0-9]*\) objects of \([0-9]*\) bytes.*/\1 \2/' "$work/totals" \
	>"$work/text"
check 'a snapshot counts what verify does' gives '"%d %d" %
	(v["total"]["objects"]["after"], v["total"]["bytes"]["after"]) ==
	"'"$(cat "$work/text")"'"' \
	refstore growth "$work/before" "$work/after"
check 'growth lists the new ones' gives 'len(v) == 5 and
	all(o["type"] == "str" and o["id"] > 3000 for o in v)' \
	refstore growth --new "$work/before" "$work/after"
check 'there is no way back' \
	says 'the first snapshot is the later one: exchange them' \
	refstore growth "$work/after" "$work/before"
# shellcheck disable=SC2016
check 'a snapshot of an empty heap' \
	sh -c 'refstore load "$1/empty" -- refstore snapshot >"$1/before" &&
	refstore growth "$1/before" "$1/before"' sh "$work"

# In the ring, a hundred; with what the session holds, which are nearer.
# shellcheck disable=SC2016
check 'a graph is drawn' \
	refstore load "$work/ring" -- sh -c 'python3 -IS "$1/grow" "$2" &&
	refstore graph --dot --limit 100 >"$1/dot"' \
	sh "$work" "$build/lib/librefstore.so.0"
# has COUNT PATTERN: so many lines of the graph match.
has() {
	grep "$2" "$work/dot" | tail -n 3
	[ "$(grep -c "$2" "$work/dot")" -eq "$1" ]
}
check 'it has as many objects as it may have' has 100 '^.n[0-9]* \[label='
check 'a component says how large it is' has 1 'component of 3000 objects'
check 'a session points at five' has 5 '^.s[0-9]* -> n[0-9]*;$'
check 'a session has its process' has 1 '^.s.*session .*process [0-9]* (.*)'
check 'the root points at one' has 1 '^.root -> n'
check 'a chain from the root' has 94 '^.n[0-9]* -> n[0-9]* \[label="0"\];$'
check 'the rest is told' has 1 '"2905 objects left out, 0 of them garbage"'

# A heap with a name, of which a process has a session.
mkdir "$work/heaps"
check 'a file system of heaps is mounted' \
	mount -t refstore -o max_heaps=10 none "$work/heaps"
(exec 7<>"$work/heaps/a" && exec sleep 1000) &
named=$!
check 'a session by a name is found' soon refstore verify --pid "$named"
# shellcheck disable=SC2016
check 'ls shows the heap' \
	sh -c 'ls -l "$1" | tee /dev/stderr | grep -q " a\$"' sh "$work/heaps"

# complete WORD...: what bash offers for the last one.
complete() {
	bash "$here/complete.sh" "$here/../completion/refstore" refstore "$@"
}
mkdir "$work/a blank"
mount -t refstore none "$work/a blank"
: <>"$work/a blank/d"
check 'heaps are completed' prints "$work/heaps/a" \
	complete ls -H "$work/heaps/"
check 'and where they are' prints "$work/heaps" complete ls -H "$work/he"
check 'blanks in the name of which are no blanks in a list of mounts' \
	prints "$work/a blank/d" complete ls --heap "$work/a blank/"
check 'other files are not' prints '' complete ls -H "$work/we"
check 'processes with a session are completed' prints "$named" \
	complete verify --pid ''
check 'and their descriptors' prints 7 complete ls -p "$named" -s ''
umount "$work/a blank"
kill "$named"
wait "$named"

# Heaps by their paths; nobody else has a session on them.
heap=$work/heaps/b
: <>"$heap"
sed '100s/"type"/"tpye"/' "$work/web" >"$work/hostile"
check 'a hostile dump is refused, with its line' \
	says "$work/hostile:100: unknown key \"tpye\"" \
	refstore restore -H "$heap" "$work/hostile"
check 'and nothing is made of it' gives 'v == []' refstore ls -H "$heap"
before=$(cat "$limit")
echo 1000 >"$limit"
which='the limit max_handles of 1000 is reached, of user 0'
check 'restore tells of a limit, and of the line' \
	says "$work/web:1002: cannot create object 1001: $which" \
	refstore restore -H "$heap" "$work/web"
echo "$before" >"$limit"
# is_empty HEAP: nothing is left in it.
is_empty() {
	[ "$(refstore ls -H "$1" --json)" = '[]' ]
}
check 'and what it has made goes' soon is_empty "$heap"
check 'restore fills a heap with a name' prints '' \
	refstore restore --heap "$heap" "$work/web"
check 'which is verified by its path' gives 'v["objects"] == 3000 and
	v["handles"] == 0 and not v["disagreements"]' refstore verify -H "$heap"
refstore dump -H "$heap" >"$work/again"
check 'and dumped' judge same 3000 "$work/web" "$work/again"
check 'restore wants an empty one' \
	says 'the heap is not empty: it has 3000 objects' \
	refstore restore -H "$heap" "$work/web"
: <>"$work/heaps/c"
(exec 7<>"$work/heaps/c" && exec sleep 1000) &
named=$!
check 'restore finds one by its process' soon \
	refstore restore -p "$named" "$work/marked"
refstore dump -H "$work/heaps/c" >"$work/again"
check 'what it restored is there by its name' \
	judge same 8 "$work/marked" "$work/again"
kill "$named"
wait "$named"

# Sessions that come and go, told of once the first ones are known.
refstore watch -H "$work/heaps/c" --sessions --json >"$work/events" &
watch=$!
until grep -q '"stop"' "$work/events"; do
	refstore collect -H "$work/heaps/c" >"$work/text"
done
(exec 7<>"$work/heaps/c" && exec sleep 1000) &
named=$!
check 'a session is told of when it begins' \
	soon grep -q "\"open\".*\"pid\":$named," "$work/events"
session=$(grep "\"pid\":$named," "$work/events" |
	grep -o '"session":[0-9]*' | tr -dc 0-9)
kill "$named"
wait "$named"
check 'and when it has ended' \
	soon grep -q "\"close\",\"session\":$session," "$work/events"
kill "$watch"
wait "$watch"
check 'each once' judge came_and_went "$work/events" "$named" "$watch"
check 'collect, by a path' gives 'v["scans"] >= 1' \
	refstore collect -H "$heap"
check 'gc sets something, by a path' gives 'not v["enabled"]' \
	refstore gc --heap "$heap" --disable
chmod 444 "$heap"
# nobody COMMAND...: as a user who has no file and no capability.
nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
chmod 755 "$work" "$work/heaps"
check 'who may read looks' gives 'len(v) == 3000' \
	nobody refstore ls -H "$heap"
check 'and at the scanner' gives 'not v["enabled"]' \
	nobody refstore gc -H "$heap"
check 'who may not look into processes is told how many' \
	gives 'v["unseen"] > 0 and v["kept"]["root"]["objects"] == 3000' \
	nobody refstore leaks -H "$heap"
denied="$heap: Permission denied"
takes='it takes the right to read and write it'
for command in collect verify "restore $work/web" 'gc --enable' 'gc --freeze' 'gc --delay 1' \
	'gc --drop-garbage' 'gc --unfreeze' 'gc --threshold 1'; do
	# shellcheck disable=SC2086
	check "$command wants to write" says "$denied; $takes" \
		nobody refstore $command -H "$heap"
done
chmod 0 "$heap"
check 'who may not read does not look' says "$denied" \
	nobody refstore ls -H "$heap"
check 'the device is no heap' says '/dev/refstore: not a heap of refstore' \
	refstore ls -H /dev/refstore
rm "$heap" "$work/heaps/c"
check 'it is unmounted when nobody has one' soon umount "$work/heaps"
check 'and its heap is gone' soon grep -qx 'heaps 0' /proc/refstore/stats

# For ever, makes an object and releases the one before.
cat >"$work/busy" <<'EOF'
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
spec = ctypes.create_string_buffer(64)
old = ctypes.c_uint64()
assert not library.refstore_create(store, spec, ctypes.byref(old), None)
print("busy", flush=True)
while True:
    new = ctypes.c_uint64()
    assert not library.refstore_create(store, spec, ctypes.byref(new), None)
    assert not library.refstore_release(store, old)
    old = new
EOF

refstore load "$work/tree" -- python3 -IS "$work/busy" \
	"$build/lib/librefstore.so.0" >"$work/fifo" &
busy=$!
read -r where <"$work/fifo"
# At last; where there is one processor, it may be verify's.
# shellcheck disable=SC2016
check 'verify notices that a heap is in use' soon \
	says 'the heap was in use meanwhile: what is above may be wrong' \
	sh -c 'refstore verify --pid "$1" >/dev/null' sh "$busy"
kill -STOP "$busy"
sleep 1
check 'it is content when that stands still' refstore verify --pid "$busy"
kill -KILL "$busy"
wait "$busy"

# A large value, of id 1, that a process has mapped, and then seals.
cat >"$work/value" <<'EOF'
import ctypes, mmap, os, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
value, file, length = ctypes.c_uint64(), ctypes.c_int(), 100000
assert not library.refstore_large_new(store, 5, ctypes.c_size_t(length),
                                      ctypes.byref(value), ctypes.byref(file))
memory = mmap.mmap(file.value, length)
memory[:5] = b"hello"
print("mapped", flush=True)
sys.stdin.readline()
memory.close()
os.close(file.value)
assert not library.refstore_seal(store, value, 1)
print("sealed", flush=True)
sys.stdin.readline()
EOF

mkfifo "$work/orders"
refstore load "$work/empty" -- python3 -IS "$work/value" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
value=$!
exec 3>"$work/orders" 4<"$work/fifo"
read -r where <&4
check 'who has a large value open, or mapped' gives '
	{(d["pid"], d["mode"]) for d in v["descriptors"]} ==
	{('"$value"', "rw")} and
	[(m["pid"], m["mode"]) for m in v["mappings"]] ==
	[('"$value"', "rw-s")]' refstore who 1 -p "$value"
# shellcheck disable=SC2016
check 'people are told of that' sh -c 'refstore who 1 -p "$1" |
	tee /dev/stderr | grep -q "^process $1 (.*): mapped at .*, rw-s\$"' \
	sh "$value"
check 'stat counts large values' gives 'v["stats"]["large"] == 1 and
	v["stats"]["large_bytes"] == 102400 and
	1 in [h["large"] for h in v["heaps"]]' refstore stat
check 'verify does, too' refstore verify -p "$value"
echo seal >&3
read -r where <&4
check 'nobody has it open any more' gives 'v["descriptors"] == [] and
	v["mappings"] == [] and len(v["sessions"]) == 1' \
	refstore who 1 -p "$value"
check 'of what is not large, this is not told' gives '"mappings" not in v' \
	refstore load "$work/large" -- refstore who 4
exec 3>&- 4<&-
wait "$value"
check 'its process ends well' [ $? -eq 0 ]

# What is for Prometheus, of a heap whose label wants escapes.
cat >"$work/label" <<'EOF'
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
with open(sys.argv[2], "rb") as file:
    assert not library.refstore_label(store, 1, ctypes.c_uint64(0), file.read())
print("there", flush=True)
sys.stdin.readline()
EOF

printf 'a "b\\ {c},ü=' >"$work/text"
refstore load "$work/tree" -- python3 -IS "$work/label" \
	"$build/lib/librefstore.so.0" "$work/text" <"$work/orders" >"$work/fifo" &
labelled=$!
exec 3>"$work/orders" 4<"$work/fifo"
read -r where <&4
for file in stats heaps users; do
	cat "/proc/refstore/$file" >"$work/$file.now"
done
check 'metrics' refstore metrics
cp "$work/out" "$work/metrics"
check 'they are what Prometheus reads, and what the kernel says' judge metrics \
	"$work/metrics" "$work/stats.now" "$work/heaps.now" "$work/users.now" \
	"$work/text"
if command -v promtool >"$work/out"; then
	# shellcheck disable=SC2016
	check 'promtool is content' sh -c 'promtool check metrics <"$1"' sh \
		"$work/metrics"
fi
mkdir "$work/prometheus"
check 'they are written for the collector' \
	"$here/../systemd/refstore-metrics" "$work/prometheus"
check 'a file of them and nothing else' \
	[ "$(ls -A "$work/prometheus")" = refstore.prom ]
check 'which is the same' cmp "$work/metrics" "$work/prometheus/refstore.prom"
check 'and for all to read' \
	[ "$(stat -c %a "$work/prometheus/refstore.prom")" = 644 ]
check 'a folder that is not there' ends 1 \
	"$here/../systemd/refstore-metrics" "$work/nowhere"

# What top prints once of the same heap.
check 'top shows heaps in JSON' gives 'len(v["heaps"]) == 1 and
	v["heaps"][0]["objects"] == v["stats"]["objects"] == 3000 and
	v["heaps"][0]["bytes"] == v["stats"]["bytes"] and
	v["heaps"][0]["label"] == open("'"$work/text"'").read() and
	v["heaps"][0]["sessions"] == 1 and v["users"][0]["heaps"] == 1 and
	"+objects" not in v["heaps"][0]' refstore top
check 'and types of one' gives '[(t["name"], t["objects"]) for t in
	v["types"]] == [("node", 3000)]' refstore top -p "$labelled" -s n
refstore top -o >"$work/table"
check 'top prints once to people' grep -Eq \
	'^ *[0-9]+ +0 +3000 +[0-9]+ +0 +1 .* a "b\\ \{c\},ü=$' "$work/table"
check 'with totals' grep -q '^heaps 1, sessions 1, handles 0, objects 3000,' \
	"$work/table"
check 'and limits' grep -Eq '^user 0: objects [0-9]+ of [0-9]+ \([0-9.]+ %\)' \
	"$work/table"
exec 3>&- 4<&-
wait "$labelled"
check 'nothing is left for top' gives 'v["heaps"] == []' refstore top --once

# top on a terminal: see top.py.
for scenario in keys growth types resize signals gone; do
	check "top is live: $scenario" python3 -IS "$here/top.py" \
		"$build/tools/refstore" "$build/lib/librefstore.so.0" \
		"$scenario"
done

# The scanner, by the command. Another process has two objects, of ids 1 and 2,
# that refer to each other, and a handle and a weak handle of the first one. On
# "release", it gives the handle back. No scan comes by itself.
cat >"$work/pair" <<'EOF'
import ctypes, os, struct, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
assert not library.refstore_gc_disable(store)
spec = struct.pack("IIQQQQ", 7, 0, 0, 0, 0, 1)
one, other, weak = (ctypes.c_uint64() for _ in range(3))
for handle in one, other:
    assert not library.refstore_create(store, spec, ctypes.byref(handle), None)
zero = ctypes.c_size_t(0)
assert not library.refstore_set_slot(store, one, zero, other)
assert not library.refstore_set_slot(store, other, zero, one)
assert not library.refstore_release(store, other)
assert not library.refstore_weak(store, one, ctypes.byref(weak))
print("there", flush=True)
sys.stdin.readline()
assert not library.refstore_release(store, one)
print("released", flush=True)
sys.stdin.readline()
EOF

# has_handle PID: a session of the process does.
has_handle() {
	cat /proc/"$1"/fdinfo/* 2>/dev/null | grep -qx 'handles:.1'
}

refstore load "$work/empty" -- python3 -IS "$work/pair" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
pair=$!
exec 3>"$work/orders" 4<"$work/fifo"
read -r where <&4
check 'gc as it is at first' gives \
	'v["enabled"] and not v["save_all"] and not v["frozen"]' \
	refstore load "$work/cycles" -- refstore gc
check 'gc sets what it is told' gives 'not v["enabled"] and
	[g["threshold"] for g in ages] == [5, 6, 10] and
	ages[0]["delay"] == 100 and ages[1]["delay"] == 8000' \
	refstore gc -p "$pair" --threshold 5,6 --delay 100
check 'and leaves the rest' gives 'not v["enabled"] and
	[g["threshold"] for g in ages] == [0, 6, 10] and
	ages[0]["delay"] == 100' \
	refstore gc -p "$pair" --threshold 0
check 'gc enables' gives 'v["enabled"]' \
	refstore gc -p "$pair" --delay 86400000 --enable
refstore gc -p "$pair" --disable >"$work/text"
check 'gc says it to people' grep -qx 'enabled    no' "$work/text"
check 'ls' gives '[o["id"] for o in v] == [1, 2] and
	v[0]["refs"] == 2 and v[0]["slots"] == 1 and v[0]["type"] == "list" and
	"weak" in v[0]["state"] and "tracked" in v[1]["state"]' \
	refstore ls -p "$pair"
# shellcheck disable=SC2016
check 'ls for people' sh -c 'refstore ls -p "$1" | tee /dev/stderr |
	grep -qE "^ +1  +0  +2  +1  +0  +[0-9]+  list +tracked,.*weak"' \
	sh "$pair"
check 'ls of a generation' gives 'len(v) == 2' \
	refstore ls -p "$pair" --generation 0
check 'ls of an older one' gives 'v == []' \
	refstore ls -p "$pair" --generation 2
check 'ls without garbage' gives 'v == []' refstore ls -p "$pair" --garbage
check 'referrers' gives 'v["slots"] == [{"slot": 0, "object": 2}] and
	len(v["handles"]) == 1 and v["handles"][0]["handles"] == 1 and
	v["root"] is False and v["saved"] is False' \
	refstore referrers 1 -p "$pair"
check 'show counts no handle of its own' gives 'v["refs"] == 2 and
	v["slots"] == [{"slot": 0, "object": 2}]' refstore show 1 -p "$pair"
check 'who' gives 'len(v["sessions"]) == 1 and v["root"] is False and
	v["sessions"][0]["handles"] == 1 and v["sessions"][0]["uid"] == 0 and
	v["sessions"][0]["pid"] == '"$pair"' and
	v["sessions"][0]["rights"] == 63 and
	v["slots"] == [{"slot": 0, "object": 2}]' \
	refstore who 1 -p "$pair"
# shellcheck disable=SC2016
check 'who for people' sh -c 'refstore who 1 -p "$1" | tee /dev/stderr |
	grep -q "^1 handle of session .*: process $1 (.*), user 0, "' sh "$pair"
check 'users' gives 'any(u["uid"] == 0 and u["heaps"] >= 1 and
	u["max_heaps"] > 1 and u["objects"] >= 2 for u in v)' \
	refstore users
check 'a handle of another object is no referrer' gives 'v["handles"] == []' \
	refstore referrers 2 -p "$pair"
check 'referents' gives 'v == {"id": 2, "slots": [{"slot": 0, "object": 1}]}' \
	refstore referents 2 -p "$pair"
check 'referents for people' prints 'slot 0: object 1' \
	refstore referents 2 -p "$pair"
check 'of no object' says 'no object 3' refstore referrers 3 -p "$pair"
check 'the root is a referrer' gives 'v["root"] is True' \
	refstore load "$work/cycles" -- refstore referrers 1
check 'weak handles do not confuse verify' gives \
	'v["handles"] == 1 and v["weak"] == 1 and not v["disagreements"]' \
	refstore verify -p "$pair"
check 'freeze' gives 'v["frozen"] == 2' refstore gc -p "$pair" --freeze
# shellcheck disable=SC2016
check 'what is frozen is of no generation' sh -c 'for age in 0 1 2; do
	refstore ls -p "$1" --generation $age --json; done | tee /dev/stderr |
	grep -cx "\[\]" | grep -qx 3' sh "$pair"
check 'unfreeze' gives 'v["frozen"] == 0' refstore gc -p "$pair" --unfreeze
check 'collect a generation' gives 'v["scans"] == 1 and v["saved"] == 0' \
	refstore collect -p "$pair" --generation 1
check 'and its figures' gives 'ages[1]["scans"] == 1' refstore gc -p "$pair"
refstore watch -p "$pair" --count 4 --json >"$work/events" &
events=$!
while kill -0 "$events" 2>/dev/null; do
	refstore collect -p "$pair" --generation 1 >/dev/null
done
wait "$events"
check 'events of scans' [ $? -eq 0 ]
check 'scans begin and end' judge paired "$work/events"
check 'a death of nothing' says 'no object 3' \
	refstore watch -p "$pair" --death 3
refstore events -p "$pair" --death 1 >"$work/events" &
events=$!
check 'somebody waits for a death' soon has_handle "$events"
sleep 0.5
refstore gc -p "$pair" --save-all on >"$work/text"
check 'gc tells that garbage is kept' grep -qx 'save_all   yes' "$work/text"
echo release >&3
read -r where <&4
check 'garbage is saved' gives 'v["saved"] == 2 and v["reclaimed"] == 0' \
	refstore collect -p "$pair"
check 'gc counts it' gives 'v["saved"] == 2' refstore gc -p "$pair"
check 'ls of garbage' gives 'len(v) == 2 and "saved" in v[0]["state"]' \
	refstore ls -p "$pair" --garbage
check 'the heap is a referrer' gives 'v["saved"] is True' \
	refstore referrers 1 -p "$pair"
check 'verify counts what the heap keeps' gives \
	'v["saved"] == 2 and not v["disagreements"]' \
	refstore verify -p "$pair"
# shellcheck disable=SC2016
check 'garbage is in a dump' sh -c 'refstore dump -p "$1" | tee /dev/stderr |
	grep -c "^{\"id\":[12]," | grep -qx 2' sh "$pair"
# shellcheck disable=SC2016
check 'what the heap keeps has two lines around it' sh -c '
	refstore graph --dot -p "$1" | tee /dev/stderr |
	grep -cx ".n[12] \[label=\"list [12]\",peripheries=2\];" |
	grep -qx 2' sh "$pair"
check 'garbage is dropped' gives \
	'v["dropped"] == 2 and v["saved"] == 0 and not v["save_all"]' \
	refstore gc -p "$pair" --save-all off --drop-garbage
check 'and collected' gives 'v["reclaimed"] == 2' refstore collect -p "$pair"
wait "$events"
date='20[0-9][0-9]-[01][0-9]-[0-3][0-9]'
time='[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]\{6\}'
check 'the death was told, with the time' \
	grep -x "$date $time object 1 is dead" "$work/events"
check 'and nothing else' [ "$(wc -l <"$work/events")" -eq 1 ]
check 'a weak handle of the dead' gives \
	'v["weak"] == 1 and v["objects"] == 0' refstore verify -p "$pair"
exec 3>&- 4<&-
wait "$pair"
check 'the other process ends well' [ $? -eq 0 ]

# What keeps objects, of ids 1 to 15, and the paths to them: the root, a label;
# a ring, which a handle holds until "release", and what hangs from it; one that
# refers to itself; an exported one; an immortal one; one with two handles.
cat >"$work/why" <<'EOF'
import ctypes, os, struct, sys
library = ctypes.CDLL(sys.argv[1])
store = ctypes.c_void_p()
fd = int(os.environ["REFSTORE_FD"])
assert not library.refstore_open_fd(fd, ctypes.byref(store))
assert not library.refstore_gc_disable(store)

def create(slots, flags=0):
    spec = struct.pack("IIQQQQ", 7 if slots else 4, flags, 0, 0, 0, slots)
    handle = ctypes.c_uint64()
    assert not library.refstore_create(store, spec, ctypes.byref(handle), None)
    return handle

def link(one, slot, other):
    assert not library.refstore_set_slot(store, objects[one],
                                         ctypes.c_size_t(slot), objects[other])

def release(*numbers):
    for number in numbers:
        assert not library.refstore_release(store, objects[number])

objects = [None] + [create(n) for n in (3, 1, 0, 1, 2, 1, 2, 0, 1, 0)]
objects += [create(1, 0x10), create(0), create(0), create(0), create(1)]
assert not library.refstore_set_root(store, objects[1])
assert not library.refstore_label(store, 2, objects[2], "bü".encode())
for edge in ((1, 0, 4), (1, 1, 2), (4, 0, 5), (5, 0, 3), (2, 0, 3),
             (6, 0, 7), (7, 0, 6), (7, 1, 8), (9, 0, 9), (11, 0, 12),
             (1, 2, 15), (5, 1, 14), (15, 0, 14)):
    link(*edge)
export = library.refstore_export(store, objects[10], ctypes.c_uint64(0x20))
assert export >= 0
assert not library.refstore_dup(store, objects[13],
                                ctypes.byref(ctypes.c_uint64()))
release(1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15)
print("there", flush=True)
sys.stdin.readline()
release(6)
print("released", flush=True)
sys.stdin.readline()
print("busy", flush=True)
while True:
    objects[13] = create(0)
    release(13)
EOF

refstore load "$work/empty" -- python3 -IS "$work/why" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
why=$!
exec 3>"$work/orders" 4<"$work/fifo"
read -r where <&4
echo "the root
object 1 (list), slot 1
object 2 (list) 'bü', slot 0
object 3 (str)" >"$work/wanted"
refstore path 3 -p "$why" >"$work/text"
check 'the shortest path from the root' diff "$work/wanted" "$work/text"
check 'and in JSON' gives 'v == {"id": 3, "garbage": False, "keeper": "root",
	"path": [{"id": 1, "type": "list", "slot": 1},
		{"id": 2, "type": "list", "label": "bü", "slot": 0},
		{"id": 3, "type": "str"}]}' refstore path 3 -p "$why"
check 'the shortest, in whatever order it is found' gives \
	'[o["id"] for o in v["path"]] == [1, 15, 14]' refstore path 14 -p "$why"
check 'the way to the root is short' gives 'v["keeper"] == "root" and
	[o["id"] for o in v["path"]] == [1]' refstore path 1 -p "$why"
check 'a handle keeps what hangs from a ring' gives '
	v["keeper"] == "session" and len(v["sessions"]) == 1 and
	v["sessions"][0]["pid"] == '"$why"' and
	v["sessions"][0]["handles"] == 1 and not v["sessions"][0]["exported"]
	and [(o["id"], o.get("slot")) for o in v["path"]] ==
	[(6, 0), (7, 1), (8, None)]' refstore path 8 -p "$why"
# shellcheck disable=SC2016
check 'people are told the process' sh -c 'refstore path 13 -p "$1" |
	tee /dev/stderr | head -n 1 |
	grep -q "^2 handles of session .*: process $1 (.*), user 0, "' sh "$why"
check 'an export keeps an object' gives 'v["sessions"][0]["exported"] and
	v["keeper"] == "session" and v["path"] == [{"id": 10, "type": "str"}]' \
	refstore path 10 -p "$why"
check 'so does immortality' gives 'v["keeper"] == "immortal" and
	[o["id"] for o in v["path"]] == [11, 12]' refstore path 12 -p "$why"
check 'what only itself refers to is garbage' prints \
	'garbage: nothing keeps it but a cycle; it waits for a scan
object 9 (list), slot 0
object 9, again' refstore path 9 -p "$why"
check 'no object has no path' says 'no object 16' refstore path 16 -p "$why"
echo release >&3
read -r where <&4
check 'a ring is garbage' gives 'v == {"id": 7, "garbage": True, "cycle":
	[{"id": 7, "type": "list", "slot": 0},
		{"id": 6, "type": "list", "slot": 0}]}' refstore path 7 -p "$why"
check 'so is what hangs from it' prints \
	'garbage: nothing keeps it; it waits for a scan' \
	refstore path 8 -p "$why"
refstore gc -p "$why" --freeze >"$work/text"
check 'to be frozen keeps it' gives 'v["keeper"] == "frozen" and
	not v["garbage"] and [o["id"] for o in v["path"]] == [7, 8]' \
	refstore path 8 -p "$why"
check 'but other things come first' gives 'v["keeper"] == "root"' \
	refstore path 3 -p "$why"
refstore gc -p "$why" --unfreeze --save-all on >"$work/text"
refstore collect -p "$why" >"$work/text"
check 'so does the heap that has saved it' gives 'v["keeper"] == "saved" and
	v["path"] == [{"id": 7, "type": "list"}]' refstore path 7 -p "$why"
refstore gc -p "$why" --save-all off --drop-garbage >"$work/text"
check 'what is no longer saved is garbage' gives \
	'v["garbage"] and len(v["cycle"]) == 2' refstore path 6 -p "$why"
echo busy >&3
read -r where <&4
# shellcheck disable=SC2016
check 'of a heap in use, path may be wrong, and says so' soon \
	says 'the heap was in use meanwhile: what is above may be wrong' \
	sh -c 'refstore path 6 -p "$1" >/dev/null' sh "$why"
kill -KILL "$why"
exec 3>&- 4<&-
wait "$why"
check 'a long path' gives 'v["keeper"] == "root" and
	[(o["id"], o.get("slot")) for o in v["path"]] ==
	[(n, 0) for n in range(1, 3000)] + [(3000, None)]' \
	refstore load "$work/chain" -- refstore path 3000

# What no program holds: object 1, the root, and 2, which it refers to; 3 has a
# handle; 4 a handle of a session, and 5 an export, that are in a socket; 6 is
# immortal; 7 is frozen, and so is 8, which refers to itself. 9 and 10, which came
# later, refer to each other, and 9 to 7.
cat >"$work/leaky" <<'EOF'
import ctypes, os, socket, struct, sys
library = ctypes.CDLL(sys.argv[1])

def opened(fd):
    store = ctypes.c_void_p()
    assert not library.refstore_open_fd(fd, ctypes.byref(store))
    return store

def create(store, type, slots, flags=0):
    spec = struct.pack("IIQQQQ", type, flags, 0, 0, 0, slots)
    handle = ctypes.c_uint64()
    assert not library.refstore_create(store, spec, ctypes.byref(handle), None)
    return handle

def link(one, slot, other):
    assert not library.refstore_set_slot(store, objects[one],
                                         ctypes.c_size_t(slot), objects[other])

def send(fd):
    assert fd >= 0
    socket.send_fds(ours, [b"x"], [fd])
    os.close(fd)

store = opened(int(os.environ["REFSTORE_FD"]))
assert not library.refstore_gc_disable(store)
ours, theirs = socket.socketpair()
objects = [None, create(store, 7, 1), create(store, 4, 0), create(store, 4, 0)]
assert not library.refstore_set_root(store, objects[1])
link(1, 0, 2)
assert not library.refstore_label(store, 2, objects[2], b"kept")
other = opened(library.refstore_session_fd(store, ctypes.c_uint(0)))
assert not library.refstore_label(other, 0, ctypes.c_uint64(0), b"lost")
objects.append(create(other, 4, 0))
send(os.dup(library.refstore_fd(other)))
library.refstore_close(other)
objects.append(create(store, 4, 0))
send(library.refstore_export(store, objects[5], ctypes.c_uint64(0x20)))
objects += [create(store, 5, 0, 0x10), create(store, 7, 0, 4),
            create(store, 7, 1)]
link(8, 0, 8)
assert not library.refstore_gc_freeze(store, None)
objects += [create(store, 8, 2), create(store, 8, 1)]
link(9, 0, 10)
link(10, 0, 9)
link(9, 1, 7)
for number in 1, 2, 5, 6, 7, 8, 9, 10:
    assert not library.refstore_release(store, objects[number])
print("there", flush=True)
sys.stdin.readline()
EOF

refstore load "$work/empty" -- python3 -IS "$work/leaky" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
leaky=$!
exec 3>"$work/orders" 4<"$work/fifo"
read -r where <&4
check 'leaks says what keeps how many' gives '
	{k: n["objects"] for k, n in v["kept"].items()} == {"process": 1,
	"root": 2, "session": 1, "export": 1, "heap": 2, "garbage": 3}
	and v["unseen"] == 0' refstore leaks -p "$leaky"
check 'by type and label' gives 'sorted((g["keeper"], g["type"], g["label"],
	g["objects"]) for g in v["groups"]) == [("export", "str", "", 1),
	("garbage", "dict", "", 2), ("garbage", "list", "", 1),
	("heap", "bytes", "", 1), ("heap", "list", "", 1),
	("root", "list", "", 1), ("root", "str", "kept", 1),
	("session", "str", "", 1)] and [g["bytes"] for g in v["groups"]] ==
	sorted((g["bytes"] for g in v["groups"]), reverse=True)' \
	refstore leaks -p "$leaky"
check 'and the sessions that nobody has' gives '
	[(s["exported"], s["pid"], s["handles"], s.get("label"))
	for s in v["sessions"]] == [(False, '"$leaky"', 1, "lost"),
	(True, '"$leaky"', 1, None)]' refstore leaks -p "$leaky"
refstore types --json >"$work/json"
bytes=$(grep -o '"bytes":[0-9]*' "$work/json" | tr -dc '0-9\n' | paste -sd +)
check 'all together are all objects' gives '
	sum(n["objects"] for n in v["kept"].values()) == 10 and
	sum(n["bytes"] for n in v["kept"].values()) == '"$bytes" \
	refstore leaks -p "$leaky"
# shellcheck disable=SC2016
check 'people are told the same' sh -c 'refstore leaks -p "$1" |
	tee /dev/stderr | grep -qE "^ +[0-9]+ +2  garbage  dict  +$"' sh "$leaky"
check 'to be frozen does not keep what only garbage refers to' prints \
	'garbage: nothing keeps it; it waits for a scan' \
	refstore path 7 -p "$leaky"
check 'it keeps a cycle' gives 'v["keeper"] == "frozen"' \
	refstore path 8 -p "$leaky"
# shellcheck disable=SC2016
check 'so it is drawn' sh -c 'refstore graph --dot -p "$1" | tee /dev/stderr |
	grep -cE "^.n(7 .label=.list 7.,fillcolor=lightcoral|8 .label=.list 8.),peri" |
	grep -qx 2' sh "$leaky"
refstore snapshot -p "$leaky" >"$work/before"
check 'nothing has leaked since' gives 'v["groups"] == [] and
	not any(n["objects"] for n in v["kept"].values()) and
	v["growth"]["groups"] == []' \
	refstore leaks -p "$leaky" --since "$work/before"
head -n 3 "$work/before" >"$work/older"
check 'a snapshot that is cut off is refused' \
	says "$work/older:4: the file ends without \"complete\"" \
	refstore leaks -p "$leaky" --since "$work/older"
refstore load "$work/empty" -- refstore snapshot >"$work/older"
# shellcheck disable=SC2016
check 'so is one of another heap' ends 1 \
	sh -c 'refstore leaks -p "$1" --since "$2" >"$3"' \
	sh "$leaky" "$work/older" "$work/text"
check 'and nothing is printed' [ ! -s "$work/text" ]
check 'a scan frees what leaks called garbage' gives 'v["reclaimed"] == 3' \
	refstore collect -p "$leaky"
check 'and a frozen object with it' says 'no object 7' \
	refstore show 7 -p "$leaky"
check 'nothing is garbage then' gives 'v["kept"]["garbage"]["objects"] == 0' \
	refstore leaks -p "$leaky"
exec 3>&- 4<&-
wait "$leaky"
# since: leaks of the web, after five more objects.
cat >"$work/since" <<'EOF'
refstore snapshot >"$1/before" &&
python3 -IS "$1/grow" "$2" &&
refstore leaks --since "$1/before" "$3"
EOF
check 'leaks since a snapshot are what came later, and what grew' gives '
	{k: n["objects"] for k, n in v["kept"].items() if n["objects"]} ==
	{"process": 5} and v["groups"] == [] and
	v["growth"]["total"]["objects"]["change"] == 5' \
	refstore load "$work/web" -- sh "$work/since" "$work" \
	"$build/lib/librefstore.so.0"

# What manual pages have for a shell.

mkdir "$work/examples"
export LD_LIBRARY_PATH="$build/lib"

# all PAGE CHANGE: its examples, in their order.
all() {
	while read -r name stays; do
		if [ "$name" = draw ] && ! command -v dot >"$work/out"; then
			skip "draw in $1" 'there is no Graphviz'
		else
			check "$name in $1" example "$name" "$2" "$stays"
		fi
	done <"$examples/$1.shells"
}

all refstore.7 "s|^cc .*|cp $examples/orders .|"
check 'the tutorial leaves nothing behind' \
	soon grep -qx 'heaps 0' /proc/refstore/stats

# Their process 4711 makes objects, 31 and up, while others sleep for a minute.
objects tree 30 >"$work/small"
# shellcheck disable=SC2016
refstore load "$work/small" -- sh -c 'read -r line && python3 -IS "$1" "$2" &&
	echo grown && read -r line' sh "$work/grow" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
pid=$!
exec 3>"$work/orders" 4<"$work/fifo"
shared=/run/refstore
mount -t refstore none "$shared"
check 'sessions in refstore-proc.5' soon sh -c "sh '$examples/sessions.sh' |
	grep '^/proc/$pid/fdinfo/[0-9]*:heap:.[0-9]'"
check 'garbage in refstore-proc.5' example garbage ''
all refstore.1 "s/4711/$pid/; s/815/31/; s/^sleep 60/echo >\&3; read -r line <\&4/"
umount "$shared"
shared=
exec 3>&- 4<&-
wait "$pid"

plan
