#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: several users torture a heap each, with a name, and in the meantime
# processors come and go, memory gets scarce, and heaps are made, renamed and removed.
# usage: soak.sh refstore.ko SECONDS
# What disturbs is called by name.
# shellcheck disable=SC2317
set -euo pipefail

MOUNT=/run/refstore
CGROUP=/sys/fs/cgroup
REFSTORE=build/userspace/tools/refstore
USERS=(2001 2002 2003)
# Of each user's objects, about: three tortures have one machine.
OBJECTS=3000

export LD_LIBRARY_PATH=$PWD/build/userspace/lib
status=0
disturbers=()

complain() {
	echo "# ERROR: $*"
	status=1
}

# --- What disturbs -----------------------------------------------------------

# Every processor but the first goes and comes.
hotplug() {
	local cpu
	while :; do
		for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
			echo 0 >"$cpu" && sleep 0.$((RANDOM % 10)) && echo 1 >"$cpu"
		done
		sleep 1
	done
}

# The users' memory is taken back, as if others needed it.
reclaim() {
	local user
	while sleep 2; do
		for user in "${USERS[@]}"; do
			echo 8M >"$CGROUP/soak-$user/memory.reclaim" || :
		done
	done 2>/dev/null
}

# Heaps with names that somebody uses for a moment only; and, in a memory cgroup that is
# too small for them, some that cannot be filled. Whoever has no memory may be killed.
# Between them is a pause: where processors are emulated, starting programs would take
# all of these.
names() {
	local n=0
	while sleep 0.5; do
		n=$((n + 1))
		mkdir -p "$MOUNT/d$((n % 4))"
		: <>"$MOUNT/d$((n % 4))/heap-$n"
		"$REFSTORE" restore -H "$MOUNT/d$((n % 4))/heap-$n" \
			"$work/dump" || :
		mv "$MOUNT/d$((n % 4))/heap-$n" "$MOUNT/moved" || continue
		"$REFSTORE" verify -H "$MOUNT/moved" || echo "$n" >>"$work/wrong"
		((n % 3)) || rm -f "$MOUNT/moved"
	done >/dev/null 2>&1
}

glutton() {
	echo "$BASHPID" >"$CGROUP/soak-small/cgroup.procs"
	while sleep 0.5; do
		: <>"$MOUNT/glutton"
		timeout -s KILL 2 "$REFSTORE" restore -H "$MOUNT/glutton" \
			"$work/dump" || :
		rm -f "$MOUNT/glutton"
	done >/dev/null 2>&1
}

disturb() {
	"$@" &
	disturbers+=("$!")
}

# --- From beginning to end ---------------------------------------------------

# A dump of 2,000 objects, each of which refers to two others, in many cycles.
make_dump() {
	awk 'BEGIN {
		print "{\"refstore\":2}"
		for (i = 1; i <= 2000; i++)
			printf "{\"id\":%d,\"type\":\"node\",\"slots\":[%d,%d]," \
				"\"data\":\"AAH/\"}\n", i, i % 2000 + 1, int(i / 2) + 1
		print "{\"root\":1,\"objects\":2000}"
	}' >"$work/dump"
}

make_cgroups() {
	local name
	echo +memory >"$CGROUP/cgroup.subtree_control"
	for name in small "${USERS[@]}"; do
		mkdir "$CGROUP/soak-$name"
	done
	echo 3M >"$CGROUP/soak-small/memory.max"
}

torture() {
	local user=$1
	echo "$BASHPID" >"$CGROUP/soak-$user/cgroup.procs"
	exec setpriv --reuid "$user" --regid "$user" --clear-groups \
		env REFSTORE_HEAP="$MOUNT/soak-$user" REFSTORE_OBJECTS="$OBJECTS" \
		build/torture/torture "$seconds"
}

# The sum of a number that all tortures print at the end: sum WORD.
sum() {
	sed -n "s/^torture:.* \([0-9]*\) $1.*/\1/p" "$work"/log-* |
		awk '{ n += $1 } END { print n + 0 }'
}

run() {
	local user pid pids=()
	for user in "${USERS[@]}"; do
		torture "$user" >"$work/log-$user" 2>&1 &
		pids+=("$!")
	done
	disturb hotplug
	disturb reclaim
	disturb names
	disturb glutton
	tail -q -f "$work"/log-* &
	disturbers+=("$!")
	for pid in "${pids[@]}"; do
		wait "$pid" || complain "a torture ended with status $?"
	done
	kill "${disturbers[@]}"
	wait "${disturbers[@]}" 2>/dev/null || :
}

value_of() {
	awk -v name="$1" '$1 == name { print $2 }' /proc/refstore/stats
}

nothing_left() {
	local name
	for name in heaps sessions handles objects bytes backlog large; do
		[[ $(value_of "$name") == 0 ]] || return
	done
}

settle() {
	local try
	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		echo 1 >"$cpu"
	done
	rm -rf "${MOUNT:?}"/*
	for try in {1..600}; do
		! nothing_left || return 0
		sleep 0.2
	done
	complain "after $try looks, something is left: $(tr '\n' ' ' </proc/refstore/stats)"
}

main() {
	local seconds=$2 work scans
	work=$(mktemp -d)
	insmod "$1"
	mkdir -p "$MOUNT"
	mount -t refstore -o mode=1777 none "$MOUNT"
	make_cgroups
	make_dump
	run
	[[ ! -e $work/wrong ]] ||
		complain "verify found $(wc -l <"$work/wrong") heaps to be wrong"
	settle
	scans=$(value_of scans)
	echo "soak: $(sum operations) operations, $(sum kills) kills, $scans scans," \
		"$(value_of scan_aborted) aborted, $(value_of scan_reclaimed)" \
		"reclaimed, $(sum oracles) oracles, $(sum errors) errors"
	umount "$MOUNT"
	rmmod refstore
}

main "$@"
exit "$status"
