#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What can be checked without the kernel module: run.sh BUILD-DIRECTORY
# $CC, $CXX, $CFLAGS and $UAPI say with what. The output is TAP.
set -u

build=$1
here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
hyphen=
# shellcheck source=userspace/check/tap.sh
. "$here/tap.sh"
tool=$build/tools/refstore
make_work

# exits STATUS ARGUMENT...: the tool must end so, and say why on stderr alone.
exits() {
	status=$1
	shift
	"$tool" "$@" >"$work/stdout" 2>"$work/out" </dev/null
	[ $? -eq "$status" ] && [ -s "$work/out" ] && [ ! -s "$work/stdout" ]
	ok $? "refstore $* exits with $status"
}

# says STATUS MESSAGE ARGUMENT...: the same, with this as the first line.
says() {
	status=$1
	message=$2
	shift 2
	"$tool" "$@" >"$work/stdout" 2>"$work/out" </dev/null
	[ $? -eq "$status" ] && [ ! -s "$work/stdout" ] &&
		[ "$(head -n 1 "$work/out")" = "refstore: $message" ]
	ok $? "refstore $* says: $message"
}

# --- The headers and the library --------------------------------------------

# compiles WHAT COMPILER...: the public header, alone, without a word.
compiles() {
	name=$1
	shift
	echo '#include <refstore.h>' >"$work/header.c"
	check "the header compiles as $name" "$@" -Wall -Wextra -Wpedantic \
		-Werror -I"$UAPI" -I"$here/../lib" -fsyntax-only \
		"$work/header.c"
}

compiles C11 "$CC" -std=c11
compiles '32-bit C' "$CC" -m32
compiles 'new C++' "$CXX" -std=c++20 -x c++
compiles C++11 "$CXX" -std=c++11 -x c++

# What the header declares, the map exports, and the library has.
sed -n 's/^.*\(refstore_[a-z_]*\)(.*$/\1/p' "$here/../lib/refstore.h" |
	sort -u >"$work/mentioned"
sed -n 's/^\t\(refstore_[a-z_]*\);$/\1/p' "$here/../lib/librefstore.map" |
	sort >"$work/mapped"
nm -D --defined-only "$build/lib/librefstore.so.0" |
	sed -n 's/^.* T \(refstore_[a-z_]*\)@@REFSTORE_1$/\1/p' |
	sort >"$work/exported"
check 'the library exports what the map says' \
	cmp "$work/mapped" "$work/exported"
check 'the header mentions the same functions' \
	cmp "$work/mapped" "$work/mentioned"

# The size of each struct that programs have in their memory is asserted.
grep -o 'struct refstore_[a-z_]*' "$here/../lib/refstore.h" |
	sed 's/struct //' | LC_ALL=C sort -u >"$work/structs"
sed -n 's/^struct \(refstore_[a-z_]*\);$/\1/p' "$here/../lib/refstore.h" |
	LC_ALL=C sort | LC_ALL=C comm -23 "$work/structs" - >"$work/known"
sed -n 's/^SIZE_IS(\([a-z_]*\), .*/\1/p' "$here/../lib/layout.c" \
	>"$work/asserted"
[ -s "$work/known" ] && diff "$work/known" "$work/asserted" >"$work/out"
ok $? 'each struct of the library has its size asserted'

# takes_larger STRUCT: the library is compiled with one that has a field more.
takes_larger() {
	mkdir -p "$work/larger/linux"
	sed "/^struct $1 {/,/^};/s/^};/\t__aligned_u64 more;\n};/" \
		"$UAPI/linux/refstore.h" >"$work/larger/linux/refstore.h"
	"$CC" -D_GNU_SOURCE -I"$work/larger" -I"$here/../lib" -fsyntax-only \
		"$here/../lib/layout.c" >"$work/out" 2>&1
}

! takes_larger refstore_query && grep -q 'must not change' "$work/out"
ok $? 'a struct that has grown is noticed'

# Each command of the kernel's has its function, of the same name where the header
# does not say otherwise, which makes the call.
uncalled() {
	sed -n 's/^\tREFSTORE_CMD_\([A-Z_]*\).*/\1/p' \
		"$UAPI/linux/refstore.h" >"$work/commands"
	while read -r command; do
		function=$(sed -n "s/^ \*   REFSTORE_$command  *\(.*\)()\$/\1/p" \
			"$here/../lib/refstore.h")
		[ "$function" ] || function=refstore_$(echo "$command" |
			tr '[:upper:]' '[:lower:]')
		if ! grep -qx "$function" "$work/mapped" ||
			! grep -qw "REFSTORE_$command" "$here"/../lib/*.c; then
			echo "REFSTORE_$command: no $function()"
		fi
	done <"$work/commands"
}

uncalled >"$work/out"
[ -s "$work/commands" ] && [ ! -s "$work/out" ]
ok $? "each of the kernel's commands has a function"

# keeps LIST: what a release promised is so still; more may have come.
keeps() {
	sh "$here/uapi.sh" "$UAPI/linux/refstore.h" "$CC" >"$work/facts" ||
		return
	grep -v '^#' "$1" | LC_ALL=C comm -23 - "$work/facts" >"$work/broken"
	[ -s "$work/facts" ] && [ ! -s "$work/broken" ] && return
	echo 'programs rely on what is not so any more:'
	cat "$work/broken"
	return 1
}

for list in "$here"/uapi-*.list; do
	release=${list##*/uapi-}
	check "the kernel's interface is that of ${release%.list}" keeps "$list"
done

# The script that tells calls apart has a name for each.
calls_have_names() {
	sh "$here/uapi.sh" "$UAPI/linux/refstore.h" "$CC" |
		sed -n 's/^REFSTORE_CMD_\([A-Z_]*\) \(0x[0-9a-f]*\)$/\2 \1/p' |
		sort >"$work/commands"
	[ -s "$work/commands" ] &&
		sed -n 's/.*@name\[\(0x[0-9a-f]*\)\] = "\([A-Z_]*\)";$/\1 \2/p' \
			"$here/../bpftrace/refstore-latency.bt" | sort |
		diff "$work/commands" -
}

check "bpftrace knows the kernel's calls by name" calls_have_names

# What programs that were linked with the library rely on stays as it was noted.
abi_is_kept() {
	sh "$here/abi.sh" "$build/lib/librefstore.so.0" >"$work/abi" &&
		abidiff "$here/../lib/librefstore.abi" "$work/abi" && return
	echo "If that is meant, and no release is broken: make abi, and commit."
	return 1
}

