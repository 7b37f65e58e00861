#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes a disk of a system, and takes out its kernel. As root, in namespaces of its
# own.
# usage: image.sh FOLDER, which has root.tar
set -euo pipefail

cd "$1"
mkdir root
mount -t tmpfs -o mode=755 none root
tar -xf root.tar -C root
cp root/boot/vmlinuz-* vmlinuz
cp root/boot/initrd.img-* initrd
mke2fs -q -t ext4 -d root disk 6G
umount root
rmdir root
