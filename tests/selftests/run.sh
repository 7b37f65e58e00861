#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the selftests on the kernel that it runs on, with refstore.ko inserted.
set -u

# shellcheck source=userspace/check/end.sh
. "$(dirname "$0")/../../userspace/check/end.sh"

usage() {
	cat >&2 <<-EOF
	usage: $0 [-t SECONDS] DIR [PROGRAM...]

	DIR        where the programs were built: DIR/m64/test_*,
	           DIR/m32/test_*, or DIR/test_*
	PROGRAM    only these: test_batch, m32/test_batch, 'm32/*'
	SECONDS    for each program (600)

	REFSTORE_SIZE=PERCENT makes large tests smaller or larger (15 on a
	checking kernel). REFSTORE_LONG=1 adds those that take long and need
	much memory. REFSTORE_OPS, REFSTORE_SEED, REFSTORE_KILLS: see
	test_random and test_kill.

	Prints what the programs say (TAP), and at last the sums. The status is
	0 when nothing failed. A program after which the module still holds
	heaps, sessions, objects or bytes has failed, too.
	EOF
	exit 2
}

stats=/proc/refstore/stats
passed=0
failed=0
skipped=0

# How long the kernel has for what it does by itself after the last close.
patience=60

# Sets left to what should be nothing and is not. Without a process of its own,
# as processes are dear under emulation.
leftovers() {
	left=
	lines=0
	while read -r what value; do
		case $what in
		heaps | sessions | handles | objects | bytes)
			[ "$value" = 0 ] || left="$left$what $value; "
			lines=$((lines + 1))
			;;
		esac
	done <$stats
	[ $lines -eq 5 ] || left="lines of $stats are missing"
}

wait_for_nothing() {
	waited=0
	limit=$((patience * 5))
	while leftovers && [ -n "$left" ] && [ $waited -lt $limit ]; do
		sleep 0.2
		waited=$((waited + 1))
	done
	[ -z "$left" ]
}

# Not so for a 32-bit program on a kernel that has no place for it. One program
# of a folder speaks for all.
can_run() {
	folder=${1%/*}
	if [ "$folder" != "${known-}" ]; then
		known=$folder
		"$1" -l >/dev/null 2>&1
		runs=$?
	fi
	[ "$runs" -ne 126 ]
}

# Seconds since the kernel started.
uptime() {
	read -r now _ </proc/uptime
	now=${now%.*}
}

# The program's own results; one more if it did not come to its end.
add_results() {
	plan=none
	seen=0
	bad=0
	while read -r line; do
		case $line in
		1..*)
			plan=${line#1..}
			plan=${plan%% *}
			continue
			;;
		'not ok '*) bad=$((bad + 1)) ;;
		'ok '*' # SKIP'*) skipped=$((skipped + 1)) ;;
		'ok '*) passed=$((passed + 1)) ;;
		*) continue ;;
		esac
		seen=$((seen + 1))
	done <"$output"
	failed=$((failed + bad))
	if [ "$seen $plan $2" = "0 0 4" ]; then
		skipped=$((skipped + 1))
	elif [ "$seen" != "$plan" ]; then
		echo "not ok - $1: $seen of $plan tests were run (status $2)"
		failed=$((failed + 1))
	elif [ "$2" -ne 0 ] && [ $bad -eq 0 ]; then
		echo "not ok - $1: ended with status $2"
		failed=$((failed + 1))
	fi
}

run_program() {
	name=${1#"$directory"/}
	echo "# --- $name"
	if [ ! -x "$1" ]; then
		echo "not ok - $name: there is no such program"
		failed=$((failed + 1))
		return
	fi
	if ! can_run "$1"; then
		echo "ok - $name # SKIP this kernel does not run it"
		skipped=$((skipped + 1))
		return
	fi
	uptime
	start=$now
	{
		timeout -k 5 "$seconds" "$1" 2>&1
		echo $? >"$output.status"
	} | tee "$output"
	read -r status <"$output.status"
	[ "$status" != 124 ] || echo "# stopped after $seconds s"
	add_results "$name" "$status"
	if ! wait_for_nothing; then
		echo "not ok - $name: left behind: $left"
		failed=$((failed + 1))
	fi
	uptime
	echo "# --- $name: $((now - start)) s"
}

# The paths of what is wanted; all of it if nothing is named.
programs() {
	[ $# -gt 0 ] || set -- 'test_*'
	for wanted in "$@"; do
		found=
		for path in "$directory"/$wanted "$directory"/m64/$wanted \
			"$directory"/m32/$wanted; do
			[ ! -x "$path" ] || found="$found $path"
		done
		printf '%s\n' "${found:-$directory/$wanted}"
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

# Where everything is checked it is slow as well.
if [ -z "${REFSTORE_SIZE-}" ] && [ -e /proc/lockdep ]; then
	export REFSTORE_SIZE=15
	echo "# a checking kernel: REFSTORE_SIZE=$REFSTORE_SIZE"
fi

make_work
output=$work/output
for program in $(programs "$@"); do
	run_program "$program"
done
echo "selftests: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
