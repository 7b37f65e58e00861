#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs the tests: static checks, the scanner's model, KUnit on User Mode Linux,
# KUnit, programs and some fuzzing on the checking kernel, programs on Debian's kernels,
# the package for Python, packages in a fresh Debian, some soaking, and what of the
# sources that has run. With --all, longer forms, programs of both sizes on all kernels,
# and a Debian that starts; but the model's longer form is "make model" alone. The last
# line is "N passed, N failed, N skipped". usage: run.sh [--all] [STAGE...]
set -euo pipefail

# Stages are called by name.
# shellcheck disable=SC2317

# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/vm/lib.sh"

LOGS=$PROJECT/build/logs
# KUnit's suites that have threads.
WITH_THREADS='refstore_?[hlo]*'
# KUnit counts scans: none shall come by itself because a machine is slow.
NO_DELAYED_SCANS=scan_delay_ms=600000
# "PASSED FAILED SKIPPED" of each stage that has ended.
RESULTS=$LOGS/results
# What failed, told again at the end: it stands far up in what has been printed.
FAILURES=$LOGS/failures
# The number of the stage that is to be begun next.
NEXT=$LOGS/next

# Results of a log: TAP or KTAP, the cases and not their sums. A case of KUnit is
# indented by four blanks below its suite; parameters stand deeper.
count() {
	local indent=$1 log=$2 ok not_ok skip whole
	ok=$(grep -cE "^$indent"'ok [0-9]+' "$log" || true)
	not_ok=$(grep -cE "^$indent"'not ok [0-9]+' "$log" || true)
	skip=$(grep -cE "^$indent"'ok [0-9]+.*# SKIP' "$log" || true)
	# A program that was skipped as a whole counts as one.
	whole=$(grep -cE "^$indent"'1\.\.0 # SKIP' "$log" || true)
	echo "$((ok - skip)) $not_ok $((skip + whole))"
}

# The failures in a log, each with what it said of itself before.
note_failures() {
	grep -E -B 6 '^ *not ok|kernel complained' "$2" | sed "s/^/$1: /" || true
}

# stage NAME INDENT COMMAND...: runs a command and notes what it reports.
stage() {
	local name=$1 indent=$2 start=$SECONDS log status=0 p f s
	shift 2
	log=$LOGS/stage-${name//[^a-z0-9.]/-}.log
	echo "== $name"
	# The status is that of the command: nothing else here fails.
	"$@" 2>&1 </dev/null | tee "$log" | { grep --line-buffered -E \
		'not ok|^(# )?--- |# .*pass:|^[a-z.-]+: |complain' || true; } |
		sed -u "s/^/$name: /" || status=$?
	read -r p f s < <(count "$indent" "$log")
	note_failures "$name" "$log" >>"$FAILURES"
	# A stage that ended badly, or reported nothing, is a failure by itself.
	if ((status && !f)) || ((!p && !f)); then
		{
			echo "== $name ended with status $status; the end of $log:"
			tail -n 30 "$log"
		} | tee -a "$FAILURES"
		f=$((f + 1))
	fi
	echo "$p $f $s" >>"$RESULTS"
	echo "== $name: $p passed, $f failed, $s skipped ($((SECONDS - start)) s)"
}

# To start the checking kernel, and to look for leaks, takes two minutes: all that is to
# run on it in the short form does so one after the other.
all_on_check() {
	local kunit module fuzzed sizes
	make -s -C "$PROJECT/tests/fuzz" KSELFTEST="$source/tools/testing/selftests"
	kunit=$("$VM_DIR/module.sh" check kunit)
	module=$("$VM_DIR/module.sh" check)
	fuzzed=$("$VM_DIR/module.sh" check kcov)
	read -ra sizes < <(sizes check m64)
	"$VM_DIR/run.sh" --time "$time" --append "kunit.filter_glob=$suites" check -- \
		env "${sizes[@]}" REFSTORE_PROGRAMS="$(programs check)" \
		tests/check-guest.sh "$kunit" "$module" "$fuzzed" "$NO_DELAYED_SCANS"
}

kunit_on() {
	local kernel=$1 module
	module=$("$VM_DIR/module.sh" "$kernel" kunit)
	# shellcheck disable=SC2016 # for the guest's shell
	"$VM_DIR/run.sh" --time 2700 --append "kunit.filter_glob=$suites" \
		"$kernel" -- sh -c \
		'insmod "$1" "$2" &&
		 cat /sys/kernel/debug/kunit/refstore_*/results &&
		 rmmod refstore' sh "$module" "$NO_DELAYED_SCANS"
}

# What makes the programs of a size end early; or what they have in their long form,
# which those of 32 bits on the checking kernel do not.
sizes() {
	case "$longer $1 $2" in
	'long check m32' | 'long check-6.1 '* | 'long rt '* | ' check '*)
		echo REFSTORE_SIZE=8 REFSTORE_KILLS=8
		;;
	long*) echo REFSTORE_LONG=1 REFSTORE_KILLS=400 REFSTORE_OPS=50000 ;;
	*) echo REFSTORE_SIZE=20 ;;
	esac
}

