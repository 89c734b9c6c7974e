#!/bin/bash
# SPDX-License-Identifier: MIT
# Rules that every file of the tree follows. In the environment: SOURCE.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"
cd "$SOURCE" || exit

scripts() {
	grep -lrE --exclude-dir='.git' --exclude-dir='build*' '^#!.*bash' .
}

sources() {
	find include src run tests examples siege benchmarks -name '*.[ch]' 2>/dev/null
}

test_scripts_pass_shellcheck() {
	command -v shellcheck >/dev/null || skip "shellcheck is not installed"
	scripts | xargs shellcheck --external-sources --source-path=.
}

test_files_name_their_license() {
	local without
	without=$({ sources; scripts; find . -name meson.build; } |
		while read -r file; do
			head -n 3 "$file" | grep -q SPDX-License-Identifier ||
				echo "$file"
		done)
	echo "$without"
	[ -z "$without" ]
}

# Those of others are as their authors wrote them.
test_protocols_of_ours_are_strict() {
	command -v wayland-scanner >/dev/null ||
		skip "wayland-scanner is not installed"
	local file
	for file in protocol/shmguard-*.xml; do
		echo "$file"
		wayland-scanner --strict client-header "$file" /dev/null
	done
}

test_every_test_is_built() {
	local forgotten
	forgotten=$(cd tests && for file in test_*.*; do
		name=${file#test_}
		grep -q -e "'${name%.*}'" -e "'$file'" meson.build || echo "$file"
	done)
	echo "$forgotten"
	[ -z "$forgotten" ]
}

test_manual_pages_have_no_warnings() {
	command -v groff >/dev/null || skip "groff is not installed"
	local page
	for page in run/*.1 census/*.1 siege/*.1; do
		groff -mdoc -Tutf8 -ww "$page" 2>&1 >/dev/null
	done | tee /dev/stderr | diff /dev/null -
}

test_manual_page_names_every_option_and_variable() {
	local page=run/shmguard-run.1 name
	grep -o '"SHMGUARD_[A-Z_]*"' src/policy_env.c | tr -d '"' |
		while read -r name; do
			echo "$name"
			grep -q "Ev $name\b" "$page"
		done
	sed -n 's/^\t{"\([a-z-]*\)",.*_argument.*/\1/p' run/main.c |
		while read -r name; do
			echo "--$name"
			grep -q "^\.It Fl -$name\b" "$page"
		done
}

run_tests "$@"
