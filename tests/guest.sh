#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, runs the programs and the library's and the
# command's checks, removes the module.
# usage: guest.sh refstore.ko m64|m32 [SECONDS for each program]
set -euo pipefail

insmod "$1"
status=0
tests/selftests/run.sh ${3:+-t "$3"} "build/selftests/$2" || status=1
sh userspace/check/module.sh build/userspace || status=1
rmmod refstore
exit "$status"