# Which programs. Without --all, each runs on one kernel at least: the rules of the
# interface, timers and threats not where all is checked, which takes ten times as long;
# on 6.12 these, and what a program of 32 bits may see otherwise; on 6.1 what touches
# anything in which that differs from 6.12.
programs() {
	case "$longer $1" in
	' check') echo 'test_[!tu]*' test_trace ;;
	' stock-6.12') echo test_{batch,handle,object,slot,threat,tune,uapi,walk} ;;
	' stock-6.1') echo test_{account,kill,label,large,limit,named,proc,trace} ;;
	*) echo 'test_*' ;;
	esac
}

# programs_on KERNEL SIZES...: with more for the kernel's command line, if append says so.
programs_on() {
	local kernel=$1 bits module sizes options=()
	shift
	[[ " ${userspace[*]} " != *" $kernel "* ]] || options=(-u)
	module=$("$VM_DIR/module.sh" "$kernel")
	for bits in "$@"; do
		read -ra sizes < <(sizes "$kernel" "$bits")
		"$VM_DIR/run.sh" --time "$time" --append "$append" "$kernel" -- \
			env "${sizes[@]}" \
			REFSTORE_PROGRAMS="$(programs "$kernel")" \
			tests/guest.sh "${options[@]}" \
			"$module" "$bits" ${each:+"$each"} || return
	done
}

# The package for Python. With --all, also Python's own tests of what it stands in for.
python_on() {
	local module sizes=(REFSTORE_ROUNDS=40 REFSTORE_KILLS=50)
	module=$("$VM_DIR/module.sh" "$1")
	[[ ! $longer ]] ||
		sizes=(REFSTORE_LONG=1 REFSTORE_ROUNDS=200 REFSTORE_KILLS=1000)
	"$VM_DIR/run.sh" --time "$time" "$1" -- env "${sizes[@]}" \
		userspace/python/tests/guest.sh "$module"
}

# In a system below a folder and, with --all, in one that starts.
install_in() {
	local script status=0
	for script in "$@"; do
		"$PROJECT/tests/install/$script" || status=$?
	done
	return "$status"
}

