# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What manual pages have for a shell. Sourced by module.sh.

mkdir "$work/examples"
export LD_LIBRARY_PATH="$build/lib"

# all PAGE CHANGE: its examples, in their order.
all() {
	while read -r name stays; do
		if [ "$name" = draw ] && ! command -v dot >"$work/out"; then
			skip "draw in $1" 'there is no Graphviz'
		else
			check "$name in $1" example "$name" "$2" "$stays"
		fi
	done <"$examples/$1.shells"
}

all refstore.7 "s|^cc .*|cp $examples/orders .|"
check 'the tutorial leaves nothing behind' \
	soon grep -qx 'heaps 0' /proc/refstore/stats

# Their process 4711 makes objects, 31 and up, while others sleep for a minute.
objects tree 30 >"$work/small"
# shellcheck disable=SC2016
refstore load "$work/small" -- sh -c 'read -r line && python3 -IS "$1" "$2" &&
	echo grown && read -r line' sh "$work/grow" \
	"$build/lib/librefstore.so.0" <"$work/orders" >"$work/fifo" &
pid=$!
exec 3>"$work/orders" 4<"$work/fifo"
shared=/run/refstore
mount -t refstore none "$shared"
check 'sessions in refstore-proc.5' soon sh -c "sh '$examples/sessions.sh' |
	grep '^/proc/$pid/fdinfo/[0-9]*:heap:.[0-9]'"
check 'garbage in refstore-proc.5' example garbage ''
all refstore.1 "s/4711/$pid/; s/815/31/; s/^sleep 60/echo >\&3; read -r line <\&4/"
umount "$shared"
shared=
exec 3>&- 4<&-
wait "$pid"
