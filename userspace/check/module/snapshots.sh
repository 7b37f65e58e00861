# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Snapshots, and graphs for Graphviz. Sourced by module.sh.

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
