/* SPDX-License-Identifier: MIT */
#ifndef INJECT_SCENE_H
#define INJECT_SCENE_H

/*
 * A compositor with two clients, over real sockets. Failures may end one of them;
 * the other must not notice.
 */

#include "shm_client.h"

#include <shmguard/server.h>

#define SCENE_POOL_SIZE (128 << 10) /* of the first client's files */
#define SCENE_ROWS 32
#define SCENE_WIDTH 1024
#define SCENE_STRIDE (4 * SCENE_WIDTH)
#define SCENE_BYTE 0x5a

struct inject_scene {
	struct wl_display *server;
	struct shm_client client;
	struct shm_client bystander;
	struct wl_buffer *kept; /* the bystander's */
};

/* Once the compositor offers wl_shm. */
void inject_scene_init(struct inject_scene *scene, struct wl_display *server);

/* Whether the client still is connected and free of errors, after both sides have
 * done what they had to do. It must be, unless something has failed; and if not it
 * has been told why. */
bool inject_scene_serve(struct inject_scene *scene);

/* Disconnects both clients. The bystander must be well, and get more. */
void inject_scene_leave(struct inject_scene *scene);
/* The same, and destroys the display. */
void inject_scene_finish(struct inject_scene *scene);

#endif
