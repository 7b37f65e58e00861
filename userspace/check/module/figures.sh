# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What is for Prometheus, and top. Sourced by module.sh.

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
