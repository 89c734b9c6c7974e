#!/bin/bash
# SPDX-License-Identifier: MIT
# Each public header, and those made from our protocol, are complete and clean in
# every language that may include them. In the environment: CC, CXX, INCLUDE,
# PROTOCOL, SCANNER (wayland-scanner), WAYLAND_CFLAGS.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/tap.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# check COMPILER FLAG...: the source is standard input.
check() {
	"$@" -pedantic-errors -Wall -Wextra -Werror -fsyntax-only \
		-D_POSIX_C_SOURCE=200809L -I"$INCLUDE" -
}

# compile HEADER COMPILER FLAG...
compile() {
	local header=$1
	shift
	echo "compiling $header with $*"
	echo "#include <shmguard/$header>" | check "$@"
}

test_headers_compile_as_c() {
	for standard in c99 c11 c17; do
		compile map.h "$CC" -x c "-std=$standard"
		# shellcheck disable=SC2086 # several flags
		compile server.h "$CC" -x c "-std=$standard" $WAYLAND_CFLAGS
		# shellcheck disable=SC2086 # several flags
		compile wlroots.h "$CC" -x c "-std=$standard" $WAYLAND_CFLAGS
	done
}

test_headers_compile_as_cxx() {
	for standard in c++11 c++17; do
		compile map.h "$CXX" -x c++ "-std=$standard"
		# shellcheck disable=SC2086 # several flags
		compile server.h "$CXX" -x c++ "-std=$standard" $WAYLAND_CFLAGS
		# shellcheck disable=SC2086 # several flags
		compile wlroots.h "$CXX" -x c++ "-std=$standard" $WAYLAND_CFLAGS
	done
}

test_protocol_headers_compile() {
	local kind
	for kind in client-header server-header; do
		echo "compiling the $kind of $PROTOCOL"
		"$SCANNER" --strict "$kind" "$PROTOCOL" "$root/protocol.h"
		# shellcheck disable=SC2086 # several flags
		check "$CC" -x c -std=c99 $WAYLAND_CFLAGS <"$root/protocol.h"
		# shellcheck disable=SC2086 # several flags
		check "$CXX" -x c++ -std=c++11 $WAYLAND_CFLAGS <"$root/protocol.h"
	done
}

test_map_header_needs_no_wayland() {
	local files
	files=$(echo '#include <shmguard/map.h>' |
		"$CC" -I"$INCLUDE" -M -x c -)
	echo "$files"
	[[ $files == *shmguard/map.h* && $files != *wayland* ]]
}

run_tests "$@"
