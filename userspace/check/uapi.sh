#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What programs were compiled with that use the kernel's interface, a fact a line,
# sorted: uapi.sh HEADER COMPILER... Constants have their values, fields their
# types, places and sizes, structs that go in arrays their sizes; those that begin
# with their own size may grow.
set -eu

# shellcheck source=userspace/check/end.sh
. "$(dirname "$0")/end.sh"
header=$1
shift
make_work

# A program that prints the facts, made of the names that the header has. What is
# in a union of a struct is the struct's own; the interface's version is no
# promise.
awk '
function fact(format, values) {
	printf "\tprintf(\"%s\\n\", %s);\n", format, values
}
function constant(name) {
	fact(name " %#llx", "(unsigned long long)" name)
}
BEGIN {
	print "#include <stddef.h>\n#include <stdio.h>"
	print "#include <linux/refstore.h>\n\nint main(void)\n{"
}
/^#define REFSTORE_[A-Z0-9_]+[ \t]/ && $2 != "REFSTORE_VERSION" {
	constant($2)
}
/^#define REFSTORE_RESULT\(/ {
	constant("REFSTORE_RESULT(0)")
	constant("REFSTORE_RESULT(5)")
}
/^\tREFSTORE_[A-Z0-9_]+( = [0-9a-fx]+)?,/ {
	sub(/,/, "", $1)
	constant($1)
}
/^struct refstore_[a-z_]+ \{$/ {
	type = $2
	grows = 0
}
type && /^\t+(__|char |struct )[a-z0-9_ ]+(\[[A-Z0-9_]+\])?;/ {
	field = $0
	sub(/^\t+/, "", field)
	sub(/;.*/, "", field)
	name = field
	sub(/\[.*/, "", name)
	sub(/.* /, "", name)
	if (field == "__u32 size")
		grows = 1
	place = "offsetof(struct " type ", " name ")"
	size = "sizeof(((struct " type " *)0)->" name ")"
	# A struct in a union may grow, within the room that there is.
	if (field ~ /^struct /)
		fact("struct " type ": " field " at %zu", place)
	else
		fact("struct " type ": " field " at %zu, %zu bytes", \
		     place ", " size)
}
type && /^\};$/ {
	if (!grows)
		fact("struct " type ": %zu bytes", "sizeof(struct " type ")")
	type = ""
}
END { print "\treturn 0;\n}" }
' "$header" >"$work/facts.c"

"$@" -I"$(dirname "$header")/.." "$work/facts.c" -o "$work/facts"
"$work/facts" | LC_ALL=C sort
