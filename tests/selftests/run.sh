#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the selftests on the kernel that it runs on, with refstore.ko inserted.
set -u

usage() {
	cat >&2 <<-EOF2
	usage: $0 [-t SECONDS] DIR [PROGRAM...]

	DIR        where the programs were built: DIR/m64/test_*, DIR/m32/test_*,
	           or DIR/test_*
	PROGRAM    only these: test_batch, m32/test_batch, 'm32/*'
	SECONDS    for each program (600)

	Prints what the programs say (TAP), and at last the sums. The status is 0
	when nothing failed. A program after which the module still holds heaps,
	sessions, objects or bytes has failed, too.
	EOF2
	exit 2
}

stats=/proc/refstore/stats
passed=0
failed=0
skipped=0

# How long the kernel has for what it does by itself after the last close.
patience=60

stat_value() {
	sed -n "s/^$1 //p" $stats
}

# What should be nothing now. Prints what is left, if so.
leftovers() {
	for name in heaps sessions handles objects bytes; do
		value=$(stat_value $name)
		[ "$value" = 0 ] || printf '%s %s; ' "$name" "${value:-?}"
	done
}

wait_for_nothing() {
	waited=0
	while left=$(leftovers); [ -n "$left" ] && [ $waited -lt $patience ]; do
		sleep 1
		waited=$((waited + 1))
	done
	[ -z "$left" ]
}

# A 32-bit program on a kernel that has no place for it.
can_run() {
	"$1" -l >/dev/null 2>&1
	[ $? -ne 126 ]
}

count() {
	grep -cE "$1" "$output" || true
}

# The program's own results; one more if it did not come to its end.
add_results() {
	bad=$(count '^not ok ')
	skip=$(count '^ok .* # SKIP')
	passed=$((passed + $(count '^ok ') - skip))
	skipped=$((skipped + skip))
	failed=$((failed + bad))
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$output" | head -n 1)
	if [ "$(count '^(not )?ok ')" != "${plan:-none}" ]; then
		echo "not ok - $1: not all of its tests were run (status $2)"
		failed=$((failed + 1))
	elif [ "$2" -ne 0 ] && [ "$bad" = 0 ]; then
		echo "not ok - $1: ended with status $2"
		failed=$((failed + 1))
	fi
}

run_program() {
	name=${1#"$directory"/}
	echo "# --- $name"
	if ! can_run "$1"; then
		echo "ok - $name # SKIP this kernel does not run it"
		skipped=$((skipped + 1))
		return
	fi
	start=$(date +%s)
	{
		timeout -k 5 "$seconds" "$1" 2>&1
		echo $? >"$output.status"
	} | tee "$output"
	status=$(cat "$output.status")
	[ "$status" != 124 ] || echo "# stopped after $seconds s"
	add_results "$name" "$status"
	if ! wait_for_nothing; then
		echo "not ok - $name: left behind: $left"
		failed=$((failed + 1))
	fi
	echo "# --- $name: $(($(date +%s) - start)) s"
}

# The paths of what is wanted; all of it if nothing is named.
programs() {
	[ $# -gt 0 ] || set -- 'test_*'
	for wanted in "$@"; do
		# A pattern is meant to be one.
		# shellcheck disable=SC2086
		for path in "$directory"/$wanted "$directory"/m64/$wanted \
			"$directory"/m32/$wanted; do
			[ ! -x "$path" ] || printf '%s\n' "$path"
		done
	done
}

seconds=600
while getopts t: option; do
	case $option in
	t) seconds=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
directory=${1%/}
shift

if [ ! -r $stats ] || [ ! -e /dev/refstore ]; then
	echo "Bail out! the module is not there"
	exit 1
fi
wait_for_nothing || echo "# in use by others: $left"

output=$(mktemp)
trap 'rm -f "$output" "$output.status"' EXIT
for program in $(programs "$@"); do
	run_program "$program"
done
echo "selftests: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
