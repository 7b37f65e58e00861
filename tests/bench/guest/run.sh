#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest that counts instructions: inserts the module and measures, first as
# the first process, then in a memory cgroup as every user's programs are.
# usage: run.sh refstore.ko FOLDER-OF-PROGRAMS
set -euo pipefail

cgroups=/sys/fs/cgroup

insmod "$1"
echo "# measured: Linux $(uname -r)"
"$2/icount"
"$2/scan" instructions
"$2/large"
echo +memory >$cgroups/cgroup.subtree_control
mkdir $cgroups/bench
echo $$ >$cgroups/bench/cgroup.procs
"$2/icount" -s _memcg
rmmod refstore
