#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in a fresh system that was started with systemd, as root. /mnt is the host's:
# /mnt/step says what this boot is for. Prints TAP, and shuts down.
# at_end calls functions by name.
# shellcheck disable=SC2317
set -euo pipefail

count=$(</mnt/count)
# shellcheck source=userspace/check/end.sh
. /mnt/tests/end.sh
# shellcheck source=userspace/check/tap.sh
. /mnt/tests/tap.sh

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
version=$(</mnt/version)
newer=$(</mnt/newer)
packages=(refstore-dkms librefstore0 librefstore-dev refstore-tools
	python3-refstore)
heap=/run/refstore/kept
metrics=/var/lib/prometheus/node-exporter/refstore.prom

apt() {
	apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@"
}

# --- What is checked --------------------------------------------------------

is_built() {
	dkms status -m refstore -v "$version" -k "$1" | grep ': installed'
}

nothing_failed() {
	systemctl --failed --no-legend | nothing
}

device() {
	stat /dev/refstore
	[[ $(stat -c '%a %U %G' /dev/refstore) == '660 root refstore' ]]
}

mounted() {
	[[ $(findmnt -no FSTYPE /run/refstore) == refstore ]]
	[[ $(stat -c '%a %U %G' /run/refstore) == '2775 root refstore' ]]
}

# By somebody of the group.
member_makes_heap() {
	runuser -u member -- sh -c ': <>/dev/refstore && : <>/run/refstore/app'
	runuser -u member -- refstore ls -H /run/refstore/app
	runuser -u member -- rm /run/refstore/app
}

others_are_refused() {
	fails runuser -u nobody -- sh -c ': <>/dev/refstore'
	fails runuser -u nobody -- sh -c ': <>/run/refstore/app'
}

works() {
	check 'the module is in the kernel' test -d /sys/module/refstore
	check 'the device belongs to the group' device
	check 'the heaps are mounted' mounted
	check 'the command answers' refstore stat
	check 'members of the group make heaps' member_makes_heap
	check 'nobody else does' others_are_refused
}

# appears FILE: it is there within two minutes.
appears() {
	# shellcheck disable=SC2016 # for the shell that waits
	timeout 120 sh -c 'until [ -e "$1" ]; do sleep 1; done' sh "$1"
}

# The folder is that of the collector, which is not installed.
metrics_enabled() {
	mkdir -p "${metrics%/*}"
	systemctl enable --now refstore-metrics.timer
}

timer_runs() {
	systemctl is-enabled refstore-metrics.timer
	systemctl is-active refstore-metrics.timer
}

# Lines of Prometheus' text format, which module.sh of userspace reads more strictly.
well_formed() {
	local label='[a-z]+="([^"\]|\\["\n])*"'
	fails grep -Evx -e '# HELP refstore_[a-z0-9_]+ .+' \
		-e '# TYPE refstore_[a-z0-9_]+ (counter|gauge)' \
		-e "refstore_[a-z0-9_]+(\{$label(,$label)*\})? [0-9]+(\.[0-9]+)?" "$1"
}

# By the timer, which writes the file anew: for all to read, with all that the command
# tells, and what the kernel says.
metrics_come() {
	rm -f "$metrics"
	appears "$metrics"
	[[ $(stat -c '%a %U' "$metrics") == '644 root' ]]
	[[ $(ls -A "${metrics%/*}") == "${metrics##*/}" ]]
	well_formed "$metrics"
	diff <(refstore metrics | grep '^#') <(grep '^#' "$metrics")
	grep -x "refstore_$(grep '^objects ' /proc/refstore/stats)" "$metrics"
	[[ $(systemctl show -P Result refstore-metrics.service) == success ]]
}

# Two objects, in a heap that a process of a member's has made and has open from now
# on.
heap_in_use() {
	systemd-run --unit=holder --uid=member \
		sh -c "exec sleep infinity 7<>$heap"
	appears "$heap"
	printf '%s\n' '{"refstore":2}' '{"id":1,"type":"list","slots":[2]}' \
		'{"id":2,"type":"str","text":"kept"}' \
		'{"root":1,"objects":2}' >"$work/dump"
	refstore restore -H "$heap" "$work/dump"
}

