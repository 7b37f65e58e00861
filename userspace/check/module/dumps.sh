# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Dumps, as they are loaded and dumped again; what becomes of what is printed. Sourced
# by module.sh.

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
