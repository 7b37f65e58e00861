# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of this folder share.
# shellcheck shell=bash disable=SC2034

# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

BENCH=$PROJECT/tests/bench
OUT=$PROJECT/build/bench

# build_guest NAME: a program for guests, $OUT/NAME.
build_guest() {
	"${CC:-gcc}" -std=gnu11 -O2 -static -Wall -Wextra -D_GNU_SOURCE \
		-I"$PROJECT/uapi" -o "$OUT/$1" "$BENCH/guest/$1.c"
}

# scan_guest MODE: what the program says of scans, with two processors.
scan_guest() {
	local module
	module=$("$VM_DIR/module.sh" stock-6.12)
	build_guest scan
	# shellcheck disable=SC2016 # for the guest's shell
	"$VM_DIR/run.sh" --smp 2 --log "$OUT/$1.kernel.log" stock-6.12 -- \
		sh -c 'insmod "$1" && "$2" "$3"' sh "$module" "$OUT/scan" "$1"
}
