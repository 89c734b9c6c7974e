/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_CAPTURE_H
#define SIEGE_CAPTURE_H

/*
 * Screen capture with wlr-screencopy: here the compositor writes to the
 * client's memory. The client must have screencopy and an output.
 */

#include "client.h"

#include <stddef.h>

bool capture_is_offered(const struct client *client);

/* Asks for a frame and learns what buffer it wants (client->capture). */
bool capture_begin(struct client *client);

/* The size of that buffer. */
size_t capture_bytes(const struct client *client);

/* A buffer as it wants, `claimed` bytes of `fd`. */
struct wl_buffer *capture_buffer(struct client *client, int fd);

/* The same from `offset` on. */
struct wl_buffer *capture_buffer_at(struct client *client, int fd,
	int32_t offset);

/* Lets the compositor write to the buffer. */
void capture_request(struct client *client, struct wl_buffer *buffer);

/* As capture_request, and waits until it says how that went. Returns
 * whether it says that the buffer is filled. */
bool capture_copy(struct client *client, struct wl_buffer *buffer);

/* The screen as it is. */
struct screenshot {
	const uint32_t *pixels; /* row after row, without padding */
	uint32_t width, height;
};

/* Captures the output into a good buffer. Formats other than 32 bits for each
 * pixel are refused. screenshot_free() frees what it gave. */
bool screenshot_take(struct client *client, struct screenshot *shot);
void screenshot_free(struct screenshot *shot);

/* Counts the pixels of one colour; alpha is ignored, and red should be equal to
 * blue because their order may be either. */
unsigned int screenshot_count(const struct screenshot *shot, uint32_t pixel);

#endif
