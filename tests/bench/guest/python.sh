#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module and measures the Python package.
# usage: python.sh refstore.ko WHAT...
set -euo pipefail

module=$1
shift
export LD_LIBRARY_PATH=build/userspace/lib PYTHONPATH=build/python
export PYTHONDONTWRITEBYTECODE=1

insmod "$module"
mkdir -p /run/refstore
mount -t refstore none /run/refstore
for what in "$@"; do
	/usr/bin/python3 userspace/python/bench/bench.py "$what"
done
umount /run/refstore
rmmod refstore
