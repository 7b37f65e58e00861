#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as process 1 on the host's file system in a guest of run.sh, after
# initramfs-init: runs the command, hands back what it said and how it ended.
# /run/vm/ is the run's folder on the host; what is written there is on the host
# when the call returns.

# Not -e: what fails is seen by its absence, and process 1 must not end.
set -uo pipefail

busybox=/run/busybox
checkout=$(</run/vm/checkout)

set_environment() {
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export HOME=/root TERM=dumb USER=root LOGNAME=root SHELL=/bin/bash
	export LC_ALL=C.UTF-8
	unset PWD OLDPWD SHLVL
	echo refstore >/proc/sys/kernel/hostname
	"$busybox" ip link set lo up
}

# Programs write to a pipe, as they would below a test harness; one cat carries
# it over. A daemon left behind must not keep the guest: it is not waited for.
run_command() {
	local status=0 cat
	mkfifo /run/output
	cat </run/output >>/run/vm/output &
	cat=$!
	(
		cd "$checkout" && exec bash /run/vm/command
	) >/run/output 2>&1 </dev/null || status=$?
	for _ in {1..20}; do
		kill -0 "$cat" 2>/dev/null || break
		sleep 0.1
	done
	return "$status"
}

# kmemleak reports what two scans found unreferenced and unchanged, if it was five
# seconds old when the second began.
report_leaks() {
	local kmemleak=/sys/kernel/debug/kmemleak lines
	[[ -w $kmemleak && ! -e /run/vm/no-leak-scan ]] || return 0
	SECONDS=0
	echo scan >$kmemleak
	((SECONDS > 5)) || sleep $((6 - SECONDS))
	echo scan >$kmemleak
	mapfile -t lines <$kmemleak
	((!${#lines[@]})) ||
		printf '<4>kmemleak report: %s\n' "${lines[@]}" >/dev/kmsg
}

main() {
	local status=0
	set_environment
	run_command || status=$?
	report_leaks
	printf '%s\n' "$status" >/run/vm/status
	"$busybox" reboot -f
}

main
