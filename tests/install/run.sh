#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installs the packages in a fresh Debian system in a virtual machine, starts it
# again, upgrades its kernel from 6.1 to 6.12, and purges them. Prints TAP.
# at_end calls functions by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source=tests/install/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=userspace/check/tap.sh
. "$PROJECT/userspace/check/tap.sh"

LOG=$PROJECT/build/logs/install
# Of a boot, at most. Compilers are slow under emulation.
TIME=7200

# What the guest finds below /mnt.
prepare() {
	local system releases
	mapfile -t releases < <(kernel_releases)
	system=$("$INSTALL_DIR/system.sh" guest)
	mkdir "$work/host" "$work/host/debs" "$work/host/tests"
	cp --sparse=always "$system/disk" "$work/disk"
	cp "$system"/{vmlinuz,initrd} "$work/host/"
	mapfile -t files < <(package_files)
	cp "${files[@]}" "$work/host/debs/"
	cp "$INSTALL_DIR"/{guest.sh,tutorial.sh} \
		"$PROJECT"/userspace/check/{end.sh,tap.sh,examples.awk,examples.sh} \
		"$work/host/tests/"
	sed -n 's/^VERSION := //p' "$PROJECT/userspace/Makefile" \
		>"$work/host/version"
	echo "${releases[1]}" >"$work/host/newer"
}

clean_up() {
	if [[ ${guest-} ]]; then
		kill "$guest" 2>/dev/null || true
		wait "$guest" 2>/dev/null || true
	fi
	remove_work
}

start_guest() {
	local log=$1
	timeout -k 5 "$TIME" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max \
		-smp 2 -m 2G -nodefaults -display none -no-reboot \
		-kernel "$work/host/vmlinuz" -initrd "$work/host/initrd" \
		-append 'root=/dev/vda rw console=ttyS0 loglevel=8 ignore_loglevel
			systemd.firstboot=off panic_on_warn=1 oops=panic panic=-1
			no_timer_check' \
		-serial "file:$log" \
		-drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
		-fsdev "local,id=host,path=$work/host,security_model=none" \
		-device virtio-9p-pci,fsdev=host,mount_tag=host \
		</dev/null >&2 &
	guest=$!
}

# boot STEP: starts the system, which does the step and shuts down.
boot() {
	local step=$1 log=$LOG-$1.log
	echo "$step" >"$work/host/step"
	echo "$count" >"$work/host/count"
	echo died >"$work/host/failed"
	: >"$work/host/output"
	start_guest "$log"
	tail -q -c +1 -s 0.5 -f --pid="$guest" "$work/host/output" &
	wait "$guest" || true
	guest=
	wait "$!" || true
	count=$(<"$work/host/count")
	[[ $(<"$work/host/failed") == 0 ]] || failed=1
	check "the system came to its end ($step)" \
		test "$(<"$work/host/failed")" != died
	check "the kernel did not complain ($step)" \
		"$VM_DIR/complaints.sh" "$log"
}

# Another time zone, another mask, the same packages.
same_again() {
	local sums
	sums=$(cd "$DEBS" && sha256sum ./*.deb)
	(umask 077 && TZ=UTC+11 build_packages)
	cd "$DEBS" && sha256sum -c <<<"$sums"
}

main() {
	local files step
	"$VM_DIR/deps.sh" build vm packaging
	mkdir -p "$(dirname "$LOG")"
	work=$(mktemp -d "$PROJECT/build/install.XXXXXX")
	at_end clean_up
	check 'the packages are made' build_packages
	((!failed)) || return
	check 'they are the same when made again' same_again
	prepare
	for step in install upgrade purge clean; do
		boot "$step"
	done
	plan
}

main "$@"
