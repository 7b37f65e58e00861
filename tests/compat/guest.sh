#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest with an older module: what needs nothing that it lacks works.
set -euo pipefail

REFSTORE=build/userspace/tools/refstore
HEAP=/run/refstore/app
# Programs of this revision that use nothing newer.
PROGRAMS=(test_collect test_gc test_kill test_limit test_many test_object test_root
	test_session test_weak)

export LD_LIBRARY_PATH=$PWD/build/userspace/lib

tests/selftests/run.sh build/selftests "${PROGRAMS[@]/#/m64/}"
mkdir -p "${HEAP%/*}"
mount -t refstore none "${HEAP%/*}"
: <>"$HEAP"
# Two objects that refer to each other, and one that nobody refers to.
"$REFSTORE" restore -H "$HEAP" - <<-EOF
	{"refstore":2}
	{"id":1,"type":"node","slots":[2]}
	{"id":2,"type":"node","slots":[1],"text":"two"}
	{"root":1,"objects":2}
EOF
for command in verify ls dump; do
	"$REFSTORE" "$command" -H "$HEAP"
	echo "ok - refstore $command"
done
umount "${HEAP%/*}"
