# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What /proc/refstore has, as tables. Sourced by module.sh.

check 'stat' refstore
check 'stat in JSON' gives 'v["stats"]["heaps"] == 0' refstore
check 'types' refstore types
check 'types in JSON' gives 'v == []' refstore types
check 'scans' refstore scans
check 'scans in JSON' gives 'isinstance(v, list)' refstore scans
