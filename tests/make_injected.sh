#!/bin/sh
# SPDX-License-Identifier: MIT
# make_injected.sh OUTPUT inject_calls.h COMPILER LIBRARY...: all objects of static
# libraries as one, in which the calls that the header lists have other names.
# Pointers to these functions have them too; calls that anybody else makes have not.
set -eu

output=$1
header=$2
compiler=$3
shift 3

# shellcheck disable=SC2086 # a command with arguments
$compiler -r -nostdlib -Wl,--whole-archive "$@" -o "$output.tmp"

# How wide off_t is shows in the names. Some calls are made by number, and some
# looked up.
nm -u "$output.tmp" | sed 's/.* //' >"$output.called"
{
	echo syscall
	echo dlsym
	sed -n 's/^\tX(\([a-z0-9_]*\),.*/\1/p' "$header"
} | while read -r name; do
	sed -n "s/^$name\(64\)\{0,1\}\$/& inject_$name/p" "$output.called"
done >"$output.names"

objcopy --redefine-syms="$output.names" "$output.tmp" "$output"
rm "$output.tmp"
