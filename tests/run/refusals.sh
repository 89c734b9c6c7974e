#!/bin/bash
# SPDX-License-Identifier: MIT
# What cannot be guarded, or be run at all: one line that says why, and a status
# that tells the reasons apart. In the environment: as toys.sh says.
# shellcheck source=tests/run/toys.sh
. "$(dirname "$0")/toys.sh"

stock=$(basename "$LIB_DIR"/libshmguard-stock.so.?)

test_options() {
	refuses 125 "unrecognized option '--bogus'" --bogus true
	refuses 125 "option '--unsealed' requires an argument" --unsealed
	refuses 125 "which COMPOSITOR? See --help"
	refuses 125 "SHMGUARD_UNSEALED is 'maybe', which is not trap|copy|reject" \
		--unsealed=maybe true
	refuses 125 "SHMGUARD_ADOPT_SEALS is '2', which is not 0|1" \
		--adopt-seals=2 true
	refuses 125 \
		"SHMGUARD_LOG is 'loud:/tmp', which is not error|info|debug[:FILE]" \
		--log loud:/tmp true
}

test_variables() {
	SHMGUARD_READ_ONLY=yes refuses 125 \
		"SHMGUARD_READ_ONLY is 'yes', which is not 0|1" true
}

test_programs_that_are_not_there() {
	refuses 127 "no-such-compositor: No such file or directory" \
		no-such-compositor
	refuses 127 "./no/such: No such file or directory" ./no/such
	refuses 126 "/: Is a directory" /
	touch "$root/plain"
	PATH=$root:$PATH refuses 126 "plain: Permission denied" plain
}

test_scripts() {
	printf '#!/bin/sh -e\nexec weston\n' >"$root/script"
	chmod +x "$root/script"
	refuses 119 "$root/script is a script for /bin/sh -e: name the compositor \
that it starts" "$root/script"
}

test_files_that_are_not_elf() {
	for contents in '' 'no program' $'\x7fELF'; do
		printf %s "$contents" >"$root/data"
		chmod +x "$root/data"
		refuses 119 "$root/data is not an ELF program" "$root/data"
	done
}

test_elf_that_is_cut_off() {
	build_toy whole
	local size
	size=$(stat -c %s "$root/whole")
	for part in 16 63 64 200 $((size / 4)) $((size / 2)) $((size - 64)); do
		head -c "$part" "$root/whole" >"$root/part"
		chmod +x "$root/part"
		local status=0
		run --check "$root/part" || status=$?
		cat "$out" "$log"
		[ "$status" -ge 118 ]
		[ "$status" -lt 128 ]
		[ "$(wc -l <"$log")" -eq 1 ]
	done
}

test_other_machines() {
	build_empty other
	# e_machine: SPARC
	printf '\0\2' | dd of="$root/other" bs=1 seek=18 conv=notrunc status=none
	local status=0
	run "$root/other" || status=$?
	cat "$log"
	[ "$status" -eq 118 ]
	grep "^shmguard-run: $root/other is for another kind of machine" "$log"
	[ "$(wc -l <"$log")" -eq 1 ]
}

test_missing_libraries() {
	build_wlroots libwlroots-0.99.so
	rm "$root/libwlroots-0.99.so.d/libwlroots-0.99.so"
	refuses 120 "$root/libwlroots-0.99.so.d/toy: error while loading shared \
libraries: libwlroots-0.99.so: cannot open shared object file: No such file or \
directory" "$root/libwlroots-0.99.so.d/toy"
}

test_missing_dynamic_linker() {
	build_empty lost -Wl,--dynamic-linker=/nonexistent/ld.so
	refuses 120 "/nonexistent/ld.so, the dynamic linker of $root/lost: No such \
file or directory" "$root/lost"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
}

test_set_user_id() {
	need_root
	build_toy setuid
	chown 65534 "$root/setuid"
	chmod u+s "$root/setuid"
	refuses 121 "$root/setuid is set-user-ID: it cannot be guarded, because the \
dynamic linker ignores LD_PRELOAD then" "$root/setuid"
	# To its owner that means nothing.
	chown 0 "$root/setuid"
	run --check "$root/setuid"
}

