#!/bin/bash
# SPDX-License-Identifier: MIT
# A project that has this tree as a Meson subproject. In the environment: CC,
# SOURCE (the tree), WLROOTS (versions that there is an adapter for, possibly
# none).
# shellcheck source=tests/abi/tap.sh
. "$(dirname "$0")/tap.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# What is installed on this machine must not be taken for it.
setup_project() {
	mkdir "$root/subprojects"
	ln -s "$SOURCE" "$root/subprojects/shmguard"
	cat >"$root/program.c" <<-END
		#include <shmguard/server.h>

		int
		main(void)
		{
			struct wl_display *display = wl_display_create();
			struct shmguard *guard = shmguard_create(display, NULL);
			wl_display_destroy(display);
			return guard == NULL;
		}
	END
	cat >"$root/stock.c" <<-END
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <string.h>
		#include <wayland-server-core.h>

		int
		main(void)
		{
			Dl_info info;
			void *function = dlsym(RTLD_DEFAULT, "wl_display_init_shm");
			return dladdr(function, &info) == 0 ||
				strstr(info.dli_fname, "shmguard-stock") == NULL;
		}
	END
	sed -e 's/wl_display_init_shm/close/' -e 's/shmguard-stock/shmguard-fds/' \
		-e '/wayland/d' "$root/stock.c" >"$root/fds.c"
	cat >"$root/meson.build" <<-END
		project('compositor', 'c')
		shmguard = dependency('shmguard',
		  fallback: ['shmguard', 'shmguard_dep'])
		stock = dependency('shmguard-stock', fallback: 'shmguard')
		test('program', executable('program', 'program.c',
		  dependencies: shmguard))
		test('stock', executable('stock', 'stock.c',
		  dependencies: [stock, dependency('wayland-server'),
		    dependency('dl')]))
		test('fds', executable('fds', 'fds.c', dependencies: [
		  dependency('shmguard-fds', fallback: 'shmguard'),
		  dependency('dl')]))
		foreach version : '$WLROOTS'.split()
		  name = 'shmguard-wlroots-' + version
		  executable(name, 'program.c',
		    dependencies: dependency(name, fallback: 'shmguard'))
		endforeach
	END
	# Neither the tree's tests nor anything that its users did not ask for.
	meson setup --wrap-mode=forcefallback "$root/build" "$root"
	! grep -q '"name": "test_' "$root/build/meson-info/intro-targets.json" ||
		return 1
}

test_fallback_is_built_and_used() {
	setup_project
	ninja -C "$root/build" -j2
	meson test -C "$root/build"
}

run_tests "$@"