name='the library is what programs were linked with'
if ! command -v abidw >"$work/out" || ! command -v abidiff >"$work/out"; then
	skip "$name" 'abigail-tools is not installed'
elif ! readelf -S "$build/lib/librefstore.so.0" | grep -q debug_info; then
	skip "$name" 'it was compiled without -g'
else
	check "$name" abi_is_kept
fi

# manual QUESTION [ARGUMENT]: see man.sh.
manual() {
	sh "$here/man.sh" "$@"
}

examples=$build/check/man
check 'manual pages have examples' manual examples "$examples"

# install_to TARGET: makes it, below a folder.
install_to() {
	env -u MAKEFLAGS -u MFLAGS make -f "$here/../Makefile" O="$build" \
		DESTDIR="$work/root" PREFIX=/usr/local "$1"
}

# What is found below the folder, but for folders.
installed() {
	find "$work/root" ! -type d
}

check 'it is installed' install_to install
installed | grep -v /share/man/ >"$work/out"
[ "$(wc -l <"$work/out")" -eq 20 ]
ok $? '20 files are installed beside manual pages'
manual names | awk '{ print "man" $2 "/" $1 "." $2 }' | sort >"$work/names"
(cd "$work/root/usr/local/share/man" && echo man*/*) | tr ' ' '\n' | sort |
	diff "$work/names" - >"$work/out"
ok $? 'each name of a manual page is installed'
grep -rhx '\.so .*' "$work/root/usr/local/share/man" | sed 's/^\.so //' |
	sort -u | comm -23 - "$work/names" >"$work/out"
[ ! -s "$work/out" ]
ok $? 'links lead to pages'
check 'a program compiles as refstore(7) says' \
	env PKG_CONFIG_SYSROOT_DIR="$work/root" \
	PKG_CONFIG_PATH="$work/root/usr/local/lib/pkgconfig" \
	sh -c "cd '$examples' && $(grep '^cc ' "$examples/compile.sh")"

# The service's paths begin where it is installed now, for its program is there.
mkdir "$work/units"
system=$work/root/usr/local/lib/systemd/system
sed "s|/usr/local|$work/root&|" "$system/refstore-metrics.service" \
	>"$work/units/refstore-metrics.service"
cp "$system/refstore-metrics.timer" "$work/units/"
if command -v systemd-analyze >"$work/out"; then
	check 'the units are verified' systemd-analyze verify --man=no \
		"$work/units/refstore-metrics.service" \
		"$work/units/refstore-metrics.timer"
	[ ! -s "$work/out" ]
	ok $? 'without a word'
else
	skip 'the units are verified' 'there is no systemd-analyze'
fi
writer=$work/root/usr/local/libexec/refstore-metrics
if [ -e /proc/refstore ]; then
	skip 'old metrics go with the module' 'it is there'
else
	mkdir "$work/prometheus"
	touch "$work/prometheus/refstore.prom" "$work/prometheus/other.prom"
	check 'without the module, no metrics are written' \
		"$writer" "$work/prometheus"
	[ "$(ls -A "$work/prometheus")" = other.prom ]
	ok $? 'and old ones go'
fi
check 'it is uninstalled' install_to uninstall
installed >"$work/out"
[ ! -s "$work/out" ]
ok $? 'nothing of it is left'

check 'changes of a heap show in its sum' "$build/check/sum"
check 'batches survive being cut' "$build/check/builder"
check 'signals are nothing to most calls' "$build/check/signal"
check 'many objects are made, or none' "$build/check/many"
check 'large values are made, sealed and read' "$build/check/large"
check 'who holds an object is told' "$build/check/holders"
check 'components are found' "$build/check/components"
check 'top knows what grew, and sorts' "$build/check/view"
check 'who has a memfd is found' "$build/check/memfd"
check 'events come to those that they are for' "$build/check/event"
check 'sessions survive fork()' "$build/check/fork"
check 'descriptors pass through sockets' "$build/check/socket"

name='threads run beside each other, without a race'
"$build/check/threads" >"$work/out" 2>&1 </dev/null
status=$?
if grep -q 'unexpected memory mapping' "$work/out"; then
	skip "$name" 'ThreadSanitizer is too old for this kernel'
else
	ok $status "$name"
fi

# --- Manual pages -----------------------------------------------------------

if command -v mandoc >"$work/out"; then
	check 'mandoc finds nothing wrong' manual lint
else
	skip 'mandoc finds nothing wrong' 'there is no mandoc'
fi
check 'the pages that they refer to are there' manual references
check 'each function has its manual page' manual functions
check 'functions are declared there as in the header' manual prototypes
check 'under their names' manual synopses
check 'with results, errors, owners, threads, an example' manual sections
check 'refstore(4) has each call of the device' manual ioctls
check 'and each mount option' manual options
check 'and each parameter of the module' manual parameters
check 'refstore-proc(5) has each file and column' manual proc
check 'refstore(1) has what --help has' manual help "$tool"

if command -v mandoc >"$work/out"; then
	check 'people see the examples as they are' manual shown
else
	skip 'people see the examples as they are' 'there is no mandoc'
fi
# Run without the module, each must say so; module.sh runs them with it.
for source in "$examples"/*.c; do
	program=${source%.c}
	# shellcheck disable=SC2086 # these are words
	check "the example ${source##*/} compiles" "$CC" $CFLAGS \
		-Wall -Wextra -Werror \
		-I"$UAPI" -I"$here/../lib" "$source" -L"$build/lib" -lrefstore \
		-o "$program"
	if [ ! -e "$program.out" ] || [ -e /dev/refstore ]; then
		continue
	fi
	LD_LIBRARY_PATH=$build/lib "$program" >"$work/out" 2>&1
	[ $? -eq 1 ] && grep -q ': open: No such file or directory$' "$work/out"
	ok $? "without the module, ${program##*/} says so"
done
for script in "$examples"/*.sh; do
	check "the example ${script##*/} is for a shell" sh -n "$script"
done
"$build/check/graph" "$examples/graph.jsonl" 2>&1 |
	diff "$examples/graph.jsonl" - >"$work/out"
ok $? 'the dump of refstore-dump(5) comes out as it went in'
for option in '' -new; do
	# shellcheck disable=SC2086
	"$tool" growth ${option:+-$option} "$examples/before" \
		"$examples/after" 2>&1 |
		diff "$examples/growth$option.out" - >"$work/out"
	ok $? "its snapshots grow as it says, growth${option:+ -$option}"
