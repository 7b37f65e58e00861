#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes targets of the library and the command in build/sanitized, built so that they
# look for wrong accesses, leaks and undefined behaviour.
# usage: sanitized.sh [TARGET...]
set -euo pipefail

cd "$(dirname "$0")/.."
flags='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
make -C userspace O="$PWD/build/sanitized" CFLAGS="$flags" "$@"
