# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Programs that are to shmguard-run what compositors are. In the environment: CC,
# RUN (shmguard-run), LIB_DIR (where the build has its libraries),
# WAYLAND_CFLAGS, WAYLAND_LIBS.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/../abi/tap.sh"

source=$(realpath "$(dirname "$0")")
root=$(mktemp -d) || exit
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
out=$root/stdout
log=$root/stderr
unset LD_PRELOAD LD_LIBRARY_PATH "${!SHMGUARD_@}"

# build_toy NAME FLAG...: a compositor.
build_toy() {
	local toy=$root/$1
	shift
	# shellcheck disable=SC2086 # several flags each
	$CC -Wall -Wextra -Werror $WAYLAND_CFLAGS -o "$toy" \
		"$source/toy_compositor.c" "$@" $WAYLAND_LIBS -ldl
}

# build_wlroots SONAME FLAG...: and a compositor on it, in a directory of their
# own that is named after it.
build_wlroots() {
	local soname=$1 dir=$root/$1.d
	shift
	mkdir -p "$dir"
	# shellcheck disable=SC2086 # several flags each
	$CC -Wall -Wextra -Werror -shared -fPIC $WAYLAND_CFLAGS \
		-Wl,-soname,"$soname" -o "$dir/$soname" "$@" \
		"$source/toy_wlroots.c" $WAYLAND_LIBS
	build_toy "$soname.d/toy" -DWLROOTS_SHM "$dir/$soname" \
		-Wl,-rpath,"$dir"
}

# build_empty NAME FLAG...: a program that does nothing.
build_empty() {
	local program=$root/$1
	shift
	echo 'int main(void) { return 0; }' |
		$CC -x c -o "$program" - "$@"
}

run() {
	"$RUN" --lib-dir="$LIB_DIR" "$@" >"$out" 2>"$log"
}

# said FILE LINE...: that it has these lines and no others.
said() {
	local file=$1
	shift
	diff <(printf '%s\n' "$@") "$file"
}

# refuses STATUS LINE ARGUMENT...: shmguard-run does, saying that and no more.
refuses() {
	local expected=$1 line=$2 status=0
	shift 2
	run "$@" || status=$?
	cat "$out" "$log"
	[ "$status" -eq "$expected" ]
	[ ! -s "$out" ]
	said "$log" "shmguard-run: $line"
}
