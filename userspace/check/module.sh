#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What needs the kernel module, loaded, and root: module.sh BUILD-DIRECTORY
# The output is TAP.
set -u

build=$(cd "$1" && pwd)
here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
hyphen=
# shellcheck source=userspace/check/tap.sh
. "$here/tap.sh"
# shellcheck source=userspace/check/examples.sh
. "$here/examples.sh"
PATH=$build/tools:$PATH
make_work
unset REFSTORE_FD

# ends STATUS COMMAND...: succeeds if the command ends so.
ends() {
	wanted=$1
	shift
	"$@"
	[ $? -eq "$wanted" ]
}

# says TEXT COMMAND...: succeeds if the command fails and says just that.
says() {
	wanted=$1
	shift
	printed=$("$@" 2>&1)
	[ $? -eq 1 ] && echo "$printed" && [ "$printed" = "refstore: $wanted" ]
}

# prints TEXT COMMAND...: succeeds if the command does and prints just that.
prints() {
	wanted=$1
	shift
	printed=$("$@") && echo "$printed" && [ "$printed" = "$wanted" ]
}

# chain N, ring N, tree N, web N: a dump of N objects.
objects() {
	awk -v n="$2" -v kind="$1" 'BEGIN {
		print "{\"refstore\":1}"
		srand(1)
		for (i = 1; i <= n; i++) {
			a = i < n ? i + 1 : "null"
			b = "null"
			if (kind == "ring" && i == n)
				a = 1
			if (kind == "tree") {
				a = 2 * i <= n ? 2 * i : "null"
				b = 2 * i + 1 <= n ? 2 * i + 1 : "null"
			}
			if (kind == "web")
				b = 1 + int(rand() * n)
			printf "{\"id\":%d,\"type\":\"node\",", i
			printf "\"slots\":[%s,%s],\"text\":\"%d\"}\n", a, b, i
		}
		print "{\"root\":1}"
	}'
}

# One process judges all of it: where processors are emulated, Python takes longer to
# start than the rest of a check.
mkfifo "$work/ask" "$work/answer"
python3 -IS "$here/judge.py" "$work/said" <"$work/ask" >"$work/answer" &
exec 5>"$work/ask" 6<"$work/answer"

# Ends what may still run, and takes away what it is run with.
leave() {
	jobs -p >"$work/jobs"
	while read -r job; do
		kill "$job" 2>/dev/null
	done <"$work/jobs"
	umount -l "$work"/*/ ${shared:+"$shared"} 2>"$work/out"
	remove_work
}

shared=
at_end leave

# judge QUESTION ARGUMENT...: asks, tells what is said, succeeds if it is "yes".
judge() {
	echo "$@" >&5
	read -r verdict <&6
	cat "$work/said"
	[ "$verdict" = yes ]
}

# gives EXPRESSION COMMAND...: of v, the JSON value that it prints.
gives() {
	echo "$1" >"$work/expression"
	shift
	"$@" --json >"$work/json" && judge gives "$work/expression" "$work/json"
}

# In this order: what one makes, later ones use.
# shellcheck source=userspace/check/module/library.sh
. "$here/module/library.sh"
# shellcheck source=userspace/check/module/tables.sh
. "$here/module/tables.sh"
# shellcheck source=userspace/check/module/dumps.sh
. "$here/module/dumps.sh"
# shellcheck source=userspace/check/module/objects.sh
. "$here/module/objects.sh"
# shellcheck source=userspace/check/module/load.sh
. "$here/module/load.sh"
# shellcheck source=userspace/check/module/snapshots.sh
. "$here/module/snapshots.sh"
# shellcheck source=userspace/check/module/names.sh
. "$here/module/names.sh"
# shellcheck source=userspace/check/module/use.sh
. "$here/module/use.sh"
# shellcheck source=userspace/check/module/figures.sh
. "$here/module/figures.sh"
# shellcheck source=userspace/check/module/scanner.sh
. "$here/module/scanner.sh"
# shellcheck source=userspace/check/module/paths.sh
. "$here/module/paths.sh"
# shellcheck source=userspace/check/module/leaks.sh
. "$here/module/leaks.sh"
# shellcheck source=userspace/check/module/manual.sh
. "$here/module/manual.sh"

plan
