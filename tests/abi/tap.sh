# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# TAP for shell scripts: each function named test_* is a test, run in a shell of
# its own with -e. It may call skip. Arguments select tests by name (patterns),
# as in harness.c.

SKIPPED=77

# skip REASON
skip() {
	echo "$1"
	exit "$SKIPPED"
}

run_tests() {
	local all=() name number=0 failures=0 output status
	while read -r name; do
		if selected "${name#test_}" "$@"; then
			all+=("$name")
		fi
	done < <(compgen -A function test_)

	if [ ${#all[@]} -eq 0 ]; then
		echo "1..0 # SKIP no test is selected"
		return 0
	fi
	echo "1..${#all[@]}"
	for name in "${all[@]}"; do
		number=$((number + 1))
		# Not as a condition: that would switch -e off inside.
		output=$(set -e; "$name" 2>&1)
		status=$?
		if [ "$status" -eq 0 ]; then
			echo "ok $number ${name#test_}"
		elif [ "$status" -eq "$SKIPPED" ]; then
			echo "ok $number ${name#test_} # SKIP ${output##*$'\n'}"
		else
			echo "not ok $number ${name#test_}"
			printf '# %s\n' "${output//$'\n'/$'\n# '}"
			failures=$((failures + 1))
		fi
	done
	[ "$failures" -eq 0 ]
}

selected() {
	local name=$1 pattern
	shift
	for pattern; do
		# shellcheck disable=SC2254 # a pattern is what it is
		case $name in $pattern) return 0 ;; esac
	done
	[ $# -eq 0 ]
}
