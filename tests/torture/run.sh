#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tortures the module in virtual machines: on the checking kernel with two and
# with four processors, and on the kernel that looks for data races, each for a
# share of the time. With --soak, several users do, beside much that disturbs them, on
# a stock kernel and the checking one. The last line is "N passed, N failed, N skipped".
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

# The kernel and the number of processors of each run.
RUNS=(check:2 check:4 race:2)
SOAKS=(stock-6.12:4 check:2)

# Seconds that a guest gets beyond its share: to boot, to let the oracle finish,
# to look for leaks.
MARGIN=420

usage() {
	cat <<-EOF
	usage: $PROGRAM [--soak] [MINUTES] [KERNEL:PROCESSORS...]

	MINUTES               altogether (15)
	KERNEL:PROCESSORS     the runs (${RUNS[*]};
	                      of --soak: ${SOAKS[*]})

	REFSTORE_SEED=N repeats a run's choices; REFSTORE_OBJECTS=N bounds how
	many objects there are at a time (8000); now and then it is a part of
	that.
	EOF
}

passed=0
failed=0

# Sums of the closing lines: operations kills scans aborted reclaimed.
sums=(0 0 0 0 0)

add_sums() {
	local log=$1 numbers i
	read -ra numbers < <(sed -n "s/^$what: //p" "$log" |
		tail -n 1 | tr -dc '0-9 \n')
	for i in "${!sums[@]}"; do
		sums[i]=$((sums[i] + ${numbers[i]:-0}))
	done
}

# Full preemption, whatever the kernel would do by itself.
torture() {
	local kernel=$1 processors=$2 module
	module=$("$VM_DIR/module.sh" "$kernel") || return
	"$VM_DIR/run.sh" --smp "$processors" --mem 4G \
		--time $((seconds + MARGIN)) --append preempt=full "$kernel" \
		-- env "${settings[@]}" "tests/torture/$script" "$module" \
		"$seconds"
}

run() {
	local kernel=${1%:*} processors=${1#*:} name log start=$SECONDS
	name="$what, $kernel, $processors processors"
	log=$PROJECT/build/logs/$what-$kernel-$processors.log
	echo "== $name: $seconds s"
	if torture "$kernel" "$processors" 2>&1 </dev/null | tee "$log"; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $name ($((SECONDS - start)) s)"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $name ($((SECONDS - start)) s)"
	fi
	add_sums "$log"
}

main() {
	local minutes=15 seconds settings=() name one what=torture script=guest.sh
	if [[ ${1-} == --soak ]]; then
		what=soak
		script=soak.sh
		RUNS=("${SOAKS[@]}")
		shift
	fi
	[[ ${1-} != -* ]] || {
		usage
		exit
	}
	if [[ ${1-} =~ ^[0-9]+$ ]]; then
		minutes=$1
		shift
	fi
	(($# == 0)) || RUNS=("$@")
	for name in REFSTORE_SEED REFSTORE_OBJECTS; do
		[[ -z ${!name-} ]] || settings+=("$name=${!name}")
	done
	seconds=$((minutes * 60 / ${#RUNS[@]}))
	mkdir -p "$PROJECT/build/logs"
	"$VM_DIR/deps.sh" build vm source-6.12 check
	make -s -C "$PROJECT/userspace"
	make -s -C "$PROJECT/tests/torture" \
		KSELFTEST="$("$VM_DIR/kernel.sh" source-6.12)/tools/testing/selftests"
	for one in "${RUNS[@]}"; do
		run "$one"
	done
	echo "$what: ${sums[0]} operations, ${sums[1]} kills," \
		"${sums[2]} scans, ${sums[3]} aborted, ${sums[4]} reclaimed"
	echo "$passed passed, $failed failed, 0 skipped"
	((!failed && passed)) || return
	"$PROJECT/tests/figures.py" note "$what" "operations=${sums[0]}" \
		"kills=${sums[1]}" "scans=${sums[2]}"
}

main "$@"; exit
