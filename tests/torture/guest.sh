#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, tortures it, removes it.
# usage: guest.sh refstore.ko SECONDS
set -euo pipefail

insmod "$1"
status=0
build/torture/torture "$2" || status=$?
rmmod refstore
exit "$status"
