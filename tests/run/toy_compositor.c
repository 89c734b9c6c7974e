/* SPDX-License-Identifier: MIT */

/*
 * As much of a compositor as matters to shmguard-run: makes a wl_shm, says who
 * guards it, and starts the program named by its arguments. OWN_SHM, NATIVE,
 * WLROOTS_SHM: not with libwayland's wl_shm.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server.h>

#if defined(WLROOTS_SHM)
void toy_init_shm(void);
#elif defined(NATIVE)
#include <shmguard/server.h>
#elif defined(OWN_SHM)
static void
bind_nothing(struct wl_client *client, void *data, uint32_t version,
	uint32_t id)
{
	(void)client, (void)data, (void)version, (void)id;
}
#endif

static void
make_shm(struct wl_display *display)
{
#if defined(WLROOTS_SHM)
	(void)display;
	toy_init_shm();
#elif defined(NATIVE)
	if (shmguard_create(display, NULL) == NULL)
		err(EXIT_FAILURE, "shmguard_create");
#elif defined(OWN_SHM)
	wl_global_create(display, &wl_shm_interface, 1, NULL, bind_nothing);
#else
	wl_display_init_shm(display);
#endif
}

int
main(int argc, char *argv[])
{
	struct wl_display *display = wl_display_create();
	if (display == NULL)
		err(EXIT_FAILURE, "wl_display_create");
	make_shm(display);
	Dl_info info;
	void *function = dlsym(RTLD_DEFAULT, "wl_display_init_shm");
	if (function == NULL || dladdr(function, &info) == 0)
		errx(EXIT_FAILURE, "no wl_display_init_shm");
	printf("%s: wl_shm of %s\n", argv[0],
		strrchr(info.dli_fname, '/') + 1);
	fflush(stdout);

	int status = 0;
	if (argc > 1 && fork() == 0) {
		execvp(argv[1], argv + 1);
		err(EXIT_FAILURE, "%s", argv[1]);
	}
	if (argc > 1)
		wait(&status);
	wl_display_destroy(display);
	return WEXITSTATUS(status);
}
