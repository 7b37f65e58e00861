#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs and modules that are not of the same age: the programs of an older revision on
# this module, and this library, this command and programs that need nothing newer on that
# revision's module. usage: run.sh. Prints TAP.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"
# shellcheck source=userspace/check/tap.sh
. "$PROJECT/userspace/check/tap.sh"

# The last one before slots were copied, or compared in numbers.
OLD=88d6c98
TREE=$PROJECT/build/compat
# What was changed on purpose since then, and who can tell.
CHANGED=$PROJECT/tests/compat/changed

unpack() {
	rm -rf "${TREE:?}"
	mkdir -p "$TREE"
	git -C "$PROJECT" archive "$OLD" Kbuild module uapi tests/selftests |
		tar x -C "$TREE"
}

# Frames were larger then.
old_module() {
	REFSTORE_DIR=$TREE "$VM_DIR/module.sh" stock-6.12 KCFLAGS=
}

old_programs() {
	make -s -C "$TREE/tests/selftests" m64 O="$TREE/selftests" \
		KSELFTEST="$source/tools/testing/selftests"
}

# Cases that fail, one a line, but those that were to change.
unexpected() {
	sed -nE 's/^not ok ([0-9]+ )?(global\.)?//p' "$1" | sort -u |
		comm -23 - <(grep -v '^#' "$CHANGED" | awk '{ print $1 }' | sort)
}

# guest LOG MODULE COMMAND...: has a guest run it with a module.
guest() {
	local log=$1 module=$2
	shift 2
	# shellcheck disable=SC2016 # for the guest's shell
	"$VM_DIR/run.sh" --time 3600 stock-6.12 -- env REFSTORE_SIZE=10 sh -c \
		'insmod "$1" && shift && "$@"; status=$?; rmmod refstore; exit $status' \
		sh "$module" "$@" >"$log" 2>&1 </dev/null
}

old_on_new() {
	local log=$PROJECT/build/logs/compat-old-programs.log status=0
	# 1: cases have failed, which may be those that were to change.
	guest "$log" "$new" tests/selftests/run.sh "$TREE/selftests" || status=$?
	((status <= 1)) || {
		tail -n 20 "$log"
		return 1
	}
	grep -c '^ok ' "$log"
	unexpected "$log"
	[[ -z $(unexpected "$log") ]] && grep '^selftests: [0-9]* passed' "$log"
}

new_on_old() {
	local log=$PROJECT/build/logs/compat-new-programs.log
	guest "$log" "$old" tests/compat/guest.sh || {
		cat "$log"
		return 1
	}
	grep -c "^ok" "$log"
}

main() {
	local source old new
	make_work
	mkdir -p "$PROJECT/build/logs"
	"$VM_DIR/deps.sh" build vm source-6.12 check
	if ! git -C "$PROJECT" cat-file -e "$OLD^{commit}" 2>/dev/null; then
		echo "ok 1 - old and new # SKIP the history does not go back to $OLD"
		echo 1..1
		return
	fi
	source=$("$VM_DIR/kernel.sh" source-6.12)
	make -s -C "$PROJECT/userspace"
	unpack
	old=$(old_module)
	new=$("$VM_DIR/module.sh" stock-6.12)
	check 'the older programs are built' old_programs
	check 'older programs run on this module' old_on_new
	check 'this library and command run on the older module' new_on_old
	plan
}

main "$@"
