#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes the packages for Debian, in build/deb/: the same bytes for the same commit.
set -euo pipefail

cd "$(dirname "$0")/../.."

# What the packages are made from.
sources=(Kbuild Makefile LICENSE README.md module uapi userspace)
build=$PWD/build/deb

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# The versions of the library and of the packages are one.
versions() {
	local changelog
	version=$(sed -n 's/^VERSION := //p' userspace/Makefile)
	changelog=$(dpkg-parsechangelog -S Version \
		-l userspace/packaging/debian/changelog)
	[[ $changelog == "$version" ]] ||
		die "debian/changelog has $changelog, userspace/Makefile $version"
}

# An archive without a history has the times of the changelog.
commit_time() {
	local time
	time=$(git log -1 --format=%ct 2>/dev/null) || return 0
	export SOURCE_DATE_EPOCH=$time
}

main() {
	type dpkg-buildpackage dh dh_dkms dh_python3 >/dev/null 2>&1 ||
		die 'apt install build-essential debhelper dh-dkms dh-python' \
			'libjson-c-dev libncurses-dev libpython3-dev pkg-config'
	versions
	commit_time
	rm -rf "$build"
	mkdir -p "$build/refstore-$version"
	cp -R "${sources[@]}" "$build/refstore-$version/"
	cd "$build/refstore-$version"
	cp -R userspace/packaging/debian .
	dpkg-buildpackage -b -us -uc
}

main "$@"
