#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs a command in a virtual machine, as root, on the host's own file system
# (read only), and passes on what it says and how it ends.
# cache_entry and at_end call functions by name.
# shellcheck disable=SC2317
set -euo pipefail

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

usage() {
	cat <<-EOF
	usage: $PROGRAM [OPTION...] KERNEL -- COMMAND [ARGUMENT...]

	KERNEL            stock-6.12, stock-6.1, check, check-6.1, race or rt
	--smp N           processors (2)
	--mem M           memory, as qemu takes it (2G)
	--time SECONDS    stop after that long (600)
	--icount          count instructions as time: one processor, repeatable
	--log FILE        the kernel's log (build/logs/KERNEL-N.log)
	--append ARGS     more for the kernel's command line
	--no-leak-scan    no kmemleak scan after the command (check only, 12 s)

	The status is the command's, or 97 if the kernel complained, 124 if the
	time was over, 98 if the guest died without a status.
	EOF
}

STATUS_COMPLAINT=97
STATUS_DIED=98
STATUS_TIMEOUT=124
MODULES=(virtio_pci 9pnet_virtio 9p)

# --- The initramfs ----------------------------------------------------------

# The modules, in the order in which they go in, that the guest needs before it
# has a file system. None if the kernel has them built in.
needed_modules() {
	local kernel=$1 release module
	[[ -e $kernel/release ]] || return 0
	release=$(<"$kernel/release")
	for module in "${MODULES[@]}"; do
		modprobe -d "$kernel" -S "$release" --show-depends "$module"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# busybox's insmod does not unpack.
copy_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*) cat "$1" ;;
	esac >"$2"
}

build_initramfs() {
	local new=$1 kernel=$3 module name
	mkdir -p "$new"/root/{bin,dev,proc,root}
	cp "$(busybox_program)" "$new/root/bin/busybox"
	install -m 755 "$VM_DIR/initramfs-init" "$new/root/init"
	needed_modules "$kernel" >"$new/needed"
	while read -r module; do
		name=$(basename "${module%.xz}")
		copy_module "$module" "$new/root/$name"
		printf '%s\n' "$name"
	done <"$new/needed" >"$new/root/modules"
	(cd "$new/root" && find . | cpio -o -H newc --quiet -R 0:0) |
		gzip -1 >"$new/initramfs.gz"
	rm -rf "$new/root"
}

busybox_program() {
	command -v busybox || die "busybox is not there"
}

# Sets initramfs.
make_initramfs() {
	local kernel=$1 name
	name=initramfs-$(basename "$kernel")-$(
		(declare -f build_initramfs needed_modules copy_module
		cat "$VM_DIR/initramfs-init" "$(busybox_program)") | short_hash)
	cache_entry "$name" build_initramfs "$kernel"
	initramfs=$CACHE/$name/initramfs.gz
}

# --- The accelerator --------------------------------------------------------

# /dev/kvm may be there, open, and then hang any guest. So a tiny one must have
# booted and ended by itself; the answer holds until the host reboots.
probe_kvm() {
	timeout -k 1 12 qemu-system-x86_64 -accel kvm -cpu host \
		-smp 2 -m 512M -nodefaults -display none -no-reboot \
		-kernel "$1/vmlinuz" -initrd "$initramfs" \
		-append 'quiet panic=-1 refstore.probe' || return 1
}

kvm_works() {
	local kernel=$1 answer
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 1
	answer=$CACHE/kvm-$(</proc/sys/kernel/random/boot_id)
	if [[ ! -e $answer ]]; then
		if (probe_kvm "$kernel") >/dev/null 2>&1 </dev/null; then
			echo yes
		else
			echo no
		fi >"$answer.$$"
		mv "$answer.$$" "$answer"
		say "does KVM work here? $(<"$answer")"
	fi
	[[ $(<"$answer") == yes ]]
}

# Sets accelerator. Tables of five levels take an emulated processor a sixth of its
# time, and no program of ours has a use for them.
choose_accelerator() {
	local kernel=$1
	if [[ $icount ]]; then
		accelerator=(-accel tcg -icount 'shift=0,sleep=off' -cpu 'max,la57=off')
		smp=1
	elif [[ ${REFSTORE_ACCEL-} != tcg ]] && kvm_works "$kernel"; then
		accelerator=(-accel kvm -cpu host)
	else
		accelerator=(-accel 'tcg,thread=multi' -cpu 'max,la57=off')
	fi
}

# --- The guest --------------------------------------------------------------

