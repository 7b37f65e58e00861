#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as process 1 on the host's file system in a guest of run.sh: mounts what
# a program expects, runs the command, hands back what it said and how it ended.
# /run/vm/ is the run's folder on the host; what is written there is on the host
# when the call returns.

# Not -e: what fails is seen by its absence, and process 1 must not end.
set -uo pipefail

busybox=/run/busybox
checkout=$(</run/vm/checkout)

# An own tmpfs over each folder that programs write to. The checkout may lie in
# one of them, and must stay in sight; the kernel's folder goes to /run/kernel.
mount_writable() {
	local place
	mkdir /run/kernel
	"$busybox" mount --bind "$(</run/vm/kernel)" /run/kernel
	mkdir /run/checkout
	"$busybox" mount --bind "$checkout" /run/checkout
	for place in /tmp /var/tmp /root /dev/shm; do
		[[ -d $place ]] || continue
		"$busybox" mount -t tmpfs -o mode=1777 tmpfs "$place"
	done
	chmod 700 /root
	if [[ ! -e $checkout/tests ]]; then
		mkdir -p "$checkout"
		"$busybox" mount --bind /run/checkout "$checkout"
	fi
}

mount_kernel_interfaces() {
	"$busybox" mount -t proc proc /proc
	"$busybox" mount -t sysfs sysfs /sys
	"$busybox" mount -t devtmpfs devtmpfs /dev
	mkdir -p /dev/pts /dev/shm /dev/mqueue
	"$busybox" mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
	"$busybox" mount -t mqueue mqueue /dev/mqueue
	"$busybox" mount -t debugfs debugfs /sys/kernel/debug
	[[ ! -d /sys/kernel/tracing ]] ||
		"$busybox" mount -t tracefs tracefs /sys/kernel/tracing
	"$busybox" mount -t cgroup2 cgroup2 /sys/fs/cgroup
	ln -sf /proc/self/fd /dev/fd
	ln -sf fd/0 /dev/stdin
	ln -sf fd/1 /dev/stdout
	ln -sf fd/2 /dev/stderr
}

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
	mount_kernel_interfaces
	mount_writable
	set_environment
	run_command || status=$?
	report_leaks
	printf '%s\n' "$status" >/run/vm/status
	"$busybox" reboot -f
}

main
