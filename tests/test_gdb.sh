#!/bin/bash
# SPDX-License-Identifier: MIT
# A debugger stops at every SIGBUS, and passes it on when it is told to. In the
# environment: FAULTS (a test program that has some).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

export CK_FORK=no

# under_gdb COMMAND...: with a test that meets one fault.
under_gdb() {
	local command arguments=()
	for command in "$@"; do
		arguments+=(-ex "$command")
	done
	gdb --batch --nx -ex 'set confirm off' "${arguments[@]}" \
		--args "$FAULTS" I7_tail_is_lost_prefix_stays 2>&1
}

look_for_gdb() {
	command -v gdb >/dev/null || skip "gdb is not installed"
	under_gdb 'break main' run | grep -q 'Breakpoint 1, ' ||
		skip "gdb cannot run programs here"
}

# shellcheck disable=SC2016 # $ is for gdb
test_I4_gdb_stops_and_goes_on() {
	local said
	look_for_gdb
	said=$(under_gdb run 'print $_siginfo.si_signo' continue)
	echo "$said"
	grep 'received signal SIGBUS' <<<"$said"
	grep -x '$1 = 7' <<<"$said"
	grep '^ok 1 ' <<<"$said"
	grep 'exited normally' <<<"$said"
}

test_I4_gdb_that_is_told_does_not_stop() {
	local said
	look_for_gdb
	said=$(under_gdb 'handle SIGBUS nostop noprint pass' run)
	echo "$said"
	grep '^ok 1 ' <<<"$said"
	grep 'exited normally' <<<"$said"
	! grep 'received signal' <<<"$said"
}

run_tests "$@"
