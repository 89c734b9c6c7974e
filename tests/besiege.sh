# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sieges of compositors that have one fault each. In the environment: SIEGE
# (shmguard-siege), VICTIM (siege_victim).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/abi/tap.sh"

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
unset WAYLAND_DISPLAY WAYLAND_SOCKET XDG_RUNTIME_DIR
json=$work/json

# besiege FAULT ATTACK [OPTION]...: of a victim of its own. Sets $status.
besiege() {
	local fault=$1 attack=$2
	shift 2
	status=0
	"$SIEGE" --compositor "exec $VICTIM $fault" --only "$attack" \
		--json "$json" "$@" || status=$?
}

# values KEY: of all runs, in the order in which they were made.
values() {
	python3 -c 'import json, sys
for result in json.load(open(sys.argv[1]))["results"]:
    print(result[sys.argv[2]])' "$json" "$1"
}

# expect VALUE...: what the last siege found in each run.
expect() {
	values text
	[ "$(values word | tr '\n' ' ')" = "$* " ]
}
