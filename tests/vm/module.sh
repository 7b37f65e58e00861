#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds refstore.ko for a kernel and prints its path. Any warning is an error.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM KERNEL [FLAVOUR] [VAR=VALUE...]

	KERNEL       stock-6.12, stock-6.1, check, check-6.1, race, rt or llvm-6.12
	FLAVOUR      kunit: with the tests of tests/kunit/ in the module
	             kcov: a module that tells where it was, for fuzzing
	             gcov: one that counts what is run
	VAR=VALUE    for make: C=2 and so on

	The module is built in build/module/KERNEL[-FLAVOUR]/ of the checkout.
	EOF
}

build() {
	local kernel=$1 folder=$2 args
	shift 2
	args=()
	if [[ -e $kernel/make-args ]]; then
		mapfile -t args < <(grep . "$kernel/make-args")
	fi
	# The BTF step wants pahole and gives nothing that a test looks at. Always
	# with all warnings: other flags would have all of it compiled anew.
	make -C "$kernel/kdir" M="$folder" -j"$(nproc)" W=1 \
		CONFIG_DEBUG_INFO_BTF_MODULES= "${args[@]}" "$@"
}

main() {
	local name kernel folder flavour=() frames=() log
	[[ $# -ge 1 && $1 != -* ]] || {
		usage >&2
		exit 2
	}
	name=$1
	folder=$PROJECT/build/module/$name
	shift
	case ${1-} in
	kunit) flavour=(REFSTORE_KUNIT=y) ;;
	kcov) flavour=(KCOV_INSTRUMENT=y) ;;
	gcov) flavour=(GCOV_PROFILE=y) ;;
	esac
	if ((${#flavour[@]})); then
		folder+=-$1
		shift
	fi
	# A kernel's stack is small. Where much is checked, frames are larger.
	case $name in
	stock-* | llvm-*) frames=(KCFLAGS=-Wframe-larger-than=512) ;;
	esac
	kernel=$("$VM_DIR/kernel.sh" "$name")
	mkdir -p "$folder"
	exec {lock}>"$folder.lock"
	flock "$lock"
	forget_other_kernel "$folder" "$kernel"
	sync_sources "$folder"
	log=$folder.log
	if ! build "$kernel" "$folder" "${flavour[@]}" "${frames[@]}" "$@" \
		>"$log" 2>&1; then
		cat "$log" >&2
		die "$name: the build failed"
	fi
	if has_warnings "$log"; then
		cat "$log" >&2
		# The next call is to compile, and to fail, again.
		rm -rf "$folder"
		die "$name: the build gave warnings"
	fi
	printf '%s\n' "$folder/refstore.ko"
}

# Objects of another kernel must not be taken over.
forget_other_kernel() {
	local folder=$1 kernel=$2
	if [[ $(cat "$folder.kernel" 2>/dev/null) != "$kernel" ]]; then
		rm -rf "$folder"
		printf '%s\n' "$kernel" >"$folder.kernel"
	fi
}

main "$@"; exit
