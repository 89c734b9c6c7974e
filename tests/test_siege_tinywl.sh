#!/bin/bash
# SPDX-License-Identifier: MIT
# The sample compositor, under every attack. In the environment: SIEGE
# (shmguard-siege), TINYWL_SAFE.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

unset WAYLAND_DISPLAY WAYLAND_SOCKET
export WLR_BACKENDS=headless WLR_RENDERER=pixman

test_tinywl_safe_survives_all_of_it() {
	"$SIEGE" -j8 --seed 1 --compositor "exec $TINYWL_SAFE"
}

run_tests "$@"
