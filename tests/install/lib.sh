# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2317
# What the tests of installing share: Debian systems, fresh, in the cache.

# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

INSTALL_DIR=$PROJECT/tests/install
DEBS=$PROJECT/build/deb
# What every fresh system has, beside what Debian calls required: systemd, what
# the packages depend on, and what compiles a program of the library's.
PACKAGES=(systemd-sysv udev kmod dkms gcc libc6-dev pkg-config libjson-c5
	libncursesw6 python3)

# The names of the packaged kernels that other tests run on, 6.1 and 6.12.
kernel_releases() {
	local series kernel
	for series in 6.1 6.12; do
		kernel=$("$VM_DIR/kernel.sh" "stock-$series")
		cat "$kernel/release"
	done
}

# as_root COMMAND...: as root of the machine, or in a user namespace as root of a
# system below a folder; with mounts, processes and a network of its own, which all
# end with the command.
as_root() {
	local options=(--mount --net --pid --fork --kill-child)
	((!EUID)) || options+=(--map-root-user --map-auto)
	unshare "${options[@]}" "$@"
}

build_packages() {
	make -s -C "$PROJECT" deb
}

# The packages' files, without those of debugging symbols.
package_files() {
	local name
	for name in refstore-dkms librefstore0 librefstore-dev refstore-tools \
		python3-refstore; do
		printf '%s\n' "$DEBS/$name"_*.deb
	done
}
