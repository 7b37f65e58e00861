# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What is to be done when a script ends. Sourced, by sh and by bash.

# at_end COMMAND: does that, once, however the script ends. For dash, a signal is no
# end, unless the script ends because of it.
at_end() {
	# shellcheck disable=SC2064 # it is what is to be done
	trap "$1" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

remove_work() {
	rm -rf "$work"
}

# Sets work, a folder that goes at the end.
make_work() {
	work=$(mktemp -d) || exit
	at_end remove_work
}
