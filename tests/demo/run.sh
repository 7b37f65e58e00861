#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration, from nothing: packages, a kernel, the module and its tools,
# the object graph of a Python interpreter, and a virtual machine in which one
# process builds that graph in the store, another keeps some of it, and the
# kernel collects the rest. Ends with 0 if everything agreed. LOOK is a program that
# looks at the heap meanwhile, see demo.c.
# at_end and step call functions by name.
# shellcheck disable=SC2317
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=userspace/check/end.sh
. userspace/check/end.sh

KERNEL=stock-6.12
WORK=build/demo
LOG=$WORK/log
ticker=

usage() {
	echo "usage: run.sh [LOOK]" >&2
	exit 2
}

# A line of the transcript, with the time since the start.
headline() {
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

# Whatever ends this, the last line says how it went.
finish() {
	local status=$?
	stop_ticking
	((!status)) || headline "NOT EVERYTHING AGREED (status $status)"
}

stop_ticking() {
	if [[ $ticker ]]; then
		kill "$ticker" 2>/dev/null || true
		wait "$ticker" 2>/dev/null || true
	fi
	ticker=
}

# Says now and then that something quiet is still going on.
start_ticking() {
	# The sleep may outlive the loop: it must not hold a pipe's end.
	while sleep 10 >/dev/null 2>&1; do
		headline "    ..."
	done &
	ticker=$!
}

# A step: what is done, in words and as a command. Its output is in $LOG.
step() {
	local what=$1
	shift
	headline "$what"
	start_ticking
	if ! "$@" >"$LOG"; then
		cat "$LOG" >&2
		exit 1
	fi
	stop_ticking
}

build_tools() {
	make --no-print-directory -C userspace
	make --no-print-directory -C tests/demo
}

# A number that graph.py wrote down, its thousands set off.
expected() {
	sed -n "s/^$1 //p" "$WORK/expected" |
		sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'
}

# These two are not quiet.

take_graph() {
	headline "the object graph of a live Python interpreter"
	/usr/bin/python3 -I tests/demo/graph.py "$WORK/graph" "$WORK/expected"
}

run_guest() {
	headline "a virtual machine with that kernel"
	tests/vm/run.sh "$KERNEL" -- tests/demo/guest.sh \
		"$1" "$WORK/graph" "$WORK/expected" ${2:+"$2"}
}

main() {
	local kernel module
	[[ $# -le 1 ]] || usage
	at_end finish
	mkdir -p "$WORK"
	step "packages that are missing" tests/vm/deps.sh build vm python
	step "Debian's newest packaged 6.12 kernel" tests/vm/kernel.sh "$KERNEL"
	kernel=$(<"$LOG")
	step "the module for $(<"$kernel/release")" tests/vm/module.sh "$KERNEL"
	module=$(<"$LOG")
	step "the library, the command, the program of the demonstration" \
		build_tools
	take_graph
	run_guest "$module" "$@"
	headline "EVERYTHING AGREED: $(expected objects) objects were built," \
		"$(expected kept_objects) were left as predicted, then none"
}

main "$@"; exit
