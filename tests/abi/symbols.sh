#!/bin/bash
# SPDX-License-Identifier: MIT
# What the libraries export. In the environment: CC, INCLUDE (directory of the
# public headers), LIBRARY, STOCK_LIBRARY, CORE (static library of the layers
# below Wayland), LIBWAYLAND (libwayland-server.so to stand in for), ADAPTERS
# and PRELOADS (libraries for wlroots, separated by blanks, possibly none),
# FDS_LIBRARY (what answers system calls).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/tap.sh"

# Names without versions; version nodes themselves are of type A.
exports() {
	nm --dynamic --defined-only --no-demangle "$1" |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

# declared HEADER...
declared() {
	for header; do
		echo "#include <shmguard/$header>" | $CC -I"$INCLUDE" -E -P -x c -
	done | grep -o '\bshmguard_[a-z0-9_]* *(' | tr -d ' (' | sort -u
}

stock_names() {
	{
		exports "$LIBWAYLAND" |
			grep -E '^wl_shm_(buffer|pool)_' | grep -v '_interface$'
		echo wl_display_init_shm
		echo wl_display_add_shm_format
		# Newer than some libwayland that we stand in for.
		echo wl_shm_buffer_ref
		echo wl_shm_buffer_unref
	} | sort -u
}

test_library_exports_what_headers_declare() {
	[ -n "$(declared map.h server.h)" ]
	diff <(declared map.h server.h) <(exports "$LIBRARY")
}

test_wlroots_adapters_export_what_their_header_adds() {
	[ -n "$ADAPTERS" ] || skip "built without wlroots 0.17 or later"
	local adapter
	for adapter in $ADAPTERS; do
		diff <(comm -23 <(declared wlroots.h) <(declared server.h)) \
			<(exports "$adapter")
	done
}

test_wlroots_preload_objects_need_nothing_of_ours() {
	[ -n "$PRELOADS" ] || skip "built without wlroots 0.17 or later"
	local preload
	for preload in $PRELOADS; do
		diff <(printf 'wlr_shm_create\nwlr_shm_create_with_renderer\n') \
			<(exports "$preload")
		if readelf --dynamic "$preload" | grep 'NEEDED.*shmguard'; then
			return 1
		fi
	done
}

# It stands before the C library: one name more would be taken from it as well.
test_library_for_descriptors_exports_system_calls() {
	diff <(printf '%s\n' close fstat fstat64 lseek lseek64 mmap mmap64 \
		munmap pread pread64 read) <(exports "$FDS_LIBRARY")
	if readelf --dynamic "$FDS_LIBRARY" | grep 'NEEDED.*shmguard'; then
		return 1
	fi
}

test_stock_library_exports_wl_shm_of_libwayland() {
	diff <(stock_names) <(exports "$STOCK_LIBRARY")
}

test_core_uses_no_wayland() {
	local names
	names=$(nm --undefined-only "$CORE" | awk '$2 ~ /^wl_/ { print $2 }')
	echo "$names"
	[ -z "$names" ]
}

# A handler must never point into memory where the library was.
test_libraries_cannot_be_unloaded() {
	local object
	for object in "$LIBRARY" "$STOCK_LIBRARY" "$FDS_LIBRARY" \
		$ADAPTERS $PRELOADS; do
		readelf --dynamic "$object" | grep NODELETE
	done
}

run_tests "$@"
