/* SPDX-License-Identifier: MIT */
#ifndef VIRTUAL_KEYBOARD_H
#define VIRTUAL_KEYBOARD_H

#include <stdbool.h>
#include <wayland-server-core.h>

/*
 * virtual-keyboard-unstable-v1 with keymaps read through <shmguard/map.h>.
 *
 * A keymap is one more client's file that the compositor looks into. wlroots'
 * own implementation maps it unguarded, and a truncated one ends the session.
 *
 * Adds the global, which lives as long as the display. `new_keyboard` must live
 * as long. It is notified with a struct wlr_input_device, like a listener to a
 * backend's new_input, when a keyboard has got its first keymap. False: out of
 * memory.
 */
bool virtual_keyboard_global_create(struct wl_display *display,
	struct wl_listener *new_keyboard);

#endif
