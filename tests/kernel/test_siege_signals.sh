#!/bin/bash
# SPDX-License-Identifier: MIT
# How many SIGBUS the sample compositor is sent while clients take their memory away:
# some on an ordinary kernel, none on one with no-SIGBUS mappings, where
# SHMGUARD_TEST_EXPECT_NOSIGBUS is set. In the environment: SIEGE (shmguard-siege),
# TINYWL_SAFE, COUNT_SIGBUS (count_sigbus.so), NO_CAPTURES (no_captures.so), and
# SHMGUARD_TEST_LONG for all attacks.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/../abi/tap.sh"

unset WAYLAND_DISPLAY WAYLAND_SOCKET
export WLR_BACKENDS=headless WLR_RENDERER=pixman

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
log=$work/log

# Shared, and so trapped on any kernel: files that were sealed when they were mapped,
# and are too short later.
outgrown=sealed-then-resized
truncating=truncate-before-read,short-file
if [ -n "${SHMGUARD_TEST_LONG-}" ]; then
	selection=(--skip "$outgrown")
else
	selection=(--only "$truncating")
fi

# besiege [OPTION]...: sets $delivered. With $also preloaded, if it is set.
besiege() {
	export SHMGUARD_TEST_SIGBUS=$work/count SHMGUARD_LOG=debug:$log
	: >"$SHMGUARD_TEST_SIGBUS"
	"$SIEGE" --seed 1 "$@" --json "$work/json" \
		--compositor "LD_PRELOAD=$COUNT_SIGBUS${also:+:$also} exec $TINYWL_SAFE" || :
	# No compositor was started if nothing is there.
	delivered=$(od -An -tu4 "$SHMGUARD_TEST_SIGBUS" | tr -d ' ')
	echo "SIGBUS was delivered $delivered times"
	[ -n "$delivered" ]
}

# survived [TEXT]: no attack ended otherwise than well, or with a verdict whose
# text begins like that. How long others waited is not what is asked here, and a
# kernel that is a process takes its time.
survived() {
	python3 - "$work/json" "$@" <<-'END'
	import json, sys
	results = json.load(open(sys.argv[1]))["results"]
	excused = ("the canary waited", *sys.argv[2:])
	for result in results:
	    if result["word"] not in ("OK", "SKIP") and \
	            not result["text"].startswith(excused):
	        sys.exit(f"{result['word']}: {result['text']}")
	sys.exit(not any(result["word"] != "SKIP" for result in results))
	END
}

# Through libwayland's wl_shm, which has to map memory to be written, unless told
# otherwise.
has_stock_abi() {
	ldd "$TINYWL_SAFE" | grep -q libshmguard-stock
}

pools_of_tier() {
	grep -c "^shmguard: pool event=create .* tier=$1 " "$log" || :
}

test_sigbus_is_delivered_where_mappings_are_trapped() {
	if [ -n "${SHMGUARD_TEST_EXPECT_NOSIGBUS-}" ] && ! has_stock_abi; then
		skip "nothing is trapped on this kernel"
	fi
	besiege --only "$truncating"
	survived
	[ "$delivered" -gt 0 ]
}

# Screen captures are written, so to shared memory, or to none with wlroots 0.15 then.
besiege_readers() {
	if [ -z "${SHMGUARD_TEST_EXPECT_NOSIGBUS-}" ]; then
		skip "this kernel has no no-SIGBUS mappings"
	fi
	SHMGUARD_READ_ONLY=1 also=$NO_CAPTURES besiege "$@"
}

test_no_sigbus_is_delivered() {
	local nosigbus trapped
	besiege_readers "${selection[@]}"
	# The kernel puts zeros where memory is missing: nobody learns.
	survived "the guilty client was never told"
	if has_stock_abi; then
		nosigbus=$(pools_of_tier nosigbus) trapped=$(pools_of_tier trapped)
		echo "tier nosigbus: $nosigbus pools, trapped: $trapped"
		[ "$nosigbus" -gt 0 ]
		[ "$trapped" -eq 0 ]
	fi
	[ "$delivered" -eq 0 ]
}

test_who_outgrows_a_sealed_file_is_trapped_and_told() {
	besiege_readers --only "$outgrown"
	survived
	[ "$delivered" -gt 0 ]
}

run_tests "$@"
