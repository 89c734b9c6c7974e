#!/bin/bash
# SPDX-License-Identifier: MIT
# The sample compositor, under every attack. In the environment: SIEGE
# (shmguard-siege), TINYWL_SAFE.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

unset WAYLAND_DISPLAY WAYLAND_SOCKET
export WLR_BACKENDS=headless WLR_RENDERER=pixman

# From 0.18 on wlroots keeps a buffer locked when a screenshot into it fails, or its
# client leaves before it is taken: so does its memory stay, guarded or not.
keeping=capture-unwritable,leave-in-flight
forgets_buffers() {
	ldd "$TINYWL_SAFE" | grep -q 'libwlroots-0\.'
}

test_tinywl_safe_survives_all_of_it() {
	local skip=()
	if forgets_buffers; then
		skip=(--skip "$keeping")
	fi
	"$SIEGE" -j8 --seed 1 "${skip[@]}" --compositor "exec $TINYWL_SAFE"
}

test_tinywl_safe_keeps_no_screenshot() {
	if forgets_buffers; then
		skip "this wlroots keeps buffers that a screenshot failed to fill"
	fi
	"$SIEGE" --only "$keeping" --compositor "exec $TINYWL_SAFE"
}

run_tests "$@"