parse_arguments() {
	local stage
	whole=yes
	time=2700
	minutes=1
	each=
	longer=
	append=
	# User Mode Linux runs all, but has one processor.
	suites=$WITH_THREADS
	on_6_12=(m32)
	on_6_1=(m64)
	userspace=(stock-6.12)
	installing=(chroot.sh)
	if [[ ${1-} == --all ]]; then
		be_thorough
		shift
	fi
	(($#)) || return 0
	whole=
	STAGES=("$@")
	for stage in "$@"; do
		[[ $(type -t "$stage") == function ]] || die "$stage: no such stage"
	done
}

be_thorough() {
	time=7200
	minutes=10
	each=3600
	longer=long
	suites='refstore*'
	on_6_12=(m64 m32)
	on_6_1=(m64 m32)
	userspace=(check stock-6.12 stock-6.1)
	installing=(chroot.sh run.sh)
	STAGES=("${ALL_STAGES[@]}")
}

# The longest come first, and what needs the kernel that takes longest to build.
STAGES=(checking static model kunit_uml programs_6_12 python_6_12 installing
	programs_6_1 soaking)
# With --all.
ALL_STAGES=(programs_check static model kunit_uml kunit_check programs_6_12
	installing soaking fuzzing python_6_12 programs_6_1 programs_check_6_1
	programs_preempted programs_rt kunit_race older)

checking() {
	stage 'checking kernel' '' all_on_check
}

programs_check() {
	stage 'programs, checking kernel' '' programs_on check m64 m32
}

static() {
	stage 'static checks' '' "$PROJECT/tests/check.sh"
}

model() {
	stage 'model of the scanner' '' "$PROJECT/tests/model/run.sh" --quick
}

kunit_uml() {
	stage 'KUnit, User Mode Linux with KASAN' '    ' \
		"$VM_DIR/uml.sh" uml-kasan 'refstore*' \
		"refstore.$NO_DELAYED_SCANS"
}

kunit_check() {
	stage 'KUnit, checking kernel' '    ' kunit_on check
}

programs_6_12() {
	stage 'programs, 6.12' '' programs_on stock-6.12 "${on_6_12[@]}"
}

programs_6_1() {
	stage 'programs, 6.1' '' programs_on stock-6.1 "${on_6_1[@]}"
}

python_6_12() {
	stage 'Python, 6.12' '' python_on stock-6.12
}

installing() {
	stage 'installing' '' install_in "${installing[@]}"
}

soaking() {
	stage 'soaking' '' "$PROJECT/tests/torture/run.sh" --soak "$minutes" \
		stock-6.12:2
}

fuzzing() {
	stage 'fuzzing' '' "$PROJECT/tests/fuzz/run.sh" "$minutes"
}

programs_check_6_1() {
	stage 'programs, checking kernel of 6.1' '' programs_on check-6.1 m64
}

programs_preempted() {
	local append=preempt=full
	stage 'programs, 6.1 with full preemption' '' programs_on stock-6.1 m64
}

programs_rt() {
	stage 'programs, real-time kernel' '' programs_on rt m64
}

# Programs and modules of different ages.
older() {
	stage 'older programs, older module' '' "$PROJECT/tests/compat/run.sh"
}

kunit_race() {
	local suites=$WITH_THREADS
	stage 'KUnit, kernel that looks for data races' '    ' kunit_on race
}

# When all else has run; of that.
coverage() {
	stage 'coverage' '' "$PROJECT/tests/coverage/run.sh" --counted
}

# Sets taken to the next stage, for one lane; false if none is left.
take() {
	local n
	{
		flock 9
		n=$(<"$NEXT")
		echo $((n + 1)) >"$NEXT"
	} 9>"$NEXT.lock"
	taken=${STAGES[n]-}
	[[ $taken ]]
}

# Two of these, so that no processor waits.
lane() {
	local taken
	while take; do
		"$taken"
	done
}

# In a process group of its own, so that whoever ends us ends all of it.
start_second_lane() {
	set -m
	lane &
	second=$!
	set +m
	at_end end_second_lane
}

end_second_lane() {
	kill -TERM -- "-$second" 2>/dev/null || true
}

summary() {
	awk -v stages="$1" '{ p += $1; f += $2; s += $3 }
		END {
			f += NR < stages # a stage that never came to its end
			print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped"
			exit f > 0
		}' "$RESULTS"
}

# What it came to, for the README.
note_summary() {
	local passed failed skipped
	read -r passed _ failed _ skipped _ <"$LOGS/summary"
	"$PROJECT/tests/figures.py" note "test${longer:+-all}" "passed=$passed" \
		"failed=$failed" "skipped=$skipped"
}

main() {
	local time each longer minutes append suites on_6_12 on_6_1
	local userspace installing source whole stages
	parse_arguments "$@"
	mkdir -p "$LOGS"
	: >"$RESULTS"
	: >"$FAILURES"
	echo 0 >"$NEXT"
	"$VM_DIR/deps.sh" build vm source-6.12 check python model packaging \
		coverage ${longer:+trace cpython}
	make -s -j2 -C "$PROJECT/userspace"
	make -s -j2 -C "$PROJECT/userspace/python"
	source=$("$VM_DIR/kernel.sh" source-6.12)
	make -s -j2 -C "$PROJECT/tests/selftests" \
		KSELFTEST="$source/tools/testing/selftests"
	start_second_lane
	# Whatever ends a lane early: the summary misses its stage.
	lane || true
	wait "$second" || true
	stages=${#STAGES[@]}
	if [[ $whole ]]; then
		coverage
		stages=$((stages + 1))
	fi
	cat "$FAILURES"
	summary "$stages" | tee "$LOGS/summary"
	[[ ! $whole ]] || note_summary
}

main "$@"
