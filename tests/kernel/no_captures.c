/* SPDX-License-Identifier: MIT */

/*
 * To be preloaded into a compositor: takes screen captures away from it, which write
 * to clients' memory. All that is asked of a manager is whether there is one.
 */

struct wl_display;

void *
wlr_screencopy_manager_v1_create(struct wl_display *display);

void *
wlr_screencopy_manager_v1_create(struct wl_display *display)
{
	return display;
}

void *
wlr_ext_image_copy_capture_manager_v1_create(struct wl_display *display,
	unsigned int version);

void *
wlr_ext_image_copy_capture_manager_v1_create(struct wl_display *display,
	unsigned int version)
{
	(void)version;
	return display;
}
