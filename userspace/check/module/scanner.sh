# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The scanner, and the garbage that a heap keeps. Sourced by module.sh.

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
