#!/bin/bash
# SPDX-License-Identifier: MIT
# The sample compositor without a screen: how it starts and ends, real clients on
# it, and the tests of tinywl_client, each on a compositor of its own. In the
# environment: TINYWL_SAFE, TINYWL_CLIENT (programs), UNGUARDED_SHM (library).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

XDG_RUNTIME_DIR=$(mktemp -d) || exit
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
export WLR_BACKENDS=headless WLR_RENDERER=pixman WLR_HEADLESS_OUTPUTS=2
unset WAYLAND_DISPLAY WAYLAND_SOCKET
said=$XDG_RUNTIME_DIR/stdout
log=$XDG_RUNTIME_DIR/stderr
compositor=

# start [ARGUMENT]...: on return clients can connect.
start() {
	: >"$said"
	"$TINYWL_SAFE" "$@" >"$said" 2>"$log" &
	compositor=$!
	trap end_test EXIT
	await grep -q '^WAYLAND_DISPLAY=' "$said"
	export "$(cat "$said")"
}

end_test() {
	if [ -n "$compositor" ]; then
		cat "$log"
		kill -KILL "$compositor"
	fi
}

# await COMMAND...: that it succeeds, but not for ever.
await() {
	for _ in {1..200}; do
		if "$@"; then
			return 0
		fi
		sleep 0.1
	done
	echo "waited too long for: $*"
	return 1
}

has_ended() {
	! kill -0 "$1" 2>/dev/null
}

# The compositor has a reason to end: it must do so with status 0.
await_end() {
	await has_ended "$compositor"
	wait "$compositor"
	compositor=
}

# colors X: prints how many different ones there are in the part of the layout
# that starts there.
colors() {
	local shot=$XDG_RUNTIME_DIR/shot.ppm
	grim -t ppm -g "$1,0 600x400" "$shot"
	tail -c $((3 * 600 * 400)) "$shot" | od -An -v -tx1 -w3 | sort -u | wc -l
}

is_colorful() {
	[ "$(colors "$1")" -gt 50 ]
}

need() {
	for program; do
		command -v "$program" >/dev/null ||
			skip "$program is not installed"
	done
}

test_command_finds_the_compositor() {
	# shellcheck disable=SC2016 # for the command's shell
	start -s 'echo "$WAYLAND_DISPLAY" >"$XDG_RUNTIME_DIR/from_command"'
	await grep -qx "$WAYLAND_DISPLAY" "$XDG_RUNTIME_DIR/from_command"
}

# The event loop blocks some, and children inherit that.
test_command_has_no_signal_blocked() {
	# shellcheck disable=SC2016 # for the command's shell
	start -s 'grep ^SigBlk: /proc/self/status >"$XDG_RUNTIME_DIR/mask"'
	await grep -q '^SigBlk:[[:space:]]*0*$' "$XDG_RUNTIME_DIR/mask"
}

test_window_is_on_the_screenshot() {
	need weston-simple-shm grim
	start -s 'exec weston-simple-shm'
	await is_colorful 0
	# The other output has nothing but background.
	[ "$(colors 1280)" -eq 1 ]
	grim "$XDG_RUNTIME_DIR/shot.png"
	[ "$(head -c 4 "$XDG_RUNTIME_DIR/shot.png" | od -An -c)" = ' 211   P   N   G' ]
	kill "$compositor"
	await_end
}

test_clients_can_ask_how_they_are_guarded() {
	need grim
	start
	WAYLAND_DEBUG=1 grim "$XDG_RUNTIME_DIR/shot.png" \
		2>"$XDG_RUNTIME_DIR/messages"
	grep -w shmguard_feedback_manager_v1 "$XDG_RUNTIME_DIR/messages"
}

test_sigterm_ends_it() {
	start
	kill -TERM "$compositor"
	await_end
}

test_sigint_ends_it() {
	start
	kill -INT "$compositor"
	await_end
}

test_unguarded_shm_is_refused() {
	LD_PRELOAD=$UNGUARDED_SHM timeout 30 "$TINYWL_SAFE" >"$said" \
		2>"$log" && return 1
	[ ! -s "$said" ]
	grep 'is not guarded' "$log"
}

test_errors_say_what_to_do() {
	XDG_RUNTIME_DIR=/nonexistent "$TINYWL_SAFE" 2>"$log" && return 1
	grep 'tinywl-safe[^:]*: .*XDG_RUNTIME_DIR' "$log"
	WLR_BACKENDS=none "$TINYWL_SAFE" 2>"$log" && return 1
	grep 'tinywl-safe[^:]*: .*WLR_BACKENDS' "$log"
	"$TINYWL_SAFE" -x 2>"$log" && return 1
	grep '^usage: ' "$log"
}

# The client may come to grief. The compositor may not, until it is asked to end.
client_test() {
	start
	"$TINYWL_CLIENT" "$1"
	kill "$compositor"
	await_end
}

for name in $("$TINYWL_CLIENT"); do
	eval "test_$name() { client_test $name; }"
done

test_alt_escape_quits() {
	start
	"$TINYWL_CLIENT" alt_escape_quits
	await_end
}

run_tests "$@"