kernel_arguments() {
	local arguments=(
		console=ttyS0 loglevel=8 ignore_loglevel printk.devkmsg=on
		panic_on_warn=1 oops=panic panic=-1
		kunit.enable=1
		# The check wants ticks within a time of the host's.
		no_timer_check
		# At another place each time, what a program runs is translated anew
		# each time: half of the time that it takes to start.
		norandmaps
	)
	if [[ ! $icount ]]; then
		case $name in
		stock-6.12) arguments+=(slub_debug=FZPU kfence.sample_interval=1) ;;
		stock-*) arguments+=(slub_debug=FZPU) ;;
		# Emulated, it is slow enough to look locked up.
		check* | rt) arguments+=(watchdog_thresh=30) ;;
		esac
	fi
	printf '%s ' "${arguments[@]}" "$append"
}

# What the guest finds in /run/vm/: prepare_run_folder KERNEL COMMAND...
prepare_run_folder() {
	run=$(mktemp -d "${TMPDIR:-/tmp}/refstore-vm.XXXXXX")
	cp "$VM_DIR/guest.sh" "$run/"
	printf '%s\n' "$PROJECT" >"$run/checkout"
	printf '%s\n' "$1" >"$run/kernel"
	printf '%q ' "${@:2}" >"$run/command"
	: >"$run/output"
	[[ ! $no_leak_scan ]] || : >"$run/no-leak-scan"
}

# Leaves nothing of its own behind, and touches nothing else.
clean_up() {
	if [[ ${guest-} ]]; then
		kill "$guest" 2>/dev/null || true
		wait "$guest" 2>/dev/null || true
	fi
	if [[ ${run-} ]]; then
		rm -rf "$run"
	fi
}

# q35: the older machine's interrupt tables are programs that allocate a great
# deal, which takes a checking kernel half a minute at each boot.
start_guest() {
	local kernel=$1
	timeout -k 5 "$time" qemu-system-x86_64 \
		-M q35 "${accelerator[@]}" -smp "$smp" -m "$memory" \
		-nodefaults -display none -no-reboot \
		-kernel "$kernel/vmlinuz" -initrd "$initramfs" \
		-append "$(kernel_arguments)" \
		-serial "file:$log" \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=root,mount_tag=root \
		-fsdev "local,id=run,path=$run,security_model=none" \
		-device virtio-9p-pci,fsdev=run,mount_tag=run \
		</dev/null >&2 &
	guest=$!
}

# Passes on the guest's output until the guest is gone.
follow_output() {
	tail -q -c +1 -s 0.1 -f --pid="$guest" "$run/output"
}

# The status of it all.
verdict() {
	local status
	if ! "$VM_DIR/complaints.sh" "$log"; then
		return "$STATUS_COMPLAINT"
	fi
	if ((guest_status == 124 || guest_status == 137)); then
		say "$name: stopped after $time s; see $log"
		return "$STATUS_TIMEOUT"
	fi
	if ! status=$(grep -xE '[0-9]+' "$run/status" 2>/dev/null); then
		say "$name: the guest died (qemu ended with $guest_status); $log ends:"
		tail -n 20 "$log" >&2
		return "$STATUS_DIED"
	fi
	return "$status"
}

# The first free build/logs/KERNEL-N.log, taken.
new_log() {
	local n=1
	mkdir -p "$PROJECT/build/logs"
	until (set -o noclobber && : >"$PROJECT/build/logs/$name-$n.log") 2>/dev/null; do
		n=$((n + 1))
	done
	printf '%s\n' "$PROJECT/build/logs/$name-$n.log"
}

parse_arguments() {
	smp=2 memory=2G time=600 icount='' log='' append='' no_leak_scan=''
	while [[ ${1-} == --?* ]]; do
		case $1 in
		--smp) smp=${2:?}; shift ;;
		--mem) memory=${2:?}; shift ;;
		--time) time=${2:?}; shift ;;
		--log) log=${2:?}; shift ;;
		--append) append=${2?}; shift ;;
		--icount) icount=y ;;
		--no-leak-scan) no_leak_scan=y ;;
		--help) usage; exit ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	[[ $# -ge 3 && $2 == -- ]] || {
		usage >&2
		exit 2
	}
	name=$1
	shift 2
	command=("$@")
}

main() {
	local kernel guest_status=0
	parse_arguments "$@"
	kernel=$("$VM_DIR/kernel.sh" "$name")
	[[ -e $kernel/vmlinuz ]] || die "$name does not boot in a virtual machine"
	"$VM_DIR/deps.sh" vm
	make_initramfs "$kernel"
	choose_accelerator "$kernel"
	log=${log:-$(new_log)}
	at_end clean_up
	prepare_run_folder "$kernel" "${command[@]}"
	start_guest "$kernel"
	# In the background, so that a signal is acted upon at once.
	follow_output &
	wait "$guest" || guest_status=$?
	wait "$!" || true
	guest=
	verdict
}

main "$@"; exit
