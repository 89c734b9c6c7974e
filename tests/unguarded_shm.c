/* SPDX-License-Identifier: MIT */

/*
 * Preloaded, this library has the functions that tinywl-safe's wl_shm is to come
 * from: like a libwayland-server or an adapter for another wlroots that was
 * linked first.
 */

int wl_display_init_shm(void *display);
void *shmguard_wlr_create_with_renderer(void *display);

int
wl_display_init_shm(void *display)
{
	(void)display;
	return -1;
}

void *
shmguard_wlr_create_with_renderer(void *display)
{
	(void)display;
	return 0;
}
