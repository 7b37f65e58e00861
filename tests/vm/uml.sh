#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds the module and its KUnit tests into User Mode Linux, and runs them.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM [OPTION...] KERNEL [GLOB [KERNEL-ARGUMENT...]]

	KERNEL           uml-kasan or uml-bench
	GLOB             of the suites to run (refstore*); suite.test works too
	KERNEL-ARGUMENT  for the kernel: refstore.parameter=value and so on
	--mem M          memory (4G)
	--time SECONDS   stop after that long (600)
	--build          build only

	Prints the tests' results (KTAP). The log is build/logs/KERNEL.log. The
	status is 1 if a test failed or none ran, 97 if the kernel complained,
	124 if the time was over.
	EOF
}

# The source tree is every checkout's and both kernels': one build at a time.
build() {
	local kernel=$1 source log=$PROJECT/build/uml/$name.build.log args
	local with=REFSTORE_KUNIT=y
	[[ $name != uml-bench ]] || with=REFSTORE_BENCH=y
	source=$(readlink -f "$kernel/source")
	mkdir -p "$CACHE/locks"
	exec {lock}>"$CACHE/locks/graft"
	flock "$lock"
	sync_sources "$source/drivers/misc/refstore"
	mapfile -t args <"$kernel/make-args"
	with_progress "building $name" "$log" make -C "$source" O="$kernel" \
		-j"$(nproc)" "${args[@]}" REFSTORE_GRAFT=y REFSTORE_BUILD=y \
		"$with" linux
	if has_warnings "$log"; then
		cat "$log" >&2
		# The next call is to compile, and to fail, again.
		rm -rf "$kernel/drivers/misc/refstore"
		die "$name: the build gave warnings"
	fi
	# A copy, so that the next build does not change what is running.
	cp -f "$kernel/linux" "$program.new"
	mv -f "$program.new" "$program"
	exec {lock}>&-
}

# The guest's memory is a file; /dev/shm is tiny in some containers.
memory_folder() {
	local wanted free
	wanted=$(numfmt --from=iec "$memory")
	free=$(df --output=avail -B 1 /dev/shm 2>/dev/null | tail -n 1)
	if ((${free:-0} > wanted)); then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

# Everything the kernel says goes to the log, the results to standard output. What it
# has run, it counts in a folder.
run_tests() {
	local log=$1 guest status=0
	shift
	: >"$log"
	rm -rf "$program.counts"
	TMPDIR=$(memory_folder) GCOV_PREFIX=$program.counts \
		timeout -k 5 "$time" "$program" mem="$memory" \
		console=tty con=null con0=fd:0,fd:1 panic=-1 noreboot \
		kunit.enable=1 kunit_shutdown=halt \
		kunit.filter_glob="$glob" "$@" >"$log" 2>&1 </dev/null &
	guest=$!
	# shellcheck disable=SC2064
	trap "kill $guest 2>/dev/null || true; exit 143" TERM INT HUP
	tail -q -c +1 -s 0.1 -f --pid="$guest" "$log" | results &
	wait "$guest" || status=$?
	wait "$!" || true
	trap - TERM INT HUP
	return "$status"
}

# KTAP without the kernel's time stamps, and without what came before it.
results() {
	tr -d '\r' | sed -u -n 's/^\[ *[0-9.]*\] //; /^reboot: /d; /^KTAP version/,$p'
}

# That all was well: as many results as were planned, and none "not ok".
check_results() {
	local log=$1 ktap planned ended
	ktap=$(results <"$log")
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' <<<"$ktap" | head -n 1)
	ended=$(grep -cE '^(not )?ok ' <<<"$ktap") || true
	if grep -qE '^ *not ok ' <<<"$ktap"; then
		say "$name: failed:"
		grep -E '^ *not ok ' <<<"$ktap" >&2
		return 1
	fi
	if ((${planned:-0} == 0 || planned != ended)); then
		say "$name: $ended of ${planned:-0} suites ended; see $log"
		return 1
	fi
}

parse_arguments() {
	memory=4G time=600 build_only=''
	while [[ ${1-} == --?* ]]; do
		case $1 in
		--mem) memory=${2:?}; shift ;;
		--time) time=${2:?}; shift ;;
		--build) build_only=y ;;
		--help) usage; exit ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	case ${1-} in
	uml-*) ;;
	*) usage >&2; exit 2 ;;
	esac
	name=$1 glob=${2:-refstore*}
	arguments=("${@:3}")
}

main() {
	local kernel log status=0
	parse_arguments "$@"
	kernel=$("$VM_DIR/kernel.sh" "$name")
	program=$PROJECT/build/uml/$name
	log=$PROJECT/build/logs/$name.log
	mkdir -p "$PROJECT"/build/{uml,logs}
	build "$kernel"
	[[ ! $build_only ]] || return 0
	run_tests "$log" "${arguments[@]}" || status=$?
	"$VM_DIR/complaints.sh" "$log"
	if ((status == 124 || status == 137)); then
		say "$name: stopped after $time s; see $log"
		return 124
	fi
	check_results "$log"
	if ((status)); then
		say "$name: ended with status $status; see $log"
		return 1
	fi
}

main "$@"; exit