done

# --- Dumps ------------------------------------------------------------------

# lines LINE...: makes a dump of a first line and these.
lines() {
	printf '%s\n' '{"refstore":2}' "$@" >"$work/dump"
}

# old LINE...: the same of version 1.
old() {
	printf '%s\n' '{"refstore":1}' "$@" >"$work/dump"
}

# same NAME: the dump is written as it was read.
same() {
	"$build/check/graph" "$work/dump" >"$work/again" 2>&1
	diff "$work/dump" "$work/again" >"$work/out"
	ok $? "a dump with $1 comes out as it went in"
}

# refused MESSAGE: the dump is refused with "LINE: MESSAGE".
refused() {
	"$build/check/graph" "$work/dump" >"$work/out" 2>&1
	[ $? -eq 1 ] && [ "$(cat "$work/out")" = "$1" ]
	ok $? "refused: $1"
}

lines '{"root":null,"objects":0}'
same 'nothing'
lines '{"id":7,"type":"list","slots":[8,null,7]}' \
	'{"id":8,"type":"str","text":"grün\n"}' '{"root":7,"objects":2}'
same 'a cycle and text'
lines '{"id":1,"type":"a","slots":[]}' '{"id":2,"type":"b","data":"AAECAw=="}' \
	'{"id":3,"type":"b","data":"/+8=","sealed":["data"]}' \
	'{"id":4,"type":"c","slots":[null],"text":"\t\"\\"}' \
	'{"id":5,"type":"c","sealed":["data","slots"]}' \
	'{"id":6,"type":"c","sealed":["slots"]}' '{"root":null,"objects":6}'
same 'no slots, bytes, seals'
lines '{"id":1,"type":"a","large":true,"data":"aGVsbG8="}' \
	'{"id":2,"type":"b","large":true,"data":"AAEC","sealed":["data"]}' \
	'{"id":3,"type":"b","slots":[1,2]}' '{"root":3,"objects":3}'
same 'large values'
lines '{"id":1,"type":"a","label":"grün \"1\"","slots":[2]}' \
	'{"id":2,"type":"b","label64":"/yI=","large":true,"data":"AAEC"}' \
	'{"id":3,"type":"b","label64":"woA=","text":"x"}' '{"root":1,"objects":3}'
same 'labels'
lines '{"id":1,"type":"a","interned":true}' \
	'{"id":2,"type":"b","text":"x","sealed":["data"],"interned":true}' \
	'{"id":3,"type":"a","text":"x","interned":true,"immortal":true}' \
	'{"id":4,"type":"b","text":"x","immortal":true}' \
	'{"id":5,"type":"a","slots":[5],"immortal":true}' \
	'{"root":null,"objects":5}'
same 'what is interned or immortal'

old '{"id":7,"type":"list","slots":[8]}' \
	'{"id":8,"type":"str","sealed":["data"]}' '{"root":7}'
"$build/check/graph" "$work/dump" >"$work/again" 2>&1
lines '{"id":7,"type":"list","slots":[8]}' \
	'{"id":8,"type":"str","sealed":["data"]}' '{"root":7,"objects":2}'
diff "$work/dump" "$work/again" >"$work/out"
ok $? 'a dump of version 1 is read'
old '{"root":null}'
check 'so is an empty one' "$build/check/graph" "$work/dump"

# All that a dump can have; of what is left of it, or made of it, nothing is taken
# for what it is not.
lines '{"id":1,"type":"a","label":"grün","slots":[2,null],"text":"x\n",'\
'"sealed":["data","slots"]}' \
	'{"id":2,"type":"b","label64":"/yI=","data":"AAECAw==",'\
'"interned":true,"immortal":true}' \
	'{"id":9,"type":"b","large":true,"data":"aGVsbG8="}' \
	'{"root":1,"objects":3}'
same 'all of it'
check 'cut anywhere, it is refused on the line where it ends' \
	"$build/check/graph" "$work/dump" cut
check 'with any other byte, it is refused, or is another dump' \
	"$build/check/graph" "$work/dump" flip
cp "$work/dump" "$work/whole"
for line in 2 3 4; do
	sed "${line}d" "$work/whole" >"$work/dump"
	"$build/check/graph" "$work/dump" >"$work/out" 2>&1
	[ $? -eq 1 ] && grep -q '^4: 2 objects, not the 3 that are stated$' \
		"$work/out"
	ok $? "without its line $line, it is refused"
done

: >"$work/dump"
refused '1: the file ends without "root"'
printf '%s\n' '{"refstore":2}' >"$work/dump"
refused '2: the file ends without "root"'
for version in 0 -1 3 2.0 '"2"' null '[2]' 4294967298 99999999999999999999; do
	printf '%s\n' "{\"refstore\":$version}" >"$work/dump"
	refused '1: a dump of another version than 1 to 2'
done
printf '%s\n' '{"refstore":1,"x":1}' >"$work/dump"
refused '1: not a refstore dump'
printf '%s\n' '[1]' >"$work/dump"
refused '1: not a JSON object'
lines '{"id":1,"type":"a"}'
refused '3: the file ends without "root"'
lines '{"root":null,"objects":0}' '{"root":null,"objects":0}'
refused '3: a line after the last one'
lines '{"root":null} x'
refused '2: no JSON: unexpected character'
old '{"root":null,"id":1}'
refused '2: more than "root" on the last line'
old '{"root":null,"objects":0}'
refused '2: more than "root" on the last line'
lines '{"root":null,"objects":0,"id":1}'
refused '2: more than "root" and "objects" on the last line'
lines '{"root":null}'
refused '2: the last line states no "objects"'
for number in -1 0.0 '"0"' null '[]'; do
	lines "{\"root\":null,\"objects\":$number}"
	refused '2: "objects" is a number from 0 on'
done
lines '{"root":null,"objects":1}'
refused '2: 0 objects, not the 1 that are stated'
lines '{"id":1,"type":"a"}' '{"root":1,"objects":0}'
refused '3: 1 objects, not the 0 that are stated'
lines '{"id":1,"type":"a"}' '{"root":1,"objects":99999999999999999999}'
refused '3: 1 objects, not the 9223372036854775807 that are stated'
lines '{"root":3,"objects":0}'
refused '2: the root refers to object 3, which is not there'
for root in 0 -1 '"1"' '[]' true; do
	lines '{"id":1,"type":"a"}' "{\"root\":$root,\"objects\":1}"
	refused '3: an id is a number from 1 to 2^63 - 2, or null'
