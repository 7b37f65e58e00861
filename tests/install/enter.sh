#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs a program in a system that is unpacked into memory. As root, in namespaces
# of its own.
# usage: enter.sh FOLDER ROOT.TAR PROJECT COUNT PROGRAM
set -euo pipefail

root=$1 archive=$2 project=$3 count=$4 program=$5

mount -t tmpfs -o mode=755 none "$root"
# Devices are the machine's: a user namespace cannot make any.
tar -xf "$archive" -C "$root" --exclude='./dev/*'
mount --rbind /dev "$root/dev"
mount -t proc none "$root/proc"
mkdir "$root/src"
mount --bind "$project" "$root/src"
mount -o remount,bind,ro "$root/src"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	TMPDIR=/tmp count="$count" chroot "$root" bash "$program"
