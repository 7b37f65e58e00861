#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes sure that a fresh Debian system is in the cache, and prints its folder.
# cache_entry calls functions by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source=tests/install/lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM chroot   root.tar: headers of 6.1 and 6.12, no kernel
	       $PROGRAM guest    disk, vmlinuz, initrd: boots 6.1, and has the packages of 6.12
	EOF
}

# bootstrap TAR PACKAGES [OPTION...]. Nobody keeps what a crash leaves behind.
bootstrap() {
	local tar=$1 packages=$2
	shift 2
	mmdebstrap --variant=minbase --include="$packages" \
		--dpkgopt=force-unsafe-io "$@" bookworm "$tar"
}

# Kernels are for their headers' dependencies only.
build_chroot() {
	local new=$1 packages=$3
	# shellcheck disable=SC2016 # for mmdebstrap
	with_progress 'making a Debian system' "$new/log" \
		bootstrap "$new/root.tar" "$packages" \
		--customize-hook='rm -rf "$1"/lib/modules/*/kernel/*' \
		--customize-hook='rm -rf "$1"/boot/initrd* "$1"/boot/vmlinuz*'
}

# With the newer kernel's packages where apt finds them without a network.
build_guest() {
	local new=$1 packages=$3 newer=$4
	# shellcheck disable=SC2016 # for mmdebstrap
	with_progress 'making a Debian system that boots' "$new/log" \
		bootstrap "$new/root.tar" "$packages" --skip=cleanup/apt \
		--customize-hook="export APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG &&
			apt-get clean && apt-get -q -y --no-install-recommends \
			--download-only install $newer" \
		--customize-hook="copy-in '$INSTALL_DIR/guest.service' \
			/etc/systemd/system" \
		--customize-hook='chroot "$1" systemctl enable guest.service'
	with_progress 'making its disk' "$new/log" \
		as_root bash "$INSTALL_DIR/image.sh" "$new"
	rm "$new/root.tar"
}

list() {
	local IFS=,
	printf '%s\n' "$*"
}

chroot_system() {
	local packages name
	packages=$(list "${PACKAGES[@]}" "${releases[@]/#/linux-headers-}")
	name=debian-12-chroot-$( (declare -f bootstrap build_chroot
		echo "$packages") | short_hash)
	cache_entry "$name" build_chroot "$packages"
	entry=$CACHE/$name
}

guest_system() {
	local packages newer name
	packages=$(list "${PACKAGES[@]}" "linux-image-${releases[0]}" \
		"linux-headers-${releases[0]}")
	newer="linux-image-${releases[1]} linux-headers-${releases[1]}"
	name=debian-12-guest-$( (declare -f bootstrap build_guest
		cat "$INSTALL_DIR"/{guest.service,image.sh}
		echo "$packages $newer") | short_hash)
	cache_entry "$name" build_guest "$packages" "$newer"
	entry=$CACHE/$name
}

main() {
	local entry releases
	"$VM_DIR/deps.sh" packaging
	mapfile -t releases < <(kernel_releases)
	case ${1-} in
	chroot) chroot_system ;;
	guest) guest_system ;;
	*)
		usage >&2
		exit 2
		;;
	esac
	printf '%s\n' "$entry"
}

main "$@"; exit