done
lines '' '{"root":null,"objects":0}'
refused '2: an incomplete line'
lines '{"id":1,"type":"a","slots":[1'
refused '2: an incomplete line'
lines 'nonsense'
refused "2: no JSON: null expected"
lines '{"id":1}'
refused '2: an object needs "id" and "type"'
lines '{"type":"a"}'
refused '2: an object needs "id" and "type"'
lines '{"id":1,"type":"a","color":3}'
refused '2: unknown key "color"'
for id in 0 -1 1.0 '"1"' null 9223372036854775807 99999999999999999999; do
	lines "{\"id\":$id,\"type\":\"a\"}"
	refused '2: an id is a number from 1 to 2^63 - 2'
done
lines '{"id":1,"type":"a"}' '{"id":2,"type":"a"}' '{"id":1,"type":"a"}'
refused '4: id 1 was given on line 2'
lines '{"id":1,"id":1,"type":"a","slots":[0]}'
refused '2: an id is a number from 1 to 2^63 - 2, or null'
for type in '""' '"a b"' '"\u00fc"' '"0123456789012345678901234567890x"' \
	'"a\u0000"'; do
	lines "{\"id\":1,\"type\":$type}"
	refused '2: a type is 1 to 31 printable ASCII characters without blanks'
done
lines '{"id":1,"type":1}'
refused '2: a type is a string'
lines '{"id":1,"type":"a"}' '{"id":2,"type":"b"}' '{"id":3,"type":"c"}' \
	'{"id":4,"type":"d"}'
refused '5: more than 3 types'
lines '{"id":1,"type":"a","slots":{}}'
refused '2: "slots" is an array'
lines '{"id":1,"type":"a","slots":[1,1,1,1,1,1]}'
refused '2: 6 slots, at most 5 are possible'
lines '{"id":1,"type":"a","slots":[[1]]}'
refused '2: an id is a number from 1 to 2^63 - 2, or null'
lines '{"id":1,"type":"a","slots":[[[[[[1]]]]]]}'
refused '2: no JSON: nesting too deep'
lines '{"id":1,"type":"a"}' '{"id":2,"type":"a","slots":[null,3]}' \
	'{"root":null,"objects":2}'
refused '3: a slot refers to object 3, which is not there'
for data in A AA AAA AA=A A=== ==== AA==AAAA AB== AAB= 'AAA\n' 'AA AA='; do
	lines "{\"id\":1,\"type\":\"a\",\"data\":\"$data\"}"
	refused '2: "data" is not base64'
done
lines '{"id":1,"type":"a","data":1}'
refused '2: "data" is a string'
lines '{"id":1,"type":"a","text":[]}'
refused '2: "text" is a string'
lines '{"id":1,"type":"a","text":"x","data":"AAAA"}'
refused '2: both "data" and "text"'
lines '{"id":1,"type":"a","text":"01234567890123456789012345678901234567890"}'
refused '2: 41 bytes of data, at most 40 are possible'
for key in large interned immortal; do
	for value in false null 1 '"true"' '[true]'; do
		lines "{\"id\":1,\"type\":\"a\",\"data\":\"AAAA\",\"$key\":$value}"
		refused "2: \"$key\" is true, or is not there"
	done
done
for key in label label64 interned immortal; do
	old "{\"id\":1,\"type\":\"a\",\"$key\":true}"
	refused "2: unknown key \"$key\""
done
for key in interned immortal; do
	lines "{\"id\":1,\"type\":\"a\",\"$key\":true,\"text\":\"x\",\"large\":true}"
	refused '2: a large object is neither interned nor immortal'
done
lines '{"id":1,"type":"a","interned":true,"slots":[]}'
refused '2: an interned object has no slots'
lines '{"id":5,"type":"a","text":"x","interned":true}' \
	'{"id":1,"type":"a","text":"y","interned":true}' \
	'{"id":7,"type":"b","text":"x","interned":true}' \
	'{"id":4,"type":"a","text":"x","immortal":true}' \
	'{"id":3,"type":"a","data":"eA==","interned":true}' \
	'{"root":null,"objects":5}'
refused '6: the same is interned on line 2'
control='a label is 1 to 31 bytes without control characters'
for label in '' '\n' '\u007f' '\u0000' 'a\u0000' \
	0123456789012345678901234567890x; do
	lines "{\"id\":1,\"type\":\"a\",\"label\":\"$label\"}"
	refused "2: $control"
done
lines '{"id":1,"type":"a","label64":"CgA="}'
refused "2: $control"
lines '{"id":1,"type":"a","label64":"A"}'
refused '2: "label64" is not base64'
lines '{"id":1,"type":"a","label":1}'
refused '2: "label" is a string'
lines '{"id":1,"type":"a","label64":null}'
refused '2: "label64" is a string'
lines '{"id":1,"type":"a","label":"x","label64":"eA=="}'
refused '2: both "label" and "label64"'
lines '{"id":1,"type":"a","large":true}'
refused '2: a large object has data'
lines '{"id":1,"type":"a","large":true,"data":""}'
refused '2: a large object has data'
lines '{"id":1,"type":"a"}' \
	'{"id":2,"type":"a","large":true,"slots":[],"data":"AAAA"}'
refused '3: a large object has no slots'
ten=0123456789
sixty=$ten$ten$ten$ten$ten$ten
lines "{\"id\":1,\"type\":\"a\",\"text\":\"$sixty\"}"
refused '2: 60 bytes of data, at most 40 are possible'
lines "{\"id\":1,\"type\":\"a\",\"text\":\"$sixty\",\"large\":true}" nonsense
refused '3: no JSON: null expected'
lines "{\"id\":1,\"type\":\"a\",\"large\":true,\"text\":\"x$sixty\"}"
refused '2: 61 bytes of data, at most 60 are possible'
lines '{"id":1,"type":"a","sealed":true}'
refused '2: "sealed" is an array'
lines '{"id":1,"type":"a","sealed":["all"]}'
refused '2: "sealed" contains something else than "data" and "slots"'
printf '{"refstore":1}\n{"id":1,"type":"a","text":"\377"}\n' >"$work/dump"
refused '2: no JSON: invalid utf-8 string'
printf '{"refstore":2}\n{"root":null,"objects":0}\0\n' >"$work/dump"
refused '2: something after the JSON value'

