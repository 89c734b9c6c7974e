#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs are built and run against what is installed, found by pkg-config as
# users do. In the environment: CC, BUILD (build directory), PREFIX, LIBDIR.
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/tap.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
lib=$root$PREFIX/$LIBDIR
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

install_tree() {
	[ -e "$lib" ] ||
		meson install -C "$BUILD" --no-rebuild --destdir "$root"
}

# build_program PACKAGE...: the source is standard input.
build_program() {
	local flags
	flags=$(pkg-config --define-variable=prefix="$root$PREFIX" \
		--cflags --libs "$@")
	echo "$flags"
	# shellcheck disable=SC2086 # several flags
	$CC -Wall -Wextra -Werror -x c - -o "$root/program" $flags
}

test_native_library() {
	install_tree
	build_program shmguard <<-END
		#include <shmguard/server.h>

		int
		main(void)
		{
			struct wl_display *display = wl_display_create();
			struct shmguard *guard = shmguard_create(display, NULL);
			shmguard_destroy(guard);
			wl_display_destroy(display);
			return guard == NULL;
		}
	END
	"$root/program"
}

test_map_without_wayland() {
	install_tree
	build_program shmguard <<-END
		#include <fcntl.h>
		#include <shmguard/map.h>

		int
		main(int argc, char **argv)
		{
			enum shmguard_reason reason;
			struct shmguard_map *map = shmguard_map_open(
				open(argv[argc - 1], O_RDONLY), 1, NULL, &reason);
			shmguard_map_close(map);
			return map == NULL ? 1 + reason : 0;
		}
	END
	"$root/program"
}

test_stock_library_comes_before_libwayland() {
	install_tree
	build_program shmguard-stock wayland-server <<-END
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <string.h>
		#include <wayland-server-core.h>

		int
		main(void)
		{
			Dl_info info;
			void *function = dlsym(RTLD_DEFAULT, "wl_display_init_shm");
			struct wl_display *display = wl_display_create();
			int status = wl_display_init_shm(display);
			wl_display_destroy(display);
			return status != 0 || dladdr(function, &info) == 0 ||
				strstr(info.dli_fname, "shmguard-stock") == NULL;
		}
	END
	"$root/program"
}

test_protocol_is_where_pkgconfig_says() {
	command -v wayland-scanner >/dev/null ||
		skip "wayland-scanner is not installed"
	install_tree
	local dir
	dir=$(pkg-config --define-variable=prefix="$root$PREFIX" \
		--variable=pkgdatadir shmguard)
	echo "$dir"
	wayland-scanner --strict client-header \
		"$dir/protocol/shmguard-feedback-v1.xml" "$root/protocol.h"
}

run_tests "$@"
