# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# What the scripts of this folder share. Sourced, never run.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=userspace/check/end.sh
. "$VM_DIR/../../userspace/check/end.sh"

# The project: the checkout that these scripts lie in, unless told otherwise.
PROJECT=$(cd "${REFSTORE_DIR:-$VM_DIR/../..}" && pwd -P)

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/refstore
PROGRAM=$(basename "$0")

# depmod, modprobe and their like are not in everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A make that calls these scripts shares no jobs with those that they call.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Tools are asked for words that are looked at below.
export LC_ALL=C.UTF-8

say() {
	printf '%s: %s\n' "$PROGRAM" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# A short name for whatever comes in.
short_hash() {
	sha256sum | cut -c1-10
}

# Runs a command with its output in a file and says every half minute that it
# is still at it; shows the end of the file if the command fails.
with_progress() {
	local what=$1 log=$2 start=$SECONDS pid status=0
	shift 2
	# A process group of its own: whoever is told to stop takes all of it along.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	set +m
	pid=$!
	trap 'kill -- "-$pid" 2>/dev/null; wait "$pid" 2>/dev/null; exit 143' TERM INT HUP
	while kill -0 "$pid" 2>/dev/null; do
		for _ in {1..60}; do
			kill -0 "$pid" 2>/dev/null || break 2
			sleep 0.5
		done
		say "$what: $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c1-60)"
	done
	wait "$pid" || status=$?
	trap - TERM INT HUP
	if ((status)); then
		say "$what failed after $((SECONDS - start)) s; the end of $log:"
		tail -n 40 "$log" >&2
		return "$status"
	fi
	say "$what: done in $((SECONDS - start)) s"
}

# Makes a cache entry unless it is there: cache_entry NAME BUILDER [ARGS...].
# The builder is called as BUILDER NEW FINAL ARGS...: it fills the folder NEW,
# which is then renamed to FINAL, so that what bears the name is whole.
cache_entry() {
	local name=$1 builder=$2 final=$CACHE/$1 lock
	shift 2
	if [[ ! -d $final ]]; then
		mkdir -p "$CACHE/locks"
		exec {lock}>"$CACHE/locks/$name"
		flock -n "$lock" || {
			say "waiting for another process that makes $name"
			flock "$lock"
		}
		if [[ ! -d $final ]]; then
			rm -rf "$final.new"
			mkdir -p "$final.new"
			# A subshell of its own, so that set -e holds in the
			# builder whatever the context of this call.
			"$builder" "$final.new" "$final" "$@"
			mv -T "$final.new" "$final"
		fi
		exec {lock}>&-
	fi
	# For pruning: when it was last wanted.
	touch "$final/.used"
}

# Copies what the module is built from. Checksums are compared and times are
# not kept, so that make rebuilds what changed and nothing else.
sync_sources() {
	local folder=$1 part
	mkdir -p "$folder/tests"
	for part in Kbuild module uapi tests/kunit tests/bench tests/coverage; do
		if [[ -d $PROJECT/$part ]]; then
			rsync -rc --delete --exclude='*.o' --exclude='.*.cmd' \
				--exclude='*.mod*' --exclude='*.ko' \
				"$PROJECT/$part/" "$folder/$part/"
		elif [[ -e $PROJECT/$part ]]; then
			rsync -c "$PROJECT/$part" "$folder/$part"
		else
			rm -rf "${folder:?}/$part"
		fi
	done
}

# Whether a build of ours gave warnings. What kbuild says of the compiler's name
# is none of the module's business.
has_warnings() {
	grep -iE '\bwarning: ' "$1" |
		grep -vE 'the compiler differs from the one used' >/dev/null
}
