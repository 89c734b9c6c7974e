#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that can be guarded: by which object, with which policy, and with
# what in the environment of their children. In the environment: as toys.sh says.
# shellcheck source=tests/run/toys.sh
. "$(dirname "$0")/toys.sh"

stock=$LIB_DIR/$(basename "$LIB_DIR"/libshmguard-stock.so.?)
fds=$LIB_DIR/$(basename "$LIB_DIR"/libshmguard-fds.so.?)

test_help_and_version() {
	run --help
	grep '^usage: shmguard-run' "$out"
	[ ! -s "$log" ]
	run --version
	grep '^shmguard-run [0-9.]*$' "$out"
}

test_stock_wl_shm_is_guarded() {
	build_toy stock
	"$root/stock" >"$out"
	grep 'libwayland-server' "$out"
	run "$root/stock"
	said "$out" "$root/stock: wl_shm of $(basename "$stock")"
	said "$log" "shmguard-run: guarding $root/stock: libwayland's wl_shm by \
$stock, other descriptors by $fds"
}

test_check_starts_nothing() {
	build_toy stock
	run --check "$root/stock" touch "$root/started"
	said "$out" "shmguard-run: guarding $root/stock: libwayland's wl_shm by \
$stock, other descriptors by $fds"
	[ ! -s "$log" ]
	[ ! -e "$root/started" ]
}

test_program_is_found_in_path() {
	build_toy stock
	cd /
	PATH=/nonexistent:$root:$PATH run stock
	grep "^stock: wl_shm of libshmguard-stock" "$out"
	cd "$root"
	PATH=:/nonexistent run stock
	grep "^stock: wl_shm of libshmguard-stock" "$out"
	ln -s stock "$root/link"
	run ./link
	grep "^./link: wl_shm of libshmguard-stock" "$out"
}

test_exit_status_and_arguments_are_the_programs() {
	build_toy stock
	local status=0
	# shellcheck disable=SC2016 # for that shell
	run "$root/stock" sh -c 'echo "$@"; exit 9' sh --check 'two words' '' ||
		status=$?
	[ "$status" -eq 9 ]
	grep -Fx -e '--check two words ' "$out"
}

test_ld_preload_does_not_reach_children() {
	build_toy stock
	# shellcheck disable=SC2016 # for that shell
	run "$root/stock" sh -c 'env; tr "\0" "\n" </proc/$PPID/environ;
		tr "\0" "\n" </proc/self/environ'
	grep '^PATH=' "$out"
	! grep LD_PRELOAD "$out" || return 1
}

# Somebody else's preload.
build_other() {
	echo 'int other;' |
		$CC -x c -shared -fPIC -o "$root/libother.so" -
}

test_other_entries_of_ld_preload_do() {
	build_toy stock
	build_other
	for value in "$root/libother.so" "$root/libother.so:$stock" \
		"$stock $root/libother.so"; do
		# shellcheck disable=SC2016 # for that shell
		LD_PRELOAD=$value run "$root/stock" sh -c \
			'tr "\0" "\n" </proc/$PPID/environ; grep libother /proc/self/maps'
		cat "$out"
		grep '^stock: wl_shm of libshmguard-stock' <(sed "s|$root/||" "$out")
		[ "$(grep -c "^LD_PRELOAD=$root/libother.so$" "$out")" -eq 1 ]
		[ "$(grep -c LD_PRELOAD "$out")" -eq 1 ]
		grep "$root/libother.so$" "$out"
	done
}

test_options_win_over_the_environment() {
	build_toy stock
	SHMGUARD_UNSEALED=reject SHMGUARD_ADOPT_SEALS=1 SHMGUARD_LOG=loud \
		run --unsealed=copy --adopt-seals=0 --read-only --log=error \
		"$root/stock" env
	for setting in UNSEALED=copy ADOPT_SEALS=0 READ_ONLY=1 LOG=error; do
		grep -x "SHMGUARD_$setting" "$out"
	done
	SHMGUARD_UNSEALED=reject run "$root/stock" env
	grep -x 'SHMGUARD_UNSEALED=reject' "$out"
}

test_wl_shm_of_guarded_programs_needs_no_preload() {
	build_toy native -DNATIVE -I"$INCLUDE" "$LIB_DIR/libshmguard.so" \
		-Wl,-rpath,"$LIB_DIR"
	run "$root/native" env
	said "$log" "shmguard-run: guarding $root/native: wl_shm by $root/native \
itself, other descriptors by $fds"
	! grep LD_PRELOAD "$out" || return 1
}

# build_guards MINOR...: what stands for their preload objects, and no others.
build_guards() {
	rm -rf "${root:?}/lib"
	mkdir -p "$root/lib/shmguard"
	for minor; do
		$CC -Wall -Wextra -Werror -shared -fPIC "$source/toy_guard.c" \
			-o "$root/lib/shmguard/libshmguard-wlroots-preload-0.$minor.so"
	done
}

test_wlroots_is_guarded_by_the_object_of_its_version() {
	build_guards 17 18
	LIB_DIR=$root/lib
	build_wlroots libwlroots-0.18.so
	local toy=$root/libwlroots-0.18.so.d/toy
	local guard=$root/lib/shmguard/libshmguard-wlroots-preload
	"$toy" >"$out"
	grep '^wl_shm of wlroots' "$out"
	run "$toy"
	grep '^wl_shm of the guard' "$out"
	said "$log" "shmguard-run: guarding $toy: wl_shm of wlroots 0.18 by \
$guard-0.18.so"

	build_wlroots libwlroots.so.12
	toy=$root/libwlroots.so.12.d/toy
	run "$toy"
	said "$log" "shmguard-run: guarding $toy: wl_shm of wlroots 0.17 by \
$guard-0.17.so"
}

test_both_are_guarded_where_both_are_used() {
	build_guards 18
	cp -L "$stock" "$root/lib"
	build_wlroots libwlroots-0.18.so
	local toy=$root/libwlroots-0.18.so.d/both
	build_toy libwlroots-0.18.so.d/both -Wl,--no-as-needed \
		"${toy%/*}/libwlroots-0.18.so" -Wl,-rpath,"${toy%/*}"
	LIB_DIR=$root/lib run "$toy"
	said "$log" "shmguard-run: guarding $toy: libwayland's wl_shm by \
$root/lib/${stock##*/}, wl_shm of wlroots 0.18 by \
$root/lib/shmguard/libshmguard-wlroots-preload-0.18.so"
}

# For wlroots too, and where the library is not installed that is no failure.
test_other_descriptors_are_guarded_where_they_can_be() {
	build_guards 18
	build_wlroots libwlroots-0.18.so
	local toy=$root/libwlroots-0.18.so.d/toy
	LIB_DIR=$root/lib run "$toy"
	! grep 'other descriptors' "$log" || return 1
	cp -L "$fds" "$root/lib"
	# shellcheck disable=SC2016 # for that shell
	LIB_DIR=$root/lib run "$toy" sh -c 'env; cat /proc/$PPID/maps'
	grep ", other descriptors by $root/lib/${fds##*/}$" "$log"
	grep "/${fds##*/}$" "$out"
	! grep "LD_PRELOAD.*${fds##*/}" "$out" || return 1
}

run_tests "$@"
