#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What bash offers when a tab follows a command line: complete.sh COMPLETION-FILE
# TOOL WORD...; the last word is the one that is completed. A line each, sorted.
set -u

# shellcheck source=userspace/completion/refstore
. "$1"
tool=$2
shift 2
COMP_WORDS=("$tool" "$@")
COMP_CWORD=$#
function=$(complete -p refstore)
function=${function#*-F }
"${function%% *}" "$tool" "${COMP_WORDS[COMP_CWORD]}" \
	"${COMP_WORDS[COMP_CWORD - 1]}"
[ "${#COMPREPLY[@]}" -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort -u