# --- Snapshots --------------------------------------------------------------

boot=01234567-89ab-cdef-0123-456789abcdef

# snapshot FILE HEAP TIME LINE...: makes a snapshot of a first line and these.
snapshot() {
	file=$work/$1
	printf '{"refstore-snapshot":1,"heap":%s,"boot":"%s","time":%s}\n' \
		"$2" "$boot" "$3" >"$file"
	shift 3
	printf '%s\n' "$@" >>"$file"
}

# grows WANTED OPTION...: what growth prints of the files "before" and "after".
grows() {
	wanted=$1
	shift
	"$tool" growth "$work/before" "$work/after" "$@" >"$work/grown" 2>&1
	printf '%s\n' "$wanted" | diff - "$work/grown" >"$work/out"
	ok $? "growth${*:+ $*} prints: $(echo "$wanted" | head -n 2 | tail -n 1)"
}

# strange MESSAGE: growth refuses the two files with this.
strange() {
	"$tool" growth "$work/before" "$work/after" >"$work/out" 2>&1
	[ $? -eq 1 ] && [ "$(cat "$work/out")" = "refstore: $1" ]
	ok $? "growth refuses: ${1#"$work/"}"
}

# bad LINE MESSAGE: growth refuses the file "before" with this.
bad() {
	strange "$work/before:$1: $2"
}

# group TYPE LABEL OBJECTS BYTES: a line.
group() {
	printf '{"type":"%s","label":"%s","objects":%s,"bytes":%s}' "$@"
}

snapshot before 3 1000 "$(group list '' 2 200)" "$(group str "\\\"x\\\"" 1 50)" \
	"$(group dict '' 1 7)" '[1,0,150]' '[4,0,50]' '[5,1,50]' '[9,2,7]' \
	'{"complete":4}'
snapshot after 3 4000 "$(group str "\\\"x\\\"" 3 150)" "$(group list '' 1 50)" \
	"$(group list 'grün' 2 1000)" "$(group dict '' 1 7)" \
	"$(group list "\\\"x\\\"" 1 100)" '[4,1,50]' '[5,0,50]' '[9,3,7]' \
	'[10,2,400]' '[11,0,50]' '[12,0,50]' '[13,4,100]' '[14,2,600]' \
	'{"complete":8}'
head='  bytes before     bytes after          change'
head="$head  objects before   objects after          change  type          label"
total='           257            1307           +1050'
total="$total               4               8              +4  (all)"
printed="$head
             0            1000           +1000               0               2\
              +2  list          grün
            50             150            +100               1               3\
              +2  str           \"x\"
             0             100            +100               0               1\
              +1  list          \"x\"
           200              50            -150               2               1\
              -1  list          
$total"
grows "$printed"
numbers() {
	printf '{"bytes":{"before":%s,"after":%s,"change":%s},' "$1" "$2" "$3"
	printf '"objects":{"before":%s,"after":%s,"change":%s}' "$4" "$5" "$6"
}
grows "{\"heap\":3,\"nanoseconds\":3000,\"groups\":[$(
	numbers 0 1000 1000 0 2 2),\"type\":\"list\",\"label\":\"grün\"},$(
	numbers 50 150 100 1 3 2),\"type\":\"str\",\"label\":\"\\\"x\\\"\"},$(
	numbers 0 100 100 0 1 1),\"type\":\"list\",\"label\":\"\\\"x\\\"\"},$(
	numbers 200 50 -150 2 1 -1),\"type\":\"list\",\"label\":\"\"}],\"total\":$(
	numbers 257 1307 1050 4 8 4)}}" --json
grows '        id       bytes  type          label
        10         400  list          grün
        11          50  str           "x"
        12          50  str           "x"
        13         100  list          "x"
        14         600  list          grün' --new
"$tool" growth --new -j "$work/before" "$work/after" >"$work/grown" 2>&1
grep -o '"id":[0-9]*' "$work/grown" | tr -dc '0-9\n' | paste -sd ' ' >"$work/out"
[ "$(cat "$work/out")" = '10 11 12 13 14' ]
ok $? 'growth --new --json prints the same ids'
cp "$work/before" "$work/after"
grows "$head
           257             257              +0               4               4\
              +0  (all)"
grows '[]' --new --json

snapshot after 4 4000 '{"complete":0}'
strange 'not the same heap: 3, then 4'
snapshot after 3 999 '{"complete":0}'
strange 'the first snapshot is the later one: exchange them'
snapshot after 3 4000 "$(group int '' 1 50)" '[4,0,50]' '{"complete":1}'
strange 'not the same heap: object 4 is of type list, then of type int'
boot=x snapshot after 3 4000 '{"complete":0}'
strange 'not the same heap: the machine was started in between'
snapshot after 3 4000 '{"complete":0}'

: >"$work/before"
bad 1 'the file ends without "complete"'
for line in '[1]' '{"refstore":1}' '{"complete":0}'; do
	echo "$line" >"$work/before"
	bad 1 'not a snapshot'
done
echo '"x"' >"$work/before"
bad 1 'neither an object nor an array of JSON'
echo '{"refstore-snapshot":2}' >"$work/before"
bad 1 'a snapshot of another version than 1'
number='a number from 1 to 2^63 - 2'
for heap in 0 -1 1.0 '"1"' 9223372036854775807; do
	snapshot before "$heap" 1 '{"complete":0}'
	bad 1 "heap is $number"
done
snapshot before 3 null '{"complete":0}'
bad 1 'time is a number from 0 to 2^63 - 2'
boot=${boot}0 snapshot before 3 1 '{"complete":0}'
bad 1 'boot is up to 36 bytes without zeroes'
snapshot before 3 1 "$(group list '' 1 1)" '[1,0,1]'
bad 4 'the file ends without "complete"'
snapshot before 3 1 '{"type":"list","label":'
bad 2 'an incomplete line'
snapshot before 3 1 '{"type":[["list"]]}'
bad 2 'no JSON: nesting too deep'
snapshot before 3 1 '{"complete":0}' '{"complete":0}'
bad 3 'a line after the last one'
snapshot before 3 1 '{"complete":1}'
bad 2 '0 objects, not 1'
snapshot before 3 1 "$(group list '' 0 0)"
bad 2 "objects is $number"
snapshot before 3 1 "$(group list '' 1 -1)"
bad 2 'bytes is a number from 0 to 2^63 - 2'
snapshot before 3 1 "$(group 0123456789012345678901234567890x '' 1 1)"
bad 2 'type is up to 31 bytes without zeroes'
snapshot before 3 1 "$(group list '\u0000' 1 1)"
bad 2 'label is up to 31 bytes without zeroes'
for label in '\u001b[2J' '\n' '\u009b2J'; do
	snapshot before 3 1 "$(group list "$label" 1 1)"
	bad 2 'label has control characters'
