#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the library looks like to programs that were linked with it, in XML:
# abi.sh LIBRARY, which has debugging information. Only what the public headers
# tell of is in it, and nothing of where or by what it was compiled.
set -eu

userspace=$(dirname "$0")/..

dump=$(abidw --exported-interfaces-only --drop-private-types \
	--header-file "$userspace/lib/refstore.h" \
	--headers-dir "$userspace/../uapi" \
	--no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed \
	--no-parameter-names --no-write-default-sizes --type-id-style hash \
	"$1")
# The licence comes second: abidiff knows such a file by its first line.
printf '%s\n' "$dump" | sed -e "s|path='[^']*/lib/|path='lib/|" \
	-e '1a <!-- SPDX-License-Identifier: LGPL-2.1-or-later -->'
