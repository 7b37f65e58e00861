#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest with the checking kernel: KUnit's tests, the programs, and fuzzing for a
# short while, each with its own form of the module. Prints TAP.
# usage: check-guest.sh KUNIT.ko refstore.ko KCOV.ko [PARAMETER=VALUE for KUnit's...]
# REFSTORE_PROGRAMS names the programs; see guest.sh.
# What is checked is called by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source=userspace/check/end.sh
. userspace/check/end.sh
hyphen=
# shellcheck source=userspace/check/tap.sh
. userspace/check/tap.sh

SECONDS_TO_FUZZ=20
RESULTS=/sys/kernel/debug/kunit

# Its cases, as if each were a program's; that there are none is a failure.
kunit() {
	insmod "$@" &&
		cat "$RESULTS"/refstore_*/results |
		sed -nE 's/^    ((not )?ok )/\1/p' | grep . &&
		rmmod refstore
}

fuzz() {
	tests/fuzz/guest.sh "$1" "$SECONDS_TO_FUZZ" tests/fuzz/corpus
}

# How far it got; its programs are of no use here.
tell_fuzzed() {
	grep '^fuzz: ' "$work/out" | tail -n 1
}

make_work
status=0
kunit_module=$1 module=$2 fuzzed_module=$3
shift 3
echo '# --- KUnit'
kunit "$kunit_module" "$@" || status=1
tests/guest.sh "$module" m64 || status=1
echo '# --- fuzzing'
check 'fuzzing finds nothing' fuzz "$fuzzed_module"
tell_fuzzed
((!failed && !status))
