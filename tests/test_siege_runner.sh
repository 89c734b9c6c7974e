#!/bin/bash
# SPDX-License-Identifier: MIT
# shmguard-siege as a program: options, outputs, and that it leaves nothing behind.
# shellcheck source=tests/besiege.sh
. "$(dirname "$0")/besiege.sh"

test_skips_are_no_failure_unless_strict() {
	besiege none capture-lost
	expect SKIP SKIP
	[ "$status" -eq 0 ]
	besiege none capture-lost --strict
	[ "$status" -eq 1 ]
}

test_seed_and_repeat() {
	local first list='capture-lost,keymap-lost'
	besiege none "$list" --seed 5 --repeat 2
	first=$(values attack | uniq)
	[ "$(wc -l <<<"$first")" -eq 4 ]
	besiege none "$list" --seed 5
	[ "$first" = "$(for _ in 1 2; do values attack | uniq; done)" ]
}

test_tap_and_pages() {
	besiege mute 'truncate-while-presenting,capture-lost' --tap -j2 \
		--report "$work/page.html" >"$work/tap"
	cat "$work/tap"
	[ "$(grep -c '^not ok [1-4] - truncate-while-presenting' "$work/tap")" -eq 2 ]
	[ "$(grep -c '^ok [1-4] - capture-lost .* # SKIP ' "$work/tap")" -eq 2 ]
	grep -x '1\.\.4' "$work/tap"
	python3 - "$work/page.html" <<-END
		import html.parser, sys
		html.parser.HTMLParser().feed(open(sys.argv[1]).read())
	END
	grep '<td>WRONG<td>WRONG' "$work/page.html"
	besiege crash truncate-while-presenting --report "$work/page.md"
	grep -F '| truncate-while-presenting | CRASH(SIGABRT) | ' "$work/page.md"
}

test_compositor_that_does_not_start() {
	status=0
	"$SIEGE" --compositor 'echo no luck; exit 1' 2>"$work/said" || status=$?
	cat "$work/said"
	[ "$status" -eq 2 ]
	grep 'no luck' "$work/said"
}

test_mistakes_are_told() {
	local line
	while read -r line; do
		status=0
		eval "\"$SIEGE\" $line" 2>"$work/said" || status=$?
		[ "$status" -eq 2 ] && [ -s "$work/said" ]
	done <<-'END'
		--only two-pools
		--compositor x --display y
		--compositor x --only no-such-attack
		--compositor x --repeat 0
		--display x -j2
		--compositor x stray
	END
}

# How many there are while nobody has asked for more: other tests do.
huge_pages_at_rest() {
	flock --wait 60 /proc/sys/vm/nr_hugepages cat /proc/sys/vm/nr_hugepages
}

# What is left of a siege: its processes have the name of our directory in their
# arguments or their environment, and its files are in it.
remains() {
	find "$work" -name 'shmguard-siege.*'
	grep -lsF "$work" /proc/[0-9]*/environ | while read -r file; do
		local pid=${file//[^0-9]/}
		[ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ] ||
			! grep -qs -e siege "/proc/$pid/cmdline" || echo "$pid"
	done
}

# The siege that was just started can be interrupted: signals are looked after when
# its directory is there.
await_siege() {
	for _ in {1..600}; do
		! compgen -G "$work/shmguard-siege.*" >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

test_interruption_leaves_nothing_behind() {
	local signal number pages
	pages=$(huge_pages_at_rest)
	while read -r signal number delay; do
		"$SIEGE" --compositor "exec $VICTIM none" -j3 --seed 3 \
			>"$work/said" 2>&1 &
		await_siege
		sleep "$delay"
		kill "-$signal" $!
		status=0
		wait $! || status=$?
		[ "$status" -eq $((128 + number)) ]
		remains | tee "$work/remains"
		[ ! -s "$work/remains" ]
		grep '^interrupted: ' "$work/said"
	done <<-END
		TERM 15 0.4
		HUP 1 1.5
		INT 2 3
	END
	[ "$(huge_pages_at_rest)" -eq "$pages" ]
}

# The workers notice it by themselves.
test_killed_runner_leaves_nothing_behind() {
	"$SIEGE" --compositor "exec $VICTIM none" -j2 >/dev/null 2>&1 &
	await_siege
	sleep 2
	kill -KILL $!
	for _ in {1..600}; do
		remains >"$work/remains"
		[ -s "$work/remains" ] || break
		sleep 0.1
	done
	[ ! -s "$work/remains" ]
}

# The process of our siege that has got huge pages; waits for it for ten seconds.
holder_of_huge_pages() {
	local _ client
	for _ in {1..100}; do
		for client in $(remains | grep -v /); do
			if find "/proc/$client/fd" -lname '*siege-huge*' \
				-exec stat -L -c %b {} + 2>/dev/null | grep -q '[1-9]'
			then
				echo "$client"
				return
			fi
		done
		sleep 0.1
	done
	return 1
}

# The victim hangs while a page is asked for, and so does the client.
test_killed_client_gives_huge_pages_back() {
	local pages client
	if ! [ -w /proc/sys/vm/nr_hugepages ]; then
		skip "only root may ask for huge pages"
	fi
	pages=$(huge_pages_at_rest)
	"$SIEGE" --compositor "exec $VICTIM hang" --only huge-hole \
		>"$work/said" 2>&1 &
	if ! client=$(holder_of_huge_pages); then
		kill $!
		skip "no huge page is granted"
	fi
	[ "$(cat /proc/sys/vm/nr_hugepages)" -gt "$pages" ]
	kill -KILL "$client"
	[ "$(huge_pages_at_rest)" -eq "$pages" ]
	kill $!
	status=0
	wait $! || status=$?
	[ "$status" -eq $((128 + 15)) ]
}

run_tests "$@"
