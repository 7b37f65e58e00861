# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Runs what manual pages have for a shell, from where examples.awk has written it,
# $examples, in an empty directory for all of it, $work/examples. Sourced.

# soon COMMAND...: succeeds if the command does within ten seconds.
soon() {
	tries=100
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

# masked FILE: without numbers that are others each time.
masked() {
	sed -E 's/(session|process|user) [0-9]+/\1 N/g' "$1"
}

# as_shown NAME: that is what the page shows, if it does.
as_shown() {
	[ -e "$examples/$1.out" ] || return 0
	masked "$examples/$1.out" >"$work/wanted"
	masked "$work/printed" | diff "$work/wanted" -
}

# example NAME CHANGE [&]: prints what the page shows, when it is changed by sed.
# With "&" it does so soon, and stays.
example() {
	sed "$2" "$examples/$1.sh" >"$work/lines-$1"
	if [ "${3-}" = '&' ]; then
		(cd "$work/examples" && exec sh -e "$work/lines-$1") \
			>"$work/printed" &
		soon as_shown "$1"
	else
		(cd "$work/examples" && exec sh -e "$work/lines-$1") \
			>"$work/printed" && as_shown "$1"
	fi
}
