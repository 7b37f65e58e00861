#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes sure that a kernel is in the cache, and prints its folder.
# cache_entry and with_progress call functions by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM NAME    make sure that the kernel is there, print its folder
	       $PROGRAM prune   remove what nobody has asked for in 30 days

	NAME        what it is
	stock-6.12  Debian's newest packaged kernel of the series, and its headers
	stock-6.1   the same
	check       6.12 with KUnit, KASAN, lockdep, kmemleak and their like, KCOV,
	            gcov, SMP
	check-6.1   the same of 6.1
	race        6.12 with KCSAN, SMP
	rt          6.12 with PREEMPT_RT and lockdep, SMP
	uml-kasan   6.12 as a program (User Mode Linux) with KUnit, KASAN, lockdep,
	            gcov
	uml-bench   6.12 as a program, without checkers, with real lock prefixes
	llvm-6.12   the packaged 6.12 prepared for modules built by clang
	source-6.12 the source of 6.12 that those are built from
	source-6.1  the same of 6.1

	The folder holds, as the case may be: vmlinuz, lib/modules/, kdir (for
	make -C), linux (User Mode Linux), make-args (for make, one to a line).
	EOF
}

# VERSION-HASH for an entry's name: the hash is of a text and of the functions
# that make the entry (their comments do not count).
recipe() {
	local version=$1 text=$2
	shift 2
	printf '%s-%s\n' "${version//[^A-Za-z0-9.+-]/_}" \
		"$( (declare -f "$@"; printf '%s' "$text") | short_hash)"
}

# --- Packages ---------------------------------------------------------------

# apt-get's warning about its sandbox user is of no interest.
apt_download() {
	apt-get -q -o APT::Sandbox::User=root download "$@"
}

# The names of a series' packaged images that are to be had, newest first.
# Not the cloud flavour (it has no 9p), not rt, not debugging symbols.
stock_images() {
	apt-cache pkgnames "linux-image-$1." |
		grep -xE "linux-image-${1//./\\.}\.[0-9.]+[^-]*(-[0-9]+)?-amd64" |
		sort -Vr || true
}

