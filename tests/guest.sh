#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: inserts the module, runs the programs, removes the module.
# usage: guest.sh refstore.ko m64|m32
set -euo pipefail

insmod "$1"
tests/selftests/run.sh "build/selftests/$2"
rmmod refstore
