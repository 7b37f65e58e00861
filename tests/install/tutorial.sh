#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Does what the tutorial of refstore(7), as it is installed, tells its reader to do,
# where the packages have mounted the heaps, and compares what is printed.
set -eu

here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
# shellcheck source=userspace/check/examples.sh
. "$here/examples.sh"
make_work
examples=$work/page
mkdir "$examples" "$work/examples"

gzip -dc /usr/share/man/man7/refstore.7.gz >"$work/refstore.7"
awk -v to="$examples" -f "$here/examples.awk" "$work/refstore.7"
cp "$examples/orders.c" "$work/examples"
while read -r name stays; do
	echo "$name"
	case $name in
	mount | unmount) continue ;;
	esac
	example "$name" '' "$stays"
	last=$name
done <"$examples/refstore.7.shells"
[ "$last" = end ]
