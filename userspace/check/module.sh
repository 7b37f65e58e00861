#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What needs the kernel module, loaded, and root: module.sh BUILD-DIRECTORY
# The output is TAP.
set -u

build=$1
PATH=$build/tools:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0
failed=0
unset REFSTORE_FD

# check NAME COMMAND...: the command must succeed; its output goes to a file.
check() {
	name=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/out" 2>&1 </dev/null; then
		echo "ok $count $name"
	else
		failed=$((failed + 1))
		echo "not ok $count $name"
		sed 's/^/# /' "$work/out" | head -20
	fi
}

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

# shape: a dump with ids as they come in, and without an order of its lines.
shape() {
	python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
root = lines[-1]["root"]
objects = {o["id"]: o for o in lines[1:-1]}
names, todo = {}, [root] if root else []
while todo:
    id = todo.pop()
    if id in names:
        continue
    names[id] = len(names) + 1
    todo += [slot for slot in objects[id].get("slots", []) if slot]
for id, name in sorted(names.items(), key=lambda item: item[1]):
    o = objects[id]
    o["id"] = name
    if "slots" in o:
        o["slots"] = [slot and names[slot] for slot in o["slots"]]
    print(json.dumps(o, sort_keys=True))
print("reachable", len(names), "of", len(objects))
'
}

check 'the library works' "$build/check/library"
check 'so do its calls for the scanner, weak handles and events' \
	"$build/check/gc"
check 'the example of librefstore(3) ends well' \
	env LD_LIBRARY_PATH="$build/lib" "$build/check/example"
check 'the example of librefstore(3) goes around its cycle' \
	[ "$(head -n 3 "$work/out" | tr '\n' ' ')" = 'ping pong ping ' ]
check 'stat' refstore
check 'stat in JSON' sh -c 'refstore -j | python3 -m json.tool'
check 'types' refstore types
check 'types in JSON' sh -c 'refstore types -j | python3 -m json.tool'
check 'scans' refstore scans
check 'scans in JSON' sh -c 'refstore scans -j | python3 -m json.tool'

for kind in chain ring tree web; do
	objects "$kind" 3000 >"$work/$kind"
	check "a $kind is loaded and verified" \
		refstore load "$work/$kind" -- refstore verify
	refstore load "$work/$kind" -- refstore dump >"$work/again"
	shape <"$work/$kind" >"$work/before"
	shape <"$work/again" >"$work/after"
	check "a $kind is dumped as it was loaded" \
		diff "$work/before" "$work/after"
done

printf '%s\n' '{"refstore":1}' \
	'{"id":1,"type":"list","slots":[2,3,4,5],"sealed":["slots"]}' \
	'{"id":2,"type":"str","text":"\"grün\"\n","sealed":["data"]}' \
	'{"id":3,"type":"list","slots":[]}' '{"id":4,"type":"none"}' \
	'{"id":5,"type":"x","data":"AAH/","sealed":["data","slots"]}' \
	'{"id":6,"type":"list","slots":[6]}' '{"id":7,"type":"list","slots":[1]}' \
	'{"root":1}' >"$work/odd"
refstore load "$work/odd" -- refstore dump >"$work/again" 2>"$work/err"
shape <"$work/odd" | sed '$d' >"$work/before"
shape <"$work/again" >"$work/after"
echo 'reachable 5 of 5' >>"$work/before"
check 'seals, leaves, bytes and garbage' diff "$work/before" "$work/after"
lost='not reachable from the root'
echo "refstore: $work/odd: 2 of 7 objects are $lost and were not kept" \
	>"$work/told"
check 'load tells what it did not keep' diff "$work/told" "$work/err"
echo '{"refstore":1}
{"root":null}' >"$work/empty"
check 'an empty heap' refstore load "$work/empty" -- refstore verify --json

# What the root does not reach is gone before the command begins; one and many.
printf '%s\n' '{"refstore":1}' '{"id":1,"type":"list","slots":[1]}' \
	'{"id":2,"type":"list","slots":[3]}' \
	'{"id":3,"type":"list","slots":[2]}' '{"root":1}' >"$work/cycles"
# shellcheck disable=SC2016
check 'cycles without the root are collected' \
	sh -c 'refstore load "$1" -- refstore verify | tee /dev/stderr |
	grep -x "1 object of [0-9]* bytes, 1 edge, 0 handles, 0 weak, 0 saved, 0 saturated: 0 .*s"' \
	sh "$work/cycles"
printf '%s\n' '{"refstore":1}' '{"id":1,"type":"list"}' \
	'{"id":2,"type":"list"}' '{"root":1}' >"$work/two"
refstore load "$work/two" -- true 2>"$work/err"
echo "refstore: $work/two: 1 of 2 objects is $lost and was not kept" \
	>"$work/told"
check 'load tells of one' diff "$work/told" "$work/err"
refstore load "$work/web" -- true 2>"$work/err"
check 'load says nothing if all is kept' [ ! -s "$work/err" ]

echo '{"refstore":1}' >"$work/short"
check 'a short dump is refused' ends 1 refstore load "$work/short" -- true
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
	says "$incomplete: the session's limit of handles (max_handles)" \
	sh -c 'refstore dump --pid "$1" >/dev/null' sh "$loader"
which='max_objects, max_bytes or max_handles'
check 'so does load' \
	says "$work/web:12: cannot create object 11: a limit of refstore ($which)" \
	refstore load "$work/web" -- true
echo "$before" >"$limit"
check 'it can be collected' refstore collect --pid "$loader" --json
check 'its types' sh -c 'refstore types | grep node'
kill "$loader"
wait "$loader"
check 'it ends well when asked to' [ $? -eq 0 ]
sleep 1
check 'and its heap is gone' grep -qx 'objects 0' /proc/refstore/stats

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

# says_in_use PID: at last; where there is one processor, it may be verify's.
says_in_use() {
	tries=100
	# shellcheck disable=SC2016
	until says 'the heap was in use meanwhile: what is above may be wrong' \
		sh -c 'refstore verify --pid "$1" >/dev/null' sh "$1"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
	done
}

refstore load "$work/tree" -- python3 "$work/busy" \
	"$build/lib/librefstore.so.0" >"$work/fifo" &
busy=$!
read -r where <"$work/fifo"
check 'verify notices that a heap is in use' says_in_use "$busy"
kill -STOP "$busy"
sleep 1
check 'it is content when that stands still' refstore verify --pid "$busy"
kill -KILL "$busy"
wait "$busy"

echo "1..$count"
[ "$failed" -eq 0 ]
