#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Looks for a kernel's complaints in a log. Prints them with what is around and
# ends with 97 if there are any.
set -euo pipefail

COMPLAINTS=(
	'\bBUG: '
	'kernel BUG at'
	'\bWARNING: '
	'\bOops\b'
	'Kernel panic'
	'general protection'
	'Unable to handle kernel'
	'unable to handle (page fault|kernel)'
	'invalid opcode: '
	'stack segment: '
	'double fault'
	'\b(KASAN|KCSAN|KMSAN|KFENCE): '
	'\bUBSAN: '
	'(slab|page)-(use-after-free|out-of-bounds)'
	'Object (already free|padding overwritten)'
	'(Redzone|Poison|Padding) overwritten'
	'kmemleak: [0-9]+ new suspected'
	'unreferenced object'
	'kmemleak: (Cannot|Memory pool empty)'
	'refcount_t: '
	'list_(add|del) corruption'
	'ODEBUG: '
	'DEBUG_LOCKS_WARN_ON'
	'turning off the locking correctness validator'
	'possible (recursive|circular|irq lock|deadlock)'
	'[Ii]nconsistent lock state'
	'suspicious RCU'
	'Illegal context switch in RCU'
	'bad unlock balance'
	'sleeping function called from invalid context'
	'scheduling while atomic'
	'held lock freed'
	'INFO: (task|rcu|lockdep|trying|possible)'
	'blocked for more than'
	'rcu.*(detected (expedited )?stalls?|self-detected stall)'
	'rcu.*kthread (starved|timer wakeup)'
	'soft lockup'
	'hard LOCKUP'
	'workqueue lockup'
	'usercopy: Kernel memory'
	'Bad (page state|rss-counter)'
	'still has objects'
	'Slab cache still has objects'
	'Objects remaining in'
	'stack-protector: '
	'rtmutex deadlock'
	'Kernel stack is corrupted'
	'percpu_ref.*(underflow|<= 0)'
)

# What the kernel says in the words above without complaining.
HARMLESS='rcu: .*(Hierarchical|RCU_|stall warnings|CPU stall)|kmemleak: (Kernel memory leak detector|Automatic)|module verification failed|kmemleak report: $'

main() {
	local log=${1:?usage: complaints.sh LOG} pattern found
	pattern=$(IFS='|' && printf '%s' "${COMPLAINTS[*]}")
	# The carriage returns are the serial console's.
	found=$(tr -d '\r' <"$log" | grep -avE "$HARMLESS" |
		grep -aE -m 1 -B 12 -A 60 "$pattern") || true
	# Not by the status: what still writes when the last one has enough is killed.
	[[ $found ]] || return 0
	printf '%s\n' "--- the kernel complained, $log has:" "$found" '---' >&2
	return 97
}

main "$@"
