#!/bin/sh
# SPDX-License-Identifier: MIT
# Every call that the library makes is one that can be made to fail, or is listed as
# one that need not be. OBJECTS: what make_injected.sh made. INFALLIBLE: the list.
set -eu

echo 1..1
# How wide off_t is shows in the names, and which scanf a standard wants.
# shellcheck disable=SC2086 # several
unknown=$(nm -u $OBJECTS | sed -n 's/^ *U //p' | sed 's/64$//; s/^__isoc[0-9]*_//' |
	grep -v -e '^inject_' -e '^__gcov_' | sort -u |
	grep -v -x -F -f "$INFALLIBLE") || true
if [ -z "$unknown" ]; then
	echo "ok 1 each_call_that_can_fail_does"
else
	echo "not ok 1 each_call_that_can_fail_does"
	echo "# neither in inject_calls.h nor in inject_infallible.txt:" $unknown
fi
