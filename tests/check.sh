#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Checks the sources without running them. Prints TAP; the logs of what failed
# are shown.
# What is checked is called by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/bench/lib.sh"
# shellcheck source=userspace/check/tap.sh
. "$PROJECT/userspace/check/tap.sh"

# What checkpatch says of any such code, and why it stays:
#   MACRO_ARG_REUSE: the argument is the name of a struct
#   LINUX_VERSION_CODE, CONSTANT_COMPARISON: compat.h is there for it
IGNORED=MACRO_ARG_REUSE,LINUX_VERSION_CODE,CONSTANT_COMPARISON
# Of clang-tidy: its checks for bugs and waste in C, but those that are taste. (Its
# analyzer does not see what a function of another file writes through a pointer.)
TIDY='-*,bugprone-*,performance-*,-bugprone-easily-swappable-parameters'
TIDY+=,-bugprone-reserved-identifier,-bugprone-sizeof-expression
TIDY+=,-bugprone-suspicious-string-compare,-performance-no-int-to-ptr
# Tracepoints are declared by a macro language with a layout of its own.
IGNORED_TRACE=$IGNORED,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,TRAILING_STATEMENTS
IGNORED_TRACE+=,MULTISTATEMENT_MACRO_USE_DO_WHILE,COMPLEX_MACRO,SPACING

# in_parallel N COMMAND...: for N at a time of the words that come in, on all processors.
in_parallel() {
	xargs -P "$(nproc)" -n "$@"
}

tracked() {
	git -C "$PROJECT" ls-files -co --exclude-standard -- "$@"
}

licences() {
	local file status=0
	while read -r file; do
		[[ -s $PROJECT/$file ]] || continue
		head -n 3 "$PROJECT/$file" |
			grep SPDX-License-Identifier >/dev/null && continue
		echo "$file has no SPDX line"
		status=1
	done < <(tracked)
	return "$status"
}

# Scripts, by their first line.
shell_scripts() {
	local file
	while read -r file; do
		head -n 1 "$PROJECT/$file" |
			grep -E '^#!.*\b(ba)?sh\b' >/dev/null && echo "$file"
	done < <(tracked)
	return 0
}

shell() {
	local files
	# What bash reads by itself has no first line that says so.
	mapfile -t files < <(shell_scripts; tracked userspace/completion)
	cd "$PROJECT" && in_parallel 12 shellcheck -x <<<"${files[*]}"
}

