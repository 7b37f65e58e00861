# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The library: its examples, programs of its own, and those of the manual pages.
# Sourced by module.sh.

# as_said NAME COMMAND...: the command prints what its source says that it does.
as_said() {
	sed -n '/^ \* .*prints:/,/^ \*\//s/^ \*\t//p' \
		"$here/../examples/$1.c" >"$work/wanted"
	shift
	"$@" >"$work/text" && [ -s "$work/wanted" ] &&
		diff "$work/wanted" "$work/text"
}

# Two processes, of which the first has ended; and a heap that only the name keeps.
named() {
	mount -t refstore none "$work/named" &&
		"$build/examples/named" write "$work/named/greeting" &&
		"$build/examples/named" read "$work/named/greeting" &&
		rm "$work/named/greeting" && umount "$work/named"
}

for name in hello graph events large; do
	check "the example $name.c prints what it says" \
		as_said "$name" "$build/examples/$name"
done
mkdir "$work/named"
check 'the example named.c prints what it says' as_said named named
check 'the library works' "$build/check/library"
check 'so it does from C++' \
	env LD_LIBRARY_PATH="$build/lib" "$build/check/cplusplus"
check 'so do its calls for the scanner, weak handles and events' \
	"$build/check/gc"
# The examples of the manual pages, which run.sh has taken from there.
examples=$build/check/man
for source in "$examples"/*.c; do
	program=${source%.c}
	[ ! -e "$program.out" ] || check "the example ${program##*/} is right" \
		prints "$(cat "$program.out")" \
		env LD_LIBRARY_PATH="$build/lib" "$program"
done
