#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, runs the programs and, with -u, the library's and
# the command's checks and, where REFSTORE_LONG is set, those of the traces; removes
# the module; then again and again, while a heap is scanned whose owner was just
# killed.
# usage: guest.sh [-u] refstore.ko m64|m32 [SECONDS for each program]
# REFSTORE_PROGRAMS names the programs; patterns will do.
set -euo pipefail

# shellcheck source=userspace/check/end.sh
. userspace/check/end.sh
hyphen=
# shellcheck source=userspace/check/tap.sh
. userspace/check/tap.sh

unloads=5
objects=50000
if [[ -e /proc/lockdep ]]; then
	unloads=3
	objects=4000
fi
userspace=
if [[ $1 == -u ]]; then
	userspace=yes
	shift
fi

# Tries again as long as the module is in use, for a minute.
remove_module() {
	local said tries=600
	until said=$(rmmod refstore 2>&1); do
		if [[ $said != *'in use'* && $said != *unavailable* ]] ||
			! ((--tries)); then
			echo "$said"
			return 1
		fi
		sleep 0.1
	done
}

# The owner of a ring of objects is killed in the midst of some scan.
unload_under_scan() {
	local module=$1 said owner
	insmod "$module"
	coproc build/selftests/m64/victim "$objects"
	owner=$COPROC_PID
	read -r said <&"${COPROC[0]}" || return 1
	[[ $said == scanned ]] || return 1
	sleep "0.0$((RANDOM % 10))"
	kill -KILL "$owner"
	remove_module || return 1
	wait "$owner" 2>/dev/null || true
}

# Until it cannot be removed.
unload_often() {
	local module=$1
	while ((count < unloads && !failed)); do
		check 'the module is removed under a scan' \
			unload_under_scan "$module"
	done
}

make_work
insmod "$1"
status=0
read -ra programs <<<"${REFSTORE_PROGRAMS-}"
tests/selftests/run.sh ${3:+-t "$3"} "build/selftests/$2" "${programs[@]}" ||
	status=1
if [[ $userspace ]]; then
	# In memory, as the command is started hundreds of times.
	cp -a build/userspace "$work/"
	sh userspace/check/module.sh "$work/userspace" || status=1
	# bpftrace takes a while to compile under emulation.
	[[ ! ${REFSTORE_LONG-} ]] ||
		sh userspace/check/bpftrace.sh "$work/userspace" || status=1
fi
rmmod refstore
unload_often "$1"
((!failed && !status))