test_set_group_id() {
	need_root
	build_toy setgid
	chown :65534 "$root/setgid"
	chmod g+s "$root/setgid"
	refuses 121 "$root/setgid is set-group-ID: it cannot be guarded, because the \
dynamic linker ignores LD_PRELOAD then" "$root/setgid"
}

test_file_capabilities() {
	need_root
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	build_toy capable
	# CAP_SYS_NICE, permitted and effective.
	python3 -c 'import os, struct, sys
value = struct.pack("<5I", 0x02000001, 1 << 23, 0, 0, 0)
os.setxattr(sys.argv[1], "security.capability", value)' "$root/capable" ||
		skip "no capabilities on files here"
	cp -L "$RUN" "$root/shmguard-run"
	mkdir "$root/libraries"
	cp -L "$LIB_DIR/$stock" "$root/libraries"
	chmod -R go+rX "$root"
	local status=0
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$root/shmguard-run" --lib-dir="$root/libraries" \
		"$root/capable" 2>"$log" || status=$?
	cat "$log"
	[ "$status" -eq 121 ]
	said "$log" "shmguard-run: $root/capable has file capabilities: it cannot \
be guarded, because the dynamic linker ignores LD_PRELOAD then (a copy made with \
cp has none)"
	# Root has them all anyhow.
	run --check "$root/capable"
}

test_static_programs() {
	build_empty static -static
	refuses 123 "$root/static is linked statically: there is nothing in it that \
could be replaced" "$root/static"
}

test_programs_without_wayland() {
	build_empty none
	refuses 123 "$root/none does not use libwayland-server: it is no compositor, \
or starts one, or brings its own wl_shm" "$root/none"
}

test_own_wl_shm() {
	build_toy own -DOWN_SHM
	refuses 123 "$root/own brings its own wl_shm (or a statically linked \
wlroots), which cannot be replaced" "$root/own"
}

test_wlroots_that_calls_itself_directly() {
	build_wlroots libwlroots-0.19.so -Wl,-Bsymbolic-functions
	local dir=$root/libwlroots-0.19.so.d
	refuses 123 "$dir/libwlroots-0.19.so calls its wl_shm functions directly \
(linked with -Bsymbolic-functions?): they cannot be replaced" "$dir/toy"
	build_wlroots libwlroots-0.20.so -Wl,-Bsymbolic
	dir=$root/libwlroots-0.20.so.d
	refuses 123 "$dir/libwlroots-0.20.so calls its wl_shm functions directly \
(linked with -Bsymbolic-functions?): they cannot be replaced" "$dir/toy"
}

test_guards_that_are_not_installed() {
	build_toy stock
	mkdir -p "$root/empty/shmguard"
	LIB_DIR=$root/empty refuses 122 "$stock is not in $root/empty" "$root/stock"
	LIB_DIR=$root/nowhere refuses 122 \
		"$root/nowhere: No such file or directory" "$root/stock"

	build_wlroots libwlroots-0.18.so
	local toy=$root/libwlroots-0.18.so.d/toy
	local missing="the guard for wlroots 0.18 \
(libshmguard-wlroots-preload-0.18.so) is not in $root/empty/shmguard; installed \
for wlroots:"
	LIB_DIR=$root/empty refuses 122 "$missing none" "$toy"
	touch "$root/empty/shmguard/libshmguard-wlroots-preload-0.19.so" \
		"$root/empty/shmguard/libshmguard-wlroots-preload-0.20.so"
	LIB_DIR=$root/empty refuses 122 "$missing 0.19, 0.20" "$toy"
}

# The dynamic linker would go on without it.
test_guards_that_cannot_be_preloaded() {
	build_toy stock
	mkdir "$root/broken"
	head -c 100 "$LIB_DIR/$stock" >"$root/broken/$stock"
	refuses 122 "the dynamic linker does not preload $root/broken/$stock into \
$root/stock" --lib-dir="$root/broken" "$root/stock"
	mkdir "$root/two words"
	cp -L "$LIB_DIR/$stock" "$root/two words"
	refuses 125 "$root/two words/$stock cannot be named in LD_PRELOAD, because \
of its colon or space" --lib-dir="$root/two words" "$root/stock"
}

run_tests "$@"
