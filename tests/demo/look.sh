#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the virtual machine: look.sh HEAP MOMENT. What a user sees of the heap of
# the demonstration: how long it takes, and what the pictures are made of, in lines
# that begin with "picture NAME:".
set -euo pipefail

REFSTORE=$PWD/build/userspace/tools/refstore
MOST=2000000	# microseconds for an answer, even under emulation

# How long a command takes.
timed() {
	local start=$EPOCHREALTIME end took
	"$REFSTORE" "$@" >/dev/null
	end=$EPOCHREALTIME
	took=$((${end/./} - ${start/./}))
	printf '    refstore %-52s %4d ms%s\n' "$*" $((took / 1000)) \
		"$( ((took <= MOST)) || echo ', TOO LONG')"
}

# As somebody would see it who has typed the command.
typed() {
	echo "\$ refstore $*"
	"$REFSTORE" "$@"
}

picture() {
	local name=$1
	shift
	"$@" | sed "s/^/picture $name: /"
}

# The object that is farthest from what keeps it, of some.
far_object() {
	local heap=$1 id length longest=0 far=
	for id in $("$REFSTORE" ls -H "$heap" |
		awk 'NR > 1 && NR % 1000 == 2 { print $1 }'); do
		length=$("$REFSTORE" path -H "$heap" "$id" | wc -l)
		((length <= longest)) || { longest=$length; far=$id; }
	done
	echo "$far"
}

built() {
	local heap=$1 far
	far=$("$REFSTORE" ls -H "$heap" | awk 'END { print $1 }')
	timed top -o
	timed graph --dot -H "$heap"
	timed path -H "$heap" "$far"
}

collected() {
	local heap=$1
	picture top typed top -o
	picture path typed path -H "$heap" "$(far_object "$heap")"
	picture graph "$REFSTORE" graph --dot --limit 14 -H "$heap"
}

case $2 in
built | collected) "$2" "$1" ;;
*) exit 2 ;;
esac
