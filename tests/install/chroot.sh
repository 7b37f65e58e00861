#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes the packages, checks them, and installs and purges them in a fresh Debian
# system below a folder, with all that is made of the module for two kernels.
# Prints TAP.
set -euo pipefail

# shellcheck source=tests/install/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=userspace/check/tap.sh
. "$PROJECT/userspace/check/tap.sh"

# All but the folders, which may have been there before.
left_below() {
	find "$1" ! -type d
}

# What "make install" puts below a folder, "make uninstall" takes away.
round_trip() {
	local root=$work/root kdir
	kdir=$("$VM_DIR/kernel.sh" stock-6.12)/kdir
	make -s -C "$PROJECT" install DESTDIR="$root" KDIR="$kdir"
	left_below "$root" | grep '/updates/refstore\.ko'
	left_below "$root" | grep '/bin/refstore$'
	make -s -C "$PROJECT" uninstall DESTDIR="$root" KDIR="$kdir"
	left_below "$root" | nothing
}

# in_chroot SYSTEM: inside.sh, in the system's copy in memory, which is gone with the
# namespace.
in_chroot() {
	as_root bash "$INSTALL_DIR/enter.sh" "$work/system" "$1/root.tar" \
		"$PROJECT" "$count" /src/tests/install/inside.sh
}

main() {
	local system
	make_work
	"$VM_DIR/deps.sh" build packaging
	check 'the packages are made' build_packages
	((!failed)) || return
	check 'lintian finds no fault' lintian --fail-on error,warning \
		--allow-root "$DEBS"/*.changes
	check 'make uninstall leaves nothing of make install' round_trip
	# Whatever fails here ends the script: only what inside.sh says is waited for.
	system=$("$INSTALL_DIR/system.sh" chroot)
	mkdir "$work/system"
	in_chroot "$system" || failed=1
	((!failed))
}

main "$@"
