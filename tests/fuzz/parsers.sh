#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Fuzzes what the command reads, dumps, snapshots, and the files of /proc/refstore, with
# libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Prints TAP; the last line
# is "N passed, N failed, N skipped". usage: parsers.sh [SECONDS]
# What is run is called by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"
# shellcheck source=userspace/check/tap.sh
. "$PROJECT/userspace/check/tap.sh"

OUT=$PROJECT/build/fuzz
PARSERS=(dump snapshot table)
# Of the command: all that reads, and what that calls.
TOOLS=(graph graph_read snapshot snapshot_read table array idmap lines labels target
	process text out module number)

build() {
	local parser=$1 flags
	read -ra flags < <(pkg-config --cflags --libs json-c)
	clang -O1 -g -std=gnu11 -D_GNU_SOURCE -DPARSER="parse_$parser" \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-I"$PROJECT/uapi" -I"$PROJECT/userspace/lib" \
		-I"$PROJECT/userspace/tools" -o "$OUT/parse-$parser" \
		"$PROJECT/tests/fuzz/parsers.c" \
		"${TOOLS[@]/#/$PROJECT/userspace/tools/}" \
		"$PROJECT"/userspace/lib/*.c "${flags[@]}"
}

# The examples of the manual, and a table.
make_seeds() {
	local page=$PROJECT/userspace/man/refstore-dump.5
	mkdir -p "$OUT/seeds"/{dump,snapshot,table}
	sed -n '/File: graph.jsonl/,/^\.Ed/p' "$page" | grep '^{' \
		>"$OUT/seeds/dump/manual"
	sed -n '/File: before/,/^\.Ed/p' "$page" | grep '^[[{]' \
		>"$OUT/seeds/snapshot/manual"
	printf '%s\n' 'heaps 1' '# heap uid objects bytes label' \
		'1 0 7 640 a\040heap' '2 1000 0 0 -' >"$OUT/seeds/table/one"
}

fuzz() {
	local parser=$1
	mkdir -p "$OUT/corpus-$parser"
	ASAN_OPTIONS=detect_leaks=1 "$OUT/parse-$parser" \
		-max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 \
		-max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$OUT/finding-$parser-" \
		"$OUT/corpus-$parser" "$OUT/seeds/$parser" 2>&1 |
		tee "$OUT/log-$parser"
}

# How many inputs all parsers were given.
inputs() {
	sed -n 's/^stat::number_of_executed_units: *//p' \
		"${PARSERS[@]/#/$OUT/log-}" | awk '{ n += $1 } END { print n + 0 }'
}

main() {
	local seconds=${1-60} parser
	TOOLS=("${TOOLS[@]/%/.c}")
	mkdir -p "$OUT"
	make_work
	"$VM_DIR/deps.sh" build check
	make_seeds
	for parser in "${PARSERS[@]}"; do
		check "the parser of a $parser is built" build "$parser"
		check "the parser of a $parser, for $seconds s" fuzz "$parser"
	done
	echo "1..$count"
	echo "$((count - failed)) passed, $failed failed, 0 skipped"
	((!failed)) || return
	"$PROJECT/tests/figures.py" note parsers "inputs=$(inputs)" \
		"parsers=${#PARSERS[@]}"
}

main "$@"
