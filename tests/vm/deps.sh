#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installs the Debian packages that are missing.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM GROUP...    install what is missing of these groups
	       $PROGRAM --update    refresh apt's lists only

	build    compilers and tools for modules, kernels and programs
	vm       the virtual machine
	source-6.12, source-6.1  a kernel's source
	check    g++, sparse, clang and clang-tidy, coccinelle, cppcheck,
	         shellcheck, abidiff, mandoc, graphviz, 32-bit libraries
	python   python3, and what builds, checks and measures its package
	cpython  CPython's own tests
	trace    bpftrace
	coverage lcov
	pictures graphviz
	model    spin
	packaging  making packages, and fresh systems to install them in
	EOF
}

group_packages() {
	case $1 in
	build)
		# Debian's kernel headers ask for gcc-12 by name.
		echo gcc gcc-12 libc6-dev make bc flex bison perl kmod cpio \
			xz-utils rsync libelf-dev libssl-dev pkg-config \
			libjson-c-dev libncurses-dev
		;;
	vm) echo qemu-system-x86 busybox-static kmod cpio ;;
	source-*) echo "linux-$1" ;;
	check)
		echo g++ sparse clang clang-tidy coccinelle cppcheck lld llvm \
			gcc-multilib shellcheck \
			abigail-tools mandoc graphviz
		;;
	python)
		echo python3 libpython3-dev mypy python3-numpy python3-redis \
			redis-server
		;;
	cpython) echo libpython3.11-testsuite ;;
	trace) echo bpftrace ;;
	coverage) echo lcov ;;
	pictures) echo graphviz ;;
	model) echo gcc libc6-dev spin ;;
	packaging)
		echo dpkg-dev debhelper dh-dkms dh-python fakeroot lintian \
			libjson-c-dev libncurses-dev libpython3-dev \
			pkg-config mmdebstrap uidmap e2fsprogs
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
}

as_root() {
	if ((EUID)); then
		sudo "$@"
	else
		"$@"
	fi
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"
}

missing_packages() {
	local installed
	# dpkg-query fails when it does not know one of the names.
	# shellcheck disable=SC2016
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
		2>/dev/null | sed -n 's/^installed //p') || true
	printf '%s\n' "$@" | sort -u |
		grep -vxF -f <(printf '%s\n' "${installed:--}") || true
}

# Quiet, unless it fails.
install_packages() {
	local log
	log=$(mktemp)
	say "installing $*"
	if ! { apt update && apt install --no-install-recommends "$@"; } \
		>"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "apt-get failed"
	fi
	rm -f "$log"
}

main() {
	local group names packages=() missing
	[[ $# -gt 0 ]] || {
		usage >&2
		exit 2
	}
	if [[ $1 == --update ]]; then
		apt update
		return
	fi
	for group in "$@"; do
		names=$(group_packages "$group")
		read -ra names <<<"$names"
		packages+=("${names[@]}")
	done
	mapfile -t missing < <(missing_packages "${packages[@]}")
	if ((${#missing[@]})); then
		install_packages "${missing[@]}"
	fi
}

main "$@"
