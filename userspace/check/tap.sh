# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Results as TAP. Sourced, by sh and by bash, where $work is a folder: see end.sh.

count=${count:-0}
failed=0
# What stands before a name, where a script does not say otherwise.
hyphen=${hyphen-- }

# ok STATUS NAME: a result. If it is bad, what was printed, $work/out, comes before.
ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count $hyphen$2"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$work/out"
		echo "not ok $count $hyphen$2"
	fi
}

# skip NAME REASON: what cannot be checked here.
skip() {
	count=$((count + 1))
	echo "ok $count $hyphen$1 # SKIP $2"
}

# check NAME COMMAND...: the command must succeed. In a function, under set -e, each
# of its commands must.
check() {
	case $- in
	*e*) errexit=-e ;;
	*) errexit=+e ;;
	esac
	# Not in a condition, in which set -e would not count, nor in the background,
	# where Ctrl-C does not.
	set +e
	(shift && set "$errexit" && "$@") >"$work/out" 2>&1 </dev/null
	ok $? "$1"
	set "$errexit"
}

# plan: ends the results; succeeds if none was bad.
plan() {
	echo "1..$count"
	[ "$failed" -eq 0 ]
}

# fails COMMAND...: succeeds if it fails.
fails() {
	! "$@"
}

# Succeeds if nothing comes in, and shows what does.
nothing() {
	! grep ''
}
