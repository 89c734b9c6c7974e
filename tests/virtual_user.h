/* SPDX-License-Identifier: MIT */
#ifndef VIRTUAL_USER_H
#define VIRTUAL_USER_H

/*
 * Windows of a client, and the mouse and keyboard of whoever sits in front of
 * them: both by Wayland, in one process, on the compositor that WAYLAND_DISPLAY
 * names. Anything unexpected ends the process, with a word on standard error.
 *
 * Nobody else may be moving the mouse or opening windows meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wayland-client.h>
#include "xdg-shell-client-protocol.h"

#define CHECK(condition) do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				__LINE__, #condition); \
			exit(EXIT_FAILURE); \
		} \
	} while (0)

/* Until an event makes it true, or patience runs out. */
#define AWAIT(condition) do { \
		user.waiting_for = #condition; \
		while (!(condition)) \
			CHECK(wl_display_dispatch(user.display) >= 0); \
	} while (0)

struct window {
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel; /* or */
	struct xdg_popup *popup;
	bool configured; /* once at least; the last time to: */
	bool activated, resizing;
	int x, y; /* popups only, relative to the parent */
	int width, height;
};

struct user {
	struct wl_display *display;
	struct wl_seat *seat;

	/* What has been seen of the pointer: where it is, in pixels of
	 * the surface or NULL, and of buttons, all of them together. */
	struct wl_surface *pointed_at;
	double x, y;
	int presses, releases;
	uint32_t button_serial;
	/* And of the keyboard. */
	struct wl_surface *typed_into; /* or NULL */
	uint32_t last_key;

	const char *volatile waiting_for;
};
extern struct user user;

/* After `patience` seconds the process ends. */
void user_connect(unsigned int patience);
/* The compositor must end this connection with EPROTO, and must itself live. */
void user_check_thrown_out(void);

/* Returns when the window shows and has the focus. */
void window_open(struct window *window, int width, int height);
/* The steps of it, and back. A hidden window has a role still. */
void window_get_role(struct window *window);
void window_show(struct window *window, int width, int height);
void window_hide(struct window *window);
/* Draws and commits another size. */
void window_paint(struct window *window, int width, int height);
/* Asks for 100 x 100 pixels with the top left corner at x, y of the parent, which
 * may be NULL, or if need be a little aside. */
void popup_open(struct window *popup, struct window *parent, int x, int y);

/* By pixels. */
void mouse_move(double dx, double dy);
/* To a point of the window, which must not be covered much. */
void mouse_find(struct window *window, double x, double y);
void mouse_button(uint32_t button, bool pressed);
/* As one: the wheel vertically, a finger horizontally. */
void mouse_scroll_by_wheel_and_finger(void);

/* Gives the keyboard the usual keymap and listens to it. */
void keyboard_open(void);
/* One of a file that is `file_size` bytes long and said to have `size`. */
void keyboard_set_keymap(const char *text, size_t file_size, size_t size);
/* The text of the usual keymap. To be freed. */
char *keyboard_usual_keymap(void);
/* Presses and releases it. */
void keyboard_type(uint32_t key);
void keyboard_hold_alt(bool held);

#endif
