#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, mounts heaps, and runs the tests of what
# "make python" has built; removes all again.
# usage: guest.sh refstore.ko [TEST...]
# REFSTORE_ROUNDS and REFSTORE_KILLS make them longer. With REFSTORE_LONG, Python's
# own tests are run as well.
set -eu

project=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck source=userspace/check/end.sh
. "$project/userspace/check/end.sh"
module=$1
shift

# In memory, as many a test starts Python many times.
make_work
mkdir "$work/package" "$work/userspace"
cp -a "$project/build/python/refstore" "$work/package/"
cp -a "$project/userspace/python" "$project/userspace/packaging" "$work/userspace/"
tests=$work/userspace/python/tests

export LD_LIBRARY_PATH="$project/build/userspace/lib"
export PYTHONPATH="$work/package"
export PATH="$project/build/userspace/tools:$PATH"
status=0
insmod "$module"
mkdir -p /run/refstore
mount -t refstore none /run/refstore
/usr/bin/python3 -X faulthandler "$tests/run.py" "$@" || status=$?
if [ "${REFSTORE_LONG-}" ] && ! [ "${1-}" ]; then
	for method in fork spawn forkserver; do
		echo "# --- Python's own tests, $method"
		REFSTORE_METHOD=$method /usr/bin/python3 "$tests/run_cpython.py" ||
			status=$?
	done
fi
umount /run/refstore
rmmod refstore
exit "$status"
