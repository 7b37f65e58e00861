#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What of the module and of the library has run: lines and branches, as KUnit on User
# Mode Linux and the library's checks with sanitizers have counted them, when they ran
# last. Writes build/coverage/{module,library}.info, for genhtml. usage: run.sh
# The last line is "N passed, N failed, N skipped".
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"

OUT=$PROJECT/build/coverage
LCOV=(lcov -q --rc lcov_branch_coverage=1)
# Percent of lines that must be run. Most of what these leave out is run by programs.
MODULE=45
LIBRARY=70

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
take_module() {
	local kernel folder=drivers/misc/refstore/module counts
	kernel=$("$VM_DIR/kernel.sh" uml-kasan)
	counts=$PROJECT/build/uml/uml-kasan.counts/$kernel/$folder
	cp "$kernel/$folder"/*.gcno "$counts/"
	take module "$counts" "$(readlink -f "$kernel/source")/$folder" module
}

take_library() {
	take library "$PROJECT/build/sanitized/lib" "$PROJECT/userspace/lib" \
		userspace/lib
}

# report NAME PERCENT
report() {
	number=$((number + 1))
	if "$PROJECT/tests/coverage/sums.py" "$2" "$OUT/$1.info"; then
		echo "ok $number - coverage of the $1"
	else
		echo "not ok $number - coverage of the $1"
		failed=$((failed + 1))
	fi
}

main() {
	local number=0 failed=0
	mkdir -p "$OUT"
	"$VM_DIR/deps.sh" build source-6.12 coverage
	take_module
	take_library
	report module "$MODULE"
	report library "$LIBRARY"
	echo "1..$number"
	echo "$((number - failed)) passed, $failed failed, 0 skipped"
	((!failed))
}

main "$@"; exit
