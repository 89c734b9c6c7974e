#!/bin/bash
# SPDX-License-Identifier: MIT
# The distribution's own Weston under shmguard-run, attacked. In the environment:
# RUN (shmguard-run), LIB_DIR (where the build has its libraries), SIEGE
# (shmguard-siege-client).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/../abi/tap.sh"

XDG_RUNTIME_DIR=$(mktemp -d) || exit
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
unset WAYLAND_DISPLAY WAYLAND_SOCKET LD_PRELOAD LD_LIBRARY_PATH "${!SHMGUARD_@}"
log=$XDG_RUNTIME_DIR/log
said=$XDG_RUNTIME_DIR/said
weston=

# start [OPTION]...: of shmguard-run. On return clients can connect.
start() {
	command -v weston >/dev/null || skip "weston is not installed"
	local version options
	version=$(weston --version | grep -o '[0-9]*' | head -n 1)
	options=(--backend=headless --renderer=pixman)
	if [ "$version" -lt 12 ]; then
		options=(--backend=headless-backend.so --use-pixman)
	fi
	rm -f "$XDG_RUNTIME_DIR/guarded"*
	"$RUN" --lib-dir="$LIB_DIR" "$@" weston "${options[@]}" --no-config \
		--idle-time=0 --socket=guarded >"$log" 2>&1 &
	weston=$!
	trap end_test EXIT
	for _ in {1..600}; do
		[ ! -S "$XDG_RUNTIME_DIR/guarded" ] || break
		sleep 0.1
	done
	export WAYLAND_DISPLAY=guarded
}

end_test() {
	cat "$log"
	kill -KILL "$weston"
}

# attack NAME...: each must end as a correct compositor would have it.
attack() {
	for name; do
		"$SIEGE" --timeout 20 "$name" || return
	done
	kill -0 "$weston"
}

test_truncation_costs_only_the_guilty() {
	start
	attack truncate-before-read short-file sealed-then-resized \
		stride-in-pixels two-pools friendly-seals
	grep '^shmguard-run: guarding .*/weston: ' "$log"
	grep '^shmguard: client with pid .* ended' "$log"
}

test_I10_stray_descriptors_do_not_block() {
	start
	attack stray-silent fuse-silent
}

test_unsealed_files_can_be_copied() {
	start --unsealed=copy
	attack truncate-before-read short-file friendly-resize
}

test_unsealed_files_can_be_refused() {
	start --unsealed=reject
	# Not to the log: Weston goes on where it was there, whoever wrote meanwhile.
	"$SIEGE" --timeout 20 truncate-before-read >"$said" || cat "$said"
	grep '^truncate-before-read: told' "$said"
}

test_clients_of_weston_do_not_inherit_the_guard() {
	start
	tr '\0' '\n' <"/proc/$weston/environ" >"$XDG_RUNTIME_DIR/environ"
	grep '^PATH=' "$XDG_RUNTIME_DIR/environ"
	! grep LD_PRELOAD "$XDG_RUNTIME_DIR/environ" || return 1
}

run_tests "$@"
