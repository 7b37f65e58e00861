#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: lets each allocation fail in turn, in every call, and while the module is
# inserted and removed; of many places in one call, not all, but with REFSTORE_LONG=1.
# usage: guest.sh refstore.ko
set -euo pipefail

FAULTS=/sys/kernel/debug
TRACING=/sys/kernel/tracing
status=0

# The kernel's log tells of each where it was, but leaves out those who want no warnings;
# its tracing does not, but knows names of what is still there alone.
trace_faults() {
	echo 65536 >"$TRACING/buffer_size_kb"
	echo 1 >"$TRACING/options/sym-offset"
	# shellcheck disable=SC2016 # for the kernel
	echo 'r:fault should_fail_ex ret=$retval:u8' >"$TRACING/kprobe_events"
	echo 'stacktrace if ret == 1' >"$TRACING/events/kprobes/fault/trigger"
}

# Of each, where the module called what failed.
print_places() {
	awk '/<stack trace>/ { waiting = 1 }
		waiting && /\[refstore\]/ { print "# failed: " $2; waiting = 0 }' \
		"$TRACING/trace" | sort -u
}

# Faults wherever they are asked for.
for kind in failslab fail_page_alloc fail_usercopy; do
	echo 2 >"$FAULTS/$kind/verbose"
done
echo N >"$FAULTS/failslab/ignore-gfp-wait"
echo N >"$FAULTS/fail_page_alloc/ignore-gfp-wait"
echo 0 >"$FAULTS/fail_page_alloc/min-order"

# "START END" of a function of the kernel's.
range_of() {
	awk -v name="$1" '
		found { print "0x" start, "0x" $1; exit }
		$3 == name { found = 1; start = $1 }' /proc/kallsyms
}

# filter require|reject START END: of places with such a function on the stack.
filter() {
	local kind
	for kind in failslab fail_page_alloc fail_usercopy; do
		echo "$2" >"$FAULTS/$kind/$1-start"
		echo "$3" >"$FAULTS/$kind/$1-end"
	done
}

# The kernel's own part of inserting is left out: its tracing complains where it has no
# memory, and the directories of caches leave their names behind.
# shellcheck disable=SC2046 # these are words
{
	filter require $(range_of do_one_initcall)
	filter reject $(range_of sysfs_slab_add)
}
build/fault/insert inserted "$1" || status=$?
filter require 0 0xffffffffffffffff
filter reject 0 0
build/fault/insert removed "$1" || status=$?
insmod "$1"
trace_faults
tests/selftests/run.sh -t 3600 build/selftests \
	m64/test_fault || status=$?
print_places
rmmod refstore
exit "$status"
