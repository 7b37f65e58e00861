#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Checks the model of the scanner: that it holds, for every way in which its steps
# can follow each other; and that without each of its rules it does not, in the
# way that the rule is there to prevent. Prints TAP, with the number of states, the
# greatest depth and the time of each run. JOBS runs go at a time, two by default,
# on as many processors. What the quick form has found is kept, as long as nothing that
# it depends on changes.
# usage: run.sh [--quick]
set -euo pipefail
set -m # each run is a process group, which can be ended

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

MODEL=$PROJECT/tests/model/scan.pml
MEMORY=10000 # MB that a run may take
JOBS=${JOBS:-2}
number=0 # of the last run that was started
shown=0  # of the last one whose result was printed
failed=0

top=$(mktemp -d)

end_all() {
	local group
	for group in $(jobs -p); do
		kill -- "-$group" 2>/dev/null || true
	done
	rm -rf "$top"
}
trap end_all EXIT

# What the verifier's output says. result: "pass", "fail", or "broken"; why: what
# the assertion that failed calls it; figures: states and depth.
judge() {
	local log=$1
	figures=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states/p
		s/.*depth reached \([0-9]*\).*/depth \1/p' "$log" |
		tac | paste -sd ' ')
	if grep -q 'errors: 0' "$log"; then
		result=pass
		! grep -qE 'out of memory|search depth|not completed' "$log" ||
			result=broken
	elif grep -q 'errors: 1' "$log"; then
		result=fail
		why=$(sed -n 's/.*assertion violated .*||\([a-z_]*\)).*/\1/p
			s/.*acceptance cycle (at.*/it never ends/p' "$log")
		why=${why//_/ }
	fi
}

# Builds a verifier and runs it; the arguments are definitions of the model.
verify() {
	local build=("-O$optimise" -w -DVECTORSZ=2048 "-DMEMLIM=$MEMORY")
	local options=(-n) start=$SECONDS log=$work/log
	result=broken why='' figures=''
	case " $* " in
	*' -DFOREVER '*)
		build+=(-DCOLLAPSE -DNFAIR=4)
		options+=(-m5000000 "-w$bits" -a -f)
		;;
	*' -DBITSTATE '*)
		build+=(-DSAFETY)
		options+=(-m1000000 -w35)
		;;
	*)
		build+=(-DSAFETY -DCOLLAPSE)
		options+=(-m1000000 "-w$bits")
		;;
	esac
	(cd "$work" && spin "$@" -a "$MODEL") >"$log" 2>&1 || return 0
	"${CC:-gcc}" "${build[@]}" "$@" -o "$work/pan" "$work/pan.c" \
		>>"$log" 2>&1 || return 0
	(cd "$work" && ./pan "${options[@]}") >>"$log" 2>&1 || true
	judge "$log"
	figures+=" $((SECONDS - start)) s"
}

report() {
	if (($1)); then
		echo "ok $number - $2 ($figures)"
	else
		tail -n 30 "$work/log" | sed 's/^/# /'
		echo "not ok $number - $2: $result${why:+, $why} ($figures)"
	fi
}

# Prints the results that are there, in the order in which runs were started.
show() {
	while [[ -e $top/$((shown + 1)).result ]]; do
		shown=$((shown + 1))
		tee -a "$top/shown" <"$top/$shown.result"
		! grep -q '^not ok' "$top/$shown.result" || failed=$((failed + 1))
	done
}

# start FUNCTION ARGUMENT...: beside others, in a folder of its own
start() {
	local work
	while (($(jobs -pr | wc -l) >= JOBS)); do
		wait -n || true
		show
	done
	number=$((number + 1))
	work=$top/$number
	mkdir "$work"
	(
		trap - EXIT
		"$@" >"$work.new" || echo "not ok $number - $*: broken" >>"$work.new"
		rm -rf "${work:?}"
		mv "$work.new" "$work.result"
	) &
}

finish() {
	wait
	show
	echo "1..$number"
	((!failed && shown == number))
}

run_holds() {
	local name=$1
	shift
	verify "$@"
	report "$([[ $result == pass ]] && echo 1 || echo 0)" "$name"
}

run_needed() {
	local rule=$1 expected=$2
	shift 2
	verify "-DNO_$rule" "$@"
	report "$([[ $result == fail && $why == "$expected" ]] && echo 1 ||
		echo 0)" "without $rule $expected"
}

# holds NAME DEFINITION...
holds() {
	start run_holds "$@"
}

# needed RULE WHY DEFINITION...: what must be found without it
needed() {
	start run_needed "$@"
}

