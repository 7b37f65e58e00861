#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the virtual machine: guest.sh MODULE GRAPH EXPECTED [LOOK]. Inserts the
# module, runs the demonstration, removes the module.
set -euo pipefail

say() {
	printf '    %s\n' "$*"
}

# What holds the module goes a moment after the last file on it was closed.
remove_module() {
	for _ in {1..50}; do
		rmmod refstore 2>/dev/null && return
		sleep 0.2
	done
	rmmod refstore
}

main() {
	local module=$1 graph=$2 expected=$3 look=${4-} status=0
	say "Linux $(uname -r) on $(nproc) processors," \
		"$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
	insmod "$module"
	mkdir -p /run/refstore
	mount -t refstore none /run/refstore
	say "the module is inserted, and mounted at /run/refstore"
	build/demo/demo "$graph" "$expected" build/userspace/tools/refstore \
		${look:+"$look"} ||
		status=$?
	umount /run/refstore
	remove_module
	[[ ! -e /proc/refstore && ! -e /dev/refstore ]]
	say "the module is removed"
	return "$status"
}

main "$@"