# The newest image whose headers can be downloaded too. Prints its release.
newest_stock() {
	local series=$1 image release
	while read -r image; do
		release=${image#linux-image-}
		if apt_download --print-uris "$image" "linux-headers-$release" \
			>/dev/null 2>&1; then
			printf '%s\n' "$release"
			return
		fi
	done < <(stock_images "$series")
	return 1
}

# The package's newest version, for the entry's name.
package_version() {
	apt-cache show --no-all-versions "$1" | sed -n 's/^Version: //p' | head -n 1
}

# --- Stock kernels ----------------------------------------------------------

# linux-headers-*-amd64 leans on the -common and linux-kbuild packages.
headers_packages() {
	local deb=$1
	dpkg-deb -f "$deb" Depends | tr ',|' '\n' | sed 's/^ *//; s/ .*//' |
		grep -E '^linux-(headers-.*-common|kbuild-)'
}

download_stock() {
	local new=$1 release=$2 packages
	cd "$new/debs"
	apt_download "linux-image-$release" "linux-headers-$release"
	mapfile -t packages < <(headers_packages "$(echo linux-headers-*.deb)")
	apt_download "${packages[@]}"
	for deb in *.deb; do
		dpkg-deb -x "$deb" ..
	done
}

# The headers' makefiles include each other by absolute paths.
relocate_headers() {
	local new=$1 final=$2
	grep -rlIF --include='Makefile*' --include='*.mk' --include='.kernel*' \
		/usr/src/linux "$new/usr/src" | while read -r file; do
		sed -i "s|/usr/src/linux|$final/usr/src/linux|g" "$file"
	done
}

build_stock() {
	local new=$1 final=$2 release=$3
	mkdir "$new/debs"
	with_progress "downloading $release" "$new/log" download_stock "$new" "$release"
	rm -r "${new:?}/debs" "${new:?}/usr/share"
	relocate_headers "$new" "$final"
	ln -s "boot/vmlinuz-$release" "$new/vmlinuz"
	ln -s "usr/src/linux-headers-$release" "$new/kdir"
	depmod -b "$new" "$release"
	printf '%s\n' "$release" >"$new/release"
}

# Which entry is to be used. Asking apt takes two seconds, so its answer is kept
# until its lists, or this script, change.
stock_entry() {
	local series=$1 answer=$CACHE/stock-$1.newest release version
	if [[ -e $answer && $answer -nt /var/lib/apt/lists && $answer -nt $0 ]] &&
		[[ -d $CACHE/$(<"$answer") ]]; then
		cat "$answer"
		return
	fi
	release=$(newest_stock "$series") || release=
	if [[ -z $release ]]; then
		# No list of packages, or one that has aged: once more.
		"$VM_DIR/deps.sh" --update >&2
		release=$(newest_stock "$series") ||
			die "apt knows no downloadable linux-image-$series.*-amd64"
	fi
	version=$(package_version "linux-image-$release")
	printf 'stock-%s-%s\n' "$release" \
		"$(recipe "$version" "" download_stock relocate_headers build_stock)" |
		tee "$answer"
}

stock() {
	local name release
	# For depmod, and for building modules.
	"$VM_DIR/deps.sh" build
	mkdir -p "$CACHE"
	name=$(stock_entry "$1")
	release=${name#stock-}
	release=${release%-amd64-*}-amd64
	cache_entry "$name" build_stock "$release"
	entry=$CACHE/$name
}

# --- The source -------------------------------------------------------------

# The project's copy goes to drivers/misc/refstore/; without REFSTORE_GRAFT the
# line does nothing.
add_graft_line() {
	# shellcheck disable=SC2016
	printf 'obj-$(REFSTORE_GRAFT) += refstore/\n' >>"$1/drivers/misc/Makefile"
}

# User Mode Linux has one processor, so its atomic operations have no lock
# prefix: benchmarks would flatter. UML_REAL_LOCKS gives it back.
add_lock_prefix() {
	local file=$1/arch/x86/include/asm/alternative.h
	sed -i 's|^#else /\* ! CONFIG_SMP \*/$|#elif defined(UML_REAL_LOCKS)\
#define LOCK_PREFIX_HERE ""\
#define LOCK_PREFIX "lock "\
&|' "$file"
	grep -q UML_REAL_LOCKS "$file" || die "$file: not as expected"
}

build_source() {
	local new=$1 archive=$3
	with_progress "unpacking $(basename "$archive")" "$new.log" \
		tar -xf "$archive" -C "$new" --strip-components=1
	rm -f "$new.log"
	add_graft_line "$new"
	add_lock_prefix "$new"
}

# Sets source.
source_tree() {
	local series=$1 archive=/usr/src/linux-source-$1.tar.xz version name
	[[ -e $archive ]] || "$VM_DIR/deps.sh" "source-$series" >&2
	version=$(dpkg-query -W -f '${Version}' "linux-source-$series")
	name=source-$series-$(recipe "$version" "" add_graft_line add_lock_prefix build_source)
	cache_entry "$name" build_source "$archive"
	source=$CACHE/$name
}

# --- Kernels built here -----------------------------------------------------

# Says which lines of the wanted configuration did not make it: a misspelt or
# unmet option would otherwise weaken the checks in silence.
check_config() {
	local wanted=$1 config=$2 line lost=0
	while read -r line; do
		case $line in
		CONFIG_*=n) ! grep -q "^${line%=n}=" "$config" ;;
		CONFIG_*) grep -qxF "$line" "$config" ;;
		esac || {
			say "not in the configuration: $line"
			lost=1
		}
	done <"$wanted"
	return "$lost"
}

# The kernel's make: make_kernel FOLDER [ARGS...].
make_kernel() {
	nice make -C "$source" O="$1" -j"$(nproc)" "${make_args[@]}" "${@:2}"
}

build_kernel() {
	local new=$1 fragment=$3
	shift 3
	printf '%s\n' "$fragment" >"$new/fragment"
	KCONFIG_ALLCONFIG=$new/fragment make_kernel "$new" -s allnoconfig >&2
	check_config "$new/fragment" "$new/.config"
	with_progress "building $NAME" "$new/log" make_kernel "$new" "$@"
	printf '%s\n' "${make_args[@]}" >"$new/make-args"
	ln -s . "$new/kdir"
	if [[ -e $new/arch/x86/boot/bzImage ]]; then
		ln -s arch/x86/boot/bzImage "$new/vmlinuz"
	fi
}

