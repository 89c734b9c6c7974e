/* SPDX-License-Identifier: MIT */
#ifndef SIEGE_WITNESS_H
#define SIEGE_WITNESS_H

/*
 * Proof that the compositor reads what a surface shows.
 *
 * A window behind another is not drawn, and a buffer may be handed on unread: a
 * compositor that "survives" lost memory in that way has not been tested. The
 * witness is a good, sealed file with holes. Reading a hole through a mapping
 * fills it with a page, which its owner can see; nothing else fills it.
 */

#include "client.h"

/* Shows one witness after the other in the window until one is read, but not for
 * long: compositors that arrange windows show old pictures meanwhile. */
void witness_await(struct client *client);

/* Shows a witness on the surface, which has the role that is in question, and
 * then the window anew. Sets client->witness. On a broken connection it changes
 * nothing. */
void witness_show(struct client *client, struct wl_surface *surface);

#endif
