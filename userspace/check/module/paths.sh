# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Why an object is alive. Sourced by module.sh.

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