heap_is_kept() {
	systemctl is-active holder
	refstore verify -H "$heap" | grep '^2 objects of '
	refstore dump -H "$heap" | grep '"text":"kept"'
}

# Its module cannot go, nor its mount: whoever purges is told.
purge_in_use() {
	apt purge "${packages[@]}" 2>&1 | tee "$work/said"
	grep 'Module refstore is in use' "$work/said"
}

# no_files FOLDER...: none below these, nor in the configuration. The group stays; see
# inside.sh.
no_files() {
	find "$@" -xdev -name '*refstore*' ! -path '/var/log/*' | nothing
	grep -rl refstore /etc | sed -E '/^\/etc\/g(roup|shadow)-?$/d' | nothing
}

# All else is gone, and nobody writes metrics any more. The heap is still that of the
# process, and others can open it.
heap_alone_is_left() {
	no_files /
	fails systemctl is-active refstore-metrics.timer
	systemctl is-active holder
	[[ $(findmnt -no FSTYPE /run/refstore) == refstore ]]
	runuser -u member -- sh -c ": <>$heap"
	grep -x 'objects 2' /proc/refstore/stats
}

no_trace() {
	find /sys/module /dev /proc -maxdepth 1 -name refstore | nothing
	awk '$3 == "refstore"' /proc/self/mounts | nothing
	no_files / /run
}

# --- What the boots are for -------------------------------------------------

add_member() {
	useradd --groups refstore member
}

# What this machine needs to start, and no more: for all that there is, mkinitramfs
# starts thousands of programs, half an hour of them under emulation.
upgrade_kernel() {
	echo MODULES=dep >/etc/initramfs-tools/conf.d/modules
	apt --no-download install "linux-image-$newer" "linux-headers-$newer"
	cp "/boot/vmlinuz-$newer" /mnt/vmlinuz
	cp "/boot/initrd.img-$newer" /mnt/initrd
}

install_step() {
	check 'apt installs the packages' apt install /mnt/debs/*.deb
	check 'DKMS has built the module' is_built "$(uname -r)"
	add_member
	works
	check 'the tutorial shows what happens' \
		runuser -u member -- sh /mnt/tests/tutorial.sh
	check 'the timer of the metrics is enabled' metrics_enabled
	check 'somebody has a heap' heap_in_use
	check 'metrics come by the timer' metrics_come
	check 'apt installs the packages again' \
		apt install --reinstall /mnt/debs/*.deb
	check 'DKMS has built the module again' is_built "$(uname -r)"
	check 'the heap is as it was' heap_is_kept
	check 'so is the timer' timer_runs
	check 'metrics still come' metrics_come
	works
}

upgrade_step() {
	works
	check 'nothing failed at the start' nothing_failed
	check 'the timer has started' timer_runs
	check 'metrics come by it' metrics_come
	check 'apt installs a newer kernel' upgrade_kernel
	check 'DKMS has built the module for it' is_built "$newer"
}

purge_step() {
	check 'the newer kernel runs' test "$(uname -r)" = "$newer"
	works
	check 'nothing failed at the start' nothing_failed
	check 'somebody has a heap' heap_in_use
	check 'apt purges the packages, and says what stays' purge_in_use
	check 'that is the heap alone' heap_alone_is_left
	check 'apt installs the packages again' apt install /mnt/debs/*.deb
	check 'the heap is as it was' heap_is_kept
	check 'the timer waits to be enabled again' \
		fails systemctl is-enabled refstore-metrics.timer
	check 'nobody has the heap any more' systemctl stop holder
	works
	check 'apt purges the packages' apt purge "${packages[@]}"
	check 'no trace is left' no_trace
}

clean_step() {
	check 'nothing failed at the start' nothing_failed
	check 'nothing came back' no_trace
}

# Whatever ended this: the host waits for the system.
leave() {
	remove_work
	systemctl poweroff
}

main() {
	make_work
	at_end leave
	# What is wrong with it, a check shows.
	systemctl is-system-running --wait >/dev/null || true
	"$(</mnt/step)_step"
	echo "$count" >/mnt/count
	echo "$failed" >/mnt/failed
}

main
