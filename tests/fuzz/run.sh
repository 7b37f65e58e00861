#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Fuzzes the module in a virtual machine, on a checking kernel that tells where it was,
# beginning with the programs that are kept in the tree. Those that were worth keeping
# this time are in build/fuzz/corpus afterwards. The last line is "N passed, N failed,
# N skipped".
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

CORPUS=$PROJECT/tests/fuzz/corpus
KEPT=$PROJECT/build/fuzz/corpus
LOG=$PROJECT/build/logs/fuzz.log

# Seconds that the guest gets beyond its time: to boot, to run the programs that there
# are, to settle, to look for leaks.
MARGIN=900

usage() {
	cat <<-EOF
	usage: $PROGRAM [MINUTES]

	MINUTES   how long (15)

	REFSTORE_SEED=N repeats a run's choices.
	EOF
}

# Places in the module's text that tell when they are reached.
points() {
	readelf -rW "$1" | grep -c __sanitizer_cov_trace_pc
}

fuzz() {
	"$VM_DIR/run.sh" --mem 4G --time $((seconds + MARGIN)) check -- \
		env "${settings[@]}" tests/fuzz/guest.sh "$module" "$seconds" \
		tests/fuzz/corpus
}

# The shortest first: what others do, too, is left out the next time.
keep_programs() {
	{
		grep '^#' "$CORPUS"
		sed -n 's/^program //p' "$LOG" |
			awk '{ print length($0), $0 }' | sort -n | cut -d' ' -f2
	} >"$KEPT"
}

report() {
	local line
	line=$(grep '^fuzz: .* points' "$LOG" | tail -n 1)
	[[ $line =~ ([0-9]+)\ calls.*\ ([0-9]+)\ points,\ ([0-9]+)\ findings ]] ||
		return 1
	figures=("calls=${BASH_REMATCH[1]}" "points=${BASH_REMATCH[2]}"
		"all_points=$1" "findings=${BASH_REMATCH[3]}")
	echo "fuzz: ${BASH_REMATCH[1]} calls," \
		"${BASH_REMATCH[2]} of $1 points of the module reached" \
		"($((100 * BASH_REMATCH[2] / $1)) %), ${BASH_REMATCH[3]} findings"
}

main() {
	local minutes=${1-15} seconds settings=() module status=0 figures
	[[ $minutes =~ ^[0-9]+$ ]] || {
		usage
		exit 2
	}
	[[ -z ${REFSTORE_SEED-} ]] || settings+=("REFSTORE_SEED=$REFSTORE_SEED")
	seconds=$((minutes * 60))
	mkdir -p "$PROJECT/build/logs"
	"$VM_DIR/deps.sh" build vm source-6.12 check
	make -s -C "$PROJECT/tests/fuzz" \
		KSELFTEST="$("$VM_DIR/kernel.sh" source-6.12)/tools/testing/selftests"
	module=$("$VM_DIR/module.sh" check kcov)
	fuzz 2>&1 </dev/null | tee "$LOG" | sed -u '/^program /d' || status=$?
	keep_programs
	if report "$(points "$module")" && ((!status)); then
		"$PROJECT/tests/figures.py" note fuzz "${figures[@]}"
		echo 'ok 1 - fuzz'
		echo '1 passed, 0 failed, 0 skipped'
	else
		echo "not ok 1 - fuzz ended with status $status"
		echo '0 passed, 1 failed, 0 skipped'
		return 1
	fi
}

main "$@"; exit