done
snapshot before 3 1 '{"type":"list","objects":1,"bytes":1}'
bad 2 'label is a string'
most=9223372036854775806
snapshot before 3 1 "$(group list '' 1 "$most")" "$(group str '' 1 2)"
bad 3 'more than 2^63 bytes together'
for object in '[' '[]' '[1,0,' '[1,0]' '[1,0,1,1]' '[1,0,1] ' '[[1],0,1]' \
	'[-1,0,1]' '[ 1,0,1]' '[1,,1]' '[1,0,1.0]' '[9223372036854775807,0,1]' \
	'[1,0,99999999999999999999]'; do
	snapshot before 3 1 "$(group list '' 1 1)" "$object"
	bad 3 'not [ID,GROUP,BYTES], numbers up to 2^63 - 2'
done
snapshot before 3 1 "$(group list '' 1 1)" '[0,0,1]'
bad 3 'id 0 is not above 0'
snapshot before 3 1 "$(group list '' 1 1)" '[1,1,1]'
bad 3 'no group 1'
snapshot before 3 1 "$(group list '' 2 2)" '[2,0,1]' '[2,0,1]'
bad 4 'id 2 is not above 2'
snapshot before 3 1 "$(group list '' 1 2)" '[1,0,1]' '[2,0,1]'
bad 4 'more in group 0 than it states'
snapshot before 3 1 "$(group list '' 1 2)" '[1,0,3]'
bad 3 'more in group 0 than it states'
snapshot before 3 1 "$(group list '' 2 2)" '[1,0,2]' '{"complete":1}'
bad 4 'less in group 0 than it states'
snapshot before 3 1 "$(group list '' 1 2)" '[1,0,1]' '{"complete":1}'
bad 4 'less in group 0 than it states'
yes 0 | tr -d '\n' | head -c 1025 >"$work/before"
bad 1 'a line of more than 1024 bytes'

# --- Graphs -----------------------------------------------------------------

# draws LIMIT: so many objects are drawn as standard input says.
draws() {
	"$build/check/dot" "$1" >"$work/dot" 2>&1
	diff - "$work/dot" >"$work/out"
	ok $? "a graph of $1 objects at most"
}

draws 1 <<'EOF'
digraph refstore {
	node [style=filled,fillcolor=white];
	graph [style=filled,color=lightblue];
	n1 [label="a\"\\ 1"];
	root [shape=box];
	root -> n1;
	s11 [shape=box,label="session 11"];
	s11 -> n1;
	s11 [label="export 11\nprocess 71 (c)"];
	left [shape=note,label="10 objects left out, 3 of them garbage"];
	left_sessions [shape=note,label="1 session left out"];
}
EOF
draws 2 <<'EOF'
digraph refstore {
	node [style=filled,fillcolor=white];
	graph [style=filled,color=lightblue];
	n1 [label="a\"\\ 1"];
	subgraph cluster_3 {
	label="component of 2 objects";
	n4 [label="list 4\ngrün"];
	}
	root [shape=box];
	root -> n1;
	s7 [shape=box,label="session 7"];
	s7 -> n4 [label="2 handles"];
	s11 [shape=box,label="session 11"];
	s11 -> n1;
	s11 [label="export 11\nprocess 71 (c)"];
	s7 [label="session 7\nprocess 70 (a?\"b\\)\n\\N&amp;<"];
	left [shape=note,label="9 objects left out, 3 of them garbage"];
	left_sessions [shape=note,label="1 session left out"];
}
EOF
draws 500 <<'EOF'
digraph refstore {
	node [style=filled,fillcolor=white];
	graph [style=filled,color=lightblue];
	n2 [label="list 2\n\"];x[&amp;lt;\\"];
	subgraph cluster_1 {
	label="component of 1 object";
	n3 [label="list 3"];
	}
	n1 [label="a\"\\ 1"];
	subgraph cluster_3 {
	label="component of 2 objects";
	n4 [label="list 4\ngrün"];
	n5 [label="list 5\n??"];
	}
	n11 [label="list 11",fillcolor=lightcoral,peripheries=2];
	subgraph cluster_5 {
	label="component of 2 objects";
	n6 [label="list 6",fillcolor=lightcoral];
	n9 [label="list 9",fillcolor=lightcoral];
	}
	n8 [label="list 8"];
	n7 [label="list 7",peripheries=2];
	subgraph cluster_8 {
	label="component of 1 object";
	n10 [label="list 10",peripheries=2];
	}
	n1 -> n2 [label="2 slots"];
	n1 -> n3 [label="0"];
	n3 -> n3 [label="0"];
	n4 -> n5 [label="0"];
	n5 -> n4 [label="1"];
	n6 -> n1 [label="1"];
	n6 -> n9 [label="0"];
	n6 -> n11 [label="2"];
	n7 -> n8 [label="0"];
	n9 -> n6 [label="0"];
	n10 -> n10 [label="0"];
	root [shape=box];
	root -> n1;
	s7 [shape=box,label="session 7"];
	s7 -> n4 [label="2 handles"];
	s11 [shape=box,label="session 11"];
	s11 -> n1;
	s11 -> n5;
	s12 [shape=box,label="session 12"];
	s12 -> n1;
	s12 -> n2;
	s11 [label="export 11\nprocess 71 (c)"];
	s7 [label="session 7\nprocess 70 (a?\"b\\)\n\\N&amp;<"];
}
EOF

"$build/check/dot" 10 | grep 'left out' >"$work/out"
grep -q '"1 object left out, 1 of them garbage"' "$work/out"
ok $? 'garbage is left out first'

