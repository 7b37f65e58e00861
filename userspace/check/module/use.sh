# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Heaps, and large values, that a process uses meanwhile. Sourced by module.sh.

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
