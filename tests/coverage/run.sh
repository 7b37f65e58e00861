#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What of the module and of the library the tests run: lines and branches, of KUnit on
# User Mode Linux, of programs on the checking kernel, and of the library's checks,
# together. Writes build/coverage/{module,library}.info, for genhtml, and lists what was
# not run, function by function. usage: run.sh [--counted]
#
# With --counted, of what was counted last by KUnit on User Mode Linux and by the
# library's checks on the host alone, and without the list.
# The last line is "N passed, N failed, N skipped".
# Runs are called by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

OUT=$PROJECT/build/coverage
LIBRARY=$PROJECT/build/covered
LCOV=(lcov -q --rc lcov_branch_coverage=1)
# Percent of lines that must be run: of the module, of the library.
AIMS=(92 90)
COUNTED_AIMS=(45 70)

forget_counts() {
	find "$@" -name '*.gcda' -delete
}

# take NAME FOLDER SOURCES TO: a part's counts, of these sources, under the names that
# they have in the project.
take() {
	local name=$1 folder=$2 sources=$3 to=$4
	"${LCOV[@]}" -c -d "$folder" -o "$OUT/$name.all"
	"${LCOV[@]}" -e "$OUT/$name.all" "$sources/*.c" "$sources/*.h" \
		-o "$OUT/$name.info"
	sed -i "s|^SF:$sources/|SF:$PROJECT/$to/|" "$OUT/$name.info"
}

# What it counts is beside what it was built from, but for what was before.
take_kunit() {
	local kernel folder=drivers/misc/refstore/module counts
	kernel=$("$VM_DIR/kernel.sh" uml-kasan)
	counts=$PROJECT/build/uml/uml-kasan.counts/$kernel/$folder
	cp "$kernel/$folder"/*.gcno "$counts/"
	take kunit "$counts" "$(readlink -f "$kernel/source")/$folder" module
}

take_library() {
	take "$1" "$LIBRARY/lib" "$PROJECT/userspace/lib" userspace/lib
}

kunit() {
	"$VM_DIR/uml.sh" uml-kasan 'refstore*' refstore.scan_delay_ms=600000
	take_kunit
}

# guest KERNEL NAME MODULE: has a guest run tests, and brings in their counts.
guest() {
	local name=$2
	"$VM_DIR/run.sh" --mem 4G --time 7200 --no-leak-scan "$1" -- \
		tests/coverage/guest.sh "$name" "$3" "$LIBRARY"
	sed -n '/^counts begin/,/^counts end/p' "$OUT/$name.log" | sed '1d; $d' |
		base64 -d | tar xz -C /
}

programs() {
	guest check programs "$module"
	take programs "$objects" "$objects" module
}

# make_library TARGET...
make_library() {
	make -s -C "$PROJECT/userspace" O="$LIBRARY" CFLAGS='-O1 -g --coverage' "$@"
}

host() {
	make_library check
	take_library host
}

library() {
	local stock
	stock=$("$VM_DIR/module.sh" stock-6.12)
	guest stock-6.12 library "$stock"
	take_library guest
}

run() {
	local log=$OUT/$1.log status=0
	echo "== coverage, $1"
	forget_counts "$objects" "$LIBRARY"
	# With set -e in it, as it is no part of a condition.
	set +e
	(set -e; "$1") >"$log" 2>&1 </dev/null
	status=$?
	set -e
	((!status)) || {
		tail -n 30 "$log"
		exit "$status"
	}
}

join() {
	local to=$1 name parts=()
	shift
	for name in "$@"; do
		parts+=(-a "$OUT/$name.info")
	done
	"${LCOV[@]}" "${parts[@]}" -o "$OUT/$to.info"
}

# report NAME PERCENT: the sums, what was not run, and whether that is well.
report() {
	local list=("$PROJECT/tests/coverage/uncovered-$1")
	[[ ! $counted ]] || list=()
	number=$((number + 1))
	if "$PROJECT/tests/coverage/list.py" "$2" "$OUT/$1.info" "${list[@]}" \
		>"$OUT/$1"; then
		cat "$OUT/$1"
		echo "ok $number - coverage of the $1"
	else
		cat "$OUT/$1"
		echo "not ok $number - coverage of the $1"
		failed=$((failed + 1))
	fi
}

# "lines=N all_lines=N branches=N all_branches=N" of a report, with another prefix.
sums() {
	sed -nE "s/^coverage: ([0-9]+) of ([0-9]+) lines.* ([0-9]+) of ([0-9]+) branches.*/$2/p" \
		"$OUT/$1"
}

# Sets module and objects.
build() {
	make -s -C "$PROJECT/tests/selftests" \
		KSELFTEST="$("$VM_DIR/kernel.sh" source-6.12)/tools/testing/selftests"
	make_library all examples
	module=$("$VM_DIR/module.sh" check gcov)
	objects=$(dirname "$module")/module
}

collect() {
	local module objects name
	build
	for name in kunit host library programs; do
		run "$name"
	done
	join module kunit programs
	join library host guest
}

collect_counted() {
	local LIBRARY=$PROJECT/build/sanitized
	take_kunit
	take_library library
	join module kunit
}

main() {
	local counted='' number=0 failed=0
	mkdir -p "$OUT"
	"$VM_DIR/deps.sh" build vm source-6.12 check coverage
	if [[ ${1-} == --counted ]]; then
		counted=yes
		AIMS=("${COUNTED_AIMS[@]}")
		collect_counted
	else
		collect
	fi
	report module "${AIMS[0]}"
	report library "${AIMS[1]}"
	echo "1..$number"
	echo "$((number - failed)) passed, $failed failed, 0 skipped"
	((!failed)) || return
	[[ ! $counted ]] || return 0
	# shellcheck disable=SC2046 # these are words
	"$PROJECT/tests/figures.py" note coverage \
		$(sums module 'lines=\1 all_lines=\2 branches=\3 all_branches=\4') \
		$(sums library 'library=\1 all_library=\2')
}

main "$@"; exit