# What a label says must come out as its text, whatever it means to Graphviz.
if command -v dot >"$work/out"; then
	dot -Tsvg "$work/dot" >"$work/svg" 2>"$work/out" &&
		[ ! -s "$work/out" ] &&
		[ "$(grep -c '<g id="node' "$work/svg")" -eq 15 ] &&
		[ "$(grep -c '<g id="clust' "$work/svg")" -eq 4 ] &&
		grep -qF '>&quot;];x[&amp;lt;\</text>' "$work/svg" &&
		grep -qF '>\N&amp;&lt;</text>' "$work/svg" &&
		grep -qF '>process 70 (a?&quot;b\)</text>' "$work/svg"
	ok $? 'Graphviz shows the text of labels'
else
	skip 'Graphviz shows the text of labels' 'there is no Graphviz'
fi

# --- Tables -----------------------------------------------------------------

# table NAME WORD WANTED [--json]: the file becomes that.
table() {
	"$build/check/table" "$2" ${4:+"$4"} <"$work/proc" >"$work/table"
	printf '%s\n' "$3" | diff "$work/table" - >"$work/out"
	ok $? "$1"
}

types='refstore-types 1
# heap type name objects bytes
1 4 str 10 400
12 16 "7" 3 1'
wanted='[{"heap":1,"type":4,"name":"str","objects":10,"bytes":400},'
wanted=$wanted'{"heap":12,"type":16,"name":"\"7\"","objects":3,"bytes":1}]'
echo "$types" >"$work/proc"
table 'a table is aligned' refstore-types \
'heap  type  name  objects  bytes
   1     4  str        10    400
  12    16  "7"         3      1'
table 'a table in JSON' refstore-types "$wanted" --json
printf 'refstore-stats 2\nheaps 1\nobjects 22\n' >"$work/proc"
table 'values of a later version' refstore-stats 'heaps    1
objects  22'
printf 'refstore-stats 1\nheaps 1\n' >"$work/proc"
table 'values in JSON' refstore-stats '{"heaps":1}' --json
printf 'refstore-scans 1\n' | "$build/check/table" refstore-stats >"$work/out"
[ $? -eq 1 ]
ok $? 'another table is refused'
printf 'refstore-types 1\n# a b c\n1 2\n' |
	"$build/check/table" refstore-types >"$work/out"
[ $? -eq 1 ]
ok $? 'a short row is refused'
printf 'refstore-types 1\n# a b\n1 2\n# a b c\n3 4 5\n' |
	"$build/check/table" refstore-types >"$work/out"
[ $? -eq 1 ]
ok $? 'other columns behind a row are refused'

# --- Arguments --------------------------------------------------------------

for command in '' stat types scans users collect gc ls show path who \
	referrers referents watch events verify dump restore load snapshot \
	growth leaks graph top metrics; do
	# shellcheck disable=SC2086
	check "refstore $command --help" "$tool" $command --help
done
for option in --version -V 'dump -V'; do
	# shellcheck disable=SC2086
	"$tool" $option >"$work/version"
	sed -n 's/^Version: /refstore /p' "$build/lib/librefstore.pc" |
		diff "$work/version" - >"$work/out"
	ok $? "refstore $option prints the version"
done
unset REFSTORE_FD
number='takes a number from'
exits 2 nonsense
exits 2 --nonsense
says 2 "invalid option -- 'p'" -p 211 collect
grep -q '^Options of a command come after it\.' "$work/out"
ok $? 'the hint says where options belong'
says 2 "option '--pid' requires an argument" collect --pid
for option in --version --help 'load --help'; do
	# shellcheck disable=SC2086
	"$tool" $option >/dev/full 2>"$work/out"
	[ $? -eq 1 ] &&
		grep -qx 'refstore: cannot write: No space .*' "$work/out"
	ok $? "refstore $option says that it cannot write"
done
says 2 'stat takes no argument: more' stat more
says 2 'verify takes no argument: more' verify --fd 1 more
exits 2 stat --fd 1
says 2 'load: FILE is missing' load
says 2 "load: only '-- COMMAND' can follow FILE: --json" load file --json
says 2 "load: only '-- COMMAND' can follow FILE: command" load file command
says 2 "load: a COMMAND must follow '--'" load file --
says 2 'restore: FILE is missing' restore -p 1
says 2 'restore takes one FILE: more' restore file more
exits 2 verify --pid
says 2 "--pid $number 1 to 2147483647, not '0'" verify --pid 0
says 2 "--pid $number 1 to 2147483647, not '1x'" verify -p 1x
says 2 "--fd $number 0 to 2147483647, not '-1'" verify --fd -1
says 2 "--fd $number 0 to 2147483647, not '99999999999'" \
	verify --fd 99999999999
says 2 "--session-fd $number 0 to 2147483647, not ''" dump --pid 1 -s ''
for command in collect ls; do
	for word in 3 x -1 ''; do
		says 2 "--generation $number 0 to 2, not '$word'" \
			"$command" --generation "$word"
	done
done
says 2 "option '--generation' requires an argument" ls --generation
says 2 "unrecognized option '--generation'" verify --generation 1
says 2 'either --generation or --garbage' ls --generation 1 --garbage
says 2 'either --generation or --garbage' ls --garbage --generation 1
says 2 'either --enable or --disable' gc --enable --disable
says 2 'either --enable or --disable' gc --disable --enable
says 2 'either --freeze or --unfreeze' gc --freeze --unfreeze
says 2 'either --freeze or --unfreeze' gc --unfreeze --freeze
says 2 "--save-all takes 'on' or 'off', not 'maybe'" gc --save-all maybe
says 2 'gc takes no argument: enable' gc enable
three='takes one to three numbers from 0 to'
between='with commas between them, not'
for list in '' ',' '1,' 1,,2 1,2,3,4 -1 1x 4294967296 99999999999999999999; do
	says 2 "--threshold $three 4294967295, $between '$list'" \
		gc --threshold "$list"
done
says 2 "--delay $three 86400000, $between '0,86400001'" gc --delay 0,86400001
for command in show path who referrers referents; do
	says 2 "$command: ID is missing" "$command"
	says 2 "$command takes one ID: 2" "$command" 1 2
	says 2 "$command $number 1 to 9223372036854775807, not '0'" \
		"$command" 0
	says 2 "$command $number 1 to 9223372036854775807, not '1 '" \
		"$command" '1 '
done
says 2 "--count $number 1 to 9223372036854775807, not '0'" watch --count 0
says 2 "--death $number 1 to 9223372036854775807, not 'x'" \
	watch --death 1 --death x
says 2 'watch takes no argument: 1' watch 1
says 2 'watch takes no argument: 1' events 1
says 2 'growth: BEFORE is missing' growth
says 2 'growth takes two files' growth a
says 2 'growth takes two files' growth a b c
says 2 'snapshot takes no argument: a' snapshot a
says 2 'leaks takes no argument: 1' leaks 1
says 2 "option '--since' requires an argument" leaks --since
says 2 'graph: --dot is missing: there is no other form' graph
for delay in 0 86401 x ''; do
	says 2 "--delay $number 1 to 86400, not '$delay'" top -d "$delay"
done
says 2 "--sort takes one of the keys below, not 'bytes'" top --sort bytes
says 2 "--sort: no column here has the key 'q'" top -s q
says 2 "--sort: no column here has the key 'O'" top -s O --once
says 2 "--sort: no column here has the key 'h'" top -s h -p "$$"
says 2 '--session-fd goes with --pid' top -s b --session-fd 3
says 2 "--session-fd $number 0 to 2147483647, not 'b'" \
	top -p "$$" --session-fd b
says 2 'top takes no argument: 1' top 1
says 2 'metrics takes no argument: 1' metrics 1
for limit in 0 1000001 x; do
	says 2 "--limit $number 1 to 1000000, not '$limit'" \
		graph --dot --limit "$limit"
done
says 1 '/nowhere: No such file or directory' growth /nowhere /dev/null
exits 2 verify --fd 1 --pid 1
says 2 'either --heap or --fd or --pid' ls --heap x --pid 1
says 2 'either --heap or --fd or --pid' ls -f 0 -H x
says 2 "option requires an argument -- 'H'" ls -H
says 2 "unrecognized option '--heap'" stat --heap x
says 2 "invalid option -- 'p'" load -p 1 x
says 2 "invalid option -- 'H'" load -H "$work/file" x
exits 2 verify --session-fd 1
# shellcheck disable=SC2016
nothing='no heap: give --heap, --pid or --fd, or set $REFSTORE_FD'
says 1 "$nothing" verify
says 1 "$nothing" gc --threshold 0,4294967295,1 --delay 86400000 --save-all off
says 1 "$nothing" gc --enable --enable --freeze --drop-garbage
says 1 "$nothing" ls --generation 2
says 1 "$nothing" collect --generation 0
says 1 "$nothing" referrers 1
says 1 "$nothing" snapshot
says 1 "$nothing" restore "$work/dump"
says 1 "$nothing" leaks --since "$work/dump"
says 1 "$nothing" graph --dot --limit 1000000
says 1 "$nothing" referents 9223372036854775807
says 1 "$nothing" watch --count 1 --death 1 --sessions
says 1 "$nothing" events --count 1
says 1 'descriptor 0: not a session of refstore' dump --fd 0
exits 1 collect --fd 777
exits 1 verify --pid "$$"
exits 1 verify --pid 99999999
export REFSTORE_FD=
says 1 "$nothing" verify
export REFSTORE_FD=x
says 1 "\$REFSTORE_FD: 'x' is no descriptor" verify
unset REFSTORE_FD

mkfifo "$work/fifo"
: >"$work/file"
for path in "$work/file" "$work/fifo" "$work" /dev/null; do
	for command in ls collect "restore $work/dump"; do
		# shellcheck disable=SC2086
		says 1 "$path: not a heap of refstore" \
			${command%% *} --heap "$path" ${command#"${command%% *}"}
	done
done
says 1 "$work/nothing: No such file or directory" dump -H "$work/nothing"
says 1 "$work/file/x: Not a directory" restore -H "$work/file/x" "$work/dump"

# Whether it may be traced or not.
exits 1 dump --pid "$$" --session-fd 99
grep -q "^refstore: process $$, descriptor 99: " "$work/out"
ok $? 'the message names the process and the descriptor'

# --- Completion -------------------------------------------------------------

# completes WANTED WORD...: what is offered for the last word, in one line.
completes() {
	wanted=$1
	shift
	(cd "$work/folder" && bash "$checks/complete.sh" "$completion" \
		"$tool" "$@") >"$work/offered" 2>"$work/out" </dev/null
	paste -sd ' ' "$work/offered" >>"$work/out"
	[ "$(cat "$work/out")" = "$wanted" ]
	ok $? "completed is: refstore $*"
}

checks=$(cd "$here" && pwd)
completion=$(cd "$here/../completion" && pwd)/refstore
case $tool in
/*) ;;
*) tool=$PWD/$tool ;;
esac
mkdir "$work/folder" "$work/folder/deep"
: >"$work/folder/dump 1"
"$tool" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort \
	>"$work/commands"
completes "$(paste -sd ' ' "$work/commands")" ''
grep -qx watch "$work/commands"
ok $? 'watch is one of them'
completes 'scans show snapshot stat' s
completes 'scans show snapshot stat' -j s
completes 'gc' gc
completes '' nonsense ''
completes '--help --json --version' --
common='--fd --heap --help --json --pid --session-fd --version'
completes "$common" verify --
watched="--count --death ${common%-fd*}-fd --sessions --version"
completes "$watched" watch -
completes "$watched" events -
completes '--generation' ls --gen
completes 'off on' gc --save-all ''
completes 'on' gc --enable --save-all on
completes '' ls --generation ''
completes '' show ''
completes 'deep dump 1' load ''
completes 'dump 1' restore -p 1 du
completes 'deep dump 1' growth --new 'dump 1' ''
completes 'dump 1' leaks --since du
completes '' ls -H /nowhere
completes 'mkfifo' load file -- mkfif
completes '' watch -p nobody
# Each option that the help text of a command names, and no others.
while read -r command; do
	"$tool" "$command" --help |
		sed -n '/^Options:/,/^$/s/^ \{2,6\}-/-/p' | sed 's/  .*//' |
		grep -oe '--[a-z-]*' | sort | paste -sd ' ' >"$work/options"
	completes "$(cat "$work/options")" "$command" --
done <"$work/commands"

hint='No such file or directory; is the module loaded? (modprobe refstore)'
if [ -e /dev/refstore ] || [ -e /proc/refstore ]; then
	skip 'what is said without the module' 'it is there'
else
	says 1 "/proc/refstore/stats: $hint" stat
	says 1 "/proc/refstore/stats: $hint" top
	says 1 "/proc/refstore/stats: $hint" top --once
	says 1 "/proc/refstore/stats: $hint" metrics
	says 1 "/dev/refstore: $hint" load /dev/null
fi

plan
