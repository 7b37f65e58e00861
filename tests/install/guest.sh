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
packages=(refstore-dkms librefstore0 librefstore-dev refstore-tools)

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

# The group stays; see inside.sh.
no_trace() {
	[[ ! -d /sys/module/refstore && ! -e /dev/refstore && ! -e /proc/refstore ]]
	fails findmnt -t refstore
	find / /run -xdev -name '*refstore*' ! -path '/var/log/*' | nothing
	grep -rl refstore /etc | sed -E '/^\/etc\/g(roup|shadow)-?$/d' | nothing
}

# --- What the boots are for -------------------------------------------------

add_member() {
	useradd --groups refstore member
}

upgrade_kernel() {
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
}

upgrade_step() {
	works
	check 'nothing failed at the start' nothing_failed
	check 'apt installs a newer kernel' upgrade_kernel
	check 'DKMS has built the module for it' is_built "$newer"
}

purge_step() {
	check 'the newer kernel runs' test "$(uname -r)" = "$newer"
	works
	check 'nothing failed at the start' nothing_failed
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
