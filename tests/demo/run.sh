#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration, from nothing: packages, a kernel, the module and its tools,
# the object graph of a Python interpreter, and a virtual machine in which one
# process builds that graph in the store, another keeps some of it, and the
# kernel collects the rest. Ends with 0 if everything agreed.
set -euo pipefail

cd "$(dirname "$0")/../.."

KERNEL=stock-6.12
WORK=build/demo
LOG=$WORK/log
ticker=

usage() {
	echo "usage: run.sh" >&2
	exit 2
}

# A line of the transcript, with the time since the start.
headline() {
	printf '[%3d s] %s\n' "$SECONDS" "$*"
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
	while sleep 10; do
		headline "  ..."
	done &
	ticker=$!
}

fail() {
	stop_ticking
	headline "NOT EVERYTHING AGREED: $*"
	exit 1
}

# A step: what is done, in words and as a command. Its output is in $LOG.
step() {
	local what=$1
	shift
	headline "$what"
	start_ticking
	if ! "$@" >"$LOG"; then
		cat "$LOG" >&2
		fail "$* failed"
	fi
	stop_ticking
}

build_tools() {
	make --no-print-directory -C userspace
	make --no-print-directory -C tests/demo
}

expected() {
	local number
	number=$(sed -n "s/^$1 //p" "$WORK/expected")
	LC_ALL=en_US.UTF-8 printf "%'d" "$number"
}

# Not a quiet step: both say themselves what they do.
take_graph() {
	headline "the object graph of a live Python interpreter"
	/usr/bin/python3 -I tests/demo/graph.py "$WORK/graph" "$WORK/expected" ||
		fail "there is no graph"
}

run_guest() {
	local status=0
	headline "a virtual machine with that kernel"
	tests/vm/run.sh "$KERNEL" -- tests/demo/guest.sh \
		"$module" "$WORK/graph" "$WORK/expected" || status=$?
	((!status)) || fail "the virtual machine ended with status $status"
}

main() {
	local kernel module
	[[ $# -eq 0 ]] || usage
	trap stop_ticking EXIT
	mkdir -p "$WORK"
	step "packages that are missing" tests/vm/deps.sh build vm python
	step "Debian's newest 6.12 kernel" tests/vm/kernel.sh "$KERNEL"
	kernel=$(<"$LOG")
	step "the module, for $(<"$kernel/release")" \
		tests/vm/module.sh "$KERNEL"
	module=$(<"$LOG")
	step "the library, the command, the demonstration" build_tools
	take_graph
	run_guest
	headline "EVERYTHING AGREED: $(expected objects) objects built," \
		"$(expected kept_objects) left as predicted, then none"
}

main "$@"; exit
