#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The scripts for bpftrace, on a program that does what is known. Needs the kernel
# module, loaded, and root: bpftrace.sh BUILD-DIRECTORY. The output is TAP.
set -u

build=$1
here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
hyphen=
# shellcheck source=userspace/check/tap.sh
. "$here/tap.sh"
PATH=$build/tools:$PATH
unset REFSTORE_FD

if ! command -v bpftrace >/dev/null; then
	echo '1..0 # SKIP there is no bpftrace'
	exit 0
fi
if [ ! -e /sys/kernel/btf/vmlinux ]; then
	echo '1..0 # SKIP the kernel has no type information for bpftrace'
	exit 0
fi

make_work
# By a whole path: bpftrace looks in all of $PATH, and refuses what is there twice,
# as where /bin is /usr/bin.
program="$(command -v python3) -IS $here/traced.py"
program="$program $build/lib/librefstore.so.0 1"
printf '%s\n' '{"refstore":1}' '{"root":null}' >"$work/empty"

# traces NAME [ARGUMENT]: the script of this name, while the program runs; what it
# prints goes to a file. The heap outlives the program.
traces() {
	script=$here/../bpftrace/refstore-$1.bt
	shift
	refstore load "$work/empty" -- bpftrace "$script" "$@" -c "$program" \
		>"$work/out" 2>&1
	ok $? "${script##*/} ends well"
}

# has COUNT PATTERN NAME: so many lines match all of it.
has() {
	[ "$(grep -Ecx "$2" "$work/out")" -eq "$1" ]
	ok $? "$3"
}

# adds COUNT PATTERN NAME: the numbers at the ends of the lines that match do.
adds() {
	[ "$(grep -E "$2" "$work/out" |
		awk -F': ' '{ sum += $NF } END { print sum + 0 }')" -eq "$1" ]
	ok $? "$3"
}

traces latency
has 1 '@calls\[CREATE\]: 12' '12 objects were made'
has 1 '@calls\[RELEASE\]: 6' '6 handles were released'
has 1 '@failed\[RELEASE, 9\]: 1' 'one of them was none'
adds 1 '^@failed' 'nothing else failed'
has 1 '@calls\[SET_SLOT\]: 2' 'two slots were set'
has 1 '@calls\[LABEL\]: 2' 'two objects were labelled'
has 1 '@calls\[COLLECT\]: 1' 'one scan was asked for'
has 1 '@us\[CREATE\]: ?' 'there is a histogram'

traces scans
adds 2 '^@reclaimed' 'scans reclaimed two objects'
adds 0 '^@aborted' 'they let nothing go'
has 1 '@scans\[collect\]: [1-9][0-9]*' 'they were asked for'
adds 0 '^@scans\[[^c]' 'no other scan ran'
has 1 '\[2, 4\) +1 \|@+\|' 'one group of two objects died'
has 1 '@us\[2\]: ?' 'there is a histogram of generation 2'

traces garbage 500
has 2 '@longest_ms\[[0-9]+, (8|9), 7\]: [1-9][0-9]{3,}' \
	'two lists were garbage for a second'
has 1 '@waited_ms\[7\]: ?' 'there is a histogram of lists'

traces leaks
has 1 '@left\[[0-9]+, 4, \]: 2' 'two strings are left'
has 1 '@left\[[0-9]+, 4, left\]: 2' 'so are the two with labels'
has 1 '@left\[[0-9]+, 7, \]: 3' 'three lists are left'
adds 7 '^@left\[' 'nothing else is'
adds 7 '^\]: ' 'each was made by somebody'
has 1 '@left_of\[python3, ?' 'that was Python'

plan
