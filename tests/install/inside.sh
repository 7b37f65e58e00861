#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a fresh system, with the project at /src: installs the packages, uses what
# they bring, removes and purges them. Prints TAP.
set -euo pipefail

# shellcheck source=userspace/check/end.sh
. /src/userspace/check/end.sh
# shellcheck source=userspace/check/tap.sh
. /src/userspace/check/tap.sh

export DEBIAN_FRONTEND=noninteractive
version=$(sed -n 's/^VERSION := //p' /src/userspace/Makefile)
mapfile -t kernels < <(ls -v /lib/modules)
packages=(refstore-dkms librefstore0 librefstore-dev refstore-tools
	python3-refstore)

# Logs, caches and backups of apt, dpkg, debconf, depmod and sysusers. The group
# stays, as groups of packages do: files may belong to it.
NOT_OURS='^/(proc|sys|dev|src|tmp|run)(/|$)|^/var/(log|cache)/|^/var/lib/apt/'
NOT_OURS+='|^/var/lib/dpkg/[a-z]*-old$|^/etc/g?shadow-$|^/etc/(group|passwd)-$'

# What there is, with kind, mode, owner, and where links lead.
files() {
	find / -xdev -printf '%p %y %m %u %g %l\n' | grep -vE "$NOT_OURS" | sort
}

# As if all kernels were whole; modules are made for all of them, whichever the
# machine happens to run.
prepare_kernels() {
	local kernel
	for kernel in "${kernels[@]}"; do
		depmod "$kernel" 2>/dev/null
	done
	echo 'autoinstall_all_kernels=yes' >>/etc/dkms/framework.conf
}

apt() {
	apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

install_packages() {
	local files=() name
	for name in "${packages[@]}"; do
		files+=(./"$name"_*.deb)
	done
	apt install --no-install-recommends "${files[@]}"
}

is_built() {
	local file
	file=$(modinfo -k "$1" -F filename refstore)
	[[ $file == /lib/modules/$1/updates/dkms/refstore.ko* ]]
	modinfo -F vermagic "$file" | grep -F "$1 "
	dkms status -m refstore -v "$version" -k "$1" | grep ': installed'
}

# That the kernel finds the module when the file system is mounted.
has_alias() {
	modprobe -S "$1" -n -v fs-refstore | grep '/refstore\.ko'
}

parameters() {
	modinfo -k "${kernels[0]}" -F parm refstore | grep .
	diff <(modinfo -k "${kernels[0]}" -F parm refstore |
		sed 's/:.*//' | sort) \
		<(sed -n 's/^#options refstore \([a-z_]*\)=.*/\1/p' \
		/usr/lib/modprobe.d/refstore.conf | sort)
}

unit() {
	[[ $(systemd-escape --path --suffix=mount /run/refstore) == run-refstore.mount ]]
	systemctl is-enabled run-refstore.mount
	systemd-analyze --man=no verify run-refstore.mount
}

version_is() {
	refstore --version | grep -F "$version"
}

manuals() {
	gzip -t /usr/share/man/man1/refstore.1.gz /usr/share/man/man3/librefstore.3.gz
}

# An example of the package's. There is no module, so it ends with an error, but it
# starts.
program() {
	local flags status=0
	read -ra flags <<<"$(pkg-config --cflags --libs librefstore)"
	gcc -Wall -Wextra -Werror /usr/share/doc/librefstore-dev/examples/hello.c \
		"${flags[@]}" -o "$work/example"
	ldd "$work/example" | grep 'librefstore\.so\.0 => /'
	"$work/example" || status=$?
	((status != 127 && status < 128))
}

# There is no module, so no heap; but all that Python has of the package is loaded.
python_imports() {
	/usr/bin/python3 -c 'import refstore; refstore.Dict, refstore.open'
	[[ -e /usr/lib/python3/dist-packages/refstore/py.typed ]]
}

nothing_for_kernels() {
	! ls -d /lib/modules/*/updates/dkms/refstore* /usr/src/refstore* \
		/var/lib/dkms/refstore
}

same_files() {
	files | diff "$work/before" -
}

dkms_install() {
	make -C /src dkms-install KDIR="/lib/modules/${kernels[0]}/build"
	is_built "${kernels[0]}"
}

main() {
	local kernel
	make_work
	prepare_kernels
	cd /src/build/deb
	files >"$work/before"
	check 'apt installs the packages' install_packages
	for kernel in "${kernels[@]}"; do
		check "DKMS has built the module for $kernel" is_built "$kernel"
		check "mounting loads the module of $kernel" has_alias "$kernel"
	done
	check 'the file of parameters has all of them' parameters
	check 'the heaps are mounted at the start' unit
	check 'the group is there' getent group refstore
	check 'the command tells its version' version_is
	check 'the manual pages are there' manuals
	check 'a program is built with the library' program
	check 'Python imports the package' python_imports
	check 'apt removes the packages' apt remove "${packages[@]}"
	check 'no module is left' nothing_for_kernels
	check 'dpkg purges the packages' dpkg --purge "${packages[@]}"
	check 'the files are the same as before' same_files
	check 'make dkms-install builds the module' dkms_install
	check 'make dkms-uninstall removes it' make -C /src dkms-uninstall
	check 'the files are the same again' same_files
	plan
}

main "$@"
