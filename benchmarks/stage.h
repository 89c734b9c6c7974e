/* SPDX-License-Identifier: MIT */
#ifndef STAGE_H
#define STAGE_H

/*
 * A compositor and its clients in one process and thread, over real sockets. What
 * goes wrong ends the program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-client-core.h>
#include <wayland-client-protocol.h>
#include <wayland-server-core.h>

struct actor {
	struct wl_display *server;
	struct wl_client *connection; /* NULL once the compositor dropped it */
	struct wl_listener connection_destroy;

	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_shm *shm;
};

/* A compositor with the wl_shm that this program was built for. */
struct wl_display *stage_open(void);

void actor_connect(struct actor *actor, struct wl_display *server);
/* Proxies need not have been destroyed. */
void actor_disconnect(struct actor *actor);

/* What the client has asked for reaches the compositor's socket. */
void actor_flush(struct actor *actor);
/* The compositor works on what has arrived. Returns the nanoseconds. */
uint64_t stage_serve(struct wl_display *server);
/* Events reach the client. */
void actor_receive(struct actor *actor);
/* All three, until both sides have nothing to do. */
void actor_settle(struct actor *actor);

/* The compositor's object for one of the client's. */
struct wl_resource *actor_resource(struct actor *actor, void *proxy);

/* A file of zeros, sealed against shrinking or not. */
int stage_memfd(size_t size, bool sealed);
/* The same with something drawn in every page. */
int stage_drawn_memfd(size_t size, bool sealed);

/* A buffer of four bytes a pixel in a pool of its own, which is destroyed: only
 * the buffer keeps it. */
struct wl_buffer *actor_buffer(struct actor *actor, int fd, int32_t width,
	int32_t height);

/* Whether there can be so many pools. */
bool stage_has_room(size_t pools);

/* So many clients that nobody's limits are met, with `pools` small pools between
 * them and `buffers` buffers in each, all of the same file. For good. */
void stage_crowd(struct wl_display *server, size_t pools, size_t buffers,
	void (*each)(struct actor *actor, struct wl_buffer *buffer));

#endif
