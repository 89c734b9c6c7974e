#!/bin/bash
# SPDX-License-Identifier: MIT
# The compositors that are installed here, without a screen: as they are and under
# shmguard-run, the short form of tests/matrix/run. In the environment: SHMGUARD_RUN,
# SIEGE (programs), LIBRARIES (a directory).
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -gt 0 ]; then
	echo '1..0 # SKIP these tests are not selected by name'
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/here" "$work/here/logs"

# sway does not run as root, and others may not read what root has built.
user=()
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$work"
	chown -R nobody "$work/here"
	user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
cp "$SHMGUARD_RUN" "$SIEGE" "$here"/matrix/*.py "$work"
cp -a "$LIBRARIES"/libshmguard*.so* "$work"

status=0
"${user[@]}" "$work/stage.py" --guard "$work/${SHMGUARD_RUN##*/}" \
	--lib-dir "$work" --siege "$work/${SIEGE##*/}" \
	--only weston --only sway --only cage \
	--client weston-simple-shm --client foot \
	--attack truncate-before-read --attack sealed-then-resized \
	--logs "$work/here/logs" "$work/here/compositors.json" >&2 || status=$?
if [ $status -ne 0 ]; then
	exit $status
fi
python3 "$work/report.py" --tap "$work" here
