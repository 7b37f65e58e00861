#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Measures scans and draws what comes of it: build/bench.svg.
set -euo pipefail

# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

main() {
	mkdir -p "$OUT"
	"$VM_DIR/deps.sh" build vm source-6.12 python
	with_progress 'how long operations take' "$OUT/report.latency" \
		scan_guest latency
	with_progress 'how much garbage there is' "$OUT/report.floating" \
		scan_guest floating
	with_progress 'what a scan costs' "$OUT/report.size" \
		"$VM_DIR/uml.sh" --mem 6G uml-bench refstore_size
	"${PYTHON:-/usr/bin/python3}" "$BENCH/report.py" "$OUT/report.latency" \
		"$OUT/report.floating" "$OUT/report.size" \
		"$PROJECT/build/bench.svg"
	say "written to build/bench.svg"
}

main "$@"
