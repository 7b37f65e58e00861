#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Lets each allocation, and each copy from and to the user, fail in turn: in every call,
# and while the module is inserted and removed. Then compares where that was with where
# the module allocates. Prints TAP; the last line is "N passed, N failed, N skipped".
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

LOG=$PROJECT/build/logs/fault-kernel.log
OUTPUT=$PROJECT/build/logs/fault.log
# Seconds.
TIME=7200

sweep() {
	"$VM_DIR/run.sh" --mem 4G --time "$TIME" --log "$LOG" check -- \
		env REFSTORE_LONG=1 tests/fault/guest.sh "$module"
}

# How many places failed, of all calls together.
places() {
	sed -nE 's/^# .*\b([0-9]+) (of [0-9]+ )?places.*/\1/p' "$OUTPUT" |
		awk '{ n += $1 } END { print n + 0 }'
}

sites() {
	sed -nE 's/^# ([0-9]+) of ([0-9]+) places where .*/sites=\1 all_sites=\2/p' \
		"$OUTPUT"
}

main() {
	local module selftests status=0 passed failed
	mkdir -p "$PROJECT/build/logs"
	"$VM_DIR/deps.sh" build vm source-6.12 check
	selftests=$("$VM_DIR/kernel.sh" source-6.12)/tools/testing/selftests
	make -s -C "$PROJECT/tests/selftests" KSELFTEST="$selftests"
	make -s -C "$PROJECT/tests/fault"
	module=$("$VM_DIR/module.sh" check)
	sweep 2>&1 </dev/null | tee "$OUTPUT" || status=$?
	"$PROJECT/tests/fault/sites.py" "$module" \
		"$PROJECT/tests/fault/unreached" "$OUTPUT" "$LOG" 2>&1 |
		tee -a "$OUTPUT" || status=$?
	passed=$(grep -cE '^ok ' "$OUTPUT" || true)
	failed=$(grep -cE '^not ok ' "$OUTPUT" || true)
	((!status || failed)) || failed=1
	echo "faults: $(places) points"
	echo "$passed passed, $failed failed, 0 skipped"
	((!failed && passed)) || return
	# shellcheck disable=SC2046 # these are words
	"$PROJECT/tests/figures.py" note faults "points=$(places)" $(sites)
}

main "$@"; exit
