#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Checks the model of the scanner: exhaustively within its bounds, then without
# each of its rules, where the checker must find what goes wrong. Prints TAP.
# usage: run.sh [--quick]
set -euo pipefail

FOLDER=$(cd "$(dirname "$0")" && pwd)
MODEL=$FOLDER/scan.pml
number=0
failed=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# verify NAME DEFINITION...: builds the verifier and runs it; result: "pass",
# "fail", or "broken". figures: what it printed of states.
verify() {
	local folder=$work/$1 memory=-DCOLLAPSE bits=-w24
	shift
	[[ " $* " != *" -DBITSTATE "* ]] || memory="" bits=-w30
	mkdir -p "$folder"
	result=broken figures=
	(cd "$folder" && spin "$@" -a "$MODEL") >"$folder/log" 2>&1 || return 0
	# shellcheck disable=SC2086 # nothing, or one word
	"${CC:-gcc}" -O2 -w -DSAFETY -DVECTORSZ=2048 -DMEMLIM=12000 $memory "$@" \
		-o "$folder/pan" "$folder/pan.c" >>"$folder/log" 2>&1 || return 0
	(cd "$folder" && ./pan -m1000000 -n $bits) >"$folder/out" 2>&1 || true
	if grep -q 'errors: 0' "$folder/out"; then
		result=pass
		! grep -qE 'out of memory|max search depth|Search not completed' \
			"$folder/out" || result=broken
	elif grep -q 'errors: 1' "$folder/out"; then
		result=fail
	fi
	figures=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states/p
		s/.*depth reached \([0-9]*\).*/depth \1/p' "$folder/out" |
		tac | paste -sd ' ')
}

report() {
	number=$((number + 1))
	if (($1)); then
		echo "ok $number - $2 ($figures)"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$work"/*/log "$work"/*/out 2>/dev/null | tail -n 20
		echo "not ok $number - $2"
	fi
	rm -rf "${work:?}"/*
}

# holds NAME DEFINITION...
holds() {
	verify "$@"
	report "$([[ $result == pass ]] && echo 1 || echo 0)" "$1 holds"
}

# needed RULE WITHOUT DEFINITION...: what the checker must find without it
needed() {
	local rule=$1 without=$2 why
	shift 2
	verify "$rule" "-DNO_$rule" "$@"
	why=$(sed -n 's/.*assertion violated *\(.*\) (at depth.*/\1/p' \
		"$work/$rule/out" 2>/dev/null | cut -c1-60)
	report "$([[ $result == fail ]] && echo 1 || echo 0)" \
		"without $rule: $without${why:+; $why}"
}

main() {
	local quick='' four
	# As many as these take bits, not bytes: a few states may be missed.
	four=(-DINIT=6 -DOPS0=4 -DOPS1=0 -DNO_UPGRADES -DBITSTATE)
	[[ ${1-} != --quick ]] || quick=y
	"$FOLDER/../vm/deps.sh" model
	holds 'a garbage ring' -DINIT=2
	holds 'three garbage loops' -DINIT=4
	if [[ ! $quick ]]; then
		holds 'a ring that both hold' -DINIT=0
		holds 'a ring of three' -DINIT=1
		holds 'a ring and a loop behind it' -DINIT=3
		holds 'four operations of one session' "${four[@]}"
		holds 'a version that wraps at once' "${four[@]}" -DVERSIONS=1
	fi
	needed R1 'a freed object is linked' -DINIT=2
	needed R2 'garbage is lost' -DINIT=1 -DOPS1=0
	needed R3 'freed memory is read' -DINIT=2
	needed R4 'a live object is condemned' -DINIT=2
	needed R5 'a live object is condemned' -DINIT=5 -DOPS1=0
	needed R6 'a live object is condemned' "${four[@]}" -DVERSIONS=1
	needed R7 'garbage is left' -DINIT=4 -DOPS1=0
	needed R8 'a live object is condemned' -DINIT=0
	needed R9 'a freed object is linked' -DINIT=2
	needed R10 'a freed object is handed out' -DINIT=2
	needed R11 'a freed object is handed out' -DINIT=2
	needed R12 'garbage is lost' -DINIT=2 -DOPS0=0 -DOPS1=0
	needed R13 'freed memory is read' -DINIT=2
	needed R14 'memory is lost' -DINIT=2 -DOPS1=0
	needed R15 'garbage is lost' -DINIT=1 -DOPS1=0
	needed R16 'garbage is left' -DINIT=1 -DOPS1=0
	needed R18 'freed memory is read' "${four[@]}"
	echo "1..$number"
	((!failed))
}

main "$@"
