/* SPDX-License-Identifier: MIT */

/*
 * The part of libwlroots that shmguard-run looks at.
 */

#include <stddef.h>
#include <stdio.h>
#include <wayland-server.h>

void *wlr_shm_create(void);
void *wlr_shm_create_with_renderer(void);
void toy_init_shm(void);

void *
wlr_shm_create(void)
{
	struct wl_display *display = wl_display_create();
	wl_global_create(display, &wl_shm_interface, 1, NULL, NULL);
	wl_display_destroy(display);
	printf("wl_shm of wlroots\n");
	return NULL;
}

void *
wlr_shm_create_with_renderer(void)
{
	return wlr_shm_create();
}

void
toy_init_shm(void)
{
	wlr_shm_create_with_renderer();
}
