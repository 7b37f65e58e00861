# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Heaps with names, and what is completed of them. Sourced by module.sh.

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
