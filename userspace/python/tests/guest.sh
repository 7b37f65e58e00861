#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, mounts heaps, and runs the tests of what
# "make python" has built; removes all again.
# usage: guest.sh refstore.ko [TEST...]
# REFSTORE_ROUNDS and REFSTORE_KILLS make them longer. With REFSTORE_LONG, Python's
# own tests are run as well.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../../../build" && pwd)
module=$1
shift

export LD_LIBRARY_PATH="$build/userspace/lib"
export PYTHONPATH="$build/python" PYTHONDONTWRITEBYTECODE=1
export PATH="$build/userspace/tools:$PATH"
status=0
insmod "$module"
mkdir -p /run/refstore
mount -t refstore none /run/refstore
/usr/bin/python3 -X faulthandler "$here/run.py" "$@" || status=$?
if [ "${REFSTORE_LONG-}" ] && ! [ "${1-}" ]; then
	for method in fork spawn forkserver; do
		echo "# --- Python's own tests, $method"
		REFSTORE_METHOD=$method /usr/bin/python3 "$here/run_cpython.py" ||
			status=$?
	done
fi
umount /run/refstore
rmmod refstore
exit "$status"
