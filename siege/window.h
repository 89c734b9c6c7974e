/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_WINDOW_H
#define SIEGE_WINDOW_H

/*
 * The client's window. The compositor says that a picture was presented by
 * answering a frame callback that was asked for in the commit that showed it:
 * by then its bytes have been read, or will have been for the next one.
 */

#include "client.h"

/* Makes a toplevel that waits for its first buffer. */
bool window_map(struct client *client, const char *title);

/* Shows a window with a whole, sealed buffer of `pixel`s, and waits until it
 * has been presented. */
bool window_open(struct client *client, uint32_t pixel);

/* Gives the window a synchronised subsurface and returns it, or NULL with
 * client->skipped. The surface is the caller's, or its connection's. */
struct wl_subsurface *window_subsurface(struct client *client,
	struct wl_surface **surface);

/* Asks for a frame callback of the window with the surface's next commit. */
void window_ask_frame(struct client *client, struct wl_surface *surface);

/* Waits for every frame asked for. */
bool window_await_frames(struct client *client);

/* Puts the buffer on the surface, all of it damaged, and commits. Nothing is
 * sent before the next wait. */
void surface_commit(struct wl_surface *surface, struct wl_buffer *buffer);

/* surface_commit on the window, with a frame callback. */
void window_commit(struct client *client, struct wl_buffer *buffer);

/* Commits the buffer and awaits its frame, so many times over. */
bool window_present(struct client *client, struct wl_buffer *buffer,
	unsigned int times);

#endif
