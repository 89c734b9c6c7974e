#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs are built and run against what is installed, found by pkg-config as
# users do. In the environment: CC, BUILD (build directory), PREFIX, LIBDIR, MANDIR,
# WLROOTS (versions that there is an adapter for, possibly none).
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

# compile FLAGS: the source is standard input.
compile() {
	echo "$1"
	# shellcheck disable=SC2086 # several flags
	$CC -Wall -Wextra -Werror -x c - -o "$root/program" $1
}

# build_program PACKAGE...: with what is installed.
build_program() {
	compile "$(pkg-config --define-variable=prefix="$root$PREFIX" \
		--cflags --libs "$@")"
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

test_library_for_descriptors_comes_before_the_c_library() {
	install_tree
	build_program wayland-server shmguard-fds <<-END
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <string.h>

		int
		main(void)
		{
			Dl_info info;
			void *function = dlsym(RTLD_DEFAULT, "close");
			return dladdr(function, &info) == 0 ||
				strstr(info.dli_fname, "shmguard-fds") == NULL;
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

test_wlroots_adapters() {
	[ -n "$WLROOTS" ] || skip "built without wlroots 0.17 or later"
	install_tree
	local version
	for version in $WLROOTS; do
		build_program "shmguard-wlroots-$version" <<-END
			#include <shmguard/wlroots.h>

			int
			main(void)
			{
				const uint32_t formats[] = {0x34325241, 0x34325258};
				struct wl_display *display = wl_display_create();
				struct shmguard *guard = shmguard_wlr_create(display, 2,
					formats, 2, NULL);
				wl_display_destroy(display);
				return guard == NULL;
			}
		END
		"$root/program"
	done
}

# Nothing but LD_PRELOAD is set, and the compositor was not built for it.
test_wlroots_preload_objects() {
	[ -n "$WLROOTS" ] || skip "built without wlroots 0.17 or later"
	install_tree
	local version package flags preload
	for version in $WLROOTS; do
		package=wlroots-$version
		pkg-config --exists "$package" || package=wlroots
		flags=$(pkg-config --cflags --libs "$package" libdrm \
			wayland-server)
		compile "$flags" <<-END
			#define _GNU_SOURCE
			#define WLR_USE_UNSTABLE
			#include <dlfcn.h>
			#include <drm_fourcc.h>
			#include <stdlib.h>
			#include <string.h>
			#include <wlr/types/wlr_shm.h>

			int
			main(void)
			{
				const uint32_t formats[] = {
					DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888,
				};
				Dl_info info;
				void *function = dlsym(RTLD_DEFAULT, "wlr_shm_create");
				struct wl_display *display = wl_display_create();
				struct wlr_shm *shm =
					wlr_shm_create(display, 2, formats, 2);
				wl_display_destroy(display);
				return shm == NULL || getenv("LD_PRELOAD") != NULL ||
					dladdr(function, &info) == 0 ||
					strstr(info.dli_fname, "shmguard") == NULL;
			}
		END
		preload=$lib/shmguard/libshmguard-wlroots-preload-$version.so
		env --unset=LD_LIBRARY_PATH LD_PRELOAD="$preload" "$root/program"
	done
}

# In the build's own directories, where nobody sets a search path.
test_programs_find_what_is_installed() {
	install_tree
	local bin=$root$PREFIX/bin
	[ -e "$bin/shmguard-run" ] || skip "built without shmguard-run"
	build_program wayland-server <<-END
		#include <wayland-server-core.h>

		int
		main(void)
		{
			struct wl_display *display = wl_display_create();
			int status = wl_display_init_shm(display);
			wl_display_destroy(display);
			return status;
		}
	END
	unset LD_LIBRARY_PATH
	"$bin/shmguard-run" --lib-dir="$lib" "$root/program" 2>"$root/said"
	cat "$root/said"
	grep "by $lib/libshmguard-stock.so" "$root/said"
	# Where they were meant to be installed, which need not be so.
	"$bin/shmguard-run" --help | grep "$PREFIX/$LIBDIR"
}

test_programs_have_manual_pages() {
	install_tree
	local program name
	for program in "$root$PREFIX/bin"/*; do
		name=${program##*/}
		echo "$name"
		[ -s "$root$PREFIX/$MANDIR/man1/$name.1" ]
	done
}

# What a program of the tree's own is linked with is left behind.
test_installed_files_refer_to_no_build_directory() {
	install_tree
	local file
	while read -r file; do
		echo "$file"
		! readelf --dynamic "$file" | grep -E 'RPATH|RUNPATH' || return 1
	done < <(find "$root$PREFIX" -name '*.so*' -type f; find "$root$PREFIX/bin" -type f)
	! grep -rl "$BUILD" "$lib/pkgconfig" || return 1
}

run_tests "$@"