# Of lines for the same option, the last one counts.
fragments() {
	grep -h '^CONFIG_' "$@" | tac | awk -F= '!seen[$1]++' | tac
}

# own_kernel SERIES FRAGMENTS... -- TARGETS...; make_args set before.
own_kernel() {
	local series=$1 fragments=() fragment name
	shift
	while [[ $1 != -- ]]; do
		fragments+=("$VM_DIR/config/$1.config")
		shift
	done
	shift
	"$VM_DIR/deps.sh" build
	source_tree "$series"
	# Comments do not count here either.
	fragment=$(fragments "${fragments[@]}")
	name=$NAME-$(recipe "${source#"$CACHE"/source-}" \
		"$fragment ${make_args[*]} $* $(gcc -dumpfullversion)" build_kernel)
	cache_entry "$name" build_kernel "$fragment" "$@"
	entry=$CACHE/$name
}

# guest_kernel SERIES FRAGMENTS...
guest_kernel() {
	make_args=()
	own_kernel "$1" common guest "${@:2}" -- bzImage modules
}

# Only the module is to count what is run: see Kbuild. And the library that does it has
# a function of the name of a kernel's.
uml_kasan() {
	local flags='-g0 -fno-profile-arcs -fno-test-coverage'
	make_args=(ARCH=um "KCFLAGS=$flags -Dmangle_path=kernel_mangle_path")
	own_kernel 6.12 common uml uml-kasan -- linux
}

uml_bench() {
	make_args=(ARCH=um KCFLAGS=-DUML_REAL_LOCKS)
	own_kernel 6.12 common uml uml-bench -- linux
}

# --- For clang --------------------------------------------------------------

build_llvm() {
	local new=$1 stock=$3
	cp "$stock"/boot/config-* "$new/.config"
	# Keys and type information of the distribution's own builds.
	"$source/scripts/config" --file "$new/.config" \
		--set-str SYSTEM_TRUSTED_KEYS '' --disable DEBUG_INFO_BTF
	make_kernel "$new" -s olddefconfig >&2
	with_progress "preparing $NAME" "$new/log" make_kernel "$new" modules_prepare
	# The symbols of the kernel that has this configuration.
	cp "$stock/kdir/Module.symvers" "$new/"
	printf '%s\n' "${make_args[@]}" >"$new/make-args"
	ln -s . "$new/kdir"
}

llvm() {
	local stock name
	"$VM_DIR/deps.sh" build check
	stock 6.12
	stock=$entry
	source_tree 6.12
	make_args=(LLVM=1)
	name=$NAME-$(recipe "${source#"$CACHE"/source-}" \
		"$stock $(clang --version)" build_llvm)
	cache_entry "$name" build_llvm "$stock"
	entry=$CACHE/$name
}

# --- The cache --------------------------------------------------------------

prune() {
	local mark
	for mark in "$CACHE"/*/.used; do
		[[ -n $(find "$mark" -mtime +30 2>/dev/null) ]] || continue
		say "removing $(dirname "$mark")"
		rm -rf "$(dirname "$mark")"
	done
}

main() {
	[[ $# -eq 1 ]] || {
		usage >&2
		exit 2
	}
	NAME=$1
	case $NAME in
	stock-6.12 | stock-6.1) stock "${NAME#stock-}" ;;
	check) guest_kernel 6.12 check ;;
	check-6.1) guest_kernel 6.1 check check-6.1 ;;
	race) guest_kernel 6.12 race ;;
	rt) guest_kernel 6.12 rt ;;
	uml-kasan) uml_kasan ;;
	uml-bench) uml_bench ;;
	llvm-6.12) llvm ;;
	source-6.12 | source-6.1) source_tree "${NAME#source-}"; entry=$source ;;
	prune) prune; exit ;;
	*)
		say "$NAME: no such kernel"
		usage >&2
		exit 2
		;;
	esac
	printf '%s\n' "$entry"
}

main "$@"; exit
