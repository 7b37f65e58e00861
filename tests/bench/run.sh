#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Measures: system calls in instructions, the kernel's side at native speed, and
# CPython beside it. Prints a table and writes build/bench.json.
set -euo pipefail

# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

# What failed; what was measured is shown all the same.
failed=()

# measure NAME WHAT COMMAND...: its figures go to $OUT/NAME; if it fails, those
# that it came to. What was measured before must not pass for them.
measure() {
	local name=$1 what=$2
	shift 2
	say "measuring $what"
	rm -f "$OUT/$name"
	with_progress "$what" "$OUT/$name.log" "$@" || failed+=("$what")
	mv "$OUT/$name.log" "$OUT/$name"
}

calls() {
	local module
	module=$("$VM_DIR/module.sh" stock-6.12)
	build_guest icount
	build_guest scan
	build_guest large
	"$VM_DIR/run.sh" --icount --smp 1 --mem 4G --log "$OUT/calls.kernel.log" \
		stock-6.12 -- "$BENCH/guest/run.sh" "$module" "$OUT"
}

native() {
	"$VM_DIR/uml.sh" --mem 6G uml-bench refstore_bench
}

cpython() {
	local python=${PYTHON:-/usr/bin/python3}
	"$python" "$BENCH/cpython.py"
}

figures() {
	local name
	for name in calls native cpython latency; do
		[[ ! -e $OUT/$name ]] || printf '%s\n' "$OUT/$name"
	done
}

main() {
	local files
	mkdir -p "$OUT"
	"$VM_DIR/deps.sh" build vm kernels python
	measure calls 'system calls, in instructions (6.12)' calls
	measure native 'native speed (User Mode Linux)' native
	measure cpython 'CPython' cpython
	measure latency 'operations while scans run' scan_guest latency
	mapfile -t files < <(figures)
	((${#files[@]})) || die 'nothing could be measured'
	"${PYTHON:-/usr/bin/python3}" "$BENCH/table.py" "${files[@]}" \
		"$PROJECT/build/bench.json"
	say "written to build/bench.json"
	((!${#failed[@]})) || die "could not measure: ${failed[*]}"
}

main "$@"
