#!/bin/bash
# SPDX-License-Identifier: MIT
# Each public header is complete and clean in every language that may include
# it. In the environment: CC, CXX, INCLUDE, WAYLAND_CFLAGS.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/tap.sh"

# compile HEADER COMPILER FLAG...
compile() {
	local header=$1
	shift
	echo "compiling $header with $*"
	echo "#include <shmguard/$header>" |
		"$@" -pedantic-errors -Wall -Wextra -Werror -fsyntax-only \
			-D_POSIX_C_SOURCE=200809L -I"$INCLUDE" -
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

test_map_header_needs_no_wayland() {
	local files
	files=$(echo '#include <shmguard/map.h>' |
		"$CC" -I"$INCLUDE" -M -x c -)
	echo "$files"
	[[ $files == *shmguard/map.h* && $files != *wayland* ]]
}

run_tests "$@"
