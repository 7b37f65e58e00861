# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What load keeps, refuses, and ends with; the heaps of processes. Sourced by module.sh.

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
