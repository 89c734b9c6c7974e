#!/bin/bash
# SPDX-License-Identifier: MIT
# Keymaps of virtual keyboards, read by wlroots itself, with and without what is
# preloaded for them. In the environment: SERVER (wlroots_keymaps), FDS_LIBRARY
# (to be preloaded).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

unset LD_PRELOAD "${!SHMGUARD_@}"
ulimit -c 0
SIGBUS_STATUS=$((128 + $(kill -l BUS)))

# guarded SHAPE: prints what became of the client; the server must live.
guarded() {
	LD_PRELOAD=$FDS_LIBRARY "$SERVER" "$1"
}

test_good_keymap_is_taken() {
	[ "$("$SERVER" good)" = served ] || skip "wlroots cannot read keymaps here"
	[ "$(guarded good)" = served ]
}

test_F24_keymap_is_lost() {
	local status=0
	"$SERVER" lost || status=$?
	[ "$status" -eq "$SIGBUS_STATUS" ] ||
		skip "this wlroots does not die of it: status $status"
	[ "$(guarded lost)" = disconnected ]
}

test_F24_keymap_without_an_end_is_taken() {
	[ "$("$SERVER" good)" = served ] || skip "wlroots cannot read keymaps here"
	[ "$(guarded endless)" = served ]
}

run_tests "$@"
