#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Measures: system calls in instructions, the kernel's side at native speed, CPython
# beside it, and the Python package beside what else shares. Prints a table and writes
# build/bench.json.
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

# python_guest WHAT... -- OPTION...: what the package's measurements say in a guest.
python_guest() {
	local module what=()
	module=$("$VM_DIR/module.sh" stock-6.12)
	while [[ $1 != -- ]]; do
		what+=("$1")
		shift
	done
	shift
	make -s -C "$PROJECT" python
	"$VM_DIR/run.sh" --mem 4G --time 3600 --log "$OUT/python.kernel.log" "$@" \
		stock-6.12 -- "$BENCH/guest/python.sh" "$module" "${what[@]}"
}

figures() {
	local name
	for name in calls native cpython latency python python-wall; do
		[[ ! -e $OUT/$name ]] || printf '%s\n' "$OUT/$name"
	done
}

main() {
	local files
	mkdir -p "$OUT"
	"$VM_DIR/deps.sh" build vm source-6.12 python
	measure calls 'system calls, in instructions (6.12)' calls
	measure native 'native speed (User Mode Linux)' native
	measure cpython 'CPython' cpython
	measure latency 'operations while scans run' scan_guest latency
	measure python 'the Python package, in instructions' \
		python_guest instructions memory -- --icount --smp 1
	measure python-wall 'the Python package, in time' \
		python_guest wall -- --smp 2
	mapfile -t files < <(figures)
	((${#files[@]})) || die 'nothing could be measured'
	"${PYTHON:-/usr/bin/python3}" "$BENCH/table.py" "${files[@]}" \
		"$PROJECT/build/bench.json"
	say "written to build/bench.json"
	((!${#failed[@]})) || die "could not measure: ${failed[*]}"
}

main "$@"
