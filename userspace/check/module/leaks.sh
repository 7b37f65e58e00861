# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What no program holds. Sourced by module.sh.

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
