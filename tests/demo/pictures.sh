#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs the demonstration and draws what a user sees of its heap, for the README:
# userspace/pictures/. Says how long the commands take.
set -euo pipefail

cd "$(dirname "$0")/../.."

WORK=build/demo
PICTURES=userspace/pictures

# What look.sh has printed for a picture.
printed() {
	sed -n "s/^picture $1: //p" "$WORK/look"
}

main() {
	local name
	tests/vm/deps.sh python pictures
	mkdir -p "$WORK" "$PICTURES"
	tests/demo/run.sh tests/demo/look.sh | tee "$WORK/look" |
		grep --line-buffered -v '^picture '
	for name in top path; do
		printed "$name" >"$WORK/$name"
		/usr/bin/python3 tests/demo/terminal.py "$WORK/$name" \
			"$PICTURES/$name.svg"
	done
	printed graph | dot -Tsvg |
		sed '1a <!-- SPDX-License-Identifier: GPL-2.0-only -->' \
			>"$PICTURES/graph.svg"
	echo "drawn: $PICTURES/graph.svg, path.svg, top.svg"
}

main "$@"
