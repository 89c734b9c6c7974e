/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_IMAGE_COPY_H
#define SIEGE_IMAGE_COPY_H

/*
 * Screen capture with ext-image-copy-capture, in the place of wlr-screencopy's:
 * see capture.h.
 */

#include "client.h"

bool image_copy_is_offered(const struct client *client);

/* Opens a session and learns what buffer it wants (client->capture). */
bool image_copy_begin(struct client *client);

/* Lets the compositor write to the buffer. client->capture.finished says when
 * it has. */
void image_copy_request(struct client *client, struct wl_buffer *buffer);

#endif
