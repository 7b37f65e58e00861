#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: runs tests on a module that counts what is run, and passes on the counts,
# and those of the library.
# usage: guest.sh programs|library refstore.ko BUILT
# What is run is called by name.
# shellcheck disable=SC2317
set -euo pipefail

COUNTS=/sys/kernel/debug/gcov

programs() {
	REFSTORE_SIZE=10 REFSTORE_KILLS=10 tests/guest.sh "$1" m64
}

# The programs' files of counts go to another place, with their whole names.
library() {
	insmod "$1"
	GCOV_PREFIX=/tmp/counts GCOV_ERROR_FILE=/dev/null sh userspace/check/module.sh "$2"
	rmmod refstore
}

# Those of the module stay when it has gone.
pass_on() {
	local file
	[[ ! -d $COUNTS ]] || (
		cd "$COUNTS"
		find . -name '*.gcda' | while read -r file; do
			mkdir -p "/tmp/counts/${file%/*}"
			cat "$file" >"/tmp/counts/$file"
		done
	)
	echo 'counts begin'
	tar cz -C /tmp/counts . | base64
	echo 'counts end'
}

mkdir -p /tmp/counts
status=0
"$@" || status=$?
pass_on
exit "$status"
