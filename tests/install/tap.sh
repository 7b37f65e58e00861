# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Results as TAP. Sourced by what runs on the host and in the fresh systems.

count=${count:-0}
failed=0

# check NAME COMMAND...: it must succeed; what it said is shown if it does not.
check() {
	local name=$1 log status=0
	shift
	log=$(mktemp)
	count=$((count + 1))
	# A shell of its own, in which set -e counts.
	(set -e; "$@") >"$log" 2>&1 </dev/null &
	wait "$!" || status=$?
	if ((status)); then
		failed=$((failed + 1))
		sed 's/^/# /' "$log"
		echo "not ok $count - $name"
	else
		echo "ok $count - $name"
	fi
	rm -f "$log"
}

# fails COMMAND...: succeeds if it fails.
fails() {
	if "$@"; then
		return 1
	fi
}

# Succeeds if nothing comes in, and shows what does.
nothing() {
	local lines
	lines=$(cat)
	[[ -z $lines ]] || {
		echo "$lines"
		return 1
	}
}
