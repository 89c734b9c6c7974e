#!/bin/bash
# SPDX-License-Identifier: MIT
# Each verdict of shmguard-siege is seen.
# shellcheck source=tests/besiege.sh
. "$(dirname "$0")/besiege.sh"

test_survival_is_ok() {
	besiege none truncate-while-presenting
	expect OK OK
	[ "$status" -eq 0 ]
	values client | grep -qx told
}

test_crash_is_seen_and_the_next_attack_made() {
	besiege crash 'truncate-while-presenting,two-pools' -j2
	values word | sort | uniq -c
	[ "$(values word | grep -cx 'CRASH(SIGABRT)')" -eq 2 ]
	[ "$(values verdict | grep -cx SKIP)" -eq 2 ]
	[ "$status" -eq 1 ]
}

test_crash_has_a_backtrace() {
	command -v gdb >/dev/null || skip "gdb is not installed"
	besiege crash truncate-while-presenting
	values backtrace | grep '^#[0-9]* .*abort'
}

test_exit_is_a_crash() {
	besiege exit truncate-while-presenting
	expect CRASH CRASH
	values text | grep -x 'the compositor exited with status 3'
}

test_hang_is_seen_and_ended() {
	besiege hang truncate-while-presenting --timeout 5
	expect HANG HANG
	[ "$status" -eq 1 ]
}

test_newcomers_who_are_turned_away_starve() {
	besiege starve truncate-while-presenting
	expect STARVED STARVED
	[ "$(values newcomers_refused | head -n 1)" -gt 0 ]
}

test_canary_that_is_hurt_is_wrong() {
	besiege hurt truncate-while-presenting
	expect WRONG WRONG
	values text | grep 'an innocent client was hurt'
}

test_guilty_client_who_is_never_told_is_wrong() {
	besiege mute truncate-while-presenting
	expect WRONG WRONG
	values text | grep 'the guilty client was never told'
}

test_memory_that_was_never_read_proves_nothing() {
	besiege blind truncate-while-presenting
	expect UNPROVEN UNPROVEN
	[ "$status" -eq 1 ]
}

test_leak_is_what_is_left_each_time() {
	besiege leak truncate-while-presenting
	expect LEAK LEAK
}

# libwayland does, where a pool's size is not of whole huge pages: they are used up,
# and yet each attack is to have some of its own.
test_huge_pages_that_are_kept_are_a_leak() {
	besiege none friendly-huge-page
	if values word | grep -x SKIP; then
		skip "not each huge page that was asked for is granted"
	fi
	expect LEAK LEAK
}

test_code_that_a_renderer_compiles_is_no_leak() {
	besiege learn truncate-while-presenting
	expect OK OK
}

# Of a compositor that was there before, which is not ended either.
test_stall_is_seen_without_starting_the_compositor() {
	mkdir -m 700 "$work/runtime"
	XDG_RUNTIME_DIR=$work/runtime "$VICTIM" stall &
	running=$!
	trap 'kill -KILL "$running"' EXIT
	for _ in {1..100}; do
		[ ! -S "$work/runtime/wayland-0" ] || break
		sleep 0.1
	done
	status=0
	"$SIEGE" --display "$work/runtime/wayland-0" --pid "$running" \
		--only truncate-while-presenting --json "$json" || status=$?
	values text
	[ "$(values verdict)" = STALL ]
	[ "$(values canary_wait_ms)" -gt "$(values canary_calm_wait_ms)" ]
	[ "$status" -eq 1 ]
	kill -0 "$running"
}

run_tests "$@"