# Few states: it is compiling that takes time.
rules() {
	local optimise=0 bits=20
	needed R1 'a freed object is linked' -DINIT=2 -DOPS=2
	needed R2 'garbage is lost' -DINIT=0 -DOPS=2
	needed R3 'a live object is condemned' -DINIT=0 -DOPS=3
	needed R3B 'a live object is condemned' -DINIT=5 -DOPS=2 -DMOST=1
	needed R3C 'garbage is lost' -DINIT=3 -DOPS=1
	needed R4 'a live object is condemned' -DINIT=3 -DOPS=3
	needed R5 'a live object is condemned' -DINIT=5 -DOPS=2
	needed R6 'a live object is condemned' -DINIT=3 -DOPS=3 -DWRAPS
	needed R7 'garbage is left' -DINIT=4 -DOPS=2
	needed R7B 'garbage is left' -DINIT=4 -DOPS=2
	needed R8 'a live object is condemned' -DINIT=0 -DOPS=2
	needed R8B 'a live object is condemned' -DINIT=0 -DOPS=3
	needed R9 'a freed object is linked' -DINIT=2 -DOPS=2
	needed R10 'a dead object is found' -DINIT=2 -DOPS=2
	needed R10B 'garbage is left' -DINIT=4 -DOPS=2
	needed R11 'a dead object is found' -DINIT=2 -DOPS=2
	needed R11B 'a freed object is found' -DINIT=2 -DOPS=2
	needed R11C 'a notice comes too early' -DINIT=2 -DOPS=2
	needed R12 'garbage is lost' -DINIT=2 -DOPS=2
	needed R13 'freed memory is read' -DINIT=2 -DOPS=2
	needed R14 'memory is lost' -DINIT=2 -DOPS=2
	needed R15 'garbage is lost' -DINIT=1 -DOPS=2
	needed R16 'garbage is lost' -DINIT=1 -DOPS=1 -DSCANS=2
	needed R17 'more waits than may' -DINIT=3 -DOPS=2 -DBOUND=0
	needed R18 'freed memory is read' -DINIT=6 -DOPS=3
	needed G1 'the queue is wrong' -DINIT=0 -DOPS=2 -DGENERATIONS
	needed G2 'garbage is lost' -DINIT=0 -DOPS=2 -DGENERATIONS
	needed G3 'a freed object is linked' -DINIT=5 -DOPS=2 -DGENERATIONS
	needed S1 'a live object is saved' -DINIT=2 -DOPS=1 -DSAVE
	needed S2 'a dead object is saved' -DINIT=2 -DOPS=2 -DSAVE
	needed S3 'garbage is left' -DINIT=4 -DOPS=1 -DSAVE
	needed F1 'garbage is lost' -DINIT=4 -DOPS=1 -DFREEZE
	needed F2 'garbage is lost' -DINIT=2 -DOPS=2 -DFREEZE
}

# One session that never stops, two objects of one slot; scans without end, or a
# single one: a put that is overtaken by scan after scan does not end.
liveness() {
	local optimise=1 bits=22
	local endless=(-DFOREVER -DONE_SESSION -DNO_SORT -DNO_STOPS -DNO_CLOSE
		-DONE_SLOT -DCELLS=2 -DMOST=1 -DINIT=6)
	holds 'every scan ends' "${endless[@]}" -DALWAYS -DSCANS_END
	holds 'every call ends' "${endless[@]}" -DCALLS_END
	holds 'garbage goes' "${endless[@]}" -DALWAYS -DGARBAGE_GOES
	optimise=0
	needed R2 'it never ends' "${endless[@]}" -DALWAYS -DGARBAGE_GOES
	needed TURNS 'it never ends' "${endless[@]}" -DALWAYS -DSCANS_END
}

quick() {
	local optimise=1 bits=22
	holds 'three operations, on each graph' -DOPS=3
	holds 'two operations, two scans, on each graph' -DOPS=2 -DSCANS=2
	holds 'two operations, generations, on each graph' \
		-DOPS=2 -DGENERATIONS
	holds 'two operations, objects frozen and thawed, on each graph' \
		-DOPS=2 -DFREEZE
	optimise=0
	holds 'two operations, garbage is saved, on each graph' -DOPS=2 -DSAVE
	holds 'two operations, a version that wraps at once, on each graph' \
		-DOPS=2 -DWRAPS
	holds 'two operations, a bound on memory, on each graph' \
		-DOPS=2 -DBOUND=0
}

full() {
	local optimise=2 bits=25
	holds 'four operations, on each graph' -DOPS=4
	holds 'three operations, two scans, on each graph' -DOPS=3 -DSCANS=2
	holds 'three operations, generations, on each graph' \
		-DOPS=3 -DGENERATIONS
	holds 'four operations, garbage is saved, on a garbage ring' \
		-DOPS=4 -DSAVE -DINIT=2
	holds 'three operations, two scans, garbage is saved, on each graph' \
		-DOPS=3 -DSCANS=2 -DSAVE
	holds 'three operations, objects frozen and thawed, on each graph' \
		-DOPS=3 -DFREEZE
	holds 'four operations, a version that wraps at once, on a ring' \
		-DOPS=4 -DWRAPS -DINIT=6
	holds 'four operations, a bound on memory, on a ring and a loop' \
		-DOPS=4 -DBOUND=1 -DINIT=3
	holds 'five operations, on a chain' -DOPS=5 -DINIT=5
	holds 'five operations, on a ring' -DOPS=5 -DINIT=6
	holds 'five operations, on a ring with two handles (bit state)' \
		-DOPS=5 -DINIT=0 -DBITSTATE
}

# all FUNCTION: what it checks, that all ends, and what each rule is for.
all() {
	"$1"
	liveness
	rules
	finish
}

# The same model, checker and compiler say the same again.
quick_once() {
	local kept
	kept=$CACHE/model-$( (cat "$MODEL" "${BASH_SOURCE[0]}"; spin -V
		"${CC:-gcc}" -dumpfullversion) | short_hash)
	if [[ -e $kept ]]; then
		echo "# the model is what it was on $(date -r "$kept" +%F):"
		cat "$kept"
		return
	fi
	mkdir -p "$CACHE"
	all quick
	{ cat "$top/shown"; echo "1..$number"; } >"$kept.new"
	mv "$kept.new" "$kept"
}

states() {
	sed -n 's/^ok .*[( ]\([0-9.e+]*\) states.*/\1/p' "$top/shown" |
		awk '{ n += $1 } END { printf "%.0f", n }'
}

main() {
	"$VM_DIR/deps.sh" model
	if [[ ${1-} == --quick ]]; then
		quick_once
	else
		all full
		"$PROJECT/tests/figures.py" note model "states=$(states)" \
			"runs=$number"
	fi
}

main "$@"