# The head of the model says which step stands for which function.
mapping() {
	local model=$PROJECT/tests/model/scan.pml name names status=0
	mapfile -t names < <(sed '/^ \*\/$/q' "$model" |
		grep -oE '\brs_[a-z0-9_]+\(\)' | sort -u)
	((${#names[@]})) || return 1
	for name in "${names[@]%()}"; do
		grep -qE "^[a-z_][a-z0-9_ *]*\b$name\(" \
			"$PROJECT"/module/*.[ch] && continue
		echo "the model's head names $name(), which module/ does not have"
		status=1
	done
	return "$status"
}

# Cases, suites and targets: what stands in backquotes in the last column of the tables.
guarantees() {
	local name names status=0
	# shellcheck disable=SC2016 # these backquotes are the README's
	mapfile -t names < <(sed -n '/^## Guarantees/,/^## Trouble/p' \
		"$PROJECT/README.md" | awk -F'|' '/^[|]/ { print $(NF - 1) }' |
		grep -oE '`[^`]+`' | tr -d '`' | sort -u)
	((${#names[@]})) || return 1
	for name in "${names[@]}"; do
		shown_by "$name" && continue
		echo "README's guarantees name $name, which there is not"
		status=1
	done
	return "$status"
}

shown_by() {
	local tests=$PROJECT/tests
	case $1 in
	make\ *) grep -q "^## ${1#make } " "$PROJECT/Makefile" ;;
	*_test.c) [[ -e $tests/kunit/$1 ]] ;;
	*.*) grep -qE "^TEST_F(_TIMEOUT)?\(${1%.*}, ${1#*.}\b" \
		"$tests"/selftests/test_*.c ;;
	*) grep -qE "^TEST\($1\)" "$tests"/selftests/test_*.c ;;
	esac
}

# Every command and struct of the interface is described for fuzzers.
syzlang() {
	local name names status=0 described=$PROJECT/tests/fuzz/refstore.txt
	mapfile -t names < <(grep -oE '^#define REFSTORE_\w+ *\\?$|^#define REFSTORE_\w+ _IO' \
		"$PROJECT/uapi/linux/refstore.h" | grep -oE 'REFSTORE_\w+';
		sed -nE 's/^struct (refstore_\w+) \{/\1/p' \
			"$PROJECT/uapi/linux/refstore.h" | grep -v refstore_walk_)
	((${#names[@]} > 60)) || return 1
	for name in "${names[@]}"; do
		grep -qE "^(ioctl\\$)?$name\b" "$described" && continue
		[[ $name == REFSTORE_RIGHTS_READ ]] && continue
		echo "$described has no $name"
		status=1
	done
	return "$status"
}

checkpatch() {
	local source ignored=$1 files
	shift
	source=$("$VM_DIR/kernel.sh" source-6.12)
	mapfile -t files < <(tracked "$@")
	cd "$PROJECT" && in_parallel 12 perl "$source/scripts/checkpatch.pl" \
		--no-tree --strict --terse --show-types --quiet \
		--ignore "$ignored" -f <<<"${files[*]}"
}

module() {
	"$VM_DIR/module.sh" "$@"
}

# The kernel's own semantic patches; what they find is a file, a line and a word.
coccinelle() {
	local source found
	source=$("$VM_DIR/kernel.sh" source-6.12)
	found=$(cd "$source" && find scripts/coccinelle -name '*.cocci' -print0 |
		xargs -0 -P "$(nproc)" -I{} spatch -D report --no-show-diff \
			--very-quiet --no-includes --include-headers \
			--timeout 60 --cocci-file {} \
			--macro-file-builtins scripts/coccinelle/macros.h \
			--dir "$PROJECT/module" 2>/dev/null)
	echo "$found"
	[[ ! $found ]]
}

# Of the user's side.
cppcheck_userspace() {
	cd "$PROJECT/userspace" &&
		cppcheck -q --enable=warning,performance,portability --std=c11 \
			--error-exitcode=1 -j "$(nproc)" -D_GNU_SOURCE \
			-I../uapi -Ilib -Itools lib tools
}

tidy_userspace() {
	# shellcheck disable=SC2016 # for the shell that xargs starts
	cd "$PROJECT/userspace" && echo lib/*.c tools/*.c |
		in_parallel 12 sh -c 'checks=$1 && shift &&
			clang-tidy --quiet --warnings-as-errors="*" \
			--checks="$checks" "$@" -- -std=gnu11 -D_GNU_SOURCE \
			-DVERSION="\"0\"" -I../uapi -Ilib -Itools \
			$(pkg-config --cflags json-c ncursesw)' sh "$TIDY"
}

# One of these looks for races, in a build of its own.
userspace() {
	make -j"$(nproc)" -C "$PROJECT/userspace" check
}

# With what finds wrong accesses, leaks and undefined behaviour; and counting what is run,
# for tests/coverage.
sanitized() {
	local flags='-O1 -g --coverage -fsanitize=address,undefined'
	rm -f "$PROJECT"/build/sanitized/*/*.gcda
	make -j"$(nproc)" -C "$PROJECT/userspace" O="$PROJECT/build/sanitized" \
		CFLAGS="$flags -fno-sanitize-recover=all" check
}

# What no other part of "make test" compiles.
other_programs() {
	local source folder
	source=$("$VM_DIR/kernel.sh" source-6.12)
	for folder in demo torture fuzz fault; do
		make -j"$(nproc)" -C "$PROJECT/tests/$folder" \
			KSELFTEST="$source/tools/testing/selftests" || return
	done
	benchmarks
}

# No module is needed, and here they take seconds.
stubs() {
	make -s -C "$PROJECT/userspace" &&
		make -s -C "$PROJECT/userspace/python" &&
		LD_LIBRARY_PATH=$PROJECT/build/userspace/lib \
			PYTHONPATH=$PROJECT/build/python \
			/usr/bin/python3 \
			"$PROJECT/userspace/python/tests/check_stubs.py"
}

benchmarks() {
	mkdir -p "$OUT"
	build_guest icount && build_guest scan && build_guest large
}

main() {
	make_work
	"$VM_DIR/deps.sh" build source-6.12 check python
	check 'every file names its licence' licences
	check 'shellcheck' shell
	check 'what the model names is in the module' mapping
	check 'the interface is described for fuzzers' syzlang
	check 'what is said to show guarantees exists' guarantees
	check 'checkpatch of the module' checkpatch "$IGNORED" \
		'module/*.[ch]' 'uapi/*.h' ':!module/trace.h'
	check 'checkpatch of the tracepoints' checkpatch "$IGNORED_TRACE" \
		module/trace.h
	check 'gcc W=1 and sparse on 6.12' module stock-6.12 C=2
	check 'gcc W=1 on 6.1' module stock-6.1
	check 'clang W=1 on 6.12' module llvm-6.12
	check 'semantic patches of the kernel' coccinelle
	check 'cppcheck of the library and the command' cppcheck_userspace
	check 'clang-tidy of the library and the command' tidy_userspace
	check 'the library and the command' userspace
	check 'the library and the command, with ASan and UBSan' sanitized
	check 'the Python package has the types that it says' stubs
	check 'the demonstration, torture, fuzzing, and the benchmarks' other_programs
	plan
}

main "$@"
