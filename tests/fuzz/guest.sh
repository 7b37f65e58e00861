#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, fuzzes it, removes it.
# usage: guest.sh refstore.ko SECONDS CORPUS
set -euo pipefail

insmod "$1"
status=0
build/fuzz/fuzz "$2" "$3" || status=$?
rmmod refstore
exit "$status"
